/* test_fiber.c - the life of a fiber: its turn, its wakes, who it runs for, and what is kept of it.
 * The file under test is compiled in, so that memory and stacks can be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "loop/call.h"
#include "loop/context.h"
#include "loop/fiber.h"

static bool        is_memory_gone, are_stacks_gone;
static const char *max_map_count; /* what the file says; NULL: there is none */
static int         files_opened;

static void *calloc_unless_gone(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    return is_memory_gone ? NULL : calloc(count, size);
}

static struct context *context_unless_gone(struct worker *of, void (*entry)(void *arg), void *arg)
{
    return are_stacks_gone ? NULL : context_new(of, entry, arg);
}

static int contexts_freed;

static void count_context_free(struct context *context)
{
    contexts_freed++;
    context_free(context);
}

static FILE *open_max_map_count(const char *path, const char *mode)
{
    files_opened++;
    assert_string_equal(path, "/proc/sys/vm/max_map_count");
    assert_string_equal(mode, "re");
    return max_map_count ? fmemopen((char *)(uintptr_t)max_map_count, strlen(max_map_count), "r")
                         : NULL;
}

#define calloc       calloc_unless_gone
#define context_new  context_unless_gone
#define context_free count_context_free
#define fopen        open_max_map_count
#include "loop/fiber.c"
#undef calloc
#undef context_new
#undef context_free
#undef fopen

#include "loop_rig.h"

static char trail[256];

static void note(const char *text)
{
    strncat(trail, text, sizeof(trail) - strlen(trail) - 1);
}

static int set_up_fibers(void **state)
{
    trail[0] = '\0';
    is_memory_gone = are_stacks_gone = false;
    return set_up(state);
}

#define WITH_FIBERS(test) cmocka_unit_test_setup_teardown(test, set_up_fibers, tear_down)

/* ---- how many ---- */

/* It is worked out once in a process, so each time in one of its own. */
static uint32_t max_for(const char *text)
{
    uint32_t max[2] = { 0 };
    int      ends[2];
    pid_t    child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        max_map_count = text;
        max[0] = fiber_live_max();
        max_map_count = "1";
        max[1] = files_opened == 1 ? fiber_live_max() : 0;
        _exit(write(ends[1], max, sizeof(max)) != sizeof(max));
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], max, sizeof(max)), sizeof(max));
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(max[0], max[1]);
    return max[0];
}

static void as_many_fibers_may_live_as_their_stacks_can_be_mapped(void **state)
{
    static const struct {
        const char *text;
        uint32_t    max;
    } files[] = { { NULL, 30000 },    { "words\n", 30000 }, { "65530\n", 30000 },
                  { "65000", 30000 }, { "64999", 29999 },   { "64998", 29999 },
                  { "64997", 29998 }, { "65002", 30000 },   { "30000", 12500 },
                  { "5202", 101 },    { "5201", 100 },      { "5200", 100 },
                  { "100", 100 },     { "2000000", 30000 } };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        assert_int_equal(max_for(files[i].text), files[i].max);
}

static void run_and_note(struct fiber *fiber, void *arg)
{
    (void)fiber;
    note(arg);
}

static void no_fiber_is_started_above_the_cap_or_without_memory(void **state)
{
    (void)state;
    live_count = fiber_live_max();
    assert_null(fiber_start(&worker, run_and_note, "x"));
    live_count = fiber_live_max() + 1;
    assert_null(fiber_start(&worker, run_and_note, "x"));
    live_count = fiber_live_max() - 1;
    assert_int_equal(fiber_live_count(), fiber_live_max() - 1);
    assert_non_null(fiber_start(&worker, run_and_note, "a"));
    assert_int_equal(fiber_live_count(), fiber_live_max() - 1);
    live_count = 0;
    fiber_free_spares(&worker);
    is_memory_gone = true;
    assert_null(fiber_start(&worker, run_and_note, "x"));
    is_memory_gone = false;
    are_stacks_gone = true;
    assert_null(fiber_start(&worker, run_and_note, "x"));
    assert_int_equal(fiber_live_count(), 0);
    assert_int_equal(worker.fibers.count + worker.ready.count, 0);
    are_stacks_gone = false;
    assert_non_null(fiber_start(&worker, run_and_note, "b"));
    is_memory_gone = are_stacks_gone = true; // the one that is spare needs none
    assert_non_null(fiber_start(&worker, run_and_note, "c"));
    assert_string_equal(trail, "abc");
}

/* ---- turns ---- */

static void park_and_note(struct fiber *fiber, void *arg)
{
    note(arg);
    fiber_park(fiber, "a test");
    note(arg);
}

