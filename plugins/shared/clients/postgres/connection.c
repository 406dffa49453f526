/* connection.c - makes a connection without blocking, waits on it, cancels what runs on it. */
#define _GNU_SOURCE 1
#include "postgres.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- why it did not work, for the person who must act ---- */

static const struct {
    const char *said;
    int32_t     os_errno;
    const char *advice;
} reasons[] = {
    { "Connection refused", ECONNREFUSED,
      "is the server running, does DATABASE_URL name the right port?" },
    { "No such file or directory", ENOENT,
      "is the server running, is this the directory of its socket?" },
    { "No route to host", EHOSTUNREACH,
      "is the host up, is a network policy or firewall in the way?" },
    { "Network is unreachable", ENETUNREACH, "does this machine have a route to it?" },
    { "reset by peer", ECONNRESET,
      "does a server of another kind listen there, or a proxy that has no server behind it?" },
    { "password authentication failed", 0, "are user and password in DATABASE_URL right?" },
    { "no password supplied", 0, "DATABASE_URL has no password; add one, or the option password" },
    { "no pg_hba.conf entry", 0,
      "pg_hba.conf of the server must allow this user from this address" },
    { "does not exist", 0, "does DATABASE_URL name the right user and database?" },
    { "certificate", 0,
      "do tls_ca, tls_certificate and the host's name fit the server's certificate?" },
    { "does not support SSL", 0,
      "the server has no TLS: set tls: disable, or give it a certificate" },
    { "SSL", 0, "do both sides agree about TLS? see the option tls" },
    { "53300", 0, "raise max_connections of the server or lower pool_max" },
    { "too many clients", 0, "raise max_connections of the server or lower pool_max" },
    { "too many connections", 0, "raise the limit of the server or lower pool_max" },
    { "starting up", 0, "the server is starting; it will be there soon" },
    { "shutting down", 0, "the server is being stopped" },
    { "recovery mode", 0, "the server is coming back after a crash" },
    { "did not answer", ETIMEDOUT,
      "is the host up, is a firewall in the way, is the server overloaded?" },
};

/* It has no connection left for us: the server by its SQLSTATE, PgBouncer by words, as its SQLSTATE
 * stands for anything. */
static bool is_about_room(bp_str why)
{
    return memmem(why.data, why.len, "53300", 5) ||
           memmem(why.data, why.len, "no more connections allowed", 27);
}

static bp_status fail(bp_call *call, const struct postgres_pool *pool, const char *address,
                      bp_str why)
{
    size_t    count = sizeof(reasons) / sizeof(reasons[0]), i = 0;
    bp_status status;

    while (i < count && !memmem(why.data, why.len, reasons[i].said, strlen(reasons[i].said)))
        i++;
    status = bp_fail(call, is_about_room(why) ? BP_LIMIT : BP_UNAVAILABLE,
                     "cannot connect to PostgreSQL at %s as %s: " BP_FMT " (attempt %u; %s)",
                     address, pool->target->user, BP_ARG(why), pool->failures + 1,
                     i < count ? reasons[i].advice : "look at the server's log");
    if (i < count)
        bp_fail_detail(call, 0, reasons[i].os_errno, 0);
    return status;
}

/* ---- connecting ---- */

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* Where the driver says that it waits; after a time-out the address is named as not answering. */
static bp_status poll_until_made(bp_call *call, struct postgres_connection *connection,
                                 int64_t deadline_ns)
{
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;

    while (polling != PGRES_POLLING_OK) {
        bp_status status;

        if (PQsocket(connection->pg) < 0)
            return fail(call, connection->pool, connection->address,
                        postgres_line(call, PQerrorMessage(connection->pg)));
        status = bp_wait_fd(call, PQsocket(connection->pg),
                            polling == PGRES_POLLING_READING ? BP_FD_READ : BP_FD_WRITE,
                            deadline_ns, NULL);
        if (status == BP_DEADLINE)
            return fail(call, connection->pool, connection->address,
                        BP_STR("it did not answer in time"));
        BP_TRY(status);
        polling = PQconnectPoll(connection->pg);
        if (polling == PGRES_POLLING_FAILED)
            return fail(call, connection->pool, connection->address,
                        postgres_line(call, PQerrorMessage(connection->pg)));
    }
    return BP_OK;
}

