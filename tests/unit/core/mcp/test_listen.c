/* test_listen.c - subscriptions/listen of MCP 2026-07-28: what may be wished for, what is heard,
 * and what of it is kept for who does not read. */
#include "mcp_world.h"

#define LISTEN(wishes) "'notifications':" wishes "," META

static const struct modern_case refused[] = {
    ASK_AS("subscriptions/listen", NULL, NULL, META,
           "400 " ERROR(-32602, "params.notifications must be an object")),
    ASK_AS("subscriptions/listen", NULL, NULL, LISTEN("[]"),
           "400 " ERROR(-32602, "params.notifications must be an object")),
    ASK_AS("subscriptions/listen", NULL, NULL, LISTEN("{'resourceSubscriptions':{}}"),
           "400 " ERROR(-32602, "params.notifications.resourceSubscriptions must be an array of at "
                                "most 1024 uris")),
    ASK_AS("subscriptions/listen", NULL, NULL, LISTEN("{'resourceSubscriptions':'mem://one'}"),
           "400 " ERROR(-32602, "params.notifications.resourceSubscriptions must be an array of at "
                                "most 1024 uris")),
};

static const struct raw_case no_stream = RAW_AS(
    "POST", "/mcp",
    "Content-Type: application/json\r\nAccept: application/json\r\nMCP-Protocol-Version: "
    "2026-07-28\r\nMcp-Method: subscriptions/listen\r\n",
    "{'jsonrpc':'2.0','id':1,'method':'subscriptions/listen','params':{" LISTEN("{}") "}}",
    "406 " ERROR(-32600, "subscriptions/listen is answered by a stream: accept text/event-stream"));

static void wishes_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(refused);
    expect_raw(&no_stream);
    assert_int_equal(listeners_count(world_kept->listeners), 0);
}

/* `count` uris of `len` bytes, as an array. */
static char *many_uris(size_t count, size_t len)
{
    char *text = malloc(count * (len + 3) + 3), *at = text;

    *at++ = '[';
    for (size_t i = 0; i < count; i++) {
        *at++ = '\'';
        memset(at, 'u', len);
        at += len;
        *at++ = '\'';
        *at++ = i + 1 < count ? ',' : ']';
    }
    *at = '\0';
    return text;
}

