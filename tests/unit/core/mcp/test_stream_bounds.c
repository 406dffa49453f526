/* test_stream_bounds.c - what the streams of sessions keep, to the byte and to the event: what is
 * counted, what goes first, and what is told of what went. */
#include <stdio.h>
#include <stdlib.h>

#include "mcp_rig.h"
#include "mcp/session_store.h"

enum { OVERHEAD = sizeof(struct stream_event) + sizeof(struct shared_text) + 1 };

#define LOST                                                                                       \
    "\"error\":{\"code\":-32603,\"message\":\"the answer was made, but it is larger than the "     \
    "limit for a client that lost its stream: send the request again\"}}"

static struct session_stream *new_stream(struct session *session, const char *id)
{
    return session_add_stream(rig_store, session, bp_str_of(id));
}

/* One event of so many bytes in all. */
static uint64_t add(struct session_stream *stream, size_t bytes, bool is_answer)
{
    struct shared_text *text = rig_text(bytes - OVERHEAD);
    uint64_t            number = stream_add(rig_store, stream->session, stream, text, is_answer);

    shared_text_release(text);
    return number;
}

/* The numbers of the events that are kept, apart by blanks. */
static void expect_kept(const struct session_stream *stream, const char *numbers)
{
    char                       text[256] = "";
    size_t                     bytes = 0;
    uint32_t                   count = 0;
    const struct stream_event *last = NULL;

    for (const struct stream_event *at = stream->first; at; at = at->next) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%llu", count ? " " : "",
                 (unsigned long long)at->number);
        bytes += OVERHEAD + at->text->len;
        count++;
        last = at;
    }
    assert_string_equal(text, numbers);
    assert_int_equal(stream->bytes, bytes);
    assert_int_equal(stream->count, count);
    assert_ptr_equal(stream->end, last);
}

static void expect_all(const struct session *session, size_t of_client, size_t of_all)
{
    assert_int_equal(session->client_of->replay_bytes, of_client);
    assert_int_equal(rig_store->replay_bytes, of_all);
}

static void each_event_is_counted_and_discounted(void **state)
{
    struct session        *session = rig_open("a"), *other = rig_open("b");
    struct session_stream *one = new_stream(session, "1"), *two = new_stream(session, "2");

    (void)state;
    assert_int_equal(add(one, 1000, false), 1);
    assert_int_equal(add(one, 500, false), 2);
    assert_int_equal(add(two, 300, false), 1);
    assert_int_equal(add(new_stream(other, "3"), 70, false), 1);
    expect_kept(one, "1 2");
    expect_kept(two, "1");
    expect_all(session, 1800, 1870);
    expect_all(other, 70, 1870);
    pthread_mutex_lock(&rig_store->lock);
    stream_drop(rig_store, session, one);
    pthread_mutex_unlock(&rig_store->lock);
    assert_ptr_equal(session->streams, two);
    assert_null(two->next);
    expect_all(session, 300, 370);
    session_end(rig_store, other);
    session_release(rig_store, other);
    expect_all(session, 300, 300);
    session_release(rig_store, session);
}

/* One client has a quarter of it all, to the byte. */
static void a_client_has_a_quarter(void **state)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = new_stream(session, "1");
    enum { QUARTER = RIG_REPLAY_BYTES / 4 };

    (void)state;
    add(stream, QUARTER - 200, false);
    add(stream, 200, false);
    expect_kept(stream, "1 2");
    expect_all(session, QUARTER, QUARTER);
    add(stream, 100, false);
    expect_kept(stream, "2 3");
    add(stream, QUARTER - 300, false);
    expect_kept(stream, "2 3 4");
    add(stream, 101, false); // one byte too many is the oldest one's end
    expect_kept(stream, "3 4 5");
    add(stream, QUARTER, false);
    expect_kept(stream, "6");
    add(stream, QUARTER + 1, false); // and what is too large is not kept at all
    expect_kept(stream, "");
    expect_all(session, 0, 0);
    assert_int_equal(add(stream, 100, false), 8);
    expect_kept(stream, "8");
    session_release(rig_store, session);
}

