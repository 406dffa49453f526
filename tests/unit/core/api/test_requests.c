/* test_requests.c - what a request is answered on its way: Host and Origin, route, key, limits,
 * handler, and the line in the log. */
#include "api_rig.h"

/* ---- the app ---- */

static bp_status echo(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_str query;
    bool   has_query = bp_request_query(request, "q", &query);

    (void)instance;
    return bp_respond(call, response, 200, "text/plain",
                      bp_format(call,
                                "name=" BP_FMT " q=%s" BP_FMT " thing=" BP_FMT " id=" BP_FMT
                                " tenant=" BP_FMT " key=%s request=%s",
                                BP_ARG(bp_request_path_value(request, "name")),
                                has_query ? "" : "none", BP_ARG(query),
                                BP_ARG(bp_request_header(request, "X-Thing")),
                                BP_ARG(call->principal.id), BP_ARG(call->principal.tenant),
                                counted.key, call->request_id));
}

static bp_status read_body(bp_call *call, void *instance, bp_request *request,
                           bp_response *response)
{
    bp_str body;

    (void)instance;
    BP_TRY(bp_request_body(call, request, &body));
    return bp_respond(call, response, 200, "text/plain", bp_format(call, "bytes=%zu", body.len));
}

static bp_status say_nothing(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    (void)call, (void)instance, (void)request, (void)response;
    return BP_OK;
}

static bp_status fail_with(bp_call *call, void *instance, bp_request *request,
                           bp_response *response)
{
    bp_str name = bp_request_path_value(request, "name");

    (void)instance, (void)response;
    if (bp_str_is(name, "unavailable"))
        return bp_fail(call, BP_UNAVAILABLE, "back soon");
    if (bp_str_is(name, "later")) {
        call_fail(call, BP_LIMIT, "not now");
        call->error.retry_after_ns = BP_SECONDS(7);
        return BP_LIMIT;
    }
    return bp_fail(call, BP_CONFLICT, "two at once");
}

static bp_status fail_in_events(bp_call *call, void *instance, bp_request *request,
                                bp_response *response)
{
    (void)instance, (void)request;
    BP_TRY(bp_response_event(call, response, "piece", BP_STR("first")));
    return bp_fail(call, BP_UPSTREAM, "it broke off");
}

static bp_status make_key(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct key_request wanted = { .name = BP_STR("test"), .tenant = BP_STR("ada") };
    char               text[KEY_TEXT_BYTES];
    bp_str             ttl;

    (void)instance;
    bp_request_query(request, "scopes", &wanted.scopes);
    if (bp_request_query(request, "expired", &ttl))
        wanted.ttl_ns = -1;
    BP_TRY(keys_create(call, &instances[STORAGE].peer, &wanted, text));
    return bp_respond(call, response, 200, "text/plain", bp_str_of(text));
}

static bp_status revoke_key(bp_call *call, void *instance, bp_request *request,
                            bp_response *response)
{
    (void)instance;
    BP_TRY(keys_revoke(call, &instances[STORAGE].peer, bp_request_path_value(request, "id")));
    return bp_respond(call, response, 200, "text/plain", BP_STR("revoked"));
}

static bp_status list_keys(bp_call *call, void *instance, bp_request *request,
                           bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, 1 << 16);

    (void)instance, (void)request;
    BP_TRY(keys_list(call, &instances[STORAGE].peer, w));
    return bp_respond_json(call, response, 200, w);
}

static const bp_route app_routes[] = {
    { .method = "GET",
      .path = "/echo/{name}",
      .handler = echo,
      .summary = "Says <what> it got",
      .query = "q: what to say\nlimit: 1 to 100" },
    { .method = "POST",
      .path = "/echo/{name}",
      .handler = echo,
      .request_schema = "{\"type\":\"object\"}",
      .response_schema = "{\"type\":\"string\"}" },
    { .method = "GET", .path = "/mcp/{name}", .handler = echo },
    { .method = "GET", .path = "/files/{path...}", .handler = echo },
    { .method = "POST", .path = "/body", .handler = read_body },
    { .method = "POST", .path = "/short", .handler = read_body, .body_max_bytes = 4 },
    { .method = "GET", .path = "/silent", .handler = say_nothing },
    { .method = "GET", .path = "/fail/{name}", .handler = fail_with },
    { .method = "GET", .path = "/events", .handler = fail_in_events },
    { .method = "GET", .path = "/scoped", .handler = echo, .scope = "app:read" },
    { .method = "GET", .path = "/any", .handler = echo, .flags = BP_ROUTE_AUTHENTICATED },
    { .method = "GET", .path = "/limited", .handler = echo, .rate_per_minute = 5 },
    { .method = "GET", .path = "/make", .handler = make_key },
    { .method = "GET", .path = "/revoke/{id}", .handler = revoke_key },
    { .method = "GET", .path = "/keys", .handler = list_keys },
};

static bp_status run_nothing(bp_call *call, void *instance, bp_command_run *run)
{
    (void)call, (void)instance, (void)run;
    return BP_OK;
}

static const bp_command app_commands[] = {
    { .name = "try", .summary = "tries", .handler = run_nothing },
    { .name = "try twice", .summary = "tries again", .scope = "app:read", .handler = run_nothing },
};

