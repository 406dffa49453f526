/* match.c - where a piece stands in a text: as it is written, or line by line but for blanks.
 *
 * Lines are numbered first, equal ones alike, and then numbers are compared, by the method of
 * Knuth, Morris and Pratt: it never looks at a line of the text twice, so that no text made for it
 * takes the square of its length in time.
 */
#define _GNU_SOURCE // memmem()
#include "match.h"
#include "diff.h"

enum { LINES_BETWEEN_LOOKS = 65536 }; /* at whether anybody still waits */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bp_str indent_of(bp_str line)
{
    size_t len = 0;

    while (len < line.len && is_blank(line.data[len]))
        len++;
    return bp_str_n(line.data, len);
}

static bp_str trim(bp_str line)
{
    size_t len = indent_of(line).len;

    line = bp_str_n(line.data + len, line.len - len);
    while (line.len && is_blank(line.data[line.len - 1]))
        line.len--;
    return line;
}

/* ---- as it is written ---- */

static size_t newlines_in(const char *from, const char *to)
{
    size_t count = 0;

    while (from < to && (from = memchr(from, '\n', (size_t)(to - from))) != NULL) {
        count++;
        from++;
    }
    return count;
}

void match_exact(bp_str text, bp_str old_text, bp_str new_text, struct match *match)
{
    const char *end = text.data + text.len, *from = text.data, *at = text.data, *found;
    size_t      line = 1;

    *match = (struct match){ .len = old_text.len, .put = new_text };
    while (match->count < MATCH_COUNT_MAX && (size_t)(end - at) >= old_text.len &&
           (found = memmem(at, (size_t)(end - at), old_text.data, old_text.len)) != NULL) {
        if (!match->count)
            match->start = (size_t)(found - text.data);
        if (match->count < MATCH_PLACES_MAX) {
            line += newlines_in(from, found);
            match->places[match->count] = line;
            from = found;
        }
        match->count++;
        at = found + 1;
    }
}

/* ---- line by line ---- */

/* The three texts as lines, and the numbers of the first two without blanks around. */
struct block {
    struct lines content, old, new;
    int32_t     *content_numbers, *old_numbers;
};

static bp_status trimmed(bp_call *call, const struct lines *lines, struct lines *out)
{
    *out = (struct lines){ BP_NEW_ARRAY(call, bp_str, lines->count + 1), lines->count };
    if (!out->items)
        return bp_fail(call, BP_NO_MEMORY, "no memory for %zu lines", lines->count);
    for (size_t i = 0; i < lines->count; i++)
        out->items[i] = trim(lines->items[i]);
    return BP_OK;
}

static bp_status number_block(bp_call *call, struct block *b)
{
    struct lines content, old;

    BP_TRY(trimmed(call, &b->content, &content));
    BP_TRY(trimmed(call, &b->old, &old));
    return lines_number(call, (const struct lines *[]){ &content, &old }, 2,
                        (int32_t * *[]){ &b->content_numbers, &b->old_numbers });
}

/* For each beginning of the wanted numbers: how long the longest other beginning is with which it
 * ends. */
static int32_t *borders_of(bp_call *call, const int32_t *wanted, size_t count)
{
    int32_t *borders = BP_NEW_ARRAY(call, int32_t, count + 1);

    if (!borders)
        return NULL;
    for (size_t i = 1, len = 0; i < count; i++) {
        while (len && wanted[i] != wanted[len])
            len = (size_t)borders[len - 1];
        len += wanted[i] == wanted[len];
        borders[i] = (int32_t)len;
    }
    return borders;
}

