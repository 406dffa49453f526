/* dispatch.c - takes one request from the edge to a handler and back. */
#include <stdio.h>

#include <backplane/cache.h>

#include "api/access.h"
#include "api/api.h"
#include "api/budget.h"
#include "api/commands.h"
#include "api/origin.h"
#include "api/prefix.h"
#include "api/proxy.h"
#include "api/web.h"
#include "base/clock.h"
#include "base/str.h"
#include "ops/pressure.h"

/* ---- ids ---- */

static bool is_safe_id(bp_str id)
{
    if (id.len < 1 || id.len > 128)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr("-_.:+/=", c)))
            return false;
    }
    return true;
}

static void take_ids(struct http_exchange *exchange)
{
    bp_str id = http_exchange_header(exchange, "x-request-id");
    bp_str trace = http_exchange_header(exchange, "traceparent");

    if (is_safe_id(id)) {
        memcpy(exchange->call->request_id, id.data, id.len);
        exchange->call->request_id[id.len] = '\0';
    }
    if (trace.len)
        call_set_trace(exchange->call, trace);
    http_exchange_add_header(exchange, BP_STR("X-Request-Id"),
                             bp_str_of(exchange->call->request_id));
}

/* ---- limits ---- */

bool api_is_own_route(const struct api *api, const struct route *route)
{
    return !route->unit && route->context == api;
}

bool api_is_metrics_listener(const struct api *api, const struct http_exchange *exchange)
{
    return !api->is_private && api->conf->server.metrics_listen.len &&
           exchange->listener == api->conf->server.listener_count;
}

/* What the host answers itself asks no cache: that might be what hangs. */
static bp_status take_from_host_limit(struct api *api, bp_call *call, const struct route *route)
{
    int64_t wait_ns;

    if (api->is_private || route->spec.flags & HOST_ROUTE_PROBE ||
        budget_take(api->host_requests, call->client, &wait_ns))
        return BP_OK;
    call_fail(call, BP_LIMIT,
              "the limit of %lld requests a minute for the host's own routes is reached: try again "
              "later",
              (long long)api->conf->server.host_rate_per_minute);
    call->error.retry_after_ns = wait_ns;
    return BP_LIMIT;
}

bp_status api_take_from_limit(struct api *api, struct http_exchange *exchange, const char *name,
                              uint32_t own)
{
    bp_call *call = exchange->call;
    int64_t  limit = own ? own : api->conf->server.rate_per_minute;
    bp_str   who, key;
    bp_take  take = { .struct_size = sizeof(take) };
    char     text[24];

    if (!limit || !api->cache || api->is_private)
        return BP_OK;
    who = call->principal.id.len ? call->principal.id : proxy_client_block(api, exchange);
    key = arena_format(call->arena, "rate:" BP_FMT ":%s", BP_ARG(who), own ? name : "");
    BP_TRY(bp_cache_take(call, &api->cache->instances[call->worker->index].peer, key, limit,
                         BP_SECONDS(60), 1, &take));
    http_exchange_add_header(exchange, BP_STR("X-RateLimit-Limit"),
                             (bp_str){ text, (size_t)snprintf(text, sizeof(text), "%lld",
                                                              (long long)take.limit) });
    http_exchange_add_header(exchange, BP_STR("X-RateLimit-Remaining"),
                             (bp_str){ text, (size_t)snprintf(text, sizeof(text), "%lld",
                                                              (long long)take.remaining) });
    http_exchange_add_header(exchange, BP_STR("X-RateLimit-Reset"),
                             (bp_str){
                                 text,
                                 (size_t)snprintf(text, sizeof(text), "%lld",
                                                  (long long)(take.reset_ns / 1000000000 + 1)) });
    if (take.is_granted)
        return BP_OK;
    call_fail(call, BP_LIMIT, "the limit of %lld requests a minute is reached", (long long)limit);
    call->error.retry_after_ns = take.reset_ns;
    return BP_LIMIT;
}

/* ---- the handler ---- */

struct handler_args {
    bp_handler   handler;
    bp_request  *request;
    bp_response *response;
};

static bp_status run_handler(bp_call *call, void *object, void *arg)
{
    struct handler_args *args = arg;

    return args->handler(call, object, args->request, args->response);
}

static bp_status find_route(struct api *api, struct http_exchange *exchange,
                            struct route_match *match)
{
    char          allowed[ROUTE_METHODS_BYTES];
    struct route *route = router_find(api->router, exchange->method, exchange->path, match,
                                      allowed);
    size_t        listener = api->is_private ? SIZE_MAX
                                             : exchange->listener; // who has the socket reaches all

    // People write the endpoint with a slash behind it, and clients keep it.
    if (!route && !allowed[0] && bp_str_starts(exchange->path, "/mcp/") &&
        exchange->path.data[exchange->path.len - 1] == '/') {
        exchange->path.len--;
        route = router_find(api->router, exchange->method, exchange->path, match, allowed);
    }

