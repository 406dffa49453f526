/* gate_vector.c - the operations of a vector store, each checked and then through the gate. */
#include "plugin/gate.h"
#include "plugin/gate_kinds.h"

enum { CREATE, DROP, LIST, UPSERT, REMOVE, SEARCH, COUNT, SCROLL, SNAPSHOT, OWNER, MAINTAIN };
enum {
    FILTER_DEPTH_MAX = 8,
    FILTER_NODES_MAX = 256,
    FILTER_VALUES_MAX = 1024,
    BATCH_MAX = 10000,
    LIMIT_MAX = 10000
};

const struct gate_op gate_vector_list[] = {
    [CREATE] = { CREATE, "create", true },
    [DROP] = { DROP, "drop", true },
    [LIST] = { LIST, "list", true },
    [UPSERT] = { UPSERT, "upsert", true },
    [REMOVE] = { REMOVE, "remove", true },
    [SEARCH] = { SEARCH, "search", true },
    [COUNT] = { COUNT, "count", true },
    [SCROLL] = { SCROLL, "scroll", true },
    [SNAPSHOT] = { SNAPSHOT, "snapshot", false },
    [OWNER] = { OWNER, "owner", true },
    [MAINTAIN] = { MAINTAIN, "maintain", false },
};
const size_t gate_vector_count = sizeof(gate_vector_list) / sizeof(gate_vector_list[0]);

struct args {
    const bp_vector_ops    *ops;
    bp_str                  collection;
    const bp_vector_schema *schema;
    const bp_point         *points;
    size_t                  point_size, count;
    const uint64_t         *ids;
    const bp_filter        *filter;
    uint64_t               *number, after;
    uint32_t                limit;
    const bp_vector_query  *query;
    bp_leg                 *by_vector, *by_words;
    const bp_vector_info  **infos;
    size_t                 *info_count;
    const bp_point_sink    *points_out;
    const bp_byte_sink     *bytes_out;
    bp_str                 *owner;
    struct gate_op          op; /* a copy: a scroll is not tried again once a point was given out */
};

static const bp_vector_ops *ops_of(const struct instance *instance)
{
    return instance->unit->plugin->descriptor.ops;
}

/* ---- what every store may rely on ---- */

static bool is_collection_name(bp_str name)
{
    if (name.len < 1 || name.len > 128)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == '-'))
            return false;
    }
    return true;
}

static bool is_field_name(bp_str name)
{
    if (name.len < 1 || name.len > 64 || (name.data[0] >= '0' && name.data[0] <= '9') ||
        name.data[0] == '.' || name.data[0] == '-')
        return false;
    return is_collection_name(name);
}

struct tally {
    size_t nodes, values;
};

static bp_status check_filter(bp_call *call, const bp_filter *filter, unsigned depth,
                              struct tally *tally)
{
    bool is_leaf = filter->op >= BP_FILTER_IN;

    if (depth > FILTER_DEPTH_MAX)
        return call_fail(call, BP_INVALID, "the filter is nested deeper than %d levels",
                         FILTER_DEPTH_MAX);
    tally->values += filter->value_count;
    if (++tally->nodes > FILTER_NODES_MAX || tally->values > FILTER_VALUES_MAX)
        return call_fail(call, BP_INVALID, "the filter has more than %d conditions or %d values",
                         FILTER_NODES_MAX, FILTER_VALUES_MAX);
    if (filter->op < BP_FILTER_AND || filter->op > BP_FILTER_NOT_EXISTS)
        return call_fail(call, BP_INVALID, "the filter has an unknown operator %u", filter->op);
    if (is_leaf && !is_field_name(filter->field))
        return call_fail(call, BP_INVALID,
                         "the filter names the field \"" BP_FMT
                         "\", which is not of the form [A-Za-z_][A-Za-z0-9_.-]{0,63}",
                         BP_ARG(filter->field));
    if ((filter->op == BP_FILTER_NOT && filter->child_count != 1) ||
        (filter->op == BP_FILTER_PREFIX &&
         (filter->value_count != 1 || filter->values[0].type != BP_VALUE_STRING)))
        return call_fail(call, BP_INVALID,
                         "a filter's \"not\" has one condition, its \"prefix\" one text");
    for (size_t i = 0; i < filter->child_count; i++)
        BP_TRY(check_filter(call, filter->children[i], depth + 1, tally));
    return BP_OK;
}

