/* worker.c - a thread with one libuv loop: posting to it, its heartbeat, its ready fibers. */
#include "loop/worker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "loop/crash.h"
#include "loop/fiber.h"

enum { BEAT_MS = 100, READY_IN_A_ROW = 256, READY_TURN_US = 5000, LOG_FLUSH_MS = 10 };

static _Thread_local struct worker *this_worker;

struct worker *worker_current(void)
{
    return this_worker;
}

void **worker_slot(struct worker *worker, struct worker_slot *key)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint32_t        last;
    uint32_t               number = atomic_load_explicit(&key->number, memory_order_acquire);

    if (!number) {
        pthread_mutex_lock(&lock);
        number = atomic_load(&key->number);
        if (!number) // no other thread was first
            atomic_store(&key->number, number = ++last);
        pthread_mutex_unlock(&lock);
    }
    if (number > WORKER_SLOTS_MAX)
        abort(); // more keys than WORKER_SLOTS_MAX
    return &worker->slots[number - 1];
}

void worker_adopt_thread(struct worker *worker)
{
    this_worker = worker;
}

static void run_posts(uv_async_t *wake)
{
    struct worker      *worker = wake->data;
    struct worker_post *post;

    pthread_mutex_lock(&worker->post_lock);
    post = worker->post_first;
    worker->post_first = worker->post_last = NULL;
    pthread_mutex_unlock(&worker->post_lock);
    while (post) {
        struct worker_post *next = post->next;
        void (*fn)(void *) = post->fn;
        void *arg = post->arg;

        if (post->is_owned)
            free(post);
        fn(arg);
        post = next;
    }
    worker_run_ready(worker);
}

static void enqueue(struct worker *worker, struct worker_post *post)
{
    post->next = NULL;
    pthread_mutex_lock(&worker->post_lock);
    if (worker->post_last)
        worker->post_last->next = post;
    else
        worker->post_first = post;
    worker->post_last = post;
    // Under the lock, so that worker_free() cannot close the handle between the two.
    uv_async_send(&worker->wake);
    pthread_mutex_unlock(&worker->post_lock);
}

void worker_post(struct worker *worker, void (*fn)(void *arg), void *arg)
{
    struct worker_post *post = must_have(sizeof(*post), "a message to a worker");

    *post = (struct worker_post){ .fn = fn, .arg = arg, .is_owned = true };
    enqueue(worker, post);
}

void worker_post_owned(struct worker *worker, struct worker_post *post)
{
    post->is_owned = false;
    enqueue(worker, post);
}

static void on_beat(uv_timer_t *beat)
{
    struct worker *worker = beat->data;
    int64_t        now = clock_now_ns();

    worker->beat_ns = now;
    worker->lag_ns = now > worker->beat_due_ns ? now - worker->beat_due_ns : 0;
    worker->beat_due_ns = now + (int64_t)BEAT_MS * 1000000;
}

static void on_flush(uv_timer_t *flush)
{
    log_batch_flush(((struct worker *)flush->data)->batch);
}

/* The log's thread is woken once for the lines of many turns where there are many, and soon where
 * there are few. */
static void on_turn(uv_prepare_t *turn)
{
    struct worker *worker = turn->data;

    if (log_batch_has_lines(worker->batch) && !uv_is_active((uv_handle_t *)&worker->flush))
        uv_timer_start(&worker->flush, on_flush, LOG_FLUSH_MS, 0);
}

static void on_again(uv_idle_t *again)
{
    worker_run_ready(again->data);
}

int worker_init(struct worker *worker, uint32_t index, uint32_t count, struct log *log)
{
    int failed;

    memset(worker, 0, sizeof(*worker));
    worker->index = index;
    worker->count = count;
    worker->log = log;
    failed = uv_loop_init(&worker->loop);
    if (failed)
        return failed;
    worker->loop.data = worker;
    failed = uv_async_init(&worker->loop, &worker->wake, run_posts);
    if (failed) {
        uv_loop_close(&worker->loop);
        return failed;
    }
    pthread_mutex_init(&worker->post_lock, NULL);
    worker->wake.data = worker;
    worker->batch = log_batch_new(log);
    uv_prepare_init(&worker->loop, &worker->turn);
    worker->turn.data = worker;
    uv_prepare_start(&worker->turn, on_turn);
    uv_unref((uv_handle_t *)&worker->turn);
    uv_timer_init(&worker->loop, &worker->flush);
    worker->flush.data = worker;
    uv_unref((uv_handle_t *)&worker->flush);
    uv_idle_init(&worker->loop, &worker->again);
    worker->again.data = worker;
    uv_timer_init(&worker->loop, &worker->beat);
    worker->beat.data = worker;
    worker->beat_ns = clock_now_ns();
    worker->beat_due_ns = worker->beat_ns + (int64_t)BEAT_MS * 1000000;
    uv_timer_start(&worker->beat, on_beat, BEAT_MS, BEAT_MS);
    return 0;
}

