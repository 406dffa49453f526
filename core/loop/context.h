/* context.h - one interface, two ways to switch: fiber_ucontext.c and fiber_thread.c.
 *
 * A context is a stack on which a function runs until it leaves; then its caller goes on.
 * Contexts are entered only from the worker's own stack and leave only to it, so there is never a
 * switch from one to another.
 */
#ifndef CORE_LOOP_CONTEXT_H
#define CORE_LOOP_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct context;
struct worker;

/* For fibers of `worker`. NULL when there is no memory, address space or thread left. `entry` must
 * never return: it leaves for good. */
struct context *context_new(struct worker *worker, void (*entry)(void *arg), void *arg);
void context_free(struct context *context); /* only when it has left for good or never ran */
void context_enter(struct context *context);
void context_leave(struct context *context);

/* Bytes that code on a context may use, and the address range that it touches only when it used
 * more.
 */
size_t context_stack_bytes(void);
bool   context_is_guard(const struct context *context, const void *address);
/* Does `address` lie on its stack? True as well where the bounds are not known. */
bool context_is_on_stack(const struct context *context, const void *address);

#endif
