/* seal.c - seals bytes that others carry, so that nobody can read or change them; and base64. */
#include <limits.h>

#include <openssl/evp.h>

#include "base/crypto.h"

enum { NONCE_BYTES = 12, TAG_BYTES = 16 };

static bool run_seal(EVP_CIPHER_CTX *cipher, const uint8_t key[32], bp_str context, bp_str plain,
                     uint8_t *sealed)
{
    uint8_t *body = sealed + NONCE_BYTES;
    int      len = 0, more = 0;

    return EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
           EVP_EncryptUpdate(cipher, NULL, &len, (const uint8_t *)context.data, (int)context.len) ==
               1 &&
           EVP_EncryptUpdate(cipher, body, &len, (const uint8_t *)plain.data, (int)plain.len) ==
               1 &&
           EVP_EncryptFinal_ex(cipher, body + len, &more) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, body + plain.len) == 1;
}

bool crypto_seal(const uint8_t key[32], bp_str context, bp_str plain, uint8_t *sealed)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool            is_done;

    crypto_random(sealed, NONCE_BYTES);
    is_done = cipher && plain.len < INT_MAX && context.len < INT_MAX &&
              run_seal(cipher, key, context, plain, sealed);
    EVP_CIPHER_CTX_free(cipher);
    return is_done;
}

static bool run_unseal(EVP_CIPHER_CTX *cipher, const uint8_t key[32], bp_str context, bp_str sealed,
                       uint8_t *plain)
{
    const uint8_t *bytes = (const uint8_t *)sealed.data;
    int            body = (int)sealed.len - CRYPTO_SEAL_BYTES, len = 0, more = 0;
    uint8_t        tag[TAG_BYTES];

    memcpy(tag, bytes + NONCE_BYTES + body, TAG_BYTES);
    return EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, bytes) == 1 &&
           EVP_DecryptUpdate(cipher, NULL, &len, (const uint8_t *)context.data, (int)context.len) ==
               1 &&
           EVP_DecryptUpdate(cipher, plain, &len, bytes + NONCE_BYTES, body) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, plain + len, &more) == 1;
}

bool crypto_unseal(const uint8_t key[32], bp_str context, bp_str sealed, uint8_t *plain)
{
    EVP_CIPHER_CTX *cipher;
    bool            is_whole;

    if (sealed.len < CRYPTO_SEAL_BYTES || sealed.len > INT_MAX || context.len > INT_MAX)
        return false;
    cipher = EVP_CIPHER_CTX_new();
    is_whole = cipher && run_unseal(cipher, key, context, sealed, plain);
    EVP_CIPHER_CTX_free(cipher);
    return is_whole;
}

/* ---- base64 ----
 *
 * OpenSSL writes it. It reads more than there is to read (blanks around, leftover bits), so that
 * one value would have several spellings, which is what a signature must not have; so reading is
 * ours.
 */

size_t crypto_base64(const uint8_t *bytes, size_t count, char *text)
{
    return (size_t)EVP_EncodeBlock((unsigned char *)text, bytes, (int)count);
}

size_t crypto_base64url(const uint8_t *bytes, size_t count, char *text)
{
    size_t len = crypto_base64(bytes, count, text);

    while (len && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    text[len] = '\0';
    return len;
}

/* `more` has the two digits that the alphabets differ in. */
static int digit_of(char c, const char more[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == more[0] ? 62 : c == more[1] ? 63 : -1;
}

/* Without padding. */
static size_t read_digits(bp_str text, const char more[2], uint8_t *bytes)
{
    uint32_t group = 0;
    size_t   len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.data[i], more);

        if (digit < 0)
            return SIZE_MAX;
        group = group << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            bytes[len++] = (uint8_t)(group >> 16);
            bytes[len++] = (uint8_t)(group >> 8);
            bytes[len++] = (uint8_t)group;
        }
    }
    if (text.len % 4 == 1)
        return SIZE_MAX;
    if (text.len % 4 == 2) // the bits left over must be zero, so that each value has one spelling
        return group & 15 ? SIZE_MAX : (bytes[len] = (uint8_t)(group >> 4), len + 1);
    if (text.len % 4 == 3) {
        bytes[len++] = (uint8_t)(group >> 10);
        bytes[len++] = (uint8_t)(group >> 2);
        return group & 3 ? SIZE_MAX : len;
    }
    return len;
}

size_t crypto_unbase64url(bp_str text, uint8_t *bytes)
{
    return read_digits(text, "-_", bytes);
}

size_t crypto_unbase64(bp_str text, uint8_t *bytes)
{
    if (text.len % 4)
        return SIZE_MAX;
    for (int i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++)
        text.len--;
    return read_digits(text, "+/", bytes);
}
