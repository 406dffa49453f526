/* pool.c - the connections of one worker: their users, their waiters, and the ones to replace.
 *
 * A server may give fewer connections than pool_max, all pools of it together. Then calls wait for
 * those there are: the first waiter tries to open another one after a pause. A pool that has
 * none at all asks the others, of this process, for one: they close one as soon as they can do
 * without it.
 */
#define _GNU_SOURCE 1
#include "postgres.h"

#include <poll.h>

#define SETTLE_NS BP_SECONDS(2)

enum { REFUSED_PAUSE_MS = 25, REFUSED_DOUBLINGS = 4, WANTED_MAX = 2, SHARE_EVERY_MS = 100 };

struct postgres_waiter {
    struct postgres_waiter     *next;
    bp_waker                   *waker;
    struct postgres_connection *connection; /* given to it */
    bool                        has_place;  /* it may open one; `open` counts it already */
};

/* ---- metrics ---- */

static void show(struct postgres_pool *pool)
{
    bp_str in_use[] = { bp_str_of(pool->name), BP_STR("in_use") },
           idle[] = { bp_str_of(pool->name), BP_STR("idle") };
    int used = atomic_load(&pool->target->counts.in_use);

    bp_metric_set(pool->connections, in_use, 2, used);
    bp_metric_set(pool->connections, idle, 2, atomic_load(&pool->target->counts.open) - used);
}

static void add_open(struct postgres_pool *pool, int count)
{
    pool->open = (uint32_t)((int)pool->open + count);
    atomic_fetch_add(&pool->target->counts.open, count);
    show(pool);
}

static void add_in_use(struct postgres_pool *pool, int count)
{
    pool->in_use = (uint32_t)((int)pool->in_use + count);
    atomic_fetch_add(&pool->target->counts.in_use, count);
    show(pool);
}

static void count(struct postgres_pool *pool, bp_metric *metric)
{
    bp_str name = bp_str_of(pool->name);

    bp_metric_add(metric, &name, 1, 1);
}

/* ---- life ---- */

static bp_status share(bp_call *call, void *arg);

bp_status postgres_pool_start(bp_call *call, struct postgres_pool *pool,
                              const struct postgres_options *options,
                              struct postgres_target *target, const char *name)
{
    bp_str     label = bp_str_of(name);
    bp_metric *most;

    memset(pool, 0, sizeof(*pool));
    pool->options = options;
    pool->target = target;
    pool->name = name;
    pool->server = bp_process_block(call,
                                    bp_format(call, "postgres-1 %s:%s", target->endpoints[0].host,
                                              target->endpoints[0].port),
                                    sizeof(*pool->server));
    if (!pool->server)
        return bp_fail(call, BP_NO_MEMORY, "no memory for connections to PostgreSQL");
    BP_TRY(bp_metric_define(call, BP_GAUGE, "backplane_postgres_connections",
                            "Connections of this process to PostgreSQL, by state.", "pool state",
                            &pool->connections));
    BP_TRY(bp_metric_define(call, BP_GAUGE, "backplane_postgres_connections_max",
                            "Connections to PostgreSQL that one worker may have: pool_max.", "pool",
                            &most));
    bp_metric_set(most, &label, 1, (double)options->pool_max);
    BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_waits_total",
                            "Operations that had to wait for a connection.", "pool", &pool->waits));
    BP_TRY(bp_metric_define(call, BP_HISTOGRAM, "backplane_postgres_wait_seconds",
                            "Time that operations waited for a connection.", "pool",
                            &pool->wait_seconds));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_opened_total",
                            "Connections opened.", "pool", &pool->opened));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_lost_total",
                            "Connections that broke or had to be dropped.", "pool", &pool->lost));
    return bp_every(call, "postgres-share", BP_MILLISECONDS(SHARE_EVERY_MS), share, pool);
}

void postgres_pool_stop(struct postgres_pool *pool)
{
    if (!pool->target)
        return;
    pool->is_stopping = true;
    while (pool->idle) {
        struct postgres_connection *first = pool->idle;

        pool->idle = first->next;
        pool->idle_count--;
        postgres_close(first);
        add_open(pool, -1);
    }
}

/* ---- is it still good? ---- */

