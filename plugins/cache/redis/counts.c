/* counts.c - rate limits, budgets and locks: exact among all processes, as each is one script on
 * the server. */
#include "cache.h"

enum { PERIOD_BYTES_MAX = 63 };

#define HOLD_MAX_NS BP_SECONDS(10LL * 366 * 86400)

static bp_status run(bp_call *call, struct redis_cache *cache, struct redis_script *script,
                     const bp_str *keys, size_t key_count, const bp_str *arguments,
                     size_t argument_count, uint32_t flags, size_t wanted,
                     const struct redis_reply **reply)
{
    BP_TRY(redis_run_script(call, cache->client, script, keys, key_count, arguments, argument_count,
                            flags, reply));
    if (wanted ? (*reply)->type == REDIS_ARRAY && (*reply)->count == wanted
               : (*reply)->type == REDIS_INTEGER)
        return BP_OK;
    return redis_fail_shape(call, "EVALSHA", *reply);
}

static bp_str number(bp_call *call, int64_t value)
{
    return bp_format(call, "%lld", (long long)value);
}

static int64_t held_ms(int64_t hold_ns)
{
    return (hold_ns < HOLD_MAX_NS ? hold_ns : HOLD_MAX_NS) / 1000000 + (hold_ns % 1000000 != 0);
}

/* ---- rate limits ---- */

bp_status cache_take(bp_call *call, void *instance, bp_str key, int64_t limit, int64_t window_ns,
                     int64_t cost, bp_take *result)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply = NULL;
    bp_str                    keys[] = { cache_key(call, cache, "l:", key) }, arguments[3];
    bool                      is_hidden = false;
    bp_status                 status;

    BP_TRY(cache_check_key(call, key));
    if (limit < 1 || window_ns < 1 || cost < 0)
        return bp_fail(call, BP_INVALID, "a limit and its window are above 0 and a cost not below");
    if (limit > AMOUNT_MAX || window_ns > HOLD_MAX_NS)
        return bp_fail(call, BP_INVALID, "a limit is at most 2^52 and its window 10 years");
    arguments[0] = number(call, limit);
    arguments[1] = bp_format(call, "%.3f", (double)window_ns / 1e3);
    arguments[2] = number(call, cost < AMOUNT_MAX ? cost : AMOUNT_MAX + 1);
    status = run(call, cache, &cache->take, keys, 1, arguments, 3, REDIS_ONCE, 3, &reply);
    status = cache_end(call, cache, (cache_policy)cache->limits_when_down, "take", status,
                       &is_hidden);
    if (status != BP_OK)
        return status;
    if (is_hidden && cache->limits_when_down == POLICY_LOCAL)
        return local_take(call, cache, key, limit, window_ns, cost, result);
    result->limit = limit;
    result->is_granted = is_hidden || reply->items[0]->integer == 1;
    result->remaining = is_hidden ? limit : reply->items[1]->integer;
    result->reset_ns = is_hidden ? 0 : reply->items[2]->integer * 1000;
    if (!is_hidden)
        local_end(call, cache);
    return BP_OK;
}

/* ---- budgets ---- */

static bp_status check_budget(bp_call *call, bp_str key, bp_str period, bp_str reservation,
                              int64_t amount)
{
    BP_TRY(cache_check_key(call, key));
    if (period.len > PERIOD_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "the name of a period has at most %d bytes",
                       PERIOD_BYTES_MAX);
    if (reservation.len < 1 || reservation.len > NAME_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "the name of a reservation has 1 to %d bytes",
                       NAME_BYTES_MAX);
    if (amount < 0 || amount > AMOUNT_MAX)
        return bp_fail(call, BP_INVALID, "%lld is no amount of a budget: they go from 0 to 2^52",
                       (long long)amount);
    return BP_OK;
}

/* PREFIX{b:LENGTH:KEY:PERIOD}TAIL: with the length of the key, no two pairs of key and period look
 * the same. */
bp_str cache_budget_key(bp_call *call, const struct redis_cache *cache, bp_str key, bp_str period,
                        const char *tail)
{
    bp_buf *buf = bp_buf_new(call, 2048);

    bp_buf_add(buf, cache->prefix);
    bp_buf_addf(buf, "{b:%zu:", key.len);
    bp_buf_add(buf, key);
    bp_buf_add(buf, BP_STR(":"));
    bp_buf_add(buf, period);
    bp_buf_add(buf, BP_STR("}"));
    bp_buf_add(buf, bp_str_of(tail));
    return bp_buf_str(buf);
}

