/* test_journal.c - the app `journal` on a real SQLite file and a real vector store: sessions,
 * reflections, days, memory. */
#include "plugins/app_test.h"

#include <sqlite3.h>

static testhost_instance *vectors, *embedder;

static const testhost_option options[] = { { "storage", "main" },
                                           { "vector", "memories" },
                                           { "embed", "words" } };

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

static int setup_host(void **state)
{
    const testhost_option path[] = { { "path", "memories" } };

    (void)state;
    if (open_host(BP_PLUGIN_DIR "/app/journal.so") != 0 || open_storage() != 0)
        return -1;
    vectors = load(BP_PLUGIN_DIR "/vector/local.so", "memories", path, 1);
    embedder = load(BP_PLUGIN_DIR "/embed/hash.so", "words", NULL, 0);
    return vectors && embedder ? 0 : -1;
}

static int setup(void **state)
{
    if (setup_host(state) != 0)
        return -1;
    start_app("journal", options, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    principal.tenant = BP_STR("default");
    principal.id = BP_STR("");
    stop();
    testhost_instance_destroy(vectors);
    testhost_instance_destroy(embedder);
    return close_app_host();
}

static bp_str text_of(const bp_json *json, const char *key)
{
    return bp_json_string(bp_json_get(json, key));
}

static void assert_text(const bp_json *json, const char *key, const char *wanted)
{
    if (!bp_str_is(text_of(json, key), wanted))
        fail_msg("%s is \"" BP_FMT "\", not \"%s\"", key, BP_ARG(text_of(json, key)), wanted);
}

static void assert_refused(const char *name, const char *arguments, const char *error)
{
    const bp_json *result = result_of(name, arguments);

    assert_false(bp_json_bool(bp_json_get(result, "success")));
    assert_text(result, "error", error);
}

static const bp_json *resource(const char *uri)
{
    testhost_mcp_reply reply;

    app_call();
    reply = testhost_read_resource(call, instance, uri);
    assert_ok(reply.status);
    return parsed(text_of(bp_json_at(bp_json_get(parsed(reply.result), "contents"), 0), "text"));
}

static bp_str prompt(const char *name, const char *arguments)
{
    testhost_mcp_reply reply;

    app_call();
    reply = testhost_get_prompt(call, instance, name, arguments);
    assert_ok(reply.status);
    return text_of(bp_json_get(bp_json_at(bp_json_get(parsed(reply.result), "messages"), 0),
                               "content"),
                   "text");
}

/* What an operator does with sqlite3; the first column of the first row. */
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

/* ---- sessions ---- */

static void a_session_begins_once_and_ends_once(void **state)
{
    const bp_json *result = result_of("start_working_on", "{\"task\":\"  write tests  \"}");

    (void)state;
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_text(result, "task", "write tests");
    assert_int_equal(text_of(result, "started_at").len, 20);
    assert_refused("start_working_on", "{\"task\":\"another\"}",
                   "Session already active: write tests");
    assert_true(testhost_metric(host, "mcp_journal_sessions_active", "") == 1);
    testhost_advance(BP_SECONDS(600));
    result = result_of("end_work_session",
                       "{\"what_i_learned\":[\"a\",\"b\"],\"challenges_faced\":[\"c\"]}");
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_int_equal(bp_json_integer(bp_json_get(result, "duration_minutes")), 10);
    assert_text(result, "reflection", ""); // too short for one
    assert_refused("end_work_session", "{}", "No active work session found");
    assert_true(testhost_metric(host, "mcp_journal_sessions_active", "") == 0);
    assert_true(testhost_metric(host, "mcp_journal_sessions_total", "status=success") == 1);
    assert_true(testhost_metric(host, "mcp_journal_sessions_total", "status=failed") == 0);
    assert_true(testhost_metric(host, "mcp_journal_learnings_captured_total", "") == 2);
    assert_true(testhost_metric(host, "mcp_journal_challenges_noted_total", "") == 1);
    assert_true(
        testhost_metric(host, "mcp_journal_reflections_generated_total", "status=skipped") == 1);
}

static void a_task_must_be_there_and_short(void **state)
{
    char arguments[1200] = "{\"task\":\"";

    (void)state;
    assert_refused("start_working_on", "{\"task\":\"   \"}", "Task description is required");
    for (int i = 0; i < 501; i++)
        strcat(arguments, "\xC3\xBC");
    strcat(arguments, "\"}");
    assert_refused("start_working_on", arguments,
                   "Task description is too long: at most 500 characters are allowed");
    strcpy(arguments + strlen(arguments) - 4, "\"}"); // 500 are allowed
    assert_true(bp_json_bool(bp_json_get(result_of("start_working_on", arguments), "success")));
    assert_refused("end_work_session", "{\"what_i_learned\":[1,2,3,4,5,6,7,8,9,10,11]}",
                   "what_i_learned has 11 members, at most 10 are allowed");
}

static void the_times_are_what_julianday_reads(void **state)
{
    (void)state;
    result_of("start_working_on", "{\"task\":\"stuck\"}");
    run_sql("UPDATE work_sessions SET start_time = datetime(start_time, '-9 hours')");
    assert_int_equal(run_sql("SELECT CAST((julianday(start_time, '+9 hours', '+30 seconds') - "
                             "julianday(start_time)) * 24 AS INTEGER) FROM work_sessions"),
                     9);
    assert_int_equal(run_sql("SELECT julianday(start_time) IS NOT NULL AND end_time IS NULL FROM "
                             "work_sessions"),
                     1);
}

static void a_session_that_crosses_midnight_ends_as_any_other(void **state)
{
    const bp_json *result;

    (void)state;
    result_of("start_working_on", "{\"task\":\"a long night\"}");
    run_sql("UPDATE work_sessions SET start_time = datetime(start_time, '-1 day')");
    result = result_of("end_work_session", "{\"quick_note\":\"at last\"}");
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_int_equal(bp_json_integer(bp_json_get(result, "duration_minutes")), 1440);
    assert_text(result, "reflection", "Worked 24 h 0 min on: a long night.");
    assert_int_equal(run_sql("SELECT count(*) FROM work_sessions WHERE end_time IS NULL"), 0);
}

static void an_operator_may_end_a_session_by_hand(void **state)
{
    (void)state;
    result_of("start_working_on", "{\"task\":\"first\"}");
    run_sql("UPDATE work_sessions SET end_time = datetime('now') WHERE end_time IS NULL");
    assert_refused("end_work_session", "{}", "No active work session found");
    assert_true(bp_json_bool(
        bp_json_get(result_of("start_working_on", "{\"task\":\"second\"}"), "success")));
}

static void each_owner_and_tenant_has_a_session_of_its_own(void **state)
{
    (void)state;
    result_of("start_working_on", "{\"task\":\"mine\"}");
    principal.id = BP_STR("k2");
    assert_refused("end_work_session", "{}", "No active work session found");
    assert_true(bp_json_bool(
        bp_json_get(result_of("start_working_on", "{\"task\":\"yours\"}"), "success")));
    principal.tenant = BP_STR("other");
    assert_true(bp_json_bool(
        bp_json_get(result_of("start_working_on", "{\"task\":\"theirs\"}"), "success")));
    assert_non_null(strstr(prompt("active_session_prompt", "{}").data, "Task: theirs"));
    principal.tenant = BP_STR("default");
    principal.id = BP_STR("");
    assert_non_null(strstr(prompt("active_session_prompt", "{}").data, "Task: mine"));
    assert_true(testhost_metric(host, "mcp_journal_sessions_active", "") == 3);
}

static void
a_forgotten_session_ends_when_it_was_last_active_and_can_still_be_given_its_learnings(void **state)
{
    const bp_json *result;

    (void)state;
    result_of("start_working_on", "{\"task\":\"forgotten\"}");
    testhost_advance(BP_SECONDS(2400));
    result_of("capture_win", "{\"win\":\"still here\"}");
    testhost_advance(BP_SECONDS(7300));
    testhost_run_jobs(host);
    assert_int_equal(run_sql("SELECT CAST(round((julianday(end_time) - julianday(start_time)) * "
                             "1440) AS INTEGER) FROM work_sessions WHERE ended_by = 'idle'"),
                     40);
    assert_non_null(strstr(prompt("active_session_prompt", "{}").data, "# No Active Session"));
    result = result_of("end_work_session", "{\"what_i_learned\":[\"to end sessions\"]}");
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_int_equal(bp_json_integer(bp_json_get(result, "duration_minutes")), 40);
    assert_text(result, "reflection", "Worked 40 minutes on: forgotten. Learned: to end sessions.");
}

/* ---- reflections ---- */

static void work_for(const char *task, int64_t minutes)
{
    char arguments[256];

    snprintf(arguments, sizeof(arguments), "{\"task\":\"%s\"}", task);
    assert_true(bp_json_bool(bp_json_get(result_of("start_working_on", arguments), "success")));
    testhost_advance(BP_SECONDS(60 * minutes));
}

#define LEARNT                                                                                     \
    "{\"what_i_learned\":[\"x\",\"y\",\"z\",\"w\"],\"challenges_faced\":[\"p\",\"q\",\"r\"]}"

static void a_reflection_without_a_model_is_always_the_same(void **state)
{
    const bp_json *result;

    (void)state;
    work_for("parse headers", 90);
    result = result_of("end_work_session", LEARNT);
    assert_text(result, "reflection",
                "Worked 1 h 30 min on: parse headers. Learned: x; y. Challenges: p; q.");
    assert_true(
        testhost_metric(host, "mcp_journal_reflections_generated_total", "status=success") == 1);
    assert_true(testhost_metric(host, "mcp_journal_reflection_generation_seconds", "") == 1);
    assert_true(testhost_log_has(host, "generation_time_seconds="));
    assert_int_equal(run_sql("SELECT key_insights = '[\"x\",\"y\",\"z\"]' AND written_by = 'text' "
                             "FROM session_reflections"),
                     1);
    // The next one, on a like task, finds this one: what made the original fail.
    work_for("parse headers again", 45);
    result = result_of("end_work_session", "{}");
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_int_equal(run_sql("SELECT count(*) FROM session_reflections WHERE related_memories LIKE "
                             "'[\"reflection_%'"),
                     1);
}

static void the_clients_model_writes_the_reflection(void **state)
{
    testhost_mcp_reply reply;

    (void)state;
    testhost_mcp_answer(host, "reflection",
                        "{\"role\":\"assistant\",\"model\":\"m\",\"content\":{\"type\":\"text\","
                        "\"text\":\" I did it. \"}}");
    work_for("sampled", 31);
    reply = tool("end_work_session", LEARNT);
    assert_ok(reply.status);
    assert_text(bp_json_get(parsed(reply.result), "structuredContent"), "reflection", "I did it.");
    assert_non_null(strstr(reply.sent.data, "sampling/createMessage"));
    assert_non_null(strstr(reply.sent.data, "Task: sampled"));
    assert_int_equal(run_sql("SELECT written_by = 'sampling' FROM session_reflections"), 1);
}

static void a_model_that_fails_keeps_no_session_open(void **state)
{
    const bp_json *result;

    (void)state;
    testhost_mcp_answer(host, "something else", "{}"); // the client can sample, but does not answer
    work_for("unlucky", 60);
    result = result_of("end_work_session", "{}");
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_text(result, "reflection", "Worked 1 h 0 min on: unlucky.");
    assert_int_equal(run_sql("SELECT count(*) FROM work_sessions WHERE end_time IS NULL"), 0);
    assert_true(testhost_metric(host, "mcp_journal_reflections_generated_total", "status=failed") ==
                1);
    assert_true(testhost_log_has(host, "model_failed"));
}

static bp_status no_info(bp_call *failing, void *self, bp_embed_info *info)
{
    (void)self;
    (void)info;
    return bp_fail(failing, BP_UNAVAILABLE, "the embedder is gone");
}

static const bp_embed_ops failing_embed_ops = { .struct_size = sizeof(bp_embed_ops),
                                                .info = no_info };

static void a_vector_store_that_is_gone_keeps_no_session_open(void **state)
{
    const testhost_option gone[] = { { "storage", "main" },
                                     { "vector", "memories" },
                                     { "embed", "gone" } };
    const bp_json        *result;

    if (setup_host(state) != 0)
        fail();
    testhost_add_peer(host, "gone", "embed", BP_KIND_VERSION_embed, &failing_embed_ops, NULL);
    start_app("journal", gone, 3);
    work_for("without vectors", 60);
    result = result_of("end_work_session", "{}");
    assert_true(bp_json_bool(bp_json_get(result, "success")));
    assert_int_equal(run_sql("SELECT count(*) FROM work_sessions WHERE end_time IS NULL"), 0);
    assert_int_equal(run_sql("SELECT count(*) FROM journal_memories WHERE is_indexed = 0"), 1);
    assert_true(testhost_metric(host, "mcp_vector_errors_total", "error_type=vector_store") >= 1);
    testhost_instance_destroy(instance);
    instance = NULL;
    start_app("journal2", options, 3); // the embedder is there again: the job makes up for it
    testhost_run_jobs(host);
    assert_int_equal(run_sql("SELECT count(*) FROM journal_memories WHERE is_indexed = 0"), 0);
    assert_int_equal(bp_json_count(
                         bp_json_get(result_of("search_memory", "{\"query\":\"without vectors\"}"),
                                     "data")),
                     1);
}

static void a_storage_that_fails_is_counted_and_logged_with_its_type(void **state)
{
    (void)state;
    work_for("before the failure", 40);
    run_sql("CREATE TRIGGER refuse BEFORE UPDATE OF end_time ON work_sessions BEGIN SELECT "
            "RAISE(ABORT, 'refused'); END");
    assert_true(tool("end_work_session", "{}").status != BP_OK);
    assert_true(testhost_metric(host, "mcp_journal_sessions_total", "status=failed") == 1);
    bool is_logged = false;
    for (size_t i = 0; i < testhost_log_count(host); i++) {
        testhost_log line = testhost_log_at(host, i);

        if (line.event && strcmp(line.event, "session_end") == 0 && line.level == BP_LOG_ERROR &&
            strstr(line.fields, "error_type=database"))
            is_logged = true;
    }
    assert_true(is_logged);
    run_sql("DROP TRIGGER refuse");
    assert_true(bp_json_bool(bp_json_get(result_of("end_work_session", "{}"), "success")));
}

/* ---- days ---- */

static void a_day_is_summed_up(void **state)
{
    const bp_json *result, *stats;
    char           today[11], arguments[64];

    (void)state;
    result = result_of("how_was_my_day", "{}");
    assert_false(bp_json_bool(bp_json_get(result, "success")));
    snprintf(today, sizeof(today), BP_FMT, BP_ARG(text_of(result, "date")));
    assert_true(testhost_metric(host, "mcp_journal_daily_summaries_total", "status=skipped") == 1);
    for (int i = 0; i < 2; i++) {
        result_of("start_working_on", i ? "{\"task\":\"b\"}" : "{\"task\":\"a\"}");
        result_of("end_work_session", "{\"what_i_learned\":[\"l\"]}");
    }
    run_sql("UPDATE work_sessions SET start_time = substr(start_time, 1, 10) || ' 00:00:00', "
            "end_time = substr(start_time, 1, 10) || ' 01:15:00'");
    result = result_of("how_was_my_day", "{}");
    stats = bp_json_get(result, "stats");
    assert_json(stats, "{\"total_hours\":2.5,\"tasks_worked_on\":2,\"sessions\":2,\"learnings_"
                       "captured\":2,\"challenges_noted\":0}");
    assert_text(result, "summary", "Worked 2.5 hours in 2 sessions. Tasks: a; b. Learned: l; l.");
    snprintf(arguments, sizeof(arguments), "memory://journal/%s", today);
    result = resource(arguments);
    assert_text(result, "end_of_day_reflection",
                "Worked 2.5 hours in 2 sessions. Tasks: a; b. Learned: l; l.");
    assert_int_equal(bp_json_count(bp_json_get(result, "work_sessions")), 2);
    assert_refused("how_was_my_day", "{\"date\":\"2026-02-30\"}",
                   "Invalid date format. Use YYYY-MM-DD (for example 2026-11-22).");
    assert_json(bp_json_get(resource("memory://journal/stats/weekly"), "averages"),
                "{\"hours_per_day\":2.5,\"sessions_per_day\":2}");
    assert_int_equal(bp_json_count(resource("memory://journal/recent")), 1);
    assert_non_null(strstr(prompt("daily_progress_prompt", "{}").data, "2.5 hours in 2 sessions"));
}

static void intention_and_wins_stand_in_the_journal_of_today(void **state)
{
    const bp_json *today;

    (void)state;
    assert_text(resource("memory://journal/2001-01-01"), "error", "No journal for 2001-01-01");
    result_of("set_morning_intention", "{\"intention\":\"ship it\"}");
    assert_int_equal(bp_json_integer(bp_json_get(result_of("capture_win", "{\"win\":\"one\"}"),
                                                 "total_wins_today")),
                     1);
    assert_int_equal(bp_json_integer(bp_json_get(result_of("capture_win", "{\"win\":\"two\"}"),
                                                 "total_wins_today")),
                     2);
    today = resource("memory://journal/today");
    assert_text(today, "morning_intention", "ship it");
    assert_json(bp_json_get(today, "wins"), "[\"one\",\"two\"]");
    assert_refused("capture_win", "{\"win\":\" \"}", "win is required");
}

/* ---- project, decisions, tasks, memory ---- */

static void what_is_set_is_read_back(void **state)
{
    (void)state;
    assert_text(resource("memory://project/brief"), "error", "No project brief set");
    result_of("set_project_brief",
              "{\"name\":\"Backplane\",\"description\":\"a host\",\"goals\":[\"speed\"]}");
    assert_text(resource("memory://project/brief"), "version", "1.0.0");
    result_of("set_tech_stack",
              "{\"languages\":[\"C\"],\"frameworks\":[{\"name\":\"libuv\",\"version\":\"1\"}]}");
    assert_json(bp_json_get(resource("memory://project/tech-stack"), "frameworks"),
                "[{\"name\":\"libuv\",\"version\":\"1\"}]");
    result_of("update_active_context", "{\"current_task\":\"t\",\"notes\":\"n\"}");
    result_of("update_active_context", "{\"working_branch\":\"main\"}");
    assert_text(resource("memory://context/active"), "notes", "n");
    assert_text(resource("memory://context/active"), "working_branch", "main");
    assert_non_null(strstr(prompt("full_context_prompt", "{}").data, "Branch: main"));
    result_of("clear_active_context", "{}");
    assert_text(resource("memory://context/active"), "error", "No active context");
}

static void tasks_move_and_decisions_stay(void **state)
{
    char           id[32], arguments[256], uri[64];
    const bp_json *result;

    (void)state;
    result = result_of("create_task",
                       "{\"title\":\"do it\",\"priority\":\"high\",\"tags\":[\"x\"]}");
    snprintf(id, sizeof(id), "%.12s", text_of(result, "data").data + strlen("Task created: "));
    snprintf(arguments, sizeof(arguments),
             "{\"task_id\":\"%s\",\"status\":\"blocked\",\"blocked_reason\":\"rain\"}", id);
    result_of("update_task_status", arguments);
    snprintf(uri, sizeof(uri), "memory://tasks/%s", id);
    assert_text(resource(uri), "blocked_reason", "rain");
    assert_int_equal(bp_json_count(bp_json_get(resource("memory://progress"), "blocked")), 1);
    snprintf(arguments, sizeof(arguments), "{\"task_id\":\"%s\",\"status\":\"done\"}", id);
    result_of("update_task_status", arguments);
    assert_int_equal(text_of(resource(uri), "completed_at").len, 19);
    assert_int_equal(bp_json_type_of(bp_json_get(resource(uri), "blocked_reason")), BP_JSON_NULL);
    assert_refused("update_task_status", "{\"task_id\":\"nothing\",\"status\":\"done\"}",
                   "Task nothing not found");
    result = result_of("log_decision",
                       "{\"title\":\"Use "
                       "C\",\"decision\":\"C11\",\"rationale\":\"small\",\"tags\":[\"language\"]}");
    assert_true(bp_str_starts(text_of(result, "data"), "Decision logged: "));
    assert_non_null(
        strstr(prompt("recent_decisions_prompt", "{\"limit\":\"1\"}").data, "## Use C"));
    principal.tenant = BP_STR("other");
    assert_int_equal(bp_json_count(resource("memory://tasks")), 0);
    assert_int_equal(bp_json_count(resource("memory://decisions")), 0);
    snprintf(arguments, sizeof(arguments), "Task %s not found", id);
    assert_text(resource(uri), "error", arguments);
}

static void memory_is_searched_with_typed_filters(void **state)
{
    const bp_json *data;

    (void)state;
    for (int i = 0; i < 60; i++) {
        char arguments[128];

        snprintf(arguments, sizeof(arguments),
                 "{\"content\":\"the parser reads header number %d\",\"tags\":[\"t%d\"]}", i,
                 i % 60);
        result_of("add_memory_note", arguments);
    }
    result_of("log_decision", "{\"title\":\"parser\",\"decision\":\"strict\",\"rationale\":"
                              "\"smuggling\",\"tags\":[\"t7\"]}");
    data = bp_json_get(result_of("search_memory", "{\"query\":\"parser header\",\"limit\":50}"),
                       "data");
    assert_int_equal(bp_json_count(data), 50);
    data = bp_json_get(result_of("search_memory",
                                 "{\"query\":\"parser header\",\"content_types\":[\"decision\"]}"),
                       "data");
    assert_int_equal(bp_json_count(data), 1); // although sixty others are nearer
    assert_text(bp_json_get(bp_json_at(data, 0), "metadata"), "content_type", "decision");
    assert_true(bp_json_number(bp_json_get(bp_json_at(data, 0), "score")) +
                    bp_json_number(bp_json_get(bp_json_at(data, 0), "distance")) >
                0.999);
    data = bp_json_get(result_of("search_memory", "{\"query\":\"parser\",\"tags\":[\"t7\"]}"),
                       "data");
    assert_int_equal(bp_json_count(data), 2);
    principal.tenant = BP_STR("other");
    assert_int_equal(bp_json_count(
                         bp_json_get(result_of("search_memory", "{\"query\":\"parser\"}"), "data")),
                     0);
}

/* ---- what operators use ---- */

static void stuck_sessions_are_listed_and_closed_after_a_backup(void **state)
{
    testhost_reply reply;
    const bp_json *answer;

    (void)state;
    result_of("start_working_on", "{\"task\":\"stuck\"}");
    reply = request("GET", "/api/journal/sessions?stuck=8h", "");
    assert_ok(reply.status);
    assert_json(parsed(reply.body), "{\"sessions\":[]}");
    run_sql("UPDATE work_sessions SET start_time = datetime(start_time, '-9 hours')");
    reply = request("GET", "/api/journal/sessions?stuck=8h", "");
    answer = bp_json_at(bp_json_get(parsed(reply.body), "sessions"), 0);
    assert_text(answer, "task", "stuck");
    assert_int_equal(bp_json_integer(bp_json_get(answer, "hours")), 9);
    assert_status(request("GET", "/api/journal/sessions?stuck=soon", "").status, BP_INVALID);
    assert_status(request("POST", "/api/journal/sessions/close", "{}").status, BP_INVALID);
    reply = request("POST", "/api/journal/sessions/close", "{\"stuck\":\"8h\"}");
    assert_ok(reply.status);
    answer = parsed(reply.body);
    assert_int_equal(bp_json_integer(bp_json_get(answer, "closed")), 1);
    assert_int_equal(access(text_of(answer, "backup").data, R_OK), 0);
    assert_int_equal(run_sql("SELECT count(*) FROM work_sessions WHERE end_time IS NULL"), 0);
    assert_true(
        bp_json_bool(bp_json_get(result_of("start_working_on", "{\"task\":\"next\"}"), "success")));
}

static void every_metric_is_there_before_the_first_use(void **state)
{
    static const char *const wanted[][2] = {
        { "mcp_journal_sessions_total", "status=success" },
        { "mcp_journal_sessions_total", "status=failed" },
        { "mcp_journal_sessions_active", "" },
        { "mcp_journal_session_duration_seconds", "" },
        { "mcp_journal_reflections_generated_total", "status=skipped" },
        { "mcp_journal_reflection_generation_seconds", "" },
        { "mcp_journal_learnings_captured_total", "" },
        { "mcp_journal_challenges_noted_total", "" },
        { "mcp_journal_wins_captured_total", "" },
        { "mcp_journal_daily_summaries_total", "status=failed" },
        { "mcp_db_connections_active", "" },
        { "mcp_db_queries_total", "operation=select,status=success" },
        { "mcp_db_query_duration_seconds", "operation=delete" },
        { "mcp_db_errors_total", "error_type=database" },
        { "mcp_vector_embeddings_generated_total", "status=failed" },
        { "mcp_vector_embedding_seconds", "" },
        { "mcp_vector_searches_total", "status=success" },
        { "mcp_vector_search_results", "" },
        { "mcp_vector_memories", "" },
        { "mcp_vector_errors_total", "error_type=vector_store" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (testhost_metric(host, wanted[i][0], wanted[i][1]) != 0)
            fail_msg("%s{%s} is not 0", wanted[i][0], wanted[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static testhost_command_reply sessions_command(const testhost_option *typed, size_t count)
{
    app_call();
    return testhost_run_command(call, instance,
                                &(testhost_command){ .name = "journal sessions",
                                                     .options = typed,
                                                     .option_count = count });
}

static void the_command_lists_and_closes_sessions(void **state)
{
    const testhost_option  closing[] = { { "close", "" }, { "stuck", "8h" }, { "json", "" } };
    testhost_command_reply reply = sessions_command(NULL, 0);
    bp_principal           before = principal;

    (void)state;
    assert_string_equal(reply.printed, "0 sessions\n");
    assert_int_equal(sessions_command(closing, 1).exit_status, 2); // not without --stuck
    result_of("start_working_on", "{\"task\":\"stuck\"}");
    reply = sessions_command(NULL, 0);
    assert_non_null(strstr(reply.printed, "start_time"));
    assert_non_null(strstr(reply.printed, "stuck\n1 sessions\n"));
    run_sql("UPDATE work_sessions SET start_time = datetime(start_time, '-9 hours')");
    principal.is_authenticated = true;
    principal.scopes = BP_STR("journal:read journal:write");
    reply = sessions_command(closing, 3);
    assert_int_equal(reply.status, BP_DENIED);
    principal.scopes = BP_STR("other:read journal:*");
    reply = sessions_command(closing, 3);
    assert_ok(reply.status);
    assert_int_equal(reply.exit_status, 0);
    assert_int_equal(bp_json_integer(bp_json_get(parsed(bp_str_of(reply.printed)), "closed")), 1);
    principal = before;
    reply = sessions_command(closing, 2);
    assert_string_equal(reply.printed, "0 sessions closed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_begins_once_and_ends_once),
        TEST(a_task_must_be_there_and_short),
        TEST(the_times_are_what_julianday_reads),
        TEST(a_session_that_crosses_midnight_ends_as_any_other),
        TEST(an_operator_may_end_a_session_by_hand),
        TEST(each_owner_and_tenant_has_a_session_of_its_own),
        TEST(a_forgotten_session_ends_when_it_was_last_active_and_can_still_be_given_its_learnings),
        TEST(a_reflection_without_a_model_is_always_the_same),
        TEST(the_clients_model_writes_the_reflection),
        TEST(a_model_that_fails_keeps_no_session_open),
        cmocka_unit_test_teardown(a_vector_store_that_is_gone_keeps_no_session_open, teardown),
        TEST(a_storage_that_fails_is_counted_and_logged_with_its_type),
        TEST(a_day_is_summed_up),
        TEST(intention_and_wins_stand_in_the_journal_of_today),
        TEST(what_is_set_is_read_back),
        TEST(tasks_move_and_decisions_stay),
        TEST(memory_is_searched_with_typed_filters),
        TEST(stuck_sessions_are_listed_and_closed_after_a_backup),
        TEST(the_command_lists_and_closes_sessions),
        TEST(every_metric_is_there_before_the_first_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
