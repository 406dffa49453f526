/* host.h - the whole server as one object, for `serve` and for commands that start one on a conf.
 *
 *      host_load     log, plugin files, conf read and resolved
 *      host_start    workers, instances, routes, listeners: ready
 *      host_stop     drained, everything in reverse
 */
#ifndef CORE_HOST_HOST_H
#define CORE_HOST_HOST_H

#include "host/edition.h"
#include "loop/pool.h"
#include "loop/watchdog.h"

struct host {
    struct log             *log;
    struct plugin_registry *registry;
    struct conf            *conf;
    struct worker          *workers;
    uint32_t                worker_count;
    struct bp_pool
        *pool; /* for bp_offload() without a pool of one's own; outlives all generations */
    struct edition *edition; /* the one that is shown; after host_load() there is one, though
                                nothing of it runs */
    struct edition
        *older; /* no longer shown, with requests that were not done in time; linked by `older` */
    struct alert_queue     *alerts;
    struct process_metrics *process;
    struct watchdog        *watchdog;
    struct job             *memory; /* gives unused memory back */
    struct mcp_kept        *mcp_kept;
    struct runs            *runs; /* long-lived work of apps */
    struct http_edge       *edge;
    struct http_server    **servers;           /* one a worker */
    char                    socket_folder[64]; /* of a private listener */
    char                    socket_path[96];
    int                     data_lock; /* 0: none */
    http_handler
          handler; /* what answers at the listeners: edition_handle, or what the options say */
    void *handler_arg;
};

struct host_options {
    const char *conf_file;
    bool        is_private; /* one worker, and one listener that only this user can reach:
                               host->socket_path */
    bool        is_quiet;   /* log only warnings and errors, whatever the conf says */
    const char *only_kind, *only_name; /* start this instance and what it refers to, and no
                                          listener; "": no instance */
    uint32_t only_workers;             /* for it; 0: one */
    http_handler
          handler; /* for it: it is served all the same, by this, and nobody is asked who he is */
    void *handler_arg;
    bool  says_environment; /* warn of variables that are set and not used */
    bool  is_check; /* say nothing and write nothing, not even a log file: the mistakes are in
                       host->conf */
    const char *conf_text; /* instead of a file: conf_file is then only its name in messages */
    const bp_str_list *stdio_apps; /* for `backplane mcp`: these apps and what they refer to; one
                                      worker, no listener */
};

/* EXIT_DONE, or the exit status after sentences on stderr. host_free() is due in any case. */
int host_load(struct host *host, const struct host_options *options);
int host_start(struct host *host, const struct host_options *options);
/* Builds another edition of a resolved conf beside the one that is shown, shows it instead, and
 * ends the old one. Its requests are waited for until `deadline_ns`; after that it stays until they
 * are done, or host_stop(). What did not change is not made again. EXIT_DONE, or the status of a
 * start that fails, after sentences: then nothing has changed. Listeners are those of the start: a
 * conf with others is EXIT_CONF. The conf stays the caller's. From a thread that is no worker. */
int  host_replace_edition(struct host *host, struct conf *conf, int64_t deadline_ns);
void host_stop(struct host *host);
void host_free(struct host *host);

/* For a command that makes a generation without host_start(): host->pool, which host_free()
 * destroys. NULL: no memory. */
struct bp_pool *host_make_pool(const struct host *host);

/* Only what `plugins`, `schema` and `docs` need: the plugin files, with those of the conf's folders
 * if it has one. */
int host_load_registry(struct host *host, const char *conf_file);

#endif
