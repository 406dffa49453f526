/* postgres.h - connections to PostgreSQL for plugins: libpq without a blocking call, a pool, and
 * one way to run SQL.
 *
 *      options --> target   where the server is, as whom, with what TLS     one a process, never changes
 *                  pool     connections of one worker, and who waits        no locks: one thread uses it
 *                  trip     statements sent in one go, results read         prepared statements, cancellation
 *
 * libpq is told addresses, never names, as looking up a name would block; every wait is a
 * bp_wait_fd(). A pool hands its connections out in the order in which they were asked for. A
 * statement that the call no longer waits for is cancelled on the server and its connection read
 * until it is clean, or dropped when that takes too long.
 */
#ifndef SHARED_POSTGRES_H
#define SHARED_POSTGRES_H

#include <stdatomic.h>

#include <libpq-fe.h>

#include <backplane/loop.h>
#include <backplane/metrics.h>
#include <backplane/plugin.h>
#include <backplane/storage.h>
#include <backplane/stream.h>

/* ---- options: `struct postgres_options` is a member of the plugin's instance ---- */

struct postgres_options {
    bp_str  url, password;
    int32_t tls;
    bp_str  tls_ca, tls_certificate, tls_key;
    int64_t pool_min, pool_max, pool_wait_ns, idle_timeout_ns, max_lifetime_ns, connect_timeout_ns;
    int64_t statement_cache;
};

#define POSTGRES_SCHEMES                                                                           \
    "postgresql|postgres|postgresql+asyncpg|postgresql+psycopg|postgresql+psycopg2|postgresql+"    \
    "psycopg_async|"                                                                               \
    "postgresql+pg8000|postgresql+aiopg|postgres+asyncpg|postgres+psycopg|postgres+psycopg2"

#define POSTGRES_OPTIONS(s, m)                                                                     \
    BP_OPTION_OF(BP_OPTION_TYPE_URL, s, m.url, "url", .is_required = true,                         \
                 .choices = POSTGRES_SCHEMES, .example = "${DATABASE_URL}",                        \
                 .help = "postgresql://user:password@host:5432/database?sslmode=verify-full; "     \
                         "several hosts are "                                                      \
                         "separated by commas, a Unix socket is ?host=/run/postgresql"),           \
        BP_OPTION_OF(BP_OPTION_TYPE_SECRET, s, m.password, "password",                             \
                     .help = "password, instead of one in the URL"),                               \
        BP_OPTION_OF(BP_OPTION_TYPE_ENUM, s, m.tls, "tls", .initial = "url",                       \
                     .choices = "url|disable|prefer|require|verify-ca|verify-full",                \
                     .help = "url: as its sslmode says, by default prefer; verify-full also "      \
                             "checks the server's name"),                                          \
        BP_OPTION_OF(BP_OPTION_TYPE_PATH, s, m.tls_ca, "tls_ca", .choices = BP_PATH_PEM,           \
                     .help = "certificates (PEM) to trust; needed by verify-ca and verify-full"),  \
        BP_OPTION_OF(BP_OPTION_TYPE_PATH, s, m.tls_certificate, "tls_certificate",                 \
                     .choices = BP_PATH_PEM, .help = "certificate (PEM) to show to the server"),   \
        BP_OPTION_OF(BP_OPTION_TYPE_PATH, s, m.tls_key, "tls_key", .choices = BP_PATH_PEM,         \
                     .help = "its private key (PEM); readable by its owner only"),                 \
        BP_OPTION_OF(BP_OPTION_TYPE_INT, s, m.pool_min, "pool_min", .initial = "0",                \
                     .minimum = "0", .maximum = "1000",                                            \
                     .help = "connections that each worker keeps open"),                           \
        BP_OPTION_OF(BP_OPTION_TYPE_INT, s, m.pool_max, "pool_max", .initial = "8",                \
                     .minimum = "1", .maximum = "1000",                                            \
                     .help = "connections that each worker opens at most; times server.workers "   \
                             "this must stay below "                                               \
                             "max_connections of the server"),                                     \
        BP_OPTION_OF(BP_OPTION_TYPE_DURATION, s, m.pool_wait_ns, "pool_wait", .initial = "5s",     \
                     .minimum = "1ms", .maximum = "10m",                                           \
                     .help = "how long an operation waits for a connection when all are in use"),  \
        BP_OPTION_OF(BP_OPTION_TYPE_DURATION, s, m.idle_timeout_ns, "idle_timeout",                \
                     .initial = "5m", .minimum = "0", .maximum = "7d",                             \
                     .help = "idle time after which a connection is closed; off: never"),          \
        BP_OPTION_OF(BP_OPTION_TYPE_DURATION, s, m.max_lifetime_ns, "max_lifetime",                \
                     .initial = "1h", .minimum = "0", .maximum = "30d",                            \
                     .help = "replaces a connection of this age, so that a failover or a new "     \
                             "address is noticed; off: never"),                                    \
        BP_OPTION_OF(BP_OPTION_TYPE_DURATION, s, m.connect_timeout_ns, "connect_timeout",          \
                     .initial = "5s", .minimum = "10ms", .maximum = "5m",                          \
                     .help = "longest time for each address"),                                     \
        BP_OPTION_OF(BP_OPTION_TYPE_INT, s, m.statement_cache, "statement_cache",                  \
                     .initial = "100", .minimum = "0", .maximum = "1000",                          \
                     .help = "statements that each connection keeps prepared; 0: none. Behind a "  \
                             "pooler such as "                                                     \
                             "PgBouncer, which is noticed, none are")

