/* http_client.h - requests to other HTTP servers from a fiber: implements http.h of the SDK.
 *
 * One client a worker: libcurl's multi interface on the worker's loop, with pooled connections. It
 * is made by the first request. HTTP/1.1 only, no proxy whatever the environment says, certificates
 * are verified, names are resolved by dns.h so that nothing blocks the loop, redirects are followed
 * only as often as a request allows and never carry credentials to another origin.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <backplane/http.h>

#include "loop/call.h"

enum {
    HTTP_CLIENT_HOST_CONNECTIONS_MAX = 32,
    HTTP_CLIENT_CONNECTIONS_MAX = 256,
    HTTP_CLIENT_HEAD_MAX_BYTES = 64 << 10,
    HTTP_CLIENT_STREAM_MAX_BYTES = 256 << 10, /* bytes kept for a reader that does not read */
    HTTP_CLIENT_REDIRECTS_MAX = 10,
    HTTP_CLIENT_RATIO_MAX = 100, /* decoded to received bytes, above 1 MiB */
};

bp_status http_client_fetch(bp_call *call, const bp_http_request *request,
                            bp_http_response *response) BP_SUSPENDS;
bp_status http_client_open(bp_call *call, const bp_http_request *request, bp_http_response *head,
                           bp_http_stream **stream) BP_SUSPENDS;
bp_status http_client_read(bp_call *call, bp_http_stream *stream, bp_str *piece) BP_SUSPENDS;
bp_status http_client_read_event(bp_call *call, bp_http_stream *stream, size_t max_bytes,
                                 bp_sse_event *event) BP_SUSPENDS;
void      http_client_close(bp_http_stream *stream);             /* on the worker; twice is once */
bp_call  *http_client_stream_call(const bp_http_stream *stream); /* that opened it */

/* Requests under way on this worker; 0 when nothing leaks. */
uint32_t http_client_transfers(struct worker *worker);
/* When a worker ends, on its thread, after its last call and before worker_free(): closes the
 * pooled connections and the DNS cache. */
void http_client_free(struct worker *worker);

#endif
