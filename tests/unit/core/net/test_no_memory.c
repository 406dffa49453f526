/* test_no_memory.c - memory runs out at the n-th call for it, n = 1, 2, ... until nothing fails any
 * more: a request, a stream, a connection, lines and listeners then say so, or go on as if nothing
 * had been. */
#include "net_test.h"

#include "base/metrics.h"
#include "core/host/inject.h"
#include "net/http_server.h"
#include "net/line_server.h"
#include "net/stream.h"

enum { FAULTS_MAX = 400 };

static char what[INJECT_WHAT_BYTES];

/* BP_OK: all of it came. A script is run with a client and a cache of its own. */
static bp_status (*scenario)(bp_call *call);
static long fault;
static bool has_failed;

static void run_scenario(bp_call *call)
{
    bp_status status;

    inject_arm(INJECT_MEMORY, fault, what);
    status = scenario(call);
    has_failed = inject_disarm();
    if (!has_failed && status != BP_OK)
        fail_msg("nothing failed, and it is %s: " BP_FMT, bp_status_label(status),
                 BP_ARG(call->error.message));
    if (status != BP_OK &&
        (status != BP_NO_MEMORY || call->error.status != status || !call->error.message.len))
        fail_msg("%s failed, and it is %s: " BP_FMT, what, bp_status_label(status),
                 BP_ARG(call->error.message));
}

static void fail_at_each(bp_status (*run)(bp_call *call))
{
    scenario = run;
    has_failed = true;
    for (fault = 1; has_failed && fault < FAULTS_MAX; fault++) {
        on_call(run_scenario, BP_SECONDS(10));
        http_client_free(&worker);
        worker_free(&worker);
        assert_int_equal(worker_init(&worker, 0, 1, NULL), 0);
    }
    assert_in_range(fault, 3, FAULTS_MAX - 1); // something did fail
}

/* ---- requests ---- */

static void serve_answers(int fd, int number)
{
    char head[8192];

    (void)number;
    inject_spare(true);
    while (server_hear(fd, head, sizeof(head)))
        server_say(fd, "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 11\r\n\r\ndata: one\n\n");
}

static bp_http_request request_of(bp_call *call)
{
    static const bp_http_header header = { { "X-B", 3 }, { "c", 1 } };

    return (
        bp_http_request){ .struct_size = sizeof(bp_http_request),
                          .url = arena_format(call->arena, "http://127.0.0.1:%u/a?b", server.port),
                          .headers = &header,
                          .header_count = 1 };
}

static bp_status fetch(bp_call *call)
{
    bp_http_request  request = request_of(call);
    bp_http_response response = { .struct_size = sizeof(response) };
    bp_status        status;

    if (!request.url.len) // the test's own memory
        return call_fail(call, BP_NO_MEMORY, "no URL");
    status = http_client_fetch(call, &request, &response);
    if (status == BP_OK) {
        assert_int_equal(response.status, 200);
        assert_int_equal(response.header_count, 2);
        assert_true(bp_str_is(response.body, "data: one\n\n"));
        assert_non_null(strstr(heard_last(), "\r\nX-B: c\r\n"));
        assert_non_null(strstr(heard_last(), "\r\ntraceparent: "));
        assert_non_null(strstr(heard_last(), "\r\nX-Request-Id: "));
    }
    return status;
}

static void a_request_without_memory_says_so(void **state)
{
    (void)state;
    server_start(serve_answers);
    fail_at_each(fetch);
    server_stop();
}

static bp_status read_event(bp_call *call)
{
    bp_http_request  request = request_of(call);
    bp_http_response head = { .struct_size = sizeof(head) };
    bp_sse_event     event = { .struct_size = sizeof(event) };
    bp_http_stream  *stream;
    bp_status        status;

    if (!request.url.len)
        return call_fail(call, BP_NO_MEMORY, "no URL");
    status = http_client_open(call, &request, &head, &stream);
    if (status != BP_OK) {
        assert_null(stream);
        return status;
    }
    status = http_client_read_event(call, stream, 100, &event);
    if (status == BP_OK)
        assert_true(bp_str_is(event.data, "one"));
    http_client_close(stream);
    return status;
}

static void a_stream_of_events_without_memory_says_so(void **state)
{
    (void)state;
    server_start(serve_answers);
    fail_at_each(read_event);
    server_stop();
}

