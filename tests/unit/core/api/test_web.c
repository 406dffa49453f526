/* test_web.c - what a handler of an app reads of a request and how it answers; and what is wrong
 * with an app, as it is said at the start. */
#include "api_rig.h"

static bp_status read_all(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    char   long_name[70];
    bp_str body, q, missing;
    bool   has_q = bp_request_query(request, "q", &q);

    (void)instance;
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_false(bp_request_query(request, "p", &missing));
    assert_int_equal(missing.len, 0);
    assert_int_equal(bp_request_header(request, long_name).len, 0);
    assert_int_equal(bp_request_path_value(request, "none").len, 0);
    BP_TRY(bp_request_body(call, request, &body));
    return bp_respond(call, response, 200, "text/plain",
                      bp_format(call,
                                BP_FMT " " BP_FMT " name=" BP_FMT " q=%d" BP_FMT " thing=" BP_FMT
                                       " length=%lld body=" BP_FMT,
                                BP_ARG(bp_request_method(request)),
                                BP_ARG(bp_request_path(request)),
                                BP_ARG(bp_request_path_value(request, "name")), has_q, BP_ARG(q),
                                BP_ARG(bp_request_header(request, "X-ThInG-z")),
                                (long long)bp_request_body_length(request), BP_ARG(body)));
}

static bp_status read_pieces(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    size_t bytes = 0;
    bp_str piece;

    (void)instance;
    do {
        BP_TRY(bp_request_read(call, request, &piece));
        bytes += piece.len;
    } while (piece.len);
    return bp_respond(call, response, 200, "text/plain", bp_format(call, "%zu", bytes));
}

static bp_status answer_in_pieces(bp_call *call, void *instance, bp_request *request,
                                  bp_response *response)
{
    bool   fails = bp_str_is(bp_request_path_value(request, "how"), "fails");
    bp_str value;

    (void)instance;
    assert_int_equal(bp_response_header(response, "Bad Name", BP_STR("x")), BP_INVALID);
    BP_TRY(bp_response_header(response, "X-Own", BP_STR("mine")));
    if (bp_request_query(request, "early", &value))
        return bp_fail(call, BP_UPSTREAM, "before the first byte");
    BP_TRY(bp_response_stream(call, response, 201, "text/csv"));
    BP_TRY(bp_response_write(call, response, BP_STR("a,b\n")));
    if (fails)
        return bp_fail(call, BP_UPSTREAM, "it broke off");
    return bp_response_write(call, response, BP_STR("1,2\n"));
}

static bp_status send_events(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    (void)instance;
    BP_TRY(bp_response_event(call, response, NULL, BP_STR("one\ntwo")));
    BP_TRY(bp_response_event(call, response, "named", BP_STR("three")));
    return bp_str_is(bp_request_path_value(request, "how"), "fails")
               ? bp_fail(call, BP_CONFLICT, "two at once")
               : BP_OK;
}

static const bp_route web_routes[] = {
    { .method = "POST", .path = "/all/{name}", .handler = read_all },
    { .method = "POST", .path = "/pieces", .handler = read_pieces },
    { .method = "GET", .path = "/stream/{how}", .handler = answer_in_pieces },
    { .method = "GET", .path = "/events/{how}", .handler = send_events },
};

static bp_status run_nothing(bp_call *call, void *instance, bp_command_run *run)
{
    (void)call, (void)instance, (void)run;
    return BP_OK;
}

static const bp_command web_commands[] = {
    { .name = "try", .summary = "tries", .handler = run_nothing }
};

static int set_up(void **state)
{
    (void)state;
    rig_routes = web_routes;
    rig_route_count = sizeof(web_routes) / sizeof(web_routes[0]);
    rig_commands = web_commands;
    rig_command_count = 1;
    api_rig_defaults();
    conf.server.limits.body_bytes = 1 << 20;
    api_rig_start();
    return 0;
}

/* The body of an answer, to be freed; its head in *head, if wanted. */
static char *ask_with(const char *method, const char *path, const char *headers, const char *body,
                      char **head)
{
    char *text, *answer, *found;

    assert_true(asprintf(&text,
                         "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n%s",
                         method, path, headers, body) > 0);
    answer = client_ask(rig.port, text);
    found = strdup(client_body(answer));
    free(text);
    if (head)
        *head = answer;
    else
        free(answer);
    return found;
}

static void expect_body(const char *method, const char *path, const char *headers, const char *body,
                        const char *wanted)
{
    char *found = ask_with(method, path, headers, body, NULL);

    assert_string_equal(found, wanted);
    free(found);
}

static void a_handler_reads_all_of_a_request(void **state)
{
    (void)state;
    expect_body("POST", "/all/a%20b%2Fc?x=1&q=c%20d&q=e", "X-Thing-Z: Zz\r\nContent-Length: 5\r\n",
                "12345", "POST /all/a b%2Fc name=a b/c q=1c d thing=Zz length=5 body=12345");
    expect_body("POST", "/all/n?q", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n",
                "POST /all/n name=n q=1 thing= length=-1 body=abc");
    expect_body("POST", "/all/n", "Content-Length: 0\r\n", "",
                "POST /all/n name=n q=0 thing= length=0 body=");
}

static void a_body_comes_in_pieces(void **state)
{
    char *body = malloc(300001), *headers;

    (void)state;
    memset(body, 'b', 300000);
    body[300000] = '\0';
    assert_true(asprintf(&headers, "Content-Length: 300000\r\n") > 0);
    expect_body("POST", "/pieces", headers, body, "300000");
    expect_body("POST", "/pieces", "Content-Length: 0\r\n", "", "0");
    free(headers);
    free(body);
}

