/* test_questions.c - a handler asks the client: on the stream of its request up to 2025-11-25, and
 * by rounds in 2026-07-28. */
#include "mcp_world.h"

/* ---- on the stream ---- */

#define OLD_ASK(asks)                                                                              \
    "{'jsonrpc':'2.0','id':1,'method':'tools/"                                                     \
    "call','params':{'name':'act','arguments':{'do':'ask',"                                        \
    "'asks':" asks "}}}"
#define ALL_ABLE "{'sampling':{'tools':{}},'elicitation':{},'roots':{}}"

/* One call, the responses that the client sends when `mark` has come, and the whole stream. */
struct talk {
    const char *asks, *mark, *responses[4], *answer;
};

#define TALK(asks, mark, one, two, three, answer)                                                  \
    {                                                                                              \
        asks, mark, { one, two, three, NULL }, answer                                              \
    }
#define SAID(id, result) "{'jsonrpc':'2.0','id':" id ",'result':" result "}"

static const struct talk talks[] = {
    TALK(OLD_ASK("{'a':{'params':{'message':'who?'}}}"), "create", SAID("1", "{'action':'accept'}"),
         NULL, NULL,
         "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','id':1,'method':'elicitation/create',"
         "'params':{'message':'who?'}}||id: 1-2|data: {'jsonrpc':'2.0','id':1,"
         "'result':{'content':[{'type':'text','text':'a {\\'action\\':\\'accept\\'}'}]}}||"),
    TALK(OLD_ASK("{'a':{},'b':{'method':'roots/list'},'c':{'method':'sampling/"
                 "createMessage','params':{'tools':[]}}}"),
         "sampling/createMessage", SAID("3", "{'three':3}"), SAID("1", "{'one':1}"),
         SAID("2", "{'two':2}"),
         "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','id':1,'method':'elicitation/create',"
         "'params':{}}||id: 1-2|data: {'jsonrpc':'2.0','id':2,"
         "'method':'roots/list'}||id: 1-3|data: {'jsonrpc':'2.0','id':3,"
         "'method':'sampling/createMessage',"
         "'params':{'tools':[]}}||id: 1-4|data: {'jsonrpc':'2.0','id':1,"
         "'result':{'content':[{'type':'text','text':'a {\\'one\\':1}'},{'type':'text',"
         "'text':'b {\\'two\\':2}'},{'type':'text','text':'c {\\'three\\':3}'}]}}||"),
    TALK(OLD_ASK("{'a':{'method':'roots/list','params':{'x':1}}}"), "roots/list",
         "{'jsonrpc':'2.0','id':1,'error':{'code':-1,'message':'not now'}}", NULL, NULL,
         "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','id':1,'method':'roots/list',"
         "'params':{'x':1}}||id: 1-2|data: {'jsonrpc':'2.0','id':1,"
         "'result':{'content':[{'type':'text','text':'the client refused roots/list: not now'}],"
         "'isError':true}}||"),
    TALK(OLD_ASK("{'a':{}}"), "create", SAID("1", "[7]"), NULL, NULL,
         "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','id':1,'method':'elicitation/create',"
         "'params':{}}||id: 1-2|data: {'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text',"
         "'text':'the client's answer to elicitation/create is not an "
         "object'}],'isError':true}}||"),
    TALK(OLD_ASK("{'a':{},'b':{}}"), "'id':2", SAID("1", "{}"), SAID("2", "'text'"), NULL,
         "id: 1-0|data: ||id: 1-1|data: {'jsonrpc':'2.0','id':1,'method':'elicitation/create',"
         "'params':{}}||id: 1-2|data: {'jsonrpc':'2.0','id':2,'method':'elicitation/create',"
         "'params':{}}||id: 1-3|data: {'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text',"
         "'text':'the client's answer to elicitation/create is not an "
         "object'}],'isError':true}}||"),
};

