/* crypto.c - hashes, randomness and comparison in constant time. */
#include "base/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

void crypto_sha256(bp_str bytes, uint8_t digest[32])
{
    SHA256((const unsigned char *)bytes.data, bytes.len, digest);
}

void crypto_hmac_sha256(bp_str key, bp_str bytes, uint8_t digest[32])
{
    unsigned len = 32;

    HMAC(EVP_sha256(), key.data ? key.data : "", (int)key.len, (const unsigned char *)bytes.data, bytes.len, digest,
         &len);
}

void crypto_random(void *bytes, size_t count)
{
    char *next = bytes;

    while (count) {
        ssize_t got = getrandom(next, count, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        next += got;
        count -= (size_t)got;
    }
}

bool crypto_equal(const void *a, const void *b, size_t count)
{
    return CRYPTO_memcmp(a, b, count) == 0;
}

void crypto_hex(const uint8_t *bytes, size_t count, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool crypto_unhex(bp_str text, uint8_t *bytes, size_t count)
{
    if (text.len != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void crypto_wipe(void *bytes, size_t count)
{
    OPENSSL_cleanse(bytes, count);
}
