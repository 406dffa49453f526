/* fiber_ucontext.c - contexts made by makecontext() and switched by sigsetjmp(), as QEMU does.
 *
 * swapcontext() costs two system calls for the signal mask each time; so it is used once, to get
 * onto the new stack, and from then on both sides jump. Stacks are mapped with a guard below, so
 * that an overflow is a fault at an address that the crash handler recognises, and never a write
 * into a neighbour.
 */
#undef _FORTIFY_SOURCE // its longjmp takes a jump to another stack for an attack

#include "loop/context.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "loop/annotate.h"

enum { GUARD_BYTES = 64 << 10 };

struct context {
    sigjmp_buf inside, outside;
    void (*entry)(void *arg);
    void       *arg;
    char       *mapping; /* guard, then stack */
    unsigned    valgrind_id;
    void       *tsan, *tsan_outside;
    void       *fake_inside, *fake_outside; /* AddressSanitizer's */
    const void *outside_bottom;
    size_t      outside_size;
};

size_t context_stack_bytes(void)
{
    return ANNOTATE_STACK_BYTES;
}

static char *stack_of(const struct context *context)
{
    return context->mapping + GUARD_BYTES;
}

bool context_is_guard(const struct context *context, const void *address)
{
    const char *at = address;

    return at >= context->mapping && at < context->mapping + GUARD_BYTES;
}

bool context_is_on_stack(const struct context *context, const void *address)
{
    const char *at = address;

    return at >= stack_of(context) && at < stack_of(context) + ANNOTATE_STACK_BYTES;
}

/* makecontext() passes ints; a pointer goes in two of them. */
static void trampoline(unsigned high, unsigned low)
{
    struct context *context = (struct context *)(((uintptr_t)high << 32) | low);

    annotate_finish_switch(NULL, &context->outside_bottom, &context->outside_size);
    if (sigsetjmp(context->inside, 0) == 0) {
        annotate_start_switch(&context->fake_inside, context->outside_bottom,
                              context->outside_size);
        annotate_tsan_switch(context->tsan_outside);
        siglongjmp(context->outside, 1);
    }
    annotate_finish_switch(context->fake_inside, &context->outside_bottom, &context->outside_size);
    context->entry(context->arg);
    abort(); // entry leaves for good and is never entered again
}

/* Runs the context once, up to the place where it waits to be entered. Not part of context_new(): a
 * second return of sigsetjmp() could change its variables. */
static __attribute__((noinline)) void run_to_entry(struct context *context)
{
    ucontext_t target, here;

    getcontext(&target);
    target.uc_link = NULL;
    target.uc_stack.ss_sp = stack_of(context);
    target.uc_stack.ss_size = ANNOTATE_STACK_BYTES;
    makecontext(&target, (void (*)(void))trampoline, 2, (unsigned)((uintptr_t)context >> 32),
                (unsigned)(uintptr_t)context);
    context->tsan_outside = annotate_tsan_current();
    annotate_start_switch(&context->fake_outside, stack_of(context), ANNOTATE_STACK_BYTES);
    annotate_tsan_switch(context->tsan);
    if (sigsetjmp(context->outside, 0) == 0)
        swapcontext(&here, &target);
    annotate_finish_switch(context->fake_outside, NULL, NULL);
}

struct context *context_new(struct worker *worker, void (*entry)(void *arg), void *arg)
{
    struct context *context = calloc(1, sizeof(*context));
    size_t          total = GUARD_BYTES + ANNOTATE_STACK_BYTES;

    (void)worker; // its thread is the one that enters
    if (!context)
        return NULL;
    context->mapping = mmap(NULL, total, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (context->mapping == MAP_FAILED ||
        mprotect(stack_of(context), ANNOTATE_STACK_BYTES, PROT_READ | PROT_WRITE) != 0) {
        if (context->mapping != MAP_FAILED)
            munmap(context->mapping, total);
        free(context);
        return NULL;
    }
    context->entry = entry;
    context->arg = arg;
    context->valgrind_id = annotate_stack_register(stack_of(context),
                                                   stack_of(context) + ANNOTATE_STACK_BYTES);
    context->tsan = annotate_tsan_create();
    run_to_entry(context);
    return context;
}

void context_free(struct context *context)
{
    annotate_stack_deregister(context->valgrind_id);
    annotate_tsan_destroy(context->tsan);
    munmap(context->mapping, GUARD_BYTES + ANNOTATE_STACK_BYTES);
    free(context);
}

void context_enter(struct context *context)
{
    context->tsan_outside = annotate_tsan_current();
    annotate_start_switch(&context->fake_outside, stack_of(context), ANNOTATE_STACK_BYTES);
    annotate_tsan_switch(context->tsan);
    if (sigsetjmp(context->outside, 0) == 0)
        siglongjmp(context->inside, 1);
    annotate_finish_switch(context->fake_outside, NULL, NULL);
}

void context_leave(struct context *context)
{
    annotate_start_switch(&context->fake_inside, context->outside_bottom, context->outside_size);
    annotate_tsan_switch(context->tsan_outside);
    if (sigsetjmp(context->inside, 0) == 0)
        siglongjmp(context->outside, 1);
    annotate_finish_switch(context->fake_inside, &context->outside_bottom, &context->outside_size);
}
