/* fails_silently.c - an operation fails and does not say why. */
#include "sound.h"

static bp_status check(bp_call *call, void *instance, bp_health *health)
{
    (void)call;
    (void)instance;
    (void)health;
    return BP_UPSTREAM;
}

HEALTH_PLUGIN("fails_silently", check, .flags = 0)
