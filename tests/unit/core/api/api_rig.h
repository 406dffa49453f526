/* api_rig.h - the whole way of a request: a server on loopback, the routes of the host and of one
 * made-up app, a storage of keys and a cache that counts, both in memory. */
#ifndef API_RIG_H
#define API_RIG_H

#include "base/reason.h"
#include "core/net/http_rig.h"

#include "rig_text.h"

#include <backplane/app.h>
#include <backplane/cache.h>
#include <backplane/command.h>
#include <backplane/storage.h>

#include "api/access.h"
#include "api/api.h"
#include "api/command_run.h"
#include "api/web.h"
#include "net/http_client.h"
#include "plugin/services.h"

enum { APP, STORAGE, CACHE, UNITS, STORED_MAX = 8 };

static struct rig                  rig;
static struct api                  api;
static struct conf                 conf;
static struct server_listener      listener;
static struct conf_instance        confs[UNITS];
static const struct conf_node      node;
static struct plugin               plugins[UNITS];
static struct instance             instances[UNITS];
static struct unit                 units[UNITS], *unit_list[UNITS];
static const struct conf_instance *conf_list[UNITS];
static struct generation_seat      seat;
static struct generation           generation;
static struct health_board        *board;
static struct log                 *rig_log;
static char                        log_path[64];
static const bp_route             *rig_routes;
static size_t                      rig_route_count;

static const bp_command *rig_commands; /* of the app; NULL: none */
static size_t            rig_command_count;

/* What a layer above adds, each at its time; NULL: nothing. */
struct rig_layer {
    const struct host_service *service;
    void (*fill_app)(bp_app_ops *app);
    void (*start)(void); /* on the test's thread: the routes are there, their description is not */
    void (*drain)(void); /* before the server is drained */
    void (*stop)(void);  /* after that: the worker still runs */
    void (*release)(void); /* the worker has ended */
};
static const struct rig_layer *rig_layer;

/* ---- a storage that knows the table of keys alone ---- */

static struct {
    bp_sql_value values[STORED_MAX][8]; /* as the table has its columns */
    char         texts[STORED_MAX][8][128];
    size_t       count;
    atomic_int   selects;
    bp_status    status; /* what a SELECT answers with */
    atomic_bool  hangs;  /* a SELECT, for so long */
} stored;

static void store(const bp_sql_value *values)
{
    size_t at = stored.count++;

    for (size_t i = 0; i < 7; i++) {
        stored.values[at][i] = values[i];
        snprintf(stored.texts[at][i], 128, BP_FMT, BP_ARG(values[i].text));
        if (values[i].type == BP_SQL_TEXT)
            stored.values[at][i].text = bp_str_of(stored.texts[at][i]);
    }
    stored.values[at][7] = bp_sql_int(0);
}

static bp_status storage_exec(bp_call *call, void *object, bp_transaction *transaction,
                              const bp_statement *statement, bp_rows *rows)
{
    const bp_sql_value *wanted = statement->parameters;
    bp_sql_value       *found = bp_alloc(call, 7 * STORED_MAX * sizeof(*found));

    (void)object, (void)transaction;
    if (bp_str_starts(statement->sql, "INSERT")) {
        store(wanted);
        return BP_OK;
    }
    while (stored.hangs && bp_str_starts(statement->sql, "SELECT"))
        BP_TRY(call_sleep(call, BP_MILLISECONDS(1)));
    if (stored.status != BP_OK && bp_str_starts(statement->sql, "SELECT"))
        return call_fail(call, stored.status, "the fake storage fails");
    rows->values = found;
    rows->column_count = bp_str_starts(statement->sql, "SELECT id") ? 7 : 4;
    stored.selects += rows->column_count == 4;
    for (size_t i = 0; i < stored.count; i++) {
        bp_sql_value *row = stored.values[i];

        if (rows->column_count == 7) {
            const bp_sql_value all[] = { row[0], row[2], row[3], row[4], row[5], row[6], row[7] };

            memcpy(&found[7 * rows->row_count++], all, sizeof(all));
        } else if (bp_str_equal(row[0].text, wanted[0].text) && row[7].integer == 0) {
            const bp_sql_value some[] = { row[1], row[3], row[4], row[6] };

            if (bp_str_starts(statement->sql, "UPDATE"))
                row[7] = wanted[1], rows->changed = 1;
            else
                memcpy(&found[4 * rows->row_count++], some, sizeof(some));
        }
    }
    return BP_OK;
}

static const bp_storage_ops storage_ops = { .struct_size = sizeof(bp_storage_ops),
                                            .exec = storage_exec };

/* ---- a cache that counts, and keeps what is put into it ---- */

static struct {
    char    key[128]; /* that was asked for last */
    int64_t left;     /* requests that it still grants */
} counted;

