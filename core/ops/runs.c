/* runs.c - runs of long-lived work: a list behind one lock, and a call on a worker for each that
 * has not ended. */
#include "ops/runs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "loop/principal.h"
#include "loop/waker.h"
#include "plugin/gate.h"

enum {
    CLIENT_PART = 4, /* of the bytes of all runs, one client may have a quarter */
    WAITERS_MAX = 8,
    EXPIRY_S = 10,
    COPIES_BYTES_MAX = 64 << 20
};

struct run {
    struct run          *next;
    struct runs         *runs;
    char                 id[RUN_ID_CHARS + 1], what[RUN_WHAT_BYTES];
    uint8_t              owner[RUN_OWNER_BYTES], client[SHARE_DIGEST_BYTES];
    size_t               counted_bytes; /* in the shares of its client */
    uint32_t             refs;          /* one for the list, one while it runs, and holders' */
    enum run_state       state;
    int64_t              created_wall_ns, updated_wall_ns;
    int64_t              ended_ns; /* monotonic; 0: it has not */
    int64_t              done, total;
    char                 message[RUN_MESSAGE_BYTES];
    struct shared_text  *outcome;
    struct run_question *questions;
    struct waker        *waker;                /* of the work, while it waits for answers */
    struct waker        *waiters[WAITERS_MAX]; /* for the end; held */
    bool                 is_stopping;          /* the call is to be cancelled */

    /* What it runs with. */
    struct arena    arena; /* of copies, as the request that began it is gone */
    struct run_work work;
    struct worker  *worker;
    bp_call        *call; /* on the worker; NULL: not running */
    bp_principal    identity;
};

struct runs {
    pthread_mutex_t    lock;
    struct runs_limits limits;
    struct run        *first; /* the newest */
    uint32_t           count, running;
    bool               is_stopped; /* none begins any more */
    struct waker      *stopper;
    struct job        *expiry;
    struct shares     *bytes; /* of copies, answers and outcomes, by client */
};

struct runs *runs_new(const struct runs_limits *limits)
{
    struct runs *runs = calloc(1, sizeof(*runs));

    if (!runs)
        return NULL;
    pthread_mutex_init(&runs->lock, NULL);
    runs->limits = *limits;
    runs->bytes = shares_new(limits->bytes / CLIENT_PART, limits->bytes);
    if (runs->bytes)
        return runs;
    runs_free(runs);
    return NULL;
}

/* ---- bytes and references: all of these under the lock ---- */

static void give_bytes(struct run *run, size_t bytes)
{
    bytes = bytes < run->counted_bytes ? bytes : run->counted_bytes;
    shares_give(run->runs->bytes, run->client, bytes);
    run->counted_bytes -= bytes;
}

static void free_copies(struct run *run)
{
    give_bytes(run, run->arena.used_bytes);
    arena_free(&run->arena);
}

static void unref(struct run *run)
{
    if (--run->refs)
        return;
    shared_text_release(run->outcome);
    free_copies(run);
    give_bytes(run, run->counted_bytes);
    free(run);
}

static void drop(struct runs *runs, struct run **at)
{
    struct run *run = *at;

    *at = run->next;
    runs->count--;
    unref(run);
}

/* Of the same client, the oldest one that has ended, but never `run` itself. */
static bool drop_ended(const struct run *run)
{
    struct run **own = NULL;

    for (struct run **at = &run->runs->first; *at; at = &(*at)->next)
        if (*at != run && (*at)->ended_ns &&
            memcmp((*at)->client, run->client, sizeof(run->client)) == 0)
            own = at;
    if (own)
        drop(run->runs, own);
    return own != NULL;
}

/* Older outcomes of the same client make room for a newer one. */
static bool take_bytes(struct run *run, size_t bytes)
{
    while (shares_take(run->runs->bytes, run->client, bytes) != SHARE_TAKEN)
        if (!drop_ended(run))
            return false;
    run->counted_bytes += bytes;
    return true;
}

/* The oldest one that has ended goes, first of the same owner's: the runs that one client leaves
 * behind must not keep others out. False: there is none. */
