/* best.c - the heap of the best hits. */
#include "nearest/best.h"

#include <stdlib.h>

static void sift_down(bp_hit *hits, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t worst = at, left = 2 * at + 1, right = left + 1;
        bp_hit   held;
        if (left < count && best_is_better(&hits[worst], &hits[left]))
            worst = left;
        if (right < count && best_is_better(&hits[worst], &hits[right]))
            worst = right;
        if (worst == at)
            return;
        held = hits[at];
        hits[at] = hits[worst];
        hits[worst] = held;
        at = worst;
    }
}

void best_make_heap(struct best *best)
{
    for (uint32_t i = best->limit / 2 + 1; i-- > 0;)
        sift_down(best->hits, best->count, i);
}

void best_replace_worst(struct best *best, const bp_hit *hit)
{
    best->hits[0] = *hit;
    sift_down(best->hits, best->count, 0);
}

static int by_rank(const void *a, const void *b)
{
    return best_is_better(a, b) ? -1 : best_is_better(b, a);
}

void best_sort(bp_hit *hits, size_t count)
{
    qsort(hits, count, sizeof(*hits), by_rank);
}
