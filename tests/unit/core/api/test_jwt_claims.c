/* test_jwt_claims.c - tokens that are signed here: each algorithm and which keys it is tried with,
 * each claim on both sides of what is allowed, and the sentence for whoever is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "api/jwt.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/str.h"

enum { RSA_2048, RSA_1024, P_256, P_384, ED_25519, KEYS };

static EVP_PKEY     *pairs[KEYS];
static struct arena  arena;
static bp_principal  principal;
static struct reason why;

/* ---- keys ---- */

static bp_str base64url(const void *bytes, size_t len)
{
    char *text = arena_alloc(&arena, crypto_base64_size(len));

    return bp_str_n(text, crypto_base64url(bytes, len, text));
}

static bp_str number_of(const EVP_PKEY *key, const char *name, size_t len)
{
    BIGNUM *number = NULL;
    uint8_t bytes[512];
    int     count;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    count = len ? BN_bn2binpad(number, bytes, (int)len) : BN_bn2bin(number, bytes);
    BN_free(number);
    return base64url(bytes, (size_t)count);
}

/* The members of its JWK that are public, without braces. */
static const char *jwk_of(int pair)
{
    const EVP_PKEY *key = pairs[pair];
    uint8_t         raw[32];
    size_t          len = sizeof(raw), size = pair == P_256 ? 32 : 48;
    bp_str          one, two;

    if (pair == ED_25519) {
        EVP_PKEY_get_raw_public_key(key, raw, &len);
        one = base64url(raw, len);
        return arena_format(&arena, "'kty':'OKP','crv':'Ed25519','x':'%.*s'", (int)one.len,
                            one.data)
            .data;
    }
    if (pair == RSA_2048 || pair == RSA_1024) {
        one = number_of(key, OSSL_PKEY_PARAM_RSA_N, 0);
        two = number_of(key, OSSL_PKEY_PARAM_RSA_E, 0);
        return arena_format(&arena, "'kty':'RSA','n':'%.*s','e':'%.*s'", (int)one.len, one.data,
                            (int)two.len, two.data)
            .data;
    }
    one = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size);
    two = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
    return arena_format(&arena, "'kty':'EC','crv':'%s','x':'%.*s','y':'%.*s'",
                        pair == P_256 ? "P-256" : "P-384", (int)one.len, one.data, (int)two.len,
                        two.data)
        .data;
}

static bp_str quoted(const char *text)
{
    bp_str copy = arena_dup(&arena, bp_str_of(text));

    for (char *at = (char *)(uintptr_t)copy.data; *at; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

/* A set of one key, with `more` members (",'kid':'a'"). NULL: it is left out. */
static struct jwt_keys *set_of(int pair, const char *more)
{
    struct jwt_keys *keys;

    reason_clear(&why);
    keys = jwt_keys_read(quoted(arena_format(&arena, "{'keys':[{%s%s}]}", jwk_of(pair), more).data),
                         &why);
    if (!keys)
        assert_string_equal(why.text, "the key set has no signature key of a supported type");
    return keys;
}

/* ---- tokens ---- */

static const struct {
    const char *name, *digest;
    int         pair;
    bool        is_pss;
} algorithms[] = {
    { "RS256", "SHA256", RSA_2048, false }, { "RS384", "SHA384", RSA_2048, false },
    { "RS512", "SHA512", RSA_2048, false }, { "PS256", "SHA256", RSA_2048, true },
    { "PS384", "SHA384", RSA_2048, true },  { "PS512", "SHA512", RSA_2048, true },
    { "ES256", "SHA256", P_256, false },    { "ES384", "SHA384", P_384, false },
    { "EdDSA", NULL, ED_25519, false },
};
enum { ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]), EDDSA = ALGORITHMS - 1 };

/* r and s side by side. */
static size_t plain_pair(const uint8_t *der, size_t len, size_t half, uint8_t *raw)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);

    assert_non_null(signature);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, (int)half);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + half, (int)half);
    ECDSA_SIG_free(signature);
    return 2 * half;
}

