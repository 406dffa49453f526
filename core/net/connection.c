/* connection.c - one connection: bytes in, one request after the other, bytes out, and its end.
 *
 * Bytes are parsed in the worker's read buffer as long as possible and copied only when
 * they have to outlive the callback: an idle connection holds no bytes. Pipelined requests wait in
 * `input` (bounded; then the socket is not read) while one is handled, so answers are in order by
 * nature. Every function here may find the connection gone after anything that writes, cancels or
 * runs a handler; it is freed only by libuv's close callback, or when its handler has returned.
 */
#include "net/connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- the end ---- */

static void free_if_over(struct connection *connection)
{
    struct http_server *server = connection->server;

    if (!connection->is_closed || connection->exchange || connection->is_later ||
        connection->is_holding)
        return;
    input_free(&connection->input);
    buf_free(&connection->held);
    queue_remove(&connection->link);
    server->connection_count--;
    server->edge->connections--;
    metric_add(server->edge->metrics.connections, -1);
    if (!connection->is_unix)
        peer_count_leave(&server->edge->peers, &connection->peer);
    free(connection);
    server_connection_ended(server);
}

static void on_closed(void *owner)
{
    struct connection *connection = owner;

    connection->is_closed = true;
    free_if_over(connection);
}

void connection_cut(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (connection->is_gone)
        return;
    connection->is_gone = true;
    deadline_clear(&connection->read_deadline);
    deadline_clear(&connection->write_deadline);
    deadline_clear(&connection->rate_deadline);
    deadline_clear(&connection->pause_deadline);
    wire_close(&connection->wire);
    if (connection->state == CONNECTION_HANDLING) {
        if (exchange->is.call && !exchange->is.outlives_client)
            call_cancel(exchange->is.call); // may run the handler to its end right here
        else if (exchange->reader || exchange->writer)
            call_wake(exchange->reader ? exchange->reader : exchange->writer);
    } else if (exchange) {
        connection->exchange = NULL;
        exchange_release(connection->server, exchange);
    }
}

void connection_reset(struct connection *connection)
{
    wire_reset_on_close(&connection->wire);
    connection_cut(connection);
}

/* The answer is out. A client that is still sending would have it reset away by a plain close, so
 * what it sends is thrown away for a while. */
void connection_close_when_sent(struct connection *connection)
{
    if (connection->is_gone || wire_queued_bytes(&connection->wire))
        return;
    if (!connection->lingers || !wire_end(&connection->wire)) {
        connection_cut(connection);
        return;
    }
    connection->state = CONNECTION_LINGER;
    deadline_set(&connection->read_deadline, &connection->server->linger_deadlines,
                 server_now_ms(connection->server));
    connection_resume_reading(connection);
}

static void close_after_answer(struct connection *connection, bool lingers)
{
    connection->state = CONNECTION_CLOSING;
    connection->lingers = lingers;
    deadline_clear(&connection->read_deadline);
    input_free(&connection->input);
    connection_close_when_sent(connection);
}

static void tell_refusal(struct connection *connection, int status, const char *why)
{
    struct http_server *server = connection->server;
    struct exchange    *exchange = connection->exchange;
    struct http_refusal refusal = { .log = server->edge->log, .status = status, .why = why };
    char                peer[64];

    if (!server->refused)
        return;
    refusal.peer = connection_peer_text(connection, peer);
    if (exchange && exchange->is.method.len) {
        refusal.method = exchange->is.method;
        refusal.path = exchange->is.path;
    } else if (exchange && exchange->request.block_at &&
               exchange->request.path.at + exchange->request.path.len <=
                   input_left(&connection->input)) {
        refusal.method = http1_method_name((enum http1_method)exchange->request.method);
        refusal.path = http1_str(input_rest(&connection->input), exchange->request.path);
    }
    server->refused(&refusal, server->refused_arg);
}

void connection_refuse(struct connection *connection, int status, const char *why)
{
    struct http_server *server = connection->server;
    struct exchange    *exchange = connection->exchange;
    bool                is_head = exchange && exchange->request.method == HTTP1_HEAD;
    char                answer[1024];
    uv_buf_t            buf;

    server_refusal(server, status);
    tell_refusal(connection, status, why);
    connection->exchange = NULL;
    if (exchange)
        exchange_release(server, exchange);
    connection->state = CONNECTION_CLOSING;
    buf = uv_buf_init(answer, (unsigned)response_own_error(server, status, why, is_head, answer,
                                                           sizeof(answer)));
    connection_write(connection, NULL, &buf, 1);
    if (!connection->is_gone)
        close_after_answer(connection, true);
}

void connection_drain(struct connection *connection)
{
    close_after_answer(connection, false);
}

/* ---- requests ---- */

