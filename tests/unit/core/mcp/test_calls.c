/* test_calls.c - tools/call of MCP 2026-07-28: arguments, what a handler puts into its result, how
 * it may end, and what comes before the answer. */
#include "mcp_world.h"

/* ---- arguments ---- */

#define RARE(arguments, answer)                                                                    \
    ASK_AS("tools/call", "rare", NULL, "'name':'rare','arguments':" arguments "," META, answer)
#define NONE(arguments, answer) CALL("none", arguments, answer)

static const struct modern_case arguments[] = {
    NONE("{}", RESULT(",'content':[{'type':'text','text':'{}'}]")),
    NONE("null", RESULT(",'content':[{'type':'text','text':'{}'}]")),
    NONE("[]", ERROR(-32602, "params.arguments must be an object")),
    NONE("7", ERROR(-32602, "params.arguments must be an object")),
    NONE("'{}'", ERROR(-32602, "params.arguments must be an object")),
    NONE("'x'", ERROR(-32602, "params.arguments must be an object")),
    NONE("{'a':1}",
         RESULT(",'content':[{'type':'text',"
                "'text':'the arguments of none are not valid: \\'a\\' is not a known argument'}],"
                "'isError':true")),
    CALL("hidden", "{}", ERROR(-32602, "there is no tool \\'hidden\\': tools/list lists them")),
    CALL("", "{}", ERROR(-32602, "there is no tool \\'\\': tools/list lists them")),
    ASK("tools/call", "'name':null",
        ERROR(-32602, "there is no tool \\'\\': tools/list lists them")),
    ASK_OF("tools/call", "none", "'name':'none'",
           RESULT(",'content':[{'type':'text','text':'{}'}]")),
};

static void arguments_are_held_against_the_schema(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(arguments);
}

static const struct modern_case fitted[] = {
    CALL("echo", "{'n':'x'}",
         "400 " ERROR(-32020,
                      "the header mcp-param-count is \\'\\', which is not what the arguments say")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\nMcp-Param-Count: 3\r\n",
           "'name':'echo','arguments':{'text':'a','n':'3'}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'n\\':3}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\nMcp-Param-Count: 3.0\r\n",
           "'name':'echo','arguments':{'text':'a','n':3.0}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'n\\':3}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\nMcp-Param-Count: 3.5\r\n",
           "'name':'echo','arguments':{'text':'a','n':3.5}," META,
           RESULT(",'content':[{'type':'text',"
                  "'text':'the arguments of echo are not valid: /n must be an integer, not 3.5'}],"
                  "'isError':true")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\n",
           "'name':'echo','arguments':{'text':'a','list':['1',2.0]}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'list\\':[1,2]}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\n",
           "'name':'echo','arguments':{'text':'a','list':[1,2.0]}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'list\\':[1,2]}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\nMcp-Param-On: true\r\n",
           "'name':'echo','arguments':{'text':'a','deep':{'on':true,'list':[2.0]},'list':[3.0]}"
           "," META,
           RESULT(
               ",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'deep\\':{\\'on\\':true,"
               "\\'list\\':[2]},\\'list\\':[3]}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\n",
           "'name':'echo','arguments':{'text':'a','list':null,'n':null}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\'}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\n",
           "'name':'echo','arguments':{'text':'a','list':'[1,2]'}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'list\\':[1,2]}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\n",
           "'name':'echo','arguments':{'text':'a','list':'[1,'}," META,
           RESULT(",'content':[{'type':'text',"
                  "'text':'the arguments of echo are not valid: /list must be an array, not "
                  "\\'[1,\\''}],"
                  "'isError':true")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\n",
           "'name':'echo','arguments':{'text':'a','list':[1,2],'more':2.5}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'list\\':[1,2],\\'"
                  "more\\':2.5}'}]")),
};

static void arguments_written_almost_right_are_made_right(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(fitted);
}

