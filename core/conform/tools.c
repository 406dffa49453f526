/* tools.c - host functions for the cases: cancel a call at its n-th suspension, start a call,
 * restart a server, measure memory. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform/memory.h"
#include "conform/parts.h"
#include "loop/pool.h"
#include "loop/waker.h"

enum { RESTART_WORDS_MAX = 32 };

static void cancel_at(bp_call *call, uint32_t suspension)
{
    call->suspensions = 0;
    call->cancel_at = suspension;
}

static uint32_t suspensions_of(const bp_call *call)
{
    return call->suspensions;
}

static void set_deadline(bp_call *call, int64_t deadline_ns)
{
    call->deadline_ns = deadline_ns;
}

/* A call of its own, with memory of its own: what it leaves open is closed at its end. */
struct apart {
    bp_status (*run)(bp_call *call, void *arg);
    void         *arg;
    struct waker *waker;
    bp_status     status;
    bool          is_done;
    struct reason why;
};

static void run_apart(bp_call *call, void *arg)
{
    struct apart *apart = arg;

    apart->status = apart->run(call, apart->arg);
    reason_set(&apart->why, BP_FMT, BP_ARG(call->error.message));
}

static void end_apart(void *arg)
{
    struct apart *apart = arg;

    apart->is_done = true;
    waker_wake(apart->waker);
}

static void start_apart(bp_call *call, void *arg)
{
    arena_on_free(call->arena, end_apart, arg); // the last to run: open calls are closed before
    run_apart(call, arg);
}

static bp_status apart(bp_call *call, bp_status (*run)(bp_call *call, void *arg), void *arg)
{
    struct apart apart = { .run = run, .arg = arg, .waker = waker_new(call) };

    if (!apart.waker ||
        !call_start(call->worker, &(struct call_options){ .deadline_ns = call->deadline_ns },
                    start_apart, &apart)) {
        waker_end(apart.waker);
        return call_fail(call, BP_NO_MEMORY, "no fiber for another call");
    }
    while (!apart.is_done)
        call_wait_unconditionally(call, "another call");
    waker_end(apart.waker);
    return apart.status == BP_OK ? BP_OK : call_fail(call, apart.status, "%s", apart.why.text);
}

static const char *restart_command;

/* The words of the command, without a shell: blanks part them. */
static bp_status run_command(bp_call *call, void *arg)
{
    char *text = strdup(restart_command), *words[RESTART_WORDS_MAX + 1] = { NULL }, *rest = NULL;
    int   count = 0, status = 0;
    pid_t child = -1;

    (void)arg;
    for (char *word = text ? strtok_r(text, " ", &rest) : NULL; word && count < RESTART_WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    if (count && posix_spawnp(&child, words[0], NULL, NULL, words, environ) == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    free(text);
    if (child > 0 && status == 0)
        return BP_OK;
    return call_fail(call, BP_INTERNAL, "the restart command %s",
                     child > 0 ? "failed" : "cannot be run");
}

static bp_status restart(bp_call *call)
{
    struct bp_pool *pool = pool_create("restart", 1);
    bp_status       status = pool ? pool_offload(call, pool, run_command, NULL) : BP_NO_MEMORY;

    if (pool)
        pool_destroy(pool);
    return status;
}

void contract_give_tools(struct conform *conform, const char *command)
{
    conform->cancel_at = cancel_at;
    conform->suspensions = suspensions_of;
    conform->set_deadline = set_deadline;
    conform->apart = apart;
    conform->allocated_bytes = contract_allocated_bytes;
    conform->resident_bytes = contract_resident_bytes;
    conform->restart = command ? restart : NULL;
    restart_command = command;
}