static int defaults(void **state)
{
    (void)state;
    rig_commands = app_commands;
    rig_command_count = 2;
    rig_routes = app_routes;
    rig_route_count = sizeof(app_routes) / sizeof(app_routes[0]);
    api_rig_defaults();
    return 0;
}

static int set_up(void **state)
{
    defaults(state);
    api_rig_start();
    return 0;
}

/* ---- routes and handlers ---- */

static const struct expected reached[] = {
    { "GET",
      "/echo/a%20b?x=1&q=c%2Bd",
      "X-Thing: e\r\n",
      200,
      { "name=a b q=c+d thing=e id= ", "Content-Type: text/plain", "X-Request-Id: " },
      NULL },
    { "GET",
      "/echo/a",
      "X-Request-Id: my-Id_0.9:+/=\r\n",
      200,
      { "q=none", "X-Request-Id: my-Id_0.9:+/=\r\n", "request=my-Id_0.9:+/=" },
      NULL },
    { "GET", "/echo/a", "X-Request-Id: azAZ09\r\n", 200, { "X-Request-Id: azAZ09\r\n" }, NULL },
    { "GET", "/echo/a", "X-Request-Id: \"quoted\"\r\n", 200, { "X-Request-Id: " }, "quoted" },
    { "GET", "/mcp/work", NULL, 200, { "name=work " }, NULL },
    { "GET", "/mcp/work/", NULL, 200, { "name=work " }, NULL }, // as people write it
    { "GET", "/mcp/work/x/", NULL, 404, { NULL }, NULL },
    { "GET", "/echo/work/", NULL, 404, { NULL }, NULL },
    { "GET", "/nowhere", NULL, 404, { "there is no route GET /nowhere" }, "Allow: " },
    { "DELETE",
      "/echo/a",
      NULL,
      405,
      { "Allow: HEAD, GET, POST\r\n", "\"method_not_allowed\"", "takes HEAD, GET, POST" },
      NULL },
    { "GET", "/silent", NULL, 500, { "\"internal\"", "\"request_id\":" }, NULL },
    { "GET", "/fail/conflict", NULL, 409, { "\"conflict\"", "two at once" }, "Retry-After" },
    { "GET", "/fail/unavailable", NULL, 503, { "Retry-After: 1\r\n" }, NULL },
    { "GET", "/fail/later", NULL, 429, { "Retry-After: 8\r\n", "not now" }, NULL },
    { "GET",
      "/events",
      NULL,
      200,
      { "event: piece\ndata: first\n", "event: error\ndata: {\"error\"", "it broke off" },
      NULL },
    { "POST", "/body", "Content-Length: 0\r\n", 200, { "bytes=0" }, NULL },
    { "POST",
      "/body",
      "Content-Length: 0\r\nContent-Encoding: gzip\r\n",
      200,
      { "bytes=0" },
      NULL },
    { "POST",
      "/body",
      "Content-Length: 4\r\nContent-Encoding: gzip\r\n",
      415,
      { "unsupported_media_type", "Accept-Encoding: identity", "\\\"gzip\\\"" },
      NULL },
    { "POST", "/body", "Content-Length: 1025\r\n", 413, { "too_large" }, NULL },
    { "POST", "/short", "Content-Length: 5\r\n", 413, { "too_large" }, NULL },
    { "GET",
      "/",
      NULL,
      200,
      { "\"docs\":\"/docs\",\"openapi\":\"/openapi.json\",\"health\":\"/health\"}",
        "{\"name\":\"backplane\",\"version\":\"" },
      NULL },
    { "GET",
      "/echo/a",
      "Origin: http://localhost:3000\r\n",
      200,
      { "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, Retry-After, "
        "X-Request-Id\r\n",
        "Vary: Origin\r\n" },
      NULL },
    { "GET", "/commands", NULL, 200, { "\"commands\":[", "\"try\"", "\"try twice\"" }, NULL },
    { "POST",
      "/commands/work/try",
      "Content-Length: 0\r\n",
      200,
      { "{\"end\":{\"status\":0}}", "X-Accel-Buffering: no\r\n" },
      NULL },
    { "POST", "/commands/work/try/twice", "Content-Length: 0\r\n", 200, { NULL }, NULL },
    { "POST", "/commands/work/nothing", "Content-Length: 0\r\n", 404, { NULL }, NULL },
    { "GET", "/health/live", NULL, 200, { "alive" }, NULL },
};

static void a_request_reaches_its_handler_and_gets_its_answer(void **state)
{
    (void)state;
    EXPECT_EACH(reached);
    assert_true(metric_value(api.in_flight) == 0);
}

static void a_body_that_is_not_coded_is_taken_as_it_is(void **state)
{
    char *answer;

    (void)state;
    answer = client_ask(rig.port, "POST /short HTTP/1.1\r\nHost: localhost\r\nConnection: "
                                  "close\r\nContent-Encoding: Identity\r\nContent-Length: "
                                  "4\r\n\r\nabcd");
    assert_non_null(strstr(answer, "bytes=4"));
    free(answer);
}