static const struct modern_case unfitted[] = {
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\nMcp-Param-Count: 3\r\n",
           "'name':'echo','arguments':{'text':'a','n':'3'}," META,
           RESULT(
               ",'content':[{'type':'text',"
               "'text':'the arguments of echo are not valid: /n must be an integer, not \\'3\\''}],"
               "'isError':true")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: a\r\nMcp-Param-Count: 3\r\n",
           "'name':'echo','arguments':{'text':'a','n':3.0}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'n\\':3}'}]")),
    NONE("'{}'", ERROR(-32602, "params.arguments must be an object")),
};

static void they_are_left_as_they_are_where_the_conf_says_so(void **state)
{
    (void)state;
    conf.server.mcp.coerce_arguments = false;
    EXPECT_EACH_MODERN(unfitted);
}

/* ---- what is put into a result ---- */

#define ACT(what, more, answer) CALL("act", "{'do':'" what "'" more "}", answer)
#define OUT(what, more, answer) CALL("out", "{'do':'" what "'" more "}", answer)

static const struct modern_case results[] = {
    ACT("blocks", "",
        RESULT(
            ",'content':[{'type':'text','text':'one'},{'type':'image','data':'cG5n',"
            "'mimeType':'image/png'},{'type':'audio','data':'d2F2','mimeType':'audio/wav'},"
            "{'type':'resource','resource':{'uri':'mem://a','mimeType':'text/plain','text':'a'}},"
            "{'type':'resource','resource':{'uri':'mem://"
            "b','blob':'Yg=='}},{'type':'resource_link',"
            "'uri':'mem://c','name':'c','description':'of c'}]")),
    ACT("structured", ",'value':{'n':1}",
        RESULT(",'content':[{'type':'text','text':'{\\n  \\'n\\': "
               "1\\n}'}],'structuredContent':{'n':1}")),
    ACT("structured", ",'value':[1,'x',null]",
        RESULT(",'content':[{'type':'text','text':'[\\n  1,\\n  \\'x\\',\\n  null\\n]'}],"
               "'structuredContent':[1,'x',null]")),
    ACT("structured", ",'value':{'n':1},'text':'as text'",
        RESULT(",'content':[{'type':'text','text':'as text'}],'structuredContent':{'n':1}")),
    ACT("error", ",'value':{'why':2}",
        RESULT(",'content':[{'type':'text','text':'it went wrong'}],'structuredContent':{'why':2},"
               "'isError':true")),
    ACT("error", "", RESULT(",'content':[{'type':'text','text':'it went wrong'}],'isError':true")),
    ACT("meta", ",'value':{'a':1}",
        "{'jsonrpc':'2.0','id':1,'result':{'resultType':'complete','content':[],"
        "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane','version':'VERSION'},"
        "'a':1}}}"),
    ACT("meta", ",'value':{}", RESULT(",'content':[]")),
    ACT("unended", "",
        RESULT(",'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
               "'isError':true")),
    ACT("broken", "",
        RESULT(",'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
               "'isError':true")),
    OUT("structured", ",'value':{'n':1}",
        RESULT(",'content':[{'type':'text','text':'{\\n  \\'n\\': "
               "1\\n}'}],'structuredContent':{'n':1}")),
    OUT("structured", ",'value':{'n':1,'more':[]}",
        RESULT(",'content':[{'type':'text','text':'{\\n  \\'n\\': 1,\\n  \\'more\\': []\\n}'}],"
               "'structuredContent':{'n':1,'more':[]}")),
    OUT("structured", ",'value':{'n':'1'}",
        RESULT(",'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
               "'isError':true")),
    OUT("structured", ",'value':{}",
        RESULT(",'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
               "'isError':true")),
    OUT("blocks", "",
        RESULT(",'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
               "'isError':true")),
    OUT("error", ",'value':{'n':'x'}",
        RESULT(",'content':[{'type':'text','text':'it went wrong'}],'structuredContent':{'n':'x'},"
               "'isError':true")),
};

