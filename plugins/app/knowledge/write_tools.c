/* write_tools.c - the tools that change the graph. Each is one list of statements, stored all or
 * none; the answer repeats the report of the storage, and memory does the same. */
#include "knowledge.h"

bp_status check_name(bp_call *call, const char *what, bp_str text)
{
    if (text.len == 0)
        return bp_fail(call, BP_INVALID, "%s must not be empty", what);
    if (text.len > NAME_BYTES_MAX)
        return bp_fail(call, BP_INVALID,
                       "%s has %zu bytes, more than %d: put long texts into observations", what,
                       text.len, NAME_BYTES_MAX);
    return BP_OK;
}

bp_status check_text(bp_call *call, const char *what, bp_str text)
{
    if (text.len > TEXT_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "%s has %zu bytes, more than %d: split it", what, text.len,
                       TEXT_BYTES_MAX);
    return BP_OK;
}

static bp_status check_list(bp_call *call, const char *what, const bp_json *list)
{
    if (bp_json_count(list) > LIST_MAX)
        return bp_fail(call, BP_INVALID, "%s has %zu members, more than %d: make several calls",
                       what, bp_json_count(list), LIST_MAX);
    return BP_OK;
}

static bp_str field(const bp_json *object, const char *name)
{
    return bp_json_string(bp_json_get(object, name));
}

/* ---- one write from beginning to end ---- */

struct change {
    struct write_list list;
    const bp_json    *items; /* the list of the arguments */
    bool (*apply)(struct graph *graph, void *change);
    size_t *first; /* of each item: its first statement */
};

static bp_status run_change(bp_call *call, struct knowledge *self, struct change *change)
{
    struct tenant *tenant;
    bp_status      status;

    BP_TRY(cache_begin_write(call, self, &tenant));
    status = write_run(call, self, &change->list);
    cache_end_write(call, self, tenant, status, change->apply, change);
    BP_TRY(status);
    bp_metric_add(self->writes_total, NULL, 0, 1);
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR(GRAPH_URI));
    return BP_OK;
}

/* The list that the table's only row asks for. */
static bp_status begin_change(bp_call *call, const bp_params *params, const bp_json *arguments,
                              struct change *change)
{
    struct asked asked;

    BP_TRY(bp_params_read(call, params, arguments, &asked));
    change->items = asked.items;
    BP_TRY(check_list(call, params->rows[0].name, change->items));
    change->first = BP_NEW_ARRAY(call, size_t, bp_json_count(change->items) + 1);
    return change->first ? BP_OK : BP_NO_MEMORY;
}

static bp_status finish(bp_call *call, bp_json_writer *w, bp_mcp *mcp)
{
    bp_str json;

    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

/* The list of `w` is the text, and a member of the structured result. */
static bp_status finish_list(bp_call *call, bp_json_writer *w, const char *name, bp_mcp *mcp)
{
    bp_json_writer *around = bp_json_writer_new(call, RESULT_BYTES_MAX);
    bp_str          list;

    BP_TRY(bp_json_done(call, w, &list));
    bp_mcp_text(mcp, bp_json_indent(call, list));
    bp_json_object(around);
    bp_json_key(around, name);
    bp_json_add_raw(around, list);
    bp_json_end(around);
    return finish(call, around, mcp);
}

static void write_texts(bp_json_writer *w, const char *key, const bp_json *texts,
                        const int64_t *changed)
{
    bp_json_key(w, key);
    bp_json_array(w);
    for (size_t i = 0; i < bp_json_count(texts); i++)
        if (changed[i])
            bp_json_add_string(w, bp_json_string(bp_json_at(texts, i)));
    bp_json_end(w);
}

static bool apply_texts(struct graph *graph, bp_str entity, const bp_json *texts,
                        const int64_t *changed)
{
    for (size_t i = 0; i < bp_json_count(texts); i++)
        if (changed[i] &&
            !graph_add_observation(graph, entity, bp_json_string(bp_json_at(texts, i))))
            return false;
    return true;
}

/* ---- create_entities ---- */

static bool apply_entities(struct graph *graph, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < bp_json_count(change->items); i++) {
        const bp_json *item = bp_json_at(change->items, i);
        const int64_t *changed = change->list.changed + change->first[i];

        if (changed[0] &&
            (!graph_add_entity(graph, field(item, "name"), field(item, "entityType")) ||
             !apply_texts(graph, field(item, "name"), bp_json_get(item, "observations"),
                          changed + 1)))
            return false;
    }
    return true;
}

