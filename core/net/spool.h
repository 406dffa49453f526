/* spool.h - a body that comes in while its client is slow: the first bytes in memory, the rest in
 * an unlinked file.
 *
 * What waits for a client must not be counted in memory, as there may be as many of them as there
 * are connections. The file lies in $TMPDIR, or /tmp; where none can be made there the body stays
 * in memory. What all of them hold, and what those of one client do, is bounded (`spool_room`): a
 * disk is not larger than what slow clients would send.
 */
#ifndef NET_SPOOL_H
#define NET_SPOOL_H

#include "base/buf.h"
#include "base/metrics.h"
#include "base/shares.h"
#include "loop/pool.h"

enum { SPOOL_MEMORY_BYTES = 256 << 10 };

/* What all spools of a process hold, in bytes. */
struct spool_room {
    struct shares        *shares;
    struct metric_series *held;
};

struct spool {
    struct bp_buf      memory;
    struct bp_pool    *pool; /* its threads write; NULL: nothing is written */
    int                fd;   /* -1: none yet */
    uint64_t           written;
    bool               has_no_file;
    struct spool_room *room;
    uint8_t            client[SHARE_DIGEST_BYTES];
    size_t             counted; /* in `room`, for `client` */
};

/* False: no memory. Closing it twice is allowed. */
bool spool_room_init(struct spool_room *room, size_t client_bytes_max, size_t all_bytes_max);
void spool_room_free(struct spool_room *room);

/* `client`: who sends, as call->client has it. */
void spool_init(struct spool *spool, struct bp_pool *pool, size_t max_bytes,
                struct spool_room *room, uint64_t client);
/* BP_LIMIT: the client's bodies are as large together as those of one may be. BP_UNAVAILABLE: those
 * of all are, or there is no room for the file. BP_NO_MEMORY. */
bp_status spool_add(bp_call *call, struct spool *spool, bp_str piece) BP_SUSPENDS;
/* Bytes that are kept elsewhere until spool_free() count as if they were here. The same statuses.
 */
bp_status spool_count(bp_call *call, struct spool *spool, size_t bytes);
/* All of it, NUL-terminated, in `arena`. */
bp_status spool_take(bp_call *call, struct spool *spool, struct arena *arena,
                     bp_str *body) BP_SUSPENDS;
void      spool_free(struct spool *spool);

#endif
