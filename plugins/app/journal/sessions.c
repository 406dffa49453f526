/* sessions.c - a work session: one at a time for each tenant and owner, from "start working on" to
 * "end".
 *
 * A session ends by one statement, before anything is written about it, so that nothing that fails
 * later can keep it open. It is found by having no end, whatever day it began on.
 */
#include "journal.h"

#define TOUCH_SECONDS 60 /* a session's last activity is noted at most so often */
#define REOPEN_SECONDS                                                                             \
    86400 /* a session that was ended for idleness can still be given its learnings */

void session_of_row(const bp_sql_value *row, struct session *session)
{
    *session = (struct session){ .id = row[0].text,
                                 .tenant = row[1].text,
                                 .owner = row[2].text,
                                 .task = row[3].text,
                                 .notes = row[6].text,
                                 .learnings = row[7].text,
                                 .challenges = row[8].text,
                                 .files = row[9].text,
                                 .ended_by = row[10].text };
    time_read(row[4].text, &session->start_s);
    if (row[5].type != BP_SQL_NULL)
        time_read(row[5].text, &session->end_s);
}

int64_t session_minutes(const struct session *session)
{
    int64_t seconds = (session->end_s ? session->end_s : time_now()) - session->start_s;

    return seconds > 0 ? seconds / 60 : 0;
}

bp_status session_active(bp_call *call, struct journal *self, struct session *session)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT " SESSION_COLUMNS " FROM work_sessions WHERE tenant = $1 AND "
                         "owner = $2 AND end_time IS NULL",
                         tenant_value(call), owner_value(call)),
                  &rows));
    if (rows.row_count == 0)
        return BP_NOT_FOUND;
    session_of_row(bp_row(&rows, 0), session);
    return BP_OK;
}

void session_touch(bp_call *call, struct journal *self)
{
    int64_t now = time_now();

    // Activity is a hint: that it cannot be noted is counted, and no reason to refuse anything.
    if (db_run(call, self,
               BP_SQL("UPDATE work_sessions SET last_active = $3 WHERE tenant = $1 AND owner = $2 "
                      "AND end_time IS NULL AND last_active < $4",
                      tenant_value(call), owner_value(call), bp_sql_text(time_text(call, now)),
                      bp_sql_text(time_text(call, now - TOUCH_SECONDS))),
               NULL) != BP_OK)
        bp_clear_error(call);
}

void sessions_count_active(bp_call *call, struct journal *self)
{
    bp_rows rows;

    if (db_run(call, self, BP_SQL0("SELECT COUNT(*) FROM work_sessions WHERE end_time IS NULL"),
               &rows) == BP_OK)
        metric_count(self, SESSIONS_ACTIVE, NULL, NULL, (double)bp_row(&rows, 0)[0].integer);
    else
        bp_clear_error(call);
}

/* ---- start ---- */

static bp_status insert_session(bp_call *call, struct journal *self, bp_str id, bp_str task,
                                int64_t now, bool *is_new)
{
    bp_sql_value tenant = tenant_value(call), owner = owner_value(call),
                 time = bp_sql_text(time_text(call, now));
    int64_t changed[3] = { 0 };

    const bp_statement statements[] = {
        *BP_SQL("INSERT INTO work_sessions (id, tenant, owner, start_time, task, last_active, "
                "created_at) VALUES ($1, "
                "$2, $3, "
                "$4, $5, $4, $4) ON CONFLICT DO NOTHING",
                bp_sql_text(id), tenant, owner, time, bp_sql_text(task)),
        *BP_SQL("INSERT INTO daily_journals (tenant, owner, date, created_at, updated_at) VALUES "
                "($1, $2, $3, $4, $4) ON CONFLICT (tenant, owner, date) DO NOTHING",
                tenant, owner, bp_sql_text(date_text(call, now)), time),
        *BP_SQL("INSERT INTO journal_context (tenant, current_task, session_id, updated_at) SELECT "
                "tenant, task, id, "
                "start_time FROM work_sessions WHERE id = $1 ON CONFLICT (tenant) DO UPDATE SET "
                "current_task = "
                "excluded.current_task, session_id = excluded.session_id, updated_at = "
                "excluded.updated_at",
                bp_sql_text(id)),
    };
    BP_TRY(db_batch(call, self, statements, 3, changed));
    *is_new = changed[0] > 0;
    return BP_OK;
}

