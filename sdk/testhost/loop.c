/* loop.c - faked: the event loop. To wait, the virtual clock moves on, or poll() waits, or a thread
 * does; fibers do not exist. */
#include "host.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define REAL_WAIT_MAX_MS                                                                           \
    2000 /* for a descriptor or a lock: then the virtual deadline is said to have passed */

static bp_status loop_sleep(bp_call *call, int64_t duration_ns)
{
    int64_t left_ns;

    BP_TRY(call_check(call));
    left_ns = bp_deadline_ns(call) - clock_now_ns();
    if (duration_ns > left_ns && !call->shield_until_ns) {
        clock_advance(left_ns);
        return call_check(call);
    }
    clock_advance(duration_ns < 0 ? 0 : duration_ns);
    return BP_OK;
}

static bp_status loop_wait_fd(bp_call *call, int32_t fd, uint32_t events, int64_t deadline_ns,
                              uint32_t *ready)
{
    struct pollfd poll_fd = { .fd = fd };
    int64_t       left_ns;
    int           count;

    BP_TRY(call_check(call));
    if (deadline_ns > bp_deadline_ns(call))
        deadline_ns = bp_deadline_ns(call);
    left_ns = deadline_ns - clock_now_ns();
    poll_fd.events = (short)(((events & BP_FD_READ) ? POLLIN : 0) |
                             ((events & BP_FD_WRITE) ? POLLOUT : 0));
    do
        count = poll(&poll_fd, 1,
                     left_ns > BP_MILLISECONDS(REAL_WAIT_MAX_MS) ? REAL_WAIT_MAX_MS
                                                                 : (int)(left_ns / 1000000));
    while (count < 0 && errno == EINTR);
    if (count <= 0) {
        if (left_ns > 0)
            clock_advance(left_ns);
        return bp_fail(call, BP_DEADLINE, "descriptor %d was not ready in time", fd);
    }
    if (ready) {
        bool is_broken = (poll_fd.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        *ready = ((poll_fd.revents & POLLIN) || is_broken ? BP_FD_READ & events : 0u) |
                 ((poll_fd.revents & POLLOUT) || is_broken ? BP_FD_WRITE & events : 0u);
    }
    return BP_OK;
}

/* ---- offload: at most as many jobs of a pool at once as it has threads ---- */

struct bp_pool {
    testhost       *host;
    pthread_mutex_t lock;
    pthread_cond_t  is_free;
    uint32_t        threads, running;
};

struct offload {
    bp_call *call;
    bp_status (*job)(bp_call *call, void *arg);
    void     *arg;
    bp_status status;
};

static void *offload_run(void *arg)
{
    struct offload *offload = arg;
    offload->status = offload->job(offload->call, offload->arg);
    return NULL;
}

static bp_status loop_offload(bp_call *call, bp_pool                           *pool,
                              bp_status (*job)(bp_call *call, void *arg), void *arg)
{
    struct offload offload = { .call = call, .job = job, .arg = arg };
    pthread_t      thread;

    BP_TRY(call_check(call));
    if (pool) {
        pthread_mutex_lock(&pool->lock);
        while (pool->running == pool->threads)
            pthread_cond_wait(&pool->is_free, &pool->lock);
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
    }
    if (!call->host->offloads_on_threads)
        offload_run(&offload);
    else if (pthread_create(&thread, NULL, offload_run, &offload) == 0)
        pthread_join(thread, NULL);
    else
        offload.status = bp_fail(call, BP_LIMIT, "no thread can be started");
    if (pool) {
        pthread_mutex_lock(&pool->lock);
        pool->running--;
        pthread_cond_signal(&pool->is_free);
        pthread_mutex_unlock(&pool->lock);
    }
    return offload.status;
}

void testhost_offload_on_threads(testhost *host, bool on_threads)
{
    host->offloads_on_threads = on_threads;
}

static bp_status loop_pool_create(bp_call *call, bp_str name, uint32_t threads, bp_pool **pool)
{
    if (threads < 1 || threads > 64)
        return bp_fail(call, BP_INVALID,
                       "pool " BP_FMT ": %u threads asked for, 1 to 64 are possible", BP_ARG(name),
                       threads);
    *pool = calloc(1, sizeof(**pool));
    if (!*pool)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a pool");
    (*pool)->host = call->host;
    (*pool)->threads = threads;
    pthread_mutex_init(&(*pool)->lock, NULL);
    pthread_cond_init(&(*pool)->is_free, NULL);
    atomic_fetch_add(&call->host->open.pools, 1);
    return BP_OK;
}

static void loop_pool_destroy(bp_pool *pool)
{
    if (!pool)
        return;
    atomic_fetch_sub(&pool->host->open.pools, 1);
    pthread_cond_destroy(&pool->is_free);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- mutex ---- */

struct bp_mutex {
    testhost       *host;
    pthread_mutex_t lock;
    pthread_cond_t  is_free;
    bool            is_locked;
    pthread_t       owner;
};

static bp_status loop_mutex_create(bp_call *call, bp_mutex **mutex)
{
    pthread_condattr_t monotonic;

    *mutex = calloc(1, sizeof(**mutex));
    if (!*mutex)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a mutex");
    (*mutex)->host = call->host;
    pthread_mutex_init(&(*mutex)->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&(*mutex)->is_free, &monotonic);
    pthread_condattr_destroy(&monotonic);
    atomic_fetch_add(&call->host->open.mutexes, 1);
    return BP_OK;
}

static void loop_mutex_destroy(bp_mutex *mutex)
{
    if (!mutex)
        return;
    atomic_fetch_sub(&mutex->host->open.mutexes, 1);
    pthread_cond_destroy(&mutex->is_free);
    pthread_mutex_destroy(&mutex->lock);
    free(mutex);
}

/* A lock held by this very thread would never come free, as there is no other fiber: the wait is
 * over at once and the clock stands at the deadline. For another thread's lock it waits for real.
 */
static bp_status loop_mutex_lock(bp_call *call, bp_mutex *mutex)
{
    bp_status status = call_check(call);
    bool      is_own;

    if (status != BP_OK)
        return status;
    pthread_mutex_lock(&mutex->lock);
    is_own = mutex->is_locked && pthread_equal(mutex->owner, pthread_self());
    while (mutex->is_locked && !is_own && status == BP_OK) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 10 * 1000 * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&mutex->is_free, &mutex->lock, &until);
        status = call_check(call);
    }
    if (!mutex->is_locked && status == BP_OK) {
        mutex->is_locked = true;
        mutex->owner = pthread_self();
    }
    pthread_mutex_unlock(&mutex->lock);
    if (is_own && bp_deadline_ns(call) != BP_FOREVER && bp_deadline_ns(call) > clock_now_ns())
        clock_advance(bp_deadline_ns(call) - clock_now_ns());
    if (is_own)
        return bp_fail(call, BP_DEADLINE, "the lock is held and did not come free in time");
    return status;
}

