/* @NAME@.c - an embedder: a bag of words, each hashed to one of `dimensions` places. */
#include <ctype.h>
#include <math.h>

#include <backplane/embed.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

enum { BATCH_MAX = 64, INLINE_BYTES = 16 << 10 };

struct embedder {
    int64_t dimensions;
};

static const bp_option options[] = {
    BP_OPTION_INT(struct embedder, dimensions, .initial = "128", .minimum = "8", .maximum = "4096",
                  .help = "numbers in a vector; changing it rebuilds every collection"),
};

static void embed_text(bp_str text, float *vector, uint32_t dimensions)
{
    uint64_t hash = 0;
    double   length = 0;

    for (size_t i = 0; i <= text.len; i++) {
        int c = i < text.len ? (unsigned char)text.data[i] : ' ';

        if (isalnum(c) || c >= 0x80) {
            hash = ((hash ? hash : UINT64_C(0xcbf29ce484222325)) ^ (uint64_t)tolower(c)) *
                   UINT64_C(0x100000001b3);
        } else if (hash) {
            vector[(hash >> 8) % dimensions] += hash >> 63 ? 1.0f : -1.0f;
            hash = 0;
        }
    }
    for (uint32_t i = 0; i < dimensions; i++)
        length += (double)vector[i] * vector[i];
    if (length <= 0) { /* no word in it: stores take no zero vector */
        vector[0] = 1;
        length = 1;
    }
    for (uint32_t i = 0; i < dimensions; i++)
        vector[i] = (float)(vector[i] / sqrt(length));
}

struct work {
    const bp_embed_request *request;
    float                  *vectors;
    uint32_t                dimensions;
};

static bp_status embed_job(bp_call *call, void *arg)
{
    struct work *work = arg;

    for (size_t i = 0; i < work->request->count; i++) {
        BP_TRY(bp_cancelled(call));
        embed_text(work->request->texts[i], work->vectors + i * work->dimensions, work->dimensions);
    }
    return BP_OK;
}

static bp_status info(bp_call *call, void *instance, bp_embed_info *out)
{
    const struct embedder *self = instance;

    out->dimensions = (uint32_t)self->dimensions;
    out->max_batch = BATCH_MAX;
    out->model = bp_format(call, "@NAME@-%lld-v1",
                           (long long)self->dimensions); /* changes when the vectors would */
    out->is_lexical = true;
    out->is_normalised = true;
    return BP_OK;
}

static bp_status embed(bp_call *call, void *instance, const bp_embed_request *request,
                       bp_embeddings *out)
{
    const struct embedder *self = instance;
    struct work            work = { .request = request, .dimensions = (uint32_t)self->dimensions };
    size_t                 bytes = 0;

    if (request->count < 1 || request->count > BATCH_MAX)
        return bp_fail(call, BP_INVALID, "1 to %d texts can be embedded at once, not %zu",
                       BATCH_MAX, request->count);
    work.vectors = BP_NEW_ARRAY(call, float, request->count *work.dimensions);
    if (!work.vectors)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < request->count; i++)
        bytes += request->texts[i].len;
    /* What takes longer than a millisecond leaves the event loop. */
    BP_TRY(bytes > INLINE_BYTES ? bp_offload(call, NULL, embed_job, &work)
                                : embed_job(call, &work));
    out->dimensions = work.dimensions;
    out->vectors = work.vectors;
    out->count = request->count;
    return BP_OK;
}

static const bp_embed_ops ops = {
    .struct_size = sizeof(bp_embed_ops),
    .info = info,
    .embed = embed,
};

BP_PLUGIN(embed, "@NAME@", "1.0.0", .summary = "a hashed bag of words",
          .instance_size = sizeof(struct embedder), .options = BP_TABLE(options), .ops = &ops)
