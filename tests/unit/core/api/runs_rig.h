/* runs_rig.h - an app that begins work, looks at it, waits for it and cancels it, as its requests
 * say, and the host's own routes of runs. */
#ifndef RUNS_RIG_H
#define RUNS_RIG_H

#include "api_rig.h"

#include <backplane/loop.h>
#include <backplane/run.h>

#include "api/run_service.h"
#include "ops/runs.h"

static atomic_int work_waits, work_cancelled, work_released;

/* ---- the layer ---- */

static void fill_nothing(bp_app_ops *app)
{
    (void)app;
}

static void start_runs(void)
{
    api.runs = runs_new(&(struct runs_limits){ .bytes = 1 << 20,
                                               .count = 16,
                                               .count_of_one = 8,
                                               .kept_ns = BP_SECONDS(3600),
                                               .setting = "server.limits.runs" });
    assert_non_null(api.runs);
    run_service_show(&rig.worker, &api);
}

static void nothing_yet(void)
{
}

static void stop_on_worker(bp_call *call, void *arg)
{
    (void)arg;
    runs_stop(call, api.runs);
}

static void stop_runs(void)
{
    on_worker(stop_on_worker, NULL);
}

static void release_runs(void)
{
    runs_free(api.runs);
}

static const struct rig_layer layer = { &run_service_entry, fill_nothing, start_runs,
                                        nothing_yet,        stop_runs,    release_runs };

/* ---- the app ---- */

/* What it is told, it does. */
static bp_status work(bp_call *call, void *instance, bp_run *run, void *argument)
{
    const char *what = argument;

    (void)instance;
    bp_run_progress(run, 1, 4);
    bp_run_message(run, BP_STR("at it"));
    if (strcmp(what, "result") == 0)
        return bp_run_result(call, run, BP_STR("{\"made\":[1,2]}"));
    if (strcmp(what, "twice") == 0) {
        BP_TRY(bp_run_result(call, run, BP_STR("1")));
        return bp_run_result(call, run, BP_STR("2"));
    }
    if (strcmp(what, "broken") == 0)
        return bp_run_result(call, run, BP_STR("{\"made\":"));
    if (strcmp(what, "fail") == 0)
        return bp_fail(call, BP_CONFLICT, "two at once");
    if (strcmp(what, "inside") == 0)
        return bp_fail(call, BP_INTERNAL, "a secret of the inside");
    if (strcmp(what, "large") == 0) {
        char *text = bp_alloc(call, 300002);

        memset(text, 'x', 300002);
        text[0] = text[300001] = '"';
        return bp_run_result(call, run, bp_str_n(text, 300002));
    }
    if (strcmp(what, "wait") != 0)
        return BP_OK;
    for (int number = work_waits++; work_released <= number;) {
        bp_status status = bp_sleep(call, BP_MILLISECONDS(2));

        if (status != BP_OK) {
            work_cancelled++;
            return status;
        }
    }
    return BP_OK;
}

static bp_str query(const bp_request *request, const char *name)
{
    bp_str value;

    bp_request_query(request, name, &value);
    return value;
}

/* `room`: so many bytes are left of the memory that the call is allowed. */
static bp_status begin(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_str      act = query(request, "act"), id = { "", 0 }, bytes, time, room;
    size_t      limit = call->arena->limit_bytes;
    bp_status   status;
    bool        has_bytes = bp_request_query(request, "bytes", &bytes);
    bp_run_spec spec = { .struct_size = sizeof(spec),
                         .what = bp_format(call, BP_FMT, BP_ARG(query(request, "what"))).data,
                         .work = bp_str_is(act, "none") ? NULL : work,
                         .argument = bp_format(call, BP_FMT, BP_ARG(act)).data,
                         .argument_bytes = act.len + 1,
                         .id = query(request, "id") };

    (void)instance;
    if (bp_str_is(spec.id, "with-nul"))
        spec.id = BP_STR("a\0b");
    if (has_bytes) {
        spec.argument_bytes = strtoul(bytes.data, NULL, 10);
        spec.argument = bp_alloc(call, spec.argument_bytes);
    }
    if (bp_request_query(request, "time", &time))
        spec.timeout_ns = BP_MILLISECONDS(strtol(time.data, NULL, 10));
    if (bp_request_query(request, "room", &room))
        call->arena->limit_bytes = call->arena->used_bytes + strtoul(room.data, NULL, 10);
    status = bp_run_begin(call, &spec, &id);
    call->arena->limit_bytes = limit;
    BP_TRY(status);
    return bp_respond(call, response, 202, "text/plain", id);
}

static bp_status look(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_run_view view = { .struct_size = sizeof(view) };
    bp_str      id = query(request, "id"), how = query(request, "how");

    (void)instance;
    if (bp_str_is(how, "cancel")) {
        BP_TRY(bp_run_cancel(call, id));
        return bp_respond(call, response, 200, "text/plain", BP_STR("cancelled"));
    }
    if (bp_str_is(how, "wait"))
        BP_TRY(bp_run_wait(call, id, BP_FOREVER, &view));
    else if (bp_str_is(how, "soon"))
        BP_TRY(bp_run_wait(call, id, clock_now_ns() + BP_MILLISECONDS(5), &view));
    else
        BP_TRY(bp_run_look(call, id, &view));
    return bp_respond(call, response, 200, "text/plain",
                      bp_format(call,
                                "state=%u id=" BP_FMT " what=" BP_FMT " message=" BP_FMT
                                " %lld/%lld result=" BP_FMT " status=%d problem=" BP_FMT,
                                view.state, BP_ARG(view.id), BP_ARG(view.what),
                                BP_ARG(view.message), (long long)view.done, (long long)view.total,
                                BP_ARG(view.result), view.status, BP_ARG(view.problem)));
}

static const bp_route run_routes[] = { { .method = "POST", .path = "/begin", .handler = begin },
                                       { .method = "GET", .path = "/look", .handler = look } };

static int set_up(void **state)
{
    (void)state;
    work_waits = work_cancelled = work_released = 0;
    rig_layer = &layer;
    rig_routes = run_routes;
    rig_route_count = 2;
    rig_commands = NULL;
    rig_command_count = 0;
    api_rig_defaults();
    api_rig_start();
    return 0;
}

/* The body, behind a status but 200; ids and times are hidden, and " is written '. */
static char *asked(const char *method, const char *path)
{
    char *answer = ask(method, path, strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    int   status = client_status(answer);
    char *body = status == 200 ? formatted("%s", client_body(answer))
                               : formatted("%d %s", status, client_body(answer));

    free(answer);
    swap(body, '"', '\'');
    return body;
}

static void expect_of(const char *method, const char *path, const char *wanted)
{
    char *body = hide_ids(asked(method, path));

    if (strcmp(body, wanted) != 0)
        fail_msg("%s %s\nnot    %s\nbut is %s", method, path, wanted, body);
    free(body);
}

#define REFUSED(status, code, message)                                                             \
#status " {'error':{'code':'" code "','message':'" message "','request_id':'ID'}}"
#define RUN(id, what, state)                                                                       \
    "{'id':'" id "','what':'" what "','state':'" state "','message':'at it','done':1,'total':4,"   \
    "'created_at':'TIME','updated_at':'TIME'"

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, api_rig_stop)

#endif
