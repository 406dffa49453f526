/* shared_create_fails.c - its first real step fails, so none of its later ones may run. */
#include "steps.h"

static bp_status fail(bp_call *call, const void *options, void **shared)
{
    (void)options;
    (void)shared;
    return bp_fail(call, BP_UNAVAILABLE, "the server at home is not at home");
}

static const bp_life life = {
    sizeof(bp_life), NULL, fail, note_start, NULL, note_stop, note_destroy
};

BP_PLUGIN(health, "shared_create_fails", "1.0.0", .life = &life, .ops = &sound_ops)
