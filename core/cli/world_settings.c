/* world_settings.c - settings that are valid alone but conflict, or have no effect. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/world.h"
#include "conf/value.h"

/* ---- is there anything at all ---- */

void world_check_contents(struct world *world)
{
    struct conf            *conf = world->conf;
    struct conf_position    whole = { 0 };
    const struct conf_node *apps = node_find(conf->root, "app");
    bool                    has_app = false;

    for (size_t i = 0; i < conf->instance_count; i++)
        has_app = has_app || strcmp(conf->instances[i].kind, "app") == 0;
    if (!conf->root && !conf->problems.error_count)
        problem_add(&conf->problems, false, whole, bp_str_of(NULL),
                    "is empty: there is nothing that could be served");
    else if (conf->root && !conf->root->count)
        problem_add(&conf->problems, false, whole, bp_str_of(NULL),
                    "is empty: there is nothing that could be served");
    else if (conf->root && !has_app && !conf->problems.is_partial && !(apps && apps->count)) {
        if (apps)
            warning_at_key(&conf->problems, apps,
                           "names no app: only the host's own routes, such as /health, would be "
                           "served");
        else
            problem_add(&conf->problems, true, whole, BP_STR("app"),
                        "names no app: only the host's own routes, such as /health, would be "
                        "served");
    }
}

/* ---- what nothing uses ---- */

/* Which of several is used may be said by the environment: then each is there for a reason. */
static bool is_chosen_elsewhere(const struct option_refs *refs, const char *kind)
{
    for (const struct option_ref *ref = refs->first; ref; ref = ref->next)
        if (bp_str_is(ref->kind, kind) && ref->node && ref->node->is_expanded)
            return true;
    return false;
}

static bool is_referred_to(const struct conf *conf, const struct conf_instance *instance)
{
    if (is_chosen_elsewhere(&conf->server_refs, instance->kind))
        return true;
    for (const struct option_ref *ref = conf->server_refs.first; ref; ref = ref->next)
        if (bp_str_is(ref->kind, instance->kind) && bp_str_equal(ref->name, instance->name))
            return true;
    for (size_t i = 0; i < conf->instance_count; i++) {
        if (is_chosen_elsewhere(&conf->instances[i].refs, instance->kind))
            return true;
        for (const struct option_ref *ref = conf->instances[i].refs.first; ref; ref = ref->next)
            if (bp_str_is(ref->kind, instance->kind) && bp_str_equal(ref->name, instance->name))
                return true;
    }
    return false;
}

static bool is_served(const struct conf *conf, const struct conf_instance *app)
{
    for (size_t i = 0; i < conf->server.listener_count; i++) {
        const bp_str_list *apps = &conf->server.listeners[i].apps;

        if (!apps->count)
            return true;
        for (size_t a = 0; a < apps->count; a++)
            if (bp_str_equal(apps->items[a], app->name))
                return true;
    }
    return false;
}

void world_check_unused(struct world *world)
{
    static const char used_by_others[] = "storage vector embed llm";
    struct conf      *conf = world->conf;

    for (size_t i = 0; i < conf->instance_count && !conf->problems.is_partial; i++) {
        struct conf_instance *instance = &conf->instances[i];

        if (str_has_word(bp_str_of(used_by_others), bp_str_of(instance->kind)) &&
            !is_referred_to(conf, instance))
            warning_at_key(&conf->problems, instance->node,
                           "is unused: no instance refers to it, but it starts anyway");
        if (strcmp(instance->kind, "app") == 0 && !is_served(conf, instance))
            warning_at_key(&conf->problems, instance->node,
                           "is served by no listener: add it to `apps` of one in server.listen");
    }
}

/* ---- who may ---- */

static bool is_network(const struct server_conf *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].address.len && server->listeners[i].node &&
            !address_is_loopback(server->listeners[i].address))
            return true;
    return false;
}

/* Metrics that other machines may read without a token. */
static bool is_metrics_open(const struct server_conf *server)
{
    return server->metrics_listen.len && !address_is_loopback(server->metrics_listen) &&
           !server->metrics_token.len;
}

