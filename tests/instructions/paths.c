/* paths.c - the hot paths of the core, each run as often as is asked: paths NAME TIMES. counts.py
 * runs it under valgrind twice, and what the second run has more is what one pass costs.
 */
#include <stdio.h>
#include <stdlib.h>

#include <backplane/health.h>

#include "api/router.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mask.h"
#include "base/metrics.h"
#include "base/shares.h"
#include "base/str.h"
#include "conf/problem.h"
#include "conf/yaml.h"
#include "loop/call.h"
#include "net/http1.h"
#include "plugin/gate.h"
#include "plugin/gate_kinds.h"
#include "plugin/generation.h"
#include "plugin/services.h"
#include "schema/json_schema.h"

static int times;

static void need(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "paths: %s\n", what);
    exit(EXIT_FAILURE);
}

static const char request_head[] = "POST /api/v1/collections/docs/search HTTP/1.1\r\nHost: "
                                   "127.0.0.1:8000\r\n"
                                   "User-Agent: python-httpx/0.27.2\r\nAccept: "
                                   "*/*\r\nAccept-Encoding: gzip, deflate\r\n"
                                   "Connection: keep-alive\r\nContent-Type: application/json\r\n"
                                   "Authorization: Bearer "
                                   "bp_0123456789abcdef0123456789abcdef\r\nContent-Length: "
                                   "57\r\n\r\n";
static const char tool_call[] = "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/"
                                "call\",\"params\":{\"name\":\"edit_file\","
                                "\"arguments\":{\"path\":\"src/"
                                "main.c\",\"edits\":[{\"oldText\":\"int main\","
                                "\"newText\":\"int\\nmain\"},{\"oldText\":\"a\",\"newText\":"
                                "\"\\u00fc\"}],\"dryRun\":true},"
                                "\"_meta\":{\"progressToken\":\"t\",\"n\":[1,2.5,-3,1e6,null,false]"
                                "}}}";
static const char
    edit_schema[] = "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\","
                    "\"minLength\":1},"
                    "\"edits\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\","
                    "\"properties\":{"
                    "\"oldText\":{\"type\":\"string\"},\"newText\":{\"type\":\"string\"}},"
                    "\"required\":[\"oldText\",\"newText\"],\"additionalProperties\":false}},"
                    "\"dryRun\":{\"type\":\"boolean\"}},\"required\":[\"path\",\"edits\"]}";
static const char conf_text[] = "server: { listen: [ '127.0.0.1:8000' ], workers: 2, limits: { "
                                "body: 16MiB } }\n"
                                "storage:\n  main: { use: sqlite, path: data/main.db }\n"
                                "embed:\n  main: { use: hash, dimensions: 384 }\n"
                                "app:\n  docs:\n    use: retrieval\n    storage: main\n    "
                                "embedder: main\n    # a comment\n";

static void read_request_head(void)
{
    for (int i = 0; i < times; i++) {
        struct http1_request request;

        http1_request_init(&request, &http1_default_limits);
        need(http1_request_parse(&request, request_head, sizeof(request_head) - 1) == HTTP1_DONE,
             "the head is refused");
    }
}

static const bp_json *parse(struct arena *arena, const char *text)
{
    const bp_json *value = NULL;
    struct reason  why;

    json_parse(arena, bp_str_of(text), &value, &why);
    need(value, "the JSON is refused");
    return value;
}

