/* test_http_client.c - the HTTP client against a scripted server: whole answers, and everything
 * that can go wrong. */
#include "net_test.h"

#include <errno.h>

static char heard[16384];

static bp_str url_of(bp_call *call, const char *path)
{
    return arena_format(call->arena, "http://127.0.0.1:%u%s", server.port, path);
}

static bp_http_request get(bp_call *call, const char *path)
{
    return (bp_http_request){ .struct_size = sizeof(bp_http_request), .url = url_of(call, path) };
}

static bp_status fetch(bp_call *call, const bp_http_request *request, bp_http_response *response)
{
    *response = (bp_http_response){ .struct_size = sizeof(*response) };
    return http_client_fetch(call, request, response);
}

static void with_server(void (*serve)(int fd, int number), void (*run)(bp_call *call))
{
    server_start(serve);
    on_call(run, BP_SECONDS(60));
    server_stop();
}

/* ---- a whole answer ---- */

static void serve_plainly(int fd, int number)
{
    char body[8] = "";

    (void)number;
    while (server_hear(fd, heard, sizeof(heard))) {
        if (strstr(heard, "Content-Length: 7"))
            assert_int_equal(recv(fd, body, 7, MSG_WAITALL), 7);
        server_say(fd, "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
                       "HTTP/1.1 429 Too Many\r\nContent-Type: text/plain\r\nRetry-After: "
                       "7\r\nX-Two:  a b \r\n"
                       "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n "
                       "world\r\n0\r\nX-Trailer: t\r\n\r\n");
    }
}

static void fetch_whole(bp_call *call)
{
    bp_http_header   header = { BP_STR("Authorization"), BP_STR("Bearer abc") };
    bp_http_request  request = get(call, "/a%2Fb?c=d");
    bp_http_response response;

    request.headers = &header;
    request.header_count = 1;
    request.body = BP_STR("{\"a\":1}");
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(response.status, 429);
    assert_true(bp_str_is(response.body, "hello world"));
    assert_true(bp_str_is(response.content_type, "text/plain"));
    assert_int_equal(response.retry_after_ns, BP_SECONDS(7));
    assert_int_equal(response.header_count, 4);
    assert_true(bp_str_is(response.headers[2].name, "x-two"));
    assert_true(bp_str_is(response.headers[2].value, "a b"));
    assert_non_null(strstr(heard_last(), "POST /a%2Fb?c=d HTTP/1.1\r\n"));
    assert_non_null(strstr(heard_last(), "Authorization: Bearer abc\r\n"));
    assert_non_null(strstr(heard_last(), "User-Agent: backplane/"));
    assert_non_null(strstr(heard_last(), "\r\ntraceparent: 00-"));
    assert_non_null(strstr(heard_last(), call->request_id));
    assert_null(strstr(heard_last(), "Expect:"));
    assert_null(strstr(heard_last(), "Content-Type:"));
    request.body = BP_STR("");
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(server.connections, 1); // the connection was used again
}

static void an_answer_comes_whole_and_its_connection_is_used_again(void **state)
{
    (void)state;
    with_server(serve_plainly, fetch_whole);
}

static void fetch_badly(bp_call *call)
{
    static const char *const bad[] = { "",
                                       "nonsense url",
                                       "ftp://127.0.0.1/x",
                                       "http://",
                                       "http://h:99999/",
                                       "http://h:0/",
                                       "file:///etc/passwd",
                                       "http://\xC3\xA4.example/",
                                       "http://a b/" };
    bp_http_header           header = { BP_STR("X-A"), BP_STR("b\r\nX-C: d") };
    bp_http_request          request = { .struct_size = sizeof(request) };
    bp_http_response         response;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.url = bp_str_of(bad[i]);
        assert_status(call, fetch(call, &request, &response), BP_INVALID);
    }
    request = (bp_http_request){ .struct_size = sizeof(request),
                                 .url = BP_STR("http://127.0.0.1:1/"),
                                 .header_count = 1,
                                 .headers = &header };
    assert_status(call, fetch(call, &request, &response), BP_INVALID);
    header = (bp_http_header){ BP_STR("Content-Length"), BP_STR("3") };
    assert_status(call, fetch(call, &request, &response), BP_INVALID);
    request.header_count = 0;
    request.method = BP_STR("GET / HTTP/1.1\r\nX:");
    assert_status(call, fetch(call, &request, &response), BP_INVALID);
}

static void a_request_that_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    on_call(fetch_badly, BP_SECONDS(10));
}

