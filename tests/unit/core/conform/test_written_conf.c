/* test_written_conf.c - the conf that a contract is run on, what is refused before, and the rows of
 * a report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "conform/parts.h"
#include "host/embedded_conf.h"

static char last_sentence[1024];

static void keep_sentence(void *arg, const char *sentence)
{
    (void)arg;
    snprintf(last_sentence, sizeof(last_sentence), "%s", sentence);
}

static const bp_option options[] = {
    { .name = "url", .help = "where it is", .type = BP_OPTION_TYPE_URL },
    { .name = "key", .help = "a credential", .type = BP_OPTION_TYPE_SECRET },
    { .name = "words", .help = "a list", .type = BP_OPTION_TYPE_LIST },
    { .name = "storage", .help = "a peer", .type = BP_OPTION_TYPE_REF, .ref_kind = "storage" },
    { .name = "many", .help = "peers", .type = BP_OPTION_TYPE_REFS, .ref_kind = "llm" },
};

static struct plugin plugin_of(const char *kind)
{
    return (struct plugin){ .descriptor = { .kind = kind,
                                            .name = "mine",
                                            .options = options,
                                            .option_size = sizeof(options[0]),
                                            .option_count = 5 } };
}

static char *written(const struct contract_wish *wish, const char *kind, const char *outside_file,
                     bool is_wrong)
{
    struct plugin plugin = plugin_of(kind);
    char         *text = contract_conf_write(wish, &plugin, outside_file, "/tmp/run", is_wrong);

    assert_non_null(text);
    return text;
}

/* The whole of it, behind the back ends that it may refer to. */
static void assert_written(const struct contract_wish *wish, const char *kind,
                           const char *outside_file, bool is_wrong, const char *head,
                           const char *instance)
{
    struct bp_buf expected;
    char         *text = written(wish, kind, outside_file, is_wrong);

    buf_init(&expected, NULL, 1 << 20);
    buf_addf(&expected, "data_dir: /tmp/run/data\nlog: { level: error }\n%s", head);
    embedded_conf_add_backends(&expected, kind, wish->peers, wish->peer_count);
    buf_addf(&expected, "%s", instance);
    buf_add_char(&expected, '\0');
    assert_string_equal(text, expected.data);
    buf_free(&expected);
    free(text);
}

#define VECTOR                                                                                     \
    "vector:\n  subject:\n    use: mine\n    breaker_failures: 0\n    retries: 0\n    "            \
    "deadline: 5m\n"
#define APP                                                                                        \
    "server: { listen: [ \"127.0.0.1:0\" ], access_log: off, mcp: { coerce_arguments: false } }\n" \
    "app:\n  subject:\n    use: mine\n"

static void settings_are_written_and_later_ones_replace_earlier_ones(void **state)
{
    struct contract_wish wish = { .settings = { "url=http://a", "url=http://b", "words=x,y",
                                                "unknown=1=2", "key=" },
                                  .setting_count = 5,
                                  .say = keep_sentence };

    (void)state;
    assert_written(&wish, "vector", NULL, false, "",
                   VECTOR "    url: \"http://b\"\n    words: [\"x\", \"y\"]\n    unknown: \"1=2\"\n"
                          "    key: \"\"\n");
    wish.setting_count = 1;
    assert_written(&wish, "vector", NULL, false, "", VECTOR "    url: \"http://a\"\n");
    wish.setting_count = 0;
    assert_written(&wish, "vector", NULL, false, "", VECTOR);
    assert_written(&wish, "vector", NULL, true, "", VECTOR);
}

static void wrong_settings_stand_only_in_the_wrong_conf(void **state)
{
    struct contract_wish wish = { .settings = { "key=right", "url=u" },
                                  .setting_count = 2,
                                  .wrong = { "key=false", "words=w" },
                                  .wrong_count = 2,
                                  .say = keep_sentence };

    (void)state;
    assert_written(&wish, "vector", NULL, false, "", VECTOR "    key: \"right\"\n    url: \"u\"\n");
    assert_written(&wish, "vector", NULL, true, "",
                   VECTOR "    url: \"u\"\n    key: \"false\"\n    words: [\"w\"]\n");
}

