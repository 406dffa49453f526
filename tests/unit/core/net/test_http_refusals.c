/* test_http_refusals.c - what the HTTP server refuses, cuts short or closes, and with which words.
 */
#include "http_handlers.h"

static void refusals_carry_json_and_close(void **state)
{
    static const struct {
        int         status;
        const char *text;
    } cases[] = {
        { 400, "GET / HTTP/1.1\r\n\r\n" },
        { 400, "GET / HTTP/1.1\nHost: a\r\n\r\n" },
        { 400, "\x16\x03\x01\x02\x01\x01" },
        { 400,
          "POST /echo" TAIL "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { 417, "POST /echo" TAIL "Content-Length: 1\r\nExpect: x\r\n\r\na" },
        { 501, "POST /echo" TAIL "Transfer-Encoding: gzip\r\n\r\n" },
        { 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
        { 400, "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\nzz\r\n" },
        { 413, "POST /small" TAIL "Content-Length: 11\r\n\r\n" },
        { 413, "POST /small" TAIL "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n" },
        { 500, "GET /none" TAIL CLOSE },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *answer = client_ask(port_of(state),
                                  cases[i].text); // reads to the end: it closes by itself

        if (client_status(answer) != cases[i].status)
            fail_msg("%s: %s", cases[i].text, answer);
        assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
        assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
        assert_int_equal(strncmp(client_body(answer), "{\"error\":{\"code\":\"", 18), 0);
        assert_null(
            strstr(client_body(answer), "}HTTP/1.1")); // nothing behind it was taken for a request
        free(answer);
    }
}

static void what_follows_a_refused_request_is_never_read(void **state)
{
    char *answer = client_ask(port_of(state),
                              "GET /a b HTTP/1.1\r\nHost: a\r\n\r\nGET /hello" TAIL "\r\n");

    assert_int_equal(client_status(answer), 400);
    assert_null(strstr(answer, "hello"));
    free(answer);
}

static void long_lines_get_414_and_431(void **state)
{
    char *text = malloc(50000), *answer;

    memset(text, 'a', 50000);
    memcpy(text, "GET /", 5);
    strcpy(text + 9000, TAIL CLOSE);
    answer = client_ask(port_of(state), text);
    assert_int_equal(client_status(answer), 414);
    free(answer);
    memset(text, 'a', 50000);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    strcpy(text + 45000, "\r\n" CLOSE);
    answer = client_ask(port_of(state), text);
    assert_int_equal(client_status(answer), 431);
    free(answer);
    free(text);
}

static void a_refused_upload_still_sees_its_answer(void **state)
{
    int    fd = client_connect(port_of(state));
    char  *bytes = calloc(1, 4 << 20), *answer;
    size_t sent = 0;

    client_say(fd, "POST /small" TAIL "Content-Length: 4194304\r\n\r\n");
    while (sent < 4 << 20) {
        ssize_t count = send(fd, bytes, (4 << 20) - sent, MSG_NOSIGNAL);
        if (count <= 0)
            break;
        sent += (size_t)count;
    }
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 413);
    free(answer);
    free(bytes);
    close(fd);
}

static void a_header_block_that_does_not_end_gets_408(void **state)
{
    int     fd = client_connect(port_of(state));
    int64_t began = clock_now_ns();
    char   *answer;

    client_say(fd, "GET / HTTP/1.1\r\nHost: a\r\n");
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 408);
    assert_true(clock_now_ns() - began >= BP_MILLISECONDS(550));
    free(answer);
    close(fd);
}

static void a_body_that_stops_gets_408(void **state)
{
    int   fd = client_connect(port_of(state));
    char *answer;

    client_say(fd, "POST /echo" TAIL "Content-Length: 10\r\n\r\nabc");
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 408);
    free(answer);
    close(fd);
}

static void a_body_that_drips_gets_408(void **state)
{
    int   fd = client_connect(port_of(state));
    char *answer;

    client_say(fd, "POST /echo" TAIL "Content-Length: 1000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        if (send(fd, "x", 1, MSG_NOSIGNAL) <= 0)
            break;
        rig_sleep_ms(50);
    }
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 408);
    free(answer);
    close(fd);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    int     fd = client_connect(port_of(state));
    int64_t began;
    char   *answer;

    client_say(fd, "GET /hello" TAIL "\r\n");
    free(client_read_until(fd, "hello", 1));
    began = clock_now_ns();
    answer = client_drain(fd, NULL);
    assert_string_equal(answer, "");
    assert_true(clock_now_ns() - began >= BP_MILLISECONDS(800));
    free(answer);
    close(fd);
}

static void the_last_request_of_a_connection_is_told_so(void **state)
{
    int fd = client_connect(port_of(state));

    for (int i = 1; i <= 150; i++) {
        char *answer;
        client_say(fd, "GET /hello" TAIL "\r\n");
        answer = client_read_until(fd, "hello", 1);
        assert_int_equal(strstr(answer, "Connection: close") != NULL, i == 150);
        free(answer);
    }
    assert_true(client_sees_end(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(refusals_carry_json_and_close),
        WITH_SERVER(what_follows_a_refused_request_is_never_read),
        WITH_SERVER(long_lines_get_414_and_431),
        WITH_SERVER(a_refused_upload_still_sees_its_answer),
        WITH_SERVER(a_header_block_that_does_not_end_gets_408),
        WITH_SERVER(a_body_that_stops_gets_408),
        WITH_SERVER(a_body_that_drips_gets_408),
        WITH_SERVER(an_idle_connection_is_closed_without_a_word),
        WITH_SERVER(the_last_request_of_a_connection_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
