/* buf.h - a growing byte buffer with a maximum that is stated when it is made.
 *
 * It is the bp_buf of the SDK. It lives in an arena, or on the heap when none is given and then has
 * to be freed. Errors stick: after the first write that does not fit, buf_str() is empty and
 * buf_status() says why.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include "base/arena.h"

struct bp_buf {
    struct arena *arena; /* NULL: the heap */
    char         *data;
    size_t        len;
    size_t        capacity;
    size_t        max_bytes;
    bp_status     status;
};

void buf_init(struct bp_buf *buf, struct arena *arena, size_t max_bytes);
void buf_free(struct bp_buf *buf); /* only needed on the heap, harmless elsewhere */
void buf_reset(struct bp_buf *buf);
void buf_add(struct bp_buf *buf, bp_str bytes); /* buf may be NULL: then nothing happens */
void buf_add_char(struct bp_buf *buf, char c);
void buf_addf(struct bp_buf *buf, const char *format, ...) BP_FORMAT(2, 3);
/* Room for `size_bytes` more at the end, to be written by the caller and then counted by
 * buf_commit(). NULL when it would pass the maximum. */
char *buf_reserve(struct bp_buf *buf, size_t size_bytes);
void  buf_commit(struct bp_buf *buf, size_t size_bytes);
/* Drops the first `count` bytes. */
void buf_consume(struct bp_buf *buf, size_t count);
/* Valid until the next write; NUL-terminated behind its end. */
bp_str    buf_str(struct bp_buf *buf);
bp_status buf_status(const struct bp_buf *buf);

#endif
