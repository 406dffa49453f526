/* api.c - the data for dispatching requests: routes, keys, limits, OpenAPI; made and freed with an
 * edition. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/budget.h"
#include "api/commands.h"
#include "api/prefix.h"
#include "base/crypto.h"
#include "base/str.h"

/* ---- set-up ---- */

static struct unit *find_unit(const struct generation *generation, const char *kind, bp_str name)
{
    for (size_t i = 0; i < generation->unit_count; i++) {
        struct unit *unit = generation->units[i];

        if (strcmp(unit->conf->kind, kind) == 0 &&
            (name.len == 0 || bp_str_equal(unit->conf->name, name)))
            return unit;
    }
    return NULL;
}

/* The routes of an app, with what stands before its paths. */
static bool add_app(struct api *api, struct unit *unit, const char *prefix, struct reason *why)
{
    const bp_app_ops *app = unit->plugin->descriptor.ops;
    bp_route         *specs = arena_alloc(&api->arena, (app->route_count + 1) * sizeof(*specs));
    size_t            before = router_count(api->router), known = app->route_size;

    if (known > sizeof(*specs))
        known = sizeof(*specs);
    if (!specs || known < offsetof(bp_route, summary)) { // the router names the mistake
        return router_add(api->router, app->routes, app->route_size, app->route_count, unit, NULL,
                          why);
    }
    for (size_t i = 0; i < app->route_count; i++) {
        memcpy(&specs[i], (const char *)app->routes + i * app->route_size, known);
        if (specs[i].path && *prefix)
            specs[i].path = arena_format(&api->arena, "%s%s", prefix, specs[i].path).data;
    }
    if (!router_add(api->router, specs, sizeof(*specs), app->route_count, unit, NULL, why))
        return false;
    for (size_t i = before; i < router_count(api->router); i++)
        router_at(api->router, i)->prefix_bytes = strlen(prefix);
    return true;
}

static bool is_app(const struct unit *unit)
{
    return strcmp(unit->conf->kind, "app") == 0;
}

/* A mistake of one app stands in the conf's list, at its line. */
static bool refuse_app(struct api *api, const struct unit *unit, const char *problem)
{
    error_at_key(&api->conf->problems, generation_conf_of(api->generation, unit)->node, "%s",
                 problem);
    return false;
}

static bool add_apps(struct api *api, struct reason *why)
{
    struct generation *generation = api->generation;
    bool               is_good = true;

    for (size_t i = 0; i < generation->unit_count; i++) {
        const struct unit *unit = generation->units[i];
        const bp_app_ops  *app = unit->plugin->descriptor.ops;

        if (!is_app(unit) || app->struct_size >= offsetof(bp_app_ops, migrations))
            continue;
        reason_set(why, "%s has a table of operations that is too short to have routes",
                   unit->plugin->label);
        return refuse_app(api, unit, why->text);
    }
    api->prefixes = prefixes_settle(api->conf, api->generation, &api->arena, why);
    for (size_t i = 0; api->prefixes && i < generation->unit_count; i++)
        if (is_app(generation->units[i]) &&
            (!add_app(api, generation->units[i], api->prefixes[i], why) ||
             !commands_add(api, generation->units[i], why)))
            is_good = refuse_app(api, generation->units[i], why->text);
    return api->prefixes && is_good;
}

/* Counters are there with a zero before the first request, so that a rate can be taken of it. */
static void define_requests(struct api *api)
{
    static const char *const statuses[] = { "200", "500", "503" };

    api->in_flight = metrics_single(METRIC_GAUGE, "http_requests_in_flight",
                                    "Requests that are being answered now.");
    for (size_t i = 0; i < router_count(api->router); i++) {
        const struct route *route = router_at(api->router, i);

        for (size_t s = 0; s < sizeof(statuses) / sizeof(statuses[0]); s++)
            metrics_series(api->requests,
                           (bp_str[]){ bp_str_of(route->spec.method), bp_str_of(route->spec.path),
                                       bp_str_of(statuses[s]) },
                           3);
    }
}

bool api_init(struct api *api, struct conf *conf, struct generation *generation,
              struct health_board *health, bool is_served, struct reason *why)
{
    *api = (struct api){ .conf = conf, .generation = generation, .health = health };
    arena_init(&api->arena, 64u << 20);
    crypto_random(&api->client_seed, sizeof(api->client_seed));
    api->requests = metrics_define(METRIC_COUNTER, "http_requests_total", "Requests answered.",
                                   "method route status");
    api->router = router_new();
    api->key_caches = calloc(generation->worker_count, sizeof(*api->key_caches));
    if (!api->router || !api->key_caches) {
        reason_set(why, "no memory for the routes");
        return false;
    }
    for (uint32_t w = 0; w < generation->worker_count; w++)
        api->key_caches[w] = key_cache_new();
    api->key_guard = key_guard_new(conf->server.auth.wrong_keys_per_minute);
    api->host_requests = budget_new(conf->server.host_rate_per_minute);
    if (!api->key_guard || !api->host_requests) {
        reason_set(why, "no memory for counting requests");
        return false;
    }
    if (conf->server.auth.mode == AUTH_OAUTH || conf->server.auth.mode == AUTH_BOTH) {
        api->oauth = oauth_new(&conf->server.auth, api->key_guard);
        if (!api->oauth) {
            reason_set(why, "no memory for the issuer's keys");
            return false;
        }
    }
    if (conf->server.auth.mode == AUTH_KEYS || conf->server.auth.mode == AUTH_BOTH)
        api->key_storage = find_unit(generation, "storage", conf->server.auth.storage);
    api->cache = find_unit(generation, "cache", BP_STR("main"));
    if (!api->cache)
        api->cache = find_unit(generation, "cache", (bp_str){ NULL, 0 });
    if (conf->server.rate_per_minute && !api->cache) {
        reason_set(why,
                   "server.rate_per_minute is set, but there is no cache that could count: add "
                   "`cache: { main: { use: memory } }`");
        return false;
    }
    if (!router_add(api->router, api_host_routes, sizeof(bp_route), api_host_route_count, NULL, api,
                    why))
        return false;
    if (is_served && !add_apps(api, why))
        return false;
    define_requests(api);
    return true;
}

static void add_scope(struct bp_buf *scopes, bp_str scope)
{
    if (!scope.len || str_has_word(buf_str(scopes), scope))
        return;
    if (scopes->len)
        buf_add_char(scopes, ' ');
    buf_add(scopes, scope);
}

void api_describe(struct api *api, bp_str more_scopes)
{
    struct bp_buf scopes;

    buf_init(&scopes, &api->arena, 1 << 16);
    for (size_t i = 0; i < router_count(api->router); i++)
        add_scope(&scopes, bp_str_of(router_at(api->router, i)->spec.scope));
    while (more_scopes.len)
        add_scope(&scopes, str_split(more_scopes, ' ', &more_scopes));
    api->scopes = buf_str(&scopes);
    api->openapi = api_make_openapi(api, &api->arena);
}

void api_free(struct api *api)
{
    if (api->key_caches)
        for (uint32_t w = 0; w < api->generation->worker_count; w++)
            key_cache_free(api->key_caches[w]);
    free(api->key_caches);
    key_guard_free(api->key_guard);
    budget_free(api->host_requests);
    oauth_free(api->oauth);
    router_free(api->router);
    arena_free(&api->arena);
}