static void an_id_of_up_to_128_bytes_is_kept(void **state)
{
    char line[200], id[130];

    (void)state;
    for (int len = 128; len <= 129; len++) {
        struct expected wanted = { "GET", "/echo/a", line, 200, { NULL }, NULL };

        snprintf(id, sizeof(id), "%0*d", len, 7);
        snprintf(line, sizeof(line), "X-Request-Id: %s\r\n", id);
        if (len == 128)
            wanted.has[0] = line;
        else
            wanted.lacks = line;
        expect(&wanted);
    }
}

/* ---- probes ---- */

static void probes_follow_the_phase(void **state)
{
    static const struct {
        enum health_phase phase;
        struct expected   answers[4];
    } phases[] = {
        { PHASE_STARTING,
          { { "GET", "/health/startup", NULL, 503, { "\"starting\"" }, NULL },
            { "GET", "/health/ready", NULL, 503, { "not ready: see /health" }, NULL },
            { "GET", "/health/live", NULL, 200, { "alive" }, NULL },
            { "GET", "/health", NULL, 503, { "\"unhealthy\"" }, NULL } } },
        { PHASE_READY,
          { { "GET", "/health/startup", NULL, 200, { "\"started\"" }, NULL },
            { "GET", "/health/ready", NULL, 200, { "\"ready\"" }, NULL },
            { "GET", "/ready", NULL, 200, { "\"ready\"" }, NULL },
            { "GET", "/health", NULL, 200, { "\"healthy\"", "Cache-Control: no-store" }, NULL } } },
        { PHASE_DRAINING,
          { { "GET", "/health/startup", NULL, 200, { "\"started\"" }, NULL },
            { "GET", "/health/ready", NULL, 503, { "\"draining\"" }, NULL },
            { "GET", "/health/live", NULL, 200, { "alive" }, NULL },
            { "GET", "/health", NULL, 503, { "\"unhealthy\"" }, NULL } } },
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        health_board_set_phase(board, phases[i].phase);
        EXPECT_EACH(phases[i].answers);
    }
}

/* ---- Host and Origin ---- */

static void expect_with_host(const char *host, const char *more, int status, const char *has,
                             const char *lacks)
{
    char  text[512];
    char *answer;

    snprintf(text, sizeof(text), "GET /echo/a HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n",
             host, more);
    answer = client_ask(rig.port, text);
    if (client_status(answer) != status || (has && !strstr(answer, has)) ||
        (lacks && strstr(answer, lacks)))
        fail_msg("host %s %s: %s", host, more, answer);
    free(answer);
}

static const char is_allowed[] = "Access-Control-Allow-Origin: ";

static void a_loopback_listener_takes_loopback_names_and_those_of_the_conf(void **state)
{
    static const bp_str hosts[] = { BP_STR("named.example"), BP_STR("ported.example:99") };
    static const struct {
        const char *host, *more;
        int         status;
        bool        is_foreign; /* an origin that gets its headers */
    } requests[] = {
        { "localhost", "", 200, false },
        { "LOCALHOST:8000", "", 200, false },
        { "127.0.0.1:1", "", 200, false },
        { "127.1.2.3", "", 200, false },
        { "[::1]:8000", "", 200, false },
        { "[::2]", "", 403, false },
        { "127.0.0.1.evil.example", "", 403, false },
        { "evil.example", "", 403, false },
        { "10.0.0.1", "", 403, false },
        { "named.example", "", 200, false },
        { "named.example:1234", "", 200, false },
        { "ported.example:99", "", 200, false },
        { "ported.example:98", "", 403, false },
        { "localhost", "Origin: http://localhost\r\n", 200, false },
        { "localhost:80", "Origin: https://localhost:80\r\n", 200, false },
        { "localhost", "Origin: http://127.0.0.1:3000\r\n", 200, true },
        { "localhost", "Origin: http://localhost:3000\r\n", 200, true },
        { "localhost", "Origin: http://localhost:30x0\r\n", 403, false },
        { "localhost", "Origin: ftp://localhost\r\n", 403, false },
        { "localhost", "Origin: null\r\n", 403, false },
        { "localhost", "Origin: https://evil.example\r\n", 403, false },
    };

    (void)state;
    conf.server.allowed_hosts = (bp_str_list){ hosts, 2 };
    api_rig_start();
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        expect_with_host(requests[i].host, requests[i].more, requests[i].status,
                         requests[i].is_foreign ? is_allowed : NULL,
                         requests[i].is_foreign ? NULL : is_allowed);
}

static void a_listener_on_a_network_takes_any_host_unless_some_are_named(void **state)
{
    static const bp_str hosts[] = { BP_STR("named.example") },
                        origins[] = { BP_STR("https://page.example") };

    (void)state;
    listener.address = BP_STR("0.0.0.0:80");
    conf.server.allowed_origins = (bp_str_list){ origins, 1 };
    api_rig_start();
    expect_with_host("any.example", "", 200, NULL, NULL);
    expect_with_host("any.example", "Origin: https://PAGE.example\r\n", 200, is_allowed, NULL);
    expect_with_host("any.example", "Origin: https://any.example\r\n", 200, NULL, is_allowed);
    expect_with_host("any.example", "Origin: http://localhost:3000\r\n", 403,
                     "server.allowed_origins", is_allowed);
    conf.server.allowed_hosts = (bp_str_list){ hosts, 1 };
    expect_with_host("any.example", "", 403, "server.allowed_hosts", NULL);
    expect_with_host("named.example:5", "", 200, NULL, NULL);
    expect_with_host("192.0.2.1:80", "", 200, NULL, NULL); // no name leads to an address
    expect_with_host("[2001:db8::1]", "", 200, NULL, NULL);
    expect_with_host("localhost", "", 403, NULL, NULL);
}

