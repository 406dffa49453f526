/* migrate_items.c - the plan of a migration and its books.
 *
 * The plan has an item for each table that an app of either side makes (in the order in which they
 * are made, as later ones may refer to earlier ones), for each collection and for the budgets of
 * each cache. The books are a table of the target's storage, backplane_migration: how far each item
 * has come, written in one transaction with the rows it is about.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/keys.h"
#include "base/str.h"
#include "cli/migrate.h"

#define BOOKS_TABLE "backplane_migration"

static const bp_migration books_migrations[] = {
    { 1, 0, "how far a move of data into this storage has come",
      "CREATE TABLE " BOOKS_TABLE " (item TEXT PRIMARY KEY, source TEXT NOT NULL, position TEXT "
      "NOT NULL, moved BIGINT NOT NULL, is_done BIGINT NOT NULL);" },
};

static const char *const words_of_kind[] = { "table", "collection", "budgets" };

static struct migrate_item *add_item(struct migration *m, struct migrate_pair *pair,
                                     migrate_item_kind kind, bp_str name)
{
    struct migrate_item *item = arena_alloc(&m->arena, sizeof(*item));

    if (!item)
        return NULL;
    item->pair = pair;
    item->kind = kind;
    item->name = arena_dup(&m->arena, name);
    item->label = arena_format(&m->arena, "%s." BP_FMT "%s" BP_FMT, pair->kind,
                               BP_ARG(pair->from_name), name.len ? " " : "", BP_ARG(item->name));
    buf_init(&item->position, &m->arena, 4 << 20);
    *m->items_end = item;
    m->items_end = &item->next;
    return item;
}

/* ---- tables ---- */

struct table_list {
    struct table_plan *items;
    size_t             count;
};

static int type_of(bp_str word)
{
    return bp_str_is(word, "integer") ? BP_SQL_INTEGER
           : bp_str_is(word, "real")  ? BP_SQL_REAL
           : bp_str_is(word, "bytes") ? BP_SQL_BYTES
                                      : BP_SQL_TEXT;
}

static bp_status add_column(bp_call *call, struct migration *m, struct table_plan *table,
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
    table->columns[table->column_count++] = (struct table_column){
        arena_dup(&m->arena, row[1].text), type_of(row[2].text)
    };
    return BP_OK;
}

static bp_status list_tables(bp_call *call, struct migration *m, const bp_peer *storage,
                             struct table_list *list)
{
    struct table_plan *table = NULL;
    bp_rows            rows;

    BP_TRY(bp_storage_inspect(call, storage, BP_STR("tables"), &rows));
    list->count = 0;
    list->items = arena_alloc(&m->arena, (rows.row_count + 1) * sizeof(*list->items));
    if (!list->items)
        return call_fail(call, BP_NO_MEMORY, "no memory for a list of %zu columns", rows.row_count);
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);

        if (!table || !bp_str_equal(table->name, row[0].text)) {
            table = &list->items[list->count++];
            table->name = arena_dup(&m->arena, row[0].text);
        }
        BP_TRY(add_column(call, m, table, row));
    }
    return BP_OK;
}

