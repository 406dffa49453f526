/* web.c - faked: the client of an app and the connection it comes by. Finds the route, runs its
 * handler, keeps its output. Escapes and queries are read by the host's own code
 * (core/net/url.c).
 */
#include "host.h"

#include <stdlib.h>
#include <strings.h>

#include "net/url.h"

struct pair {
    bp_str name, value;
};

struct bp_request {
    bp_call     *call;
    bp_str       method, path;
    struct pair *headers, *path_values;
    size_t       header_count, path_value_count;
    bp_str       query, body;
    int64_t      body_max_bytes;
    size_t       read;
};

struct bp_response {
    bp_call    *call;
    int32_t     status;
    const char *content_type;
    bp_buf     *headers, *body;
    bool        is_stream;
};

/* ---- taking a request apart ---- */

static bp_str decode_segment(bp_call *call, bp_str raw)
{
    char *text = bp_alloc(call, raw.len + 1);

    return text ? bp_str_n(text, url_decode_segment(raw, text)) : BP_STR("");
}

/* The text up to `stop`, which is skipped. */
static bp_str take(bp_str *rest, char stop)
{
    const char *at = rest->len ? memchr(rest->data, stop, rest->len) : NULL;
    bp_str      piece = at ? bp_str_n(rest->data, (size_t)(at - rest->data)) : *rest;

    *rest = at ? bp_str_n(at + 1, rest->len - piece.len - 1) : bp_str_n("", 0);
    return piece;
}

static void read_headers(bp_call *call, bp_request *request, bp_str lines)
{
    request->headers = BP_NEW_ARRAY(call, struct pair, lines.len / 3 + 1);
    while (lines.len) {
        bp_str line = take(&lines, '\n');
        bp_str name = take(&line, ':');
        while (line.len && line.data[0] == ' ')
            line = bp_str_n(line.data + 1, line.len - 1);
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        if (name.len && line.data)
            request->headers[request->header_count++] = (struct pair){ bp_dup(call, name),
                                                                       bp_dup(call, line) };
    }
}

/* Whether a route's pattern fits the path; {name} parts are kept. */
static bool match(bp_call *call, bp_request *request, bp_str pattern, bp_str path)
{
    request->path_value_count = 0;
    request->path_values = BP_NEW_ARRAY(call, struct pair, pattern.len + 1);
    while (pattern.len || path.len) {
        bp_str whole = path;
        bp_str want = take(&pattern, '/'), have = take(&path, '/');
        if (want.len > 2 && want.data[0] == '{' && want.data[want.len - 1] == '}') {
            bool   is_rest = want.len > 5 && memcmp(want.data + want.len - 4, "...", 3) == 0;
            bp_str name = bp_str_n(want.data + 1, want.len - (is_rest ? 5 : 2));
            bp_str value = is_rest ? whole : have;
            if (!value.len)
                return false;
            request->path_values[request->path_value_count++] = (struct pair){
                name, decode_segment(call, value)
            };
            if (is_rest)
                return true;
        } else if (!bp_str_equal(want, have)) {
            return false;
        }
    }
    return true;
}

/* ---- the service ---- */

static bp_str web_method(const bp_request *request)
{
    return request->method;
}
static bp_str web_path(const bp_request *request)
{
    return request->path;
}

static bp_str web_header(const bp_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.len == strlen(name) &&
            strncasecmp(request->headers[i].name.data, name, strlen(name)) == 0)
            return request->headers[i].value;
    return BP_STR("");
}

static bp_str web_path_value(const bp_request *request, const char *name)
{
    for (size_t i = 0; i < request->path_value_count; i++)
        if (bp_str_is(request->path_values[i].name, name))
            return request->path_values[i].value;
    return BP_STR("");
}

static bool web_query_value(const bp_request *request, const char *name, bp_str *value)
{
    bp_str rest = request->query, raw_name, raw_value;

    *value = BP_STR("");
    while (url_query_next(&rest, &raw_name, &raw_value)) {
        char *text;

        if (!url_query_name_is(raw_name, bp_str_of(name)))
            continue;
        text = bp_alloc(request->call, raw_value.len + 1);
        if (text)
            *value = bp_str_n(text, url_query_decode(raw_value, text));
        return text != NULL;
    }
    return false;
}

static int64_t web_body_length(const bp_request *request)
{
    return (int64_t)request->body.len;
}

static bp_status web_body(bp_call *call, bp_request *request, bp_str *bytes)
{
    BP_TRY(call_check(call));
    if (request->body_max_bytes && request->body.len > (size_t)request->body_max_bytes)
        return bp_fail(call, BP_TOO_LARGE, "the body is larger than %lld bytes",
                       (long long)request->body_max_bytes);
    *bytes = request->body;
    return BP_OK;
}

