/* diff.c - the shortest way from one text to another, line by line (E. Myers, "An O(ND) Difference Algorithm", 1986).
 *
 * A way goes from (0,0) to (lines before, lines after): a step right drops a line, a step down adds one, a diagonal
 * step keeps one and costs nothing. furthest[k] is how far right one comes on the diagonal k = x - y with d costly
 * steps; the rows for d = 0, 1, 2, ... are kept, and the way is read from them backwards. Texts that differ in more
 * than COST_MAX lines get a diff that is true but not the shortest: all between what they share at both ends.
 */
#include "diff.h"

#include <limits.h>

enum { COST_MAX = 1500, CONTEXT = 4, NOWHERE = INT32_MIN };

bp_status lines_split(bp_call *call, bp_str text, struct lines *lines)
{
    size_t count = 0, start = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    lines->count = 0;
    lines->items = BP_NEW_ARRAY(call, bp_str, count + 1);
    if (!lines->items || count > INT32_MAX / 2)
        return bp_fail(call, BP_NO_MEMORY, "no memory to compare a text of %zu lines", count);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n' || i + 1 == text.len) {
            lines->items[lines->count++] = bp_str_n(text.data + start, i + 1 - start);
            start = i + 1;
        }
    return BP_OK;
}

/* The way to diagonal k with d steps: from above (a line added) or from the left (a line dropped). `row` is that of
 * d - 1, its entry for diagonal j at row[j + d]. The x where the way arrives, or NOWHERE. */
static int32_t arrive(const int32_t *row, int32_t d, int32_t k, int32_t width, int32_t height, bool *is_added)
{
    int32_t left = k - 1 >= -(d - 1) ? row[k - 1 + d] : NOWHERE, above = k + 1 <= d - 1 ? row[k + 1 + d] : NOWHERE;
    bool    can_drop = left != NOWHERE && left < width, can_add = above != NOWHERE && above - k <= height;

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

static void read_back(int32_t *const *rows, int32_t cost, int32_t width, int32_t height, size_t skipped, int32_t *match)
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
static void match_ends(const struct lines *before, const struct lines *after, size_t skipped, int32_t *match)
{
    size_t old = before->count, new = after->count;

    while (old > skipped && new > skipped && bp_str_equal(before->items[old - 1], after->items[new - 1]))
        match[--new] = (int32_t)--old;
}

bp_status diff_match(bp_call *call, const struct lines *before, const struct lines *after, int32_t **match)
{
    size_t    same = 0;
    int32_t   width, height;
    int32_t **rows = BP_NEW_ARRAY(call, int32_t *, COST_MAX + 1);

    *match = BP_NEW_ARRAY(call, int32_t, after->count + 1);
    if (!*match || !rows)
        return bp_fail(call, BP_NO_MEMORY, "no memory to compare two texts");
    for (size_t i = 0; i < after->count; i++)
        (*match)[i] = -1;
    for (; same < before->count && same < after->count && bp_str_equal(before->items[same], after->items[same]); same++)
        (*match)[same] = (int32_t)same;
    width = (int32_t)(before->count - same);
    height = (int32_t)(after->count - same);
    for (int32_t d = 0; d <= COST_MAX; d++) {
        BP_TRY(bp_cancelled(call));
        rows[d] = row_new(call, d);
        if (!rows[d])
            return bp_fail(call, BP_NO_MEMORY, "no memory to compare two texts");
        for (int32_t k = -d - 1; k <= d + 1; k++)
            rows[d][k + d + 1] = NOWHERE;
        for (int32_t k = -d; k <= d; k += 2) {
            bool    is_added;
            int32_t x = d ? arrive(rows[d - 1], d, k, width, height, &is_added) : 0, y;

            if (x == NOWHERE)
                continue;
            y = x - k;
            while (x < width && y < height &&
                   bp_str_equal(before->items[same + (size_t)x], after->items[same + (size_t)y])) {
                x++;
                y++;
            }
            rows[d][k + d + 1] = x;
            if (x == width && y == height) {
                read_back(rows, d, width, height, same, *match);
                return BP_OK;
            }
        }
    }
    match_ends(before, after, same, *match);
    return BP_OK;
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
static struct point change_end(struct point at, const struct lines *before, const struct lines *after,
                               const int32_t *match)
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
    bp_buf_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", at.old + (old_count > 0), old_count, at.new + (new_count > 0),
                new_count);
    while (at.old < end.old || at.new < end.new) {
        if (at.new < end.new &&match[at.new] == (int32_t)at.old) {
            write_line(out, " ", after->items[at.new ++]);
            at.old++;
            continue;
        }
        for (struct point changed = change_end(at, before, after, match); at.old < changed.old; at.old++)
            write_line(out, "-", before->items[at.old]);
        for (; at.new < end.new &&match[at.new] < 0; at.new ++)
            write_line(out, "+", after->items[at.new]);
    }
}

void diff_write(bp_buf *out, const struct lines *before, const struct lines *after, const int32_t *match)
{
    struct point at = {0, 0};

    while (at.old < before->count || at.new < after->count) {
        size_t       same = same_lines(at, after, match), lead = same < CONTEXT ? same : CONTEXT;
        struct point start, end;

        at = (struct point){at.old + same, at.new + same};
        if (at.old == before->count && at.new == after->count)
            return;
        start = (struct point){at.old - lead, at.new - lead};
        for (;;) {
            end = change_end(at, before, after, match);
            same = same_lines(end, after, match);
            at = (struct point){end.old + same, end.new + same};
            if (same > 2 * CONTEXT || (at.old == before->count && at.new == after->count))
                break;
        }
        same = same < CONTEXT ? same : CONTEXT;
        end = (struct point){end.old + same, end.new + same};
        write_hunk(out, start, end, before, after, match);
        at = end;
    }
}
