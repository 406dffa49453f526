/* gives_back.h - what a round of something takes of memory is given back: many rounds take no more
 * than one. A sanitizer sees that by itself. */
#ifndef TESTS_LIB_GIVES_BACK_H
#define TESTS_LIB_GIVES_BACK_H

#include <malloc.h>
#include <stddef.h>

#include "loop/annotate.h"

/* The allocator keeps some freed memory for itself, more in one round than in another, above all on
 * a busy machine. A leak grows in each series of rounds; this does not. */
enum { WARM_UP_ROUNDS = 40, SERIES = 4, ROUNDS = 60, SLACK_BYTES = 80 * ROUNDS };

static inline size_t allocated(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static inline void assert_gives_back(void (*round)(void), const char *what)
{
    size_t grown = SIZE_MAX;

#if defined(ANNOTATE_ASAN) || defined(ANNOTATE_TSAN)
    skip();
#endif
    for (int i = 0; i < WARM_UP_ROUNDS; i++)
        round();
    for (int i = 0; i < SERIES && grown > SLACK_BYTES; i++) {
        size_t before = allocated(), after;

        for (int k = 0; k < ROUNDS; k++)
            round();
        after = allocated();
        grown = after > before ? after - before : 0;
    }
    if (grown > SLACK_BYTES)
        fail_msg("%s: %zu bytes more after %d rounds, in each of %d series", what, grown, ROUNDS,
                 SERIES);
}

#endif
