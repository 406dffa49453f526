/* fiber_thread.c - contexts that are threads handing a baton to each other.
 *
 * Only one of the two sides ever runs, as with real switching, but every tool that knows threads
 * understands it: ThreadSanitizer, valgrind, a plain gdb. Slow, and meant for tests.
 */
#include "loop/context.h"

#include <pthread.h>
#include <stdlib.h>

#include "loop/annotate.h"
#include "loop/crash.h"
#include "loop/worker.h"

struct context {
    void (*entry)(void *arg);
    void           *arg;
    struct worker  *worker;
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    const char     *stack_low;
    size_t          stack_bytes;
    size_t guard_bytes; /* libraries differ on which side of stack_low they lie, so both count */
    bool   is_inside;   /* true: the turn is the fiber's */
    bool   is_ended;
};

size_t context_stack_bytes(void)
{
    return ANNOTATE_STACK_BYTES;
}

bool context_is_guard(const struct context *context, const void *address)
{
    const char *at = address;

    return context->stack_low && at >= context->stack_low - context->guard_bytes &&
           at < context->stack_low + context->guard_bytes;
}

bool context_is_on_stack(const struct context *context, const void *address)
{
    const char *at = address;

    return !context->stack_low ||
           (at >= context->stack_low && at < context->stack_low + context->stack_bytes);
}

static void wait_for_turn(struct context *context, bool inside)
{
    pthread_mutex_lock(&context->lock);
    while (context->is_inside != inside)
        pthread_cond_wait(&context->changed, &context->lock);
    pthread_mutex_unlock(&context->lock);
}

static void give_turn(struct context *context, bool to_inside)
{
    pthread_mutex_lock(&context->lock);
    context->is_inside = to_inside;
    pthread_cond_broadcast(&context->changed);
    pthread_mutex_unlock(&context->lock);
}

static void find_guard(struct context *context)
{
    pthread_attr_t attributes;
    void          *low;
    size_t         size_bytes;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &low, &size_bytes) == 0 &&
        pthread_attr_getguardsize(&attributes, &context->guard_bytes) == 0) {
        context->stack_low = low;
        context->stack_bytes = size_bytes;
    }
    pthread_attr_destroy(&attributes);
}

static void *run(void *arg)
{
    struct context *context = arg;

    find_guard(context);
    worker_adopt_thread(context->worker);
    crash_thread_start();
    wait_for_turn(context, true);
    if (!context->is_ended)
        context->entry(context->arg);
    crash_thread_stop();
    return NULL;
}

struct context *context_new(struct worker *worker, void (*entry)(void *arg), void *arg)
{
    struct context *context = calloc(1, sizeof(*context));
    pthread_attr_t  attributes;
    int             failed;

    if (!context)
        return NULL;
    context->entry = entry;
    context->arg = arg;
    context->worker = worker;
    pthread_mutex_init(&context->lock, NULL);
    pthread_cond_init(&context->changed, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, ANNOTATE_STACK_BYTES);
    failed = pthread_create(&context->thread, &attributes, run, context);
    pthread_attr_destroy(&attributes);
    if (failed) {
        free(context);
        return NULL;
    }
    return context;
}

/* The thread waits for a turn inside context_leave(), or has never begun: it is told to end. */
void context_free(struct context *context)
{
    context->is_ended = true;
    give_turn(context, true);
    pthread_join(context->thread, NULL);
    pthread_mutex_destroy(&context->lock);
    pthread_cond_destroy(&context->changed);
    free(context);
}

void context_enter(struct context *context)
{
    give_turn(context, true);
    wait_for_turn(context, false);
}

void context_leave(struct context *context)
{
    give_turn(context, false);
    wait_for_turn(context, true);
    if (context->is_ended) {
        crash_thread_stop();
        pthread_exit(NULL);
    }
}
