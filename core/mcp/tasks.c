/* tasks.c - tasks: begun by a tool call, run as calls of their own, looked at and fed by tasks/get
 * and its sisters. */
#include "mcp/tasks.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "mcp/mcp.h"

enum {
    TASK_ID_CHARS = 32,
    TTL_MS = 3600 * 1000,
    POLL_MS = 500,
    TASKS_MAX = 4096,
    TASKS_OF_ONE_MAX = 1024,
    MESSAGE_BYTES_MAX = 256,
    CLIENT_PART = 4 /* of the bytes of all tasks, one client may have a quarter */
};

enum task_status { TASK_WORKING, TASK_INPUT_REQUIRED, TASK_COMPLETED, TASK_FAILED, TASK_CANCELLED };

static const char *const status_names[] = { "working", "input_required", "completed", "failed",
                                            "cancelled" };

/* A question of the task's handler; on its fiber's stack. */
struct task_question {
    struct task_question *next;
    const bp_mcp_ask     *ask;
    struct shared_text   *answer; /* JSON object; NULL: not yet */
};

struct task {
    struct task       *next;
    struct task_store *store;
    char               id[TASK_ID_CHARS + 1];
    uint8_t            principal[16], sender[SHARE_DIGEST_BYTES];
    size_t             counted_bytes; /* in the store, for its sender */
    uint32_t           refs;          /* 1 for the store, 1 while it runs, 1 for each who looks */
    enum task_status   status;
    int64_t created_wall_ns, updated_wall_ns, ended_ns; /* ended: monotonic; 0: it has not */
    char    message[MESSAGE_BYTES_MAX];
    struct shared_text   *outcome; /* JSON of the result or error object */
    struct task_question *questions;
    struct waker         *waker;       /* of the running call, while it waits for answers */
    struct waker         *fetchers[8]; /* tasks/result of 2025-11-25 waiting for the end; held */
    bool                  is_stopping; /* the call is to be cancelled */

    /* What it runs with: copies, as the request that began it is gone. */
    struct mcp                *mcp;
    const struct catalog      *catalog;
    const struct catalog_tool *tool;
    struct worker             *worker;
    bp_call                   *call; /* on the worker; NULL: not running */
    enum mcp_revision          revision;
    uint32_t                   abilities;
    int64_t                    deadline_ns;
    bp_principal               identity;
    struct arena               arena; /* of the copies */
    bp_str                     arguments, given, kept, state, client;
};

struct task_store {
    pthread_mutex_t lock;
    struct task    *first; /* the newest */
    uint32_t        count, running;
    struct waker   *stopper;
    struct shares  *bytes; /* of copies, answers and outcomes, by sender */
};

struct task_store *tasks_new(size_t bytes_max)
{
    struct task_store *store = calloc(1, sizeof(*store));

    if (!store)
        return NULL;
    pthread_mutex_init(&store->lock, NULL);
    store->bytes = shares_new(bytes_max / CLIENT_PART, bytes_max);
    if (store->bytes)
        return store;
    tasks_free(store);
    return NULL;
}

/* ---- bytes: all of these under the lock ---- */

static bool count_bytes(struct task *task, size_t bytes)
{
    if (shares_take(task->store->bytes, task->sender, bytes) != SHARE_TAKEN)
        return false;
    task->counted_bytes += bytes;
    return true;
}

static void give_bytes(struct task *task, size_t bytes)
{
    bytes = bytes < task->counted_bytes ? bytes : task->counted_bytes;
    shares_give(task->store->bytes, task->sender, bytes);
    task->counted_bytes -= bytes;
}

/* What it ran with is needed no more. */
static void free_copies(struct task *task)
{
    give_bytes(task, task->arena.used_bytes);
    arena_free(&task->arena);
}

/* Under the lock. */
static void unref(struct task *task)
{
    if (--task->refs)
        return;
    shared_text_release(task->outcome);
    free_copies(task);
    give_bytes(task, task->counted_bytes);
    free(task);
}

