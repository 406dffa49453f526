/* test_http_stream.c - the HTTP client's streams: pieces, back-pressure, events, cancelling. */
#include "net_test.h"

static char heard[16384];

static bp_status open_stream(bp_call *call, const char *path, bp_http_stream **stream)
{
    bp_http_response head = { .struct_size = sizeof(head) };
    bp_http_request  request = { .struct_size = sizeof(request),
                                 .url = arena_format(call->arena, "http://127.0.0.1:%u%s",
                                                     server.port, path),
                                 .idle_timeout_ns = BP_SECONDS(5) };

    return http_client_open(call, &request, &head, stream);
}

static void with_server(void (*serve)(int fd, int number), void (*run)(bp_call *call))
{
    server_start(serve);
    on_call(run, BP_SECONDS(60));
    server_stop();
}

/* ---- back-pressure ---- */

enum { FLOOD_BYTES = 32 << 20 };

static _Atomic size_t flood_sent;

static void serve_flood(int fd, int number)
{
    static char bytes[65536];
    char        head[100];

    (void)number;
    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", FLOOD_BYTES);
    server_say(fd, head);
    for (flood_sent = 0; flood_sent < FLOOD_BYTES; flood_sent += sizeof(bytes)) {
        memset(bytes, (int)(flood_sent / sizeof(bytes)), sizeof(bytes));
        if (!server_send(fd, bytes, sizeof(bytes)))
            return;
    }
}

static void read_late(bp_call *call)
{
    bp_http_stream *stream;
    bp_str          piece;
    size_t          total = 0, before;

    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(100)), BP_OK);
    before = flood_sent;
    assert_in_range(before, 0,
                    FLOOD_BYTES / 2); // what fits into the buffers of the kernel, and 256 KiB
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(50)), BP_OK);
    assert_int_equal(flood_sent, before);
    do {
        assert_status(call, http_client_read(call, stream, &piece), BP_OK);
        assert_in_range(piece.len, 0, HTTP_CLIENT_STREAM_MAX_BYTES);
        for (size_t i = 0; i < piece.len; i += 4096)
            assert_int_equal((unsigned char)piece.data[i], ((total + i) / 65536) & 255);
        total += piece.len;
    } while (piece.len);
    assert_int_equal(total, FLOOD_BYTES);
}

static void a_reader_that_does_not_read_stops_the_sender(void **state)
{
    (void)state;
    with_server(serve_flood, read_late);
}

/* ---- turns that are over ---- */

/* The linker puts this in the place of the client's own. So many answers to come say that the turn
 * of the loop is over, as on a machine that has no time for us: also when libcurl gives what it had
 * kept while nobody waits who could be woken. */
static int turns_over;

struct http_client;
bool __real_client_had_its_turn(const struct http_client *client);
bool __wrap_client_had_its_turn(const struct http_client *client);

bool __wrap_client_had_its_turn(const struct http_client *client)
{
    return turns_over > 0 ? turns_over-- > 0 : __real_client_had_its_turn(client);
}

static void fetch_in_short_turns(bp_call *call)
{
    bp_http_response answer = { .struct_size = sizeof(answer) };
    bp_http_request  request = { .struct_size = sizeof(request),
                                 .idle_timeout_ns = BP_SECONDS(2),
                                 .max_response_bytes = FLOOD_BYTES,
                                 .url = arena_format(call->arena, "http://127.0.0.1:%u/",
                                                     server.port) };

    turns_over = 5;
    assert_status(call, http_client_fetch(call, &request, &answer), BP_OK);
    assert_int_equal(turns_over, 0);
    assert_int_equal(answer.body.len, FLOOD_BYTES);
}

static void read_in_short_turns(bp_call *call)
{
    bp_http_stream *stream;
    bp_str          piece;
    size_t          total = 0;

    turns_over = 5;
    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    do {
        assert_status(call, http_client_read(call, stream, &piece), BP_OK);
        total += piece.len;
    } while (piece.len);
    assert_int_equal(turns_over, 0);
    assert_int_equal(total, FLOOD_BYTES);
}

static void an_answer_goes_on_after_turns_that_were_over_at_once(void **state)
{
    (void)state;
    with_server(serve_flood, fetch_in_short_turns);
    with_server(serve_flood, read_in_short_turns);
}

