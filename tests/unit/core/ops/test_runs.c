/* test_runs.c - long-lived work: found by its owner alone, fed, waited for, cancelled, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#include "runs_rig.h"

/* ---- work of several kinds ---- */

static bp_status ended_as; /* what the work itself saw */

static void work_at_once(bp_call *call, struct run *run, void *arg)
{
    (void)arg;
    ended_as = BP_OK;
    run_end(call, run, RUN_COMPLETED, BP_STR("{\"n\":1}"), "too large");
}

static void work_fails(bp_call *call, struct run *run, void *arg)
{
    (void)arg;
    run_end(call, run, RUN_FAILED, BP_STR("why"), "too large");
}

static void work_until_cancelled(bp_call *call, struct run *run, void *arg)
{
    (void)arg;
    run_set_message(run, BP_STR("under way"));
    run_set_progress(run, 3, 10);
    ended_as = call_wait(call, BP_FOREVER, "a cancel");
    run_end(call, run, RUN_COMPLETED, BP_STR("never seen"), "too large");
}

static void work_asks(bp_call *call, struct run *run, void *arg)
{
    struct run_question questions[2] = { { .key = "name" }, { .key = "age" } };

    (void)arg;
    ended_as = run_ask(call, run, questions, 2);
    run_end(call, run, ended_as == BP_OK ? RUN_COMPLETED : RUN_FAILED,
            ended_as == BP_OK ? shared_text_str(questions[0].answer) : BP_STR("no answer"), "");
    shared_text_release(questions[0].answer);
    shared_text_release(questions[1].answer);
}

static void work_leaves_much(bp_call *call, struct run *run, void *arg)
{
    char text[BYTES / 4 + 1];

    (void)arg;
    memset(text, 'x', sizeof(text));
    run_end(call, run, RUN_COMPLETED, bp_str_n(text, sizeof(text)), "too large");
}

/* Held. */
static struct run *begin(bp_call *call, const uint8_t owner[16],
                         void (*work)(bp_call *call, struct run *run, void *arg))
{
    struct run     *run = run_new(call, runs, owner, owner, NULL);
    struct run_work what = { .work = work,
                             .generation = &generation,
                             .deadline_ns = BP_SECONDS(30) };

    assert_non_null(run);
    if (run_start(call, run, &what) == BP_OK)
        return run;
    run_release(run);
    return NULL;
}

static void outcome_is(struct run *run, const char *wanted)
{
    struct shared_text *text = run_outcome(run);

    assert_string_equal(text ? text->data : "(none)", wanted);
    shared_text_release(text);
}

/* ---- the tests ---- */

static void run_ends_well(bp_call *call)
{
    struct run *run = begin(call, ada, work_at_once);

    assert_int_equal(run_look(run).state, RUN_WORKING);
    assert_int_equal(seat.users, 1);
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(run_look(run).state, RUN_COMPLETED);
    outcome_is(run, "{\"n\":1}");
    assert_false(run_cancel(run));
    assert_int_equal(run_look(run).state, RUN_COMPLETED);
    run_release(run);
    run = begin(call, ada, work_fails);
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(run_look(run).state, RUN_FAILED);
    outcome_is(run, "why");
    assert_int_equal(run_wait(call, run), BP_OK); // at once
    run_release(run);
    assert_int_equal(seat.users, 0);
}

static void a_run_ends_with_an_outcome_and_lets_its_generation_go(void **state)
{
    (void)state;
    on_call(run_ends_well);
}

static void count_one(const struct run_view *view, void *arg)
{
    assert_int_equal(strlen(view->id), RUN_ID_CHARS);
    ++*(int *)arg;
}

