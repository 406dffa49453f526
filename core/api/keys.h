/* keys.h - API keys: made, listed, revoked, and looked up for each request that carries one.
 *
 *      bp_0123456789abcdef_<64 hexadecimal digits>
 *
 * The first part is the id, which may be seen; the second 256 random bits. The storage holds an
 * HMAC-SHA-256 of the secret under the id; a presented key is hashed before any query, looked up by
 * id, and compared in constant time. A worker keeps what it looked up for 5 s, so a revoked key
 * ends within that time. Ids that there are not are kept apart from those that there are, so that
 * guesses push nothing out, and each guess that the storage is asked about is taken from the
 * client's budget of wrong keys; a key that was good within the last hour is looked up whatever
 * others at its address did.
 */
#ifndef CORE_API_KEYS_H
#define CORE_API_KEYS_H

#include <backplane/storage.h>

#include "api/key_guard.h"
#include "base/json.h"

enum { KEY_TEXT_BYTES = 3 + KEY_ID_CHARS + 1 + 64 + 1 };

struct key_cache;

struct key_request {
    bp_str  name; /* what it is for, for people */
    bp_str  tenant;
    bp_str  scopes; /* separated by blanks, or "*" */
    int64_t ttl_ns; /* 0: does not expire */
};

/* Their tables: who owns them, and how many steps this program knows. */
#define KEYS_OWNER "backplane"
enum { KEYS_VERSION = 1 };
bp_status keys_migrate(bp_call *call, const bp_peer *storage) BP_SUSPENDS;
/* Writes the whole key into `text`: the only time that anybody sees it. */
bp_status keys_create(bp_call *call, const bp_peer *storage, const struct key_request *request,
                      char text[KEY_TEXT_BYTES]) BP_SUSPENDS;
bp_status keys_revoke(bp_call *call, const bp_peer *storage,
                      bp_str id) BP_SUSPENDS; /* BP_NOT_FOUND */
/* An array of objects without anything secret. */
bp_status keys_list(bp_call *call, const bp_peer *storage, bp_json_writer *w) BP_SUSPENDS;

struct key_cache *key_cache_new(void); /* one a worker */
void              key_cache_free(struct key_cache *cache);
/* BP_OK fills `principal`, with strings in the call's arena; BP_UNAUTHENTICATED; BP_LIMIT when
 * call->client has sent too many wrong ones. */
bp_status keys_authenticate(bp_call *call, const bp_peer *storage, struct key_cache *cache,
                            struct key_guard *guard, bp_str presented,
                            bp_principal *principal) BP_SUSPENDS;

/* Whether that can be done without asking the storage. */
bool keys_are_known(const struct key_cache *cache, bp_str presented);

/* Whether the principal's scopes hold `scope`: by itself, by "notes:*" for "notes:read", or by "*".
 */
bool keys_allow(const bp_principal *principal, const char *scope);

#endif
