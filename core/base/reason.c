#include "base/reason.h"

#include "base/str.h"

#include <stdio.h>

/* Cuts half of a character from the end. */
static void drop_half(struct reason *why)
{
    bp_str text = bp_str_of(why->text);
    size_t at = text.len;

    while (at && ((unsigned char)text.data[at - 1] & 0xC0) == 0x80)
        at--;
    if (at && (unsigned char)text.data[at - 1] >= 0x80 && !str_utf8_sequence(text, at - 1))
        why->text[at - 1] = '\0';
}

void reason_set_va(struct reason *why, const char *format, va_list args)
{
    int needed = vsnprintf(why->text, sizeof(why->text), format, args);

    if (needed < 0)
        reason_clear(why);
    else if ((size_t)needed >= sizeof(why->text))
        drop_half(why);
}

bool reason_set(struct reason *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reason_set_va(why, format, args);
    va_end(args);
    return false;
}

void reason_clear(struct reason *why)
{
    why->text[0] = '\0';
}

bool reason_is_set(const struct reason *why)
{
    return why->text[0] != '\0';
}
