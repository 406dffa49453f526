/* router.c - a tree of path segments. */
#include "api/router.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "schema/params.h"

enum { METHODS = 5, ROUTES_MAX = 1024, ROUTES_OF_APP_MAX = 128 };

static const char *const methods[METHODS] = { "GET", "POST", "PUT", "PATCH", "DELETE" };

enum segment_type { FIXED, VALUE, REST };

struct node {
    struct node      *first_child, *next_sibling;
    enum segment_type type;
    bp_str            text; /* FIXED: the segment */
    struct route     *routes[METHODS];
};

struct router {
    struct arena  arena;
    struct node   root;
    struct route *all[ROUTES_MAX];
    size_t        count;
};

struct router *router_new(void)
{
    struct router *router = calloc(1, sizeof(*router));

    if (router)
        arena_init(&router->arena, 64u << 20);
    return router;
}

void router_free(struct router *router)
{
    if (!router)
        return;
    arena_free(&router->arena);
    free(router);
}

static int method_index(bp_str method)
{
    for (int i = 0; i < METHODS; i++)
        if (bp_str_is(method, methods[i]))
            return i;
    return bp_str_is(method, "HEAD") ? 0 : -1;
}

/* Children stand in the order of precedence: fixed ones, a value, the rest. */
static struct node *child_for(struct router *router, struct node *node, enum segment_type type,
                              bp_str text)
{
    struct node **at = &node->first_child, *made;

    for (; *at && (*at)->type <= type; at = &(*at)->next_sibling)
        if ((*at)->type == type && (type != FIXED || bp_str_equal((*at)->text, text)))
            return *at;
    made = arena_alloc(&router->arena, sizeof(*made));
    if (made) {
        made->type = type;
        made->text = text;
        made->next_sibling = *at;
        *at = made;
    }
    return made;
}

static bool classify(bp_str segment, enum segment_type *type, bp_str *text)
{
    *type = FIXED;
    *text = segment;
    if (segment.len < 2 || segment.data[0] != '{')
        return memchr(segment.data ? segment.data : "", '{', segment.len) == NULL;
    if (segment.data[segment.len - 1] != '}')
        return false;
    *type = VALUE;
    *text = (bp_str){ segment.data + 1, segment.len - 2 };
    if (text->len > 3 && memcmp(text->data + text->len - 3, "...", 3) == 0) {
        *type = REST;
        text->len -= 3;
    }
    return text->len > 0;
}

/* Two apps may share a route; who may not is decided where listeners are known. */
static bool is_taken(const struct route *first, const struct unit *unit)
{
    for (; first; first = first->next_same)
        if (!first->unit || !unit || first->unit == unit)
            return true;
    return false;
}

static bool has_no_memory(struct reason *why)
{
    reason_set(why, "no memory for the routes");
    return false;
}

/* From here on a table of parameters is the text that it stands for. */
static bool read_params(struct router *router, bp_route *spec, struct reason *problem)
{
    struct reason why;

    if (params_text(&router->arena, spec->request_params, &spec->request_schema, &why) &&
        params_text(&router->arena, spec->response_params, &spec->response_schema, &why))
        return true;
    reason_set(problem, "%s %.100s: %s", spec->method, spec->path, why.text);
    return false;
}

static bool add_one(struct router *router, const bp_route *spec, struct unit *unit, uint32_t index,
                    struct reason *why)
{
    struct node  *node = &router->root;
    int           method = spec->method ? method_index(bp_str_of(spec->method)) : -1;
    bp_str        rest = spec->path ? bp_str_of(spec->path) : (bp_str){ "", 0 };
    const char   *owner = unit ? unit->conf->name.data : NULL;
    struct route *route = arena_alloc(&router->arena, sizeof(*route)), **place;
    size_t        value_count = 0;

