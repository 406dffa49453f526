/* edition.c - builds an edition from one reading of the conf, from its instances to its routes, and
 * ends it. */
#include "host/edition.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/access.h"
#include "api/run_service.h"
#include "host/report.h"
#include "host/steps.h"
#include "ops/alerts.h"

static struct worker_slot shown; /* the edition of requests that begin on the worker */

struct edition *edition_new(struct host *host, struct conf *conf)
{
    struct edition *edition = calloc(1, sizeof(*edition));

    if (!edition)
        return NULL;
    edition->host = host;
    edition->conf = conf_hold(conf);
    return edition;
}

void edition_free(struct edition *edition)
{
    if (!edition)
        return;
    mcp_free(edition->mcp);
    if (edition->api.generation) // api_init() has begun
        api_free(&edition->api);
    health_board_free(edition->health);
    instance_metrics_free(edition->instances_metrics);
    generation_free(edition->generation);
    conf_free(edition->conf);
    free(edition);
}

/* ---- its start ---- */

static bool start_generation(struct generation *generation, const struct host_options *options)
{
    if (options->stdio_apps)
        return generation_start_apps(generation, options->stdio_apps);
    return options->only_kind ? generation_start_only(generation, bp_str_of(options->only_kind),
                                                      bp_str_of(options->only_name))
                              : generation_start(generation);
}

int edition_start_instances(struct edition *edition, const struct host_options *options,
                            struct edition *before)
{
    struct host *host = edition->host;

    edition->generation = generation_new(edition->conf, host->registry, host->workers,
                                         host->worker_count, host->pool,
                                         before ? before->generation : NULL);
    edition->is_up = edition->generation && start_generation(edition->generation, options);
    if (edition->is_up)
        return EXIT_DONE;
    host_say_failure(host, "%s",
                     edition->generation ? edition->generation->problem.text
                                         : "no memory for the instances");
    return EXIT_STORAGE;
}

static bp_status make_mcp(bp_call *call, void *arg)
{
    struct edition *edition = arg;

    edition->mcp = mcp_new(call, &edition->api, edition->host->mcp_kept);
    return edition->mcp ? BP_OK : call->error.status;
}

int edition_make(struct edition *edition, const struct host_options *options,
                 struct edition *before)
{
    struct host  *host = edition->host;
    struct reason why = { "" };

    edition->instances_metrics = instance_metrics_new(edition->generation, edition->conf);
    edition->health = health_board_new(edition->generation, host->alerts,
                                       before ? before->health : NULL);
    if (!edition->health) {
        host_say_failure(host, "no memory for the health checks");
        return EXIT_FAILED;
    }
    if (!api_init(&edition->api, edition->conf, edition->generation, edition->health,
                  !options->stdio_apps, &why)) {
        if (!conf_has_errors(edition->conf))
            host_say_failure(host, "%s", why.text);
        else if (report_problems(edition->conf, stderr) != 0)
            host_log_conf_problems(host);
        return EXIT_CONF;
    }
    edition->api.runs = host->runs;
    edition->api.is_private = before
                                  ? before->api.is_private
                                  : options->is_private || options->stdio_apps || options->handler;
    if (generation_call(&host->workers[0], BP_SECONDS(30), make_mcp, edition, &why) != BP_OK ||
        !mcp_add_routes(edition->mcp, &why)) {
        host_say_failure(host, "%s", why.text);
        return EXIT_CONF;
    }
    api_describe(&edition->api, mcp_scopes(&edition->api.arena, edition->mcp));
    return EXIT_DONE;
}

static bp_status migrate_keys(bp_call *call, void *arg)
{
    struct edition *edition = arg;

    return keys_migrate(call, &edition->api.key_storage->instances[0].peer);
}

static bp_status start_ops(bp_call *call, void *arg)
{
    struct edition *edition = arg;

    BP_TRY(alerts_use(call, edition->host->alerts, edition->generation));
    if (edition->instances_metrics)
        BP_TRY(instance_metrics_start(call, edition->instances_metrics));
    return health_board_start(call, edition->health);
}

int edition_start(struct edition *edition)
{
    struct worker *first = &edition->host->workers[0];
    struct reason  why = { "" };

    if ((!edition->api.key_storage ||
         generation_call(first, BP_SECONDS(30), migrate_keys, edition, &why) == BP_OK) &&
        generation_call(first, BP_SECONDS(70), start_ops, edition, &why) == BP_OK)
        return EXIT_DONE;
    host_say_failure(edition->host, "%s", why.text);
    return EXIT_FAILED;
}

static bp_status use_alerts(bp_call *call, void *arg)
{
    struct edition *edition = arg;

    return alerts_use(call, edition->host->alerts, edition->generation);
}

void edition_take_alerts_back(struct edition *edition)
{
    struct reason why;

    generation_call(&edition->host->workers[0], BP_SECONDS(70), use_alerts, edition, &why);
}

/* ---- requests ---- */

static bp_status show_on_worker(bp_call *call, void *arg)
{
    struct edition *edition = arg;

    *worker_slot(call->worker, &shown) = edition;
    run_service_show(call->worker, &edition->api);
    return BP_OK;
}

void edition_show(struct edition *edition)
{
    struct reason why;

    health_board_set_phase(edition->health, PHASE_READY);
    for (uint32_t w = 0; w < edition->host->worker_count; w++)
        generation_call(&edition->host->workers[w], BP_SECONDS(10), show_on_worker, edition, &why);
}

void edition_handle(struct http_exchange *exchange, void *arg)
{
    struct edition *edition = *worker_slot(exchange->call->worker, &shown);

    (void)arg;
    api_handle(exchange, &edition->api);
}

void edition_note_refusal(const struct http_refusal *refusal, void *arg)
{
    struct edition *edition = *worker_slot(worker_current(), &shown);

    (void)arg;
    access_note_refusal(refusal, &edition->api);
}

/* ---- its end ---- */

static bp_status stop_ops(bp_call *call, void *arg)
{
    struct edition *edition = arg;

    if (edition->health)
        health_board_stop(call, edition->health);
    if (edition->instances_metrics)
        instance_metrics_stop(call, edition->instances_metrics);
    return BP_OK;
}

void edition_end_checks(struct edition *edition)
{
    struct reason why;

    generation_call(&edition->host->workers[0], BP_SECONDS(15), stop_ops, edition, &why);
}

void edition_abandon(struct edition *edition)
{
    if (!edition->is_up)
        return;
    edition_end_checks(edition);
    generation_stop(edition->generation);
    edition->is_up = false;
}

bool edition_end(struct edition *edition, int64_t deadline_ns)
{
    if (!edition->is_up)
        return true;
    edition_end_checks(edition);
    if (!generation_wait_unused(edition->generation, deadline_ns))
        return false;
    generation_stop(edition->generation);
    edition->is_up = false;
    return true;
}
