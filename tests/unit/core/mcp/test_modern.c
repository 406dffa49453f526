/* test_modern.c - MCP 2026-07-28 over HTTP: what a server is, its lists, resources, prompts and
 * completion, as whole messages. */
#include "mcp_world.h"

static const struct modern_case lists[] = {
    ASK_AS("server/discover", NULL, NULL, META,
           RESULT(
               ",'supportedVersions':['2026-07-28','2025-11-25','2025-06-18','2025-03-26','2024-11-"
               "05'],"
               "'capabilities':{'tools':{'listChanged':true},'resources':{'subscribe':true,"
               "'listChanged':true},'prompts':{'listChanged':true},'logging':{},'completions':{},"
               "'extensions':{'io.modelcontextprotocol/tasks':{}}},'instructions':'Use it well.',"
               "'ttlMs':300000,'cacheScope':'public'")),
    ASK_AS("tools/list", NULL, NULL, META,
           RESULT(
               ",'tools':[{'name':'act','inputSchema':{'type':'object'},"
               "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
               "'openWorldHint':false}},{'name':'echo','title':'Echo','description':'Says what it "
               "got',"
               "'icons':[{'src':'data:,'}],'inputSchema':{'type':'object',"
               "'properties':{'text':{'type':'string','x-mcp-header':'Region'},'n':{'type':'"
               "integer',"
               "'x-mcp-header':'Count'},'deep':{'type':'object','properties':{'on':{'type':'"
               "boolean',"
               "'x-mcp-header':'On'}}},'list':{'type':'array','items':{'type':'integer'}}},"
               "'required':['text']},'annotations':{'readOnlyHint':true,'destructiveHint':false,"
               "'idempotentHint':true,'openWorldHint':false}},{'name':'none',"
               "'inputSchema':{'type':'object','additionalProperties':false},"
               "'annotations':{'readOnlyHint':false,'destructiveHint':true,'idempotentHint':false,"
               "'openWorldHint':true}},{'name':'out','inputSchema':{'type':'object'},"
               "'outputSchema':{'type':'object','properties':{'n':{'type':'integer'}},'required':['"
               "n']},"
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
               "'openWorldHint':false}},{'name':'task_only','inputSchema':{'type':'object'},"
               "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
               "'openWorldHint':false}},{'name':'task_late','inputSchema':{'type':'object'},"
               "'annotations':{'readOnlyHint':false,'destructiveHint':false,'idempotentHint':false,"
               "'openWorldHint':false}}],'ttlMs':300000,'cacheScope':'public'")),
    ASK_AS("resources/list", NULL, NULL, META,
           RESULT(",'resources':[{'uri':'mem://one','name':'one','title':'One','description':'The "
                  "one',"
                  "'mimeType':'text/plain','icons':[]},{'uri':'mem://scoped','name':'scoped'}],"
                  "'ttlMs':300000,'cacheScope':'public'")),
    ASK_AS("resources/templates/list", NULL, NULL, META,
           RESULT(",'resourceTemplates':[{'uriTemplate':'mem://item/"
                  "{id}','name':'items','title':'Items'}],"
                  "'ttlMs':300000,'cacheScope':'public'")),
    ASK("prompts/list", "'cursor':''",
        RESULT(",'prompts':[{'name':'greet','title':'Greet','description':'A greeting','icons':[],"
               "'arguments':[{'name':'who','title':'Who','description':'whom to "
               "greet','required':true},"
               "{'name':'how','required':false}]},{'name':'plain','arguments':[]},{'name':'scoped',"
               "'arguments':[]}],'ttlMs':300000,'cacheScope':'public'")),
    ASK("prompts/list", "'cursor':'1'",
        ERROR(-32602, "params.cursor is not one that this server gave: start again without it")),
    ASK("tools/list", "'cursor':200",
        ERROR(-32602, "params.cursor is not one that this server gave: start again without it")),
};

static void what_is_offered_is_listed(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(lists);
}

#define READ(uri, answer) ASK_OF("resources/read", uri, "'uri':'" uri "'", answer)

