/* test_life.c - in which order the instances of a generation come up and go down, on two workers,
 * and what is undone when one of them fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <backplane/app.h>
#include <backplane/storage.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "plugin/gate.h"
#include "plugin/generation.h"
#include "plugin/services.h"

enum { WORKERS = 2 };
enum { STORAGE, HEALTH, APP, UNITS };

/* What an instance of any of them has: whom it refers to. */
struct object {
    const bp_peer *storage;
    bp_peer_list   parts;
};

static struct log            *log_of_test;
static char                   log_path[64];
static struct worker          workers[WORKERS];
static struct arena           arena;
static struct conf            conf;
static const struct conf_node node;
static struct conf_instance   confs[UNITS];
static struct option_ref      refs[3];
static struct plugin          plugins[UNITS];
static struct unit            units[UNITS], *unit_list[UNITS], *peers[UNITS][4];
static struct instance        instances[UNITS][WORKERS];
static struct generation      generation;

/* The hooks run one after another, each while the test waits for it. */
static char done[1024];
static struct {
    const char *step, *kind; /* fails there; NULL: nowhere */
    uint32_t    worker;
    const char *sentence; /* NULL: none, just a status */
} bad;
static int shared;

static bp_status note(bp_call *call, const char *step)
{
    size_t used = strlen(done);
    char   kind[32];

    snprintf(kind, sizeof(kind), "%s", call->plugin);
    *strchr(kind, '/') = '\0';
    snprintf(done + used, sizeof(done) - used, "%s %s%u; ", step, kind, call->worker->index);
    if (!bad.step || strcmp(bad.step, step) != 0 || strcmp(bad.kind, kind) != 0 ||
        bad.worker != call->worker->index)
        return BP_OK;
    return bad.sentence ? bp_fail(call, BP_IO, "%s", bad.sentence) : BP_IO;
}

static bp_status on_check(bp_call *call, const void *options)
{
    (void)options;
    assert_string_equal(call->op, "check");
    return note(call, "check");
}
static bp_status on_create(bp_call *call, const void *options, void **made)
{
    (void)options;
    assert_string_equal(call->op, "shared_create");
    *made = &shared;
    return note(call, "create");
}
static bp_status on_start(bp_call *call, void *instance, void *given)
{
    const struct object *object = instance;

    assert_string_equal(call->op, "worker_start");
    assert_ptr_equal(given, &shared);
    if (strcmp(call->plugin, "app/fake") == 0) {
        const struct instance *storage = object->storage->instance;

        assert_ptr_equal(storage->worker, call->worker); // each refers to those on its own worker
        assert_true(bp_str_is(object->storage->kind, "storage"));
        assert_int_equal(object->parts.count, 2);
        assert_true(bp_str_is(object->parts.items[0]->kind, "storage"));
        assert_true(bp_str_is(object->parts.items[1]->kind, "health"));
    }
    return note(call, "start");
}
static bp_status on_drain(bp_call *call, void *instance)
{
    (void)instance;
    return note(call, "drain");
}
static void on_stop(bp_call *call, void *instance)
{
    (void)instance;
    note(call, "stop");
}
static void on_destroy(bp_call *call, void *given)
{
    assert_ptr_equal(given, &shared);
    note(call, "destroy");
}

static const bp_life life = { sizeof(life), on_check, on_create, on_start,
                              on_drain,     on_stop,  on_destroy };

static bp_status on_migrate(bp_call *call, void *instance, bp_str owner,
                            const bp_migration *migrations, size_t count)
{
    (void)instance, (void)migrations;
    assert_true(bp_str_is(owner, "fake"));
    assert_int_equal(count, 1);
    return note(call, "migrate");
}

static const bp_migration   steps[] = { { 1, 0, "a table", "CREATE TABLE t (id INTEGER)" } };
static const bp_storage_ops storage_ops = { .struct_size = sizeof(storage_ops),
                                            .migrate = on_migrate };
static bp_app_ops           app_ops;

/* ---- the rig ---- */