static void release(struct task *task)
{
    struct task_store *store = task->store;

    pthread_mutex_lock(&store->lock);
    unref(task);
    pthread_mutex_unlock(&store->lock);
}

static void drop(struct task_store *store, struct task **at)
{
    struct task *task = *at;

    *at = task->next;
    store->count--;
    unref(task);
}

void tasks_free(struct task_store *store)
{
    if (!store)
        return;
    while (store->first)
        drop(store, &store->first);
    pthread_mutex_destroy(&store->lock);
    shares_free(store->bytes);
    free(store);
}

void tasks_expire(struct task_store *store, int64_t now_ns)
{
    pthread_mutex_lock(&store->lock);
    for (struct task **at = &store->first; *at;) {
        if ((*at)->ended_ns && now_ns - (*at)->ended_ns > BP_MILLISECONDS(TTL_MS))
            drop(store, at);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&store->lock);
}

/* ---- cancelling ---- */

static void cancel_on_worker(void *arg)
{
    struct task *task = arg;

    if (task->call)
        call_cancel(task->call);
    release(task);
}

/* Under the lock. */
static void stop_task(struct task *task)
{
    if (task->is_stopping || task->ended_ns)
        return;
    task->is_stopping = true;
    task->refs++;
    worker_post(task->worker, cancel_on_worker, task);
}

void tasks_stop(bp_call *call, struct task_store *store)
{
    uint32_t running;

    pthread_mutex_lock(&store->lock);
    store->stopper = waker_new(call);
    for (struct task *task = store->first; task; task = task->next)
        stop_task(task);
    running = store->running;
    pthread_mutex_unlock(&store->lock);
    while (running && call_wait(call, BP_FOREVER, "tasks to end") == BP_OK) {
        pthread_mutex_lock(&store->lock);
        running = store->running;
        pthread_mutex_unlock(&store->lock);
    }
    pthread_mutex_lock(&store->lock);
    waker_end(store->stopper);
    store->stopper = NULL;
    pthread_mutex_unlock(&store->lock);
}

/* ---- running ---- */

/* Under the lock. */
static void set_status(struct task *task, enum task_status status)
{
    task->status = status;
    task->updated_wall_ns = clock_wall_ns();
    if (status >= TASK_COMPLETED && !task->ended_ns)
        task->ended_ns = clock_now_ns();
    for (size_t i = 0; task->ended_ns && i < sizeof(task->fetchers) / sizeof(task->fetchers[0]);
         i++) {
        if (!task->fetchers[i])
            continue;
        waker_wake(task->fetchers[i]);
        waker_release(task->fetchers[i]);
        task->fetchers[i] = NULL;
    }
}

void task_set_message(struct task *task, bp_str message)
{
    size_t len = message.len < MESSAGE_BYTES_MAX - 1 ? message.len : MESSAGE_BYTES_MAX - 1;

    while (len < message.len && len && ((unsigned char)message.data[len] & 0xC0) == 0x80)
        len--; // not within a character
    pthread_mutex_lock(&task->store->lock);
    if (len)
        memcpy(task->message, message.data, len);
    task->message[len] = '\0';
    task->updated_wall_ns = clock_wall_ns();
    pthread_mutex_unlock(&task->store->lock);
}

static const bp_json *parse(bp_call *call, bp_str text)
{
    const bp_json *value = NULL;
    char           problem[JSON_PROBLEM_BYTES];

    if (text.len)
        json_parse(call->arena, text, &value, problem);
    return value;
}

static struct shared_text *member_text(bp_call *call, bp_str envelope, const char *name)
{
    return shared_text_new(
        json_text(call->arena, json_get(parse(call, envelope), bp_str_of(name))));
}

static struct shared_text *error_text(bp_call *call, bp_mcp *request, bp_status status)
{
    bp_str envelope = message_error(call, BP_STR("0"),
                                    request->error.code ? request->error.code : MCP_SERVER_ERROR,
                                    request->error.message.len
                                        ? request->error.message
                                        : request_sentence(request, status, BP_STR("task_failed")),
                                    request->error.data);

    return member_text(call, envelope, "error");
}

