/* test_json_values.c - what is read: each cap at its bound, each type by each question, and what is
 * mended, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_mend.h"

static struct arena  arena;
static struct reason why;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 128u << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

#define READING(test) cmocka_unit_test_setup_teardown(test, begin, end)

static const bp_json *read_it(const char *text)
{
    const bp_json *value;

    assert_int_equal(json_parse(&arena, bp_str_of(text), &value, &why), BP_OK);
    return value;
}

/* ---- caps ---- */

static void expect_refused(bp_str text, bp_status judged, const char *sentence)
{
    const bp_json *value = (const bp_json *)&arena;

    assert_int_equal(json_parse_judged(&arena, text, &value, &why), judged);
    assert_null(value);
    assert_string_equal(why.text, sentence);
    assert_int_equal(json_parse(&arena, text, &value, &why), BP_INVALID);
    assert_string_equal(why.text, sentence);
}

static void what_is_refused_is_said_with_its_place(void **state)
{
    (void)state;
    expect_refused(bp_str_n("[1,\0]", 5), BP_INVALID,
                   "a NUL byte stands where a value should, at byte 3");
    expect_refused(BP_STR(
                       "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
                   BP_UNSUPPORTED, "it is nested deeper than 64 levels, at byte 68");
    expect_refused(BP_STR("[1,]"), BP_INVALID, "unexpected token near ']', at byte 4");
    expect_refused(BP_STR("{\"a\\u0000\":1}"), BP_UNSUPPORTED,
                   "NUL byte in object key not supported near '\"a\\u0000\"', at byte 10");
    expect_refused(BP_STR("[123456789012345678901]"), BP_UNSUPPORTED,
                   "too big integer, at byte 22");
}

/* So many digits, with what may stand around them. */
static bp_status status_of_digits(size_t count, const char *before, const char *behind)
{
    char           text[1200];
    const bp_json *value;

    snprintf(text, sizeof(text), "%s0.%0*d%s", before, (int)count - 2, 0, behind);
    return json_parse_judged(&arena, bp_str_of(text), &value, &why);
}

static void a_number_has_1024_characters_at_most(void **state)
{
    static const char *const around[][2] = { { "", "" },         { "[", "]" },
                                             { " ", " " },       { "[", ",1]" },
                                             { "[1,", "\n]" },   { "[", "\t]" },
                                             { "{\"a\":", "}" }, { "{\"a\": ", ",\"b\":1}" } };

    (void)state;
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        assert_int_equal(status_of_digits(1023, around[i][0], around[i][1]), BP_OK);
        assert_int_equal(status_of_digits(1024, around[i][0], around[i][1]), BP_OK);
        assert_int_equal(status_of_digits(1025, around[i][0], around[i][1]), BP_UNSUPPORTED);
        assert_non_null(strstr(why.text, "a number is longer than 1,024 characters, at byte "));
    }
    assert_int_equal(status_of_digits(1023, "[-", "]"), BP_OK);
    assert_int_equal(status_of_digits(1024, "[-", "]"), BP_UNSUPPORTED);
}

static void what_a_string_holds_is_no_cap(void **state)
{
    char           text[5000] = "[\"";
    const bp_json *value;

    (void)state;
    memset(text + 2, '[', 2000);
    memset(text + 2002, '1', 2000);
    strcpy(text + 4002, "\\\"[[\\\\\"]");
    assert_int_equal(json_parse(&arena, bp_str_of(text), &value, &why), BP_OK);
    assert_int_equal(json_as_string(json_at(value, 0)).len, 4004);
    assert_int_equal(json_parse(&arena, BP_STR("]]]][1]"), &value, &why), BP_INVALID);
}

static void one_text_has_100000_keys_at_most(void **state)
{
    char          *text = malloc(1 << 20);
    const bp_json *value;

    (void)state;
    for (int keys = JSON_KEYS_MAX - 1; keys <= JSON_KEYS_MAX + 1; keys++) {
        size_t len = 1;

        text[0] = '[';
        for (int i = 0; i < keys; i++)
            len += (size_t)sprintf(text + len, "{\"\":1},");
        text[len - 1] = ']';
        assert_int_equal(json_parse_judged(&arena, bp_str_n(text, len), &value, &why),
                         keys <= JSON_KEYS_MAX ? BP_OK : BP_UNSUPPORTED);
    }
    assert_non_null(strstr(why.text, "it has more than 100,000 keys, at byte "));
    free(text);
}

/* ---- questions ---- */

