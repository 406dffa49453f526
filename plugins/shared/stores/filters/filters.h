/* filters.h - one walk over the tree of a filter for every vector store; each store writes the
 * leaves in its own words.
 *
 *      filters_check()  the whole tree is sound, or a sentence names the fault: then no writer sees another one
 *      filters_walk()   check, then the nodes in the order in which they are written
 */
#ifndef FILTERS_H
#define FILTERS_H

#include <backplane/call.h>
#include <backplane/filter.h>

/* How a store writes a filter. `self` is what filters_walk() was given. */
struct filters_writer {
    /* AND, OR and NOT around their children; `next` stands between two. All NULL: they are written
     * as SQL. */
    void (*begin)(void *self, const bp_filter *group);
    void (*next)(void *self, const bp_filter *group);
    void (*end)(void *self, const bp_filter *group);

    /* The leaves. */
    bp_status (*in)(void *self, const bp_filter *leaf);
    bp_status (*range)(void *self, const bp_filter *leaf);
    bp_status (*prefix)(void *self, const bp_filter *leaf);
    bp_status (*exists)(void *self, const bp_filter *leaf); /* and NOT_EXISTS */
};

/* [A-Za-z_][A-Za-z0-9_.-]{0,63} */
bool filters_is_field(bp_str field);

/* BP_INVALID with a sentence; NULL is sound. For who decides filters himself. */
bp_status filters_check(bp_call *call, const bp_filter *filter);

/* `sql` is where groups go when the writer has no words of its own for them; else NULL. A filter of
 * NULL writes nothing. */
bp_status filters_walk(bp_call *call, const struct filters_writer *writer, void *self, bp_buf *sql,
                       const bp_filter *filter);

/* Whether a point with this metadata, a JSON object, passes; NULL lets everything pass. For stores
 * that decide themselves, and for apps that look into their own rows while the store is away.
 * BP_INVALID: the metadata is no JSON. */
bp_status filters_decide(bp_call *call, const bp_filter *filter, bp_str metadata, bool *passes);

#endif
