/* test_stream.c - the event streams of a session: order, replay and its bounds, readers that take
 * over from others. */
#include <stdio.h>
#include <stdlib.h>

#include "mcp_rig.h"

static uint64_t add(struct session *session, struct session_stream *stream, const char *message)
{
    struct shared_text *text = shared_text_new(bp_str_of(message));
    uint64_t            number = stream_add(rig_store, session, stream, text, false);

    shared_text_release(text);
    return number;
}

static void expect_event(struct session *session, struct session_stream *stream,
                         struct waker *reader, uint64_t *number, const char *wanted)
{
    struct shared_text *text = NULL;
    uint64_t            lost;

    assert_int_equal(stream_next(rig_store, session, stream, reader, number, &lost, &text),
                     STREAM_EVENT);
    assert_string_equal(text->data, wanted);
    shared_text_release(text);
}

static enum stream_state state_of(struct session *session, struct session_stream *stream,
                                  struct waker *reader, uint64_t number)
{
    struct shared_text *text = NULL;
    uint64_t            lost;
    enum stream_state   state = stream_next(rig_store, session, stream, reader, &number, &lost,
                                            &text);

    shared_text_release(text);
    return state;
}

static void replay(bp_call *call)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = session_add_stream(rig_store, session, BP_STR("7")), *same;
    struct waker          *reader = waker_new(call);
    uint64_t               number = 1;

    assert_int_equal(add(session, stream, "one"), 1);
    assert_int_equal(add(session, stream, "two"), 2);
    same = session_stream(rig_store, session, stream->number);
    assert_ptr_equal(same, stream);
    stream_attach(rig_store, session, stream, reader);
    expect_event(session, stream, reader, &number, "two"); // behind the first
    assert_int_equal(number, 2);
    assert_int_equal(state_of(session, stream, reader, number), STREAM_WAITS);
    add(session, stream, "three");
    assert_int_equal(call_wait(call, BP_FOREVER, "an event"), BP_OK);
    expect_event(session, stream, reader, &number, "three");
    stream_finish(rig_store, session, stream);
    assert_int_equal(state_of(session, stream, reader, number), STREAM_FINISHED);
    assert_int_equal(state_of(session, stream, reader, UINT64_MAX), STREAM_FINISHED);
    stream_detach(rig_store, session, stream, reader);
    waker_end(reader);
    session_release(rig_store, session);
}

static void what_came_behind_the_last_event_is_sent_again(void **state)
{
    (void)state;
    rig_on_call(replay);
}

static void fill(bp_call *call)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = session_add_stream(rig_store, session, BP_STR("7"));
    struct waker          *reader = waker_new(call);
    char                   text[1001];
    uint64_t               number = 0, lost;
    struct shared_text    *event = NULL;

    memset(text, 'x', 1000);
    text[1000] = '\0';
    session_stream(rig_store, session, stream->number);
    stream_attach(rig_store, session, stream, reader);
    for (int i = 0; i < 50; i++)
        add(session, stream, text);
    assert_in_range(stream->bytes, 1, RIG_REPLAY_BYTES / 4); // one client has a quarter
    assert_in_range(stream->count, 1, RIG_REPLAY_BYTES / 4 / 1000);
    assert_int_equal(stream_next(rig_store, session, stream, reader, &number, &lost, &event),
                     STREAM_EVENT);
    assert_int_equal(number, 50 - stream->count + 1);
    assert_int_equal(lost, number - 1);
    assert_non_null(strstr(stream_loss(call->arena, session, lost).data,
                           "messages of this stream were dropped"));
    shared_text_release(event);
    stream_detach(rig_store, session, stream, reader);
    waker_end(reader);
    session_release(rig_store, session);
}

static void what_is_kept_for_replay_has_a_bound(void **state)
{
    (void)state;
    rig_on_call(fill);
}