static void questions_go_out_on_the_stream_and_answers_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
        char         *session = legacy_open("2025-11-25", ALL_ABLE);
        int           fd = legacy_begin(session, NULL, talks[i].asks);
        char         *text = http_wait_first(fd, talks[i].mark);
        struct answer answer;

        for (size_t j = 0; talks[i].responses[j]; j++) {
            answer = legacy(session, talks[i].responses[j]);
            EXPECT_TEXT(answer.body, "202 ");
            answer_free(&answer);
        }
        answer = http_end_after(fd, text);
        expect_answer(&answer, talks[i].asks, talks[i].answer);
        free(session);
    }
}

static const struct raw_case strangers[] = {
    RAW("POST", "", SAID("7", "{}"),
        "400 "
        "{'jsonrpc':'2.0','id':7,'error':{'code':-32600,"
        "'message':'the header Mcp-Session-Id is missing: begin with `initialize`,"
        " or speak MCP 2026-07-28, which has no sessions'}}"),
};

static void a_response_that_nobody_waits_for_is_refused(void **state)
{
    static const char refusal[] = "'error':{'code':-32600,'message':'nobody asked a question of "
                                  "that id'}}";
    char             *session = legacy_open("2025-11-25", ALL_ABLE);
    static const struct {
        const char *response, *answer;
    } cases[] = {
        { SAID("7", "{}"), "400 {'jsonrpc':'2.0','id':7," },
        { SAID("0", "{}"), "400 {'jsonrpc':'2.0','id':0," },
        { SAID("'1'", "{}"), "400 {'jsonrpc':'2.0','id':'1'," },
        { SAID("-1", "{}"), "400 {'jsonrpc':'2.0','id':-1," },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer answer = legacy(session, cases[i].response);
        char         *wanted = formatted("%s%s", cases[i].answer, refusal);

        EXPECT_TEXT(answer.body, wanted);
        answer_free(&answer);
        free(wanted);
    }
    free(session);
    EXPECT_EACH_RAW(strangers);
}

#define OLD_ACT(more, answer)                                                                      \
    {                                                                                              \
        "tools/call", "'name':'act','arguments':{'do':'ask'," more "}", answer                     \
    }
#define EIGHT(a)                                                                                   \
    "'" a "1':{},'" a "2':{},'" a "3':{},'" a "4':{},'" a "5':{},'" a "6':{},'" a "7':{},'" a      \
    "8':{}"

static const struct legacy_case mistakes[] = {
    OLD_ACT("'asks':{'a':{'method':'tools/list'}}",
            LEGACY("'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
                   "'isError':true")),
    OLD_ACT("'asks':{'a':{'params':'{'}}",
            LEGACY("'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
                   "'isError':true")),
    OLD_ACT("'asks':{'a':{'params':{'mode':'url'}}}",
            LEGACY("'content':[{'type':'text',"
                   "'text':'the client did not declare that it can be asked elicitation/create'}],"
                   "'isError':true")),
    OLD_ACT("'asks':{'a':{},'b':{'method':'roots/list'}}",
            LEGACY("'content':[{'type':'text',"
                   "'text':'the client did not declare that it can be asked "
                   "roots/list'}],'isError':true")),
    OLD_ACT("'asks':{}",
            LEGACY("'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
                   "'isError':true")),
    OLD_ACT("'asks':{" EIGHT("a") "," EIGHT("b") "," EIGHT("c") "," EIGHT("d") ",'e':{}}",
            LEGACY("'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
                   "'isError':true")),
};

static void what_cannot_be_asked_is_told_to_who_called(void **state)
{
    char *session = legacy_open("2025-11-25", "{'elicitation':{}}");

    (void)state;
    EXPECT_EACH_LEGACY(session, mistakes);
    expect_logged("a client cannot be asked \\\"tools/list\\\"");
    expect_logged("the question \\\"a\\\" to the client is not JSON: ");
    expect_logged("between 1 and 32 questions to the client at once");
    free(session);
}