static bp_status add_entity(bp_call *call, struct change *change, size_t place, int64_t tag)
{
    const bp_json *item = bp_json_at(change->items, place),
                  *texts = bp_json_get(item, "observations");
    bp_str name = field(item, "name"), type = field(item, "entityType");

    BP_TRY(check_name(call, "the name of an entity", name));
    BP_TRY(check_name(call, "the type of an entity", type));
    BP_TRY(check_list(call, "observations", texts));
    change->first[place] = change->list.count;
    BP_TRY(write_entity(call, &change->list, name, type, tag));
    for (size_t i = 0; i < bp_json_count(texts); i++) {
        bp_str text = bp_json_string(bp_json_at(texts, i));

        BP_TRY(check_text(call, "an observation", text));
        BP_TRY(write_observation(call, &change->list, name, text, tag));
    }
    return BP_OK;
}

bp_status tool_create_entities(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    struct change   change = { .apply = apply_entities };
    uint64_t        tag;

    BP_TRY(begin_change(call, &entities_params, arguments, &change));
    bp_random(&tag, sizeof(tag));
    tag = (tag >> 2) | 1; // above 0, and far from the end
    for (size_t i = 0; i < bp_json_count(change.items); i++)
        BP_TRY(add_entity(call, &change, i, (int64_t)(tag + i)));
    BP_TRY(run_change(call, instance, &change));
    bp_json_array(w);
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_json *item = bp_json_at(change.items, i);
        const int64_t *changed = change.list.changed + change.first[i];

        if (!changed[0])
            continue;
        bp_json_object(w);
        bp_json_put_string(w, "name", field(item, "name"));
        bp_json_put_string(w, "entityType", field(item, "entityType"));
        write_texts(w, "observations", bp_json_get(item, "observations"), changed + 1);
        bp_json_end(w);
    }
    bp_json_end(w);
    return finish_list(call, w, "entities", mcp);
}

/* ---- create_relations ---- */

static bool apply_relations(struct graph *graph, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < bp_json_count(change->items); i++) {
        const bp_json *item = bp_json_at(change->items, i);

        if (change->list.changed[i] &&
            !graph_add_relation(graph, field(item, "from"), field(item, "to"),
                                field(item, "relationType")))
            return false;
    }
    return true;
}

static bp_status check_relation(bp_call *call, const bp_json *item)
{
    BP_TRY(check_name(call, "\"from\" of a relation", field(item, "from")));
    BP_TRY(check_name(call, "\"to\" of a relation", field(item, "to")));
    return check_name(call, "the type of a relation", field(item, "relationType"));
}

bp_status tool_create_relations(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    struct change   change = { .apply = apply_relations };

    BP_TRY(begin_change(call, &relations_params, arguments, &change));
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_json *item = bp_json_at(change.items, i);

        BP_TRY(check_relation(call, item));
        BP_TRY(write_relation(call, &change.list, field(item, "from"), field(item, "to"),
                              field(item, "relationType")));
    }
    BP_TRY(run_change(call, instance, &change));
    bp_json_array(w);
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_json *item = bp_json_at(change.items, i);

        if (!change.list.changed[i])
            continue;
        bp_json_object(w);
        bp_json_put_string(w, "from", field(item, "from"));
        bp_json_put_string(w, "to", field(item, "to"));
        bp_json_put_string(w, "relationType", field(item, "relationType"));
        bp_json_end(w);
    }
    bp_json_end(w);
    return finish_list(call, w, "relations", mcp);
}

/* ---- add_observations: all entities must be there, or nothing is done ---- */

static bool apply_observations(struct graph *graph, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < bp_json_count(change->items); i++) {
        const bp_json *item = bp_json_at(change->items, i);

        if (!apply_texts(graph, field(item, "entityName"), bp_json_get(item, "contents"),
                         change->list.changed + change->first[i]))
            return false;
    }
    return true;
}