/* Each stream has one event alone, and each of these is as large as all that may be kept. */
static void fill_by_last_events(bp_call *call)
{
    struct session *large[3] = { rig_open("a"), rig_open("a"), rig_open("b") },
                   *small = rig_open("c");
    struct shared_text *text = rig_text(RIG_REPLAY_BYTES / 4 - 1000),
                       *more = rig_text(2 * RIG_REPLAY_BYTES);
    size_t kept;

    (void)call;
    add(small, session_stream(rig_store, small, 0), "mine");
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 20; j++) {
            stream_add(rig_store, large[i], session_add_stream(rig_store, large[i], BP_STR("7")),
                       text, false);
            stream_add(rig_store, large[i], session_add_stream(rig_store, large[i], BP_STR("8")),
                       more, false);
        }
    kept = large[0]->client_of->replay_bytes + large[2]->client_of->replay_bytes +
           small->client_of->replay_bytes;
    assert_in_range(large[0]->client_of->replay_bytes, 0, RIG_REPLAY_BYTES / 4);
    assert_in_range(large[2]->client_of->replay_bytes, 0, RIG_REPLAY_BYTES / 4);
    assert_in_range(kept, RIG_REPLAY_BYTES / 4, RIG_REPLAY_BYTES);
    assert_int_equal(small->streams->count, 1); // others' load drops nothing of it
    shared_text_release(text);
    shared_text_release(more);
    for (int i = 0; i < 3; i++)
        session_release(rig_store, large[i]);
    session_release(rig_store, small);
}

static void the_last_event_of_a_stream_counts_as_well(void **state)
{
    (void)state;
    rig_on_call(fill_by_last_events);
}

static void lose_an_answer(bp_call *call)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = session_add_stream(rig_store, session, BP_STR("\"seven\""));
    struct waker          *reader = waker_new(call);
    struct shared_text    *text = rig_text(RIG_REPLAY_BYTES), *event = NULL;
    uint64_t               number = 0, lost;

    assert_int_equal(stream_add(rig_store, session, stream, text, true), 1);
    stream_finish(rig_store, session, stream);
    session_stream(rig_store, session, stream->number);
    stream_attach(rig_store, session, stream, reader);
    assert_int_equal(stream_next(rig_store, session, stream, reader, &number, &lost, &event),
                     STREAM_EVENT);
    assert_non_null(strstr(event->data, "\"id\":\"seven\",\"error\":{"));
    shared_text_release(event);
    shared_text_release(text);
    stream_detach(rig_store, session, stream, reader);
    waker_end(reader);
    session_release(rig_store, session);
}

static void an_answer_that_cannot_be_kept_leaves_an_error_with_its_id(void **state)
{
    (void)state;
    rig_on_call(lose_an_answer);
}

static void only_the_newest_finished_streams_are_kept(void **state)
{
    struct session *session = rig_open("a");
    uint32_t        numbers[20];
    size_t          kept = 0;

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct session_stream *stream = session_add_stream(rig_store, session, BP_STR("7"));

        numbers[i] = stream->number;
        add(session, stream, "answer");
        stream_finish(rig_store, session, stream);
    }
    for (int i = 0; i < 20; i++) {
        struct session_stream *stream = session_stream(rig_store, session, numbers[i]);

        kept += stream != NULL;
        if (stream)
            stream_detach(rig_store, session, stream, NULL);
        assert_true(i < 11 || stream);
    }
    assert_in_range(kept, 8, 9);
    assert_null(session_stream(rig_store, session, 99));
    session_release(rig_store, session);
}

/* The first reader is stuck in a write when a second one takes its place, goes, and newer streams
 * push this one out: it must find the stream as it was when it looks again. */
