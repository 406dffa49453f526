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
    assert_true(run.conform.string_count >= 24);
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
    assert_true(bp_str_is(run.conform.strings[built_in + 1], "three"));
    end(&run);
}

static void a_file_that_is_no_array_is_refused(void **state)
{
    (void)state;
    assert_false(read_texts(&run, "{\"a\": 1}"));
    assert_non_null(strstr(last_sentence, "is not a JSON array of strings"));
    end(&run);
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
        cmocka_unit_test(a_file_that_is_no_array_is_refused),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
