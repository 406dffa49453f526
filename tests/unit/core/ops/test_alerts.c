/* test_alerts.c - what alert sinks are told of a component, and what becomes of what they do not
 * take. */
#include "ops_rig.h"

#include "ops/alerts.h"

enum { BATCH = 64 };

static struct {
    int         calls;
    size_t      taken, last_count;
    char        texts[8][160]; /* of the first ones */
    char        last[160];
    bp_severity severity[8];
    int64_t     starts_ns[8], ends_ns[8];
    bp_status   status;
} sink;

static bp_status on_deliver(bp_call *call, void *object, const bp_alert *alerts, size_t alert_size,
                            size_t count)
{
    (void)object;
    assert_int_equal(alert_size, sizeof(bp_alert));
    sink.calls++;
    sink.last_count = count;
    for (size_t i = 0; i < count; i++) {
        const bp_alert *alert = &alerts[i];

        snprintf(sink.last, sizeof(sink.last), BP_FMT " " BP_FMT " " BP_FMT "=" BP_FMT ": " BP_FMT,
                 BP_ARG(alert->name), BP_ARG(alert->fingerprint), BP_ARG(alert->labels[0].name),
                 BP_ARG(alert->labels[0].value), BP_ARG(alert->summary));
        assert_int_equal(alert->label_count, 1);
        if (sink.taken + i < 8) {
            memcpy(sink.texts[sink.taken + i], sink.last, sizeof(sink.last));
            sink.severity[sink.taken + i] = alert->severity;
            sink.starts_ns[sink.taken + i] = alert->starts_wall_ns;
            sink.ends_ns[sink.taken + i] = alert->ends_wall_ns;
        }
    }
    if (sink.status != BP_OK)
        return bp_fail(call, sink.status, "the sink fails");
    sink.taken += count;
    return BP_OK;
}

static const bp_alert_ops  ops = { sizeof(ops), on_deliver };
static struct alert_queue *queue;
static struct unit        *unit;

static int set_up(void **state)
{
    (void)state;
    memset(&sink, 0, sizeof(sink));
    ops_rig_start();
    ops_rig_add("cache", "pager", NULL); // of the same name, and no sink
    unit = ops_rig_add("alert", "pager", &ops);
    queue = alerts_new();
    return queue ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    alerts_free(queue);
    ops_rig_stop();
    return 0;
}

static void use(bp_call *call)
{
    assert_int_equal(alerts_use(call, queue, &generation), BP_OK);
}

/* Tries once more what is queued, without a pause. */
static void stop(bp_call *call)
{
    assert_int_equal(alerts_stop(call, queue), BP_OK);
}

static void (*meanwhile)(void);

static void use_and_stop(bp_call *call)
{
    use(call);
    if (meanwhile)
        meanwhile();
    stop(call);
}

/* What is told goes out at the stop, and no delivery by the clock comes between. */
static void use_with(void (*told)(void))
{
    meanwhile = told;
    on_call(use_and_stop);
}

static void tell(const char *name, bp_health_level level, bool is_critical, int64_t since_ns)
{
    alerts_component_changed(queue, bp_str_of(name), level, is_critical, "no answer", since_ns);
}

static double counted(const char *name)
{
    return metric_of(METRIC_COUNTER, name, "sink", "pager");
}

static void expect_counted(double delivered, double failed, double dropped)
{
    assert_true(counted("backplane_alerts_delivered_total") == delivered);
    assert_true(counted("backplane_alert_deliveries_failed_total") == failed);
    assert_true(counted("backplane_alerts_dropped_total") == dropped);
}

static const struct {
    bp_health_level level;
    bool            is_critical;
    bp_severity     severity;
    const char     *text;
    int64_t         ends_ns;
} told[] = {
    { BP_HEALTH_DOWN, true, BP_SEVERITY_CRITICAL, "db is down: no answer", 0 },
    { BP_HEALTH_DOWN, false, BP_SEVERITY_WARNING, "db is down: no answer", 0 },
    { BP_HEALTH_DEGRADED, true, BP_SEVERITY_WARNING, "db is degraded: no answer", 0 },
    { BP_HEALTH_OK, true, BP_SEVERITY_WARNING, "db is healthy again", 14 },
};

static void tell_of_db(void)
{
    for (size_t i = 0; i < 4; i++)
        tell("db", told[i].level, told[i].is_critical, 11 + (int64_t)i);
}