/* Counts the places; *first is the index of the line where the first one begins. */
static bp_status find_lines(bp_call *call, const struct block *b, struct match *match,
                            size_t *first)
{
    size_t   wanted = b->old.count, len = 0;
    int32_t *borders = borders_of(call, b->old_numbers, wanted);

    if (!borders)
        return bp_fail(call, BP_NO_MEMORY, "no memory to look for %zu lines", wanted);
    for (size_t i = 0; i < b->content.count && match->count < MATCH_COUNT_MAX; i++) {
        while (len && b->content_numbers[i] != b->old_numbers[len])
            len = (size_t)borders[len - 1];
        len += b->content_numbers[i] == b->old_numbers[len];
        if (i % LINES_BETWEEN_LOOKS == 0)
            BP_TRY(bp_cancelled(call));
        if (len < wanted)
            continue;
        if (!match->count)
            *first = i + 1 - wanted;
        if (match->count < MATCH_PLACES_MAX)
            match->places[match->count] = i + 2 - wanted;
        match->count++;
        len = (size_t)borders[len - 1];
    }
    return BP_OK;
}

/* ---- how it is indented there ---- */

/* The indent that lines of the old text have, and the one that they have at the place. */
struct shift {
    bp_str was, is;
};

/* Tabs for blanks, or blanks for tabs. */
static bool is_exchange(struct shift shift)
{
    return shift.was.len && shift.is.len && shift.was.data[0] != shift.is.data[0];
}

/* Whether the indent of another line goes the same way: as many blanks more or less, or as many
 * tabs for each. */
static bool is_alike(struct shift first, struct shift one)
{
    if (is_exchange(first))
        return one.was.len * first.is.len == one.is.len * first.was.len &&
               (!one.was.len || is_exchange(one));
    return (ptrdiff_t)one.is.len - (ptrdiff_t)one.was.len ==
           (ptrdiff_t)first.is.len - (ptrdiff_t)first.was.len;
}

static bool begins_with(bp_str text, bp_str with)
{
    return text.len >= with.len && (!with.len || memcmp(text.data, with.data, with.len) == 0);
}

/* The new line's indent at the place. A line that begins like the old text gets the other indent
 * for that; one indented less loses as much at the place, down to none. */
static void put_indent(bp_buf *out, struct shift shift, bp_str own)
{
    size_t lacks = shift.was.len > own.len ? shift.was.len - own.len : 0;

    if (!lacks && begins_with(own, shift.was)) {
        do {
            bp_buf_add(out, shift.is);
            own = bp_str_n(own.data + shift.was.len, own.len - shift.was.len);
        } while (is_exchange(shift) && begins_with(own, shift.was));
        bp_buf_add(out, own);
    } else if (lacks && begins_with(shift.was, own)) {
        size_t left = is_exchange(shift)     ? own.len * shift.is.len / shift.was.len
                      : shift.is.len > lacks ? shift.is.len - lacks
                                             : 0;

        bp_buf_add(out, bp_str_n(shift.is.data, left));
    } else {
        bp_buf_add(out, own); // blanks of another kind: there is no saying how wide they are
    }
}

/* How the lines of the old text are shifted at the place. */
enum evenness {
    ALL_ALIKE,         /* as the first one that is not blank */
    ALL_BUT_THE_FIRST, /* the first was copied from its middle on, the others stand as they were
                          written */
    RAGGED
};

static enum evenness find_shift(const struct block *b, size_t at, struct shift *first)
{
    bool   are_as_written = true, are_alike = true;
    size_t seen = 0;

    *first = (struct shift){ { "", 0 }, { "", 0 } };
    for (size_t i = 0; i < b->old.count; i++) {
        struct shift one = { indent_of(b->old.items[i]), indent_of(b->content.items[at + i]) };

        if (one.was.len == b->old.items[i].len)
            continue;
        if (seen++ == 0 || (!first->was.len && !first->is.len && is_exchange(one))) {
            *first = one;
            are_as_written = are_as_written && seen == 1;
            continue;
        }
        are_as_written = are_as_written && bp_str_equal(one.was, one.is);
        are_alike = are_alike && is_alike(*first, one);
    }
    return are_alike ? ALL_ALIKE : are_as_written ? ALL_BUT_THE_FIRST : RAGGED;
}

