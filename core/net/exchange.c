/* exchange.c - one request as its handler sees it: the head, and the incoming body. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/str.h"
#include "net/connection.h"
#include "net/spool.h"
#include "net/url.h"

static struct exchange *exchange_of(struct http_exchange *exchange)
{
    return (struct exchange *)exchange;
}

/* ---- life ---- */

struct exchange *exchange_take(struct http_server *server, struct connection *connection)
{
    struct exchange *exchange = server->spares;

    if (exchange) {
        server->spares = exchange->next_spare;
        server->spare_count--;
    } else {
        exchange = malloc(sizeof(*exchange));
        if (!exchange)
            return NULL;
    }
    // the parsed headers and the inline head are written before they are read
    memset(exchange, 0, offsetof(struct exchange, request));
    memset(&exchange->body, 0,
           offsetof(struct exchange, peer_text) - offsetof(struct exchange, body));
    http1_request_init(&exchange->request, &server->edge->options.limits);
    exchange->connection = connection;
    exchange->head = exchange->inline_head;
    buf_init(&exchange->headers, NULL, ANSWER_HEADERS_MAX_BYTES);
    buf_init(&exchange->scratch, NULL, SSE_EVENT_MAX_BYTES);
    return exchange;
}

void exchange_release(struct http_server *server, struct exchange *exchange)
{
    if (exchange->kept.room)
        spool_free(&exchange->kept);
    deadline_clear(&exchange->beat_deadline);
    if (exchange->head != exchange->inline_head)
        free(exchange->head);
    free(exchange->path);
    free(exchange->pending);
    input_free(&exchange->block);
    buf_free(&exchange->headers);
    buf_free(&exchange->scratch);
    if (server->spare_count == SPARE_EXCHANGES) {
        free(exchange);
        return;
    }
    exchange->next_spare = server->spares;
    server->spares = exchange;
    server->spare_count++;
}

bp_str connection_peer_text(const struct connection *connection, char text[64])
{
    static const uint8_t       mapped[12] = { [10] = 0xff, [11] = 0xff };
    const struct peer_address *peer = &connection->peer;

    if (connection->is_unix)
        return BP_STR("unix");
    if (memcmp(peer->bytes, mapped, sizeof(mapped)) == 0)
        return bp_str_of(inet_ntop(AF_INET, peer->bytes + 12, text, 64));
    return bp_str_of(inet_ntop(AF_INET6, peer->bytes, text, 64));
}

static bool prepare_path(struct exchange *exchange, int *status, const char **why)
{
    struct http1_request *request = &exchange->request;
    bp_str                raw = http1_str(exchange->head, request->path);

    if (request->is_asterisk) {
        exchange->is.path = BP_STR("*");
    } else if (raw.len == 0) {
        exchange->is.path = BP_STR("/");
    } else if (request->path_is_plain) {
        exchange->is.path = raw;
    } else {
        exchange->path = malloc(raw.len + 1);
        if (!exchange->path) {
            *status = 503;
            *why = "the server has no memory left for this request";
            return false;
        }
        exchange->is.path = bp_str_n(exchange->path, url_path_normalise(raw, exchange->path));
        if (!str_is_utf8(exchange->is.path)) {
            *status = 400;
            *why = "the path is not UTF-8 once it is decoded";
            return false;
        }
    }
    return true;
}

bool exchange_prepare(struct exchange *exchange, const char *head, int *status, const char **why)
{
    struct http1_request *request = &exchange->request;
    struct http_exchange *is = &exchange->is;

    if (request->next > INLINE_HEAD_BYTES) {
        exchange->head = malloc(request->next);
        if (!exchange->head) {
            exchange->head = exchange->inline_head;
            *status = 503;
            *why = "the server has no memory left for this request";
            return false;
        }
    }
    memcpy(exchange->head, head, request->next);
    if (!prepare_path(exchange, status, why))
        return false;
    http1_body_init(&exchange->body, request);
    exchange->is_body_done = request->body_kind == HTTP1_BODY_NONE;
    exchange->closes = !request->is_keep_alive;
    is->request = request;
    is->head = exchange->head;
    is->method = http1_method_name((enum http1_method)request->method);
    is->query = http1_str(exchange->head, request->query);
    is->host = http1_str(exchange->head, request->host);
    is->listener = exchange->connection->listener;
    is->content_length = request->body_kind == HTTP1_BODY_CHUNKED ? -1
                         : request->content_length > 0            ? request->content_length
                                                                  : 0;
    is->max_body_bytes = exchange->connection->server->edge->options.max_body_bytes;
    is->peer = connection_peer_text(exchange->connection, exchange->peer_text);
    return true;
}

