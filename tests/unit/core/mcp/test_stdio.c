/* test_stdio.c - MCP over two pipes: lines in, lines out, both eras side by side. */
#include "mcp_world.h"

#include <fcntl.h>

static struct {
    int         in, out; /* the test's ends */
    int         server_in, server_out;
    atomic_int  is_done;
    bp_status   status;
    bp_str_list apps;
    char        error[256];
    char       *read; /* and not given out as a line yet */
} pipes;

static void serve(bp_call *call, void *arg)
{
    (void)arg;
    pipes.status = mcp_serve_stdio(call, world_mcp, &pipes.apps, pipes.server_in, pipes.server_out);
    if (pipes.status != BP_OK)
        snprintf(pipes.error, sizeof(pipes.error), BP_FMT, BP_ARG(call->error.message));
    close(pipes.server_out);
    pipes.is_done = 1;
}

static void start_serving(void *arg)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };

    assert_true(call_start(&rig.worker, &options, serve, arg));
}

static int set_up(void **state)
{
    int in[2], out[2];

    world_set_up(state);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    memset(&pipes, 0, sizeof(pipes));
    pipes.in = in[1];
    pipes.server_in = in[0];
    pipes.out = out[0];
    pipes.server_out = out[1];
    pipes.read = strdup("");
    worker_post(&rig.worker, start_serving, NULL);
    return 0;
}

static void end_input(void)
{
    if (pipes.in >= 0)
        close(pipes.in);
    pipes.in = -1;
}

static int tear_down(void **state)
{
    end_input();
    assert_true(RIG_SOON(pipes.is_done));
    assert_int_equal(pipes.status, BP_OK);
    close(pipes.out);
    close(pipes.server_in);
    free(pipes.read);
    assert_int_equal(sessions_count(world_kept->sessions), 1); // that of requests without a session
    return world_tear_down(state);
}

static void send_bytes(const char *bytes, size_t len)
{
    while (len) {
        ssize_t count = write(pipes.in, bytes, len);

        assert_true(count > 0);
        bytes += count;
        len -= (size_t)count;
    }
}

static void say(const char *line)
{
    char *text = formatted("%s\n", line);

    swap(text, '\'', '"');
    send_bytes(text, strlen(text));
    free(text);
}

/* The next line, or NULL at the end of the output. */
static char *hear(void)
{
    char piece[65536], *end, *line, *rest;

    while (!(end = strchr(pipes.read, '\n'))) {
        struct pollfd poll_fd = { .fd = pipes.out, .events = POLLIN };
        ssize_t       count;
        char         *all;

        if (poll(&poll_fd, 1, 15000) != 1)
            fail_msg("nothing comes; there is: %s", pipes.read);
        count = read(pipes.out, piece, sizeof(piece));
        if (count <= 0)
            return NULL;
        all = formatted("%s%.*s", pipes.read, (int)count, piece);
        free(pipes.read);
        pipes.read = all;
    }
    line = strndup(pipes.read, (size_t)(end - pipes.read));
    rest = strdup(end + 1);
    free(pipes.read);
    pipes.read = rest;
    return readable(line);
}

static void expect_heard(const char *said, const char *wanted)
{
    char *line = hear();

#ifdef RECORD
    printf("@@%s\n", line);
    return;
#endif
    if (!line || strcmp(line, wanted) != 0)
        fail_msg("%s\nnot    %s\nbut is %s", said, wanted, line ? line : "the end");
    free(line);
}

/* What is said, and the line that answers it; no line: nothing does. */
struct pair {
    const char *say, *hear;
};

#define PAIR(say, hear)                                                                            \
    {                                                                                              \
        say, hear                                                                                  \
    }

static void talk(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        say(pairs[i].say);
        if (pairs[i].hear)
            expect_heard(pairs[i].say, pairs[i].hear);
    }
}

#define TALK_ALL(pairs) talk(pairs, sizeof(pairs) / sizeof((pairs)[0]))
#define OLD(id, method, params)                                                                    \
    "{'jsonrpc':'2.0','id':" id ",'method':'" method "','params':{" params "}}"
#define INITIALIZE(revision)                                                                       \
    OLD("0", "initialize",                                                                         \
        "'protocolVersion':'" revision "','capabilities':{'elicitation':{}},'clientInfo':{"        \
        "'name':'pipe','version':'3'}")

