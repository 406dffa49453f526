/* store.h - the parts of the SQLite storage plugin: one writer, some readers, and what runs on
 * them.
 *
 *      fiber --lock--> writer (1 connection, 1 thread)       exec, batch, transactions, migrations
 *      fiber --lock--> reader 0 .. n-1 (n threads)           SELECT outside a transaction, backup
 *
 * The locks are the host's: they are held while a fiber is parked, so a transaction keeps the
 * writer for as long as it is open, and a query its reader for as long as its sink takes rows.
 */
#ifndef STORAGE_SQLITE_STORE_H
#define STORAGE_SQLITE_STORE_H

#include <backplane/loop.h>
#include <backplane/plugin.h>
#include <backplane/storage.h>

#include "sqlitedb/links.h"

enum { ROWS_MAX = 100000, ROWS_BYTES_MAX = 64 << 20, PARAMETERS_MAX = 64 };

struct store {
    char                 *path;
    struct sqlitedb_links links;
};

/* What the options fill in. */
struct sqlite_instance {
    bp_str          path;
    int64_t         readers;
    int32_t         synchronous;
    int64_t         busy_timeout_ns;
    int64_t         cache_bytes;
    struct store   *store;
    bp_transaction *open; /* of this worker, which has one at most; NULL: none */
};

struct bp_transaction {
    struct store           *store;
    struct sqlite_instance *instance;
    int64_t                 ends_ns;
    bool                    is_open;
    bool                    is_late; /* it was rolled back as its time was over */
    bool is_at_work;                 /* a statement of it may be running on the writer's thread */
};

/* transaction.c: BP_OK when it is open, of this store and within its time. */
bp_status transaction_check(bp_call *call, const struct store *store, bp_transaction *transaction);
/* Around the work offloaded for it: meanwhile it is not taken away. */
void transaction_work_begin(bp_transaction *transaction);
void transaction_work_end(bp_transaction *transaction);
/* The job, by bp_every(), that ends one nobody comes back to. `arg` is the instance. */
bp_status transaction_watch(bp_call *call, void *arg);

/* statement.c; all run on a pool thread, between sqlitedb_link_take() and ..._give(). */
bp_status statement_prepare(bp_call *call, struct sqlitedb *db, const bp_statement *statement,
                            sqlite3_stmt **prepared);
bp_status statement_collect(bp_call *call, struct sqlitedb *db, sqlite3_stmt *prepared,
                            bp_rows *rows);
bp_status statement_value(bp_call *call, sqlite3_stmt *prepared, int column, bp_sql_value *value);

/* The operations. */
bp_status store_exec(bp_call *call, void *instance, bp_transaction *transaction,
                     const bp_statement *statement, bp_rows *rows) BP_SUSPENDS;
bp_status store_query(bp_call *call, void *instance, bp_transaction *transaction,
                      const bp_statement *statement, const bp_row_sink *sink) BP_SUSPENDS;
bp_status store_batch(bp_call *call, void *instance, const bp_statement *statements, size_t count,
                      int64_t *changed) BP_SUSPENDS;
bp_status store_begin(bp_call *call, void *instance, bp_transaction **transaction) BP_SUSPENDS;
bp_status store_commit(bp_call *call, void *instance, bp_transaction *transaction) BP_SUSPENDS;
bp_status store_rollback(bp_call *call, void *instance, bp_transaction *transaction) BP_SUSPENDS;
bp_status store_migrate(bp_call *call, void *instance, bp_str owner, const bp_migration *migrations,
                        size_t count) BP_SUSPENDS;
bp_status store_backup(bp_call *call, void *instance, bp_str path, int64_t *size_bytes) BP_SUSPENDS;
bp_status store_inspect(bp_call *call, void *instance, bp_str what, bp_rows *rows) BP_SUSPENDS;
bp_status store_maintain(bp_call *call, void *instance, bp_str what, bp_str table) BP_SUSPENDS;

#endif
