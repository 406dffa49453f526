/* web.c - the service behind app.h: how a handler reads a request and answers it. */
#include "api/web.h"

#include <stdio.h>

#include "api/command_run.h"
#include "base/clock.h"
#include "base/json.h"
#include "net/url.h"
#include "plugin/services.h"

/* ---- the request ---- */

static bp_str web_method(const bp_request *request)
{
    return request->exchange->method;
}

static bp_str web_path(const bp_request *request)
{
    size_t before = request->match.route ? request->match.route->prefix_bytes : 0;
    bp_str path = request->exchange->path;

    return bp_str_n(path.data + before, path.len - before);
}

static bp_str web_header(const bp_request *request, const char *name)
{
    char   lower[64];
    size_t len = strlen(name);

    if (len >= sizeof(lower))
        return (bp_str){ "", 0 };
    for (size_t i = 0; i <= len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    return http_exchange_header(request->exchange, lower);
}

static bp_str web_path_value(const bp_request *request, const char *name)
{
    for (size_t i = 0; i < request->match.value_count; i++) {
        bp_str raw = request->match.values[i].value;
        char  *text;

        if (!bp_str_is(request->match.values[i].name, name))
            continue;
        text = arena_alloc(request->exchange->call->arena, raw.len + 1);
        if (!text)
            return (bp_str){ "", 0 };
        return (bp_str){ text, url_decode_segment(raw, text) };
    }
    return (bp_str){ "", 0 };
}

static bool web_query_value(const bp_request *request, const char *name, bp_str *value)
{
    bp_str rest = request->exchange->query, raw_name, raw_value;

    *value = (bp_str){ "", 0 };
    while (url_query_next(&rest, &raw_name, &raw_value)) {
        char *text;

        if (!url_query_name_is(raw_name, bp_str_of(name)))
            continue;
        text = arena_alloc(request->exchange->call->arena, raw_value.len + 1);
        if (text)
            *value = (bp_str){ text, url_query_decode(raw_value, text) };
        return text != NULL;
    }
    return false;
}

static int64_t web_body_length(const bp_request *request)
{
    return request->exchange->content_length;
}

struct read_args {
    struct http_exchange *exchange;
    bp_str               *bytes;
};

static bp_status do_body(bp_call *call, void *arg)
{
    struct read_args *args = arg;

    (void)call;
    return http_exchange_read_all(args->exchange, args->bytes);
}

static bp_status web_body(bp_call *call, bp_request *request, bp_str *bytes)
{
    return service_on_fiber(call, do_body, &(struct read_args){ request->exchange, bytes });
}

static bp_status do_read(bp_call *call, void *arg)
{
    struct read_args *args = arg;

    (void)call;
    return http_exchange_read(args->exchange, args->bytes);
}

static bp_status web_body_read(bp_call *call, bp_request *request, bp_str *piece)
{
    return service_on_fiber(call, do_read, &(struct read_args){ request->exchange, piece });
}

/* ---- the response ---- */

static bp_status web_set_header(bp_response *response, const char *name, bp_str value)
{
    return http_exchange_add_header(response->exchange, bp_str_of(name), value);
}

struct send_args {
    bp_response *response;
    int32_t      status;
    const char  *text; /* content type, or the event's name */
    bp_str       bytes;
};

static bp_status do_send(bp_call *call, void *arg)
{
    struct send_args *args = arg;

    (void)call;
    return http_exchange_send(args->response->exchange, args->status, bp_str_of(args->text),
                              args->bytes);
}

static bp_status web_send(bp_call *call, bp_response *response, int32_t status,
                          const char *content_type, bp_str body)
{
    return service_on_fiber(call, do_send,
                            &(struct send_args){ response, status, content_type, body });
}

static bp_status do_stream(bp_call *call, void *arg)
{
    struct send_args *args = arg;

    (void)call;
    return http_exchange_begin(args->response->exchange, args->status, bp_str_of(args->text), -1);
}

static bp_status web_stream(bp_call *call, bp_response *response, int32_t status,
                            const char *content_type)
{
    return service_on_fiber(call, do_stream,
                            &(struct send_args){ response, status, content_type, { NULL, 0 } });
}

static bp_status do_write(bp_call *call, void *arg)
{
    struct send_args *args = arg;

    (void)call;
    return http_exchange_write(args->response->exchange, args->bytes);
}

static bp_status web_write(bp_call *call, bp_response *response, bp_str bytes)
{
    return service_on_fiber(call, do_write,
                            &(struct send_args){ .response = response, .bytes = bytes });
}

static bp_status do_event(bp_call *call, void *arg)
{
    struct send_args *args = arg;

    (void)call;
    args->response->is_event_stream = true;
    return http_exchange_sse(args->response->exchange, bp_str_of(args->text), (bp_str){ NULL, 0 },
                             args->bytes);
}

static bp_status web_sse_event(bp_call *call, bp_response *response, const char *event, bp_str data)
{
    return service_on_fiber(call, do_event,
                            &(struct send_args){
                                .response = response, .text = event, .bytes = data });
}

static const bp_web_service web_service = {
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

const struct host_service web_service_entry = { "web", 1, sizeof(web_service), &web_service };

/* ---- failing ---- */

static bp_str error_json(bp_call *call, bp_status status)
{
    struct bp_buf  buf;
    bp_json_writer w;
    bool           is_whole;
    bp_str         message = call_sentence_for_client(call, status, &is_whole);

    buf_init(&buf, call->arena, 16384);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("error"));
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "code", bp_status_label(status));
    json_put_string(&w, "message", message);
    json_put_text(&w, "request_id", call->request_id);
    json_end(&w);
    json_end(&w);
    return buf_str(&buf);
}

