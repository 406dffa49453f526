/* test_bounds.c - what one message and the messages of one client may take, what is answered to
 * those that are not read, and what is counted. */
#include "mcp_world.h"

/* ---- an intake by itself ---- */

static const uint8_t one[SHARE_DIGEST_BYTES] = { 1 };

static const bp_json *read_into(struct intake *intake, const char *text, bp_status wanted)
{
    const bp_json *value = NULL;
    struct reason  why;
    bp_str         copy = arena_dup(&intake->text, bp_str_of(text));

    assert_int_equal(intake_read(intake, copy, 8 << 20, &value, &why), wanted);
    return value;
}

static void what_is_read_is_counted_until_it_is_freed(void **state)
{
    struct shares *shares = shares_new(100000, 0);
    struct intake  intake;

    (void)state;
    intake_init(&intake, shares, one);
    assert_int_equal(json_as_integer(json_get(read_into(&intake, "{\"a\":7}", BP_OK), BP_STR("a"))),
                     7);
    assert_int_equal(intake.text.used_bytes, 0); // strings of the tree are copies
    assert_true(intake.counted_bytes > 0);
    assert_int_equal(intake.counted_bytes, intake.tree.used_bytes);
    assert_int_equal(shares_of(shares, one), intake.counted_bytes);
    assert_true(intake_count(&intake, 100000 - intake.counted_bytes));
    assert_false(intake_count(&intake, 1));
    assert_int_equal(shares_of(shares, one), 100000);
    intake_free(&intake);
    assert_int_equal(shares_total(shares), 0);
    intake_free(&intake);
    assert_int_equal(shares_total(shares), 0);
    shares_free(shares);
}

static void what_is_not_read_takes_nothing(void **state)
{
    struct shares *shares = shares_new(64, 0);
    struct intake  intake;

    (void)state;
    intake_init(&intake, shares, one);
    read_into(&intake, "{\"a\":", BP_INVALID);
    read_into(&intake, "[1,2,3,4,5,6,7,8,9,10,\"a text that takes some bytes, too\"]", BP_LIMIT);
    assert_int_equal(intake.tree.used_bytes, 0);
    assert_true(intake.text.used_bytes > 0); // what a refusal looks for ids in
    assert_int_equal(shares_total(shares), 0);
    intake_free(&intake);
    shares_free(shares);
}

/* Beside the arguments nothing of a large message is kept; of a small one it is not worth it. */
static void a_large_message_is_narrowed_to_a_part_of_it(void **state)
{
    static const char head[] = "{\"a\":[1,\"z\"],\"b\":\"";
    static char       text[400 << 10];
    struct shares    *shares = shares_new(4 << 20, 0);
    struct intake     intake;
    const bp_json    *small, *value;
    size_t            before;

    (void)state;
    intake_init(&intake, shares, one);
    value = json_get(read_into(&intake, "{\"a\":[1],\"b\":\"x\"}", BP_OK), BP_STR("a"));
    small = value;
    before = intake.counted_bytes;
    intake_narrow(&intake, &value);
    assert_ptr_equal(value, small);
    assert_int_equal(intake.counted_bytes, before);
    intake_free(&intake);

    memset(text, 'y', sizeof(text) - 1);
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + sizeof(text) - 3, "\"}", 2);
    intake_init(&intake, shares, one);
    value = json_get(read_into(&intake, text, BP_OK), BP_STR("a"));
    assert_true(shares_of(shares, one) > sizeof(text));
    intake_narrow(&intake, &value);
    assert_int_equal(json_count(value), 2);
    assert_true(bp_str_is(json_as_string(json_at(value, 1)), "z"));
    assert_true(shares_of(shares, one) < 1 << 14);
    assert_int_equal(shares_of(shares, one), intake.tree.used_bytes);
    intake_free(&intake);
    assert_int_equal(shares_total(shares), 0);
    shares_free(shares);
}

/* ---- messages that are not read ---- */

static int small_set_up(void **state)
{
    (void)state;
    world_defaults();
    conf.server.mcp.message_memory_bytes = 4096;
    conf.server.mcp.body_bytes = 65536;
    api_rig_start();
    return 0;
}

#define MANY                                                                                       \
    "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"  \
    "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"   \
    "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"