/* Four clients use all of it; a fifth, who has nothing, gets nothing of theirs. */
static void all_clients_together_have_a_bound(void **state)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    struct session          *sessions[4];
    struct session_stream   *last = NULL;

    (void)state;
    for (int i = 0; i < 4; i++) {
        sessions[i] = rig_open(names[i]);
        last = new_stream(sessions[i], "1");
        add(last, RIG_REPLAY_BYTES / 4 - (i == 3 ? 100 : 0), false);
    }
    expect_all(sessions[3], RIG_REPLAY_BYTES / 4 - 100, RIG_REPLAY_BYTES - 100);
    add(last, 100, false);
    expect_kept(last, "1 2");
    expect_all(sessions[3], RIG_REPLAY_BYTES / 4, RIG_REPLAY_BYTES);
    for (int i = 0; i < 4; i++)
        session_release(rig_store, sessions[i]);
}

/* When a stream has nothing that can go, the other streams of its client lose theirs, those of its
 * session of longest ago first. */
static void other_streams_of_the_client_make_room(void **state)
{
    struct session        *older = rig_open("a"), *newer = rig_open("a");
    struct session_stream *first = new_stream(older, "1"), *second = new_stream(older, "2"),
                          *third = new_stream(newer, "3"), *fourth = new_stream(newer, "4");
    enum { EACH = 4000, QUARTER = RIG_REPLAY_BYTES / 4 };

    (void)state;
    add(first, EACH, false);
    add(second, EACH, false);
    add(third, EACH, false);
    add(fourth, QUARTER - 3 * EACH, false);
    expect_all(older, QUARTER, QUARTER);
    add(new_stream(newer, "5"), EACH - 1, false);
    expect_kept(second, ""); // the newest stream of a session stands first
    expect_kept(first, "1");
    add(newer->streams, EACH, false);
    expect_kept(newer->streams, "2"); // its own go before those of others
    expect_kept(first, "1");
    session_release(rig_store, older);
    session_release(rig_store, newer);
}

static void a_stream_keeps_1024_events(void **state)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = new_stream(session, "1");

    (void)state;
    for (int i = 1; i <= 1026; i++) {
        assert_int_equal(add(stream, 200, false), i);
        assert_int_equal(stream->count, i < 1024 ? i : 1024);
        assert_int_equal(stream->first->number, i <= 1024 ? 1 : i - 1023);
        assert_int_equal(stream->bytes, 200 * stream->count);
    }
    session_release(rig_store, session);
}

static void a_stream_keeps_four_mebibytes(void **state)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = new_stream(session, "1"), *other = new_stream(session, "2");

    (void)state;
    add(other, 1 << 20, false);
    for (int i = 0; i < 4; i++)
        add(stream, 1 << 20, false);
    expect_kept(stream, "1 2 3 4");
    add(stream, 200, false);
    expect_kept(stream, "2 3 4 5");
    add(stream, (1 << 20) - 200, false);
    expect_kept(stream, "2 3 4 5 6");
    add(stream, 200, false);
    expect_kept(stream, "3 4 5 6 7");
    expect_kept(other, "1");
    session_release(rig_store, session);
}

static int set_up_large(void **state)
{
    rig_replay_bytes = 64 << 20;
    return rig_set_up(state);
}

static int tear_down_large(void **state)
{
    rig_replay_bytes = RIG_REPLAY_BYTES;
    return rig_tear_down(state);
}

