/* find.c - finds a short text in a long one, 16 places at a time.
 *
 * The two bytes of the needle that are rarest in the haystack are compared first, for 16 places at
 * once: a place where both fit is seldom, and only there the whole needle is compared. How rare a
 * byte is, the haystack's owner has counted.
 */
#include "find.h"

typedef unsigned char bytes16 __attribute__((vector_size(16)));
typedef uint64_t      words2 __attribute__((vector_size(16)));

struct needle find_needle(bp_str text, const uint32_t counts[256])
{
    struct needle needle = { .text = text };

    for (size_t i = 1; i < text.len; i++)
        if (counts[(unsigned char)text.data[i]] < counts[(unsigned char)text.data[needle.rare]])
            needle.rare = i;
    needle.other = needle.rare == 0 && text.len > 1 ? 1 : 0;
    for (size_t i = 0; i < text.len; i++)
        if (i != needle.rare &&
            counts[(unsigned char)text.data[i]] < counts[(unsigned char)text.data[needle.other]])
            needle.other = i;
    return needle;
}

static bytes16 load(const char *at)
{
    bytes16 bytes;

    memcpy(&bytes, at, sizeof(bytes));
    return bytes;
}

static bytes16 filled_with(char byte)
{
    bytes16 bytes;

    memset(&bytes, byte, sizeof(bytes));
    return bytes;
}

size_t find_next(const char *haystack, size_t len, size_t from, const struct needle *needle)
{
    size_t  size = needle->text.len;
    bytes16 rare, other;

    if (size == 0 || size > len)
        return size ? len : from;
    rare = filled_with(needle->text.data[needle->rare]);
    other = filled_with(needle->text.data[needle->other]);
    for (size_t at = from; at + size <= len; at += 16) {
        bytes16 fit = (bytes16)((load(haystack + at + needle->rare) == rare) &
                                (load(haystack + at + needle->other) == other));
        words2  words = (words2)fit;

        if ((words[0] | words[1]) == 0)
            continue;
        for (size_t i = 0; i < 16 && at + i + size <= len; i++)
            if (fit[i] && memcmp(haystack + at + i, needle->text.data, size) == 0)
                return at + i;
    }
    return len;
}
