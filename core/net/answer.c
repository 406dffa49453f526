/* answer.c - the answer of one exchange: headers, a whole body, a stream, server-sent events. */
#include <stdio.h>
#include <stdlib.h>

#include "net/ascii.h"
#include "net/connection.h"

static struct exchange *exchange_of(struct http_exchange *exchange)
{
    return (struct exchange *)exchange;
}

/* libuv's own initialiser takes lengths of 32 bits only. */
static uv_buf_t buf_of(bp_str bytes)
{
    return (uv_buf_t){ .base = (char *)bytes.data, .len = bytes.len };
}

static bool is_framing_header(bp_str name)
{
    static const char *const names[] = { "content-length", "transfer-encoding", "connection",
                                         "date", "keep-alive" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (ascii_equal_lower(name.data, name.len, names[i], strlen(names[i])))
            return true;
    return false;
}

bp_status http_exchange_add_header(struct http_exchange *is, bp_str name, bp_str value)
{
    struct exchange *exchange = exchange_of(is);
    size_t           at = 0;

    if (is->status)
        return call_fail(is->call, BP_CONFLICT,
                         "the header \"" BP_FMT "\" comes after the answer has begun",
                         BP_ARG(name));
    while (at < name.len && ascii_is(name.data[at], ASCII_TOKEN))
        at++;
    if (name.len == 0 || at < name.len)
        return call_fail(is->call, BP_INVALID,
                         "a header's name has a byte that may not stand in it");
    if (is_framing_header(name))
        return call_fail(is->call, BP_INVALID, "the header \"" BP_FMT "\" is the server's own",
                         BP_ARG(name));
    if (ascii_has_control(value.data, value.len))
        return call_fail(is->call, BP_INVALID,
                         "the value of the header \"" BP_FMT "\" has a control byte", BP_ARG(name));
    if (exchange->headers.len + name.len + value.len + 4 > ANSWER_HEADERS_MAX_BYTES)
        return call_fail(is->call, BP_TOO_LARGE,
                         "the headers of the answer are larger than %d bytes",
                         ANSWER_HEADERS_MAX_BYTES);
    buf_add(&exchange->headers, name);
    buf_add(&exchange->headers, BP_STR(": "));
    buf_add(&exchange->headers, value);
    buf_add(&exchange->headers, BP_STR("\r\n"));
    return buf_status(&exchange->headers) == BP_OK
               ? BP_OK
               : call_fail(is->call, BP_NO_MEMORY, "there is no memory for a header");
}

/* A part of the answer may be out, so nothing else can follow it. */
static bp_status fail_write(struct exchange *exchange, bp_status status)
{
    exchange->is_aborted = true;
    return call_fail_over(exchange->is.call, status, "sending to the client");
}

static bp_status check_start(struct exchange *exchange, int32_t status, bp_str content_type)
{
    if (exchange->answer != ANSWER_NONE)
        return call_fail(exchange->is.call, BP_CONFLICT, "a second answer to one request");
    if (status < 200 || status > 599)
        return call_fail(exchange->is.call, BP_INVALID,
                         "an answer of status %d, which is not one of 200 to 599", status);
    if (ascii_has_control(content_type.data, content_type.len))
        return call_fail(exchange->is.call, BP_INVALID, "a content type with a control byte");
    return BP_OK;
}

static bp_status send_whole(struct exchange *exchange, int32_t status, bp_str content_type,
                            bp_str body)
{
    struct connection *connection = exchange->connection;
    char               room[HEADER_ROOM_BYTES];
    struct bp_buf      head;
    uv_buf_t           bufs[2];
    bp_status          result;

    exchange_skip_body(exchange);
    if (!exchange->is_body_done)
        exchange->closes = true;
    result = response_write_head(exchange, status, content_type, (int64_t)body.len, room, &head);
    if (result != BP_OK)
        return fail_write(exchange, result);
    exchange->is.status = status;
    exchange->answer = ANSWER_DONE;
    bufs[0] = buf_of(bp_str_n(head.data, head.len));
    bufs[1] = buf_of(bp_str_n(body.data, exchange->is_bodiless ? 0 : body.len));
    exchange->is.sent_bytes = bufs[1].len;
    exchange->is_writing = true;
    result = connection_write(connection, exchange->is.call, bufs, 2);
    exchange->is_writing = false;
    if (head.data != room)
        buf_free(&head);
    return result == BP_OK ? BP_OK : fail_write(exchange, result);
}

static bp_status send_error_text(struct exchange *exchange, int32_t status, const char *code,
                                 bp_str message)
{
    struct bp_buf body;

    buf_init(&body, exchange->is.call->arena, ANSWER_HEADERS_MAX_BYTES);
    response_error_body(&body, code, message);
    return send_whole(exchange, status, BP_STR("application/json"), buf_str(&body));
}

bp_status http_exchange_send(struct http_exchange *is, int32_t status, bp_str content_type,
                             bp_str body)
{
    struct exchange *exchange = exchange_of(is);

    BP_TRY(check_start(exchange, status, content_type));
    if (exchange->fault) {
        server_refusal(exchange->connection->server, exchange->fault);
        return send_error_text(exchange, exchange->fault, response_error_code(exchange->fault),
                               arena_format(is->call->arena, "the request body cannot be read: %s",
                                            exchange->fault_why));
    }
    return send_whole(exchange, status, content_type, body);
}

bp_status http_exchange_send_error(struct http_exchange *is, int32_t status, const char *code,
                                   bp_str message)
{
    struct exchange *exchange = exchange_of(is);

    if (exchange->answer != ANSWER_NONE || exchange->fault)
        return http_exchange_send(is, status, BP_STR(""), BP_STR(""));
    BP_TRY(check_start(exchange, status, BP_STR("")));
    return send_error_text(exchange, status, code, message);
}

bp_status http_exchange_begin(struct http_exchange *is, int32_t status, bp_str content_type,
                              int64_t length)
{
    struct exchange *exchange = exchange_of(is);
    char             room[HEADER_ROOM_BYTES];
    struct bp_buf    head;
    bp_status        result;

    BP_TRY(check_start(exchange, status, content_type));
    if (exchange->fault)
        return exchange_fail_fault(exchange);
    if (!exchange->is_body_done) // it may still be read, or not: too late to say so later
        exchange->closes = true;
    result = response_write_head(exchange, status, content_type, length, room, &head);
    if (result != BP_OK)
        return fail_write(exchange, result);
    if (head.data == room) {
        exchange->pending = malloc(head.len);
        if (!exchange->pending)
            return fail_write(exchange, BP_NO_MEMORY);
        memcpy(exchange->pending, head.data, head.len);
    } else {
        exchange->pending = head.data;
    }
    exchange->pending_len = head.len;
    exchange->length = length;
    is->status = status;
    exchange->answer = ANSWER_STREAMING;
    return BP_OK;
}

/* The head, if it is still here, and up to three pieces. */
static bp_status write_pieces(struct exchange *exchange, bp_call *call, const bp_str *pieces,
                              unsigned count)
{
    struct http_server *server = exchange->connection->server;
    uv_buf_t            bufs[4];
    unsigned            used = 0;
    bp_status           status;

    if (exchange->pending)
        bufs[used++] = buf_of(bp_str_n(exchange->pending, exchange->pending_len));
    for (unsigned i = 0; i < count; i++)
        bufs[used++] = buf_of(pieces[i]);
    exchange->is_writing = true;
    status = exchange->is_events ? connection_write_soon(exchange->connection, call, bufs, used)
                                 : connection_write(exchange->connection, call, bufs, used);
    exchange->is_writing = false;
    free(exchange->pending);
    exchange->pending = NULL;
    if (exchange->is_events)
        deadline_set(&exchange->beat_deadline, &server->beat_deadlines, server_now_ms(server));
    return status;
}

static bp_status write_content(struct exchange *exchange, bp_call *call, bp_str bytes)
{
    char   size[20];
    bp_str pieces[3] = { { size, 0 }, bytes, { "\r\n", 2 } };

    if (exchange->is_bodiless)
        return write_pieces(exchange, call, NULL, 0);
    exchange->is.sent_bytes += bytes.len;
    if (!exchange->is_chunked)
        return write_pieces(exchange, call, &bytes, 1);
    pieces[0].len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
    return write_pieces(exchange, call, pieces, 3);
}

bp_status http_exchange_write(struct http_exchange *is, bp_str bytes)
{
    struct exchange *exchange = exchange_of(is);
    bp_status        status = call_over(is->call);

    if (exchange->answer != ANSWER_STREAMING)
        return call_fail(is->call, BP_CONFLICT, "a piece of a stream that has not begun");
    if (exchange->connection->is_gone || exchange->is_aborted)
        status = BP_CANCELLED; // a part of a piece may be out
    if (status != BP_OK)
        return call_fail_over(is->call, status, "sending to the client");
    if (exchange->length >= 0 && bytes.len > (uint64_t)exchange->length - is->sent_bytes &&
        !exchange->is_bodiless)
        return call_fail(is->call, BP_INVALID, "a stream announced with %lld bytes is given more",
                         (long long)exchange->length);
    if (bytes.len == 0)
        return BP_OK;
    status = write_content(exchange, is->call, bytes);
    return status == BP_OK ? BP_OK : fail_write(exchange, status);
}

bp_status http_exchange_flush(struct http_exchange *is)
{
    struct exchange *exchange = exchange_of(is);
    bp_status        status;

    if (!exchange->pending)
        return BP_OK;
    status = write_pieces(exchange, is->call, NULL, 0);
    return status == BP_OK ? BP_OK : fail_write(exchange, status);
}

void http_exchange_abort(struct http_exchange *is)
{
    exchange_of(is)->is_aborted = true;
}

/* ---- server-sent events ---- */

static bp_status begin_events(struct http_exchange *is)
{
    BP_TRY(http_exchange_add_header(is, BP_STR("Cache-Control"), BP_STR("no-store")));
    BP_TRY(http_exchange_add_header(is, BP_STR("X-Accel-Buffering"), BP_STR("no")));
    BP_TRY(http_exchange_begin(is, 200, BP_STR("text/event-stream"), -1));
    exchange_of(is)->is_events = true;
    return BP_OK;
}

bp_status http_exchange_sse_begin(struct http_exchange *is)
{
    BP_TRY(begin_events(is));
    return http_exchange_flush(is);
}

/* "data: " before each line; CR, LF and CRLF all end one. */
static void add_data_lines(struct bp_buf *out, bp_str data)
{
    const char *end = data.data + data.len,
               *feed = data.len ? memchr(data.data, '\n', data.len) : NULL;
    bool is_last = false;

    while (!is_last) {
        size_t      len = feed ? (size_t)(feed - data.data) : data.len;
        const char *ret = len ? memchr(data.data, '\r', len) : NULL;

        if (ret)
            len = (size_t)(ret - data.data);
        buf_add(out, BP_STR("data: "));
        buf_add(out, bp_str_n(data.data, len));
        buf_add(out, BP_STR("\n"));
        is_last = len == data.len;
        len += ret && len + 1 < data.len && data.data[len + 1] == '\n' ? 2 : !is_last;
        data = bp_str_n(data.data + len, data.len - len);
        if (feed && feed < data.data) // looked for once for each, however many CRs stand before it
            feed = data.len ? memchr(data.data, '\n', (size_t)(end - data.data)) : NULL;
    }
}

bp_status http_exchange_sse(struct http_exchange *is, bp_str event, bp_str id, bp_str data)
{
    struct exchange *exchange = exchange_of(is);
    struct bp_buf   *out = &exchange->scratch;

    if (ascii_has_control(event.data, event.len) || ascii_has_control(id.data, id.len))
        return call_fail(is->call, BP_INVALID, "an event's name or id has a control byte");
    if (exchange->answer == ANSWER_NONE)
        BP_TRY(begin_events(is));
    buf_reset(out);
    if (event.len) {
        buf_add(out, BP_STR("event: "));
        buf_add(out, event);
        buf_add(out, BP_STR("\n"));
    }
    if (id.len) {
        buf_add(out, BP_STR("id: "));
        buf_add(out, id);
        buf_add(out, BP_STR("\n"));
    }
    add_data_lines(out, data);
    buf_add(out, BP_STR("\n"));
    if (buf_status(out) == BP_NO_MEMORY)
        return call_fail(is->call, BP_NO_MEMORY, "there is no memory for an event");
    if (buf_status(out) != BP_OK)
        return call_fail(is->call, BP_TOO_LARGE, "an event is larger than %d bytes",
                         SSE_EVENT_MAX_BYTES);
    return http_exchange_write(is, buf_str(out));
}

void answer_beat(struct exchange *exchange)
{
    struct connection  *connection = exchange->connection;
    struct http_server *server = connection->server;

    if (connection->is_gone || exchange->is_aborted || exchange->answer != ANSWER_STREAMING)
        return;
    if (exchange->is_writing || wire_queued_bytes(&connection->wire))
        deadline_set(&exchange->beat_deadline, &server->beat_deadlines, server_now_ms(server));
    else
        write_content(exchange, NULL, BP_STR(": \n\n"));
}

/* ---- the end ---- */

static void end_stream(struct exchange *exchange)
{
    bp_str end = { "0\r\n\r\n", exchange->is_chunked && !exchange->is_bodiless ? 5 : 0 };

    exchange->answer = ANSWER_DONE;
    deadline_clear(&exchange->beat_deadline);
    exchange->is_events = false;
    if (exchange->length >= 0 && !exchange->is_bodiless &&
        exchange->is.sent_bytes < (uint64_t)exchange->length)
        exchange->is_aborted = true;
    else if (write_pieces(exchange, exchange->is.call, &end, 1) != BP_OK)
        exchange->is_aborted = true;
}

void http_exchange_leave(struct http_exchange *is)
{
    struct exchange   *exchange = exchange_of(is);
    struct connection *connection = exchange->connection;

    if (connection->is_gone || !is->outlives_client)
        return;
    answer_finish(exchange);
    exchange->is_left = exchange->closes = true;
    if (!connection->is_gone && !wire_queued_bytes(&connection->wire))
        connection_cut(connection);
}

void answer_finish(struct exchange *exchange)
{
    if (exchange->connection->is_gone || exchange->is_aborted)
        return;
    if (exchange->answer == ANSWER_STREAMING)
        end_stream(exchange);
    else if (exchange->answer == ANSWER_NONE && exchange->fault)
        http_exchange_send(&exchange->is, exchange->fault, BP_STR(""), BP_STR(""));
    else if (exchange->answer == ANSWER_NONE)
        http_exchange_send_error(&exchange->is, 500, "internal",
                                 BP_STR("the request's handler gave no answer"));
}
