/* test_descriptors.c - what libuv reports of a descriptor, and what a wait and a watch make of it.
 * The files under test are compiled in, so that their callbacks can be called with each event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/call.h"
#include "loop/fiber.h"
#include "loop/watch.h"

static bool    is_memory_gone;
static int     pieces; /* of heap memory that waits hold */
static int64_t skipped_ns;
static int     poll_started, poll_stopped, polled_for;

static void *count_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    if (is_memory_gone)
        return NULL;
    pieces++;
    return calloc(count, size);
}

static void count_free(void *piece)
{
    pieces--;
    free(piece);
}

static int64_t test_now_ns(void)
{
    return clock_now_ns() + skipped_ns;
}

static int count_poll_start(uv_poll_t *poll, int events, uv_poll_cb on_event)
{
    poll_started++;
    polled_for = events;
    return uv_poll_start(poll, events, on_event);
}

static int count_poll_stop(uv_poll_t *poll)
{
    poll_stopped++;
    return uv_poll_stop(poll);
}

#define calloc        count_calloc
#define free          count_free
#define clock_now_ns  test_now_ns
#define uv_poll_start count_poll_start
#define uv_poll_stop  count_poll_stop
#define on_closed     on_wait_closed
#include "loop/wait.c"
#undef on_closed
#include "loop/watch.c"
#undef calloc
#undef free
#undef clock_now_ns

#include "loop_rig.h"

static int pair[2];

static int begin_pair(void **state)
{
    is_memory_gone = false;
    pieces = poll_started = poll_stopped = polled_for = 0;
    skipped_ns = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    return set_up(state);
}

static int end_pair(void **state)
{
    int failed = tear_down(state);

    close(pair[0]);
    close(pair[1]);
    return failed || pieces ? -1 : 0; // all that was had is given back
}

#define PAIRED(test) cmocka_unit_test_setup_teardown(test, begin_pair, end_pair)

/* ---- a wait ---- */

static bool is_poll_closed;

static void note_closed(uv_handle_t *handle)
{
    (void)handle;
    is_poll_closed = true;
}

static void report_events(bp_call *call)
{
    static const struct {
        int      status, events;
        uint32_t ready;
    } reports[] = { { 0, UV_READABLE, 1 },    { 0, UV_DISCONNECT, 1 },
                    { 0, UV_WRITABLE, 2 },    { 0, UV_READABLE | UV_WRITABLE, 3 },
                    { 0, UV_PRIORITIZED, 0 }, { UV_EBADF, 0, 3 } };

    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        struct fd_wait wait = { .call = call };

        assert_int_equal(uv_poll_init(&worker.loop, &wait.poll, pair[0]), 0);
        wait.poll.data = &wait;
        uv_poll_start(&wait.poll, UV_READABLE, on_ready);
        on_ready(&wait.poll, reports[i].status, reports[i].events);
        assert_int_equal(wait.ready, reports[i].ready);
        assert_true(wait.is_done);
        assert_false(uv_is_active((uv_handle_t *)&wait.poll));
        assert_int_equal(call_wait(call, test_now_ns() + BP_SECONDS(60), "its wake"), BP_OK);
        wait = (struct fd_wait){ .poll = wait.poll };
        on_ready(&wait.poll, 0, UV_READABLE); // nobody waits any more
        assert_false(wait.is_done);
        assert_int_equal(wait.ready, 0);
        is_poll_closed = false;
        uv_close((uv_handle_t *)&wait.poll, note_closed);
        while (!is_poll_closed)
            assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    }
}

static void each_event_of_a_descriptor_wakes_its_waiter_once(void **state)
{
    (void)state;
    on_call(report_events);
}

static void wait_for_fds(bp_call *call)
{
    static const struct {
        uint32_t events;
        int      polled;
        uint32_t ready;
    } waits[] = { { 2, UV_WRITABLE, 2 },
                  { 1, UV_READABLE | UV_DISCONNECT, 1 },
                  { 3, UV_READABLE | UV_DISCONNECT | UV_WRITABLE, 3 } };
    uint32_t ready = 7;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(call_wait_fd(call, pair[0], waits[i].events, BP_FOREVER, &ready), BP_OK);
        assert_int_equal(polled_for, waits[i].polled);
        assert_int_equal(ready, waits[i].ready);
        if (i == 0)
            assert_int_equal(write(pair[1], "x", 1), 1);
    }
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(pieces, 0);
    is_memory_gone = true;
    assert_int_equal(call_wait_fd(call, pair[0], 1, BP_FOREVER, &ready), BP_NO_MEMORY);
    assert_int_equal(call->error.status, BP_NO_MEMORY);
    assert_string_equal(call->error.message.data, "no memory to wait for a descriptor");
    is_memory_gone = false;
    assert_int_equal(call_wait_fd(call, 9999, 1, BP_FOREVER, &ready), BP_INVALID);
    assert_string_equal(call->error.message.data,
                        "descriptor 9999 cannot be waited for: bad file descriptor");
    assert_int_equal(pieces, 0);
    call_cancel(call);
    assert_int_equal(call_wait_fd(call, pair[0], 1, BP_FOREVER, &ready), BP_CANCELLED);
    assert_int_equal(pieces, 0);
}

