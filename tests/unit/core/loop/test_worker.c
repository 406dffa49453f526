/* test_worker.c - the loop of a worker: what it begins with, whose turn it is and for how long, its
 * posts, its heartbeat, its end. The file under test is compiled in, with a clock of the test's
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/fiber.h"
#include "loop/worker.h"

static int64_t now_ns;
static int     loop_fails, async_fails, thread_fails, loops_closed;
static int     turns;   /* of fibers */
static int64_t turn_ns; /* what each takes */
static bool    makes_ready;

static int64_t test_now_ns(void)
{
    return now_ns;
}

static int test_loop_init(uv_loop_t *loop)
{
    return loop_fails ? loop_fails : uv_loop_init(loop);
}

static int test_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb run)
{
    return async_fails ? async_fails : uv_async_init(loop, async, run);
}

static int test_loop_close(uv_loop_t *loop)
{
    int failed = uv_loop_close(loop);

    loops_closed += failed == 0;
    return failed;
}

static int test_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                       void *arg)
{
    return thread_fails ? thread_fails : pthread_create(thread, attributes, run, arg);
}

/* In place of a fiber: the link of a ready one. */
static void test_run_next(struct worker *of)
{
    struct queue_link *link = queue_pop(&of->ready);

    assert_ptr_equal(worker_current(), of);
    assert_true(of->is_draining);
    turns++;
    now_ns += turn_ns;
    if (makes_ready)
        queue_push_back(&of->ready, link);
}

#define clock_now_ns         test_now_ns
#define uv_loop_init         test_loop_init
#define uv_async_init        test_async_init
#define uv_loop_close        test_loop_close
#define pthread_create       test_thread
#define fiber_run_next_ready test_run_next
#include "core/lock_watch.h"
#include "loop/worker.c"
#include "core/lock_watch_end.h"
#undef pthread_create

enum { MS = 1000000 };

static struct worker one;

static int begin(void **state)
{
    (void)state;
    now_ns = 5000 * (int64_t)MS;
    loop_fails = async_fails = thread_fails = loops_closed = turns = 0;
    turn_ns = 0;
    makes_ready = false;
    memset(&one, 0x55, sizeof(one));
    return worker_init(&one, 3, 7, NULL);
}

static int end(void **state)
{
    (void)state;
    one.ready = (struct queue){ 0 };
    worker_free(&one);
    return loops_closed == 1 && !worker_current() && locks_made + locks_held == 0 ? 0 : -1;
}

#define ON_ONE(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* ---- the beginning ---- */

static void a_worker_begins_with_all_it_needs(void **state)
{
    (void)state;
    assert_int_equal(one.index, 3);
    assert_int_equal(one.count, 7);
    assert_null(one.log);
    assert_ptr_equal(one.loop.data, &one);
    assert_ptr_equal(one.wake.data, &one);
    assert_ptr_equal(one.turn.data, &one);
    assert_ptr_equal(one.flush.data, &one);
    assert_ptr_equal(one.again.data, &one);
    assert_ptr_equal(one.beat.data, &one);
    assert_int_equal(one.beat_ns, now_ns);
    assert_int_equal(one.beat_due_ns, now_ns + 100 * MS);
    assert_int_equal(one.lag_ns, 0);
    assert_int_equal(uv_timer_get_repeat(&one.beat), 100);
    assert_int_equal(uv_timer_get_due_in(&one.beat), 100);
    assert_true(uv_is_active((uv_handle_t *)&one.turn));
    assert_false(uv_is_active((uv_handle_t *)&one.flush));
    assert_false(uv_is_active((uv_handle_t *)&one.again));
    // What goes on by itself keeps no loop alive.
    assert_false(uv_has_ref((uv_handle_t *)&one.turn));
    assert_false(uv_has_ref((uv_handle_t *)&one.flush));
    assert_true(uv_has_ref((uv_handle_t *)&one.wake));
    assert_false(one.has_thread || one.is_stopping || one.is_draining || one.is_stuck);
    assert_int_equal(one.tid, 0);
    assert_null(one.current);
    assert_null(one.post_first);
}

