/* sentence.c - where a sentence ends. A full stop is no end behind an abbreviation, an initial, or
 * before a small letter; a list item, a table row, a heading and a line of code each end with their
 * line. */
#include "sentence.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bp_str trim(bp_str text)
{
    while (text.len && (is_blank(text.data[0]) || text.data[0] == '\n'))
        text = bp_str_n(text.data + 1, text.len - 1);
    while (text.len && (is_blank(text.data[text.len - 1]) || text.data[text.len - 1] == '\n'))
        text.len--;
    return text;
}

static bp_str line_at(bp_str passage, size_t at)
{
    const char *start = passage.data + at;
    const char *end = memchr(start, '\n', passage.len - at);
    return bp_str_n(start, end ? (size_t)(end - start) : passage.len - at);
}

static bool is_fence(bp_str line)
{
    line = trim(line);
    return bp_str_starts(line, "```") || bp_str_starts(line, "~~~");
}

/* Bytes of a list marker with the blanks behind it; 0: none. */
static size_t marker_length(bp_str line)
{
    size_t at = 0, digits = 0;

    while (at < line.len && is_blank(line.data[at]))
        at++;
    if (at < line.len && strchr("-*+", line.data[at])) {
        at++;
    } else if (at + 3 <= line.len && memcmp(line.data + at, "\xe2\x80\xa2", 3) == 0) {
        at += 3; /* a bullet */
    } else {
        while (at + digits < line.len && line.data[at + digits] >= '0' &&
               line.data[at + digits] <= '9')
            digits++;
        if (digits < 1 || digits > 3 || at + digits >= line.len ||
            !strchr(".)", line.data[at + digits]))
            return 0;
        at += digits + 1;
    }
    if (at >= line.len || !is_blank(line.data[at]))
        return 0;
    while (at < line.len && is_blank(line.data[at]))
        at++;
    return at;
}

static bool is_table_row(bp_str line)
{
    return line.len && line.data[0] == '|';
}

/* |---|:--:| under a table's head. */
static bool is_table_rule(bp_str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] != '|' && line.data[i] != '-' && line.data[i] != ':' &&
            !is_blank(line.data[i]))
            return false;
    return is_table_row(line);
}

/* A line that stands for itself, so that prose before it ends. */
static bool stands_alone(bp_str line)
{
    bp_str text = trim(line);
    return text.len == 0 || text.data[0] == '#' || is_table_row(text) || is_fence(line) ||
           marker_length(line) > 0;
}

/* ---- prose ---- */

