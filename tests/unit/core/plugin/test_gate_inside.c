/* test_gate_inside.c - the gate's own arithmetic: shares among workers, the queue's order, the
 * breaker's window and its trial. The file under test is compiled in, so that time need not pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include <backplane/cache.h>

#include "plugin/gate.c"

#include "base/buf.h"
#include "gate_rig.h"

static const bp_health_ops  no_ops = { .struct_size = sizeof(bp_health_ops) };
static const struct gate_op op = { 3, "ask", true };
static struct gate         *gate;

static int set_up(void **state)
{
    (void)state;
    if (rig_start_with("storage", &no_ops,
                       &(struct gate_conf){ .breaker_failures = 3,
                                            .breaker_window_ns = BP_SECONDS(10),
                                            .breaker_pause_ns = BP_SECONDS(60),
                                            .retries = 2 }) != 0)
        return -1;
    gate = instance.gate;
    return 0;
}

static struct gate_turn turn_of(void)
{
    return (struct gate_turn){ .gate = gate,
                               .op = &op,
                               .breaker = &stats_of(gate, &op)->breaker,
                               .started_ns = clock_now_ns() };
}

/* ---- shares ---- */

static void a_cap_is_shared_out_among_workers_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(share(0, 4), 0);
    assert_int_equal(share(-1, 4), 0);
    assert_int_equal(share(1, 4), 1);
    assert_int_equal(share(4, 4), 1);
    assert_int_equal(share(5, 4), 2);
    assert_int_equal(share(8, 1), 8);
}

static void a_client_has_its_share_of_the_places_and_at_least_one(void **state)
{
    (void)state;
    assert_int_equal(gate->running_max, 2);
    assert_int_equal(gate->waiting_max, 3);
    assert_int_equal(gate->share_max, 1); // a quarter of two
    instance_free(&instance);
    memset(&instance, 0, sizeof(instance));
    conf.gate.max_concurrent = 16;
    assert_true(instance_make(&unit, &worker, &instance));
    assert_int_equal(instance.gate->share_max, 4);
    assert_true(instance.gate->is_remote && instance.gate->is_breaker_used);
}

/* ---- the queue ---- */

static void hold(bp_call *call, struct waiting *self, uint64_t client, bool is_back)
{
    bp_call *other = arena_alloc(call->arena, sizeof(*other));

    other->client = client;
    other->fiber = call->fiber; // which is woken instead of them
    *self = (struct waiting){ .call = other, .is_back = is_back };
    queue(gate, self);
}

static const struct waiting *at(int index)
{
    const struct queue_link *link = gate->queue.first;

    while (index-- > 0 && link)
        link = link->next;
    return QUEUE_ITEM(link, struct waiting, link);
}

static void queue_some(bp_call *call)
{
    struct waiting all[5];

    hold(call, &all[0], 1, false);
    hold(call, &all[1], 2, false);
    hold(call, &all[2], 3, true);
    hold(call, &all[3], 4, true);
    hold(call, &all[4], 1, false);
    assert_ptr_equal(at(0), &all[2]); // those that had a place, in their order
    assert_ptr_equal(at(1), &all[3]);
    assert_ptr_equal(at(2), &all[0]); // then the others, in theirs
    assert_ptr_equal(at(3), &all[1]);
    assert_ptr_equal(at(4), &all[4]);
    assert_int_equal(gate_waiting(gate), 5);
    assert_int_equal(gate->clients[1].waiting, 2);
    assert_ptr_equal(next_of(gate), &all[2]);
    gate->clients[3].running = gate->clients[4].running = 1; // they have their share
    assert_ptr_equal(next_of(gate), &all[0]);
    gate->clients[1].running = gate->clients[2].running = 1;
    assert_ptr_equal(next_of(gate), &all[2]); // all have: who waits longest
    memset(gate->clients, 0, sizeof(gate->clients));
    for (int i = 0; i < 5; i++) {
        gate->clients[all[i].call->client].waiting++;
        unqueue(gate, &all[i]);
    }
    assert_int_equal(gate_waiting(gate), 0);
    assert_null(at(0));
}

