/* diff.c - the shortest way from one text to another, line by line (E. Myers, "An O(ND) Difference
 * Algorithm", 1986).
 *
 * A way goes from (0,0) to (lines before, lines after): a step right drops a line, a step down adds
 * one, a diagonal step keeps one and costs nothing. furthest[k] is how far right one comes on the
 * diagonal k = x - y with d costly steps; the rows for d = 0, 1, 2, ... are kept, and the way is
 * read from them backwards. Texts that differ in more than COST_MAX lines, or take more than
 * STEPS_MAX comparisons, get a diff that is true but not the shortest: all between what they share
 * at both ends.
 */
#include "diff.h"

enum {
    COST_MAX = 1500,
    STEPS_MAX = 100000000,
    STEPS_BETWEEN_LOOKS = 1 << 20,
    CONTEXT = 4,
    NOWHERE = INT32_MIN
};

/* ---- lines ---- */

static bp_status lines_new(bp_call *call, bp_str text, struct lines *lines)
{
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    *lines = (struct lines){ BP_NEW_ARRAY(call, bp_str, count), 0 };
    if (!lines->items || count > INT32_MAX / 2)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a text of %zu lines", count);
    return BP_OK;
}

bp_status lines_split(bp_call *call, bp_str text, struct lines *lines)
{
    size_t start = 0;

    BP_TRY(lines_new(call, text, lines));
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n' || i + 1 == text.len) {
            lines->items[lines->count++] = bp_str_n(text.data + start, i + 1 - start);
            start = i + 1;
        }
    return BP_OK;
}

bp_status lines_split_at(bp_call *call, bp_str text, struct lines *lines)
{
    size_t start = 0;

    BP_TRY(lines_new(call, text, lines));
    for (size_t i = 0; i <= text.len; i++)
        if (i == text.len || text.data[i] == '\n') {
            lines->items[lines->count++] = bp_str_n(text.data + start, i - start);
            start = i + 1;
        }
    return BP_OK;
}

/* Lines by what they hold. The hash is a polynomial at a random place, modulo a prime: who writes
 * the lines cannot know which of them collide. */
struct line_table {
    struct {
        uint64_t hash;
        bp_str   line;
        int32_t  number; /* from 1 */
    } * slots;
    size_t   mask;
    uint64_t place;
    int32_t  count;
};

static uint64_t hash_of(const struct line_table *table, bp_str line)
{
    const uint64_t prime = (UINT64_C(1) << 61) - 1;
    uint64_t       hash = line.len + 1;

    for (size_t i = 0; i < line.len; i++) {
        __uint128_t product = (__uint128_t)hash * table->place + (unsigned char)line.data[i];

        hash = ((uint64_t)product & prime) + (uint64_t)(product >> 61);
        hash = hash >= prime ? hash - prime : hash;
    }
    return hash;
}

static int32_t number_of(struct line_table *table, bp_str line)
{
    uint64_t hash = hash_of(table, line);
    size_t   at = (size_t)(hash ^ hash >> 29) & table->mask;

    while (table->slots[at].number &&
           (table->slots[at].hash != hash || !bp_str_equal(table->slots[at].line, line)))
        at = (at + 1) & table->mask;
    if (!table->slots[at].number) {
        table->slots[at].hash = hash;
        table->slots[at].line = line;
        table->slots[at].number = ++table->count;
    }
    return table->slots[at].number;
}

bp_status lines_number(bp_call *call, const struct lines *const *texts, size_t count,
                       int32_t **const *numbers)
{
    struct line_table table = { .mask = 63 };
    size_t            lines = 0;

    for (size_t i = 0; i < count; i++)
        lines += texts[i]->count;
    while (table.mask < 2 * lines)
        table.mask = 2 * table.mask + 1;
    table.slots = bp_alloc_array(call, sizeof(*table.slots), table.mask + 1);
    if (!table.slots)
        return bp_fail(call, BP_NO_MEMORY, "no memory to compare %zu lines", lines);
    bp_random(&table.place, sizeof(table.place));
    table.place = table.place >> 4 | 1; // below the prime
    for (size_t i = 0; i < count; i++) {
        *numbers[i] = BP_NEW_ARRAY(call, int32_t, texts[i]->count + 1);
        if (!*numbers[i])
            return bp_fail(call, BP_NO_MEMORY, "no memory to compare %zu lines", lines);
        for (size_t at = 0; at < texts[i]->count; at++) {
            (*numbers[i])[at] = number_of(&table, texts[i]->items[at]);
            if (at % 65536 == 0)
                BP_TRY(bp_cancelled(call));
        }
    }
    return BP_OK;
}

