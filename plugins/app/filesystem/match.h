/* match.h - where a piece stands in a text: as it is written, or line by line but for blanks. */
#ifndef FILESYSTEM_MATCH_H
#define FILESYSTEM_MATCH_H

#include <backplane/call.h>

enum { MATCH_PLACES_MAX = 8, MATCH_COUNT_MAX = 100 };

/* Where a piece was found. */
struct match {
    size_t count; /* of places, also those that overlap; not counted beyond MATCH_COUNT_MAX */
    size_t places[MATCH_PLACES_MAX]; /* of the first ones: the number of the line in which each
                                        begins, from 1 */
    size_t start, len;               /* the bytes of the first one */
    bp_str put;                      /* what belongs there instead */
};

/* Looks for `old_text`, as it is written. */
void match_exact(bp_str text, bp_str old_text, bp_str new_text, struct match *match);
/* Looks for the lines of `old_text`, blanks at both ends of each not counted. The text put there is
 * `new_text` moved by as much as the place is indented otherwise than `old_text`; at most
 * max_bytes, or BP_TOO_LARGE. Time grows with the length of both texts, not with their product. */
bp_status match_lines(bp_call *call, bp_str text, bp_str old_text, bp_str new_text,
                      size_t max_bytes, struct match *match);

#endif