/* `header` is what stands beside "alg". */
static bp_str signed_token(size_t algorithm, const char *header, const char *claims)
{
    bp_str head = quoted(
        arena_format(&arena, "{'alg':'%s'%s}", algorithms[algorithm].name, header).data);
    bp_str        body = quoted(claims), text;
    EVP_MD_CTX   *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL;
    uint8_t       signature[512], raw[96];
    size_t        len = sizeof(signature);

    head = base64url(head.data, head.len);
    body = base64url(body.data, body.len);
    text = arena_format(&arena, "%.*s.%.*s", (int)head.len, head.data, (int)body.len, body.data);
    assert_int_equal(EVP_DigestSignInit_ex(digest, &context, algorithms[algorithm].digest, NULL,
                                           NULL, pairs[algorithms[algorithm].pair], NULL),
                     1);
    if (algorithms[algorithm].is_pss) {
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(digest, signature, &len, (const uint8_t *)text.data, text.len),
                     1);
    EVP_MD_CTX_free(digest);
    head = base64url(signature, len);
    if (algorithms[algorithm].pair == P_256 || algorithms[algorithm].pair == P_384)
        head = base64url(raw, plain_pair(signature, len,
                                         algorithms[algorithm].pair == P_256 ? 32 : 48, raw));
    return arena_format(&arena, "%.*s.%.*s", (int)text.len, text.data, (int)head.len, head.data);
}

/* Another signature, in good base64. */
static void spoil(bp_str token)
{
    char *at = (char *)(uintptr_t)token.data + token.len - 20;

    *at = *at == 'A' ? 'B' : 'A';
}

#define CLAIMS "{'iss':'me','aud':'here','sub':'alice','exp':2000}"

static const bp_str      audiences[] = { BP_STR(""), BP_STR("there"), BP_STR("here") };
static const bp_str_list audience_list = { audiences, 3 };

static enum jwt_verdict check(const struct jwt_keys *keys, bp_str token, const char *tenant_claim)
{
    struct jwt_rules rules = { .issuer = BP_STR("me"),
                               .audiences = &audience_list,
                               .tenant_claim = bp_str_of(tenant_claim),
                               .now_s = 1000 };

    principal = (bp_principal){ .struct_size = sizeof(principal) };
    reason_clear(&why);
    return jwt_check(&arena, token, keys, &rules, &principal, &why);
}

static void expect(const struct jwt_keys *keys, bp_str token, enum jwt_verdict verdict,
                   const char *sentence)
{
    enum jwt_verdict found = check(keys, token, "");

    if (found != verdict || (verdict != JWT_GOOD && strcmp(why.text, sentence) != 0))
        fail_msg("%d: %s\nnot %d: %s", (int)found, why.text, (int)verdict, sentence);
}

/* ---- without memory ---- */

static void an_owner_is_whole_or_none(void **state)
{
    struct jwt_keys *keys = set_of(P_256, "");
    bp_str           token = { NULL, 0 };
    enum jwt_verdict verdict = JWT_BAD;
    bool             has_no_owner = false;

    (void)state;
    for (size_t i = 0; i < ALGORITHMS && !token.len; i++)
        if (algorithms[i].pair == P_256)
            token = signed_token(i, "",
                                 "{'iss':'me','aud':'here','sub':'alice','exp':2000,'t':'garden',"
                                 "'scp':['a:read','b:write']}");
    for (size_t room = 0; verdict != JWT_GOOD && room < 1 << 20; room += 16) {
        struct jwt_rules rules = { .issuer = BP_STR("me"),
                                   .audiences = &audience_list,
                                   .tenant_claim = BP_STR("t"),
                                   .now_s = 1000 };
        struct arena     tight;

        arena_init(&tight, room);
        principal = (bp_principal){ .struct_size = sizeof(principal) };
        verdict = jwt_check(&tight, token, keys, &rules, &principal, &why);
        has_no_owner |= verdict == JWT_NO_MEMORY;
        assert_int_equal(principal.is_authenticated, verdict == JWT_GOOD);
        assert_true(bp_str_is(principal.id, verdict == JWT_GOOD ? "alice" : ""));
        assert_true(bp_str_is(principal.tenant, verdict == JWT_GOOD ? "garden" : ""));
        assert_true(bp_str_is(principal.scopes, verdict == JWT_GOOD ? "a:read b:write" : ""));
        arena_free(&tight);
    }
    assert_int_equal(verdict, JWT_GOOD);
    assert_true(has_no_owner);
    jwt_keys_free(keys);
}

/* ---- which key for which token ---- */

#define UNSUPPORTED "this server does not support the token's algorithm"
#define UNPUBLISHED "the token is signed by a key that the issuer does not publish"
#define WRONG       "the token's signature is wrong"
#define ODD         "the token has a header \"crit\" or a signature that is not understood"
#define NONE        "the token is not a JSON Web Token"

