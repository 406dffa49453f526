/* spool.h - a body that comes in while its client is slow: the first bytes in memory, the rest in an unlinked file.
 *
 * What waits for a client must not be counted in memory, as there may be as many of them as there are connections. The
 * file lies in $TMPDIR, or /tmp; where none can be made there the body stays in memory.
 */
#ifndef NET_SPOOL_H
#define NET_SPOOL_H

#include "base/buf.h"
#include "loop/pool.h"

enum { SPOOL_MEMORY_BYTES = 256 << 10 };

struct spool {
    struct bp_buf   memory;
    struct bp_pool *pool; /* whose threads write; NULL: nothing is written */
    int             fd;   /* -1: none yet */
    uint64_t        written;
    bool            has_no_file;
};

void      spool_init(struct spool *spool, struct bp_pool *pool, size_t max_bytes);
bp_status spool_add(bp_call *call, struct spool *spool, bp_str piece) BP_SUSPENDS; /* BP_NO_MEMORY, BP_UNAVAILABLE */
/* All of it, NUL-terminated, in `arena`. */
bp_status spool_take(bp_call *call, struct spool *spool, struct arena *arena, bp_str *body) BP_SUSPENDS;
void      spool_free(struct spool *spool);

#endif
