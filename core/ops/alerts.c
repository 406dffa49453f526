/* alerts.c - a queue for each alert sink, emptied by a job. */
#include "ops/alerts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/job.h"

enum { TEXT_BYTES = 640, BATCH_MAX = 64, INTERVAL_MS = 1000, PAUSE_MOST_S = 60 };

struct queued {
    struct queued *next;
    char           name[48], fingerprint[96], component[64], summary[TEXT_BYTES];
    bp_severity    severity;
    int64_t        starts_wall_ns, ends_wall_ns;
};

struct sink {
    struct sink          *next;
    struct alert_queue   *queue;
    struct unit          *unit; /* of the generation that alerts_use() was told last */
    struct job           *job;
    struct queued        *first, *last; /* under the lock */
    size_t                count;
    int64_t               pause_ns, not_before_ns;
    struct metric_series *dropped, *delivered, *failed;
};

struct alert_queue {
    pthread_mutex_t lock;
    struct sink    *sinks; /* the list is changed under the lock */
};

static struct metric_series *counter(const char *name, const char *help, const struct unit *unit)
{
    return metrics_series(metrics_define(METRIC_COUNTER, name, help, "sink"), &unit->conf->name, 1);
}

struct alert_queue *alerts_new(void)
{
    struct alert_queue *queue = calloc(1, sizeof(*queue));

    if (queue)
        pthread_mutex_init(&queue->lock, NULL);
    return queue;
}

static struct queued *pop(struct sink *sink)
{
    struct queued *alert = sink->first;

    if (alert) {
        sink->first = alert->next;
        if (!sink->first)
            sink->last = NULL;
        sink->count--;
    }
    return alert;
}

static void sink_free(struct sink *sink)
{
    struct queued *alert;

    while ((alert = pop(sink)))
        free(alert);
    free(sink);
}