static bool make_room(struct runs *runs, const uint8_t owner[RUN_OWNER_BYTES])
{
    struct run **own = NULL, **any = NULL;
    uint32_t     count_of_own = 0;

    for (struct run **at = &runs->first; *at; at = &(*at)->next) { // the newest come first
        bool is_own = crypto_equal((*at)->owner, owner, RUN_OWNER_BYTES);

        count_of_own += is_own;
        if ((*at)->ended_ns)
            any = at;
        if ((*at)->ended_ns && is_own)
            own = at;
    }
    if (count_of_own < runs->limits.count_of_one && runs->count < runs->limits.count)
        return true;
    if (!own && (count_of_own >= runs->limits.count_of_one || !any))
        return false;
    drop(runs, own ? own : any);
    return true;
}

/* ---- the list ---- */

void runs_free(struct runs *runs)
{
    if (!runs)
        return;
    while (runs->first)
        drop(runs, &runs->first);
    pthread_mutex_destroy(&runs->lock);
    shares_free(runs->bytes);
    free(runs);
}

void runs_expire(struct runs *runs, int64_t now_ns)
{
    pthread_mutex_lock(&runs->lock);
    for (struct run **at = &runs->first; *at;) {
        if ((*at)->ended_ns && now_ns - (*at)->ended_ns > runs->limits.kept_ns)
            drop(runs, at);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&runs->lock);
}

static void expire(bp_call *call, void *arg)
{
    (void)call;
    runs_expire(arg, clock_now_ns());
}

bool runs_start(struct runs *runs, struct worker *worker)
{
    struct job_options options = { .name = "expiry of runs",
                                   .interval_ns = BP_SECONDS(EXPIRY_S),
                                   .first_ns = BP_SECONDS(EXPIRY_S),
                                   .timeout_ns = BP_SECONDS(EXPIRY_S),
                                   .run = expire,
                                   .arg = runs };

    runs->expiry = job_start(worker, &options);
    return runs->expiry != NULL;
}

/* Under the lock. Held by the list alone. */
static struct run **find(struct runs *runs, bp_str id, const uint8_t owner[RUN_OWNER_BYTES])
{
    struct run **at = &runs->first;

    while (*at && !(bp_str_is(id, (*at)->id) && crypto_equal((*at)->owner, owner, RUN_OWNER_BYTES)))
        at = &(*at)->next;
    return at;
}

struct run *run_find(struct runs *runs, bp_str id, const uint8_t owner[RUN_OWNER_BYTES])
{
    struct run *run;

    pthread_mutex_lock(&runs->lock);
    run = *find(runs, id, owner);
    if (run)
        run->refs++;
    pthread_mutex_unlock(&runs->lock);
    return run;
}

void run_hold(struct run *run)
{
    pthread_mutex_lock(&run->runs->lock);
    run->refs++;
    pthread_mutex_unlock(&run->runs->lock);
}

void run_release(struct run *run)
{
    struct runs *runs = run->runs;

    pthread_mutex_lock(&runs->lock);
    unref(run);
    pthread_mutex_unlock(&runs->lock);
}

/* Under the lock. */
static struct run_view view_of(const struct run *run)
{
    struct run_view view = { .id = run->id,
                             .what = run->what,
                             .state = run->state,
                             .created_wall_ns = run->created_wall_ns,
                             .updated_wall_ns = run->updated_wall_ns,
                             .done = run->done,
                             .total = run->total };

    memcpy(view.message, run->message, sizeof(view.message));
    return view;
}

struct run_view run_look(struct run *run)
{
    struct run_view view;

    pthread_mutex_lock(&run->runs->lock);
    view = view_of(run);
    pthread_mutex_unlock(&run->runs->lock);
    return view;
}

struct shared_text *run_outcome(struct run *run)
{
    struct shared_text *outcome;

    pthread_mutex_lock(&run->runs->lock);
    outcome = shared_text_hold(run->outcome);
    pthread_mutex_unlock(&run->runs->lock);
    return outcome;
}

void runs_each(struct runs *runs, const uint8_t                            owner[RUN_OWNER_BYTES],
               void (*each)(const struct run_view *view, void *arg), void *arg)
{
    pthread_mutex_lock(&runs->lock);
    for (const struct run *run = runs->first; run; run = run->next)
        if (crypto_equal(run->owner, owner, RUN_OWNER_BYTES)) {
            struct run_view view = view_of(run);

            each(&view, arg);
        }
    pthread_mutex_unlock(&runs->lock);
}

/* ---- cancelling ---- */

static void cancel_on_worker(void *arg)
{
    struct run *run = arg;

    if (run->call)
        call_cancel(run->call);
    run_release(run);
}

