/* embedder.c - asks an embedder what it is, once, and makes the collection that its vectors go into. */
#include "embedder/embedder.h"

bp_status embedder_learn(bp_call *call, const bp_peer *embed, struct embedder *embedder)
{
    bp_embed_info info;

    if (embedder->info.dimensions)
        return BP_OK;
    BP_TRY(bp_embed_info_of(call, embed, &info));
    if (info.dimensions == 0 || info.model.len >= sizeof(embedder->model))
        return bp_fail(call, BP_UPSTREAM,
                       "embedder \"" BP_FMT "\" says %u dimensions and a name of %zu bytes, which cannot be",
                       BP_ARG(embed->name), info.dimensions, info.model.len);
    if (info.max_batch == 0)
        info.max_batch = 1;
    memcpy(embedder->model, info.model.data, info.model.len);
    info.model.data = embedder->model;
    embedder->info = info;
    return BP_OK;
}

bp_status embedder_make_collection(bp_call *call, const bp_peer *embed, const bp_peer *vector, bp_str collection,
                                   struct embedder *embedder)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema), .metric = BP_COSINE, .language = BP_STR("en") };
    struct embedder  learnt = { .info = { .dimensions = 0 } };

    if (embedder->info.dimensions)
        return BP_OK;
    BP_TRY(embedder_learn(call, embed, &learnt));
    schema.dimensions = learnt.info.dimensions;
    schema.model = learnt.info.model;
    BP_TRY(bp_vector_of(vector)->create(call, vector->instance, collection, &schema));
    *embedder = learnt;
    embedder->info.model.data = embedder->model;
    return BP_OK;
}

bool embedder_is_zero(const float *vector, uint32_t dimensions)
{
    for (uint32_t i = 0; i < dimensions; i++)
        if (vector[i] != 0.0f)
            return false;
    return true;
}
