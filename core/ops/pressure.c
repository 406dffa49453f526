/* pressure.c - how much of the memory budget is in use. */
#include "ops/pressure.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_MS = 100 };

static int64_t resident_bytes(void)
{
    FILE         *file = fopen("/proc/self/statm", "re");
    unsigned long size = 0, resident = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

enum pressure pressure_now(const struct server_limits *limits)
{
    // The same for the whole process, like the memory it is about: not state of a server.
    static _Atomic int64_t looked_ns, last_bytes;
    int64_t                now;

    if (limits->memory_bytes <= 0)
        return PRESSURE_NONE;
    now = clock_now_ns();
    if (now - looked_ns > BP_MILLISECONDS(LOOK_MS)) {
        looked_ns = now;
        last_bytes = resident_bytes();
    }
    if ((double)last_bytes >= limits->refuse_at * (double)limits->memory_bytes)
        return PRESSURE_REFUSE;
    return (double)last_bytes >= limits->shed_at * (double)limits->memory_bytes ? PRESSURE_SHED : PRESSURE_NONE;
}