static const struct modern_case reads[] = {
    READ("mem://one",
         RESULT(",'contents':[{'uri':'mem://one','mimeType':'text/plain','text':'one'},"
                "{'uri':'mem://one/more','blob':'bW9yZQ=='}],'ttlMs':3000,'cacheScope':'public'")),
    READ("mem://item/7",
         RESULT(",'contents':[{'uri':'mem://item/7','mimeType':'text/plain',"
                "'text':'mem://item/7 id=7 part='}],'ttlMs':0,'cacheScope':'public'")),
    READ("mem://item/a%20b",
         RESULT(",'contents':[{'uri':'mem://item/a%20b','mimeType':'text/plain',"
                "'text':'mem://item/a%20b id=a b part='}],'ttlMs':0,'cacheScope':'public'")),
    READ("mem://item/missing", "{'jsonrpc':'2.0','id':1,'error':{'code':-32602,"
                               "'message':'there is no resource \\'mem://item/missing\\': "
                               "resources/list and resources/tem"
                               "plates/list list them','data':{'uri':'mem://item/missing'}}}"),
    READ("mem://item/nothing", "{'jsonrpc':'2.0','id':1,'error':{'code':-32602,"
                               "'message':'there is no resource \\'mem://item/nothing\\': "
                               "resources/list and resources/tem"
                               "plates/list list them','data':{'uri':'mem://item/nothing'}}}"),
    READ("mem://item/away", "503 " ERROR(-32603, "the shelf is away")),
    READ("mem://item/error",
         "{'jsonrpc':'2.0','id':1,'error':{'code':-32001,'message':'an error of its own',"
         "'data':7}}"),
    READ("mem://hidden", "{'jsonrpc':'2.0','id':1,'error':{'code':-32602,"
                         "'message':'there is no resource \\'mem://hidden\\': resources/list and "
                         "resources/templates"
                         "/list list them','data':{'uri':'mem://hidden'}}}"),
    READ("mem://scoped",
         RESULT(",'contents':[{'uri':'mem://scoped','mimeType':'text/plain','text':'one'},"
                "{'uri':'mem://one/more','blob':'bW9yZQ=='}],'ttlMs':0,'cacheScope':'public'")),
    ASK_OF("resources/read", "", "'uri':''", ERROR(-32602, "params.uri is missing")),
    ASK("resources/read", "'uri':7", ERROR(-32602, "params.uri is missing")),
};

static void resources_are_read_by_uri_and_by_template(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(reads);
}

#define GET_PROMPT(name, arguments, answer)                                                        \
    ASK_OF("prompts/get", name, "'name':'" name "','arguments':" arguments, answer)

static const struct modern_case prompts[] = {
    GET_PROMPT("greet", "{'who':'Ada','how':'well'}",
               RESULT(
                   ",'messages':[{'role':'user','content':{'type':'text','text':'Greet Ada well'}},"
                   "{'role':'assistant','content':{'type':'text','text':'Hello'}},{'role':'user',"
                   "'content':{'type':'image','data':'cA==','mimeType':'image/png'}}],"
                   "'description':'A greeting'")),
    GET_PROMPT("greet", "{'who':'Ada','how':'described'}",
               RESULT(
                   ",'messages':[{'role':'user','content':{'type':'text','text':'Greet Ada "
                   "described'}},"
                   "{'role':'assistant','content':{'type':'text','text':'Hello'}},{'role':'user',"
                   "'content':{'type':'image','data':'cA==','mimeType':'image/png'}}],"
                   "'description':'as it was built'")),
    GET_PROMPT("greet", "{'who':'Ada','how':null}",
               RESULT(
                   ",'messages':[{'role':'user','content':{'type':'text','text':'Greet Ada '}},"
                   "{'role':'assistant','content':{'type':'text','text':'Hello'}},{'role':'user',"
                   "'content':{'type':'image','data':'cA==','mimeType':'image/png'}}],"
                   "'description':'A greeting'")),
    GET_PROMPT("greet", "{'who':null}",
               ERROR(-32602, "the prompt greet needs the argument \\'who\\'")),
    GET_PROMPT("greet", "{}", ERROR(-32602, "the prompt greet needs the argument \\'who\\'")),
    GET_PROMPT("greet", "null", ERROR(-32602, "the prompt greet needs the argument \\'who\\'")),
    GET_PROMPT("greet", "[]", ERROR(-32602, "params.arguments must be an object")),
    GET_PROMPT("greet", "{'who':1}", ERROR(-32602, "the argument \\'who\\' must be a string")),
    GET_PROMPT("greet", "{'who':'Ada','how':'fail'}", "409 " ERROR(-32603, "no greeting today")),
    GET_PROMPT("greet", "{'who':'Ada','how':'error'}", ERROR(-32602, "not how")),
    GET_PROMPT("plain", "{}",
               RESULT(
                   ",'messages':[{'role':'user','content':{'type':'text','text':'Greet  '}},"
                   "{'role':'assistant','content':{'type':'text','text':'Hello'}},{'role':'user',"
                   "'content':{'type':'image','data':'cA==','mimeType':'image/png'}}]")),
    GET_PROMPT("hidden", "{}",
               ERROR(-32602, "there is no prompt \\'hidden\\': prompts/list lists them")),
    ASK("prompts/get", "'name':1",
        ERROR(-32602, "there is no prompt \\'\\': prompts/list lists them")),
};

