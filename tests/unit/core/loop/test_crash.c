/* test_crash.c - what is said before the process dies, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/annotate.h"
#include "loop/call.h"
#include "loop/crash.h"
#include "loop/pool.h"

static struct worker worker;
static char          said[65536], reported[65536];

static void read_all(FILE *file, char *text, size_t room)
{
    rewind(file);
    text[fread(text, 1, room - 1, file)] = '\0';
    fclose(file);
}

/* The wait status of a process that runs this; what it said on stderr and in the report. */
static int status_of(void (*run)(void))
{
    FILE *errors = tmpfile(), *report = tmpfile();
    pid_t child = fork();
    int   status = -1;

    if (child == 0) {
        struct rlimit none = { 0 };

        setrlimit(RLIMIT_CORE, &none);
        for (int number = 1; number < 32; number++)
            signal(number, SIG_DFL);
        alarm(60);
        dup2(fileno(errors), STDERR_FILENO);
        crash_install(NULL);
        crash_set_report_fd(fileno(report));
        worker_init(&worker, 0, 1, NULL);
        run();
        exit(3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    read_all(errors, said, sizeof(said));
    read_all(report, reported, sizeof(reported));
    return status;
}

static void start(void (*run)(bp_call *call, void *arg), void *arg)
{
    call_start(&worker,
               &(struct call_options){ .deadline_ns = BP_FOREVER,
                                       .request_id = BP_STR("request-1") },
               run, arg);
}

static void name(bp_call *call)
{
    call->plugin = "app/broken";
    worker.running.plugin = call->plugin;
    call->instance = "main";
    call->op = "break";
}

static void abort_in_call(bp_call *call, void *arg)
{
    (void)arg;
    name(call);
    abort();
}

static void abort_on_a_fiber(void)
{
    start(abort_in_call, NULL);
}

static void who_ran_is_named_on_stderr_and_in_the_report(void **state)
{
    int status = status_of(abort_on_a_fiber);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, " crashed: SIGABRT\n  plugin: app/broken\n  instance: main\n  op: "
                                 "break\n  request: request-1\n  build id: "));
    assert_null(strstr(said, "build id: unknown"));
    assert_non_null(strstr(said, "\n  backtrace:\n"));
    assert_non_null(strstr(reported, "request: request-1"));
    assert_non_null(strstr(reported, "test_crash("));
    assert_null(strstr(said, "cause:"));
}

/* The build id as it stands in the file: of the section that the linker made for it. */
static void read_build_id(char text[41])
{
    static unsigned char file[1 << 16];
    FILE                *self = fopen("/proc/self/exe", "re");
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)file;
    const ElfW(Phdr) *parts = (const ElfW(Phdr) *)(const void *)(file + sizeof(*header));
    size_t size;

    assert_non_null(self);
    size = fread(file, 1, sizeof(file), self);
    fclose(self);
    assert_int_equal(header->e_phoff, sizeof(*header));
    for (int i = 0; i < header->e_phnum; i++) {
        for (size_t at = parts[i].p_offset;
             parts[i].p_type == PT_NOTE && at + 36 <= parts[i].p_offset + parts[i].p_filesz &&
             at + 36 <= size;
             at += 4) {
            static const unsigned char note[16] = { 4, 0, 0, 0, 20,  0,   0,   0,
                                                    3, 0, 0, 0, 'G', 'N', 'U', 0 };

            if (memcmp(file + at, note, sizeof(note)) != 0)
                continue;
            for (int b = 0; b < 20; b++)
                snprintf(text + 2 * b, 3, "%02x", file[at + 16 + (size_t)b]);
            return;
        }
    }
    skip(); // made by a linker that gives none, or one of another length
}

static void the_build_id_is_that_of_the_program(void **state)
{
    char id[41], line[80];

    (void)state;
    read_build_id(id);
    status_of(abort_on_a_fiber);
    snprintf(line, sizeof(line), "\n  build id: %s\n", id);
    assert_non_null(strstr(said, line));
    assert_non_null(strstr(reported, line));
}

enum { LINES = 500 };

static char log_path[64];

/* The thread that writes them has hardly begun when the process ends. */
static void abort_with_lines_queued(void)
{
    struct log *log = log_open(&(struct log_options){ .path = log_path, .queue_lines = 2 * LINES });

    crash_install(log);
    for (int i = 1; i <= LINES; i++)
        log_message(log, BP_LOG_ERROR, "before", "line %d.", i);
    abort();
}

static void what_was_logged_before_is_in_the_log(void **state)
{
    static char text[1 << 18];
    char        line[32];
    FILE       *file;

    (void)state;
    snprintf(log_path, sizeof(log_path), "/tmp/backplane-test-%d.log", (int)getpid());
    status_of(abort_with_lines_queued);
    file = fopen(log_path, "re");
    assert_non_null(file);
    read_all(file, text, sizeof(text));
    unlink(log_path);
    for (int i = 1; i <= LINES; i++) {
        snprintf(line, sizeof(line), "line %d.", i);
        assert_non_null(strstr(text, line));
    }
}

/* A log that takes no more for a while: a pipe that is full. Another process reads it, since TSan
 * lets no thread begin after a fork of several. */
