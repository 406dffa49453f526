/* test_gate.c - what stands between the host and an operation: deadline, bulkhead, breaker, retry,
 * names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <backplane/cache.h>

#include "base/clock.h"
#include "loop/call.h"
#include "plugin/gate.h"
#include "plugin/gate_kinds.h"
#include "gate_rig.h"
#include "plugin/services.h"

/* A cache whose answers a test decides. */
static struct {
    bp_status status;
    int       fails_left; /* the next ones fail with `status`, then it works; -1: all fail */
    int64_t   sleeps_ns, retry_after_ns;
    int       calls, inside, most_inside;
    char      seen_plugin[32], seen_op[32], seen_traceparent[56];
} fake;

static bp_status fake_get(bp_call *call, void *self, bp_str key, bp_str *value)
{
    bp_status slept = BP_OK;
    (void)self;
    (void)key;
    fake.calls++;
    fake.inside++;
    if (fake.inside > fake.most_inside)
        fake.most_inside = fake.inside;
    strncpy(fake.seen_plugin, call->plugin, sizeof(fake.seen_plugin) - 1);
    strncpy(fake.seen_op, call->op, sizeof(fake.seen_op) - 1);
    snprintf(fake.seen_traceparent, sizeof(fake.seen_traceparent), "%.*s",
             BP_ARG(call_traceparent(call)));
    if (fake.sleeps_ns)
        slept = call_sleep(call, fake.sleeps_ns);
    fake.inside--;
    if (slept != BP_OK)
        return slept;
    if (fake.fails_left != 0) {
        if (fake.fails_left > 0)
            fake.fails_left--;
        if (fake.status == 99)
            return 99;
        call_fail(call, fake.status, "the fake fails");
        call->error.retry_after_ns = fake.retry_after_ns;
        return fake.status;
    }
    *value = BP_STR("x");
    return BP_OK;
}

static bp_status fake_take(bp_call *call, void *self, bp_str key, int64_t limit, int64_t window_ns,
                           int64_t cost, bp_take *result)
{
    (void)key, (void)limit, (void)window_ns, (void)cost, (void)result;
    return fake_get(call, self, key, &(bp_str){ NULL, 0 });
}

/* A stream: two budgets and, between them, whatever time it takes. */
static bp_status fake_dump(bp_call *call, void *self, const bp_budget_sink *sink)
{
    const bp_budget budget = { .struct_size = sizeof(budget), .key = BP_STR("key") };
    bp_str          value;

    if (sink->budget(call, sink->self, &budget) != BP_OK)
        return BP_INTERNAL;
    return fake_get(call, self, BP_STR("key"), &value);
}

static const bp_cache_ops fake_ops = {
    .struct_size = sizeof(bp_cache_ops), .get = fake_get, .take = fake_take, .dump = fake_dump
};

static int set_up(void **state)
{
    static const struct gate_conf gate = { .retries = 2,
                                           .breaker_failures = 5,
                                           .breaker_window_ns = BP_SECONDS(10),
                                           .breaker_pause_ns = BP_MILLISECONDS(60) };

    (void)state;
    memset(&fake, 0, sizeof(fake));
    return rig_start_with("cache", &fake_ops, &gate);
}

static bp_status get(bp_call *call)
{
    bp_str value;

    return bp_cache_get(call, &instance.peer, BP_STR("key"), &value);
}

static void pass_once(bp_call *call)
{
    call->plugin = "app/outer";
    assert_int_equal(get(call), BP_OK);
    assert_string_equal(fake.seen_plugin, "cache/fake");
    assert_string_equal(fake.seen_op, "get");
    assert_string_equal(call->plugin, "app/outer"); // whose code runs is put back
    assert_true(
        metric_value(metrics_series(metrics_define(METRIC_COUNTER, "backplane_plugin_calls_total",
                                                   "", "instance plugin op outcome"),
                                    (bp_str[]){ BP_STR("main"), BP_STR("cache/fake"), BP_STR("get"),
                                                BP_STR("ok") },
                                    4)) == 1);
}

