/* url.c - paths and queries: one walk over the bytes each, nothing allocated. */
#include "net/url.h"

#include "net/ascii.h"

static bool is_escape(const char *at, const char *end)
{
    return end - at >= 3 && ascii_is(at[1], ASCII_HEX) && ascii_is(at[2], ASCII_HEX);
}

static char escape_value(const char *at)
{
    return (char)(ascii_hex_value(at[1]) << 4 | ascii_hex_value(at[2]));
}

/* 1 for ".", 2 for "..", also when written as %2e; 0 for every other segment. */
static unsigned segment_dots(const char *at, const char *end)
{
    unsigned dots = 0;

    while (at < end) {
        if (*at == '.')
            at++;
        else if (*at == '%' && is_escape(at, end) && escape_value(at) == '.')
            at += 3;
        else
            return 0;
        if (++dots > 2)
            return 0;
    }
    return dots;
}

static const char *segment_end(const char *at, const char *end)
{
    const char *slash = memchr(at, '/', (size_t)(end - at));
    return slash ? slash : end;
}

/* A path that goes above its root at any point is refused even if it comes back. */
static bool leaves_root(bp_str path)
{
    const char *end = path.data + path.len, *at = path.data;
    size_t      depth = 0;

    while (at < end) {
        const char *stop = segment_end(at, end);
        unsigned    dots = segment_dots(at, stop);

        if (dots == 2 && depth-- == 0)
            return true;
        if (dots == 0 && stop > at)
            depth++;
        at = stop + 1;
    }
    return false;
}

const char *url_path_fault(bp_str path, bool *is_plain)
{
    const char *at = path.data, *end = at + path.len;
    char        before = 0;

    *is_plain = true;
    if (path.len == 0 || *at != '/')
        return "the path does not begin with a slash";
    while (at < end) {
        if (ascii_is(*at, ASCII_PATH)) {
            if (before == '/' && (*at == '/' || *at == '.'))
                *is_plain = false;
            before = *at++;
            continue;
        }
        if (*at == '#')
            return "a fragment ('#') stands in the request target";
        if (*at != '%')
            return "the path has a byte that must be percent-encoded";
        if (!is_escape(at, end))
            return "a '%' in the path is not followed by two hexadecimal digits";
        if (escape_value(at) == 0)
            return "the path contains %00";
        *is_plain = false;
        before = 0;
        at += 3;
    }
    if (!*is_plain && leaves_root(path))
        return "the path goes above its root";
    return NULL;
}

const char *url_query_fault(bp_str query)
{
    const char *at = query.data, *end = at + query.len;

    while (at < end) {
        if (ascii_is(*at, ASCII_QUERY)) {
            at++;
            continue;
        }
        if (*at == '#')
            return "a fragment ('#') stands in the request target";
        if (*at != '%')
            return "the query has a byte that must be percent-encoded";
        if (!is_escape(at, end))
            return "a '%' in the query is not followed by two hexadecimal digits";
        if (escape_value(at) == 0)
            return "the query contains %00";
        at += 3;
    }
    return NULL;
}

/* Copies one segment; only '/' and '%' keep an escape, in one spelling. */
static size_t normal_segment(const char *at, const char *end, char *out)
{
    size_t len = 0;

    while (at < end) {
        if (*at != '%' || !is_escape(at, end)) {
            out[len++] = *at++;
            continue;
        }
        char value = escape_value(at);
        if (value == '/' || value == '%') {
            memcpy(out + len, value == '/' ? "%2F" : "%25", 3);
            len += 3;
        } else {
            out[len++] = value;
        }
        at += 3;
    }
    return len;
}

size_t url_path_normalise(bp_str path, char *out)
{
    const char *end = path.data + path.len, *at = path.data;
    size_t len = 1; /* always ends behind a slash while in the loop, so that ".." is a walk back */

    out[0] = '/';
    while (at < end) {
        const char *stop = segment_end(at, end);
        unsigned    dots = segment_dots(at, stop);

        if (dots == 2 && len > 1) {
            len--;
            while (out[len - 1] != '/')
                len--;
        } else if (dots == 0 && stop > at) {
            len += normal_segment(at, stop, out + len);
            if (stop < end)
                out[len++] = '/';
        }
        at = stop + 1;
    }
    return len;
}

/* Escapes become bytes, and `blank` becomes a blank ('+' in a query; '\0' where none does). */
static size_t decode(bp_str raw, char blank, char *out)
{
    const char *at = raw.data, *end = at + raw.len;
    size_t      len = 0;

    while (at < end) {
        if (*at == '%' && is_escape(at, end)) {
            out[len++] = escape_value(at);
            at += 3;
        } else {
            out[len++] = blank && *at == blank ? ' ' : *at;
            at++;
        }
    }
    return len;
}

size_t url_decode_segment(bp_str segment, char *out)
{
    return decode(segment, '\0', out);
}

bool url_query_next(bp_str *rest, bp_str *name, bp_str *value)
{
    while (rest->len) {
        const char *pair = rest->data;
        const char *end = memchr(pair, '&', rest->len);
        size_t      len = end ? (size_t)(end - pair) : rest->len;
        const char *equals = memchr(pair, '=', len);

        rest->data += end ? len + 1 : len;
        rest->len -= end ? len + 1 : len;
        if (len == 0)
            continue;
        *name = bp_str_n(pair, equals ? (size_t)(equals - pair) : len);
        *value = equals ? bp_str_n(equals + 1, len - name->len - 1) : BP_STR("");
        return true;
    }
    return false;
}

size_t url_query_decode(bp_str raw, char *out)
{
    return decode(raw, '+', out);
}

bool url_query_name_is(bp_str raw_name, bp_str name)
{
    const char *at = raw_name.data, *end = at + raw_name.len;
    size_t      i = 0;

    while (at < end && i < name.len) {
        bool is_escaped = *at == '%' && is_escape(at, end);
        char byte = is_escaped ? escape_value(at) : *at == '+' ? ' ' : *at;

        if (byte != name.data[i++])
            return false;
        at += is_escaped ? 3 : 1;
    }
    return at == end && i == name.len;
}

static bool is_port(const char *at, const char *end)
{
    unsigned value = 0;

    if (at == end || end - at > 5)
        return false;
    for (; at < end; at++) {
        if (!ascii_is(*at, ASCII_DIGIT))
            return false;
        value = value * 10 + (unsigned)(*at - '0');
    }
    return value <= 65535;
}

const char *url_authority_fault(bp_str host)
{
    const char *at = host.data, *end = at + host.len;

    if (host.len == 0)
        return "the host is empty";
    if (*at == '[') {
        const char *close = memchr(at, ']', host.len);
        size_t      colons = 0;

        if (!close || close - at < 3)
            return "the host has a bracket but no IPv6 address in it";
        for (at++; at < close; at++) {
            if (!ascii_is(*at, ASCII_HEX) && *at != ':' && *at != '.')
                return "the host has a bracket but no IPv6 address in it";
            colons += *at == ':';
        }
        if (colons < 2)
            return "the host has a bracket but no IPv6 address in it";
        at = close + 1;
    } else {
        while (at < end && ascii_is(*at, ASCII_HOST))
            at++;
        if (at == host.data)
            return "the host has no name";
    }
    if (at < end && (*at != ':' || !is_port(at + 1, end)))
        return "the host is not a name or an address with an optional port";
    return NULL;
}
