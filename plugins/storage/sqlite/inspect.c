/* inspect.c - what operators ask about a database file, and what they have done to it. */
#include "store.h"

/* dbstat reads the whole file, which is what "size" costs; without it only the sum is known. */
static const struct {
    const char *what, *sql, *instead;
} questions[] = {
    { "size",
      "SELECT name, bytes, rows FROM (SELECT 0 AS place, m.tbl_name AS name, SUM(s.pgsize) AS "
      "bytes, NULL AS rows FROM dbstat s JOIN sqlite_schema m ON m.name = s.name GROUP BY "
      "m.tbl_name UNION ALL SELECT 1, '(all)', (SELECT page_count FROM pragma_page_count) * "
      "(SELECT page_size FROM pragma_page_size), NULL) ORDER BY place, bytes DESC, name",
      "SELECT '(all)' AS name, (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM "
      "pragma_page_size) AS bytes, NULL AS rows" },
    { "bloat",
      "SELECT '(all)' AS name, (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count "
      "FROM pragma_freelist_count) AS live, (SELECT freelist_count FROM pragma_freelist_count) AS "
      "dead, 'pages' AS unit, NULL AS vacuumed_at",
      NULL },
    { "tables",
      "SELECT m.name AS \"table\", c.name AS \"column\", CASE WHEN c.type LIKE '%INT%' THEN "
      "'integer' WHEN c.type LIKE '%BLOB%' THEN 'bytes' WHEN c.type LIKE '%REAL%' OR c.type LIKE "
      "'%DOUB%' OR c.type LIKE '%FLOA%' THEN 'real' ELSE 'text' END AS type, c.pk AS \"key\", CASE "
      "WHEN c.pk > 0 AND m.sql LIKE '%AUTOINCREMENT%' THEN 1 ELSE 0 END AS is_identity FROM "
      "sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE "
      "'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid",
      NULL },
};

struct asking {
    struct sqlitedb *db;
    const char      *sql;
    bp_rows         *rows;
};

static bp_status ask_job(bp_call *call, void *arg)
{
    struct asking     *asking = arg;
    const bp_statement statement = { sizeof(statement), 0, bp_str_of(asking->sql), NULL };
    sqlite3_stmt      *prepared;
    bp_status          status;

    sqlitedb_enter(call, asking->db);
    asking->db->is_guarded = false; // the words are the plugin's own, and the connection is held
    status = statement_prepare(call, asking->db, &statement, &prepared);
    if (status == BP_OK)
        status = statement_collect(call, asking->db, prepared, asking->rows);
    sqlitedb_done(asking->db, prepared);
    asking->db->is_guarded = true;
    sqlitedb_leave(asking->db);
    return status;
}

static bp_status ask(bp_call *call, struct store *store, const char *sql, bp_rows *rows)
{
    struct sqlitedb_link *reader = sqlitedb_links_reader(&store->links);
    struct asking         asking = { reader->db, sql, rows };
    bp_status             status;

    BP_TRY(sqlitedb_link_take(call, reader));
    status = bp_offload(call, reader->pool, ask_job, &asking);
    sqlitedb_link_give(reader);
    return status;
}

static bp_status connections(bp_call *call, struct store *store, bp_rows *rows)
{
    static const bp_str names[] = {
        { "name", 4 }, { "state", 5 }, { "count", 5 }, { "oldest_seconds", 14 }
    };
    bp_sql_value *values = BP_NEW_ARRAY(call, bp_sql_value, 12);
    int64_t       reading = 0;

    if (!values)
        return BP_NO_MEMORY;
    for (uint32_t i = 0; i < store->links.reader_count; i++)
        reading += atomic_load(&store->links.readers[i].users) != 0;
    values[0] = bp_sql_text(BP_STR("writer"));
    values[1] = bp_sql_text(atomic_load(&store->links.writer.users) ? BP_STR("active")
                                                                    : BP_STR("idle"));
    values[2] = bp_sql_int(1);
    values[4] = bp_sql_text(BP_STR("readers"));
    values[5] = bp_sql_text(reading ? BP_STR("active") : BP_STR("idle"));
    values[6] = bp_sql_int(store->links.reader_count);
    values[8] = bp_sql_text(BP_STR("(limit)"));
    values[9] = bp_sql_text(BP_STR("connections of this process"));
    values[10] = bp_sql_int(store->links.reader_count + 1);
    rows->column_count = 4;
    rows->row_count = 3;
    rows->values = values;
    rows->columns = names;
    return BP_OK;
}