static void a_page_asks_first_and_is_told_what_it_may(void **state)
{
    static const struct expected requests[] = {
        { "OPTIONS",
          "/echo/a",
          "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n",
          204,
          { "Access-Control-Allow-Origin: http://localhost:3000\r\n",
            "Access-Control-Allow-Headers: Authorization, ", "Access-Control-Max-Age: 600" },
          NULL },
        { "OPTIONS",
          "/echo/a",
          "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: "
          "POST\r\nAccess-Control-Request-Headers: x-own\r\n",
          204,
          { "Access-Control-Allow-Headers: x-own\r\n", "Vary: Origin\r\n",
            "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE\r\n" },
          NULL },
        { "OPTIONS", "/echo/a", NULL, 204, { "Allow: GET, HEAD, POST" }, "Access-Control" },
        { "OPTIONS",
          "/echo/a",
          "Origin: https://evil.example\r\n",
          403,
          { NULL },
          "Access-Control" },
    };

    (void)state;
    EXPECT_EACH(requests);
}

/* ---- limits ---- */

static void a_client_has_a_limit_and_a_route_its_own(void **state)
{
    static const struct expected requests[] = {
        { "GET",
          "/echo/a",
          NULL,
          200,
          { "X-RateLimit-Limit: 100\r\n", "X-RateLimit-Remaining: 2\r\n",
            "X-RateLimit-Reset: 3\r\n" },
          NULL },
        { "GET",
          "/echo/a",
          NULL,
          200,
          { "key=rate:127.0.0.1: ", "X-RateLimit-Remaining: 1\r\n" },
          NULL },
        { "GET",
          "/limited",
          NULL,
          200,
          { "key=rate:127.0.0.1:GET /limited ", "X-RateLimit-Limit: 5\r\n" },
          NULL },
        { "GET",
          "/limited",
          NULL,
          429,
          { "Retry-After: 3\r\n", "the limit of 5 requests a minute is reached",
            "X-RateLimit-Remaining: 0\r\n" },
          NULL },
        { "GET", "/", NULL, 200, { NULL }, "X-RateLimit" }, // the host's own asks no cache
    };

    (void)state;
    conf.server.rate_per_minute = 100;
    api_rig_start();
    counted.left = 3;
    EXPECT_EACH(requests);
}

static void the_hosts_own_routes_have_a_limit_that_probes_do_not_have(void **state)
{
    static const struct expected requests[] = {
        { "GET", "/", NULL, 200, { NULL }, NULL },
        { "GET", "/", NULL, 200, { NULL }, NULL },
        { "GET", "/", NULL, 429, { "Retry-After: ", "the limit of 2 requests a minute" }, NULL },
        { "GET", "/health/live", NULL, 200, { NULL }, NULL },
        { "GET", "/echo/a", NULL, 200, { NULL }, NULL },
    };
    char *answer, *after;

    (void)state;
    conf.server.host_rate_per_minute = 2;
    api_rig_start();
    EXPECT_EACH(requests);
    answer = ask("GET", "/", ""); // one of two a minute comes back after half of it
    after = strstr(answer, "Retry-After: ");
    if (after)
        assert_in_range(atoi(after + strlen("Retry-After: ")), 1, 31);
    free(answer);
}

static void without_memory_load_is_shed_and_then_everything_but_probes(void **state)
{
    static const struct expected shed[] = {
        { "GET", "/echo/a", NULL, 503, { "memory budget of 1 bytes" }, NULL },
        { "GET", "/", NULL, 200, { NULL }, NULL },
        { "GET", "/health/live", NULL, 200, { NULL }, NULL },
        { "GET", "/health/ready", NULL, 503, { "shedding load" }, NULL },
    };
    static const struct expected refused[] = {
        { "GET", "/echo/a", NULL, 503, { NULL }, NULL },
        { "GET", "/", NULL, 503, { NULL }, NULL },
        { "GET", "/health/live", NULL, 200, { NULL }, NULL },
    };

    (void)state;
    conf.server.limits.memory_bytes = 1;
    conf.server.limits.shed_at = 0.5;
    conf.server.limits.refuse_at = 1e18;
    api_rig_start();
    health_board_set_phase(board, PHASE_READY);
    EXPECT_EACH(shed);
    conf.server.limits.refuse_at = 1;
    EXPECT_EACH(refused);
}

/* ---- whose request it is ---- */

