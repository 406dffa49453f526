/* http_transfer.h - private to the HTTP client: one request under way, and the worker's libcurl
 * handle.
 *
 * libcurl runs only below client_enter() and client_leave(): its callbacks never run a fiber, as
 * that could call libcurl again from within. They note whom to wake, and client_leave() does it.
 */
#ifndef NET_HTTP_TRANSFER_H
#define NET_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "base/buf.h"
#include "base/queue.h"
#include "net/http_client.h"

enum { HTTP_CLIENT_SPARE_MAX = 16 };

struct http_client {
    struct worker *worker;
    CURLM         *multi;
    uv_timer_t     timer;
    uint32_t       depth;   /* of client_enter() */
    uv_idle_t      soon;    /* what libcurl wants to do at once */
    int64_t        turn_ns; /* when the outermost one was */
    uint32_t       transfer_count;
    struct queue   waking; /* transfers with news for their waiter, newest first */
    CURL          *spare[HTTP_CLIENT_SPARE_MAX]; /* easy handles for the next requests */
    uint32_t       spare_count;
};

/* Where a request goes, once its URL was looked at. */
struct http_target {
    bp_str   url;   /* NUL-terminated */
    bp_str   shown; /* without credentials and query: for sentences */
    bp_str   host;  /* without brackets */
    uint16_t port;
    bool     is_https;
};

struct http_transfer {
    struct http_client *client;
    bp_call            *waiter; /* NULL: nobody waits */
    CURL               *easy;
    struct curl_slist  *headers, *resolve;
    char               *shown; /* the URL for sentences */
    struct bp_buf       head;  /* "name: value\r\n" lines of the last header block */
    struct bp_buf       body;  /* what came and was not taken yet */
    struct bp_buf       taken; /* a stream's last piece, in the reader's hands */
    int32_t             status;
    CURLcode            code;
    long                os_errno;
    bp_status           refusal; /* why a callback ended it; BP_OK: none did */
    const char         *refusal_text;
    size_t              max_bytes, decoded_bytes;
    int64_t             started_ns, last_piece_ns, deadline_ns;
    int64_t             connection_ns; /* when it had a connection; 0: it waits for one */
    int64_t             connect_timeout_ns, first_byte_timeout_ns, idle_timeout_ns;
    struct queue_link   waking; /* in the client's */
    bool                is_added, is_stream, is_head_done, is_done, is_paused, is_encoded;
    char                detail[CURL_ERROR_SIZE];
};

/* ---- http_client.c ---- */

struct http_client *client_of(bp_call *call); /* NULL, with the error set, when there is none */
void                client_enter(struct http_client *client);
void                client_leave(struct http_client *client);
/* libcurl reads for as long as there are bytes: a callback that finds this pauses the transfer, for
 * others to go on. */
bool client_had_its_turn(const struct http_client *client);
void client_wake_later(struct http_transfer *transfer);
void client_forget(struct http_transfer *transfer); /* it is not to be woken any more */

/* ---- http_transfer.c ---- */

/* Starts the request; its name is resolved first. `request` is borrowed until the transfer is done,
 * but the body of a stream is copied. */
bp_status http_transfer_start(bp_call *call, const bp_http_request *request,
                              const struct http_target *target, bool is_stream,
                              struct http_transfer **transfer) BP_SUSPENDS;
void      http_transfer_finish(struct http_transfer *transfer,
                               CURLcode              code);           /* libcurl is done with it */
void http_transfer_free(struct http_transfer *transfer); /* ends it if need be; NULL is allowed */

enum http_transfer_event { HTTP_TRANSFER_HEAD, HTTP_TRANSFER_PIECE, HTTP_TRANSFER_END };
/* Waits until it has come so far, or is done. BP_OK, or why not, with the sentence. */
bp_status http_transfer_wait(bp_call *call, struct http_transfer *transfer,
                             enum http_transfer_event event) BP_SUSPENDS;
/* A paused sender goes on. */
void http_transfer_unpause(struct http_transfer *transfer);

#endif
