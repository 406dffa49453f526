/* test_same.c - whether an instance is the same in two readings of a conf: each thing that makes it
 * another one, alone. */
#include "core/conf/conf_fixture.h"

static const char
    BASE[] = "llm:\n  x:\n    use: everything\n    url: http://h\n    database: postgres://h/d\n"
             "    address: 'h:1'\n    text: one\n    number: 3\n    ratio: 0.25\n    size: 2KiB\n"
             "    timeout: 3s\n    flag: true\n    metric: dot\n    path: p\n    api_key: ${KEY}\n"
             "    models: [a, b]\n    headers: { a: 1, b: 2 }\n    storage: s\n    fallback: [y]\n"
             "    deadline: 9s\n    max_concurrent: 5\n    queue: 6\n    client_share: 0.5\n"
             "    retries: 1\n    breaker_failures: 4\n    breaker_window: 8s\n    breaker_pause: "
             "2s\n"
             "    critical: true\n"
             "    digest: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
             "  y: { use: everything, url: http://h }\n"
             "  z: { use: everything, url: http://h }\n"
             "storage: { s: { use: sqlite }, t: { use: sqlite } }\n"
             "health: { h: { use: tcp, every: 5s, rise: 2, fall: 3 }, i: { use: tcp } }\n"
             "app: { retrieval: { prefix: a } }\n";

/* The whole with one part replaced. */
static struct conf *with(const char *old, const char *new)
{
    char         text[4096];
    const char  *at = old ? strstr(BASE, old) : BASE;
    struct conf *conf;

    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - BASE), BASE, old ? new : "",
             old ? at + strlen(old) : BASE);
    conf = resolve(text);
    assert_problems(conf, "");
    return conf;
}

static bool is_same(const struct conf *a, const struct conf *b, const char *kind, const char *name)
{
    const struct conf_instance *one = conf_find_instance(a, bp_str_of(kind), bp_str_of(name)),
                               *other = conf_find_instance(b, bp_str_of(kind), bp_str_of(name));

    assert_non_null(one);
    assert_non_null(other);
    assert_true(conf_instance_is_same(one, other) == conf_instance_is_same(other, one));
    return conf_instance_is_same(one, other);
}

