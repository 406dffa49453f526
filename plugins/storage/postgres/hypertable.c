/* hypertable.c - tables that grow with time, as a usage log does, become hypertables where
 * TimescaleDB is installed. */
#include "store.h"

static bp_status ask(bp_call *call, struct postgres_connection *connection, const char *sql,
                     bool *answer)
{
    bp_rows rows = { .struct_size = sizeof(rows) };

    BP_TRY(store_run(call, connection, sql, NULL, 0, &rows));
    *answer = rows.row_count && rows.values[0].integer > 0;
    return BP_OK;
}

/* Nothing is created here: the extension must have been loaded when the server started, and a
 * CREATE EXTENSION where it was not ends the connection. So who runs the server decides; we name
 * the missing part. */
static bp_status has_timescale(bp_call *call, struct store *store,
                               struct postgres_connection *connection, bool *is_there)
{
    bool is_available = false;

    BP_TRY(ask(call, connection, "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'",
               is_there));
    if (*is_there || atomic_exchange(&store->shared->is_told_about_timescale, true))
        return BP_OK;
    BP_TRY(ask(call, connection,
               "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'",
               &is_available));
    bp_log(call, BP_LOG_INFO,
           "the database %s has no TimescaleDB: the tables of the option hypertables stay ordinary "
           "ones%s",
           store->shared->primary->database,
           is_available ? ". The server has it: let a superuser say CREATE EXTENSION timescaledb "
                          "in this database, and restart"
                        : "");
    return BP_OK;
}

bp_status hypertable_is_one(bp_call *call, struct postgres_connection *connection, bp_str table,
                            bool *is_one)
{
    const bp_sql_value value = bp_sql_text(table);
    bp_rows            rows = { .struct_size = sizeof(rows) };

    *is_one = false;
    BP_TRY(ask(call, connection,
               "SELECT count(*) FROM pg_class WHERE oid = "
               "to_regclass('timescaledb_information.hypertables')",
               is_one));
    if (!*is_one)
        return BP_OK;
    BP_TRY(store_run(call, connection,
                     "SELECT count(*) FROM timescaledb_information.hypertables WHERE "
                     "to_regclass(format('%I.%I', hypertable_schema, hypertable_name)) = "
                     "to_regclass($1)",
                     &value, 1, &rows));
    *is_one = rows.values[0].integer > 0;
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

    BP_TRY(store_run(call, connection, "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)",
                     values, 1, &rows));
    if (rows.values[0].integer == 0)
        return BP_OK;
    // Times are nanoseconds; a chunk is a day.
    return store_run(call, connection,
                     "SELECT create_hypertable(to_regclass($1), CAST($2 AS name), "
                     "chunk_time_interval => 86400000000000, if_not_exists => true, migrate_data "
                     "=> true)",
                     values, 2, &rows);
}

bp_status hypertables_make(bp_call *call, struct store *store)
{
    struct postgres_connection *connection;
    bool                        is_there = false;
    bp_status                   status;

    if (!store->hypertables.count)
        return BP_OK;
    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = has_timescale(call, store, connection, &is_there);
    for (size_t i = 0; i < store->hypertables.count && status == BP_OK && is_there; i++) {
        status = make_one(call, connection, store->hypertables.items[i]);
        // It works as an ordinary table too, so what the server refuses, for whatever reason, stops
        // nobody.
        if (status != BP_OK && !connection->is_broken && bp_cancelled(call) == BP_OK) {
            bp_log(call, BP_LOG_WARN,
                   BP_FMT " cannot be made a hypertable and stays an ordinary table: " BP_FMT,
                   BP_ARG(store->hypertables.items[i]), BP_ARG(bp_error_of(call)->message));
            bp_clear_error(call);
            status = BP_OK;
        }
    }
    postgres_give(connection);
    return status;
}
