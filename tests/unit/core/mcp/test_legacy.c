/* test_legacy.c - MCP up to 2025-11-25 over HTTP: sessions, what each request is answered in them,
 * and batches, as whole messages. */
#include "mcp_world.h"

static char *session;

static void with_session(const char *revision, const char *capabilities,
                         const struct legacy_case *cases, size_t count)
{
    session = legacy_open(revision, capabilities);
    for (size_t i = 0; i < count; i++)
        expect_legacy(session, &cases[i]);
    free(session);
}

#define IN_SESSION(revision, capabilities, cases)                                                  \
    with_session(revision, capabilities, cases, sizeof(cases) / sizeof((cases)[0]))

/* ---- sessions ---- */

static const struct raw_case beginnings[] = {
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'2024-11-05'}}",
        LEGACY("'protocolVersion':'2024-11-05','capabilities':{'tools':{'listChanged':true},"
               "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
               "'logging':{}},'serverInfo':{'name':'backplane','title':'Backplane','version':'"
               "VERSION'},"
               "'instructions':'Use it well.'")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'2025-03-26'}}",
        LEGACY(
            "'protocolVersion':'2025-03-26','capabilities':{'tools':{'listChanged':true},"
            "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
            "'logging':{},'completions':{}},'serverInfo':{'name':'backplane','title':'Backplane',"
            "'version':'VERSION'},'instructions':'Use it well.'")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'2025-06-18'}}",
        LEGACY(
            "'protocolVersion':'2025-06-18','capabilities':{'tools':{'listChanged':true},"
            "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
            "'logging':{},'completions':{}},'serverInfo':{'name':'backplane','title':'Backplane',"
            "'version':'VERSION'},'instructions':'Use it well.'")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'2025-11-25'}}",
        LEGACY("'protocolVersion':'2025-11-25','capabilities':{'tools':{'listChanged':true},"
               "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
               "'logging':{},'completions':{},'tasks':{'list':{},'cancel':{},"
               "'requests':{'tools':{'call':{}}}}},'serverInfo':{'name':'backplane','title':'"
               "Backplane',"
               "'version':'VERSION'},'instructions':'Use it well.'")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'2026-07-28'}}",
        LEGACY("'protocolVersion':'2025-11-25','capabilities':{'tools':{'listChanged':true},"
               "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
               "'logging':{},'completions':{},'tasks':{'list':{},'cancel':{},"
               "'requests':{'tools':{'call':{}}}}},'serverInfo':{'name':'backplane','title':'"
               "Backplane',"
               "'version':'VERSION'},'instructions':'Use it well.'")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'1.0'}}",
        LEGACY("'protocolVersion':'2025-11-25','capabilities':{'tools':{'listChanged':true},"
               "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
               "'logging':{},'completions':{},'tasks':{'list':{},'cancel':{},"
               "'requests':{'tools':{'call':{}}}}},'serverInfo':{'name':'backplane','title':'"
               "Backplane',"
               "'version':'VERSION'},'instructions':'Use it well.'")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':''}}",
        ERROR(-32602, "initialize needs params.protocolVersion")),
    RAW("POST", "", "{'jsonrpc':'2.0','id':1,'method':'initialize'}",
        ERROR(-32602, "initialize needs params.protocolVersion")),
    RAW("POST", "", "{'jsonrpc':'2.0','id':1,'method':'tools/list'}",
        "400 " ERROR(-32600, "the header Mcp-Session-Id is missing: begin with `initialize`, or "
                             "speak MCP 2026-07-28,"
                             " which has no sessions")),
    RAW("POST", "Mcp-Session-Id: 0123456789abcdef0123456789abcdef\r\n",
        "{'jsonrpc':'2.0','id':1,'method':'tools/list'}",
        "404 " ERROR(-32600,
                     "there is no such session, or it has ended: start again with `initialize`")),
    RAW("POST", "MCP-Protocol-Version: 1.0\r\n", "{'jsonrpc':'2.0','id':1,'method':'tools/list'}",
        "400 " ERROR(-32022, "MCP \\'1.0\\' is not spoken here")),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n",
        "{'jsonrpc':'2.0','id':1,'method':'tools/list'}",
        "400 " ERROR(-32602, "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a "
                             "client of the revision"
                             "s up to 2025-11-25 begins with `initialize`")),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n", "{'jsonrpc':'2.0','id':1,'result':{}}",
        "400 " ERROR(-32600, "a client of MCP 2026-07-28 sends no responses: answers go with the "
                             "request that is sent "
                             "again")),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n",
        "{'jsonrpc':'2.0','method':'notifications/progress'}",
        "202 "
        ""),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n", "[]",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'a message must be a JSON object'}}"),
    RAW("POST", "", "[]",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'the header Mcp-Session-Id is missing: begin with `initialize`,"
        " or speak MCP 2026-07-28, which has no sessions'}}"),
    RAW("POST", "", "{'jsonrpc':'2.0','id':1,'method':'server/discover'}",
        "400 " ERROR(-32602, "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a "
                             "client of the revision"
                             "s up to 2025-11-25 begins with `initialize`")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':"
        "{" META "}}",
        "400 " ERROR(-32020, "the header MCP-Protocol-Version is missing")),
    RAW("POST", "",
        "{'jsonrpc':'2.0','method':'notifications/cancelled','params':"
        "{" META "}}",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32020,"
        "'message':'the header MCP-Protocol-Version is missing'}}"),
    RAW("POST", "", "{'jsonrpc':'2.0','id':1",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32700,"
        "'message':''}' expected near end of file, at byte 23'}}"),
    RAW("POST", "", "",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32700,"
        "'message':'unexpected token near end of file, at byte 0'}}"),
    RAW("POST", "", "7",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'a message must be a JSON object'}}"),
    RAW("POST", "", "{'jsonrpc':'2.0','id':1.5,'method':'ping'}",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'\\'id\\' must be a string or an integer'}}"),
    RAW("POST", "", "{'jsonrpc':'2.0','id':1,'method':7}",
        ERROR(-32600, "\\'method\\' must be a string of at most 128 bytes")),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n", "{'jsonrpc':'2.0','id':1,'method':7}",
        "400 " ERROR(-32600, "\\'method\\' must be a string of at most 128 bytes")),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n", "{'jsonrpc':'2.0','method':7}",
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'\\'method\\' must be a string of at most 128 bytes'}}"),
    RAW("GET", "", NULL,
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'the header Mcp-Session-Id is missing: begin with `initialize`,"
        " or speak MCP 2026-07-28, which has no sessions'}}"),
    RAW("GET", "Mcp-Session-Id: 0123456789abcdef0123456789abcdef\r\n", NULL,
        "404 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'there is no such session,"
        " or it has ended: start again with `initialize`'}}"),
    RAW("GET", "MCP-Protocol-Version: 2026-07-28\r\n", NULL,
        "405 "
        "{'error':{'code':'method_not_allowed',"
        "'message':'MCP 2026-07-28 takes POST only; news come by subscriptions/listen'}}"),
    RAW("DELETE", "", NULL,
        "400 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
        "'message':'the header Mcp-Session-Id is missing: begin with `initialize`,"
        " or speak MCP 2026-07-28, which has no sessions'}}"),
    RAW("DELETE", "Mcp-Session-Id: 0123456789abcdef0123456789abcdef\r\n", NULL,
        "404 "
        "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':'there is no such session,"
        " or it has ended: start again with `initialize`'}}"),
    RAW("DELETE", "MCP-Protocol-Version: 2026-07-28\r\n", NULL,
        "405 "
        "{'error':{'code':'method_not_allowed',"
        "'message':'MCP 2026-07-28 takes POST only; news come by subscriptions/listen'}}"),
};

