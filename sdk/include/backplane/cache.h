/* backplane/cache.h - the interface of a cache: values with a time to live, rate limits, budgets,
 * locks.
 *
 * Values may disappear at any time. Limits, budgets and locks are exact among all processes that
 * share the back end. Keys are 1 to 512 bytes; values up to 8 MiB.
 */
#ifndef BACKPLANE_CACHE_H
#define BACKPLANE_CACHE_H

#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_cache 1

/* The outcome of taking from a rate limit or budget. */
typedef struct bp_take {
    uint32_t struct_size;
    bool     is_granted;
    int64_t  limit;
    int64_t  remaining;
    int64_t
        reset_ns; /* from now until it is whole again; for a refusal: until it could be granted */
} bp_take;

typedef struct bp_cache_stats {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t  entries;
    int64_t  size_bytes;
    int64_t  size_max_bytes; /* 0: not known */
    int64_t  hits, misses, evictions;
} bp_cache_stats;

/* The amount spent of a budget in one period. */
typedef struct bp_budget {
    uint32_t struct_size;
    uint32_t reserved;
    bp_str   key;
    bp_str   period;
    int64_t  spent;
} bp_budget;

/* The sink of dump(), called on the calling fiber; `budget` is valid until it returns. A status
 * other than BP_OK ends dump() with that status. The sink may keep memory of the call, so the cache
 * calls it outside of scratch memory of its own. */
typedef struct bp_budget_sink {
    uint32_t struct_size;
    bp_status (*budget)(bp_call *call, void *self, const bp_budget *budget) BP_SUSPENDS;
    void *self;
} bp_budget_sink;

/* Each may suspend, is bounded by the call, borrows its inputs and returns BP_OK, BP_INVALID,
 * BP_TOO_LARGE, BP_UNAVAILABLE, BP_DEADLINE or BP_CANCELLED, and the statuses named at each. */
typedef struct bp_cache_ops {
    uint32_t struct_size;

    /* BP_NOT_FOUND when there is no value or it has expired; `value` is in the call's arena. */
    bp_status (*get)(bp_call *call, void *instance, bp_str key, bp_str *value) BP_SUSPENDS;
    /* ttl_ns 0: as long as there is room. */
    bp_status (*set)(bp_call *call, void *instance, bp_str key, bp_str value,
                     int64_t ttl_ns) BP_SUSPENDS;
    bp_status (*remove)(bp_call *call, void *instance, bp_str key) BP_SUSPENDS;
    /* Deletes every key that begins with `prefix` (at least one byte). */
    bp_status (*remove_prefix)(bp_call *call, void *instance, bp_str prefix,
                               int64_t *removed) BP_SUSPENDS;

    /* Takes `cost` from a limit of `limit` per `window_ns` (a sliding window, GCRA), in one atomic
     * step. */
    bp_status (*take)(bp_call *call, void *instance, bp_str key, int64_t limit, int64_t window_ns,
                      int64_t cost, bp_take *result) BP_SUSPENDS;

    /* Budgets: reserve an estimate before work, settle the true amount after it. The reservation
     * counts against `limit` until it is settled or `hold_ns` passes. `period` names the budget's
     * period
     * ("2026-11"), so that a new one starts at zero. Amounts are integers of the caller's unit. */
    bp_status (*reserve)(bp_call *call, void *instance, bp_str key, bp_str period, int64_t limit,
                         int64_t amount, int64_t hold_ns, bp_str reservation,
                         bp_take *result) BP_SUSPENDS;
    bp_status (*settle)(bp_call *call, void *instance, bp_str key, bp_str period,
                        bp_str reservation, int64_t amount) BP_SUSPENDS;

    /* A lock among processes. `owner` is any unique text; BP_CONFLICT when another owner has it.
     * Locking again by the same owner extends it. Unlock by another owner is BP_CONFLICT. */
    bp_status (*lock)(bp_call *call, void *instance, bp_str key, bp_str owner,
                      int64_t hold_ns) BP_SUSPENDS;
    bp_status (*unlock)(bp_call *call, void *instance, bp_str key, bp_str owner) BP_SUSPENDS;

    bp_status (*stats)(bp_call *call, void *instance, bp_cache_stats *stats) BP_SUSPENDS;

    /* Optional: hands the spent amounts of all budgets to a sink, for a change of the back end.
     * Nothing else must survive: values may disappear, limits refill soon, locks and reservations
     * belong to running work. In any order; while others write, a budget may come twice.
     * Idempotent. */
    bp_status (*dump)(bp_call *call, void *instance, const bp_budget_sink *sink) BP_SUSPENDS;

    /* Optional: sets the spent amounts, replacing earlier ones. Idempotent. */
    bp_status (*load)(bp_call *call, void *instance, const bp_budget *budgets, size_t budget_size,
                      size_t count) BP_SUSPENDS;
} bp_cache_ops;

static inline const bp_cache_ops *bp_cache_of(const bp_peer *cache)
{
    return (const bp_cache_ops *)cache->ops;
}

static inline bp_status bp_cache_get(bp_call *call, const bp_peer *cache, bp_str key,
                                     bp_str *value) BP_SUSPENDS
{
    return bp_cache_of(cache)->get(call, cache->instance, key, value);
}
static inline bp_status bp_cache_set(bp_call *call, const bp_peer *cache, bp_str key, bp_str value,
                                     int64_t ttl_ns) BP_SUSPENDS
{
    return bp_cache_of(cache)->set(call, cache->instance, key, value, ttl_ns);
}
static inline bp_status bp_cache_take(bp_call *call, const bp_peer *cache, bp_str key,
                                      int64_t limit, int64_t window_ns, int64_t cost,
                                      bp_take *result) BP_SUSPENDS
{
    memset(result, 0, sizeof(*result));
    result->struct_size = (uint32_t)sizeof(*result);
    return bp_cache_of(cache)->take(call, cache->instance, key, limit, window_ns, cost, result);
}
static inline bp_status bp_cache_dump(bp_call *call, const bp_peer *cache,
                                      const bp_budget_sink *sink) BP_SUSPENDS
{
    if (!BP_HAS(bp_cache_of(cache), bp_cache_ops, dump))
        return bp_fail(call, BP_UNSUPPORTED, "this host is too old to read the budgets of a cache");
    return bp_cache_of(cache)->dump(call, cache->instance, sink);
}
static inline bp_status bp_cache_load(bp_call *call, const bp_peer *cache, const bp_budget *budgets,
                                      size_t count) BP_SUSPENDS
{
    if (!BP_HAS(bp_cache_of(cache), bp_cache_ops, load))
        return bp_fail(call, BP_UNSUPPORTED,
                       "this host is too old to write the budgets of a cache");
    return bp_cache_of(cache)->load(call, cache->instance, budgets, sizeof(bp_budget), count);
}

#ifdef __cplusplus
}
#endif
#endif
