/* must.h - allocations that the process cannot do without: small pieces at places that cannot
 * report a failure, such as a message to a worker or a counter.
 *
 * The machine is asked again for a second, as others may give memory back. Then the process ends
 * with a sentence and MUST_EXIT_STATUS. A function that can fail uses malloc() and fails.
 */
#ifndef CORE_BASE_MUST_H
#define CORE_BASE_MUST_H

#include <stddef.h>

enum { MUST_EXIT_STATUS = 70 }; /* EX_SOFTWARE of sysexits.h */

/* Zeroed. `purpose` completes "no memory for ...". */
void *must_have(size_t size_bytes, const char *purpose);
/* The first `len` bytes with a NUL behind them. */
char *must_copy(const char *text, size_t len, const char *purpose);

#endif
