/* mask.c - walks a text once and masks the secrets in it. */
#include "base/mask.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"

enum { TOKEN_BYTES_MIN = 8 };

static bool has(bp_str text, const char *part)
{
    return text.len && memmem(text.data, text.len, part, strlen(part)) != NULL;
}

/* Sixteen bytes at once, in whatever registers the machine has. */
typedef signed char byte_vector __attribute__((vector_size(16)));
typedef uint64_t    word_vector __attribute__((vector_size(16)));

/* A byte of each thing that is looked for, which ids, names and paths have not. */
static bool has_mark(bp_str text)
{
    byte_vector found = { 0 };
    char        end[16] = { 0 };
    word_vector words;

    for (size_t at = 0; at < text.len; at += 16) {
        byte_vector bytes;

        if (at + 16 <= text.len) {
            memcpy(&bytes, text.data + at, 16);
        } else {
            memcpy(end, text.data + at, text.len - at);
            memcpy(&bytes, end, 16);
        }
        found |= (byte_vector)((bytes == ':') | (bytes == '=') | (bytes == ' '));
    }
    words = (word_vector)found;
    return (words[0] | words[1]) != 0;
}

static bool has_token(bp_str text)
{
    const char *end = text.data + text.len;

    for (const char *at = text.data; (at = memchr(at, ' ', (size_t)(end - at))) != NULL; at++)
        if (at - text.data >= 5 && memcmp(at - 5, "earer", 5) == 0)
            return true;
    return false;
}

/* What a password is assigned to in a connection string. */
static const char *const password_names[] = { "password=", "passwd=", "passphrase=" };

enum { PASSWORD_NAMES = sizeof(password_names) / sizeof(password_names[0]) };

static bool has_password(bp_str text)
{
    const char *end = text.data + text.len;

    for (const char *at = text.data; (at = memchr(at, '=', (size_t)(end - at))) != NULL; at++) {
        for (size_t i = 0; i < PASSWORD_NAMES; i++) {
            size_t before = strlen(password_names[i]) - 1;

            if ((size_t)(at - text.data) >= before &&
                str_equal_ignore_case(bp_str_n(at - before, before + 1),
                                      bp_str_of(password_names[i])))
                return true;
        }
    }
    return false;
}

/* Asked of each field of each line of the log. */
bool mask_is_needed(bp_str text)
{
    return has_mark(text) && (has(text, "://") || has_token(text) || has_password(text));
}

bool mask_is_secret_name(bp_str name)
{
    static const char *const words[] = { "auth", "key",    "token",     "secret",
                                         "pass", "cookie", "signature", "credential" };

    if (str_equal_ignore_case(name, BP_STR("sig")) || str_equal_ignore_case(name, BP_STR("code")) ||
        str_equal_ignore_case(name, BP_STR("pwd")))
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (size_t at = 0; at + strlen(words[i]) <= name.len; at++)
            if (str_equal_ignore_case(bp_str_n(name.data + at, strlen(words[i])),
                                      bp_str_of(words[i])))
                return true;
    return false;
}

static size_t run_until(bp_str text, size_t at, const char *ends)
{
    while (at < text.len && (unsigned char)text.data[at] > ' ' && !strchr(ends, text.data[at]))
        at++;
    return at;
}

/* Where a URL ends within a sentence: at a blank, a quote or a bracket. */
static const char url_ends[] = "\"'`<>(){}|\\";

static bp_str part(bp_str text, size_t from, size_t to)
{
    return bp_str_n(text.data + from, to - from);
}

/* Slack, Discord, Teams, Telegram: who knows the path may post. */
static bool is_webhook(bp_str url)
{
    for (size_t i = 0; i + 4 <= url.len; i++)
        if (str_equal_ignore_case(bp_str_n(url.data + i, 4), BP_STR("hook")))
            return true;
    return has(url, "/bot") && has(url, ":");
}

static void add_query(struct bp_buf *out, bp_str query)
{
    while (query.len) {
        size_t end = 1, equals;
        bp_str name;

        while (end < query.len && query.data[end] != '&' && query.data[end] != ';')
            end++;
        for (equals = 1; equals < end && query.data[equals] != '=';)
            equals++;
        name = part(query, 1, equals);
        if (equals < end && mask_is_secret_name(name)) {
            buf_add(out, part(query, 0, equals));
            buf_add(out, BP_STR("=***"));
        } else {
            buf_add(out, part(query, 0, end));
        }
        query = bp_str_n(query.data + end, query.len - end);
    }
}

/* From behind "://" on; gives where the URL ends. */
static size_t add_url(struct bp_buf *out, bp_str text, size_t from, bool hides_paths)
{
    size_t end = run_until(text, from, url_ends),
           host_end = run_until(part(text, 0, end), from, "/?#"), host = from;
    size_t query = run_until(part(text, 0, end), host_end, "?#"), second;
    bp_str whole = part(text, from, end);

    for (size_t i = from; i < host_end; i++)
        if (text.data[i] == '@')
            host = i;
    if (host > from)
        buf_add(out, BP_STR("***"));
    buf_add(out, part(text, host, host_end));
    if ((hides_paths || is_webhook(whole)) && host_end + 1 < end) {
        second = run_until(part(text, 0, query), host_end + 1, "/");
        if (!hides_paths && second < query && !bp_str_starts(part(text, host_end, second), "/bot"))
            buf_add(out, part(text, host_end, second));
        buf_add(out, BP_STR("/***"));
        return end;
    }
    buf_add(out, part(text, host_end, query));
    if (query < end)
        add_query(out, part(text, query, end));
    return end;
}

/* password=x, passwd=x, sslpassword='x y' of a connection string; 0: none begins here. */
static size_t skip_assignment(bp_str text, size_t at)
{
    for (size_t i = 0; i < PASSWORD_NAMES; i++) {
        const char *name = password_names[i];
        size_t      len = strlen(name), end = at + len;

        if (at + len > text.len ||
            !str_equal_ignore_case(bp_str_n(text.data + at, len), bp_str_of(name)))
            continue;
        if (end < text.len && text.data[end] == '\'') {
            for (end++; end < text.len && text.data[end] != '\'';)
                end += text.data[end] == '\\' ? 2 : 1;
            return end < text.len ? end + 1 : text.len;
        }
        end = run_until(text, end, "&\"',;)");
        return end > at + len ? end : 0;
    }
    return 0;
}

bp_str mask_secrets(struct arena *arena, bp_str text, bool hides_paths)
{
    struct bp_buf out;

    if (!mask_is_needed(text))
        return text;
    buf_init(&out, arena, text.len * 2 + 64);
    for (size_t at = 0; at < text.len;) {
        bp_str rest = part(text, at, text.len);
        size_t end = skip_assignment(text, at);

        if (end) {
            size_t equals = run_until(text, at, "=");

            buf_add(&out, part(text, at, equals));
            buf_add(&out, BP_STR("=***"));
            at = end;
        } else if (bp_str_starts(rest, "://")) {
            buf_add(&out, BP_STR("://"));
            at = add_url(&out, text, at + 3, hides_paths);
        } else if (bp_str_starts(rest, "earer ") &&
                   run_until(text, at + 6, "\"',;)") >= at + 6 + TOKEN_BYTES_MIN) {
            buf_add(&out, BP_STR("earer ***"));
            at = run_until(text, at + 6, "\"',;)");
        } else {
            buf_add_char(&out, text.data[at++]);
        }
    }
    return buf_str(&out);
}