static struct option_ref *refer(int at, const char *option, int to, size_t offset, bool is_list)
{
    refs[at] = (struct option_ref){ .option = bp_str_of(option),
                                    .kind = bp_str_of(confs[to].kind),
                                    .name = confs[to].name,
                                    .offset = (uint32_t)offset,
                                    .is_list = is_list };
    return &refs[at];
}

static void make_unit(int at, const char *kind, const char *name, const void *ops)
{
    plugins[at] = (struct plugin){ .life = life,
                                   .descriptor = { .kind = kind,
                                                   .name = "fake",
                                                   .ops = ops,
                                                   .instance_size = sizeof(struct object) } };
    snprintf(plugins[at].label, sizeof(plugins[at].label), "%s/fake", kind);
    confs[at] = (struct conf_instance){
        .kind = kind, .name = bp_str_of(name), .node = &node, .gate = { .critical = true }
    };
    units[at] = (struct unit){ .conf = &confs[at],
                               .plugin = &plugins[at],
                               .workers = workers,
                               .worker_count = WORKERS,
                               .peers = peers[at],
                               .holders = 1,
                               .instances = instances[at] };
    pthread_mutex_init(&units[at].report.lock, NULL);
    unit_list[at] = &units[at];
    memset(instances[at], 0, sizeof(instances[at]));
    for (uint32_t w = 0; w < WORKERS; w++)
        assert_true(instance_make(&units[at], &workers[w], &instances[at][w]));
}

/* The storage and the check stand alone; the app refers to both. */
static int set_up(void **state)
{
    (void)state;
    memset(&bad, 0, sizeof(bad));
    done[0] = '\0';
    snprintf(log_path, sizeof(log_path), "/tmp/backplane-test-%d.log", (int)getpid());
    log_of_test = log_open(
        &(struct log_options){ .level = BP_LOG_WARN, .path = log_path, .queue_lines = 64 });
    assert_non_null(log_of_test);
    registry_fill_host(plugin_services, plugin_service_count);
    for (uint32_t w = 0; w < WORKERS; w++)
        if (worker_init(&workers[w], w, WORKERS, log_of_test) != 0 ||
            worker_start(&workers[w]) != 0)
            return -1;
    arena_init(&arena, 1 << 20);
    memset(&conf, 0, sizeof(conf));
    problems_init(&conf.problems, &arena, "t.yaml");
    app_ops = (bp_app_ops){ .struct_size = sizeof(app_ops),
                            .migrations = steps,
                            .migration_count = 1 };
    make_unit(STORAGE, "storage", "main", &storage_ops);
    make_unit(HEALTH, "health", "other", NULL);
    make_unit(APP, "app", "work", &app_ops);
    confs[APP].refs.first = refer(0, "storage", STORAGE, offsetof(struct object, storage), false);
    refs[0].next = refer(1, "parts", STORAGE, offsetof(struct object, parts), true);
    refs[1].next = refer(2, "parts", HEALTH, offsetof(struct object, parts), true);
    confs[APP].refs.count = 3;
    peers[APP][0] = peers[APP][1] = &units[STORAGE];
    peers[APP][2] = &units[HEALTH];
    generation = (struct generation){ .conf = &conf,
                                      .workers = workers,
                                      .worker_count = WORKERS,
                                      .units = unit_list,
                                      .unit_count = UNITS };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (uint32_t w = 0; w < WORKERS; w++)
        worker_stop(&workers[w]);
    for (uint32_t w = 0; w < WORKERS; w++)
        worker_join(&workers[w]);
    for (int i = 0; i < UNITS; i++)
        for (uint32_t w = 0; w < WORKERS; w++)
            instance_free(&instances[i][w]);
    for (uint32_t w = 0; w < WORKERS; w++)
        worker_free(&workers[w]);
    log_close(log_of_test);
    unlink(log_path);
    arena_free(&arena);
    metrics_clear();
    return 0;
}

