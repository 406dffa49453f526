/* pool.c - threads that run jobs for calls.
 *
 * A job passes three hands: the fiber queues it and parks; a thread runs it; a post wakes the
 * fiber. A call that is over takes its job out of the queue if it has not begun; one that has begun
 * is waited for, as it may use the fiber's stack and the call's arena.
 */
#include "loop/pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/queue.h"
#include "loop/crash.h"

struct offload {
    struct queue_link link; /* under the pool's lock: in its queue, so the job has not begun */
    struct bp_pool   *pool;
    bp_call          *call;
    bp_status (*job)(bp_call *call, void *arg);
    void              *arg;
    bp_status          status;
    bool               is_done; /* on the worker only */
    struct worker_post done_post;

    /* A request of the job to run something on the fiber. */
    bp_status (*asked)(bp_call *call, void *arg); /* on the worker only */
    void              *asked_arg;
    bp_status          asked_status;
    struct worker_post ask_post;
    bool               is_answered; /* under the pool's lock */
    pthread_cond_t     answered;
};

struct bp_pool {
    pthread_mutex_t lock;
    pthread_cond_t  filled;
    struct queue    queued;
    bool            is_closing;
    uint32_t        thread_count;
    uint32_t        made, idle,
        busy;          /* under the lock: its threads, those without a job, those with one */
    _Atomic int *open; /* the owner's count of open ones */
    char         name[16];
    pthread_t    threads[];
};

static _Thread_local struct offload *running_job;

bool pool_is_job_thread(void)
{
    return running_job != NULL;
}

static void wake_done(void *arg)
{
    struct offload *offload = arg;

    offload->is_done = true;
    call_wake(offload->call);
}

/* Under the lock. */
static void check_threads(const struct bp_pool *pool)
{
    CHECK_ALWAYS(pool->idle + pool->busy == pool->made);
    CHECK(pool->made <= POOL_THREADS_MAX && pool->queued.count <= POOL_QUEUE_MAX);
}

static void count_thread(struct bp_pool *pool, int change)
{
    pthread_mutex_lock(&pool->lock);
    pool->made += change;
    pool->idle += change;
    check_threads(pool);
    pthread_mutex_unlock(&pool->lock);
}

static void *run_thread(void *arg)
{
    struct bp_pool *pool = arg;

    crash_thread_start();
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct offload *offload;

        while (!pool->queued.first && !pool->is_closing)
            pthread_cond_wait(&pool->filled, &pool->lock);
        offload = QUEUE_ITEM(queue_pop(&pool->queued), struct offload, link);
        if (!offload)
            break;
        pool->idle--;
        pool->busy++;
        check_threads(pool);
        pthread_mutex_unlock(&pool->lock);

        running_job = offload;
        crash_running_call(offload->call);
        offload->status = offload->job(offload->call, offload->arg);
        crash_running_call(NULL);
        running_job = NULL;
        // The offload is gone as soon as the worker has run the post.
        worker_post_owned(offload->call->worker, &offload->done_post);
        pthread_mutex_lock(&pool->lock);
        pool->busy--;
        pool->idle++;
        check_threads(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    crash_thread_stop();
    return NULL;
}

struct bp_pool *pool_create(const char *name, uint32_t threads)
{
    struct bp_pool *pool;

    if (threads < 1 || threads > POOL_THREADS_MAX)
        return NULL;
    pool = calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->filled, NULL);
    snprintf(pool->name, sizeof(pool->name), "%s", name);
    while (pool->thread_count < threads) {
        count_thread(pool, 1); // before it begins
        if (pthread_create(&pool->threads[pool->thread_count], NULL, run_thread, pool) != 0) {
            count_thread(pool, -1);
            pool_destroy(pool);
            return NULL;
        }
        pthread_setname_np(pool->threads[pool->thread_count], pool->name);
        pool->thread_count++;
    }
    return pool;
}

void pool_destroy(struct bp_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->filled);
    if (pool->open)
        --*pool->open;
    free(pool);
}

