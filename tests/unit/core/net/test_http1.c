/* test_http1.c - the request parser: what it refuses and how, the same for every split of the
 * input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/http1.h"

/* All that a request came to, in a form that can be compared. */
struct outcome {
    int                  status; /* 200 when complete, 0 when more bytes are needed */
    size_t               used;
    size_t               header_count;
    size_t               body_len;
    char                 target[256];
    char                 host[256];
    char                 body[4096];
    struct http1_request request;
};

/* Feeds `text` in pieces that end at the given cuts. Each look at the head gets a copy of its own
 * in memory of its exact size, so that a sanitizer sees every byte read too many. */
static void feed(const char *text, size_t len, const size_t *cuts, size_t cut_count,
                 struct outcome *out)
{
    struct http1_request *request = &out->request;
    struct http1_body     body;
    enum http1_progress   progress = HTTP1_MORE;
    size_t                at = 0, piece_index = 0;

    memset(out, 0, sizeof(*out));
    http1_request_init(request, &http1_default_limits);
    for (; piece_index <= cut_count && progress == HTTP1_MORE; piece_index++) {
        size_t to = piece_index < cut_count ? cuts[piece_index] : len;
        char  *head = malloc(to ? to : 1);

        memcpy(head, text, to);
        progress = http1_request_parse(request, head, to);
        if (progress == HTTP1_DONE) {
            snprintf(out->target, sizeof(out->target), BP_FMT,
                     BP_ARG(http1_str(head, request->target)));
            snprintf(out->host, sizeof(out->host), BP_FMT, BP_ARG(http1_str(head, request->host)));
        }
        free(head);
    }
    out->status = progress == HTTP1_REFUSED ? request->verdict.status : 0;
    out->used = request->next;
    out->header_count = request->header_count;
    if (progress != HTTP1_DONE)
        return;
    http1_body_init(&body, request);
    at = request->next;
    for (progress = HTTP1_MORE, piece_index--; piece_index <= cut_count; piece_index++) {
        size_t to = piece_index < cut_count ? cuts[piece_index] : len;
        do {
            size_t used;
            bp_str piece;
            progress = http1_body_decode(&body, text + at, to - at, &used, &piece);
            at += used;
            if (out->body_len + piece.len <= sizeof(out->body))
                memcpy(out->body + out->body_len, piece.data, piece.len);
            out->body_len += piece.len;
        } while (progress == HTTP1_DATA);
        if (progress != HTTP1_MORE)
            break;
    }
    out->used = at;
    out->status = progress == HTTP1_DONE      ? 200
                  : progress == HTTP1_REFUSED ? body.verdict.status
                                              : 0;
}

static void assert_same(const struct outcome *a, const struct outcome *b, const char *name,
                        size_t cut)
{
    if (a->status != b->status || a->header_count != b->header_count ||
        a->body_len != b->body_len || (a->status == 200 && a->used != b->used) ||
        strcmp(a->target, b->target) != 0 || strcmp(a->host, b->host) != 0 ||
        memcmp(a->body, b->body, sizeof(a->body)) != 0)
        fail_msg("%s: split at %zu gives %d (used %zu), whole gives %d (used %zu)", name, cut,
                 b->status, b->used, a->status, a->used);
}

/* Whole, in two pieces split at every position, and byte by byte. */
static void feed_all_ways(const char *name, const char *text, size_t len, struct outcome *whole)
{
    static struct outcome split;
    size_t                step = len > 2048 ? len / 64 : 1;
    size_t               *cuts = malloc((len + 1) * sizeof(*cuts));

    feed(text, len, NULL, 0, whole);
    for (size_t cut = 0; cut < len; cut += step) {
        feed(text, len, &cut, 1, &split);
        assert_same(whole, &split, name, cut);
    }
    if (len <= 2048) {
        for (size_t i = 0; i < len; i++)
            cuts[i] = i;
        feed(text, len, cuts, len, &split);
        assert_same(whole, &split, name, len);
    }
    free(cuts);
}

struct vector {
    const char *name;
    int         status;
    bp_str      text;
};

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST    "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define V(name, status, text)                                                                      \
    {                                                                                              \
        name, status,                                                                              \
        {                                                                                          \
            text, sizeof(text) - 1                                                                 \
        }                                                                                          \
    }

