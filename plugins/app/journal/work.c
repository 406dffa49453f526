/* work.c - decisions and tasks. */
#include "journal.h"

enum { ROWS_SHOWN = 1000, STATES = 4 };

static bp_str trim(bp_str text)
{
    text = text_trim(text);
    return text.data ? text : BP_STR("");
}

/* ---- decisions ---- */

bp_status tool_log_decision(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          title, decision, rationale, alternatives, consequences, tags, id = new_id(call);
    const char     *problem = NULL;
    struct wanted   wanted;

    BP_TRY(bp_params_read(call, &decision_params, arguments, &wanted));
    title = trim(wanted.title);
    decision = trim(wanted.decision);
    rationale = trim(wanted.rationale);
    if (!text_check(call, title, "title", 1, TASK_CHARS_MAX, &problem) ||
        !text_check(call, decision, "decision", 1, TEXT_CHARS_MAX, &problem) ||
        !text_check(call, rationale, "rationale", 1, TEXT_CHARS_MAX, &problem) ||
        !list_read(call, wanted.alternatives_considered, "alternatives_considered", LIST_MAX,
                   LIST_ITEM_CHARS_MAX, &alternatives, &problem) ||
        !list_read(call, wanted.consequences, "consequences", LIST_MAX, LIST_ITEM_CHARS_MAX,
                   &consequences, &problem) ||
        !list_read(call, wanted.tags, "tags", LIST_MAX, TAG_CHARS_MAX, &tags, &problem))
        return answer_refused(call, mcp, problem, NULL);
    session_touch(call, self);
    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_decisions (id, tenant, title, decision, rationale, "
                         "alternatives_considered, consequences, tags, status, created_at) VALUES "
                         "($1, $2, $3, $4, $5, $6, $7, $8, 'accepted', $9)",
                         bp_sql_text(id), tenant_value(call), bp_sql_text(title),
                         bp_sql_text(decision), bp_sql_text(rationale), bp_sql_text(alternatives),
                         bp_sql_text(consequences), bp_sql_text(tags),
                         bp_sql_text(time_text(call, time_now()))),
                  NULL));
    BP_TRY(memory_keep(call, self, bp_format(call, "decision_" BP_FMT, BP_ARG(id)), "decision",
                       bp_format(call, BP_FMT "\n%.*s\n%.*s", BP_ARG(title), (int)decision.len,
                                 decision.data, (int)rationale.len, rationale.data),
                       tags));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://decisions"));
    return answer_done(call, mcp,
                       bp_format(call, "Decision logged: " BP_FMT " - " BP_FMT, BP_ARG(id),
                                 BP_ARG(title)));
}

static void write_decision(bp_json_writer *w, const bp_sql_value *row)
{
    bp_json_object(w);
    put_text(w, "id", &row[0]);
    put_text(w, "title", &row[1]);
    put_text(w, "decision", &row[2]);
    put_text(w, "rationale", &row[3]);
    put_json(w, "alternatives_considered", row[4].text);
    put_json(w, "consequences", row[5].text);
    put_json(w, "tags", row[6].text);
    put_text(w, "status", &row[7]);
    put_text(w, "created_at", &row[8]);
    bp_json_end(w);
}

bp_status resource_decisions(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_rows         rows;

    (void)uri;
    BP_TRY(db_run(call, instance,
                  BP_SQL("SELECT " DECISION_COLUMNS
                         " FROM journal_decisions WHERE tenant = $1 ORDER BY number DESC LIMIT $2",
                         tenant_value(call), bp_sql_int(ROWS_SHOWN)),
                  &rows));
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++)
        write_decision(w, bp_row(&rows, i));
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

bp_status resource_decision(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_str          id = bp_mcp_uri_value(mcp, "id");
    bp_rows         rows;

    (void)uri;
    BP_TRY(db_run(call, instance,
                  BP_SQL("SELECT " DECISION_COLUMNS
                         " FROM journal_decisions WHERE tenant = $1 AND id = $2",
                         tenant_value(call), bp_sql_text(id)),
                  &rows));
    if (!rows.row_count)
        return answer_missing(call, mcp,
                              bp_format(call, "Decision " BP_FMT " not found", BP_ARG(id)).data);
    write_decision(w, bp_row(&rows, 0));
    return answer_resource(call, mcp, w);
}

/* ---- tasks ---- */

static bool is_one_of(bp_str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bp_str_is(text, list[i]))
            return true;
    return false;
}

static const char *const states[STATES] = { "done", "doing", "next", "blocked" };

