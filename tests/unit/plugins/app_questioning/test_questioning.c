/* test_questioning.c - the app `questioning` on a real SQLite file and vector store, with a
 * provider that follows a script. */
#include "plugins/app_test.h"

#include <sqlite3.h>

enum { SCRIPT_MAX = 16 };

static testhost_instance *vectors, *embedder;
static const char *script[SCRIPT_MAX]; /* what the model answers; NULL: it cannot be reached */
static size_t      script_length, script_at;
static char        prompts[SCRIPT_MAX][20000];

static bp_status chat(bp_call *asked, void *self, const bp_chat *chat, const bp_chat_sink *sink,
                      bp_chat_result *result)
{
    const char *text = script_at < script_length ? script[script_at] : NULL;
    bp_delta    delta = { .struct_size = sizeof(delta),
                          .type = BP_DELTA_TEXT,
                          .text = bp_str_of(text) };

    (void)self;
    assert_int_equal(chat->message_count, 2);
    assert_true(chat->temperature == 0.7);
    if (script_at < SCRIPT_MAX)
        snprintf(prompts[script_at], sizeof(prompts[0]), BP_FMT, BP_ARG(chat->messages[1].text));
    script_at++;
    if (!text)
        return bp_fail(asked, BP_UNAVAILABLE, "the model is gone");
    result->input_tokens = 7;
    result->output_tokens = 3;
    return sink->delta(asked, sink->self, &delta);
}

static const bp_llm_ops llm_ops = { .struct_size = sizeof(bp_llm_ops), .chat = chat };

static void script_is(size_t count, const char *const *answers)
{
    for (size_t i = 0; i < count; i++)
        script[i] = answers[i];
    script_length = count;
    script_at = 0;
}
#define SCRIPT(...)                                                                                \
    script_is(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),                            \
              (const char *[]){ __VA_ARGS__ })

static testhost_instance *load(const char *file, const char *name, const testhost_option *given,
                               size_t count)
{
    const bp_plugin   *loaded = testhost_load(host, file);
    testhost_instance *made = loaded ? testhost_instance_create(host, loaded, name, given, count)
                                     : NULL;

    if (!made)
        print_error("%s\n", testhost_problem(host));
    return made;
}

static int setup_host(void)
{
    const testhost_option path[] = { { "path", "points" } };

    if (open_host(BP_PLUGIN_DIR "/app/questioning.so") != 0 || open_storage() != 0)
        return -1;
    vectors = load(BP_PLUGIN_DIR "/vector/local.so", "points", path, 1);
    embedder = load(BP_PLUGIN_DIR "/embed/hash.so", "words", NULL, 0);
    testhost_add_peer(host, "scripted", "llm", BP_KIND_VERSION_llm, &llm_ops, NULL);
    script_length = script_at = 0;
    return vectors && embedder ? 0 : -1;
}

static int setup(void **state)
{
    static const testhost_option options[] = { { "storage", "main" },
                                               { "vector", "points" },
                                               { "embed", "words" } };

    (void)state;
    if (setup_host() != 0)
        return -1;
    start_app("questioning", options, 3);
    return 0;
}

