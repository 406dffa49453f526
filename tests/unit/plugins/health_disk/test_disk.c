/* test_disk.c - health/disk on the file system of the test's own directory. */
#include "plugins/health_test.h"

#include <dlfcn.h>
#include <sys/statvfs.h>

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/health/disk.so");
}

static void the_share_that_is_free_is_measured(void **state)
{
    const testhost_option options[] = { { "path", "." },
                                        { "warn_ratio", "0" },
                                        { "fail_ratio", "0" } };
    struct statvfs        info;
    (void)state;
    start(options, 3);
    ask(BP_HEALTH_OK, "are free on the file system of");
    assert_int_equal(statvfs(directory, &info), 0);
    assert_true(fabs(health.value - (double)info.f_bavail / (double)info.f_blocks) < 0.05);
}

static void too_little_room_is_degraded_and_then_down(void **state)
{
    const testhost_option warn[] = { { "path", "." },
                                     { "warn_ratio", "1" },
                                     { "fail_ratio", "0" } };
    const testhost_option fail[] = {
        { "path", "." }, { "warn_ratio", "0" }, { "fail_ratio", "0" }, { "fail_size", "1000000GiB" }
    };
    const testhost_option down[] = { fail[0], fail[1], fail[2], fail[3], { "when_full", "down" } };
    (void)state;
    start(warn, 3);
    ask(BP_HEALTH_DEGRADED, "delete something");
    stop();
    start(fail, 4);
    ask(BP_HEALTH_DEGRADED, "delete something"); /* reads go on */
    stop();
    start(down, 5);
    ask(BP_HEALTH_DOWN, "delete something");
}

static void a_path_that_is_not_there_is_down_with_its_reason(void **state)
{
    const testhost_option options[] = { { "path", "no/such/place" } };
    (void)state;
    start(options, 1);
    ask(BP_HEALTH_DOWN, "No such file");
}

static void limits_in_the_wrong_order_are_refused(void **state)
{
    const testhost_option options[] = { { "warn_ratio", "0.1" }, { "fail_ratio", "0.2" } };
    (void)state;
    refuse(options, 2, "fail_ratio");
}

/* The plugin finds this one before the C library's; what a test has not set is the real one's. */
static struct statvfs faked;

__attribute__((visibility("default"))) int statvfs(const char *path, struct statvfs *info)
{
    static int (*real)(const char *path, struct statvfs *info);

    if (faked.f_frsize) {
        *info = faked;
        return 0;
    }
    if (!real)
        real = (int (*)(const char *, struct statvfs *))(uintptr_t)dlsym(RTLD_NEXT, "statvfs");
    return real(path, info);
}

static void the_level_is_that_of_the_limit_that_is_passed(void **state)
{
    enum { GIB = 1 << 20 }; /* in blocks of 1 KiB */
    static const struct {
        const char *warn_ratio, *fail_ratio, *warn_size, *fail_size;
        uint64_t    free, all;
        const char *level;
    } cases[] = {
        { "0.5", "0.25", "0", "0", 4, 8, "ok" },
        { "0.5", "0.25", "0", "0", 3, 8, "degraded" },
        { "0.5", "0.25", "0", "0", 2, 8, "degraded" },
        { "0.5", "0.25", "0", "0", 1, 8, "down" },
        { "0", "0", "2GiB", "1GiB", 2, 8, "ok" },
        { "0", "0", "3GiB", "1GiB", 2, 8, "degraded" },
        { "0", "0", "3GiB", "2GiB", 2, 8, "degraded" },
        { "0", "0", "3GiB", "3GiB", 2, 8, "down" },
        { "0", "0", "0", "3GiB", 2, 8, "down" },
        { "1", "1", "0", "0", 0, 0, "ok" },
        { "1", "0", "0", "0", 8, 8, "ok" },
        { "0.1", "0", "0", "0", 0, 8, "degraded" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const testhost_option options[] = { { "path", "." },
                                            { "warn_ratio", cases[i].warn_ratio },
                                            { "fail_ratio", cases[i].fail_ratio },
                                            { "warn_size", cases[i].warn_size },
                                            { "fail_size", cases[i].fail_size },
                                            { "when_full", "down" } };
        double ratio = cases[i].all ? (double)cases[i].free / (double)cases[i].all : 1;

        start(options, 6);
        faked = (struct statvfs){ .f_frsize = 1024,
                                  .f_bsize = 4096,
                                  .f_bavail = cases[i].free * GIB,
                                  .f_bfree = cases[i].free * GIB + 5 * GIB,
                                  .f_blocks = cases[i].all * GIB };
        assert_string_equal(asked(), bp_format(call,
                                               "%s: %.1f GiB of %.1f GiB (%.0f%%) are free on the "
                                               "file system of "
                                               "%s%s (in ratio)",
                                               cases[i].level, (double)cases[i].free,
                                               (double)cases[i].all, ratio * 100, directory,
                                               strcmp(cases[i].level, "ok") == 0
                                                   ? ""
                                                   : ": delete something or make it larger")
                                         .data);
        assert_true(health.value == ratio);
        memset(&faked, 0, sizeof(faked));
        testhost_cancel(call);
        assert_string_equal(asked(), "cancelled");
        stop();
    }
    start(NULL, 0);
}

static void sizes_in_the_wrong_order_are_refused(void **state)
{
    const testhost_option wrong[] = { { "warn_size", "1GiB" }, { "fail_size", "2GiB" } };
    const testhost_option even[] = { { "warn_size", "2GiB" }, { "fail_size", "2GiB" } };
    const testhost_option ratios[] = { { "warn_ratio", "0.1" }, { "fail_ratio", "0.1" } };

    (void)state;
    refuse(wrong, 2, "fail_size: it is above warn_size");
    assert_int_equal(testhost_check(host, plugin, even, 2), BP_OK);
    assert_int_equal(testhost_check(host, plugin, ratios, 2), BP_OK);
    start(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_share_that_is_free_is_measured, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(too_little_room_is_degraded_and_then_down, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(a_path_that_is_not_there_is_down_with_its_reason, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(the_level_is_that_of_the_limit_that_is_passed, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(sizes_in_the_wrong_order_are_refused, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(limits_in_the_wrong_order_are_refused, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
