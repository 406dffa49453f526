/* pressure.c - measures the use of the memory budget, and returns unused memory to the system. */
#include "ops/pressure.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_MS = 100, RETURN_EVERY_S = 2, RETURN_TIMEOUT_S = 60, WORTH_RETURNING_BYTES = 64 << 20 };

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

/* Of the allocator of a sanitizer, which takes the place of that of the C library; NULL in other
 * builds. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

int64_t memory_live_bytes(void)
{
    struct mallinfo2 info;
    int64_t          live;

    if (__sanitizer_get_current_allocated_bytes)
        return (int64_t)__sanitizer_get_current_allocated_bytes();
    info = mallinfo2();
    live = (int64_t)(info.uordblks + info.hblkhd);
    return live > 0 ? live : resident_bytes();
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
        last_bytes = memory_live_bytes();
    }
    if ((double)last_bytes >= limits->refuse_at * (double)limits->memory_bytes)
        return PRESSURE_REFUSE;
    return (double)last_bytes >= limits->shed_at * (double)limits->memory_bytes ? PRESSURE_SHED
                                                                                : PRESSURE_NONE;
}

/* ---- giving back ---- */

static bp_status trim(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    malloc_trim(0);
    return BP_OK;
}

static void return_memory(bp_call *call, void *arg)
{
    if (resident_bytes() - memory_live_bytes() >= WORTH_RETURNING_BYTES)
        pool_offload(call, arg, trim, NULL); // gigabytes take longer than a loop may be away
}

struct job *memory_return_start(struct worker *worker, struct bp_pool *pool)
{
    struct job_options options = { .name = "memory",
                                   .interval_ns = BP_SECONDS(RETURN_EVERY_S),
                                   .first_ns = BP_SECONDS(RETURN_EVERY_S),
                                   .timeout_ns = BP_SECONDS(RETURN_TIMEOUT_S),
                                   .run = return_memory,
                                   .arg = pool };

    return job_start(worker, &options);
}
