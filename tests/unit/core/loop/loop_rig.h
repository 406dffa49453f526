/* loop_rig.h - one worker for each test, and scripts that run on it as a call. */
#ifndef TESTS_UNIT_CORE_LOOP_RIG_H
#define TESTS_UNIT_CORE_LOOP_RIG_H

#include <stdbool.h>

#include "loop/call.h"
#include "loop/fiber.h"
#include "../../../lib/on_worker.h"

static struct worker worker;

/* Returns when the call has ended. */
static inline void on_call_until(void (*script_run)(bp_call *call), int64_t deadline_ns)
{
    run_on_worker(&worker, script_run, deadline_ns);
}

static inline void on_call(void (*script_run)(bp_call *call))
{
    on_call_until(script_run, BP_FOREVER);
}

static inline int set_up(void **state)
{
    (void)state;
    return worker_init(&worker, 0, 1, NULL);
}

static inline int tear_down(void **state)
{
    (void)state;
    worker_free(&worker);
    return fiber_live_count() == 0 ? 0 : -1;
}

#define ON_WORKER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
