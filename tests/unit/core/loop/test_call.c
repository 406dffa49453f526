/* test_call.c - fibers, calls, waits, children, pools and locks, on one worker or several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/call.h"
#include "loop/fiber.h"
#include "loop/job.h"
#include "loop/mutex.h"
#include "loop/pool.h"

#include "loop_rig.h"

static char trail[256];

static void note(const char *text)
{
    strncat(trail, text, sizeof(trail) - strlen(trail) - 1);
}

/* ---- sleeping, deadlines, cancelling ---- */

static void sleep_20_ms(bp_call *call)
{
    int64_t before = clock_now_ns();
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(20)), BP_OK);
    assert_in_range(clock_now_ns() - before, BP_MILLISECONDS(20), BP_SECONDS(2));
}

static void a_call_sleeps_as_long_as_asked(void **state)
{
    (void)state;
    on_call(sleep_20_ms);
}

static void sleep_too_long(bp_call *call)
{
    assert_int_equal(call_sleep(call, BP_SECONDS(100)), BP_DEADLINE);
    assert_int_equal(call->error.status, BP_DEADLINE);
    assert_int_equal(call_sleep(call, 0), BP_DEADLINE); // sticky
    call->shield_until_ns = clock_now_ns() + BP_SECONDS(1);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    call->shield_until_ns = 0;
    assert_int_equal(call_over(call), BP_DEADLINE);
}

static void the_deadline_of_a_call_ends_its_sleep_and_all_later_ones(void **state)
{
    (void)state;
    on_call_until(sleep_too_long, clock_now_ns() + BP_MILLISECONDS(30));
}

static bp_call *sleeper;

static void sleep_until_cancelled(bp_call *call, void *arg)
{
    sleeper = call;
    *(bp_status *)arg = call_sleep(call, BP_SECONDS(100));
    sleeper = NULL;
}

static void cancel_it(bp_call *call)
{
    bp_status status = BP_OK;
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           sleep_until_cancelled, &status));
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(5)), BP_OK);
    assert_non_null(sleeper);
    call_cancel(sleeper);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_null(sleeper);
    assert_int_equal(status, BP_CANCELLED);
}

static void a_cancelled_call_wakes_at_once(void **state)
{
    (void)state;
    on_call(cancel_it);
}

/* ---- descriptors ---- */

