/* test_news.c - what comes to a client by itself: the stream of a session and what of it can be
 * taken up again, and what those hear who listen in MCP 2026-07-28. */
#include "mcp_world.h"

/* ---- the stream of a session ---- */

static int news_begin(const char *session, const char *more)
{
    char *headers = formatted("Accept: text/event-stream\r\nMcp-Session-Id: %s\r\n%s", session,
                              more);
    int   fd = http_begin("GET", "/mcp", headers, NULL);

    free(headers);
    return fd;
}

struct change {
    enum bp_mcp_change kind;
    const char        *uri;
};

static void tell(bp_call *call, void *arg)
{
    const struct change *change = arg;

    mcp_changed(call, change->kind, bp_str_of(change->uri));
}

static void changed(enum bp_mcp_change kind, const char *uri)
{
    on_worker(tell, &(struct change){ kind, uri });
}

static void end_session(const char *session)
{
    char         *headers = formatted("Mcp-Session-Id: %s\r\n", session);
    struct answer answer = http_end(http_begin("DELETE", "/mcp", headers, NULL));

    EXPECT_TEXT(answer.body, "204 ");
    answer_free(&answer);
    free(headers);
}

static void quick_ask(const char *session, const char *method, const char *params)
{
    struct answer answer = legacy_ask(session, method, params);

    EXPECT_TEXT(answer.body, LEGACY(""));
    answer_free(&answer);
}

#define NOTE(method) "data: {'jsonrpc':'2.0','method':'notifications/" method "'}||"
#define UPDATED(uri)                                                                               \
    "data: {'jsonrpc':'2.0','method':'notifications/resources/updated','params':{'uri':'" uri      \
    "'}}||"

static void a_session_hears_of_lists_and_of_what_it_subscribed_to(void **state)
{
    char         *session = legacy_open("2025-11-25", "{}"), *text;
    struct answer answer;
    int           fd;

    (void)state;
    changed(BP_MCP_TOOLS_CHANGED, ""); // before the stream is there
    changed(BP_MCP_RESOURCE_UPDATED, "mem://one");
    quick_ask(session, "resources/subscribe", "'uri':'mem://one'");
    fd = news_begin(session, "");
    text = http_wait_first(fd, "tools/list_changed");
    changed(BP_MCP_PROMPTS_CHANGED, "");
    changed(BP_MCP_RESOURCES_CHANGED, "");
    changed(BP_MCP_RESOURCE_UPDATED, "mem://one");
    changed(BP_MCP_RESOURCE_UPDATED, "mem://two");
    quick_ask(session, "resources/unsubscribe", "'uri':'mem://one'");
    changed(BP_MCP_RESOURCE_UPDATED, "mem://one");
    changed(BP_MCP_TOOLS_CHANGED, "");
    text = http_wait(fd, text, "id: 0-5");
    end_session(session);
    answer = http_end_after(fd, text);
    EXPECT_TEXT(
        answer.body,
        "id: 0-0|data: ||id: 0-1|" NOTE("tools/list_changed") "id: 0-2|" NOTE(
            "prompts/list_changed") "id: 0-3|" NOTE("resources/list_changed") "id: 0-4|" UPDATED("m"
                                                                                                 "e"
                                                                                                 "m"
                                                                                                 ":"
                                                                                                 "/"
                                                                                                 "/"
                                                                                                 "o"
                                                                                                 "n"
                                                                                                 "e") "id: 0-5|" NOTE("tools/list_changed"));
    answer_free(&answer);
    assert_int_equal(sessions_count(world_kept->sessions), 0);
    free(session);
}

