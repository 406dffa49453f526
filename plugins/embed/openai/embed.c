/* embed.c - an embedder behind POST /embeddings: OpenAI, Ollama, Jan, llama-server, vLLM, TEI and
 * their like. */
#define _GNU_SOURCE // strcasestr()
#include <backplane/embed.h>
#include <backplane/plugin.h>

#include <math.h>

#include "openai/openai.h"

enum { ANSWER_MAX_BYTES = 64 << 20, REQUEST_MAX_BYTES = 32 << 20, DIMENSIONS_MAX = 65536 };

struct embed_instance {
    struct openai_server server;
    bp_str               model, query_prefix, passage_prefix;
    int64_t              dimensions, batch, max_tokens, timeout_ns;
    int32_t              encoding;
    bool                 shorten;
    size_t batch_taken; // as many as the server takes, if that turned out to be fewer than `batch`;
                        // else 0
    uint32_t found_dimensions; /* 0: not known yet; each worker finds out for itself */
};

/* ---- asking ---- */

static bp_status body_of(bp_call *call, const struct embed_instance *embed, bp_str prefix,
                         const bp_str *texts, size_t count, bp_str *body)
{
    bp_json_writer *w = bp_json_writer_new(call, REQUEST_MAX_BYTES);

    bp_json_object(w);
    bp_json_put_string(w, "model", embed->model);
    bp_json_key(w, "input");
    bp_json_array(w);
    for (size_t i = 0; i < count; i++) {
        bp_buf *text = prefix.len ? bp_buf_new(call, REQUEST_MAX_BYTES) : NULL;

        if (prefix.len) {
            bp_buf_add(text, prefix);
            bp_buf_add(text, texts[i]);
            BP_TRY(bp_buf_status(text));
        }
        // OpenAI refuses a text that is empty; one that is blank means the same.
        bp_json_add_string(w, prefix.len     ? bp_buf_str(text)
                              : texts[i].len ? texts[i]
                                             : BP_STR(" "));
    }
    bp_json_end(w);
    bp_json_put_string(w, "encoding_format", embed->encoding ? BP_STR("base64") : BP_STR("float"));
    if (embed->shorten)
        bp_json_put_integer(w, "dimensions", embed->dimensions);
    bp_json_end(w);
    return bp_json_done(call, w, body);
}

/* 402 and 404 are about the account and the model, which others mend: no text is to blame, and it
 * may be sent again. */
static bp_status refused(bp_call *call, const struct embed_instance *embed,
                         const bp_http_response *response)
{
    bp_status status = openai_fail(call, &embed->server, response->status, response->retry_after_ns,
                                   response->body);

    if (status != BP_INVALID || response->status == 400 || response->status == 422)
        return status;
    status = bp_fail(call, BP_UPSTREAM, BP_FMT, BP_ARG(bp_dup(call, bp_error_of(call)->message)));
    bp_fail_detail(call, response->retry_after_ns, 0, response->status);
    return status;
}

static bp_status post(bp_call *call, const struct embed_instance *embed, bp_str body,
                      const bp_json **root)
{
    bp_http_request  request;
    bp_http_response response;

    BP_TRY(openai_request(call, &embed->server, "/embeddings", body, &request));
    request.first_byte_timeout_ns = embed->timeout_ns;
    request.max_response_bytes = ANSWER_MAX_BYTES;
    BP_TRY(bp_http_fetch(call, &request, &response));
    if (response.status < 200 || response.status > 299)
        return refused(call, embed, &response);
    if (bp_json_parse(call, response.body, root) != BP_OK)
        return bp_fail(call, BP_UPSTREAM, BP_FMT " sent embeddings that are not JSON",
                       BP_ARG(embed->server.url));
    if (bp_json_get(*root, "error"))
        return openai_fail_object(call, &embed->server, bp_json_get(*root, "error"));
    return BP_OK;
}

/* ---- reading ---- */

/* The float32 numbers of a vector: an array, or base64 of them, little-endian. Their count; 0 when
 * it is neither. */
