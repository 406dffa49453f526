/* onnx.c - an embedder that runs a sentence model in this process, with ONNX Runtime.
 *
 *      texts -> numbers (WordPiece)            at once for a question, else a job on a thread of the pool
 *            -> sorted by length               so that little is filled up with padding
 *            -> micro-batches, 1,024 tokens    each a job; several run side by side, one a thread
 *            -> vectors, in the order of the texts
 *
 * A call of one batch at most, such as a question, shares a run with other calls (join.c). Between
 * two micro-batches (about a third of a second of work with MiniLM) a call that is over ends. The
 * model is loaded once a process; its memory is shared by all workers.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>

#include <backplane/embed.h>
#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>

#include "join.h"

/* A text of so many bytes becomes numbers in less time than a thread needs to wake up. */
enum { THREADS_MAX = 64, ID_MAX = 160, AT_ONCE_BYTES = 2048 };

struct onnx_shared {
    struct model model;
    bp_pool     *pool;
    struct join *join;
    uint32_t     threads;
    char         id[ID_MAX];
};

struct onnx_instance {
    bp_str              model, file, runtime, name, query_prefix, passage_prefix;
    int32_t             pooling;
    bool                normalise;
    int64_t             max_tokens, threads, batch;
    struct onnx_shared *shared;
    bp_metric          *tokens_total, *padding_total, *joined_total, *file_bytes, *resident_bytes;
};

/* ---- one call ---- */

/* The texts to embed, and how far that has come. Children on the same worker take micro-batches
 * from it. */
struct work {
    const struct onnx_shared *shared;
    const bp_embed_request   *request;
    bp_str                    prefix;
    int32_t                  *ids; /* `stride` a text */
    uint32_t                 *lengths, *order;
    size_t                    stride;
    float                    *vectors;
    size_t left; /* texts that no batch has taken yet: the shortest ones, order[0] to order[left -
                    1] */
    uint64_t tokens, cells;
};

static int by_length(const void *a, const void *b, void *arg)
{
    const uint32_t *lengths = arg;
    uint32_t        x = lengths[*(const uint32_t *)a], y = lengths[*(const uint32_t *)b];

    return x < y ? -1 : x > y;
}

static bp_status encode_one(bp_call *call, struct work *work, size_t i)
{
    const struct model *model = &work->shared->model;
    bp_str              text = work->request->texts[i];
    int32_t            *ids = work->ids + i * work->stride;
    char               *both;

    if (!work->prefix.len) {
        work->lengths[i] = (uint32_t)wordpiece_encode(model->pieces, text.data, text.len, ids,
                                                      model->max_tokens);
        return BP_OK;
    }
    both = malloc(work->prefix.len + text.len);
    if (!both)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a text of %zu bytes", text.len);
    memcpy(both, work->prefix.data, work->prefix.len);
    if (text.len)
        memcpy(both + work->prefix.len, text.data, text.len);
    work->lengths[i] = (uint32_t)wordpiece_encode(model->pieces, both, work->prefix.len + text.len,
                                                  ids, model->max_tokens);
    free(both);
    return BP_OK;
}

/* The next micro-batch: the longest texts that are left, so that no thread is at a long one when
 * the others are done. */
static struct model_batch take_batch(struct work *work)
{
    struct model_batch batch = {
        .ids = work->ids, .lengths = work->lengths, .stride = work->stride, .vectors = work->vectors
    };
    size_t longest = work->left ? work->lengths[work->order[work->left - 1]] : 0;

    while (work->left && batch.count < BATCH_TEXTS &&
           (batch.count == 0 || longest * (batch.count + 1) <= BATCH_TOKENS)) {
        work->left--;
        batch.count++;
        work->tokens += work->lengths[work->order[work->left]];
    }
    work->cells += longest * batch.count;
    batch.order = work->order + work->left;
    return batch;
}

static bp_status encode_all(bp_call *call, void *arg)
{
    struct work *work = arg;

    for (size_t i = 0; i < work->request->count; i++) {
        BP_TRY(bp_cancelled(call));
        BP_TRY(encode_one(call, work, i));
    }
    return BP_OK;
}

static bp_status encode(bp_call *call, struct work *work)
{
    size_t bytes = 0;

    for (size_t i = 0; i < work->request->count; i++)
        bytes += work->prefix.len + work->request->texts[i].len;
    return bytes <= AT_ONCE_BYTES ? encode_all(call, work)
                                  : bp_offload(call, work->shared->pool, encode_all, work);
}

