/* watch.c - waiting for a descriptor through a handle that stays.
 *
 * The handle goes on polling after an event, because who was woken mostly reads until there is no
 * more and waits again. It is stopped for an event only when that comes and nobody waits, so that
 * the loop does not spin.
 */
#include "loop/watch.h"

#include <stdlib.h>

#include "loop/worker.h"

enum { WATCHED = 2 }; // reading and writing

struct watch {
    uv_poll_t poll;
    bp_call  *waiting[WATCHED]; /* for WATCH_READ and WATCH_WRITE */
    uint32_t  polled;
    uint32_t  holds; /* by calls that have not gone on yet after they were woken */
    bool      is_closing, is_closed;
};

struct watch *watch_new(struct worker *worker, int fd)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch && uv_poll_init(&worker->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    if (watch)
        watch->poll.data = watch;
    return watch;
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    watch->is_closed = true;
    if (watch->holds == 0)
        free(watch);
}

void watch_free(struct watch *watch)
{
    if (!watch || watch->is_closing)
        return;
    watch->is_closing = true;
    for (int i = 0; i < WATCHED; i++)
        if (watch->waiting[i])
            call_wake(watch->waiting[i]);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void poll_for(struct watch *watch, uint32_t events)
{
    if (watch->polled == events)
        return;
    watch->polled = events;
    if (events)
        uv_poll_start(&watch->poll,
                      ((events & WATCH_READ) ? UV_READABLE : 0) |
                          ((events & WATCH_WRITE) ? UV_WRITABLE : 0),
                      on_event);
    else
        uv_poll_stop(&watch->poll);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    uint32_t      came = status < 0 ? WATCH_READ | WATCH_WRITE : 0, unwanted = 0;

    if (status < 0)
        watch->polled = 0; // libuv has stopped it
    came |= (events & UV_READABLE) ? WATCH_READ : 0;
    came |= (events & UV_WRITABLE) ? WATCH_WRITE : 0;
    for (int i = 0; i < WATCHED; i++)
        if ((came & (1u << i)) && !watch->waiting[i])
            unwanted |= 1u << i;
    poll_for(watch, watch->polled & ~unwanted);
    // Who is woken goes on at once and may close the watch, which wakes the other.
    for (int i = 0; i < WATCHED && !watch->is_closing; i++)
        if ((came & (1u << i)) && watch->waiting[i])
            call_wake(watch->waiting[i]);
}

bp_status watch_wait(bp_call *call, struct watch *watch, uint32_t event, int64_t deadline_ns)
{
    bp_call **place = &watch->waiting[event == WATCH_WRITE];
    bp_status status;

    if (*place || watch->is_closing)
        return BP_INVALID;
    poll_for(watch, watch->polled | event);
    *place = call;
    watch->holds++;
    status = call_wait(call, deadline_ns,
                       event == WATCH_READ ? "a connection's bytes" : "room in a connection");
    *place = NULL;
    if (--watch->holds == 0 && watch->is_closed)
        free(watch);
    return status;
}
