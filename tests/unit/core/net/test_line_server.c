/* test_line_server.c - lines in, lines out, over pipes, with readers that are slow or gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/fiber.h"
#include "net/line_server.h"

enum { LINE_MAX_BYTES = 1000, BIG_BYTES = 200000, BIG_LINES = 60, LONG_RUN_LINES = 500 };

static struct worker worker;

/* The other end of both pipes. */
struct peer {
    int         in, out; /* of the server */
    int         to, from;
    const char *script;   /* what is written, then closed */
    int64_t     grace_ns; /* of the server; 0: 300 ms */
    bool        reads;
    size_t      read_bytes, read_lines;
    char        first[4096];
    pthread_t   thread;
};

struct run {
    struct peer *peer;
    line_handler handler;
    bp_status    status;
    bool         is_done;
    int          handled, too_long, cancelled;
};

static void *talk(void *arg)
{
    struct peer *peer = arg;
    char         bytes[65536];
    ssize_t      got;
    size_t       len = strlen(peer->script);

    for (size_t at = 0; at < len;) {
        ssize_t put = write(peer->to, peer->script + at, len - at);

        if (put <= 0)
            break;
        at += (size_t)put;
    }
    close(peer->to);
    while (peer->reads && (got = read(peer->from, bytes, sizeof(bytes))) > 0) {
        size_t room = sizeof(peer->first) - 1 -
                      (peer->read_bytes < sizeof(peer->first) - 1 ? peer->read_bytes
                                                                  : sizeof(peer->first) - 1);

        memcpy(peer->first + (peer->read_bytes < sizeof(peer->first) ? peer->read_bytes : 0), bytes,
               (size_t)got < room ? (size_t)got : room);
        peer->read_bytes += (size_t)got;
        for (ssize_t i = 0; i < got; i++)
            peer->read_lines += bytes[i] == '\n';
    }
    close(peer->from);
    return NULL;
}

static void serve(bp_call *call, void *arg)
{
    struct run                *run = arg;
    struct line_server_options options = { .in = run->peer->in,
                                           .out = run->peer->out,
                                           .line_bytes_max = LINE_MAX_BYTES,
                                           .call_timeout_ns = BP_SECONDS(20),
                                           .grace_ns = run->peer->grace_ns ? run->peer->grace_ns
                                                                           : BP_MILLISECONDS(300),
                                           .handler = run->handler,
                                           .arg = run };

    run->status = line_serve(call, &options);
    call_sleep(call, BP_MILLISECONDS(5)); // handles close
    close(run->peer->out);
    close(run->peer->in);
    run->is_done = true;
}

static bool is_done(void *arg)
{
    return ((struct run *)arg)->is_done;
}

static struct run play(struct peer *peer, line_handler handler)
{
    struct run          run = { .peer = peer, .handler = handler };
    struct call_options options = { .deadline_ns = clock_now_ns() + BP_SECONDS(30) };
    int                 in[2], out[2];

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    peer->in = in[0];
    peer->to = in[1];
    peer->out = out[1];
    peer->from = out[0];
    assert_int_equal(pthread_create(&peer->thread, NULL, talk, peer), 0);
    assert_true(call_start(&worker, &options, serve, &run));
    worker_run_until(&worker, is_done, &run);
    pthread_join(peer->thread, NULL);
    return run;
}

static void echo(bp_call *call, struct line_server *server, bp_str line, bool is_too_long,
                 void *arg)
{
    struct run *run = arg;

    run->handled++;
    run->too_long += is_too_long;
    line_write(call, server, is_too_long ? BP_STR("too long") : line);
}

static void each_line_is_handled_and_answered_in_order(void **state)
{
    struct peer peer = { .script = "one\ntwo\r\n\nthree", .reads = true };
    struct run  run = play(&peer, echo);
    (void)state;
    assert_int_equal(run.status, BP_OK);
    assert_string_equal(peer.first,
                        "one\ntwo\nthree\n"); // an empty line is none; the last one needs no end
}

