/* http_told.h - a handler that does what the path says. What it is told when it asks for what
 * cannot be goes out as the body. */
#ifndef HTTP_TOLD_H
#define HTTP_TOLD_H

#include "http_rig.h"

static inline void say_status(struct bp_buf *out, struct http_exchange *exchange, const char *what,
                              bp_status status)
{
    buf_addf(out, "%s: %s", what, bp_status_label(status));
    if (status != BP_OK)
        buf_addf(out, ", " BP_FMT, BP_ARG(exchange->call->error.message));
    buf_add_char(out, '\n');
}

/* What cannot be a header, and what can; then what cannot be an answer. */
static inline void handle_wrong(struct http_exchange *is, struct bp_buf *out)
{
    static const char *const names[] = {
        "",           "a b",  "a:",         "a\t",        "content-length",
        "Connection", "DATE", "keep-alive", "Keep-alivf", "transfer-encoding"
    };
    char large[16384];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        say_status(out, is, names[i],
                   http_exchange_add_header(is, bp_str_of(names[i]), BP_STR("v")));
    say_status(out, is, "value", http_exchange_add_header(is, BP_STR("x"), BP_STR("a\nb")));
    memset(large, 'v', sizeof(large));
    // Those that stand already are 17 bytes with their line ends.
    say_status(out, is, "too large",
               http_exchange_add_header(is, BP_STR("x"), bp_str_n(large, 16384 - 15 - 4 - 1 + 1)));
    say_status(out, is, "send 199", http_exchange_send(is, 199, BP_STR(""), BP_STR("")));
    say_status(out, is, "send 600", http_exchange_send(is, 600, BP_STR(""), BP_STR("")));
    say_status(out, is, "type", http_exchange_send(is, 200, BP_STR("a\rb"), BP_STR("")));
    say_status(out, is, "error", http_exchange_send_error(is, 600, "c", BP_STR("m")));
    say_status(out, is, "begin", http_exchange_begin(is, 1, BP_STR(""), 1));
    say_status(out, is, "write", http_exchange_write(is, BP_STR("x")));
    say_status(out, is, "flush", http_exchange_flush(is));
    say_status(out, is, "event", http_exchange_sse(is, BP_STR("a\nb"), BP_STR(""), BP_STR("")));
    say_status(out, is, "id", http_exchange_sse(is, BP_STR(""), BP_STR("a\rb"), BP_STR("")));
    buf_addf(out, "status %d, %llu sent\n", is->status, (unsigned long long)is->sent_bytes);
}

/* A stream of 6 bytes, and what is told to one that has begun. */
static inline void handle_begun(struct http_exchange *is, struct bp_buf *out)
{
    say_status(out, is, "begin", http_exchange_begin(is, 201, BP_STR("a/b"), -1));
    buf_addf(out, "status %d\n", is->status);
    say_status(out, is, "header", http_exchange_add_header(is, BP_STR("x"), BP_STR("y")));
    say_status(out, is, "begin", http_exchange_begin(is, 200, BP_STR(""), -1));
    say_status(out, is, "send", http_exchange_send(is, 200, BP_STR(""), BP_STR("")));
    say_status(out, is, "error", http_exchange_send_error(is, 400, "c", BP_STR("m")));
    say_status(out, is, "flush", http_exchange_flush(is));
    say_status(out, is, "empty", http_exchange_write(is, BP_STR("")));
    say_status(out, is, "write", http_exchange_write(is, BP_STR("abc")));
    buf_addf(out, "%llu sent, %d\n", (unsigned long long)is->sent_bytes,
             http_exchange_is_event_stream(is));
    http_exchange_write(is, buf_str(out));
}

/* A stream of a length that is announced: more than that is refused, all of it is not. */
static inline void handle_counted(struct http_exchange *is)
{
    http_exchange_begin(is, 200, BP_STR(""), 6);
    if (http_exchange_write(is, BP_STR("abc")) != BP_OK ||
        http_exchange_write(is, BP_STR("defg")) != BP_INVALID ||
        !bp_str_is(is->call->error.message, "a stream announced with 6 bytes is given more") ||
        http_exchange_write(is, BP_STR("def")) != BP_OK ||
        http_exchange_write(is, BP_STR("g")) != BP_INVALID)
        http_exchange_abort(is);
}

static inline void handle_seen(struct http_exchange *is, struct bp_buf *out)
{
    buf_addf(out,
             BP_FMT "|" BP_FMT "|" BP_FMT "|" BP_FMT "|" BP_FMT "|%u|%lld|%lld|%d|" BP_FMT
                    "|" BP_FMT "|" BP_FMT,
             BP_ARG(is->method), BP_ARG(is->path), BP_ARG(is->query), BP_ARG(is->host),
             BP_ARG(is->peer), is->listener, (long long)is->content_length,
             (long long)is->max_body_bytes, is->status, BP_ARG(http_exchange_header(is, "x")),
             BP_ARG(http_exchange_header(is, "y")), BP_ARG(http_exchange_header(is, "host")));
}

