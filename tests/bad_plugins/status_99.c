/* status_99.c - an operation ends with a status that does not exist. */
#include "sound.h"

static bp_status check(bp_call *call, void *instance, bp_health *health)
{
    (void)call;
    (void)instance;
    (void)health;
    return 99;
}

HEALTH_PLUGIN("status_99", check, .flags = 0)