static void fetch_in_vain(bp_call *call)
{
    uint16_t         port = free_port();
    bp_http_request  request = { .struct_size = sizeof(request) };
    bp_http_response response;

    request.url = arena_format(call->arena, "http://user:secret@127.0.0.1:%u/x?key=hidden", port);
    assert_status(call, fetch(call, &request, &response), BP_UNAVAILABLE);
    assert_said(call, "cannot reach http://127.0.0.1:%u/x: connection refused", port);
    assert_int_equal(call->error.os_errno, ECONNREFUSED);
    assert_null(strstr(call->error.message.data, "secret"));
    assert_null(strstr(call->error.message.data, "hidden"));
    request.url = BP_STR("http://no-such-host.invalid/");
    assert_status(call, fetch(call, &request, &response), BP_UNAVAILABLE);
    assert_said(call, "cannot find the host \"no-such-host.invalid\"");
}

static void what_cannot_be_reached_is_named_without_its_secrets(void **state)
{
    (void)state;
    on_call(fetch_in_vain, BP_SECONDS(30));
}

static void fetch_by_name(bp_call *call)
{
    char             host_line[64];
    bp_http_request  request = { .struct_size = sizeof(request) };
    bp_http_response response;

    request.url = arena_format(call->arena, "http://localhost:%u/", server.port);
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_true(bp_str_is(response.body, "hello world"));
    snprintf(host_line, sizeof(host_line), "Host: localhost:%u\r\n", server.port);
    assert_non_null(strstr(heard_last(), host_line));
}

static void a_host_is_asked_by_its_name(void **state)
{
    (void)state;
    with_server(serve_plainly, fetch_by_name);
}

/* ---- broken answers ---- */

enum { WHOLE_BYTES = 300 };

static char           whole[WHOLE_BYTES + 1];
static bool           is_cut_by_reset, is_chunked;
static _Atomic size_t cut_at;

/* libcurl takes the very last byte of a chunked answer for granted, when all of the body has come
 * before it. */
static size_t cuts(void)
{
    return is_chunked ? WHOLE_BYTES - 1 : WHOLE_BYTES;
}

static void make_whole(void)
{
    int len = snprintf(whole, sizeof(whole),
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n%s\r\n\r\n",
                       is_chunked ? "Transfer-Encoding: chunked" : "Content-Length: 234");
    if (is_chunked)
        len += snprintf(whole + len, sizeof(whole) - (size_t)len, "d8\r\n");
    memset(whole + len, 'b', sizeof(whole) - (size_t)len);
    if (is_chunked)
        memcpy(whole + WHOLE_BYTES - 7, "\r\n0\r\n\r\n", 7);
    whole[WHOLE_BYTES] = '\0';
}

static void serve_cut(int fd, int number)
{
    (void)number;
    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    server_send(fd, whole, cut_at);
    if (is_cut_by_reset) {
        usleep(1000);
        server_reset(fd);
    }
}

static void fetch_cut(bp_call *call)
{
    for (cut_at = 0; cut_at < cuts(); cut_at++) {
        bp_http_request  request = get(call, "/");
        bp_http_response response;
        bp_status        status = fetch(call, &request, &response);

        if (status != BP_UNAVAILABLE && status != BP_UPSTREAM)
            fail_msg("cut at byte %zu: %s", (size_t)cut_at, bp_status_label(status));
        assert_said(call, "http://127.0.0.1:%u/", server.port);
    }
}

static void fetch_cut_streamed(bp_call *call)
{
    for (cut_at = 0; cut_at < cuts(); cut_at++) {
        bp_http_request  request = get(call, "/");
        bp_http_response head = { .struct_size = sizeof(head) };
        bp_http_stream  *stream = NULL;
        bp_str           piece = { "", 1 };
        bp_status        status = http_client_open(call, &request, &head, &stream);

        while (status == BP_OK && piece.len)
            status = http_client_read(call, stream, &piece);
        if (status != BP_UNAVAILABLE && status != BP_UPSTREAM)
            fail_msg("cut at byte %zu: %s", (size_t)cut_at, bp_status_label(status));
        http_client_close(stream);
    }
}

/* The test's own measure: a whole answer does succeed. */
static void fetch_uncut(bp_call *call)
{
    bp_http_request  request = get(call, "/");
    bp_http_response response;

    cut_at = WHOLE_BYTES;
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(response.body.len, is_chunked ? 216 : 234);
}

