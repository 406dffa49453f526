/* methods.h - the methods of the protocol, as a table. */
#ifndef CORE_MCP_METHODS_H
#define CORE_MCP_METHODS_H

#include "mcp/request.h"

/* What a header Mcp-Name repeats of the params. */
enum method_flags {
    METHOD_IS_NAMED = 1u << 0,
    METHOD_HAS_URI = 1u << 1,
    METHOD_HAS_TASK = 1u << 2
};

struct method {
    const char *name;
    uint32_t    eras;
    uint32_t    flags;
    method_run  run;
};

/* NULL: the era has no such method. */
const struct method *method_find(bp_str name, bool is_modern);

/* "name/version" of an Implementation object. */
bp_str request_client_name(bp_call *call, const bp_json *info);

#endif
