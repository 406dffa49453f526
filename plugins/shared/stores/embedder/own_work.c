/* own_work.c - whether the points of a collection without a mark are those that this app wrote. */
#include "embedder/embedder.h"

enum { SAMPLE = 20 };

struct sample {
    uint64_t ids[SAMPLE];
    bp_str   words[SAMPLE];
    size_t   count;
};

static bp_status take_point(bp_call *call, void *arg, const bp_point *point)
{
    struct sample *sample = arg;

    if (sample->count == SAMPLE)
        return BP_OK;
    sample->ids[sample->count] = point->id;
    sample->words[sample->count] = bp_dup(call, point->words);
    return sample->words[sample->count++].data ? BP_OK : BP_NO_MEMORY;
}

static bp_status look_at(bp_call *call, const bp_peer *vector, bp_str name, uint64_t after,
                         const struct own_words *own, bool *is_own)
{
    struct sample       sample = { .count = 0 };
    const bp_point_sink sink = { .struct_size = sizeof(sink),
                                 .point = take_point,
                                 .self = &sample };

    BP_TRY(bp_vector_of(vector)->scroll(call, vector->instance, name, NULL, after, SAMPLE, &sink));
    for (size_t i = 0; i < sample.count && *is_own; i++) {
        bp_str    words = { NULL, 0 };
        bp_status status = own->of(call, own->app, sample.ids[i], &words);

        if (status != BP_OK && status != BP_NOT_FOUND)
            return status;
        bp_clear_error(call);
        *is_own = status == BP_OK && bp_str_equal(words, sample.words[i]);
    }
    return BP_OK;
}

bp_status embedder_is_own_work(bp_call *call, const bp_peer *vector, bp_str name,
                               const struct own_words *own, bool *is_own)
{
    *is_own = true;
    BP_TRY(look_at(call, vector, name, 0, own, is_own));
    return *is_own && own->middle > 0
               ? look_at(call, vector, name, (uint64_t)own->middle, own, is_own)
               : BP_OK;
}
