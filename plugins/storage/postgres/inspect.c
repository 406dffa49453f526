/* inspect.c - what operators ask about a database, and what they have done to it. */
#include "store.h"

static const struct {
    const char *what, *sql;
} questions[] = {
    { "size", // the parts of a table that lie in another schema, as those of a hypertable do, are
              // its own
      "SELECT name, bytes, rows FROM (SELECT 0 AS place, c.relname::text AS name, "
      "(pg_total_relation_size(c.oid) + COALESCE(part.bytes, 0))::bigint AS bytes, CASE WHEN "
      "c.relkind = 'r' AND part.bytes IS NOT NULL THEN part.rows WHEN c.reltuples < 0 THEN NULL "
      "ELSE c.reltuples::bigint END AS rows FROM pg_class c LEFT JOIN LATERAL (SELECT "
      "sum(pg_total_relation_size(k.oid)) AS bytes, sum(k.reltuples) FILTER (WHERE k.reltuples >= "
      "0)::bigint AS rows FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid WHERE "
      "i.inhparent = c.oid AND k.relnamespace <> c.relnamespace) part ON true WHERE c.relkind IN "
      "('r', 'p', 'm') AND c.relnamespace = current_schema()::regnamespace UNION ALL SELECT 1, "
      "'(all)', pg_database_size(current_database()), NULL) s ORDER BY place, bytes DESC, name" },
    { "connections",
      "SELECT name, state, count, oldest_seconds FROM (SELECT 0 AS place, "
      "COALESCE(NULLIF(application_name, ''), usename::text, backend_type) AS name, "
      "COALESCE(state, 'unknown') AS state, count(*) AS count, CAST(extract(epoch FROM "
      "max(clock_timestamp() - COALESCE(state_change, backend_start))) AS BIGINT) AS "
      "oldest_seconds FROM pg_stat_activity WHERE datname = current_database() GROUP BY 2, 3 UNION "
      "ALL SELECT 1, '(limit)', 'max_connections', current_setting('max_connections')::bigint, "
      "NULL) s ORDER BY place, name, state" },
    { "bloat", "SELECT relname::text AS name, n_live_tup AS live, n_dead_tup AS dead, 'rows' AS "
               "unit, to_char(GREATEST(last_vacuum, last_autovacuum) AT TIME ZONE 'UTC', "
               "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS vacuumed_at FROM pg_stat_user_tables WHERE "
               "schemaname = current_schema() ORDER BY n_dead_tup DESC, relname" },
    { "tables",
      "SELECT c.relname::text AS \"table\", a.attname::text AS \"column\", CASE WHEN a.atttypid IN "
      "(16, 20, 21, 23, 26) THEN 'integer' WHEN a.atttypid IN (700, 701, 1700) THEN 'real' WHEN "
      "a.atttypid = 17 THEN 'bytes' ELSE 'text' END AS type, "
      "COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint AS \"key\", CASE WHEN "
      "a.attidentity <> '' THEN 1 ELSE 0 END AS is_identity FROM pg_class c JOIN pg_attribute a ON "
      "a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_index i ON "
      "i.indrelid = c.oid AND i.indisprimary WHERE c.relkind IN ('r', 'p') AND c.relnamespace = "
      "current_schema()::regnamespace ORDER BY c.relname, a.attnum" },
};

bp_status store_inspect(bp_call *call, void *instance, bp_str what, bp_rows *rows)
{
    struct store               *store = instance;
    struct postgres_connection *connection;
    size_t                      count = sizeof(questions) / sizeof(questions[0]), i = 0;
    bp_status                   status;

    while (i < count && !bp_str_is(what, questions[i].what))
        i++;
    if (i == count)
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT "\" cannot be asked; size, connections, bloat and tables can",
                       BP_ARG(what));
    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = store_run(call, connection, questions[i].sql, NULL, 0, rows);
    postgres_give(connection);
    return status;
}

/* ---- maintain ---- */

static bp_status vacuum(bp_call *call, struct postgres_connection *connection, bp_str table)
{
    return postgres_run_text(call, connection,
                             bp_format(call, "VACUUM (ANALYZE) " BP_FMT, BP_ARG(table)).data);
}

