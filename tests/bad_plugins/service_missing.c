/* service_missing.c - requires a service that no host has. */
#include "sound.h"

struct telepathy {
    uint32_t struct_size;
    void (*listen)(void);
};

BP_SERVICE(telepathy, struct telepathy, 1)
BP_PLUGIN(health, "service_missing", "1.0.0", .ops = &sound_ops)