static void wait_for_a_pipe(bp_call *call)
{
    int      ends[2];
    uint32_t ready = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(call_wait_fd(call, ends[0], 1, clock_now_ns() + BP_MILLISECONDS(20), &ready),
                     BP_DEADLINE);
    assert_int_equal(call_wait_fd(call, ends[1], 2, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready & 2, 2);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(call_wait_fd(call, ends[0], 1, BP_FOREVER, &ready), BP_OK);
    assert_int_equal(ready & 1, 1);
    close(ends[0]);
    close(ends[1]);
}

static void a_descriptor_is_waited_for_until_ready_or_late(void **state)
{
    (void)state;
    on_call(wait_for_a_pipe);
}

/* ---- children ---- */

static bp_status child_a(bp_call *call, void *arg)
{
    note("a1 ");
    BP_TRY(call_sleep(call, BP_MILLISECONDS(20)));
    note("a2 ");
    *(char **)arg = arena_dup(call->arena, BP_STR("made by the child")).data ? "yes" : "no";
    return BP_OK;
}

static bp_status child_b(bp_call *call, void *arg)
{
    (void)arg;
    note("b1 ");
    BP_TRY(call_sleep(call, BP_MILLISECONDS(5)));
    note("b2 ");
    return call_fail(call, BP_CONFLICT, "b failed");
}

static void two_children(bp_call *call)
{
    struct bp_child *a, *b;
    char            *made = NULL;
    trail[0] = '\0';
    assert_int_equal(call_spawn(call, "a", child_a, &made, &a), BP_OK);
    assert_int_equal(call_spawn(call, "b", child_b, NULL, &b), BP_OK);
    note("parent ");
    assert_int_equal(call_join(call, a), BP_OK);
    assert_int_equal(call_join(call, b), BP_CONFLICT);
    assert_true(bp_str_is(call->error.message, "b failed"));
    assert_string_equal(made, "yes");
    assert_string_equal(trail, "parent a1 b1 b2 a2 ");
}

static void children_run_beside_their_parent_and_are_joined(void **state)
{
    (void)state;
    on_call(two_children);
}

static bp_status endless(bp_call *call, void *arg)
{
    bp_status status = call_sleep(call, BP_SECONDS(1000));
    *(bp_status *)arg = status;
    return status;
}

static void join_until_the_deadline(bp_call *call)
{
    bp_status        ended = BP_OK;
    struct bp_child *child;
    assert_int_equal(call_spawn(call, "endless", endless, &ended, &child), BP_OK);
    call->deadline_ns = clock_now_ns() +
                        BP_MILLISECONDS(5); // of the parent alone, as an instance's is
    assert_int_equal(call_join(call, child), BP_DEADLINE);
    assert_int_equal(ended, BP_CANCELLED);
    assert_true(bp_str_is(call->error.message, "endless took longer than the time allowed"));
}

static void a_parent_whose_time_is_over_does_not_say_that_the_caller_went_away(void **state)
{
    (void)state;
    on_call(join_until_the_deadline);
}

static bp_status left_behind_status;

static void leave_child(bp_call *call)
{
    struct bp_child *child;
    assert_int_equal(call_spawn(call, "endless", endless, &left_behind_status, &child), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
}

static void a_child_that_nobody_joins_is_cancelled_and_waited_for(void **state)
{
    (void)state;
    left_behind_status = BP_OK;
    on_call(leave_child);
    while (left_behind_status == BP_OK || fiber_live_count())
        uv_run(&worker.loop, UV_RUN_ONCE);
    assert_int_equal(left_behind_status, BP_CANCELLED);
}

/* ---- pools ---- */

static struct bp_pool *pool;

static _Atomic int block_began, block_ended;

static bp_status block(bp_call *call, void *arg)
{
    (void)call;
    assert_null(worker_current());
    block_began++;
    usleep(*(int *)arg);
    block_ended++;
    return BP_CONFLICT;
}

static bp_status sleep_on_fiber(bp_call *call, void *arg)
{
    (void)arg;
    assert_non_null(worker_current());
    return call_sleep(call, BP_MILLISECONDS(5));
}

static bp_status block_and_suspend(bp_call *call, void *arg)
{
    (void)arg;
    assert_true(pool_is_job_thread());
    for (int i = 0; i < 3; i++)
        BP_TRY(pool_run_on_fiber(call, sleep_on_fiber, NULL));
    return call_fail(call, BP_FULL, "said on a pool thread");
}

static void offload(bp_call *call)
{
    int us = 20000;
    assert_int_equal(pool_offload(call, pool, block, &us), BP_CONFLICT);
    assert_int_equal(pool_offload(call, pool, block_and_suspend, NULL), BP_FULL);
    assert_true(bp_str_is(call->error.message, "said on a pool thread"));
}

static void a_job_runs_on_a_pool_thread_and_may_call_back(void **state)
{
    (void)state;
    pool = pool_create("test", 1);
    on_call(offload);
    pool_destroy(pool);
}

static bp_status fail_in_job(bp_call *call, void *arg)
{
    assert_true(pool_is_job_thread());
    ++*(int *)arg;
    return call_fail(call, BP_FULL, "said in the inner job");
}

static bp_status offload_from_job(bp_call *call, void *arg)
{
    return pool_offload(call, pool, fail_in_job, arg); // the only thread is this one
}

static void nest_offloads(bp_call *call)
{
    int runs = 0;

    assert_int_equal(pool_offload(call, pool, offload_from_job, &runs), BP_FULL);
    assert_int_equal(runs, 1);
    assert_true(bp_str_is(call->error.message, "said in the inner job"));
    call_cancel(call);
    assert_int_equal(pool_offload(call, pool, offload_from_job, &runs), BP_CANCELLED);
    assert_int_equal(runs, 1); // a call that is over begins nothing
}

static void a_job_of_a_job_runs_at_once_on_its_thread(void **state)
{
    (void)state;
    pool = pool_create("test", 1);
    on_call(nest_offloads);
    pool_destroy(pool);
}

static bp_status never_run(bp_call *call, void *arg)
{
    (void)call;
    *(bool *)arg = true;
    return BP_OK;
}

static void use_all_memory(bp_call *call, void *arg)
{
    struct bp_child *child = (struct bp_child *)arg;
    bool             has_run = false;

    while (arena_alloc(call->arena, 16))
        ;
    assert_int_equal(call_spawn(call, "child", never_run, &has_run, &child), BP_NO_MEMORY);
    assert_null(child);
    assert_false(has_run);
    assert_int_equal(call->error.status, BP_NO_MEMORY);
    assert_int_equal(call->running_children, 0);
    *(bool *)arg = true;
}

static void no_child_is_made_without_memory(void **state)
{
    bool is_over = false;

    (void)state;
    assert_true(
        call_start(&worker,
                   &(struct call_options){ .deadline_ns = BP_FOREVER, .memory_bytes = 1024 },
                   use_all_memory, &is_over));
    assert_true(is_over);
}

static bp_status offload_slow(bp_call *call, void *arg)
{
    return pool_offload(call, pool, block, arg);
}

static void cancel_jobs(bp_call *call)
{
    struct bp_child *running, *queued;
    int              us = 60000;

    block_began = block_ended = 0;
    assert_int_equal(call_spawn(call, "running", offload_slow, &us, &running), BP_OK);
    while (!block_began)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(call_spawn(call, "queued", offload_slow, &us, &queued), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    call_cancel_child(queued);
    assert_int_equal(call_join(call, queued), BP_CANCELLED);
    assert_int_equal(block_began, 1); // it did not wait for its turn
    call_cancel_child(running);
    assert_int_equal(call_join(call, running), BP_CONFLICT); // begun jobs are waited for
    assert_int_equal(block_ended, 1);
}

static void a_queued_job_is_withdrawn_and_a_begun_one_is_waited_for(void **state)
{
    (void)state;
    pool = pool_create("test", 1);
    on_call(cancel_jobs);
    pool_destroy(pool);
}

static bp_status work_until_over(bp_call *call, void *arg)
{
    while (call_over(call) == BP_OK && clock_now_ns() < *(int64_t *)arg)
        ;
    return call_over(call);
}

static bp_status offload_endless(bp_call *call, void *arg)
{
    return pool_offload(call, pool, work_until_over, arg);
}

/* Cancellation comes from the worker's thread, the deadline from the clock: the job sees both. */
static void cancel_endless(bp_call *call)
{
    int64_t          latest_ns = clock_now_ns() + BP_SECONDS(20);
    struct bp_child *child;

    assert_int_equal(call_spawn(call, "endless", offload_endless, &latest_ns, &child), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(10)), BP_OK);
    call_cancel_child(child);
    assert_int_equal(call_join(call, child), BP_CANCELLED);
    assert_int_equal(call_spawn(call, "late", offload_endless, &latest_ns, &child), BP_OK);
    assert_int_equal(call_join(call, child), BP_DEADLINE);
    assert_true(clock_now_ns() < latest_ns);
}

static void a_job_sees_that_its_call_is_over(void **state)
{
    (void)state;
    pool = pool_create("test", 1);
    on_call_until(cancel_endless, clock_now_ns() + BP_MILLISECONDS(200));
    pool_destroy(pool);
}

/* ---- locks, over two workers ---- */

enum { ROUNDS = 200, FIBERS = 8 };

static struct bp_mutex *mutex;
static int              inside, most_inside, entered;
static _Atomic int      fibers_left;

static void lock_often(bp_call *call, void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(mutex_lock(call, mutex), BP_OK);
        inside++;
        if (inside > most_inside)
            most_inside = inside;
        if (i % 16 == 0) // long enough that all the others come to wait for it
            assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
        entered++;
        inside--;
        mutex_unlock(mutex);
    }
    fibers_left--;
}

static void start_lockers(void *arg)
{
    for (int i = 0; i < FIBERS; i++)
        assert_true(
            call_start(arg, &(struct call_options){ .deadline_ns = BP_FOREVER }, lock_often, NULL));
}

static void a_lock_lets_one_fiber_in_over_several_workers(void **state)
{
    struct worker two[2];
    (void)state;
    mutex = mutex_create();
    fibers_left = 2 * FIBERS;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(worker_init(&two[i], (uint32_t)i, 2, NULL), 0);
        worker_post(&two[i], start_lockers, &two[i]);
        assert_int_equal(worker_start(&two[i]), 0);
    }
    while (fibers_left)
        usleep(1000);
    for (int i = 0; i < 2; i++)
        worker_stop(&two[i]);
    for (int i = 0; i < 2; i++) {
        worker_join(&two[i]);
        worker_free(&two[i]);
    }
    assert_int_equal(most_inside, 1);
    assert_int_equal(entered, 2 * FIBERS * ROUNDS);
    mutex_destroy(mutex);
}