static void what_a_handler_adds_is_what_the_client_gets(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(results);
    expect_logged("a content block was begun and not ended");
    expect_logged("the blocks of the handler are not JSON");
}

/* ---- how it ends ---- */

static const struct modern_case ends[] = {
    ACT("nothing", "",
        RESULT(",'content':[{'type':'text','text':'there is no act of that "
               "name'}],'isError':true")),
    ACT("status", ",'n':1",
        RESULT(",'content':[{'type':'text','text':'it did not work'}],'isError':true")),
    ACT("status", ",'n':2",
        RESULT(",'content':[{'type':'text','text':'it did not work'}],'isError':true")),
    ACT("status", ",'n':3",
        RESULT(",'content':[{'type':'text','text':'it did not work'}],'isError':true")),
    ACT("status", ",'n':7",
        RESULT(",'content':[{'type':'text','text':'it did not work'}],'isError':true")),
    ACT("status", ",'n':8",
        RESULT(",'content':[{'type':'text','text':'it did not work'}],'isError':true")),
    ACT("status", ",'n':18",
        RESULT(",'content':[{'type':'text','text':'it did not work'}],'isError':true")),
    ACT("fail", ",'n':-32602,'value':{'a':1}",
        "{'jsonrpc':'2.0','id':1,'error':{'code':-32602,'message':'no such thing',"
        "'data':{'a':1}}}"),
    ACT("fail", ",'n':-32000", ERROR(-32000, "no such thing")),
    ACT("state", ",'n':16384", RESULT(",'content':[{'type':'text','text':'kept'}]")),
    ACT("state", ",'n':16385",
        RESULT(
            ",'content':[{'type':'text',"
            "'text':'a state of 16385 bytes is more than the client is given to carry (16384)'}],"
            "'isError':true")),
    ACT("late", "", RESULT(",'content':[{'type':'text','text':'late'}]")),
    ACT("hang_up", ",'n':1", RESULT(",'content':[{'type':'text','text':'waited'}]")),
    ACT("who", "",
        RESULT(",'content':[{'type':'text','text':'client=test/1 revision=2026-07-28 session=0 "
               "can='}]")),
    ASK_AS("tools/call", "act", NULL,
           "'name':'act','arguments':{'do':'who'}," META_WITH(
               "{'sampling':{'tools':{}},'elicitation':{},'roots':{},"
               "'extensions':{'io.modelcontextprotocol/tasks':{}}}") "}",
           RESULT(",'content':[{'type':'text',"
                  "'text':'client=test/1 revision=2026-07-28 session=0 can= sampling "
                  "sampling.tools elicita"
                  "tion roots tasks'}]")),
    CALL("needy", "{'do':'who'}",
         "400 "
         "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
         "'message':'this needs a capability that the client did not declare',"
         "'data':{'requiredCapabilities':{'sampling':{'tools':{}},'elicitation':{}}}}}"),
    ASK_AS("tools/call", "needy", NULL,
           "'name':'needy','arguments':{'do':'who'}," META_WITH("{'sampling':{}}") "}",
           "400 "
           "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
           "'message':'this needs a capability that the client did not declare',"
           "'data':{'requiredCapabilities':{'sampling':{'tools':{}},'elicitation':{}}}}}"),
    ASK_AS("tools/call", "needy", NULL,
           "'name':'needy','arguments':{'do':'who'}," META_WITH("{'sampling':{'tools':{}},'"
                                                                "elicitation':{}}") "}",
           RESULT(",'content':[{'type':'text',"
                  "'text':'client=test/1 revision=2026-07-28 session=0 can= sampling "
                  "sampling.tools elicita"
                  "tion'}]")),
    CALL("scoped", "{}", RESULT(",'content':[{'type':'text','text':'{}'}]")),
};

