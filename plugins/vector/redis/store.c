/* store.c - the vector store on Redis: its options and its life. */
#include "store.h"

#include <stdlib.h>

#include "scripts.h"

static bp_status check(bp_call *call, const void *options)
{
    const struct redis_store *store = options;

    if (store->prefix.len > 128 ||
        (store->prefix.len && memchr(store->prefix.data, '{', store->prefix.len)))
        return bp_fail(call, BP_INVALID,
                       "prefix: at most 128 bytes and no { in them, which a cluster would obey");
    return redis_check(call, &store->redis);
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct redis_store *store = instance;

    (void)shared;
    store->create.source = create_script;
    store->upsert.source = upsert_script;
    store->remove.source = remove_script;
    store->drop.source = drop_script;
    store->clear.source = clear_script;
    BP_TRY(tokens_open(call, &store->tokens));
    if (redis_client_new(call, &store->redis, "vector_redis", &store->client) == BP_OK)
        return BP_OK;
    tokens_close(store->tokens);
    store->tokens = NULL;
    return bp_error_of(call)->status;
}

static void worker_stop(bp_call *call, void *instance)
{
    struct redis_store *store = instance;

    (void)call;
    redis_client_free(store->client);
    tokens_close(store->tokens);
    for (size_t i = 0; i < RECORDS_MAX; i++)
        free(store->records[i]);
}

static const bp_option options[] = {
    REDIS_OPTIONS(struct redis_store),
    BP_OPTION_STRING(struct redis_store, prefix, .initial = "bp:",
                     .help = "prefix of every key, so that several deployments can share a server"),
    BP_OPTION_ENUM(struct redis_store, index, .initial = "auto", .choices = "auto|hnsw|flat|exact",
                   .help = "index of new collections: hnsw and flat need the module RediSearch, "
                           "exact reads all vectors at each search, auto is hnsw with the module "
                           "and exact without it"),
    BP_OPTION_INT(struct redis_store, m, .initial = "16", .minimum = "4", .maximum = "128",
                  .help = "hnsw: neighbours of a point; more find more and take more memory"),
    BP_OPTION_INT(struct redis_store, ef_construction, .initial = "200", .minimum = "8",
                  .maximum = "4096",
                  .help = "hnsw: effort of the search for a point's neighbours when it is written"),
    BP_OPTION_INT(struct redis_store, ef_runtime, .initial = "128", .minimum = "8",
                  .maximum = "4096", .help = "hnsw: effort of a search, unless the query sets it"),
};

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = check,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
};

static const bp_vector_ops ops = {
    .struct_size = sizeof(bp_vector_ops),
    .create = store_create,
    .drop = store_drop,
    .list = store_list,
    .upsert = store_upsert,
    .remove = store_remove,
    .search = store_search,
    .count = store_count,
    .scroll = store_scroll,
    .owner = store_owner,
};

BP_PLUGIN(vector, "redis", "1.0.0",
          .summary = "vectors, words and metadata on a Redis server, with RediSearch's index if "
                     "available",
          .license = "Apache-2.0", .instance_size = sizeof(struct redis_store),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
