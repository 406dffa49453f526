/* tasks.c - tasks of MCP: a tool call that runs as long-lived work (ops/runs.h), looked at and fed
 * by tasks/get and its sisters. */
#include "mcp/tasks.h"

#include "base/clock.h"
#include "mcp/mcp.h"

enum { TTL_MS = 3600 * 1000, POLL_MS = 500, TASKS_MAX = 4096, TASKS_OF_ONE_MAX = 1024 };

static const char *const status_names[] = { [RUN_WORKING] = "working",
                                            [RUN_WAITING] = "input_required",
                                            [RUN_COMPLETED] = "completed",
                                            [RUN_FAILED] = "failed",
                                            [RUN_CANCELLED] = "cancelled" };

/* What a tool runs with: copies in the run's arena, as the request that began it is gone. */
struct task {
    struct run                *run;
    struct mcp                *mcp;
    const struct catalog      *catalog;
    const struct catalog_tool *tool;
    enum mcp_revision          revision;
    uint32_t                   abilities;
    bp_str                     arguments, given, kept, state, client;
};

struct runs *tasks_new(size_t bytes_max)
{
    return runs_new(&(struct runs_limits){ .bytes = bytes_max,
                                           .count = TASKS_MAX,
                                           .count_of_one = TASKS_OF_ONE_MAX,
                                           .kept_ns = BP_MILLISECONDS(TTL_MS),
                                           .setting = "server.mcp.tasks" });
}

void task_set_message(struct task *task, bp_str message)
{
    run_set_message(task->run, message);
}

/* ---- running ---- */

static const bp_json *parse(bp_call *call, bp_str text)
{
    const bp_json *value = NULL;
    struct reason  why;

    if (text.len)
        json_parse(call->arena, text, &value, &why);
    return value;
}

static bp_str member_of(bp_call *call, bp_str envelope, const char *name)
{
    return json_text(call->arena, json_get(parse(call, envelope), bp_str_of(name)));
}

static bp_str error_text(bp_call *call, bp_mcp *request, bp_status status)
{
    bp_str envelope = message_error(call, BP_STR("0"),
                                    request->error.code ? request->error.code : MCP_SERVER_ERROR,
                                    request->error.message.len
                                        ? request->error.message
                                        : request_sentence(request, status, BP_STR("task_failed")),
                                    request->error.data);

    return member_of(call, envelope, "error");
}

static const char too_large[] = "{\"code\":-32603,\"message\":\"the result was made, but it is "
                                "larger than the limit for tasks (server.mcp.tasks): ask for "
                                "less\"}";

static void run_task(bp_call *call, struct run *run, void *arg)
{
    struct task *task = arg;
    bp_mcp       request = {
              .mcp = task->mcp,
              .call = call,
              .catalog = task->catalog,
              .revision = task->revision,
              .abilities = task->abilities,
              .log_level = MCP_LEVEL_OFF,
              .message = { .kind = MESSAGE_REQUEST, .id = BP_STR("0"), .method = BP_STR("tools/call") },
              .client = task->client,
              .task = task
    };
    bp_status status;
    bool      is_done;

    request.given = parse(call, task->given);
    request.kept = parse(call, task->kept);
    request.state = task->state;
    status = tool_run(&request, task->tool, parse(call, task->arguments));
    is_done = status == BP_OK && buf_status(&request.buf) == BP_OK;
    run_end(call, run, is_done ? RUN_COMPLETED : RUN_FAILED,
            is_done ? member_of(call, buf_str(&request.buf), "result")
                    : error_text(call, &request, status),
            too_large);
}

/* ---- beginning ---- */

enum task_use task_use_of(const bp_mcp *request, const struct catalog_tool *tool)
{
    uint32_t flags = tool->spec.flags;
    bool     has_tasks = flags & (BP_TOOL_TASK | BP_TOOL_TASK_ONLY);

    if (!has_tasks)
        return TASK_NEVER;
    if (mcp_is_modern(request->revision)) {
        if (!(request->abilities & MCP_CAN_TASKS))
            return flags & BP_TOOL_TASK_ONLY ? TASK_IS_MISSING : TASK_NEVER;
        return flags & BP_TOOL_TASK_LATE ? TASK_LATER : TASK_NOW;
    }
    if (request->revision == MCP_2025_11_25 &&
        message_param(request->message.params, BP_STR("task")))
        return TASK_NOW;
    return TASK_NEVER;
}

