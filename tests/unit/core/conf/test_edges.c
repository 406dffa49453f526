/* test_edges.c - values that come from elsewhere or are long, names at their bounds, and a conf
 * whose memory ends at any place. conf.c is compiled in, so that its arena can be small. */
#include <stddef.h>

static size_t arena_limit_bytes = 64 << 20;

#include "base/arena.h"
#define arena_init(arena, limit) arena_init(arena, arena_limit_bytes)
#include "conf/conf.c"
#undef arena_init

#include "core/conf/conf_fixture.h"

#include "conf/conf_print.h"

/* ---- words ---- */

static void words_from_the_environment_are_taken_in_other_spellings(void **state)
{
    static const struct {
        const char *word;
        int         flag;  /* of a bool; -1: refused */
        int         level; /* of debug, info, warn, error; -1: refused */
        int         log;   /* of on, off, errors; -1: refused */
    } cases[] = {
        { "1", 1, -1, 0 },         { "y", 1, -1, -1 },           { "t", 1, -1, -1 },
        { "T", 1, -1, -1 },        { "enable", 1, -1, -1 },      { "enabled", 1, -1, 0 },
        { "0", 0, -1, 1 },         { "n", 0, -1, -1 },           { "f", 0, -1, -1 },
        { "disable", 0, -1, -1 },  { "disabled", 0, -1, 1 },     { "none", 0, -1, 1 },
        { "warning", -1, 2, -1 },  { "WARNING", -1, 2, -1 },     { "err", -1, 3, -1 },
        { "critical", -1, 3, -1 }, { "fatal", -1, 3, -1 },       { "trace", -1, 0, -1 },
        { "verbose", -1, 0, -1 },  { "information", -1, 1, -1 }, { "notice", -1, 1, -1 },
        { "true", 1, -1, 0 },      { "yes", 1, -1, 0 },          { "false", 0, -1, 1 },
        { "no", 0, -1, 1 },        { "on", 1, -1, 0 },           { "errors", -1, -1, 2 },
        { "' 1 '", 1, -1, 0 },     { "2", -1, -1, -1 },          { "debug", -1, 0, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char         text[512], word[32];
        struct conf *conf;

        snprintf(word, sizeof(word), "%.*s",
                 (int)strcspn(cases[i].word + (*cases[i].word == '\''), "'"),
                 cases[i].word + (*cases[i].word == '\''));
        snprintf(text, sizeof(text),
                 "llm: { x: { use: everything, url: 'http://h', flag: '${NOPE:-%s}' } }\n", word);
        conf = resolve(text);
        assert_int_equal(conf_has_errors(conf), cases[i].flag < 0);
        if (cases[i].flag >= 0)
            assert_int_equal(((struct everything *)conf->instances[0].options)->flag,
                             cases[i].flag);
        conf_free(conf);
        snprintf(text, sizeof(text), "log: { level: '${NOPE:-%s}' }\n", word);
        conf = resolve(text);
        assert_int_equal(conf_has_errors(conf), cases[i].level < 0);
        if (cases[i].level >= 0)
            assert_int_equal(conf->log.level, cases[i].level);
        conf_free(conf);
        snprintf(text, sizeof(text), "server: { access_log: '${NOPE:-%s}' }\n", word);
        conf = resolve(text);
        assert_int_equal(conf_has_errors(conf), cases[i].log < 0);
        if (cases[i].log >= 0)
            assert_int_equal(conf->server.access_log, cases[i].log);
        conf_free(conf);
    }
    assert_wrong("log: { level: warning }\n", // a file is written for this program
                 "t.yaml:1:15: log.level: \"warning\" is not one of debug, info, warn, error\n");
}

/* ---- texts ---- */

static void expect_text(const char *key, const char *value, const char *wanted)
{
    char         text[8192];
    struct conf *conf;

    snprintf(text, sizeof(text), "llm:\n  x:\n    use: everything\n    url: http://h\n    %s: %s\n",
             key, value);
    conf = resolve(text);
    assert_int_equal(conf->problems.error_count, 1);
    assert_bp_str(conf->problems.first->text, wanted);
    conf_free(conf);
}

static void a_long_value_is_shown_in_part(void **state)
{
    char value[200], wanted[300];

    (void)state;
    for (int len = 119; len <= 122; len++) {
        snprintf(value, sizeof(value), "%0*d", len, 0);
        value[0] = 'x';
        snprintf(wanted, sizeof(wanted), "\"%.120s%s\" is not a whole number", value,
                 len > 120 ? "..." : "");
        expect_text("number", value, wanted);
    }
    snprintf(value, sizeof(value), "x%0118d\xc3\xa9z", 0); // a character across the cut
    snprintf(wanted, sizeof(wanted), "\"%.119s...\" is not a whole number", value);
    expect_text("number", value, wanted);
}

static void a_path_is_absolute_or_below_the_data(void **state)
{
    static const char *const cases[][2] = {
        { "a", "/d/a" }, { "./a", "/d/a" },     { "././a", "/d/a" },
        { "/a", "/a" },  { ".", "/d" },         { "./", "" },
        { "./.", "/d" }, { "../a", "/d/../a" }, { "a/~b", "/d/a/~b" },
    };
    static char longest[4002];
    char        yaml[8400];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf;

        snprintf(yaml, sizeof(yaml), "data_dir: /d\nstorage: { s: { use: sqlite, path: %s } }\n",
                 cases[i][0]);
        conf = resolve(yaml);
        assert_problems(conf, "");
        assert_bp_str(((struct simple *)conf->instances[0].options)->path, cases[i][1]);
        conf_free(conf);
    }
    expect_text("path", "'~/x'",
                "\"~/x\" starts with ~, which only a shell understands (write ${HOME} or the whole "
                "path)");
    memset(longest, 'p', sizeof(longest) - 1);
    for (int len = 4000; len <= 4001; len++) {
        struct conf *conf;

        snprintf(yaml, sizeof(yaml), "storage: { s: { use: sqlite, path: /%.*s } }\n", len - 1,
                 longest);
        conf = resolve(yaml);
        assert_int_equal(conf->problems.error_count, len > 4000);
        conf_free(conf);
    }
}

