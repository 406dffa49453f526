/* test_identity.c - who may do what: keys and their scopes, whose a session, a task and a state
 * are, and sessions that several processes share by their cache. */
#include "mcp_world.h"

#include "base/str.h"
#include "mcp/session_share.h"

/* ---- keys ---- */

struct made_key {
    const char *scopes;
    char        text[KEY_TEXT_BYTES];
};

static void make_key(bp_call *call, void *arg)
{
    struct made_key   *key = arg;
    struct key_request wanted = { .name = BP_STR("test"),
                                  .tenant = BP_STR("ada"),
                                  .scopes = bp_str_of(key->scopes) };

    assert_int_equal(keys_create(call, &instances[STORAGE].peer, &wanted, key->text), BP_OK);
}

/* A header line with a new key, to be freed. */
static char *key_with(const char *scopes)
{
    struct made_key key = { .scopes = scopes };

    on_worker(make_key, &key);
    return formatted("Authorization: Bearer %s\r\n", key.text);
}

static int set_up_with_keys(void **state)
{
    (void)state;
    world_defaults();
    conf.server.auth.mode = AUTH_KEYS;
    conf.server.mcp.state_key = BP_STR("a secret of several processes");
    api_rig_start();
    return 0;
}

static const struct modern_case little[] = {
    CALL("none", "{}", RESULT(",'content':[{'type':'text','text':'{}'}]")),
    CALL("scoped", "{}",
         "403 " ERROR(-32600,
                      "this needs the scope \\'app:write\\', which the credentials do not have")),
    ASK_OF("resources/read", "mem://one", "'uri':'mem://one'",
           RESULT(
               ",'contents':[{'uri':'mem://one','mimeType':'text/plain','text':'one'},"
               "{'uri':'mem://one/more','blob':'bW9yZQ=='}],'ttlMs':3000,'cacheScope':'private'")),
    ASK_OF("resources/read", "mem://scoped", "'uri':'mem://scoped'",
           "403 " ERROR(-32600,
                        "this needs the scope \\'app:read\\', which the credentials do not have")),
    ASK_OF("prompts/get", "scoped", "'name':'scoped'",
           "403 " ERROR(-32600,
                        "this needs the scope \\'app:more\\', which the credentials do not have")),
    ASK("prompts/list", "'cursor':null",
        RESULT(",'prompts':[{'name':'greet','title':'Greet','description':'A greeting','icons':[],"
               "'arguments':[{'name':'who','title':'Who','description':'whom to "
               "greet','required':true},"
               "{'name':'how','required':false}]},{'name':'plain','arguments':[]},{'name':'scoped',"
               "'arguments':[]}],'ttlMs':300000,'cacheScope':'private'")),
};

