/* stream.c - connections to other servers: a non-blocking socket, the wait for it, and TLS on it.
 */
#include "net/stream.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/watch.h"
#include "net/dns.h"
#include "net/tls.h"

/* While other addresses are left, one that does not answer is given up after this. */
enum { TRY_MAX_S = 3, WAIT_WRITE = 2 };

struct bp_stream {
    int           fd;      /* -1: closed */
    struct watch *watch;   /* from the first wait on */
    struct tls   *tls;     /* NULL: in the clear */
    bp_str        address; /* as asked for, for sentences; in the arena, or behind a kept stream */
    _Atomic int  *open;    /* of a kept one: counts it; NULL: belongs to a call */
    bool          is_kept;
    bool          is_closing; /* closed while calls use it; the last of them ends it */
    uint32_t      users;      /* calls that read, write or make TLS now */
};

const char *stream_reason(int error, char text[96])
{
    snprintf(text, 96, "%s", strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

void stream_notice_loss(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 },
                    { IPPROTO_TCP, TCP_KEEPIDLE, 10 },
                    { IPPROTO_TCP, TCP_KEEPINTVL, 5 },
                    { IPPROTO_TCP, TCP_KEEPCNT, 3 },
                    { IPPROTO_TCP, TCP_USER_TIMEOUT, 20000 } };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                   sizeof(options[i].value));
}

static void shut(struct bp_stream *stream)
{
    tls_end(stream->tls);
    stream->tls = NULL;
    watch_free(stream->watch);
    stream->watch = NULL;
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

static void end_stream(struct bp_stream *stream)
{
    shut(stream);
    if (stream->is_kept)
        free(stream);
}

void stream_close(struct bp_stream *stream)
{
    if (!stream || stream->is_closing)
        return;
    if (stream->is_kept && stream->open)
        --*stream->open;
    if (!stream->users) {
        end_stream(stream);
        return;
    }
    stream->is_closing = true;
    shutdown(stream->fd, SHUT_RDWR); // wakes the call that waits for it
}

/* Behind every use: what the use ended with, unless another call closed the stream meanwhile. */
static bp_status leave(bp_call *call, struct bp_stream *stream, bp_status status)
{
    stream->users--;
    if (!stream->is_closing)
        return status;
    status = call_fail(call, BP_UNAVAILABLE,
                       "the connection to " BP_FMT " was closed by another call",
                       BP_ARG(stream->address));
    if (!stream->users)
        end_stream(stream);
    return status;
}

static void close_at_end(void *arg)
{
    stream_close(arg);
}

static bp_status fail_errno(bp_call *call, bp_status status, const char *what, bp_str address,
                            int error)
{
    char reason[96];

    call_fail(call, status, "%s " BP_FMT ": %s", what, BP_ARG(address),
              stream_reason(error, reason));
    call->error.os_errno = error;
    return status;
}

/* ---- connecting ---- */

/* 0, or the errno of the attempt; *status is not BP_OK when waiting itself ended (deadline of the
 * try, call over). */
static int connect_one(bp_call *call, int fd, const struct sockaddr *address, socklen_t size,
                       int64_t deadline_ns, bp_status *status)
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

static bp_status connect_unix(bp_call *call, struct bp_stream *stream, bp_str path,
                              int64_t deadline_ns)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    bp_status          status = BP_OK;
    int                error;

    if (path.len == 0 || path.len >= sizeof(name.sun_path) || memchr(path.data, '\0', path.len))
        return call_fail(call, BP_INVALID,
                         "\"" BP_FMT
                         "\" is not an address: the path of a socket has 1 to %zu bytes",
                         BP_ARG(stream->address), sizeof(name.sun_path) - 1);
    memcpy(name.sun_path, path.data, path.len);
    stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    error = stream->fd < 0 ? errno
                           : connect_one(call, stream->fd, (const struct sockaddr *)&name,
                                         sizeof(name), deadline_ns, &status);
    if (status != BP_OK && status != BP_DEADLINE)
        return status;
    if (error)
        return fail_errno(call, status == BP_DEADLINE ? BP_DEADLINE : BP_UNAVAILABLE,
                          "cannot connect to", stream->address, error);
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

static bp_status connect_tcp(bp_call *call, struct bp_stream *stream, bp_str host, uint16_t port,
                             int64_t deadline_ns)
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
        stream_notice_loss(stream->fd);
        error = connect_one(call, stream->fd, &address->any, address->size,
                            try_until(deadline_ns, found.count - i), &status);
        if (error == 0)
            return BP_OK;
        if (call_over(call) != BP_OK || (status != BP_OK && status != BP_DEADLINE))
            return status; // the sentence about it stands already
    }
    return fail_errno(call, status == BP_DEADLINE ? BP_DEADLINE : BP_UNAVAILABLE,
                      "cannot connect to", stream->address, error);
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
        status = connect_unix(call, stream, bp_str_n(address.data + 5, address.len - 5),
                              deadline_ns);
    else if (dns_split(address, &host, &port) && port != 0)
        status = connect_tcp(call, stream, host, port, deadline_ns);
    else
        status = call_fail(call, BP_INVALID,
                           "\"" BP_FMT
                           "\" is not an address: write host:port, [v6]:port or unix:/path",
                           BP_ARG(address));
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
    if (stream->fd < 0 || stream->is_closing)
        return call_fail(call, BP_INVALID, "the connection to " BP_FMT " is closed already",
                         BP_ARG(stream->address));
    return BP_OK;
}

