/* host.c - puts the layers together, in order, and takes them apart again. */
#include "cli/host.h"
#include "ops/instance_metrics.h"

#include "api/access.h"

#include <errno.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/web.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/data_lock.h"
#include "cli/conf_commands.h"
#include "cli/paths.h"
#include "conf/environment.h"
#include "ops/pressure.h"
#include "net/http_client.h"
#include "plugin/services.h"

enum { SERVICES_MAX = 16, WORKERS_MAX = 256, DESCRIPTORS_KEPT = 128 };

/* ---- services: one list, for plugins and for the host's own code ---- */

static struct host_service services[SERVICES_MAX];
static size_t              service_count;

static void gather_services(void)
{
    if (service_count)
        return;
    for (size_t i = 0; i < plugin_service_count; i++)
        services[service_count++] = plugin_services[i];
    for (size_t i = 0; i < net_service_count; i++)
        services[service_count++] = net_services[i];
    services[service_count++] = web_service_entry;
    services[service_count++] = mcp_service_entry;
    registry_fill_host(services, service_count);
}

/* ---- loading ---- */

/* A folder that the conf names and that cannot be read is a mistake of the conf, at its line. */
static void scan_more(struct host *host, bp_str folder, size_t index)
{
    const struct conf_node *list = node_find(host->conf->root, "plugins"), *item = list;
    char                    problem[512];

    if (registry_scan(host->registry, folder.data, true, problem))
        return;
    if (list && list->kind == NODE_SEQUENCE)
        for (item = list->first; item && item->index != index;)
            item = item->next;
    error_at_value(&host->conf->problems, item ? item : host->conf->root, "%s", problem);
}

static bool scan(struct host *host)
{
    char folder[4096], problem[512];

    paths_plugins(folder, sizeof(folder));
    if (!registry_scan(host->registry, folder, true, problem)) {
        fprintf(stderr, "backplane: %s; set BACKPLANE_PLUGINS to the folder of the plugins\n", problem);
        return false;
    }
    for (size_t i = 0; host->conf && host->conf->root && i < host->conf->plugin_dirs.count; i++)
        scan_more(host, host->conf->plugin_dirs.items[i], i);
    return true;
}

/* To standard error, and to the log when that is a file: whoever looks there later would find nothing. */
static void say_failure(struct host *host, const char *format, ...) BP_FORMAT(2, 3);

static void say_failure(struct host *host, const char *format, ...)
{
    char    text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "backplane: %s\n", text);
    if (host->log && host->conf && host->conf->log.file.len)
        log_message(host->log, BP_LOG_ERROR, "start_failed", "%s", text);
}

static struct log *open_log(const struct conf *conf, bool is_quiet)
{
    struct log_options options = { .level = BP_LOG_INFO, .rate_per_s = 100 };
    struct log        *log;

    if (conf) {
        options = (struct log_options){ .level = (uint32_t)conf->log.level,
                                        .path = conf->log.file.len ? conf->log.file.data : NULL,
                                        .queue_lines = (uint32_t)conf->log.queue_lines,
                                        .rate_per_s = (uint32_t)conf->log.rate_per_s };
    }
    if (is_quiet && options.level < BP_LOG_WARN)
        options.level = BP_LOG_WARN;
    log = log_open(&options);
    if (!log)
        fprintf(stderr, "backplane: log file %s cannot be opened: %s\n", options.path ? options.path : "stderr",
                strerror(errno));
    return log;
}

/* A conf with errors may still say where the log is. */
static void log_conf_problems(struct host *host)
{
    struct log_options options = { .level = BP_LOG_INFO, .path = host->conf->log.file.data, .queue_lines = 1024 };
    struct log        *log = host->conf->log.file.len ? log_open(&options) : NULL;

    for (const struct conf_problem *problem = host->conf->problems.first; log && problem; problem = problem->next)
        if (!problem->is_warning)
            log_message(log, BP_LOG_ERROR, "start_failed", "%s:%u:%u: " BP_FMT ": " BP_FMT, host->conf->file, problem->position.line,
                        problem->position.column, BP_ARG(problem->path), BP_ARG(problem->text));
    if (log)
        log_close(log);
}

