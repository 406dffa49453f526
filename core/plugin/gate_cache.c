/* gate_cache.c - the operations of a cache, each through the gate. */
#include "plugin/gate.h"
#include "plugin/gate_kinds.h"

enum { GET, SET, REMOVE, REMOVE_PREFIX, TAKE, RESERVE, SETTLE, LOCK, UNLOCK, STATS, DUMP, LOAD };
enum { KEY_BYTES_MAX = 512, VALUE_BYTES_MAX = 8 << 20 };

const struct gate_op gate_cache_list[] = {
    [GET] = { GET, "get", true },
    [SET] = { SET, "set", true },
    [REMOVE] = { REMOVE, "remove", true },
    [REMOVE_PREFIX] = { REMOVE_PREFIX, "remove_prefix", true },
    [TAKE] = { TAKE, "take", false },
    [RESERVE] = { RESERVE, "reserve", false },
    [SETTLE] = { SETTLE, "settle", false },
    [LOCK] = { LOCK, "lock", true },
    [UNLOCK] = { UNLOCK, "unlock", true },
    [STATS] = { STATS, "stats", true },
    [DUMP] = { DUMP, "dump", true },
    [LOAD] = { LOAD, "load", true },
};
const size_t gate_cache_count = sizeof(gate_cache_list) / sizeof(gate_cache_list[0]);

struct args {
    const bp_cache_ops   *ops;
    bp_str                key, value, period, owner;
    bp_str               *found;
    int64_t               ttl_ns, limit, amount;
    int64_t              *removed;
    bp_take              *take;
    bp_cache_stats       *stats;
    const bp_budget_sink *sink;
    const bp_budget      *budgets;
    size_t                budget_size, count;
    struct gate_op        op; /* a copy: a dump is not tried again once a budget was given out */
};

static bp_status check_key(bp_call *call, bp_str key)
{
    if (key.len >= 1 && key.len <= KEY_BYTES_MAX)
        return BP_OK;
    return call_fail(call, BP_INVALID, "a cache key has 1 to %d bytes, this one has %zu",
                     KEY_BYTES_MAX, key.len);
}

/* One shape for all of them: is it there, is the key good, then through the gate. */
static bp_status pass(bp_call *call, struct instance *instance, int op, bool is_there,
                      gate_thunk thunk, struct args *args)
{
    BP_TRY(gate_needs(call, instance, is_there, gate_cache_list[op].name));
    if (op != STATS)
        BP_TRY(check_key(call, args->key));
    return gate_run(call, instance, &gate_cache_list[op], thunk, args);
}

static const bp_cache_ops *ops_of(const struct instance *instance)
{
    return instance->unit->plugin->descriptor.ops;
}

static bp_status run_get(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->get(call, object, a->key, a->found);
}
static bp_status gated_get(bp_call *call, void *instance, bp_str key, bp_str *value)
{
    struct args a = { .ops = ops_of(instance), .key = key, .found = value };
    return pass(call, instance, GET, a.ops->get != NULL, run_get, &a);
}

static bp_status run_set(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->set(call, object, a->key, a->value, a->ttl_ns);
}
static bp_status gated_set(bp_call *call, void *instance, bp_str key, bp_str value, int64_t ttl_ns)
{
    struct args a = { .ops = ops_of(instance), .key = key, .value = value, .ttl_ns = ttl_ns };
    if (value.len > VALUE_BYTES_MAX)
        return call_fail(call, BP_TOO_LARGE,
                         "a cache value has at most 8 MiB, this one has %zu bytes", value.len);
    return pass(call, instance, SET, a.ops->set != NULL, run_set, &a);
}

static bp_status run_remove(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->remove(call, object, a->key);
}
static bp_status gated_remove(bp_call *call, void *instance, bp_str key)
{
    struct args a = { .ops = ops_of(instance), .key = key };
    return pass(call, instance, REMOVE, a.ops->remove != NULL, run_remove, &a);
}

static bp_status run_remove_prefix(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->remove_prefix(call, object, a->key, a->removed);
}
static bp_status gated_remove_prefix(bp_call *call, void *instance, bp_str prefix, int64_t *removed)
{
    struct args a = { .ops = ops_of(instance), .key = prefix, .removed = removed };
    return pass(call, instance, REMOVE_PREFIX, a.ops->remove_prefix != NULL, run_remove_prefix, &a);
}

static bp_status run_take(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->take(call, object, a->key, a->limit, a->ttl_ns, a->amount, a->take);
}
static bp_status gated_take(bp_call *call, void *instance, bp_str key, int64_t limit,
                            int64_t window_ns, int64_t cost, bp_take *result)
{
    struct args a = { .ops = ops_of(instance),
                      .key = key,
                      .limit = limit,
                      .ttl_ns = window_ns,
                      .amount = cost,
                      .take = result };
    if (limit < 1 || window_ns < 1 || cost < 0)
        return call_fail(call, BP_INVALID,
                         "a limit and its window are at least 1, a cost at least 0");
    return pass(call, instance, TAKE, a.ops->take != NULL, run_take, &a);
}

