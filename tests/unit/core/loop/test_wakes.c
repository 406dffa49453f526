/* test_wakes.c - locks, signals and wakers: who is told, in which order, and how long each lives.
 * The files under test are compiled in, so that what they hold can be counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/call.h"
#include "loop/fiber.h"

static bool is_memory_gone;
static int  pieces, posts;

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

static void count_post(struct worker *to, void (*fn)(void *arg), void *arg)
{
    posts++;
    worker_post(to, fn, arg);
}

#define calloc                   count_calloc
#define free                     count_free
#define worker_post(to, fn, arg) count_post(to, fn, arg)
#include "core/lock_watch.h"
#include "loop/mutex.c"
#include "core/lock_watch_end.h"
#include "loop/signal.c"
#define wake wake_posted
#include "loop/waker.c"
#undef calloc
#undef free
#undef wake

#include "loop_rig.h"

static int begin_wakes(void **state)
{
    is_memory_gone = false;
    pieces = posts = 0;
    return set_up(state);
}

static int end_wakes(void **state)
{
    return tear_down(state) == 0 && pieces + locks_made + locks_held == 0
               ? 0
               : -1; // all that was had is given back
}

#define WAKES(test) cmocka_unit_test_setup_teardown(test, begin_wakes, end_wakes)

/* ---- locks ---- */

static struct bp_mutex *mutex;

static bp_status lock_and_keep(bp_call *call, void *arg)
{
    bp_status status = mutex_lock(call, mutex);

    *(bool *)arg = status == BP_OK;
    return status;
}

static void hand_on(bp_call *call)
{
    struct bp_child *first, *second;
    bool             has_first = false, has_second = false;

    mutex = mutex_create();
    assert_false(mutex->is_held);
    assert_int_equal(mutex_lock(call, mutex), BP_OK);
    assert_true(mutex->is_held);
    assert_int_equal(call_spawn(call, "first", lock_and_keep, &has_first, &first), BP_OK);
    assert_int_equal(call_spawn(call, "second", lock_and_keep, &has_second, &second), BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_int_equal(mutex->waiters.count, 2);
    mutex_unlock(mutex);
    assert_true(mutex->is_held); // it is the first one's, who does not know yet
    assert_int_equal(mutex->waiters.count, 1);
    assert_int_equal(call_join(call, first), BP_OK);
    assert_true(has_first && !has_second);
    call_cancel_child(second);
    assert_int_equal(call_join(call, second), BP_CANCELLED);
    assert_string_equal(call->error.message.data,
                        "waiting for a lock was given up because the caller no longer waits");
    assert_int_equal(mutex->waiters.count, 0);
    mutex_unlock(mutex);
    assert_false(mutex->is_held);

    assert_int_equal(mutex_lock(call, mutex), BP_OK);
    assert_int_equal(call_spawn(call, "second", lock_and_keep, &has_second, &second), BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    mutex_unlock(mutex); // granted and cancelled at once
    call_cancel_child(second);
    assert_int_equal(call_join(call, second), BP_CANCELLED);
    assert_false(has_second);
    assert_false(mutex->is_held); // given back

    call_cancel(call);
    assert_int_equal(mutex_lock(call, mutex), BP_CANCELLED);
    assert_string_equal(call->error.message.data,
                        "waiting for a lock was given up because the caller no longer waits");
    assert_false(mutex->is_held);
    mutex_destroy(mutex);
}

static void a_lock_is_handed_on_and_never_kept_by_who_gave_up(void **state)
{
    (void)state;
    on_call(hand_on);
}

static void its_owner_counts_a_lock_until_it_is_destroyed(void **state)
{
    _Atomic int      open = 3;
    struct bp_mutex *other;

    (void)state;
    mutex = mutex_create();
    other = mutex_create();
    mutex_set_owner(mutex, &open);
    mutex_set_owner(other, NULL);
    assert_int_equal(open, 4);
    assert_int_equal(pieces, 2);
    mutex_destroy(other);
    mutex_destroy(NULL);
    assert_int_equal(open, 4);
    mutex_destroy(mutex);
    assert_int_equal(open, 3);
    assert_int_equal(pieces, 0);
    is_memory_gone = true;
    assert_null(mutex_create());
}

/* ---- signals ---- */

static void wake_signals(bp_call *call)
{
    struct bp_waker *signal = signal_new(call);

    assert_int_equal(signal->refs, 1);
    assert_ptr_equal(signal->worker, &worker);
    signal_wake(signal); // on its worker: at once
    assert_true(signal->is_set);
    assert_int_equal(posts, 0);
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_OK);
    assert_false(signal->is_set || signal->is_waiting);
    worker_adopt_thread(NULL); // as from another thread
    signal_wake(signal);
    signal_wake(signal);
    assert_int_equal(posts, 1); // two are one
    assert_int_equal(signal->refs, 2);
    assert_true(signal->is_posted);
    assert_false(signal->is_set);
    worker_adopt_thread(&worker);
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)),
                     BP_OK); // the wake goes on behind what it woke
    assert_int_equal(signal->refs, 1);
    assert_false(signal->is_posted);
    // A wake that nobody waits for leaves another wait alone.
    signal_wake(signal);
    assert_int_equal(call_wait(call, clock_now_ns() + BP_MILLISECONDS(1), "a while"), BP_DEADLINE);
    // A deadline that has passed when the wake is there: the wake counts.
    assert_int_equal(signal_wait(call, signal, clock_now_ns() - 1, "news"), BP_OK);
    assert_int_equal(signal_wait(call, signal, clock_now_ns() - 1, "news"), BP_DEADLINE);
    assert_string_equal(call->error.message.data, "news took longer than the time allowed");
    signal_wake(signal);
    call->deadline_ns = clock_now_ns() - 1; // also at the end of the call itself
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_OK);
    assert_int_equal(signal_wait(call, signal, BP_FOREVER, "news"), BP_DEADLINE);
    worker_adopt_thread(NULL);
    signal_wake(signal);
    worker_adopt_thread(&worker);
    signal_free(signal);
    assert_int_equal(pieces, 1); // the wake that is on its way holds it
    assert_null(signal->call);
    assert_int_equal(signal->refs, 1);
    is_memory_gone = true;
    assert_null(signal_new(call));
    is_memory_gone = false;
    signal = signal_new(call);
    assert_int_equal(pieces, 2);
    signal_free(signal);
    assert_int_equal(pieces, 1);
}