int host_load_registry(struct host *host, const char *conf_file)
{
    memset(host, 0, sizeof(*host));
    gather_services();
    if (conf_file && access(conf_file, R_OK) == 0)
        host->conf = conf_load(conf_file, NULL);
    host->log = open_log(NULL, true);
    host->registry = host->log ? registry_new(host->log, services, service_count) : NULL;
    if (!host->registry || !scan(host))
        return EXIT_FAILED;
    return EXIT_DONE;
}

int host_load(struct host *host, const struct host_options *options)
{
    struct conf_plugins plugins;

    memset(host, 0, sizeof(*host));
    gather_services();
    host->conf = options->conf_text ? conf_parse(options->conf_file, bp_str_of(options->conf_text), NULL)
                                    : conf_load(options->conf_file, NULL);
    if (!host->conf) {
        fprintf(stderr, "backplane: no memory to read %s\n", options->conf_file);
        return EXIT_CONF;
    }
    host->log = open_log(conf_has_errors(host->conf) || options->is_check ? NULL : host->conf, options->is_quiet);
    if (!host->log)
        return EXIT_CONF;
    host->registry = registry_new(host->log, services, service_count);
    if (!host->registry || !scan(host))
        return EXIT_CONF;
    registry_check_digests(host->registry, host->conf);
    plugins = registry_for_conf(host->registry);
    conf_resolve(host->conf, &plugins);
    if (options->says_environment)
        environment_check(host->conf, &conf_process_environment);
    if (options->is_check)
        return conf_has_errors(host->conf) ? EXIT_CONF : EXIT_DONE;
    if (command_report_problems(host->conf, stderr) == 0)
        return EXIT_DONE;
    log_conf_problems(host);
    return EXIT_CONF;
}

/* ---- starting ---- */

static bool start_workers(struct host *host, uint32_t wanted)
{
    long     cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count = host->conf->server.workers;

    if (count == 0)
        count = cores > 0 && cores < WORKERS_MAX ? (uint32_t)cores : 1;
    if (wanted)
        count = wanted;
    host->workers = calloc(count, sizeof(struct worker));
    if (!host->workers)
        return false;
    for (; host->worker_count < count; host->worker_count++) {
        struct worker *worker = &host->workers[host->worker_count];

        if (worker_init(worker, host->worker_count, count, host->log) != 0)
            return false;
        if (worker_start(worker) != 0) {
            worker_free(worker);
            return false;
        }
    }
    return true;
}

static bool make_private_socket(struct host *host)
{
    snprintf(host->socket_folder, sizeof(host->socket_folder), "/tmp/backplane-XXXXXX");
    if (!mkdtemp(host->socket_folder)) {
        host->socket_folder[0] = '\0';
        return false;
    }
    snprintf(host->socket_path, sizeof(host->socket_path), "%s/socket", host->socket_folder);
    return true;
}