/* ---- target.c: where the server is ---- */

struct postgres_endpoint {
    char host[256]; /* a name, an address, or the directory of a Unix socket */
    char port[8];
};

enum { POSTGRES_ENDPOINTS_MAX = 16, POSTGRES_KEYWORDS_MAX = 64 };

/* Connections to it of all workers. */
struct postgres_counts {
    atomic_int open, in_use;
};

/* What all pools of the process know of one server, those of other plugins as well: a
 * bp_process_block(). Where it gives no more connections (SQLSTATE 53300), pools that have none at
 * all ask the others for one of theirs. */
struct postgres_server {
    atomic_int   wanted;        /* connections that the others should close */
    atomic_llong open_after_ns; /* nobody who has a connection opens another one before */
};

/* Whether a pooler stands before the server, which gives each transaction another connection to it.
 */
typedef enum postgres_pooler {
    POSTGRES_POOLER_UNKNOWN,
    POSTGRES_POOLER_NO,
    POSTGRES_POOLER_YES
} postgres_pooler;

/* A server, for all workers of an instance: lives in the shared object. Where it is never changes;
 * texts are its own. */
struct postgres_target {
    char  *keywords[POSTGRES_KEYWORDS_MAX]; /* for libpq, without host, hostaddr and port */
    char  *values[POSTGRES_KEYWORDS_MAX];
    size_t keyword_count;
    struct postgres_endpoint endpoints[POSTGRES_ENDPOINTS_MAX];
    size_t                   endpoint_count;
    char                     user[128], database[128];
    struct postgres_counts   counts;
    atomic_int               pooler; /* postgres_pooler, as the first connection found */
};

/* BP_INVALID with a sentence that never shows the password. */
bp_status postgres_target_new(bp_call *call, const struct postgres_options *options,
                              const char *name, struct postgres_target **target);
void      postgres_target_free(struct postgres_target *target);
/* For the check hook: nothing is kept. */
bp_status postgres_options_check(bp_call *call, const struct postgres_options *options);

/* ---- connection.c: one connection ---- */

struct postgres_pool;
struct postgres_statement;

struct postgres_connection {
    struct postgres_pool       *pool;
    struct postgres_connection *next;
    PGconn                     *pg;
    char                        address[300];
    int64_t                     born_ns, idle_since_ns;
    bool                        is_broken;    /* closed when it is given back */
    bool                        is_listening; /* its notices are wanted */
    bool is_dirty; /* a ROLLBACK was sent that nobody has read the answer of */
    struct postgres_statement *statements; /* prepared on it */
    size_t                     statement_count;
    uint64_t                   nonce; /* in the names of its statements */
    uint64_t                   names_given, uses;
};

bp_status postgres_connect(bp_call *call, struct postgres_pool *pool,
                           struct postgres_connection **connection) BP_SUSPENDS;
void      postgres_close(struct postgres_connection *connection);
/* Sends the statements and waits until a result can be taken; after BP_UNAVAILABLE it is
 * broken. */
bp_status postgres_await(bp_call *call, struct postgres_connection *connection,
                         int64_t deadline_ns) BP_SUSPENDS;
/* Asks the server to end what runs; waits for that until `deadline_ns`. False: it is not known
 * whether a request is still on its way, so that the connection must be dropped. */
bool postgres_cancel(bp_call *call, struct postgres_connection *connection,
                     int64_t deadline_ns) BP_SUSPENDS;
/* Starts a ROLLBACK without waiting: for the end of a call. */
void postgres_abandon(struct postgres_connection *connection);

/* ---- failure.c ---- */

/* The status of storage.h for an SQLSTATE. */
bp_status postgres_status_of(const char *sqlstate);
/* Puts a failed result into words. */
bp_status postgres_fail_result(bp_call *call, const struct postgres_connection *connection,
                               const PGresult *result);
/* The first line of a text of libpq's, without what it says about lost connections at length. */
bp_str postgres_line(bp_call *call, const char *text);

/* ---- pool.c: the connections of a worker ---- */

struct postgres_waiter;

