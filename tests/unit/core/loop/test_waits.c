/* test_waits.c - waiting for descriptors, signals and others: who is woken, who is not, and what is
 * left when the wait was in vain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/call.h"
#include "loop/fiber.h"
#include "loop/signal.h"
#include "loop/waker.h"
#include "loop/watch.h"

#include "loop_rig.h"

static int pair[2];

static int set_up_pair(void **state)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    return set_up(state);
}

static int tear_down_pair(void **state)
{
    int failed = tear_down(state);

    close(pair[0]);
    close(pair[1]);
    return failed;
}

static void fill_socket(int fd)
{
    static const char bytes[65536];

    while (write(fd, bytes, sizeof(bytes)) > 0)
        ;
}

static void drain_socket(int fd)
{
    static char bytes[65536];

    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
}

/* ---- call_wait_fd() ---- */

static void wait_for_both_sides(bp_call *call)
{
    uint32_t ready = 7;

    assert_int_equal(call_wait_fd(call, pair[0], 2, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready, 2);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(call_wait_fd(call, pair[0], 1, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready, 1);
    assert_int_equal(call_wait_fd(call, pair[0], 3, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready, 3);
    assert_int_equal(call_wait_fd(call, pair[0], 1, BP_FOREVER, NULL), BP_OK);
    drain_socket(pair[0]);
    shutdown(pair[1], SHUT_WR);
    assert_int_equal(call_wait_fd(call, pair[0], 1, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready & 1, 1);
}

static void a_descriptor_is_ready_for_what_was_asked(void **state)
{
    (void)state;
    on_call(wait_for_both_sides);
}

static void wait_in_vain(bp_call *call)
{
    uint32_t ready = 7;
    int64_t  before = clock_now_ns();

    assert_int_equal(call_wait_fd(call, pair[0], 1, before + BP_MILLISECONDS(20), &ready),
                     BP_DEADLINE);
    assert_int_equal(ready, 0);
    assert_true(clock_now_ns() - before >= BP_MILLISECONDS(20));
    assert_int_equal(call->error.status, BP_DEADLINE);
    assert_non_null(strstr(call->error.message.data, "waiting for a descriptor"));
    fill_socket(pair[0]);
    assert_int_equal(call_wait_fd(call, pair[0], 2, clock_now_ns() + BP_MILLISECONDS(5), &ready),
                     BP_DEADLINE);
    assert_int_equal(call_over(call), BP_OK); // the wait's deadline is not the call's
    assert_int_equal(call_wait_fd(call, -1, 1, BP_FOREVER, &ready), BP_INVALID);
    assert_int_equal(call->error.status, BP_INVALID);
    call_cancel(call);
    assert_int_equal(call_wait_fd(call, pair[0], 1, BP_FOREVER, &ready), BP_CANCELLED);
    assert_int_equal(call->error.status, BP_CANCELLED);
}

static void a_wait_for_a_descriptor_ends_with_its_time(void **state)
{
    (void)state;
    on_call(wait_in_vain);
}

/* ---- watch.h ---- */

static struct watch *watch;
static bp_status     reader_status, writer_status;
static bool          has_read, has_written;

static bp_status watch_to_read(bp_call *call, void *arg)
{
    reader_status = watch_wait(call, watch, WATCH_READ, *(int64_t *)arg);
    has_read = true;
    return BP_OK;
}

static bp_status watch_to_write(bp_call *call, void *arg)
{
    writer_status = watch_wait(call, watch, WATCH_WRITE, *(int64_t *)arg);
    has_written = true;
    return BP_OK;
}

static void begin_both(bp_call *call, int64_t *deadline_ns, struct bp_child *children[2])
{
    has_read = has_written = false;
    assert_int_equal(call_spawn(call, "read", watch_to_read, deadline_ns, &children[0]), BP_OK);
    assert_int_equal(call_spawn(call, "write", watch_to_write, deadline_ns, &children[1]), BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
}

static void watch_both(bp_call *call)
{
    struct bp_child *children[2];
    int64_t          forever = BP_FOREVER;

    watch = watch_new(call->worker, pair[0]);
    assert_non_null(watch);
    fill_socket(pair[0]);
    begin_both(call, &forever, children);
    assert_false(has_read || has_written);
    // A second one that waits for the same is refused, and takes nothing from the first.
    assert_int_equal(watch_wait(call, watch, WATCH_READ, BP_FOREVER), BP_INVALID);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(call_join(call, children[0]), BP_OK);
    assert_int_equal(reader_status, BP_OK);
    assert_false(has_written); // an event wakes the one that waits for it
    drain_socket(pair[1]);
    assert_int_equal(call_join(call, children[1]), BP_OK);
    assert_int_equal(writer_status, BP_OK);
    // What came while nobody waited is seen by the next wait.
    assert_int_equal(watch_wait(call, watch, WATCH_READ, BP_FOREVER), BP_OK);
    drain_socket(pair[0]);
    assert_int_equal(watch_wait(call, watch, WATCH_READ, clock_now_ns() + BP_MILLISECONDS(10)),
                     BP_DEADLINE);
    assert_int_equal(watch_wait(call, watch, WATCH_WRITE, BP_FOREVER), BP_OK);
    watch_free(watch);
}

static void a_watch_wakes_each_side_for_its_own_event(void **state)
{
    (void)state;
    on_call(watch_both);
}

static void close_under_waiters(bp_call *call)
{
    struct bp_child *children[2];
    int64_t          forever = BP_FOREVER;

    watch = watch_new(call->worker, pair[0]);
    fill_socket(pair[0]);
    begin_both(call, &forever, children);
    watch_free(watch);
    watch_free(watch); // once more is harmless while somebody has not gone on
    assert_int_equal(watch_wait(call, watch, WATCH_READ, BP_FOREVER), BP_INVALID);
    assert_int_equal(call_join(call, children[0]), BP_OK);
    assert_int_equal(call_join(call, children[1]), BP_OK);
    assert_true(has_read && has_written);
    assert_int_equal(reader_status, BP_OK);
    assert_int_equal(writer_status, BP_OK);
    watch_free(NULL);
}

static void who_waits_is_woken_when_the_watch_is_closed(void **state)
{
    (void)state;
    on_call(close_under_waiters);
}

static int turns;

static void count_turn(uv_prepare_t *prepare)
{
    (void)prepare;
    turns++;
}

static void spend_a_quiet_while(bp_call *call)
{
    uv_prepare_t prepare;
    int          turns_before;

    uv_prepare_init(&call->worker->loop, &prepare);
    uv_prepare_start(&prepare, count_turn);
    watch = watch_new(call->worker, pair[0]);
    assert_int_equal(watch_wait(call, watch, WATCH_WRITE, BP_FOREVER), BP_OK);
    // It can be written all the time and nobody waits: the loop must sleep all the same.
    turns_before = turns;
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(100)), BP_OK);
    assert_in_range(turns - turns_before, 1,
                    20); // one that does not sleep turns thousands of times
    watch_free(watch);
    uv_close((uv_handle_t *)&prepare, NULL);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK); // it is closed at the next turn
}

static void an_event_that_nobody_waits_for_costs_no_turns(void **state)
{
    (void)state;
    on_call(spend_a_quiet_while);
}

static void cancel_a_watcher(bp_call *call)
{
    struct bp_child *children[2];
    int64_t          forever = BP_FOREVER;

    watch = watch_new(call->worker, pair[0]);
    fill_socket(pair[0]);
    begin_both(call, &forever, children);
    call_cancel_child(children[0]);
    assert_int_equal(call_join(call, children[0]), BP_OK);
    assert_int_equal(reader_status, BP_CANCELLED);
    assert_false(has_written);
    // Its place is free again.
    assert_int_equal(watch_wait(call, watch, WATCH_READ, clock_now_ns() + BP_MILLISECONDS(2)),
                     BP_DEADLINE);
    call_cancel_child(children[1]);
    assert_int_equal(call_join(call, children[1]), BP_OK);
    watch_free(watch);
}

static void a_cancelled_watcher_leaves_its_place(void **state)
{
    (void)state;
    on_call(cancel_a_watcher);
}

/* ---- signal.h ---- */

static void remember_a_signal(bp_call *call)
{
    struct bp_waker *signal = signal_new(call);

    assert_non_null(signal);
    signal_wake(signal); // before anybody waits
    signal_wake(signal);
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_OK);
    // Two were one, and that one is used up.
    assert_int_equal(signal_wait(call, signal, clock_now_ns() + BP_MILLISECONDS(5), "news"),
                     BP_DEADLINE);
    assert_non_null(strstr(call->error.message.data, "news took longer than the time allowed"));
    signal_wake(signal);
    call_cancel(call);
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_CANCELLED);
    signal_free(signal);
    signal_free(NULL);
}

