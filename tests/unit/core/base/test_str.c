/* test_str.c - each question about text, with the answers at and around its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void case_is_ignored_for_letters_alone(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char x = (char)a, y = (char)b;
            bool is_pair = (a >= 'A' && a <= 'Z' && b == a + 32) ||
                           (b >= 'A' && b <= 'Z' && a == b + 32);

            assert_int_equal(str_equal_ignore_case(bp_str_n(&x, 1), bp_str_n(&y, 1)),
                             a == b || is_pair);
        }
    }
    assert_true(str_equal_ignore_case(BP_STR(""), BP_STR("")));
    assert_true(str_equal_ignore_case(BP_STR("X-Auth"), BP_STR("x-aUTH")));
    assert_false(str_equal_ignore_case(BP_STR("x-auth"), BP_STR("x-aut")));
    assert_false(str_equal_ignore_case(BP_STR("x-auth"), BP_STR("y-auth")));
    assert_false(str_equal_ignore_case(BP_STR("x-auth"), BP_STR("x-autx")));
}

static void blanks_and_tabs_are_trimmed_at_both_ends(void **state)
{
    static const char *const cases[][2] = { { "", "" },           { " ", "" },
                                            { "\t", "" },         { " \t \t", "" },
                                            { "a", "a" },         { " a", "a" },
                                            { "a ", "a" },        { "\ta", "a" },
                                            { "a\t", "a" },       { " \t a b\t ", "a b" },
                                            { "\na\n", "\na\n" }, { "  ab", "ab" },
                                            { "ab  ", "ab" } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(bp_str_is(str_trim(bp_str_of(cases[i][0])), cases[i][1]));
}

static void a_text_is_split_at_the_first_separator(void **state)
{
    static const char *const cases[][3] = { { "", "", "" },          { "a", "a", "" },
                                            { "a,", "a", "" },       { ",a", "", "a" },
                                            { "a,b,c", "a", "b,c" }, { ",", "", "" },
                                            { ",,", "", "," } };
    bp_str                   none = { NULL, 0 }, rest;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str text = bp_str_of(cases[i][0]), first = str_split(text, ',', &rest);

        assert_true(bp_str_is(first, cases[i][1]));
        assert_true(bp_str_is(rest, cases[i][2]));
        assert_ptr_equal(first.data, text.data);
        assert_ptr_equal(rest.data + rest.len, text.data + text.len);
    }
    assert_int_equal(str_split(none, ',', &rest).len, 0);
    assert_null(rest.data);
    assert_int_equal(rest.len, 0);
}

static void whole_numbers_are_read_up_to_their_bounds(void **state)
{
    static const struct {
        const char *text;
        bool        is_uint, is_int;
        uint64_t    number;
        int64_t     integer;
    } cases[] = { { "", false, false, 0, 0 },
                  { "0", true, true, 0, 0 },
                  { "9", true, true, 9, 9 },
                  { "10", true, true, 10, 10 },
                  { "007", true, true, 7, 7 },
                  { "/", false, false, 0, 0 },
                  { ":", false, false, 0, 0 },
                  { "1/", false, false, 0, 0 },
                  { "1:", false, false, 0, 0 },
                  { " 1", false, false, 0, 0 },
                  { "1 ", false, false, 0, 0 },
                  { "+", false, false, 0, 0 },
                  { "-", false, false, 0, 0 },
                  { "--1", false, false, 0, 0 },
                  { "+1", false, true, 0, 1 },
                  { "-1", false, true, 0, -1 },
                  { "-0", false, true, 0, 0 },
                  { "9223372036854775806", true, true, INT64_MAX - 1, INT64_MAX - 1 },
                  { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
                  { "9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0 },
                  { "-9223372036854775807", false, true, 0, -INT64_MAX },
                  { "-9223372036854775808", false, true, 0, INT64_MIN },
                  { "-9223372036854775809", false, false, 0, 0 },
                  { "18446744073709551614", true, false, UINT64_MAX - 1, 0 },
                  { "18446744073709551615", true, false, UINT64_MAX, 0 },
                  { "18446744073709551616", false, false, 0, 0 },
                  { "18446744073709551620", false, false, 0, 0 },
                  { "99999999999999999999", false, false, 0, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t number = 77;
        int64_t  integer = 77;

        assert_int_equal(str_to_uint(bp_str_of(cases[i].text), &number), cases[i].is_uint);
        assert_true(number == (cases[i].is_uint ? cases[i].number : 77));
        assert_int_equal(str_to_int(bp_str_of(cases[i].text), &integer), cases[i].is_int);
        assert_true(integer == (cases[i].is_int ? cases[i].integer : 77));
    }
}

static void numbers_are_read_in_every_form_that_is_finite(void **state)
{
    static const struct {
        const char *text;
        double      number; /* NAN: refused */
    } cases[] = { { "", NAN },      { "0", 0 },        { "-0.5", -0.5 }, { "+2", 2 },
                  { ".5", 0.5 },    { "5.", 5 },       { "1e3", 1000 },  { "1E-2", 0.01 },
                  { "9", 9 },       { "e3", NAN },     { " 1", NAN },    { "1 ", NAN },
                  { "1,5", NAN },   { "0x10", NAN },   { "0X10", NAN },  { "-nan", NAN },
                  { "-NAN", NAN },  { "inf", NAN },    { "-inf", NAN },  { "1e308", 1e308 },
                  { "1e309", NAN }, { "-1e309", NAN }, { "--1", NAN },   { "1.2.3", NAN } };

    (void)state;
    setlocale(LC_ALL, "");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            double number = 77;
            bool   is_number = str_to_double(bp_str_of(cases[i].text), &number);

            assert_int_equal(is_number, !isnan(cases[i].number));
            assert_true(number == (is_number ? cases[i].number : 77));
        }
    }
}

