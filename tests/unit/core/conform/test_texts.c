/* test_texts.c - the texts that contracts write: valid UTF-8 all of them, with those of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "conform/parts.h"

static char                 last_sentence[1024];
static char                 path[] = "/tmp/backplane-texts-XXXXXX";
static struct contract_wish wish;

static void keep_sentence(void *arg, const char *sentence)
{
    (void)arg;
    snprintf(last_sentence, sizeof(last_sentence), "%s", sentence);
}

static bool read_texts(struct contract_runner *run, const char *json)
{
    FILE *file = json ? fopen(path, "w") : NULL;

    if (file) {
        fputs(json, file);
        fclose(file);
    }
    wish.say = keep_sentence;
    *run = (struct contract_runner){ .wish = &wish };
    arena_init(&run->arena, 64u << 20);
    return contract_read_texts(run, json ? path : NULL);
}

static void end(struct contract_runner *run)
{
    arena_free(&run->arena);
}

static struct contract_runner run;

static void there_are_dozens_and_all_are_utf8(void **state)
{
    (void)state;
    assert_true(read_texts(&run, NULL));
    assert_int_equal(run.conform.string_count, 39);
    assert_ptr_equal(run.conform.strings, run.texts);
    assert_true(bp_str_is(run.conform.strings[0], ""));
    assert_true(bp_str_is(run.conform.strings[38], "\xe2\x80\x8b"));
    for (size_t i = 0; i < run.conform.string_count; i++)
        assert_true(str_is_utf8(run.conform.strings[i]));
    end(&run);
}

static void those_of_a_file_come_behind_them(void **state)
{
    size_t built_in;

    (void)state;
    assert_true(read_texts(&run, NULL));
    built_in = run.conform.string_count;
    end(&run);
    assert_true(read_texts(&run, "[\"one\", 2, \"three\"]"));
    assert_int_equal(run.conform.string_count, built_in + 2);
    assert_true(bp_str_is(run.conform.strings[built_in], "one"));
    assert_true(bp_str_is(run.conform.strings[built_in + 1], "three"));
    end(&run);
    assert_true(read_texts(&run, "[]"));
    assert_int_equal(run.conform.string_count, built_in);
    end(&run);
}

/* A long list, longer than one piece that is read: what does not fit is left. */
static void there_are_at_most_4096(void **state)
{
    char *json = malloc(400000), *to = json;

    (void)state;
    *to++ = '[';
    for (int i = 0; i < 5000; i++)
        to += sprintf(to, "%s\"a text of some length, number %d\"", i ? ", " : "", i);
    strcpy(to, "]");
    assert_true(read_texts(&run, json));
    assert_int_equal(run.conform.string_count, CONTRACT_TEXTS_MAX);
    assert_true(bp_str_is(run.conform.strings[CONTRACT_TEXTS_MAX - 1],
                          "a text of some length, number 4056"));
    end(&run);
    free(json);
}

static void assert_sentence(const char *reason)
{
    char expected[256];

    snprintf(expected, sizeof(expected), "%s is not a JSON array of strings: %s", path, reason);
    assert_string_equal(last_sentence, expected);
}

static void a_file_that_is_no_array_is_refused(void **state)
{
    (void)state;
    assert_false(read_texts(&run, "{\"a\": 1}"));
    assert_sentence("it cannot be read");
    end(&run);
    assert_false(read_texts(&run, "[1"));
    assert_non_null(strstr(last_sentence, " is not a JSON array of strings: "));
    assert_null(strstr(last_sentence, "it cannot be read"));
    end(&run);
    run = (struct contract_runner){ .wish = &wish };
    assert_false(contract_read_texts(&run, "/no/such/file"));
    assert_string_equal(last_sentence,
                        "/no/such/file is not a JSON array of strings: it cannot be read");
}

static int make_file(void **state)
{
    int descriptor = mkstemp(path);

    (void)state;
    return descriptor < 0 ? -1 : close(descriptor);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_dozens_and_all_are_utf8),
        cmocka_unit_test(those_of_a_file_come_behind_them),
        cmocka_unit_test(there_are_at_most_4096),
        cmocka_unit_test(a_file_that_is_no_array_is_refused),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