static void a_call_is_named_counted_and_put_back(void **state)
{
    (void)state;
    on_call(pass_once);
}

static void trace_it(bp_call *call)
{
    enum { TRACE_LEN = 36 }; // "00-", the trace's id and a "-"; then the span's
    char outer[56], first[56];

    call_set_trace(call, BP_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    strcpy(outer, call_traceparent(call).data);
    assert_int_equal(get(call), BP_OK);
    strcpy(first, fake.seen_traceparent);
    assert_int_equal(strlen(first), 55);
    assert_memory_equal(first, outer, TRACE_LEN);
    assert_string_not_equal(first, outer); // a span of its own
    assert_string_equal(call_traceparent(call).data, outer);
    assert_int_equal(get(call), BP_OK);
    assert_memory_equal(fake.seen_traceparent, outer, TRACE_LEN);
    assert_string_not_equal(fake.seen_traceparent, first);
}

static void an_operation_is_a_span_of_the_trace_of_its_call(void **state)
{
    (void)state;
    on_call(trace_it);
}

static double provider_errors(const char *reason)
{
    struct metric_family *errors = metrics_define(METRIC_COUNTER, "provider_api_errors_total", "",
                                                  "provider reason");

    return metric_value(metrics_series(errors, (bp_str[]){ BP_STR("main"), bp_str_of(reason) }, 2));
}

static void fail_as_provider(bp_call *call)
{
    static const char *const kinds[] = { "cache", "llm", "embed" };

    fake.status = BP_INVALID; // no retry, no breaker
    for (int i = 0; i < 3; i++) {
        conf.kind = kinds[i];
        fake.fails_left = 1;
        assert_int_equal(get(call), BP_INVALID);
        assert_int_equal(get(call), BP_OK);
        assert_true(provider_errors(bp_status_label(BP_INVALID)) == i); // a cache is no provider
    }
    fake.status = BP_CANCELLED;
    fake.fails_left = 1;
    assert_int_equal(get(call), BP_CANCELLED);
    assert_true(provider_errors(bp_status_label(BP_CANCELLED)) == 0);
}

static void failures_of_providers_of_models_are_counted(void **state)
{
    (void)state;
    on_call(fail_as_provider);
}

static void retry_it(bp_call *call)
{
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = 2;
    assert_int_equal(get(call), BP_OK);
    assert_int_equal(fake.calls, 3);
    fake.fails_left = 1;
    fake.status = BP_INVALID;
    assert_int_equal(get(call), BP_INVALID); // trying again would not help
    assert_int_equal(fake.calls, 4);
}

static void what_may_help_is_tried_again_and_nothing_else(void **state)
{
    (void)state;
    on_call(retry_it);
}

static void come_back_later(bp_call *call)
{
    int64_t begun_ns = clock_now_ns();

    fake.status = BP_UNAVAILABLE;
    fake.fails_left = 1;
    assert_int_equal(get(call), BP_OK);
    assert_true(clock_now_ns() - begun_ns >=
                BP_MILLISECONDS(25)); // half of the first pause, which is drawn
    begun_ns = clock_now_ns();
    fake.fails_left = 1;
    fake.retry_after_ns = BP_MILLISECONDS(120);
    assert_int_equal(get(call), BP_OK);
    assert_true(clock_now_ns() - begun_ns >= BP_MILLISECONDS(120));
    begun_ns = clock_now_ns();
    fake.calls = 0;
    fake.fails_left = 1;
    fake.retry_after_ns = BP_SECONDS(31); // the gate's deadline is before that
    assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 1);
    assert_true(clock_now_ns() - begun_ns < BP_SECONDS(20));
    assert_non_null(strstr(call->error.message.data, "the fake fails"));
}

