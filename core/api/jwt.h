/* jwt.h - checks a JSON Web Token against a set of public keys: signature, issuer, audience, times.
 *
 * Asymmetric algorithms only, and each key is used only with the algorithms of its own type: a
 * token that says "none", or HS256 with a public key as the secret, finds no key. Sources: RFC
 * 7515, 7517, 7518, 7519, 8725, 9068.
 */
#ifndef CORE_API_JWT_H
#define CORE_API_JWT_H

#include <backplane/call.h>

#include "base/arena.h"
#include "base/reason.h"

enum { JWT_BYTES_MAX = 16 << 10, JWT_KEYS_MAX = 64, JWT_LEEWAY_S = 60 };

struct jwt_keys;

/* A JWK set; keys of other uses and types are left out. NULL with a sentence in `why`. */
struct jwt_keys *jwt_keys_read(bp_str json, struct reason *why);
void             jwt_keys_free(struct jwt_keys *keys);
size_t           jwt_keys_count(const struct jwt_keys *keys);

struct jwt_rules {
    bp_str             issuer;
    const bp_str_list *audiences;    /* one of them must be in the token */
    bp_str             tenant_claim; /* must be in the token; empty: no claim names the tenant */
    int64_t            now_s;        /* since 1970 */
};

/* JWT_NO_MEMORY: whether it is good was not found out. */
enum jwt_verdict { JWT_GOOD, JWT_BAD, JWT_UNKNOWN_KEY, JWT_NO_MEMORY };

/* Fills `principal` with strings in `arena`: id from "sub", scopes from "scope" or "scp". Otherwise
 * `why` is a sentence that names the fault and repeats nothing secret. */
enum jwt_verdict jwt_check(struct arena *arena, bp_str token, const struct jwt_keys *keys,
                           const struct jwt_rules *rules, bp_principal *principal,
                           struct reason *why);

#endif
