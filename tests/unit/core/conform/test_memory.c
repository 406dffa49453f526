/* test_memory.c - what the process uses of memory, as the allocator and the kernel count it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/memory.h"
#include "loop/annotate.h"

enum { SMALL_BYTES = 64 << 10, LARGE_BYTES = 8 << 20, SLACK_BYTES = 1 << 20 };

static size_t resident_by_status(void)
{
    char   line[256];
    size_t kib = 0;
    FILE  *file = fopen("/proc/self/status", "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %zu kB", &kib) == 1)
            break;
    fclose(file);
    return kib << 10;
}

static void resident_memory_is_what_the_kernel_says(void **state)
{
    size_t before = resident_by_status(), found = contract_resident_bytes();

    (void)state;
    assert_in_range(found, before - SLACK_BYTES, before + SLACK_BYTES);
}

static void allocated_memory_counts_small_and_mapped_blocks(void **state)
{
    static const size_t sizes[] = { SMALL_BYTES, LARGE_BYTES };

    (void)state;
#if defined(ANNOTATE_ASAN) || defined(ANNOTATE_TSAN)
    assert_int_equal(contract_allocated_bytes(), 0);
    skip();
#endif
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t before = contract_allocated_bytes(), with;
        char  *block = malloc(sizes[i]);

        assert_non_null(block);
        memset(block, 1, sizes[i]);
        with = contract_allocated_bytes();
        assert_in_range(with, before + sizes[i], before + sizes[i] + 8192);
        assert_in_range(block[sizes[i] / 2], 1, 1);
        free(block);
        assert_in_range(contract_allocated_bytes(), before, before + 512);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resident_memory_is_what_the_kernel_says),
        cmocka_unit_test(allocated_memory_counts_small_and_mapped_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
