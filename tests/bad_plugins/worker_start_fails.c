/* worker_start_fails.c - starts on worker 0 and fails on worker 1: worker 0 must be stopped again,
 * worker 1 not. */
#include "steps.h"

static bp_status start(bp_call *call, void *instance, void *shared)
{
    BP_TRY(note_start(call, instance, shared));
    if (bp_worker_index(call) == 1)
        return bp_fail(call, BP_UNAVAILABLE, "one worker is enough for me");
    return BP_OK;
}

static const bp_life life = { sizeof(bp_life), NULL,        note_create, start, NULL,
                              note_stop,       note_destroy };

BP_PLUGIN(health, "worker_start_fails", "1.0.0", .life = &life, .ops = &sound_ops)