static void a_signal_is_remembered_until_it_is_waited_for(void **state)
{
    (void)state;
    on_call(remember_a_signal);
}

static void *wake_from_a_thread(void *arg)
{
    usleep(2000);
    signal_wake(arg);
    signal_wake(arg);
    return NULL;
}

static void be_woken_by_a_thread(bp_call *call)
{
    struct bp_waker *signal = signal_new(call);
    pthread_t        thread;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wake_from_a_thread, signal), 0);
        assert_int_equal(signal_wait(call, signal, clock_now_ns() + BP_SECONDS(20), "news"), BP_OK);
        pthread_join(thread, NULL);
        call_sleep(call, BP_MILLISECONDS(1));
        signal_wait(call, signal, clock_now_ns() + BP_MILLISECONDS(1), "the second of the two");
    }
    assert_int_equal(pthread_create(&thread, NULL, wake_from_a_thread, signal), 0);
    pthread_join(thread, NULL);
    signal_free(signal); // while a wake is on its way
}

static void a_signal_comes_from_any_thread_and_outlives_its_owner(void **state)
{
    (void)state;
    on_call(be_woken_by_a_thread);
}

static bp_status set_after_a_while(bp_call *call, void *signal)
{
    BP_TRY(call_sleep(call, BP_MILLISECONDS(2)));
    signal_wake(signal);
    return BP_OK;
}