static void who_says_when_to_come_back_is_not_asked_before(void **state)
{
    (void)state;
    on_call(come_back_later);
}

static void do_not_retry(bp_call *call)
{
    bp_take take;
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = 1;
    assert_int_equal(bp_cache_take(call, &instance.peer, BP_STR("key"), 1, 1, 1, &take),
                     BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 1);
}

static void what_is_not_idempotent_is_never_tried_again(void **state)
{
    (void)state;
    on_call(do_not_retry);
}

static void break_it(bp_call *call)
{
    conf.gate.retries = 0;
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = -1;
    for (int i = 0; i < 5; i++)
        assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(gate_breaker_state(instance.gate), 1);
    assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 5); // the plugin was left alone
    assert_non_null(strstr(call->error.message.data, "failed 5 times within 10 s"));
    assert_non_null(strstr(call->error.message.data,
                           "ms more; the last error: the fake fails")); // what an operator needs
    assert_true(call->error.retry_after_ns > 0);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(70)), BP_OK);
    assert_int_equal(get(call), BP_UNAVAILABLE); // the probe fails: open again
    assert_int_equal(fake.calls, 6);
    assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 6);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(70)), BP_OK);
    fake.fails_left = 0;
    assert_int_equal(get(call), BP_OK); // the probe succeeds: closed
    assert_int_equal(gate_breaker_state(instance.gate), 0);
    assert_int_equal(get(call), BP_OK);
}

static void the_breaker_opens_probes_and_closes(void **state)
{
    (void)state;
    on_call(break_it);
}

/* ---- what the breaker counts ---- */

static void count_requests(bp_call *call)
{
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = -1;
    for (int i = 0; i < 4; i++) // of 3 attempts each
        assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 12);
    assert_int_equal(gate_breaker_state(instance.gate), 0);
    assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(gate_breaker_state(instance.gate), 1);
}

static void a_request_that_was_tried_three_times_has_failed_once(void **state)
{
    (void)state;
    on_call(count_requests);
}

static void ignore_saturation(bp_call *call)
{
    conf.gate.retries = 0;
    fake.status = BP_LIMIT;
    fake.fails_left = -1;
    for (int i = 0; i < 20; i++)
        assert_int_equal(get(call), BP_LIMIT);
    assert_int_equal(gate_breaker_state(instance.gate), 0);
}

static void a_full_pool_or_queue_of_our_own_opens_no_breaker(void **state)
{
    (void)state;
    on_call(ignore_saturation);
}

static void be_hasty(bp_call *call)
{
    int64_t own_ns = call->deadline_ns;

    conf.gate.retries = 0;
    fake.sleeps_ns = BP_SECONDS(5);
    for (int i = 0; i < 7; i++) {
        call->deadline_ns = clock_now_ns() + BP_MILLISECONDS(3);
        assert_int_equal(get(call), BP_DEADLINE);
        call->deadline_ns = own_ns;
        call->over = BP_OK;
    }
    assert_int_equal(gate_breaker_state(instance.gate), 0);
    conf.gate.deadline_ns = BP_MILLISECONDS(3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(get(call), BP_DEADLINE);
    assert_int_equal(gate_breaker_state(instance.gate), 1);
}

static void a_caller_in_a_hurry_opens_no_breaker_and_the_time_of_the_instance_does(void **state)
{
    (void)state;
    on_call(be_hasty);
}

static int       streamed;
static bp_status during_stream;

static bp_status take_budget(bp_call *call, void *self, const bp_budget *budget)
{
    const bp_budget_sink *inner = self;

    (void)budget;
    streamed++;
    if (inner)
        during_stream = bp_cache_dump(call, &instance.peer, inner);
    return BP_OK;
}

static void try_by_stream(bp_call *call)
{
    const bp_budget_sink plain = { sizeof(plain), take_budget, NULL },
                         outer = { sizeof(outer), take_budget, (void *)&plain };

    conf.gate.retries = 0;
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = 5;
    for (int i = 0; i < 5; i++)
        assert_int_equal(bp_cache_dump(call, &instance.peer, &plain), BP_UNAVAILABLE);
    assert_int_equal(bp_cache_dump(call, &instance.peer, &plain), BP_UNAVAILABLE);
    assert_int_equal(streamed, 5);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(70)), BP_OK);
    assert_int_equal(gate_breaker_state(instance.gate), 2);
    // While the trial's stream goes on others are let through.
    assert_int_equal(bp_cache_dump(call, &instance.peer, &outer), BP_OK);
    assert_int_equal(during_stream, BP_OK);
    assert_int_equal(gate_breaker_state(instance.gate), 0);
}

