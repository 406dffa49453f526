/* journal.h - the app `journal`: notes on work, decisions and lessons, kept for a model and
 * searched by meaning. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <backplane/backplane.h>

#include "embedder/embedder.h"

enum {
    ID_BYTES = 12,
    TASK_CHARS_MAX = 500,
    TEXT_CHARS_MAX = 5000,
    NOTES_CHARS_MAX = 10000,
    QUICK_NOTE_CHARS_MAX = 2000,
    INTENTION_CHARS_MAX = 1000,
    LIST_ITEM_CHARS_MAX = 500,
    LIST_MAX = 50,
    TAG_CHARS_MAX = 100,
    SESSION_LIST_MAX = 10, /* learnings, challenges */
    RESULT_BYTES_MAX = 8 << 20,
    TIME_BYTES = 21 /* "2026-11-22T05:00:00Z" and its end */
};

/* ---- tables.c: what a client asks for ---- */

/* Each tool has a table of those that it takes. A text without bytes, and a list that is NULL, was
 * not given. */
struct wanted {
    bp_str         name, description, version, title, decision, rationale, priority, task_id;
    bp_str         status, blocked_reason, current_task, notes, working_branch, query, content;
    bp_str         task, quick_note, date, intention, win;
    int64_t        limit;
    const bp_json *goals, *languages, *frameworks, *tools, *related_files;
    const bp_json *alternatives_considered, *consequences, *tags, *content_types;
    const bp_json *what_i_learned, *challenges_faced;
};

extern const bp_params project_brief_params, tech_stack_params, active_context_params,
    decision_params, task_params, task_status_params, search_params, note_params, session_params,
    session_end_params, day_params, intention_params, win_params;

/* ---- metrics.c: names and labels are those that the runbook's queries use ---- */

enum metric_name {
    SESSIONS_TOTAL,
    SESSIONS_ACTIVE,
    SESSION_DURATION,
    REFLECTIONS_TOTAL,
    REFLECTION_SECONDS,
    LEARNINGS_TOTAL,
    CHALLENGES_TOTAL,
    WINS_TOTAL,
    SUMMARIES_TOTAL,
    SUMMARY_SECONDS,
    DB_CONNECTIONS,
    DB_QUERY_SECONDS,
    DB_QUERIES_TOTAL,
    DB_ERRORS_TOTAL,
    EMBEDDINGS_TOTAL,
    EMBEDDING_SECONDS,
    SEARCHES_TOTAL,
    SEARCH_SECONDS,
    SEARCH_RESULTS,
    MEMORY_COUNT,
    VECTOR_ERRORS_TOTAL,
    METRICS
};

struct journal {
    const bp_peer *storage, *vector, *embed;
    bp_peer_list   llm;
    bp_str         collection, backups;
    int64_t        min_session_ns, idle_timeout_ns;
    int64_t        reflection_tokens, summary_tokens;

    bp_metric      *metrics[METRICS];
    struct embedder embedder;
};

bp_status metrics_define(bp_call *call, struct journal *self);
/* Any of the two labels may be NULL: the family has fewer. */
void metric_count(struct journal *self, enum metric_name name, const char *label,
                  const char *second, double value);
void metric_time(struct journal *self, enum metric_name name, const char *label, int64_t since_ns);
/* "validation", "database", "timeout" ...: what the runbook sorts errors by. `where` is "database"
 * or "vector_store".
 */
const char *error_type_of(bp_status status, const char *where);

/* ---- store.c: SQL, counted and timed ---- */

enum { STORE_MIGRATIONS = 1 };
extern const bp_migration store_migrations[STORE_MIGRATIONS];

bp_status db_run(bp_call *call, struct journal *self, const bp_statement *statement,
                 bp_rows *rows) BP_SUSPENDS;
/* All or none; `changed` one number a statement. A conflict with another transaction is tried
 * again. */
bp_status    db_batch(bp_call *call, struct journal *self, const bp_statement *statements,
                      size_t count, int64_t *changed) BP_SUSPENDS;
bp_sql_value tenant_value(bp_call *call);
/* The session and the day that it belongs to: the key's id; empty where nobody has to authenticate.
 */