static bp_str copy_json(struct arena *arena, bp_call *call, const bp_json *value)
{
    return value ? arena_dup(arena, json_text(call->arena, value)) : (bp_str){ NULL, 0 };
}

static struct task *task_new(bp_mcp *request, struct run *run, const struct catalog_tool *tool,
                             const bp_json *arguments)
{
    struct arena *arena = run_arena(run);
    struct task  *task = arena_alloc(arena, sizeof(*task));

    if (!task)
        return NULL;
    *task = (struct task){ .run = run,
                           .mcp = request->mcp,
                           .catalog = request->catalog,
                           .tool = tool,
                           .revision = request->revision,
                           .abilities = request->abilities,
                           .arguments = copy_json(arena, request->call, arguments),
                           .given = copy_json(arena, request->call, request->given),
                           .kept = copy_json(arena, request->call, request->kept),
                           .state = arena_dup(arena, request->state),
                           .client = arena_dup(arena, request->client) };
    // Without a part of these the tool would run with other arguments than were checked.
    return (arguments && !task->arguments.len) || (request->given && !task->given.len) ||
                   (request->kept && !task->kept.len) || task->state.len != request->state.len
               ? NULL
               : task;
}

/* "taskId": ... as Task of both revisions. */
static void put_task(bp_json_writer *w, const struct run_view *view, bool is_modern)
{
    char created[25], updated[25];

    clock_format_utc(view->created_wall_ns, created);
    clock_format_utc(view->updated_wall_ns, updated);
    json_put_text(w, "taskId", view->id);
    json_put_text(w, "status", status_names[view->state]);
    if (view->message[0])
        json_put_text(w, "statusMessage", view->message);
    json_put_text(w, "createdAt", created);
    json_put_text(w, "lastUpdatedAt", updated);
    json_put_integer(w, is_modern ? "ttlMs" : "ttl", TTL_MS);
    json_put_integer(w, is_modern ? "pollIntervalMs" : "pollInterval", POLL_MS);
}

static void put_result_type(bp_mcp *request, const char *type)
{
    buf_init(&request->buf, request->call->arena, REQUEST_BYTES_MAX);
    json_writer_init(&request->w, &request->buf);
    json_begin(&request->w, JSON_KIND_OBJECT);
    json_put_text(&request->w, "jsonrpc", "2.0");
    json_key(&request->w, BP_STR("id"));
    json_add_raw(&request->w, request->message.id);
    json_key(&request->w, BP_STR("result"));
    json_begin(&request->w, JSON_KIND_OBJECT);
    if (type)
        json_put_text(&request->w, "resultType", type);
}

static void answer_with_task(bp_mcp *request, struct run *run)
{
    struct run_view view = run_look(run);
    bool            is_modern = mcp_is_modern(request->revision);

    put_result_type(request, is_modern ? "task" : NULL);
    if (!is_modern) {
        json_key(&request->w, BP_STR("task"));
        json_begin(&request->w, JSON_KIND_OBJECT);
    }
    put_task(&request->w, &view, is_modern);
    if (!is_modern)
        json_end(&request->w);
    request->meta = (bp_str){ NULL, 0 };
    request_end(request);
}

bp_status task_start(bp_mcp *request, const struct catalog_tool *tool, const bp_json *arguments)
{
    bp_call        *call = request->call;
    struct run_work work = { .work = run_task,
                             .generation = request->mcp->api->generation,
                             .deadline_ns = tool_deadline_ns(request, tool) };
    struct run     *run;
    uint8_t         principal[RUN_OWNER_BYTES];
    bp_status       status;

    principal_digest(&call->principal, principal);
    run = run_new(call, request->mcp->tasks, principal, request->sender, NULL);
    if (run)
        work.arg = task_new(request, run, tool, arguments);
    if (!run || !work.arg) {
        status = call_fail(call, BP_NO_MEMORY, "there is no memory for another task");
    } else {
        status = run_start(call, run, &work);
        if (status == BP_OK)
            answer_with_task(request, run);
    }
    if (run)
        run_release(run);
    return status;
}

