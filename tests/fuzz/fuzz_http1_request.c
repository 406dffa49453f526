/* fuzz_http1_request.c - a request means the same however it is split, and the same to llhttp.
 *
 * The first 8 bytes of the input choose where the rest, a stream of requests, is cut. Property 1:
 * pieces and the whole give the same result. Property 2: what we accept, llhttp (Debian's 8.1.0,
 * strict) accepts too, with the same method, target, number of headers and content. The other
 * direction is not asked for: we refuse much that llhttp takes (folded lines, space before the
 * colon, bare CR: see tests/unit/core/net/test_http1.c). Intended differences in what we accept:
 *  - llhttp stops behind an upgrade request, which we answer as if it had not asked;
 *  - llhttp takes framing headers among the trailers for headers and refuses them; we drop every
 * trailer;
 *  - llhttp 8.1.0 refuses a second extension behind the value of a first ("5;a=b;c=d"), RFC 9112
 * does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "net/http1.h"
#include "net/url.h"

#ifdef BP_HAVE_LLHTTP
#include <llhttp/llhttp.h>
#endif

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct outcome {
    int                  status; /* 200, 0 for incomplete, or the refusal's */
    size_t               used;
    uint64_t             body_hash;
    size_t               body_len;
    struct http1_request request;
};

struct cuts {
    const uint8_t *sizes; /* NULL: one piece */
    size_t         index;
};

static size_t next_cut(struct cuts *cuts, size_t at, size_t len)
{
    size_t piece = cuts->sizes ? (size_t)cuts->sizes[cuts->index++ % 8] % 37 + 1 : len;
    return len - at < piece ? len : at + piece;
}

static void hash(struct outcome *out, bp_str piece)
{
    for (size_t i = 0; i < piece.len; i++)
        out->body_hash = (out->body_hash ^ (unsigned char)piece.data[i]) * UINT64_C(1099511628211);
    out->body_len += piece.len;
}

static void read_request(const char *text, size_t len, const uint8_t *sizes, struct outcome *out)
{
    struct cuts         cuts = { sizes, 0 };
    struct http1_body   body;
    enum http1_progress progress = HTTP1_MORE;
    size_t              to = 0, at;

    memset(out, 0, sizeof(*out));
    http1_request_init(&out->request, &http1_default_limits);
    while (progress == HTTP1_MORE && to < len) {
        to = next_cut(&cuts, to, len);
        progress = http1_request_parse(&out->request, text, to);
    }
    out->used = out->request.next;
    out->status = out->request.verdict.status;
    if (progress != HTTP1_DONE)
        return;
    http1_body_init(&body, &out->request);
    at = out->request.next;
    for (;;) {
        do {
            size_t used;
            bp_str piece;
            progress = http1_body_decode(&body, text + at, to - at, &used, &piece);
            HOLDS(used <= to - at);
            HOLDS(progress != HTTP1_DATA || piece.len > 0);
            at += used;
            hash(out, piece);
        } while (progress == HTTP1_DATA);
        if (progress != HTTP1_MORE || to == len)
            break;
        to = next_cut(&cuts, to, len);
    }
    out->used = at;
    out->status = progress == HTTP1_DONE ? 200 : body.verdict.status;
}

static void compare_splits(const struct outcome *whole, const struct outcome *split)
{
    HOLDS(whole->status == split->status);
    HOLDS(whole->used == split->used);
    HOLDS(whole->body_len == split->body_len && whole->body_hash == split->body_hash);
    HOLDS(whole->request.verdict.why == split->request.verdict.why);
    HOLDS(whole->request.header_count == split->request.header_count);
    HOLDS(memcmp(whole->request.headers, split->request.headers,
                 whole->request.header_count * sizeof(struct http1_header)) == 0);
    HOLDS(memcmp(&whole->request.target, &split->request.target, 4 * sizeof(struct http1_slice)) ==
          0);
}

