/* http_rig.h - a server on a thread of its own and a plain blocking client, for the tests of
 * core/net. */
#ifndef HTTP_RIG_H
#define HTTP_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/http_server.h"

struct rig {
    struct http_edge_options options;
    struct worker            worker;
    struct http_edge        *edge;
    struct http_server      *server;
    uint16_t                 port;
    atomic_int               is_drained;
};

static const bp_str rig_address = { "127.0.0.1:0", 11 };

static inline void rig_defaults(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig->options = http_edge_defaults;
    rig->options.addresses = &rig_address;
    rig->options.address_count = 1;
    rig->options.workers = 1;
}

static inline void rig_start(struct rig *rig, http_handler handler)
{
    struct reason why = { "" };

    rig->edge = http_edge_open(&rig->options, NULL, &why);
    if (!rig->edge)
        fail_msg("%s", why.text);
    rig->port = http_edge_listener_port(rig->edge, 0);
    assert_int_equal(worker_init(&rig->worker, 0, 1, NULL), 0);
    rig->server = http_server_start(rig->edge, &rig->worker, handler, rig);
    assert_non_null(rig->server);
    assert_int_equal(worker_start(&rig->worker), 0);
}

static inline void rig_on_drained(void *arg)
{
    ((struct rig *)arg)->is_drained = 1;
}

struct rig_drain {
    struct rig *rig;
    int64_t     deadline_ns;
};

static inline void rig_drain_now(void *arg)
{
    struct rig_drain *drain = arg;

    http_server_drain(drain->rig->server, drain->deadline_ns, rig_on_drained, drain->rig);
    free(drain);
}

static inline void rig_drain(struct rig *rig, int64_t within_ns)
{
    struct rig_drain *drain = malloc(sizeof(*drain));

    *drain = (struct rig_drain){ rig, clock_now_ns() + within_ns };
    worker_post(&rig->worker, rig_drain_now, drain);
}

static inline void rig_sleep_ms(int64_t ms)
{
    struct timespec time = { ms / 1000, (ms % 1000) * 1000000 };
    nanosleep(&time, NULL);
}

/* True when the condition came within 10 s. */
#define RIG_SOON(condition)                                                                        \
    ({                                                                                             \
        int64_t rig_until_ = clock_now_ns() + BP_SECONDS(10);                                      \
        while (!(condition) && clock_now_ns() < rig_until_)                                        \
            rig_sleep_ms(5);                                                                       \
        (bool)(condition);                                                                         \
    })

static inline void rig_stop(struct rig *rig)
{
    if (!rig->is_drained)
        rig_drain(rig, 0);
    assert_true(RIG_SOON(rig->is_drained));
    assert_int_equal(http_edge_connections(rig->edge), 0);
    worker_stop(&rig->worker);
    worker_join(&rig->worker);
    worker_free(&rig->worker);
    http_edge_close(rig->edge);
    metrics_clear();
}

/* ---- the client ---- */

static inline int client_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval     limit = { .tv_sec = 15 };
    int                fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

static inline void client_send(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            fail_msg("send: %s", strerror(errno));
        bytes += sent;
        len -= (size_t)sent;
    }
}

static inline void client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

/* Everything to the end of the connection; a reset counts as an end. NUL-terminated, the caller
 * frees it. */
static inline char *client_drain(int fd, size_t *len)
{
    size_t  capacity = 1 << 16, have = 0;
    char   *text = malloc(capacity + 1);
    ssize_t count;

    while ((count = recv(fd, text + have, capacity - have, 0)) > 0) {
        have += (size_t)count;
        if (have == capacity)
            text = realloc(text, (capacity *= 2) + 1);
    }
    if (count < 0 && errno != ECONNRESET)
        fail_msg("recv: %s after %zu bytes", strerror(errno), have);
    text[have] = '\0';
    if (len)
        *len = have;
    return text;
}

/* Exactly what arrives until `mark` has been seen `times` times. */
static inline char *client_read_until(int fd, const char *mark, int times)
{
    size_t capacity = 1 << 16, have = 0;
    char  *text = malloc(capacity + 1), *at;

    for (;;) {
        int     seen = 0;
        ssize_t count;

        text[have] = '\0';
        for (at = text; (at = strstr(at, mark)); at += strlen(mark))
            seen++;
        if (seen >= times)
            return text;
        count = recv(fd, text + have, capacity - have, 0);
        if (count <= 0)
            fail_msg("waiting for \"%s\": %s; there is: %s", mark,
                     count ? strerror(errno) : "the end", text);
        have += (size_t)count;
        if (have == capacity)
            text = realloc(text, (capacity *= 2) + 1);
    }
}

/* One connection, one text, all that comes back. */
static inline char *client_ask(uint16_t port, const char *text)
{
    int   fd = client_connect(port);
    char *answer;

    client_say(fd, text);
    answer = client_drain(fd, NULL);
    close(fd);
    return answer;
}

static inline int client_status(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static inline const char *client_body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "";
}

/* True when the other side has closed and nothing more is to be read. */
static inline bool client_sees_end(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN;
}

#endif
