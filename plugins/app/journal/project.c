/* project.c - a tenant's project: the brief, the tech stack, and the current context. One row each.
 */
#include "journal.h"

bp_status tool_set_project_brief(bp_call *call, void *instance, const bp_json *arguments,
                                 bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          name, description, version, goals;
    const char     *problem = NULL;
    struct wanted   wanted;

    BP_TRY(bp_params_read(call, &project_brief_params, arguments, &wanted));
    name = text_trim(wanted.name);
    description = text_trim(wanted.description);
    version = text_trim(wanted.version);
    if (!text_check(call, name, "name", 1, TASK_CHARS_MAX, &problem) ||
        !text_check(call, description, "description", 1, TEXT_CHARS_MAX, &problem) ||
        !text_check(call, version, "version", 0, TAG_CHARS_MAX, &problem) ||
        !list_read(call, wanted.goals, "goals", LIST_MAX, LIST_ITEM_CHARS_MAX, &goals, &problem))
        return answer_refused(call, mcp, problem, NULL);
    if (!version.len)
        version = BP_STR("1.0.0");
    session_touch(call, self);
    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_project (tenant, name, description, goals, version, "
                         "updated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant) DO "
                         "UPDATE SET name = excluded.name, description = excluded.description, "
                         "goals = excluded.goals, version = excluded.version, updated_at = "
                         "excluded.updated_at",
                         tenant_value(call), bp_sql_text(name), bp_sql_text(description),
                         bp_sql_text(goals), bp_sql_text(version),
                         bp_sql_text(time_text(call, time_now()))),
                  NULL));
    BP_TRY(memory_keep(call, self, BP_STR("project_brief"), "project_brief",
                       bp_format(call, BP_FMT ": %.*s", BP_ARG(name), (int)description.len,
                                 description.data),
                       BP_STR("[]")));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://project/brief"));
    return answer_done(call, mcp, bp_format(call, "Project brief set: " BP_FMT, BP_ARG(name)));
}

bp_status resource_brief(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer     *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    const bp_sql_value *row;
    bp_rows             rows;

    (void)uri;
    BP_TRY(db_run(call, instance,
                  BP_SQL("SELECT name, description, goals, version, updated_at FROM "
                         "journal_project WHERE tenant = $1",
                         tenant_value(call)),
                  &rows));
    if (!rows.row_count)
        return answer_missing(call, mcp, "No project brief set");
    row = bp_row(&rows, 0);
    bp_json_object(w);
    put_text(w, "name", &row[0]);
    put_text(w, "description", &row[1]);
    put_json(w, "goals", row[2].text);
    put_text(w, "version", &row[3]);
    put_text(w, "updated_at", &row[4]);
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

/* ---- tech stack ---- */

static void add_words(bp_buf *buf, const char *before, const bp_json *list)
{
    for (size_t i = 0; i < bp_json_count(list); i++) {
        const bp_json *member = bp_json_at(list, i);
        bp_str         name = bp_json_string(
                    bp_json_type_of(member) == BP_JSON_OBJECT ? bp_json_get(member, "name") : member);

        bp_buf_add(buf, bp_str_of(i ? ", " : before));
        bp_buf_add(buf, name);
    }
}

bp_status tool_set_tech_stack(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_buf         *words = bp_buf_new(call, 1 << 20);
    bp_str          languages, frameworks, tools;
    const char     *problem = NULL;
    struct wanted   wanted;

    BP_TRY(bp_params_read(call, &tech_stack_params, arguments, &wanted));
    if (!list_read(call, wanted.languages, "languages", LIST_MAX, LIST_ITEM_CHARS_MAX, &languages,
                   &problem) ||
        !list_read(call, wanted.frameworks, "frameworks", LIST_MAX, LIST_ITEM_CHARS_MAX,
                   &frameworks, &problem) ||
        !list_read(call, wanted.tools, "tools", LIST_MAX, LIST_ITEM_CHARS_MAX, &tools, &problem))
        return answer_refused(call, mcp, problem, NULL);
    session_touch(call, self);
    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_stack (tenant, languages, frameworks, tools, "
                         "updated_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant) DO UPDATE "
                         "SET languages = excluded.languages, frameworks = excluded.frameworks, "
                         "tools = excluded.tools, updated_at = excluded.updated_at",
                         tenant_value(call), bp_sql_text(languages), bp_sql_text(frameworks),
                         bp_sql_text(tools), bp_sql_text(time_text(call, time_now()))),
                  NULL));
    bp_buf_add(words, BP_STR("Tech stack."));
    add_words(words, " Languages: ", wanted.languages);
    add_words(words, ". Frameworks: ", wanted.frameworks);
    add_words(words, ". Tools: ", wanted.tools);
    BP_TRY(memory_keep(call, self, BP_STR("tech_stack"), "tech_stack", bp_buf_str(words),
                       BP_STR("[]")));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://project/tech-stack"));
    return answer_done(call, mcp, BP_STR("Tech stack updated"));
}

