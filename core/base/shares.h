/* shares.h - how much of a resource each client holds, so that no client takes all of it.
 *
 * A client is a principal, or the address of one that did not say who it is: a digest of 16 bytes.
 * Who holds nothing is not kept. Any thread.
 */
#ifndef CORE_BASE_SHARES_H
#define CORE_BASE_SHARES_H

#include <backplane/base.h>

enum { SHARE_DIGEST_BYTES = 16 };

struct shares;

/* NULL: no memory. `each_max`: what one client may hold; `all_max`: all of them together; 0: no
 * bound. */
struct shares *shares_new(size_t each_max, size_t all_max);
void           shares_free(struct shares *shares);

enum share {
    SHARE_TAKEN,
    SHARE_OWN_IS_FULL, /* the client would hold more than each_max; nothing is taken */
    SHARE_ALL_IS_FULL  /* all would hold more than all_max, or there is no memory; nothing is taken
                        */
};

enum share shares_take(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES],
                       size_t amount) BP_MUST_USE;
void   shares_give(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES], size_t amount);
size_t shares_of(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES]);
size_t shares_total(struct shares *shares);

#endif
