/* test_ways.c - what is rare on the way of a request: a storage that hangs, commands that fail, odd
 * names in Host and Origin; and the counters before the first request. */
#include "api_rig.h"

#include "api/keys.h"

static bp_status tell(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance, (void)request;
    return bp_respond(call, response, 200, "text/plain", BP_STR("told"));
}

static const bp_route told_routes[] = { { .method = "GET", .path = "/told", .handler = tell },
                                        { .method = "PUT", .path = "/told", .handler = tell } };

static bp_status fail_at_once(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance, (void)run;
    return bp_fail(call, BP_CONFLICT, "two at once");
}

static bp_status fail_later(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance;
    BP_TRY(bp_command_print(call, run, BP_STR("first")));
    return bp_fail(call, BP_CONFLICT, "two at once");
}

static bp_status refuse(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance;
    return bp_command_refuse(call, run, BP_STR("not like this"));
}

static bp_status say_alone(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance;
    return bp_command_print(call, run, bp_format(call, "alone=%d", bp_command_is_alone(run)));
}

static const bp_command commands[] = {
    { .name = "alone", .summary = "says it", .handler = say_alone },
    { .name = "fail", .summary = "fails", .handler = fail_at_once },
    { .name = "fail later", .summary = "fails", .handler = fail_later },
    { .name = "refuse", .summary = "refuses", .handler = refuse },
};

static int set_up(void **state)
{
    (void)state;
    rig_layer = NULL;
    rig_routes = told_routes;
    rig_route_count = 2;
    rig_commands = commands;
    rig_command_count = sizeof(commands) / sizeof(commands[0]);
    api_rig_defaults();
    return 0;
}

/* ---- a storage that hangs ---- */

static void make_key(bp_call *call, void *text)
{
    struct key_request wanted = { .name = BP_STR("test"),
                                  .tenant = BP_STR("ada"),
                                  .scopes = BP_STR("host:read") };

    assert_int_equal(keys_create(call, &instances[STORAGE].peer, &wanted, text), BP_OK);
}

/* The key is looked up beside the request, and known when the storage has answered. */
static void health_waits_for_no_storage(void **state)
{
    char text[KEY_TEXT_BYTES], header[KEY_TEXT_BYTES + 64];

    (void)state;
    conf.server.auth.mode = AUTH_KEYS;
    api_rig_start();
    pthread_mutex_lock(&units[CACHE].report.lock);
    units[CACHE].report.level = BP_REPORT_DEGRADED;
    snprintf(units[CACHE].report.sentence, sizeof(units[CACHE].report.sentence), "a secret place");
    pthread_mutex_unlock(&units[CACHE].report.lock);
    health_board_set_phase(board, PHASE_READY);
    on_worker(make_key, text);
    snprintf(header, sizeof(header), "X-API-Key: %s\r\n", text);

    const struct expected known = { "GET", "/health", header, 200, { "a secret place" }, NULL };
    const struct expected unknown = { "GET", "/health", header, 200, { "degraded" }, "a secret" };

    stored.hangs = true;
    expect(&unknown);
    expect(&unknown);
    assert_int_equal(stored.selects, 0);
    stored.hangs = false;
    assert_true(RIG_SOON(stored.selects == 2));
    expect(&known);
    expect(&known);
    assert_int_equal(stored.selects, 2);
}

/* ---- without memory ---- */

/* How many of two requests on one connection are answered 503. */
static size_t refused_of_two(void)
{
    static const char two[] = "GET /told HTTP/1.1\r\nHost: localhost\r\n\r\n"
                              "GET /told HTTP/1.1\r\nHost: localhost\r\nConnection: "
                              "close\r\n\r\n";
    char             *answer = client_ask(rig.port, two);
    size_t            count = 0;

    for (const char *at = strstr(answer, "HTTP/1.1 503"); at; at = strstr(at + 1, "HTTP/1.1 503"))
        count++;
    free(answer);
    return count;
}

static void who_is_refused_loses_the_connection_and_who_is_shed_does_not(void **state)
{
    (void)state;
    conf.server.limits.memory_bytes = 1;
    conf.server.limits.shed_at = 0.5;
    conf.server.limits.refuse_at = 1e18;
    api_rig_start();
    assert_int_equal(refused_of_two(), 2);
    conf.server.limits.refuse_at = 1;
    assert_int_equal(refused_of_two(), 1);
}

/* ---- commands ---- */

#define POSTED "Content-Length: 0\r\n"

