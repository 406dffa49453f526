/* fiber.h - a stackful coroutine pinned to its worker: started, parked, woken, finished.
 *
 * Above this file nobody knows fibers: a fiber carries one call, and functions pass the call
 * around.
 */
#ifndef CORE_LOOP_FIBER_H
#define CORE_LOOP_FIBER_H

#include "loop/worker.h"

struct fiber;

/* Bounds the live fibers of the whole process: from vm.max_map_count, as a stack takes two
 * mappings.
 */
uint32_t fiber_live_max(void);
uint32_t fiber_live_count(void);

/* Runs run(fiber, arg) on a fiber of this worker: at once when the worker's own stack is running,
 * else as soon as the running fiber suspends. NULL when the cap is reached or there is no memory.
 * The fiber ends when run returns; the pointer must not be used after that. */
struct fiber *fiber_start(struct worker *worker, void (*run)(struct fiber *fiber, void *arg),
                          void          *arg);

/* Suspends the running fiber until fiber_wake(); returns at once when a wake came before. `what` is
 * what it waits for, in a word or two, for people with a debugger. */
void fiber_park(struct fiber *fiber, const char *what);
/* Makes a parked fiber ready. On its worker only. Waking twice is waking once. */
void fiber_wake(struct fiber *fiber);
/* Lets the others go first. */
void fiber_yield(struct fiber *fiber);

struct worker *fiber_worker(const struct fiber *fiber);
uv_timer_t    *fiber_timer(struct fiber *fiber); /* one timer a fiber, made once and reused */
void *fiber_call_space(struct fiber *fiber); /* the bp_call that lives in the fiber; see call.c */

/* For worker.c. */
void fiber_run_next_ready(struct worker *worker);
void fiber_free_spares(struct worker *worker);

/* For the crash handler: is `address` in the guard of the running fiber's stack? */
bool fiber_is_overflow(const struct worker *worker, const void *address);

#endif
