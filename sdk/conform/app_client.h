/* app_client.h - a client that knows only the tables of an app: it calls its routes and tools, and
 * judges the answers. */
#ifndef BACKPLANE_CONFORM_APP_CLIENT_H
#define BACKPLANE_CONFORM_APP_CLIENT_H

#include <backplane/param.h>

#include "conform.h"
#include "sample.h"

/* One thing that can be asked: a route, or a tool by POST /mcp/{app}. */
struct app_target {
    const bp_route    *route; /* of which a table with a shorter stride has only the beginning */
    const bp_mcp_tool *tool;  /* as well */
    const bp_params   *params, *results;
    char               label[160]; /* "POST /api/v1/search", "tool search_documents" */
};

size_t            app_target_count(const struct conform *conform);
struct app_target app_target_at(const struct conform *conform, size_t index);
/* It only reads, as far as its table says: a GET route, a scope that ends with "read", a read-only
 * tool. */
bool app_target_reads(const struct app_target *target);
/* The schema of its body or arguments; data NULL: none, or one that cannot be made, which the
 * host has refused. */
bp_str app_target_schema(bp_call *call, const struct app_target *target);
/* The schema that a text or a table gives; data NULL: neither is there. */
bp_str app_schema_of(bp_call *call, const char *text, const bp_params *table);

/* A request as the tables describe it: texts of `wish` in the path, the query (a whole wish only)
 * and the body. */
bp_status app_request_make(bp_call *call, const struct conform *conform,
                           const struct app_target *target, const struct sample_wish *wish,
                           struct conform_request *request);
/* The same with these bytes as the body of a route or the arguments of a tool. */
bp_status app_request_with(bp_call *call, const struct conform *conform,
                           const struct app_target *target, bp_str body,
                           struct conform_request *request);

/* Fails the call unless the answer is one that a client can use: no 500, not cut short, an error
 * with its sentence. */
bp_status app_judge(bp_call *call, const struct app_target *target,
                    const struct conform_reply *reply);
/* A tool's answer is a refusal: of the protocol, or a result that says it is an error. */
bool app_is_refused(bp_call *call, const struct conform_reply *reply);
/* Asks and judges; the sentence of a failure has the request. In scratch memory. */
bp_status app_ask(bp_call *call, const struct conform *conform, const struct app_target *target,
                  const struct conform_request *request);
/* With a small request as the tables describe it. */
bp_status app_ask_simply(bp_call *call, const struct conform *conform,
                         const struct app_target *target);

/* What the lists of the app show: "label<TAB>value" lines of all ids and names that its reading
 * routes and tools give when they are asked for nothing in particular. */
bp_status app_shown(bp_call *call, const struct conform *conform, bp_str *lines);

#endif
