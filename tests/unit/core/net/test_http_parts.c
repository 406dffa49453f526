/* test_http_parts.c - small parts of the HTTP server by themselves: input that is borrowed or
 * owned, addresses as text, the answers that it gives by itself. */
#include "http_rig.h"

#include "net/connection.h"
#include "net/input.h"

/* ---- input ---- */

static char borrowed[] = "borrowed bytes";

static struct input borrow(size_t at)
{
    return (struct input){
        .data = borrowed, .len = sizeof(borrowed) - 1, .at = at, .is_borrowed = true
    };
}

static void assert_left(const struct input *input, const char *text)
{
    assert_int_equal(input_left(input), strlen(text));
    assert_memory_equal(input_rest(input), text, strlen(text));
}

static void borrowed_input_is_copied_only_when_it_is_to_stay(void **state)
{
    struct input input = borrow(9), none = { 0 };

    (void)state;
    assert_left(&input, "bytes");
    assert_true(input_own(&input));
    assert_false(input.is_borrowed);
    assert_int_equal(input.at, 0);
    assert_left(&input, "bytes");
    assert_ptr_not_equal(input.data, borrowed + 9);
    assert_true(input_own(&input)); // it is owned already
    assert_left(&input, "bytes");
    input_free(&input);
    assert_int_equal(input_left(&input), 0);
    assert_null(input.data);
    input = borrow(0);
    input_free(&input); // which leaves what was borrowed
    assert_int_equal(input_left(&input), 0);
    assert_string_equal(borrowed, "borrowed bytes");
    assert_true(input_own(&none));
    assert_int_equal(input_left(&none), 0);
}

/* Of every sort, and every number of bytes that are taken off between. */
static void appended_bytes_stand_behind_those_that_are_left(void **state)
{
    enum { ALL = 3000 };
    char all[ALL];

    (void)state;
    for (int i = 0; i < ALL; i++)
        all[i] = (char)('a' + i * 7 % 23);
    for (size_t piece = 1; piece < 700; piece += 37)
        for (size_t taken = 0; taken <= piece; taken += piece / 3 + 1) {
            struct input input = { .data = all, .len = piece, .is_borrowed = true };
            size_t       at = 0, to = piece;

            while (to + piece <= ALL) {
                input.at += taken;
                at += taken;
                assert_true(input_append(&input, all + to, piece));
                to += piece;
                assert_false(input.is_borrowed);
                assert_int_equal(input_left(&input), to - at);
                assert_true(input.len <= input.capacity);
                assert_memory_equal(input_rest(&input), all + at, to - at);
            }
            input_free(&input);
        }
}

/* ---- who the client is ---- */

static void assert_peer(const char *address, const char *text)
{
    struct connection   connection = { .is_unix = false };
    struct sockaddr_in  in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    char                room[64];

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        connection.peer = peer_address_of((struct sockaddr *)&in);
    else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
        connection.peer = peer_address_of((struct sockaddr *)&in6);
    else
        fail_msg("%s", address);
    assert_true(bp_str_is(connection_peer_text(&connection, room), text));
}

static void a_client_is_shown_by_its_address(void **state)
{
    struct connection local = { .is_unix = true };
    char              room[64];

    (void)state;
    assert_peer("192.0.2.7", "192.0.2.7");
    assert_peer("0.0.0.0", "0.0.0.0");
    assert_peer("2001:db8::7", "2001:db8::7");
    assert_peer("::1", "::1");
    assert_peer("::ffff:192.0.2.7", "192.0.2.7");
    assert_peer("::fffe:192.0.2.7", "::fffe:c000:207");
    assert_peer("1::ffff:192.0.2.7", "1::ffff:c000:207");
    assert_true(bp_str_is(connection_peer_text(&local, room), "unix"));
}

/* ---- answers of its own ---- */

