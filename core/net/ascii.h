/* ascii.h - byte classes of HTTP and URLs, as one table, and comparisons without a locale. */
#ifndef NET_ASCII_H
#define NET_ASCII_H

#include <backplane/base.h>

enum {
    ASCII_TOKEN = 1, /* RFC 9110 5.6.2 tchar: methods, header names */
    ASCII_PATH = 2,  /* RFC 3986 3.3 pchar without '%', and '/' */
    ASCII_QUERY = 4, /* visible but '#' and '%': clients leave []{}|" and the like as they are */
    ASCII_HOST = 8,  /* letters, digits and -._ : stricter than reg-name, enough for every real name
                      */
    ASCII_DIGIT = 16,
    ASCII_HEX = 32,
};

extern const uint8_t ascii_class[256];

static inline bool ascii_is(char byte, unsigned classes)
{
    return (ascii_class[(unsigned char)byte] & classes) != 0;
}

static inline char ascii_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* 0 to 15; the byte must be of ASCII_HEX. */
static inline unsigned ascii_hex_value(char byte)
{
    return byte <= '9' ? (unsigned)(byte - '0') : (unsigned)(ascii_lower(byte) - 'a') + 10;
}

/* `lower` is in lower case. */
static inline bool ascii_equal_lower(const char *text, size_t len, const char *lower,
                                     size_t lower_len)
{
    if (len != lower_len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (ascii_lower(text[i]) != lower[i])
            return false;
    return true;
}

/* Tells whether a byte below 0x20 other than a tab, or 0x7f, is among them: what no header value
 * may have. */
bool ascii_has_control(const char *text, size_t len);

#endif