static bool next_written(const struct lines *lines, size_t *at)
{
    while (*at < lines->count && !trim(lines->items[*at]).len)
        ++*at;
    return *at < lines->count;
}

/* Where each line is shifted otherwise there is no telling what to do with one that has no old line
 * beside it. */
static bool have_as_many_lines(const struct block *b)
{
    size_t old = 0, new = 0;

    while (next_written(&b->old, &old) && next_written(&b->new, &new)) {
        old++;
        new ++;
    }
    return !next_written(&b->old, &old) && !next_written(&b->new, &new);
}

static bp_status put_new(bp_call *call, const struct block *b, size_t at, bool ends_line,
                         size_t max_bytes, bp_str *put)
{
    bp_buf       *out = bp_buf_new(call, max_bytes);
    size_t        beside = 0;
    struct shift  shift;
    enum evenness evenness = find_shift(b, at, &shift);

    if (evenness == RAGGED && !have_as_many_lines(b))
        return bp_fail(call, BP_INVALID,
                       "the lines of oldText are found, but not indented as they are in line %zu "
                       "and after it, and newText has another number of lines: write both with the "
                       "indentation of the file",
                       at + 1);
    for (size_t i = 0; i < b->new.count; i++) {
        bp_str line = b->new.items[i], own = indent_of(line);

        if (own.len == line.len) {
            bp_buf_add(out, line);
        } else {
            if (evenness == RAGGED && next_written(&b->old, &beside)) {
                shift = (struct shift){ indent_of(b->old.items[beside]),
                                        indent_of(b->content.items[at + beside]) };
                beside++;
            }
            put_indent(out, shift, own);
            bp_buf_add(out, bp_str_n(line.data + own.len, line.len - own.len));
            if (evenness == ALL_BUT_THE_FIRST)
                shift = (struct shift){ { "", 0 }, { "", 0 } };
        }
        if (i + 1 < b->new.count || ends_line)
            bp_buf_add(out, BP_STR("\n"));
        if (i % LINES_BETWEEN_LOOKS == 0)
            BP_TRY(bp_cancelled(call));
    }
    *put = bp_buf_str(out);
    if (bp_buf_status(out) == BP_TOO_LARGE)
        return bp_fail(call, BP_TOO_LARGE,
                       "the edited text has more than the %zu bytes that are allowed (max_file)",
                       max_bytes);
    return bp_buf_status(out);
}

/* Without the newline at its end; whether it had one. */
static bool cut_newline(bp_str *text)
{
    bool has_one = text->len && text->data[text->len - 1] == '\n';

    text->len -= has_one;
    return has_one;
}

bp_status match_lines(bp_call *call, bp_str text, bp_str old_text, bp_str new_text,
                      size_t max_bytes, struct match *match)
{
    bool takes_end = old_text.len > 1 && cut_newline(&old_text), has_new = new_text.len > 0,
         ends_line;
    const char  *end;
    struct block b;
    size_t       at = 0;
    bp_str       last;

    *match = (struct match){ .count = 0 };
    ends_line = takes_end && cut_newline(&new_text);
    BP_TRY(lines_split_at(call, text, &b.content));
    BP_TRY(lines_split_at(call, old_text, &b.old));
    BP_TRY(lines_split_at(call, new_text, &b.new));
    if (!has_new)
        b.new.count = 0;
    BP_TRY(number_block(call, &b));
    BP_TRY(find_lines(call, &b, match, &at));
    if (match->count != 1)
        return BP_OK;
    last = b.content.items[at + b.old.count - 1];
    end = last.data + last.len;
    end += takes_end && end < text.data + text.len; // whole lines: the last one's newline goes, too
    match->start = (size_t)(b.content.items[at].data - text.data);
    match->len = (size_t)(end - text.data) - match->start;
    return put_new(call, &b, at, ends_line, max_bytes, &match->put);
}
