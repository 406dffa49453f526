/* http_server.h - the HTTP/1.1 edge: listening sockets, connections, and exchanges handled on
 * fibers.
 *
 *      http_edge    one a process: sockets, limits, what all workers count together
 *      http_server  one a worker: its share of the connections
 *      connection   private: keep-alive, pipelining, timeouts, back-pressure
 *      http_exchange  one request and its answer: what a handler sees
 *
 * A handler runs on a fiber as soon as the header block is complete. It reads the body piece by
 * piece, while the socket is read no faster than it reads; it sends one whole answer, or a stream
 * that suspends while the client is slow. A client that goes away cancels the call at once. A
 * mistake of framing is answered here and never reaches a handler.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/log.h"
#include "base/reason.h"
#include "loop/call.h"
#include "loop/pool.h"
#include "loop/worker.h"
#include "net/http1.h"

struct http_edge;
struct http_server;

/* ---- one a process ---- */

struct http_edge_options {
    const bp_str
            *addresses; /* "127.0.0.1:8000", "[::1]:8000", ":8000", "host:0", "unix:/run/x.sock" */
    size_t   address_count;
    uint32_t workers;
    struct http1_limits limits;
    int64_t             max_body_bytes; /* of an exchange when its handler sets no other */
    int64_t max_client_bodies_bytes; /* of one client's bodies while they come in: 429; one body may
                                        always */
    int64_t  max_all_bodies_bytes;   /* of everybody's: 503; one body may always */
    uint32_t max_connections;        /* at most what RLIMIT_NOFILE leaves */
    uint32_t max_connections_per_address; /* 0: no limit; unix sockets have none */
    uint32_t max_requests;                /* on one connection */
    int64_t  header_timeout_ns;           /* absolute, to the end of the header block: 408 */
    int64_t  body_timeout_ns;             /* between two pieces of a body: 408 */
    int64_t  body_grace_ns;        /* after it the average must reach body_min_bytes_per_s: 408 */
    int64_t  body_min_bytes_per_s; /* counted while a handler waits for the client only */
    int64_t  answer_grace_ns; /* of this time, again and again while something waits for the client
                                 ... */
    int64_t
        answer_min_bytes_per_s; /* ... it must take so much on average: reset; 0: no such rule */
    int64_t idle_timeout_ns;    /* between two requests */
    int64_t write_timeout_ns;   /* without progress: reset */
    int64_t call_timeout_ns;    /* the first deadline of a call; the handler may set another */
    int64_t heartbeat_ns;       /* silence of an SSE stream before a comment is sent */
};

/* 100 headers, 8 KiB, 32 KiB; 32 MiB; 256 MiB; 1 GiB; 18,000; 256; 10,000; 10 s; 30 s; 10 s; 1
 * KiB/s; 30 s; 1 KiB/s; 75 s; 30 s; 5 min; 15 s */
extern const struct http_edge_options http_edge_defaults;

/* Binds every address, once for each worker (SO_REUSEPORT), so that a supervisor can do it before
 * it forks. On failure NULL with the reason. Strings of `options` are copied. */
struct http_edge *http_edge_open(const struct http_edge_options *options, struct log *log,
                                 struct reason *why);
/* Closes what no server uses any more and unlinks unix sockets; all servers must have ended. */
void http_edge_close(struct http_edge *edge);

size_t http_edge_listener_count(const struct http_edge *edge);
/* With the port that the kernel chose: "127.0.0.1:41233"; "unix:/run/x.sock". */
bp_str http_edge_listener_address(const struct http_edge *edge, size_t index);
/* 0 for a unix socket. */
uint16_t http_edge_listener_port(const struct http_edge *edge, size_t index);
uint32_t
http_edge_connections(const struct http_edge *edge); /* open now, of all workers; any thread */

/* ---- one a worker ---- */

struct http_exchange;
typedef void (*http_handler)(struct http_exchange *exchange,
                             void                 *arg); /* on a fiber; may suspend */

/* On the worker's thread, or before it runs. NULL when there is no memory or the loop cannot watch
 * the sockets. */
struct http_server *http_server_start(struct http_edge *edge, struct worker *worker,
                                      http_handler handler, void *arg);
/* Requests refused before they reached the handler: a head that is wrong, or did not come in time.
 * `method` and `path` are empty where the request line was not understood; strings live until the
 * function returns. */
struct http_refusal {
    struct log *log;
    int32_t     status;
    const char *why;
    bp_str      method, path, peer;
};
void http_server_on_refusal(struct http_server *server,
                            void (*refused)(const struct http_refusal *refusal, void *arg),
                            void *arg);
/* On the worker: accepts no more, closes idle connections, lets requests under way end with
 * Connection: close; at `deadline_ns` (monotonic) cancels the rest and cuts it
 * `HTTP_CUT_AFTER_S` later. Then frees the server and calls done(arg). */
void http_server_drain(struct http_server *server, int64_t deadline_ns, void (*done)(void *arg),
                       void *arg);
uint32_t
http_server_connections(const struct http_server *server); /* any thread, until the drain ends */

/* ---- one request and its answer ---- */

enum { HTTP_CUT_AFTER_S = 5, HTTP_QUEUE_MAX_BYTES = 256 << 10, HTTP_INPUT_MAX_BYTES = 64 << 10 };