static bp_status add_contents(bp_call *call, struct change *change, size_t place)
{
    const bp_json *item = bp_json_at(change->items, place), *texts = bp_json_get(item, "contents");
    bp_str         name = field(item, "entityName");

    BP_TRY(check_list(call, "contents", texts));
    change->first[place] = change->list.count;
    for (size_t i = 0; i < bp_json_count(texts); i++) {
        bp_str text = bp_json_string(bp_json_at(texts, i));

        BP_TRY(check_text(call, "an observation", text));
        BP_TRY(write_observation(call, &change->list, name, text, 0));
    }
    return BP_OK;
}

static bp_status check_entity(bp_call *call, struct knowledge *self, bp_transaction *transaction,
                              bp_str name)
{
    bp_rows rows;

    BP_TRY(
        bp_storage_exec(call, self->storage, transaction,
                        BP_SQL("SELECT id FROM knowledge_entities WHERE tenant = $1 AND name = $2",
                               bp_sql_text(knowledge_tenant(call)), bp_sql_text(name)),
                        &rows));
    return rows.row_count
               ? BP_OK
               : bp_fail(call, BP_NOT_FOUND, "Entity with name " BP_FMT " not found", BP_ARG(name));
}

struct observing {
    struct knowledge *self;
    struct change    *change;
};

/* In a transaction, as it has to read before it writes. */
static bp_status run_observations(bp_call *call, bp_transaction *transaction, void *arg)
{
    const struct observing *o = arg;
    struct change          *change = o->change;

    for (size_t i = 0; i < bp_json_count(change->items); i++)
        BP_TRY(check_entity(call, o->self, transaction,
                            field(bp_json_at(change->items, i), "entityName")));
    for (size_t i = 0; i < change->list.count; i++) {
        bp_rows rows;

        BP_TRY(bp_storage_exec(call, o->self->storage, transaction, &change->list.statements[i],
                               &rows));
        change->list.changed[i] = rows.changed;
    }
    return BP_OK;
}

static bp_status store_observations(bp_call *call, struct knowledge *self, struct change *change)
{
    struct observing observing = { self, change };
    struct tenant   *tenant;
    bp_status        status;

    BP_TRY(write_add(call, &change->list,
                     BP_STR("INSERT INTO knowledge_versions (tenant, version) VALUES ($1, 1) ON "
                            "CONFLICT (tenant) DO UPDATE SET version = knowledge_versions.version "
                            "+ 1"),
                     (const bp_sql_value[]){ bp_sql_text(knowledge_tenant(call)) }, 1));
    change->list.changed = BP_NEW_ARRAY(call, int64_t, change->list.count);
    if (!change->list.changed)
        return BP_NO_MEMORY;
    BP_TRY(cache_begin_write(call, self, &tenant));
    status = bp_storage_transact(call, self->storage, run_observations, &observing);
    cache_end_write(call, self, tenant, status, change->apply, change);
    return status;
}

bp_status tool_add_observations(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    struct knowledge *self = instance;
    bp_json_writer   *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    struct change     change = { .apply = apply_observations };

    BP_TRY(begin_change(call, &additions_params, arguments, &change));
    for (size_t i = 0; i < bp_json_count(change.items); i++)
        BP_TRY(add_contents(call, &change, i));
    BP_TRY(store_observations(call, self, &change));
    bp_metric_add(self->writes_total, NULL, 0, 1);
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR(GRAPH_URI));
    bp_json_array(w);
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_json *item = bp_json_at(change.items, i);

        bp_json_object(w);
        bp_json_put_string(w, "entityName", field(item, "entityName"));
        write_texts(w, "addedObservations", bp_json_get(item, "contents"),
                    change.list.changed + change.first[i]);
        bp_json_end(w);
    }
    bp_json_end(w);
    return finish_list(call, w, "results", mcp);
}

/* ---- deleting: an absent one is gone already ---- */

static bp_status say_deleted(bp_call *call, const char *what, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, 1024);
    bp_str          message = bp_format(call, "%s deleted successfully", what);

    bp_json_object(w);
    bp_json_put_bool(w, "success", true);
    bp_json_put_string(w, "message", message);
    bp_json_end(w);
    bp_mcp_text(mcp, message);
    return finish(call, w, mcp);
}