/* What is being sent is in memory all the same; small ones are in many streams at once. */
static void an_event_that_is_being_sent_stays_if_it_is_large(void **state)
{
    (void)state;
    for (size_t len = 4096; len <= 4097; len++) {
        struct session        *session = rig_open(len == 4096 ? "a" : "b");
        struct session_stream *stream = new_stream(session, "1");
        struct shared_text    *held = rig_text(len);

        stream_add(rig_store, session, stream, held, false);
        add(stream, 6000, false);
        add(stream, RIG_REPLAY_BYTES / 4 - 6000, false); // one of the two has to go
        expect_kept(stream, len == 4096 ? "2 3" : "1 3");
        shared_text_release(held);
        session_end(rig_store, session);
        session_release(rig_store, session);
    }
}

/* ---- answers that do not fit ---- */

static void expect_answer(const struct session_stream *stream, const char *id)
{
    char wanted[1024];

    assert_int_equal(stream->count, 1);
    snprintf(wanted, sizeof(wanted), "{\"jsonrpc\":\"2.0\",\"id\":%s," LOST, id);
    assert_string_equal(stream->first->text->data, wanted);
    assert_int_equal(stream->first->text->len, strlen(wanted));
    assert_false(stream->first->is_answer);
    assert_int_equal(stream->bytes, OVERHEAD + strlen(wanted));
}

static void an_answer_that_is_too_large_leaves_an_error(void **state)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = new_stream(session, "\"seven\"");

    (void)state;
    assert_int_equal(add(stream, RIG_REPLAY_BYTES, true), 1);
    expect_answer(stream, "\"seven\"");
    expect_kept(stream, "1");
    expect_all(session, stream->bytes, stream->bytes);
    add(stream, RIG_REPLAY_BYTES / 4, false); // the error goes as any other event
    expect_kept(stream, "2");
    session_release(rig_store, session);
}

static void of_an_id_that_is_long_nothing_is_left(void **state)
{
    struct session *session = rig_open("a");
    char            id[258];

    (void)state;
    memset(id, '7', sizeof(id));
    for (size_t len = 256; len <= 257; len++) {
        struct session_stream *stream = session_add_stream(rig_store, session, bp_str_n(id, len));

        assert_int_equal(stream->request_id != NULL, len == 256);
        add(stream, RIG_REPLAY_BYTES, true);
        assert_int_equal(stream->count, len == 256);
    }
    add(new_stream(session, ""), RIG_REPLAY_BYTES, true);
    assert_int_equal(session->streams->count, 0);
    session_release(rig_store, session);
}

/* Where the error would be no smaller than the answer, the answer goes. */
static void a_small_answer_is_not_replaced(void **state)
{
    size_t error_len = strlen("{\"jsonrpc\":\"2.0\",\"id\":7," LOST);

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        struct session        *session = rig_open(more ? "a" : "b");
        struct session_stream *stream = new_stream(session, "7");
        enum { QUARTER = RIG_REPLAY_BYTES / 4 };

        add(stream, OVERHEAD + error_len + more, true);
        add(stream, QUARTER + 1 - 2 * OVERHEAD - error_len - more, false);
        expect_kept(stream, "1 2");
        add(stream, OVERHEAD, false); // one byte too many
        expect_kept(stream, more ? "1 2 3" : "2 3");
        session_end(rig_store, session);
        session_release(rig_store, session);
    }
}

/* ---- streams that are kept ---- */

static void eight_finished_streams_are_kept(void **state)
{
    struct session *session = rig_open("a");
    uint32_t        open = new_stream(session, "open")->number, held, count = 0;

    (void)state;
    assert_int_equal(open, 1);
    held = new_stream(session, "held")->number;
    assert_non_null(session_stream(rig_store, session, held));
    stream_finish(rig_store, session, session->streams);
    for (int i = 0; i < 12; i++)
        stream_finish(rig_store, session, new_stream(session, "1"));
    new_stream(session, "last"); // this is when the old ones go
    for (const struct session_stream *at = session->streams; at; at = at->next)
        count++;
    assert_int_equal(count, 1 + 8 + 2);
    assert_int_equal(session->streams->number, 15);
    assert_int_equal(session->streams->next->number, 14);
    assert_null(session_stream(rig_store, session, 6));
    assert_non_null(session_stream(rig_store, session, 7));
    assert_non_null(session_stream(rig_store, session, open));
    assert_non_null(session_stream(rig_store, session, held));
    session_release(rig_store, session);
}