static void check_slices(const struct http1_request *request, const char *text)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct http1_header *header = &request->headers[i];
        HOLDS(header->name.len > 0 && header->name.at + header->name.len < header->value.at + 1);
        HOLDS(header->value.at + header->value.len <= request->next);
        HOLDS(!memchr(text + header->value.at, '\r', header->value.len));
        HOLDS(!memchr(text + header->value.at, '\n', header->value.len));
    }
}

#ifdef BP_HAVE_LLHTTP
struct oracle {
    llhttp_t       parser; /* first, so that a callback's parser is the oracle */
    struct outcome seen;
    size_t         target_len, headers, messages;
    char           target[16384];
};

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct oracle *oracle = (struct oracle *)parser;
    if (oracle->target_len + len <= sizeof(oracle->target)) {
        memcpy(oracle->target + oracle->target_len, at, len);
        oracle->target_len += len;
    }
    return 0;
}

static int on_header(llhttp_t *parser)
{
    ((struct oracle *)parser)->headers++;
    return 0;
}

/* llhttp reports trailers by the same callback: count to the end of the head only. */
static int on_head(llhttp_t *parser)
{
    struct oracle *oracle = (struct oracle *)parser;
    oracle->seen.used = oracle->headers;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    hash(&((struct oracle *)parser)->seen, bp_str_n(at, len));
    return 0;
}

static int on_message(llhttp_t *parser)
{
    ((struct oracle *)parser)->messages++;
    return 0;
}

static bool has_framing_trailer(const struct outcome *ours, const char *text)
{
    static const char *const names[] = { "\ncontent-length", "\ntransfer-encoding",
                                         "\nconnection" };

    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        for (size_t at = ours->request.next, len = strlen(names[n]); at + len <= ours->used; at++)
            if (strncasecmp(text + at, names[n], len) == 0)
                return true;
    return false;
}

static bool has_second_extension(const struct outcome *ours, const char *text)
{
    const char *first = memchr(text + ours->request.next, ';', ours->used - ours->request.next);
    return first && memchr(first + 1, ';', ours->used - (size_t)(first + 1 - text));
}

static void compare_with_llhttp(const struct outcome *ours, const char *text)
{
    static const llhttp_settings_t settings = {
        .on_url = on_url,
        .on_header_value_complete = on_header,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_message,
    };
    static struct oracle oracle;
    bp_str               target = http1_str(text, ours->request.target);
    llhttp_errno_t       error;

    memset(&oracle, 0, sizeof(oracle));
    llhttp_init(&oracle.parser, HTTP_REQUEST, &settings);
    error = llhttp_execute(&oracle.parser, text, ours->used);
    if (error != HPE_OK && error != HPE_PAUSED_UPGRADE) {
        if (has_framing_trailer(ours, text) ||
            (error == HPE_INVALID_CHUNK_SIZE && has_second_extension(ours, text)))
            return;
        fprintf(stderr, "llhttp refuses what we accept: %s: %s\n", llhttp_errno_name(error),
                llhttp_get_error_reason(&oracle.parser));
        abort();
    }
    HOLDS(oracle.messages == 1);
    HOLDS(bp_str_is(http1_method_name((enum http1_method)ours->request.method),
                    llhttp_method_name((llhttp_method_t)oracle.parser.method)));
    HOLDS(bp_str_equal(target, bp_str_n(oracle.target, oracle.target_len)));
    HOLDS(oracle.seen.used == ours->request.header_count);
    HOLDS(oracle.seen.body_len == ours->body_len && oracle.seen.body_hash == ours->body_hash);
}
#else
static void compare_with_llhttp(const struct outcome *ours, const char *text)
{
    (void)ours;
    (void)text;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, split;

    if (size < 8)
        return 0;
    for (size_t at = 8; at < size;) {
        size_t len = size - at;
        char  *text = malloc(len);

        memcpy(text, data + at, len);
        read_request(text, len, NULL, &whole);
        read_request(text, len, data, &split);
        compare_splits(&whole, &split);
        if (whole.request.verdict.status == 0)
            check_slices(&whole.request, text);
        if (whole.status == 200)
            compare_with_llhttp(&whole, text);
        free(text);
        if (whole.status != 200)
            break;
        at += whole.used;
    }
    return 0;
}
