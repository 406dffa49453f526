/* parts.h - the parts of the client among themselves: where the server is, one connection, the
 * nodes. */
#ifndef REDIS_PARTS_H
#define REDIS_PARTS_H

#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/stream.h>

#include "redis/redis.h"

enum {
    ADDRESS_BYTES_MAX = 300,
    SEEDS_MAX = 32,
    NODES_MAX = 1000,
    SLOTS = 16384,
    REPLY_BYTES_MAX = 128 << 20,
    PUSHES_MAX = 100000,          /* on the way to one answer */
    QUEUED_BYTES_MAX = 256 << 20, /* not yet sent, on one connection */
    QUEUED_CALLS_MAX = 20000
};

/* ---- place.c: what the options say ---- */

struct redis_place {
    redis_topology topology;
    bool           is_tls;
    bp_str         user, password, master; /* in memory of the place */
    int64_t        database;
    char          *seeds[SEEDS_MAX]; /* "host:port" or "unix:/path" */
    size_t         seed_count;
    char          *memory;
};

/* BP_INVALID with a sentence. Freed by redis_place_free() in any case. */
bp_status redis_place_read(bp_call *call, const struct redis_options *options,
                           struct redis_place *place);
void      redis_place_free(struct redis_place *place);

/* ---- wire.c: one connection ---- */

/* What a call waits for on a connection. Outlives the call: the answer must come off the wire all
 * the same. */
struct redis_wait {
    struct redis_wait  *next;
    bp_waker           *waker; /* NULL: the call does not sleep, or is gone */
    uint64_t            begin; /* of its bytes, among all bytes ever queued on this connection */
    size_t              wanted, come;
    size_t              left_out;  /* answers thrown away, as the call is gone */
    bool                is_left;   /* the call is gone: nobody wants the answer */
    bool                is_asleep; /* in bp_wait() */
    bool                is_lost;   /* the connection broke first */
    bool                was_sent;  /* and before that some of it had been sent */
    struct redis_reply *replies[];
};

struct redis_bytes {
    char  *bytes;
    size_t at, len, size;
};

struct redis_wire {
    bp_stream           *stream;
    struct redis_parser *parser;
    struct redis_wait   *first, *last;    /* in the order of the answers */
    struct redis_bytes   out, sending;    /* what calls add to; bytes being sent, from `at` */
    uint64_t             queued, written; /* of all bytes ever */
    size_t               wait_count;
    bool                 is_writing, is_reading, is_broken;
    uint32_t             users;    /* calls that hold it */
    int64_t              heard_ns; /* when it last moved: bytes came, or a first one went out */
    uint64_t             pushes;   /* dropped before the last answer */
    char                 why[256]; /* it broke */
    char                *buffer;   /* to read into */
};

struct redis_wire *redis_wire_new(void);
void               redis_wire_release(
                  struct redis_wire *wire); /* by a user; the last one of a broken wire ends it */
void redis_wire_break(struct redis_wire *wire, const char *format, ...) BP_FORMAT(2, 3);
/* Whether the other side has closed it while it was idle. */
bool redis_wire_is_dead(bp_call *call, struct redis_wire *wire) BP_SUSPENDS;

/* Sends bytes that will bring `wanted` answers and waits for them. *wait is the caller's:
 * redis_wait_free(). With BP_OK it is answered or lost; else the call itself is over and *wait is
 * NULL. */
bp_status redis_wire_ask(bp_call *call, struct redis_wire *wire, bp_str bytes, size_t wanted,
                         int64_t timeout_ns, struct redis_wait **wait) BP_SUSPENDS;
void      redis_wait_free(struct redis_wait *wait);

/* ---- connect.c ---- */

/* A server: its address, its connection, and how often reaching it has failed. */
struct redis_node {
    char address[ADDRESS_BYTES_MAX]; /* "host:port"; with Sentinels: the master's, as last heard */
    struct redis_wire   *wire;       /* NULL: none now */
    bool                 is_connecting, was_open;
    struct connect_turn *turns;    /* calls that wait for the one that connects */
    uint32_t             failures; /* in a row */
    uint64_t             attempts; /* ever */
    int64_t              retry_ns; /* not before */
    int64_t not_ready_ns; /* since when it answers that it is not ready (LOADING); 0: it does not */
    int32_t os_errno;
    char    why[512]; /* of the last failure */
};

/* A connection that is up, held for the caller (redis_wire_release()). */
bp_status redis_node_open(bp_call *call, struct redis_client *client, struct redis_node *node,
                          struct redis_wire **wire) BP_SUSPENDS;
void      redis_node_close(struct redis_node *node, const char *why);

/* The job, by bp_every(), that goes on connecting to a server that could not be reached several
 * times, so that no call has to wait for that: they fail at once, and may do without. Not for the
 * nodes of a cluster, as others may replace them. `arg` is the client. */
bp_status redis_watch(bp_call *call, void *arg) BP_SUSPENDS;
/* Whether the node is left to that job. */
bool redis_node_is_given_up(const struct redis_client *client, const struct redis_node *node);

/* ---- client.c, cluster.c ---- */

struct redis_client {
    const struct redis_options *options;
    struct redis_place          place;
    struct redis_node         **nodes; /* one, or those of the cluster */
    size_t                      node_count;
    uint16_t  *slots; /* node of each slot plus 1; 0: not known. NULL: no cluster */
    bool       is_map_known, is_map_stale;
    size_t     next_seed;
    bp_metric *connects, *flight, *retries;
    bp_waker  *watcher; /* of the job below; NULL: it does not wait just now */
    bool       is_watched;
};

/* Adds one to a counter of the client; `label` is the value of its only label, NULL: it has none.
 */
void   redis_count(const struct redis_client *client, bp_metric *metric, const char *label);
bp_str redis_batch_bytes(const struct redis_batch *batch); /* empty: no memory */

struct redis_node *redis_node_add(struct redis_client *client,
                                  const char          *address); /* or the one there is */

/* CRC16 of the key, or of what stands between its first { and the next }. */
uint32_t redis_slot(bp_str key);
/* The node of a key (empty: any master), after the map was read where that is needed. */
bp_status redis_route(bp_call *call, struct redis_client *client, bp_str key,
                      struct redis_node **node) BP_SUSPENDS;
/* Obeys "MOVED 866 10.0.0.1:6379" or "ASK ...". */
bp_status redis_redirected(bp_call *call, struct redis_client *client,
                           const struct redis_node *from, bp_str error, struct redis_node **node,
                           bool *is_asking);
/* Reads the map again. */
bp_status redis_map(bp_call *call, struct redis_client *client) BP_SUSPENDS;

/* client.c: asks one node, with no more than a new connection on the way; for the parts above. */
bp_status redis_ask_node(bp_call *call, struct redis_client *client, struct redis_node *node,
                         bp_str bytes, size_t wanted, struct redis_wait **wait) BP_SUSPENDS;

#endif
