/* descriptor_magic.c - its descriptor has a magic number of its own. */
#include "sound.h"

BP_PLUGIN(health, "descriptor_magic", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .magic = 0x12345678)
