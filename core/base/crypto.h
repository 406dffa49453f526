/* crypto.h - hashes, randomness and comparison in constant time, from OpenSSL. */
#ifndef CORE_BASE_CRYPTO_H
#define CORE_BASE_CRYPTO_H

#include <backplane/base.h>

void crypto_sha256(bp_str bytes, uint8_t digest[32]);
void crypto_hmac_sha256(bp_str key, bp_str bytes, uint8_t digest[32]);
/* Strong random bytes; ends the process when the system has none, since no caller could go on
 * safely. */
void crypto_random(void *bytes, size_t count);
bool crypto_equal(const void *a, const void *b,
                  size_t count); /* takes the same time whatever differs */
void crypto_hex(const uint8_t *bytes, size_t count, char *text); /* 2 * count + 1 bytes */
bool crypto_unhex(bp_str text, uint8_t *bytes, size_t count);
/* Encrypts and authenticates (AES-256-GCM, a random nonce in front), bound to `context`, which is
 * not part of it. `sealed` takes plain.len + CRYPTO_SEAL_BYTES. */
enum { CRYPTO_SEAL_BYTES = 12 + 16 };
bool crypto_seal(const uint8_t key[32], bp_str context, bp_str plain, uint8_t *sealed);
/* False when anything of it is not as it was sealed. `plain` takes sealed.len - CRYPTO_SEAL_BYTES.
 */
bool crypto_unseal(const uint8_t key[32], bp_str context, bp_str sealed, uint8_t *plain);
/* Base64 (RFC 4648 4), and the one for URLs, without padding (RFC 4648 5). `text` takes
 * crypto_base64_size(count) bytes with the NUL; `count` is at most 1 GiB. Returns the length. */
static inline size_t crypto_base64_size(size_t count)
{
    return (count + 2) / 3 * 4 + 1;
}
size_t crypto_base64(const uint8_t *bytes, size_t count, char *text);
size_t crypto_base64url(const uint8_t *bytes, size_t count, char *text);
/* The number of bytes, or SIZE_MAX for any text that the function above would not have written.
 * `bytes` takes text.len. */
size_t crypto_unbase64(bp_str text, uint8_t *bytes);
size_t crypto_unbase64url(bp_str text, uint8_t *bytes);
void   crypto_wipe(void *bytes, size_t count);

#endif