/* Databases, the log and outgoing connections go on when clients hold as many connections as they may. */
static uint32_t most_connections(int64_t wanted)
{
    struct rlimit limit;
    int64_t       most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > UINT32_MAX)
        return (uint32_t)wanted;
    most = (int64_t)limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? (int64_t)limit.rlim_cur - DESCRIPTORS_KEPT
                                                          : (int64_t)limit.rlim_cur / 2;
    return (uint32_t)(wanted < most ? wanted : most);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct http_edge_options edge_options(const struct host *host, const bp_str *addresses, size_t count)
{
    const struct server_limits *limits = &host->conf->server.limits;
    struct http_edge_options    options = http_edge_defaults;

    options.addresses = addresses;
    options.address_count = count;
    options.workers = host->worker_count;
    options.limits.request_line_bytes = (uint32_t)limits->request_line_bytes;
    options.limits.header_line_bytes = (uint32_t)limits->header_line_bytes;
    options.limits.header_block_bytes = (uint32_t)limits->header_block_bytes;
    options.limits.header_count = (uint32_t)limits->header_count;
    options.max_body_bytes = limits->body_bytes;
    options.max_client_bodies_bytes = larger(limits->bodies_per_client_bytes, host->conf->server.mcp.body_bytes);
    options.max_all_bodies_bytes = larger(limits->bodies_bytes, host->conf->server.mcp.body_bytes);
    options.max_connections = most_connections(limits->connections);
    options.max_connections_per_address = (uint32_t)limits->connections_per_address;
    options.max_requests = (uint32_t)limits->keep_alive_requests;
    options.header_timeout_ns = limits->header_timeout_ns;
    options.body_timeout_ns = limits->body_idle_timeout_ns;
    options.body_grace_ns = limits->body_rate_grace_ns;
    options.body_min_bytes_per_s = limits->body_rate_bytes;
    options.answer_grace_ns = limits->answer_rate_grace_ns;
    options.answer_min_bytes_per_s = limits->answer_rate_bytes;
    options.idle_timeout_ns = limits->keep_alive_timeout_ns;
    options.write_timeout_ns = limits->write_stall_timeout_ns;
    options.call_timeout_ns = host->conf->server.request_deadline_ns;
    return options;
}

static bool open_edge(struct host *host, bool is_private)
{
    const struct server_conf *server = &host->conf->server;
    bp_str                    addresses[SERVER_MAX_LISTENERS + 1];
    size_t                    count = 0;
    char                      private_address[128], problem[512];
    struct http_edge_options  options;

    if (is_private) {
        snprintf(private_address, sizeof(private_address), "unix:%s", host->socket_path);
        addresses[count++] = bp_str_of(private_address);
    }
    for (size_t i = 0; !is_private && i < server->listener_count; i++)
        addresses[count++] = server->listeners[i].address;
    if (!is_private && server->metrics_listen.len)
        addresses[count++] = server->metrics_listen; // behind the others, whose numbers are those of the conf
    options = edge_options(host, addresses, count);
    host->edge = http_edge_open(&options, host->log, problem, sizeof(problem));
    if (!host->edge)
        say_failure(host, "%s", problem);
    return host->edge != NULL;
}


static bp_status start_server(bp_call *call, void *arg)
{
    struct host *host = arg;

    host->servers[call->worker->index] = http_server_start(host->edge, call->worker, host->handler, host->handler_arg);
    if (host->servers[call->worker->index] && host->handler == api_handle)
        http_server_on_refusal(host->servers[call->worker->index], access_note_refusal, &host->api);
    if (!host->servers[call->worker->index])
        return call_fail(call, BP_NO_MEMORY, "the listeners cannot be watched by worker %u", call->worker->index);
    return BP_OK;
}

static bp_status start_mcp(bp_call *call, void *arg)
{
    struct host *host = arg;

    host->memory = memory_return_start(call->worker, host->generation->pool);
    if (!host->memory)
        return call_fail(call, BP_NO_MEMORY, "there is no memory to look after the memory");
    return mcp_start(call, host->mcp);
}

static bp_status start_ops(bp_call *call, void *arg)
{
    struct host *host = arg;

    BP_TRY(alerts_start(call, host->alerts));
    BP_TRY(start_mcp(call, host));
    if (host->instances_metrics)
        BP_TRY(instance_metrics_start(call, host->instances_metrics));
    return health_board_start(call, host->health);
}

static bp_status make_mcp(bp_call *call, void *arg)
{
    struct host *host = arg;

    host->mcp = mcp_new(call, &host->api);
    return host->mcp ? BP_OK : call->error.status;
}

static bp_status migrate_keys(bp_call *call, void *arg)
{
    struct host *host = arg;

    return keys_migrate(call, &host->api.key_storage->instances[0].peer);
}

