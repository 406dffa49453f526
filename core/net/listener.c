/* listener.c - listening sockets: bound once per process, watched by every worker; and refused
 * connections.
 *
 * Accepting is done here and not by libuv, because a client that cannot be served is told so (503)
 * instead of being dropped, also when no descriptor is left: then the reserve descriptor makes room
 * for the moment that the answer takes. Each turn takes a waiting client off the queue, so there is
 * no busy loop; where even that fails the socket is left alone until the next tick.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/connection.h"

enum { BACKLOG = 4096, ACCEPTS_IN_A_ROW = 64 };

/* ---- addresses ---- */

union address {
    struct sockaddr         any;
    struct sockaddr_in      in;
    struct sockaddr_in6     in6;
    struct sockaddr_un      un;
    struct sockaddr_storage storage;
};

static bool fail(struct reason *why, const char *address, const char *problem)
{
    return reason_set(why, "cannot listen on \"%s\": %s", address, problem);
}

/* "host:port", with the host in brackets when it has colons, or none for every interface. */
static bool resolve(const char *text, union address *address, socklen_t *len, struct reason *why)
{
    const char     *colon = strrchr(text, ':');
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
    char            host[sizeof(((struct edge_listener *)0)->address)];
    size_t          host_len = colon ? (size_t)(colon - text) : 0;
    int             failed;

    if (!colon || !colon[1])
        return fail(why, text, "an address is written \"host:port\", \":port\" or \"unix:/path\"");
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    if (host_len > 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host[host_len - 1] = '\0';
        memmove(host, host + 1, host_len - 1);
    }
    failed = getaddrinfo(host_len == 0 || strcmp(host, "*") == 0 ? NULL : host, colon + 1, &hints,
                         &found);
    if (failed)
        return fail(why, text, gai_strerror(failed));
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static uint16_t port_of(const union address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port
                                                    : address->in.sin_port);
}

static void set_port(union address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->in6.sin6_port = htons(port);
    else
        address->in.sin_port = htons(port);
}

/* ---- binding ---- */

static bool has_accepting_socket(const union address *address, socklen_t len)
{
    int  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = fd >= 0 && connect(fd, &address->any, len) == 0;

    if (fd >= 0)
        close(fd);
    return is_there;
}

/* One socket, of which each worker has a duplicate. Nobody can connect between bind and listen, so
 * the mode is there in time. */
static bool open_unix(struct edge_listener *listener, uint32_t workers, struct reason *why)
{
    const char   *path = listener->address + 5;
    union address address = { .un = { .sun_family = AF_UNIX } };
    struct stat   old;

    if (strlen(path) >= sizeof(address.un.sun_path) || !*path)
        return fail(why, listener->address, "the path is empty or longer than a socket's may be");
    memcpy(address.un.sun_path, path, strlen(path));
    if (lstat(path, &old) == 0) {
        if (!S_ISSOCK(old.st_mode))
            return fail(why, listener->address,
                        "there is a file of that name that is not a socket");
        if (has_accepting_socket(&address, sizeof(address.un)))
            return fail(why, listener->address, "another process is listening there");
        unlink(path);
    }
    listener->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fds[0] < 0 || bind(listener->fds[0], &address.any, sizeof(address.un)) != 0 ||
        chmod(path, S_IRUSR | S_IWUSR) != 0 || listen(listener->fds[0], BACKLOG) != 0)
        return fail(why, listener->address, strerror(errno));
    for (uint32_t i = 1; i < workers; i++) {
        listener->fds[i] = fcntl(listener->fds[0], F_DUPFD_CLOEXEC, 0);
        if (listener->fds[i] < 0)
            return fail(why, listener->address, strerror(errno));
    }
    return true;
}

/* The first socket is bound without SO_REUSEPORT, so that a port which another process uses is
 * noticed. */
