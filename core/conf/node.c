/* node.c - finding nodes and naming them. */
#include "conf/node.h"

#include "base/buf.h"

enum { MAX_PATH_BYTES = 1024 };

const struct conf_node *node_find(const struct conf_node *mapping, const char *key)
{
    if (!mapping || mapping->kind != NODE_MAPPING)
        return NULL;
    for (const struct conf_node *child = mapping->first; child; child = child->next)
        if (bp_str_is(child->key, key))
            return child;
    return NULL;
}

bool node_is_null(const struct conf_node *node)
{
    if (node->kind != NODE_SCALAR || node->is_quoted)
        return false;
    return node->text.len == 0 || bp_str_is(node->text, "~") || bp_str_is(node->text, "null");
}

bool node_is_unset(const struct conf_node *node)
{
    return node->kind == NODE_SCALAR && node->is_expanded && node->value.len == 0;
}

static void add_path(struct bp_buf *path, const struct conf_node *node)
{
    if (!node->parent)
        return;
    add_path(path, node->parent);
    if (node->parent->kind == NODE_SEQUENCE) {
        buf_addf(path, "[%u]", node->index);
        return;
    }
    if (path->len)
        buf_add_char(path, '.');
    buf_add(path, node->key);
}

bp_str node_path(struct arena *arena, const struct conf_node *node, bp_str name)
{
    struct bp_buf path;

    buf_init(&path, arena, MAX_PATH_BYTES);
    if (node)
        add_path(&path, node);
    if (path.len && name.len)
        buf_add_char(&path, '.');
    buf_add(&path, name);
    // A path that is too long is that of a key nobody can mean; the line and column still lead
    // there.
    return buf_str(&path);
}
