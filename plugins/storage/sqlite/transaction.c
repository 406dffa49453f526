/* transaction.c - begin, commit, rollback: the writer belongs to one call for at most ten seconds.
 *
 * A call that comes back too late is told so by transaction_check(); from one that does not come
 * back, because it waits for something else, a job of its worker takes the writer away, as all
 * others who want to write wait for it.
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
    transaction->instance->open = NULL;
    sqlitedb_rollback(transaction->store->links.writer.db);
    sqlitedb_link_give(&transaction->store->links.writer);
}

static bp_status fail_late(bp_call *call)
{
    return bp_fail(call, BP_DEADLINE, "the transaction took longer than %d s and was rolled back",
                   (int)(TRANSACTION_NS / BP_SECONDS(1)));
}

/* One that works on the writer just now is left to transaction_work_end(). */
bp_status transaction_watch(bp_call *call, void *arg)
{
    bp_transaction *transaction = ((struct sqlite_instance *)arg)->open;

    if (!transaction || transaction->is_at_work || bp_now_ns() <= transaction->ends_ns)
        return BP_OK;
    transaction->is_late = true;
    end(transaction);
    bp_log(call, BP_LOG_WARN,
           "a transaction on %s was open for more than %d s while others waited to write: it was "
           "rolled back",
           transaction->store->path, (int)(TRANSACTION_NS / BP_SECONDS(1)));
    return BP_OK;
}

void transaction_work_begin(bp_transaction *transaction)
{
    transaction->is_at_work = true;
}
void transaction_work_end(bp_transaction *transaction)
{
    transaction->is_at_work = false;
}

static void end_with_call(void *arg)
{
    end(arg);
}

bp_status transaction_check(bp_call *call, const struct store *store, bp_transaction *transaction)
{
    if (transaction->store != store)
        return bp_fail(call, BP_INVALID, "the transaction belongs to another store");
    if (transaction->is_late)
        return fail_late(call);
    if (!transaction->is_open)
        return bp_fail(call, BP_INVALID,
                       "the transaction is over: it was committed, rolled back or took too long");
    if (bp_now_ns() > transaction->ends_ns) {
        transaction->is_late = true;
        end(transaction);
        return fail_late(call);
    }
    if (sqlite3_get_autocommit(store->links.writer.db->handle)) {
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
    struct sqlite_instance *self = instance;
    struct store           *store = self->store;
    bp_transaction         *transaction = BP_NEW(call, bp_transaction);
    bp_status               status;

    if (!transaction)
        return BP_NO_MEMORY;
    BP_TRY(sqlitedb_link_take(call, &store->links.writer));
    status = bp_offload(call, store->links.writer.pool, begin_job, store->links.writer.db);
    transaction->store = store;
    transaction->instance = self;
    transaction->ends_ns = bp_now_ns() + TRANSACTION_NS;
    if (status == BP_OK)
        status = bp_on_end(call, end_with_call, transaction);
    transaction->is_open = true;
    self->open = transaction;
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
        return bp_fail_outcome_unknown(call, bp_fail(call, BP_UNAVAILABLE,
                                                     "%s: fsync failed while committing: whether "
                                                     "the transaction is kept is not known; check "
                                                     "the disk, then restart",
                                                     db->path));
    return status;
}

bp_status store_commit(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct store *store = ((struct sqlite_instance *)instance)->store;
    bp_status     status;

    BP_TRY(transaction_check(call, store, transaction));
    transaction_work_begin(transaction);
    status = bp_offload(call, store->links.writer.pool, commit_job, store->links.writer.db);
    transaction_work_end(transaction);
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
