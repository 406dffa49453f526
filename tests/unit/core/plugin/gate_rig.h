/* gate_rig.h - an instance of a made-up plugin KIND/fake behind its gate, on one worker. */
#ifndef TESTS_UNIT_CORE_PLUGIN_GATE_RIG_H
#define TESTS_UNIT_CORE_PLUGIN_GATE_RIG_H

#include <stdio.h>
#include <string.h>

#include "base/metrics.h"
#include "loop/call.h"
#include "plugin/gate_kinds.h"
#include "plugin/instance.h"
#include "plugin/services.h"
#include "../../../lib/on_worker.h"

static struct worker        worker;
static struct conf_instance conf;
static struct plugin        plugin;
static struct unit          unit;
static struct instance      instance;

/* Two calls at once and three in the queue, beside what `gate` says of retries and breakers. */
static inline int rig_start_with(const char *kind, const void *ops, const struct gate_conf *gate)
{
    memset(&instance, 0, sizeof(instance));
    registry_fill_host(plugin_services, plugin_service_count);
    if (worker_init(&worker, 0, 1, NULL) != 0)
        return -1;
    conf = (struct conf_instance){ .kind = kind, .name = BP_STR("main"), .use = BP_STR("fake") };
    conf.gate = *gate;
    conf.gate.deadline_ns = BP_SECONDS(30);
    conf.gate.max_concurrent = 2;
    conf.gate.queue = 3;
    conf.gate.client_share = 0.25;
    memset(&plugin, 0, sizeof(plugin));
    snprintf(plugin.label, sizeof(plugin.label), "%s/fake", kind);
    plugin.descriptor.kind = kind;
    plugin.descriptor.name = "fake";
    plugin.descriptor.ops = ops;
    unit = (struct unit){
        .conf = &conf, .plugin = &plugin, .workers = &worker, .worker_count = 1, .is_up = true
    };
    return instance_make(&unit, &worker, &instance) ? 0 : -1;
}

/* One retry, no breaker. */
static inline int rig_start(const char *kind, const void *ops)
{
    return rig_start_with(kind, ops, &(struct gate_conf){ .retries = 1 });
}

static int rig_stop(void **state)
{
    (void)state;
    instance_free(&instance);
    worker_free(&worker);
    metrics_clear();
    return 0;
}

/* Runs on a fiber. */
static void on_call(void (*run)(bp_call *call))
{
    run_on_worker(&worker, run, BP_FOREVER);
}

#endif
