/* descriptor_short.c - its descriptor is shorter than that of ABI 1.0. */
#include "sound.h"

BP_PLUGIN(health, "descriptor_short", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .struct_size = 40)
