/* commands_upkeep.c - `backplane reindex` and `backplane verify data`: rebuild the data behind
 * searches, or compare and mend it; for one collection or all, one after the other.
 */
#include "commands.h"

enum { LOOKS_A_SECOND = 4 };

struct upkeep_task {
    struct retrieval *self;
    bp_command_run   *run;
    const char       *command;
    bool              is_json, is_waiting;
};

/* What one collection fails with is said, and the next one goes on; only the end of the call ends
 * all.
 */
static bp_status complain(bp_call *call, const struct upkeep_task *task, bp_str collection,
                          bp_status status)
{
    BP_TRY(bp_cancelled(call));
    BP_TRY(command_complain(call, task->run, "backplane %s: " BP_FMT ": " BP_FMT " (status %d)\n",
                            task->command, BP_ARG(collection), BP_ARG(bp_error_of(call)->message),
                            bp_status_http(status)));
    bp_clear_error(call);
    return BP_OK;
}

/* Its end, in words. */
static bp_status say_end(bp_call *call, const struct upkeep_task *task, bp_str name,
                         const bp_run_view *view)
{
    BP_TRY(bp_command_progress(call, task->run, NULL, 0, 0));
    if (view->state == BP_RUN_FAILED)
        return command_complain(call, task->run, "backplane %s: " BP_FMT ": " BP_FMT "\n",
                                task->command, BP_ARG(name), BP_ARG(view->problem));
    if (view->state == BP_RUN_CANCELLED)
        return command_complain(call, task->run,
                                "backplane %s: " BP_FMT ": the run was cancelled: the server takes "
                                "up the rest by and by\n",
                                task->command, BP_ARG(name));
    return BP_OK;
}

static bp_status look(bp_call *call, const struct upkeep_task *task, bp_str name, bp_str run,
                      bool *is_over)
{
    bp_run_view view = { .struct_size = sizeof(view) };

    BP_TRY(bp_run_wait(call, run, bp_within(call, BP_SECONDS(1) / LOOKS_A_SECOND), &view));
    BP_TRY(bp_command_progress(call, task->run, name.data, view.done, view.total));
    *is_over = view.state >= BP_RUN_COMPLETED;
    return *is_over ? say_end(call, task, name, &view) : BP_OK;
}

static bp_status wait_for_build(bp_call *call, const struct upkeep_task *task, bp_str name,
                                bp_str run)
{
    bool is_over = run.len == 0;

    while (!is_over) {
        bp_status status = bp_scratch_begin(call); // a build may take hours

        if (status == BP_OK) {
            status = look(call, task, name, run, &is_over);
            bp_scratch_end(call);
        }
        if (status != BP_OK)
            return complain(call, task, name, status);
    }
    return BP_OK;
}

static bp_status print_json(bp_call *call, const struct upkeep_task *task,
                            const struct demanded *demanded)
{
    bp_str json;

    BP_TRY(build_demanded_json(call, demanded, &json));
    BP_TRY(bp_command_print(call, task->run, json));
    return bp_command_print(call, task->run, BP_STR("\n"));
}

static bp_status reindex_one(bp_call *call, const struct upkeep_task *task, bp_str name)
{
    struct demanded demanded;
    bp_status       status = build_reindex(call, task->self, name, &demanded);

    if (status != BP_OK)
        return complain(call, task, name, status);
    if (task->is_json)
        BP_TRY(print_json(call, task, &demanded));
    else
        BP_TRY(bp_command_print(call, task->run,
                                bp_format(call, BP_FMT ": %lld documents are being rebuilt\n",
                                          BP_ARG(name), (long long)demanded.behind)));
    return task->is_waiting ? wait_for_build(call, task, name, demanded.run) : BP_OK;
}

static bp_status print_verified(bp_call *call, const struct upkeep_task *task, bp_str name,
                                const struct demanded *demanded)
{
    const struct verified *verified = &demanded->verified;

    return bp_command_print(call, task->run,
                            bp_format(call,
                                      BP_FMT ": %lld documents, %lld passages; the vector store "
                                             "has %lld points, %lld "
                                             "are missing, %lld were needless and are removed; "
                                             "%lld documents are "
                                             "being rebuilt\n",
                                      BP_ARG(name), (long long)demanded->documents,
                                      (long long)verified->passages, (long long)verified->points,
                                      (long long)verified->missing, (long long)verified->needless,
                                      (long long)demanded->behind));
}

static bp_status verify_one(bp_call *call, const struct upkeep_task *task, bp_str name)
{
    struct demanded demanded;
    bp_status       status = build_verify_named(call, task->self, name, &demanded);

    if (status != BP_OK)
        return complain(call, task, name, status);
    BP_TRY(task->is_json ? print_json(call, task, &demanded)
                         : print_verified(call, task, name, &demanded));
    if (demanded.verified.missing)
        bp_command_exit(task->run, 1);
    return wait_for_build(call, task, name, demanded.run);
}

/* The collection that was named, or all of the tenant. */
static bp_status run_each(bp_call *call, const struct upkeep_task *task,
                          bp_status (*run)(bp_call *call, const struct upkeep_task *task,
                                           bp_str name))
{
    bp_rows rows;

    if (bp_command_is_set(task->run, "collection"))
        return run(call, task, bp_command_option_value(task->run, "collection"));
    BP_TRY(bp_storage_exec(call, task->self->storage, NULL,
                           BP_SQL("SELECT name FROM retrieval_collections WHERE tenant = $1 ORDER "
                                  "BY name LIMIT 1000",
                                  bp_sql_text(bp_principal_of(call)->tenant)),
                           &rows));
    for (size_t i = 0; i < rows.row_count; i++)
        BP_TRY(run(call, task, bp_dup(call, bp_row(&rows, i)[0].text)));
    return BP_OK;
}

bp_status reindex_command(bp_call *call, void *instance, bp_command_run *run)
{
    struct upkeep_task task = { .self = instance,
                                .run = run,
                                .command = "reindex",
                                .is_json = bp_command_is_set(run, "json"),
                                .is_waiting = !bp_command_is_set(run, "no-wait") };

    if (bp_command_is_set(run, "all") == bp_command_is_set(run, "collection") ||
        (!task.is_waiting && bp_command_is_alone(run)))
        return bp_command_refuse(call, run, BP_STR(""));
    return run_each(call, &task, reindex_one);
}

bp_status verify_command(bp_call *call, void *instance, bp_command_run *run)
{
    struct upkeep_task task = { .self = instance,
                                .run = run,
                                .command = "verify data",
                                .is_json = bp_command_is_set(run, "json"),
                                .is_waiting = true };

    return run_each(call, &task, verify_one);
}