static void a_scope_that_is_missing_is_named(void **state)
{
    char *key = key_with("other"), *all = key_with("app:write app:read app:more");

    (void)state;
    for (size_t i = 0; i < sizeof(little) / sizeof(little[0]); i++) {
        struct answer answer = modern(little[i].method, little[i].name, key, little[i].params);

        expect_answer(&answer, little[i].params, little[i].answer);
    }
    for (size_t i = 0; i < 5; i++) {
        struct answer answer = modern(little[i].method, little[i].name, all, little[i].params);

        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
    {
        struct answer answer = modern("tools/call", "none", NULL, "'name':'none'," META);

        assert_int_equal(answer.status, 401);
        answer_free(&answer);
    }
    free(key);
    free(all);
}

static void scopes_of_all_tables_are_put_together(void **state)
{
    struct arena arena;
    char         words[128] = "";

    (void)state;
    arena_init(&arena, 1 << 20);
    for (bp_str rest = mcp_scopes(&arena, world_mcp); rest.len;) {
        bp_str word = str_split(rest, ' ', &rest);

        if (word.len)
            snprintf(words + strlen(words), sizeof(words) - strlen(words), BP_FMT " ",
                     BP_ARG(word));
    }
    assert_string_equal(words, "app:write app:read app:more ");
    arena_free(&arena);
}

static void sessions_and_tasks_belong_to_the_key_that_opened_them(void **state)
{
    char         *one = key_with("*"), *two = key_with("*"), *headers, *id, *session, *params;
    struct answer answer;

    (void)state;
    headers = formatted(JSON_HEADERS "%s", one);
    answer = http_end(http_begin("POST", "/mcp", headers,
                                 "{'jsonrpc':'2.0','id':0,'method':'initialize','params':{"
                                 "'protocolVersion':'2025-11-25'}}"));
    session = header_of(&answer, "Mcp-Session-Id");
    answer_free(&answer);
    free(headers);
    for (int i = 0; i < 2; i++) {
        headers = formatted(JSON_HEADERS "%s", i ? two : one);
        answer = http_end(
            legacy_begin(session, headers, "{'jsonrpc':'2.0','id':1,'method':'ping'}"));
        assert_int_equal(answer.status, i ? 404 : 200);
        answer_free(&answer);
        free(headers);
    }
    answer = modern("tools/call", "task", one,
                    "'name':'task','arguments':{'do':'who'}," META_WITH(
                        "{'extensions':{'io.modelcontextprotocol/tasks':{}}}") "}");
    id = strndup(strstr(answer.raw, "\"taskId\":\"") + 10, 32);
    answer_free(&answer);
    params = formatted("'taskId':'%s'," META_WITH(
                           "{'extensions':{'io.modelcontextprotocol/tasks':{}}}") "}",
                       id);
    for (int i = 0; i < 2; i++) {
        answer = modern("tasks/get", id, i ? two : one, params);
        if (!strstr(answer.body, i ? "there is no task" : "'taskId':'ID'"))
            fail_msg("%s", answer.body);
        answer_free(&answer);
    }
    free(params);
    free(id);
    free(session);
    free(one);
    free(two);
}

/* ---- states ---- */

#define ROUNDS                                                                                     \
    "'name':'act','arguments':{'do':'rounds'},'inputResponses':{'one':{'action':'accept','"        \
    "content':{"                                                                                   \
    "}}}%s%s%s," META_WITH("{'elicitation':{}}") "}"

static struct answer a_round(const char *key, const char *state)
{
    char         *params = formatted(ROUNDS, state ? ",'requestState':'" : "", state ? state : "",
                             state ? "'" : "");
    struct answer answer = modern("tools/call", "act", key, params);

    free(params);
    return answer;
}

static char *state_in(const struct answer *answer)
{
    const char *at = strstr(answer->raw, "\"requestState\":\"");

    if (!at)
        fail_msg("no state in %s", answer->raw);
    return strndup(at + 16, strcspn(at + 16, "\""));
}

static void a_state_belongs_to_its_key_and_to_all_processes_of_one_secret(void **unused)
{
    char         *one = key_with("*"), *two = key_with("*"), *state;
    struct answer answer = a_round(one, NULL);

    (void)unused;
    state = state_in(&answer);
    answer_free(&answer);
    answer = a_round(two, state);
    assert_non_null(strstr(answer.body, "requestState is not one"));
    answer_free(&answer);
    answer = a_round(one, state);
    assert_non_null(strstr(answer.body, "'two':{'method':'elicitation/create'"));
    answer_free(&answer);
    free(one);
    free(two);
    free(state);
}

static char *state_of_a_process(const char *secret, const char *given)
{
    void         *none = NULL;
    struct answer answer;
    char         *state = NULL;

    world_defaults();
    conf.server.mcp.state_key = bp_str_of(secret);
    api_rig_start();
    answer = a_round(NULL, given);
    if (strstr(answer.raw, "\"requestState\""))
        state = state_in(&answer);
    answer_free(&answer);
    world_tear_down(&none);
    return state;
}

static void only_the_same_secret_opens_a_state(void **unused)
{
    char *first = state_of_a_process("secret", NULL), *again, *random;

    (void)unused;
    again = state_of_a_process("secret", first);
    assert_non_null(again);
    free(again);
    assert_null(state_of_a_process("Secret", first));
    assert_null(state_of_a_process("", first));
    random = state_of_a_process("", NULL);
    assert_null(state_of_a_process("", random)); // one of its own for each process
    free(first);
    free(random);
}

/* ---- sessions that are shared ---- */

#define PING "{'jsonrpc':'2.0','id':1,'method':'ping'}"
#define ID   "0123456789abcdef0123456789abcdef"

static int ping(const char *session)
{
    struct answer answer = legacy(session, PING);
    int           status = answer.status;

    answer_free(&answer);
    return status;
}

/* The digest of those who need not say who they are, as in a record. */
static char *digest_of_nobody(void)
{
    char *session = legacy_open("2025-11-25", "{}"), *digest;

    digest = strndup(cached.values[cached.count - 1] + strlen("1 2025-11-25 0 1 "), 32);
    free(session);
    return digest;
}

static void a_session_is_told_to_the_others_and_so_is_its_end(void **state)
{
    char         *session = legacy_open("2025-06-18", "{'roots':{}}"), *key, *headers;
    struct answer answer;

    (void)state;
    assert_int_equal(cached.count, 1);
    key = formatted("mcp:session:%s", session);
    assert_string_equal(cached.keys[0], key);
    assert_memory_equal(cached.values[0], "1 2025-06-18 32 1 ", 18);
    assert_string_equal(cached.values[0] + 18 + 32, " old/2");
    assert_int_equal(cached.ttls[0], BP_SECONDS(1800));
    headers = formatted("Mcp-Session-Id: %s\r\n", session);
    answer = http_end(http_begin("DELETE", "/mcp", headers, NULL));
    assert_int_equal(answer.status, 204);
    answer_free(&answer);
    assert_int_equal(cached.count, 2);
    free(key);
    key = formatted("mcp:ended:%s", session);
    assert_string_equal(cached.keys[1], key);
    assert_string_equal(cached.values[1], "1");
    assert_int_equal(cached.ttls[1], BP_SECONDS(3600));
    assert_int_equal(ping(session), 404); // though its record is still there
    free(headers);
    free(key);
    free(session);
}

static void put(const char *kind, const char *format, const char *digest)
{
    size_t at = cached.count++;

    snprintf(cached.keys[at], sizeof(cached.keys[at]), "mcp:%s:" ID, kind);
    snprintf(cached.values[at], sizeof(cached.values[at]), format, digest);
}

static void a_session_of_another_process_is_taken_over(void **state)
{
    char         *digest = digest_of_nobody();
    struct answer answer;

    (void)state;
    put("session", "1 2025-06-18 41 3 %s far/9 x", digest);
    answer = legacy_ask(ID, "tools/call", "'name':'act','arguments':{'do':'who'}");
    EXPECT_TEXT(answer.body,
                LEGACY("'content':[{'type':'text','text':'client=far/9 x revision=2025-06-18 "
                       "session=32 can= sampling elicitation roots'}]"));
    answer_free(&answer);
    assert_int_equal(sessions_count(world_kept->sessions), 2);
    cached.count = 0; // it is this process's now
    assert_int_equal(ping(ID), 200);
    free(digest);
}

static void a_record_that_is_not_good_opens_nothing(void **state)
{
    static const char *const records[] = {
        "2 2025-06-18 0 8 %s a/1",
        "1 2024-01-01 0 8 %s a/1",
        "1 2026-07-28 0 8 %s a/1",
        "1 2025-06-18 x 8 %s a/1",
        "1 2025-06-18 4294967296 8 %s a/1",
        "1 2025-06-18 0 x %s a/1",
        "1 2025-06-18 0 9 %s a/1",
        "1 2025-06-18 0 8 x%s a/1",
        "1 2025-06-18 0 8 00000000000000000000000000000000 a/1",
        "",
    };
    char *digest = digest_of_nobody();

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        cached.count = 0;
        put("session", records[i], digest);
        if (ping(ID) != 404)
            fail_msg("%s was taken", records[i]);
    }
    cached.count = 0;
    put("session", "1 2025-06-18 4294967295 8 %s a/1", digest);
    put("ended", "1", digest);
    assert_int_equal(ping(ID), 404);
    assert_int_equal(ping("short"), 404);
    cached.count = 1;
    assert_int_equal(ping(ID), 200);
    free(digest);
}

