/* spin.h - holds the thread for a while, as a plugin that computes or blocks on a loop does. */
#ifndef BAD_PLUGINS_SPIN_H
#define BAD_PLUGINS_SPIN_H

#include <time.h>

#include "sound.h"

/* CPU time of the thread, which a busy machine does not shorten. */
static inline void spin(int64_t duration_ns)
{
    struct timespec used = { 0 };
    int64_t         end_ns = 0, used_ns;

    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        used_ns = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
        end_ns = end_ns ? end_ns : used_ns + duration_ns;
    } while (used_ns < end_ns);
}

#endif
