/* connection.h - what the files of the HTTP server share: the edge, a worker's server, a
 * connection, an exchange.
 *
 * Who owns what: the edge lives for the process; a server until its drain ends; a connection until
 * its handle is closed and its handler has returned; an exchange from the first byte of a request
 * to the end of its answer. All but the edge is touched by one worker's thread only.
 *
 *      accept -> IDLE -> HEAD -> HANDLING -> IDLE ...        a request, an answer, the next
 *                          \         \
 *                           +---------+-> CLOSING -> LINGER -> closed
 *                          refused       answer is      what the client still sends is thrown away,
 * as going out      closing at once would reset the answer away
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "base/buf.h"
#include "base/metrics.h"
#include "base/queue.h"
#include "net/deadline.h"
#include "net/http_server.h"
#include "net/input.h"
#include "net/peer_count.h"
#include "net/spool.h"
#include "net/wire.h"

enum {
    READ_BUFFER_BYTES = 64 << 10, /* one a worker: an idle connection has no buffer of its own */
    INLINE_HEAD_BYTES = 1024,     /* most heads fit; longer ones are on the heap */
    HEADER_ROOM_BYTES = 512,      /* of an answer, before the heap is used */
    ANSWER_HEADERS_MAX_BYTES = 16 << 10,
    QUEUE_LOW_BYTES = HTTP_QUEUE_MAX_BYTES / 2,
    SSE_EVENT_MAX_BYTES = 8 << 20,
    SPARE_EXCHANGES = 64,
    FD_RESERVE = 32,
    TICK_MS = 250,
    LINGER_MS = 2000,
    PAUSE_MS = 500,
    REQUESTS_IN_A_ROW = 64,       /* of one connection, before others have their turn */
    WRITE_PIECE_BYTES = 64 << 10, /* of one queued write at most, so that progress is seen */
    HOLD_BYTES = 16 << 10,        /* events that wait for the end of a turn of the loop */
};

/* Counters, found once a process. */
struct edge_metrics {
    struct metric_series *connections, *accepted, *requests, *received, *sent;
    struct metric_series *refused_connections[4]; /* enum refusal_reason */
    struct metric_series *timeouts[5];            /* enum timeout_class */
    struct metric_family *refused_requests;       /* by status */
};

enum refusal_reason { REFUSED_TOTAL, REFUSED_ADDRESS, REFUSED_DESCRIPTORS, REFUSED_MEMORY };
enum timeout_class { TIMEOUT_HEADER, TIMEOUT_BODY, TIMEOUT_IDLE, TIMEOUT_WRITE, TIMEOUT_ANSWER };

struct edge_listener {
    char     address[128];
    uint16_t port;
    bool     is_unix;
    bool     is_taken; /* a server watches it, or did */
    int     *fds;      /* one a worker; -1 once a server has taken it over */
};

struct http_edge {
    struct http_edge_options options;
    struct log              *log;
    struct edge_listener    *listeners;
    size_t                   listener_count;
    _Atomic uint32_t         connections;
    struct peer_count        peers;
    struct spool_room        room;
    struct edge_metrics      metrics;
};

struct worker_listener {
    uv_poll_t           poll;
    struct http_server *server;
    uint32_t            index;
    int                 fd;
    bool                is_open, is_paused;
};

struct connection;

struct http_server {
    struct http_edge *edge;
    struct worker    *worker;
    http_handler      handler;
    void             *arg;
    void (*refused)(const struct http_refusal *refusal, void *arg);
    void                   *refused_arg;
    struct worker_listener *listeners;
    uint32_t                open_handles; /* listeners, tick, later */
    int                reserve_fd; /* given up for a moment to answer when no descriptor is left */
    uv_timer_t         tick;
    uv_idle_t          later;
    uv_prepare_t       turn;        /* the end of a turn of the loop */
    struct connection *held_first;  /* connections with something held back until then */
    uint64_t           write_calls; /* to the kernel or to its queue */
    struct connection *later_first; /* connections that go on from the loop after their handler
                                       ended on its fiber */
    struct queue         connections;
    _Atomic uint32_t     connection_count;
    struct deadline_list header_deadlines, body_deadlines, idle_deadlines, write_deadlines,
        rate_deadlines, linger_deadlines, beat_deadlines, pause_deadlines;
    struct exchange *spares;
    uint32_t         spare_count;
    bool             is_draining, is_cancelled;
    int64_t          drain_deadline_ns;
    void (*drained)(void *arg);
    void   *drained_arg;
    int64_t date_s;
    char    date[32]; /* "Sun, 22 Nov 2026 02:05:43 GMT" */
    char    read_buffer[READ_BUFFER_BYTES];
};