/* Under the lock. */
static void stop_work(struct run *run)
{
    if (run->is_stopping || run->ended_ns)
        return;
    run->is_stopping = true;
    run->refs++;
    worker_post(run->worker, cancel_on_worker, run);
}

/* Under the lock. */
static void set_state(struct run *run, enum run_state state)
{
    run->state = state;
    run->updated_wall_ns = clock_wall_ns();
    if (state < RUN_COMPLETED)
        return;
    if (!run->ended_ns)
        run->ended_ns = clock_now_ns();
    for (size_t i = 0; i < WAITERS_MAX; i++) {
        if (!run->waiters[i])
            continue;
        waker_wake(run->waiters[i]);
        waker_release(run->waiters[i]);
        run->waiters[i] = NULL;
    }
}

bool run_cancel(struct run *run)
{
    bool had_ended;

    pthread_mutex_lock(&run->runs->lock);
    had_ended = run->ended_ns != 0;
    stop_work(run);
    if (!had_ended)
        set_state(run, RUN_CANCELLED);
    pthread_mutex_unlock(&run->runs->lock);
    return !had_ended;
}

void runs_stop(bp_call *call, struct runs *runs)
{
    uint32_t running;

    if (runs->expiry)
        job_stop(call, runs->expiry);
    runs->expiry = NULL;
    pthread_mutex_lock(&runs->lock);
    runs->is_stopped = true;
    runs->stopper = waker_new(call);
    for (struct run *run = runs->first; run; run = run->next)
        stop_work(run);
    running = runs->running;
    pthread_mutex_unlock(&runs->lock);
    while (running && call_wait(call, BP_FOREVER, "runs to end") == BP_OK) {
        pthread_mutex_lock(&runs->lock);
        running = runs->running;
        pthread_mutex_unlock(&runs->lock);
    }
    pthread_mutex_lock(&runs->lock);
    waker_end(runs->stopper);
    runs->stopper = NULL;
    pthread_mutex_unlock(&runs->lock);
}

/* ---- beginning ---- */

struct run *run_new(bp_call *call, struct runs *runs, const uint8_t owner[RUN_OWNER_BYTES],
                    const uint8_t client[SHARE_DIGEST_BYTES], const char *id)
{
    struct run *run = calloc(1, sizeof(*run));
    uint8_t     random[RUN_ID_CHARS / 2];

    if (!run)
        return NULL;
    arena_init(&run->arena, COPIES_BYTES_MAX);
    if (id) {
        snprintf(run->id, sizeof(run->id), "%s", id);
    } else {
        crypto_random(random, sizeof(random));
        crypto_hex(random, sizeof(random), run->id);
    }
    memcpy(run->owner, owner, sizeof(run->owner));
    memcpy(run->client, client, sizeof(run->client));
    run->runs = runs;
    run->refs = 1;
    run->created_wall_ns = run->updated_wall_ns = clock_wall_ns();
    run->worker = call->worker;
    if (principal_copy(&run->arena, &call->principal, &run->identity))
        return run;
    arena_free(&run->arena);
    free(run);
    return NULL;
}

void run_set_what(struct run *run, const char *what)
{
    bp_str text = str_cut(bp_str_of(what), RUN_WHAT_BYTES - 1);

    snprintf(run->what, sizeof(run->what), BP_FMT, BP_ARG(text));
}

struct arena *run_arena(struct run *run)
{
    return &run->arena;
}

static void run_work(bp_call *call, void *arg)
{
    struct run        *run = arg;
    struct generation *generation = run->work.generation;
    bool               is_stopping;

    call->principal = run->identity;
    pthread_mutex_lock(&run->runs->lock);
    run->call = call;
    is_stopping = run->is_stopping;
    pthread_mutex_unlock(&run->runs->lock);
    if (is_stopping)
        call_cancel(call);
    run->work.work(call, run, run->work.arg);
    generation_leave(generation, call->worker);
}

static bool start_on_worker(bp_call *call, struct run *run)
{
    struct call_options options = { .deadline_ns = run->work.deadline_ns == BP_FOREVER
                                                       ? BP_FOREVER
                                                       : clock_now_ns() + run->work.deadline_ns,
                                    .request_id = bp_str_of(call->request_id),
                                    .client = call->client };

    // The instances that the work uses stay until it has ended, though its request is over.
    generation_enter(run->work.generation, call->worker);
    if (call_start(call->worker, &options, run_work, run))
        return true;
    generation_leave(run->work.generation, call->worker);
    return false;
}

