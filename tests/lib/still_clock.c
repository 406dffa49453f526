/* still_clock.c - what clock_now_ns() and clock_wall_ns() are for who is linked with --wrap. */
#include "still_clock.h"

int64_t __real_clock_now_ns(void);
int64_t __real_clock_wall_ns(void);
int64_t __wrap_clock_now_ns(void);
int64_t __wrap_clock_wall_ns(void);

_Atomic int64_t still_now_ns, still_wall_ns;

int64_t __wrap_clock_now_ns(void)
{
    int64_t now_ns = still_now_ns;

    return now_ns ? now_ns : __real_clock_now_ns();
}

int64_t __wrap_clock_wall_ns(void)
{
    int64_t wall_ns = still_wall_ns;

    return wall_ns ? wall_ns : __real_clock_wall_ns();
}
