/* clock.c - the two clocks. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void clock_format_utc(int64_t wall_ns, char text[25])
{
    static _Thread_local time_t last; // most are of the same second as the one before
    static _Thread_local char   last_text[25];

    time_t    seconds = (time_t)(wall_ns / 1000000000);
    unsigned  milliseconds = (unsigned)(wall_ns / 1000000 % 1000);
    struct tm t;

    if (seconds != last || !last_text[0]) {
        gmtime_r(&seconds, &t);
        snprintf(last_text, sizeof(last_text), "%04u-%02u-%02uT%02u:%02u:%02u.000Z",
                 (unsigned)(t.tm_year + 1900) % 10000, (unsigned)(t.tm_mon + 1) % 100,
                 (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100,
                 (unsigned)t.tm_sec % 100);
        last = seconds;
    }
    memcpy(text, last_text, sizeof(last_text));
    text[20] = (char)('0' + milliseconds / 100);
    text[21] = (char)('0' + milliseconds / 10 % 10);
    text[22] = (char)('0' + milliseconds % 10);
}
