/* watchdog.c - a thread that samples which fiber each worker runs and for how long.
 *
 * How long is not what the clock on the wall says: a machine without a free CPU, or a process that
 * was stopped, would be blamed on whatever plugin happened to run. Between two samples counts what
 * the loop's thread has used of its CPU; and where it sleeps in a system call, which is the
 * plugin's doing as well, the time that this thread saw pass, which has a break as long as its own
 * whenever the whole process stood still.
 */
#include "loop/watchdog.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

enum { SAMPLE_MS = 20 };

/* The run of a fiber that is watched on one worker. */
struct watched {
    int64_t since_ns; /* when it began; 0: none */
    int64_t held_ns;  /* what of the time since then counts */
    int64_t cpu_ns;   /* of the thread, at the last sample */
    int64_t at_ns;    /* the last sample */
    bool    is_warned;
};

struct watchdog {
    struct worker          *workers;
    uint32_t                count;
    struct watchdog_options options;
    struct log             *log;
    pthread_t               thread;
    _Atomic bool            is_stopping;
    struct metric_family   *blocked;
    struct watched          watched[]; /* of each worker */
};

static const char *or_host(const char *name)
{
    return name ? name : "host";
}

static void warn(struct watchdog *watchdog, struct worker *worker, int64_t held_ns)
{
    const char *plugin = or_host(worker->running.plugin), *op = worker->running.op;
    const char *instance = worker->running.instance;
    bp_field    fields[] = { bp_field_str("plugin", bp_str_of(plugin)),
                             bp_field_str("op", bp_str_of(op ? op : "-")),
                             bp_field_str("instance", bp_str_of(instance ? instance : "-")),
                             bp_field_int("worker", worker->index),
                             bp_field_int("duration_ms", held_ns / 1000000) };
    char        text[256];

    snprintf(text, sizeof(text),
             "%s holds the loop of worker %u in %s for %lld ms: move what blocks to "
             "bp_offload()",
             plugin, worker->index, op ? op : "-", (long long)(held_ns / 1000000));
    log_event(watchdog->log, BP_LOG_WARN, "loop_blocked", bp_str_of(text), fields, 5);
    metric_add(metrics_series(watchdog->blocked, &(bp_str){ plugin, strlen(plugin) }, 1), 1);
}

/* ---- the loop's thread ---- */

static int64_t cpu_of(const struct worker *worker)
{
    struct timespec used;

    if (!worker->tid || clock_gettime(worker->cpu_clock, &used) != 0)
        return 0;
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* In a system call that waits; not: on a CPU, or in the queue for one. Where it cannot be told it
 * is taken for asleep. */
static bool is_asleep(const struct worker *worker)
{
    char        path[64], text[128];
    const char *state;
    ssize_t     got;
    int         fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)worker->tid);
    fd = worker->tid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return true;
    got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    state = strrchr(text, ')'); // behind the thread's name, which is ours
    return !state || state[1] != ' ' || state[2] != 'R';
}

/* Adds what of the time since the last sample the run has to answer for. */
static void measure(struct watched *watched, const struct worker *worker, int64_t since_ns)
{
    int64_t now_ns = clock_now_ns(), cpu_ns = cpu_of(worker), passed_ns = now_ns - watched->at_ns;
    int64_t used_ns = cpu_ns - watched->cpu_ns, seen_ns = (int64_t)2 * SAMPLE_MS * 1000000;

    if (watched->since_ns != since_ns) {
        *watched = (struct watched){ .since_ns = since_ns, .cpu_ns = cpu_ns, .at_ns = now_ns };
        return;
    }
    if (used_ns < passed_ns / 2 && is_asleep(worker)) {
        int64_t slept_ns = passed_ns < seen_ns ? passed_ns : seen_ns;

        used_ns = slept_ns > used_ns ? slept_ns : used_ns;
    }
    watched->held_ns += used_ns;
    watched->cpu_ns = cpu_ns;
    watched->at_ns = now_ns;
}

static void look_at(struct watchdog *watchdog, struct worker *worker)
{
    const struct watchdog_options *options = &watchdog->options;
    struct watched                *watched = &watchdog->watched[worker->index];
    int64_t                        since_ns = worker->running.since_ns;

    if (!since_ns) {
        watched->since_ns = 0;
        worker->is_stuck = false;
        return;
    }
    measure(watched, worker, since_ns);
    if (options->warn_ns && watched->held_ns >= options->warn_ns && !watched->is_warned) {
        watched->is_warned = true;
        warn(watchdog, worker, watched->held_ns);
    }
    worker->is_stuck = options->stuck_ns && watched->held_ns >= options->stuck_ns;
    if (options->abort_ns && watched->held_ns >= options->abort_ns && worker->has_thread) {
        log_message(watchdog->log, BP_LOG_ERROR, "loop_stuck",
                    "%s holds the loop of worker %u in %s since %lld ms, which is the limit of "
                    "watchdog.abort: ending the process with a stack trace",
                    or_host(worker->running.plugin), worker->index,
                    worker->running.op ? (const char *)worker->running.op : "-",
                    (long long)(watched->held_ns / 1000000));
        pthread_kill(worker->thread, SIGABRT);
        nanosleep(&(struct timespec){ .tv_sec = 5 }, NULL);
        abort();
    }
}

static void *run(void *arg)
{
    struct watchdog *watchdog = arg;

    while (!watchdog->is_stopping) {
        for (uint32_t i = 0; i < watchdog->count; i++)
            look_at(watchdog, &watchdog->workers[i]);
        nanosleep(&(struct timespec){ .tv_nsec = SAMPLE_MS * 1000000 }, NULL);
    }
    return NULL;
}

struct watchdog *watchdog_start(struct worker *workers, uint32_t count,
                                const struct watchdog_options *options, struct log *log)
{
    struct watchdog *watchdog = calloc(1, sizeof(*watchdog) + count * sizeof(struct watched));

    if (!watchdog)
        return NULL;
    watchdog->workers = workers;
    watchdog->count = count;
    watchdog->options = *options;
    watchdog->log = log;
    watchdog->blocked = metrics_define(METRIC_COUNTER, "backplane_loop_blocked_total",
                                       "Times that a plugin held a loop longer than watchdog.warn.",
                                       "plugin");
    if (pthread_create(&watchdog->thread, NULL, run, watchdog) != 0) {
        free(watchdog);
        return NULL;
    }
    pthread_setname_np(watchdog->thread, "watchdog");
    return watchdog;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    watchdog->is_stopping = true;
    pthread_join(watchdog->thread, NULL);
    free(watchdog);
}

bool watchdog_is_alive(const struct worker *workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (workers[i].is_stuck)
            return false;
    return true;
}
