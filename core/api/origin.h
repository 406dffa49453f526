/* origin.h - which Host and Origin a request may carry, so that a foreign page in a browser cannot
 * reach the server.
 *
 * A server on loopback is reached by any page with a name rebound to 127.0.0.1, unless the Host
 * is checked. So a listener on loopback takes loopback names and those of `server.allowed_hosts`;
 * one on a network takes any Host unless `allowed_hosts` names some. An Origin must be the server's
 * own, or be in `server.allowed_origins`.
 */
#ifndef CORE_API_ORIGIN_H
#define CORE_API_ORIGIN_H

#include "api/api.h"

/* BP_DENIED with a sentence. An allowed foreign origin gets its CORS headers. */
bp_status origin_check(const struct api *api, struct http_exchange *exchange);
/* Only this machine reaches the listener that the request came over. */
bool      origin_is_loopback_listener(const struct api *api, const struct http_exchange *exchange);
bool      origin_is_preflight(struct http_exchange *exchange);
bp_status origin_answer_preflight(struct http_exchange *exchange) BP_SUSPENDS;

#endif
