/* sqlitedb.c - opens a connection, keeps its compiled statements, and ends what outlives its call.
 */
#include "sqlitedb/sqlitedb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    STEPS_BETWEEN_QUESTIONS = 1000, /* of SQLite's machine, some 10 us: how often a call is asked
                                       for its end */
    SCHEMA_TRIES_MAX = 50,          /* as many as SQLite gives a statement without virtual tables */
    VALUE_BYTES_MAX = 128 << 20,
    JOURNAL_BYTES_KEPT = 64 << 20 /* the WAL is cut back to this after a checkpoint */
};

bp_status sqlitedb_make_directories(bp_call *call, const char *file_path)
{
    char   path[4096];
    size_t len = strlen(file_path);

    if (len >= sizeof(path))
        return bp_fail(call, BP_INVALID, "the path %.60s... is longer than 4,095 bytes", file_path);
    memcpy(path, file_path, len + 1);
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            int reason = errno;
            bp_fail(call, reason == ENOSPC || reason == EROFS ? BP_FULL : BP_UNAVAILABLE,
                    "cannot make the directory %s: %s; make it, or let this user write to where it "
                    "belongs",
                    path, strerror(reason));
            bp_fail_detail(call, 0, reason, 0);
            return bp_error_of(call)->status;
        }
        *at = '/';
    }
    return BP_OK;
}

/* ---- what SQLite calls back ---- */

static int progress(void *arg)
{
    const struct sqlitedb *db = arg;
    return db->call && bp_cancelled(db->call) != BP_OK;
}

/* Another process holds the file's lock. */
static int busy(void *arg, int times)
{
    struct sqlitedb *db = arg;
    int64_t          pause_ns = BP_MILLISECONDS(times < 10 ? 1 : 20);
    struct timespec  pause = { 0, (long)pause_ns };

    if (times == 0)
        db->busy_waited_ns = 0;
    if (db->busy_waited_ns >= db->busy_timeout_ns || progress(db))
        return 0;
    db->busy_waited_ns += pause_ns;
    nanosleep(&pause, NULL);
    return 1;
}

static int authorise(void *arg, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    const struct sqlitedb *db = arg;

    (void)b;
    (void)c;
    (void)d;
    if (!db->is_guarded)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return SQLITE_DENY;
    case SQLITE_PRAGMA: /* those that only look; FTS5 asks for data_version inside itself */
        return a && (strcmp(a, "data_version") == 0 || strcmp(a, "integrity_check") == 0)
                   ? SQLITE_OK
                   : SQLITE_DENY;
    default:
        return SQLITE_OK;
    }
}

/* ---- open and close ---- */

static bp_status settle(bp_call *call, struct sqlitedb *db,
                        const struct sqlitedb_settings *settings)
{
    char sql[512];
    int  code;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, busy, db);
    sqlite3_progress_handler(db->handle, STEPS_BETWEEN_QUESTIONS, progress, db);
    sqlite3_set_authorizer(db->handle, authorise, db);
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0,
                      NULL); /* "x" is a name, never a string */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    snprintf(sql, sizeof(sql),
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA foreign_keys=ON; PRAGMA "
             "trusted_schema=OFF;"
             "PRAGMA mmap_size=0; PRAGMA cache_size=-%lld; PRAGMA journal_size_limit=%d; PRAGMA "
             "query_only=%s",
             settings->sync == SQLITEDB_SYNC_FULL ? "FULL" : "NORMAL",
             (long long)(settings->cache_bytes / 1024), JOURNAL_BYTES_KEPT,
             settings->is_query_only ? "ON" : "OFF");
    BP_TRY(sqlitedb_run(call, db, sql));
    code = sqlite3_prepare_v3(db->handle, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &db->rollback,
                              NULL);
    return code == SQLITE_OK ? BP_OK : sqlitedb_fail(call, db, code);
}

bp_status sqlitedb_open(bp_call *call, const struct sqlitedb_settings *settings,
                        struct sqlitedb **out)
{
    struct sqlitedb *db = calloc(1, sizeof(*db));
    bp_status        status = BP_OK;
    int              fd, code;