struct postgres_pool {
    const struct postgres_options *options;
    struct postgres_target        *target;
    struct postgres_server        *server;
    const char                    *name; /* "primary" or "replica": label of its metrics */
    struct postgres_connection    *idle; /* the last used first */
    uint32_t                       open, in_use, idle_count;
    struct postgres_waiter        *first, *last;
    uint32_t                       failures; /* attempts to connect that failed in a row */
    uint32_t   refusals;      /* of them, because the server had no connection left */
    int64_t    open_after_ns; /* another is not tried before; 0: any time */
    bool       is_stopping;
    bp_metric *connections, *waits, *wait_seconds, *opened, *lost;
};

/* In worker_start. */
bp_status postgres_pool_start(bp_call *call, struct postgres_pool *pool,
                              const struct postgres_options *options,
                              struct postgres_target *target, const char *name);
/* In worker_stop; also of one that was never started. */
void postgres_pool_stop(struct postgres_pool *pool);
/* A connection that is clean, the pool's turn taken in order. Fewer than pool_max do where the
 * server gives no more. BP_LIMIT: none was free within pool_wait or the time of the call;
 * BP_UNAVAILABLE, BP_CANCELLED. */
bp_status postgres_take(bp_call *call, struct postgres_pool *pool,
                        struct postgres_connection **connection) BP_SUSPENDS;
/* Never suspends. Broken ones are closed. */
void postgres_give(struct postgres_connection *connection);
/* Closes connections that have been idle for too long and opens those missing to pool_min; for a
 * job run now and then. */
bp_status postgres_pool_tend(bp_call *call, struct postgres_pool *pool) BP_SUSPENDS;

/* ---- trip.c: statements there, results back ---- */

/* `row` is called for each row (one a result), `done` once a statement that succeeded; both may be
 * NULL. `row` may suspend; what it returns other than BP_OK ends the trip with that status. */
struct postgres_visitor {
    bp_status (*row)(bp_call *call, void *self, size_t statement, PGresult *result) BP_SUSPENDS;
    bp_status (*done)(bp_call *call, void *self, size_t statement, PGresult *result);
    void *self;
};

struct postgres_outcome {
    char   sqlstate[6];  /* of the failure; empty: none, or not one of the server's */
    size_t failed_at;    /* which statement */
    bool   is_lost;      /* the connection went away */
    bool   is_forgotten; /* a prepared statement was not as expected, nothing was done: try again */
};

/* Runs statements in one round trip; outside a transaction they are one of their own, all or none.
 * `is_write` says that it matters whether they were done: a lost connection is then reported as an
 * unknown outcome. `outcome` may be NULL. */
bp_status postgres_trip(bp_call *call, struct postgres_connection *connection,
                        const bp_statement *statements, size_t count, bool is_write,
                        const struct postgres_visitor *visitor,
                        struct postgres_outcome       *outcome) BP_SUSPENDS;
/* Runs a text of one or more statements without parameters; results are thrown away. */
bp_status postgres_run_text(bp_call *call, struct postgres_connection *connection,
                            const char *sql) BP_SUSPENDS;
/* The rows of one of the statements, `which`, are collected; `rows` may be NULL. What the server
 * gives is looked at: rows have as many columns as the statement asks for (BP_UPSTREAM), values of
 * NULL are "" and 0 as well, and where there is no row at all there is a first one of NULLs to be
 * read in `values`. Kinds of values are for bp_rows_expect(). */
bp_status postgres_collect(bp_call *call, struct postgres_connection *connection,
                           const bp_statement *statements, size_t count, size_t which,
                           bool is_write, bp_rows *rows,
                           struct postgres_outcome *outcome) BP_SUSPENDS;
/* The same, given to a sink as they come. */
bp_status postgres_stream(bp_call *call, struct postgres_connection *connection,
                          const bp_statement *statements, size_t count, size_t which,
                          const bp_row_sink *sink, struct postgres_outcome *outcome) BP_SUSPENDS;
/* Forgets the prepared statements, as the server has. */
void postgres_forget(struct postgres_connection *connection);
/* Rows written; 0 for a query. */
int64_t postgres_changed(PGresult *result);

/* ---- columns.c ---- */

/* Of the rows of a statement; -1: that cannot be told by its words. */
int postgres_columns_of(bp_str sql);

/* ---- prepared.c: statements prepared on a connection ---- */

enum { POSTGRES_PARAMETERS_MAX = 64 };

struct postgres_statement {
    uint64_t hash, used;
    uint64_t number; /* which it was of this connection; its name is made of it and the nonce */
    bp_str   sql;    /* its own copy */
    uint32_t parameter_count;
    Oid      types[POSTGRES_PARAMETERS_MAX];
};

struct postgres_statement *postgres_prepared_find(struct postgres_connection *connection,
                                                  const bp_statement *statement, const Oid *types);
/* A place for one more, its number set; NULL when there is no memory. When the cache is full the
 * one that was used longest ago goes: `evicted` is its number, else 0. */
struct postgres_statement *postgres_prepared_add(struct postgres_connection *connection,
                                                 const bp_statement *statement, const Oid *types,
                                                 uint64_t *evicted);
void postgres_prepared_remove(struct postgres_connection *connection, uint64_t number);

#endif
