/* log_queue.h - what the files of the log share: the queue to the writer's thread. */
#ifndef CORE_BASE_LOG_QUEUE_H
#define CORE_BASE_LOG_QUEUE_H

#include <pthread.h>

#include "base/buf.h"
#include "base/log.h"

enum { RATE_SLOTS = 256 };

/* Whole lines, one or those of a turn. */
struct log_block {
    size_t   len;
    uint32_t lines;
    char     text[];
};

/* How many lines an event has written in the current second; events share a slot when their hashes
 * meet. */
struct rate_slot {
    _Atomic int64_t  second;
    _Atomic uint32_t lines;
};

struct log {
    _Atomic uint32_t level;
    uint32_t         rate_per_s;
    _Atomic int      fd;
    char            *path;
    struct rate_slot rates[RATE_SLOTS];
    _Atomic uint64_t dropped, suppressed;
    uint64_t         told_dropped, told_suppressed; /* the writer's: what a line has said of them */
    int64_t          told_ns;

    pthread_t          thread;
    pthread_mutex_t    lock;
    pthread_cond_t     filled, drained;
    struct log_block **ring;
    uint32_t           size, head, count; /* the oldest block is ring[head] */
    uint32_t           lines;             /* in all of them; at most `size` */
    struct log_batch  *batches;
    bool               is_writing, is_closing;
    bool is_torn; /* the writer's: a line was cut off by a full disk, the next one begins behind a
                     line end */
};

/* A line with its end; `is_urgent`: not only at the end of the turn. */
void log_queue_line(struct log *log, bp_str line, bool is_urgent);

#endif
