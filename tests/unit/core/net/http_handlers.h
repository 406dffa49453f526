/* http_handlers.h - a server with handlers of all manners, for the tests of the HTTP server: /echo,
 * /big, /wait, /events ... */
#ifndef HTTP_HANDLERS_H
#define HTTP_HANDLERS_H

#include "http_rig.h"

static atomic_int  wait_status = -1, wait_entered; /* of the handler of /wait */
static atomic_long written_bytes;                  /* of the handler of /big */
static atomic_long read_bytes;                     /* of the handler of /slow-read */

static inline void handle_big(struct http_exchange *exchange)
{
    static char piece[32768];
    long        left = atol(exchange->query.data);

    written_bytes = 0;
    memset(piece, 'x', sizeof(piece));
    if (http_exchange_begin(exchange, 200, BP_STR("text/plain"), -1) != BP_OK)
        return;
    while (left > 0) {
        size_t len = left > (long)sizeof(piece) ? sizeof(piece) : (size_t)left;
        if (http_exchange_write(exchange, bp_str_n(piece, len)) != BP_OK)
            return;
        written_bytes += (long)len;
        left -= (long)len;
    }
}

static inline void handle_echo(struct http_exchange *exchange)
{
    bp_str body;

    if (http_exchange_read_all(exchange, &body) != BP_OK)
        http_exchange_send_error(exchange, 500, "internal", BP_STR("replaced by the server"));
    else
        http_exchange_send(exchange, 200, BP_STR("application/octet-stream"), body);
}

static inline void handle_pieces(struct http_exchange *exchange)
{
    bp_str piece;

    http_exchange_begin(exchange, 200, BP_STR("application/octet-stream"), -1);
    while (http_exchange_read(exchange, &piece) == BP_OK && piece.len)
        if (http_exchange_write(exchange, piece) != BP_OK)
            return;
}

static inline void handle_slow_read(struct http_exchange *exchange)
{
    bp_str piece;

    read_bytes = 0;
    call_sleep(exchange->call, BP_MILLISECONDS(700));
    while (http_exchange_read(exchange, &piece) == BP_OK && piece.len)
        read_bytes += (long)piece.len;
    http_exchange_send(exchange, 200, BP_STR("text/plain"), BP_STR("read"));
}

static inline void handle_wait(struct http_exchange *exchange)
{
    wait_entered = 1;
    wait_status = call_sleep(exchange->call, BP_SECONDS(60));
    http_exchange_send(exchange, 200, BP_STR("text/plain"), BP_STR("waited"));
}

/* As a provider's fifty tokens that came in one piece. */
static inline void handle_burst(struct http_exchange *exchange)
{
    for (int i = 0; i < 50; i++)
        http_exchange_sse(exchange, BP_STR("delta"), BP_STR(""), BP_STR("{\"text\":\"token\"}"));
}

static inline void handle_events(struct http_exchange *exchange)
{
    http_exchange_sse(exchange, BP_STR(""), BP_STR("1"), BP_STR("one"));
    http_exchange_sse(exchange, BP_STR("named"), BP_STR(""), BP_STR("two\nlines\r\nthree"));
    if (bp_str_is(exchange->query, "silent"))
        call_sleep(exchange->call, BP_MILLISECONDS(1500));
    http_exchange_sse(exchange, BP_STR(""), BP_STR(""), BP_STR(""));
}

static inline void handle_headers(struct http_exchange *exchange)
{
    bool is_right = http_exchange_add_header(exchange, BP_STR("X-Good"), BP_STR("yes")) == BP_OK &&
                    http_exchange_add_header(exchange, BP_STR("X-Bad"),
                                             BP_STR("a\r\nSet-Cookie: b")) == BP_INVALID &&
                    http_exchange_add_header(exchange, BP_STR("X-Bad"), bp_str_n("a\0b", 3)) ==
                        BP_INVALID &&
                    http_exchange_add_header(exchange, BP_STR("X Bad"), BP_STR("a")) ==
                        BP_INVALID &&
                    http_exchange_add_header(exchange, BP_STR(""), BP_STR("a")) == BP_INVALID &&
                    http_exchange_add_header(exchange, BP_STR("Content-Length"), BP_STR("7")) ==
                        BP_INVALID;
    bp_str joined = http_exchange_header(exchange, "x-twice");

    http_exchange_send(exchange, is_right ? 200 : 500, BP_STR("text/plain"), joined);
    if (http_exchange_send(exchange, 200, BP_STR(""), BP_STR("again")) != BP_CONFLICT)
        http_exchange_abort(exchange);
}

