/* undefined_symbol.c - linked without -z defs, it calls a function that is nowhere. */
#include "sound.h"

void function_that_is_nowhere(void);

static bp_status call_it(bp_call *call, void *instance, bp_health *health)
{
    function_that_is_nowhere();
    return say_ok(call, instance, health);
}

HEALTH_PLUGIN("undefined_symbol", call_it, .flags = 0)
