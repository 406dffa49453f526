/* test_session_bounds.c - what a session and its client may have, to the byte and to the
 * nanosecond, and what each of its ends gives back. */
#include <stdio.h>
#include <stdlib.h>

#include "mcp_rig.h"
#include "mcp/session_store.h"

enum { OVERHEAD = sizeof(struct subscription) };

static char uri_text[16 << 10];

/* A uri of so many bytes, another one for each `number`. */
static bp_str uri_of(size_t len, int number)
{
    char first[9];

    snprintf(first, sizeof(first), "%08d", number);
    memset(uri_text, 'u', sizeof(uri_text));
    memcpy(uri_text, first, 8);
    return bp_str_n(uri_text, len);
}

static bool subscribe(struct session *session, size_t len, int number)
{
    return session_subscribe(rig_store, session, uri_of(len, number), true);
}

static bool leave(struct session *session, size_t len, int number)
{
    return session_subscribe(rig_store, session, uri_of(len, number), false);
}

static void expect_uris(const struct session *session, size_t count, size_t bytes, size_t of_client)
{
    size_t found = 0;

    for (const struct subscription *at = session->subscriptions; at; at = at->next)
        found++;
    assert_int_equal(found, count);
    assert_int_equal(session->uri_count, count);
    assert_int_equal(session->uri_bytes, bytes);
    assert_int_equal(session->client_of->uri_bytes, of_client);
}

static void subscriptions_are_counted_to_the_byte(void **state)
{
    struct session *one = rig_open("a"), *two = rig_open("a");

    (void)state;
    assert_true(subscribe(one, 100, 1));
    assert_true(subscribe(one, 200, 2));
    assert_true(subscribe(one, 100, 1)); // is there already
    assert_true(subscribe(one, 300, 3));
    assert_true(subscribe(two, 100, 1));
    expect_uris(one, 3, 600 + 3 * OVERHEAD, 700 + 4 * OVERHEAD);
    expect_uris(two, 1, 100 + OVERHEAD, 700 + 4 * OVERHEAD);
    assert_true(leave(one, 200, 2));
    assert_true(leave(one, 200, 2)); // was left already
    assert_true(leave(one, 200, 1)); // of another length
    expect_uris(one, 2, 400 + 2 * OVERHEAD, 500 + 3 * OVERHEAD);
    assert_true(leave(one, 100, 1));
    assert_true(leave(one, 300, 3));
    expect_uris(one, 0, 0, 100 + OVERHEAD);
    assert_true(subscribe(one, 400, 4));
    session_end(rig_store, one);
    session_release(rig_store, one);
    expect_uris(two, 1, 100 + OVERHEAD, 100 + OVERHEAD);
    session_release(rig_store, two);
}

static void a_uri_has_at_most_8_kibibytes(void **state)
{
    struct session *session = rig_open("a");

    (void)state;
    assert_true(subscribe(session, 8192, 1));
    assert_false(subscribe(session, 8193, 2));
    assert_true(leave(session, 8193, 2)); // what cannot be there is not there
    expect_uris(session, 1, 8192 + OVERHEAD, 8192 + OVERHEAD);
    session_release(rig_store, session);
}

static void uris_of_a_session_have_256_kibibytes(void **state)
{
    struct session *session = rig_open("a");
    size_t          left = SESSION_URIS_BYTES_MAX;
    int             number = 0;

    (void)state;
    for (; left > 8192 + OVERHEAD; left -= 8000 + OVERHEAD)
        assert_true(subscribe(session, 8000, number++));
    assert_false(subscribe(session, left - OVERHEAD + 1, number));
    assert_true(subscribe(session, left - OVERHEAD, number));
    expect_uris(session, (size_t)number + 1, SESSION_URIS_BYTES_MAX, SESSION_URIS_BYTES_MAX);
    assert_false(subscribe(session, 8, number + 1));
    session_release(rig_store, session);
}

static void a_session_has_1024_subscriptions(void **state)
{
    struct session *session = rig_open("a");

    (void)state;
    for (int i = 0; i < 1026; i++)
        assert_int_equal(subscribe(session, 8, i), i < 1024);
    expect_uris(session, 1024, 1024 * (8 + OVERHEAD), 1024 * (8 + OVERHEAD));
    assert_true(leave(session, 8, 500));
    assert_true(subscribe(session, 8, 1024));
    assert_false(subscribe(session, 8, 1025));
    session_release(rig_store, session);
}

/* ---- answers ---- */

