/* peer_count.h - how many connections each client address has, in all workers together. Any thread.
 *
 * IPv6 clients are counted by their /64, as one client usually owns all of it.
 */
#ifndef NET_PEER_COUNT_H
#define NET_PEER_COUNT_H

#include <pthread.h>
#include <sys/socket.h>

#include <backplane/base.h>

struct peer_address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct peer_entry;

struct peer_count {
    pthread_mutex_t     lock;
    uint64_t            seed; /* so that a client cannot choose addresses that collide */
    uint32_t            max;  /* 0: nothing is counted */
    struct peer_entry **buckets;
};

/* False when there is no memory. */
bool peer_count_init(struct peer_count *peers, uint32_t max);
void peer_count_free(struct peer_count *peers);

struct peer_address peer_address_of(const struct sockaddr *address);

/* False when the address has `max` connections already, or there is no memory. */
bool peer_count_enter(struct peer_count *peers, const struct peer_address *address);
void peer_count_leave(struct peer_count *peers, const struct peer_address *address);

#endif
