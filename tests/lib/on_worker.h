/* on_worker.h - runs a function as a call of a worker of the test's, to its end. */
#ifndef TESTS_LIB_ON_WORKER_H
#define TESTS_LIB_ON_WORKER_H

#include <stdbool.h>

#include "loop/call.h"
#include "loop/worker.h"

struct script {
    void (*run)(bp_call *call);
    bool is_done;
};

static inline void run_script(bp_call *call, void *arg)
{
    struct script *script = arg;

    script->run(call);
    script->is_done = true;
}

static inline bool script_is_done(void *arg)
{
    return ((struct script *)arg)->is_done;
}

static inline void run_on_worker(struct worker *on, void (*what)(bp_call *call),
                                 int64_t        deadline_ns)
{
    struct script script = { .run = what };

    assert_true(
        call_start(on, &(struct call_options){ .deadline_ns = deadline_ns }, run_script, &script));
    worker_run_until(on, script_is_done, &script);
}

#endif