static void a_sink_is_told_what_happened_and_when(void **state)
{
    char wanted[160];

    (void)state;
    tell("early", BP_HEALTH_DOWN, true, 1); // nobody listens yet
    use_with(tell_of_db);
    assert_int_equal(sink.calls, 1);
    assert_int_equal(sink.taken, 4);
    for (size_t i = 0; i < 4; i++) {
        snprintf(wanted, sizeof(wanted), "ComponentUnhealthy component/db component=db: %s",
                 told[i].text);
        assert_string_equal(sink.texts[i], wanted);
        assert_int_equal(sink.severity[i], told[i].severity);
        assert_int_equal(sink.starts_ns[i], 11 + (int64_t)i);
        assert_int_equal(sink.ends_ns[i], told[i].ends_ns);
    }
    expect_counted(4, 0, 0);
    on_call(stop); // nothing is told twice
    use_with(NULL);
    assert_int_equal(sink.calls, 1);
}

static void tell_of_one(void)
{
    tell("db", BP_HEALTH_DOWN, true, 1);
}

static void what_a_sink_cannot_take_now_is_tried_again_and_what_it_refuses_is_dropped(void **state)
{
    (void)state;
    sink.status = BP_UNAVAILABLE;
    use_with(tell_of_one);
    assert_int_equal(sink.calls, 1);
    expect_counted(0, 1, 0);
    sink.status = BP_INVALID;
    sink.calls = 0;
    use_with(tell_of_one);
    assert_int_equal(sink.calls, 1);
    assert_int_equal(sink.last_count, 2); // the one from before comes first
    expect_counted(0, 1, 2);
    sink.status = BP_OK;
    use_with(NULL);
    assert_int_equal(sink.taken, 0);
}

static void tell_of_many(void)
{
    char name[32];

    for (int i = 0; i < ALERTS_QUEUE_MAX + 2; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        tell(name, BP_HEALTH_DOWN, true, 1);
    }
    expect_counted(0, 0, 2);
}

static void the_oldest_of_a_thousand_make_room(void **state)
{
    (void)state;
    use_with(tell_of_many);
    assert_int_equal(sink.taken, BATCH);
    assert_non_null(strstr(sink.texts[0], "component=c2:"));
    assert_non_null(strstr(sink.last, "component=c65:"));
    for (int i = 0; i < ALERTS_QUEUE_MAX / BATCH; i++) {
        use_with(NULL);
    }
    assert_int_equal(sink.taken, ALERTS_QUEUE_MAX);
    assert_non_null(strstr(sink.last, "component=c1001:"));
    expect_counted(ALERTS_QUEUE_MAX, 0, 2);
}

static void wait_until_taken(bp_call *call)
{
    use(call);
    tell("db", BP_HEALTH_DOWN, true, 1);
    while (!sink.taken)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    stop(call);
}

static void a_sink_is_told_while_the_server_runs(void **state)
{
    (void)state;
    on_call(wait_until_taken);
    assert_int_equal(sink.calls, 1);
    assert_int_equal(sink.taken, 1);
}

/* What is queued for a sink that the next conf does not have is tried once more. */
static void leave_it_out(bp_call *call)
{
    struct generation next = generation;

    use(call);
    tell("db", BP_HEALTH_DOWN, true, 1);
    next.unit_count = 1;
    assert_int_equal(alerts_use(call, queue, &next), BP_OK);
    assert_int_equal(sink.taken, 1);
    tell("db", BP_HEALTH_OK, true, 2);
    stop(call);
    assert_int_equal(sink.taken, 1);
}

static void a_sink_that_goes_is_told_what_is_left(void **state)
{
    (void)state;
    on_call(leave_it_out);
}

static void keep_it(bp_call *call)
{
    use(call);
    tell("db", BP_HEALTH_DOWN, true, 1);
    use(call);
    assert_int_equal(sink.taken, 0);
    unit->is_up = false; // it waits
    stop(call);
    assert_int_equal(sink.calls, 0);
    unit->is_up = true;
    use(call);
    stop(call);
    assert_int_equal(sink.taken, 1);
}

static void a_sink_that_stays_keeps_its_queue(void **state)
{
    (void)state;
    on_call(keep_it);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_sink_is_told_what_happened_and_when),
        RIGGED(what_a_sink_cannot_take_now_is_tried_again_and_what_it_refuses_is_dropped),
        RIGGED(the_oldest_of_a_thousand_make_room),
        RIGGED(a_sink_is_told_while_the_server_runs),
        RIGGED(a_sink_that_goes_is_told_what_is_left),
        RIGGED(a_sink_that_stays_keeps_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
