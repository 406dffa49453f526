/* str.c - small questions about text. */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_equal_ignore_case(bp_str a, bp_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

bp_str str_trim(bp_str text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

bp_str str_split(bp_str text, char separator, bp_str *rest)
{
    const char *at = text.len ? memchr(text.data, separator, text.len) : NULL;
    size_t      len;

    if (!at) {
        *rest = (bp_str){ text.data ? text.data + text.len : NULL, 0 };
        return text;
    }
    len = (size_t)(at - text.data);
    *rest = (bp_str){ at + 1, text.len - len - 1 };
    return (bp_str){ text.data, len };
}

bool str_to_uint(bp_str text, uint64_t *value)
{
    uint64_t number = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';

        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

bool str_to_int(bp_str text, int64_t *value)
{
    bool     is_negative = text.len && text.data[0] == '-';
    uint64_t number;

    if (text.len && (text.data[0] == '-' || text.data[0] == '+')) {
        text.data++;
        text.len--;
    }
    if (!str_to_uint(text, &number) || number > (uint64_t)INT64_MAX + is_negative)
        return false;
    *value = is_negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

bool str_to_double(bp_str text, double *value)
{
    static locale_t c_locale; // made once; newlocale of "C" never fails and is never freed
    char            copy[64], *end;
    double          number;

    if (text.len == 0 || text.len >= sizeof(copy) || !strchr("+-.0123456789", text.data[0]))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (strpbrk(copy, "xXnN"))
        return false;
    if (!__atomic_load_n(&c_locale, __ATOMIC_ACQUIRE)) {
        locale_t made = newlocale(LC_ALL_MASK, "C", (locale_t)0), none = (locale_t)0;
        if (!__atomic_compare_exchange_n(&c_locale, &none, made, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            freelocale(made);
    }
    number = strtod_l(copy, &end, __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE));
    if (*end || !isfinite(number))
        return false;
    *value = number;
    return true;
}

size_t str_utf8_sequence(bp_str text, size_t at)
{
    const unsigned char *s = (const unsigned char *)text.data + at;
    size_t               left = text.len - at;
    unsigned             low = 0x80, high = 0xBF; // what the second byte may be
    size_t               len;

    if (left == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        len = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        len = 3;
        if (s[0] == 0xE0)
            low = 0xA0;
        if (s[0] == 0xED)
            high = 0x9F;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        len = 4;
        if (s[0] == 0xF0)
            low = 0x90;
        if (s[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (left < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/* Sixteen bytes at once, in whatever registers the machine has. */
typedef signed char byte_vector __attribute__((vector_size(16)));
typedef uint64_t    word_vector __attribute__((vector_size(16)));

enum { VECTOR_BYTES = sizeof(byte_vector) };

/* Which byte of memory is the first that is marked, of a word that is not zero. */
static size_t first_marked(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(word) / 8;
#else
    return (size_t)__builtin_clzll(word) / 8;
#endif
}

/* Which of sixteen bytes is the first that is not plain; 16: none. */
static size_t plain_of_sixteen(const char *text)
{
    byte_vector bytes, marks;

    memcpy(&bytes, text, sizeof(bytes));
    marks = (byte_vector)((bytes < 0x20) | (bytes == '"') | (bytes == '\\') |
                          (bytes == 0x7F)); // beyond ASCII is below zero
#ifdef __SSE2__
    return (size_t)__builtin_ctz(
        (unsigned)__builtin_ia32_pmovmskb128((char __attribute__((vector_size(16))))marks) |
        1u << VECTOR_BYTES);
#else
    word_vector words = (word_vector)marks;

    for (size_t i = 0; i < 2; i++)
        if (words[i])
            return 8 * i + first_marked(words[i]);
    return VECTOR_BYTES;
#endif
}

size_t str_plain_run(bp_str text, size_t at)
{
    size_t start = at;
    char   end[VECTOR_BYTES] = { 0 }; // which is not plain

    for (; at + VECTOR_BYTES <= text.len; at += VECTOR_BYTES) {
        size_t plain = plain_of_sixteen(text.data + at);

        if (plain < VECTOR_BYTES)
            return at + plain - start;
    }
    if (at < text.len) {
        memcpy(end, text.data + at, text.len - at);
        at += plain_of_sixteen(end); // fewer than 16 bytes were copied
    }
    return at - start;
}

size_t str_plain_copy(char *to, bp_str text, size_t at)
{
    size_t start = at;

    for (; at + VECTOR_BYTES <= text.len; at += VECTOR_BYTES) {
        size_t plain = plain_of_sixteen(text.data + at);

        memcpy(to + (at - start), text.data + at, VECTOR_BYTES);
        if (plain < VECTOR_BYTES)
            return at + plain - start;
    }
    if (at < text.len) {
        size_t plain = str_plain_run(text, at);

        memcpy(to + (at - start), text.data + at, plain);
        at += plain;
    }
    return at - start;
}

bp_str str_cut(bp_str text, size_t most_bytes)
{
    size_t len = text.len < most_bytes ? text.len : most_bytes;

    while (len && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    return bp_str_n(text.data, len);
}

/* How many bytes from `at` on are ASCII. */
static size_t ascii_run(bp_str text, size_t at)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    size_t         start = at;
    uint64_t       x[4];

    for (; at + sizeof(x) <= text.len; at += sizeof(x)) {
        memcpy(x, text.data + at, sizeof(x));
        if ((x[0] | x[1] | x[2] | x[3]) & high)
            break;
    }
    for (; at + sizeof(x[0]) <= text.len; at += sizeof(x[0])) {
        memcpy(x, text.data + at, sizeof(x[0]));
        if (x[0] & high)
            return at + first_marked(x[0] & high) - start;
    }
    while (at < text.len && (unsigned char)text.data[at] < 0x80)
        at++;
    return at - start;
}

bool str_is_utf8(bp_str text)
{
    for (size_t at = ascii_run(text, 0); at < text.len; at += ascii_run(text, at)) {
        do { // where one letter is beyond ASCII, most are
            size_t len = str_utf8_sequence(text, at);

            if (len == 0)
                return false;
            at += len;
        } while (at < text.len && (unsigned char)text.data[at] >= 0x80);
    }
    return true;
}

unsigned str_distance(bp_str a, bp_str b)
{
    unsigned  rows[3][64];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    if (a.len > 63 || b.len > 63)
        return 64;
    for (unsigned j = 0; j <= b.len; j++)
        above[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *spare = before;

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = above[j - 1] + (lower(a.data[i - 1]) != lower(b.data[j - 1]));

            row[j] = change;
            if (above[j] + 1 < row[j])
                row[j] = above[j] + 1;
            if (row[j - 1] + 1 < row[j])
                row[j] = row[j - 1] + 1;
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b.len];
}

bool str_is_near(bp_str name, bp_str candidate)
{
    size_t   longer = name.len > candidate.len ? name.len : candidate.len;
    unsigned allowed = longer <= 3 ? 1 : longer <= 7 ? 2 : 3;

    return longer && str_distance(name, candidate) <= allowed;
}

bool str_has_word(bp_str list, bp_str word)
{
    while (list.len) {
        if (bp_str_equal(str_split(list, ' ', &list), word) && word.len)
            return true;
    }
    return false;
}

uint64_t str_hash(bp_str text, uint64_t seed)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint8_t)text.data[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 29);
}

bp_str str_from_int(int64_t value, char text[24])
{
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t   at = 24;

    do
        text[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        text[--at] = '-';
    return (bp_str){ text + at, 24 - at };
}