static void each_algorithm_is_checked_with_keys_of_its_type(void **state)
{
    (void)state;
    for (int pair = 0; pair < KEYS; pair++) {
        struct jwt_keys *keys = set_of(pair, "");

        if (pair == RSA_1024) { // too short to trust
            assert_null(keys);
            continue;
        }
        assert_int_equal(jwt_keys_count(keys), 1);
        for (size_t i = 0; i < ALGORITHMS; i++) {
            bp_str token = signed_token(i, "", CLAIMS);
            bool   is_own = algorithms[i].pair == pair;

            expect(keys, token, is_own ? JWT_GOOD : JWT_UNKNOWN_KEY, UNPUBLISHED);
            spoil(token);
            expect(keys, token, JWT_UNKNOWN_KEY, is_own ? WRONG : UNPUBLISHED);
        }
        jwt_keys_free(keys);
    }
}

static void a_key_is_for_its_own_id_and_algorithm(void **state)
{
    static const struct {
        const char      *key, *header;
        enum jwt_verdict verdict;
        const char      *sentence;
    } cases[] = {
        { "", ",'kid':'a'", JWT_UNKNOWN_KEY, UNPUBLISHED },
        { ",'kid':'a'", "", JWT_GOOD, "" },
        { ",'kid':'a'", ",'kid':'a'", JWT_GOOD, "" },
        { ",'kid':'a'", ",'kid':'b'", JWT_UNKNOWN_KEY, UNPUBLISHED },
        { ",'kid':'a'", ",'kid':'ab'", JWT_UNKNOWN_KEY, UNPUBLISHED },
        { ",'alg':'EdDSA'", "", JWT_GOOD, "" },
        { ",'alg':'ES256'", "", JWT_UNKNOWN_KEY, UNPUBLISHED },
        { ",'use':'sig','key_ops':['verify']", "", JWT_GOOD, "" },
        { ",'key_ops':['sign','verify']", "", JWT_GOOD, "" },
        { "", ",'crit':['x']", JWT_BAD, ODD },
        { "", ",'crit':false", JWT_BAD, ODD },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct jwt_keys *keys = set_of(ED_25519, cases[i].key);

        assert_non_null(keys);
        expect(keys, signed_token(EDDSA, cases[i].header, CLAIMS), cases[i].verdict,
               cases[i].sentence);
        jwt_keys_free(keys);
    }
}

static void a_wrong_signature_of_a_named_key_is_final(void **state)
{
    struct jwt_keys *keys = set_of(ED_25519, ",'kid':'a'");
    bp_str           token = signed_token(EDDSA, ",'kid':'a'", CLAIMS);

    (void)state;
    spoil(token);
    expect(keys, token, JWT_BAD, WRONG);
    jwt_keys_free(keys);
}

static void keys_for_other_uses_are_left_out(void **state)
{
    static const char *const left_out[] = {
        ",'use':'enc'",        ",'key_ops':['sign']",       ",'key_ops':[]",
        ",'key_ops':'verify'", ",'alg':'0123456789abcdef'",
    };
    char kid[200];

    (void)state;
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        assert_null(set_of(ED_25519, left_out[i]));
    for (size_t len = 128; len <= 129; len++) {
        struct jwt_keys *keys;
        char             id[130];

        memset(id, 'k', len);
        id[len] = '\0';
        snprintf(kid, sizeof(kid), ",'kid':'%s'", id);
        keys = set_of(ED_25519, kid);
        assert_int_equal(keys != NULL, len == 128);
        if (keys)
            expect(keys, signed_token(EDDSA, kid, CLAIMS), JWT_GOOD, "");
        jwt_keys_free(keys);
    }
    jwt_keys_free(set_of(ED_25519, ",'alg':'0123456789abcde'"));
    assert_string_equal(why.text, "the key set has no signature key of a supported type");
}

/* The first one that fits is taken, wherever it stands, up to the 64th. */
static void a_set_has_at_most_64_keys(void **state)
{
    (void)state;
    for (int before = 63; before <= 64; before++) {
        struct jwt_keys *keys;
        struct bp_buf    set;

        buf_init(&set, &arena, 1 << 20);
        buf_add(&set, BP_STR("{'keys':["));
        for (int i = 0; i < before; i++)
            buf_addf(&set, "{%s},{'kty':'oct'},", jwk_of(P_256));
        buf_addf(&set, "{%s}]}", jwk_of(ED_25519));
        keys = jwt_keys_read(quoted(buf_str(&set).data), &why);
        assert_int_equal(jwt_keys_count(keys), 64);
        expect(keys, signed_token(EDDSA, "", CLAIMS), before == 63 ? JWT_GOOD : JWT_UNKNOWN_KEY,
               UNPUBLISHED);
        jwt_keys_free(keys);
    }
}

