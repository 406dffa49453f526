/* test_pool.c - jobs on threads: how many wait, who is waited for, and what is left of them. The
 * file under test is compiled in, so that its queue can be full and its threads refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/crash.h"
#include "loop/pool.h"

static int threads_left = -1; /* of those that can be made; -1: any number */

static int test_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                       void *arg)
{
    if (threads_left == 0)
        return 11;
    threads_left -= threads_left > 0;
    return pthread_create(thread, attributes, run, arg);
}

/* What the crash report is told. */
static _Atomic int            crash_threads;
static _Thread_local bp_call *crash_call;

static void test_crash_start(void)
{
    crash_threads++;
}

static void test_crash_stop(void)
{
    crash_threads--;
}

static void test_crash_call(bp_call *call)
{
    crash_call = call;
}

#define pthread_create     test_thread
#define crash_thread_start test_crash_start
#define crash_thread_stop  test_crash_stop
#define crash_running_call test_crash_call
#include "core/lock_watch.h"
#include "loop/pool.c"
#include "core/lock_watch_end.h"
#undef pthread_create

#include "loop_rig.h"

static struct bp_pool *pool;

static void settle(void)
{
    bool is_idle;

    do {
        usleep(200);
        pthread_mutex_lock(&pool->lock);
        is_idle = pool->busy == 0 && pool->queued.count == 0;
        pthread_mutex_unlock(&pool->lock);
    } while (!is_idle);
}

/* ---- the pool itself ---- */

static bp_status get_name(bp_call *call, void *arg)
{
    assert_ptr_equal(crash_call, call);
    assert_int_equal(crash_threads, 1);
    assert_true(pool_is_job_thread());
    return pthread_getname_np(pthread_self(), arg, 16) == 0 ? BP_OK : BP_INTERNAL;
}

static void ask_for_name(bp_call *call)
{
    char name[16] = "";

    assert_int_equal(pool_offload(call, pool, get_name, name), BP_OK);
    assert_string_equal(name, "a-very-long-nam");
    assert_false(pool_is_job_thread());
}

static void the_threads_of_a_pool_bear_its_name(void **state)
{
    (void)state;
    pool = pool_create("a-very-long-name-of-a-pool", 1);
    assert_string_equal(pool->name, "a-very-long-nam");
    on_call(ask_for_name);
    pool_destroy(pool);
    assert_int_equal(crash_threads, 0);
    assert_int_equal(locks_made + locks_held, 0);
}

static void its_owner_counts_a_pool_until_it_is_destroyed(void **state)
{
    _Atomic int     open = 5;
    struct bp_pool *other;

    (void)state;
    pool = pool_create("counted", 3);
    assert_int_equal(pool->thread_count, 3);
    assert_int_equal(pool->made, 3);
    assert_int_equal(pool->idle, 3);
    pool_set_owner(pool, &open);
    assert_int_equal(open, 6);
    other = pool_create("not counted", 1);
    pool_set_owner(other, NULL);
    pool_destroy(other);
    assert_int_equal(open, 6);
    pool_destroy(pool);
    assert_int_equal(open, 5);
    pool_destroy(NULL);
}

static void a_pool_without_all_its_threads_is_none(void **state)
{
    (void)state;
    for (threads_left = 0; threads_left < 3;) {
        int had = threads_left;

        assert_null(pool_create("test", 3));
        threads_left = had + 1;
    }
    pool = pool_create("test", 3);
    assert_non_null(pool);
    assert_int_equal(threads_left, 0);
    pool_destroy(pool);
    threads_left = -1;
}

static void threads_are_counted_one_by_one(void **state)
{
    struct bp_pool none = { .lock = PTHREAD_MUTEX_INITIALIZER };

    (void)state;
    count_thread(&none, 1);
    count_thread(&none, 1);
    assert_int_equal(none.made, 2);
    assert_int_equal(none.idle, 2);
    count_thread(&none, -1);
    assert_int_equal(none.made, 1);
    assert_int_equal(none.idle, 1);
    assert_int_equal(none.busy, 0);
}