static void only_its_owner(bp_call *call)
{
    struct run *run = begin(call, ada, work_until_cancelled), *found;
    int         of_ada = 0, of_bob = 0;

    assert_null(run_find(runs, bp_str_of(run_look(run).id), bob));
    found = run_find(runs, bp_str_of(run_look(run).id), ada);
    assert_ptr_equal(found, run);
    run_release(found);
    assert_null(run_find(runs, BP_STR("00000000000000000000000000000000"), ada));
    runs_each(runs, ada, count_one, &of_ada);
    runs_each(runs, bob, count_one, &of_bob);
    assert_int_equal(of_ada, 1);
    assert_int_equal(of_bob, 0);
    assert_true(run_cancel(run));
    run_release(run);
}

static void only_the_owner_finds_a_run(void **state)
{
    (void)state;
    on_call(only_its_owner);
}

static void cancel_it(bp_call *call)
{
    struct run     *run = begin(call, ada, work_until_cancelled);
    struct run_view view;

    ended_as = BP_OK;
    call_sleep(call, BP_MILLISECONDS(1)); // it begins
    view = run_look(run);
    assert_string_equal(view.message, "under way");
    assert_int_equal(view.done, 3);
    assert_int_equal(view.total, 10);
    assert_true(run_cancel(run));
    assert_int_equal(run_look(run).state, RUN_CANCELLED); // at once, though the work knows later
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_false(run_cancel(run));
    while (seat.users)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_int_equal(ended_as, BP_CANCELLED);
    assert_null(run_outcome(run));
    run_release(run);
    // Cancelled before it begins: its work sees that in its first wait.
    run = begin(call, ada, work_until_cancelled);
    ended_as = BP_OK;
    run_cancel(run);
    while (seat.users)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_int_equal(ended_as, BP_CANCELLED);
    run_release(run);
}

static void a_cancelled_run_is_cancelled_at_once_and_its_work_soon(void **state)
{
    (void)state;
    on_call(cancel_it);
}

static void name_question(const struct run_question *question, void *arg)
{
    strcat(arg, question->key);
    strcat(arg, " ");
}

static void feed_it(bp_call *call)
{
    struct run *run = begin(call, ada, work_asks);
    char        open[64] = "";
    bool        is_full;

    assert_false(run_answer(run, BP_STR("name"), BP_STR("too soon"), &is_full));
    while (run_look(run).state != RUN_WAITING)
        call_sleep(call, BP_MILLISECONDS(1));
    run_each_question(run, name_question, open);
    assert_string_equal(open, "age name ");
    assert_true(run_answer(run, BP_STR("name"), BP_STR("Ada"), &is_full));
    assert_false(run_answer(run, BP_STR("name"), BP_STR("Eve"), &is_full)); // is answered
    assert_false(run_answer(run, BP_STR("shoe size"), BP_STR("7"), &is_full));
    open[0] = '\0';
    run_each_question(run, name_question, open);
    assert_string_equal(open, "age ");
    call_sleep(call, BP_MILLISECONDS(2));
    assert_int_equal(run_look(run).state, RUN_WAITING);
    assert_true(run_answer(run, BP_STR("age"), BP_STR("36"), &is_full));
    assert_int_equal(run_wait(call, run), BP_OK);
    outcome_is(run, "Ada");
    run_release(run);
}

static void a_run_asks_and_goes_on_when_all_is_answered(void **state)
{
    (void)state;
    on_call(feed_it);
}

static void cancel_while_asking(bp_call *call)
{
    struct run *run = begin(call, ada, work_asks);

    while (run_look(run).state != RUN_WAITING)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_true(run_cancel(run));
    while (seat.users)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_int_equal(ended_as, BP_CANCELLED);
    assert_int_equal(run_look(run).state, RUN_CANCELLED);
    run_release(run);
}

static void a_run_that_waits_for_answers_can_be_cancelled(void **state)
{
    (void)state;
    on_call(cancel_while_asking);
}

static void answers_are_bounded(bp_call *call)
{
    struct run *run = begin(call, ada, work_asks);
    char        text[BYTES / 4 + 1];
    bool        is_full;

    memset(text, 'x', sizeof(text));
    while (run_look(run).state != RUN_WAITING)
        call_sleep(call, BP_MILLISECONDS(1));
    assert_true(run_answer(run, BP_STR("name"), bp_str_n(text, sizeof(text)), &is_full));
    assert_true(is_full);
    assert_true(run_answer(run, BP_STR("name"), BP_STR("short"), &is_full));
    assert_false(is_full);
    run_cancel(run);
    run_release(run);
}

