/* migrate.c - brings an owner's tables to the newest version; plugins/shared/stores/migrations says
 * how. All of it runs on the writer's thread. */
#include "store.h"

#include "migrations/migrations.h"

struct migration {
    struct sqlitedb    *db;
    bp_str              owner;
    const bp_migration *steps;
    size_t              count;
};

static const struct migrations_word words[] = {
    { "${bytes}", "BLOB" },
    { "${identity}", "INTEGER PRIMARY KEY AUTOINCREMENT" },
};

/* BEGIN IMMEDIATE is the lock that other processes see. */
static bp_status begin(bp_call *call, void *self)
{
    return sqlitedb_run(call, self, "BEGIN IMMEDIATE");
}

static bp_status commit(bp_call *call, void *self)
{
    return sqlitedb_run(call, self, "COMMIT");
}

static bp_status run(bp_call *call, void *self, const char *sql, const bp_sql_value *values,
                     uint32_t count, bp_rows *rows)
{
    const bp_statement statement = { sizeof(statement), count, bp_str_of(sql), values };
    sqlite3_stmt      *prepared;
    bp_status          status;

    BP_TRY(statement_prepare(call, self, &statement, &prepared));
    status = statement_collect(call, self, prepared, rows);
    sqlitedb_done(self, prepared);
    return status;
}

static bp_status run_step(bp_call *call, void *self, bp_str sql)
{
    struct sqlitedb *db = self;
    const char      *at = sql.data, *end = sql.data + sql.len;

    while (at < end) {
        sqlite3_stmt *prepared = NULL;
        bool          has_row = true;
        bp_status     status = BP_OK;
        int           code = sqlite3_prepare_v2(db->handle, at, (int)(end - at), &prepared, &at);

        if (code != SQLITE_OK)
            return sqlitedb_fail(call, db, code);
        while (prepared && status == BP_OK && has_row)
            status = sqlitedb_step(call, db, prepared, &has_row);
        sqlite3_finalize(prepared);
        BP_TRY(status);
    }
    return BP_OK;
}

static bp_status migrate_job(bp_call *call, void *arg)
{
    const struct migration       *migration = arg;
    struct sqlitedb              *db = migration->db;
    const struct migrations_place place = { .name = bp_str_of(db->path),
                                            .words = words,
                                            .word_count = sizeof(words) / sizeof(words[0]),
                                            .has_works_from = "SELECT count(*) FROM sqlite_master "
                                                              "WHERE name = 'backplane_migrations' "
                                                              "AND sql LIKE '%works_from%'",
                                            .self = db,
                                            .begin = begin,
                                            .run = run,
                                            .run_step = run_step,
                                            .commit = commit };
    bp_status                     status = sqlitedb_may_write(call, db);

    sqlitedb_enter(call, db);
    if (status == BP_OK)
        status = migrations_run(call, &place, migration->owner, migration->steps, migration->count);
    sqlitedb_rollback(db);
    sqlitedb_leave(db);
    return status;
}

bp_status store_migrate(bp_call *call, void *instance, bp_str owner, const bp_migration *migrations,
                        size_t count)
{
    struct store    *store = ((struct sqlite_instance *)instance)->store;
    struct migration migration = { store->links.writer.db, owner, migrations, count };
    bp_status        status;

    BP_TRY(migrations_check(call, owner, migrations, count));
    BP_TRY(sqlitedb_link_take(call, &store->links.writer));
    status = bp_offload(call, store->links.writer.pool, migrate_job, &migration);
    sqlitedb_link_give(&store->links.writer);
    return status;
}