static void start_two_more(struct fiber *fiber, void *arg)
{
    struct fiber *first, *second;

    (void)arg;
    note("1");
    assert_int_equal(worker.fibers.count, 1);
    first = fiber_start(&worker, run_and_note, "3");
    second = fiber_start(&worker, run_and_note, "4");
    assert_string_equal(first->waits_for, "its first turn");
    assert_true(first->started_ns > 0 && first->started_ns == first->parked_ns);
    assert_ptr_equal(worker.fibers.first, &second->live); // the newest first
    assert_ptr_equal(worker.ready.first, &first->turn);
    assert_int_equal(worker.ready.count, 2);
    assert_int_equal(fiber_live_count(), 3);
    note("2");
    fiber_yield(fiber); // lets the others go first
    note("5");
    assert_int_equal(worker.fibers.count, 1);
    assert_int_equal(fiber_live_count(), 1);
}

static void a_fiber_begins_at_once_or_in_its_turn(void **state)
{
    (void)state;
    assert_null(worker_current());
    assert_non_null(fiber_start(&worker, start_two_more, NULL));
    assert_string_equal(trail, "12345");
    assert_int_equal(fiber_live_count(), 0);
    assert_int_equal(worker.spare.count, 3);
    assert_null(worker.current);
    assert_null(worker_current());
}

static void look_at_itself(struct fiber *fiber, void *arg)
{
    assert_ptr_equal(worker.current, fiber);
    assert_ptr_equal(worker_current(), &worker);
    assert_ptr_equal(fiber_worker(fiber), &worker);
    assert_ptr_equal(fiber_timer(fiber)->data, fiber);
    assert_ptr_equal(fiber_timer(fiber)->loop, &worker.loop);
    assert_ptr_equal(fiber_call_space(fiber), &fiber->call);
    assert_false(fiber->is_parked || fiber->is_woken || fiber->is_finished);
    *(int64_t *)arg = worker.running.since_ns;
    fiber_yield(fiber);
    assert_true(worker.running.since_ns >= *(int64_t *)arg); // of this turn
    assert_false(fiber->is_parked || fiber->is_woken || fiber->is_finished);
}

static void a_fiber_knows_where_it_is(void **state)
{
    int64_t since_ns = 0, before_ns = clock_now_ns();

    (void)state;
    fiber_start(&worker, look_at_itself, &since_ns);
    assert_in_range(since_ns, before_ns, clock_now_ns());
    assert_int_equal(worker.running.since_ns, 0); // none runs
}

static void say_who_runs(struct fiber *fiber, void *arg)
{
    const char *name = arg;

    assert_null(worker.running.plugin); // nothing is left of who ran before
    assert_null(worker.running.instance);
    assert_null(worker.running.op);
    worker.running.plugin = name;
    worker.running.instance = name + 1;
    worker.running.op = name + 2;
    fiber_park(fiber, "a test");
    assert_ptr_equal(worker.running.plugin, name);
    assert_ptr_equal(worker.running.instance, name + 1);
    assert_ptr_equal(worker.running.op, name + 2);
    note("=");
}

static void who_runs_is_put_back_with_each_turn(void **state)
{
    struct fiber *first, *second;

    (void)state;
    first = fiber_start(&worker, say_who_runs, "first");
    second = fiber_start(&worker, say_who_runs, "second");
    assert_null(worker.running.plugin);
    assert_null(worker.running.instance);
    assert_null(worker.running.op);
    worker_adopt_thread(&worker);
    fiber_wake(first);
    fiber_wake(second);
    assert_string_equal(trail, "==");
    assert_null(worker.running.plugin);
    fiber_start(&worker, say_who_runs, "third"); // on the stack of one that ended with a name
    fiber_wake(QUEUE_ITEM(worker.fibers.first, struct fiber, live));
    assert_string_equal(trail, "===");
    worker_adopt_thread(NULL);
}

/* ---- waking ---- */

static void park_three_times(struct fiber *fiber, void *arg)
{
    (void)arg;
    fiber_wake(fiber); // it runs now
    fiber_wake(fiber);
    assert_true(fiber->is_woken);
    fiber_park(fiber, "nothing"); // goes on at once, and that uses the wake up
    assert_false(fiber->is_woken);
    assert_string_equal(fiber->waits_for, "its first turn");
    note("1");
    fiber_park(fiber, "the first");
    note("2");
    fiber_park(fiber, "the second");
    note("3");
}

