/* crypto.h - hashes, randomness and comparison in constant time, from OpenSSL. */
#ifndef CORE_BASE_CRYPTO_H
#define CORE_BASE_CRYPTO_H

#include <backplane/base.h>

void crypto_sha256(bp_str bytes, uint8_t digest[32]);
void crypto_hmac_sha256(bp_str key, bp_str bytes, uint8_t digest[32]);
/* Strong random bytes; ends the process when the system has none, since no caller could go on safely. */
void crypto_random(void *bytes, size_t count);
bool crypto_equal(const void *a, const void *b, size_t count); /* takes the same time whatever differs */
void crypto_hex(const uint8_t *bytes, size_t count, char *text); /* 2 * count + 1 bytes */
bool crypto_unhex(bp_str text, uint8_t *bytes, size_t count);
void crypto_wipe(void *bytes, size_t count);

#endif