void pool_set_owner(struct bp_pool *pool, _Atomic int *open)
{
    pool->open = open;
    if (open)
        ++*open;
}

static bool enqueue(struct bp_pool *pool, struct offload *offload)
{
    bool has_room;

    pthread_mutex_lock(&pool->lock);
    has_room = pool->queued.count < POOL_QUEUE_MAX && !pool->is_closing;
    if (has_room) {
        queue_push_back(&pool->queued, &offload->link);
        pthread_cond_signal(&pool->filled);
    }
    pthread_mutex_unlock(&pool->lock);
    return has_room;
}

/* True when the job had not begun and never will. */
static bool withdraw(struct bp_pool *pool, struct offload *offload)
{
    bool is_withdrawn;

    pthread_mutex_lock(&pool->lock);
    is_withdrawn = queue_is_linked(&offload->link);
    if (is_withdrawn)
        queue_remove(&offload->link);
    pthread_mutex_unlock(&pool->lock);
    return is_withdrawn;
}

static void answer(struct bp_pool *pool, struct offload *offload, bp_call *call)
{
    bp_status (*asked)(bp_call *, void *) = offload->asked;

    offload->asked = NULL;
    offload->asked_status = asked(call, offload->asked_arg);
    pthread_mutex_lock(&pool->lock);
    offload->is_answered = true;
    pthread_cond_signal(&offload->answered);
    pthread_mutex_unlock(&pool->lock);
}

bp_status pool_offload(bp_call *call, struct bp_pool                    *pool,
                       bp_status (*job)(bp_call *call, void *arg), void *arg)
{
    struct offload offload = { .pool = pool, .call = call, .job = job, .arg = arg };
    bp_status      over = call_over(call);

    if (running_job)
        return job(call, arg); // already where it may block
    if (over != BP_OK)
        return call_fail_over(call, over, "a job for the thread pool");
    offload.done_post = (struct worker_post){ .fn = wake_done, .arg = &offload };
    pthread_cond_init(&offload.answered, NULL);
    if (!enqueue(pool, &offload)) {
        pthread_cond_destroy(&offload.answered);
        return call_fail(call, BP_LIMIT, "the queue of thread pool \"%s\" is full with %d jobs",
                         pool->name, POOL_QUEUE_MAX);
    }
    while (!offload.is_done) {
        over = call_over(call);
        if (over == BP_OK)
            over = call_wait(call, BP_FOREVER, "a pool thread");
        if (offload.asked) {
            answer(pool, &offload, call);
            continue;
        }
        if (over == BP_OK || offload.is_done)
            continue;
        if (withdraw(pool, &offload)) {
            pthread_cond_destroy(&offload.answered);
            return call_fail_over(call, over, "waiting for a pool thread");
        }
        call_wait_unconditionally(call, "a job that has begun"); // it asks, or is done
        if (offload.asked)
            answer(pool, &offload, call);
    }
    pthread_cond_destroy(&offload.answered);
    return offload.status;
}

struct asking {
    struct offload *offload;
    bp_status (*fn)(bp_call *call, void *arg);
    void *arg;
};

static void deliver_asking(void *arg)
{
    struct asking  *asking = arg;
    struct offload *offload = asking->offload;

    offload->asked_arg = asking->arg;
    offload->asked = asking->fn;
    call_wake(offload->call);
}

bp_status pool_run_on_fiber(bp_call *call, bp_status (*fn)(bp_call *call, void *arg), void *arg)
{
    struct offload *offload = running_job;
    struct asking   asking = { .offload = offload, .fn = fn, .arg = arg };

    offload->is_answered = false;
    offload->ask_post = (struct worker_post){ .fn = deliver_asking, .arg = &asking };
    worker_post_owned(call->worker, &offload->ask_post);
    pthread_mutex_lock(&offload->pool->lock);
    while (!offload->is_answered)
        pthread_cond_wait(&offload->answered, &offload->pool->lock);
    pthread_mutex_unlock(&offload->pool->lock);
    return offload->asked_status;
}
