/* test_runs_bounds.c - the bounds of runs: how many there may be, for how long, and what of each
 * counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "runs_inside.h"

/* Leaves as many bytes as `arg` says. */
static void work_leaves(bp_call *call, struct run *run, void *arg)
{
    static char text[BYTES];

    memset(text, 'x', sizeof(text));
    run_end(call, run, RUN_COMPLETED, bp_str_n(text, *(size_t *)arg), "no room");
}

/* Has ended; not held. */
static void leave_one(bp_call *call, const uint8_t owner[16], const char *id, size_t bytes)
{
    struct run *run = make(call, owner, id);

    assert_int_equal(start_it(call, run, work_leaves, &bytes), BP_OK);
    assert_int_equal(run_wait(call, run), BP_OK);
    run_release(run);
}

static bool is_there(const char *id, const uint8_t owner[16])
{
    struct run *run = run_find(runs, bp_str_of(id), owner);

    if (run)
        run_release(run);
    return run != NULL;
}

/* ---- what a run is ---- */

static void look_at_new(bp_call *call)
{
    struct run *run;
    char        long_id[40];

    call->principal = (bp_principal){ .struct_size = sizeof(bp_principal),
                                      .is_authenticated = true,
                                      .id = BP_STR("ada"),
                                      .tenant = BP_STR("t1"),
                                      .scopes = BP_STR("read write") };
    run = run_new(call, runs, ada, bob, NULL);
    assert_string_equal(run->id, "0102030405060708090a0b0c0d0e0f10");
    assert_memory_equal(run->owner, ada, 16);
    assert_memory_equal(run->client, bob, 16);
    assert_int_equal(run->refs, 1);
    assert_int_equal(run->state, RUN_WORKING);
    assert_int_equal(run->created_wall_ns, 1);
    assert_int_equal(run->updated_wall_ns, 1);
    assert_int_equal(run->ended_ns, 0);
    assert_ptr_equal(run->worker, &worker);
    assert_ptr_equal(run_arena(run), &run->arena);
    assert_int_equal(run->arena.limit_bytes, 64 << 20);
    assert_true(run->identity.is_authenticated);
    assert_true(bp_str_is(run->identity.id, "ada"));
    assert_true(bp_str_is(run->identity.tenant, "t1"));
    assert_true(bp_str_is(run->identity.scopes, "read write"));
    assert_ptr_not_equal(run->identity.id.data, call->principal.id.data);
    run_set_what(run, "a tool");
    assert_string_equal(run_look(run).what, "a tool");
    run_set_what(run, "0123456789012345678901234567890");
    assert_string_equal(run_look(run).what, "0123456789012345678901234567890");
    run_set_what(run, "01234567890123456789012345678901");
    assert_string_equal(run_look(run).what, "0123456789012345678901234567890");
    run_set_what(run, "012345678901234567890123456789\xc3\xa9");
    assert_string_equal(run_look(run).what, "012345678901234567890123456789");
    run_set_message(run, BP_STR("said"));
    assert_string_equal(run_look(run).message, "said");
    assert_int_equal(run_look(run).updated_wall_ns, 2);
    assert_int_equal(run_look(run).created_wall_ns, 1);
    run_set_progress(run, 3, 4);
    assert_int_equal(run_look(run).updated_wall_ns, 3);
    assert_int_equal(run_look(run).done, 3);
    assert_int_equal(run_look(run).total, 4);
    run_set_message(run, (bp_str){ NULL, 0 });
    assert_string_equal(run_look(run).message, "");
    assert_null(run_outcome(run));
    run_hold(run);
    assert_int_equal(run->refs, 2);
    run_release(run);
    assert_int_equal(run->refs, 1);
    assert_int_equal(runs->count + runs->running, 0);
    run_release(run); // it was never started
    memset(long_id, 'i', sizeof(long_id));
    long_id[39] = '\0';
    run = run_new(call, runs, ada, ada, long_id);
    assert_int_equal(strlen(run->id), RUN_ID_CHARS);
    run_release(run);
    is_memory_gone = true;
    assert_null(run_new(call, runs, ada, ada, NULL));
    is_memory_gone = false;
}

