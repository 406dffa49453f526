/* connection_write.c - bytes out: at once if the socket takes them, else through a bounded queue.
 *
 * What does not go out at once is copied, so that the caller's memory is its own again when a write
 * returns; the queue's limit is where a fiber waits for the client. Without progress for
 * write_timeout_ns it is reset, and so it is when it takes less than answer_min_bytes_per_s.
 */
#include <stdlib.h>

#include "net/connection.h"

struct queued_write {
    uv_write_t         request;
    struct connection *connection;
    char               bytes[];
};

static void watch_rate(struct connection *connection)
{
    if (connection->server->edge->options.answer_min_bytes_per_s <= 0)
        return;
    connection->rate_queued = connection->write_left;
    deadline_set(&connection->rate_deadline, &connection->server->rate_deadlines,
                 server_now_ms(connection->server));
}

static void watch_writes(struct connection *connection)
{
    connection->write_left = uv_stream_get_write_queue_size(&connection->socket.stream);
    if (connection->write_left && !connection->is_gone)
        deadline_set(&connection->write_deadline, &connection->server->write_deadlines,
                     server_now_ms(connection->server));
    else
        deadline_clear(&connection->write_deadline);
    if (!connection->write_left || connection->is_gone)
        deadline_clear(&connection->rate_deadline);
    else if (!connection->rate_deadline.later)
        watch_rate(connection);
}

void connection_write_due(struct connection *connection)
{
    size_t left = uv_stream_get_write_queue_size(&connection->socket.stream);

    if (left < connection->write_left) {
        watch_writes(connection);
        return;
    }
    server_timeout(connection->server, TIMEOUT_WRITE);
    connection_reset(connection);
}

void connection_rate_due(struct connection *connection)
{
    const struct http_edge_options *options = &connection->server->edge->options;
    size_t left = uv_stream_get_write_queue_size(&connection->socket.stream);

    if ((int64_t)(connection->rate_queued - left) * 1000 <
        options->answer_min_bytes_per_s * (options->answer_grace_ns / 1000000)) {
        server_timeout(connection->server, TIMEOUT_ANSWER);
        connection_reset(connection);
        return;
    }
    connection->write_left = left;
    watch_rate(connection);
}

static void on_written(uv_write_t *request, int status)
{
    struct queued_write *write = (struct queued_write *)request;
    struct connection   *connection = write->connection;
    struct exchange     *exchange = connection->exchange;

    free(write);
    if (connection->is_gone)
        return;
    if (status < 0) {
        connection_cut(connection);
        return;
    }
    watch_writes(connection);
    if (connection->state == CONNECTION_CLOSING)
        connection_close_when_sent(connection);
    else if (exchange && exchange->is_left && !connection->write_left)
        connection_cut(connection);
    else if (exchange && exchange->writer && connection->write_left < QUEUE_LOW_BYTES)
        call_wake(exchange->writer);
}

/* Copies up to `max` bytes off the front of `bufs` and queues them. */
static bool queue_some(struct connection *connection, uv_buf_t **bufs, unsigned *count, size_t max)
{
    struct queued_write *write;
    uv_buf_t             buf;
    size_t               len = 0;

    for (unsigned i = 0; i < *count; i++)
        len += (*bufs)[i].len;
    if (len > max)
        len = max;
    write = malloc(sizeof(*write) + len);
    if (!write)
        return false;
    write->connection = connection;
    buf = uv_buf_init(write->bytes, (unsigned)len);
    for (size_t at = 0; at < len;) {
        size_t piece = (*bufs)->len < len - at ? (*bufs)->len : len - at;

        memcpy(write->bytes + at, (*bufs)->base, piece);
        at += piece;
        (*bufs)->base += piece;
        (*bufs)->len -= piece;
        if ((*bufs)->len == 0) {
            (*bufs)++;
            (*count)--;
        }
    }
    if (uv_write(&write->request, &connection->socket.stream, &buf, 1, on_written) != 0) {
        free(write);
        return false;
    }
    return true;
}

static void skip_empty(uv_buf_t **bufs, unsigned *count)
{
    while (*count && (*bufs)->len == 0) {
        (*bufs)++;
        (*count)--;
    }
}