static bp_status reindex_one(bp_call *call, struct postgres_connection *connection, bp_str table)
{
    return postgres_run_text(call, connection,
                             bp_format(call, "REINDEX TABLE CONCURRENTLY " BP_FMT, BP_ARG(table))
                                 .data);
}

/* TimescaleDB refuses it for a hypertable, and takes it for each of its chunks. */
static bp_status reindex(bp_call *call, struct postgres_connection *connection, bp_str table)
{
    const bp_sql_value value = bp_sql_text(table);
    bp_rows            chunks = { .struct_size = sizeof(chunks) };
    bool               is_hypertable = false;

    BP_TRY(hypertable_is_one(call, connection, table, &is_hypertable));
    if (!is_hypertable)
        return reindex_one(call, connection, table);
    BP_TRY(store_run(call, connection,
                     "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = "
                     "to_regclass($1) ORDER BY 1",
                     &value, 1, &chunks));
    for (size_t i = 0; i < chunks.row_count; i++)
        BP_TRY(reindex_one(call, connection, bp_row(&chunks, i)[0].text));
    return BP_OK;
}

/* The sequence is never moved back, as a number may have been given to a row that is not committed
 * yet. */
static bp_status move_identities(bp_call *call, struct postgres_connection *connection,
                                 bp_str table)
{
    const bp_sql_value value = bp_sql_text(table);
    bp_rows            rows = { .struct_size = sizeof(rows) };

    BP_TRY(store_run(call, connection,
                     "SELECT quote_ident(attname), pg_get_serial_sequence($1, attname), "
                     "quote_literal(pg_get_serial_sequence($1, attname)) FROM pg_attribute WHERE "
                     "attrelid = to_regclass($1) AND attidentity <> '' AND NOT attisdropped",
                     &value, 1, &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);
        bp_str              sql = bp_format(call,
                                            "SELECT setval(" BP_FMT
                                            ", greatest(m, s.last_value)) FROM (SELECT max(" BP_FMT
                                            ") AS m FROM " BP_FMT ") t, " BP_FMT
                                            " s WHERE m IS NOT NULL AND m >= s.last_value",
                                            BP_ARG(row[2].text), BP_ARG(row[0].text), BP_ARG(table),
                                            BP_ARG(row[1].text));

        BP_TRY(store_run(call, connection, sql.data, NULL, 0, NULL));
    }
    return BP_OK;
}

static const struct {
    const char *what;
    bp_status (*run)(bp_call *call, struct postgres_connection *connection, bp_str table);
} actions[] = { { "vacuum", vacuum }, { "reindex", reindex }, { "identities", move_identities } };

static bp_status maintain_on(bp_call *call, struct postgres_connection *connection, size_t action,
                             bp_str table)
{
    const bp_sql_value value = bp_sql_text(table);
    bp_rows            rows = { .struct_size = sizeof(rows) };

    BP_TRY(store_run(call, connection,
                     "SELECT quote_ident(relname) FROM pg_class WHERE relkind IN ('r', 'p') AND "
                     "relnamespace = current_schema()::regnamespace AND ($1 = '' OR relname = $1) "
                     "ORDER BY relname",
                     &value, 1, &rows));
    if (table.len && !rows.row_count)
        return bp_fail(call, BP_NOT_FOUND, "there is no table \"" BP_FMT "\"", BP_ARG(table));
    for (size_t i = 0; i < rows.row_count; i++)
        BP_TRY(actions[action].run(call, connection, bp_row(&rows, i)[0].text));
    return BP_OK;
}

bp_status store_maintain(bp_call *call, void *instance, bp_str what, bp_str table)
{
    struct store               *store = instance;
    struct postgres_connection *connection;
    size_t                      count = sizeof(actions) / sizeof(actions[0]), i = 0;
    bp_status                   status;

    while (i < count && !bp_str_is(what, actions[i].what))
        i++;
    if (i == count)
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT "\" cannot be done; vacuum, reindex and identities can",
                       BP_ARG(what));
    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = maintain_on(call, connection, i, table);
    postgres_give(connection);
    return status;
}