bool http_exchange_is_event_stream(const struct http_exchange *exchange)
{
    return ((const struct exchange *)exchange)->is_events;
}

bool http_exchange_is_gone(const struct http_exchange *exchange)
{
    return ((const struct exchange *)exchange)->connection->is_gone;
}

bp_str http_exchange_header(struct http_exchange *exchange, const char *lower_name)
{
    bp_str        name = bp_str_of(lower_name), first = { "", 0 }, value;
    uint32_t      index = 0;
    struct bp_buf joined;

    if (!http1_header_next(exchange->request, exchange->head, name, &index, &first) ||
        !http1_header_next(exchange->request, exchange->head, name, &index, &value))
        return first;
    buf_init(&joined, exchange->call->arena, 2 * http1_max_head_bytes(exchange->request->limits));
    buf_add(&joined, first);
    do {
        buf_add(&joined, BP_STR(", "));
        buf_add(&joined, value);
    } while (http1_header_next(exchange->request, exchange->head, name, &index, &value));
    return buf_str(&joined);
}

/* ---- the body ---- */

bp_status exchange_fail_fault(struct exchange *exchange)
{
    bp_status status = exchange->fault == 413   ? BP_TOO_LARGE
                       : exchange->fault == 408 ? BP_DEADLINE
                                                : BP_INVALID;

    return call_fail(exchange->is.call, status, "the request body cannot be read: %s",
                     exchange->fault_why);
}

static bp_status set_fault(struct exchange *exchange, int32_t status, const char *why)
{
    exchange->fault = status;
    exchange->fault_why = why;
    exchange->closes = true;
    return exchange_fail_fault(exchange);
}

void exchange_body_due(struct exchange *exchange)
{
    exchange->fault = 408;
    exchange->fault_why = "it did not come in time";
    exchange->closes = true;
    if (exchange->reader)
        call_wake(exchange->reader);
}

static bool is_too_slow(const struct exchange *exchange)
{
    const struct http_edge_options *options = &exchange->connection->server->edge->options;
    int64_t                         waited_ms = exchange->body_waited_ms;

    return waited_ms > options->body_grace_ns / 1000000 &&
           (int64_t)exchange->is.received_bytes * 1000 / waited_ms < options->body_min_bytes_per_s;
}

/* Takes over what came in; false when nothing did. */
static bool refill(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;

    input_free(&exchange->block);
    if (input_left(&connection->input) == 0)
        return false;
    exchange->block = connection->input;
    connection->input = (struct input){ 0 };
    connection_resume_reading(connection);
    return true;
}

void exchange_step_out(struct exchange *exchange)
{
    if (exchange->is_apart || !exchange->is.on_client_wait)
        return;
    exchange->is_apart = true;
    exchange->is.on_client_wait(&exchange->is, true);
}

void exchange_step_in(struct exchange *exchange)
{
    if (!exchange->is_apart)
        return;
    exchange->is_apart = false;
    exchange->is.on_client_wait(&exchange->is, false);
}

static bp_status wait_for_body(struct exchange *exchange)
{
    struct connection  *connection = exchange->connection;
    struct http_server *server = connection->server;
    bp_call            *call = exchange->is.call;
    int64_t             began_ms = (int64_t)server_now_ms(server);
    bp_status           status = BP_OK;

    if (exchange->request.expects_continue && !exchange->is_continue_sent &&
        exchange->answer == ANSWER_NONE) {
        uv_buf_t buf = uv_buf_init((char *)"HTTP/1.1 100 Continue\r\n\r\n", 25);

        exchange->is_continue_sent = true;
        connection_write(connection, NULL, &buf, 1);
    }
    if (connection->is_gone)
        return call_fail_over(call, BP_CANCELLED, "reading the request body");
    connection_resume_reading(connection);
    deadline_set(&connection->read_deadline, &server->body_deadlines, server_now_ms(server));
    exchange_step_out(exchange);
    exchange->reader = call;
    while (status == BP_OK && !exchange->fault && !connection->is_gone &&
           input_left(&connection->input) == 0)
        status = call_wait(call, BP_FOREVER, "the request body");
    exchange->reader = NULL;
    deadline_clear(&connection->read_deadline);
    exchange->body_waited_ms += (int64_t)server_now_ms(server) - began_ms;
    if (!exchange->is_read_whole) {
        exchange_step_in(exchange);
        if (status == BP_OK)
            status = call_over(call);
    }
    if (connection->is_gone)
        status = BP_CANCELLED;
    if (status != BP_OK)
        return call_fail_over(call, status, "reading the request body");
    return exchange->fault ? exchange_fail_fault(exchange) : BP_OK;
}