static void each_end_of_a_handler_is_told(void **state)
{
    (void)state;
    act_released = 100;
    EXPECT_EACH_MODERN(ends);
    assert_int_equal(act_cancelled, 0);
}

static void a_handler_whose_time_is_up_is_told_to_end(void **state)
{
    static const struct modern_case quick = CALL("quick", "{'do':'wait'}",
                                                 RESULT(
                                                     ",'content':[{'type':'text','text':'sleeping "
                                                     "took longer than the time allowed'}],"
                                                     "'isError':true"));

    (void)state;
    expect_modern(&quick);
    assert_int_equal(act_cancelled, 1);
}

static void a_result_beyond_the_bound_is_an_error(void **state)
{
    struct answer answer = modern("tools/call", "act", NULL,
                                  "'name':'act','arguments':{'do':'big','n':33554432}," META);

    (void)state;
    EXPECT_TEXT(answer.body,
                RESULT(",'content':[{'type':'text','text':'the result is larger than 33554432 "
                       "bytes'}],'isError':true"));
    answer_free(&answer);
    answer = modern("tools/call", "act", NULL,
                    "'name':'act','arguments':{'do':'big','n':1048576}," META);
    assert_int_equal(answer.status, 200);
    assert_int_equal(strlen(answer.body),
                     1048576 + strlen(RESULT(",'content':[{'type':'text','text':''}]")));
    answer_free(&answer);
}

/* ---- what comes before the answer ---- */

#define ACT_AS(meta, what, answer)                                                                 \
    ASK_AS("tools/call", "act", NULL,                                                              \
           "'name':'act','arguments':{'do':'" what "'}," META_WITH("{}") meta "}", answer)
#define LEVEL ",'io.modelcontextprotocol/logLevel':"