static void an_answer_cut_at_any_byte_is_never_a_success(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        is_chunked = (way & 1) != 0;
        is_cut_by_reset = (way & 2) != 0;
        make_whole();
        with_server(serve_cut, fetch_cut);
        with_server(serve_cut, fetch_cut_streamed);
        if (!is_cut_by_reset)
            with_server(serve_cut, fetch_uncut);
    }
}

static const char *nonsense;

static void serve_nonsense(int fd, int number)
{
    (void)number;
    if (server_hear(fd, heard, sizeof(heard)))
        server_say(fd, nonsense);
}

static void fetch_nonsense(bp_call *call)
{
    static const char *const texts[] = {
        "hello\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "\x16\x03\x01\x02",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    };
    bp_http_response response;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        bp_http_request request = get(call, "/");

        nonsense = texts[i];
        if (fetch(call, &request, &response) != BP_UPSTREAM)
            fail_msg("\"%s\": %s", nonsense, bp_status_label(call->error.status));
    }
}

static void what_is_not_http_is_an_error_of_the_server(void **state)
{
    (void)state;
    with_server(serve_nonsense, fetch_nonsense);
}

/* ---- too much ---- */

static void serve_endless_header(int fd, int number)
{
    static char bytes[65536];

    memset(bytes, 'h', sizeof(bytes));
    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    server_say(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 160; i++) { // 10 MiB
        if (number == 1)
            memcpy(bytes + 65534, "\r\n", 2), memcpy(bytes, "X: ", 3);
        if (!server_send(fd, bytes, sizeof(bytes)))
            return;
    }
}

static void fetch_large_header(bp_call *call)
{
    bp_http_request  request = get(call, "/");
    bp_http_response response;

    assert_status(call, fetch(call, &request, &response), BP_TOO_LARGE); // one header
    assert_said(call, "headers are larger than 64 KiB");
    assert_status(call, fetch(call, &request, &response), BP_TOO_LARGE); // many
    assert_said(call, "headers are larger than 64 KiB");
}

static void headers_of_ten_mebibytes_are_refused(void **state)
{
    (void)state;
    with_server(serve_endless_header, fetch_large_header);
}

