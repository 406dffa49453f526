/* test_instance.c - health/instance with peers that answer, that fail and that cannot be asked. */
#include "plugins/health_test.h"

#include <backplane/cache.h>
#include <backplane/embed.h>
#include <backplane/llm.h>

static bp_status answer;
static size_t    count_of_all; /* entries, collections, models */

static bp_status fake_stats(bp_call *asking, void *self, bp_storage_stats *stats)
{
    (void)self;
    stats->engine = BP_STR("Fake 1.0");
    stats->connections_max = 3;
    testhost_advance(BP_MILLISECONDS(250));
    return answer == BP_OK ? BP_OK : bp_fail(asking, answer, "the disk is on fire");
}

static bp_status fake_list(bp_call *asking, void *self, const bp_vector_info **collections,
                           size_t *count)
{
    static const bp_vector_info one;
    (void)self;
    *collections = &one;
    *count = count_of_all;
    return answer == BP_OK ? BP_OK : bp_fail(asking, answer, "no collections today");
}

static bp_status fake_cache_stats(bp_call *asking, void *self, bp_cache_stats *stats)
{
    (void)self;
    stats->entries = (int64_t)count_of_all;
    return answer == BP_OK ? BP_OK : bp_fail(asking, answer, "no entries today");
}

static bp_status fake_info(bp_call *asking, void *self, bp_embed_info *info)
{
    (void)self;
    info->model = BP_STR("m1");
    info->dimensions = 3;
    return answer == BP_OK ? BP_OK : bp_fail(asking, answer, "no model today");
}

static bp_status fake_models(bp_call *asking, void *self, const bp_model **models, size_t *size,
                             size_t *count)
{
    static const bp_model all[3];

    (void)self;
    *models = all;
    *size = sizeof(all[0]);
    *count = count_of_all;
    return answer == BP_OK ? BP_OK : bp_fail(asking, answer, "no models today");
}

static const bp_cache_ops   cache_ops = { .struct_size = sizeof(cache_ops),
                                          .stats = fake_cache_stats };
static const bp_embed_ops   embed_ops = { .struct_size = sizeof(embed_ops), .info = fake_info };
static const bp_llm_ops     llm_ops = { .struct_size = sizeof(llm_ops), .models = fake_models };
static const bp_storage_ops storage_ops = { .struct_size = sizeof(storage_ops),
                                            .stats = fake_stats };
static const bp_vector_ops  vector_ops = { .struct_size = sizeof(vector_ops), .list = fake_list };

static int setup(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/health/instance.so") != 0)
        return -1;
    answer = BP_OK;
    count_of_all = 1;
    testhost_add_peer(host, "pages", "cache", BP_KIND_VERSION_cache, &cache_ops, NULL);
    testhost_add_peer(host, "words", "embed", BP_KIND_VERSION_embed, &embed_ops, NULL);
    testhost_add_peer(host, "scribe", "llm", BP_KIND_VERSION_llm, &llm_ops, NULL);
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

/* One instance by its kind, with so many of all. */
static void assert_asked(const char *kind, const char *name, bp_status status, size_t count,
                         const char *wanted)
{
    const testhost_option options[] = { { kind, name } };

    start(options, 1);
    answer = status;
    count_of_all = count;
    assert_string_equal(asked(), wanted);
    stop();
}

static void each_kind_has_something_cheap_to_say(void **state)
{
    (void)state;
    assert_asked("cache", "pages", BP_OK, 1, "ok: cache.pages answers: 1 entries (in seconds)");
    assert_asked("vector", "docs", BP_OK, 0, "ok: vector.docs answers: 0 collections (in seconds)");
    assert_asked("vector", "docs", BP_OK, 1, "ok: vector.docs answers: 1 collection (in seconds)");
    assert_asked("vector", "docs", BP_OK, 2, "ok: vector.docs answers: 2 collections (in seconds)");
    assert_asked("embed", "words", BP_OK, 1,
                 "ok: embed.words answers: model m1 with 3 dimensions (in seconds)");
    assert_asked("llm", "scribe", BP_OK, 0, "ok: llm.scribe answers: 0 models (in seconds)");
    assert_asked("llm", "scribe", BP_OK, 1, "ok: llm.scribe answers: 1 model (in seconds)");
    assert_asked("llm", "scribe", BP_OK, 2, "ok: llm.scribe answers: 2 models (in seconds)");
    assert_asked("storage", "main", BP_OK, 1,
                 "ok: storage.main answers: Fake 1.0, 0 of 3 connections in use (in seconds)");
    assert_true(health.value == 0.25);
}

static void one_that_cannot_answer_is_down_or_degraded_or_cannot_be_asked(void **state)
{
    (void)state;
    assert_asked("cache", "pages", BP_IO, 1, "down: cache.pages: no entries today (no value)");
    assert_asked("vector", "docs", BP_IO, 1, "down: vector.docs: no collections today (no value)");
    assert_asked("embed", "words", BP_IO, 1, "down: embed.words: no model today (no value)");
    assert_asked("llm", "scribe", BP_IO, 1, "down: llm.scribe: no models today (no value)");
    assert_asked("storage", "main", BP_IO, 1, "down: storage.main: the disk is on fire (no value)");
    assert_asked("llm", "scribe", BP_LIMIT, 1, "degraded: llm.scribe: no models today (no value)");
    assert_asked("llm", "scribe", BP_UNSUPPORTED, 1,
                 "ok: llm.scribe answers: it cannot be asked more (in seconds)");
    assert_asked("llm", "scribe", BP_CANCELLED, 1, "cancelled");
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
        cmocka_unit_test_setup_teardown(each_kind_has_something_cheap_to_say, setup,
                                        close_host_of_check),
        cmocka_unit_test_setup_teardown(
            one_that_cannot_answer_is_down_or_degraded_or_cannot_be_asked, setup,
            close_host_of_check),
        cmocka_unit_test_setup_teardown(exactly_one_instance_must_be_named, setup,
                                        close_host_of_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