/* The handler is over, and so is its question. */
static void a_call_that_is_cancelled_takes_its_questions_back(void **state)
{
    char         *session = legacy_open("2025-11-25", ALL_ABLE);
    int           fd = legacy_begin(session, NULL, OLD_ASK("{'a':{},'b':{}}"));
    char         *text = http_wait_first(fd, "'id':2");
    struct answer answer = legacy(session, SAID("2", "{}"));

    (void)state;
    answer_free(&answer);
    answer = legacy(session, "{'jsonrpc':'2.0','method':'notifications/cancelled',"
                             "'params':{'requestId':1}}");
    EXPECT_TEXT(answer.body, "202 ");
    answer_free(&answer);
    answer = http_end_after(fd, text);
    EXPECT_TEXT(answer.body,
                "id: 1-0|data: ||"
                "id: 1-1|data: {'jsonrpc':'2.0','id':1,'method':'elicitation/create','params':{}}||"
                "id: 1-2|data: {'jsonrpc':'2.0','id':2,'method':'elicitation/create','params':{}}||"
                "id: 1-3|data: {'jsonrpc':'2.0','method':'notifications/cancelled','params':{"
                "'requestId':1,'reason':'the request that asked has ended'}}||");
    answer_free(&answer);
    answer = legacy(session, SAID("1", "{}"));
    assert_int_equal(answer.status, 400);
    answer_free(&answer);
    free(session);
}

/* ---- by rounds ---- */

#define ABLE   META_WITH("{'elicitation':{},'sampling':{}}") "}"
#define ROUNDS "'name':'act','arguments':{'do':'rounds'}"

static char *state_of(const struct answer *answer)
{
    const char *at = strstr(answer->body, "'requestState':'");

    if (!at)
        fail_msg("no state in %s", answer->body);
    at += strlen("'requestState':'");
    return strndup(at, strcspn(at, "'"));
}

/* One more round: what is answered, without its state, which is given in *state. */
static void next_round(const char *params, char **state, const char *wanted)
{
    char         *with_state = *state ? formatted("%s,'requestState':'%s'," ABLE, params, *state)
                                      : formatted("%s," ABLE, params);
    struct answer answer = modern("tools/call", "act", NULL, with_state);

    free(*state);
    *state = NULL;
    if (strstr(answer.body, "'requestState'")) {
        *state = state_of(&answer);
        answer.body = replaced(answer.body, *state, "STATE");
    }
    EXPECT_TEXT(answer.body, wanted);
    answer_free(&answer);
    free(with_state);
}

#define WANTED(requests, state)                                                                    \
    "{'jsonrpc':'2.0','id':1,'result':{'resultType':'input_required','inputRequests':{" requests   \
    "}" state "," SERVER "}}}"
#define QUESTION(key, text)                                                                        \
    "'" key "':{'method':'elicitation/create','params':{'message':'" text                          \
    "','requestedSchema':{'type':'object'}}}"
#define ANSWERS(members)     ",'inputResponses':{" members "}"
#define ACCEPT(key, content) "'" key "':{'action':'accept','content':" content "}"

static void each_round_carries_what_was_answered_before(void **unused)
{
    char *state = NULL;

    (void)unused;
    next_round(ROUNDS, &state, WANTED(QUESTION("one", "First?"), ",'requestState':'STATE'"));
    next_round(ROUNDS ANSWERS(ACCEPT("one", "{'a':1}")), &state,
               WANTED(QUESTION("two", "Second?"), ",'requestState':'STATE'"));
    next_round(ROUNDS ANSWERS(ACCEPT("two", "{'b':2}")), &state,
               RESULT(",'content':[{'type':'text','text':'state=xx one={\\'a\\':1} "
                      "two={\\'b\\':2}'}]"));
    assert_null(state);
    // At once, without a state.
    next_round(ROUNDS ANSWERS(ACCEPT("two", "{'b':2}") "," ACCEPT("one", "{}")), &state,
               RESULT(",'content':[{'type':'text','text':'state= one={} two={\\'b\\':2}'}]"));
    // What is no object is no answer, and a later answer takes the place of an earlier one.
    next_round(ROUNDS ANSWERS("'one':7"), &state,
               WANTED(QUESTION("one", "First?"), ",'requestState':'STATE'"));
    next_round(ROUNDS ANSWERS(ACCEPT("one", "{'a':1}")), &state,
               WANTED(QUESTION("two", "Second?"), ",'requestState':'STATE'"));
    next_round(ROUNDS ANSWERS(ACCEPT("one", "{'a':2}")), &state,
               WANTED(QUESTION("two", "Second?"), ",'requestState':'STATE'"));
    next_round(ROUNDS ANSWERS("'one':8," ACCEPT("two", "{}")), &state,
               RESULT(",'content':[{'type':'text','text':'state=xxx one={\\'a\\':2} two={}'}]"));
}

