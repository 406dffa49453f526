/* days.c - days of an owner: sessions by the day they began on, intention, wins, summary. */
#include "journal.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 1000, RECENT_DAYS = 7, DAY_S = 86400 };

/* ---- reading a day ---- */

static bp_status read_sessions(bp_call *call, struct journal *self, bp_str from, bp_str to,
                               struct session **sessions, size_t *count)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT " SESSION_COLUMNS
                         " FROM work_sessions WHERE tenant = $1 AND owner = $2 AND start_time >= "
                         "$3 AND start_time < $4 ORDER BY start_time, number LIMIT $5",
                         tenant_value(call), owner_value(call), bp_sql_text(from), bp_sql_text(to),
                         bp_sql_int(SESSIONS_MAX)),
                  &rows));
    *sessions = BP_NEW_ARRAY(call, struct session, rows.row_count + 1);
    if (!*sessions)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < rows.row_count; i++)
        session_of_row(bp_row(&rows, i), &(*sessions)[i]);
    *count = rows.row_count;
    return BP_OK;
}

static int by_text(const void *a, const void *b)
{
    const bp_str *left = a, *right = b;
    size_t        len = left->len < right->len ? left->len : right->len;
    int           order = len ? memcmp(left->data, right->data, len) : 0;

    return order ? order : (left->len > right->len) - (left->len < right->len);
}

static size_t keep_distinct(bp_str *texts, size_t count)
{
    size_t kept = 0;

    qsort(texts, count, sizeof(*texts), by_text);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !bp_str_equal(texts[i], texts[kept - 1]))
            texts[kept++] = texts[i];
    return kept;
}

static void add_members(const bp_json *list, bp_str *texts, size_t *count)
{
    for (size_t i = 0; i < bp_json_count(list) && i < SESSION_LIST_MAX; i++)
        texts[(*count)++] = bp_json_string(bp_json_at(list, i));
}

static bp_status sum_up(bp_call *call, struct day *day)
{
    size_t room = day->session_count * SESSION_LIST_MAX + 1;

    day->tasks = BP_NEW_ARRAY(call, bp_str, day->session_count + 1);
    day->learnings = BP_NEW_ARRAY(call, bp_str, room);
    day->challenges = BP_NEW_ARRAY(call, bp_str, room);
    if (!day->tasks || !day->learnings || !day->challenges)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < day->session_count; i++) {
        day->minutes += session_minutes(&day->sessions[i]);
        day->tasks[day->task_count++] = day->sessions[i].task;
        add_members(stored_list(call, day->sessions[i].learnings), day->learnings,
                    &day->learning_count);
        add_members(stored_list(call, day->sessions[i].challenges), day->challenges,
                    &day->challenge_count);
    }
    day->task_count = keep_distinct(day->tasks, day->task_count);
    return BP_OK;
}

bp_status day_read(bp_call *call, struct journal *self, bp_str date, struct day *day)
{
    int64_t start = 0;

    *day = (struct day){ .date = date };
    time_read(date, &start);
    BP_TRY(read_sessions(call, self, time_text(call, start), time_text(call, start + DAY_S),
                         &day->sessions, &day->session_count));
    return sum_up(call, day);
}

static bp_str today(bp_call *call)
{
    return date_text(call, time_now());
}

/* ---- how_was_my_day ---- */

static double hours_of(int64_t minutes)
{
    return (double)((minutes * 10 + 30) / 60) / 10;
}