/* With an id of an event the stream goes on behind it; without, behind what was sent. */
static void a_stream_is_taken_up_again_where_it_broke_off(void **state)
{
    static const struct {
        const char *more, *wanted;
    } cases[] = {
        { "Last-Event-ID: 0-0\r\n",
          "id: 0-1|" NOTE("tools/list_changed") "id: 0-2|" NOTE("prompts/list_changed") },
        { "Last-Event-ID: 0-1\r\n", "id: 0-2|" NOTE("prompts/list_changed") },
        { "Last-Event-ID: 0-2\r\n", "" },
        { "", "id: 0-2|data: ||" },
    };
    char         *session = legacy_open("2025-11-25", "{}"), *text;
    struct answer answer;
    int           fd;

    (void)state;
    changed(BP_MCP_TOOLS_CHANGED, "");
    changed(BP_MCP_PROMPTS_CHANGED, "");
    fd = news_begin(session, "");
    text = http_wait_first(fd, "prompts/list_changed");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int next = news_begin(session, cases[i].more);

        answer = http_end_after(fd, text); // another one took its place
        text = NULL;
        if (i == 0)
            EXPECT_TEXT(answer.body,
                        "id: 0-0|data: ||id: 0-1|" NOTE("tools/list_changed") "id: 0-2|" NOTE(
                            "prompts/list_changed"));
        else
            EXPECT_TEXT(answer.body, cases[i - 1].wanted);
        answer_free(&answer);
        fd = next;
        text = http_wait_first(fd, "\r\n\r\n");
        if (strlen(cases[i].wanted))
            text = http_wait(fd, text, i == 0 || i == 1 ? "prompts/list_changed" : "id: 0-2");
    }
    end_session(session);
    answer = http_end_after(fd, text);
    EXPECT_TEXT(answer.body, cases[3].wanted);
    answer_free(&answer);
    free(session);
}

static void what_no_stream_is_kept_for_is_refused(void **state)
{
    static const struct {
        const char *id, *wanted;
    } cases[] = {
        { "0", "400 {'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'Last-Event-ID is "
               "not one that this server gave'}}" },
        { "x-1", "400 {'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'Last-Event-ID "
                 "is not one that this server gave'}}" },
        { "4294967296-0",
          "400 {'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'Last-Event-ID is not "
          "one that this server gave'}}" },
        { "4294967295-0", "404 {'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'the "
                          "stream of that Last-Event-ID is no longer kept'}}" },
        { "1-0", "404 {'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'the stream of "
                 "that Last-Event-ID is no longer kept'}}" },
    };
    char *session = legacy_open("2025-11-25", "{}");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char         *more = formatted("Last-Event-ID: %s\r\n", cases[i].id);
        struct answer answer = http_end(news_begin(session, more));

        EXPECT_TEXT(answer.body, cases[i].wanted);
        answer_free(&answer);
        free(more);
    }
    free(session);
}

static void a_stream_before_2025_11_25_begins_without_an_id(void **state)
{
    char         *session = legacy_open("2025-06-18", "{}"), *text;
    struct answer answer;
    int           fd;

    (void)state;
    changed(BP_MCP_TOOLS_CHANGED, "");
    fd = news_begin(session, "");
    text = http_wait_first(fd, "list_changed");
    end_session(session);
    answer = http_end_after(fd, text);
    EXPECT_TEXT(answer.body, "id: 0-1|" NOTE("tools/list_changed"));
    answer_free(&answer);
    free(session);
}

/* ---- the stream of a request ---- */

#define WAIT_CALL                                                                                  \
    "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'act','arguments':{'do':'%s'," \
    "'n':1500}}}"
#define WAITED                                                                                     \
    "data: {'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text','text':'waited'}]}}||"

/* The handler goes on, and its answer is there for who comes back. */
static void a_handler_may_hang_up_and_its_answer_is_fetched_later(void **state)
{
    char *session = legacy_open("2025-11-25", "{}"), *body = formatted(WAIT_CALL, "hang_up");
    struct answer answer = http_end(legacy_begin(session, NULL, body));
    int           fd;

    (void)state;
    EXPECT_TEXT(answer.body, "id: 1-0|data: ||retry: 1500||");
    answer_free(&answer);
    fd = news_begin(session, "Last-Event-ID: 1-0\r\n");
    act_released = 1;
    answer = http_end(fd);
    EXPECT_TEXT(answer.body, "id: 1-1|" WAITED);
    answer_free(&answer);
    answer = http_end(news_begin(session, "Last-Event-ID: 1-0\r\n")); // once more
    EXPECT_TEXT(answer.body, "id: 1-1|" WAITED);
    answer_free(&answer);
    answer = http_end(news_begin(session, "Last-Event-ID: 1-1\r\n"));
    EXPECT_TEXT(answer.body, "");
    answer_free(&answer);
    free(body);
    free(session);
}

static void nothing_hangs_up_before_2025_11_25(void **state)
{
    char *session = legacy_open("2025-06-18", "{}"), *body = formatted(WAIT_CALL, "hang_up");
    struct answer answer;

    (void)state;
    act_released = 1;
    answer = http_end(legacy_begin(session, NULL, body));
    EXPECT_TEXT(answer.body,
                "{'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text','text':'waited'}]}}");
    answer_free(&answer);
    free(body);
    free(session);
}

