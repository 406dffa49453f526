/* fiber.c - scheduling of fibers on one worker: a ready queue and a pool of finished ones.
 *
 *      fiber_start -> ready -> running -> parked -> ready -> ... -> run returns -> spare
 *
 * A spare fiber keeps its stack, its timer and the first block of its call's arena, so that a
 * request costs no system call for them.
 */
#include "loop/fiber.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "loop/call.h"
#include "loop/context.h"

enum { SPARE_MAX = 64, LIVE_MAX = 30000, MAPPINGS_FOR_OTHERS = 5000 };

struct fiber {
    struct context   *context;
    struct worker    *worker;
    struct queue_link live; /* among the worker's fibers */
    struct queue_link turn; /* among its ready ones, or among the spares */
    void (*run)(struct fiber *fiber, void *arg);
    void                 *arg;
    const char           *waits_for;
    int64_t               parked_ns, started_ns;
    bool                  is_woken, is_parked, is_finished;
    uv_timer_t            timer;
    int                   open_handles; /* the timer; the fiber is freed when libuv has closed it */
    struct worker_running running;      /* who it runs for, put back when it is entered again */
    struct bp_call        call;
};

static _Atomic uint32_t live_count;

uint32_t fiber_live_max(void)
{
    static _Atomic uint32_t known;
    FILE                   *file;
    long                    mappings = 65530;
    uint32_t                max;

    if (known)
        return known;
    file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &mappings) != 1)
            mappings = 65530;
        fclose(file);
    }
    max = mappings > MAPPINGS_FOR_OTHERS + 200 ? (uint32_t)(mappings - MAPPINGS_FOR_OTHERS) / 2
                                               : 100;
    known = max < LIVE_MAX ? max : LIVE_MAX;
    return known;
}

uint32_t fiber_live_count(void)
{
    return live_count;
}

struct worker *fiber_worker(const struct fiber *fiber)
{
    return fiber->worker;
}

uv_timer_t *fiber_timer(struct fiber *fiber)
{
    return &fiber->timer;
}

void *fiber_call_space(struct fiber *fiber)
{
    return &fiber->call;
}

static void entry(void *arg)
{
    struct fiber *fiber = arg;

    for (;;) {
        fiber->run(fiber, fiber->arg);
        fiber->is_finished = true;
        context_leave(fiber->context);
    }
}

static struct fiber *make(struct worker *worker)
{
    struct fiber *fiber = calloc(1, sizeof(*fiber));

    if (!fiber)
        return NULL;
    fiber->worker = worker;
    fiber->context = context_new(worker, entry, fiber);
    if (!fiber->context) {
        free(fiber);
        return NULL;
    }
    uv_timer_init(&worker->loop, &fiber->timer);
    fiber->timer.data = fiber;
    return fiber;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void destroy(struct fiber *fiber)
{
    call_space_free(&fiber->call);
    context_free(fiber->context);
    uv_close((uv_handle_t *)&fiber->timer, on_timer_closed);
}

void fiber_free_spares(struct worker *worker)
{
    struct fiber *fiber;

    QUEUE_EACH (&worker->spare, fiber, turn) {
        queue_remove(&fiber->turn);
        destroy(fiber);
    }
}

/* Before it leaves its stack: it is the one that runs, on its worker's thread and its own stack. */
static void check_may_leave(const struct fiber *fiber)
{
    CHECK_ALWAYS(fiber->worker->current == fiber);
    CHECK(worker_current() == fiber->worker);
    CHECK(context_is_on_stack(fiber->context, __builtin_frame_address(0)));
    CHECK(!fiber->is_finished);
}

static void push_ready(struct fiber *fiber)
{
    CHECK(queue_is_linked(&fiber->live) && !fiber->is_finished);
    queue_push_back(&fiber->worker->ready, &fiber->turn);
}

struct fiber *fiber_start(struct worker *worker, void (*run)(struct fiber *fiber, void *arg),
                          void          *arg)
{
    struct fiber *fiber;

    if (live_count >= fiber_live_max())
        return NULL;
    fiber = QUEUE_ITEM(queue_pop(&worker->spare), struct fiber, turn);
    if (!fiber)
        fiber = make(worker);
    if (!fiber)
        return NULL;
    live_count++;
    fiber->run = run;
    fiber->arg = arg;
    fiber->is_finished = fiber->is_woken = fiber->is_parked = false;
    fiber->waits_for = "its first turn";
    fiber->started_ns = fiber->parked_ns = clock_now_ns();
    fiber->running.plugin = fiber->running.instance = fiber->running.op = NULL;
    queue_push_front(&worker->fibers, &fiber->live);
    push_ready(fiber);
    worker_run_ready(worker);
    return fiber;
}

static void enter(struct fiber *fiber)
{
    struct worker *worker = fiber->worker;

    CHECK(!worker->current); // switches go through the worker's own stack
    CHECK(worker_current() == worker);
    CHECK(!fiber->is_finished && queue_is_linked(&fiber->live) && !queue_is_linked(&fiber->turn));
    fiber->is_parked = fiber->is_woken = false;
    worker->running.plugin = fiber->running.plugin;
    worker->running.instance = fiber->running.instance;
    worker->running.op = fiber->running.op;
    worker->running.since_ns = clock_now_ns();
    worker->current = fiber;
    context_enter(fiber->context);
    CHECK(worker->current == fiber);
    CHECK(fiber->is_finished || fiber->is_parked);
    worker->current = NULL;
    worker->running.since_ns = 0;
    fiber->running.plugin = worker->running.plugin;
    fiber->running.instance = worker->running.instance;
    fiber->running.op = worker->running.op;
    worker->running.plugin = worker->running.instance = worker->running.op = NULL;
    if (!fiber->is_finished)
        return;
    queue_remove(&fiber->live);
    live_count--;
    if (worker->spare.count < SPARE_MAX && !worker->is_stopping)
        queue_push_front(&worker->spare, &fiber->turn);
    else
        destroy(fiber);
}

void fiber_run_next_ready(struct worker *worker)
{
    enter(QUEUE_ITEM(queue_pop(&worker->ready), struct fiber, turn));
}

void fiber_park(struct fiber *fiber, const char *what)
{
    if (fiber->is_woken) {
        fiber->is_woken = false;
        return;
    }
    check_may_leave(fiber);
    fiber->waits_for = what;
    fiber->parked_ns = clock_now_ns();
    fiber->is_parked = true;
    context_leave(fiber->context);
}

void fiber_wake(struct fiber *fiber)
{
    CHECK(worker_current() == fiber->worker);
    CHECK(!fiber->is_finished);
    if (queue_is_linked(&fiber->turn)) // it is ready
        return;
    if (!fiber->is_parked) {
        fiber->is_woken = true; // it runs now and will not park the next time
        return;
    }
    push_ready(fiber);
    worker_run_ready(fiber->worker);
}

void fiber_yield(struct fiber *fiber)
{
    check_may_leave(fiber);
    fiber->waits_for = "its turn";
    fiber->parked_ns = clock_now_ns();
    fiber->is_parked = true;
    push_ready(fiber);
    context_leave(fiber->context);
}

bool fiber_is_overflow(const struct worker *worker, const void *address)
{
    return worker && worker->current && context_is_guard(worker->current->context, address);
}
