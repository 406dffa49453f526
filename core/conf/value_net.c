/* value_net.c - reads URLs and addresses as far as a conf needs: scheme, host and port are well
 * formed. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"
#include "conf/value.h"

enum { MAX_HOST_BYTES = 253, MAX_UNIX_PATH_BYTES = 107 };

static bool has_blank_or_control(bp_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= 0x20 || text.data[i] == 0x7F)
            return true;
    return false;
}

static bool is_port(bp_str text)
{
    uint64_t port;

    return text.len <= 5 && str_to_uint(text, &port) && port <= 65535;
}

/* A name or an IPv4 address: letters, digits, dots, hyphens and underscores. */
static bool is_host(bp_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_letter && c != '.' && c != '-' && c != '_')
            return false;
    }
    return host.len && host.len <= MAX_HOST_BYTES && host.data[0] != '-' && host.data[0] != '.';
}

static bool is_ipv6(bp_str text)
{
    char            copy[64];
    struct in6_addr address;

    if (text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

/* Splits "host", "host:port", "[v6]" and "[v6]:port"; false when it is none of them. */
static bool split_host(bp_str text, bp_str *host, bool *has_port, bp_str *port)
{
    const char *close;
    bp_str      rest;

    *has_port = false;
    *port = (bp_str){ 0 };
    if (text.len && text.data[0] == '[') {
        close = memchr(text.data, ']', text.len);
        if (!close)
            return false;
        *host = bp_str_n(text.data + 1, (size_t)(close - text.data) - 1);
        rest = bp_str_n(close + 1, text.len - host->len - 2);
        if (!is_ipv6(*host) || (rest.len && rest.data[0] != ':'))
            return false;
        *has_port = rest.len > 0;
        if (*has_port)
            *port = bp_str_n(rest.data + 1, rest.len - 1);
        return true;
    }
    *host = str_split(text, ':', port);
    *has_port = host->len < text.len;
    return true;
}

const char *value_address(bp_str text, struct value_hint *hint)
{
    static const char *const wrong = "is not an address (write host:port, [IPv6]:port, :port or "
                                     "unix:/path)";
    bp_str                   host, port;
    bool                     has_port;

    if (bp_str_starts(text, "unix:")) {
        if (text.len < 7 || text.data[5] != '/')
            return "is not an address (write unix: and an absolute path)";
        return text.len - 5 > MAX_UNIX_PATH_BYTES
                   ? "is longer than the 107 bytes of a Unix socket's path"
                   : NULL;
    }
    if (is_port(text)) {
        snprintf(hint->text, sizeof(hint->text), ":" BP_FMT, BP_ARG(text));
        return wrong;
    }
    if (has_blank_or_control(text) || !split_host(text, &host, &has_port, &port))
        return wrong;
    if (text.len && text.data[0] != '[' && port.len && memchr(port.data, ':', port.len)) {
        // IPv6 without brackets: the last group may or may not be a port, so only the whole is a
        // sure guess.
        if (is_ipv6(text) && text.len < 64)
            snprintf(hint->text, sizeof(hint->text), "[" BP_FMT "]:8000", BP_ARG(text));
        return wrong;
    }
    if (text.len && text.data[0] != '[' && host.len && !is_host(host))
        return wrong;
    if (!has_port)
        return host.len ? "has no port (write host:port)" : wrong;
    return is_port(port) ? NULL : "has no port from 0 to 65535 behind its colon";
}

bool address_is_loopback(bp_str address)
{
    bp_str host, port;
    bool   has_port;

    if (bp_str_starts(address, "unix:"))
        return true;
    if (!split_host(address, &host, &has_port, &port))
        return false;
    return bp_str_is(host, "localhost") || bp_str_is(host, "::1") ||
           (bp_str_starts(host, "127.") && is_host(host));
}

static bool scheme_is_allowed(bp_str scheme, const char *schemes, bp_str *nearest)
{
    bp_str rest = bp_str_of(schemes);

    *nearest = (bp_str){ 0 };
    while (rest.len) {
        bp_str allowed = choice_next(rest, &rest);

        if (str_equal_ignore_case(scheme, allowed))
            return true;
        if (nearest->len == 0 && str_is_near(scheme, allowed))
            *nearest = allowed;
    }
    return false;
}

static const char *check_host_and_port(bp_str text)
{
    bp_str host, port;
    bool   has_port;

    if (!split_host(text, &host, &has_port, &port))
        return "is not a URL (its host is not well formed)";
    if (text.data[0] != '[' && !is_host(host))
        return "is not a URL (its host is not well formed)";
    return has_port && !is_port(port) ? "is not a URL (its port is not a number from 0 to 65535)"
                                      : NULL;
}

/* Databases may have several hosts, separated by commas, one of them perhaps the escaped path of a
 * socket. */
static const char *check_authority(bp_str authority, bool is_http)
{
    const char *problem = NULL;

    for (size_t i = authority.len; i > 0; i--)
        if (authority.data[i - 1] == '@') {
            authority = bp_str_n(authority.data + i, authority.len - i);
            break;
        }
    if (authority.len == 0)
        return is_http ? "is not a URL (it names no host)" : NULL;
    if (is_http)
        return check_host_and_port(authority);
    while (authority.len && !problem) {
        const char *comma = memchr(authority.data, ',', authority.len);
        bp_str      one = bp_str_n(authority.data,
                              comma ? (size_t)(comma - authority.data) : authority.len);
        size_t      used = one.len + (comma ? 1 : 0);

        if (!bp_str_starts(one, "%2F") && !bp_str_starts(one, "%2f"))
            problem = one.len ? check_host_and_port(one)
                              : "is not a URL (one of its hosts is empty)";
        authority = bp_str_n(authority.data + used, authority.len - used);
    }
    return problem;
}

/* "... understood here (redis, rediss, unix)". Spellings of other languages, "postgresql+asyncpg",
 * go without saying. */
static const char *name_schemes(bp_str all, struct value_hint *hint)
{
    const size_t size = sizeof(hint->problem) - 1;
    size_t       used = (size_t)snprintf(hint->problem, size,
                                         "is not a URL with a scheme that is understood here");
    const char  *before = " (";

    for (bp_str rest = all; rest.len;) {
        bp_str scheme = choice_next(rest, &rest);

        if (memchr(scheme.data, '+', scheme.len) || used + scheme.len + 4 > size)
            continue;
        used += (size_t)snprintf(hint->problem + used, size - used, "%s" BP_FMT, before,
                                 BP_ARG(scheme));
        before = ", ";
    }
    hint->problem[used] = before[0] == ',' ? ')' : '\0';
    hint->problem[used + 1] = '\0';
    return hint->problem;
}

const char *value_url(bp_str text, const char *schemes, struct value_hint *hint)
{
    const char *colon = text.len ? memchr(text.data, ':', text.len) : NULL;
    bp_str      scheme, rest, nearest, authority = { 0 }, first;
    bp_str      all = bp_str_of(schemes ? schemes : "http|https");
    size_t      end = 0;

    if (has_blank_or_control(text))
        return "is not a URL (it has a blank in it)";
    first = choice_next(all, &rest);
    if (!colon || text.len - (size_t)(colon - text.data) < 3 || memcmp(colon, "://", 3) != 0) {
        if (text.len && text.len < 200)
            snprintf(hint->text, sizeof(hint->text), BP_FMT "://" BP_FMT, BP_ARG(first),
                     BP_ARG(text));
        return "is not a URL (it has no scheme)";
    }
    scheme = bp_str_n(text.data, (size_t)(colon - text.data));
    rest = bp_str_n(colon + 3, text.len - scheme.len - 3);
    if (!scheme_is_allowed(scheme, all.data, &nearest)) {
        if (nearest.len && rest.len < 200)
            snprintf(hint->text, sizeof(hint->text), BP_FMT "://" BP_FMT, BP_ARG(nearest),
                     BP_ARG(rest));
        return nearest.len ? "is not a URL" : name_schemes(all, hint);
    }
    while (end < rest.len && !strchr("/?#", rest.data[end]))
        end++;
    authority = bp_str_n(rest.data, end);
    return check_authority(authority, bp_str_starts(text, "http"));
}
