/* tables.c - the tools and resources as a client sees them. */
#include "journal.h"

/* The handlers check lengths themselves and name the mistake in words; the tables say what kinds
 * of values there are. */

static const bp_param framework_fields[] = {
    { .name = "name", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "version", .type = BP_PARAM_TYPE_TEXT },
};
static const bp_param project_brief_rows[] = {
    BP_PARAM_TEXT(struct wanted, name, .flags = BP_PARAM_REQUIRED, .help = "Name of the project"),
    BP_PARAM_TEXT(struct wanted, description, .flags = BP_PARAM_REQUIRED,
                  .help = "Description of the project"),
    BP_PARAM_TEXTS(struct wanted, goals, .help = "Purpose of the project"),
    BP_PARAM_TEXT(struct wanted, version, .help = "Version; 1.0.0 by default"),
};
static const bp_param tech_stack_rows[] = {
    BP_PARAM_TEXTS(struct wanted, languages, .help = "Programming languages"),
    BP_PARAM_OBJECTS(struct wanted, frameworks, BP_PARAM_FIELDS(framework_fields)),
    BP_PARAM_TEXTS(struct wanted, tools, .help = "Tools"),
};
static const bp_param active_context_rows[] = {
    BP_PARAM_TEXT(struct wanted, current_task, .help = "The task"),
    BP_PARAM_TEXTS(struct wanted, related_files, .help = "Relevant files"),
    BP_PARAM_TEXT(struct wanted, notes, .help = "Notes"),
    BP_PARAM_TEXT(struct wanted, working_branch, .help = "Branch"),
};
static const bp_param decision_rows[] = {
    BP_PARAM_TEXT(struct wanted, title, .flags = BP_PARAM_REQUIRED,
                  .help = "Title, in a few words"),
    BP_PARAM_TEXT(struct wanted, decision, .flags = BP_PARAM_REQUIRED, .help = "The decision"),
    BP_PARAM_TEXT(struct wanted, rationale, .flags = BP_PARAM_REQUIRED, .help = "Reasons"),
    BP_PARAM_TEXTS(struct wanted, alternatives_considered,
                   .help = "Alternatives that were considered"),
    BP_PARAM_TEXTS(struct wanted, consequences, .help = "Consequences"),
    BP_PARAM_TEXTS(struct wanted, tags, .help = "Tags for the search"),
};
static const bp_param task_rows[] = {
    BP_PARAM_TEXT(struct wanted, title, .flags = BP_PARAM_REQUIRED,
                  .help = "Title, in a few words"),
    BP_PARAM_TEXT(struct wanted, description, .help = "Details"),
    BP_PARAM_TEXT(struct wanted, priority, .help = "high, medium (default) or low"),
    BP_PARAM_TEXTS(struct wanted, tags, .help = "Tags for the search"),
};
static const bp_param task_status_rows[] = {
    BP_PARAM_TEXT(struct wanted, task_id, .flags = BP_PARAM_REQUIRED,
                  .help = "Id that create_task returned"),
    BP_PARAM_TEXT(struct wanted, status, .flags = BP_PARAM_REQUIRED,
                  .help = "done, doing, next or blocked"),
    BP_PARAM_TEXT(struct wanted, blocked_reason, .help = "Reason why it is blocked"),
};
static const bp_param search_rows[] = {
    BP_PARAM_TEXT(struct wanted, query, .flags = BP_PARAM_REQUIRED, .help = "Text to search for"),
    BP_PARAM_INTEGER(struct wanted, limit, .flags = BP_PARAM_QUIET, .initial = "5",
                     .help = "Number of results, 1 to 50; 5 by default"),
    BP_PARAM_TEXTS(struct wanted, content_types,
                   .help = "Types to search: project_brief, tech_stack, active_context, decision, "
                           "task, note, session_reflection, daily_summary; all by default"),
    BP_PARAM_TEXTS(struct wanted, tags,
                   .help = "Tags to search; an entry with any of them is found"),
};
static const bp_param note_rows[] = {
    BP_PARAM_TEXT(struct wanted, content, .flags = BP_PARAM_REQUIRED, .help = "Text of the note"),
    BP_PARAM_TEXTS(struct wanted, tags, .help = "Tags for the search"),
};
static const bp_param session_rows[] = {
    BP_PARAM_TEXT(struct wanted, task, .flags = BP_PARAM_REQUIRED,
                  .help = "Current work, in a few words"),
};
static const bp_param session_end_rows[] = {
    BP_PARAM_TEXTS(struct wanted, what_i_learned, .help = "At most 10"),
    BP_PARAM_TEXTS(struct wanted, challenges_faced, .help = "At most 10"),
    BP_PARAM_TEXT(struct wanted, quick_note, .help = "At most 2,000 characters"),
};
static const bp_param day_rows[] = {
    BP_PARAM_TEXT(struct wanted, date, .help = "Date as YYYY-MM-DD; today by default"),
};
static const bp_param intention_rows[] = {
    BP_PARAM_TEXT(struct wanted, intention, .flags = BP_PARAM_REQUIRED,
                  .help = "At most 1,000 characters"),
};
static const bp_param win_rows[] = {
    BP_PARAM_TEXT(struct wanted, win, .flags = BP_PARAM_REQUIRED, .help = "At most 500 characters"),
};

