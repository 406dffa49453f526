/* steps.c - sound; stands before the broken one in a conf, to be seen going down with it. */
#include "steps.h"

static const bp_life life = { sizeof(bp_life), NULL,        note_create, note_start, NULL,
                              note_stop,       note_destroy };

BP_PLUGIN(health, "steps", "1.0.0", .life = &life, .ops = &sound_ops)
