/* kept.c - the state that outlives an edition of the conf: sessions, listeners, tasks; made, tidied
 * up, drained, freed. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/metrics.h"
#include "base/shares.h"
#include "mcp/listen.h"
#include "mcp/mcp.h"
#include "mcp/session.h"
#include "mcp/tasks.h"

enum { EXPIRY_S = 10 };

static struct worker_slot keepers; /* that mcp_changed() tells */

static void make_seal_key(struct mcp_kept *kept, bp_str secret)
{
    if (secret.len)
        crypto_hmac_sha256(secret, BP_STR("backplane mcp requestState"), kept->seal_key);
    else
        crypto_random(kept->seal_key, sizeof(kept->seal_key));
}

static void collect(void *arg)
{
    struct mcp_kept *kept = arg;

    metric_set(kept->session_gauge, sessions_count(kept->sessions));
    metric_set(kept->listener_gauge, listeners_count(kept->listeners));
}

struct mcp_kept *mcp_kept_new(const struct server_mcp *conf)
{
    struct mcp_kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        return NULL;
    kept->sessions = sessions_new(
        &(struct session_limits){ .sessions = (uint32_t)conf->sessions,
                                  .sessions_per_client = (uint32_t)conf->sessions_per_client,
                                  .idle_ns = conf->session_idle_timeout_ns,
                                  .replay_bytes = (size_t)conf->replay_bytes });
    kept->listeners = listeners_new();
    kept->messages = shares_new((size_t)conf->client_memory_bytes, 0);
    kept->tasks = tasks_new((size_t)conf->tasks_bytes);
    kept->session_gauge = metrics_single(METRIC_GAUGE, "mcp_sessions",
                                         "MCP sessions that are open.");
    kept->listener_gauge = metrics_single(METRIC_GAUGE, "mcp_listeners",
                                          "MCP requests that listen for changes.");
    make_seal_key(kept, conf->state_key);
    if (kept->sessions && kept->listeners && kept->tasks && kept->messages)
        return kept;
    mcp_kept_free(kept);
    return NULL;
}

static void tidy_up(bp_call *call, void *arg)
{
    struct mcp_kept *kept = arg;

    (void)call;
    sessions_expire(kept->sessions, clock_now_ns());
}

bp_status mcp_kept_start(bp_call *call, struct mcp_kept *kept, struct worker *workers,
                         uint32_t worker_count)
{
    struct job_options options = { .name = "mcp expiry",
                                   .interval_ns = BP_SECONDS(EXPIRY_S),
                                   .first_ns = BP_SECONDS(EXPIRY_S),
                                   .timeout_ns = BP_SECONDS(EXPIRY_S),
                                   .run = tidy_up,
                                   .arg = kept };

    for (uint32_t i = 0; i < worker_count; i++)
        *worker_slot(&workers[i], &keepers) = kept;
    metrics_on_collect(collect, kept);
    kept->expiry = job_start(call->worker, &options);
    return kept->expiry && runs_start(kept->tasks, call->worker)
               ? BP_OK
               : call_fail(call, BP_NO_MEMORY, "no memory for the MCP server");
}

void mcp_kept_stop(bp_call *call, struct mcp_kept *kept)
{
    metrics_remove_collect(collect, kept);
    if (kept->expiry)
        job_stop(call, kept->expiry);
    kept->expiry = NULL;
    runs_stop(call, kept->tasks);
}

void mcp_kept_drain(struct mcp_kept *kept)
{
    listeners_drain(kept->listeners);
    sessions_drain(kept->sessions);
}

void mcp_kept_free(struct mcp_kept *kept)
{
    if (!kept)
        return;
    sessions_free(kept->sessions);
    listeners_free(kept->listeners);
    runs_free(kept->tasks);
    shares_free(kept->messages);
    crypto_wipe(kept->seal_key, sizeof(kept->seal_key));
    free(kept);
}

void mcp_changed(bp_call *call, enum bp_mcp_change change, bp_str uri)
{
    static const char *const methods[] = { "notifications/tools/list_changed",
                                           "notifications/prompts/list_changed",
                                           "notifications/resources/list_changed",
                                           "notifications/resources/updated" };
    struct mcp_kept         *kept = *worker_slot(call->worker, &keepers);
    struct bp_buf            buf;
    bp_json_writer           w;

    if (!kept)
        return;
    listeners_tell(kept->listeners, change, uri);
    if (change != BP_MCP_RESOURCE_UPDATED) {
        sessions_broadcast(kept->sessions,
                           message_notification(call, methods[change], (bp_str){ NULL, 0 }),
                           (bp_str){ NULL, 0 });
        return;
    }
    buf_init(&buf, call->arena, 1 << 16);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "uri", uri);
    json_end(&w);
    sessions_broadcast(kept->sessions, message_notification(call, methods[change], buf_str(&buf)),
                       uri);
}
