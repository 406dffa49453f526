/* migrate.c - brings an owner's tables to the newest version, one step a transaction, each
 * recorded. */
#include "store.h"

#define BOOKS                                                                                   \
    "CREATE TABLE IF NOT EXISTS backplane_migrations(owner TEXT NOT NULL, version INTEGER NOT " \
    "NULL, "                                                                                    \
    "name TEXT NOT NULL, checksum TEXT NOT NULL, applied_wall_ns INTEGER NOT NULL, PRIMARY "    \
    "KEY(owner, version))"

struct migration {
    struct sqlitedb    *db;
    bp_str              owner;
    const bp_migration *steps;
    size_t              count;
};

static bp_str checksum(bp_call *call, const char *sql)
{
    uint8_t digest[32];
    char    hex[65];

    bp_sha256(bp_str_of(sql), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return bp_dup(call, bp_str_of(hex));
}

/* ${bytes} and ${identity} become SQLite's words for them. */
static bp_status translate(bp_call *call, const char *sql, bp_str *out)
{
    bp_buf *buf = bp_buf_new(call, 4 << 20);

    for (;;) {
        const char *word = strstr(sql, "${");
        const char *end = word ? strchr(word, '}') : NULL;
        bp_str      name;

        if (!end)
            break;
        name = bp_str_n(word + 2, (size_t)(end - word - 2));
        bp_buf_add(buf, bp_str_n(sql, (size_t)(word - sql)));
        if (bp_str_is(name, "bytes"))
            bp_buf_add(buf, BP_STR("BLOB"));
        else if (bp_str_is(name, "identity"))
            bp_buf_add(buf, BP_STR("INTEGER PRIMARY KEY AUTOINCREMENT"));
        else
            return bp_fail(call, BP_INVALID,
                           "a migration may say ${bytes} and ${identity}, not ${" BP_FMT "}",
                           BP_ARG(name));
        sql = end + 1;
    }
    bp_buf_add(buf, bp_str_of(sql));
    if (bp_buf_status(buf) != BP_OK)
        return bp_fail(call, bp_buf_status(buf), "a migration is longer than 4 MiB");
    *out = bp_buf_str(buf);
    return BP_OK;
}

/* What was recorded is compared with the list; *version is the newest one recorded. */
static bp_status read_books(bp_call *call, const struct migration *migration, uint32_t *version)
{
    bp_sql_value owner = bp_sql_text(migration->owner);
    bp_statement select = {
        sizeof(select), 1,
        BP_STR(
            "SELECT version, checksum FROM backplane_migrations WHERE owner = $1 ORDER BY version"),
        &owner
    };
    sqlite3_stmt *prepared;
    bool          has_row = true;
    bp_status     status;

    *version = 0;
    BP_TRY(statement_prepare(call, migration->db, &select, &prepared));
    while ((status = sqlitedb_step(call, migration->db, prepared, &has_row)) == BP_OK && has_row) {
        int64_t     at = sqlite3_column_int64(prepared, 0);
        const char *recorded = (const char *)sqlite3_column_text(prepared, 1);

        if (at > (int64_t)migration->count) {
            status = bp_fail(call, BP_CONFLICT,
                             "%s holds version %lld of " BP_FMT
                             ", this program knows %zu: start a newer one, or restore a backup",
                             migration->db->path, (long long)at, BP_ARG(migration->owner),
                             migration->count);
            break;
        }
        if (at != (int64_t)*version + 1 ||
            !bp_str_is(checksum(call, migration->steps[at - 1].sql), recorded)) {
            status = bp_fail(call, BP_CONFLICT,
                             "step %lld (%s) of " BP_FMT " was run in %s with another text: "
                             "a step that was released must not be changed, add a new one",
                             (long long)at, migration->steps[at - 1].name, BP_ARG(migration->owner),
                             migration->db->path);
            break;
        }
        *version = (uint32_t)at;
    }
    sqlitedb_done(migration->db, prepared);
    return status;
}

static bp_status run_text(bp_call *call, struct sqlitedb *db, bp_str sql)
{
    const char *at = sql.data, *end = sql.data + sql.len;

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

static bp_status run_step(bp_call *call, const struct migration *migration,
                          const bp_migration *step)
{
    bp_sql_value  values[] = { bp_sql_text(migration->owner), bp_sql_int(step->version),
                               bp_sql_text(bp_str_of(step->name)),
                               bp_sql_text(checksum(call, step->sql)), bp_sql_int(bp_wall_ns()) };
    bp_statement  insert = { sizeof(insert), 5,
                             BP_STR("INSERT INTO backplane_migrations VALUES($1, $2, $3, $4, $5)"),
                             values };
    sqlite3_stmt *prepared;
    bp_str        sql = { NULL, 0 };
    bp_status     status;

    BP_TRY(translate(call, step->sql, &sql));
    status = run_text(call, migration->db, sql);
    if (status != BP_OK) {
        bp_str why = bp_error_of(call)->message;
        return bp_fail(call, status, "step %u (%s) of " BP_FMT ": " BP_FMT, step->version,
                       step->name, BP_ARG(migration->owner), BP_ARG(why));
    }
    BP_TRY(statement_prepare(call, migration->db, &insert, &prepared));
    status = statement_collect(call, migration->db, prepared, NULL);
    sqlitedb_done(migration->db, prepared);
    return status;
}

/* One step, if one is left. BEGIN IMMEDIATE is the lock that other processes see. */
static bp_status next_step(bp_call *call, const struct migration *migration, bool *is_done)
{
    uint32_t  version = 0;
    bp_status status = sqlitedb_run(call, migration->db, "BEGIN IMMEDIATE");

    if (status == BP_OK)
        status = sqlitedb_run(call, migration->db, BOOKS);
    if (status == BP_OK)
        status = read_books(call, migration, &version);
    *is_done = status != BP_OK || version == migration->count;
    if (!*is_done)
        status = run_step(call, migration, &migration->steps[version]);
    if (status == BP_OK)
        status = sqlitedb_run(call, migration->db, "COMMIT");
    sqlitedb_rollback(migration->db);
    if (status == BP_OK && !*is_done)
        bp_log(call, BP_LOG_INFO, "%s: step %u of " BP_FMT " done: %s", migration->db->path,
               version + 1, BP_ARG(migration->owner), migration->steps[version].name);
    return status;
}

static bp_status migrate_job(bp_call *call, void *arg)
{
    const struct migration *migration = arg;
    bool                    is_done = false;
    bp_status               status = sqlitedb_may_write(call, migration->db);

    sqlitedb_enter(call, migration->db);
    while (status == BP_OK && !is_done)
        status = next_step(call, migration, &is_done);
    sqlitedb_leave(migration->db);
    return status;
}

bp_status store_migrate(bp_call *call, void *instance, bp_str owner, const bp_migration *migrations,
                        size_t count)
{
    struct store    *store = ((struct sqlite_instance *)instance)->store;
    struct migration migration = { store->writer.db, owner, migrations, count };
    bp_status        status;

    if (!owner.len)
        return bp_fail(call, BP_INVALID, "migrations need an owner");
    for (size_t i = 0; i < count; i++)
        if (migrations[i].version != i + 1 || !migrations[i].name || !migrations[i].sql)
            return bp_fail(call, BP_INVALID,
                           "migrations of " BP_FMT
                           " must count from 1 without gaps; place %zu has %u",
                           BP_ARG(owner), i + 1, migrations[i].version);
    BP_TRY(link_take(call, &store->writer));
    status = bp_offload(call, store->writer.pool, migrate_job, &migration);
    link_give(&store->writer);
    return status;
}
