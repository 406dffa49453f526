/* chunk.c - a text becomes passages: by headings, then paragraphs, then sentences, then words.
 *
 * The text is cut into units (a paragraph, a list item, a table, a fenced block; a sentence or a
 * run of words where one of these is too long), and units are packed into chunks up to the limit. A
 * chunk never crosses a heading. The next chunk of the same section begins with the last units of
 * the one before, up to the overlap.
 */
#include "retrieval.h"

enum { HEADING_BYTES_MAX = 200 };

struct unit {
    size_t start, end, tokens;
    bp_str heading;
};

struct units {
    bp_call     *call;
    bp_str       text;
    struct unit *items;
    size_t       count, capacity;
    size_t       token_limit;
};

size_t chunk_estimate_tokens(bp_str text)
{
    size_t plain = 0, other = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x80)
            plain++;
        else if ((c & 0xC0) != 0x80)
            other++;
    }
    return plain / 4 + other + 1;
}

bp_str chunk_cut(bp_str text, size_t most)
{
    if (text.len <= most)
        return text;
    while (most > 0 && ((unsigned char)text.data[most] & 0xC0) == 0x80)
        most--;
    return bp_str_n(text.data, most);
}

static bp_status add_unit(struct units *units, size_t start, size_t end, bp_str heading)
{
    while (start < end && (unsigned char)units->text.data[start] <= ' ')
        start++;
    while (end > start && (unsigned char)units->text.data[end - 1] <= ' ')
        end--;
    if (start == end)
        return BP_OK;
    if (units->count == units->capacity) {
        size_t       capacity = units->capacity ? units->capacity * 2 : 64;
        struct unit *items = BP_NEW_ARRAY(units->call, struct unit, capacity);

        if (!items)
            return BP_NO_MEMORY;
        if (units->count)
            memcpy(items, units->items, units->count * sizeof(*items));
        units->items = items;
        units->capacity = capacity;
    }
    units->items[units->count++] = (struct unit){
        start, end, chunk_estimate_tokens(bp_str_n(units->text.data + start, end - start)), heading
    };
    return BP_OK;
}

/* ---- a block that is too long: by sentences, and by words where a sentence is too long as well
 * ---- */

static bool ends_sentence(bp_str text, size_t at, size_t end)
{
    char c = text.data[at];

    if (c != '.' && c != '!' && c != '?' && c != '\n')
        return false;
    return at + 1 >= end || (unsigned char)text.data[at + 1] <= ' ';
}