    if (!route)
        return has_no_memory(why);
    if (method < 0 || rest.len < 1 || rest.data[0] != '/' || !spec->handler ||
        router->count == ROUTES_MAX) {
        reason_set(why,
                   "route %u of %s is malformed: it needs a method of GET, POST, PUT, PATCH, "
                   "DELETE, "
                   "a path that begins with / and a handler",
                   index, owner ? owner : "the host");
        return false;
    }
    for (rest.data++, rest.len--; rest.len && node;) {
        enum segment_type type;
        bp_str            text;

        if (!classify(str_split(rest, '/', &rest), &type, &text) || (type == REST && rest.len)) {
            reason_set(why,
                       "route \"%s\" of %s has a segment that is neither plain nor {name} nor a "
                       "last "
                       "{name...}",
                       spec->path, owner ? owner : "the host");
            return false;
        }
        if (type != FIXED && value_count < ROUTE_VALUES_MAX)
            route->value_names[value_count++] = text;
        node = child_for(router, node, type, text);
    }
    if (!node)
        return has_no_memory(why);
    if (is_taken(node->routes[method], unit)) {
        reason_set(why, "%s %s of %s is taken already by %s", spec->method, spec->path,
                   owner ? owner : "the host",
                   node->routes[method]->owner ? node->routes[method]->owner : "the host");
        return false;
    }
    route->spec = *spec;
    if (!read_params(router, &route->spec, why))
        return false;
    route->owner = owner;
    route->unit = unit;
    route->op = (struct gate_op){
        index, arena_format(&router->arena, "%s %s", spec->method, spec->path).data, false
    };
    route->duration = metrics_series(metrics_define(METRIC_HISTOGRAM,
                                                    "http_request_duration_seconds",
                                                    "Time from the header block to the end of the "
                                                    "answer.",
                                                    "method route"),
                                     (bp_str[]){ bp_str_of(spec->method), bp_str_of(spec->path) },
                                     2);
    if (unit && unit->plugin)
        gate_define_op(unit, route->op.name);
    for (place = &node->routes[method]; *place;)
        place = &(*place)->next_same;
    *place = route;
    router->all[router->count++] = route;
    return true;
}

bool router_add(struct router *router, const bp_route *routes, size_t stride, size_t count,
                struct unit *unit, void *context, struct reason *why)
{
    if (count && (!routes || stride < offsetof(bp_route, summary) || count > ROUTES_OF_APP_MAX)) {
        reason_set(why, "the route table of %s is malformed: %zu routes of %zu bytes",
                   unit ? unit->conf->name.data : "the host", count, stride);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bp_route spec = { 0 };

        memcpy(&spec, (const char *)routes + i * stride,
               stride < sizeof(spec) ? stride : sizeof(spec));
        if (!add_one(router, &spec, unit, (uint32_t)i, why))
            return false;
        router->all[router->count - 1]->context = context;
    }
    return true;
}

/* Depth first, most specific first; a path has few segments, and few of them branch. */
static const struct node *find(const struct node *node, bp_str rest, bool is_end,
                               struct route_match *match)
{
    size_t kept = match->value_count;

    if (is_end) {
        for (int i = 0; i < METHODS; i++)
            if (node->routes[i])
                return node;
        return NULL;
    }
    for (const struct node *child = node->first_child; child; child = child->next_sibling) {
        bp_str             after, segment = str_split(rest, '/', &after);
        bool               has_more = segment.len < rest.len;
        const struct node *found = NULL;

        if (child->type == FIXED && bp_str_equal(child->text, segment)) {
            found = find(child, after, !has_more, match);
        } else if (child->type != FIXED && segment.len && match->value_count < ROUTE_VALUES_MAX) {
            match->values[match->value_count++].value = child->type == REST ? rest : segment;
            found = child->type == REST ? child : find(child, after, !has_more, match);
        }
        if (found)
            return found;
        match->value_count = kept;
    }
    return NULL;
}

void router_choose(struct route_match *match, const struct route *route)
{
    match->route = route;
    for (size_t i = 0; i < match->value_count; i++)
        match->values[i].name = route->value_names[i];
}

bool router_is_same_path(bp_str a, bp_str b)
{
    while (a.len && b.len) {
        enum segment_type type[2];
        bp_str            text[2];
        bool              is_good = classify(str_split(a, '/', &a), &type[0], &text[0]) &&
                       classify(str_split(b, '/', &b), &type[1], &text[1]);

        if (!is_good || type[0] != type[1] || (type[0] == FIXED && !bp_str_equal(text[0], text[1])))
            return false;
    }
    return a.len == b.len;
}

struct route *router_find(const struct router *router, bp_str method, bp_str path,
                          struct route_match *match, char allowed[ROUTE_METHODS_BYTES])
{
    const struct node *node = NULL;
    int                index = method_index(method);

    allowed[0] = '\0';
    match->value_count = 0;
    match->route = NULL;
    if (path.len && path.data[0] == '/')
        node = find(&router->root, (bp_str){ path.data + 1, path.len - 1 }, path.len == 1, match);
    if (!node)
        return NULL;
    if (index >= 0 && node->routes[index]) {
        router_choose(match, node->routes[index]);
        return node->routes[index];
    }
    for (int i = 0; i < METHODS; i++)
        if (node->routes[i])
            snprintf(allowed + strlen(allowed), ROUTE_METHODS_BYTES - strlen(allowed), "%s%s%s",
                     allowed[0] ? ", " : "", i == 0 ? "HEAD, " : "", methods[i]);
    return NULL;
}

size_t router_count(const struct router *router)
{
    return router->count;
}

struct route *router_at(const struct router *router, size_t index)
{
    return router->all[index];
}
