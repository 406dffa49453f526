/* session_store.h - what session.c and stream.c share. All of it is behind the store's lock. */
#ifndef CORE_MCP_SESSION_STORE_H
#define CORE_MCP_SESSION_STORE_H

#include <pthread.h>

#include "mcp/session.h"

struct subscription {
    struct subscription *next;
    size_t               len;
    char                 uri[];
};

struct session_store {
    pthread_mutex_t         lock;
    struct session        **buckets;
    struct session_client **clients; /* by sender */
    struct session_client  *first_client;
    struct session         *oldest, *newest; /* by last use */
    _Atomic uint32_t        count;
    struct session_limits   limits;
    size_t                  replay_bytes; /* kept now */
    uint64_t                next_serial;
    bool                    is_draining;
};

/* Under the lock: frees the stream and its events. */
void stream_drop(struct session_store *store, struct session *session,
                 struct session_stream *stream);

#endif
