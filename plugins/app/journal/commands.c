/* commands.c - `backplane journal sessions`: work sessions that nobody ended, and a way to end
 * them.
 */
#include "journal.h"

static bp_status print_sessions(bp_call *call, bp_command_run *run, const struct stuck *stuck)
{
    if (stuck->rows.row_count)
        BP_TRY(bp_command_print(call, run,
                                bp_format(call, "%-14s%-21s%6s  %s\n", "id", "start_time", "hours",
                                          "task")));
    for (size_t i = 0; i < stuck->rows.row_count; i++) {
        struct session session = { 0 };

        session_of_row(bp_row(&stuck->rows, i), &session);
        BP_TRY(
            bp_command_print(call, run,
                             bp_format(call, "%-14.*s%-21s%6lld  " BP_FMT "\n", (int)session.id.len,
                                       session.id.data, time_text(call, session.start_s).data,
                                       (long long)session_minutes(&session) / 60,
                                       BP_ARG(session.task))));
    }
    return BP_OK;
}

static bp_status print_json(bp_call *call, bp_command_run *run, const struct stuck *stuck)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_str          json;

    sessions_write(call, w, stuck);
    BP_TRY(bp_json_done(call, w, &json));
    BP_TRY(bp_command_print(call, run, json));
    return bp_command_print(call, run, BP_STR("\n"));
}

/* Closing takes more than reading. */
static bp_status check_may_close(bp_call *call)
{
    const bp_principal *who = bp_principal_of(call);

    if (!who->is_authenticated || bp_principal_allows(who, "journal:admin"))
        return BP_OK;
    return bp_fail(call, BP_DENIED, "the key " BP_FMT " lacks the scope \"journal:admin\"",
                   BP_ARG(who->id));
}

static bp_status run_sessions(bp_call *call, void *instance, bp_command_run *run)
{
    bool         is_closing = bp_command_is_set(run, "close");
    bp_str       since = bp_command_option_value(run, "stuck");
    struct stuck stuck;

    if (is_closing && !bp_command_is_set(run, "stuck"))
        return bp_command_refuse(call, run, BP_STR(""));
    if (is_closing)
        BP_TRY(check_may_close(call));
    BP_TRY(is_closing ? sessions_close_stuck(call, instance, since, &stuck)
                      : sessions_find_stuck(call, instance, since, &stuck));
    if (bp_command_is_set(run, "json"))
        return print_json(call, run, &stuck);
    BP_TRY(print_sessions(call, run, &stuck));
    BP_TRY(bp_command_print(call, run,
                            bp_format(call, "%zu sessions%s\n", stuck.rows.row_count,
                                      is_closing ? " closed" : "")));
    return stuck.backup.len
               ? bp_command_print(call, run,
                                  bp_format(call, "backup: " BP_FMT "\n", BP_ARG(stuck.backup)))
               : BP_OK;
}

static const bp_command_option sessions_options[] = {
    { .name = "stuck", .value = "8h", .help = "only sessions that have been open for this long" },
    { .name = "close", .help = "close these sessions" },
    { .name = "json", .help = "print JSON" },
};

const bp_command journal_commands[JOURNAL_COMMANDS] = {
    { .name = "journal sessions",
      .summary = "list or close work sessions that were never ended",
      .usage = "[--stuck 8h [--close]] [--json] [--url URL | -c FILE]",
      .handler = run_sessions,
      .scope = "journal:read",
      BP_COMMAND_OPTIONS(sessions_options) },
};
