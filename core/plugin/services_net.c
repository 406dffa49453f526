/* services_net.c - the tables behind http.h and stream.h of the SDK; core/net does the work. */
#include <backplane/http.h>
#include <backplane/stream.h>

#include "net/http_client.h"
#include "net/stream.h"
#include "plugin/disclosure.h"
#include "plugin/instance.h"
#include "plugin/services.h"

/* What goes wrong on the network is told in the operator's words, which name the other server. */
static bp_status on_network(bp_call *call, bp_status (*fn)(bp_call *call, void *arg), void *arg)
{
    bp_status status = service_on_fiber(call, fn, arg);

    if (status != BP_OK)
        disclosure_of_network(call, status);
    return status;
}

/* ---- http ---- */

struct http_args {
    const bp_http_request *request;
    bp_http_response      *response;
    bp_http_stream       **opened, *stream;
    bp_str                *piece;
    bp_sse_event          *event;
    size_t                 max_bytes;
};

static bp_status do_fetch(bp_call *call, void *arg)
{
    struct http_args *a = arg;

    return http_client_fetch(call, a->request, a->response);
}

static bp_status service_fetch(bp_call *call, const bp_http_request *request,
                               bp_http_response *response)
{
    return on_network(call, do_fetch,
                      &(struct http_args){ .request = request, .response = response });
}

static bp_status do_open(bp_call *call, void *arg)
{
    struct http_args *a = arg;

    return http_client_open(call, a->request, a->response, a->opened);
}

static bp_status service_open(bp_call *call, const bp_http_request *request, bp_http_response *head,
                              bp_http_stream **stream)
{
    return on_network(call, do_open,
                      &(struct http_args){
                          .request = request, .response = head, .opened = stream });
}

static bp_status do_read(bp_call *call, void *arg)
{
    struct http_args *a = arg;

    return http_client_read(call, a->stream, a->piece);
}

static bp_status service_read(bp_call *call, bp_http_stream *stream, bp_str *piece)
{
    return on_network(call, do_read, &(struct http_args){ .stream = stream, .piece = piece });
}

static bp_status do_read_event(bp_call *call, void *arg)
{
    struct http_args *a = arg;

    return http_client_read_event(call, a->stream, a->max_bytes, a->event);
}

static bp_status service_read_event(bp_call *call, bp_http_stream *stream, size_t max_bytes,
                                    bp_sse_event *event)
{
    return on_network(call, do_read_event,
                      &(struct http_args){
                          .stream = stream, .max_bytes = max_bytes, .event = event });
}

static bp_status do_close(bp_call *call, void *arg)
{
    (void)call;
    http_client_close(arg);
    return BP_OK;
}

/* libcurl belongs to the worker: from a job the fiber closes, while the job waits. */
static void service_close(bp_http_stream *stream)
{
    if (stream)
        service_on_fiber(http_client_stream_call(stream), do_close, stream);
}

static const bp_http_service http_service = {
    .struct_size = sizeof(bp_http_service),
    .fetch = service_fetch,
    .open = service_open,
    .read = service_read,
    .read_event = service_read_event,
    .close = service_close,
};

/* ---- stream ---- */

struct stream_args {
    bp_str      text;
    void       *bytes;
    size_t      max, *count;
    int64_t     deadline_ns;
    bp_stream **opened, *stream;
};

static bp_status do_connect(bp_call *call, void *arg)
{
    struct stream_args *a = arg;

    return stream_connect(call, a->text, a->deadline_ns, a->opened);
}

static bp_status service_connect(bp_call *call, bp_str address, int64_t deadline_ns,
                                 bp_stream **stream)
{
    return on_network(call, do_connect,
                      &(struct stream_args){
                          .text = address, .deadline_ns = deadline_ns, .opened = stream });
}

static bp_status do_stream_read(bp_call *call, void *arg)
{
    struct stream_args *a = arg;

    return stream_read(call, a->stream, a->bytes, a->max, a->deadline_ns, a->count);
}

static bp_status service_stream_read(bp_call *call, bp_stream *stream, void *bytes, size_t max,
                                     int64_t deadline_ns, size_t *count)
{
    return on_network(call, do_stream_read,
                      &(struct stream_args){ .stream = stream,
                                             .bytes = bytes,
                                             .max = max,
                                             .deadline_ns = deadline_ns,
                                             .count = count });
}

static bp_status do_stream_write(bp_call *call, void *arg)
{
    struct stream_args *a = arg;

    return stream_write(call, a->stream, a->text, a->deadline_ns);
}

static bp_status service_stream_write(bp_call *call, bp_stream *stream, bp_str bytes,
                                      int64_t deadline_ns)
{
    return on_network(call, do_stream_write,
                      &(struct stream_args){
                          .stream = stream, .text = bytes, .deadline_ns = deadline_ns });
}

struct tls_args {
    bp_stream    *stream;
    const bp_tls *tls;
    int64_t       deadline_ns;
};

static bp_status do_start_tls(bp_call *call, void *arg)
{
    struct tls_args *a = arg;

    return stream_start_tls(call, a->stream, a->tls, a->deadline_ns);
}

static bp_status service_start_tls(bp_call *call, bp_stream *stream, const bp_tls *tls,
                                   int64_t deadline_ns)
{
    return on_network(call, do_start_tls,
                      &(struct tls_args){
                          .stream = stream, .tls = tls, .deadline_ns = deadline_ns });
}

static bp_status service_keep(bp_call *call, bp_stream *stream, bp_stream **kept)
{
    struct instance *instance = instance_of_call(call);

    return stream_keep(call, stream, instance ? &instance->unit->open_streams : NULL, kept);
}

struct resolve_args {
    bp_str         host;
    int64_t        deadline_ns;
    const bp_str **addresses;
    size_t        *count;
};

static bp_status do_resolve(bp_call *call, void *arg)
{
    struct resolve_args *a = arg;

    return stream_resolve(call, a->host, a->deadline_ns, a->addresses, a->count);
}

static bp_status service_resolve(bp_call *call, bp_str host, int64_t deadline_ns,
                                 const bp_str **addresses, size_t *count)
{
    return on_network(call, do_resolve,
                      &(struct resolve_args){ .host = host,
                                              .deadline_ns = deadline_ns,
                                              .addresses = addresses,
                                              .count = count });
}

static const bp_stream_service stream_service = {
    .struct_size = sizeof(bp_stream_service),
    .connect = service_connect,
    .read = service_stream_read,
    .write = service_stream_write,
    .close = stream_close,
    .start_tls = service_start_tls,
    .keep = service_keep,
    .resolve = service_resolve,
};

const struct host_service net_services[] = {
    { "http", 1, sizeof(http_service), &http_service },
    { "stream", 1, sizeof(stream_service), &stream_service },
};
const size_t net_service_count = sizeof(net_services) / sizeof(net_services[0]);
