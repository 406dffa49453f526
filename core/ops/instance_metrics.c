/* instance_metrics.c - metrics of the gates and vector stores, updated at each scrape or by a job.
 */
#include "ops/instance_metrics.h"

#include <stdlib.h>

#include <backplane/vector.h>

#include "base/crypto.h"
#include "conf/conf_print.h"
#include "loop/job.h"
#include "plugin/gate.h"

enum { SIZES_EVERY_S = 30, SIZES_FIRST_S = 1, SIZES_TIMEOUT_S = 20, CONF_HASH_BYTES = 8 };

struct measured {
    struct unit          *unit;
    struct metric_series *running, *waiting;
    struct metric_series *points, *collections, *memory, *disk; /* of vector stores; else NULL */
};

struct instance_metrics {
    struct generation *generation;
    struct job        *job;
    struct measured   *all;
    size_t             count;
};

static struct metric_series *gauge(const struct unit *unit, const char *name, const char *help)
{
    return metrics_series(metrics_define(METRIC_GAUGE, name, help, "instance plugin"),
                          (bp_str[]){ unit->conf->name, bp_str_of(unit->plugin->label) }, 2);
}

static void collect(void *arg)
{
    struct instance_metrics *metrics = arg;

    for (size_t i = 0; i < metrics->count; i++) {
        const struct unit *unit = metrics->all[i].unit;
        uint32_t           running = 0, waiting = 0;

        for (uint32_t w = 0; unit->instances && w < metrics->generation->worker_count; w++) {
            if (!unit->instances[w].gate)
                continue;
            running += gate_running(unit->instances[w].gate);
            waiting += gate_waiting(unit->instances[w].gate);
        }
        metric_set(metrics->all[i].running, running);
        metric_set(metrics->all[i].waiting, waiting);
    }
}

/* Of the conf as it takes effect, secrets left out: two processes with the same one have the same.
 */
static void tell_conf(const struct conf *conf)
{
    struct arena  arena;
    struct bp_buf buf;
    uint8_t       digest[32];
    char          hash[2 * CONF_HASH_BYTES + 1];

    arena_init(&arena, 2 * (size_t)CONF_PRINT_MAX_BYTES);
    buf_init(&buf, &arena, CONF_PRINT_MAX_BYTES);
    conf_print_effective(conf, &buf);
    crypto_sha256(buf_str(&buf), digest);
    crypto_hex(digest, CONF_HASH_BYTES, hash);
    metric_set(metrics_series(metrics_define(METRIC_GAUGE, "backplane_conf_info",
                                             "Always 1; the label is a hash of the effective conf "
                                             "without its secrets.",
                                             "hash"),
                              (bp_str[]){ bp_str_of(hash) }, 1),
               1);
    arena_free(&arena);
}

struct instance_metrics *instance_metrics_new(struct generation *generation,
                                              const struct conf *conf)
{
    struct instance_metrics *metrics = calloc(1, sizeof(*metrics));

    if (!metrics)
        return NULL;
    metrics->generation = generation;
    metrics->all = calloc(generation->unit_count + 1, sizeof(*metrics->all));
    for (size_t i = 0; metrics->all && i < generation->unit_count; i++) {
        struct unit            *unit = generation->units[i];
        const struct gate_conf *gate = &unit->conf->gate;
        struct measured        *made = &metrics->all[metrics->count++];

        *made = (struct measured){
            .unit = unit,
            .running = gauge(unit, "backplane_plugin_calls_in_flight",
                             "Calls that run in the instance now."),
            .waiting = gauge(unit, "backplane_plugin_queue_depth",
                             "Calls that wait for a place in the instance now."),
        };
        metric_set(gauge(unit, "backplane_plugin_queue_capacity",
                         "Calls that may wait, on all workers: the option queue."),
                   (double)gate->queue);
        metric_set(gauge(unit, "backplane_plugin_calls_max",
                         "Calls that may run, on all workers: max_concurrent; 0: no cap."),
                   (double)gate->max_concurrent);
        if (strcmp(unit->conf->kind, "vector") != 0)
            continue;
        made->points = gauge(unit, "backplane_vector_points",
                             "Points in all collections of the vector store.");
        made->collections = gauge(unit, "backplane_vector_collections",
                                  "Collections of the vector store.");
        made->memory = gauge(unit, "backplane_vector_memory_bytes",
                             "Memory of this process that holds the store's vectors.");
        made->disk = gauge(unit, "backplane_vector_disk_bytes",
                           "Disk space of the vectors, if the store reports it.");
    }
    tell_conf(conf);
    metrics_on_collect(collect, metrics);
    return metrics;
}

void instance_metrics_free(struct instance_metrics *metrics)
{
    if (!metrics)
        return;
    metrics_remove_collect(collect, metrics);
    free(metrics->all);
    free(metrics);
}

/* ---- sizes ---- */

static void measure(bp_call *call, struct measured *measured)
{
    struct instance      *instance = &measured->unit->instances[0];
    const bp_vector_info *infos = NULL;
    size_t                count = 0;
    double                points = 0, memory = 0, disk = 0;

    if (((const bp_vector_ops *)instance->peer.ops)->list(call, instance, &infos, &count) != BP_OK)
        return; // the figures of the last time stay; its gate has counted the failure
    for (size_t i = 0; i < count; i++) {
        points += (double)infos[i].count;
        memory += (double)infos[i].memory_bytes;
        disk += (double)infos[i].disk_bytes;
    }
    metric_set(measured->points, points);
    metric_set(measured->collections, (double)count);
    metric_set(measured->memory, memory);
    metric_set(measured->disk, disk);
}

static void measure_all(bp_call *call, void *arg)
{
    struct instance_metrics *metrics = arg;

    for (size_t i = 0; i < metrics->count && call_over(call) == BP_OK; i++)
        if (metrics->all[i].points && metrics->all[i].unit->is_up)
            measure(call, &metrics->all[i]);
}

bp_status instance_metrics_start(bp_call *call, struct instance_metrics *metrics)
{
    metrics->job = job_start(call->worker,
                             &(struct job_options){ .name = "sizes of indexes",
                                                    .interval_ns = BP_SECONDS(SIZES_EVERY_S),
                                                    .first_ns = BP_SECONDS(SIZES_FIRST_S),
                                                    .timeout_ns = BP_SECONDS(SIZES_TIMEOUT_S),
                                                    .run = measure_all,
                                                    .arg = metrics });
    return metrics->job ? BP_OK
                        : call_fail(call, BP_NO_MEMORY, "no memory for the sizes of indexes");
}

void instance_metrics_stop(bp_call *call, struct instance_metrics *metrics)
{
    if (metrics->job)
        job_stop(call, metrics->job);
    metrics->job = NULL;
}