#define BIG(id) "{'jsonrpc':'2.0'," id "'method':'ping','params':{'a':" MANY "}}"

static const struct raw_case too_large[] = {
    RAW("POST", "", BIG("'id':7,"),
        "{'jsonrpc':'2.0','id':7,'error':{'code':-32602,"
        "'message':'its 327 bytes take more than 4096 bytes of memory once they are read'}}"),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n", BIG("'id':'x',"),
        "413 "
        "{'jsonrpc':'2.0','id':'x','error':{'code':-32602,"
        "'message':'its 329 bytes take more than 4096 bytes of memory once they are read'}}"),
    RAW("POST", "", BIG(""),
        "413 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'its 320 bytes take more than 4096 bytes of memory once they are read'}}"),
    RAW("POST", "", "[" BIG("'id':1,") "," BIG("") "," BIG("'id':2,") "]",
        "[{'jsonrpc':'2.0','id':1,'error':{'code':-32602,"
        "'message':'its 978 bytes take more than 4096 bytes of memory once they are read'}},"
        "{'jsonrpc':'2.0','id':2,'error':{'code':-32602,"
        "'message':'its 978 bytes take more than 4096 bytes of memory once they are read'}}]"),
    RAW("POST", "", "{'jsonrpc':'2.0','id':7,'result':" MANY "}",
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'its 305 bytes take more than 4096 bytes of memory once they are read'}}"),
};

static void a_message_that_takes_too_much_is_refused_with_its_ids(void **state)
{
    (void)state;
    EXPECT_EACH_RAW(too_large);
    assert_int_equal(shares_total(world_kept->messages), 0);
}

/* Nobody waits for an answer that came and could not be read. */
static void a_question_whose_answer_is_not_read_is_told(void **state)
{
    char         *session = legacy_open("2025-11-25", "{'elicitation':{}}");
    int           fd = legacy_begin(session, NULL,
                                    "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'act',"
                                              "'arguments':{'do':'ask','asks':{'a':{}}}}}");
    char         *text = http_wait_first(fd, "elicitation/create");
    struct answer answer = legacy(session, "{'jsonrpc':'2.0','id':1,'result':{'a':" MANY "}}");

    (void)state;
    assert_int_equal(answer.status, 200); // or a client of this era takes its connection for broken
    answer_free(&answer);
    answer = http_end_after(fd, text);
    if (!strstr(answer.body, "the client refused elicitation/create: its answer cannot be read: "))
        fail_msg("%s", answer.body);
    answer_free(&answer);
    free(session);
}

static void a_body_beyond_the_bound_is_refused(void **state)
{
    char *body = malloc(65536 + 2);

    (void)state;
    for (size_t len = 65536; len <= 65537; len++) {
        struct answer answer;

        memset(body, ' ', len);
        memcpy(body, "{}", 2);
        body[len] = '\0';
        answer = http_end(http_begin("POST", "/mcp", JSON_HEADERS, body));
        assert_int_equal(answer.status, len == 65536 ? 400 : 413);
        answer_free(&answer);
    }
    free(body);
}

/* ---- what a client has at work ---- */

/* A text of so many bytes in an argument. */
static char *call_with(const char *what, size_t bytes)
{
    char *text = malloc(bytes + 1), *params;

    memset(text, 'x', bytes);
    text[bytes] = '\0';
    params = formatted("'name':'act','arguments':{'do':'%s','text':'%s'}," META, what, text);
    free(text);
    return params;
}

static void messages_at_work_are_bounded_for_each_client(void **state)
{
    char         *large = call_with("wait", 60000), *beside = call_with("who", 50000);
    struct answer answer;
    int           fd;

    (void)state;
    world_defaults();
    conf.server.mcp.client_memory_bytes = 300000;
    api_rig_start();
    fd = modern_begin("tools/call", "act", NULL, large);
    assert_true(RIG_SOON(act_waits == 1));
    assert_true(shares_total(world_kept->messages) > 60000);
    answer = modern("tools/call", "act", NULL, beside);
    EXPECT_TEXT(answer.body,
                "503 " ERROR(-32603, "your messages that are worked at take too much memory "
                                     "already: send it again when some have been answered"));
    assert_non_null(strstr(answer.head, "Retry-After: 1\r\n"));
    answer_free(&answer);
    act_released = 1;
    answer = http_end(fd);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    answer = modern("tools/call", "act", NULL, beside);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    free(large);
    free(beside);
}

