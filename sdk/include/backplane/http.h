/* backplane/http.h - asking other HTTP servers, whole answers or streams, as straight-line code.
 *
 * Connections are pooled per worker and origin. Redirects are not followed unless asked for. The
 * traceparent and the request id of the call travel with every request. HTTP statuses are not
 * failures here: BP_OK means that a well-formed answer came, with any status.
 */
#ifndef BACKPLANE_HTTP_H
#define BACKPLANE_HTTP_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_http_header {
    bp_str name; /* without the colon; any case */
    bp_str value;
} bp_http_header;

typedef struct bp_http_request {
    uint32_t              struct_size;
    uint32_t              header_count;
    bp_str                method; /* empty: GET, or POST when there is a body */
    bp_str                url;    /* http:// or https:// */
    const bp_http_header *headers;
    bp_str                body;
    int64_t               connect_timeout_ns;    /* 0: 3 s */
    int64_t               first_byte_timeout_ns; /* 0: 60 s, to the end of the header block */
    int64_t               idle_timeout_ns;       /* 0: 30 s, between two pieces of the body */
    int64_t               deadline_ns;           /* 0: the call's own; monotonic */
    size_t                max_response_bytes;    /* 0: 32 MiB, decoded; more is BP_TOO_LARGE */
    uint32_t              max_redirects;         /* 0: none are followed; at most 10 */
    uint32_t              flags;                 /* none yet */
    bp_str ca_file; /* PEM: certificates to trust for https://; empty: those of the machine */
} bp_http_request;

typedef struct bp_http_response {
    uint32_t              struct_size;
    int32_t               status; /* 100 to 599 */
    bp_str                content_type;
    const bp_http_header *headers; /* names in lower case */
    size_t                header_count;
    bp_str                body;           /* decoded; empty for a stream */
    int64_t               retry_after_ns; /* from Retry-After, clamped to 1 to 300 s; 0: none */
} bp_http_response;

typedef struct bp_http_stream bp_http_stream; /* belongs to the call and ends with it */

/* One server-sent event. Strings are valid until the next one is read. */
typedef struct bp_sse_event {
    uint32_t struct_size;
    bool     is_end; /* the stream is over; nothing else is set */
    bp_str   event;  /* empty: "message" */
    bp_str   data;   /* lines joined by \n; NUL-terminated */
    bp_str   id;
} bp_sse_event;

typedef struct bp_http_service {
    uint32_t struct_size;
    bp_status (*fetch)(bp_call *call, const bp_http_request *request, bp_http_response *response);
    bp_status (*open)(bp_call *call, const bp_http_request *request, bp_http_response *head,
                      bp_http_stream **stream);
    bp_status (*read)(bp_call *call, bp_http_stream *stream, bp_str *piece);
    bp_status (*read_event)(bp_call *call, bp_http_stream *stream, size_t max_bytes,
                            bp_sse_event *event);
    void (*close)(bp_http_stream *stream);
} bp_http_service;

BP_SERVICE(http, bp_http_service, 1)

/* Sends a request and waits for the whole answer. BP_OK; BP_UNAVAILABLE (refused, reset, name not
 * found), BP_DEADLINE, BP_CANCELLED, BP_TOO_LARGE, BP_UPSTREAM (not HTTP), BP_INVALID (bad URL). */
static inline bp_status bp_http_fetch(bp_call *call, const bp_http_request *request,
                                      bp_http_response *response) BP_SUSPENDS
{
    response->struct_size = (uint32_t)sizeof(*response);
    return bp_service_http->fetch(call, request, response);
}

static inline bp_status bp_http_get(bp_call *call, bp_str url,
                                    bp_http_response *response) BP_SUSPENDS
{
    bp_http_request request;
    memset(&request, 0, sizeof(request));
    request.struct_size = (uint32_t)sizeof(request);
    request.url = url;
    return bp_http_fetch(call, &request, response);
}

static inline bp_status bp_http_post_json(bp_call *call, bp_str url, bp_str json,
                                          bp_http_response *response) BP_SUSPENDS
{
    bp_http_header  header = { { "Content-Type", 12 }, { "application/json", 16 } };
    bp_http_request request;
    memset(&request, 0, sizeof(request));
    request.struct_size = (uint32_t)sizeof(request);
    request.url = url;
    request.headers = &header;
    request.header_count = 1;
    request.body = json;
    return bp_http_fetch(call, &request, response);
}

/* Sends a request and returns when the header block is there. Then read the body piece by piece;
 * the sender waits for a slow reader. */
static inline bp_status bp_http_open(bp_call *call, const bp_http_request *request,
                                     bp_http_response *head, bp_http_stream **stream) BP_SUSPENDS
{
    head->struct_size = (uint32_t)sizeof(*head);
    return bp_service_http->open(call, request, head, stream);
}

/* The next piece, valid until the next read; empty with BP_OK at the end of the body. A body that
 * ends before its announced length is BP_UPSTREAM, never a quiet end. */
static inline bp_status bp_http_read(bp_call *call, bp_http_stream *stream,
                                     bp_str *piece) BP_SUSPENDS
{
    return bp_service_http->read(call, stream, piece);
}

/* The next server-sent event of at most `max_bytes`. Comments and empty events are skipped. */
static inline bp_status bp_http_read_event(bp_call *call, bp_http_stream *stream, size_t max_bytes,
                                           bp_sse_event *event) BP_SUSPENDS
{
    event->struct_size = (uint32_t)sizeof(*event);
    return bp_service_http->read_event(call, stream, max_bytes, event);
}

static inline void bp_http_close(bp_http_stream *stream)
{
    bp_service_http->close(stream);
}

#ifdef __cplusplus
}
#endif
#endif