static void a_line_beyond_the_limit_is_skipped_and_the_next_one_served(void **state)
{
    static char script[5000];
    struct peer peer = { .script = script, .reads = true };
    struct run  run;
    (void)state;
    memset(script, 'x', 4000);
    strcpy(script + 4000, "\nafter\n");
    run = play(&peer, echo);
    assert_int_equal(run.too_long, 1);
    assert_int_equal(run.handled, 2);
    assert_string_equal(peer.first, "too long\nafter\n");
}

static void write_much(bp_call *call, struct line_server *server, bp_str line, bool is_too_long,
                       void *arg)
{
    struct run *run = arg;
    char       *text = malloc(BIG_BYTES);

    (void)line;
    (void)is_too_long;
    memset(text, 'y', BIG_BYTES);
    call_sleep(call, BP_MILLISECONDS(1)); // so that all of them come to write at once
    if (line_write(call, server, bp_str_n(text, BIG_BYTES)) == BP_OK)
        run->handled++;
    else
        run->cancelled++;
    free(text);
}

static char *many_lines(void)
{
    static char script[BIG_LINES * 2 + 1];

    for (int i = 0; i < BIG_LINES; i++)
        memcpy(script + 2 * i, "x\n", 2);
    return script;
}

static void handlers_wait_for_a_reader_and_nothing_is_lost(void **state)
{
    // The input has ended long before a slow machine has written all of it.
    struct peer peer = { .script = many_lines(), .reads = true, .grace_ns = BP_SECONDS(25) };
    struct run  run = play(&peer, write_much);
    (void)state;
    assert_int_equal(run.handled, BIG_LINES);
    assert_int_equal(peer.read_lines, BIG_LINES);
    assert_int_equal(peer.read_bytes, (size_t)BIG_LINES * (BIG_BYTES + 1));
}

static void a_reader_that_is_gone_ends_everything_at_once(void **state)
{
    struct peer peer = { .script = many_lines(), .reads = false };
    struct run  run = play(&peer, write_much);
    (void)state;
    assert_int_equal(run.status, BP_OK);
    assert_int_equal(run.handled + run.cancelled, BIG_LINES);
    assert_true(run.cancelled > 0);
}

/* Always has more to say than the reader has taken, so that there is never a moment in which
 * nothing waits. */
static void write_on_and_on(bp_call *call, struct line_server *server, bp_str line,
                            bool is_too_long, void *arg)
{
    static char text[BIG_BYTES];
    struct run *run = arg;

    (void)line;
    (void)is_too_long;
    memset(text, 'y', sizeof(text));
    for (int i = 0; i < LONG_RUN_LINES; i++)
        run->handled += line_write(call, server, bp_str_n(text, sizeof(text))) == BP_OK;
}

static long most_memory_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void what_has_been_read_is_not_kept(void **state)
{
    struct peer peer = { .script = "x\n", .reads = true };
    long        before_kib = most_memory_kib();
    struct run  run = play(&peer, write_on_and_on);
    (void)state;
    assert_int_equal(run.handled, LONG_RUN_LINES);
    assert_int_equal(peer.read_bytes, (size_t)LONG_RUN_LINES * (BIG_BYTES + 1));
    assert_true(most_memory_kib() - before_kib < 32 << 10); // of 100 MB
}

static void wait_for_ever(bp_call *call, struct line_server *server, bp_str line, bool is_too_long,
                          void *arg)
{
    struct run *run = arg;

    (void)server;
    (void)line;
    (void)is_too_long;
    run->cancelled += call_sleep(call, BP_SECONDS(200)) == BP_CANCELLED;
}

static void what_still_runs_when_the_input_has_ended_is_cancelled_in_time(void **state)
{
    struct peer peer = { .script = "a\nb\n", .reads = true };
    struct run  run = play(&peer, wait_for_ever);
    (void)state;
    assert_int_equal(run.cancelled, 2);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return worker_init(&worker, 0, 1, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    worker_free(&worker);
    return fiber_live_count() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_line_is_handled_and_answered_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_line_beyond_the_limit_is_skipped_and_the_next_one_served,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(handlers_wait_for_a_reader_and_nothing_is_lost, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_gone_ends_everything_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_has_been_read_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_still_runs_when_the_input_has_ended_is_cancelled_in_time, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