static struct slow_log {
    _Atomic int is_aborting; /* the reader begins to read */
    char        text[1 << 19];
} * slow;
enum { LONG_LINES = 500, FILLER_BYTES = 400 };
static char slow_path[64];

static void abort_while_the_log_is_full(void)
{
    struct log *log = log_open(
        &(struct log_options){ .path = slow_path, .queue_lines = 2 * LONG_LINES });
    char filler[FILLER_BYTES + 1];
    int  held = 0, fd = open(slow_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    memset(filler, 'x', FILLER_BYTES);
    filler[FILLER_BYTES] = '\0';
    crash_install(log);
    for (int i = 1; i <= LONG_LINES; i++)
        log_message(log, BP_LOG_ERROR, "before", "line %d. %s", i, filler);
    while (ioctl(fd, FIONREAD, &held) == 0 && held < 50000) // then its writer waits
        usleep(1000);
    slow->is_aborting = 1;
    abort();
}

static pid_t read_late(void)
{
    pid_t   reader = fork();
    int     fd;
    size_t  len = 0;
    ssize_t count = 1;

    if (reader)
        return reader;
    alarm(60);
    fd = open(slow_path, O_RDONLY | O_CLOEXEC);
    while (!slow->is_aborting)
        usleep(1000);
    while (count > 0 && len < sizeof(slow->text) - 1) {
        count = read(fd, slow->text + len, sizeof(slow->text) - 1 - len);
        len += count > 0 ? (size_t)count : 0;
    }
    _exit(0);
}

static void what_the_writer_has_taken_is_waited_for(void **state)
{
    char  line[32];
    pid_t reader;

    (void)state;
    slow = mmap(NULL, sizeof(*slow), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(slow, MAP_FAILED);
    snprintf(slow_path, sizeof(slow_path), "/tmp/backplane-test-%d.fifo", (int)getpid());
    assert_int_equal(mkfifo(slow_path, 0600), 0);
    reader = read_late();
    status_of(abort_while_the_log_is_full);
    assert_int_equal(waitpid(reader, NULL, 0), reader);
    unlink(slow_path);
    for (int i = 1; i <= LONG_LINES; i++) {
        snprintf(line, sizeof(line), "line %d. ", i);
        if (!strstr(slow->text, line))
            fail_msg("the log lacks \"%s\"", line);
    }
    munmap(slow, sizeof(*slow));
}

static void abort_with_the_report_at(int fd)
{
    crash_set_report_fd(fd);
    abort();
}

static void abort_with_a_report_that_takes_nothing(void)
{
    abort_with_the_report_at(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void abort_with_the_report_at_0(void)
{
    dup2(STDERR_FILENO, 0); // once more where the other goes
    abort_with_the_report_at(0);
}

static size_t times_said(const char *text)
{
    size_t times = 0;

    for (const char *at = strstr(said, text); at; at = strstr(at + 1, text))
        times++;
    return times;
}

static void a_report_may_have_any_file_or_none(void **state)
{
    (void)state;
    status_of(abort_with_a_report_that_takes_nothing);
    assert_int_equal(times_said(" crashed: "), 1);
    assert_int_equal(times_said("\n  backtrace:\n"), 1);
    assert_string_equal(reported, "");
    status_of(abort_with_the_report_at_0);
    assert_int_equal(times_said(" crashed: "), 2);
    assert_int_equal(times_said("\n  backtrace:\n"), 2);
    assert_true(times_said("test_crash(") >= 2);
}

static void abort_alone(void)
{
    abort();
}

static void abort_as_the_host(bp_call *call, void *arg)
{
    (void)arg;
    (void)call;
    abort();
}

static void abort_between_plugins(void)
{
    start(abort_as_the_host, NULL);
}

static void the_host_is_named_where_no_plugin_ran(void **state)
{
    (void)state;
    status_of(abort_alone);
    assert_non_null(strstr(said, "plugin: none, a thread of the host\n  instance: -\n  op: -\n"));
    status_of(abort_between_plugins);
    assert_non_null(strstr(said, "plugin: none, the host itself\n  instance: -\n  op: -\n  "
                                 "request: request-1\n"));
}

static bp_status abort_job(bp_call *call, void *arg)
{
    (void)arg;
    (void)call;
    abort();
}

static void offload_abort(bp_call *call, void *pool)
{
    name(call);
    pool_offload(call, pool, abort_job, NULL);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void abort_on_a_pool_thread(void)
{
    start(offload_abort, pool_create("test", 1));
    worker_run_until(&worker, never, NULL);
}

static void a_job_is_named_by_its_call(void **state)
{
    (void)state;
    status_of(abort_on_a_pool_thread);
    assert_non_null(strstr(said, "plugin: app/broken\n  instance: main\n  op: break\n  request: "
                                 "request-1\n"));
}

static void exit_in_call(bp_call *call, void *arg)
{
    (void)arg;
    name(call);
    exit(0);
}

static void exit_on_a_fiber(void)
{
    start(exit_in_call, NULL);
}

static void exit_alone(void)
{
    exit(0);
}

static void exit_of_a_plugin_is_no_order_end(void **state)
{
    int status = status_of(exit_on_a_fiber);

    (void)state;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CRASH_EXIT_STATUS);
    assert_non_null(strstr(said, "was ended by exit(), which a plugin must never call\n  plugin: "
                                 "app/broken\n"));
    status = status_of(exit_alone); // of the host's own
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(said, "");
}

#if !defined(ANNOTATE_ASAN) && !defined(ANNOTATE_TSAN)
static volatile int *volatile nowhere = (int *)0x123450;

static void touch_in_call(bp_call *call, void *arg)
{
    (void)arg;
    name(call);
    *nowhere = 1;
}

static int raised;

static void raise_in_call(bp_call *call, void *arg)
{
    (void)arg;
    name(call);
    raise(raised);
}

static void raise_on_a_fiber(void)
{
    start(raise_in_call, NULL);
}

static void each_signal_that_ends_a_program_is_named(void **state)
{
    static const struct {
        int         number;
        const char *line;
    } signals[] = { { SIGSEGV, " crashed: SIGSEGV at address 0x" },
                    { SIGBUS, " crashed: SIGBUS at address 0x" },
                    { SIGFPE, " crashed: SIGFPE\n" },
                    { SIGILL, " crashed: SIGILL\n" },
                    { SIGABRT, " crashed: SIGABRT\n" } };

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        int         status;
        const char *first;

        raised = signals[i].number;
        status = status_of(raise_on_a_fiber);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == raised);
        first = strstr(said, signals[i].line);
        assert_non_null(first);
        assert_null(strstr(first + 1, " crashed: ")); // and it is said once
        assert_non_null(strstr(said, "plugin: app/broken"));
    }
    raised = SIGTERM; // none of them
    status_of(raise_on_a_fiber);
    assert_string_equal(said, "");
}

static void abort_with_a_bad_name(bp_call *call, void *arg)
{
    (void)arg;
    name(call);
    call->op = (const char *)nowhere; // the report itself fails at it
    abort();
}

static void abort_badly_on_a_fiber(void)
{
    start(abort_with_a_bad_name, NULL);
}

static void a_report_that_fails_is_not_begun_again(void **state)
{
    int         status = status_of(abort_badly_on_a_fiber);
    const char *first = strstr(said, " crashed: SIGABRT\n  plugin: app/broken\n");

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_non_null(first);
    assert_null(strstr(first + 1, " crashed: "));
    assert_null(strstr(said, "request-1"));
}

static void each_thread_has_one_stack_for_signals(void **state)
{
    stack_t before, now;
    char   *at;

    (void)state;
    crash_thread_stop(); // there is none yet
    crash_thread_start();
    assert_int_equal(sigaltstack(NULL, &before), 0);
    assert_int_equal(before.ss_size, 64 << 10);
    assert_int_equal(before.ss_flags, 0);
    crash_thread_start();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, before.ss_sp);
    at = now.ss_sp;
    at[0] = at[(64 << 10) - 1] = 1;
    crash_thread_stop();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_int_equal(now.ss_flags, SS_DISABLE);
    assert_int_equal(msync(at, 64 << 10, MS_ASYNC), -1); // it is given back
    crash_thread_stop();
    crash_thread_start();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_int_equal(now.ss_flags, 0);
    crash_thread_stop();
}

static void touch_on_a_fiber(void)
{
    start(touch_in_call, NULL);
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char room[4096];

    room[0] = (char)depth;
    return depth == 0 ? 0 : recurse(depth - 1) + room[0];
}

static void overflow_in_call(bp_call *call, void *arg)
{
    (void)arg;
    name(call);
    recurse(100000);
}

static void overflow_on_a_fiber(void)
{
    start(overflow_in_call, NULL);
}

static void a_fault_says_its_address_and_an_overflow_its_cause(void **state)
{
    int status = status_of(touch_on_a_fiber);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_non_null(strstr(said, " crashed: SIGSEGV at address 0x123450\n"));
    assert_null(strstr(said, "cause:"));
    status = status_of(overflow_on_a_fiber);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_non_null(strstr(said, "cause: app/broken overflowed its fiber stack of 256 KiB: "));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_ran_is_named_on_stderr_and_in_the_report),
        cmocka_unit_test(the_build_id_is_that_of_the_program),
        cmocka_unit_test(what_was_logged_before_is_in_the_log),
        cmocka_unit_test(what_the_writer_has_taken_is_waited_for),
        cmocka_unit_test(a_report_may_have_any_file_or_none),
        cmocka_unit_test(the_host_is_named_where_no_plugin_ran),
        cmocka_unit_test(a_job_is_named_by_its_call),
        cmocka_unit_test(exit_of_a_plugin_is_no_order_end),
#if !defined(ANNOTATE_ASAN) && !defined(ANNOTATE_TSAN)
        cmocka_unit_test(a_report_that_fails_is_not_begun_again),
        cmocka_unit_test(each_thread_has_one_stack_for_signals),
        cmocka_unit_test(each_signal_that_ends_a_program_is_named),
        cmocka_unit_test(a_fault_says_its_address_and_an_overflow_its_cause),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
