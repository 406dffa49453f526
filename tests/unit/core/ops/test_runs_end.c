/* test_runs_end.c - how runs end: answered, cancelled, without memory, waited for, stopped; and
 * what is left of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "runs_inside.h"

/* ---- questions ---- */

static struct run_question questions[2];

static void work_asks(bp_call *call, struct run *run, void *arg)
{
    questions[0] = (struct run_question){ .key = "a", .asked = &questions[1] };
    questions[1] = (struct run_question){ .key = "b" };
    *(bp_status *)arg = run_ask(call, run, questions, 2);
    shared_text_release(questions[0].answer);
    shared_text_release(questions[1].answer);
    run_end(call, run, RUN_COMPLETED, BP_STR(""), "");
}

static void answer_it(bp_call *call)
{
    struct run *run = make(call, ada, "x");
    bp_status   status = BP_INTERNAL;
    bool        is_full = true;
    size_t      before;

    assert_int_equal(start_it(call, run, work_asks, &status), BP_OK);
    while (run_look(run).state != RUN_WAITING)
        call_sleep(call, BP_MILLISECONDS(1));
    before = counted();
    are_texts_gone = true;
    assert_true(run_answer(run, BP_STR("a"), BP_STR("12345"), &is_full));
    assert_true(is_full); // no memory is no room
    assert_int_equal(counted(), before);
    are_texts_gone = false;
    assert_true(run_answer(run, BP_STR("a"), BP_STR("12345"), &is_full));
    assert_false(is_full);
    assert_int_equal(counted(), before + 5);
    assert_false(run_answer(run, BP_STR("c"), BP_STR("1"), &is_full));
    assert_int_equal(run_look(run).state, RUN_WAITING);
    assert_true(run_answer(run, BP_STR("b"), BP_STR("123"), &is_full));
    while (run_look(run).state == RUN_WAITING)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(status, BP_OK);
    assert_null(run->questions);
    assert_null(run->waker);
    assert_int_equal(counted(), 0); // the work has them
    run_release(run);
    are_wakers_gone = true;
    run = make(call, ada, "y");
    assert_int_equal(start_it(call, run, work_asks, &status), BP_OK);
    while (!run->ended_ns)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_int_equal(status, BP_NO_MEMORY);
    are_wakers_gone = false;
    run_release(run);
}

static void answers_are_counted_until_the_work_has_them(void **state)
{
    (void)state;
    on_call(answer_it);
}

static void see_state(bp_call *call, struct run *run, void *arg)
{
    struct run_question one = { .key = "a" };

    (void)arg;
    assert_int_equal(run_ask(call, run, &one, 0), BP_OK); // nothing was asked
    assert_int_equal(run_look(run).state, RUN_WORKING);
    assert_int_equal(run_ask(call, run, &one, 1), BP_CANCELLED);
    assert_string_equal(call->error.message.data,
                        "waiting for the client's answer was given up because the caller no longer "
                        "waits");
    assert_int_equal(run_look(run).state, RUN_CANCELLED); // and not working again
    run_end(call, run, RUN_COMPLETED, BP_STR("x"), "");
}

static void cancel_asking(bp_call *call)
{
    struct run *run = make(call, ada, "x");

    assert_int_equal(start_it(call, run, see_state, NULL), BP_OK);
    while (run_look(run).state != RUN_WAITING)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_true(run_cancel(run));
    assert_false(run_cancel(run));
    while (seat.users)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_null(run->outcome);
    assert_int_equal(counted(), 0);
    run_release(run);
}

static void who_is_cancelled_while_asking_stays_cancelled(void **state)
{
    (void)state;
    on_call(cancel_asking);
}

/* ---- the end ---- */

static void end_without_memory(bp_call *call)
{
    struct run *run = make(call, ada, "x");

    may_end = true;
    are_texts_gone = true;
    assert_int_equal(start_it(call, run, work_until_told, NULL), BP_OK);
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(run_look(run).state, RUN_FAILED);
    assert_null(run_outcome(run));
    assert_int_equal(counted(), 0);
    run_release(run);
}

static void an_outcome_without_memory_is_a_failure(void **state)
{
    (void)state;
    on_call(end_without_memory);
}

static struct run *waited_for;

static bp_status wait_for_it(bp_call *call, void *arg)
{
    bp_status status = run_wait(call, waited_for);

    ++*(int *)arg;
    return status;
}

