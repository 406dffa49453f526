/* plan.c - the plan of a move: an item for each table that an app of either side makes (in the
 * order in which they are made, as later ones may refer to earlier ones), for each collection and
 * for the budgets of each cache. */
#include <stdio.h>
#include <stdlib.h>

#include "transfer/parts.h"

static struct transfer_item *add_item(struct transfer *t, struct transfer_pair *pair,
                                      transfer_item_kind kind, bp_str name)
{
    struct transfer_item *item = arena_alloc(&t->arena, sizeof(*item));

    if (!item)
        return NULL;
    item->pair = pair;
    item->kind = kind;
    item->name = arena_dup(&t->arena, name);
    item->label = arena_format(&t->arena, "%s." BP_FMT "%s" BP_FMT, pair->kind,
                               BP_ARG(pair->from_name), name.len ? " " : "", BP_ARG(item->name));
    buf_init(&item->position, &t->arena, 4 << 20);
    *t->items_end = item;
    t->items_end = &item->next;
    return item;
}

/* ---- tables ---- */

struct table_list {
    struct transfer_table *items;
    size_t                 count;
};

static int type_of(bp_str word)
{
    return bp_str_is(word, "integer") ? BP_SQL_INTEGER
           : bp_str_is(word, "real")  ? BP_SQL_REAL
           : bp_str_is(word, "bytes") ? BP_SQL_BYTES
                                      : BP_SQL_TEXT;
}

static bp_status add_column(bp_call *call, struct transfer *t, struct transfer_table *table,
                            const bp_sql_value *row)
{
    int64_t key = row[3].integer;

    if (table->column_count == sizeof(table->columns) / sizeof(table->columns[0]) ||
        key > (int64_t)(sizeof(table->keys) / sizeof(table->keys[0])))
        return call_fail(call, BP_UNSUPPORTED,
                         "the table " BP_FMT " has more than 64 columns, or 8 in its key",
                         BP_ARG(table->name));
    if (key > 0) {
        table->keys[key - 1] = table->column_count;
        table->key_count = key > table->key_count ? (uint32_t)key : table->key_count;
    }
    table->has_identity = table->has_identity || row[4].integer != 0;
    table->columns[table->column_count++] = (struct transfer_column){
        arena_dup(&t->arena, row[1].text), type_of(row[2].text)
    };
    return BP_OK;
}

static bp_status list_tables(bp_call *call, struct transfer *t, const bp_peer *storage,
                             struct table_list *list)
{
    struct transfer_table *table = NULL;
    bp_rows                rows;

    BP_TRY(bp_storage_inspect(call, storage, BP_STR("tables"), &rows));
    list->count = 0;
    list->items = arena_alloc(&t->arena, (rows.row_count + 1) * sizeof(*list->items));
    if (!list->items)
        return call_fail(call, BP_NO_MEMORY, "no memory for a list of %zu columns", rows.row_count);
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);

        if (!table || !bp_str_equal(table->name, row[0].text)) {
            table = &list->items[list->count++];
            table->name = arena_dup(&t->arena, row[0].text);
        }
        BP_TRY(add_column(call, t, table, row));
    }
    return BP_OK;
}

