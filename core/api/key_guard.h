/* key_guard.h - limits the checks of API keys and tokens: a number of wrong ones per minute and
 * client, without a limit for recently valid ones.
 *
 * All workers share it. A key is known by its id and the hash of its secret, a token by the hash of
 * all of it: neither is kept.
 */
#ifndef CORE_API_KEY_GUARD_H
#define CORE_API_KEY_GUARD_H

#include "loop/call.h"

/* Hexadecimal digits. */
enum { KEY_ID_CHARS = 16, KEY_HASH_CHARS = 64 };

struct key_guard;

struct key_guard *key_guard_new(int64_t wrong_keys_per_minute); /* 0: no limit. NULL: no memory */
void              key_guard_free(struct key_guard *guard);

/* Whether it was good within the last hour. */
bool key_guard_trusts(struct key_guard *guard, bp_str id, const char *hash);
/* What it proved to be. */
void key_guard_note(struct key_guard *guard, bp_str id, const char *hash, bool is_good);

/* BP_LIMIT with `sentence`, and with when to come again, once call->client has sent too many wrong
 * ones. */
bp_status key_guard_allow_guess(struct key_guard *guard, bp_call *call, const char *sentence);
/* What call->client sent proved wrong. */
void key_guard_charge(struct key_guard *guard, const bp_call *call);

#endif
