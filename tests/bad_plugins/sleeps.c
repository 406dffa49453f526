/* sleeps.c - an operation waits for longer than it is allowed. */
#include "sound.h"

static bp_status check(bp_call *call, void *instance, bp_health *health)
{
    BP_TRY(bp_sleep(call, BP_SECONDS(3600)));
    return say_ok(call, instance, health);
}

HEALTH_PLUGIN("sleeps", check, .flags = 0)
