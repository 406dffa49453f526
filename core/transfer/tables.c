/* tables.c - copies the rows of a table, each page with its place in the books in one
 * transaction, and compares both sides. */
#include "transfer/parts.h"

enum { PARAMETERS_MAX = 64, SQL_BYTES_MAX = 64 << 10 };

bp_status transfer_tables_is_empty(bp_call *call, struct transfer_item *item, bool *is_empty)
{
    bp_statement  statement = { .struct_size = sizeof(statement) };
    bp_rows       rows;
    struct bp_buf sql;

    buf_init(&sql, call->arena, SQL_BYTES_MAX);
    buf_add(&sql, BP_STR("SELECT 1 FROM "));
    transfer_add_name(&sql, item->table->name);
    buf_add(&sql, BP_STR(" LIMIT 1"));
    statement.sql = buf_str(&sql);
    BP_TRY(bp_storage_exec(call, transfer_to(item), NULL, &statement, &rows));
    *is_empty = rows.row_count == 0;
    return BP_OK;
}

/* How many rows the source has; only for the progress bar. */
static bp_status count_rows(bp_call *call, const struct transfer_item *item, int64_t *count)
{
    bp_statement  statement = { .struct_size = sizeof(statement) };
    bp_rows       rows;
    struct bp_buf sql;

    buf_init(&sql, call->arena, SQL_BYTES_MAX);
    buf_add(&sql, BP_STR("SELECT COUNT(*) FROM "));
    transfer_add_name(&sql, item->table->name);
    statement.sql = buf_str(&sql);
    BP_TRY(bp_storage_exec(call, transfer_from(item), NULL, &statement, &rows));
    *count = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    return BP_OK;
}

/* ---- copying ---- */

/* INSERT INTO table (columns) VALUES ($1, ...), ... */
static bp_str insert_text(bp_call *call, const struct transfer_table *table, uint32_t row_count)
{
    struct bp_buf sql;
    uint32_t      parameter = 1;

    buf_init(&sql, call->arena, SQL_BYTES_MAX);
    buf_add(&sql, BP_STR("INSERT INTO "));
    transfer_add_name(&sql, table->name);
    for (uint32_t c = 0; c < table->column_count; c++) {
        buf_add(&sql, c ? BP_STR(", ") : BP_STR(" ("));
        transfer_add_name(&sql, table->columns[c].name);
    }
    buf_add(&sql, BP_STR(") VALUES "));
    for (uint32_t r = 0; r < row_count; r++) {
        buf_add(&sql, r ? BP_STR(", (") : BP_STR("("));
        for (uint32_t c = 0; c < table->column_count; c++)
            buf_addf(&sql, "%s$%u", c ? ", " : "", parameter++);
        buf_add(&sql, BP_STR(")"));
    }
    return buf_str(&sql);
}

/* The rows and the place behind them: all or none, so that a run that was killed goes on exactly
 * where it was. */
static bp_status write_page(bp_call *call, struct transfer_item *item, const bp_rows *rows,
                            bp_str position)
{
    const struct transfer_table *table = item->table;
    uint32_t                     at_once = PARAMETERS_MAX / table->column_count;
    size_t        full = rows->row_count / at_once, rest = rows->row_count % at_once, count = 0;
    bp_statement *statements = BP_NEW_ARRAY(call, bp_statement, full + 2);
    bp_str        whole = full ? insert_text(call, table, at_once) : BP_STR("");
    bp_sql_value  book[TRANSFER_BOOK_VALUES];

    if (!statements)
        return BP_NO_MEMORY;
    for (; count < full; count++)
        statements[count] = (bp_statement){ sizeof(bp_statement), at_once * table->column_count,
                                            whole, bp_row(rows, count * at_once) };
    if (rest) {
        statements[count] = (bp_statement){ sizeof(bp_statement),
                                            (uint32_t)rest * table->column_count,
                                            insert_text(call, table, (uint32_t)rest),
                                            bp_row(rows, full * at_once) };
        count++;
    }
    statements[count++] = transfer_book_entry(item, position,
                                              item->moved + (int64_t)rows->row_count, false, book);
    return bp_storage_batch(call, transfer_to(item), statements, count, NULL);
}

static bp_status explain(bp_call *call, struct transfer *t, const struct transfer_item *item,
                         const bp_rows *rows, bp_status status)
{
    bp_str why = bp_dup(call, bp_error_of(call)->message);

    return call_fail(call, status,
                     BP_FMT ": the rows from (" BP_FMT ") to (" BP_FMT
                            ") cannot be written: " BP_FMT "%s",
                     BP_ARG(item->label),
                     BP_ARG(transfer_rows_key_text(&t->arena, item->table, bp_row(rows, 0))),
                     BP_ARG(transfer_rows_key_text(&t->arena, item->table,
                                                   bp_row(rows, rows->row_count - 1))),
                     BP_ARG(why),
                     status == BP_INVALID && !t->is_leaving_out
                         ? "; --leave-out goes on without such rows and lists them"
                         : "");
}

static bp_status copy_page(bp_call *call, struct transfer *t, struct transfer_item *item,
                           struct transfer_walk *walk, size_t *copied)
{
    bp_rows   rows;
    bp_status status;
    bp_str    position;

    *copied = 0;
    BP_TRY(transfer_walk_next(call, walk, &rows));
    if (!rows.row_count)
        return BP_OK;
    position = buf_str(&walk->position);
    status = write_page(call, item, &rows, position);
    if (status != BP_OK)
        return explain(call, t, item, &rows, status);
    *copied = rows.row_count;
    return BP_OK;
}