static bp_status answer_day(bp_call *call, bp_mcp *mcp, const struct day *day, bp_str summary)
{
    bp_json_writer *w = bp_json_writer_new(call, 262144);

    bp_json_object(w);
    bp_json_put_bool(w, "success", day->session_count > 0);
    bp_json_put_string(w, "date", day->date);
    if (day->session_count == 0) {
        bp_json_put_string(w, "message",
                           bp_format(call, "No work sessions found for " BP_FMT,
                                     BP_ARG(day->date)));
    } else {
        bp_json_put_string(w, "summary", summary);
        bp_json_key(w, "stats");
        bp_json_object(w);
        bp_json_put_number(w, "total_hours", hours_of(day->minutes));
        bp_json_put_integer(w, "tasks_worked_on", (int64_t)day->task_count);
        bp_json_put_integer(w, "sessions", (int64_t)day->session_count);
        bp_json_put_integer(w, "learnings_captured", (int64_t)day->learning_count);
        bp_json_put_integer(w, "challenges_noted", (int64_t)day->challenge_count);
        bp_json_end(w);
    }
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

/* A column of the day's row, which is made when it is not there. */
static bp_status write_day(bp_call *call, struct journal *self, bp_str date, bp_str intention,
                           bp_str reflection)
{
    return db_run(call, self,
                  BP_SQL("INSERT INTO daily_journals (tenant, owner, date, morning_intention, "
                         "end_of_day_reflection, created_at, updated_at) VALUES ($1, $2, $3, $4, "
                         "$5, $6, $6) ON CONFLICT (tenant, owner, date) DO UPDATE SET "
                         "morning_intention = COALESCE(excluded.morning_intention, "
                         "daily_journals.morning_intention), end_of_day_reflection = "
                         "COALESCE(excluded.end_of_day_reflection, "
                         "daily_journals.end_of_day_reflection), updated_at = excluded.updated_at",
                         tenant_value(call), owner_value(call), bp_sql_text(date),
                         text_or_null(intention), text_or_null(reflection),
                         bp_sql_text(time_text(call, time_now()))),
                  NULL);
}

bp_status tool_how_was_my_day(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          date, summary = BP_STR("");
    struct wanted   wanted;
    struct day      day;

    BP_TRY(bp_params_read(call, &day_params, arguments, &wanted));
    date = text_trim(wanted.date);
    if (!date.len)
        date = today(call);
    if (!date_is_valid(date))
        return answer_refused(call, mcp,
                              "Invalid date format. Use YYYY-MM-DD (for example 2026-11-22).",
                              NULL);
    session_touch(call, self);
    BP_TRY(day_read(call, self, date, &day));
    if (day.session_count) {
        BP_TRY(summary_make(call, self, mcp, &day, &summary));
        BP_TRY(write_day(call, self, date, bp_str_n(NULL, 0), summary));
        BP_TRY(memory_keep(call, self,
                           bp_format(call, "daily_summary_" BP_FMT "%s" BP_FMT, BP_ARG(date),
                                     bp_principal_of(call)->id.len ? "_" : "",
                                     BP_ARG(bp_principal_of(call)->id)),
                           "daily_summary", summary, BP_STR("[]")));
    } else {
        metric_count(self, SUMMARIES_TOTAL, "skipped", NULL, 1);
    }
    return answer_day(call, mcp, &day, summary);
}

/* ---- intention and wins ---- */

bp_status tool_set_morning_intention(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_json_writer *w = bp_json_writer_new(call, 65536);
    bp_str          intention;
    const char     *problem = NULL;
    struct wanted   wanted;

    BP_TRY(bp_params_read(call, &intention_params, arguments, &wanted));
    intention = text_trim(wanted.intention);
    if (!text_check(call, intention, "intention", 1, INTENTION_CHARS_MAX, &problem))
        return answer_refused(call, mcp, problem, NULL);
    BP_TRY(write_day(call, self, today(call), intention, bp_str_n(NULL, 0)));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://journal/today"));
    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_put_string(w, "message", BP_STR("Morning intention set"));
    bp_json_put_string(w, "intention", intention);
    bp_json_put_string(w, "date", today(call));
    bp_json_put_string(w, "tip", BP_STR("Call start_working_on to begin."));
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

bp_status tool_capture_win(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_json_writer *w = bp_json_writer_new(call, 65536);
    bp_str          win, date = today(call);
    const char     *problem = NULL;
    struct wanted   wanted;
    bp_rows         rows;

    BP_TRY(bp_params_read(call, &win_params, arguments, &wanted));
    win = text_trim(wanted.win);
    if (!text_check(call, win, "win", 1, LIST_ITEM_CHARS_MAX, &problem))
        return answer_refused(call, mcp, problem, NULL);
    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_wins (tenant, owner, date, win, created_at) VALUES "
                         "($1, $2, $3, $4, $5)",
                         tenant_value(call), owner_value(call), bp_sql_text(date), bp_sql_text(win),
                         bp_sql_text(time_text(call, time_now()))),
                  NULL));
    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT COUNT(*) FROM journal_wins WHERE tenant = $1 AND owner = $2 AND "
                         "date = $3",
                         tenant_value(call), owner_value(call), bp_sql_text(date)),
                  &rows));
    metric_count(self, WINS_TOTAL, NULL, NULL, 1);
    session_touch(call, self);
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://journal/today"));
    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_put_string(w, "message", bp_format(call, "Win captured: " BP_FMT, BP_ARG(win)));
    bp_json_put_string(w, "win", win);
    bp_json_put_integer(w, "total_wins_today", bp_row(&rows, 0)[0].integer);
    bp_json_put_string(w, "tip", BP_STR("Wins of the day are shown by memory://journal/today."));
    bp_json_end(w);
    return answer_json(call, mcp, w);
}

