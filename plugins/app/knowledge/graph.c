/* graph.c - entities and relations in the order they came, and names in a hash table.
 *
 *      name --hash--> node { entity or none, relations that touch the name } --> entity --> segment of the text
 *
 * A relation may name an entity that is not there (yet), so nodes stand for names.
 */
#include "graph.h"

#include <stdlib.h>

#include "graph_text.h"

struct graph_node {
    struct graph_node      *next; /* in its slot */
    bp_str                  name;
    uint64_t                hash;
    struct graph_entity    *entity;
    struct graph_relation **relations;
    size_t                  relation_count, relation_room;
};

struct graph {
    struct graph_node     **slots;
    size_t                  slot_count, node_count;
    struct graph_entity   **entities; /* NULL where one was removed */
    size_t                  entity_count, entity_room, entity_holes;
    struct graph_relation **relations;
    size_t                  relation_count, relation_room, relation_holes;
    struct graph_entity   **dirty;
    size_t                  dirty_count, dirty_room;
    struct graph_text       text;
    size_t                  bytes; /* of strings and structs */
};

/* ---- memory ---- */

/* A larger array when `count` fills it; NULL when there is no memory. The room is updated. */
static void *grown(void *array, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 8;
    void  *larger;

    if (count < *room)
        return array;
    larger = realloc(array, wanted * size);
    if (larger)
        *room = wanted;
    return larger;
}

/* Adds a pointer at the end of an array of pointers. */
#define PUSH(array, count, room, pointer)                                                          \
    __extension__({                                                                                \
        void *larger_ = grown((array), (count), &(room), sizeof(*(array)));                        \
        if (larger_) {                                                                             \
            (array) = larger_;                                                                     \
            (array)[(count)++] = (pointer);                                                        \
        }                                                                                          \
        larger_ != NULL;                                                                           \
    })

static bool copy_text(struct graph *graph, bp_str text, bp_str *copy)
{
    char *bytes = malloc(text.len + 1);

    if (!bytes)
        return false;
    if (text.len)
        memcpy(bytes, text.data, text.len);
    bytes[text.len] = '\0';
    *copy = bp_str_n(bytes, text.len);
    graph->bytes += text.len + 32; // what malloc() adds, too
    return true;
}

static void free_text(struct graph *graph, bp_str text)
{
    if (!text.data)
        return;
    graph->bytes -= text.len + 32;
    free((char *)(uintptr_t)text.data);
}

size_t graph_bytes(const struct graph *graph)
{
    return graph->bytes + text_bytes(&graph->text) + graph->slot_count * sizeof(void *) +
           (graph->entity_room + 2 * graph->relation_room) * sizeof(void *);
}

/* ---- names ---- */

