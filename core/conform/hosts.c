/* hosts.c - a host for one phase of a contract. A plugin that leaves something open fails a case.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conform/parts.h"
#include "conform/web.h"

enum { SHUTDOWN_GRACE_MS = 3000 };

static size_t open_descriptors(void)
{
    DIR   *folder = opendir("/proc/self/fd");
    size_t count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void judge_leaks(struct contract_runner *run, int left_open, size_t descriptors_before)
{
    struct contract_row *row = contract_report_add(run->report,
                                                   "everything is given back at the end: "
                                                   "connections, threads, locks, descriptors");
    size_t               now = 0;

    // The kernel may take a moment to end a thread's or a connection's descriptor.
    for (int waited_ms = 0;
         waited_ms < SHUTDOWN_GRACE_MS && (now = open_descriptors()) > descriptors_before;
         waited_ms += 50)
        usleep(50000);
    if (!row || (left_open == 0 && now <= descriptors_before))
        return;
    row->outcome = CONTRACT_FAILS;
    snprintf(row->detail, sizeof(row->detail),
             "%d pools, locks or kept connections, and %zd descriptors, are left", left_open,
             (ssize_t)now - (ssize_t)descriptors_before);
}

static int left_open_of(const struct host *host, const char *kind)
{
    struct instance *instance = generation_find(host->edition->generation, 0, bp_str_of(kind),
                                                BP_STR("subject"));

    return instance ? instance->unit->open_pools + instance->unit->open_mutexes +
                          instance->unit->open_streams
                    : 0;
}

/* What libuv opens once for the process counts before, not as left behind. */
static void open_what_stays(void)
{
    uv_loop_t loop;

    if (uv_loop_init(&loop) == 0)
        uv_loop_close(&loop);
}

/* That it does not start is right, if that is for its credentials and not because nothing was there
 * to refuse them. */
static void judge_refused_start(struct contract_runner *run)
{
    static const char sentence[] = "wrong credentials are refused with a sentence, when it starts";
    const struct generation *generation = run->host.edition->generation;
    struct contract_row     *row = contract_report_add(run->report, sentence);

    if (!row || (generation && conform_is_refusal(generation->problem_status,
                                                  bp_str_of(generation->problem.text))))
        return;
    row->outcome = CONTRACT_FAILS;
    snprintf(row->detail, sizeof(row->detail),
             "it does not start, but not for its credentials: %.900s",
             generation ? generation->problem.text : "no memory for the instances");
}

/* One host on `text`, the cases of a phase, the end. That it does not start is right for refusals.
 */
int contract_run_host(struct contract_runner *run, char *text, enum contract_phase phase)
{
    struct host_options options = { .conf_file = "(what the command line asked for)",
                                    .conf_text = text,
                                    .only_kind = run->report->kind,
                                    .only_name = "subject",
                                    .only_workers = run->wish->workers,
                                    .handler = strcmp(run->report->kind, "app") == 0
                                                   ? contract_web_handle
                                                   : NULL,
                                    .handler_arg = &run->host };
    bool                are_refusals = phase == CONTRACT_PHASE_REFUSALS;
    size_t              descriptors;
    int                 status, left_open;

    open_what_stays();
    descriptors = open_descriptors();
    status = host_load(&run->host, &options);
    if (status != EXIT_DONE) {
        host_free(&run->host);
        return status;
    }
    status = host_start(&run->host, &options);
    if (status == EXIT_DONE)
        contract_run_cases(run, phase);
    else if (are_refusals && status == EXIT_STORAGE)
        judge_refused_start(run);
    host_stop(&run->host);
    left_open = run->host.edition->generation ? left_open_of(&run->host, run->report->kind) : 0;
    host_free(&run->host);
    if (status == EXIT_DONE && !are_refusals &&
        !(phase == CONTRACT_PHASE_CASES &&
          contract_has_phase(run->report->kind, CONTRACT_PHASE_RESTARTED)))
        judge_leaks(run, left_open, descriptors);
    return are_refusals && status == EXIT_STORAGE ? EXIT_DONE : status;
}