static bool start_serving(struct host *host, char problem[512])
{
    host->servers = calloc(host->worker_count, sizeof(*host->servers));
    if (!host->servers)
        return false;
    if (host->api.key_storage &&
        generation_call(&host->workers[0], BP_SECONDS(30), migrate_keys, host, problem) != BP_OK)
        return false;
    if (generation_call(&host->workers[0], BP_SECONDS(10), start_ops, host, problem) != BP_OK)
        return false;
    for (uint32_t w = 0; w < host->worker_count; w++)
        if (generation_call(&host->workers[w], BP_SECONDS(10), start_server, host, problem) != BP_OK)
            return false;
    return true;
}

static bool start_instances(struct host *host, const struct host_options *options)
{
    host->generation = generation_new(host->conf, host->registry, host->workers, host->worker_count);
    if (!host->generation)
        return false;
    if (options->stdio_apps)
        return generation_start_apps(host->generation, options->stdio_apps);
    return options->only_kind ? generation_start_only(host->generation, bp_str_of(options->only_kind),
                                                      bp_str_of(options->only_name))
                              : generation_start(host->generation);
}

static bool take_data(struct host *host, const char *conf_file)
{
    bool is_refused;
    char problem[1024];
    int  fd = data_lock_take(host->conf->data_dir.data, conf_file, &is_refused, problem);

    if (is_refused)
        say_failure(host, "%s: %s", conf_file, problem);
    host->data_lock = fd > 0 ? fd : 0;
    return !is_refused;
}

int host_start(struct host *host, const struct host_options *options)
{
    const struct server_watchdog *watchdog = &host->conf->server.watchdog;
    bool                          is_served = !options->stdio_apps && (!options->only_kind || options->handler);
    char                          problem[512] = "";

    host->handler = options->handler ? options->handler : api_handle;
    host->handler_arg = options->handler ? options->handler_arg : &host->api;
    mkdir(host->conf->data_dir.data, 0700); // what is wrong with it, the first plugin that needs it says
    if (!start_workers(host, options->only_workers                                                  ? options->only_workers
                             : options->is_private || options->only_kind || options->stdio_apps ? 1
                                                                                                : 0)) {
        say_failure(host, "the workers cannot be started: %s", strerror(errno));
        return EXIT_FAILED;
    }
    // Before any instance starts: a second server on the same address must not touch the first one's data.
    if (is_served && ((options->is_private && !make_private_socket(host)) || !open_edge(host, options->is_private)))
        return EXIT_BIND;
    if (is_served && options->conf_file && !options->conf_text && !take_data(host, options->conf_file))
        return EXIT_STORAGE;
    host->watchdog = watchdog_start(host->workers, host->worker_count,
                                    &(struct watchdog_options){ .warn_ns = watchdog->warn_ns,
                                                                .stuck_ns = watchdog->fail_liveness_ns,
                                                                .abort_ns = watchdog->abort_ns },
                                    host->log);
    host->is_started = start_instances(host, options);
    if (!host->is_started) {
        say_failure(host, "%s", host->generation ? host->generation->problem : "no memory for the instances");
        return EXIT_STORAGE;
    }
    if (options->only_kind && !is_served)
        return EXIT_DONE;
    host->process = process_metrics_start(host->workers, host->worker_count, host->log);
    host->instances_metrics = instance_metrics_new(host->generation, host->conf);
    host->alerts = alerts_new(host->generation);
    host->health = health_board_new(host->generation, host->alerts);
    if (!api_init(&host->api, host->conf, host->generation, host->health, !options->stdio_apps, problem)) {
        if (!conf_has_errors(host->conf))
            say_failure(host, "%s", problem);
        else if (command_report_problems(host->conf, stderr) != 0)
            log_conf_problems(host);
        return EXIT_CONF;
    }
    host->api.is_private = options->is_private || options->stdio_apps || options->handler;
    if (generation_call(&host->workers[0], BP_SECONDS(30), make_mcp, host, problem) != BP_OK ||
        !mcp_add_routes(host->mcp, problem)) {
        say_failure(host, "%s", problem);
        return EXIT_CONF;
    }
    api_describe(&host->api, mcp_scopes(&host->api.arena, host->mcp));
    if (options->stdio_apps) // no listener, and nobody to check health for; the news do flow
        return generation_call(&host->workers[0], BP_SECONDS(10), start_mcp, host, problem) == BP_OK ? EXIT_DONE : EXIT_FAILED;
    if (!start_serving(host, problem)) {
        say_failure(host, "%s", problem);
        return EXIT_FAILED;
    }
    health_board_set_phase(host->health, PHASE_READY);
    return EXIT_DONE;
}

