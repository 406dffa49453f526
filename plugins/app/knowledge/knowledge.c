/* knowledge.c - the app `knowledge`: its options, tools, routes and life. */
#include "knowledge.h"

static const bp_option options[] = {
    BP_OPTION_REF(struct knowledge, storage, "storage", .is_required = true,
                  .help = "storage for graphs and items"),
    BP_OPTION_SIZE(struct knowledge, memory, .initial = "64MiB", .minimum = "1MiB",
                   .maximum = "64GiB",
                   .help = "memory for graphs in use; the least recently used one makes room, and "
                           "a larger graph is read from the storage, more slowly"),
    BP_OPTION_DURATION(struct knowledge, refresh, .initial = "1s", .minimum = "0", .maximum = "1h",
                       .help = "longest time until writes of other processes are visible"),
    BP_OPTION_SECRET(struct knowledge, key, .example = "${file:/run/secrets/items.key}",
                     .help = "64 hexadecimal digits; items of /store are encrypted with "
                             "AES-256-GCM, graphs never are"),
    BP_OPTION_SIZE(struct knowledge, item, .initial = "1MiB", .minimum = "1KiB", .maximum = "16MiB",
                   .help = "most bytes of one item's data"),
};

/* ---- what the tools take and give ---- */

#define NAMED(name_, help_)                                                                        \
    {                                                                                              \
        .name = name_, .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED, .help = help_       \
    }
#define TEXTS_OF(name_, help_)                                                                     \
    {                                                                                              \
        .name = name_, .type = BP_PARAM_TYPE_TEXTS, .flags = BP_PARAM_REQUIRED, .help = help_      \
    }
/* A list that has to be given, of objects without other members. */
#define LIST_OF(name_, fields_)                                                                    \
    BP_PARAM_OF(BP_PARAM_TYPE_OBJECTS, struct asked, items, name_,                                 \
                .flags = BP_PARAM_REQUIRED | BP_PARAM_CLOSED, BP_PARAM_FIELDS(fields_))
#define CLOSED(rows_) BP_PARAMS_WITH(struct asked, rows_, .flags = BP_PARAM_CLOSED)

static const bp_param entity_fields[] = {
    NAMED("name", "The name of the entity"),
    NAMED("entityType", "The type of the entity"),
    TEXTS_OF("observations", "Facts about the entity, one each"),
};
static const bp_param relation_fields[] = {
    NAMED("from", "The name of the entity where it begins"),
    NAMED("to", "The name of the entity where it ends"),
    NAMED("relationType", "What the first one does to the second, in active voice"),
};
static const bp_param addition_fields[] = {
    NAMED("entityName", "The entity that they are about"),
    TEXTS_OF("contents", NULL),
};
static const bp_param deletion_fields[] = {
    NAMED("entityName", "The entity that they are about"),
    TEXTS_OF("observations", NULL),
};
static const bp_param entities_rows[] = { LIST_OF("entities", entity_fields) };
static const bp_param relations_rows[] = { LIST_OF("relations", relation_fields) };
static const bp_param additions_rows[] = { LIST_OF("observations", addition_fields) };
static const bp_param deletions_rows[] = { LIST_OF("deletions", deletion_fields) };
static const bp_param entity_names_rows[] = {
    BP_PARAM_OF(BP_PARAM_TYPE_TEXTS, struct asked, items, "entityNames",
                .flags = BP_PARAM_REQUIRED),
};
#define CURSOR                                                                                     \
    BP_PARAM_TEXT(struct asked, cursor,                                                            \
                  .help = "nextCursor of the previous answer, to continue after it")
static const bp_param cursor_rows[] = { CURSOR };
static const bp_param query_rows[] = {
    BP_PARAM_TEXT(struct asked, query, .flags = BP_PARAM_REQUIRED,
                  .help = "Text to search for; upper and lower case are the same"),
    CURSOR,
};
static const bp_param names_rows[] = {
    BP_PARAM_TEXTS(struct asked, names, .flags = BP_PARAM_REQUIRED),
    CURSOR,
};

const bp_params entities_params = CLOSED(entities_rows);
const bp_params relations_params = CLOSED(relations_rows);
const bp_params additions_params = CLOSED(additions_rows);
const bp_params deletions_params = CLOSED(deletions_rows);
const bp_params entity_names_params = CLOSED(entity_names_rows);
const bp_params query_params = CLOSED(query_rows);
const bp_params names_params = CLOSED(names_rows);
const bp_params cursor_params = BP_PARAMS_WITH(struct asked, cursor_rows, .flags = BP_PARAM_CLOSED,
                                               .schema = "{\"required\":[]}");

