/* yaml.h - reads YAML into a tree with positions, by libyaml and within caps.
 *
 * One document, UTF-8, mappings with plain keys. Anchors, aliases and tags are refused: a conf file
 * that means something else than what stands at a place cannot be reported by line and column.
 */
#ifndef CORE_CONF_YAML_H
#define CORE_CONF_YAML_H

#include "conf/problem.h"

enum {
    YAML_MAX_BYTES = 4 << 20,
    YAML_MAX_DEPTH = 32,
    YAML_MAX_NODES = 100000,
    YAML_MAX_KEYS = 1024 /* of one mapping */
};

/* NULL when there is nothing usable; problems say why. With problems and a tree, the tree lacks the
 * wrong parts. An empty text is NULL without a problem. */
struct conf_node *yaml_read(struct conf_problems *problems, bp_str text);

#endif
