/* crypto.c - hashes, randomness and comparison in constant time. */
#include "base/crypto.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
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

    HMAC(EVP_sha256(), key.data ? key.data : "", (int)key.len, (const unsigned char *)bytes.data,
         bytes.len, digest, &len);
}

static void ask_kernel(void *bytes, size_t count)
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

/* What the kernel gave and nobody had yet. A child of fork() must not give what its parent gives.
 */
enum { POOL_BYTES = 512, POOL_SHARE_BYTES = 64 };

struct random_pool {
    size_t   left;
    unsigned forks;
    uint8_t  bytes[POOL_BYTES];
};

static _Atomic unsigned forks;

static void on_fork(void)
{
    forks++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, on_fork);
}

void crypto_random(void *bytes, size_t count)
{
    static _Thread_local struct random_pool pool;
    static pthread_once_t                   once = PTHREAD_ONCE_INIT;
    uint8_t                                *given;

    if (count > POOL_SHARE_BYTES) {
        ask_kernel(bytes, count);
        return;
    }
    pthread_once(&once, watch_forks);
    if (pool.left < count || pool.forks != forks) {
        ask_kernel(pool.bytes, sizeof(pool.bytes));
        pool.left = sizeof(pool.bytes);
        pool.forks = forks;
    }
    pool.left -= count;
    given = pool.bytes + pool.left;
    memcpy(bytes, given, count);
    memset(given, 0, count); // the secret given can be found nowhere else
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
