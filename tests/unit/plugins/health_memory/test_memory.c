/* test_memory.c - health/memory: the test's own process against limits that it is near to or far
 * from. */
#include "plugins/health_test.h"

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/health/memory.so");
}

static void far_from_the_limit_is_healthy_and_beyond_it_down(void **state)
{
    const testhost_option far[] = { { "limit", "1000GiB" } };
    const testhost_option beyond[] = { { "limit", "64KiB" } };
    const testhost_option near[] = { { "limit", "1000GiB" }, { "warn_ratio", "0" } };
    (void)state;
    start(far, 1);
    ask(BP_HEALTH_OK, "by the limit of the option limit");
    assert_true(health.value > 0 && health.value < 0.01);
    stop();
    start(beyond, 1);
    ask(BP_HEALTH_DOWN, "of 0.1 MiB");
    stop();
    start(near, 2);
    ask(BP_HEALTH_DEGRADED, "are in use");
}

static void memory_that_is_taken_is_seen(void **state)
{
    enum { TAKEN = 64 << 20 };
    const testhost_option options[] = { { "limit", "1GiB" },
                                        { "warn_ratio", "1" },
                                        { "fail_ratio", "1" } };
    double                before;
    char                 *taken;
    (void)state;
    start(options, 3);
    ask(BP_HEALTH_OK, "are in use");
    before = health.value;
    taken = malloc(TAKEN);
    assert_non_null(taken);
    memset(taken, 1, TAKEN);
    ask(BP_HEALTH_OK, "are in use");
    assert_true(health.value - before > 0.9 * TAKEN / (1 << 30));
    free(taken);
}

static void without_an_option_the_limit_is_found(void **state)
{
    (void)state;
    start(NULL, 0);
    ask(BP_HEALTH_OK, "by the limit of ");
    assert_true(health.value > 0 && health.value < 0.85);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(far_from_the_limit_is_healthy_and_beyond_it_down, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(memory_that_is_taken_is_seen, setup, close_host_of_check),
        cmocka_unit_test_setup_teardown(without_an_option_the_limit_is_found, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
