/* job.h - periodic work on a worker, each run as a call of its own. */
#ifndef CORE_LOOP_JOB_H
#define CORE_LOOP_JOB_H

#include "loop/call.h"

struct job;

struct job_options {
    const char *name;        /* for logs; must outlive the job */
    int64_t     interval_ns; /* from the end of a run to the next one */
    int64_t     first_ns;    /* until the first run */
    int64_t     timeout_ns;  /* of one run */
    void (*run)(bp_call *call, void *arg);
    void *arg;
};

/* On the worker. NULL when there is no memory. */
struct job *job_start(struct worker *worker, const struct job_options *options);
/* Cancels a run that is under way and waits for it; the job is gone afterwards. */
void job_stop(bp_call *call, struct job *job) BP_SUSPENDS;

#endif
