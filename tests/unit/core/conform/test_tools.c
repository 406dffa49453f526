/* test_tools.c - what a host does for the cases of a contract: calls that are cancelled, of their
 * own, or given another deadline, and the command that restarts a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/memory.h"
#include "conform/parts.h"
#include "loop/fiber.h"
#include "../../../lib/on_worker.h"

static struct worker  worker;
static struct conform conform;

static void on_call(void (*run)(bp_call *call))
{
    run_on_worker(&worker, run, clock_now_ns() + BP_SECONDS(100));
}

/* ---- suspensions ---- */

/* Suspends once: a sleep may do so twice, when its timer comes early. */
static bp_status suspend(bp_call *call)
{
    call_wake(call);
    return call_wait(call, BP_FOREVER, "its wake");
}

static void cancel_at_each(bp_call *call)
{
    conform.cancel_at(call, 99);
    assert_int_equal(suspend(call), BP_OK);
    assert_int_equal(suspend(call), BP_OK);
    assert_int_equal(conform.suspensions(call), 2);
    conform.cancel_at(call, 2);
    assert_int_equal(conform.suspensions(call), 0);
    assert_int_equal(suspend(call), BP_OK);
    assert_int_equal(conform.suspensions(call), 1);
    assert_int_equal(suspend(call), BP_CANCELLED);
    assert_int_equal(conform.suspensions(call), 2);
}

static void a_call_is_cancelled_at_the_suspension_that_is_wanted(void **state)
{
    (void)state;
    on_call(cancel_at_each);
}

static void shorten(bp_call *call)
{
    conform.set_deadline(call, clock_now_ns() + BP_MILLISECONDS(5));
    assert_int_equal(call_sleep(call, BP_SECONDS(50)), BP_DEADLINE);
}

static void a_deadline_can_be_set(void **state)
{
    (void)state;
    on_call(shorten);
}

/* ---- calls of their own ---- */

static bp_call *other;
static bool     is_closed;

static void close_it(void *arg)
{
    (void)arg;
    is_closed = true;
}

static bp_status run_well(bp_call *call, void *arg)
{
    assert_string_equal(arg, "arg");
    assert_ptr_not_equal(call, other);
    assert_int_equal(call->deadline_ns, other->deadline_ns);
    assert_true(arena_on_free(call->arena, close_it, NULL));
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    return BP_OK;
}

static bp_status run_badly(bp_call *call, void *arg)
{
    (void)arg;
    return call_fail(call, BP_CONFLICT, "it is %s", "so");
}

static void run_apart(bp_call *call)
{
    other = call;
    assert_int_equal(conform.apart(call, run_well, (void *)(uintptr_t) "arg"), BP_OK);
    assert_true(is_closed); // before it is over
    assert_int_equal(call->error.message.len, 0);
    assert_int_equal(conform.apart(call, run_badly, NULL), BP_CONFLICT);
    assert_true(bp_str_is(call->error.message, "it is so"));
    assert_int_equal(call->error.status, BP_CONFLICT);
}

static void a_call_of_its_own_gives_its_status_and_sentence(void **state)
{
    (void)state;
    on_call(run_apart);
}

/* In place of the loop's own (see CMakeLists.txt): false is what it says without memory. */
bool        __real_call_start(struct worker *on, const struct call_options *options,
                              void (*run)(bp_call *call, void *arg), void  *arg);
bool        __wrap_call_start(struct worker *on, const struct call_options *options,
                              void (*run)(bp_call *call, void *arg), void  *arg);
static bool has_no_fiber;

bool __wrap_call_start(struct worker *on, const struct call_options *options,
                       void (*run)(bp_call *call, void *arg), void  *arg)
{
    return !has_no_fiber && __real_call_start(on, options, run, arg);
}

static void run_nowhere(bp_call *call)
{
    has_no_fiber = true;
    assert_int_equal(conform.apart(call, run_well, NULL), BP_NO_MEMORY);
    has_no_fiber = false;
    assert_true(bp_str_is(call->error.message, "no fiber for another call"));
    assert_int_equal(call->error.status, BP_NO_MEMORY);
}

