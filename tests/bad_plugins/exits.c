/* exits.c - ends the process as if it were its own. */
#include <stdlib.h>

#include "sound.h"

static bp_status handle(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)call;
    (void)instance;
    (void)request;
    (void)response;
    exit(3);
}

APP_PLUGIN("exits", handle)
