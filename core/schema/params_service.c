/* params_service.c - the table behind param.h of the SDK, of the server and of the fake host alike.
 */
#include <backplane/call.h>

#include "base/json_service.h"
#include "schema/params.h"

static bp_status service_read(bp_call *call, const bp_params *params, const bp_json *arguments,
                              void *values)
{
    struct reason why;

    return params_read(params, arguments, values, &why) ? BP_OK
                                                        : bp_fail(call, BP_INVALID, "%s", why.text);
}

static bp_status service_schema(bp_call *call, const bp_params *params, bp_str *text)
{
    struct reason why;
    const char   *written = NULL;

    if (!params_text(call_memory(call), params, &written, &why))
        return bp_fail(call, BP_INVALID, "%s", why.text);
    *text = written ? bp_str_of(written) : (bp_str){ NULL, 0 };
    return BP_OK;
}

const bp_params_service params_service = { .struct_size = sizeof(params_service),
                                           .read = service_read,
                                           .schema = service_schema };
