/* no_ops.c - it has no table of operations. */
#include "sound.h"

BP_PLUGIN(health, "no_ops", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops, .ops = NULL)