static void how_a_client_may_begin(void **state)
{
    (void)state;
    EXPECT_EACH_RAW(beginnings);
    assert_int_equal(sessions_count(world_kept->sessions), 6);
}

static const struct raw_case contents[] = {
    RAW_AS("POST", "/mcp", "Accept: application/json\r\n", "{}",
           "415 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'the body must be application/json'}}"),
    RAW_AS("POST", "/mcp", "Content-Type: text/plain\r\n", "{}",
           "415 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'the body must be application/json'}}"),
    RAW_AS("POST", "/mcp", "Content-Type: application/json\r\nAccept: text/plain\r\n", "{}",
           "406 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'the client must accept application/json and text/event-stream'}}"),
    RAW_AS("POST", "/mcp", "Content-Type: application/json; charset=utf-8\r\nAccept: */*\r\n", "{}",
           "400 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}"),
    RAW_AS("POST", "/mcp",
           "Content-Type: APPLICATION/JSON\r\nAccept: image/png, application/*;q=0.5\r\n", "{}",
           "400 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}"),
    RAW_AS("POST", "/mcp", "Content-Type: application/json\r\nAccept: text/*\r\n", "{}",
           "400 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}"),
    RAW_AS("POST", "/mcp", "Content-Type: application/json\r\n", "{}",
           "400 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}"),
    RAW_AS("GET", "/mcp", "Accept: application/json\r\n", NULL,
           "406 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'the client must accept text/event-stream'}}"),
    RAW_AS("GET", "/mcp", "Accept: text/event-stream\r\n", NULL,
           "400 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'the header Mcp-Session-Id is missing: begin with `initialize`,"
           " or speak MCP 2026-07-28, which has no sessions'}}"),
    RAW_AS("POST", "/mcp/nobody", JSON_HEADERS, "{}",
           "404 "
           "{'error':{'code':'not_found','message':'there is no app \\'nobody\\' here',"
           "'request_id':'ID'}}"),
    RAW_AS("GET", "/mcp/nobody", JSON_HEADERS, NULL,
           "404 "
           "{'error':{'code':'not_found','message':'there is no app \\'nobody\\' here',"
           "'request_id':'ID'}}"),
    RAW_AS("DELETE", "/mcp/nobody", JSON_HEADERS, NULL,
           "404 "
           "{'error':{'code':'not_found','message':'there is no app \\'nobody\\' here',"
           "'request_id':'ID'}}"),
    RAW_AS("POST", "/mcp/work", JSON_HEADERS, "{}",
           "400 "
           "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
           "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}"),
    RAW_AS("PUT", "/mcp", JSON_HEADERS, "{}",
           "405 "
           "{'error':{'code':'method_not_allowed','message':'/mcp takes HEAD, GET, POST, DELETE,"
           " not PUT'}}"),
};

