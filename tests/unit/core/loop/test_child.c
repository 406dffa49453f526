/* test_child.c - children: what they inherit, what they leave to their parent, and where they are
 * refused. The file under test is compiled in, so that memory and fibers can be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "loop/call.h"
#include "loop/fiber.h"

static int  allocations_left = -1; /* then memory is refused; -1: never */
static bool are_fibers_gone;
static int  arenas_freed;

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    allocations_left -= allocations_left > 0;
    return true;
}

static void *alloc_unless_gone(struct arena *arena, size_t size)
{
    return may_allocate() ? arena_alloc(arena, size) : NULL;
}

static bool on_free_unless_gone(struct arena *arena, void (*cleanup)(void *arg), void *arg)
{
    return may_allocate() && arena_on_free(arena, cleanup, arg);
}

static bool start_unless_gone(struct worker *of, const struct call_options *options,
                              void (*run)(bp_call *call, void *arg), void  *arg)
{
    return !are_fibers_gone && call_start(of, options, run, arg);
}

static void count_arena_free(struct arena *arena)
{
    arenas_freed++;
    arena_free(arena);
}

#define arena_alloc   alloc_unless_gone
#define arena_on_free on_free_unless_gone
#define call_start    start_unless_gone
#define arena_free    count_arena_free
#include "loop/child.c"
#undef arena_alloc
#undef arena_on_free
#undef call_start
#undef arena_free

#include "loop_rig.h"

static const bp_principal ada = { .struct_size = sizeof(ada),
                                  .is_authenticated = true,
                                  .id = BP_STR("ada"),
                                  .tenant = BP_STR("t1") };

/* ---- what it inherits ---- */

static bp_status look_at_inheritance(bp_call *call, void *arg)
{
    bp_call *parent = arg;

    assert_ptr_equal(call->parent, parent);
    assert_ptr_equal(call->worker, parent->worker);
    assert_string_equal(call->request_id, parent->request_id);
    assert_memory_equal(&call->trace, &parent->trace, sizeof(call->trace));
    assert_int_equal(call->deadline_ns, parent->deadline_ns);
    assert_int_equal(call->client, 99);
    assert_true(bp_str_is(call->principal.id, "ada"));
    assert_string_equal(call->plugin, "app/parent");
    assert_string_equal(call->instance, "main");
    assert_string_equal(call->op, "child-op");
    assert_ptr_equal(call->instance_of, &ada);
    assert_int_equal(call->shield_until_ns, parent->shield_until_ns);
    assert_string_equal(worker.running.plugin, "app/parent");
    assert_string_equal(worker.running.instance, "main");
    assert_string_equal(worker.running.op, "child-op");
    assert_ptr_not_equal(call->arena, &call->own_arena);
    assert_int_equal(call->arena->limit_bytes, 1 << 20);
    assert_int_equal(parent->running_children, 1);
    assert_int_equal(parent->children.count, 1);
    assert_ptr_equal(parent->children.first, &call->sibling);
    return BP_OK;
}

static void inherit(bp_call *call)
{
    struct bp_child *child;

    call->own_arena.limit_bytes = 1 << 20;
    call->principal = ada;
    call->client = 99;
    call->plugin = "app/parent";
    call->instance = "main";
    call->op = "parent-op";
    call->instance_of = (void *)(uintptr_t)&ada;
    call->deadline_ns = clock_now_ns() + BP_SECONDS(1000);
    call->shield_until_ns = clock_now_ns() + BP_SECONDS(500);
    call_traceparent(call);
    assert_int_equal(call_spawn(call, "child-op", look_at_inheritance, call, &child), BP_OK);
    assert_false(child->is_ended);
    assert_int_equal(call->running_children, 1);
    assert_int_equal(call_join(call, child), BP_OK);
    assert_true(child->is_ended);
    assert_null(child->call);
    assert_int_equal(call->running_children, 0);
    assert_int_equal(call->children.count, 0);
    assert_int_equal(call_join(call, child), BP_OK); // once more is the same
    call->plugin = call->instance = call->op = NULL;
}

static void a_child_is_of_its_parent_in_all(void **state)
{
    (void)state;
    arenas_freed = 0;
    on_call(inherit);
    assert_int_equal(arenas_freed, 1);
}

/* ---- what it leaves ---- */

static bp_status make_and_fail(bp_call *call, void *arg)
{
    *(bp_str *)arg = arena_dup(call->arena, BP_STR("made"));
    call_scratch_begin(call);
    call_scratch_begin(call); // it ends neither
    return call_fail(call, BP_CONFLICT, "said in scratch memory");
}

static void take_over(bp_call *call)
{
    struct bp_child *child;
    bp_str           made = { 0 };

    assert_int_equal(call_spawn(call, "child", make_and_fail, &made, &child), BP_OK);
    call_fail(call, BP_FULL, "of the parent");
    while (!child->is_ended)
        assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_true(bp_str_is(made, "made")); // what it made outlives it
    assert_int_equal(call->error.status, BP_FULL);
    assert_int_equal(call_join(call, child), BP_CONFLICT);
    assert_int_equal(call->error.status, BP_CONFLICT);
    assert_true(bp_str_is(call->error.message, "said in scratch memory"));
}

static void what_a_child_made_and_said_is_its_parents(void **state)
{
    (void)state;
    on_call(take_over);
}

/* ---- grandchildren ---- */

static int grandchildren;

