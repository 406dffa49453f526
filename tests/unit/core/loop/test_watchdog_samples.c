/* test_watchdog_samples.c - what each sample of the watchdog counts, and what it does about it, by
 * a clock, a CPU and a /proc of the test's own. The file under test is compiled in for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

/* ---- the machine ---- */

static struct {
    int64_t     now_ns, cpu_ns;
    bool        has_cpu_clock;
    const char *stat; /* NULL: there is no such file */
    char        path[64];
    int         aborts, kills, killed_by;
    pthread_t   killed;
    time_t      slept_s;
    bool        has_memory, has_threads;
} machine;

static struct {
    int      count;
    uint32_t level;
    char     event[32], text[512];
    size_t   field_count;
    char     plugin[32], op[32], instance[32];
    int64_t  worker, duration_ms;
} logged;

static int64_t machine_now_ns(void)
{
    return machine.now_ns;
}

static int machine_cpu(clockid_t clock, struct timespec *used)
{
    if (!machine.has_cpu_clock || clock != 77)
        return -1;
    *used = (struct timespec){ machine.cpu_ns / 1000000000, machine.cpu_ns % 1000000000 };
    return 0;
}

static int machine_open(const char *path, int flags)
{
    int ends[2];

    assert_int_equal(flags, O_RDONLY | O_CLOEXEC);
    snprintf(machine.path, sizeof(machine.path), "%s", path);
    if (!machine.stat || pipe(ends) != 0)
        return -1;
    assert_int_equal(write(ends[1], machine.stat, strlen(machine.stat)), strlen(machine.stat));
    close(ends[1]);
    return ends[0];
}

static int machine_kill(pthread_t thread, int number)
{
    machine.kills++;
    machine.killed = thread;
    machine.killed_by = number;
    return 0;
}

static int machine_sleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    machine.slept_s = time->tv_sec;
    return usleep((useconds_t)(time->tv_nsec / 1000));
}

static void machine_abort(void)
{
    machine.aborts++;
}

static void *machine_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    return machine.has_memory ? calloc(count, size) : NULL;
}

static int machine_thread(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void           *arg)
{
    return machine.has_threads ? pthread_create(thread, attributes, run, arg) : 11;
}

static void note_event(struct log *log, uint32_t level, const char *event, bp_str message,
                       const bp_field *fields, size_t field_count)
{
    assert_null(log);
    logged.count++;
    logged.level = level;
    snprintf(logged.event, sizeof(logged.event), "%s", event);
    snprintf(logged.text, sizeof(logged.text), "%.*s", (int)message.len, message.data);
    logged.field_count = field_count;
    snprintf(logged.plugin, 32, "%.*s", (int)fields[0].text.len, fields[0].text.data);
    snprintf(logged.op, 32, "%.*s", (int)fields[1].text.len, fields[1].text.data);
    snprintf(logged.instance, 32, "%.*s", (int)fields[2].text.len, fields[2].text.data);
    logged.worker = fields[3].integer;
    logged.duration_ms = fields[4].integer;
}

static void note_message(struct log *log, uint32_t level, const char *event, const char *format,
                         ...)
{
    va_list args;

    assert_null(log);
    logged.count++;
    logged.level = level;
    snprintf(logged.event, sizeof(logged.event), "%s", event);
    va_start(args, format);
    vsnprintf(logged.text, sizeof(logged.text), format, args);
    va_end(args);
}

#define clock_now_ns   machine_now_ns
#define clock_gettime  machine_cpu
#define open           machine_open
#define pthread_kill   machine_kill
#define nanosleep      machine_sleep
#define abort          machine_abort
#define calloc         machine_calloc
#define pthread_create machine_thread
#define log_event      note_event
#define log_message    note_message
#include "loop/watchdog.c"
#undef calloc
#undef pthread_create

enum { MS = 1000000, WORKERS = 2, TID = 4321 };

static struct worker    workers[WORKERS];
static struct watchdog *watched_by; // without a thread: the test looks

static int set_up(void **state)
{
    (void)state;
    memset(workers, 0, sizeof(workers));
    memset(&machine, 0, sizeof(machine));
    memset(&logged, 0, sizeof(logged));
    machine.has_memory = machine.has_threads = machine.has_cpu_clock = true;
    machine.stat = "4321 (a) b) R 1 2";
    machine.now_ns = 1000 * (int64_t)MS;
    machine.cpu_ns = 2500 * (int64_t)MS;
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i].index = i;
        workers[i].tid = TID;
        workers[i].cpu_clock = 77;
    }
    watched_by = calloc(1, sizeof(*watched_by) + WORKERS * sizeof(struct watched));
    watched_by->workers = workers;
    watched_by->count = WORKERS;
    watched_by->blocked = metrics_define(METRIC_COUNTER, "backplane_loop_blocked_total", "",
                                         "plugin");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(watched_by);
    return 0;
}

static void pass(int64_t wall_ms, int64_t cpu_ms)
{
    machine.now_ns += wall_ms * MS;
    machine.cpu_ns += cpu_ms * MS;
    look_at(watched_by, &workers[1]);
}

