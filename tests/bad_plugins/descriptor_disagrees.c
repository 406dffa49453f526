/* descriptor_disagrees.c - its note says one name and its descriptor another. */
#include "sound.h"

BP_PLUGIN(health, "descriptor_disagrees", "1.0.0", .summary = "broken on purpose",
          .ops = &sound_ops, .name = "somebody_else")