static void start_handling(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct exchange    *exchange = connection->exchange;
    struct call_options options = { .owner = exchange };

    deadline_clear(&connection->read_deadline);
    connection->requests++;
    metric_add(server->edge->metrics.requests, 1);
    if (connection->requests >= server->edge->options.max_requests || server->is_draining)
        exchange->closes = true;
    if (exchange->request.body_kind != HTTP1_BODY_NONE) {
        if (!input_own(&connection->input)) {
            connection_cut(connection);
            return;
        }
        exchange->block = connection->input;
        connection->input = (struct input){ 0 };
    }
    options.deadline_ns = clock_now_ns() + server->edge->options.call_timeout_ns;
    connection->state = CONNECTION_HANDLING;
    connection->is_starting = true;
    if (!call_start(server->worker, &options, exchange_run, exchange)) {
        connection->state = CONNECTION_HEAD;
        connection_refuse(connection, 503,
                          "the server has as many requests under way as it can hold");
    }
    connection->is_starting = false;
}

/* One request's head out of the input; false when there is nothing more to do for now. */
static bool read_head(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct exchange    *exchange = connection->exchange;
    const char         *bytes = connection->input.data + connection->input.at, *why;
    int                 status;

    if (!exchange) {
        exchange = connection->exchange = exchange_take(server, connection);
        if (!exchange) {
            connection_cut(connection);
            return false;
        }
    }
    if (connection->state == CONNECTION_IDLE) {
        connection->state = CONNECTION_HEAD;
        if (connection->requests) // the first request's time runs from the accept
            deadline_set(&connection->read_deadline, &server->header_deadlines,
                         server_now_ms(server));
    }
    switch (http1_request_parse(&exchange->request, bytes, input_left(&connection->input))) {
    case HTTP1_MORE:
        return false;
    case HTTP1_DONE:
        break;
    default:
        connection_refuse(connection, exchange->request.verdict.status,
                          exchange->request.verdict.why);
        return false;
    }
    if (!exchange_prepare(exchange, bytes, &status, &why)) {
        connection_refuse(connection, status, why);
        return false;
    }
    connection->input.at += exchange->request.next;
    start_handling(connection);
    return true;
}

static void pause_reading(struct connection *connection)
{
    if (!connection->wire.is_reading || connection->is_gone)
        return;
    wire_read_stop(&connection->wire);
    deadline_set(&connection->pause_deadline, &connection->server->pause_deadlines,
                 server_now_ms(connection->server));
}

static void advance(struct connection *connection)
{
    int requests = 0;

    while (!connection->is_gone && connection->state <= CONNECTION_HEAD &&
           input_left(&connection->input))
        if (requests++ == REQUESTS_IN_A_ROW) {
            server_run_later(connection->server, connection);
            break;
        } else if (!read_head(connection)) {
            break;
        }
    if (connection->is_gone)
        return;
    if (input_left(&connection->input) == 0)
        input_free(&connection->input);
    else if (!input_own(&connection->input))
        connection_cut(connection);
    else if ((connection->is_later || connection->state == CONNECTION_HANDLING) &&
             input_left(&connection->input) >= HTTP_INPUT_MAX_BYTES)
        pause_reading(connection);
}

void connection_turn_over(struct connection *connection)
{
    connection->is_holding = false;
    connection_send_held(connection);
    if (connection->is_gone)
        free_if_over(connection);
}

void connection_run_later(struct connection *connection)
{
    connection->is_later = false;
    if (connection->is_gone) {
        free_if_over(connection);
        return;
    }
    connection_resume_reading(connection);
    advance(connection);
}

/* The rest of the body's block goes before bytes that came in meanwhile. */
static bool give_back(struct connection *connection, struct exchange *exchange)
{
    struct input *input = &connection->input, *block = &exchange->block;
    bool          is_kept = true;

    if (input_left(block) == 0)
        return true;
    if (input_left(input))
        is_kept = input_append(block, input->data + input->at, input_left(input));
    input_free(input);
    *input = *block;
    *block = (struct input){ 0 };
    return is_kept;
}

void connection_end_exchange(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct exchange    *exchange = connection->exchange;
    bool                closes = exchange->closes || server->is_draining;
    bool                is_cut;
    // Where the end of the connection is the end of the answer, only a reset tells that it was cut.
    bool has_no_other_end = exchange->answer == ANSWER_STREAMING && exchange->length < 0 &&
                            !exchange->is_chunked;
    bool lingers;

    connection_send_held(connection);
    is_cut = exchange->is_aborted || (!connection->is_gone && !give_back(connection, exchange));
    lingers = !exchange->is_body_done || input_left(&connection->input);
    connection->exchange = NULL;
    exchange_release(server, exchange);
    connection->state = CONNECTION_IDLE;
    if (connection->is_gone) {
        free_if_over(connection);
        return;
    }
    if (is_cut && has_no_other_end) {
        connection_reset(connection);
        return;
    }
    if (closes || is_cut) {
        close_after_answer(connection, lingers);
        return;
    }
    deadline_set(&connection->read_deadline, &server->idle_deadlines, server_now_ms(server));
    connection_resume_reading(connection);
    if (!connection->is_starting && input_left(&connection->input))
        server_run_later(server, connection);
}

