/* keys.c - API keys in a storage back end. */
#include "api/keys.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "loop/principal.h"

enum { CACHE_SLOTS = 256, FRESH_S = 5 };

static const bp_migration migrations[KEYS_VERSION] = {
    { 1, 0, "the table of API keys",
      "CREATE TABLE backplane_keys (id TEXT PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL, "
      "tenant TEXT NOT NULL, scopes TEXT NOT NULL, created_wall_ns BIGINT NOT NULL, "
      "expires_wall_ns BIGINT NOT NULL, revoked_wall_ns BIGINT NOT NULL)" },
};

/* What a worker knows of one id, for a while. */
struct known_key {
    char    id[KEY_ID_CHARS + 1];
    char    hash[KEY_HASH_CHARS + 1];
    char    tenant[128], scopes[512];
    int64_t expires_wall_ns, fetched_ns;
};

struct absent_key {
    char    id[KEY_ID_CHARS];
    int64_t asked_ns;
};

struct key_cache {
    struct known_key  slots[CACHE_SLOTS];
    struct absent_key absent[CACHE_SLOTS];
};

struct key_cache *key_cache_new(void)
{
    return calloc(1, sizeof(struct key_cache));
}

void key_cache_free(struct key_cache *cache)
{
    free(cache);
}

bp_status keys_migrate(bp_call *call, const bp_peer *storage)
{
    return bp_storage_migrate(call, storage, BP_STR(KEYS_OWNER), migrations, KEYS_VERSION);
}

static void hash_secret(bp_str id, bp_str secret, char text[KEY_HASH_CHARS + 1])
{
    uint8_t digest[32];

    crypto_hmac_sha256(id, secret, digest);
    crypto_hex(digest, sizeof(digest), text);
}

bp_status keys_create(bp_call *call, const bp_peer *storage, const struct key_request *request,
                      char text[KEY_TEXT_BYTES])
{
    uint8_t bytes[8 + 32];
    char    id[KEY_ID_CHARS + 1], secret[65], hash[KEY_HASH_CHARS + 1];
    int64_t now = clock_wall_ns();

    if (request->tenant.len == 0 || request->tenant.len > 127 || request->scopes.len == 0 ||
        request->scopes.len > 511)
        return call_fail(call, BP_INVALID,
                         "a key needs a tenant of 1 to 127 bytes and scopes of 1 to 511 bytes");
    crypto_random(bytes, sizeof(bytes));
    crypto_hex(bytes, 8, id);
    crypto_hex(bytes + 8, 32, secret);
    hash_secret(bp_str_of(id), bp_str_of(secret), hash);
    BP_TRY(bp_storage_exec(call, storage, NULL,
                           BP_SQL("INSERT INTO backplane_keys (id, hash, name, tenant, scopes, "
                                  "created_wall_ns, expires_wall_ns, revoked_wall_ns) VALUES ($1, "
                                  "$2, $3, $4, $5, $6, $7, 0)",
                                  bp_sql_text(bp_str_of(id)), bp_sql_text(bp_str_of(hash)),
                                  bp_sql_text(request->name), bp_sql_text(request->tenant),
                                  bp_sql_text(request->scopes), bp_sql_int(now),
                                  bp_sql_int(request->ttl_ns ? now + request->ttl_ns : 0)),
                           NULL));
    snprintf(text, KEY_TEXT_BYTES, "bp_%s_%s", id, secret);
    crypto_wipe(secret, sizeof(secret));
    crypto_wipe(bytes, sizeof(bytes));
    return BP_OK;
}

bp_status keys_revoke(bp_call *call, const bp_peer *storage, bp_str id)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, storage, NULL,
                           BP_SQL("UPDATE backplane_keys SET revoked_wall_ns = $2 WHERE id = $1 "
                                  "AND revoked_wall_ns = 0",
                                  bp_sql_text(id), bp_sql_int(clock_wall_ns())),
                           &rows));
    if (rows.changed == 0)
        return call_fail(call, BP_NOT_FOUND, "there is no key \"" BP_FMT "\" that could be revoked",
                         BP_ARG(id));
    return BP_OK;
}

static void put_time(bp_json_writer *w, const char *key, int64_t wall_ns)
{
    char text[25];

    json_key(w, bp_str_of(key));
    if (wall_ns == 0) {
        json_add_null(w);
        return;
    }
    clock_format_utc(wall_ns, text);
    json_add_string(w, bp_str_of(text));
}

bp_status keys_list(bp_call *call, const bp_peer *storage, bp_json_writer *w)
{
    bp_rows rows;

    BP_TRY(bp_storage_exec(call, storage, NULL,
                           BP_SQL0("SELECT id, name, tenant, scopes, created_wall_ns, "
                                   "expires_wall_ns, revoked_wall_ns FROM backplane_keys ORDER BY "
                                   "created_wall_ns"),
                           &rows));
    json_begin(w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&rows, i);

        json_begin(w, JSON_KIND_OBJECT);
        json_put_string(w, "id", row[0].text);
        json_put_string(w, "name", row[1].text);
        json_put_string(w, "tenant", row[2].text);
        json_put_string(w, "scopes", row[3].text);
        put_time(w, "created_at", row[4].integer);
        put_time(w, "expires_at", row[5].integer);
        put_time(w, "revoked_at", row[6].integer);
        json_end(w);
    }
    json_end(w);
    return BP_OK;
}

/* ---- looking up ---- */

