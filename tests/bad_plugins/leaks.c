/* leaks.c - makes a pool and a lock and destroys neither. */
#include "sound.h"

static bp_status create(bp_call *call, const void *options, void **shared)
{
    bp_pool  *pool;
    bp_mutex *mutex;

    (void)options;
    (void)shared;
    BP_TRY(bp_pool_create(call, BP_STR("forgotten"), 1, &pool));
    return bp_mutex_create(call, &mutex);
}

static const bp_life life = { .struct_size = sizeof(bp_life), .shared_create = create };

BP_PLUGIN(health, "leaks", "1.0.0", .life = &life, .ops = &sound_ops)
