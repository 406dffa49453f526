/* generation.c - the order in which instances come up and go down.
 *
 *      for each unit, those it refers to first:
 *          check -> shared_create (worker 0) -> migrations (apps, worker 0) -> worker_start (each worker)
 *
 * Each step done is on record in the unit, so that undoing looks at nothing else.
 */
#include "plugin/generation.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"

enum { HOOK_TIMEOUT_S = 60 };

/* ---- a call on a worker, waited for by another thread ---- */

struct remote_call {
    struct worker *worker;
    int64_t        timeout_ns;
    bp_status (*fn)(bp_call *call, void *arg);
    void          *arg;
    bp_status      status;
    struct reason *why;
    sem_t          done;
};

static void run_remote(bp_call *call, void *arg)
{
    struct remote_call *remote = arg;

    remote->status = remote->fn(call, remote->arg);
    if (remote->status != BP_OK)
        reason_set(remote->why, BP_FMT, BP_ARG(call->error.message));
    sem_post(&remote->done);
}

static void start_remote(void *arg)
{
    struct remote_call *remote = arg;
    struct call_options options = { .deadline_ns = clock_now_ns() + remote->timeout_ns };

    if (call_start(remote->worker, &options, run_remote, remote))
        return;
    remote->status = BP_LIMIT;
    reason_set(remote->why, "no fiber could be made");
    sem_post(&remote->done);
}

bp_status generation_call(struct worker *worker, int64_t                   timeout_ns,
                          bp_status (*fn)(bp_call *call, void *arg), void *arg, struct reason *why)
{
    struct remote_call remote = {
        .worker = worker, .timeout_ns = timeout_ns, .fn = fn, .arg = arg, .why = why
    };

    reason_clear(why);
    sem_init(&remote.done, 0, 0);
    worker_post(worker, start_remote, &remote);
    while (sem_wait(&remote.done) != 0)
        ;
    sem_destroy(&remote.done);
    return remote.status;
}

/* ---- units ---- */

static void unit_release(struct unit *unit)
{
    uint32_t holders;

    if (!unit)
        return;
    holders = atomic_fetch_sub(&unit->holders, 1);
    CHECK_ALWAYS(holders > 0);
    if (holders > 1)
        return;
    CHECK(!unit->is_shared_created); // generation_stop() comes first
    for (uint32_t w = 0; unit->instances && w < unit->worker_count; w++)
        instance_free(&unit->instances[w]);
    free(unit->instances);
    free(unit->peers);
    pthread_mutex_destroy(&unit->report.lock);
    conf_free(unit->made_of);
    free(unit);
}

static struct unit *find_unit(const struct generation *generation, bp_str kind, bp_str name)
{
    for (size_t i = 0; i < generation->unit_count; i++)
        if (bp_str_is(kind, generation->units[i]->conf->kind) &&
            bp_str_equal(generation->units[i]->conf->name, name))
            return generation->units[i];
    return NULL;
}

/* The unit of the generation before that is this one too: nothing about it changed, nor about those
 * it refers to. */
static struct unit *find_same(const struct generation *generation, const struct generation *before,
                              const struct conf_instance *conf)
{
    struct unit *unit = before ? find_unit(before, bp_str_of(conf->kind), conf->name) : NULL;
    size_t       index = 0;

    if (!unit || unit->worker_count != generation->worker_count ||
        !conf_instance_is_same(unit->conf, conf))
        return NULL;
    for (const struct option_ref *ref = conf->refs.first; ref; ref = ref->next)
        if (unit->peers[index++] != find_unit(generation, ref->kind, ref->name))
            return NULL;
    return unit;
}

static struct unit *unit_new(const struct generation *generation, const struct conf_instance *conf)
{
    struct unit  *unit = calloc(1, sizeof(*unit));
    char          use[64];
    struct reason why;
    size_t        index = 0;
    bool          is_good;

