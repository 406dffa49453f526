/* test_http_faults.c - a body that is wrong, whatever the handler then says; streams of events that
 * are begun or too large; a client that ends its side behind an answer; a drain that cuts. */
#include "http_rig.h"

#include "loop/fiber.h"

#include "net/connection.h"

static atomic_int  has_begun, may_go_on, has_answered, waited;
static atomic_long written;

static void note(struct bp_buf *out, struct http_exchange *is, const char *what, bp_status status)
{
    buf_addf(out, "%s: %s", what, bp_status_label(status));
    if (status != BP_OK)
        buf_addf(out, ", " BP_FMT, BP_ARG(is->call->error.message));
    buf_add_char(out, '\n');
}

static char said[2048];

/* Reads a body that is wrong, then does what the query says. */
static void serve_wrong_body(struct http_exchange *is)
{
    struct bp_buf out;
    bp_str        piece;

    buf_init(&out, is->call->arena, sizeof(said));
    note(&out, is, "read", http_exchange_read(is, &piece));
    if (bp_str_is(is->query, "begin")) {
        note(&out, is, "begin", http_exchange_begin(is, 200, BP_STR("a/b"), -1));
        note(&out, is, "write", http_exchange_write(is, BP_STR("x")));
    } else if (bp_str_is(is->query, "event")) {
        note(&out, is, "event", http_exchange_sse(is, BP_STR("n"), BP_STR(""), BP_STR("d")));
    } else if (bp_str_is(is->query, "events")) {
        note(&out, is, "events", http_exchange_sse_begin(is));
    } else if (bp_str_is(is->query, "send")) {
        note(&out, is, "send", http_exchange_send(is, 200, BP_STR("a/b"), BP_STR("body")));
    } else if (bp_str_is(is->query, "error")) {
        note(&out, is, "error", http_exchange_send_error(is, 500, "code", BP_STR("why")));
    }
    snprintf(said, sizeof(said), BP_FMT, BP_ARG(buf_str(&out)));
}

static void serve_large_event(struct http_exchange *is)
{
    static char   data[SSE_EVENT_MAX_BYTES];
    struct bp_buf out;

    // "data: ", two ends of lines: so much does an event hold
    memset(data, 'x', sizeof(data));
    buf_init(&out, is->call->arena, sizeof(said));
    note(&out, is, "too large",
         http_exchange_sse(is, BP_STR(""), BP_STR(""), bp_str_n(data, sizeof(data) - 7)));
    note(&out, is, "fits",
         http_exchange_sse(is, BP_STR(""), BP_STR(""), bp_str_n(data, sizeof(data) - 8)));
    snprintf(said, sizeof(said), BP_FMT, BP_ARG(buf_str(&out)));
}

/* Ends as soon as something waits for the client. */
static void serve_until_it_waits(struct http_exchange *is)
{
    static char piece[16 << 10];
    bp_status   status = http_exchange_begin(is, 200, BP_STR(""), -1);

    memset(piece, 'q', sizeof(piece));
    written = 0;
    while (status == BP_OK && !wire_queued_bytes(&((struct exchange *)is)->connection->wire)) {
        status = http_exchange_write(is, bp_str_n(piece, sizeof(piece)));
        written += (long)sizeof(piece);
    }
    has_answered = status == BP_OK;
    if (bp_str_is(is->query, "wait"))
        waited = call_sleep(is->call, BP_SECONDS(60));
}

/* Until it is told that it is cancelled, while its client is still there. */
static void serve_without_end(struct http_exchange *is)
{
    static char piece[64 << 10];
    bp_status   status = http_exchange_begin(is, 200, BP_STR(""), -1);

    while (status == BP_OK) {
        status = http_exchange_write(is, bp_str_n(piece, sizeof(piece)));
        has_begun = has_begun || wire_queued_bytes(&((struct exchange *)is)->connection->wire) != 0;
    }
    has_answered = status == BP_CANCELLED && !http_exchange_is_gone(is);
}