/* An event says that it failed, so the stream may end as streams do; nothing else can say it but a
 * missing end. Those of MCP are streams of messages and know no such event: a client sees that its
 * answer is not among them. False: nothing could say it. */
static bool say_failure(bp_call *call, bp_response *response, bp_status status)
{
    bool is_whole;

    if (response->run)
        return command_run_say_end(call, response->run, status,
                                   call_sentence_for_client(call, status, &is_whole)) == BP_OK;
    if (!http_exchange_is_event_stream(response->exchange))
        return false;
    return !response->is_event_stream ||
           http_exchange_sse(response->exchange, BP_STR("error"), (bp_str){ NULL, 0 },
                             error_json(call, status)) == BP_OK;
}

bp_status web_fail(bp_call *call, bp_response *response, bp_status status)
{
    struct http_exchange *exchange = response->exchange;
    int32_t               http_status;
    bool                  is_whole;

    // A client that is still there was not the one who gave up: the server was, as it has to end.
    if (call_over(call) == BP_CANCELLED && !http_exchange_is_gone(exchange))
        status = call_fail(call, BP_UNAVAILABLE,
                           "the server is stopping and gave this request up: send it again");
    http_status = bp_status_http(status);
    call_sentence_for_client(call, status, &is_whole);
    if (http_status >= 500 || !is_whole)
        call_log(call, BP_LOG_ERROR, BP_STR("request_failed"), call->error.message,
                 (bp_field[]){ bp_field_str("error_type", bp_str_of(bp_status_label(status))),
                               bp_field_str("failed_plugin", call->error.plugin),
                               bp_field_str("failed_op", call->error.op) },
                 sizeof(bp_field), 3);
    if (http_exchange_is_gone(exchange))
        return status; // nobody is there to read it
    // The deadline is over, or all of it, but saying so must still be possible.
    call->shield_until_ns = clock_now_ns() + BP_SECONDS(1);
    if (exchange->status) {
        if (!say_failure(call, response, status))
            http_exchange_abort(exchange);
        call->shield_until_ns = 0;
        return status;
    }
    if (status == BP_LIMIT || status == BP_UNAVAILABLE || call->error.retry_after_ns) {
        int64_t seconds = call->error.retry_after_ns / 1000000000 + 1;
        char    text[24];

        http_exchange_add_header(exchange, BP_STR("Retry-After"),
                                 (bp_str){ text, (size_t)snprintf(text, sizeof(text), "%lld",
                                                                  (long long)seconds) });
    }
    http_exchange_send(exchange, http_status, BP_STR("application/json"), error_json(call, status));
    call->shield_until_ns = 0;
    return status;
}
