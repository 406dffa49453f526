/* test_embedded_conf.c - the conf that `mcp --app` writes itself, text by text, and what it
 * refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "../../../lib/caught.h"
#include "host/embedded_conf.h"

static char folder[] = "/tmp/backplane-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    setenv("BACKPLANE_PLUGINS", BP_BUILD_DIR "/plugins", 1);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* ---- values and back ends ---- */

static void values_are_quoted_and_lists_are_split(void **state)
{
    static const bp_option text = { .type = BP_OPTION_TYPE_STRING },
                           list = { .type = BP_OPTION_TYPE_LIST },
                           refs = { .type = BP_OPTION_TYPE_REFS };
    static const struct {
        const bp_option *option;
        const char      *value, *yaml;
    } cases[] = {
        { &text, "", "\"\"" },
        { &text, "a, b", "\"a, b\"" },
        { &text, "say \"it\"\n", "\"say \\\"it\\\"\\n\"" },
        { &text, "${HOME}", "\"$${HOME}\"" },
        { &text, "$", "\"$\"" },
        { &text, "$HOME $${x} {$", "\"$HOME $$${x} {$\"" },
        { &list, "", "[]" },
        { &list, "a", "[\"a\"]" },
        { &list, "a, b ,c", "[\"a\", \"b\", \"c\"]" },
        { &list, "a,", "[\"a\"]" },
        { &list, "${A},b", "[\"$${A}\", \"b\"]" },
        { &refs, "main, other", "[\"main\", \"other\"]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bp_buf out;

        buf_init(&out, NULL, 1 << 16);
        embedded_conf_add_value(&out, cases[i].option, bp_str_of(cases[i].value));
        buf_add_char(&out, '\0');
        assert_string_equal(out.data, cases[i].yaml);
        buf_free(&out);
    }
}

static void every_kind_but_one_has_a_back_end(void **state)
{
    static const char *const others[] = { "storag={ no }", "cache={ use: redis }", "llm=x",
                                          "vectors={ no }" };
    struct bp_buf            out;

    (void)state;
    buf_init(&out, NULL, 1 << 16);
    embedded_conf_add_backends(&out, "embed", NULL, 0);
    buf_add_char(&out, '\0');
    assert_string_equal(out.data,
                        "storage: { main: { breaker_failures: 0, use: sqlite, path: backplane.db } "
                        "}\n"
                        "cache: { main: { breaker_failures: 0, use: memory } }\n"
                        "vector: { main: { breaker_failures: 0, use: local, path: vectors } }\n"
                        "llm: { main: { breaker_failures: 0, use: extractive } }\n");
    buf_reset(&out);
    embedded_conf_add_backends(&out, "storage", others, 4);
    buf_add_char(&out, '\0');
    assert_string_equal(out.data,
                        "cache: { main: { use: redis } }\n"
                        "embed: { main: { breaker_failures: 0, use: hash } }\n"
                        "vector: { main: { breaker_failures: 0, use: local, path: vectors } }\n"
                        "llm: { main: x }\n");
    buf_free(&out);
}

/* ---- whole confs ---- */

static void add_apps(struct embedded_conf *wish, const char *names)
{
    bp_str rest = bp_str_of(names);

    while (rest.len)
        wish->apps[wish->app_count++] = str_split(rest, ' ', &rest);
}

static void confs_are_written_as_they_are_wished(void **state)
{
    static const struct {
        const char *apps, *settings[4], *words[3], *yaml;
    } cases[] = {
        { "knowledge",
          { NULL },
          { NULL },
          "storage: { main: { use: sqlite, path: backplane.db } }\n"
          "app:\n  knowledge:\n    use: knowledge\n    storage: main\n" },
        { "filesystem",
          { NULL },
          { "one", "two ${x}" },
          "cache: { main: { use: memory } }\n"
          "app:\n  filesystem:\n    use: filesystem\n    roots: [\"one\", \"two $${x}\"]\n"
          "    cache: main\n" },
        { "filesystem",
          { "roots=a,b", "filesystem.deny=x", "filesystem.cache=other", "read_only=true" },
          { NULL },
          "app:\n  filesystem:\n    use: filesystem\n    roots: [\"a\", \"b\"]\n"
          "    read_only: \"true\"\n    deny: [\"x\"]\n    cache: \"other\"\n" },
        { "journal",
          { "min_session=5m=x" },
          { NULL },
          "storage: { main: { use: sqlite, path: backplane.db } }\n"
          "embed: { main: { use: hash } }\n"
          "vector: { main: { use: local, path: vectors } }\n"
          "app:\n  journal:\n    use: journal\n    storage: main\n    vector: main\n"
          "    embed: main\n    min_session: \"5m=x\"\n" },
        { "knowledge filesystem",
          { "filesystem.threads=1", "filesystem.threads=2", "knowledge.memory=1MiB" },
          { "root" },
          "storage: { main: { use: sqlite, path: backplane.db } }\n"
          "cache: { main: { use: memory } }\n"
          "app:\n  knowledge:\n    use: knowledge\n    storage: main\n    memory: \"1MiB\"\n"
          "  filesystem:\n    use: filesystem\n    roots: [\"root\"]\n    threads: \"2\"\n"
          "    cache: main\n" },
        { "git filesystem",
          { "filesystem.roots=/" },
          { "repo" },
          "cache: { main: { use: memory } }\n"
          "app:\n  git:\n    use: git\n    repositories: [\"repo\"]\n"
          "  filesystem:\n    use: filesystem\n    roots: [\"/\"]\n    cache: main\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct embedded_conf wish = { .data_dir = folder };
        char                 expected[2048], *made;

        add_apps(&wish, cases[i].apps);
        while (wish.setting_count < 4 && cases[i].settings[wish.setting_count]) {
            wish.settings[wish.setting_count] = cases[i].settings[wish.setting_count];
            wish.setting_count++;
        }
        while (wish.word_count < 3 && cases[i].words[wish.word_count]) {
            wish.words[wish.word_count] = cases[i].words[wish.word_count];
            wish.word_count++;
        }
        snprintf(expected, sizeof(expected), "data_dir: \"%s\"\nlog: { level: warn }\n%s", folder,
                 cases[i].yaml);
        made = embedded_conf_write(&wish);
        assert_non_null(made);
        assert_string_equal(made, expected);
        free(made);
    }
}

static void what_no_app_has_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *apps, *setting, *word, *said;
    } cases[] = {
        { "knowledge", "nothing=1", NULL,
          "backplane mcp: --set nothing=1: none of the named apps has this option\n" },
        { "knowledge", "git.storage=main", NULL,
          "backplane mcp: --set git.storage=main: none of the named apps has this option\n" },
        { "knowledge", NULL, "word",
          "backplane mcp: \"word\": none of the named apps takes words\n" },
        { "filesystem", "roots=/", "word",
          "backplane mcp: \"word\": none of the named apps takes words\n" },
        { "knowledge nothing", NULL, NULL,
          "backplane mcp: there is no app of that name: `backplane plugins` lists them\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct embedded_conf wish = { .data_dir = folder };

        add_apps(&wish, cases[i].apps);
        if (cases[i].setting)
            wish.settings[wish.setting_count++] = cases[i].setting;
        if (cases[i].word)
            wish.words[wish.word_count++] = cases[i].word;
        caught_begin(stderr);
        assert_null(embedded_conf_write(&wish));
        assert_string_equal(caught_end(stderr), cases[i].said);
    }
}

static void data_lie_where_users_keep_state(void **state)
{
    static const struct {
        const char *state, *home, *wanted, *data_dir; /* each behind the test's folder */
    } cases[] = {
        { NULL, "/h", NULL, "/h/.local/state/backplane" },
        { "/s", "/h", NULL, "/s/backplane" },
        { "/s", "/h", "/w", "/w" },
    };
    char was[1024];

    (void)state;
    snprintf(was, sizeof(was), "%s", getenv("HOME") ? getenv("HOME") : "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct embedded_conf wish = { .app_count = 0 };
        char        state_home[128] = "", home[128], wanted[128], expected[256], above[256], *made;
        struct stat info;

        snprintf(home, sizeof(home), "%s%s", folder, cases[i].home);
        setenv("HOME", home, 1);
        if (cases[i].state)
            snprintf(state_home, sizeof(state_home), "%s%s", folder, cases[i].state);
        setenv("XDG_STATE_HOME", state_home, 1); // empty is none
        snprintf(wanted, sizeof(wanted), "%s%s", folder, cases[i].wanted ? cases[i].wanted : "");
        if (cases[i].wanted)
            wish.data_dir = wanted;
        snprintf(expected, sizeof(expected), "data_dir: \"%s%s\"\nlog: { level: warn }\napp:\n",
                 folder, cases[i].data_dir);
        made = embedded_conf_write(&wish);
        assert_non_null(made);
        assert_string_equal(made, expected);
        free(made);
        // The folders above it are made, for this user alone; the server makes it itself.
        snprintf(above, sizeof(above), "%s%s", folder, cases[i].data_dir);
        assert_int_not_equal(stat(above, &info), 0);
        *strrchr(above, '/') = '\0';
        assert_int_equal(stat(above, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0700);
    }
    setenv("HOME", was, 1);
    unsetenv("XDG_STATE_HOME");
    for (const char *const *name =
             (const char *const[]){ "/h/.local/state", "/h/.local", "/h", "/s", NULL };
         *name; name++) {
        char path[128];

        snprintf(path, sizeof(path), "%s%s", folder, *name);
        assert_int_equal(rmdir(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_quoted_and_lists_are_split),
        cmocka_unit_test(every_kind_but_one_has_a_back_end),
        cmocka_unit_test(confs_are_written_as_they_are_wished),
        cmocka_unit_test(what_no_app_has_is_refused_with_a_sentence),
        cmocka_unit_test(data_lie_where_users_keep_state),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
