/* who.h - the fields of a request's log line that identify the client: key, user agent, trace.
 */
#ifndef CORE_API_WHO_H
#define CORE_API_WHO_H

#include "net/http_server.h"

enum { WHO_FIELDS_MAX = 3, WHO_AGENT_BYTES = 200, WHO_ID_BYTES = 200 };

/* key_id (of an API key its id, of a token its subject), user_agent and trace_id (when the caller
 * sent a traceparent, or somebody asked for one), as far as there are any; how many were written.
 * The texts live as long as the exchange. */
size_t who_fields(struct http_exchange *exchange, bp_field fields[WHO_FIELDS_MAX]);

#endif
