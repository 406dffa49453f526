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

/* The first number of a file, behind a word if there is one; 0: none. */
static double number_of(const char *path, const char *behind)
{
    char  text[4096] = "";
    FILE *file = fopen(path, "r");
    char *at;

    if (!file)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    at = behind ? strstr(text, behind) : text;
    return at ? strtod(at + (behind ? strlen(behind) : 0), NULL) : 0;
}

static void the_limit_is_the_smaller_of_machine_and_cgroup(void **state)
{
    double machine = number_of("/proc/meminfo", "MemTotal:") * 1024,
           group = number_of("/sys/fs/cgroup/memory.max", NULL);
    char wanted[96];

    (void)state;
    if (group <= 0)
        group = number_of("/sys/fs/cgroup/memory/memory.limit_in_bytes", NULL);
    snprintf(wanted, sizeof(wanted), "of %.1f MiB (",
             (group > 0 && group < machine ? group : machine) / (1 << 20));
    start(NULL, 0);
    ask(BP_HEALTH_OK, wanted);
    ask(BP_HEALTH_OK, group > 0 && group < machine ? "by the limit of its cgroup"
                                                   : "by the limit of the machine");
    assert_true(bp_str_is(health.unit, "ratio"));
}

static void ratios_in_the_wrong_order_are_refused(void **state)
{
    const testhost_option wrong[] = { { "warn_ratio", "0.9" }, { "fail_ratio", "0.8" } };
    const testhost_option same[] = { { "warn_ratio", "0.9" }, { "fail_ratio", "0.9" } };

    (void)state;
    refuse(wrong, 2, "fail_ratio: 0.8 is below warn_ratio 0.9");
    assert_int_equal(testhost_check(host, plugin, same, 2), BP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(far_from_the_limit_is_healthy_and_beyond_it_down, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(memory_that_is_taken_is_seen, setup, close_host_of_check),
        cmocka_unit_test_setup_teardown(without_an_option_the_limit_is_found, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(the_limit_is_the_smaller_of_machine_and_cgroup, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(ratios_in_the_wrong_order_are_refused, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
