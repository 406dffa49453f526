/* backplane/peer.h - another instance, named by an option, as a plugin or app sees it.
 *
 * An option of type REF puts one into the instance before worker_start. Its operations go through
 * the host's gate: the instance's deadline, concurrency cap, circuit breaker and retry policy
 * apply, and each is counted and timed. An operation that the plugin lacks returns BP_UNSUPPORTED.
 */
#ifndef BACKPLANE_PEER_H
#define BACKPLANE_PEER_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_peer {
    uint32_t    struct_size;
    uint32_t    kind_version; /* of `ops` */
    bp_str      name;         /* of the instance, as in the conf */
    bp_str      kind;
    bp_str      plugin;   /* what `use:` says */
    const void *ops;      /* the table of the kind: const bp_vector_ops * for a vector store */
    void       *instance; /* first object argument of each op */
} bp_peer;

typedef struct bp_peer_list {
    const bp_peer *const *items;
    size_t                count;
} bp_peer_list;

#ifdef __cplusplus
}
#endif
#endif
