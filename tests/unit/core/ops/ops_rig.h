/* ops_rig.h - a generation of made-up instances on one worker that the test itself runs. */
#ifndef OPS_RIG_H
#define OPS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/call.h"
#include "plugin/gate.h"
#include "plugin/generation.h"
#include "plugin/services.h"
#include "../../../lib/on_worker.h"

enum { UNITS_MAX = 4 };

static struct worker               worker;
static struct conf                 conf;
static struct conf_instance        confs[UNITS_MAX];
static struct plugin               plugins[UNITS_MAX];
static struct instance             instances[UNITS_MAX];
static struct unit                 units[UNITS_MAX], *unit_list[UNITS_MAX];
static const struct conf_instance *conf_list[UNITS_MAX];
static struct generation           generation;

static void ops_rig_start(void)
{
    registry_fill_host(plugin_services, plugin_service_count);
    assert_int_equal(worker_init(&worker, 0, 1, NULL), 0);
    generation = (struct generation){
        .conf = &conf, .workers = &worker, .worker_count = 1, .units = unit_list, .confs = conf_list
    };
}

/* One more instance, which is up. */
static struct unit *ops_rig_add(const char *kind, const char *name, const void *ops)
{
    size_t at = generation.unit_count++;

    plugins[at] = (struct plugin){ .descriptor = { .kind = kind, .name = "fake", .ops = ops } };
    snprintf(plugins[at].label, sizeof(plugins[at].label), "%s/fake", kind);
    confs[at] = (struct conf_instance){ .kind = kind,
                                        .name = bp_str_of(name),
                                        .use = BP_STR("fake"),
                                        .gate = { .deadline_ns = BP_SECONDS(30),
                                                  .every_ns = BP_MILLISECONDS(1) } };
    memset(&instances[at], 0, sizeof(instances[at]));
    units[at] = (struct unit){ .conf = &confs[at],
                               .plugin = &plugins[at],
                               .workers = &worker,
                               .worker_count = 1,
                               .instances = &instances[at],
                               .is_up = true };
    pthread_mutex_init(&units[at].report.lock, NULL);
    unit_list[at] = &units[at];
    conf_list[at] = &confs[at];
    assert_true(instance_make(&units[at], &worker, &instances[at]));
    return &units[at];
}

static void ops_rig_stop(void)
{
    for (size_t i = 0; i < generation.unit_count; i++)
        instance_free(&instances[i]);
    worker_free(&worker);
    metrics_clear();
}

static void on_call(void (*run)(bp_call *call))
{
    run_on_worker(&worker, run, BP_FOREVER);
}

__attribute__((unused)) static double metric_of(enum metric_type type, const char *name,
                                                const char *label, const char *value)
{
    return metric_value(metrics_series(metrics_define(type, name, "", label),
                                       &(bp_str){ value, strlen(value) }, 1));
}

#endif