static void a_wake_before_the_park_is_remembered_and_two_are_one(void **state)
{
    struct fiber *fiber;
    int64_t       before_ns = clock_now_ns();

    (void)state;
    fiber = fiber_start(&worker, park_three_times, NULL);
    assert_string_equal(trail, "1");
    assert_true(fiber->is_parked);
    assert_string_equal(fiber->waits_for, "the first");
    assert_in_range(fiber->parked_ns, before_ns, clock_now_ns());
    worker_adopt_thread(&worker);
    worker.is_draining = true; // so that it does not go on at once
    fiber_wake(fiber);
    fiber_wake(fiber);
    assert_int_equal(worker.ready.count, 1);
    assert_false(fiber->is_woken);
    worker.is_draining = false;
    worker_run_ready(&worker);
    assert_string_equal(trail, "12");
    assert_string_equal(fiber->waits_for, "the second");
    fiber_wake(fiber);
    assert_string_equal(trail, "123");
    worker_adopt_thread(NULL);
}

static void yield_in_turn(struct fiber *fiber, void *arg)
{
    int64_t before_ns = clock_now_ns();

    note(arg);
    fiber_yield(fiber);
    assert_string_equal(fiber->waits_for, "its turn");
    assert_in_range(fiber->parked_ns, before_ns, clock_now_ns());
    note(arg);
}

static void begin_three(struct fiber *fiber, void *arg)
{
    (void)fiber, (void)arg;
    fiber_start(&worker, yield_in_turn, "a");
    fiber_start(&worker, yield_in_turn, "b");
    fiber_start(&worker, yield_in_turn, "c");
}

static void those_who_yield_take_turns(void **state)
{
    (void)state;
    fiber_start(&worker, begin_three, NULL);
    assert_string_equal(trail, "abcabc");
}

/* ---- what is kept ---- */

enum { CROWD = SPARE_MAX + 6 };

static void some_finished_fibers_are_kept_for_the_next(void **state)
{
    struct fiber *crowd[CROWD], *again;

    (void)state;
    for (int i = 0; i < CROWD; i++)
        crowd[i] = fiber_start(&worker, park_and_note, "");
    assert_int_equal(fiber_live_count(), CROWD);
    worker_adopt_thread(&worker);
    for (int i = 0; i < CROWD; i++) {
        fiber_wake(crowd[i]);
        assert_int_equal(worker.spare.count, i + 1 < SPARE_MAX ? i + 1 : SPARE_MAX);
    }
    assert_int_equal(fiber_live_count(), 0);
    again = fiber_start(&worker, park_and_note, "");
    assert_ptr_equal(again, crowd[SPARE_MAX - 1]); // the one that is warm
    assert_int_equal(worker.spare.count, SPARE_MAX - 1);
    fiber_wake(again);
    assert_int_equal(worker.spare.count, SPARE_MAX);
    again = fiber_start(&worker, park_and_note, "");
    worker.is_stopping = true; // then none is kept
    contexts_freed = 0;
    fiber_wake(again);
    assert_int_equal(worker.spare.count, SPARE_MAX - 1);
    assert_int_equal(contexts_freed, 1);
    fiber_free_spares(&worker);
    assert_int_equal(contexts_freed, SPARE_MAX);
    assert_int_equal(worker.spare.count, 0);
    assert_null(worker.spare.first);
    worker_adopt_thread(NULL);
}

static void look_for_the_guard(struct fiber *fiber, void *arg)
{
    const char *here = __builtin_frame_address(0);

    (void)fiber;
    assert_false(fiber_is_overflow(&worker, here));
    for (size_t i = 0; i < context_stack_bytes() / 4096 + 2; i++)
        if (fiber_is_overflow(&worker, here - i * 4096))
            *(const char **)arg = here - i * 4096;
}

static void an_overflow_is_told_by_the_guard_of_the_fiber_that_runs(void **state)
{
    const char *guard = NULL;

    (void)state;
    fiber_start(&worker, look_for_the_guard, &guard);
    assert_non_null(guard);
    assert_false(fiber_is_overflow(&worker, guard)); // none runs
    assert_false(fiber_is_overflow(NULL, guard));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_fibers_may_live_as_their_stacks_can_be_mapped),
        WITH_FIBERS(no_fiber_is_started_above_the_cap_or_without_memory),
        WITH_FIBERS(a_fiber_begins_at_once_or_in_its_turn),
        WITH_FIBERS(a_fiber_knows_where_it_is),
        WITH_FIBERS(who_runs_is_put_back_with_each_turn),
        WITH_FIBERS(a_wake_before_the_park_is_remembered_and_two_are_one),
        WITH_FIBERS(those_who_yield_take_turns),
        WITH_FIBERS(some_finished_fibers_are_kept_for_the_next),
        WITH_FIBERS(an_overflow_is_told_by_the_guard_of_the_fiber_that_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
