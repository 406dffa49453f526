/* Broken invariants of gates and generations: places and holders that do not add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loop/pool.h"
#include "plugin/gate.c"
#include "plugin/generation.c"

#include "core/check_test.h"
#include "gate_rig.h"

static const bp_health_ops no_ops = { .struct_size = sizeof(bp_health_ops) };

static void rig_up(void)
{
    rig_start("health", &no_ops);
    worker_adopt_thread(&worker);
}

static void do_on_call(void (*run)(bp_call *call))
{
    rig_up();
    on_call(run);
}

/* ---- the gate ---- */

static void leave_twice(bp_call *call)
{
    enter(call, instance.gate);
    leave(call, instance.gate);
    leave(call, instance.gate);
}

static void leave_for_another(bp_call *call)
{
    enter(call, instance.gate);
    call->client = 7; // who had nothing
    leave(call, instance.gate);
}

static void miscount_the_queue(bp_call *call)
{
    struct waiting self = { .call = call };

    instance.gate->waiting = 5;
    queue(instance.gate, &self);
}

static void leave_the_queue_uncounted(bp_call *call)
{
    struct waiting self = { .call = call };

    queue(instance.gate, &self);
    instance.gate->waiting = 0;
    unqueue(instance.gate, &self);
}

static void pass_the_cap(bp_call *call)
{
    instance.gate->running_max = 2;
    instance.gate->running = 1;
    enter(call, instance.gate);
    instance.gate->running = 7;
    instance.gate->running_max = 8;
    holding_of(instance.gate, call)->running = 9; // more than all together
    enter(call, instance.gate);
}

static void close_what_is_closed(bp_call *call)
{
    static struct breaker closed;

    close_breaker(call, instance.gate, gate_ops_list("health", &(size_t){ 0 }), &closed);
}

static void free_while_somebody_waits(bp_call *call)
{
    struct waiting self = { .call = call };

    queue(instance.gate, &self);
    gate_free(instance.gate);
}

static void run_leave_twice(void)
{
    do_on_call(leave_twice);
}

static void run_leave_for_another(void)
{
    do_on_call(leave_for_another);
}

static void run_miscount_the_queue(void)
{
    do_on_call(miscount_the_queue);
}

static void run_leave_the_queue_uncounted(void)
{
    do_on_call(leave_the_queue_uncounted);
}

static void run_pass_the_cap(void)
{
    do_on_call(pass_the_cap);
}

static void run_close_what_is_closed(void)
{
    do_on_call(close_what_is_closed);
}

static void run_free_while_somebody_waits(void)
{
    do_on_call(free_while_somebody_waits);
}

static void a_gate_counts_whom_it_has(void **state)
{
    (void)state;
    assert_breaks(run_leave_the_queue_uncounted,
                  "broken invariant: gate->waiting > 0 && holding->waiting > 0");
    assert_breaks(run_close_what_is_closed, "broken invariant: gate->open_count > 0");
    if (!HAS_CHECKS)
        return;
    assert_breaks(run_leave_twice, "broken invariant: gate->running > 0 && holding->running > 0");
    assert_breaks(run_leave_for_another,
                  "broken invariant: gate->running > 0 && holding->running > 0");
    assert_breaks(run_miscount_the_queue, "broken invariant: gate->waiting == gate->queue.count");
    assert_breaks(run_pass_the_cap,
                  "broken invariant: holding_of(gate, call)->running <= gate->running");
    assert_breaks(run_free_while_somebody_waits, "broken invariant: gate->queue.count == 0");
}

/* ---- generations ---- */

static struct generation_seat seat;
static struct generation      generation = { .workers = &worker,
                                             .worker_count = 1,
                                             .seats = &seat,
                                             .leaving = PTHREAD_MUTEX_INITIALIZER,
                                             .has_left = PTHREAD_COND_INITIALIZER };

static void enter_after_the_last_left(void)
{
    rig_up();
    generation_enter(&generation, &worker);
    ask_to_leave(&generation);
    generation_enter(&generation, &worker); // others are still there
    generation_leave(&generation, &worker);
    generation_leave(&generation, &worker);
    generation_enter(&generation, &worker);
}

static void enter_when_none_was_there(void)
{
    rig_up();
    ask_to_leave(&generation);
    generation_enter(&generation, &worker);
}

static void leave_without_entering(void)
{
    rig_up();
    generation_leave(&generation, &worker);
}

static void enter_elsewhere(void)
{
    rig_up();
    worker_adopt_thread(NULL);
    generation_enter(&generation, &worker);
}

static void leave_oftener_than_there_are_workers(void)
{
    rig_up();
    ask_to_leave(&generation);
    ask_to_leave(&generation);
}

static void release_too_often(void)
{
    rig_up();
    unit.holders = 0;
    unit_release(&unit);
}

static void release_what_runs(void)
{
    rig_up();
    unit.holders = 1;
    unit.is_shared_created = true;
    unit_release(&unit);
}

static void nobody_enters_a_generation_that_all_have_left(void **state)
{
    (void)state;
    assert_breaks(enter_after_the_last_left, "broken invariant: !seat->has_left");
    assert_breaks(enter_when_none_was_there, "broken invariant: !seat->has_left");
    assert_breaks(leave_without_entering, "broken invariant: seat->users > 0");
    assert_breaks(leave_oftener_than_there_are_workers,
                  "broken invariant: generation->workers_left <= generation->worker_count");
    if (HAS_CHECKS)
        assert_breaks(enter_elsewhere, "worker_current() == worker");
}

static void a_unit_has_holders_while_it_is_there(void **state)
{
    (void)state;
    assert_breaks(release_too_often, "broken invariant: holders > 0");
    if (HAS_CHECKS)
        assert_breaks(release_what_runs, "broken invariant: !unit->is_shared_created");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gate_counts_whom_it_has),
        cmocka_unit_test(nobody_enters_a_generation_that_all_have_left),
        cmocka_unit_test(a_unit_has_holders_while_it_is_there),
    };

    (void)rig_stop; // what breaks is not stopped
    return cmocka_run_group_tests(tests, NULL, NULL);
}
