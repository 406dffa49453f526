/* metrics.h - the registry of counters, gauges and histograms, and its Prometheus text form.
 *
 * One registry a process: the one piece of global state that every layer may touch. A family has a
 * name, a help text and label names; a series is one combination of label values. Series are found
 * once and then counted without a lock. A family holds at most 2,000 series; later combinations
 * share one with the values "other". Any thread.
 */
#ifndef CORE_BASE_METRICS_H
#define CORE_BASE_METRICS_H

#include <backplane/base.h>

#include "base/buf.h"

enum metric_type { METRIC_COUNTER = 0, METRIC_GAUGE = 1, METRIC_HISTOGRAM = 2 };
enum { METRIC_LABELS_MAX = 7, METRIC_SERIES_MAX = 2000 };

struct metric_family;
struct metric_series;

/* The same definition again gives the same family; another one with the same name gives NULL, as
 * does a name that Prometheus would refuse. `label_names` are separated by blanks. */
struct metric_family *metrics_define(enum metric_type type, const char *name, const char *help,
                                     const char *label_names);
/* Never NULL for a family that is not NULL; `count` must be the family's number of labels. */
struct metric_series *metrics_series(struct metric_family *family, const bp_str *label_values,
                                     size_t count);

void   metric_add(struct metric_series *series, double value);
void   metric_set(struct metric_series *series, double value);
void   metric_observe(struct metric_series *series, double value); /* histograms; seconds */
double metric_value(const struct metric_series *series);           /* counters and gauges */

/* A piece of memory for a module that hands out a family under a key; the same one for each key,
 * freed with the registry. fill() is called once, when it is made: its `key` lives as long. */
void *metrics_handle(struct metric_family *family, size_t size_bytes, bp_str key,
                     void (*fill)(void *space, struct metric_family *family, bp_str key));

/* A short way for a family without labels, or with one. */
struct metric_series *metrics_single(enum metric_type type, const char *name, const char *help);

/* Called before each rendering, to bring gauges up to date. */
void metrics_on_collect(void (*collect)(void *arg), void *arg);
void metrics_remove_collect(void (*collect)(void *arg), void *arg);
void metrics_render(struct bp_buf *out);
/* Forgets everything; for tests, and for the end of the process so that leak checkers see nothing.
 */
void metrics_clear(void);

#endif