static void each_value_answers_for_its_own_type_alone(void **state)
{
    static const struct {
        const char    *text;
        enum json_type type;
        size_t         count;
        const char    *string;
        bool           is_whole;
        int64_t        integer;
        double         number;
        bool           boolean;
    } values[] = {
        { "null", JSON_KIND_NULL, 0, "", false, 0, 0, false },
        { "true", JSON_KIND_BOOL, 0, "", false, 0, 0, true },
        { "false", JSON_KIND_BOOL, 0, "", false, 0, 0, false },
        { "7", JSON_KIND_INTEGER, 0, "", true, 7, 7, false },
        { "-9223372036854775808", JSON_KIND_INTEGER, 0, "", true, INT64_MIN, -9223372036854775808.0,
          false },
        { "2.5", JSON_KIND_NUMBER, 0, "", false, 0, 2.5, false },
        { "3.0", JSON_KIND_NUMBER, 0, "", true, 3, 3, false },
        { "-3.0", JSON_KIND_NUMBER, 0, "", true, -3, -3, false },
        { "9007199254740992.0", JSON_KIND_NUMBER, 0, "", true, 9007199254740992, 9007199254740992.0,
          false },
        { "-9007199254740992.0", JSON_KIND_NUMBER, 0, "", true, -9007199254740992,
          -9007199254740992.0, false },
        { "9007199254740994.0", JSON_KIND_NUMBER, 0, "", false, 0, 9007199254740994.0, false },
        { "-9007199254740994.0", JSON_KIND_NUMBER, 0, "", false, 0, -9007199254740994.0, false },
        { "1e300", JSON_KIND_NUMBER, 0, "", false, 0, 1e300, false },
        { "\"s\"", JSON_KIND_STRING, 0, "s", false, 0, 0, false },
        { "[1,2]", JSON_KIND_ARRAY, 2, "", false, 0, 0, false },
        { "{\"a\":1,\"b\":2,\"c\":3}", JSON_KIND_OBJECT, 3, "", false, 0, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const bp_json *value = read_it(values[i].text);

        assert_int_equal(json_type_of(value), values[i].type);
        assert_int_equal(json_count(value), values[i].count);
        assert_true(bp_str_is(json_as_string(value), values[i].string));
        assert_int_equal(json_is_whole(value), values[i].is_whole);
        assert_true(json_as_integer(value) == values[i].integer);
        assert_true(json_as_number(value) == values[i].number);
        assert_int_equal(json_as_bool(value), values[i].boolean);
    }
    assert_int_equal(json_type_of(NULL), JSON_KIND_NONE);
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_as_string(NULL).len, 0);
    assert_false(json_is_whole(NULL));
    assert_int_equal(json_as_integer(NULL), 0);
    assert_true(json_as_number(NULL) == 0);
    assert_false(json_as_bool(NULL));
    assert_null(json_get(NULL, BP_STR("a")));
    assert_null(json_at(NULL, 0));
}

static void members_are_found_and_walked(void **state)
{
    const bp_json *value = read_it("{\"b\":1,\"a\":2,\"\":3}"), *member = NULL;
    size_t         cursor = 0;
    bp_str         key = { 0 };
    char           trail[32] = "";

    (void)state;
    assert_int_equal(json_as_integer(json_get(value, BP_STR("a"))), 2);
    assert_int_equal(json_as_integer(json_get(value, (bp_str){ NULL, 0 })), 3);
    assert_null(json_get(value, BP_STR("c")));
    assert_null(json_get(read_it("[1]"), BP_STR("a")));
    assert_null(json_at(value, 0));
    while (json_entry(value, &cursor, &key, &member))
        snprintf(trail + strlen(trail), sizeof(trail) - strlen(trail), "%.*s=%d,", (int)key.len,
                 key.data, (int)json_as_integer(member));
    assert_string_equal(trail, "b=1,a=2,=3,");
    assert_false(json_entry(value, &cursor, &key, &member)); // still none
    cursor = 0;
    assert_false(json_entry(read_it("{}"), &cursor, &key, &member));
    assert_false(json_entry(read_it("[1]"), &cursor, &key, &member));
    assert_false(json_entry(NULL, &cursor, &key, &member));
}

static void what_is_read_counts_against_the_arena(void **state)
{
    const bp_json *value;
    struct arena   small;

    (void)state;
    arena_init(&small, 100);
    assert_int_equal(json_parse(&small, BP_STR("{\"a\":\"a text\",\"b\":[1,2,3]}"), &value, &why),
                     BP_NO_MEMORY);
    assert_string_equal(why.text, "there is no memory to read it, at byte 0");
    assert_null(json_string_in(&small, BP_STR("a text of some length that no longer fits into it, "
                                              "as it is longer than a hundred bytes, or nearly")));
    arena_free(&small);
    assert_int_equal(json_parse(&arena, (bp_str){ NULL, 0 }, &value, &why), BP_INVALID);
}

/* ---- mending ---- */

#define FFFD "\xEF\xBF\xBD"

