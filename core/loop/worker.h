/* worker.h - a thread with one libuv loop, and the fibers that live on it.
 *
 * Everything of a worker is used only by its thread, except worker_post() and what says so.
 */
#ifndef CORE_LOOP_WORKER_H
#define CORE_LOOP_WORKER_H

#include <pthread.h>
#include <time.h>
#include <uv.h>

#include <backplane/base.h>

#include "base/log.h"
#include "base/queue.h"

enum { WORKER_SLOTS_MAX = 8 };

struct fiber;
struct worker_post;

/* Who is running, for the watchdog and the crash handler. The strings outlive the process's last
 * call. */
struct worker_running {
    const char *_Atomic plugin; /* "vector/local"; NULL: the host itself */
    const char *_Atomic instance;
    const char *_Atomic op;
    _Atomic int64_t     since_ns; /* when the running fiber was entered; 0: none runs */
};

struct worker {
    uv_loop_t   loop;
    uint32_t    index, count; /* of all workers */
    struct log *log;
    pthread_t   thread;
    bool        has_thread;
    bool        is_stopping;
    clockid_t   cpu_clock; /* of the thread that runs the loop */
    _Atomic int tid;       /* its id; 0: none has run it yet */

    struct fiber     *current; /* the fiber that runs now */
    struct queue      fibers;  /* all that have a call, newest first */
    struct queue      spare;   /* finished ones, kept for the next call */
    struct queue      ready;   /* fibers that run in their turn */
    bool              is_draining;
    uv_prepare_t      turn;  /* the end of a turn of the loop */
    struct log_batch *batch; /* the lines logged in this turn and in those before */
    uv_timer_t        flush; /* when that is handed over */
    uv_idle_t         again; /* keeps the loop from waiting while fibers are ready */

    uv_async_t          wake;
    pthread_mutex_t     post_lock;
    struct worker_post *post_first, *post_last;

    uv_timer_t            beat; /* a heartbeat, which also measures how late the loop is */
    int64_t               beat_due_ns;
    _Atomic int64_t       beat_ns, lag_ns;
    _Atomic int           is_stuck; /* set by the watchdog: liveness fails */
    struct worker_running running;

    void *slots[WORKER_SLOTS_MAX]; /* see worker_slot() */
};

/* What a layer above keeps for each worker. A key is a static variable of that layer, zero at
 * first; at most WORKER_SLOTS_MAX of a program. NULL is there at first. The layer that fills a slot
 * empties it before worker_free(). */
struct worker_slot {
    _Atomic uint32_t number; /* 0: not used yet */
};
void **worker_slot(struct worker *worker, struct worker_slot *key);

/* Initialises the loop; `log` is borrowed. 0 or a libuv error. */
int worker_init(struct worker *worker, uint32_t index, uint32_t count, struct log *log);
/* Starts a thread that runs the loop until worker_stop(). */
int worker_start(struct worker *worker);
/* Runs the loop on the calling thread until worker_stop(). */
void worker_run(struct worker *worker);
/* Runs the loop on the calling thread until `is_done(arg)`; for start-up and for tests. */
void worker_run_until(struct worker *worker, bool (*is_done)(void *arg), void *arg);
void worker_stop(struct worker *worker); /* any thread: ends worker_run() */
void worker_join(struct worker *worker);
/* Closes all handles and frees the loop; all calls must have ended. */
void worker_free(struct worker *worker);

/* The worker of this thread; NULL on a pool thread and on the main thread. */
struct worker *worker_current(void);
/* Makes this thread act for a worker (the thread backend's fibers do). */
void worker_adopt_thread(struct worker *worker);

/* Runs fn(arg) on the worker soon, on its own stack. Any thread; never fails short of memory
 * exhaustion, which ends the process with a sentence, as the caller could not go on (must.h). */
void worker_post(struct worker *worker, void (*fn)(void *arg), void *arg);

/* The same from a `post` that the caller owns, without allocating; it may be used again once fn
 * runs. */
struct worker_post {
    struct worker_post *next;
    void (*fn)(void *arg);
    void *arg;
    bool  is_owned;
};
void worker_post_owned(struct worker *worker, struct worker_post *post);

/* Runs the fibers that are ready; called where callbacks of libuv end, and by fiber_wake(). */
void worker_run_ready(struct worker *worker);

#endif
