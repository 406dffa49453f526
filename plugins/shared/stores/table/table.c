/* table.c - entries, buckets, lists and sizes of a table in the memory of this process. */
#include "table.h"

#include <stdlib.h>

enum { BUCKETS_AT_START = 256 };

/* ---- hashing: SipHash-1-3, keyed, so that nobody outside can choose keys that collide ---- */

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_of(const struct table *table, entry_kind kind, bp_str key)
{
    uint64_t v[4] = { table->seed[0] ^ UINT64_C(0x736f6d6570736575),
                      table->seed[1] ^ UINT64_C(0x646f72616e646f6d),
                      table->seed[0] ^ UINT64_C(0x6c7967656e657261),
                      table->seed[1] ^ UINT64_C(0x7465646279746573) };
    uint64_t last = (uint64_t)key.len << 56 | (uint64_t)kind << 48;
    size_t   at = 0;

    for (; at + 8 <= key.len; at += 8) {
        uint64_t word;
        memcpy(&word, key.data + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = at; i < key.len; i++)
        last ^= (uint64_t)(unsigned char)key.data[i] << (8 * (i - at));
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- life ---- */

struct table *table_new(int64_t size_max_bytes, int64_t entries_max, const uint64_t seed[2])
{
    struct table *table = calloc(1, sizeof(*table));
    bool          is_whole = table != NULL;

    if (!table)
        return NULL;
    table->size_max_bytes = size_max_bytes;
    table->entries_max = entries_max;
    table->seed[0] = seed[0];
    table->seed[1] = seed[1];
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->bucket_count = BUCKETS_AT_START;
        shard->buckets = calloc(BUCKETS_AT_START, sizeof(*shard->buckets));
        is_whole = is_whole && shard->buckets;
    }
    if (!is_whole) {
        table_free(table);
        return NULL;
    }
    return table;
}

static void entry_free(struct entry *entry)
{
    for (int i = 0; entry->budget && i < 2; i++)
        while (entry->budget->periods[i].holds) {
            struct hold *hold = entry->budget->periods[i].holds;
            entry->budget->periods[i].holds = hold->next;
            free(hold);
        }
    free(entry->budget);
    free(entry);
}

void table_free(struct table *table)
{
    for (int i = 0; table && i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        for (size_t b = 0; shard->buckets && b < shard->bucket_count; b++)
            while (shard->buckets[b]) {
                struct entry *first = shard->buckets[b];
                shard->buckets[b] = first->chain;
                entry_free(first);
            }
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(table);
}

/* ---- one shard ---- */

static bool may_go(entry_kind kind)
{
    return kind == ENTRY_VALUE || kind == ENTRY_STAND_IN;
}

static void list_unlink(struct shard *shard, struct entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else if (shard->newest == entry)
        shard->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else if (shard->oldest == entry)
        shard->oldest = entry->newer;
    entry->newer = entry->older = NULL;
}

static void list_push(struct shard *shard, struct entry *entry)
{
    entry->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = entry;
    else
        shard->oldest = entry;
    shard->newest = entry;
}

void table_used(struct shard *shard, struct entry *entry)
{
    list_unlink(shard, entry);
    list_push(shard, entry);
}

void table_resized(struct table *table, struct entry *entry, int64_t bytes)
{
    entry->size_bytes = (size_t)((int64_t)entry->size_bytes + bytes);
    atomic_fetch_add(&table->size_bytes, bytes);
    if (!may_go(entry->kind))
        atomic_fetch_add(&table->state_bytes, bytes);
}

void table_remove(struct table *table, struct shard *shard, struct entry *entry)
{
    struct entry **at = &shard->buckets[entry->hash / SHARDS % shard->bucket_count];

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    if (may_go(entry->kind))
        list_unlink(shard, entry);
    shard->entry_count--;
    atomic_fetch_sub(&table->entries, 1);
    table_resized(table, entry, -(int64_t)entry->size_bytes);
    entry_free(entry);
}

static struct entry *find(const struct shard *shard, uint64_t hash, entry_kind kind, bp_str key)
{
    struct entry *at = shard->buckets[hash / SHARDS % shard->bucket_count];

    while (at && !(at->hash == hash && at->kind == kind &&
                   bp_str_equal(key, bp_str_n(at->bytes, at->key_len))))
        at = at->chain;
    return at;
}

struct shard *table_lock(struct table *table, entry_kind kind, bp_str key, int64_t now_ns,
                         struct entry **entry)
{
    uint64_t      hash = hash_of(table, kind, key);
    struct shard *shard = &table->shards[hash % SHARDS];

    pthread_mutex_lock(&shard->lock);
    *entry = find(shard, hash, kind, key);
    if (*entry && (*entry)->expires_ns <= now_ns) {
        table_remove(table, shard, *entry);
        *entry = NULL;
    }
    return shard;
}

static void grow(struct shard *shard)
{
    size_t         count = shard->bucket_count * 2;
    struct entry **buckets = calloc(count, sizeof(*buckets));

    if (!buckets)
        return; /* longer chains do as well */
    for (size_t b = 0; b < shard->bucket_count; b++)
        while (shard->buckets[b]) {
            struct entry *first = shard->buckets[b];
            shard->buckets[b] = first->chain;
            first->chain = buckets[first->hash / SHARDS % count];
            buckets[first->hash / SHARDS % count] = first;
        }
    free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_count = count;
}

struct entry *table_put(struct table *table, struct shard *shard, entry_kind kind, bp_str key,
                        bp_str text)
{
    uint64_t      hash = hash_of(table, kind, key);
    struct entry *entry = find(shard, hash, kind, key);
    size_t size = sizeof(*entry) + key.len + text.len + 2 * sizeof(void *); /* with malloc's own */

    if (!may_go(kind) &&
        atomic_load(&table->state_bytes) + (int64_t)size > table->size_max_bytes / 2)
        return NULL;
    if (entry)
        table_remove(table, shard, entry);
    entry = calloc(1, sizeof(*entry) + key.len + text.len);
    if (!entry)
        return NULL;
    entry->hash = hash;
    entry->kind = kind;
    entry->expires_ns = BP_FOREVER;
    entry->key_len = key.len;
    entry->text_len = text.len;
    memcpy(entry->bytes, key.data, key.len);
    if (text.len)
        memcpy(entry->bytes + key.len, text.data, text.len);
    if (shard->entry_count >= shard->bucket_count)
        grow(shard);
    entry->chain = shard->buckets[hash / SHARDS % shard->bucket_count];
    shard->buckets[hash / SHARDS % shard->bucket_count] = entry;
    shard->entry_count++;
    atomic_fetch_add(&table->entries, 1);
    table_resized(table, entry, (int64_t)size);
    if (may_go(kind))
        list_push(shard, entry);
    return entry;
}

/* ---- all shards ---- */

static bool is_over_full(struct table *table)
{
    return atomic_load(&table->size_bytes) > table->size_max_bytes ||
           atomic_load(&table->entries) > table->entries_max;
}

void table_make_room(struct table *table)
{
    /* One from each shard in turn, and the next call goes on where this one ended: nearly the
     * oldest of all, without a lock on all. A shard that chance has filled less than others is
     * passed over once, or it would lose even entries that are used all the time. */
    for (int idle = 0; is_over_full(table) && idle < 2 * SHARDS;) {
        struct shard *shard = &table->shards[atomic_fetch_add(&table->next_victim, 1) % SHARDS];
        bool          is_small;

        pthread_mutex_lock(&shard->lock);
        is_small = idle < SHARDS &&
                   (int64_t)shard->entry_count * SHARDS < (int64_t)atomic_load(&table->entries);
        if (!shard->oldest || is_small) {
            idle++;
        } else {
            idle = 0;
            table_remove(table, shard, shard->oldest);
            atomic_fetch_add(&table->evictions, 1);
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

static int64_t remove_where(struct table *table,
                            bool (*is_meant)(const struct entry *entry, const void *arg),
                            const void *arg)
{
    int64_t removed = 0;

    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t b = 0; b < shard->bucket_count; b++)
            for (struct entry *at = shard->buckets[b], *next; at; at = next) {
                next = at->chain;
                if (is_meant(at, arg)) {
                    table_remove(table, shard, at);
                    removed++;
                }
            }
        pthread_mutex_unlock(&shard->lock);
    }
    return removed;
}

static bool has_expired(const struct entry *entry, const void *now_ns)
{
    return entry->expires_ns <= *(const int64_t *)now_ns;
}

static bool has_prefix(const struct entry *entry, const void *prefix)
{
    const bp_str *wanted = prefix;
    return entry->kind == ENTRY_VALUE && entry->key_len >= wanted->len &&
           memcmp(entry->bytes, wanted->data, wanted->len) == 0;
}

void table_sweep(struct table *table, int64_t now_ns)
{
    remove_where(table, has_expired, &now_ns);
}
int64_t table_remove_prefix(struct table *table, bp_str prefix)
{
    return remove_where(table, has_prefix, &prefix);
}
