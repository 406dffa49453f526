/* digest.c - a checksum of things in any order. */
#include "transfer/digest.h"

#include <string.h>

#include "base/crypto.h"

void transfer_digest_add(struct transfer_digest *digest, bp_str bytes)
{
    uint64_t lanes[4];

    crypto_sha256(bytes, (uint8_t *)lanes);
    for (int i = 0; i < 4; i++)
        digest->lanes[i] += lanes[i];
    digest->count++;
}

bool transfer_digest_equal(const struct transfer_digest *a, const struct transfer_digest *b)
{
    return a->count == b->count && memcmp(a->lanes, b->lanes, sizeof(a->lanes)) == 0;
}

void transfer_digest_text(const struct transfer_digest *digest,
                          char                          text[TRANSFER_DIGEST_CHARS + 1])
{
    crypto_hex((const uint8_t *)digest->lanes, sizeof(digest->lanes), text);
}