/* Of this client, the oldest one that has ended; never `except`. Under the lock. */
static bool drop_ended(struct task_store *store, const struct task *except)
{
    struct task **own = NULL;

    for (struct task **at = &store->first; *at; at = &(*at)->next)
        if (*at != except && (*at)->ended_ns &&
            memcmp((*at)->sender, except->sender, sizeof((*at)->sender)) == 0)
            own = at;
    if (own)
        drop(store, own);
    return own != NULL;
}

/* Older results of the same client make room for a newer one. Under the lock. */
static bool take_bytes(struct task *task, size_t bytes)
{
    while (!count_bytes(task, bytes))
        if (!drop_ended(task->store, task))
            return false;
    return true;
}

static const char too_large[] = "{\"code\":-32603,\"message\":\"the result was made, but it is "
                                "larger than what is kept of tasks (server.mcp.tasks): ask for "
                                "less\"}";

static void end_task(bp_call *call, struct task *task, bp_mcp *request, bp_status status)
{
    struct task_store  *store = task->store;
    bool                is_done = status == BP_OK && buf_status(&request->buf) == BP_OK;
    struct shared_text *outcome = is_done ? member_text(call, buf_str(&request->buf), "result")
                                          : error_text(call, request, status);

    call->principal = (bp_principal){ .struct_size = sizeof(
                                          call->principal) }; // its texts are among the copies
    pthread_mutex_lock(&store->lock);
    task->call = NULL;
    free_copies(task);
    if (task->status != TASK_CANCELLED && outcome && !take_bytes(task, outcome->len)) {
        shared_text_release(outcome);
        outcome = shared_text_new(bp_str_of(too_large));
        is_done = false;
    }
    if (task->status == TASK_CANCELLED) {
        shared_text_release(outcome);
    } else {
        task->outcome = outcome;
        set_status(task, task->is_stopping ? TASK_CANCELLED
                         : is_done         ? TASK_COMPLETED
                                           : TASK_FAILED);
    }
    store->running--;
    if (store->stopper)
        waker_wake(store->stopper);
    unref(task);
    pthread_mutex_unlock(&store->lock);
}

static void run_task(bp_call *call, void *arg)
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
    struct generation *generation = task->mcp->api->generation;
    bp_status          status;
    bool               is_stopping;

    task->call = call;
    call->principal = task->identity;
    pthread_mutex_lock(&task->store->lock);
    is_stopping = task->is_stopping;
    pthread_mutex_unlock(&task->store->lock);
    if (is_stopping)
        call_cancel(call);
    request.given = parse(call, task->given);
    request.kept = parse(call, task->kept);
    request.state = task->state;
    status = tool_run(&request, task->tool, parse(call, task->arguments));
    end_task(call, task, &request, status);
    generation_leave(generation, call->worker);
}