static bp_status web_body_read(bp_call *call, bp_request *request, bp_str *piece)
{
    size_t left = request->body.len - request->read;
    size_t len = left < call->host->piece_size ? left : call->host->piece_size;

    BP_TRY(call_check(call));
    *piece = bp_str_n(request->body.data + request->read, len);
    request->read += len;
    return BP_OK;
}

static bp_status web_set_header(bp_response *response, const char *name, bp_str value)
{
    if (response->status || !name[0] || strpbrk(name, " :\r\n") ||
        (value.len && memchr(value.data, '\n', value.len)))
        return bp_fail(response->call, BP_INVALID,
                       "the header %s cannot be set: it is malformed or too late", name);
    bp_buf_addf(response->headers, "%s: ", name);
    bp_buf_add(response->headers, value);
    bp_buf_add(response->headers, BP_STR("\r\n"));
    return BP_OK;
}

static bp_status begin(bp_call *call, bp_response *response, int32_t status,
                       const char *content_type, bool is_stream)
{
    BP_TRY(call_check(call));
    if (response->status)
        return bp_fail(call, BP_INTERNAL, "the handler has answered already");
    response->status = status;
    response->content_type = content_type ? content_type : "";
    response->is_stream = is_stream;
    return BP_OK;
}

static bp_status web_send(bp_call *call, bp_response *response, int32_t status,
                          const char *content_type, bp_str body)
{
    BP_TRY(begin(call, response, status, content_type, false));
    bp_buf_add(response->body, body);
    return bp_buf_status(response->body);
}

static bp_status web_stream(bp_call *call, bp_response *response, int32_t status,
                            const char *content_type)
{
    return begin(call, response, status, content_type, true);
}

static bp_status web_write(bp_call *call, bp_response *response, bp_str bytes)
{
    BP_TRY(call_check(call));
    if (!response->is_stream)
        return bp_fail(call, BP_INTERNAL, "bp_response_write() needs bp_response_stream() first");
    bp_buf_add(response->body, bytes);
    return bp_buf_status(response->body);
}

static bp_status web_sse_event(bp_call *call, bp_response *response, const char *event, bp_str data)
{
    if (!response->status)
        BP_TRY(begin(call, response, 200, "text/event-stream", true));
    BP_TRY(call_check(call));
    if (event)
        bp_buf_addf(response->body, "event: %s\n", event);
    do {
        bp_buf_add(response->body, BP_STR("data: "));
        bp_buf_add(response->body, take(&data, '\n'));
        bp_buf_add(response->body, BP_STR("\n"));
    } while (data.len);
    bp_buf_add(response->body, BP_STR("\n"));
    return bp_buf_status(response->body);
}

const bp_web_service web_service = {
    .struct_size = sizeof(bp_web_service),
    .method = web_method,
    .path = web_path,
    .header = web_header,
    .path_value = web_path_value,
    .query_value = web_query_value,
    .body_length = web_body_length,
    .body = web_body,
    .body_read = web_body_read,
    .set_header = web_set_header,
    .send = web_send,
    .stream = web_stream,
    .write = web_write,
    .sse_event = web_sse_event,
};

testhost_reply testhost_request_app(bp_call *call, testhost_instance *app, const char *method,
                                    const char *target, const char *headers, bp_str body)
{
    const bp_app_ops *ops = testhost_ops(app);
    size_t            max_bytes = call->max_bytes; // of the handler, not of what the host needs
    bp_request       *request;
    bp_response      *response;
    bp_str            query, path;
    const bp_route   *route = NULL;
    testhost_reply    reply = { .status = BP_NOT_FOUND };

    call->instance = app;
    call->max_bytes = SIZE_MAX;
    request = BP_NEW(call, bp_request);
    response = BP_NEW(call, bp_response);
    query = bp_dup(call, bp_str_of(target));
    path = take(&query, '?');
    *request = (bp_request){ .call = call,
                             .method = bp_str_of(method),
                             .path = decode_segment(call, path),
                             .query = query,
                             .body = body };
    *response = (bp_response){ .call = call,
                               .headers = bp_buf_new(call, 1 << 16),
                               .body = bp_buf_new(call, 1 << 26) };
    read_headers(call, request, bp_str_of(headers ? headers : ""));
    for (size_t i = 0; i < ops->route_count && !route; i++) {
        const bp_route *at = (const bp_route *)(const void *)((const char *)ops->routes +
                                                              i * ops->route_size);
        if (strcmp(at->method, method) == 0 && match(call, request, bp_str_of(at->path), path))
            route = at;
    }
    call->max_bytes = max_bytes;
    if (!route)
        return reply;
    request->body_max_bytes = route->body_max_bytes;
    reply.status = route->handler(call, testhost_self(app), request, response);
    reply.http_status = response->status;
    reply.content_type = response->content_type ? response->content_type : "";
    reply.headers = bp_buf_str(response->headers).data;
    reply.body = bp_buf_str(response->body);
    reply.is_stream = response->is_stream;
    return reply;
}
