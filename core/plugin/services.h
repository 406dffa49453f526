/* services.h - the host's services for plugins: the tables behind the headers of the SDK. */
#ifndef CORE_PLUGIN_SERVICES_H
#define CORE_PLUGIN_SERVICES_H

#include "plugin/registry.h"

/* call, loop, json, metrics, host: what this layer and those below it serve. stream and http come
 * from core/net, web from core/api; the host puts them together into one list. */
extern const struct host_service plugin_services[];
extern const size_t              plugin_service_count;
extern const struct host_service net_services[]; /* http and stream: core/net's client */
extern const size_t              net_service_count;

/* Runs fn(call, arg) on the call's fiber: directly there, or handed over from a job on a pool
 * thread. Every service that suspends goes through it, so that a BP_BLOCKING plugin may use them
 * all. */
bp_status service_on_fiber(bp_call *call, bp_status (*fn)(bp_call *call, void *arg), void *arg);

#endif
