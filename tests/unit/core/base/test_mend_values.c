/* test_mend_values.c - what is mended, byte by byte, and what base64 makes of each value, as exact
 * texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json_mend.h"

static struct arena  arena;
static struct reason why;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* ---- mending ---- */

#define BAD "\xEF\xBF\xBD"

static const struct {
    const char *text, *mended; /* NULL: it is left as it is */
} mistakes[] = {
    { "", NULL },
    { "a", NULL },
    { "\xC3\xA4", NULL },
    { "\x7F", NULL },
    { "\x80", BAD },
    { "\xC3", BAD },
    { "\xC3(", BAD "(" },
    { "a\xFF"
      "b\xFE"
      "c",
      "a" BAD "b" BAD "c" },
    { "\xFF\xFF", BAD BAD },
    { "\xE2\x82", BAD BAD },
    { "\xE2\x82\xAC\xE2", "\xE2\x82\xAC" BAD },
    /* backslashes */
    { "\\", NULL },
    { "a\\", NULL },
    { "\\\\", NULL },
    { "\\\\ud800", NULL },
    { "\\\\\\ud800", "\\\\\\uFFFD" },
    { "\\n\\ud800", "\\n\\uFFFD" },
    /* escapes around those of half a pair */
    { "\\ud7ff", NULL },
    { "\\ud800", "\\uFFFD" },
    { "\\udbff", "\\uFFFD" },
    { "\\udc00", "\\uFFFD" },
    { "\\udfff", "\\uFFFD" },
    { "\\ue000", NULL },
    { "\\u0000", NULL },
    { "\\uD800", "\\uFFFD" },
    { "\\uDFFF", "\\uFFFD" },
    { "\\ud83d\\ude00", NULL },
    { "\\ud800\\udc00", NULL },
    { "\\udbff\\udfff", NULL },
    { "\\ud800\\udbff", "\\uFFFD\\uFFFD" },
    { "\\ud800\\ue000", "\\uFFFD\\ue000" },
    { "\\udc00\\ud800", "\\uFFFD\\uFFFD" },
    { "\\udc00\\udc00", "\\uFFFD\\uFFFD" },
    { "\\ud800x\\udc00", "\\uFFFDx\\uFFFD" },
    { "\\ud800\\udc0", "\\uFFFD\\udc0" },
    { "\\ud800\\u", "\\uFFFD\\u" },
    { "\\ud800\\n", "\\uFFFD\\n" },
    { "x\\ud800\\udc00y\\ud800z", "x\\ud800\\udc00y\\uFFFDz" },
    /* what is no escape */
    { "\\ud80", NULL },
    { "\\ud80g", NULL },
    { "\\ud80G", NULL },
    { "\\ud80`", NULL },
    { "\\ud80@", NULL },
    { "\\ud80/", NULL },
    { "\\ud80:", NULL },
    { "\\Ud800", NULL },
    { "\\vd800", NULL },
    { "\\ud80a", "\\uFFFD" },
    { "\\ud80f", "\\uFFFD" },
    { "\\ud80A", "\\uFFFD" },
    { "\\ud80F", "\\uFFFD" },
    { "\\ud809", "\\uFFFD" },
    { "\\u7fff", NULL },
    /* the mark at the beginning */
    { "\xEF\xBB\xBF", "" },
    { "\xEF\xBB\xBF"
      "a",
      "a" },
    { "\xEF\xBB\xBF\xEF\xBB\xBF", "\xEF\xBB\xBF" },
    { "a\xEF\xBB\xBF", NULL },
    { "\xEF\xBB", BAD BAD },
    { "\xEF\xBB\xBF\xFF", BAD },
};

static void each_mistake_is_mended_where_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        size_t len = strlen(mistakes[i].text);
        char  *copy = malloc(len + 1); // so that a sanitizer sees who reads behind it
        bp_str mended;

        memcpy(copy, mistakes[i].text, len + 1);
        mended = json_mend(&arena, bp_str_n(copy, len));
        if (!bp_str_is(mended, mistakes[i].mended ? mistakes[i].mended : mistakes[i].text))
            fail_msg("%s: " BP_FMT, mistakes[i].text, BP_ARG(mended));
        if (!mistakes[i].mended)
            assert_ptr_equal(mended.data, copy);
        free(copy);
    }
}

static void a_text_of_mistakes_alone_is_mended(void **state)
{
    enum { MANY = 100000 };
    char  *text = malloc(MANY);
    bp_str mended;

    (void)state;
    memset(text, 0xFF, MANY);
    mended = json_mend(&arena, bp_str_n(text, MANY));
    assert_int_equal(mended.len, 3 * MANY);
    for (size_t i = 0; i < mended.len; i += 3)
        assert_memory_equal(mended.data + i, BAD, 3);
    free(text);
}

static void memory_is_bounded_and_the_bound_taken_back(void **state)
{
    static const char text[] = "[\"0123456789012345678901234567890123456789\",{\"a\":[1,2,3]}]";
    const bp_json    *value = NULL;
    size_t            needed, limit = arena.limit_bytes;

    (void)state;
    assert_int_equal(json_read_within(&arena, bp_str_of(text), 1 << 20, &value, &why), BP_OK);
    needed = arena.used_bytes;
    assert_int_equal(arena.limit_bytes, limit);
    assert_int_equal(json_read_within(&arena, bp_str_of(text), needed, &value, &why), BP_OK);
    assert_int_equal(arena.used_bytes, 2 * needed);
    assert_int_equal(arena.limit_bytes, limit);
    assert_int_equal(json_read_within(&arena, bp_str_of(text), needed / 2, &value, &why),
                     BP_TOO_LARGE);
    assert_int_equal(arena.limit_bytes, limit);
    assert_true(bp_str_starts(bp_str_of(why.text), "its 58 bytes take more than "));
    arena.limit_bytes = arena.used_bytes + needed / 2; // the arena's own bound is another matter
    limit = arena.limit_bytes;
    assert_int_equal(json_read_within(&arena, bp_str_of(text), 1 << 20, &value, &why),
                     BP_NO_MEMORY);
    assert_int_equal(arena.limit_bytes, limit);
}