bp_sql_value owner_value(bp_call *call);
bp_sql_value text_or_null(bp_str text);
/* 12 hexadecimal digits. */
bp_str new_id(bp_call *call);

/* ---- times.c: UTC, as SQLite's date functions read them ---- */

bp_str  time_text(bp_call *call, int64_t seconds); /* "2026-11-22 05:00:00" */
bp_str  time_iso(bp_call *call, int64_t seconds);  /* "2026-11-22T05:00:00Z" */
bp_str  date_text(bp_call *call, int64_t seconds); /* "2026-11-22" */
bool    time_read(bp_str text, int64_t *seconds);  /* either form, or a date alone */
bool    date_is_valid(bp_str text);
int64_t time_now(void); /* seconds since 1970 */
/* "8h", "90m", "45s", "2d". */
bool duration_read(bp_str text, int64_t *seconds);

/* ---- answers.c: what tools take and give ---- */

bp_str text_trim(bp_str text);
size_t text_chars(bp_str text);
/* The first `chars` characters. */
bp_str text_cut(bp_str text, size_t chars);
/* The result {"success": false, "error": ..., "tip": ...}, marked as an error. */
bp_status answer_refused(bp_call *call, bp_mcp *mcp, const char *error, const char *tip);
/* {"success": true, "data": text} */
bp_status answer_done(bp_call *call, bp_mcp *mcp, bp_str text);
bp_status answer_json(bp_call *call, bp_mcp *mcp, bp_json_writer *w);
bp_status answer_resource(bp_call *call, bp_mcp *mcp, bp_json_writer *w);
bp_status answer_missing(bp_call *call, bp_mcp *mcp, const char *sentence);
/* A list of strings within limits as JSON, "[]" when there is none. False with a sentence for the
 * model. */
bool list_read(bp_call *call, const bp_json *list, const char *name, size_t most, size_t item_chars,
               bp_str *json, const char **problem);
bool text_check(bp_call *call, bp_str text, const char *name, size_t least, size_t most,
                const char **problem);
void put_json(bp_json_writer *w, const char *key, bp_str json);
void put_text(bp_json_writer *w, const char *key, const bp_sql_value *value); /* null for NULL */
/* Members of a JSON array of strings that the storage gave. */
const bp_json *stored_list(bp_call *call, bp_str json);

/* ---- memories.c ---- */

struct memory {
    bp_str  ref, type, content, tags, created_at;
    double  score;
    int64_t number;
};

/* Keeps it and makes it findable. That it cannot be made findable now is logged and made up for
 * later. */
bp_status memory_keep(bp_call *call, struct journal *self, bp_str ref, const char *type,
                      bp_str content, bp_str tags) BP_SUSPENDS;
/* Types and tags: JSON arrays of strings or NULL. */
bp_status memory_search(bp_call *call, struct journal *self, bp_str query, uint32_t limit,
                        const bp_json *types, const bp_json *tags, struct memory **found,
                        size_t *count) BP_SUSPENDS;
