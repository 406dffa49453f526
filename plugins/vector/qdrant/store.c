/* store.c - vector/qdrant: its options, its life, its operations. */
#include "qdrant.h"

#include <stdlib.h>

#include <backplane/plugin.h>

#include "filters/filters.h"

struct shared {
    struct statistics   *statistics;
    struct token_source *tokens;
    atomic_uint          known;
};

static bp_status check_options(bp_call *call, const void *given)
{
    static const char *const types[] = { "keyword", "integer", "float", "bool", "datetime" };
    const struct qdrant     *db = given;

    for (size_t i = 0; i < db->prefix.len; i++) {
        char c = db->prefix.data[i];
        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
              c == '-' || c == '.'))
            return bp_fail(call, BP_INVALID, "prefix: only letters, digits and _ - . may be in it");
    }
    for (size_t i = 0; i < db->indexes.count; i++) {
        bool is_type = false;
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
            is_type |= bp_str_is(db->indexes.items[i].value, types[t]);
        if (!filters_is_field(db->indexes.items[i].name) || !is_type)
            return bp_fail(call, BP_INVALID,
                           "indexes: " BP_FMT ": " BP_FMT
                           " is not a field and one of keyword, integer, float, bool, datetime",
                           BP_ARG(db->indexes.items[i].name), BP_ARG(db->indexes.items[i].value));
    }
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *state)
{
    struct shared *shared = state;

    (void)call;
    statistics_free(shared->statistics);
    tokens_close(shared->tokens);
    free(shared);
}

static bp_status shared_create(bp_call *call, const void *options, void **out)
{
    struct shared *shared = calloc(1, sizeof(*shared));
    bp_status      status;

    (void)options;
    if (!shared)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a store");
    shared->statistics = statistics_new();
    status = shared->statistics
                 ? tokens_open(call, &shared->tokens)
                 : bp_fail(call, BP_NO_MEMORY, "no memory for the statistics of words");
    if (status != BP_OK) {
        shared_destroy(call, shared);
        return status;
    }
    *out = shared;
    return BP_OK;
}

static bp_status worker_start(bp_call *call, void *instance, void *state)
{
    struct qdrant *db = instance;
    struct shared *shared = state;

    (void)call;
    while (db->url.len && db->url.data[db->url.len - 1] == '/')
        db->url.len--;
    db->statistics = shared->statistics;
    db->tokens = shared->tokens;
    db->known = &shared->known;
    return BP_OK;
}

static const bp_option options[] = {
    BP_OPTION_URL(struct qdrant, url, .initial = "http://127.0.0.1:6333",
                  .example = "https://qdrant.example:6333", .help = "the server's REST interface"),
    BP_OPTION_SECRET(struct qdrant, api_key,
                     .help = "sent as the header api-key; empty: no such header"),
    BP_OPTION_PATH(struct qdrant, ca, .choices = BP_PATH_PEM, .example = "/etc/ssl/qdrant-ca.pem",
                   .help = "certificates to trust for https://, in PEM; unset: those that this "
                           "machine trusts"),
    BP_OPTION_STRING(struct qdrant, prefix, .example = "staging-",
                     .help = "prefix of the names of collections, for servers that several "
                             "deployments share"),
    BP_OPTION_DURATION(struct qdrant, timeout, .initial = "30s", .minimum = "10ms",
                       .maximum = "10m", .help = "longest wait for the beginning of an answer"),
    BP_OPTION_SIZE(struct qdrant, batch, .initial = "8MiB", .minimum = "64KiB", .maximum = "32MiB",
                   .help = "approximate bytes of one write request; the server's default limit is "
                           "32 MiB"),
    BP_OPTION_DURATION(struct qdrant, statistics, .initial = "5s", .minimum = "0s", .maximum = "1h",
                       .help = "how long cached counts of words are used; own writes count at "
                               "once"),
    BP_OPTION_MAP(struct qdrant, indexes, .example = "{ year: float, lang: keyword }",
                  .help = "fields of the metadata that new collections index: keyword, integer, "
                          "float, bool or datetime"),
    BP_OPTION_ENUM(struct qdrant, quantisation, .initial = "none", .choices = "none|scalar|binary",
                   .help = "quantisation of vectors in new collections: scalar takes a quarter of "
                           "the memory, binary a 32nd"),
    BP_OPTION_BOOL(struct qdrant, on_disk, .initial = "false",
                   .help = "new collections keep vectors and words on disk"),
    BP_OPTION_INT(struct qdrant, hnsw_m, .initial = "0", .minimum = "0", .maximum = "256",
                  .help = "links per point in the graph of new collections; 0: the server's "
                          "default"),
    BP_OPTION_INT(struct qdrant, hnsw_ef, .initial = "0", .minimum = "0", .maximum = "10000",
                  .help = "candidates during that graph's build; 0: the server's default"),
    BP_OPTION_INT(struct qdrant, shards, .initial = "0", .minimum = "0", .maximum = "1024",
                  .help = "shards of new collections; 0: the server's default"),
    BP_OPTION_INT(struct qdrant, replicas, .initial = "0", .minimum = "0", .maximum = "64",
                  .help = "copies of each shard of new collections; 0: the server's default"),
    BP_OPTION_INT(struct qdrant, write_consistency, .initial = "0", .minimum = "0", .maximum = "64",
                  .help = "copies that must confirm a write; 0: the server's default"),
    BP_OPTION_ENUM(struct qdrant, write_ordering, .initial = "weak",
                   .choices = "weak|medium|strong", .help = "order of writes to several copies"),
    BP_OPTION_ENUM(struct qdrant, read_consistency, .initial = "one",
                   .choices = "one|majority|quorum|all", .help = "copies that a search reads"),
};

static const bp_life life = { .struct_size = sizeof(bp_life),
                              .check = check_options,
                              .shared_create = shared_create,
                              .worker_start = worker_start,
                              .shared_destroy = shared_destroy };

static const bp_vector_ops ops = {
    .struct_size = sizeof(bp_vector_ops),
    .create = qdrant_create,
    .drop = qdrant_drop,
    .list = qdrant_list,
    .upsert = qdrant_upsert,
    .remove = qdrant_remove,
    .search = qdrant_search,
    .count = qdrant_count,
    .scroll = qdrant_scroll,
    .snapshot = qdrant_snapshot,
    .owner = qdrant_owner,
};

BP_PLUGIN(vector, "qdrant", "1.0.0",
          .summary = "a vector store in a Qdrant server: vectors and words in one collection, "
                     "filters, snapshots",
          .license = "Apache-2.0", .instance_size = sizeof(struct qdrant),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