static void read_json(void)
{
    struct arena arena;

    arena_init(&arena, 1u << 20);
    for (int i = 0; i < times; i++) {
        parse(&arena, tool_call);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

static void write_json(void)
{
    struct arena   arena;
    const bp_json *value;

    arena_init(&arena, 1u << 20);
    value = parse(&arena, tool_call);
    for (int i = 0; i < times; i++) {
        struct bp_buf  buf;
        bp_json_writer w;

        buf_init(&buf, NULL, 1u << 16);
        json_writer_init(&w, &buf);
        json_begin(&w, JSON_KIND_OBJECT);
        json_put_text(&w, "status", "ready \"now\"");
        json_put_integer(&w, "count", i);
        json_key(&w, BP_STR("message"));
        json_add_value(&w, value);
        json_end(&w);
        need(buf_status(&buf) == BP_OK, "the JSON cannot be written");
        buf_free(&buf);
    }
    arena_free(&arena);
}

static void check_schema(void)
{
    struct reason       why;
    struct json_schema *schema = json_schema_compile(bp_str_of(edit_schema), &why);
    struct arena        arena;
    const bp_json      *arguments;

    arena_init(&arena, 1u << 20);
    arguments = json_get(json_get(parse(&arena, tool_call), BP_STR("params")), BP_STR("arguments"));
    for (int i = 0; i < times; i++)
        need(schema && json_schema_check(schema, arguments, &why), "the schema refuses");
    json_schema_free(schema);
    arena_free(&arena);
}

static bp_status answer_nothing(bp_call *call, void *instance, bp_request *request,
                                bp_response *response)
{
    (void)call;
    (void)instance;
    (void)request;
    (void)response;
    return BP_OK;
}

static void find_route(void)
{
    static const bp_route routes[] = {
        { .method = "GET", .path = "/health", .handler = answer_nothing },
        { .method = "GET", .path = "/api/v1/collections", .handler = answer_nothing },
        { .method = "GET", .path = "/api/v1/collections/{name}", .handler = answer_nothing },
        { .method = "POST",
          .path = "/api/v1/collections/{name}/search",
          .handler = answer_nothing },
        { .method = "GET", .path = "/files/{path...}", .handler = answer_nothing },
    };
    struct router *router = router_new();
    struct reason  why;
    char           allowed[64];

    need(router && router_add(router, routes, sizeof(routes[0]), 5, NULL, NULL, &why), why.text);
    for (int i = 0; i < times; i++) {
        struct route_match match;

        need(router_find(router, BP_STR("POST"), BP_STR("/api/v1/collections/docs/search"), &match,
                         allowed) != NULL,
             "there is no route");
    }
    router_free(router);
}

static void read_yaml(void)
{
    for (int i = 0; i < times; i++) {
        struct conf_problems problems;
        struct arena         arena;

        arena_init(&arena, 1u << 20);
        problems_init(&problems, &arena, "paths.yaml");
        need(yaml_read(&problems, bp_str_of(conf_text)) != NULL, "the conf is refused");
        arena_free(&arena);
    }
}

static void count_metrics(void)
{
    struct metric_series *counter = metrics_single(METRIC_COUNTER, "paths_total", "Passes."),
                         *histogram = metrics_single(METRIC_HISTOGRAM, "paths_seconds", "Times.");

    for (int i = 0; i < times; i++) {
        metric_add(counter, 1);
        metric_observe(histogram, 0.001 * (i % 100));
    }
}

static void mask_text(void)
{
    struct arena arena;

    arena_init(&arena, 1u << 20);
    for (int i = 0; i < times; i++) {
        mask_secrets(&arena,
                     BP_STR("cannot reach postgres://app:secret@db.example.org:5432/main?sslmode="
                            "require as app: connection refused"),
                     false);
        mask_is_needed(BP_STR("a document of 17 passages was kept in the collection docs"));
        arena_reset(&arena);
    }
    arena_free(&arena);
}

static void share(void)
{
    struct shares *shares = shares_new(1u << 20, 1u << 24);

    for (int i = 0; i < times; i++) {
        uint8_t client[SHARE_DIGEST_BYTES] = { (uint8_t)i, (uint8_t)(i >> 8) };

        need(shares_take(shares, client, 100) == SHARE_TAKEN, "there is no share");
        if (i % 4 != 0)
            shares_give(shares, client, 100);
    }
    shares_free(shares);
}

/* ---- what runs on a fiber ---- */

static struct worker worker;
static bool          is_done;

static bp_status check_nothing(bp_call *call, void *instance, bp_health *health)
{
    (void)call;
    (void)instance;
    health->level = BP_HEALTH_OK;
    return BP_OK;
}

static void pass_gate(bp_call *call, void *arg)
{
    for (int i = 0; i < times; i++) {
        bp_health health = { .struct_size = sizeof(health) };

        need(gate_health_ops.check(call, arg, &health) == BP_OK, "the gate refuses");
    }
    is_done = true;
}

static void suspend(bp_call *call, void *arg)
{
    (void)arg;
    for (int i = 0; i < times; i++)
        need(call_sleep(call, 0) == BP_OK, "the call is over");
    is_done = true;
}

static bool has_ended(void *arg)
{
    (void)arg;
    return is_done;
}

static void on_call(void (*run)(bp_call *call, void *arg), void *arg)
{
    need(call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, run, arg),
         "no fiber");
    worker_run_until(&worker, has_ended, NULL);
}

static void gate(void)
{
    static const bp_health_ops ops = { .struct_size = sizeof(ops), .check = check_nothing };
    struct conf_instance       conf = {
              .kind = "health",
              .name = BP_STR("paths"),
              .use = BP_STR("paths"),
              .gate = { .deadline_ns = BP_SECONDS(30), .max_concurrent = 64, .queue = 256 }
    };
    struct plugin plugin = { .label = "health/paths" };
    struct unit   unit = {
          .conf = &conf, .plugin = &plugin, .workers = &worker, .worker_count = 1, .is_up = true
    };
    struct instance instance = { 0 };

    plugin.descriptor.kind = "health";
    plugin.descriptor.name = "paths";
    plugin.descriptor.ops = &ops;
    need(instance_make(&unit, &worker, &instance), "no instance");
    on_call(pass_gate, &instance);
    instance_free(&instance);
}

static void suspension(void)
{
    on_call(suspend, NULL);
}

static void do_nothing(bp_call *call, void *arg)
{
    (void)call;
    is_done = arg;
}

static void calls(void)
{
    for (int i = 0; i < times; i++) {
        is_done = false;
        on_call(do_nothing, &is_done);
    }
}

static const struct path {
    const char *name;
    void (*run)(void);
} paths[] = {
    { "http1_request_head", read_request_head },
    { "json_parse", read_json },
    { "json_write", write_json },
    { "json_schema_check", check_schema },
    { "router_find", find_route },
    { "yaml_read", read_yaml },
    { "metrics_count", count_metrics },
    { "mask_secrets", mask_text },
    { "shares", share },
    { "gate_pass", gate },
    { "fiber_suspension", suspension },
    { "call_start", calls },
};

int main(int argc, char **argv)
{
    if (argc != 3) {
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
            printf("%s\n", paths[i].name);
        return EXIT_SUCCESS;
    }
    times = atoi(argv[2]);
    registry_fill_host(plugin_services, plugin_service_count);
    need(worker_init(&worker, 0, 1, NULL) == 0, "no worker");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (strcmp(paths[i].name, argv[1]) == 0) {
            paths[i].run();
            worker_free(&worker);
            metrics_clear();
            return EXIT_SUCCESS;
        }
    need(false, "there is no such path");
}