static void a_wait_asks_for_what_was_asked_and_leaves_nothing(void **state)
{
    (void)state;
    on_call(wait_for_fds);
}

/* ---- sleeping and yielding ---- */

static int others_turns;

static void take_turns(bp_call *call, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        others_turns++;
        fiber_yield(call->fiber);
    }
}

static void yield_when_due(bp_call *call)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };

    others_turns = 0;
    assert_true(call_start(&worker, &options, take_turns, NULL));
    call->worker->running.since_ns = test_now_ns();
    skipped_ns = (int64_t)CALL_BUDGET_US * 1000 - BP_MILLISECONDS(2) + 1;
    call->worker->running.since_ns = clock_now_ns() + BP_SECONDS(1);
    assert_int_equal(call_yield_if_due(call), BP_OK);
    assert_int_equal(others_turns, 0); // it has hardly begun
    skipped_ns = BP_SECONDS(1) + (int64_t)CALL_BUDGET_US * 1000;
    assert_int_equal(call_yield_if_due(call), BP_OK);
    assert_int_equal(others_turns, 1);
    call->worker->running.since_ns = clock_now_ns() + BP_SECONDS(1);
    skipped_ns = 0;
    assert_int_equal(call_sleep(call, 0), BP_OK); // at least a turn of the others
    assert_int_equal(others_turns, 2);
    assert_int_equal(call_sleep(call, -1), BP_OK);
    assert_int_equal(others_turns, 3);
    call_cancel(call);
    assert_int_equal(call_yield_if_due(call), BP_CANCELLED);
    assert_int_equal(call_sleep(call, 5), BP_CANCELLED);
    assert_string_equal(call->error.message.data,
                        "sleeping was given up because the caller no longer waits");
}

static void a_long_loop_lets_others_go_on_when_its_time_is_up(void **state)
{
    (void)state;
    on_call(yield_when_due);
}

static void *sleeper;

static void wake_early(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    for (int i = 0; i < 3; i++) {
        call_wake(sleeper);
        fiber_yield(call->fiber);
    }
}

static void sleep_through_wakes(bp_call *call)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };
    int64_t             before_ns = clock_now_ns();

    sleeper = call;
    assert_true(call_start(&worker, &options, wake_early, NULL));
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(15)), BP_OK);
    assert_true(clock_now_ns() - before_ns >= BP_MILLISECONDS(15));
}

static void a_wake_that_is_not_meant_does_not_end_a_sleep(void **state)
{
    (void)state;
    on_call(sleep_through_wakes);
}

/* ---- a watch ---- */

static struct watch *watch;

static struct {
    bp_status status;
    int       ends;
} sides[2];

static bp_status watch_side(bp_call *call, void *arg)
{
    uint32_t side = (uint32_t)(uintptr_t)arg;

    sides[side].status = watch_wait(call, watch, side ? WATCH_WRITE : WATCH_READ, BP_FOREVER);
    sides[side].ends++;
    return BP_OK;
}

