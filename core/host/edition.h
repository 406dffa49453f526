/* edition.h - everything built from one reading of the conf: instances, routes, known keys and
 * tokens, MCP catalogs, health components. State of clients stands outside and outlives it:
 * connections, sessions, tasks, queued alerts, metrics.
 *
 *      edition_new -> edition_start_instances -> edition_make -> edition_start
 *                  -> edition_show: requests that begin now get it -> another one is shown -> edition_end -> edition_free
 *
 * A request reads once which edition is shown, from its worker, and keeps that to its end. Two may
 * be at work side by side; they have the units in common that did not change (generation.h). All
 * functions are for a thread that is no worker.
 */
#ifndef CORE_HOST_EDITION_H
#define CORE_HOST_EDITION_H

#include "api/api.h"
#include "mcp/mcp.h"
#include "ops/instance_metrics.h"

struct host;
struct host_options;

struct edition {
    struct host             *host;
    struct conf             *conf; /* held */
    struct generation       *generation;
    struct instance_metrics *instances_metrics;
    struct health_board     *health;
    struct api               api;
    struct mcp              *mcp;
    struct edition          *older; /* in host->older */
    bool                     is_up; /* its instances run */
};

/* Of a resolved conf. NULL: no memory. */
struct edition *edition_new(struct host *host, struct conf *conf);
/* After edition_end(), or instead of it when nothing was started. */
void edition_free(struct edition *edition);

/* Each gives EXIT_DONE, or the exit status of a start that fails, after host_say_failure().
 * `before` (NULL: none) is the edition that is shown, which is left as it is. */
int edition_start_instances(struct edition *edition, const struct host_options *options,
                            struct edition *before);
int edition_make(struct edition *edition, const struct host_options *options,
                 struct edition *before);
int edition_start(struct edition *edition);
/* When its successor failed in edition_start(): alerts go to its sinks again. */
void edition_take_alerts_back(struct edition *edition);

/* From now on new requests get it, on each worker at a moment when none of its fibers runs. */
void edition_show(struct edition *edition);
/* Ends its checks of health; part of edition_end(). */
void edition_end_checks(struct edition *edition);
/* Stops one that was never shown, without waiting for users: there are none. */
void edition_abandon(struct edition *edition);
/* When it is no longer shown, or nothing comes in any more: its checks end, its requests are waited
 * for until `deadline_ns`, and what no other edition has of its instances ends. False: requests
 * were still under way at the deadline, and nothing of the instances was ended; it may be called
 * again. */
bool edition_end(struct edition *edition, int64_t deadline_ns);

/* What answers at the listeners; `arg` is not used. */
void edition_handle(struct http_exchange *exchange, void *arg) BP_SUSPENDS;
void edition_note_refusal(const struct http_refusal *refusal, void *arg);

#endif