static void uris_have_bounds_in_number_and_bytes(void **state)
{
    static const struct {
        size_t      count, len;
        const char *wanted; /* NULL: it is heard */
    } cases[] = {
        { 1024, 1, NULL },
        { 1025, 1,
          "400 " ERROR(-32602, "params.notifications.resourceSubscriptions must be an array of at "
                               "most 1024 uris") },
        { 1, 8192, NULL },
        { 1, 8193,
          "400 " ERROR(-32602, "a uri of params.notifications.resourceSubscriptions may have 8192 "
                               "bytes, and all of them 262144") },
        { 32, 8176, NULL }, // with 16 bytes each to find it by
        { 32, 8177,
          "400 " ERROR(-32602, "a uri of params.notifications.resourceSubscriptions may have 8192 "
                               "bytes, and all of them 262144") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *uris = many_uris(cases[i].count, cases[i].len);
        char *params = formatted("'notifications':{'resourceSubscriptions':%s}," META, uris);
        int   fd = modern_begin("subscriptions/listen", NULL, NULL, params);

        if (cases[i].wanted) {
            struct answer answer = http_end(fd);

            EXPECT_TEXT(answer.body, cases[i].wanted);
            answer_free(&answer);
        } else {
            free(http_wait_first(fd, "acknowledged"));
            assert_int_equal(listeners_count(world_kept->listeners), 1);
            assert_int_equal(shares_total(world_kept->messages),
                             cases[i].count * (cases[i].len + sizeof(bp_str)));
            close(fd);
            assert_true(RIG_SOON(listeners_count(world_kept->listeners) == 0));
            assert_true(RIG_SOON(shares_total(world_kept->messages) == 0));
        }
        free(uris);
        free(params);
    }
}

/* ---- hearing ---- */

struct change {
    enum bp_mcp_change kind;
    const char        *uri;
};

/* All at once, before who listens can have sent any. */
static void tell_all(bp_call *call, void *arg)
{
    for (const struct change *change = arg; change->uri; change++)
        mcp_changed(call, change->kind, bp_str_of(change->uri));
}

#define MINE "'_meta':{'io.modelcontextprotocol/subscriptionId':1}"
#define ACKNOWLEDGED(wishes)                                                                       \
    "data: {'jsonrpc':'2.0','method':'notifications/subscriptions/acknowledged','params':{" MINE   \
    ",'notifications':" wishes "}}||"
#define NEWS(method)                                                                               \
    "data: {'jsonrpc':'2.0','method':'notifications/" method "','params':{" MINE "}}||"
#define UPDATED(uri)                                                                               \
    "data: {'jsonrpc':'2.0','method':'notifications/resources/updated','params':{" MINE            \
    ",'uri':'" uri "'}}||"
#define END                                                                                        \
    "data: {'jsonrpc':'2.0','id':1,'result':{'resultType':'complete'," SERVER ",'io."              \
    "modelcontextprotocol/subscriptionId':1}}}||"

static void who_listens_hears_of_what_it_wished_for(void **state)
{
    static const struct {
        const char *wishes, *heard;
    } cases[] = {
        { "{}", ACKNOWLEDGED("{}") END },
        { "{'toolsListChanged':true,'promptsListChanged':false}",
          ACKNOWLEDGED("{'toolsListChanged':true}") NEWS("tools/list_changed") END },
        { "{'promptsListChanged':true,'resourcesListChanged':true,'resourceSubscriptions':[]}",
          ACKNOWLEDGED("{'promptsListChanged':true,'resourcesListChanged':true}")
              NEWS("prompts/list_changed") NEWS("resources/list_changed") END },
        { "{'resourceSubscriptions':['mem://one','','mem://two',7],'toolsListChanged':true}",
          ACKNOWLEDGED("{'toolsListChanged':true,'resourceSubscriptions':['mem://one','mem://"
                       "two']}") NEWS("tools/list_changed") UPDATED("mem://two")
              UPDATED("mem://one") END },
        { "{'resourceSubscriptions':null}", ACKNOWLEDGED("{}") END },
    };
    struct change changes[] = {
        { BP_MCP_RESOURCE_UPDATED, "mem://two" },
        { BP_MCP_TOOLS_CHANGED, "" },
        { BP_MCP_TOOLS_CHANGED, "" },
        { BP_MCP_PROMPTS_CHANGED, "" },
        { BP_MCP_RESOURCE_UPDATED, "mem://one" },
        { BP_MCP_RESOURCES_CHANGED, "" },
        { BP_MCP_RESOURCE_UPDATED, "mem://two" },
        { BP_MCP_RESOURCE_UPDATED, "mem://three" },
        { BP_MCP_RESOURCES_CHANGED, NULL },
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    int   fds[CASES];
    char *begun[CASES];

    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        char *params = formatted("'notifications':%s," META, cases[i].wishes);

        fds[i] = modern_begin("subscriptions/listen", NULL, NULL, params);
        begun[i] = http_wait_first(fds[i], "acknowledged");
        free(params);
    }
    assert_int_equal(listeners_count(world_kept->listeners), CASES);
    on_worker(tell_all, changes);
    mcp_kept_drain(world_kept); // all end in good order, with what they have not heard yet
    for (size_t i = 0; i < CASES; i++) {
        struct answer answer = http_end_after(fds[i], begun[i]);

        EXPECT_TEXT(answer.body, cases[i].heard);
        answer_free(&answer);
    }
    assert_true(RIG_SOON(listeners_count(world_kept->listeners) == 0));
}

static void a_handler_tells_of_a_change_as_well(void **state)
{
    int           fd = modern_begin("subscriptions/listen", NULL, NULL,
                                    LISTEN("{'resourceSubscriptions':['mem://one']}"));
    char         *text = http_wait_first(fd, "acknowledged");
    struct answer answer;

    (void)state;
    for (int kind = 4; kind >= 3; kind--) { // there is no change 4
        char *params = formatted("'name':'act','arguments':{'do':'changed','n':%d,'text':'mem://"
                                 "one'}," META,
                                 kind);

        answer = modern("tools/call", "act", NULL, params);
        EXPECT_TEXT(answer.body, RESULT(",'content':[{'type':'text','text':'told'}]"));
        answer_free(&answer);
        free(params);
    }
    text = http_wait(fd, text, "resources/updated");
    mcp_kept_drain(world_kept);
    answer = http_end_after(fd, text);
    EXPECT_TEXT(answer.body,
                ACKNOWLEDGED("{'resourceSubscriptions':['mem://one']}") UPDATED("mem://one") END);
    answer_free(&answer);
}

static void an_id_comes_back_whole_however_long_it_is(void **state)
{
    char id[5001], *headers = modern_headers("subscriptions/listen", NULL, NULL), *body, *text;
    int  fd;
    struct answer answer;

    (void)state;
    memset(id, 'i', 5000);
    id[5000] = '\0';
    body = formatted("{'jsonrpc':'2.0','id':'%s','method':'subscriptions/listen','params':{" LISTEN(
                         "{}") "}}",
                     id);
    fd = http_begin("POST", "/mcp", headers, body);
    text = http_wait_first(fd, "acknowledged");
    mcp_kept_drain(world_kept);
    answer = http_end_after(fd, text);
    free(body);
    body = formatted("data: {'jsonrpc':'2.0','method':'notifications/subscriptions/acknowledged',"
                     "'params':{'_meta':{'io.modelcontextprotocol/subscriptionId':'%s'},"
                     "'notifications':{}}}||data: {'jsonrpc':'2.0','id':'%s','result':{"
                     "'resultType':'complete'," SERVER
                     ",'io.modelcontextprotocol/subscriptionId':'%s'}}}||",
                     id, id, id);
    EXPECT_TEXT(answer.body, body);
    answer_free(&answer);
    free(headers);
    free(body);
}

/* ---- memory ---- */

/* All that one client listens for counts for its messages. */
static void wishes_take_of_the_memory_of_the_client(void **state)
{
    char         *uris = many_uris(2, 8000);
    char         *params = formatted("'notifications':{'resourceSubscriptions':%s}," META, uris);
    int           one, two;
    struct answer answer;

    (void)state;
    world_defaults();
    conf.server.mcp.client_memory_bytes = 132064;
    api_rig_start();
    one = modern_begin("subscriptions/listen", NULL, NULL, params);
    free(http_wait_first(one, "acknowledged"));
    two = modern_begin("subscriptions/listen", NULL, NULL, params);
    free(http_wait_first(two, "acknowledged"));
    assert_int_equal(shares_total(world_kept->messages), 4 * (8000 + 16));
    free(uris);
    free(params);
    uris = many_uris(10, 7000); // with those it would be too much
    params = formatted("'notifications':{'resourceSubscriptions':%s}," META, uris);
    answer = modern("subscriptions/listen", NULL, NULL, params);
    EXPECT_TEXT(answer.body,
                "503 " ERROR(-32603, "what you listen for takes too much memory already"));
    answer_free(&answer);
    close(one);
    close(two);
    free(uris);
    free(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(wishes_that_cannot_be_read_are_refused),
        WORLD_TEST(uris_have_bounds_in_number_and_bytes),
        WORLD_TEST(who_listens_hears_of_what_it_wished_for),
        WORLD_TEST(an_id_comes_back_whole_however_long_it_is),
        WORLD_TEST(a_handler_tells_of_a_change_as_well),
        cmocka_unit_test_teardown(wishes_take_of_the_memory_of_the_client, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
