/* scroll.c - counting points and going through them. */
#include "pgvector.h"

#include <stdlib.h>

bp_status pgvector_count(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                         uint64_t *count)
{
    struct store           *store = instance;
    struct collection       collection;
    bp_sql_value            value = bp_sql_null();
    bp_statement            statement = { sizeof(statement), 1, { NULL, 0 }, &value };
    bp_rows                 rows = { .struct_size = sizeof(rows) };
    struct postgres_outcome outcome = { .sqlstate = "" };
    bp_status               status;

    BP_TRY(collection_find(call, store, name, &collection));
    do {
        bp_buf *sql = bp_buf_new(call, 2 << 20);

        bp_buf_add(sql,
                   collection_sql(call, &collection, "SELECT count(*) FROM bpv_points_% p WHERE "));
        BP_TRY(filter_write(call, sql, filter, 1, &value));
        statement.sql = bp_buf_str(sql);
        status = sql_run(call, store, &statement, 1, 0, false, &rows, &outcome);
    } while (collection_is_stale(call, store, &collection, &outcome, &status));
    BP_TRY(status);
    BP_TRY(bp_rows_expect(call, &rows, "i"));
    *count = (uint64_t)rows.values[0].integer;
    return BP_OK;
}

struct scroll {
    const struct collection *collection;
    const bp_point_sink     *sink;
    float                   *vector;
};

/* "[1,2.5]" */
static bool read_vector(const char *text, float *vector, uint32_t dimensions)
{
    char *end = (char *)(uintptr_t)text;

    for (uint32_t i = 0; i < dimensions; i++) {
        if (*end != (i ? ',' : '['))
            return false;
        vector[i] = strtof(end + 1, &end);
    }
    return *end == ']';
}

static bp_status pass_point(bp_call *call, void *self, const bp_sql_value *row,
                            uint32_t column_count)
{
    struct scroll *scroll = self;
    bp_point       point = { .struct_size = sizeof(point),
                             .id = (uint64_t)row[0].integer,
                             .metadata = row[1].text,
                             .words = row[2].text };

    BP_TRY(bp_rows_expect(call,
                          &(bp_rows){ .column_count = column_count, .row_count = 1, .values = row },
                          "ittT"));
    if (row[3].type == BP_SQL_TEXT) {
        if (!read_vector(row[3].text.data, scroll->vector, scroll->collection->dimensions))
            return bp_fail(call, BP_DATA,
                           "point %llu of \"%s\" has a vector that is none of %u dimensions",
                           (unsigned long long)point.id, scroll->collection->name,
                           scroll->collection->dimensions);
        point.vector = scroll->vector;
    }
    return scroll->sink->point(call, scroll->sink->self, &point);
}

/* Once; what the sink was given is not given again, but a table that is gone gives nothing. */
static bp_status scroll_once(bp_call *call, struct store *store, const struct collection *c,
                             const bp_filter *filter, uint64_t after, uint32_t limit,
                             const bp_point_sink *sink, struct postgres_outcome *outcome)
{
    struct scroll               scroll = { c, sink, BP_NEW_ARRAY(call, float, c->dimensions) };
    const bp_row_sink           rows = { sizeof(rows), pass_point, &scroll };
    bp_buf                     *sql = bp_buf_new(call, 2 << 20);
    bp_sql_value                values[3];
    bp_statement                statement = { sizeof(statement), 3, { NULL, 0 }, values };
    struct postgres_connection *connection;
    bp_status                   status;

    if (!scroll.vector)
        return BP_NO_MEMORY;
    values[1] = bp_sql_int(after > INT64_MAX ? INT64_MAX : (int64_t)after);
    values[2] = bp_sql_int(limit);
    bp_buf_add(sql, collection_sql(call, c,
                                   "SELECT p.id, p.metadata, p.words, p.vector::text FROM "
                                   "bpv_points_% p WHERE p.id > $2 AND "));
    BP_TRY(filter_write(call, sql, filter, 1, values));
    bp_buf_add(sql, BP_STR(" ORDER BY p.id LIMIT $3"));
    statement.sql = bp_buf_str(sql);
    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = postgres_stream(call, connection, &statement, 1, 0, &rows, outcome);
    postgres_give(connection);
    return status;
}

bp_status pgvector_scroll(bp_call *call, void *instance, bp_str name, const bp_filter *filter,
                          uint64_t after, uint32_t limit, const bp_point_sink *sink)
{
    struct store           *store = instance;
    struct collection       collection;
    struct postgres_outcome outcome = { .sqlstate = "" };
    bp_status               status;

    if (limit < 1 || limit > LIMIT_MAX)
        return bp_fail(call, BP_INVALID, "a scroll gives 1 to %d points, not %u", LIMIT_MAX, limit);
    BP_TRY(collection_find(call, store, name, &collection));
    do
        status = scroll_once(call, store, &collection, filter, after, limit, sink, &outcome);
    while (collection_is_stale(call, store, &collection, &outcome, &status));
    return status;
}