static void a_run_has_an_id_an_owner_and_the_identity_of_who_began_it(void **state)
{
    (void)state;
    on_call(look_at_new);
    assert_int_equal(pieces, 1);
}

static void runs_need_memory_for_themselves_and_their_shares(void **state)
{
    struct runs_limits limits = { .bytes = 100, .count = 1, .count_of_one = 1 };

    (void)state;
    is_memory_gone = true;
    assert_null(runs_new(&limits));
    is_memory_gone = false;
    are_shares_gone = true;
    assert_null(runs_new(&limits));
    assert_int_equal(pieces, 1);
    runs_free(NULL);
    are_jobs_gone = true;
    assert_false(runs_start(runs, &worker));
    are_jobs_gone = false;
    assert_true(runs_start(runs, &worker)); // stopped by the tear-down
    assert_string_equal(job_started.name, "expiry of runs");
    assert_int_equal(job_started.interval_ns, BP_SECONDS(10));
    assert_int_equal(job_started.first_ns, BP_SECONDS(10));
    assert_int_equal(job_started.timeout_ns, BP_SECONDS(10));
}

/* ---- beginning ---- */

static void refuse_beginning(bp_call *call)
{
    struct run *run = make(call, ada, "same"), *again = make(call, ada, "same"),
               *of_bob = make(call, bob, "same");

    may_end = false;
    assert_int_equal(start_it(call, run, work_until_told, NULL), BP_OK);
    assert_int_equal(run->refs, 3); // ours, the list's and the work's
    assert_int_equal(runs->running, 1);
    assert_int_equal(started_with.deadline_ns, BP_FOREVER);
    assert_int_equal(start_it(call, again, work_until_told, NULL), BP_CONFLICT);
    assert_string_equal(call->error.message.data,
                        "the work \"same\" is under way already: wait for it, or cancel it");
    assert_int_equal(again->refs, 1);
    assert_int_equal(start_it(call, of_bob, work_until_told, NULL), BP_OK); // another's is another
    may_end = true;
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(run_wait(call, of_bob), BP_OK);
    assert_int_equal(runs->count, 2);
    assert_int_equal(start_it(call, again, work_until_told, "again"), BP_OK); // in its place
    assert_int_equal(runs->count, 2);
    assert_int_equal(run->refs, 1);
    assert_int_equal(run_wait(call, again), BP_OK);
    run_release(run);
    run_release(again);
    run_release(of_bob);

    run = make(call, ada, "no fiber");
    are_fibers_gone = true;
    assert_int_equal(start_it(call, run, work_until_told, NULL), BP_LIMIT);
    assert_string_equal(call->error.message.data,
                        "no fiber is free for another task: try again in a moment");
    are_fibers_gone = false;
    assert_int_equal(run_look(run).state, RUN_FAILED);
    assert_int_equal(run->refs, 2);
    assert_int_equal(runs->running, 0);
    assert_int_equal(seat.users, 0);
    run_release(run);
    runs->is_stopped = true;
    run = make(call, ada, "late");
    assert_int_equal(start_it(call, run, work_until_told, NULL), BP_UNAVAILABLE);
    assert_string_equal(call->error.message.data, "the server is stopping and begins no more work");
    run_release(run);
}

static void what_cannot_begin_leaves_nothing(void **state)
{
    (void)state;
    on_call(refuse_beginning);
}

static void work_looks(bp_call *call, struct run *run, void *arg)
{
    assert_true(bp_str_is(call->principal.id, "ada"));
    assert_string_equal(call->request_id, "request-7");
    assert_int_equal(call->client, 99);
    assert_ptr_equal(run->call, call);
    assert_int_equal(seat.users, 1);
    *(int64_t *)arg = call->deadline_ns;
    run_end(call, run, RUN_FAILED, BP_STR("x"), "");
    assert_int_equal(call->principal.id.len, 0); // its texts are gone
    assert_int_equal(call->principal.struct_size, sizeof(bp_principal));
    assert_null(run->call);
}

