/* test_generation.c - a generation that follows another one takes over what did not change, and
 * nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/pool.h"
#include "plugin/generation.h"
#include "plugin/services.h"

#include "../../../lib/gives_back.h"

enum { WORKERS = 2 };

static struct log             *log_of_test;
static struct worker           workers[WORKERS];
static struct bp_pool         *pool;
static struct plugin_registry *registry;
static char                    folder[] = "/tmp/backplane-test-XXXXXX";

static const char first_conf[] = "data_dir: %s\n"
                                 "storage: { main: { use: sqlite, path: a.db }, other: { use: "
                                 "sqlite, path: b.db } }\n"
                                 "cache: { main: { use: memory, size: 8MiB } }\n"
                                 "health: { main: { use: instance, storage: main }, other: { use: "
                                 "instance, storage: other } }\n";

static struct conf *conf_of(const char *format)
{
    struct conf_plugins plugins = registry_for_conf(registry);
    struct conf        *conf;
    char                text[1024];

    snprintf(text, sizeof(text), format, folder);
    conf = conf_parse("t.yaml", bp_str_of(text), NULL);
    assert_non_null(conf);
    if (!conf_resolve(conf, &plugins))
        fail_msg("the conf has errors: " BP_FMT, BP_ARG(conf->problems.first->text));
    return conf;
}

static struct generation *generation_of(struct conf *conf, const struct generation *before)
{
    struct generation *generation = generation_new(conf, registry, workers, WORKERS, pool, before);

    assert_non_null(generation);
    return generation;
}

static struct unit *unit_of(const struct generation *generation, const char *kind, const char *name)
{
    struct instance *instance = generation_find(generation, 0, bp_str_of(kind), bp_str_of(name));

    assert_non_null(instance);
    return instance->unit;
}

static int set_up(void **state)
{
    struct reason why;

    (void)state;
    log_of_test = log_open(
        &(struct log_options){ .level = BP_LOG_ERROR, .path = "/dev/null", .queue_lines = 64 });
    registry_fill_host(plugin_services, plugin_service_count);
    registry = registry_new(log_of_test, plugin_services, plugin_service_count);
    pool = pool_create("test", 2);
    if (!log_of_test || !registry || !pool || !mkdtemp(folder) ||
        !registry_scan(registry, BP_BUILD_DIR "/plugins", &why))
        return -1;
    for (uint32_t w = 0; w < WORKERS; w++)
        if (worker_init(&workers[w], w, WORKERS, log_of_test) != 0 ||
            worker_start(&workers[w]) != 0)
            return -1;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    for (uint32_t w = 0; w < WORKERS; w++)
        worker_stop(&workers[w]);
    for (uint32_t w = 0; w < WORKERS; w++) {
        worker_join(&workers[w]);
        worker_free(&workers[w]);
    }
    pool_destroy(pool);
    registry_free(registry);
    log_close(log_of_test);
    metrics_clear();
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void what_did_not_change_is_taken_over_running(void **state)
{
    struct conf       *conf = conf_of(first_conf);
    struct generation *first = generation_of(conf, NULL), *second;
    struct unit       *kept;
    struct conf       *changed = conf_of("data_dir: %s\n"
                                               "health: { other: { use: instance, storage: other }, main: { "
                                               "use: instance, storage: main } }\n"
                                               "cache: { main: { use: memory, size: 16MiB } }\n"
                                               "storage: { other: { use: sqlite, path: b.db, deadline: 7s }, "
                                               "main: { use: sqlite, path: a.db } }\n");

    (void)state;
    assert_true(generation_start(first));
    second = generation_of(changed, first);
    kept = unit_of(second, "storage", "main");
    assert_ptr_equal(kept, unit_of(first, "storage", "main"));
    assert_ptr_equal(unit_of(second, "health", "main"), unit_of(first, "health", "main"));
    // An option, what is for any instance, and what refers to something that changed.
    assert_ptr_not_equal(unit_of(second, "cache", "main"), unit_of(first, "cache", "main"));
    assert_ptr_not_equal(unit_of(second, "storage", "other"), unit_of(first, "storage", "other"));
    assert_ptr_not_equal(unit_of(second, "health", "other"), unit_of(first, "health", "other"));
    assert_true(kept->is_up);
    assert_false(unit_of(second, "cache", "main")->is_up);
    assert_ptr_equal(generation_conf_of(second, kept),
                     conf_find_instance(changed, BP_STR("storage"), BP_STR("main")));

    assert_true(generation_start(second));
    generation_stop(first);
    assert_true(kept->is_up);
    assert_false(unit_of(first, "cache", "main")->is_up);
    generation_free(first);
    conf_free(conf); // the unit that was made of it keeps it
    assert_true(bp_str_is(kept->conf->name, "main"));
    assert_true(kept->instances[1].is_started);
    generation_stop(second);
    assert_false(kept->is_up);
    generation_free(second);
    conf_free(changed);
}

/* What cannot start leaves the generation before as it is. */
static void a_successor_that_fails_takes_nothing_down(void **state)
{
    struct conf       *conf = conf_of(first_conf), *bad;
    struct generation *first = generation_of(conf, NULL), *second;

    (void)state;
    assert_true(generation_start(first));
    bad = conf_of("data_dir: %s\n"
                  "storage: { main: { use: sqlite, path: a.db }, other: { use: sqlite, path: "
                  "/dev/null/x.db } }\n"
                  "cache: { main: { use: memory, size: 8MiB } }\n");
    second = generation_of(bad, first);
    assert_ptr_equal(unit_of(second, "cache", "main"), unit_of(first, "cache", "main"));
    assert_false(generation_start(second));
    assert_non_null(strstr(second->problem.text, "storage.other"));
    generation_stop(second);
    generation_free(second);
    conf_free(bad);
    for (size_t i = 0; i < first->unit_count; i++)
        assert_true(first->units[i]->is_up);
    generation_stop(first);
    generation_free(first);
    conf_free(conf);
}

