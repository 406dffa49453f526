/* no_entry.c - its entry is hidden, as a version script or a wrong BP_EXPORT would make it. */
#include "sound.h"
#undef BP_EXPORT
#define BP_EXPORT __attribute__((used, visibility("hidden")))

BP_PLUGIN(health, "no_entry", "1.0.0", .ops = &sound_ops)
