/* runs_rig.h - a table of runs on one worker that the test itself runs, with bounds that are soon
 * met. */
#ifndef TESTS_UNIT_CORE_OPS_RUNS_RIG_H
#define TESTS_UNIT_CORE_OPS_RUNS_RIG_H

#include "base/clock.h"
#include "loop/call.h"
#include "loop/fiber.h"
#include "ops/runs.h"
#include "../../../lib/on_worker.h"

enum { COUNT_MAX = 4, COUNT_OF_ONE = 3, BYTES = 4096 };

static struct worker          worker;
static struct runs           *runs;
static struct generation_seat seat;
static struct generation      generation = { .seats = &seat, .worker_count = 1 };
static const uint8_t          ada[16] = { 1 }, bob[16] = { 2 };

static inline void on_call(void (*script_run)(bp_call *call))
{
    run_on_worker(&worker, script_run, clock_now_ns() + BP_SECONDS(60));
}

static inline int set_up(void **state)
{
    (void)state;
    seat = (struct generation_seat){ 0 };
    runs = runs_new(&(struct runs_limits){ .bytes = BYTES,
                                           .count = COUNT_MAX,
                                           .count_of_one = COUNT_OF_ONE,
                                           .kept_ns = BP_SECONDS(60),
                                           .setting = "the.setting" });
    return runs ? worker_init(&worker, 0, 1, NULL) : -1;
}

static inline void stop_runs(bp_call *call)
{
    runs_stop(call, runs);
    call_sleep(call, BP_MILLISECONDS(1)); // what was posted arrives
}

static inline int tear_down(void **state)
{
    (void)state;
    on_call(stop_runs);
    runs_free(runs);
    worker_free(&worker);
    return fiber_live_count() == 0 && seat.users == 0 ? 0 : -1;
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