static void keep_too_much(bp_call *call)
{
    struct run *run = begin(call, ada, work_leaves_much);

    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(run_look(run).state, RUN_FAILED);
    outcome_is(run, "too large");
    run_release(run);
    answers_are_bounded(call);
}

static void outcomes_and_answers_are_bounded_in_bytes(void **state)
{
    (void)state;
    on_call(keep_too_much);
}

static void too_many(bp_call *call)
{
    struct run *of_ada[COUNT_OF_ONE], *of_bob, *more;

    for (int i = 0; i < COUNT_OF_ONE; i++) {
        of_ada[i] = begin(call, ada, i == 1 ? work_at_once : work_until_cancelled);
        assert_non_null(of_ada[i]);
    }
    assert_null(begin(call, ada, work_at_once)); // none has ended yet
    assert_non_null(strstr(call->error.message.data, "the.setting"));
    of_bob = begin(call, bob, work_until_cancelled);
    assert_non_null(of_bob);
    assert_null(begin(call, bob, work_at_once)); // COUNT_MAX, none of which has ended
    assert_int_equal(run_wait(call, of_ada[1]), BP_OK);
    more = begin(call, bob, work_at_once); // in the place of Ada's that has ended
    assert_non_null(more);
    assert_null(run_find(runs, bp_str_of(run_look(of_ada[1]).id), ada));
    outcome_is(of_ada[1], "{\"n\":1}"); // who holds it still has it
    for (int i = 0; i < COUNT_OF_ONE; i++) {
        run_cancel(of_ada[i]);
        run_release(of_ada[i]);
    }
    run_cancel(of_bob);
    run_release(of_bob);
    run_release(more);
}

static void runs_are_bounded_and_the_ended_make_room(void **state)
{
    (void)state;
    on_call(too_many);
}

static void expire(bp_call *call)
{
    struct run *ended = begin(call, ada, work_at_once), *running;
    int         count = 0;

    assert_int_equal(run_wait(call, ended), BP_OK);
    running = begin(call, ada, work_until_cancelled);
    runs_expire(runs, clock_now_ns() + BP_SECONDS(30));
    runs_each(runs, ada, count_one, &count);
    assert_int_equal(count, 2);
    runs_expire(runs, clock_now_ns() + BP_SECONDS(61));
    count = 0;
    runs_each(runs, ada, count_one, &count);
    assert_int_equal(count, 1);
    run_cancel(running);
    run_release(running);
    run_release(ended);
}

static void an_ended_run_is_kept_for_its_time(void **state)
{
    (void)state;
    on_call(expire);
}

static void stop_all(bp_call *call)
{
    struct run *run = begin(call, ada, work_until_cancelled), *asking = begin(call, ada, work_asks);

    call_sleep(call, BP_MILLISECONDS(1));
    runs_stop(call, runs);
    assert_int_equal(seat.users, 0);
    assert_int_equal(run_look(run).state, RUN_CANCELLED);
    assert_int_equal(run_look(asking).state, RUN_CANCELLED);
    run_release(run);
    run_release(asking);
}

static void a_stop_cancels_all_and_waits(void **state)
{
    (void)state;
    on_call(stop_all);
}

static void resume_under_its_id(bp_call *call)
{
    struct run     *run = run_new(call, runs, ada, ada, "0123456789abcdef0123456789abcdef"), *found;
    struct run_work work = { .work = work_at_once,
                             .generation = &generation,
                             .deadline_ns = BP_SECONDS(30) };

    assert_int_equal(run_start(call, run, &work), BP_OK);
    found = run_find(runs, BP_STR("0123456789abcdef0123456789abcdef"), ada);
    assert_ptr_equal(found, run);
    run_release(found);
    run_wait(call, run);
    run_release(run);
}

