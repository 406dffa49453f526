/* test_session.c - whose a session is, how long it is kept, and what of it can be cancelled, asked
 * and subscribed to. */
#include <stdio.h>
#include <stdlib.h>

#include "mcp_rig.h"

static void an_id_is_128_random_bits_in_visible_characters(void **state)
{
    struct session *one = rig_open("a"), *two = rig_open("a");

    (void)state;
    assert_int_equal(strlen(one->id), 32);
    assert_int_equal(strspn(one->id, "0123456789abcdef"), 32);
    assert_string_not_equal(one->id, two->id);
    session_release(rig_store, one);
    session_release(rig_store, two);
}

static void a_session_is_found_only_by_who_opened_it(void **state)
{
    struct session *session = rig_open("alice");
    bp_principal    other_tenant = rig_principal("alice", "other");

    (void)state;
    assert_true(rig_is_there(session->id, "alice"));
    assert_false(rig_is_there(session->id, "bob"));
    assert_false(rig_is_there(session->id, ""));
    assert_null(session_find(rig_store, bp_str_of(session->id), &other_tenant));
    assert_false(rig_is_there("00000000000000000000000000000000", "alice"));
    assert_false(rig_is_there("", "alice"));
    session_end(rig_store, session);
    assert_false(rig_is_there(session->id, "alice"));
    assert_false(session->is_open);
    session_release(rig_store, session);
}

static void a_session_of_another_process_is_taken_over_once_and_by_its_principal(void **state)
{
    struct session_record record = { .revision = MCP_2025_06_18,
                                     .abilities = MCP_CAN_ELICIT,
                                     .log_level = 3,
                                     .client = BP_STR("pair/1") };
    const bp_str          id = BP_STR("0123456789abcdef0123456789abcdef");
    bp_principal          alice = rig_principal("alice", ""), bob = rig_principal("bob", "");
    struct session       *one, *two;

    (void)state;
    principal_digest(&alice, record.principal);
    one = session_adopt(rig_store, id, &record, record.principal);
    two = session_adopt(rig_store, id, &record, record.principal);
    assert_non_null(one);
    assert_ptr_equal(one, two);
    assert_int_equal(one->revision, MCP_2025_06_18);
    assert_int_equal(one->abilities, MCP_CAN_ELICIT);
    assert_int_equal(one->log_level, 3);
    assert_string_equal(one->client, "pair/1");
    assert_int_equal(sessions_count(rig_store), 1);
    principal_digest(&bob, record.principal);
    assert_null(session_adopt(rig_store, id, &record, record.principal));
    assert_null(session_find(rig_store, id, &bob));
    session_end(rig_store, one);
    session_release(rig_store, one);
    session_release(rig_store, two);
    assert_int_equal(sessions_count(rig_store), 0);
}