static const bp_param graph_rows[] = {
    LIST_OF("entities", entity_fields),
    LIST_OF("relations", relation_fields),
    { .name = "nextCursor",
      .type = BP_PARAM_TYPE_TEXT,
      .help = "The answer continues: ask again with this value as cursor" },
};
static const bp_param done_rows[] = {
    { .name = "success", .type = BP_PARAM_TYPE_BOOLEAN, .flags = BP_PARAM_REQUIRED },
    NAMED("message", NULL),
};
static const bp_param added_fields[] = {
    NAMED("entityName", NULL),
    TEXTS_OF("addedObservations", NULL),
};
static const bp_param added_rows[] = { LIST_OF("results", added_fields) };

static const bp_params graph = BP_PARAMS_ONLY_WITH(graph_rows, .flags = BP_PARAM_CLOSED);
static const bp_params done = BP_PARAMS_ONLY_WITH(done_rows, .flags = BP_PARAM_CLOSED);
static const bp_params added = BP_PARAMS_ONLY_WITH(added_rows, .flags = BP_PARAM_CLOSED);

#define READ  "knowledge:read"
#define WRITE "knowledge:write"

static const bp_mcp_tool tools[] = {
    { .name = "create_entities",
      .title = "Create Entities",
      .description = "Create new entities in the knowledge graph; existing entities of the same "
                     "name stay as they are",
      .params = &entities_params,
      .results = &entities_params,
      .handler = tool_create_entities,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "create_relations",
      .title = "Create Relations",
      .description = "Create relations between entities of the knowledge graph. Write relations in "
                     "the active voice",
      .params = &relations_params,
      .results = &relations_params,
      .handler = tool_create_relations,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "add_observations",
      .title = "Add Observations",
      .description = "Add observations to existing entities of the knowledge graph",
      .params = &additions_params,
      .results = &added,
      .handler = tool_add_observations,
      .scope = WRITE,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "delete_entities",
      .title = "Delete Entities",
      .description = "Delete entities from the knowledge graph, with their relations",
      .params = &entity_names_params,
      .results = &done,
      .handler = tool_delete_entities,
      .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT },
    { .name = "delete_observations",
      .title = "Delete Observations",
      .description = "Delete observations of entities in the knowledge graph",
      .params = &deletions_params,
      .results = &done,
      .handler = tool_delete_observations,
      .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT },
    { .name = "delete_relations",
      .title = "Delete Relations",
      .description = "Delete relations from the knowledge graph",
      .params = &relations_params,
      .results = &done,
      .handler = tool_delete_relations,
      .scope = WRITE,
      .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_IDEMPOTENT },
    { .name = "read_graph",
      .title = "Read Graph",
      .description = "Read the whole knowledge graph; a large one comes in parts, and each part "
                     "but the last has nextCursor",
      .params = &cursor_params,
      .results = &graph,
      .handler = tool_read_graph,
      .scope = READ,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "search_nodes",
      .title = "Search Nodes",
      .description = "Search entities by a text in their name, type or observations; their "
                     "relations come with them",
      .params = &query_params,
      .results = &graph,
      .handler = tool_search_nodes,
      .scope = READ,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "open_nodes",
      .title = "Open Nodes",
      .description = "Get entities by name, with their relations",
      .params = &names_params,
      .results = &graph,
      .handler = tool_open_nodes,
      .scope = READ,
      .flags = BP_TOOL_READ_ONLY },
};

static const bp_mcp_resource resources[] = {
    { .uri = GRAPH_URI,
      .name = "knowledge-graph",
      .title = "Knowledge Graph",
      .description = "All entities and relations",
      .mime_type = "application/json",
      .handler = resource_graph,
      .scope = READ },
};

static const bp_param store_rows[] = {
    NAMED("user_id", NULL),
    { .name = "memory_type",
      .type = BP_PARAM_TYPE_ANY,
      .flags = BP_PARAM_REQUIRED,
      .choices = "conversation|facts|preferences|context" },
    { .name = "data", .type = BP_PARAM_TYPE_ANY, .flags = BP_PARAM_REQUIRED },
    { .name = "ttl_hours",
      .type = BP_PARAM_TYPE_NUMBER,
      .flags = BP_PARAM_NULLABLE,
      .schema = "{\"exclusiveMinimum\":0}" },
};
static const bp_param id_rows[] = { NAMED("user_id", NULL), NAMED("memory_id", NULL) };
static const bp_param find_rows[] = {
    NAMED("user_id", NULL),
    NAMED("query", NULL),
    { .name = "memory_type", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_NULLABLE },
    { .name = "max_results", .type = BP_PARAM_TYPE_INTEGER, .minimum = "1", .maximum = "1000" },
};
static const bp_param list_rows[] = {
    NAMED("user_id", NULL),
    { .name = "memory_type", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_NULLABLE },
};
static const bp_params store_request = BP_PARAMS_ONLY(store_rows);
static const bp_params id_request = BP_PARAMS_ONLY(id_rows);
static const bp_params find_request = BP_PARAMS_ONLY(find_rows);
static const bp_params list_request = BP_PARAMS_ONLY(list_rows);
static const char      any_object[] = "{\"type\":\"object\"}";

