/* fuzz_http1_chunked.c - chunked bodies: the same for every split, nothing lost or invented, limits
 * kept.
 *
 * The first 8 bytes choose the cuts; the rest is a chunked body. The model is a second decoder that
 * sees one byte at a time and checks the sizes itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/http1.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct result {
    enum http1_progress  progress;
    struct http1_verdict verdict;
    size_t               used;
    char                *content;
    size_t               len;
};

static void decode(const struct http1_request *head, const uint8_t *bytes, size_t len,
                   const uint8_t *cuts, struct result *out)
{
    struct http1_body body;
    size_t            at = 0, cut = 0;

    http1_body_init(&body, head);
    *out = (struct result){ .progress = HTTP1_MORE, .content = malloc(len + 1) };
    while (at < len && (out->progress == HTTP1_MORE || out->progress == HTTP1_DATA)) {
        size_t piece_len = cuts ? (size_t)cuts[cut++ % 8] % 23 + 1 : len, used;
        char  *copy;
        bp_str piece;

        if (piece_len > len - at)
            piece_len = len - at;
        copy = malloc(piece_len);
        memcpy(copy, bytes + at, piece_len);
        out->progress = http1_body_decode(&body, copy, piece_len, &used, &piece);
        HOLDS(used <= piece_len);
        HOLDS(out->progress != HTTP1_MORE || used == piece_len);
        HOLDS((out->progress == HTTP1_DATA) == (piece.len > 0));
        memcpy(out->content + out->len, piece.data, piece.len);
        out->len += piece.len;
        at += used;
        free(copy);
    }
    /* content that ended with the input leaves the decoder between two states: ask once more */
    if (out->progress == HTTP1_DATA) {
        size_t used;
        bp_str piece;
        out->progress = http1_body_decode(&body, "", 0, &used, &piece);
    }
    out->used = at;
    out->verdict = body.verdict;
}

/* What a chunked body says, read in the plainest way: only for bodies that were accepted. */
static void check_by_hand(const uint8_t *bytes, const struct result *result)
{
    size_t at = 0, len = 0;

    for (;;) {
        size_t         size = strtoull((const char *)bytes + at, NULL, 16);
        const uint8_t *line_end = memchr(bytes + at, '\n', result->used - at);
        HOLDS(line_end && line_end[-1] == '\r');
        at = (size_t)(line_end + 1 - bytes);
        if (size == 0)
            break;
        HOLDS(at + size + 2 <= result->used && len + size <= result->len);
        HOLDS(memcmp(bytes + at, result->content + len, size) == 0);
        at += size + 2;
        len += size;
    }
    HOLDS(len == result->len);
    HOLDS(result->used >= 4 && memcmp(bytes + result->used - 2, "\r\n", 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char   text[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct http1_limits limits = http1_default_limits;
    struct http1_request head;
    struct result        whole, split;
    uint8_t             *bytes;

    if (size < 9)
        return 0;
    limits.header_line_bytes = 40; /* small, so that the fuzzer reaches them */
    limits.header_block_bytes = 120;
    limits.header_count = 6;
    limits.chunk_extension_bytes = 12;
    limits.chunk_extensions_bytes = 30;
    http1_request_init(&head, &limits);
    HOLDS(http1_request_parse(&head, text, sizeof(text) - 1) == HTTP1_DONE);
    bytes = malloc(size - 8 + 1);
    memcpy(bytes, data + 8, size - 8);
    bytes[size - 8] = 0;
    decode(&head, bytes, size - 8, NULL, &whole);
    decode(&head, bytes, size - 8, data, &split);
    HOLDS(whole.progress == split.progress && whole.used == split.used && whole.len == split.len);
    HOLDS(memcmp(whole.content, split.content, whole.len) == 0);
    HOLDS(whole.verdict.status == split.verdict.status && whole.verdict.why == split.verdict.why);
    if (whole.progress == HTTP1_DONE)
        check_by_hand(bytes, &whole);
    free(whole.content);
    free(split.content);
    free(bytes);
    return 0;
}