static void serve(struct http_exchange *is, void *arg)
{
    (void)arg;
    if (bp_str_is(is->path, "/wrong")) {
        serve_wrong_body(is);
    } else if (bp_str_is(is->path, "/events")) {
        if (http_exchange_sse_begin(is) == BP_OK && http_exchange_is_event_stream(is))
            has_begun = 1;
        while (!may_go_on && call_sleep(is->call, BP_MILLISECONDS(1)) == BP_OK)
            ;
    } else if (bp_str_is(is->path, "/large")) {
        serve_large_event(is);
    } else if (bp_str_is(is->path, "/queued")) {
        serve_until_it_waits(is);
    } else if (bp_str_is(is->path, "/endless")) {
        serve_without_end(is);
    } else if (bp_str_is(is->path, "/deaf")) {
        has_begun = 1;
        while (!may_go_on) // whatever it is told
            fiber_yield(is->call->fiber);
        has_answered = 1;
    } else {
        http_exchange_send(is, 200, BP_STR(""), BP_STR("ok"));
    }
}

static int start(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    has_begun = may_go_on = has_answered = 0;
    rig_defaults(rig);
    rig_start(rig, serve);
    *state = rig;
    return 0;
}

static int stop(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

static struct rig *rig_of(void **state)
{
    return *state;
}

#define WRONG                                                                                      \
    "the request body cannot be read: "                                                            \
    "a chunk does not begin with its size in hexadecimal digits"

/* 400 in its place, and nothing else of what the handler says. */
static void a_body_that_is_wrong_is_answered_by_the_server(void **state)
{
    static const struct {
        const char *query, *said;
    } cases[] = {
        { "nothing", "read: invalid, " WRONG "\n" },
        { "begin", "read: invalid, " WRONG "\nbegin: invalid, " WRONG
                   "\nwrite: conflict, a piece of a stream that has not begun\n" },
        { "event", "read: invalid, " WRONG "\nevent: invalid, " WRONG "\n" },
        { "events", "read: invalid, " WRONG "\nevents: invalid, " WRONG "\n" },
        { "send", "read: invalid, " WRONG "\nsend: ok\n" },
        { "error", "read: invalid, " WRONG "\nerror: ok\n" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char  request[256];
        char *answer;

        snprintf(request, sizeof(request),
                 "POST /wrong?%s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                 cases[i].query);
        answer = client_ask(rig_of(state)->port, request);
        assert_int_equal(client_status(answer), 400);
        assert_string_equal(client_body(answer),
                            "{\"error\":{\"code\":\"invalid\",\"message\":\"" WRONG "\"}}");
        assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
        assert_null(strstr(answer, "a/b"));
        assert_true(RIG_SOON(http_edge_connections(rig_of(state)->edge) == 0));
        assert_string_equal(said, cases[i].said);
        free(answer);
    }
}

static void a_stream_of_events_begins_before_the_first_one(void **state)
{
    int   fd = client_connect(rig_of(state)->port);
    char *head, *rest;

    client_say(fd, "GET /events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    head = client_read_until(fd, "\r\n\r\n", 1);
    assert_int_equal(client_status(head), 200);
    assert_non_null(strstr(head, "\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(head, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(head, "\r\nX-Accel-Buffering: no\r\n"));
    assert_string_equal(client_body(head), "");
    assert_true(RIG_SOON(has_begun));
    may_go_on = 1;
    rest = client_drain(fd, NULL);
    assert_string_equal(rest, "0\r\n\r\n");
    free(head);
    free(rest);
    close(fd);
}

static void an_event_has_a_largest_size(void **state)
{
    char *answer = client_ask(rig_of(state)->port,
                              "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

    assert_int_equal(client_status(answer), 200);
    assert_string_equal(answer + strlen(answer) - 11, "xx\n\n\r\n0\r\n\r\n");
    assert_true(RIG_SOON(http_edge_connections(rig_of(state)->edge) == 0));
    assert_string_equal(said,
                        "too large: too_large, an event is larger than 8388608 bytes\nfits: ok\n");
    free(answer);
}

/* The rest of the answer stands in the queue when the client ends its side. */
static void takes_all_after_its_end(struct rig *rig, const char *request)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(rig->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval     limit = { .tv_sec = 15 };
    int                fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    size_t             len;
    char              *answer;

    has_answered = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_say(fd, request);
    assert_true(RIG_SOON(has_answered));
    shutdown(fd, SHUT_WR);
    rig_sleep_ms(20); // so that it is heard before anything is taken
    answer = client_drain(fd, &len);
    assert_true(len > (size_t)written);
    assert_string_equal(answer + len - 8, "q\r\n0\r\n\r\n");
    free(answer);
    close(fd);
    assert_true(RIG_SOON(http_edge_connections(rig->edge) == 0));
}

static void what_is_queued_for_a_client_that_ends_its_side_goes_out(void **state)
{
    takes_all_after_its_end(rig_of(state), "GET /queued HTTP/1.1\r\nHost: h\r\n\r\n");
    takes_all_after_its_end(rig_of(state),
                            "GET /queued HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

/* It still made more: for whom, when nobody reads any more? */
static void who_ends_its_side_in_the_middle_of_an_answer_is_gone(void **state)
{
    struct rig *rig = rig_of(state);
    int         fd = client_connect(rig->port);

    waited = BP_OK;
    client_say(fd, "GET /queued?wait HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(RIG_SOON(has_answered));
    shutdown(fd, SHUT_WR);
    assert_true(RIG_SOON(waited == BP_CANCELLED));
    assert_true(RIG_SOON(http_edge_connections(rig->edge) == 0));
    close(fd);
}

static void a_write_that_waits_is_told_that_it_is_cancelled(void **state)
{
    int fd = client_connect(rig_of(state)->port);

    client_say(fd, "GET /endless HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(RIG_SOON(has_begun));
    rig_drain(rig_of(state), 0);
    assert_true(RIG_SOON(has_answered));
    close(fd);
    assert_true(RIG_SOON(rig_of(state)->is_drained));
}

static void a_drain_lets_what_is_cancelled_come_to_its_end(void **state)
{
    int  fd = client_connect(rig_of(state)->port);
    char byte;

    client_say(fd, "GET /deaf HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(RIG_SOON(has_begun));
    rig_drain(rig_of(state), 0);
    rig_sleep_ms(300); // it is looked at several times
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    may_go_on = 1;
    assert_true(RIG_SOON(rig_of(state)->is_drained));
    close(fd);
}

/* A handler that does not hear that it is cancelled keeps nobody's connection. */
static void a_drain_cuts_what_does_not_end(void **state)
{
    int fd = client_connect(rig_of(state)->port);

    client_say(fd, "GET /deaf HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(RIG_SOON(has_begun));
    rig_drain(rig_of(state), -BP_SECONDS(HTTP_CUT_AFTER_S));
    assert_true(client_sees_end(fd));
    assert_false(has_answered);
    assert_false(rig_of(state)->is_drained);
    may_go_on = 1;
    assert_true(RIG_SOON(rig_of(state)->is_drained));
    assert_true(has_answered);
    close(fd);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        T(a_body_that_is_wrong_is_answered_by_the_server),
        T(a_stream_of_events_begins_before_the_first_one),
        T(an_event_has_a_largest_size),
        T(what_is_queued_for_a_client_that_ends_its_side_goes_out),
        T(who_ends_its_side_in_the_middle_of_an_answer_is_gone),
        T(a_write_that_waits_is_told_that_it_is_cancelled),
        T(a_drain_lets_what_is_cancelled_come_to_its_end),
        T(a_drain_cuts_what_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
