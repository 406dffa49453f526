/* job.c - periodic work on a worker. */
#include "loop/job.h"

#include <stdlib.h>

#include "base/clock.h"

struct job {
    struct job_options options;
    struct worker     *worker;
    uv_timer_t         timer;
    uint32_t           runs;    /* begun, or waiting for their turn among the ready fibers */
    bp_call           *running; /* the run that is under way */
    bp_call           *stopper; /* who waits in job_stop() */
    bool               is_stopping;
};

static void start_run(uv_timer_t *timer);

static void run(bp_call *call, void *arg)
{
    struct job *job = arg;

    job->running = call;
    if (!job->is_stopping)
        job->options.run(call, job->options.arg);
    job->running = NULL;
    job->runs--;
    if (job->is_stopping) {
        if (job->stopper)
            call_wake(job->stopper);
        return;
    }
    uv_timer_start(&job->timer, start_run, (uint64_t)(job->options.interval_ns / 1000000) + 1, 0);
}

static void start_run(uv_timer_t *timer)
{
    struct job         *job = timer->data;
    struct call_options options = { .deadline_ns = clock_now_ns() + job->options.timeout_ns };

    job->runs++;
    if (!call_start(job->worker, &options, run, job)) {
        job->runs--;
        log_message(job->worker->log, BP_LOG_WARN, "job_skipped",
                    "job \"%s\" was put off by a second: no fiber is free", job->options.name);
        uv_timer_start(&job->timer, start_run, 1000, 0);
    }
}

struct job *job_start(struct worker *worker, const struct job_options *options)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->options = *options;
    job->worker = worker;
    uv_timer_init(&worker->loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, start_run, (uint64_t)(options->first_ns / 1000000), 0);
    return job;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void job_stop(bp_call *call, struct job *job)
{
    job->is_stopping = true;
    job->stopper = call;
    uv_timer_stop(&job->timer);
    while (job->runs) {
        if (job->running)
            call_cancel(job->running);
        call_wait_unconditionally(call, "a job to end");
    }
    uv_close((uv_handle_t *)&job->timer, on_closed);
}
