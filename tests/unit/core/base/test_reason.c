/* The reason of a failure: what is written, what is cut, what is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/reason.h"
#include "base/str.h"

static void test_setting_writes_the_sentence_and_gives_false(void **state)
{
    struct reason why = { "the one before" };

    (void)state;
    assert_true(reason_is_set(&why));
    assert_false(reason_set(&why, "%s is taken by %d others", "the port", 2));
    assert_string_equal(why.text, "the port is taken by 2 others");
    reason_clear(&why);
    assert_false(reason_is_set(&why));
    assert_string_equal(why.text, "");
}

/* A sentence of `bytes` bytes, all `x` up to the tail. */
static void fill(char *text, size_t bytes, const char *tail)
{
    memset(text, 'x', bytes);
    memcpy(text + bytes - strlen(tail), tail, strlen(tail) + 1);
}

static void test_a_sentence_is_cut_between_two_characters(void **state)
{
    static const struct {
        size_t      bytes; /* of the sentence */
        const char *tail;
        size_t      kept;
    } cases[] = {
        { REASON_BYTES - 2, "y", REASON_BYTES - 2 },
        { REASON_BYTES - 1, "y", REASON_BYTES - 1 },
        { REASON_BYTES - 1, "\xc3\xa9", REASON_BYTES - 1 },
        { REASON_BYTES, "y", REASON_BYTES - 1 },
        { REASON_BYTES, "\xc3\xa9", REASON_BYTES - 2 },
        { REASON_BYTES, "\xe2\x82\xac", REASON_BYTES - 3 },
        { REASON_BYTES + 1, "\xe2\x82\xac", REASON_BYTES - 2 },
        { REASON_BYTES, "\xf0\x9f\x8c\x8d", REASON_BYTES - 4 },
    };
    char          text[REASON_BYTES + 8];
    struct reason why;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fill(text, cases[i].bytes, cases[i].tail);
        reason_set(&why, "%s", text);
        assert_int_equal(strlen(why.text), cases[i].kept);
        assert_memory_equal(why.text, text, cases[i].kept);
        assert_true(str_is_utf8(bp_str_of(why.text)));
    }
}

static void test_a_sentence_that_cannot_be_written_is_none(void **state)
{
    struct reason why = { "the one before" };

    (void)state;
    assert_false(reason_set(&why, "%lc", 0x7FFFFFFFu));
    assert_false(reason_is_set(&why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setting_writes_the_sentence_and_gives_false),
        cmocka_unit_test(test_a_sentence_is_cut_between_two_characters),
        cmocka_unit_test(test_a_sentence_that_cannot_be_written_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