static void a_command_that_fails_says_so_whenever_it_does(void **state)
{
    static const struct expected requests[] = {
        { "POST",
          "/commands/work/fail",
          POSTED,
          409,
          { "{\"error\":{\"code\":\"conflict\",\"message\":\"two at once\",\"request_id\":\"" },
          "\"end\"" },
        { "POST",
          "/commands/work/fail/later",
          POSTED,
          200,
          { "{\"print\":\"first\"}\n",
            "{\"end\":{\"status\":1,\"code\":\"conflict\",\"http_status\":409,\"message\":\"two at "
            "once\",\"request_id\":\"" },
          NULL },
        { "POST",
          "/commands/work/refuse",
          POSTED,
          200,
          { "{\"end\":{\"status\":2,\"usage\":true,\"code\":\"invalid\",\"http_status\":400,"
            "\"message\":\"not like this\",\"request_id\":\"" },
          NULL },
        { "POST",
          "/commands/work/alone",
          POSTED,
          200,
          { "{\"print\":\"alone=0\"}\n", "{\"end\":{\"status\":0}}\n" },
          NULL },
    };

    (void)state;
    api_rig_start();
    EXPECT_EACH(requests);
    api.is_private = true;
    expect(&(struct expected){
        "POST", "/commands/work/alone", POSTED, 200, { "{\"print\":\"alone=1\"}\n" }, NULL });
}

/* ---- Host and Origin ---- */

static void odd_names_are_no_loopback_names(void **state)
{
    static const struct {
        const char *host, *origin;
        int         status;
        bool        is_allowed; /* its headers are there */
    } cases[] = {
        { "[::1", NULL, 400, false },
        { "localhost", "http://[::1", 403, false },
        { "[::1]x", NULL, 400, false },
        { "127.", NULL, 200, false },
        { "127x", NULL, 403, false },
        { "127.0.0.1x", NULL, 403, false },
        { "128.0.0.1", NULL, 403, false },
        { "localhosts", NULL, 403, false },
        { "localhost", "http://localhost:", 403, false },
        { "localhost", "http://localhost:1", 200, true },
        { "localhost", "https://[::1]", 200, true },
        { "localhost", "https://[::1]:9", 200, true },
        { "localhost", "https://[::1]9", 403, false },
        { "localhost", "https://[::1]x9", 403, false },
        { "localhost", "https://LocalHost", 200, false },
        { "localhost", "http://LocalHost", 200, false },
        { "localhost", "http:/localhost", 403, false },
        { "localhost", "localhost", 403, false },
        { "localhost", "http://", 403, false },
        { "localhost", "https://", 403, false },
    };

    (void)state;
    api_rig_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char  text[512], wanted[128];
        char *answer;
        bool  is_allowed;

        snprintf(text, sizeof(text),
                 "GET /told HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s%s\r\n", cases[i].host,
                 cases[i].origin ? "Origin: " : "", cases[i].origin ? cases[i].origin : "",
                 cases[i].origin ? "\r\n" : "");
        answer = client_ask(rig.port, text);
        snprintf(wanted, sizeof(wanted), "Access-Control-Allow-Origin: %s\r\n",
                 cases[i].origin ? cases[i].origin : "");
        is_allowed = strstr(answer, wanted) != NULL;
        if (client_status(answer) != cases[i].status || is_allowed != cases[i].is_allowed)
            fail_msg("%s %s: %s", cases[i].host, cases[i].origin, answer);
        free(answer);
    }
}

/* ---- counters ---- */

static void counters_are_there_before_the_first_request(void **state)
{
    static const char *const lines[] = {
        "\nhttp_requests_total{method=\"GET\",route=\"/told\",status=\"200\"} 0\n",
        "\nhttp_requests_total{method=\"GET\",route=\"/told\",status=\"500\"} 0\n",
        "\nhttp_requests_total{method=\"GET\",route=\"/told\",status=\"503\"} 0\n",
        "\nhttp_requests_total{method=\"PUT\",route=\"/told\",status=\"200\"} 0\n",
        "\nhttp_requests_total{method=\"PUT\",route=\"/told\",status=\"503\"} 0\n",
        "\nhttp_requests_total{method=\"GET\",route=\"/health\",status=\"200\"} 0\n",
        "\nhttp_requests_in_flight 1\n",
        "\n# HELP http_requests_in_flight Requests that are being answered now.\n",
        "\n# TYPE http_requests_in_flight gauge\n",
        "\n# HELP http_requests_total Requests answered.\n",
        "\n# TYPE http_requests_total counter\n",
    };
    char *answer;

    (void)state;
    api_rig_start();
    answer = ask("GET", "/metrics", "");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(answer, lines[i]))
            fail_msg("no %s in %s", lines[i], answer);
    free(answer);
}

#define OVER_HTTP(test) cmocka_unit_test_setup_teardown(test, set_up, api_rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_HTTP(health_waits_for_no_storage),
        OVER_HTTP(who_is_refused_loses_the_connection_and_who_is_shed_does_not),
        OVER_HTTP(a_command_that_fails_says_so_whenever_it_does),
        OVER_HTTP(odd_names_are_no_loopback_names),
        OVER_HTTP(counters_are_there_before_the_first_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