    *out = NULL;
    if (db)
        db->path = strndup(settings->path.data, settings->path.len);
    if (!db || !db->path) {
        free(db);
        return bp_fail(call, BP_NO_MEMORY, "no memory for a connection to " BP_FMT,
                       BP_ARG(settings->path));
    }
    db->busy_timeout_ns = settings->busy_timeout_ns;
    sqlitedb_enter(call, db);
    status = sqlitedb_make_directories(call, db->path);
    if (status == BP_OK) {
        /* SQLite would make it readable for everybody. Only a file that is not there yet: closing
         * any descriptor of a file drops all POSIX locks that this process has on it, those of the
         * connections that are open already too, and then another process deletes the WAL. */
        fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
        code = sqlite3_open_v2(db->path, &db->handle,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                               NULL);
        status = code == SQLITE_OK ? settle(call, db, settings) : sqlitedb_fail(call, db, code);
    }
    sqlitedb_leave(db);
    if (status != BP_OK) {
        sqlitedb_close(db);
        return status;
    }
    *out = db;
    return BP_OK;
}

void sqlitedb_close(struct sqlitedb *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < SQLITEDB_CACHED_STATEMENTS; i++)
        sqlite3_finalize(db->cache[i].handle);
    sqlite3_finalize(db->rollback);
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

void sqlitedb_enter(bp_call *call, struct sqlitedb *db)
{
    db->call = call;
}
void sqlitedb_leave(struct sqlitedb *db)
{
    db->call = NULL;
}

/* ---- statements ---- */

bp_status sqlitedb_run(bp_call *call, struct sqlitedb *db, const char *sql)
{
    bool was_guarded = db->is_guarded;
    int  code;

    db->is_guarded = false;
    code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    db->is_guarded = was_guarded;
    return code == SQLITE_OK ? BP_OK : sqlitedb_fail(call, db, code);
}

void sqlitedb_rollback(struct sqlitedb *db)
{
    bool was_guarded = db->is_guarded;

    if (sqlite3_get_autocommit(db->handle))
        return;
    db->is_guarded = false; /* it is prepared again when the schema has changed */
    sqlite3_step(db->rollback);
    sqlite3_reset(db->rollback);
    db->is_guarded = was_guarded;
}

