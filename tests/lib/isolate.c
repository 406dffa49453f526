/* isolate.c - runs the tests of one program in a child, and goes on behind one that fails.
 *
 * A test that fails leaves its fiber, its locks and its worker as they were, so that what follows
 * in the same process fails as well, or crashes. Linked with --wrap=_cmocka_run_group_tests: the
 * child ends after the first failure, and another one begins with the next test, set-up included.
 * With BP_TEST_NO_FORK=1 everything runs in one process, for a debugger.
 *
 * cmocka leaves a failed test by longjmp(), which no other thread may do, nor a fiber with a stack
 * above the main one, as under qemu. Where fibers are threads (BP_FIBERS_ARE_THREADS) or the
 * machine is emulated (BP_EMULATED), the child aborts instead, after the line of the assertion.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down);

enum { TEAR_DOWN_S = 5 };

/* Where a child has come to; parent and child share it. */
struct place {
    volatile size_t at;
};

/* The test that runs, and whether it came to its end. */
static const struct CMUnitTest *running;
static bool                     has_passed;

static void run_one(void **state)
{
    has_passed = false;
    running->test_func(state);
    has_passed = true;
}

static sigjmp_buf gave_up;

static void give_up(int number)
{
    (void)number;
    siglongjmp(gave_up, 1);
}

/* After a failure what is torn down may be locked or half gone; the reason is printed afterwards.
 */
static int tear_down_one(void **state)
{
    if (has_passed)
        return running->teardown_func(state);
    if (sigsetjmp(gave_up, 1))
        return 0;
    signal(SIGALRM, give_up);
    alarm(TEAR_DOWN_S);
    running->teardown_func(state);
    alarm(0);
    return 0;
}

/* Does not return. */
static void run_from(const char *name, const struct CMUnitTest *tests, size_t count, size_t first,
                     CMFixtureFunction set_up, CMFixtureFunction tear_down, struct place *place)
{
    void *state = NULL;
    int   failed = 0;

#if defined(BP_FIBERS_ARE_THREADS) || defined(BP_EMULATED)
    setenv("CMOCKA_TEST_ABORT", "1", 1);
#endif
    if (set_up && set_up(&state) != 0) {
        fprintf(stderr, "%s: the set-up of the group fails\n", name);
        place->at = count - 1; // none of them can run
        exit(EXIT_FAILURE);
    }
    for (size_t i = first; i < count && !failed; i++) {
        struct CMUnitTest one = tests[i];

        place->at = i;
        running = &tests[i];
        one.test_func = run_one;
        if (one.teardown_func)
            one.teardown_func = tear_down_one;
        if (!one.initial_state)
            one.initial_state = state;
        failed = __real__cmocka_run_group_tests(name, &one, 1, NULL, NULL);
    }
    if (failed) {
        signal(SIGALRM, SIG_DFL);
        alarm(TEAR_DOWN_S);
    }
    if (tear_down && tear_down(&state) != 0) {
        fprintf(stderr, "%s: the tear-down of the group fails\n", name);
        failed = 1;
    }
    exit(failed ? EXIT_FAILURE : EXIT_SUCCESS); // with the leak check of a sanitizer
}

static bool run_child(const char *name, const struct CMUnitTest *tests, size_t count, size_t first,
                      CMFixtureFunction set_up, CMFixtureFunction tear_down, struct place *place)
{
    pid_t child;
    int   status = 0;

    fflush(NULL);
    child = fork();
    if (child == 0)
        run_from(name, tests, count, first, set_up, tear_down, place);
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror(name);
        exit(EXIT_FAILURE);
    }
    if (WIFSIGNALED(status))
        fprintf(stderr, "[ CRASHED  ] %s: signal %d\n", tests[place->at].name, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
    struct place *place;
    int           failed = 0;

    if (getenv("BP_TEST_NO_FORK"))
        return __real__cmocka_run_group_tests(name, tests, count, set_up, tear_down);
    place = mmap(NULL, sizeof(*place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        return __real__cmocka_run_group_tests(name, tests, count, set_up, tear_down);
    for (size_t first = 0; first < count; first = place->at + 1) {
        place->at = first;
        if (run_child(name, tests, count, first, set_up, tear_down, place))
            break;
        fprintf(stderr, "[ NOT WELL ] %s\n", tests[place->at].name);
        failed++;
    }
    munmap(place, sizeof(*place));
    return failed;
}
