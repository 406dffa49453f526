/* sqlitedb.h - one SQLite connection as our plugins use it: settings, cached statements, errors as
 * sentences.
 *
 * A connection is used by one thread at a time; the plugin sees to that. Between sqlitedb_enter()
 * and sqlitedb_leave() it works for a call: whatever runs longer than the call lasts is
 * interrupted.
 */
#ifndef SQLITEDB_H
#define SQLITEDB_H

#include <sqlite3.h>

#include <backplane/call.h>

enum { SQLITEDB_CACHED_STATEMENTS = 64 };

struct sqlitedb_statement {
    sqlite3_stmt *handle; /* NULL: the place is free */
    uint64_t      used_at;
    bool          is_in_use;
};

struct sqlitedb {
    sqlite3 *handle;
    char    *path;
    bp_call *call; /* for which it works now; NULL: none */
    int64_t  busy_timeout_ns, busy_waited_ns;
    uint64_t uses;
    bool     is_guarded; /* statements of other people: no transaction control, ATTACH or PRAGMA */
    bool is_poisoned;    /* an fsync failed: written rows may be lost, so nothing more is written */
    struct sqlitedb_statement cache[SQLITEDB_CACHED_STATEMENTS];
};

typedef enum sqlitedb_sync { SQLITEDB_SYNC_FULL = 0, SQLITEDB_SYNC_NORMAL = 1 } sqlitedb_sync;

struct sqlitedb_settings {
    bp_str        path; /* absolute; directories that are missing are made, for the owner only */
    bool          is_query_only;
    sqlitedb_sync sync;
    int64_t       busy_timeout_ns;
    int64_t       cache_bytes;
};

/* Opens the file in WAL mode, makes it when it is not there. Blocks: run it in bp_offload(). */
bp_status sqlitedb_open(bp_call *call, const struct sqlitedb_settings *settings,
                        struct sqlitedb **db);
void      sqlitedb_close(struct sqlitedb *db); /* NULL is allowed */

void sqlitedb_enter(bp_call *call, struct sqlitedb *db);
void sqlitedb_leave(struct sqlitedb *db);

/* Runs statements of our own that give no rows: BEGIN IMMEDIATE, COMMIT, ROLLBACK, CREATE TABLE ...
 */
bp_status sqlitedb_run(bp_call *call, struct sqlitedb *db, const char *sql);

/* Ends what transaction there is, quietly. In WAL mode this touches no disk. */
void sqlitedb_rollback(struct sqlitedb *db);

/* A compiled statement, from the cache if it is there. `sql` is exactly one statement. Give it back
 * by sqlitedb_done(), also after an error. */
bp_status sqlitedb_prepare(bp_call *call, struct sqlitedb *db, bp_str sql,
                           sqlite3_stmt **statement);
void      sqlitedb_done(struct sqlitedb *db, sqlite3_stmt *statement); /* NULL is allowed */

/* One step: *has_row says whether there is a row. */
bp_status sqlitedb_step(bp_call *call, struct sqlitedb *db, sqlite3_stmt *statement, bool *has_row);

/* BP_OK, or BP_IO when an fsync failed before: asked before each write. */
bp_status sqlitedb_may_write(bp_call *call, const struct sqlitedb *db);

/* The status of an SQLite code, with a sentence that names the file and what to do in the error
 * slot. */
bp_status sqlitedb_fail(bp_call *call, struct sqlitedb *db, int code);

/* Makes the directories of a file, those that are missing with mode 0700. */
bp_status sqlitedb_make_directories(bp_call *call, const char *file_path);

#endif
