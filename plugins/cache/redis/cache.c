/* cache.c - the cache on a Redis server that processes share: its options, its life, its behaviour
 * without the server.
 */
#include "cache.h"

#include <backplane/loop.h>

#include "scripts.h"

bp_status cache_check_key(bp_call *call, bp_str key)
{
    if (key.len < 1 || key.len > KEY_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "a cache key has 1 to %d bytes, not %zu", KEY_BYTES_MAX,
                       key.len);
    return BP_OK;
}

bp_str cache_key(bp_call *call, const struct redis_cache *cache, const char *kind, bp_str key)
{
    size_t kind_len = strlen(kind);
    char  *text = bp_alloc(call, cache->prefix.len + kind_len + key.len);

    if (!text)
        return (bp_str){ 0 };
    if (cache->prefix.len)
        memcpy(text, cache->prefix.data, cache->prefix.len);
    memcpy(text + cache->prefix.len, kind, kind_len);
    if (key.len)
        memcpy(text + cache->prefix.len + kind_len, key.data, key.len);
    return bp_str_n(text, cache->prefix.len + kind_len + key.len);
}

/* Statuses of the server that the interface of a cache does not know are BP_UNAVAILABLE with the
 * same sentence. */
static bp_status as_cache_status(bp_call *call, bp_status status)
{
    if (status != BP_FULL && status != BP_UPSTREAM)
        return status;
    return bp_fail(call, BP_UNAVAILABLE, BP_FMT, BP_ARG(bp_dup(call, bp_error_of(call)->message)));
}

bp_status cache_end(bp_call *call, struct redis_cache *cache, cache_policy policy, const char *op,
                    bp_status status, bool *is_hidden)
{
    bp_str label = bp_str_of(op);

    *is_hidden = false;
    status = as_cache_status(call, status);
    if (status != BP_UNAVAILABLE || policy == POLICY_CLOSED)
        return status;
    bp_metric_add(cache->degraded, &label, 1, 1);
    bp_log(call, BP_LOG_DEBUG, "the cache goes on without Redis: " BP_FMT,
           BP_ARG(bp_error_of(call)->message));
    bp_clear_error(call);
    *is_hidden = true;
    return BP_OK;
}

/* ---- life ---- */

static bp_status check(bp_call *call, const void *options)
{
    const struct redis_cache *cache = options;

    if (cache->prefix.len > 128 ||
        (cache->prefix.len && memchr(cache->prefix.data, '{', cache->prefix.len)))
        return bp_fail(call, BP_INVALID,
                       "prefix: at most 128 bytes and no { in them, which a cluster would obey");
    return redis_check(call, &cache->redis);
}

static bp_status shared_create(bp_call *call, const void *opts, void **shared)
{
    (void)opts;
    return local_new(call, (struct local_limits **)shared);
}

static void shared_destroy(bp_call *call, void *shared)
{
    (void)call;
    local_free(shared);
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct redis_cache *cache = instance;

    cache->local = shared;
    cache->is_outage = false;
    cache->take.source = take_script;
    cache->reserve.source = reserve_script;
    cache->settle.source = settle_script;
    cache->lock.source = lock_script;
    cache->unlock.source = unlock_script;
    BP_TRY(bp_metric_define(call, BP_COUNTER, "cache_redis_degraded_total",
                            "Operations answered without Redis because it could not be reached.",
                            "op", &cache->degraded));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "cache_redis_local_limits_total",
                            "Rate limits decided by this process alone because Redis could not be "
                            "reached.",
                            "outcome", &cache->counted_locally));
    if (bp_worker_index(call) == 0 && cache->limits_when_down == POLICY_LOCAL)
        BP_TRY(bp_every(call, "clear expired limits", BP_SECONDS(30), local_sweep, cache->local));
    return redis_client_new(call, &cache->redis, "cache_redis", &cache->client);
}

static void worker_stop(bp_call *call, void *instance)
{
    (void)call;
    redis_client_free(((struct redis_cache *)instance)->client);
}

/* ---- the plugin ---- */

static const bp_option options[] = {
    REDIS_OPTIONS(struct redis_cache),
    BP_OPTION_STRING(struct redis_cache, prefix, .initial = "bp:",
                     .help = "prefix of every key, so that several deployments can share a server"),
    BP_OPTION_ENUM(struct redis_cache, values_when_down, .initial = "open",
                   .choices = "open|closed",
                   .help = "values while Redis cannot be reached: open: the cache finds and keeps "
                           "nothing; closed: the call fails"),
    BP_OPTION_ENUM(struct redis_cache, limits_when_down, .initial = "local",
                   .choices = "open|closed|local",
                   .help = "rate limits while Redis cannot be reached: local: each process counts "
                           "itself; open: everything is granted; closed: the call fails"),
    BP_OPTION_ENUM(struct redis_cache, budgets_when_down, .initial = "closed",
                   .choices = "open|closed",
                   .help = "budgets while Redis cannot be reached: open: everything is granted and "
                           "not counted; closed: the call fails"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = check,
    .shared_create = shared_create,
    .shared_destroy = shared_destroy,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
};

static const bp_cache_ops ops = {
    .struct_size = sizeof(bp_cache_ops),
    .get = cache_get,
    .set = cache_set,
    .remove = cache_remove,
    .remove_prefix = cache_remove_prefix,
    .take = cache_take,
    .reserve = cache_reserve,
    .settle = cache_settle,
    .lock = cache_lock,
    .unlock = cache_unlock,
    .stats = cache_stats,
    .dump = cache_dump,
    .load = cache_load,
};

BP_PLUGIN(cache, "redis", "1.0.0",
          .summary = "values, rate limits, budgets and locks on a Redis server, Sentinel or "
                     "cluster that processes share",
          .license = "Apache-2.0", .instance_size = sizeof(struct redis_cache),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
