/* run_service.h - long-lived work of plugins: the service behind <backplane/run.h>, and its routes.
 *
 *      GET    /runs          the caller's runs, the newest first
 *      GET    /runs/ID       one of them; ?wait=SECONDS waits for its end
 *      DELETE /runs/ID       cancels it
 *
 * The work of an instance begins in the edition that is shown, so that an older one can end; where
 * the conf changed the instance meanwhile, the client is asked to send its request again.
 */
#ifndef CORE_API_RUN_SERVICE_H
#define CORE_API_RUN_SERVICE_H

#include "api/api.h"
#include "api/web.h"

/* The place in the gate's statistics, behind those of commands. */
enum { RUN_OP = 464, RUN_WAIT_S_MAX = 60 };

extern const struct host_service run_service_entry;

/* On a worker: runs that begin from now on use the instances of this api. NULL: none can begin. */
void run_service_show(struct worker *worker, struct api *api);

bp_status runs_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status run_get(bp_call *call, void *instance, bp_request *request,
                  bp_response *response) BP_SUSPENDS;
bp_status run_delete(bp_call *call, void *instance, bp_request *request, bp_response *response);

#endif
