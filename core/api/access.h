/* access.h - counts and logs every request, also refused and failed ones. */
#ifndef CORE_API_ACCESS_H
#define CORE_API_ACCESS_H

#include "api/api.h"

/* nginx's number for a client that was gone before its answer was. */
enum { STATUS_CLIENT_GONE = 499 };

/* The answer is out, or never will be. `route` NULL: none was found. `failed` is the error that cut
 * an answer short, or the status answered; BP_OK: nothing. */
void access_note(struct api *api, struct http_exchange *exchange, struct route *route,
                 bp_status failed, int64_t duration_ns);
/* For http_server_on_refusal(); `arg` is the api. */
void access_note_refusal(const struct http_refusal *refusal, void *arg);

#endif