/* Names as long as a token may make them, and with a NUL, must not run into each other. */
static void long_and_odd_principals_are_told_apart(void **state)
{
    char         one[4096], two[4096];
    uint8_t      a[16], b[16];
    bp_principal principal = { .struct_size = sizeof(principal) };

    (void)state;
    memset(one, 'x', sizeof(one));
    memset(two, 'x', sizeof(two));
    two[sizeof(two) - 1] = 'y';
    principal.id = bp_str_n(one, sizeof(one));
    principal_digest(&principal, a);
    principal.id = bp_str_n(two, sizeof(two));
    principal_digest(&principal, b);
    assert_memory_not_equal(a, b, sizeof(a));
    principal.id = bp_str_n("a\0b", 3);
    principal.tenant = BP_STR("c");
    principal_digest(&principal, a);
    principal.id = BP_STR("a");
    principal.tenant = bp_str_n("b\0c", 3);
    principal_digest(&principal, b);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void the_one_not_used_for_the_longest_time_makes_room(void **state)
{
    char ids[RIG_SESSIONS + 1][SESSION_ID_CHARS + 1];

    (void)state;
    for (int i = 0; i <= RIG_SESSIONS; i++) {
        struct session *session = rig_open("a");

        memcpy(ids[i], session->id, sizeof(ids[i]));
        session_release(rig_store, session);
        if (i == RIG_SESSIONS - 1)
            assert_true(rig_is_there(ids[0], "a")); // that counts as a use
    }
    assert_int_equal(sessions_count(rig_store), RIG_SESSIONS);
    assert_true(rig_is_there(ids[0], "a"));
    assert_false(rig_is_there(ids[1], "a"));
    for (int i = 2; i <= RIG_SESSIONS; i++)
        assert_true(rig_is_there(ids[i], "a"));
}

static void a_session_at_work_is_not_the_one_that_makes_room(bp_call *call)
{
    struct session *busy = rig_open("a");
    struct running  running;
    char            first[SESSION_ID_CHARS + 1] = "";

    assert_true(session_begin(rig_store, busy, &running, BP_STR("1"), call));
    for (int i = 0; i < RIG_SESSIONS; i++) {
        struct session *session = rig_open("a");

        if (i == 0)
            memcpy(first, session->id, sizeof(first));
        session_release(rig_store, session);
    }
    assert_true(busy->is_open);
    assert_false(rig_is_there(first, "a"));
    session_done(rig_store, &running);
    session_release(rig_store, busy);
}

static void sessions_at_work_stay_when_others_make_room(void **state)
{
    (void)state;
    rig_on_call(a_session_at_work_is_not_the_one_that_makes_room);
}

static void an_idle_session_expires_and_one_in_use_does_not(bp_call *call)
{
    struct session *idle = rig_open("a"), *busy = rig_open("a");
    struct running  running;

    assert_true(session_begin(rig_store, busy, &running, BP_STR("1"), call));
    sessions_expire(rig_store, clock_now_ns() + BP_SECONDS(59));
    assert_true(idle->is_open);
    sessions_expire(rig_store, clock_now_ns() + BP_SECONDS(61));
    assert_false(idle->is_open);
    assert_true(busy->is_open);
    session_done(rig_store, &running);
    session_release(rig_store, idle);
    session_release(rig_store, busy);
}

static void idle_sessions_expire(void **state)
{
    (void)state;
    rig_on_call(an_idle_session_expires_and_one_in_use_does_not);
}

static void an_id_may_be_under_way_once(bp_call *call)
{
    struct session *session = rig_open("a");
    struct running  one, two, other;

    assert_true(session_begin(rig_store, session, &one, BP_STR("1"), call));
    assert_false(session_begin(rig_store, session, &two, BP_STR("1"), call));
    assert_true(session_begin(rig_store, session, &other, BP_STR("\"1\""), call));
    session_done(rig_store, &two); // was never registered: nothing happens
    session_done(rig_store, &one);
    assert_true(session_begin(rig_store, session, &one, BP_STR("1"), call));
    session_done(rig_store, &other);
    session_done(rig_store, &one);
    assert_int_equal(session->running.count, 0);
    session_release(rig_store, session);
}

static void the_id_of_a_request_under_way_is_taken(void **state)
{
    (void)state;
    rig_on_call(an_id_may_be_under_way_once);
}

static struct running many[SESSION_RUNNING_MAX + 1];

static void only_so_many_run(bp_call *call)
{
    static char     ids[SESSION_RUNNING_MAX + 1][8];
    struct session *session = rig_open("a");

    for (int i = 0; i <= SESSION_RUNNING_MAX; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%d", i);
        assert_int_equal(session_begin(rig_store, session, &many[i], bp_str_of(ids[i]), call),
                         i < SESSION_RUNNING_MAX);
    }
    for (int i = 0; i < SESSION_RUNNING_MAX; i++)
        session_done(rig_store, &many[i]);
    session_release(rig_store, session);
}

static void a_session_runs_256_requests_and_no_more(void **state)
{
    (void)state;
    rig_on_call(only_so_many_run);
}

/* The notification is on its way to the worker when the request ends and the same call begins
 * another one. */
static void cancel_one_that_ends_meanwhile(bp_call *call)
{
    struct session *session = rig_open("a");
    struct running  running;

    assert_true(session_begin(rig_store, session, &running, BP_STR("1"), call));
    session_cancel(rig_store, session, BP_STR("1"));
    session_done(rig_store, &running);
    assert_true(session_begin(rig_store, session, &running, BP_STR("2"), call));
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(50)), BP_OK);
    session_cancel(rig_store, session, BP_STR("2"));
    assert_int_equal(call_sleep(call, BP_SECONDS(10)), BP_CANCELLED);
    session_done(rig_store, &running);
    session_release(rig_store, session);
}

