/* signal.c - a wake that is remembered, for one call. */
#include "loop/signal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "loop/worker.h"

struct bp_waker {
    atomic_uint    refs; /* of the owner and of a wake that is on its way to the worker */
    atomic_bool    is_posted;
    struct worker *worker;
    bp_call       *call; /* the rest on the worker only; NULL: freed */
    bool           is_set, is_waiting;
};

struct bp_waker *signal_new(bp_call *call)
{
    struct bp_waker *signal = calloc(1, sizeof(*signal));

    if (!signal)
        return NULL;
    atomic_init(&signal->refs, 1);
    signal->worker = call->worker;
    signal->call = call;
    return signal;
}

static void release(struct bp_waker *signal)
{
    if (atomic_fetch_sub(&signal->refs, 1) == 1)
        free(signal);
}

void signal_free(struct bp_waker *signal)
{
    if (!signal)
        return;
    signal->call = NULL;
    release(signal);
}

static void set(struct bp_waker *signal)
{
    signal->is_set = true;
    if (signal->call && signal->is_waiting)
        call_wake(signal->call);
}

static void set_posted(void *arg)
{
    struct bp_waker *signal = arg;

    atomic_store(&signal->is_posted, false);
    set(signal);
    release(signal);
}

void signal_wake(struct bp_waker *signal)
{
    if (worker_current() == signal->worker) {
        set(signal);
        return;
    }
    if (atomic_exchange(&signal->is_posted, true))
        return;
    atomic_fetch_add(&signal->refs, 1);
    worker_post(signal->worker, set_posted, signal);
}

bp_status signal_wait(bp_call *call, struct bp_waker *signal, int64_t deadline_ns, const char *what)
{
    bp_status status = call_over(call);

    while (status == BP_OK && !signal->is_set) {
        signal->is_waiting = true;
        status = call_wait(call, deadline_ns, what);
        signal->is_waiting = false;
    }
    if (status == BP_CANCELLED || !signal->is_set)
        return call_fail_over(call, status, what);
    signal->is_set = false;
    return BP_OK;
}
