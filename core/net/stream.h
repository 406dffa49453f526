/* stream.h - a TCP or Unix-socket connection to another server: what stream.h of the SDK promises. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "loop/call.h"

struct bp_stream;

/* Connects to "host:port", "[v6]:port" or "unix:/path"; tries every address until `deadline_ns`. The stream belongs
 * to the call's arena and is closed with it. */
bp_status stream_connect(bp_call *call, bp_str address, int64_t deadline_ns, struct bp_stream **stream) BP_SUSPENDS;
bp_status stream_read(bp_call *call, struct bp_stream *stream, void *bytes, size_t max, int64_t deadline_ns,
                      size_t *count) BP_SUSPENDS;
bp_status stream_write(bp_call *call, struct bp_stream *stream, bp_str bytes, int64_t deadline_ns) BP_SUSPENDS;
void      stream_close(struct bp_stream *stream); /* twice is once; any thread of the call */

/* "connection refused": what strerror() says, as it stands in the middle of a sentence. */
const char *stream_reason(int error, char text[96]);

#endif