bp_status cache_reserve(bp_call *call, void *instance, bp_str key, bp_str period, int64_t limit,
                        int64_t amount, int64_t hold_ns, bp_str reservation, bp_take *result)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply = NULL;
    bool                      is_hidden = false;
    int64_t                   used = 0, next_us = -1;
    bp_status                 status;

    BP_TRY(check_budget(call, key, period, reservation, amount));
    if (hold_ns < 1 || limit < 0)
        return bp_fail(call, BP_INVALID,
                       "a reservation is held for longer than 0 and a limit is not negative");
    // The same reservation again replaces the first, so sending it twice does no harm.
    status = run(call, cache, &cache->reserve,
                 (bp_str[]){ cache_budget_key(call, cache, key, period, "s"),
                             cache_budget_key(call, cache, key, period, "e") },
                 2,
                 (bp_str[]){ number(call, limit < AMOUNT_MAX * 2 ? limit : AMOUNT_MAX * 2),
                             number(call, amount), number(call, held_ms(hold_ns) * 1000),
                             reservation, BP_STR(BUDGET_KEPT_MS) },
                 5, REDIS_IDEMPOTENT, 3, &reply);
    status = cache_end(call, cache, (cache_policy)cache->budgets_when_down, "reserve", status,
                       &is_hidden);
    if (status != BP_OK)
        return status;
    if (!is_hidden) {
        used = reply->items[1]->integer;
        next_us = reply->items[2]->integer;
    }
    result->is_granted = is_hidden || reply->items[0]->integer == 1;
    result->limit = limit;
    result->remaining = used < limit ? limit - used : 0;
    result->reset_ns = result->is_granted || next_us < 0 ? 0 : next_us * 1000;
    return BP_OK;
}

/* The amount spent counts even if the reservation is unknown or was held for too short a time. */
bp_status cache_settle(bp_call *call, void *instance, bp_str key, bp_str period, bp_str reservation,
                       int64_t amount)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply;
    uint64_t                  chance[2];
    bool                      is_hidden;
    char                      mark[48];

    BP_TRY(check_budget(call, key, period, reservation, amount));
    bp_random(chance, sizeof(chance));
    snprintf(mark, sizeof(mark), "n:%016llx%016llx", (unsigned long long)chance[0],
             (unsigned long long)chance[1]);
    return cache_end(call, cache, (cache_policy)cache->budgets_when_down, "settle",
                     run(call, cache, &cache->settle,
                         (bp_str[]){ cache_budget_key(call, cache, key, period, "s"),
                                     cache_budget_key(call, cache, key, period, "e"),
                                     cache_budget_key(call, cache, key, period, mark) },
                         3, (bp_str[]){ number(call, amount), reservation, BP_STR(BUDGET_KEPT_MS) },
                         3, REDIS_IDEMPOTENT, 0, &reply),
                     &is_hidden);
}

/* ---- locks: never open, as a lock that lets everybody in is none ---- */

static bp_status end_lock(bp_call *call, struct redis_cache *cache, bp_str key, const char *op,
                          bp_status status, const struct redis_reply *reply)
{
    BP_TRY(cache_end(call, cache, POLICY_CLOSED, op, status, &(bool){ false }));
    if (reply->integer != 1)
        return bp_fail(call, BP_CONFLICT, "the lock \"" BP_FMT "\" is held by another owner",
                       BP_ARG(key));
    return BP_OK;
}

bp_status cache_lock(bp_call *call, void *instance, bp_str key, bp_str owner, int64_t hold_ns)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply = NULL;
    bp_str                    keys[] = { cache_key(call, cache, "k:", key) };
    bp_status                 status;

    BP_TRY(cache_check_key(call, key));
    if (owner.len < 1 || owner.len > NAME_BYTES_MAX || hold_ns < 1)
        return bp_fail(call, BP_INVALID,
                       "a lock's owner has 1 to %d bytes and it is held for longer than 0",
                       NAME_BYTES_MAX);
    status = run(call, cache, &cache->lock, keys, 1,
                 (bp_str[]){ owner, number(call, held_ms(hold_ns)) }, 2, REDIS_IDEMPOTENT, 0,
                 &reply);
    return end_lock(call, cache, key, "lock", status, reply);
}

bp_status cache_unlock(bp_call *call, void *instance, bp_str key, bp_str owner)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply = NULL;
    bp_str                    keys[] = { cache_key(call, cache, "k:", key) };
    bp_status                 status;

    BP_TRY(cache_check_key(call, key));
    status = run(call, cache, &cache->unlock, keys, 1, &owner, 1, REDIS_IDEMPOTENT, 0, &reply);
    return end_lock(call, cache, key, "unlock", status, reply);
}
