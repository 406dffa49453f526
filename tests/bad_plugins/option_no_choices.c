/* option_no_choices.c - an option of type ENUM has no choices. */
#include "sound.h"

struct settings {
    int64_t count;
    int32_t choice;
    int64_t wait_ns;
};

static const bp_option options[] = {
    BP_OPTION_ENUM(struct settings, choice, .help = "which"),
};

BP_PLUGIN(health, "option_no_choices", "1.0.0", .summary = "broken on purpose", .ops = &sound_ops,
          .instance_size = sizeof(struct settings), .options = BP_TABLE(options))
