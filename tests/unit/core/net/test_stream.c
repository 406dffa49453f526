/* test_stream.c - connections to other servers: made, refused, late, cancelled, broken. */
#include "net_test.h"

#include <errno.h>
#include <sys/un.h>

#include "net/stream.h"

static bp_str address_of(bp_call *call, uint16_t port)
{
    return arena_format(call->arena, "127.0.0.1:%u", port);
}

/* ---- talking ---- */

static void serve_echo(int fd, int number)
{
    char    bytes[4096];
    ssize_t got;

    (void)number;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        if (!server_send(fd, bytes, (size_t)got))
            return;
}

static void talk(bp_call *call)
{
    struct bp_stream *stream;
    char              bytes[64];
    size_t            count;

    assert_status(call, stream_connect(call, address_of(call, server.port), BP_FOREVER, &stream),
                  BP_OK);
    assert_int_equal(watched_connections(), 1);
    assert_status(call, stream_write(call, stream, BP_STR("hello"), BP_FOREVER), BP_OK);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(stream_read(call, stream, bytes, sizeof(bytes),
                                 clock_now_ns() + BP_MILLISECONDS(20), &count),
                     BP_DEADLINE);
    assert_said(call, "127.0.0.1:%u did not answer in the time allowed", server.port);
    stream_close(stream);
    stream_close(stream);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                  BP_INVALID);
    // A second one is left to the end of the call.
    assert_int_equal(stream_connect(call, arena_format(call->arena, "localhost:%u", server.port),
                                    BP_FOREVER, &stream),
                     BP_OK);
}

static void bytes_go_there_and_back_and_silence_has_an_end(void **state)
{
    (void)state;
    server_start(serve_echo);
    on_call(talk, BP_SECONDS(20));
    server_stop();
}

static void serve_end(int fd, int number)
{
    server_say(fd, "bye");
    if (number == 1) {
        usleep(10000); // the client has seen its connection made
        server_reset(fd);
    }
}

static void hear_the_end(bp_call *call)
{
    struct bp_stream *stream;
    char              bytes[64];
    size_t            count, total = 0;
    bp_status         status;

    assert_status(call, stream_connect(call, address_of(call, server.port), BP_FOREVER, &stream),
                  BP_OK);
    do {
        assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                      BP_OK);
        total += count;
    } while (count);
    assert_int_equal(total, 3);
    assert_status(call, stream_connect(call, address_of(call, server.port), BP_FOREVER, &stream),
                  BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(30)), BP_OK);
    do
        status = stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count);
    while (status == BP_OK && count);
    assert_int_equal(status, BP_UNAVAILABLE);
    assert_int_equal(call->error.os_errno, ECONNRESET);
    assert_said(call, "cannot read from 127.0.0.1:%u: connection reset by peer", server.port);
}

static void an_end_is_quiet_and_a_reset_is_an_error(void **state)
{
    (void)state;
    server_start(serve_end);
    on_call(hear_the_end, BP_SECONDS(20));
    server_stop();
}

/* ---- a server without end ---- */

static void serve_without_end(int fd, int number)
{
    static const char bytes[256 << 10];

    (void)number;
    while (server_send(fd, bytes, sizeof(bytes)))
        ;
}

struct ticking {
    int  ticks;
    bool is_over, is_done;
};

static struct ticking    endless_ticking; // both may outlive the call that started them
static struct cancelling endless_cancelling;

static void tick(bp_call *call, void *arg)
{
    struct ticking *ticking = arg;

    while (!ticking->is_over && call_sleep(call, BP_MILLISECONDS(5)) == BP_OK)
        ticking->ticks++;
    ticking->is_done = true;
}

/* Bytes are there at every read, as each of them takes longer to look at than the server needs to
 * send more. */
static bp_status read_without_end(bp_call *call, int64_t deadline_ns)
{
    struct bp_stream *stream;
    char              bytes[4096];
    size_t            count;
    bp_status status = stream_connect(call, address_of(call, server.port), BP_FOREVER, &stream);
    int64_t   give_up_ns = clock_now_ns() + BP_SECONDS(10);

    if (status == BP_OK)
        status = call_sleep(call, BP_MILLISECONDS(20));
    while (status == BP_OK && clock_now_ns() < give_up_ns) {
        int64_t until_ns = clock_now_ns() + 100000;

        status = stream_read(call, stream, bytes, sizeof(bytes), deadline_ns, &count);
        while (clock_now_ns() < until_ns)
            ;
    }
    stream_close(stream);
    return status;
}

static void hear_without_end(bp_call *call)
{
    endless_cancelling = (struct cancelling){ .victim = call, .after_ns = BP_MILLISECONDS(100) };
    assert_true(call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, tick,
                           &endless_ticking));
    assert_int_equal(read_without_end(call, clock_now_ns() + BP_MILLISECONDS(300)), BP_DEADLINE);
    assert_said(call, "did not come to an end in the time allowed");
    assert_int_equal(call_over(call), BP_OK);
    assert_true(endless_ticking.ticks >= 2); // others had their turn meanwhile
    assert_true(call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &endless_cancelling));
    assert_int_equal(read_without_end(call, BP_FOREVER), BP_CANCELLED);
    endless_ticking.is_over = true;
}

static bool is_ticking_done(void *arg)
{
    return ((struct ticking *)arg)->is_done;
}