static void prompts_are_built_with_their_arguments(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(prompts);
}

#define COMPLETE(ref, name, value, more, answer)                                                   \
    ASK("completion/complete",                                                                     \
        "'ref':" ref ",'argument':{'name':" name ",'value':" value "}" more, answer)
#define GREET          "{'type':'ref/prompt','name':'greet'}"
#define GIVEN(members) ",'context':{'arguments':{" members "}}"

static const struct modern_case completions[] = {
    COMPLETE(GREET, "'who'", "'A'", "",
             RESULT(",'completion':{'values':['prompt greet who A -'],'total':1,'hasMore':false}")),
    COMPLETE(GREET, "'who'", "'A'", GIVEN("'how':'x'"),
             RESULT(",'completion':{'values':['prompt greet who A {\\'how\\':\\'x\\'}'],'total':1,"
                    "'hasMore':false}")),
    COMPLETE("{'type':'ref/resource','uri':'mem://item/{id}'}", "'id'", "''", "",
             RESULT(",'completion':{'values':['resource mem://item/{id} id  "
                    "-'],'total':1,'hasMore':false}")),
    COMPLETE("{'type':'ref/resource','uri':'mem://one'}", "'id'", "'x'", "",
             RESULT(",'completion':{'values':['resource mem://one id x "
                    "-'],'total':1,'hasMore':false}")),
    COMPLETE("{'type':'ref/resource','uri':'mem://item/7'}", "'id'", "'x'", "",
             ERROR(-32602, "params.ref names no prompt or resource template of this server")),
    COMPLETE("{'type':'ref/prompt','name':'nobody'}", "'id'", "'x'", "",
             ERROR(-32602, "params.ref names no prompt or resource template of this server")),
    COMPLETE("{'type':'ref/tool','name':'echo'}", "'id'", "'x'", "",
             ERROR(-32602, "params.ref names no prompt or resource template of this server")),
    COMPLETE(GREET, "1", "'A'", "",
             ERROR(-32602, "params.argument needs a name and a value, both strings")),
    COMPLETE(GREET, "'who'", "null", "",
             ERROR(-32602, "params.argument needs a name and a value, both strings")),
    COMPLETE(GREET, "'who'", "'many'", GIVEN("'n':2,'total':3"),
             RESULT(",'completion':{'values':['v','v'],'total':3,'hasMore':true}")),
    COMPLETE(GREET, "'who'", "'many'", GIVEN("'n':2,'total':2"),
             RESULT(",'completion':{'values':['v','v'],'total':2,'hasMore':false}")),
    COMPLETE(GREET, "'who'", "'many'", GIVEN("'n':0"),
             RESULT(",'completion':{'values':[],'total':0,'hasMore':false}")),
    COMPLETE(GREET, "'who'", "'fail'", "", "409 " ERROR(-32603, "no idea")),
    COMPLETE(GREET, "'who'", "'error'", "", ERROR(-32000, "never")),
};

static void arguments_are_completed(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(completions);
}