static void a_loop_that_cannot_be_had_is_told(void **state)
{
    struct worker worker;

    (void)state;
    loops_closed = 0;
    loop_fails = UV_EMFILE;
    assert_int_equal(worker_init(&worker, 0, 1, NULL), UV_EMFILE);
    assert_int_equal(loops_closed, 0);
    loop_fails = 0;
    async_fails = UV_ENOMEM;
    assert_int_equal(worker_init(&worker, 0, 1, NULL), UV_ENOMEM);
    assert_int_equal(loops_closed, 1);
    async_fails = 0;
}

static bool is_named(const char *expected)
{
    char name[16] = "";

    pthread_getname_np(one.thread, name, sizeof(name));
    return strcmp(name, expected) == 0;
}

static void the_thread_of_a_worker_has_its_number(void **state)
{
    static const struct {
        uint32_t    index;
        const char *name;
    } names[] = {
        { 0, "worker-0" }, { 999, "worker-999" }, { 1000, "worker-0" }, { 1001, "worker-1" }
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        one.index = names[i].index;
        one.is_stopping = false;
        assert_int_equal(worker_start(&one), 0);
        assert_true(one.has_thread);
        assert_true(is_named(names[i].name));
        worker_stop(&one);
        worker_join(&one);
        assert_false(one.has_thread);
        assert_true(one.is_stopping);
        assert_int_not_equal(one.tid, 0);
        assert_int_not_equal(one.tid, (int)gettid());
    }
    worker_join(&one); // there is none any more
    thread_fails = EAGAIN;
    assert_int_equal(worker_start(&one), UV_EAGAIN);
    assert_false(one.has_thread);
}

/* ---- running ---- */

static int asked;

static bool is_done_at_third(void *arg)
{
    assert_ptr_equal(arg, &asked);
    assert_ptr_equal(worker_current(), &one);
    uv_async_send(&one.wake); // so that the loop does not wait
    return ++asked == 3;
}

static void who_ran_before_is_current_again_afterwards(void **state)
{
    struct worker other;
    clockid_t     own;

    (void)state;
    assert_null(worker_current());
    worker_adopt_thread(&other);
    asked = 0;
    worker_run_until(&one, is_done_at_third, &asked);
    assert_int_equal(asked, 3);
    assert_ptr_equal(worker_current(), &other);
    worker_adopt_thread(NULL);
    assert_int_equal(one.tid, (int)gettid());
    assert_int_equal(pthread_getcpuclockid(pthread_self(), &own), 0);
    assert_int_equal(one.cpu_clock, own);
}

static void the_end_of_a_turn_is_by_time_from_the_third_fiber_on(void **state)
{
    int64_t until_ns = 0;

    (void)state;
    assert_false(is_turn_over(0, &until_ns));
    assert_int_equal(until_ns, 0);
    assert_false(is_turn_over(1, &until_ns));
    assert_int_equal(until_ns, now_ns + 5 * MS);
    assert_false(is_turn_over(2, &until_ns));
    now_ns += 5 * MS - 1;
    assert_false(is_turn_over(2, &until_ns));
    now_ns++;
    assert_true(is_turn_over(2, &until_ns));
    assert_true(is_turn_over(3, &until_ns));
    assert_false(is_turn_over(1, &until_ns)); // a new turn
}

