/* process_metrics.c - gauges about the process, brought up to date at each scrape. */
#include "ops/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/fiber.h"
#include "ops/pressure.h"
#include "version.h"

struct process_metrics {
    struct worker        *workers;
    uint32_t              count;
    struct log           *log;
    struct metric_series *cpu, *resident, *live, *virtual_memory, *descriptors, *descriptors_max,
        *threads, *start_time;
    struct metric_series *fibers, *fibers_max, *log_dropped;
    struct metric_family *loop_lag;
};

static void read_memory(struct process_metrics *m)
{
    FILE         *file = fopen("/proc/self/statm", "re");
    unsigned long size = 0, resident = 0;

    if (!file)
        return;
    if (fscanf(file, "%lu %lu", &size, &resident) == 2) {
        metric_set(m->virtual_memory, (double)size * (double)sysconf(_SC_PAGESIZE));
        metric_set(m->resident, (double)resident * (double)sysconf(_SC_PAGESIZE));
    }
    fclose(file);
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int  count = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2; // . and ..
}

static void collect(void *arg)
{
    struct process_metrics *m = arg;
    struct rusage           usage;
    struct rlimit           limit;

    getrusage(RUSAGE_SELF, &usage);
    metric_set(m->cpu, (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    read_memory(m);
    metric_set(m->live, (double)memory_live_bytes());
    metric_set(m->descriptors, count_entries("/proc/self/fd") - 1); // the one that counts them
    metric_set(m->threads, count_entries("/proc/self/task"));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_set(m->descriptors_max, (double)limit.rlim_cur);
    metric_set(m->fibers, fiber_live_count());
    metric_set(m->fibers_max, fiber_live_max());
    metric_set(m->log_dropped, (double)log_dropped(m->log));
    for (uint32_t i = 0; i < m->count; i++) {
        char   text[12];
        bp_str label = { text, (size_t)snprintf(text, sizeof(text), "%u", i) };

        metric_set(metrics_series(m->loop_lag, &label, 1), (double)m->workers[i].lag_ns / 1e9);
    }
}

struct process_metrics *process_metrics_start(struct worker *workers, uint32_t count,
                                              struct log *log)
{
    struct process_metrics *m = calloc(1, sizeof(*m));
    bp_str                  build[] = { BP_STR(BACKPLANE_VERSION), BP_STR(BACKPLANE_COMPILER),
                                        BP_STR(BACKPLANE_FIBER_BACKEND), BP_STR(BACKPLANE_BUILD) };

    if (!m)
        return NULL;
    m->workers = workers;
    m->count = count;
    m->log = log;
    m->cpu = metrics_single(METRIC_COUNTER, "process_cpu_seconds_total",
                            "User and system CPU time.");
    m->resident = metrics_single(METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory.");
    m->live = metrics_single(METRIC_GAUGE, "process_allocated_memory_bytes",
                             "Memory that is allocated: what server.limits.memory is a budget "
                             "for.");
    m->virtual_memory = metrics_single(METRIC_GAUGE, "process_virtual_memory_bytes",
                                       "Virtual memory.");
    m->descriptors = metrics_single(METRIC_GAUGE, "process_open_fds", "Open file descriptors.");
    m->descriptors_max = metrics_single(METRIC_GAUGE, "process_max_fds",
                                        "File descriptors allowed.");
    m->threads = metrics_single(METRIC_GAUGE, "process_threads", "Threads.");
    m->start_time = metrics_single(METRIC_GAUGE, "process_start_time_seconds",
                                   "Start, in seconds since 1970.");
    metric_set(m->start_time, (double)clock_wall_ns() / 1e9);
    m->fibers = metrics_single(METRIC_GAUGE, "backplane_fibers", "Fibers that run a call.");
    m->fibers_max = metrics_single(METRIC_GAUGE, "backplane_fibers_max",
                                   "Fibers allowed, from vm.max_map_count.");
    m->log_dropped = metrics_single(METRIC_COUNTER, "backplane_log_dropped_total",
                                    "Log lines dropped because the queue or the disk was full, or "
                                    "the rate was exceeded.");
    m->loop_lag = metrics_define(METRIC_GAUGE, "backplane_loop_lag_seconds",
                                 "Delay of the last heartbeat of each worker's loop.", "worker");
    metric_set(metrics_series(metrics_define(METRIC_GAUGE, "backplane_build_info", "Always 1.",
                                             "version compiler fibers build"),
                              build, 4),
               1);
    metrics_on_collect(collect, m);
    return m;
}

void process_metrics_stop(struct process_metrics *m)
{
    if (!m)
        return;
    metrics_remove_collect(collect, m);
    free(m);
}