/* Under the lock. It can be found before anybody hears of it. */
static bp_status enter_list(struct run *run)
{
    struct runs *runs = run->runs;
    struct run **same = find(runs, bp_str_of(run->id), run->owner);

    if (runs->is_stopped)
        return BP_UNAVAILABLE;
    if (*same && !(*same)->ended_ns)
        return BP_CONFLICT;
    if (*same)
        drop(runs, same);
    if (!make_room(runs, run->owner) || !take_bytes(run, run->arena.used_bytes))
        return BP_LIMIT;
    run->next = runs->first;
    runs->first = run;
    runs->count++;
    runs->running++;
    run->refs += 2; // the list's and the work's
    return BP_OK;
}

static bp_status refuse(bp_call *call, const struct run *run, bp_status status)
{
    const struct runs_limits *limits = &run->runs->limits;

    if (status == BP_CONFLICT)
        return call_fail(call, status,
                         "the work \"%s\" is under way already: wait for it, or cancel it",
                         run->id);
    if (status == BP_UNAVAILABLE)
        return call_fail(call, status, "the server is stopping and begins no more work");
    return call_fail(call, status,
                     "the limit of running tasks is reached (%u of one client, %u of all, or "
                     "their bytes, %s): wait until some have ended",
                     limits->count_of_one, limits->count, limits->setting);
}

bp_status run_start(bp_call *call, struct run *run, const struct run_work *work)
{
    struct runs *runs = run->runs;
    bp_status    status;

    run->work = *work;
    run->worker = call->worker;
    pthread_mutex_lock(&runs->lock);
    status = enter_list(run);
    pthread_mutex_unlock(&runs->lock);
    if (status != BP_OK)
        return refuse(call, run, status);
    if (start_on_worker(call, run))
        return BP_OK;
    pthread_mutex_lock(&runs->lock);
    set_state(run, RUN_FAILED);
    runs->running--;
    unref(run);
    pthread_mutex_unlock(&runs->lock);
    return call_fail(call, BP_LIMIT, "no fiber is free for another task: try again in a moment");
}

/* ---- for the work ---- */

void run_set_message(struct run *run, bp_str message)
{
    size_t len = str_cut(message, RUN_MESSAGE_BYTES - 1).len;

    pthread_mutex_lock(&run->runs->lock);
    if (len)
        memcpy(run->message, message.data, len);
    run->message[len] = '\0';
    run->updated_wall_ns = clock_wall_ns();
    pthread_mutex_unlock(&run->runs->lock);
}

void run_set_progress(struct run *run, int64_t done, int64_t total)
{
    pthread_mutex_lock(&run->runs->lock);
    run->done = done;
    run->total = total;
    run->updated_wall_ns = clock_wall_ns();
    pthread_mutex_unlock(&run->runs->lock);
}

void run_end(bp_call *call, struct run *run, enum run_state state, bp_str outcome,
             const char *too_large)
{
    struct runs        *runs = run->runs;
    struct shared_text *text = shared_text_new(outcome);

    // The identity's texts are among the copies.
    call->principal = (bp_principal){ .struct_size = sizeof(call->principal) };
    pthread_mutex_lock(&runs->lock);
    run->call = NULL;
    free_copies(run);
    if (!text) // no memory: nothing is left of it
        state = RUN_FAILED;
    if (run->state != RUN_CANCELLED && text && !take_bytes(run, text->len)) {
        shared_text_release(text);
        text = shared_text_new(bp_str_of(too_large));
        state = RUN_FAILED;
    }
    if (run->state == RUN_CANCELLED) {
        shared_text_release(text);
    } else {
        run->outcome = text;
        set_state(run, run->is_stopping ? RUN_CANCELLED : state);
    }
    runs->running--;
    if (runs->stopper)
        waker_wake(runs->stopper);
    unref(run);
    pthread_mutex_unlock(&runs->lock);
}

/* ---- questions ---- */

static bool are_answered(struct run *run)
{
    bool is_done = true;

    pthread_mutex_lock(&run->runs->lock);
    for (struct run_question *at = run->questions; at; at = at->next)
        is_done = is_done && at->answer;
    pthread_mutex_unlock(&run->runs->lock);
    return is_done;
}