static bp_status connect_to(bp_call *call, struct postgres_connection *connection,
                            const struct postgres_endpoint *endpoint, const char *address)
{
    const struct postgres_target *target = connection->pool->target;
    const char                   *keywords[POSTGRES_KEYWORDS_MAX], *values[POSTGRES_KEYWORDS_MAX];
    size_t                        count = target->keyword_count;

    memcpy(keywords, target->keywords, count * sizeof(*keywords));
    memcpy(values, target->values, count * sizeof(*values));
    keywords[count] = "host";
    values[count++] = endpoint->host;
    keywords[count] = "port";
    values[count++] = endpoint->port;
    if (address) {
        keywords[count] = "hostaddr";
        values[count++] = address;
    }
    keywords[count] = values[count] = NULL;
    connection->pg = PQconnectStartParams(keywords, values, 0);
    if (!connection->pg)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a connection");
    PQsetNoticeReceiver(connection->pg, ignore_notice, NULL);
    PQsetErrorVerbosity(connection->pg, PQERRORS_VERBOSE); // the message then contains the
                                                           // SQLSTATE, whatever its language
    if (PQstatus(connection->pg) == CONNECTION_BAD)
        return fail(call, connection->pool, connection->address,
                    postgres_line(call, PQerrorMessage(connection->pg)));
    BP_TRY(poll_until_made(call, connection,
                           bp_within(call, connection->pool->options->connect_timeout_ns)));
    if (PQsetnonblocking(connection->pg, 1) != 0 || !PQenterPipelineMode(connection->pg))
        return fail(call, connection->pool, connection->address,
                    postgres_line(call, PQerrorMessage(connection->pg)));
    PQsetErrorVerbosity(connection->pg, PQERRORS_DEFAULT);
    connection->born_ns = connection->idle_since_ns = bp_now_ns();
    return BP_OK;
}

static bool is_socket(const struct postgres_endpoint *endpoint)
{
    return endpoint->host[0] == '/' || endpoint->host[0] == '@';
}

static void name_address(struct postgres_connection     *connection,
                         const struct postgres_endpoint *endpoint, const char *address)
{
    bool is_v6 = strchr(endpoint->host, ':') != NULL;

    if (is_socket(endpoint))
        snprintf(connection->address, sizeof(connection->address), "unix:%s/.s.PGSQL.%s",
                 endpoint->host, endpoint->port);
    else if (address && strcmp(address, endpoint->host) != 0)
        snprintf(connection->address, sizeof(connection->address), "%.200s:%s (%.60s)",
                 endpoint->host, endpoint->port, address);
    else
        snprintf(connection->address, sizeof(connection->address), is_v6 ? "[%s]:%s" : "%s:%s",
                 endpoint->host, endpoint->port);
}

static bp_status try_endpoint(bp_call *call, struct postgres_connection *connection,
                              const struct postgres_endpoint *endpoint)
{
    const bp_str *addresses = NULL;
    size_t        count = 1;
    bp_status     status = BP_UNAVAILABLE;

    name_address(connection, endpoint, NULL);
    if (!is_socket(endpoint)) {
        status = bp_resolve(call, bp_str_of(endpoint->host),
                            bp_within(call, connection->pool->options->connect_timeout_ns),
                            &addresses, &count);
        if (status == BP_UNAVAILABLE || (status == BP_DEADLINE && bp_cancelled(call) == BP_OK)) {
            bp_str why = bp_dup(call, bp_error_of(call)->message);

            return bp_fail(call, BP_UNAVAILABLE,
                           "cannot connect to PostgreSQL at %s as %s: " BP_FMT
                           " (attempt %u; does DATABASE_URL name the right host?)",
                           connection->address, connection->pool->target->user, BP_ARG(why),
                           connection->pool->failures + 1);
        }
        BP_TRY(status);
    }
    for (size_t i = 0; i < count && bp_cancelled(call) == BP_OK; i++) {
        const char *address = addresses ? bp_dup(call, addresses[i]).data : NULL;

        name_address(connection, endpoint, address);
        status = connect_to(call, connection, endpoint, address);
        if (status == BP_OK)
            return BP_OK;
        PQfinish(connection->pg);
        connection->pg = NULL;
    }
    return status;
}

/* A pooler tells an id of its own making, and the server behind it another. */
static bp_status look_for_pooler(bp_call *call, struct postgres_connection *connection)
{
    struct postgres_target *target = connection->pool->target;
    bp_rows                 rows = { .struct_size = sizeof(rows) };
    bool                    is_pooler;

    if (!connection->pool->options->statement_cache)
        return BP_OK;
    BP_TRY(postgres_collect(call, connection, BP_SQL0("SELECT pg_backend_pid()"), 1, 0, false,
                            &rows, NULL));
    is_pooler = rows.row_count == 1 && rows.column_count == 1 &&
                rows.values[0].type == BP_SQL_INTEGER &&
                rows.values[0].integer != PQbackendPID(connection->pg);
    atomic_store(&target->pooler, is_pooler ? POSTGRES_POOLER_YES : POSTGRES_POOLER_NO);
    if (is_pooler)
        bp_log(call, BP_LOG_INFO, "PostgreSQL at %s is behind a pooler: statement_cache is off",
               connection->address);
    return BP_OK;
}

bp_status postgres_connect(bp_call *call, struct postgres_pool *pool,
                           struct postgres_connection **out)
{
    struct postgres_connection *connection = calloc(1, sizeof(*connection));
    bp_status                   status = BP_UNAVAILABLE;

