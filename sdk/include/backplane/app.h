/* backplane/app.h - the interface of an app: routes and their handlers.
 *
 * A handler is straight-line code on a fiber. It reads a bp_request, writes a bp_response, and returns a
 * status: BP_OK when it has answered, anything else makes the host answer with the status of that code and
 * a body that carries the sentence in the error slot:
 *
 *      {"error": {"code": "not_found", "message": "there is no collection \"x\"", "request_id": "..."}}
 */
#ifndef BACKPLANE_APP_H
#define BACKPLANE_APP_H

#include <backplane/json.h>
#include <backplane/peer.h>
#include <backplane/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_app 1

typedef struct bp_request  bp_request;  /* both belong to the call */
typedef struct bp_response bp_response;

typedef struct bp_web_service {
    uint32_t struct_size;
    bp_str (*method)(const bp_request *request);
    bp_str (*path)(const bp_request *request);
    bp_str (*header)(const bp_request *request, const char *name);
    bp_str (*path_value)(const bp_request *request, const char *name);
    bool (*query_value)(const bp_request *request, const char *name, bp_str *value);
    int64_t (*body_length)(const bp_request *request);
    bp_status (*body)(bp_call *call, bp_request *request, bp_str *bytes);
    bp_status (*body_read)(bp_call *call, bp_request *request, bp_str *piece);

    bp_status (*set_header)(bp_response *response, const char *name, bp_str value);
    bp_status (*send)(bp_call *call, bp_response *response, int32_t status, const char *content_type, bp_str body);
    bp_status (*stream)(bp_call *call, bp_response *response, int32_t status, const char *content_type);
    bp_status (*write)(bp_call *call, bp_response *response, bp_str bytes);
    bp_status (*sse_event)(bp_call *call, bp_response *response, const char *event, bp_str data);
} bp_web_service;

BP_SERVICE(web, bp_web_service, 1)

/* ---- the request: strings live as long as the call ---- */

static inline bp_str bp_request_method(const bp_request *r) { return bp_service_web->method(r); }
/* Decoded, without the query; dots and double slashes never get this far. */
static inline bp_str bp_request_path(const bp_request *r) { return bp_service_web->path(r); }
/* Empty when absent; values of a repeated header are joined by ", ". Any case. */
static inline bp_str bp_request_header(const bp_request *r, const char *name)
{
    return bp_service_web->header(r, name);
}
/* What {name} of the route's path stands for, decoded. */
static inline bp_str bp_request_path_value(const bp_request *r, const char *name)
{
    return bp_service_web->path_value(r, name);
}
/* The first ?name=value, decoded; false when absent. */
static inline bool bp_request_query(const bp_request *r, const char *name, bp_str *value)
{
    return bp_service_web->query_value(r, name, value);
}
/* As announced; -1 when the body is chunked. */
static inline int64_t bp_request_body_length(const bp_request *r) { return bp_service_web->body_length(r); }
/* The whole body, up to the route's body_max_bytes (BP_TOO_LARGE). */
static inline bp_status bp_request_body(bp_call *call, bp_request *r, bp_str *bytes) BP_SUSPENDS
{
    return bp_service_web->body(call, r, bytes);
}
/* The next piece of the body, valid until the next read; empty with BP_OK at its end. A client that sends
 * faster than this reads is held back. */
static inline bp_status bp_request_read(bp_call *call, bp_request *r, bp_str *piece) BP_SUSPENDS
{
    return bp_service_web->body_read(call, r, piece);
}

/* ---- the response ---- */

/* Before the first byte is sent. BP_INVALID for a name or value that may not stand in a header. */
static inline bp_status bp_response_header(bp_response *r, const char *name, bp_str value)
{
    return bp_service_web->set_header(r, name, value);
}
/* The whole answer at once. */
static inline bp_status bp_respond(bp_call *call, bp_response *r, int32_t status, const char *content_type,
                                   bp_str body) BP_SUSPENDS
{
    return bp_service_web->send(call, r, status, content_type, body);
}
static inline bp_status bp_respond_json(bp_call *call, bp_response *r, int32_t status, bp_json_writer *w) BP_SUSPENDS
{
    bp_str json;
    BP_TRY(bp_json_done(call, w, &json));
    return bp_respond(call, r, status, "application/json", json);
}
/* Begins a chunked answer; then bp_response_write() as often as wanted; the handler's return ends it. A
 * handler that fails afterwards has the connection cut, so that a client never takes a part for the whole. */
static inline bp_status bp_response_stream(bp_call *call, bp_response *r, int32_t status,
                                           const char *content_type) BP_SUSPENDS
{
    return bp_service_web->stream(call, r, status, content_type);
}
/* Suspends while the client is slow; BP_CANCELLED when it is gone. */
static inline bp_status bp_response_write(bp_call *call, bp_response *r, bp_str bytes) BP_SUSPENDS
{
    return bp_service_web->write(call, r, bytes);
}
/* One server-sent event; `event` NULL for "message". The first one begins the stream (text/event-stream,
 * not cached, X-Accel-Buffering: no); the host sends a comment after 15 s of silence. */
static inline bp_status bp_response_event(bp_call *call, bp_response *r, const char *event, bp_str data) BP_SUSPENDS
{
    return bp_service_web->sse_event(call, r, event, data);
}

/* ---- the table ---- */

typedef bp_status (*bp_handler)(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* Times 0 and sizes 0: the defaults of the conf. Texts are NUL-terminated and static. */
typedef struct bp_route {
    const char *method;  /* GET POST PUT PATCH DELETE */
    const char *path;    /* "/api/v1/collections/{name}"; {rest...} at the end takes the remaining segments */
    bp_handler  handler;
    const char *scope;   /* a key needs it: "retrieval:read"; NULL: no key needed */
    const char *summary; /* one line for /openapi.json and /docs */
    const char *request_schema;  /* JSON Schema of the body; NULL: no JSON body */
    const char *response_schema; /* JSON Schema of the 200 answer; NULL: not JSON */
    const char *query;           /* query parameters for the docs: "q: what to look for\nlimit: 1 to 100" */
    int64_t     deadline_ns;
    int64_t     body_max_bytes;
    uint32_t    rate_per_minute; /* for one key or address; 0: no limit of its own */
    uint32_t    flags;           /* none yet */
} bp_route;

/* The routes are read once, before the first request; the table is static. */
typedef struct bp_app_ops {
    uint32_t            struct_size;
    uint32_t            route_size; /* stride */
    const bp_route     *routes;
    size_t              route_count;
    const bp_migration *migrations; /* of the storage that the option `storage` names; run before worker_start */
    size_t              migration_count;
} bp_app_ops;

#ifdef __cplusplus
}
#endif
#endif
