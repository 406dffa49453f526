/* prompts.c - seven prompts that give a model the contents of the journal. */
#include "journal.h"

enum {
    DOING = 5,
    BLOCKED = 3,
    NEXT = 5,
    PENDING = 5,
    DECISIONS = 3,
    DECISIONS_MAX = 50,
    BRIEFED_DECISIONS = 2,
    DAY_S = 86400
};

static void add(bp_buf *buf, bp_str text)
{
    bp_buf_add(buf, text.data ? text : BP_STR(""));
}

static void add_line(bp_buf *buf, const char *before, bp_str text)
{
    if (!text.len)
        return;
    add(buf, bp_str_of(before));
    add(buf, text);
    add(buf, BP_STR("\n"));
}

static bp_status answer(bp_call *call, bp_buf *buf, bp_mcp *mcp)
{
    if (bp_buf_status(buf) != BP_OK)
        return bp_fail(call, bp_buf_status(buf), "the prompt is larger than %d MiB",
                       RESULT_BYTES_MAX >> 20);
    bp_mcp_text(mcp, bp_buf_str(buf));
    return BP_OK;
}

static bp_buf *new_text(bp_call *call)
{
    return bp_buf_new(call, RESULT_BYTES_MAX);
}

/* ---- parts ---- */

static void add_members(bp_call *call, bp_buf *buf, const char *title, bp_str json)
{
    const bp_json *list = stored_list(call, json);

    for (size_t i = 0; i < bp_json_count(list); i++) {
        const bp_json *member = bp_json_at(list, i);
        bp_str         name = bp_json_string(
                    bp_json_type_of(member) == BP_JSON_OBJECT ? bp_json_get(member, "name") : member);

        if (i == 0)
            add_line(buf, "", bp_str_of(title));
        add_line(buf, "- ", name);
    }
}

static bp_status add_project(bp_call *call, struct journal *self, bp_buf *buf)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT name, description, goals FROM journal_project WHERE tenant = $1",
                         tenant_value(call)),
                  &rows));
    add(buf, BP_STR("# Project\n"));
    if (!rows.row_count)
        add(buf, BP_STR("No project brief set.\n"));
    else {
        add_line(buf, "", bp_row(&rows, 0)[0].text);
        add_line(buf, "", bp_row(&rows, 0)[1].text);
        add_members(call, buf, "Goals:", bp_row(&rows, 0)[2].text);
    }
    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT languages, frameworks, tools FROM journal_stack WHERE tenant = $1",
                         tenant_value(call)),
                  &rows));
    if (rows.row_count) {
        add(buf, BP_STR("\n# Tech stack\n"));
        add_members(call, buf, "Languages:", bp_row(&rows, 0)[0].text);
        add_members(call, buf, "Frameworks:", bp_row(&rows, 0)[1].text);
        add_members(call, buf, "Tools:", bp_row(&rows, 0)[2].text);
    }
    return BP_OK;
}

static bp_status add_context(bp_call *call, struct journal *self, bp_buf *buf)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT current_task, notes, working_branch, related_files FROM "
                         "journal_context WHERE tenant = $1",
                         tenant_value(call)),
                  &rows));
    add(buf, BP_STR("\n# Active context\n"));
    if (!rows.row_count) {
        add(buf, BP_STR("None.\n"));
        return BP_OK;
    }
    add_line(buf, "Task: ", bp_row(&rows, 0)[0].text);
    add_line(buf, "Branch: ", bp_row(&rows, 0)[2].text);
    add_line(buf, "Notes: ", bp_row(&rows, 0)[1].text);
    add_members(call, buf, "Files:", bp_row(&rows, 0)[3].text);
    return BP_OK;
}

static bp_status add_decisions(bp_call *call, struct journal *self, bp_buf *buf, int64_t count)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT title, decision, rationale, created_at FROM journal_decisions "
                         "WHERE tenant = $1 ORDER BY number DESC LIMIT $2",
                         tenant_value(call), bp_sql_int(count)),
                  &rows));
    add(buf, BP_STR("\n# Recent decisions\n"));
    if (!rows.row_count)
        add(buf, BP_STR("None.\n"));
    for (size_t i = 0; i < rows.row_count; i++) {
        add_line(buf, "## ", bp_row(&rows, i)[0].text);
        add_line(buf, "Decision: ", bp_row(&rows, i)[1].text);
        add_line(buf, "Why: ", bp_row(&rows, i)[2].text);
        add_line(buf, "When: ", bp_row(&rows, i)[3].text);
    }
    return BP_OK;
}