#define VERSION(stated)                                                                            \
    "'_meta':{'io.modelcontextprotocol/protocolVersion':'" stated                                  \
    "','io.modelcontextprotocol/clientCapabilities':{}}"
#define SPOKEN(wanted)                                                                             \
    "'error':{'code':-32022,'message':'MCP \\'" wanted                                             \
    "\\' is not spoken here','data':{'supported':["                                                \
    "'2026-07-28','2025-11-25','2025-06-18','2025-03-26','2024-11-05'],'requested':'" wanted       \
    "'}}}"

static const struct raw_case versions[] = {
    RAW("POST", "MCP-Protocol-Version: 2030-01-01\r\n",
        "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':{" VERSION("2030-01-01") "}}",
        "400 {'jsonrpc':'2.0','id':1," SPOKEN("2030-01-01")),
    RAW("POST", "MCP-Protocol-Version: 2025-11-25\r\n",
        "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':{" VERSION("2025-11-25") "}}",
        "400 {'jsonrpc':'2.0','id':1," SPOKEN("2025-11-25")),
    RAW("POST", "MCP-Protocol-Version: 2030-01-01\r\n",
        "{'jsonrpc':'2.0','method':'notifications/progress','params':{" VERSION("") "}}",
        "400 {'jsonrpc':'2.0','id':null," SPOKEN("2030-01-01")),
    RAW("POST", "MCP-Protocol-Version: 2026-07-28\r\n",
        "{'jsonrpc':'2.0','method':'notifications/progress','params':{" VERSION("") "}}", "202 "),
};