static void a_signal_lives_until_its_last_wake_has_come(void **state)
{
    (void)state;
    on_call(wake_signals);
    uv_run(&worker.loop, UV_RUN_NOWAIT);
    assert_int_equal(pieces, 0);
}

/* ---- wakers ---- */

static void wake_wakers(bp_call *call)
{
    struct waker *waker = waker_new(call);

    assert_int_equal(waker->refs, 1);
    assert_ptr_equal(waker->worker, &worker);
    waker_hold(waker);
    assert_int_equal(waker->refs, 2);
    waker_wake(waker);
    waker_wake(waker);
    assert_int_equal(posts, 1);
    assert_int_equal(waker->refs, 3);
    assert_int_equal(call_wait(call, clock_now_ns() + BP_SECONDS(60), "a waker"), BP_OK);
    assert_false(waker->is_posted);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)),
                     BP_OK); // the wake goes on behind what it woke
    assert_int_equal(waker->refs, 2);
    waker_wake(waker);
    waker_end(waker);
    assert_null(waker->call);
    assert_int_equal(waker->refs, 2);
    assert_int_equal(call_wait(call, clock_now_ns() + BP_MILLISECONDS(2), "nobody"), BP_DEADLINE);
    assert_int_equal(waker->refs, 1);
    assert_int_equal(pieces, 1);
    waker_release(waker);
    assert_int_equal(pieces, 0);
    waker_end(NULL);
    is_memory_gone = true;
    assert_null(waker_new(call));
}

static void a_waker_lives_until_its_last_reference_is_gone(void **state)
{
    (void)state;
    on_call(wake_wakers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAKES(a_lock_is_handed_on_and_never_kept_by_who_gave_up),
        WAKES(its_owner_counts_a_lock_until_it_is_destroyed),
        WAKES(a_signal_lives_until_its_last_wake_has_come),
        WAKES(a_waker_lives_until_its_last_reference_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