/* ---- the queue ---- */

static _Atomic int  ran;
static _Atomic bool may_end, has_begun;

static bp_status count_job(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    ran++;
    return BP_OK;
}

static bp_status hold_thread(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    has_begun = true;
    while (!may_end)
        usleep(200);
    return BP_DATA;
}

static bp_status offload_hold(bp_call *call, void *arg)
{
    return pool_offload(call, pool, hold_thread, arg);
}

static bp_status offload_count(bp_call *call, void *arg)
{
    return pool_offload(call, pool, count_job, arg);
}

static void fill_queue(bp_call *call)
{
    struct bp_child *holder, *last;

    ran = 0;
    may_end = has_begun = false;
    assert_int_equal(call_spawn(call, "hold", offload_hold, NULL, &holder), BP_OK);
    while (!has_begun)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(pool->idle, 0);
    assert_int_equal(pool->busy, 1);
    pool->queued.count = POOL_QUEUE_MAX; // as if so many waited
    assert_int_equal(pool_offload(call, pool, count_job, NULL), BP_LIMIT);
    assert_string_equal(call->error.message.data,
                        "the queue of thread pool \"test\" is full with 4096 jobs");
    assert_int_equal(call->error.status, BP_LIMIT);
    pool->queued.count = POOL_QUEUE_MAX - 1; // one more has room
    assert_int_equal(call_spawn(call, "last", offload_count, NULL, &last), BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_int_equal(pool->queued.count, POOL_QUEUE_MAX);
    pool->queued.count = 1;
    may_end = true;
    assert_int_equal(call_join(call, holder), BP_DATA);
    assert_int_equal(call_join(call, last), BP_OK);
    assert_int_equal(ran, 1);
    settle();
    assert_int_equal(pool->idle, 1);
    pool->is_closing = true; // as it is while it is destroyed
    assert_int_equal(pool_offload(call, pool, count_job, NULL), BP_LIMIT);
    assert_int_equal(ran, 1);
    assert_int_equal(pool->queued.count, 0);
}

static void a_queue_that_is_full_or_closing_takes_no_job(void **state)
{
    (void)state;
    pool = pool_create("test", 1);
    on_call(fill_queue);
    pool_destroy(pool);
}

static void *let_go(void *arg)
{
    bool is_closing = false;

    (void)arg;
    while (!is_closing) {
        pthread_mutex_lock(&pool->lock);
        is_closing = pool->is_closing;
        pthread_mutex_unlock(&pool->lock);
        usleep(200);
    }
    may_end = true;
    return NULL;
}

static int children_done;

static void run_child_job(bp_call *call, void *arg)
{
    bp_status status = pool_offload(call, pool, arg ? hold_thread : count_job, NULL);

    assert_int_equal(status, arg ? BP_DATA : BP_OK);
    children_done++;
}

static bool three_done(void *arg)
{
    (void)arg;
    return children_done == 3;
}

static void a_pool_that_is_destroyed_runs_what_is_queued(void **state)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };
    pthread_t           thread;

    (void)state;
    ran = children_done = 0;
    may_end = has_begun = false;
    pool = pool_create("test", 1);
    assert_true(call_start(&worker, &options, run_child_job, &worker));
    assert_true(call_start(&worker, &options, run_child_job, NULL));
    assert_true(call_start(&worker, &options, run_child_job, NULL));
    assert_int_equal(pthread_create(&thread, NULL, let_go, NULL), 0);
    pool_destroy(pool); // not before all three have run
    assert_int_equal(ran, 2);
    assert_true(may_end);
    pthread_join(thread, NULL);
    worker_run_until(&worker, three_done, NULL);
}

/* ---- a call that is over ---- */

static bp_status wait_for_cancel(bp_call *call, void *arg)
{
    (void)arg;
    has_begun = true;
    while (call_over(call) == BP_OK)
        usleep(200);
    return BP_OK; // it had the last word
}