static void fibers_leave_time_for_the_rest_of_the_loop(void **state)
{
    static const struct {
        int     ready;
        int64_t turn_us;
        int     turns;
    } runs[] = { { 0, 0, 0 },     { 1, 9000, 1 },  { 2, 9000, 2 }, { 3, 5000, 2 },
                 { 3, 4999, 3 },  { 9, 2500, 3 },  { 9, 2499, 4 }, { 255, 0, 255 },
                 { 256, 0, 256 }, { 257, 0, 256 }, { 300, 0, 256 } };
    static struct queue_link links[300];

    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        memset(links, 0, sizeof(links));
        one.ready = (struct queue){ 0 };
        for (int n = 0; n < runs[i].ready; n++)
            queue_push_back(&one.ready, &links[n]);
        turns = 0;
        turn_ns = runs[i].turn_us * 1000;
        worker_run_ready(&one);
        assert_int_equal(turns, runs[i].turns);
        assert_int_equal(one.ready.count, runs[i].ready - runs[i].turns);
        // The loop comes back at once while there are more, and only then.
        assert_int_equal(uv_is_active((uv_handle_t *)&one.again) != 0, one.ready.count > 0);
        assert_false(one.is_draining);
        assert_null(worker_current());
        if (one.ready.count) {
            turn_ns = 0;
            uv_run(&one.loop, UV_RUN_NOWAIT);
            assert_int_equal(turns, runs[i].ready);
            assert_false(uv_is_active((uv_handle_t *)&one.again));
        }
    }
}

static void fibers_run_on_the_workers_own_stack_alone(void **state)
{
    struct queue_link link = { 0 };

    (void)state;
    queue_push_back(&one.ready, &link);
    one.current = (struct fiber *)&one;
    worker_run_ready(&one); // a fiber runs: when it leaves, they have their turn
    one.current = NULL;
    one.is_draining = true;
    worker_run_ready(&one); // this is the loop over them already
    assert_int_equal(turns, 0);
    assert_false(uv_is_active((uv_handle_t *)&one.again));
    one.is_draining = false;
    worker_run_ready(&one);
    assert_int_equal(turns, 1);
}

/* ---- posts ---- */

static char trail[64];

static void note(void *arg)
{
    strncat(trail, arg, sizeof(trail) - strlen(trail) - 1);
}

static struct worker_post again = { .fn = note, .arg = "3", .is_owned = true };

static void post_again(void *arg)
{
    note(arg);
    worker_post_owned(&one, &again); // for the next turn
    assert_ptr_equal(one.post_first, &again);
    assert_ptr_equal(one.post_last, &again);
    assert_false(again.is_owned); // it is not ours to free
}

static void what_is_posted_from_a_post_has_its_own_turn(void **state)
{
    struct queue_link  ready = { 0 };
    struct worker_post owned = { .fn = note, .arg = "2", .next = &again };

    (void)state;
    trail[0] = '\0';
    worker_post(&one, post_again, "1");
    assert_ptr_equal(one.post_first, one.post_last);
    assert_true(one.post_first->is_owned);
    worker_post_owned(&one, &owned);
    assert_ptr_equal(one.post_last, &owned);
    assert_null(owned.next);
    queue_push_back(&one.ready, &ready);
    run_posts(&one.wake);
    assert_string_equal(trail, "12");
    assert_int_equal(turns, 1); // what the posts made ready has run
    uv_run(&one.loop, UV_RUN_NOWAIT);
    assert_string_equal(trail, "123");
    assert_null(one.post_first);
    assert_null(one.post_last);
}

/* ---- the heartbeat ---- */

