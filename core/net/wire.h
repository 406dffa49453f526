/* wire.h - the bytes of one client connection: read as they come, written at once or queued.
 *
 * Below it is libuv's stream; above it nobody knows of sockets, so that a wire with TLS is another
 * file with the same functions and the server does not change. The bytes are copied and queued, and
 * the owner's memory is its own again. The events come from the loop of the worker that opened the
 * wire, never from within a function of this file.
 */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <uv.h>

#include <backplane/base.h>

struct wire_events {
    /* Where the next bytes go; they are looked at in `arrived` at once. */
    void (*space)(void *owner, char **bytes, size_t *size);
    void (*arrived)(void *owner, const char *bytes, size_t count); /* never 0 */
    /* No more will come: the client has ended its side, or the connection broke. */
    void (*ended)(void *owner, bool is_broken);
    /* Something that was queued has gone out, or cannot. Not after wire_close(). */
    void (*written)(void *owner, bool is_broken);
    /* After wire_close(): the wire is done with its memory. */
    void (*closed)(void *owner);
};

struct wire {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t    tcp;
        uv_pipe_t   pipe;
    } socket;
    const struct wire_events *events;
    void                     *owner;
    bool                      is_reading, is_closing;
};

/* Takes the descriptor over. False: it stays the caller's to close, and wire_close() is due all the
 * same. `events` is static. */
bool wire_open(struct wire *wire, uv_loop_t *loop, int fd, bool is_unix,
               const struct wire_events *events, void *owner);
/* Once; closed() comes later. Queued bytes are lost. */
void wire_close(struct wire *wire);
/* The close to come tells the client by a reset that something is missing. */
void wire_reset_on_close(struct wire *wire);
/* Tells the client that no more is sent. False: it cannot be told. When nothing is queued. */
bool wire_end(struct wire *wire);

bool wire_read_start(struct wire *wire); /* false: it cannot be read any longer */
void wire_read_stop(struct wire *wire);
/* Whether the client is gone, without reading: for a wire that is not being read. */
bool wire_is_gone(struct wire *wire);

size_t wire_queued_bytes(const struct wire *wire);
/* Writes what the socket takes, when nothing is queued, and takes it off the front of the buffers;
 * *sent: how much. False: the connection broke. */
bool wire_write_now(struct wire *wire, uv_buf_t **bufs, unsigned *count, size_t *sent);
/* Queues up to `max` bytes and takes them off the front of the buffers. False: no memory, or the
 * connection broke. */
bool wire_queue(struct wire *wire, uv_buf_t **bufs, unsigned *count, size_t max);

/* Leaves out buffers that are empty. */
void wire_skip_empty(uv_buf_t **bufs, unsigned *count);

#endif