static void passwords_of_urls_are_not_shown(void **state)
{
    (void)state;
    expect_text("database", "'pq://u:pw@h/x'",
                "\"pq://***@h/x\" is not a URL with a scheme that is understood here (postgres, "
                "postgresql)");
    expect_text("database", "'u:pw@h'", "\"***@h\" is not a URL (it has no scheme)");
    expect_text("database", "'h'",
                "\"h\" is not a URL (it has no scheme) (did you mean \"postgres://h\"?)");
    expect_text("database", "'pq://h?password=x'",
                "\"pq://h?password=***\" is not a URL with a scheme that is understood here "
                "(postgres, postgresql)");
}

static void names_of_variables_are_words_of_at_most_127_bytes(void **state)
{
    static const char form[] = "${...} must be ${NAME}, ${NAME:-default} or ${file:PATH} (write "
                               "$${ for the two characters)";
    static const struct {
        const char *name;
        bool        is_good;
    } cases[] = { { "A", true },   { "_", true },   { "a9", true },  { "Z_9", true },
                  { "z", true },   { "9a", false }, { "a-", false }, { "a/", false },
                  { "a@", false }, { "a[", false }, { "a`", false }, { "a:", false },
                  { "", false } };
    char value[400];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(value, sizeof(value), "'${%s:-x}'", cases[i].name);
        expect_text("number", value, cases[i].is_good ? "\"x\" is not a whole number" : form);
    }
    expect_text("number", "'${A:-${A:-${A:-x}}}y'", "\"xy\" is not a whole number");
    expect_text("number", "'$${A}'", "\"${A}\" is not a whole number");
    expect_text("number", "'${A:-}}x'", "\"}x\" is not a whole number");
    expect_text("number", "'${A:x}'", form);
    expect_text("number", "'${A-x}'", form);
    expect_text("number", "'x${'", "has a ${ without its }");
    expect_text("number", "'${A:-${B:-x}'", "has a ${ without its }");
}

/* ---- memory ---- */

static const char WHOLE[] = "data_dir: /d\nplugins: [a, b]\nserver: { listen: [ 'localhost:1', { "
                            "address: 'localhost:2', "
                            "apps: [console] } ] }\nllm: { a: { use: everything, url: 'http://h', "
                            "models: [x], headers: { "
                            "a: b }, fallback: [b] }, b: { use: everything, url: 'http://${PORT}' "
                            "} }\n"
                            "app: { console: , retrieval: { llm: [a, b] } }\nstorage: { s: { use: "
                            "sqlite } }\n";