static void a_version_that_is_not_spoken_is_answered_by_those_that_are(void **state)
{
    (void)state;
    EXPECT_EACH_RAW(versions);
}

static void what_a_request_must_be_over_http(void **state)
{
    (void)state;
    EXPECT_EACH_RAW(contents);
}

/* ---- within a session ---- */

#define OLD(method, params, answer)                                                                \
    {                                                                                              \
        method, params, answer                                                                     \
    }
#define OLD_CALL(tool, arguments, answer)                                                          \
    {                                                                                              \
        "tools/call", "'name':'" tool "','arguments':" arguments, answer                           \
    }

static const struct legacy_case of_2025_11_25[] = {
    OLD("ping", "", LEGACY("")),
    OLD("tools/list", "",
        LEGACY(
            "'tools':[{'name':'act','inputSchema':{'type':'object'},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
            "'openWorldHint':false}},{'name':'echo','title':'Echo','description':'Says what it "
            "got',"
            "'icons':[{'src':'data:,'}],'inputSchema':{'type':'object',"
            "'properties':{'text':{'type':'string','x-mcp-header':'Region'},'n':{'type':'integer',"
            "'x-mcp-header':'Count'},'deep':{'type':'object','properties':{'on':{'type':'boolean',"
            "'x-mcp-header':'On'}}},'list':{'type':'array','items':{'type':'integer'}}},"
            "'required':['text']},'annotations':{'readOnlyHint':true,'destructiveHint':false,"
            "'idempotentHint':true,'openWorldHint':false}},{'name':'none',"
            "'inputSchema':{'type':'object','additionalProperties':false},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':true,'idempotentHint':false,"
            "'openWorldHint':true}},{'name':'out','inputSchema':{'type':'object'},"
            "'outputSchema':{'type':'object','properties':{'n':{'type':'integer'}},'required':['n']"
            "},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':true,"
            "'openWorldHint':false}},{'name':'scoped','inputSchema':{'type':'object'},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
            "'openWorldHint':false}},{'name':'rare','inputSchema':{'type':'object'},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
            "'openWorldHint':false}},{'name':'needy','inputSchema':{'type':'object'},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
            "'openWorldHint':false}},{'name':'quick','inputSchema':{'type':'object'},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
            "'openWorldHint':false}},{'name':'task','inputSchema':{'type':'object'},"
            "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
            "'openWorldHint':false},'execution':{'taskSupport':'optional'}},{'name':'task_only',"
            "'inputSchema':{'type':'object'},'annotations':{'readOnlyHint':false,"
            "'destructiveHint':false,'idempotentHint':false,'openWorldHint':false},"
            "'execution':{'taskSupport':'required'}},{'name':'task_late',"
            "'inputSchema':{'type':'object'},'annotations':{'readOnlyHint':false,"
            "'destructiveHint':false,'idempotentHint':false,'openWorldHint':false},"
            "'execution':{'taskSupport':'optional'}}]")),
    OLD("resources/list", "",
        LEGACY("'resources':[{'uri':'mem://one','name':'one','title':'One','description':'The one',"
               "'mimeType':'text/plain','icons':[]},{'uri':'mem://scoped','name':'scoped'}]")),
    OLD("resources/templates/list", "",
        LEGACY("'resourceTemplates':[{'uriTemplate':'mem://item/"
               "{id}','name':'items','title':'Items'}]")),
    OLD("prompts/list", "",
        LEGACY("'prompts':[{'name':'greet','title':'Greet','description':'A greeting','icons':[],"
               "'arguments':[{'name':'who','title':'Who','description':'whom to "
               "greet','required':true},"
               "{'name':'how','required':false}]},{'name':'plain','arguments':[]},{'name':'scoped',"
               "'arguments':[]}]")),
    OLD("initialize", "'protocolVersion':'2025-11-25'",
        LEGACY("'protocolVersion':'2025-11-25','capabilities':{'tools':{'listChanged':true},"
               "'resources':{'subscribe':true,'listChanged':true},'prompts':{'listChanged':true},"
               "'logging':{},'completions':{},'tasks':{'list':{},'cancel':{},"
               "'requests':{'tools':{'call':{}}}}},'serverInfo':{'name':'backplane','title':'"
               "Backplane',"
               "'version':'VERSION'},'instructions':'Use it well.'")),
    OLD("tasks/update", "",
        ERROR(-32601, "there is no method \\'tasks/update\\' in MCP 2025-11-25")),
    OLD("subscriptions/listen", "",
        ERROR(-32601, "there is no method \\'subscriptions/listen\\' in MCP 2025-11-25")),
    OLD("no/such", "", ERROR(-32601, "there is no method \\'no/such\\' in MCP 2025-11-25")),
    OLD("resources/read", "'uri':'mem://one'",
        LEGACY("'contents':[{'uri':'mem://one','mimeType':'text/plain','text':'one'},"
               "{'uri':'mem://one/more','blob':'bW9yZQ=='}]")),
    OLD("resources/read", "'uri':'mem://two'",
        "{'jsonrpc':'2.0','id':1,'error':{'code':-32002,"
        "'message':'there is no resource \\'mem://two\\': resources/list and resources/templates/li"
        "st list them','data':{'uri':'mem://two'}}}"),
    OLD("resources/read", "", ERROR(-32602, "params.uri is missing")),
    OLD("prompts/get", "'name':'plain'",
        LEGACY("'messages':[{'role':'user','content':{'type':'text','text':'Greet  '}},"
               "{'role':'assistant','content':{'type':'text','text':'Hello'}},{'role':'user',"
               "'content':{'type':'image','data':'cA==','mimeType':'image/png'}}]")),
    OLD("prompts/get", "'name':'no'",
        ERROR(-32602, "there is no prompt \\'no\\': prompts/list lists them")),
    OLD("completion/complete",
        "'ref':{'type':'ref/prompt','name':'plain'},'argument':{'name':'a','value':'b'}",
        LEGACY("'completion':{'values':['prompt plain a b -'],'total':1,'hasMore':false}")),
    OLD("logging/setLevel", "'level':'loud'",
        ERROR(-32602,
              "params.level must be one of debug, info, notice, warning, error, critical, alert,"
              " emergency")),
    OLD("logging/setLevel", "",
        ERROR(-32602,
              "params.level must be one of debug, info, notice, warning, error, critical, alert,"
              " emergency")),
    OLD("logging/setLevel", "'level':'alert'", LEGACY("")),
    OLD_CALL("act", "{'do':'log'}",
             "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','method':'notifications/message',"
             "'params':{'level':'alert','logger':'work','data':6}}||id: 1-2|data: {'jsonrpc':'2.0',"
             "'method':'notifications/message','params':{'level':'emergency','logger':'odd',"
             "'data':7}}||id: 1-3|data: "
             "{'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text',"
             "'text':'logged'}]}}||"),
    OLD("logging/setLevel", "'level':'debug'", LEGACY("")),
    OLD_CALL("act", "{'do':'who'}",
             LEGACY("'content':[{'type':'text','text':'client=old/2 revision=2025-11-25 session=32 "
                    "can='}]")),
    OLD_CALL("needy", "{'do':'who'}",
             LEGACY(
                 "'content':[{'type':'text',"
                 "'text':'the tool needy needs a client that can do: elicitation sampling.tools'}],"
                 "'isError':true")),
    OLD_CALL("none", "{}", LEGACY("'content':[{'type':'text','text':'{}'}]")),
    OLD_CALL("none", "{'a':1}",
             LEGACY(
                 "'content':[{'type':'text',"
                 "'text':'the arguments of none are not valid: \\'a\\' is not a known argument'}],"
                 "'isError':true")),
    OLD_CALL("act", "{'do':'meta','value':{'a':1}}", LEGACY("'content':[],'_meta':{'a':1}")),
    OLD_CALL("act", "{'do':'fail','n':-32000}", ERROR(-32000, "no such thing")),
    OLD_CALL("act", "{'do':'late'}", LEGACY("'content':[{'type':'text','text':'late'}]")),
    OLD("tools/call", "'name':'act','arguments':{'do':'progress'},'_meta':{'progressToken':1}",
        "id: 2-0|data: ||id: 2-1|data: {'jsonrpc':'2.0','method':'notifications/progress',"
        "'params':{'progressToken':1,'progress':0}}||id: 2-2|data: {'jsonrpc':'2.0',"
        "'method':'notifications/progress','params':{'progressToken':1,'progress':1,'total':4,"
        "'message':'a quarter'}}||id: 2-3|data: {'jsonrpc':'2.0',"
        "'method':'notifications/progress','params':{'progressToken':1,"
        "'progress':2.5}}||id: 2-4|data: {'jsonrpc':'2.0','id':1,"
        "'result':{'content':[{'type':'text','text':'done'}]}}||"),
    OLD("resources/subscribe", "", ERROR(-32602, "params.uri is missing")),
    OLD("resources/subscribe", "'uri':'mem://one'", LEGACY("")),
    OLD("resources/unsubscribe", "'uri':'mem://one'", LEGACY("")),
    OLD("resources/unsubscribe", "'uri':'mem://one'", LEGACY("")),
};

