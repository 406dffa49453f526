/* watchdog.h - a thread that detects a blocked loop and names the plugin that blocks it.
 *
 * At `warn_ns` it logs the plugin and the operation that hold the loop, once for each incident; at
 * `stuck_ns` it marks the worker, so that liveness fails; at `abort_ns` it ends the process with
 * the stack of the thread that is stuck, since a thread cannot be killed safely. What counts is the
 * CPU that the loop's thread used, and the time that it slept in a system call: neither the time
 * that it waited for a CPU, nor that in which the process was stopped.
 */
#ifndef CORE_LOOP_WATCHDOG_H
#define CORE_LOOP_WATCHDOG_H

#include "loop/worker.h"

struct watchdog;

struct watchdog_options {
    int64_t warn_ns, stuck_ns, abort_ns; /* 0: never */
};

struct watchdog *watchdog_start(struct worker *workers, uint32_t count,
                                const struct watchdog_options *options, struct log *log);
void             watchdog_stop(struct watchdog *watchdog);
/* No worker is marked as stuck. Any thread. */
bool watchdog_is_alive(const struct worker *workers, uint32_t count);

#endif
