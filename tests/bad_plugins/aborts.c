/* aborts.c - gives up, and the process with it. */
#include <stdlib.h>

#include "sound.h"

static bp_status handle(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)call;
    (void)instance;
    (void)request;
    (void)response;
    abort();
}

APP_PLUGIN("aborts", handle)
