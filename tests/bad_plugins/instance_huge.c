/* instance_huge.c - its instance is larger than the host makes one. */
#include "sound.h"

BP_PLUGIN(health, "instance_huge", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .instance_size = 1u << 20)
