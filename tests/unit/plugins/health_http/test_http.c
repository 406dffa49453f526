/* test_http.c - health/http: statuses, bodies, and servers that are not there. */
#include "plugins/health_test.h"

#define URL "http://qdrant:6333/readyz"

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/health/http.so");
}

static void any_2xx_is_healthy_unless_statuses_are_named(void **state)
{
    const testhost_option options[] = { { "url", URL } };
    (void)state;
    start(options, 1);
    testhost_http_answer(host, "GET", URL, 204, "", BP_STR(""));
    ask(BP_HEALTH_OK, URL " answered 204");
    testhost_http_answer(host, "GET", URL, 302, "Location: /x\r\n", BP_STR(""));
    ask(BP_HEALTH_DOWN, URL " answered 302");
    testhost_http_failure(host, "GET", URL, BP_UNAVAILABLE, "cannot reach it: connection refused");
    ask(BP_HEALTH_DOWN, "connection refused");
}

static void named_statuses_and_ranges_decide(void **state)
{
    const testhost_option options[] = { { "url", URL },
                                        { "expect", "401, 500-503" },
                                        { "method", "HEAD" } };
    (void)state;
    start(options, 3);
    testhost_http_answer(host, "HEAD", URL, 401, "", BP_STR(""));
    ask(BP_HEALTH_OK, "401");
    testhost_http_answer(host, "HEAD", URL, 503, "", BP_STR(""));
    ask(BP_HEALTH_OK, "503");
    testhost_http_answer(host, "HEAD", URL, 200, "", BP_STR(""));
    ask(BP_HEALTH_DOWN, "200");
}

static void a_body_without_the_text_is_down(void **state)
{
    const testhost_option options[] = { { "url", URL }, { "contains", "all shards are ready" } };
    (void)state;
    start(options, 2);
    testhost_http_answer(host, "GET", URL, 200, "", BP_STR("yes, all shards are ready"));
    ask(BP_HEALTH_OK, "200");
    testhost_http_answer(host, "GET", URL, 200, "", BP_STR("not ready"));
    ask(BP_HEALTH_DOWN, "without \"all shards are ready\"");
}

static void wrong_options_are_refused(void **state)
{
    const testhost_option bad_status[] = { { "url", URL }, { "expect", "200, 6xx" } };
    const testhost_option reversed[] = { { "url", URL }, { "expect", "299-200" } };
    const testhost_option no_body[] = { { "url", URL }, { "method", "HEAD" }, { "contains", "x" } };
    (void)state;
    refuse(bad_status, 2, "\"6xx\" is not a status");
    refuse(reversed, 2, "\"299-200\" is not a status");
    refuse(no_body, 3, "HEAD");
}

static void statuses_are_a_number_a_hundred_or_a_range(void **state)
{
    static const struct {
        const char *expect;
        int         first, last; /* 0: it is refused */
    } cases[] = {
        { "100", 100, 100 },     { "599", 599, 599 },     { "1xx", 100, 199 },  { "5xx", 500, 599 },
        { "200-299", 200, 299 }, { "204-204", 204, 204 }, { "99", 0, 0 },       { "600", 0, 0 },
        { "0xx", 0, 0 },         { "6xx", 0, 0 },         { "20", 0, 0 },       { "2000", 0, 0 },
        { "200-", 0, 0 },        { "200-29", 0, 0 },      { "200-600", 0, 0 },  { "099-200", 0, 0 },
        { "2x", 0, 0 },          { "abcdefgh", 0, 0 },    { "200-2999", 0, 0 }, { "20-200", 0, 0 },
        { "2xy", 0, 0 },         { "200-201x", 0, 0 },    { "-200", 0, 0 },     { "200x", 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const testhost_option options[] = { { "url", URL }, { "expect", cases[i].expect } };

        if (!cases[i].first) {
            refuse(options, 2, "is not a status; write 200, 2xx or 200-299");
            continue;
        }
        start(options, 2);
        for (int status = cases[i].first - 1; status <= cases[i].last + 1; status++) {
            bool is_in = status >= cases[i].first && status <= cases[i].last;

            testhost_http_answer(host, "GET", URL, status, "", BP_STR(""));
            ask(is_in ? BP_HEALTH_OK : BP_HEALTH_DOWN, "answered");
        }
        stop();
    }
    start((const testhost_option[]){ { "url", URL } }, 1);
    for (int status = 199; status <= 300; status++) {
        testhost_http_answer(host, "GET", URL, status, "", BP_STR(""));
        ask(status >= 200 && status <= 299 ? BP_HEALTH_OK : BP_HEALTH_DOWN, "answered");
    }
    assert_true(health.value == 0);
    assert_true(bp_str_is(health.unit, "seconds"));
}

static void what_was_asked_and_answered_is_said(void **state)
{
    static const struct {
        const char *method, *contains, *body;
        bp_status   status;
        const char *wanted;
    } cases[] = {
        { "GET", "", "x", BP_OK, "ok: " URL " answered 200 (in seconds)" },
        { "HEAD", "", "", BP_OK, "ok: " URL " answered 200 (in seconds)" },
        { "GET", "ready", "ready", BP_OK, "ok: " URL " answered 200 (in seconds)" },
        { "GET", "ready", "read", BP_OK,
          "down: " URL " answered 200, but without \"ready\" (in seconds)" },
        { "GET", "ready", "", BP_OK,
          "down: " URL " answered 200, but without \"ready\" (in seconds)" },
        { "GET", "ready", "", BP_IO, "down: gone (no value)" },
        { "GET", "", "", BP_CANCELLED, "cancelled" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const testhost_option options[] = { { "url", URL },
                                            { "method", cases[i].method },
                                            { "contains", cases[i].contains } };

        start(options, 3);
        if (cases[i].status == BP_OK)
            testhost_http_answer(host, cases[i].method, URL, 200, "", bp_str_of(cases[i].body));
        else
            testhost_http_failure(host, cases[i].method, URL, cases[i].status, "gone");
        assert_string_equal(asked(), cases[i].wanted);
        assert_string_equal(testhost_request_at(host, testhost_request_count(host) - 1).method,
                            cases[i].method);
        stop();
    }
    start((const testhost_option[]){ { "url", URL } }, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_2xx_is_healthy_unless_statuses_are_named, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(named_statuses_and_ranges_decide, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(a_body_without_the_text_is_down, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(wrong_options_are_refused, setup, close_host_of_check),
        cmocka_unit_test_setup_teardown(what_was_asked_and_answered_is_said, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(statuses_are_a_number_a_hundred_or_a_range, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