static bp_status add_tasks(bp_call *call, struct journal *self, bp_buf *buf, const char *title,
                           const char *state, int64_t count)
{
    bp_rows rows;

    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT title, priority, blocked_reason FROM journal_tasks WHERE tenant = "
                         "$1 AND status = $2 ORDER BY CASE priority WHEN 'high' THEN 0 WHEN "
                         "'medium' THEN 1 ELSE 2 END, number LIMIT $3",
                         tenant_value(call), bp_sql_text(bp_str_of(state)), bp_sql_int(count)),
                  &rows));
    add_line(buf, "\n## ", bp_str_of(title));
    if (!rows.row_count)
        add(buf, BP_STR("None.\n"));
    for (size_t i = 0; i < rows.row_count; i++) {
        add(buf, BP_STR("- "));
        add(buf, bp_row(&rows, i)[0].text);
        bp_buf_addf(buf, " (" BP_FMT ")", BP_ARG(bp_row(&rows, i)[1].text));
        add_line(buf, ": ", bp_row(&rows, i)[2].text);
        if (!bp_row(&rows, i)[2].text.len)
            add(buf, BP_STR("\n"));
    }
    return BP_OK;
}

static bp_status add_progress(bp_call *call, struct journal *self, bp_buf *buf)
{
    bp_rows rows;

    add(buf, BP_STR("\n# Progress\n"));
    BP_TRY(add_tasks(call, self, buf, "Doing", "doing", DOING));
    BP_TRY(add_tasks(call, self, buf, "Blocked", "blocked", BLOCKED));
    BP_TRY(add_tasks(call, self, buf, "Next", "next", NEXT));
    BP_TRY(db_run(call, self,
                  BP_SQL("SELECT COUNT(*) FROM journal_tasks WHERE tenant = $1 AND status = 'done'",
                         tenant_value(call)),
                  &rows));
    bp_buf_addf(buf, "\nDone: %lld\n", (long long)bp_row(&rows, 0)[0].integer);
    return BP_OK;
}

/* ---- the prompts ---- */

static bp_status prompt_context(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    bp_buf *buf = new_text(call);

    (void)arguments;
    BP_TRY(add_project(call, instance, buf));
    BP_TRY(add_context(call, instance, buf));
    return answer(call, buf, mcp);
}

static bp_status prompt_decisions(bp_call *call, void *instance, const bp_json *arguments,
                                  bp_mcp *mcp)
{
    bp_buf *buf = new_text(call);
    bp_str  text = bp_json_string(bp_json_get(arguments, "limit"));
    int64_t limit = 0;

    for (size_t i = 0; i < text.len && limit <= DECISIONS_MAX; i++)
        limit = text.data[i] >= '0' && text.data[i] <= '9' ? limit * 10 + text.data[i] - '0'
                                                           : DECISIONS_MAX + 1;
    if (text.len && (limit < 1 || limit > DECISIONS_MAX))
        return bp_mcp_fail(call, mcp, BP_MCP_INVALID_PARAMS,
                           BP_STR("limit must be a number from 1 to 50"), BP_STR(""));
    BP_TRY(add_decisions(call, instance, buf, text.len ? limit : DECISIONS));
    return answer(call, buf, mcp);
}

static bp_status prompt_progress(bp_call *call, void *instance, const bp_json *arguments,
                                 bp_mcp *mcp)
{
    bp_buf *buf = new_text(call);

    (void)arguments;
    BP_TRY(add_progress(call, instance, buf));
    return answer(call, buf, mcp);
}

static bp_status prompt_full(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_buf *buf = new_text(call);

    (void)arguments;
    BP_TRY(add_project(call, instance, buf));
    BP_TRY(add_context(call, instance, buf));
    BP_TRY(add_decisions(call, instance, buf, DECISIONS));
    BP_TRY(add_progress(call, instance, buf));
    return answer(call, buf, mcp);
}

