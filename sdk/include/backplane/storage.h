/* backplane/storage.h - the interface of a storage back end: SQL with $1, $2 ... parameters.
 *
 * The dialect is what SQLite and PostgreSQL have in common (CREATE TABLE IF NOT EXISTS, ON CONFLICT
 * DO UPDATE, RETURNING, common table expressions). Portable column types: INTEGER (int64), DOUBLE
 * PRECISION, TEXT, BYTEA (declared as ${bytes}) and ${identity} for a key that numbers itself; the
 * host replaces the
 * ${...} words by the back end's own before it runs a migration.
 */
#ifndef BACKPLANE_STORAGE_H
#define BACKPLANE_STORAGE_H

#include <backplane/loop.h>
#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_storage 1

typedef enum bp_sql_type {
    BP_SQL_NULL = 0,
    BP_SQL_INTEGER = 1,
    BP_SQL_REAL = 2,
    BP_SQL_TEXT = 3,
    BP_SQL_BYTES = 4
} bp_sql_type;

typedef struct bp_sql_value {
    uint32_t type;
    uint32_t reserved;
    int64_t  integer;
    double   real;
    bp_str   text; /* TEXT and BYTES */
} bp_sql_value;

static inline bp_sql_value bp_sql_int(int64_t integer)
{
    bp_sql_value v = { BP_SQL_INTEGER, 0, integer, 0, { NULL, 0 } };
    return v;
}
static inline bp_sql_value bp_sql_real(double real)
{
    bp_sql_value v = { BP_SQL_REAL, 0, 0, real, { NULL, 0 } };
    return v;
}
static inline bp_sql_value bp_sql_text(bp_str text)
{
    bp_sql_value v = { BP_SQL_TEXT, 0, 0, 0, text };
    return v;
}
static inline bp_sql_value bp_sql_bytes(bp_str bytes)
{
    bp_sql_value v = { BP_SQL_BYTES, 0, 0, 0, bytes };
    return v;
}
static inline bp_sql_value bp_sql_null(void)
{
    bp_sql_value v = { BP_SQL_NULL, 0, 0, 0, { NULL, 0 } };
    return v;
}

/* One statement with its parameters. */
typedef struct bp_statement {
    uint32_t            struct_size;
    uint32_t            parameter_count; /* at most 64 */
    bp_str              sql;             /* one statement; never built from input */
    const bp_sql_value *parameters;
} bp_statement;

/* The result of a statement, in the call's arena. */
typedef struct bp_rows {
    uint32_t            struct_size;
    uint32_t            column_count;
    size_t              row_count;
    const bp_sql_value *values;  /* row_count times column_count, row by row */
    const bp_str       *columns; /* names */
    int64_t             changed; /* rows written; 0 for a query */
} bp_rows;

static inline const bp_sql_value *bp_row(const bp_rows *rows, size_t row)
{
    return rows->values + row * rows->column_count;
}

/* Checks that every row has this shape, one letter per column: i integer, r real or integer, t
 * text, b bytes, * anything; upper case: or NULL. Call it before you trust a server's rows. BP_OK,
 * or BP_UPSTREAM with a sentence. */
static inline bp_status bp_rows_expect(bp_call *call, const bp_rows *rows, const char *shape)
{
    static const char *const letters = "iIrRtTbB*";
    size_t                   wanted = strlen(shape);

    if (rows->row_count && rows->column_count != wanted)
        return bp_fail(call, BP_UPSTREAM,
                       "the database answered with rows of %u columns where %zu were asked for",
                       rows->column_count, wanted);
    for (size_t i = 0; i < rows->row_count * wanted; i++) {
        char     letter = shape[i % wanted];
        uint32_t type = rows->values[i].type;
        bool     is_good = letter == '*' || !strchr(letters, letter) ||
                       (type == BP_SQL_NULL && strchr("IRTB", letter));

        is_good = is_good || (type == BP_SQL_INTEGER && strchr("iIrR", letter)) ||
                  (type == BP_SQL_REAL && strchr("rR", letter)) ||
                  (type == BP_SQL_TEXT && strchr("tT", letter)) ||
                  (type == BP_SQL_BYTES && strchr("bB", letter));
        if (!is_good)
            return bp_fail(call, BP_UPSTREAM,
                           "the database answered with %s in column %zu, which is not the type "
                           "asked for",
                           type == BP_SQL_NULL ? "NULL" : "a value of another kind",
                           i % wanted + 1);
    }
    return BP_OK;
}

