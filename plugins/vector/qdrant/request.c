/* request.c - one request to the server, and the meaning of its answer. */
#define _GNU_SOURCE
#include "qdrant.h"

enum { INLINE_BYTES = 32 << 10 };

bp_str qdrant_path(bp_call *call, const struct qdrant *db, bp_str collection, const char *behind)
{
    return bp_format(call, "/collections/" BP_FMT BP_FMT "%s", BP_ARG(db->prefix),
                     BP_ARG(collection), behind);
}

bp_status qdrant_request(bp_call *call, const struct qdrant *db, const char *method, bp_str path,
                         bp_str body, bp_http_request *request)
{
    bp_http_header *headers = BP_NEW_ARRAY(call, bp_http_header, 2);
    bool     is_reading = strcmp(method, "POST") == 0; // points come back; the others say little
    uint32_t count = 0;

    if (!headers)
        return BP_NO_MEMORY;
    if (body.len)
        headers[count++] = (bp_http_header){ BP_STR("Content-Type"), BP_STR("application/json") };
    if (db->api_key.len)
        headers[count++] = (bp_http_header){ BP_STR("api-key"), db->api_key };
    *request = (bp_http_request){ .struct_size = sizeof(*request),
                                  .method = bp_str_of(method),
                                  .headers = headers,
                                  .header_count = count,
                                  .body = body,
                                  .first_byte_timeout_ns = db->timeout_ns,
                                  .max_response_bytes = is_reading ? ANSWER_MAX_BYTES
                                                                   : SHORT_ANSWER_MAX_BYTES,
                                  .ca_file = db->ca };
    request->url = bp_format(call, BP_FMT BP_FMT, BP_ARG(db->url), BP_ARG(path));
    return request->url.len ? BP_OK : BP_NO_MEMORY;
}

static bp_status status_of(int32_t http_status, bp_str message)
{
    switch (http_status) {
    case 401:
    case 403:
        return BP_DENIED;
    case 404:
        return BP_NOT_FOUND;
    case 409:
        return BP_CONFLICT;
    case 413:
        return BP_TOO_LARGE;
    case 429:
        return BP_LIMIT;
    case 507:
        return BP_FULL;
    case 500: // a full disk comes as a panic of its storage
        return message.len && strstr(message.data, "No space left") ? BP_FULL : BP_UPSTREAM;
    case 408:
    case 502:
    case 503:
    case 504:
        return BP_UNAVAILABLE;
    default:
        return http_status >= 400 && http_status < 500 ? BP_INVALID : BP_UPSTREAM;
    }
}

/* Requests were compared with the collection's own description (point 0). When the server finds
 * that vectors have another size, or no such name, it has another collection there than Backplane
 * made: no fault of the caller's. */
static bool is_another_collection(int32_t http_status, bp_str message)
{
    return (http_status == 400 || http_status == 422) && message.len &&
           (strcasestr(message.data, "dimension error") ||
            strcasestr(message.data, "vector name error"));
}

bp_status qdrant_fail(bp_call *call, const struct qdrant *db, bp_str path,
                      const bp_http_response *response)
{
    const bp_json *root = NULL;
    bp_str         message;
    bp_status      status;

    if (bp_json_parse(call, response->body, &root) != BP_OK)
        root = NULL; // a page of a proxy
    message = bp_dup(call, bp_json_string(bp_json_get(bp_json_get(root, "status"), "error")));
    if (message.len > 400)
        message.len = 400;
    status = is_another_collection(response->status, message)
                 ? BP_UPSTREAM
                 : status_of(response->status, message);
    if (is_another_collection(response->status, message))
        bp_fail(call, status,
                BP_FMT BP_FMT
                " answered %d: " BP_FMT
                ". The collection on the server has other vectors than the embedder of this conf "
                "makes, and than it had when Backplane made it: somebody replaced it. Look at it "
                "there; then drop it and put the documents in again, restore a snapshot of it, or "
                "let `prefix` lead to another one",
                BP_ARG(db->url), BP_ARG(path), response->status, BP_ARG(message));
    else if (status == BP_DENIED)
        bp_fail(call, status,
                BP_FMT " answered %d: it does not take the api_key, or the key may not do this",
                BP_ARG(db->url), response->status);
    else
        bp_fail(call, status, BP_FMT BP_FMT " answered %d: " BP_FMT, BP_ARG(db->url), BP_ARG(path),
                response->status, BP_ARG(message.len ? message : BP_STR("without a word")));
    bp_fail_detail(call, response->retry_after_ns, 0, response->status);
    return status;
}

struct reading {
    bp_str         text;
    const bp_json *root;
};

static bp_status parse_job(bp_call *call, void *arg)
{
    struct reading *reading = arg;

    return bp_json_parse(call, reading->text, &reading->root);
}

/* A large answer takes longer than a millisecond to read: on a pool thread. */
static bp_status parse(bp_call *call, bp_str text, const bp_json **root)
{
    struct reading reading = { text, NULL };
    bp_status      status = text.len > INLINE_BYTES ? bp_offload(call, NULL, parse_job, &reading)
                                                    : parse_job(call, &reading);

    *root = reading.root;
    return status;
}

bp_status qdrant_ask(bp_call *call, const struct qdrant *db, const char *method, bp_str path,
                     bp_str body, int32_t allowed, const bp_json **result)
{
    bp_http_request  request;
    bp_http_response response;
    const bp_json   *root;
    bp_status        status;

    *result = NULL;
    BP_TRY(qdrant_request(call, db, method, path, body, &request));
    BP_TRY(bp_http_fetch(call, &request, &response));
    if (allowed && response.status == allowed)
        return BP_OK;
    if (response.status < 200 || response.status > 299)
        return qdrant_fail(call, db, path, &response);
    status = parse(call, response.body, &root);
    if (status == BP_CANCELLED || status == BP_DEADLINE || status == BP_NO_MEMORY)
        return status;
    if (status != BP_OK || !bp_json_get(root, "result"))
        return bp_fail(call, BP_UPSTREAM,
                       BP_FMT BP_FMT
                       " answered %d with an answer that is not from Qdrant: check the url",
                       BP_ARG(db->url), BP_ARG(path), response.status);
    *result = bp_json_get(root, "result");
    return BP_OK;
}