static void every_status_of_its_own_has_a_code(void **state)
{
    static const struct {
        int         status;
        const char *code, *text;
    } cases[] = {
        { 400, "invalid", "Bad Request" },
        { 404, "invalid", "Not Found" },
        { 408, "deadline", "Request Timeout" },
        { 413, "too_large", "Content Too Large" },
        { 414, "too_large", "URI Too Long" },
        { 417, "invalid", "Expectation Failed" },
        { 431, "too_large", "Request Header Fields Too Large" },
        { 500, "invalid", "Internal Server Error" },
        { 501, "unsupported", "Not Implemented" },
        { 503, "unavailable", "Service Unavailable" },
        { 505, "unsupported", "HTTP Version Not Supported" },
        { 499, "invalid", "Client Closed Request" },
        { 599, "invalid", "Unknown" },
        { 0, "invalid", "Unknown" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(response_error_code(cases[i].status), cases[i].code);
        assert_string_equal(http_status_text(cases[i].status), cases[i].text);
    }
}

static void an_answer_of_its_own_is_whole_or_none(void **state)
{
    struct http_server server = { 0 };
    char               answer[1024], expected[1024];
    size_t len = response_own_error(&server, 503, "it is \"full\"", false, answer, sizeof(answer));

    (void)state;
    assert_int_equal(strlen(server.date), 29);
    snprintf(expected, sizeof(expected),
             "HTTP/1.1 503 Service Unavailable\r\nDate: %s\r\nContent-Type: application/json\r\n"
             "Content-Length: 59\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
             "{\"error\":{\"code\":\"unavailable\",\"message\":\"it is \\\"full\\\"\"}}",
             server.date);
    assert_string_equal(answer, expected);
    assert_int_equal(len, strlen(expected));
    assert_int_equal(response_own_error(&server, 503, "it is \"full\"", false, answer, len + 1),
                     len);
    assert_int_equal(response_own_error(&server, 503, "it is \"full\"", false, answer, len), 0);
    len = response_own_error(&server, 400, "so", true, answer, sizeof(answer));
    snprintf(expected, sizeof(expected),
             "HTTP/1.1 400 Bad Request\r\nDate: %s\r\nContent-Type: application/json\r\n"
             "Content-Length: 43\r\nConnection: close\r\n\r\n",
             server.date);
    assert_string_equal(answer, expected);
    assert_int_equal(len, strlen(expected));
}

/* Its length is written out. */
static void the_answer_to_those_turned_away_is_as_long_as_it_says(void **state)
{
    bp_str      answer = response_overload();
    const char *body = strstr(answer.data, "\r\n\r\n") + 4;

    (void)state;
    assert_int_equal(answer.len, strlen(answer.data));
    assert_int_equal(strlen(body), 94);
    assert_non_null(strstr(answer.data, "Content-Length: 94\r\n"));
}

/* ---- buffers ---- */

static void empty_buffers_are_skipped(void **state)
{
    char     bytes[] = "ab";
    uv_buf_t all[] = { { bytes, 0 }, { bytes, 0 }, { bytes, 2 }, { bytes, 0 } }, *bufs = all;
    unsigned count = 4;

    (void)state;
    wire_skip_empty(&bufs, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(bufs, all + 2);
    wire_skip_empty(&bufs, &count);
    assert_int_equal(count, 2);
    bufs++;
    count--;
    wire_skip_empty(&bufs, &count);
    assert_int_equal(count, 0);
    wire_skip_empty(&bufs, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borrowed_input_is_copied_only_when_it_is_to_stay),
        cmocka_unit_test(appended_bytes_stand_behind_those_that_are_left),
        cmocka_unit_test(a_client_is_shown_by_its_address),
        cmocka_unit_test(every_status_of_its_own_has_a_code),
        cmocka_unit_test(an_answer_of_its_own_is_whole_or_none),
        cmocka_unit_test(the_answer_to_those_turned_away_is_as_long_as_it_says),
        cmocka_unit_test(empty_buffers_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