/* Called once a row, in order, on the calling fiber; may suspend. `row` is valid until it returns.
 * A status other than BP_OK ends the query with that status. The sink may keep memory of the call,
 * so the back end calls it outside of scratch memory (bp_scratch_begin()) of its own. */
typedef struct bp_row_sink {
    uint32_t struct_size;
    bp_status (*row)(bp_call *call, void *self, const bp_sql_value *row,
                     uint32_t column_count) BP_SUSPENDS;
    void *self;
} bp_row_sink;

/* A step of a schema. `version` counts from 1 without gaps; each is run once, in a transaction, and
 * recorded under `owner`. A step that was run before with another text is BP_CONFLICT.
 *
 * `works_from`: a program that knows this many steps or more still works with the tables after this
 * step; 0: only one that knows the step itself. During a rollout, and after a rollback, the
 * previous release runs on the tables of the newer one. So a release lets the previous one run:
 * added columns have defaults, and dropped ones were not read by the previous release (expand
 * first, contract a release later). It is recorded with the step; more than `version` is
 * BP_INVALID. */
typedef struct bp_migration {
    uint32_t    version;
    uint32_t    works_from;
    const char *name; /* a short sentence for the log */
    const char *sql;  /* statements separated by semicolons */
} bp_migration;

typedef struct bp_storage_stats {
    uint32_t struct_size;
    uint32_t connections_in_use;
    uint32_t connections_max;
    uint32_t reserved;
    int64_t  size_bytes;
    bp_str   engine; /* "SQLite 3.40.1" */
} bp_storage_stats;

/* The sink of listen(), called on the calling fiber; may suspend. `is_gap`: listening has begun, or
 * begun again after a lost connection. Earlier notifications are unknown: look at the tables
 * yourself. There is no payload then. A status other than BP_OK ends listen() with that status. */
typedef struct bp_notice_sink {
    uint32_t struct_size;
    bp_status (*notice)(bp_call *call, void *self, bp_str payload, bool is_gap) BP_SUSPENDS;
    void *self;
} bp_notice_sink;

typedef struct bp_transaction
    bp_transaction; /* belongs to the call; rolled back when the call ends with it open */

/* The operations. Unless it says otherwise each is called on the instance's own worker, MAY
 * SUSPEND, ends by the call's deadline and at once when the call is cancelled, borrows its inputs
 * until it returns, and returns BP_OK or BP_INVALID (the SQL or a value is wrong), BP_CONFLICT (a
 * constraint), BP_UNAVAILABLE, BP_FULL (no space, read-only), BP_IO, BP_DATA (damaged),
 * BP_DEADLINE, BP_CANCELLED. When a write ends with BP_OK it survives kill -9 of every process.
 * `transaction` NULL: on its own. */
