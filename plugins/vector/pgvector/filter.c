/* filter.c - writes a filter as a condition on p.fields, which is jsonb.
 *
 * A scalar is made an array of one, so that "any member matches" needs no case of its own. Names and values are never
 * part of the SQL: they are members of one JSON array, the parameter, and the SQL says which.
 */
#include "pgvector.h"

#include <math.h>

enum { SQL_BYTES_MAX = 1 << 20, DEPTH_MAX = 8 };

struct writing {
    bp_call        *call;
    bp_buf         *sql;
    bp_json_writer *values;
    uint32_t        place, count;
};

static void add(struct writing *w, const char *text) { bp_buf_add(w->sql, bp_str_of(text)); }

/* The value that was just written, as text. */
static void refer(struct writing *w) { bp_buf_addf(w->sql, "(CAST($%u AS jsonb)->>%u)", w->place, w->count++); }

static void refer_list(struct writing *w, const char *type)
{
    bp_buf_addf(w->sql, "ANY(ARRAY(SELECT CAST(e AS %s) FROM jsonb_array_elements_text(CAST($%u AS jsonb)->%u) e))", type,
                w->place, w->count++);
}

static void refer_text(struct writing *w, bp_str text)
{
    bp_json_add_string(w->values, text);
    refer(w);
}

static void refer_number(struct writing *w, double number)
{
    bp_json_add_string(w->values, bp_format(w->call, "%.17g", number));
    add(w, "CAST(");
    refer(w);
    add(w, " AS float8)");
}

