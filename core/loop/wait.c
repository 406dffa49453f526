/* wait.c - the two basic waits: for a time, and for a file descriptor. */
#include "loop/call.h"

#include <stdlib.h>

#include "base/clock.h"
#include "loop/fiber.h"
#include "loop/watch.h"

bp_status call_yield_if_due(bp_call *call)
{
    if (clock_now_ns() - call->worker->running.since_ns >= (int64_t)CALL_BUDGET_US * 1000)
        fiber_yield(call->fiber);
    return call_over(call);
}

bp_status call_sleep(bp_call *call, int64_t duration_ns)
{
    int64_t   until_ns = clock_now_ns() + (duration_ns > 0 ? duration_ns : 0);
    bp_status over = call_over(call);

    if (over == BP_OK && duration_ns <= 0) {
        fiber_yield(call->fiber);
        over = call_over(call);
    }
    while (over == BP_OK && clock_now_ns() < until_ns) {
        call_wait(call, until_ns, "sleep");
        over = call_over(call);
    }
    return over == BP_OK ? BP_OK : call_fail_over(call, over, "sleeping");
}

/* libuv frees nothing of a handle before its close callback, so this outlives the wait. */
struct fd_wait {
    uv_poll_t poll;
    bp_call  *call; /* NULL once nobody waits */
    uint32_t  ready;
    bool      is_done;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct fd_wait *wait = poll->data;

    if (!wait->call)
        return;
    if (status < 0)
        wait->ready = WATCH_READ | WATCH_WRITE;
    if (events & (UV_READABLE | UV_DISCONNECT))
        wait->ready |= WATCH_READ;
    if (events & UV_WRITABLE)
        wait->ready |= WATCH_WRITE;
    wait->is_done = true;
    uv_poll_stop(poll);
    call_wake(wait->call);
}

bp_status call_wait_fd(bp_call *call, int fd, uint32_t events, int64_t deadline_ns, uint32_t *ready)
{
    struct fd_wait *wait;
    bp_status       status = call_over(call);
    int             failed;

    if (status != BP_OK)
        return call_fail_over(call, status, "waiting for a descriptor");
    wait = calloc(1, sizeof(*wait));
    if (!wait)
        return call_fail(call, BP_NO_MEMORY, "no memory to wait for a descriptor");
    failed = uv_poll_init(&call->worker->loop, &wait->poll, fd);
    if (failed) {
        free(wait);
        return call_fail(call, BP_INVALID, "descriptor %d cannot be waited for: %s", fd,
                         uv_strerror(failed));
    }
    wait->poll.data = wait;
    wait->call = call;
    uv_poll_start(&wait->poll,
                  ((events & WATCH_READ) ? UV_READABLE | UV_DISCONNECT : 0) |
                      ((events & WATCH_WRITE) ? UV_WRITABLE : 0),
                  on_ready);
    while (status == BP_OK && !wait->is_done)
        status = call_wait(call, deadline_ns, "a file descriptor");
    if (wait->is_done)
        status = BP_OK;
    if (ready)
        *ready = wait->ready;
    wait->call = NULL;
    uv_close((uv_handle_t *)&wait->poll, on_closed);
    return status == BP_OK ? BP_OK : call_fail_over(call, status, "waiting for a descriptor");
}
