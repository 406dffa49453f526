/* fuzz_url.c - paths: what is accepted normalises to a form that stays as it is and never leaves
 * its root. */
#include <stdio.h>
#include <stdlib.h>

#include "net/url.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_path(bp_str path)
{
    bool   is_plain;
    char  *normal, *again, *segment;
    size_t len, again_len, at = 1;

    if (url_path_fault(path, &is_plain))
        return;
    normal = malloc(path.len + 1);
    again = malloc(path.len + 1);
    segment = malloc(path.len + 1);
    len = url_path_normalise(path, normal);
    HOLDS(len >= 1 && len <= path.len && normal[0] == '/');
    HOLDS(!is_plain || (len == path.len && memcmp(normal, path.data, len) == 0));
    HOLDS(!memchr(normal, 0, len));
    again_len = url_path_normalise(bp_str_n(normal, len), again);
    HOLDS(again_len == len && memcmp(again, normal, len) == 0);
    while (at < len) { /* no empty segment but the last, no dots */
        const char *slash = memchr(normal + at, '/', len - at);
        size_t      end = slash ? (size_t)(slash - normal) : len;
        bp_str      part = bp_str_n(normal + at, end - at);

        HOLDS(part.len > 0);
        HOLDS(!bp_str_is(part, ".") && !bp_str_is(part, ".."));
        HOLDS(url_decode_segment(part, segment) <= part.len);
        at = end + 1;
    }
    free(normal);
    free(again);
    free(segment);
}

static void check_query(bp_str query)
{
    bp_str rest = query, name, value;
    size_t pairs = 0;
    char  *out = malloc(query.len + 1);

    while (url_query_next(&rest, &name, &value)) {
        size_t name_len = url_query_decode(name, out);

        HOLDS(name.len + value.len <= query.len && name_len <= name.len);
        HOLDS(url_query_name_is(name, bp_str_n(out, name_len)));
        HOLDS(url_query_decode(value, out) <= value.len);
        HOLDS(++pairs <= query.len);
    }
    free(out);
    (void)url_query_fault(query);
    (void)url_authority_fault(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    if (size)
        memcpy(copy, data, size);
    check_path(bp_str_n(copy, size));
    check_query(bp_str_n(copy, size));
    free(copy);
    return 0;
}