    if (route && api_is_metrics_listener(api, exchange) &&
        !(api_is_own_route(api, route) &&
          route->spec.flags & (HOST_ROUTE_METRICS | HOST_ROUTE_PROBE)))
        return call_fail(exchange->call, BP_NOT_FOUND,
                         "this listener serves only metrics and probes");
    for (const struct route *at = route; at; at = at->next_same) {
        if (!prefix_is_served_at(&api->conf->server, listener, at->unit))
            continue;
        router_choose(match, at);
        return BP_OK;
    }
    match->route = NULL;
    if (route || !allowed[0])
        return call_fail(exchange->call, BP_NOT_FOUND,
                         "there is no route " BP_FMT " " BP_FMT
                         ": GET /openapi.json lists them all",
                         BP_ARG(exchange->method), BP_ARG(exchange->path));
    http_exchange_add_header(exchange, BP_STR("Allow"), bp_str_of(allowed));
    return call_fail(exchange->call, BP_UNSUPPORTED, BP_FMT " takes %s, not " BP_FMT,
                     BP_ARG(exchange->path), allowed, BP_ARG(exchange->method));
}

/* Probes are answered whatever happens: an orchestrator that hears nothing would end the process.
 */
static bp_status ask_pressure(struct api *api, struct http_exchange *exchange,
                              const struct route *route)
{
    enum pressure pressure = pressure_now(&api->conf->server.limits);

    bool is_load = !api_is_own_route(api, route); // what the host answers itself is little

    if (pressure == PRESSURE_NONE || (pressure == PRESSURE_SHED && !is_load) ||
        (!is_load && route->spec.flags & HOST_ROUTE_PROBE))
        return BP_OK;
    if (pressure == PRESSURE_REFUSE)
        http_exchange_abort(exchange);
    return call_fail(exchange->call, BP_UNAVAILABLE,
                     "the server has used up its memory budget of %lld bytes: try again",
                     (long long)api->conf->server.limits.memory_bytes);
}

/* Nobody unpacks bodies here: a few bytes may become many, so the bytes sent bound nothing. */
static bool refuse_coding(struct http_exchange *exchange)
{
    bp_str coding = http_exchange_header(exchange, "content-encoding");

    if (!coding.len || !exchange->content_length ||
        str_equal_ignore_case(coding, BP_STR("identity")))
        return false;
    http_exchange_add_header(exchange, BP_STR("Accept-Encoding"), BP_STR("identity"));
    http_exchange_send_error(exchange, 415, "unsupported_media_type",
                             arena_format(exchange->call->arena,
                                          "the body has the Content-Encoding \"" BP_FMT
                                          "\", which is not taken: send it as it is, without "
                                          "Content-Encoding",
                                          BP_ARG(str_cut(coding, 64))));
    return true;
}

static bp_status dispatch(struct api *api, bp_request *request, bp_response *response)
{
    struct http_exchange *exchange = request->exchange;
    bp_call              *call = exchange->call;
    const struct route   *route = request->match.route;
    struct handler_args   args = { route->spec.handler, request, response };
    int64_t               deadline_ns = route->spec.deadline_ns;

    BP_TRY(ask_pressure(api, exchange, route));
    if (api_is_own_route(api, route))
        BP_TRY(take_from_host_limit(api, call, route));
    BP_TRY(api_authenticate(api, call, exchange, route));
    if (call->principal.is_authenticated)
        call->client = str_hash(call->principal.id, api->client_seed);
    if (route->unit)
        BP_TRY(api_take_from_limit(api, exchange, route->op.name, route->spec.rate_per_minute));
    exchange->max_body_bytes = route->spec.body_max_bytes ? route->spec.body_max_bytes
                                                          : api->conf->server.limits.body_bytes;
    call->deadline_ns = deadline_ns == BP_FOREVER
                            ? BP_FOREVER
                            : clock_now_ns() + (deadline_ns
                                                    ? deadline_ns
                                                    : api->conf->server.request_deadline_ns);
    if (commands_is_route(route))
        return commands_run(api, request, response);
    if (!route->unit)
        return route->spec.handler(call, route->context, request, response);
    return gate_run(call, &route->unit->instances[call->worker->index], &route->op, run_handler,
                    &args);
}

/* ---- the way ---- */

static void on_client_wait(struct http_exchange *exchange, bool begins)
{
    gate_client_wait(exchange->call, begins);
}

void api_handle(struct http_exchange *exchange, void *arg)
{
    struct api *api = arg;
    bp_call    *call = exchange->call;
    bp_request  request = { .exchange = exchange };
    bp_response response = { .exchange = exchange };
    int64_t     before_ns = clock_now_ns();
    bp_status   status;

    generation_enter(api->generation, call->worker);
    metric_add(api->in_flight, 1);
    exchange->on_client_wait = on_client_wait;
    exchange->pool = api->generation->pool;
    call->client = str_hash(proxy_client_block(api, exchange), api->client_seed);
    take_ids(exchange);
    status = origin_check(api, exchange);
    if (status == BP_OK && origin_is_preflight(exchange)) {
        status = origin_answer_preflight(exchange);
    } else if (status == BP_OK) {
        status = find_route(api, exchange, &request.match);
        if (status == BP_OK && !refuse_coding(exchange))
            status = dispatch(api, &request, &response);
        if (status == BP_OK && exchange->status == 0)
            status = call_fail(call, BP_INTERNAL, "the handler returned without an answer");
    }
    if (status == BP_UNSUPPORTED && !request.match.route && exchange->status == 0) {
        http_exchange_send_error(exchange, 405, "method_not_allowed", call->error.message);
        status = BP_OK; // that was the answer
    } else if (status != BP_OK) {
        status = web_fail(call, &response, status);
    }
    access_note(api, exchange, (struct route *)(uintptr_t)request.match.route, status,
                clock_now_ns() - before_ns);
    metric_add(api->in_flight, -1);
    generation_leave(api->generation, call->worker);
}