static bool is_blank(const char *text, const char *end)
{
    while (text < end &&
           (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r' || *text == ';'))
        text++;
    return text == end;
}

/* The cached statement of this text, or NULL with the place to be used for it in *place. */
static struct sqlitedb_statement *cached(struct sqlitedb *db, bp_str sql,
                                         struct sqlitedb_statement **place)
{
    *place = NULL;
    for (size_t i = 0; i < SQLITEDB_CACHED_STATEMENTS; i++) {
        struct sqlitedb_statement *at = &db->cache[i];
        if (at->is_in_use)
            continue;
        if (at->handle && bp_str_is(sql, sqlite3_sql(at->handle)))
            return at;
        if (!*place || !at->handle || ((*place)->handle && at->used_at < (*place)->used_at))
            *place = at;
    }
    return NULL;
}

/* SQLite compiles a statement again when the schema has changed under it. It gives up with
 * SQLITE_SCHEMA when the change meets the constructor of a virtual table: FTS5 reads tables of its
 * own there, in a later snapshot. Nothing was read or written then, so the same again is safe. */
static bool is_schema_late(struct sqlitedb *db, int code, int *tries)
{
    return (code & 0xff) == SQLITE_SCHEMA && ++*tries < SCHEMA_TRIES_MAX && !progress(db);
}

bp_status sqlitedb_prepare(bp_call *call, struct sqlitedb *db, bp_str sql, sqlite3_stmt **statement)
{
    struct sqlitedb_statement *place, *found = cached(db, sql, &place);
    const char                *tail = NULL;
    sqlite3_stmt              *made = NULL;
    int                        code, tries = 0;

    *statement = NULL;
    if (!found) {
        if (sql.len > 1 << 20)
            return bp_fail(call, BP_TOO_LARGE, "a statement of %zu bytes is longer than 1 MiB",
                           sql.len);
        do
            code = sqlite3_prepare_v3(db->handle, sql.data, (int)sql.len, SQLITE_PREPARE_PERSISTENT,
                                      &made, &tail);
        while (is_schema_late(db, code, &tries));
        if (code != SQLITE_OK)
            return sqlitedb_fail(call, db, code);
        if (!made || !is_blank(tail, sql.data + sql.len)) {
            sqlite3_finalize(made);
            return bp_fail(call, BP_INVALID, "exactly one SQL statement is expected, not: %.*s",
                           (int)(sql.len > 200 ? 200 : sql.len), sql.data);
        }
        if (place) {
            sqlite3_finalize(place->handle);
            place->handle = made;
        }
        found = place;
    }
    if (found) {
        found->is_in_use = true;
        found->used_at = ++db->uses;
    }
    *statement = found ? found->handle : made;
    return BP_OK;
}

void sqlitedb_done(struct sqlitedb *db, sqlite3_stmt *statement)
{
    if (!statement)
        return;
    for (size_t i = 0; i < SQLITEDB_CACHED_STATEMENTS; i++)
        if (db->cache[i].handle == statement) {
            sqlite3_reset(statement);
            sqlite3_clear_bindings(statement);
            db->cache[i].is_in_use = false;
            return;
        }
    sqlite3_finalize(statement); /* all places were in use when it was made */
}

bp_status sqlitedb_step(bp_call *call, struct sqlitedb *db, sqlite3_stmt *statement, bool *has_row)
{
    int code, tries = 0;

    while (code = sqlite3_step(statement), is_schema_late(db, code, &tries))
        sqlite3_reset(statement);
    *has_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return BP_OK;
    return sqlitedb_fail(call, db, code);
}

/* ---- errors ---- */

bp_status sqlitedb_may_write(bp_call *call, const struct sqlitedb *db)
{
    if (!db->is_poisoned)
        return BP_OK;
    return bp_fail(call, BP_IO,
                   "%s is no longer written: an fsync failed, so earlier writes may be lost; check "
                   "the disk, then restart",
                   db->path);
}

static bp_status fail_io(bp_call *call, struct sqlitedb *db, int code, int os_errno)
{
    switch (code) {
    case SQLITE_IOERR_NOMEM:
        return bp_fail(call, BP_NO_MEMORY, "%s: no memory", db->path);
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        db->is_poisoned = true;
        return bp_fail(call, BP_IO,
                       "%s: fsync failed (%s): whether this write is kept is not known; check the "
                       "disk, then restart",
                       db->path, strerror(os_errno));
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
        return bp_fail(call, BP_DATA, "%s is damaged (%s): restore the last backup", db->path,
                       sqlite3_errstr(code));
    default:
        return bp_fail(call, BP_IO,
                       "%s cannot be read or written: %s (%s, %d); check the disk and its messages "
                       "in the system log",
                       db->path, strerror(os_errno), sqlite3_errstr(code), code);
    }
}

bp_status sqlitedb_fail(bp_call *call, struct sqlitedb *db, int code)
{
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    int         os_errno = db->handle ? sqlite3_system_errno(db->handle) : 0;
    bp_status   status;

    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
        status = bp_cancelled(call);
        return bp_fail(call, status == BP_OK ? BP_INTERNAL : status,
                       "the statement was interrupted: %s",
                       status == BP_OK ? "nobody asked for it" : bp_status_text(status));
    case SQLITE_FULL:
        status = bp_fail(call, BP_FULL,
                         "%s: no space is left on its disk; free some, nothing was changed",
                         db->path);
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        status = bp_fail(call, BP_FULL,
                         "%s cannot be written (%s): give this user the right to write the file "
                         "and its directory",
                         db->path, text);
        break;
    case SQLITE_CANTOPEN:
        status = bp_fail(call, BP_UNAVAILABLE,
                         "%s cannot be opened: %s; check the path and its owner", db->path,
                         os_errno ? strerror(os_errno) : text);
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        status = bp_fail(call, BP_DATA,
                         "%s is damaged or is not a database (%s): stop the server and restore the "
                         "last backup",
                         db->path, text);
        break;
    case SQLITE_CONSTRAINT:
        status = bp_fail(call, BP_CONFLICT, "%s", text);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        status = bp_cancelled(call);
        status = bp_fail(call, status == BP_OK ? BP_UNAVAILABLE : status,
                         "%s is locked by another process or statement: end it, or try again",
                         db->path);
        break;
    case SQLITE_NOMEM:
        status = bp_fail(call, BP_NO_MEMORY, "%s: no memory", db->path);
        break;
    case SQLITE_TOOBIG:
        status = bp_fail(call, BP_TOO_LARGE, "a value is larger than %d MiB",
                         VALUE_BYTES_MAX >> 20);
        break;
    case SQLITE_IOERR:
        status = fail_io(call, db, code, os_errno);
        break;
    case SQLITE_AUTH:
        status = bp_fail(call, BP_INVALID,
                         "BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ATTACH and PRAGMA are not for "
                         "statements: "
                         "use the operations begin, commit and rollback");
        break;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        status = bp_fail(call, BP_INVALID, "%s", text);
        break;
    default:
        status = bp_fail(call, BP_INTERNAL, "%s: %s (SQLite error %d)", db->path, text, code);
    }
    if (os_errno)
        bp_fail_detail(call, 0, os_errno, 0);
    return status;
}
