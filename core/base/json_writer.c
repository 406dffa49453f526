/* json_writer.c - writes compact JSON and takes care of commas, escapes and caps. */
#include "base/crypto.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>

#include "base/str.h"

void json_writer_init(bp_json_writer *w, struct bp_buf *buf)
{
    memset(w, 0, sizeof(*w));
    w->buf = buf;
}

static bool bit(const uint8_t *bits, uint32_t at)
{
    return bits[at / 8] >> (at % 8) & 1;
}

static void set_bit(uint8_t *bits, uint32_t at, bool value)
{
    bits[at / 8] = (uint8_t)((bits[at / 8] & ~(1u << at % 8)) | (unsigned)value << at % 8);
}

/* A misuse is a mistake in the program, so it spoils the whole text rather than yield half of one.
 */
static bool may_write(bp_json_writer *w)
{
    return w && w->status == BP_OK;
}

/* What has to stand before a value: nothing, or a comma; and whether a value may stand here at all.
 */
static bool before_value(bp_json_writer *w)
{
    if (!may_write(w))
        return false;
    if (w->depth == 0) {
        if (w->is_done)
            w->status = BP_INTERNAL;
        w->is_done = true;
        return w->status == BP_OK;
    }
    if (bit(w->is_object, w->depth - 1)) {
        if (!w->has_key)
            w->status = BP_INTERNAL;
        w->has_key = false;
        return w->status == BP_OK;
    }
    if (bit(w->is_filled, w->depth - 1))
        buf_add_char(w->buf, ',');
    set_bit(w->is_filled, w->depth - 1, true);
    return true;
}

void json_writer_resume(bp_json_writer *w, struct bp_buf *buf, uint32_t depth)
{
    json_writer_init(w, buf);
    w->depth = depth;
    w->is_done = depth > 0; // the whole value has begun
    for (uint32_t i = 0; i < depth; i++) {
        set_bit(w->is_object, i, true);
        set_bit(w->is_filled, i, i + 1 < depth);
    }
}

void json_begin(bp_json_writer *w, enum json_type array_or_object)
{
    if (!before_value(w))
        return;
    if (w->depth == JSON_WRITE_DEPTH_MAX) {
        w->status = BP_TOO_LARGE;
        return;
    }
    set_bit(w->is_object, w->depth, array_or_object == JSON_KIND_OBJECT);
    set_bit(w->is_filled, w->depth, false);
    w->depth++;
    buf_add_char(w->buf, array_or_object == JSON_KIND_OBJECT ? '{' : '[');
}

void json_end(bp_json_writer *w)
{
    if (!may_write(w))
        return;
    if (w->depth == 0 || w->has_key) {
        w->status = BP_INTERNAL;
        return;
    }
    w->depth--;
    buf_add_char(w->buf, bit(w->is_object, w->depth) ? '}' : ']');
}

void json_key(bp_json_writer *w, bp_str key)
{
    if (!may_write(w))
        return;
    if (w->depth == 0 || !bit(w->is_object, w->depth - 1) || w->has_key) {
        w->status = BP_INTERNAL;
        return;
    }
    if (bit(w->is_filled, w->depth - 1))
        buf_add_char(w->buf, ',');
    set_bit(w->is_filled, w->depth - 1, true);
    json_append_quoted(w->buf, key);
    buf_add_char(w->buf, ':');
    w->has_key = true;
}

/* The small one is for the stack, of which a fiber that waits keeps all that it ever touched. */
enum { PIECE_BYTES = 4096, SMALL_PIECE_BYTES = 64, ESCAPED_BYTES_MAX = 6, ROOM_SPARE_BYTES = 64 };

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* Bytes that are neither plain nor a sound sequence of UTF-8; gives back the place behind them. */
static char *write_escaped(char *to, unsigned char c)
{
    static const char names[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
    };
    static const char digits[] = "0123456789abcdef";

    if (c >= 0x80) {
        memcpy(to, "\xEF\xBF\xBD", 3); // U+FFFD
        return to + 3;
    }
    if (c == 0x7F) {
        memcpy(to, "\\u007f", 6);
        return to + 6;
    }
    *to++ = '\\';
    if (c == '"' || c == '\\') {
        *to++ = (char)c;
    } else if (names[c]) {
        *to++ = names[c];
    } else {
        memcpy(to, "u00", 3);
        to[3] = digits[c >> 4];
        to[4] = digits[c & 15];
        to += 5;
    }
    return to;
}