/* Each process goes on with the sessions that it knows. */
static void a_cache_that_is_away_ends_no_session(void **state)
{
    char *digest = digest_of_nobody(), *session = legacy_open("2025-11-25", "{}"), *later;

    (void)state;
    put("session", "1 2025-06-18 0 8 %s a/1", digest);
    cached.status = BP_UNAVAILABLE;
    assert_int_equal(ping(session), 200);
    assert_int_equal(ping(ID), 404);
    later = legacy_open("2025-11-25", "{}");
    assert_int_equal(ping(later), 200);
    free(digest);
    free(session);
    free(later);
}

static void sessions_are_kept_to_oneself_where_the_conf_says_so(void **state)
{
    char *session;

    (void)state;
    conf.server.mcp.share_sessions = false;
    session = legacy_open("2025-11-25", "{}");
    assert_int_equal(cached.count, 0);
    assert_int_equal(ping(session), 200);
    conf.server.mcp.share_sessions = true;
    api.is_private = true;
    free(session);
    session = legacy_open("2025-11-25", "{}");
    assert_int_equal(cached.count, 0);
    api.is_private = false;
    free(session);
}

/* Now and then it is asked whether another process ended it, and the others are told that it is
 * used. */
static void what_is_known_here_is_checked_now_and_then(void **state)
{
    char           *id = legacy_open("2025-11-25", "{}"), *ended = formatted("mcp:ended:%s", id);
    bp_principal    nobody = { .struct_size = sizeof(nobody), .tenant = BP_STR("default") };
    struct session *session = session_find(world_kept->sessions, bp_str_of(id), &nobody);

    (void)state;
    assert_non_null(session);
    cached.count = 0;
    session->checked_ns -= BP_SECONDS(SHARE_CHECK_S + 1);
    assert_int_equal(ping(id), 200);
    assert_int_equal(cached.count, 0); // it was shared not long ago
    session->checked_ns -= BP_SECONDS(SHARE_CHECK_S + 1);
    session->shared_ns -= BP_SECONDS(451);
    assert_int_equal(ping(id), 200);
    assert_int_equal(cached.count, 1);
    assert_true(clock_now_ns() - session->shared_ns < BP_SECONDS(400));
    snprintf(cached.keys[1], sizeof(cached.keys[1]), "%s", ended);
    cached.count = 2;
    session->checked_ns -= BP_SECONDS(SHARE_CHECK_S + 1);
    assert_int_equal(ping(id), 404);
    assert_false(session->is_open);
    session_release(world_kept->sessions, session);
    free(id);
    free(ended);
}

#define WITH_KEYS(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, set_up_with_keys, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEYS(a_scope_that_is_missing_is_named),
        WITH_KEYS(scopes_of_all_tables_are_put_together),
        WITH_KEYS(sessions_and_tasks_belong_to_the_key_that_opened_them),
        WITH_KEYS(a_state_belongs_to_its_key_and_to_all_processes_of_one_secret),
        cmocka_unit_test(only_the_same_secret_opens_a_state),
        WORLD_TEST(a_session_is_told_to_the_others_and_so_is_its_end),
        WORLD_TEST(a_session_of_another_process_is_taken_over),
        WORLD_TEST(a_record_that_is_not_good_opens_nothing),
        WORLD_TEST(a_cache_that_is_away_ends_no_session),
        WORLD_TEST(sessions_are_kept_to_oneself_where_the_conf_says_so),
        WORLD_TEST(what_is_known_here_is_checked_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