static void an_answer_goes_out_in_pieces_and_is_cut_when_it_fails(void **state)
{
    char *head, *body = ask_with("GET", "/stream/well", "", "", &head);

    (void)state;
    assert_int_equal(client_status(head), 201);
    assert_non_null(strstr(head, "Content-Type: text/csv\r\n"));
    assert_non_null(strstr(head, "X-Own: mine\r\n"));
    assert_non_null(strstr(body, "a,b\n"));
    assert_non_null(strstr(body, "1,2\n"));
    assert_non_null(strstr(body, "0\r\n\r\n"));
    free(head);
    free(body);
    body = ask_with("GET", "/stream/fails", "", "", NULL);
    assert_non_null(strstr(body, "a,b\n"));
    assert_null(strstr(body, "0\r\n\r\n")); // so that nobody takes a part for the whole
    free(body);
    body = ask_with("GET", "/stream/well?early", "", "", &head);
    assert_int_equal(client_status(head), 502);
    assert_non_null(
        strstr(body, "{\"error\":{\"code\":\"upstream\",\"message\":\"before the first byte\""));
    free(head);
    free(body);
}

static void events_end_with_one_that_says_what_failed(void **state)
{
    char *body = ask_with("GET", "/events/well", "", "", NULL);

    (void)state;
    assert_non_null(strstr(body, "data: one\ndata: two\n\n"));
    assert_non_null(strstr(body, "event: named\ndata: three\n\n"));
    assert_null(strstr(body, "event: error"));
    free(body);
    body = ask_with("GET", "/events/fails", "", "", NULL);
    assert_non_null(
        strstr(body, "event: error\ndata: {\"error\":{\"code\":\"conflict\",\"message\":\"two at "
                     "once\",\"request_id\":\""));
    free(body);
}

/* ---- what is wrong at the start ---- */

static bp_app_ops *ops_of_app(void)
{
    return (bp_app_ops *)(void *)(uintptr_t)plugins[APP].descriptor.ops;
}

static void expect_start_refused(const char *sentence)
{
    struct api    second;
    struct reason why;

    reason_clear(&why);
    if (api_init(&second, &conf, &generation, board, true, &why))
        fail_msg("it starts, though: %s", sentence);
    if (strcmp(why.text, sentence) != 0)
        fail_msg("\nnot    %s\nbut is %s", sentence, why.text);
    api_free(&second);
}

static void what_is_wrong_with_an_app_is_said_at_the_start(void **state)
{
    static struct arena   arena;
    static const bp_route no_handler[] = { { .method = "GET", .path = "/x" } };
    static const bp_route twice[] = {
        { .method = "GET", .path = "/x/{a}", .handler = send_events },
        { .method = "GET", .path = "/x/{b}", .handler = send_events }
    };
    bp_app_ops *app = ops_of_app(), before = *app;
    size_t      errors;

    (void)state;
    arena_init(&arena, 1 << 20);
    problems_init(&conf.problems, &arena, "test.conf");
    app->struct_size = offsetof(bp_app_ops, migrations) - 1;
    expect_start_refused("app/fake has a table of operations that is too short to have routes");
    assert_int_equal(conf.problems.error_count, 1);
    *app = before;
    app->routes = no_handler;
    app->route_count = 1;
    expect_start_refused("route 0 of work is malformed: it needs a method of GET, POST, PUT, "
                         "PATCH, DELETE, a path that begins with / and a handler");
    app->routes = twice;
    app->route_count = 2;
    expect_start_refused("GET /x/{b} of work is taken already by work");
    *app = before;
    app->route_size = offsetof(bp_route, summary) - 1;
    expect_start_refused("the route table of work is malformed: 4 routes of 31 bytes");
    errors = conf.problems.error_count;
    *app = before;
    conf.server.rate_per_minute = 5;
    confs[CACHE].kind = "none";
    expect_start_refused(
        "server.rate_per_minute is set, but there is no cache that could count: add "
        "`cache: { main: { use: memory } }`");
    confs[CACHE].kind = "cache";
    conf.server.rate_per_minute = 0;
    assert_int_equal(conf.problems.error_count, errors);
    arena_free(&arena);
}

/* Whichever cache there is counts, if none is called main. */
static void the_cache_of_any_name_counts(void **state)
{
    struct api    second;
    struct reason why;

    (void)state;
    confs[CACHE].name = BP_STR("other");
    assert_true(api_init(&second, &conf, &generation, board, false, &why));
    assert_ptr_equal(second.cache, &units[CACHE]);
    assert_null(second.key_storage);
    assert_null(second.oauth);
    api_free(&second);
    conf.server.auth.mode = AUTH_KEYS;
    conf.server.auth.storage = BP_STR("main");
    assert_true(api_init(&second, &conf, &generation, board, false, &why));
    assert_ptr_equal(second.key_storage, &units[STORAGE]);
    assert_true(api_has_auth(&second));
    api_free(&second);
    conf.server.auth.mode = 0;
    confs[CACHE].name = BP_STR("main");
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, api_rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_handler_reads_all_of_a_request),
        CASE(a_body_comes_in_pieces),
        CASE(an_answer_goes_out_in_pieces_and_is_cut_when_it_fails),
        CASE(events_end_with_one_that_says_what_failed),
        CASE(what_is_wrong_with_an_app_is_said_at_the_start),
        CASE(the_cache_of_any_name_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
