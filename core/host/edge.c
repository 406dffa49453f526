/* edge.c - the listeners: opened as the conf says, and drained. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "host/steps.h"

enum { DESCRIPTORS_KEPT = 128 };

bool host_make_private_socket(struct host *host)
{
    snprintf(host->socket_folder, sizeof(host->socket_folder), "/tmp/backplane-XXXXXX");
    if (!mkdtemp(host->socket_folder)) {
        host->socket_folder[0] = '\0';
        return false;
    }
    snprintf(host->socket_path, sizeof(host->socket_path), "%s/socket", host->socket_folder);
    return true;
}

/* Databases, the log and outgoing connections go on when clients hold as many connections as they
 * may. */
static uint32_t most_connections(int64_t wanted)
{
    struct rlimit limit;
    int64_t       most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur > UINT32_MAX)
        return (uint32_t)wanted;
    most = (int64_t)limit.rlim_cur > 2 * DESCRIPTORS_KEPT
               ? (int64_t)limit.rlim_cur - DESCRIPTORS_KEPT
               : (int64_t)limit.rlim_cur / 2;
    return (uint32_t)(wanted < most ? wanted : most);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct http_edge_options edge_options(const struct host *host, const bp_str *addresses,
                                             size_t count)
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
    options.max_client_bodies_bytes = larger(limits->bodies_per_client_bytes,
                                             host->conf->server.mcp.body_bytes);
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

bool host_open_edge(struct host *host, bool is_private)
{
    const struct server_conf *server = &host->conf->server;
    bp_str                    addresses[SERVER_MAX_LISTENERS + 1];
    size_t                    count = 0;
    char                      private_address[128];
    struct reason             why;
    struct http_edge_options  options;

    if (is_private) {
        snprintf(private_address, sizeof(private_address), "unix:%s", host->socket_path);
        addresses[count++] = bp_str_of(private_address);
    }
    for (size_t i = 0; !is_private && i < server->listener_count; i++)
        addresses[count++] = server->listeners[i].address;
    if (!is_private && server->metrics_listen.len)
        addresses[count++] = server->metrics_listen; // behind the others, which keep their numbers
                                                     // of the conf
    options = edge_options(host, addresses, count);
    host->edge = http_edge_open(&options, host->log, &why);
    if (!host->edge)
        host_say_failure(host, "%s", why.text);
    return host->edge != NULL;
}

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

void host_drain_servers(struct host *host)
{
    struct drain drains[WORKERS_MAX];
    int64_t      deadline_ns = clock_now_ns() + host->edition->conf->server.drain.timeout_ns;
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
