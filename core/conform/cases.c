/* cases.c - runs the cases of a contract as calls on the workers of a host, some on all of them at
 * once, and judges what they return. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "conform/parts.h"
#include "conform/web.h"

enum { CASE_TIMEOUT_S = 900 };

struct case_run {
    struct contract_runner    *run;
    const struct conform_case *which;
    struct worker             *worker;
    bp_status                  status;
    struct reason              why;
};

static bp_status run_case(bp_call *call, void *arg)
{
    struct case_run *one = arg;
    bp_status        status = one->which->run(call, &one->run->conform);

    // A case of refusals leaves the refusal's own sentence in the call.
    if (one->which->where == CONFORM_REFUSED && status == BP_OK &&
        !conform_is_refusal(call->error.status, call->error.message)) {
        bp_str said = bp_dup(call, call->error.message);

        return call_fail(call, BP_INTERNAL,
                         "it was not refused for its credentials, but as \"%s\": " BP_FMT,
                         bp_status_label(call->error.status), BP_ARG(said));
    }
    return status;
}

static void *run_on_worker(void *arg)
{
    struct case_run *one = arg;

    one->status = generation_call(one->worker, BP_SECONDS(CASE_TIMEOUT_S), run_case, one,
                                  &one->why);
    return NULL;
}

static void judge(struct contract_row *row, const struct case_run *runs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (runs[i].status == BP_OK || row->outcome == CONTRACT_FAILS)
            continue;
        row->outcome = runs[i].status == BP_UNSUPPORTED ? CONTRACT_SKIPPED : CONTRACT_FAILS;
        snprintf(row->detail, sizeof(row->detail), "%s%s", runs[i].why.text,
                 runs[i].status == BP_UNSUPPORTED || runs[i].status == BP_INTERNAL
                     ? ""
                     : " (of the operation itself)");
    }
}

static void run_one(struct contract_runner *run, const struct conform_case *which)
{
    uint32_t             count = which->where == CONFORM_EVERY_WORKER ? run->wish->workers : 1;
    struct case_run      runs[CONFORM_WORKERS_MAX];
    pthread_t            threads[CONFORM_WORKERS_MAX];
    struct contract_row *row = contract_report_add(run->report, which->sentence);
    int64_t              begun_ns = clock_now_ns();

    if (!row)
        return;
    for (int i = 0; i < CONFORM_COUNTERS; i++)
        run->conform.counters[i] = 0;
    for (uint32_t i = 0; i < count; i++) {
        runs[i] = (struct case_run){ run, which, &run->host.workers[i], BP_OK, { "" } };
        pthread_create(&threads[i], NULL, run_on_worker, &runs[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    row->seconds = (double)(clock_now_ns() - begun_ns) / 1e9;
    judge(row, runs, count);
    if (run->wish->judged)
        run->wish->judged(run->wish->arg, row);
}

static enum contract_phase phase_of(const struct conform_case *one)
{
    return one->where == CONFORM_REFUSED     ? CONTRACT_PHASE_REFUSALS
           : one->where == CONFORM_RESTARTED ? CONTRACT_PHASE_RESTARTED
                                             : CONTRACT_PHASE_CASES;
}

bool contract_has_phase(const char *kind, enum contract_phase phase)
{
    const struct conform_contract *contract = conform_contract_of(kind);

    for (size_t i = 0; i < contract->count; i++)
        if (phase_of(&contract->cases[i]) == phase)
            return true;
    return false;
}

void contract_run_cases(struct contract_runner *run, enum contract_phase phase)
{
    const struct conform_contract *contract = conform_contract_of(run->report->kind);

    for (uint32_t i = 0; i < run->wish->workers; i++) {
        struct instance *instance = generation_find(run->host.edition->generation, i,
                                                    bp_str_of(run->report->kind),
                                                    BP_STR("subject"));

        run->conform.peers[i] = &instance->peer;
    }
    run->conform.web = strcmp(run->report->kind, "app") == 0
                           ? contract_web_open(&run->host, BP_STR("subject"))
                           : NULL;
    for (size_t i = 0; i < contract->count; i++)
        if (phase_of(&contract->cases[i]) == phase)
            run_one(run, &contract->cases[i]);
}
