/* jwt.c - reads key sets and checks tokens, with OpenSSL's signatures. */
#include "api/jwt.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/str.h"
#include "loop/principal.h"

enum { KID_BYTES_MAX = 128, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, PART_BYTES_MAX = 1024 };

enum key_type { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };

struct jwt_key {
    EVP_PKEY     *key;
    enum key_type type;
    char          kid[KID_BYTES_MAX + 1];
    char          alg[16]; /* empty: any of its type */
};

struct jwt_keys {
    struct jwt_key items[JWT_KEYS_MAX];
    size_t         count;
};

struct algorithm {
    const char   *name;
    enum key_type type;
    const char   *digest; /* NULL: part of the signature */
    bool          is_pss;
};

static const struct algorithm algorithms[] = {
    { "RS256", KEY_RSA, "SHA256", false },  { "RS384", KEY_RSA, "SHA384", false },
    { "RS512", KEY_RSA, "SHA512", false },  { "PS256", KEY_RSA, "SHA256", true },
    { "PS384", KEY_RSA, "SHA384", true },   { "PS512", KEY_RSA, "SHA512", true },
    { "ES256", KEY_P256, "SHA256", false }, { "ES384", KEY_P384, "SHA384", false },
    { "EdDSA", KEY_ED25519, NULL, false },
};

/* ---- keys ---- */

