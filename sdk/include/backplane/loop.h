/* backplane/loop.h - waiting without blocking: sleep, file descriptors, pool threads, locks,
 * children.
 *
 * A worker is one thread with one event loop; all fibers of an instance run on its worker. Use
 * these functions for everything that would block the thread. A loop blocked for 100 ms is logged
 * with the name of the plugin and the operation.
 */
#ifndef BACKPLANE_LOOP_H
#define BACKPLANE_LOOP_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BP_FD_READ = 1, BP_FD_WRITE = 2 };

typedef struct bp_pool  bp_pool;  /* threads of a plugin's own; belongs to its shared object */
typedef struct bp_mutex bp_mutex; /* may be held across suspension, and by fibers of any worker */
typedef struct bp_child bp_child; /* a fiber started by bp_spawn() */
typedef struct bp_waker bp_waker; /* wakes the call that made it */

typedef struct bp_loop_service {
    uint32_t struct_size;
    bp_status (*sleep)(bp_call *call, int64_t duration_ns);
    bp_status (*wait_fd)(bp_call *call, int32_t fd, uint32_t events, int64_t deadline_ns,
                         uint32_t *ready);
    bp_status (*offload)(bp_call *call, bp_pool *pool, bp_status (*job)(bp_call *call, void *arg),
                         void *arg);
    bp_status (*pool_create)(bp_call *call, bp_str name, uint32_t threads, bp_pool **pool);
    void (*pool_destroy)(bp_pool *pool);
    bp_status (*mutex_create)(bp_call *call, bp_mutex **mutex);
    void (*mutex_destroy)(bp_mutex *mutex);
    bp_status (*mutex_lock)(bp_call *call, bp_mutex *mutex);
    void (*mutex_unlock)(bp_mutex *mutex);
    bp_status (*spawn)(bp_call *call, const char *name, bp_status (*run)(bp_call *child, void *arg),
                       void *arg, bp_child **child);
    bp_status (*join)(bp_call *call, bp_child *child);
    void (*cancel_child)(bp_child *child);
    bp_status (*every)(bp_call *call, const char *name, int64_t interval_ns,
                       bp_status (*run)(bp_call *call, void *arg), void *arg);
    bp_waker *(*waker_new)(bp_call *call);
    void (*waker_free)(bp_waker *waker);
    void (*wake)(bp_waker *waker);
    bp_status (*wait)(bp_call *call, bp_waker *waker, int64_t deadline_ns, const char *what);
    void *(*process_block)(bp_call *call, bp_str name, size_t size);
} bp_loop_service;

BP_SERVICE(loop, bp_loop_service, 1)

/* Sleeps, not longer than the call lasts. BP_OK, BP_CANCELLED, BP_DEADLINE. 0 lets other fibers
 * run. */
static inline bp_status bp_sleep(bp_call *call, int64_t duration_ns) BP_SUSPENDS
{
    return bp_service_loop->sleep(call, duration_ns);
}

/* Waits until a descriptor is readable or writable (events: BP_FD_READ | BP_FD_WRITE) or
 * `deadline_ns` (monotonic, see bp_within()) passes: then BP_DEADLINE. The descriptor stays the
 * plugin's and must be non-blocking; one fiber at a time may wait for it. `ready` may be NULL.
 * Errors of the descriptor report it as ready, so that the next read or write finds them. */
static inline bp_status bp_wait_fd(bp_call *call, int32_t fd, uint32_t events, int64_t deadline_ns,
                                   uint32_t *ready) BP_SUSPENDS
{
    return bp_service_loop->wait_fd(call, fd, events, deadline_ns, ready);
}

/* Runs job(call, arg) on a thread of `pool`, or of the host's common pool when it is NULL, and
 * returns what it returned. For CPU or disk work longer than a millisecond and for libraries that
 * block. The job may use its call (memory, errors, log, bp_cancelled) but must not suspend. The
 * call always waits for a job that has begun, so `arg` may live on the stack. A job still queued
 * when the call is cancelled never runs. BP_OK, what the job returns, BP_CANCELLED, BP_DEADLINE,
 * BP_LIMIT (queue of 4,096 is full). */
static inline bp_status bp_offload(bp_call *call, bp_pool *pool,
                                   bp_status (*job)(bp_call *call, void *arg),
                                   void *arg) BP_SUSPENDS
{
    return bp_service_loop->offload(call, pool, job, arg);
}

/* A pool of its own threads, 1 to 64, for a shared object. With one thread, jobs run one after
 * another. Created in shared_create, destroyed in shared_destroy (waits for the running jobs). */
