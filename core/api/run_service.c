/* run_service.c - the service "run": work of an instance through its gate, on top of ops/runs.h. */
#include "api/run_service.h"

#include <stdio.h>
#include <string.h>

#include <backplane/run.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "ops/runs.h"
#include "plugin/gate.h"
#include "plugin/services.h"

static struct worker_slot shown; /* the api of the instances that begin work */

static const struct gate_op run_op = { .index = RUN_OP, .name = "run" };

/* The work's side: on the stack of its call. */
struct bp_run {
    struct run         *run;
    struct shared_text *result; /* NULL: none; not in the call's memory: its scratch ends before */
};

/* What it works with: in the run's arena. */
struct work {
    struct instance *instance;
    bp_run_work      run;
    void            *argument;
};

void run_service_show(struct worker *worker, struct api *api)
{
    *worker_slot(worker, &shown) = api;
}

static struct runs *runs_of(const bp_call *call)
{
    const struct api *api = *worker_slot(call->worker, &shown);

    return api ? api->runs : NULL;
}

/* ---- the work ---- */

static bp_status run_in_gate(bp_call *call, void *object, void *arg)
{
    void             **both = arg;
    const struct work *work = both[0];

    return work->run(call, object, both[1], work->argument);
}

/* As failure_of() writes it. */
static const char no_memory[] = "{\"code\":\"no_memory\",\"status\":17,\"message\":\"there was no "
                                "memory to say why it failed\"}";
_Static_assert((int)BP_NO_MEMORY == 17, "the text above has another status");

/* {"code", "status", "message"}: the part of a failure that a client may see. */
static bp_str failure_of(bp_call *call, bp_status status)
{
    struct bp_buf  buf;
    bp_json_writer w;
    bool           is_whole;
    bp_str         sentence = call_sentence_for_client(call, status, &is_whole);

    buf_init(&buf, call->arena, 1 << 16);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "code", bp_status_label(status));
    json_put_integer(&w, "status", status);
    json_put_string(&w, "message", sentence);
    json_put_text(&w, "request_id", call->request_id);
    json_end(&w);
    return buf_status(&buf) == BP_OK ? buf_str(&buf) : bp_str_of(no_memory);
}

static void note_failure(bp_call *call, const struct run_view *view, bp_status status)
{
    call_log(call, BP_LOG_ERROR, BP_STR("run_failed"), call->error.message,
             (bp_field[]){ bp_field_str("run", bp_str_of(view->id)),
                           bp_field_str("what", bp_str_of(view->what)),
                           bp_field_str("error_type", bp_str_of(bp_status_label(status))) },
             sizeof(bp_field), 3);
}

/* As failure_of() writes it. */
static const char too_large[] = "{\"code\":\"limit\",\"status\":7,\"message\":\"its result is "
                                "larger "
                                "than server.limits.runs allows one client: ask for less\"}";
_Static_assert((int)BP_LIMIT == 7, "the text above has another status");

static void work_on_fiber(bp_call *call, struct run *run, void *arg)
{
    struct work    *work = arg;
    struct bp_run   of_plugin = { .run = run };
    struct run_view view = run_look(run);
    bp_status       status = gate_run_long(call, work->instance, &run_op, run_in_gate,
                                           (void *[]){ work, &of_plugin });

    if (status != BP_OK && call_over(call) != BP_CANCELLED)
        note_failure(call, &view, status);
    run_end(call, run, status == BP_OK ? RUN_COMPLETED : RUN_FAILED,
            status == BP_OK ? shared_text_str(of_plugin.result) : failure_of(call, status),
            too_large);
    shared_text_release(of_plugin.result);
}

static void set_progress(bp_run *run, int64_t done, int64_t total)
{
    run_set_progress(run->run, done, total);
}

static void set_message(bp_run *run, bp_str text)
{
    run_set_message(run->run, text);
}

static bp_status set_result(bp_call *call, bp_run *run, bp_str json)
{
    const bp_json *value;
    struct reason  why;

    BP_TRY(call_scratch_begin(call));
    if (json_parse(call->arena, json, &value, &why) != BP_OK) {
        call_scratch_end(call);
        return call_fail(call, BP_INVALID, "the result of a run is not JSON: %s", why.text);
    }
    call_scratch_end(call);
    shared_text_release(run->result);
    run->result = shared_text_new(json);
    return run->result ? BP_OK
                       : call_fail(call, BP_NO_MEMORY, "there is no memory for a run's result");
}

