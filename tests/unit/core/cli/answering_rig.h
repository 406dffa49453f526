/* answering_rig.h - a server that gives the answers it was told, in order, one for each connection,
 * and keeps what it was asked. */
#ifndef ANSWERING_RIG_H
#define ANSWERING_RIG_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWERS_MAX = 4, REQUEST_BYTES = 64 << 10 };

struct answering {
    int         fd;
    pthread_t   thread;
    char        url[64];
    const char *answers[ANSWERS_MAX]; /* whole, with their heads */
    size_t      count;
    char        heads[ANSWERS_MAX][4096];           /* without what differs from run to run */
    char        bodies[ANSWERS_MAX][REQUEST_BYTES]; /* of a request in chunks: all of them */
};

/* Reads up to the end of a request; false: the client went away. */
static inline bool answering_read(int fd, char *bytes, char **body)
{
    size_t  len = 0;
    ssize_t got;

    while (len + 1 < REQUEST_BYTES && (got = read(fd, bytes + len, REQUEST_BYTES - 1 - len)) > 0) {
        const char *length;

        len += (size_t)got;
        bytes[len] = '\0';
        *body = strstr(bytes, "\r\n\r\n");
        if (!*body)
            continue;
        *body += 4;
        length = strcasestr(bytes, "content-length: ");
        if (strstr(bytes, "chunked") ? strstr(*body - 2, "\r\n0\r\n\r\n") != NULL
                                     : !length || strlen(*body) >= (size_t)atol(length + 16))
            return true;
    }
    return false;
}

static inline void answering_keep(struct answering *server, size_t at, char *bytes, char *body)
{
    char *out = server->bodies[at], *save = NULL;
    bool  is_chunked = strstr(bytes, "chunked") != NULL;

    *out = '\0';
    if (!is_chunked)
        snprintf(out, REQUEST_BYTES, "%s", body);
    while (is_chunked) {
        char  *end;
        size_t size = strtoul(body, &end, 16);

        if (!size)
            break;
        strncat(out, end + 2, size);
        body = end + 2 + size + 2;
    }
    server->heads[at][0] = '\0';
    for (char *line = strtok_r(bytes, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        if (strncmp(line, "Host:", 5) == 0)
            continue;
        strcat(strcat(server->heads[at], line), "\n");
        if (strncmp(save, "\n\r\n", 3) == 0)
            return;
    }
}

static inline void *answering_run(void *arg)
{
    struct answering *server = arg;
    char             *bytes = malloc(REQUEST_BYTES), *body;

    for (size_t i = 0; bytes && i < server->count; i++) {
        int fd = accept(server->fd, NULL, NULL);

        if (fd >= 0 && answering_read(fd, bytes, &body)) {
            answering_keep(server, i, bytes, body);
            for (size_t sent = 0, all = strlen(server->answers[i]); sent < all;) {
                ssize_t count = send(fd, server->answers[i] + sent, all - sent, MSG_NOSIGNAL);

                if (count <= 0)
                    break;
                sent += (size_t)count;
            }
        }
        close(fd);
    }
    free(bytes);
    return NULL;
}

/* Of as many requests as there are answers. */
static inline void answering_begin(struct answering *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          size = sizeof(address);

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, answering_run, server), 0);
}

static inline void answering_end(struct answering *server)
{
    shutdown(server->fd, SHUT_RDWR); // ends an accept() that nobody came for
    pthread_join(server->thread, NULL);
    close(server->fd);
}

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"

#endif
