/* generation.h - all instances built from one reading of the conf file: made in order, unwound in
 * reverse.
 *
 * A generation may follow another one that is still in use. What did not change, and refers to
 * nothing that did, is not made again: both have it until the older one is freed.
 */
#ifndef CORE_PLUGIN_GENERATION_H
#define CORE_PLUGIN_GENERATION_H

#include "base/reason.h"
#include "plugin/instance.h"

struct bp_pool;

/* What a worker runs with the instances of a generation. */
struct generation_seat {
    uint32_t users;
    bool     is_leaving; /* somebody waits until there are none */
    bool     has_left;   /* there are none, and there will be none */
};

struct generation {
    struct conf                 *conf;
    struct plugin_registry      *registry;
    struct worker               *workers;
    uint32_t                     worker_count;
    struct bp_pool              *pool;  /* borrowed */
    struct unit                **units; /* in dependency order */
    const struct conf_instance **confs; /* of each unit, in this reading */
    size_t                       unit_count;
    struct generation_seat      *seats; /* one a worker */
    pthread_mutex_t              leaving;
    pthread_cond_t               has_left;
    uint32_t                     workers_asked;
    uint32_t workers_left; /* under `leaving`: those without users since generation_wait_unused()
                              asked */
    struct reason problem; /* why the start failed */
    bp_status     problem_status; /* as what */
};

/* Builds the units of a resolved conf; nothing of a plugin runs. Those of `before` (NULL: none)
 * that did not change are taken over as they are, running or not. The pool and the workers outlive
 * all generations. NULL: no memory. */
struct generation *generation_new(struct conf *conf, struct plugin_registry *registry,
                                  struct worker *workers, uint32_t worker_count,
                                  struct bp_pool *pool, const struct generation *before);
/* After generation_stop(). */
void generation_free(struct generation *generation);

/* The instance as this generation's conf has it, for its place in the file. */
const struct conf_instance *generation_conf_of(const struct generation *generation,
                                               const struct unit       *unit);

/* Runs the check hooks only; adds what they find to the problems of the conf. Workers must be
 * running. */
bool generation_check(struct generation *generation);

/* check, shared_create, migrations and worker_start of each unit in order, but of those that run
 * already. When a critical one fails, exactly the steps done are undone, `problem` says why, and
 * false is returned. Called from a thread that is no worker. */
bool generation_start(struct generation *generation);
/* Only the named instance and what it refers to; for commands that need no more than that. */
bool generation_start_only(struct generation *generation, bp_str kind, bp_str name);
/* Only these apps and what they refer to; an empty list: all of them. */
bool generation_start_apps(struct generation *generation, const bp_str_list *apps);
/* Only those that `is_chosen` says, and what they refer to. May be called again for others. */
bool generation_start_chosen(struct generation *generation,
                             bool (*is_chosen)(const struct conf_instance *conf, void *arg),
                             void *arg);
/* The tables of all apps, as their start would make them, though none of them is started: their
 * storages must be up. */
bool generation_migrate_apps(struct generation *generation);
/* Drain hooks, then everything in reverse; but not of units that another generation has. */
void generation_stop(struct generation *generation);

/* On a worker: what begins now uses the instances of this generation until it leaves, on the same
 * worker. */
void generation_enter(struct generation *generation, const struct worker *worker);
void generation_leave(struct generation *generation, const struct worker *worker);
/* From a thread that is no worker, when nobody enters any more: until all have left. False: the
 * time was over before; it may be called again. */
bool generation_wait_unused(struct generation *generation, int64_t deadline_ns);

/* The instance on a worker, or NULL. */
struct instance *generation_find(const struct generation *generation, uint32_t worker, bp_str kind,
                                 bp_str name);

/* Runs fn(call, arg) as a call on a worker and waits for it; from a thread that is no worker. */
bp_status generation_call(struct worker *worker, int64_t                   timeout_ns,
                          bp_status (*fn)(bp_call *call, void *arg), void *arg, struct reason *why);

#endif