    if (!unit)
        return NULL;
    snprintf(use, sizeof(use), BP_FMT, BP_ARG(conf->use));
    pthread_mutex_init(&unit->report.lock, NULL);
    unit->holders = 1;
    unit->conf = conf;
    unit->made_of = conf_hold(generation->conf);
    unit->workers = generation->workers;
    unit->worker_count = generation->worker_count;
    unit->pool = generation->pool;
    unit->plugin = registry_load(generation->registry, conf->kind, use, &why);
    unit->instances = calloc(unit->worker_count, sizeof(struct instance));
    unit->peers = calloc(conf->refs.count + 1, sizeof(*unit->peers));
    is_good = unit->plugin && unit->instances && unit->peers;
    for (const struct option_ref *ref = conf->refs.first; is_good && ref; ref = ref->next)
        unit->peers[index++] = find_unit(generation, ref->kind, ref->name);
    for (uint32_t w = 0; is_good && w < unit->worker_count; w++)
        is_good = instance_make(unit, &unit->workers[w], &unit->instances[w]);
    if (is_good)
        return unit;
    unit_release(unit);
    return NULL;
}

static void init_monotonic(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct generation *generation_new(struct conf *conf, struct plugin_registry *registry,
                                  struct worker *workers, uint32_t worker_count,
                                  struct bp_pool *pool, const struct generation *before)
{
    struct generation *generation = calloc(1, sizeof(*generation));

    if (!generation)
        return NULL;
    generation->conf = conf;
    generation->registry = registry;
    generation->workers = workers;
    generation->worker_count = worker_count;
    generation->pool = pool;
    generation->units = calloc(conf->instance_count + 1, sizeof(*generation->units));
    generation->confs = calloc(conf->instance_count + 1, sizeof(*generation->confs));
    generation->seats = calloc(worker_count, sizeof(*generation->seats));
    pthread_mutex_init(&generation->leaving, NULL);
    init_monotonic(&generation->has_left);
    if (!pool || !generation->units || !generation->confs || !generation->seats) {
        generation_free(generation);
        return NULL;
    }
    for (size_t i = 0; i < conf->instance_count; i++) {
        struct unit *unit;

        if (conf->order[i]->is_missing)
            continue;
        unit = find_same(generation, before, conf->order[i]);
        CHECK_ALWAYS(!unit || unit->holders > 0);
        if (unit)
            atomic_fetch_add(&unit->holders, 1);
        else
            unit = unit_new(generation, conf->order[i]);
        if (!unit) {
            generation_free(generation);
            return NULL;
        }
        generation->confs[generation->unit_count] = conf->order[i];
        generation->units[generation->unit_count++] = unit;
    }
    return generation;
}

void generation_free(struct generation *generation)
{
    if (!generation)
        return;
    for (size_t i = generation->unit_count; i-- > 0;)
        unit_release(generation->units[i]);
    free(generation->units);
    free(generation->confs);
    free(generation->seats);
    pthread_cond_destroy(&generation->has_left);
    pthread_mutex_destroy(&generation->leaving);
    free(generation);
}

/* ---- who uses it ---- */

void generation_enter(struct generation *generation, const struct worker *worker)
{
    struct generation_seat *seat = &generation->seats[worker->index];

    CHECK_ALWAYS(!seat->has_left); // it may be stopped by now
    CHECK(worker->index < generation->worker_count && worker_current() == worker);
    seat->users++;
}

static void note_left(struct generation *generation)
{
    pthread_mutex_lock(&generation->leaving);
    generation->workers_left++;
    CHECK_ALWAYS(generation->workers_left <= generation->worker_count);
    pthread_cond_signal(&generation->has_left);
    pthread_mutex_unlock(&generation->leaving); // the generation may be freed from here on
}

void generation_leave(struct generation *generation, const struct worker *worker)
{
    struct generation_seat *seat = &generation->seats[worker->index];

    CHECK_ALWAYS(seat->users > 0);
    if (--seat->users == 0 && seat->is_leaving) {
        seat->is_leaving = false;
        seat->has_left = true;
        note_left(generation);
    }
}

static void ask_to_leave(void *arg)
{
    struct generation      *generation = arg;
    struct generation_seat *seat = &generation->seats[worker_current()->index];

    seat->is_leaving = seat->users > 0;
    seat->has_left = !seat->is_leaving;
    if (!seat->is_leaving)
        note_left(generation);
}

bool generation_wait_unused(struct generation *generation, int64_t deadline_ns)
{
    struct timespec until = { .tv_sec = deadline_ns / 1000000000,
                              .tv_nsec = deadline_ns % 1000000000 };
    int             problem = 0;
    bool            have_left;

    for (; generation->workers_asked < generation->worker_count; generation->workers_asked++)
        worker_post(&generation->workers[generation->workers_asked], ask_to_leave, generation);
    pthread_mutex_lock(&generation->leaving);
    while (generation->workers_left < generation->worker_count && problem == 0)
        problem = pthread_cond_timedwait(&generation->has_left, &generation->leaving, &until);
    have_left = generation->workers_left == generation->worker_count;
    pthread_mutex_unlock(&generation->leaving);
    return have_left;
}

const struct conf_instance *generation_conf_of(const struct generation *generation,
                                               const struct unit       *unit)
{
    for (size_t i = 0; i < generation->unit_count; i++)
        if (generation->units[i] == unit)
            return generation->confs[i];
    return NULL;
}

struct instance *generation_find(const struct generation *generation, uint32_t worker, bp_str kind,
                                 bp_str name)
{
    struct unit *unit = find_unit(generation, kind, name);

    return unit ? &unit->instances[worker] : NULL;
}

/* ---- one hook on one worker ---- */

struct hook_run {
    struct instance *instance;
    const char      *name;
    bp_status (*hook)(bp_call *call, struct instance *instance);
};

static bp_status run_hook(bp_call *call, void *arg)
{
    struct hook_run *run = arg;

    return instance_run_hook(call, run->instance, run->name, run->hook);
}

static bp_status hook_on(struct instance *instance, const char *name,
                         bp_status (*hook)(bp_call *call, struct instance *instance),
                         struct reason *why)
{
    struct hook_run run = { instance, name, hook };

    return generation_call(instance->worker, BP_SECONDS(HOOK_TIMEOUT_S), run_hook, &run, why);
}

/* An app's tables are there before its worker_start runs: in the storage that its option `storage`
 * names. */
static bp_status migrate(bp_call *call, struct instance *instance)
{
    const struct unit *unit = instance->unit;
    const bp_app_ops  *app = unit->plugin->descriptor.ops;
    struct unit       *storage = NULL;
    size_t             index = 0;
    bp_status          status;

    if (!BP_HAS(app, bp_app_ops, migration_count) || app->migration_count == 0)
        return BP_OK;
    for (const struct option_ref *ref = unit->conf->refs.first; ref; ref = ref->next, index++)
        if (bp_str_is(ref->option, "storage"))
            storage = unit->peers[index];
    if (!storage)
        return call_fail(call, BP_INVALID,
                         "it has tables to make, and no option `storage` that says where");
    // The host asks, and an operator reads why it failed: the app is not told the client's
    // sentence.
    call->instance_of = NULL;
    status = bp_storage_migrate(call, &storage->instances[instance->worker->index].peer,
                                bp_str_of(unit->plugin->descriptor.name), app->migrations,
                                app->migration_count);
    call->instance_of = instance;
    return status;
}

/* ---- up and down ---- */

static void undo(struct unit *unit, struct log *log)
{
    struct reason why;

    unit->is_up = false;
    for (uint32_t w = unit->worker_count; w-- > 0;)
        if (unit->instances[w].is_started || unit->instances[w].jobs)
            hook_on(&unit->instances[w], "worker_stop", instance_stop, &why);
    if (unit->is_shared_created &&
        hook_on(&unit->instances[0], "shared_destroy", instance_destroy_shared, &why) != BP_OK)
        log_message(log, BP_LOG_ERROR, "stop_failed", "%s: shared_destroy: %s", unit->plugin->label,
                    why.text);
}

static bp_status bring_up(struct unit *unit)
{
    struct instance *first = &unit->instances[0];
    const char      *step = "check";
    struct reason    why;
    bp_status        status = hook_on(first, step, instance_check, &why);

    if (status == BP_OK) {
        step = "shared_create";
        status = hook_on(first, step, instance_create_shared, &why);
    }
    if (status == BP_OK && strcmp(unit->conf->kind, "app") == 0) {
        step = "migration";
        status = hook_on(first, step, migrate, &why);
    }
    for (uint32_t w = 0; status == BP_OK && w < unit->worker_count; w++) {
        step = "worker_start";
        status = hook_on(&unit->instances[w], step, instance_start, &why);
    }
    unit->is_up = status == BP_OK;
    if (unit->is_up)
        return BP_OK;
    reason_set(&unit->problem, "%s failed: %.440s", step,
               why.text[0] ? why.text : bp_status_text(status));
    undo(unit, unit->workers[0].log);
    return status;
}

/* No other generation has it. */
static bool is_only_ours(const struct unit *unit)
{
    return unit->holders == 1;
}

static bool start_units(struct generation *generation, const bool *is_wanted)
{
    struct log *log = generation->workers[0].log;

    for (size_t i = 0; i < generation->unit_count; i++) {
        struct unit *unit = generation->units[i];

        if ((is_wanted && !is_wanted[i]) || unit->is_up)
            continue;
        generation->problem_status = bring_up(unit);
        if (generation->problem_status == BP_OK)
            continue;
        reason_set(&generation->problem, "%s.%.64s (%s): %s", unit->conf->kind,
                   unit->conf->name.data, unit->plugin->label, unit->problem.text);
        if (!unit->conf->gate.critical) {
            log_message(log, BP_LOG_ERROR, "instance_degraded",
                        "%s; it is not critical, so the host starts without it",
                        generation->problem.text);
            reason_clear(&generation->problem);
            continue;
        }
        while (i-- > 0)
            if (is_only_ours(generation->units[i]))
                undo(generation->units[i], log);
        return false;
    }
    return true;
}

bool generation_start(struct generation *generation)
{
    return start_units(generation, NULL);
}

static void want(const struct generation *generation, size_t index, bool *is_wanted)
{
    is_wanted[index] = true;
    for (const struct option_ref *ref = generation->units[index]->conf->refs.first; ref;
         ref = ref->next)
        for (size_t i = 0; i < index; i++)
            if (bp_str_is(ref->kind, generation->units[i]->conf->kind) &&
                bp_str_equal(ref->name, generation->units[i]->conf->name))
                want(generation, i, is_wanted);
}

bool generation_start_only(struct generation *generation, bp_str kind, bp_str name)
{
    bool is_wanted[CONF_MAX_INSTANCES] = { false };

    for (size_t i = 0; i < generation->unit_count; i++)
        if (bp_str_is(kind, generation->units[i]->conf->kind) &&
            bp_str_equal(name, generation->units[i]->conf->name))
            want(generation, i, is_wanted);
    return start_units(generation, is_wanted);
}

bool generation_start_apps(struct generation *generation, const bp_str_list *apps)
{
    bool is_wanted[CONF_MAX_INSTANCES] = { false };

    for (size_t i = 0; i < generation->unit_count; i++) {
        bool is_listed = apps->count == 0;

        for (size_t a = 0; a < apps->count; a++)
            is_listed = is_listed || bp_str_equal(apps->items[a], generation->units[i]->conf->name);
        if (is_listed && strcmp(generation->units[i]->conf->kind, "app") == 0)
            want(generation, i, is_wanted);
    }
    return start_units(generation, is_wanted);
}

bool generation_start_chosen(struct generation *generation,
                             bool (*is_chosen)(const struct conf_instance *conf, void *arg),
                             void *arg)
{
    bool is_wanted[CONF_MAX_INSTANCES] = { false };

    for (size_t i = 0; i < generation->unit_count; i++)
        if (is_chosen(generation->units[i]->conf, arg))
            want(generation, i, is_wanted);
    return start_units(generation, is_wanted);
}

bool generation_migrate_apps(struct generation *generation)
{
    for (size_t i = 0; i < generation->unit_count; i++) {
        struct unit  *unit = generation->units[i];
        struct reason why;

        if (strcmp(unit->conf->kind, "app") != 0 ||
            hook_on(&unit->instances[0], "migration", migrate, &why) == BP_OK)
            continue;
        reason_set(&generation->problem, "app.%.64s (%s): migration failed: %.440s",
                   unit->conf->name.data, unit->plugin->label, why.text);
        return false;
    }
    return true;
}

bool generation_check(struct generation *generation)
{
    bool is_good = true;

    for (size_t i = 0; i < generation->unit_count; i++) {
        struct unit  *unit = generation->units[i];
        struct reason why;

        if (hook_on(&unit->instances[0], "check", instance_check, &why) == BP_OK)
            continue;
        error_at_key(&generation->conf->problems, unit->conf->node, "%s", why.text);
        is_good = false;
    }
    return is_good;
}

void generation_stop(struct generation *generation)
{
    struct reason why;

    for (size_t i = generation->unit_count; i-- > 0;)
        for (uint32_t w = 0; is_only_ours(generation->units[i]) && w < generation->worker_count;
             w++)
            if (generation->units[i]->instances[w].is_started)
                hook_on(&generation->units[i]->instances[w], "drain", instance_drain, &why);
    for (size_t i = generation->unit_count; i-- > 0;)
        if (is_only_ours(generation->units[i]))
            undo(generation->units[i], generation->workers[0].log);
}
