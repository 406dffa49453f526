/* memory.c - the cache of this process: values with a time to live, rate limits, budgets, locks.
 *
 * One table for all workers; every operation is a few hundred nanoseconds under the lock of one
 * shard, so none of them suspends. It is exact among the workers of one process; with several
 * processes use another cache.
 */
#include "table/table.h"

#include <stdlib.h>

#include <backplane/loop.h>
#include <backplane/plugin.h>

enum { KEY_BYTES_MAX = 512, VALUE_BYTES_MAX = 8 << 20, NAME_BYTES_MAX = 256 };

#define SWEEP_NS BP_SECONDS(30)
#define BUDGET_KEPT_NS                                                                             \
    BP_SECONDS(400 * 86400LL) /* behind its last use; periods are days, months or years */

struct memory_cache {
    int64_t       size_bytes;
    struct table *table;
};

static struct table *table_of(void *instance)
{
    return ((struct memory_cache *)instance)->table;
}

static bp_status check_key(bp_call *call, bp_str key)
{
    if (key.len < 1 || key.len > KEY_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "a cache key has 1 to %d bytes, not %zu", KEY_BYTES_MAX,
                       key.len);
    return BP_OK;
}

static bp_status fail_room(bp_call *call)
{
    return bp_fail(call, BP_UNAVAILABLE,
                   "the cache is filled with limits, budgets and locks: raise its option `size`");
}

/* ---- values ---- */

static bp_status memory_get(bp_call *call, void *instance, bp_str key, bp_str *value)
{
    struct table *table = table_of(instance);
    struct entry *entry;
    struct shard *shard;

    BP_TRY(check_key(call, key));
    shard = table_lock(table, ENTRY_VALUE, key, bp_now_ns(), &entry);
    if (entry) {
        table_used(shard, entry);
        *value = bp_dup(call, bp_str_n(entry->bytes + entry->key_len, entry->text_len));
    }
    table_unlock(shard);
    atomic_fetch_add(entry ? &table->hits : &table->misses, 1);
    if (!entry)
        return bp_fail(call, BP_NOT_FOUND, "the key is not in the cache");
    return value->data ? BP_OK : BP_NO_MEMORY;
}

static bp_status memory_set(bp_call *call, void *instance, bp_str key, bp_str value, int64_t ttl_ns)
{
    struct table *table = table_of(instance);
    int64_t       now_ns = bp_now_ns();
    struct entry *entry;
    struct shard *shard;

    BP_TRY(check_key(call, key));
    if (value.len > VALUE_BYTES_MAX || (int64_t)(value.len + key.len) > table->size_max_bytes / 2)
        return bp_fail(call, BP_TOO_LARGE,
                       "a value of %zu bytes is larger than 8 MiB or half of the cache", value.len);
    if (ttl_ns < 0)
        return bp_fail(call, BP_INVALID, "a time to live is not negative");
    shard = table_lock(table, ENTRY_VALUE, key, now_ns, &entry);
    entry = table_put(table, shard, ENTRY_VALUE, key, value);
    if (entry && ttl_ns)
        entry->expires_ns = table_later(now_ns, ttl_ns);
    table_unlock(shard);
    if (!entry)
        return bp_fail(call, BP_UNAVAILABLE, "no memory for a value of %zu bytes", value.len);
    table_make_room(table);
    return BP_OK;
}

static bp_status memory_remove(bp_call *call, void *instance, bp_str key)
{
    struct entry *entry;
    struct shard *shard;

    BP_TRY(check_key(call, key));
    shard = table_lock(table_of(instance), ENTRY_VALUE, key, bp_now_ns(), &entry);
    if (entry)
        table_remove(table_of(instance), shard, entry);
    table_unlock(shard);
    return BP_OK;
}

struct prefix_job {
    struct table *table;
    bp_str        prefix;
    int64_t       removed;
};