static void utf8_is_looked_at_from_any_place(void **state)
{
    (void)state;
    assert_int_equal(str_utf8_sequence(BP_STR("a\xc3\xa9"), 0), 1);
    assert_int_equal(str_utf8_sequence(BP_STR("a\xc3\xa9"), 1), 2);
    assert_int_equal(str_utf8_sequence(BP_STR("a\xc3\xa9"), 2), 0);
    assert_int_equal(str_utf8_sequence(BP_STR("a\xc3\xa9"), 3), 0); // at the end
    assert_int_equal(str_utf8_sequence(BP_STR("\x7f"), 0), 1);
    assert_int_equal(str_utf8_sequence(bp_str_n("\xe2\x82\xac", 2), 0), 0);
    assert_int_equal(str_utf8_sequence(bp_str_n("\xe2\x82\xac", 3), 0), 3);
    assert_int_equal(str_utf8_sequence(BP_STR("\xf0\x9f\x98\x80"), 0), 4);
    assert_int_equal(str_utf8_sequence(BP_STR("\xf0\x9f\x18\x80"), 0), 0);
    assert_int_equal(str_utf8_sequence(BP_STR("\xf0\x9f\xd8\x80"), 0), 0);
    assert_int_equal(str_utf8_sequence(BP_STR("\xf0\x9f\x98\xc0"), 0), 0);
}

