/* option_default.c - the default of an option is not within its range. */
#include "sound.h"

struct settings {
    int64_t count;
    int32_t choice;
    int64_t wait_ns;
};

static const bp_option options[] = {
    BP_OPTION_DURATION(struct settings, wait, .initial = "2h", .maximum = "1m", .help = "how long"),
};

BP_PLUGIN(health, "option_default", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .instance_size = sizeof(struct settings), .options = BP_TABLE(options))
