/* connection_write.c - bytes out: at once if the socket takes them, else through a bounded queue.
 *
 * What does not go out at once is copied, so that the caller's memory is its own again when a write
 * returns; the queue's limit is where a fiber waits for the client. Without progress for
 * write_timeout_ns it is reset, and so it is when it takes less than answer_min_bytes_per_s.
 */
#include "net/connection.h"

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
    connection->write_left = wire_queued_bytes(&connection->wire);
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
    size_t left = wire_queued_bytes(&connection->wire);

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
    size_t                          left = wire_queued_bytes(&connection->wire);

    if ((int64_t)(connection->rate_queued - left) * 1000 <
        options->answer_min_bytes_per_s * (options->answer_grace_ns / 1000000)) {
        server_timeout(connection->server, TIMEOUT_ANSWER);
        connection_reset(connection);
        return;
    }
    connection->write_left = left;
    watch_rate(connection);
}

void connection_written(void *owner, bool is_broken)
{
    struct connection *connection = owner;
    struct exchange   *exchange = connection->exchange;

    if (connection->is_gone)
        return;
    if (is_broken) {
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

/* False when the connection broke. */
static bool write_now(struct connection *connection, uv_buf_t **bufs, unsigned *count)
{
    size_t sent;

    wire_skip_empty(bufs, count);
    if (*count == 0 || wire_queued_bytes(&connection->wire))
        return true;
    connection->server->write_calls++;
    if (!wire_write_now(&connection->wire, bufs, count, &sent))
        return false;
    if (sent)
        metric_add(connection->server->edge->metrics.sent, (double)sent);
    return true;
}

static bp_status wait_for_room(struct connection *connection, bp_call *call)
{
    struct exchange *exchange = connection->exchange;
    bp_status        status = BP_OK;

    exchange_step_out(exchange);
    exchange->writer = call;
    while (status == BP_OK && !connection->is_gone &&
           wire_queued_bytes(&connection->wire) >= QUEUE_LOW_BYTES)
        status = call_wait(call, BP_FOREVER, "the client to read");
    exchange->writer = NULL;
    exchange_step_in(exchange);
    if (status == BP_OK)
        status = call_over(call);
    return connection->is_gone ? BP_CANCELLED : status;
}

static size_t bytes_in(const uv_buf_t *bufs, unsigned count)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++)
        len += bufs[i].len;
    return len;
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
    for (wire_skip_empty(&bufs, &count); count; wire_skip_empty(&bufs, &count)) {
        size_t    queued = wire_queued_bytes(&connection->wire), room = WRITE_PIECE_BYTES;
        size_t    taken;
        bp_status status;

        if (call && queued >= HTTP_QUEUE_MAX_BYTES) {
            status = wait_for_room(connection, call);
            if (status != BP_OK)
                return status;
            continue;
        }
        if (call && HTTP_QUEUE_MAX_BYTES - queued < room)
            room = HTTP_QUEUE_MAX_BYTES - queued;
        taken = bytes_in(bufs, count);
        if (!wire_queue(&connection->wire, &bufs, &count, room)) {
            connection_cut(connection);
            return BP_NO_MEMORY;
        }
        taken -= bytes_in(bufs, count);
        metric_add(connection->server->edge->metrics.sent, (double)taken);
        connection->rate_queued += taken;
        if (!connection->write_deadline.later)
            watch_writes(connection);
    }
    return BP_OK;
}

/* Bytes held back go first. Their memory is taken out of the connection, as another fiber may
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

    if (bytes_in(bufs, count) > HOLD_BYTES - connection->held.len || connection->is_gone ||
        wire_queued_bytes(&connection->wire) >= HTTP_QUEUE_MAX_BYTES)
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