bp_status store_inspect(bp_call *call, void *instance, bp_str what, bp_rows *rows)
{
    struct store *store = ((struct sqlite_instance *)instance)->store;
    bp_status     status;

    if (bp_str_is(what, "connections"))
        return connections(call, store, rows);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (!bp_str_is(what, questions[i].what))
            continue;
        status = ask(call, store, questions[i].sql, rows);
        if (status != BP_INVALID || !questions[i].instead)
            return status;
        bp_clear_error(call);
        return ask(call, store, questions[i].instead, rows);
    }
    return bp_fail(call, BP_INVALID,
                   "\"" BP_FMT "\" cannot be asked; size, connections, bloat and tables can",
                   BP_ARG(what));
}

/* ---- maintain: on the writer, which others wait for meanwhile ---- */

struct maintaining {
    struct sqlitedb *db;
    bp_str           what, table;
};

static bp_status check_table(bp_call *call, struct sqlitedb *db, bp_str table)
{
    const bp_sql_value value = bp_sql_text(table);
    const bp_statement statement = {
        sizeof(statement), 1,
        BP_STR("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1"), &value
    };
    bp_rows       rows = { .struct_size = sizeof(rows) };
    sqlite3_stmt *prepared;
    bp_status     status;

    if (!table.len)
        return BP_OK;
    status = statement_prepare(call, db, &statement, &prepared);
    if (status == BP_OK)
        status = statement_collect(call, db, prepared, &rows);
    sqlitedb_done(db, prepared);
    if (status == BP_OK && !rows.row_count)
        return bp_fail(call, BP_NOT_FOUND, "there is no table \"" BP_FMT "\"", BP_ARG(table));
    return status;
}

/* The name is that of a table, so it is only quoted. */
static bp_str quoted(bp_call *call, bp_str name)
{
    bp_buf *buf = bp_buf_new(call, 4096);

    bp_buf_add(buf, BP_STR("\""));
    for (size_t i = 0; i < name.len; i++)
        bp_buf_add(buf, name.data[i] == '"' ? BP_STR("\"\"") : bp_str_n(name.data + i, 1));
    bp_buf_add(buf, BP_STR("\""));
    return bp_buf_str(buf);
}

/* AUTOINCREMENT counts on from the greatest key that was ever inserted by itself: nothing is to be
 * done. */
static bp_status maintain_job(bp_call *call, void *arg)
{
    struct maintaining *m = arg;
    bp_status           status;

    sqlitedb_enter(call, m->db);
    status = sqlitedb_may_write(call, m->db);
    if (status == BP_OK)
        status = check_table(call, m->db, m->table);
    if (status == BP_OK && bp_str_is(m->what, "vacuum"))
        status = sqlitedb_run(call, m->db, "VACUUM; PRAGMA optimize");
    if (status == BP_OK && bp_str_is(m->what, "reindex"))
        status = sqlitedb_run(call, m->db,
                              m->table.len ? bp_format(call, "REINDEX " BP_FMT,
                                                       BP_ARG(quoted(call, m->table)))
                                                 .data
                                           : "REINDEX");
    sqlitedb_leave(m->db);
    return status;
}

bp_status store_maintain(bp_call *call, void *instance, bp_str what, bp_str table)
{
    struct store      *store = ((struct sqlite_instance *)instance)->store;
    struct maintaining m = { store->links.writer.db, what, table };
    bp_status          status;

    if (!bp_str_is(what, "vacuum") && !bp_str_is(what, "reindex") && !bp_str_is(what, "identities"))
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT "\" cannot be done; vacuum, reindex and identities can",
                       BP_ARG(what));
    BP_TRY(sqlitedb_link_take(call, &store->links.writer));
    status = bp_offload(call, store->links.writer.pool, maintain_job, &m);
    sqlitedb_link_give(&store->links.writer);
    return status;
}
