/* cache.h - the parts of the cache on Redis, and its keys:
 *
 *      PREFIXv:KEY                values
 *      PREFIXl:KEY                rate limits: when they are whole again
 *      PREFIX{b:KEY:PERIOD}s      budgets: spent, held, and each hold ...
 *      PREFIX{b:KEY:PERIOD}e      ... when each hold ends
 *      PREFIX{b:KEY:PERIOD}n:...  settlements of the last ten minutes
 *      PREFIXk:KEY                locks: their owner
 *
 * What one script touches stands between the same braces, so that a cluster keeps it on one node.
 */
#ifndef CACHE_REDIS_CACHE_H
#define CACHE_REDIS_CACHE_H

#include <backplane/cache.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>

#include "redis/redis.h"

enum { KEY_BYTES_MAX = 512, VALUE_BYTES_MAX = 8 << 20, NAME_BYTES_MAX = 256 };

#define AMOUNT_MAX (INT64_C(1) << 52) /* beyond it a double, which Lua counts in, skips numbers */
#define BUDGET_KEPT_MS                                                                             \
    "34560000000" /* 400 days behind its last use; periods are days, months or years */

/* The behaviour while Redis cannot be reached. */
typedef enum cache_policy { POLICY_OPEN = 0, POLICY_CLOSED = 1, POLICY_LOCAL = 2 } cache_policy;

struct local_limits;

struct redis_cache {
    struct redis_options redis;
    bp_str               prefix;
    int32_t              values_when_down, limits_when_down, budgets_when_down; /* cache_policy */
    struct redis_client *client;
    bp_metric           *degraded, *counted_locally;
    struct local_limits *local;     /* of all workers */
    bool                 is_outage; /* this worker counts locally just now */
    struct redis_script  take, reserve, settle, lock, unlock;
};

bp_status cache_check_key(bp_call *call, bp_str key);
bp_str    cache_key(bp_call *call, const struct redis_cache *cache, const char *kind, bp_str key);
/* What an operation ends with: whether to hide a failure (BP_OK by *is_hidden), or in which words
 * to tell it. */
bp_status cache_end(bp_call *call, struct redis_cache *cache, cache_policy policy, const char *op,
                    bp_status status, bool *is_hidden);

/* local.c: rate limits by this process alone, while Redis cannot be reached. */
bp_status local_new(bp_call *call, struct local_limits **local);
void      local_free(struct local_limits *local);
/* The job of one worker that clears away what has expired; `local` is the limits. */
bp_status local_sweep(bp_call *call, void *local) BP_SUSPENDS;
/* The key and the figures were checked. */
bp_status local_take(bp_call *call, struct redis_cache *cache, bp_str key, int64_t limit,
                     int64_t window_ns, int64_t cost, bp_take *result);
/* Redis has answered: it decides again. */
void local_end(bp_call *call, struct redis_cache *cache);

/* values.c */
/* The prefix as a pattern that means itself, and anything behind it. */
bp_str    cache_pattern_of(bp_call *call, bp_str prefix);
bp_status cache_get(bp_call *call, void *instance, bp_str key, bp_str *value) BP_SUSPENDS;
bp_status cache_set(bp_call *call, void *instance, bp_str key, bp_str value,
                    int64_t ttl_ns) BP_SUSPENDS;
bp_status cache_remove(bp_call *call, void *instance, bp_str key) BP_SUSPENDS;
bp_status cache_remove_prefix(bp_call *call, void *instance, bp_str prefix,
                              int64_t *removed) BP_SUSPENDS;
bp_status cache_stats(bp_call *call, void *instance, bp_cache_stats *stats) BP_SUSPENDS;

/* counts.c */
bp_status cache_take(bp_call *call, void *instance, bp_str key, int64_t limit, int64_t window_ns,
                     int64_t cost, bp_take *result) BP_SUSPENDS;
bp_status cache_reserve(bp_call *call, void *instance, bp_str key, bp_str period, int64_t limit,
                        int64_t amount, int64_t hold_ns, bp_str reservation,
                        bp_take *result) BP_SUSPENDS;
bp_status cache_settle(bp_call *call, void *instance, bp_str key, bp_str period, bp_str reservation,
                       int64_t amount) BP_SUSPENDS;
/* moving.c */
bp_status cache_dump(bp_call *call, void *instance, const bp_budget_sink *sink) BP_SUSPENDS;
bp_status cache_load(bp_call *call, void *instance, const bp_budget *budgets, size_t budget_size,
                     size_t count) BP_SUSPENDS;

/* counts.c */
bp_str cache_budget_key(bp_call *call, const struct redis_cache *cache, bp_str key, bp_str period,
                        const char *tail);
bp_status cache_lock(bp_call *call, void *instance, bp_str key, bp_str owner,
                     int64_t hold_ns) BP_SUSPENDS;
bp_status cache_unlock(bp_call *call, void *instance, bp_str key, bp_str owner) BP_SUSPENDS;

#endif