static void each_setting_alone_makes_another_instance(void **state)
{
    static const struct {
        const char *old, *new, *kind, *name;
        bool        is_same;
    } cases[] = {
        { NULL, NULL, "llm", "x", true },
        { "text: one", "text: two", "llm", "x", false },
        { "text: one", "text: 'one'", "llm", "x", true },
        { "url: http://h\n", "url: http://i\n", "llm", "x", false },
        { "url: http://h\n", "url: http://i\n", "llm", "y", true },
        { "postgres://h/d", "postgres://h/e", "llm", "x", false },
        { "'h:1'", "'h:2'", "llm", "x", false },
        { "number: 3", "number: 4", "llm", "x", false },
        { "ratio: 0.25", "ratio: 0.75", "llm", "x", false },
        { "size: 2KiB", "size: 3KiB", "llm", "x", false },
        { "size: 2KiB", "size: 2048", "llm", "x", true },
        { "timeout: 3s", "timeout: 4s", "llm", "x", false },
        { "timeout: 3s", "timeout: 3000ms", "llm", "x", true },
        { "flag: true", "flag: false", "llm", "x", false },
        { "flag: true", "flag: yes", "llm", "x", true },
        { "metric: dot", "metric: l2", "llm", "x", false },
        { "path: p", "path: q", "llm", "x", false },
        { "${KEY}", "${PORT}", "llm", "x", false },
        { "models: [a, b]", "models: [a, c]", "llm", "x", false },
        { "models: [a, b]", "models: [c, b]", "llm", "x", false },
        { "models: [a, b]", "models: [a]", "llm", "x", false },
        { "models: [a, b]", "models: [a, b, c]", "llm", "x", false },
        { "a: 1, b: 2", "a: 1, b: 3", "llm", "x", false },
        { "a: 1, b: 2", "a: 1, c: 2", "llm", "x", false },
        { "a: 1, b: 2", "a: 1", "llm", "x", false },
        { "a: 1, b: 2", "b: 2, a: 1", "llm", "x", false },
        { "storage: s\n", "storage: t\n", "llm", "x", false },
        { "fallback: [y]", "fallback: [z]", "llm", "x", false },
        { "fallback: [y]", "fallback: [y, z]", "llm", "x", false },
        { "    fallback: [y]\n", "", "llm", "x", false },
        { "deadline: 9s", "deadline: 8s", "llm", "x", false },
        { "max_concurrent: 5", "max_concurrent: 6", "llm", "x", false },
        { "queue: 6", "queue: 7", "llm", "x", false },
        { "client_share: 0.5", "client_share: 0.75", "llm", "x", false },
        { "retries: 1", "retries: 2", "llm", "x", false },
        { "breaker_failures: 4", "breaker_failures: 5", "llm", "x", false },
        { "breaker_window: 8s", "breaker_window: 9s", "llm", "x", false },
        { "breaker_pause: 2s", "breaker_pause: 3s", "llm", "x", false },
        { "critical: true", "critical: false", "llm", "x", false },
        { "digest: 9", "digest: 8", "llm", "x", false },
        { "every: 5s", "every: 6s", "health", "h", false },
        { "rise: 2", "rise: 4", "health", "h", false },
        { "fall: 3", "fall: 4", "health", "h", false },
        { "fall: 3", "fall: 4", "health", "i", true },
        { "prefix: a", "prefix: b", "app", "retrieval", false },
        { "s: { use: sqlite }", "s: { use: sqlite, path: z }", "llm", "x", true }, // itself it is
        { "s: { use: sqlite }", "s: { use: sqlite, path: z }", "storage", "s", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *a = with(NULL, NULL), *b = with(cases[i].old, cases[i].new);

        if (is_same(a, b, cases[i].kind, cases[i].name) != cases[i].is_same)
            fail_msg("%s -> %s: %s", cases[i].old, cases[i].new,
                     cases[i].is_same ? "not the same" : "the same");
        conf_free(a);
        conf_free(b);
    }
}

static void instances_of_other_names_kinds_and_plugins_are_others(void **state)
{
    struct conf *conf = resolve("storage: { a: { use: sqlite }, b: { use: sqlite } }\n"
                                "vector: { a: { use: local } }\n"
                                "embed: { a: { use: hash }, c: { use: broken, critical: no } }\n");
    struct conf *again = resolve("embed: { a: { use: due } }\n");
    const struct conf_instance *a = &conf->instances[0];
    struct conf_instance        copy = *a;

    (void)state;
    assert_true(conf_instance_is_same(a, &copy));
    assert_false(conf_instance_is_same(a, &conf->instances[1]));
    copy.kind = "vector";
    assert_false(conf_instance_is_same(a, &copy));
    copy = *a;
    copy.use = BP_STR("other");
    assert_false(conf_instance_is_same(a, &copy));
    copy = *a;
    copy.is_missing = true;
    assert_false(conf_instance_is_same(a, &copy));
    assert_false(conf_instance_is_same(&copy, a));
    copy = *a;
    copy.plugin.options.count--; // another file of the plugin
    assert_false(conf_instance_is_same(a, &copy));
    copy = *a;
    copy.plugin.options.options++;
    assert_false(conf_instance_is_same(a, &copy));
    assert_false(conf_instance_is_same(&conf->instances[3], &again->instances[0]));
    copy = conf->instances[4];
    assert_true(copy.is_missing);
    assert_false(conf_instance_is_same(&copy, &copy));
    conf_free(conf);
    conf_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_setting_alone_makes_another_instance),
        cmocka_unit_test(instances_of_other_names_kinds_and_plugins_are_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