static void a_set_that_is_no_json_is_told(void **state)
{
    (void)state;
    assert_null(jwt_keys_read(BP_STR("{"), &why));
    assert_true(bp_str_starts(bp_str_of(why.text), "the key set is no JSON: "));
}

/* ---- claims ---- */

#define ISSUER   "the token is not from the issuer that this server trusts"
#define AUDIENCE "the token is for another server: ask for one with the audience of this server"
#define EXPIRED  "the token has expired"
#define EARLY    "the token is not valid yet"
#define NOBODY   "the token does not name its user: it has no \"sub\""
#define TENANT   "the token does not name a tenant, which this server asks for"

#define WITH(issuer, audience, subject, times)                                                     \
    "{'iss':" issuer ",'aud':" audience ",'sub':" subject "," times "}"

static const struct {
    const char *claims, *sentence; /* NULL: it is good */
} claims[] = {
    { CLAIMS, NULL },
    { WITH("'you'", "'here'", "'alice'", "'exp':2000"), ISSUER },
    { WITH("7", "'here'", "'alice'", "'exp':2000"), ISSUER },
    { WITH("'me'", "'there'", "'alice'", "'exp':2000"), NULL },
    { WITH("'me'", "'nowhere'", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "''", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "['']", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "['x','here']", "'alice'", "'exp':2000"), NULL },
    { WITH("'me'", "['here','x']", "'alice'", "'exp':2000"), NULL },
    { WITH("'me'", "[7,'x']", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "[]", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "{'here':'here'}", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "null", "'alice'", "'exp':2000"), AUDIENCE },
    { WITH("'me'", "'here'", "'alice'", "'exp':940"), NULL },
    { WITH("'me'", "'here'", "'alice'", "'exp':939"), EXPIRED },
    { WITH("'me'", "'here'", "'alice'", "'exp':940.5"), NULL },
    { WITH("'me'", "'here'", "'alice'", "'exp':939.5"), EXPIRED },
    { WITH("'me'", "'here'", "'alice'", "'exp':'2000'"), EXPIRED },
    { WITH("'me'", "'here'", "'alice'", "'x':1"), EXPIRED },
    { WITH("'me'", "'here'", "'alice'", "'exp':2000,'nbf':1060"), NULL },
    { WITH("'me'", "'here'", "'alice'", "'exp':2000,'nbf':1061"), EARLY },
    { WITH("'me'", "'here'", "'alice'", "'exp':2000,'nbf':1060.5"), EARLY },
    { WITH("'me'", "'here'", "'alice'", "'exp':2000,'nbf':'1'"), EARLY },
    { WITH("'me'", "'here'", "'alice'", "'exp':2000,'nbf':0"), NULL },
    { WITH("'me'", "'here'", "''", "'exp':2000"), NOBODY },
    { WITH("'me'", "'here'", "7", "'exp':2000"), NOBODY },
};

static void each_claim_must_be_as_it_should(void **state)
{
    struct jwt_keys *keys = set_of(ED_25519, "");

    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        expect(keys, signed_token(EDDSA, "", claims[i].claims),
               claims[i].sentence ? JWT_BAD : JWT_GOOD, claims[i].sentence);
    jwt_keys_free(keys);
}

