/* pool.c - the connections of one worker: who has one, who waits for one, which are to be replaced. */
#define _GNU_SOURCE 1
#include "postgres.h"

#include <poll.h>

#define SETTLE_NS BP_SECONDS(2)

struct postgres_waiter {
    struct postgres_waiter     *next;
    bp_waker                   *waker;
    struct postgres_connection *connection; /* given to it */
    bool                        has_place;  /* it may open one; `open` counts it already */
};

/* ---- metrics ---- */

static void show(struct postgres_pool *pool)
{
    bp_str in_use[] = { bp_str_of(pool->name), BP_STR("in_use") }, idle[] = { bp_str_of(pool->name), BP_STR("idle") };
    int    used = atomic_load(&pool->target->counts.in_use);

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

bp_status postgres_pool_start(bp_call *call, struct postgres_pool *pool, const struct postgres_options *options,
                              struct postgres_target *target, const char *name)
{
    memset(pool, 0, sizeof(*pool));
    pool->options = options;
    pool->target = target;
    pool->name = name;
    BP_TRY(bp_metric_define(call, BP_GAUGE, "backplane_postgres_connections",
                            "Connections to PostgreSQL of this process, by what they do", "pool state",
                            &pool->connections));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_waits_total",
                            "Operations that had to wait for a connection", "pool", &pool->waits));
    BP_TRY(bp_metric_define(call, BP_HISTOGRAM, "backplane_postgres_wait_seconds",
                            "How long operations waited for a connection", "pool", &pool->wait_seconds));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_opened_total", "Connections that were made", "pool",
                            &pool->opened));
    return bp_metric_define(call, BP_COUNTER, "backplane_postgres_lost_total",
                            "Connections that broke or had to be dropped", "pool", &pool->lost);
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
    if (!PQconsumeInput(connection->pg) || !PQconsumeInput(connection->pg) || PQisBusy(connection->pg))
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

static bool is_too_old(const struct postgres_pool *pool, const struct postgres_connection *connection)
{
    return pool->options->max_lifetime_ns && bp_now_ns() - connection->born_ns > pool->options->max_lifetime_ns;
}

/* ---- the queue ---- */

static void enqueue(struct postgres_pool *pool, struct postgres_waiter *waiter)
{
    waiter->next = NULL;
    if (pool->last)
        pool->last->next = waiter;
    else
        pool->first = waiter;
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
        return;
    }
}

/* The place of a connection that is gone: for whoever waits first, or for nobody. */
static void give_place(struct postgres_pool *pool)
{
    struct postgres_waiter *first = pool->first;

    if (!first || pool->is_stopping) {
        add_open(pool, -1);
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

static bp_status wait_turn(bp_call *call, struct postgres_pool *pool, struct postgres_waiter *waiter)
{
    int64_t   began_ns = bp_now_ns(), deadline_ns = bp_within(call, pool->options->pool_wait_ns);
    bp_str    name = bp_str_of(pool->name);
    bp_status status = BP_OK;

    waiter->waker = bp_waker_new(call);
    if (!waiter->waker)
        return BP_NO_MEMORY;
    count(pool, pool->waits);
    enqueue(pool, waiter);
    while (!waiter->connection && !waiter->has_place && status == BP_OK)
        status = bp_wait(call, waiter->waker, deadline_ns, "a connection to PostgreSQL");
    dequeue(pool, waiter);
    bp_waker_free(waiter->waker);
    bp_metric_observe(pool->wait_seconds, &name, 1, (double)(bp_now_ns() - began_ns) / 1e9);
    if (waiter->connection || waiter->has_place)
        return BP_OK;
    if (status != BP_DEADLINE || bp_cancelled(call) != BP_OK)
        return status;
    return bp_fail(call, BP_UNAVAILABLE,
                   "all %u connections of this worker to PostgreSQL were in use for %.1f s: raise pool_max (and "
                   "max_connections of the server), or see which statements are slow",
                   pool->open, (double)(bp_now_ns() - began_ns) / 1e9);
}

/* ---- taking and giving ---- */

/* A place in `open` is held; it becomes a connection or is passed on. */
static bp_status open_one(bp_call *call, struct postgres_pool *pool, struct postgres_connection **connection)
{
    bp_status status = postgres_connect(call, pool, connection);

    if (status != BP_OK) {
        give_place(pool);
        return status;
    }
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
static bp_status take_any(bp_call *call, struct postgres_pool *pool, struct postgres_connection **connection)
{
    struct postgres_waiter waiter = { .connection = NULL };

    if (!pool->first && (*connection = pop_idle(pool)))
        return BP_OK;
    if (pool->first || pool->open >= (uint32_t)pool->options->pool_max) {
        BP_TRY(wait_turn(call, pool, &waiter));
        *connection = waiter.connection;
        if (*connection)
            return BP_OK;
    } else {
        add_open(pool, 1);
    }
    return open_one(call, pool, connection);
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
        status = !is_alive(connection)   ? BP_UNAVAILABLE
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
            return bp_fail(call, over, "the call was over before a connection to PostgreSQL was ready");
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
    if (pool->is_stopping || (is_too_old(pool, connection) && !connection->is_dirty)) {
        postgres_close(connection);
        give_place(pool);
        return;
    }
    give_idle(pool, connection);
}

/* ---- tending ---- */

static void close_idle(struct postgres_pool *pool)
{
    struct postgres_connection **at = &pool->idle;
    int64_t                      now_ns = bp_now_ns(), timeout_ns = pool->options->idle_timeout_ns;

    while (*at) {
        struct postgres_connection *one = *at;
        bool is_idle = timeout_ns && now_ns - one->idle_since_ns > timeout_ns && pool->open > (uint32_t)pool->options->pool_min;

        if (!is_idle && !is_too_old(pool, one)) {
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
    while (!pool->is_stopping && pool->open < (uint32_t)pool->options->pool_min) {
        struct postgres_connection *connection = NULL;

        add_open(pool, 1);
        BP_TRY(open_one(call, pool, &connection));
        give_idle(pool, connection);
    }
    return BP_OK;
}