static void what_is_no_text_is_mended_and_the_rest_is_kept(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "a", "a" },
        { "\xEF\xBB\xBF", "" },
        { "\xEF\xBB\xBF"
          "a",
          "a" },
        { "\xEF\xBB", FFFD FFFD },
        { "a\xEF\xBB\xBF", "a\xEF\xBB\xBF" }, // a mark is one in front alone
        { "\xFF", FFFD },
        { "\x80z", FFFD "z" },
        { "a\xC3", "a" FFFD },
        { "a\xC3\xA9", "a\xC3\xA9" },
        { "\x7F", "\x7F" },
        { "\\", "\\" },
        { "\\\\", "\\\\" },
        { "\\n\xFF", "\\n" FFFD },
        { "\\u12", "\\u12" },
        { "\\u123", "\\u123" },
        { "\\ud83", "\\ud83" },
        { "\\uD7FF", "\\uD7FF" },
        { "\\uD800", "\\uFFFD" },
        { "\\uDBFF", "\\uFFFD" },
        { "\\uDC00", "\\uFFFD" },
        { "\\uDFFF", "\\uFFFD" },
        { "\\uE000", "\\uE000" },
        { "\\udfff", "\\uFFFD" },
        { "\\uD8fg", "\\uD8fg" },
        { "\\uD8f`", "\\uD8f`" },
        { "\\uD8f@", "\\uD8f@" },
        { "\\uD8f/", "\\uD8f/" },
        { "\\uD8f:", "\\uD8f:" },
        { "\\UD800", "\\UD800" },
        { "xuD800", "xuD800" },
        { "\\\\uD800", "\\\\uD800" },
        { "\\\\\\uD800", "\\\\\\uFFFD" },
        { "\\uD800\\uDC00", "\\uD800\\uDC00" },
        { "\\uDBFF\\uDFFF", "\\uDBFF\\uDFFF" },
        { "\\uD800\\uDBFF", "\\uFFFD\\uFFFD" },
        { "\\uD800\\uE000", "\\uFFFD\\uE000" },
        { "\\uD800\\uDC0", "\\uFFFD\\uDC0" },
        { "\\uD800x\\uDC00", "\\uFFFDx\\uFFFD" },
        { "\\uDC00\\uDC00", "\\uFFFD\\uFFFD" },
        { "\\uDC00\\uD800", "\\uFFFD\\uFFFD" },
        { "\\uD800\\uD800\\uDC00z", "\\uFFFD\\uD800\\uDC00z" },
        { "a\xFF"
          "b\xFF"
          "c",
          "a" FFFD "b" FFFD "c" },
        { "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str text = bp_str_of(cases[i][0]), mended = json_mend(&arena, text);

        if (!bp_str_is(mended, cases[i][1]))
            fail_msg("%zu: %.*s", i, (int)mended.len, mended.data);
        if (strcmp(cases[i][0], cases[i][1]) == 0)
            assert_ptr_equal(mended.data, text.data);
    }
    arena.limit_bytes = arena.used_bytes;
    assert_int_equal(json_mend(&arena, BP_STR("\xFF")).len, 0);
}

static void a_bound_of_memory_is_the_smaller_of_two(void **state)
{
    static const char text[] = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]";
    const bp_json    *value;
    size_t            needed;

    (void)state;
    assert_int_equal(json_parse(&arena, bp_str_of(text), &value, &why), BP_OK);
    needed = arena.used_bytes;
    for (int more = -16; more <= 16; more += 16) { // the last piece is of 16 bytes or fewer
        bp_status status;

        arena_reset(&arena);
        arena_alloc(&arena, 1000);
        status = json_read_within(&arena, bp_str_of(text), needed + (size_t)more, &value, &why);
        assert_int_equal(status, more < 0 ? BP_TOO_LARGE : BP_OK);
        assert_int_equal(arena.limit_bytes, 128u << 20);
        if (more < 0) {
            char sentence[128];

            snprintf(sentence, sizeof(sentence),
                     "its %zu bytes take more than %zu bytes of memory once they are read",
                     strlen(text), needed - 16);
            assert_string_equal(why.text, sentence);
        }
    }
    arena_reset(&arena);
    arena.limit_bytes = needed - 16; // the arena's own: that is the caller's memory
    assert_int_equal(json_read_within(&arena, bp_str_of(text), needed, &value, &why), BP_NO_MEMORY);
    assert_int_equal(json_read_within(&arena, bp_str_of(text), needed - 16, &value, &why),
                     BP_NO_MEMORY);
    arena_reset(&arena);
    assert_int_equal(json_read_within(&arena, bp_str_of(text), needed - 17, &value, &why),
                     BP_TOO_LARGE);
    assert_int_equal(arena.limit_bytes, needed - 16);
    arena.used_bytes = needed + 5; // more is used than the limit says
    assert_int_equal(json_read_within(&arena, bp_str_of(text), 1, &value, &why), BP_NO_MEMORY);
    arena_reset(&arena);
    arena.limit_bytes = 128u << 20;
    assert_int_equal(json_read(&arena, BP_STR("\xEF\xBB\xBF[1,"), &value, &why), BP_INVALID);
    assert_int_equal(json_read(&arena, BP_STR("[\"\xFF\"]"), &value, &why), BP_OK);
    assert_true(bp_str_is(json_as_string(json_at(value, 0)), FFFD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READING(what_is_refused_is_said_with_its_place),
        READING(a_number_has_1024_characters_at_most),
        READING(what_a_string_holds_is_no_cap),
        READING(one_text_has_100000_keys_at_most),
        READING(each_value_answers_for_its_own_type_alone),
        READING(members_are_found_and_walked),
        READING(what_is_read_counts_against_the_arena),
        READING(what_is_no_text_is_mended_and_the_rest_is_kept),
        READING(a_bound_of_memory_is_the_smaller_of_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