static void
a_server_that_sends_without_end_neither_keeps_others_waiting_nor_outlasts_the_deadline(void **state)
{
    (void)state;
    server_start(serve_without_end);
    on_call(hear_without_end, BP_SECONDS(20));
    worker_run_until(&worker, is_ticking_done, &endless_ticking);
    server_stop();
}

/* ---- a slow reader ---- */

enum { FLOOD_BYTES = 8 << 20 };

static _Atomic size_t flood_received;

static void serve_slowly(int fd, int number)
{
    static char bytes[1 << 20];
    ssize_t     got;

    (void)number;
    usleep(50000);
    while (flood_received < FLOOD_BYTES && (got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        flood_received += (size_t)got;
    server_say(fd, "all of it");
}

static void flood(bp_call *call)
{
    struct bp_stream *stream;
    char             *bytes = arena_alloc(call->arena, FLOOD_BYTES), answer[16];
    size_t            count;

    assert_status(call, stream_connect(call, address_of(call, server.port), BP_FOREVER, &stream),
                  BP_OK);
    assert_status(call, stream_write(call, stream, bp_str_n(bytes, FLOOD_BYTES), BP_FOREVER),
                  BP_OK);
    assert_status(call, stream_read(call, stream, answer, sizeof(answer), BP_FOREVER, &count),
                  BP_OK);
}

static void writing_suspends_until_a_slow_server_has_taken_all(void **state)
{
    (void)state;
    server_start(serve_slowly);
    on_call(flood, BP_SECONDS(20));
    server_stop();
    assert_int_equal(flood_received, FLOOD_BYTES);
}

/* ---- failing ---- */

static void connect_in_vain(bp_call *call)
{
    struct bp_stream *stream;
    uint16_t          port = free_port();
    char              path[200];

    assert_status(call, stream_connect(call, address_of(call, port), BP_FOREVER, &stream),
                  BP_UNAVAILABLE);
    assert_null(stream);
    assert_int_equal(call->error.os_errno, ECONNREFUSED);
    snprintf(path, sizeof(path), "cannot connect to 127.0.0.1:%u: connection refused", port);
    assert_string_equal(call->error.message.data, path);
    assert_status(call, stream_connect(call, BP_STR("unix:/no/such/socket"), BP_FOREVER, &stream),
                  BP_UNAVAILABLE);
    assert_string_equal(call->error.message.data,
                        "cannot connect to unix:/no/such/socket: no such file or directory");
    memset(path, 'x', sizeof(path));
    memcpy(path, "unix:/", 6);
    assert_status(call, stream_connect(call, bp_str_n(path, sizeof(path)), BP_FOREVER, &stream),
                  BP_INVALID);
    assert_status(call, stream_connect(call, BP_STR("localhost"), BP_FOREVER, &stream), BP_INVALID);
    assert_status(call, stream_connect(call, BP_STR("localhost:0"), BP_FOREVER, &stream),
                  BP_INVALID);
    assert_said(call, "write host:port");
    assert_status(call,
                  stream_connect(call, BP_STR("no-such-host.invalid:80"), BP_FOREVER, &stream),
                  BP_UNAVAILABLE);
    assert_said(call, "cannot find the host \"no-such-host.invalid\": ");
}

static void what_cannot_be_reached_is_named_with_its_reason(void **state)
{
    (void)state;
    on_call(connect_in_vain, BP_SECONDS(30));
}

static uint16_t stuck;

static void connect_too_long(bp_call *call)
{
    struct bp_stream *stream;
    struct cancelling cancelling = { .victim = call, .after_ns = BP_MILLISECONDS(20) };
    int64_t           before = clock_now_ns();

    assert_int_equal(stream_connect(call, address_of(call, stuck),
                                    clock_now_ns() + BP_MILLISECONDS(50), &stream),
                     BP_DEADLINE);
    assert_said(call, "cannot connect to 127.0.0.1:%u: connection timed out", stuck);
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &cancelling));
    assert_status(call, stream_connect(call, address_of(call, stuck), BP_FOREVER, &stream),
                  BP_CANCELLED);
    assert_true(cancelling.is_done);
    assert_in_range(clock_now_ns() - before, BP_MILLISECONDS(50), BP_SECONDS(5));
}

static void connecting_ends_at_its_deadline_and_when_cancelled(void **state)
{
    int fds[4];

    (void)state;
    stuck = stuck_port(fds);
    on_call(connect_too_long, BP_SECONDS(20));
    unstick(fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_there_and_back_and_silence_has_an_end,
                                        set_up_worker, tear_down_worker),
        cmocka_unit_test_setup_teardown(
            a_server_that_sends_without_end_neither_keeps_others_waiting_nor_outlasts_the_deadline,
            set_up_worker, tear_down_worker),
        cmocka_unit_test_setup_teardown(an_end_is_quiet_and_a_reset_is_an_error, set_up_worker,
                                        tear_down_worker),
        cmocka_unit_test_setup_teardown(writing_suspends_until_a_slow_server_has_taken_all,
                                        set_up_worker, tear_down_worker),
        cmocka_unit_test_setup_teardown(what_cannot_be_reached_is_named_with_its_reason,
                                        set_up_worker, tear_down_worker),
        cmocka_unit_test_setup_teardown(connecting_ends_at_its_deadline_and_when_cancelled,
                                        set_up_worker, tear_down_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
