/* node.h - the conf file as a tree in which every key and every value knows where it was written.
 */
#ifndef CORE_CONF_NODE_H
#define CORE_CONF_NODE_H

#include "base/arena.h"

/* Both count from 1; line 0 stands for the file as a whole. */
struct conf_position {
    uint32_t line;
    uint32_t column;
};

enum conf_node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

/* Nodes live in the arena of the conf. Children form a list in the order of the file. */
struct conf_node {
    struct conf_node    *parent;
    struct conf_node    *first;
    struct conf_node    *last;
    struct conf_node    *next;
    bp_str               key; /* in a mapping */
    struct conf_position key_position;
    struct conf_position position;
    bp_str   text;   /* of a scalar, as written, quotes and escapes undone; NUL-terminated */
    bp_str   value;  /* of a scalar, after expansion; NUL-terminated */
    bp_str   source; /* "env NAME, file PATH": where `value` came from; empty: from this file */
    uint32_t index;  /* in a sequence */
    uint32_t count;  /* of children */
    uint8_t  kind;
    bool     is_quoted;
    bool     is_expanded;  /* `text` had a ${...} */
    bool     is_from_file; /* a ${file:...} went into `value`: it is never shown */
    bool     is_broken;    /* expansion failed and was reported: say nothing more about it */
};

/* The child called `key`; NULL when there is none, or when `mapping` is NULL or no mapping. */
const struct conf_node *node_find(const struct conf_node *mapping, const char *key);

/* Whether it was written as nothing: `key:`, `~` or `null`. */
bool node_is_null(const struct conf_node *node);

/* Whether it counts as not written at all, because its ${NAME:-} came to nothing. */
bool node_is_unset(const struct conf_node *node);

/* "vector.docs.url", "server.listen[0]"; `name` is put behind it unless it is empty. */
bp_str node_path(struct arena *arena, const struct conf_node *node, bp_str name);

#endif