/* ---- reading ---- */

static void give_space(void *owner, char **bytes, size_t *size)
{
    struct connection *connection = owner;

    *bytes = connection->server->read_buffer;
    *size = READ_BUFFER_BYTES;
}

/* A half-closed client may still read: its queued bytes go out. A connection with a request in
 * progress counts as gone, as a vanished one looks no different. */
static void on_end_of_input(void *owner, bool is_broken)
{
    struct connection *connection = owner;
    bool               has_queue = wire_queued_bytes(&connection->wire) > 0;

    if (!is_broken && (connection->state == CONNECTION_CLOSING ||
                       (connection->state == CONNECTION_IDLE && has_queue))) {
        close_after_answer(connection, false);
    } else {
        connection_cut(connection);
    }
}

static void on_arrived(void *owner, const char *bytes, size_t count)
{
    struct connection *connection = owner;

    metric_add(connection->server->edge->metrics.received, (double)count);
    if (connection->state == CONNECTION_CLOSING || connection->state == CONNECTION_LINGER)
        return;
    if (input_left(&connection->input) == 0) {
        input_free(&connection->input);
        connection->input = (struct input){ .data = (char *)(uintptr_t)bytes,
                                            .len = count,
                                            .is_borrowed = true };
    } else if (!input_append(&connection->input, bytes, count)) {
        connection_cut(connection);
        return;
    }
    if (!connection->is_later)
        advance(connection);
    else if (!input_own(&connection->input))
        connection_cut(connection);
    if (!connection->is_gone && connection->state == CONNECTION_HANDLING &&
        connection->exchange->reader)
        call_wake(connection->exchange->reader);
}

void connection_resume_reading(struct connection *connection)
{
    if (connection->wire.is_reading || connection->is_gone)
        return;
    deadline_clear(&connection->pause_deadline);
    wire_read_start(&connection->wire);
}

void connection_pause_due(struct connection *connection)
{
    if (wire_is_gone(&connection->wire))
        connection_cut(connection);
    else
        deadline_set(&connection->pause_deadline, &connection->server->pause_deadlines,
                     server_now_ms(connection->server));
}

void connection_read_due(struct connection *connection)
{
    struct http_server *server = connection->server;

    switch (connection->state) {
    case CONNECTION_HEAD:
        server_timeout(server, TIMEOUT_HEADER);
        connection_refuse(connection, 408, "the header block did not come in time");
        break;
    case CONNECTION_HANDLING:
        server_timeout(server, TIMEOUT_BODY);
        exchange_body_due(connection->exchange);
        break;
    case CONNECTION_IDLE:
        server_timeout(server, connection->requests ? TIMEOUT_IDLE : TIMEOUT_HEADER);
        connection_cut(connection);
        break;
    default:
        connection_cut(connection);
        break;
    }
}

/* ---- the beginning ---- */

static const struct wire_events wire_events = { .space = give_space,
                                                .arrived = on_arrived,
                                                .ended = on_end_of_input,
                                                .written = connection_written,
                                                .closed = on_closed };

void connection_accept(struct http_server *server, int fd, const struct sockaddr *peer,
                       uint32_t listener)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        metric_add(server->edge->metrics.refused_connections[REFUSED_MEMORY], 1);
        server->edge->connections--;
        if (!server->edge->listeners[listener].is_unix) {
            struct peer_address address = peer_address_of(peer);
            peer_count_leave(&server->edge->peers, &address);
        }
        close(fd);
        return;
    }
    connection->server = server;
    buf_init(&connection->held, NULL, HOLD_BYTES);
    connection->listener = listener;
    connection->is_unix = server->edge->listeners[listener].is_unix;
    if (!connection->is_unix)
        connection->peer = peer_address_of(peer);
    queue_push_front(&server->connections, &connection->link);
    server->connection_count++;
    metric_add(server->edge->metrics.connections, 1);
    metric_add(server->edge->metrics.accepted, 1);
    if (!wire_open(&connection->wire, &server->worker->loop, fd, connection->is_unix, &wire_events,
                   connection)) {
        close(fd); // it has not been taken over
        connection_cut(connection);
        return;
    }
    deadline_set(&connection->read_deadline, &server->header_deadlines, server_now_ms(server));
    connection_resume_reading(connection);
    if (!connection->wire.is_reading)
        connection_cut(connection);
}