static void answer_until_full(bp_call *call)
{
    enum { MEBI = 1 << 20, ALL = 16 };
    struct session     *session = rig_open("a");
    struct waker       *waker = waker_new(call);
    struct question     questions[ALL + 2];
    struct shared_text *large = rig_text(MEBI);
    bp_str              answer = bp_str_n(large->data, MEBI);

    for (int i = 0; i < ALL + 2; i++) {
        questions[i] = (struct question){ .waker = waker };
        session_ask(rig_store, session, &questions[i]);
        assert_int_equal(questions[i].id, i + 1);
    }
    for (int i = 0; i < ALL; i++) {
        assert_true(session_answer(rig_store, session, questions[i].id, i == 3, answer));
        assert_int_equal(questions[i].is_error, i == 3);
        assert_int_equal(questions[i].counted_bytes, MEBI);
        assert_int_equal(questions[i].answer->len, MEBI);
    }
    assert_int_equal(session->client_of->answer_bytes, CLIENT_ANSWERS_BYTES_MAX);
    assert_true(session_answer(rig_store, session, questions[ALL].id, false, BP_STR("1")));
    assert_true(questions[ALL].is_error);
    assert_string_equal(questions[ALL].answer->data,
                        "{\"code\":-32602,\"message\":\"your answers that wait to be used are too "
                        "large together\"}");
    session_forget(rig_store, session, &questions[ALL]);
    assert_int_equal(session->client_of->answer_bytes, CLIENT_ANSWERS_BYTES_MAX);
    for (int i = 0; i <= ALL + 1; i++) {
        if (i < ALL)
            session_forget(rig_store, session, &questions[i]);
        if (i == 0)
            assert_int_equal(session->client_of->answer_bytes, CLIENT_ANSWERS_BYTES_MAX - MEBI);
        shared_text_release(questions[i].answer);
    }
    assert_int_equal(session->client_of->answer_bytes, 0);
    session_forget(rig_store, session, &questions[ALL + 1]);
    session_forget(rig_store, session, &questions[ALL + 1]); // twice is once
    assert_int_equal(session->questions.count, 0);
    shared_text_release(large);
    waker_end(waker);
    session_release(rig_store, session);
}

static void answers_that_wait_have_16_mebibytes_together(void **state)
{
    (void)state;
    rig_on_call(answer_until_full);
}

/* ---- opening ---- */

static struct session *open_as(const char *id, const char *client)
{
    bp_principal    principal = rig_principal(id, "default");
    uint8_t         sender[16];
    struct session *session;

    principal_digest(&principal, sender);
    session = session_open(rig_store, &principal, MCP_2025_06_18, 5, bp_str_of(client), sender);
    return session;
}

static void a_new_session_is_as_its_client_said(void **state)
{
    char            name[99];
    struct session *session = open_as("a", "name/1");

    (void)state;
    assert_int_equal(session->revision, MCP_2025_06_18);
    assert_int_equal(session->abilities, 5);
    assert_int_equal(session->log_level, 1);
    assert_true(session->is_open);
    assert_false(session->is_initialized);
    assert_int_equal(session->refs, 2);
    assert_string_equal(session->client, "name/1");
    session_set_level(rig_store, session, 6);
    assert_int_equal(session->log_level, 6);
    session_release(rig_store, session);
    assert_int_equal(session->refs, 1);
    for (size_t len = 95; len <= 97; len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        session = open_as("a", name);
        assert_int_equal(strlen(session->client), len < 96 ? len : 96);
        session_release(rig_store, session);
    }
    session = open_as("a", "");
    assert_string_equal(session->client, "");
    session_release(rig_store, session);
}

/* Whose sessions are there, with how many: "a:2 b:1", newest client first. */
static void expect_clients(const char *wanted)
{
    char text[256] = "";

    for (const struct session_client *at = rig_store->first_client; at; at = at->next_of_all) {
        const char *name = "?";

        for (const char *id = "a\0b\0c\0d\0e\0"; *id; id += 2) {
            bp_principal principal = rig_principal(id, "default");
            uint8_t      digest[16];

            principal_digest(&principal, digest);
            if (memcmp(digest, at->sender, 16) == 0)
                name = id;
        }
        assert_int_equal(at->refs, at->open);
        assert_ptr_equal(at->previous_of_all ? at->previous_of_all->next_of_all
                                             : rig_store->first_client,
                         at);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%u", text[0] ? " " : "",
                 name, at->open);
    }
    assert_string_equal(text, wanted);
}

