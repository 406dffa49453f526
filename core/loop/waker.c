/* waker.c - a reference to a call that outlives it. */
#include "loop/waker.h"

#include <stdatomic.h>
#include <stdlib.h>

struct waker {
    atomic_uint    refs;
    atomic_bool    is_posted;
    struct worker *worker;
    bp_call       *call; /* on the worker only; NULL: it has ended */
};

struct waker *waker_new(bp_call *call)
{
    struct waker *waker = calloc(1, sizeof(*waker));

    if (!waker)
        return NULL;
    atomic_init(&waker->refs, 1);
    waker->worker = call->worker;
    waker->call = call;
    return waker;
}

void waker_hold(struct waker *waker)
{
    atomic_fetch_add(&waker->refs, 1);
}

void waker_release(struct waker *waker)
{
    if (atomic_fetch_sub(&waker->refs, 1) == 1)
        free(waker);
}

void waker_end(struct waker *waker)
{
    if (!waker)
        return;
    waker->call = NULL;
    waker_release(waker);
}

static void wake(void *arg)
{
    struct waker *waker = arg;

    atomic_store(&waker->is_posted, false);
    if (waker->call)
        call_wake(waker->call);
    waker_release(waker);
}

void waker_wake(struct waker *waker)
{
    if (atomic_exchange(&waker->is_posted, true))
        return;
    waker_hold(waker);
    worker_post(waker->worker, wake, waker);
}