/* 100 candidates are all that a client gets; what is more is told. */
static void candidates_beyond_a_hundred_are_cut(void **state)
{
    static const struct {
        const char *given, *end;
        int         values;
    } cases[] = {
        { "'n':99", "],'total':99,'hasMore':false}", 99 },
        { "'n':100", "],'total':100,'hasMore':false}", 100 },
        { "'n':101", "],'total':101,'hasMore':true}", 100 },
        { "'n':120,'total':500", "],'total':500,'hasMore':true}", 100 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char         *params = formatted("'ref':" GREET ",'argument':{'name':'who','value':'many'},"
                                                 "'context':{'arguments':{%s}}," META,
                                         cases[i].given);
        struct answer answer = modern("completion/complete", NULL, NULL, params);
        int           values = 0;

        for (const char *at = answer.body; (at = strstr(at, "'v'")) != NULL; at++)
            values++;
        assert_int_equal(values, cases[i].values);
        if (!strstr(answer.body, cases[i].end))
            fail_msg("no %s in %s", cases[i].end, answer.body);
        answer_free(&answer);
        free(params);
    }
}

/* ---- what a request must say ---- */

#define V "'io.modelcontextprotocol/protocolVersion'"
#define C "'io.modelcontextprotocol/clientCapabilities'"

static const struct modern_case refused[] = {
    ASK_AS("tools/list", NULL, NULL, "'x':1",
           "400 " ERROR(-32602,
                        "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a "
                        "client of the revision"
                        "s up to 2025-11-25 begins with `initialize`")),
    ASK_AS("tools/list", NULL, NULL, "'_meta':{}",
           "400 " ERROR(-32602,
                        "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a "
                        "client of the revision"
                        "s up to 2025-11-25 begins with `initialize`")),
    ASK_AS("tools/list", NULL, NULL, "'_meta':{" V ":7," C ":{}}",
           "400 " ERROR(-32602,
                        "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a "
                        "client of the revision"
                        "s up to 2025-11-25 begins with `initialize`")),
    ASK_AS("tools/list", NULL, NULL, "'_meta':{" V ":'2025-11-25'," C ":{}}",
           "400 " ERROR(-32020,
                        "the header MCP-Protocol-Version is \\'2026-07-28\\', but params._meta "
                        "says \\'2025-11-25\\'")),
    ASK_AS("tools/list", NULL, NULL, "'_meta':{" V ":'2026-07-28'}",
           "400 " ERROR(-32602, "params._meta needs "
                                "\\'io.modelcontextprotocol/clientCapabilities\\', an object")),
    ASK_AS("tools/list", NULL, NULL, "'_meta':{" V ":'2026-07-28'," C ":[]}",
           "400 " ERROR(-32602, "params._meta needs "
                                "\\'io.modelcontextprotocol/clientCapabilities\\', an object")),
    ASK_AS("ping", NULL, NULL, META,
           "404 " ERROR(-32601, "there is no method \\'ping\\' in MCP 2026-07-28")),
    ASK_AS("initialize", NULL, NULL, META,
           "404 " ERROR(-32601, "there is no method \\'initialize\\' in MCP 2026-07-28")),
    ASK_AS("tasks/list", NULL, NULL, META,
           "404 " ERROR(-32601, "there is no method \\'tasks/list\\' in MCP 2026-07-28")),
    ASK_AS("no/such", NULL, NULL, META,
           "404 " ERROR(-32601, "there is no method \\'no/such\\' in MCP 2026-07-28")),
    ASK_AS("tools/call", "other", NULL, "'name':'echo'," META,
           "400 " ERROR(-32020,
                        "the header Mcp-Name is \\'other\\', but the body says \\'echo\\'")),
    ASK_AS("tools/call", NULL, NULL, "'name':'echo'," META,
           "400 " ERROR(-32020, "the header Mcp-Name is \\'\\', but the body says \\'echo\\'")),
    ASK_AS("tools/call", "=?base64?!!!!?=", NULL, "'name':'echo'," META,
           "400 " ERROR(-32020, "the header Mcp-Name is no base64")),
    ASK_AS("tools/call", "=?base64?bm9uZQ==?=", NULL, "'name':'none'," META,
           RESULT(",'content':[{'type':'text','text':'{}'}]")),
    ASK_AS("resources/read", "mem://two", NULL, "'uri':'mem://one'," META,
           "400 " ERROR(-32020, "the header Mcp-Name is \\'mem://two\\', but the body says "
                                "\\'mem://one\\'")),
    ASK_AS("prompts/get", "plain", NULL, "'name':'greet'," META,
           "400 " ERROR(-32020,
                        "the header Mcp-Name is \\'plain\\', but the body says \\'greet\\'")),
    ASK_AS("tasks/get", "1", NULL, "'taskId':'2'," META,
           "400 " ERROR(-32020, "the header Mcp-Name is \\'1\\', but the body says \\'2\\'")),
};

static void what_a_request_lacks_is_said(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(refused);
}

#define TEXT_IS_A "Mcp-Param-Region: a\r\n"

static const struct modern_case mirrored[] = {
    ASK_AS("tools/call", "echo", NULL, "'name':'echo','arguments':{'text':'a'}," META,
           "400 " ERROR(-32020, "the header mcp-param-region is \\'\\', which is not what the "
                                "arguments say")),
    ASK_AS("tools/call", "echo", TEXT_IS_A, "'name':'echo','arguments':{'text':'a'}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\'}'}]")),
    ASK_AS("tools/call", "echo", TEXT_IS_A, "'name':'echo','arguments':{'text':'b'}," META,
           "400 " ERROR(-32020, "the header mcp-param-region is \\'a\\', which is not what the "
                                "arguments say")),
    ASK_AS("tools/call", "echo", TEXT_IS_A "Mcp-Param-Count: 7\r\n",
           "'name':'echo','arguments':{'text':'a','n':7}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'n\\':7}'}]")),
    ASK_AS("tools/call", "echo", TEXT_IS_A "Mcp-Param-Count: 8\r\n",
           "'name':'echo','arguments':{'text':'a','n':7}," META,
           "400 " ERROR(-32020, "the header mcp-param-count is \\'8\\', which is not what the "
                                "arguments say")),
    ASK_AS("tools/call", "echo", TEXT_IS_A "Mcp-Param-Count: 8\r\n",
           "'name':'echo','arguments':{'text':'a'}," META,
           "400 " ERROR(-32020, "the header mcp-param-count is \\'8\\', which is not what the "
                                "arguments say")),
    ASK_AS("tools/call", "echo", TEXT_IS_A "Mcp-Param-Count: 8\r\n",
           "'name':'echo','arguments':{'text':'a','n':null}," META,
           "400 " ERROR(-32020, "the header mcp-param-count is \\'8\\', which is not what the "
                                "arguments say")),
    ASK_AS("tools/call", "echo", TEXT_IS_A "Mcp-Param-On: true\r\n",
           "'name':'echo','arguments':{'text':'a','deep':{'on':true}}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\',\\'deep\\':{\\'on\\':"
                  "true}}'}]")),
    ASK_AS("tools/call", "echo", TEXT_IS_A "Mcp-Param-On: true\r\n",
           "'name':'echo','arguments':{'text':'a','deep':{'on':false}}," META,
           "400 " ERROR(-32020, "the header mcp-param-on is \\'true\\', which is not what the "
                                "arguments say")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: =?base64?YQ==?=\r\n",
           "'name':'echo','arguments':{'text':'a'}," META,
           RESULT(",'content':[{'type':'text','text':'{\\'text\\':\\'a\\'}'}]")),
    ASK_AS("tools/call", "echo", "Mcp-Param-Region: =?base64?a?=\r\n",
           "'name':'echo','arguments':{'text':'a'}," META,
           "400 " ERROR(-32020, "the header mcp-param-region is no base64: \\'=?base64?a?=\\'")),
};