static void an_address_is_that_before_the_proxies_that_the_conf_trusts(void **state)
{
    static const bp_str          proxies[] = { BP_STR("127.0.0.1"), BP_STR("10.0.0.0/8") };
    static const struct expected requests[] = {
        { "GET", "/echo/a", NULL, 200, { "key=rate:127.0.0.1: " }, NULL },
        { "GET",
          "/echo/a",
          "X-Forwarded-For: 192.0.2.7\r\n",
          200,
          { "key=rate:192.0.2.7: " },
          NULL },
        { "GET",
          "/echo/a",
          "X-Forwarded-For: 198.51.100.1, 192.0.2.7, 10.1.1.1\r\n",
          200,
          { "key=rate:192.0.2.7: " },
          NULL },
        { "GET",
          "/echo/a",
          "X-Forwarded-For: nonsense, 10.1.1.1\r\n",
          200,
          { "key=rate:10.1.1.1: " },
          NULL },
        { "GET", "/echo/a", "X-Forwarded-For: 10.2.2.2\r\n", 200, { "key=rate:10.2.2.2: " }, NULL },
        { "GET",
          "/echo/a",
          "X-Forwarded-For: 2001:db8:1:2:3:4:5:6\r\n",
          200,
          { "key=rate:2001:db8:1:2::: " },
          NULL },
        { "GET",
          "/echo/a",
          "X-Forwarded-For: [2001:db8::1]\r\n",
          200,
          { "key=rate:2001:db8::: " },
          NULL },
        { "GET",
          "/echo/a",
          "X-Forwarded-For: ::ffff:192.0.2.9\r\n",
          200,
          { "key=rate:192.0.2.9: " },
          NULL },
    };

    (void)state;
    conf.server.rate_per_minute = 100;
    conf.server.trusted_proxies = (bp_str_list){ proxies, 2 };
    api_rig_start();
    EXPECT_EACH(requests);
}

static void who_is_no_trusted_proxy_is_not_believed(void **state)
{
    static const struct expected request = {
        "GET", "/echo/a", "X-Forwarded-For: 192.0.2.7\r\n", 200, { "key=rate:127.0.0.1: " }, NULL
    };

    (void)state;
    conf.server.rate_per_minute = 100;
    api_rig_start();
    expect(&request);
}

/* ---- keys ---- */

/* A line that presents a key of these scopes. The answer of /make is the key. */
static void make_header(char line[256], const char *how, const char *query)
{
    char  path[128];
    char *answer;

    snprintf(path, sizeof(path), "/make?%s", query);
    answer = ask("GET", path, "");
    assert_int_equal(client_status(answer), 200);
    snprintf(line, 256, "%s%s\r\n", how, client_body(answer));
    free(answer);
}

static void start_with_keys(void)
{
    conf.server.auth.mode = AUTH_KEYS;
    api_rig_start();
}

static void a_key_opens_what_its_scopes_say(void **state)
{
    char reader[256], other[256], all[256], expired[256], by_header[256], lower[256];
    char wrong[256];

    (void)state;
    start_with_keys();
    make_header(reader, "Authorization: Bearer ", "scopes=app:read");
    make_header(lower, "Authorization: bEARER   ", "scopes=app:*");
    make_header(other, "Authorization: Bearer ", "scopes=app:reader");
    make_header(all, "Authorization: Bearer ", "scopes=*");
    make_header(by_header, "X-API-Key: ", "scopes=app:read");
    make_header(expired, "Authorization: Bearer ", "scopes=*&expired=1");
    snprintf(wrong, sizeof(wrong), "%s", reader);
    wrong[strlen(wrong) - 3] ^= 1; // another digit of the secret

    const struct expected requests[] = {
        { "GET", "/scoped", reader, 200, { "tenant=ada", NULL }, "id= " },
        { "GET", "/scoped", lower, 200, { "tenant=ada" }, NULL },
        { "GET", "/scoped", all, 200, { "tenant=ada" }, NULL },
        { "GET", "/scoped", by_header, 200, { "tenant=ada" }, NULL },
        { "GET", "/scoped", other, 403, { "lacks the scope \\\"app:read\\\"" }, NULL },
        { "GET", "/any", other, 200, { "tenant=ada" }, NULL },
        { "GET", "/any", expired, 401, { "missing, wrong, expired or revoked" }, NULL },
        { "GET", "/any", wrong, 401, { "WWW-Authenticate: Bearer" }, NULL },
        { "GET", "/any", NULL, 401, { "\"unauthenticated\"" }, NULL },
        { "GET", "/any", "Authorization: Basic YWRhOmFkYQ==\r\n", 401, { NULL }, NULL },
        { "GET", "/any", "Authorization: Bearer bp_short\r\n", 401, { NULL }, NULL },
        { "GET", "/echo/a", NULL, 200, { "id= tenant=default" }, NULL },
        { "GET", "/echo/a", wrong, 200, { "id= tenant=default" }, NULL }, // an open route
        { "GET", "/echo/a", reader, 200, { "tenant=ada" }, NULL },
        { "GET", "/metrics", reader, 403, { "host:read" }, NULL },
        { "GET", "/metrics", all, 200, { "http_requests_total{" }, NULL },
        { "GET", "/metrics", NULL, 401, { NULL }, NULL },
    };
    EXPECT_EACH(requests);
}

