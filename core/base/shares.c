/* shares.c - how much of a resource each client holds: a table of the holders. */
#include "base/shares.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct holder {
    struct holder *next;
    uint8_t        client[SHARE_DIGEST_BYTES];
    size_t         held;
};

struct shares {
    pthread_mutex_t lock;
    size_t          each_max, all_max, total;
    struct holder  *buckets[BUCKETS];
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
            struct holder *holder = shares->buckets[i];

            shares->buckets[i] = holder->next;
            free(holder);
        }
    }
    pthread_mutex_destroy(&shares->lock);
    free(shares);
}

/* Where the client's share hangs, or would. A digest is as good as random. */
static struct holder **find(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES])
{
    struct holder **at = &shares->buckets[(client[0] | client[1] << 8) % BUCKETS];

    while (*at && memcmp((*at)->client, client, SHARE_DIGEST_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

/* Under the lock. */
static struct holder *add(struct holder **at, const uint8_t client[SHARE_DIGEST_BYTES])
{
    struct holder *holder = calloc(1, sizeof(*holder));

    if (holder) {
        memcpy(holder->client, client, SHARE_DIGEST_BYTES);
        *at = holder;
    }
    return holder;
}

enum share shares_take(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES],
                       size_t amount)
{
    struct holder **at, *holder = NULL;
    enum share      answer = SHARE_ALL_IS_FULL;
    size_t          held;

    if (!amount)
        return SHARE_TAKEN;
    pthread_mutex_lock(&shares->lock);
    at = find(shares, client);
    held = *at ? (*at)->held : 0;
    if (amount > shares->each_max || held > shares->each_max - amount)
        answer = SHARE_OWN_IS_FULL;
    else if (amount <= shares->all_max && shares->total <= shares->all_max - amount)
        holder = *at ? *at : add(at, client);
    if (holder) {
        holder->held += amount;
        shares->total += amount;
        answer = SHARE_TAKEN;
    }
    pthread_mutex_unlock(&shares->lock);
    return answer;
}

void shares_give(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES], size_t amount)
{
    struct holder **at, *holder;

    if (!amount)
        return;
    pthread_mutex_lock(&shares->lock);
    at = find(shares, client);
    holder = *at;
    holder->held -= amount;
    shares->total -= amount;
    if (!holder->held) {
        *at = holder->next;
        free(holder);
    }
    pthread_mutex_unlock(&shares->lock);
}

size_t shares_of(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES])
{
    struct holder *holder;
    size_t         held;

    pthread_mutex_lock(&shares->lock);
    holder = *find(shares, client);
    held = holder ? holder->held : 0;
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