/* One instance, for a command: it is up with those that it refers to. */
static void one_is_started_with_what_it_needs_alone(void **state)
{
    static const struct {
        const char *kind, *name;
        const char *up; /* of all, in the order of the conf's kinds */
    } cases[] = {
        { "storage", "other", "storage.other " },
        { "health", "main", "storage.main health.main " },
        { "health", "other", "storage.other health.other " },
        { "cache", "main", "cache.main " },
        { "cache", "other", "" },
        { "vector", "main", "" },
    };

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        static const char *const each[][2] = { { "storage", "main" },
                                               { "storage", "other" },
                                               { "cache", "main" },
                                               { "health", "main" },
                                               { "health", "other" } };
        struct conf             *conf = conf_of(first_conf);
        struct generation       *one = generation_of(conf, NULL);
        char                     up[256] = "";

        assert_true(generation_start_only(one, bp_str_of(cases[c].kind), bp_str_of(cases[c].name)));
        for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
            if (unit_of(one, each[i][0], each[i][1])->is_up)
                snprintf(up + strlen(up), sizeof(up) - strlen(up), "%s.%s ", each[i][0],
                         each[i][1]);
        assert_string_equal(up, cases[c].up);
        generation_stop(one);
        generation_free(one);
        conf_free(conf);
    }
}

/* ---- who uses it ---- */

static struct generation *used;
static _Atomic int        entered, left_ones;

static void use_for_a_while(bp_call *call, void *arg)
{
    const int64_t *for_ns = arg;

    generation_enter(used, call->worker);
    entered++;
    call_sleep(call, *for_ns);
    left_ones++;
    generation_leave(used, call->worker);
}

static bp_status begin_use(bp_call *call, void *arg)
{
    struct call_options options = { .deadline_ns = BP_FOREVER };

    return call_start(call->worker, &options, use_for_a_while, arg) ? BP_OK : BP_NO_MEMORY;
}

static void whoever_uses_it_is_waited_for(void **state)
{
    static int64_t short_ns = BP_MILLISECONDS(50), long_ns = BP_MILLISECONDS(300);
    struct conf   *conf = conf_of(first_conf);
    struct reason  why;

    (void)state;
    used = generation_of(conf, NULL);
    assert_true(generation_wait_unused(used, clock_now_ns() + BP_SECONDS(20))); // nobody does
    generation_free(used);
    used = generation_of(conf, NULL);
    assert_int_equal(generation_call(&workers[0], BP_SECONDS(5), begin_use, &short_ns, &why),
                     BP_OK);
    assert_int_equal(generation_call(&workers[1], BP_SECONDS(5), begin_use, &long_ns, &why), BP_OK);
    assert_int_equal(generation_call(&workers[1], BP_SECONDS(5), begin_use, &short_ns, &why),
                     BP_OK);
    while (entered < 3)
        usleep(1000);
    assert_false(generation_wait_unused(used, clock_now_ns()));
    assert_true(generation_wait_unused(used, clock_now_ns() + BP_SECONDS(20)));
    assert_int_equal(left_ones, 3);
    generation_free(used);
    conf_free(conf);
}

/* ---- memory ---- */

static struct conf *conf_of_rounds;

static void make_and_free(void)
{
    struct generation *first = generation_of(conf_of_rounds, NULL);
    struct generation *second = generation_of(conf_of_rounds, first);

    assert_ptr_equal(unit_of(first, "cache", "main"), unit_of(second, "cache", "main"));
    generation_free(first);
    generation_free(second);
    generation_free(NULL);
}

static void a_generation_gives_back_what_it_took(void **state)
{
    (void)state;
    conf_of_rounds = conf_of(first_conf);
    assert_gives_back(make_and_free, "generations");
    conf_free(conf_of_rounds);
}

static void without_a_pool_there_is_no_generation(void **state)
{
    struct conf *conf = conf_of(first_conf);

    (void)state;
    assert_null(generation_new(conf, registry, workers, WORKERS, NULL, NULL));
    conf_free(conf);
}

static void a_plugin_that_is_gone_makes_no_generation(void **state)
{
    struct plugin_registry *none = registry_new(log_of_test, plugin_services, plugin_service_count);
    struct conf            *conf = conf_of(first_conf);

    (void)state;
    assert_null(generation_new(conf, none, workers, WORKERS, pool, NULL));
    registry_free(none);
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_did_not_change_is_taken_over_running),
        cmocka_unit_test(a_successor_that_fails_takes_nothing_down),
        cmocka_unit_test(one_is_started_with_what_it_needs_alone),
        cmocka_unit_test(whoever_uses_it_is_waited_for),
        cmocka_unit_test(a_generation_gives_back_what_it_took),
        cmocka_unit_test(a_plugin_that_is_gone_makes_no_generation),
        cmocka_unit_test(without_a_pool_there_is_no_generation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
