/* crash.c - the crash report, made with async-signal-safe functions only. */
#include "loop/crash.h"

#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "loop/annotate.h"
#include "loop/call.h"
#include "loop/context.h"
#include "loop/fiber.h"
#include "version.h"

enum { SIGNAL_STACK_BYTES = 64 << 10, FRAMES_MAX = 64, BUILD_ID_BYTES = 20 };

static struct {
    struct log *log;
    int         report_fd;
    char        build_id[2 * BUILD_ID_BYTES + 1];
    atomic_flag is_crashing;
} crash = { .report_fd = -1, .build_id = "unknown", .is_crashing = ATOMIC_FLAG_INIT };

static _Thread_local void    *signal_stack;
static _Thread_local bp_call *job_call;

void crash_running_call(bp_call *call)
{
    job_call = call;
}

void crash_set_report_fd(int fd)
{
    crash.report_fd = fd;
}

/* ---- writing without stdio ---- */

static void put_bytes(const char *bytes, size_t count)
{
    if (write(STDERR_FILENO, bytes, count) < 0)
        return;
    if (crash.report_fd >= 0 && write(crash.report_fd, bytes, count) < 0)
        crash.report_fd = -1;
}

static void put(const char *text)
{
    put_bytes(text, strlen(text));
}

static void put_number(uint64_t value, unsigned base)
{
    char  digits[24];
    char *at = digits + sizeof(digits);

    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_bytes(at, (size_t)(digits + sizeof(digits) - at));
}

static void put_name(const char *label, const char *name)
{
    put(label);
    put(name ? name : "-");
}

static const char *signal_name(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGABRT:
        return "SIGABRT";
    default:
        return "a signal";
    }
}

/* Who runs on this thread: what both kinds of report say. */
static const char *put_who(void)
{
    struct worker *worker = worker_current();
    const bp_call *call = job_call;
    const char    *plugin = call ? call->plugin : worker ? worker->running.plugin : NULL;

    if (!call && worker && worker->current)
        call = fiber_call_space(worker->current);
    put_name("\n  plugin: ", plugin   ? plugin
                             : worker ? "none, the host itself"
                                      : "none, a thread of the host");
    put_name("\n  instance: ", call ? call->instance : NULL);
    put_name("\n  op: ", call ? call->op : NULL);
    put_name("\n  request: ", call ? call_request_id_text(call) : NULL);
    put_name("\n  build id: ", crash.build_id);
    return plugin;
}

static void put_backtrace(void)
{
    void *frames[FRAMES_MAX];
    int   count;

    put("\n  backtrace:\n");
    count = backtrace(frames, FRAMES_MAX);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
    if (crash.report_fd >= 0)
        backtrace_symbols_fd(frames, count, crash.report_fd);
}

static void report(int number, const siginfo_t *info)
{
    const char *plugin;

    put("\nbackplane " BACKPLANE_VERSION " crashed: ");
    put(signal_name(number));
    if (number == SIGSEGV || number == SIGBUS) {
        put(" at address 0x");
        put_number((uintptr_t)info->si_addr, 16);
    }
    plugin = put_who();
    if (number == SIGSEGV && fiber_is_overflow(worker_current(), info->si_addr)) {
        put("\n  cause: ");
        put(plugin ? plugin : "the host");
        put(" overflowed its fiber stack of ");
        put_number(context_stack_bytes() >> 10, 10);
        put(" KiB: large local variables or deep recursion belong on the heap or into "
            "bp_offload()");
    }
    if (check_sentence()) {
        put("\n  cause: ");
        put(check_sentence());
    }
    put_backtrace();
}

/* The host ends by returning from main(). exit() on a worker or in a job is a plugin's doing:
 * without this the process would be gone without a word, and by its status perhaps even in order.
 */
static void on_exit_elsewhere(void)
{
    if (!worker_current() && !job_call)
        return;
    put("\nbackplane " BACKPLANE_VERSION " was ended by exit(), which a plugin must never call");
    put_who();
    put_backtrace();
    log_flush_in_crash(crash.log);
    _exit(CRASH_EXIT_STATUS);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!atomic_flag_test_and_set(&crash.is_crashing)) {
        report(number, info);
        log_flush_in_crash(crash.log);
    }
    // SA_RESETHAND has put the default back: raised again, it ends the process and dumps core.
    raise(number);
}

/* ---- set-up ---- */

static int find_build_id(struct dl_phdr_info *info, size_t size, void *arg)
{
    static const char digits[] = "0123456789abcdef";

    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const char *at = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        const char *end = at + info->dlpi_phdr[i].p_memsz;

        if (info->dlpi_phdr[i].p_type != PT_NOTE)
            continue;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
            const char *name = at + sizeof(*note), *bytes = name + ((note->n_namesz + 3u) & ~3u);

            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
                memcmp(name, "GNU", 4) == 0) {
                for (unsigned b = 0; b < note->n_descsz && b < BUILD_ID_BYTES; b++) {
                    crash.build_id[2 * b] = digits[(unsigned char)bytes[b] >> 4];
                    crash.build_id[2 * b + 1] = digits[(unsigned char)bytes[b] & 15];
                }
                return 1;
            }
            at = bytes + ((note->n_descsz + 3u) & ~3u);
        }
    }
    return 1; // the first object is the executable
}

void crash_install(struct log *log)
{
    static const int signals[] = {
        SIGABRT,
#if !defined(ANNOTATE_ASAN) && !defined(ANNOTATE_TSAN)
        SIGSEGV,
        SIGBUS,
        SIGFPE,
        SIGILL,
#endif
    };
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND |
                                                  SA_NODEFER) };
    void            *frame;

    crash.log = log;
    dl_iterate_phdr(find_build_id, NULL);
    (void)!backtrace(&frame, 1); // loads what it needs now, as the handler may not
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    check_leave_to_report();
    atexit(on_exit_elsewhere);
    crash_thread_start();
}

void crash_thread_start(void)
{
#if !defined(ANNOTATE_ASAN) && !defined(ANNOTATE_TSAN)
    stack_t stack = { .ss_size = SIGNAL_STACK_BYTES };

    if (signal_stack)
        return;
    signal_stack = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (signal_stack == MAP_FAILED) {
        signal_stack = NULL;
        return;
    }
    stack.ss_sp = signal_stack;
    sigaltstack(&stack, NULL);
#endif
}

void crash_thread_stop(void)
{
    stack_t none = { .ss_flags = SS_DISABLE };

    if (!signal_stack)
        return;
    sigaltstack(&none, NULL);
    munmap(signal_stack, SIGNAL_STACK_BYTES);
    signal_stack = NULL;
}
