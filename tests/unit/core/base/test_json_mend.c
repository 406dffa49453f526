/* test_json_mend.c - what others write is mended where it can be, read strictly then, and never
 * takes memory without bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/json_mend.h"

static struct arena  arena;
static struct reason problem;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void expect(bp_str text, bp_str wanted)
{
    const bp_json *value = NULL;
    bp_status      status = json_read(&arena, text, &value, &problem);

    if (status != BP_OK)
        fail_msg("%.*s: %s", (int)text.len, text.data, problem.text);
    assert_memory_equal(json_text(&arena, value).data, wanted.data, wanted.len);
    assert_int_equal(json_text(&arena, value).len, wanted.len);
}

static void a_byte_order_mark_goes(void **state)
{
    (void)state;
    expect(BP_STR("\xEF\xBB\xBF{\"a\":1}"), BP_STR("{\"a\":1}"));
}

static void half_a_surrogate_pair_becomes_the_replacement_character(void **state)
{
    (void)state;
    expect(BP_STR("[\"a\\ud83d\"]"), BP_STR("[\"a\xEF\xBF\xBD\"]"));
    expect(BP_STR("[\"\\uDE00b\"]"), BP_STR("[\"\xEF\xBF\xBD"
                                            "b\"]"));
    expect(BP_STR("[\"\\ud83d\\ud83d\\ude00\"]"), BP_STR("[\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"]"));
    expect(BP_STR("{\"k\\ud83d\":\"\\\\ud83d\\ud83d\"}"),
           BP_STR("{\"k\xEF\xBF\xBD\":\"\\\\ud83d\xEF\xBF\xBD\"}"));
}

static void bytes_that_are_no_utf8_become_the_replacement_character(void **state)
{
    (void)state;
    expect(BP_STR("[\"a\xFFz\"]"), BP_STR("[\"a\xEF\xBF\xBDz\"]"));
    expect(BP_STR("[\"\xF0\x9F\x98\"]"), BP_STR("[\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"]"));
    expect(BP_STR("[\"\xED\xA0\xBD\"]"), BP_STR("[\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"]"));
}

static void a_good_text_is_not_touched(void **state)
{
    const bp_str text = BP_STR("[\"\\ud83d\\ude00 \xF0\x9F\x98\x80 \\\\u \\n\"]");

    (void)state;
    assert_ptr_equal(json_mend(&arena, text).data, text.data);
    expect(text, BP_STR("[\"\xF0\x9F\x98\x80 \xF0\x9F\x98\x80 \\\\u \\n\"]"));
}

static void what_is_json_but_cannot_be_held_is_told_from_what_is_none(void **state)
{
    static const char *const beyond[] = { "[123456789012345678901234567890]", "{\"a\\u0000b\":1}",
                                          "[1e999]" };
    static const char *const none[] = { "[1,]",          "{",  "",         "\xEF\xBB\xBF",
                                        "[\"a\\\\\\\"]", "\\", "[\"\\ud83" };
    const bp_json           *value;
    char                     deep[200];

    (void)state;
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
        assert_int_equal(json_read(&arena, bp_str_of(beyond[i]), &value, &problem), BP_UNSUPPORTED);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(json_read(&arena, bp_str_of(none[i]), &value, &problem), BP_INVALID);
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    assert_int_equal(json_read(&arena, bp_str_n(deep, 130), &value, &problem), BP_UNSUPPORTED);
    assert_non_null(strstr(problem.text, "64 levels"));
}

static void a_text_takes_no_more_memory_than_its_bound(void **state)
{
    const bp_json *value;
    size_t         len = (4u << 20) / 3 * 3 + 1;
    char          *text = malloc(len);

    (void)state;
    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 1; i < len; i++)
        text[i] = "[],"[(i - 1) % 3];
    text[len - 1] = ']';
    assert_int_equal(json_read(&arena, bp_str_n(text, len), &value, &problem), BP_TOO_LARGE);
    assert_non_null(strstr(problem.text, "of memory"));
    assert_in_range(arena.used_bytes, 0, JSON_MEMORY_BYTES);
    arena_reset(&arena);
    assert_int_equal(json_read_within(&arena, BP_STR("[1,2,3]"), 4096, &value, &problem), BP_OK);
    assert_int_equal(json_read_within(&arena, bp_str_n(text, len), 4096, &value, &problem),
                     BP_TOO_LARGE);
    assert_in_range(arena.used_bytes, 0, 16384);
    free(text);
}

static void a_number_without_a_fraction_is_an_integer(void **state)
{
    const bp_json *v;

    (void)state;
    assert_int_equal(json_read(&arena,
                               BP_STR("[3.0,3.5,-7e0,9007199254740993,9007199254740994.0,1e300]"),
                               &v, &problem),
                     BP_OK);
    assert_int_equal(json_as_integer(json_at(v, 0)), 3);
    assert_int_equal(json_as_integer(json_at(v, 1)), 0);
    assert_false(json_is_whole(json_at(v, 1)));
    assert_int_equal(json_as_integer(json_at(v, 2)), -7);
    assert_true(json_as_integer(json_at(v, 3)) == 9007199254740993);
    assert_false(json_is_whole(json_at(v, 4))); // it may have been its neighbour
    assert_int_equal(json_as_integer(json_at(v, 5)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_byte_order_mark_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_surrogate_pair_becomes_the_replacement_character,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_utf8_become_the_replacement_character,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_good_text_is_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_json_but_cannot_be_held_is_told_from_what_is_none,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_takes_no_more_memory_than_its_bound, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_without_a_fraction_is_an_integer, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