static bool is_field(bp_str field)
{
    if (field.len < 1 || field.len > 64)
        return false;
    for (size_t i = 0; i < field.len; i++) {
        char c = field.data[i];
        bool is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        bool is_other = (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (!is_letter && !(is_other && i > 0))
            return false;
    }
    return true;
}

/* EXISTS(... j.value ... WHERE; close it with ")" */
static void begin_members(struct writing *w, bp_str field)
{
    uint32_t name = w->count++;

    bp_json_add_string(w->values, field);
    bp_buf_addf(w->sql,
                "EXISTS(SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof(p.fields->(CAST($%u AS jsonb)->>%u)) WHEN "
                "'array' THEN p.fields->(CAST($%u AS jsonb)->>%u) ELSE jsonb_build_array(p.fields->(CAST($%u AS "
                "jsonb)->>%u)) END) j WHERE ",
                w->place, name, w->place, name, w->place, name);
}

static bool write_values(struct writing *w, const bp_filter *filter, uint32_t type, bool is_first)
{
    bool has_any = false;

    for (size_t i = 0; i < filter->value_count; i++) {
        const bp_value *value = &filter->values[i];

        if (value->type != type)
            continue;
        if (!has_any)
            bp_json_array(w->values);
        has_any = true;
        if (type == BP_VALUE_STRING)
            bp_json_add_string(w->values, value->text);
        else
            bp_json_add_string(w->values, type == BP_VALUE_BOOL ? (value->number != 0 ? BP_STR("true") : BP_STR("false"))
                                                                : bp_format(w->call, "%.17g", value->number));
    }
    if (!has_any)
        return false;
    bp_json_end(w->values);
    add(w, is_first ? "(" : " OR ");
    add(w, type == BP_VALUE_STRING   ? "(jsonb_typeof(j.value)='string' AND j.value#>>'{}' = "
           : type == BP_VALUE_NUMBER ? "(bpv_number(j.value) = "
                                     : "(jsonb_typeof(j.value)='boolean' AND j.value#>>'{}' = ");
    refer_list(w, type == BP_VALUE_NUMBER ? "float8" : "text");
    add(w, ")");
    return true;
}

static void write_in(struct writing *w, const bp_filter *filter)
{
    bool has_any;

    begin_members(w, filter->field);
    has_any = write_values(w, filter, BP_VALUE_STRING, true);
    has_any = write_values(w, filter, BP_VALUE_NUMBER, !has_any) || has_any;
    has_any = write_values(w, filter, BP_VALUE_BOOL, !has_any) || has_any;
    add(w, has_any ? "))" : "false)");
}

static void write_range(struct writing *w, const bp_filter *filter)
{
    begin_members(w, filter->field);
    add(w, "bpv_number(j.value) IS NOT NULL");
    if (filter->low != -INFINITY) {
        add(w, filter->is_low_exclusive ? " AND bpv_number(j.value) > " : " AND bpv_number(j.value) >= ");
        refer_number(w, filter->low);
    }
    if (filter->high != INFINITY) {
        add(w, filter->is_high_exclusive ? " AND bpv_number(j.value) < " : " AND bpv_number(j.value) <= ");
        refer_number(w, filter->high);
    }
    add(w, ")");
}

static void write_prefix(struct writing *w, bp_str field, bp_str prefix)
{
    begin_members(w, field);
    add(w, "jsonb_typeof(j.value)='string' AND starts_with(j.value#>>'{}', ");
    refer_text(w, prefix);
    add(w, "))");
}

static bp_status write_node(struct writing *w, const bp_filter *filter, int depth);

static bp_status write_children(struct writing *w, const bp_filter *filter, int depth)
{
    bool is_and = filter->op == BP_FILTER_AND;

    if (!filter->child_count)
        add(w, is_and ? "true" : "false");
    for (size_t i = 0; i < filter->child_count; i++) {
        add(w, i == 0 ? "(" : is_and ? " AND " : " OR ");
        BP_TRY(write_node(w, filter->children[i], depth + 1));
    }
    if (filter->child_count)
        add(w, ")");
    return BP_OK;
}

static bp_status write_node(struct writing *w, const bp_filter *filter, int depth)
{
    bool is_leaf = filter->op >= BP_FILTER_IN && filter->op <= BP_FILTER_NOT_EXISTS;

    if (depth > DEPTH_MAX)
        return bp_fail(w->call, BP_INVALID, "the filter is deeper than %d", DEPTH_MAX);
    if (is_leaf && !is_field(filter->field))
        return bp_fail(w->call, BP_INVALID, "\"" BP_FMT "\" cannot be the name of a field", BP_ARG(filter->field));
    switch (filter->op) {
    case BP_FILTER_AND:
    case BP_FILTER_OR:
        return write_children(w, filter, depth);
    case BP_FILTER_NOT:
        if (filter->child_count != 1)
            return bp_fail(w->call, BP_INVALID, "a filter's \"not\" takes one child, not %zu", filter->child_count);
        add(w, "NOT ");
        return write_node(w, filter->children[0], depth + 1);
    case BP_FILTER_IN:
        write_in(w, filter);
        return BP_OK;
    case BP_FILTER_RANGE:
        if (isnan(filter->low) || isnan(filter->high))
            return bp_fail(w->call, BP_INVALID, "the bounds of " BP_FMT " must be numbers", BP_ARG(filter->field));
        write_range(w, filter);
        return BP_OK;
    case BP_FILTER_PREFIX:
        if (filter->value_count != 1 || filter->values[0].type != BP_VALUE_STRING)
            return bp_fail(w->call, BP_INVALID, "the prefix of " BP_FMT " must be one string", BP_ARG(filter->field));
        write_prefix(w, filter->field, filter->values[0].text);
        return BP_OK;
    case BP_FILTER_EXISTS:
    case BP_FILTER_NOT_EXISTS:
        add(w, filter->op == BP_FILTER_EXISTS ? "jsonb_exists(p.fields, " : "NOT jsonb_exists(p.fields, ");
        refer_text(w, filter->field);
        add(w, ")");
        return BP_OK;
    default:
        return bp_fail(w->call, BP_INVALID, "the filter has an operation of the unknown number %u", filter->op);
    }
}

bp_status filter_write(bp_call *call, bp_buf *sql, const bp_filter *filter, uint32_t place, bp_sql_value *values)
{
    struct writing w = { .call = call, .sql = sql, .values = bp_json_writer_new(call, SQL_BYTES_MAX), .place = place };
    bp_str         json = { NULL, 0 };

    bp_json_array(w.values);
    if (filter)
        BP_TRY(write_node(&w, filter, 1));
    else
        add(&w, "true");
    bp_json_end(w.values);
    BP_TRY(bp_json_done(call, w.values, &json));
    // Named once where it is always read, so that it has a type also when the filter has no value.
    bp_buf_addf(sql, " AND $%u IS NOT NULL", place);
    values[place - 1] = bp_sql_text(json);
    return bp_buf_status(sql) == BP_OK ? BP_OK : bp_fail(call, BP_TOO_LARGE, "the filter is too large");
}