/* ---- beginning ---- */

static bool is_id(bp_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!id.data[i] ||
            !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
                    id.data[i]))
            return false;
    return id.len <= RUN_ID_CHARS;
}

static bp_status check(bp_call *call, const bp_run_spec *spec)
{
    if (!spec->work || !spec->what || !*spec->what || strlen(spec->what) > BP_RUN_WHAT_MAX)
        return call_fail(call, BP_INVALID,
                         "a run needs its work and a word of at most %d bytes for it",
                         BP_RUN_WHAT_MAX);
    if (!is_id(spec->id))
        return call_fail(call, BP_INVALID,
                         "the id of a run is at most %d of [A-Za-z0-9._-], not \"" BP_FMT "\"",
                         RUN_ID_CHARS, BP_ARG(str_cut(spec->id, 64)));
    if (spec->argument_bytes > BP_RUN_ARGUMENT_MAX || spec->timeout_ns < 0)
        return call_fail(call, BP_INVALID,
                         "a run's argument has at most %d bytes, and its time is not negative",
                         BP_RUN_ARGUMENT_MAX);
    return BP_OK;
}

static bool has_unit(const struct generation *generation, const struct unit *unit)
{
    for (size_t i = 0; i < generation->unit_count; i++)
        if (generation->units[i] == unit)
            return true;
    return false;
}

/* Of one without a name, the address: bp_call.client. */
static void client_digest(const bp_call *call, const uint8_t owner[RUN_OWNER_BYTES],
                          uint8_t client[SHARE_DIGEST_BYTES])
{
    memset(client, 0, SHARE_DIGEST_BYTES);
    if (call->principal.id.len)
        memcpy(client, owner, SHARE_DIGEST_BYTES);
    else
        memcpy(client, &call->client, sizeof(call->client));
}

static struct run *make(bp_call *call, struct runs *runs, struct instance *instance,
                        const bp_run_spec *spec, struct work **work)
{
    uint8_t     owner[RUN_OWNER_BYTES], client[SHARE_DIGEST_BYTES];
    char        id[RUN_ID_CHARS + 1];
    struct run *run;

    snprintf(id, sizeof(id), BP_FMT, BP_ARG(spec->id));
    principal_digest(&call->principal, owner);
    client_digest(call, owner, client);
    run = run_new(call, runs, owner, client, spec->id.len ? id : NULL);
    if (!run)
        return NULL;
    run_set_what(run, spec->what);
    *work = arena_alloc(run_arena(run), sizeof(**work));
    if (*work) {
        **work = (struct work){ .instance = instance, .run = spec->work };
        (*work)->argument = arena_alloc(run_arena(run), spec->argument_bytes + 1);
    }
    if (!*work || !(*work)->argument) {
        run_release(run);
        return NULL;
    }
    if (spec->argument_bytes)
        memcpy((*work)->argument, spec->argument, spec->argument_bytes);
    return run;
}

static bp_status start(bp_call *call, struct run *run, struct work *work, int64_t timeout_ns)
{
    const struct api *api = *worker_slot(call->worker, &shown);

    return run_start(call, run,
                     &(struct run_work){ .work = work_on_fiber,
                                         .arg = work,
                                         .generation = api->generation,
                                         .deadline_ns = timeout_ns ? timeout_ns : BP_FOREVER });
}

struct begin_args {
    const bp_run_spec *spec;
    bp_str            *id;
};

static bp_status do_begin(bp_call *call, void *arg)
{
    struct begin_args *args = arg;
    const bp_run_spec *spec = args->spec;
    struct api        *api = *worker_slot(call->worker, &shown);
    struct instance   *instance = instance_of_call(call);
    struct work       *work;
    struct run        *run;
    bp_status          status;

    if (!api || !instance || !has_unit(api->generation, instance->unit))
        return call_fail(call, BP_UNAVAILABLE,
                         "the conf was changed since this request began, or the server ends: send "
                         "it again");
    BP_TRY(check(call, spec));
    run = make(call, api->runs, instance, spec, &work);
    if (!run)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for a run");
    *args->id = arena_dup(call->arena, bp_str_of(run_look(run).id));
    status = args->id->len ? start(call, run, work, spec->timeout_ns)
                           : call_fail(call, BP_NO_MEMORY, "there is no memory for a run's id");
    run_release(run);
    return status;
}

