/* test_jwt.c - tokens checked against keys: the examples of RFC 7515, two of our own, and whatever
 * differs from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../../lib/jwt_examples.h"
#include "api/jwt.h"
#include "base/str.h"

static struct jwt_keys *keys;
static struct arena     arena;
static bp_principal     principal;
static struct reason    why;

static int set_up(void **state)
{
    struct reason problem;

    (void)state;
    arena_init(&arena, 64u << 20);
    keys = jwt_keys_read(bp_str_of(example_keys), &problem);
    return keys ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    jwt_keys_free(keys);
    arena_free(&arena);
    return 0;
}

static enum jwt_verdict check_of(bp_str token, const char *issuer, const char *audience,
                                 const char *tenant, int64_t now_s)
{
    bp_str           name = bp_str_of(audience);
    bp_str_list      audiences = { &name, 1 };
    struct jwt_rules rules = { .issuer = bp_str_of(issuer),
                               .audiences = &audiences,
                               .tenant_claim = bp_str_of(tenant),
                               .now_s = now_s };

    principal = (bp_principal){ .struct_size = sizeof(principal) };
    reason_clear(&why);
    return jwt_check(&arena, token, keys, &rules, &principal, &why);
}

static enum jwt_verdict check_own(const char *token)
{
    return check_of(bp_str_of(token), "https://login.example.org", "https://mcp.example.org/mcp",
                    "tenant", 1900000000);
}

/* They have no audience, so the best that can be said of them is that everything before it is
 * right. */
static void the_signatures_of_rfc_7515_are_right(void **state)
{
    static const char *const tokens[] = { example_rfc7515_rs256, example_rfc7515_es256 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(check_of(bp_str_of(tokens[i]), "joe", "x", "", 1300819379), JWT_BAD);
        assert_non_null(strstr(why.text, "audience"));
        assert_int_equal(check_of(bp_str_of(tokens[i]), "jo", "x", "", 1300819379), JWT_BAD);
        assert_non_null(strstr(why.text, "issuer"));
    }
}

static void a_good_token_says_who_and_what(void **state)
{
    (void)state;
    assert_int_equal(jwt_keys_count(keys), 4);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(check_own(i ? example_es256 : example_eddsa), JWT_GOOD);
        assert_true(principal.is_authenticated);
        assert_true(bp_str_is(principal.id, "alice"));
        assert_true(bp_str_is(principal.tenant, "t1"));
        assert_true(bp_str_is(principal.scopes, "guarded:read"));
    }
}

static void times_have_a_leeway_of_a_minute(void **state)
{
    bp_str token = bp_str_of(example_eddsa);

    (void)state;
    assert_int_equal(check_of(token, "https://login.example.org", "https://mcp.example.org/mcp", "",
                              2000000060),
                     JWT_GOOD);
    assert_int_equal(check_of(token, "https://login.example.org", "https://mcp.example.org/mcp", "",
                              2000000061),
                     JWT_BAD);
    assert_string_equal(why.text, "the token has expired");
}

static void nothing_in_the_conf_that_is_empty_lets_a_token_in(void **state)
{
    bp_str token = bp_str_of(example_rfc7515_es256);

    (void)state;
    assert_int_equal(check_of(token, "", "", "", 1300819379), JWT_BAD);
    assert_int_equal(check_of(token, "joe", "", "", 1300819379), JWT_BAD);
    assert_int_equal(check_of(bp_str_of(example_eddsa), "https://login.example.org",
                              "https://mcp.example.org/mcp", "org", 1900000000),
                     JWT_BAD);
    assert_non_null(strstr(why.text, "tenant"));
}

/* RFC 7515 knows one spelling of a signature. */
static void another_spelling_of_the_same_signature_is_refused(void **state)
{
    static const char *const more[] = { "=", "==", " ", "\n", "A", "." };
    char                     token[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        snprintf(token, sizeof(token), "%s%s", example_eddsa, more[i]);
        assert_int_equal(check_own(token), JWT_BAD);
    }
    snprintf(token, sizeof(token), "%s", example_eddsa);
    for (char *c = strrchr(token, '.'); *c; c++)
        *c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
    assert_string_not_equal(token, example_eddsa);
    assert_int_equal(check_own(token), JWT_BAD);
}

/* Each character changed to another: of the last one only some bits count, and another text may
 * stand for the same bytes. */
static void a_token_changed_anywhere_is_refused(void **state)
{
    static const char *const tokens[] = { example_eddsa, example_es256 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(tokens[i]);
        char  *copy = strdup(tokens[i]);

        for (size_t at = 0; at + 1 < len; at++) {
            copy[at] = tokens[i][at] == 'A' ? 'B' : 'A';
            assert_int_not_equal(check_own(copy), JWT_GOOD);
            assert_int_not_equal(strlen(why.text), 0);
            copy[at] = tokens[i][at];
        }
        for (size_t cut = 0; cut < len - 1; cut++)
            assert_int_not_equal(check_of(bp_str_n(copy, cut), "https://login.example.org",
                                          "https://mcp.example.org/mcp", "", 1900000000),
                                 JWT_GOOD);
        free(copy);
    }
}

static void a_key_that_is_not_known_is_told_from_a_wrong_signature(void **state)
{
    // {"alg":"ES256","kid":"new"}.{"a":1}; {"alg":"ES256","kid":"key-P-256"}; {"alg":"ES256"};
    // {"alg":"HS256"}; {"alg":"none"}
    static const struct {
        const char      *token;
        enum jwt_verdict verdict;
    } cases[] = {
        { "eyJhbGciOiJFUzI1NiIsImtpZCI6Im5ldyJ9.eyJhIjoxfQ.AAAA", JWT_UNKNOWN_KEY },
        { "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS1QLTI1NiJ9.eyJhIjoxfQ.AAAA", JWT_BAD },
        { "eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.AAAA", JWT_UNKNOWN_KEY },
        { "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.AAAA", JWT_BAD },
        { "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.AAAA", JWT_BAD },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(check_own(cases[i].token), cases[i].verdict);
}

static void keys_that_cannot_check_signatures_are_left_out(void **state)
{
    static const char *const sets[] = {
        "",
        "[]",
        "{}",
        "{\"keys\":5}",
        "{\"keys\":[]}",
        "{\"keys\":[{},1,null,{\"kty\":\"oct\",\"k\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"_____w\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}]}",
        // not on the curve
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\",\"x\":\"L_"
        "pzFboq3ROL8QwpB0vIIQiMznL5Rygnl6klywSMZ64\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"key_ops\":[\"sign\"],"
        "\"x\":\"L_pzFboq3ROL8QwpB0vIIQiMznL5Rygnl6klywSMZ64\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        reason_clear(&why);
        assert_null(jwt_keys_read(bp_str_of(sets[i]), &why));
        assert_int_not_equal(strlen(why.text), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signatures_of_rfc_7515_are_right),
        cmocka_unit_test(a_good_token_says_who_and_what),
        cmocka_unit_test(times_have_a_leeway_of_a_minute),
        cmocka_unit_test(nothing_in_the_conf_that_is_empty_lets_a_token_in),
        cmocka_unit_test(another_spelling_of_the_same_signature_is_refused),
        cmocka_unit_test(a_token_changed_anywhere_is_refused),
        cmocka_unit_test(a_key_that_is_not_known_is_told_from_a_wrong_signature),
        cmocka_unit_test(keys_that_cannot_check_signatures_are_left_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