#define NOT_OF_THIS_REQUEST                                                                        \
    "400 " ERROR(-32602, "requestState is not one that this server gave for this request, or it "  \
                         "has expired: start again without it")

static void a_state_is_good_for_the_same_request_alone(void **unused)
{
    char *state = NULL, *other, *text;

    (void)unused;
    next_round(ROUNDS, &state, WANTED(QUESTION("one", "First?"), ",'requestState':'STATE'"));
    other = strdup(state);
    next_round("'name':'act','arguments':{'do':'rounds','n':1}", &other, NOT_OF_THIS_REQUEST);
    other = strdup(state);
    other[20] = other[20] == 'A' ? 'B' : 'A';
    next_round(ROUNDS, &other, NOT_OF_THIS_REQUEST);
    other = strdup("AAAA");
    next_round(ROUNDS, &other, NOT_OF_THIS_REQUEST);
    other = strdup("no base 64!");
    next_round(ROUNDS, &other, NOT_OF_THIS_REQUEST);
    other = strdup("");
    next_round(ROUNDS, &other, NOT_OF_THIS_REQUEST);
    text = formatted("'requestState':7," ROUNDS "," ABLE);
    {
        struct answer answer = modern("tools/call", "act", NULL, text);

        EXPECT_TEXT(answer.body, NOT_OF_THIS_REQUEST);
        answer_free(&answer);
    }
    free(text);
    next_round(ROUNDS ANSWERS(""), &state,
               WANTED(QUESTION("one", "First?"), ",'requestState':'STATE'"));
    free(state);
    state = NULL;
    next_round(ROUNDS ",'inputResponses':[]", &state,
               "400 " ERROR(-32602, "inputResponses must be an object"));
}

/* All of a request counts, however long it is. */
static void a_state_is_bound_to_the_last_byte_of_the_arguments(void **unused)
{
    char long_text[5001], *state = NULL, *one, *two;

    (void)unused;
    memset(long_text, 'x', 5000);
    long_text[5000] = '\0';
    one = formatted("'name':'act','arguments':{'do':'rounds','text':'%s1'}", long_text);
    two = formatted("'name':'act','arguments':{'do':'rounds','text':'%s2'}", long_text);
    next_round(one, &state, WANTED(QUESTION("one", "First?"), ",'requestState':'STATE'"));
    next_round(one, &state, WANTED(QUESTION("one", "First?"), ",'requestState':'STATE'"));
    next_round(two, &state, NOT_OF_THIS_REQUEST);
    free(one);
    free(two);
}

/* What one answer's state is good for, when memory was short: for nothing, or for its own request.
 */
static bool is_sealed_whole(int room)
{
    char *one = formatted("'name':'act','arguments':{'do':'rounds','room':%d,'text':'%0900d'}",
                          room, 1);
    char *two = formatted("'name':'act','arguments':{'do':'rounds','room':%d,'text':'%0900d'}",
                          room, 2);
    char *params = formatted("%s," ABLE, one), *state = NULL;
    struct answer answer = modern("tools/call", "act", NULL, params);
    bool          is_asked = strstr(answer.body, "'input_required'") != NULL;

    if (is_asked)
        state = state_of(&answer);
    else if (!strstr(answer.body, "memory"))
        fail_msg("with %d bytes: %s", room, answer.body);
    answer_free(&answer);
    free(params);
    if (is_asked)
        next_round(two, &state, NOT_OF_THIS_REQUEST);
    free(one);
    free(two);
    return is_asked;
}