static bp_status offload_waiter(bp_call *call, void *arg)
{
    return pool_offload(call, pool, wait_for_cancel, arg);
}

static void cancel_begun_and_queued(bp_call *call)
{
    struct bp_child *begun, *queued;

    ran = 0;
    has_begun = false;
    assert_int_equal(call_spawn(call, "begun", offload_waiter, NULL, &begun), BP_OK);
    while (!has_begun)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(call_spawn(call, "queued", offload_count, NULL, &queued), BP_OK);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_int_equal(pool->queued.count, 1);
    call_cancel_child(queued);
    assert_int_equal(call_join(call, queued), BP_CANCELLED);
    assert_string_equal(call->error.message.data, "waiting for a pool thread was given up because "
                                                  "the caller no longer waits");
    assert_int_equal(pool->queued.count, 0);
    call_cancel_child(begun);
    assert_int_equal(call_join(call, begun), BP_OK); // what it says counts
    assert_int_equal(ran, 0);
    call_cancel(call);
    assert_int_equal(pool_offload(call, pool, count_job, NULL), BP_CANCELLED);
    assert_string_equal(call->error.message.data, "a job for the thread pool was given up because "
                                                  "the caller no longer waits");
    assert_int_equal(ran, 0);
}

static void a_job_that_has_begun_has_the_last_word(void **state)
{
    (void)state;
    pool = pool_create("test", 1);
    on_call(cancel_begun_and_queued);
    settle();
    assert_int_equal(pool->idle, 1);
    assert_int_equal(pool->made, 1);
    pool_destroy(pool);
}

/* ---- asking the fiber ---- */

static int  answers;
static bool has_asked;

static bp_status answer_it(bp_call *call, void *arg)
{
    assert_ptr_equal(worker_current(), &worker);
    assert_false(pool_is_job_thread());
    assert_ptr_equal(arg, &answers);
    answers++;
    return answers == 2 ? call_fail(call, BP_FULL, "the second") : BP_OK;
}

static bp_status ask_when_over(bp_call *call, void *arg)
{
    has_begun = true;
    while (arg && call_over(call) == BP_OK)
        usleep(200);
    assert_int_equal(pool_run_on_fiber(call, answer_it, &answers), BP_OK);
    assert_int_equal(pool_run_on_fiber(call, answer_it, &answers), BP_FULL);
    assert_int_equal(pool_run_on_fiber(call, answer_it, &answers), BP_OK);
    has_asked = true;
    return BP_CONFLICT;
}

static bp_status offload_asker(bp_call *call, void *arg)
{
    return pool_offload(call, pool, ask_when_over, arg);
}

static void ask_for_a_call_that_is_over(bp_call *call)
{
    struct bp_child *child;

    for (int is_over = 0; is_over < 2; is_over++) {
        answers = 0;
        has_begun = has_asked = false;
        assert_int_equal(call_spawn(call, "ask", offload_asker, is_over ? call : NULL, &child),
                         BP_OK);
        while (!has_begun)
            assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
        if (is_over)
            call_cancel_child(child);
        assert_int_equal(call_join(call, child), BP_CONFLICT);
        assert_int_equal(answers, 3);
        assert_true(has_asked);
    }
}

static void a_job_is_answered_also_when_its_call_is_over(void **state)
{
    (void)state;
    pool = pool_create("test", 2);
    on_call(ask_for_a_call_that_is_over);
    pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_WORKER(the_threads_of_a_pool_bear_its_name),
        ON_WORKER(its_owner_counts_a_pool_until_it_is_destroyed),
        ON_WORKER(a_pool_without_all_its_threads_is_none),
        ON_WORKER(threads_are_counted_one_by_one),
        ON_WORKER(a_queue_that_is_full_or_closing_takes_no_job),
        ON_WORKER(a_pool_that_is_destroyed_runs_what_is_queued),
        ON_WORKER(a_job_that_has_begun_has_the_last_word),
        ON_WORKER(a_job_is_answered_also_when_its_call_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
