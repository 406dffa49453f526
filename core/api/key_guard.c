/* key_guard.c - counts wrong keys and tokens by client, and remembers which were good lately. */
#include "api/key_guard.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/budget.h"
#include "base/clock.h"
#include "base/crypto.h"

enum { TRUSTED_S = 3600, TRUSTED_SLOTS = 1024 };

struct trusted_key {
    char    id[KEY_ID_CHARS], hash[KEY_HASH_CHARS];
    int64_t good_ns;
};

struct key_guard {
    struct budget     *wrong_keys;
    pthread_mutex_t    lock;
    struct trusted_key trusted[TRUSTED_SLOTS];
};

struct key_guard *key_guard_new(int64_t wrong_keys_per_minute)
{
    struct key_guard *guard = calloc(1, sizeof(*guard));

    if (!guard)
        return NULL;
    pthread_mutex_init(&guard->lock, NULL);
    guard->wrong_keys = budget_new(wrong_keys_per_minute);
    if (guard->wrong_keys)
        return guard;
    key_guard_free(guard);
    return NULL;
}

void key_guard_free(struct key_guard *guard)
{
    if (!guard)
        return;
    budget_free(guard->wrong_keys);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

/* Ids are random, or the beginning of a hash, so their first bytes are one. */
static struct trusted_key *place_of(struct key_guard *guard, bp_str id)
{
    uint8_t bytes[2];

    crypto_unhex((bp_str){ id.data, 4 }, bytes, 2);
    return &guard->trusted[(bytes[0] << 8 | bytes[1]) % TRUSTED_SLOTS];
}

bool key_guard_trusts(struct key_guard *guard, bp_str id, const char *hash)
{
    struct trusted_key *place = place_of(guard, id);
    bool                is_good;

    pthread_mutex_lock(&guard->lock);
    is_good = place->good_ns && clock_now_ns() - place->good_ns <= BP_SECONDS(TRUSTED_S) &&
              memcmp(place->id, id.data, KEY_ID_CHARS) == 0 &&
              crypto_equal(place->hash, hash, KEY_HASH_CHARS);
    pthread_mutex_unlock(&guard->lock);
    return is_good;
}

void key_guard_note(struct key_guard *guard, bp_str id, const char *hash, bool is_good)
{
    struct trusted_key *place = place_of(guard, id);

    pthread_mutex_lock(&guard->lock);
    if (is_good) {
        memcpy(place->id, id.data, KEY_ID_CHARS);
        memcpy(place->hash, hash, KEY_HASH_CHARS);
        place->good_ns = clock_now_ns();
    } else if (memcmp(place->id, id.data, KEY_ID_CHARS) == 0) {
        place->good_ns = 0;
    }
    pthread_mutex_unlock(&guard->lock);
}

bp_status key_guard_allow_guess(struct key_guard *guard, bp_call *call, const char *sentence)
{
    int64_t wait_ns;

    if (budget_is_left(guard->wrong_keys, call->client, &wait_ns))
        return BP_OK;
    call_fail(call, BP_LIMIT, "%s", sentence);
    call->error.retry_after_ns = wait_ns;
    return BP_LIMIT;
}

void key_guard_charge(struct key_guard *guard, const bp_call *call)
{
    budget_charge(guard->wrong_keys, call->client);
}
