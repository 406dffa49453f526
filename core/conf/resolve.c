/* resolve.c - reads each instance by the options of its plugin, and sorts the instances by their
 * references. */
#include "conf/conf.h"
#include "conf/hint.h"

enum { NOT_VISITED, BEING_VISITED, VISITED };

struct resolver {
    struct conf               *conf;
    const struct conf_plugins *plugins;
    struct conf_instance     **path; /* instances being visited, outermost first */
    uint32_t                   path_length;
    uint32_t                   ordered;
};

/* Errors unless the instance may be missing. */
static void report_no_plugin(struct resolver *resolver, const struct conf_instance *instance,
                             const char *problem)
{
    struct conf            *conf = resolver->conf;
    const struct conf_node *place = instance->use_node ? instance->use_node : instance->node;
    struct hint             hint = hint_for(instance->use);
    struct conf_plugin      plugin = { 0 };
    bp_str                  path = node_path(&conf->arena, place, bp_str_of(NULL));
    struct conf_position    position = instance->use_node ? place->position : place->key_position;
    bool                    is_warning = !instance->gate.critical;
    const char             *effect = is_warning ? "; starting without it" : "";

    if (problem) {
        problem_add(&conf->problems, is_warning, position, path,
                    "the plugin %s/" BP_FMT " cannot be used: %s%s", instance->kind,
                    BP_ARG(instance->use), problem, effect);
        return;
    }
    for (size_t i = 0;
         resolver->plugins->at(resolver->plugins->context, instance->kind, i, &plugin); i++)
        hint_offer(&hint, bp_str_of(plugin.name));
    problem_add(&conf->problems, is_warning, position, path, "there is no plugin %s/" BP_FMT "%s%s",
                instance->kind, BP_ARG(instance->use), hint_text(&conf->arena, &hint), effect);
}

static void read_options(struct resolver *resolver, struct conf_instance *instance)
{
    struct conf                     *conf = resolver->conf;
    struct option_reader             reader = { &conf->problems, conf->data_dir };
    const struct option_table       *table = &instance->plugin.options;
    const struct option_table *const tables[] = { table, &gate_table,
                                                  gate_kind_table(instance->kind) };
    const struct conf_node *mapping = instance->node->kind == NODE_MAPPING ? instance->node : NULL;

    instance->options = arena_alloc(&conf->arena, (size_t)instance->plugin.instance_size + 1);
    if (!instance->options) {
        problem_no_memory(&conf->problems);
        return;
    }
    option_read(&reader, table, NULL, instance->node, instance->options, &instance->refs);
    option_report_unknown(&conf->problems, mapping, tables, 3, "use");
}

static void resolve_instance(struct resolver *resolver, struct conf_instance *instance)
{
    struct conf         *conf = resolver->conf;
    struct option_reader reader = { &conf->problems, conf->data_dir };
    struct conf_plugin   plugin = { 0 };
    bool is_found = resolver->plugins->find(resolver->plugins->context, instance->kind,
                                            instance->use.data, &plugin);

    gate_conf_read(&reader, instance->kind, instance->node, is_found ? &plugin.options : NULL,
                   &instance->gate);
    if (!is_found) {
        instance->is_missing = !instance->gate.critical;
        report_no_plugin(resolver, instance, plugin.problem);
        return;
    }
    instance->plugin = plugin;
    read_options(resolver, instance);
}

static void check_ref(struct resolver *resolver, const struct option_ref *ref,
                      const struct conf_node *owner)
{
    struct conf *conf = resolver->conf;
    struct hint  hint = hint_for(ref->name);

    if (conf_find_instance(conf, ref->kind, ref->name))
        return;
    if (conf->problems.is_partial) // it may stand in the lines that were left out
        return;
    // An instance that is written but could not be read was reported where it stands.
    if (node_find(node_find(conf->root, ref->kind.data), ref->name.data))
        return;
    for (size_t i = 0; i < conf->instance_count && !problems_are_full(&conf->problems); i++)
        if (bp_str_is(ref->kind, conf->instances[i].kind))
            hint_offer(&hint, conf->instances[i].name);
    option_report_no_instance(&conf->problems, ref, owner, &hint);
}

