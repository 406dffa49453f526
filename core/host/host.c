/* host.c - puts the layers together, in order, and takes them apart again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/data_lock.h"
#include "host/steps.h"
#include "net/http_client.h"
#include "ops/alerts.h"
#include "ops/pressure.h"
#include "ops/process_metrics.h"
#include "ops/runs.h"

enum { LAST_REQUESTS_S = 5, RUNS_MAX = 4096, RUNS_OF_ONE_MAX = 1024, RUN_KEPT_S = 3600 };

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
    struct host         *host = arg;
    struct http_server **server = &host->servers[call->worker->index];

    *server = http_server_start(host->edge, call->worker, host->handler, host->handler_arg);
    if (!*server)
        return call_fail(call, BP_NO_MEMORY, "the listeners cannot be watched by worker %u",
                         call->worker->index);
    if (host->handler == edition_handle)
        http_server_on_refusal(*server, edition_note_refusal, NULL);
    return BP_OK;
}

static bp_status start_upkeep(bp_call *call, void *arg)
{
    struct host *host = arg;

    host->memory = memory_return_start(call->worker, host->pool);
    if (!host->memory)
        return call_fail(call, BP_NO_MEMORY, "no memory to watch the memory budget");
    if (!runs_start(host->runs, call->worker))
        return call_fail(call, BP_NO_MEMORY, "no memory for long-lived work");
    return mcp_kept_start(call, host->mcp_kept, host->workers, host->worker_count);
}

/* What outlives editions and needs no instance. */
static bool make_what_stays(struct host *host)
{
    host->process = process_metrics_start(host->workers, host->worker_count, host->log);
    host->alerts = alerts_new();
    host->mcp_kept = mcp_kept_new(&host->conf->server.mcp);
    host->runs = runs_new(
        &(struct runs_limits){ .bytes = (size_t)host->conf->server.limits.runs_bytes,
                               .count = RUNS_MAX,
                               .count_of_one = RUNS_OF_ONE_MAX,
                               .kept_ns = BP_SECONDS(RUN_KEPT_S),
                               .setting = "server.limits.runs" });
    return host->alerts && host->mcp_kept && host->runs;
}

static bool start_servers(struct host *host, struct reason *why)
{
    host->servers = calloc(host->worker_count, sizeof(*host->servers));
    for (uint32_t w = 0; host->servers && w < host->worker_count; w++)
        if (generation_call(&host->workers[w], BP_SECONDS(10), start_server, host, why) != BP_OK)
            return false;
    return host->servers != NULL;
}

static bool take_data(struct host *host, const char *conf_file)
{
    bool          is_refused;
    struct reason why;
    int           fd = data_lock_take(host->conf->data_dir.data, conf_file, &is_refused, &why);

    if (is_refused)
        host_say_failure(host, "%s: %s", conf_file, why.text);
    host->data_lock = fd > 0 ? fd : 0;
    return !is_refused;
}

int host_start(struct host *host, const struct host_options *options)
{
    const struct server_watchdog *watchdog = &host->conf->server.watchdog;
    struct edition               *edition = host->edition;
    bool          is_served = !options->stdio_apps && (!options->only_kind || options->handler);
    struct reason why = { "no memory" };
    int           status;

    host->handler = options->handler ? options->handler : edition_handle;
    host->handler_arg = options->handler_arg;
    mkdir(host->conf->data_dir.data,
          0700); // the first plugin that needs it names its fault
    if (!start_workers(host, options->only_workers ? options->only_workers
                             : options->is_private || options->only_kind || options->stdio_apps
                                 ? 1
                                 : 0)) {
        host_say_failure(host, "the workers cannot be started: %s", strerror(errno));
        return EXIT_FAILED;
    }
    // Before any instance starts: a second server on the same address must not touch the first
    // one's data.
    if (is_served && ((options->is_private && !host_make_private_socket(host)) ||
                      !host_open_edge(host, options->is_private)))
        return EXIT_BIND;
    if (is_served && options->conf_file && !options->conf_text &&
        !take_data(host, options->conf_file))
        return EXIT_STORAGE;
    host->watchdog = watchdog_start(host->workers, host->worker_count,
                                    &(struct watchdog_options){
                                        .warn_ns = watchdog->warn_ns,
                                        .stuck_ns = watchdog->fail_liveness_ns,
                                        .abort_ns = watchdog->abort_ns },
                                    host->log);
    status = edition_start_instances(edition, options, NULL);
    if (status != EXIT_DONE || (options->only_kind && !is_served))
        return status;
    if (!make_what_stays(host)) {
        host_say_failure(host, "there is no memory for the server");
        return EXIT_FAILED;
    }
    status = edition_make(edition, options, NULL);
    if (status != EXIT_DONE)
        return status;
    if (generation_call(&host->workers[0], BP_SECONDS(10), start_upkeep, host, &why) != BP_OK) {
        host_say_failure(host, "%s", why.text);
        return EXIT_FAILED;
    }
    if (options->stdio_apps) // no listener, and nobody to check health for; the news do flow
        return EXIT_DONE;
    status = edition_start(edition);
    if (status != EXIT_DONE)
        return status;
    edition_show(edition);
    if (start_servers(host, &why))
        return EXIT_DONE;
    host_say_failure(host, "%s", why.text);
    return EXIT_FAILED;
}

