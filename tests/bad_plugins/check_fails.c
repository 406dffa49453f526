/* check_fails.c - its check hook does not like the conf. */
#include "sound.h"

static bp_status check(bp_call *call, const void *options)
{
    (void)options;
    return bp_fail(call, BP_INVALID, "these settings contradict each other");
}

static const bp_life life = { .struct_size = sizeof(bp_life), .check = check };

BP_PLUGIN(health, "check_fails", "1.0.0", .life = &life, .ops = &sound_ops)
