/* fuzz_event_reader.c - one input is a stream of server-sent events, cut into pieces: how it is cut
 * changes neither the events nor where it ends as too large, and what is kept stays within its
 * limit. */
#include <stdio.h>
#include <stdlib.h>

#include "net/event_reader.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t add(uint64_t sum, bp_str text)
{
    for (size_t i = 0; i < text.len; i++)
        sum = (sum ^ (unsigned char)text.data[i]) * 1099511628211u;
    return sum * 1099511628211u + text.len;
}

/* Feeds all of it in pieces; *sum says which events came before the end, the result how it ended.
 */
static bp_status feed(const uint8_t *data, size_t size, size_t piece, size_t max_bytes,
                      uint64_t *sum)
{
    struct event_reader reader;
    bp_status           status = BP_OK;

    *sum = 14695981039346656037u;
    event_reader_init(&reader);
    for (size_t at = 0; at < size && status == BP_OK; at += piece) {
        bp_str input = { (const char *)data + at, size - at < piece ? size - at : piece };

        do {
            size_t before = input.len;
            bool   is_complete = false;

            status = event_reader_feed(&reader, max_bytes, &input, &is_complete);
            HOLDS(status == BP_OK || status == BP_TOO_LARGE);
            HOLDS(input.len <= before && (input.len < before || !before || status != BP_OK));
            if (status != BP_OK)
                break;
            HOLDS(reader.data.len + reader.line.len <= max_bytes);
            if (is_complete) {
                HOLDS(reader.data.len > 0);
                *sum = add(add(add(*sum, buf_str(&reader.data)), buf_str(&reader.type)),
                           buf_str(&reader.id));
            }
        } while (input.len);
    }
    event_reader_free(&reader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t  whole, bytes, cut;
    size_t    max_bytes;
    bp_status status;

    if (size < 3)
        return 0;
    max_bytes = 1 + (size_t)data[0] * 16;
    status = feed(data + 2, size - 2, size, max_bytes, &whole);
    HOLDS(feed(data + 2, size - 2, 1, max_bytes, &bytes) == status && bytes == whole);
    HOLDS(feed(data + 2, size - 2, 1 + data[1] % 61, max_bytes, &cut) == status && cut == whole);
    return 0;
}
