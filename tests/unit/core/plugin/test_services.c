/* test_services.c - what a plugin's calls to the host give back, at their edges as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/health.h>
#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>

#include "base/buf.h"
#include "base/clock.h"
#include "gate_rig.h"
#include "loop/pool.h"
#include "plugin/gate.h"

static const bp_health_ops no_ops = { .struct_size = sizeof(bp_health_ops) };

static int set_up(void **state)
{
    (void)state;
    return rig_start("health", &no_ops);
}

/* Runs as code of the instance. */
static void as_plugin(bp_call *call, void (*run)(bp_call *call))
{
    struct gate_frame frame;

    gate_push(&frame, call, &instance, "test");
    run(call);
    gate_pop(&frame, call);
}

#define assert_said(call, words) assert_non_null(strstr(bp_error_of(call)->message.data, words))

/* ---- memory, errors, time ---- */

static int  cleaned;
static void count_cleanup(void *arg)
{
    cleaned += *(int *)arg;
}

static void use_memory(bp_call *call)
{
    static int one = 1;
    bp_buf    *buf = bp_buf_new(call, 8);

    assert_non_null(bp_alloc(call, 100));
    assert_null(bp_alloc(call, (size_t)1 << 40));
    assert_int_equal(bp_error_of(call)->status, BP_NO_MEMORY);
    bp_clear_error(call);
    assert_int_equal(bp_error_of(call)->status, BP_OK);
    assert_int_equal(bp_on_end(call, count_cleanup, &one), BP_OK);
    bp_buf_add(buf, BP_STR("12345678"));
    assert_int_equal(bp_buf_status(buf), BP_OK);
    bp_buf_add(buf, BP_STR("9"));
    assert_int_equal(bp_buf_status(buf), BP_TOO_LARGE);
    assert_int_equal(bp_buf_str(buf).len, 0);
    bp_buf_reset(buf);
    bp_buf_add(buf, BP_STR("again"));
    assert_true(bp_str_is(bp_buf_str(buf), "again"));
}

static void memory_is_bounded_and_given_back(void **state)
{
    (void)state;
    cleaned = 0;
    on_call(use_memory);
    assert_int_equal(cleaned, 1);
}