static int64_t held_ms(void)
{
    return watched_by->watched[1].held_ns / MS;
}

/* ---- what counts ---- */

static void a_run_answers_for_its_cpu_and_for_what_it_slept(void **state)
{
    static const struct {
        int64_t     wall_ms, cpu_ms;
        const char *stat;
        int64_t     held_ms;
    } samples[] = {
        { 20, 20, "4321 (w) R 1", 20 },     // it ran all the time
        { 20, 10, "4321 (w) S 1", 10 },     // half of it: not asleep, whatever the file says
        { 20, 9, "4321 (w) S 1", 20 },      // less: it slept, and that is its doing
        { 20, 9, "4321 (w) D 1", 20 },      //
        { 20, 9, "4321 (w) R 1", 9 },       // in the queue for a CPU
        { 20, 0, "4321 (w) R 1", 0 },       //
        { 20, 0, "4321 (a) R) R 1", 0 },    // the name is the thread's own
        { 20, 0, "4321 (a) R) S 1", 20 },   //
        { 20, 0, "4321 (w)R 1 ", 20 },      // not of the form
        { 20, 0, "4321 w R 1", 20 },        //
        { 20, 0, "", 20 },                  //
        { 20, 0, NULL, 20 },                // where it cannot be told it is taken for asleep
        { 39, 0, "4321 (w) S 1", 39 },      //
        { 40, 0, "4321 (w) S 1", 40 },      // two samples' time at most:
        { 41, 0, "4321 (w) S 1", 40 },      // the whole process stood still
        { 100000, 45, "4321 (w) S 1", 45 }, // but never less than the CPU that was used
        { 100000, 39, "4321 (w) S 1", 40 }, //
    };

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        workers[1].running.since_ns = machine.now_ns;
        machine.stat = samples[i].stat;
        pass(7, 5); // the first look at a run only begins
        assert_int_equal(held_ms(), 0);
        machine.path[0] = '\0';
        pass(samples[i].wall_ms, samples[i].cpu_ms);
        assert_int_equal(held_ms(), samples[i].held_ms);
        assert_int_equal(watched_by->watched[1].at_ns, machine.now_ns);
        assert_int_equal(watched_by->watched[1].cpu_ns, machine.cpu_ns);
        assert_string_equal(machine.path, samples[i].cpu_ms * 2 < samples[i].wall_ms
                                              ? "/proc/self/task/4321/stat"
                                              : "");
        pass(2, 2); // and they add up
        assert_int_equal(held_ms(), samples[i].held_ms + 2);
        machine.now_ns += MS;
    }
    assert_int_equal(watched_by->watched[0].since_ns, 0); // each worker has its own
}

static void the_cpu_of_a_thread_is_exact(void **state)
{
    (void)state;
    machine.cpu_ns = 3 * (int64_t)1000000000 + 17;
    assert_int_equal(cpu_of(&workers[0]), machine.cpu_ns);
    workers[0].tid = 0; // no thread has run it yet
    assert_int_equal(cpu_of(&workers[0]), 0);
    assert_true(is_asleep(&workers[0]));
    assert_string_equal(machine.path, "");
    workers[0].tid = TID;
    machine.has_cpu_clock = false;
    assert_int_equal(cpu_of(&workers[0]), 0);
}

/* ---- what is done ---- */

static double blocked(const char *plugin)
{
    return metric_value(
        metrics_series(watched_by->blocked, &(bp_str){ plugin, strlen(plugin) }, 1));
}

static void each_run_that_is_too_long_is_warned_about_once(void **state)
{
    double before = blocked("vector/local"), of_host = blocked("host");

    (void)state;
    watched_by->options.warn_ns = 50 * MS;
    workers[1].running.since_ns = 1;
    workers[1].running.plugin = "vector/local";
    workers[1].running.instance = "docs";
    workers[1].running.op = "search";
    pass(10, 10);
    pass(49, 49);
    assert_int_equal(logged.count, 0);
    pass(1, 1);
    assert_int_equal(logged.count, 1);
    assert_int_equal(logged.level, BP_LOG_WARN);
    assert_string_equal(logged.event, "loop_blocked");
    assert_string_equal(logged.text, "vector/local holds the loop of worker 1 in search for 50 ms: "
                                     "move what blocks to bp_offload()");
    assert_int_equal(logged.field_count, 5);
    assert_string_equal(logged.plugin, "vector/local");
    assert_string_equal(logged.op, "search");
    assert_string_equal(logged.instance, "docs");
    assert_int_equal(logged.worker, 1);
    assert_int_equal(logged.duration_ms, 50);
    assert_true(blocked("vector/local") == before + 1);
    pass(1000, 1000); // the same run: nothing new is said
    assert_int_equal(logged.count, 1);

    workers[1].running.since_ns = 2; // the next run, of the host
    workers[1].running.plugin = workers[1].running.instance = workers[1].running.op = NULL;
    pass(1000, 1000);
    assert_int_equal(logged.count, 1);
    pass(51, 51);
    assert_int_equal(logged.count, 2);
    assert_string_equal(logged.text, "host holds the loop of worker 1 in - for 51 ms: move what "
                                     "blocks to bp_offload()");
    assert_string_equal(logged.op, "-");
    assert_string_equal(logged.instance, "-");
    assert_true(blocked("host") == of_host + 1);
    assert_true(blocked("vector/local") == before + 1);
}