/* Nothing was asked, so whatever can be read is either talk or the end. */
static bool is_alive(struct postgres_connection *connection)
{
    struct pollfd look = { .fd = PQsocket(connection->pg), .events = POLLIN | POLLRDHUP };

    if (look.fd < 0 || PQstatus(connection->pg) != CONNECTION_OK)
        return false;
    if (poll(&look, 1, 0) == 0 || connection->is_dirty)
        return true;
    // The first takes the bytes that are there, the second meets the end behind them.
    // NOLINTNEXTLINE(misc-redundant-expression)
    if (!PQconsumeInput(connection->pg) || !PQconsumeInput(connection->pg) ||
        PQisBusy(connection->pg))
        return false;
    for (PGnotify *notice; (notice = PQnotifies(connection->pg));)
        PQfreemem(notice);
    return PQstatus(connection->pg) == CONNECTION_OK;
}

/* Reads the answer of the ROLLBACK that ended the call before. */
static bp_status settle(bp_call *call, struct postgres_connection *connection)
{
    bool is_over = false;

    while (!is_over) {
        PGresult *result;

        BP_TRY(postgres_await(call, connection, bp_within(call, SETTLE_NS)));
        result = PQgetResult(connection->pg);
        is_over = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (result && PQresultStatus(result) == PGRES_FATAL_ERROR)
            connection->is_broken = true;
        PQclear(result);
        if (connection->is_broken)
            return BP_UNAVAILABLE;
    }
    connection->is_dirty = false;
    return PQtransactionStatus(connection->pg) == PQTRANS_IDLE ? BP_OK : BP_UNAVAILABLE;
}

static bool is_too_old(const struct postgres_pool       *pool,
                       const struct postgres_connection *connection)
{
    return pool->options->max_lifetime_ns &&
           bp_now_ns() - connection->born_ns > pool->options->max_lifetime_ns;
}

/* ---- a server that has no more connections ---- */

static bool may_open(const struct postgres_pool *pool)
{
    int64_t now_ns = bp_now_ns();

    return pool->open < (uint32_t)pool->options->pool_max && now_ns >= pool->open_after_ns &&
           (!pool->open || now_ns >= atomic_load(&pool->server->open_after_ns));
}

/* Another attempt makes sense after a while. */
static void note_refusal(struct postgres_pool *pool)
{
    uint32_t doublings = pool->refusals < REFUSED_DOUBLINGS ? pool->refusals : REFUSED_DOUBLINGS;
    int64_t  pause_ns = BP_MILLISECONDS(REFUSED_PAUSE_MS) << doublings;
    uint8_t  random;

    bp_random(&random, sizeof(random));
    pause_ns = pause_ns * (random + 256) / 512; // or all workers would come at once
    pool->refusals++;
    pool->open_after_ns = bp_now_ns() + pause_ns;
    atomic_store(&pool->server->open_after_ns, pool->open_after_ns);
    if (!pool->open && atomic_load(&pool->server->wanted) < WANTED_MAX)
        atomic_fetch_add(&pool->server->wanted, 1);
}

/* Another pool has none at all and we can do without one. */
static bool is_wanted_elsewhere(struct postgres_pool *pool)
{
    int wanted = atomic_load(&pool->server->wanted);

    if (pool->first && pool->open < 2)
        return false;
    while (wanted > 0)
        if (atomic_compare_exchange_weak(&pool->server->wanted, &wanted, wanted - 1))
            return true;
    return false;
}

/* ---- the queue ---- */

static void enqueue(struct postgres_pool *pool, struct postgres_waiter *waiter, bool is_front)
{
    waiter->next = is_front ? pool->first : NULL;
    if (is_front)
        pool->first = waiter;
    else if (pool->last)
        pool->last->next = waiter;
    else
        pool->first = waiter;
    if (!waiter->next)
        pool->last = waiter;
}

static void dequeue(struct postgres_pool *pool, const struct postgres_waiter *waiter)
{
    struct postgres_waiter *before = NULL;

    for (struct postgres_waiter *at = pool->first; at; before = at, at = at->next) {
        if (at != waiter)
            continue;
        *(before ? &before->next : &pool->first) = at->next;
        if (pool->last == at)
            pool->last = before;
        if (!before && pool->first && pool->open < (uint32_t)pool->options->pool_max)
            bp_wake(pool->first->waker); // it is its turn to look whether one can be opened
        return;
    }
}

/* The place of a connection that is gone: for the first waiter, if any. */
static void give_place(struct postgres_pool *pool)
{
    struct postgres_waiter *first = pool->first;

    if (!first || pool->is_stopping || bp_now_ns() < pool->open_after_ns) {
        add_open(pool, -1);
        if (first)
            bp_wake(first->waker);
        return;
    }
    dequeue(pool, first);
    first->has_place = true;
    bp_wake(first->waker);
}

