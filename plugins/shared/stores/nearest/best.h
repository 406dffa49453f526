/* best.h - the best hits so far of a search: a heap with the worst of them at its top. Equal scores
 * rank by id. */
#ifndef NEAREST_BEST_H
#define NEAREST_BEST_H

#include <backplane/vector.h>

struct best {
    bp_hit  *hits; /* room for `limit` */
    uint32_t count, limit;
};

static inline bool best_is_better(const bp_hit *a, const bp_hit *b)
{
    return a->score > b->score || (a->score == b->score && a->id < b->id);
}

/* Makes the heap of hits that have just come to their limit; or puts `hit` in the place of the
 * worst. */
void best_make_heap(struct best *best);
void best_replace_worst(struct best *best, const bp_hit *hit);

static inline void best_offer(struct best *best, uint64_t id, double score)
{
    bp_hit hit = { id, score };

    if (best->count == best->limit) {
        if (best_is_better(&hit, &best->hits[0]))
            best_replace_worst(best, &hit);
        return;
    }
    best->hits[best->count++] = hit;
    if (best->count == best->limit)
        best_make_heap(best);
}

/* In the order of their rank. */
void best_sort(bp_hit *hits, size_t count);

#endif
