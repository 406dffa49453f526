/* crashes.c - writes through a pointer to nowhere. */
#include <stdlib.h>

#include "sound.h"

static volatile uintptr_t instance_of_nowhere = 0x10;

static bp_status handle(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance;
    (void)request;
    *(volatile int *)(uintptr_t)instance_of_nowhere = 1;
    return bp_respond(call, response, 200, "text/plain", BP_STR("it went well"));
}

APP_PLUGIN("crashes", handle)
