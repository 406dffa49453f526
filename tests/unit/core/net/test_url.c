/* test_url.c - paths, queries and authorities: what becomes of each, and the sentence of each
 * refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/ascii.h"
#include "net/url.h"

/* A path, and its normal form, behind "~" where it is not in it yet; or the refusal, behind "!". */
static const char *const paths[][2] = {
    { "", "!the path does not begin with a slash" },
    { "a", "!the path does not begin with a slash" },
    { "/", "/" },
    { "//", "~/" },
    { "///a", "~/a" },
    { "/a", "/a" },
    { "/a/", "/a/" },
    { "/a/b", "/a/b" },
    { "/a//b", "~/a/b" },
    { "/.", "~/" },
    { "/./", "~/" },
    { "/..", "!the path goes above its root" },
    { "/../", "!the path goes above its root" },
    { "/../a", "!the path goes above its root" },
    { "/...", "~/..." },
    { "/....", "~/...." },
    { "/.a", "~/.a" },
    { "/..a", "~/..a" },
    { "/a.", "/a." },
    { "/a..", "/a.." },
    { "/a/.", "~/a/" },
    { "/a/./", "~/a/" },
    { "/a/..", "~/" },
    { "/a/../", "~/" },
    { "/a/../b", "~/b" },
    { "/a/b/..", "~/a/" },
    { "/a/b/../", "~/a/" },
    { "/a/b/../c", "~/a/c" },
    { "/a/b/../..", "~/" },
    { "/a/b/../../..", "!the path goes above its root" },
    { "/a/../..", "!the path goes above its root" },
    { "/a/./../b", "~/b" },
    { "/a/.././b", "~/b" },
    { "//..", "!the path goes above its root" },
    { "/a//..", "~/" },
    { "/a//../..", "!the path goes above its root" },
    { "/a//../../b", "!the path goes above its root" },
    { "/%2e", "~/" },
    { "/%2E/", "~/" },
    { "/%2e%2e", "!the path goes above its root" },
    { "/%2e.", "!the path goes above its root" },
    { "/.%2e", "!the path goes above its root" },
    { "/a/%2e%2E", "~/" },
    { "/a/.%2e/b", "~/b" },
    { "/%2e%2e%2e", "~/..." },
    { "/%2e%2e.", "~/..." },
    { "/%2ea", "~/.a" },
    { "/a%2e", "~/a." },
    { "/%2", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/%", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/a%", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/%zz", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/%4z", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/%z4", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/%41", "~/A" },
    { "/%4a%4A", "~/JJ" },
    { "/%00", "!the path contains %00" },
    { "/a%00b", "!the path contains %00" },
    { "/%01", "~/\x01" },
    { "/%2f", "~/%2F" },
    { "/%2F..", "~/%2F.." },
    { "/a%2fb", "~/a%2Fb" },
    { "/a%2f..%2fb", "~/a%2F..%2Fb" },
    { "/%25", "~/%25" },
    { "/%2541", "~/%2541" },
    { "/%2500", "~/%2500" },
    { "/a%25", "~/a%25" },
    { "/a b", "!the path has a byte that must be percent-encoded" },
    { "/a#b", "!a fragment ('#') stands in the request target" },
    { "/#", "!a fragment ('#') stands in the request target" },
    { "/a?b", "!the path has a byte that must be percent-encoded" },
    { "/\x7f", "!the path has a byte that must be percent-encoded" },
    { "/\x80", "!the path has a byte that must be percent-encoded" },
    { "/a\\b", "!the path has a byte that must be percent-encoded" },
    { "/a\"b", "!the path has a byte that must be percent-encoded" },
    { "/<", "!the path has a byte that must be percent-encoded" },
    { "/a@b:c,d;e=f!$&'()*+", "/a@b:c,d;e=f!$&'()*+" },
    { "/~-_.", "/~-_." },
    { "/a[b", "!the path has a byte that must be percent-encoded" },
    { "/a|b", "!the path has a byte that must be percent-encoded" },
    { "/^", "!the path has a byte that must be percent-encoded" },
    { "/`", "!the path has a byte that must be percent-encoded" },
    { "/{", "!the path has a byte that must be percent-encoded" },
    { "/%7E", "~/~" },
    { "/.%", "!a '%' in the path is not followed by two hexadecimal digits" },
    { "/..%41", "~/..A" },
    { "/a/..%41", "~/a/..A" },
    { "/%c3%a4", "~/\xc3\xa4" },
    { "/a/b/c/../../d", "~/a/d" },
    { "/a/b/./c/./..", "~/a/b/" },
    { "/a/%2e%2e/%2e%2e", "!the path goes above its root" },
    { "/a/%2e%2e/b", "~/b" },
    { "/%41/..", "~/" },
    { "/a/..//", "~/" },
    { "//./a", "~/a" },
    { "/a./b", "/a./b" },
    { "/.a/b", "~/.a/b" },
    { "/ab/.", "~/ab/" },
    { "/abc/../d", "~/d" },
    { "/a/bc/../d/ef/../g", "~/a/d/g" },
};

