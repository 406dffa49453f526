/* digest.h - a checksum of things in any order: the sum of their hashes, and how many they are. */
#ifndef CORE_TRANSFER_DIGEST_H
#define CORE_TRANSFER_DIGEST_H

#include <backplane/base.h>

enum { TRANSFER_DIGEST_CHARS = 64 };

struct transfer_digest {
    uint64_t lanes[4];
    int64_t  count;
};

/* Begins as { 0 }. The bytes stand for one thing. */
void transfer_digest_add(struct transfer_digest *digest, bp_str bytes);
bool transfer_digest_equal(const struct transfer_digest *a, const struct transfer_digest *b);
/* In hex; the count is not in it. */
void transfer_digest_text(const struct transfer_digest *digest,
                          char                          text[TRANSFER_DIGEST_CHARS + 1]);

#endif
