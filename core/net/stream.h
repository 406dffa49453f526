/* stream.h - a TCP or Unix-socket connection to another server: implements stream.h of the SDK.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <backplane/stream.h>

#include "loop/call.h"

/* Connects to "host:port", "[v6]:port" or "unix:/path"; tries every address until `deadline_ns`.
 * The stream belongs to the call's arena and is closed with it. */
bp_status stream_connect(bp_call *call, bp_str address, int64_t deadline_ns,
                         struct bp_stream **stream) BP_SUSPENDS;
bp_status stream_read(bp_call *call, struct bp_stream *stream, void *bytes, size_t max,
                      int64_t deadline_ns, size_t *count) BP_SUSPENDS;
bp_status stream_write(bp_call *call, struct bp_stream *stream, bp_str bytes,
                       int64_t deadline_ns) BP_SUSPENDS;
/* On its worker. Of a call's stream twice is once; a kept one is gone. */
void stream_close(struct bp_stream *stream);

bp_status stream_start_tls(bp_call *call, struct bp_stream *stream, const bp_tls *wanted,
                           int64_t deadline_ns) BP_SUSPENDS;
/* The stream becomes one that no call owns; `open` counts it until stream_close(), NULL: nobody
 * counts. */
bp_status stream_keep(bp_call *call, struct bp_stream *stream, _Atomic int *open,
                      struct bp_stream **kept);
bp_status stream_resolve(bp_call *call, bp_str host, int64_t deadline_ns, const bp_str **addresses,
                         size_t *count) BP_SUSPENDS;

/* Of a TCP connection to another server: one that was cut without a word is noticed within half a
 * minute. */
void stream_notice_loss(int fd);

/* "connection refused": what strerror() says, as it stands in the middle of a sentence. */
const char *stream_reason(int error, char text[96]);

#endif
