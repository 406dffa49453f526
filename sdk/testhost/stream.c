/* stream.c - faked: connections. They are scripted, or real ones over blocking sockets. */
#include "host.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct bp_stream {
    bp_call              *call; /* NULL: kept, of no call */
    testhost             *host;
    struct stream_script *script; /* NULL: a real one */
    int                   fd;
};

static void free_script(void *item)
{
    struct stream_script *script = item;
    list_free(&script->pieces, free);
    free(script->address);
    free(script->written);
    free(script);
}

void stream_free(testhost *host)
{
    list_free(&host->scripts, free_script);
}

static struct stream_script *script_of(testhost *host, bp_str address)
{
    for (size_t i = 0; i < host->scripts.count; i++) {
        struct stream_script *script = host->scripts.items[i];
        if (bp_str_is(address, script->address))
            return script;
    }
    return NULL;
}

void testhost_stream_script(testhost *host, const char *address, bp_str piece)
{
    struct stream_script *script = script_of(host, bp_str_of(address));
    struct bytes         *bytes = malloc(sizeof(*bytes) + piece.len);

    if (!bytes)
        abort();
    if (!script) {
        script = calloc(1, sizeof(*script));
        if (!script)
            abort();
        script->address = copy_text(bp_str_of(address));
        list_add(&host->scripts, script);
    }
    bytes->len = piece.len;
    if (piece.len)
        memcpy(bytes->data, piece.data, piece.len);
    list_add(&script->pieces, bytes);
}

bp_str testhost_stream_written(testhost *host, const char *address)
{
    const struct stream_script *script = script_of(host, bp_str_of(address));
    return script ? bp_str_n(script->written, script->written_len) : BP_STR("");
}

/* ---- real connections ---- */

static int connect_unix(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&name, sizeof(name)) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        fd = -1;
    }
    return fd;
}

static int connect_tcp(const char *text)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    char            host[256];
    const char     *colon = strrchr(text, ':');
    int             fd = -1, reason = EINVAL;

    if (!colon || (size_t)(colon - text) >= sizeof(host)) {
        errno = EINVAL;
        return -1;
    }
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (host[0] == '[' && strlen(host) > 2) {
        memmove(host, host + 1, strlen(host));
        host[strlen(host) - 1] = '\0';
    }
    if (getaddrinfo(host[0] ? host : "127.0.0.1", colon + 1, &hints, &found) != 0) {
        errno = EHOSTUNREACH;
        return -1;
    }
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            reason = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    errno = reason;
    return fd;
}

static bp_status stream_connect(bp_call *call, bp_str address, int64_t deadline_ns, bp_stream **out)
{
    struct stream_script *script = script_of(call->host, address);
    struct bp_stream     *stream;
    int                   fd = -1;

    BP_TRY(call_check(call));
    if (deadline_ns <= clock_now_ns())
        return bp_fail(call, BP_DEADLINE, "no time is left to connect to " BP_FMT, BP_ARG(address));
    if (!script) {
        char *text = copy_text(address);
        fd = strncmp(text, "unix:", 5) == 0 ? connect_unix(text + 5) : connect_tcp(text);
        free(text);
        if (fd < 0) {
            int reason = errno;
            bp_fail(call, BP_UNAVAILABLE, "cannot connect to " BP_FMT ": %s", BP_ARG(address),
                    strerror(reason));
            bp_fail_detail(call, 0, reason, 0);
            return BP_UNAVAILABLE;
        }
    }
    stream = calloc(1, sizeof(*stream));
    if (!stream)
        abort();
    *stream = (struct bp_stream){ .call = call, .host = call->host, .script = script, .fd = fd };
    list_add(&call->streams, stream);
    atomic_fetch_add(&call->host->open.streams, 1);
    *out = stream;
    return BP_OK;
}

/* At most 20 s of real time, which a busy machine may need; then the virtual clock is put to the
 * deadline. */
static bp_status wait_real(bp_call *call, int fd, short events, int64_t deadline_ns)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };
    int64_t left_ns = (deadline_ns < bp_deadline_ns(call) ? deadline_ns : bp_deadline_ns(call)) -
                      clock_now_ns();

    if (left_ns > 0 &&
        poll(&poll_fd, 1, left_ns > BP_SECONDS(20) ? 20000 : (int)(left_ns / 1000000)) > 0)
        return BP_OK;
    if (left_ns > 0)
        clock_advance(left_ns);
    return bp_fail(call, BP_DEADLINE, "the other side did not answer in time");
}