static void those_that_had_a_place_come_first_and_shares_are_kept(void **state)
{
    (void)state;
    on_call(queue_some);
}

static void make_room(bp_call *call)
{
    struct waiting all[4];

    call->client = 6;
    hold(call, &all[0], 5, true);
    hold(call, &all[1], 5, false);
    hold(call, &all[2], 5, false);
    hold(call, &all[3], 6, false);
    unqueue(gate, &all[3]);
    assert_true(push_out(gate, call));
    assert_true(all[2].is_pushed_out && !queue_is_linked(&all[2].link)); // its newest
    assert_false(all[1].is_pushed_out || all[0].is_pushed_out);
    assert_true(push_out(gate, call)); // 5 has two, 6 would have one
    assert_true(all[1].is_pushed_out);
    assert_false(push_out(gate, call)); // who had a place before is never pushed out
    assert_int_equal(gate_waiting(gate), 1);
    unqueue(gate, &all[0]);
}

static void the_newest_of_who_has_most_makes_room_for_who_has_less(void **state)
{
    (void)state;
    on_call(make_room);
}

/* ---- the breaker ---- */

static void fail_once(bp_call *call, struct gate_turn *turn)
{
    call_fail(call, BP_UNAVAILABLE, "it is away");
    teach_breaker(call, turn, BP_UNAVAILABLE);
}

static void fail_outside_of_the_window(bp_call *call)
{
    struct gate_turn turn = turn_of();
    struct breaker  *breaker = turn.breaker;

    fail_once(call, &turn);
    fail_once(call, &turn);
    assert_int_equal(breaker->open_until_ns, 0);
    for (int i = 0; i < 2; i++)
        breaker->failures_ns[i] -= BP_SECONDS(11); // as if time had passed
    fail_once(call, &turn);
    fail_once(call, &turn);
    assert_int_equal(breaker->open_until_ns, 0); // two are too old
    fail_once(call, &turn);
    assert_true(breaker->open_until_ns > clock_now_ns() + BP_SECONDS(59));
    assert_true(breaker->open_until_ns <= clock_now_ns() + BP_SECONDS(60));
    assert_int_equal(gate->open_count, 1);
    assert_string_equal(breaker->reason, "it is away");
    assert_int_equal(breaker->failure_count, 0);
    fail_once(call, &turn); // it began before: nothing new
    assert_int_equal(breaker->failure_count, 0);
}

static void failures_count_within_the_window_alone(void **state)
{
    (void)state;
    on_call(fail_outside_of_the_window);
}

static void fail_more_often_than_the_ring_holds(bp_call *call)
{
    struct gate_turn turn = turn_of();

    conf.gate.breaker_failures = 1000;
    for (int i = 0; i < FAILURES_MAX - 1; i++)
        fail_once(call, &turn);
    assert_int_equal(turn.breaker->open_until_ns, 0);
    fail_once(call, &turn);
    assert_true(turn.breaker->open_until_ns != 0); // more cannot be counted
}

static void a_full_ring_of_failures_opens_it(void **state)
{
    (void)state;
    on_call(fail_more_often_than_the_ring_holds);
}

static void open_it(bp_call *call, struct gate_turn *turn)
{
    for (int i = 0; i < 3; i++)
        fail_once(call, turn);
}