/* The bytes of a member in base64url; 0: it is not there, malformed or too long. */
static size_t member_bytes(const bp_json *jwk, const char *name, uint8_t bytes[PART_BYTES_MAX])
{
    bp_str text = json_as_string(json_get(jwk, bp_str_of(name)));
    size_t len;

    if (!text.len || text.len > PART_BYTES_MAX)
        return 0;
    len = crypto_unbase64url(text, bytes);
    return len == SIZE_MAX ? 0 : len;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM   *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY     *key = NULL;

    if (!params || !context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *read_rsa(const bp_json *jwk)
{
    uint8_t modulus[PART_BYTES_MAX], exponent[PART_BYTES_MAX];
    size_t  modulus_len = member_bytes(jwk, "n", modulus),
           exponent_len = member_bytes(jwk, "e", exponent);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM         *n = BN_bin2bn(modulus, (int)modulus_len, NULL),
           *e = BN_bin2bn(exponent, (int)exponent_len, NULL);
    EVP_PKEY *key = NULL;

    if (build && n && e && exponent_len && exponent_len <= 8 && BN_num_bits(n) >= RSA_BITS_MIN &&
        BN_num_bits(n) <= RSA_BITS_MAX && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
        key = key_from("RSA", build);
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *read_curve(const bp_json *jwk, const char *group, size_t size)
{
    uint8_t         x[PART_BYTES_MAX], y[PART_BYTES_MAX], point[1 + 2 * 48];
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY       *key = NULL;

    if (build && member_bytes(jwk, "x", x) == size && member_bytes(jwk, "y", y) == size) {
        point[0] = POINT_CONVERSION_UNCOMPRESSED;
        memcpy(point + 1, x, size);
        memcpy(point + 1 + size, y, size);
        if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
            OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size))
            key = key_from("EC", build); // refuses a point that is not on the curve
    }
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *read_ed25519(const bp_json *jwk)
{
    uint8_t x[PART_BYTES_MAX];

    return member_bytes(jwk, "x", x) == 32
               ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, 32)
               : NULL;
}

static bool has_word(const bp_json *list, const char *word)
{
    for (size_t i = 0; i < json_count(list) && json_type_of(list) == JSON_KIND_ARRAY; i++)
        if (bp_str_is(json_as_string(json_at(list, i)), word))
            return true;
    return false;
}

static bool read_key(const bp_json *jwk, struct jwt_key *key)
{
    bp_str type = json_as_string(json_get(jwk, BP_STR("kty"))),
           curve = json_as_string(json_get(jwk, BP_STR("crv")));
    bp_str kid = json_as_string(json_get(jwk, BP_STR("kid"))),
           alg = json_as_string(json_get(jwk, BP_STR("alg")));
    bp_str         use = json_as_string(json_get(jwk, BP_STR("use")));
    const bp_json *operations = json_get(jwk, BP_STR("key_ops"));

    if ((use.len && !bp_str_is(use, "sig")) || (operations && !has_word(operations, "verify")) ||
        kid.len > KID_BYTES_MAX || alg.len >= sizeof(key->alg))
        return false;
    *key = (struct jwt_key){ 0 };
    memcpy(key->kid, kid.data ? kid.data : "", kid.len);
    memcpy(key->alg, alg.data ? alg.data : "", alg.len);
    if (bp_str_is(type, "RSA")) {
        key->type = KEY_RSA;
        key->key = read_rsa(jwk);
    } else if (bp_str_is(type, "EC") && bp_str_is(curve, "P-256")) {
        key->type = KEY_P256;
        key->key = read_curve(jwk, "P-256", 32);
    } else if (bp_str_is(type, "EC") && bp_str_is(curve, "P-384")) {
        key->type = KEY_P384;
        key->key = read_curve(jwk, "P-384", 48);
    } else if (bp_str_is(type, "OKP") && bp_str_is(curve, "Ed25519")) {
        key->type = KEY_ED25519;
        key->key = read_ed25519(jwk);
    }
    return key->key != NULL;
}

struct jwt_keys *jwt_keys_read(bp_str json, struct reason *why)
{
    struct arena     arena;
    const bp_json   *set = NULL, *list;
    struct jwt_keys *keys = calloc(1, sizeof(*keys));
    struct reason    reason;

    if (!keys) {
        reason_set(why, "there is no memory for keys");
        return NULL;
    }
    arena_init(&arena, 4u << 20);
    if (json_parse(&arena, json, &set, &reason) != BP_OK) {
        reason_set(why, "the key set is no JSON: %s", reason.text);
    } else {
        list = json_get(set, BP_STR("keys"));
        for (size_t i = 0; i < json_count(list) && keys->count < JWT_KEYS_MAX; i++)
            keys->count += read_key(json_at(list, i), &keys->items[keys->count]);
        reason_set(why, "the key set has no signature key of a supported type");
    }
    arena_free(&arena);
    if (keys->count)
        return keys;
    free(keys);
    return NULL;
}

void jwt_keys_free(struct jwt_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->items[i].key);
    free(keys);
}

size_t jwt_keys_count(const struct jwt_keys *keys)
{
    return keys->count;
}

/* ---- signatures ---- */

/* r and s side by side (RFC 7518 3.4) as the ASN.1 that OpenSSL reads; 0: malformed. */
static int to_der(const uint8_t *raw, size_t len, size_t half, uint8_t **der)
{
    ECDSA_SIG *signature = len == 2 * half ? ECDSA_SIG_new() : NULL;
    BIGNUM    *r, *s;
    int        der_len;

    if (!signature)
        return 0;
    r = BN_bin2bn(raw, (int)half, NULL);
    s = BN_bin2bn(raw + half, (int)half, NULL);
    if (!r || !s || ECDSA_SIG_set0(signature, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(signature);
        return 0;
    }
    der_len = i2d_ECDSA_SIG(signature, der);
    ECDSA_SIG_free(signature);
    return der_len > 0 ? der_len : 0;
}

static bool verify(const struct jwt_key *key, const struct algorithm *algorithm, bp_str signed_part,
                   const uint8_t *signature, size_t len)
{
    EVP_MD_CTX   *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL;
    uint8_t      *der = NULL;
    bool          is_good = false;

    if (key->type == KEY_P256 || key->type == KEY_P384) {
        len = (size_t)to_der(signature, len, key->type == KEY_P256 ? 32 : 48, &der);
        signature = der;
    }
    if (digest && len &&
        EVP_DigestVerifyInit_ex(digest, &context, algorithm->digest, NULL, NULL, key->key, NULL) ==
            1 &&
        (!algorithm->is_pss ||
         (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1)))
        is_good = EVP_DigestVerify(digest, signature, len, (const uint8_t *)signed_part.data,
                                   signed_part.len) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(digest);
    return is_good;
}

/* ---- tokens ---- */

static const struct algorithm *find_algorithm(bp_str name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (bp_str_is(name, algorithms[i].name))
            return &algorithms[i];
    return NULL;
}

/* A part of the token as JSON; NULL: it is none. */
static const bp_json *read_part(struct arena *arena, bp_str part)
{
    uint8_t       *bytes = arena_alloc(arena, part.len + 1);
    size_t         len = bytes ? crypto_unbase64url(part, bytes) : SIZE_MAX;
    const bp_json *json = NULL;
    struct reason  reason;

    if (len == SIZE_MAX ||
        json_parse(arena, bp_str_n((const char *)bytes, len), &json, &reason) != BP_OK)
        return NULL;
    return json_type_of(json) == JSON_KIND_OBJECT ? json : NULL;
}

static enum jwt_verdict check_signature(struct arena *arena, const bp_json *header,
                                        bp_str signed_part, bp_str signature,
                                        const struct jwt_keys *keys, struct reason *why)
{
    const struct algorithm *algorithm = find_algorithm(
        json_as_string(json_get(header, BP_STR("alg"))));
    bp_str   kid = json_as_string(json_get(header, BP_STR("kid")));
    uint8_t *bytes = arena_alloc(arena, signature.len + 1);
    size_t   len = bytes ? crypto_unbase64url(signature, bytes) : SIZE_MAX;
    bool     has_key = false;

    reason_set(why, "this server does not support the token's algorithm");
    if (!algorithm)
        return JWT_BAD;
    reason_set(why, "the token has a header \"crit\" or a signature that is not understood");
    if (len == SIZE_MAX || json_get(header, BP_STR("crit")))
        return JWT_BAD;
    for (size_t i = 0; i < keys->count; i++) {
        const struct jwt_key *key = &keys->items[i];

        if (key->type != algorithm->type || (kid.len && !bp_str_is(kid, key->kid)) ||
            (key->alg[0] && strcmp(key->alg, algorithm->name) != 0))
            continue;
        has_key = true;
        if (verify(key, algorithm, signed_part, bytes, len))
            return JWT_GOOD;
    }
    reason_set(why, has_key ? "the token's signature is wrong"
                            : "the token is signed by a key that the issuer does not publish");
    return has_key && kid.len ? JWT_BAD
                              : JWT_UNKNOWN_KEY; // one that names no key may be signed by a new one
}

static bool has_audience(const bp_json *audience, const bp_str_list *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (!wanted->items[i].len)
            continue; // a token without an audience has not even this one
        if (bp_str_equal(json_as_string(audience), wanted->items[i]))
            return true;
        for (size_t j = 0; j < json_count(audience) && json_type_of(audience) == JSON_KIND_ARRAY;
             j++)
            if (bp_str_equal(json_as_string(json_at(audience, j)), wanted->items[i]))
                return true;
    }
    return false;
}

static bool is_number(const bp_json *value)
{
    return json_type_of(value) == JSON_KIND_INTEGER || json_type_of(value) == JSON_KIND_NUMBER;
}

static bool check_claims(const bp_json *claims, const struct jwt_rules *rules, struct reason *why)
{
    const bp_json *expires = json_get(claims, BP_STR("exp")),
                  *not_before = json_get(claims, BP_STR("nbf"));
    double now = (double)rules->now_s;

    if (!rules->issuer.len ||
        !bp_str_equal(json_as_string(json_get(claims, BP_STR("iss"))), rules->issuer))
        reason_set(why, "the token is not from the issuer that this server trusts");
    else if (!has_audience(json_get(claims, BP_STR("aud")), rules->audiences))
        reason_set(why,
                   "the token is for another server: ask for one with the audience of this server");
    else if (!is_number(expires) || json_as_number(expires) + (double)JWT_LEEWAY_S < now)
        reason_set(why, "the token has expired");
    else if (not_before &&
             (!is_number(not_before) || json_as_number(not_before) - (double)JWT_LEEWAY_S > now))
        reason_set(why, "the token is not valid yet");
    else if (!json_as_string(json_get(claims, BP_STR("sub"))).len)
        reason_set(why, "the token does not name its user: it has no \"sub\"");
    else if (rules->tenant_claim.len && !json_as_string(json_get(claims, rules->tenant_claim)).len)
        reason_set(why, "the token does not name a tenant, which this server asks for"); // never
                                                                                         // somebody
                                                                                         // else's
    else
        return true;
    return false;
}

/* "scope": "a b", or "scp": ["a", "b"]. False: there is no memory for all of them. */
static bool read_scopes(struct arena *arena, const bp_json *claims, bp_str *scopes)
{
    const bp_json *scope = json_get(claims, BP_STR("scope"));
    struct bp_buf  buf;

    if (!scope)
        scope = json_get(claims, BP_STR("scp"));
    if (json_type_of(scope) != JSON_KIND_ARRAY) {
        *scopes = json_as_string(scope);
        return true;
    }
    buf_init(&buf, arena, JWT_BYTES_MAX);
    for (size_t i = 0; i < json_count(scope); i++) {
        if (i)
            buf_add_char(&buf, ' ');
        buf_add(&buf, json_as_string(json_at(scope, i)));
    }
    *scopes = buf_str(&buf);
    return buf_status(&buf) == BP_OK;
}

static enum jwt_verdict check(struct arena *arena, bp_str token, const struct jwt_keys *keys,
                              const struct jwt_rules *rules, bp_principal *principal,
                              struct reason *why)
{
    bp_str rest, head = str_split(token, '.', &rest), signature,
                 body = str_split(rest, '.', &signature);
    const bp_json   *header, *claims;
    bp_principal     owner = { .struct_size = sizeof(owner), .is_authenticated = true };
    enum jwt_verdict verdict;

    reason_set(why, "the token is not a JSON Web Token");
    if (token.len > JWT_BYTES_MAX || !head.len || !body.len || !signature.len)
        return JWT_BAD;
    header = read_part(arena, head);
    claims = read_part(arena, body);
    if (!header || !claims)
        return JWT_BAD;
    verdict = check_signature(arena, header, bp_str_n(token.data, head.len + 1 + body.len),
                              signature, keys, why);
    if (verdict != JWT_GOOD)
        return verdict;
    if (!check_claims(claims, rules, why))
        return JWT_BAD;
    owner.id = json_as_string(json_get(claims, BP_STR("sub")));
    owner.tenant = json_as_string(json_get(claims, rules->tenant_claim));
    if (!rules->tenant_claim.len || !owner.tenant.len)
        owner.tenant = BP_STR("default");
    return read_scopes(arena, claims, &owner.scopes) && principal_copy(arena, &owner, principal)
               ? JWT_GOOD
               : JWT_NO_MEMORY;
}

enum jwt_verdict jwt_check(struct arena *arena, bp_str token, const struct jwt_keys *keys,
                           const struct jwt_rules *rules, bp_principal *principal,
                           struct reason *why)
{
    enum jwt_verdict verdict = check(arena, token, keys, rules, principal, why);

    if (verdict == JWT_GOOD || !arena_is_short(arena))
        return verdict;
    reason_set(why, "there is no memory to check the token");
    return JWT_NO_MEMORY;
}
