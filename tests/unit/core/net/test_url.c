/* test_url.c - paths and queries: normal form, decoding, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/ascii.h"
#include "net/url.h"

static void a_path_is_brought_into_normal_form(void **state)
{
    static const char *const cases[][2] = {
        { "/", "/" },
        { "/a/b", "/a/b" },
        { "/a/b/", "/a/b/" },
        { "//a///b", "/a/b" },
        { "/a/./b/../c", "/a/c" },
        { "/a/..", "/" },
        { "/a/b/..", "/a/" },
        { "/a/.", "/a/" },
        { "/%7Ejo/%61", "/~jo/a" },
        { "/a%2fb/c", "/a%2Fb/c" },
        { "/a%252fb", "/a%252fb" },
        { "/x/%2e%2E/y", "/y" },
        { "/x/.%2e/y", "/y" },
        { "/...", "/..." },
        { "/.a", "/.a" },
        { "/%C3%A4", "/\xc3\xa4" },
    };
    char out[64];
    bool is_plain;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str raw = bp_str_of(cases[i][0]);
        assert_null(url_path_fault(raw, &is_plain));
        out[url_path_normalise(raw, out)] = 0;
        assert_string_equal(out, cases[i][1]);
        assert_true(!is_plain || strcmp(cases[i][0], cases[i][1]) == 0);
    }
}

static void paths_that_may_not_stand_are_refused(void **state)
{
    static const char *const cases[] = { "",      "a",    "/..",       "/a/../..", "/%2e%2e/a",
                                         "/a%00", "/a%0", "/a%",       "/a%gg",    "/a b",
                                         "/a\"",  "/a#b", "/\xc3\xa4", "/a\\b",    "/a\x7f" };
    bool                     is_plain;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_non_null(url_path_fault(bp_str_of(cases[i]), &is_plain));
}

static void an_encoded_slash_is_part_of_its_segment(void **state)
{
    char   out[16];
    size_t len = url_decode_segment(BP_STR("a%2Fb%25"), out);

    (void)state;
    assert_int_equal(len, 4);
    assert_memory_equal(out, "a/b%", 4);
}

static void a_query_gives_its_pairs_in_order(void **state)
{
    bp_str rest = BP_STR("&a=1&&b&=c&d=%20+x&a=2"), name, value;
    char   out[16];

    (void)state;
    assert_true(url_query_next(&rest, &name, &value));
    assert_true(bp_str_is(name, "a") && bp_str_is(value, "1"));
    assert_true(url_query_next(&rest, &name, &value));
    assert_true(bp_str_is(name, "b") && value.len == 0);
    assert_true(url_query_next(&rest, &name, &value));
    assert_true(name.len == 0 && bp_str_is(value, "c"));
    assert_true(url_query_next(&rest, &name, &value));
    assert_true(bp_str_is(name, "d"));
    assert_int_equal(url_query_decode(value, out), 3);
    assert_memory_equal(out, "  x", 3);
    assert_true(url_query_next(&rest, &name, &value));
    assert_true(bp_str_is(value, "2"));
    assert_false(url_query_next(&rest, &name, &value));
}

static void a_query_name_is_compared_decoded(void **state)
{
    (void)state;
    assert_true(url_query_name_is(BP_STR("a%62c"), BP_STR("abc")));
    assert_true(url_query_name_is(BP_STR("a+c"), BP_STR("a c")));
    assert_false(url_query_name_is(BP_STR("abc"), BP_STR("ab")));
    assert_false(url_query_name_is(BP_STR("ab"), BP_STR("abc")));
}

static void an_authority_is_a_name_or_an_address_with_a_port(void **state)
{
    static const char *const good[] = { "a", "a.b-c_d:80", "127.0.0.1:65535", "[::1]",
                                        "[fe80::1]:8000" };
    static const char *const bad[] = { "",    ":80",  "a:", "a:65536", "a:123456", "a:b", "a/b",
                                       "u@a", "[::1", "[]", "[a]",     "[::1]x",   "a b", "a,b" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(url_authority_fault(bp_str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(url_authority_fault(bp_str_of(bad[i])));
}

static void control_bytes_are_found_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 1; len < 40; len++)
        for (size_t at = 0; at < len; at++)
            for (int byte = 0; byte < 256; byte++) {
                char text[40];
                bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
                memset(text, len % 3 == 0 ? '\t' : len % 3 == 1 ? 'a' : '\xff', len);
                text[at] = (char)byte;
                assert_int_equal(ascii_has_control(text, len), is_control);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_brought_into_normal_form),
        cmocka_unit_test(paths_that_may_not_stand_are_refused),
        cmocka_unit_test(an_encoded_slash_is_part_of_its_segment),
        cmocka_unit_test(a_query_gives_its_pairs_in_order),
        cmocka_unit_test(a_query_name_is_compared_decoded),
        cmocka_unit_test(an_authority_is_a_name_or_an_address_with_a_port),
        cmocka_unit_test(control_bytes_are_found_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
