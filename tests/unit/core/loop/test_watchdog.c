/* test_watchdog.c - who is blamed for a loop that stands still: the fiber that spins or sleeps,
 * never the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/call.h"
#include "loop/watchdog.h"

enum { WORKERS = 2 };

static struct worker        workers[WORKERS];
static struct worker *const last = &workers[WORKERS - 1]; // each is looked at, so the last one
static struct watchdog     *watchdog;
static _Atomic bool         is_done, was_alive;
static _Atomic int64_t      took_ns;

static int64_t cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void spin(int64_t duration_ns)
{
    int64_t until_ns = cpu_ns() + duration_ns, began_ns = clock_now_ns();

    while (cpu_ns() < until_ns)
        ;
    took_ns = clock_now_ns() - began_ns;
}

/* Runs it on a fiber of the last worker that a watchdog looks at. */
static void run_watched(void (*run)(void *arg), const struct watchdog_options *options)
{
    is_done = false;
    was_alive = true;
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(worker_init(&workers[i], i, WORKERS, NULL), 0);
    watchdog = watchdog_start(workers, WORKERS, options, NULL);
    assert_non_null(watchdog);
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(worker_start(&workers[i]), 0);
    worker_post(last, run, NULL);
    while (!is_done)
        usleep(1000);
    for (uint32_t i = 0; i < WORKERS; i++) {
        worker_stop(&workers[i]);
        worker_join(&workers[i]);
    }
    watchdog_stop(watchdog);
    for (uint32_t i = 0; i < WORKERS; i++)
        worker_free(&workers[i]);
}

static double blocked(void)
{
    bp_str host = BP_STR("host");

    return metric_value(
        metrics_series(metrics_define(METRIC_COUNTER, "backplane_loop_blocked_total", "", "plugin"),
                       &host, 1));
}

static void begin(void (*run)(bp_call *call, void *arg))
{
    assert_true(call_start(last, &(struct call_options){ .deadline_ns = BP_FOREVER }, run, NULL));
}

static void end(void)
{
    usleep(30000); // the watchdog looks once more, or has not looked at all
    is_done = true;
}

/* ---- what a plugin does ---- */

static void spin_long(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    for (int i = 0; i < 50 && watchdog_is_alive(workers, WORKERS);
         i++) // on a busy machine the watchdog looks less often
        spin(BP_MILLISECONDS(100));
    was_alive = watchdog_is_alive(workers, WORKERS);
    is_done = true;
}

static void sleep_long(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    for (int i = 0; i < 50 && watchdog_is_alive(workers, WORKERS); i++)
        usleep(100000);
    was_alive = watchdog_is_alive(workers, WORKERS);
    is_done = true;
}

static void begin_spinning(void *arg)
{
    (void)arg;
    begin(spin_long);
}

static void begin_sleeping(void *arg)
{
    (void)arg;
    begin(sleep_long);
}

static const struct watchdog_options short_ones = { .warn_ns = BP_MILLISECONDS(60),
                                                    .stuck_ns = BP_MILLISECONDS(120) };

static void who_spins_or_sleeps_on_the_loop_is_named_and_fails_liveness(void **state)
{
    double before = blocked();

    (void)state;
    run_watched(begin_spinning, &short_ones);
    assert_true(blocked() == before + 1);
    assert_false(was_alive);
    run_watched(begin_sleeping, &short_ones);
    assert_true(blocked() == before + 2);
    assert_false(was_alive);
}

/* ---- what the machine does ---- */

static _Atomic bool is_crowd_over;
static pthread_t    crowd_thread;
static cpu_set_t    one;
static bool         has_crowd;

static void *crowd(void *arg)
{
    cpu_set_t *cpus = arg;

    pthread_setaffinity_np(pthread_self(), sizeof(*cpus), cpus);
    while (!is_crowd_over)
        ;
    return NULL;
}

/* 8 ms of work on a CPU that a thread of much higher priority keeps busy. */
static void spin_starved(bp_call *call, void *arg)
{
    cpu_set_t all;

    (void)call, (void)arg;
    has_crowd = (int)gettid() == last->tid;
    if (!has_crowd) { // fibers are threads here, for tools; the loop's own sleeps meanwhile, and
                      // that counts
        end();
        return;
    }
    pthread_getaffinity_np(pthread_self(), sizeof(all), &all);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
    is_crowd_over = false;
    assert_int_equal(pthread_create(&crowd_thread, NULL, crowd, &one), 0);
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    spin(BP_MILLISECONDS(8));
    is_crowd_over = true;
    was_alive = watchdog_is_alive(workers, WORKERS);
    end();
}

static void begin_starved(void *arg)
{
    (void)arg;
    begin(spin_starved);
}

static void a_machine_without_a_free_cpu_is_nobodys_fault(void **state)
{
    double before = blocked();

    (void)state;
    run_watched(begin_starved, &(struct watchdog_options){ .warn_ns = BP_MILLISECONDS(100),
                                                           .stuck_ns = BP_MILLISECONDS(120) });
    if (!has_crowd)
        skip();
    pthread_join(crowd_thread, NULL); // not on the loop, where waiting for it would count
    if (took_ns < BP_MILLISECONDS(150))
        skip(); // the machine gave it a CPU all the same
    assert_true(blocked() == before);
    assert_true(was_alive);
}

static void stop_the_process(bp_call *call, void *arg)
{
    (void)call, (void)arg;
    raise(SIGSTOP); // until the parent lets it go on
    spin(BP_MILLISECONDS(60));
    is_done = true;
}

static void begin_stopped(void *arg)
{
    (void)arg;
    begin(stop_the_process);
}

static void a_process_that_was_stopped_goes_on_instead_of_ending_itself(void **state)
{
    pid_t child = fork();
    int   status = 0;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        run_watched(begin_stopped, &(struct watchdog_options){ .abort_ns = BP_SECONDS(2) });
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    usleep(2500000);
    kill(child, SIGCONT);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status)); // no SIGABRT
    assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_was_stopped_goes_on_instead_of_ending_itself),
        cmocka_unit_test(who_spins_or_sleeps_on_the_loop_is_named_and_fails_liveness),
        cmocka_unit_test(a_machine_without_a_free_cpu_is_nobodys_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
