/* test_http_life.c - the HTTP server with handlers that outlive their client or leave it, what they
 * are told of waits, and the time limits with what is counted of them. */
#include "http_told.h"

#include "net/connection.h"

static struct {
    atomic_int  begun, may_go, ended;
    atomic_int  waits[2]; /* that began, that ended */
    atomic_long bytes;
    bool        is_gone[3];
    bp_status   statuses[4];
    char        sentences[4][200];
} seen;

static void note_status(struct http_exchange *is, int at, bp_status status)
{
    seen.statuses[at] = status;
    snprintf(seen.sentences[at], sizeof(seen.sentences[at]), BP_FMT,
             BP_ARG(is->call->error.message));
}

static void wait_until(bp_call *call, atomic_int *flag)
{
    while (!*flag && call_sleep(call, BP_MILLISECONDS(2)) == BP_OK)
        ;
}

/* Goes on when its client is gone. */
static void outlive(struct http_exchange *is)
{
    is->outlives_client = true;
    note_status(is, 0, http_exchange_begin(is, 200, BP_STR("a/b"), -1));
    note_status(is, 1, http_exchange_write(is, BP_STR("first")));
    seen.is_gone[0] = http_exchange_is_gone(is);
    seen.begun = 1;
    wait_until(is->call, &seen.may_go);
    while (!http_exchange_is_gone(is) && call_sleep(is->call, BP_MILLISECONDS(2)) == BP_OK)
        ;
    seen.is_gone[1] = http_exchange_is_gone(is);
    note_status(is, 2, http_exchange_write(is, BP_STR("second")));
    note_status(is, 3, call_over(is->call));
    seen.ended = 1;
}

/* Ends its answer, and goes on. */
static void leave(struct http_exchange *is)
{
    is->outlives_client = bp_str_is(is->query, "outlives");
    http_exchange_begin(is, 200, BP_STR("a/b"), -1);
    http_exchange_write(is, BP_STR("all"));
    http_exchange_leave(is);
    seen.is_gone[0] = http_exchange_is_gone(is);
    note_status(is, 0, http_exchange_write(is, BP_STR("more")));
    seen.begun = 1;
    wait_until(is->call, &seen.may_go);
    note_status(is, 1, call_over(is->call));
    seen.ended = 1;
}

/* The head alone, then what is written when the client is gone. */
static void flush(struct http_exchange *is)
{
    is->outlives_client = true;
    http_exchange_begin(is, 200, BP_STR("a/b"), 3);
    seen.begun = 1;
    wait_until(is->call, &seen.may_go);
    note_status(is, 0, http_exchange_flush(is));
    note_status(is, 1, http_exchange_flush(is));
    seen.ended = 1;
}

static void count_wait(struct http_exchange *is, bool begins)
{
    (void)is;
    seen.waits[begins ? 0 : 1]++;
}

static void read_watched(struct http_exchange *is)
{
    bp_str body;

    is->on_client_wait = count_wait;
    seen.begun = 1;
    if (bp_str_is(is->query, "whole")) {
        http_exchange_read_all(is, &body);
    } else {
        do
            if (http_exchange_read(is, &body) != BP_OK)
                return;
        while (body.len);
    }
    seen.bytes = (long)is->received_bytes;
    seen.ended = 1;
    http_exchange_send(is, 200, BP_STR(""), BP_STR(""));
}

static void write_watched(struct http_exchange *is)
{
    static char piece[1 << 20];

    is->on_client_wait = count_wait;
    http_exchange_begin(is, 200, BP_STR(""), -1);
    seen.begun = 1;
    for (int i = 0; i < 32; i++)
        if (http_exchange_write(is, bp_str_n(piece, sizeof(piece))) != BP_OK)
            break;
    seen.bytes = (long)is->sent_bytes;
    seen.ended = 1;
}

static void keep(struct http_exchange *is)
{
    note_status(is, 0, http_exchange_keep(is, 600));
    note_status(is, 1, http_exchange_keep(is, 400));
    note_status(is, 2, http_exchange_keep(is, 1));
    http_exchange_send(is, 200, BP_STR(""), BP_STR(""));
    seen.ended = 1;
}