static void loop_mutex_unlock(bp_mutex *mutex)
{
    pthread_mutex_lock(&mutex->lock);
    mutex->is_locked = false;
    pthread_cond_signal(&mutex->is_free);
    pthread_mutex_unlock(&mutex->lock);
}

/* ---- children: they run to their end when they are spawned ---- */

struct bp_child {
    bp_call  *parent, *call;
    bp_status status;
};

void child_end(void *arg)
{
    struct bp_child *child = arg;
    atomic_fetch_sub(&child->parent->host->open.children, 1);
    testhost_call_end(child->call);
    free(child);
}

static bp_status loop_spawn(bp_call *call, const char                         *name,
                            bp_status (*run)(bp_call *child, void *arg), void *arg,
                            bp_child **child_out)
{
    struct bp_child *child;

    (void)name;
    BP_TRY(call_check(call));
    child = calloc(1, sizeof(*child));
    if (!child)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a child");
    child->parent = call;
    child->call = call_new(call->host, call->instance, BP_FOREVER);
    child->call->parent = call;
    atomic_store(&child->call->deadline_ns, bp_deadline_ns(call));
    atomic_fetch_add(&call->host->open.children, 1);
    list_add(&call->children, child);
    child->status = run(child->call, arg);
    *child_out = child;
    return BP_OK;
}

static bp_status loop_join(bp_call *call, bp_child *child)
{
    bp_status status = child->status;

    if (status != BP_OK)
        call->error = child->call->error;
    list_remove(&child->parent->children, child);
    child_end(child);
    return status;
}

static void loop_cancel_child(bp_child *child)
{
    testhost_cancel(child->call);
}

/* ---- wakers: another thread may wake; otherwise nobody can, and the clock goes to the deadline
 * ---- */

struct bp_waker {
    testhost       *host;
    pthread_mutex_t lock;
    pthread_cond_t  is_changed;
    bool            is_set;
};