static void health_says_more_to_who_is_known(void **state)
{
    char known[256], stranger[256];

    (void)state;
    start_with_keys();
    pthread_mutex_lock(&units[CACHE].report.lock);
    units[CACHE].report.level = BP_REPORT_DEGRADED;
    snprintf(units[CACHE].report.sentence, sizeof(units[CACHE].report.sentence), "a secret place");
    pthread_mutex_unlock(&units[CACHE].report.lock);
    health_board_set_phase(board, PHASE_READY);
    make_header(known, "Authorization: Bearer ", "scopes=host:read");
    make_header(stranger, "Authorization: Bearer ", "scopes=app:read");

    const struct expected requests[] = {
        { "GET", "/health", known, 200, { "a secret place", "\"degraded\"" }, NULL },
        { "GET", "/health", stranger, 200, { "\"degraded\"" }, "a secret place" },
        { "GET", "/health", NULL, 200, { "\"degraded\"" }, "a secret place" },
        { "GET",
          "/health",
          "Authorization: Bearer wrong\r\n",
          200,
          { "\"degraded\"" },
          "a secret place" },
    };
    EXPECT_EACH(requests);
}

static void a_key_is_looked_up_once_in_a_while(void **state)
{
    char known[256], absent[256];

    (void)state;
    start_with_keys();
    make_header(known, "Authorization: Bearer ", "scopes=*");
    snprintf(absent, sizeof(absent), "Authorization: Bearer bp_%016d_%064d\r\n", 1, 2);

    const struct expected good = { "GET", "/any", known, 200, { NULL }, NULL };
    const struct expected bad = { "GET", "/any", absent, 401, { NULL }, NULL };
    int64_t               began_ns = clock_now_ns();

    for (int i = 0; i < 3; i++) {
        expect(&good);
        expect(&bad);
    }
    if (clock_now_ns() - began_ns < BP_SECONDS(2)) // what was found holds for 5 s
        assert_int_equal(stored.selects, 2);
    stored.status = BP_UNAVAILABLE;
    if (clock_now_ns() - began_ns < BP_SECONDS(2)) {
        expect(&good);
        expect(&bad);
    }
}

static void what_the_storage_fails_with_is_no_wrong_key(void **state)
{
    char known[256];

    (void)state;
    start_with_keys();
    make_header(known, "Authorization: Bearer ", "scopes=*");
    stored.status = BP_UNAVAILABLE;

    const struct expected requests[] = {
        { "GET", "/any", known, 503, { "\"unavailable\"" }, "WWW-Authenticate" },
        { "GET", "/echo/a", known, 200, { "tenant=default" }, NULL },
    };
    EXPECT_EACH(requests);
}

static void who_guesses_too_often_is_not_listened_to(void **state)
{
    char first[256], second[256], third[256], known[256], fresh[256];

    (void)state;
    conf.server.auth.wrong_keys_per_minute = 2;
    start_with_keys();
    make_header(known, "Authorization: Bearer ", "scopes=*");
    make_header(fresh, "Authorization: Bearer ", "scopes=*");
    snprintf(first, sizeof(first), "Authorization: Bearer bp_a1%014d_%064d\r\n", 1, 2);
    snprintf(second, sizeof(second), "Authorization: Bearer bp_a2%014d_%064d\r\n", 1, 2);
    snprintf(third, sizeof(third), "Authorization: Bearer bp_a3%014d_%064d\r\n", 1, 2);

    const struct expected requests[] = {
        { "GET", "/any", known, 200, { NULL }, NULL },
        { "GET", "/any", first, 401, { NULL }, NULL },
        { "GET", "/any", second, 401, { NULL }, NULL },
        { "GET", "/any", third, 429, { "too many wrong API keys", "Retry-After: " }, NULL },
        { "GET", "/any", fresh, 429, { "too many wrong API keys" }, NULL },
        { "GET", "/any", known, 200, { NULL }, NULL }, // it was good within the last hour
    };
    EXPECT_EACH(requests);
}

static void a_revoked_key_is_listed_as_such(void **state)
{
    char  line[256], path[64];
    char *answer;

    (void)state;
    start_with_keys();
    make_header(line, "", "scopes=app:read");
    snprintf(path, sizeof(path), "/revoke/%.16s", line + 3);

    const struct expected requests[] = {
        { "GET",
          "/keys",
          NULL,
          200,
          { "\"name\":\"test\",\"tenant\":\"ada\",\"scopes\":\"app:read\",\"created_at\":\"20",
            "\"expires_at\":null,\"revoked_at\":null}]" },
          line + 20 },
        { "GET", path, NULL, 200, { "revoked" }, NULL },
        { "GET", path, NULL, 404, { "that could be revoked" }, NULL },
        { "GET", "/keys", NULL, 200, { "\"revoked_at\":\"20" }, NULL },
        { "GET", "/make", NULL, 400, { "scopes of 1 to 511 bytes" }, NULL },
    };
    EXPECT_EACH(requests);
    line[strlen(line) - 2] = '\0';
    snprintf(path, sizeof(path), "/any");
    char header[256];
    snprintf(header, sizeof(header), "Authorization: Bearer %.84s\r\n", line);
    answer = ask("GET", path, header);
    assert_int_equal(client_status(answer), 401);
    free(answer);
}

/* ---- metrics ---- */

static void metrics_have_a_token_and_may_be_off(void **state)
{
    static const struct expected requests[] = {
        { "GET",
          "/metrics",
          "Authorization: Bearer scrape\r\n",
          200,
          { "http_requests_total{" },
          NULL },
        { "GET", "/metrics", "Authorization: Bearer scrapf\r\n", 401, { NULL }, NULL },
        { "GET", "/any", "Authorization: Bearer scrape\r\n", 401, { NULL }, NULL },
    };
    static const struct expected off = {
        "GET", "/metrics", "Authorization: Bearer scrape\r\n", 404, { "server.metrics" }, NULL
    };

    (void)state;
    conf.server.metrics_token = BP_STR("scrape");
    start_with_keys();
    EXPECT_EACH(requests);
    conf.server.metrics = false;
    expect(&off);
}