bp_status memories_index_missing(bp_call *call, struct journal *self) BP_SUSPENDS;
bp_status memories_count(bp_call *call, struct journal *self) BP_SUSPENDS;
bp_status tool_search_memory(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_add_memory_note(bp_call *call, void *instance, const bp_json *arguments,
                               bp_mcp *mcp);

/* ---- sessions.c ---- */

struct session {
    bp_str  id, tenant, owner, task, notes, learnings, challenges, files, ended_by;
    int64_t start_s, end_s; /* end_s 0: it goes on */
};

#define SESSION_COLUMNS                                                                            \
    "id, tenant, owner, task, start_time, end_time, notes, learnings, challenges, files_touched, " \
    "ended_by"
void    session_of_row(const bp_sql_value *row, struct session *session);
int64_t session_minutes(const struct session *session);
/* NOT_FOUND without an error in the slot when there is none. */
bp_status session_active(bp_call *call, struct journal *self, struct session *session) BP_SUSPENDS;
/* Says that the tenant's owner does something, so that the session is not taken for forgotten. */
void      session_touch(bp_call *call, struct journal *self) BP_SUSPENDS;
void      sessions_count_active(bp_call *call, struct journal *self) BP_SUSPENDS;
bp_status tool_start_working_on(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp);
bp_status tool_end_work_session(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp);

/* ---- stuck.c: sessions that nobody ended ---- */

struct stuck {
    bool    is_closed; /* the entry found is closed now */
    bp_str  backup;    /* made before; empty: none */
    bp_rows rows;      /* SESSION_COLUMNS */
};
/* Of the tenant, begun so long ago as `since` says ("8h"; empty: all that go on). BP_INVALID when
 * it is no duration. */
bp_status sessions_find_stuck(bp_call *call, struct journal *self, bp_str since,
                              struct stuck *stuck) BP_SUSPENDS;
/* Makes a backup, where the storage can, and closes them. */
bp_status sessions_close_stuck(bp_call *call, struct journal *self, bp_str since,
                               struct stuck *stuck) BP_SUSPENDS;
/* As the routes answer it. */
void      sessions_write(bp_call *call, bp_json_writer *w, const struct stuck *stuck);
bp_status sessions_end_idle(bp_call *call, struct journal *self) BP_SUSPENDS;
bp_status sessions_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status sessions_close(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- reflection.c: a text about a session or a day, by a model or without one ---- */

/* BP_INPUT_REQUIRED is the only failure: then the client is asked. Any other trouble is logged, and
 * the text is the one that needs no model. `mcp` may be NULL. */
bp_status reflection_make(bp_call *call, struct journal *self, bp_mcp *mcp,
                          const struct session *session, bp_str *text) BP_SUSPENDS;

struct day {
    bp_str          date;
    struct session *sessions;
    size_t          session_count;
    int64_t         minutes;
    bp_str         *tasks, *learnings, *challenges; /* tasks: distinct, sorted */
    size_t          task_count, learning_count, challenge_count;
};
bp_status summary_make(bp_call *call, struct journal *self, bp_mcp *mcp, const struct day *day,
                       bp_str *text) BP_SUSPENDS;

/* ---- days.c ---- */

bp_status day_read(bp_call *call, struct journal *self, bp_str date, struct day *day) BP_SUSPENDS;
bp_status tool_how_was_my_day(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_set_morning_intention(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp);
bp_status tool_capture_win(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status resource_today(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_date(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_recent(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_weekly(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);

/* ---- project.c ---- */

bp_status tool_set_project_brief(bp_call *call, void *instance, const bp_json *arguments,
                                 bp_mcp *mcp);
bp_status tool_set_tech_stack(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_update_active_context(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp);
bp_status tool_clear_active_context(bp_call *call, void *instance, const bp_json *arguments,
                                    bp_mcp *mcp);
bp_status resource_brief(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_stack(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_context(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);

/* ---- work.c ---- */

#define DECISION_COLUMNS                                                                           \
    "id, title, decision, rationale, alternatives_considered, consequences, tags, status, "        \
    "created_at"
#define TASK_COLUMNS                                                                               \
    "id, title, description, status, priority, tags, created_at, updated_at, completed_at, "       \
    "blocked_reason"
bp_status tool_log_decision(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_create_task(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_update_task_status(bp_call *call, void *instance, const bp_json *arguments,
                                  bp_mcp *mcp);
bp_status resource_decisions(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_decision(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_progress(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_tasks(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);
bp_status resource_task(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp);

/* ---- commands.c ---- */

enum { JOURNAL_COMMANDS = 1 };
extern const bp_command journal_commands[JOURNAL_COMMANDS];

/* ---- prompts.c, tables.c ---- */

enum { JOURNAL_TOOLS = 14, JOURNAL_RESOURCES = 12, JOURNAL_PROMPTS = 7 };
extern const bp_mcp_tool     journal_tools[JOURNAL_TOOLS];
extern const bp_mcp_resource journal_resources[JOURNAL_RESOURCES];
extern const bp_mcp_prompt   journal_prompts[JOURNAL_PROMPTS];

#endif