static bp_status remove_prefix_job(bp_call *call, void *arg)
{
    struct prefix_job *job = arg;
    (void)call;
    job->removed = table_remove_prefix(job->table, job->prefix);
    return BP_OK;
}

/* Looks at every entry, so it runs beside the loop. */
static bp_status memory_remove_prefix(bp_call *call, void *instance, bp_str prefix,
                                      int64_t *removed)
{
    struct prefix_job job = { table_of(instance), prefix, 0 };

    BP_TRY(check_key(call, prefix));
    BP_TRY(bp_offload(call, NULL, remove_prefix_job, &job));
    if (removed)
        *removed = job.removed;
    return BP_OK;
}

/* ---- rate limits ---- */

static bp_status memory_take(bp_call *call, void *instance, bp_str key, int64_t limit,
                             int64_t window_ns, int64_t cost, bp_take *result)
{
    BP_TRY(check_key(call, key));
    if (limit < 1 || window_ns < 1 || cost < 0)
        return bp_fail(call, BP_INVALID, "a limit and its window are above 0 and a cost not below");
    return table_take(table_of(instance), ENTRY_LIMIT, key, limit, window_ns, cost, result)
               ? BP_OK
               : fail_room(call);
}

/* ---- budgets ---- */

/* The period's place in the budget; the one that was unused for longer makes room for a new one. */
static struct budget_period *period_of(struct table *table, struct entry *entry, bp_str name,
                                       int64_t now_ns)
{
    struct budget_period *periods = entry->budget->periods, *place;

    for (int i = 0; i < 2; i++)
        if (periods[i].used_ns &&
            bp_str_equal(name, bp_str_n(periods[i].name, periods[i].name_len))) {
            periods[i].used_ns = now_ns;
            return &periods[i];
        }
    place = periods[0].used_ns <= periods[1].used_ns ? &periods[0] : &periods[1];
    while (place->holds) {
        struct hold *hold = place->holds;
        place->holds = hold->next;
        table_resized(table, entry, -(int64_t)(sizeof(*hold) + hold->name_len));
        free(hold);
    }
    memset(place, 0, sizeof(*place));
    memcpy(place->name, name.data ? name.data : "", name.len);
    place->name_len = name.len;
    place->used_ns = now_ns;
    return place;
}

/* The holds; holds that have expired are dropped. */
static int64_t held(struct table *table, struct entry *entry, struct budget_period *period,
                    int64_t now_ns, int64_t *next_ns)
{
    int64_t sum = 0;

    *next_ns = BP_FOREVER;
    for (struct hold **at = &period->holds; *at;) {
        struct hold *hold = *at;
        if (hold->expires_ns <= now_ns) {
            *at = hold->next;
            table_resized(table, entry, -(int64_t)(sizeof(*hold) + hold->name_len));
            free(hold);
            continue;
        }
        sum += hold->amount;
        if (hold->expires_ns < *next_ns)
            *next_ns = hold->expires_ns;
        at = &hold->next;
    }
    return sum;
}

/* Takes a reservation away; false when there is none. */
static bool release(struct table *table, struct entry *entry, struct budget_period *period,
                    bp_str name)
{
    for (struct hold **at = &period->holds; *at; at = &(*at)->next)
        if (bp_str_equal(name, bp_str_n((*at)->name, (*at)->name_len))) {
            struct hold *hold = *at;
            *at = hold->next;
            table_resized(table, entry, -(int64_t)(sizeof(*hold) + hold->name_len));
            free(hold);
            return true;
        }
    return false;
}

static bool hold_add(struct table *table, struct entry *entry, struct budget_period *period,
                     bp_str name, int64_t amount, int64_t expires_ns)
{
    struct hold *hold = malloc(sizeof(*hold) + name.len);

    if (!hold)
        return false;
    *hold = (struct hold){
        .next = period->holds, .amount = amount, .expires_ns = expires_ns, .name_len = name.len
    };
    memcpy(hold->name, name.data, name.len);
    period->holds = hold;
    table_resized(table, entry, (int64_t)(sizeof(*hold) + name.len));
    return true;
}