static bp_status lock_it(bp_call *call, void *arg)
{
    (void)arg;
    return mutex_lock(call, mutex);
}

static void give_up_lock(bp_call *call)
{
    struct bp_child *child;
    assert_int_equal(mutex_lock(call, mutex), BP_OK);
    assert_int_equal(call_spawn(call, "locker", lock_it, NULL, &child), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
    call_cancel_child(child);
    assert_int_equal(call_join(call, child), BP_CANCELLED);
    mutex_unlock(mutex);
    assert_int_equal(mutex_lock(call, mutex), BP_OK); // nobody was given it in between
    mutex_unlock(mutex);
}

static void who_gives_up_waiting_for_a_lock_never_gets_it(void **state)
{
    (void)state;
    mutex = mutex_create();
    on_call(give_up_lock);
    mutex_destroy(mutex);
}

static bp_status lock_and_say(bp_call *call, void *arg)
{
    bp_status status = mutex_lock(call, mutex);

    if (status != BP_OK)
        return status;
    note(arg);
    mutex_unlock(mutex);
    return BP_OK;
}

/* Children a, b and c wait, in this order; the one named goes, d comes. Then the lock is theirs. */
static void queue_without(bp_call *call, int gone)
{
    static char     *names[] = { "a", "b", "c", "d" };
    struct bp_child *children[4];

    trail[0] = '\0';
    assert_int_equal(mutex_lock(call, mutex), BP_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call_spawn(call, "locker", lock_and_say, names[i], &children[i]), BP_OK);
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
    }
    call_cancel_child(children[gone]);
    assert_int_equal(call_join(call, children[gone]), BP_CANCELLED);
    assert_int_equal(call_spawn(call, "locker", lock_and_say, names[3], &children[3]), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
    assert_string_equal(trail, "");
    mutex_unlock(mutex);
    for (int i = 0; i < 4; i++)
        if (i != gone)
            assert_int_equal(call_join(call, children[i]), BP_OK);
}

static void queue_for_lock(bp_call *call)
{
    queue_without(call, 0);
    assert_string_equal(trail, "bcd");
    queue_without(call, 1);
    assert_string_equal(trail, "acd");
    queue_without(call, 2);
    assert_string_equal(trail, "abd");
}

static void a_lock_goes_to_those_who_wait_in_their_order(void **state)
{
    _Atomic int open = 0;
    (void)state;
    mutex = mutex_create();
    mutex_set_owner(mutex, &open);
    assert_int_equal(open, 1);
    on_call(queue_for_lock);
    mutex_destroy(mutex);
    assert_int_equal(open, 0);
}

static void cancel_the_next(bp_call *call)
{
    struct bp_child *first, *second;

    trail[0] = '\0';
    assert_int_equal(mutex_lock(call, mutex), BP_OK);
    assert_int_equal(call_spawn(call, "locker", lock_and_say, "a", &first), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
    assert_int_equal(call_spawn(call, "locker", lock_and_say, "b", &second), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
    mutex_unlock(mutex); // it is the first one's, who does not know yet
    call_cancel_child(first);
    assert_int_equal(call_join(call, first), BP_CANCELLED);
    assert_int_equal(call_join(call, second), BP_OK);
    assert_string_equal(trail, "b");
    assert_int_equal(mutex_lock(call, mutex), BP_OK);
    mutex_unlock(mutex);
}

static void who_is_cancelled_when_just_granted_hands_the_lock_on(void **state)
{
    (void)state;
    mutex = mutex_create();
    on_call(cancel_the_next);
    mutex_destroy(mutex);
}

/* ---- scratch memory, errors ---- */

enum { SCRATCH_DEPTH = 8 };

static void use_scratch(bp_call *call)
{
    struct arena *outer = call->arena;
    const char   *message;
    size_t        used_bytes;

    for (int depth = 1; depth <= SCRATCH_DEPTH; depth++) {
        assert_int_equal(call_scratch_begin(call), BP_OK);
        assert_ptr_not_equal(call->arena, outer);
    }
    assert_int_equal(call_scratch_begin(call), BP_NO_MEMORY);
    used_bytes = outer->used_bytes;
    call_fail(call, BP_FULL, "no room for %s", "more");
    call_set_error_for_client(call, BP_STR("try later"));
    for (int depth = SCRATCH_DEPTH; depth >= 1; depth--)
        call_scratch_end(call);
    assert_ptr_equal(call->arena, outer);
    assert_true(bp_str_is(call->error.message, "no room for more"));
    assert_true(bp_str_is(call->error.client_message, "try later"));
    assert_true(outer->used_bytes > used_bytes); // that is where both are now
    call_scratch_end(call);                      // none is open: nothing happens
    assert_ptr_equal(call->arena, outer);

    message = call->error.message.data;
    used_bytes = outer->used_bytes;
    assert_int_equal(call_scratch_begin(call), BP_OK);
    assert_non_null(arena_alloc(call->arena, 100));
    call_scratch_end(call);
    assert_ptr_equal(call->error.message.data, message); // an error from before is not copied
    assert_int_equal(outer->used_bytes, used_bytes);
}

static void an_error_outlives_the_scratch_memory_it_was_made_in(void **state)
{
    (void)state;
    on_call(use_scratch);
}

static void tell_clients(bp_call *call)
{
    bool is_whole;

    call_fail(call, BP_NOT_FOUND, "there is no %s", "page");
    assert_true(
        bp_str_is(call_sentence_for_client(call, BP_NOT_FOUND, &is_whole), "there is no page") &&
        is_whole);
    assert_true(
        bp_str_is(call_sentence_for_client(call, BP_FULL, &is_whole), bp_status_text(BP_FULL)) &&
        is_whole);
    call_set_error_for_client(call, BP_STR("there is no page"));
    assert_true(
        bp_str_is(call_sentence_for_client(call, BP_NOT_FOUND, &is_whole), "there is no page") &&
        is_whole);
    call_set_error_for_client(call, BP_STR("nothing there"));
    assert_true(
        bp_str_is(call_sentence_for_client(call, BP_NOT_FOUND, &is_whole), "nothing there") &&
        !is_whole);
    for (int i = 0; i < 3; i++) {
        const bp_status inside_ours[] = { BP_INTERNAL, BP_IO, BP_DATA };
        bp_status       status = inside_ours[i];

        call_fail(call, status, "disk 3 of the server");
        assert_true(
            bp_str_is(call_sentence_for_client(call, status, &is_whole), bp_status_text(status)) &&
            !is_whole);
        call_set_error_for_client(call, BP_STR("not now"));
        assert_true(bp_str_is(call_sentence_for_client(call, status, &is_whole), "not now") &&
                    !is_whole);
    }
}

static void clients_are_told_nothing_of_the_inside_of_the_server(void **state)
{
    (void)state;
    on_call(tell_clients);
}

static char logged_id[80];

static void log_much(bp_call *call)
{
    bp_field fields[40];
    char     event[80];

    for (int i = 0; i < 40; i++)
        fields[i] = bp_field_int(i < 28 ? "kept" : "left_out", i);
    memset(event, 'e', sizeof(event));
    snprintf(logged_id, sizeof(logged_id), "\"request_id\":\"%s\",\"plugin\"", call->request_id);
    call->plugin = "cache/fake";
    call->instance = "main";
    call->op = "get";
    call_log(call, BP_LOG_DEBUG, BP_STR("quiet"), BP_STR("not seen"), NULL, 0, 0);
    call_log(call, BP_LOG_INFO, BP_STR(""), BP_STR("of a plugin"), NULL, sizeof(bp_field), 0);
    call_log_record(call, BP_LOG_INFO, (bp_str){ event, 80 }, BP_STR("long"), fields, 40);
    call->plugin = call->instance = call->op = NULL;
}

static void lines_of_a_call_say_whose_they_are(void **state)
{
    char   path[] = "/tmp/backplane-call-log-XXXXXX", text[8192], event[80];
    FILE  *file;
    size_t len;
    (void)state;
    close(mkstemp(path));
    worker.log = log_open(&(struct log_options){ .level = BP_LOG_INFO, .path = path });
    assert_non_null(worker.log);
    on_call(log_much);
    log_close(worker.log);
    worker.log = NULL;
    file = fopen(path, "r");
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    unlink(path);
    assert_null(strstr(text, "not seen"));
    assert_non_null(strstr(text, logged_id));
    assert_non_null(strstr(text, "\"event\":\"" LOG_PLUGIN_EVENT "\",\"message\":\"of a plugin\""));
    assert_non_null(strstr(text, "\"plugin\":\"cache/fake\",\"instance\":\"main\",\"op\":\"get\""));
    memset(event, 'e', sizeof(event));
    event[0] = event[64] = '"';
    event[65] = '\0';
    assert_non_null(strstr(text, event)); // 63 bytes are left of a name
    assert_non_null(strstr(text, "\"kept\":27"));
    assert_null(strstr(text, "left_out")); // 32 fields a line, four of them the call's
}

/* ---- jobs ---- */

static int runs;

static void count_run(bp_call *call, void *arg)
{
    (void)arg;
    runs++;
    call_sleep(call, runs < 3 ? 0 : BP_SECONDS(100));
}

static void run_job(bp_call *call)
{
    struct job *job = job_start(call->worker,
                                &(struct job_options){ .name = "count",
                                                       .interval_ns = BP_MILLISECONDS(1),
                                                       .timeout_ns = BP_SECONDS(100),
                                                       .run = count_run });
    while (runs < 3)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(2)), BP_OK);
    job_stop(call, job); // while it sleeps
    assert_int_equal(runs, 3);
}

static void a_job_runs_again_and_again_until_it_is_stopped(void **state)
{
    (void)state;
    on_call(run_job);
}

/* ---- stacks, ids, trace ---- */

static int use_stack(char *above, int depth)
{
    char frame[4096];
    memset(frame, depth, sizeof(frame));
    return depth == 0 ? above[0] : use_stack(frame, depth - 1) + frame[17];
}

static void use_much_stack(bp_call *call)
{
    char first = 0;
    (void)call;
    use_stack(&first, 45); // 180 KiB of 256
}

static void a_fiber_has_the_stack_that_is_promised(void **state)
{
    (void)state;
    on_call(use_much_stack);
}

static void trace_it(bp_call *call)
{
    char made[56];
    assert_int_equal(strlen(call->request_id), 32);
    call_set_trace(call, BP_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    assert_memory_equal(call_traceparent(call).data, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_memory_not_equal(call_traceparent(call).data + 36, "00f067aa0ba902b7", 16);
    static const char *const bad[] = {
        "", "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"
    };
    for (size_t i = 0; i < 5; i++) {
        call_set_trace(call, bp_str_of(bad[i]));
        strcpy(made, call_traceparent(call).data);
        assert_int_equal(strlen(made), 55);
        assert_memory_not_equal(made + 3, "4bf92f3577b34da6", 16);
    }
}

static void a_traceparent_is_continued_only_when_it_is_well_formed(void **state)
{
    (void)state;
    on_call(trace_it);
}

static bool may_end;

static void count_end(bp_call *call, void *arg)
{
    while (!may_end)
        call_sleep(call, BP_MILLISECONDS(1));
    ++*(int *)arg;
}

static bool thousand_ended(void *arg)
{
    return *(int *)arg == 1000;
}

static void a_thousand_calls_are_parked_at_once(void **state)
{
    int ended = 0;
    (void)state;
    may_end = false;
    for (int i = 0; i < 1000; i++)
        assert_true(call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                               count_end, &ended));
    assert_int_equal(worker.fibers.count, 1000);
    may_end = true;
    worker_run_until(&worker, thousand_ended, &ended);
}

enum { CROWD_MIN = 400, CROWD_STEP = 90, CROWDS = 16 };

static bool is_crowd_over;

static void stay_ready(bp_call *call, void *arg)
{
    (void)arg;
    while (!is_crowd_over)
        fiber_yield(call->fiber);
}

static void count_crowded(bp_call *call, void *arg)
{
    (void)call;
    ++*(int *)arg;
}

/* The run of a job waits behind so many fibers that the loop takes several turns, and the job is
 * stopped meanwhile. Where in a turn that is depends on how many they are. */
static void stop_jobs_in_a_crowd(bp_call *call)
{
    for (int crowd = CROWD_MIN; crowd < CROWD_MIN + CROWDS * CROWD_STEP; crowd += CROWD_STEP) {
        struct job_options  options = { .name = "crowded",
                                        .interval_ns = BP_SECONDS(60),
                                        .first_ns = 0,
                                        .timeout_ns = BP_SECONDS(60),
                                        .run = count_crowded,
                                        .arg = &(int){ 0 } };
        struct call_options of_crowd = { .deadline_ns = BP_FOREVER };
        struct job         *job;

        is_crowd_over = false;
        for (int i = 0; i < crowd; i++)
            assert_non_null(call_start(call->worker, &of_crowd, stay_ready, NULL));
        job = job_start(call->worker, &options);
        assert_non_null(job);
        fiber_yield(call->fiber);
        job_stop(call, job);
        is_crowd_over = true;
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(5)), BP_OK);
    }
}

