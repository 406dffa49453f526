/* runs_inside.h - runs.c compiled into the test, with memory, fibers and clocks that may be
 * refused, and the work that the tests of its bounds begin. */
#ifndef TESTS_UNIT_CORE_OPS_RUNS_INSIDE_H
#define TESTS_UNIT_CORE_OPS_RUNS_INSIDE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/waker.h"
#include "ops/runs.h"
#include "plugin/gate.h"

static bool is_memory_gone, are_fibers_gone, are_wakers_gone, are_texts_gone, are_jobs_gone,
    are_shares_gone;
static int64_t skipped_ns, wall_of_test;
static int     pieces;

static void *runs_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    pieces += !is_memory_gone;
    return is_memory_gone ? NULL : calloc(count, size);
}

static void runs_free_piece(void *piece)
{
    pieces -= piece != NULL;
    free(piece);
}

static struct call_options started_with;

static bool runs_call_start(struct worker *worker, const struct call_options *options,
                            void (*run)(bp_call *call, void *arg), void      *arg)
{
    started_with = *options;
    return are_fibers_gone ? false : call_start(worker, options, run, arg);
}

static struct waker *runs_waker(bp_call *call)
{
    return are_wakers_gone ? NULL : waker_new(call);
}

static struct shared_text *runs_text(bp_str text)
{
    return are_texts_gone ? NULL : shared_text_new(text);
}

static struct job_options job_started;
static int                jobs_stopped;

static struct job *runs_job(struct worker *worker, const struct job_options *options)
{
    (void)worker;
    job_started = *options;
    return are_jobs_gone ? NULL : (struct job *)&job_started;
}

static void runs_job_stop(bp_call *call, struct job *job)
{
    (void)call;
    assert_ptr_equal(job, &job_started);
    jobs_stopped++;
}

static struct shares *runs_shares(size_t each_max, size_t all_max)
{
    return are_shares_gone ? NULL : shares_new(each_max, all_max);
}

static int64_t runs_now_ns(void)
{
    return clock_now_ns() + skipped_ns;
}

static int64_t runs_wall_ns(void)
{
    return ++wall_of_test;
}

static void count_up(void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(i + 1);
}

#define calloc          runs_calloc
#define free            runs_free_piece
#define call_start      runs_call_start
#define waker_new       runs_waker
#define shared_text_new runs_text
#define job_start       runs_job
#define job_stop        runs_job_stop
#define shares_new      runs_shares
#define clock_now_ns    runs_now_ns
#define clock_wall_ns   runs_wall_ns
#define crypto_random   count_up
#include "core/lock_watch.h"
#include "ops/runs.c"
#include "core/lock_watch_end.h"
#undef calloc
#undef free
#undef call_start
#undef waker_new
#undef shared_text_new
#undef job_start
#undef job_stop
#undef shares_new
#undef clock_now_ns
#undef crypto_random

#include "runs_rig.h"

static inline int begin_runs(void **state)
{
    is_memory_gone = are_fibers_gone = are_wakers_gone = are_texts_gone = are_jobs_gone = false;
    are_shares_gone = false;
    skipped_ns = wall_of_test = 0;
    pieces = jobs_stopped = 0;
    return set_up(state);
}

static inline int end_runs(void **state)
{
    return tear_down(state) == 0 && pieces + locks_made + locks_held == 0
               ? 0
               : -1; // all that was had is given back
}

#define BOUNDED(test) cmocka_unit_test_setup_teardown(test, begin_runs, end_runs)

/* ---- work ---- */

static bool may_end;

static inline void work_until_told(bp_call *call, struct run *run, void *arg)
{
    while (!may_end && call_over(call) == BP_OK)
        call_sleep(call, BP_MILLISECONDS(1));
    run_end(call, run, RUN_COMPLETED, arg ? bp_str_of(arg) : BP_STR(""), "too large");
}

static inline struct run *make(bp_call *call, const uint8_t owner[16], const char *id)
{
    struct run *run = run_new(call, runs, owner, owner, id);

    assert_non_null(run);
    return run;
}

static inline bp_status start_it(bp_call *call, struct run                                     *run,
                                 void (*work)(bp_call *call, struct run *run, void *arg), void *arg)
{
    return run_start(call, run,
                     &(struct run_work){ .work = work,
                                         .arg = arg,
                                         .generation = &generation,
                                         .deadline_ns = BP_FOREVER });
}

static inline size_t counted(void)
{
    return shares_total(runs->bytes);
}

#endif
