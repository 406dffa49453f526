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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