static void the_trial_is_judged_by_the_first_piece_of_a_stream(void **state)
{
    (void)state;
    streamed = 0;
    on_call(try_by_stream);
}

static void retry_without_breaker(bp_call *call)
{
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = 2;
    assert_int_equal(get(call), BP_OK);
    assert_int_equal(fake.calls, 3);
    fake.fails_left = -1;
    for (int i = 0; i < 10; i++)
        assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_int_equal(gate_breaker_state(instance.gate), 0);
}

static int set_up_without_breaker(void **state)
{
    if (set_up(state) != 0)
        return -1;
    instance_free(&instance);
    memset(&instance, 0, sizeof(instance));
    conf.gate.breaker_failures = 0;
    return instance_make(&unit, &worker, &instance) ? 0 : -1;
}

static void without_a_breaker_there_are_retries_all_the_same(void **state)
{
    (void)state;
    on_call(retry_without_breaker);
}

static double breakers_open(void)
{
    return metric_value(metrics_series(metrics_define(METRIC_GAUGE, "backplane_plugin_breaker_open",
                                                      "", "instance plugin"),
                                       (bp_str[]){ BP_STR("main"), BP_STR("cache/fake") }, 2));
}

static void break_one_of_two(bp_call *call)
{
    bp_take take;

    conf.gate.retries = 0;
    fake.status = BP_UNAVAILABLE;
    fake.fails_left = 5;
    for (int i = 0; i < 6; i++)
        assert_int_equal(bp_cache_take(call, &instance.peer, BP_STR("key"), 1, 1, 1, &take),
                         BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 5);
    assert_non_null(strstr(call->error.message.data, "at take"));
    assert_int_equal(gate_breaker_state(instance.gate), 1);
    assert_true(breakers_open() == 1);
    assert_int_equal(get(call), BP_OK); // reads go on
    assert_int_equal(bp_cache_take(call, &instance.peer, BP_STR("key"), 1, 1, 1, &take),
                     BP_UNAVAILABLE); // still open
    fake.fails_left = 5;
    for (int i = 0; i < 5; i++)
        assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_true(breakers_open() == 1); // the worker counts once
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(70)), BP_OK);
    assert_int_equal(gate_breaker_state(instance.gate), 2);
    assert_int_equal(get(call), BP_OK);
    assert_int_equal(gate_breaker_state(instance.gate), 2); // of the other one
    assert_int_equal(bp_cache_take(call, &instance.peer, BP_STR("key"), 1, 1, 1, &take), BP_OK);
    assert_int_equal(gate_breaker_state(instance.gate), 0);
    assert_true(breakers_open() == 0);
}

static void one_operation_that_fails_does_not_stop_the_others(void **state)
{
    (void)state;
    on_call(break_one_of_two);
}

static bp_status get_in_child(bp_call *call, void *arg)
{
    (void)arg;
    return get(call);
}

