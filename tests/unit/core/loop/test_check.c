/* Broken invariants of the loop: fibers that leave where they may not, threads and memory that do
 * not add up. The files under test are compiled in, so that their structs can be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/call.c"
#include "loop/crash.h"
#include "loop/fiber.c"
#include "loop/pool.c"

#include "core/check_test.h"

static struct worker worker;

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void ignore(struct fiber *fiber, void *arg)
{
    (void)fiber;
    (void)arg;
}

static void park_a_while(struct fiber *fiber, void *arg)
{
    *(struct fiber **)arg = fiber;
    fiber_park(fiber, "nothing");
}

/* ---- fibers ---- */

static struct fiber *parked(void)
{
    struct fiber *fiber = NULL;

    worker_init(&worker, 0, 1, NULL);
    fiber_start(&worker, park_a_while, &fiber);
    return fiber;
}

static void park_another_fiber(void)
{
    fiber_park(parked(), "nothing"); // from the worker's own stack
}

static void yield_another_fiber(void)
{
    fiber_yield(parked());
}

static void take_the_worker(struct fiber *fiber, void *arg)
{
    (void)fiber;
    ((struct worker *)arg)->current = NULL;
}

static void lose_who_runs(void)
{
    worker_init(&worker, 0, 1, NULL);
    fiber_start(&worker, take_the_worker, &worker);
}

static void wake_from_another_thread(void)
{
    struct fiber *fiber = parked();

    worker_adopt_thread(NULL);
    fiber_wake(fiber);
}

static void wake_a_finished_one(void)
{
    struct fiber *fiber;

    worker_init(&worker, 0, 1, NULL);
    fiber = fiber_start(&worker, ignore, NULL);
    worker_adopt_thread(&worker);
    fiber_wake(fiber);
}

static void leave_from_another_stack(struct fiber *fiber, void *arg)
{
    struct fiber *other = *(struct fiber **)arg;

    fiber->context = other->context; // as if it had been entered on a stack that is not its own
    fiber_park(fiber, "nothing");
}

static void leave_on_a_strange_stack(void)
{
    struct fiber *other = parked();

    fiber_start(&worker, leave_from_another_stack, &other);
}

static void finish_without_running(struct fiber *fiber, void *arg)
{
    (void)arg;
    fiber->is_finished = true;
    fiber_yield(fiber);
}

static void run_after_the_end(void)
{
    worker_init(&worker, 0, 1, NULL);
    fiber_start(&worker, finish_without_running, NULL);
}

static void a_fiber_leaves_its_own_stack_on_its_own_worker(void **state)
{
    (void)state;
    assert_breaks(park_another_fiber, "broken invariant: fiber->worker->current == fiber");
    assert_breaks(yield_another_fiber, "broken invariant: fiber->worker->current == fiber");
    if (!HAS_CHECKS)
        return;
    assert_breaks(lose_who_runs, "broken invariant: worker->current == fiber");
    assert_breaks(leave_on_a_strange_stack,
                  "broken invariant: context_is_on_stack(fiber->context, ");
}

static void a_fiber_goes_from_state_to_state_as_drawn(void **state)
{
    (void)state;
    if (!HAS_CHECKS)
        skip();
    assert_breaks(wake_from_another_thread, "broken invariant: worker_current() == fiber->worker");
    assert_breaks(wake_a_finished_one, "broken invariant: !fiber->is_finished");
    assert_breaks(run_after_the_end, "broken invariant: !fiber->is_finished");
}

/* ---- memory ---- */

static void end_scratch_out_of_order(bp_call *call, void *arg)
{
    (void)arg;
    call_scratch_begin(call);
    call_scratch_begin(call);
    call->scratch->depth = 3; // as if one in between had been lost
    call_scratch_end(call);
}

static void lose_scratch(void)
{
    worker_init(&worker, 0, 1, NULL);
    call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
               end_scratch_out_of_order, NULL);
}

static void scratch_memory_nests(void **state)
{
    (void)state;
    if (!HAS_CHECKS)
        skip();
    assert_breaks(lose_scratch, "broken invariant: scratch->depth == ");
}

/* ---- pools ---- */

static bp_status miscount(bp_call *call, void *arg)
{
    (void)call;
    ((struct bp_pool *)arg)->busy++;
    return BP_OK;
}

static void offload(bp_call *call, void *arg)
{
    pool_offload(call, arg, miscount, arg);
}

static void lose_a_thread(void)
{
    struct bp_pool *pool = pool_create("test", 1);

    worker_init(&worker, 0, 1, NULL);
    call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, offload, pool);
    worker_run_until(&worker, never, NULL);
}

static void threads_of_a_pool_are_idle_or_busy(void **state)
{
    (void)state;
    assert_breaks(lose_a_thread, "broken invariant: pool->idle + pool->busy == pool->made");
}

/* ---- the report ---- */

static void break_as_a_plugin(bp_call *call, void *arg)
{
    (void)arg;
    call->op = "break";
    call->instance = "main";
    worker.running.plugin = "app/broken";
    call_scratch_begin(call);
    CHECK_ALWAYS(call->scratch == NULL);
}

static void break_with_a_report(void)
{
    static struct call_options options = { .deadline_ns = BP_FOREVER,
                                           .request_id = { "request-1", 9 } };

    crash_install(NULL);
    worker_init(&worker, 0, 1, NULL);
    call_start(&worker, &options, break_as_a_plugin, NULL);
}

static void the_crash_report_says_who_ran_and_what_was_broken(void **state)
{
    (void)state;
    assert_breaks(break_with_a_report, "crashed: SIGABRT\n  plugin: app/broken\n  instance: main\n"
                                       "  op: break\n  request: request-1\n");
    assert_breaks(break_with_a_report, "\n  cause: tests/unit/core/loop/test_check.c:");
    assert_breaks(break_with_a_report, ": broken invariant: call->scratch == NULL\n  backtrace:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fiber_leaves_its_own_stack_on_its_own_worker),
        cmocka_unit_test(a_fiber_goes_from_state_to_state_as_drawn),
        cmocka_unit_test(scratch_memory_nests),
        cmocka_unit_test(threads_of_a_pool_are_idle_or_busy),
        cmocka_unit_test(the_crash_report_says_who_ran_and_what_was_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
