/* check.h - invariants that execute: conditions on the host's own data that no input may break.
 *
 * A check that fails is a fault of the host or of a plugin that wrote where it may not, never of a
 * request. To go on would be to serve from broken data, so the process says which invariant is
 * broken and aborts; the crash report then names the plugin and the operation that ran. What can
 * happen to a correct program, such as no memory or a peer that lies, is an error and no check.
 */
#ifndef CORE_BASE_CHECK_H
#define CORE_BASE_CHECK_H

/* In every build: for what costs a comparison of things that are at hand. */
#define CHECK_ALWAYS(condition)                                                                    \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* In debug and sanitizer builds; elsewhere the condition is compiled and never evaluated. */
#ifdef BP_CHECKS
#define CHECK(condition) CHECK_ALWAYS(condition)
#else
#define CHECK(condition) ((void)(0 && (condition)))
#endif

_Noreturn void check_failed(const char *file, int line, const char *condition)
    __attribute__((cold, noinline));

/* "core/base/queue.h:51: broken invariant: ..." of the check that failed in this process, for the
 * crash report; NULL: none has. */
const char *check_sentence(void);
/* The crash report prints the sentence: do not write it to standard error here as well. */
void check_leave_to_report(void);

#endif
