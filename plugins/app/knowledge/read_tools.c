/* read_tools.c - the tools that look: the whole graph, a search, entities by name; and the graph as
 * a resource. */
#include "knowledge.h"

#include "fold.h"

void write_found(bp_json_writer *w, const struct graph_found *found)
{
    bp_json_object(w);
    bp_json_key(w, "entities");
    bp_json_array(w);
    for (size_t i = 0; i < found->entity_count; i++) {
        const struct graph_entity *entity = found->entities[i];

        bp_json_object(w);
        bp_json_put_string(w, "name", entity->name);
        bp_json_put_string(w, "entityType", entity->type);
        bp_json_key(w, "observations");
        bp_json_array(w);
        for (size_t o = 0; o < entity->observation_count; o++)
            bp_json_add_string(w, entity->observations[o]);
        bp_json_end(w);
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_key(w, "relations");
    bp_json_array(w);
    for (size_t i = 0; i < found->relation_count; i++) {
        bp_json_object(w);
        bp_json_put_string(w, "from", found->relations[i]->from);
        bp_json_put_string(w, "to", found->relations[i]->to);
        bp_json_put_string(w, "relationType", found->relations[i]->type);
        bp_json_end(w);
    }
    bp_json_end(w);
    bp_json_end(w);
}

static bool look(const struct graph *graph, const struct wanted *wanted, struct graph_found *found)
{
    if (wanted->is_all)
        return graph_all(graph, found);
    if (wanted->names)
        return graph_open(graph, wanted->names, wanted->name_count, found);
    return graph_search(graph, wanted->folded, found);
}

/* The graph is locked while the answer is written, which takes no wait. */
static bp_status find_json(bp_call *call, struct knowledge *self, const struct wanted *wanted,
                           bp_str *json)
{
    struct graph_found  found = { 0 };
    bp_json_writer     *w = bp_json_writer_new(call, ANSWER_BYTES_MAX);
    const struct graph *graph;
    struct tenant      *tenant;
    bool                is_good;

    BP_TRY(cache_read(call, self, &tenant, &graph));
    is_good = look(graph, wanted, &found);
    if (is_good)
        write_found(w, &found);
    graph_found_free(&found);
    cache_unlock(tenant);
    if (!is_good)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the result");
    return bp_json_done(call, w, json);
}

/* From memory in one piece, or from the storage when that is too small, the answer is too large for
 * one, or this is the next part of it. */
static bp_status find_anywhere(bp_call *call, struct knowledge *self, const struct wanted *wanted,
                               bp_str cursor, bp_str *json)
{
    bp_status status = cursor.len ? BP_TOO_LARGE : find_json(call, self, wanted, json);

    if (status != BP_TOO_LARGE)
        return status;
    bp_clear_error(call);
    return stored_find(call, self, wanted, cursor, json);
}

static bp_status answer(bp_call *call, struct knowledge *self, const struct wanted *wanted,
                        bp_str cursor, bp_mcp *mcp)
{
    bp_str json;

    BP_TRY(find_anywhere(call, self, wanted, cursor, &json));
    bp_mcp_structured(mcp, json);
    return BP_OK;
}

bp_status tool_read_graph(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct asked asked;

    BP_TRY(bp_params_read(call, &cursor_params, arguments, &asked));
    return answer(call, instance, &(struct wanted){ .is_all = true }, asked.cursor, mcp);
}

bp_status tool_search_nodes(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct knowledge *self = instance;
    struct asked      asked;
    char             *folded;

    BP_TRY(bp_params_read(call, &query_params, arguments, &asked));
    folded = bp_alloc(call, fold_room(asked.query.len));
    if (!folded)
        return BP_NO_MEMORY;
    bp_metric_add(self->searches_total, NULL, 0, 1);
    return answer(call, self,
                  &(struct wanted){ .folded = bp_str_n(folded, fold_text(asked.query, folded)) },
                  asked.cursor, mcp);
}

bp_status tool_open_nodes(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    struct asked asked;
    size_t       count;
    bp_str      *names;

    BP_TRY(bp_params_read(call, &names_params, arguments, &asked));
    count = bp_json_count(asked.names);
    names = BP_NEW_ARRAY(call, bp_str, count + 1);
    if (!names)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        names[i] = bp_json_string(bp_json_at(asked.names, i));
    return answer(call, instance, &(struct wanted){ .names = names, .name_count = count },
                  asked.cursor, mcp);
}

bp_status resource_graph(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_str json;

    (void)uri;
    BP_TRY(find_anywhere(call, instance, &(struct wanted){ .is_all = true }, BP_STR(""), &json));
    bp_mcp_contents_text(mcp, "application/json", bp_json_indent(call, json));
    return BP_OK;
}
