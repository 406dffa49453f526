/* mutex.c - a fair lock between fibers: the lock is handed to the first who waits, never fought
 * for. */
#include "loop/mutex.h"

#include <stdlib.h>

#include "base/queue.h"

/* Waits while it is linked; then the lock is its, and the post on its way. All under the lock. */
struct waiter {
    struct queue_link  link;
    bp_call           *call;
    bool               is_told; /* on the worker: the post has arrived, it is the owner */
    struct worker_post post;
};

struct bp_mutex {
    pthread_mutex_t lock;
    bool            is_held;
    _Atomic int    *open; /* the owner's count of open ones */
    struct queue    waiters;
};

struct bp_mutex *mutex_create(void)
{
    struct bp_mutex *mutex = calloc(1, sizeof(*mutex));

    if (mutex)
        pthread_mutex_init(&mutex->lock, NULL);
    return mutex;
}

void mutex_destroy(struct bp_mutex *mutex)
{
    if (!mutex)
        return;
    pthread_mutex_destroy(&mutex->lock);
    if (mutex->open)
        --*mutex->open;
    free(mutex);
}

void mutex_set_owner(struct bp_mutex *mutex, _Atomic int *open)
{
    mutex->open = open;
    if (open)
        ++*open;
}

static void tell(void *arg)
{
    struct waiter *waiter = arg;

    waiter->is_told = true;
    call_wake(waiter->call);
}

/* True when it was still waiting, so that nobody will grant it the lock any more. */
static bool leave_queue(struct bp_mutex *mutex, struct waiter *waiter)
{
    bool was_waiting;

    pthread_mutex_lock(&mutex->lock);
    was_waiting = queue_is_linked(&waiter->link);
    if (was_waiting)
        queue_remove(&waiter->link);
    pthread_mutex_unlock(&mutex->lock);
    return was_waiting;
}

bp_status mutex_lock(bp_call *call, struct bp_mutex *mutex)
{
    struct waiter waiter = { .call = call, .post = { .fn = tell, .arg = &waiter } };
    bp_status     over = call_over(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "waiting for a lock");
    pthread_mutex_lock(&mutex->lock);
    if (!mutex->is_held) {
        mutex->is_held = true;
        pthread_mutex_unlock(&mutex->lock);
        return BP_OK;
    }
    queue_push_back(&mutex->waiters, &waiter.link);
    pthread_mutex_unlock(&mutex->lock);

    while (!waiter.is_told) {
        if (over == BP_OK)
            over = call_wait(call, BP_FOREVER, "a lock");
        if (over != BP_OK && !waiter.is_told) {
            if (leave_queue(mutex, &waiter))
                return call_fail_over(call, over, "waiting for a lock");
            call_wait_unconditionally(call, "a lock that was just granted");
        }
    }
    if (over == BP_OK)
        return BP_OK;
    mutex_unlock(mutex);
    return call_fail_over(call, over, "waiting for a lock");
}

void mutex_unlock(struct bp_mutex *mutex)
{
    struct waiter *next;

    pthread_mutex_lock(&mutex->lock);
    next = QUEUE_ITEM(queue_pop(&mutex->waiters), struct waiter, link);
    if (next)
        worker_post_owned(next->call->worker, &next->post);
    else
        mutex->is_held = false;
    pthread_mutex_unlock(&mutex->lock);
}