/* ---- resources ---- */

static void write_session(bp_call *call, bp_json_writer *w, const struct session *session)
{
    bp_json_object(w);
    bp_json_put_string(w, "id", session->id);
    bp_json_put_string(w, "task", session->task);
    bp_json_put_string(w, "start_time", time_iso(call, session->start_s));
    bp_json_key(w, "end_time");
    if (session->end_s)
        bp_json_add_string(w, time_iso(call, session->end_s));
    else
        bp_json_add_null(w);
    bp_json_put_integer(w, "duration_minutes", session_minutes(session));
    bp_json_put_string(w, "notes", session->notes);
    put_json(w, "learnings", session->learnings);
    put_json(w, "challenges", session->challenges);
    put_json(w, "files_touched", session->files);
    bp_json_end(w);
}

static bp_status write_wins(bp_call *call, struct journal *self, bp_json_writer *w, bp_str date)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT win FROM journal_wins WHERE tenant = $1 AND owner = $2 AND date = "
                         "$3 ORDER BY number LIMIT $4",
                         tenant_value(call), owner_value(call), bp_sql_text(date),
                         bp_sql_int(SESSIONS_MAX)),
                  &rows));
    bp_json_key(w, "wins");
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++)
        bp_json_add_string(w, bp_row(&rows, i)[0].text);
    bp_json_end(w);
    return BP_OK;
}

/* The day as an object; `is_there` false, and nothing written, when nothing is known of it. */
static bp_status write_journal(bp_call *call, struct journal *self, bp_json_writer *w, bp_str date,
                               bool *is_there)
{
    struct day day;
    bp_rows    rows;

    BP_TRY(day_read(call, self, date, &day));
    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT morning_intention, end_of_day_reflection, energy_level, mood FROM "
                         "daily_journals WHERE tenant = $1 AND owner = $2 AND date = $3",
                         tenant_value(call), owner_value(call), bp_sql_text(date)),
                  &rows));
    *is_there = day.session_count || rows.row_count;
    if (!*is_there)
        return BP_OK;
    bp_json_object(w);
    bp_json_put_string(w, "date", date);
    if (rows.row_count) {
        put_text(w, "morning_intention", &bp_row(&rows, 0)[0]);
        put_text(w, "end_of_day_reflection", &bp_row(&rows, 0)[1]);
        bp_json_put_integer(w, "energy_level", bp_row(&rows, 0)[2].integer);
        put_text(w, "mood", &bp_row(&rows, 0)[3]);
    }
    BP_TRY(write_wins(call, self, w, date));
    bp_json_put_number(w, "total_hours", hours_of(day.minutes));
    bp_json_put_integer(w, "total_minutes", day.minutes);
    bp_json_key(w, "work_sessions");
    bp_json_array(w);
    for (size_t i = 0; i < day.session_count; i++)
        write_session(call, w, &day.sessions[i]);
    bp_json_end(w);
    bp_json_end(w);
    return BP_OK;
}

