/* start_blocks.c - blocks its worker for 400 ms while starting. */
#include "spin.h"

static bp_status start(bp_call *call, void *instance, void *shared)
{
    (void)call;
    (void)instance;
    (void)shared;
    spin(BP_MILLISECONDS(400));
    return BP_OK;
}

static const bp_life life = { .struct_size = sizeof(bp_life), .worker_start = start };

BP_PLUGIN(health, "start_blocks", "1.0.0", .life = &life, .ops = &sound_ops)
