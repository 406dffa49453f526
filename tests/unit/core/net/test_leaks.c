/* test_leaks.c - what requests, connections and lines take of memory is given back: many rounds
 * take no more than one. A sanitizer sees that by itself. */
#include "http_script.h"

#include <fcntl.h>

#include "../../../lib/gives_back.h"

#include "net/line_server.h"
#include "net/stream.h"

/* ---- requests ---- */

static const struct fetching exchanges[] = {
    { .method = "POST",
      .path = "/a/b?c",
      .headers = { "X-A|1", "Authorization|s" },
      .body = "{}",
      .redirects = 1,
      .answers = { "HTTP/1.1 307 R\r\nLocation: /n\r\n" NONE, OK } },
    { .method = "", .path = "/", .max_bytes = 1, .answers = { OK } },
    { .method = "A B", .path = "/", .answers = { OK } },
    { .method = "", .path = "/", .headers = { "Content-Length|1" }, .answers = { OK } },
    { .method = "", .path = "no url", .answers = { OK } },
    { .method = "", .path = "ftp://h/", .answers = { OK } },
    { .method = "",
      .path = "/",
      .redirects = 1,
      .answers = { "HTTP/1.1 302 R\r\nLocation: ftp://h/\r\n" NONE } },
    { .method = "",
      .path = "/",
      .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nok" } },
    { .method = "", .path = "http://localhost:1/", .answers = { OK } },
};

static void fetch_each(void)
{
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        now = &exchanges[i];
        play_now();
    }
}

static void requests_give_their_memory_back(void **state)
{
    (void)state;
    assert_gives_back(fetch_each, "requests");
}

/* ---- streams ---- */

static void serve_events(int fd, int number)
{
    char head[8192];

    (void)number;
    if (server_hear(fd, head, sizeof(head)))
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: "
                       "close\r\n\r\nid: 1\n"
                       "event: e\ndata: one\n\ndata: two\n\n");
}

static void read_events(bp_call *call)
{
    bp_http_response head = { .struct_size = sizeof(head) };
    bp_http_request  request = { .struct_size = sizeof(request) };
    bp_sse_event     event = { .struct_size = sizeof(event) };
    bp_http_stream  *stream;

    request.url = arena_format(call->arena, "http://127.0.0.1:%u/", server.port);
    for (int way = 0; way < 3; way++) { // to its end, closed before, and left to the call
        assert_status(call, http_client_open(call, &request, &head, &stream), BP_OK);
        do
            assert_status(call, http_client_read_event(call, stream, 100, &event), BP_OK);
        while (way == 0 && !event.is_end);
        if (way < 2)
            http_client_close(stream);
    }
}

static void stream_each(void)
{
    server_start(serve_events);
    on_call(read_events, BP_SECONDS(60));
    server_stop();
    http_client_free(&worker);
    worker_free(&worker);
    assert_int_equal(worker_init(&worker, 0, 1, NULL), 0);
}

static void streams_give_their_memory_back(void **state)
{
    (void)state;
    assert_gives_back(stream_each, "streams");
}

/* ---- connections ---- */

static void serve_hello(int fd, int number)
{
    char byte;

    (void)number;
    server_say(fd, "hello");
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void connect_once(bp_call *call)
{
    struct bp_stream *stream, *kept;
    _Atomic int       open = 0;
    char              bytes[8];
    size_t            count;
    bp_str            address = arena_format(call->arena, "127.0.0.1:%u", server.port);
    const bp_str     *addresses;

    assert_status(call, stream_connect(call, address, BP_FOREVER, &stream), BP_OK);
    assert_status(call, stream_keep(call, stream, &open, &kept), BP_OK);
    assert_status(call, stream_read(call, kept, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_status(call,
                  stream_read(call, kept, bytes, sizeof(bytes), clock_now_ns() + 1000000, &count),
                  BP_DEADLINE);
    stream_close(kept);
    assert_status(call, stream_connect(call, BP_STR("unix:/none"), BP_FOREVER, &stream),
                  BP_UNAVAILABLE);
    assert_status(call, stream_resolve(call, BP_STR("::1"), BP_FOREVER, &addresses, &count), BP_OK);
}

static void connect_each(void)
{
    server_start(serve_hello);
    on_call(connect_once, BP_SECONDS(60));
    server_stop();
}

static void connections_give_their_memory_and_descriptors_back(void **state)
{
    int before = dup(0), after;

    (void)state;
    close(before);
    assert_gives_back(connect_each, "connections");
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

/* ---- lines ---- */

static void answer_line(bp_call *call, struct line_server *lines, bp_str line, bool is_too_long,
                        void *arg)
{
    (void)arg;
    line_write(call, lines, is_too_long ? BP_STR("long") : line);
}

static void serve_lines(bp_call *call)
{
    int                        in[2], out[2];
    struct line_server_options options = { .line_bytes_max = 10,
                                           .call_timeout_ns = BP_SECONDS(60),
                                           .grace_ns = BP_SECONDS(60),
                                           .handler = answer_line };

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(write(in[1], "one\nof more than ten bytes\nthree", 32), 32);
    close(in[1]);
    options.in = in[0];
    options.out = out[1];
    assert_status(call, line_serve(call, &options), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK); // handles close
    close(in[0]);
    close(out[0]);
    close(out[1]);
}

static void lines_each(void)
{
    on_call(serve_lines, BP_SECONDS(60));
}

static void lines_give_their_memory_back(void **state)
{
    (void)state;
    assert_gives_back(lines_each, "lines");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(requests_give_their_memory_back),
        T(streams_give_their_memory_back),
        T(connections_give_their_memory_and_descriptors_back),
        T(lines_give_their_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