static size_t numbers_of(bp_call *call, const bp_json *given, float **numbers)
{
    bp_str text = bp_json_string(given);
    size_t count = text.len ? text.len / 4 * 3 / sizeof(float) + 1 : bp_json_count(given),
           bytes = 0;

    *numbers = BP_NEW_ARRAY(call, float, count + 1);
    if (!*numbers)
        return 0;
    if (!text.len) {
        for (size_t i = 0; i < count; i++)
            (*numbers)[i] = (float)bp_json_number(bp_json_at(given, i));
        return count;
    }
    return openai_decode_base64(text, *numbers, (count + 1) * sizeof(float), &bytes) &&
                   bytes % sizeof(float) == 0
               ? bytes / sizeof(float)
               : 0;
}

/* Copies one vector and makes it of length one: nearness by cosine and by dot product are then the
 * same. */
static bp_status take_vector(bp_call *call, const struct embed_instance *embed,
                             const float *numbers, size_t count, uint32_t dimensions, float *out)
{
    double square = 0, length;

    if (count != dimensions)
        return bp_fail(call, BP_UPSTREAM,
                       BP_FMT " sent a vector of %zu dimensions, not %u: the model is another one "
                              "than before, or the option dimensions is wrong",
                       BP_ARG(embed->server.url), count, dimensions);
    for (uint32_t i = 0; i < dimensions; i++)
        square += (double)numbers[i] * numbers[i];
    length = sqrt(square);
    if (!(length > 0) || !isfinite(length))
        return bp_fail(call, BP_UPSTREAM, BP_FMT " sent a vector without a direction",
                       BP_ARG(embed->server.url));
    for (uint32_t i = 0; i < dimensions; i++)
        out[i] = (float)(numbers[i] / length);
    return BP_OK;
}

/* Vectors may come in any order; each has the index of its text. */
static bp_status take_all(bp_call *call, struct embed_instance *embed, const bp_json *root,
                          size_t count, float **vectors, bool *is_taken)
{
    const bp_json *data = bp_json_get(root, "data");

    if (bp_json_count(data) != count)
        return bp_fail(call, BP_UPSTREAM, BP_FMT " sent %zu vectors for %zu texts",
                       BP_ARG(embed->server.url), bp_json_count(data), count);
    for (size_t i = 0; i < count; i++) {
        const bp_json *item = bp_json_at(data, i), *index = bp_json_get(item, "index");
        float         *numbers;
        size_t         found = numbers_of(call, bp_json_get(item, "embedding"), &numbers);
        size_t at = bp_json_type_of(index) == BP_JSON_INTEGER ? (size_t)bp_json_integer(index) : i;

        if (at >= count || is_taken[at])
            return bp_fail(call, BP_UPSTREAM, BP_FMT " sent vectors with wrong index numbers",
                           BP_ARG(embed->server.url));
        is_taken[at] = true;
        if (!embed->found_dimensions) {
            if (found == 0 || found > DIMENSIONS_MAX)
                return bp_fail(call, BP_UPSTREAM, BP_FMT " sent a vector of %zu dimensions",
                               BP_ARG(embed->server.url), found);
            embed->found_dimensions = (uint32_t)found;
        }
        if (!*vectors)
            *vectors = BP_NEW_ARRAY(call, float, count * embed->found_dimensions);
        if (!*vectors)
            return BP_NO_MEMORY;
        BP_TRY(take_vector(call, embed, numbers, found, embed->found_dimensions,
                           *vectors + at * embed->found_dimensions));
    }
    return BP_OK;
}

