/* options.c - faked: the conf. {name, value} texts become the nodes that a conf file would have,
 * and the host's own code reads them (core/conf). An option that is not given has its default, as
 * in a conf.
 */
#include "host.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/expand.h"
#include "conf/hint.h"
#include "conf/option.h"
#include "conf/yaml.h"

enum { TABLE_BYTES_MAX = 1 << 20, DIRECTORY_BYTES = 4096 };

static struct option_table table_of(const bp_plugin *plugin)
{
    return (struct option_table){ plugin->options, plugin->option_size, plugin->option_count };
}

/* ---- texts become nodes ---- */

static void append(struct conf_node *parent, struct conf_node *child)
{
    child->parent = parent;
    child->index = parent->count++;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

/* A node without a position counts as a default, so each has that of its option. */
static struct conf_node *node_new(struct conf_problems *problems, enum conf_node_kind kind,
                                  uint32_t line, bp_str text)
{
    struct conf_node *node = arena_alloc(problems->arena, sizeof(*node));

    if (!node)
        abort(); /* a test has no better answer to a machine without memory */
    node->kind = (uint8_t)kind;
    node->position = node->key_position = (struct conf_position){ line, 1 };
    node->is_quoted = true;
    node->text = node->value = arena_dup(problems->arena, text);
    return node;
}

/* "a, b" is the list [a, b]; "a=1, b=2" the map {a: 1, b: 2}. */
static struct conf_node *node_of_members(struct conf_problems *problems, bool is_map, uint32_t line,
                                         bp_str text)
{
    struct conf_node *list = node_new(problems, is_map ? NODE_MAPPING : NODE_SEQUENCE, line,
                                      BP_STR(""));

    while (text.len) {
        bp_str            value = str_trim(str_split(text, ',', &text)), key = { "", 0 };
        struct conf_node *member;

        if (!value.len)
            continue;
        if (is_map)
            key = str_split(value, '=', &value);
        member = node_new(problems, NODE_SCALAR, line, value);
        member->key = arena_dup(problems->arena, key);
        append(list, member);
    }
    return list;
}

static struct conf_node *node_of_text(struct conf_problems *problems, uint32_t type, uint32_t line,
                                      bp_str text)
{
    bool   is_map = type == BP_OPTION_TYPE_MAP;
    bp_str start = str_trim(text);

    if (!is_map && type != BP_OPTION_TYPE_LIST && type != BP_OPTION_TYPE_REFS)
        return node_new(problems, NODE_SCALAR, line, text);
    if (start.len && (start.data[0] == '[' || start.data[0] == '{'))
        return yaml_read(problems, text);
    return node_of_members(problems, is_map, line, text);
}

static uint32_t type_of(const bp_plugin *plugin, const char *name)
{
    const struct option_table table = table_of(plugin);

    for (uint32_t i = 0; i < table.count; i++)
        if (strcmp(option_at(&table, i).name, name) == 0)
            return option_at(&table, i).type;
    return BP_OPTION_TYPE_STRING; /* it is refused as unknown */
}

static bool is_given_again(const testhost_option *options, size_t count, size_t index)
{
    for (size_t i = index + 1; i < count; i++)
        if (strcmp(options[i].name, options[index].name) == 0)
            return true;
    return false;
}

/* What `mine: { ... }` of a conf would be, with its ${...} filled in. */
static struct conf_node *mapping_of(struct conf_problems *problems, const bp_plugin *plugin,
                                    const testhost_option *options, size_t count,
                                    const char *directory)
{
    struct conf_node *mapping = node_new(problems, NODE_MAPPING, 1, BP_STR(""));

    for (size_t i = 0; i < count; i++) {
        struct conf_node *node;

        if (is_given_again(options, count, i))
            continue;
        node = node_of_text(problems, type_of(plugin, options[i].name), (uint32_t)i + 1,
                            bp_str_of(options[i].value));
        if (!node)
            continue; /* it is no YAML, which is among the problems */
        node->key = arena_dup(problems->arena, bp_str_of(options[i].name));
        append(mapping, node);
    }
    expand_tree(problems, &conf_process_environment, directory, mapping);
    return mapping;
}

/* ---- references ---- */

static void offer_peers(testhost *host, bp_str kind, struct hint *hint)
{
    for (size_t i = 0; i < host->instances.count; i++) {
        const testhost_instance *instance = host->instances.items[i];

        if (bp_str_is(kind, instance->plugin->kind))
            hint_offer(hint, bp_str_of(instance->name));
    }
    for (size_t i = 0; i < host->peers.count; i++) {
        const bp_peer *peer = host->peers.items[i];

        if (bp_str_equal(kind, peer->kind))
            hint_offer(hint, peer->name);
    }
}

static void add_peer(struct arena *arena, bp_peer_list *list, const bp_peer *peer, size_t room)
{
    const bp_peer **items = (const bp_peer **)(uintptr_t)list->items;

    if (!items)
        items = arena_alloc(arena, room * sizeof(*items));
    if (!items)
        abort();
    items[list->count++] = peer;
    list->items = items;
}

static void fill_refs(testhost *host, struct conf_problems *problems,
                      const struct conf_node *mapping, const struct option_refs *refs, void *object)
{
    for (const struct option_ref *ref = refs->first; ref; ref = ref->next) {
        const bp_peer *peer = find_peer(host, ref->name, ref->kind.data);
        void          *field = (char *)object + ref->offset;
        struct hint    hint = hint_for(ref->name);

        if (!peer) {
            offer_peers(host, ref->kind, &hint);
            option_report_no_instance(problems, ref, mapping, &hint);
        } else if (ref->is_list) {
            add_peer(problems->arena, field, peer, refs->count);
        } else {
            memcpy(field, &peer, sizeof(peer));
        }
    }
}

/* ---- the table ---- */

bp_status options_check_table(testhost *host, const bp_plugin *plugin)
{
    const struct option_table table = table_of(plugin);
    struct arena              arena;
    bp_str                    wrong;

    arena_init(&arena, TABLE_BYTES_MAX);
    wrong = option_table_check(&arena, &table, plugin->instance_size);
    if (wrong.len)
        problem(host, BP_INVALID, "%s/%s: its option table is wrong: " BP_FMT, plugin->kind,
                plugin->name, BP_ARG(wrong));
    arena_free(&arena);
    return wrong.len ? BP_INVALID : BP_OK;
}

static bp_status first_problem(testhost *host, const bp_plugin *plugin,
                               const struct conf_problems *problems)
{
    const struct conf_problem *first = problems->first;

    if (!problems->error_count)
        return BP_OK;
    while (first && first->is_warning)
        first = first->next;
    if (!first)
        return problem(host, BP_NO_MEMORY, "%s/%s: no memory for its options", plugin->kind,
                       plugin->name);
    return problem(host, BP_INVALID, "%s/%s: " BP_FMT ": " BP_FMT, plugin->kind, plugin->name,
                   BP_ARG(first->path), BP_ARG(first->text));
}

bp_status options_read(testhost *host, const bp_plugin *plugin, const testhost_option *options,
                       size_t count, testhost_instance *into)
{
    const struct option_table        table = table_of(plugin);
    const struct option_table *const tables[] = { &table };
    char                             directory[DIRECTORY_BYTES];
    struct conf_problems             problems;
    struct option_reader             reader = { .problems = &problems };
    struct option_refs               refs = { 0 };
    struct conf_node                *mapping;

    problems_init(&problems, &into->options, "");
    if (!getcwd(directory, sizeof(directory)))
        directory[0] = '\0';
    reader.data_dir = arena_dup(&into->options,
                                bp_str_of(host->data_dir ? host->data_dir : directory));
    mapping = mapping_of(&problems, plugin, options, count, directory);
    option_read(&reader, &table, NULL, mapping, into->self, &refs);
    option_report_unknown(&problems, mapping, tables, 1, "");
    fill_refs(host, &problems, mapping, &refs, into->self);
    return first_problem(host, plugin, &problems);
}

void options_copy(const bp_plugin *plugin, const void *from, void *to)
{
    const struct option_table table = table_of(plugin);

    for (uint32_t i = 0; i < table.count; i++) {
        bp_option option = option_at(&table, i);

        memcpy((char *)to + option.offset, (const char *)from + option.offset,
               option_field_size(option.type));
    }
}
