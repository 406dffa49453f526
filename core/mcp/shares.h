/* shares.h - how much of something each client holds, so that none takes what is there for all.
 *
 * A client is a principal, or the address of one that did not say who it is: a digest of 16 bytes. Who holds nothing is
 * not kept. Any thread.
 */
#ifndef CORE_MCP_SHARES_H
#define CORE_MCP_SHARES_H

#include <backplane/base.h>

enum { SHARE_DIGEST_BYTES = 16 };

struct shares;

/* NULL: no memory. `each_max`: what one client may hold; `all_max`: all of them together; 0: no bound. */
struct shares *shares_new(size_t each_max, size_t all_max);
void           shares_free(struct shares *shares);

/* False, and nothing is taken: it would pass a bound, or there is no memory. */
bool   shares_take(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES], size_t amount);
void   shares_give(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES], size_t amount);
size_t shares_of(struct shares *shares, const uint8_t client[SHARE_DIGEST_BYTES]);
size_t shares_total(struct shares *shares);

#endif
