/* run.c - faked: long-lived work. It runs to its end when it is begun, as a child does; the
 * principal that began it can look at its record. */
#include "host.h"

#include <stdlib.h>

struct bp_run {
    char     id[BP_RUN_ID_MAX + 1], what[BP_RUN_WHAT_MAX + 1];
    char    *owner; /* id and tenant of the principal */
    char    *message, *result, *problem;
    uint32_t state;
    int32_t  status;
    int64_t  done, total, created_wall_ns, updated_wall_ns;
};

static void free_run(void *item)
{
    bp_run *run = item;

    free(run->owner);
    free(run->message);
    free(run->result);
    free(run->problem);
    free(run);
}

void run_free(testhost *host)
{
    list_free(&host->runs, free_run);
}

static char *owner_of(const bp_call *call)
{
    bp_buf *buf = bp_buf_new((bp_call *)(uintptr_t)call, 4096);

    bp_buf_addf(buf, "%zu:" BP_FMT BP_FMT, call->principal.id.len, BP_ARG(call->principal.id),
                BP_ARG(call->principal.tenant));
    return copy_text(bp_buf_str(buf));
}

static bp_run *find(const bp_call *call, bp_str id)
{
    char   *owner = owner_of(call);
    bp_run *found = NULL;

    for (size_t i = call->host->runs.count; i > 0 && !found; i--) {
        bp_run *run = call->host->runs.items[i - 1];

        if (bp_str_is(id, run->id) && strcmp(run->owner, owner) == 0)
            found = run;
    }
    free(owner);
    return found;
}

static void set_text(char **text, bp_str value)
{
    free(*text);
    *text = copy_text(value);
}

static bp_run *run_new(bp_call *call, const bp_run_spec *spec)
{
    bp_run *run = calloc(1, sizeof(*run));

    if (!run)
        return NULL;
    if (spec->id.len)
        snprintf(run->id, sizeof(run->id), BP_FMT, BP_ARG(spec->id));
    else
        snprintf(run->id, sizeof(run->id), "run-%zu", call->host->runs.count + 1);
    snprintf(run->what, sizeof(run->what), "%s", spec->what);
    run->owner = owner_of(call);
    run->message = copy_text(BP_STR(""));
    run->result = copy_text(BP_STR(""));
    run->problem = copy_text(BP_STR(""));
    run->created_wall_ns = run->updated_wall_ns = bp_wall_ns();
    list_add(&call->host->runs, run);
    return run;
}

static void run_to_its_end(bp_call *call, bp_run *run, const bp_run_spec *spec)
{
    bp_call  *own = call_new(call->host, call->instance,
                            spec->timeout_ns ? spec->timeout_ns : BP_FOREVER);
    void     *argument = bp_alloc(own, spec->argument_bytes + 1);
    bp_status status;

    own->principal = call->principal;
    if (spec->argument_bytes)
        memcpy(argument, spec->argument, spec->argument_bytes);
    status = spec->work(own, call->instance->self, run, argument);
    if (run->state != BP_RUN_CANCELLED)
        run->state = status == BP_OK ? BP_RUN_COMPLETED : BP_RUN_FAILED;
    run->status = status;
    if (status != BP_OK)
        set_text(&run->problem, own->error.message);
    run->updated_wall_ns = bp_wall_ns();
    testhost_call_end(own);
}

static bp_status run_begin(bp_call *call, const bp_run_spec *given, bp_str *id)
{
    bp_run_spec spec = { 0 };
    bp_run     *before, *run;

    memcpy(&spec, given, given->struct_size < sizeof(spec) ? given->struct_size : sizeof(spec));
    BP_TRY(call_check(call));
    if (!call->instance)
        return bp_fail(call, BP_INVALID, "a run begins in a call of an instance");
    if (!spec.work || !spec.what || !*spec.what || strlen(spec.what) > BP_RUN_WHAT_MAX ||
        spec.id.len > BP_RUN_ID_MAX || spec.argument_bytes > BP_RUN_ARGUMENT_MAX)
        return bp_fail(call, BP_INVALID, "the spec of a run is not as backplane/run.h says");
    before = spec.id.len ? find(call, spec.id) : NULL;
    if (before && before->state < BP_RUN_COMPLETED) // its own work begins it again
        return bp_fail(call, BP_CONFLICT, "the run is under way already");
    run = run_new(call, &spec);
    if (!run)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a run");
    run_to_its_end(call, run, &spec);
    *id = bp_dup(call, bp_str_of(run->id));
    return BP_OK;
}

static void run_progress(bp_run *run, int64_t done, int64_t total)
{
    run->done = done;
    run->total = total;
}

static void run_message(bp_run *run, bp_str text)
{
    set_text(&run->message, text);
}

static bp_status run_result(bp_call *call, bp_run *run, bp_str json)
{
    const bp_json *value;

    BP_TRY(bp_json_parse(call, json, &value));
    set_text(&run->result, json);
    return BP_OK;
}

static bp_status run_look(bp_call *call, bp_str id, bp_run_view *out)
{
    const bp_run *run = find(call, id);
    bp_run_view   view;

    if (!run)
        return bp_fail(call, BP_NOT_FOUND, "there is no such run");
    view = (bp_run_view){ .struct_size = out->struct_size,
                          .state = run->state,
                          .id = bp_dup(call, bp_str_of(run->id)),
                          .what = bp_dup(call, bp_str_of(run->what)),
                          .message = bp_dup(call, bp_str_of(run->message)),
                          .done = run->done,
                          .total = run->total,
                          .created_wall_ns = run->created_wall_ns,
                          .updated_wall_ns = run->updated_wall_ns };
    if (run->state == BP_RUN_COMPLETED)
        view.result = bp_dup(call, bp_str_of(run->result));
    if (run->state == BP_RUN_FAILED) {
        view.status = run->status;
        view.problem = bp_dup(call, bp_str_of(run->problem));
    }
    memcpy(out, &view, out->struct_size < sizeof(view) ? out->struct_size : sizeof(view));
    return BP_OK;
}

static bp_status run_wait(bp_call *call, bp_str id, int64_t deadline_ns, bp_run_view *view)
{
    (void)deadline_ns; // it has ended, or is the one that waits
    BP_TRY(call_check(call));
    return run_look(call, id, view);
}

static bp_status run_cancel(bp_call *call, bp_str id)
{
    bp_run *run = find(call, id);

    if (!run)
        return bp_fail(call, BP_NOT_FOUND, "there is no such run");
    if (run->state >= BP_RUN_COMPLETED)
        return bp_fail(call, BP_CONFLICT, "the run has ended already");
    run->state = BP_RUN_CANCELLED;
    return BP_OK;
}

const bp_run_service run_service = {
    .struct_size = sizeof(bp_run_service),
    .begin = run_begin,
    .progress = run_progress,
    .message = run_message,
    .result = run_result,
    .look = run_look,
    .wait = run_wait,
    .cancel = run_cancel,
};