static bool is_logged(const char *text)
{
    static char all[1 << 14];
    FILE       *file;

    log_flush(log_of_test);
    file = fopen(log_path, "re");
    assert_non_null(file);
    all[fread(all, 1, sizeof(all) - 1, file)] = '\0';
    fclose(file);
    return strstr(all, text) != NULL;
}

static void expect_done(const char *wanted)
{
    assert_string_equal(done, wanted);
    done[0] = '\0';
}

#define STORAGE_UP "check storage0; create storage0; start storage0; start storage1; "
#define HEALTH_UP  "check health0; create health0; start health0; start health1; "
#define APP_UP     "check app0; create app0; migrate storage0; start app0; start app1; "
#define DOWN(kind) "stop " kind "1; stop " kind "0; destroy " kind "0; "

/* ---- in order ---- */

static void each_comes_up_behind_those_it_refers_to_and_goes_down_before_them(void **state)
{
    (void)state;
    assert_true(generation_start(&generation));
    expect_done(STORAGE_UP HEALTH_UP APP_UP);
    for (int i = 0; i < UNITS; i++)
        assert_true(units[i].is_up && units[i].is_shared_created);
    assert_true(generation_start(&generation)); // all of them run
    expect_done("");
    generation_stop(&generation);
    expect_done("drain app0; drain app1; drain health0; drain health1; drain storage0; drain "
                "storage1; " DOWN("app") DOWN("health") DOWN("storage"));
    for (int i = 0; i < UNITS; i++)
        assert_false(units[i].is_up || units[i].is_shared_created || instances[i][0].is_started);
    generation_stop(&generation); // nothing is done twice
    expect_done("");
}

static void what_another_generation_has_stays_up(void **state)
{
    (void)state;
    assert_true(generation_start(&generation));
    done[0] = '\0';
    units[STORAGE].holders = 2;
    generation_stop(&generation);
    expect_done("drain app0; drain app1; drain health0; drain health1; " DOWN("app")
                    DOWN("health"));
    assert_true(units[STORAGE].is_up);
    units[STORAGE].holders = 1;
    generation_stop(&generation);
}

static void a_plugin_without_hooks_comes_up_and_goes_down(void **state)
{
    (void)state;
    for (int i = 0; i < UNITS; i++)
        memset(&plugins[i].life, 0, sizeof(plugins[i].life));
    app_ops.migration_count = 0;
    assert_true(generation_check(&generation));
    assert_true(generation_start(&generation));
    assert_true(units[STORAGE].is_up && units[APP].is_up);
    generation_stop(&generation);
    assert_false(units[STORAGE].is_up || units[APP].is_up);
    expect_done("");
}

/* ---- failures ---- */

static void exactly_what_was_done_is_undone(void **state)
{
    static const struct {
        const char *step, *kind;
        uint32_t    worker;
        const char *done, *problem;
    } failures[] = {
        { "check", "storage", 0, "check storage0; ", "storage.main (storage/fake): check failed" },
        { "create", "health", 0, STORAGE_UP "check health0; create health0; " DOWN("storage"),
          "health.other (health/fake): shared_create failed" },
        { "start", "health", 1,
          STORAGE_UP HEALTH_UP "stop health0; destroy health0; " DOWN("storage"),
          "health.other (health/fake): worker_start failed" },
        { "start", "storage", 0,
          "check storage0; create storage0; start storage0; destroy storage0; ",
          "storage.main (storage/fake): worker_start failed" },
        { "create", "app", 0,
          STORAGE_UP HEALTH_UP "check app0; create app0; " DOWN("health") DOWN("storage"),
          "app.work (app/fake): shared_create failed" },
    };
    char wanted[256];

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        bad.step = failures[i].step, bad.kind = failures[i].kind, bad.worker = failures[i].worker;
        for (int with_sentence = 0; with_sentence < 2; with_sentence++) {
            bad.sentence = with_sentence ? "the disk is gone" : NULL;
            assert_false(generation_start(&generation));
            expect_done(failures[i].done);
            assert_int_equal(generation.problem_status, BP_IO);
            snprintf(wanted, sizeof(wanted), "%s: %s", failures[i].problem,
                     with_sentence ? "the disk is gone" : bp_status_text(BP_IO));
            assert_string_equal(generation.problem.text, wanted);
            for (int u = 0; u < UNITS; u++)
                assert_false(units[u].is_up);
        }
    }
}