static struct transfer_table *find_table(const struct table_list *list, bp_str name)
{
    for (size_t i = 0; i < list->count; i++)
        if (bp_str_equal(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

static int by_order(const void *a, const void *b)
{
    size_t one = ((const struct transfer_table *)a)->order,
           other = ((const struct transfer_table *)b)->order;

    return one < other ? -1 : one > other;
}

static bool has_same_columns(const struct transfer_table *a, const struct transfer_table *b)
{
    if (a->column_count != b->column_count || a->key_count != b->key_count)
        return false;
    for (uint32_t c = 0; c < a->column_count; c++)
        if (!bp_str_equal(a->columns[c].name, b->columns[c].name))
            return false;
    return memcmp(a->keys, b->keys, sizeof(a->keys)) == 0;
}

static bp_status plan_table(bp_call *call, struct transfer *t, struct transfer_pair *pair,
                            const struct transfer_table *source, struct transfer_table *target)
{
    struct transfer_item *item;

    if (!has_same_columns(source, target))
        return call_fail(call, BP_CONFLICT,
                         "the table " BP_FMT " has other columns in storage." BP_FMT
                         " of %s than in storage." BP_FMT
                         " of %s: bring both to the same version of Backplane by starting their "
                         "servers once",
                         BP_ARG(source->name), BP_ARG(pair->from_name), t->from.file,
                         BP_ARG(pair->to_name), t->to.file);
    if (!source->key_count) {
        transfer_note(t,
                      "the table " BP_FMT " of storage." BP_FMT
                      " has no primary key and is not moved",
                      BP_ARG(source->name), BP_ARG(pair->from_name));
        return BP_OK;
    }
    item = add_item(t, pair, TRANSFER_TABLE, source->name);
    if (!item)
        return call_fail(call, BP_NO_MEMORY, "no memory for the plan");
    item->table = target; // the types of its columns are those that decide
    target->has_identity = target->has_identity || source->has_identity;
    return BP_OK;
}

static bp_status plan_storage(bp_call *call, struct transfer *t, struct transfer_pair *pair)
{
    struct table_list source, target;

    BP_TRY(list_tables(call, t, &pair->from->peer, &source));
    BP_TRY(list_tables(call, t, &pair->to->peer, &target));
    if (!find_table(&source, BP_STR("backplane_migrations")))
        return call_fail(call, BP_NOT_FOUND,
                         "storage." BP_FMT
                         " of %s holds no tables of Backplane: is its path, and the data_dir, that "
                         "of the deployment which is to be moved?",
                         BP_ARG(pair->from_name), t->from.file);
    if (!find_table(&target, BP_STR("backplane_migrations")))
        return call_fail(call, BP_NOT_FOUND,
                         "storage." BP_FMT
                         " of %s holds no tables of Backplane: nothing was moved to it yet",
                         BP_ARG(pair->to_name), t->to.file);
    BP_TRY(transfer_compare_versions(call, t, pair));
    for (size_t i = 0; i < source.count; i++) {
        size_t by_source = transfer_table_order(t, t->from.generation, source.items[i].name),
               by_target = transfer_table_order(t, t->to.generation, source.items[i].name);

        source.items[i].order = by_target != SIZE_MAX ? by_target : by_source;
    }
    qsort(source.items, source.count, sizeof(*source.items), by_order);
    for (size_t i = 0; i < source.count && source.items[i].order != SIZE_MAX; i++) {
        struct transfer_table *there = find_table(&target, source.items[i].name);

        if (there)
            BP_TRY(plan_table(call, t, pair, &source.items[i], there));
        else
            transfer_note(t,
                          "the table " BP_FMT " is only in the source, storage." BP_FMT
                          " of %s, and is not moved: no app of %s "
                          "has it",
                          BP_ARG(source.items[i].name), BP_ARG(pair->from_name), t->from.file,
                          t->to.file);
    }
    for (size_t i = 0; i < target.count; i++)
        if (transfer_table_order(t, t->to.generation, target.items[i].name) != SIZE_MAX &&
            !find_table(&source, target.items[i].name))
            transfer_note(t, "the table " BP_FMT " is only in the target, storage." BP_FMT " of %s",
                          BP_ARG(target.items[i].name), BP_ARG(pair->to_name), t->to.file);
    return BP_OK;
}

/* ---- collections, budgets ---- */

static const bp_vector_info *find_collection(const bp_vector_info *infos, size_t count, bp_str name)
{
    for (size_t i = 0; i < count; i++)
        if (bp_str_equal(infos[i].name, name))
            return &infos[i];
    return NULL;
}

static bp_status plan_vector(bp_call *call, struct transfer *t, struct transfer_pair *pair)
{
    const bp_peer        *from = &pair->from->peer, *to = &pair->to->peer;
    const bp_vector_info *source, *target;
    size_t                source_count, target_count;

    BP_TRY(bp_vector_of(from)->list(call, from->instance, &source, &source_count));
    BP_TRY(bp_vector_of(to)->list(call, to->instance, &target, &target_count));
    for (size_t i = 0; i < source_count; i++) {
        struct transfer_item *item;
        bp_str                owner;
        bool                  is_ours;

        BP_TRY(transfer_is_ours(call, t, from, source[i].name, &owner, &is_ours));
        if (!is_ours) {
            transfer_note(t,
                          "the collection " BP_FMT " of vector." BP_FMT
                          " belongs to another deployment, " BP_FMT ", and is not moved",
                          BP_ARG(source[i].name), BP_ARG(pair->from_name), BP_ARG(owner));
            continue;
        }
        item = add_item(t, pair, TRANSFER_COLLECTION, source[i].name);

        if (!item)
            return call_fail(call, BP_NO_MEMORY, "no memory for the plan");
        item->schema = &source[i];
    }
    for (size_t i = 0; i < target_count; i++)
        if (!find_collection(source, source_count, target[i].name))
            transfer_note(t,
                          "the collection " BP_FMT " is only in the target, vector." BP_FMT
                          " of %s",
                          BP_ARG(target[i].name), BP_ARG(pair->to_name), t->to.file);
    return BP_OK;
}

static bp_status plan_cache(bp_call *call, struct transfer *t, struct transfer_pair *pair)
{
    if (bp_str_is(pair->from->unit->conf->use, "memory")) {
        transfer_note(t,
                      "cache." BP_FMT " of %s lives in the memory of its server: its budgets start "
                      "from zero with each start and cannot be moved",
                      BP_ARG(pair->from_name), t->from.file);
        return BP_OK;
    }
    if (bp_str_is(pair->to->unit->conf->use, "memory")) {
        transfer_note(t,
                      "cache." BP_FMT
                      " of %s will live in the memory of its server: budgets cannot "
                      "be moved to it, and start from zero",
                      BP_ARG(pair->to_name), t->to.file);
        return BP_OK;
    }
    return add_item(t, pair, TRANSFER_BUDGETS, BP_STR(""))
               ? BP_OK
               : call_fail(call, BP_NO_MEMORY, "no memory for the plan");
}

bp_status transfer_plan(bp_call *call, struct transfer *t)
{
    for (size_t i = 0; i < t->pair_count; i++) {
        struct transfer_pair *pair = &t->pairs[i];

        if (pair->is_same_place)
            continue;
        if (strcmp(pair->kind, "storage") == 0)
            BP_TRY(plan_storage(call, t, pair));
        else if (strcmp(pair->kind, "vector") == 0)
            BP_TRY(plan_vector(call, t, pair));
        else
            BP_TRY(plan_cache(call, t, pair));
    }
    return BP_OK;
}
