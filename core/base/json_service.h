/* json_service.h - the table behind json.h of the SDK, of the server and of the fake host alike. */
#ifndef CORE_BASE_JSON_SERVICE_H
#define CORE_BASE_JSON_SERVICE_H

#include <backplane/json.h>

struct arena;

extern const bp_json_service json_service;

/* The arena of a call, for the values read. The owner of the table defines it: core/plugin, and
 * the fake host of sdk/testhost. */
struct arena *call_memory(bp_call *call);

#endif