static void serve_one_mebibyte(int fd, int number)
{
    static char bytes[1 << 20];

    (void)number;
    if (server_hear(fd, heard, sizeof(heard)) &&
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"))
        server_send(fd, bytes, sizeof(bytes));
}

static void fetch_capped(bp_call *call)
{
    bp_http_request  request = get(call, "/");
    bp_http_response response;

    request.max_response_bytes = (1 << 20) - 1;
    assert_status(call, fetch(call, &request, &response), BP_TOO_LARGE);
    assert_said(call, "larger than the request allows");
    request.max_response_bytes = 1 << 20;
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(response.body.len, 1 << 20);
}

static void an_answer_above_the_cap_is_refused(void **state)
{
    (void)state;
    with_server(serve_one_mebibyte, fetch_capped);
}

/* A gzip of zeros, made without a library: deflate's stored length code repeated decodes 258 bytes
 * from a few bits. */
static size_t make_bomb(unsigned char *out, size_t repeats)
{
    static const unsigned char head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
    size_t                     at = sizeof(head) * 8;
    // Fixed Huffman block: the literal 0 (8 bits 00110000), then pairs of length 258 (code 285:
    // 11000101, no extra bits) and distance 1 (00000); the end of the block is never reached.
    static const char block[] = "110"
                                "00110000",
                      pair[] = "11000101"
                               "00000";

    memcpy(out, head, sizeof(head));
    for (const char *bit = block; *bit; bit++, at++)
        out[at / 8] |= (unsigned char)((*bit == '1') << (at % 8));
    for (size_t i = 0; i < repeats; i++)
        for (const char *bit = pair; *bit; bit++, at++)
            out[at / 8] |= (unsigned char)((*bit == '1') << (at % 8));
    return at / 8;
}

static void serve_bomb(int fd, int number)
{
    static unsigned char bomb[1 << 16];
    size_t               len;
    char                 head[200];

    (void)number;
    memset(bomb, 0, sizeof(bomb));
    len = make_bomb(bomb, 30000); // 48 KB that decode to 7.7 MB
    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", len);
    server_say(fd, head);
    server_send(fd, bomb, len);
}

static void fetch_bomb(bp_call *call)
{
    bp_http_request  request = get(call, "/");
    bp_http_response response;

    assert_status(call, fetch(call, &request, &response), BP_TOO_LARGE);
    assert_said(call, "decodes to more than 100 times its size");
    assert_non_null(strstr(heard_last(), "Accept-Encoding: gzip, deflate"));
    request.max_response_bytes = 1 << 19;
    assert_status(call, fetch(call, &request, &response), BP_TOO_LARGE);
    assert_said(call, "larger than the request allows");
}

static void a_compressed_bomb_is_refused(void **state)
{
    (void)state;
    with_server(serve_bomb, fetch_bomb);
}

/* ---- too late ---- */

static void serve_slow_body(int fd, int number)
{
    char byte;

    if (!server_hear(fd, heard, sizeof(heard)))
        return;
    if (number > 0)
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    for (int i = 0; number == 2 && i < 7; i++) {
        usleep(60000);
        server_say(fd, "4");
    }
    if (number != 2)
        recv(fd, &byte, 1, 0); // until the client gives up
}

static void fetch_slowly(bp_call *call)
{
    bp_http_request  request = get(call, "/");
    bp_http_response response;

    request.first_byte_timeout_ns = BP_MILLISECONDS(80);
    assert_status(call, fetch(call, &request, &response), BP_DEADLINE);
    assert_said(call, "did not begin to answer within 80 ms");
    request.first_byte_timeout_ns = 0;
    request.idle_timeout_ns = BP_MILLISECONDS(200);
    assert_status(call, fetch(call, &request, &response), BP_DEADLINE);
    assert_said(call, "nothing came for 200 ms");
    assert_status(call, fetch(call, &request, &response),
                  BP_OK); // longer than 200 ms in all, but never silent for long
    assert_int_equal(response.body.len, 10);
    request.deadline_ns = clock_now_ns() + BP_MILLISECONDS(60);
    assert_status(call, fetch(call, &request, &response), BP_DEADLINE);
    assert_said(call, "did not answer in the time allowed");
}

static void a_slow_server_is_given_up(void **state)
{
    (void)state;
    with_server(serve_slow_body, fetch_slowly);
}

/* ---- more requests than connections ---- */

enum { TOO_MANY = 5 };

static int limited;

/* `arg`: how long the server may be silent. */
static bp_status fetch_in_child(bp_call *call, void *arg)
{
    bp_http_request  request = get(call, "/");
    bp_http_response response;

    request.first_byte_timeout_ns = *(const int64_t *)arg;
    request.connect_timeout_ns = BP_SECONDS(60);
    if (fetch(call, &request, &response) == BP_LIMIT) {
        assert_said(call, "for a free connection to http://127.0.0.1:%u/", server.port);
        limited++;
    }
    return BP_OK;
}

static void spawn_fetches(bp_call *call, const int64_t *timeout_ns, int count,
                          struct bp_child **children)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(call_spawn(call, "child", fetch_in_child, (void *)(uintptr_t)timeout_ns,
                                    &children[i]),
                         BP_OK);
}

/* The connections that there may be are all in use until the others have given up. */
static void fetch_too_many(bp_call *call)
{
    static const int64_t patient_ns = BP_SECONDS(60), hasty_ns = BP_MILLISECONDS(300);
    struct bp_child     *holders[HTTP_CLIENT_HOST_CONNECTIONS_MAX], *others[TOO_MANY];

    limited = 0;
    spawn_fetches(call, &patient_ns, HTTP_CLIENT_HOST_CONNECTIONS_MAX, holders);
    while (watched_connections() < HTTP_CLIENT_HOST_CONNECTIONS_MAX)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(5)), BP_OK);
    spawn_fetches(call, &hasty_ns, TOO_MANY, others);
    for (int i = 0; i < TOO_MANY; i++)
        assert_int_equal(call_join(call, others[i]), BP_OK);
    assert_int_equal(limited, TOO_MANY);
    assert_int_equal(watched_connections(), HTTP_CLIENT_HOST_CONNECTIONS_MAX);
    for (int i = 0; i < HTTP_CLIENT_HOST_CONNECTIONS_MAX; i++) {
        call_cancel_child(holders[i]);
        call_join(call, holders[i]);
    }
}