static bp_status sleep_long(bp_call *call, void *arg)
{
    bp_status status;

    (void)arg;
    grandchildren++;
    status = call_sleep(call, BP_SECONDS(1000));
    call->shield_until_ns = clock_now_ns() + BP_SECONDS(5); // it tidies up
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    grandchildren--;
    return status;
}

static bp_status leave_two(bp_call *call, void *arg)
{
    struct bp_child *child;

    (void)arg;
    assert_int_equal(call_spawn(call, "a", sleep_long, NULL, &child), BP_OK);
    assert_int_equal(call_spawn(call, "b", sleep_long, NULL, &child), BP_OK);
    assert_int_equal(call->running_children, 2);
    assert_int_equal(call_sleep(call, 0), BP_OK);
    assert_int_equal(grandchildren, 2);
    return BP_OK;
}

static void have_grandchildren(bp_call *call)
{
    struct bp_child *child;

    grandchildren = 0;
    assert_int_equal(call_spawn(call, "leave", leave_two, NULL, &child), BP_OK);
    assert_int_equal(call_join(call, child), BP_OK);
    assert_int_equal(grandchildren, 0); // they ended before it did
    assert_int_equal(fiber_live_count(), 1);
}

static void grandchildren_end_before_their_parent_counts_as_ended(void **state)
{
    (void)state;
    on_call(have_grandchildren);
}

/* ---- refusals ---- */

static int begun;

static bp_status count_begun(bp_call *call, void *arg)
{
    (void)arg;
    begun++;
    return call_over(call);
}

static void refuse(bp_call *call)
{
    static const char memory[] = "the memory allowed for this call is used up";
    struct bp_child  *child = (struct bp_child *)call;
    char              limit[128];

    begun = 0;
    for (allocations_left = 0; allocations_left < 2;) {
        int had = allocations_left;

        child = (struct bp_child *)call;
        assert_int_equal(call_spawn(call, "child", count_begun, NULL, &child), BP_NO_MEMORY);
        assert_string_equal(call->error.message.data, memory);
        assert_null(child);
        assert_int_equal(call->running_children, 0);
        allocations_left = had + 1;
    }
    allocations_left = -1;
    are_fibers_gone = true;
    assert_int_equal(call_spawn(call, "child", count_begun, NULL, &child), BP_LIMIT);
    assert_null(child);
    assert_int_equal(call->running_children, 0);
    snprintf(limit, sizeof(limit), "no fiber is free for \"child\": %u are live, which is the cap",
             fiber_live_count());
    assert_string_equal(call->error.message.data, limit);
    are_fibers_gone = false;
    assert_int_equal(begun, 0);
    assert_int_equal(call_spawn(call, "child", count_begun, NULL, &child), BP_OK);
    assert_int_equal(call_join(call, child), BP_OK);
    assert_int_equal(begun, 1);
}

static void a_child_that_cannot_be_had_leaves_nothing(void **state)
{
    (void)state;
    on_call(refuse);
}

/* ---- being over ---- */

static void cancel_before_it_begins(bp_call *call)
{
    struct bp_child *child;

    assert_int_equal(call_spawn(call, "child", count_begun, NULL, &child), BP_OK);
    call_cancel_child(child);
    assert_true(child->is_cancelled);
    assert_int_equal(call_join(call, child), BP_CANCELLED); // it sees that at its beginning
    assert_int_equal(call_over(call), BP_OK);
    call_cancel_child(child); // it has ended: nothing happens
    assert_int_equal(call_spawn(call, "child", count_begun, NULL, &child), BP_OK);
    call->over = BP_DEADLINE;
    assert_int_equal(call_join(call, child), BP_DEADLINE);
    assert_int_equal(child->status, BP_DEADLINE); // as its parent is
}

static void a_child_that_is_cancelled_before_its_turn_is_over_from_the_beginning(void **state)
{
    (void)state;
    on_call(cancel_before_it_begins);
}

static bp_status end_well_when_cancelled(bp_call *call, void *arg)
{
    ++*(int *)arg;
    assert_int_equal(call_sleep(call, BP_SECONDS(1000)), BP_CANCELLED);
    ++*(int *)arg;
    return BP_OK;
}

static bp_status join_it(bp_call *call, void *arg)
{
    struct bp_child *child;

    assert_int_equal(call_spawn(call, "inner", end_well_when_cancelled, arg, &child), BP_OK);
    return call_join(call, child);
}

static void cancel_who_joins(bp_call *call)
{
    struct bp_child *child;
    int              steps = 0;

    assert_int_equal(call_spawn(call, "outer", join_it, &steps, &child), BP_OK);
    while (steps < 1)
        assert_int_equal(call_sleep(call, 0), BP_OK);
    call_cancel_child(child);
    assert_int_equal(call_join(call, child), BP_OK); // what the inner one made of it
    assert_int_equal(steps, 2);
}

static void who_joins_and_is_cancelled_waits_for_what_its_child_says(void **state)
{
    (void)state;
    on_call(cancel_who_joins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_WORKER(a_child_is_of_its_parent_in_all),
        ON_WORKER(what_a_child_made_and_said_is_its_parents),
        ON_WORKER(grandchildren_end_before_their_parent_counts_as_ended),
        ON_WORKER(a_child_that_cannot_be_had_leaves_nothing),
        ON_WORKER(a_child_that_is_cancelled_before_its_turn_is_over_from_the_beginning),
        ON_WORKER(who_joins_and_is_cancelled_waits_for_what_its_child_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