static void a_call_that_cannot_begin_is_told(void **state)
{
    (void)state;
    on_call(run_nowhere);
}

/* ---- the restart command ---- */

static char folder[64];

static void restart_with(bp_call *call, const char *command, const char *sentence)
{
    bp_status status;

    contract_give_tools(&conform, command);
    call->error.message = BP_STR("");
    status = conform.restart(call);
    assert_int_equal(status, sentence ? BP_INTERNAL : BP_OK);
    assert_true(bp_str_is(call->error.message, sentence ? sentence : ""));
}

/* qemu tells nobody that a program cannot be run: the child ends with 127. */
#ifdef BP_EMULATED
#define NOT_RUN "the restart command failed"
#else
#define NOT_RUN "the restart command cannot be run"
#endif

static void restart(bp_call *call)
{
    char command[1024], path[128];
    int  len = snprintf(command, sizeof(command), "touch");

    snprintf(path, sizeof(path), "%s/a", folder);
    snprintf(command, sizeof(command), "  touch   %s ", path);
    restart_with(call, command, NULL);
    assert_int_equal(unlink(path), 0);
    restart_with(call, "true", NULL);
    restart_with(call, "false", "the restart command failed");
    restart_with(call, "test x = y", "the restart command failed");
    restart_with(call, "test x = x", NULL);
    restart_with(call, "/no/such/command now", NOT_RUN);
    restart_with(call, "", "the restart command cannot be run");
    restart_with(call, "  ", "the restart command cannot be run");
    // It has 32 words at most, the command's own among them.
    len = snprintf(command, sizeof(command), "touch");
    for (int i = 1; i < 40; i++)
        len += snprintf(command + len, sizeof(command) - (size_t)len, " %s/%d", folder, i);
    restart_with(call, command, NULL);
    for (int i = 1; i < 40; i++) {
        snprintf(path, sizeof(path), "%s/%d", folder, i);
        assert_int_equal(unlink(path) == 0, i < 32);
    }
}

static void a_command_restarts_a_server_or_says_why_not(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bp_tools_XXXXXX");
    assert_non_null(mkdtemp(folder));
    on_call(restart);
    assert_int_equal(rmdir(folder), 0);
}

static void without_a_command_there_is_no_restart(void **state)
{
    (void)state;
    contract_give_tools(&conform, NULL);
    assert_null(conform.restart);
    assert_ptr_equal(conform.allocated_bytes, contract_allocated_bytes);
    assert_ptr_equal(conform.resident_bytes, contract_resident_bytes);
}

/* ---- phases ---- */

static void a_kind_has_the_phases_of_its_cases(void **state)
{
    static const struct {
        const char *kind;
        bool        restarted, refusals;
    } cases[] = { { "app", true, false },    { "cache", false, true },   { "embed", false, true },
                  { "llm", false, true },    { "storage", false, true }, { "vector", false, true },
                  { "alert", false, false }, { "health", false, false } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(contract_has_phase(cases[i].kind, CONTRACT_PHASE_CASES));
        assert_int_equal(contract_has_phase(cases[i].kind, CONTRACT_PHASE_RESTARTED),
                         cases[i].restarted);
        assert_int_equal(contract_has_phase(cases[i].kind, CONTRACT_PHASE_REFUSALS),
                         cases[i].refusals);
    }
}

static int set_up(void **state)
{
    (void)state;
    contract_give_tools(&conform, "true");
    return worker_init(&worker, 0, 1, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    worker_free(&worker);
    return fiber_live_count() == 0 ? 0 : -1;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_call_is_cancelled_at_the_suspension_that_is_wanted),
        T(a_deadline_can_be_set),
        T(a_call_of_its_own_gives_its_status_and_sentence),
        T(a_call_that_cannot_begin_is_told),
        T(a_command_restarts_a_server_or_says_why_not),
        cmocka_unit_test(without_a_command_there_is_no_restart),
        cmocka_unit_test(a_kind_has_the_phases_of_its_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