static void a_cut_is_between_two_characters(void **state)
{
    static const struct {
        const char *text;
        size_t      most, kept;
    } cases[] = { { "", 5, 0 },
                  { "abc", 0, 0 },
                  { "abc", 2, 2 },
                  { "abc", 3, 3 },
                  { "abc", 4, 3 },
                  { "a\xc3\xa9z", 1, 1 },
                  { "a\xc3\xa9z", 2, 1 },
                  { "a\xc3\xa9z", 3, 3 },
                  { "a\xe2\x82\xacz", 2, 1 },
                  { "a\xe2\x82\xacz", 3, 1 },
                  { "a\xe2\x82\xacz", 4, 4 },
                  { "\x80\x80\x80", 2, 0 },
                  { "\xc3\xa9\xc3\xa9", 3, 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str text = bp_str_of(cases[i].text), cut = str_cut(text, cases[i].most);

        assert_ptr_equal(cut.data, text.data);
        assert_int_equal(cut.len, cases[i].kept);
    }
}

/* Texts of every length and place of the first byte that is not plain. */
static void what_is_plain_is_copied_up_to_the_first_that_is_not(void **state)
{
    char text[64], to[64 + 16];

    (void)state;
    for (size_t len = 0; len <= 50; len++) {
        for (size_t stop = 0; stop <= len; stop++) {
            for (size_t at = 0; at <= stop; at++) {
                memset(text, 'p', sizeof(text));
                for (size_t i = 0; i < len; i++)
                    text[i] = (char)('0' + i % 40);
                if (stop < len)
                    text[stop] = '"';
                memset(to, 0, sizeof(to));
                assert_int_equal(str_plain_copy(to, bp_str_n(text, len), at), stop - at);
                assert_memory_equal(to, text + at, stop - at);
                assert_int_equal(str_plain_run(bp_str_n(text, len), at), stop - at);
            }
        }
    }
    assert_int_equal(str_plain_copy(to, BP_STR("a\\b"), 0), 1);
    assert_int_equal(str_plain_copy(to, BP_STR("ab\x1f"), 0), 2);
    assert_int_equal(str_plain_copy(to, BP_STR("ab \x7f"), 1), 2);
    assert_int_equal(str_plain_copy(to, BP_STR("ab!\x80"), 1), 2);
}

static void utf8_is_judged_at_every_place_of_a_long_text(void **state)
{
    char text[100];

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++) {
        for (size_t at = 0; at + 2 <= len; at++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + at, "\xc3\xa9", 2);
            assert_true(str_is_utf8(bp_str_n(text, len)));
            text[at + 1] = 'a';
            assert_false(str_is_utf8(bp_str_n(text, len)));
            text[at] = 'a';
            text[at + 1] = '\xa9';
            assert_false(str_is_utf8(bp_str_n(text, len)));
            if (at + 10 < len) { // and behind a letter that is good
                text[at + 1] = 'a';
                memcpy(text + at, "\xc3\xa9", 2);
                text[at + 9] = '\xff';
                assert_false(str_is_utf8(bp_str_n(text, len)));
            }
        }
    }
    assert_true(str_is_utf8(BP_STR("")));
    assert_true(str_is_utf8(BP_STR("\xc3\xa9\xc3\xa9")));
    assert_false(str_is_utf8(BP_STR("\xc3\xa9\xc3")));
}

static void names_are_as_far_apart_as_their_steps(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned    steps;
    } cases[] = { { "", "", 0 },
                  { "", "abc", 3 },
                  { "abc", "", 3 },
                  { "abc", "abc", 0 },
                  { "abc", "ABC", 0 },
                  { "abc", "abd", 1 },
                  { "abc", "ab", 1 },
                  { "ab", "abc", 1 },
                  { "abc", "bc", 1 },
                  { "bc", "abc", 1 },
                  { "ab", "ba", 1 },
                  { "abcd", "acbd", 1 },
                  { "abcd", "badc", 2 },
                  { "ca", "abc", 3 },
                  { "kitten", "sitting", 3 },
                  { "aaaa", "bbbb", 4 },
                  { "flaw", "lawn", 2 },
                  { "xabc", "abcx", 2 },
                  { "abcdef", "abdcfe", 2 },
                  { "ab", "bca", 3 },
                  { "abab", "baba", 2 } };
    char long_one[65];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(str_distance(bp_str_of(cases[i].a), bp_str_of(cases[i].b)),
                         cases[i].steps);
        assert_int_equal(str_distance(bp_str_of(cases[i].b), bp_str_of(cases[i].a)),
                         cases[i].steps);
    }
    memset(long_one, 'x', sizeof(long_one));
    assert_int_equal(str_distance(bp_str_n(long_one, 63), bp_str_n(long_one, 63)), 0);
    assert_int_equal(str_distance(bp_str_n(long_one, 63), BP_STR("")), 63);
    assert_int_equal(str_distance(BP_STR(""), bp_str_n(long_one, 63)), 63);
    assert_int_equal(str_distance(bp_str_n(long_one, 64), BP_STR("")), 64);
    assert_int_equal(str_distance(BP_STR(""), bp_str_n(long_one, 64)), 64);
    assert_int_equal(str_distance(bp_str_n(long_one, 64), bp_str_n(long_one, 64)), 64);
}