static void a_client_that_leaves_cancels_its_request_in_2026_07_28_alone(void **state)
{
    static const char body[] = "{'jsonrpc':'2.0','id':1,'method':'tools/"
                               "call','params':{'name':'act',"
                               "'arguments':{'do':'wait'},'_meta':{'progressToken':1}}}";
    char             *session = legacy_open("2025-11-25", "{}");
    int               old = legacy_begin(session, NULL, body), new;

    (void)state;
    free(http_wait_first(old, "'progress':1"));
    assert_true(RIG_SOON(act_waits == 1));
    new = modern_begin("tools/call", "act", NULL, "'name':'act','arguments':{'do':'wait'}," META);
    assert_true(RIG_SOON(act_waits == 2));
    close(old);
    close(new);
    assert_true(RIG_SOON(act_cancelled == 1));
    act_released = 1; // the first one is still there to be released
    {
        struct answer answer = http_end(news_begin(session, "Last-Event-ID: 1-0\r\n"));

        EXPECT_TEXT(answer.body, "id: 1-1|data: {'jsonrpc':'2.0','method':'notifications/progress',"
                                 "'params':{'progressToken':1,'progress':1}}||id: 1-2|" WAITED);
        answer_free(&answer);
    }
    assert_int_equal(act_cancelled, 1);
    free(session);
}

/* ---- requests under way ---- */

static void a_request_is_cancelled_by_its_id_alone(void **state)
{
    char         *session = legacy_open("2025-11-25", "{}"), *body = formatted(WAIT_CALL, "wait");
    int           fd = legacy_begin(session, NULL, body);
    struct answer answer;

    (void)state;
    assert_true(RIG_SOON(act_waits == 1));
    answer = legacy(session, body);
    EXPECT_TEXT(answer.body, "429 " ERROR(-32600, "this session has 256 requests under way, or one "
                                                  "with the id 1"));
    answer_free(&answer);
    answer = legacy(session, "{'jsonrpc':'2.0','method':'notifications/"
                             "cancelled','params':{'requestId':'1'}}");
    EXPECT_TEXT(answer.body, "202 ");
    answer_free(&answer);
    answer = legacy(session, "{'jsonrpc':'2.0','method':'notifications/cancelled','params':{}}");
    answer_free(&answer);
    answer = legacy(session, "{'jsonrpc':'2.0','method':'notifications/unknown'}");
    EXPECT_TEXT(answer.body, "202 ");
    answer_free(&answer);
    assert_int_equal(act_cancelled, 0);
    answer = legacy(session, "{'jsonrpc':'2.0','method':'notifications/"
                             "cancelled','params':{'requestId':1}}");
    answer_free(&answer);
    answer = http_end(fd);
    EXPECT_TEXT(answer.body, "202 "); // who cancels waits for nothing
    answer_free(&answer);
    assert_int_equal(act_cancelled, 1);
    free(body);
    free(session);
}

static void the_end_of_a_session_cancels_its_requests(void **state)
{
    char         *session = legacy_open("2025-11-25", "{}"), *body = formatted(WAIT_CALL, "wait");
    int           fd = legacy_begin(session, NULL, body);
    struct answer answer;

    (void)state;
    assert_true(RIG_SOON(act_waits == 1));
    end_session(session);
    answer = http_end(fd);
    EXPECT_TEXT(answer.body, "202 ");
    answer_free(&answer);
    assert_int_equal(act_cancelled, 1);
    answer = legacy(session, body);
    assert_int_equal(answer.status, 404);
    answer_free(&answer);
    free(body);
    free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_session_hears_of_lists_and_of_what_it_subscribed_to),
        WORLD_TEST(a_stream_is_taken_up_again_where_it_broke_off),
        WORLD_TEST(what_no_stream_is_kept_for_is_refused),
        WORLD_TEST(a_stream_before_2025_11_25_begins_without_an_id),
        WORLD_TEST(a_handler_may_hang_up_and_its_answer_is_fetched_later),
        WORLD_TEST(nothing_hangs_up_before_2025_11_25),
        WORLD_TEST(a_client_that_leaves_cancels_its_request_in_2026_07_28_alone),
        WORLD_TEST(a_request_is_cancelled_by_its_id_alone),
        WORLD_TEST(the_end_of_a_session_cancels_its_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