/* While it waits, a large call keeps its arguments alone. */
static void a_call_that_waits_keeps_its_arguments_alone(void **state)
{
    char         *filler = malloc(400001), *params;
    int           fd;
    struct answer answer;

    (void)state;
    memset(filler, 'f', 400000);
    filler[400000] = '\0';
    params = formatted("'name':'act','arguments':{'do':'wait'},'more':'%s'," META, filler);
    fd = modern_begin("tools/call", "act", NULL, params);
    assert_true(RIG_SOON(act_waits == 1));
    assert_in_range(shares_total(world_kept->messages), 1, 16384);
    act_released = 1;
    answer = http_end(fd);
    EXPECT_TEXT(answer.body, RESULT(",'content':[{'type':'text','text':'waited'}]"));
    answer_free(&answer);
    free(filler);
    free(params);
}

/* ---- sessions and what is counted ---- */

static void a_client_loses_the_session_it_used_least(void **state)
{
    char *ids[3];

    (void)state;
    world_defaults();
    conf.server.mcp.sessions_per_client = 2;
    conf.server.mcp.share_sessions = false;
    api_rig_start();
    for (int i = 0; i < 3; i++)
        ids[i] = legacy_open("2025-11-25", "{}");
    assert_int_equal(sessions_count(world_kept->sessions), 2);
    for (int i = 0; i < 3; i++) {
        struct answer answer = legacy(ids[i], "{'jsonrpc':'2.0','id':1,'method':'ping'}");

        assert_int_equal(answer.status, i ? 200 : 404);
        answer_free(&answer);
        free(ids[i]);
    }
}

static void no_session_is_taken_from_under_a_request(void **state)
{
    char         *id;
    int           fd;
    struct answer answer;

    (void)state;
    world_defaults();
    conf.server.mcp.sessions_per_client = 1;
    api_rig_start();
    id = legacy_open("2025-11-25", "{}");
    fd = legacy_begin(id, NULL,
                      "{'jsonrpc':'2.0','id':1,'method':'tools/"
                      "call','params':{'name':'act','arguments':{'do':'wait'}}}");
    assert_true(RIG_SOON(act_waits == 1));
    answer = http_end(http_begin("POST", "/mcp", JSON_HEADERS,
                                 "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'"
                                 "protocolVersion':'2025-11-25'}}"));
    EXPECT_TEXT(answer.body,
                "503 " ERROR(-32603, "no session can be opened: yours are all in use, or those of "
                                     "others take all places; end one, or try again later"));
    answer_free(&answer);
    act_released = 1;
    answer = http_end(fd);
    answer_free(&answer);
    free(id);
}

static void a_session_has_bounds_for_its_subscriptions(void **state)
{
    char *id = legacy_open("2025-11-25", "{}"), *uri = malloc(9000), *params;

    (void)state;
    for (size_t len = 8192; len <= 8193; len++) {
        struct answer answer;

        memset(uri, 'u', len);
        uri[len] = '\0';
        params = formatted("'uri':'%s'", uri);
        answer = legacy_ask(id, "resources/subscribe", params);
        EXPECT_TEXT(answer.body, len == 8192
                                     ? LEGACY("")
                                     : "429 " ERROR(-32603, "this session has as many "
                                                            "subscriptions as it may have"));
        answer_free(&answer);
        free(params);
    }
    free(uri);
    free(id);
}

static void sessions_and_listeners_are_gauges(void **state)
{
    char         *id = legacy_open("2025-11-25", "{}");
    int           fd = modern_begin("subscriptions/listen", NULL, NULL, "'notifications':{}," META);
    struct answer answer;

    (void)state;
    free(http_wait_first(fd, "acknowledged"));
    answer = http_end(http_begin("GET", "/metrics", "", NULL));
    if (!strstr(answer.raw, "mcp_sessions 1\n") || !strstr(answer.raw, "mcp_listeners 1\n"))
        fail_msg("%s", answer.raw);
    answer_free(&answer);
    close(fd);
    free(id);
}

