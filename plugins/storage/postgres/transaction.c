/* transaction.c - begin, commit, rollback: a connection that belongs to one call for at most ten
 * seconds. */
#include "store.h"

#define TRANSACTION_NS BP_SECONDS(10)

/* The ROLLBACK is sent and its answer left to the connection's next user, as the end of a call
 * cannot wait. */
static void end(bp_transaction *transaction)
{
    if (!transaction->is_open)
        return;
    transaction->is_open = false;
    postgres_abandon(transaction->connection);
    postgres_give(transaction->connection);
}

static void end_with_call(void *arg)
{
    end(arg);
}

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
    if (transaction->connection->is_broken ||
        PQtransactionStatus(transaction->connection->pg) != PQTRANS_INTRANS) {
        end(transaction);
        return bp_fail(call, BP_CONFLICT,
                       "an earlier error of this transaction has rolled it back");
    }
    return BP_OK;
}

/* The server frees the locks by itself should this process stand still. */
static bp_status begin_on(bp_call *call, struct store *store,
                          struct postgres_connection **connection)
{
    const bp_statement      statements[] = { *BP_SQL0("BEGIN ISOLATION LEVEL SERIALIZABLE"),
                                             *BP_SQL0("SET LOCAL idle_in_transaction_session_timeout = "
                                                           "'15s'") };
    struct postgres_outcome outcome;
    bp_status               status;
    int                     tried = 0;

    do {
        BP_TRY(postgres_take(call, &store->pool, connection));
        status = postgres_trip(call, *connection, statements, 2, false, NULL, &outcome);
        if (status == BP_OK)
            return BP_OK;
        postgres_abandon(*connection);
        postgres_give(*connection);
    } while (store_tries_again(call, store, &outcome, false, true, ++tried));
    return status;
}

bp_status store_begin(bp_call *call, void *instance, bp_transaction **out)
{
    struct store   *store = instance;
    bp_transaction *transaction = BP_NEW(call, bp_transaction);
    bp_status       status;

    if (!transaction)
        return BP_NO_MEMORY;
    BP_TRY(begin_on(call, store, &transaction->connection));
    transaction->store = store;
    transaction->ends_ns = bp_now_ns() + TRANSACTION_NS;
    transaction->is_open = true;
    status = bp_on_end(call, end_with_call, transaction);
    if (status != BP_OK) {
        end(transaction);
        return status;
    }
    *out = transaction;
    return BP_OK;
}

/* COMMIT of a transaction that has failed is a ROLLBACK, and says so. */
static bp_status see_commit(bp_call *call, void *self, size_t statement, PGresult *result)
{
    (void)self;
    (void)statement;
    if (strcmp(PQcmdStatus(result), "COMMIT") == 0)
        return BP_OK;
    return bp_fail(call, BP_CONFLICT, "an earlier error of this transaction has rolled it back");
}

bp_status store_commit(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct store                 *store = instance;
    const struct postgres_visitor visitor = { NULL, see_commit, NULL };
    struct postgres_outcome       outcome;
    bp_status                     status;
    bp_str                        why;

    BP_TRY(transaction_check(call, store, transaction));
    status = postgres_trip(call, transaction->connection, BP_SQL0("COMMIT"), 1, true, &visitor,
                           &outcome);
    replica_note_write(call, store);
    if (status == BP_UNAVAILABLE && outcome.is_lost) {
        why = bp_dup(call, bp_error_of(call)->message);
        status = bp_fail(call, BP_UNAVAILABLE,
                         "while committing, " BP_FMT " (it may or may not be kept)", BP_ARG(why));
        bp_fail_outcome_unknown(call, status);
    }
    end(transaction);
    return status;
}

bp_status store_rollback(bp_call *call, void *instance, bp_transaction *transaction)
{
    struct store *store = instance;

    if (transaction->store != store)
        return bp_fail(call, BP_INVALID, "the transaction belongs to another store");
    end(transaction);
    return BP_OK;
}
