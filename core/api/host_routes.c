/* host_routes.c - the host's own routes: probes, metrics, OpenAPI. */
#include "api/api.h"
#include "api/commands.h"
#include "api/run_service.h"
#include "ops/pressure.h"
#include "version.h"

enum { HEALTH_BYTES_MAX = 1 << 20, METRICS_BYTES_MAX = 16 << 20 };

static bp_status respond_object(bp_call *call, bp_response *response, int32_t status,
                                const char *key, const char *value)
{
    bp_json_writer *w = bp_json_writer_new(call, 4096);

    bp_json_object(w);
    bp_json_put_string(w, key, bp_str_of(value));
    bp_json_end(w);
    return bp_respond_json(call, response, status, w);
}

static bp_status get_health(bp_call *call, void *instance, bp_request *request,
                            bp_response *response)
{
    struct api     *api = instance;
    struct bp_buf   buf;
    bp_json_writer  w;
    bp_health_level level;

    (void)request;
    buf_init(&buf, call->arena, HEALTH_BYTES_MAX);
    json_writer_init(&w, &buf);
    level = health_write(api->health, keys_allow(&call->principal, "host:read"), &w);
    bp_response_header(response, "Cache-Control", BP_STR("no-store"));
    return bp_respond(call, response, level == BP_HEALTH_DOWN ? 503 : 200, "application/json",
                      buf_str(&buf));
}

static bp_status get_live(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    struct api *api = instance;
    bool        is_live = health_is_live(api->health);

    (void)request;
    return respond_object(call, response, is_live ? 200 : 503, "status",
                          is_live ? "alive" : "a loop is stuck");
}

static bp_status get_ready(bp_call *call, void *instance, bp_request *request,
                           bp_response *response)
{
    struct api *api = instance;
    bool        is_shedding = pressure_now(&api->conf->server.limits) != PRESSURE_NONE;
    bool        is_ready = health_is_ready(api->health) && !is_shedding;
    bool        is_draining = health_board_phase(api->health) == PHASE_DRAINING;

    (void)request;
    return respond_object(call, response, is_ready ? 200 : 503, "status",
                          is_ready      ? "ready"
                          : is_draining ? "draining"
                          : is_shedding ? "shedding load: server.limits.memory is used up"
                                        : "not ready: see /health");
}

static bp_status get_startup(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    struct api *api = instance;
    bool        has_started = health_board_phase(api->health) != PHASE_STARTING;

    (void)request;
    return respond_object(call, response, has_started ? 200 : 503, "status",
                          has_started ? "started" : "starting");
}

static bp_status get_metrics(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    const struct api *api = instance;
    struct bp_buf     buf;

    (void)request;
    if (!api->conf->server.metrics)
        return bp_fail(call, BP_NOT_FOUND, "metrics are off: set server.metrics to true");
    buf_init(&buf, call->arena, METRICS_BYTES_MAX);
    metrics_render(&buf);
    BP_TRY(buf_status(&buf));
    return bp_respond(call, response, 200, "text/plain; version=0.0.4; charset=utf-8",
                      buf_str(&buf));
}

static bp_status get_openapi(bp_call *call, void *instance, bp_request *request,
                             bp_response *response)
{
    const struct api *api = instance;

    (void)request;
    return bp_respond(call, response, 200, "application/json", api->openapi);
}

static bp_status get_docs(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)request;
    bp_response_header(response, "Content-Security-Policy",
                       BP_STR("default-src 'none'; style-src 'unsafe-inline'"));
    return bp_respond(call, response, 200, "text/html; charset=utf-8",
                      api_make_docs_page(instance, call->arena));
}

static bp_status respond_metadata(bp_call *call, struct api *api, bp_response *response,
                                  bp_str path)
{
    bp_str document;

    if (!api->oauth)
        return bp_fail(call, BP_NOT_FOUND,
                       "this server takes no OAuth tokens: server.auth.mode is not oauth");
    document = oauth_metadata(call, api->oauth, path, api->scopes);
    if (!document.len)
        return bp_fail(call, BP_NOT_FOUND, "there is no resource of its own at " BP_FMT,
                       BP_ARG(path));
    bp_response_header(response, "Access-Control-Allow-Origin", BP_STR("*"));
    return bp_respond(call, response, 200, "application/json", document);
}

static bp_status get_resource_metadata(bp_call *call, void *instance, bp_request *request,
                                       bp_response *response)
{
    (void)request;
    return respond_metadata(call, instance, response, BP_STR(""));
}

static bp_status get_resource_metadata_of(bp_call *call, void *instance, bp_request *request,
                                          bp_response *response)
{
    return respond_metadata(call, instance, response,
                            bp_format(call, "/" BP_FMT,
                                      BP_ARG(bp_request_path_value(request, "path"))));
}