static void start_on_worker(struct task *task, bp_mcp *request, bool *has_started)
{
    struct call_options options = { .deadline_ns = clock_now_ns() + task->deadline_ns,
                                    .request_id = bp_str_of(request->call->request_id),
                                    .client = request->call->client };

    // The instances that the task runs with stay until it has ended, though its request is over.
    generation_enter(task->mcp->api->generation, request->call->worker);
    *has_started = call_start(request->call->worker, &options, run_task, task);
    if (!*has_started)
        generation_leave(task->mcp->api->generation, request->call->worker);
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

static bp_str copy_json(struct task *task, bp_call *call, const bp_json *value)
{
    return value ? arena_dup(&task->arena, json_text(call->arena, value)) : (bp_str){ NULL, 0 };
}

static struct task *task_new(bp_mcp *request, const struct catalog_tool *tool,
                             const bp_json *arguments)
{
    struct task        *task = calloc(1, sizeof(*task));
    bp_call            *call = request->call;
    const bp_principal *identity = &call->principal;
    uint8_t             random[TASK_ID_CHARS / 2];

    if (!task)
        return NULL;
    arena_init(&task->arena, REQUEST_BYTES_MAX * 2u);
    crypto_random(random, sizeof(random));
    crypto_hex(random, sizeof(random), task->id);
    session_hash_principal(identity, task->principal);
    memcpy(task->sender, request->sender, sizeof(task->sender));
    task->store = request->mcp->tasks;
    task->refs = 3; // the store's, the run's, the request's
    task->created_wall_ns = task->updated_wall_ns = clock_wall_ns();
    task->mcp = request->mcp;
    task->catalog = request->catalog;
    task->tool = tool;
    task->worker = call->worker;
    task->revision = request->revision;
    task->abilities = request->abilities;
    task->deadline_ns = tool_deadline_ns(request, tool);
    task->arguments = copy_json(task, call, arguments);
    task->given = copy_json(task, call, request->given);
    task->kept = copy_json(task, call, request->kept);
    task->state = arena_dup(&task->arena, request->state);
    task->client = arena_dup(&task->arena, request->client);
    task->identity = *identity;
    task->identity.id = arena_dup(&task->arena, identity->id);
    task->identity.tenant = arena_dup(&task->arena, identity->tenant);
    task->identity.scopes = arena_dup(&task->arena, identity->scopes);
    return task;
}

/* "taskId": ... as Task of both revisions. Under the lock. */
static void put_task(bp_json_writer *w, const struct task *task, bool is_modern)
{
    char created[25], updated[25];

    clock_format_utc(task->created_wall_ns, created);
    clock_format_utc(task->updated_wall_ns, updated);
    json_put_text(w, "taskId", task->id);
    json_put_text(w, "status", status_names[task->status]);
    if (task->message[0])
        json_put_text(w, "statusMessage", task->message);
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

/* The oldest one that has ended goes, first of the same principal's: what one leaves behind must
 * not keep others out. False: there is none. Under the lock. */
static bool make_room(struct task_store *store, const uint8_t principal[16])
{
    struct task **own = NULL, **any = NULL;
    uint32_t      count_of_own = 0;

    for (struct task **at = &store->first; *at; at = &(*at)->next) { // the newest come first
        bool is_own = crypto_equal((*at)->principal, principal, 16);

        count_of_own += is_own;
        if ((*at)->ended_ns)
            any = at;
        if ((*at)->ended_ns && is_own)
            own = at;
    }
    if (count_of_own < TASKS_OF_ONE_MAX && store->count < TASKS_MAX)
        return true;
    if (!own && (count_of_own >= TASKS_OF_ONE_MAX || !any))
        return false;
    drop(store, own ? own : any);
    return true;
}

bp_status task_start(bp_mcp *request, const struct catalog_tool *tool, const bp_json *arguments)
{
    struct task_store *store = request->mcp->tasks;
    bool               is_modern = mcp_is_modern(request->revision), has_started = false;
    struct task       *task;

    task = task_new(request, tool, arguments);
    if (!task)
        return call_fail(request->call, BP_NO_MEMORY, "there is no memory for another task");
    // It can be found before anybody hears of it.
    pthread_mutex_lock(&store->lock);
    if (!make_room(store, task->principal) || !take_bytes(task, task->arena.used_bytes)) {
        task->refs = 1;
        unref(task);
        pthread_mutex_unlock(&store->lock);
        return call_fail(request->call, BP_LIMIT,
                         "%d tasks of yours, or %d of all, or their bytes (server.mcp.tasks), are "
                         "at work: wait until some have ended",
                         TASKS_OF_ONE_MAX, TASKS_MAX);
    }
    task->next = store->first;
    store->first = task;
    store->count++;
    store->running++;
    pthread_mutex_unlock(&store->lock);
    start_on_worker(task, request, &has_started);
    if (!has_started) {
        pthread_mutex_lock(&store->lock);
        set_status(task, TASK_FAILED);
        store->running--;
        unref(task);
        pthread_mutex_unlock(&store->lock);
        release(task);
        return call_fail(request->call, BP_LIMIT, "no fiber is free for another task");
    }
    put_result_type(request, is_modern ? "task" : NULL);
    if (!is_modern) {
        json_key(&request->w, BP_STR("task"));
        json_begin(&request->w, JSON_KIND_OBJECT);
    }
    pthread_mutex_lock(&store->lock);
    put_task(&request->w, task, is_modern);
    pthread_mutex_unlock(&store->lock);
    if (!is_modern)
        json_end(&request->w);
    request->meta = (bp_str){ NULL, 0 };
    request_end(request);
    release(task);
    return BP_OK;
}

/* ---- questions ---- */

static bool are_answered(struct task *task)
{
    bool is_done = true;

    pthread_mutex_lock(&task->store->lock);
    for (struct task_question *at = task->questions; at; at = at->next)
        is_done = is_done && at->answer;
    pthread_mutex_unlock(&task->store->lock);
    return is_done;
}

static bp_status wait_for_answers(bp_call *call, struct task *task)
{
    while (!are_answered(task)) {
        bp_status status = call_wait(call, BP_FOREVER, "the client's answer to a task");

        if (status != BP_OK)
            return call_fail_over(call, status, "waiting for the client's answer");
    }
    return BP_OK;
}

/* What was answered before the work became a task. */
static const bp_json *known_answer(const bp_mcp *request, const char *key)
{
    const bp_json *answer = json_get(request->given, bp_str_of(key));

    if (json_type_of(answer) != JSON_KIND_OBJECT)
        answer = json_get(request->kept, bp_str_of(key));
    return json_type_of(answer) == JSON_KIND_OBJECT ? answer : NULL;
}

bp_status task_ask(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t ask_size, size_t count)
{
    struct task          *task = request->task;
    struct task_question *questions = arena_alloc(call->arena, count * sizeof(*questions));
    struct waker         *waker;
    size_t                open = 0;
    bp_status             status;

    for (size_t i = 0; i < count; i++) {
        bp_mcp_ask *ask = ask_at(asks, ask_size, i);

        ask->answer = known_answer(request, ask->key);
        if (!ask->answer && questions)
            questions[open++].ask = ask;
    }
    if (!open && questions)
        return BP_OK;
    if (!mcp_is_modern(request->revision))
        return call_fail(call, BP_UNSUPPORTED,
                         "a task of MCP 2025-11-25 cannot ask the client: call the tool without a "
                         "task");
    waker = waker_new(call);
    if (!questions || !waker) {
        waker_end(waker);
        return call_fail(call, BP_NO_MEMORY, "there is no memory to ask the client");
    }
    pthread_mutex_lock(&task->store->lock);
    for (size_t i = 0; i < open; i++) {
        questions[i].next = task->questions;
        task->questions = &questions[i];
    }
    task->waker = waker;
    set_status(task, TASK_INPUT_REQUIRED);
    pthread_mutex_unlock(&task->store->lock);
    gate_step_out(call);
    status = wait_for_answers(call, task);
    gate_step_in(call);
    pthread_mutex_lock(&task->store->lock);
    task->questions = NULL;
    task->waker = NULL;
    for (size_t i = 0; i < open; i++)
        give_bytes(task, questions[i].answer ? questions[i].answer->len
                                             : 0); // the call has them from here on
    if (task->status == TASK_INPUT_REQUIRED)
        set_status(task, TASK_WORKING);
    pthread_mutex_unlock(&task->store->lock);
    waker_end(waker);
    for (size_t i = 0; i < open; i++) {
        if (questions[i].answer)
            ((bp_mcp_ask *)(uintptr_t)questions[i].ask)
                ->answer = parse(call,
                                 bp_str_n(questions[i].answer->data, questions[i].answer->len));
        shared_text_release(questions[i].answer);
    }
    return status;
}

/* ---- methods ---- */

/* Held. Somebody else's is not there. */
static struct task *find(bp_mcp *request)
{
    struct task_store *store = request->mcp->tasks;
    bp_str             id = json_as_string(json_get(request->message.params, BP_STR("taskId")));
    struct task       *task;
    uint8_t            principal[16];

    if (mcp_is_modern(request->revision) && !(request->abilities & MCP_CAN_TASKS)) {
        request_fail_ability(request, MCP_CAN_TASKS);
        return NULL;
    }
    session_hash_principal(&request->call->principal, principal);
    pthread_mutex_lock(&store->lock);
    for (task = store->first; task; task = task->next)
        if (bp_str_is(id, task->id) && crypto_equal(task->principal, principal, sizeof(principal)))
            break;
    if (task)
        task->refs++;
    pthread_mutex_unlock(&store->lock);
    if (!task)
        request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                     "there is no task \"" BP_FMT "\", or no longer", BP_ARG(id));
    return task;
}

static void put_questions(bp_json_writer *w, const struct task *task)
{
    json_key(w, BP_STR("inputRequests"));
    json_begin(w, JSON_KIND_OBJECT);
    for (const struct task_question *at = task->questions; at; at = at->next) {
        if (at->answer)
            continue;
        json_key(w, bp_str_of(at->ask->key));
        json_begin(w, JSON_KIND_OBJECT);
        json_put_text(w, "method", at->ask->method);
        json_key(w, BP_STR("params"));
        json_add_raw(w, at->ask->params.len ? at->ask->params : BP_STR("{}"));
        json_end(w);
    }
    json_end(w);
}

bp_status tasks_get(bp_mcp *request)
{
    struct task    *task = find(request);
    bool            is_modern = mcp_is_modern(request->revision);
    bp_json_writer *w = &request->w;

    if (!task)
        return BP_INVALID;
    request_begin(request);
    pthread_mutex_lock(&task->store->lock);
    put_task(w, task, is_modern);
    if (is_modern && task->status == TASK_INPUT_REQUIRED)
        put_questions(w, task);
    if (is_modern && task->outcome) {
        json_key(w, task->status == TASK_FAILED ? BP_STR("error") : BP_STR("result"));
        json_add_raw(w, bp_str_n(task->outcome->data, task->outcome->len));
    }
    pthread_mutex_unlock(&task->store->lock);
    request_end(request);
    release(task);
    return BP_OK;
}

bp_status tasks_update(bp_mcp *request)
{
    const bp_json *answers = json_get(request->message.params, BP_STR("inputResponses"));
    struct task   *task = find(request);
    bool           is_full = false;

    if (!task)
        return BP_INVALID;
    if (json_type_of(answers) != JSON_KIND_OBJECT) {
        release(task);
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.inputResponses must be an object");
    }
    pthread_mutex_lock(&task->store->lock);
    for (struct task_question *at = task->questions; at; at = at->next) {
        const bp_json *answer = json_get(answers, bp_str_of(at->ask->key));

        bp_str text;

        if (at->answer || json_type_of(answer) != JSON_KIND_OBJECT)
            continue;
        text = json_text(request->call->arena, answer);
        is_full = !take_bytes(task, text.len);
        if (is_full)
            break;
        at->answer = shared_text_new(text);
    }
    if (task->waker)
        waker_wake(task->waker);
    pthread_mutex_unlock(&task->store->lock);
    release(task);
    if (is_full)
        return request_fail(request, MCP_SERVER_ERROR, 503,
                            "your tasks take all the bytes that they may (server.mcp.tasks)");
    request_begin(request);
    request_end(request);
    return BP_OK;
}

bp_status tasks_cancel(bp_mcp *request)
{
    bool         is_modern = mcp_is_modern(request->revision), has_ended;
    struct task *task = find(request);

    if (!task)
        return BP_INVALID;
    request_begin(request);
    pthread_mutex_lock(&task->store->lock);
    has_ended = task->ended_ns != 0;
    stop_task(task);
    if (!has_ended)
        set_status(task, TASK_CANCELLED);
    if (!is_modern)
        put_task(&request->w, task, false);
    pthread_mutex_unlock(&task->store->lock);
    release(task);
    if (!is_modern && has_ended)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0, "the task has ended already");
    request_end(request);
    return BP_OK;
}