static void wait_together(bp_call *call)
{
    struct bp_child *children[WAITERS_MAX];
    int              ended = 0;

    may_end = false;
    waited_for = make(call, ada, "x");
    assert_int_equal(start_it(call, waited_for, work_until_told, NULL), BP_OK);
    for (int i = 0; i < WAITERS_MAX; i++)
        assert_int_equal(call_spawn(call, "wait", wait_for_it, &ended, &children[i]), BP_OK);
    call_sleep(call, BP_MILLISECONDS(1));
    assert_int_equal(run_wait(call, waited_for), BP_LIMIT);
    assert_string_equal(call->error.message.data, "too many wait for the end of this work");
    call_cancel_child(children[3]);
    assert_int_equal(call_join(call, children[3]), BP_CANCELLED);
    assert_string_equal(call->error.message.data,
                        "waiting for a run was given up because the caller no longer waits");
    assert_null(waited_for->waiters[3]); // its place is free
    assert_non_null(waited_for->waiters[4]);
    assert_int_equal(run_wait_until(call, waited_for, clock_now_ns() + BP_MILLISECONDS(2)), BP_OK);
    assert_int_equal(run_look(waited_for).state, RUN_WORKING); // only that time has passed
    assert_null(waited_for->waiters[3]);
    are_wakers_gone = true;
    assert_int_equal(run_wait(call, waited_for), BP_LIMIT);
    are_wakers_gone = false;
    assert_int_equal(ended, 1);
    may_end = true;
    for (int i = 0; i < WAITERS_MAX; i++)
        assert_int_equal(call_join(call, children[i]), i == 3 ? BP_CANCELLED : BP_OK);
    for (int i = 0; i < WAITERS_MAX; i++)
        assert_null(waited_for->waiters[i]);
    for (int i = 0; i < WAITERS_MAX; i++) // it has ended: nobody needs a place
        waited_for->waiters[i] = NULL;
    assert_int_equal(run_wait(call, waited_for), BP_OK);
    call->deadline_ns = clock_now_ns() - 1;
    assert_int_equal(run_wait(call, waited_for), BP_OK);
    run_release(waited_for);
}

static void eight_may_wait_for_the_end_of_a_run(void **state)
{
    (void)state;
    on_call(wait_together);
}

static bp_status wait_short(bp_call *call, void *arg)
{
    (void)arg;
    call->deadline_ns = clock_now_ns() + BP_MILLISECONDS(2);
    return run_wait_until(call, waited_for, BP_FOREVER);
}

static void wait_beyond_the_call(bp_call *call)
{
    struct bp_child *child;

    may_end = false;
    waited_for = make(call, ada, "x");
    assert_int_equal(start_it(call, waited_for, work_until_told, NULL), BP_OK);
    assert_int_equal(call_spawn(call, "wait", wait_short, NULL, &child), BP_OK);
    assert_int_equal(call_join(call, child), BP_DEADLINE);
    assert_string_equal(call->error.message.data,
                        "waiting for a run took longer than the time allowed");
    may_end = true;
    run_release(waited_for);
}

static void a_caller_whose_time_is_over_is_told(void **state)
{
    (void)state;
    on_call(wait_beyond_the_call);
}

static void stop_running(bp_call *call)
{
    struct run *run = make(call, ada, "x"), *late = make(call, ada, "y");

    may_end = false;
    assert_true(runs_start(runs, &worker));
    assert_int_equal(start_it(call, run, work_until_told, "x"), BP_OK);
    runs_stop(call, runs);
    assert_int_equal(jobs_stopped, 1);
    assert_null(runs->expiry);
    assert_null(runs->stopper);
    assert_true(runs->is_stopped);
    assert_int_equal(runs->running, 0);
    assert_int_equal(run_look(run).state, RUN_CANCELLED); // whatever it said itself
    assert_true(run->is_stopping);
    assert_true(bp_str_is(shared_text_str(run->outcome), "x"));
    assert_int_equal(start_it(call, late, work_until_told, NULL), BP_UNAVAILABLE);
    runs_stop(call, runs); // nothing is left
    assert_int_equal(jobs_stopped, 1);
    run_release(run);
    run_release(late);
}

static void a_stop_ends_all_and_lets_none_begin(void **state)
{
    (void)state;
    on_call(stop_running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOUNDED(answers_are_counted_until_the_work_has_them),
        BOUNDED(who_is_cancelled_while_asking_stays_cancelled),
        BOUNDED(an_outcome_without_memory_is_a_failure),
        BOUNDED(eight_may_wait_for_the_end_of_a_run),
        BOUNDED(a_caller_whose_time_is_over_is_told),
        BOUNDED(a_stop_ends_all_and_lets_none_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
