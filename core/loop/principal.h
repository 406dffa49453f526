/* principal.h - who a call is for, as a digest of fixed size: the owner of sessions, runs and
 * sealed state. */
#ifndef CORE_LOOP_PRINCIPAL_H
#define CORE_LOOP_PRINCIPAL_H

#include <backplane/call.h>

enum { PRINCIPAL_DIGEST_BYTES = 16 };

/* Of the id and the tenant: two principals have the same one only if both are the same. Fast for
 * those that the thread saw last. */
void principal_digest(const bp_principal *principal, uint8_t digest[PRINCIPAL_DIGEST_BYTES]);

#endif
