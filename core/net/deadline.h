/* deadline.h - many timeouts of equal length as one list: first in, first due, moved to the end on
 * progress.
 *
 * A worker has a handful of these lists and one timer that looks at their heads; an entry costs two
 * pointers and a time, and neither adding nor removing it is more than a few stores.
 */
#ifndef NET_DEADLINE_H
#define NET_DEADLINE_H

#include <backplane/base.h>

struct deadline {
    struct deadline *earlier, *later; /* NULL, both, when it is in no list */
    uint64_t         due_ms;
};

struct deadline_list {
    struct deadline ends; /* a ring: ends.later is the first due */
    uint64_t        timeout_ms;
};

static inline void deadline_list_init(struct deadline_list *list, uint64_t timeout_ms)
{
    list->ends.earlier = list->ends.later = &list->ends;
    list->timeout_ms = timeout_ms;
}

static inline void deadline_clear(struct deadline *deadline)
{
    if (!deadline->later)
        return;
    deadline->earlier->later = deadline->later;
    deadline->later->earlier = deadline->earlier;
    deadline->earlier = deadline->later = NULL;
}

/* Due one timeout from `now_ms`; taken out of the list that it was in. */
static inline void deadline_set(struct deadline *deadline, struct deadline_list *list,
                                uint64_t now_ms)
{
    deadline_clear(deadline);
    deadline->due_ms = now_ms + list->timeout_ms;
    deadline->later = &list->ends;
    deadline->earlier = list->ends.earlier;
    list->ends.earlier->later = deadline;
    list->ends.earlier = deadline;
}

/* The first that is due, taken out of the list; NULL when there is none. */
static inline struct deadline *deadline_take_due(struct deadline_list *list, uint64_t now_ms)
{
    struct deadline *first = list->ends.later;

    if (first == &list->ends || first->due_ms > now_ms)
        return NULL;
    deadline_clear(first);
    return first;
}

#endif
