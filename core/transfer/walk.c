/* walk.c - reads a table page by page in the order of its key.
 *
 * A page begins behind the key of the last row of the one before, so that a walk can go on
 * anywhere. The key is kept as text with its type: "i17,t6162" is the integer 17 and the text "ab".
 */
#include "base/crypto.h"
#include "base/str.h"
#include "transfer/parts.h"

enum { SQL_BYTES_MAX = 64 << 10, POSITION_BYTES_MAX = 1 << 20, PAGE_BYTES_WANTED = 4 << 20 };

/* ---- SQL ---- */

void transfer_add_name(struct bp_buf *sql, bp_str name)
{
    buf_add_char(sql, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"')
            buf_add_char(sql, '"');
        buf_add_char(sql, name.data[i]);
    }
    buf_add_char(sql, '"');
}

static void add_columns(struct bp_buf *sql, const struct transfer_table *table)
{
    for (uint32_t c = 0; c < table->column_count; c++) {
        buf_add(sql, c ? BP_STR(", ") : BP_STR(""));
        transfer_add_name(sql, table->columns[c].name);
    }
}

static void add_keys(struct bp_buf *sql, const struct transfer_table *table)
{
    for (uint32_t k = 0; k < table->key_count; k++) {
        buf_add(sql, k ? BP_STR(", ") : BP_STR(""));
        transfer_add_name(sql, table->columns[table->keys[k]].name);
    }
}

/* WHERE (keys) RELATION ($1, ...) */
static void add_where(struct bp_buf *sql, const struct transfer_table *table, const char *relation)
{
    buf_add(sql, BP_STR(" WHERE ("));
    add_keys(sql, table);
    buf_addf(sql, ") %s (", relation);
    for (uint32_t k = 0; k < table->key_count; k++)
        buf_addf(sql, "%s$%u", k ? ", " : "", k + 1);
    buf_add(sql, BP_STR(")"));
}

/* ---- positions ---- */

static void add_hex(struct bp_buf *buf, char tag, bp_str bytes)
{
    buf_add_char(buf, tag);
    for (size_t i = 0; i < bytes.len; i++)
        buf_addf(buf, "%02x", (unsigned char)bytes.data[i]);
}

static void write_position(struct bp_buf *position, const struct transfer_table *table,
                           const bp_sql_value *row)
{
    buf_reset(position);
    for (uint32_t k = 0; k < table->key_count; k++) {
        const bp_sql_value *value = &row[table->keys[k]];

        buf_add(position, k ? BP_STR(",") : BP_STR(""));
        if (value->type == BP_SQL_INTEGER)
            buf_addf(position, "i%lld", (long long)value->integer);
        else if (value->type == BP_SQL_REAL)
            add_hex(position, 'r', bp_str_n((const char *)&value->real, sizeof(value->real)));
        else
            add_hex(position, value->type == BP_SQL_TEXT ? 't' : 'b', value->text);
    }
}

static bool read_key(bp_call *call, bp_str word, bp_sql_value *value)
{
    bp_str   rest = word.len ? bp_str_n(word.data + 1, word.len - 1) : word;
    uint8_t *bytes = bp_alloc(call, rest.len / 2 + 1);

    if (!word.len || !bytes)
        return false;
    if (word.data[0] == 'i') {
        *value = bp_sql_int(0);
        return str_to_int(rest, &value->integer);
    }
    if (!crypto_unhex(rest, bytes, rest.len / 2))
        return false;
    if (word.data[0] == 'r' && rest.len == 2 * sizeof(double)) {
        *value = bp_sql_real(0);
        memcpy(&value->real, bytes, sizeof(double));
        return true;
    }
    *value = (bp_sql_value){ .type = word.data[0] == 't' ? BP_SQL_TEXT : BP_SQL_BYTES,
                             .text = bp_str_n((const char *)bytes, rest.len / 2) };
    return word.data[0] == 't' || word.data[0] == 'b';
}

static bp_status read_position(bp_call *call, const struct transfer_table *table, bp_str position,
                               bp_sql_value *values)
{
    for (uint32_t k = 0; k < table->key_count; k++)
        if (!read_key(call, str_split(position, ',', &position), &values[k]))
            return call_fail(call, BP_DATA,
                             "the progress of the table " BP_FMT
                             " in backplane_migration cannot be read: empty the target and start "
                             "again",
                             BP_ARG(table->name));
    return BP_OK;
}

/* ---- a walk ---- */

void transfer_walk_begin(struct transfer_walk *walk, const struct transfer_table *table,
                         const bp_peer *storage, bp_str position)
{
    *walk = (struct transfer_walk){ .table = table, .storage = storage, .page = TRANSFER_PAGE_MAX };
    buf_init(&walk->position, NULL, POSITION_BYTES_MAX);
    buf_add(&walk->position, position);
}

void transfer_walk_end(struct transfer_walk *walk)
{
    buf_free(&walk->position);
}

