/* test_prefix.c - apps whose paths are equal: which of them gets a prefix, and when none helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/app.h>

#include "api/prefix.h"
#include "base/log.h"
#include "base/str.h"

enum { APPS = 3 };

static struct plugin               plugins[APPS];
static struct conf_instance        confs[APPS];
static struct conf_node            nodes[APPS];
static struct unit                 units[APPS], *unit_list[APPS];
static const struct conf_instance *conf_list[APPS];
static bp_app_ops                  apps[APPS];
static struct conf                 conf;
static struct server_listener      listeners[2];
static struct generation           generation;
static struct worker               worker;
static struct arena                arena;
static struct reason               why;
static char                        log_path[64];

#define ROUTES(app, table)                                                                         \
    do {                                                                                           \
        apps[app].routes = table;                                                                  \
        apps[app].route_count = sizeof(table) / sizeof((table)[0]);                                \
    } while (0)

static const bp_route notes[] = { { .method = "GET", .path = "/notes" },
                                  { .method = "POST", .path = "/notes/{id}" } },
                      same[] = { { .method = "GET", .path = "/other" },
                                 { .method = "POST", .path = "/notes/{name}" } },
                      other_method[] = { { .method = "PUT", .path = "/notes" } },
                      of_two[] = { { .method = "GET", .path = "/two/other" } };

static int set_up(void **state)
{
    static const char *const names[APPS] = { "one", "two", "three" };

    (void)state;
    arena_init(&arena, 1 << 20);
    memset(&conf, 0, sizeof(conf));
    problems_init(&conf.problems, &arena, "test.conf");
    memset(listeners, 0, sizeof(listeners));
    for (int i = 0; i < APPS; i++) {
        apps[i] = (bp_app_ops){ .struct_size = sizeof(bp_app_ops), .route_size = sizeof(bp_route) };
        plugins[i] = (struct plugin){ .descriptor = { .kind = "app", .ops = &apps[i] } };
        confs[i] = (struct conf_instance){ .kind = "app",
                                           .name = bp_str_of(names[i]),
                                           .node = &nodes[i] };
        units[i] = (struct unit){ .conf = &confs[i], .plugin = &plugins[i], .is_up = true };
        unit_list[i] = &units[i];
        conf_list[i] = &confs[i];
    }
    snprintf(log_path, sizeof(log_path), "/tmp/backplane-prefix-%d.log", (int)getpid());
    worker.log = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = log_path, .queue_lines = 64 });
    assert_non_null(worker.log);
    conf.instances = confs;
    conf.instance_count = APPS;
    conf.server.listeners = listeners;
    conf.server.listener_count = 1;
    generation = (struct generation){ .conf = &conf,
                                      .workers = &worker,
                                      .worker_count = 1,
                                      .units = unit_list,
                                      .confs = conf_list,
                                      .unit_count = APPS };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_close(worker.log);
    unlink(log_path);
    arena_free(&arena);
    return 0;
}

/* In the order of the units. */
static void expect_prefixes(const char *one, const char *two, const char *three)
{
    const char **made = prefixes_settle(&conf, &generation, &arena, &why);

    if (!made)
        fail_msg("%s", why.text);
    assert_string_equal(made[0], one);
    assert_string_equal(made[1], two);
    assert_string_equal(made[2], three);
}

static void expect_refused(const char *sentence)
{
    assert_null(prefixes_settle(&conf, &generation, &arena, &why));
    assert_string_equal(why.text, sentence);
}

static void expect_logged(const char *text)
{
    char  lines[4096] = "";
    FILE *file;

    log_flush(worker.log);
    file = fopen(log_path, "re");
    assert_non_null(file);
    lines[fread(lines, 1, sizeof(lines) - 1, file)] = '\0';
    fclose(file);
    if (text ? !strstr(lines, text) : *lines)
        fail_msg("%s", lines);
}

static void paths_that_differ_need_no_prefix(void **state)
{
    (void)state;
    ROUTES(0, notes);
    ROUTES(1, other_method);
    ROUTES(2, of_two);
    expect_prefixes("", "", "");
    expect_logged(NULL);
}

static void who_comes_later_gets_its_name_as_a_prefix(void **state)
{
    (void)state;
    ROUTES(0, notes);
    ROUTES(1, same);
    expect_prefixes("", "/two", "");
    expect_logged(
        "the paths of app.two begin with /two, because app.one, which stands before it in "
        "the conf, has POST /notes/{name} too; `prefix` of app.two is another word for it");
}