static void an_app_refers_to_main_and_listens_on_a_free_port(void **state)
{
    struct contract_wish wish = { .settings = { "url=u" }, .say = keep_sentence };

    (void)state;
    assert_written(&wish, "app", NULL, false, "", APP "    storage: main\n    many: [ main ]\n");
    wish.setting_count = 1;
    assert_written(&wish, "app", NULL, false, "",
                   APP "    storage: main\n    many: [ main ]\n    url: \"u\"\n");
    wish.settings[0] = "storage=own";
    assert_written(&wish, "app", NULL, false, "", APP "    many: [ main ]\n    storage: \"own\"\n");
}

/* Its folder, with links followed. */
static void the_folder_of_a_plugin_that_is_not_installed_is_in_the_conf(void **state)
{
    struct contract_wish wish = { .say = keep_sentence };
    char                 folder[] = "/tmp/bp_conform_XXXXXX", path[64], head[128], real[4096];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/mine.so", folder);
    fclose(fopen(path, "w"));
    assert_non_null(realpath(folder, real));
    snprintf(head, sizeof(head), "plugins: [ \"%.100s\" ]\n", real);
    assert_written(&wish, "vector", path, false, head, VECTOR);
    unlink(path);
    assert_written(&wish, "vector", path, false, "", VECTOR); // it is gone
    rmdir(folder);
}

static void a_setting_without_a_value_is_refused(void **state)
{
    struct contract_wish wish = { .settings = { "url" }, .setting_count = 1, .say = keep_sentence };
    struct plugin        plugin = plugin_of("vector");

    (void)state;
    assert_null(contract_conf_write(&wish, &plugin, NULL, "/tmp/run", false));
    assert_string_equal(last_sentence, "--set url: write KEY=VALUE");
}

static void what_cannot_be_wrong_is_refused(void **state)
{
    struct contract_wish wish = { .wrong = { "kee=x" }, .wrong_count = 1, .say = keep_sentence };
    struct plugin        plugin = plugin_of("vector");

    (void)state;
    assert_false(contract_conf_check_wrong(&wish, &plugin));
    assert_string_equal(last_sentence, "--wrong kee: vector/mine has no such option: `backplane "
                                       "docs` lists them");
    wish.wrong[0] = "key";
    assert_false(contract_conf_check_wrong(&wish, &plugin));
    assert_string_equal(last_sentence, "--wrong key: write KEY=VALUE");
    wish.wrong[0] = "key=x";
    assert_true(contract_conf_check_wrong(&wish, &plugin));
    wish.wrong[1] = "none=x";
    wish.wrong_count = 2;
    assert_false(contract_conf_check_wrong(&wish, &plugin));
    assert_string_equal(last_sentence, "--wrong none: vector/mine has no such option: `backplane "
                                       "docs` lists them");
    wish.wrong_count = 1;
    plugin = plugin_of("health"); // its contract has no refusals
    assert_false(contract_conf_check_wrong(&wish, &plugin));
    assert_string_equal(last_sentence,
                        "--wrong: the contract of the kind health knows no credentials");
    plugin = plugin_of("none");
    assert_false(contract_conf_check_wrong(&wish, &plugin));
    assert_string_equal(last_sentence,
                        "--wrong: the contract of the kind none knows no credentials");
    wish.wrong_count = 0;
    assert_true(contract_conf_check_wrong(&wish, &plugin));
}

static void a_report_counts_outcomes_and_has_an_end(void **state)
{
    struct contract_report *report = calloc(1, sizeof(*report));

    (void)state;
    assert_non_null(report);
    for (size_t i = 0; i < CONTRACT_ROWS_MAX; i++)
        contract_report_add(report, "it holds")->outcome = i % 2 ? CONTRACT_HOLDS : CONTRACT_FAILS;
    assert_null(contract_report_add(report, "one more"));
    assert_int_equal(contract_report_count(report, CONTRACT_FAILS), CONTRACT_ROWS_MAX / 2);
    assert_int_equal(contract_report_count(report, CONTRACT_SKIPPED), 0);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_written_and_later_ones_replace_earlier_ones),
        cmocka_unit_test(wrong_settings_stand_only_in_the_wrong_conf),
        cmocka_unit_test(the_folder_of_a_plugin_that_is_not_installed_is_in_the_conf),
        cmocka_unit_test(an_app_refers_to_main_and_listens_on_a_free_port),
        cmocka_unit_test(a_setting_without_a_value_is_refused),
        cmocka_unit_test(what_cannot_be_wrong_is_refused),
        cmocka_unit_test(a_report_counts_outcomes_and_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