/* ---- another edition ---- */

static bool listens_alike(const struct server_conf *a, const struct server_conf *b)
{
    if (a->listener_count != b->listener_count ||
        !bp_str_equal(a->metrics_listen, b->metrics_listen))
        return false;
    for (size_t i = 0; i < a->listener_count; i++)
        if (!bp_str_equal(a->listeners[i].address, b->listeners[i].address))
            return false;
    return true;
}

static int start_successor(struct edition *next, struct edition *before)
{
    static const struct host_options options;
    int                              status = edition_start_instances(next, &options, before);

    if (status == EXIT_DONE)
        status = edition_make(next, &options, before);
    if (status != EXIT_DONE)
        return status;
    status = edition_start(next);
    if (status != EXIT_DONE)
        edition_take_alerts_back(before);
    return status;
}

/* Editions are gone once their last request has ended. */
static void end_older(struct host *host, int64_t deadline_ns)
{
    for (struct edition **at = &host->older; *at;) {
        struct edition *edition = *at;

        if (!edition_end(edition, deadline_ns)) {
            at = &edition->older;
            continue;
        }
        *at = edition->older;
        edition_free(edition);
    }
}

int host_replace_edition(struct host *host, struct conf *conf, int64_t deadline_ns)
{
    struct edition *before = host->edition, *next;
    int             status;

    if (!listens_alike(&before->conf->server, &conf->server)) {
        host_say_failure(host,
                         "%s: the listeners differ from those of the start: restart the server to "
                         "change them",
                         conf->file);
        return EXIT_CONF;
    }
    next = edition_new(host, conf);
    if (!next)
        host_say_failure(host, "no memory for another edition of the conf; this one stays");
    status = next ? start_successor(next, before) : EXIT_FAILED;
    if (status != EXIT_DONE) {
        if (next)
            edition_abandon(next);
        edition_free(next);
        return status;
    }
    edition_show(next);
    host->edition = next;
    before->older = host->older;
    host->older = before;
    end_older(host, deadline_ns);
    return EXIT_DONE;
}

/* ---- stopping ---- */

static bp_status stop_upkeep(bp_call *call, void *arg)
{
    struct host *host = arg;

    if (host->runs)
        runs_stop(call, host->runs);
    if (host->mcp_kept)
        mcp_kept_stop(call, host->mcp_kept);
    if (host->memory)
        job_stop(call, host->memory);
    host->memory = NULL;
    if (host->alerts)
        alerts_stop(call, host->alerts);
    return BP_OK;
}

static void end_by_force(struct edition *edition)
{
    log_message(edition->host->log, BP_LOG_WARN, "requests_left",
                "some requests ignore their cancellation: the instances stop while they still run");
    generation_stop(edition->generation);
    edition->is_up = false;
}

void host_stop(struct host *host)
{
    struct edition *edition = host->edition;
    int64_t         deadline_ns;
    struct reason   why;

    if (edition->health)
        health_board_set_phase(edition->health, PHASE_DRAINING);
    if (host->mcp_kept)
        mcp_kept_drain(host->mcp_kept);
    host_drain_servers(host);
    if (!edition->is_up)
        return;
    edition_end_checks(edition);
    generation_call(&host->workers[0], BP_SECONDS(15), stop_upkeep, host, &why);
    deadline_ns = clock_now_ns() + BP_SECONDS(LAST_REQUESTS_S);
    end_older(host, deadline_ns);
    if (!edition_end(edition, deadline_ns))
        end_by_force(edition);
    while (host->older) {
        edition = host->older;
        host->older = edition->older;
        end_by_force(edition);
        edition_free(edition);
    }
}

void host_free(struct host *host)
{
    watchdog_stop(host->watchdog);
    for (uint32_t w = 0; w < host->worker_count; w++)
        worker_stop(&host->workers[w]);
    for (uint32_t w = 0; w < host->worker_count; w++)
        worker_join(&host->workers[w]);
    process_metrics_stop(host->process);
    for (uint32_t w = 0; w < host->worker_count; w++) {
        http_client_free(&host->workers[w]);
        worker_free(&host->workers[w]);
    }
    if (host->edge)
        http_edge_close(host->edge);
    if (host->socket_folder[0])
        rmdir(host->socket_folder);
    edition_free(host->edition);
    mcp_kept_free(host->mcp_kept);
    runs_free(host->runs);
    alerts_free(host->alerts);
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
