/* steps.h - the steps of a start and of a stop, shared by the files of this folder. */
#ifndef CORE_HOST_STEPS_H
#define CORE_HOST_STEPS_H

#include "host/exit_status.h"
#include "host/host.h"

enum { WORKERS_MAX = 256 };

/* failure.c */
void host_say_failure(struct host *host, const char *format, ...) BP_FORMAT(2, 3);
/* A conf with errors may still say where the log is. */
void host_log_conf_problems(struct host *host);

/* edge.c */
/* host->socket_path, in a folder that only this user can open. */
bool host_make_private_socket(struct host *host);
/* Binds the listeners: the private one, or those of the conf, with that of the metrics behind them.
 */
bool host_open_edge(struct host *host, bool is_private);
/* No connection is taken any more, and each has ended, or its time is over. From a thread that is
 * no worker. */
void host_drain_servers(struct host *host);

#endif
