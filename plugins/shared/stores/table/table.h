/* table.h - entries in the memory of this process, for all its workers: shards with a lock each,
 * the longest unused entries given up first.
 *
 *      hash(kind, key) -> shard -> bucket -> entry
 *                           `-> list of what may be given up, newest used first
 *
 * Values, and limits that only stand in for those of a server, may be given up at any time. Limits,
 * budgets and locks must not, so they leave only when they have expired; they may fill half of the
 * memory, then new ones are refused.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include <backplane/cache.h>

enum { SHARDS = 16 };

typedef enum entry_kind {
    ENTRY_VALUE = 0,
    ENTRY_LIMIT = 1,
    ENTRY_BUDGET = 2,
    ENTRY_LOCK = 3,
    ENTRY_STAND_IN = 4 /* a limit that may be given up */
} entry_kind;

struct hold {
    struct hold *next;
    int64_t      amount, expires_ns;
    size_t       name_len;
    char         name[];
};

/* Two periods are kept, as work that began in the old one may be settled in the new one. */
struct budget_period {
    char         name[64];
    size_t       name_len;
    int64_t      spent, used_ns;
    struct hold *holds;
};

struct budget {
    struct budget_period periods[2];
};

struct entry {
    struct entry  *chain;         /* of its bucket */
    struct entry  *newer, *older; /* VALUE, STAND_IN: of its shard's list */
    uint64_t       hash;
    entry_kind     kind;
    int64_t        expires_ns; /* BP_FOREVER: never */
    int64_t        full_at_ns; /* LIMIT, STAND_IN: the theoretical arrival time of GCRA */
    struct budget *budget;     /* BUDGET */
    size_t         key_len, text_len, size_bytes;
    char           bytes[]; /* key, then text: the value, or the lock's owner */
};

struct shard {
    pthread_mutex_t lock;
    struct entry  **buckets;
    size_t          bucket_count, entry_count;
    struct entry   *newest, *oldest;
};

struct table {
    struct shard shards[SHARDS];
    uint64_t     seed[2];
    int64_t      size_max_bytes, entries_max;
    atomic_uint  next_victim; /* the shard that gives something up next */
    atomic_llong size_bytes, state_bytes, entries, hits, misses,
        evictions; /* state_bytes: what may not be given up */
};

/* `entries_max` is BP_FOREVER where only the bytes count. NULL: no memory. */
struct table *table_new(int64_t size_max_bytes, int64_t entries_max, const uint64_t seed[2]);
void          table_free(struct table *table);

/* `duration_ns` after `now_ns`; BP_FOREVER is never passed. */
static inline int64_t table_later(int64_t now_ns, int64_t duration_ns)
{
    return duration_ns > BP_FOREVER - now_ns ? BP_FOREVER : now_ns + duration_ns;
}

/* Locks the shard of a key; the entry is NULL when there is none or it has expired. */
struct shard      *table_lock(struct table *table, entry_kind kind, bp_str key, int64_t now_ns,
                              struct entry **entry);
static inline void table_unlock(struct shard *shard)
{
    pthread_mutex_unlock(&shard->lock);
}

/* A new entry in a shard that is locked, in the place of one of the same kind and key. NULL: no
 * memory, or what may not be given up fills half of it. */
struct entry *table_put(struct table *table, struct shard *shard, entry_kind kind, bp_str key,
                        bp_str text);
void          table_remove(struct table *table, struct shard *shard, struct entry *entry);
/* Says that an entry grew by some bytes (or shrank). */
void table_resized(struct table *table, struct entry *entry, int64_t bytes);
/* Moves what may be given up to the front of its list. */
void table_used(struct shard *shard, struct entry *entry);

/* Takes from a limit (GCRA), in one step among all workers; `kind` is LIMIT or STAND_IN. A limit
 * and a window are above 0, a cost is not below. false: no room. */
bool table_take(struct table *table, entry_kind kind, bp_str key, int64_t limit, int64_t window_ns,
                int64_t cost, bp_take *result);

/* Gives up the longest unused until size and number fit. No shard may be locked. */
void table_make_room(struct table *table);
/* Removes what has expired. No shard may be locked. */
void table_sweep(struct table *table, int64_t now_ns);
/* Removes values with a key that begins with `prefix`. No shard may be locked. */
int64_t table_remove_prefix(struct table *table, bp_str prefix);

#endif
