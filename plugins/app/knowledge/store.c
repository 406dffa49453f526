/* store.c - the graph in the storage: its tables, writes that are all or none, and reading it
 * whole.
 *
 * An entity is created by one statement that does nothing when the name is taken, so that of many
 * who create it at once exactly one does. Each creation carries a random tag: observations that
 * come with it are inserted only where the entity has that tag, which is when this very call has
 * created it.
 */
#include "knowledge.h"

const bp_migration store_migrations[STORE_MIGRATIONS] = {
    { 1, 0, "entities, observations, relations and items",
      "CREATE TABLE knowledge_entities (id ${identity}, tenant TEXT NOT NULL, name TEXT NOT NULL, "
      "entity_type TEXT NOT NULL, tag BIGINT NOT NULL, UNIQUE (tenant, name));CREATE TABLE "
      "knowledge_observations (id ${identity}, entity_id BIGINT NOT NULL, hash TEXT NOT NULL, "
      "content TEXT NOT NULL, UNIQUE (entity_id, hash));CREATE TABLE knowledge_relations (id "
      "${identity}, tenant TEXT NOT NULL, from_name TEXT NOT NULL, to_name TEXT NOT NULL, "
      "relation_type TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (tenant, hash));CREATE INDEX "
      "knowledge_relations_from ON knowledge_relations (tenant, from_name);CREATE INDEX "
      "knowledge_relations_to ON knowledge_relations (tenant, to_name);CREATE TABLE "
      "knowledge_versions (tenant TEXT PRIMARY KEY, version BIGINT NOT NULL);CREATE TABLE "
      "knowledge_items (number ${identity}, id TEXT NOT NULL, tenant TEXT NOT NULL, user_id TEXT "
      "NOT NULL, memory_type TEXT NOT NULL, data ${bytes} NOT NULL, is_sealed BIGINT NOT NULL, "
      "created_wall_ns BIGINT NOT NULL, expires_wall_ns BIGINT NOT NULL, UNIQUE (tenant, "
      "id));CREATE INDEX knowledge_items_user ON knowledge_items (tenant, user_id, memory_type, "
      "number);CREATE INDEX knowledge_items_expiry ON knowledge_items (expires_wall_ns)" },
    { 2, 1, "graphs are read page by page",
      "CREATE INDEX knowledge_entities_order ON knowledge_entities (tenant, id);"
      "CREATE INDEX knowledge_relations_order ON knowledge_relations (tenant, id)" },
};