/* Whether all of it is one batch. */
static bool sort_by_length(struct work *work)
{
    size_t count = work->request->count;

    for (size_t i = 0; i < count; i++)
        work->order[i] = (uint32_t)i;
    qsort_r(work->order, count, sizeof(*work->order), by_length, work->lengths);
    work->left = count;
    return count <= BATCH_TEXTS && count * work->lengths[work->order[count - 1]] <= BATCH_TOKENS;
}

struct batch_job {
    const struct model *model;
    struct model_batch  batch;
};

static bp_status batch_job(bp_call *call, void *arg)
{
    const struct batch_job *job = arg;

    return model_run(call, job->model, &job->batch);
}

static bp_status run_batches(bp_call *call, void *arg)
{
    struct work *work = arg;

    while (work->left) {
        struct batch_job job = { .model = &work->shared->model, .batch = take_batch(work) };
        bp_status        status = bp_offload(call, work->shared->pool, batch_job, &job);

        if (status != BP_OK) {
            work->left = 0; // the others need not go on
            return status;
        }
    }
    return BP_OK;
}

/* One fiber a thread, each with a batch in hand; this one is the last of them. */
static bp_status run_side_by_side(bp_call *call, struct work *work)
{
    bp_child *children[THREADS_MAX];
    uint32_t  count = 0;
    bp_status status, ended = BP_OK;

    while (count + 1 < work->shared->threads &&
           work->left > (size_t)(count + 1) * BATCH_TEXTS / 8 &&
           bp_spawn(call, "embed", run_batches, work, &children[count]) == BP_OK)
        count++;
    bp_clear_error(call); // without a further fiber it goes on with those there are
    status = run_batches(call, work);
    for (uint32_t i = 0; i < count; i++) {
        bp_status one = bp_join(call, children[i]);
        ended = ended == BP_OK ? one : ended;
    }
    return status != BP_OK ? status : ended;
}

/* With what other calls wait for. */
static bp_status run_joined(bp_call *call, struct onnx_instance *onnx, struct work *work)
{
    struct model_batch batch = take_batch(work);
    struct join_cost   cost;

    BP_TRY(join_run(call, work->shared->join, work->shared->pool, &batch, &cost));
    work->cells = cost.cells;
    if (cost.was_joined)
        bp_metric_add(onnx->joined_total, NULL, 0, (double)batch.count);
    return BP_OK;
}

static bp_status run_all(bp_call *call, struct onnx_instance *onnx, struct work *work)
{
    BP_TRY(encode(call, work));
    return sort_by_length(work) ? run_joined(call, onnx, work) : run_side_by_side(call, work);
}

static bool make_room(struct work *work)
{
    size_t count = work->request->count;

    work->stride = work->shared->model.max_tokens;
    work->ids = malloc(count * work->stride * sizeof(*work->ids));
    work->lengths = malloc(count * sizeof(*work->lengths));
    work->order = malloc(count * sizeof(*work->order));
    return work->ids && work->lengths && work->order;
}

static bp_status onnx_embed(bp_call *call, void *instance, const bp_embed_request *request,
                            bp_embeddings *embeddings)
{
    struct onnx_instance *onnx = instance;
    const struct model   *model = &onnx->shared->model;
    struct work           work = { .shared = onnx->shared, .request = request };
    bp_status             status;

    if (request->count < 1 || request->count > (size_t)onnx->batch)
        return bp_fail(call, BP_INVALID, "1 to %lld texts can be embedded at once, not %zu",
                       (long long)onnx->batch, request->count);
    work.prefix = request->purpose == BP_EMBED_QUERY ? onnx->query_prefix : onnx->passage_prefix;
    work.vectors = BP_NEW_ARRAY(call, float, request->count * model->dimensions);
    if (!work.vectors)
        return BP_NO_MEMORY;
    status = make_room(&work)
                 ? run_all(call, onnx, &work)
                 : bp_fail(call, BP_NO_MEMORY, "no memory for %zu texts", request->count);
    free(work.ids);
    free(work.lengths);
    free(work.order);
    if (status == BP_CANCELLED || status == BP_DEADLINE)
        return bp_fail(call, status, "the embedding of %zu texts was given up: %s", request->count,
                       bp_status_text(status));
    BP_TRY(status);
    bp_metric_add(onnx->tokens_total, NULL, 0, (double)work.tokens);
    bp_metric_add(onnx->padding_total, NULL, 0, (double)(work.cells - work.tokens));
    embeddings->dimensions = model->dimensions;
    embeddings->vectors = work.vectors;
    embeddings->count = request->count;
    embeddings->tokens = work.tokens;
    return BP_OK;
}

