/* spins.c - an operation computes on the loop for 400 ms. */
#include "spin.h"

static bp_status check(bp_call *call, void *instance, bp_health *health)
{
    spin(BP_MILLISECONDS(400));
    return say_ok(call, instance, health);
}

HEALTH_PLUGIN("spins", check, .flags = 0)
