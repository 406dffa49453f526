/* test_guard.c - what code of a plugin changes of the whole process is put back, and told of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "plugin/guard.h"

static char               log_path[] = "/tmp/backplane-test-XXXXXX", said[8192];
static struct guard_state state_before;
static struct log        *log_of_test;

static int begin(void **state)
{
    int fd = mkstemp(strcpy(log_path, "/tmp/backplane-test-XXXXXX"));

    (void)state;
    close(fd);
    log_of_test = log_open(
        &(struct log_options){ .level = BP_LOG_INFO, .path = log_path, .queue_lines = 64 });
    guard_take(&state_before);
    return fd >= 0 && log_of_test ? 0 : -1;
}

/* What the log says of it. */
static const char *restore(void)
{
    FILE *file;

    guard_restore(&state_before, log_of_test, "app/meddler", "worker_start");
    log_close(log_of_test);
    file = fopen(log_path, "re");
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
    unlink(log_path);
    return said;
}

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void nothing_changed_is_nothing_said(void **state)
{
    int open_before = open_descriptors();

    (void)state;
    assert_string_equal(restore(), "");
    assert_int_equal(open_descriptors(), open_before - 4); // the three copies, and the log
}

static void the_signal_mask_is_put_back(void **state)
{
    sigset_t mask, now;

    (void)state;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    assert_non_null(strstr(restore(), "app/meddler changed the signal mask while worker_start; it "
                                      "was put back"));
    sigprocmask(SIG_SETMASK, NULL, &now);
    assert_false(sigismember(&now, SIGUSR2));
}

static void a_signal_handler_is_put_back(void **state)
{
    struct sigaction now;

    (void)state;
    signal(SIGPIPE, SIG_DFL);
    sigaction(SIGPIPE, NULL, &now);
    signal(SIGPIPE, now.sa_handler == SIG_IGN ? SIG_DFL : SIG_IGN);
    guard_restore(&state_before, log_of_test, "app/meddler", "check");
    guard_take(&state_before);
    signal(SIGTERM, SIG_IGN);
    assert_non_null(strstr(restore(), "changed a signal handler while worker_start"));
    sigaction(SIGTERM, NULL, &now);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
}

static void the_umask_is_put_back(void **state)
{
    mode_t before = umask(0123), now;

    (void)state;
    assert_non_null(strstr(restore(), "changed the umask while"));
    now = umask(before);
    assert_int_equal(now, before);
}

static void the_locale_is_put_back(void **state)
{
    (void)state;
    if (!setlocale(LC_ALL, "C.UTF-8") && !setlocale(LC_ALL, "C.utf8")) {
        restore();
        skip();
    }
    assert_non_null(strstr(restore(), "changed the locale while"));
    assert_string_equal(setlocale(LC_ALL, NULL), "C");
}

static void a_standard_descriptor_is_put_back(void **state)
{
    struct stat before, now;
    int         null = open("/dev/null", O_RDWR | O_CLOEXEC), zero = open("/dev/zero", O_RDWR);

    (void)state;
    fstat(0, &before);
    dup2(before.st_rdev == makedev(1, 3) ? zero : null, 0);
    close(null);
    close(zero);
    assert_non_null(strstr(restore(), "changed a standard descriptor while"));
    fstat(0, &now);
    assert_int_equal(now.st_ino, before.st_ino);
    assert_int_equal(now.st_dev, before.st_dev);
}

static void a_closed_standard_descriptor_is_put_back(void **state)
{
    struct stat before, now;

    (void)state;
    fstat(2, &before);
    close(2);
    assert_non_null(strstr(restore(), "changed a standard descriptor while"));
    assert_int_equal(fstat(2, &now), 0);
    assert_int_equal(now.st_ino, before.st_ino);
}

#define GUARDED(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARDED(nothing_changed_is_nothing_said),
        GUARDED(the_signal_mask_is_put_back),
        GUARDED(a_signal_handler_is_put_back),
        GUARDED(the_umask_is_put_back),
        GUARDED(the_locale_is_put_back),
        GUARDED(a_standard_descriptor_is_put_back),
        GUARDED(a_closed_standard_descriptor_is_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