/* ---- questions ---- */

/* The answers given before the work became a task. */
static const bp_json *known_answer(const bp_mcp *request, const char *key)
{
    const bp_json *answer = json_get(request->given, bp_str_of(key));

    if (json_type_of(answer) != JSON_KIND_OBJECT)
        answer = json_get(request->kept, bp_str_of(key));
    return json_type_of(answer) == JSON_KIND_OBJECT ? answer : NULL;
}

bp_status task_ask(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t ask_size, size_t count)
{
    struct run_question *questions = arena_alloc(call->arena, count * sizeof(*questions));
    bp_mcp_ask         **asked = arena_alloc(call->arena, count * sizeof(bp_mcp_ask *));
    size_t               open = 0;
    bp_status            status;

    if (!questions || !asked)
        return call_fail(call, BP_NO_MEMORY, "there is no memory to ask the client");
    for (size_t i = 0; i < count; i++) {
        bp_mcp_ask *ask = ask_at(asks, ask_size, i);

        ask->answer = known_answer(request, ask->key);
        if (ask->answer)
            continue;
        asked[open] = ask;
        questions[open++] = (struct run_question){ .key = ask->key, .asked = ask };
    }
    if (!open)
        return BP_OK;
    if (!mcp_is_modern(request->revision))
        return call_fail(call, BP_UNSUPPORTED,
                         "a task of MCP 2025-11-25 cannot ask the client: call the tool without a "
                         "task");
    status = run_ask(call, request->task->run, questions, open);
    for (size_t i = 0; i < open; i++) {
        if (questions[i].answer)
            asked[i]->answer = parse(call, shared_text_str(questions[i].answer));
        shared_text_release(questions[i].answer);
    }
    return status;
}

/* ---- methods ---- */

/* Held. Somebody else's is not there. */
static struct run *find(bp_mcp *request)
{
    bp_str      id = json_as_string(json_get(request->message.params, BP_STR("taskId")));
    struct run *run;
    uint8_t     principal[RUN_OWNER_BYTES];

    if (mcp_is_modern(request->revision) && !(request->abilities & MCP_CAN_TASKS)) {
        request_fail_ability(request, MCP_CAN_TASKS);
        return NULL;
    }
    principal_digest(&request->call->principal, principal);
    run = run_find(request->mcp->tasks, id, principal);
    if (!run)
        request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                     "there is no task \"" BP_FMT "\", or no longer", BP_ARG(id));
    return run;
}

static void put_question(const struct run_question *question, void *arg)
{
    bp_json_writer   *w = arg;
    const bp_mcp_ask *ask = question->asked;

    json_key(w, bp_str_of(ask->key));
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "method", ask->method);
    json_key(w, BP_STR("params"));
    json_add_raw(w, ask->params.len ? ask->params : BP_STR("{}"));
    json_end(w);
}

bp_status tasks_get(bp_mcp *request)
{
    struct run         *run = find(request);
    bool                is_modern = mcp_is_modern(request->revision);
    bp_json_writer     *w = &request->w;
    struct shared_text *outcome;
    struct run_view     view;

    if (!run)
        return BP_INVALID;
    view = run_look(run);
    outcome = view.state == RUN_COMPLETED || view.state == RUN_FAILED ? run_outcome(run) : NULL;
    request_begin(request);
    put_task(w, &view, is_modern);
    if (is_modern && view.state == RUN_WAITING) {
        json_key(w, BP_STR("inputRequests"));
        json_begin(w, JSON_KIND_OBJECT);
        run_each_question(run, put_question, w);
        json_end(w);
    }
    if (is_modern && outcome) {
        json_key(w, view.state == RUN_FAILED ? BP_STR("error") : BP_STR("result"));
        json_add_raw(w, shared_text_str(outcome));
    }
    request_end(request);
    shared_text_release(outcome);
    run_release(run);
    return BP_OK;
}