static void requests_of_2025_11_25_are_answered(void **state)
{
    (void)state;
    IN_SESSION("2025-11-25", "{}", of_2025_11_25);
}

static const struct legacy_case of_2025_06_18[] = {
    OLD("tools/call", "'name':'act','arguments':{'do':'progress'},'_meta':{'progressToken':1}",
        "id: 1-1|data: {'jsonrpc':'2.0','method':'notifications/progress',"
        "'params':{'progressToken':1,'progress':0}}||id: 1-2|data: {'jsonrpc':'2.0',"
        "'method':'notifications/progress','params':{'progressToken':1,'progress':1,'total':4,"
        "'message':'a quarter'}}||id: 1-3|data: {'jsonrpc':'2.0',"
        "'method':'notifications/progress','params':{'progressToken':1,"
        "'progress':2.5}}||id: 1-4|data: {'jsonrpc':'2.0','id':1,"
        "'result':{'content':[{'type':'text','text':'done'}]}}||"),
    OLD_CALL("act", "{'do':'who'}",
             LEGACY("'content':[{'type':'text',"
                    "'text':'client=old/2 revision=2025-06-18 session=32 can= sampling "
                    "elicitation.url roots'"
                    "}]")),
    OLD("tools/call", "'name':'task','task':{},'arguments':{'do':'who'}",
        LEGACY("'content':[{'type':'text',"
               "'text':'client=old/2 revision=2025-06-18 session=32 can= sampling elicitation.url "
               "roots'"
               "}]")),
};