static bool open_one_tcp(const union address *address, socklen_t len, bool is_first, int *fd)
{
    int on = 1;

    *fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           (is_first || setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
           bind(*fd, &address->any, len) == 0 &&
           (!is_first || setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
           setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ==
               0; // accepted sockets inherit it
}

static bool open_tcp(struct edge_listener *listener, uint32_t workers, struct reason *why)
{
    union address address;
    socklen_t     len = 0;

    if (!resolve(listener->address, &address, &len, why))
        return false;
    for (uint32_t i = 0; i < workers; i++) {
        if (!open_one_tcp(&address, len, i == 0, &listener->fds[i]))
            return fail(why, listener->address,
                        errno == EADDRINUSE ? "another process uses that port" : strerror(errno));
        if (i == 0) {
            union address bound;
            socklen_t     bound_len = sizeof(bound);

            if (getsockname(listener->fds[0], &bound.any, &bound_len) == 0)
                listener->port = port_of(&bound);
            set_port(&address, listener->port);
        }
    }
    for (uint32_t i = 0; i < workers; i++)
        if (listen(listener->fds[i], BACKLOG) != 0)
            return fail(why, listener->address, strerror(errno));
    snprintf(strrchr(listener->address, ':'), 7, ":%u", listener->port);
    return true;
}

static bool open_listener(struct edge_listener *listener, bp_str address, uint32_t workers,
                          struct reason *why)
{
    if (address.len + 6 >= sizeof(listener->address)) // behind it stands the port that is chosen
        return reason_set(why, "the listening address \"" BP_FMT "\" is too long", BP_ARG(address));
    listener->fds = malloc(workers * sizeof(int));
    if (!listener->fds)
        return reason_set(why, "there is no memory for the listening sockets");
    for (uint32_t i = 0; i < workers; i++)
        listener->fds[i] = -1;
    memcpy(listener->address, address.data, address.len);
    listener->is_unix = strncmp(listener->address, "unix:", 5) == 0;
    return listener->is_unix ? open_unix(listener, workers, why) : open_tcp(listener, workers, why);
}

/* ---- the edge ---- */

static struct metric_series *labelled(struct metric_family *family, const char *label)
{
    bp_str value = bp_str_of(label);

    return metrics_series(family, &value, 1);
}

static void define_metrics(struct edge_metrics *metrics)
{
    static const char *const reasons[] = { [REFUSED_TOTAL] = "total",
                                           [REFUSED_ADDRESS] = "address",
                                           [REFUSED_DESCRIPTORS] = "descriptors",
                                           [REFUSED_MEMORY] = "memory" };
    static const char *const classes[] = { [TIMEOUT_HEADER] = "header",
                                           [TIMEOUT_BODY] = "body",
                                           [TIMEOUT_IDLE] = "idle",
                                           [TIMEOUT_WRITE] = "write",
                                           [TIMEOUT_ANSWER] = "answer" };
    struct metric_family    *refused, *timeouts;

    metrics->connections = metrics_single(METRIC_GAUGE, "backplane_http_connections",
                                          "Connections open now.");
    metrics->accepted = metrics_single(METRIC_COUNTER, "backplane_http_connections_total",
                                       "Connections accepted.");
    metrics->requests = metrics_single(METRIC_COUNTER, "backplane_http_parsed_requests_total",
                                       "Requests with a valid header block.");
    metrics->received = metrics_single(METRIC_COUNTER, "backplane_http_received_bytes_total",
                                       "Bytes received.");
    metrics->sent = metrics_single(METRIC_COUNTER, "backplane_http_sent_bytes_total",
                                   "Bytes sent.");
    metrics->refused_requests = metrics_define(METRIC_COUNTER,
                                               "backplane_http_refused_requests_total",
                                               "Requests answered by the server itself, before any "
                                               "handler.",
                                               "status");
    refused = metrics_define(METRIC_COUNTER, "backplane_http_refused_connections_total",
                             "Connections turned away, by the limit that was reached.", "reason");
    timeouts = metrics_define(METRIC_COUNTER, "backplane_http_timeouts_total",
                              "Connections ended because the client was too slow.", "class");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        metrics->refused_connections[i] = labelled(refused, reasons[i]);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        metrics->timeouts[i] = labelled(timeouts, classes[i]);
}

static uint32_t connections_allowed(uint32_t wanted)
{
    struct rlimit limit;
    uint64_t      allowed = wanted;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        uint64_t left = limit.rlim_cur > 2 * FD_RESERVE ? limit.rlim_cur - FD_RESERVE : FD_RESERVE;
        allowed = left < allowed ? left : allowed;
    }
    return (uint32_t)allowed;
}

static size_t at_least_one_body(const struct http_edge_options *options, int64_t bytes)
{
    return (size_t)(bytes > options->max_body_bytes ? bytes : options->max_body_bytes);
}

struct http_edge *http_edge_open(const struct http_edge_options *options, struct log *log,
                                 struct reason *why)
{
    struct http_edge *edge = calloc(1, sizeof(*edge));

    signal(SIGPIPE,
           SIG_IGN); // a client that is gone is an error of write, not the end of the process
    if (edge) {
        edge->listeners = calloc(options->address_count ? options->address_count : 1,
                                 sizeof(*edge->listeners));
    }
    if (!edge || !edge->listeners ||
        !spool_room_init(&edge->room, at_least_one_body(options, options->max_client_bodies_bytes),
                         at_least_one_body(options, options->max_all_bodies_bytes)) ||
        !peer_count_init(&edge->peers, options->max_connections_per_address)) {
        reason_set(why, "there is no memory for the listening sockets");
        if (edge) {
            spool_room_free(&edge->room);
            free(edge->listeners);
        }
        free(edge);
        return NULL;
    }
    edge->options = *options;
    edge->options.addresses = NULL;
    edge->options.max_connections = connections_allowed(options->max_connections);
    edge->log = log;
    define_metrics(&edge->metrics);
    for (size_t i = 0; i < options->address_count; i++) {
        edge->listener_count++;
        if (!open_listener(&edge->listeners[i], options->addresses[i], options->workers, why)) {
            http_edge_close(edge);
            return NULL;
        }
    }
    return edge;
}

void http_edge_close(struct http_edge *edge)
{
    for (size_t i = 0; i < edge->listener_count; i++) {
        struct edge_listener *listener = &edge->listeners[i];
        bool                  was_bound = listener->fds && listener->fds[0] != -1;

        for (uint32_t w = 0; listener->fds && w < edge->options.workers; w++)
            if (listener->fds[w] >= 0)
                close(listener->fds[w]);
        if (listener->is_unix && (was_bound || listener->is_taken))
            unlink(listener->address + 5);
        free(listener->fds);
    }
    peer_count_free(&edge->peers);
    spool_room_free(&edge->room);
    free(edge->listeners);
    free(edge);
}

size_t http_edge_listener_count(const struct http_edge *edge)
{
    return edge->listener_count;
}

bp_str http_edge_listener_address(const struct http_edge *edge, size_t index)
{
    return bp_str_of(edge->listeners[index].address);
}

uint16_t http_edge_listener_port(const struct http_edge *edge, size_t index)
{
    return edge->listeners[index].port;
}

uint32_t http_edge_connections(const struct http_edge *edge)
{
    return edge->connections;
}

/* ---- accepting ---- */

int listener_open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* What the client has sent already is taken out first, or closing would reset the answer away. */
static void turn_away(struct http_server *server, int fd, enum refusal_reason reason)
{
    bp_str answer = response_overload();
    char   sink[4096];

    metric_add(server->edge->metrics.refused_connections[reason], 1);
    log_message(server->edge->log, BP_LOG_WARN, "connection_refused",
                "a client was answered 503: %s",
                reason == REFUSED_TOTAL     ? "the limit of connections is reached"
                : reason == REFUSED_ADDRESS ? "its address has as many connections as one may have"
                                            : "no file descriptor is left");
    (void)!recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
    (void)!send(fd, answer.data, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void pause_listener(struct worker_listener *listener)
{
    uv_poll_stop(&listener->poll);
    listener->is_paused = true;
}

static int accept_one(int fd, union address *peer)
{
    socklen_t len = sizeof(*peer);

    return accept4(fd, &peer->any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* False when nothing can be done now. */
static bool answer_without_descriptor(struct worker_listener *listener)
{
    struct http_server *server = listener->server;
    union address       peer;
    int                 fd;

    if (server->reserve_fd < 0)
        return false;
    close(server->reserve_fd);
    fd = accept_one(listener->fd, &peer);
    if (fd >= 0)
        turn_away(server, fd, REFUSED_DESCRIPTORS);
    server->reserve_fd = listener_open_reserve();
    return fd >= 0 && server->reserve_fd >= 0;
}

static void take(struct worker_listener *listener, int fd, const union address *peer)
{
    struct http_server *server = listener->server;
    struct http_edge   *edge = server->edge;

    if (++edge->connections > edge->options.max_connections) {
        edge->connections--;
        turn_away(server, fd, REFUSED_TOTAL);
        return;
    }
    if (!edge->listeners[listener->index].is_unix) {
        struct peer_address address = peer_address_of(&peer->any);

        if (!peer_count_enter(&edge->peers, &address)) {
            edge->connections--;
            turn_away(server, fd, REFUSED_ADDRESS);
            return;
        }
    }
    connection_accept(server, fd, &peer->any, listener->index);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct worker_listener *listener = poll->data;

    (void)events;
    if (status < 0) {
        pause_listener(listener);
        return;
    }
    for (int n = 0; n < ACCEPTS_IN_A_ROW && listener->is_open && !listener->is_paused; n++) {
        union address peer;
        int           fd = accept_one(listener->fd, &peer);

        if (fd >= 0)
            take(listener, fd, &peer);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if ((errno == EMFILE || errno == ENFILE) && !answer_without_descriptor(listener))
            pause_listener(listener);
        else if (errno == ENOMEM || errno == ENOBUFS)
            pause_listener(listener);
    }
}

void listener_resume_paused(struct http_server *server)
{
    if (server->reserve_fd < 0)
        server->reserve_fd = listener_open_reserve();
    for (size_t i = 0; i < server->edge->listener_count; i++) {
        struct worker_listener *listener = &server->listeners[i];

        if (listener->is_open && listener->is_paused)
            listener->is_paused = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) != 0;
    }
}

bool listener_start_all(struct http_server *server)
{
    struct http_edge *edge = server->edge;

    for (uint32_t i = 0; i < edge->listener_count; i++) {
        struct worker_listener *listener = &server->listeners[i];
        int                    *fd = &edge->listeners[i].fds[server->worker->index];

        listener->server = server;
        listener->index = i;
        listener->fd = *fd;
        if (uv_poll_init(&server->worker->loop, &listener->poll, *fd) != 0)
            return false;
        *fd = -1; // the server closes it
        edge->listeners[i].is_taken = true;
        listener->poll.data = listener;
        listener->is_open = true;
        server->open_handles++;
        if (uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) != 0)
            return false;
    }
    return true;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct worker_listener *listener = handle->data;

    handle->data = listener->server;
    server_handle_closed(handle);
}

void listener_stop_all(struct http_server *server)
{
    for (size_t i = 0; i < server->edge->listener_count; i++) {
        struct worker_listener *listener = &server->listeners[i];

        if (!listener->is_open)
            continue;
        listener->is_open = false;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        close(listener->fd);
    }
}