typedef struct bp_storage_ops {
    uint32_t struct_size;

    /* Runs one statement and collects its rows, at most 100,000 or 64 MiB (BP_TOO_LARGE). `rows`
     * may be NULL. Idempotent where the statement is a SELECT: only those are retried. */
    bp_status (*exec)(bp_call *call, void *instance, bp_transaction *transaction,
                      const bp_statement *statement, bp_rows *rows) BP_SUSPENDS;

    /* Runs one SELECT and gives its rows to a sink as they come, without holding them all. */
    bp_status (*query)(bp_call *call, void *instance, bp_transaction *transaction,
                       const bp_statement *statement, const bp_row_sink *sink) BP_SUSPENDS;

    /* Runs statements one after another, all or none. `changed`, one number a statement, may be
     * NULL. */
    bp_status (*batch)(bp_call *call, void *instance, const bp_statement *statements, size_t count,
                       int64_t *changed) BP_SUSPENDS;

    /* Serialisable transactions, for work that reads before it writes. At most 10 s are allowed
     * between begin and commit; a commit of unknown outcome is BP_UNAVAILABLE and says so.
     */
    bp_status (*begin)(bp_call *call, void *instance, bp_transaction **transaction) BP_SUSPENDS;
    bp_status (*commit)(bp_call *call, void *instance, bp_transaction *transaction) BP_SUSPENDS;
    bp_status (*rollback)(bp_call *call, void *instance, bp_transaction *transaction) BP_SUSPENDS;

    /* Brings the tables of `owner` to the newest of `migrations`, under a lock that other processes
     * see. If the database holds newer steps, nothing changes: BP_OK and a warning in the log if
     * the `works_from` of each of them is from 1 to `count`, else BP_CONFLICT with a sentence that
     * names the step. */
    bp_status (*migrate)(bp_call *call, void *instance, bp_str owner,
                         const bp_migration *migrations, size_t count) BP_SUSPENDS;

    bp_status (*stats)(bp_call *call, void *instance, bp_storage_stats *stats) BP_SUSPENDS;

    /* Optional: a consistent copy, made while others read and write, at `path` on the machine of
     * this process; replaced atomically. */
    bp_status (*backup)(bp_call *call, void *instance, bp_str path,
                        int64_t *size_bytes) BP_SUSPENDS;

    /* Optional: facts for operators, as rows. `what` is one of
     *   "size"         name, bytes, rows (an estimate, NULL: not known); the whole database comes
     * last, as "(all)" "connections"  name, state, count, oldest_seconds; the most that are
     * possible come last, as "(limit)" "bloat"        name, live, dead (rows or pages), unit,
     * vacuumed_at (text, NULL: never) "tables"       table, column, type (integer, real, text,
     * bytes), key (place in the primary key from 1, 0: not
     *                  in it), is_identity (0 or 1); by table, then as the columns stand
     * BP_INVALID for another word. Idempotent. */
    bp_status (*inspect)(bp_call *call, void *instance, bp_str what, bp_rows *rows) BP_SUSPENDS;

    /* Optional: "vacuum" gives space back, "reindex" rebuilds indexes, "identities" sets the next
     * number of ${identity} columns above the greatest one, after rows were copied with theirs.
     * `table` empty: all. BP_NOT_FOUND, BP_INVALID. Others may read and write meanwhile. */
    bp_status (*maintain)(bp_call *call, void *instance, bp_str what, bp_str table) BP_SUSPENDS;

    /* Optional: hands the notifications of a channel ([a-z_][a-z0-9_]{0,62}), from any process, to
     * a sink until the call's deadline passes (BP_OK then), the call is cancelled, or the sink ends
     * it. It reconnects after a lost connection. */
    bp_status (*listen)(bp_call *call, void *instance, bp_str channel,
                        const bp_notice_sink *sink) BP_SUSPENDS;

    /* Optional: notifies all listeners; within a transaction, when it commits. `payload` is
     * text of at most 7,999 bytes. */
    bp_status (*notify)(bp_call *call, void *instance, bp_transaction *transaction, bp_str channel,
                        bp_str payload) BP_SUSPENDS;
} bp_storage_ops;

/* ---- for those who use a storage peer ---- */

static inline const bp_storage_ops *bp_storage_of(const bp_peer *storage)
{
    return (const bp_storage_ops *)storage->ops;
}

#define BP_SQL_COUNT_(...) (sizeof((bp_sql_value[]){ __VA_ARGS__ }) / sizeof(bp_sql_value))

/* A statement in place: BP_SQL("SELECT x FROM t WHERE id = $1", bp_sql_int(7)); without parameters
 * use BP_SQL0("..."). C only. */
#define BP_SQL0(text) (&(bp_statement){ sizeof(bp_statement), 0, BP_STR(text), NULL })
#define BP_SQL(text, ...)                                                                          \
    (&(bp_statement){ sizeof(bp_statement), (uint32_t)BP_SQL_COUNT_(__VA_ARGS__), BP_STR(text),    \
                      (const bp_sql_value[]){ __VA_ARGS__ } })

