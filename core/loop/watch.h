/* watch.h - repeated waits for one descriptor by calls of one worker: one reader and one writer at
 * a time.
 *
 * call_wait_fd() makes a handle for each wait, which is right for a descriptor that a library made
 * and may close behind our back. A connection of our own keeps this instead: waiting again costs no
 * system call.
 */
#ifndef CORE_LOOP_WATCH_H
#define CORE_LOOP_WATCH_H

#include "loop/call.h"

struct watch;

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* On the worker of the calls that will wait; NULL: no memory. The descriptor must be non-blocking
 * and stays the caller's. */
struct watch *watch_new(struct worker *worker, int fd);
/* On its worker, before the descriptor is closed. NULL is allowed. Who waits is woken: the next use
 * finds it closed. */
void watch_free(struct watch *watch);

/* Until `event` (one of the two) or `deadline_ns`. At most one call waits for each. BP_OK also when
 * it is only possible that the event came: try again. Otherwise BP_DEADLINE, BP_CANCELLED without a
 * sentence; BP_INVALID: another call waits. */
bp_status watch_wait(bp_call *call, struct watch *watch, uint32_t event,
                     int64_t deadline_ns) BP_SUSPENDS;

#endif
