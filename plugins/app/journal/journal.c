/* journal.c - the app `journal`: its options, routes and life; tools and resources stand in
 * tables.c, prompts in prompts.c. */
#include "journal.h"

static const bp_option options[] = {
    BP_OPTION_REF(struct journal, storage, "storage", .is_required = true,
                  .help = "storage for the journal"),
    BP_OPTION_REF(struct journal, vector, "vector", .is_required = true,
                  .help = "vector store that searches memories"),
    BP_OPTION_REF(struct journal, embed, "embed", .is_required = true,
                  .help = "embedder for memories"),
    BP_OPTION_REFS(struct journal, llm, "llm",
                   .help = "LLM providers that write reflections if the client lends no model; the "
                           "next one is asked when one fails"),
    BP_OPTION_STRING(struct journal, collection, .initial = "memory_embeddings",
                     .help = "collection in the vector store"),
    BP_OPTION_PATH(struct journal, backups, .initial = "backups", .choices = BP_PATH_NEW_FOLDER,
                   .help = "directory for the backups made before an operator closes sessions"),
    BP_OPTION_DURATION(struct journal, min_session, .initial = "30m", .minimum = "1m",
                       .maximum = "1d", .help = "shortest session that gets a reflection"),
    BP_OPTION_DURATION(struct journal, idle_timeout, .initial = "2h", .minimum = "0",
                       .maximum = "30d",
                       .help = "idle time after which a session ends, as of its last activity; "
                               "off: never"),
    BP_OPTION_INT(struct journal, reflection_tokens, .initial = "150", .minimum = "50",
                  .maximum = "2000", .help = "most tokens of a reflection"),
    BP_OPTION_INT(struct journal, summary_tokens, .initial = "200", .minimum = "50",
                  .maximum = "2000", .help = "most tokens of a daily summary"),
};

static const char close_schema[] = "{\"type\":\"object\",\"required\":[\"stuck\"],\"properties\":{"
                                   "\"stuck\":{\"type\":\"string\","
                                   "\"description\":\"8h, 90m, 2d\"}}}";
static const char any_object[] = "{\"type\":\"object\"}";

static const bp_route routes[] = {
    { .method = "GET",
      .path = "/api/journal/sessions",
      .handler = sessions_get,
      .scope = "journal:read",
      .summary = "Sessions that are open",
      .query = "stuck: only those that began so long ago, as 8h",
      .response_schema = any_object },
    { .method = "POST",
      .path = "/api/journal/sessions/close",
      .handler = sessions_close,
      .scope = "journal:admin",
      .summary = "Makes a backup, then ends the sessions that are older than a given age",
      .request_schema = close_schema,
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(300) },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .migrations = store_migrations,
    .migration_count = STORE_MIGRATIONS,
    BP_COMMANDS(journal_commands),
    BP_MCP_TOOLS(journal_tools),
    BP_MCP_RESOURCES(journal_resources),
    BP_MCP_PROMPTS(journal_prompts),
    .instructions = "A work journal. Begin with start_working_on and end with end_work_session, "
                    "with the lessons learnt. Keep decisions with log_decision and look for "
                    "earlier "
                    "ones with search_memory before deciding again.",
};

/* What nobody asks for: forgotten sessions end, missing points are made, gauges are brought up to
 * date. Each goes on when another fails. */
static bp_status keep_up(bp_call *call, void *instance)
{
    struct journal  *self = instance;
    bp_storage_stats stats = { .struct_size = sizeof(stats) };
    bp_status        ended = sessions_end_idle(call, self), indexed, counted;

    sessions_count_active(call, self);
    if (bp_storage_of(self->storage)->stats(call, self->storage->instance, &stats) == BP_OK)
        metric_count(self, DB_CONNECTIONS, NULL, NULL, stats.connections_in_use);
    indexed = memories_index_missing(call, self);
    counted = memories_count(call, self);
    return ended != BP_OK ? ended : indexed != BP_OK ? indexed : counted;
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct journal *self = instance;

    (void)shared;
    BP_TRY(metrics_define(call, self));
    return bp_worker_index(call) == 0 ? bp_every(call, "keep_up", BP_SECONDS(15), keep_up, self)
                                      : BP_OK;
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .worker_start = worker_start,
};

BP_PLUGIN(app, "journal", "1.0.0",
          .summary = "keeps a work journal for models: sessions, decisions, tasks, reflections, "
                     "searched by meaning",
          .license = "Apache-2.0", .instance_size = sizeof(struct journal),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