static void the_order_of_the_conf_settles_who_is_later(void **state)
{
    (void)state;
    unit_list[0] = &units[1];
    unit_list[1] = &units[0];
    conf_list[0] = &confs[1];
    conf_list[1] = &confs[0];
    ROUTES(0, notes);
    ROUTES(1, same);
    expect_prefixes("/two", "", "");
}

static void a_prefix_of_the_conf_is_taken_as_it_is(void **state)
{
    (void)state;
    ROUTES(0, notes);
    ROUTES(1, notes);
    confs[1].gate.prefix = BP_STR("mine");
    expect_prefixes("", "/mine", "");
    confs[0].gate.prefix = BP_STR("yours");
    confs[1].gate.prefix = BP_STR("");
    expect_prefixes("/yours", "", "");
    confs[1].gate.prefix = BP_STR("yours");
    expect_refused(
        "GET /yours/notes is offered by app.one as well, and one listener serves both: "
        "give app.two another `prefix`, or listeners of their own, { address: ..., apps: "
        "[two] }");
    assert_int_equal(conf.problems.error_count, 1);
}

/* The name itself may be in the way of another. */
static void a_name_that_does_not_help_is_refused(void **state)
{
    static const bp_route other[] = { { .method = "GET", .path = "/other" } };

    (void)state;
    ROUTES(0, of_two);
    ROUTES(1, other);
    ROUTES(2, other); // called /three
    expect_prefixes("", "", "/three");
    apps[2].route_count = 0;
    apps[0].routes = (const bp_route[]){ { .method = "GET", .path = "/two/other" },
                                         { .method = "GET", .path = "/other" } };
    apps[0].route_count = 2;
    expect_refused(
        "GET /two/other is offered by app.one as well, and one listener serves both: give "
        "app.two another `prefix`, or listeners of their own, { address: ..., apps: [two] "
        "}");
}

static void apps_on_listeners_of_their_own_share_paths(void **state)
{
    bp_str one = BP_STR("one"), others[] = { BP_STR("two"), BP_STR("three") };

    (void)state;
    ROUTES(0, notes);
    ROUTES(1, notes);
    ROUTES(2, notes);
    conf.server.listener_count = 2;
    listeners[0].apps = (bp_str_list){ &one, 1 };
    listeners[1].apps = (bp_str_list){ others, 2 };
    expect_prefixes("", "", "/three");
    listeners[1].apps.count = 0; // all
    expect_prefixes("", "/two", "/three");
}

static void who_is_no_app_has_no_prefix(void **state)
{
    (void)state;
    ROUTES(0, notes);
    ROUTES(1, notes);
    confs[1].kind = "storage";
    expect_prefixes("", "", "");
    confs[1].kind = "app";
    confs[0].kind = "cache";
    expect_prefixes("", "", "");
}

static void routes_without_a_method_or_a_path_are_no_reason(void **state)
{
    static const bp_route broken[] = { { .path = "/notes" }, { .method = "GET" } };

    (void)state;
    ROUTES(0, broken);
    ROUTES(1, notes);
    ROUTES(2, broken);
    expect_prefixes("", "", "");
}

static void an_app_is_served_at_the_listeners_that_name_it_or_none(void **state)
{
    bp_str one = BP_STR("one");

    (void)state;
    conf.server.listener_count = 2;
    listeners[0].apps = (bp_str_list){ &one, 1 };
    assert_true(prefix_is_served_at(&conf.server, 0, &units[0]));
    assert_false(prefix_is_served_at(&conf.server, 0, &units[1]));
    assert_true(prefix_is_served_at(&conf.server, 1, &units[1]));
    assert_true(prefix_is_served_at(&conf.server, 2, &units[1])); // not by a listener
    assert_true(prefix_is_served_at(&conf.server, 0, NULL));      // of the host
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(paths_that_differ_need_no_prefix),
        CASE(who_comes_later_gets_its_name_as_a_prefix),
        CASE(the_order_of_the_conf_settles_who_is_later),
        CASE(a_prefix_of_the_conf_is_taken_as_it_is),
        CASE(a_name_that_does_not_help_is_refused),
        CASE(apps_on_listeners_of_their_own_share_paths),
        CASE(who_is_no_app_has_no_prefix),
        CASE(routes_without_a_method_or_a_path_are_no_reason),
        CASE(an_app_is_served_at_the_listeners_that_name_it_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
