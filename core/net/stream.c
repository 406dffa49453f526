/* stream.c - connections to other servers: a non-blocking socket and the wait for it. */
#include "net/stream.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dns.h"

/* While other addresses are left, one that does not answer is given up after this. */
enum { TRY_MAX_S = 3, WAIT_READ = 1, WAIT_WRITE = 2 };

struct bp_stream {
    int    fd;      /* -1: closed */
    bp_str address; /* as asked for, for sentences; in the arena */
};

const char *stream_reason(int error, char text[96])
{
    snprintf(text, 96, "%s", strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

void stream_close(struct bp_stream *stream)
{
    if (stream && stream->fd >= 0) {
        close(stream->fd);
        stream->fd = -1;
    }
}

static void close_at_end(void *arg)
{
    stream_close(arg);
}

static bp_status fail_errno(bp_call *call, bp_status status, const char *what, bp_str address, int error)
{
    char reason[96];

    call_fail(call, status, "%s " BP_FMT ": %s", what, BP_ARG(address), stream_reason(error, reason));
    call->error.os_errno = error;
    return status;
}

/* ---- connecting ---- */

/* 0, or the errno of the attempt; *status is not BP_OK when waiting itself ended (deadline of the try, call over). */
static int connect_one(bp_call *call, int fd, const struct sockaddr *address, socklen_t size, int64_t deadline_ns,
                       bp_status *status)
{
    socklen_t error_size = sizeof(int);
    int       error = 0;

    *status = BP_OK;
    if (connect(fd, address, size) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    *status = call_wait_fd(call, fd, WAIT_WRITE, deadline_ns, NULL);
    if (*status != BP_OK)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0 ? error : errno;
}

static bp_status connect_unix(bp_call *call, struct bp_stream *stream, bp_str path, int64_t deadline_ns)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    bp_status          status = BP_OK;
    int                error;

    if (path.len == 0 || path.len >= sizeof(name.sun_path) || memchr(path.data, '\0', path.len))
        return call_fail(call, BP_INVALID, "\"" BP_FMT "\" is not an address: the path of a socket has 1 to %zu bytes",
                         BP_ARG(stream->address), sizeof(name.sun_path) - 1);
    memcpy(name.sun_path, path.data, path.len);
    stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    error = stream->fd < 0 ? errno
                           : connect_one(call, stream->fd, (const struct sockaddr *)&name, sizeof(name), deadline_ns,
                                         &status);
    if (status != BP_OK && status != BP_DEADLINE)
        return status;
    if (error)
        return fail_errno(call, status == BP_DEADLINE ? BP_DEADLINE : BP_UNAVAILABLE, "cannot connect to",
                          stream->address, error);
    return BP_OK;
}

/* The share of the time left that this try may take: all of it for the last one. */
static int64_t try_until(int64_t deadline_ns, size_t left)
{
    int64_t now = clock_now_ns(), share_ns = BP_SECONDS(TRY_MAX_S);

    if (left <= 1)
        return deadline_ns;
    if (deadline_ns != BP_FOREVER && (deadline_ns - now) / (int64_t)left < share_ns)
        share_ns = (deadline_ns - now) / (int64_t)left;
    return now + share_ns;
}

static bp_status connect_tcp(bp_call *call, struct bp_stream *stream, bp_str host, uint16_t port, int64_t deadline_ns)
{
    struct dns_answer found;
    bp_status         status = BP_OK;
    int               error = EHOSTUNREACH, on = 1;

    BP_TRY(dns_resolve(call, host, port, deadline_ns, &found));
    for (size_t i = 0; i < found.count; i++) {
        const struct dns_address *address = &found.addresses[i];

        stream_close(stream);
        stream->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (stream->fd < 0) {
            error = errno;
            continue;
        }
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        error = connect_one(call, stream->fd, &address->any, address->size, try_until(deadline_ns, found.count - i),
                            &status);
        if (error == 0)
            return BP_OK;
        if (call_over(call) != BP_OK)
            return status; // the sentence about it stands already
    }
    return fail_errno(call, status == BP_DEADLINE ? BP_DEADLINE : BP_UNAVAILABLE, "cannot connect to", stream->address,
                      error);
}

bp_status stream_connect(bp_call *call, bp_str address, int64_t deadline_ns, struct bp_stream **out)
{
    struct bp_stream *stream = arena_alloc(call->arena, sizeof(*stream));
    bp_status         status;
    bp_str            host;
    uint16_t          port;

    *out = NULL;
    status = call_over(call);
    if (status != BP_OK)
        return call_fail_over(call, status, "connecting");
    if (stream)
        *stream = (struct bp_stream){ .fd = -1, .address = arena_dup(call->arena, address) };
    if (!stream || !arena_on_free(call->arena, close_at_end, stream))
        return call_fail(call, BP_NO_MEMORY, "no memory for a connection");
    if (bp_str_starts(address, "unix:"))
        status = connect_unix(call, stream, bp_str_n(address.data + 5, address.len - 5), deadline_ns);
    else if (dns_split(address, &host, &port) && port != 0)
        status = connect_tcp(call, stream, host, port, deadline_ns);
    else
        status = call_fail(call, BP_INVALID,
                           "\"" BP_FMT "\" is not an address: write host:port, [v6]:port or unix:/path", BP_ARG(address));
    if (status == BP_OK)
        *out = stream;
    else
        stream_close(stream);
    return status;
}

/* ---- reading and writing ---- */

static bp_status check_open(bp_call *call, const struct bp_stream *stream)
{
    bp_status over = call_over(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "talking to another server");
    if (stream->fd < 0)
        return call_fail(call, BP_INVALID, "the connection to " BP_FMT " is closed already", BP_ARG(stream->address));
    return BP_OK;
}

static bp_status wait_for(bp_call *call, struct bp_stream *stream, uint32_t events, int64_t deadline_ns)
{
    bp_status status = call_wait_fd(call, stream->fd, events, deadline_ns, NULL);

    if (status == BP_DEADLINE)
        return call_fail(call, status, BP_FMT " did not %s in the time allowed", BP_ARG(stream->address),
                         events == WAIT_READ ? "answer" : "take what was sent to it");
    return status;
}

bp_status stream_read(bp_call *call, struct bp_stream *stream, void *bytes, size_t max, int64_t deadline_ns,
                      size_t *count)
{
    ssize_t got;

    *count = 0;
    BP_TRY(check_open(call, stream));
    if (max == 0)
        return call_fail(call, BP_INVALID, "reading at most 0 bytes would never end");
    for (;;) {
        got = recv(stream->fd, bytes, max, 0);
        if (got >= 0)
            break;
        if (errno == EAGAIN)
            BP_TRY(wait_for(call, stream, WAIT_READ, deadline_ns));
        else if (errno != EINTR)
            return fail_errno(call, BP_UNAVAILABLE, "cannot read from", stream->address, errno);
    }
    *count = (size_t)got;
    return BP_OK;
}

bp_status stream_write(bp_call *call, struct bp_stream *stream, bp_str bytes, int64_t deadline_ns)
{
    BP_TRY(check_open(call, stream));
    while (bytes.len) {
        ssize_t sent = send(stream->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (sent >= 0)
            bytes = bp_str_n(bytes.data + sent, bytes.len - (size_t)sent);
        else if (errno == EAGAIN)
            BP_TRY(wait_for(call, stream, WAIT_WRITE, deadline_ns));
        else if (errno != EINTR)
            return fail_errno(call, BP_UNAVAILABLE, "cannot write to", stream->address, errno);
    }
    return BP_OK;
}