static void a_path_is_brought_into_normal_form_or_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bp_str      path = bp_str_of(paths[i][0]);
        bool        is_plain = false;
        const char *fault = url_path_fault(path, &is_plain);
        char        normal[64], said[128];

        if (fault)
            snprintf(said, sizeof(said), "!%s", fault);
        else
            snprintf(said, sizeof(said), "%s%.*s", is_plain ? "" : "~",
                     (int)url_path_normalise(path, normal), normal);
        if (strcmp(said, paths[i][1]) != 0)
            fail_msg("\"%s\" is \"%s\", not \"%s\"", paths[i][0], said, paths[i][1]);
    }
}

/* Also one that nobody looked at before: what stands before the text is not touched. */
static void a_path_that_goes_above_its_root_stays_at_it(void **state)
{
    static const char *const cases[][2] = { { "/..", "/" },         { "/../a", "/a" },
                                            { "/a/../../b", "/b" }, { "/../../..", "/" },
                                            { "/a/../..", "/" },    { "", "/" },
                                            { "/%2e%2e/a/", "/a/" } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char   room[64] = "////";
        size_t len = url_path_normalise(bp_str_of(cases[i][0]), room + 4);

        assert_int_equal(len, strlen(cases[i][1]));
        assert_memory_equal(room + 4, cases[i][1], len);
        assert_memory_equal(room, "////", 4);
    }
}

/* The sentence; NULL for what may stand. */
static const char *const queries[][2] = {
    { "", NULL },
    { "a=b", NULL },
    { "a?b/c", NULL },
    { "#", "a fragment ('#') stands in the request target" },
    { "a#b", "a fragment ('#') stands in the request target" },
    { "%", "a '%' in the query is not followed by two hexadecimal digits" },
    { "%4", "a '%' in the query is not followed by two hexadecimal digits" },
    { "%4z", "a '%' in the query is not followed by two hexadecimal digits" },
    { "%z4", "a '%' in the query is not followed by two hexadecimal digits" },
    { "%41", NULL },
    { "a%", "a '%' in the query is not followed by two hexadecimal digits" },
    { "%00", "the query contains %00" },
    { "a%00", "the query contains %00" },
    { "%01", NULL },
    { "a b", "the query has a byte that must be percent-encoded" },
    { "\x7f", "the query has a byte that must be percent-encoded" },
    { "\x80", "the query has a byte that must be percent-encoded" },
    { "\x01", "the query has a byte that must be percent-encoded" },
    { "\"<>[]{}\\^`|", NULL },
    { "!$&'()*+,;=:@/?", NULL },
    { "%2525", NULL },
    { "a=%41&b", NULL },
};