    if (!connection)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a connection");
    connection->pool = pool;
    bp_random(&connection->nonce, sizeof(connection->nonce));
    for (size_t i = 0; i < pool->target->endpoint_count && status != BP_OK; i++) {
        status = try_endpoint(call, connection, &pool->target->endpoints[i]);
        if (bp_cancelled(call) != BP_OK)
            break;
    }
    if (status == BP_OK && atomic_load(&pool->target->pooler) == POSTGRES_POOLER_UNKNOWN)
        status = look_for_pooler(call, connection);
    if (status != BP_OK) {
        pool->failures++;
        postgres_close(connection);
        return status;
    }
    bp_clear_error(call);
    pool->failures = 0;
    *out = connection;
    return BP_OK;
}

void postgres_close(struct postgres_connection *connection)
{
    if (!connection)
        return;
    postgres_forget(connection);
    free(connection->statements);
    PQfinish(connection->pg);
    free(connection);
}

/* ---- waiting ---- */

/* libpq keeps what nobody asked for, as many as come. */
static void drop_notices(struct postgres_connection *connection)
{
    if (connection->is_listening)
        return;
    for (PGnotify *notice; (notice = PQnotifies(connection->pg));)
        PQfreemem(notice);
}

bp_status postgres_await(bp_call *call, struct postgres_connection *connection, int64_t deadline_ns)
{
    for (;;) {
        int flushed = PQflush(connection->pg);

        if (flushed >= 0 && !PQisBusy(connection->pg))
            return BP_OK;
        if (flushed >= 0) {
            BP_TRY(bp_wait_fd(call, PQsocket(connection->pg),
                              flushed ? BP_FD_READ | BP_FD_WRITE : BP_FD_READ, deadline_ns, NULL));
            if (PQconsumeInput(connection->pg) && PQstatus(connection->pg) == CONNECTION_OK) {
                drop_notices(connection);
                continue;
            }
            // What the server said before it went is a result still to be taken.
            if (!PQisBusy(connection->pg) && PQtransactionStatus(connection->pg) != PQTRANS_UNKNOWN)
                return BP_OK;
        }
        connection->is_broken = true;
        return bp_fail(call, BP_UNAVAILABLE,
                       "the connection to PostgreSQL at %s was lost: " BP_FMT
                       "; is the server running, was it restarted?",
                       connection->address,
                       BP_ARG(postgres_line(call, PQerrorMessage(connection->pg))));
    }
}

/* ---- cancelling ----
 * PQcancel() connects and waits, and against a server that is stopped it waits for ever. So it has
 * a thread of its own that nobody waits for longer than he wants; there are at most CANCELLERS_MAX.
 */

enum { CANCELLERS_MAX = 16 };

static atomic_int cancellers; /* of the process: a thread may outlive the instance that asked */

struct canceller {
    PGcancel  *cancel;
    int        fd; /* readable when it is done */
    atomic_int references;
};

static void release(struct canceller *canceller)
{
    if (atomic_fetch_sub(&canceller->references, 1) != 1)
        return;
    PQfreeCancel(canceller->cancel);
    close(canceller->fd);
    free(canceller);
}

static void *cancel_thread(void *arg)
{
    struct canceller *canceller = arg;
    const uint64_t    one = 1;
    char              why[256];

    // Whether it worked or not is seen by what the connection does next.
    (void)PQcancel(canceller->cancel, why, sizeof(why));
    while (write(canceller->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    release(canceller);
    atomic_fetch_sub(&cancellers, 1);
    return NULL;
}

static struct canceller *canceller_start(const struct postgres_connection *connection)
{
    struct canceller *canceller = calloc(1, sizeof(*canceller));
    pthread_attr_t    attributes;
    pthread_t         thread;
    bool              is_started;

    if (!canceller)
        return NULL;
    canceller->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    canceller->cancel = canceller->fd < 0 ? NULL : PQgetCancel(connection->pg);
    if (!canceller->cancel) {
        if (canceller->fd >= 0)
            close(canceller->fd);
        free(canceller);
        return NULL;
    }
    atomic_init(&canceller->references, 2);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    is_started = pthread_create(&thread, &attributes, cancel_thread, canceller) == 0;
    pthread_attr_destroy(&attributes);
    if (is_started)
        return canceller;
    release(canceller);
    release(canceller);
    return NULL;
}

bool postgres_cancel(bp_call *call, struct postgres_connection *connection, int64_t deadline_ns)
{
    struct canceller *canceller = NULL;
    bool              is_known;

    if (atomic_fetch_add(&cancellers, 1) < CANCELLERS_MAX)
        canceller = canceller_start(connection);
    if (!canceller) {
        atomic_fetch_sub(&cancellers, 1);
        return false;
    }
    is_known = bp_wait_fd(call, canceller->fd, BP_FD_READ, deadline_ns, NULL) == BP_OK;
    release(canceller);
    return is_known;
}

void postgres_abandon(struct postgres_connection *connection)
{
    PGTransactionStatusType state = PQtransactionStatus(connection->pg);

    if (connection->is_broken || state == PQTRANS_IDLE)
        return;
    connection->is_dirty = true;
    if (state == PQTRANS_ACTIVE || state == PQTRANS_UNKNOWN ||
        !PQsendQueryParams(connection->pg, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0) ||
        !PQpipelineSync(connection->pg) || PQflush(connection->pg) != 0)
        connection->is_broken = true;
}
