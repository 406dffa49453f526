/* test_log.c - alert/log: one line an alert. */
#include "plugins/alert_test.h"

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/alert/log.so");
}

static void each_alert_is_one_line(void **state)
{
    testhost_log line;
    size_t       before;
    (void)state;
    start(NULL, 0);
    before = testhost_log_count(host);
    assert_ok(deliver(0, 2));
    assert_int_equal(testhost_log_count(host), before + 2);
    line = testhost_log_at(host, before);
    assert_int_equal(line.level, BP_LOG_ERROR);
    assert_string_equal(line.event, "alert");
    assert_string_equal(line.message, "storage.main is down");
    assert_non_null(strstr(line.fields, "alert=ComponentDown state=firing severity=critical "
                                        "fingerprint=abc123"));
    assert_non_null(strstr(line.fields, "label_component=storage.main"));
    line = testhost_log_at(host, before + 1);
    assert_int_equal(line.level, BP_LOG_INFO);
    assert_non_null(strstr(line.fields, "state=resolved"));
    assert_non_null(strstr(line.fields, "runbook_url=https://x.example/r"));
}

static void labels_can_be_left_out(void **state)
{
    const testhost_option options[] = { { "with_labels", "false" } };
    (void)state;
    start(options, 1);
    assert_ok(deliver(0, 1));
    assert_false(testhost_log_has(host, "label_component"));
}

static void the_level_goes_by_severity_and_by_the_end(void **state)
{
    static const struct {
        uint32_t     severity;
        int64_t      ends_wall_ns;
        bp_log_level level;
        const char  *fields;
    } cases[] = {
        { BP_SEVERITY_INFO, 0, BP_LOG_WARN, "alert=A state=firing severity=info fingerprint=f" },
        { BP_SEVERITY_WARNING, 0, BP_LOG_WARN,
          "alert=A state=firing severity=warning fingerprint=f" },
        { BP_SEVERITY_CRITICAL, 0, BP_LOG_ERROR,
          "alert=A state=firing severity=critical fingerprint=f" },
        { BP_SEVERITY_CRITICAL + 1, 0, BP_LOG_WARN,
          "alert=A state=firing severity=unknown fingerprint=f" },
        { BP_SEVERITY_CRITICAL, 1, BP_LOG_INFO,
          "alert=A state=resolved severity=critical fingerprint=f" },
    };
    const bp_alert_ops *ops;

    (void)state;
    start(NULL, 0);
    ops = testhost_ops(instance);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bp_alert alert = { .struct_size = sizeof(alert),
                                 .severity = cases[i].severity,
                                 .name = BP_STR("A"),
                                 .fingerprint = BP_STR("f"),
                                 .summary = BP_STR("sum"),
                                 .ends_wall_ns = cases[i].ends_wall_ns };
        testhost_log   line;

        assert_ok(ops->deliver(call, testhost_self(instance), &alert, sizeof(alert), 1));
        line = testhost_log_at(host, testhost_log_count(host) - 1);
        assert_int_equal(line.level, cases[i].level);
        assert_string_equal(line.fields, cases[i].fields);
        assert_string_equal(line.message, "sum");
    }
}

static void sixteen_labels_are_written(void **state)
{
    bp_label       many[17];
    const bp_alert alert = { .struct_size = sizeof(alert),
                             .name = BP_STR("A"),
                             .fingerprint = BP_STR("f"),
                             .runbook_url = BP_STR("u"),
                             .labels = many,
                             .label_count = 17 };
    const char    *fields;

    (void)state;
    start(NULL, 0);
    for (size_t i = 0; i < 17; i++)
        many[i] = (bp_label){ bp_format(call, "n%zu", i), bp_format(call, "v%zu", i) };
    assert_ok(((const bp_alert_ops *)testhost_ops(instance))
                  ->deliver(call, testhost_self(instance), &alert, sizeof(alert), 1));
    fields = testhost_log_at(host, testhost_log_count(host) - 1).fields;
    assert_string_equal(fields,
                        "alert=A state=firing severity=info fingerprint=f runbook_url=u "
                        "label_n0=v0 label_n1=v1 label_n2=v2 label_n3=v3 label_n4=v4 label_n5=v5 "
                        "label_n6=v6 label_n7=v7 label_n8=v8 label_n9=v9 label_n10=v10 "
                        "label_n11=v11 label_n12=v12 label_n13=v13 label_n14=v14 label_n15=v15");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_alert_is_one_line, setup, close_host_of_sink),
        cmocka_unit_test_setup_teardown(the_level_goes_by_severity_and_by_the_end, setup,
                                        close_host_of_sink),
        cmocka_unit_test_setup_teardown(sixteen_labels_are_written, setup, close_host_of_sink),
        cmocka_unit_test_setup_teardown(labels_can_be_left_out, setup, close_host_of_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
