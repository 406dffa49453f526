/* glob.c - whether a path fits a pattern, in bounded time.
 *
 * Both "*" in a name and "**" among names can stand for anything, and for both the first attempt
 * that goes on is as good as any: if what follows does not fit, only the last star has to take
 * more. So one place to go back to is enough at each of the two levels, and no pattern makes the
 * work explode. Names that begin with a dot are names like others.
 */
#include "glob.h"

enum { PATTERNS_MAX = 1000, PATTERN_BYTES_MAX = 4096, STEPS_BETWEEN_LOOKS = 1 << 20 };

/* ---- braces ---- */

struct expansion {
    bp_call     *call;
    struct glob *glob;
};

/* The end of the group that opens at `at`: its closing brace; 0: it is none, for it has no comma or
 * no end. */
static size_t group_end(bp_str text, size_t at)
{
    int  depth = 0;
    bool has_comma = false;

    for (size_t i = at; i < text.len; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == '{')
            depth++;
        else if (text.data[i] == ',' && depth == 1)
            has_comma = true;
        else if (text.data[i] == '}' && --depth == 0)
            return has_comma ? i : 0;
    }
    return 0;
}

static bp_status add_pattern(struct expansion *to, bp_str pattern)
{
    if (to->glob->count == PATTERNS_MAX)
        return bp_fail(to->call, BP_INVALID,
                       "the braces of the pattern stand for more than %d patterns", PATTERNS_MAX);
    if ((to->glob->count & (to->glob->count - 1)) == 0) { // grows to the next power of two
        bp_str *more = BP_NEW_ARRAY(to->call, bp_str, to->glob->count ? 2 * to->glob->count : 1);

        if (!more)
            return bp_fail(to->call, BP_NO_MEMORY, "no memory for a pattern");
        if (to->glob->count)
            memcpy(more, to->glob->items, to->glob->count * sizeof(*more));
        to->glob->items = more;
    }
    to->glob->items[to->glob->count++] = pattern;
    return BP_OK;
}

static bp_status expand(struct expansion *to, bp_str pattern, int depth)
{
    size_t open = 0, close = 0, start;

    BP_TRY(bp_cancelled(to->call));
    if (depth > 16)
        return bp_fail(to->call, BP_INVALID, "the pattern has more than 16 groups of braces");
    for (; open < pattern.len && !close; open++) {
        if (pattern.data[open] == '\\')
            open++;
        else if (pattern.data[open] == '{')
            close = group_end(pattern, open);
    }
    if (!close)
        return add_pattern(to, pattern);
    open--;
    start = open + 1;
    for (size_t i = start, nested = 0; i <= close; i++) {
        char   c = pattern.data[i];
        bp_str one;

        if (c == '\\' && i < close) {
            i++;
            continue;
        }
        nested += c == '{';
        if (nested && c == '}' && i < close)
            nested--;
        if (i != close && (c != ',' || nested))
            continue;
        one = bp_format(to->call, "%.*s%.*s%.*s", (int)open, pattern.data, (int)(i - start),
                        pattern.data + start, (int)(pattern.len - close - 1),
                        pattern.data + close + 1);
        BP_TRY(expand(to, one, depth + 1));
        start = i + 1;
    }
    return BP_OK;
}

static bool has_range(bp_str pattern)
{
    bool is_open = false;

    for (size_t i = 0; i + 1 < pattern.len; i++) {
        if (pattern.data[i] == '{' || pattern.data[i] == ',' || pattern.data[i] == '}')
            is_open = pattern.data[i] == '{';
        else if (is_open && pattern.data[i] == '.' && pattern.data[i + 1] == '.')
            return true;
    }
    return false;
}

bp_status glob_make(bp_call *call, bp_str pattern, struct glob *glob)
{
    struct expansion to = { call, glob };

    *glob = (struct glob){ NULL, 0, false };
    if (pattern.len > PATTERN_BYTES_MAX)
        return bp_fail(call, BP_INVALID, "the pattern has %zu bytes, more than %d", pattern.len,
                       PATTERN_BYTES_MAX);
    for (size_t i = 1; i < pattern.len; i++)
        if (pattern.data[i] == '(' && strchr("?*+@!", pattern.data[i - 1]) && pattern.data[i - 1])
            return bp_fail(call, BP_INVALID,
                           "the pattern \"" BP_FMT
                           "\" has a group like +(a|b), which is not understood here: use {a,b}",
                           BP_ARG(pattern));
    if (has_range(pattern))
        return bp_fail(call, BP_INVALID,
                       "the pattern \"" BP_FMT "\" has a range like {1..9}, which is not "
                       "understood here: use {1,2,3} or [1-9]",
                       BP_ARG(pattern));
    while (pattern.len && pattern.data[0] == '!') {
        glob->is_negated = !glob->is_negated;
        pattern = bp_str_n(pattern.data + 1, pattern.len - 1);
    }
    while (pattern.len > 1 && bp_str_starts(pattern, "./"))
        pattern = bp_str_n(pattern.data + 2, pattern.len - 2);
    return expand(&to, pattern, 0);
}

/* ---- one name ---- */

