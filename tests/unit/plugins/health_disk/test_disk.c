/* test_disk.c - health/disk on the file system of the test's own directory. */
#include "plugins/health_test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_share_that_is_free_is_measured, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(too_little_room_is_degraded_and_then_down, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(a_path_that_is_not_there_is_down_with_its_reason, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(limits_in_the_wrong_order_are_refused, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
