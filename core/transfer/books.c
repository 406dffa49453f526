/* books.c - how far each item has come: a table of the target's storage, backplane_migration,
 * written in one transaction with the rows it is about. */
#include "transfer/parts.h"

#define BOOKS_TABLE "backplane_migration"

static const bp_migration books_migrations[] = {
    { 1, 0, "how far a move of data into this storage has come",
      "CREATE TABLE " BOOKS_TABLE " (item TEXT PRIMARY KEY, source TEXT NOT NULL, position TEXT "
      "NOT NULL, moved BIGINT NOT NULL, is_done BIGINT NOT NULL);" },
};

static const char *const words_of_kind[] = { "table", "collection", "budgets" };

static bp_str entry_name(const struct transfer_item *item)
{
    return item->label; // it names the source's instance; the books are in the target's
}

bp_statement transfer_book_entry(const struct transfer_item *item, bp_str position, int64_t moved,
                                 bool is_done, bp_sql_value values[TRANSFER_BOOK_VALUES])
{
    values[0] = bp_sql_text(entry_name(item));
    values[1] = bp_sql_text(bp_str_of(item->pair->source));
    values[2] = bp_sql_text(position.data ? position : BP_STR(""));
    values[3] = bp_sql_int(moved);
    values[4] = bp_sql_int(is_done);
    return (bp_statement){ sizeof(bp_statement), TRANSFER_BOOK_VALUES,
                           BP_STR("INSERT INTO " BOOKS_TABLE
                                  "(item, source, position, moved, is_done) VALUES ($1, $2, $3, "
                                  "$4, $5) ON CONFLICT (item) DO UPDATE SET source = "
                                  "excluded.source, position = excluded.position, moved = "
                                  "excluded.moved, is_done = excluded.is_done"),
                           values };
}

bp_status transfer_write_book(bp_call *call, struct transfer_item *item, bool is_done)
{
    bp_sql_value values[TRANSFER_BOOK_VALUES];
    bp_statement statement = transfer_book_entry(item, buf_str(&item->position), item->moved,
                                                 is_done, values);

    if (!item->pair->books)
        return BP_OK;
    BP_TRY(bp_storage_exec(call, &item->pair->books->peer, NULL, &statement, NULL));
    item->is_done = is_done;
    return BP_OK;
}

static bp_status read_entry(bp_call *call, struct transfer *t, struct transfer_item *item)
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
                         item->pair->kind, BP_ARG(item->pair->to_name), t->to.file,
                         BP_ARG(item->label), t->from.file);
    }
    item->is_begun = true;
    item->is_done = row[3].integer != 0;
    item->moved = row[2].integer;
    buf_add(&item->position, row[1].text);
    return buf_status(&item->position);
}

/* A collection that is there already was written by somebody else: it may only be what would be
 * written. */
static bp_status check_fresh(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    static transfer_is_empty_fn *const is_empty_of[] = { transfer_tables_is_empty,
                                                         transfer_points_is_empty,
                                                         transfer_budgets_is_empty };
    bool                               is_empty = false;

    if (!item->pair->books && t->is_resume)
        return BP_OK; // nothing says who wrote it, so the operator does; writing it again does no
                      // harm
    BP_TRY(is_empty_of[item->kind](call, item, &is_empty));
    if (is_empty)
        return BP_OK;
    BP_TRY(transfer_compare_item(call, t, item));
    if (!item->is_equal)
        return call_fail(call, BP_CONFLICT,
                         "%s." BP_FMT " of %s is not empty: its %s%s" BP_FMT
                         " is not what the source has (" BP_FMT
                         "). Nothing was written. Empty the target, or name another",
                         item->pair->kind, BP_ARG(item->pair->to_name), t->to.file,
                         words_of_kind[item->kind], item->name.len ? " " : "", BP_ARG(item->name),
                         BP_ARG(item->difference));
    item->is_done = true;
    return BP_OK;
}

bp_status transfer_open_books(bp_call *call, struct transfer *t)
{
    size_t begun = 0, done = 0, count = 0;

    for (size_t i = 0; i < t->pair_count; i++)
        if (t->pairs[i].books && !t->pairs[i].is_same_place)
            BP_TRY(bp_storage_migrate(call, &t->pairs[i].books->peer, BP_STR("backplane migrate"),
                                      books_migrations, 1));
    for (struct transfer_item *item = t->items; item; item = item->next) {
        if (item->pair->books)
            BP_TRY(read_entry(call, t, item));
        count++;
        begun += item->is_begun;
        done += item->is_done;
    }
    if (begun && done < count && !t->is_resume)
        return call_fail(call, BP_CONFLICT,
                         "an earlier move from %s to %s did not finish: continue it with --resume",
                         t->from.file, t->to.file);
    t->was_done_before = count && done == count;
    for (struct transfer_item *item = t->items; item; item = item->next)
        if (!item->is_begun && !item->is_done)
            BP_TRY(check_fresh(call, t, item));
    return BP_OK;
}
