/* embedder.c - asks an embedder for its properties, once, and makes the collection for its vectors.
 */
#include "embedder/embedder.h"

enum { COMPARE_ROUNDS = 20 };

bp_status embedder_learn(bp_call *call, const bp_peer *embed, struct embedder *embedder)
{
    bp_embed_info info;

    if (embedder->info.dimensions)
        return BP_OK;
    BP_TRY(bp_embed_info_of(call, embed, &info));
    if (info.dimensions == 0 || info.model.len >= sizeof(embedder->model))
        return bp_fail(call, BP_UPSTREAM,
                       "embedder \"" BP_FMT
                       "\" says %u dimensions and a name of %zu bytes, which cannot be",
                       BP_ARG(embed->name), info.dimensions, info.model.len);
    if (info.max_batch == 0)
        info.max_batch = 1;
    memcpy(embedder->model, info.model.data, info.model.len);
    info.model.data = embedder->model;
    embedder->info = info;
    return BP_OK;
}

/* "journal.4f1d8a0c9b3e2d71" */
static bp_str name_of(bp_call *call, bp_str base, bp_str owner, bp_str model)
{
    uint8_t digest[32];
    bp_buf *name = bp_buf_new(call, 256);

    bp_sha256(bp_format(call, BP_FMT "/" BP_FMT, BP_ARG(owner), BP_ARG(model)), digest);
    bp_buf_addf(name, BP_FMT ".", BP_ARG(base));
    for (size_t i = 0; i < 8; i++)
        bp_buf_addf(name, "%02x", digest[i]);
    return bp_buf_str(name);
}

/* One of an older version, which is ours to use: nobody else's, and for this embedder. */
static bp_status look_for_old(bp_call *call, const bp_peer *vector, bp_str base,
                              const bp_vector_schema *schema, const struct own_words *own,
                              bool *is_ours)
{
    bp_str    owner;
    bool      is_own = true;
    bp_status status = bp_vector_of(vector)->count(call, vector->instance, base, NULL,
                                                   &(uint64_t){ 0 });

    *is_ours = false;
    if (status == BP_OK)
        status = bp_vector_owner_of(call, vector, base, &owner);
    if (status == BP_OK && owner.len && !bp_str_equal(owner, schema->owner))
        return BP_OK; // another deployment's
    if (status == BP_OK && !owner.len)
        status = embedder_is_own_work(call, vector, base, own, &is_own);
    if (status == BP_OK && !is_own) {
        bp_log(call, BP_LOG_WARN,
               "the collection " BP_FMT " of vector store \"" BP_FMT
               "\" holds words that are not here: it may be another deployment's and is left alone",
               BP_ARG(base), BP_ARG(vector->name));
        return BP_OK;
    }
    if (status == BP_OK)
        status = bp_vector_of(vector)->create(call, vector->instance, base, schema);
    *is_ours = status == BP_OK;
    if (status != BP_NOT_FOUND && status != BP_CONFLICT)
        return status;
    bp_clear_error(call);
    return BP_OK;
}

bp_status embedder_make_collection(bp_call *call, const bp_peer *embed, const bp_peer *vector,
                                   const bp_peer *storage, bp_str base, const struct own_words *own,
                                   struct embedder *embedder)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .metric = BP_COSINE,
                                .language = BP_STR("en") };
    struct embedder  learnt = { .info = { .dimensions = 0 } };
    bool             is_old;
    bp_str           name;

    if (embedder->info.dimensions)
        return BP_OK;
    BP_TRY(embedder_learn(call, embed, &learnt));
    BP_TRY(bp_storage_deployment(call, storage, &schema.owner));
    schema.dimensions = learnt.info.dimensions;
    schema.model = learnt.info.model;
    BP_TRY(look_for_old(call, vector, base, &schema, own, &is_old));
    name = is_old ? base : name_of(call, base, schema.owner, schema.model);
    if (!is_old)
        BP_TRY(bp_vector_of(vector)->create(call, vector->instance, name, &schema));
    if (!name.len || name.len >= sizeof(learnt.collection))
        return bp_fail(call, BP_INVALID, "\"" BP_FMT "\" is too long for the name of a collection",
                       BP_ARG(base));
    memcpy(learnt.collection, name.data, name.len);
    learnt.rounds = embedder->rounds;
    *embedder = learnt;
    embedder->info.model.data = embedder->model;
    return BP_OK;
}

bp_status embedder_learn_from(struct embedder *embedder, bp_status status)
{
    if (status == BP_NOT_FOUND) {
        embedder->info.dimensions = 0;
        embedder->rounds = 0;
    }
    return status;
}

bool embedder_is_due(struct embedder *embedder)
{
    return embedder->rounds++ % COMPARE_ROUNDS == 0;
}

bool embedder_is_zero(const float *vector, uint32_t dimensions)
{
    for (uint32_t i = 0; i < dimensions; i++)
        if (vector[i] != 0.0f)
            return false;
    return true;
}
