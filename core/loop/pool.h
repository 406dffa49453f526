/* pool.h - threads that run jobs for calls, while their fibers are parked. */
#ifndef CORE_LOOP_POOL_H
#define CORE_LOOP_POOL_H

#include "loop/call.h"

struct bp_pool;

enum { POOL_QUEUE_MAX = 4096, POOL_THREADS_MAX = 64 };

struct bp_pool *pool_create(const char *name, uint32_t threads); /* NULL: no thread could be made */
void pool_destroy(struct bp_pool *pool); /* waits for jobs that run and jobs that are queued */
/* Counts the pool in *open until it is destroyed; `open` may be NULL. */
void pool_set_owner(struct bp_pool *pool, _Atomic int *open);

/* Runs job(call, arg) on a thread of the pool; see bp_offload(). */
bp_status pool_offload(bp_call *call, struct bp_pool                    *pool,
                       bp_status (*job)(bp_call *call, void *arg), void *arg) BP_SUSPENDS;

/* True on a pool thread, where the call's fiber is parked. */
bool pool_is_job_thread(void);
/* From a job: runs fn(call, arg) on the call's own fiber, where it may suspend, and waits for it
 * here. This is what lets a plugin that only knows how to block use the services that suspend. */
bp_status pool_run_on_fiber(bp_call *call, bp_status (*fn)(bp_call *call, void *arg), void *arg);

#endif
