/* gate.c - what one call through the gate costs, without suspending and with one suspension.
 *
 * A health check that does nothing stands for a plugin. Prints one JSON line; CPU time of this
 * thread.
 */
#include <stdio.h>

#include <backplane/health.h>

#include "base/clock.h"
#include "loop/call.h"
#include "plugin/gate.h"
#include "plugin/gate_kinds.h"
#include "plugin/generation.h"
#include "plugin/services.h"

enum { CALLS = 1000000 };

static bp_status check_nothing(bp_call *call, void *instance, bp_health *health)
{
    (void)call;
    (void)instance;
    health->level = BP_HEALTH_OK;
    return BP_OK;
}

static bp_status check_suspending(bp_call *call, void *instance, bp_health *health)
{
    (void)instance;
    health->level = BP_HEALTH_OK;
    return call_sleep(call, 0);
}

static const bp_health_ops nothing = { .struct_size = sizeof(bp_health_ops),
                                       .check = check_nothing };
static const bp_health_ops suspending = { .struct_size = sizeof(bp_health_ops),
                                          .check = check_suspending };

struct bench {
    struct instance *instance;
    double           ns_per_call;
    bool             is_done;
};

static void run(bp_call *call, void *arg)
{
    struct bench *bench = arg;
    int64_t       before = clock_thread_cpu_ns();

    for (int i = 0; i < CALLS; i++) {
        bp_health health = { .struct_size = sizeof(health) };

        gate_health_ops.check(call, bench->instance, &health);
    }
    bench->ns_per_call = (double)(clock_thread_cpu_ns() - before) / CALLS;
    bench->is_done = true;
}

static bool is_done(void *arg)
{
    return ((struct bench *)arg)->is_done;
}

static double measure(struct worker *worker, const bp_health_ops *ops)
{
    struct conf_instance conf = { .kind = "health",
                                  .name = BP_STR("bench"),
                                  .use = BP_STR("bench") };
    struct plugin        plugin = { .label = "health/bench" };
    struct unit          unit = {
                 .conf = &conf, .plugin = &plugin, .workers = worker, .worker_count = 1, .is_up = true
    };
    struct instance instance = { 0 };
    struct bench    bench = { .instance = &instance };

    conf.gate.deadline_ns = BP_SECONDS(30);
    conf.gate.max_concurrent = 64;
    conf.gate.queue = 256;
    plugin.descriptor.kind = "health";
    plugin.descriptor.name = "bench";
    plugin.descriptor.ops = ops;
    if (!instance_make(&unit, worker, &instance))
        return -1;
    call_start(worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, run, &bench);
    worker_run_until(worker, is_done, &bench);
    instance_free(&instance);
    return bench.ns_per_call;
}

int main(void)
{
    struct worker worker;
    double        plain, suspended;

    registry_fill_host(plugin_services, plugin_service_count);
    if (worker_init(&worker, 0, 1, NULL) != 0)
        return 1;
    plain = measure(&worker, &nothing);
    suspended = measure(&worker, &suspending);
    worker_free(&worker);
    metrics_clear();
    printf("{\"bench\":\"gate\",\"ns_per_call\":%.0f,\"ns_per_call_with_one_suspension\":%.0f,"
           "\"targets_ns\":[1000,5000]}\n",
           plain, suspended);
    return 0;
}
