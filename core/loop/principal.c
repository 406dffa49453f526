#include "loop/principal.h"

#include "base/arena.h"
#include "base/crypto.h"
#include "base/str.h"

bool principal_copy(struct arena *arena, const bp_principal *from, bp_principal *to)
{
    bp_principal copy = *from;

    copy.id = arena_dup(arena, from->id);
    copy.tenant = arena_dup(arena, from->tenant);
    copy.scopes = arena_dup(arena, from->scopes);
    if (copy.id.len != from->id.len || copy.tenant.len != from->tenant.len ||
        copy.scopes.len != from->scopes.len)
        return false;
    *to = copy;
    return true;
}

static void hash_principal(const bp_principal *principal, uint8_t digest[PRINCIPAL_DIGEST_BYTES])
{
    uint8_t parts[64]; // a hash each, so that no part runs into the other, however long they are
    uint8_t whole[32];

    crypto_sha256(principal->id, parts);
    crypto_sha256(principal->tenant, parts + 32);
    crypto_sha256(bp_str_n((const char *)parts, sizeof(parts)), whole);
    memcpy(digest, whole, PRINCIPAL_DIGEST_BYTES);
}

/* Of the principals that a thread saw last, as every message asks for it several times. */
enum { DIGESTS = 64, DIGEST_TEXT_BYTES = 96 };
struct known_digest {
    char    id[DIGEST_TEXT_BYTES], tenant[DIGEST_TEXT_BYTES];
    uint8_t id_len, tenant_len;
    bool    is_known;
    uint8_t digest[PRINCIPAL_DIGEST_BYTES];
};

static bool is_of(const struct known_digest *known, const bp_principal *principal)
{
    return known->is_known && bp_str_equal(bp_str_n(known->id, known->id_len), principal->id) &&
           bp_str_equal(bp_str_n(known->tenant, known->tenant_len), principal->tenant);
}

void principal_digest(const bp_principal *principal, uint8_t digest[PRINCIPAL_DIGEST_BYTES])
{
    static _Thread_local struct known_digest digests[DIGESTS];
    struct known_digest                     *known = &digests[str_hash(principal->id, 0) % DIGESTS];
    bool                                     has_room = principal->id.len <= DIGEST_TEXT_BYTES &&
                    principal->tenant.len <= DIGEST_TEXT_BYTES;

    if (is_of(known, principal)) {
        memcpy(digest, known->digest, sizeof(known->digest));
        return;
    }
    hash_principal(principal, digest);
    if (!has_room)
        return;
    *known = (struct known_digest){ .id_len = (uint8_t)principal->id.len,
                                    .tenant_len = (uint8_t)principal->tenant.len,
                                    .is_known = true };
    if (principal->id.len)
        memcpy(known->id, principal->id.data, principal->id.len);
    if (principal->tenant.len)
        memcpy(known->tenant, principal->tenant.data, principal->tenant.len);
    memcpy(known->digest, digest, sizeof(known->digest));
}
