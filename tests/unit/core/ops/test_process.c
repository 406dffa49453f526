/* test_process.c - what is measured of the process, and what its memory leads to. The files under
 * test are compiled in, with a machine of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "loop/fiber.h"
#include "loop/job.h"
#include "loop/pool.h"

static struct {
    int64_t            now_ns, wall_ns;
    const char        *statm; /* NULL: there is no such file */
    size_t             allocated, mapped;
    int                looks, trims, offloads, entries[2];
    bool               has_folders, has_memory, has_limit;
    struct job_options job;
    struct worker     *job_worker;
} machine;

static int64_t machine_now_ns(void)
{
    return machine.now_ns;
}

static int64_t machine_wall_ns(void)
{
    return machine.wall_ns;
}

static FILE *machine_open(const char *path, const char *mode)
{
    assert_string_equal(path, "/proc/self/statm");
    assert_string_equal(mode, "re");
    return machine.statm ? fmemopen((char *)(uintptr_t)machine.statm, strlen(machine.statm), "r")
                         : NULL;
}

static struct mallinfo2 machine_mallinfo(void)
{
    machine.looks++;
    return (struct mallinfo2){ .uordblks = machine.allocated, .hblkhd = machine.mapped };
}

static int machine_trim(size_t pad)
{
    assert_int_equal(pad, 0);
    machine.trims++;
    return 1;
}

static bp_status machine_offload(bp_call *call, struct bp_pool                    *pool,
                                 bp_status (*job)(bp_call *call, void *arg), void *arg)
{
    assert_ptr_equal(pool, &machine);
    machine.offloads++;
    return job(call, arg);
}

static struct job *machine_job(struct worker *worker, const struct job_options *options)
{
    machine.job = *options;
    machine.job_worker = worker;
    return (struct job *)&machine;
}

static long machine_page(int name)
{
    assert_int_equal(name, _SC_PAGESIZE);
    return 1000;
}

static DIR *machine_opendir(const char *folder)
{
    int which = strcmp(folder, "/proc/self/fd") != 0;

    if (which)
        assert_string_equal(folder, "/proc/self/task");
    machine.entries[which] = which ? 7 : 12;
    return machine.has_folders ? (DIR *)&machine.entries[which] : NULL;
}

static struct dirent *machine_readdir(DIR *dir)
{
    static struct dirent entry;

    return (*(int *)dir)-- > 0 ? &entry : NULL;
}

static int machine_closedir(DIR *dir)
{
    (void)dir;
    return 0;
}

static int machine_usage(int who, struct rusage *usage)
{
    assert_int_equal(who, RUSAGE_SELF);
    *usage = (struct rusage){ .ru_utime = { 3, 250000 }, .ru_stime = { 40, 500000 } };
    return 0;
}

static int machine_limit(int resource, struct rlimit *limit)
{
    assert_int_equal(resource, RLIMIT_NOFILE);
    *limit = (struct rlimit){ 1024, 4096 };
    return machine.has_limit ? 0 : -1;
}

static void *machine_calloc(size_t count, size_t size)
{
    assert_int_equal(count, 1);
    return machine.has_memory ? calloc(count, size) : NULL;
}

static uint64_t machine_dropped(const struct log *log)
{
    assert_ptr_equal(log, &machine);
    return 17;
}

#define clock_now_ns                            machine_now_ns
#define clock_wall_ns                           machine_wall_ns
#define fopen                                   machine_open
#define mallinfo2()                             machine_mallinfo()
#define malloc_trim                             machine_trim
#define pool_offload                            machine_offload
#define job_start                               machine_job
#define sysconf                                 machine_page
#define opendir                                 machine_opendir
#define readdir                                 machine_readdir
#define closedir                                machine_closedir
#define getrusage(a, b)                         machine_usage(a, b)
#define getrlimit(a, b)                         machine_limit(a, b)
#define calloc                                  machine_calloc
#define fiber_live_count()                      23u
#define fiber_live_max()                        29u
#define log_dropped                             machine_dropped
#define __sanitizer_get_current_allocated_bytes sanitizer_bytes
#include "ops/pressure.c"
#include "ops/process_metrics.c"
#undef calloc

static int begin(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof(machine));
    machine.has_folders = machine.has_memory = machine.has_limit = true;
    machine.statm = "5000 70 1 1 0 1 0";
    machine.now_ns = BP_SECONDS(1000);
    machine.wall_ns = INT64_C(1500000000250000000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    metrics_clear();
    return 0;
}

#define MEASURED(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* ---- memory ---- */

static void resident_memory_is_in_pages(void **state)
{
    (void)state;
    assert_int_equal(resident_bytes(), 70000);
    machine.statm = "5000";
    assert_int_equal(resident_bytes(), 0);
    machine.statm = "x";
    assert_int_equal(resident_bytes(), 0);
    machine.statm = NULL;
    assert_int_equal(resident_bytes(), 0);
}

static void what_is_allocated_counts_and_what_is_resident_where_that_is_not_known(void **state)
{
    (void)state;
    machine.allocated = 300;
    machine.mapped = 4000;
    assert_int_equal(memory_live_bytes(), 4300);
    machine.allocated = 1;
    machine.mapped = 0;
    assert_int_equal(memory_live_bytes(), 1);
    machine.allocated = 0;
    assert_int_equal(memory_live_bytes(), 70000);
}

