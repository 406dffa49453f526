/* test_job.c - periodic work: when its runs begin, what they are given, and how they are stopped.
 * The file under test is compiled in, so that its timer can be looked at and fibers refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/job.h"

static bool is_memory_gone, are_fibers_gone;

static void *calloc_unless_gone(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    return is_memory_gone ? NULL : calloc(count, size);
}

static bool start_unless_gone(struct worker *of, const struct call_options *options,
                              void (*run)(bp_call *call, void *arg), void  *arg)
{
    return are_fibers_gone ? false : call_start(of, options, run, arg);
}

#define calloc     calloc_unless_gone
#define call_start start_unless_gone
#include "loop/job.c"
#undef calloc
#undef call_start

#include "loop_rig.h"

static int     runs, ends;
static int64_t deadline_ns;
static bool    stays;

static void count_run(bp_call *call, void *arg)
{
    assert_ptr_equal(arg, &runs);
    runs++;
    deadline_ns = call->deadline_ns;
    if (stays)
        assert_int_equal(call_sleep(call, BP_SECONDS(1000)), BP_CANCELLED);
    ends++;
}

static const struct job_options hourly = { .name = "hourly",
                                           .first_ns = BP_SECONDS(1800) + 1999999,
                                           .interval_ns = BP_SECONDS(3600) + 1999999,
                                           .timeout_ns = BP_SECONDS(77),
                                           .run = count_run,
                                           .arg = &runs };

static struct job *start_job(void)
{
    struct job *job = job_start(&worker, &hourly);

    assert_non_null(job);
    runs = ends = 0;
    stays = is_memory_gone = are_fibers_gone = false;
    return job;
}

static struct job *job;

static void stop_it(bp_call *call)
{
    job_stop(call, job);
}

static void the_first_run_and_the_next_come_in_their_time(void **state)
{
    int64_t before_ns;

    (void)state;
    job = start_job();
    assert_int_equal(uv_timer_get_due_in(&job->timer), 1800001);
    assert_int_equal(uv_timer_get_repeat(&job->timer), 0);
    assert_int_equal(runs, 0);
    uv_timer_stop(&job->timer);
    before_ns = clock_now_ns();
    start_run(&job->timer);
    assert_int_equal(runs, 1);
    assert_in_range(deadline_ns, before_ns + BP_SECONDS(77), clock_now_ns() + BP_SECONDS(77));
    assert_int_equal(job->runs, 0);
    assert_null(job->running);
    assert_true(uv_is_active((uv_handle_t *)&job->timer));
    assert_int_equal(uv_timer_get_due_in(&job->timer), 3600002); // never early
    assert_int_equal(uv_timer_get_repeat(&job->timer), 0);
    on_call(stop_it);
    uv_run(&worker.loop, UV_RUN_NOWAIT);
    assert_int_equal(runs, 1);
}

static void a_run_without_a_fiber_is_put_off_by_a_second(void **state)
{
    (void)state;
    job = start_job();
    uv_timer_stop(&job->timer);
    are_fibers_gone = true;
    start_run(&job->timer);
    assert_int_equal(runs, 0);
    assert_int_equal(job->runs, 0);
    assert_int_equal(uv_timer_get_due_in(&job->timer), 1000);
    assert_int_equal(uv_timer_get_repeat(&job->timer), 0);
    are_fibers_gone = false;
    start_run(&job->timer);
    assert_int_equal(runs, 1);
    on_call(stop_it);
}

static void stop_while_it_runs(bp_call *call)
{
    stays = true;
    start_run(&job->timer);
    assert_int_equal(call_sleep(call, 0), BP_OK); // it has its turn
    assert_int_equal(runs, 1);
    assert_int_equal(job->runs, 1);
    assert_non_null(job->running);
    uv_timer_start(&job->timer, start_run, 0, 0);
    job_stop(call, job);
    assert_int_equal(ends, 1); // it was cancelled and waited for
    assert_true(uv_is_closing((uv_handle_t *)&job->timer));
    assert_int_equal(job->runs, 0);
    assert_false(uv_is_active((uv_handle_t *)&job->timer));
}

static void a_run_that_is_under_way_is_cancelled_and_waited_for(void **state)
{
    (void)state;
    job = start_job();
    on_call(stop_while_it_runs);
    assert_int_equal(runs, 1);
}

static void stop_before_its_turn(bp_call *call)
{
    start_run(&job->timer);
    assert_int_equal(job->runs, 1);
    assert_null(job->running); // it waits for its turn
    job_stop(call, job);
    assert_int_equal(runs, 0); // and did nothing in it
    assert_int_equal(job->runs, 0);
}

static void a_run_that_waits_for_its_turn_does_nothing_once_stopped(void **state)
{
    (void)state;
    job = start_job();
    on_call(stop_before_its_turn);
}

static void there_is_no_job_without_memory(void **state)
{
    (void)state;
    is_memory_gone = true;
    assert_null(job_start(&worker, &hourly));
    is_memory_gone = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_WORKER(the_first_run_and_the_next_come_in_their_time),
        ON_WORKER(a_run_without_a_fiber_is_put_off_by_a_second),
        ON_WORKER(a_run_that_is_under_way_is_cancelled_and_waited_for),
        ON_WORKER(a_run_that_waits_for_its_turn_does_nothing_once_stopped),
        ON_WORKER(there_is_no_job_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
