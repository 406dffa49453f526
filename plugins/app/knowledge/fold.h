/* fold.h - text made comparable without regard to capitals, as a search does it. */
#ifndef KNOWLEDGE_FOLD_H
#define KNOWLEDGE_FOLD_H

#include <backplane/base.h>

struct fold_run {
    uint32_t first, last, step;
    int32_t  distance;
};
extern const struct fold_run fold_runs[];
extern const size_t          fold_run_count;

/* Most bytes that a text of `len` bytes can have when folded. */
static inline size_t fold_room(size_t len)
{
    return len + len / 2 + 1;
}
/* Writes the small form of UTF-8 text to `out`, which has fold_room(); returns its length. */
size_t fold_text(bp_str text, char *out);

#endif
