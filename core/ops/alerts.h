/* alerts.h - alerts on their way to the sinks: a bounded queue on the first worker, with retries
 * until delivery.
 *
 * A component that changes its level fires or resolves ComponentDown or ComponentDegraded. Each
 * sink has its own queue of 1,000; when it is full the oldest alert is dropped and counted. Nothing
 * else ever waits for a sink.
 */
#ifndef CORE_OPS_ALERTS_H
#define CORE_OPS_ALERTS_H

#include <backplane/alert.h>
#include <backplane/health.h>

#include "plugin/generation.h"

struct alert_queue;

enum { ALERTS_QUEUE_MAX = 1000 };

/* One a process; it outlives generations. NULL: no memory. */
struct alert_queue *alerts_new(void);
void                alerts_free(struct alert_queue *queue);
/* On worker 0: from now on queued alerts go to the sinks of this generation with instances that are
 * up. A sink of the same name keeps its queue; alerts queued for a sink that is gone are tried once
 * more. The units of the generation before must still be there. */
bp_status alerts_use(bp_call *call, struct alert_queue *queue,
                     struct generation *generation) BP_SUSPENDS;
bp_status alerts_stop(bp_call            *call,
                      struct alert_queue *queue) BP_SUSPENDS; /* tries queued alerts once more */

/* Any thread. */
void alerts_component_changed(struct alert_queue *queue, bp_str component, bp_health_level level,
                              bool is_critical, const char *detail, int64_t since_wall_ns);

#endif