static bp_status answer_started(bp_call *call, bp_mcp *mcp, bp_str id, bp_str task, int64_t now)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);

    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_put_string(w, "session_id", id);
    bp_json_put_string(w, "task", task);
    bp_json_put_string(w, "started_at", time_iso(call, now));
    bp_json_put_string(w, "message", bp_format(call, "Started working on: " BP_FMT, BP_ARG(task)));
    bp_json_put_string(w, "tip",
                       BP_STR("Call end_work_session when you are done, with the lessons learnt."));
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

bp_status tool_start_working_on(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          task, id = new_id(call);
    int64_t         now = time_now();
    bool            is_new = false;
    struct session  active;
    struct wanted   wanted;
    bp_status       status;

    BP_TRY(bp_params_read(call, &session_params, arguments, &wanted));
    task = text_trim(wanted.task);
    if (!task.len)
        return answer_refused(call, mcp, "Task description is required",
                              "Say in a few words what you work on.");
    if (text_chars(task) > TASK_CHARS_MAX)
        return answer_refused(call, mcp,
                              "Task description is too long: at most 500 characters are allowed",
                              "Keep details for the quick note at the end.");
    BP_TRY(insert_session(call, self, id, task, now, &is_new));
    if (!is_new) {
        status = session_active(call, self, &active);
        if (status == BP_OK)
            return answer_refused(call, mcp,
                                  bp_format(call, "Session already active: " BP_FMT,
                                            BP_ARG(active.task))
                                      .data,
                                  "End it with end_work_session first.");
        return status == BP_NOT_FOUND
                   ? bp_fail(call, BP_CONFLICT, "another session ended just now: try again")
                   : status;
    }
    sessions_count_active(call, self);
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://context/active"));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://journal/today"));
    bp_log_event(call, BP_LOG_INFO, "session_start", task,
                 (bp_field[]){ bp_field_str("session_id", id) }, 1);
    return answer_started(call, mcp, id, task, now);
}

/* ---- end ---- */

/* The session that goes on, or the one that was ended for idleness lately. */
static bp_status find_endable(bp_call *call, struct journal *self, struct session *session)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT " SESSION_COLUMNS
                         " FROM work_sessions WHERE tenant = $1 AND owner = $2 AND (end_time IS "
                         "NULL OR (ended_by = 'idle' AND end_time > $3)) ORDER BY CASE WHEN "
                         "end_time IS NULL THEN 0 ELSE 1 END, number DESC LIMIT 1",
                         tenant_value(call), owner_value(call),
                         bp_sql_text(time_text(call, time_now() - REOPEN_SECONDS))),
                  &rows));
    if (rows.row_count == 0)
        return BP_NOT_FOUND;
    session_of_row(bp_row(&rows, 0), session);
    return BP_OK;
}

/* One that was ended for idleness keeps that end: what came after it is not known to be work. */
static bp_status write_end(bp_call *call, struct journal *self, struct session *session)
{
    int64_t changed[2] = { 0 };

    if (!session->end_s)
        session->end_s = time_now();
    const bp_statement statements[] = {
        *BP_SQL("UPDATE work_sessions SET end_time = $2, ended_by = 'user', notes = $3, learnings "
                "= $4, challenges = $5, files_touched = COALESCE((SELECT related_files FROM "
                "journal_context WHERE tenant = $6 AND session_id = $1), files_touched), "
                "last_active = $2 WHERE id = $1 AND tenant = $6 AND (end_time IS NULL OR ended_by "
                "= 'idle')",
                bp_sql_text(session->id), bp_sql_text(time_text(call, session->end_s)),
                bp_sql_text(session->notes), bp_sql_text(session->learnings),
                bp_sql_text(session->challenges), tenant_value(call)),
        *BP_SQL("DELETE FROM journal_context WHERE tenant = $1 AND session_id = $2",
                tenant_value(call), bp_sql_text(session->id)),
    };
    BP_TRY(db_batch(call, self, statements, 2, changed));
    return changed[0] ? BP_OK
                      : bp_fail(call, BP_CONFLICT,
                                "session " BP_FMT " was ended by somebody else just now",
                                BP_ARG(session->id));
}

static void log_failure(bp_call *call, struct journal *self, bp_status status)
{
    const char *type = error_type_of(status, "database");

    metric_count(self, SESSIONS_TOTAL, "failed", NULL, 1);
    bp_log_event(call, BP_LOG_ERROR, "session_end", bp_error_of(call)->message,
                 (bp_field[]){ bp_field_str("status", BP_STR("failed")),
                               bp_field_str("error_type", bp_str_of(type)) },
                 2);
}

