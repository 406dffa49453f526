/* instance.c - a health check: does another instance of the conf answer something cheap? */
#include <backplane/cache.h>
#include <backplane/embed.h>
#include <backplane/health.h>
#include <backplane/llm.h>
#include <backplane/plugin.h>
#include <backplane/storage.h>
#include <backplane/vector.h>

#include <math.h>

/* Exactly one is given. */
struct instance_check {
    const bp_peer *storage, *cache, *vector, *embed, *llm;
    const bp_peer *target;
    bp_status (*ask)(bp_call *call, const bp_peer *peer, bp_str *said);
};

static bp_status ask_storage(bp_call *call, const bp_peer *peer, bp_str *said)
{
    bp_storage_stats stats = { .struct_size = sizeof(stats) };

    BP_TRY(((const bp_storage_ops *)peer->ops)->stats(call, peer->instance, &stats));
    *said = bp_format(call, BP_FMT ", %u of %u connections in use", BP_ARG(stats.engine),
                      stats.connections_in_use, stats.connections_max);
    return BP_OK;
}

static bp_status ask_cache(bp_call *call, const bp_peer *peer, bp_str *said)
{
    bp_cache_stats stats = { .struct_size = sizeof(stats) };

    BP_TRY(((const bp_cache_ops *)peer->ops)->stats(call, peer->instance, &stats));
    *said = bp_format(call, "%lld entries", (long long)stats.entries);
    return BP_OK;
}

static bp_status ask_vector(bp_call *call, const bp_peer *peer, bp_str *said)
{
    const bp_vector_info *collections;
    size_t                count;

    BP_TRY(((const bp_vector_ops *)peer->ops)->list(call, peer->instance, &collections, &count));
    *said = bp_format(call, "%zu collection%s", count, count == 1 ? "" : "s");
    return BP_OK;
}

static bp_status ask_embed(bp_call *call, const bp_peer *peer, bp_str *said)
{
    bp_embed_info info;

    BP_TRY(bp_embed_info_of(call, peer, &info));
    *said = bp_format(call, "model " BP_FMT " with %u dimensions", BP_ARG(info.model),
                      info.dimensions);
    return BP_OK;
}

static bp_status ask_llm(bp_call *call, const bp_peer *peer, bp_str *said)
{
    const bp_model *models;
    size_t          size, count;

    BP_TRY(bp_llm_of(peer)->models(call, peer->instance, &models, &size, &count));
    *said = bp_format(call, "%zu model%s", count, count == 1 ? "" : "s");
    return BP_OK;
}

static bp_status start(bp_call *call, void *instance, void *shared)
{
    struct instance_check *check = instance;
    const struct {
        const bp_peer *peer;
        bp_status (*ask)(bp_call *call, const bp_peer *peer, bp_str *said);
    } given[] = { { check->storage, ask_storage },
                  { check->cache, ask_cache },
                  { check->vector, ask_vector },
                  { check->embed, ask_embed },
                  { check->llm, ask_llm } };

    (void)shared;
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        if (!given[i].peer)
            continue;
        if (check->target)
            return bp_fail(call, BP_INVALID,
                           "a check looks at one instance: give one of storage, cache, vector, "
                           "embed, llm, and write a second check for the other");
        check->target = given[i].peer;
        check->ask = given[i].ask;
    }
    if (!check->target)
        return bp_fail(call, BP_INVALID,
                       "nothing to check: give one of storage, cache, vector, embed, llm");
    return BP_OK;
}

static bp_status instance_ask(bp_call *call, void *instance, bp_health *health)
{
    const struct instance_check *check = instance;
    const bp_peer               *peer = check->target;
    int64_t                      before_ns = bp_now_ns();
    bp_str                       said = { "", 0 };
    bp_status                    status = check->ask(call, peer, &said);

    health->value = NAN;
    if (status == BP_CANCELLED)
        return status;
    if (status == BP_UNSUPPORTED) // it is there, but has no such operation
        said = BP_STR("it cannot be asked more");
    else if (status != BP_OK)
        return bp_health_say(call, health, status == BP_LIMIT ? BP_HEALTH_DEGRADED : BP_HEALTH_DOWN,
                             BP_FMT "." BP_FMT ": " BP_FMT, BP_ARG(peer->kind), BP_ARG(peer->name),
                             BP_ARG(bp_error_of(call)->message));
    health->value = (double)(bp_now_ns() - before_ns) / 1e9;
    health->unit = BP_STR("seconds");
    return bp_health_say(call, health, BP_HEALTH_OK, BP_FMT "." BP_FMT " answers: " BP_FMT,
                         BP_ARG(peer->kind), BP_ARG(peer->name), BP_ARG(said));
}

static const bp_option options[] = {
    BP_OPTION_REF(struct instance_check, storage, "storage", .example = "main",
                  .help = "ask this storage for its figures"),
    BP_OPTION_REF(struct instance_check, cache, "cache", .example = "main",
                  .help = "ask this cache for its figures"),
    BP_OPTION_REF(struct instance_check, vector, "vector", .example = "docs",
                  .help = "ask this vector store for its collections"),
    BP_OPTION_REF(struct instance_check, embed, "embed", .example = "main",
                  .help = "ask this embedder for its model"),
    BP_OPTION_REF(struct instance_check, llm, "llm", .example = "ollama",
                  .help = "ask this LLM provider for its models"),
};

static const bp_life life = { .struct_size = sizeof(bp_life), .worker_start = start };

static const bp_health_ops ops = { .struct_size = sizeof(bp_health_ops), .check = instance_ask };

BP_PLUGIN(health, "instance", "1.0.0",
          .summary = "checks that another instance of the conf answers", .license = "Apache-2.0",
          .instance_size = sizeof(struct instance_check), .options = BP_TABLE(options),
          .life = &life, .ops = &ops)