static inline bp_status bp_storage_exec(bp_call *call, const bp_peer *storage,
                                        bp_transaction *transaction, const bp_statement *statement,
                                        bp_rows *rows) BP_SUSPENDS
{
    if (rows) {
        memset(rows, 0, sizeof(*rows));
        rows->struct_size = (uint32_t)sizeof(*rows);
    }
    return bp_storage_of(storage)->exec(call, storage->instance, transaction, statement, rows);
}
static inline bp_status bp_storage_query(bp_call *call, const bp_peer *storage,
                                         bp_transaction *transaction, const bp_statement *statement,
                                         const bp_row_sink *sink) BP_SUSPENDS
{
    return bp_storage_of(storage)->query(call, storage->instance, transaction, statement, sink);
}
static inline bp_status bp_storage_batch(bp_call *call, const bp_peer *storage,
                                         const bp_statement *statements, size_t count,
                                         int64_t *changed) BP_SUSPENDS
{
    return bp_storage_of(storage)->batch(call, storage->instance, statements, count, changed);
}
static inline bp_status bp_storage_begin(bp_call *call, const bp_peer *storage,
                                         bp_transaction **transaction) BP_SUSPENDS
{
    return bp_storage_of(storage)->begin(call, storage->instance, transaction);
}
static inline bp_status bp_storage_commit(bp_call *call, const bp_peer *storage,
                                          bp_transaction *transaction) BP_SUSPENDS
{
    return bp_storage_of(storage)->commit(call, storage->instance, transaction);
}
static inline bp_status bp_storage_rollback(bp_call *call, const bp_peer *storage,
                                            bp_transaction *transaction) BP_SUSPENDS
{
    return bp_storage_of(storage)->rollback(call, storage->instance, transaction);
}
/* For a back end that failed and cannot tell whether the operation was done: clients are told so.
 * Returns `status`. */
static inline bp_status bp_fail_outcome_unknown(bp_call *call, bp_status status)
{
    bp_fail_for_client(call, BP_STR("the storage failed, and whether the change was made is not "
                                    "known: read before you write again"));
    return status;
}
/* Runs run(call, transaction, arg) in a transaction and commits it. On BP_CONFLICT it rolls back
 * and runs again after a pause: many times if the back end says that another transaction was in the
 * way (the error has a retry_after_ns then), a few times for a violated constraint, as two
 * transactions may have chosen the same key. `run` sets its results again each time. The error of
 * the last try stays in the slot. */
static inline bp_status
bp_storage_transact(bp_call *call, const bp_peer *storage,
                    bp_status (*run)(bp_call *call, bp_transaction *transaction, void *arg),
                    void *arg) BP_SUSPENDS
{
    for (int i = 1;; i++) {
        bp_transaction *transaction = NULL;
        bp_status       status = bp_storage_begin(call, storage, &transaction);
        const bp_error *error = bp_error_of(call);
        int64_t         retry_after_ns;
        int32_t         os_errno, upstream_status;
        bp_str          message;
        uint8_t         random;

        if (status == BP_OK) {
            status = run(call, transaction, arg);
            if (status == BP_OK)
                status = bp_storage_commit(call, storage, transaction);
            if (status == BP_OK)
                return BP_OK;
        }
        retry_after_ns = error->retry_after_ns;
        os_errno = error->os_errno;
        upstream_status = error->upstream_status;
        message = bp_dup(call, error->message);
        if (transaction)
            (void)bp_storage_rollback(call, storage, transaction);
        bp_random(&random, sizeof(random));
        if (status != BP_CONFLICT || i >= (retry_after_ns > 0 ? 24 : 5) ||
            bp_sleep(call, (BP_MILLISECONDS(1) << (i < 7 ? i : 7)) * (random + 16) / 256) !=
                BP_OK) {
            status = bp_fail(call, status, BP_FMT, BP_ARG(message));
            bp_fail_detail(call, retry_after_ns, os_errno, upstream_status);
            return status;
        }
        bp_clear_error(call);
    }
}
static inline bp_status bp_storage_migrate(bp_call *call, const bp_peer *storage, bp_str owner,
                                           const bp_migration *migrations, size_t count) BP_SUSPENDS
{
    return bp_storage_of(storage)->migrate(call, storage->instance, owner, migrations, count);
}
/* The id of the deployment that this storage belongs to: 24 characters of [0-9a-f], made at the
 * first request, the same for every process and app on it. Data that a deployment keeps elsewhere
 * (collections of a vector store, keys in a cache) carry it as a mark, so that two deployments on
 * one server cannot mistake each other's data for their own. In the call's arena. */
