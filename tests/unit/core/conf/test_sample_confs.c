/* test_sample_confs.c - the confs in conf/ are right as far as the host can tell without their
 * plugins: in an empty environment, and in the one the runbooks describe. */
#include <dirent.h>

#include "core/conf/conf_fixture.h"

static const char *const no_variables[] = { NULL };
static const char *const runbook_variables[] = { "LOG_LEVEL=INFO",      "METRICS_ENABLED=false",
                                                 "ASYNC_WORKERS=4",     "TRUSTED_PROXY=10.0.0.0/8",
                                                 "DATA_DIR=/var/lib/x", NULL };

/* Loads each conf; the number of them. */
static unsigned load_all(const char *const *variables, void (*look)(const struct conf *conf))
{
    struct conf_environment environment = { get_from_list, (void *)(uintptr_t)variables };
    DIR                    *folder = opendir(BP_SOURCE_DIR "/conf");
    struct dirent          *entry;
    unsigned                count = 0;
    char                    path[4096];

    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        size_t len = strlen(entry->d_name);

        if (len < 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/conf/%s", BP_SOURCE_DIR, entry->d_name);
        struct conf *conf = conf_load(path, &environment);
        assert_problems(conf, "");
        look(conf);
        conf_free(conf);
        count++;
    }
    closedir(folder);
    return count;
}

static void expect_loopback_or_keys(const struct conf *conf)
{
    assert_true(conf->instance_count > 0);
    assert_int_equal(conf->server.workers, 0);
    assert_int_equal(conf->log.level, LOG_LEVEL_INFO);
    assert_false(conf->server.auth.allow_unauthenticated_network);
}

static void expect_runbook_values(const struct conf *conf)
{
    assert_int_equal(conf->server.workers, 4);
    assert_false(conf->server.metrics);
    assert_bp_str(conf->data_dir, "/var/lib/x");
}

static void every_sample_conf_is_right_in_an_empty_environment(void **state)
{
    (void)state;
    assert_true(load_all(no_variables, expect_loopback_or_keys) >= 3);
}

static void every_sample_conf_takes_the_variables_of_the_runbooks(void **state)
{
    (void)state;
    assert_true(load_all(runbook_variables, expect_runbook_values) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_conf_is_right_in_an_empty_environment),
        cmocka_unit_test(every_sample_conf_takes_the_variables_of_the_runbooks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