static bp_status wait_for_answers(bp_call *call, struct run *run)
{
    while (!are_answered(run)) {
        bp_status status = call_wait(call, BP_FOREVER, "the client's answer to a run");

        if (status != BP_OK)
            return call_fail_over(call, status, "waiting for the client's answer");
    }
    return BP_OK;
}

bp_status run_ask(bp_call *call, struct run *run, struct run_question *questions, size_t count)
{
    struct waker *waker = waker_new(call);
    bp_status     status;

    if (!waker)
        return call_fail(call, BP_NO_MEMORY, "there is no memory to ask the client");
    pthread_mutex_lock(&run->runs->lock);
    for (size_t i = 0; i < count; i++) {
        questions[i].next = run->questions;
        run->questions = &questions[i];
    }
    run->waker = waker;
    if (run->state == RUN_WORKING)
        set_state(run, RUN_WAITING);
    pthread_mutex_unlock(&run->runs->lock);
    gate_step_out(call);
    status = wait_for_answers(call, run);
    gate_step_in(call);
    pthread_mutex_lock(&run->runs->lock);
    run->questions = NULL;
    run->waker = NULL;
    for (size_t i = 0; i < count; i++) // the work has them from here on
        give_bytes(run, shared_text_str(questions[i].answer).len);
    if (run->state == RUN_WAITING)
        set_state(run, RUN_WORKING);
    pthread_mutex_unlock(&run->runs->lock);
    waker_end(waker);
    return status;
}

void run_each_question(struct run *run,
                       void (*each)(const struct run_question *question, void *arg), void *arg)
{
    pthread_mutex_lock(&run->runs->lock);
    for (const struct run_question *at = run->questions; at; at = at->next)
        if (!at->answer)
            each(at, arg);
    pthread_mutex_unlock(&run->runs->lock);
}

bool run_answer(struct run *run, bp_str key, bp_str answer, bool *is_full)
{
    struct run_question *question;

    *is_full = false;
    pthread_mutex_lock(&run->runs->lock);
    for (question = run->questions; question; question = question->next)
        if (!question->answer && bp_str_is(key, question->key))
            break;
    if (question) {
        *is_full = !take_bytes(run, answer.len);
        if (!*is_full)
            question->answer = shared_text_new(answer);
        if (!*is_full && !question->answer) { // no memory for it
            give_bytes(run, answer.len);
            *is_full = true;
        }
        if (run->waker)
            waker_wake(run->waker);
    }
    pthread_mutex_unlock(&run->runs->lock);
    return question != NULL;
}

/* ---- waiting for the end ---- */

/* False: no place to wait in. */
static bool wait_with_others(struct run *run, struct waker *waker)
{
    bool has_place = false;

    pthread_mutex_lock(&run->runs->lock);
    for (size_t i = 0; !run->ended_ns && !has_place && i < WAITERS_MAX; i++) {
        if (run->waiters[i])
            continue;
        waker_hold(waker);
        run->waiters[i] = waker;
        has_place = true;
    }
    has_place = has_place || run->ended_ns;
    pthread_mutex_unlock(&run->runs->lock);
    return has_place;
}

/* Its place is free again for who waits next. */
static void leave_the_others(struct run *run, struct waker *waker)
{
    pthread_mutex_lock(&run->runs->lock);
    for (size_t i = 0; waker && i < WAITERS_MAX; i++) {
        if (run->waiters[i] != waker)
            continue;
        waker_release(waker);
        run->waiters[i] = NULL;
    }
    pthread_mutex_unlock(&run->runs->lock);
}

static bool has_ended(struct run *run)
{
    return run_look(run).state >= RUN_COMPLETED;
}

bp_status run_wait_until(bp_call *call, struct run *run, int64_t deadline_ns)
{
    struct waker *waker = waker_new(call);
    bp_status     status = BP_OK;

    if (!waker || !wait_with_others(run, waker))
        status = call_fail(call, BP_LIMIT, "too many wait for the end of this work");
    while (status == BP_OK && !has_ended(run))
        status = call_wait(call, deadline_ns, "the end of a run");
    leave_the_others(run, waker);
    waker_end(waker);
    if (status == BP_DEADLINE && call_over(call) == BP_OK)
        return BP_OK;
    return status == BP_OK || call->error.status == status
               ? status
               : call_fail_over(call, status, "waiting for a run");
}

bp_status run_wait(bp_call *call, struct run *run)
{
    return run_wait_until(call, run, BP_FOREVER);
}
