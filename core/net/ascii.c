/* ascii.c - the table of byte classes and the search for control bytes, eight at a time. */
#include "net/ascii.h"

#define T ASCII_TOKEN
#define P ASCII_PATH
#define Q ASCII_QUERY
#define H ASCII_HOST
#define D ASCII_DIGIT
#define X ASCII_HEX

const uint8_t ascii_class[256] = {
    ['0' ... '9'] = T | P | Q | H | D | X,
    ['a' ... 'f'] = T | P | Q | H | X,
    ['g' ... 'z'] = T | P | Q | H,
    ['A' ... 'F'] = T | P | Q | H | X,
    ['G' ... 'Z'] = T | P | Q | H,
    ['-'] = T | P | Q | H,
    ['.'] = T | P | Q | H,
    ['_'] = T | P | Q | H,
    ['~'] = T | P | Q,
    ['!'] = T | P | Q,
    ['$'] = T | P | Q,
    ['&'] = T | P | Q,
    ['\''] = T | P | Q,
    ['*'] = T | P | Q,
    ['+'] = T | P | Q,
    ['('] = P | Q,
    [')'] = P | Q,
    [','] = P | Q,
    [';'] = P | Q,
    ['='] = P | Q,
    [':'] = P | Q,
    ['@'] = P | Q,
    ['/'] = P | Q,
    ['#'] = T,
    ['%'] = T,
    ['^'] = T | Q,
    ['`'] = T | Q,
    ['|'] = T | Q,
    ['?'] = Q,
    ['"'] = Q,
    ['<'] = Q,
    ['>'] = Q,
    ['['] = Q,
    [']'] = Q,
    ['{'] = Q,
    ['}'] = Q,
    ['\\'] = Q,
};

static bool is_control(unsigned char byte)
{
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

bool ascii_has_control(const char *text, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    size_t         i = 0;

    for (; i + 8 <= len; i += 8) {
        uint64_t word, low, del;
        memcpy(&word, text + i, sizeof(word));
        low = (word - ones * 0x20) & ~word & tops;
        del = ((word ^ (ones * 0x7f)) - ones) & ~(word ^ (ones * 0x7f)) & tops;
        if (low | del) /* perhaps only a tab: look closer */
            for (size_t k = i; k < i + 8; k++)
                if (is_control((unsigned char)text[k]))
                    return true;
    }
    for (; i < len; i++)
        if (is_control((unsigned char)text[i]))
            return true;
    return false;
}