/* Both wait, and no event comes from outside. */
static void watch_both(bp_call *call, struct bp_child *children[2])
{
    memset(sides, 0, sizeof(sides));
    for (uintptr_t side = 0; side < 2; side++)
        assert_int_equal(call_spawn(call, "watch", watch_side, (void *)side, &children[side]),
                         BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_int_equal(watch->holds, 2);
    assert_int_equal(watch->polled, WATCH_READ | WATCH_WRITE);
    uv_poll_stop(&watch->poll);
}

static void report_to_both(bp_call *call)
{
    static const struct {
        int status, events;
        int ends[2];
    } reports[] = { { 0, UV_READABLE, { 1, 0 } },
                    { 0, UV_WRITABLE, { 0, 1 } },
                    { 0, UV_READABLE | UV_WRITABLE, { 1, 1 } },
                    { 0, 0, { 0, 0 } },
                    { UV_EBADF, 0, { 1, 1 } } };
    struct bp_child *children[2];

    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        watch = watch_new(&worker, pair[0]);
        watch_both(call, children);
        on_event(&watch->poll, reports[i].status, reports[i].events);
        assert_int_equal(watch->polled, reports[i].status ? 0 : WATCH_READ | WATCH_WRITE);
        assert_int_equal(call_sleep(call, 0), BP_OK);
        for (int side = 0; side < 2; side++) {
            assert_int_equal(sides[side].ends, reports[i].ends[side]);
            assert_int_equal(sides[side].status, BP_OK);
        }
        assert_int_equal(watch->holds, 2 - reports[i].ends[0] - reports[i].ends[1]);
        watch_free(watch);
        for (int side = 0; side < 2; side++)
            assert_int_equal(call_join(call, children[side]), BP_OK);
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    }
}

static void an_event_wakes_those_who_wait_for_it(void **state)
{
    (void)state;
    on_call(report_to_both);
}

static void report_to_nobody(bp_call *call)
{
    watch = watch_new(&worker, pair[0]);
    assert_int_equal(watch_wait(call, watch, WATCH_WRITE, BP_FOREVER), BP_OK);
    assert_int_equal(poll_started, 1);
    assert_int_equal(polled_for, UV_WRITABLE);
    assert_int_equal(watch_wait(call, watch, WATCH_WRITE, BP_FOREVER), BP_OK);
    assert_int_equal(poll_started, 1); // waiting again costs nothing
    assert_int_equal(watch->polled, WATCH_WRITE);
    on_event(&watch->poll, 0, UV_WRITABLE);
    assert_int_equal(watch->polled, 0); // nobody waits for it now
    assert_int_equal(poll_stopped, 1);
    assert_false(uv_is_active((uv_handle_t *)&watch->poll));
    assert_int_equal(watch_wait(call, watch, WATCH_READ, test_now_ns() + 1), BP_DEADLINE);
    assert_int_equal(polled_for, UV_READABLE);
    assert_int_equal(watch_wait(call, watch, WATCH_WRITE, BP_FOREVER), BP_OK);
    assert_int_equal(polled_for, UV_READABLE | UV_WRITABLE);
    on_event(&watch->poll, 0, UV_READABLE);
    assert_int_equal(watch->polled, WATCH_WRITE);
    assert_int_equal(polled_for, UV_WRITABLE);
    assert_int_equal(watch->holds, 0);
    watch_free(watch);
}

static void an_event_that_nobody_waits_for_is_not_asked_for_again(void **state)
{
    (void)state;
    on_call(report_to_nobody);
}

static bp_status close_when_woken(bp_call *call, void *arg)
{
    bp_status status = watch_wait(call, watch, WATCH_READ, BP_FOREVER);

    (void)arg;
    watch_free(watch);
    return status;
}

static void close_within(bp_call *call)
{
    struct bp_child *closer, *writer;

    memset(sides, 0, sizeof(sides));
    watch = watch_new(&worker, pair[0]);
    assert_int_equal(call_spawn(call, "close", close_when_woken, NULL, &closer), BP_OK);
    assert_int_equal(call_spawn(call, "write", watch_side, (void *)(uintptr_t)1, &writer), BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    on_event(&watch->poll, 0, UV_READABLE);
    assert_int_equal(call_join(call, closer), BP_OK);
    assert_int_equal(call_join(call, writer), BP_OK);
    assert_int_equal(sides[1].ends, 1);
    is_memory_gone = true;
    assert_null(watch_new(&worker, pair[0]));
    is_memory_gone = false;
    assert_null(watch_new(&worker, -1));
}

static void who_is_woken_may_close_the_watch(void **state)
{
    (void)state;
    on_call(close_within);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIRED(each_event_of_a_descriptor_wakes_its_waiter_once),
        PAIRED(a_wait_asks_for_what_was_asked_and_leaves_nothing),
        PAIRED(a_long_loop_lets_others_go_on_when_its_time_is_up),
        PAIRED(a_wake_that_is_not_meant_does_not_end_a_sleep),
        PAIRED(an_event_wakes_those_who_wait_for_it),
        PAIRED(an_event_that_nobody_waits_for_is_not_asked_for_again),
        PAIRED(who_is_woken_may_close_the_watch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