/* False when the connection broke. */
static bool write_now(struct connection *connection, uv_buf_t **bufs, unsigned *count)
{
    int sent;

    skip_empty(bufs, count);
    if (*count == 0 || uv_stream_get_write_queue_size(&connection->socket.stream))
        return true;
    connection->server->write_calls++;
    sent = uv_try_write(&connection->socket.stream, *bufs, *count);
    if (sent == UV_EAGAIN)
        return true;
    if (sent < 0)
        return false;
    metric_add(connection->server->edge->metrics.sent, sent);
    for (size_t left = (size_t)sent; *count && left;) {
        size_t piece = (*bufs)->len < left ? (*bufs)->len : left;

        (*bufs)->base += piece;
        (*bufs)->len -= piece;
        left -= piece;
        skip_empty(bufs, count);
    }
    return true;
}

static bp_status wait_for_room(struct connection *connection, bp_call *call)
{
    struct exchange *exchange = connection->exchange;
    bp_status        status = BP_OK;

    exchange_step_out(exchange);
    exchange->writer = call;
    while (status == BP_OK && !connection->is_gone &&
           uv_stream_get_write_queue_size(&connection->socket.stream) >= QUEUE_LOW_BYTES)
        status = call_wait(call, BP_FOREVER, "the client to read");
    exchange->writer = NULL;
    exchange_step_in(exchange);
    if (status == BP_OK)
        status = call_over(call);
    return connection->is_gone ? BP_CANCELLED : status;
}

static bp_status write_all(struct connection *connection, bp_call *call, uv_buf_t *bufs,
                           unsigned count)
{
    if (connection->is_gone)
        return BP_CANCELLED;
    if (!write_now(connection, &bufs, &count)) {
        connection_cut(connection);
        return BP_CANCELLED;
    }
    for (skip_empty(&bufs, &count); count; skip_empty(&bufs, &count)) {
        size_t queued = uv_stream_get_write_queue_size(&connection->socket.stream),
               room = WRITE_PIECE_BYTES;
        size_t    before = 0, after = 0;
        bp_status status;

        if (call && queued >= HTTP_QUEUE_MAX_BYTES) {
            status = wait_for_room(connection, call);
            if (status != BP_OK)
                return status;
            continue;
        }
        if (call && HTTP_QUEUE_MAX_BYTES - queued < room)
            room = HTTP_QUEUE_MAX_BYTES - queued;
        for (unsigned i = 0; i < count; i++)
            before += bufs[i].len;
        if (!queue_some(connection, &bufs, &count, room)) {
            connection_cut(connection);
            return BP_NO_MEMORY;
        }
        for (unsigned i = 0; i < count; i++)
            after += bufs[i].len;
        metric_add(connection->server->edge->metrics.sent, (double)(before - after));
        connection->rate_queued += before - after;
        if (!connection->write_deadline.later)
            watch_writes(connection);
    }
    return BP_OK;
}

/* What was held back goes first. Its memory is taken out of the connection, as another fiber may
 * hold more meanwhile. */
bp_status connection_write(struct connection *connection, bp_call *call, uv_buf_t *bufs,
                           unsigned count)
{
    struct bp_buf held = connection->held;
    uv_buf_t      all[8];
    bp_status     status;

    if (!held.len)
        return write_all(connection, call, bufs, count);
    buf_init(&connection->held, NULL, HOLD_BYTES);
    all[0] = uv_buf_init(held.data, (unsigned)held.len);
    if (count)
        memcpy(all + 1, bufs, count * sizeof(*bufs));
    status = write_all(connection, call, all, count + 1);
    buf_free(&held);
    return status;
}

bp_status connection_write_soon(struct connection *connection, bp_call *call, uv_buf_t *bufs,
                                unsigned count)
{
    struct http_server *server = connection->server;
    size_t              len = 0;

    for (unsigned i = 0; i < count; i++)
        len += bufs[i].len;
    if (len > HOLD_BYTES - connection->held.len || connection->is_gone ||
        uv_stream_get_write_queue_size(&connection->socket.stream) >= HTTP_QUEUE_MAX_BYTES)
        return connection_write(connection, call, bufs, count);
    for (unsigned i = 0; i < count; i++)
        buf_add(&connection->held, bp_str_n(bufs[i].base, bufs[i].len));
    if (buf_status(&connection->held) != BP_OK) {
        connection_cut(connection);
        return BP_NO_MEMORY;
    }
    if (!connection->is_holding) {
        connection->is_holding = true;
        connection->held_next = server->held_first;
        server->held_first = connection;
    }
    return BP_OK;
}

void connection_send_held(struct connection *connection)
{
    if (connection->held.len && !connection->is_gone)
        connection_write(connection, NULL, NULL, 0);
}