static bp_status onnx_info(bp_call *call, void *instance, bp_embed_info *info)
{
    const struct onnx_instance *onnx = instance;

    (void)call;
    info->dimensions = onnx->shared->model.dimensions;
    info->max_tokens = onnx->shared->model.max_tokens;
    info->max_batch = (uint32_t)onnx->batch;
    info->model = bp_str_of(onnx->shared->id);
    info->is_lexical = false;
    info->is_normalised = onnx->normalise;
    return BP_OK;
}

/* ---- its life ---- */

/* "all-MiniLM-L6-v2@1a2b3c4d5e6f": whatever the vectors depend on is in the digits. */
static bp_status make_id(bp_call *call, const struct onnx_instance *onnx,
                         struct onnx_shared *shared)
{
    const struct model *model = &shared->model;
    bp_str              name = onnx->name, parts;
    uint8_t             digest[32];

    if (!name.len) {
        name = onnx->model;
        while (name.len && name.data[name.len - 1] == '/')
            name.len--;
        for (size_t i = name.len; i > 0; i--)
            if (name.data[i - 1] == '/') {
                name = bp_str_n(name.data + i, name.len - i);
                break;
            }
    }
    parts = bp_format(call, "%u %u %d\n" BP_FMT "\n" BP_FMT "\n", (unsigned)model->pooling,
                      model->max_tokens, model->normalises, BP_ARG(onnx->query_prefix),
                      BP_ARG(onnx->passage_prefix));
    parts = bp_format(call,
                      BP_FMT "                                                                ",
                      BP_ARG(parts));
    if (!parts.len)
        return BP_NO_MEMORY;
    memcpy((char *)parts.data + parts.len - 64, model->digest, 32);
    memcpy((char *)parts.data + parts.len - 32, model->vocabulary_digest, 32);
    bp_sha256(parts, digest);
    snprintf(shared->id, sizeof(shared->id), "%.*s@%02x%02x%02x%02x%02x%02x",
             name.len > 128 ? 128 : (int)name.len, name.data, digest[0], digest[1], digest[2],
             digest[3], digest[4], digest[5]);
    return BP_OK;
}

/* Processors that this process may use. */
static uint32_t processors(void)
{
    cpu_set_t set;
    int       count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : (uint32_t)count;
}

struct opening {
    struct model_options options;
    struct model        *model;
};

static bp_status open_job(bp_call *call, void *arg)
{
    struct opening *opening = arg;

    return model_open(call, &opening->options, opening->model);
}

static void shared_destroy(bp_call *call, void *state)
{
    struct onnx_shared *shared = state;

    (void)call;
    if (shared->pool)
        bp_pool_destroy(shared->pool);
    join_free(shared->join);
    model_close(&shared->model);
    free(shared);
}

static bp_status shared_create(bp_call *call, const void *options, void **out)
{
    const struct onnx_instance *onnx = options;
    struct onnx_shared         *shared = calloc(1, sizeof(*shared));
    struct opening              opening = { .options = { .runtime = onnx->runtime,
                                                         .folder = onnx->model,
                                                         .file = onnx->file,
                                                         .pooling = (enum pooling)onnx->pooling,
                                                         .max_tokens = (uint32_t)onnx->max_tokens,
                                                         .normalises = onnx->normalise } };
    int64_t                     begun_ns = bp_now_ns();
    bp_status                   status;

    if (!shared)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the model");
    opening.model = &shared->model;
    shared->threads = onnx->threads ? (uint32_t)onnx->threads : processors();
    status = bp_offload(call, NULL, open_job, &opening);
    if (status == BP_OK)
        status = make_id(call, onnx, shared);
    if (status == BP_OK)
        status = bp_pool_create(call, BP_STR("onnx"), shared->threads, &shared->pool);
    if (status == BP_OK) {
        shared->join = join_new(&shared->model, shared->threads);
        status = shared->join ? BP_OK : bp_fail(call, BP_NO_MEMORY, "no memory for the model");
    }
    if (status != BP_OK) {
        shared_destroy(call, shared);
        return status;
    }
    bp_log(call, BP_LOG_INFO,
           "%s: %u dimensions, %u tokens a text, %zu pieces, %u threads, ONNX Runtime %s from %s, "
           "loaded in %lld ms",
           shared->id, shared->model.dimensions, shared->model.max_tokens,
           wordpiece_count(shared->model.pieces), shared->threads, shared->model.runtime.version,
           shared->model.runtime.path, (long long)((bp_now_ns() - begun_ns) / 1000000));
    *out = shared;
    return BP_OK;
}