static bp_status cache_take(bp_call *call, void *object, bp_str key, int64_t limit,
                            int64_t window_ns, int64_t cost, bp_take *take)
{
    (void)call, (void)object;
    assert_int_equal(window_ns, BP_SECONDS(60));
    assert_int_equal(cost, 1);
    snprintf(counted.key, sizeof(counted.key), BP_FMT, BP_ARG(key));
    take->limit = limit;
    take->is_granted = counted.left > 0;
    take->remaining = counted.left > 0 ? --counted.left : 0;
    take->reset_ns = BP_MILLISECONDS(2500);
    return BP_OK;
}

static struct {
    char      keys[STORED_MAX][96], values[STORED_MAX][256];
    int64_t   ttls[STORED_MAX];
    size_t    count;
    bp_status status; /* what both answer with */
} cached;

static bp_status cache_set(bp_call *call, void *object, bp_str key, bp_str value, int64_t ttl_ns)
{
    size_t at = 0;

    (void)object;
    if (cached.status != BP_OK)
        return call_fail(call, cached.status, "the fake cache fails");
    while (at < cached.count && !bp_str_is(key, cached.keys[at]))
        at++;
    assert_true(at < STORED_MAX);
    snprintf(cached.keys[at], sizeof(cached.keys[at]), BP_FMT, BP_ARG(key));
    snprintf(cached.values[at], sizeof(cached.values[at]), BP_FMT, BP_ARG(value));
    cached.ttls[at] = ttl_ns;
    if (at == cached.count)
        cached.count++;
    return BP_OK;
}

static bp_status cache_get(bp_call *call, void *object, bp_str key, bp_str *value)
{
    (void)object;
    if (cached.status != BP_OK)
        return call_fail(call, cached.status, "the fake cache fails");
    for (size_t at = 0; at < cached.count; at++)
        if (bp_str_is(key, cached.keys[at])) {
            *value = arena_dup(call->arena, bp_str_of(cached.values[at]));
            return BP_OK;
        }
    return BP_NOT_FOUND;
}

static const bp_cache_ops cache_ops = {
    .struct_size = sizeof(bp_cache_ops), .get = cache_get, .set = cache_set, .take = cache_take
};

/* ---- start and stop ---- */

static void handle(struct http_exchange *exchange, void *arg)
{
    (void)arg;
    api_handle(exchange, &api);
}

static void make_unit(int at, const char *kind, const char *name, const void *ops)
{
    plugins[at] = (struct plugin){ .descriptor = { .kind = kind, .name = "fake", .ops = ops } };
    snprintf(plugins[at].label, sizeof(plugins[at].label), "%s/fake", kind);
    confs[at] = (struct conf_instance){ .kind = kind,
                                        .name = bp_str_of(name),
                                        .use = BP_STR("fake"),
                                        .node = &node,
                                        .gate = { .deadline_ns = BP_SECONDS(30) } };
    memset(&instances[at], 0, sizeof(instances[at]));
    units[at] = (struct unit){ .conf = &confs[at],
                               .plugin = &plugins[at],
                               .workers = &rig.worker,
                               .worker_count = 1,
                               .instances = &instances[at],
                               .is_up = true };
    unit_list[at] = &units[at];
    conf_list[at] = &confs[at];
    pthread_mutex_init(&units[at].report.lock, NULL);
    assert_true(instance_make(&units[at], &rig.worker, &instances[at]));
}

static void fill_services(void)
{
    static struct host_service services[16];

    memcpy(services, plugin_services, plugin_service_count * sizeof(*services));
    services[plugin_service_count] = web_service_entry;
    services[plugin_service_count + 1] = command_service_entry;
    if (rig_layer)
        services[plugin_service_count + 2] = *rig_layer->service;
    registry_fill_host(services, plugin_service_count + (rig_layer ? 3 : 2));
}

/* A conf that asks for nothing: no keys, no limits, one listener on loopback. */
static void api_rig_defaults(void)
{
    memset(&stored, 0, sizeof(stored));
    memset(&counted, 0, sizeof(counted));
    memset(&cached, 0, sizeof(cached));
    counted.left = 1000;
    memset(&conf, 0, sizeof(conf));
    listener = (struct server_listener){ .address = BP_STR("127.0.0.1:0") };
    conf.server.listeners = &listener;
    conf.server.listener_count = 1;
    conf.server.metrics = true;
    conf.server.request_deadline_ns = BP_SECONDS(30);
    conf.server.limits.body_bytes = 1024;
    conf.server.auth.storage = BP_STR("main");
    conf.instances = confs;
    conf.instance_count = UNITS;
}