/* About `most` bytes of `text` from *at on, into room for six times as many and some; gives back
 * the place behind it. */
static char *write_piece(char *to, bp_str text, size_t *at, size_t most)
{
    size_t end = text.len - *at > most ? *at + most : text.len;

    while (*at < end) {
        size_t plain = str_plain_copy(to, bp_str_n(text.data, end), *at), len;

        to += plain;
        *at += plain;
        while (*at < end && (unsigned char)text.data[*at] >= 0x80 &&
               (len = str_utf8_sequence(text, *at)) != 0) {
            memcpy(to, text.data + *at, len); // where one letter is beyond ASCII, most are
            to += len;
            *at += len;
        }
        if (*at < end && !is_plain((unsigned char)text.data[*at]))
            to = write_escaped(to, (unsigned char)text.data[(*at)++]);
    }
    return to;
}

void json_append_quoted(struct bp_buf *buf, bp_str text)
{
    char piece[ESCAPED_BYTES_MAX * SMALL_PIECE_BYTES + ROOM_SPARE_BYTES];

    if (buf && text.len + 64 < buf->max_bytes - buf->len)
        buf_reserve(buf, text.len + 64); // room for a long text is made once
    buf_add_char(buf, '"');
    for (size_t at = 0; at < text.len && buf && buf->status == BP_OK;) {
        size_t left = text.len - at < PIECE_BYTES ? text.len - at : PIECE_BYTES;
        size_t room = ESCAPED_BYTES_MAX * left + ROOM_SPARE_BYTES;
        bool   fits = buf->max_bytes - buf->len >= room && buf_reserve(buf, room);
        char  *to = fits ? buf->data + buf->len : piece,
             *end = write_piece(to, text, &at, fits ? PIECE_BYTES : SMALL_PIECE_BYTES);

        if (fits)
            buf_commit(buf, (size_t)(end - to));
        else
            buf_add(buf, bp_str_n(piece, (size_t)(end - piece)));
    }
    buf_add_char(buf, '"');
}

void json_add_string(bp_json_writer *w, bp_str value)
{
    if (before_value(w))
        json_append_quoted(w->buf, value);
}

void json_add_raw(bp_json_writer *w, bp_str json)
{
    if (before_value(w))
        buf_add(w->buf, json);
}

void json_add_integer(bp_json_writer *w, int64_t value)
{
    char text[24];

    json_add_raw(w, str_from_int(value, text));
}

/* Numbers of up to nine digits and three decimals, such as most are: the same text without a search
 * for it. 0: not one. */
static size_t short_number(double value, char text[40])
{
    int64_t thousandths = (int64_t)(value * 1000 + 0.5), rest = thousandths % 1000;
    char    digits[24];
    bp_str  whole = str_from_int(thousandths / 1000, digits);
    size_t  len = whole.len;

    if (thousandths <= 0 || (double)thousandths / 1000 != value)
        return 0;
    memcpy(text, whole.data, whole.len);
    if (rest) {
        text[len++] = '.';
        text[len++] = (char)('0' + rest / 100);
        text[len++] = (char)('0' + rest / 10 % 10);
        text[len++] = (char)('0' + rest % 10);
        while (text[len - 1] == '0')
            len--;
    }
    return len;
}

/* The shortest text that reads back as the same double. */
size_t json_number_text(double value, char text[40])
{
    int len = 0;

    if (!isfinite(value)) {
        memcpy(text, "null", 4);
        return 4;
    }
    if (value > 0 && value < 1e9 && (len = (int)short_number(value, text)) > 0)
        return (size_t)len;
    for (int digits = 15; digits <= 17; digits++) {
        double back;

        len = snprintf(text, 40, "%.*g", digits, value);
        for (int i = 0; i < len; i++)
            if (text[i] == ',')
                text[i] = '.'; // a plugin may have set a locale
        if (str_to_double((bp_str){ text, (size_t)len }, &back) && back == value)
            break;
    }
    return (size_t)len;
}

void json_add_number(bp_json_writer *w, double value)
{
    char text[40];

    json_add_raw(w, (bp_str){ text, json_number_text(value, text) });
}

void json_add_bool(bp_json_writer *w, bool value)
{
    json_add_raw(w, value ? BP_STR("true") : BP_STR("false"));
}

void json_add_null(bp_json_writer *w)
{
    json_add_raw(w, BP_STR("null"));
}

