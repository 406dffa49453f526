/* local.c - rate limits by this process alone, while Redis cannot be reached, so that a flood meets
 * a limit all the same.
 *
 * All workers count in one table, which keeps the limits asked for last: a limit that was given up
 * is whole again, so its size bounds memory and not what a flood of one client can do. An outage
 * begins with the first worker that cannot reach Redis, and ends when the last of them has: the
 * number of the outage is part of each key, so the counts of one are forgotten with it,
 * without a walk over the table.
 */
#include "cache.h"

#include <stdlib.h>

#include <backplane/loop.h>

#include "table/table.h"

enum { LIMITS_MAX = 65536, TABLE_BYTES_MAX = 64 << 20 };

struct local_limits {
    struct table *table;
    atomic_uint   workers; /* that cannot reach Redis */
    atomic_ullong outage;  /* number of the one that is, or of the next */
};

bp_status local_new(bp_call *call, struct local_limits **local)
{
    uint64_t seed[2];

    bp_random(seed, sizeof(seed));
    *local = calloc(1, sizeof(**local));
    if (*local)
        (*local)->table = table_new(TABLE_BYTES_MAX, LIMITS_MAX, seed);
    if (*local && (*local)->table)
        return BP_OK;
    free(*local);
    *local = NULL;
    return bp_fail(call, BP_NO_MEMORY, "no memory for the limits of an outage");
}

void local_free(struct local_limits *local)
{
    if (!local)
        return;
    table_free(local->table);
    free(local);
}

static bp_status sweep_job(bp_call *call, void *table)
{
    (void)call;
    table_sweep(table, bp_now_ns());
    return BP_OK;
}

bp_status local_sweep(bp_call *call, void *local)
{
    struct table *table = ((struct local_limits *)local)->table;

    return atomic_load(&table->entries) ? bp_offload(call, NULL, sweep_job, table) : BP_OK;
}

static void begin(bp_call *call, struct redis_cache *cache)
{
    if (cache->is_outage)
        return;
    cache->is_outage = true;
    if (atomic_fetch_add(&cache->local->workers, 1) == 0)
        bp_log(call, BP_LOG_WARN,
               "Redis cannot be reached: until it can, this process counts rate limits by itself, "
               "each of its own and whole at first; the health of this cache says why");
}

void local_end(bp_call *call, struct redis_cache *cache)
{
    if (!cache->is_outage)
        return;
    cache->is_outage = false;
    if (atomic_fetch_sub(&cache->local->workers, 1) > 1)
        return;
    atomic_fetch_add(&cache->local->outage, 1);
    bp_log(call, BP_LOG_INFO, "Redis counts the rate limits again");
}

bp_status local_take(bp_call *call, struct redis_cache *cache, bp_str key, int64_t limit,
                     int64_t window_ns, int64_t cost, bp_take *result)
{
    char     text[sizeof(uint64_t) + KEY_BYTES_MAX];
    uint64_t outage;
    bp_str   outcome;

    begin(call, cache);
    outage = atomic_load(&cache->local->outage);
    memcpy(text, &outage, sizeof(outage));
    memcpy(text + sizeof(outage), key.data, key.len);
    if (!table_take(cache->local->table, ENTRY_STAND_IN, bp_str_n(text, sizeof(outage) + key.len),
                    limit, window_ns, cost, result))
        return bp_fail(call, BP_UNAVAILABLE,
                       "Redis cannot be reached, and there is no memory to count a limit here");
    outcome = result->is_granted ? BP_STR("granted") : BP_STR("refused");
    bp_metric_add(cache->counted_locally, &outcome, 1, 1);
    return BP_OK;
}
