/* diff.h - which lines of a text became which lines of another, and that as a unified diff. */
#ifndef FILESYSTEM_DIFF_H
#define FILESYSTEM_DIFF_H

#include <backplane/call.h>

struct lines {
    bp_str *items; /* each with its newline; the last one may lack it */
    size_t  count;
};

bp_status lines_split(bp_call *call, bp_str text, struct lines *lines);
/* For each line of `after` the index of the line of `before` that it is, or -1 for a new one. The indexes grow. */
bp_status diff_match(bp_call *call, const struct lines *before, const struct lines *after, int32_t **match);
/* The hunks, with 4 lines around each change. */
void diff_write(bp_buf *out, const struct lines *before, const struct lines *after, const int32_t *match);

#endif
