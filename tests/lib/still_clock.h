/* still_clock.h - clocks that stand where a test puts them, for bounds of time: test_*_times.c is
 * linked so that whatever asks for the time is told this one.
 *
 * A wait of the loop goes by the true clock, so what waits until a time still ends. While the clock
 * stands RIG_SOON() has no end of its own: the time limit of the program is its end. */
#ifndef TESTS_LIB_STILL_CLOCK_H
#define TESTS_LIB_STILL_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic int64_t still_now_ns, still_wall_ns; /* 0: it goes */

#endif
