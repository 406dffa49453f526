/* test_gate_notes.c - what the gate writes down of each call: in the record by which an instance is
 * judged, and as a span in the log; and that a gate gives back what it took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/cache.h>

#include "base/buf.h"
#include "base/clock.h"
#include "gate_rig.h"
#include "plugin/gate.h"

#include "../../../lib/gives_back.h"

static bp_status says;
static bool      is_held; /* the instance does not answer */

static bp_status fake_get(bp_call *call, void *self, bp_str key, bp_str *value)
{
    (void)self, (void)key;
    *value = BP_STR("");
    while (is_held)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    return says == BP_OK ? BP_OK : bp_fail(call, says, "as the test says");
}

static const bp_cache_ops ops = { .struct_size = sizeof(ops), .get = fake_get };

static int set_up(void **state)
{
    (void)state;
    says = BP_OK;
    if (rig_start_with("cache", &ops, &(struct gate_conf){ .retries = 0 }) != 0)
        return -1;
    memset(&unit.calls, 0, sizeof(unit.calls));
    return 0;
}

static void get(bp_call *call)
{
    bp_str value;

    assert_int_equal(bp_cache_get(call, &instance.peer, BP_STR("key"), &value), says);
}

/* ---- the record ---- */

static void each_call_is_noted_and_which_of_them_failed(void **state)
{
    static const struct {
        bp_status status;
        bool      is_failure; /* of the instance, and not of what it was asked */
    } cases[] = {
        { BP_OK, false },         { BP_INVALID, false }, { BP_NOT_FOUND, false },
        { BP_CONFLICT, false },   { BP_DENIED, false },  { BP_LIMIT, false },
        { BP_UNAVAILABLE, true }, { BP_UPSTREAM, true }, { BP_IO, true },
        { BP_FULL, true },        { BP_DATA, true },     { BP_INTERNAL, true },
    };
    int64_t failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct call_record record;

        says = cases[i].status;
        on_call(get);
        failed += cases[i].is_failure;
        record = call_record_of(&unit);
        assert_int_equal(record.calls, i + 1);
        if ((int64_t)record.failed != failed)
            fail_msg("%s: %d", bp_status_label(says), (int)record.failed);
        if (cases[i].is_failure)
            assert_int_equal(record.last_status, says);
    }
}

static double counted(const char *name, const char *labels)
{
    struct bp_buf text;
    char          line[256];
    const char   *at;
    double        value = -1;

    buf_init(&text, NULL, 1 << 20);
    metrics_render(&text);
    snprintf(line, sizeof(line), "%s{instance=\"main\",plugin=\"cache/fake\",op=\"get\"%s} ", name,
             labels);
    at = strstr(buf_str(&text).data, line);
    if (at)
        value = strtod(at + strlen(line), NULL);
    buf_free(&text);
    return value;
}

static void each_call_is_counted_with_the_time_that_it_took(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        says = i == 1 ? BP_CONFLICT : BP_OK;
        on_call(get);
        assert_true(counted("backplane_plugin_call_duration_seconds_count", "") == i + 1);
        assert_true(counted("backplane_plugin_calls_total", ",outcome=\"ok\"") == (i + 2) / 2);
    }
    assert_true(counted("backplane_plugin_calls_total", ",outcome=\"conflict\"") == 1);
    assert_true(counted("backplane_plugin_retries_total", "") == 0);
    assert_true(counted("backplane_plugin_call_duration_seconds_sum", "") > 0);
    assert_true(counted("backplane_plugin_call_duration_seconds_sum", "") < 600);
}

/* ---- the span ---- */

static char log_path[64], logged[4096];

static void log_one(uint32_t level)
{
    struct log *log;
    FILE       *file;

    snprintf(log_path, sizeof(log_path), "/tmp/backplane-test-%d.log", (int)getpid());
    log = log_open(&(struct log_options){ .level = level, .path = log_path, .queue_lines = 16 });
    assert_non_null(log);
    worker.log = log;
    on_call(get);
    worker.log = NULL;
    log_close(log);
    file = fopen(log_path, "re");
    assert_non_null(file);
    logged[fread(logged, 1, sizeof(logged) - 1, file)] = '\0';
    fclose(file);
    unlink(log_path);
}

static void expect_span(const char *outcome)
{
    char   start[128];
    char  *at = strstr(logged, "\"duration_us\":"), *end;
    size_t digits;

    if (!at)
        fail_msg("no span in %s", logged);
    at += strlen("\"duration_us\":");
    digits = strspn(at, "0123456789");
    assert_in_range(digits, 1, 9);
    snprintf(start, sizeof(start), ",\"outcome\":\"%s\",\"span_id\":\"", outcome);
    at += digits;
    if (strncmp(at, start, strlen(start)) != 0)
        fail_msg("not %s but %s", start, at);
    at += strlen(start);
    assert_int_equal(strspn(at, "0123456789abcdef"), 16);
    end = at + 16;
    assert_int_equal(*end, '"');
    assert_non_null(strstr(logged, "\"event\":\"span\""));
    assert_non_null(strstr(logged, "cache/fake"));
}

static void a_call_is_a_span_in_a_log_of_everything(void **state)
{
    (void)state;
    log_one(BP_LOG_DEBUG);
    expect_span("ok");
    says = BP_CONFLICT;
    log_one(BP_LOG_DEBUG);
    expect_span("conflict");
    log_one(BP_LOG_INFO);
    assert_null(strstr(logged, "span"));
}

/* ---- a place that does not become free ---- */

static int answered, refused;

static void get_in_time(bp_call *call, void *arg)
{
    (void)arg;
    get(call);
    answered++;
}

static void get_too_late(bp_call *call, void *arg)
{
    bp_str value;

    (void)arg;
    assert_int_equal(bp_cache_get(call, &instance.peer, BP_STR("key"), &value), BP_LIMIT);
    assert_int_equal(call->error.status, BP_LIMIT);
    assert_string_equal(call->error.message.data,
                        "cache/fake \"main\" had no free place within the time allowed");
    refused++;
    is_held = false;
}

static bool are_over(void *arg)
{
    (void)arg;
    return answered == 2 && refused == 1;
}

static void who_waits_in_vain_is_refused_and_the_instance_is_not_to_blame(void **state)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };
    struct call_record  record;

    (void)state;
    is_held = true;
    for (int i = 0; i < 2; i++)
        assert_true(call_start(&worker, &options, get_in_time, NULL));
    options.deadline_ns = clock_now_ns() + BP_MILLISECONDS(5);
    assert_true(call_start(&worker, &options, get_too_late, NULL));
    worker_run_until(&worker, are_over, NULL);
    record = call_record_of(&unit);
    assert_int_equal(record.calls, 3);
    assert_int_equal(record.failed, 0);
}

/* ---- memory ---- */

static void make_and_free(void)
{
    assert_int_equal(rig_start_with("cache", &ops, &(struct gate_conf){ .retries = 0 }), 0);
    on_call(get);
    rig_stop(NULL);
}

static void a_gate_gives_back_what_it_took(void **state)
{
    (void)state;
    says = BP_OK;
    assert_gives_back(make_and_free, "gates");
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(each_call_is_noted_and_which_of_them_failed),
        GATED(each_call_is_counted_with_the_time_that_it_took),
        GATED(a_call_is_a_span_in_a_log_of_everything),
        GATED(who_waits_in_vain_is_refused_and_the_instance_is_not_to_blame),
        cmocka_unit_test(a_gate_gives_back_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