static const char *const authorities[][2] = {
    { "", "the host is empty" },
    { "a", NULL },
    { "a.b-c_d", NULL },
    { "A9", NULL },
    { "127.0.0.1", NULL },
    { "a:", "the host is not a name or an address with an optional port" },
    { "a:0", NULL },
    { "a:1", NULL },
    { "a:80", NULL },
    { "a:65535", NULL },
    { "a:65536", "the host is not a name or an address with an optional port" },
    { "a:99999", "the host is not a name or an address with an optional port" },
    { "a:00001", NULL },
    { "a:000001", "the host is not a name or an address with an optional port" },
    { "a:123456", "the host is not a name or an address with an optional port" },
    { "a:8x", "the host is not a name or an address with an optional port" },
    { "a:x", "the host is not a name or an address with an optional port" },
    { "a:/", "the host is not a name or an address with an optional port" },
    { "a: ", "the host is not a name or an address with an optional port" },
    { "a:-1", "the host is not a name or an address with an optional port" },
    { "a:80:90", "the host is not a name or an address with an optional port" },
    { ":80", "the host has no name" },
    { ":", "the host has no name" },
    { "a b", "the host is not a name or an address with an optional port" },
    { "a/b", "the host is not a name or an address with an optional port" },
    { "a,b", "the host is not a name or an address with an optional port" },
    { "a@b", "the host is not a name or an address with an optional port" },
    { "a%41", "the host is not a name or an address with an optional port" },
    { "\x80", "the host has no name" },
    { "[", "the host has a bracket but no IPv6 address in it" },
    { "[]", "the host has a bracket but no IPv6 address in it" },
    { "[:]", "the host has a bracket but no IPv6 address in it" },
    { "[::]", NULL },
    { "[::", "the host has a bracket but no IPv6 address in it" },
    { "[::1]", NULL },
    { "[::1]:80", NULL },
    { "[::1]:", "the host is not a name or an address with an optional port" },
    { "[::1]:65536", "the host is not a name or an address with an optional port" },
    { "[::1]x", "the host is not a name or an address with an optional port" },
    { "[::1]80", "the host is not a name or an address with an optional port" },
    { "[1:2]", "the host has a bracket but no IPv6 address in it" },
    { "[1:2:3]", NULL },
    { "[1.2.3.4]", "the host has a bracket but no IPv6 address in it" },
    { "[::1.2.3.4]", NULL },
    { "[::g]", "the host has a bracket but no IPv6 address in it" },
    { "[: :]", "the host has a bracket but no IPv6 address in it" },
    { "[abc]", "the host has a bracket but no IPv6 address in it" },
    { "[ab:c]", "the host has a bracket but no IPv6 address in it" },
    { "]", "the host has no name" },
    { "[::]]", "the host is not a name or an address with an optional port" },
    { "a[::1]", "the host is not a name or an address with an optional port" },
    { "[:::]", NULL },
    { "[fe80::1%25eth0]", "the host has a bracket but no IPv6 address in it" },
    { "~", "the host has no name" },
    { "a!", "the host is not a name or an address with an optional port" },
    { "-", NULL },
    { "_", NULL },
    { ".", NULL },
};

static void assert_fault(const char *text, const char *fault, const char *expected)
{
    if ((fault == NULL) != (expected == NULL) || (fault && strcmp(fault, expected) != 0))
        fail_msg("\"%s\": %s, not %s", text, fault ? fault : "none", expected ? expected : "none");
}

static void a_query_may_stand_or_is_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        assert_fault(queries[i][0], url_query_fault(bp_str_of(queries[i][0])), queries[i][1]);
}

static void an_authority_may_stand_or_is_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]); i++)
        assert_fault(authorities[i][0], url_authority_fault(bp_str_of(authorities[i][0])),
                     authorities[i][1]);
}

static const char *const pairs[][2] = {
    { "", "" },
    { "a", "(a|)" },
    { "a=", "(a|)" },
    { "a=1", "(a|1)" },
    { "=", "(|)" },
    { "=1", "(|1)" },
    { "&", "" },
    { "&&", "" },
    { "a&b", "(a|)(b|)" },
    { "a=1&b=2", "(a|1)(b|2)" },
    { "a=1&", "(a|1)" },
    { "&a=1", "(a|1)" },
    { "a==b", "(a|=b)" },
    { "a=b=c", "(a|b=c)" },
    { "a=1&&b", "(a|1)(b|)" },
    { "&=&", "(|)" },
    { "a&&&b=", "(a|)(b|)" },
    { "=&a", "(|)(a|)" },
};

