/* terminal.c - control characters of a text become visible (ECMA-48: C0, DEL and C1). */
#include "cli/terminal.h"

static bool is_line_end(bp_str text, size_t at)
{
    return text.data[at] == '\n' ||
           (text.data[at] == '\r' && at + 1 < text.len && text.data[at + 1] == '\n');
}

void terminal_add_safe(struct bp_buf *safe, bp_str text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.data[i + 1] : 0;
        bool          is_c0 = (c < 0x20 && c != '\t' && !is_line_end(text, i)) || c == 0x7F;
        bool          is_c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;

        if (!is_c0 && !is_c1)
            continue;
        buf_add(safe, bp_str_n(text.data + from, i - from));
        if (is_c0)
            buf_addf(safe, "\\x%02x", c);
        else
            buf_addf(safe, "\\u%04x", next);
        i += is_c1;
        from = i + 1;
    }
    buf_add(safe, bp_str_n(text.data + from, text.len - from));
}