static const struct pair before_and_after[] = {
    PAIR(OLD("1", "ping", ""), LEGACY("")),
    PAIR(OLD("1", "tools/list", ""),
         ERROR(-32602, "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a client "
                       "of the revision"
                       "s up to 2025-11-25 begins with `initialize`")),
    PAIR("{'jsonrpc':'2.0','method':'notifications/initialized'}", NULL),
    PAIR("{'jsonrpc':'2.0','id':5,'result':{}}", NULL),
    PAIR("[" OLD("1", "ping", "") "]",
         "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
         "'message':'an array of messages is part of MCP 2025-03-26 only,"
         " and may hold 1 to 64 of them'}}"),
    PAIR(OLD("1", "initialize", "'protocolVersion':''"),
         ERROR(-32602, "initialize needs params.protocolVersion")),
    PAIR(INITIALIZE("2025-03-26"),
         "{'jsonrpc':'2.0','id':0,'result':{'protocolVersion':'2025-03-26',"
         "'capabilities':{'tools':{'listChanged':true},'resources':{'subscribe':true,"
         "'listChanged':true},'prompts':{'listChanged':true},'logging':{},'completions':{}},"
         "'serverInfo':{'name':'backplane','title':'Backplane','version':'VERSION'},"
         "'instructions':'Use it well.'}}"),
    PAIR("{'jsonrpc':'2.0','method':'notifications/initialized'}", NULL),
    PAIR(INITIALIZE("2025-03-26"), "{'jsonrpc':'2.0','id':0,'error':{'code':-32600,"
                                   "'message':'initialize cannot be part of a batch or of a "
                                   "session that is there already'}}"),
    PAIR(OLD("'x'", "ping", ""), "{'jsonrpc':'2.0','id':'x','result':{}}"),
    PAIR(OLD("1", "tools/call", "'name':'act','arguments':{'do':'who'}"),
         LEGACY("'content':[{'type':'text',"
                "'text':'client=pipe/3 revision=2025-03-26 session=32 can= elicitation'}]")),
    PAIR("[" OLD("1", "ping", "") ",{'jsonrpc':'2.0','method':'ping'}," OLD("2", "no/such", "") "]",
         "[{'jsonrpc':'2.0','id':1,'result':{}},{'jsonrpc':'2.0','id':2,'error':{'code':-32601,"
         "'message':'there is no method \\'no/such\\' in MCP 2025-03-26'}}]"),
    PAIR("[{'jsonrpc':'2.0','method':'ping'}]", NULL),
    PAIR("[]", "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
               "'message':'an array of messages is part of MCP 2025-03-26 only,"
               " and may hold 1 to 64 of them'}}"),
    PAIR("{'jsonrpc':'2.0','id':1", "{'jsonrpc':'2.0','id':null,'error':{'code':-32700,"
                                    "'message':''}' expected near end of file, at byte 23'}}"),
    PAIR("{}", "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
               "'message':'\\'jsonrpc\\' must be \\'2.0\\''}}"),
    PAIR("7", "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
              "'message':'a message must be a JSON object'}}"),
    PAIR(OLD("1", "tools/list", META),
         RESULT(
             ",'tools':[{'name':'act','inputSchema':{'type':'object'},"
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
             "'outputSchema':{'type':'object','properties':{'n':{'type':'integer'}},'required':['n'"
             "]},"
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
    PAIR(OLD("1", "server/discover", ""),
         ERROR(-32602, "params._meta needs \\'io.modelcontextprotocol/protocolVersion\\'; a client "
                       "of the revision"
                       "s up to 2025-11-25 begins with `initialize`")),
    PAIR(OLD("1", "tools/call", "'name':'act','arguments':{'do':'who'}," META),
         RESULT(",'content':[{'type':'text','text':'client=test/1 revision=2026-07-28 session=0 "
                "can='}]")),
    PAIR(OLD("1", "ping", ""), LEGACY("")),
};

static void a_line_is_served_by_the_era_that_it_speaks(void **state)
{
    (void)state;
    TALK_ALL(before_and_after);
}

static const struct pair unlisted[] = {
    PAIR(INITIALIZE("2025-11-25"),
         "{'jsonrpc':'2.0','id':0,'result':{'protocolVersion':'2025-11-25',"
         "'capabilities':{'tools':{'listChanged':true},'resources':{'subscribe':true,"
         "'listChanged':true},'prompts':{'listChanged':true},'logging':{},'completions':{},"
         "'tasks':{'list':{},'cancel':{},'requests':{'tools':{'call':{}}}}},"
         "'serverInfo':{'name':'backplane','title':'Backplane','version':'VERSION'},"
         "'instructions':'Use it well.'}}"),
    PAIR("[" OLD("1", "ping", "") "]",
         "{'jsonrpc':'2.0','id':null,'error':{'code':-32600,"
         "'message':'an array of messages is part of MCP 2025-03-26 only,"
         " and may hold 1 to 64 of them'}}"),
    PAIR(OLD("1", "logging/setLevel", "'level':'emergency'"), LEGACY("")),
};

static void batches_are_of_2025_03_26_alone(void **state)
{
    (void)state;
    TALK_ALL(unlisted);
}

/* ---- what comes beside answers ---- */

static void questions_and_events_are_lines_of_their_own(void **state)
{
    (void)state;
    say(INITIALIZE("2025-11-25"));
    free(hear());
    say(OLD("1", "tools/call", "'name':'act','arguments':{'do':'ask','asks':{'a':{}}}"));
    expect_heard("ask", "{'jsonrpc':'2.0','id':1,'method':'elicitation/create','params':{}}");
    say("{'jsonrpc':'2.0','id':'one','result':{}}");
    say("{'jsonrpc':'2.0','id':1,'result':{'a':1}}");
    expect_heard("answer", LEGACY("'content':[{'type':'text','text':'a {\\'a\\':1}'}]"));
    say(OLD("1", "tools/call", "'name':'act','arguments':{'do':'ask','asks':{'a':{}}}"));
    expect_heard("ask", "{'jsonrpc':'2.0','id':2,'method':'elicitation/create','params':{}}");
    say("{'jsonrpc':'2.0','id':2,'error':{'code':-1,'message':'no'}}");
    expect_heard("error", LEGACY("'content':[{'type':'text','text':'the client refused "
                                 "elicitation/create: no'}],'isError':true"));
    say(OLD("1", "logging/setLevel", "'level':'emergency'"));
    expect_heard("level", LEGACY(""));
    say(OLD("1", "tools/call",
            "'name':'act','arguments':{'do':'log'},'_meta':{'progressToken':1}"));
    expect_heard("log", "{'jsonrpc':'2.0','method':'notifications/"
                        "message','params':{'level':'emergency','logger':'odd','data':7}}");
    expect_heard("log", LEGACY("'content':[{'type':'text','text':'logged'}]"));
    say(OLD("1", "tools/call", "'name':'act','arguments':{'do':'changed','n':0}"));
    {
        char *one = hear(), *two = hear(), *both = formatted("%s\n%s", one, two);

        // The news and the answer come from two fibers.
        assert_non_null(
            strstr(both, "{'jsonrpc':'2.0','method':'notifications/tools/list_changed'}"));
        assert_non_null(strstr(both, LEGACY("'content':[{'type':'text','text':'told'}]")));
        free(one);
        free(two);
        free(both);
    }
}

static void requests_of_both_eras_are_cancelled_by_their_ids(void **state)
{
    (void)state;
    say(OLD("1", "tools/call", "'name':'act','arguments':{'do':'wait'}," META));
    assert_true(RIG_SOON(act_waits == 1));
    say(OLD("1", "tools/call", "'name':'act','arguments':{'do':'who'}," META));
    expect_heard("the same id",
                 ERROR(-32600, "this session has 256 requests under way, or one with the id 1"));
    say("{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':1}}");
    assert_true(RIG_SOON(act_cancelled == 1));
    say(INITIALIZE("2025-11-25"));
    free(hear());
    say(OLD("1", "tools/call", "'name':'act','arguments':{'do':'wait'}"));
    assert_true(RIG_SOON(act_waits == 2));
    say("{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':1}}");
    assert_true(RIG_SOON(act_cancelled == 2));
    say(OLD("1", "ping", ""));
    expect_heard("ping", LEGACY(""));
}

static void what_listens_ends_with_the_input(void **state)
{
    (void)state;
    say(OLD("1", "subscriptions/listen", "'notifications':{'toolsListChanged':true}," META));
    expect_heard("listen", "{'jsonrpc':'2.0','method':'notifications/subscriptions/"
                           "acknowledged','params':{'_meta':{'io.modelcontextprotocol/"
                           "subscriptionId':1},'notifications':{'toolsListChanged':true}}}");
    end_input();
    expect_heard("the end", "{'jsonrpc':'2.0','id':1,'result':{'resultType':'complete'," SERVER
                            ",'io.modelcontextprotocol/subscriptionId':1}}}");
    assert_null(hear());
}

/* ---- lines that are not read ---- */

/* Of a line that is too long the ids are still told. */
static void a_line_that_is_too_long_is_refused_with_its_id(void **state)
{
    enum { BYTES = (16 << 20) + 1000 };
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":\"long\",\"method\":\"ping\","
                               "\"params\":{\"a\":\"";
    char             *line = malloc(BYTES);

    (void)state;
    memset(line, 'x', BYTES);
    memcpy(line, head, strlen(head));
    memcpy(line + BYTES - 4, "\"}}\n", 4);
    for (int i = 0; i < 2; i++) {
        send_bytes(line, BYTES);
        expect_heard("a long line", "{'jsonrpc':'2.0','id':'long','error':{'code':-32602,'message':"
                                    "'the line is longer than 16 MiB'}}");
    }
    free(line);
    say(OLD("2", "ping", ""));
    expect_heard("ping", "{'jsonrpc':'2.0','id':2,'result':{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_served_by_the_era_that_it_speaks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(batches_are_of_2025_03_26_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(questions_and_events_are_lines_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(requests_of_both_eras_are_cancelled_by_their_ids, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_listens_ends_with_the_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_refused_with_its_id, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
