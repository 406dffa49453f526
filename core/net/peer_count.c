/* peer_count.c - a chained hash table of addresses with a count each; an entry lives while its
 * count does. */
#include "net/peer_count.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/crypto.h"

enum { BUCKETS = 4096 };

struct peer_entry {
    struct peer_entry  *next;
    struct peer_address address;
    uint32_t            count;
};

bool peer_count_init(struct peer_count *peers, uint32_t max)
{
    memset(peers, 0, sizeof(*peers));
    peers->max = max;
    crypto_random(&peers->seed, sizeof(peers->seed));
    pthread_mutex_init(&peers->lock, NULL);
    if (max == 0)
        return true;
    peers->buckets = calloc(BUCKETS, sizeof(struct peer_entry *));
    return peers->buckets != NULL;
}

void peer_count_free(struct peer_count *peers)
{
    for (size_t i = 0; peers->buckets && i < BUCKETS; i++)
        while (peers->buckets[i]) {
            struct peer_entry *entry = peers->buckets[i];
            peers->buckets[i] = entry->next;
            free(entry);
        }
    free(peers->buckets);
    pthread_mutex_destroy(&peers->lock);
}

struct peer_address peer_address_of(const struct sockaddr *address)
{
    struct peer_address peer = { { 0 } };

    if (address->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)
                                          ->sin6_addr;
        memcpy(peer.bytes, in6->s6_addr, 16);
    } else {
        peer.bytes[10] = peer.bytes[11] = 0xff;
        memcpy(peer.bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    return peer;
}

static struct peer_address key_of(const struct peer_address *address)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct peer_address  key = *address;

    if (memcmp(key.bytes, mapped, sizeof(mapped)) != 0)
        memset(key.bytes + 8, 0, 8);
    return key;
}

static struct peer_entry **find(struct peer_count *peers, const struct peer_address *address)
{
    uint64_t            hash = peers->seed;
    struct peer_entry **at;

    for (size_t i = 0; i < sizeof(address->bytes); i++)
        hash = (hash ^ address->bytes[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 29;
    for (at = &peers->buckets[hash % BUCKETS]; *at; at = &(*at)->next)
        if (memcmp(&(*at)->address, address, sizeof(*address)) == 0)
            break;
    return at;
}

bool peer_count_enter(struct peer_count *peers, const struct peer_address *address)
{
    struct peer_address key = key_of(address);
    struct peer_entry **at;
    bool                is_in = false;

    if (peers->max == 0)
        return true;
    pthread_mutex_lock(&peers->lock);
    at = find(peers, &key);
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (*at)
            (*at)->address = key;
    }
    if (*at && (*at)->count < peers->max) {
        (*at)->count++;
        is_in = true;
    }
    pthread_mutex_unlock(&peers->lock);
    return is_in;
}

void peer_count_leave(struct peer_count *peers, const struct peer_address *address)
{
    struct peer_address key = key_of(address);
    struct peer_entry **at;

    if (peers->max == 0)
        return;
    pthread_mutex_lock(&peers->lock);
    at = find(peers, &key);
    if (*at && --(*at)->count == 0) {
        struct peer_entry *entry = *at;
        *at = entry->next;
        free(entry);
    }
    pthread_mutex_unlock(&peers->lock);
}
