/* net_test.h - what the tests of the outgoing side share: a worker, a call on it, a scripted server
 * on a thread. */
#ifndef NET_TEST_H
#define NET_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/call.h"
#include "loop/fiber.h"
#include "net/http_client.h"
#include "../../../lib/on_worker.h"

static struct worker worker;

static inline void on_call(void (*run)(bp_call *call), int64_t timeout_ns)
{
    run_on_worker(&worker, run, clock_now_ns() + timeout_ns);
    assert_int_equal(http_client_transfers(&worker), 0);
}

static inline int set_up_worker(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return worker_init(&worker, 0, 1, NULL);
}

static inline int tear_down_worker(void **state)
{
    (void)state;
    http_client_free(&worker);
    worker_free(&worker);
    return fiber_live_count() == 0 ? 0 : -1;
}

/* A call beside the running one that cancels it after a while. */
struct cancelling {
    bp_call *victim;
    int64_t  after_ns;
    bool     is_done;
};

static inline void cancel_later(bp_call *call, void *arg)
{
    struct cancelling *cancelling = arg;

    if (call_sleep(call, cancelling->after_ns) == BP_OK)
        call_cancel(cancelling->victim);
    cancelling->is_done = true;
}

/* ---- a server ---- */

/* Serves each connection in turn by serve(fd, number of the connection), on a thread; then closes
 * it. */
struct server {
    int       listener, stop[2];
    uint16_t  port;
    pthread_t thread;
    void (*serve)(int fd, int number);
    _Atomic int     connections;
    pthread_mutex_t lock;
    int             current;     /* the connection that is served; -1: none */
    char            last[16384]; /* the last request heard */
};

static struct server server;

static void server_current(int fd)
{
    pthread_mutex_lock(&server.lock);
    server.current = fd;
    pthread_mutex_unlock(&server.lock);
}

static void *server_run(void *arg)
{
    struct pollfd waits[2] = { { server.listener, POLLIN, 0 }, { server.stop[0], POLLIN, 0 } };

    (void)arg;
    for (;;) {
        int fd;

        poll(waits, 2, -1);
        if (waits[1].revents)
            return NULL;
        fd = accept(server.listener, NULL, NULL);
        if (fd < 0)
            continue;
        server_current(fd);
        server.serve(fd, server.connections++);
        server_current(-1);
        close(fd);
    }
}

static inline void server_start(void (*serve)(int fd, int number))
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          size = sizeof(address);

    server = (struct server){ .serve = serve, .lock = PTHREAD_MUTEX_INITIALIZER, .current = -1 };
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server.listener, 128), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pipe(server.stop), 0);
    assert_int_equal(pthread_create(&server.thread, NULL, server_run, NULL), 0);
}

static inline void server_stop(void)
{
    assert_int_equal(write(server.stop[1], "x", 1), 1);
    pthread_mutex_lock(&server.lock);
    if (server.current >= 0)
        shutdown(server.current, SHUT_RDWR); // a connection that the client keeps in its pool
    pthread_mutex_unlock(&server.lock);
    pthread_join(server.thread, NULL);
    close(server.listener);
    close(server.stop[0]);
    close(server.stop[1]);
}

static inline bool server_send(int fd, const void *bytes, size_t len)
{
    for (const char *at = bytes; len;) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

static inline bool server_say(int fd, const char *text)
{
    return server_send(fd, text, strlen(text));
}

/* The last request heard, for the test's own thread. */
static inline const char *heard_last(void)
{
    static char copy[sizeof(server.last)];

    pthread_mutex_lock(&server.lock);
    memcpy(copy, server.last, sizeof(copy));
    pthread_mutex_unlock(&server.lock);
    return copy;
}

static inline void server_note(const char *text)
{
    pthread_mutex_lock(&server.lock);
    snprintf(server.last, sizeof(server.last), "%s", text);
    pthread_mutex_unlock(&server.lock);
}

/* The request up to its blank line, into `text`, which is the server thread's; false when the
 * client is gone. */
static inline bool server_hear(int fd, char *text, size_t size)
{
    size_t len = 0;

    while (len + 1 < size) {
        ssize_t got = recv(fd, text + len, 1, 0);

        if (got <= 0)
            break;
        text[++len] = '\0';
        if (len >= 4 && memcmp(text + len - 4, "\r\n\r\n", 4) == 0) {
            server_note(text);
            return true;
        }
    }
    text[len] = '\0';
    return false;
}

/* The next close() sends a reset. */
static inline void server_reset(int fd)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Of this process to the server: how many notice that the other side went away without a word. */
static inline int watched_connections(void)
{
    int found = 0;

    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in peer = { 0 };
        socklen_t          size = sizeof(peer), int_size = sizeof(int);
        int                keepalive = 0, idle_s = 0;
        unsigned           user_timeout_ms = 0;

        if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || peer.sin_family != AF_INET ||
            ntohs(peer.sin_port) != server.port)
            continue;
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, &int_size);
        getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, &int_size);
        getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, &int_size);
        found += keepalive && idle_s <= 15 && user_timeout_ms > 0 && user_timeout_ms <= 30000;
    }
    return found;
}

/* A port that nobody listens on. */
static inline uint16_t free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          size = sizeof(address);
    int                fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* A port that takes connections into its queue, which is full, so that connecting never ends. */
static inline uint16_t stuck_port(int fds[4])
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          size = sizeof(address);

    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
    for (int i = 1; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fds[i], (struct sockaddr *)&address, size);
    }
    usleep(20000);
    return ntohs(address.sin_port);
}

static inline void unstick(int fds[4])
{
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

/* Shows the sentence when it is another status. */
#define assert_status(call, expression, expected)                                                  \
    do {                                                                                           \
        bp_status status_ = (expression);                                                          \
        if (status_ != (expected))                                                                 \
            fail_msg("%s is %s, not %s: " BP_FMT, #expression, bp_status_label(status_),           \
                     bp_status_label(expected), BP_ARG((call)->error.message));                    \
    } while (0)

#define assert_said(call, ...)                                                                     \
    do {                                                                                           \
        char said_[512];                                                                           \
        snprintf(said_, sizeof(said_), __VA_ARGS__);                                               \
        if (!(call)->error.message.len || !strstr((call)->error.message.data, said_))              \
            fail_msg("\"%s\" does not say \"%s\"", (call)->error.message.data, said_);             \
    } while (0)

#endif