/* ---- connections ---- */

static void serve_hello(int fd, int number)
{
    char byte;

    (void)number;
    inject_spare(true);
    usleep(1000); // so that it is waited for
    server_say(fd, "hello");
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static bp_status connect_and_keep(bp_call *call)
{
    struct bp_stream *stream, *kept;
    const bp_str     *addresses;
    char              bytes[8], address[32];
    size_t            count;
    bp_status         status;

    snprintf(address, sizeof(address), "127.0.0.1:%u", server.port);
    status = stream_connect(call, bp_str_of(address), BP_FOREVER, &stream);
    if (status != BP_OK) {
        assert_null(stream);
        return status;
    }
    status = stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count);
    if (status == BP_OK) {
        assert_int_equal(count, 5);
        status = stream_keep(call, stream, NULL, &kept);
        if (status == BP_OK)
            assert_non_null(kept);
        else
            assert_null(kept);
        stream_close(kept);
    }
    if (status == BP_OK) {
        status = stream_resolve(call, BP_STR("192.0.2.1"), BP_FOREVER, &addresses, &count);
        assert_int_equal(count, status == BP_OK ? 1 : 0);
        if (status == BP_OK)
            assert_true(bp_str_is(addresses[0], "192.0.2.1") || has_failed || !addresses[0].len);
    }
    return status;
}

static void a_connection_without_memory_says_so(void **state)
{
    (void)state;
    server_start(serve_hello);
    fail_at_each(connect_and_keep);
    server_stop();
}

/* ---- lines ---- */

static int ends;

static void take_line(bp_call *call, struct line_server *lines, bp_str line, bool is_too_long,
                      void *arg)
{
    bp_status status = line_write(call, lines, line);

    (void)is_too_long;
    (void)arg;
    if (status != BP_OK)
        assert_int_equal(status, BP_NO_MEMORY);
}

static void count_end(void *arg)
{
    (void)arg;
    ends++;
}

/* What cannot be kept of a line is lost; that the input ended is not. */
static bp_status serve_lines(bp_call *call)
{
    int                        in[2], out[2];
    bp_status                  status;
    struct line_server_options options = { .line_bytes_max = 100,
                                           .call_timeout_ns = BP_SECONDS(60),
                                           .grace_ns = BP_SECONDS(60),
                                           .handler = take_line,
                                           .input_ended = count_end };

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(write(in[1], "one\ntwo\nthree", 13), 13);
    close(in[1]);
    options.in = in[0];
    options.out = out[1];
    ends = 0;
    status = line_serve(call, &options);
    if (ends != (status == BP_OK))
        fail_msg("%s failed: %d ends, and it is %s", what, ends, bp_status_label(status));
    call_sleep(call, BP_MILLISECONDS(2)); // handles close
    close(in[0]);
    close(out[0]);
    close(out[1]);
    return status;
}

static void lines_without_memory_come_to_their_end(void **state)
{
    (void)state;
    fail_at_each(serve_lines);
}

/* ---- listeners ---- */

static void listeners_without_memory_say_so(void **state)
{
    static const bp_str      addresses[2] = { { "127.0.0.1:0", 11 }, { "127.0.0.1:0", 11 } };
    struct http_edge_options options = http_edge_defaults;
    int                      before = dup(0), after;
    bool                     is_failing = true;

    (void)state;
    close(before);
    options.addresses = addresses;
    options.address_count = 2;
    options.workers = 2;
    for (long n = 1; is_failing && n < FAULTS_MAX; n++) {
        struct reason     why = { "" };
        struct http_edge *edge;

        inject_arm(INJECT_MEMORY, n, what);
        edge = http_edge_open(&options, NULL, &why);
        is_failing = inject_disarm();
        if (edge) {
            assert_int_equal(http_edge_listener_count(edge), 2);
            assert_in_range(http_edge_listener_port(edge, 1), 1, 65535);
            http_edge_close(edge);
        } else {
            assert_true(is_failing);
            assert_string_equal(why.text, "there is no memory for the listening sockets");
        }
        metrics_clear();
    }
    assert_false(is_failing);
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(a_request_without_memory_says_so),
        T(a_stream_of_events_without_memory_says_so),
        T(a_connection_without_memory_says_so),
        T(lines_without_memory_come_to_their_end),
        cmocka_unit_test(listeners_without_memory_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
