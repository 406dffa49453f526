/* openai.c - requests to OpenAI-compatible servers, and the meaning of their errors. */
#define _GNU_SOURCE // strcasestr()
#include "openai.h"

enum { MESSAGE_MAX_BYTES = 400 };

bp_status openai_request(bp_call *call, const struct openai_server *server, const char *path,
                         bp_str body, bp_http_request *request)
{
    bp_http_header *headers = BP_NEW_ARRAY(call, bp_http_header, server->headers.count + 3);
    bp_str          base = server->url;
    uint32_t        count = 0;

    if (!headers)
        return BP_NO_MEMORY;
    while (base.len && base.data[base.len - 1] == '/')
        base.len--;
    if (body.len)
        headers[count++] = (bp_http_header){ BP_STR("Content-Type"), BP_STR("application/json") };
    if (server->api_key.len)
        headers[count++] = (bp_http_header){
            BP_STR("Authorization"), bp_format(call, "Bearer " BP_FMT, BP_ARG(server->api_key))
        };
    for (size_t i = 0; i < server->headers.count; i++)
        headers[count++] = (bp_http_header){ server->headers.items[i].name,
                                             server->headers.items[i].value };
    *request = (bp_http_request){ .struct_size = sizeof(*request),
                                  .headers = headers,
                                  .header_count = count,
                                  .body = body,
                                  .ca_file = server->ca };
    request->url = bp_format(call, BP_FMT "%s", BP_ARG(base), path);
    return request->url.len ? BP_OK : BP_NO_MEMORY;
}

/* {"error":{"message":...}}, {"error":"..."}, {"message":...}, {"detail":...}: each server has its
 * own. */
static bp_str message_of(const bp_json *error)
{
    static const char *const keys[] = { "message", "detail", "error" };
    bp_str                   text = bp_json_string(error);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !text.len; i++)
        text = bp_json_string(bp_json_get(error, keys[i]));
    if (text.len > MESSAGE_MAX_BYTES) {
        text.len = MESSAGE_MAX_BYTES;
        while (text.len && ((unsigned char)text.data[text.len] & 0xc0) == 0x80)
            text.len--; // not in the middle of a letter
    }
    return text;
}

static bool is_about_context(bp_call *call, const bp_json *error, bp_str message)
{
    static const char *const phrases[] = { "context length",         "context size",
                                           "context window",         "maximum context",
                                           "too many tokens",        "prompt is too long",
                                           "context_length_exceeded" };
    bp_str                   text = bp_format(call, BP_FMT " " BP_FMT, BP_ARG(message),
                                              BP_ARG(bp_json_string(bp_json_get(error, "code"))));

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (text.len && strcasestr(text.data, phrases[i]))
            return true;
    return false;
}

static bp_status status_of(int32_t http_status)
{
    switch (http_status) {
    case 401:
    case 403:
        return BP_DENIED;
    case 413:
        return BP_TOO_LARGE;
    case 429:
        return BP_LIMIT;
    case 408:
    case 503:
    case 529:
        return BP_UNAVAILABLE;
    default:
        return http_status >= 400 && http_status < 500 ? BP_INVALID : BP_UPSTREAM;
    }
}

static bp_status fail(bp_call *call, const struct openai_server *server, int32_t http_status,
                      int64_t retry_after_ns, const bp_json *error)
{
    bp_str    message = message_of(error);
    bp_status status = status_of(http_status);

    if (status == BP_INVALID && is_about_context(call, error, message))
        status = BP_TOO_LARGE;
    // A server may repeat a key that it does not know, so that its words are not for the log.
    if (status == BP_DENIED)
        bp_fail(call, status,
                BP_FMT " answered %d: it does not take the api_key, or the key may not do this",
                BP_ARG(server->url), http_status);
    else if (message.len)
        bp_fail(call, status, BP_FMT " answered %d: " BP_FMT, BP_ARG(server->url), http_status,
                BP_ARG(message));
    else
        bp_fail(call, status, BP_FMT " answered %d", BP_ARG(server->url), http_status);
    if (message.len && (status == BP_INVALID ||
                        status == BP_TOO_LARGE)) // about the request, which the client may mend
        bp_fail_for_client(call, bp_format(call, "the model provider answered %d: " BP_FMT,
                                           http_status, BP_ARG(message)));
    bp_fail_detail(call, retry_after_ns, 0, http_status);
    return status;
}

bp_status openai_fail(bp_call *call, const struct openai_server *server, int32_t http_status,
                      int64_t retry_after_ns, bp_str body)
{
    const bp_json *root = NULL, *error;

    if (bp_json_parse(call, body, &root) != BP_OK)
        root = NULL; // an error page of a proxy: its status has to do
    error = bp_json_get(root, "error");
    return fail(call, server, http_status, retry_after_ns, error ? error : root);
}

bp_status openai_fail_object(bp_call *call, const struct openai_server *server,
                             const bp_json *error)
{
    int64_t code = bp_json_integer(bp_json_get(error, "code"));
    bp_str  type = bp_json_string(bp_json_get(error, "type"));

    if (code < 400 || code > 599) {
        code = 502;
        if (bp_str_is(type, "rate_limit_error") || bp_str_is(type, "rate_limit_exceeded"))
            code = 429;
        else if (bp_str_is(type, "invalid_request_error"))
            code = 400;
        else if (bp_str_is(type, "overloaded_error"))
            code = 503;
    }
    return fail(call, server, (int32_t)code, 0, error);
}

bool openai_decode_base64(bp_str text, void *bytes, size_t max, size_t *count)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
                                  "/";
    uint8_t          *out = bytes;
    uint32_t          bits = 0, held = 0;

    *count = 0;
    if (text.len % 4 == 0)
        for (int i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++)
            text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const char *found = text.data[i] ? strchr(letters, text.data[i]) : NULL;

        if (!found)
            return false;
        bits = bits << 6 | (uint32_t)(found - letters);
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (*count == max)
            return false;
        out[(*count)++] = (uint8_t)(bits >> held);
    }
    return text.len % 4 != 1;
}
