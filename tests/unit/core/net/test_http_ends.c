/* test_http_ends.c - clients of the HTTP server that end their side early, send more requests than
 * are read, or leave in the middle of one; and a drain that finds connections in every state. */
#include "http_handlers.h"

#include "net/connection.h"

static int start_plain(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig_defaults(rig);
    rig_start(rig, handle);
    *state = rig;
    return 0;
}

static bool is_alone(void **state)
{
    return http_edge_connections(((struct rig *)*state)->edge) == 0;
}

/* ---- half-closed ---- */

/* What the handler has left in the queue goes out; then the connection is closed. */
static void a_client_that_ends_its_side_still_gets_what_is_queued(void **state)
{
    enum { BYTES = 4 << 20 };
    int    fd = client_connect(port_of(state)), small = 32 << 10;
    size_t len;
    char  *answer;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_say(fd, "GET /big?200000" TAIL "\r\n");
    assert_true(RIG_SOON(written_bytes == 200000));
    shutdown(fd, SHUT_WR);
    answer = client_drain(fd, &len);
    assert_int_equal(client_status(answer), 200);
    assert_string_equal(answer + len - 7, "\r\n0\r\n\r\n");
    assert_true(len > 200000);
    free(answer);
    close(fd);
    assert_true(RIG_SOON(is_alone(state)));
}

static void a_client_that_ends_its_side_while_it_waits_counts_as_gone(void **state)
{
    int   fd = client_connect(port_of(state));
    char *answer;

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "GET /wait" TAIL "\r\n");
    assert_true(RIG_SOON(wait_entered));
    shutdown(fd, SHUT_WR);
    answer = client_drain(fd, NULL);
    assert_string_equal(answer, "");
    assert_true(RIG_SOON(wait_status == BP_CANCELLED));
    free(answer);
    close(fd);
    assert_true(RIG_SOON(is_alone(state)));
}

static void an_end_without_a_request_or_within_one_is_quiet(void **state)
{
    static const char *const beginnings[] = { "", "G", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n" };

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        int   fd = client_connect(port_of(state));
        char *answer;

        client_say(fd, beginnings[i]);
        shutdown(fd, SHUT_WR);
        answer = client_drain(fd, NULL);
        assert_string_equal(answer, "");
        free(answer);
        close(fd);
    }
    assert_true(RIG_SOON(is_alone(state)));
}

static void a_body_that_ends_early_is_no_request(void **state)
{
    int   fd = client_connect(port_of(state));
    char *answer;

    client_say(fd, "POST /echo" TAIL "Content-Length: 10\r\n\r\nabc");
    shutdown(fd, SHUT_WR);
    answer = client_drain(fd, NULL);
    assert_string_equal(answer, "");
    free(answer);
    close(fd);
    assert_true(RIG_SOON(is_alone(state)));
}

/* ---- more requests than are read ---- */

/* All are answered in order, though they come long before the server reads them, and in one piece.
 */
static void a_thousand_requests_at_once_are_answered_in_order(void **state)
{
    enum { REQUESTS = 1000 };
    int    fd = client_connect(port_of(state)), seen = 0;
    char  *text = malloc(REQUESTS * 80), *answers, *at;
    size_t len = 0;

    for (int i = 0; i < REQUESTS; i++)
        len += (size_t)sprintf(text + len, "GET /%s?<%d>" TAIL "%s",
                               i % 10 == 3 ? "later" : "number", i,
                               i == REQUESTS - 1 ? CLOSE : "\r\n");
    client_send(fd, text, len);
    answers = client_drain(fd, NULL);
    for (at = answers; (at = strstr(at, "\r\n\r\n<")) != NULL; at++)
        assert_int_equal(atoi(at + 5), seen++);
    assert_int_equal(seen, REQUESTS);
    free(answers);
    free(text);
    close(fd);
    assert_true(RIG_SOON(is_alone(state)));
}

/* While one is handled the rest is read no further than a bound, and waits in the kernel. */
static void requests_behind_one_that_is_handled_hold_their_sender_back(void **state)
{
    enum { MOST = 64 << 20 };
    int    fd = client_connect(port_of(state));
    char  *text = malloc(1 << 20);
    size_t sent = 0, len = 0;

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "GET /wait" TAIL "\r\n");
    assert_true(RIG_SOON(wait_entered));
    while (len + 64 < 1 << 20)
        len += (size_t)sprintf(text + len, "GET /number?x" TAIL "\r\n");
    for (;;) {
        struct pollfd look = { fd, POLLOUT, 0 };
        ssize_t       count;

        if (poll(&look, 1, 300) == 0)
            break;
        count = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0)
            sent += (size_t)count;
        assert_true(sent < MOST);
    }
    close(fd);
    free(text);
}

/* ---- a drain ---- */

/* Idle ones are closed, those within a request are answered and told. */
static void a_drain_closes_each_connection_when_it_may(void **state)
{
    struct rig *rig = *state;
    int         idle = client_connect(rig->port), fresh = client_connect(rig->port),
        begun = client_connect(rig->port), busy = client_connect(rig->port);
    char *answer;

    wait_entered = 0;
    client_say(idle, "GET /hello" TAIL "\r\n");
    free(client_read_until(idle, "hello", 1));
    client_say(begun, "GET /hello HTTP/1.1\r\n");
    client_say(busy, "GET /events?silent" TAIL "\r\n");
    free(client_read_until(busy, "data: one", 1));
    assert_true(RIG_SOON(http_edge_connections(rig->edge) == 4));
    rig_drain(rig, BP_SECONDS(30));
    assert_true(client_sees_end(idle));
    assert_true(client_sees_end(fresh));
    client_say(begun, "Host: a\r\n\r\n");
    answer = client_drain(begun, NULL);
    assert_int_equal(client_status(answer), 200);
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_string_equal(client_body(answer), "hello");
    free(answer);
    answer = client_drain(busy, NULL);
    assert_non_null(strstr(answer, "\r\n0\r\n\r\n"));
    free(answer);
    assert_true(RIG_SOON(rig->is_drained));
    close(idle);
    close(fresh);
    close(begun);
    close(busy);
}

/* Twice is once. */
static void a_server_without_connections_is_drained_at_once(void **state)
{
    struct rig *rig = *state;

    rig_drain(rig, BP_SECONDS(100));
    assert_true(RIG_SOON(rig->is_drained));
}

int main(void)
{
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, start_plain, stop)
    const struct CMUnitTest tests[] = {
        PLAIN(a_client_that_ends_its_side_still_gets_what_is_queued),
        PLAIN(a_client_that_ends_its_side_while_it_waits_counts_as_gone),
        PLAIN(an_end_without_a_request_or_within_one_is_quiet),
        PLAIN(a_body_that_ends_early_is_no_request),
        PLAIN(a_thousand_requests_at_once_are_answered_in_order),
        PLAIN(requests_behind_one_that_is_handled_hold_their_sender_back),
        PLAIN(a_drain_closes_each_connection_when_it_may),
        PLAIN(a_server_without_connections_is_drained_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
