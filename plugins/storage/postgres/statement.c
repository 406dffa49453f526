/* statement.c - exec, query and batch: which connection, how often it is tried, and the error
 * when it fails.
 *
 * A statement or batch of its own runs READ COMMITTED. What failed because another transaction was
 * in the way was rolled back by the server and is tried again; so is an INSERT that computes its
 * key by a SELECT and met one that was quicker. A SELECT is tried once more when its connection
 * broke. A write is never: it may have been done.
 */
#include "store.h"

enum { TRIES = 6, KEY_TRIES = 4 };

static bp_status check(bp_call *call, const bp_statement *statement, sql_kind *kind)
{
    *kind = sql_kind_of(statement->sql);
    if (*kind == SQL_FORBIDDEN)
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT "\" is not for shared connections: for transactions use "
                       "begin(), for notices listen()",
                       BP_ARG(bp_str_n(statement->sql.data,
                                       statement->sql.len > 40 ? 40 : statement->sql.len)));
    return BP_OK;
}

bp_status store_run(bp_call *call, struct postgres_connection *connection, const char *sql,
                    const bp_sql_value *values, uint32_t count, bp_rows *rows)
{
    const bp_statement statement = { sizeof(statement), count, bp_str_of(sql), values };

    return postgres_collect(call, connection, &statement, 1, 0, true, rows, NULL);
}

bool store_tries_again(bp_call *call, struct store *store, const struct postgres_outcome *outcome,
                       bool has_select, bool is_read, int tried)
{
    const char *state = outcome->sqlstate;
    bool        is_in_way = strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
    bool        is_key = strcmp(state, "23505") == 0 && has_select;
    bool        is_worth = (is_in_way && tried < TRIES) || (is_key && tried < KEY_TRIES) ||
                    (outcome->is_forgotten && tried == 1) ||
                    (outcome->is_lost && is_read && tried == 1);
    uint8_t random;

    if (!is_worth || bp_cancelled(call) != BP_OK)
        return false;
    if (is_in_way || is_key) {
        bp_random(&random, sizeof(random));
        if (bp_sleep(call, (BP_MILLISECONDS(1) << tried) * (random + 64) / 256) != BP_OK)
            return false;
    }
    bp_metric_add(store->retries, NULL, 0, 1);
    bp_clear_error(call);
    return true;
}

/* ---- exec ---- */

/* Its rows may be too many, and then it must not have been done: so it is committed once they are
 * here. */
static bp_status collect_and_commit(bp_call *call, struct postgres_connection *connection,
                                    const bp_statement *statement, bp_rows *rows,
                                    struct postgres_outcome *outcome)
{
    const bp_statement both[] = { *BP_SQL0("BEGIN"), *statement };
    bp_status status = postgres_collect(call, connection, both, 2, 1, false, rows, outcome);

    if (status == BP_OK)
        status = postgres_trip(call, connection, BP_SQL0("COMMIT"), 1, true, NULL, outcome);
    if (status != BP_OK)
        postgres_abandon(connection);
    return status;
}

/* A function in a SELECT may write, which a replica refuses; and it takes statements back that are
 * in the way of its log. */
static bool is_for_the_primary(const struct postgres_outcome *outcome)
{
    return outcome->is_lost || strncmp(outcome->sqlstate, "40", 2) == 0 ||
           strcmp(outcome->sqlstate, "25006") == 0;
}

static bp_status exec_once(bp_call *call, struct postgres_pool *pool, const bp_statement *statement,
                           sql_kind kind, bp_rows *rows, struct postgres_outcome *outcome)
{
    struct postgres_connection *connection;
    bp_status                   status;

    memset(outcome, 0, sizeof(*outcome));
    BP_TRY(postgres_take(call, pool, &connection));
    if (rows && kind == SQL_WRITES && sql_may_return_many(statement->sql))
        status = collect_and_commit(call, connection, statement, rows, outcome);
    else
        status = postgres_collect(call, connection, statement, 1, 0, kind == SQL_WRITES, rows,
                                  outcome);
    postgres_give(connection);
    return status;
}