static void a_late_cancellation_hits_no_other_request(void **state)
{
    (void)state;
    rig_on_call(cancel_one_that_ends_meanwhile);
}

static void end_while_one_runs(bp_call *call)
{
    struct session *session = rig_open("a");
    struct running  running;

    assert_true(session_begin(rig_store, session, &running, BP_STR("1"), call));
    session_end(rig_store, session);
    assert_int_equal(call_sleep(call, BP_SECONDS(10)), BP_CANCELLED);
    session_done(rig_store, &running);
    session_release(rig_store, session);
}

static void the_end_of_a_session_cancels_what_runs(void **state)
{
    (void)state;
    rig_on_call(end_while_one_runs);
}

static void ask_twice(bp_call *call)
{
    struct session *session = rig_open("a"), *other = rig_open("b");
    struct waker   *waker = waker_new(call);
    struct question question = { .waker = waker };

    session_ask(rig_store, session, &question);
    assert_false(session_answer(rig_store, other, question.id, false, BP_STR("{}")));
    assert_false(session_answer(rig_store, session, question.id + 1, false, BP_STR("{}")));
    assert_true(session_answer(rig_store, session, question.id, false, BP_STR("{\"a\":1}")));
    assert_true(session_answer(rig_store, session, question.id, true,
                               BP_STR("{\"a\":2}"))); // the first one counts
    assert_int_equal(call_wait(call, BP_FOREVER, "the answer"), BP_OK);
    assert_true(question.is_answered);
    assert_false(question.is_error);
    assert_string_equal(question.answer->data, "{\"a\":1}");
    session_forget(rig_store, session, &question);
    assert_false(session_answer(rig_store, session, question.id, false, BP_STR("{}")));
    shared_text_release(question.answer);
    waker_end(waker);
    session_release(rig_store, session);
    session_release(rig_store, other);
}

static void a_question_is_answered_once_and_in_its_own_session(void **state)
{
    (void)state;
    rig_on_call(ask_twice);
}

static void subscriptions_are_counted_and_end(void **state)
{
    struct session *session = rig_open("a");
    char            uri[32];

    (void)state;
    for (int i = 0; i < 1024; i++) {
        snprintf(uri, sizeof(uri), "test://%d", i);
        assert_true(session_subscribe(rig_store, session, bp_str_of(uri), true));
        assert_true(session_subscribe(rig_store, session, bp_str_of(uri), true)); // twice is once
    }
    assert_false(session_subscribe(rig_store, session, BP_STR("test://one-more"), true));
    assert_true(session_subscribe(rig_store, session, BP_STR("test://5"), false));
    assert_true(session_subscribe(rig_store, session, BP_STR("test://one-more"), true));
    session_release(rig_store, session);
}

static void subscriptions_are_counted_in_bytes_as_well(void **state)
{
    struct session *sessions[3] = { rig_open("a"), rig_open("a"), rig_open("b") };
    char           *uri = malloc(4u << 20);
    size_t          kept = 0;

    (void)state;
    assert_non_null(uri);
    memset(uri, 'u', 4u << 20);
    assert_false(session_subscribe(rig_store, sessions[0], bp_str_n(uri, 4u << 20), true));
    for (int i = 0; i < 1024; i++) {
        snprintf(uri, 16, "test://%08d", i);
        uri[15] = 'u';
        kept += session_subscribe(rig_store, sessions[0], bp_str_n(uri, 8000), true);
    }
    assert_in_range(kept, 30, 33); // 256 KiB
    assert_in_range(sessions[0]->client_of->uri_bytes, 1, SESSION_URIS_BYTES_MAX);
    assert_true(session_subscribe(rig_store, sessions[2], bp_str_n(uri, 8000), true));
    session_release(rig_store, sessions[1]);
    session_end(rig_store, sessions[0]);
    session_release(rig_store, sessions[0]);
    session_release(rig_store, sessions[2]);
    free(uri);
}

