/* http1.h - reads HTTP/1.1 requests strictly, by RFC 9112, from bytes that come in pieces of any
 * size.
 *
 * Two readers, neither of which allocates or copies:
 *
 *      bytes:  GET /a HTTP/1.1 CRLF Host: x CRLF CRLF | 5 CRLF hello CRLF 0 CRLF CRLF | GET ...
 *              \__ http1_request_parse(): the head _/   \__ http1_body_decode() ____/   next
 * request
 *
 * The head must lie in one buffer, which may grow (and move) between two calls: the result is
 * offsets. The body is decoded from whatever piece is at hand; its bytes come back as slices of
 * that piece. Every decision is a function of the bytes up to a fixed position, so that any split
 * of the input gives the same result. A refusal is final: what follows on that connection has no
 * meaning any more.
 */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include <backplane/base.h>

enum { HTTP1_MAX_HEADERS = 100 };

/* Lengths are of lines without their CRLF; the block is all header lines with it. */
struct http1_limits {
    uint32_t request_line_bytes; /* 414 */
    uint32_t header_line_bytes;  /* 431, like the two below; trailers count as headers */
    uint32_t header_block_bytes;
    uint32_t header_count;           /* at most HTTP1_MAX_HEADERS */
    uint32_t chunk_extension_bytes;  /* 400; of one chunk */
    uint32_t chunk_extensions_bytes; /* 400; of all chunks of a message */
};

/* 8 KiB, 8 KiB, 32 KiB, 100, 256, 16 KiB */
extern const struct http1_limits http1_default_limits;

/* What the longest head within `limits` can take: the request line, an empty line before it, the
 * block. */
static inline size_t http1_max_head_bytes(const struct http1_limits *limits)
{
    return (size_t)limits->request_line_bytes + limits->header_block_bytes + 4;
}

enum http1_progress {
    HTTP1_MORE,    /* all bytes are dealt with and more are needed */
    HTTP1_DATA,    /* body only: here is a piece of it */
    HTTP1_DONE,    /* the head, or the body, is complete */
    HTTP1_REFUSED, /* answer with the verdict's status and close */
};

enum http1_method {
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_POST,
    HTTP1_PUT,
    HTTP1_PATCH,
    HTTP1_DELETE,
    HTTP1_OPTIONS,
    HTTP1_TRACE,
};

enum http1_body_kind { HTTP1_BODY_NONE, HTTP1_BODY_LENGTH, HTTP1_BODY_CHUNKED };

struct http1_verdict {
    int         status; /* 0 while nothing is wrong; 400, 414, 417, 431, 501 or 505 */
    const char *why;    /* a static sentence for the one who sent the request */
};

struct http1_slice { /* of the head's buffer */
    uint32_t at, len;
};

struct http1_header {
    struct http1_slice name;  /* as sent, any case */
    struct http1_slice value; /* without the blanks around it */
};

struct http1_request {
    const struct http1_limits *limits;
    struct http1_verdict       verdict;
    uint32_t           next; /* first byte of the line not yet read; the head's length when done */
    uint32_t           block_at; /* first byte of the header block; 0 before */
    uint32_t           header_count;
    uint8_t            state;     /* private */
    uint8_t            method;    /* enum http1_method */
    uint8_t            minor;     /* of HTTP/1.minor: 0 or 1 */
    uint8_t            body_kind; /* enum http1_body_kind */
    bool               is_keep_alive;
    bool               expects_continue;
    bool               path_is_plain;  /* url_path_normalise() would change nothing */
    bool               is_asterisk;    /* OPTIONS * */
    bool               is_absolute;    /* the target was a whole URL; its authority is the host */
    uint8_t            seen;           /* private */
    uint8_t            coding;         /* private */
    int64_t            content_length; /* -1 when there is none */
    struct http1_slice target, path, query,
        host; /* query without '?'; path empty for "*" and "http://x" */
    struct http1_header headers[HTTP1_MAX_HEADERS];
};

/* `limits` must live as long as the request. */
void http1_request_init(struct http1_request *request, const struct http1_limits *limits);

/* `head` holds all `len` bytes received since the request's first. HTTP1_MORE, HTTP1_DONE (then the
 * body begins at head + request->next) or HTTP1_REFUSED. */
enum http1_progress http1_request_parse(struct http1_request *request, const char *head,
                                        size_t len);

static inline bp_str http1_str(const char *head, struct http1_slice slice)
{
    return bp_str_n(head + slice.at, slice.len);
}

/* The first header of that name from number *index on, in any case; *index is then the number
 * behind it. Start with 0. `name` is in lower case. */
bool http1_header_next(const struct http1_request *request, const char *head, bp_str name,
                       uint32_t *index, bp_str *value);

/* "GET" for HTTP1_GET */
bp_str http1_method_name(enum http1_method method);

struct http1_body {
    const struct http1_limits *limits;
    struct http1_verdict       verdict;
    int64_t                    left;             /* of the body, or of the chunk */
    uint32_t                   extension_bytes;  /* of this chunk */
    uint32_t                   extensions_bytes; /* of all chunks */
    uint32_t                   line_bytes;       /* of this trailer */
    uint32_t                   block_bytes;      /* of headers and trailers */
    uint32_t                   header_count;
    uint8_t                    kind;  /* enum http1_body_kind */
    uint8_t                    state; /* private, like the two below */
    uint8_t                    digits;
    bool                       is_word_empty;
};

/* For the request that http1_request_parse() has completed. */
void http1_body_init(struct http1_body *body, const struct http1_request *request);

/* Reads on in the next `len` bytes and says in *used how many of them it has dealt with.
 * HTTP1_DATA: *piece is the next part of the content, never empty, inside `bytes`; call again with
 * the rest. HTTP1_DONE: what follows the used bytes is the next request. HTTP1_MORE: all are used.
 */
enum http1_progress http1_body_decode(struct http1_body *body, const char *bytes, size_t len,
                                      size_t *used, bp_str *piece);

#endif
