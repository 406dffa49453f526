/* sweep.c - clears away the tables of dropped collections without keeping other writers waiting,
 * and gives room back.
 *
 * A collection is gone when its row in `collections` is, in one short transaction. Its tables are
 * emptied a piece at a time; the writer is free between two pieces, so that others' writes come in
 * between. A table of points without a collection says that there is something left, also after a
 * crash.
 */
#include "local.h"

enum { PIECE_ROWS = 1000 };

struct sweep {
    struct store *store;
    int64_t       number; /* of the collection that was dropped; 0: there is none */
    bool          is_done;
};

static bp_status find_leftover(bp_call *call, struct sqlitedb *db, struct sweep *sweep)
{
    sqlite3_stmt *statement;
    bool          has_row = false;
    bp_status     status;

    BP_TRY(sqlitedb_prepare(call, db,
                            BP_STR("SELECT CAST(substr(name, 8) AS INTEGER) FROM sqlite_schema "
                                   "WHERE type = 'table' AND name GLOB 'points_[0-9]*' AND "
                                   "CAST(substr(name, 8) AS INTEGER) NOT IN (SELECT id FROM "
                                   "collections) LIMIT 1"),
                            &statement));
    status = sqlitedb_step(call, db, statement, &has_row);
    sweep->number = has_row ? sqlite3_column_int64(statement, 0) : 0;
    sqlitedb_done(db, statement);
    return status;
}

/* In the order in which they are emptied: the points, which say that something is left, at the end.
 * Of the word index two records stay that it must have to be opened, even to be dropped: its sums
 * (1) and its structure (10). */
static const struct {
    const char *name, *behind;
    int64_t     first;
} tables[] = { { "vectors", "", INT64_MIN },
               { "words", "_data", 11 },
               { "words", "_docsize", INT64_MIN },
               { "points", "", INT64_MIN } };

/* Whether the piece was the last of its table. */
static bp_status delete_piece(bp_call *call, struct sqlitedb *db, int64_t number, size_t table,
                              bool *is_empty)
{
    bp_str name = bp_format(call, "%s_%lld%s", tables[table].name, (long long)number,
                            tables[table].behind);
    bp_str sql = bp_format(call,
                           "DELETE FROM " BP_FMT " WHERE rowid IN (SELECT rowid FROM " BP_FMT
                           " WHERE rowid >= %lld LIMIT %d)",
                           BP_ARG(name), BP_ARG(name), (long long)tables[table].first, PIECE_ROWS);

    BP_TRY(sqlitedb_run(call, db, sql.data));
    *is_empty = sqlite3_changes(db->handle) < PIECE_ROWS;
    return BP_OK;
}

static bp_status sweep_piece(bp_call *call, struct sqlitedb *db, struct sweep *sweep)
{
    bool   is_empty = true;
    bp_str sql;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        BP_TRY(delete_piece(call, db, sweep->number, i, &is_empty));
        if (!is_empty)
            return BP_OK;
    }
    sql = bp_format(call,
                    "BEGIN IMMEDIATE; DROP TABLE words_%lld; DROP TABLE vectors_%lld; DROP TABLE "
                    "points_%lld; COMMIT",
                    (long long)sweep->number, (long long)sweep->number, (long long)sweep->number);
    return sqlitedb_run(call, db, sql.data);
}

static bp_status sweep_job(bp_call *call, void *arg)
{
    struct sweep    *sweep = arg;
    struct sqlitedb *db = sweep->store->links.writer.db;
    bp_status        status;

    sqlitedb_enter(call, db);
    status = sqlitedb_may_write(call, db);
    if (status == BP_OK)
        status = find_leftover(call, db, sweep);
    if (status == BP_OK && sweep->number) {
        // The tables behind a word index are SQLite's own, which an index in use must be kept from
        // changing; this one is not.
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
        status = sweep_piece(call, db, sweep);
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    }
    sweep->is_done = status == BP_OK && !sweep->number;
    sqlitedb_rollback(db);
    sqlitedb_leave(db);
    return status;
}

static bp_status sweep_all(bp_call *call, struct store *store)
{
    struct sweep sweep = { .store = store };
    bp_status    status = BP_OK;

    while (status == BP_OK && !sweep.is_done) {
        BP_TRY(bp_cancelled(call));
        BP_TRY(bp_scratch_begin(call));
        status = on_writer(call, store, sweep_job, &sweep);
        bp_scratch_end(call);
    }
    return status;
}

bp_status local_sweep(bp_call *call, void *instance)
{
    struct store *store = ((struct local_instance *)instance)->store;
    bp_status     status;

    if (!atomic_load(&store->has_leftovers) || atomic_exchange(&store->is_sweeping, true))
        return BP_OK;
    atomic_store(&store->has_leftovers,
                 false); // before looking: a drop meanwhile sets it again
    status = sweep_all(call, store);
    if (status != BP_OK)
        atomic_store(&store->has_leftovers, true);
    atomic_store(&store->is_sweeping, false);
    return status;
}

/* ---- upkeep ---- */

static bp_status vacuum_job(bp_call *call, void *arg)
{
    struct sqlitedb *db = ((struct store *)arg)->links.writer.db;
    bp_status        status;

    sqlitedb_enter(call, db);
    status = sqlitedb_may_write(call, db);
    if (status == BP_OK)
        status = sqlitedb_run(call, db, "VACUUM; PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)");
    sqlitedb_leave(db);
    return status;
}

bp_status local_maintain(bp_call *call, void *instance, bp_str what)
{
    struct store *store = ((struct local_instance *)instance)->store;

    if (!bp_str_is(what, "vacuum"))
        return bp_fail(call, BP_INVALID, "\"" BP_FMT "\" cannot be done; vacuum can", BP_ARG(what));
    BP_TRY(sweep_all(call, store));
    return on_writer(call, store, vacuum_job, store);
}