static void give_idle(struct postgres_pool *pool, struct postgres_connection *connection)
{
    struct postgres_waiter *first = pool->first;

    if (first) {
        dequeue(pool, first);
        first->connection = connection;
        bp_wake(first->waker);
        return;
    }
    connection->next = pool->idle;
    pool->idle = connection;
    pool->idle_count++;
}

static bp_status fail_full(bp_call *call, const struct postgres_pool *pool, int64_t began_ns)
{
    double seconds = (double)(bp_now_ns() - began_ns) / 1e9;

    if (!pool->open)
        return bp_fail(call, BP_LIMIT,
                       "PostgreSQL at %s:%s has had no connection left for this worker for %.1f s: "
                       "raise max_connections of the server or lower pool_max",
                       pool->target->endpoints[0].host, pool->target->endpoints[0].port, seconds);
    if (!pool->refusals && pool->in_use + pool->idle_count < pool->open)
        return bp_fail(call, BP_UNAVAILABLE,
                       "waited %.1f s for a connection to PostgreSQL at %s:%s, which does not "
                       "answer "
                       "those that are being made: is the host up, is a firewall in the way, is "
                       "the "
                       "server overloaded?",
                       seconds, pool->target->endpoints[0].host, pool->target->endpoints[0].port);
    return bp_fail(call, BP_LIMIT,
                   "waited %.1f s for a free connection: all %u connections of this worker to "
                   "PostgreSQL were in use; raise pool_max (and max_connections of the server), or "
                   "see which statements are slow",
                   seconds, pool->open);
}

/* Until it has a connection, or a place to open one. `is_front`: it had its turn, and the server
 * refused. */
static bp_status wait_turn(bp_call *call, struct postgres_pool *pool,
                           struct postgres_waiter *waiter, int64_t began_ns, int64_t deadline_ns,
                           bool is_front)
{
    bp_str    name = bp_str_of(pool->name);
    bp_status status = BP_OK;

    waiter->waker = bp_waker_new(call);
    if (!waiter->waker)
        return BP_NO_MEMORY;
    if (!is_front)
        count(pool, pool->waits);
    enqueue(pool, waiter, is_front);
    while (!waiter->connection && !waiter->has_place && status == BP_OK) {
        int64_t until_ns = deadline_ns;

        if (pool->first == waiter && may_open(pool)) {
            dequeue(pool, waiter);
            add_open(pool, 1);
            waiter->has_place = true;
            break;
        }
        if (pool->first == waiter && pool->open < (uint32_t)pool->options->pool_max) {
            int64_t others_ns = pool->open ? atomic_load(&pool->server->open_after_ns) : 0;
            int64_t retry_ns = pool->open_after_ns > others_ns ? pool->open_after_ns : others_ns;

            until_ns = retry_ns < deadline_ns ? retry_ns : deadline_ns;
        }
        status = bp_wait(call, waiter->waker, until_ns, "a connection to PostgreSQL");
        if (status == BP_DEADLINE && bp_cancelled(call) == BP_OK && bp_now_ns() < deadline_ns) {
            bp_clear_error(call);
            status = BP_OK;
        }
    }
    dequeue(pool, waiter);
    bp_waker_free(waiter->waker);
    bp_metric_observe(pool->wait_seconds, &name, 1, (double)(bp_now_ns() - began_ns) / 1e9);
    if (waiter->connection || waiter->has_place)
        return BP_OK;
    return status == BP_DEADLINE ? fail_full(call, pool, began_ns) : status;
}

/* ---- taking and giving ---- */

/* A place in `open` is held; it becomes a connection or is passed on. */
static bp_status open_one(bp_call *call, struct postgres_pool *pool,
                          struct postgres_connection **connection)
{
    bp_status status = postgres_connect(call, pool, connection);

    if (status == BP_LIMIT) {
        add_open(pool, -1);
        note_refusal(pool);
        return status;
    }
    if (status != BP_OK) {
        give_place(pool);
        return status;
    }
    pool->refusals = 0;
    pool->open_after_ns = 0;
    count(pool, pool->opened);
    return BP_OK;
}

static void drop(struct postgres_connection *connection)
{
    struct postgres_pool *pool = connection->pool;

    count(pool, pool->lost);
    postgres_close(connection);
    give_place(pool);
}

