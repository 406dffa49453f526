/* web.h - bp_request and bp_response of the SDK, over an exchange of the edge. */
#ifndef CORE_API_WEB_H
#define CORE_API_WEB_H

#include <backplane/app.h>

#include "api/router.h"
#include "net/http_server.h"
#include "plugin/registry.h"

struct bp_request {
    struct http_exchange *exchange;
    struct route_match    match;
};

struct bp_response {
    struct http_exchange  *exchange;
    bool                   is_event_stream;
    struct bp_command_run *run; /* of a command; NULL: it is none */
};

extern const struct host_service web_service_entry;

/* Answers with the status of `status` and the sentence in the call's error slot; once an answer has
 * begun, an event stream gets an event `error` and its end, the answer of a command its event
 * `end`, and any other stream is left without an end. Returns what it failed with, which is not
 * `status` when the server itself had cancelled the call. */
bp_status web_fail(bp_call *call, bp_response *response, bp_status status) BP_SUSPENDS;

#endif
