/* http_server.c - a worker's share of the edge: its timeouts, its drain, its end. */
#include "net/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/connection.h"

const struct http_edge_options http_edge_defaults = {
    .workers = 1,
    .limits = { .request_line_bytes = 8192,
                .header_line_bytes = 8192,
                .header_block_bytes = 32768,
                .header_count = HTTP1_MAX_HEADERS,
                .chunk_extension_bytes = 256,
                .chunk_extensions_bytes = 16384 },
    .max_body_bytes = 32 << 20,
    .max_client_bodies_bytes = 256 << 20,
    .max_all_bodies_bytes = 1 << 30,
    .max_connections = 18000,
    .max_connections_per_address = 256,
    .max_requests = 10000,
    .header_timeout_ns = BP_SECONDS(10),
    .body_timeout_ns = BP_SECONDS(30),
    .body_grace_ns = BP_SECONDS(10),
    .body_min_bytes_per_s = 1024,
    .answer_grace_ns = BP_SECONDS(30),
    .answer_min_bytes_per_s = 1024,
    .idle_timeout_ns = BP_SECONDS(75),
    .write_timeout_ns = BP_SECONDS(30),
    .call_timeout_ns = BP_SECONDS(300),
    .heartbeat_ns = BP_SECONDS(15),
};

uint64_t server_now_ms(const struct http_server *server)
{
    return uv_now(&server->worker->loop);
}

uint32_t http_server_connections(const struct http_server *server)
{
    return server->connection_count;
}

void server_refusal(struct http_server *server, int status)
{
    char   code[12];
    bp_str label = bp_str_n(code, (size_t)snprintf(code, sizeof(code), "%d", status));

    metric_add(metrics_series(server->edge->metrics.refused_requests, &label, 1), 1);
}

void server_timeout(struct http_server *server, enum timeout_class class)
{
    metric_add(server->edge->metrics.timeouts[class], 1);
}

/* ---- the end ---- */

static void free_spares(struct http_server *server)
{
    while (server->spares) {
        struct exchange *exchange = server->spares;
        server->spares = exchange->next_spare;
        free(exchange);
    }
}

void server_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    void (*drained)(void *) = server->drained;
    void *arg = server->drained_arg;

    if (--server->open_handles)
        return;
    free_spares(server);
    if (server->reserve_fd >= 0)
        close(server->reserve_fd);
    free(server->listeners);
    free(server);
    if (drained)
        drained(arg);
}

static void close_handles(struct http_server *server)
{
    uv_close((uv_handle_t *)&server->tick, server_handle_closed);
    uv_close((uv_handle_t *)&server->later, server_handle_closed);
    uv_close((uv_handle_t *)&server->turn, server_handle_closed);
}

void server_connection_ended(struct http_server *server)
{
    if (server->is_draining && server->connection_count == 0)
        close_handles(server);
}

/* ---- timeouts ---- */

static struct connection *reader_of(struct deadline *deadline)
{
    return (struct connection *)(void *)((char *)deadline -
                                         offsetof(struct connection, read_deadline));
}

static struct connection *writer_of(struct deadline *deadline)
{
    return (struct connection *)(void *)((char *)deadline -
                                         offsetof(struct connection, write_deadline));
}

static struct connection *taker_of(struct deadline *deadline)
{
    return (struct connection *)(void *)((char *)deadline -
                                         offsetof(struct connection, rate_deadline));
}

static struct connection *paused_of(struct deadline *deadline)
{
    return (struct connection *)(void *)((char *)deadline -
                                         offsetof(struct connection, pause_deadline));
}

static struct exchange *beaten_of(struct deadline *deadline)
{
    return (struct exchange *)(void *)((char *)deadline - offsetof(struct exchange, beat_deadline));
}

static void cut_all(struct http_server *server)
{
    struct connection *connection;

    QUEUE_EACH (&server->connections, connection, link)
        connection_cut(connection); // which frees nothing before libuv's close callback
}

static void cancel_all(struct http_server *server)
{
    struct connection *connection;

    QUEUE_EACH (&server->connections, connection, link)
        if (connection->state == CONNECTION_HANDLING && connection->exchange &&
            connection->exchange->is.call)
            call_cancel(connection->exchange->is.call);
}

static void push_drain(struct http_server *server)
{
    int64_t now_ns = clock_now_ns();

    if (now_ns >= server->drain_deadline_ns && !server->is_cancelled) {
        server->is_cancelled = true;
        cancel_all(server);
    } else if (server->is_cancelled &&
               now_ns - server->drain_deadline_ns >= BP_SECONDS(HTTP_CUT_AFTER_S)) {
        cut_all(server);
    }
}

