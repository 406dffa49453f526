/* store.c - the vector store on pgvector: its options, its life. */
#include "pgvector.h"

#include <stdlib.h>

static bp_status store_check(bp_call *call, const void *options)
{
    return postgres_options_check(call, &((const struct store *)options)->options);
}

static void store_shared_destroy(bp_call *call, void *arg)
{
    struct shared *shared = arg;

    (void)call;
    if (!shared)
        return;
    tokens_close(shared->tokens);
    postgres_target_free(shared->target);
    free(shared);
}

static bp_status store_shared_create(bp_call *call, const void *options, void **out)
{
    const struct store *given = options;
    struct shared      *shared = calloc(1, sizeof(*shared));
    bp_status           status;

    if (!shared)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    status = postgres_target_new(call, &given->options, "backplane-vectors", &shared->target);
    if (status == BP_OK)
        status = tokens_open(call, &shared->tokens);
    if (status != BP_OK) {
        store_shared_destroy(call, shared);
        return status;
    }
    *out = shared;
    return BP_OK;
}

static bp_status tend(bp_call *call, void *arg)
{
    struct store *store = arg;

    BP_TRY(postgres_pool_tend(call, &store->pool));
    return collections_tend(call, store);
}

static bp_status store_worker_start(bp_call *call, void *instance, void *shared)
{
    struct store *store = instance;

    store->shared = shared;
    store->worker = bp_worker_index(call);
    BP_TRY(
        postgres_pool_start(call, &store->pool, &store->options, store->shared->target, "vectors"));
    return bp_every(call, "pgvector-tend", BP_SECONDS(5), tend, store);
}

static void store_worker_stop(bp_call *call, void *instance)
{
    struct store *store = instance;

    (void)call;
    collections_forget(store);
    graph_leave(store);
    postgres_pool_stop(&store->pool);
}

static const bp_option options[] = {
    POSTGRES_OPTIONS(struct store, options),
    BP_OPTION_INT(struct store, graph_after, .initial = "2000", .minimum = "0",
                  .maximum = "1000000000",
                  .help = "points from which a collection gets an HNSW graph; below, and always "
                          "with 0, a search reads every vector and is exact"),
    BP_OPTION_INT(struct store, m, .initial = "16", .minimum = "2", .maximum = "100",
                  .help = "neighbours of a point in the graph; more find more and take more space"),
    BP_OPTION_INT(struct store, ef_construction, .initial = "64", .minimum = "4", .maximum = "1000",
                  .help = "candidates during a graph's build, at least twice m; more make a better "
                          "graph, more slowly"),
    BP_OPTION_INT(struct store, ef_search, .initial = "100", .minimum = "1", .maximum = "1000",
                  .help = "candidates of a search, unless the query asks for more effort"),
    BP_OPTION_BOOL(struct store, half_precision, .initial = "false",
                   .help = "keeps vectors of new collections in 16 bits a number: half the room, "
                           "graphs up to 4,000 dimensions"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = store_check,
    .shared_create = store_shared_create,
    .worker_start = store_worker_start,
    .worker_stop = store_worker_stop,
    .shared_destroy = store_shared_destroy,
};

static const bp_vector_ops ops = {
    .struct_size = sizeof(bp_vector_ops),
    .create = pgvector_create,
    .drop = pgvector_drop,
    .list = pgvector_list,
    .upsert = pgvector_upsert,
    .remove = pgvector_remove,
    .search = pgvector_search,
    .count = pgvector_count,
    .scroll = pgvector_scroll,
    .owner = pgvector_owner,
};

BP_PLUGIN(vector, "pgvector", "1.0.0",
          .summary = "vectors, words and metadata on PostgreSQL with pgvector, for any number of "
                     "processes",
          .license = "Apache-2.0", .instance_size = sizeof(struct store),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
