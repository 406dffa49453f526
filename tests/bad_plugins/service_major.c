/* service_major.c - requires another major version of a service. */
#include "sound.h"

static const void      *slot;
static const bp_require require_more
    __attribute__((used, section("bp_requires"), aligned(8))) = { "call", 7, 8, &slot };

BP_PLUGIN(health, "service_major", "1.0.0", .ops = &sound_ops)