static bp_status begin(bp_call *call, const bp_run_spec *spec, bp_str *id)
{
    bp_run_spec known = { 0 };

    memcpy(&known, spec, spec->struct_size < sizeof(known) ? spec->struct_size : sizeof(known));
    return service_on_fiber(call, do_begin, &(struct begin_args){ &known, id });
}

/* ---- looking ---- */

/* Held. */
static struct run *find(bp_call *call, bp_str id)
{
    struct runs *runs = runs_of(call);
    struct run  *run;
    uint8_t      owner[RUN_OWNER_BYTES];

    principal_digest(&call->principal, owner);
    run = runs ? run_find(runs, id, owner) : NULL;
    if (!run)
        call_fail(call, BP_NOT_FOUND, "there is no run \"" BP_FMT "\", or no longer",
                  BP_ARG(str_cut(id, 64)));
    return run;
}

/* False: no memory for it. */
static bool fill_outcome(bp_call *call, struct run *run, bp_run_view *view)
{
    struct shared_text *outcome = run_outcome(run);
    bp_str              text = arena_dup(call->arena, shared_text_str(outcome));
    bool                is_whole = text.len == shared_text_str(outcome).len;
    const bp_json      *failure = NULL;
    struct reason       why;

    shared_text_release(outcome);
    if (view->state == BP_RUN_COMPLETED)
        view->result = text;
    if (!is_whole || view->state != BP_RUN_FAILED)
        return is_whole;
    if (json_parse(call->arena, text, &failure, &why) != BP_OK)
        return !arena_is_short(call->arena);
    view->status = (int32_t)json_as_integer(json_get(failure, BP_STR("status")));
    view->problem = json_as_string(json_get(failure, BP_STR("message")));
    return true;
}

static bp_status fill(bp_call *call, struct run *run, bp_run_view *out)
{
    struct run_view seen = run_look(run);
    bp_run_view     view = { .struct_size = out->struct_size,
                             .state = (uint32_t)seen.state,
                             .id = arena_dup(call->arena, bp_str_of(seen.id)),
                             .what = arena_dup(call->arena, bp_str_of(seen.what)),
                             .message = arena_dup(call->arena, bp_str_of(seen.message)),
                             .done = seen.done,
                             .total = seen.total,
                             .created_wall_ns = seen.created_wall_ns,
                             .updated_wall_ns = seen.updated_wall_ns };

    if (!fill_outcome(call, run, &view) || view.id.len != strlen(seen.id) ||
        view.what.len != strlen(seen.what) || view.message.len != strlen(seen.message))
        return call_fail(call, BP_NO_MEMORY, "there is no memory for a view of a run");
    memcpy(out, &view, out->struct_size < sizeof(view) ? out->struct_size : sizeof(view));
    return BP_OK;
}

static bp_status look(bp_call *call, bp_str id, bp_run_view *view)
{
    struct run *run = find(call, id);
    bp_status   status;

    if (!run)
        return BP_NOT_FOUND;
    status = fill(call, run, view);
    run_release(run);
    return status;
}

struct wait_args {
    bp_str       id;
    int64_t      deadline_ns;
    bp_run_view *view;
};

static bp_status do_wait(bp_call *call, void *arg)
{
    struct wait_args *args = arg;
    struct run       *run = find(call, args->id);
    bp_status         status;

    if (!run)
        return BP_NOT_FOUND;
    status = run_wait_until(call, run, args->deadline_ns);
    if (status == BP_OK)
        status = fill(call, run, args->view);
    run_release(run);
    return status;
}

static bp_status wait(bp_call *call, bp_str id, int64_t deadline_ns, bp_run_view *view)
{
    return service_on_fiber(call, do_wait, &(struct wait_args){ id, deadline_ns, view });
}

static bp_status cancel(bp_call *call, bp_str id)
{
    struct run *run = find(call, id);
    bool        was_under_way;

    if (!run)
        return BP_NOT_FOUND;
    was_under_way = run_cancel(run);
    run_release(run);
    return was_under_way ? BP_OK
                         : call_fail(call, BP_CONFLICT, "the run \"" BP_FMT "\" has ended already",
                                     BP_ARG(id));
}

static const bp_run_service run_service = {
    .struct_size = sizeof(bp_run_service),
    .begin = begin,
    .progress = set_progress,
    .message = set_message,
    .result = set_result,
    .look = look,
    .wait = wait,
    .cancel = cancel,
};

const struct host_service run_service_entry = { "run", 1, sizeof(run_service), &run_service };

/* ---- the routes ---- */