static void a_worker_is_stuck_for_as_long_as_its_run_goes_on(void **state)
{
    (void)state;
    watched_by->options.stuck_ns = 30 * MS;
    workers[1].running.since_ns = 1;
    pass(1, 1);
    pass(29, 29);
    assert_true(watchdog_is_alive(workers, WORKERS));
    pass(1, 1);
    assert_false(watchdog_is_alive(workers, WORKERS));
    assert_true(watchdog_is_alive(workers, WORKERS - 1));
    workers[1].running.since_ns = 2; // another run
    pass(500, 500);
    assert_true(watchdog_is_alive(workers, WORKERS));
    pass(500, 500);
    assert_false(watchdog_is_alive(workers, WORKERS));
    workers[1].running.since_ns = 0; // none
    pass(500, 500);
    assert_true(watchdog_is_alive(workers, WORKERS));
    workers[1].running.since_ns = 2; // one that began at the same time is not the same
    pass(500, 500);
    assert_true(watchdog_is_alive(workers, WORKERS));
    assert_int_equal(logged.count + machine.aborts + machine.kills, 0); // 0: never
    watched_by->options.stuck_ns = 0;
    pass(500, 500);
    assert_true(watchdog_is_alive(workers, WORKERS));
}

static void a_thread_that_is_stuck_ends_the_process_with_its_own_stack(void **state)
{
    (void)state;
    watched_by->options.abort_ns = 100 * MS;
    workers[1].running.since_ns = 1;
    workers[1].running.plugin = "llm/http";
    workers[1].running.op = "complete";
    workers[1].thread = pthread_self();
    pass(1, 1);
    pass(100, 100);
    assert_int_equal(machine.kills, 0); // it has no thread of its own: a test's or a command's
    workers[1].has_thread = true;
    watched_by->watched[1].held_ns = 98 * MS;
    pass(1, 1);
    assert_int_equal(machine.kills + machine.aborts + logged.count, 0);
    pass(1, 1);
    assert_int_equal(machine.kills, 1);
    assert_true(pthread_equal(machine.killed, pthread_self()));
    assert_int_equal(machine.killed_by, SIGABRT);
    assert_int_equal(machine.slept_s, 5);
    assert_int_equal(machine.aborts, 1); // when that was in vain
    assert_int_equal(logged.count, 1);
    assert_int_equal(logged.level, BP_LOG_ERROR);
    assert_string_equal(logged.event, "loop_stuck");
    assert_string_equal(logged.text,
                        "llm/http holds the loop of worker 1 in complete since 100 ms, which is "
                        "the "
                        "limit of watchdog.abort: ending the process with a stack trace");
    workers[1].running.plugin = workers[1].running.op = NULL;
    pass(0, 0);
    assert_non_null(strstr(logged.text, "host holds the loop of worker 1 in - since 100 ms"));
}

static void a_watchdog_that_cannot_be_had_is_none(void **state)
{
    struct watchdog_options options = { .warn_ns = 1 };

    (void)state;
    machine.has_memory = false;
    assert_null(watchdog_start(workers, WORKERS, &options, NULL));
    machine.has_memory = true;
    machine.has_threads = false;
    assert_null(watchdog_start(workers, WORKERS, &options, NULL));
    watchdog_stop(NULL);
}

static void the_thread_looks_at_every_worker_until_it_is_stopped(void **state)
{
    struct watchdog_options options = { .warn_ns = 7, .stuck_ns = 8, .abort_ns = 9 };
    struct watchdog        *watchdog;
    char                    name[16];

    (void)state;
    workers[0].is_stuck = workers[1].is_stuck = true; // of which the first look makes an end
    watchdog = watchdog_start(workers, WORKERS, &options, NULL);
    assert_non_null(watchdog);
    assert_int_equal(pthread_getname_np(watchdog->thread, name, sizeof(name)), 0);
    assert_string_equal(name, "watchdog");
    assert_memory_equal(&watchdog->options, &options, sizeof(options));
    while (!watchdog_is_alive(workers, WORKERS))
        usleep(1000);
    watchdog_stop(watchdog);
    workers[0].is_stuck = true;
    assert_false(watchdog_is_alive(workers, WORKERS));
    usleep(2 * SAMPLE_MS * 1000);
    assert_false(watchdog_is_alive(workers, WORKERS)); // nobody looks any more
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_answers_for_its_cpu_and_for_what_it_slept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_cpu_of_a_thread_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_run_that_is_too_long_is_warned_about_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_worker_is_stuck_for_as_long_as_its_run_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_thread_that_is_stuck_ends_the_process_with_its_own_stack,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watchdog_that_cannot_be_had_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_thread_looks_at_every_worker_until_it_is_stopped,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