bp_status tool_create_task(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    static const char *const priorities[] = { "high", "medium", "low" };
    struct journal          *self = instance;
    bp_str                   title, description, priority, tags, id = new_id(call);
    bp_sql_value             now = bp_sql_text(time_text(call, time_now()));
    const char              *problem = NULL;
    struct wanted            wanted;

    BP_TRY(bp_params_read(call, &task_params, arguments, &wanted));
    title = trim(wanted.title);
    description = trim(wanted.description);
    priority = trim(wanted.priority);
    if (!text_check(call, title, "title", 1, TASK_CHARS_MAX, &problem) ||
        !text_check(call, description, "description", 0, TEXT_CHARS_MAX, &problem) ||
        !list_read(call, wanted.tags, "tags", LIST_MAX, TAG_CHARS_MAX, &tags, &problem))
        return answer_refused(call, mcp, problem, NULL);
    if (!priority.len)
        priority = BP_STR("medium");
    if (!is_one_of(priority, priorities, 3))
        return answer_refused(call, mcp, "priority must be high, medium or low", NULL);
    session_touch(call, self);
    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_tasks (id, tenant, title, description, status, "
                         "priority, tags, created_at, updated_at) VALUES ($1, $2, $3, $4, 'next', "
                         "$5, $6, $7, $7)",
                         bp_sql_text(id), tenant_value(call), bp_sql_text(title),
                         bp_sql_text(description), bp_sql_text(priority), bp_sql_text(tags), now),
                  NULL));
    BP_TRY(memory_keep(call, self, bp_format(call, "task_" BP_FMT, BP_ARG(id)), "task",
                       bp_format(call, BP_FMT "\n%.*s", BP_ARG(title), (int)description.len,
                                 description.data),
                       tags));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://tasks"));
    return answer_done(call, mcp,
                       bp_format(call, "Task created: " BP_FMT " - " BP_FMT, BP_ARG(id),
                                 BP_ARG(title)));
}

bp_status tool_update_task_status(bp_call *call, void *instance, const bp_json *arguments,
                                  bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          id, status, reason, now = time_text(call, time_now());
    const char     *problem = NULL;
    struct wanted   wanted;
    bp_rows         rows;

    BP_TRY(bp_params_read(call, &task_status_params, arguments, &wanted));
    id = trim(wanted.task_id);
    status = trim(wanted.status);
    reason = trim(wanted.blocked_reason);
    if (!is_one_of(status, states, STATES))
        return answer_refused(call, mcp, "status must be done, doing, next or blocked", NULL);
    if (!text_check(call, reason, "blocked_reason", 0, TEXT_CHARS_MAX, &problem))
        return answer_refused(call, mcp, problem, NULL);
    session_touch(call, self);
    BP_TRY(db_run(call, self,
                  BP_SQL("UPDATE journal_tasks SET status = $3, completed_at = $4, blocked_reason "
                         "= $5, updated_at = $6 WHERE tenant = $1 AND id = $2 RETURNING title",
                         tenant_value(call), bp_sql_text(id), bp_sql_text(status),
                         bp_str_is(status, "done") ? bp_sql_text(now) : bp_sql_null(),
                         bp_str_is(status, "blocked") && reason.len ? bp_sql_text(reason)
                                                                    : bp_sql_null(),
                         bp_sql_text(now)),
                  &rows));
    if (!rows.row_count)
        return answer_refused(call, mcp,
                              bp_format(call, "Task " BP_FMT " not found", BP_ARG(id)).data,
                              "memory://tasks lists the tasks.");
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://tasks"));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://progress"));
    return answer_done(call, mcp,
                       bp_format(call, "Task " BP_FMT " is now " BP_FMT, BP_ARG(id),
                                 BP_ARG(status)));
}

static void write_task(bp_json_writer *w, const bp_sql_value *row)
{
    static const char *const texts[] = { "id", "title", "description", "status", "priority" };

    bp_json_object(w);
    for (size_t i = 0; i < 5; i++)
        put_text(w, texts[i], &row[i]);
    put_json(w, "tags", row[5].text);
    put_text(w, "created_at", &row[6]);
    put_text(w, "updated_at", &row[7]);
    put_text(w, "completed_at", &row[8]);
    put_text(w, "blocked_reason", &row[9]);
    bp_json_end(w);
}

static bp_status read_tasks(bp_call *call, struct journal *self, bp_rows *rows)
{
    return db_run(call, self,
                  BP_SQL("SELECT " TASK_COLUMNS
                         " FROM journal_tasks WHERE tenant = $1 ORDER BY number DESC LIMIT $2",
                         tenant_value(call), bp_sql_int(ROWS_SHOWN)),
                  rows);
}

bp_status resource_tasks(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_rows         rows;

    (void)uri;
    BP_TRY(read_tasks(call, instance, &rows));
    bp_json_array(w);
    for (size_t i = 0; i < rows.row_count; i++)
        write_task(w, bp_row(&rows, i));
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

bp_status resource_progress(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_rows         rows;

    (void)uri;
    BP_TRY(read_tasks(call, instance, &rows));
    bp_json_object(w);
    for (size_t s = 0; s < STATES; s++) {
        bp_json_key(w, states[s]);
        bp_json_array(w);
        for (size_t i = 0; i < rows.row_count; i++)
            if (bp_str_is(bp_row(&rows, i)[3].text, states[s]))
                write_task(w, bp_row(&rows, i));
        bp_json_end(w);
    }
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

bp_status resource_task(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_str          id = bp_mcp_uri_value(mcp, "id");
    bp_rows         rows;

    (void)uri;
    BP_TRY(db_run(call, instance,
                  BP_SQL("SELECT " TASK_COLUMNS " FROM journal_tasks WHERE tenant = $1 AND id = $2",
                         tenant_value(call), bp_sql_text(id)),
                  &rows));
    if (!rows.row_count)
        return answer_missing(call, mcp,
                              bp_format(call, "Task " BP_FMT " not found", BP_ARG(id)).data);
    write_task(w, bp_row(&rows, 0));
    return answer_resource(call, mcp, w);
}
