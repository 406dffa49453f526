/* notice.c - LISTEN and NOTIFY. Who listens has a connection of its own beside the pool, for as
 * long as it listens. */
#include "store.h"

enum { PAYLOAD_MAX = 7999 };

#define LOOK_NS                                                                                    \
    BP_SECONDS(30) /* a connection that is silent for so long is asked whether it is there */
#define PAUSE_MAX_NS BP_SECONDS(5)

static bool is_channel(bp_str name)
{
    if (name.len < 1 || name.len > 63)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return true;
}

static bp_status check_channel(bp_call *call, bp_str channel)
{
    return is_channel(channel)
               ? BP_OK
               : bp_fail(call, BP_INVALID,
                         "\"" BP_FMT "\" cannot be the name of a channel: it is 1 to 63 of a-z, "
                         "0-9 and _, and begins with no digit",
                         BP_ARG(channel));
}

/* What has come so far. `*is_enough` when the sink's status ends it. */
static bp_status hand_on(bp_call *call, struct postgres_connection *connection,
                         const bp_notice_sink *sink, bool *is_enough)
{
    bp_status status = BP_OK;

    for (PGnotify *notice; status == BP_OK && (notice = PQnotifies(connection->pg));) {
        status = sink->notice(call, sink->self, bp_str_of(notice->extra), false);
        PQfreemem(notice);
    }
    *is_enough = status != BP_OK;
    return status;
}

static bp_status listen_on(bp_call *call, struct postgres_connection *connection,
                           const bp_notice_sink *sink, bool *is_enough)
{
    for (;;) {
        bp_status status;

        BP_TRY(hand_on(call, connection, sink, is_enough));
        status = bp_wait_fd(call, PQsocket(connection->pg), BP_FD_READ, bp_within(call, LOOK_NS),
                            NULL);
        if (status == BP_DEADLINE && bp_cancelled(call) == BP_OK)
            status = postgres_trip(call, connection, BP_SQL0("SELECT 1"), 1, false, NULL, NULL);
        else if (status == BP_OK &&
                 (!PQconsumeInput(connection->pg) || PQstatus(connection->pg) != CONNECTION_OK))
            status = bp_fail(call, BP_UNAVAILABLE,
                             "the connection to PostgreSQL at %s was lost while listening",
                             connection->address);
        BP_TRY(status);
    }
}

static bp_status listen_once(bp_call *call, struct store *store, const bp_statement *statement,
                             const bp_notice_sink *sink, bool *is_enough, bool *was_heard)
{
    struct postgres_connection *connection;
    bp_status                   status;

    BP_TRY(postgres_connect(call, &store->pool, &connection));
    connection->is_listening = true;
    if (atomic_load(&store->shared->primary->pooler) == POSTGRES_POOLER_YES)
        bp_log(call, BP_LOG_WARN,
               "LISTEN needs a connection of its own to the server, and a pooler stands before "
               "PostgreSQL at %s: in its transaction mode nothing is heard of other processes",
               connection->address);
    status = postgres_trip(call, connection, statement, 1, false, NULL, NULL);
    if (status == BP_OK) {
        *was_heard = true;
        status = sink->notice(call, sink->self, bp_str_n("", 0), true);
        *is_enough = status != BP_OK;
    }
    if (status == BP_OK)
        status = listen_on(call, connection, sink, is_enough);
    postgres_close(connection);
    return status;
}

bp_status store_listen(bp_call *call, void *instance, bp_str channel, const bp_notice_sink *sink)
{
    struct store *store = instance;
    bp_statement  statement = { sizeof(statement), 0,
                                bp_format(call, "LISTEN " BP_FMT, BP_ARG(channel)), NULL };
    int64_t       pause_ns = BP_MILLISECONDS(100);
    bool          is_enough = false;
    bp_status     status;

    BP_TRY(check_channel(call, channel));
    for (;;) {
        bool was_heard = false;

        status = listen_once(call, store, &statement, sink, &is_enough, &was_heard);
        if (is_enough)
            return status;
        if (was_heard)
            pause_ns = BP_MILLISECONDS(100);
        if (bp_cancelled(call) == BP_OK) {
            bp_log(call, BP_LOG_WARN, "listening to " BP_FMT " goes on in %.1f s: " BP_FMT,
                   BP_ARG(channel), (double)pause_ns / 1e9, BP_ARG(bp_error_of(call)->message));
            (void)bp_sleep(call, pause_ns);
            pause_ns = pause_ns * 2 < PAUSE_MAX_NS ? pause_ns * 2 : PAUSE_MAX_NS;
        }
        if (bp_cancelled(call) == BP_DEADLINE) {
            bp_clear_error(call);
            return BP_OK;
        }
        if (bp_cancelled(call) != BP_OK)
            return bp_fail(call, bp_cancelled(call), "listening to " BP_FMT " was cancelled",
                           BP_ARG(channel));
    }
}

bp_status store_notify(bp_call *call, void *instance, bp_transaction *transaction, bp_str channel,
                       bp_str payload)
{
    struct store               *store = instance;
    const bp_sql_value          values[] = { bp_sql_text(channel), bp_sql_text(payload) };
    struct postgres_connection *connection;
    bp_status                   status;

    BP_TRY(check_channel(call, channel));
    if (payload.len > PAYLOAD_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "a notice of %zu bytes was given, at most %d are possible", payload.len,
                       PAYLOAD_MAX);
    if (transaction) {
        BP_TRY(transaction_check(call, store, transaction));
        return store_run(call, transaction->connection, "SELECT pg_notify($1, $2)", values, 2,
                         NULL);
    }
    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = store_run(call, connection, "SELECT pg_notify($1, $2)", values, 2, NULL);
    postgres_give(connection);
    return status;
}
