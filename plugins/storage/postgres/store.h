/* store.h - the parts of the PostgreSQL storage plugin: the primary, a replica that may be there,
 * and what runs on them.
 *
 *      exec, batch, transactions, migrations --> pool of the primary
 *      SELECT outside a transaction          --> pool of the replica, while it has what the reader wrote; else primary
 *
 * Everything outside `struct shared` belongs to one worker.
 */
#ifndef STORAGE_POSTGRES_STORE_H
#define STORAGE_POSTGRES_STORE_H

#include "postgres/postgres.h"

enum { WRITERS = 256, SAMPLES = 64 };

/* Of the process. */
struct shared {
    struct postgres_target *primary, *replica;
    atomic_llong written_ns[WRITERS]; /* when somebody of this hash of tenant and key last wrote */
    atomic_bool  is_told_about_timescale;
};

/* What the primary had flushed of its log at a time; a commit that was acknowledged before is in
 * it. */
struct sample {
    int64_t  at_ns;
    uint64_t position;
};

struct store {
    /* What the options fill in. */
    struct postgres_options options;
    bp_str                  replica;
    int64_t                 replica_lag_ns;
    bp_str_list             hypertables;

    struct shared          *shared;
    struct postgres_options replica_options;
    struct postgres_pool    pool, replica_pool;
    struct sample           samples[SAMPLES];
    size_t                  sample_next;
    int64_t    replica_covers_ns; /* the replica has everything that was written before */
    bp_metric *lag, *reads, *retries;
};

struct bp_transaction {
    struct store               *store;
    struct postgres_connection *connection;
    int64_t                     ends_ns;
    bool                        is_open;
};

/* ---- sql.c: what kind of statement it is, by its words ---- */

typedef enum sql_kind {
    SQL_READS,
    SQL_WRITES,
    SQL_FORBIDDEN /* changes what a shared connection is */
} sql_kind;

sql_kind sql_kind_of(bp_str sql);
/* Whether it may give more rows back than it was given: then it is run so that it can be taken
 * back. */
bool sql_may_return_many(bp_str sql);
/* Whether a word stands in it, upper or lower case; quotes are not looked at. */
bool sql_has(bp_str sql, const char *word);

/* ---- replica.c ---- */

/* Where this read goes. */
struct postgres_pool *replica_pool_for(bp_call *call, struct store *store);
/* The caller has written: its reads go to the primary until the replica has that. */
void replica_note_write(bp_call *call, struct store *store);
void replica_note_all(struct store *store);
/* Measures how far behind the replica is. */
bp_status replica_measure(bp_call *call, struct store *store) BP_SUSPENDS;

/* ---- transaction.c ---- */

/* BP_OK when it is open, of this store and within its time. */
bp_status transaction_check(bp_call *call, const struct store *store, bp_transaction *transaction);

/* ---- hypertable.c ---- */

bp_status hypertables_make(bp_call *call, struct store *store) BP_SUSPENDS;
/* Of a table, its name quoted where it has to be. */
bp_status hypertable_is_one(bp_call *call, struct postgres_connection *connection, bp_str table,
                            bool *is_one) BP_SUSPENDS;

/* ---- statement.c ---- */

/* A statement on the primary as part of the plugin's own work: no look at its kind. `sql` ends in
 * NUL. */
bp_status store_run(bp_call *call, struct postgres_connection *connection, const char *sql,
                    const bp_sql_value *values, uint32_t count, bp_rows *rows) BP_SUSPENDS;
/* Whether a failure is worth another try; sleeps before it is. `tried` counts from 1. */
bool store_tries_again(bp_call *call, struct store *store, const struct postgres_outcome *outcome,
                       bool has_select, bool is_read, int tried) BP_SUSPENDS;

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
bp_status store_listen(bp_call *call, void *instance, bp_str channel,
                       const bp_notice_sink *sink) BP_SUSPENDS;
bp_status store_notify(bp_call *call, void *instance, bp_transaction *transaction, bp_str channel,
                       bp_str payload) BP_SUSPENDS;
bp_status store_inspect(bp_call *call, void *instance, bp_str what, bp_rows *rows) BP_SUSPENDS;
bp_status store_maintain(bp_call *call, void *instance, bp_str what, bp_str table) BP_SUSPENDS;

#endif