static void take_over(bp_call *call)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = session_add_stream(rig_store, session, BP_STR("7"));
    struct waker          *first = waker_new(call), *second = waker_new(call);
    uint32_t               number = stream->number;

    add(session, stream, "one");
    stream_finish(rig_store, session, stream);
    assert_ptr_equal(session_stream(rig_store, session, number), stream);
    stream_attach(rig_store, session, stream, first);
    assert_ptr_equal(session_stream(rig_store, session, number), stream);
    stream_attach(rig_store, session, stream, second);
    assert_int_equal(call_wait(call, BP_FOREVER, "being told to go"), BP_OK);
    stream_detach(rig_store, session, stream, second);
    for (int i = 0; i < 20; i++)
        stream_finish(rig_store, session, session_add_stream(rig_store, session, BP_STR("7")));
    assert_int_equal(state_of(session, stream, first, 1), STREAM_TAKEN);
    stream_detach(rig_store, session, stream, first);
    session_add_stream(rig_store, session, BP_STR("7"));
    assert_null(session_stream(rig_store, session, number)); // now nobody needs it
    waker_end(first);
    waker_end(second);
    session_release(rig_store, session);
}

static void a_reader_that_lost_its_place_finds_the_stream_still_there(void **state)
{
    (void)state;
    rig_on_call(take_over);
}

static void broadcast(bp_call *call)
{
    struct session *listens = rig_open("a"), *subscribed = rig_open("b"), *silent = rig_open("c");
    struct session_stream *one = session_stream(rig_store, listens, 0),
                          *two = session_stream(rig_store, subscribed, 0);
    uint64_t      number = 0;
    struct waker *reader = waker_new(call);

    assert_true(session_subscribe(rig_store, subscribed, BP_STR("test://x"), true));
    sessions_broadcast(rig_store, BP_STR("to all"), BP_STR(""));
    sessions_broadcast(rig_store, BP_STR("x changed"), BP_STR("test://x"));
    assert_int_equal(silent->streams->count, 1); // kept until its client opens the stream
    assert_int_equal(one->count, 1);
    assert_int_equal(two->count, 2);
    assert_int_equal(stream_sent(rig_store, two), 0);
    stream_attach(rig_store, subscribed, two, reader);
    expect_event(subscribed, two, reader, &number, "to all");
    expect_event(subscribed, two, reader, &number, "x changed");
    assert_int_equal(stream_sent(rig_store, two),
                     2); // a client that comes without Last-Event-ID is not told again
    sessions_drain(rig_store);
    assert_int_equal(state_of(subscribed, two, reader, number), STREAM_FINISHED);
    stream_detach(rig_store, subscribed, two, reader);
    stream_detach(rig_store, listens, one, NULL);
    waker_end(reader);
    session_release(rig_store, listens);
    session_release(rig_store, subscribed);
    session_release(rig_store, silent);
}

static void news_go_to_who_listens_and_subscribed(void **state)
{
    (void)state;
    rig_on_call(broadcast);
}

static void end_under_a_reader(bp_call *call)
{
    struct session        *session = rig_open("a");
    struct session_stream *stream = session_stream(rig_store, session, 0);
    struct waker          *reader = waker_new(call);

    stream_attach(rig_store, session, stream, reader);
    assert_int_equal(state_of(session, stream, reader, 0), STREAM_WAITS);
    session_end(rig_store, session);
    assert_int_equal(call_wait(call, BP_FOREVER, "the end"), BP_OK);
    assert_int_equal(state_of(session, stream, reader, 0), STREAM_FINISHED);
    stream_detach(rig_store, session, stream, reader);
    waker_end(reader);
    session_release(rig_store, session);
}

static void the_end_of_a_session_ends_its_streams(void **state)
{
    (void)state;
    rig_on_call(end_under_a_reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_came_behind_the_last_event_is_sent_again),
        TEST(what_is_kept_for_replay_has_a_bound),
        TEST(the_last_event_of_a_stream_counts_as_well),
        TEST(an_answer_that_cannot_be_kept_leaves_an_error_with_its_id),
        TEST(only_the_newest_finished_streams_are_kept),
        TEST(a_reader_that_lost_its_place_finds_the_stream_still_there),
        TEST(news_go_to_who_listens_and_subscribed),
        TEST(the_end_of_a_session_ends_its_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
