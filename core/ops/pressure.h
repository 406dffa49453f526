/* pressure.h - how much of the memory budget is in use, so that load is shed before the kernel ends
 * the process.
 *
 * Allocated memory counts, and not resident memory: an allocator keeps pages that were
 * used once, and load that is over must not shed the load that comes. What it keeps is given back
 * to the system by a job, now and then.
 */
#ifndef CORE_OPS_PRESSURE_H
#define CORE_OPS_PRESSURE_H

#include "conf/server_conf.h"
#include "loop/job.h"
#include "loop/pool.h"

enum pressure {
    PRESSURE_NONE,
    PRESSURE_SHED,   /* apps and MCP answer 503, and readiness fails; the host's own routes go on */
    PRESSURE_REFUSE, /* everything but the probes answers 503, and the connection is closed */
};

/* Looks at the memory at most every 100 ms. Any thread. */
enum pressure pressure_now(const struct server_limits *limits);

/* What the process has allocated; what it has resident where the allocator does not say. */
int64_t memory_live_bytes(void);

/* On the first worker: gives memory back that the allocator keeps, by a thread of the pool. NULL:
 * no memory. */
struct job *memory_return_start(struct worker *worker, struct bp_pool *pool);

#endif
