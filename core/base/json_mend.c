/* json_mend.c - lenient reading: keeps valid JSON, mends what it can, and says why it refuses the
 * rest. */
#include "base/json_mend.h"

#include <stdio.h>

#include "base/str.h"

#define REPLACEMENT        "\xEF\xBF\xBD" /* U+FFFD in UTF-8 */
#define REPLACEMENT_ESCAPE "\\uFFFD"
#define BYTE_ORDER_MARK    "\xEF\xBB\xBF"

enum { ESCAPE_CHARS = 6, HIGH_FIRST = 0xD800, LOW_FIRST = 0xDC00, LOW_LAST = 0xDFFF };

/* The code of the escape \uXXXX that begins at `at`; -1: none does. */
static int32_t escape_at(bp_str text, size_t at)
{
    int32_t code = 0;

    if (text.len - at < ESCAPE_CHARS || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + ESCAPE_CHARS; i++) {
        char c = text.data[i];

        if (c >= '0' && c <= '9')
            code = code * 16 + c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            code = code * 16 + (c | 0x20) - 'a' + 10;
        else
            return -1;
    }
    return code;
}

/* What stands at `at`: how long it is, and what to write in its place; empty: itself. */
static size_t look_at(bp_str text, size_t at, bp_str *instead)
{
    unsigned char c = (unsigned char)text.data[at];
    int32_t       code, low;

    *instead = (bp_str){ NULL, 0 };
    if (c >= 0x80) {
        size_t len = str_utf8_sequence(text, at);

        if (len)
            return len;
        *instead = BP_STR(REPLACEMENT);
        return 1;
    }
    if (c != '\\' || at + 1 == text.len)
        return 1;
    code = escape_at(text, at);
    if (code < 0)
        return 2; // so that the second of two backslashes begins nothing
    if (code < HIGH_FIRST || code > LOW_LAST)
        return ESCAPE_CHARS;
    low = code < LOW_FIRST && text.len - at > ESCAPE_CHARS ? escape_at(text, at + ESCAPE_CHARS)
                                                           : -1;
    if (low >= LOW_FIRST && low <= LOW_LAST)
        return 2 * ESCAPE_CHARS;
    *instead = BP_STR(REPLACEMENT_ESCAPE);
    return ESCAPE_CHARS;
}

static bp_str without_mark(bp_str text)
{
    if (text.len >= 3 && memcmp(text.data, BYTE_ORDER_MARK, 3) == 0)
        return bp_str_n(text.data + 3, text.len - 3);
    return text;
}

bp_str json_mend(struct arena *arena, bp_str text)
{
    struct bp_buf buf;
    bool          is_mended = false;
    size_t        copied = 0; /* everything before it is in `buf` */
    bp_str        instead;

    text = without_mark(text);
    buf_init(&buf, arena, text.len * 3 + sizeof(REPLACEMENT));
    for (size_t at = 0, len; at < text.len; at += len) {
        len = look_at(text, at, &instead);
        if (!instead.len)
            continue;
        if (!is_mended)
            buf_reserve(&buf, text.len + sizeof(REPLACEMENT)); // as a rule it is one character
        is_mended = true;
        buf_add(&buf, bp_str_n(text.data + copied, at - copied));
        buf_add(&buf, instead);
        copied = at + len;
    }
    if (!is_mended)
        return text;
    buf_add(&buf, bp_str_n(text.data + copied, text.len - copied));
    return buf_str(&buf);
}

bp_status json_read_within(struct arena *arena, bp_str text, size_t memory_bytes,
                           const bp_json **value, struct reason *why)
{
    size_t limit_bytes = arena->limit_bytes, used_bytes = arena->used_bytes;
    bool   is_ours = memory_bytes <
                   limit_bytes - (used_bytes < limit_bytes ? used_bytes : limit_bytes);
    bp_status status;
    bp_str    mended;

    if (is_ours)
        arena->limit_bytes = used_bytes + memory_bytes;
    status = json_parse_judged(arena, text, value, why);
    if (status == BP_INVALID) {
        mended = json_mend(arena, text);
        if (mended.len && (mended.data != text.data || mended.len != text.len))
            status = json_parse_judged(arena, mended, value, why);
    }
    arena->limit_bytes = limit_bytes;
    if (status != BP_NO_MEMORY || !is_ours)
        return status;
    reason_set(why, "its %zu bytes take more than %zu bytes of memory once they are read", text.len,
               memory_bytes);
    return BP_TOO_LARGE;
}

bp_status json_read(struct arena *arena, bp_str text, const bp_json **value, struct reason *why)
{
    size_t memory_bytes = text.len > JSON_MEMORY_BYTES / JSON_MEMORY_PER_BYTE
                              ? text.len * JSON_MEMORY_PER_BYTE
                              : JSON_MEMORY_BYTES;

    return json_read_within(arena, text, memory_bytes, value, why);
}