static void crowd_it(bp_call *call)
{
    struct bp_child *children[6];
    int              limited = 0, good = 0;
    fake.sleeps_ns = BP_MILLISECONDS(10);
    for (int i = 0; i < 6; i++)
        assert_int_equal(call_spawn(call, "child", get_in_child, NULL, &children[i]), BP_OK);
    for (int i = 0; i < 6; i++) {
        bp_status status = call_join(call, children[i]);
        good += status == BP_OK;
        limited += status == BP_LIMIT;
    }
    assert_int_equal(fake.most_inside, 2); // max_concurrent
    assert_int_equal(good, 5);             // two inside and three in the queue
    assert_int_equal(limited, 1);
    assert_int_equal(gate_running(instance.gate), 0);
}

static void the_bulkhead_lets_some_in_some_wait_and_refuses_the_rest(void **state)
{
    (void)state;
    on_call(crowd_it);
}

static void give_up_in_queue(bp_call *call)
{
    struct bp_child *children[4];
    fake.sleeps_ns = BP_MILLISECONDS(30);
    for (int i = 0; i < 4; i++)
        assert_int_equal(call_spawn(call, "child", get_in_child, NULL, &children[i]), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(5)), BP_OK);
    call_cancel_child(children[2]);
    assert_int_equal(call_join(call, children[2]), BP_CANCELLED);
    assert_int_equal(call_join(call, children[0]), BP_OK);
    assert_int_equal(call_join(call, children[1]), BP_OK);
    assert_int_equal(call_join(call, children[3]), BP_OK);
    assert_int_equal(fake.calls, 3);
    assert_int_equal(gate_running(instance.gate), 0);
}

static void who_gives_up_in_the_queue_leaves_no_hole(void **state)
{
    (void)state;
    on_call(give_up_in_queue);
}

/* Calls of two clients: each notes how many of either were done when it was. */
struct client_run {
    uint64_t  client;
    int64_t   sleeps_ns;
    bp_status status;
    int       place; /* in the order of their ends */
};

static int ended;

static bp_status get_as_client(bp_call *call, void *arg)
{
    struct client_run *run = arg;

    call->client = run->client;
    run->status = get(call);
    run->place = ended++;
    return run->status;
}

static void crowd_it_by_one_client(bp_call *call)
{
    struct client_run many[5] = {
        { .client = 1 }, { .client = 1 }, { .client = 1 }, { .client = 1 }, { .client = 1 }
    };
    struct client_run one = { .client = 2 };
    struct bp_child  *children[6];

    ended = 0;
    fake.sleeps_ns = BP_MILLISECONDS(10);
    for (int i = 0; i < 5; i++) // two inside and three that fill the queue
        assert_int_equal(call_spawn(call, "child", get_as_client, &many[i], &children[i]), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(3)), BP_OK);
    assert_int_equal(call_spawn(call, "child", get_as_client, &one, &children[5]), BP_OK);
    for (int i = 0; i < 6; i++)
        call_join(call, children[i]);
    assert_int_equal(one.status, BP_OK);
    assert_int_equal(many[4].status,
                     BP_LIMIT); // the newest of those that had most in the queue made room
    assert_int_equal(many[3].status, BP_OK);
    assert_true(one.place < many[2].place ||
                one.place < many[3].place); // and it did not wait behind all of them
    assert_int_equal(gate_running(instance.gate), 0);
}

static void a_client_does_not_wait_behind_all_of_another(void **state)
{
    (void)state;
    on_call(crowd_it_by_one_client);
}

static bp_status wait_for_client(bp_call *call, void *object, void *args)
{
    struct client_run *run = args;

    (void)object;
    gate_step_out(call);
    assert_int_equal(call_sleep(call, run->sleeps_ns), BP_OK);
    gate_step_in(call);
    fake.inside++;
    if (fake.inside > fake.most_inside)
        fake.most_inside = fake.inside;
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(5)), BP_OK);
    fake.inside--;
    return BP_OK;
}

static bp_status wait_in_gate(bp_call *call, void *arg)
{
    static const struct gate_op op = { .index = 7, .name = "wait" };

    return gate_run(call, &instance, &op, wait_for_client, arg);
}