static void events_have_no_first_id_before_2025_11_25(void **state)
{
    (void)state;
    IN_SESSION("2025-06-18",
               "{'sampling':{},'roots':{'listChanged':true},'elicitation':{'url':{}}}",
               of_2025_06_18);
}

static const struct legacy_case of_2024_11_05[] = {
    OLD("tools/call", "'name':'act','arguments':{'do':'progress'},'_meta':{'progressToken':1}",
        "data: {'jsonrpc':'2.0','method':'notifications/progress','params':{'progressToken':1,"
        "'progress':0}}||data: {'jsonrpc':'2.0','method':'notifications/progress',"
        "'params':{'progressToken':1,'progress':1,'total':4}}||data: {'jsonrpc':'2.0',"
        "'method':'notifications/progress','params':{'progressToken':1,"
        "'progress':2.5}}||data: {'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text',"
        "'text':'done'}]}}||"),
    OLD_CALL("act", "{'do':'who'}",
             LEGACY("'content':[{'type':'text','text':'client=old/2 revision=2024-11-05 session=32 "
                    "can='}]")),
};

static void the_first_revision_has_no_message_in_progress_and_no_ids(void **state)
{
    (void)state;
    IN_SESSION("2024-11-05", "{}", of_2024_11_05);
}

/* ---- an answer in one piece, where no stream is taken ---- */