/* Strings live until the handler returns. */
struct http_exchange {
    bp_call                    *call;
    const struct http1_request *request;
    const char                 *head; /* the bytes that the request's slices are of */
    bp_str                      method;
    bp_str                      path;           /* in the normal form of url.h; "*" for OPTIONS * */
    bp_str                      query;          /* undecoded, without '?' */
    bp_str                      host;           /* with the port, as sent */
    bp_str                      peer;           /* "192.0.2.1", "2001:db8::1"; "unix" */
    uint32_t                    listener;       /* number of the address that it came in by */
    int64_t                     content_length; /* -1: chunked; 0: no body */
    int64_t                     max_body_bytes; /* to be set before the first read */
    int32_t                     status;         /* of the answer, once it has begun; else 0 */
    uint64_t                    received_bytes, sent_bytes; /* of bodies, decoded */
    void                       *user;                       /* the handler's own */
    void (*on_client_wait)(struct http_exchange *exchange,
                           bool begins) BP_SUSPENDS; /* set by the handler, NULL: around
waits for the client, to read or to send; may suspend when one ends */
    struct bp_pool *pool; /* set by the handler: for the file that a long body waits in; NULL: it
                             waits in memory */
    bool outlives_client; /* to be set by the handler: it goes on when the client is gone, and asks
                             http_exchange_is_gone() before it writes */
};

/* The values of all headers of that name (in lower case), joined by ", " in the call's arena when
 * there are several; empty when there is none. */
bp_str http_exchange_header(struct http_exchange *exchange, const char *lower_name);

/* The next piece of the body, valid until the next read; empty at its end. A client that waits for
 * it is told 100 Continue first. BP_TOO_LARGE (over max_body_bytes), BP_DEADLINE (the client is too
 * slow), BP_INVALID (bad chunks), BP_CANCELLED. After the first three whatever answer the handler
 * sends is replaced by 413, 408 or 400 and the connection is closed. */
bp_status http_exchange_read(struct http_exchange *exchange, bp_str *piece) BP_SUSPENDS;
/* Counts bytes of the body that the handler keeps until the end of the exchange with the bodies
 * that come in, of its client and of all. BP_LIMIT, BP_UNAVAILABLE: they are not to be kept. */
bp_status http_exchange_keep(struct http_exchange *exchange, size_t bytes);
/* The whole body, in the call's arena, NUL-terminated. While its client is waited for, more than
 * 256 KiB of it are in an unlinked file. The same statuses, BP_NO_MEMORY, and BP_UNAVAILABLE when
 * there is no room for the file. */
bp_status http_exchange_read_all(struct http_exchange *exchange, bp_str *body) BP_SUSPENDS;
/* The same into an arena that the caller may give back before the call ends. */
bp_status http_exchange_read_all_into(struct http_exchange *exchange, struct arena *arena,
                                      bp_str *body) BP_SUSPENDS;

/* Adds a header to the answer. BP_INVALID for a name that is no token, a value with a control byte,
 * or one of those that frame the message (Content-Length, Transfer-Encoding, Connection, Date);
 * BP_CONFLICT when the answer has begun; BP_TOO_LARGE above 16 KiB of headers. */
bp_status http_exchange_add_header(struct http_exchange *exchange, bp_str name, bp_str value);

/* The whole answer. `content_type` empty: none. BP_CONFLICT when one has begun. */
bp_status http_exchange_send(struct http_exchange *exchange, int32_t status, bp_str content_type,
                             bp_str body) BP_SUSPENDS;
/* {"error":{"code":...,"message":...}}; the message is escaped. */
bp_status http_exchange_send_error(struct http_exchange *exchange, int32_t status, const char *code,
                                   bp_str message) BP_SUSPENDS;

/* Begins a stream: of `length` bytes, or of any number when it is -1. The head goes out with the
 * first piece, or by http_exchange_flush(). The handler's return ends the stream; a stream of given
 * length that is not complete then has its connection cut. */
bp_status http_exchange_begin(struct http_exchange *exchange, int32_t status, bp_str content_type,
                              int64_t length);
/* Suspends while more than HTTP_QUEUE_MAX_BYTES wait for the client. BP_CANCELLED when it is gone.
 */
bp_status http_exchange_write(struct http_exchange *exchange, bp_str bytes) BP_SUSPENDS;
bp_status http_exchange_flush(struct http_exchange *exchange) BP_SUSPENDS;
/* Ends the connection when the handler returns, without an end of the stream, so that a client
 * never takes a part for the whole. Bytes written before go out. */
void http_exchange_abort(struct http_exchange *exchange);

/* One server-sent event; begins the stream when there is none: status 200, text/event-stream, not
 * cached, not buffered by proxies. `event` and `id` may be empty. From then on comments are sent in
 * silence. BP_INVALID for an event or id with a line end. */
bp_status http_exchange_sse(struct http_exchange *exchange, bp_str event, bp_str id,
                            bp_str data) BP_SUSPENDS;
/* Begins the stream without an event, and sends its head at once. */
bp_status http_exchange_sse_begin(struct http_exchange *exchange) BP_SUSPENDS;

/* Ends the answer now and closes the connection, while the handler goes on. Needs outlives_client;
 * nothing can be sent afterwards. */
void http_exchange_leave(struct http_exchange *exchange) BP_SUSPENDS;

/* True from the first event, or http_exchange_sse_begin(). */
bool http_exchange_is_event_stream(const struct http_exchange *exchange);
/* True when the client is gone or the server has given up on it: nothing sent arrives any more. */
bool http_exchange_is_gone(const struct http_exchange *exchange);

/* "Not Found" for 404; "Unknown" for what RFC 9110 does not know. */
const char *http_status_text(int32_t status);

#endif
