/* hypertable.c - tables that grow with time, as a usage log does, become hypertables where TimescaleDB is installed. */
#include "store.h"

static bp_status has_timescale(bp_call *call, struct postgres_connection *connection, bool *is_there)
{
    bp_rows rows = { .struct_size = sizeof(rows) };

    BP_TRY(store_run(call, connection, "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'", NULL, 0, &rows));
    *is_there = rows.row_count && rows.values[0].integer > 0;
    return BP_OK;
}

/* "table:column". A table that is not there yet is left alone: its app has not migrated. */
static bp_status make_one(bp_call *call, struct postgres_connection *connection, bp_str entry)
{
    const char        *colon = memchr(entry.data, ':', entry.len);
    bp_str             table = bp_str_n(entry.data, (size_t)(colon - entry.data));
    const bp_sql_value values[] = { bp_sql_text(table),
                                    bp_sql_text(bp_str_n(colon + 1, entry.len - table.len - 1)) };
    bp_rows            rows = { .struct_size = sizeof(rows) };

    BP_TRY(store_run(call, connection, "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)", values, 1, &rows));
    if (rows.values[0].integer == 0)
        return BP_OK;
    // Times are nanoseconds; a chunk is a day.
    return store_run(call, connection,
                     "SELECT create_hypertable(to_regclass($1), CAST($2 AS name), chunk_time_interval => 86400000000000, "
                     "if_not_exists => true, migrate_data => true)", values, 2, &rows);
}

bp_status hypertables_make(bp_call *call, struct store *store)
{
    struct postgres_connection *connection;
    bool                        is_there = false;
    bp_status                   status;

    if (!store->hypertables.count)
        return BP_OK;
    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = has_timescale(call, connection, &is_there);
    if (status == BP_OK && !is_there && !atomic_exchange(&store->shared->is_told_about_timescale, true))
        bp_log(call, BP_LOG_INFO, "the database %s has no TimescaleDB: the tables of the option hypertables stay ordinary "
               "ones", store->shared->primary->database);
    for (size_t i = 0; i < store->hypertables.count && status == BP_OK && is_there; i++) {
        status = make_one(call, connection, store->hypertables.items[i]);
        if (status == BP_INVALID || status == BP_CONFLICT) { // it works as an ordinary table too
            bp_log(call, BP_LOG_WARN, BP_FMT " cannot be made a hypertable: " BP_FMT,
                   BP_ARG(store->hypertables.items[i]), BP_ARG(bp_error_of(call)->message));
            bp_clear_error(call);
            status = BP_OK;
        }
    }
    postgres_give(connection);
    return status;
}
