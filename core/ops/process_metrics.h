/* process_metrics.h - gauges about the process itself: memory, descriptors, CPU, loops, fibers,
 * log, build. */
#ifndef CORE_OPS_PROCESS_METRICS_H
#define CORE_OPS_PROCESS_METRICS_H

#include "loop/worker.h"

struct process_metrics;

struct process_metrics *process_metrics_start(struct worker *workers, uint32_t count,
                                              struct log *log);
void                    process_metrics_stop(struct process_metrics *metrics);

#endif