static const struct modern_case events[] = {
    ACT_AS("", "progress", RESULT(",'content':[{'type':'text','text':'done'}]")),
    ACT_AS(",'progressToken':7", "progress",
           "data: {'jsonrpc':'2.0','method':'notifications/progress','params':{'progressToken':7,"
           "'progress':0}}||data: {'jsonrpc':'2.0','method':'notifications/progress',"
           "'params':{'progressToken':7,'progress':1,'total':4,"
           "'message':'a quarter'}}||data: {'jsonrpc':'2.0','method':'notifications/progress',"
           "'params':{'progressToken':7,'progress':2.5}}||data: {'jsonrpc':'2.0','id':1,"
           "'result':{'resultType':'complete','content':[{'type':'text','text':'done'}],"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}||"),
    ACT_AS(",'progressToken':'seven'", "progress",
           "data: {'jsonrpc':'2.0','method':'notifications/progress',"
           "'params':{'progressToken':'seven','progress':0}}||data: {'jsonrpc':'2.0',"
           "'method':'notifications/progress','params':{'progressToken':'seven','progress':1,"
           "'total':4,'message':'a quarter'}}||data: {'jsonrpc':'2.0',"
           "'method':'notifications/progress','params':{'progressToken':'seven',"
           "'progress':2.5}}||data: {'jsonrpc':'2.0','id':1,'result':{'resultType':'complete',"
           "'content':[{'type':'text','text':'done'}],"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}||"),
    ACT_AS(",'progressToken':1.5", "progress",
           RESULT(",'content':[{'type':'text','text':'done'}]")),
    ACT_AS(",'progressToken':{}", "progress", RESULT(",'content':[{'type':'text','text':'done'}]")),
    ACT_AS("", "log", RESULT(",'content':[{'type':'text','text':'logged'}]")),
    ACT_AS(LEVEL "'debug'", "log",
           "data: {'jsonrpc':'2.0','method':'notifications/message','params':{'level':'debug',"
           "'logger':'work','data':0}}||data: {'jsonrpc':'2.0','method':'notifications/message',"
           "'params':{'level':'info','logger':'odd','data':1}}||data: {'jsonrpc':'2.0',"
           "'method':'notifications/message','params':{'level':'notice','logger':'work',"
           "'data':2}}||data: {'jsonrpc':'2.0','method':'notifications/message',"
           "'params':{'level':'warning','logger':'odd','data':3}}||data: {'jsonrpc':'2.0',"
           "'method':'notifications/message','params':{'level':'error','logger':'work',"
           "'data':4}}||data: {'jsonrpc':'2.0','method':'notifications/message',"
           "'params':{'level':'critical','logger':'odd','data':5}}||data: {'jsonrpc':'2.0',"
           "'method':'notifications/message','params':{'level':'alert','logger':'work',"
           "'data':6}}||data: {'jsonrpc':'2.0','method':'notifications/message',"
           "'params':{'level':'emergency','logger':'odd','data':7}}||data: {'jsonrpc':'2.0','id':1,"
           "'result':{'resultType':'complete','content':[{'type':'text','text':'logged'}],"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}||"),
    ACT_AS(LEVEL "'error'", "log",
           "data: {'jsonrpc':'2.0','method':'notifications/message','params':{'level':'error',"
           "'logger':'work','data':4}}||data: {'jsonrpc':'2.0','method':'notifications/message',"
           "'params':{'level':'critical','logger':'odd','data':5}}||data: {'jsonrpc':'2.0',"
           "'method':'notifications/message','params':{'level':'alert','logger':'work',"
           "'data':6}}||data: {'jsonrpc':'2.0','method':'notifications/message',"
           "'params':{'level':'emergency','logger':'odd','data':7}}||data: {'jsonrpc':'2.0','id':1,"
           "'result':{'resultType':'complete','content':[{'type':'text','text':'logged'}],"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}||"),
    ACT_AS(LEVEL "'emergency'", "log",
           "data: {'jsonrpc':'2.0','method':'notifications/message','params':{'level':'emergency',"
           "'logger':'odd','data':7}}||data: {'jsonrpc':'2.0','id':1,"
           "'result':{'resultType':'complete','content':[{'type':'text','text':'logged'}],"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}||"),
    ACT_AS(LEVEL "'loud'", "log", RESULT(",'content':[{'type':'text','text':'logged'}]")),
    ASK_AS("tools/call", "act", "X: 1\r\n", "'name':'act','arguments':{'do':'rounds'}," META,
           "400 "
           "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
           "'message':'this needs a capability that the client did not declare',"
           "'data':{'requiredCapabilities':{'elicitation':{}}}}}"),
};

static void what_a_handler_says_comes_before_its_answer(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(events);
}

/* ---- limits ---- */

static const struct modern_case rare[] = {
    RARE("{}", RESULT(",'content':[{'type':'text','text':'{}'}]")),
    NONE("{}", RESULT(",'content':[{'type':'text','text':'{}'}]")),
};

static const struct modern_case too_often[] = {
    RARE("{}", "429 " ERROR(-32603, "the limit of 3 requests a minute is reached")),
    NONE("{}", RESULT(",'content':[{'type':'text','text':'{}'}]")),
};

static void a_tool_may_have_a_limit_of_its_own(void **state)
{
    (void)state;
    counted.left = 1;
    EXPECT_EACH_MODERN(rare);
    assert_int_equal(counted.left, 0);
    EXPECT_EACH_MODERN(too_often);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(arguments_are_held_against_the_schema),
        WORLD_TEST(arguments_written_almost_right_are_made_right),
        WORLD_TEST(they_are_left_as_they_are_where_the_conf_says_so),
        WORLD_TEST(what_a_handler_adds_is_what_the_client_gets),
        WORLD_TEST(each_end_of_a_handler_is_told),
        WORLD_TEST(a_handler_whose_time_is_up_is_told_to_end),
        WORLD_TEST(what_a_handler_says_comes_before_its_answer),
        WORLD_TEST(a_tool_may_have_a_limit_of_its_own),
        WORLD_TEST(a_result_beyond_the_bound_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