static void come_back_all_at_once(bp_call *call)
{
    struct client_run run = { .sleeps_ns = BP_MILLISECONDS(20) };
    struct bp_child  *children[8];

    for (int i = 0; i < 8; i++) // more than max_concurrent and queue together: none of them holds a
                                // place while it waits
        assert_int_equal(call_spawn(call, "child", wait_in_gate, &run, &children[i]), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(5)), BP_OK);
    assert_int_equal(gate_running(instance.gate), 0);
    assert_int_equal(get(call), BP_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(call_join(call, children[i]), BP_OK);
    assert_int_equal(fake.most_inside, 2);
    assert_int_equal(gate_running(instance.gate), 0);
}

static void who_stepped_out_comes_back_within_the_cap(void **state)
{
    (void)state;
    on_call(come_back_all_at_once);
}

static void outlive_deadline(bp_call *call)
{
    conf.gate.deadline_ns = BP_MILLISECONDS(10);
    conf.gate.retries = 0;
    fake.sleeps_ns = BP_SECONDS(10);
    assert_int_equal(get(call), BP_DEADLINE);
    assert_int_equal(call_over(call), BP_OK); // the caller goes on
    fake.sleeps_ns = 0;
    assert_int_equal(get(call), BP_OK);
}

static void the_deadline_of_an_instance_does_not_end_its_caller(void **state)
{
    (void)state;
    on_call(outlive_deadline);
}

static void lack_it(bp_call *call)
{
    fake.fails_left = 1;
    fake.status = 99;
    conf.gate.retries = 0;
    assert_int_equal(get(call), BP_INTERNAL);
    assert_non_null(strstr(call->error.message.data, "status 99, which does not exist"));
    assert_int_equal(bp_cache_set(call, &instance.peer, BP_STR("k"), BP_STR("v"), 0),
                     BP_UNSUPPORTED);
    assert_true(bp_str_is(call->error.message, "cache/fake cannot do \"set\""));
    assert_int_equal(bp_cache_get(call, &instance.peer, BP_STR(""), &(bp_str){ NULL, 0 }),
                     BP_INVALID);
    unit.is_up = false;
    assert_int_equal(get(call), BP_UNAVAILABLE);
    assert_non_null(strstr(call->error.message.data, "not in service"));
}

static void what_a_plugin_lacks_or_breaks_is_a_sentence(void **state)
{
    (void)state;
    on_call(lack_it);
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(a_call_is_named_counted_and_put_back),
        GATED(an_operation_is_a_span_of_the_trace_of_its_call),
        GATED(failures_of_providers_of_models_are_counted),
        GATED(what_may_help_is_tried_again_and_nothing_else),
        GATED(who_says_when_to_come_back_is_not_asked_before),
        GATED(what_is_not_idempotent_is_never_tried_again),
        GATED(the_breaker_opens_probes_and_closes),
        GATED(a_request_that_was_tried_three_times_has_failed_once),
        GATED(a_full_pool_or_queue_of_our_own_opens_no_breaker),
        GATED(a_caller_in_a_hurry_opens_no_breaker_and_the_time_of_the_instance_does),
        GATED(the_trial_is_judged_by_the_first_piece_of_a_stream),
        cmocka_unit_test_setup_teardown(without_a_breaker_there_are_retries_all_the_same,
                                        set_up_without_breaker, rig_stop),
        GATED(one_operation_that_fails_does_not_stop_the_others),
        GATED(the_bulkhead_lets_some_in_some_wait_and_refuses_the_rest),
        GATED(who_gives_up_in_the_queue_leaves_no_hole),
        GATED(a_client_does_not_wait_behind_all_of_another),
        GATED(who_stepped_out_comes_back_within_the_cap),
        GATED(the_deadline_of_an_instance_does_not_end_its_caller),
        GATED(what_a_plugin_lacks_or_breaks_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
