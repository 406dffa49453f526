/* filter.c - writes a filter as a condition on p.fields, which is jsonb.
 *
 * A scalar is made an array of one, so that "any member matches" needs no case of its own. Names
 * and values are never part of the SQL: they are members of one JSON array, the parameter, and the
 * SQL says which.
 */
#include "pgvector.h"

#include <math.h>

#include "filters/filters.h"

enum { SQL_BYTES_MAX = 1 << 20 };

struct writing {
    bp_call        *call;
    bp_buf         *sql;
    bp_json_writer *values;
    uint32_t        place, count;
};

static void add(struct writing *w, const char *text)
{
    bp_buf_add(w->sql, bp_str_of(text));
}

/* The value that was just written, as text. */
static void refer(struct writing *w)
{
    bp_buf_addf(w->sql, "(CAST($%u AS jsonb)->>%u)", w->place, w->count++);
}

static void refer_list(struct writing *w, const char *type)
{
    bp_buf_addf(w->sql,
                "ANY(ARRAY(SELECT CAST(e AS %s) FROM jsonb_array_elements_text(CAST($%u AS "
                "jsonb)->%u) e))",
                type, w->place, w->count++);
}

static void refer_text(struct writing *w, bp_str text)
{
    bp_json_add_string(w->values, text);
    refer(w);
}

/* What numbers are compared as: integers as numeric, which holds them exactly. */
static const char *number_sql(bool is_integer)
{
    return is_integer
               ? "(CASE jsonb_typeof(j.value) WHEN 'number' THEN CAST(j.value AS numeric) END)"
               : "bpv_number(j.value)";
}

static void compare_number(struct writing *w, const char *operator, double number, bool is_integer,
                           int64_t integer)
{
    bp_json_add_string(w->values, is_integer ? bp_format(w->call, "%lld", (long long)integer)
                                             : bp_format(w->call, "%.17g", number));
    add(w, " AND ");
    add(w, number_sql(is_integer));
    add(w, operator);
    add(w, "CAST(");
    refer(w);
    add(w, is_integer ? " AS numeric)" : " AS float8)");
}

/* EXISTS(... j.value ... WHERE; close it with ")" */
static void begin_members(struct writing *w, bp_str field)
{
    uint32_t name = w->count++;

    bp_json_add_string(w->values, field);
    bp_buf_addf(w->sql,
                "EXISTS(SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof(p.fields->(CAST($%u "
                "AS jsonb)->>%u)) WHEN 'array' THEN p.fields->(CAST($%u AS jsonb)->>%u) ELSE "
                "jsonb_build_array(p.fields->(CAST($%u AS jsonb)->>%u)) END) j WHERE ",
                w->place, name, w->place, name, w->place, name);
}

/* One sort of values: texts, integers, other numbers, or booleans. */
static bool write_values(struct writing *w, const bp_filter *filter, uint32_t type, bool is_integer,
                         bool is_first)
{
    bool    has_any = false;
    int64_t integer = 0;

    for (size_t i = 0; i < filter->value_count; i++) {
        const bp_value *value = &filter->values[i];

        if (value->type != type || bp_value_integer(value, &integer) != is_integer)
            continue;
        if (!has_any)
            bp_json_array(w->values);
        has_any = true;
        if (type == BP_VALUE_STRING)
            bp_json_add_string(w->values, value->text);
        else
            bp_json_add_string(w->values,
                               type == BP_VALUE_BOOL
                                   ? (value->number != 0 ? BP_STR("true") : BP_STR("false"))
                               : is_integer ? bp_format(w->call, "%lld", (long long)integer)
                                            : bp_format(w->call, "%.17g", value->number));
    }
    if (!has_any)
        return false;
    bp_json_end(w->values);
    add(w, is_first ? "(" : " OR ");
    add(w, type == BP_VALUE_STRING ? "(jsonb_typeof(j.value)='string' AND j.value#>>'{}'"
           : type == BP_VALUE_BOOL ? "(jsonb_typeof(j.value)='boolean' AND j.value#>>'{}'"
                                   : "(");
    if (type == BP_VALUE_NUMBER)
        add(w, number_sql(is_integer));
    add(w, " = ");
    refer_list(w, type != BP_VALUE_NUMBER ? "text" : is_integer ? "numeric" : "float8");
    add(w, ")");
    return true;
}

static bp_status write_in(void *self, const bp_filter *filter)
{
    struct writing *w = self;
    bool            has_any;

    begin_members(w, filter->field);
    has_any = write_values(w, filter, BP_VALUE_STRING, false, true);
    has_any = write_values(w, filter, BP_VALUE_NUMBER, false, !has_any) || has_any;
    has_any = write_values(w, filter, BP_VALUE_NUMBER, true, !has_any) || has_any;
    has_any = write_values(w, filter, BP_VALUE_BOOL, false, !has_any) || has_any;
    add(w, has_any ? "))" : "false)");
    return BP_OK;
}

static bp_status write_range(void *self, const bp_filter *filter)
{
    struct writing *w = self;
    int64_t         integer = 0;

    begin_members(w, filter->field);
    add(w, "bpv_number(j.value) IS NOT NULL");
    if (filter->low != -INFINITY) {
        bool is_integer = bp_filter_low(filter, &integer);

        compare_number(w, filter->is_low_exclusive ? " > " : " >= ", filter->low, is_integer,
                       integer);
    }
    if (filter->high != INFINITY) {
        bool is_integer = bp_filter_high(filter, &integer);

        compare_number(w, filter->is_high_exclusive ? " < " : " <= ", filter->high, is_integer,
                       integer);
    }
    add(w, ")");
    return BP_OK;
}

static bp_status write_prefix(void *self, const bp_filter *filter)
{
    struct writing *w = self;

    begin_members(w, filter->field);
    add(w, "jsonb_typeof(j.value)='string' AND starts_with(j.value#>>'{}', ");
    refer_text(w, filter->values[0].text);
    add(w, "))");
    return BP_OK;
}

static bp_status write_exists(void *self, const bp_filter *filter)
{
    struct writing *w = self;

    add(w,
        filter->op == BP_FILTER_EXISTS ? "jsonb_exists(p.fields, " : "NOT jsonb_exists(p.fields, ");
    refer_text(w, filter->field);
    add(w, ")");
    return BP_OK;
}

static const struct filters_writer writer = {
    .in = write_in,
    .range = write_range,
    .prefix = write_prefix,
    .exists = write_exists,
};

bp_status filter_write(bp_call *call, bp_buf *sql, const bp_filter *filter, uint32_t place,
                       bp_sql_value *values)
{
    struct writing w = {
        .call = call, .sql = sql, .values = bp_json_writer_new(call, SQL_BYTES_MAX), .place = place
    };
    bp_str json = { NULL, 0 };

    bp_json_array(w.values);
    if (!filter)
        add(&w, "true");
    BP_TRY(filters_walk(call, &writer, &w, sql, filter));
    bp_json_end(w.values);
    BP_TRY(bp_json_done(call, w.values, &json));
    // Named once where it is always read, so that it has a type also when the filter has no value.
    bp_buf_addf(sql, " AND $%u IS NOT NULL", place);
    values[place - 1] = bp_sql_text(json);
    return bp_buf_status(sql) == BP_OK ? BP_OK
                                       : bp_fail(call, BP_TOO_LARGE, "the filter is too large");
}
