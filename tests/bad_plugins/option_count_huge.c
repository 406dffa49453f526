/* option_count_huge.c - it claims to have four billion options. */
#include "sound.h"

struct settings {
    int64_t count;
    int32_t choice;
    int64_t wait_ns;
};

static const bp_option options[] = {
    BP_OPTION_INT(struct settings, count, .help = "how many"),
};

BP_PLUGIN(health, "option_count_huge", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .instance_size = sizeof(struct settings), .options = BP_TABLE(options),
          .option_count = 4000000000u)