static void pass_on(bp_call *call)
{
    struct run *run;
    int64_t     deadline_ns = 0, before_ns = clock_now_ns();

    strcpy(call->request_id, "request-7");
    call->client = 99;
    call->principal.id = BP_STR("ada");
    run = make(call, ada, NULL);
    assert_int_equal(run_start(call, run,
                               &(struct run_work){ .work = work_looks,
                                                   .arg = &deadline_ns,
                                                   .generation = &generation,
                                                   .deadline_ns = BP_SECONDS(70) }),
                     BP_OK);
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_in_range(deadline_ns, before_ns + BP_SECONDS(70), clock_now_ns() + BP_SECONDS(70));
    assert_int_equal(run_look(run).state, RUN_FAILED);
    run_release(run);
}

static void the_work_is_of_who_began_it(void **state)
{
    (void)state;
    on_call(pass_on);
}

/* ---- how many ---- */

static void fill_list(bp_call *call)
{
    struct run *run;

    may_end = false;
    leave_one(call, ada, "a1", 1);
    leave_one(call, ada, "a2", 1);
    leave_one(call, ada, "a3", 1);
    leave_one(call, ada, "a4", 1); // COUNT_OF_ONE: her oldest goes
    assert_int_equal(runs->count, 3);
    assert_true(!is_there("a1", ada) && is_there("a2", ada) && is_there("a4", ada));
    leave_one(call, bob, "b1", 1);
    assert_int_equal(runs->count, 4);
    leave_one(call, bob, "b2", 1); // COUNT_MAX: the oldest of his own
    assert_true(!is_there("b1", bob) && is_there("b2", bob) && is_there("a2", ada));
    run = make(call, (const uint8_t[16]){ 3 }, "c1");
    assert_int_equal(start_it(call, run, work_until_told, NULL), BP_OK); // the oldest of all
    assert_true(!is_there("a2", ada) && is_there("a3", ada));
    assert_int_equal(runs->count, 4);
    may_end = true;
    assert_int_equal(run_wait(call, run), BP_OK);
    run_release(run);
}

static void the_oldest_that_has_ended_makes_room(void **state)
{
    (void)state;
    on_call(fill_list);
}

static void fill_with_running(bp_call *call)
{
    struct run *of_ada[3], *more;

    may_end = false;
    leave_one(call, bob, "b1", 1);
    for (int i = 0; i < 3; i++) {
        of_ada[i] = make(call, ada, i == 0 ? "a0" : i == 1 ? "a1" : "a2");
        assert_int_equal(start_it(call, of_ada[i], work_until_told, NULL), BP_OK);
    }
    more = make(call, ada, "a3");
    assert_int_equal(start_it(call, more, work_until_told, NULL), BP_LIMIT);
    assert_string_equal(call->error.message.data,
                        "the limit of running tasks is reached (3 of one client, 4 of all, or "
                        "their "
                        "bytes, the.setting): wait until some have ended");
    assert_true(is_there("b1", bob)); // another's does not go for one that has enough
    assert_int_equal(more->counted_bytes, 0);
    run_release(more);
    may_end = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_wait(call, of_ada[i]), BP_OK);
        run_release(of_ada[i]);
    }
}

static void those_that_run_are_bounded(void **state)
{
    (void)state;
    on_call(fill_with_running);
}

static void count_all(const struct run_view *view, void *arg)
{
    strcat(arg, view->id);
}