static void look_at_list(struct world *world, const char *path, const bp_str_list *list,
                         bool is_origin)
{
    const struct conf_node *node = world_node(world, path);

    for (size_t i = 0; node && i < list->count; i++) {
        bp_str                  text = list->items[i];
        const struct conf_node *item = world_item(node, i);
        const char             *slashes = text.len ? strstr(text.data, "://") : NULL;

        if (!is_origin && (slashes || memchr(text.data, '/', text.len)))
            error_at_value(&world->conf->problems, item,
                           "\"" BP_FMT "\" is no name as the Host header has it: write it without "
                           "scheme and path, such as api.example.org",
                           BP_ARG(text));
        if (is_origin && !bp_str_is(text, "*") && !bp_str_is(text, "null") && !slashes)
            error_at_value(&world->conf->problems, item,
                           "\"" BP_FMT "\" is no origin, which has a scheme: write https://" BP_FMT,
                           BP_ARG(text), BP_ARG(text));
        if (is_origin && slashes && strchr(slashes + 3, '/'))
            error_at_value(&world->conf->problems, item,
                           "\"" BP_FMT "\" is no origin: browsers send scheme, name and port "
                           "alone, without a path or a slash at the end",
                           BP_ARG(text));
    }
}

void world_check_auth(struct world *world)
{
    const struct server_conf *server = &world->conf->server;
    const struct server_auth *auth = &server->auth;
    bool                      has_keys = auth->mode == AUTH_KEYS || auth->mode == AUTH_BOTH;
    bool                      has_tokens = auth->mode == AUTH_OAUTH || auth->mode == AUTH_BOTH;
    static const char *const  of_tokens[] = { "server.auth.issuer", "server.auth.audience",
                                              "server.auth.keys_url", "server.auth.tenant_claim" };

    if (!has_keys)
        world_warn_at(world, "server.auth.storage",
                      "has no effect, because server.auth.mode is %s: no key is asked for",
                      has_tokens ? "oauth" : "none");
    for (size_t i = 0; !has_tokens && i < sizeof(of_tokens) / sizeof(of_tokens[0]); i++)
        world_warn_at(world, of_tokens[i],
                      "has no effect, because server.auth.mode is %s: no token is asked for",
                      has_keys ? "keys" : "none");
    if (auth->allow_unauthenticated_network && !is_metrics_open(server) &&
        (has_keys || has_tokens || !is_network(server)))
        world_warn_at(world, "server.auth.allow_unauthenticated_network",
                      "has no effect, because %s",
                      has_keys || has_tokens ? "server.auth.mode asks everybody"
                                             : "only this machine reaches the listeners");
    look_at_list(world, "server.allowed_hosts", &server->allowed_hosts, false);
    look_at_list(world, "server.allowed_origins", &server->allowed_origins, true);
    if (server->rate_per_minute) {
        bool has_cache = false;

        for (size_t i = 0; i < world->conf->instance_count; i++)
            has_cache = has_cache || strcmp(world->conf->instances[i].kind, "cache") == 0;
        if (!has_cache)
            world_error_at(world, "server.rate_per_minute",
                           "needs a cache that counts: add `cache: { main: { use: memory } }`");
    }
}

/* ---- times ---- */

static void say_duration(int64_t ns, char text[32])
{
    if (ns % 60000000000 == 0 && ns)
        snprintf(text, 32, "%lldm", (long long)(ns / 60000000000));
    else if (ns % 1000000000 == 0)
        snprintf(text, 32, "%llds", (long long)(ns / 1000000000));
    else
        snprintf(text, 32, "%lldms", (long long)(ns / 1000000));
}

/* Tries that can never all be made: said only where one of the three was written, since defaults
 * are ours. */