/* ---- 2025-11-25 ---- */

/* False: no place to wait in. */
static bool wait_with_others(struct task *task, struct waker *waker)
{
    bool has_place = false;

    pthread_mutex_lock(&task->store->lock);
    for (size_t i = 0;
         !task->ended_ns && !has_place && i < sizeof(task->fetchers) / sizeof(task->fetchers[0]);
         i++) {
        if (task->fetchers[i])
            continue;
        waker_hold(waker);
        task->fetchers[i] = waker;
        has_place = true;
    }
    has_place = has_place || task->ended_ns;
    pthread_mutex_unlock(&task->store->lock);
    return has_place;
}

/* Its place is free again for who waits next. */
static void leave_the_others(struct task *task, struct waker *waker)
{
    pthread_mutex_lock(&task->store->lock);
    for (size_t i = 0; waker && i < sizeof(task->fetchers) / sizeof(task->fetchers[0]); i++) {
        if (task->fetchers[i] != waker)
            continue;
        waker_release(waker);
        task->fetchers[i] = NULL;
    }
    pthread_mutex_unlock(&task->store->lock);
}

static bp_status wait_for_end(bp_call *call, struct task *task)
{
    struct waker *waker = waker_new(call);
    bp_status     status = BP_OK;
    bool          has_ended = false;

    if (!waker || !wait_with_others(task, waker))
        status = call_fail(call, BP_LIMIT, "too many wait for the end of this task");
    while (status == BP_OK && !has_ended) {
        pthread_mutex_lock(&task->store->lock);
        has_ended = task->ended_ns != 0;
        pthread_mutex_unlock(&task->store->lock);
        if (!has_ended)
            status = call_wait(call, BP_FOREVER, "the end of a task");
    }
    leave_the_others(task, waker);
    waker_end(waker);
    return status == BP_OK || call->error.status == status
               ? status
               : call_fail_over(call, status, "waiting for a task");
}

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

