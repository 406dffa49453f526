/* test_tasks.c - tools that run as tasks: begun, looked at, fed, waited for and cancelled, in
 * 2026-07-28 and in 2025-11-25. */
#include "mcp_world.h"

#define TASK_META                                                                                  \
    META_WITH("{'elicitation':{},'extensions':{'io.modelcontextprotocol/tasks':{}}}") "}"

/* The id that an answer names, before readable() hid it. */
static char *task_id(const struct answer *answer)
{
    const char *at = strstr(answer->raw, "\"taskId\":\"");

    if (!at)
        fail_msg("no task in %s", answer->raw);
    return strndup(at + 10, 32);
}

static struct answer about(const char *method, const char *id, const char *more)
{
    char         *params = formatted("'taskId':'%s'%s," TASK_META, id, more);
    struct answer answer = modern(method, id, NULL, params);

    free(params);
    return answer;
}

static char *begin_task(const char *tool, const char *arguments, const char *wanted)
{
    char         *params = formatted("'name':'%s','arguments':%s," TASK_META, tool, arguments);
    struct answer answer = modern("tools/call", tool, NULL, params);
    char         *id = task_id(&answer);

    EXPECT_TEXT(answer.body, wanted);
    answer_free(&answer);
    free(params);
    return id;
}

#define TASK(status)                                                                               \
    "'taskId':'ID','status':'" status "','createdAt':'TIME','lastUpdatedAt':'TIME',"
#define TIMES "'ttlMs':3600000,'pollIntervalMs':500"
#define BEGUN                                                                                      \
    "{'jsonrpc':'2.0','id':1,'result':{'resultType':'task'," TASK("working") TIMES "," SERVER "}}" \
                                                                                   "}"

/* What tasks/get says of it, once its status is this. */
static void wait_for_status(const char *id, const char *status, const char *wanted)
{
    char         *mark = formatted("'status':'%s'", status);
    struct answer answer = { 0 };

    for (int64_t until = clock_now_ns() + BP_SECONDS(10); clock_now_ns() < until;) {
        answer = about("tasks/get", id, "");
        if (strstr(answer.body, mark))
            break;
        answer_free(&answer);
        answer = (struct answer){ 0 };
        rig_sleep_ms(2);
    }
    EXPECT_TEXT(answer.body ? answer.body : "never", wanted);
    answer_free(&answer);
    free(mark);
}

static void a_task_runs_and_its_result_is_kept(void **state)
{
    char *id = begin_task("task", "{'do':'wait'}", BEGUN);

    (void)state;
    assert_true(RIG_SOON(act_waits == 1));
    wait_for_status(id, "working", RESULT("," TASK("working") TIMES));
    act_released = 1;
    wait_for_status(id, "completed",
                    RESULT("," TASK("completed") TIMES
                           ",'result':{'resultType':'complete','content':[{'type':'text','text':'"
                           "waited'}]," SERVER "}}"));
    free(id);
}