/* Locks the shard; *period is NULL when there is no room. */
static struct shard *budget_lock(struct table *table, bp_str key, bp_str name, int64_t now_ns,
                                 struct entry **entry, struct budget_period **period)
{
    struct shard *shard = table_lock(table, ENTRY_BUDGET, key, now_ns, entry);

    *period = NULL;
    if (!*entry) {
        *entry = table_put(table, shard, ENTRY_BUDGET, key, bp_str_n(NULL, 0));
        if (*entry) {
            (*entry)->budget = calloc(1, sizeof(struct budget));
            if ((*entry)->budget)
                table_resized(table, *entry, sizeof(struct budget));
        }
    }
    if (*entry && (*entry)->budget) {
        (*entry)->expires_ns = table_later(now_ns, BUDGET_KEPT_NS);
        *period = period_of(table, *entry, name, now_ns);
    }
    return shard;
}

static bp_status check_budget(bp_call *call, bp_str key, bp_str period, bp_str reservation,
                              int64_t amount)
{
    BP_TRY(check_key(call, key));
    if (period.len >= sizeof(((struct budget_period *)0)->name))
        return bp_fail(call, BP_INVALID, "the name of a period has at most %zu bytes",
                       sizeof(((struct budget_period *)0)->name) - 1);
    if (reservation.len < 1 || reservation.len > NAME_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "the name of a reservation has 1 to %d bytes",
                       NAME_BYTES_MAX);
    if (amount < 0 || amount > INT64_MAX / 4)
        return bp_fail(call, BP_INVALID, "%lld is no amount of a budget", (long long)amount);
    return BP_OK;
}

static bp_status memory_reserve(bp_call *call, void *instance, bp_str key, bp_str period_name,
                                int64_t limit, int64_t amount, int64_t hold_ns, bp_str reservation,
                                bp_take *result)
{
    struct table         *table = table_of(instance);
    int64_t               now_ns = bp_now_ns(), used = 0, next_ns = BP_FOREVER;
    struct budget_period *period;
    struct entry         *entry;
    struct shard         *shard;
    bool                  has_room;

    BP_TRY(check_budget(call, key, period_name, reservation, amount));
    if (hold_ns < 1 || limit < 0)
        return bp_fail(call, BP_INVALID,
                       "a reservation is held for longer than 0 and a limit is not negative");
    shard = budget_lock(table, key, period_name, now_ns, &entry, &period);
    has_room = period != NULL;
    if (period) {
        release(table, entry, period, reservation); /* the same one again replaces the first */
        used = period->spent + held(table, entry, period, now_ns, &next_ns);
        result->is_granted = amount <= limit && used <= limit - amount;
        if (result->is_granted) {
            has_room = hold_add(table, entry, period, reservation, amount,
                                table_later(now_ns, hold_ns));
            used += amount;
        }
    }
    table_unlock(shard);
    if (!has_room)
        return fail_room(call);
    result->limit = limit;
    result->remaining = used < limit ? limit - used : 0;
    result->reset_ns = result->is_granted || next_ns == BP_FOREVER ? 0 : next_ns - now_ns;
    return BP_OK;
}

/* The amount spent counts even if the reservation is unknown or was held for too short a time. */
static bp_status memory_settle(bp_call *call, void *instance, bp_str key, bp_str period_name,
                               bp_str reservation, int64_t amount)
{
    struct table         *table = table_of(instance);
    struct budget_period *period;
    struct entry         *entry;
    struct shard         *shard;

    BP_TRY(check_budget(call, key, period_name, reservation, amount));
    shard = budget_lock(table, key, period_name, bp_now_ns(), &entry, &period);
    if (period) {
        release(table, entry, period, reservation);
        period->spent = period->spent > INT64_MAX / 2 ? period->spent : period->spent + amount;
    }
    table_unlock(shard);
    return period ? BP_OK : fail_room(call);
}