static void the_listener_of_metrics_serves_them_and_probes_alone(void **state)
{
    static const struct expected requests[] = {
        { "GET", "/metrics", "Authorization: Bearer scrape\r\n", 200, { NULL }, NULL },
        { "GET", "/metrics", NULL, 401, { "server.metrics_token" }, NULL },
        { "GET", "/health/live", NULL, 200, { NULL }, NULL },
        { "GET", "/", NULL, 404, { "only metrics and probes" }, NULL },
        { "GET", "/echo/a", NULL, 404, { "only metrics and probes" }, NULL },
    };
    static const struct expected on_loopback = { "GET", "/metrics", NULL, 200, { NULL }, NULL };

    (void)state;
    conf.server.listener_count = 0; // the only one is that of metrics
    conf.server.metrics_listen = BP_STR("0.0.0.0:1");
    conf.server.metrics_token = BP_STR("scrape");
    start_with_keys();
    EXPECT_EACH(requests);
    conf.server.metrics_listen = BP_STR("127.0.0.1:1");
    expect(&on_loopback);
}

static void a_listener_serves_its_apps_alone(void **state)
{
    static const bp_str          others[] = { BP_STR("other") }, ours[] = { BP_STR("work") };
    static const struct expected gone = { "GET", "/echo/a", NULL, 404, { "no route GET" }, NULL },
                                 there = { "GET", "/echo/a", NULL, 200, { NULL }, NULL },
                                 own = { "GET", "/", NULL, 200, { NULL }, NULL };

    (void)state;
    listener.apps = (bp_str_list){ others, 1 };
    api_rig_start();
    expect(&gone);
    expect(&own);
    listener.apps = (bp_str_list){ ours, 1 };
    expect(&there);
}

/* Whoever has the socket of the user is asked nothing. */
static void a_private_server_asks_nobody(void **state)
{
    static const struct expected requests[] = {
        { "GET", "/scoped", NULL, 200, { NULL }, NULL },
        { "GET", "/limited", NULL, 200, { NULL }, "X-RateLimit" },
        { "GET", "/", NULL, 200, { NULL }, NULL },
        { "GET", "/", NULL, 200, { NULL }, NULL },
    };

    (void)state;
    conf.server.host_rate_per_minute = 1;
    start_with_keys();
    api.is_private = true;
    EXPECT_EACH(requests);
    expect_with_host("evil.example", "Origin: https://evil.example\r\n", 200, NULL, NULL);
}

/* ---- counted and logged ---- */

static double requests(const char *method, const char *route, const char *status)
{
    return metric_value(
        metrics_series(api.requests,
                       (bp_str[]){ bp_str_of(method), bp_str_of(route), bp_str_of(status) }, 3));
}

static void each_request_is_counted_and_logged(void **state)
{
    static const struct expected made[] = {
        { "GET", "/echo/a", "User-Agent: probe/1\r\n", 200, { NULL }, NULL },
        { "GET", "/echo/b", NULL, 200, { NULL }, NULL },
        { "GET", "/nowhere", NULL, 404, { NULL }, NULL },
        { "BREW", "/nowhere", NULL, 501, { NULL }, NULL },
        { "GET", "/fail/x", NULL, 409, { NULL }, NULL },
        { "GET", "/fail/unavailable", NULL, 503, { NULL }, NULL },
    };
    char path[3000] = "/echo/";
    char request[4096];

    (void)state;
    EXPECT_EACH(made);
    memset(path + 6, 'p', 2100);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    free(client_ask(rig.port, request));
    free(client_ask(rig.port, "nonsense\r\n\r\n"));
    expect_logged("\"method\":\"GET\",\"path\":\"/echo/a\",\"route\":\"/echo/{name}\",\"status\":"
                  "200,\"duration_ms\":");
    expect_logged("\"peer\":\"127.0.0.1\",\"tenant\":\"default\",\"user_agent\":\"probe/1\"");
    expect_logged("\"path\":\"/nowhere\",\"route\":\"none\",\"status\":404,\"duration_ms\"");
    expect_logged("pppp…\"");
    expect_logged("\"route\":\"none\",\"status\":400,\"peer\":\"127.0.0.1\"");
    expect_logged("\"event\":\"request_failed\""); // the sentence of a 503 is the operator's
    assert_true(requests("GET", "/echo/{name}", "200") == 3);
    assert_true(requests("GET", "none", "404") == 1);
    assert_true(requests("other", "none", "501") == 1);
    assert_true(requests("GET", "/fail/{name}", "409") == 1);
    assert_true(requests("GET", "/fail/{name}", "503") == 1);
}

