/* stuck.c - sessions that nobody ended: a list, a way to close them, and a job that ends those
 * without activity.
 *
 *      GET  /api/journal/sessions?stuck=8h
 *      POST /api/journal/sessions/close  {"stuck": "8h"}
 *
 * An operator sees and closes what belongs to the tenant of his key. Before anything is closed the
 * storage is asked for a backup, where it can make one.
 */
#include "journal.h"

#include <errno.h>
#include <sys/stat.h>

enum { SHOWN_MAX = 1000 };

/* Sessions begun before `before`, those of every owner of the tenant. */
static bp_status find_stuck(bp_call *call, struct journal *self, int64_t before, bp_rows *rows)
{
    return db_run(call, self,
                  BP_SQL("SELECT " SESSION_COLUMNS
                         " FROM work_sessions WHERE tenant = $1 AND end_time IS NULL AND "
                         "start_time <= $2 ORDER BY start_time LIMIT $3",
                         tenant_value(call), bp_sql_text(time_text(call, before)),
                         bp_sql_int(SHOWN_MAX)),
                  rows);
}

void sessions_write(bp_call *call, bp_json_writer *w, const struct stuck *stuck)
{
    bp_json_object(w);
    if (stuck->is_closed) {
        bp_json_put_integer(w, "closed", (int64_t)stuck->rows.row_count);
        bp_json_put_string(w, "backup", stuck->backup);
    }
    bp_json_key(w, "sessions");
    bp_json_array(w);
    for (size_t i = 0; i < stuck->rows.row_count; i++) {
        struct session session = { 0 };

        session_of_row(bp_row(&stuck->rows, i), &session);
        bp_json_object(w);
        bp_json_put_string(w, "id", session.id);
        bp_json_put_string(w, "owner", session.owner);
        bp_json_put_string(w, "task", session.task);
        bp_json_put_string(w, "start_time", time_text(call, session.start_s));
        bp_json_put_integer(w, "hours", session_minutes(&session) / 60);
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_end(w);
}

static bp_status read_stuck(bp_call *call, bp_str text, int64_t *before)
{
    int64_t seconds = 0;

    if (text.len && !duration_read(text, &seconds))
        return bp_fail(call, BP_INVALID, "stuck: \"" BP_FMT "\" is no duration: 8h, 90m, 2d",
                       BP_ARG(text));
    *before = time_now() - seconds;
    return BP_OK;
}

bp_status sessions_find_stuck(bp_call *call, struct journal *self, bp_str since,
                              struct stuck *stuck)
{
    int64_t before = 0;

    *stuck = (struct stuck){ .backup = BP_STR("") };
    BP_TRY(read_stuck(call, since, &before));
    return find_stuck(call, self, before, &stuck->rows);
}

bp_status sessions_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_str          since = { NULL, 0 };
    struct stuck    stuck;

    bp_request_query(request, "stuck", &since);
    BP_TRY(sessions_find_stuck(call, instance, since, &stuck));
    sessions_write(call, w, &stuck);
    return bp_respond_json(call, response, 200, w);
}

/* ---- closing ---- */

/* `path` stays empty when the storage makes no backups. */
static bp_status make_backup(bp_call *call, struct journal *self, bp_str *path)
{
    int64_t   size_bytes = 0;
    bp_str    name = bp_format(call, "journal-backup-%lld.db", (long long)time_now());
    bp_status status;

    *path = BP_STR("");
    if (!bp_storage_of(self->storage)->backup)
        return BP_OK;
    name = bp_format(call, BP_FMT "/%s", BP_ARG(self->backups), name.data);
    if (mkdir(bp_dup(call, self->backups).data, 0700) != 0 && errno != EEXIST)
        return bp_fail(call, BP_IO,
                       "the folder of backups, " BP_FMT ", cannot be made: %s; nothing was closed",
                       BP_ARG(self->backups), strerror(errno));
    status = bp_storage_of(self->storage)->backup(call, self->storage->instance, name, &size_bytes);
    if (status == BP_UNSUPPORTED) {
        bp_clear_error(call);
        return BP_OK;
    }
    if (status == BP_OK)
        *path = name;
    return status;
}

static bp_status close_some(bp_call *call, struct journal *self, int64_t before, bp_rows *rows)
{
    return db_run(call, self,
                  BP_SQL("UPDATE work_sessions SET end_time = $3, ended_by = 'operator' WHERE "
                         "tenant = $1 AND end_time IS NULL AND start_time <= $2 "
                         "RETURNING " SESSION_COLUMNS,
                         tenant_value(call), bp_sql_text(time_text(call, before)),
                         bp_sql_text(time_text(call, time_now()))),
                  rows);
}

bp_status sessions_close_stuck(bp_call *call, struct journal *self, bp_str since,
                               struct stuck *stuck)
{
    int64_t before = 0;

    *stuck = (struct stuck){ .backup = BP_STR(""), .is_closed = true };
    BP_TRY(read_stuck(call, since, &before));
    BP_TRY(find_stuck(call, self, before, &stuck->rows));
    if (stuck->rows.row_count)
        BP_TRY(make_backup(call, self, &stuck->backup));
    BP_TRY(close_some(call, self, before, &stuck->rows));
    metric_count(self, SESSIONS_TOTAL, "success", NULL, (double)stuck->rows.row_count);
    sessions_count_active(call, self);
    bp_log_event(call, BP_LOG_WARN, "sessions_closed",
                 BP_STR("an operator closed sessions that nobody had ended"),
                 (bp_field[]){ bp_field_int("sessions", (int64_t)stuck->rows.row_count),
                               bp_field_str("backup", stuck->backup) },
                 2);
    return BP_OK;
}

bp_status sessions_close(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    const bp_json  *body;
    bp_str          bytes, since;
    struct stuck    stuck;

    BP_TRY(bp_request_body(call, request, &bytes));
    BP_TRY(bp_json_read(call, bytes, &body));
    since = bp_json_string(bp_json_get(body, "stuck"));
    if (!since.len)
        return bp_fail(call, BP_INVALID,
                       "stuck is missing: how long ago a session must have begun to be closed, as "
                       "\"8h\"");
    BP_TRY(sessions_close_stuck(call, instance, since, &stuck));
    sessions_write(call, w, &stuck);
    return bp_respond_json(call, response, 200, w);
}

/* ---- the job ---- */

/* A session without activity ends when it was last active: what came after is not known to be work.
 */
bp_status sessions_end_idle(bp_call *call, struct journal *self)
{
    bp_rows rows;

    if (!self->idle_timeout_ns)
        return BP_OK;
    BP_TRY(db_run(call, self,
                  BP_SQL("UPDATE work_sessions SET end_time = last_active, ended_by = 'idle' WHERE "
                         "end_time IS NULL AND last_active < $1 RETURNING " SESSION_COLUMNS,
                         bp_sql_text(
                             time_text(call, time_now() - self->idle_timeout_ns / BP_SECONDS(1)))),
                  &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        struct session session = { 0 };

        session_of_row(bp_row(&rows, i), &session);
        metric_count(self, SESSIONS_TOTAL, "success", NULL, 1);
        metric_count(self, SESSION_DURATION, NULL, NULL, 60 * (double)session_minutes(&session));
        bp_log_event(call, BP_LOG_WARN, "session_end", session.task,
                     (bp_field[]){ bp_field_str("session_id", session.id),
                                   bp_field_str("status", BP_STR("idle")),
                                   bp_field_int("duration_minutes", session_minutes(&session)) },
                     3);
    }
    return BP_OK;
}