/* ---- budgets that are moved to another cache, or come from one ---- */

struct dumping {
    const bp_budget_sink *sink;
    struct dumped {
        struct dumped *next;
        bp_budget      budget;
    } * first;
};

/* With a shard locked: the copy is handed on later, as a sink may suspend. */
static bp_status note_periods(bp_call *call, struct dumping *dumping, const struct entry *entry)
{
    for (int i = 0; i < 2; i++) {
        const struct budget_period *period = &entry->budget->periods[i];
        struct dumped              *dumped;

        if (!period->used_ns || !period->spent)
            continue;
        dumped = BP_NEW(call, struct dumped);
        if (!dumped)
            return BP_NO_MEMORY;
        dumped->budget = (bp_budget){ .struct_size = sizeof(bp_budget),
                                      .key = bp_dup(call, bp_str_n(entry->bytes, entry->key_len)),
                                      .period = bp_dup(call,
                                                       bp_str_n(period->name, period->name_len)),
                                      .spent = period->spent };
        dumped->next = dumping->first;
        dumping->first = dumped;
    }
    return BP_OK;
}

static bp_status note_shard(bp_call *call, struct dumping *dumping, struct shard *shard)
{
    bp_status status = BP_OK;

    pthread_mutex_lock(&shard->lock);
    for (size_t b = 0; status == BP_OK && b < shard->bucket_count; b++)
        for (const struct entry *entry = shard->buckets[b]; status == BP_OK && entry;
             entry = entry->chain)
            if (entry->kind == ENTRY_BUDGET && entry->budget)
                status = note_periods(call, dumping, entry);
    pthread_mutex_unlock(&shard->lock);
    return status;
}

static bp_status memory_dump(bp_call *call, void *instance, const bp_budget_sink *sink)
{
    struct dumping dumping = { .sink = sink };

    for (int i = 0; i < SHARDS; i++)
        BP_TRY(note_shard(call, &dumping, &table_of(instance)->shards[i]));
    for (const struct dumped *dumped = dumping.first; dumped; dumped = dumped->next)
        BP_TRY(sink->budget(call, sink->self, &dumped->budget));
    return BP_OK;
}

static bp_status memory_load(bp_call *call, void *instance, const bp_budget *budgets,
                             size_t budget_size, size_t count)
{
    struct table *table = table_of(instance);

    for (size_t i = 0; i < count; i++) {
        const bp_budget      *budget = (const bp_budget *)(const void *)((const char *)budgets +
                                                                    i * budget_size);
        struct budget_period *period;
        struct entry         *entry;
        struct shard         *shard;

        BP_TRY(check_budget(call, budget->key, budget->period, BP_STR("load"), budget->spent));
        shard = budget_lock(table, budget->key, budget->period, bp_now_ns(), &entry, &period);
        if (period)
            period->spent = budget->spent;
        table_unlock(shard);
        if (!period)
            return fail_room(call);
    }
    return BP_OK;
}

/* ---- locks ---- */

static bool is_owner(const struct entry *entry, bp_str owner)
{
    return bp_str_equal(owner, bp_str_n(entry->bytes + entry->key_len, entry->text_len));
}

static bp_status memory_lock(bp_call *call, void *instance, bp_str key, bp_str owner,
                             int64_t hold_ns)
{
    struct table *table = table_of(instance);
    int64_t       now_ns = bp_now_ns();
    struct entry *entry;
    struct shard *shard;
    bool          is_taken;

    BP_TRY(check_key(call, key));
    if (owner.len < 1 || owner.len > NAME_BYTES_MAX || hold_ns < 1)
        return bp_fail(call, BP_INVALID,
                       "a lock's owner has 1 to %d bytes and it is held for longer than 0",
                       NAME_BYTES_MAX);
    shard = table_lock(table, ENTRY_LOCK, key, now_ns, &entry);
    is_taken = entry && !is_owner(entry, owner);
    if (!entry)
        entry = table_put(table, shard, ENTRY_LOCK, key, owner);
    if (entry && !is_taken)
        entry->expires_ns = table_later(now_ns, hold_ns);
    table_unlock(shard);
    if (is_taken)
        return bp_fail(call, BP_CONFLICT, "the lock \"" BP_FMT "\" is held by another owner",
                       BP_ARG(key));
    return entry ? BP_OK : fail_room(call);
}

