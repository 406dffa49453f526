/* gives_back.h - what a round of something takes of memory is given back: many rounds take no more
 * than one. A sanitizer sees that by itself. */
#ifndef TESTS_LIB_GIVES_BACK_H
#define TESTS_LIB_GIVES_BACK_H

#include <malloc.h>
#include <stddef.h>

#include "loop/annotate.h"

/* The allocator keeps some of what was freed for itself, more in one round than in another. */
enum { WARM_UP_ROUNDS = 40, ROUNDS = 60, SLACK_BYTES = 80 * ROUNDS };

static inline size_t allocated(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static inline void assert_gives_back(void (*round)(void), const char *what)
{
    size_t before;

#if defined(ANNOTATE_ASAN) || defined(ANNOTATE_TSAN)
    skip();
#endif
    for (int i = 0; i < WARM_UP_ROUNDS; i++)
        round();
    before = allocated();
    for (int i = 0; i < ROUNDS; i++)
        round();
    if (allocated() > before + SLACK_BYTES)
        fail_msg("%s: %zu bytes more after %d rounds", what, allocated() - before, ROUNDS);
}

#endif
