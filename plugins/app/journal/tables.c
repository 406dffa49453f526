/* tables.c - the tools and resources as a client sees them. */
#include "journal.h"

/* The handlers check lengths themselves and say what is wrong in words; the schemas say what kinds
 * of values there are. */
/* clang-format off */
#define OBJECT(properties, required) "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required "]}"
#define TEXT(name, about)      "\"" name "\":{\"type\":\"string\",\"description\":\"" about "\"}"
#define TEXTS(name, about) \
    "\"" name "\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"" about "\"}"
#define NUMBER(name, about)    "\"" name "\":{\"type\":\"integer\",\"description\":\"" about "\"}"
#define SUCCESS                "\"success\":{\"type\":\"boolean\"},\"error\":{\"type\":\"string\"},\"tip\":{\"type\":\"string\"}"
#define RESULT(properties)     OBJECT(SUCCESS properties, "\"success\"")
#define STRING(name)           ",\"" name "\":{\"type\":\"string\"}"
#define COUNT(name)            ",\"" name "\":{\"type\":\"integer\"}"

#define DONE RESULT(STRING("data"))

#define READ  "journal:read"
#define WRITE "journal:write"

const bp_mcp_tool journal_tools[JOURNAL_TOOLS] = {
    { .name = "set_project_brief", .title = "Set project brief", .description = "Say what the project is and what it is for",
      .input_schema = OBJECT(TEXT("name", "Its name") "," TEXT("description", "What it is") "," TEXTS("goals", "What it is for")
                             "," TEXT("version", "1.0.0 unless given"), "\"name\",\"description\""),
      .output_schema = DONE, .handler = tool_set_project_brief, .scope = WRITE, .flags = BP_TOOL_IDEMPOTENT },
    { .name = "set_tech_stack", .title = "Set tech stack", .description = "Say which languages, frameworks and tools are used",
      .input_schema = OBJECT(TEXTS("languages", "Programming languages") ",\"frameworks\":{\"type\":\"array\",\"items\":"
                             "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"version\":{\"type\":\"string\"}},"
                             "\"required\":[\"name\"]}}," TEXTS("tools", "Tools"), ""),
      .output_schema = DONE, .handler = tool_set_tech_stack, .scope = WRITE, .flags = BP_TOOL_IDEMPOTENT },
    { .name = "update_active_context", .title = "Update active context",
      .description = "Change what is worked on now; what is not given stays as it is",
      .input_schema = OBJECT(TEXT("current_task", "The task") "," TEXTS("related_files", "Files that matter") ","
                             TEXT("notes", "Notes") "," TEXT("working_branch", "Branch"), ""),
      .output_schema = DONE, .handler = tool_update_active_context, .scope = WRITE, .flags = BP_TOOL_IDEMPOTENT },
    { .name = "clear_active_context", .title = "Clear active context", .description = "Forget what is worked on now",
      .output_schema = DONE, .handler = tool_clear_active_context, .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT },
    { .name = "log_decision", .title = "Log decision", .description = "Keep a decision and why it was made",
      .input_schema = OBJECT(TEXT("title", "In a few words") "," TEXT("decision", "What was decided") ","
                             TEXT("rationale", "Why") "," TEXTS("alternatives_considered", "What else there was") ","
                             TEXTS("consequences", "What follows") "," TEXTS("tags", "For searching"),
                             "\"title\",\"decision\",\"rationale\""),
      .output_schema = DONE, .handler = tool_log_decision, .scope = WRITE },
    { .name = "create_task", .title = "Create task", .description = "Keep a task that is to be done; it begins as next",
      .input_schema = OBJECT(TEXT("title", "In a few words") "," TEXT("description", "Details")
                             ",\"priority\":{\"type\":\"string\",\"description\":\"high, medium (default) or low\"},"
                             TEXTS("tags", "For searching"), "\"title\""),
      .output_schema = DONE, .handler = tool_create_task, .scope = WRITE },
    { .name = "update_task_status", .title = "Update task status", .description = "Say how far a task is",
      .input_schema = OBJECT(TEXT("task_id", "As create_task gave it") "," TEXT("status", "done, doing, next or blocked") ","
                             TEXT("blocked_reason", "What it waits for"), "\"task_id\",\"status\""),
      .output_schema = DONE, .handler = tool_update_task_status, .scope = WRITE, .flags = BP_TOOL_IDEMPOTENT },
    { .name = "search_memory", .title = "Search memory",
      .description = "Find decisions, tasks, notes, reflections and summaries by what they mean",
      .input_schema = OBJECT(TEXT("query", "What to look for") "," NUMBER("limit", "1 to 50, 5 unless given") ","
                             TEXTS("content_types", "Any of project_brief, tech_stack, active_context, decision, task, note, "
                                   "session_reflection, daily_summary") "," TEXTS("tags", "Any of these"), "\"query\""),
      .output_schema = RESULT(",\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":"
                              "\"string\"},\"content\":{\"type\":\"string\"},\"metadata\":{\"type\":\"object\"},\"distance\":"
                              "{\"type\":\"number\"},\"score\":{\"type\":\"number\"}}}}"),
      .handler = tool_search_memory, .scope = READ, .flags = BP_TOOL_READ_ONLY },
    { .name = "add_memory_note", .title = "Add memory note", .description = "Keep a note that can be searched",
      .input_schema = OBJECT(TEXT("content", "The note") "," TEXTS("tags", "For searching"), "\"content\""),
      .output_schema = DONE, .handler = tool_add_memory_note, .scope = WRITE },
    { .name = "start_working_on", .title = "Start working on", .description = "Begin a work session; there is one at a time",
      .input_schema = OBJECT(TEXT("task", "What is worked on, in a few words"), "\"task\""),
      .output_schema = RESULT(STRING("session_id") STRING("task") STRING("started_at") STRING("message")),
      .handler = tool_start_working_on, .scope = WRITE },
    { .name = "end_work_session", .title = "End work session", .description = "End the work session and keep what was learnt",
      .input_schema = OBJECT(TEXTS("what_i_learned", "Up to 10") "," TEXTS("challenges_faced", "Up to 10") ","
                             TEXT("quick_note", "Up to 2,000 characters"), ""),
      .output_schema = RESULT(STRING("session_id") STRING("task") COUNT("duration_minutes") STRING("reflection")
                              STRING("message") STRING("next")),
      .handler = tool_end_work_session, .scope = WRITE, .deadline_ns = BP_SECONDS(300) },
    { .name = "how_was_my_day", .title = "How was my day", .description = "Sum up a day of work",
      .input_schema = OBJECT(TEXT("date", "YYYY-MM-DD; today unless given"), ""),
      .output_schema = RESULT(STRING("date") STRING("summary") STRING("message") ",\"stats\":{\"type\":\"object\"}"),
      .handler = tool_how_was_my_day, .scope = WRITE, .deadline_ns = BP_SECONDS(300), .flags = BP_TOOL_IDEMPOTENT },
    { .name = "set_morning_intention", .title = "Set morning intention", .description = "Say what today is meant for",
      .input_schema = OBJECT(TEXT("intention", "Up to 1,000 characters"), "\"intention\""),
      .output_schema = RESULT(STRING("message") STRING("intention") STRING("date")), .handler = tool_set_morning_intention,
      .scope = WRITE, .flags = BP_TOOL_IDEMPOTENT },
    { .name = "capture_win", .title = "Capture win", .description = "Keep something that went well today",
      .input_schema = OBJECT(TEXT("win", "Up to 500 characters"), "\"win\""),
      .output_schema = RESULT(STRING("message") STRING("win") COUNT("total_wins_today")), .handler = tool_capture_win,
      .scope = WRITE },
};
/* clang-format on */

#define RESOURCE(uri_, name_, about_, handler_)                                                    \
    {                                                                                              \
        .uri = "memory://" uri_, .name = name_, .description = about_,                             \
        .mime_type = "application/json", .handler = handler_, .scope = READ                        \
    }

const bp_mcp_resource journal_resources[JOURNAL_RESOURCES] = {
    RESOURCE("project/brief", "project-brief", "What the project is", resource_brief),
    RESOURCE("project/tech-stack", "tech-stack", "Languages, frameworks, tools", resource_stack),
    RESOURCE("context/active", "active-context", "What is worked on now", resource_context),
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
