/* line_server.h - lines in, lines out, over two descriptors: each line that comes is handled on a
 * fiber of its own.
 *
 * What handlers write within one turn of the loop goes out at once, whole lines in the order in
 * which they were written. A peer that does not read holds back first the handlers, then the
 * reading.
 */
#ifndef NET_LINE_SERVER_H
#define NET_LINE_SERVER_H

#include "loop/call.h"

struct line_server;

/* `line` has no line end and lives until the handler returns. `is_too_long`: it was longer than
 * allowed, and is what `digest` made of it. */
typedef void (*line_handler)(bp_call *call, struct line_server *server, bp_str line,
                             bool is_too_long, void *arg);

struct line_server_options {
    int     in, out;
    size_t  line_bytes_max;
    int64_t call_timeout_ns;
    int64_t grace_ns; /* what handlers get when the input has ended; then they are cancelled */
    const bp_principal *principal;
    line_handler        handler;
    /* Is given a line that is longer than allowed piece by piece, and at its end, with no more
     * bytes, says what the handler is to get of it; NULL: nothing. */
    bp_str (*digest)(void *arg, bp_str bytes, bool is_end);
    void (*input_ended)(void *arg); /* so that what waits for news ends at once; may be NULL */
    void *arg;
};

/* Serves until the input has ended and all handlers have returned, or until the output is closed by
 * its reader. */
bp_status line_serve(bp_call *call, const struct line_server_options *options) BP_SUSPENDS;
/* Adds a line and its end. Suspends while the peer is slow; BP_CANCELLED when the output is closed.
 */
bp_status line_write(bp_call *call, struct line_server *server, bp_str line) BP_SUSPENDS;

#endif
