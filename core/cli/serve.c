/* serve.c - `backplane serve`: starts the host, waits for a signal, stops it in order. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "host/host.h"
#include "loop/crash.h"
#include "version.h"

enum { LOG_S = 2, GATHERED_MS = 30 }; /* of an end at once */

/* Taken by sigwait() here alone; threads inherit the mask. */
static void block_signals(sigset_t *waited)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };

    sigemptyset(waited);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(waited, signals[i]);
    pthread_sigmask(SIG_BLOCK, waited, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void say_ready(const struct host *host, int64_t started_ns)
{
    bp_field fields[] = { bp_field_str("version", BP_STR(BACKPLANE_VERSION)),
                          bp_field_number("startup_ms",
                                          (double)((clock_now_ns() - started_ns) / 10000) / 100),
                          bp_field_int("workers", host->worker_count),
                          bp_field_int("instances", (int64_t)host->edition->generation->unit_count),
                          bp_field_int("routes", (int64_t)router_count(host->edition->api.router)),
                          bp_field_str("address", (bp_str){ NULL, 0 }) };

    for (size_t i = 0; i < http_edge_listener_count(host->edge); i++) {
        fields[5].text = http_edge_listener_address(host->edge, i);
        log_event(host->log, BP_LOG_INFO, "listening", BP_STR(""), &fields[5], 1);
    }
    log_event(host->log, BP_LOG_INFO, "ready", BP_STR("ready to serve"), fields, 5);
}

/* Until it is told to stop. */
static int wait_for_end(struct host *host, const sigset_t *waited)
{
    for (;;) {
        int number = 0;

        if (sigwait(waited, &number) != 0)
            continue;
        switch (number) {
        case SIGUSR1:
            log_message(host->log, BP_LOG_INFO, "log_reopened",
                        log_reopen(host->log) ? "the log file was reopened"
                                              : "the log file could not be reopened");
            break;
        case SIGHUP:
            log_message(host->log, BP_LOG_WARN, "reload_ignored",
                        "SIGHUP: this version reads the conf only at a start: check it with "
                        "`backplane check`, then restart");
            break;
        case SIGUSR2:
            log_message(host->log, BP_LOG_WARN, "signal_ignored",
                        "SIGUSR2 does nothing here: SIGUSR1 reopens the log, SIGTERM ends the "
                        "server");
            break;
        default:
            return number;
        }
    }
}

static void wait_before_drain(struct host *host, int number)
{
    // SIGINT comes from a person at a terminal, who has no load balancer and waits.
    int64_t delay_ns = number == SIGINT ? 0 : host->edition->conf->server.drain.delay_ns;

    // The load balancer sees /health/ready fail before the listeners close.
    health_board_set_phase(host->edition->health, PHASE_DRAINING);
    if (delay_ns > 0)
        nanosleep(&(struct timespec){ .tv_sec = delay_ns / 1000000000,
                                      .tv_nsec = delay_ns % 1000000000 },
                  NULL);
}

/* Acknowledged writes are safe, as after a kill -9. */
static _Noreturn void stop_at_once(struct host *host, int number)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE,
                           NULL); // in the middle of the log it would be left locked
    alarm(LOG_S);                 // ends the process when nobody takes the log
    nanosleep(&(struct timespec){ .tv_nsec = GATHERED_MS * 1000000 },
              NULL); // workers hand over the lines that they have gathered
    log_message(host->log, BP_LOG_WARN, "stopped_at_once",
                "signal %d: running requests are cut off", number);
    log_flush(host->log);
    _exit(128 + number);
}

/* Takes the signals that end while the main thread is busy with a start, which may hang, or with an
 * end. */
struct watcher {
    struct host *host;
    int  first; /* the signal that came first; 0: none yet. Read it when the thread has ended */
    bool is_running;
    pthread_t thread;
};

/* A second signal, or SIGQUIT, ends the server at once. */
static void *watch(void *arg)
{
    struct watcher *watcher = arg;
    sigset_t        ending;
    int             number;

    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGQUIT);
    for (;;) {
        if (sigwait(&ending, &number) != 0)
            continue;
        if (watcher->first || number == SIGQUIT)
            stop_at_once(watcher->host, number);
        watcher->first = number;
    }
}

static void watch_begin(struct watcher *watcher, struct host *host, int first)
{
    *watcher = (struct watcher){ .host = host, .first = first };
    watcher->is_running = pthread_create(&watcher->thread, NULL, watch, watcher) == 0;
}

/* sigwait() is a place where pthread_cancel() is taken. */
static void watch_end(struct watcher *watcher)
{
    if (watcher->is_running) {
        pthread_cancel(watcher->thread);
        pthread_join(watcher->thread, NULL);
    }
    watcher->is_running = false;
}

int command_serve(int argc, char **argv)
{
    struct host_options options = { 0 };
    struct host         host;
    sigset_t            waited;
    int64_t             started_ns = clock_now_ns();
    int                 status;

    bool is_check = cli_take_flag(&argc, argv, "-t"), is_version = cli_take_flag(&argc, argv, "-V");
    struct watcher watcher = { .host = &host };

    options.conf_file = cli_take_conf(&argc, argv);
    options.is_quiet = cli_take_flag(&argc, argv, "-q");
    options.says_environment = true;
    if (!cli_is_all_taken(argc, argv, 0))
        return EXIT_USAGE;
    if (is_version)
        return command_version(0, NULL);
    if (is_check)
        return command_check_conf(options.conf_file, options.is_quiet);
    block_signals(&waited);
    raise_descriptor_limit();
    status = host_load(&host, &options);
    if (status == EXIT_DONE) {
        crash_install(host.log);
        watch_begin(&watcher, &host, 0);
        status = host_start(&host, &options);
        watch_end(&watcher);
    }
    if (status == EXIT_DONE) {
        say_ready(&host, started_ns);
        int number = watcher.first ? watcher.first : wait_for_end(&host, &waited);
        if (number == SIGQUIT)
            stop_at_once(&host, number);
        log_message(host.log, BP_LOG_INFO, "stopping",
                    "signal %d: the server finishes running requests, then stops; a second signal "
                    "ends it at once",
                    number);
        watch_begin(&watcher, &host, number);
        wait_before_drain(&host, number);
    }
    if (host.workers)
        host_stop(&host);
    watch_end(&watcher);
    if (status == EXIT_DONE)
        log_message(host.log, BP_LOG_INFO, "stopped", "everything was ended in order");
    host_free(&host);
    return status;
}