static void a_query_is_taken_apart_at_each_ampersand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        bp_str rest = bp_str_of(pairs[i][0]), name, value;
        char   said[64] = "";

        while (url_query_next(&rest, &name, &value))
            snprintf(said + strlen(said), sizeof(said) - strlen(said), "(" BP_FMT "|" BP_FMT ")",
                     BP_ARG(name), BP_ARG(value));
        assert_string_equal(said, pairs[i][1]);
    }
}

/* As a query has it, and as a segment of a path has it; a NUL is shown as 0. */
static const char *const escapes[][3] = {
    { "", "", "" },
    { "a", "a", "a" },
    { "+", " ", "+" },
    { "a+b", "a b", "a+b" },
    { "%41", "A", "A" },
    { "%4", "%4", "%4" },
    { "%", "%", "%" },
    { "%zz", "%zz", "%zz" },
    { "%2B", "+", "+" },
    { "%2b+", "+ ", "++" },
    { "%00", "0", "0" },
    { "%c3%a4", "\xc3\xa4", "\xc3\xa4" },
    { "a%", "a%", "a%" },
    { "%%41", "%A", "%A" },
    { "%4%41", "%4A", "%4A" },
    { "+%20+", "   ", "+ +" },
    { "%25", "%", "%" },
    { "%2f/", "//", "//" },
};

static void assert_decoded(char *decoded, size_t len, const char *expected)
{
    for (size_t i = 0; i < len; i++)
        decoded[i] = decoded[i] ? decoded[i] : '0';
    decoded[len] = '\0';
    assert_string_equal(decoded, expected);
}

static void escapes_become_bytes_and_what_is_none_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        char decoded[32];

        assert_decoded(decoded, url_query_decode(bp_str_of(escapes[i][0]), decoded), escapes[i][1]);
        assert_decoded(decoded, url_decode_segment(bp_str_of(escapes[i][0]), decoded),
                       escapes[i][2]);
    }
}

static const struct {
    const char *raw, *name;
    bool        is_same;
} names[] = {
    { "", "", true },         { "", "a", false },       { "a", "", false },
    { "a", "a", true },       { "a", "b", false },      { "ab", "a", false },
    { "a", "ab", false },     { "abc", "abc", true },   { "abc", "abd", false },
    { "abc", "xbc", false },  { "%41", "A", true },     { "%41", "a", false },
    { "%41b", "Ab", true },   { "a%62", "ab", true },   { "%61%62", "ab", true },
    { "%61%62", "a", false }, { "%61", "ab", false },   { "+", " ", true },
    { "+", "+", false },      { "a+b", "a b", true },   { "%2b", "+", true },
    { "%20", " ", true },     { "%2", "%2", true },     { "%", "%", true },
    { "%zz", "%zz", true },   { "%4", "%4", true },     { "a%", "a%", true },
    { "a%4", "a", false },    { "ab%41", "abA", true }, { "%41%", "A%", true },
};

static void a_name_is_compared_with_its_escapes_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (url_query_name_is(bp_str_of(names[i].raw), bp_str_of(names[i].name)) !=
            names[i].is_same)
            fail_msg("%s and %s", names[i].raw, names[i].name);
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
        cmocka_unit_test(a_path_is_brought_into_normal_form_or_refused_with_its_reason),
        cmocka_unit_test(a_path_that_goes_above_its_root_stays_at_it),
        cmocka_unit_test(a_query_may_stand_or_is_refused_with_its_reason),
        cmocka_unit_test(an_authority_may_stand_or_is_refused_with_its_reason),
        cmocka_unit_test(a_query_is_taken_apart_at_each_ampersand),
        cmocka_unit_test(escapes_become_bytes_and_what_is_none_stays),
        cmocka_unit_test(a_name_is_compared_with_its_escapes_read),
        cmocka_unit_test(control_bytes_are_found_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
