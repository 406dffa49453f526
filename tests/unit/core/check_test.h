/* check_test.h - runs what breaks an invariant in a process of its own, and reads its last words.
 */
#ifndef TESTS_UNIT_CORE_CHECK_TEST_H
#define TESTS_UNIT_CORE_CHECK_TEST_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* What CHECK() looks at is compiled in; else only CHECK_ALWAYS() is. */
#ifdef BP_CHECKS
enum { HAS_CHECKS = true };
#else
enum { HAS_CHECKS = false };
#endif

static inline void read_all(int fd, char *said, size_t room)
{
    size_t  len = 0;
    ssize_t got;

    while (len < room - 1 && (got = read(fd, said + len, room - 1 - len)) > 0)
        len += (size_t)got;
    said[len] = '\0';
}

/* run() must end by SIGABRT and say `sentence` on standard error. */
static inline void assert_breaks(void (*run)(void), const char *sentence)
{
    struct rlimit no_core = { 0 };
    char          said[16384];
    int           pipe_fds[2], status;
    pid_t         child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        alarm(20);
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL); // cmocka takes it
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        run();
        _exit(0);
    }
    close(pipe_fds[1]);
    assert_true(child > 0);
    read_all(pipe_fds[0], said, sizeof(said));
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(said, sentence))
        fail_msg("expected an abort with \"%s\"; status 0x%x and: %s", sentence, (unsigned)status,
                 said);
}

#endif