static bp_status check(bp_call *call, const struct args *args, int op)
{
    struct tally tally = { 0 };

    if (op != LIST && !is_collection_name(args->collection))
        return call_fail(call, BP_INVALID,
                         "a collection's name is of the form [A-Za-z0-9_.-]{1,128}, not \"" BP_FMT
                         "\"",
                         BP_ARG(args->collection));
    if (args->filter)
        BP_TRY(check_filter(call, args->filter, 1, &tally));
    if (args->limit > LIMIT_MAX || args->count > BATCH_MAX)
        return call_fail(call, BP_INVALID, "at most %d points are read or written at once",
                         BATCH_MAX);
    return BP_OK;
}

static bp_status pass(bp_call *call, struct instance *instance, int op, bool is_there,
                      gate_thunk thunk, struct args *args)
{
    BP_TRY(gate_needs(call, instance, is_there, gate_vector_list[op].name));
    BP_TRY(check(call, args, op));
    args->op = gate_vector_list[op];
    return gate_run(call, instance, &args->op, thunk, args);
}

/* ---- the operations ---- */

static bp_status run_create(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->create(call, object, a->collection, a->schema);
}
static bp_status gated_create(bp_call *call, void *instance, bp_str collection,
                              const bp_vector_schema *schema)
{
    struct args a = { .ops = ops_of(instance), .collection = collection, .schema = schema };
    if (schema->dimensions < 1 || schema->dimensions > 65536 || schema->metric > BP_L2)
        return call_fail(call, BP_INVALID,
                         "a collection has 1 to 65,536 dimensions and a known metric");
    return pass(call, instance, CREATE, a.ops->create != NULL, run_create, &a);
}

static bp_status run_drop(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->drop(call, object, a->collection);
}
static bp_status gated_drop(bp_call *call, void *instance, bp_str collection)
{
    struct args a = { .ops = ops_of(instance), .collection = collection };
    return pass(call, instance, DROP, a.ops->drop != NULL, run_drop, &a);
}

static bp_status run_list(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->list(call, object, a->infos, a->info_count);
}
static bp_status gated_list(bp_call *call, void *instance, const bp_vector_info **collections,
                            size_t *count)
{
    struct args a = { .ops = ops_of(instance), .infos = collections, .info_count = count };
    return pass(call, instance, LIST, a.ops->list != NULL, run_list, &a);
}

static bp_status run_upsert(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->upsert(call, object, a->collection, a->points, a->point_size, a->count);
}
static bp_status gated_upsert(bp_call *call, void *instance, bp_str collection,
                              const bp_point *points, size_t point_size, size_t count)
{
    struct args a = { .ops = ops_of(instance),
                      .collection = collection,
                      .points = points,
                      .point_size = point_size,
                      .count = count };
    return pass(call, instance, UPSERT, a.ops->upsert != NULL, run_upsert, &a);
}

static bp_status run_remove(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->remove(call, object, a->collection, a->ids, a->count, a->filter, a->number);
}
static bp_status gated_remove(bp_call *call, void *instance, bp_str collection, const uint64_t *ids,
                              size_t count, const bp_filter *filter, uint64_t *removed)
{
    struct args a = { .ops = ops_of(instance),
                      .collection = collection,
                      .ids = ids,
                      .count = count,
                      .filter = filter,
                      .number = removed };
    if (!ids && !filter)
        return call_fail(call, BP_INVALID,
                         "say what to remove, by ids or by a filter; to remove all, drop the "
                         "collection");
    return pass(call, instance, REMOVE, a.ops->remove != NULL, run_remove, &a);
}