void alerts_free(struct alert_queue *queue)
{
    if (!queue)
        return;
    while (queue->sinks) {
        struct sink *sink = queue->sinks;

        queue->sinks = sink->next;
        sink_free(sink);
    }
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static void push(struct sink *sink, const struct queued *alert)
{
    struct queued *copy = malloc(sizeof(*copy));

    if (!copy) {
        metric_add(sink->dropped, 1);
        return;
    }
    *copy = *alert;
    copy->next = NULL;
    if (sink->count == ALERTS_QUEUE_MAX) {
        free(pop(sink));
        metric_add(sink->dropped, 1);
    }
    if (sink->last)
        sink->last->next = copy;
    else
        sink->first = copy;
    sink->last = copy;
    sink->count++;
}

void alerts_component_changed(struct alert_queue *queue, bp_str component, bp_health_level level,
                              bool is_critical, const char *detail, int64_t since_wall_ns)
{
    struct queued alert = { .severity = level == BP_HEALTH_DOWN && is_critical
                                            ? BP_SEVERITY_CRITICAL
                                            : BP_SEVERITY_WARNING,
                            .starts_wall_ns = since_wall_ns };

    // One alert a component: going from degraded to down is the same trouble, grown worse.
    snprintf(alert.name, sizeof(alert.name), "ComponentUnhealthy");
    snprintf(alert.component, sizeof(alert.component), BP_FMT, BP_ARG(component));
    snprintf(alert.fingerprint, sizeof(alert.fingerprint), "component/%s", alert.component);
    if (level == BP_HEALTH_OK) {
        alert.ends_wall_ns = since_wall_ns;
        snprintf(alert.summary, sizeof(alert.summary), "%s is healthy again", alert.component);
    } else {
        snprintf(alert.summary, sizeof(alert.summary), "%s is %s: %.520s", alert.component,
                 level == BP_HEALTH_DOWN ? "down" : "degraded", detail);
    }
    pthread_mutex_lock(&queue->lock);
    for (struct sink *sink = queue->sinks; sink; sink = sink->next)
        push(sink, &alert);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- delivering ---- */

static size_t fill(struct sink *sink, bp_call *call, bp_alert **alerts)
{
    size_t count = 0;

    *alerts = arena_alloc(call->arena, BATCH_MAX * sizeof(bp_alert));
    if (!*alerts)
        return 0;
    pthread_mutex_lock(&sink->queue->lock);
    for (struct queued *queued = sink->first; queued && count < BATCH_MAX;
         queued = queued->next, count++) {
        bp_label *label = arena_alloc(call->arena, sizeof(*label));

        if (!label)
            break;
        *label = (bp_label){ BP_STR("component"),
                             arena_dup(call->arena, bp_str_of(queued->component)) };
        (*alerts)[count] = (bp_alert){
            .struct_size = sizeof(bp_alert),
            .severity = queued->severity,
            .name = arena_dup(call->arena, bp_str_of(queued->name)),
            .fingerprint = arena_dup(call->arena, bp_str_of(queued->fingerprint)),
            .summary = arena_dup(call->arena, bp_str_of(queued->summary)),
            .labels = label,
            .label_count = 1,
            .starts_wall_ns = queued->starts_wall_ns,
            .ends_wall_ns = queued->ends_wall_ns
        };
        if (arena_is_short(call->arena)) // those before it are whole
            break;
    }
    pthread_mutex_unlock(&sink->queue->lock);
    return count;
}

static void settle(struct sink *sink, size_t count, bp_status status, bool may_retry)
{
    if (status != BP_OK && may_retry) {
        sink->pause_ns = sink->pause_ns ? sink->pause_ns * 2 : BP_SECONDS(1);
        if (sink->pause_ns > BP_SECONDS(PAUSE_MOST_S))
            sink->pause_ns = BP_SECONDS(PAUSE_MOST_S);
        sink->not_before_ns = clock_now_ns() + sink->pause_ns;
        metric_add(sink->failed, 1);
        return;
    }
    sink->pause_ns = 0;
    metric_add(status == BP_OK ? sink->delivered : sink->dropped, (double)count);
    pthread_mutex_lock(&sink->queue->lock);
    while (count--)
        free(pop(sink)); // the queue only grows at its end, unless it overflowed meanwhile
    pthread_mutex_unlock(&sink->queue->lock);
}

static void deliver(bp_call *call, void *arg)
{
    struct sink     *sink = arg;
    struct instance *instance = &sink->unit->instances[0];
    bp_alert        *alerts;
    size_t           count;
    bp_status        status;

    if (clock_now_ns() < sink->not_before_ns || !sink->unit->is_up)
        return;
    count = fill(sink, call, &alerts);
    if (count == 0)
        return;
    status = ((const bp_alert_ops *)instance->peer.ops)
                 ->deliver(call, instance, alerts, sizeof(bp_alert), count);
    if (status != BP_OK)
        log_message(call->worker->log, BP_LOG_WARN, "alert_failed",
                    "alert sink \"%s\" did not take %zu alerts: " BP_FMT,
                    sink->unit->conf->name.data, count, BP_ARG(call->error.message));
    settle(sink, count, status, bp_status_is_retryable(status) || status == BP_CANCELLED);
}

/* ---- sinks ---- */

static bool start(bp_call *call, struct sink *sink)
{
    sink->job = job_start(call->worker,
                          &(struct job_options){ .name = "alert delivery",
                                                 .interval_ns = BP_MILLISECONDS(INTERVAL_MS),
                                                 .first_ns = BP_MILLISECONDS(INTERVAL_MS),
                                                 .timeout_ns = BP_SECONDS(60),
                                                 .run = deliver,
                                                 .arg = sink });
    return sink->job != NULL;
}

/* Queued alerts stay; no delivery is under way any more. */
static void pause_sink(bp_call *call, struct sink *sink)
{
    if (sink->job)
        job_stop(call, sink->job);
    sink->job = NULL;
}

static struct unit *find_unit(const struct generation *generation, bp_str name)
{
    struct instance *instance = generation ? generation_find(generation, 0, BP_STR("alert"), name)
                                           : NULL;

    return instance ? instance->unit : NULL;
}

static struct sink *find_sink(const struct alert_queue *queue, bp_str name)
{
    for (struct sink *sink = queue->sinks; sink; sink = sink->next)
        if (bp_str_equal(sink->unit->conf->name, name))
            return sink;
    return NULL;
}

static struct sink *add_sink(struct alert_queue *queue, struct unit *unit)
{
    struct sink *sink = calloc(1, sizeof(*sink));

    if (!sink)
        return NULL;
    *sink = (struct sink){
        .queue = queue,
        .unit = unit,
        .dropped = counter("backplane_alerts_dropped_total",
                           "Alerts dropped because the queue was full.", unit),
        .delivered = counter("backplane_alerts_delivered_total", "Alerts that the sink took.",
                             unit),
        .failed = counter("backplane_alert_deliveries_failed_total",
                          "Deliveries that the sink refused.", unit),
    };
    pthread_mutex_lock(&queue->lock);
    sink->next = queue->sinks;
    queue->sinks = sink;
    pthread_mutex_unlock(&queue->lock);
    return sink;
}

/* One more try for queued alerts, without the pause after a failure. */
static void deliver_last(bp_call *call, struct sink *sink)
{
    sink->not_before_ns = 0;
    deliver(call, sink);
}

static void remove_others(bp_call *call, struct alert_queue *queue,
                          const struct generation *generation)
{
    for (struct sink **at = &queue->sinks; *at;) {
        struct sink *sink = *at;

        pause_sink(call, sink);
        if (find_unit(generation, sink->unit->conf->name)) {
            at = &sink->next;
            continue;
        }
        deliver_last(call, sink);
        pthread_mutex_lock(&queue->lock);
        *at = sink->next;
        pthread_mutex_unlock(&queue->lock);
        sink_free(sink);
    }
}

bp_status alerts_use(bp_call *call, struct alert_queue *queue, struct generation *generation)
{
    remove_others(call, queue, generation);
    for (size_t i = 0; i < generation->unit_count; i++) {
        struct unit *unit = generation->units[i];
        struct sink *sink;

        if (strcmp(unit->conf->kind, "alert") != 0)
            continue;
        sink = find_sink(queue, unit->conf->name);
        if (sink)
            sink->unit = unit;
        else
            sink = add_sink(queue, unit);
        if (!sink || !start(call, sink))
            return call_fail(call, BP_NO_MEMORY, "no memory for the alert sinks");
    }
    return BP_OK;
}

bp_status alerts_stop(bp_call *call, struct alert_queue *queue)
{
    for (struct sink *sink = queue->sinks; sink; sink = sink->next) {
        bool was_started = sink->job != NULL;

        pause_sink(call, sink);
        if (was_started)
            deliver_last(call, sink);
    }
    return BP_OK;
}
