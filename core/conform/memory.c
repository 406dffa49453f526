/* memory.c - how much memory this process uses, as the allocator and the kernel count it.
 */
#include "conform/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "loop/annotate.h"

#if defined(ANNOTATE_ASAN) || defined(ANNOTATE_TSAN)
/* Freed memory is kept for a while, so that its use is found. */
size_t contract_allocated_bytes(void)
{
    return 0;
}
#else
size_t contract_allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}
#endif

size_t contract_resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE         *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}
