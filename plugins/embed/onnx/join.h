/* join.h - texts of several calls, run over the network together: the first call that gets a thread
 * takes the waiting ones along.
 */
#ifndef ONNX_JOIN_H
#define ONNX_JOIN_H

#include <backplane/loop.h>

#include "model.h"

/* A run's cost grows with its cells, texts by tokens of the longest, and each run costs something
 * of its own. */
enum { BATCH_TOKENS = 1024, BATCH_TEXTS = 64 };

struct join; /* what waits, of all workers; locks itself */

/* NULL: no memory. `threads` is how many runs go on side by side. */
struct join *join_new(const struct model *model, uint32_t threads);
void         join_free(struct join *join);

struct join_cost {
    uint64_t cells;      /* this call's share of the run, padding included */
    bool     was_joined; /* it was run together with texts of other calls */
};

/* As model_run() with all of `batch`, which is one batch at most, on a thread of `pool`. Waits for
 * nobody: when a thread is free, it runs at once. A call that is over returns at once, and the
 * others do not notice. */
bp_status join_run(bp_call *call, struct join *join, bp_pool *pool, const struct model_batch *batch,
                   struct join_cost *cost);

#endif