static void check_refs(struct resolver *resolver, const struct option_refs *refs,
                       const struct conf_node *owner)
{
    for (const struct option_ref *ref = refs->first; ref; ref = ref->next)
        check_ref(resolver, ref, owner);
}

/* `ref` leads from the innermost instance being visited back to `target`. */
static void report_cycle(struct resolver *resolver, const struct option_ref *ref,
                         const struct conf_instance *target)
{
    struct conf  *conf = resolver->conf;
    struct bp_buf circle;
    uint32_t      start = 0;

    buf_init(&circle, &conf->arena, 800);
    while (resolver->path[start] != target)
        start++;
    for (uint32_t i = start; i < resolver->path_length; i++)
        buf_addf(&circle, "%s." BP_FMT " -> ", resolver->path[i]->kind,
                 BP_ARG(resolver->path[i]->name));
    buf_addf(&circle, "%s." BP_FMT, target->kind, BP_ARG(target->name));
    if (ref->node)
        error_at_value(&conf->problems, ref->node, "instances need each other in a circle: " BP_FMT,
                       BP_ARG(buf_str(&circle)));
    else
        error_missing(&conf->problems, resolver->path[resolver->path_length - 1]->node,
                      ref->option.data, "instances need each other in a circle: " BP_FMT,
                      BP_ARG(buf_str(&circle)));
}

/* Depth first, with a stack of its own: a chain may be as long as there are instances. */
static void visit(struct resolver *resolver, struct conf_instance *start,
                  const struct option_ref **next)
{
    struct conf *conf = resolver->conf;

    if (start->visit != NOT_VISITED)
        return;
    start->visit = BEING_VISITED;
    resolver->path[0] = start;
    next[0] = start->refs.first;
    resolver->path_length = 1;
    while (resolver->path_length) {
        uint32_t                 top = resolver->path_length - 1;
        const struct option_ref *ref = next[top];
        struct conf_instance    *target;

        if (!ref) {
            resolver->path[top]->visit = VISITED;
            resolver->path[top]->place = resolver->ordered;
            conf->order[resolver->ordered++] = resolver->path[top];
            resolver->path_length--;
            continue;
        }
        next[top] = ref->next;
        target = conf_find_instance(conf, ref->kind, ref->name);
        if (!target || target->visit == VISITED)
            continue;
        if (target->visit == BEING_VISITED) {
            report_cycle(resolver, ref, target);
            continue;
        }
        target->visit = BEING_VISITED;
        resolver->path[top + 1] = target;
        next[top + 1] = target->refs.first;
        resolver->path_length++;
    }
}

static void sort_instances(struct resolver *resolver)
{
    struct conf              *conf = resolver->conf;
    size_t                    count = conf->instance_count;
    const struct option_ref **next = arena_alloc(&conf->arena, (count + 1) * sizeof(*next));

    resolver->path = arena_alloc(&conf->arena, (count + 1) * sizeof(struct conf_instance *));
    conf->order = arena_alloc(&conf->arena, (count + 1) * sizeof(struct conf_instance *));
    if (!next || !resolver->path || !conf->order) {
        problem_no_memory(&conf->problems);
        return;
    }
    for (size_t i = 0; i < count; i++)
        visit(resolver, &conf->instances[i], next);
}

bool conf_resolve(struct conf *conf, const struct conf_plugins *plugins)
{
    struct resolver resolver = { .conf = conf, .plugins = plugins };

    for (size_t i = 0; i < conf->instance_count; i++)
        resolve_instance(&resolver, &conf->instances[i]);
    check_refs(&resolver, &conf->server_refs, node_find(conf->root, "server"));
    for (size_t i = 0; i < conf->instance_count; i++)
        check_refs(&resolver, &conf->instances[i].refs, conf->instances[i].node);
    sort_instances(&resolver);
    return !conf_has_errors(conf);
}