static size_t bytes_of(const bp_rows *rows)
{
    size_t bytes = 0;

    for (size_t i = 0; i < rows->row_count * rows->column_count; i++)
        bytes += sizeof(bp_sql_value) + rows->values[i].text.len;
    return bytes;
}

static bp_status read_page(bp_call *call, const struct transfer_walk *walk, bp_str position,
                           bp_rows *rows)
{
    const struct transfer_table *table = walk->table;
    bp_sql_value                 values[TRANSFER_KEYS_MAX];
    bp_statement  statement = { .struct_size = sizeof(statement), .parameters = values };
    struct bp_buf sql;

    buf_init(&sql, call->arena, SQL_BYTES_MAX);
    buf_add(&sql, BP_STR("SELECT "));
    add_columns(&sql, table);
    buf_add(&sql, BP_STR(" FROM "));
    transfer_add_name(&sql, table->name);
    if (position.len) {
        BP_TRY(read_position(call, table, position, values));
        add_where(&sql, table, ">");
        statement.parameter_count = table->key_count;
    }
    buf_add(&sql, BP_STR(" ORDER BY "));
    add_keys(&sql, table);
    buf_addf(&sql, " LIMIT %u", walk->page);
    statement.sql = buf_str(&sql);
    return bp_storage_exec(call, walk->storage, NULL, &statement, rows);
}

static bool is_sound(const bp_sql_value *row, uint32_t column_count)
{
    for (uint32_t c = 0; c < column_count; c++)
        if (row[c].type == BP_SQL_TEXT && !transfer_rows_is_text(row[c].text))
            return false;
    return true;
}

/* Older versions took texts that PostgreSQL does not: with --leave-out they are in the report
 * instead of in the target. */
static bp_status leave_out(bp_call *call, struct transfer_walk *walk, bp_rows *rows)
{
    bp_sql_value *kept = BP_NEW_ARRAY(call, bp_sql_value, rows->row_count * rows->column_count + 1);
    size_t        count = 0;

    if (!kept)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < rows->row_count; i++) {
        const bp_sql_value *row = bp_row(rows, i);

        if (is_sound(row, rows->column_count))
            memcpy(kept + rows->column_count * count++, row, rows->column_count * sizeof(*row));
        else if (walk->is_noting)
            transfer_note(walk->leaving_out,
                          "left out: the row of " BP_FMT " with " BP_FMT
                          " has a text with a NUL, or one that is not UTF-8",
                          BP_ARG(walk->table->name),
                          BP_ARG(
                              transfer_rows_key_text(&walk->leaving_out->arena, walk->table, row)));
    }
    rows->values = kept;
    rows->row_count = count;
    return BP_OK;
}

/* A page shrinks when its rows are large and grows again behind them. */
static bp_status next_page(bp_call *call, struct transfer_walk *walk, bp_rows *rows)
{
    bp_status status;

    while ((status = read_page(call, walk, buf_str(&walk->position), rows)) == BP_TOO_LARGE &&
           walk->page > 1) {
        bp_clear_error(call);
        walk->page = walk->page / 8 ? walk->page / 8 : 1;
    }
    BP_TRY(status);
    if (!rows->row_count)
        return BP_OK;
    write_position(&walk->position, walk->table, bp_row(rows, rows->row_count - 1));
    BP_TRY(buf_status(&walk->position));
    if (bytes_of(rows) > PAGE_BYTES_WANTED)
        walk->page = walk->page / 2 ? walk->page / 2 : 1;
    else if (walk->page < TRANSFER_PAGE_MAX)
        walk->page = walk->page * 2 < TRANSFER_PAGE_MAX ? walk->page * 2 : TRANSFER_PAGE_MAX;
    return BP_OK;
}

bp_status transfer_walk_next(bp_call *call, struct transfer_walk *walk, bp_rows *rows)
{
    for (;;) {
        BP_TRY(next_page(call, walk, rows));
        if (!walk->leaving_out || !rows->row_count)
            return BP_OK;
        BP_TRY(leave_out(call, walk, rows));
        if (rows->row_count) // else the whole page was left out, and there may be more
            return BP_OK;
    }
}

bp_status transfer_walk_find(bp_call *call, const bp_peer *storage,
                             const struct transfer_table *table, const bp_sql_value *row,
                             bp_rows *rows)
{
    bp_sql_value  values[TRANSFER_KEYS_MAX];
    bp_statement  statement = { .struct_size = sizeof(statement),
                                .parameters = values,
                                .parameter_count = table->key_count };
    struct bp_buf sql;

    for (uint32_t k = 0; k < table->key_count; k++)
        values[k] = row[table->keys[k]];
    buf_init(&sql, call->arena, SQL_BYTES_MAX);
    buf_add(&sql, BP_STR("SELECT "));
    add_columns(&sql, table);
    buf_add(&sql, BP_STR(" FROM "));
    transfer_add_name(&sql, table->name);
    add_where(&sql, table, "=");
    statement.sql = buf_str(&sql);
    return bp_storage_exec(call, storage, NULL, &statement, rows);
}
