/* moving.c - the spent amounts of budgets, read from one server and written to another when a
 * deployment changes its cache. */
#include "cache.h"

enum { NUMBER_DIGITS_MAX = 20 };

/* PREFIX{b:LENGTH:KEY:PERIOD}s taken apart; false for a key that is none of ours. */
static bool read_key(const struct redis_cache *cache, bp_str name, bp_budget *budget)
{
    const char *at = name.data + cache->prefix.len, *end = name.data + name.len;
    size_t      len = 0, digits = 0;

    if (name.len < cache->prefix.len + 7 || memcmp(at, "{b:", 3) != 0 ||
        memcmp(end - 2, "}s", 2) != 0)
        return false;
    for (at += 3, end -= 2; at < end && *at >= '0' && *at <= '9' && digits < 4; at++, digits++)
        len = len * 10 + (size_t)(*at - '0');
    if (!digits || end - at < 2 || *at != ':' || len < 1 || len > KEY_BYTES_MAX ||
        (size_t)(end - at) < len + 2 || at[1 + len] != ':')
        return false;
    budget->key = bp_str_n(at + 1, len);
    budget->period = bp_str_n(at + len + 2, (size_t)(end - at) - len - 2);
    return true;
}

static bool read_number(bp_str text, int64_t *number)
{
    *number = 0;
    if (text.len < 1 || text.len > NUMBER_DIGITS_MAX - 2)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *number = *number * 10 + (text.data[i] - '0');
    }
    return true;
}

static bp_status dump_page(bp_call *call, struct redis_cache *cache, size_t node,
                           const struct redis_reply *keys, const bp_budget_sink *sink)
{
    struct redis_batch              *batch = redis_batch_new(call, (bp_str){ 0 });
    bp_budget                       *budgets = BP_NEW_ARRAY(call, bp_budget, keys->count + 1);
    const struct redis_reply *const *replies = NULL;
    size_t                           count = 0;

    if (!budgets)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < keys->count; i++) {
        if (!read_key(cache, keys->items[i]->text, &budgets[count]))
            continue;
        budgets[count++].struct_size = sizeof(bp_budget);
        redis_add(batch, (bp_str[]){ BP_STR("HGET"), keys->items[i]->text, BP_STR("spent") }, 3);
    }
    if (count)
        BP_TRY(redis_run_on(call, cache->client, node, batch, REDIS_IDEMPOTENT, &replies));
    for (size_t i = 0; i < count; i++) {
        if (replies[i]->type == REDIS_NIL)
            continue;
        if (replies[i]->type != REDIS_STRING || !read_number(replies[i]->text, &budgets[i].spent))
            return redis_fail_shape(call, "HGET", replies[i]);
        if (budgets[i].spent)
            BP_TRY(sink->budget(call, sink->self, &budgets[i]));
    }
    return BP_OK;
}

static bp_status dump_node(bp_call *call, struct redis_cache *cache, size_t node, bp_str pattern,
                           const bp_budget_sink *sink)
{
    bp_str cursor = BP_STR("0");

    do {
        bp_str                    words[] = { BP_STR("SCAN"), cursor,          BP_STR("MATCH"),
                                              pattern,        BP_STR("COUNT"), BP_STR("1000") };
        const struct redis_reply *reply;

        BP_TRY(redis_do_on(call, cache->client, node, words, 6, REDIS_IDEMPOTENT, &reply));
        if (reply->type != REDIS_ARRAY || reply->count != 2 ||
            reply->items[0]->type != REDIS_STRING)
            return redis_fail_shape(call, "SCAN", reply);
        cursor = reply->items[0]->text;
        BP_TRY(dump_page(call, cache, node, reply->items[1], sink));
    } while (!bp_str_is(cursor, "0"));
    return BP_OK;
}

/* Never hidden: an operator who moves budgets must know that they could not be read. */
bp_status cache_dump(bp_call *call, void *instance, const bp_budget_sink *sink)
{
    struct redis_cache *cache = instance;
    const size_t       *nodes;
    size_t              count = 0;
    bp_str pattern = cache_pattern_of(call, bp_format(call, BP_FMT "{b:", BP_ARG(cache->prefix)));
    bp_status status = pattern.data ? redis_masters(call, cache->client, &nodes, &count)
                                    : BP_NO_MEMORY;

    for (size_t i = 0; status == BP_OK && i < count; i++)
        status = dump_node(call, cache, nodes[i], pattern, sink);
    return cache_end(call, cache, POLICY_CLOSED, "dump", status, &(bool){ false });
}

static bp_status load_one(bp_call *call, struct redis_cache *cache, const bp_budget *budget)
{
    bp_str              key = cache_budget_key(call, cache, budget->key, budget->period, "s");
    struct redis_batch *batch = redis_batch_new(call, key);
    const struct redis_reply *const *replies;

    redis_add(batch,
              (bp_str[]){ BP_STR("HSET"), key, BP_STR("spent"),
                          bp_format(call, "%lld", (long long)budget->spent) },
              4);
    redis_add(batch, (bp_str[]){ BP_STR("PEXPIRE"), key, BP_STR(BUDGET_KEPT_MS) }, 3);
    return redis_run(call, cache->client, batch, REDIS_IDEMPOTENT, &replies);
}

bp_status cache_load(bp_call *call, void *instance, const bp_budget *budgets, size_t budget_size,
                     size_t count)
{
    struct redis_cache *cache = instance;
    bp_status           status = BP_OK;

    for (size_t i = 0; status == BP_OK && i < count; i++) {
        const bp_budget *budget = (const bp_budget *)(const void *)((const char *)budgets +
                                                                    i * budget_size);

        if (budget->spent < 0 || budget->spent > AMOUNT_MAX)
            return bp_fail(call, BP_INVALID,
                           "%lld is no amount of a budget: they go from 0 to 2^52",
                           (long long)budget->spent);
        status = load_one(call, cache, budget);
    }
    return cache_end(call, cache, POLICY_CLOSED, "load", status, &(bool){ false });
}