static void a_run_may_begin_again_under_the_id_that_it_had(void **state)
{
    (void)state;
    on_call(resume_under_its_id);
}

static void cut_message(bp_call *call)
{
    struct run *run = begin(call, ada, work_until_cancelled);
    char        text[RUN_MESSAGE_BYTES + 8];

    memset(text, 'x', sizeof(text));
    memcpy(text + RUN_MESSAGE_BYTES - 2, "\xC3\xBC", 2); // a character across the cut
    run_set_message(run, bp_str_n(text, sizeof(text)));
    assert_int_equal(strlen(run_look(run).message), RUN_MESSAGE_BYTES - 2);
    run_cancel(run);
    run_release(run);
}

static void a_message_is_cut_between_characters(void **state)
{
    (void)state;
    on_call(cut_message);
}

static bp_status begin_named(bp_call *call, const uint8_t owner[16], struct run **run)
{
    struct run_work what = { .work = work_until_cancelled,
                             .generation = &generation,
                             .deadline_ns = BP_FOREVER };
    bp_status       status;

    *run = run_new(call, runs, owner, owner, "the-build");
    run_set_what(*run, "a word of 31 bytes and no more than that");
    status = run_start(call, *run, &what);
    if (status != BP_OK)
        run_release(*run);
    return status;
}

static void begin_twice(bp_call *call)
{
    struct run *first, *again, *of_bob;

    assert_int_equal(begin_named(call, ada, &first), BP_OK);
    assert_string_equal(run_look(first).what, "a word of 31 bytes and no more ");
    assert_int_equal(begin_named(call, ada, &again), BP_CONFLICT);
    assert_non_null(strstr(call->error.message.data, "\"the-build\" is under way already"));
    assert_int_equal(begin_named(call, bob, &of_bob), BP_OK); // his are others
    run_cancel(of_bob);
    run_release(of_bob);
    run_cancel(first);
    assert_int_equal(begin_named(call, ada, &again), BP_OK); // takes the place of what has ended
    run_release(first);
    first = run_find(runs, BP_STR("the-build"), ada);
    assert_ptr_equal(first, again);
    assert_int_equal(run_look(again).state, RUN_WORKING);
    run_release(first);
    // A wait that ends before the run does.
    assert_int_equal(run_wait_until(call, again, clock_now_ns() + BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(run_look(again).state, RUN_WORKING);
    run_cancel(again);
    run_release(again);
}

static void a_run_under_way_is_hidden_by_none_of_its_id(void **state)
{
    (void)state;
    on_call(begin_twice);
}

static void begin_after_stop(bp_call *call)
{
    struct run *run;

    runs_stop(call, runs);
    assert_int_equal(begin_named(call, ada, &run), BP_UNAVAILABLE);
    assert_null(run_find(runs, BP_STR("the-build"), ada));
}

static void nothing_begins_after_the_stop(void **state)
{
    (void)state;
    on_call(begin_after_stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(a_run_ends_with_an_outcome_and_lets_its_generation_go),
        RUN_TEST(only_the_owner_finds_a_run),
        RUN_TEST(a_cancelled_run_is_cancelled_at_once_and_its_work_soon),
        RUN_TEST(a_run_asks_and_goes_on_when_all_is_answered),
        RUN_TEST(a_run_that_waits_for_answers_can_be_cancelled),
        RUN_TEST(outcomes_and_answers_are_bounded_in_bytes),
        RUN_TEST(runs_are_bounded_and_the_ended_make_room),
        RUN_TEST(an_ended_run_is_kept_for_its_time),
        RUN_TEST(a_stop_cancels_all_and_waits),
        RUN_TEST(a_run_may_begin_again_under_the_id_that_it_had),
        RUN_TEST(a_message_is_cut_between_characters),
        RUN_TEST(a_run_under_way_is_hidden_by_none_of_its_id),
        RUN_TEST(nothing_begins_after_the_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
