/* commands.c - the routes of commands: GET for the table, and one POST for each. */
#include "api/commands.h"

#include "api/command_run.h"
#include "api/prefix.h"

enum { TABLE_BYTES_MAX = 4 << 20 };

/* What the router wants; commands_run() is what runs. */
static bp_status post_command(bp_call *call, void *instance, bp_request *request,
                              bp_response *response)
{
    (void)instance, (void)request, (void)response;
    return call_fail(call, BP_INTERNAL, "a command was called as a route");
}

bool commands_is_route(const struct route *route)
{
    return route->spec.handler == post_command;
}

static const char *path_of(struct arena *arena, const char *instance, const char *name)
{
    bp_str path = arena_format(arena, "/commands/%s/%s", instance, name);

    for (char *at = (char *)(uintptr_t)path.data; at && *at; at++)
        if (*at == ' ')
            *at = '/';
    return path.data;
}

bool commands_add(struct api *api, struct unit *unit, struct reason *why)
{
    const char         *owner = unit->conf->name.data;
    struct app_command *commands;
    size_t              count, before = router_count(api->router);
    bp_route           *routes;

    if (!command_table_read(&api->arena, unit->plugin->descriptor.ops, owner, &commands, &count,
                            why))
        return false;
    routes = arena_alloc(&api->arena, (count + 1) * sizeof(*routes));
    for (size_t i = 0; routes && i < count; i++) {
        const bp_command *spec = &commands[i].spec;

        routes[i] = (bp_route){
            .method = "POST",
            .path = path_of(&api->arena, owner, spec->name),
            .handler = post_command,
            .scope = spec->scope,
            .summary = arena_format(&api->arena,
                                    "The command `backplane %s`: %s (docs/commands.md lists the "
                                    "members sent and answered)",
                                    spec->name, spec->summary)
                           .data,
            .deadline_ns = spec->deadline_ns > 0 ? spec->deadline_ns : BP_FOREVER,
            .body_max_bytes = INT64_MAX,
        };
    }
    if (!routes || !router_add(api->router, routes, sizeof(*routes), count, unit, NULL, why)) {
        if (!routes)
            reason_set(why, "there is no memory for the commands of %s", owner);
        return false;
    }
    for (size_t i = before; i < router_count(api->router); i++) {
        struct route *route = router_at(api->router, i);

        route->context = &commands[i - before];
        route->op.index += COMMAND_OPS;
    }
    return true;
}

bp_status commands_get(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    const struct api *api = instance;
    size_t            listener = api->is_private ? SIZE_MAX : request->exchange->listener;
    struct bp_buf     buf;
    bp_json_writer    w;

    buf_init(&buf, call->arena, TABLE_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("commands"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < router_count(api->router); i++) {
        const struct route *route = router_at(api->router, i);

        if (commands_is_route(route) &&
            prefix_is_served_at(&api->conf->server, listener, route->unit))
            command_table_write(&w, route->owner, route->context);
    }
    json_end(&w);
    json_end(&w);
    BP_TRY(json_writer_status(&w));
    return bp_respond(call, response, 200, "application/json", buf_str(&buf));
}

static bp_status run_in_gate(bp_call *call, void *object, void *arg)
{
    struct bp_command_run *run = arg;

    BP_TRY(command_run_read(call, run));
    return run->command->spec.handler(call, object, run);
}

bp_status commands_run(struct api *api, bp_request *request, bp_response *response)
{
    struct http_exchange  *exchange = request->exchange;
    bp_call               *call = exchange->call;
    const struct route    *route = request->match.route;
    struct bp_command_run *run = command_run_new(call, exchange, route->context);
    bp_status              status;

    if (!run)
        return call_fail(call, BP_NO_MEMORY, "there is no memory to run a command");
    run->is_alone = api->is_private;
    response->run = run;
    status = gate_run_long(call, &route->unit->instances[call->worker->index], &route->op,
                           run_in_gate, run);
    if (status == BP_OK)
        return command_run_say_end(call, run, BP_OK, BP_STR(""));
    if (run->is_refused) // the answer has the usage, too
        BP_TRY(command_run_begin(run));
    return status;
}
