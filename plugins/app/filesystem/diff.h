/* diff.h - which lines of a text became which lines of another, and that as a unified diff. */
#ifndef FILESYSTEM_DIFF_H
#define FILESYSTEM_DIFF_H

#include <backplane/call.h>

struct lines {
    bp_str *items;
    size_t  count;
};

/* Each with its newline; the last one may lack it. */
bp_status lines_split(bp_call *call, bp_str text, struct lines *lines);
/* Split at each newline, without it: one line more than there are newlines. */
bp_status lines_split_at(bp_call *call, bp_str text, struct lines *lines);
/* Gives each line of several texts a number, equal lines the same one. */
bp_status lines_number(bp_call *call, const struct lines *const *texts, size_t count,
                       int32_t **const *numbers);
/* For each line of `after` the index of the line of `before` that it is, or -1 for a new one. The
 * indexes grow. */
bp_status diff_match(bp_call *call, const struct lines *before, const struct lines *after,
                     int32_t **match);
/* The hunks, with 4 lines around each change. */
void diff_write(bp_buf *out, const struct lines *before, const struct lines *after,
                const int32_t *match);

#endif
