/* overflows.c - recurses until its stack is used up. */
#include <stdlib.h>

#include "sound.h"

__attribute__((noinline)) static int dig(int depth)
{
    volatile char room[1024];

    room[0] = (char)depth;
    if (depth == 1 << 30)
        return 0;
    return dig(depth + 1) + room[0];
}

static bp_status handle(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance;
    (void)request;
    if (dig(1) == 0)
        return BP_INTERNAL;
    return bp_respond(call, response, 200, "text/plain", BP_STR("it went well"));
}

APP_PLUGIN("overflows", handle)