/* ---- the way ---- */

/* Two texts, their lines as numbers. */
struct pair {
    const int32_t *old, *new;
    size_t         old_count, new_count;
};

/* The way to diagonal k with d steps: from above (a line added) or from the left (a line dropped).
 * `row` is that of d - 1, its entry for diagonal j at row[j + d]. The x where the way arrives, or
 * NOWHERE. */
static int32_t arrive(const int32_t *row, int32_t d, int32_t k, int32_t width, int32_t height,
                      bool *is_added)
{
    int32_t left = k - 1 >= -(d - 1) ? row[k - 1 + d] : NOWHERE,
            above = k + 1 <= d - 1 ? row[k + 1 + d] : NOWHERE;
    bool can_drop = left != NOWHERE && left < width,
         can_add = above != NOWHERE && above - k <= height;

    *is_added = !can_drop || (can_add && left < above);
    if (*is_added)
        return can_add ? above : NOWHERE;
    return left + 1;
}

/* A row for d has 2d + 3 entries, diagonal j at [j + d + 1]. */
static int32_t *row_new(bp_call *call, int32_t d)
{
    return BP_NEW_ARRAY(call, int32_t, (size_t)(2 * d + 3));
}

static void read_back(int32_t *const *rows, int32_t cost, int32_t width, int32_t height,
                      size_t skipped, int32_t *match)
{
    int32_t x = width, y = height;

    for (int32_t d = cost; d >= 0; d--) {
        bool    is_added = false;
        int32_t k = x - y, from = d ? arrive(rows[d - 1], d, k, width, height, &is_added) : 0;

        while (x > from) {
            x--;
            y--;
            match[skipped + (size_t)y] = (int32_t)skipped + x;
        }
        if (is_added)
            y--;
        else
            x--;
    }
}

/* What both have at their ends is kept, all else is new. */
static void match_ends(const struct pair *pair, size_t skipped, int32_t *match)
{
    size_t old = pair->old_count, new = pair->new_count;

    while (old > skipped && new > skipped && pair->old[old - 1] == pair->new[new - 1])
        match[--new] = (int32_t)--old;
}

/* Goes down each diagonal with d steps as far as one comes; *is_there: to the end of both. */
static bp_status go_on(bp_call *call, const struct pair *pair, size_t skipped, int32_t **rows,
                       int32_t d, int64_t *steps, bool *is_there)
{
    int32_t width = (int32_t)(pair->old_count - skipped),
            height = (int32_t)(pair->new_count - skipped);

    rows[d] = row_new(call, d);
    if (!rows[d])
        return bp_fail(call, BP_NO_MEMORY, "no memory to compare two texts");
    for (int32_t k = -d - 1; k <= d + 1; k++)
        rows[d][k + d + 1] = NOWHERE;
    for (int32_t k = -d; k <= d && !*is_there && *steps < STEPS_MAX; k += 2) {
        bool    is_added;
        int32_t x = d ? arrive(rows[d - 1], d, k, width, height, &is_added) : 0, y, from = x;

        if (x == NOWHERE)
            continue;
        for (y = x - k; x < width && y < height &&
                        pair->old[skipped + (size_t)x] == pair->new[skipped + (size_t)y];
             y++)
            x++;
        rows[d][k + d + 1] = x;
        *is_there = x == width && y == height;
        if ((*steps + x - from + 1) / STEPS_BETWEEN_LOOKS != *steps / STEPS_BETWEEN_LOOKS)
            BP_TRY(bp_cancelled(call));
        *steps += x - from + 1;
    }
    return BP_OK;
}