static const char *const state_names[] = { [RUN_WORKING] = "working",
                                           [RUN_WAITING] = "waiting",
                                           [RUN_COMPLETED] = "completed",
                                           [RUN_FAILED] = "failed",
                                           [RUN_CANCELLED] = "cancelled" };

/* All but the end of the object. */
static void put_view(bp_json_writer *w, const struct run_view *view)
{
    char created[25], updated[25];

    clock_format_utc(view->created_wall_ns, created);
    clock_format_utc(view->updated_wall_ns, updated);
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "id", view->id);
    json_put_text(w, "what", view->what);
    json_put_text(w, "state", state_names[view->state]);
    json_put_text(w, "message", view->message);
    json_put_integer(w, "done", view->done);
    json_put_integer(w, "total", view->total);
    json_put_text(w, "created_at", created);
    json_put_text(w, "updated_at", updated);
}

static void put_listed(const struct run_view *view, void *arg)
{
    put_view(arg, view);
    json_end(arg);
}

enum { LIST_BYTES_MAX = 4 << 20 };

bp_status runs_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct api    *api = instance;
    struct bp_buf  buf;
    bp_json_writer w;
    uint8_t        owner[RUN_OWNER_BYTES];

    (void)request;
    principal_digest(&call->principal, owner);
    buf_init(&buf, call->arena, LIST_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("runs"));
    json_begin(&w, JSON_KIND_ARRAY);
    runs_each(api->runs, owner, put_listed, &w);
    json_end(&w);
    json_end(&w);
    BP_TRY(json_writer_status(&w));
    return bp_respond(call, response, 200, "application/json", buf_str(&buf));
}

static bp_status respond(bp_call *call, struct run *run, bp_response *response)
{
    struct run_view     view = run_look(run);
    struct shared_text *outcome = run_outcome(run);
    bp_str              text = shared_text_str(outcome);
    struct bp_buf       buf;
    bp_json_writer      w;
    bp_status           status;

    buf_init(&buf, call->arena, text.len + 4096);
    json_writer_init(&w, &buf);
    put_view(&w, &view);
    if (text.len && view.state >= RUN_COMPLETED) {
        json_key(&w, view.state == RUN_FAILED ? BP_STR("error") : BP_STR("result"));
        json_add_raw(&w, text);
    }
    json_end(&w);
    shared_text_release(outcome);
    status = json_writer_status(&w);
    return status == BP_OK ? bp_respond(call, response, 200, "application/json", buf_str(&buf))
                           : status;
}

/* `wait`, in seconds; 0: not given. */
static bp_status read_wait(bp_call *call, const bp_request *request, uint64_t *seconds)
{
    bp_str text;

    *seconds = 0;
    if (!bp_request_query(request, "wait", &text) ||
        (str_to_uint(text, seconds) && *seconds <= RUN_WAIT_S_MAX))
        return BP_OK;
    return call_fail(call, BP_INVALID, "\"wait\" is 0 to %d seconds", RUN_WAIT_S_MAX);
}

/* The end of the run, of the time, or of the server: who waits does not hold up its stop. */
static bp_status wait_for_end(bp_call *call, const struct api *api, struct run *run,
                              uint64_t seconds)
{
    int64_t   deadline_ns = clock_now_ns() + BP_SECONDS((int64_t)seconds);
    bp_status status = BP_OK;

    while (status == BP_OK && run_look(run).state < RUN_COMPLETED && clock_now_ns() < deadline_ns &&
           health_board_phase(api->health) != PHASE_DRAINING) {
        int64_t next_ns = clock_now_ns() + BP_SECONDS(1);

        status = run_wait_until(call, run, next_ns < deadline_ns ? next_ns : deadline_ns);
    }
    return status;
}

bp_status run_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct run *run;
    uint64_t    seconds;
    bp_status   status;

    BP_TRY(read_wait(call, request, &seconds));
    run = find(call, bp_request_path_value(request, "id"));
    if (!run)
        return BP_NOT_FOUND;
    status = wait_for_end(call, instance, run, seconds);
    if (status == BP_OK)
        status = respond(call, run, response);
    run_release(run);
    return status;
}

bp_status run_delete(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_str      id = bp_request_path_value(request, "id");
    struct run *run;
    bp_status   status;

    (void)instance;
    BP_TRY(cancel(call, id));
    run = find(call, id);
    if (!run)
        return BP_NOT_FOUND;
    status = respond(call, run, response);
    run_release(run);
    return status;
}
