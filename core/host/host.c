/* host.c - puts the layers together, in order, and takes them apart again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/access.h"
#include "host/data_lock.h"
#include "host/report.h"
#include "host/steps.h"
#include "net/http_client.h"
#include "ops/instance_metrics.h"
#include "ops/pressure.h"

/* ---- starting ---- */

struct bp_pool *host_make_pool(const struct host *host)
{
    return pool_create("offload", (uint32_t)host->conf->server.offload_threads);
}

static bool start_workers(struct host *host, uint32_t wanted)
{
    long     cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count = host->conf->server.workers;

    if (count == 0)
        count = cores > 0 && cores < WORKERS_MAX ? (uint32_t)cores : 1;
    if (wanted)
        count = wanted;
    host->workers = calloc(count, sizeof(struct worker));
    host->pool = host_make_pool(host);
    if (!host->workers || !host->pool)
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

    host->memory = memory_return_start(call->worker, host->pool);
    if (!host->memory)
        return call_fail(call, BP_NO_MEMORY, "there is no memory to look after the memory");
    return mcp_kept_start(call, host->mcp_kept, host->workers, host->worker_count);
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

    if (!host->mcp_kept)
        host->mcp_kept = mcp_kept_new(&host->conf->server.mcp);
    if (!host->mcp_kept)
        return call_fail(call, BP_NO_MEMORY, "no memory for the MCP server");
    host->mcp = mcp_new(call, &host->api, host->mcp_kept);
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
    host->generation = generation_new(host->conf, host->registry, host->workers, host->worker_count, host->pool, NULL);
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
        host_say_failure(host, "%s: %s", conf_file, problem);
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
        host_say_failure(host, "the workers cannot be started: %s", strerror(errno));
        return EXIT_FAILED;
    }
    // Before any instance starts: a second server on the same address must not touch the first one's data.
    if (is_served && ((options->is_private && !host_make_private_socket(host)) || !host_open_edge(host, options->is_private)))
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
        host_say_failure(host, "%s", host->generation ? host->generation->problem : "no memory for the instances");
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
            host_say_failure(host, "%s", problem);
        else if (report_problems(host->conf, stderr) != 0)
            host_log_conf_problems(host);
        return EXIT_CONF;
    }
    host->api.is_private = options->is_private || options->stdio_apps || options->handler;
    if (generation_call(&host->workers[0], BP_SECONDS(30), make_mcp, host, problem) != BP_OK ||
        !mcp_add_routes(host->mcp, problem)) {
        host_say_failure(host, "%s", problem);
        return EXIT_CONF;
    }
    api_describe(&host->api, mcp_scopes(&host->api.arena, host->mcp));
    if (options->stdio_apps) // no listener, and nobody to check health for; the news do flow
        return generation_call(&host->workers[0], BP_SECONDS(10), start_mcp, host, problem) == BP_OK ? EXIT_DONE : EXIT_FAILED;
    if (!start_serving(host, problem)) {
        host_say_failure(host, "%s", problem);
        return EXIT_FAILED;
    }
    health_board_set_phase(host->health, PHASE_READY);
    return EXIT_DONE;
}

/* ---- stopping ---- */

static bp_status stop_ops(bp_call *call, void *arg)
{
    struct host *host = arg;

    if (host->health)
        health_board_stop(call, host->health);
    if (host->instances_metrics)
        instance_metrics_stop(call, host->instances_metrics);
    if (host->mcp_kept)
        mcp_kept_stop(call, host->mcp_kept);
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
    if (host->mcp_kept)
        mcp_kept_drain(host->mcp_kept);
    host_drain_servers(host);
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
    mcp_kept_free(host->mcp_kept);
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
    pool_destroy(host->pool);
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
