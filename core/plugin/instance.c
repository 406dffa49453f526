/* instance.c - each worker's part of a configured plugin, and its life hooks. */
#include "plugin/instance.h"

#include <stdlib.h>

#include "plugin/gate.h"
#include "plugin/guard.h"

enum { JOB_TIMEOUT_S = 600 };

struct instance *instance_of_call(const bp_call *call)
{
    return call->instance_of;
}

/* ---- the object ---- */

/* One field takes one peer, or a list of them; the references of a list come in their order. */
static bool fill_peers(struct instance *instance)
{
    const struct option_refs *refs = &instance->unit->conf->refs;
    char                     *object = instance->object;
    size_t                    index = 0;

    for (const struct option_ref *ref = refs->first; ref; ref = ref->next) {
        struct unit    *other = instance->unit->peers[index++];
        const bp_peer  *peer = other ? &other->instances[instance->worker->index].peer : NULL;
        bp_peer_list   *list = (bp_peer_list *)(void *)(object + ref->offset);
        const bp_peer **items;

        if (!ref->is_list) {
            memcpy(object + ref->offset, &peer, sizeof(const bp_peer *));
            continue;
        }
        if (!peer)
            continue;
        items = (const bp_peer **)(uintptr_t)list->items;
        if (!items) {
            items = calloc(refs->count, sizeof(*items));
            if (!items)
                return false;
            list->items = items;
        }
        items[list->count++] = peer;
    }
    return true;
}

static void free_peer_lists(struct instance *instance)
{
    char *object = instance->object;

    for (const struct option_ref *ref = instance->unit->conf->refs.first; ref; ref = ref->next) {
        if (ref->is_list) {
            bp_peer_list *list = (bp_peer_list *)(void *)(object + ref->offset);

            free((void *)(uintptr_t)list->items);
            *list = (bp_peer_list){ NULL, 0 };
        }
    }
}

bool instance_make(struct unit *unit, struct worker *worker, struct instance *instance)
{
    const bp_plugin *descriptor = &unit->plugin->descriptor;

    instance->unit = unit;
    instance->worker = worker;
    instance->object = calloc(1, descriptor->instance_size ? descriptor->instance_size : 1);
    instance->gate = gate_new(instance);
    if (!instance->object || !instance->gate)
        return false;
    if (unit->conf->options)
        memcpy(instance->object, unit->conf->options, descriptor->instance_size);
    instance->peer = (bp_peer){ .struct_size = sizeof(bp_peer),
                                .kind_version = descriptor->kind_version,
                                .name = unit->conf->name,
                                .kind = bp_str_of(descriptor->kind),
                                .plugin = bp_str_of(descriptor->name),
                                .ops = gate_ops_for(descriptor->kind),
                                .instance = instance };
    return true;
}

void instance_free(struct instance *instance)
{
    if (instance->object)
        free_peer_lists(instance);
    free(instance->object);
    gate_free(instance->gate);
    instance->object = NULL;
    instance->gate = NULL;
}

/* ---- hooks ---- */

bp_status instance_run_hook(bp_call *call, struct instance *instance, const char *name,
                            bp_status (*hook)(bp_call *call, struct instance *instance))
{
    struct gate_frame  frame;
    struct guard_state state;
    bp_status          status;

    gate_push(&frame, call, instance, name);
    guard_take(&state);
    status = hook(call, instance);
    guard_restore(&state, call->worker->log, instance->unit->plugin->label, name);
    gate_pop(&frame, call);
    return status;
}

bp_status instance_check(bp_call *call, struct instance *instance)
{
    const bp_life *life = &instance->unit->plugin->life;

    return life->check ? life->check(call, instance->object) : BP_OK;
}

bp_status instance_create_shared(bp_call *call, struct instance *instance)
{
    struct unit   *unit = instance->unit;
    const bp_life *life = &unit->plugin->life;

    if (life->shared_create)
        BP_TRY(life->shared_create(call, instance->object, &unit->shared));
    unit->is_shared_created = true;
    return BP_OK;
}

