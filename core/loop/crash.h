/* crash.h - the crash report, printed before the process dies: plugin, op, request, build and
 * backtrace.
 *
 * The handler runs on a stack of its own, since the one that overflowed cannot be used, and writes
 * with write(2) alone. Then the signal takes its course, so that a core is dumped and the parent
 * sees it.
 */
#ifndef CORE_LOOP_CRASH_H
#define CORE_LOOP_CRASH_H

#include <backplane/base.h>

struct log;
struct bp_call;

enum {
    CRASH_EXIT_STATUS = 70
}; /* of a process that a plugin ended by exit(): EX_SOFTWARE of sysexits.h */

/* Installs the handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT. `log` is flushed in a
 * crash. Under a sanitizer only SIGABRT is taken: the others are the sanitizer's to report. Also
 * reports exit() on a worker or in a job. */
void crash_install(struct log *log);
/* Where the report goes, beside standard error; -1: nowhere. */
void crash_set_report_fd(int fd);
/* Each thread that runs code of plugins: gives it a signal stack, and takes it back. */
void crash_thread_start(void);
void crash_thread_stop(void);
/* A pool thread names the call of the job that it runs. */
void crash_running_call(struct bp_call *call);

#endif
