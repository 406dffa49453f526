/* backplane/metrics.h - counters, gauges and histograms of a plugin's own.
 *
 * The gate already counts and times every operation of every plugin; use this for what only the
 * plugin knows. Names start with the plugin's own prefix, carry a base unit (_seconds, _bytes) and,
 * for a counter, _total. The instance name is added as a label. A family holds at most 2,000
 * series; later ones count under the label value "other".
 */
#ifndef BACKPLANE_METRICS_H
#define BACKPLANE_METRICS_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_metric bp_metric; /* one family; lives as long as the process */

typedef enum bp_metric_type { BP_COUNTER = 0, BP_GAUGE = 1, BP_HISTOGRAM = 2 } bp_metric_type;

typedef struct bp_metrics_service {
    uint32_t struct_size;
    bp_status (*define)(bp_call *call, uint32_t type, const char *name, const char *help,
                        const char *label_names, bp_metric **metric);
    void (*add)(bp_metric *metric, const bp_str *label_values, size_t label_count, double value);
    void (*set)(bp_metric *metric, const bp_str *label_values, size_t label_count, double value);
    void (*observe)(bp_metric *metric, const bp_str *label_values, size_t label_count,
                    double value);
} bp_metrics_service;

BP_SERVICE(metrics, bp_metrics_service, 1)

/* Called in worker_start; the same definition again, from another worker or instance, gives the
 * same family. `label_names` are separated by blanks, at most 6; "" for none. BP_INVALID when the
 * name is not a Prometheus metric name or has another definition. */
static inline bp_status bp_metric_define(bp_call *call, bp_metric_type type, const char *name,
                                         const char *help, const char *label_names,
                                         bp_metric **metric)
{
    return bp_service_metrics->define(call, (uint32_t)type, name, help, label_names, metric);
}

/* Any thread. Adding to a counter takes values >= 0. Histograms use the host's buckets, 5 ms to 120
 * s. */
static inline void bp_metric_add(bp_metric *m, const bp_str *label_values, size_t label_count,
                                 double value)
{
    bp_service_metrics->add(m, label_values, label_count, value);
}
static inline void bp_metric_set(bp_metric *m, const bp_str *label_values, size_t label_count,
                                 double value)
{
    bp_service_metrics->set(m, label_values, label_count, value);
}
static inline void bp_metric_observe(bp_metric *m, const bp_str *label_values, size_t label_count,
                                     double value)
{
    bp_service_metrics->observe(m, label_values, label_count, value);
}

#ifdef __cplusplus
}
#endif
#endif