static void load_is_shed_and_then_refused_by_shares_of_the_budget(void **state)
{
    static const struct {
        size_t        allocated;
        enum pressure pressure;
    } cases[] = { { 1, PRESSURE_NONE },   { 799, PRESSURE_NONE },   { 800, PRESSURE_SHED },
                  { 899, PRESSURE_SHED }, { 900, PRESSURE_REFUSE }, { 5000, PRESSURE_REFUSE },
                  { 799, PRESSURE_NONE } };
    struct server_limits limits = { .memory_bytes = 1000, .shed_at = 0.8, .refuse_at = 0.9 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        machine.allocated = cases[i].allocated;
        machine.now_ns += BP_MILLISECONDS(100) + 1;
        assert_int_equal(pressure_now(&limits), cases[i].pressure);
    }
    assert_int_equal(machine.looks, 7);
    machine.allocated = 900;
    machine.now_ns += BP_MILLISECONDS(100); // it was looked at just now
    assert_int_equal(pressure_now(&limits), PRESSURE_NONE);
    assert_int_equal(machine.looks, 7);
    machine.now_ns++;
    assert_int_equal(pressure_now(&limits), PRESSURE_REFUSE);
    assert_int_equal(pressure_now(&limits), PRESSURE_REFUSE);
    assert_int_equal(machine.looks, 8);
    limits.memory_bytes = 0; // no budget
    machine.now_ns += BP_SECONDS(1);
    assert_int_equal(pressure_now(&limits), PRESSURE_NONE);
    limits.memory_bytes = -1;
    assert_int_equal(pressure_now(&limits), PRESSURE_NONE);
    assert_int_equal(machine.looks, 8);
    limits.memory_bytes = 1;
    assert_int_equal(pressure_now(&limits), PRESSURE_REFUSE);
}

static void much_that_the_allocator_keeps_is_given_back(void **state)
{
    static const struct {
        const char *statm;
        size_t      allocated;
        int         trims;
    } cases[] = { { "0 67109", 145, 0 }, // a byte less than is worth it
                  { "0 67109", 136, 1 }, // 64 MiB
                  { "0 67109", 135, 1 }, //
                  { "0 70000", 70000000, 0 } };
    struct worker worker;

    (void)state;
    assert_ptr_equal(memory_return_start(&worker, (struct bp_pool *)&machine), &machine);
    assert_ptr_equal(machine.job_worker, &worker);
    assert_int_equal(machine.job.interval_ns, BP_SECONDS(2));
    assert_int_equal(machine.job.first_ns, BP_SECONDS(2));
    assert_int_equal(machine.job.timeout_ns, BP_SECONDS(60));
    assert_string_equal(machine.job.name, "memory");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        machine.trims = machine.offloads = 0;
        machine.statm = cases[i].statm;
        machine.allocated = cases[i].allocated;
        machine.job.run(NULL, machine.job.arg);
        assert_int_equal(machine.trims, cases[i].trims);
        assert_int_equal(machine.offloads, cases[i].trims);
    }
    assert_int_equal(trim(NULL, NULL), BP_OK);
}

/* ---- metrics ---- */

static struct worker workers[2];

static void expect_line(const char *line)
{
    struct bp_buf out;

    buf_init(&out, NULL, 1 << 20);
    metrics_render(&out);
    if (!strstr(buf_str(&out).data, line))
        fail_msg("no line %s in %s", line, buf_str(&out).data);
    buf_free(&out);
}

static void each_scrape_measures_the_process(void **state)
{
    static const char *const lines[] = {
        "\nprocess_resident_memory_bytes 70000\n",
        "\nprocess_virtual_memory_bytes 5000000\n",
        "\nprocess_allocated_memory_bytes 4300\n",
        "\nprocess_open_fds 9\n", // but ., .. and the one that counts them
        "\nprocess_threads 5\n",
        "\nprocess_max_fds 1024\n",
        "\nprocess_start_time_seconds 1500000000.25\n",
        "\nprocess_cpu_seconds_total 43.75\n",
        "\n# TYPE process_cpu_seconds_total counter\n",
        "\nbackplane_fibers 23\n",
        "\nbackplane_fibers_max 29\n",
        "\nbackplane_log_dropped_total 17\n",
        "\n# TYPE backplane_log_dropped_total counter\n",
        "\nbackplane_loop_lag_seconds{worker=\"0\"} 1.5\n",
        "\nbackplane_loop_lag_seconds{worker=\"1\"} 0.25\n",
        "backplane_build_info{version=\"" BACKPLANE_VERSION "\",compiler=\"" BACKPLANE_COMPILER
        "\",fibers=\"" BACKPLANE_FIBER_BACKEND "\",build=\"" BACKPLANE_BUILD "\"} 1\n",
    };
    struct process_metrics *m;

    (void)state;
    workers[0].lag_ns = 1500000000;
    workers[1].lag_ns = 250000000;
    machine.allocated = 300;
    machine.mapped = 4000;
    m = process_metrics_start(workers, 2, (struct log *)&machine);
    assert_non_null(m);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        expect_line(lines[i]);
    machine.statm = "1 x"; // what cannot be read stays
    machine.has_limit = machine.has_folders = false;
    expect_line("\nprocess_resident_memory_bytes 70000\n");
    expect_line("\nprocess_virtual_memory_bytes 5000000\n");
    expect_line("\nprocess_max_fds 1024\n");
    expect_line("\nprocess_threads 0\n");
    machine.statm = NULL;
    expect_line("\nprocess_resident_memory_bytes 70000\n");
    process_metrics_stop(m);
    machine.statm = "1 2";
    expect_line("\nprocess_resident_memory_bytes 70000\n"); // nobody measures any more
    process_metrics_stop(NULL);
    machine.has_memory = false;
    assert_null(process_metrics_start(workers, 2, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEASURED(resident_memory_is_in_pages),
        MEASURED(what_is_allocated_counts_and_what_is_resident_where_that_is_not_known),
        MEASURED(load_is_shed_and_then_refused_by_shares_of_the_budget),
        MEASURED(much_that_the_allocator_keeps_is_given_back),
        MEASURED(each_scrape_measures_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