static void a_client_that_takes_no_stream_gets_the_answer_alone(void **state)
{
    static const char call[] = "{'jsonrpc':'2.0','id':1,'method':'tools/"
                               "call','params':{'name':'act',"
                               "'arguments':{'do':'%s','asks':{'a':{}}},'_meta':{'progressToken':1}"
                               "}}";
    static const struct {
        const char *what, *answer;
    } cases[] = {
        { "progress", LEGACY("'content':[{'type':'text','text':'done'}]") },
        { "ask",
          LEGACY("'content':[{'type':'text','text':'the client takes no stream, so it cannot "
                 "be asked elicitation/create'}],'isError':true") },
        { "hang_up", LEGACY("'content':[{'type':'text','text':'waited'}]") },
    };
    char *id = legacy_open("2025-11-25", "{'elicitation':{}}");

    (void)state;
    act_released = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char         *body = formatted(call, cases[i].what);
        struct answer answer = http_end(
            legacy_begin(id, "Content-Type: application/json\r\nAccept: application/json\r\n",
                         body));

        EXPECT_TEXT(answer.body, cases[i].answer);
        answer_free(&answer);
        free(body);
    }
    free(id);
}

static void a_client_that_takes_streams_alone_gets_one(void **state)
{
    char         *id = legacy_open("2025-11-25", "{}");
    struct answer answer = http_end(
        legacy_begin(id, "Content-Type: application/json\r\nAccept: text/event-stream\r\n",
                     "{'jsonrpc':'2.0','id':1,'method':'ping'}"));

    (void)state;
    EXPECT_TEXT(answer.body,
                "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','id':1,'result':{}}||");
    answer_free(&answer);
    free(id);
}

/* ---- batches ---- */

#define PAIR(body, answer)                                                                         \
    {                                                                                              \
        body, answer                                                                               \
    }

