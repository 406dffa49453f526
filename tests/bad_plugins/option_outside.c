/* option_outside.c - an option lies outside of the instance. */
#include "sound.h"

struct settings {
    int64_t count;
    int32_t choice;
    int64_t wait_ns;
};

static const bp_option options[] = {
    BP_OPTION_INT(struct settings, count, .help = "how many", .offset = 4096),
};

BP_PLUGIN(health, "option_outside", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .instance_size = sizeof(struct settings), .options = BP_TABLE(options))