static void without_memory_no_state_is_given_that_fits_another_request(void **unused)
{
    int room = 0;

    (void)unused;
    while (!is_sealed_whole(room) && room < 1 << 17)
        room += 256;
    assert_in_range(room, 256, (1 << 17) - 1);
}

static const struct modern_case asked[] = {
    ASK_AS("tools/call", "act", NULL,
           "'name':'act','arguments':{'do':'ask','asks':{'a':{},'b':{'method':'sampling/"
           "createMessage','params':{'x':[1]}}}}," ABLE ",'inputResponses':{'a':{}}",
           "{'jsonrpc':'2.0','id':1,'result':{'resultType':'input_required',"
           "'inputRequests':{'b':{'method':'sampling/createMessage','params':{'x':[1]}}},"
           "'requestState':'STATE',"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}"),
    ASK_AS("tools/call", "act", NULL,
           "'name':'act','arguments':{'do':'ask','asks':{'a':{'params':{'mode':'url'}}}}," ABLE,
           "400 "
           "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
           "'message':'this needs a capability that the client did not declare',"
           "'data':{'requiredCapabilities':{'elicitation':{'url':{}}}}}}"),
    ASK_AS("tools/call", "act", NULL,
           "'name':'act','arguments':{'do':'ask','asks':{'a':{'method':'no'}}}," ABLE,
           RESULT(",'content':[{'type':'text','text':'a mistake in the program (request id ID)'}],"
                  "'isError':true")),
    ASK_AS("tools/call", "act", NULL,
           "'name':'act','arguments':{'do':'ask','asks':{" EIGHT("a") "," EIGHT("b") "," EIGHT(
               "c") "," EIGHT("d") "}}," ABLE,
           "{'jsonrpc':'2.0','id':1,'result':{'resultType':'input_required',"
           "'inputRequests':{'a1':{'method':'elicitation/create','params':{}},"
           "'a2':{'method':'elicitation/create','params':{}},'a3':{'method':'elicitation/create',"
           "'params':{}},'a4':{'method':'elicitation/create','params':{}},"
           "'a5':{'method':'elicitation/create','params':{}},'a6':{'method':'elicitation/create',"
           "'params':{}},'a7':{'method':'elicitation/create','params':{}},"
           "'a8':{'method':'elicitation/create','params':{}},'b1':{'method':'elicitation/create',"
           "'params':{}},'b2':{'method':'elicitation/create','params':{}},"
           "'b3':{'method':'elicitation/create','params':{}},'b4':{'method':'elicitation/create',"
           "'params':{}},'b5':{'method':'elicitation/create','params':{}},"
           "'b6':{'method':'elicitation/create','params':{}},'b7':{'method':'elicitation/create',"
           "'params':{}},'b8':{'method':'elicitation/create','params':{}},"
           "'c1':{'method':'elicitation/create','params':{}},'c2':{'method':'elicitation/create',"
           "'params':{}},'c3':{'method':'elicitation/create','params':{}},"
           "'c4':{'method':'elicitation/create','params':{}},'c5':{'method':'elicitation/create',"
           "'params':{}},'c6':{'method':'elicitation/create','params':{}},"
           "'c7':{'method':'elicitation/create','params':{}},'c8':{'method':'elicitation/create',"
           "'params':{}},'d1':{'method':'elicitation/create','params':{}},"
           "'d2':{'method':'elicitation/create','params':{}},'d3':{'method':'elicitation/create',"
           "'params':{}},'d4':{'method':'elicitation/create','params':{}},"
           "'d5':{'method':'elicitation/create','params':{}},'d6':{'method':'elicitation/create',"
           "'params':{}},'d7':{'method':'elicitation/create','params':{}},"
           "'d8':{'method':'elicitation/create','params':{}}},'requestState':'STATE',"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}"),
    ASK_AS("resources/read", "mem://item/ask", NULL, "'uri':'mem://item/ask'," ABLE,
           "{'jsonrpc':'2.0','id':1,'result':{'resultType':'input_required',"
           "'inputRequests':{'name':{'method':'sampling/createMessage',"
           "'params':{'messages':[{'role':'user','content':{'type':'text','text':'Which?'}}],"
           "'maxTokens':5}}},'requestState':'STATE',"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}"),
    ASK_AS("resources/read", "mem://item/ask", NULL,
           "'uri':'mem://item/ask'," ABLE
           ",'inputResponses':{'name':{'content':{'type':'text','text':'Ada'}}}",
           RESULT(",'contents':[{'uri':'mem://item/"
                  "ask','text':'Ada'}],'ttlMs':0,'cacheScope':'public'")),
    ASK_AS("resources/read", "mem://item/ask", NULL,
           "'uri':'mem://item/ask','requestState':'x'," ABLE,
           "400 " ERROR(-32602, "requestState is not one that this server gave for this request,"
                                " or it has expired: start again without it")),
    ASK_AS("prompts/get", "greet", NULL, "'name':'greet','arguments':{'who':'A','how':'ask'}," ABLE,
           "{'jsonrpc':'2.0','id':1,'result':{'resultType':'input_required',"
           "'inputRequests':{'how':{'method':'elicitation/create','params':{'message':'How?',"
           "'requestedSchema':{}}}},'requestState':'STATE',"
           "'_meta':{'io.modelcontextprotocol/serverInfo':{'name':'backplane',"
           "'version':'VERSION'}}}}"),
    ASK_AS("prompts/get", "greet", NULL,
           "'name':'greet','arguments':{'who':'A','how':'ask'}," ABLE
           ",'inputResponses':{'how':{'action':'accept','content':{'how':'now'}}}",
           RESULT(",'messages':[{'role':'user','content':{'type':'text','text':'Greet A now'}},"
                  "{'role':'assistant','content':{'type':'text','text':'Hello'}},{'role':'user',"
                  "'content':{'type':'image','data':'cA==','mimeType':'image/png'}}],"
                  "'description':'A greeting'")),
    ASK_AS("prompts/get", "greet", NULL,
           "'name':'greet','arguments':{'who':'A','how':'ask'},'requestState':'x'," ABLE,
           "400 " ERROR(-32602, "requestState is not one that this server gave for this request,"
                                " or it has expired: start again without it")),
    ASK_AS("prompts/get", "greet", NULL, "'name':'greet','arguments':{'who':'A','how':'ask'}," META,
           "400 "
           "{'jsonrpc':'2.0','id':1,'error':{'code':-32021,"
           "'message':'this needs a capability that the client did not declare',"
           "'data':{'requiredCapabilities':{'elicitation':{}}}}}"),
};

static void what_is_asked_is_listed_and_answers_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct answer answer = modern(asked[i].method, asked[i].name, NULL, asked[i].params);

        if (strstr(answer.body, "'requestState'")) {
            char *sealed = state_of(&answer);

            answer.body = replaced(answer.body, sealed, "STATE");
            free(sealed);
        }
        expect_answer(&answer, asked[i].params, asked[i].answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(questions_go_out_on_the_stream_and_answers_come_back),
        WORLD_TEST(a_response_that_nobody_waits_for_is_refused),
        WORLD_TEST(what_cannot_be_asked_is_told_to_who_called),
        WORLD_TEST(what_is_asked_is_listed_and_answers_are_taken),
        WORLD_TEST(a_call_that_is_cancelled_takes_its_questions_back),
        WORLD_TEST(each_round_carries_what_was_answered_before),
        WORLD_TEST(a_state_is_bound_to_the_last_byte_of_the_arguments),
        WORLD_TEST(without_memory_no_state_is_given_that_fits_another_request),
        WORLD_TEST(a_state_is_good_for_the_same_request_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