bp_status transfer_tables_copy(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    struct transfer_walk walk;
    size_t               copied = 1;
    int64_t              total = 0;
    bp_status            status;

    BP_TRY(count_rows(call, item, &total));
    transfer_progress_begin(t, item->label.data, total);
    transfer_progress_step(t, item->moved);
    transfer_walk_begin(&walk, item->table, transfer_from(item), buf_str(&item->position));
    walk.leaving_out = t->is_leaving_out ? t : NULL;
    status = transfer_check_stop(call, t);
    while (status == BP_OK && copied) {
        status = bp_scratch_begin(call);
        if (status == BP_OK) {
            status = copy_page(call, t, item, &walk, &copied);
            bp_scratch_end(call);
        }
        if (status == BP_OK) {
            item->moved += (int64_t)copied;
            item->moved_now += (int64_t)copied;
            transfer_progress_step(t, (int64_t)copied);
            status = transfer_check_stop(call, t);
        }
    }
    transfer_walk_end(&walk);
    if (total)
        transfer_progress_end(t);
    if (status == BP_OK && item->table->has_identity)
        status = bp_storage_maintain(call, transfer_to(item), BP_STR("identities"),
                                     item->table->name);
    return status;
}

/* ---- comparing ---- */

static bp_status digest_page(bp_call *call, struct transfer_walk *walk,
                             struct transfer_digest *digest, size_t *read)
{
    bp_rows rows;

    BP_TRY(transfer_walk_next(call, walk, &rows));
    *read = rows.row_count;
    return transfer_rows_digest(call, walk->table, &rows, digest);
}

static bp_status digest_side(bp_call *call, struct transfer *t, const struct transfer_table *table,
                             const bp_peer *storage, bool is_noting, struct transfer_digest *digest)
{
    struct transfer_walk walk;
    size_t               read = 1;
    bp_status            status = BP_OK;

    *digest = (struct transfer_digest){ 0 };
    transfer_walk_begin(&walk, table, storage, BP_STR(""));
    walk.leaving_out = t->is_leaving_out ? t : NULL;
    walk.is_noting = is_noting;
    while (status == BP_OK && read) {
        status = bp_scratch_begin(call);
        if (status == BP_OK) {
            status = digest_page(call, &walk, digest, &read);
            bp_scratch_end(call);
        }
        transfer_progress_step(t, (int64_t)read);
        if (status == BP_OK)
            status = transfer_check_stop(call, t);
    }
    transfer_walk_end(&walk);
    return status;
}

/* Looks up the rows of one side on the other until one is missing or differs. */
static bp_status find_in_page(bp_call *call, struct transfer *t, struct transfer_item *item,
                              struct transfer_walk *walk, bool is_source, size_t *read)
{
    const bp_peer *other = is_source ? transfer_to(item) : transfer_from(item);
    bp_rows        rows, found;
    uint32_t       column = 0;

    BP_TRY(transfer_walk_next(call, walk, &rows));
    *read = rows.row_count;
    for (size_t r = 0; r < rows.row_count && !item->difference.len; r++) {
        BP_TRY(transfer_walk_find(call, other, item->table, bp_row(&rows, r), &found));
        if (!found.row_count)
            transfer_differs(t, item, "the row with " BP_FMT " is only in the %s",
                             BP_ARG(
                                 transfer_rows_key_text(&t->arena, item->table, bp_row(&rows, r))),
                             is_source ? "source" : "target");
        else if ((column = transfer_rows_difference(item->table, bp_row(&rows, r),
                                                    bp_row(&found, 0))) < item->table->column_count)
            transfer_differs(t, item, "the row with " BP_FMT " differs in the column " BP_FMT,
                             BP_ARG(
                                 transfer_rows_key_text(&t->arena, item->table, bp_row(&rows, r))),
                             BP_ARG(item->table->columns[column].name));
    }
    return BP_OK;
}

static bp_status find_difference(bp_call *call, struct transfer *t, struct transfer_item *item,
                                 bool is_source)
{
    struct transfer_walk walk;
    size_t               read = 1;
    bp_status            status = BP_OK;

    transfer_walk_begin(&walk, item->table, is_source ? transfer_from(item) : transfer_to(item),
                        BP_STR(""));
    walk.leaving_out = t->is_leaving_out ? t : NULL;
    while (status == BP_OK && read && !item->difference.len) {
        status = bp_scratch_begin(call);
        if (status == BP_OK) {
            status = find_in_page(call, t, item, &walk, is_source, &read);
            bp_scratch_end(call);
        }
        if (status == BP_OK)
            status = transfer_check_stop(call, t);
    }
    transfer_walk_end(&walk);
    return status;
}

bp_status transfer_tables_compare(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    bp_str what = arena_format(&t->arena, "checking " BP_FMT, BP_ARG(item->label));

    transfer_progress_begin(t, what.data, 0);
    BP_TRY(digest_side(call, t, item->table, transfer_from(item), true, &item->digests[0]));
    BP_TRY(digest_side(call, t, item->table, transfer_to(item), false, &item->digests[1]));
    if (t->stepped)
        transfer_progress_end(t);
    item->is_compared = true;
    item->is_equal = transfer_digest_equal(&item->digests[0], &item->digests[1]);
    if (item->is_equal)
        return BP_OK;
    BP_TRY(find_difference(call, t, item, true));
    if (!item->difference.len)
        BP_TRY(find_difference(call, t, item, false));
    if (!item->difference.len) // somebody writes meanwhile
        transfer_differs(t, item,
                         "the sums differ, and yet each row is on both sides: stop the servers and "
                         "compare again");
    return BP_OK;
}