/* Piece by piece, and at its end once more. */
static inline void handle_body(struct http_exchange *is, struct bp_buf *out)
{
    bp_str    piece;
    bp_status status;

    is->max_body_bytes = 8;
    while ((status = http_exchange_read(is, &piece)) == BP_OK && piece.len)
        buf_addf(out, "[" BP_FMT "]", BP_ARG(piece));
    if (status != BP_OK && piece.len)
        buf_addf(out, "left: " BP_FMT, BP_ARG(piece));
    say_status(out, is, "end", http_exchange_read(is, &piece));
    buf_addf(out, "%llu", (unsigned long long)is->received_bytes);
}

static inline void handle_all(struct http_exchange *is, struct bp_buf *out)
{
    bp_str    body;
    bp_status status;

    is->max_body_bytes = 8;
    status = http_exchange_read_all(is, &body);
    say_status(out, is, "all", status);
    buf_addf(out, "(" BP_FMT ") %llu", BP_ARG(body), (unsigned long long)is->received_bytes);
}

static inline void handle_events(struct http_exchange *is)
{
    static const char *const data[] = {
        "",     "a",     "\n",       "\r",          "\r\n",   "a\n",
        "a\r",  "a\r\n", "a\nb",     "a\rb",        "a\r\nb", "\n\n",
        "\r\r", "\n\r",  "\r\n\r\n", "a\r\rb\n\nc", "\na",    "a\r\nb\nc\rd\r\n"
    };

    http_exchange_sse(is, BP_STR("n"), BP_STR("i"), BP_STR("d"));
    http_exchange_sse(is, BP_STR("n"), BP_STR(""), BP_STR("d"));
    http_exchange_sse(is, BP_STR(""), BP_STR("i"), BP_STR("d"));
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
        http_exchange_sse(is, BP_STR(""), BP_STR(""), bp_str_of(data[i]));
}

/* A header that fills the room for headers to its last byte, and one byte more; before a whole
 * answer or a stream. */
static inline void handle_full(struct http_exchange *is)
{
    char large[16384];

    memset(large, 'v', sizeof(large));
    if (http_exchange_add_header(is, BP_STR("x"), bp_str_n(large, sizeof(large) - 5)) != BP_OK ||
        http_exchange_add_header(is, BP_STR("y"), BP_STR("")) != BP_TOO_LARGE)
        return;
    if (is->query.len)
        http_exchange_begin(is, 200, BP_STR("a/b"), 0);
    else
        http_exchange_send(is, 200, BP_STR("a/b"), BP_STR(""));
}

static inline void handle_untyped(struct http_exchange *is)
{
    http_exchange_add_header(is, BP_STR("X-One"), BP_STR("1"));
    http_exchange_add_header(is, BP_STR("X-Two"), BP_STR(""));
    http_exchange_send(is, 200, BP_STR(""), BP_STR(""));
}

/* What answers by itself: its status is the query. */
static inline bool is_answered(struct http_exchange *is)
{
    int32_t number = is->query.len ? atoi(is->query.data) : 200;

    if (bp_str_is(is->path, "/send"))
        http_exchange_send(is, number, BP_STR("a/b"), BP_STR("body"));
    else if (bp_str_is(is->path, "/error"))
        http_exchange_send_error(is, number, "code", BP_STR("say \"so\""));
    else if (bp_str_is(is->path, "/empty-stream"))
        http_exchange_begin(is, number, BP_STR(""), -1);
    else if (bp_str_is(is->path, "/untyped"))
        handle_untyped(is);
    else if (bp_str_is(is->path, "/full"))
        handle_full(is);
    else if (bp_str_is(is->path, "/counted"))
        handle_counted(is);
    else if (bp_str_is(is->path, "/events"))
        handle_events(is);
    else
        return bp_str_is(is->path, "/none");
    return true;
}

static inline void serve_told(struct http_exchange *is, void *arg)
{
    struct bp_buf out;

    (void)arg;
    if (is_answered(is))
        return;
    buf_init(&out, is->call->arena, 1 << 20);
    if (bp_str_is(is->path, "/begun")) {
        handle_begun(is, &out);
        return;
    }
    if (bp_str_is(is->path, "/wrong"))
        handle_wrong(is, &out);
    else if (bp_str_is(is->path, "/body"))
        handle_body(is, &out);
    else if (bp_str_is(is->path, "/all"))
        handle_all(is, &out);
    else
        handle_seen(is, &out);
    http_exchange_send(is, 200, BP_STR(""), buf_str(&out));
}

#endif