static bp_status embed_some(bp_call *call, struct embed_instance *embed, uint32_t purpose,
                            const bp_str *texts, size_t count, float **vectors, uint64_t *tokens)
{
    bp_str prefix = purpose == BP_EMBED_QUERY ? embed->query_prefix : embed->passage_prefix, body;
    bool  *is_taken = BP_NEW_ARRAY(call, bool, count);
    const bp_json *root;
    int64_t        used;

    *vectors = NULL;
    if (!is_taken)
        return BP_NO_MEMORY;
    BP_TRY(body_of(call, embed, prefix, texts, count, &body));
    BP_TRY(post(call, embed, body, &root));
    BP_TRY(take_all(call, embed, root, count, vectors, is_taken));
    used = bp_json_integer(bp_json_get(bp_json_get(root, "usage"), "total_tokens"));
    if (used > 0)
        *tokens += (uint64_t)used;
    return BP_OK;
}

/* ---- the operations ---- */

/* Text Embeddings Inference takes 32 texts at once unless told otherwise, clouds 10 to 2,048; each
 * says so in its own way: "batch size 64 > maximum allowed batch size 32", "batch size is invalid,
 * it should not be larger than 10", or just 413. */
static bool is_about_batch(bp_call *call)
{
    const bp_error *error = bp_error_of(call);

    return error->upstream_status == 413 ||
           (error->upstream_status >= 400 && error->upstream_status < 500 && error->message.len &&
            strcasestr(error->message.data, "batch"));
}

static bp_status openai_embed(bp_call *call, void *instance, const bp_embed_request *request,
                              bp_embeddings *embeddings)
{
    struct embed_instance *embed = instance;
    float                 *all = NULL;
    uint64_t               tokens = 0;
    size_t                 at = 0;

    if (request->count == 0)
        return bp_fail(call, BP_INVALID, "there is no text to embed");
    while (at < request->count) {
        size_t    batch = embed->batch_taken ? embed->batch_taken : (size_t)embed->batch;
        size_t    count = request->count - at < batch ? request->count - at : batch;
        float    *vectors;
        bp_status status = embed_some(call, embed, request->purpose, request->texts + at, count,
                                      &vectors, &tokens);

        if (status != BP_OK && count > 1 && is_about_batch(call)) {
            embed->batch_taken = count / 2;
            bp_log(call, BP_LOG_INFO,
                   BP_FMT " does not take %zu texts at once: from now on %zu are sent; set batch",
                   BP_ARG(embed->server.url), count, embed->batch_taken);
            bp_clear_error(call);
            continue;
        }
        BP_TRY(status);
        if (count == request->count) {
            all = vectors;
            break;
        }
        if (!all)
            all = BP_NEW_ARRAY(call, float, request->count * embed->found_dimensions);
        if (!all)
            return BP_NO_MEMORY;
        memcpy(all + at * embed->found_dimensions, vectors,
               count * embed->found_dimensions * sizeof(float));
        at += count;
    }
    embeddings->dimensions = embed->found_dimensions;
    embeddings->vectors = all;
    embeddings->count = request->count;
    embeddings->tokens = tokens;
    return BP_OK;
}

/* Prefixes change the vectors, so they are part of the model's id. */
static bp_str id_of(bp_call *call, const struct embed_instance *embed)
{
    uint8_t digest[32];
    bp_str  both;

    if (!embed->query_prefix.len && !embed->passage_prefix.len)
        return bp_format(call, BP_FMT "/%u", BP_ARG(embed->model), embed->found_dimensions);
    both = bp_format(call, BP_FMT "\n" BP_FMT, BP_ARG(embed->query_prefix),
                     BP_ARG(embed->passage_prefix));
    bp_sha256(both, digest);
    return bp_format(call, BP_FMT "/%u/%02x%02x%02x%02x", BP_ARG(embed->model),
                     embed->found_dimensions, digest[0], digest[1], digest[2], digest[3]);
}

static bp_status openai_info(bp_call *call, void *instance, bp_embed_info *info)
{
    struct embed_instance *embed = instance;

    if (!embed->found_dimensions) {
        static const bp_str probe = { "dimensions", 10 };
        float              *vector;
        uint64_t            tokens = 0;

        BP_TRY(embed_some(call, embed, BP_EMBED_QUERY, &probe, 1, &vector, &tokens));
    }
    info->dimensions = embed->found_dimensions;
    info->max_tokens = (uint32_t)embed->max_tokens;
    info->max_batch = (uint32_t)embed->batch;
    info->model = id_of(call, embed);
    info->is_lexical = false;
    info->is_normalised = true;
    return BP_OK;
}

