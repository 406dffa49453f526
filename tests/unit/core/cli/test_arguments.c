/* test_arguments.c - what is taken out of a command line, and what is left of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct command_option options[] = { { "-c", "FILE", "" },
                                                 { "--conf", "FILE", "" },
                                                 { "--name", "NAME", "" },
                                                 { "-q", NULL, "" },
                                                 { NULL, NULL, NULL } };
static const struct command        command = { "try", "", "", NULL, options };

/* A command line of its own for each test, split at blanks. */
static char  line[256];
static char *words[16];
static int   count;

static void type(const char *text)
{
    snprintf(line, sizeof(line), "%s", text);
    count = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    command_begin(&command);
}

static void expect_left(const char *wanted)
{
    char left[256] = "";

    for (int i = 0; i < count; i++) {
        strcat(left, i ? " " : "");
        strcat(left, words[i]);
    }
    assert_string_equal(left, wanted);
}

static void an_option_is_taken_wherever_it_stands(void **state)
{
    static const struct {
        const char *line, *option, *value, *left; /* value NULL: there is none */
    } cases[] = {
        { "try --name a b", "--name", "a", "try b" },
        { "try b --name a", "--name", "a", "try b" },
        { "try --name=a b", "--name", "a", "try b" },
        { "try --name= b", "--name", "", "try b" },
        { "try --name=a=b", "--name", "a=b", "try" },
        { "try --names=a", "--name", NULL, "try --names=a" },
        { "try --nam a", "--name", NULL, "try --nam a" },
        { "try b --name", "--name", NULL, "try b --name" },
        { "try -- --name a", "--name", NULL, "try -- --name a" },
        { "try -c a", "-c", "a", "try" },
        { "try -c=a", "-c", NULL, "try -c=a" },
        { "--name a", "--name", NULL, "--name a" }, // the first word is the command's
        { "try --name a --name b", "--name", "a", "try --name b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *value;

        type(cases[i].line);
        value = cli_take_option(&count, words, cases[i].option);
        if (!value != !cases[i].value || (value && strcmp(value, cases[i].value) != 0))
            fail_msg("%s: %s", cases[i].line, value ? value : "none");
        expect_left(cases[i].left);
    }
}

static void a_flag_is_taken_wherever_it_stands(void **state)
{
    (void)state;
    type("try a -q b");
    assert_true(cli_take_flag(&count, words, "-q"));
    expect_left("try a b");
    assert_false(cli_take_flag(&count, words, "-q"));
    type("try -- -q");
    assert_false(cli_take_flag(&count, words, "-q"));
    expect_left("try -- -q");
    type("-q");
    assert_false(cli_take_flag(&count, words, "-q"));
}

/* What is said on stderr while it is asked whether all was taken. */
static bool is_all_taken(const char *text, int most, char said[512])
{
    FILE *file = tmpfile();
    int   kept = dup(STDERR_FILENO);
    bool  is_good;

    assert_non_null(file);
    type(text);
    dup2(fileno(file), STDERR_FILENO);
    is_good = cli_is_all_taken(count, words, most);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    said[fread(said, 1, 511, file)] = '\0';
    fclose(file);
    return is_good;
}

static void what_nobody_took_is_named(void **state)
{
    static const struct {
        const char *line;
        int         most;
        const char *said; /* "": all is good */
    } cases[] = {
        { "try", 0, "" },
        { "try a", 1, "" },
        { "try a b", 1, "\"b\" is one word too many" },
        { "try a", 0, "\"a\" is one word too many" },
        { "try -", 1, "" }, // standard input
        { "try -- -q", 1, "" },
        { "try -- -q --", 2, "" },
        { "try -- -q b", 1, "\"b\" is one word too many" },
        { "try --name", 1, "the option --name has no value behind it" },
        { "try -q", 1, "the option -q stands here twice" },
        { "try --nam a", 2, "there is no option \"--nam\" (did you mean \"--name\"?)" },
        { "try --entirely-else", 1, "there is no option \"--entirely-else\"; `backplane try" },
    };
    char said[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_good = is_all_taken(cases[i].line, cases[i].most, said);

        if (is_good != !*cases[i].said || !strstr(said, cases[i].said) || (is_good && *said))
            fail_msg("%s: %d %s", cases[i].line, is_good, said);
    }
}

static void a_conf_is_the_one_that_was_named_or_one_that_is_there(void **state)
{
    char folder[] = "/tmp/backplane-test-XXXXXX", back[4096];
    bool is_given;

    (void)state;
    assert_non_null(getcwd(back, sizeof(back)));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    setenv("BACKPLANE_CONF", "of-environment.yaml", 1);
    type("try -c a.yaml b");
    assert_string_equal(cli_take_conf_if(&count, words, &is_given), "a.yaml");
    assert_true(is_given);
    expect_left("try b");
    type("try --conf=b.yaml");
    assert_string_equal(cli_take_conf(&count, words), "b.yaml");
    expect_left("try");
    type("try");
    assert_string_equal(cli_take_conf_if(&count, words, &is_given), "of-environment.yaml");
    assert_true(is_given);
    unsetenv("BACKPLANE_CONF");
    assert_non_null(
        strstr(cli_take_conf_if(&count, words, &is_given), "/etc/backplane/backplane.yaml"));
    assert_false(is_given);
    fclose(fopen("backplane.yaml", "we"));
    assert_string_equal(cli_take_conf_if(&count, words, &is_given), "backplane.yaml");
    assert_false(is_given);
    unlink("backplane.yaml");
    assert_int_equal(chdir(back), 0);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_is_taken_wherever_it_stands),
        cmocka_unit_test(a_flag_is_taken_wherever_it_stands),
        cmocka_unit_test(what_nobody_took_is_named),
        cmocka_unit_test(a_conf_is_the_one_that_was_named_or_one_that_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
