/* backplane/stream.h - a TCP or Unix-socket connection to another server, as straight-line code. */
#ifndef BACKPLANE_STREAM_H
#define BACKPLANE_STREAM_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_stream
    bp_stream; /* belongs to the call that opened it and closes with it, see bp_keep_stream() */

/* The TLS settings of a connection. Files are PEM; empty: not used. */
typedef struct bp_tls {
    uint32_t struct_size;
    bool     is_unverified; /* any certificate will do: for tests only */
    bp_str
        server_name; /* what the certificate must be for, a name or an address; also sent as SNI */
    bp_str ca_file;  /* certificates to trust; empty: those of the machine */
    bp_str certificate_file; /* of the client, with its chain */
    bp_str key_file;
} bp_tls;

typedef struct bp_stream_service {
    uint32_t struct_size;
    bp_status (*connect)(bp_call *call, bp_str address, int64_t deadline_ns, bp_stream **stream);
    bp_status (*read)(bp_call *call, bp_stream *stream, void *bytes, size_t max,
                      int64_t deadline_ns, size_t *count);
    bp_status (*write)(bp_call *call, bp_stream *stream, bp_str bytes, int64_t deadline_ns);
    void (*close)(bp_stream *stream);
    bp_status (*start_tls)(bp_call *call, bp_stream *stream, const bp_tls *tls,
                           int64_t deadline_ns);
    bp_status (*keep)(bp_call *call, bp_stream *stream, bp_stream **kept);
    bp_status (*resolve)(bp_call *call, bp_str host, int64_t deadline_ns, const bp_str **addresses,
                         size_t *count);
} bp_stream_service;

BP_SERVICE(stream, bp_stream_service, 1)

/* Connects to "host:port", "[v6]:port" or "unix:/path". Names are resolved without blocking the
 * loop and every address is tried until `deadline_ns`. BP_UNAVAILABLE (with errno in the error slot
 * and a sentence that names the address), BP_INVALID, BP_DEADLINE, BP_CANCELLED. */
static inline bp_status bp_connect(bp_call *call, bp_str address, int64_t deadline_ns,
                                   bp_stream **stream) BP_SUSPENDS
{
    return bp_service_stream->connect(call, address, deadline_ns, stream);
}

/* Reads the available bytes, at least one; *count 0 with BP_OK is the end of the stream. */
static inline bp_status bp_read(bp_call *call, bp_stream *stream, void *bytes, size_t max,
                                int64_t deadline_ns, size_t *count) BP_SUSPENDS
{
    return bp_service_stream->read(call, stream, bytes, max, deadline_ns, count);
}

/* Writes all of it, or fails. */
static inline bp_status bp_write(bp_call *call, bp_stream *stream, bp_str bytes,
                                 int64_t deadline_ns) BP_SUSPENDS
{
    return bp_service_stream->write(call, stream, bytes, deadline_ns);
}

/* Closes early; the end of the call closes open streams. Calls that wait for the stream (only a
 * kept one can have them) get BP_UNAVAILABLE. Nobody may use it afterwards.
 */
static inline void bp_close(bp_stream *stream)
{
    bp_service_stream->close(stream);
}

/* Switches to TLS 1.2 or later and checks the certificate. BP_UNAVAILABLE with the reason in words,
 * BP_INVALID (a file cannot be read), BP_DEADLINE, BP_CANCELLED. After a failure the stream is
 * unusable. */
static inline bp_status bp_start_tls(bp_call *call, bp_stream *stream, const bp_tls *tls,
                                     int64_t deadline_ns) BP_SUSPENDS
{
    return bp_service_stream->start_tls(call, stream, tls, deadline_ns);
}

/* Takes the stream from the call: *kept belongs to the plugin and lives until bp_close(), in
 * worker_stop at the latest. Do not use `stream` afterwards. Calls of the same worker may use it
 * one after another, one reading and one writing at a time. Connection pools are built on this.
 * BP_NO_MEMORY. */
static inline bp_status bp_keep_stream(bp_call *call, bp_stream *stream, bp_stream **kept)
{
    return bp_service_stream->keep(call, stream, kept);
}

/* The addresses of a host as text ("192.0.2.7", "2001:db8::1"), in the order in which to try them,
 * without blocking the loop; for libraries that would block on names. An address is its own answer.
 * BP_UNAVAILABLE, BP_DEADLINE, BP_CANCELLED. */
static inline bp_status bp_resolve(bp_call *call, bp_str host, int64_t deadline_ns,
                                   const bp_str **addresses, size_t *count) BP_SUSPENDS
{
    return bp_service_stream->resolve(call, host, deadline_ns, addresses, count);
}

#ifdef __cplusplus
}
#endif
#endif
