/* prefix.c - finds apps with equal paths, and the prefixes that part them. */
#include "api/prefix.h"
#include "api/router.h"

#include <stdio.h>

bool prefix_is_served_at(const struct server_conf *server, size_t listener, const struct unit *unit)
{
    const bp_str_list *apps;

    if (!unit || listener >= server->listener_count)
        return true;
    apps = &server->listeners[listener].apps;
    for (size_t i = 0; i < apps->count; i++)
        if (bp_str_equal(apps->items[i], unit->conf->name))
            return true;
    return apps->count == 0;
}

static bool share_a_listener(const struct server_conf *server, const struct unit *a,
                             const struct unit *b)
{
    for (size_t i = 0; i < server->listener_count; i++)
        if (prefix_is_served_at(server, i, a) && prefix_is_served_at(server, i, b))
            return true;
    return false;
}

static bp_route route_at(const bp_app_ops *app, size_t index)
{
    bp_route route = { 0 };
    size_t   known = app->route_size < sizeof(route) ? app->route_size : sizeof(route);

    memcpy(&route, (const char *)app->routes + index * app->route_size, known);
    return route;
}

/* The first route of `late` that `early` has as well; false: none. Malformed ones are the router's
 * to refuse. */
static bool find_common(struct arena *arena, const struct unit *early, const char *early_prefix,
                        const struct unit *late, const char *late_prefix, bp_str *path,
                        const char **method)
{
    const bp_app_ops *a = early->plugin->descriptor.ops, *b = late->plugin->descriptor.ops;

    for (size_t i = 0; i < b->route_count; i++) {
        bp_route mine = route_at(b, i);
        bp_str   my_path;

        if (!mine.method || !mine.path)
            continue;
        my_path = arena_format(arena, "%s%s", late_prefix, mine.path);
        for (size_t j = 0; j < a->route_count; j++) {
            bp_route other = route_at(a, j);

            if (!other.method || !other.path || strcmp(mine.method, other.method) != 0 ||
                !router_is_same_path(my_path,
                                     arena_format(arena, "%s%s", early_prefix, other.path)))
                continue;
            *path = my_path;
            *method = mine.method;
            return true;
        }
    }
    return false;
}

/* The apps with settled paths, and the memory for these paths. */
struct settling {
    struct conf             *conf;
    const struct generation *generation;
    struct arena            *arena;
};

/* The first unit before `late` in the conf that is in its way; NULL: none. */
static const struct unit *find_rival(const struct settling *of, const struct unit *late,
                                     const char *const *prefixes, const char *prefix, bp_str *path,
                                     const char **method)
{
    const struct generation *generation = of->generation;
    const struct unit       *found = NULL;
    struct arena             scratch;

    arena_init(&scratch, 16u << 20);
    for (size_t i = 0; i < generation->unit_count && !found; i++) {
        const struct unit *early = generation->units[i];

        // The conf has its instances in the order of the file; an app's place among the units is
        // another one.
        if (strcmp(early->conf->kind, "app") == 0 &&
            generation->confs[i] < generation_conf_of(generation, late) &&
            share_a_listener(&of->conf->server, early, late) &&
            find_common(&scratch, early, prefixes[i], late, prefix, path, method))
            found = early;
    }
    if (found)
        *path = arena_dup(of->arena, *path);
    arena_free(&scratch);
    return found;
}

static bool settle_one(const struct settling *of, size_t index, const char **prefixes,
                       struct reason *why)
{
    struct unit            *unit = of->generation->units[index];
    const struct conf_node *conf_node = of->generation->confs[index]->node,
                           *node = node_find(conf_node, "prefix");
    bp_str             asked = unit->conf->gate.prefix, path;
    const char        *method;
    const struct unit *rival;

    if (asked.len)
        prefixes[index] = arena_format(of->arena, "/" BP_FMT, BP_ARG(asked)).data;
    rival = find_rival(of, unit, prefixes, prefixes[index], &path, &method);
    if (rival && !asked.len) {
        prefixes[index] = arena_format(of->arena, "/" BP_FMT, BP_ARG(unit->conf->name)).data;
        log_message(of->generation->workers[0].log, BP_LOG_INFO, "routes_prefixed",
                    "the paths of app.%.32s begin with %s, because app.%.32s, which stands before "
                    "it in the conf, has %s %.200s too; `prefix` of app.%.32s is another word for "
                    "it",
                    unit->conf->name.data, prefixes[index], rival->conf->name.data, method,
                    path.data, unit->conf->name.data);
        rival = find_rival(of, unit, prefixes, prefixes[index], &path, &method);
    }
    if (!rival)
        return true;
    reason_set(why,
               "%s %.200s is offered by app.%.32s as well, and one listener serves both: give "
               "app.%.32s another `prefix`, or listeners of their own, { address: ..., apps: "
               "[%.32s] "
               "}",
               method, path.data, rival->conf->name.data, unit->conf->name.data,
               unit->conf->name.data);
    error_at_key(&of->conf->problems, node ? node : conf_node, "%s", why->text);
    return false;
}

const char **prefixes_settle(struct conf *conf, const struct generation *generation,
                             struct arena *arena, struct reason *why)
{
    const struct settling of = { conf, generation, arena };
    const char **prefixes = arena_alloc(arena, (generation->unit_count + 1) * sizeof(*prefixes));
    bool         is_good = true;

    reason_set(why, "no memory for the routes");
    if (!prefixes)
        return NULL;
    for (size_t i = 0; i < generation->unit_count; i++)
        prefixes[i] = "";
    // In the order of the conf: each looks at those before it, which have settled prefixes.
    for (size_t c = 0; c < conf->instance_count; c++)
        for (size_t i = 0; i < generation->unit_count; i++)
            if (generation->confs[i] == &conf->instances[c] &&
                strcmp(generation->units[i]->conf->kind, "app") == 0)
                is_good = settle_one(&of, i, prefixes, why) && is_good;
    return is_good ? prefixes : NULL;
}
