/* find.h - finds a short text in a long one, as often as wanted. */
#ifndef KNOWLEDGE_FIND_H
#define KNOWLEDGE_FIND_H

#include <backplane/base.h>

enum { FIND_SLACK = 64 }; /* bytes behind the haystack that may be read */

struct needle {
    bp_str text;
    size_t rare, other; /* places of its two rarest bytes */
};

/* `counts` says how often each byte value stands in the haystack. The text is borrowed. */
struct needle find_needle(bp_str text, const uint32_t counts[256]);
/* Where it is next, at or behind `from`; `len` when it is not. FIND_SLACK bytes behind `len` must
 * be readable. */
size_t find_next(const char *haystack, size_t len, size_t from, const struct needle *needle);

#endif
