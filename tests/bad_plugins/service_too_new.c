/* service_too_new.c - requires more functions of a service than this host has. */
#include "sound.h"

static const void      *slot;
static const bp_require require_more
    __attribute__((used, section("bp_requires"), aligned(8))) = { "call", 1, 100000, &slot };

BP_PLUGIN(health, "service_too_new", "1.0.0", .ops = &sound_ops)