/* ---- stopping ---- */

struct drain {
    struct http_server *server;
    int64_t             deadline_ns;
    sem_t              *done;
};

static void drained(void *arg)
{
    sem_post(arg);
}

static void start_drain(void *arg)
{
    struct drain *drain = arg;

    http_server_drain(drain->server, drain->deadline_ns, drained, drain->done);
}

static void drain_servers(struct host *host)
{
    struct drain drains[WORKERS_MAX];
    int64_t      deadline_ns = clock_now_ns() + host->conf->server.drain.timeout_ns;
    sem_t        done;
    uint32_t     started = 0;

    sem_init(&done, 0, 0);
    for (uint32_t w = 0; host->servers && w < host->worker_count; w++) {
        if (!host->servers[w])
            continue;
        drains[w] = (struct drain){ host->servers[w], deadline_ns, &done };
        worker_post(&host->workers[w], start_drain, &drains[w]);
        started++;
    }
    while (started) {
        if (sem_wait(&done) == 0)
            started--;
    }
    sem_destroy(&done);
}

static bp_status stop_ops(bp_call *call, void *arg)
{
    struct host *host = arg;

    if (host->health)
        health_board_stop(call, host->health);
    if (host->instances_metrics)
        instance_metrics_stop(call, host->instances_metrics);
    if (host->mcp)
        mcp_stop(call, host->mcp);
    if (host->memory)
        job_stop(call, host->memory);
    host->memory = NULL;
    if (host->alerts)
        alerts_stop(call, host->alerts);
    return BP_OK;
}

void host_stop(struct host *host)
{
    char problem[512];

    if (host->health)
        health_board_set_phase(host->health, PHASE_DRAINING);
    if (host->mcp)
        mcp_drain(host->mcp);
    drain_servers(host);
    if (host->is_started) {
        generation_call(&host->workers[0], BP_SECONDS(15), stop_ops, host, problem);
        generation_stop(host->generation);
    }
    host->is_started = false;
}

void host_free(struct host *host)
{
    watchdog_stop(host->watchdog);
    for (uint32_t w = 0; w < host->worker_count; w++)
        worker_stop(&host->workers[w]);
    for (uint32_t w = 0; w < host->worker_count; w++)
        worker_join(&host->workers[w]);
    mcp_free(host->mcp);
    if (host->api.router)
        api_free(&host->api);
    process_metrics_stop(host->process);
    health_board_free(host->health);
    instance_metrics_free(host->instances_metrics);
    alerts_free(host->alerts);
    for (uint32_t w = 0; w < host->worker_count; w++) {
        http_client_free(&host->workers[w]);
        worker_free(&host->workers[w]);
    }
    if (host->edge)
        http_edge_close(host->edge);
    if (host->socket_folder[0])
        rmdir(host->socket_folder);
    generation_free(host->generation);
    free(host->servers);
    free(host->workers);
    registry_free(host->registry);
    if (host->conf)
        conf_free(host->conf);
    if (host->data_lock)
        close(host->data_lock);
    log_close(host->log);
    metrics_clear();
    memset(host, 0, sizeof(*host));
}