static bool unapply_entities(struct graph *graph, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < bp_json_count(change->items); i++)
        graph_remove_entity(graph, bp_json_string(bp_json_at(change->items, i)));
    return true;
}

bp_status tool_delete_entities(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    static const char *const statements[] = {
        ("DELETE FROM knowledge_observations WHERE entity_id IN (SELECT id FROM knowledge_entities "
         "WHERE tenant = $1 AND name = $2)"),
        "DELETE FROM knowledge_entities WHERE tenant = $1 AND name = $2",
        "DELETE FROM knowledge_relations WHERE tenant = $1 AND from_name = $2",
        "DELETE FROM knowledge_relations WHERE tenant = $1 AND to_name = $2",
    };
    struct change change = { .apply = unapply_entities };

    BP_TRY(begin_change(call, &entity_names_params, arguments, &change));
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_sql_value values[] = { bp_sql_text(knowledge_tenant(call)),
                                        bp_sql_text(bp_json_string(bp_json_at(change.items, i))) };

        for (size_t s = 0; s < sizeof(statements) / sizeof(statements[0]); s++)
            BP_TRY(write_add(call, &change.list, bp_str_of(statements[s]), values, 2));
    }
    BP_TRY(run_change(call, instance, &change));
    return say_deleted(call, "Entities", mcp);
}

static bool unapply_observations(struct graph *graph, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < bp_json_count(change->items); i++) {
        const bp_json *item = bp_json_at(change->items, i),
                      *texts = bp_json_get(item, "observations");

        for (size_t t = 0; t < bp_json_count(texts); t++)
            graph_remove_observation(graph, field(item, "entityName"),
                                     bp_json_string(bp_json_at(texts, t)));
    }
    return true;
}

bp_status tool_delete_observations(bp_call *call, void *instance, const bp_json *arguments,
                                   bp_mcp *mcp)
{
    struct change change = { .apply = unapply_observations };

    BP_TRY(begin_change(call, &deletions_params, arguments, &change));
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_json *item = bp_json_at(change.items, i),
                      *texts = bp_json_get(item, "observations");

        BP_TRY(check_list(call, "observations", texts));
        for (size_t t = 0; t < bp_json_count(texts); t++) {
            bp_str text = bp_json_string(bp_json_at(texts, t));

            BP_TRY(check_text(call, "an observation", text));
            BP_TRY(write_add(call, &change.list,
                             BP_STR("DELETE FROM knowledge_observations WHERE hash = $3 AND "
                                    "entity_id IN (SELECT id FROM knowledge_entities WHERE tenant "
                                    "= $1 AND name = $2)"),
                             (const bp_sql_value[]){ bp_sql_text(knowledge_tenant(call)),
                                                     bp_sql_text(field(item, "entityName")),
                                                     bp_sql_text(store_hash(call, &text, 1)) },
                             3));
        }
    }
    BP_TRY(run_change(call, instance, &change));
    return say_deleted(call, "Observations", mcp);
}

static bool unapply_relations(struct graph *graph, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < bp_json_count(change->items); i++) {
        const bp_json *item = bp_json_at(change->items, i);

        graph_remove_relation(graph, field(item, "from"), field(item, "to"),
                              field(item, "relationType"));
    }
    return true;
}

bp_status tool_delete_relations(bp_call *call, void *instance, const bp_json *arguments,
                                bp_mcp *mcp)
{
    struct change change = { .apply = unapply_relations };

    BP_TRY(begin_change(call, &relations_params, arguments, &change));
    for (size_t i = 0; i < bp_json_count(change.items); i++) {
        const bp_json *item = bp_json_at(change.items, i);
        const bp_str   parts[] = { field(item, "from"), field(item, "to"),
                                   field(item, "relationType") };

        BP_TRY(check_relation(call, item));
        BP_TRY(write_add(call, &change.list,
                         BP_STR("DELETE FROM knowledge_relations WHERE tenant = $1 AND hash = $2"),
                         (const bp_sql_value[]){ bp_sql_text(knowledge_tenant(call)),
                                                 bp_sql_text(store_hash(call, parts, 3)) },
                         2));
    }
    BP_TRY(run_change(call, instance, &change));
    return say_deleted(call, "Relations", mcp);
}
