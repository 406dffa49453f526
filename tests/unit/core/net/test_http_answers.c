/* test_http_answers.c - answers of the HTTP server that are streams, events, or broken off; and
 * headers that would split one. */
#include "http_handlers.h"
#include "net/connection.h"

static void an_old_client_gets_its_stream_until_the_end(void **state)
{
    char *answer = client_ask(port_of(state),
                              "POST /pieces HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");

    assert_int_equal(client_status(answer), 200);
    assert_null(strstr(answer, "chunked"));
    assert_string_equal(client_body(answer), "abc");
    free(answer);
    answer = client_ask(port_of(state), "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET "
                                        "/hello HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(answer, "Connection: keep-alive\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nhelloHTTP/1.1 200"));
    free(answer);
}

static void events_are_written_line_by_line(void **state)
{
    char *answer = client_ask(port_of(state), "GET /events HTTP/1.0\r\n\r\n");

    assert_non_null(strstr(answer, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(answer, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(answer, "X-Accel-Buffering: no\r\n"));
    assert_string_equal(client_body(answer), "id: 1\ndata: one\n\nevent: named\ndata: two\ndata: "
                                             "lines\ndata: three\n\ndata: \n\n");
    free(answer);
}

static void silence_is_filled_with_comments(void **state)
{
    char *answer = client_ask(port_of(state), "GET /events?silent" TAIL CLOSE);
    int   comments = 0;

    for (const char *at = answer; (at = strstr(at, "4\r\n: \n\n\r\n")); at++)
        comments++;
    assert_in_range(comments, 2, 5);
    assert_non_null(strstr(answer, "\r\n0\r\n\r\n"));
    free(answer);
}

static void header_values_cannot_split_the_answer(void **state)
{
    char *answer = client_ask(port_of(state),
                              "GET /headers" TAIL "X-Twice: a\r\nx-twice: b\r\n" CLOSE);

    assert_int_equal(client_status(answer), 200);
    assert_non_null(strstr(answer, "\r\nX-Good: yes\r\n"));
    assert_null(strstr(answer, "Set-Cookie"));
    assert_string_equal(client_body(answer), "a, b");
    free(answer);
}

static void a_stream_of_known_length_is_cut_when_it_is_short(void **state)
{
    char *answer = client_ask(port_of(state), "GET /length?long" TAIL CLOSE);

    assert_string_equal(client_body(answer), "1234567890");
    free(answer);
    answer = client_ask(port_of(state), "GET /length?short" TAIL "\r\n");
    assert_true(strcmp(client_body(answer), "12345") == 0 || strlen(answer) == 0);
    free(answer);
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    while ((text = strstr(text, what)) != NULL) {
        count++;
        text += strlen(what);
    }
    return count;
}

static void events_of_one_turn_go_out_in_one_write(void **state)
{
    struct rig *rig = *state;
    uint64_t    before = rig->server->write_calls;
    char       *answer = client_ask(port_of(state), "GET /burst" TAIL CLOSE);

    assert_int_equal(count_of(answer, "event: delta\ndata: {\"text\":\"token\"}\n\n"), 50);
    assert_non_null(strstr(answer, "\r\n0\r\n\r\n"));
    assert_in_range(rig->server->write_calls - before, 1, 2);
    free(answer);
}

static void an_aborted_stream_has_no_end(void **state)
{
    char *answer = client_ask(port_of(state), "GET /abort" TAIL "\r\n");

    assert_null(strstr(answer, "\r\n0\r\n"));
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(an_old_client_gets_its_stream_until_the_end),
        WITH_SERVER(events_are_written_line_by_line),
        WITH_SERVER(silence_is_filled_with_comments),
        WITH_SERVER(header_values_cannot_split_the_answer),
        WITH_SERVER(a_stream_of_known_length_is_cut_when_it_is_short),
        WITH_SERVER(events_of_one_turn_go_out_in_one_write),
        WITH_SERVER(an_aborted_stream_has_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
