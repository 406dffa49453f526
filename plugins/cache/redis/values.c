/* values.c - values with a time to live, and the server's own statistics. */
#include "cache.h"

#include <stdlib.h>

#define TTL_MAX_NS BP_SECONDS(100LL * 366 * 86400) /* longer is for ever */

bp_status cache_get(bp_call *call, void *instance, bp_str key, bp_str *value)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply = NULL;
    bp_str                    words[] = { BP_STR("GET"), cache_key(call, cache, "v:", key) };
    bool                      is_hidden;
    bp_status                 status;

    BP_TRY(cache_check_key(call, key));
    status = redis_do(call, cache->client, words[1], words, 2, REDIS_IDEMPOTENT, &reply);
    if (status == BP_OK && reply->type == REDIS_STRING) {
        *value = reply->text;
        return BP_OK;
    }
    if (status == BP_OK && reply->type != REDIS_NIL)
        status = redis_fail_shape(call, "GET", reply);
    BP_TRY(
        cache_end(call, cache, (cache_policy)cache->values_when_down, "get", status, &is_hidden));
    return bp_fail(call, BP_NOT_FOUND, "the key is not in the cache");
}

bp_status cache_set(bp_call *call, void *instance, bp_str key, bp_str value, int64_t ttl_ns)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply;
    bp_str                    words[] = {
                           BP_STR("SET"), cache_key(call, cache, "v:", key), value, BP_STR("PX"), { 0 }
    };
    bool is_hidden;

    BP_TRY(cache_check_key(call, key));
    if (value.len > VALUE_BYTES_MAX)
        return bp_fail(call, BP_TOO_LARGE, "a value of %zu bytes is larger than 8 MiB", value.len);
    if (ttl_ns < 0)
        return bp_fail(call, BP_INVALID, "a time to live is not negative");
    if (ttl_ns && ttl_ns < TTL_MAX_NS)
        words[4] = bp_format(call, "%lld", (long long)((ttl_ns + 999999) / 1000000));
    return cache_end(call, cache, (cache_policy)cache->values_when_down, "set",
                     redis_do(call, cache->client, words[1], words, words[4].len ? 5 : 3,
                              REDIS_IDEMPOTENT, &reply),
                     &is_hidden);
}

bp_status cache_remove(bp_call *call, void *instance, bp_str key)
{
    struct redis_cache       *cache = instance;
    const struct redis_reply *reply;
    bp_str                    words[] = { BP_STR("UNLINK"), cache_key(call, cache, "v:", key) };

    BP_TRY(cache_check_key(call, key));
    // Never hidden: the value to delete would be there again with the server.
    return cache_end(call, cache, POLICY_CLOSED, "remove",
                     redis_do(call, cache->client, words[1], words, 2, REDIS_IDEMPOTENT, &reply),
                     &(bool){ false });
}

/* ---- by prefix ---- */

bp_str cache_pattern_of(bp_call *call, bp_str prefix)
{
    char  *text = bp_alloc(call, prefix.len * 2 + 1);
    size_t len = 0;

    for (size_t i = 0; text && i < prefix.len; i++) {
        if (prefix.data[i] && strchr("*?[]^\\", prefix.data[i]))
            text[len++] = '\\';
        text[len++] = prefix.data[i];
    }
    if (text)
        text[len++] = '*';
    return bp_str_n(text, len);
}

static bp_status remove_page(bp_call *call, struct redis_cache *cache, size_t node,
                             const struct redis_reply *keys, int64_t *removed)
{
    struct redis_batch              *batch = redis_batch_new(call, (bp_str){ 0 });
    const struct redis_reply *const *replies;

    if (!keys->count)
        return BP_OK;
    for (size_t i = 0; i < keys->count; i++)
        redis_add(batch, (bp_str[]){ BP_STR("UNLINK"), keys->items[i]->text }, 2);
    BP_TRY(redis_run_on(call, cache->client, node, batch, REDIS_IDEMPOTENT, &replies));
    for (size_t i = 0; i < keys->count; i++)
        *removed += replies[i]->integer;
    return BP_OK;
}