static const struct vector vectors[] = {
    /* reliability.md 1.4: what nginx refuses too */
    V("content-length and transfer-encoding", 400,
      POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    V("transfer-encoding and content-length", 400,
      POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    V("two transfer-encodings", 400,
      POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    V("transfer-encoding in HTTP/1.0", 400,
      "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    V("two equal content-lengths", 400, POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    V("two different content-lengths", 400,
      POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    V("content-length list", 400, POST "Content-Length: 3, 3\r\n\r\nabc"),
    V("content-length with plus", 400, POST "Content-Length: +1\r\n\r\na"),
    V("content-length negative", 400, POST "Content-Length: -1\r\n\r\na"),
    V("content-length hexadecimal", 400, POST "Content-Length: 0x1\r\n\r\na"),
    V("content-length above 2^64", 400, POST "Content-Length: 18446744073709551617\r\n\r\na"),
    V("content-length empty", 400, POST "Content-Length:\r\n\r\na"),
    V("space before the colon", 400, GET "X : a\r\n\r\n"),
    V("space before the colon of transfer-encoding", 400,
      POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    V("folded header", 400, GET "X: a\r\n b\r\n\r\n"),
    V("header folded with a tab", 400, GET "X: a\r\n\tb\r\n\r\n"),
    V("first header begins with a blank", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    V("bare CR in a value", 400, GET "X: a\rb\r\n\r\n"),
    V("bare CR hides a header (CVE-2023-30589)", 400, POST "Dummy:\rContent-Length: 3\r\n\r\nabc"),
    V("bare CR before the end (CVE-2025-23167)", 400, GET "\rX\r\n\r\n"),
    V("NUL in a value", 400, GET "X: a\0b\r\n\r\n"),
    V("control byte in a value", 400,
      GET "X: a\x01"
          "b\r\n\r\n"),
    V("DEL in a value", 400,
      GET "X: a\x7f"
          "b\r\n\r\n"),
    V("empty header name", 400, GET ": a\r\n\r\n"),
    V("header without a colon", 400, GET "abc\r\n\r\n"),
    V("header name with a byte above 127", 400, GET "X\xe9: a\r\n\r\n"),
    V("header name with a parenthesis", 400, GET "X(: a\r\n\r\n"),
    V("no host", 400, "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
    V("no headers at all", 400, "GET / HTTP/1.1\r\n\r\n"),
    V("two hosts", 400, GET "Host: a\r\n\r\n"),
    V("host with a slash", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    V("host with an at sign", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    V("host empty", 400, "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    V("host with a blank", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    V("host list", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    V("port not a number", 400, "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"),
    V("port above 65535", 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    V("%00 in the path", 400, "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("path above root", 400, "GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("path above root and back", 400, "GET /a/../../a HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("path above root, encoded", 400, "GET /%2e%2E/etc HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("escape cut short", 400, "GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("escape not hexadecimal", 400, "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("escape in the query cut short", 400, "GET /?q=100% HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("chunk size overflows", 400, CHUNKED "ffffffffffffffff1\r\nabc\r\n0\r\n\r\n"),
    V("chunk size above 2^63", 400, CHUNKED "8000000000000000\r\nabc"),
    V("chunk size with 0x", 400, CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"),
    V("chunk size with a sign", 400, CHUNKED "+3\r\nabc\r\n0\r\n\r\n"),
    V("chunk size with a blank before", 400, CHUNKED " 3\r\nabc\r\n0\r\n\r\n"),
    V("chunk size with a blank behind", 400, CHUNKED "3 \r\nabc\r\n0\r\n\r\n"),
    V("chunk size empty", 400, CHUNKED "\r\nabc\r\n0\r\n\r\n"),
    V("chunk size line ends with LF", 400, CHUNKED "3\nabc\r\n0\r\n\r\n"),
    V("no CRLF behind a chunk", 400, CHUNKED "3\r\nabc0\r\n\r\n"),
    V("chunk longer than its size", 400, CHUNKED "3\r\nabcd\r\n0\r\n\r\n"),
    V("LF alone behind a chunk", 400, CHUNKED "3\r\nabc\n0\r\n\r\n"),
    V("end of chunks by bare CR (CVE-2025-23167)", 400, CHUNKED "0\r\n\rX"),
    V("LF in a chunk extension", 400, CHUNKED "3;a\nabc\r\n0\r\n\r\n"),
    V("NUL in a chunk extension", 400, CHUNKED "3;a\0\r\nabc\r\n0\r\n\r\n"),
    V("chunk extension without a name", 400, CHUNKED "3;\r\nabc\r\n0\r\n\r\n"),
    V("chunk extension without a value", 400, CHUNKED "3;a=\r\nabc\r\n0\r\n\r\n"),
    V("chunk extension with an open quote", 400, CHUNKED "3;a=\"b\r\nabc\r\n0\r\n\r\n"),
    V("chunk extension with bytes behind a quote", 400, CHUNKED "3;a=\"b\"c\r\nabc\r\n0\r\n\r\n"),
    V("folded trailer", 400, CHUNKED "0\r\nX: a\r\n b\r\n\r\n"),
    V("trailer without a name", 400, CHUNKED "0\r\n: a\r\n\r\n"),
    V("trailer without a colon", 400, CHUNKED "0\r\nabc\r\n\r\n"),
    V("trailer with a bare LF", 400, CHUNKED "0\r\nX: a\nb\r\n\r\n"),
    V("lower-case method", 400, "get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("method with a lower-case letter", 400, "GeT / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("method with a colon", 400, "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("CONNECT", 400, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("xchunked", 501, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    V("gzip before chunked", 501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    V("identity", 501, POST "Transfer-Encoding: identity\r\n\r\n"),
    V("chunked with a parameter", 501, POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    V("chunked behind a form feed", 400,
      POST "Transfer-Encoding: \x0c"
           "chunked\r\n\r\n0\r\n\r\n"),
    V("chunked not last", 400, POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    V("chunked twice", 400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    V("transfer-encoding empty", 400, POST "Transfer-Encoding:\r\n\r\n"),
    V("HTTP/2.0", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    V("HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    V("HTTP/1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    V("HTTP/0.9 with its number", 505, "GET / HTTP/0.9\r\n\r\n"),
    V("TLS ClientHello", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    /* what nginx accepts and we do not */
    V("request line ends with LF", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    V("header ends with LF", 400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    V("block ends with LF", 400, GET "\n"),
    V("HTTP/1.10", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    V("HTTP/1", 400, "GET / HTTP/1\r\nHost: a\r\n\r\n"),
    V("http/1.1", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    V("fragment in the path", 400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("fragment in the query", 400, "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("byte 0xff in the path", 400, "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("byte 0x80 in the query", 400, "GET /?\x80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("HTTP/0.9", 400, "GET /\r\n"),
    V("no target", 400, "GET\r\n"),
    V("unknown expectation", 417, POST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\na"),
    V("expectation list", 417, POST "Content-Length: 1\r\nExpect: 100-continue, x\r\n\r\na"),
    /* more */
    V("two blanks behind the method", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("two blanks before the version", 400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("blank behind the version", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    V("tab instead of a blank", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("blank in the target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("backslash in the path", 400, "GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("control byte in the path", 400, "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("bare CR in the target", 400, "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("target without a slash", 400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("asterisk with GET", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("absolute target without a host", 400, "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("absolute target with a user", 400, "GET http://u@b/a HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("absolute target and no host header", 400, "GET http://b/a HTTP/1.1\r\n\r\n"),
    V("absolute target of another scheme", 400, "GET ftp://b/a HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("unknown method", 501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("LF first", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("two empty lines first", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("CR first and no LF", 400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    /* accepted */
    V("plain", 200, GET "\r\n"),
    V("empty line first", 200, "\r\n" GET "\r\n"),
    V("HTTP/1.0 without a host", 200, "GET / HTTP/1.0\r\n\r\n"),
    V("HTTP/1.0 with 100-continue", 200,
      "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na"),
    V("content-length", 200, POST "Content-Length: 3\r\n\r\nabc"),
    V("content-length with leading zeros and blanks", 200,
      POST "content-length:   003 \r\n\r\nabc"),
    V("tab before a content-length", 400, POST "Content-Length:\t3\r\n\r\nabc"),
    V("tab behind a content-length", 400, POST "Content-Length: 3\t\r\n\r\nabc"),
    V("tab behind chunked", 400, POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"),
    V("content-length zero", 200, POST "Content-Length: 0\r\n\r\n"),
    V("chunked", 200, CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"),
    V("chunked in capitals", 200, POST "TRANSFER-ENCODING: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    V("chunk extensions", 200, CHUNKED "3;a=b;c=\"d e\"\r\nabc\r\n0;end\r\n\r\n"),
    V("trailers", 200, CHUNKED "3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n"),
    V("empty value", 200, GET "X:\r\nY: \t \r\n\r\n"),
    V("bytes above 127 in a value", 200, GET "X: \xe4\xff\r\n\r\n"),
    V("tab in a value", 200, GET "X: a\tb\r\n\r\n"),
    V("absolute target", 200, "GET http://b:81/a?q HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("absolute target without a path", 200, "GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("absolute target with only a query", 200, "GET http://b?q=1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("asterisk", 200, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("IPv6 host", 200, "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n"),
    V("dot segments within the root", 200, "GET /a/../b/. HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("brackets in the query", 200, "GET /?a[0]={\"b\"|c} HTTP/1.1\r\nHost: a\r\n\r\n"),
    V("incomplete", 0, "GET / HTTP/1.1\r\nHost: a\r\n"),
    V("incomplete chunk", 0, CHUNKED "3\r\nab"),
    V("incomplete body", 0, POST "Content-Length: 3\r\n\r\nab"),
};

static void every_vector_gets_its_verdict_however_it_is_split(void **state)
{
    static struct outcome out;

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        feed_all_ways(v->name, v->text.data, v->text.len, &out);
        if (out.status != v->status)
            fail_msg("%s: %d instead of %d (%s)", v->name, out.status, v->status,
                     out.request.verdict.why ? out.request.verdict.why : "nothing said");
        if (out.status >= 400 && out.request.verdict.status)
            assert_true(strlen(out.request.verdict.why) > 10);
        if (out.status == 200)
            assert_int_equal(out.used, v->text.len);
    }
}

/* ---- limits: one below, exact, one above ---- */

struct text {
    char  *data;
    size_t len;
};

static void add(struct text *t, const char *bytes, size_t len)
{
    t->data = realloc(t->data, t->len + len + 1);
    memcpy(t->data + t->len, bytes, len);
    t->len += len;
}

static void add_str(struct text *t, const char *str)
{
    add(t, str, strlen(str));
}

static void add_filled(struct text *t, char byte, size_t count)
{
    char *fill = malloc(count + 1);
    memset(fill, byte, count);
    add(t, fill, count);
    free(fill);
}

static int verdict_of(struct text *t)
{
    static struct outcome out;
    feed_all_ways("limit", t->data, t->len, &out);
    free(t->data);
    return out.status;
}

static int with_request_line_of(size_t bytes)
{
    struct text t = { 0 };
    add_str(&t, "GET /");
    add_filled(&t, 'a', bytes - 14);
    add_str(&t, " HTTP/1.1\r\nHost: a\r\n\r\n");
    return verdict_of(&t);
}

static void a_request_line_of_8192_bytes_is_the_longest(void **state)
{
    (void)state;
    assert_int_equal(with_request_line_of(8191), 200);
    assert_int_equal(with_request_line_of(8192), 200);
    assert_int_equal(with_request_line_of(8193), 414);
    assert_int_equal(with_request_line_of(10240), 414);
}

static int with_header_line_of(size_t bytes)
{
    struct text t = { 0 };
    add_str(&t, GET "X: ");
    add_filled(&t, 'a', bytes - 3);
    add_str(&t, "\r\n\r\n");
    return verdict_of(&t);
}

static void a_header_line_of_8192_bytes_is_the_longest(void **state)
{
    (void)state;
    assert_int_equal(with_header_line_of(8191), 200);
    assert_int_equal(with_header_line_of(8192), 200);
    assert_int_equal(with_header_line_of(8193), 431);
    assert_int_equal(with_header_line_of(10240), 431);
}

static int with_header_block_of(size_t bytes)
{
    struct text t = { 0 };
    add_str(&t, GET);
    bytes -= sizeof("Host: a\r\n") - 1 + 2;
    while (bytes) {
        size_t line = bytes > 8000 + 5 ? 8000 : bytes;
        add_str(&t, "X: ");
        add_filled(&t, 'a', line - 5);
        add_str(&t, "\r\n");
        bytes -= line;
    }
    add_str(&t, "\r\n");
    return verdict_of(&t);
}

static void a_header_block_of_32768_bytes_is_the_largest(void **state)
{
    (void)state;
    assert_int_equal(with_header_block_of(32767), 200);
    assert_int_equal(with_header_block_of(32768), 200);
    assert_int_equal(with_header_block_of(32769), 431);
    assert_int_equal(with_header_block_of(40960), 431);
}

static int with_headers(size_t count)
{
    struct text t = { 0 };
    add_str(&t, GET);
    for (size_t i = 1; i < count; i++)
        add_str(&t, "X: a\r\n");
    add_str(&t, "\r\n");
    return verdict_of(&t);
}

static void a_hundred_headers_are_the_most(void **state)
{
    (void)state;
    assert_int_equal(with_headers(99), 200);
    assert_int_equal(with_headers(100), 200);
    assert_int_equal(with_headers(101), 431);
    assert_int_equal(with_headers(2000), 431);
}

static int with_extension_of(size_t bytes)
{
    struct text t = { 0 };
    add_str(&t, CHUNKED "1;");
    add_filled(&t, 'a', bytes - 1);
    add_str(&t, "\r\nx\r\n0\r\n\r\n");
    return verdict_of(&t);
}

static void a_chunk_extension_of_256_bytes_is_the_longest(void **state)
{
    (void)state;
    assert_int_equal(with_extension_of(255), 200);
    assert_int_equal(with_extension_of(256), 200);
    assert_int_equal(with_extension_of(257), 400);
}

static int with_extensions_of(size_t bytes)
{
    struct text t = { 0 };
    add_str(&t, CHUNKED);
    while (bytes) {
        size_t extension = bytes > 250 ? 250 : bytes;
        add_str(&t, "1;");
        add_filled(&t, 'a', extension - 1);
        add_str(&t, "\r\nx\r\n");
        bytes -= extension;
    }
    add_str(&t, "0\r\n\r\n");
    return verdict_of(&t);
}

static void chunk_extensions_of_16384_bytes_are_the_most(void **state)
{
    (void)state;
    assert_int_equal(with_extensions_of(16383), 200);
    assert_int_equal(with_extensions_of(16384), 200);
    assert_int_equal(with_extensions_of(16385), 400);
}

static int with_trailers(size_t count)
{
    struct text t = { 0 };
    add_str(&t, CHUNKED "0\r\n"); /* two headers */
    for (size_t i = 0; i < count; i++)
        add_str(&t, "X: a\r\n");
    add_str(&t, "\r\n");
    return verdict_of(&t);
}

static void trailers_count_as_headers(void **state)
{
    (void)state;
    assert_int_equal(with_trailers(97), 200);
    assert_int_equal(with_trailers(98), 200);
    assert_int_equal(with_trailers(99), 431);
}

static int with_trailer_line_of(size_t bytes)
{
    struct text t = { 0 };
    add_str(&t, CHUNKED "0\r\nX: ");
    add_filled(&t, 'a', bytes - 3);
    add_str(&t, "\r\n\r\n");
    return verdict_of(&t);
}

static void a_trailer_line_of_8192_bytes_is_the_longest(void **state)
{
    (void)state;
    assert_int_equal(with_trailer_line_of(8191), 200);
    assert_int_equal(with_trailer_line_of(8192), 200);
    assert_int_equal(with_trailer_line_of(8193), 431);
}

static void a_method_of_65_kilobytes_is_414(void **state)
{
    struct text t = { 0 };
    (void)state;
    add_filled(&t, 'A', 65000);
    add_str(&t, " / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(verdict_of(&t), 414);
}

static void a_header_that_never_ends_is_refused_at_the_limit(void **state)
{
    static struct outcome out;
    struct text           t = { 0 };

    (void)state;
    add_str(&t, GET "X: ");
    add_filled(&t, 'a', 8190);
    feed(t.data, t.len, NULL, 0, &out);
    assert_int_equal(out.status, 0);
    add_filled(&t, 'a', 1);
    assert_int_equal(verdict_of(&t), 431);
}

/* ---- what an accepted request says ---- */

static void parse(const char *text, struct outcome *out)
{
    feed_all_ways(text, text, strlen(text), out);
    assert_int_equal(out->status, 200);
}

static void the_body_comes_out_decoded(void **state)
{
    static struct outcome out;
    (void)state;
    parse(CHUNKED "3\r\nabc\r\n00A;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n", &out);
    assert_int_equal(out.body_len, 13);
    assert_memory_equal(out.body, "abc0123456789", 13);
    parse(POST "Content-Length: 5\r\n\r\nhello", &out);
    assert_int_equal(out.body_len, 5);
    assert_memory_equal(out.body, "hello", 5);
}

static void the_authority_of_an_absolute_target_replaces_the_host(void **state)
{
    static struct outcome out;
    (void)state;
    parse("GET http://b:81/a?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", &out);
    assert_string_equal(out.host, "b:81");
    assert_int_equal(out.request.path.len, 2);
    assert_int_equal(out.request.query.len, 3);
    parse("GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", &out);
    assert_string_equal(out.host, "a");
    assert_int_equal(out.request.query.len, 0);
}

static void keep_alive_follows_version_and_connection(void **state)
{
    static const struct {
        const char *text;
        bool        is_keep_alive;
    } cases[] = {
        { GET "\r\n", true },
        { GET "Connection: close\r\n\r\n", false },
        { GET "Connection: upgrade , CLOSE\r\n\r\n", false },
        { GET "Connection: closed\r\n\r\n", true },
        { GET "Connection: keep-alive, close\r\n\r\n", false },
        { "GET / HTTP/1.0\r\n\r\n", false },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
    };
    static struct outcome out;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].text, &out);
        assert_int_equal(out.request.is_keep_alive, cases[i].is_keep_alive);
    }
}

static void continue_is_expected_only_where_a_body_comes(void **state)
{
    static struct outcome out;
    (void)state;
    parse(POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\na", &out);
    assert_true(out.request.expects_continue);
    parse(GET "Expect: 100-continue\r\n\r\n", &out);
    assert_false(out.request.expects_continue);
}

static void headers_are_found_by_name_in_any_case(void **state)
{
    struct http1_request request;
    const char          *text = GET "X-A: 1\r\nx-a:2\r\nX-AB: 3\r\n\r\n";
    uint32_t             index = 0;
    bp_str               value;

    (void)state;
    http1_request_init(&request, &http1_default_limits);
    assert_int_equal(http1_request_parse(&request, text, strlen(text)), HTTP1_DONE);
    assert_true(http1_header_next(&request, text, BP_STR("x-a"), &index, &value));
    assert_true(bp_str_is(value, "1"));
    assert_true(http1_header_next(&request, text, BP_STR("x-a"), &index, &value));
    assert_true(bp_str_is(value, "2"));
    assert_false(http1_header_next(&request, text, BP_STR("x-a"), &index, &value));
}

static void pipelined_requests_are_read_one_behind_the_other(void **state)
{
    struct text t = { 0 };
    size_t      at = 0, requests = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        add_str(&t, i % 3 ? POST "Content-Length: 2\r\n\r\nGE" : CHUNKED "2\r\nGE\r\n0\r\n\r\n");
    while (at < t.len) {
        struct http1_request request;
        struct http1_body    body;
        enum http1_progress  progress;
        size_t               content = 0;

        http1_request_init(&request, &http1_default_limits);
        assert_int_equal(http1_request_parse(&request, t.data + at, t.len - at), HTTP1_DONE);
        at += request.next;
        http1_body_init(&body, &request);
        do {
            size_t used;
            bp_str piece;
            progress = http1_body_decode(&body, t.data + at, t.len - at, &used, &piece);
            at += used;
            content += piece.len;
        } while (progress == HTTP1_DATA);
        assert_int_equal(progress, HTTP1_DONE);
        assert_int_equal(content, 2);
        requests++;
    }
    assert_int_equal(requests, 100);
    free(t.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_gets_its_verdict_however_it_is_split),
        cmocka_unit_test(a_request_line_of_8192_bytes_is_the_longest),
        cmocka_unit_test(a_header_line_of_8192_bytes_is_the_longest),
        cmocka_unit_test(a_header_block_of_32768_bytes_is_the_largest),
        cmocka_unit_test(a_hundred_headers_are_the_most),
        cmocka_unit_test(a_chunk_extension_of_256_bytes_is_the_longest),
        cmocka_unit_test(chunk_extensions_of_16384_bytes_are_the_most),
        cmocka_unit_test(trailers_count_as_headers),
        cmocka_unit_test(a_trailer_line_of_8192_bytes_is_the_longest),
        cmocka_unit_test(a_method_of_65_kilobytes_is_414),
        cmocka_unit_test(a_header_that_never_ends_is_refused_at_the_limit),
        cmocka_unit_test(the_body_comes_out_decoded),
        cmocka_unit_test(the_authority_of_an_absolute_target_replaces_the_host),
        cmocka_unit_test(keep_alive_follows_version_and_connection),
        cmocka_unit_test(continue_is_expected_only_where_a_body_comes),
        cmocka_unit_test(headers_are_found_by_name_in_any_case),
        cmocka_unit_test(pipelined_requests_are_read_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