/* ---- the plugin ---- */

static bp_status check_options(bp_call *call, const void *given)
{
    const struct embed_instance *embed = given;

    if (embed->shorten && embed->dimensions == 0)
        return bp_fail(call, BP_INVALID,
                       "shorten: say with dimensions how long the vectors should be");
    return BP_OK;
}

static bp_status start(bp_call *call, void *instance, void *shared)
{
    struct embed_instance *embed = instance;

    (void)call;
    (void)shared;
    embed->found_dimensions = (uint32_t)embed->dimensions;
    return BP_OK;
}

#define SERVER(type, field, name_, ...)                                                            \
    BP_OPTION_OF(type, struct embed_instance, server.field, name_, __VA_ARGS__)

static const bp_option options[] = {
    SERVER(BP_OPTION_TYPE_URL, url, "url", .is_required = true,
           .example = "http://127.0.0.1:11434/v1",
           .help = "the server, up to and with /v1; /embeddings is added"),
    SERVER(BP_OPTION_TYPE_SECRET, api_key, "api_key",
           .help = "sent as Authorization: Bearer KEY; empty: no such header"),
    SERVER(BP_OPTION_TYPE_PATH, ca, "ca", .choices = BP_PATH_PEM,
           .example = "/etc/ssl/gateway-ca.pem",
           .help = "certificates to trust for https://, in PEM; unset: those that this machine "
                   "trusts"),
    SERVER(BP_OPTION_TYPE_MAP, headers, "headers",
           .help = "more headers for every request, by name"),
    BP_OPTION_STRING(struct embed_instance, model, .is_required = true,
                     .example = "nomic-embed-text", .help = "the model to ask for"),
    BP_OPTION_INT(struct embed_instance, dimensions, .initial = "0", .minimum = "0",
                  .maximum = "65536",
                  .help = "length of the model's vectors; 0: learnt from the first request"),
    BP_OPTION_BOOL(struct embed_instance, shorten, .initial = "false",
                   .help = "ask the model to shorten its vectors to `dimensions`; not every model "
                           "can"),
    BP_OPTION_INT(struct embed_instance, batch, .initial = "64", .minimum = "1", .maximum = "2048",
                  .help = "texts in one request; fewer if the server refuses that many"),
    BP_OPTION_ENUM(struct embed_instance, encoding, .initial = "float", .choices = "float|base64",
                   .help = "format of vectors; base64 has a third of the bytes, if the server "
                           "supports it"),
    BP_OPTION_INT(struct embed_instance, max_tokens, .initial = "0", .minimum = "0",
                  .maximum = "1000000",
                  .help = "tokens of a text that the model looks at; 0: not known"),
    BP_OPTION_STRING(struct embed_instance, query_prefix, .example = "search_query: ",
                     .help = "put before each question, for models that need it"),
    BP_OPTION_STRING(struct embed_instance, passage_prefix, .example = "search_document: ",
                     .help = "put before each passage, for models that need it"),
    BP_OPTION_DURATION(struct embed_instance, timeout, .initial = "30s", .minimum = "10ms",
                       .maximum = "10m", .help = "longest wait for the beginning of an answer"),
};

static const bp_life life = { .struct_size = sizeof(bp_life),
                              .check = check_options,
                              .worker_start = start };

static const bp_embed_ops ops = { .struct_size = sizeof(bp_embed_ops),
                                  .info = openai_info,
                                  .embed = openai_embed };

BP_PLUGIN(embed, "openai", "1.0.0",
          .summary = "embeddings of any server that speaks OpenAI's API: Ollama, Jan, "
                     "llama-server, vLLM, OpenAI",
          .license = "Apache-2.0", .instance_size = sizeof(struct embed_instance),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
