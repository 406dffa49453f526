/* filter_sql.c - writes the condition. json_each() gives one row for a scalar and one a member for
 * an array, so that "any member matches" needs no case of its own. */
#include "filter_sql.h"

#include <math.h>

#include "filters/filters.h"

enum { SQL_BYTES_MAX = 1 << 20, PARAMETERS_MAX = 4096 };

bp_status sql_begin(bp_call *call, struct sql_text *sql)
{
    memset(sql, 0, sizeof(*sql));
    sql->call = call;
    sql->buf = bp_buf_new(call, SQL_BYTES_MAX);
    return sql->buf ? BP_OK : BP_NO_MEMORY;
}

static struct sql_parameter *parameter(struct sql_text *sql)
{
    if (sql->count == sql->capacity) {
        size_t                capacity = sql->capacity ? sql->capacity * 2 : 16;
        struct sql_parameter *grown = capacity > PARAMETERS_MAX
                                          ? NULL
                                          : BP_NEW_ARRAY(sql->call, struct sql_parameter, capacity);
        if (!grown) {
            sql->buf = NULL; /* spoilt: sql_end() says so */
            return &sql->spare;
        }
        if (sql->count)
            memcpy(grown, sql->parameters, sql->count * sizeof(*grown));
        sql->parameters = grown;
        sql->capacity = capacity;
    }
    sql->count++;
    bp_buf_addf(sql->buf, "?%zu", sql->count);
    return &sql->parameters[sql->count - 1];
}

void sql_integer(struct sql_text *sql, int64_t value)
{
    struct sql_parameter *p = parameter(sql);
    p->type = SQL_INTEGER;
    p->integer = value;
}

void sql_real(struct sql_text *sql, double value)
{
    struct sql_parameter *p = parameter(sql);
    p->type = SQL_REAL;
    p->real = value;
}

void sql_string(struct sql_text *sql, bp_str value)
{
    struct sql_parameter *p = parameter(sql);
    p->type = SQL_TEXT;
    p->text = value;
}

bp_status sql_end(struct sql_text *sql, bp_str *text)
{
    bp_status status = bp_buf_status(sql->buf);

    if (status != BP_OK)
        return bp_fail(sql->call, sql->count == PARAMETERS_MAX ? BP_TOO_LARGE : status,
                       "the filter is too large");
    *text = bp_buf_str(sql->buf);
    return BP_OK;
}

int sql_bind(const struct sql_text *sql, sqlite3_stmt *statement)
{
    int code = SQLITE_OK;

    for (size_t i = 0; i < sql->count && code == SQLITE_OK; i++) {
        const struct sql_parameter *p = &sql->parameters[i];
        int                         place = (int)i + 1;
        if (p->type == SQL_INTEGER)
            code = sqlite3_bind_int64(statement, place, p->integer);
        else if (p->type == SQL_REAL)
            code = sqlite3_bind_double(statement, place, p->real);
        else
            code = sqlite3_bind_text64(statement, place, p->text.data ? p->text.data : "",
                                       p->text.len, SQLITE_STATIC, SQLITE_UTF8);
    }
    return code;
}

/* ---- the filter ---- */

static void add(struct sql_text *sql, const char *text)
{
    bp_buf_add(sql->buf, bp_str_of(text));
}

static bp_str path_of(bp_call *call, bp_str field)
{
    return bp_format(call, "$.\"" BP_FMT "\"", BP_ARG(field));
}

/* EXISTS(SELECT 1 FROM json_each(p.metadata, path) j WHERE ...; close it with ")" */
static void begin_members(struct sql_text *sql, bp_str field)
{
    add(sql, "EXISTS(SELECT 1 FROM json_each(p.metadata,");
    sql_string(sql, path_of(sql->call, field));
    add(sql, ") j WHERE ");
}

/* Values of one sort: texts, integers, other numbers, or booleans. */
static void write_values(struct sql_text *sql, const bp_filter *filter, uint32_t type,
                         bool is_integer, const char *condition)
{
    bool    is_first = true;
    int64_t integer = 0;

    add(sql, condition);
    for (size_t i = 0; i < filter->value_count; i++) {
        const bp_value *value = &filter->values[i];
        bool            is_exact = bp_value_integer(value, &integer);

        if (value->type != type || is_exact != is_integer)
            continue;
        add(sql, is_first ? "(" : ",");
        if (type == BP_VALUE_STRING)
            sql_string(sql, value->text);
        else if (is_exact)
            sql_integer(sql, integer);
        else if (type == BP_VALUE_NUMBER)
            sql_real(sql, value->number);
        else
            sql_integer(sql, value->number != 0);
        is_first = false;
    }
    add(sql, is_first ? "()" : ")");
}

static bp_status write_in(void *self, const bp_filter *filter)
{
    struct sql_text *sql = self;

    begin_members(sql, filter->field);
    write_values(sql, filter, BP_VALUE_STRING, false, "(j.type='text' AND j.value IN ");
    write_values(sql, filter, BP_VALUE_NUMBER, true,
                 ") OR (j.type IN('integer','real') AND j.value IN ");
    write_values(sql, filter, BP_VALUE_NUMBER, false,
                 ") OR (j.type IN('integer','real') AND CAST(j.value AS REAL) IN ");
    write_values(sql, filter, BP_VALUE_BOOL, false,
                 ") OR (j.type IN('true','false') AND j.value IN ");
    add(sql, "))");
    return BP_OK;
}

/* SQLite compares an integer with a real number exactly as long as neither is made the other. */
static void write_bound(struct sql_text *sql, const char *operator, double bound, bool is_integer,
                        int64_t integer)
{
    add(sql, is_integer ? " AND j.value" : " AND CAST(j.value AS REAL)");
    add(sql, operator);
    if (is_integer)
        sql_integer(sql, integer);
    else
        sql_real(sql, bound);
}

static bp_status write_range(void *self, const bp_filter *filter)
{
    struct sql_text *sql = self;
    int64_t          integer = 0;
    bool             is_integer;

    begin_members(sql, filter->field);
    add(sql, "j.type IN('integer','real')");
    is_integer = bp_filter_low(filter, &integer);
    if (filter->low != -INFINITY)
        write_bound(sql, filter->is_low_exclusive ? ">" : ">=", filter->low, is_integer, integer);
    is_integer = bp_filter_high(filter, &integer);
    if (filter->high != INFINITY)
        write_bound(sql, filter->is_high_exclusive ? "<" : "<=", filter->high, is_integer, integer);
    add(sql, ")");
    return BP_OK;
}

static bp_status write_prefix(void *self, const bp_filter *filter)
{
    struct sql_text *sql = self;

    begin_members(sql, filter->field);
    add(sql, "j.type='text' AND substr(j.value,1,length(");
    sql_string(sql, filter->values[0].text);
    add(sql, "))=");
    sql_string(sql, filter->values[0].text);
    add(sql, ")");
    return BP_OK;
}

static bp_status write_exists(void *self, const bp_filter *filter)
{
    struct sql_text *sql = self;

    add(sql, "(json_type(p.metadata,");
    sql_string(sql, path_of(sql->call, filter->field));
    add(sql, filter->op == BP_FILTER_EXISTS ? ") IS NOT NULL)" : ") IS NULL)");
    return BP_OK;
}

static const struct filters_writer writer = {
    .in = write_in,
    .range = write_range,
    .prefix = write_prefix,
    .exists = write_exists,
};

bp_status sql_filter(struct sql_text *sql, const bp_filter *filter)
{
    if (!filter)
        add(sql, "1");
    return filters_walk(sql->call, &writer, sql, sql->buf, filter);
}