/* Where nothing has to be given, they say so. */
#define NONE_REQUIRED .schema = "{\"required\":[]}"

const bp_params project_brief_params = BP_PARAMS(struct wanted, project_brief_rows);
const bp_params tech_stack_params = BP_PARAMS_WITH(struct wanted, tech_stack_rows, NONE_REQUIRED);
const bp_params active_context_params = BP_PARAMS_WITH(struct wanted, active_context_rows,
                                                       NONE_REQUIRED);
const bp_params decision_params = BP_PARAMS(struct wanted, decision_rows);
const bp_params task_params = BP_PARAMS(struct wanted, task_rows);
const bp_params task_status_params = BP_PARAMS(struct wanted, task_status_rows);
const bp_params search_params = BP_PARAMS(struct wanted, search_rows);
const bp_params note_params = BP_PARAMS(struct wanted, note_rows);
const bp_params session_params = BP_PARAMS(struct wanted, session_rows);
const bp_params session_end_params = BP_PARAMS_WITH(struct wanted, session_end_rows, NONE_REQUIRED);
const bp_params day_params = BP_PARAMS_WITH(struct wanted, day_rows, NONE_REQUIRED);
const bp_params intention_params = BP_PARAMS(struct wanted, intention_rows);
const bp_params win_params = BP_PARAMS(struct wanted, win_rows);

/* What every result has. */
// clang-format off
#define SUCCESS                                                                                    \
    { .name = "success", .type = BP_PARAM_TYPE_BOOLEAN, .flags = BP_PARAM_REQUIRED },              \
    { .name = "error", .type = BP_PARAM_TYPE_TEXT },                                               \
    { .name = "tip", .type = BP_PARAM_TYPE_TEXT }
// clang-format on

static const bp_param memory_fields[] = {
    { .name = "id", .type = BP_PARAM_TYPE_TEXT },
    { .name = "content", .type = BP_PARAM_TYPE_TEXT },
    { .name = "metadata", .type = BP_PARAM_TYPE_OBJECT },
    { .name = "distance", .type = BP_PARAM_TYPE_NUMBER },
    { .name = "score", .type = BP_PARAM_TYPE_NUMBER },
};
static const bp_param found_rows[] = {
    SUCCESS,
    { .name = "data", .type = BP_PARAM_TYPE_OBJECTS, BP_PARAM_FIELDS(memory_fields) },
};
static const bp_param done_result_rows[] = {
    SUCCESS,
    { .name = "data", .type = BP_PARAM_TYPE_TEXT },
};
static const bp_param session_result_rows[] = {
    SUCCESS,
    { .name = "session_id", .type = BP_PARAM_TYPE_TEXT },
    { .name = "task", .type = BP_PARAM_TYPE_TEXT },
    { .name = "started_at", .type = BP_PARAM_TYPE_TEXT },
    { .name = "message", .type = BP_PARAM_TYPE_TEXT },
};
static const bp_param session_end_result_rows[] = {
    SUCCESS,
    { .name = "session_id", .type = BP_PARAM_TYPE_TEXT },
    { .name = "task", .type = BP_PARAM_TYPE_TEXT },
    { .name = "duration_minutes", .type = BP_PARAM_TYPE_INTEGER },
    { .name = "reflection", .type = BP_PARAM_TYPE_TEXT },
    { .name = "message", .type = BP_PARAM_TYPE_TEXT },
    { .name = "next", .type = BP_PARAM_TYPE_TEXT },
};
static const bp_param day_result_rows[] = {
    SUCCESS,
    { .name = "date", .type = BP_PARAM_TYPE_TEXT },
    { .name = "summary", .type = BP_PARAM_TYPE_TEXT },
    { .name = "message", .type = BP_PARAM_TYPE_TEXT },
    { .name = "stats", .type = BP_PARAM_TYPE_OBJECT },
};
static const bp_param intention_result_rows[] = {
    SUCCESS,
    { .name = "message", .type = BP_PARAM_TYPE_TEXT },
    { .name = "intention", .type = BP_PARAM_TYPE_TEXT },
    { .name = "date", .type = BP_PARAM_TYPE_TEXT },
};
static const bp_param win_result_rows[] = {
    SUCCESS,
    { .name = "message", .type = BP_PARAM_TYPE_TEXT },
    { .name = "win", .type = BP_PARAM_TYPE_TEXT },
    { .name = "total_wins_today", .type = BP_PARAM_TYPE_INTEGER },
};
static const bp_params found = BP_PARAMS_ONLY(found_rows);
static const bp_params done = BP_PARAMS_ONLY(done_result_rows);
static const bp_params session_result = BP_PARAMS_ONLY(session_result_rows);
static const bp_params session_end_result = BP_PARAMS_ONLY(session_end_result_rows);
static const bp_params day_result = BP_PARAMS_ONLY(day_result_rows);
static const bp_params intention_result = BP_PARAMS_ONLY(intention_result_rows);
static const bp_params win_result = BP_PARAMS_ONLY(win_result_rows);