/* The host makes them, and its operator reads what the storage says. */
static void an_app_whose_tables_cannot_be_made_does_not_start(void **state)
{
    (void)state;
    bad.step = "migrate", bad.kind = "storage", bad.sentence = "a newer step is there";
    assert_false(generation_start(&generation));
    expect_done(STORAGE_UP HEALTH_UP "check app0; create app0; migrate storage0; destroy "
                                     "app0; " DOWN("health") DOWN("storage"));
    assert_string_equal(generation.problem.text,
                        "app.work (app/fake): migration failed: a newer step is there");
    assert_false(is_logged("back_end_failed")); // it is said once
}

static void what_is_not_critical_is_done_without(void **state)
{
    (void)state;
    confs[HEALTH].gate.critical = false;
    bad.step = "check", bad.kind = "health", bad.sentence = "no such machine";
    assert_true(generation_start(&generation));
    expect_done(STORAGE_UP "check health0; " APP_UP);
    assert_string_equal(generation.problem.text, "");
    assert_string_equal(units[HEALTH].problem.text, "check failed: no such machine");
    assert_true(units[APP].is_up && !units[HEALTH].is_up);
    assert_true(is_logged("\"event\":\"instance_degraded\",\"message\":\"health.other "
                          "(health/fake): check failed: no such machine; it is not critical"));
    generation_stop(&generation);
    expect_done("drain app0; drain app1; drain storage0; drain storage1; " DOWN("app")
                    DOWN("storage"));
}

static void what_a_plugin_leaves_behind_is_told(void **state)
{
    (void)state;
    assert_true(generation_start(&generation));
    units[STORAGE].open_pools = 1;
    units[HEALTH].open_mutexes = 2;
    units[APP].open_streams = 3;
    generation_stop(&generation);
    assert_true(is_logged("storage/fake left 1 thread pools, 0 locks and 0 connections behind"));
    assert_true(is_logged("health/fake left 0 thread pools, 2 locks and 0 connections behind"));
    assert_true(is_logged("app/fake left 0 thread pools, 0 locks and 3 connections behind"));
}

static void what_leaves_nothing_behind_is_not_told(void **state)
{
    (void)state;
    assert_true(generation_start(&generation));
    generation_stop(&generation);
    assert_false(is_logged("plugin_leak"));
}

/* ---- some of them ---- */

static bool is_health(const struct conf_instance *wanted, void *arg)
{
    return arg == &bad && strcmp(wanted->kind, "health") == 0;
}

static void those_that_are_wanted_start_with_what_they_refer_to(void **state)
{
    static const bp_str named[] = { BP_STR("none"), BP_STR("work") };

    (void)state;
    assert_true(generation_start_only(&generation, BP_STR("storage"), BP_STR("other")));
    assert_true(generation_start_only(&generation, BP_STR("health"), BP_STR("main")));
    assert_true(generation_start_apps(&generation, &(bp_str_list){ named, 1 }));
    expect_done("");
    assert_true(generation_start_chosen(&generation, is_health, &bad));
    expect_done(HEALTH_UP);
    assert_true(generation_start_only(&generation, BP_STR("storage"), BP_STR("main")));
    expect_done(STORAGE_UP);
    assert_true(generation_start_apps(&generation, &(bp_str_list){ named, 2 }));
    expect_done(APP_UP);
    generation_stop(&generation);
    done[0] = '\0';
    assert_true(generation_start_apps(&generation, &(bp_str_list){ NULL, 0 })); // all, again
    expect_done(STORAGE_UP HEALTH_UP APP_UP);
    generation_stop(&generation);
}

/* ---- without a start ---- */

