/* seal.c - AES-256-GCM: bytes that only who has the key can read, and nobody can change unnoticed.
 *
 *      nonce (12 bytes, random) | ciphertext | tag (16 bytes)
 */
#include "knowledge.h"

#include <openssl/evp.h>

enum { KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16 };

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool seal_is_key(bp_str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (digit_of(key.data[i]) < 0)
            return false;
    return key.len == 2 * KEY_BYTES;
}

static void read_key(bp_str key, uint8_t bytes[KEY_BYTES])
{
    for (size_t i = 0; i < KEY_BYTES; i++)
        bytes[i] = (uint8_t)(digit_of(key.data[2 * i]) << 4 | digit_of(key.data[2 * i + 1]));
}

/* Encrypts or decrypts `len` bytes from `in` to `out`; the tag is written or compared. */
static bool run_cipher(bp_str key, bp_str context, const uint8_t *nonce, const uint8_t *in,
                       size_t len, uint8_t *out, uint8_t *tag, bool is_sealing)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t         bytes[KEY_BYTES], rest[16];
    int             done = 0;
    bool            is_good;

    read_key(key, bytes);
    is_good = cipher &&
              EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, bytes, nonce, is_sealing) == 1 &&
              EVP_CipherUpdate(cipher, NULL, &done, (const uint8_t *)context.data,
                               (int)context.len) == 1 &&
              (len == 0 || EVP_CipherUpdate(cipher, out, &done, in, (int)len) == 1) &&
              (is_sealing ||
               EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1) &&
              EVP_CipherFinal_ex(cipher, rest, &done) == 1 &&
              (!is_sealing ||
               EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return is_good;
}

bp_status seal_bytes(bp_call *call, bp_str key, bp_str context, bp_str plain, bp_str *sealed)
{
    uint8_t *out = bp_alloc(call, NONCE_BYTES + plain.len + TAG_BYTES);

    if (!out)
        return BP_NO_MEMORY;
    bp_random(out, NONCE_BYTES);
    if (!run_cipher(key, context, out, (const uint8_t *)plain.data, plain.len, out + NONCE_BYTES,
                    out + NONCE_BYTES + plain.len, true))
        return bp_fail(call, BP_INTERNAL,
                       "AES-256-GCM cannot be used: the OpenSSL of this machine lacks it");
    *sealed = bp_str_n((const char *)out, NONCE_BYTES + plain.len + TAG_BYTES);
    return BP_OK;
}

bp_status seal_open(bp_call *call, bp_str key, bp_str context, bp_str sealed, bp_str *plain)
{
    size_t         len = sealed.len - NONCE_BYTES - TAG_BYTES;
    uint8_t        tag[TAG_BYTES], *out;
    const uint8_t *in = (const uint8_t *)sealed.data;

    if (sealed.len < NONCE_BYTES + TAG_BYTES || !key.len)
        return bp_fail(call, BP_DATA,
                       key.len
                           ? "a sealed item is damaged: it is too short"
                           : "the item is encrypted and no key is configured: set the option key");
    out = bp_alloc(call, len + 1);
    if (!out)
        return BP_NO_MEMORY;
    memcpy(tag, in + NONCE_BYTES + len, TAG_BYTES);
    if (!run_cipher(key, context, in, in + NONCE_BYTES, len, out, tag, false))
        return bp_fail(call, BP_DATA,
                       "an item cannot be decrypted: it was stored with another key, or it was "
                       "changed");
    *plain = bp_str_n((const char *)out, len);
    return BP_OK;
}