static void headers_repeat_the_arguments_that_a_schema_names(void **state)
{
    (void)state;
    EXPECT_EACH_MODERN(mirrored);
}

/* ---- pages ---- */

/* A list of so many prompts, each the first of the app's: the fields that lists look at. */
static void page_of(size_t count, const char *cursor, size_t listed, const char *next)
{
    struct catalog        *catalog = world_mcp->by_listener[0];
    struct catalog_prompt *before = catalog->prompts;
    size_t                 before_count = catalog->prompt_count, seen = 0;
    char                  *params = formatted("%s" META, cursor);
    struct answer          answer;

    catalog->prompts = calloc(count, sizeof(*catalog->prompts));
    catalog->prompt_count = count;
    for (size_t i = 0; i < count; i++)
        catalog->prompts[i] = before[1];
    answer = modern("prompts/list", NULL, NULL, params);
    free(catalog->prompts);
    catalog->prompts = before;
    catalog->prompt_count = before_count;
    for (const char *at = answer.body; (at = strstr(at, "'name':'plain'")) != NULL; at++)
        seen++;
    assert_int_equal(seen, listed);
    if (next && !strstr(answer.body, next))
        fail_msg("no %s behind %s of %zu", next, cursor, count);
    if (!next && strstr(answer.body, "nextCursor"))
        fail_msg("more behind %s of %zu", cursor, count);
    free(params);
    answer_free(&answer);
}

static void a_list_comes_in_pages_of_200(void **state)
{
    (void)state;
    page_of(200, "", 200, NULL);
    page_of(201, "", 200, "],'nextCursor':'200','ttlMs'");
    page_of(201, "'cursor':'200',", 1, NULL);
    page_of(400, "'cursor':'200',", 200, NULL);
    page_of(401, "'cursor':'200',", 200, "],'nextCursor':'400','ttlMs'");
    page_of(401, "'cursor':'400',", 1, NULL);
    page_of(200, "'cursor':'200',", 0, NULL); // it was never given
    page_of(401, "'cursor':'0',", 0, NULL);
    page_of(401, "'cursor':'100',", 0, NULL);
    page_of(401, "'cursor':'x',", 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_is_offered_is_listed),
        WORLD_TEST(resources_are_read_by_uri_and_by_template),
        WORLD_TEST(prompts_are_built_with_their_arguments),
        WORLD_TEST(arguments_are_completed),
        WORLD_TEST(what_a_request_lacks_is_said),
        WORLD_TEST(headers_repeat_the_arguments_that_a_schema_names),
        WORLD_TEST(a_list_comes_in_pages_of_200),
        WORLD_TEST(candidates_beyond_a_hundred_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