static void the_heartbeat_measures_how_late_the_loop_is(void **state)
{
    static const struct {
        int64_t late_ns, lag_ns;
    } beats[] = { { 0, 0 }, { 1, 1 }, { -1, 0 }, { 70 * MS, 70 * MS }, { -50 * MS, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(beats) / sizeof(beats[0]); i++) {
        now_ns = one.beat_due_ns + beats[i].late_ns;
        on_beat(&one.beat);
        assert_int_equal(one.lag_ns, beats[i].lag_ns);
        assert_int_equal(one.beat_ns, now_ns);
        assert_int_equal(one.beat_due_ns, now_ns + 100 * MS);
    }
}

/* ---- lines of the log ---- */

static void what_a_turn_logged_is_handed_over_soon_and_at_the_end(void **state)
{
    char              path[] = "/tmp/backplane-test-XXXXXX", text[4096];
    struct log_batch *before;
    struct worker     worker;
    FILE             *file;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(worker_init(&worker, 0, 1,
                                 log_open(
                                     &(struct log_options){ .level = BP_LOG_INFO, .path = path })),
                     0);
    before = log_batch_use(worker.batch);
    on_turn(&worker.turn);
    assert_false(uv_is_active((uv_handle_t *)&worker.flush)); // there is nothing
    log_message(worker.log, BP_LOG_INFO, "test", "the first");
    assert_true(log_batch_has_lines(worker.batch));
    on_turn(&worker.turn);
    assert_true(uv_is_active((uv_handle_t *)&worker.flush));
    assert_int_equal(uv_timer_get_due_in(&worker.flush), 10);
    assert_int_equal(uv_timer_get_repeat(&worker.flush), 0);
    on_flush(&worker.flush);
    assert_false(log_batch_has_lines(worker.batch));
    log_message(worker.log, BP_LOG_INFO, "test", "the second");
    uv_timer_start(&worker.flush, on_flush, 700, 0);
    uv_update_time(&worker.loop);
    on_turn(&worker.turn); // it is on its way already
    assert_in_range(uv_timer_get_due_in(&worker.flush), 11, 700);
    log_batch_use(before);
    worker_stop(&worker);
    worker_run(&worker);
    assert_false(log_batch_has_lines(worker.batch)); // the end hands over what is left
    assert_ptr_equal(log_batch_use(before), before);
    log_flush(worker.log);
    file = fopen(path, "re");
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    assert_non_null(strstr(text, "the first"));
    assert_non_null(strstr(text, "the second"));
    worker_free(&worker);
    log_close(worker.log);
    loops_closed = 0;
}

/* ---- the end ---- */

static void set_true(void *arg)
{
    *(bool *)arg = worker_current() == &one;
}

static void the_end_closes_what_others_left_open(void **state)
{
    struct worker other;
    uv_timer_t    forgotten;
    bool          has_run = false;

    (void)state;
    uv_timer_init(&one.loop, &forgotten);
    uv_timer_start(&forgotten, NULL, 60000, 0);
    worker_post(&one, set_true, &has_run);
    worker_adopt_thread(&other);
    worker_free(&one);
    assert_ptr_equal(worker_current(), &other);
    worker_adopt_thread(NULL);
    assert_true(has_run);
    assert_true(uv_is_closing((uv_handle_t *)&forgotten));
    assert_true(uv_is_closing((uv_handle_t *)&one.turn));
    assert_true(uv_is_closing((uv_handle_t *)&one.flush));
    assert_true(uv_is_closing((uv_handle_t *)&one.again));
    assert_true(uv_is_closing((uv_handle_t *)&one.beat));
    assert_true(uv_is_closing((uv_handle_t *)&one.wake));
    assert_int_equal(loops_closed, 1);
    loops_closed = 0;
    assert_int_equal(worker_init(&one, 0, 1, NULL), 0); // for the tear-down
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ONE(a_worker_begins_with_all_it_needs),
        cmocka_unit_test(a_loop_that_cannot_be_had_is_told),
        ON_ONE(the_thread_of_a_worker_has_its_number),
        ON_ONE(who_ran_before_is_current_again_afterwards),
        ON_ONE(the_end_of_a_turn_is_by_time_from_the_third_fiber_on),
        ON_ONE(fibers_leave_time_for_the_rest_of_the_loop),
        ON_ONE(fibers_run_on_the_workers_own_stack_alone),
        ON_ONE(what_is_posted_from_a_post_has_its_own_turn),
        ON_ONE(the_heartbeat_measures_how_late_the_loop_is),
        ON_ONE(what_a_turn_logged_is_handed_over_soon_and_at_the_end),
        ON_ONE(the_end_closes_what_others_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
