/* transaction.c - begin, commit, rollback: the writer belongs to one call for at most ten seconds.
 */
#include "store.h"

#define TRANSACTION_NS BP_SECONDS(10)

/* The call ended, or the fiber gave up: the writer is free again. ROLLBACK in WAL mode touches no
 * disk. */
static void end(bp_transaction *transaction)
{
    if (!transaction->is_open)
        return;
    transaction->is_open = false;
    sqlitedb_rollback(transaction->store->writer.db);
    link_give(&transaction->store->writer);
}

static void end_with_call(void *arg) { end(arg); }

bp_status transaction_check(bp_call *call, const struct store *store, bp_transaction *transaction)
{
    if (transaction->store != store)
        return bp_fail(call, BP_INVALID, "the transaction belongs to another store");
    if (!transaction->is_open)
        return bp_fail(call, BP_INVALID,
                       "the transaction is over: it was committed, rolled back or took too long");
    if (bp_now_ns() > transaction->ends_ns) {
        end(transaction);
        return bp_fail(call, BP_DEADLINE,
                       "the transaction took longer than %d s and was rolled back",
                       (int)(TRANSACTION_NS / BP_SECONDS(1)));
    }
    if (sqlite3_get_autocommit(store->writer.db->handle)) {
        end(transaction);
        return bp_fail(call, BP_CONFLICT,
                       "an earlier error of this transaction has rolled it back");
    }
    return BP_OK;
}

static bp_status begin_job(bp_call *call, void *arg)
{
    struct sqlitedb *db = arg;
    bp_status        status = sqlitedb_may_write(call, db);

    sqlitedb_enter(call, db);
    if (status == BP_OK)
        status = sqlitedb_run(call, db, "BEGIN IMMEDIATE");
    sqlitedb_leave(db);
    return status;
}

bp_status store_begin(bp_call *call, void *instance, bp_transaction **out)
{
    struct store   *store = ((struct sqlite_instance *)instance)->store;
    bp_transaction *transaction = BP_NEW(call, bp_transaction);
    bp_status       status;

    if (!transaction)
        return BP_NO_MEMORY;
    BP_TRY(link_take(call, &store->writer));
    status = bp_offload(call, store->writer.pool, begin_job, store->writer.db);
    transaction->store = store;
    transaction->ends_ns = bp_now_ns() + TRANSACTION_NS;
    if (status == BP_OK)
        status = bp_on_end(call, end_with_call, transaction);
    transaction->is_open = true;
    if (status != BP_OK) {
        end(transaction);
        return status;
    }
    *out = transaction;
    return BP_OK;
}

static bp_status commit_job(bp_call *call, void *arg)
{
    struct sqlitedb *db = arg;
    bp_status        status;

    sqlitedb_enter(call, db);
    status = sqlitedb_run(call, db, "COMMIT");
    sqlitedb_leave(db);
    if (status == BP_IO && db->is_poisoned)
        return bp_fail(
            call, BP_UNAVAILABLE,
            "%s: fsync failed while committing: whether the transaction is kept is not known; "
            "check the disk, then restart",
            db->path);
    return status;
}

bp_status store_commit(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct store *store = ((struct sqlite_instance *)instance)->store;
    bp_status     status;

    BP_TRY(transaction_check(call, store, transaction));
    status = bp_offload(call, store->writer.pool, commit_job, store->writer.db);
    end(transaction); /* rolls back what could not be committed */
    return status;
}

bp_status store_rollback(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct store *store = ((struct sqlite_instance *)instance)->store;

    if (transaction->store != store)
        return bp_fail(call, BP_INVALID, "the transaction belongs to another store");
    end(transaction);
    return BP_OK;
}