static bp_status memory_unlock(bp_call *call, void *instance, bp_str key, bp_str owner)
{
    struct entry *entry;
    struct shard *shard;
    bool          is_others;

    BP_TRY(check_key(call, key));
    shard = table_lock(table_of(instance), ENTRY_LOCK, key, bp_now_ns(), &entry);
    is_others = entry && !is_owner(entry, owner);
    if (entry && !is_others)
        table_remove(table_of(instance), shard, entry);
    table_unlock(shard);
    if (is_others)
        return bp_fail(call, BP_CONFLICT, "the lock \"" BP_FMT "\" is held by another owner",
                       BP_ARG(key));
    return BP_OK;
}

static bp_status memory_stats(bp_call *call, void *instance, bp_cache_stats *stats)
{
    const struct table *table = table_of(instance);

    (void)call;
    stats->entries = atomic_load(&table->entries);
    stats->size_bytes = atomic_load(&table->size_bytes);
    stats->size_max_bytes = table->size_max_bytes;
    stats->hits = atomic_load(&table->hits);
    stats->misses = atomic_load(&table->misses);
    stats->evictions = atomic_load(&table->evictions);
    return BP_OK;
}

/* ---- life ---- */

static bp_status memory_shared_create(bp_call *call, const void *options, void **shared)
{
    uint64_t seed[2];

    bp_random(seed, sizeof(seed));
    *shared = table_new(((const struct memory_cache *)options)->size_bytes, BP_FOREVER, seed);
    return *shared ? BP_OK : bp_fail(call, BP_NO_MEMORY, "no memory for the cache's table");
}

static bp_status sweep_job(bp_call *call, void *arg)
{
    (void)call;
    table_sweep(arg, bp_now_ns());
    return BP_OK;
}

static bp_status sweep(bp_call *call, void *table)
{
    return bp_offload(call, NULL, sweep_job, table);
}

static bp_status memory_worker_start(bp_call *call, void *instance, void *shared)
{
    ((struct memory_cache *)instance)->table = shared;
    return bp_worker_index(call) == 0 ? bp_every(call, "sweep", SWEEP_NS, sweep, shared) : BP_OK;
}

static void memory_shared_destroy(bp_call *call, void *shared)
{
    (void)call;
    table_free(shared);
}

static const bp_option options[] = {
    BP_OPTION_SIZE(struct memory_cache, size, .initial = "64MiB", .minimum = "64KiB",
                   .maximum = "1024GiB",
                   .help = "memory of the cache; it drops the least recently used values first"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .shared_create = memory_shared_create,
    .worker_start = memory_worker_start,
    .shared_destroy = memory_shared_destroy,
};

static const bp_cache_ops ops = {
    .struct_size = sizeof(bp_cache_ops),
    .get = memory_get,
    .set = memory_set,
    .remove = memory_remove,
    .remove_prefix = memory_remove_prefix,
    .take = memory_take,
    .reserve = memory_reserve,
    .settle = memory_settle,
    .lock = memory_lock,
    .unlock = memory_unlock,
    .stats = memory_stats,
    .dump = memory_dump,
    .load = memory_load,
};

BP_PLUGIN(cache, "memory", "1.0.0",
          .summary = "values, rate limits, budgets and locks in the memory of this process",
          .license = "Apache-2.0", .instance_size = sizeof(struct memory_cache),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