/* False: the client has no room for one of the answers. */
static bool take_answers(bp_mcp *request, struct run *run, const bp_json *answers)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *answer;
    bool           is_full = false;

    while (!is_full && json_entry(answers, &cursor, &key, &answer))
        if (json_type_of(answer) == JSON_KIND_OBJECT)
            run_answer(run, key, json_text(request->call->arena, answer), &is_full);
    return !is_full;
}

bp_status tasks_update(bp_mcp *request)
{
    const bp_json *answers = json_get(request->message.params, BP_STR("inputResponses"));
    struct run    *run = find(request);
    bool           has_room;

    if (!run)
        return BP_INVALID;
    if (json_type_of(answers) != JSON_KIND_OBJECT) {
        run_release(run);
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.inputResponses must be an object");
    }
    has_room = take_answers(request, run, answers);
    run_release(run);
    if (!has_room)
        return request_fail(request, MCP_SERVER_ERROR, 503,
                            "your tasks take all the bytes that they may (server.mcp.tasks)");
    request_begin(request);
    request_end(request);
    return BP_OK;
}

bp_status tasks_cancel(bp_mcp *request)
{
    bool            is_modern = mcp_is_modern(request->revision), is_cancelled;
    struct run     *run = find(request);
    struct run_view view;

    if (!run)
        return BP_INVALID;
    is_cancelled = run_cancel(run);
    view = run_look(run);
    run_release(run);
    if (!is_modern && !is_cancelled)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0, "the task has ended already");
    request_begin(request);
    if (!is_modern)
        put_task(&request->w, &view, false);
    request_end(request);
    return BP_OK;
}

/* ---- 2025-11-25 ---- */

static void add_members(bp_json_writer *w, const bp_json *object)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    while (json_entry(object, &cursor, &key, &value)) {
        if (bp_str_is(key, "_meta"))
            continue;
        json_key(w, key);
        json_add_value(w, value);
    }
}

static bp_status answer_with_result(bp_mcp *request, struct run *run)
{
    bp_call            *call = request->call;
    struct run_view     view = run_look(run);
    struct shared_text *text = run_outcome(run);
    bp_str              outcome = arena_dup(call->arena, shared_text_str(text));
    const bp_json      *error;
    bool                is_whole;

    is_whole = outcome.len == shared_text_str(text).len;
    shared_text_release(text);
    if (!is_whole)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for the result of the task");
    if (view.state == RUN_COMPLETED && outcome.len > 2) {
        put_result_type(request, NULL);
        add_members(&request->w, parse(call, outcome));
        request->meta = arena_format(call->arena,
                                     "{\"" MCP_META_RELATED_TASK "\":{\"taskId\":\"%s\"}}",
                                     view.id);
        request_end(request);
        return BP_OK;
    }
    error = parse(call, outcome);
    request_fail(request,
                 error ? (int32_t)json_as_integer(json_get(error, BP_STR("code")))
                       : MCP_SERVER_ERROR,
                 0, BP_FMT,
                 BP_ARG(error ? json_as_string(json_get(error, BP_STR("message")))
                              : BP_STR("the task was cancelled")));
    return BP_INVALID;
}

bp_status tasks_result(bp_mcp *request)
{
    struct run *run = find(request);
    bp_call    *call = request->call;
    bp_status   status;

    if (!run)
        return BP_INVALID;
    call->deadline_ns = BP_FOREVER;
    request_let_go(request);
    status = run_wait(call, run);
    if (status == BP_OK)
        status = answer_with_result(request, run);
    run_release(run);
    return status;
}

static void list_task(const struct run_view *view, void *arg)
{
    bp_json_writer *w = arg;

    json_begin(w, JSON_KIND_OBJECT);
    put_task(w, view, false);
    json_end(w);
}

bp_status tasks_list(bp_mcp *request)
{
    uint8_t principal[RUN_OWNER_BYTES];

    principal_digest(&request->call->principal, principal);
    request_begin(request);
    json_key(&request->w, BP_STR("tasks"));
    json_begin(&request->w, JSON_KIND_ARRAY);
    runs_each(request->mcp->tasks, principal, list_task, &request->w);
    json_end(&request->w);
    request_end(request);
    return BP_OK;
}
