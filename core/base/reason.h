/* reason.h - why something failed, as one sentence for an operator.
 *
 * A function of the core that can fail for more than one reason takes a `struct reason *why` as its
 * last argument, gives false, NULL or a status, and has then set the reason. It leaves the reason
 * alone when it succeeds. Four other forms stand beside it, each for one purpose: a conf collects
 * all its mistakes (`conf/problem.h`), a reader of one word returns the end of a sentence
 * (`conf/value.h`), a call carries the sentence that its caller is told (`bp_fail()`), and what the
 * HTTP edge answers before a call exists is a constant sentence (`net/http1.h`).
 */
#ifndef CORE_BASE_REASON_H
#define CORE_BASE_REASON_H

#include <backplane/base.h>

#include <stdarg.h>

enum { REASON_BYTES = 1024 };

struct reason {
    char text[REASON_BYTES]; /* UTF-8, ends with a NUL; empty: nothing was said */
};

/* Writes the sentence as printf() does. One that is too long is cut between two characters. Returns
 * false, so that `return reason_set(why, ...)` ends a function that failed. */
BP_FORMAT(2, 3) bool reason_set(struct reason *why, const char *format, ...);
BP_FORMAT(2, 0) void reason_set_va(struct reason *why, const char *format, va_list args);
void reason_clear(struct reason *why);
bool reason_is_set(const struct reason *why);

#endif
