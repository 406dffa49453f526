/* metrics.c - faked: the registry of metrics, one for each fake host instead of one for the
 * process. Every series is a name with a number that a test can ask for. */
#include "host.h"

#include <stdlib.h>

struct series {
    char  *labels; /* "a=b,c=d" */
    double value;
};

struct bp_metric {
    testhost   *host;
    uint32_t    type;
    char       *name, *label_names;
    struct list series;
};

static void free_series(void *item)
{
    struct series *series = item;
    free(series->labels);
    free(series);
}

static void free_metric(void *item)
{
    struct bp_metric *metric = item;
    list_free(&metric->series, free_series);
    free(metric->name);
    free(metric->label_names);
    free(metric);
}

void metrics_free(testhost *host)
{
    list_free(&host->metrics, free_metric);
}

static bp_status metrics_define(bp_call *call, uint32_t type, const char *name, const char *help,
                                const char *label_names, bp_metric **out)
{
    testhost         *host = call->host;
    struct bp_metric *metric = NULL;
    bool              is_same = true;

    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) || !name[0] ||
        !help[0])
        return bp_fail(call, BP_INVALID,
                       "\"%s\" is not a name for a metric, or it has no help text", name);
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->metrics.count && !metric; i++)
        if (strcmp(((struct bp_metric *)host->metrics.items[i])->name, name) == 0)
            metric = host->metrics.items[i];
    if (metric) {
        is_same = metric->type == type && strcmp(metric->label_names, label_names) == 0;
    } else {
        metric = calloc(1, sizeof(*metric));
        if (!metric)
            abort();
        *metric = (struct bp_metric){ .host = host,
                                      .type = type,
                                      .name = copy_text(bp_str_of(name)),
                                      .label_names = copy_text(bp_str_of(label_names)) };
        list_add(&host->metrics, metric);
    }
    pthread_mutex_unlock(&host->lock);
    *out = metric;
    return is_same ? BP_OK
                   : bp_fail(call, BP_INVALID, "the metric %s is already defined otherwise", name);
}

static void change(bp_metric *metric, const bp_str *values, size_t count, double value,
                   bool is_added)
{
    char           labels[1024] = "";
    size_t         len = 0;
    const char    *name = metric->label_names;
    struct series *series = NULL;

    for (size_t i = 0; i < count && len < sizeof(labels) - 1; i++) {
        size_t name_len = strcspn(name, " ");
        int    added = snprintf(labels + len, sizeof(labels) - len, "%s%.*s=" BP_FMT, i ? "," : "",
                                (int)name_len, name, BP_ARG(values[i]));
        len += (size_t)added < sizeof(labels) - len ? (size_t)added : sizeof(labels) - len - 1;
        name += name_len + (name[name_len] == ' ');
    }
    pthread_mutex_lock(&metric->host->lock);
    for (size_t i = 0; i < metric->series.count && !series; i++)
        if (strcmp(((struct series *)metric->series.items[i])->labels, labels) == 0)
            series = metric->series.items[i];
    if (!series) {
        series = calloc(1, sizeof(*series));
        if (!series)
            abort();
        series->labels = copy_text(bp_str_of(labels));
        list_add(&metric->series, series);
    }
    series->value = is_added ? series->value + value : value;
    pthread_mutex_unlock(&metric->host->lock);
}

static void metrics_add(bp_metric *metric, const bp_str *values, size_t count, double value)
{
    change(metric, values, count, value, true);
}
static void metrics_set(bp_metric *metric, const bp_str *values, size_t count, double value)
{
    change(metric, values, count, value, false);
}
static void metrics_observe(bp_metric *metric, const bp_str *values, size_t count, double value)
{
    (void)value;
    change(metric, values, count, 1, true);
}

double testhost_metric(testhost *host, const char *name, const char *labels)
{
    double value = -1;

    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->metrics.count; i++) {
        const struct bp_metric *metric = host->metrics.items[i];
        for (size_t k = 0; k < metric->series.count && strcmp(metric->name, name) == 0; k++) {
            const struct series *series = metric->series.items[k];
            if (strcmp(series->labels, labels) == 0)
                value = series->value;
        }
    }
    pthread_mutex_unlock(&host->lock);
    return value;
}

const bp_metrics_service metrics_service = {
    .struct_size = sizeof(bp_metrics_service),
    .define = metrics_define,
    .add = metrics_add,
    .set = metrics_set,
    .observe = metrics_observe,
};
