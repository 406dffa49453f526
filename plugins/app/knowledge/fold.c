/* fold.c - small letters for capitals: ASCII at once, everything else by the table. */
#include "fold.h"

static uint32_t small_form(uint32_t point)
{
    size_t low = 0, high = fold_run_count;

    while (low < high) {
        size_t                 middle = (low + high) / 2;
        const struct fold_run *run = &fold_runs[middle];

        if (point > run->last)
            low = middle + 1;
        else if (point < run->first)
            high = middle;
        else
            return (point - run->first) % run->step == 0
                       ? (uint32_t)((int32_t)point + run->distance)
                       : point;
    }
    return point;
}

/* Bytes of the character at `at`; 1 for a byte that is not UTF-8, with a point of 0. */
static size_t read_point(const unsigned char *at, size_t left, uint32_t *point)
{
    size_t len = *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : *at >= 0xC2 ? 2 : 1;

    *point = 0;
    if (len == 1 || len > left)
        return 1;
    *point = *at & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        *point = *point << 6 | (at[i] & 0x3Fu);
    return len;
}

static size_t write_point(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

size_t fold_text(bp_str text, char *out)
{
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.len;
    size_t               used = 0;

    while (at < end) {
        uint32_t point;
        size_t   len;

        if (*at < 0x80) {
            out[used++] = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
            at++;
            continue;
        }
        len = read_point(at, (size_t)(end - at), &point);
        if (point == 0) { // no UTF-8: never comes from JSON; 0xFF is the graph's own
            out[used++] = (char)(*at == 0xFF ? '?' : *at);
        } else if (point == 0x130) { // the dotted capital I has two characters as small form
            memcpy(out + used, "i\xCC\x87", 3);
            used += 3;
        } else {
            used += write_point(small_form(point), out + used);
        }
        at += len;
    }
    return used;
}