static void open_and_release(const char *id)
{
    struct session *session = open_as(id, "x");

    assert_non_null(session);
    session_release(rig_store, session);
}

static void clients_are_there_while_they_have_a_session(void **state)
{
    struct session *b;

    (void)state;
    expect_clients("");
    open_and_release("a");
    b = open_as("b", "x");
    open_and_release("c");
    open_and_release("a");
    expect_clients("c:1 b:1 a:2");
    assert_int_equal(sessions_count(rig_store), 4);
    session_end(rig_store, b);
    session_release(rig_store, b);
    expect_clients("c:1 a:2");
    open_and_release("b");
    expect_clients("b:1 c:1 a:2");
    open_and_release("d"); // who has most, and more than d would have, makes room
    expect_clients("d:1 b:1 c:1 a:1");
    assert_null(open_as("e", "x")); // all have as little
    expect_clients("d:1 b:1 c:1 a:1");
    assert_int_equal(sessions_count(rig_store), 4);
    open_and_release("c"); // whose own makes room
    expect_clients("d:1 b:1 c:1 a:1");
}

/* From a minute on a session counts as forgotten, and makes room for anybody. */
static void a_session_that_nobody_used_for_long_makes_room(void **state)
{
    struct session *oldest = NULL;
    char            first[SESSION_ID_CHARS + 1] = "";

    (void)state;
    for (const char *id = "a\0b\0c\0d\0"; *id; id += 2) {
        oldest = oldest ? oldest : rig_store->oldest;
        open_and_release(id);
    }
    oldest = rig_store->oldest;
    memcpy(first, oldest->id, sizeof(first));
    assert_null(open_as("e", "x"));
    oldest->last_used_ns -= BP_SECONDS(3600);
    open_and_release("e");
    assert_false(rig_is_there(first, "a"));
    expect_clients("e:1 d:1 c:1 b:1");
}

static void a_session_expires_when_it_was_idle_for_its_time(void **state)
{
    struct session *one = rig_open("a"), *two = rig_open("b"), *read = rig_open("c");

    (void)state;
    one->last_used_ns = 1000;
    two->last_used_ns = 1001;
    read->last_used_ns = 1002;
    sessions_expire(rig_store, 999 + BP_SECONDS(60));
    assert_true(one->is_open);
    sessions_expire(rig_store, 1000 + BP_SECONDS(60));
    assert_false(one->is_open);
    assert_true(two->is_open);
    sessions_expire(rig_store, 5000 + BP_SECONDS(60));
    assert_false(two->is_open);
    assert_false(read->is_open);
    assert_int_equal(sessions_count(rig_store), 0);
    session_release(rig_store, one);
    session_release(rig_store, two);
    session_release(rig_store, read);
    expect_clients("");
}

static void use_orders(bp_call *call)
{
    struct session  *sessions[4];
    static const int order[] = { 2, 0, 3, 1 };

    (void)call;
    for (int i = 0; i < 4; i++)
        sessions[i] = rig_open(i % 2 ? "a" : "b");
    for (int i = 0; i < 4; i++)
        assert_true(rig_is_there(sessions[order[i]]->id, order[i] % 2 ? "a" : "b"));
    for (struct session *at = rig_store->oldest, *before = NULL; at; before = at, at = at->newer)
        assert_ptr_equal(at->older, before);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(rig_store->oldest, sessions[order[i]]);
        assert_ptr_equal(sessions[order[i]]->client_of->oldest, sessions[order[i]]);
        session_end(rig_store, sessions[order[i]]);
        assert_int_equal(sessions_count(rig_store), 3 - i);
        session_end(rig_store, sessions[order[i]]); // has ended
        assert_int_equal(sessions_count(rig_store), 3 - i);
        session_release(rig_store, sessions[order[i]]);
    }
    assert_null(rig_store->oldest);
    assert_null(rig_store->newest);
}

static void each_use_puts_a_session_last(void **state)
{
    (void)state;
    rig_on_call(use_orders);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(subscriptions_are_counted_to_the_byte),
        TEST(a_uri_has_at_most_8_kibibytes),
        TEST(uris_of_a_session_have_256_kibibytes),
        TEST(a_session_has_1024_subscriptions),
        TEST(answers_that_wait_have_16_mebibytes_together),
        TEST(a_new_session_is_as_its_client_said),
        TEST(clients_are_there_while_they_have_a_session),
        TEST(a_session_that_nobody_used_for_long_makes_room),
        TEST(a_session_expires_when_it_was_idle_for_its_time),
        TEST(each_use_puts_a_session_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