static int setup_model(void **state)
{
    static const testhost_option options[] = {
        { "storage", "main" }, { "vector", "points" }, { "embed", "words" }, { "llm", "scripted" }
    };

    (void)state;
    if (setup_host() != 0)
        return -1;
    start_app("questioning", options, 4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    principal.tenant = BP_STR("default");
    stop();
    testhost_instance_destroy(vectors);
    testhost_instance_destroy(embedder);
    return close_app_host();
}

/* ---- what the tests look at ---- */

static bp_str text_of(const bp_json *json, const char *key)
{
    return bp_json_string(bp_json_get(json, key));
}

static int64_t number_of(const bp_json *json, const char *key)
{
    return bp_json_integer(bp_json_get(json, key));
}

static void assert_text(const bp_json *json, const char *key, const char *wanted)
{
    if (!bp_str_is(text_of(json, key), wanted))
        fail_msg("%s is \"" BP_FMT "\", not \"%s\"", key, BP_ARG(text_of(json, key)), wanted);
}

static const bp_json *post(const char *path, const char *body, int32_t status)
{
    testhost_reply reply = request("POST", path, body);

    if (reply.http_status != status)
        fail_msg("%s answers %d, not %d: " BP_FMT, path, reply.http_status, status,
                 BP_ARG(reply.http_status ? reply.body : bp_error_of(call)->message));
    return parsed(reply.body);
}

static const bp_json *get(const char *path)
{
    testhost_reply reply = request("GET", path, "");

    assert_int_equal(reply.http_status, 200);
    return parsed(reply.body);
}

static const bp_json *batch_metadata(const bp_json *answer)
{
    return bp_json_get(bp_json_get(answer, "metadata"), "batch_metadata");
}

static int64_t run_sql(const char *sql)
{
    sqlite3_stmt *statement;
    sqlite3      *db;
    char          path[256];
    int64_t       value = -1;

    snprintf(path, sizeof(path), "%s/app.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static uint64_t count_points(void)
{
    const bp_peer        *peer = testhost_peer(vectors);
    const bp_vector_info *infos;
    size_t                count = 0;

    next_call();
    assert_ok(bp_vector_of(peer)->list(call, peer->instance, &infos, &count));
    assert_int_equal(count, 1); // its name carries a hash of the deployment and the model
    assert_true(bp_str_starts(infos[0].name, "sequential_questioning."));
    return infos[0].count;
}

#define QUESTION  "/mcp-internal/question"
#define FOLLOW_UP "/mcp-internal/question/follow-up"
#define AUTOMATIC "/mcp-internal/question/automatic"
#define SINGLE    "/mcp/sequential-questioning"
#define TRAVEL    "\"user_id\":\"u1\",\"context\":\"Travel insurance for a family\""
#define ANSWERED                                                                                   \
    "\"previous_messages\":[{\"role\":\"assistant\",\"content\":\"Where "                          \
    "to?\"},{\"role\":\"user\",\"content\":\"To "                                                  \
    "France and Spain\"}]"

/* ---- without a model ---- */

static void the_batch_without_a_model_has_five_themes_in_their_order(void **state)
{
    const bp_json *answer = post(QUESTION, "{" TRAVEL "}", 200),
                  *metadata = bp_json_get(answer, "metadata");

    (void)state;
    assert_text(answer, "current_question",
                "1. What are your main goals for Travel?\n2. Which challenges do you expect "
                "with "
                "Travel?\n"
                "3. Which resources do you have for Travel?\n4. How will you measure progress with "
                "Travel?\n"
                "5. Is there anything else that should be known about Travel?");
    assert_int_equal(bp_json_count(bp_json_get(answer, "questions")), 5);
    assert_int_equal(number_of(answer, "current_question_number"), 1);
    assert_int_equal(number_of(answer, "total_questions_in_batch"), 5);
    assert_int_equal(number_of(answer, "total_questions_estimated"), 8);
    assert_true(bp_json_bool(bp_json_get(answer, "next_batch_needed")));
    assert_int_equal(text_of(answer, "conversation_id").len, 36);
    assert_int_equal(text_of(answer, "session_id").len, 36);
    assert_text(metadata, "question_type", "initial");
    assert_false(bp_json_bool(bp_json_get(metadata, "context_enhanced")));
    assert_true(bp_json_bool(bp_json_get(batch_metadata(answer), "fallback_generation")));
    assert_text(batch_metadata(answer), "fallback_reason", "no_model");
    assert_int_equal(number_of(batch_metadata(answer), "ending_question_number"), 5);
    assert_true(
        bp_json_get(bp_json_get(bp_json_at(bp_json_get(answer, "questions"), 4), "metadata"),
                    "importance") != NULL);
    assert_int_equal(run_sql("SELECT count(*) FROM messages WHERE message_type = 'question' AND "
                             "is_indexed = 1"),
                     5);
    assert_int_equal(run_sql("SELECT sum(sequence_number = json_extract(message_metadata, "
                             "'$.question_number')) FROM messages"),
                     5);
    assert_int_equal(count_points(), 5);
    answer = post(QUESTION, "{\"context\":\"  Bees, mostly\"}", 200);
    assert_text(bp_json_at(bp_json_get(answer, "questions"), 0), "question_text",
                "What are your main goals for Bees?");
    answer = post(QUESTION, "{\"context\":\"...\"}", 200);
    assert_text(bp_json_at(bp_json_get(answer, "questions"), 0), "question_text",
                "What are your main goals for this topic?");
}

static void a_follow_up_goes_on_and_keeps_the_answers_once(void **state)
{
    const bp_json *answer = post(QUESTION, "{" TRAVEL "}", 200);
    char           body[1000];

    (void)state;
    snprintf(body, sizeof(body),
             "{\"conversation_id\":\"" BP_FMT "\",\"context\":\"Travel insurance\"," ANSWERED "}",
             BP_ARG(text_of(answer, "conversation_id")));
    answer = post(FOLLOW_UP, body, 200);
    assert_int_equal(number_of(answer, "current_question_number"), 6);
    assert_int_equal(bp_json_count(bp_json_get(answer, "questions")), 3);
    assert_text(bp_json_get(answer, "metadata"), "question_type", "follow_up");
    assert_false(bp_json_bool(bp_json_get(answer, "next_batch_needed"))); // 9 is not below 8
    assert_int_equal(number_of(answer, "total_questions_estimated"), 11);
    answer = post(QUESTION, body, 200);
    assert_int_equal(number_of(answer, "current_question_number"), 9);
    assert_int_equal(run_sql("SELECT count(*) FROM messages WHERE message_type = 'answer'"), 1);
    assert_int_equal(run_sql("SELECT count(*) FROM messages"), 12);
    assert_int_equal(run_sql("SELECT count(DISTINCT sequence_number) = 12 AND max(sequence_number) "
                             "= 12 FROM messages"),
                     1);
    assert_int_equal(run_sql("SELECT count(DISTINCT content) FROM messages WHERE message_type = "
                             "'question'"),
                     10);
    assert_int_equal(run_sql("SELECT count(*) FROM user_sessions"), 1);
    assert_int_equal(count_points(), 12);
}

static void a_follow_up_without_a_conversation_begins_one(void **state)
{
    const bp_json *answer = post(FOLLOW_UP, "{" ANSWERED "}", 200);

    (void)state;
    assert_int_equal(number_of(answer, "current_question_number"), 6);
    assert_int_equal(run_sql("SELECT count(*) FROM messages WHERE message_type = 'question'"), 8);
    assert_text(bp_json_at(bp_json_get(answer, "questions"), 0), "question_text",
                "Which of your goals for this topic matters most, and by when?");
    answer = post(FOLLOW_UP, "{\"previous_messages\":[]}", 400);
    assert_non_null(strstr(text_of(answer, "detail").data, "previous_messages"));
    assert_text(bp_json_get(answer, "error"), "code", "invalid");
}

static void automatic_rounds_end_where_they_should(void **state)
{
    const bp_json *answer = post(AUTOMATIC, "{" TRAVEL "}", 200);

    (void)state;
    assert_int_equal(bp_json_type_of(bp_json_get(answer, "follow_up_questions")), BP_JSON_NULL);
    assert_int_equal(number_of(answer, "total_questions"), 5);
    answer = post(AUTOMATIC, "{\"user_id\":\"u2\",\"max_rounds\":3," ANSWERED "}", 200);
    // 3 questions, then 3 more, then 3: 4 < 8, 7 < 8.
    assert_int_equal(bp_json_count(bp_json_get(answer, "follow_up_questions")), 2);
    assert_int_equal(number_of(answer, "total_questions"), 9);
    assert_int_equal(number_of(bp_json_get(answer, "metadata"), "rounds_generated"), 3);
    assert_non_null(strstr(text_of(answer, "all_questions_combined").data, "\n9. "));
    answer = post(AUTOMATIC, "{\"user_id\":\"u3\",\"auto_handle_follow_up\":false," ANSWERED "}",
                  200);
    assert_int_equal(number_of(bp_json_get(answer, "metadata"), "rounds_generated"), 1);
    answer = post(AUTOMATIC, "{\"user_id\":\"u4\",\"max_rounds\":null," ANSWERED "}", 200);
    assert_int_equal(number_of(bp_json_get(answer, "metadata"), "rounds_generated"), 2);
}

static void the_single_question_starts_a_conversation_unless_one_is_named(void **state)
{
    const bp_json *answer = post(SINGLE, "{" TRAVEL ",\"previous_messages\":[]}", 200);
    char           body[1000];

    (void)state;
    assert_text(answer, "question", "What are your main goals for Travel?");
    assert_text(bp_json_get(answer, "metadata"), "question_type", "initial");
    snprintf(body, sizeof(body),
             "{" TRAVEL ",\"session_id\":\"" BP_FMT "\",\"conversation_id\":\"" BP_FMT
             "\"," ANSWERED "}",
             BP_ARG(text_of(answer, "session_id")), BP_ARG(text_of(answer, "conversation_id")));
    answer = post("/mcp/v1/sequential-questioning", body, 200);
    assert_int_equal(number_of(bp_json_get(answer, "metadata"), "question_number"), 2);
    assert_int_equal(run_sql("SELECT count(*) FROM conversations"), 1);
    post(SINGLE, "{" TRAVEL "}", 200);
    assert_int_equal(run_sql("SELECT count(*) FROM conversations"), 2);
    assert_int_equal(run_sql("SELECT count(*) FROM user_sessions"), 1);
}

/* ---- sessions ---- */

static void a_users_conversation_is_found_again_and_anothers_is_not(void **state)
{
    const bp_json *answer = post(QUESTION, "{" TRAVEL "}", 200);
    char           body[300], session[37], conversation[37];

    (void)state;
    snprintf(session, sizeof(session), BP_FMT, BP_ARG(text_of(answer, "session_id")));
    snprintf(conversation, sizeof(conversation), BP_FMT,
             BP_ARG(text_of(answer, "conversation_id")));
    answer = post(QUESTION,
                  "{\"user_id\":\"u1\",\"conversation_id\":\"unknown\",\"session_id\":\"unknown\"}",
                  200);
    assert_text(answer, "conversation_id", conversation);
    snprintf(body, sizeof(body), "{\"session_id\":\"%s\"}", session);
    assert_text(post(QUESTION, body, 200), "conversation_id", conversation);
    snprintf(body, sizeof(body),
             "{\"user_id\":\"u2\",\"conversation_id\":\"%s\",\"session_id\":\"%s\"}", conversation,
             session);
    assert_false(bp_str_is(text_of(post(QUESTION, body, 200), "session_id"), session));
    principal.tenant = BP_STR("other");
    snprintf(body, sizeof(body),
             "{\"user_id\":\"u1\",\"conversation_id\":\"%s\",\"session_id\":\"%s\"}", conversation,
             session);
    answer = post(QUESTION, body, 200);
    assert_false(bp_str_is(text_of(answer, "session_id"), session));
    assert_int_equal(number_of(answer, "current_question_number"), 1);
    assert_int_equal(number_of(get("/api/messages"), "total"), 5);
    snprintf(body, sizeof(body), "/api/sessions/%s", session);
    assert_int_equal(request("GET", body, "").status, BP_NOT_FOUND);
    assert_int_equal(request("DELETE", body, "").status, BP_NOT_FOUND);
    assert_int_equal(run_sql("SELECT count(*) FROM user_sessions"), 3);
}

static void a_body_of_a_wrong_shape_is_422_and_says_why(void **state)
{
    static const char *const bodies[][2] = {
        { "", "empty" },
        { "[]", "JSON object" },
        { "{", "not JSON" },
        { "{\"user_id\":7}", "user_id" },
        { "{\"context\":[]}", "context" },
        { "{\"previous_messages\":{}}", "previous_messages" },
        { "{\"previous_messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "role" },
        { "{\"previous_messages\":[{\"role\":\"user\"}]}", "content" },
        { "{\"metadata\":{\"a\":1}}", "metadata" },
        { "{\"max_rounds\":4}", "max_rounds" },
        { "{\"max_rounds\":0}", "max_rounds" },
        { "{\"max_rounds\":1.5}", "max_rounds" },
        { "{\"auto_handle_follow_up\":\"yes\"}", "auto_handle_follow_up" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const bp_json *answer = post(AUTOMATIC, bodies[i][0], 422);

        if (!text_of(answer, "detail").len || !strstr(text_of(answer, "detail").data, bodies[i][1]))
            fail_msg("%s: " BP_FMT, bodies[i][0], BP_ARG(text_of(answer, "detail")));
    }
    post(QUESTION,
         "{\"user_id\":null,\"conversation_id\":null,\"session_id\":null,\"context\":null,"
         "\"previous_messages\":null,\"metadata\":null,\"auto_follow_up\":null}",
         200);
    assert_int_equal(run_sql("SELECT count(*) FROM messages"), 5);
}

/* ---- what models write ---- */

#define ITEM(n)                                                                                    \
    "{\"question_text\":\"Q" n "?\",\"importance_explanation\":\"I" n                              \
    "\",\"information_to_look_for\":\"L" n "\"}"
#define FIVE     "[" ITEM("1") "," ITEM("2") "," ITEM("3") "," ITEM("4") "," ITEM("5") "]"
#define ESTIMATE "{\"next_batch_needed\": false, \"total_questions_estimated\": 6}"

static void assert_questions(const bp_json *answer, const char *const *wanted, size_t count)
{
    const bp_json *questions = bp_json_get(answer, "questions");

    assert_int_equal(bp_json_count(questions), count);
    for (size_t i = 0; i < count; i++)
        assert_text(bp_json_at(questions, i), "question_text", wanted[i]);
    assert_null(bp_json_get(batch_metadata(answer), "fallback_generation"));
}
#define ASSERT_QUESTIONS(answer, ...)                                                              \
    assert_questions(answer, (const char *[]){ __VA_ARGS__ },                                      \
                     sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))

static void a_model_writes_the_questions_and_the_estimate(void **state)
{
    const bp_json *answer, *first;

    (void)state;
    SCRIPT(FIVE, ESTIMATE);
    answer = post(QUESTION, "{" TRAVEL ",\"metadata\":{\"channel\":\"web\"}}", 200);
    ASSERT_QUESTIONS(answer, "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    first = bp_json_get(bp_json_at(bp_json_get(answer, "questions"), 0), "metadata");
    assert_text(first, "importance", "I1");
    assert_text(first, "information_to_look_for", "L1");
    assert_false(bp_json_bool(bp_json_get(answer, "next_batch_needed")));
    assert_int_equal(number_of(answer, "total_questions_estimated"), 6);
    assert_int_equal(script_at, 2);
    assert_non_null(strstr(prompts[0], "Travel insurance for a family"));
    assert_non_null(strstr(prompts[1], "5. Q5?"));
    assert_int_equal(run_sql("SELECT count(*) FROM messages WHERE json_extract(message_metadata, "
                             "'$.request_metadata.channel') = 'web'"),
                     5);
    SCRIPT("[" ITEM("6") "," ITEM("7") "," ITEM("8") "]", "no idea");
    answer = post(QUESTION, "{" TRAVEL "," ANSWERED "}", 200);
    ASSERT_QUESTIONS(answer, "Q6?", "Q7?", "Q8?");
    assert_int_equal(number_of(answer, "total_questions_estimated"), 11); // by the formula
    assert_non_null(strstr(prompts[0], "User: To France and Spain"));
    assert_non_null(strstr(prompts[0], "Assistant: Where to?"));
    assert_non_null(strstr(prompts[0], "- Q1?"));
}

static void assert_repaired(const char *written, const char *const *wanted)
{
    const char *answers[] = { written, ESTIMATE };

    script_is(2, answers);
    assert_questions(post(QUESTION, "{\"context\":\"Bees and honey\"}", 200), wanted, 5);
}
#define REPAIRED(written, ...) assert_repaired(written, (const char *[]){ __VA_ARGS__ })

static void what_a_model_meant_is_understood(void **state)
{
    static const char more[] = "Could you say more about Bees?";

    (void)state;
    REPAIRED("```json\n" FIVE "\n```", "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    REPAIRED("Here you are:\n```\n" FIVE "\n```\nGood luck [1]!", "Q1?", "Q2?", "Q3?", "Q4?",
             "Q5?");
    REPAIRED("```json " FIVE "```", "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    REPAIRED("I think of [1] these: " FIVE " and no more", "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    REPAIRED("{\"questions\":" FIVE "}", "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    REPAIRED(ITEM("1"), "Q1?", more, more, more, more);
    REPAIRED("[{\"Question\":\"A?\"},{\"the_question_is\":\"B?\"},{\"text\":\"C?\"},\"D?\"]", "A?",
             "B?", "Question #3", "D?", more);
    REPAIRED("[" ITEM("1") "," ITEM("2") "," ITEM("3") "," ITEM("4") "," ITEM("5") "," ITEM(
                 "6") "]",
             "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    REPAIRED("[" ITEM("1") "," ITEM("2") "]", "Q1?", "Q2?", more, more, more);
}

static void an_answer_without_questions_gives_the_fixed_batch(void **state)
{
    static const char *const answers[] = { "",
                                           "I cannot do that.",
                                           "[]",
                                           "[1, 2]",
                                           "\"text\"",
                                           "{\"questions\":[]}",
                                           "```json\n[{\n```",
                                           "[{\"question_text\": \"cut of" };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const bp_json *answer;

        script_is(1, &answers[i]);
        answer = post(QUESTION, "{\"context\":\"Bees\"}", 200);
        if (!bp_str_is(text_of(batch_metadata(answer), "fallback_reason"), "malformed_answer"))
            fail_msg("%s: " BP_FMT, answers[i], BP_ARG(bp_json_text(call, answer)));
        assert_text(bp_json_at(bp_json_get(answer, "questions"), 0), "question_text",
                    "What are your main goals for Bees?");
        assert_int_equal(script_at, 1); // malformed is not asked for again
    }
}

static void a_model_that_is_gone_is_tried_three_times_and_replaced(void **state)
{
    const bp_json *answer;
    int64_t        started_ns = bp_now_ns();

    (void)state;
    SCRIPT(NULL, NULL, FIVE, ESTIMATE);
    ASSERT_QUESTIONS(post(QUESTION, "{}", 200), "Q1?", "Q2?", "Q3?", "Q4?", "Q5?");
    assert_true(bp_now_ns() - started_ns >= BP_MILLISECONDS(1500) &&
                bp_now_ns() - started_ns < BP_MILLISECONDS(1600));
    SCRIPT(NULL, NULL, NULL);
    answer = post(AUTOMATIC, "{\"max_rounds\":3," ANSWERED "}", 200);
    assert_int_equal(script_at, 3); // not once more for the rounds that follow
    assert_text(batch_metadata(bp_json_get(answer, "initial_questions")), "fallback_reason",
                "model_unavailable");
    assert_int_equal(number_of(bp_json_get(answer, "metadata"), "rounds_generated"), 3);
    assert_true(testhost_log_has(host, "model_failed"));
    assert_true(testhost_metric(host, "questioning_fallbacks_total", "reason=model_unavailable") ==
                3);
}

static void earlier_messages_of_the_conversation_are_shown_to_the_model(void **state)
{
    const bp_json *answer;

    (void)state;
    SCRIPT("[{\"question_text\":\"Which countries do you visit, France or Italy?\"}]", ESTIMATE);
    post(SINGLE, "{\"user_id\":\"other\",\"context\":\"x\"}", 200);
    SCRIPT("[{\"question_text\":\"Do you visit France by train?\"}]", ESTIMATE);
    post(QUESTION, "{" TRAVEL "}", 200);
    SCRIPT("[" ITEM("6") "]", ESTIMATE);
    answer = post(QUESTION,
                  "{" TRAVEL
                  ",\"previous_messages\":[{\"role\":\"user\",\"content\":\"We visit France\"}]}",
                  200);
    assert_true(bp_json_bool(bp_json_get(bp_json_get(answer, "metadata"), "context_enhanced")));
    assert_non_null(
        strstr(prompts[0], "Additional relevant information:\n- Do you visit France by train?"));
    assert_null(strstr(prompts[0], "Italy")); // of another conversation
}

/* ---- the client's model ---- */

static void a_client_that_lends_its_model_is_asked(void **state)
{
    testhost_mcp_reply reply;
    const bp_json     *answer;

    (void)state;
    testhost_mcp_answer(host, "questions_1",
                        "{\"role\":\"assistant\",\"model\":\"m\",\"content\":{\"type\":\"text\","
                        "\"text\":\"[{\\\"question_text\\\":\\\"Sampled?\\\"}]\"}}");
    reply = tool("sequential_questioning", "{" TRAVEL "}");
    assert_ok(reply.status);
    answer = bp_json_get(parsed(reply.result), "structuredContent");
    assert_text(bp_json_at(bp_json_get(answer, "questions"), 0), "question_text", "Sampled?");
    assert_int_equal(bp_json_count(bp_json_get(answer, "questions")), 5);
    assert_non_null(strstr(reply.sent.data, "sampling/createMessage"));
    // The question of the second round has no answer: the fixed batch takes its place.
    answer = result_of("sequential_questioning_follow_up", "{" ANSWERED "}");
    assert_text(batch_metadata(answer), "fallback_reason", "model_unavailable");
}

static void tools_say_what_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(tool("sequential_questioning_follow_up", "{}").status, BP_INVALID);
    assert_said("previous_messages with the user's answers are required");
    assert_int_equal(number_of(result_of("sequential_questioning_automatic", "{" TRAVEL "}"),
                               "total_questions"),
                     5);
}

/* ---- records ---- */

static void records_are_made_read_changed_and_deleted(void **state)
{
    const bp_json *record = post("/api/sessions", "{\"user_identifier\":\"ann\",\"context\":\"c\"}",
                                 201);
    char           path[100], body[400], session[37], conversation[37];

    (void)state;
    snprintf(session, sizeof(session), BP_FMT, BP_ARG(text_of(record, "id")));
    assert_true(bp_json_bool(bp_json_get(record, "is_active")));
    snprintf(body, sizeof(body), "{\"user_session_id\":\"%s\"}", session);
    record = post("/api/conversations", body, 201);
    snprintf(conversation, sizeof(conversation), BP_FMT, BP_ARG(text_of(record, "id")));
    assert_int_equal(bp_json_type_of(bp_json_get(record, "topic")), BP_JSON_NULL);
    snprintf(body, sizeof(body),
             "{\"conversation_id\":\"%s\",\"message_type\":\"answer\",\"content\":\"blue whales\","
             "\"message_metadata\":{\"a\":[1]}}",
             conversation);
    assert_int_equal(number_of(post("/api/messages", body, 201), "sequence_number"), 1);
    record = post("/api/messages", body, 201);
    assert_int_equal(number_of(record, "sequence_number"), 2);
    assert_json(bp_json_get(record, "message_metadata"), "{\"a\":[1]}");
    snprintf(path, sizeof(path), "/api/messages/" BP_FMT, BP_ARG(text_of(record, "id")));
    assert_int_equal(request("PATCH", path, "{\"sequence_number\":1}").status, BP_CONFLICT);
    assert_int_equal(request("PUT", path, "{\"content\":\"red foxes\",\"message_metadata\":null}")
                         .http_status,
                     200);
    assert_text(get(path), "content", "red foxes");
    assert_int_equal(request("PATCH", path, "{\"content\":null}").http_status, 422);
    assert_int_equal(count_points(), 2);
    snprintf(path, sizeof(path), "/api/conversations/%s/deactivate", conversation);
    assert_false(bp_json_bool(bp_json_get(post(path, "", 200), "is_active")));
    assert_int_equal(number_of(get("/api/conversations?is_active=true"), "total"), 0);
    snprintf(path, sizeof(path), "/api/sessions/%s", session);
    assert_int_equal(request("DELETE", path, "").http_status, 204);
    assert_int_equal(request("GET", path, "").status, BP_NOT_FOUND);
    assert_int_equal(run_sql("SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM "
                             "conversations) + (SELECT count(*) FROM questioning_garbage)"),
                     0);
    assert_int_equal(count_points(), 0);
}

static void lists_are_paged_and_filtered(void **state)
{
    const bp_json *page;
    char           body[60];

    (void)state;
    for (int i = 0; i < 12; i++) {
        snprintf(body, sizeof(body), "{\"user_identifier\":\"user %d\"}", i % 3);
        post("/api/sessions", body, 201);
    }
    page = get("/api/sessions?skip=10&limit=5");
    assert_int_equal(number_of(page, "total"), 12);
    assert_int_equal(bp_json_count(bp_json_get(page, "items")), 2);
    page = get("/api/sessions?user_identifier=user%201&limit=3&order=desc");
    assert_int_equal(number_of(page, "total"), 4);
    assert_int_equal(bp_json_count(bp_json_get(page, "items")), 3);
    assert_int_equal(request("GET", "/api/sessions?limit=0", "").http_status, 422);
    assert_int_equal(request("GET", "/api/sessions?skip=-1", "").http_status, 422);
    assert_int_equal(request("GET", "/api/sessions?is_active=maybe", "").http_status, 422);
    post("/api/conversations", "{}", 422);
    app_call();
    assert_int_equal(request("POST", "/api/conversations", "{\"user_session_id\":\"none\"}").status,
                     BP_NOT_FOUND);
    post("/api/messages", "{\"message_type\":\"poem\"}", 422);
}

/* ---- numbers ---- */

static void the_numbers_have_every_promised_shape(void **state)
{
    const bp_json *numbers;

    (void)state;
    post(QUESTION, "{}", 200);
    post(QUESTION, "[]", 422);
    numbers = get("/mcp-internal/monitoring/metrics");
    assert_int_equal(number_of(numbers, "total_requests"), 2);
    assert_int_equal(number_of(numbers, "total_errors"), 1);
    assert_int_equal(number_of(numbers, "success_count"), 1);
    assert_true(bp_json_number(bp_json_get(numbers, "error_rate")) == 0.5);
    assert_int_equal(number_of(bp_json_get(numbers, "status_codes"), "422"), 1);
    assert_int_equal(number_of(bp_json_get(bp_json_get(numbers, "endpoints"),
                                           "sequential_questioning"),
                               "requests"),
                     2);
    assert_int_equal(number_of(bp_json_get(bp_json_get(numbers, "requests"), "by_endpoint"),
                               "sequential_questioning"),
                     2);
    assert_int_equal(number_of(bp_json_get(bp_json_get(numbers, "errors"), "by_type"), "invalid"),
                     1);
    assert_non_null(bp_json_get(bp_json_get(numbers, "response_times"), "p99"));
    assert_json(post("/mcp-internal/monitoring/reset", "", 200),
                "{\"status\":\"success\",\"message\":\"Metrics reset successfully\"}");
    assert_int_equal(number_of(get("/mcp-internal/monitoring/metrics"), "total_requests"), 0);
    assert_text(post("/mcp-internal/monitoring/metrics/reset", "", 200), "status", "success");
    assert_true(testhost_metric(host, "questioning_requests_total",
                                "endpoint=sequential_questioning,outcome=ok") == 1);
}

/* ---- what fails ---- */

static bp_status no_info(bp_call *failing, void *self, bp_embed_info *info)
{
    (void)self;
    (void)info;
    return bp_fail(failing, BP_UNAVAILABLE, "the embedder is gone");
}

static const bp_embed_ops failing_embed_ops = { .struct_size = sizeof(bp_embed_ops),
                                                .info = no_info };

static void a_vector_store_that_is_gone_costs_no_question(void **state)
{
    const testhost_option gone[] = { { "storage", "main" },
                                     { "vector", "points" },
                                     { "embed", "gone" } };

    (void)state;
    if (setup_host() != 0)
        fail();
    testhost_add_peer(host, "gone", "embed", BP_KIND_VERSION_embed, &failing_embed_ops, NULL);
    start_app("questioning", gone, 3);
    post(QUESTION, "{" TRAVEL "}", 200);
    post(QUESTION, "{" TRAVEL "," ANSWERED "}", 200);
    assert_int_equal(run_sql("SELECT count(*) FROM messages WHERE is_indexed = 0"), 9);
    assert_true(testhost_log_has(host, "messages_not_indexed"));
    // The same tables with an embedder that works: the job makes up for it.
    stop();
    {
        const testhost_option back[] = { { "storage", "main" },
                                         { "vector", "points" },
                                         { "embed", "words" } };

        start_app("questioning", back, 3);
    }
    testhost_advance(BP_SECONDS(20));
    testhost_run_jobs(host);
    assert_int_equal(run_sql("SELECT count(*) FROM messages WHERE is_indexed = 0"), 0);
    assert_int_equal(count_points(), 9);
}

static void vector_and_embed_go_together(void **state)
{
    const testhost_option half[] = { { "storage", "main" }, { "vector", "points" } },
                          none[] = { { "storage", "main" } };

    (void)state;
    if (setup_host() != 0)
        fail();
    assert_null(testhost_instance_create(host, plugin, "half", half, 2));
    assert_non_null(strstr(testhost_problem(host), "both `vector` and `embed`"));
    start_app("questioning", none, 1);
    post(QUESTION, "{" TRAVEL "}", 200);
    post(QUESTION, "{" TRAVEL "," ANSWERED "}", 200);
}

#define TEST(name)          cmocka_unit_test_setup_teardown(name, setup, teardown)
#define MODEL(name)         cmocka_unit_test_setup_teardown(name, setup_model, teardown)
#define WITHOUT_SETUP(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_batch_without_a_model_has_five_themes_in_their_order),
        TEST(a_follow_up_goes_on_and_keeps_the_answers_once),
        TEST(a_follow_up_without_a_conversation_begins_one),
        TEST(automatic_rounds_end_where_they_should),
        TEST(the_single_question_starts_a_conversation_unless_one_is_named),
        TEST(a_users_conversation_is_found_again_and_anothers_is_not),
        TEST(a_body_of_a_wrong_shape_is_422_and_says_why),
        MODEL(a_model_writes_the_questions_and_the_estimate),
        MODEL(what_a_model_meant_is_understood),
        MODEL(an_answer_without_questions_gives_the_fixed_batch),
        MODEL(a_model_that_is_gone_is_tried_three_times_and_replaced),
        MODEL(earlier_messages_of_the_conversation_are_shown_to_the_model),
        TEST(a_client_that_lends_its_model_is_asked),
        TEST(tools_say_what_is_wrong),
        TEST(records_are_made_read_changed_and_deleted),
        TEST(lists_are_paged_and_filtered),
        TEST(the_numbers_have_every_promised_shape),
        WITHOUT_SETUP(a_vector_store_that_is_gone_costs_no_question),
        WITHOUT_SETUP(vector_and_embed_go_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
