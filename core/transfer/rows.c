/* rows.c - which values of a row are compared, and the name of a row in a sentence.
 *
 * The order of rows is a storage's own and may differ from that of the other side; the comparison
 * is therefore of a sum of hashes, which knows no order.
 */
#include <math.h>

#include "base/str.h"
#include "transfer/parts.h"

enum { ROW_BYTES_MAX = 256 << 20 };

bool transfer_rows_is_text(bp_str text)
{
    return text.len == 0 || (!memchr(text.data, '\0', text.len) && str_is_utf8(text));
}

/* A value as it is in a column of that type: a database without strict types may keep 1 where
 * another keeps 1.0. */
static bp_sql_value as_column(const struct transfer_column *column, bp_sql_value value)
{
    if (column->type == BP_SQL_REAL && value.type == BP_SQL_INTEGER)
        value = bp_sql_real((double)value.integer);
    if (value.type == BP_SQL_REAL && value.real == 0)
        value.real = 0; // there are two zeros
    if (value.type == BP_SQL_REAL && isnan(value.real))
        value.real = (double)NAN;
    return value;
}

static void add_value(struct bp_buf *bytes, bp_sql_value value)
{
    uint64_t len = value.text.len;

    buf_add_char(bytes, (char)('0' + (int)value.type));
    if (value.type == BP_SQL_INTEGER)
        buf_add(bytes, bp_str_n((const char *)&value.integer, sizeof(value.integer)));
    else if (value.type == BP_SQL_REAL)
        buf_add(bytes, bp_str_n((const char *)&value.real, sizeof(value.real)));
    else if (value.type != BP_SQL_NULL) {
        buf_add(bytes, bp_str_n((const char *)&len, sizeof(len)));
        buf_add(bytes, value.text);
    }
}

bp_status transfer_rows_digest(bp_call *call, const struct transfer_table *table,
                               const bp_rows *rows, struct transfer_digest *digest)
{
    struct bp_buf bytes;

    buf_init(&bytes, call->arena, ROW_BYTES_MAX);
    for (size_t r = 0; r < rows->row_count; r++) {
        buf_reset(&bytes);
        for (uint32_t c = 0; c < table->column_count; c++)
            add_value(&bytes, as_column(&table->columns[c], bp_row(rows, r)[c]));
        BP_TRY(buf_status(&bytes));
        transfer_digest_add(digest, buf_str(&bytes));
    }
    return BP_OK;
}

static bool is_same(bp_sql_value a, bp_sql_value b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case BP_SQL_NULL:
        return true;
    case BP_SQL_INTEGER:
        return a.integer == b.integer;
    case BP_SQL_REAL:
        return memcmp(&a.real, &b.real, sizeof(a.real)) == 0;
    default:
        return bp_str_equal(a.text, b.text);
    }
}

uint32_t transfer_rows_difference(const struct transfer_table *table, const bp_sql_value *a,
                                  const bp_sql_value *b)
{
    uint32_t c = 0;

    while (c < table->column_count &&
           is_same(as_column(&table->columns[c], a[c]), as_column(&table->columns[c], b[c])))
        c++;
    return c;
}

bp_str transfer_rows_key_text(struct arena *arena, const struct transfer_table *table,
                              const bp_sql_value *row)
{
    bp_str text = { "", 0 };

    for (uint32_t k = 0; k < table->key_count; k++) {
        const struct transfer_column *column = &table->columns[table->keys[k]];
        const bp_sql_value           *value = &row[table->keys[k]];
        bp_str                        shown = value->text;

        if (value->type == BP_SQL_INTEGER)
            shown = arena_format(arena, "%lld", (long long)value->integer);
        else if (value->type == BP_SQL_REAL)
            shown = arena_format(arena, "%.17g", value->real);
        else if (value->type == BP_SQL_BYTES || !str_is_utf8(shown))
            shown = BP_STR("(bytes)");
        text = arena_format(arena, BP_FMT "%s" BP_FMT " = %.*s", BP_ARG(text), k ? ", " : "",
                            BP_ARG(column->name), (int)(shown.len < 80 ? shown.len : 80),
                            shown.data ? shown.data : "");
    }
    return text;
}
