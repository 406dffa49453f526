/* runs.h - long-lived work: begun by a request, run as a call of its own, and looked at, fed,
 * waited for and cancelled by its id, even after the client has gone.
 *
 *      run_new -> run_start -> WORKING <-> WAITING (run_ask) -> run_end: COMPLETED, FAILED or CANCELLED
 *                                                                 -> kept_ns later it is gone
 *
 * A run belongs to the principal that began it; for others it does not exist. It uses the instances
 * of one generation until its end, so that another edition of the conf does not take them away. Its
 * handle outlives connections, sessions and editions; work that must outlive the process keeps its
 * own record in a storage and begins again under the same id.
 *
 * Everything here is behind one lock that is never held across a suspension. Runs come and go on
 * any worker; what a run's work may call is called on the run's worker.
 */
#ifndef CORE_OPS_RUNS_H
#define CORE_OPS_RUNS_H

#include "base/arena.h"
#include "base/shared_text.h"
#include "base/shares.h"
#include "loop/call.h"
#include "loop/job.h"
#include "loop/principal.h"
#include "plugin/generation.h"

struct runs;
struct run;

enum {
    RUN_ID_CHARS = 32,
    RUN_WHAT_BYTES = 32,
    RUN_OWNER_BYTES = PRINCIPAL_DIGEST_BYTES,
    RUN_MESSAGE_BYTES = 256
};

enum run_state { RUN_WORKING, RUN_WAITING, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED };

struct runs_limits {
    size_t      bytes; /* copies, answers and outcomes together; a client may have a quarter */
    uint32_t    count; /* of all, running and kept */
    uint32_t    count_of_one; /* of one principal */
    int64_t     kept_ns;      /* how long one stays after its end */
    const char *setting;      /* of the conf that bounds the bytes, for sentences; static */
};

/* NULL: no memory. */
struct runs *runs_new(const struct runs_limits *limits);
void         runs_free(struct runs *runs); /* after runs_stop() */
/* On a worker: from now on those that have ended go when their time is over. False: no memory. */
bool runs_start(struct runs *runs, struct worker *worker);
void runs_expire(struct runs *runs, int64_t now_ns);
/* Cancels what runs and waits until it has ended; on the worker of runs_start(). None begins any
 * more. */
void runs_stop(bp_call *call, struct runs *runs) BP_SUSPENDS;

/* ---- beginning ---- */

/* What a run does. `work` runs as a call with the identity of the one that began it, and ends by
 * run_end(). */
struct run_work {
    void (*work)(bp_call *call, struct run *run, void *arg);
    void              *arg;         /* in run_arena(): gone once the run has ended */
    struct generation *generation;  /* the generation of the instances that it uses */
    int64_t            deadline_ns; /* from its start; BP_FOREVER: none */
};

/* Held by the caller until run_release(). `owner`: principal_digest() of who begins it; `client`:
 * of the client that its bytes count for; `id`: NULL for a new random one. NULL: no memory. On a
 * worker. */
struct run *run_new(bp_call *call, struct runs *runs, const uint8_t owner[RUN_OWNER_BYTES],
                    const uint8_t client[SHARE_DIGEST_BYTES], const char *id);
/* Before run_start(): a word for those who list runs; cut at RUN_WHAT_BYTES. */
void run_set_what(struct run *run, const char *what);
/* For what it works with, before run_start(): counted, and freed at its end. At most 64 MiB. */
struct arena *run_arena(struct run *run);
/* From here on it can be found. One of the same owner and id that has ended is gone; BP_CONFLICT
 * when it has not. The oldest run of the same owner that has ended makes room, then the oldest of
 * all. BP_LIMIT when there is no room or no fiber, BP_UNAVAILABLE after runs_stop(). With a
 * sentence: nothing runs. */
bp_status run_start(bp_call *call, struct run *run, const struct run_work *work);

/* ---- for the work ---- */

/* What somebody who looks sees: cut at RUN_MESSAGE_BYTES, within no character. */
void run_set_message(struct run *run, bp_str message);
/* `total` 0: not known. */
void run_set_progress(struct run *run, int64_t done, int64_t total);

/* A question that somebody who knows the id answers. The caller's, on its stack. */
struct run_question {
    struct run_question *next;
    const char          *key;
    const void          *asked;  /* for those who list the questions: run_each_question() */
    struct shared_text  *answer; /* then the caller's, to release; NULL: not yet */
};
/* Waits until all are answered; the run's gate has its place free meanwhile. BP_OK, BP_CANCELLED,
 * BP_DEADLINE, BP_NO_MEMORY. */
bp_status run_ask(bp_call *call, struct run *run, struct run_question *questions,
                  size_t count) BP_SUSPENDS;

/* Ends it. A run that was cancelled is CANCELLED whatever is said here. `outcome` is kept, counted;
 * `too_large`, for one that its client has no room for, then the run is FAILED. The last thing that
 * the work does with the run. */
void run_end(bp_call *call, struct run *run, enum run_state state, bp_str outcome,
             const char *too_large);

/* ---- for those who look ---- */

/* Held; NULL: there is none of that owner, or no longer. */
struct run *run_find(struct runs *runs, bp_str id, const uint8_t owner[RUN_OWNER_BYTES]);
void        run_hold(struct run *run);
void        run_release(struct run *run);

struct run_view {
    const char    *id, *what;
    enum run_state state;
    int64_t        created_wall_ns, updated_wall_ns;
    int64_t        done, total;
    char           message[RUN_MESSAGE_BYTES];
};
struct run_view run_look(struct run *run);
/* Held by the caller; NULL: it has not ended, or left nothing. */
struct shared_text *run_outcome(struct run *run);
/* All of one owner, the newest first. `each` runs under the lock. */
void runs_each(struct runs *runs, const uint8_t                            owner[RUN_OWNER_BYTES],
               void (*each)(const struct run_view *view, void *arg), void *arg);
/* Those without an answer. `each` runs under the lock. */
void run_each_question(struct run *run,
                       void (*each)(const struct run_question *question, void *arg), void *arg);
/* Whether the question was open; *is_full: the client has no room for the answer. */
bool run_answer(struct run *run, bp_str key, bp_str answer, bool *is_full);
/* False: it has ended already. The state changes at once; the work is told soon. */
bool run_cancel(struct run *run);
/* Until it has ended. BP_LIMIT: too many wait; BP_CANCELLED, BP_DEADLINE: of the caller. */
bp_status run_wait(bp_call *call, struct run *run) BP_SUSPENDS;
/* The same, and BP_OK as well when `deadline_ns` has passed before the call's own. */
bp_status run_wait_until(bp_call *call, struct run *run, int64_t deadline_ns) BP_SUSPENDS;

#endif