static inline void handle_path(struct http_exchange *exchange)
{
    bp_str text = arena_format(exchange->call->arena,
                               BP_FMT " " BP_FMT "?" BP_FMT " " BP_FMT " " BP_FMT,
                               BP_ARG(exchange->method), BP_ARG(exchange->path),
                               BP_ARG(exchange->query), BP_ARG(exchange->host),
                               BP_ARG(exchange->peer));
    http_exchange_send(exchange, 200, BP_STR("text/plain"), text);
}

static inline void handle_length(struct http_exchange *exchange)
{
    http_exchange_begin(exchange, 200, BP_STR("text/plain"), 10);
    http_exchange_write(exchange, BP_STR("12345"));
    if (!bp_str_is(exchange->query, "short"))
        http_exchange_write(exchange, BP_STR("67890"));
    if (bp_str_is(exchange->query, "long") &&
        http_exchange_write(exchange, BP_STR("x")) != BP_INVALID)
        http_exchange_abort(exchange);
}

static inline void handle(struct http_exchange *exchange, void *arg)
{
    bp_str path = exchange->path;

    (void)arg;
    if (bp_str_is(path, "/hello"))
        http_exchange_send(exchange, 200, BP_STR("text/plain"), BP_STR("hello"));
    else if (bp_str_is(path, "/number"))
        http_exchange_send(exchange, 200, BP_STR("text/plain"), exchange->query);
    else if (bp_str_is(path, "/later")) {
        call_sleep(exchange->call, BP_MILLISECONDS(2));
        http_exchange_send(exchange, 200, BP_STR("text/plain"), exchange->query);
    } else if (bp_str_is(path, "/echo")) {
        handle_echo(exchange);
    } else if (bp_str_is(path, "/small")) {
        exchange->max_body_bytes = 10;
        handle_echo(exchange);
    } else if (bp_str_is(path, "/pieces"))
        handle_pieces(exchange);
    else if (bp_str_is(path, "/slow-read"))
        handle_slow_read(exchange);
    else if (bp_str_is(path, "/big"))
        handle_big(exchange);
    else if (bp_str_is(path, "/wait"))
        handle_wait(exchange);
    else if (bp_str_is(path, "/burst"))
        handle_burst(exchange);
    else if (bp_str_is(path, "/events"))
        handle_events(exchange);
    else if (bp_str_is(path, "/headers"))
        handle_headers(exchange);
    else if (bp_str_is(path, "/length"))
        handle_length(exchange);
    else if (bp_str_is(path, "/empty"))
        http_exchange_send(exchange, 204, BP_STR(""), BP_STR(""));
    else if (bp_str_is(path, "/abort")) {
        http_exchange_begin(exchange, 200, BP_STR("text/plain"), -1);
        http_exchange_write(exchange, BP_STR("part"));
        http_exchange_abort(exchange);
    } else if (!bp_str_is(path, "/none"))
        handle_path(exchange);
}

#define TAIL  " HTTP/1.1\r\nHost: test\r\n"
#define CLOSE "Connection: close\r\n\r\n"

static inline int start(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig_defaults(rig);
    rig->options.header_timeout_ns = BP_MILLISECONDS(600);
    rig->options.idle_timeout_ns = BP_MILLISECONDS(900);
    rig->options.body_timeout_ns = BP_MILLISECONDS(600);
    rig->options.body_grace_ns = BP_MILLISECONDS(400);
    rig->options.heartbeat_ns = BP_MILLISECONDS(300);
    rig->options.write_timeout_ns = BP_MILLISECONDS(1500);
    rig->options.max_requests = 150;
    rig->options.max_connections_per_address = 40;
    rig_start(rig, handle);
    *state = rig;
    return 0;
}

static inline int stop(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

static inline uint16_t port_of(void **state)
{
    return ((struct rig *)*state)->port;
}

#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, start, stop)

#endif