static size_t back_to_blank(bp_str text, size_t start, size_t at)
{
    size_t blank = at;

    while (blank > start && (unsigned char)text.data[blank] > ' ')
        blank--;
    if (blank > start)
        return blank;
    while (at > start && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at--; // no blank anywhere: at least not within a character
    return at;
}

static bp_status add_long(struct units *units, size_t start, size_t end, bp_str heading)
{
    size_t most = units->token_limit * 3, begin = start;

    for (size_t at = start; at < end; at++) {
        if (ends_sentence(units->text, at, end)) {
            BP_TRY(add_unit(units, begin, at + 1, heading));
            begin = at + 1;
        } else if (at - begin >= most) {
            size_t cut = back_to_blank(units->text, begin, at);

            if (cut == begin)
                cut = at;
            BP_TRY(add_unit(units, begin, cut, heading));
            begin = cut;
            at = cut;
        }
    }
    return add_unit(units, begin, end, heading);
}

static bp_status add_block(struct units *units, size_t start, size_t end, bp_str heading)
{
    if (chunk_estimate_tokens(bp_str_n(units->text.data + start, end - start)) <=
        units->token_limit)
        return add_unit(units, start, end, heading);
    return add_long(units, start, end, heading);
}

/* ---- blocks ---- */

static size_t line_end(bp_str text, size_t at)
{
    const char *newline = at < text.len ? memchr(text.data + at, '\n', text.len - at) : NULL;

    return newline ? (size_t)(newline - text.data) : text.len;
}

static bool is_blank(bp_str text, size_t start, size_t end)
{
    for (; start < end; start++)
        if ((unsigned char)text.data[start] > ' ')
            return false;
    return true;
}

/* 1 to 6 for "# ..." to "###### ...", else 0. */
static unsigned heading_level(bp_str text, size_t start, size_t end)
{
    unsigned level = 0;

    while (start < end && text.data[start] == '#') {
        level++;
        start++;
    }
    return level <= 6 && level > 0 && start < end && text.data[start] == ' ' ? level : 0;
}

static bool is_fence(bp_str text, size_t start, size_t end)
{
    while (start < end && text.data[start] == ' ')
        start++;
    return end - start >= 3 &&
           (memcmp(text.data + start, "```", 3) == 0 || memcmp(text.data + start, "~~~", 3) == 0);
}

struct headings {
    bp_str levels[6];
};

static bp_str heading_path(bp_call *call, const struct headings *headings)
{
    bp_str path = { "", 0 };

    for (int i = 0; i < 6; i++) {
        if (!headings->levels[i].len)
            continue;
        path = path.len
                   ? bp_format(call, BP_FMT " > " BP_FMT, BP_ARG(path), BP_ARG(headings->levels[i]))
                   : headings->levels[i];
    }
    return path;
}

static void enter_heading(struct headings *headings, bp_str text, size_t start, size_t end,
                          unsigned level)
{
    start += level;
    while (start < end && (text.data[start] == ' ' || text.data[start] == '\t'))
        start++;
    while (end > start && ((unsigned char)text.data[end - 1] <= ' ' || text.data[end - 1] == '#'))
        end--;
    for (unsigned i = level - 1; i < 6; i++)
        headings->levels[i] = bp_str_n(NULL, 0);
    headings->levels[level - 1] = chunk_cut(bp_str_n(text.data + start, end - start),
                                            HEADING_BYTES_MAX);
}

static size_t past_fence(bp_str text, size_t at)
{
    for (at = line_end(text, at) + 1; at < text.len; at = line_end(text, at) + 1)
        if (is_fence(text, at, line_end(text, at)))
            return line_end(text, at) + 1;
    return text.len;
}

static bp_status find_units(struct units *units, bool is_markdown)
{
    bp_str          text = units->text, path = { "", 0 };
    struct headings headings = { 0 };
    size_t          begin = 0;

    for (size_t at = 0; at < text.len;) {
        size_t   end = line_end(text, at), next = end < text.len ? end + 1 : text.len;
        unsigned level = is_markdown ? heading_level(text, at, end) : 0;

        if (level) {
            BP_TRY(add_block(units, begin, at, path));
            enter_heading(&headings, text, at, end, level);
            path = heading_path(units->call, &headings);
            begin = next;
        } else if (is_markdown && is_fence(text, at, end)) {
            next = past_fence(text, at); // with what stands before it, as that introduces it
        } else if (is_blank(text, at, end)) {
            BP_TRY(add_block(units, begin, at, path));
            begin = next;
        }
        at = next;
    }
    return add_block(units, begin, text.len, path);
}

/* ---- packing ---- */

static size_t step_back(const struct units *units, size_t first, size_t next, size_t overlap)
{
    size_t tokens = 0;

    while (next > first + 1 && tokens + units->items[next - 1].tokens <= overlap)
        tokens += units->items[--next].tokens;
    return next;
}

static void count_chars(bp_str text, struct chunk *chunks, size_t count)
{
    size_t at = 0, chars = 0;

    // Chunks begin in rising order, but may overlap: ends are counted from the starts.
    for (size_t i = 0; i < count; i++) {
        size_t end_chars;

        for (; at < chunks[i].start; at++)
            chars += ((unsigned char)text.data[at] & 0xC0) != 0x80;
        chunks[i].start_char = end_chars = chars;
        for (size_t k = at; k < chunks[i].end; k++)
            end_chars += ((unsigned char)text.data[k] & 0xC0) != 0x80;
        chunks[i].end_char = end_chars;
    }
}

bp_status chunk_text(bp_call *call, bp_str text, bool is_markdown,
                     const struct chunk_limits *limits, struct chunk **chunks, size_t *count)
{
    struct units units = { .call = call, .text = text, .token_limit = limits->tokens };

    *count = 0;
    BP_TRY(find_units(&units, is_markdown));
    *chunks = BP_NEW_ARRAY(call, struct chunk, units.count + 1); // a title alone is a passage, too
    if (!*chunks)
        return BP_NO_MEMORY;
    for (size_t first = 0; first < units.count;) {
        size_t tokens = units.items[first].tokens, next = first + 1;

        while (next < units.count && tokens + units.items[next].tokens <= limits->tokens &&
               bp_str_equal(units.items[next].heading, units.items[first].heading))
            tokens += units.items[next++].tokens;
        (*chunks)[(*count)++] = (struct chunk){ .start = units.items[first].start,
                                                .end = units.items[next - 1].end,
                                                .heading = units.items[first].heading };
        if (next < units.count &&
            bp_str_equal(units.items[next].heading, units.items[first].heading))
            next = step_back(&units, first, next, limits->overlap);
        first = next;
    }
    count_chars(text, *chunks, *count);
    return BP_OK;
}