static void look_at_tries(struct world *world, struct conf_instance *instance)
{
    static const char *const names[] = { "timeout", "request_timeout", "query_timeout" };
    struct conf_problems    *problems = &world->conf->problems;
    const struct gate_conf  *gate = &instance->gate;
    struct world_option      option;
    char                     each[32], all[32], limit[32];

    say_duration(gate->deadline_ns, limit);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct conf_node *deadline = node_find(instance->node, "deadline"),
                               *retries = node_find(instance->node, "retries");
        int64_t timeout_ns, total_ns;

        if (!world_find_option(instance, names[i], &option) ||
            option.option.type != BP_OPTION_TYPE_DURATION || !(option.node || deadline || retries))
            continue;
        timeout_ns = *(const int64_t *)option.field;
        total_ns = timeout_ns * (gate->retries + 1);
        say_duration(timeout_ns, each);
        say_duration(total_ns, all);
        if (strcmp(instance->kind, "app") == 0 || timeout_ns <= 0)
            continue;
        if (timeout_ns > gate->deadline_ns)
            warning_at_key(problems,
                           option.node ? option.node
                           : deadline  ? deadline
                                       : instance->node,
                           "%s of %s is longer than the deadline of a call, %s, which ends it "
                           "first",
                           names[i], each, limit);
        else if (total_ns > gate->deadline_ns && (option.node || retries))
            warning_at_key(problems, option.node ? option.node : retries,
                           "%lld tries (retries + 1) of %s each are %s, more than the deadline of "
                           "a call, %s: the last ones are never made",
                           (long long)gate->retries + 1, each, all, limit);
    }
}

static void look_at_check(struct world *world, struct conf_instance *instance)
{
    struct world_option option;

    if (strcmp(instance->kind, "health") == 0 && world_find_option(instance, "timeout", &option) &&
        option.option.type == BP_OPTION_TYPE_DURATION &&
        *(const int64_t *)option.field >= instance->gate.every_ns)
        warning_at_key(&world->conf->problems, option.node ? option.node : instance->node,
                       "the timeout of the check is not shorter than `every`, the time from one "
                       "check to the next");
}

void world_check_times(struct world *world)
{
    struct conf              *conf = world->conf;
    const struct server_conf *server = &conf->server;

    for (size_t i = 0; i < conf->instance_count; i++) {
        struct conf_instance   *instance = &conf->instances[i];
        const struct conf_node *deadline = node_find(instance->node, "deadline");

        if (!instance->options)
            continue;
        look_at_tries(world, instance);
        look_at_check(world, instance);
        if (strcmp(instance->kind, "app") == 0 && deadline &&
            !option_table_has(&instance->plugin.options, BP_STR("deadline")))
            warning_at_key(&conf->problems, deadline,
                           "has no effect for an app: its routes and server.request_deadline limit "
                           "a request");
    }
    if (server->limits.header_timeout_ns > server->request_deadline_ns)
        world_warn_at(world, "server.limits.header_timeout",
                      "is longer than server.request_deadline");
}

/* ---- sizes ---- */

void world_check_limits(struct world *world)
{
    const struct server_limits *limits = &world->conf->server.limits;
    int64_t                     memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    long                        cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct rlimit               files;

    if (memory > 0 && limits->memory_bytes > memory)
        world_warn_at(world, "server.limits.memory",
                      "is more than the %lld MiB that this machine has", (long long)(memory >> 20));
    if (limits->memory_bytes && limits->body_bytes > limits->memory_bytes)
        world_warn_at(world,
                      world_node(world, "server.limits.body") ? "server.limits.body"
                                                              : "server.limits.memory",
                      "one body may be larger than server.limits.memory");
    if (limits->header_line_bytes > limits->header_block_bytes)
        world_warn_at(world,
                      world_node(world, "server.limits.header_line") ? "server.limits.header_line"
                                                                     : "server.limits.header_block",
                      "header_line is larger than header_block, which holds all lines together");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY &&
        limits->connections > (int64_t)files.rlim_max)
        world_warn_at(world, "server.limits.connections",
                      "is more than the %lld files that a process may have open here",
                      (long long)files.rlim_max);
    if (cores > 0 && world->conf->server.workers > (uint32_t)cores * 4)
        world_warn_at(world, "server.workers",
                      "are more than four for each of the %ld cores of this machine", cores);
}
