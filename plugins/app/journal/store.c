/* store.c - the app's tables, and every statement counted and timed.
 *
 * The names work_sessions(id, task, start_time, end_time) and the form of its times are what
 * operators' SQL relies on: julianday(start_time) works, and setting end_time by hand ends a
 * session. A partial unique index allows one session without an end for each tenant and owner, so
 * that two calls at once cannot start two.
 */
#include "journal.h"

enum { TRIES = 5 };

const bp_migration store_migrations[STORE_MIGRATIONS] = {
    { 1, 0, "project, decisions, tasks, memories, days and sessions",
      "CREATE TABLE journal_project (tenant TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT "
      "NOT NULL, goals TEXT NOT NULL, version TEXT NOT NULL, updated_at TEXT NOT NULL);CREATE "
      "TABLE journal_stack (tenant TEXT PRIMARY KEY, languages TEXT NOT NULL, frameworks TEXT NOT "
      "NULL, tools TEXT NOT NULL, updated_at TEXT NOT NULL);CREATE TABLE journal_context (tenant "
      "TEXT PRIMARY KEY, current_task TEXT, related_files TEXT, notes TEXT, working_branch TEXT, "
      "session_id TEXT, updated_at TEXT NOT NULL);CREATE TABLE journal_decisions (number "
      "${identity}, id TEXT NOT NULL, tenant TEXT NOT NULL, title TEXT NOT NULL, decision TEXT NOT "
      "NULL, rationale TEXT NOT NULL, alternatives_considered TEXT NOT NULL, consequences TEXT NOT "
      "NULL, tags TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE (tenant, "
      "id));CREATE TABLE journal_tasks (number ${identity}, id TEXT NOT NULL, tenant TEXT NOT "
      "NULL, title TEXT NOT NULL, description TEXT NOT NULL, status TEXT NOT NULL, priority TEXT "
      "NOT NULL, tags TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, "
      "completed_at TEXT, blocked_reason TEXT, UNIQUE (tenant, id));CREATE TABLE journal_memories "
      "(number ${identity}, tenant TEXT NOT NULL, ref TEXT NOT NULL, content_type TEXT NOT NULL, "
      "content TEXT NOT NULL, tags TEXT NOT NULL, is_indexed BIGINT NOT NULL, created_at TEXT NOT "
      "NULL, UNIQUE (tenant, ref));CREATE INDEX journal_memories_missing ON journal_memories "
      "(number) WHERE is_indexed = 0;CREATE TABLE daily_journals (number ${identity}, tenant TEXT "
      "NOT NULL, owner TEXT NOT NULL, date TEXT NOT NULL, morning_intention TEXT, "
      "end_of_day_reflection TEXT, energy_level BIGINT NOT NULL DEFAULT 3, mood TEXT, created_at "
      "TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (tenant, owner, date));CREATE TABLE "
      "journal_wins (number ${identity}, tenant TEXT NOT NULL, owner TEXT NOT NULL, date TEXT NOT "
      "NULL, win TEXT NOT NULL, created_at TEXT NOT NULL);CREATE INDEX journal_wins_date ON "
      "journal_wins (tenant, owner, date);CREATE TABLE work_sessions (number ${identity}, id TEXT "
      "NOT NULL UNIQUE, tenant TEXT NOT NULL, owner TEXT NOT NULL, start_time TEXT NOT NULL, "
      "end_time TEXT, task TEXT NOT NULL, files_touched TEXT NOT NULL DEFAULT '[]', decisions_made "
      "TEXT NOT NULL DEFAULT '[]', notes TEXT NOT NULL DEFAULT '', learnings TEXT NOT NULL DEFAULT "
      "'[]', challenges TEXT NOT NULL DEFAULT '[]', ended_by TEXT, last_active TEXT NOT NULL, "
      "created_at TEXT NOT NULL);CREATE UNIQUE INDEX work_sessions_one_active ON work_sessions "
      "(tenant, owner) WHERE end_time IS NULL;CREATE INDEX work_sessions_start ON work_sessions "
      "(tenant, owner, start_time);CREATE TABLE session_reflections (number ${identity}, "
      "session_id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, reflection_text TEXT NOT NULL, "
      "key_insights TEXT NOT NULL, related_memories TEXT NOT NULL, written_by TEXT NOT NULL, "
      "created_at TEXT NOT NULL)" },
};

static const char *operation_of(bp_str sql)
{
    return bp_str_starts(sql, "SELECT")   ? "select"
           : bp_str_starts(sql, "UPDATE") ? "update"
           : bp_str_starts(sql, "DELETE") ? "delete"
                                          : "insert";
}

static void count(struct journal *self, const char *operation, bp_status status, int64_t since_ns)
{
    metric_time(self, DB_QUERY_SECONDS, operation, since_ns);
    metric_count(self, DB_QUERIES_TOTAL, operation, status == BP_OK ? "success" : "failed", 1);
    if (status != BP_OK)
        metric_count(self, DB_ERRORS_TOTAL, error_type_of(status, "database"), NULL, 1);
}

bp_status db_run(bp_call *call, struct journal *self, const bp_statement *statement, bp_rows *rows)
{
    int64_t   started_ns = bp_now_ns();
    bp_status status = bp_storage_exec(call, self->storage, NULL, statement, rows);

    count(self, operation_of(statement->sql), status, started_ns);
    return status;
}

bp_status db_batch(bp_call *call, struct journal *self, const bp_statement *statements,
                   size_t statement_count, int64_t *changed)
{
    int64_t   started_ns = bp_now_ns();
    bp_status status = BP_CONFLICT;

    for (int64_t i = 0; i < TRIES && status == BP_CONFLICT; i++) {
        if (i)
            BP_TRY(bp_sleep(call, BP_MILLISECONDS(5) << i));
        status = bp_storage_batch(call, self->storage, statements, statement_count, changed);
    }
    count(self, operation_of(statements[0].sql), status, started_ns);
    return status;
}

bp_sql_value tenant_value(bp_call *call)
{
    return bp_sql_text(bp_principal_of(call)->tenant);
}

bp_sql_value owner_value(bp_call *call)
{
    bp_str id = bp_principal_of(call)->id;

    return bp_sql_text(id.len ? id : BP_STR(""));
}

bp_sql_value text_or_null(bp_str text)
{
    return text.data ? bp_sql_text(text) : bp_sql_null();
}

bp_str new_id(bp_call *call)
{
    uint8_t bytes[ID_BYTES / 2];
    char   *text = bp_alloc(call, ID_BYTES + 1);

    if (!text)
        return bp_str_n("", 0);
    bp_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return bp_str_n(text, ID_BYTES);
}