static bp_status prompt_morning(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    bp_buf    *buf = new_text(call);
    struct day day;

    (void)arguments;
    BP_TRY(day_read(call, instance, date_text(call, time_now() - DAY_S), &day));
    add(buf, BP_STR("# Good morning\n\n## Yesterday\n"));
    if (!day.session_count)
        add(buf, BP_STR("No work sessions.\n"));
    else
        bp_buf_addf(buf, "%.1f hours in %zu sessions.\n", (double)day.minutes / 60,
                    day.session_count);
    for (size_t i = 0; i < day.task_count; i++)
        add_line(buf, "- ", day.tasks[i]);
    for (size_t i = 0; i < day.learning_count; i++)
        add_line(buf, "Learned: ", day.learnings[i]);
    BP_TRY(add_tasks(call, instance, buf, "Going on", "doing", PENDING));
    BP_TRY(add_tasks(call, instance, buf, "Pending", "next", PENDING));
    BP_TRY(add_decisions(call, instance, buf, BRIEFED_DECISIONS));
    add(buf, BP_STR("\nWhat is the intention for today? Set it with set_morning_intention.\n"));
    return answer(call, buf, mcp);
}

static bp_status prompt_session(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    bp_buf        *buf = new_text(call);
    struct session session;
    bp_status      status = session_active(call, instance, &session);

    (void)arguments;
    if (status == BP_NOT_FOUND) {
        add(buf, BP_STR("# No Active Session\n\nBegin one with start_working_on.\n"));
    } else {
        BP_TRY(status);
        add(buf, BP_STR("# Active Session\n\n"));
        add_line(buf, "Task: ", session.task);
        bp_buf_addf(buf, "Duration: %lld minutes\n", (long long)session_minutes(&session));
        add_line(buf, "Started: ", time_iso(call, session.start_s));
    }
    return answer(call, buf, mcp);
}

static bp_status prompt_day(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_buf    *buf = new_text(call);
    struct day day;

    (void)arguments;
    BP_TRY(day_read(call, instance, date_text(call, time_now()), &day));
    bp_buf_addf(buf,
                "# Today: " BP_FMT
                "\n\n%.1f hours in %zu sessions, %zu learnings, %zu challenges.\n",
                BP_ARG(day.date), (double)day.minutes / 60, day.session_count, day.learning_count,
                day.challenge_count);
    for (size_t i = 0; i < day.task_count; i++)
        add_line(buf, "- ", day.tasks[i]);
    add(buf, day.minutes >= 240 ? BP_STR("\nA full day of focused work: time to look back on it.\n")
             : day.minutes >= 120 ? BP_STR("\nGood progress: what is worth finishing today?\n")
                                  : BP_STR("\nThe day is young: pick one task and begin.\n"));
    return answer(call, buf, mcp);
}

static const bp_mcp_argument decision_arguments[] = {
    { "limit", "Limit", "how many of the latest decisions, 1 to 50; 3 unless given", false },
};

const bp_mcp_prompt journal_prompts[JOURNAL_PROMPTS] = {
    { .name = "context_prompt",
      .title = "Context",
      .description = "The project and the current work",
      .handler = prompt_context,
      .scope = "journal:read" },
    { .name = "recent_decisions_prompt",
      .title = "Recent decisions",
      .description = "The latest decisions and their reasons",
      BP_MCP_ARGUMENTS(decision_arguments),
      .handler = prompt_decisions,
      .scope = "journal:read" },
    { .name = "progress_summary_prompt",
      .title = "Progress",
      .description = "Tasks by state: doing, blocked, next, done",
      .handler = prompt_progress,
      .scope = "journal:read" },
    { .name = "full_context_prompt",
      .title = "Full context",
      .description = "Project, context, decisions and progress",
      .handler = prompt_full,
      .scope = "journal:read" },
    { .name = "morning_briefing_prompt",
      .title = "Morning briefing",
      .description = "Yesterday, pending tasks, latest decisions",
      .handler = prompt_morning,
      .scope = "journal:read" },
    { .name = "active_session_prompt",
      .title = "Active session",
      .description = "The open session",
      .handler = prompt_session,
      .scope = "journal:read" },
    { .name = "daily_progress_prompt",
      .title = "Progress of the day",
      .description = "Today's work so far",
      .handler = prompt_day,
      .scope = "journal:read" },
};
