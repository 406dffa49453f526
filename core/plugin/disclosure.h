/* disclosure.h - how much of a back end's failure the clients of this server may see.
 *
 * An error has two readers. The operator's sentence names hosts, users, paths and what another
 * server said; a client is told which part failed and how, and has the request id to ask with. Apps
 * quote what they failed with, so an app never sees the operator's sentence: it is in the log, and
 * the error that the app gets has the client's.
 */
#ifndef CORE_PLUGIN_DISCLOSURE_H
#define CORE_PLUGIN_DISCLOSURE_H

#include "plugin/instance.h"

/* The error in the call's slot is of an operation of `instance`, for `caller`, NULL: the host. */
void disclosure_decide(bp_call *call, const struct instance *instance,
                       const struct instance *caller, bp_status status);
/* The same for a failure of the host's own network client that an app uses. */
void disclosure_of_network(bp_call *call, bp_status status);

#endif