/* ---- endpoints ---- */

static void an_endpoint_has_the_apps_of_its_listener(void **state)
{
    bp_str        name = BP_STR("nobody");
    struct answer answer;

    (void)state;
    world_defaults();
    listener.apps = (bp_str_list){ &name, 1 };
    api_rig_start();
    answer = modern("tools/list", NULL, NULL, META);
    EXPECT_TEXT(answer.body, RESULT(",'tools':[],'ttlMs':300000,'cacheScope':'public'"));
    answer_free(&answer);
    answer = http_end(http_begin("POST", "/mcp/work", JSON_HEADERS, "{}"));
    assert_int_equal(answer.status, 404);
    answer_free(&answer);
    api.is_private = true; // by the socket of the user all apps are there
    answer = http_end(http_begin("POST", "/mcp/work", JSON_HEADERS, "{}"));
    assert_int_equal(answer.status, 400);
    answer_free(&answer);
    api.is_private = false;
}

static bp_mcp_tool odd_tools[2] = {
    { .name = "odd",
      .handler = run_echo,
      .input_schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]}}"
                      "}" },
    { .name = "even", .handler = run_echo },
};

/* As when an edition of the conf begins. */
static void make_once_more(bp_call *call, void *arg)
{
    bp_app_ops *app = (bp_app_ops *)(void *)(uintptr_t)plugins[APP].descriptor.ops;
    struct mcp *again;

    app->tools = odd_tools;
    app->tool_count = 2;
    app->offers = NULL;
    again = mcp_new(call, &api, world_kept);
    if (again)
        mcp_free(again);
    else
        snprintf(arg, 512, BP_FMT, BP_ARG(call->error.message));
}

static void types_that_some_clients_refuse_are_logged(void **state)
{
    char said[512] = "";

    (void)state;
    on_worker(make_once_more, said);
    assert_string_equal(said, "");
    expect_logged("the input schema of the tool odd of app.work takes several types at "
                  "/properties/a: some clients refuse every tool of this server for it");
    assert_null(strstr(read_log(), "the tool even"));
    odd_tools[1].handler = NULL;
    on_worker(make_once_more, said);
    assert_string_equal(said,
                        "the MCP tool \"even\" of work cannot be offered: its name is not 1 to "
                        "64 of [A-Za-z0-9_./-], or it has no handler");
    odd_tools[1].handler = run_echo;
}

/* ---- requests of a minute ---- */

static void each_message_counts_for_the_limit_of_its_client(void **state)
{
    static const char *const methods[] = { "POST", "GET", "DELETE" };

    (void)state;
    world_defaults();
    conf.server.rate_per_minute = 60;
    counted.left = 3;
    api_rig_start();
    for (int i = 0; i < 6; i++) {
        struct answer answer = http_end(
            http_begin(methods[i % 3], "/mcp", JSON_HEADERS, i % 3 ? NULL : "{}"));

        assert_int_equal(answer.status, i < 3 ? 400 : 429);
        answer_free(&answer);
    }
}

#define OWN_START(function) cmocka_unit_test_teardown(function, world_tear_down)
#define SMALL(function)     cmocka_unit_test_setup_teardown(function, small_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_counted_until_it_is_freed),
        cmocka_unit_test(what_is_not_read_takes_nothing),
        cmocka_unit_test(a_large_message_is_narrowed_to_a_part_of_it),
        SMALL(a_message_that_takes_too_much_is_refused_with_its_ids),
        SMALL(a_question_whose_answer_is_not_read_is_told),
        SMALL(a_body_beyond_the_bound_is_refused),
        OWN_START(messages_at_work_are_bounded_for_each_client),
        WORLD_TEST(a_call_that_waits_keeps_its_arguments_alone),
        OWN_START(a_client_loses_the_session_it_used_least),
        OWN_START(no_session_is_taken_from_under_a_request),
        WORLD_TEST(a_session_has_bounds_for_its_subscriptions),
        WORLD_TEST(sessions_and_listeners_are_gauges),
        OWN_START(each_message_counts_for_the_limit_of_its_client),
        OWN_START(an_endpoint_has_the_apps_of_its_listener),
        WORLD_TEST(types_that_some_clients_refuse_are_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