static void use_time(bp_call *call)
{
    int64_t own_ns = call->deadline_ns;

    assert_int_equal(bp_deadline_ns(call), BP_FOREVER);
    call->deadline_ns = clock_now_ns() + BP_SECONDS(1);
    assert_true(bp_within(call, BP_SECONDS(50)) == call->deadline_ns);
    assert_true(bp_within(call, BP_MILLISECONDS(5)) <= clock_now_ns() + BP_MILLISECONDS(5));
    call->deadline_ns = own_ns;
    assert_int_equal(bp_cancelled(call), BP_OK);
    call_cancel(call);
    assert_int_equal(bp_cancelled(call), BP_CANCELLED);
    assert_int_equal(bp_shield(call, BP_SECONDS(100)), BP_OK);
    assert_true(call->shield_until_ns <= clock_now_ns() + BP_SECONDS(CALL_SHIELD_MAX_S));
    assert_true(call->shield_until_ns > clock_now_ns() + BP_SECONDS(CALL_SHIELD_MAX_S - 1));
    assert_int_equal(bp_cancelled(call), BP_OK);
    assert_int_equal(bp_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(bp_shield(call, 1), BP_INVALID);
    assert_said(call, "is not nested");
    bp_unshield(call);
    assert_int_equal(bp_cancelled(call), BP_CANCELLED);
    assert_int_equal(bp_sleep(call, BP_MILLISECONDS(1)), BP_CANCELLED);
}

static void a_shield_is_short_and_not_nested(void **state)
{
    (void)state;
    on_call(use_time);
}

static void say_details(bp_call *call)
{
    bp_fail(call, BP_UPSTREAM, "it said %d", 7);
    assert_said(call, "it said 7");
    bp_fail_detail(call, BP_SECONDS(3), 5, 503);
    assert_int_equal(bp_error_of(call)->retry_after_ns, BP_SECONDS(3));
    assert_int_equal(bp_error_of(call)->os_errno, 5);
    assert_int_equal(bp_error_of(call)->line > 0, 1);
    bp_fail_for_client(call, BP_STR("later"));
    assert_true(bp_str_is(bp_error_of(call)->client_message, "later"));
}

static void an_error_has_details(void **state)
{
    (void)state;
    on_call(say_details);
}

/* ---- jobs and locks ---- */

static bp_status say_where(bp_call *call, void *arg)
{
    (void)call;
    *(bool *)arg = pool_is_job_thread();
    return BP_CONFLICT;
}

static bp_status lock_in_job(bp_call *call, void *mutex)
{
    if (!pool_is_job_thread())
        return BP_INTERNAL;
    BP_TRY(bp_sleep(call, BP_MILLISECONDS(1)));
    BP_TRY(bp_mutex_lock(call, mutex));
    bp_mutex_unlock(mutex);
    return BP_OK;
}

static void offload_as_plugin(bp_call *call)
{
    bp_pool  *pool = NULL;
    bp_mutex *mutex = NULL;
    bool      was_job = false;

    unit.pool = pool_create("host", 1);
    assert_int_equal(bp_offload(call, NULL, say_where, &was_job), BP_CONFLICT);
    assert_true(was_job);
    assert_int_equal(bp_pool_create(call, BP_STR("a name that is longer than fifteen"), 2, &pool),
                     BP_OK);
    assert_int_equal(unit.open_pools, 1);
    assert_int_equal(bp_mutex_create(call, &mutex), BP_OK);
    assert_int_equal(unit.open_mutexes, 1);
    assert_int_equal(bp_offload(call, pool, lock_in_job, mutex), BP_OK);
    bp_mutex_destroy(mutex);
    bp_pool_destroy(pool);
    assert_int_equal(unit.open_pools, 0);
    assert_int_equal(unit.open_mutexes, 0);
    assert_int_equal(bp_pool_create(call, BP_STR("none"), 0, &pool), BP_NO_MEMORY);
    assert_said(call, "a pool of 0 threads cannot be made; 1 to 64 are allowed");
    assert_int_equal(bp_pool_create(call, BP_STR("many"), 65, &pool), BP_NO_MEMORY);
    pool_destroy(unit.pool);
    unit.pool = NULL;
}

static void offload_as_anybody(bp_call *call)
{
    bool was_job = false;

    assert_int_equal(bp_offload(call, NULL, say_where, &was_job), BP_INTERNAL);
    assert_said(call, "bp_offload()");
    as_plugin(call, offload_as_plugin);
    assert_int_equal(bp_every(call, "x", BP_SECONDS(1), say_where, NULL), BP_INTERNAL);
    assert_said(call, "bp_every() was called outside of worker_start");
}

static void what_a_plugin_makes_is_counted_and_its_jobs_may_use_services(void **state)
{
    (void)state;
    on_call(offload_as_anybody);
}

static int       runs;
static bp_status count_run(bp_call *call, void *arg)
{
    (void)arg;
    assert_ptr_equal(call->instance_of, &instance);
    assert_string_equal(call->op, "counting");
    runs++;
    return runs == 2 ? bp_fail(call, BP_IO, "once in a while") : BP_OK;
}

static void count_every_while(bp_call *call)
{
    runs = 0;
    assert_int_equal(bp_every(call, "counting", BP_MILLISECONDS(1), count_run, NULL), BP_OK);
    while (runs < 4)
        assert_int_equal(bp_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_non_null(instance.jobs);
    instance.is_started = true;
    assert_int_equal(instance_stop(call, &instance), BP_OK);
    assert_null(instance.jobs);
    assert_false(instance.is_started);
}

static void run_jobs(bp_call *call)
{
    as_plugin(call, count_every_while);
}

static void a_job_of_an_instance_runs_in_its_name_until_it_stops(void **state)
{
    (void)state;
    plugin.descriptor.life = NULL;
    on_call(run_jobs);
}

/* ---- blocks of the process ---- */

static void share_blocks(bp_call *call)
{
    int *block = bp_process_block(call, BP_STR("test/a"), sizeof(int));

    assert_non_null(block);
    assert_int_equal(*block, 0);
    *block = 7;
    assert_ptr_equal(bp_process_block(call, BP_STR("test/a"), sizeof(int)), block);
    assert_ptr_not_equal(bp_process_block(call, BP_STR("test/b"), sizeof(int)), block);
    assert_ptr_not_equal(bp_process_block(call, BP_STR("test/a"), sizeof(long)), block);
    assert_ptr_not_equal(bp_process_block(call, BP_STR("test/aa"), sizeof(int)), block);
    assert_null(bp_process_block(call, BP_STR(""), sizeof(int)));
}

static void a_block_is_found_by_its_name_and_size(void **state)
{
    (void)state;
    on_call(share_blocks);
}

/* ---- metrics ---- */

static double value_of(const char *name, enum metric_type type, const char *labels, bp_str *values,
                       size_t count)
{
    return metric_value(metrics_series(metrics_define(type, name, "", labels), values, count));
}

static void measure(bp_call *call)
{
    bp_metric *counter, *gauge, *again, *wide;
    bp_str     kind = BP_STR("good"), many[METRIC_LABELS_MAX];

    assert_int_equal(bp_metric_define(call, BP_COUNTER, "test_things_total", "Things.", "kind",
                                      &counter),
                     BP_OK);
    bp_metric_add(counter, &kind, 1, 2);
    bp_metric_add(counter, &kind, 1, 3);
    assert_true(value_of("test_things_total", METRIC_COUNTER, "instance kind",
                         (bp_str[]){ BP_STR("main"), kind }, 2) == 5);
    assert_int_equal(bp_metric_define(call, BP_COUNTER, "test_things_total", "Things.", "kind",
                                      &again),
                     BP_OK);
    assert_ptr_equal(again, counter); // one for each family and instance
    assert_int_equal(bp_metric_define(call, BP_GAUGE, "test_level", "Level.", "", &gauge), BP_OK);
    bp_metric_set(gauge, NULL, 0, 8);
    assert_true(value_of("test_level", METRIC_GAUGE, "instance", (bp_str[]){ BP_STR("main") }, 1) ==
                8);
    assert_int_equal(bp_metric_define(call, BP_GAUGE, "test_things_total", "", "kind", &again),
                     BP_INVALID);
    assert_said(call, "or it is defined otherwise already");
    assert_int_equal(bp_metric_define(call, BP_GAUGE, "test things", "", "", &again), BP_INVALID);
    assert_int_equal(bp_metric_define(call, BP_HISTOGRAM, "test_wide", "",
                                      "a b c d e f g h i j k l m n o p q r", &wide),
                     BP_INVALID);
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        many[i] = BP_STR("x");
    bp_metric_add(counter, many, METRIC_LABELS_MAX, 1); // more labels than there are: nothing
    assert_true(value_of("test_things_total", METRIC_COUNTER, "instance kind",
                         (bp_str[]){ BP_STR("main"), kind }, 2) == 5);
}

/* The name that a series has must not go with the conf of the edition that first defined it. */
static void outlive_a_name(bp_call *call)
{
    static char          short_lived[] = "main";
    struct conf_instance before = conf;
    bp_metric           *metric = NULL;

    conf.name = (bp_str){ short_lived, 4 };
    bp_metric_define(call, BP_COUNTER, "test_kept_total", "", "", &metric);
    memcpy(short_lived, "xxxx", 4);
    conf = before;
    bp_metric_add(metric, NULL, 0, 1);
    assert_true(value_of("test_kept_total", METRIC_COUNTER, "instance",
                         (bp_str[]){ BP_STR("main") }, 1) == 1);
}

static void use_metrics(bp_call *call)
{
    bp_metric *metric;

    assert_int_equal(bp_metric_define(call, BP_COUNTER, "test_none", "", "", &metric), BP_INTERNAL);
    as_plugin(call, measure);
    as_plugin(call, outlive_a_name);
}

static void a_metric_has_the_name_of_its_instance(void **state)
{
    (void)state;
    on_call(use_metrics);
}

/* ---- what the host says, and is told ---- */

static void report(bp_call *call)
{
    char    long_text[1024];
    int64_t since_ns;

    assert_int_equal(bp_worker_index(call), 0);
    assert_int_equal(bp_worker_count(call), 1);
    assert_true(bp_str_is(bp_instance_name(call), "main"));
    bp_report_health(call, BP_REPORT_DEGRADED, BP_STR("slow"));
    assert_int_equal(unit.report.level, BP_REPORT_DEGRADED);
    assert_string_equal(unit.report.sentence, "slow");
    since_ns = unit.report.since_wall_ns;
    assert_true(since_ns > 0);
    memset(long_text, 'a', sizeof(long_text));
    usleep(2000);
    bp_report_health(call, (bp_report_level)9, (bp_str){ long_text, sizeof(long_text) });
    assert_int_equal(unit.report.level, BP_REPORT_DEGRADED);
    assert_int_equal(strlen(unit.report.sentence), sizeof(unit.report.sentence) - 1);
    assert_int_equal(unit.report.since_wall_ns, since_ns); // since it is so
    bp_report_health(call, BP_REPORT_OK, BP_STR(""));
    assert_int_equal(unit.report.level, BP_REPORT_OK);
    assert_true(unit.report.since_wall_ns > since_ns);
}

static void use_host(bp_call *call)
{
    bp_report_health(call, BP_REPORT_DEGRADED, BP_STR("nobody's")); // outside of an instance
    assert_int_equal(unit.report.level, BP_REPORT_OK);
    as_plugin(call, report);
}

static void an_instance_says_how_it_is(void **state)
{
    (void)state;
    pthread_mutex_init(&unit.report.lock, NULL);
    on_call(use_host);
}

/* ---- how calls went ---- */

static void calls_of_the_last_minute_are_judged(void **state)
{
    struct call_record record;

    (void)state;
    memset(&unit.calls, 0, sizeof(unit.calls));
    for (int i = 0; i < 40; i++)
        unit_note_call(&unit, i < 2 ? BP_UNAVAILABLE : BP_OK);
    record = call_record_of(&unit);
    assert_int_equal(record.calls, 40);
    assert_int_equal(record.failed, 2);
    assert_int_equal(record.last_status, BP_UNAVAILABLE);
    assert_false(call_record_is_bad(&record)); // two may be bad luck
    unit_note_call(&unit, BP_IO);
    record = call_record_of(&unit);
    assert_true(call_record_is_bad(&record));
    assert_int_equal(record.last_status, BP_IO);
    assert_true(call_record_is_bad(&(struct call_record){ .calls = 60, .failed = 3 }));
    assert_false(call_record_is_bad(&(struct call_record){ .calls = 61, .failed = 3 }));
    for (int i = 0; i < CALL_SLOTS; i++)
        unit.calls.slots[i].slot -= CALL_SLOTS; // as if a minute had passed
    record = call_record_of(&unit);
    assert_int_equal(record.calls, 0);
    unit_note_call(&unit, BP_OK);
    assert_int_equal(call_record_of(&unit).calls, 1); // what was there before is gone
}

/* ---- JSON ---- */

static void use_json(bp_call *call)
{
    const bp_json  *value;
    bp_json_writer *w;
    bp_str          text;

    assert_int_equal(bp_json_parse(call, BP_STR("{\"a\":[1,2.5,true,null,\"x\"]}"), &value), BP_OK);
    assert_int_equal(bp_json_type_of(value), BP_JSON_OBJECT);
    assert_int_equal(bp_json_count(bp_json_get(value, "a")), 5);
    assert_true(bp_str_is(bp_json_text(call, bp_json_get(value, "a")), "[1,2.5,true,null,\"x\"]"));
    assert_int_equal(bp_json_parse(call, BP_STR("{\"a\":"), &value), BP_INVALID);
    assert_said(call, "this is not JSON that can be read: ");
    w = bp_json_writer_new(call, 1000);
    bp_json_object(w);
    bp_json_put_integer(w, "n", 1);
    bp_json_end(w);
    assert_int_equal(bp_json_done(call, w, &text), BP_OK);
    assert_true(bp_str_is(text, "{\"n\":1}"));
    assert_true(strchr(bp_json_indent(call, text).data, '\n') != NULL);
    w = bp_json_writer_new(call, 4);
    bp_json_add_string(w, BP_STR("longer than that"));
    assert_int_equal(bp_json_done(call, w, &text), BP_TOO_LARGE);
    assert_said(call, "larger than the maximum it was given");
    w = bp_json_writer_new(call, 1000);
    bp_json_object(w); // and never closed
    assert_int_equal(bp_json_done(call, w, &text), BP_INTERNAL);
}

static void json_is_read_and_written_within_bounds(void **state)
{
    (void)state;
    on_call(use_json);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(memory_is_bounded_and_given_back),
        RIGGED(a_shield_is_short_and_not_nested),
        RIGGED(an_error_has_details),
        RIGGED(what_a_plugin_makes_is_counted_and_its_jobs_may_use_services),
        RIGGED(a_job_of_an_instance_runs_in_its_name_until_it_stops),
        RIGGED(a_block_is_found_by_its_name_and_size),
        RIGGED(a_metric_has_the_name_of_its_instance),
        RIGGED(an_instance_says_how_it_is),
        RIGGED(calls_of_the_last_minute_are_judged),
        RIGGED(json_is_read_and_written_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
