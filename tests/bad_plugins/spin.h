/* spin.h - holds the thread for a while, as a plugin that computes or blocks on a loop does. */
#ifndef BAD_PLUGINS_SPIN_H
#define BAD_PLUGINS_SPIN_H

#include "sound.h"

static inline void spin(int64_t duration_ns)
{
    int64_t end_ns = bp_now_ns() + duration_ns;

    while (bp_now_ns() < end_ns)
        ;
}

#endif