bp_status http_exchange_read(struct http_exchange *is, bp_str *piece)
{
    struct exchange *exchange = exchange_of(is);
    size_t           used;

    *piece = bp_str_n("", 0);
    if (exchange->fault)
        return exchange_fail_fault(exchange);
    if (exchange->is_body_done)
        return BP_OK;
    if (is->content_length > is->max_body_bytes)
        return set_fault(exchange, 413, "it is larger than allowed here");
    for (;;) {
        struct input *block = &exchange->block;

        switch (http1_body_decode(&exchange->body, input_rest(block), input_left(block), &used,
                                  piece)) {
        case HTTP1_DATA:
            block->at += used;
            is->received_bytes += piece->len;
            if ((int64_t)is->received_bytes > is->max_body_bytes) {
                *piece = bp_str_n("", 0);
                return set_fault(exchange, 413, "it is larger than allowed here");
            }
            return BP_OK;
        case HTTP1_DONE:
            block->at += used;
            exchange->is_body_done = true;
            *piece = bp_str_n("", 0);
            return BP_OK;
        case HTTP1_REFUSED:
            return set_fault(exchange, exchange->body.verdict.status, exchange->body.verdict.why);
        default:
            break;
        }
        if (refill(exchange))
            continue;
        if (is_too_slow(exchange))
            return set_fault(exchange, 408, "it comes too slowly");
        BP_TRY(wait_for_body(exchange));
    }
}

bp_status http_exchange_keep(struct http_exchange *is, size_t bytes)
{
    struct exchange *exchange = exchange_of(is);

    if (!exchange->kept.room)
        spool_init(&exchange->kept, NULL, 0, &exchange->connection->server->edge->room,
                   is->call->client);
    return spool_count(is->call, &exchange->kept, bytes);
}

static bp_status read_into_spool(struct http_exchange *is, struct spool *spool)
{
    bp_str piece;

    do {
        BP_TRY(http_exchange_read(is, &piece));
        BP_TRY(spool_add(is->call, spool, piece));
    } while (piece.len);
    return BP_OK;
}

/* All of it came with the head, as it does for most requests. */
static bool is_here(const struct exchange *exchange)
{
    int64_t length = exchange->is.content_length;

    return length > 0 && length <= exchange->is.max_body_bytes &&
           exchange->is.received_bytes == 0 && (int64_t)input_left(&exchange->block) >= length;
}

/* The place that was given up when its client had to be waited for is taken again only when all is
 * in. */
bp_status http_exchange_read_all_into(struct http_exchange *is, struct arena *arena, bp_str *body)
{
    struct exchange *exchange = exchange_of(is);
    struct spool     spool;
    bp_status        status;

    *body = bp_str_n("", 0);
    if (is_here(exchange)) {
        bp_str piece;

        BP_TRY(http_exchange_read(is, &piece));
        *body = arena_dup(arena, piece);
        return body->len == piece.len
                   ? http_exchange_read(is, &piece)
                   : call_fail(is->call, BP_NO_MEMORY, "there is no memory for a request body");
    }
    spool_init(&spool, is->pool, (size_t)is->max_body_bytes + 1,
               &exchange->connection->server->edge->room, is->call->client);
    exchange->is_read_whole = true;
    status = read_into_spool(is, &spool);
    exchange->is_read_whole = false;
    exchange_step_in(exchange);
    if (status == BP_OK)
        status = spool_take(is->call, &spool, arena, body);
    spool_free(&spool);
    return status;
}

bp_status http_exchange_read_all(struct http_exchange *is, bp_str *body)
{
    return http_exchange_read_all_into(is, is->call->arena, body);
}

/* Throws away what of the body is here already, so that the connection can serve another request.
 */
void exchange_skip_body(struct exchange *exchange)
{
    bp_str piece;
    size_t used;

    while (!exchange->is_body_done && !exchange->fault) {
        struct input *block = &exchange->block;

        switch (http1_body_decode(&exchange->body, input_rest(block), input_left(block), &used,
                                  &piece)) {
        case HTTP1_DATA:
            block->at += used;
            break;
        case HTTP1_DONE:
            block->at += used;
            exchange->is_body_done = true;
            break;
        case HTTP1_REFUSED:
            exchange->closes = true;
            return;
        default:
            if (!refill(exchange))
                return;
            break;
        }
    }
}

/* ---- the way of one exchange ---- */

void exchange_run(bp_call *call, void *arg)
{
    struct exchange    *exchange = arg;
    struct connection  *connection = exchange->connection;
    struct http_server *server = connection->server;

    exchange->is.call = call;
    if (connection->is_gone) {
        call_cancel(call);
    } else {
        server->handler(&exchange->is, server->arg);
        answer_finish(exchange);
    }
    exchange->is.call = NULL;
    connection_end_exchange(connection);
}
