/* instance.h - one configured use of a plugin: the part shared by the process, and the part of each
 * worker.
 *
 *      unit (once a process)  ->  instance on worker 0, instance on worker 1, ...
 *      plugin, options, shared    object with options and peers filled in, gate state, jobs
 */
#ifndef CORE_PLUGIN_INSTANCE_H
#define CORE_PLUGIN_INSTANCE_H

#include <pthread.h>

#include <backplane/app.h>

#include "base/metrics.h"
#include "base/reason.h"
#include "loop/call.h"
#include "loop/job.h"
#include "plugin/registry.h"

struct gate;
struct bp_pool;

/* What the instance says of itself (bp_report_health()). */
struct unit_report {
    pthread_mutex_t lock;
    uint32_t        level; /* bp_report_level */
    int64_t         since_wall_ns;
    char            sentence[512];
};

/* How the calls into an instance went within the last minute, by slots of ten seconds; any thread.
 */
enum { CALL_SLOTS = 7, CALL_SLOT_S = 10 };
struct unit_calls {
    struct {
        _Atomic int64_t  slot; /* which ten seconds since the start of the machine */
        _Atomic uint64_t calls, failed;
    } slots[CALL_SLOTS];
    _Atomic int last_status; /* of a call that failed */
};

/* Generations that follow one another share the units with an unchanged conf.
 */
struct unit {
    const struct conf_instance *conf;    /* in `made_of` */
    struct conf                *made_of; /* held */
    const struct plugin        *plugin;
    struct worker              *workers;
    uint32_t                    worker_count;
    struct bp_pool             *pool; /* for bp_offload() without a pool of one's own */
    struct unit      **peers;   /* what conf->refs names, in their order; NULL: it is missing */
    _Atomic uint32_t   holders; /* generations that have it */
    void              *shared;
    bool               is_shared_created;
    bool               is_up;     /* all of its workers have started */
    struct reason      problem;   /* why it is not */
    struct instance   *instances; /* one for each worker */
    struct unit_report report;
    struct unit_calls  calls;
    _Atomic int        open_pools, open_mutexes,
        open_streams; /* made by the plugin and not yet destroyed */
};

struct instance_job {
    struct instance_job *next;
    struct instance     *instance;
    struct job          *job;
    const char          *name;
    bp_status (*run)(bp_call *call, void *arg);
    void *arg;
};

struct instance {
    struct unit         *unit;
    struct worker       *worker;
    void                *object; /* the plugin's struct; passed as `instance` to its operations */
    struct gate         *gate;
    bp_peer              peer; /* what others see of it */
    struct instance_job *jobs;
    bool                 is_started;
};

struct call_record {
    uint64_t  calls, failed;
    bp_status last_status; /* of one that failed */
};

/* One call more; `status` of one that failed, BP_OK of one that did not. */
void               unit_note_call(struct unit *unit, bp_status status);
struct call_record call_record_of(const struct unit *unit);
/* Three failures and a twentieth of the calls: more than bad luck. */
bool call_record_is_bad(const struct call_record *record);

/* Makes the object of one worker: options copied, references turned into peers. False: no memory.
 */
bool instance_make(struct unit *unit, struct worker *worker, struct instance *instance);
void instance_free(struct instance *instance);

/* Runs `hook` as code of this instance: named in logs, watchdog and crash report, and guarded. */
bp_status instance_run_hook(bp_call *call, struct instance *instance, const char *name,
                            bp_status (*hook)(bp_call *call, struct instance *instance));

bp_status instance_check(bp_call *call, struct instance *instance);
bp_status instance_create_shared(bp_call *call, struct instance *instance);
bp_status instance_start(bp_call *call, struct instance *instance);
bp_status instance_drain(bp_call *call, struct instance *instance);
bp_status instance_stop(bp_call *call, struct instance *instance);
bp_status instance_destroy_shared(bp_call *call, struct instance *instance);

/* For the service behind bp_every(). */
bp_status instance_add_job(bp_call *call, const char *name, int64_t interval_ns,
                           bp_status (*run)(bp_call *call, void *arg), void *arg);

/* The instance that runs in this call, or NULL. */
struct instance *instance_of_call(const bp_call *call);

#endif
