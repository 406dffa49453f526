/* option_no_help.c - an option has no help. */
#include "sound.h"

struct settings {
    int64_t count;
    int32_t choice;
    int64_t wait_ns;
};

static const bp_option options[] = {
    BP_OPTION_INT(struct settings, count, .initial = "1"),
};

BP_PLUGIN(health, "option_no_help", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .instance_size = sizeof(struct settings), .options = BP_TABLE(options))