bp_status instance_start(bp_call *call, struct instance *instance)
{
    const bp_life *life = &instance->unit->plugin->life;
    bp_status      status = BP_OK;

    free_peer_lists(instance); // of a start before that failed, or was undone
    if (!fill_peers(instance))
        return call_fail(call, BP_NO_MEMORY, "no memory for the references of the instance");
    if (life->worker_start)
        status = life->worker_start(call, instance->object, instance->unit->shared);
    instance->is_started = status == BP_OK;
    return status;
}

bp_status instance_drain(bp_call *call, struct instance *instance)
{
    const bp_life *life = &instance->unit->plugin->life;

    return life->drain && instance->is_started ? life->drain(call, instance->object) : BP_OK;
}

static void stop_jobs(bp_call *call, struct instance *instance)
{
    while (instance->jobs) {
        struct instance_job *entry = instance->jobs;

        instance->jobs = entry->next;
        job_stop(call, entry->job);
        free(entry);
    }
}

bp_status instance_stop(bp_call *call, struct instance *instance)
{
    const bp_life *life = &instance->unit->plugin->life;

    stop_jobs(call, instance);
    if (instance->is_started && life->worker_stop)
        life->worker_stop(call, instance->object);
    instance->is_started = false;
    return BP_OK;
}

bp_status instance_destroy_shared(bp_call *call, struct instance *instance)
{
    struct unit   *unit = instance->unit;
    const bp_life *life = &unit->plugin->life;

    if (unit->is_shared_created && life->shared_destroy)
        life->shared_destroy(call, unit->shared);
    unit->is_shared_created = false;
    unit->shared = NULL;
    if (unit->open_pools || unit->open_mutexes || unit->open_streams)
        log_message(call->worker->log, BP_LOG_ERROR, "plugin_leak",
                    "%s left %d thread pools, %d locks and %d connections behind: what "
                    "worker_start and shared_create make, worker_stop and shared_destroy must end",
                    unit->plugin->label, unit->open_pools, unit->open_mutexes, unit->open_streams);
    return BP_OK;
}

/* ---- jobs ---- */

static void run_job(bp_call *call, void *arg)
{
    struct instance_job *entry = arg;
    struct gate_frame    frame;
    bp_status            status;

    gate_push(&frame, call, entry->instance, entry->name);
    status = entry->run(call, entry->arg);
    if (status != BP_OK && status != BP_CANCELLED)
        bp_log_event(call, BP_LOG_WARN, "job_failed", bp_error_of(call)->message,
                     (bp_field[]){ bp_field_str("error_type", bp_str_of(bp_status_label(status))) },
                     1);
    gate_pop(&frame, call);
}

bp_status instance_add_job(bp_call *call, const char *name, int64_t interval_ns,
                           bp_status (*run)(bp_call *call, void *arg), void *arg)
{
    struct instance     *instance = instance_of_call(call);
    struct instance_job *entry;

    if (!instance)
        return call_fail(call, BP_INTERNAL, "bp_every() was called outside of worker_start");
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return call_fail(call, BP_NO_MEMORY, "no memory for job \"%s\"", name);
    *entry = (struct instance_job){ .instance = instance, .name = name, .run = run, .arg = arg };
    entry->job = job_start(call->worker,
                           &(struct job_options){ .name = name,
                                                  .interval_ns = interval_ns,
                                                  .timeout_ns = BP_SECONDS(JOB_TIMEOUT_S),
                                                  .run = run_job,
                                                  .arg = entry });
    if (!entry->job) {
        free(entry);
        return call_fail(call, BP_NO_MEMORY, "no memory for job \"%s\"", name);
    }
    entry->next = instance->jobs;
    instance->jobs = entry;
    return BP_OK;
}
