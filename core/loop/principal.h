/* principal.h - who a call is for: copied as a whole, and as a digest of fixed size, the owner
 * of sessions, runs and sealed state. */
#ifndef CORE_LOOP_PRINCIPAL_H
#define CORE_LOOP_PRINCIPAL_H

#include <backplane/call.h>

enum { PRINCIPAL_DIGEST_BYTES = 16 };

struct arena;

/* Copies a principal and its texts. False, and *to stays as it was, when there is no memory for all
 * of them: with a part of its texts it would be somebody else. */
bool principal_copy(struct arena *arena, const bp_principal *from, bp_principal *to);

/* Of the id and the tenant: two principals have the same one only if both are the same. Fast for
 * those that the thread saw last. */
void principal_digest(const bp_principal *principal, uint8_t digest[PRINCIPAL_DIGEST_BYTES]);

#endif