static void ask_while_open(bp_call *call)
{
    struct gate_turn turn = turn_of(), trial = turn_of(), third = turn_of();

    assert_int_equal(ask_breaker(call, &trial), BP_OK);
    assert_false(trial.is_trial);
    open_it(call, &turn);
    assert_int_equal(ask_breaker(call, &trial), BP_UNAVAILABLE);
    assert_true(call->error.retry_after_ns > BP_SECONDS(59));
    assert_true(call->error.retry_after_ns <= BP_SECONDS(60));
    assert_non_null(strstr(call->error.message.data, "failed 3 times within 10 s at ask"));
    turn.breaker->open_until_ns = clock_now_ns(); // as if the pause were over
    assert_int_equal(gate_breaker_state(gate), 2);
    assert_int_equal(ask_breaker(call, &trial), BP_OK);
    assert_true(trial.is_trial && turn.breaker->is_probing);
    assert_int_equal(ask_breaker(call, &third), BP_UNAVAILABLE); // one at a time
    assert_int_equal(call->error.retry_after_ns, BP_SECONDS(1));
    // The client of the trial is gone, or it got no place: no verdict, and the next one is the
    // trial.
    teach_breaker(call, &trial, BP_CANCELLED);
    assert_false(trial.is_trial || turn.breaker->is_probing);
    assert_int_equal(ask_breaker(call, &third), BP_OK);
    teach_breaker(call, &third, BP_LIMIT);
    assert_false(turn.breaker->is_probing);
    assert_true(turn.breaker->open_until_ns != 0);
    assert_int_equal(ask_breaker(call, &trial), BP_OK);
    fail_once(call, &trial);
    assert_true(turn.breaker->open_until_ns > clock_now_ns() + BP_SECONDS(59)); // open again
    assert_false(turn.breaker->is_probing);
    assert_int_equal(gate->open_count, 1);
    turn.breaker->open_until_ns = clock_now_ns();
    assert_int_equal(ask_breaker(call, &trial), BP_OK);
    teach_breaker(call, &trial, BP_NOT_FOUND); // an answer about what was asked
    assert_int_equal(turn.breaker->open_until_ns, 0);
    assert_int_equal(gate->open_count, 0);
    assert_int_equal(gate_breaker_state(gate), 0);
}

static void a_trial_without_a_verdict_leaves_room_for_another(void **state)
{
    (void)state;
    on_call(ask_while_open);
}

static void judge_by_the_first_piece(bp_call *call)
{
    struct gate_turn turn = turn_of(), trial = turn_of();

    open_it(call, &turn);
    turn.breaker->open_until_ns = clock_now_ns();
    assert_int_equal(ask_breaker(call, &trial), BP_OK);
    call->turn = &trial;
    call->is_job_running = true;
    gate_answered(call); // from a pool thread, which must not touch it
    assert_true(trial.is_trial);
    call->is_job_running = false;
    gate_answered(call);
    assert_int_equal(turn.breaker->open_until_ns, 0);
    assert_false(trial.is_trial || turn.breaker->is_probing);
    gate_answered(call); // once is enough
    assert_int_equal(gate->open_count, 0);
    call->turn = NULL;
    gate_answered(call);
}

static void the_first_piece_of_an_answer_closes_it(void **state)
{
    (void)state;
    on_call(judge_by_the_first_piece);
}

static void tell_reasons(bp_call *call)
{
    struct breaker breaker = { 0 };
    char           text[OPENING_BYTES + 40];

    call_clear_error(call);
    keep_reason(call, BP_IO, &breaker);
    assert_string_equal(breaker.reason, bp_status_text(BP_IO)); // it failed without a sentence
    memset(text, 'a', sizeof(text));
    memcpy(text + OPENING_BYTES - 2, "\xC3\xA4", 2); // would be cut in its middle
    call_set_error(call, BP_IO, (bp_str){ text, sizeof(text) }, NULL, 0);
    keep_reason(call, BP_IO, &breaker);
    assert_int_equal(strlen(breaker.reason), OPENING_BYTES - 2);
    keep_reason(call, BP_UPSTREAM, &breaker); // the sentence is of another failure
    assert_string_equal(breaker.reason, bp_status_text(BP_UPSTREAM));
}

static void a_reason_is_cut_between_characters(void **state)
{
    (void)state;
    on_call(tell_reasons);
}