static void each_check_that_fails_is_a_problem_of_the_conf(void **state)
{
    (void)state;
    assert_true(generation_check(&generation));
    expect_done("check storage0; check health0; check app0; ");
    assert_int_equal(conf.problems.error_count, 0);
    bad.step = "check", bad.kind = "health", bad.sentence = "no such machine";
    assert_false(generation_check(&generation));
    expect_done("check storage0; check health0; check app0; ");
    assert_int_equal(conf.problems.error_count, 1);
    assert_true(bp_str_is(conf.problems.first->text, "no such machine"));
}

static void tables_are_made_in_the_storage_that_an_app_names(void **state)
{
    (void)state;
    assert_true(generation_start_only(&generation, BP_STR("storage"), BP_STR("main")));
    done[0] = '\0';
    assert_true(generation_migrate_apps(&generation));
    expect_done("migrate storage0; ");
    bad.step = "migrate", bad.kind = "storage", bad.sentence = "a newer step is there";
    assert_false(generation_migrate_apps(&generation));
    assert_string_equal(generation.problem.text,
                        "app.work (app/fake): migration failed: a newer step is there");
    refs[0].option = BP_STR("store"); // no option `storage`
    assert_false(generation_migrate_apps(&generation));
    assert_non_null(strstr(generation.problem.text, "no option `storage` that says where"));
    done[0] = '\0';
    app_ops.migration_count = 0; // and no tables: none is needed
    assert_true(generation_migrate_apps(&generation));
    app_ops.migration_count = 1;
    app_ops.struct_size = offsetof(bp_app_ops, migrations); // of an older SDK
    assert_true(generation_migrate_apps(&generation));
    expect_done("");
    generation_stop(&generation);
}

/* ---- calls from another thread ---- */

static bp_status tell_deadline(bp_call *call, void *arg)
{
    *(int64_t *)arg = call->deadline_ns;
    return bp_fail(call, BP_CONFLICT, "worker %u", call->worker->index);
}

static bp_status succeed(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    return BP_OK;
}

static void a_call_from_another_thread_has_its_deadline_and_its_sentence(void **state)
{
    int64_t       deadline_ns = 0, before_ns = clock_now_ns();
    struct reason why;

    (void)state;
    assert_int_equal(generation_call(&workers[1], BP_SECONDS(300), tell_deadline, &deadline_ns,
                                     &why),
                     BP_CONFLICT);
    assert_string_equal(why.text, "worker 1");
    assert_true(deadline_ns >= before_ns + BP_SECONDS(300));
    assert_true(deadline_ns <= clock_now_ns() + BP_SECONDS(300));
    assert_int_equal(generation_call(&workers[0], BP_SECONDS(300), succeed, NULL, &why), BP_OK);
    assert_string_equal(why.text, "");
}

static void instances_are_found_by_kind_and_name(void **state)
{
    (void)state;
    assert_ptr_equal(generation_find(&generation, 1, BP_STR("health"), BP_STR("other")),
                     &instances[HEALTH][1]);
    assert_null(generation_find(&generation, 0, BP_STR("health"), BP_STR("main")));
    assert_null(generation_find(&generation, 0, BP_STR("cache"), BP_STR("main")));
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(each_comes_up_behind_those_it_refers_to_and_goes_down_before_them),
        RIGGED(what_another_generation_has_stays_up),
        RIGGED(a_plugin_without_hooks_comes_up_and_goes_down),
        RIGGED(exactly_what_was_done_is_undone),
        RIGGED(an_app_whose_tables_cannot_be_made_does_not_start),
        RIGGED(what_is_not_critical_is_done_without),
        RIGGED(what_a_plugin_leaves_behind_is_told),
        RIGGED(what_leaves_nothing_behind_is_not_told),
        RIGGED(those_that_are_wanted_start_with_what_they_refer_to),
        RIGGED(each_check_that_fails_is_a_problem_of_the_conf),
        RIGGED(tables_are_made_in_the_storage_that_an_app_names),
        RIGGED(a_call_from_another_thread_has_its_deadline_and_its_sentence),
        RIGGED(instances_are_found_by_kind_and_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