static void on_tick(uv_timer_t *tick)
{
    struct http_server   *server = tick->data;
    struct deadline_list *reads[] = { &server->header_deadlines, &server->body_deadlines,
                                      &server->idle_deadlines, &server->linger_deadlines };
    uint64_t              now_ms = server_now_ms(server);
    struct deadline      *due;

    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
        while ((due = deadline_take_due(reads[i], now_ms)))
            connection_read_due(reader_of(due));
    while ((due = deadline_take_due(&server->write_deadlines, now_ms)))
        connection_write_due(writer_of(due));
    while ((due = deadline_take_due(&server->rate_deadlines, now_ms)))
        connection_rate_due(taker_of(due));
    while ((due = deadline_take_due(&server->pause_deadlines, now_ms)))
        connection_pause_due(paused_of(due));
    while ((due = deadline_take_due(&server->beat_deadlines, now_ms)))
        answer_beat(beaten_of(due));
    listener_resume_paused(server);
    if (server->is_draining)
        push_drain(server);
}

/* ---- the end of a turn ---- */

static void on_turn(uv_prepare_t *turn)
{
    struct http_server *server = turn->data;

    while (server->held_first) {
        struct connection *connection = server->held_first;

        server->held_first = connection->held_next;
        connection_turn_over(connection);
    }
}

/* ---- going on outside of fibers ---- */

static void on_later(uv_idle_t *later)
{
    struct http_server *server = later->data;
    struct connection  *connection = server->later_first;

    server->later_first = NULL;
    uv_idle_stop(later);
    while (connection) {
        struct connection *next = connection->later_next;

        connection_run_later(connection);
        connection = next;
    }
}

void server_run_later(struct http_server *server, struct connection *connection)
{
    connection->is_later = true;
    connection->later_next = server->later_first;
    server->later_first = connection;
    uv_idle_start(&server->later, on_later);
}

/* ---- the beginning ---- */

static void init_deadlines(struct http_server *server)
{
    const struct http_edge_options *options = &server->edge->options;

    deadline_list_init(&server->header_deadlines, (uint64_t)options->header_timeout_ns / 1000000);
    deadline_list_init(&server->body_deadlines, (uint64_t)options->body_timeout_ns / 1000000);
    deadline_list_init(&server->idle_deadlines, (uint64_t)options->idle_timeout_ns / 1000000);
    deadline_list_init(&server->write_deadlines, (uint64_t)options->write_timeout_ns / 1000000);
    deadline_list_init(&server->rate_deadlines, (uint64_t)options->answer_grace_ns / 1000000);
    deadline_list_init(&server->beat_deadlines, (uint64_t)options->heartbeat_ns / 1000000);
    deadline_list_init(&server->linger_deadlines, LINGER_MS);
    deadline_list_init(&server->pause_deadlines, PAUSE_MS);
}

struct http_server *http_server_start(struct http_edge *edge, struct worker *worker,
                                      http_handler handler, void *arg)
{
    struct http_server *server = calloc(1, sizeof(*server));

    if (!server)
        return NULL;
    server->edge = edge;
    server->worker = worker;
    server->handler = handler;
    server->arg = arg;
    server->listeners = calloc(edge->listener_count, sizeof(*server->listeners));
    server->reserve_fd = listener_open_reserve();
    init_deadlines(server);
    uv_timer_init(&worker->loop, &server->tick);
    uv_idle_init(&worker->loop, &server->later);
    uv_prepare_init(&worker->loop, &server->turn);
    uv_prepare_start(&server->turn, on_turn);
    uv_unref((uv_handle_t *)&server->turn);
    server->tick.data = server->later.data = server->turn.data = server;
    server->open_handles = 3;
    if (!server->listeners || !listener_start_all(server)) {
        server->is_draining = true; // the handles free the server when libuv has closed them
        if (server->listeners)
            listener_stop_all(server);
        close_handles(server);
        return NULL;
    }
    uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    return server;
}

void http_server_on_refusal(struct http_server *server,
                            void (*refused)(const struct http_refusal *refusal, void *arg),
                            void *arg)
{
    server->refused = refused;
    server->refused_arg = arg;
}

void http_server_drain(struct http_server *server, int64_t deadline_ns, void (*done)(void *arg),
                       void *arg)
{
    struct connection *connection;

    if (server->is_draining)
        return;
    server->is_draining = true;
    server->drain_deadline_ns = deadline_ns;
    server->drained = done;
    server->drained_arg = arg;
    listener_stop_all(server);
    QUEUE_EACH (&server->connections, connection, link) {
        if (connection->state == CONNECTION_IDLE)
            connection_drain(connection);
        else if (connection->exchange)
            connection->exchange->closes = true;
    }
    if (server->connection_count == 0)
        close_handles(server);
}