static const struct batch_case {
    const char *body, *answer;
} batches[] = {
    PAIR("[{'jsonrpc':'2.0','id':1,'method':'ping'}]", "[{'jsonrpc':'2.0','id':1,'result':{}}]"),
    PAIR("[{'jsonrpc':'2.0','id':1,'method':'ping'},{'jsonrpc':'2.0','method':'notifications/"
         "initialized'},{'jsonrpc':'2.0','id':'two','method':'tools/"
         "call','params':{'name':'none'}}]",
         "[{'jsonrpc':'2.0','id':1,'result':{}},{'jsonrpc':'2.0','id':'two',"
         "'result':{'content':[{'type':'text','text':'{}'}]}}]"),
    PAIR("[{'jsonrpc':'2.0','method':'notifications/initialized'}]", "202 "
                                                                     ""),
    PAIR("[{'jsonrpc':'2.0','id':1,'result':{}}]", "202 "
                                                   ""),
    PAIR("[{'jsonrpc':'2.0','id':1,'error':{'code':1}}]", "202 "
                                                          ""),
    PAIR("[7,{'jsonrpc':'2.0','id':3,'method':'no/such'},{'jsonrpc':'1.0','id':4,'method':'ping'}]",
         "[{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
         "'message':'a message must be a JSON object'}},{'jsonrpc':'2.0','id':3,"
         "'error':{'code':-32601,'message':'there is no method \\'no/such\\' in MCP 2025-03-26'}},"
         "{'jsonrpc':'2.0','id':4,'error':{'code':-32600,"
         "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}]"),
    PAIR("[{'jsonrpc':'2.0','id':1,'method':'tools/"
         "call','params':{'name':'act','arguments':{'do':'log'}}}]",
         "[{'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text','text':'logged'}]}}]"),
    PAIR("[{'jsonrpc':'2.0','id':1,'method':'initialize','params':{'protocolVersion':'2025-03-26'}}"
         "]",
         "[{'jsonrpc':'2.0','id':1,'error':{'code':-32600,"
         "'message':'initialize cannot be part of a batch or of a session that is there already'}}"
         "]"),
    PAIR("[]", "400 "
               "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
               "'message':'an array of messages is part of MCP 2025-03-26 only,"
               " and may hold 1 to 64 of them'}}"),
};

static void a_batch_is_answered_by_one(void **state)
{
    (void)state;
    session = legacy_open("2025-03-26", "{}");
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        struct answer answer = legacy(session, batches[i].body);

        expect_answer(&answer, batches[i].body, batches[i].answer);
    }
    free(session);
}

#define PING_64 PING_16 PING_16 PING_16 PING_16
#define PING_16 PING_4 PING_4 PING_4 PING_4
#define PING_4  PING PING PING PING
#define PING    "{'jsonrpc':'2.0','method':'ping'},"
#define LAST    "{'jsonrpc':'2.0','id':1,'method':'ping'}]"

static void a_batch_may_have_64_members_and_belongs_to_one_revision(void **state)
{
    static const char refusal[] = "400 {'jsonrpc':'2.0','id':null,'error':{'code':-32600,'message':"
                                  "'an array of messages is part of MCP 2025-03-26 only, and may "
                                  "hold 1 to 64 of them'}}";
    char         *four = legacy_open("2025-03-26", "{}"), *six = legacy_open("2025-06-18", "{}");
    char         *five = legacy_open("2024-11-05", "{}");
    struct answer answer = legacy(four, "[" PING_16 PING_16 PING_16 PING_4 PING_4 PING_4 PING PING
                                            PING LAST);

    (void)state;
    EXPECT_TEXT(answer.body, "[{'jsonrpc':'2.0','id':1,'result':{}}]");
    answer_free(&answer);
    answer = legacy(four, "[" PING_64 LAST);
    EXPECT_TEXT(answer.body, refusal);
    answer_free(&answer);
    answer = legacy(six, "[" LAST);
    EXPECT_TEXT(answer.body, refusal);
    answer_free(&answer);
    answer = legacy(five, "[" LAST);
    EXPECT_TEXT(answer.body, "[{'jsonrpc':'2.0','id':1,'result':{}}]");
    answer_free(&answer);
    free(four);
    free(five);
    free(six);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(how_a_client_may_begin),
        WORLD_TEST(a_version_that_is_not_spoken_is_answered_by_those_that_are),
        WORLD_TEST(what_a_request_must_be_over_http),
        WORLD_TEST(requests_of_2025_11_25_are_answered),
        WORLD_TEST(events_have_no_first_id_before_2025_11_25),
        WORLD_TEST(the_first_revision_has_no_message_in_progress_and_no_ids),
        WORLD_TEST(a_batch_is_answered_by_one),
        WORLD_TEST(a_client_that_takes_no_stream_gets_the_answer_alone),
        WORLD_TEST(a_client_that_takes_streams_alone_gets_one),
        WORLD_TEST(a_batch_may_have_64_members_and_belongs_to_one_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