static bp_status get_root(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, 4096);

    (void)instance;
    (void)request;
    bp_json_object(w);
    bp_json_put_string(w, "name", BP_STR("backplane"));
    bp_json_put_string(w, "version", BP_STR(BACKPLANE_VERSION));
    bp_json_put_string(w, "docs", BP_STR("/docs"));
    bp_json_put_string(w, "openapi", BP_STR("/openapi.json"));
    bp_json_put_string(w, "health", BP_STR("/health"));
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static const char status_schema[] = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":"
                                    "\"string\"}},\"required\":[\"status\"]}";

/* Probes need no key: an orchestrator has none, and they say nothing but a word. */
static const char run_schema[] = "{\"type\":\"object\",\"required\":[\"id\",\"what\",\"state\"],"
                                 "\"properties\":{\"id\":{\"type\":"
                                 "\"string\"},\"what\":{\"type\":\"string\"},\"state\":{\"enum\":["
                                 "\"working\",\"waiting\","
                                 "\"completed\",\"failed\",\"cancelled\"]},\"message\":{\"type\":"
                                 "\"string\"},\"done\":{\"type\":"
                                 "\"integer\"},\"total\":{\"type\":\"integer\"},\"created_at\":{"
                                 "\"type\":\"string\"},"
                                 "\"updated_at\":{\"type\":\"string\"},\"result\":{},\"error\":{"
                                 "\"type\":\"object\"}}}";

const bp_route api_host_routes[] = {
    { .method = "GET",
      .path = "/",
      .handler = get_root,
      .summary = "What this server is",
      .response_schema = "{\"type\":\"object\"}" },
    { .method = "GET",
      .path = "/health",
      .handler = get_health,
      .flags = HOST_ROUTE_KNOWS,
      .summary = "Health of every component; 503 when the server is unhealthy; sentences need the "
                 "scope host:read",
      .response_schema = "{\"type\":\"object\"}" },
    { .method = "GET",
      .path = "/health/live",
      .handler = get_live,
      .flags = HOST_ROUTE_PROBE,
      .summary = "Liveness: every event loop beats; never depends on another server",
      .response_schema = status_schema },
    { .method = "GET",
      .path = "/health/ready",
      .handler = get_ready,
      .flags = HOST_ROUTE_PROBE,
      .summary = "Readiness: started, not draining, no critical component down",
      .response_schema = status_schema },
    { .method = "GET",
      .path = "/ready",
      .handler = get_ready,
      .flags = HOST_ROUTE_PROBE,
      .summary = "The same as /health/ready",
      .response_schema = status_schema },
    { .method = "GET",
      .path = "/health/startup",
      .handler = get_startup,
      .flags = HOST_ROUTE_PROBE,
      .summary = "Startup: all plugins and tables are there",
      .response_schema = status_schema },
    { .method = "GET",
      .path = "/metrics",
      .handler = get_metrics,
      .scope = "host:read",
      .flags = HOST_ROUTE_METRICS,
      .summary = "Metrics in Prometheus' text format" },
    { .method = "GET",
      .path = "/openapi.json",
      .handler = get_openapi,
      .summary = "This list of routes, OpenAPI 3.1",
      .response_schema = "{\"type\":\"object\"}" },
    { .method = "GET",
      .path = "/commands",
      .handler = commands_get,
      .summary = "Commands of apps for the command line, with their words and options",
      .response_schema = "{\"type\":\"object\",\"required\":[\"commands\"],\"properties\":{"
                         "\"commands\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}" },
    { .method = "GET",
      .path = "/runs",
      .handler = runs_get,
      .flags = BP_ROUTE_AUTHENTICATED,
      .summary = "Long-lived work that the caller began, the newest first",
      .response_schema = "{\"type\":\"object\",\"required\":[\"runs\"],\"properties\":{\"runs\":{"
                         "\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}" },
    { .method = "GET",
      .path = "/runs/{id}",
      .handler = run_get,
      .flags = BP_ROUTE_AUTHENTICATED,
      .deadline_ns = BP_SECONDS(RUN_WAIT_S_MAX + 10),
      .summary = "One run: its state, progress, result or error; ?wait=SECONDS waits for its end",
      .response_schema = run_schema },
    { .method = "DELETE",
      .path = "/runs/{id}",
      .handler = run_delete,
      .flags = BP_ROUTE_AUTHENTICATED,
      .summary = "Cancels a run; 409 when it has ended",
      .response_schema = run_schema },
    { .method = "GET",
      .path = "/.well-known/oauth-protected-resource",
      .handler = get_resource_metadata,
      .summary = "The issuer of accepted tokens (RFC 9728)",
      .response_schema = "{\"type\":\"object\"}" },
    { .method = "GET",
      .path = "/.well-known/oauth-protected-resource/{path...}",
      .handler = get_resource_metadata_of,
      .summary = "The issuer of tokens accepted at that path (RFC 9728)",
      .response_schema = "{\"type\":\"object\"}" },
    { .method = "GET",
      .path = "/docs",
      .handler = get_docs,
      .summary = "This list of routes, for people" },
};
const size_t api_host_route_count = sizeof(api_host_routes) / sizeof(api_host_routes[0]);