bp_status store_exec(bp_call *call, void *instance, bp_transaction *transaction,
                     const bp_statement *statement, bp_rows *rows)
{
    struct store           *store = instance;
    struct postgres_pool   *pool;
    struct postgres_outcome outcome;
    sql_kind                kind;
    bp_status               status;
    int                     tried = 0;

    BP_TRY(check(call, statement, &kind));
    if (transaction) {
        BP_TRY(transaction_check(call, store, transaction));
        return postgres_collect(call, transaction->connection, statement, 1, 0, false, rows, NULL);
    }
    pool = kind == SQL_READS ? replica_pool_for(call, store) : &store->pool;
    do {
        status = exec_once(call, pool, statement, kind, rows, &outcome);
        if (status != BP_OK && pool == &store->replica_pool && bp_cancelled(call) == BP_OK &&
            (status == BP_UNAVAILABLE || status == BP_LIMIT || is_for_the_primary(&outcome))) {
            pool = &store->pool; // the primary can, when the replica cannot
            if (strcmp(outcome.sqlstate, "25006") != 0)
                store->replica_covers_ns = 0;
            outcome.is_lost = true;
        }
    } while (status != BP_OK &&
             store_tries_again(call, store, &outcome, sql_has(statement->sql, "select"),
                               kind == SQL_READS, ++tried));
    if (kind == SQL_WRITES)
        replica_note_write(call, store);
    return status;
}

/* ---- query ---- */

/* Once a row was given out it is not tried again. */
struct counting {
    const bp_row_sink *sink;
    uint64_t           rows;
};

static bp_status count_row(bp_call *call, void *self, const bp_sql_value *row,
                           uint32_t column_count)
{
    struct counting *counting = self;

    counting->rows++;
    return counting->sink->row(call, counting->sink->self, row, column_count);
}

bp_status store_query(bp_call *call, void *instance, bp_transaction *transaction,
                      const bp_statement *statement, const bp_row_sink *sink)
{
    struct store               *store = instance;
    struct counting             counting = { .sink = sink };
    const bp_row_sink           counted = { sizeof(counted), count_row, &counting };
    struct postgres_connection *connection;
    struct postgres_outcome     outcome;
    sql_kind                    kind;
    bp_status                   status;
    int                         tried = 0;

    BP_TRY(check(call, statement, &kind));
    if (kind != SQL_READS)
        return bp_fail(call, BP_INVALID, "query() takes a SELECT; for what writes use exec()");
    if (transaction) {
        BP_TRY(transaction_check(call, store, transaction));
        return postgres_stream(call, transaction->connection, statement, 1, 0, sink, NULL);
    }
    do {
        struct postgres_pool *pool = tried ? &store->pool : replica_pool_for(call, store);

        status = postgres_take(call, pool, &connection);
        if ((status == BP_UNAVAILABLE || status == BP_LIMIT) && pool == &store->replica_pool &&
            bp_cancelled(call) == BP_OK) {
            bp_clear_error(call); // the primary can, when the replica cannot
            store->replica_covers_ns = 0;
            status = postgres_take(call, &store->pool, &connection);
        }
        BP_TRY(status);
        status = postgres_stream(call, connection, statement, 1, 0, &counted, &outcome);
        postgres_give(connection);
        if (status != BP_OK && pool == &store->replica_pool && is_for_the_primary(&outcome))
            outcome.is_lost = true;
    } while (status != BP_OK && counting.rows == 0 &&
             store_tries_again(call, store, &outcome, false, true, ++tried));
    return status;
}

/* ---- batch ---- */

static bp_status batch_done(bp_call *call, void *self, size_t statement, PGresult *result)
{
    int64_t *changed = self;

    (void)call;
    if (changed)
        changed[statement] = postgres_changed(result);
    return BP_OK;
}

static bp_status say_which(bp_call *call, const struct postgres_outcome *outcome, size_t count,
                           bp_status status)
{
    bp_str why;

    if (count < 2 || !outcome->sqlstate[0] || outcome->failed_at >= count)
        return status;
    why = bp_dup(call, bp_error_of(call)->message);
    return bp_fail(call, status, "statement %zu of %zu, all of which were taken back: " BP_FMT,
                   outcome->failed_at + 1, count, BP_ARG(why));
}

bp_status store_batch(bp_call *call, void *instance, const bp_statement *statements, size_t count,
                      int64_t *changed)
{
    struct store                 *store = instance;
    const struct postgres_visitor visitor = { NULL, batch_done, changed };
    struct postgres_connection   *connection;
    struct postgres_outcome       outcome;
    bool                          has_select = false;
    sql_kind                      kind;
    bp_status                     status;
    int                           tried = 0;

    if (count == 0)
        return BP_OK;
    for (size_t i = 0; i < count; i++) {
        BP_TRY(check(call, &statements[i], &kind));
        has_select = has_select || sql_has(statements[i].sql, "select");
    }
    do {
        BP_TRY(postgres_take(call, &store->pool, &connection));
        status = postgres_trip(call, connection, statements, count, true, &visitor, &outcome);
        postgres_give(connection);
    } while (status != BP_OK &&
             store_tries_again(call, store, &outcome, has_select, false, ++tried));
    replica_note_write(call, store);
    return status == BP_OK ? BP_OK : say_which(call, &outcome, count, status);
}
