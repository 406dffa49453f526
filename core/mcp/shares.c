/* shares.c - how much of something each client holds: a table of those who hold any. */
#include "mcp/shares.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct share {
    struct share *next;
    uint8_t       client[SHARE_DIGEST_BYTES];
    size_t        held;
};

struct shares {
    pthread_mutex_t lock;
    size_t          each_max, all_max, total;
    struct share   *buckets[BUCKETS];
};

struct shares *shares_new(size_t each_max, size_t all_max)
{
    struct shares *shares = calloc(1, sizeof(*shares));

    if (!shares)
        return NULL;
    pthread_mutex_init(&shares->lock, NULL);
    shares->each_max = each_max ? each_max : SIZE_MAX;
    shares->all_max = all_max ? all_max : SIZE_MAX;
    return shares;
}

void shares_free(struct shares *shares)
{
    if (!shares)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (shares->buckets[i]) {
            struct share *share = shares->buckets[i];

            shares->buckets[i] = share->next;
            free(share);
        }
    }
    pthread_mutex_destroy(&shares->lock);
    free(shares);
}

/* Where the client's share hangs, or would. A digest is as good as random. */
static struct share **find(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES])
{
    struct share **at = &shares->buckets[(client[0] | client[1] << 8) % BUCKETS];

    while (*at && memcmp((*at)->client, client, SHARE_DIGEST_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

/* Under the lock. */
static struct share *add(struct share **at, const uint8_t client[SHARE_DIGEST_BYTES])
{
    struct share *share = calloc(1, sizeof(*share));

    if (share) {
        memcpy(share->client, client, SHARE_DIGEST_BYTES);
        *at = share;
    }
    return share;
}

bool shares_take(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES], size_t amount)
{
    struct share **at, *share;
    bool           is_taken = false;
    size_t         held;

    if (!amount)
        return true;
    pthread_mutex_lock(&shares->lock);
    at = find(shares, client);
    held = *at ? (*at)->held : 0;
    if (amount <= shares->each_max && held <= shares->each_max - amount && amount <= shares->all_max &&
        shares->total <= shares->all_max - amount) {
        share = *at ? *at : add(at, client);
        is_taken = share != NULL;
        if (share)
            share->held += amount;
        shares->total += is_taken ? amount : 0;
    }
    pthread_mutex_unlock(&shares->lock);
    return is_taken;
}

void shares_give(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES], size_t amount)
{
    struct share **at, *share;

    if (!amount)
        return;
    pthread_mutex_lock(&shares->lock);
    at = find(shares, client);
    share = *at;
    share->held -= amount;
    shares->total -= amount;
    if (!share->held) {
        *at = share->next;
        free(share);
    }
    pthread_mutex_unlock(&shares->lock);
}

size_t shares_of(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES])
{
    struct share *share;
    size_t        held;

    pthread_mutex_lock(&shares->lock);
    share = *find(shares, client);
    held = share ? share->held : 0;
    pthread_mutex_unlock(&shares->lock);
    return held;
}

size_t shares_total(struct shares *shares)
{
    size_t total;

    pthread_mutex_lock(&shares->lock);
    total = shares->total;
    pthread_mutex_unlock(&shares->lock);
    return total;
}
