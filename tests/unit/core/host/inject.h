/* inject.h - the n-th call for memory, or to the system, fails: once, wherever it is made.
 *
 * What the program itself, its plugins and SQLite ask for counts; what libuv and the C library ask
 * for does not, as the one ends the process and the other is not ours. Without a sanitizer the
 * functions are defined here, in the program, which every shared object then uses. A sanitizer
 * needs its own, so there the linker puts these in front of what the program itself calls (--wrap).
 */
#ifndef TESTS_UNIT_CORE_HOST_INJECT_H
#define TESTS_UNIT_CORE_HOST_INJECT_H

#include <stdbool.h>

enum inject_kind { INJECT_MEMORY, INJECT_SYSTEM, INJECT_KINDS };

enum { INJECT_WHAT_BYTES = 256 };

/* From now on the n-th call of that kind fails, counted over all threads; then `what` says which it
 * was, as "calloc for app/retrieval.so+0x1234". */
void inject_arm(enum inject_kind kind, long n, char what[INJECT_WHAT_BYTES]);
/* Only what is called from files with this in their path counts; NULL: all of ours, as at first. */
void inject_only(const char *part);
/* Nothing fails any more. True: one has. */
bool inject_disarm(void);
/* What this thread calls does not count: it plays somebody outside. */
void inject_spare(bool is_spared);

#endif