static bp_status remove_step(bp_call *call, struct redis_cache *cache, size_t node, bp_str pattern,
                             char cursor[24], int64_t *removed)
{
    bp_str                    words[] = { BP_STR("SCAN"), bp_str_of(cursor), BP_STR("MATCH"),
                                          pattern,        BP_STR("COUNT"),   BP_STR("1000") };
    const struct redis_reply *reply;

    BP_TRY(redis_do_on(call, cache->client, node, words, 6, REDIS_IDEMPOTENT, &reply));
    if (reply->type != REDIS_ARRAY || reply->count != 2 || reply->items[0]->type != REDIS_STRING ||
        reply->items[0]->text.len > 22)
        return redis_fail_shape(call, "SCAN", reply);
    snprintf(cursor, 24, BP_FMT, BP_ARG(reply->items[0]->text));
    return remove_page(call, cache, node, reply->items[1], removed);
}

/* A long walk: what one step took is given back before the next. */
static bp_status remove_on(bp_call *call, struct redis_cache *cache, size_t node, bp_str pattern,
                           int64_t *removed)
{
    char      cursor[24] = "0";
    bp_status status = BP_OK;

    do {
        BP_TRY(bp_scratch_begin(call));
        status = remove_step(call, cache, node, pattern, cursor, removed);
        bp_scratch_end(call);
    } while (status == BP_OK && strcmp(cursor, "0") != 0);
    return status;
}

bp_status cache_remove_prefix(bp_call *call, void *instance, bp_str prefix, int64_t *removed)
{
    struct redis_cache *cache = instance;
    const size_t       *nodes;
    size_t              count = 0;
    int64_t             total = 0;
    bool                is_hidden;
    bp_str              pattern;
    bp_status           status;

    BP_TRY(cache_check_key(call, prefix));
    pattern = cache_pattern_of(call, cache_key(call, cache, "v:", prefix));
    status = pattern.data ? redis_masters(call, cache->client, &nodes, &count) : BP_NO_MEMORY;
    for (size_t i = 0; status == BP_OK && i < count; i++)
        status = remove_on(call, cache, nodes[i], pattern, &total);
    if (removed)
        *removed = total;
    return cache_end(call, cache, POLICY_CLOSED, "remove_prefix", status, &is_hidden);
}

/* ---- figures ---- */

/* The number behind "\nname:" in what INFO says. */
static int64_t figure(bp_str info, const char *name)
{
    size_t len = strlen(name);

    for (size_t at = 0; at + len < info.len; at++)
        if ((at == 0 || info.data[at - 1] == '\n') && info.data[at + len] == ':' &&
            memcmp(info.data + at, name, len) == 0)
            return strtoll(info.data + at + len + 1, NULL, 10);
    return 0;
}

static bp_status add_stats(bp_call *call, struct redis_cache *cache, size_t node,
                           bp_cache_stats *stats)
{
    struct redis_batch              *batch = redis_batch_new(call, (bp_str){ 0 });
    const struct redis_reply *const *replies;

    redis_add_line(batch, "DBSIZE");
    redis_add_line(batch, "INFO memory");
    redis_add_line(batch, "INFO stats");
    BP_TRY(redis_run_on(call, cache->client, node, batch, REDIS_IDEMPOTENT, &replies));
    if (replies[0]->type != REDIS_INTEGER || replies[1]->type != REDIS_STRING ||
        replies[2]->type != REDIS_STRING)
        return redis_fail_shape(call, "INFO", replies[1]);
    stats->entries += replies[0]->integer;
    stats->size_bytes += figure(replies[1]->text, "used_memory");
    stats->size_max_bytes += figure(replies[1]->text, "maxmemory");
    stats->hits += figure(replies[2]->text, "keyspace_hits");
    stats->misses += figure(replies[2]->text, "keyspace_misses");
    stats->evictions += figure(replies[2]->text, "evicted_keys");
    return BP_OK;
}

/* Never hidden: this is what a health check asks. */
bp_status cache_stats(bp_call *call, void *instance, bp_cache_stats *stats)
{
    struct redis_cache *cache = instance;
    const size_t       *nodes;
    size_t              count = 0;
    bool                is_hidden;
    bp_status           status = redis_masters(call, cache->client, &nodes, &count);

    stats->entries = stats->size_bytes = stats->size_max_bytes = stats->hits = stats->misses =
        stats->evictions = 0;
    for (size_t i = 0; status == BP_OK && i < count; i++)
        status = add_stats(call, cache, nodes[i], stats);
    return cache_end(call, cache, POLICY_CLOSED, "stats", status, &is_hidden);
}
