/* graph.h - a knowledge graph in memory: entities with observations, relations between names, and a
 * search over all.
 *
 * It knows nothing of storage and of threads: who shares it locks it. What changes it returns false
 * when there is no memory; then the graph is to be thrown away.
 */
#ifndef KNOWLEDGE_GRAPH_H
#define KNOWLEDGE_GRAPH_H

#include <backplane/base.h>

struct graph_node;

struct graph_entity {
    struct graph_node *node;
    bp_str             name, type;
    bp_str            *observations; /* in the order they came */
    size_t             observation_count, observation_room;
    size_t             order;   /* among the entities */
    size_t             segment; /* of the text that is searched */
    bool               is_dirty;
};

struct graph_relation {
    struct graph_node *from_node, *to_node;
    bp_str             from, to, type;
    size_t             order;
    size_t             from_place, to_place; /* among the relations of these nodes */
};

struct graph;

struct graph *graph_new(void);
void          graph_free(struct graph *graph);
size_t        graph_bytes(const struct graph *graph); /* of memory, about */

/* An entity that is there already stays as it is. */
bool graph_add_entity(struct graph *graph, bp_str name, bp_str type);
bool graph_add_observation(struct graph *graph, bp_str entity, bp_str observation);
bool graph_add_relation(struct graph *graph, bp_str from, bp_str to, bp_str type);
/* The entity goes with its observations and the relations that touch it. */
void graph_remove_entity(struct graph *graph, bp_str name);
void graph_remove_observation(struct graph *graph, bp_str entity, bp_str observation);
void graph_remove_relation(struct graph *graph, bp_str from, bp_str to, bp_str type);
/* Due after changes and before the next search. */
bool graph_settle(struct graph *graph);

/* The result: pointers into the graph, in the order things came. */
struct graph_found {
    const struct graph_entity   **entities;
    const struct graph_relation **relations;
    size_t                        entity_count, entity_room, relation_count, relation_room;
};

/* Each function adds to `found`, which begins zeroed and is given back by graph_found_free(). */
bool graph_all(const struct graph *graph, struct graph_found *found);
/* Entities with a name, a type or an observation that contains `folded` (see fold.h), and relations
 * that touch one of them. */
bool graph_search(const struct graph *graph, bp_str folded, struct graph_found *found);
bool graph_open(const struct graph *graph, const bp_str *names, size_t count,
                struct graph_found *found);
void graph_found_free(struct graph_found *found);

#endif