bp_status tasks_result(bp_mcp *request)
{
    struct task   *task = find(request);
    bp_call       *call = request->call;
    bp_status      status;
    bp_str         outcome = { NULL, 0 };
    const bp_json *error;
    bool           is_completed;

    if (!task)
        return BP_INVALID;
    call->deadline_ns = BP_FOREVER;
    request_let_go(request);
    status = wait_for_end(call, task);
    pthread_mutex_lock(&task->store->lock);
    if (task->outcome)
        outcome = arena_dup(call->arena, bp_str_n(task->outcome->data, task->outcome->len));
    is_completed = task->status == TASK_COMPLETED;
    pthread_mutex_unlock(&task->store->lock);
    if (status == BP_OK && is_completed && outcome.len > 2) {
        put_result_type(request, NULL);
        add_members(&request->w, parse(call, outcome));
        request->meta = arena_format(call->arena,
                                     "{\"" MCP_META_RELATED_TASK "\":{\"taskId\":\"%s\"}}",
                                     task->id);
        request_end(request);
    } else if (status == BP_OK) {
        error = parse(call, outcome);
        request_fail(request,
                     error ? (int32_t)json_as_integer(json_get(error, BP_STR("code")))
                           : MCP_SERVER_ERROR,
                     0, BP_FMT,
                     BP_ARG(error ? json_as_string(json_get(error, BP_STR("message")))
                                  : BP_STR("the task was cancelled")));
        status = BP_INVALID;
    }
    release(task);
    return status;
}

bp_status tasks_list(bp_mcp *request)
{
    struct task_store *store = request->mcp->tasks;
    uint8_t            principal[16];

    session_hash_principal(&request->call->principal, principal);
    request_begin(request);
    json_key(&request->w, BP_STR("tasks"));
    json_begin(&request->w, JSON_KIND_ARRAY);
    pthread_mutex_lock(&store->lock);
    for (const struct task *task = store->first; task; task = task->next) {
        if (!crypto_equal(task->principal, principal, sizeof(principal)))
            continue;
        json_begin(&request->w, JSON_KIND_OBJECT);
        put_task(&request->w, task, false);
        json_end(&request->w);
    }
    pthread_mutex_unlock(&store->lock);
    json_end(&request->w);
    request_end(request);
    return BP_OK;
}