static bp_status worker_start(bp_call *call, void *instance, void *state)
{
    struct onnx_instance *onnx = instance;

    onnx->shared = state;
    BP_TRY(bp_metric_define(call, BP_COUNTER, "onnx_tokens_total", "Tokens that were embedded.", "",
                            &onnx->tokens_total));
    BP_TRY(
        bp_metric_define(call, BP_COUNTER, "onnx_padding_tokens_total",
                         "Tokens that only filled batches up to the length of their longest text.",
                         "", &onnx->padding_total));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "onnx_joined_texts_total",
                            "Texts that were run together with those of other calls.", "",
                            &onnx->joined_total));
    BP_TRY(bp_metric_define(call, BP_GAUGE, "onnx_model_file_bytes", "Size of the model's file.",
                            "", &onnx->file_bytes));
    BP_TRY(bp_metric_define(call, BP_GAUGE, "onnx_model_resident_bytes",
                            "Resident memory that loading the runtime and the model added to the "
                            "process.",
                            "", &onnx->resident_bytes));
    bp_metric_set(onnx->file_bytes, NULL, 0, (double)onnx->shared->model.file_bytes);
    bp_metric_set(onnx->resident_bytes, NULL, 0, (double)onnx->shared->model.resident_bytes);
    return BP_OK;
}

static const bp_option options[] = {
    BP_OPTION_PATH(struct onnx_instance, model, .is_required = true, .choices = BP_PATH_FOLDER,
                   .example = "models/all-MiniLM-L6-v2",
                   .help = "folder with model.onnx and its vocabulary (tokenizer.json or "
                           "vocab.txt); scripts/fetch-model.sh makes one"),
    BP_OPTION_STRING(struct onnx_instance, file, .example = "model_int8.onnx",
                     .help = "file in that folder; empty: model.onnx or onnx/model.onnx"),
    BP_OPTION_PATH(struct onnx_instance, runtime, .choices = BP_PATH_FILE "|" BP_PATH_FOLDER,
                   .example = "onnxruntime",
                   .help = "libonnxruntime.so or a folder with it, as scripts/fetch-onnxruntime.sh "
                           "makes; empty: where the dynamic linker finds it, /usr/local/lib, "
                           "/opt/onnxruntime/lib"),
    BP_OPTION_STRING(struct onnx_instance, name, .example = "all-MiniLM-L6-v2",
                     .help = "begins the model's id, which ends in a digest of its files; empty: "
                             "the folder's name"),
    BP_OPTION_ENUM(struct onnx_instance, pooling, .initial = "auto", .choices = "auto|mean|cls",
                   .help = "how the vectors of tokens become one: their mean or that of the first "
                           "token; auto: as 1_Pooling/config.json says, else mean"),
    BP_OPTION_BOOL(struct onnx_instance, normalise, .initial = "true",
                   .help = "make vectors of length one"),
    BP_OPTION_INT(struct onnx_instance, max_tokens, .initial = "0", .minimum = "0",
                  .maximum = "8192",
                  .help = "tokens after which a text is cut; 0: as in the model's settings"),
    BP_OPTION_STRING(struct onnx_instance, query_prefix, .example = "query: ",
                     .help = "put before each question, for models that need it (e5, bge)"),
    BP_OPTION_STRING(struct onnx_instance, passage_prefix, .example = "passage: ",
                     .help = "put before each passage, for models that need it (e5)"),
    BP_OPTION_INT(struct onnx_instance, threads, .initial = "0", .minimum = "0", .maximum = "64",
                  .help = "batches that run in parallel, one processor each; 0: one per processor"),
    BP_OPTION_INT(struct onnx_instance, batch, .initial = "128", .minimum = "1", .maximum = "2048",
                  .help = "texts in one call"),
};

static const bp_life life = { .struct_size = sizeof(bp_life),
                              .shared_create = shared_create,
                              .worker_start = worker_start,
                              .shared_destroy = shared_destroy };

static const bp_embed_ops ops = { .struct_size = sizeof(bp_embed_ops),
                                  .info = onnx_info,
                                  .embed = onnx_embed };

BP_PLUGIN(embed, "onnx", "1.0.0",
          .summary = "a sentence model in this process, with ONNX Runtime: all-MiniLM-L6-v2, bge, "
                     "e5 and their like",
          .license = "Apache-2.0", .instance_size = sizeof(struct onnx_instance),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