static bp_status stream_read(bp_call *call, bp_stream *stream, void *bytes, size_t max,
                             int64_t deadline_ns, size_t *count)
{
    struct stream_script *script = stream->script;
    ssize_t               got;

    BP_TRY(call_check(call));
    *count = 0;
    if (script) {
        struct bytes *piece;
        if (script->next == script->pieces.count)
            return BP_OK;
        piece = script->pieces.items[script->next];
        *count = piece->len < max ? piece->len : max;
        memcpy(bytes, piece->data, *count);
        if (*count == piece->len) {
            script->next++;
        } else { /* what did not fit comes with the next read */
            piece->len -= *count;
            memmove(piece->data, piece->data + *count, piece->len);
        }
        return BP_OK;
    }
    BP_TRY(wait_real(call, stream->fd, POLLIN, deadline_ns));
    got = recv(stream->fd, bytes, max, 0);
    if (got < 0)
        return bp_fail(call, BP_UNAVAILABLE, "reading from the connection failed: %s",
                       strerror(errno));
    *count = (size_t)got;
    return BP_OK;
}

static bp_status stream_write(bp_call *call, bp_stream *stream, bp_str bytes, int64_t deadline_ns)
{
    struct stream_script *script = stream->script;

    BP_TRY(call_check(call));
    if (script) {
        script->written = realloc(script->written, script->written_len + bytes.len + 1);
        if (!script->written)
            abort();
        if (bytes.len)
            memcpy(script->written + script->written_len, bytes.data, bytes.len);
        script->written_len += bytes.len;
        script->written[script->written_len] = '\0';
        return BP_OK;
    }
    for (size_t at = 0; at < bytes.len;) {
        ssize_t sent;
        BP_TRY(wait_real(call, stream->fd, POLLOUT, deadline_ns));
        sent = send(stream->fd, bytes.data + at, bytes.len - at, MSG_NOSIGNAL);
        if (sent < 0)
            return bp_fail(call, BP_UNAVAILABLE, "writing to the connection failed: %s",
                           strerror(errno));
        at += (size_t)sent;
    }
    return BP_OK;
}

void stream_end(void *arg)
{
    struct bp_stream *stream = arg;
    if (stream->fd >= 0)
        close(stream->fd);
    atomic_fetch_sub(&stream->host->open.streams, 1);
    free(stream);
}

static void stream_close(bp_stream *stream)
{
    if (!stream)
        return;
    if (stream->call)
        list_remove(&stream->call->streams, stream);
    stream_end(stream);
}

/* ---- more than plain bytes of one call ---- */

static bp_status stream_start_tls(bp_call *call, bp_stream *stream, const bp_tls *tls,
                                  int64_t deadline_ns)
{
    (void)tls;
    (void)deadline_ns;
    if (!stream->script)
        return bp_fail(call, BP_UNSUPPORTED,
                       "the fake host speaks no TLS: test that with a server");
    return BP_OK; /* the script is of the data inside */
}

static bp_status stream_keep(bp_call *call, bp_stream *stream, bp_stream **kept)
{
    if (!stream->call)
        return bp_fail(call, BP_INVALID, "the connection is kept already");
    list_remove(&stream->call->streams, stream);
    stream->call = NULL;
    *kept = stream;
    return BP_OK;
}

static bp_status stream_resolve(bp_call *call, bp_str host, int64_t deadline_ns,
                                const bp_str **addresses, size_t *count)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    char           *name = copy_text(host);
    int             failed = getaddrinfo(name, NULL, &hints, &found);
    bp_str         *texts;

    (void)deadline_ns;
    free(name);
    *count = 0;
    if (failed)
        return bp_fail(call, BP_UNAVAILABLE, "the host \"" BP_FMT "\" has no address: %s",
                       BP_ARG(host), gai_strerror(failed));
    texts = BP_NEW_ARRAY(call, bp_str, 16);
    for (struct addrinfo *at = found; at && texts && *count < 16; at = at->ai_next) {
        char text[64];

        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
            0)
            texts[(*count)++] = bp_dup(call, bp_str_of(text));
    }
    freeaddrinfo(found);
    *addresses = texts;
    return texts ? BP_OK : BP_NO_MEMORY;
}

const bp_stream_service stream_service = {
    .struct_size = sizeof(bp_stream_service),
    .connect = stream_connect,
    .read = stream_read,
    .write = stream_write,
    .close = stream_close,
    .start_tls = stream_start_tls,
    .keep = stream_keep,
    .resolve = stream_resolve,
};