static void a_good_token_fills_the_principal(void **state)
{
    static const struct {
        const char *claims, *tenant_claim;
        const char *tenant, *scopes; /* tenant NULL: it is refused */
    } cases[] = {
        { "", "", "default", "" },
        { ",'scope':'a b'", "", "default", "a b" },
        { ",'scope':['a','b','c']", "", "default", "a b c" },
        { ",'scp':['a','b']", "", "default", "a b" },
        { ",'scp':'a'", "", "default", "a" },
        { ",'scope':'a','scp':['b']", "", "default", "a" },
        { ",'scope':[]", "", "default", "" },
        { ",'org':'t1'", "", "default", "" },
        { ",'org':'t1'", "org", "t1", "" },
        { ",'org':''", "org", NULL, "" },
        { ",'org':7", "org", NULL, "" },
        { "", "org", NULL, "" },
    };
    struct jwt_keys *keys = set_of(ED_25519, "");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str token = signed_token(EDDSA, "",
                                    arena_format(&arena,
                                                 "{'iss':'me','aud':'here','sub':'alice','exp':"
                                                 "2000%s}",
                                                 cases[i].claims)
                                        .data);

        assert_int_equal(check(keys, token, cases[i].tenant_claim),
                         cases[i].tenant ? JWT_GOOD : JWT_BAD);
        if (!cases[i].tenant) {
            assert_string_equal(why.text, TENANT);
            assert_false(principal.is_authenticated);
            continue;
        }
        assert_int_equal(principal.struct_size, sizeof(principal));
        assert_true(principal.is_authenticated);
        assert_true(bp_str_is(principal.id, "alice"));
        assert_true(bp_str_is(principal.tenant, cases[i].tenant));
        if (!bp_str_is(principal.scopes, cases[i].scopes))
            fail_msg("%s: " BP_FMT, cases[i].claims, BP_ARG(principal.scopes));
    }
    jwt_keys_free(keys);
}

/* ---- what is no token ---- */

static void what_is_no_token_is_told_so(void **state)
{
    static const struct {
        const char *token, *sentence;
    } cases[] = {
        { "", NONE },
        { "e30", NONE },
        { "e30.e30", NONE },
        { "e30.e30.", NONE },
        { ".e30.AAAA", NONE },
        { "e30..AAAA", NONE },
        { "W10.e30.AAAA", NONE }, // []
        { "e30.W10.AAAA", NONE },
        { "?.e30.AAAA", NONE },
        { "e30.e.AAAA", NONE },
        { "e30.eyc.AAAA", NONE }, // {'
        { "e30.e30.AAAA", UNSUPPORTED },
        { "eyJhbGciOiJFZERTQSJ9.e30.A", ODD },
        { "eyJhbGciOiJFZERTQSJ9.e30.AAA.", ODD },
        { "eyJhbGciOiJFZERTQSJ9.e30.????", ODD },
    };
    struct jwt_keys *keys = set_of(ED_25519, "");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(keys, bp_str_of(cases[i].token), JWT_BAD, cases[i].sentence);
    jwt_keys_free(keys);
}

static void a_token_has_at_most_16_kibibytes(void **state)
{
    struct jwt_keys *keys = set_of(ED_25519, "");
    bp_str           shortest = signed_token(EDDSA, "",
                                             "{'iss':'me','aud':'here','sub':'alice','exp':2000,'x':''}");
    size_t           more = (JWT_BYTES_MAX - shortest.len) / 4 * 3;

    (void)state;
    for (bool was_good = true; was_good; more++) {
        char  *text = arena_alloc(&arena, more + 1);
        bp_str token;

        memset(text, 'x', more);
        token = signed_token(EDDSA, "",
                             arena_format(&arena,
                                          "{'iss':'me','aud':'here','sub':'alice','exp':2000,'x':'%"
                                          "s'}",
                                          text)
                                 .data);
        was_good = token.len <= JWT_BYTES_MAX;
        expect(keys, token, was_good ? JWT_GOOD : JWT_BAD, NONE);
        assert_in_range(token.len, JWT_BYTES_MAX - 4, JWT_BYTES_MAX + 2);
    }
    jwt_keys_free(keys);
}

static int make_pairs(void **state)
{
    (void)state;
    pairs[RSA_2048] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    pairs[RSA_1024] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    pairs[P_256] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    pairs[P_384] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    pairs[ED_25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    for (int i = 0; i < KEYS; i++)
        if (!pairs[i])
            return -1;
    return 0;
}

static int free_pairs(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++)
        EVP_PKEY_free(pairs[i]);
    return 0;
}

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

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_owner_is_whole_or_none),
        CASE(each_algorithm_is_checked_with_keys_of_its_type),
        CASE(a_key_is_for_its_own_id_and_algorithm),
        CASE(a_wrong_signature_of_a_named_key_is_final),
        CASE(keys_for_other_uses_are_left_out),
        CASE(a_set_has_at_most_64_keys),
        CASE(a_set_that_is_no_json_is_told),
        CASE(each_claim_must_be_as_it_should),
        CASE(a_good_token_fills_the_principal),
        CASE(what_is_no_token_is_told_so),
        CASE(a_token_has_at_most_16_kibibytes),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