static void a_name_is_near_by_its_length(void **state)
{
    static const struct {
        const char *name, *candidate;
        bool        is_near;
    } cases[] = { { "", "", false },
                  { "a", "", true },
                  { "", "a", true },
                  { "abc", "abd", true },
                  { "abc", "axx", false },
                  { "abcd", "abxx", true },
                  { "abcd", "axxx", false },
                  { "abc", "abcxx", true },
                  { "abcdefg", "abcdexx", true },
                  { "abcdefg", "abcdxxx", false },
                  { "abcdefgh", "abcdexxx", true },
                  { "abcdefgh", "abcdxxxx", false },
                  { "abcdefg", "abcdefgxxx", true },
                  { "ab", "abcd", true },
                  { "ab", "abcde", false } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(str_is_near(bp_str_of(cases[i].name), bp_str_of(cases[i].candidate)),
                         cases[i].is_near);
}

static void a_word_is_found_whole_in_a_list(void **state)
{
    static const struct {
        const char *list, *word;
        bool        has;
    } cases[] = { { "", "a", false },     { "a", "a", true },     { "a b c", "a", true },
                  { "a b c", "b", true }, { "a b c", "c", true }, { "a b c", "d", false },
                  { "ab c", "a", false }, { "a", "", false },     { "a  b", "", false },
                  { "a  b", "b", true },  { " a", "a", true },    { "a ", "a", true },
                  { "", "", false },      { "a b", "a b", false } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(str_has_word(bp_str_of(cases[i].list), bp_str_of(cases[i].word)),
                         cases[i].has);
}

/* FNV-1a, whose values are in its description, and its high bits once more in the low ones. */
static void a_hash_is_that_of_its_bytes_and_its_seed(void **state)
{
    static const struct {
        const char *text;
        uint64_t    fnv;
    } cases[] = { { "", UINT64_C(0xcbf29ce484222325) },
                  { "a", UINT64_C(0xaf63dc4c8601ec8c) },
                  { "foobar", UINT64_C(0x85944171f73967e8) },
                  { "\xff", UINT64_C(0xaf64724c8602eb6e) } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(str_hash(bp_str_of(cases[i].text), 0) == (cases[i].fnv ^ (cases[i].fnv >> 29)));
    assert_true(str_hash(BP_STR(""), UINT64_C(0xcbf29ce484222325)) == 0);
    assert_true(str_hash(BP_STR("a"), 1) != str_hash(BP_STR("a"), 0));
}

static void integers_are_written_with_their_sign(void **state)
{
    static const struct {
        int64_t     value;
        const char *text;
    } cases[] = { { 0, "0" },
                  { 7, "7" },
                  { 10, "10" },
                  { -1, "-1" },
                  { -10, "-10" },
                  { 109, "109" },
                  { 1234567890, "1234567890" },
                  { INT64_MAX, "9223372036854775807" },
                  { INT64_MIN, "-9223372036854775808" } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char   room[24];
        bp_str text = str_from_int(cases[i].value, room);

        assert_true(bp_str_is(text, cases[i].text));
        assert_ptr_equal(text.data + text.len, room + 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_ignored_for_letters_alone),
        cmocka_unit_test(blanks_and_tabs_are_trimmed_at_both_ends),
        cmocka_unit_test(a_text_is_split_at_the_first_separator),
        cmocka_unit_test(whole_numbers_are_read_up_to_their_bounds),
        cmocka_unit_test(numbers_are_read_in_every_form_that_is_finite),
        cmocka_unit_test(utf8_is_looked_at_from_any_place),
        cmocka_unit_test(a_cut_is_between_two_characters),
        cmocka_unit_test(what_is_plain_is_copied_up_to_the_first_that_is_not),
        cmocka_unit_test(utf8_is_judged_at_every_place_of_a_long_text),
        cmocka_unit_test(names_are_as_far_apart_as_their_steps),
        cmocka_unit_test(a_name_is_near_by_its_length),
        cmocka_unit_test(a_word_is_found_whole_in_a_list),
        cmocka_unit_test(a_hash_is_that_of_its_bytes_and_its_seed),
        cmocka_unit_test(integers_are_written_with_their_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