static void be_woken_by_a_fiber(bp_call *call)
{
    struct bp_waker *signal = signal_new(call);
    struct bp_child *child;

    assert_int_equal(call_spawn(call, "wake", set_after_a_while, signal, &child), BP_OK);
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_OK);
    assert_int_equal(call_join(call, child), BP_OK);
    signal_free(signal);
}

static void a_signal_comes_from_a_fiber_of_the_same_worker(void **state)
{
    (void)state;
    on_call(be_woken_by_a_fiber);
}

/* ---- waker.h ---- */

static void *wake_twice(void *arg)
{
    waker_wake(arg);
    waker_wake(arg);
    waker_release(arg);
    return NULL;
}

static void be_woken_by_a_waker(bp_call *call)
{
    struct waker *waker = waker_new(call);
    pthread_t     thread;

    for (int i = 0; i < 3; i++) { // a wake that has come is over
        waker_hold(waker);
        assert_int_equal(pthread_create(&thread, NULL, wake_twice, waker), 0);
        assert_int_equal(call_wait(call, clock_now_ns() + BP_SECONDS(20), "a waker"), BP_OK);
        pthread_join(thread, NULL);
        call_sleep(call, BP_MILLISECONDS(1));
    }
    waker_hold(waker);
    waker_wake(waker);
    waker_end(waker); // the wake is on its way to a call that will not be there
    waker_wake(waker);
    assert_int_equal(call_wait(call, clock_now_ns() + BP_MILLISECONDS(20), "nobody"), BP_DEADLINE);
    waker_release(waker);
    waker_end(NULL);
}

static void a_waker_wakes_a_call_until_it_ends(void **state)
{
    (void)state;
    on_call(be_woken_by_a_waker);
}

/* ---- slots of a worker ---- */

static void each_key_has_a_slot_of_its_own_on_each_worker(void **state)
{
    static struct worker_slot keys[2];
    struct worker             other;

    (void)state;
    assert_int_equal(worker_init(&other, 1, 2, NULL), 0);
    assert_null(*worker_slot(&worker, &keys[0]));
    *worker_slot(&worker, &keys[0]) = &keys[0];
    assert_null(*worker_slot(&worker, &keys[1]));
    assert_null(*worker_slot(&other, &keys[0]));
    *worker_slot(&worker, &keys[1]) = &keys[1];
    assert_ptr_equal(*worker_slot(&worker, &keys[0]), &keys[0]);
    assert_ptr_equal(worker_slot(&worker, &keys[0]), worker_slot(&worker, &keys[0]));
    *worker_slot(&worker, &keys[0]) = *worker_slot(&worker, &keys[1]) = NULL;
    worker_free(&other);
}

static void there_are_no_more_slots_than_were_promised(void **state)
{
    static struct worker_slot keys[WORKER_SLOTS_MAX + 1];
    pid_t                     child = fork();
    int                       status;

    (void)state;
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        for (int i = 0; i < WORKER_SLOTS_MAX + 1; i++)
            worker_slot(&worker, &keys[i]);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- posts ---- */

static int  order[4];
static int  posted;
static bool all_posted(void *arg)
{
    (void)arg;
    return posted == 4;
}

static void note_post(void *arg)
{
    order[posted++] = *(int *)arg;
}

static void posts_run_in_their_order(void **state)
{
    static int         numbers[] = { 1, 2, 3, 4 };
    struct worker_post owned[2] = { { .fn = note_post, .arg = &numbers[1] },
                                    { .fn = note_post, .arg = &numbers[3] } };

    (void)state;
    posted = 0;
    worker_post(&worker, note_post, &numbers[0]);
    worker_post_owned(&worker, &owned[0]);
    worker_post(&worker, note_post, &numbers[2]);
    worker_post_owned(&worker, &owned[1]);
    worker_run_until(&worker, all_posted, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i + 1);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up_pair, tear_down_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(a_descriptor_is_ready_for_what_was_asked),
        WITH_PAIR(a_wait_for_a_descriptor_ends_with_its_time),
        WITH_PAIR(a_watch_wakes_each_side_for_its_own_event),
        WITH_PAIR(who_waits_is_woken_when_the_watch_is_closed),
        WITH_PAIR(an_event_that_nobody_waits_for_costs_no_turns),
        WITH_PAIR(a_cancelled_watcher_leaves_its_place),
        WITH_PAIR(a_signal_is_remembered_until_it_is_waited_for),
        WITH_PAIR(a_signal_comes_from_any_thread_and_outlives_its_owner),
        WITH_PAIR(a_signal_comes_from_a_fiber_of_the_same_worker),
        WITH_PAIR(a_waker_wakes_a_call_until_it_ends),
        WITH_PAIR(each_key_has_a_slot_of_its_own_on_each_worker),
        WITH_PAIR(there_are_no_more_slots_than_were_promised),
        WITH_PAIR(posts_run_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
