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

#include "conform/parts.h"

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
};

static struct plugin plugin_of(const char *kind)
{
    return (struct plugin){ .descriptor = { .kind = kind,
                                            .name = "mine",
                                            .options = options,
                                            .option_size = sizeof(options[0]),
                                            .option_count = 4 } };
}

static void settings_are_written_and_later_ones_replace_earlier_ones(void **state)
{
    struct contract_wish wish = { .settings = { "url=http://a", "url=http://b", "words=x,y" },
                                  .setting_count = 3,
                                  .say = keep_sentence };
    struct plugin        plugin = plugin_of("vector");
    char                *text = contract_conf_write(&wish, &plugin, NULL, "/tmp/run", false);

    (void)state;
    assert_non_null(text);
    assert_non_null(strstr(text, "data_dir: /tmp/run/data\n"));
    assert_non_null(strstr(text, "vector:\n  subject:\n    use: mine\n"));
    assert_null(strstr(text, "http://a"));
    assert_non_null(strstr(text, "    url: \"http://b\"\n"));
    assert_non_null(strstr(text, "    words: ["));
    free(text);
}

static void wrong_settings_stand_only_in_the_wrong_conf(void **state)
{
    struct contract_wish wish = { .settings = { "key=right" },
                                  .setting_count = 1,
                                  .wrong = { "key=false" },
                                  .wrong_count = 1,
                                  .say = keep_sentence };
    struct plugin        plugin = plugin_of("vector");
    char                *right = contract_conf_write(&wish, &plugin, NULL, "/tmp/run", false),
         *wrong = contract_conf_write(&wish, &plugin, NULL, "/tmp/run", true);

    (void)state;
    assert_non_null(strstr(right, "\"right\""));
    assert_null(strstr(right, "\"false\""));
    assert_null(strstr(wrong, "\"right\""));
    assert_non_null(strstr(wrong, "\"false\""));
    free(right);
    free(wrong);
}

static void an_app_refers_to_main_and_listens_on_a_free_port(void **state)
{
    struct contract_wish wish = { .say = keep_sentence };
    struct plugin        plugin = plugin_of("app");
    char                *text = contract_conf_write(&wish, &plugin, NULL, "/tmp/run", false);

    (void)state;
    assert_non_null(strstr(text, "listen: [ \"127.0.0.1:0\" ]"));
    assert_non_null(strstr(text, "    storage: main\n"));
    free(text);
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
        cmocka_unit_test(an_app_refers_to_main_and_listens_on_a_free_port),
        cmocka_unit_test(a_setting_without_a_value_is_refused),
        cmocka_unit_test(what_cannot_be_wrong_is_refused),
        cmocka_unit_test(a_report_counts_outcomes_and_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
