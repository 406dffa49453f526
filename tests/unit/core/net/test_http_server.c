/* test_http_server.c - the HTTP server over real loopback sockets: what a client sees. */
#include "http_handlers.h"

static void a_request_gets_its_answer_with_date_and_length(void **state)
{
    char *answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE);

    assert_int_equal(client_status(answer), 200);
    assert_non_null(strstr(answer, "\r\nDate: "));
    assert_non_null(strstr(answer, " GMT\r\n"));
    assert_non_null(strstr(answer, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_null(strstr(answer, "Server:"));
    assert_string_equal(client_body(answer), "hello");
    free(answer);
}

static void a_handler_sees_the_path_in_normal_form(void **state)
{
    char *answer = client_ask(port_of(state), "GET http://other:81/a/../x%2Fy//%7Ez?q=%20 "
                                              "HTTP/1.1\r\nHost: test\r\n" CLOSE);

    assert_string_equal(client_body(answer), "GET /x%2Fy/~z?q=%20 other:81 127.0.0.1");
    free(answer);
    answer = client_ask(port_of(state), "GET /%ff" TAIL CLOSE);
    assert_int_equal(client_status(answer), 400);
    free(answer);
    answer = client_ask(port_of(state), "OPTIONS *" TAIL CLOSE);
    assert_string_equal(client_body(answer), "OPTIONS *? test 127.0.0.1");
    free(answer);
}

static void pipelined_in_order(void **state, const char *path)
{
    int    fd = client_connect(port_of(state));
    char   text[100 * 64], *answers, *at;
    size_t len = 0;

    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "GET %s?<%d>" TAIL "\r\n", path, i);
    client_send(fd, text, len);
    answers = client_read_until(fd, "<99>", 1);
    at = answers;
    for (int i = 0; i < 100; i++) {
        char mark[16];
        snprintf(mark, sizeof(mark), "\r\n\r\n<%d>", i);
        at = strstr(at, mark);
        assert_non_null(at);
    }
    free(answers);
    close(fd);
}

static void a_hundred_pipelined_requests_are_answered_in_order(void **state)
{
    pipelined_in_order(state, "/number");
}

static void pipelined_requests_wait_for_a_handler_that_suspends(void **state)
{
    pipelined_in_order(state, "/later");
}

static void pipelined_bodies_do_not_run_into_each_other(void **state)
{
    int   fd = client_connect(port_of(state));
    char *answers;

    client_say(fd, "POST /echo" TAIL "Content-Length: 3\r\n\r\nabc"
                   "POST /echo" TAIL
                   "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nT: u\r\n\r\n"
                   "POST /number?ignored" TAIL "Content-Length: 4\r\n\r\nGET "
                   "POST /pieces" TAIL "Content-Length: 3\r\n" CLOSE "ghi");
    answers = client_drain(fd, NULL);
    assert_non_null(strstr(answers, "\r\n\r\nabcHTTP/1.1 200"));
    assert_non_null(strstr(answers, "\r\n\r\ndefHTTP/1.1 200"));
    assert_non_null(strstr(answers, "\r\n\r\nignoredHTTP/1.1 200"));
    assert_non_null(strstr(answers, "3\r\nghi\r\n0\r\n\r\n"));
    free(answers);
    close(fd);
}

static void a_request_sent_byte_by_byte_is_understood(void **state)
{
    const char *text = "POST /echo" TAIL "Transfer-Encoding: chunked\r\n" CLOSE
                       "3\r\nabc\r\n0\r\n\r\n";
    int   fd = client_connect(port_of(state)), on = 1;
    char *answer;

    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    for (size_t i = 0; text[i]; i++) {
        client_send(fd, text + i, 1);
        if (i % 8 == 0)
            rig_sleep_ms(1);
    }
    answer = client_drain(fd, NULL);
    assert_string_equal(client_body(answer), "abc");
    free(answer);
    close(fd);
}

static void a_megabyte_goes_in_and_out_in_chunks(void **state)
{
    enum { CHUNK = 8192, CHUNKS = 128 };
    int    fd = client_connect(port_of(state));
    char  *chunk = malloc(CHUNK + 16), *answer;
    size_t x = 0;

    client_say(fd, "POST /echo" TAIL "Transfer-Encoding: chunked\r\n" CLOSE);
    for (int i = 0; i < CHUNKS; i++) {
        int len = snprintf(chunk, CHUNK, "%x\r\n", CHUNK);
        memset(chunk + len, 'a' + i % 26, CHUNK);
        memcpy(chunk + len + CHUNK, "\r\n", 2);
        client_send(fd, chunk, (size_t)len + CHUNK + 2);
    }
    client_say(fd, "0\r\n\r\n");
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 200);
    for (const char *at = client_body(answer); *at; at++, x++)
        assert_int_equal(*at, 'a' + (int)(x / CHUNK) % 26);
    assert_int_equal(x, CHUNK * CHUNKS);
    free(answer);
    free(chunk);
    close(fd);
}

static void continue_is_said_only_when_the_handler_reads(void **state)
{
    int   fd = client_connect(port_of(state));
    char *answer;

    client_say(fd, "POST /echo" TAIL "Content-Length: 3\r\nExpect: 100-continue\r\n" CLOSE);
    answer = client_read_until(fd, "\r\n\r\n", 1);
    assert_string_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    free(answer);
    client_say(fd, "abc");
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 200);
    assert_string_equal(client_body(answer), "abc");
    free(answer);
    close(fd);

    fd = client_connect(port_of(state));
    client_say(fd, "POST /hello" TAIL "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 200);
    assert_non_null(strstr(answer, "Connection: close"));
    free(answer);
    close(fd);
}

static void head_gets_the_head_only(void **state)
{
    char *answer = client_ask(port_of(state), "HEAD /hello" TAIL "\r\nHEAD /big?100000" TAIL
                                              "\r\nHEAD /length" TAIL CLOSE);
    char *second = strstr(answer + 1, "HTTP/1.1"),
         *third = second ? strstr(second + 1, "HTTP/1.1") : NULL;

    assert_non_null(strstr(answer, "Content-Length: 5\r\n"));
    assert_null(strstr(answer, "hello"));
    assert_non_null(second);
    assert_non_null(third);
    assert_ptr_equal(strstr(second, "\r\n\r\n") + 4, third);
    assert_non_null(strstr(third, "Content-Length: 10\r\n"));
    assert_string_equal(client_body(third), "");
    free(answer);
}

static void an_answer_without_a_body_has_no_length(void **state)
{
    char *answer = client_ask(port_of(state), "GET /empty" TAIL CLOSE);

    assert_int_equal(client_status(answer), 204);
    assert_null(strstr(answer, "Content-Length"));
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_request_gets_its_answer_with_date_and_length),
        WITH_SERVER(a_handler_sees_the_path_in_normal_form),
        WITH_SERVER(a_hundred_pipelined_requests_are_answered_in_order),
        WITH_SERVER(pipelined_requests_wait_for_a_handler_that_suspends),
        WITH_SERVER(pipelined_bodies_do_not_run_into_each_other),
        WITH_SERVER(a_request_sent_byte_by_byte_is_understood),
        WITH_SERVER(a_megabyte_goes_in_and_out_in_chunks),
        WITH_SERVER(continue_is_said_only_when_the_handler_reads),
        WITH_SERVER(head_gets_the_head_only),
        WITH_SERVER(an_answer_without_a_body_has_no_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