enum { IMPORT_BYTES_MAX = 1 << 30, ITEM_BODY_BYTES_MAX = 20 << 20 };

static const bp_route routes[] = {
    { .method = "GET",
      .path = "/api/knowledge/export",
      .handler = export_get,
      .scope = READ,
      .summary = "The graph as JSON lines, in the format of the reference memory server",
      .deadline_ns = BP_SECONDS(3600) },
    { .method = "POST",
      .path = "/api/knowledge/import",
      .handler = import_post,
      .scope = WRITE,
      .summary = "Merges JSON lines into the graph; repeated lines change nothing",
      .response_schema = any_object,
      .deadline_ns = BP_SECONDS(3600),
      .body_max_bytes = IMPORT_BYTES_MAX },
    { .method = "POST",
      .path = "/store",
      .handler = item_store,
      .scope = WRITE,
      .summary = "Stores a memory of a user for a limited time",
      .request_params = &store_request,
      .response_schema = any_object,
      .body_max_bytes = ITEM_BODY_BYTES_MAX },
    { .method = "POST",
      .path = "/retrieve",
      .handler = item_retrieve,
      .scope = READ,
      .summary = "One memory of a user",
      .request_params = &id_request,
      .response_schema = any_object },
    { .method = "POST",
      .path = "/search",
      .handler = item_search,
      .scope = READ,
      .summary = "Memories of a user that contain a text, newest first",
      .request_params = &find_request,
      .response_schema = any_object },
    { .method = "POST",
      .path = "/list",
      .handler = item_list,
      .scope = READ,
      .summary = "Memories of a user, newest first",
      .request_params = &list_request,
      .response_schema = any_object },
    { .method = "POST",
      .path = "/delete",
      .handler = item_delete,
      .scope = WRITE,
      .summary = "Deletes a memory of a user",
      .request_params = &id_request,
      .response_schema = any_object },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .migrations = store_migrations,
    .migration_count = STORE_MIGRATIONS,
    BP_MCP_TOOLS(tools),
    BP_MCP_RESOURCES(resources),
    .instructions = "A knowledge graph that is kept: look with search_nodes before you create, "
                    "name entities as people would, and put each fact into an observation of its "
                    "own.",
};

/* ---- life ---- */

bp_str knowledge_tenant(bp_call *call)
{
    return bp_principal_of(call)->tenant;
}

static bp_status check(bp_call *call, const void *instance)
{
    const struct knowledge *self = instance;

    if (self->key.len && !seal_is_key(self->key))
        return bp_fail(call, BP_INVALID,
                       "key: it must be 64 hexadecimal digits, as `openssl rand -hex 32` prints "
                       "them");
    return BP_OK;
}

static bp_status shared_create(bp_call *call, const void *instance, void **shared)
{
    struct cache *cache;

    (void)instance;
    BP_TRY(cache_create(call, &cache));
    *shared = cache;
    return BP_OK;
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct knowledge *self = instance;

    self->cache = shared;
    BP_TRY(bp_metric_define(call, BP_COUNTER, "knowledge_searches_total", "Searches in graphs.", "",
                            &self->searches_total));
    BP_TRY(bp_metric_define(call, BP_COUNTER, "knowledge_writes_total",
                            "Changes of graphs that were stored.", "", &self->writes_total));
    BP_TRY(bp_metric_define(call, BP_GAUGE, "knowledge_graph_bytes", "Memory of the graphs in use.",
                            "", &self->graph_bytes));
    bp_metric_add(self->searches_total, NULL, 0, 0);
    bp_metric_add(self->writes_total, NULL, 0, 0);
    bp_metric_set(self->graph_bytes, NULL, 0, 0);
    return bp_worker_index(call) == 0
               ? bp_every(call, "items_expire", BP_SECONDS(600), items_expire, self)
               : BP_OK;
}

static void shared_destroy(bp_call *call, void *shared)
{
    (void)call;
    cache_destroy(shared);
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .check = check,
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(app, "knowledge", "1.0.0",
          .summary = "keeps a knowledge graph as memory for models, and memories of users for "
                     "programs",
          .license = "Apache-2.0", .instance_size = sizeof(struct knowledge),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
