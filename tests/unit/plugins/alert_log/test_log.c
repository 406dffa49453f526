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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_alert_is_one_line, setup, close_host_of_sink),
        cmocka_unit_test_setup_teardown(labels_can_be_left_out, setup, close_host_of_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