static bool split_key(bp_str presented, bp_str *id, bp_str *secret)
{
    uint8_t bytes[32];

    if (presented.len != KEY_TEXT_BYTES - 1 || !bp_str_starts(presented, "bp_") ||
        presented.data[19] != '_')
        return false;
    *id = (bp_str){ presented.data + 3, KEY_ID_CHARS };
    *secret = (bp_str){ presented.data + 20, 64 };
    return crypto_unhex(*id, bytes, 8) && crypto_unhex(*secret, bytes, 32);
}

/* `known->id` stays empty when there is no such key, or it was revoked. */
static bp_status fetch(bp_call *call, const bp_peer *storage, bp_str id, struct known_key *known)
{
    bp_rows rows;

    *known = (struct known_key){ .fetched_ns = clock_now_ns() };
    BP_TRY(bp_storage_exec(call, storage, NULL,
                           BP_SQL("SELECT hash, tenant, scopes, expires_wall_ns FROM "
                                  "backplane_keys WHERE id = $1 AND revoked_wall_ns = 0",
                                  bp_sql_text(id)),
                           &rows));
    if (rows.row_count == 1) {
        const bp_sql_value *row = bp_row(&rows, 0);

        memcpy(known->id, id.data, KEY_ID_CHARS);
        snprintf(known->hash, sizeof(known->hash), BP_FMT, BP_ARG(row[0].text));
        snprintf(known->tenant, sizeof(known->tenant), BP_FMT, BP_ARG(row[1].text));
        snprintf(known->scopes, sizeof(known->scopes), BP_FMT, BP_ARG(row[2].text));
        known->expires_wall_ns = row[3].integer;
    }
    return BP_OK;
}

static bool is_younger(int64_t since_ns, int64_t seconds)
{
    return clock_now_ns() - since_ns <= BP_SECONDS(seconds);
}

/* What the storage says of the id, or said lately. */
static bp_status look_up(bp_call *call, const bp_peer *storage, struct key_cache *cache,
                         struct key_guard *guard, bp_str id, const char *hash,
                         struct known_key *known)
{
    uint8_t            first;
    struct known_key  *slot;
    struct absent_key *absent;
    bool               is_guess;

    crypto_unhex((bp_str){ id.data, 2 }, &first, 1);
    slot = &cache->slots[first];
    absent = &cache->absent[first];
    *known = *slot; // a copy, as another fiber may fill the slot while this one waits
    if (bp_str_is(id, known->id) && is_younger(known->fetched_ns, FRESH_S))
        return BP_OK;
    if (memcmp(absent->id, id.data, KEY_ID_CHARS) == 0 && is_younger(absent->asked_ns, FRESH_S)) {
        known->id[0] = '\0';
        return BP_OK;
    }
    is_guess = !key_guard_trusts(guard, id, hash);
    if (is_guess)
        BP_TRY(key_guard_allow_guess(guard, call,
                                     "too many wrong API keys came from this address: the server "
                                     "checks no unknown keys from it for a while"));
    BP_TRY(fetch(call, storage, id, known));
    if (!known->id[0] && is_guess)
        key_guard_charge(guard, call);
    if (known->id[0]) {
        if (crypto_equal(known->hash, hash, KEY_HASH_CHARS))
            key_guard_note(guard, id, hash, true);
        *slot = *known;
    } else {
        key_guard_note(guard, id, hash, false); // it was revoked, or never was
        if (bp_str_is(id, slot->id))
            slot->id[0] = '\0';
        memcpy(absent->id, id.data, KEY_ID_CHARS);
        absent->asked_ns = clock_now_ns();
    }
    return BP_OK;
}

bp_status keys_authenticate(bp_call *call, const bp_peer *storage, struct key_cache *cache,
                            struct key_guard *guard, bp_str presented, bp_principal *principal)
{
    static const char refusal[] = "the API key is missing, wrong, expired or revoked";
    bp_str            id, secret;
    char              hash[KEY_HASH_CHARS + 1];
    struct known_key  known;
    bp_principal      owner;

    if (!split_key(presented, &id, &secret))
        return call_fail(call, BP_UNAUTHENTICATED, refusal);
    hash_secret(id, secret, hash);
    BP_TRY(look_up(call, storage, cache, guard, id, hash, &known));
    if (!known.id[0] || !crypto_equal(known.hash, hash, KEY_HASH_CHARS) ||
        (known.expires_wall_ns && known.expires_wall_ns < clock_wall_ns()))
        return call_fail(call, BP_UNAUTHENTICATED, refusal);
    owner = (bp_principal){ .struct_size = sizeof(owner),
                            .is_authenticated = true,
                            .id = id,
                            .tenant = bp_str_of(known.tenant),
                            .scopes = bp_str_of(known.scopes) };
    return principal_copy(call->arena, &owner, principal)
               ? BP_OK
               : call_fail(call, BP_NO_MEMORY, "no memory for the owner of an API key");
}

bool keys_are_known(const struct key_cache *cache, bp_str presented)
{
    bp_str                  id, secret;
    uint8_t                 first;
    const struct known_key *slot;

    if (!split_key(presented, &id, &secret))
        return true; // that it is none
    crypto_unhex((bp_str){ id.data, 2 }, &first, 1);
    slot = &cache->slots[first];
    return bp_str_is(id, slot->id) && is_younger(slot->fetched_ns, FRESH_S);
}

bool keys_allow(const bp_principal *principal, const char *scope)
{
    bp_str      wanted = bp_str_of(scope);
    const char *colon = strchr(scope, ':');
    char        all[64];

    if (str_has_word(principal->scopes, wanted) || str_has_word(principal->scopes, BP_STR("*")))
        return true;
    if (!colon || (size_t)(colon - scope) > sizeof(all) - 3)
        return false;
    snprintf(all, sizeof(all), "%.*s:*", (int)(colon - scope), scope);
    return str_has_word(principal->scopes, bp_str_of(all));
}
