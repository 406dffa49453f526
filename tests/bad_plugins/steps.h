/* steps.h - a life that logs each of its steps, so that run.py can see in which order they were
 * done and undone. */
#ifndef BAD_PLUGINS_STEPS_H
#define BAD_PLUGINS_STEPS_H

#include "sound.h"

static inline void note_step(bp_call *call, const char *step)
{
    bp_log(call, BP_LOG_WARN, "step %s %u of " BP_FMT, step, bp_worker_index(call),
           BP_ARG(bp_instance_name(call)));
}

__attribute__((unused)) static bp_status note_create(bp_call *call, const void *options,
                                                     void **shared)
{
    (void)options;
    (void)shared;
    note_step(call, "create");
    return BP_OK;
}

__attribute__((unused)) static bp_status note_start(bp_call *call, void *instance, void *shared)
{
    (void)instance;
    (void)shared;
    note_step(call, "start");
    return BP_OK;
}

__attribute__((unused)) static void note_stop(bp_call *call, void *instance)
{
    (void)instance;
    note_step(call, "stop");
}

__attribute__((unused)) static void note_destroy(bp_call *call, void *shared)
{
    (void)shared;
    note_step(call, "destroy");
}

#endif
