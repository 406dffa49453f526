/* glob.h - patterns of paths: "**" for any directories, * ? [a-z] within a name, {a,b} for either.
 */
#ifndef FILESYSTEM_GLOB_H
#define FILESYSTEM_GLOB_H

#include <backplane/call.h>
#include <backplane/json.h>

/* A pattern with its braces written out. */
struct glob {
    bp_str *items;
    size_t  count;
    bool    is_negated; /* it began with "!" */
};

/* BP_INVALID with a sentence for a pattern that is not understood. */
bp_status glob_make(bp_call *call, bp_str pattern, struct glob *glob);
/* Lets comparisons end with their call, which is asked once in so many steps. */
struct glob_work {
    bp_call  *call;
    int64_t   steps_left;
    bp_status status; /* not BP_OK: the call is over, and nothing fits any longer */
};

/* Whether the path, without a slash at its beginning or end, fits. Time grows with the product of
 * both lengths. */
bool glob_fits(const struct glob *glob, bp_str path, struct glob_work *work);
// Whether whatever lies in the directory fits: "dist/**" fits all in dist, though not dist itself.
bool glob_fits_all_in(const struct glob *glob, bp_str directory, struct glob_work *work);

#endif
