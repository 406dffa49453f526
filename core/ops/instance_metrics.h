/* instance_metrics.h - gauges about the instances of the conf: calls under way and waiting, caps,
 * sizes of indexes. */
#ifndef CORE_OPS_INSTANCE_METRICS_H
#define CORE_OPS_INSTANCE_METRICS_H

#include "conf/conf.h"
#include "plugin/generation.h"

struct instance_metrics;

struct instance_metrics *instance_metrics_new(struct generation *generation,
                                              const struct conf *conf);
void                     instance_metrics_free(struct instance_metrics *metrics);

/* On worker 0: asks the vector stores for their sizes, now and then. */
bp_status instance_metrics_start(bp_call *call, struct instance_metrics *metrics);
void      instance_metrics_stop(bp_call *call, struct instance_metrics *metrics) BP_SUSPENDS;

#endif