static bool make_watch(bp_call *call, struct bp_stream *stream)
{
    if (!stream->watch)
        stream->watch = watch_new(call->worker, stream->fd);
    return stream->watch != NULL;
}

static bp_status wait_for(bp_call *call, struct bp_stream *stream, uint32_t event,
                          int64_t deadline_ns)
{
    bp_status status;

    if (!make_watch(call, stream))
        return call_fail(call, BP_NO_MEMORY, "no memory to wait for a connection");
    status = watch_wait(call, stream->watch, event, deadline_ns);
    if (status == BP_OK)
        return BP_OK;
    if (call_over(call) != BP_OK)
        return call_fail_over(call, status, "talking to another server");
    if (status == BP_DEADLINE)
        return call_fail(call, status, BP_FMT " did not %s in the time allowed",
                         BP_ARG(stream->address),
                         event == WATCH_READ ? "answer" : "take the bytes sent to it");
    return call_fail(call, status, "two calls wait for the connection to " BP_FMT " at once",
                     BP_ARG(stream->address));
}

static bp_status read_some(bp_call *call, struct bp_stream *stream, void *bytes, size_t max,
                           int64_t deadline_ns, size_t *count)
{
    ssize_t got;

    if (stream->tls)
        return tls_read(call, stream->tls, bytes, max, deadline_ns, count);
    for (;;) {
        got = recv(stream->fd, bytes, max, 0);
        if (got >= 0)
            break;
        if (errno == EAGAIN)
            BP_TRY(wait_for(call, stream, WATCH_READ, deadline_ns));
        else if (errno != EINTR)
            return fail_errno(call, BP_UNAVAILABLE, "cannot read from", stream->address, errno);
    }
    *count = (size_t)got;
    return BP_OK;
}

/* Lets others go on when this call has had its share: a server that sends, or takes, without end
 * never makes it wait otherwise, nor look at the deadline of what it does. */
static bp_status take_turn(bp_call *call, struct bp_stream *stream, int64_t deadline_ns)
{
    int64_t   entered_ns = call->worker->running.since_ns;
    bp_status over = call_yield_if_due(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "talking to another server");
    if (call->worker->running.since_ns != entered_ns && clock_now_ns() >= deadline_ns)
        return call_fail(call, BP_DEADLINE,
                         BP_FMT
                         " sent or took bytes, but did not come to an end in the time allowed",
                         BP_ARG(stream->address));
    return stream->is_closing ? BP_UNAVAILABLE : BP_OK; // leave() says the rest
}

bp_status stream_read(bp_call *call, struct bp_stream *stream, void *bytes, size_t max,
                      int64_t deadline_ns, size_t *count)
{
    bp_status status;

    *count = 0;
    BP_TRY(check_open(call, stream));
    if (max == 0)
        return call_fail(call, BP_INVALID, "reading at most 0 bytes would never end");
    stream->users++;
    status = take_turn(call, stream, deadline_ns);
    if (status == BP_OK)
        status = read_some(call, stream, bytes, max, deadline_ns, count);
    return leave(call, stream, status);
}