static struct postgres_connection *pop_idle(struct postgres_pool *pool)
{
    struct postgres_connection *connection = pool->idle;

    if (connection) {
        pool->idle = connection->next;
        pool->idle_count--;
        connection->next = NULL;
    }
    return connection;
}

/* One that is idle, one that is new, or one that another gives up; it may turn out to be broken. */
static bp_status take_any(bp_call *call, struct postgres_pool *pool,
                          struct postgres_connection **connection)
{
    int64_t began_ns = bp_now_ns(), deadline_ns = bp_within(call, pool->options->pool_wait_ns);

    for (bool is_front = false;; is_front = true) {
        struct postgres_waiter waiter = { .connection = NULL };
        bp_status              status;

        if ((is_front || !pool->first) && (*connection = pop_idle(pool)))
            return BP_OK;
        if ((is_front || !pool->first) && may_open(pool)) {
            add_open(pool, 1);
        } else {
            BP_TRY(wait_turn(call, pool, &waiter, began_ns, deadline_ns, is_front));
            *connection = waiter.connection;
            if (*connection)
                return BP_OK;
        }
        status = open_one(call, pool, connection);
        if (status != BP_LIMIT)
            return status;
        if (bp_cancelled(call) != BP_OK || bp_now_ns() >= deadline_ns)
            return fail_full(call, pool, began_ns);
        bp_clear_error(call);
    }
}

bp_status postgres_take(bp_call *call, struct postgres_pool *pool, struct postgres_connection **out)
{
    bp_status over = bp_cancelled(call);

    if (over != BP_OK)
        return bp_fail(call, over, "the call was over before a connection to PostgreSQL was taken");
    for (;;) {
        struct postgres_connection *connection = NULL;
        bp_status                   status;

        BP_TRY(take_any(call, pool, &connection));
        status = !is_alive(connection)  ? BP_UNAVAILABLE
                 : connection->is_dirty ? settle(call, connection)
                                        : BP_OK;
        if (status == BP_OK) {
            add_in_use(pool, 1);
            *out = connection;
            return BP_OK;
        }
        drop(connection);
        over = bp_cancelled(call);
        if (over != BP_OK)
            return bp_fail(call, over,
                           "the call was over before a connection to PostgreSQL was ready");
        bp_clear_error(call);
    }
}

void postgres_give(struct postgres_connection *connection)
{
    struct postgres_pool *pool = connection->pool;

    add_in_use(pool, -1);
    connection->idle_since_ns = bp_now_ns();
    if (connection->is_broken || PQstatus(connection->pg) != CONNECTION_OK) {
        drop(connection);
        return;
    }
    if (pool->is_stopping ||
        (!connection->is_dirty && (is_too_old(pool, connection) || is_wanted_elsewhere(pool)))) {
        postgres_close(connection);
        give_place(pool);
        return;
    }
    give_idle(pool, connection);
}

/* ---- tending ---- */

/* What nobody uses is not kept from a pool that has none. */
static bp_status share(bp_call *call, void *arg)
{
    struct postgres_pool *pool = arg;

    (void)call;
    while (pool->idle && is_wanted_elsewhere(pool)) {
        struct postgres_connection *first = pop_idle(pool);

        postgres_close(first);
        give_place(pool);
    }
    return BP_OK;
}

static void close_idle(struct postgres_pool *pool)
{
    struct postgres_connection **at = &pool->idle;
    int64_t                      now_ns = bp_now_ns(), timeout_ns = pool->options->idle_timeout_ns;

    while (*at) {
        struct postgres_connection *one = *at;
        bool is_idle = timeout_ns && now_ns - one->idle_since_ns > timeout_ns &&
                       pool->open > (uint32_t)pool->options->pool_min;

        if (!is_idle && !is_too_old(pool, one) && !is_wanted_elsewhere(pool)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        pool->idle_count--;
        postgres_close(one);
        give_place(pool);
    }
}

bp_status postgres_pool_tend(bp_call *call, struct postgres_pool *pool)
{
    close_idle(pool);
    while (!pool->is_stopping && pool->open < (uint32_t)pool->options->pool_min && may_open(pool)) {
        struct postgres_connection *connection = NULL;
        bp_status                   status;

        add_open(pool, 1);
        status = open_one(call, pool, &connection);
        if (status == BP_LIMIT) { // those who need one will try again
            bp_clear_error(call);
            return BP_OK;
        }
        BP_TRY(status);
        give_idle(pool, connection);
    }
    return BP_OK;
}