static bp_status match_pair(bp_call *call, const struct pair *pair, int32_t *match)
{
    int32_t **rows = BP_NEW_ARRAY(call, int32_t *, COST_MAX + 1);
    int64_t   steps = 0;
    size_t    same = 0;
    bool      is_there = false;

    if (!rows)
        return bp_fail(call, BP_NO_MEMORY, "no memory to compare two texts");
    for (; same < pair->old_count && same < pair->new_count && pair->old[same] == pair->new[same];
         same++)
        match[same] = (int32_t)same;
    for (int32_t d = 0; d <= COST_MAX && steps < STEPS_MAX; d++) {
        BP_TRY(bp_cancelled(call));
        BP_TRY(go_on(call, pair, same, rows, d, &steps, &is_there));
        if (!is_there)
            continue;
        read_back(rows, d, (int32_t)(pair->old_count - same), (int32_t)(pair->new_count - same),
                  same, match);
        return BP_OK;
    }
    match_ends(pair, same, match);
    return BP_OK;
}

bp_status diff_match(bp_call *call, const struct lines *before, const struct lines *after,
                     int32_t **match)
{
    int32_t    *old, *new;
    struct pair pair;

    *match = BP_NEW_ARRAY(call, int32_t, after->count + 1);
    if (!*match)
        return bp_fail(call, BP_NO_MEMORY, "no memory to compare two texts");
    BP_TRY(lines_number(call, (const struct lines *[]){ before, after }, 2,
                        (int32_t * *[]){ &old, &new }));
    pair = (struct pair){ old, new, before->count, after->count };
    for (size_t i = 0; i < after->count; i++)
        (*match)[i] = -1;
    return match_pair(call, &pair, *match);
}

/* ---- hunks ---- */

static void write_line(bp_buf *out, const char *sign, bp_str line)
{
    bp_buf_add(out, bp_str_of(sign));
    bp_buf_add(out, line);
    if (!line.len || line.data[line.len - 1] != '\n')
        bp_buf_add(out, BP_STR("\n\\ No newline at end of file\n"));
}

/* Where two texts stand: so many lines of each are behind us. */
struct point {
    size_t old, new;
};

/* The end of the change that begins here: where both have the same line again. */
static struct point change_end(struct point at, const struct lines *before,
                               const struct lines *after, const int32_t *match)
{
    while (at.new < after->count && match[at.new] < 0)
        at.new ++;
    at.old = at.new < after->count ? (size_t)match[at.new] : before->count;
    return at;
}

/* How many lines both have in common from here on. */
static size_t same_lines(struct point at, const struct lines *after, const int32_t *match)
{
    size_t count = 0;

    while (at.new + count < after->count && match[at.new + count] == (int32_t)(at.old + count))
        count++;
    return count;
}

/* Both the lines of a hunk from `at` to `end`; the first call for `sizes`, the second to write. */
static void write_hunk(bp_buf *out, struct point at, struct point end, const struct lines *before,
                       const struct lines *after, const int32_t *match)
{
    size_t old_count = end.old - at.old, new_count = end.new - at.new;

    // GNU diff: an empty range is named by the line before it.
    bp_buf_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", at.old + (old_count > 0), old_count,
                at.new + (new_count > 0), new_count);
    while (at.old < end.old || at.new < end.new) {
        if (at.new < end.new &&match[at.new] == (int32_t)at.old) {
            write_line(out, " ", after->items[at.new ++]);
            at.old++;
            continue;
        }
        for (struct point changed = change_end(at, before, after, match); at.old < changed.old;
             at.old++)
            write_line(out, "-", before->items[at.old]);
        for (; at.new < end.new &&match[at.new] < 0; at.new ++)
            write_line(out, "+", after->items[at.new]);
    }
}

void diff_write(bp_buf *out, const struct lines *before, const struct lines *after,
                const int32_t *match)
{
    struct point at = { 0, 0 };

    while (at.old < before->count || at.new < after->count) {
        size_t       same = same_lines(at, after, match), lead = same < CONTEXT ? same : CONTEXT;
        struct point start, end;

        at = (struct point){ at.old + same, at.new + same };
        if (at.old == before->count && at.new == after->count)
            return;
        start = (struct point){ at.old - lead, at.new - lead };
        for (;;) {
            end = change_end(at, before, after, match);
            same = same_lines(end, after, match);
            at = (struct point){ end.old + same, end.new + same };
            if (same > 2 * CONTEXT || (at.old == before->count && at.new == after->count))
                break;
        }
        same = same < CONTEXT ? same : CONTEXT;
        end = (struct point){ end.old + same, end.new + same };
        write_hunk(out, start, end, before, after, match);
        at = end;
    }
}
