/* watchdog.c - a thread that samples which fiber each worker runs and for how long. */
#include "loop/watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/metrics.h"

enum { SAMPLE_MS = 20 };

struct watchdog {
    struct worker          *workers;
    uint32_t                count;
    struct watchdog_options options;
    struct log             *log;
    pthread_t               thread;
    _Atomic bool            is_stopping;
    struct metric_family   *blocked;
    int64_t                 warned_since_ns[]; /* of each worker: the start of the run that was logged */
};

static const char *or_host(const char *name)
{
    return name ? name : "host";
}

static void warn(struct watchdog *watchdog, struct worker *worker, int64_t held_ns)
{
    const char *plugin = or_host(worker->running.plugin), *op = worker->running.op;
    const char *instance = worker->running.instance;
    bp_field    fields[] = { bp_field_str("plugin", bp_str_of(plugin)), bp_field_str("op", bp_str_of(op ? op : "-")),
                             bp_field_str("instance", bp_str_of(instance ? instance : "-")),
                             bp_field_int("worker", worker->index), bp_field_int("duration_ms", held_ns / 1000000) };
    char        text[256];

    snprintf(text, sizeof(text),
             "%s holds the loop of worker %u in %s since %lld ms: what blocks belongs into bp_offload()", plugin,
             worker->index, op ? op : "-", (long long)(held_ns / 1000000));
    log_event(watchdog->log, BP_LOG_WARN, "loop_blocked", bp_str_of(text), fields, 5);
    metric_add(metrics_series(watchdog->blocked, &(bp_str){ plugin, strlen(plugin) }, 1), 1);
}

static void look_at(struct watchdog *watchdog, struct worker *worker)
{
    const struct watchdog_options *options = &watchdog->options;
    int64_t since_ns = worker->running.since_ns, held_ns = since_ns ? clock_now_ns() - since_ns : 0;
    int64_t silent_ns = clock_now_ns() - worker->beat_ns;

    if (options->warn_ns && held_ns >= options->warn_ns && watchdog->warned_since_ns[worker->index] != since_ns) {
        watchdog->warned_since_ns[worker->index] = since_ns;
        warn(watchdog, worker, held_ns);
    }
    worker->is_stuck = options->stuck_ns && held_ns >= options->stuck_ns;
    if (options->abort_ns && held_ns >= options->abort_ns && silent_ns >= options->abort_ns && worker->has_thread) {
        log_message(watchdog->log, BP_LOG_ERROR, "loop_stuck",
                    "%s holds the loop of worker %u in %s since %lld ms, which is the limit of watchdog.abort: "
                    "ending the process with a stack trace",
                    or_host(worker->running.plugin), worker->index,
                    worker->running.op ? (const char *)worker->running.op : "-", (long long)(held_ns / 1000000));
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

struct watchdog *watchdog_start(struct worker *workers, uint32_t count, const struct watchdog_options *options,
                                struct log *log)
{
    struct watchdog *watchdog = calloc(1, sizeof(*watchdog) + count * sizeof(int64_t));

    if (!watchdog)
        return NULL;
    watchdog->workers = workers;
    watchdog->count = count;
    watchdog->options = *options;
    watchdog->log = log;
    watchdog->blocked = metrics_define(METRIC_COUNTER, "backplane_loop_blocked_total",
                                       "Times that a plugin held a loop longer than watchdog.warn.", "plugin");
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