static uint64_t hash_of(bp_str name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

static struct graph_node *find_node(const struct graph *graph, bp_str name)
{
    uint64_t           hash = hash_of(name);
    struct graph_node *node = graph->slot_count ? graph->slots[hash & (graph->slot_count - 1)]
                                                : NULL;

    while (node && (node->hash != hash || !bp_str_equal(node->name, name)))
        node = node->next;
    return node;
}

static bool spread(struct graph *graph)
{
    size_t              count = graph->slot_count ? graph->slot_count * 2 : 64;
    struct graph_node **slots = calloc(count, sizeof(*slots));

    if (!slots)
        return false;
    for (size_t i = 0; i < graph->slot_count; i++) {
        while (graph->slots[i]) {
            struct graph_node *node = graph->slots[i];

            graph->slots[i] = node->next;
            node->next = slots[node->hash & (count - 1)];
            slots[node->hash & (count - 1)] = node;
        }
    }
    free(graph->slots);
    graph->slots = slots;
    graph->slot_count = count;
    return true;
}

static struct graph_node *make_node(struct graph *graph, bp_str name)
{
    struct graph_node *node = find_node(graph, name);
    size_t             slot;

    if (node)
        return node;
    if (graph->node_count >= graph->slot_count && !spread(graph))
        return NULL;
    node = calloc(1, sizeof(*node));
    if (!node || !copy_text(graph, name, &node->name)) {
        free(node);
        return NULL;
    }
    node->hash = hash_of(name);
    slot = node->hash & (graph->slot_count - 1);
    node->next = graph->slots[slot];
    graph->slots[slot] = node;
    graph->node_count++;
    graph->bytes += sizeof(*node) + 16;
    return node;
}

static void drop_node_if_unused(struct graph *graph, struct graph_node *node)
{
    struct graph_node **at = &graph->slots[node->hash & (graph->slot_count - 1)];

    if (node->entity || node->relation_count)
        return;
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    free_text(graph, node->name);
    free(node->relations);
    free(node);
    graph->node_count--;
    graph->bytes -= sizeof(*node) + 16;
}

/* ---- entities ---- */

static void free_entity(struct graph *graph, struct graph_entity *entity)
{
    for (size_t i = 0; i < entity->observation_count; i++)
        free_text(graph, entity->observations[i]);
    free_text(graph, entity->type);
    graph->bytes -= sizeof(*entity) + 16 + entity->observation_room * sizeof(bp_str);
    free(entity->observations);
    free(entity);
}

static bool mark_dirty(struct graph *graph, struct graph_entity *entity)
{
    if (entity->is_dirty)
        return true;
    entity->is_dirty = true;
    return PUSH(graph->dirty, graph->dirty_count, graph->dirty_room, entity);
}

bool graph_add_entity(struct graph *graph, bp_str name, bp_str type)
{
    struct graph_node   *node = make_node(graph, name);
    struct graph_entity *entity;

    if (!node || node->entity)
        return node != NULL;
    entity = calloc(1, sizeof(*entity));
    if (!entity)
        return false;
    graph->bytes += sizeof(*entity) + 16;
    entity->segment = SIZE_MAX;
    entity->order = graph->entity_count;
    entity->node = node;
    entity->name = node->name;
    if (!copy_text(graph, type, &entity->type) ||
        !PUSH(graph->entities, graph->entity_count, graph->entity_room, entity)) {
        free_entity(graph, entity);
        return false;
    }
    node->entity = entity;
    return mark_dirty(graph, entity);
}

bool graph_add_observation(struct graph *graph, bp_str name, bp_str observation)
{
    struct graph_node   *node = find_node(graph, name);
    struct graph_entity *entity = node ? node->entity : NULL;
    size_t               before;
    bp_str              *larger, copy;

    if (!entity)
        return true;
    before = entity->observation_room;
    larger = grown(entity->observations, entity->observation_count, &entity->observation_room,
                   sizeof(bp_str));
    if (!larger)
        return false;
    entity->observations = larger;
    graph->bytes += (entity->observation_room - before) * sizeof(bp_str);
    if (!copy_text(graph, observation, &copy))
        return false;
    entity->observations[entity->observation_count++] = copy;
    return mark_dirty(graph, entity);
}

void graph_remove_observation(struct graph *graph, bp_str name, bp_str observation)
{
    struct graph_node   *node = find_node(graph, name);
    struct graph_entity *entity = node ? node->entity : NULL;
    size_t               kept = 0;

    for (size_t i = 0; entity && i < entity->observation_count; i++) {
        if (bp_str_equal(entity->observations[i], observation))
            free_text(graph, entity->observations[i]);
        else
            entity->observations[kept++] = entity->observations[i];
    }
    if (!entity || kept == entity->observation_count)
        return;
    entity->observation_count = kept;
    text_remove(&graph->text, entity); // if there is no memory to mark it, it is not found any
                                       // longer: never wrongly
    mark_dirty(graph, entity);
}

/* ---- relations ---- */

static void set_place(const struct graph_node *node, struct graph_relation *relation, size_t place)
{
    if (relation->from_node == node)
        relation->from_place = place;
    if (relation->to_node == node)
        relation->to_place = place;
}

bool graph_add_relation(struct graph *graph, bp_str from, bp_str to, bp_str type)
{
    struct graph_node     *from_node = make_node(graph, from), *to_node = make_node(graph, to);
    struct graph_relation *relation = calloc(1, sizeof(*relation));

    if (!from_node || !to_node || !relation || !copy_text(graph, type, &relation->type)) {
        free(relation);
        return false;
    }
    relation->from_node = from_node;
    relation->to_node = to_node;
    relation->from = from_node->name;
    relation->to = to_node->name;
    relation->order = graph->relation_count;
    graph->bytes += sizeof(*relation) + 16;
    if (!PUSH(graph->relations, graph->relation_count, graph->relation_room, relation)) {
        free_text(graph, relation->type);
        free(relation);
        return false;
    }
    set_place(from_node, relation, from_node->relation_count);
    if (!PUSH(from_node->relations, from_node->relation_count, from_node->relation_room, relation))
        return false;
    if (from_node == to_node)
        return true;
    set_place(to_node, relation, to_node->relation_count);
    return PUSH(to_node->relations, to_node->relation_count, to_node->relation_room, relation);
}

/* The last one takes its place, so that a node with many relations loses all of them in time. */
static void forget_relation(struct graph_node *node, const struct graph_relation *relation)
{
    size_t place = relation->from_node == node ? relation->from_place : relation->to_place;
    struct graph_relation *last = node->relations[--node->relation_count];

    node->relations[place] = last;
    set_place(node, last, place);
}

static void remove_relation(struct graph *graph, struct graph_relation *relation)
{
    struct graph_node *from = relation->from_node, *to = relation->to_node;

    forget_relation(from, relation);
    if (from != to)
        forget_relation(to, relation);
    graph->relations[relation->order] = NULL;
    graph->relation_holes++;
    free_text(graph, relation->type);
    free(relation);
    graph->bytes -= sizeof(*relation) + 16;
    if (from != to)
        drop_node_if_unused(graph, from);
    drop_node_if_unused(graph, to);
}

void graph_remove_relation(struct graph *graph, bp_str from, bp_str to, bp_str type)
{
    struct graph_node *node = find_node(graph, from), *other = find_node(graph, to);

    if (node && other && other->relation_count < node->relation_count)
        node = other;
    for (size_t i = 0; node && i < node->relation_count; i++) {
        struct graph_relation *relation = node->relations[i];

        if (bp_str_equal(relation->from, from) && bp_str_equal(relation->to, to) &&
            bp_str_equal(relation->type, type)) {
            remove_relation(graph, relation); // the node may be gone with it
            return;
        }
    }
}

static void forget_dirty(struct graph *graph, const struct graph_entity *entity)
{
    size_t kept = 0;

    for (size_t i = 0; i < graph->dirty_count; i++)
        if (graph->dirty[i] != entity)
            graph->dirty[kept++] = graph->dirty[i];
    graph->dirty_count = kept;
}

void graph_remove_entity(struct graph *graph, bp_str name)
{
    struct graph_node   *node = find_node(graph, name);
    struct graph_entity *entity = node ? node->entity : NULL;

    if (!node)
        return;
    if (entity) {
        text_remove(&graph->text, entity);
        if (entity->is_dirty)
            forget_dirty(graph, entity);
        graph->entities[entity->order] = NULL;
        graph->entity_holes++;
        free_entity(graph, entity);
        node->entity = NULL;
    }
    while (node->relation_count > 1)
        remove_relation(graph, node->relations[node->relation_count - 1]);
    if (node->relation_count)
        remove_relation(graph, node->relations[0]); // drops the node
    else
        drop_node_if_unused(graph, node);
}

/* ---- keeping it tidy ---- */

static void close_entity_holes(struct graph *graph)
{
    size_t kept = 0;

    for (size_t i = 0; i < graph->entity_count; i++) {
        if (!graph->entities[i])
            continue;
        graph->entities[kept] = graph->entities[i];
        graph->entities[kept]->order = kept;
        kept++;
    }
    graph->entity_count = kept;
    graph->entity_holes = 0;
}

static void close_relation_holes(struct graph *graph)
{
    size_t kept = 0;

    for (size_t i = 0; i < graph->relation_count; i++) {
        if (!graph->relations[i])
            continue;
        graph->relations[kept] = graph->relations[i];
        graph->relations[kept]->order = kept;
        kept++;
    }
    graph->relation_count = kept;
    graph->relation_holes = 0;
}

bool graph_settle(struct graph *graph)
{
    for (size_t i = 0; i < graph->dirty_count; i++) {
        text_remove(&graph->text, graph->dirty[i]);
        if (!text_add(&graph->text, graph->dirty[i]))
            return false;
        graph->dirty[i]->is_dirty = false;
    }
    graph->dirty_count = 0;
    if (graph->entity_holes > graph->entity_count / 2)
        close_entity_holes(graph);
    if (graph->relation_holes > graph->relation_count / 2)
        close_relation_holes(graph);
    if (!text_is_worn(&graph->text))
        return true;
    text_clear(&graph->text);
    for (size_t i = 0; i < graph->entity_count; i++)
        if (graph->entities[i] && !text_add(&graph->text, graph->entities[i]))
            return false;
    return true;
}

struct graph *graph_new(void)
{
    return calloc(1, sizeof(struct graph));
}

void graph_free(struct graph *graph)
{
    if (!graph)
        return;
    for (size_t i = 0; i < graph->entity_count; i++)
        if (graph->entities[i])
            free_entity(graph, graph->entities[i]);
    for (size_t i = 0; i < graph->relation_count; i++) {
        if (graph->relations[i])
            free_text(graph, graph->relations[i]->type);
        free(graph->relations[i]);
    }
    for (size_t i = 0; i < graph->slot_count; i++) {
        while (graph->slots[i]) {
            struct graph_node *node = graph->slots[i];

            graph->slots[i] = node->next;
            free_text(graph, node->name);
            free(node->relations);
            free(node);
        }
    }
    free(graph->slots);
    free(graph->entities);
    free(graph->relations);
    free(graph->dirty);
    text_free(&graph->text);
    free(graph);
}

/* ---- finding ---- */

static bool add_entity(struct graph_found *found, const struct graph_entity *entity)
{
    return PUSH(found->entities, found->entity_count, found->entity_room, entity);
}

static bool add_relation(struct graph_found *found, const struct graph_relation *relation)
{
    return PUSH(found->relations, found->relation_count, found->relation_room, relation);
}

static int by_entity_order(const void *a, const void *b)
{
    const struct graph_entity *left = *(const struct graph_entity *const *)a;
    const struct graph_entity *right = *(const struct graph_entity *const *)b;

    return (left->order > right->order) - (left->order < right->order);
}

static int by_relation_order(const void *a, const void *b)
{
    const struct graph_relation *left = *(const struct graph_relation *const *)a;
    const struct graph_relation *right = *(const struct graph_relation *const *)b;

    return (left->order > right->order) - (left->order < right->order);
}

/* The relations that touch an entity found, each once. */
static bool add_touching(struct graph_found *found)
{
    size_t kept = 0;

    for (size_t i = 0; i < found->entity_count; i++) {
        const struct graph_node *node = found->entities[i]->node;

        for (size_t j = 0; j < node->relation_count; j++)
            if (!add_relation(found, node->relations[j]))
                return false;
    }
    if (found->relation_count < 2)
        return true;
    qsort(found->relations, found->relation_count, sizeof(*found->relations), by_relation_order);
    for (size_t i = 0; i < found->relation_count; i++)
        if (kept == 0 || found->relations[i] != found->relations[kept - 1])
            found->relations[kept++] = found->relations[i];
    found->relation_count = kept;
    return true;
}

static void sort_entities(struct graph_found *found)
{
    for (size_t i = 1; i < found->entity_count; i++) {
        if (found->entities[i - 1]->order > found->entities[i]->order) {
            qsort(found->entities, found->entity_count, sizeof(*found->entities), by_entity_order);
            return;
        }
    }
}

static bool add_all_entities(const struct graph *graph, struct graph_found *found)
{
    for (size_t i = 0; i < graph->entity_count; i++)
        if (graph->entities[i] && !add_entity(found, graph->entities[i]))
            return false;
    return true;
}

bool graph_all(const struct graph *graph, struct graph_found *found)
{
    for (size_t i = 0; i < graph->relation_count; i++)
        if (graph->relations[i] && !add_relation(found, graph->relations[i]))
            return false;
    return add_all_entities(graph, found);
}

bool graph_search(const struct graph *graph, bp_str folded, struct graph_found *found)
{
    const struct graph_entity *entity;
    struct text_search         search;

    if (folded.len == 0)
        return add_all_entities(graph, found) && add_touching(found);
    text_search(&graph->text, folded, &search);
    while ((entity = text_next(&graph->text, &search)) != NULL)
        if (!add_entity(found, entity))
            return false;
    sort_entities(found);
    return add_touching(found);
}

bool graph_open(const struct graph *graph, const bp_str *names, size_t count,
                struct graph_found *found)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        const struct graph_node *node = find_node(graph, names[i]);

        if (node && node->entity && !add_entity(found, node->entity))
            return false;
    }
    sort_entities(found);
    for (size_t i = 0; i < found->entity_count; i++)
        if (kept == 0 || found->entities[i] != found->entities[kept - 1])
            found->entities[kept++] = found->entities[i];
    found->entity_count = kept;
    return add_touching(found);
}

void graph_found_free(struct graph_found *found)
{
    free(found->entities);
    free(found->relations);
}