static void log_end(bp_call *call, struct journal *self, const struct session *session)
{
    int64_t minutes = session_minutes(session);

    metric_count(self, SESSIONS_TOTAL, "success", NULL, 1);
    metric_count(self, SESSION_DURATION, NULL, NULL, 60 * (double)minutes);
    metric_count(self, LEARNINGS_TOTAL, NULL, NULL,
                 (double)bp_json_count(stored_list(call, session->learnings)));
    metric_count(self, CHALLENGES_TOTAL, NULL, NULL,
                 (double)bp_json_count(stored_list(call, session->challenges)));
    sessions_count_active(call, self);
    bp_log_event(call, BP_LOG_INFO, "session_end", session->task,
                 (bp_field[]){ bp_field_str("session_id", session->id),
                               bp_field_str("status", BP_STR("success")),
                               bp_field_int("duration_minutes", minutes) },
                 3);
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://context/active"));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://journal/today"));
}

static bp_status answer_ended(bp_call *call, bp_mcp *mcp, const struct session *session,
                              bp_str reflection)
{
    bp_json_writer *w = bp_json_writer_new(call, 262144);
    int64_t         minutes = session_minutes(session);

    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_put_string(w, "session_id", session->id);
    bp_json_put_string(w, "task", session->task);
    bp_json_put_integer(w, "duration_minutes", minutes);
    bp_json_put_string(w, "reflection", reflection);
    bp_json_put_string(w, "message",
                       bp_format(call, "Session ended after %lld minutes: " BP_FMT,
                                 (long long)minutes, BP_ARG(session->task)));
    bp_json_put_string(w, "next",
                       BP_STR("Call start_working_on for the next task, or how_was_my_day for a "
                              "summary."));
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

/* The round after a question: the session of that id, which has ended. */
static bp_status find_again(bp_call *call, struct journal *self, bp_str id, struct session *session)
{
    bp_rows rows;

    BP_TRY(
        db_run(call, self,
               BP_SQL("SELECT " SESSION_COLUMNS " FROM work_sessions WHERE tenant = $1 AND id = $2",
                      tenant_value(call), bp_sql_text(id)),
               &rows));
    if (rows.row_count == 0)
        return bp_fail(call, BP_NOT_FOUND, "session " BP_FMT " is gone", BP_ARG(id));
    session_of_row(bp_row(&rows, 0), session);
    return BP_OK;
}

static bp_status end_session(bp_call *call, struct journal *self, struct session *given,
                             struct session *session)
{
    BP_TRY(find_endable(call, self, session));
    session->learnings = given->learnings;
    session->challenges = given->challenges;
    session->notes = given->notes;
    return write_end(call, self, session);
}

bp_status tool_end_work_session(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    struct journal *self = instance;
    struct session  session, given = { .notes = BP_STR("") };
    const char     *problem = NULL;
    bp_str          reflection = BP_STR("");
    struct wanted   wanted;
    bp_status       status;

    BP_TRY(bp_params_read(call, &session_end_params, arguments, &wanted));
    given.notes = text_trim(wanted.quick_note);
    if (!given.notes.data)
        given.notes = BP_STR("");
    if (!list_read(call, wanted.what_i_learned, "what_i_learned", SESSION_LIST_MAX,
                   LIST_ITEM_CHARS_MAX, &given.learnings, &problem) ||
        !list_read(call, wanted.challenges_faced, "challenges_faced", SESSION_LIST_MAX,
                   LIST_ITEM_CHARS_MAX, &given.challenges, &problem) ||
        !text_check(call, given.notes, "quick_note", 0, QUICK_NOTE_CHARS_MAX, &problem))
        return answer_refused(call, mcp, problem, NULL);
    if (bp_mcp_state(mcp)
            .len) { // ended in an earlier round, in which the client was asked for a reflection
        BP_TRY(find_again(call, self, bp_mcp_state(mcp), &session));
    } else {
        status = end_session(call, self, &given, &session);
        if (status == BP_NOT_FOUND)
            return answer_refused(call, mcp, "No active work session found",
                                  "Begin one with start_working_on.");
        if (status != BP_OK) {
            log_failure(call, self, status);
            return status;
        }
        log_end(call, self, &session);
    }
    BP_TRY(reflection_make(call, self, mcp, &session, &reflection));
    return answer_ended(call, mcp, &session, reflection);
}
