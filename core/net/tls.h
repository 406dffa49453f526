/* tls.h - TLS on a connection to another server, by OpenSSL on a non-blocking socket. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <backplane/stream.h>

#include "loop/watch.h"

struct tls;

/* The handshake. `address` is for sentences. What fails says why in words of an operator: which
 * certificate, of whom, and its fault. BP_OK, BP_UNAVAILABLE, BP_INVALID (files), BP_DEADLINE,
 * BP_CANCELLED, BP_NO_MEMORY. */
bp_status tls_start(bp_call *call, int fd, struct watch *watch, const bp_tls *wanted,
                    bp_str address, int64_t deadline_ns, struct tls **tls) BP_SUSPENDS;
/* As read() and write() on the socket: *count bytes, 0 for the end. */
bp_status tls_read(bp_call *call, struct tls *tls, void *bytes, size_t max, int64_t deadline_ns,
                   size_t *count) BP_SUSPENDS;
bp_status tls_write(bp_call *call, struct tls *tls, bp_str bytes, int64_t deadline_ns,
                    size_t *count) BP_SUSPENDS;
/* Says goodbye if that needs no waiting. The socket stays open. NULL is allowed. */
void tls_end(struct tls *tls);

#endif