static bp_waker *loop_waker_new(bp_call *call)
{
    bp_waker          *waker = calloc(1, sizeof(*waker));
    pthread_condattr_t monotonic;

    if (!waker)
        return NULL;
    waker->host = call->host;
    pthread_mutex_init(&waker->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&waker->is_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    atomic_fetch_add(&waker->host->open.wakers, 1);
    return waker;
}

static void loop_waker_free(bp_waker *waker)
{
    if (!waker)
        return;
    atomic_fetch_sub(&waker->host->open.wakers, 1);
    pthread_cond_destroy(&waker->is_changed);
    pthread_mutex_destroy(&waker->lock);
    free(waker);
}

static void loop_wake(bp_waker *waker)
{
    pthread_mutex_lock(&waker->lock);
    waker->is_set = true;
    pthread_cond_signal(&waker->is_changed);
    pthread_mutex_unlock(&waker->lock);
}

static bp_status loop_wait(bp_call *call, bp_waker *waker, int64_t deadline_ns, const char *what)
{
    int64_t         left_ns, waited_ms = 0;
    bool            is_set;
    struct timespec until;

    BP_TRY(call_check(call));
    if (deadline_ns > bp_deadline_ns(call))
        deadline_ns = bp_deadline_ns(call);
    left_ns = deadline_ns - clock_now_ns();
    clock_gettime(CLOCK_MONOTONIC, &until);
    pthread_mutex_lock(&waker->lock);
    for (; !waker->is_set && waited_ms < REAL_WAIT_MAX_MS && waited_ms * 1000000 < left_ns &&
           call_check(call) == BP_OK;
         waited_ms += 10) {
        until.tv_nsec += 10 * 1000 * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&waker->is_changed, &waker->lock, &until);
    }
    is_set = waker->is_set;
    waker->is_set = false;
    pthread_mutex_unlock(&waker->lock);
    BP_TRY(call_check(call));
    if (is_set)
        return BP_OK;
    if (left_ns > 0 && deadline_ns != BP_FOREVER)
        clock_advance(left_ns);
    return bp_fail(call, BP_DEADLINE, "%s took longer than the time allowed", what);
}

/* ---- jobs ---- */

static bp_status loop_every(bp_call *call, const char *name, int64_t interval_ns,
                            bp_status (*run)(bp_call *call, void *arg), void *arg)
{
    struct job *job;

    if (!call->instance || interval_ns <= 0)
        return bp_fail(call, BP_INVALID,
                       "bp_every() is for worker_start and needs an interval above zero");
    job = calloc(1, sizeof(*job));
    if (!job)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a job");
    *job = (struct job){ .instance = call->instance,
                         .name = name,
                         .interval_ns = interval_ns,
                         .due_ns = clock_now_ns(),
                         .run = run,
                         .arg = arg };
    list_add(&call->host->jobs, job);
    atomic_fetch_add(&call->host->open.jobs, 1);
    return BP_OK;
}

size_t testhost_run_jobs(testhost *host)
{
    size_t ran = 0;

    for (size_t i = 0; i < host->jobs.count; i++) {
        struct job *job = host->jobs.items[i];
        bp_call    *call;
        if (job->due_ns > clock_now_ns())
            continue;
        call = call_new(host, job->instance, BP_SECONDS(600));
        if (job->run(call, job->arg) != BP_OK)
            bp_log(call, BP_LOG_WARN, "the job %s failed: " BP_FMT, job->name,
                   BP_ARG(call->error.message));
        testhost_call_end(call);
        job->due_ns = clock_now_ns() + job->interval_ns;
        ran++;
    }
    return ran;
}

/* ---- memory of the process ---- */

struct process_block {
    struct process_block *next;
    char                 *name;
    size_t                name_len, size;
    max_align_t           bytes[];
};

static void *loop_process_block(bp_call *call, bp_str name, size_t size)
{
    static struct process_block *first; // tests have one thread
    struct process_block        *block = first;

    (void)call;
    while (block &&
           (block->size != size || !bp_str_equal(bp_str_n(block->name, block->name_len), name)))
        block = block->next;
    if (block || !name.len)
        return block ? block->bytes : NULL;
    block = calloc(1, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->name = strndup(name.data, name.len);
    block->name_len = name.len;
    block->size = size;
    block->next = first;
    first = block;
    return block->bytes;
}

const bp_loop_service loop_service = {
    .struct_size = sizeof(bp_loop_service),
    .sleep = loop_sleep,
    .wait_fd = loop_wait_fd,
    .offload = loop_offload,
    .pool_create = loop_pool_create,
    .pool_destroy = loop_pool_destroy,
    .mutex_create = loop_mutex_create,
    .mutex_destroy = loop_mutex_destroy,
    .mutex_lock = loop_mutex_lock,
    .mutex_unlock = loop_mutex_unlock,
    .spawn = loop_spawn,
    .join = loop_join,
    .cancel_child = loop_cancel_child,
    .every = loop_every,
    .waker_new = loop_waker_new,
    .waker_free = loop_waker_free,
    .wake = loop_wake,
    .wait = loop_wait,
    .process_block = loop_process_block,
};