bp_status resource_stack(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_rows         rows;

    (void)uri;
    BP_TRY(db_run(call, instance,
                  BP_SQL("SELECT languages, frameworks, tools, updated_at FROM journal_stack WHERE "
                         "tenant = $1",
                         tenant_value(call)),
                  &rows));
    if (!rows.row_count)
        return answer_missing(call, mcp, "No tech stack set");
    bp_json_object(w);
    put_json(w, "languages", bp_row(&rows, 0)[0].text);
    put_json(w, "frameworks", bp_row(&rows, 0)[1].text);
    put_json(w, "tools", bp_row(&rows, 0)[2].text);
    put_text(w, "updated_at", &bp_row(&rows, 0)[3]);
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}

/* ---- the context: an absent member stays as it is ---- */

bp_status tool_update_active_context(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp)
{
    struct journal *self = instance;
    bp_str          task, notes, branch, files = { NULL, 0 };
    const char     *problem = NULL;
    struct wanted   wanted;

    BP_TRY(bp_params_read(call, &active_context_params, arguments, &wanted));
    task = wanted.current_task;
    notes = wanted.notes;
    branch = wanted.working_branch;
    if (!text_check(call, task, "current_task", 0, TASK_CHARS_MAX, &problem) ||
        !text_check(call, notes, "notes", 0, NOTES_CHARS_MAX, &problem) ||
        !text_check(call, branch, "working_branch", 0, TASK_CHARS_MAX, &problem) ||
        (wanted.related_files && !list_read(call, wanted.related_files, "related_files", LIST_MAX,
                                            LIST_ITEM_CHARS_MAX, &files, &problem)))
        return answer_refused(call, mcp, problem, NULL);
    session_touch(call, self);
    BP_TRY(db_run(call, self,
                  BP_SQL("INSERT INTO journal_context (tenant, current_task, related_files, notes, "
                         "working_branch, updated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT "
                         "(tenant) DO UPDATE SET current_task = COALESCE(excluded.current_task, "
                         "journal_context.current_task), related_files = "
                         "COALESCE(excluded.related_files, journal_context.related_files), notes = "
                         "COALESCE(excluded.notes, journal_context.notes), working_branch = "
                         "COALESCE(excluded.working_branch, journal_context.working_branch), "
                         "updated_at = excluded.updated_at",
                         tenant_value(call), text_or_null(task), text_or_null(files),
                         text_or_null(notes), text_or_null(branch),
                         bp_sql_text(time_text(call, time_now()))),
                  NULL));
    if (task.len || notes.len)
        BP_TRY(memory_keep(call, self, BP_STR("active_context"), "active_context",
                           bp_format(call, "%.*s\n%.*s", (int)task.len, task.data ? task.data : "",
                                     (int)notes.len, notes.data ? notes.data : ""),
                           BP_STR("[]")));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://context/active"));
    return answer_done(call, mcp, BP_STR("Active context updated"));
}

bp_status tool_clear_active_context(bp_call *call, void *instance, const bp_json *arguments,
                                    bp_mcp *mcp)
{
    (void)arguments;
    BP_TRY(db_run(call, instance,
                  BP_SQL("DELETE FROM journal_context WHERE tenant = $1", tenant_value(call)),
                  NULL));
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("memory://context/active"));
    return answer_done(call, mcp, BP_STR("Active context cleared"));
}

bp_status resource_context(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer     *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    const bp_sql_value *row;
    bp_rows             rows;

    (void)uri;
    BP_TRY(db_run(call, instance,
                  BP_SQL("SELECT current_task, related_files, notes, working_branch, session_id, "
                         "updated_at FROM journal_context WHERE tenant = $1",
                         tenant_value(call)),
                  &rows));
    if (!rows.row_count)
        return answer_missing(call, mcp, "No active context");
    row = bp_row(&rows, 0);
    bp_json_object(w);
    put_text(w, "current_task", &row[0]);
    put_json(w, "related_files", row[1].text);
    put_text(w, "notes", &row[2]);
    put_text(w, "working_branch", &row[3]);
    put_text(w, "session_id", &row[4]);
    put_text(w, "updated_at", &row[5]);
    bp_json_end(w);
    return answer_resource(call, mcp, w);
}