static void serve_life(struct http_exchange *is, void *arg)
{
    if (bp_str_is(is->path, "/outlive"))
        outlive(is);
    else if (bp_str_is(is->path, "/leave"))
        leave(is);
    else if (bp_str_is(is->path, "/flush"))
        flush(is);
    else if (bp_str_is(is->path, "/read"))
        read_watched(is);
    else if (bp_str_is(is->path, "/write"))
        write_watched(is);
    else if (bp_str_is(is->path, "/keep"))
        keep(is);
    else
        serve_told(is, arg);
}

static int start_life(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    memset(&seen, 0, sizeof(seen));
    rig_defaults(rig);
    rig->options.max_body_bytes = 1000;
    rig->options.max_client_bodies_bytes = 1000;
    rig_start(rig, serve_life);
    *state = rig;
    return 0;
}

static int stop_life(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

static bool is_alone(void **state)
{
    return http_edge_connections(((struct rig *)*state)->edge) == 0;
}

static int ask(void **state, const char *request)
{
    int fd = client_connect(((struct rig *)*state)->port);

    client_say(fd, request);
    return fd;
}

#define KEPT " HTTP/1.1\r\nHost: h\r\n\r\n"

static void a_handler_that_outlives_its_client_goes_on(void **state)
{
    int fd = ask(state, "GET /outlive" KEPT);

    free(client_read_until(fd, "first", 1));
    assert_true(RIG_SOON(seen.begun));
    close(fd);
    seen.may_go = 1;
    assert_true(RIG_SOON(seen.ended));
    assert_true(RIG_SOON(is_alone(state)));
    assert_false(seen.is_gone[0]);
    assert_true(seen.is_gone[1]);
    assert_int_equal(seen.statuses[0], BP_OK);
    assert_int_equal(seen.statuses[1], BP_OK);
    assert_int_equal(seen.statuses[2], BP_CANCELLED);
    assert_int_equal(seen.statuses[3], BP_OK);
}

static void a_handler_may_leave_its_client_and_go_on(void **state)
{
    int   fd = ask(state, "GET /leave?outlives" KEPT);
    char *answer = client_drain(fd, NULL); // while the handler goes on

    assert_non_null(strstr(answer, "\r\n\r\n3\r\nall\r\n0\r\n\r\n"));
    assert_true(RIG_SOON(seen.begun));
    assert_false(seen.ended);
    seen.may_go = 1;
    assert_true(RIG_SOON(seen.ended));
    assert_true(seen.is_gone[0]);
    assert_int_equal(seen.statuses[0], BP_CONFLICT);
    assert_string_equal(seen.sentences[0], "a piece of a stream that has not begun");
    assert_int_equal(seen.statuses[1], BP_OK);
    free(answer);
    close(fd);
}

/* It has not said that it outlives them. */
static void a_handler_that_ends_with_its_client_does_not_leave_it(void **state)
{
    int   fd = ask(state, "GET /leave" KEPT);
    char *answer = client_read_until(fd, "more", 1);

    assert_true(RIG_SOON(seen.begun));
    assert_false(seen.is_gone[0]);
    assert_int_equal(seen.statuses[0], BP_OK);
    seen.may_go = 1;
    free(answer);
    answer = client_read_until(fd, "0\r\n\r\n", 1);
    assert_string_equal(answer, "0\r\n\r\n");
    assert_true(RIG_SOON(seen.ended));
    free(answer);
    close(fd);
}

static void a_flush_sends_the_head_alone_and_only_once(void **state)
{
    int   fd = ask(state, "GET /flush" KEPT);
    char *answer;

    assert_true(RIG_SOON(seen.begun));
    seen.may_go = 1;
    answer = client_read_until(fd, "\r\n\r\n", 1);
    assert_non_null(strstr(answer, "Content-Length: 3\r\n\r\n"));
    assert_string_equal(client_body(answer), "");
    assert_true(RIG_SOON(seen.ended));
    assert_int_equal(seen.statuses[0], BP_OK);
    assert_int_equal(seen.statuses[1], BP_OK);
    free(answer);
    close(fd);
}

static void a_flush_to_a_client_that_is_gone_is_told(void **state)
{
    int fd = ask(state, "GET /flush" KEPT);

    assert_true(RIG_SOON(seen.begun));
    close(fd);
    assert_true(
        RIG_SOON(is_alone(state) || http_server_connections(((struct rig *)*state)->server) == 1));
    rig_sleep_ms(50); // the server has heard of it, or hears of it as it writes: both are told
    seen.may_go = 1;
    assert_true(RIG_SOON(seen.ended));
    assert_true(RIG_SOON(is_alone(state)));
    assert_true(seen.statuses[0] == BP_CANCELLED || seen.statuses[0] == BP_OK);
}

/* ---- waits for the client ---- */

static void waits_for_the_client_are_told_when_they_begin_and_end(void **state)
{
    int   fd = ask(state, "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
    char *answer;

    assert_true(RIG_SOON(seen.waits[0] == 1));
    assert_int_equal(seen.waits[1], 0);
    client_say(fd, "abc");
    assert_true(RIG_SOON(seen.waits[0] == 2));
    assert_int_equal(seen.waits[1], 1);
    client_say(fd, "def");
    answer = client_read_until(fd, "\r\n\r\n", 1);
    assert_int_equal(seen.waits[0], 2);
    assert_int_equal(seen.waits[1], 2);
    assert_int_equal(seen.bytes, 6);
    free(answer);
    close(fd);
}

/* The place that was given up for the wait is taken again once, when all is in. */
static void a_body_that_is_read_as_a_whole_is_one_wait(void **state)
{
    int   fd = ask(state, "POST /read?whole HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
    char *answer;

    assert_true(RIG_SOON(seen.waits[0] == 1));
    client_say(fd, "abc");
    rig_sleep_ms(20);
    client_say(fd, "def");
    answer = client_read_until(fd, "\r\n\r\n", 1);
    assert_int_equal(seen.waits[0], 1);
    assert_int_equal(seen.waits[1], 1);
    assert_int_equal(seen.bytes, 6);
    free(answer);
    close(fd);
}

static void a_body_that_is_there_already_is_no_wait(void **state)
{
    int fd = ask(state, "POST /read?whole HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef");

    free(client_read_until(fd, "\r\n\r\n", 1));
    assert_int_equal(seen.waits[0], 0);
    assert_int_equal(seen.bytes, 6);
    close(fd);
}

static void a_client_that_does_not_read_is_waited_for(void **state)
{
    int    fd = ask(state, "GET /write HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    size_t len;

    assert_true(RIG_SOON(seen.waits[0] == 1));
    assert_int_equal(seen.waits[1], 0);
    free(client_drain(fd, &len));
    assert_true(len > 32 << 20);
    assert_true(RIG_SOON(seen.ended));
    assert_int_equal(seen.bytes, 32 << 20);
    assert_int_equal(seen.waits[0], seen.waits[1]);
    close(fd);
}

static void what_is_kept_of_a_body_counts_until_the_end(void **state)
{
    for (int i = 0; i < 2; i++) {
        free(client_ask(((struct rig *)*state)->port,
                        "GET /keep HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        assert_true(RIG_SOON(seen.ended));
        assert_int_equal(seen.statuses[0], BP_OK);
        assert_int_equal(seen.statuses[1], BP_OK);
        assert_int_equal(seen.statuses[2], BP_LIMIT);
    }
}

/* ---- time limits ---- */

static double timeouts_of(void **state, enum timeout_class class)
{
    return metric_value(((struct rig *)*state)->edge->metrics.timeouts[class]);
}

static void assert_timeouts(void **state, enum timeout_class class)
{
    for (int i = TIMEOUT_HEADER; i <= TIMEOUT_ANSWER; i++)
        assert_int_equal(timeouts_of(state, (enum timeout_class)i), i == (int)class);
}

static int start_hasty(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    memset(&seen, 0, sizeof(seen));
    rig_defaults(rig);
    rig->options.header_timeout_ns = BP_MILLISECONDS(300);
    rig->options.body_timeout_ns = BP_MILLISECONDS(300);
    rig->options.idle_timeout_ns = BP_MILLISECONDS(300);
    rig_start(rig, serve_life);
    *state = rig;
    return 0;
}

static void a_client_that_says_nothing_at_all_is_dropped_as_one_without_a_header(void **state)
{
    int   fd = ask(state, "");
    char *answer = client_drain(fd, NULL);

    assert_string_equal(answer, "");
    assert_timeouts(state, TIMEOUT_HEADER);
    free(answer);
    close(fd);
}

static void a_header_that_does_not_end_is_counted_as_one(void **state)
{
    int   fd = ask(state, "GET / HTTP/1.1\r\n");
    char *answer = client_drain(fd, NULL);

    assert_non_null(strstr(answer, "{\"error\":{\"code\":\"deadline\",\"message\":\"the header "
                                   "block did not come in time\"}}"));
    assert_timeouts(state, TIMEOUT_HEADER);
    free(answer);
    close(fd);
}

static void a_second_header_has_its_own_time(void **state)
{
    int   fd = ask(state, "GET /send" KEPT);
    char *answer;

    free(client_read_until(fd, "body", 1));
    client_say(fd, "GET / HTTP/1.1\r\n");
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 408);
    assert_timeouts(state, TIMEOUT_HEADER);
    free(answer);
    close(fd);
}

static void an_idle_connection_is_counted_as_one(void **state)
{
    int   fd = ask(state, "GET /send" KEPT);
    char *answer;

    free(client_read_until(fd, "body", 1));
    answer = client_drain(fd, NULL);
    assert_string_equal(answer, "");
    assert_timeouts(state, TIMEOUT_IDLE);
    free(answer);
    close(fd);
}

static void a_body_that_stops_is_counted_as_one(void **state)
{
    int   fd = ask(state, "POST /all HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
    char *answer = client_drain(fd, NULL);

    assert_int_equal(client_status(answer), 408);
    assert_non_null(strstr(answer, "\"the request body cannot be read: it did not come in time\""));
    assert_timeouts(state, TIMEOUT_BODY);
    free(answer);
    close(fd);
}

/* ---- clients that do not take what there is for them ---- */

static int start_pressing(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    memset(&seen, 0, sizeof(seen));
    rig_defaults(rig);
    rig->options.write_timeout_ns = BP_SECONDS(100);
    rig->options.answer_grace_ns = BP_MILLISECONDS(300);
    rig->options.answer_min_bytes_per_s = 1 << 30;
    rig_start(rig, serve_life);
    *state = rig;
    return 0;
}

static int start_stuck(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    memset(&seen, 0, sizeof(seen));
    rig_defaults(rig);
    rig->options.write_timeout_ns = BP_MILLISECONDS(300);
    rig->options.answer_min_bytes_per_s = 0;
    rig_start(rig, serve_life);
    *state = rig;
    return 0;
}

static void assert_reset(void **state, enum timeout_class class)
{
    int     fd = ask(state, "GET /write" KEPT), status = 0;
    char    bytes[4096];
    ssize_t got;

    assert_true(RIG_SOON(seen.begun));
    assert_true(RIG_SOON(is_alone(state)));
    assert_timeouts(state, class);
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        ;
    status = got < 0 ? errno : 0;
    assert_int_equal(status, ECONNRESET); // never taken for the end
    assert_true(RIG_SOON(seen.ended));
    close(fd);
}

static void a_client_that_takes_too_little_is_reset(void **state)
{
    assert_reset(state, TIMEOUT_ANSWER);
}

static void a_client_that_takes_nothing_is_reset(void **state)
{
    assert_reset(state, TIMEOUT_WRITE);
}

int main(void)
{
#define LIFE(name)  cmocka_unit_test_setup_teardown(name, start_life, stop_life)
#define HASTY(name) cmocka_unit_test_setup_teardown(name, start_hasty, stop_life)
    const struct CMUnitTest tests[] = {
        LIFE(a_handler_that_outlives_its_client_goes_on),
        LIFE(a_handler_may_leave_its_client_and_go_on),
        LIFE(a_handler_that_ends_with_its_client_does_not_leave_it),
        LIFE(a_flush_sends_the_head_alone_and_only_once),
        LIFE(a_flush_to_a_client_that_is_gone_is_told),
        LIFE(waits_for_the_client_are_told_when_they_begin_and_end),
        LIFE(a_body_that_is_read_as_a_whole_is_one_wait),
        LIFE(a_body_that_is_there_already_is_no_wait),
        LIFE(a_client_that_does_not_read_is_waited_for),
        LIFE(what_is_kept_of_a_body_counts_until_the_end),
        HASTY(a_client_that_says_nothing_at_all_is_dropped_as_one_without_a_header),
        HASTY(a_header_that_does_not_end_is_counted_as_one),
        HASTY(a_second_header_has_its_own_time),
        HASTY(an_idle_connection_is_counted_as_one),
        HASTY(a_body_that_stops_is_counted_as_one),
        cmocka_unit_test_setup_teardown(a_client_that_takes_too_little_is_reset, start_pressing,
                                        stop_life),
        cmocka_unit_test_setup_teardown(a_client_that_takes_nothing_is_reset, start_stuck,
                                        stop_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