static struct session *try_to_open(const char *id)
{
    bp_principal    principal = rig_principal(id, "default");
    struct session *session;
    uint8_t         sender[16];

    principal_digest(&principal, sender);
    session = session_open(rig_store, &principal, MCP_2025_11_25, 0, BP_STR("test/1"), sender);
    session_release(rig_store, session);
    return session;
}

static void one_client_cannot_push_out_another(void **state)
{
    struct session *mine = rig_open("victim");
    char            id[SESSION_ID_CHARS + 1];

    (void)state;
    memcpy(id, mine->id, sizeof(id));
    session_release(rig_store, mine);
    for (int i = 0; i < 100; i++)
        assert_non_null(try_to_open("greedy"));
    assert_int_equal(sessions_count(rig_store), RIG_SESSIONS);
    assert_true(rig_is_there(id, "victim"));
    assert_non_null(try_to_open("late")); // who has most makes room for who has none
    assert_true(rig_is_there(id, "victim"));
}

/* Places are no use to who holds them all at an open stream. */
static void with_all_its_places_in_use_a_client_is_refused(bp_call *call)
{
    struct session *busy[RIG_SESSIONS];
    struct running  running[RIG_SESSIONS];

    for (int i = 0; i < RIG_SESSIONS; i++) {
        busy[i] = rig_open("a");
        assert_true(session_begin(rig_store, busy[i], &running[i], BP_STR("1"), call));
    }
    assert_null(try_to_open("a"));
    assert_null(try_to_open("b"));
    session_done(rig_store, &running[2]);
    assert_non_null(try_to_open("b"));
    assert_false(busy[2]->is_open);
    for (int i = 0; i < RIG_SESSIONS; i++) {
        if (i != 2)
            session_done(rig_store, &running[i]);
        session_release(rig_store, busy[i]);
    }
}

static void sessions_in_use_are_nobodys_to_take(void **state)
{
    (void)state;
    rig_on_call(with_all_its_places_in_use_a_client_is_refused);
}

static int set_up_with_shares(void **state)
{
    rig_sessions_per_client = 2;
    return rig_set_up(state);
}

static int tear_down_with_shares(void **state)
{
    rig_sessions_per_client = 0;
    return rig_tear_down(state);
}

static void over_its_share_a_client_loses_its_own_oldest(void **state)
{
    struct session *first = rig_open("a");
    char            id[SESSION_ID_CHARS + 1];

    (void)state;
    memcpy(id, first->id, sizeof(id));
    session_release(rig_store, first);
    assert_non_null(try_to_open("a"));
    assert_non_null(try_to_open("a"));
    assert_int_equal(sessions_count(rig_store), 2);
    assert_false(rig_is_there(id, "a"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_128_random_bits_in_visible_characters),
        TEST(a_session_is_found_only_by_who_opened_it),
        TEST(a_session_of_another_process_is_taken_over_once_and_by_its_principal),
        TEST(long_and_odd_principals_are_told_apart),
        TEST(the_one_not_used_for_the_longest_time_makes_room),
        TEST(subscriptions_are_counted_in_bytes_as_well),
        TEST(one_client_cannot_push_out_another),
        TEST(sessions_in_use_are_nobodys_to_take),
        cmocka_unit_test_setup_teardown(over_its_share_a_client_loses_its_own_oldest,
                                        set_up_with_shares, tear_down_with_shares),
        TEST(sessions_at_work_stay_when_others_make_room),
        TEST(idle_sessions_expire),
        TEST(the_id_of_a_request_under_way_is_taken),
        TEST(a_session_runs_256_requests_and_no_more),
        TEST(a_late_cancellation_hits_no_other_request),
        TEST(the_end_of_a_session_cancels_what_runs),
        TEST(a_question_is_answered_once_and_in_its_own_session),
        TEST(subscriptions_are_counted_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
