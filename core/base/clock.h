/* clock.h - the two clocks: a monotonic one for every wait, and the wall clock for what people
 * read. */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ns(void);  /* monotonic */
int64_t clock_wall_ns(void); /* since 1970-01-01T00:00:00Z */
int64_t clock_thread_cpu_ns(void);
/* "2026-11-22T01:45:09.123Z" into at least 25 bytes. */
void clock_format_utc(int64_t wall_ns, char text[25]);

#endif