static void judge_failures(bp_call *call)
{
    static const bp_status failures[] = { BP_UNAVAILABLE, BP_UPSTREAM, BP_IO, BP_INTERNAL };
    static const bp_status others[] = { BP_OK,        BP_INVALID, BP_NOT_FOUND, BP_LIMIT,
                                        BP_CANCELLED, BP_DENIED,  BP_CONFLICT };
    struct gate_turn       turn = turn_of();

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        assert_true(is_failure_of_plugin(call, &turn, failures[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(is_failure_of_plugin(call, &turn, others[i]));
    assert_true(is_failure_of_plugin(call, &turn, BP_DEADLINE)); // the plugin's own, shorter time
    call->over = BP_DEADLINE;
    turn.started_ns = clock_now_ns() - BP_SECONDS(22); // of 30
    assert_false(is_failure_of_plugin(call, &turn, BP_DEADLINE));
    turn.started_ns = clock_now_ns() - BP_SECONDS(23); // three quarters
    assert_true(is_failure_of_plugin(call, &turn, BP_DEADLINE));
    conf.gate.deadline_ns = 0; // none: half a minute stands for it
    assert_true(is_failure_of_plugin(call, &turn, BP_DEADLINE));
    turn.started_ns = clock_now_ns() - BP_SECONDS(22);
    assert_false(is_failure_of_plugin(call, &turn, BP_DEADLINE));
    call->over = BP_OK;
}

static void failures_are_those_of_the_plugin_alone(void **state)
{
    (void)state;
    on_call(judge_failures);
}

static void pause_sometimes(bp_call *call)
{
    int64_t before = clock_now_ns();

    assert_true(pause_before_retry(call, 0));
    assert_in_range(clock_now_ns() - before, BP_MILLISECONDS(RETRY_FIRST_MS / 2), BP_SECONDS(5));
    call->error.retry_after_ns = BP_MILLISECONDS(90);
    before = clock_now_ns();
    assert_true(pause_before_retry(call, 0)); // who said when is not asked before
    assert_true(clock_now_ns() - before >= BP_MILLISECONDS(90));
    call->error.retry_after_ns = BP_SECONDS(300);
    call->deadline_ns = clock_now_ns() + BP_SECONDS(200); // more than the program may take
    assert_false(pause_before_retry(call, 0));            // there is no time for it
    call->deadline_ns = BP_FOREVER;
}

static void a_pause_is_as_long_as_was_asked_and_fits_into_the_deadline(void **state)
{
    (void)state;
    on_call(pause_sometimes);
}

/* ---- spans ---- */

static void push_and_pop(bp_call *call)
{
    struct gate_frame frame;
    struct call_trace before;
    int64_t           deadline_ns = call->deadline_ns;

    call_set_trace(call, BP_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    before = call->trace;
    call_traceparent(call);
    gate_push(&frame, call, &instance, "ask");
    assert_string_equal(call->op, "ask");
    assert_string_equal(call->plugin, "storage/fake");
    assert_ptr_equal(worker.running.op, call->op);
    assert_memory_equal(call->trace.trace_id, before.trace_id, 16);
    assert_memory_not_equal(call->trace.span_id, before.span_id, 8); // a child of it
    assert_true(call->deadline_ns <= clock_now_ns() + BP_SECONDS(30));
    call->over = BP_DEADLINE; // the operation's own
    gate_pop(&frame, call);
    assert_memory_equal(&call->trace, &before, sizeof(before));
    assert_int_equal(call->over, BP_OK);
    assert_int_equal(call->deadline_ns, deadline_ns);
    assert_null(call->op);
    call->latest_ns = clock_now_ns() + BP_SECONDS(1);
    gate_push(&frame, call, &instance, "ask");
    assert_int_equal(call->deadline_ns, call->latest_ns);
    call->over = BP_CANCELLED;
    gate_pop(&frame, call);
    assert_int_equal(call->over, BP_CANCELLED); // the client is gone for good
    call->over = BP_OK;
    call->latest_ns = 0;
}

static void an_operation_has_a_span_and_a_deadline_of_its_own(void **state)
{
    (void)state;
    on_call(push_and_pop);
}

/* ---- what is there before the first call, and what is not there at all ---- */

static void counters_are_there_with_a_zero(void **state)
{
    struct bp_buf text;

    (void)state;
    buf_init(&text, NULL, 1 << 20);
    metrics_render(&text);
    assert_non_null(strstr(buf_str(&text).data,
                           "backplane_plugin_calls_total{instance=\"main\",plugin=\"storage/fake\","
                           "op=\"query\",outcome=\"ok\"} 0\n"));
    buf_free(&text);
}

static void lack_operations(bp_call *call)
{
    const bp_cache_ops *cache = gate_ops_for("cache");
    bp_budget           budget = { .struct_size = sizeof(budget) };

    assert_int_equal(cache->dump(call, &instance, &(bp_budget_sink){ 0 }), BP_UNSUPPORTED);
    assert_int_equal(call->error.status, BP_UNSUPPORTED);
    assert_int_equal(cache->load(call, &instance, &budget, sizeof(budget), 1), BP_UNSUPPORTED);
    assert_int_equal(cache->get(call, &instance, BP_STR("k"), &(bp_str){ NULL, 0 }),
                     BP_UNSUPPORTED);
}

static void what_a_cache_does_not_have_is_unsupported(void **state)
{
    (void)state;
    on_call(lack_operations);
}

static void render(struct bp_buf *text)
{
    buf_init(text, NULL, 1 << 20);
    metrics_render(text);
}

/* An app has many operations, and nothing of it is tried again. */
static void an_operation_of_an_app_has_fewer_counters(void **state)
{
    static const struct {
        const char *kind, *outcome;
        bool        is_there;
    } cases[] = {
        { "app", "ok", true },        { "app", "unavailable", true },  { "app", "internal", true },
        { "app", "limit", false },    { "app", "upstream", false },    { "storage", "ok", true },
        { "storage", "limit", true }, { "storage", "upstream", true },
    };
    static const char *const ops[] = { "of_app", "of_storage" };
    struct bp_buf            text;
    char                     line[256];

    (void)state;
    conf.kind = "app";
    gate_define_op(&unit, ops[0]);
    conf.kind = "storage";
    gate_define_op(&unit, ops[1]);
    render(&text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(line, sizeof(line),
                 "backplane_plugin_calls_total{instance=\"main\",plugin=\"storage/"
                 "fake\",op=\"of_%s\","
                 "outcome=\"%s\"} 0\n",
                 cases[i].kind, cases[i].outcome);
        if ((strstr(buf_str(&text).data, line) != NULL) != cases[i].is_there)
            fail_msg("%s", line);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(line, sizeof(line),
                 "backplane_plugin_retries_total{instance=\"main\",plugin=\"storage/"
                 "fake\",op=\"%s\"} "
                 "0\n",
                 ops[i]);
        assert_int_equal(strstr(buf_str(&text).data, line) != NULL, i);
    }
    buf_free(&text);
}

static void a_provider_has_a_counter_for_each_reason(void **state)
{
    static const char *const reasons[] = { "invalid",  "denied",      "too_large", "limit",
                                           "upstream", "unavailable", "deadline" };
    static const char *const kinds[] = { "storage", "llm", "embed" };

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct bp_buf text;
        char          line[128];

        metrics_clear();
        conf.kind = kinds[k];
        define_kind(&unit);
        render(&text);
        for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
            snprintf(line, sizeof(line),
                     "provider_api_errors_total{provider=\"main\",reason=\"%s\"} 0\n", reasons[i]);
            assert_int_equal(strstr(buf_str(&text).data, line) != NULL, k > 0);
        }
        buf_free(&text);
    }
}

/* ---- waits for the client ---- */

static void wait_for_the_client(bp_call *call)
{
    struct instance  back_end = { 0 };
    struct gate_turn of_app = turn_of(), inner = turn_of();

    assert_true(instance_make(&unit, &worker, &back_end));
    gate->is_remote = false; // as that of an app
    inner.gate = back_end.gate;
    inner.outer = &of_app;
    take_place(gate, call);
    take_place(back_end.gate, call);
    gate_client_wait(call, true); // no gate at all
    call->turn = &inner;
    gate_client_wait(call, true);
    assert_int_equal(gate_running(gate), 0);
    assert_int_equal(gate_running(back_end.gate), 1);
    gate_client_wait(call, false);
    assert_int_equal(gate_running(gate), 1);
    assert_int_equal(gate_running(back_end.gate), 1);
    inner.outer = NULL; // a call of the host's to a back end
    gate_client_wait(call, true);
    assert_int_equal(gate_running(gate), 1);
    assert_int_equal(gate_running(back_end.gate), 1);
    call->turn = NULL;
    leave(call, gate);
    leave(call, back_end.gate);
    instance_free(&back_end);
}

static void only_an_app_gives_up_its_place_while_the_client_is_waited_for(void **state)
{
    (void)state;
    on_call(wait_for_the_client);
}

/* ---- a sink of the caller's ---- */

static bool is_of_sink;

static bp_status fail_in_sink(bp_call *call, void *object, void *arg)
{
    struct arena *of_plugin = gate_sink_begin(call);
    bp_status     status = call_fail(call, BP_CONFLICT, "twice in db1:5432");

    (void)object, (void)arg;
    gate_sink_end(call, of_plugin, is_of_sink ? status : BP_OK);
    return status;
}

static void fail_in_either(bp_call *call)
{
    static struct conf_instance of_app = { .kind = "app", .name = BP_STR("notes") };
    static struct unit          app_unit = { .conf = &of_app, .is_up = true };
    static struct instance      app = { .unit = &app_unit };

    call->instance_of = &app;
    is_of_sink = true; // the app knows what its own sink said
    assert_int_equal(gate_run(call, &instance, &op, fail_in_sink, NULL), BP_CONFLICT);
    assert_string_equal(call->error.message.data, "twice in db1:5432");
    is_of_sink = false;
    assert_int_equal(gate_run(call, &instance, &op, fail_in_sink, NULL), BP_CONFLICT);
    assert_string_equal(call->error.message.data,
                        "the storage has something that is in the way of this");
}

static void what_a_sink_says_is_told_as_it_is(void **state)
{
    (void)state;
    on_call(fail_in_either);
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(a_cap_is_shared_out_among_workers_rounded_up),
        GATED(a_client_has_its_share_of_the_places_and_at_least_one),
        GATED(those_that_had_a_place_come_first_and_shares_are_kept),
        GATED(the_newest_of_who_has_most_makes_room_for_who_has_less),
        GATED(failures_count_within_the_window_alone),
        GATED(a_full_ring_of_failures_opens_it),
        GATED(a_trial_without_a_verdict_leaves_room_for_another),
        GATED(the_first_piece_of_an_answer_closes_it),
        GATED(a_reason_is_cut_between_characters),
        GATED(failures_are_those_of_the_plugin_alone),
        GATED(a_pause_is_as_long_as_was_asked_and_fits_into_the_deadline),
        GATED(counters_are_there_with_a_zero),
        GATED(what_a_cache_does_not_have_is_unsupported),
        GATED(an_operation_of_an_app_has_fewer_counters),
        GATED(a_provider_has_a_counter_for_each_reason),
        GATED(only_an_app_gives_up_its_place_while_the_client_is_waited_for),
        GATED(what_a_sink_says_is_told_as_it_is),
        GATED(an_operation_has_a_span_and_a_deadline_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