#define BP_DEPLOYMENT_OWNER "deployment" /* of its table, in the books of the migrations */
static inline bp_status bp_storage_deployment(bp_call *call, const bp_peer *storage,
                                              bp_str *id) BP_SUSPENDS
{
    static const bp_migration steps[] = {
        { 1, 1, "the id of the deployment",
          "CREATE TABLE backplane_deployment (one BIGINT PRIMARY KEY, id TEXT NOT NULL, "
          "made_wall_ns BIGINT NOT NULL)" },
    };
    static const char digits[] = "0123456789abcdef";
    uint8_t           random[12];
    char              made[24];
    bp_sql_value      values[2];
    bp_statement      look = { sizeof(bp_statement), 0,
                               BP_STR("SELECT id FROM backplane_deployment WHERE one = 1"), NULL };
    bp_statement      make = { sizeof(bp_statement), 2,
                               BP_STR("INSERT INTO backplane_deployment (one, id, made_wall_ns) VALUES "
                                           "(1, $1, $2) ON CONFLICT (one) DO NOTHING"),
                               values };
    bp_rows           rows;

    *id = bp_str_n(NULL, 0);
    BP_TRY(bp_storage_migrate(call, storage, BP_STR(BP_DEPLOYMENT_OWNER), steps, 1));
    bp_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(made); i++)
        made[i] = digits[(random[i / 2] >> (i % 2 ? 0 : 4)) & 15];
    values[0] = bp_sql_text(bp_str_n(made, sizeof(made)));
    values[1] = bp_sql_int(bp_wall_ns());
    for (int tries = 0; tries < 2; tries++) {
        BP_TRY(bp_storage_exec(call, storage, NULL, &look, &rows));
        if (rows.row_count == 1 && rows.column_count == 1 && rows.values[0].type == BP_SQL_TEXT &&
            rows.values[0].text.len) {
            *id = rows.values[0].text;
            return BP_OK;
        }
        if (!tries)
            BP_TRY(bp_storage_exec(call, storage, NULL, &make, NULL));
    }
    return bp_fail(call, BP_DATA,
                   "the table backplane_deployment of storage \"" BP_FMT "\" holds no id",
                   BP_ARG(storage->name));
}
static inline bp_status bp_storage_inspect(bp_call *call, const bp_peer *storage, bp_str what,
                                           bp_rows *rows) BP_SUSPENDS
{
    memset(rows, 0, sizeof(*rows));
    rows->struct_size = (uint32_t)sizeof(*rows);
    if (!BP_HAS(bp_storage_of(storage), bp_storage_ops, inspect))
        return bp_fail(call, BP_UNSUPPORTED, "this host is too old to inspect a storage");
    return bp_storage_of(storage)->inspect(call, storage->instance, what, rows);
}
static inline bp_status bp_storage_maintain(bp_call *call, const bp_peer *storage, bp_str what,
                                            bp_str table) BP_SUSPENDS
{
    if (!BP_HAS(bp_storage_of(storage), bp_storage_ops, maintain))
        return bp_fail(call, BP_UNSUPPORTED, "this host is too old to maintain a storage");
    return bp_storage_of(storage)->maintain(call, storage->instance, what, table);
}
static inline bp_status bp_storage_listen(bp_call *call, const bp_peer *storage, bp_str channel,
                                          const bp_notice_sink *sink) BP_SUSPENDS
{
    if (!BP_HAS(bp_storage_of(storage), bp_storage_ops, listen))
        return bp_fail(call, BP_UNSUPPORTED, "this host is too old to listen for notices");
    return bp_storage_of(storage)->listen(call, storage->instance, channel, sink);
}
static inline bp_status bp_storage_notify(bp_call *call, const bp_peer *storage,
                                          bp_transaction *transaction, bp_str channel,
                                          bp_str payload) BP_SUSPENDS
{
    if (!BP_HAS(bp_storage_of(storage), bp_storage_ops, notify))
        return bp_fail(call, BP_UNSUPPORTED, "this host is too old to notify");
    return bp_storage_of(storage)->notify(call, storage->instance, transaction, channel, payload);
}

#ifdef __cplusplus
}
#endif
#endif