static void api_rig_start(void)
{
    static bp_app_ops app_ops;
    struct reason     why;

    fill_services();
    rig_defaults(&rig);
    snprintf(log_path, sizeof(log_path), "/tmp/backplane-test-%d.log", (int)getpid());
    rig_log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = log_path, .queue_lines = 256 });
    assert_non_null(rig_log);
    rig.edge = http_edge_open(&rig.options, rig_log, &why);
    assert_non_null(rig.edge);
    rig.port = http_edge_listener_port(rig.edge, 0);
    assert_int_equal(worker_init(&rig.worker, 0, 1, rig_log), 0);
    app_ops = (bp_app_ops){ .struct_size = sizeof(app_ops),
                            .route_size = sizeof(bp_route),
                            .routes = rig_routes,
                            .route_count = rig_route_count,
                            .commands = rig_commands,
                            .command_count = rig_command_count,
                            .command_size = sizeof(bp_command) };
    if (rig_layer)
        rig_layer->fill_app(&app_ops);
    make_unit(APP, "app", "work", &app_ops);
    make_unit(STORAGE, "storage", "main", &storage_ops);
    make_unit(CACHE, "cache", "main", &cache_ops);
    seat = (struct generation_seat){ 0 };
    generation = (struct generation){ .conf = &conf,
                                      .workers = &rig.worker,
                                      .worker_count = 1,
                                      .units = unit_list,
                                      .confs = conf_list,
                                      .unit_count = UNITS,
                                      .seats = &seat };
    board = health_board_new(&generation, NULL, NULL);
    assert_non_null(board);
    if (!api_init(&api, &conf, &generation, board, true, &why))
        fail_msg("%s", why.text);
    if (rig_layer)
        rig_layer->start();
    api_describe(&api, BP_STR("more:read more:write"));
    rig.server = http_server_start(rig.edge, &rig.worker, handle, NULL);
    assert_non_null(rig.server);
    http_server_on_refusal(rig.server, access_note_refusal, &api);
    assert_int_equal(worker_start(&rig.worker), 0);
}

/* Leaves the metrics, which another server of the test may still count in. */
static void api_rig_close(void)
{
    if (rig_layer)
        rig_layer->drain();
    if (!rig.is_drained)
        rig_drain(&rig, 0);
    assert_true(RIG_SOON(rig.is_drained));
    if (rig_layer)
        rig_layer->stop();
    worker_stop(&rig.worker);
    worker_join(&rig.worker);
    if (rig_layer)
        rig_layer->release();
    api_free(&api);
    health_board_free(board);
    for (int i = 0; i < UNITS; i++)
        instance_free(&instances[i]);
    http_client_free(&rig.worker);
    worker_free(&rig.worker);
    http_edge_close(rig.edge);
    log_close(rig_log);
    unlink(log_path);
}

__attribute__((unused)) static int api_rig_stop(void **state)
{
    (void)state;
    api_rig_close();
    metrics_clear();
    return seat.users == 0 ? 0 : -1; // all have left
}

/* ---- calls on the worker ---- */

struct rig_step {
    void (*run)(bp_call *call, void *arg);
    void       *arg;
    atomic_bool is_done;
};

static inline void rig_run_step(bp_call *call, void *arg)
{
    struct rig_step *step = arg;

    step->run(call, step->arg);
    step->is_done = true;
}

static inline void rig_post_step(void *arg)
{
    struct call_options options = { .deadline_ns = clock_now_ns() + BP_SECONDS(60) };

    assert_true(call_start(&rig.worker, &options, rig_run_step, arg));
}

static inline bool rig_has_run(void *arg)
{
    return ((struct rig_step *)arg)->is_done;
}

/* As a call on the worker, from the thread of the test, to its end. */
static inline void on_worker(void (*run)(bp_call *call, void *arg), void *arg)
{
    struct rig_step step = { .run = run, .arg = arg };

    worker_post(&rig.worker, rig_post_step, &step);
    assert_true(RIG_SOON(step.is_done));
}

/* ---- a client ---- */

/* Asks with these header lines behind "Host: localhost", and gives the whole answer. */
static inline char *ask(const char *method, const char *path, const char *headers)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
             method, path, headers);
    return client_ask(rig.port, text);
}

struct expected {
    const char *method, *path, *headers; /* each header line with its CR LF */
    int         status;
    const char *has[3]; /* texts of the answer; NULL: none */
    const char *lacks;
};

static inline void expect(const struct expected *wanted)
{
    char *answer = ask(wanted->method, wanted->path, wanted->headers ? wanted->headers : "");

    if (client_status(answer) != wanted->status)
        fail_msg("%s %s %s: not %d but %s", wanted->method, wanted->path,
                 wanted->headers ? wanted->headers : "", wanted->status, answer);
    for (size_t i = 0; i < 3 && wanted->has[i]; i++)
        if (!strstr(answer, wanted->has[i]))
            fail_msg("%s %s: no \"%s\" in %s", wanted->method, wanted->path, wanted->has[i],
                     answer);
    if (wanted->lacks && strstr(answer, wanted->lacks))
        fail_msg("%s %s: \"%s\" in %s", wanted->method, wanted->path, wanted->lacks, answer);
    free(answer);
}

#define EXPECT_EACH(table)                                                                         \
    for (size_t each_ = 0; each_ < sizeof(table) / sizeof((table)[0]); each_++)                    \
    expect(&(table)[each_])

static inline char *read_log(void)
{
    static char text[1 << 16];
    FILE       *file;

    log_flush(rig_log);
    file = fopen(log_path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* A line is written after its answer is sent, so it is waited for. */
static inline void expect_logged(const char *text)
{
    if (!RIG_SOON(strstr(read_log(), text)))
        fail_msg("no \"%s\" in the log: %s", text, read_log());
}

#endif