static bp_status run_reserve(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->reserve(call, object, a->key, a->period, a->limit, a->amount, a->ttl_ns,
                           a->owner, a->take);
}
static bp_status gated_reserve(bp_call *call, void *instance, bp_str key, bp_str period,
                               int64_t limit, int64_t amount, int64_t hold_ns, bp_str reservation,
                               bp_take *result)
{
    struct args a = { .ops = ops_of(instance),
                      .key = key,
                      .period = period,
                      .limit = limit,
                      .amount = amount,
                      .ttl_ns = hold_ns,
                      .owner = reservation,
                      .take = result };
    return pass(call, instance, RESERVE, a.ops->reserve != NULL, run_reserve, &a);
}

static bp_status run_settle(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->settle(call, object, a->key, a->period, a->owner, a->amount);
}
static bp_status gated_settle(bp_call *call, void *instance, bp_str key, bp_str period,
                              bp_str reservation, int64_t amount)
{
    struct args a = { .ops = ops_of(instance),
                      .key = key,
                      .period = period,
                      .owner = reservation,
                      .amount = amount };
    return pass(call, instance, SETTLE, a.ops->settle != NULL, run_settle, &a);
}

static bp_status run_lock(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->lock(call, object, a->key, a->owner, a->ttl_ns);
}
static bp_status gated_lock(bp_call *call, void *instance, bp_str key, bp_str owner,
                            int64_t hold_ns)
{
    struct args a = { .ops = ops_of(instance), .key = key, .owner = owner, .ttl_ns = hold_ns };
    return pass(call, instance, LOCK, a.ops->lock != NULL, run_lock, &a);
}

static bp_status run_unlock(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->unlock(call, object, a->key, a->owner);
}
static bp_status gated_unlock(bp_call *call, void *instance, bp_str key, bp_str owner)
{
    struct args a = { .ops = ops_of(instance), .key = key, .owner = owner };
    return pass(call, instance, UNLOCK, a.ops->unlock != NULL, run_unlock, &a);
}

static bp_status run_stats(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->stats(call, object, a->stats);
}
static bp_status gated_stats(bp_call *call, void *instance, bp_cache_stats *stats)
{
    struct args a = { .ops = ops_of(instance), .stats = stats };
    return pass(call, instance, STATS, a.ops->stats != NULL, run_stats, &a);
}

static bp_status pass_budget(bp_call *call, void *self, const bp_budget *budget)
{
    struct args  *a = self;
    struct arena *of_plugin;

    a->op.is_idempotent = false;
    gate_answered(call);
    of_plugin = gate_sink_begin(call);
    return gate_sink_end(call, of_plugin, a->sink->budget(call, a->sink->self, budget));
}
static bp_status run_dump(bp_call *call, void *object, void *arg)
{
    struct args         *a = arg;
    const bp_budget_sink sink = { .struct_size = sizeof(sink), .budget = pass_budget, .self = a };

    return a->ops->dump(call, object, &sink);
}
static bp_status gated_dump(bp_call *call, void *instance, const bp_budget_sink *sink)
{
    struct args a = { .ops = ops_of(instance), .sink = sink, .op = gate_cache_list[DUMP] };

    BP_TRY(gate_needs(call, instance, BP_HAS(a.ops, bp_cache_ops, dump) && a.ops->dump, "dump"));
    return gate_run(call, instance, &a.op, run_dump, &a);
}

static bp_status run_load(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->load(call, object, a->budgets, a->budget_size, a->count);
}
static bp_status gated_load(bp_call *call, void *instance, const bp_budget *budgets,
                            size_t budget_size, size_t count)
{
    struct args a = {
        .ops = ops_of(instance), .budgets = budgets, .budget_size = budget_size, .count = count
    };

    BP_TRY(gate_needs(call, instance, BP_HAS(a.ops, bp_cache_ops, load) && a.ops->load, "load"));
    for (size_t i = 0; i < count; i++) {
        const bp_budget *budget = (const bp_budget *)(const void *)((const char *)budgets +
                                                                    i * budget_size);

        BP_TRY(check_key(call, budget->key));
        if (budget->period.len > 63 || budget->spent < 0)
            return call_fail(call, BP_INVALID,
                             "the name of a budget's period has at most 63 bytes, and the "
                             "amount spent is not below 0");
    }
    return gate_run(call, instance, &gate_cache_list[LOAD], run_load, &a);
}

const bp_cache_ops gate_cache_ops = {
    .struct_size = sizeof(bp_cache_ops),
    .get = gated_get,
    .set = gated_set,
    .remove = gated_remove,
    .remove_prefix = gated_remove_prefix,
    .take = gated_take,
    .reserve = gated_reserve,
    .settle = gated_settle,
    .lock = gated_lock,
    .unlock = gated_unlock,
    .stats = gated_stats,
    .dump = gated_dump,
    .load = gated_load,
};
