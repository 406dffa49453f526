/* store.c - the PostgreSQL storage plugin: its options, its life. */
#include "store.h"

#include <stdlib.h>

static struct postgres_options options_of_replica(const struct store *given)
{
    struct postgres_options options = given->options;

    options.url = given->replica;
    return options;
}

static bp_status store_check(bp_call *call, const void *options)
{
    const struct store     *given = options;
    struct postgres_options replica = options_of_replica(given);

    BP_TRY(postgres_options_check(call, &given->options));
    for (size_t i = 0; i < given->hypertables.count; i++) {
        bp_str      entry = given->hypertables.items[i];
        const char *colon = memchr(entry.data, ':', entry.len);

        if (!colon || colon == entry.data || colon + 1 == entry.data + entry.len)
            return bp_fail(call, BP_INVALID,
                           "hypertables: \"" BP_FMT "\" is not written table:time_column",
                           BP_ARG(entry));
    }
    if (!given->replica.len)
        return BP_OK;
    if (postgres_options_check(call, &replica) == BP_OK)
        return BP_OK;
    return bp_fail(call, BP_INVALID, "replica: " BP_FMT,
                   BP_ARG(bp_dup(call, bp_error_of(call)->message)));
}

static void store_shared_destroy(bp_call *call, void *arg)
{
    struct shared *shared = arg;

    (void)call;
    if (!shared)
        return;
    postgres_target_free(shared->primary);
    postgres_target_free(shared->replica);
    free(shared);
}

static bp_status store_shared_create(bp_call *call, const void *options, void **out)
{
    const struct store     *given = options;
    struct postgres_options replica = options_of_replica(given);
    struct shared          *shared = calloc(1, sizeof(*shared));
    bp_status               status;

    if (!shared)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    status = postgres_target_new(call, &given->options, "backplane", &shared->primary);
    if (status == BP_OK && given->replica.len)
        status = postgres_target_new(call, &replica, "backplane-replica", &shared->replica);
    if (status != BP_OK) {
        store_shared_destroy(call, shared);
        return status;
    }
    *out = shared;
    return BP_OK;
}

/* ---- upkeep ---- */

static bp_status tend(bp_call *call, void *arg)
{
    struct store *store = arg;
    bp_status     status = postgres_pool_tend(call, &store->pool);

    if (!store->shared->replica)
        return status;
    if (status == BP_OK)
        status = postgres_pool_tend(call, &store->replica_pool);
    return status == BP_OK ? replica_measure(call, store) : status;
}

static bp_status store_worker_start(bp_call *call, void *instance, void *shared)
{
    struct store *store = instance;

    store->shared = shared;
    store->replica_options = options_of_replica(store);
    BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_retries_total",
                            "Statements retried because another transaction was in the way or a "
                            "connection broke.",
                            "", &store->retries));
    BP_TRY(postgres_pool_start(call, &store->pool, &store->options, store->shared->primary,
                               "primary"));
    if (store->shared->replica) {
        BP_TRY(bp_metric_define(call, BP_GAUGE, "backplane_postgres_replica_lag_seconds",
                                "Lag of the replica behind the primary; -1: not known.", "",
                                &store->lag));
        BP_TRY(bp_metric_define(call, BP_COUNTER, "backplane_postgres_reads_total",
                                "Reads, by the server that answered.", "pool", &store->reads));
        BP_TRY(postgres_pool_start(call, &store->replica_pool, &store->replica_options,
                                   store->shared->replica, "replica"));
    }
    return bp_every(call, "postgres-tend", store->shared->replica ? BP_SECONDS(1) : BP_SECONDS(5),
                    tend, store);
}

static void store_worker_stop(bp_call *call, void *instance)
{
    struct store *store = instance;

    (void)call;
    postgres_pool_stop(&store->pool);
    postgres_pool_stop(&store->replica_pool);
}

/* ---- stats ---- */

static bp_status store_stats(bp_call *call, void *instance, bp_storage_stats *stats)
{
    struct store               *store = instance;
    struct postgres_connection *connection;
    bp_rows                     rows = { .struct_size = sizeof(rows) };
    bp_status                   status;

    BP_TRY(postgres_take(call, &store->pool, &connection));
    status = store_run(call, connection,
                       "SELECT pg_database_size(current_database()), "
                       "current_setting('server_version')",
                       NULL, 0, &rows);
    postgres_give(connection);
    BP_TRY(status);
    stats->connections_in_use = (uint32_t)atomic_load(&store->shared->primary->counts.in_use);
    if (store->shared->replica)
        stats->connections_in_use += (uint32_t)atomic_load(&store->shared->replica->counts.in_use);
    stats->connections_max = (uint32_t)store->options.pool_max * bp_worker_count(call) *
                             (store->shared->replica ? 2 : 1);
    stats->size_bytes = rows.values[0].integer;
    stats->engine = bp_format(call, "PostgreSQL " BP_FMT, BP_ARG(rows.values[1].text));
    return BP_OK;
}

/* ---- the plugin ---- */

static const bp_option options[] = {
    POSTGRES_OPTIONS(struct store, options),
    BP_OPTION_URL(struct store, replica, .choices = POSTGRES_SCHEMES, .example = "${REPLICA_URL}",
                  .help = "a streaming replica for SELECTs outside transactions; unset: none"),
    BP_OPTION_DURATION(struct store, replica_lag, .initial = "2s", .minimum = "100ms",
                       .maximum = "1h",
                       .help = "largest lag of a replica that is used; measured every second"),
    BP_OPTION_LIST(struct store, hypertables, .example = "[gateway_usage:at_wall_ns]",
                   .help = "table:column of times in nanoseconds; become hypertables if "
                           "TimescaleDB is installed"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = store_check,
    .shared_create = store_shared_create,
    .worker_start = store_worker_start,
    .worker_stop = store_worker_stop,
    .shared_destroy = store_shared_destroy,
};

static const bp_storage_ops ops = {
    .struct_size = sizeof(bp_storage_ops),
    .exec = store_exec,
    .query = store_query,
    .batch = store_batch,
    .begin = store_begin,
    .commit = store_commit,
    .rollback = store_rollback,
    .migrate = store_migrate,
    .stats = store_stats,
    .inspect = store_inspect,
    .maintain = store_maintain,
    .listen = store_listen,
    .notify = store_notify,
};

BP_PLUGIN(storage, "postgres", "1.0.0",
          .summary = "SQL on a PostgreSQL server, for any number of processes",
          .license = "Apache-2.0", .instance_size = sizeof(struct store),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