/* Whatever it cannot have, it says so once, and nothing else that is not so. */
static void memory_that_ends_anywhere_is_told(void **state)
{
    size_t told = 0, whole = 0;

    (void)state;
    for (arena_limit_bytes = 256; whole < 3; arena_limit_bytes += 128) {
        struct conf *conf = conf_parse("t.yaml", bp_str_of(WHOLE), &test_environment);

        assert_non_null(conf);
        if (conf_resolve(conf, &plugins)) {
            assert_int_equal(conf->instance_count, 5);
            whole++;
        } else {
            assert_true(conf->problems.is_out_of_memory || conf->problems.first);
            told += conf->problems.is_out_of_memory;
            assert_int_equal(whole, 0); // with more memory it is never less
        }
        conf_free(conf);
        assert_true(arena_limit_bytes < 1 << 20);
    }
    assert_true(told > 50);
    arena_limit_bytes = 64 << 20;
}

static void a_conf_is_freed_by_the_last_who_holds_it(void **state)
{
    struct conf *conf = resolve(WHOLE);
    char         here[4096];

    (void)state;
    assert_problems(conf, "");
    assert_ptr_equal(conf_hold(conf), conf);
    assert_int_equal(conf->holders, 1);
    conf_free(conf);
    assert_int_equal(conf->holders, 0);
    assert_int_equal(conf->instance_count, 5);
    assert_non_null(getcwd(here, sizeof(here)));
    assert_true(bp_str_starts(conf->plugin_dirs.items[0], here));
    assert_string_equal(conf->plugin_dirs.items[0].data + strlen(here), "/a");
    assert_string_equal(conf->plugin_dirs.items[1].data + strlen(here), "/b");
    assert_int_equal(conf->plugin_dirs.count, 2);
    assert_null(conf_find_instance(conf, BP_STR("llm"), BP_STR("s")));
    assert_null(conf_find_instance(conf, BP_STR("storage"), BP_STR("a")));
    assert_ptr_equal(conf_find_instance(conf, BP_STR("llm"), BP_STR("b"))->kind, conf_kinds[4]);
    conf_free(conf);
    conf_free(NULL);
}

static void the_directory_of_a_conf_is_where_its_files_are(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_string_equal(directory_of(&arena, "a.yaml"), ".");
    assert_string_equal(directory_of(&arena, "x/a.yaml"), "x");
    assert_string_equal(directory_of(&arena, "/a.yaml"), "/");
    assert_string_equal(directory_of(&arena, "/x/y/a.yaml"), "/x/y");
    arena_free(&arena);
}

static void a_conf_has_1024_instances_at_most(void **state)
{
    struct bp_buf text;
    struct conf  *conf;

    (void)state;
    for (unsigned count = 1023; count <= 1025; count++) {
        buf_init(&text, NULL, 1 << 20);
        buf_add(&text, BP_STR("storage: { s: { use: sqlite } }\napp: {"));
        for (unsigned i = 1; i < count; i++)
            buf_addf(&text, " a%u: { use: console },", i);
        buf_add(&text, BP_STR("}\n"));
        conf = conf_parse("t.yaml", buf_str(&text), &test_environment);
        assert_int_equal(conf->instance_count, count < 1024 ? count : 1024);
        assert_int_equal(conf->problems.error_count, count > 1024);
        if (count > 1024)
            assert_bp_str(conf->problems.first->text, "there are more than 1024 instances");
        conf_free(conf);
        buf_free(&text);
    }
}

static void a_file_is_read_whole_and_4_mib_of_it_at_most(void **state)
{
    static char  text[(4 << 20) + 2];
    char         path[] = "/tmp/conf-edges-XXXXXX";
    struct conf *conf;

    (void)state;
    memset(text, '#', sizeof(text));
    for (int more = -1; more <= 1; more++) {
        FILE *file;

        close(mkstemp(path));
        file = fopen(path, "we");
        assert_int_equal(fwrite(text, 1, (size_t)((4 << 20) + more), file), (4 << 20) + more);
        fclose(file);
        conf = conf_load(path, &test_environment);
        assert_int_equal(conf->problems.error_count, more > 0);
        if (more > 0)
            assert_bp_str(conf->problems.first->text, "is larger than 4 MiB");
        conf_free(conf);
        unlink(path);
        memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_from_the_environment_are_taken_in_other_spellings),
        cmocka_unit_test(a_long_value_is_shown_in_part),
        cmocka_unit_test(a_path_is_absolute_or_below_the_data),
        cmocka_unit_test(passwords_of_urls_are_not_shown),
        cmocka_unit_test(names_of_variables_are_words_of_at_most_127_bytes),
        cmocka_unit_test(memory_that_ends_anywhere_is_told),
        cmocka_unit_test(a_conf_is_freed_by_the_last_who_holds_it),
        cmocka_unit_test(the_directory_of_a_conf_is_where_its_files_are),
        cmocka_unit_test(a_conf_has_1024_instances_at_most),
        cmocka_unit_test(a_file_is_read_whole_and_4_mib_of_it_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