/* Recursion is bounded by the depth that reading allows. */
void json_add_value(bp_json_writer *w, const bp_json *value)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *member;

    switch (json_type_of(value)) {
    case JSON_KIND_OBJECT:
        json_begin(w, JSON_KIND_OBJECT);
        while (json_entry(value, &cursor, &key, &member)) {
            json_key(w, key);
            json_add_value(w, member);
        }
        json_end(w);
        break;
    case JSON_KIND_ARRAY:
        json_begin(w, JSON_KIND_ARRAY);
        for (size_t i = 0; i < json_count(value); i++)
            json_add_value(w, json_at(value, i));
        json_end(w);
        break;
    case JSON_KIND_STRING:
        json_add_string(w, json_as_string(value));
        break;
    case JSON_KIND_INTEGER:
        json_add_integer(w, json_as_integer(value));
        break;
    case JSON_KIND_NUMBER:
        json_add_number(w, json_as_number(value));
        break;
    case JSON_KIND_BOOL:
        json_add_bool(w, json_as_bool(value));
        break;
    case JSON_KIND_NULL:
    case JSON_KIND_NONE:
        json_add_null(w);
        break;
    }
}

void json_add_base64(bp_json_writer *w, bp_str bytes)
{
    char   piece[1025];
    size_t most = (sizeof(piece) - 1) / 4 * 3;

    if (!before_value(w))
        return;
    buf_add(w->buf, BP_STR("\""));
    for (size_t at = 0; at < bytes.len; at += most) {
        size_t count = bytes.len - at < most ? bytes.len - at : most;
        size_t len = crypto_base64((const uint8_t *)bytes.data + at, count, piece);

        buf_add(w->buf, bp_str_n(piece, len));
    }
    buf_add(w->buf, BP_STR("\""));
}

static void append_line(struct bp_buf *buf, size_t depth)
{
    static const char blanks[] = "                                                                ";

    buf_add(buf, BP_STR("\n"));
    for (size_t left = depth * 2, piece; left; left -= piece) {
        piece = left < sizeof(blanks) - 1 ? left : sizeof(blanks) - 1;
        buf_add(buf, bp_str_n(blanks, piece));
    }
}

/* The length of the string, number or word that begins at `json`. */
static size_t scalar_length(bp_str json)
{
    size_t i = 0;

    if (json.data[0] != '"') {
        while (i < json.len && !strchr(",:[]{} \t\r\n", json.data[i]))
            i++;
        return i ? i : 1;
    }
    for (i = 1; i < json.len && json.data[i] != '"'; i++)
        i += json.data[i] == '\\';
    return i + 1 < json.len ? i + 1 : json.len;
}

void json_append_indented(struct bp_buf *buf, bp_str json)
{
    size_t depth = 0, i = 0;
    bool   is_fresh = false; // right behind a bracket that opens

    while (i < json.len) {
        char   c = json.data[i];
        size_t len = 1;

        if (strchr(" \t\r\n", c)) {
            i++;
            continue;
        }
        if (c == ']' || c == '}') {
            depth -= depth > 0;
            if (!is_fresh)
                append_line(buf, depth);
        } else if (is_fresh) {
            append_line(buf, depth);
        }
        is_fresh = c == '[' || c == '{';
        if (is_fresh)
            depth++;
        else if (!strchr(",:]}", c))
            len = scalar_length(bp_str_n(json.data + i, json.len - i));
        buf_add(buf, bp_str_n(json.data + i, len));
        if (c == ',')
            append_line(buf, depth);
        else if (c == ':')
            buf_add(buf, BP_STR(" "));
        i += len;
    }
}

bp_status json_writer_status(const bp_json_writer *w)
{
    if (!w)
        return BP_NO_MEMORY;
    if (w->status != BP_OK)
        return w->status;
    if (w->depth || w->has_key || !w->is_done)
        return BP_INTERNAL;
    return buf_status(w->buf);
}

void json_put_string(bp_json_writer *w, const char *key, bp_str value)
{
    json_key(w, bp_str_of(key));
    json_add_string(w, value);
}

void json_put_text(bp_json_writer *w, const char *key, const char *value)
{
    json_put_string(w, key, bp_str_of(value));
}

void json_put_integer(bp_json_writer *w, const char *key, int64_t value)
{
    json_key(w, bp_str_of(key));
    json_add_integer(w, value);
}

void json_put_number(bp_json_writer *w, const char *key, double value)
{
    json_key(w, bp_str_of(key));
    json_add_number(w, value);
}

void json_put_bool(bp_json_writer *w, const char *key, bool value)
{
    json_key(w, bp_str_of(key));
    json_add_bool(w, value);
}
