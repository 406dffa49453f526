/* grows.c - each check keeps 64 bytes for ever; backplane conform must notice. */
#include "sound.h"

#include <stdlib.h>

enum { KEPT_BYTES = 64 };

struct kept {
    struct kept *before;
    char         bytes[KEPT_BYTES - sizeof(void *)];
};

static struct kept *_Atomic last;

static bp_status check(bp_call *call, void *instance, bp_health *health)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        return bp_fail(call, BP_NO_MEMORY, "no memory to waste");
    kept->before = last;
    last = kept;
    return say_ok(call, instance, health);
}

HEALTH_PLUGIN("grows", check, .flags = 0)