bp_str store_hash(bp_call *call, const bp_str *parts, size_t count)
{
    bp_buf *all = bp_buf_new(call, (size_t)4 << 20);
    uint8_t digest[32];
    char   *hex = bp_alloc(call, 65);

    for (size_t i = 0; i < count; i++) {
        bp_buf_addf(all, "%zu:", parts[i].len);
        bp_buf_add(all, parts[i]);
    }
    if (!hex || bp_buf_status(all) != BP_OK)
        return bp_str_n("", 0);
    bp_sha256(bp_buf_str(all), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return bp_str_n(hex, 64);
}

/* ---- a list of writes ---- */

bp_status write_add(bp_call *call, struct write_list *list, bp_str sql,
                    const bp_sql_value *parameters, size_t count)
{
    bp_sql_value *copy = BP_NEW_ARRAY(call, bp_sql_value, count);

    if (list->count == list->room) {
        size_t        room = list->room ? list->room * 2 : 16;
        bp_statement *larger = BP_NEW_ARRAY(call, bp_statement, room);

        if (!larger)
            return BP_NO_MEMORY;
        if (list->count)
            memcpy(larger, list->statements, list->count * sizeof(*larger));
        list->statements = larger;
        list->room = room;
    }
    if (!copy)
        return BP_NO_MEMORY;
    memcpy(copy, parameters, count * sizeof(*copy));
    list->statements[list->count++] = (bp_statement){ sizeof(bp_statement), (uint32_t)count, sql,
                                                      copy };
    return BP_OK;
}

#define ADD(call, list, sql, ...)                                                                  \
    write_add(call, list, BP_STR(sql), (const bp_sql_value[]){ __VA_ARGS__ },                      \
              BP_SQL_COUNT_(__VA_ARGS__))

static bp_sql_value tenant_value(bp_call *call)
{
    return bp_sql_text(knowledge_tenant(call));
}

bp_status write_entity(bp_call *call, struct write_list *list, bp_str name, bp_str type,
                       int64_t tag)
{
    return ADD(call, list,
               "INSERT INTO knowledge_entities (tenant, name, entity_type, tag) VALUES ($1, $2, "
               "$3, $4) ON CONFLICT (tenant, name) DO NOTHING",
               tenant_value(call), bp_sql_text(name), bp_sql_text(type), bp_sql_int(tag));
}

bp_status write_observation(bp_call *call, struct write_list *list, bp_str entity, bp_str text,
                            int64_t tag)
{
    bp_str hash = store_hash(call, &text, 1);

    if (!hash.len)
        return BP_NO_MEMORY;
    return ADD(call, list,
               "INSERT INTO knowledge_observations (entity_id, hash, content) SELECT id, $3, $4 "
               "FROM knowledge_entities WHERE tenant = $1 AND name = $2 AND (tag = $5 OR $5 = 0) "
               "ON CONFLICT (entity_id, hash) DO NOTHING",
               tenant_value(call), bp_sql_text(entity), bp_sql_text(hash), bp_sql_text(text),
               bp_sql_int(tag));
}

bp_status write_relation(bp_call *call, struct write_list *list, bp_str from, bp_str to,
                         bp_str type)
{
    bp_str hash = store_hash(call, (const bp_str[]){ from, to, type }, 3);

    if (!hash.len)
        return BP_NO_MEMORY;
    return ADD(call, list,
               "INSERT INTO knowledge_relations (tenant, from_name, to_name, relation_type, hash) "
               "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, hash) DO NOTHING",
               tenant_value(call), bp_sql_text(from), bp_sql_text(to), bp_sql_text(type),
               bp_sql_text(hash));
}

bp_status write_run(bp_call *call, struct knowledge *self, struct write_list *list)
{
    bp_status status = BP_CONFLICT;

    BP_TRY(ADD(call, list,
               "INSERT INTO knowledge_versions (tenant, version) VALUES ($1, 1) ON CONFLICT "
               "(tenant) DO UPDATE SET version = knowledge_versions.version + 1",
               tenant_value(call)));
    list->changed = BP_NEW_ARRAY(call, int64_t, list->count);
    if (!list->changed)
        return BP_NO_MEMORY;
    // No statement can break a constraint: a conflict is one with another transaction, and over
    // when that is.
    for (int64_t i = 0; i < WRITE_TRIES && status == BP_CONFLICT; i++) {
        if (i)
            BP_TRY(bp_sleep(call, BP_MILLISECONDS(5) << i));
        status = bp_storage_batch(call, self->storage, list->statements, list->count,
                                  list->changed);
    }
    return status;
}

/* ---- reading ---- */

bp_status store_version(bp_call *call, struct knowledge *self, int64_t *version)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, self->storage, NULL,
                           BP_SQL("SELECT version FROM knowledge_versions WHERE tenant = $1",
                                  tenant_value(call)),
                           &rows));
    *version = rows.row_count ? bp_row(&rows, 0)[0].integer : 0;
    return BP_OK;
}

struct loading {
    struct graph *graph;
    size_t        most_bytes;
};

static bp_status check_room(bp_call *call, const struct loading *loading, bool has_memory)
{
    if (!has_memory)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the graph");
    if (graph_bytes(loading->graph) > loading->most_bytes)
        return bp_fail(call, BP_TOO_LARGE,
                       "the graph of tenant \"" BP_FMT
                       "\" needs more memory than there is for graphs (%zu bytes): raise "
                       "the option memory",
                       BP_ARG(knowledge_tenant(call)), loading->most_bytes);
    return BP_OK;
}

static bp_status take_entity(bp_call *call, void *arg, const bp_sql_value *row,
                             uint32_t column_count)
{
    struct loading *loading = arg;
    bool            is_good = graph_add_entity(loading->graph, row[0].text, row[1].text);

    (void)column_count;
    if (is_good && row[2].type != BP_SQL_NULL)
        is_good = graph_add_observation(loading->graph, row[0].text, row[2].text);
    return check_room(call, loading, is_good);
}

static bp_status take_relation(bp_call *call, void *arg, const bp_sql_value *row,
                               uint32_t column_count)
{
    struct loading *loading = arg;

    (void)column_count;
    return check_room(call, loading,
                      graph_add_relation(loading->graph, row[0].text, row[1].text, row[2].text));
}

bp_status store_load(bp_call *call, struct knowledge *self, size_t most_bytes, struct graph *graph)
{
    struct loading    loading = { graph, most_bytes };
    const bp_row_sink entities = { sizeof(entities), take_entity, &loading };
    const bp_row_sink relations = { sizeof(relations), take_relation, &loading };

    BP_TRY(bp_storage_query(call, self->storage, NULL,
                            BP_SQL("SELECT e.name, e.entity_type, o.content FROM "
                                   "knowledge_entities e LEFT JOIN knowledge_observations o ON "
                                   "o.entity_id = e.id WHERE e.tenant = $1 ORDER BY e.id, o.id",
                                   tenant_value(call)),
                            &entities));
    BP_TRY(bp_storage_query(call, self->storage, NULL,
                            BP_SQL("SELECT from_name, to_name, relation_type FROM "
                                   "knowledge_relations WHERE tenant = $1 ORDER BY id",
                                   tenant_value(call)),
                            &relations));
    return check_room(call, &loading, graph_settle(graph));
}