#define READ  "journal:read"
#define WRITE "journal:write"

const bp_mcp_tool journal_tools[JOURNAL_TOOLS] = {
    { .name = "set_project_brief",
      .title = "Set project brief",
      .description = "Record the name, description and purpose of the project",
      .params = &project_brief_params,
      .results = &done,
      .handler = tool_set_project_brief,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "set_tech_stack",
      .title = "Set tech stack",
      .description = "Record the languages, frameworks and tools of the project",
      .params = &tech_stack_params,
      .results = &done,
      .handler = tool_set_tech_stack,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "update_active_context",
      .title = "Update active context",
      .description = "Update the current work; fields that are not given stay as they are",
      .params = &active_context_params,
      .results = &done,
      .handler = tool_update_active_context,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "clear_active_context",
      .title = "Clear active context",
      .description = "Clear the current work",
      .results = &done,
      .handler = tool_clear_active_context,
      .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT },
    { .name = "log_decision",
      .title = "Log decision",
      .description = "Record a decision and its reasons",
      .params = &decision_params,
      .results = &done,
      .handler = tool_log_decision,
      .scope = WRITE },
    { .name = "create_task",
      .title = "Create task",
      .description = "Record a task; it starts in the state next",
      .params = &task_params,
      .results = &done,
      .handler = tool_create_task,
      .scope = WRITE },
    { .name = "update_task_status",
      .title = "Update task status",
      .description = "Update the state of a task",
      .params = &task_status_params,
      .results = &done,
      .handler = tool_update_task_status,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "search_memory",
      .title = "Search memory",
      .description = "Search decisions, tasks, notes, reflections and summaries by meaning",
      .params = &search_params,
      .results = &found,
      .handler = tool_search_memory,
      .scope = READ,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "add_memory_note",
      .title = "Add memory note",
      .description = "Record a note for later searches",
      .params = &note_params,
      .results = &done,
      .handler = tool_add_memory_note,
      .scope = WRITE },
    { .name = "start_working_on",
      .title = "Start working on",
      .description = "Start a work session; only one is open at a time",
      .params = &session_params,
      .results = &session_result,
      .handler = tool_start_working_on,
      .scope = WRITE },
    { .name = "end_work_session",
      .title = "End work session",
      .description = "End the work session and record its lessons",
      .params = &session_end_params,
      .results = &session_end_result,
      .handler = tool_end_work_session,
      .scope = WRITE,
      .deadline_ns = BP_SECONDS(300) },
    { .name = "how_was_my_day",
      .title = "How was my day",
      .description = "Record a summary of a day of work",
      .params = &day_params,
      .results = &day_result,
      .handler = tool_how_was_my_day,
      .scope = WRITE,
      .deadline_ns = BP_SECONDS(300),
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "set_morning_intention",
      .title = "Set morning intention",
      .description = "Record today's goals",
      .params = &intention_params,
      .results = &intention_result,
      .handler = tool_set_morning_intention,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "capture_win",
      .title = "Capture win",
      .description = "Record a success of today",
      .params = &win_params,
      .results = &win_result,
      .handler = tool_capture_win,
      .scope = WRITE },
};

#define RESOURCE(uri_, name_, about_, handler_)                                                    \
    {                                                                                              \
        .uri = "memory://" uri_, .name = name_, .description = about_,                             \
        .mime_type = "application/json", .handler = handler_, .scope = READ                        \
    }

const bp_mcp_resource journal_resources[JOURNAL_RESOURCES] = {
    RESOURCE("project/brief", "project-brief", "What the project is", resource_brief),
    RESOURCE("project/tech-stack", "tech-stack", "Languages, frameworks, tools", resource_stack),
    RESOURCE("context/active", "active-context", "The current work", resource_context),
    RESOURCE("decisions", "decisions", "All decisions, the latest first", resource_decisions),
    RESOURCE("decisions/{id}", "decision", "One decision", resource_decision),
    RESOURCE("progress", "progress", "Tasks by how far they are", resource_progress),
    RESOURCE("tasks", "tasks", "All tasks, the latest first", resource_tasks),
    RESOURCE("tasks/{id}", "task", "One task", resource_task),
    RESOURCE("journal/today", "journal-today", "Today: intention, sessions, wins", resource_today),
    RESOURCE("journal/{date}", "journal-date", "A day: intention, sessions, wins, summary",
             resource_date),
    RESOURCE("journal/recent", "journal-recent", "The last seven days, the latest first",
             resource_recent),
    RESOURCE("journal/stats/weekly", "journal-weekly",
             "Hours, sessions, tasks and wins of the last seven days", resource_weekly),
};