enum connection_state {
    CONNECTION_IDLE,
    CONNECTION_HEAD,
    CONNECTION_HANDLING,
    CONNECTION_CLOSING,
    CONNECTION_LINGER
};

struct connection {
    struct wire         wire;
    struct http_server *server;
    struct queue_link   link; /* among the server's */
    struct connection  *later_next;
    struct exchange    *exchange; /* while a request is being received or answered */
    struct input        input;
    struct deadline     read_deadline; /* header, body, idle or linger */
    struct deadline     write_deadline;
    struct deadline     rate_deadline; /* while something waits for the client to take it */
    struct deadline pause_deadline; /* while it is not read, whether the client is gone is looked up
                                       now and then */
    size_t              write_left; /* in the queue when progress was last seen */
    struct connection  *held_next;
    struct bp_buf       held;        /* events of this turn, which go out together */
    size_t              rate_queued; /* what there was to take since rate_deadline was set */
    uint32_t            requests;
    uint32_t            listener;
    uint8_t             state;      /* enum connection_state */
    bool                is_gone;    /* the handle is closing or closed */
    bool                is_closed;  /* libuv is done with the handle */
    bool                is_holding; /* in the server's list */
    bool                is_starting, is_later, is_unix, lingers;
    struct peer_address peer;
};

enum exchange_answer { ANSWER_NONE, ANSWER_STREAMING, ANSWER_DONE };

struct exchange {
    struct http_exchange is; /* what the handler sees; first, so that one is the other */
    struct connection   *connection;
    struct exchange     *next_spare;
    struct http1_request request;
    struct http1_body    body;
    struct input         block;           /* of the body, being decoded; pieces point into it */
    bp_call             *reader, *writer; /* who waits */
    struct bp_buf        scratch;         /* events being put together */
    struct deadline      beat_deadline;
    int64_t              body_waited_ms; /* for the client */
    int64_t              length;         /* of a stream; -1: chunked */
    int32_t              fault;          /* 413, 408 or 400: the body will not come */
    const char          *fault_why;
    uint8_t              answer; /* enum exchange_answer */
    bool is_body_done, is_aborted, closes, is_bodiless, is_chunked, is_events, is_continue_sent,
        is_writing, is_left, is_apart, is_read_whole;
    char         *head;    /* of the request: inline_head or the heap */
    char         *path;    /* normal form, when it differs */
    struct spool  kept;    /* counts what the handler keeps of the body; `room` NULL: nothing */
    struct bp_buf headers; /* lines the handler added */
    char         *pending; /* head of the answer that has not gone out yet, on the heap */
    size_t        pending_len;
    char          peer_text[64];
    char          inline_head[INLINE_HEAD_BYTES];
};

/* ---- connection.c ---- */
void connection_accept(struct http_server *server, int fd, const struct sockaddr *peer,
                       uint32_t listener);
/* Cuts it; the handler, if one runs, is cancelled. */
void connection_cut(struct connection *connection);
/* Answers with an error of the server's own and closes. Not while a handler runs. */
void connection_refuse(struct connection *connection, int status, const char *why);
/* The handler has returned and the answer is out or queued. */
void connection_end_exchange(struct connection *connection);
/* Goes on with the pipelined requests, from the loop. */
void connection_run_later(struct connection *connection);
/* What it held back in this turn goes out. */
void connection_turn_over(struct connection *connection);
void connection_resume_reading(struct connection *connection);
void connection_read_due(struct connection *connection); /* its read deadline has passed */
/* Idle, and the server is being drained: its queued bytes go out, then it is closed. */
void connection_drain(struct connection *connection);
void connection_pause_due(struct connection *connection);
/* All that was queued is out, and the connection is CONNECTION_CLOSING. */
void connection_close_when_sent(struct connection *connection);
/* Closes with RST: the client does not take what there is for it, so it is not to wait in the
 * kernel either. */