static void a_job_that_waits_for_its_turn_can_be_stopped(void **state)
{
    (void)state;
    on_call(stop_jobs_in_a_crowd);
}

static void note_run(void *arg)
{
    *(bool *)arg = true;
}

/* It may hold the last reference to what it is about. */
static void what_is_posted_to_a_worker_that_has_ended_is_run(void **state)
{
    struct worker ended;
    bool          is_run = false;

    (void)state;
    assert_int_equal(worker_init(&ended, 0, 1, NULL), 0);
    worker_post(&ended, note_run, &is_run);
    worker_free(&ended);
    assert_true(is_run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_WORKER(a_call_sleeps_as_long_as_asked),
        ON_WORKER(the_deadline_of_a_call_ends_its_sleep_and_all_later_ones),
        ON_WORKER(a_cancelled_call_wakes_at_once),
        ON_WORKER(a_descriptor_is_waited_for_until_ready_or_late),
        ON_WORKER(children_run_beside_their_parent_and_are_joined),
        ON_WORKER(a_parent_whose_time_is_over_does_not_say_that_the_caller_went_away),
        ON_WORKER(a_child_that_nobody_joins_is_cancelled_and_waited_for),
        ON_WORKER(a_job_runs_on_a_pool_thread_and_may_call_back),
        ON_WORKER(a_job_of_a_job_runs_at_once_on_its_thread),
        ON_WORKER(no_child_is_made_without_memory),
        ON_WORKER(a_queued_job_is_withdrawn_and_a_begun_one_is_waited_for),
        ON_WORKER(a_job_sees_that_its_call_is_over),
        cmocka_unit_test(a_lock_lets_one_fiber_in_over_several_workers),
        ON_WORKER(who_gives_up_waiting_for_a_lock_never_gets_it),
        ON_WORKER(a_lock_goes_to_those_who_wait_in_their_order),
        ON_WORKER(who_is_cancelled_when_just_granted_hands_the_lock_on),
        ON_WORKER(an_error_outlives_the_scratch_memory_it_was_made_in),
        ON_WORKER(clients_are_told_nothing_of_the_inside_of_the_server),
        ON_WORKER(lines_of_a_call_say_whose_they_are),
        ON_WORKER(a_job_runs_again_and_again_until_it_is_stopped),
        ON_WORKER(a_fiber_has_the_stack_that_is_promised),
        ON_WORKER(a_traceparent_is_continued_only_when_it_is_well_formed),
        ON_WORKER(a_thousand_calls_are_parked_at_once),
        ON_WORKER(a_job_that_waits_for_its_turn_can_be_stopped),
        cmocka_unit_test(what_is_posted_to_a_worker_that_has_ended_is_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