static void errors_alone_are_logged_when_the_conf_says_so(void **state)
{
    static const struct expected good = { "GET", "/echo/a", NULL, 200, { NULL }, NULL },
                                 bad = { "GET", "/nowhere", NULL, 404, { NULL }, NULL };

    (void)state;
    conf.server.access_log = ACCESS_LOG_ERRORS;
    api_rig_start();
    expect(&good);
    expect(&bad);
    expect_logged("\"path\":\"/nowhere\"");
    assert_null(strstr(read_log(), "\"path\":\"/echo/a\""));
    api_rig_close();
    conf.server.access_log = ACCESS_LOG_OFF;
    api_rig_start();
    expect((&(struct expected){ "GET", "/unseen", NULL, 404, { NULL }, NULL }));
    api_rig_close();
    conf.server.access_log = ACCESS_LOG_ON;
    api_rig_start();
    expect(&good);
    expect_logged("\"path\":\"/echo/a\"");
    assert_null(strstr(read_log(), "/unseen"));
}

/* ---- the description ---- */

static void routes_are_described_for_programs_and_people(void **state)
{
    static const struct expected answers[] = {
        { "GET",
          "/openapi.json",
          NULL,
          200,
          { "\"/echo/{name}\":{\"get\":{\"summary\":\"Says <what> it "
            "got\",\"tags\":[\"work\"],\"parameters\":[{\"name\":\"name\",\"in\":\"path\","
            "\"required\":true,\"schema\":{\"type\":\"string\"}},{\"name\":\"q\",\"in\":\"query\","
            "\"description\":\"what to say\",\"schema\":{\"type\":\"string\"}},{\"name\":"
            "\"limit\",\"in\":\"query\",\"description\":\"1 to 100\"",
            "\"post\":{\"tags\":[\"work\"],\"parameters\":[{\"name\":\"name\",\"in\":\"path\","
            "\"required\":true,\"schema\":{\"type\":\"string\"}}],\"requestBody\":{\"required\":"
            "true,\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"}}}},"
            "\"responses\":{\"200\":{\"description\":\"done\",\"content\":{\"application/"
            "json\":{\"schema\":{\"type\":\"string\"}}}},",
            "\"/files/{path}\":{\"get\":{\"tags\":[\"work\"],\"parameters\":[{\"name\":\"path\"," },
          "{path...}" },
        { "GET",
          "/openapi.json",
          NULL,
          200,
          { "\"security\":[{\"key\":[]}],\"x-scope\":\"app:read\"}",
            "\"/any\":{\"get\":{\"tags\":[\"work\"],\"parameters\":[],\"responses\":{\"200\":{"
            "\"description\":\"done\"},\"default\":{\"description\":\"it failed; the message says "
            "why\",\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/"
            "Error\"}}}}},\"security\":[{\"key\":[]}]}}",
            "\"security\":[]" },
          NULL },
        { "GET",
          "/docs",
          NULL,
          200,
          { "<h2>host</h2><table>", "</table><h2>work</h2><table>",
            "<td><b>GET</b></td><td><code>/echo/{name}</code></td><td>Says &lt;what&gt; it "
            "got<br><small>q: what to say<br>limit: 1 to 100</small></td>" },
          NULL },
        { "GET",
          "/docs",
          NULL,
          200,
          { "<details><summary>body</summary><pre>{\"type\":\"object\"}</pre></details>",
            "</td><td><code>app:read</code></td></tr>", "Content-Security-Policy: " },
          NULL },
        { "GET", "/.well-known/oauth-protected-resource", NULL, 404, { "server.auth.mode" }, NULL },
    };

    (void)state;
    EXPECT_EACH(answers);
    assert_true(bp_str_is(api.scopes, "host:read app:read more:read more:write"));
}

#define STARTED(test) cmocka_unit_test_setup_teardown(test, set_up, api_rig_stop)
#define STARTS(test)  cmocka_unit_test_setup_teardown(test, defaults, api_rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STARTED(a_request_reaches_its_handler_and_gets_its_answer),
        STARTED(a_body_that_is_not_coded_is_taken_as_it_is),
        STARTED(an_id_of_up_to_128_bytes_is_kept),
        STARTED(probes_follow_the_phase),
        STARTS(a_loopback_listener_takes_loopback_names_and_those_of_the_conf),
        STARTS(a_listener_on_a_network_takes_any_host_unless_some_are_named),
        STARTED(a_page_asks_first_and_is_told_what_it_may),
        STARTS(a_client_has_a_limit_and_a_route_its_own),
        STARTS(the_hosts_own_routes_have_a_limit_that_probes_do_not_have),
        STARTS(without_memory_load_is_shed_and_then_everything_but_probes),
        STARTS(an_address_is_that_before_the_proxies_that_the_conf_trusts),
        STARTS(who_is_no_trusted_proxy_is_not_believed),
        STARTS(a_key_opens_what_its_scopes_say),
        STARTS(health_says_more_to_who_is_known),
        STARTS(a_key_is_looked_up_once_in_a_while),
        STARTS(what_the_storage_fails_with_is_no_wrong_key),
        STARTS(who_guesses_too_often_is_not_listened_to),
        STARTS(a_revoked_key_is_listed_as_such),
        STARTS(metrics_have_a_token_and_may_be_off),
        STARTS(the_listener_of_metrics_serves_them_and_probes_alone),
        STARTS(a_listener_serves_its_apps_alone),
        STARTS(a_private_server_asks_nobody),
        STARTED(each_request_is_counted_and_logged),
        STARTS(errors_alone_are_logged_when_the_conf_says_so),
        STARTED(routes_are_described_for_programs_and_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