void connection_reset(struct connection *connection);

/* ---- connection_write.c ---- */
/* Sends or queues everything; suspends while the queue is full, or never when `call` is NULL.
 * BP_CANCELLED when the client is gone; another status when the wait was over early, and then a
 * part may have gone out. */
bp_status connection_write(struct connection *connection, bp_call *call, uv_buf_t *bufs,
                           unsigned count);
/* The same, but a little goes out at the end of this turn of the loop, with all that is queued by
 * then. */
bp_status connection_write_soon(struct connection *connection, bp_call *call, uv_buf_t *bufs,
                                unsigned count);
/* Of the wire: something that was queued has gone out, or cannot. */
void connection_written(void *owner, bool is_broken);
/* Sends the bytes held back, without waiting. */
void connection_send_held(struct connection *connection);
void connection_write_due(struct connection *connection); /* its write deadline has passed */
void connection_rate_due(
    struct connection *connection); /* the client has had its time to take what waits */

/* ---- exchange.c ---- */
struct exchange *exchange_take(struct http_server *server, struct connection *connection);
void             exchange_release(struct http_server *server, struct exchange *exchange);
/* The head is complete: fills in what the handler sees. False: no memory, or a path that is not
 * UTF-8 (then *status and *why say so). */
/* "192.0.2.1", "2001:db8::1" or "unix", in `text` or static. */
bp_str connection_peer_text(const struct connection *connection, char text[64]);
bool   exchange_prepare(struct exchange *exchange, const char *head, int *status, const char **why);
void   exchange_run(bp_call *call, void *arg);
void   exchange_body_due(struct exchange *exchange);
bp_status exchange_fail_fault(struct exchange *exchange);
/* Around waits for the client: who handles the request is told. The end may suspend. */
void exchange_step_out(struct exchange *exchange);
void exchange_step_in(struct exchange *exchange) BP_SUSPENDS;

/* ---- answer.c ---- */
/* The handler has returned: writes the rest of the answer. */
void answer_finish(struct exchange *exchange);
void answer_beat(struct exchange *exchange);
void exchange_skip_body(struct exchange *exchange);

/* ---- response.c ---- */
/* An answer of the server's own, head and body, into `out`; returns the length. */
size_t response_own_error(struct http_server *server, int status, const char *why, bool is_head,
                          char *out, size_t out_size);
/* For connections that are turned away. Static. */
bp_str response_overload(void);
/* The head of an answer, into `room` or, when that is too small, onto the heap: then out->data is
 * not `room`. Decides on chunks and on closing. */
bp_status   response_write_head(struct exchange *exchange, int32_t status, bp_str content_type,
                                int64_t length, char room[HEADER_ROOM_BYTES], struct bp_buf *out);
void        response_error_body(struct bp_buf *out, const char *code, bp_str message);
const char *response_error_code(int32_t status);

/* ---- http_server.c ---- */
/* connection_run_later() in the next turn of the loop: a handler that was suspended ends on its
 * fiber, where the next one cannot begin. */
void     server_run_later(struct http_server *server, struct connection *connection);
void     server_refusal(struct http_server *server, int status); /* counts it */
void     server_timeout(struct http_server *server, enum timeout_class class);
void     server_connection_ended(struct http_server *server);
uint64_t server_now_ms(const struct http_server *server);

/* ---- listener.c ---- */
bool listener_start_all(struct http_server *server);
void listener_stop_all(struct http_server *server);
void listener_resume_paused(struct http_server *server);
int  listener_open_reserve(void);
void server_handle_closed(uv_handle_t *handle); /* handle->data is the server */

#endif