/* ---- reading ---- */

static enum stream_state next_of(struct session_stream *stream, uint64_t *number, uint64_t *lost,
                                 size_t *len)
{
    struct shared_text *text = NULL;
    enum stream_state   state = stream_next(rig_store, stream->session, stream, NULL, number, lost,
                                            &text);

    *len = text ? text->len : 0;
    shared_text_release(text);
    return state;
}

static void a_reader_is_told_how_many_it_lost(void **state)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = new_stream(session, "1");
    uint64_t               number = 0, lost = 77;
    size_t                 len;
    enum { QUARTER = RIG_REPLAY_BYTES / 4 };

    (void)state;
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_WAITS);
    assert_int_equal(lost, 0);
    add(stream, 500, false);
    add(stream, 600, false);
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_EVENT);
    assert_int_equal(number, 1);
    assert_int_equal(lost, 0);
    assert_int_equal(len, 500 - OVERHEAD);
    assert_int_equal(stream_sent(rig_store, stream), 1);
    add(stream, QUARTER - 100, false);
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_EVENT);
    assert_int_equal(number, 3);
    assert_int_equal(lost, 1);
    assert_int_equal(stream_sent(rig_store, stream), 3);
    number = 0; // from the start once more
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_EVENT);
    assert_int_equal(number, 3);
    assert_int_equal(lost, 2);
    assert_int_equal(stream_sent(rig_store, stream), 3);
    add(stream, QUARTER + 1, false);
    add(stream, QUARTER + 1, false);
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_EVENT);
    assert_int_equal(number, 5);
    assert_int_equal(lost, 2);
    assert_int_equal(len, 0);
    assert_int_equal(stream_sent(rig_store, stream), 3);
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_WAITS);
    assert_int_equal(lost, 0);
    sessions_drain(rig_store);
    assert_int_equal(next_of(stream, &number, &lost, &len), STREAM_FINISHED);
    session_release(rig_store, session);
}

static void what_was_lost_is_told_as_a_warning(void **state)
{
    struct session *session = rig_open("a");
    struct arena    arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (uint32_t level = 0; level <= 8; level++) {
        session_set_level(rig_store, session, level);
        assert_int_equal(stream_loss(&arena, session, 1).len > 0, level <= 3);
        assert_int_equal(stream_loss(&arena, session, 0).len, 0);
    }
    session_set_level(rig_store, session, 3);
    assert_string_equal(stream_loss(&arena, session, 12).data,
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                        "message\",\"params\":{\"level\":"
                        "\"warning\",\"logger\":\"backplane\",\"data\":\"12 messages of this "
                        "stream were dropped, "
                        "as more came than is kept: what they told of may have changed\"}}");
    arena_free(&arena);
    session_release(rig_store, session);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
#define LARGE(name) cmocka_unit_test_setup_teardown(name, set_up_large, tear_down_large)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_event_is_counted_and_discounted),
        TEST(a_client_has_a_quarter),
        TEST(all_clients_together_have_a_bound),
        TEST(other_streams_of_the_client_make_room),
        LARGE(a_stream_keeps_1024_events),
        LARGE(a_stream_keeps_four_mebibytes),
        TEST(an_event_that_is_being_sent_stays_if_it_is_large),
        TEST(an_answer_that_is_too_large_leaves_an_error),
        TEST(of_an_id_that_is_long_nothing_is_left),
        TEST(a_small_answer_is_not_replaced),
        TEST(eight_finished_streams_are_kept),
        TEST(a_reader_is_told_how_many_it_lost),
        TEST(what_was_lost_is_told_as_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