static struct table_plan *find_table(const struct table_list *list, bp_str name)
{
    for (size_t i = 0; i < list->count; i++)
        if (bp_str_equal(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

/* Where `name` stands in a text as a whole word; SIZE_MAX: it does not. */
static size_t place_of_word(const char *text, bp_str name)
{
    for (const char *at = text; (at = strchr(at, name.data[0])) != NULL; at++)
        if (strncmp(at, name.data, name.len) == 0 && !isalnum((unsigned char)at[name.len]) &&
            at[name.len] != '_' &&
            (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')))
            return (size_t)(at - text);
    return SIZE_MAX;
}

/* Where a step makes the table: behind "TABLE" or "EXISTS" or, when it was renamed, "TO"; else
 * where it is named first.
 */
static size_t place_in_step(const char *sql, bp_str name)
{
    size_t at = 0, first = SIZE_MAX, found;

    while ((found = place_of_word(sql + at, name)) != SIZE_MAX) {
        const char *before = sql + at + found;

        first = first == SIZE_MAX ? at + found : first;
        while (before > sql && (isspace((unsigned char)before[-1]) || before[-1] == '"'))
            before--;
        if ((before - sql >= 5 && strncasecmp(before - 5, "TABLE", 5) == 0) ||
            (before - sql >= 6 && strncasecmp(before - 6, "EXISTS", 6) == 0) ||
            (before - sql >= 2 && strncasecmp(before - 2, "TO", 2) == 0))
            return at + found;
        at += found + 1;
    }
    return first;
}

/* The place of a table in the migrations of all apps of a generation; SIZE_MAX: none of them makes
 * it. */
static size_t order_of(const struct generation *generation, bp_str name)
{
    size_t before = 1;

    if (bp_str_is(name, "backplane_keys"))
        return 0;
    for (size_t i = 0; i < generation->unit_count; i++) {
        const bp_app_ops *app = generation->units[i]->plugin->descriptor.ops;

        if (strcmp(generation->units[i]->conf->kind, "app") != 0 ||
            !BP_HAS(app, bp_app_ops, migration_count))
            continue;
        for (size_t s = 0; s < app->migration_count; s++) {
            size_t place = place_in_step(app->migrations[s].sql, name);

            if (place != SIZE_MAX)
                return before + place;
            before += strlen(app->migrations[s].sql) + 1;
        }
    }
    return SIZE_MAX;
}

static int by_order(const void *a, const void *b)
{
    size_t one = ((const struct table_plan *)a)->order,
           other = ((const struct table_plan *)b)->order;

    return one < other ? -1 : one > other;
}

static bool has_same_columns(const struct table_plan *a, const struct table_plan *b)
{
    if (a->column_count != b->column_count || a->key_count != b->key_count)
        return false;
    for (uint32_t c = 0; c < a->column_count; c++)
        if (!bp_str_equal(a->columns[c].name, b->columns[c].name))
            return false;
    return memcmp(a->keys, b->keys, sizeof(a->keys)) == 0;
}

static bp_status plan_table(bp_call *call, struct migration *m, struct migrate_pair *pair,
                            const struct table_plan *source, struct table_plan *target)
{
    struct migrate_item *item;

    if (!has_same_columns(source, target))
        return call_fail(call, BP_CONFLICT,
                         "the table " BP_FMT " has other columns in storage." BP_FMT
                         " of %s than in storage." BP_FMT
                         " of %s: bring both to the same version of Backplane by starting their "
                         "servers once",
                         BP_ARG(source->name), BP_ARG(pair->from_name), m->from_file,
                         BP_ARG(pair->to_name), m->to_file);
    if (!source->key_count) {
        migrate_note(m,
                     "the table " BP_FMT " of storage." BP_FMT
                     " has no primary key and is not moved",
                     BP_ARG(source->name), BP_ARG(pair->from_name));
        return BP_OK;
    }
    item = add_item(m, pair, ITEM_TABLE, source->name);
    if (!item)
        return call_fail(call, BP_NO_MEMORY, "no memory for the plan");
    item->table = target; // the types of its columns are those that decide
    target->has_identity = target->has_identity || source->has_identity;
    return BP_OK;
}

/* ---- versions ---- */

static bp_status read_versions(bp_call *call, const bp_peer *storage, bp_rows *rows)
{
    return bp_storage_exec(call, storage, NULL,
                           BP_SQL0("SELECT owner, MAX(version) FROM backplane_migrations GROUP BY "
                                   "owner ORDER BY owner"),
                           rows);
}

/* How many steps of an owner's tables this program knows; 0: it knows nothing of them, and moves
 * none. */
static int64_t known_version(const struct migration *m, bp_str owner)
{
    const struct generation *generations[] = { m->from, m->to };

    if (bp_str_is(owner, KEYS_OWNER))
        return KEYS_VERSION;
    for (size_t g = 0; g < 2; g++)
        for (size_t i = 0; i < generations[g]->unit_count; i++) {
            const struct unit *unit = generations[g]->units[i];
            const bp_app_ops  *app = unit->plugin->descriptor.ops;

            if (strcmp(unit->conf->kind, "app") == 0 &&
                bp_str_is(owner, unit->plugin->descriptor.name) &&
                BP_HAS(app, bp_app_ops, migration_count))
                return (int64_t)app->migration_count;
        }
    return 0;
}

/* A server may work with tables that a newer one has made; who moves them must know all there is to
 * move. */
static bp_status check_known(bp_call *call, const struct migration *m, const bp_rows *versions,
                             bp_str storage, const char *file)
{
    for (size_t i = 0; i < versions->row_count; i++) {
        const bp_sql_value *row = bp_row(versions, i);
        int64_t             known = known_version(m, row[0].text);

        if (known && row[1].integer > known)
            return call_fail(call, BP_CONFLICT,
                             "the tables of " BP_FMT " have version %lld in storage." BP_FMT
                             " of %s, this program knows %lld and would leave out what is newer: "
                             "move them with the Backplane that made them",
                             BP_ARG(row[0].text), (long long)row[1].integer, BP_ARG(storage), file,
                             (long long)known);
    }
    return BP_OK;
}

static bp_status compare_versions(bp_call *call, struct migration *m,
                                  const struct migrate_pair *pair)
{
    bp_rows ours, theirs;

    BP_TRY(read_versions(call, &pair->from->peer, &ours));
    BP_TRY(read_versions(call, &pair->to->peer, &theirs));
    BP_TRY(check_known(call, m, &ours, pair->from_name, m->from_file));
    BP_TRY(check_known(call, m, &theirs, pair->to_name, m->to_file));
    for (size_t i = 0; i < ours.row_count * theirs.row_count; i++) {
        const bp_sql_value *source = bp_row(&ours, i / theirs.row_count),
                           *target = bp_row(&theirs, i % theirs.row_count);
        bool is_source_older = source[1].integer < target[1].integer;

        if (!bp_str_equal(source[0].text, target[0].text) || source[1].integer == target[1].integer)
            continue;
        return call_fail(call, BP_CONFLICT,
                         "the tables of " BP_FMT " have version %lld in storage." BP_FMT
                         " of %s and version %lld in storage." BP_FMT
                         " of %s: start the server of %s once with this version of Backplane, "
                         "which brings them up to date",
                         BP_ARG(source[0].text), (long long)source[1].integer,
                         BP_ARG(pair->from_name), m->from_file, (long long)target[1].integer,
                         BP_ARG(pair->to_name), m->to_file,
                         is_source_older ? m->from_file : m->to_file);
    }
    return BP_OK;
}

static bp_status plan_storage(bp_call *call, struct migration *m, struct migrate_pair *pair)
{
    struct table_list source, target;

    BP_TRY(list_tables(call, m, &pair->from->peer, &source));
    BP_TRY(list_tables(call, m, &pair->to->peer, &target));
    if (!find_table(&source, BP_STR("backplane_migrations")))
        return call_fail(call, BP_NOT_FOUND,
                         "storage." BP_FMT
                         " of %s holds no tables of Backplane: is its path, and the data_dir, that "
                         "of the deployment which is to be moved?",
                         BP_ARG(pair->from_name), m->from_file);
    if (!find_table(&target, BP_STR("backplane_migrations")))
        return call_fail(call, BP_NOT_FOUND,
                         "storage." BP_FMT
                         " of %s holds no tables of Backplane: nothing was moved to it yet",
                         BP_ARG(pair->to_name), m->to_file);
    BP_TRY(compare_versions(call, m, pair));
    for (size_t i = 0; i < source.count; i++) {
        size_t by_source = order_of(m->from, source.items[i].name),
               by_target = order_of(m->to, source.items[i].name);

        source.items[i].order = by_target != SIZE_MAX ? by_target : by_source;
    }
    qsort(source.items, source.count, sizeof(*source.items), by_order);
    for (size_t i = 0; i < source.count && source.items[i].order != SIZE_MAX; i++) {
        struct table_plan *there = find_table(&target, source.items[i].name);

        if (there)
            BP_TRY(plan_table(call, m, pair, &source.items[i], there));
        else
            migrate_note(m,
                         "the table " BP_FMT " is only in the source, storage." BP_FMT
                         " of %s, and is not moved: no app of %s "
                         "has it",
                         BP_ARG(source.items[i].name), BP_ARG(pair->from_name), m->from_file,
                         m->to_file);
    }
    for (size_t i = 0; i < target.count; i++)
        if (order_of(m->to, target.items[i].name) != SIZE_MAX &&
            !find_table(&source, target.items[i].name))
            migrate_note(m, "the table " BP_FMT " is only in the target, storage." BP_FMT " of %s",
                         BP_ARG(target.items[i].name), BP_ARG(pair->to_name), m->to_file);
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

static bp_status plan_vector(bp_call *call, struct migration *m, struct migrate_pair *pair)
{
    const bp_peer        *from = &pair->from->peer, *to = &pair->to->peer;
    const bp_vector_info *source, *target;
    size_t                source_count, target_count;

    BP_TRY(bp_vector_of(from)->list(call, from->instance, &source, &source_count));
    BP_TRY(bp_vector_of(to)->list(call, to->instance, &target, &target_count));
    for (size_t i = 0; i < source_count; i++) {
        struct migrate_item *item;
        bp_str               owner;
        bool                 is_ours;

        BP_TRY(migrate_is_ours(call, m, from, source[i].name, &owner, &is_ours));
        if (!is_ours) {
            migrate_note(m,
                         "the collection " BP_FMT " of vector." BP_FMT
                         " belongs to another deployment, " BP_FMT ", and is not moved",
                         BP_ARG(source[i].name), BP_ARG(pair->from_name), BP_ARG(owner));
            continue;
        }
        item = add_item(m, pair, ITEM_COLLECTION, source[i].name);

        if (!item)
            return call_fail(call, BP_NO_MEMORY, "no memory for the plan");
        item->schema = &source[i];
    }
    for (size_t i = 0; i < target_count; i++)
        if (!find_collection(source, source_count, target[i].name))
            migrate_note(m,
                         "the collection " BP_FMT " is only in the target, vector." BP_FMT " of %s",
                         BP_ARG(target[i].name), BP_ARG(pair->to_name), m->to_file);
    return BP_OK;
}

static bp_status plan_cache(bp_call *call, struct migration *m, struct migrate_pair *pair)
{
    if (bp_str_is(pair->from->unit->conf->use, "memory")) {
        migrate_note(m,
                     "cache." BP_FMT " of %s lives in the memory of its server: its budgets begin "
                     "anew with each start and cannot be moved",
                     BP_ARG(pair->from_name), m->from_file);
        return BP_OK;
    }
    if (bp_str_is(pair->to->unit->conf->use, "memory")) {
        migrate_note(m,
                     "cache." BP_FMT " of %s will live in the memory of its server: budgets cannot "
                     "be moved to it, and begin anew",
                     BP_ARG(pair->to_name), m->to_file);
        return BP_OK;
    }
    return add_item(m, pair, ITEM_BUDGETS, BP_STR(""))
               ? BP_OK
               : call_fail(call, BP_NO_MEMORY, "no memory for the plan");
}

bp_status migrate_plan(bp_call *call, struct migration *m)
{
    for (size_t i = 0; i < m->pair_count; i++) {
        struct migrate_pair *pair = &m->pairs[i];

        if (pair->is_same_place)
            continue;
        if (strcmp(pair->kind, "storage") == 0)
            BP_TRY(plan_storage(call, m, pair));
        else if (strcmp(pair->kind, "vector") == 0)
            BP_TRY(plan_vector(call, m, pair));
        else
            BP_TRY(plan_cache(call, m, pair));
    }
    return BP_OK;
}

/* ---- books ---- */

static bp_str entry_name(const struct migrate_item *item)
{
    return item->label; // it names the source's instance; the books are in the target's
}

bp_statement migrate_book_entry(const struct migrate_item *item, bp_str position, int64_t moved,
                                bool is_done, bp_sql_value values[MIGRATE_BOOK_VALUES])
{
    values[0] = bp_sql_text(entry_name(item));
    values[1] = bp_sql_text(bp_str_of(item->pair->source));
    values[2] = bp_sql_text(position.data ? position : BP_STR(""));
    values[3] = bp_sql_int(moved);
    values[4] = bp_sql_int(is_done);
    return (bp_statement){ sizeof(bp_statement), MIGRATE_BOOK_VALUES,
                           BP_STR("INSERT INTO " BOOKS_TABLE
                                  "(item, source, position, moved, is_done) VALUES ($1, $2, $3, "
                                  "$4, $5) ON CONFLICT (item) DO UPDATE SET source = "
                                  "excluded.source, position = excluded.position, moved = "
                                  "excluded.moved, is_done = excluded.is_done"),
                           values };
}

bp_status migrate_write_book(bp_call *call, struct migrate_item *item, bool is_done)
{
    bp_sql_value values[MIGRATE_BOOK_VALUES];
    bp_statement statement = migrate_book_entry(item, buf_str(&item->position), item->moved,
                                                is_done, values);

    if (!item->pair->books)
        return BP_OK;
    BP_TRY(bp_storage_exec(call, &item->pair->books->peer, NULL, &statement, NULL));
    item->is_done = is_done;
    return BP_OK;
}

static bp_status read_entry(bp_call *call, struct migration *m, struct migrate_item *item)
{
    const bp_sql_value *row;
    bp_rows             rows;

    BP_TRY(bp_storage_exec(call, &item->pair->books->peer, NULL,
                           BP_SQL("SELECT source, position, moved, is_done FROM " BOOKS_TABLE
                                  " WHERE item = $1",
                                  bp_sql_text(entry_name(item))),
                           &rows));
    if (!rows.row_count)
        return BP_OK;
    row = bp_row(&rows, 0);
    if (!bp_str_is(row[0].text, item->pair->source)) {
        if (row[3].integer)
            return BP_OK; // an older move that ended, from elsewhere: it says nothing about this
                          // one
        return call_fail(call, BP_CONFLICT,
                         "%s." BP_FMT " of %s holds a part of " BP_FMT
                         " from another source than %s: empty it first",
                         item->pair->kind, BP_ARG(item->pair->to_name), m->to_file,
                         BP_ARG(item->label), m->from_file);
    }
    item->is_begun = true;
    item->is_done = row[3].integer != 0;
    item->moved = row[2].integer;
    buf_add(&item->position, row[1].text);
    return buf_status(&item->position);
}

typedef bp_status is_empty_fn(bp_call *call, struct migrate_item *item, bool *is_empty);
typedef bp_status compare_fn(bp_call *call, struct migration *m, struct migrate_item *item);

/* What is there already was written by somebody else: it may only be what would be written. */
static bp_status check_fresh(bp_call *call, struct migration *m, struct migrate_item *item)
{
    static is_empty_fn *const is_empty_of[] = { tables_is_empty, points_is_empty,
                                                budgets_is_empty };
    static compare_fn *const  compare[] = { tables_compare, points_compare, budgets_compare };
    bool                      is_empty = false;

    if (!item->pair->books && m->is_resume)
        return BP_OK; // nothing says who wrote it, so the operator does; writing it again does no
                      // harm
    BP_TRY(is_empty_of[item->kind](call, item, &is_empty));
    if (is_empty)
        return BP_OK;
    BP_TRY(compare[item->kind](call, m, item));
    if (!item->is_equal)
        return call_fail(call, BP_CONFLICT,
                         "%s." BP_FMT " of %s is not empty: its %s%s" BP_FMT
                         " is not what the source has (" BP_FMT
                         "). Nothing was written. Empty the target, or name another",
                         item->pair->kind, BP_ARG(item->pair->to_name), m->to_file,
                         words_of_kind[item->kind], item->name.len ? " " : "", BP_ARG(item->name),
                         BP_ARG(item->difference));
    item->is_done = true;
    return BP_OK;
}

bp_status migrate_open_books(bp_call *call, struct migration *m)
{
    size_t begun = 0, done = 0, count = 0;

    for (size_t i = 0; i < m->pair_count; i++)
        if (m->pairs[i].books && !m->pairs[i].is_same_place)
            BP_TRY(bp_storage_migrate(call, &m->pairs[i].books->peer, BP_STR("backplane migrate"),
                                      books_migrations, 1));
    for (struct migrate_item *item = m->items; item; item = item->next) {
        if (item->pair->books)
            BP_TRY(read_entry(call, m, item));
        count++;
        begun += item->is_begun;
        done += item->is_done;
    }
    if (begun && done < count && !m->is_resume)
        return call_fail(call, BP_CONFLICT,
                         "an earlier move from %s to %s did not come to its end; go on with it by "
                         "--resume",
                         m->from_file, m->to_file);
    m->was_done_before = count && done == count;
    for (struct migrate_item *item = m->items; item; item = item->next)
        if (!item->is_begun && !item->is_done)
            BP_TRY(check_fresh(call, m, item));
    return BP_OK;
}