static inline bp_status bp_pool_create(bp_call *call, bp_str name, uint32_t threads, bp_pool **pool)
{
    return bp_service_loop->pool_create(call, name, threads, pool);
}
static inline void bp_pool_destroy(bp_pool *pool)
{
    bp_service_loop->pool_destroy(pool);
}

/* A fair lock between fibers, of one worker or of several. Lock suspends, bounded by the call;
 * unlock never does and is done by the fiber that locked. Not recursive. */
static inline bp_status bp_mutex_create(bp_call *call, bp_mutex **mutex)
{
    return bp_service_loop->mutex_create(call, mutex);
}
static inline void bp_mutex_destroy(bp_mutex *mutex)
{
    bp_service_loop->mutex_destroy(mutex);
}
static inline bp_status bp_mutex_lock(bp_call *call, bp_mutex *mutex) BP_SUSPENDS
{
    return bp_service_loop->mutex_lock(call, mutex);
}
static inline void bp_mutex_unlock(bp_mutex *mutex)
{
    bp_service_loop->mutex_unlock(mutex);
}

/* Starts run(child, arg) as a fiber beside this one, on the same worker. `child` is a call with an
 * error slot and a cancellation of its own, the parent's deadline, arena and principal; it is
 * cancelled with its parent. Every child is joined: bp_join() waits for its end and returns its
 * status, copying its error to the parent's slot. If a parent returns without joining, the host
 * cancels its children and waits for them. */
static inline bp_status bp_spawn(bp_call *call, const char                         *name,
                                 bp_status (*run)(bp_call *child, void *arg), void *arg,
                                 bp_child **child)
{
    return bp_service_loop->spawn(call, name, run, arg, child);
}
static inline bp_status bp_join(bp_call *call, bp_child *child) BP_SUSPENDS
{
    return bp_service_loop->join(call, child);
}
static inline void bp_cancel_child(bp_child *child)
{
    bp_service_loop->cancel_child(child);
}

/* Waits for another call of this worker, or for another thread: the basis of queues, pools and
 * pipelines.
 *
 *      struct place place = { .waker = bp_waker_new(call) };
 *      enqueue(pool, &place);
 *      while (!place.is_mine && status == BP_OK)
 *          status = bp_wait(call, place.waker, deadline_ns, "a connection");
 *      dequeue(pool, &place);                  // in any case, before the waker goes
 *      bp_waker_free(place.waker);
 *
 * bp_wait() returns BP_OK after bp_wake(), also after an earlier one. Several wakes may arrive as
 * one, and there may be a spurious one: check the condition again. Otherwise BP_DEADLINE
 * (`deadline_ns`, monotonic, BP_FOREVER: the call's own) or BP_CANCELLED. `what` is for the log: "a
 * connection". Any thread may call bp_wake(); the caller makes sure that the waker still exists.
 * bp_waker_new() returns NULL when the call's memory is used up. The call that made the waker frees
 * it before it ends. */
static inline bp_waker *bp_waker_new(bp_call *call)
{
    return bp_service_loop->waker_new(call);
}
static inline void bp_waker_free(bp_waker *waker)
{
    bp_service_loop->waker_free(waker);
}
static inline void bp_wake(bp_waker *waker)
{
    bp_service_loop->wake(waker);
}
static inline bp_status bp_wait(bp_call *call, bp_waker *waker, int64_t deadline_ns,
                                const char *what) BP_SUSPENDS
{
    return bp_service_loop->wait(call, waker, deadline_ns, what);
}

/* Called in worker_start: runs run(call, arg) again and again on a fiber of this worker, the first
 * time at once, then `interval_ns` after the last one ended, until the instance stops. Each run is
 * a call of its own with a deadline of 10 minutes; a failure is logged and does not end the series.
 * A job that must run once per process takes a lock, or runs on worker 0 only (bp_worker_index in
 * plugin.h). */
static inline bp_status bp_every(bp_call *call, const char *name, int64_t interval_ns,
                                 bp_status (*run)(bp_call *call, void *arg), void *arg)
{
    return bp_service_loop->every(call, name, interval_ns, run, arg);
}

/* Memory of the process by name and size, zeroed at first use and never freed: for state that
 * several plugin files, instances and workers share, such as the waiters for a connection to one
 * server. All of them use it concurrently, so it holds atomics, and its name says what they mean
 * ("postgres-1 db:5432"). NULL: no memory, or a name that is empty or longer than 400 bytes. Never
 * suspends; any thread. */
static inline void *bp_process_block(bp_call *call, bp_str name, size_t size)
{
    return bp_service_loop->process_block(call, name, size);
}

#ifdef __cplusplus
}
#endif
#endif