static bp_status write_all(bp_call *call, struct bp_stream *stream, bp_str bytes,
                           int64_t deadline_ns)
{
    while (bytes.len) {
        ssize_t sent;

        BP_TRY(take_turn(call, stream, deadline_ns));
        if (stream->tls) {
            size_t count;

            BP_TRY(tls_write(call, stream->tls, bytes, deadline_ns, &count));
            bytes = bp_str_n(bytes.data + count, bytes.len - count);
            continue;
        }
        sent = send(stream->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent >= 0)
            bytes = bp_str_n(bytes.data + sent, bytes.len - (size_t)sent);
        else if (errno == EAGAIN)
            BP_TRY(wait_for(call, stream, WATCH_WRITE, deadline_ns));
        else if (errno != EINTR)
            return fail_errno(call, BP_UNAVAILABLE, "cannot write to", stream->address, errno);
    }
    return BP_OK;
}

bp_status stream_write(bp_call *call, struct bp_stream *stream, bp_str bytes, int64_t deadline_ns)
{
    BP_TRY(check_open(call, stream));
    stream->users++;
    return leave(call, stream, write_all(call, stream, bytes, deadline_ns));
}

/* ---- more than plain bytes of one call ---- */

bp_status stream_start_tls(bp_call *call, struct bp_stream *stream, const bp_tls *wanted,
                           int64_t deadline_ns)
{
    bp_status status;

    BP_TRY(check_open(call, stream));
    if (stream->tls)
        return call_fail(call, BP_INVALID, "the connection to " BP_FMT " is in TLS already",
                         BP_ARG(stream->address));
    if (!make_watch(call, stream))
        return call_fail(call, BP_NO_MEMORY, "no memory to wait for a connection");
    stream->users++;
    status = tls_start(call, stream->fd, stream->watch, wanted, stream->address, deadline_ns,
                       &stream->tls);
    if (status != BP_OK && stream->users == 1 && !stream->is_closing)
        shut(stream);
    return leave(call, stream, status);
}

bp_status stream_keep(bp_call *call, struct bp_stream *stream, _Atomic int *open,
                      struct bp_stream **kept)
{
    struct bp_stream *made;
    char             *address;

    *kept = NULL;
    if (stream->fd < 0 || stream->is_kept)
        return call_fail(call, BP_INVALID, "the connection to " BP_FMT " is %s already",
                         BP_ARG(stream->address), stream->is_kept ? "kept" : "closed");
    made = malloc(sizeof(*made) + stream->address.len + 1);
    if (!made)
        return call_fail(call, BP_NO_MEMORY, "no memory for a connection");
    address = (char *)(made + 1);
    memcpy(address, stream->address.data, stream->address.len);
    address[stream->address.len] = '\0';
    *made = *stream;
    made->address.data = address;
    made->is_kept = true;
    made->open = open;
    if (open)
        ++*open;
    stream->fd = -1;
    stream->tls = NULL;
    stream->watch = NULL;
    *kept = made;
    return BP_OK;
}

bp_status stream_resolve(bp_call *call, bp_str host, int64_t deadline_ns, const bp_str **addresses,
                         size_t *count)
{
    struct dns_answer found;
    bp_str           *texts;

    *count = 0;
    BP_TRY(dns_resolve(call, host, 0, deadline_ns, &found));
    texts = arena_alloc(call->arena, found.count * sizeof(*texts));
    for (size_t i = 0; texts && i < found.count; i++) {
        char text[48];

        dns_address_text(&found.addresses[i], text);
        texts[i] = text[0] == '[' ? arena_dup(call->arena, bp_str_n(text + 1, strlen(text) - 2))
                                  : arena_dup(call->arena, bp_str_of(text));
    }
    if (!texts)
        return call_fail(call, BP_NO_MEMORY, "the memory allowed for this call is used up");
    *addresses = texts;
    *count = found.count;
    return BP_OK;
}