static void leave_open(bp_call *call)
{
    bp_http_stream *stream;
    bp_str          piece;

    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    http_client_close(stream);
    http_client_close(stream);
    assert_status(call, http_client_read(call, stream, &piece), BP_INVALID);
    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    assert_status(call, http_client_read(call, stream, &piece), BP_OK);
}

/* on_call() asserts that no request is left. */
static void a_stream_left_open_ends_with_its_call(void **state)
{
    (void)state;
    with_server(serve_flood, leave_open);
}

/* ---- events ---- */

static const char events[] = "\xEF\xBB\xBF: hello\r\n\r\nevent: add\r\nid: 1\r\ndata: one\r\ndata: "
                             "two\r\n\r\n"
                             "data: three\n\ndata: [DONE]\r\r";

static _Atomic size_t split_at;

static void serve_events(int fd, int number)
{
    char head[200];

    (void)number;
    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %zu\r\n\r\n",
             sizeof(events) - 1);
    server_say(fd, head);
    server_send(fd, events, split_at);
    usleep(2000);
    server_send(fd, events + split_at, sizeof(events) - 1 - split_at);
}

static void read_events(bp_call *call)
{
    for (split_at = 1; split_at < sizeof(events) - 1; split_at++) {
        bp_http_stream *stream;
        bp_sse_event    event = { .struct_size = sizeof(event) };

        assert_status(call, open_stream(call, "/", &stream), BP_OK);
        assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_OK);
        assert_true(bp_str_is(event.event, "add") && bp_str_is(event.id, "1"));
        assert_string_equal(event.data.data, "one\ntwo");
        assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_OK);
        assert_true(event.event.len == 0 && bp_str_is(event.id, "1"));
        assert_string_equal(event.data.data, "three");
        assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_OK);
        assert_string_equal(event.data.data, "[DONE]");
        assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_OK);
        assert_true(event.is_end);
        http_client_close(stream);
    }
}

static void events_split_at_any_byte_are_the_same(void **state)
{
    (void)state;
    with_server(serve_events, read_events);
}

static void read_large_event(bp_call *call)
{
    bp_http_stream *stream;
    bp_sse_event    event = { .struct_size = sizeof(event) };

    split_at = 10;
    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    assert_status(call, http_client_read_event(call, stream, 8, &event), BP_TOO_LARGE);
    assert_said(call, "an event of more than 8 bytes");
}

static void a_large_event_is_refused(void **state)
{
    (void)state;
    with_server(serve_events, read_large_event);
}

/* ---- ends ---- */

static void serve_part(int fd, int number)
{
    char byte;

    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: 1\n\ndata: 2");
    if (number == 1)
        recv(fd, &byte, 1, 0);
}

static void read_part(bp_call *call)
{
    bp_http_stream   *stream;
    bp_sse_event      event = { .struct_size = sizeof(event) };
    struct cancelling cancelling = { .victim = call, .after_ns = BP_MILLISECONDS(20) };

    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_OK);
    assert_string_equal(event.data.data, "1");
    assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_UPSTREAM);
    assert_said(call, "broke off: the connection was closed before its end");
    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_OK);
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &cancelling));
    assert_status(call, http_client_read_event(call, stream, 1024, &event), BP_CANCELLED);
    assert_true(cancelling.is_done);
}

static void a_stream_that_breaks_off_is_an_error_and_a_cancelled_one_ends_at_once(void **state)
{
    (void)state;
    with_server(serve_part, read_part);
}

static void serve_compressed(int fd, int number)
{
    (void)number;
    if (server_hear(fd, heard, sizeof(heard)))
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
                       "3\r\n\r\n\x1f\x8b\x08");
}

static void read_compressed(bp_call *call)
{
    bp_http_stream *stream;
    bp_str          piece;

    assert_status(call, open_stream(call, "/", &stream), BP_OK);
    assert_status(call, http_client_read(call, stream, &piece), BP_UPSTREAM);
    assert_null(strstr(heard_last(), "Accept-Encoding"));
}

static void a_stream_is_never_taken_compressed(void **state)
{
    (void)state;
    with_server(serve_compressed, read_compressed);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(a_reader_that_does_not_read_stops_the_sender),
        T(an_answer_goes_on_after_turns_that_were_over_at_once),
        T(a_stream_left_open_ends_with_its_call),
        T(events_split_at_any_byte_are_the_same),
        T(a_large_event_is_refused),
        T(a_stream_that_breaks_off_is_an_error_and_a_cancelled_one_ends_at_once),
        T(a_stream_is_never_taken_compressed),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