static size_t character(const char *at, size_t len)
{
    size_t size = 1;

    while (size < len && ((unsigned char)at[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static uint32_t code_of(const char *at, size_t size)
{
    uint32_t code = (unsigned char)at[0];

    for (size_t i = 1; i < size; i++)
        code = code << 8 | (unsigned char)at[i]; // UTF-8 sorts as its characters do
    return code;
}

/* "[...]" at the beginning of the pattern: whether the character is in it, and how long it is; 0:
 * it has no end. */
static size_t class_fits(bp_str pattern, uint32_t wanted, bool *is_in)
{
    size_t i = 1, first;
    bool   is_negated = i < pattern.len && (pattern.data[i] == '!' || pattern.data[i] == '^'),
         found = false;

    i += is_negated;
    for (first = i; i < pattern.len && (pattern.data[i] != ']' || i == first);) {
        size_t   size;
        uint32_t low, high;

        if (pattern.data[i] == '\\' && i + 1 < pattern.len)
            i++;
        size = character(pattern.data + i, pattern.len - i);
        low = high = code_of(pattern.data + i, size);
        i += size;
        if (i + 1 < pattern.len && pattern.data[i] == '-' && pattern.data[i + 1] != ']') {
            i++;
            if (pattern.data[i] == '\\' && i + 1 < pattern.len)
                i++;
            size = character(pattern.data + i, pattern.len - i);
            high = code_of(pattern.data + i, size);
            i += size;
        }
        found |= wanted >= low && wanted <= high;
    }
    *is_in = found != is_negated;
    return i < pattern.len ? i + 1 : 0;
}

/* Whether the first part of the pattern, which is no star, fits the character; how long it is. */
static size_t step(bp_str pattern, const char *name, size_t size, bool *fits)
{
    size_t used = 0;

    if (pattern.data[0] == '[')
        used = class_fits(pattern, code_of(name, size), fits);
    if (used)
        return used;
    *fits = true;
    if (pattern.data[0] == '?')
        return 1;
    used = pattern.data[0] == '\\' && pattern.len > 1;
    *fits = pattern.len - used >= size && memcmp(pattern.data + used, name, size) == 0;
    return used + (*fits ? size : 1);
}

static bool goes_on(struct glob_work *work, size_t steps)
{
    work->steps_left -= (int64_t)steps;
    if (work->steps_left > 0 || work->status != BP_OK)
        return work->status == BP_OK;
    work->steps_left = STEPS_BETWEEN_LOOKS;
    work->status = bp_cancelled(work->call);
    return work->status == BP_OK;
}

static bool name_fits(bp_str pattern, bp_str name, struct glob_work *work)
{
    size_t p = 0, n = 0, star = SIZE_MAX, star_name = 0;

    if (!name.len)
        return !pattern.len; // "*" is at least one character
    while (n < name.len) {
        size_t size = character(name.data + n, name.len - n), used = 0;
        bool   fits = false;

        if (!goes_on(work, p < pattern.len && pattern.data[p] == '[' ? pattern.len - p : 1))
            return false;
        if (p < pattern.len && pattern.data[p] == '*') {
            star = ++p;
            star_name = n;
            continue;
        }
        if (p < pattern.len)
            used = step(bp_str_n(pattern.data + p, pattern.len - p), name.data + n, size, &fits);
        if (fits) {
            p += used;
            n += size;
        } else if (star != SIZE_MAX) {
            star_name += character(name.data + star_name, name.len - star_name);
            p = star;
            n = star_name;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

/* ---- paths ---- */

/* Cuts the next name off; false when there is none. `is_last`: it was the one behind the last
 * slash. */
static bool next_name(bp_str *rest, bool *is_over, bp_str *name)
{
    size_t len = 0;

    if (*is_over)
        return false;
    while (len < rest->len && rest->data[len] != '/')
        len++;
    *name = bp_str_n(rest->data, len);
    *is_over = len == rest->len;
    *rest = *is_over ? bp_str_n("", 0) : bp_str_n(rest->data + len + 1, rest->len - len - 1);
    return true;
}

struct names {
    bp_str rest;
    bool   is_over;
};

static bool path_fits(bp_str pattern, bp_str path, struct glob_work *work)
{
    struct names p = { pattern, false }, n = { path, false }, star_pattern = { { NULL, 0 }, true },
                 star_path = star_pattern;
    bool has_star = false;

    while (!n.is_over) {
        struct names at = n;
        bp_str       wanted, name;

        if (!goes_on(work, 8)) // a step of names costs more than one of letters
            return false;
        if (next_name(&p.rest, &p.is_over, &wanted)) {
            if (bp_str_is(wanted, "**")) {
                if (p.is_over)
                    return true;
                has_star = true;
                star_pattern = p;
                star_path = at;
                continue;
            }
            next_name(&n.rest, &n.is_over, &name);
            if (name_fits(wanted, name, work))
                continue;
        }
        if (!has_star || !next_name(&star_path.rest, &star_path.is_over, &name))
            return false;
        p = star_pattern;
        n = star_path;
    }
    return p.is_over; // "a/**" is what lies below a, not a itself
}

bool glob_fits(const struct glob *glob, bp_str path, struct glob_work *work)
{
    bool fits = false;

    for (size_t i = 0; i < glob->count && !fits; i++)
        fits = path_fits(glob->items[i], path, work);
    return work->status == BP_OK && fits != glob->is_negated;
}

static bool cut_end(bp_str *pattern, const char *end)
{
    size_t len = strlen(end);

    if (pattern->len <= len || memcmp(pattern->data + pattern->len - len, end, len) != 0)
        return false;
    pattern->len -= len;
    return true;
}

bool glob_fits_all_in(const struct glob *glob, bp_str directory, struct glob_work *work)
{
    bool fits = false;

    for (size_t i = 0; i < glob->count && !fits && !glob->is_negated; i++) {
        bp_str pattern = glob->items[i];

        if (cut_end(&pattern, "/**") || cut_end(&pattern, "/*"))
            fits = path_fits(pattern, directory, work);
    }
    return work->status == BP_OK && fits;
}
