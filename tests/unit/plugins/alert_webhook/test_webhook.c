/* test_webhook.c - alert/webhook: what is posted, and what becomes of refusals. */
#include "plugins/alert_test.h"

#define URL "https://hooks.example/alerts"

static int setup(void **state)
{
    const testhost_option options[] = { { "url", URL }, { "token", "s3cret" } };
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/alert/webhook.so") != 0)
        return -1;
    start(options, 2);
    return 0;
}

static bool is_at(const bp_json *object, const char *key, const char *value)
{
    return bp_str_is(bp_json_string(bp_json_get(object, key)), value);
}

static void alerts_are_posted_in_the_shape_of_alertmanager(void **state)
{
    const bp_json   *root, *first, *second;
    testhost_request sent;
    (void)state;
    testhost_http_answer(host, "POST", URL, 200, "", BP_STR("ok"));
    assert_ok(deliver(0, 2));
    assert_int_equal(testhost_request_count(host), 1);
    sent = testhost_request_at(host, 0);
    assert_non_null(strstr(sent.headers, "Authorization: Bearer s3cret\r\n"));
    assert_non_null(strstr(sent.headers, "Content-Type: application/json\r\n"));
    assert_ok(bp_json_parse(call, sent.body, &root));
    assert_true(is_at(root, "version", "4") && is_at(root, "status", "firing") &&
                is_at(root, "receiver", "main"));
    assert_int_equal(bp_json_count(bp_json_get(root, "alerts")), 2);
    first = bp_json_at(bp_json_get(root, "alerts"), 0);
    second = bp_json_at(bp_json_get(root, "alerts"), 1);
    assert_true(is_at(first, "status", "firing") && is_at(first, "fingerprint", "abc123"));
    assert_true(is_at(first, "startsAt", "2023-11-14T22:13:20.005Z"));
    assert_true(is_at(first, "endsAt", "0001-01-01T00:00:00Z"));
    assert_true(is_at(bp_json_get(first, "labels"), "alertname", "ComponentDown"));
    assert_true(is_at(bp_json_get(first, "labels"), "severity", "critical"));
    assert_true(is_at(bp_json_get(first, "labels"), "component", "storage.main"));
    assert_true(is_at(bp_json_get(first, "annotations"), "description", "the disk is on \"fire\""));
    assert_true(is_at(second, "status", "resolved") &&
                is_at(second, "endsAt", "2023-11-14T22:14:20.000Z"));
    assert_true(is_at(bp_json_get(second, "annotations"), "runbook_url", "https://x.example/r"));
    assert_ok(deliver(1, 1));
    assert_ok(bp_json_parse(call, testhost_request_at(host, 1).body, &root));
    assert_true(is_at(root, "status", "resolved"));
}

static void refusals_say_whether_trying_again_helps(void **state)
{
    (void)state;
    testhost_http_answer(host, "POST", URL, 503, "Retry-After: 9\r\n", BP_STR(""));
    assert_status(deliver(0, 1), BP_UPSTREAM);
    assert_said("https://hooks.example/*** answered 503 to 1 alert"); // the path may be a key
    assert_int_equal(bp_error_of(call)->retry_after_ns, BP_SECONDS(9));
    testhost_http_answer(host, "POST", URL, 429, "", BP_STR(""));
    assert_status(deliver(0, 2), BP_LIMIT);
    testhost_http_answer(host, "POST", URL, 401, "", BP_STR(""));
    assert_status(deliver(0, 1), BP_DENIED);
    assert_null(strstr(bp_error_of(call)->message.data, "s3cret"));
    testhost_http_answer(host, "POST", URL, 404, "", BP_STR(""));
    assert_status(deliver(0, 1), BP_INVALID);
    testhost_http_answer(host, "POST", URL, 302, "Location: /x\r\n", BP_STR(""));
    assert_status(deliver(0, 1), BP_INVALID);
    testhost_http_failure(host, "POST", URL, BP_UNAVAILABLE, "connection refused");
    assert_status(deliver(0, 1), BP_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alerts_are_posted_in_the_shape_of_alertmanager, setup,
                                        close_host_of_sink),
        cmocka_unit_test_setup_teardown(refusals_say_whether_trying_again_helps, setup,
                                        close_host_of_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