/* The loop runs on this thread for a while: the current worker is put back afterwards, so that a
 * main thread may run several workers in turn. */
void worker_run_until(struct worker *worker, bool (*is_done)(void *arg), void *arg)
{
    struct worker    *before = this_worker;
    struct log_batch *batch_before = log_batch_use(worker->batch);

    this_worker = worker;
    pthread_getcpuclockid(pthread_self(), &worker->cpu_clock);
    worker->tid = (int)gettid();
    while (!is_done(arg))
        uv_run(&worker->loop, UV_RUN_ONCE);
    log_batch_flush(worker->batch);
    log_batch_use(batch_before);
    this_worker = before;
}

static bool is_stopping(void *arg)
{
    return ((struct worker *)arg)->is_stopping;
}

void worker_run(struct worker *worker)
{
    worker_run_until(worker, is_stopping, worker);
}

static void *run_thread(void *arg)
{
    crash_thread_start();
    worker_run(arg);
    crash_thread_stop();
    return NULL;
}

int worker_start(struct worker *worker)
{
    char name[16];
    int  failed = pthread_create(&worker->thread, NULL, run_thread, worker);

    if (failed)
        return uv_translate_sys_error(failed);
    worker->has_thread = true;
    snprintf(name, sizeof(name), "worker-%u", worker->index % 1000);
    pthread_setname_np(worker->thread, name);
    return 0;
}

static void set_stopping(void *arg)
{
    ((struct worker *)arg)->is_stopping = true;
}

void worker_stop(struct worker *worker)
{
    worker_post(worker, set_stopping, worker);
}

void worker_join(struct worker *worker)
{
    if (worker->has_thread)
        pthread_join(worker->thread, NULL);
    worker->has_thread = false;
}

static void close_if_open(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void worker_free(struct worker *worker)
{
    struct worker *before = this_worker;

    this_worker = worker;
    run_posts(
        &worker->wake); // what came behind the end: it may hold the last reference to something
    fiber_free_spares(worker);
    pthread_mutex_lock(&worker->post_lock);
    uv_close((uv_handle_t *)&worker->wake, NULL);
    pthread_mutex_unlock(&worker->post_lock);
    uv_close((uv_handle_t *)&worker->turn, NULL);
    uv_close((uv_handle_t *)&worker->flush, NULL);
    uv_close((uv_handle_t *)&worker->again, NULL);
    uv_close((uv_handle_t *)&worker->beat, NULL);
    uv_run(&worker->loop, UV_RUN_NOWAIT);
    uv_walk(&worker->loop, close_if_open, NULL);
    while (uv_loop_close(&worker->loop) == UV_EBUSY)
        uv_run(&worker->loop, UV_RUN_ONCE);
    pthread_mutex_destroy(&worker->post_lock);
    log_batch_free(worker->batch);
    this_worker = before;
}

/* Looked at from the second fiber on: mostly there is one. */
static bool is_turn_over(int n, int64_t *until_ns)
{
    if (n == 0)
        return false;
    if (n == 1)
        *until_ns = clock_now_ns() + (int64_t)READY_TURN_US * 1000;
    return n > 1 && clock_now_ns() >= *until_ns;
}

void worker_run_ready(struct worker *worker)
{
    struct worker *before = this_worker;
    int64_t        until_ns = 0;

    if (worker->current || worker->is_draining)
        return;
    this_worker = worker; // a main thread may start calls before the loop runs
    worker->is_draining = true;
    for (int n = 0; n < READY_IN_A_ROW && worker->ready.first && !is_turn_over(n, &until_ns); n++)
        fiber_run_next_ready(worker);
    worker->is_draining = false;
    this_worker = before;
    // Fibers that wake each other for ever must not keep sockets and timers from their turn.
    if (worker->ready.first)
        uv_idle_start(&worker->again, on_again);
    else
        uv_idle_stop(&worker->again);
}