static void each_end_of_a_task_is_told(void **state)
{
    static const struct {
        const char *arguments, *status, *wanted;
    } cases[] = {
        { "{'do':'fail','n':-32001,'value':7}", "failed",
          RESULT("," TASK("failed") TIMES
                 ",'error':{'code':-32001,'message':'no such thing','data':7}") },
        { "{'do':'status','n':2}", "completed",
          RESULT("," TASK("completed") TIMES
                 ",'result':{'resultType':'complete','content':[{'type':'text','text':'it did not "
                 "work'}],'isError':true," SERVER "}}") },
        { "{'do':'big','n':4000000}", "failed",
          RESULT("," TASK("failed") TIMES
                 ",'error':{'code':-32603,'message':'the result was made, but it is larger than "
                 "the limit for tasks (server.mcp.tasks): ask for less'}") },
        { "{'do':'late'}", "completed",
          RESULT(",'taskId':'ID','status':'completed','statusMessage':'half "
                 "way','createdAt':'TIME','lastUpdatedAt':'TIME'," TIMES
                 ",'result':{'resultType':'complete','content':[{'type':'text','text':'late'}]"
                 "," SERVER "}}") },
        { "{'do':'who'}", "completed",
          RESULT("," TASK("completed") TIMES
                 ",'result':{'resultType':'complete','content':[{'type':'text','text':'client=test/"
                 "1 revision=2026-07-28 session=0 can= elicitation tasks'}]," SERVER "}}") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *id = begin_task("task_only", cases[i].arguments, BEGUN);

        wait_for_status(id, cases[i].status, cases[i].wanted);
        free(id);
    }
}

#define WAITING                                                                                    \
    RESULT("," TASK("input_required") TIMES                                                        \
           ",'inputRequests':{'b':{'method':'elicitation/create','params':{}},"                    \
           "'a':{'method':'elicitation/create','params':{'message':'who?'}}}")
#define TWO_ASKS "{'do':'ask','asks':{'a':{'params':{'message':'who?'}},'b':{}}}"

static void a_task_asks_and_is_answered_bit_by_bit(void **state)
{
    static const char ok[] = RESULT("");
    char             *id = begin_task("task", TWO_ASKS, BEGUN);
    struct answer     answer;

    (void)state;
    wait_for_status(id, "input_required", WAITING);
    answer = about("tasks/update", id, ",'inputResponses':{'c':{},'a':7}");
    EXPECT_TEXT(answer.body, ok);
    answer_free(&answer);
    wait_for_status(id, "input_required", WAITING);
    answer = about("tasks/update", id, ",'inputResponses':{'a':{'x':1}}");
    EXPECT_TEXT(answer.body, ok);
    answer_free(&answer);
    wait_for_status(id, "input_required",
                    RESULT("," TASK("input_required") TIMES
                           ",'inputRequests':{'b':{'method':'elicitation/create','params':{}}}"));
    answer = about("tasks/update", id, ",'inputResponses':[]");
    EXPECT_TEXT(answer.body, ERROR(-32602, "params.inputResponses must be an object"));
    answer_free(&answer);
    answer = about("tasks/update", id, ",'inputResponses':{'b':{'y':2}}");
    EXPECT_TEXT(answer.body, ok);
    answer_free(&answer);
    wait_for_status(id, "completed",
                    RESULT("," TASK("completed") TIMES
                           ",'result':{'resultType':'complete','content':[{'type':'text','text':'a "
                           "{\\'x\\':1}'},{'type':'text','text':'b {\\'y\\':2}'}]," SERVER "}}"));
    free(id);
}

/* Before it is a task it asks by rounds, and runs on with what was answered. */
static void a_tool_may_become_a_task_late(void **state)
{
    static const char ask[] = "'name':'task_late','arguments':{'do':'late','asks':{'a':{}}}%"
                              "s," TASK_META;
    char             *params = formatted(ask, "");
    struct answer     answer = modern("tools/call", "task_late", NULL, params);
    char             *id;

    (void)state;
    assert_non_null(strstr(answer.body, "'resultType':'input_required','inputRequests':{'a':{'"
                                        "method':'elicitation/create','params':{}}}"));
    answer_free(&answer);
    free(params);
    params = formatted(ask, ",'inputResponses':{'a':{'z':1}}");
    answer = modern("tools/call", "task_late", NULL, params);
    EXPECT_TEXT(answer.body, BEGUN);
    id = task_id(&answer);
    wait_for_status(id, "completed",
                    RESULT(",'taskId':'ID','status':'completed','statusMessage':'half "
                           "way','createdAt':'TIME','lastUpdatedAt':'TIME'," TIMES
                           ",'result':{'resultType':'complete','content':[{'type':'text','text':'a "
                           "{\\'z\\':1}'},{'type':'text','text':'late'}]," SERVER "}}"));
    answer_free(&answer);
    free(params);
    free(id);
}

static const struct modern_case without_tasks[] = {
    CALL("task", "{'do':'late'}", RESULT(",'content':[{'type':'text','text':'late'}]")),
    CALL("task_late", "{'do':'late'}", RESULT(",'content':[{'type':'text','text':'late'}]")),
    CALL("task_only", "{'do':'late'}",
         "400 "
         "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
         "'message':'this needs a capability that the client did not declare',"
         "'data':{'requiredCapabilities':{'extensions':{'io.modelcontextprotocol/tasks':{}}}}}}"),
    ASK_OF("tasks/get", "x", "'taskId':'x'",
           "400 "
           "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
           "'message':'this needs a capability that the client did not declare',"
           "'data':{'requiredCapabilities':{'extensions':{'io.modelcontextprotocol/tasks':{}}}}}}"),
    ASK_AS("tasks/get", "x", NULL, "'taskId':'x'," TASK_META,
           ERROR(-32602, "there is no task \\'x\\', or no longer")),
    ASK_AS("tasks/update", "x", NULL, "'taskId':'x'," TASK_META,
           ERROR(-32602, "there is no task \\'x\\', or no longer")),
    ASK_AS("tasks/cancel", "x", NULL, "'taskId':'x'," TASK_META,
           ERROR(-32602, "there is no task \\'x\\', or no longer")),
    ASK_AS("tasks/get", NULL, NULL, TASK_META,
           ERROR(-32602, "there is no task \\'\\', or no longer")),
};

static void a_client_without_tasks_waits_or_is_refused(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(without_tasks);
}

static void a_task_is_cancelled_once(void **state)
{
    char         *id = begin_task("task", "{'do':'wait'}", BEGUN);
    struct answer answer;

    (void)state;
    assert_true(RIG_SOON(act_waits == 1));
    for (int i = 0; i < 2; i++) { // the second time changes nothing
        answer = about("tasks/cancel", id, "");
        EXPECT_TEXT(answer.body, RESULT(""));
        answer_free(&answer);
    }
    assert_true(RIG_SOON(act_cancelled == 1));
    wait_for_status(id, "cancelled", RESULT("," TASK("cancelled") TIMES));
    free(id);
}

/* ---- 2025-11-25 ---- */

#define OLD_TASK(status) TASK(status) "'ttl':3600000,'pollInterval':500"

static char *begin_old_task(const char *session, const char *arguments)
{
    char         *params = formatted("'name':'task','task':{'ttl':1000},'arguments':%s", arguments);
    struct answer answer = legacy_ask(session, "tools/call", params);
    char         *id = task_id(&answer);

    EXPECT_TEXT(answer.body, LEGACY("'task':{" OLD_TASK("working") "}"));
    answer_free(&answer);
    free(params);
    return id;
}

static void expect_old(const char *session, const char *method, const char *id, const char *wanted)
{
    char         *params = formatted("'taskId':'%s'", id);
    struct answer answer = legacy_ask(session, method, params);

    EXPECT_TEXT(answer.body, wanted);
    answer_free(&answer);
    free(params);
}

static void tasks_of_2025_11_25_have_a_result_to_wait_for(void **state)
{
    char         *session = legacy_open("2025-11-25", "{'elicitation':{}}");
    char         *id = begin_old_task(session, "{'do':'wait'}"), *body;
    int           fd;
    struct answer answer;

    (void)state;
    assert_true(RIG_SOON(act_waits == 1));
    expect_old(session, "tasks/get", id, LEGACY(OLD_TASK("working")));
    expect_old(session, "tasks/list", id, LEGACY("'tasks':[{" OLD_TASK("working") "}]"));
    body = formatted("{'jsonrpc':'2.0','id':9,'method':'tasks/result','params':{'taskId':'%s'}}",
                     id);
    fd = legacy_begin(session, NULL, body);
    act_released = 1;
    answer = http_end(fd);
    EXPECT_TEXT(answer.body,
                "{'jsonrpc':'2.0','id':9,'result':{'content':[{'type':'text','text':'waited'}],'_"
                "meta':{'io.modelcontextprotocol/related-task':{'taskId':'ID'}}}}");
    answer_free(&answer);
    expect_old(session, "tasks/cancel", id, ERROR(-32602, "the task has ended already"));
    expect_old(session, "tasks/get", id, LEGACY(OLD_TASK("completed")));
    expect_old(session, "tasks/result", "nobody",
               ERROR(-32602, "there is no task \\'nobody\\', or no longer"));
    free(id);
    id = begin_old_task(session, "{'do':'fail','n':-32007}");
    expect_old(session, "tasks/result", id, ERROR(-32007, "no such thing"));
    free(id);
    id = begin_old_task(session, "{'do':'wait'}");
    expect_old(session, "tasks/cancel", id, LEGACY(OLD_TASK("cancelled")));
    expect_old(session, "tasks/result", id, ERROR(-32603, "the task was cancelled"));
    free(id);
    id = begin_old_task(session, "{'do':'ask','asks':{'a':{}}}");
    expect_old(session, "tasks/result", id,
               LEGACY("'content':[{'type':'text','text':'a task of MCP 2025-11-25 cannot ask the "
                      "client: call the tool without a "
                      "task'}],'isError':true,'_meta':{'io.modelcontextprotocol/"
                      "related-task':{'taskId':'ID'}}"));
    free(id);
    free(body);
    free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_task_runs_and_its_result_is_kept),
        WORLD_TEST(each_end_of_a_task_is_told),
        WORLD_TEST(a_task_asks_and_is_answered_bit_by_bit),
        WORLD_TEST(a_tool_may_become_a_task_late),
        WORLD_TEST(a_client_without_tasks_waits_or_is_refused),
        WORLD_TEST(a_task_is_cancelled_once),
        WORLD_TEST(tasks_of_2025_11_25_have_a_result_to_wait_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
