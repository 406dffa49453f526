/* characters.h - what the tokenizer asks of a character. The Unicode data is utf8proc's; what the
 * reference tokenizer makes of it is ours. */
#ifndef WORDPIECE_CHARACTERS_H
#define WORDPIECE_CHARACTERS_H

#include <stdbool.h>
#include <stdint.h>

#include <utf8proc.h>

static inline utf8proc_category_t character_category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

/* White_Space of Unicode. */
static inline bool character_is_blank(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Control, format and private-use characters; tab and line ends are blanks. Those that are not
 * assigned stay. */
static inline bool character_is_control(uint32_t c)
{
    utf8proc_category_t category;

    if (c < 0x80)
        return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    category = character_category(c);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS;
}

/* All of ASCII that is neither letter, digit nor blank counts, as "$" and "^" do. */
static inline bool character_is_punctuation(uint32_t c)
{
    utf8proc_category_t category;

    if (c < 0x80)
        return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') &&
               !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    category = character_category(c);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static inline bool character_is_accent(uint32_t c)
{
    return c >= 0x300 && character_category(c) == UTF8PROC_CATEGORY_MN;
}

/* Canonical combining class. */
static inline int character_order(uint32_t c)
{
    return c < 0x300 ? 0 : utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

static inline bool character_is_cjk(uint32_t c)
{
    return c >= 0x3400 && ((c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
                           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
                           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
                           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f));
}

static inline uint32_t character_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

#endif