static bp_status run_search(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->search(call, object, a->query, a->by_vector, a->by_words);
}
static bp_status gated_search(bp_call *call, void *instance, const bp_vector_query *query,
                              bp_leg *by_vector, bp_leg *by_words)
{
    struct args a = { .ops = ops_of(instance),
                      .collection = query->collection,
                      .query = query,
                      .filter = query->filter,
                      .limit = query->limit,
                      .by_vector = by_vector,
                      .by_words = by_words };
    if (query->limit < 1)
        return call_fail(call, BP_INVALID, "a search asks for 1 to %d hits", LIMIT_MAX);
    return pass(call, instance, SEARCH, a.ops->search != NULL, run_search, &a);
}

static bp_status run_count(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->count(call, object, a->collection, a->filter, a->number);
}
static bp_status gated_count(bp_call *call, void *instance, bp_str collection,
                             const bp_filter *filter, uint64_t *count)
{
    struct args a = {
        .ops = ops_of(instance), .collection = collection, .filter = filter, .number = count
    };
    return pass(call, instance, COUNT, a.ops->count != NULL, run_count, &a);
}

static bp_status pass_point(bp_call *call, void *self, const bp_point *point)
{
    struct args  *a = self;
    struct arena *of_plugin;
    a->op.is_idempotent = false;
    gate_answered(call);
    of_plugin = gate_sink_begin(call);
    return gate_sink_end(call, of_plugin, a->points_out->point(call, a->points_out->self, point));
}
static bp_status run_scroll(bp_call *call, void *object, void *arg)
{
    struct args        *a = arg;
    const bp_point_sink sink = { .struct_size = sizeof(sink), .point = pass_point, .self = a };
    return a->ops->scroll(call, object, a->collection, a->filter, a->after, a->limit, &sink);
}
static bp_status gated_scroll(bp_call *call, void *instance, bp_str collection,
                              const bp_filter *filter, uint64_t after, uint32_t limit,
                              const bp_point_sink *sink)
{
    struct args a = { .ops = ops_of(instance),
                      .collection = collection,
                      .filter = filter,
                      .after = after,
                      .limit = limit,
                      .points_out = sink };
    return pass(call, instance, SCROLL, a.ops->scroll != NULL, run_scroll, &a);
}

static bp_status run_snapshot(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->snapshot(call, object, a->collection, a->bytes_out);
}
static bp_status gated_snapshot(bp_call *call, void *instance, bp_str collection,
                                const bp_byte_sink *sink)
{
    struct args a = { .ops = ops_of(instance), .collection = collection, .bytes_out = sink };
    return pass(call, instance, SNAPSHOT, BP_HAS(a.ops, bp_vector_ops, snapshot) && a.ops->snapshot,
                run_snapshot, &a);
}

static bp_status run_owner(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->owner(call, object, a->collection, a->owner);
}
/* A store that keeps no marks has collections that are nobody's. */
static bp_status gated_owner(bp_call *call, void *instance, bp_str collection, bp_str *owner)
{
    struct args a = { .ops = ops_of(instance), .collection = collection, .owner = owner };
    *owner = bp_str_n(NULL, 0);
    if (!BP_HAS(a.ops, bp_vector_ops, owner) || !a.ops->owner)
        return BP_OK;
    return pass(call, instance, OWNER, true, run_owner, &a);
}

static bp_status run_maintain(bp_call *call, void *object, void *arg)
{
    struct args *a = arg;
    return a->ops->maintain(call, object, a->collection);
}
static bp_status gated_maintain(bp_call *call, void *instance, bp_str what)
{
    struct args a = { .ops = ops_of(instance), .collection = what };

    BP_TRY(gate_needs(call, instance, BP_HAS(a.ops, bp_vector_ops, maintain) && a.ops->maintain,
                      "maintain"));
    return gate_run_long(call, instance, &gate_vector_list[MAINTAIN], run_maintain, &a);
}

const bp_vector_ops gate_vector_ops = {
    .struct_size = sizeof(bp_vector_ops),
    .create = gated_create,
    .drop = gated_drop,
    .list = gated_list,
    .upsert = gated_upsert,
    .remove = gated_remove,
    .search = gated_search,
    .count = gated_count,
    .scroll = gated_scroll,
    .snapshot = gated_snapshot,
    .owner = gated_owner,
    .maintain = gated_maintain,
};