static void what_was_good_is_read_without_mending(void **state)
{
    const bp_json *value = NULL;

    (void)state;
    assert_int_equal(json_read(&arena, BP_STR("[\"\xC3\xA4\"]"), &value, &why), BP_OK);
    assert_true(bp_str_is(json_as_string(json_at(value, 0)), "\xC3\xA4"));
    assert_int_equal(json_read(&arena, BP_STR("\xEF\xBB\xBF[\"\xFF\"]"), &value, &why), BP_OK);
    assert_true(bp_str_is(json_as_string(json_at(value, 0)), BAD));
    assert_int_equal(json_read(&arena, BP_STR("\xEF\xBB\xBF"), &value, &why), BP_INVALID);
    assert_int_equal(json_read(&arena, BP_STR("{\"a\":\"\xFF\""), &value, &why), BP_INVALID);
}

/* ---- base64 ---- */

static void each_digit_has_its_value(void **state)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t           bytes[8];

    (void)state;
    for (int c = 1; c < 256; c++) {
        const char *at = strchr(plain, c);
        char        text[] = { 'A', 'A', 'A', (char)c, '\0' };
        size_t      len = crypto_unbase64(bp_str_of(text), bytes);

        if (c == '=') {
            assert_int_equal(len, 2);
            continue;
        }
        assert_true(len == (at ? 3 : SIZE_MAX));
        if (at)
            assert_int_equal(bytes[2], at - plain);
        len = crypto_unbase64url(bp_str_of(text), bytes);
        assert_true(len == ((at && c != '+' && c != '/') || c == '-' || c == '_' ? 3 : SIZE_MAX));
        if (c == '-' || c == '_')
            assert_int_equal(bytes[2], c == '-' ? 62 : 63);
    }
}

static void base64_is_that_of_rfc_4648(void **state)
{
    static const struct {
        const char *bytes, *text, *url;
    } cases[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xFB\xEF\xBE", "++++", "----" },
        { "\xFF\xFF\xFF", "////", "____" },
        { "\xFF\xEF", "/+8=", "_-8" },
        { "\x01\x83\x05\x20\x92\x8B\x30\xD3\x8F\x41\x14\x93", "AYMFIJKLMNOPQRST",
          "AYMFIJKLMNOPQRST" },
    };
    uint8_t back[32];
    char    text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].bytes);

        assert_int_equal(crypto_base64((const uint8_t *)cases[i].bytes, len, text),
                         strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
        assert_int_equal(crypto_unbase64(bp_str_of(text), back), len);
        assert_memory_equal(back, cases[i].bytes, len);
        assert_int_equal(crypto_base64url((const uint8_t *)cases[i].bytes, len, text),
                         strlen(cases[i].url));
        assert_string_equal(text, cases[i].url);
        assert_int_equal(crypto_unbase64url(bp_str_of(text), back), len);
        assert_memory_equal(back, cases[i].bytes, len);
    }
}

/* What a last digit leaves over must be nothing. */
static void each_value_has_one_spelling(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t           back[8];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        char two[] = { 'A', digits[i], '\0' }, three[] = { 'A', 'A', digits[i], '\0' };

        assert_true(crypto_unbase64url(bp_str_of(two), back) == (i % 16 ? SIZE_MAX : 1));
        if (i % 16 == 0)
            assert_int_equal(back[0], i / 16);
        assert_true(crypto_unbase64url(bp_str_of(three), back) == (i % 4 ? SIZE_MAX : 2));
        if (i % 4 == 0)
            assert_int_equal(back[1], i / 4);
    }
}

/* ---- seals ---- */

static void a_seal_is_as_long_as_is_said_and_never_the_same(void **state)
{
    uint8_t key[32] = { 7 }, one[64], two[64], plain[64] = "";

    (void)state;
    memset(one, 0xEE, sizeof(one));
    assert_true(crypto_seal(key, BP_STR("c"), BP_STR("abc"), one));
    assert_true(crypto_seal(key, BP_STR("c"), BP_STR("abc"), two));
    assert_int_equal(one[3 + CRYPTO_SEAL_BYTES], 0xEE);
    assert_memory_not_equal(one, two, 3 + CRYPTO_SEAL_BYTES);
    memset(plain, 0xEE, sizeof(plain));
    assert_true(
        crypto_unseal(key, BP_STR("c"), bp_str_n((const char *)one, 3 + CRYPTO_SEAL_BYTES), plain));
    assert_memory_equal(plain, "abc\xEE", 4);
    assert_false(
        crypto_unseal(key, BP_STR("c"), bp_str_n((const char *)one, CRYPTO_SEAL_BYTES - 1), plain));
    assert_false(crypto_unseal(key, BP_STR("c"), bp_str_n((const char *)one, 0), plain));
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_mistake_is_mended_where_it_stands),
        CASE(a_text_of_mistakes_alone_is_mended),
        CASE(memory_is_bounded_and_the_bound_taken_back),
        CASE(what_was_good_is_read_without_mending),
        CASE(each_digit_has_its_value),
        CASE(base64_is_that_of_rfc_4648),
        CASE(each_value_has_one_spelling),
        CASE(a_seal_is_as_long_as_is_said_and_never_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