static bool is_abbreviation(bp_str passage, size_t stop)
{
    static const char *const known[] = {
        "mr",   "mrs",  "ms",  "dr",  "prof", "sr",     "jr",   "st",  "vs",   "etc",
        "e.g",  "i.e",  "eg",  "ie",  "cf",   "approx", "no",   "fig", "figs", "eq",
        "sec",  "ch",   "vol", "pp",  "ed",   "eds",    "inc",  "ltd", "corp", "co",
        "dept", "est",  "al",  "jan", "feb",  "mar",    "apr",  "jun", "jul",  "aug",
        "sep",  "sept", "oct", "nov", "dec",  "ca",     "resp", "z.b", "u.s",  "u.k"
    };
    size_t start = stop;
    char   word[12];
    size_t len;

    while (start > 0 && ((passage.data[start - 1] | 0x20) >= 'a') &&
           ((passage.data[start - 1] | 0x20) <= 'z'))
        start--;
    while (start >= 2 && passage.data[start - 1] == '.' &&
           (passage.data[start - 2] | 0x20) >= 'a' && (passage.data[start - 2] | 0x20) <= 'z' &&
           stop - start < 8)
        start -= 2;
    len = stop - start;
    if (len == 0 || len >= sizeof(word))
        return false;
    for (size_t i = 0; i < len; i++)
        word[i] = (char)(passage.data[start + i] == '.' ? '.' : passage.data[start + i] | 0x20);
    word[len] = '\0';
    if (len == 1 && passage.data[start] >= 'A' && passage.data[start] <= 'Z' &&
        passage.data[start] != 'I')
        return true; /* an initial */
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

/* The place behind a sentence that ends at `at` (with its quotes and brackets), or 0 when none ends
 * there. */
static size_t end_at(bp_str passage, size_t at)
{
    size_t next = at + 1;
    char   c = passage.data[at];

    /* The full stops of Chinese and Japanese need no blank behind them. */
    if (at + 3 <= passage.len && (memcmp(passage.data + at, "\xe3\x80\x82", 3) == 0 ||
                                  memcmp(passage.data + at, "\xef\xbc\x81", 3) == 0 ||
                                  memcmp(passage.data + at, "\xef\xbc\x9f", 3) == 0))
        return at + 3;
    if (c != '.' && c != '!' && c != '?')
        return 0;
    while (next < passage.len && strchr(".!?\"')]", passage.data[next]))
        next++;
    if (next + 3 <= passage.len && (memcmp(passage.data + next, "\xe2\x80\x9d", 3) == 0 ||
                                    memcmp(passage.data + next, "\xe2\x80\x99", 3) == 0))
        next += 3;
    if (next < passage.len && !is_blank(passage.data[next]) && passage.data[next] != '\n')
        return 0;
    if (c == '.' && is_abbreviation(passage, at))
        return 0;
    for (size_t after = next; after < passage.len; after++)
        if (!is_blank(passage.data[after]) && passage.data[after] != '\n')
            return passage.data[after] >= 'a' && passage.data[after] <= 'z' ? 0 : next;
    return next;
}

/* From `at`, which is no blank, to the end of the sentence or of the paragraph. */
static size_t prose_end(bp_str passage, size_t at)
{
    for (size_t i = at; i < passage.len; i++) {
        size_t end;
        if (passage.data[i] == '\n' && i + 1 < passage.len && stands_alone(line_at(passage, i + 1)))
            return i;
        end = end_at(passage, i);
        if (end)
            return end;
    }
    return passage.len;
}

/* ---- the walk ---- */

bool sentence_next(bp_str passage, struct sentence_cursor *cursor, struct sentence *sentence)
{
    while (cursor->at < passage.len) {
        size_t at = cursor->at;
        bool   is_line_start = at == 0 || passage.data[at - 1] == '\n';
        bp_str line = line_at(passage, at), text = trim(line);

        if (is_line_start && is_fence(line)) {
            cursor->is_in_code = !cursor->is_in_code;
            cursor->at += line.len + 1;
            continue;
        }
        if (!text.len) {
            cursor->at += line.len + 1;
            continue;
        }
        if (cursor->is_in_code) {
            *sentence = (struct sentence){ text, SENTENCE_CODE };
            cursor->at += line.len + 1;
            return true;
        }
        if (is_line_start && (text.data[0] == '#' || is_table_row(text) || marker_length(line))) {
            size_t marker = marker_length(line);
            bool   is_heading = text.data[0] == '#';
            cursor->at += line.len + 1;
            if (is_table_rule(text))
                continue;
            if (marker)
                text = trim(bp_str_n(line.data + marker, line.len - marker));
            while (is_heading && text.len && (text.data[0] == '#' || is_blank(text.data[0])))
                text = bp_str_n(text.data + 1, text.len - 1);
            *sentence = (struct sentence){ text, is_heading ? SENTENCE_HEADING : SENTENCE_ITEM };
            if (text.len)
                return true;
            continue;
        }
        while (is_blank(passage.data[at]))
            at++;
        cursor->at = prose_end(passage, at);
        *sentence = (struct sentence){ trim(bp_str_n(passage.data + at, cursor->at - at)),
                                       SENTENCE_PROSE };
        if (sentence->text.len)
            return true;
    }
    return false;
}
