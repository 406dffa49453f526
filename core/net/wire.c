/* wire.c - a wire without TLS: libuv's stream over a socket. */
#include "net/wire.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- the beginning and the end ---- */

static int open_socket(struct wire *wire, uv_loop_t *loop, int fd, bool is_unix)
{
    int failed;

    if (is_unix) {
        failed = uv_pipe_init(loop, &wire->socket.pipe, 0);
        return failed ? failed : uv_pipe_open(&wire->socket.pipe, fd);
    }
    failed = uv_tcp_init(loop, &wire->socket.tcp);
    return failed ? failed : uv_tcp_open(&wire->socket.tcp, fd);
}

bool wire_open(struct wire *wire, uv_loop_t *loop, int fd, bool is_unix,
               const struct wire_events *events, void *owner)
{
    int failed = open_socket(wire, loop, fd, is_unix);

    wire->events = events;
    wire->owner = owner;
    wire->socket.handle.data = wire;
    return failed == 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct wire *wire = handle->data;

    wire->events->closed(wire->owner);
}

void wire_close(struct wire *wire)
{
    wire->is_reading = false;
    wire->is_closing = true;
    uv_close(&wire->socket.handle, on_closed);
}

void wire_reset_on_close(struct wire *wire)
{
    struct linger off = { .l_onoff = 1, .l_linger = 0 };
    uv_os_fd_t    fd;

    if (uv_fileno(&wire->socket.handle, &fd) == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

bool wire_end(struct wire *wire)
{
    uv_os_fd_t fd;

    return uv_fileno(&wire->socket.handle, &fd) == 0 && shutdown(fd, SHUT_WR) == 0;
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct wire *wire = handle->data;
    char        *bytes;
    size_t       size;

    (void)suggested;
    wire->events->space(wire->owner, &bytes, &size);
    *buf = uv_buf_init(bytes, (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct wire *wire = stream->data;

    if (count > 0)
        wire->events->arrived(wire->owner, buf->base, (size_t)count);
    else if (count < 0)
        wire->events->ended(wire->owner, count != UV_EOF);
}

bool wire_read_start(struct wire *wire)
{
    if (!wire->is_reading)
        wire->is_reading = uv_read_start(&wire->socket.stream, on_alloc, on_read) == 0;
    return wire->is_reading;
}

void wire_read_stop(struct wire *wire)
{
    wire->is_reading = false;
    uv_read_stop(&wire->socket.stream);
}

bool wire_is_gone(struct wire *wire)
{
    struct pollfd look = { .events = POLLRDHUP };
    uv_os_fd_t    fd;

    if (uv_fileno(&wire->socket.handle, &fd) != 0)
        return false;
    look.fd = fd;
    return poll(&look, 1, 0) > 0;
}

/* ---- writing ---- */

struct queued_write {
    uv_write_t   request;
    struct wire *wire;
    char         bytes[];
};

size_t wire_queued_bytes(const struct wire *wire)
{
    return uv_stream_get_write_queue_size(&wire->socket.stream);
}

static void on_written(uv_write_t *request, int status)
{
    struct queued_write *write = (struct queued_write *)request;
    struct wire         *wire = write->wire;

    free(write);
    if (!wire->is_closing)
        wire->events->written(wire->owner, status < 0);
}

void wire_skip_empty(uv_buf_t **bufs, unsigned *count)
{
    while (*count && (*bufs)->len == 0) {
        (*bufs)++;
        (*count)--;
    }
}

/* Takes `len` bytes off the front, which are there; into `to`, unless that is NULL. */
static void take_off(uv_buf_t **bufs, unsigned *count, size_t len, char *to)
{
    for (wire_skip_empty(bufs, count); len; wire_skip_empty(bufs, count)) {
        size_t piece = (*bufs)->len < len ? (*bufs)->len : len;

        if (to) {
            memcpy(to, (*bufs)->base, piece);
            to += piece;
        }
        (*bufs)->base += piece;
        (*bufs)->len -= piece;
        len -= piece;
    }
}

bool wire_write_now(struct wire *wire, uv_buf_t **bufs, unsigned *count, size_t *sent)
{
    int written;

    *sent = 0;
    wire_skip_empty(bufs, count);
    if (*count == 0 || wire_queued_bytes(wire))
        return true;
    written = uv_try_write(&wire->socket.stream, *bufs, *count);
    if (written == UV_EAGAIN)
        return true;
    if (written < 0)
        return false;
    *sent = (size_t)written;
    take_off(bufs, count, *sent, NULL);
    return true;
}

bool wire_queue(struct wire *wire, uv_buf_t **bufs, unsigned *count, size_t max)
{
    struct queued_write *write;
    uv_buf_t             buf;
    size_t               len = 0;

    for (unsigned i = 0; i < *count; i++)
        len += (*bufs)[i].len;
    if (len > max)
        len = max;
    write = malloc(sizeof(*write) + len);
    if (!write)
        return false;
    write->wire = wire;
    buf = uv_buf_init(write->bytes, (unsigned)len);
    take_off(bufs, count, len, write->bytes);
    if (uv_write(&write->request, &wire->socket.stream, &buf, 1, on_written) == 0)
        return true;
    free(write);
    return false;
}