static bp_status answer_date(bp_call *call, struct journal *self, bp_mcp *mcp, bp_str date)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bool            is_there;

    if (!date_is_valid(date))
        return answer_missing(call, mcp, "Invalid date format. Use YYYY-MM-DD.");
    BP_TRY(write_journal(call, self, w, date, &is_there));
    if (!is_there)
        return answer_missing(call, mcp,
                              bp_format(call, "No journal for " BP_FMT, BP_ARG(date)).data);
    return answer_resource(call, mcp, w);
}

bp_status resource_today(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)uri;
    return answer_date(call, instance, mcp, today(call));
}

bp_status resource_date(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)uri;
    return answer_date(call, instance, mcp, bp_mcp_uri_value(mcp, "date"));
}

bp_status resource_recent(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    int64_t         now = time_now();

    (void)uri;
    bp_json_array(w);
    for (int64_t i = 0; i < RECENT_DAYS; i++) {
        bool is_there;

        BP_TRY(write_journal(call, instance, w, date_text(call, now - i * DAY_S), &is_there));
    }
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

struct week {
    int64_t minutes, days, sessions, wins;
    size_t  tasks;
};

static bp_status read_week(bp_call *call, struct journal *self, bp_str from, bp_str to,
                           struct week *week)
{
    struct day day = { .date = from };
    bp_str     last = { NULL, 0 };
    bp_rows    rows;

    BP_TRY(read_sessions(call, self, from, to, &day.sessions, &day.session_count));
    BP_TRY(sum_up(call, &day));
    for (size_t i = 0; i < day.session_count; i++) {
        bp_str date = date_text(call, day.sessions[i].start_s);

        week->days += !bp_str_equal(date, last);
        last = date;
    }
    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT COUNT(*) FROM journal_wins WHERE tenant = $1 AND owner = $2 AND "
                         "date >= $3 AND date <= $4",
                         tenant_value(call), owner_value(call),
                         bp_sql_text(bp_str_n(from.data, 10)), bp_sql_text(to)),
                  &rows));
    week->minutes = day.minutes;
    week->sessions = (int64_t)day.session_count;
    week->tasks = day.task_count;
    week->wins = bp_row(&rows, 0)[0].integer;
    return BP_OK;
}

bp_status resource_weekly(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, 65536);
    int64_t         now = time_now();
    bp_str first = date_text(call, now - (RECENT_DAYS - 1) * DAY_S), last = date_text(call, now);
    struct week week = { 0 };
    double      days;

    (void)uri;
    BP_TRY(read_week(call, instance, bp_format(call, BP_FMT " 00:00:00", BP_ARG(first)),
                     bp_format(call, BP_FMT " 24:00:00", BP_ARG(last)), &week));
    days = week.days ? (double)week.days : 1;
    bp_json_object(w);
    bp_json_put_string(w, "period",
                       bp_format(call, BP_FMT " to " BP_FMT, BP_ARG(first), BP_ARG(last)));
    bp_json_put_number(w, "total_hours", hours_of(week.minutes));
    bp_json_put_integer(w, "days_worked", week.days);
    bp_json_put_integer(w, "total_sessions", week.sessions);
    bp_json_put_integer(w, "total_tasks", (int64_t)week.tasks);
    bp_json_put_integer(w, "total_wins", week.wins);
    bp_json_key(w, "averages");
    bp_json_object(w);
    bp_json_put_number(w, "hours_per_day", hours_of((int64_t)((double)week.minutes / days)));
    bp_json_put_number(w, "sessions_per_day",
                       (double)(int64_t)((double)week.sessions * 10 / days + 0.5) / 10);
    bp_json_end(w);
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}