static void serve_nothing(int fd, int number)
{
    char byte;

    (void)number;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void who_waits_for_a_connection_of_our_own_is_not_refused_by_the_server(void **state)
{
    (void)state;
    with_server(serve_nothing, fetch_too_many);
}

static uint16_t stuck;

static void fetch_stuck(bp_call *call)
{
    bp_http_request   request = { .struct_size = sizeof(request) };
    bp_http_response  response;
    struct cancelling cancelling = { .victim = call, .after_ns = BP_MILLISECONDS(20) };

    request.url = arena_format(call->arena, "http://127.0.0.1:%u/", stuck);
    request.connect_timeout_ns = BP_MILLISECONDS(60);
    assert_status(call, fetch(call, &request, &response), BP_DEADLINE);
    assert_said(call, "no connection within 60 ms");
    request.connect_timeout_ns = 0;
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &cancelling));
    assert_status(call, fetch(call, &request, &response), BP_CANCELLED);
    assert_true(cancelling.is_done);
    assert_int_equal(http_client_transfers(&worker), 0);
}

static void connecting_ends_in_time_and_when_cancelled(void **state)
{
    int fds[4];

    (void)state;
    stuck = stuck_port(fds);
    on_call(fetch_stuck, BP_SECONDS(20));
    unstick(fds);
}

static void cancel_while_waiting(bp_call *call)
{
    bp_http_request   request = get(call, "/");
    bp_http_response  response;
    struct cancelling cancelling = { .victim = call, .after_ns = BP_MILLISECONDS(30) };
    int64_t           before = clock_now_ns();

    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &cancelling));
    assert_status(call, fetch(call, &request, &response), BP_CANCELLED);
    assert_in_range(clock_now_ns() - before, BP_MILLISECONDS(29), BP_SECONDS(2));
    assert_int_equal(http_client_transfers(&worker), 0);
    assert_status(call, fetch(call, &request, &response),
                  BP_CANCELLED); // and sends nothing any more
    assert_int_equal(server.connections, 1);
}

static void a_cancelled_call_drops_its_request_at_once(void **state)
{
    (void)state;
    with_server(serve_slow_body, cancel_while_waiting);
}

/* ---- redirects ---- */

static void serve_redirect(int fd, int number)
{
    char text[300];

    (void)number;
    while (server_hear(fd, heard, sizeof(heard))) {
        if (strstr(heard, " /away "))
            snprintf(text, sizeof(text),
                     "HTTP/1.1 302 Found\r\nLocation: http://localhost:%u/here\r\nContent-Length: "
                     "0\r\n\r\n",
                     server.port);
        else if (strstr(heard, " /loop "))
            snprintf(text, sizeof(text),
                     "HTTP/1.1 307 T\r\nLocation: loop\r\nContent-Length: 0\r\n\r\n");
        else if (strstr(heard, " /file "))
            snprintf(text, sizeof(text),
                     "HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
        else
            snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere");
        server_say(fd, text);
        if (!strstr(heard, " /loop "))
            return;
    }
}

static void fetch_redirected(bp_call *call)
{
    bp_http_header   header = { BP_STR("Authorization"), BP_STR("Bearer abc") };
    bp_http_request  request = get(call, "/away");
    bp_http_response response;

    request.headers = &header;
    request.header_count = 1;
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(response.status, 302); // not followed
    request.max_redirects = 1;
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(response.status, 200);
    assert_true(bp_str_is(response.body, "here"));
    assert_null(strstr(heard_last(), "Bearer abc")); // another origin
    request.url = url_of(call, "/loop");
    request.max_redirects = 1000;
    assert_status(call, fetch(call, &request, &response), BP_OK);
    assert_int_equal(response.status, 307);
    request.url = url_of(call, "/file");
    assert_status(call, fetch(call, &request, &response), BP_INVALID);
}

static void redirects_are_followed_only_when_asked_and_without_credentials(void **state)
{
    (void)state;
    with_server(serve_redirect, fetch_redirected);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_whole_and_its_connection_is_used_again),
        T(a_request_that_cannot_be_sent_is_refused),
        T(what_cannot_be_reached_is_named_without_its_secrets),
        T(a_host_is_asked_by_its_name),
        T(an_answer_cut_at_any_byte_is_never_a_success),
        T(what_is_not_http_is_an_error_of_the_server),
        T(headers_of_ten_mebibytes_are_refused),
        T(an_answer_above_the_cap_is_refused),
        T(a_compressed_bomb_is_refused),
        T(a_slow_server_is_given_up),
        T(who_waits_for_a_connection_of_our_own_is_not_refused_by_the_server),
        T(connecting_ends_in_time_and_when_cancelled),
        T(a_cancelled_call_drops_its_request_at_once),
        T(redirects_are_followed_only_when_asked_and_without_credentials),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
