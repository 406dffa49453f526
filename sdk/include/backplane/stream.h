/* backplane/stream.h - a TCP or Unix-socket connection to another server, as straight-line code. */
#ifndef BACKPLANE_STREAM_H
#define BACKPLANE_STREAM_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_stream bp_stream; /* belongs to the call that opened it and closes with it */

typedef struct bp_stream_service {
    uint32_t struct_size;
    bp_status (*connect)(bp_call *call, bp_str address, int64_t deadline_ns, bp_stream **stream);
    bp_status (*read)(bp_call *call, bp_stream *stream, void *bytes, size_t max, int64_t deadline_ns, size_t *count);
    bp_status (*write)(bp_call *call, bp_stream *stream, bp_str bytes, int64_t deadline_ns);
    void (*close)(bp_stream *stream);
} bp_stream_service;

BP_SERVICE(stream, bp_stream_service, 1)

/* Connects to "host:port", "[v6]:port" or "unix:/path". Names are resolved without blocking the loop and
 * every address is tried until `deadline_ns`. BP_UNAVAILABLE (with errno in the error slot and a sentence
 * that names the address), BP_INVALID, BP_DEADLINE, BP_CANCELLED. */
static inline bp_status bp_connect(bp_call *call, bp_str address, int64_t deadline_ns, bp_stream **stream) BP_SUSPENDS
{
    return bp_service_stream->connect(call, address, deadline_ns, stream);
}

/* Reads what there is, at least one byte; *count 0 with BP_OK is the end of the stream. */
static inline bp_status bp_read(bp_call *call, bp_stream *stream, void *bytes, size_t max, int64_t deadline_ns,
                                size_t *count) BP_SUSPENDS
{
    return bp_service_stream->read(call, stream, bytes, max, deadline_ns, count);
}

/* Writes all of it, or fails. */
static inline bp_status bp_write(bp_call *call, bp_stream *stream, bp_str bytes, int64_t deadline_ns) BP_SUSPENDS
{
    return bp_service_stream->write(call, stream, bytes, deadline_ns);
}

/* Closes early; the end of the call closes what is open. */
static inline void bp_close(bp_stream *stream) { bp_service_stream->close(stream); }

#ifdef __cplusplus
}
#endif
#endif
