/* test_instance.c - health/instance with peers that answer, that fail and that cannot be asked. */
#include "plugins/health_test.h"

static bp_status answer;

static bp_status fake_stats(bp_call *asking, void *self, bp_storage_stats *stats)
{
    (void)self;
    stats->engine = BP_STR("Fake 1.0");
    stats->connections_max = 3;
    return answer == BP_OK ? BP_OK : bp_fail(asking, answer, "the disk is on fire");
}

static bp_status fake_list(bp_call *asking, void *self, const bp_vector_info **collections,
                           size_t *count)
{
    static const bp_vector_info one;
    (void)asking;
    (void)self;
    *collections = &one;
    *count = 1;
    return BP_OK;
}

static const bp_storage_ops storage_ops = { .struct_size = sizeof(storage_ops),
                                            .stats = fake_stats };
static const bp_vector_ops  vector_ops = { .struct_size = sizeof(vector_ops), .list = fake_list };

static int setup(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/health/instance.so") != 0)
        return -1;
    answer = BP_OK;
    testhost_add_peer(host, "main", "storage", BP_KIND_VERSION_storage, &storage_ops, NULL);
    testhost_add_peer(host, "docs", "vector", BP_KIND_VERSION_vector, &vector_ops, NULL);
    return 0;
}

static void what_the_instance_says_decides(void **state)
{
    const testhost_option options[] = { { "storage", "main" } };
    (void)state;
    start(options, 1);
    ask(BP_HEALTH_OK, "storage.main answers: Fake 1.0, 0 of 3 connections in use");
    answer = BP_IO;
    ask(BP_HEALTH_DOWN, "storage.main: the disk is on fire");
    answer = BP_LIMIT;
    ask(BP_HEALTH_DEGRADED, "storage.main: the disk is on fire");
    answer = BP_UNSUPPORTED;
    ask(BP_HEALTH_OK, "storage.main answers");
}

static void a_vector_store_is_asked_for_its_collections(void **state)
{
    const testhost_option options[] = { { "vector", "docs" } };
    (void)state;
    start(options, 1);
    ask(BP_HEALTH_OK, "vector.docs answers: 1 collection");
}

static void exactly_one_instance_must_be_named(void **state)
{
    const testhost_option both[] = { { "storage", "main" }, { "vector", "docs" } };
    (void)state;
    assert_null(testhost_instance_create(host, plugin, "none", NULL, 0));
    assert_non_null(strstr(testhost_problem(host), "nothing to check"));
    assert_null(testhost_instance_create(host, plugin, "both", both, 2));
    assert_non_null(strstr(testhost_problem(host), "one instance"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_instance_says_decides, setup, close_host_of_check),
        cmocka_unit_test_setup_teardown(a_vector_store_is_asked_for_its_collections, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(exactly_one_instance_must_be_named, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