static void expire_at_bound(bp_call *call)
{
    struct run *run = make(call, ada, "x"), *running = make(call, ada, "y");
    char        list[64] = "";
    size_t      none = 0;

    may_end = false;
    assert_int_equal(start_it(call, running, work_until_told, NULL), BP_OK);
    assert_int_equal(start_it(call, run, work_leaves, &none), BP_OK);
    assert_int_equal(run_wait(call, run), BP_OK);
    runs_expire(runs, run->ended_ns + BP_SECONDS(60));
    runs_each(runs, ada, count_all, list);
    assert_string_equal(list, "xy"); // the newest first
    runs_expire(runs, run->ended_ns + BP_SECONDS(60) + 1);
    list[0] = '\0';
    runs_each(runs, ada, count_all, list);
    assert_string_equal(list, "y");
    assert_int_equal(runs->count, 1);
    assert_int_equal(run->refs, 1);
    may_end = true;
    assert_int_equal(run_wait(call, running), BP_OK);
    skipped_ns = BP_SECONDS(61);
    expire(NULL, runs); // as the job does
    assert_int_equal(runs->count, 0);
    run_release(running);
    run_release(run);
}

static void an_ended_run_is_kept_to_the_end_of_its_time(void **state)
{
    (void)state;
    on_call(expire_at_bound);
}

/* ---- bytes ---- */

static void count_bytes(bp_call *call)
{
    struct run *run = make(call, ada, "x");
    size_t      part = BYTES / 4, copies = run->arena.used_bytes, more = part + 1;

    assert_true(copies > 0);
    assert_int_equal(counted(), 0); // not before it is started
    may_end = false;
    assert_int_equal(start_it(call, run, work_until_told, "0123456789"), BP_OK);
    assert_int_equal(counted(), copies);
    may_end = true;
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(counted(), 10);
    assert_int_equal(run->counted_bytes, 10);
    run_release(run);
    leave_one(call, ada, "y", part - 10 - copies); // while it runs its copies count as well
    assert_int_equal(counted(), part - copies);
    assert_true(is_there("x", ada));
    leave_one(call, ada, "z", part); // an older one makes room, and then the other
    assert_false(is_there("x", ada));
    assert_false(is_there("y", ada));
    assert_int_equal(counted(), part);
    leave_one(call, bob, "b", part); // another client's share
    assert_int_equal(counted(), 2 * part);
    run = make(call, bob, "c");
    assert_int_equal(start_it(call, run, work_leaves, &more), BP_OK);
    assert_int_equal(run_wait(call, run), BP_OK);
    assert_int_equal(run_look(run).state, RUN_FAILED);
    assert_true(bp_str_is(shared_text_str(run->outcome), "no room"));
    run_release(run);
    runs_expire(runs, clock_now_ns() + BP_SECONDS(1000));
    assert_int_equal(counted(), 0);
    run = make(call, ada, "much");
    assert_non_null(arena_alloc(run_arena(run), part));
    assert_int_equal(start_it(call, run, work_until_told, NULL), BP_LIMIT); // more than her share
    run_release(run);
    assert_int_equal(counted(), 0);
}

static void bytes_are_counted_from_the_start_to_the_last_reference(void **state)
{
    (void)state;
    on_call(count_bytes);
}

static void give_bytes_twice(bp_call *call)
{
    struct run *run = make(call, ada, "x");

    assert_true(take_bytes(run, 100));
    give_bytes(run, 30);
    assert_int_equal(run->counted_bytes, 70);
    give_bytes(run, 71); // never more than it has
    assert_int_equal(run->counted_bytes, 0);
    assert_int_equal(counted(), 0);
    assert_true(take_bytes(run, BYTES / 4));
    assert_false(take_bytes(run, 1)); // itself it does not drop
    run_release(run);
    assert_int_equal(counted(), 0);
}

static void a_run_gives_back_what_it_took(void **state)
{
    (void)state;
    on_call(give_bytes_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOUNDED(a_run_has_an_id_an_owner_and_the_identity_of_who_began_it),
        BOUNDED(runs_need_memory_for_themselves_and_their_shares),
        BOUNDED(what_cannot_begin_leaves_nothing),
        BOUNDED(the_work_is_of_who_began_it),
        BOUNDED(the_oldest_that_has_ended_makes_room),
        BOUNDED(those_that_run_are_bounded),
        BOUNDED(an_ended_run_is_kept_to_the_end_of_its_time),
        BOUNDED(bytes_are_counted_from_the_start_to_the_last_reference),
        BOUNDED(a_run_gives_back_what_it_took),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
