/* test_http_server.c - the HTTP server over real loopback sockets: what a client sees. */
#include "http_rig.h"

#include <sys/resource.h>
#include <sys/stat.h>

static atomic_int  wait_status = -1, wait_entered; /* of the handler of /wait */
static atomic_long written_bytes;                  /* of the handler of /big */
static atomic_long read_bytes;                     /* of the handler of /slow-read */

static void handle_big(struct http_exchange *exchange)
{
    static char piece[32768];
    long        left = atol(exchange->query.data);

    written_bytes = 0;
    memset(piece, 'x', sizeof(piece));
    if (http_exchange_begin(exchange, 200, BP_STR("text/plain"), -1) != BP_OK)
        return;
    while (left > 0) {
        size_t len = left > (long)sizeof(piece) ? sizeof(piece) : (size_t)left;
        if (http_exchange_write(exchange, bp_str_n(piece, len)) != BP_OK)
            return;
        written_bytes += (long)len;
        left -= (long)len;
    }
}

static void handle_echo(struct http_exchange *exchange)
{
    bp_str body;

    if (http_exchange_read_all(exchange, &body) != BP_OK)
        http_exchange_send_error(exchange, 500, "internal", BP_STR("replaced by the server"));
    else
        http_exchange_send(exchange, 200, BP_STR("application/octet-stream"), body);
}

static void handle_pieces(struct http_exchange *exchange)
{
    bp_str piece;

    http_exchange_begin(exchange, 200, BP_STR("application/octet-stream"), -1);
    while (http_exchange_read(exchange, &piece) == BP_OK && piece.len)
        if (http_exchange_write(exchange, piece) != BP_OK)
            return;
}

static void handle_slow_read(struct http_exchange *exchange)
{
    bp_str piece;

    read_bytes = 0;
    call_sleep(exchange->call, BP_MILLISECONDS(700));
    while (http_exchange_read(exchange, &piece) == BP_OK && piece.len)
        read_bytes += (long)piece.len;
    http_exchange_send(exchange, 200, BP_STR("text/plain"), BP_STR("read"));
}

static void handle_wait(struct http_exchange *exchange)
{
    wait_entered = 1;
    wait_status = call_sleep(exchange->call, BP_SECONDS(60));
    http_exchange_send(exchange, 200, BP_STR("text/plain"), BP_STR("waited"));
}

static void handle_events(struct http_exchange *exchange)
{
    http_exchange_sse(exchange, BP_STR(""), BP_STR("1"), BP_STR("one"));
    http_exchange_sse(exchange, BP_STR("named"), BP_STR(""), BP_STR("two\nlines\r\nthree"));
    if (bp_str_is(exchange->query, "silent"))
        call_sleep(exchange->call, BP_MILLISECONDS(1500));
    http_exchange_sse(exchange, BP_STR(""), BP_STR(""), BP_STR(""));
}

static void handle_headers(struct http_exchange *exchange)
{
    bool is_right =
        http_exchange_add_header(exchange, BP_STR("X-Good"), BP_STR("yes")) == BP_OK &&
        http_exchange_add_header(exchange, BP_STR("X-Bad"), BP_STR("a\r\nSet-Cookie: b")) ==
            BP_INVALID &&
        http_exchange_add_header(exchange, BP_STR("X-Bad"), bp_str_n("a\0b", 3)) == BP_INVALID &&
        http_exchange_add_header(exchange, BP_STR("X Bad"), BP_STR("a")) == BP_INVALID &&
        http_exchange_add_header(exchange, BP_STR(""), BP_STR("a")) == BP_INVALID &&
        http_exchange_add_header(exchange, BP_STR("Content-Length"), BP_STR("7")) == BP_INVALID;
    bp_str joined = http_exchange_header(exchange, "x-twice");

    http_exchange_send(exchange, is_right ? 200 : 500, BP_STR("text/plain"), joined);
    if (http_exchange_send(exchange, 200, BP_STR(""), BP_STR("again")) != BP_CONFLICT)
        http_exchange_abort(exchange);
}

static void handle_path(struct http_exchange *exchange)
{
    bp_str text =
        arena_format(exchange->call->arena, BP_FMT " " BP_FMT "?" BP_FMT " " BP_FMT " " BP_FMT,
                     BP_ARG(exchange->method), BP_ARG(exchange->path), BP_ARG(exchange->query),
                     BP_ARG(exchange->host), BP_ARG(exchange->peer));
    http_exchange_send(exchange, 200, BP_STR("text/plain"), text);
}

static void handle_length(struct http_exchange *exchange)
{
    http_exchange_begin(exchange, 200, BP_STR("text/plain"), 10);
    http_exchange_write(exchange, BP_STR("12345"));
    if (!bp_str_is(exchange->query, "short"))
        http_exchange_write(exchange, BP_STR("67890"));
    if (bp_str_is(exchange->query, "long") &&
        http_exchange_write(exchange, BP_STR("x")) != BP_INVALID)
        http_exchange_abort(exchange);
}

static void handle(struct http_exchange *exchange, void *arg)
{
    bp_str path = exchange->path;

    (void)arg;
    if (bp_str_is(path, "/hello"))
        http_exchange_send(exchange, 200, BP_STR("text/plain"), BP_STR("hello"));
    else if (bp_str_is(path, "/number"))
        http_exchange_send(exchange, 200, BP_STR("text/plain"), exchange->query);
    else if (bp_str_is(path, "/later")) {
        call_sleep(exchange->call, BP_MILLISECONDS(2));
        http_exchange_send(exchange, 200, BP_STR("text/plain"), exchange->query);
    } else if (bp_str_is(path, "/echo")) {
        handle_echo(exchange);
    } else if (bp_str_is(path, "/small")) {
        exchange->max_body_bytes = 10;
        handle_echo(exchange);
    } else if (bp_str_is(path, "/pieces"))
        handle_pieces(exchange);
    else if (bp_str_is(path, "/slow-read"))
        handle_slow_read(exchange);
    else if (bp_str_is(path, "/big"))
        handle_big(exchange);
    else if (bp_str_is(path, "/wait"))
        handle_wait(exchange);
    else if (bp_str_is(path, "/events"))
        handle_events(exchange);
    else if (bp_str_is(path, "/headers"))
        handle_headers(exchange);
    else if (bp_str_is(path, "/length"))
        handle_length(exchange);
    else if (bp_str_is(path, "/empty"))
        http_exchange_send(exchange, 204, BP_STR(""), BP_STR(""));
    else if (bp_str_is(path, "/abort")) {
        http_exchange_begin(exchange, 200, BP_STR("text/plain"), -1);
        http_exchange_write(exchange, BP_STR("part"));
        http_exchange_abort(exchange);
    } else if (!bp_str_is(path, "/none"))
        handle_path(exchange);
}

#define TAIL " HTTP/1.1\r\nHost: test\r\n"
#define CLOSE "Connection: close\r\n\r\n"

static int start(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig_defaults(rig);
    rig->options.header_timeout_ns = BP_MILLISECONDS(600);
    rig->options.idle_timeout_ns = BP_MILLISECONDS(900);
    rig->options.body_timeout_ns = BP_MILLISECONDS(600);
    rig->options.body_grace_ns = BP_MILLISECONDS(400);
    rig->options.heartbeat_ns = BP_MILLISECONDS(300);
    rig->options.write_timeout_ns = BP_MILLISECONDS(1500);
    rig->options.max_requests = 150;
    rig->options.max_connections_per_address = 40;
    rig_start(rig, handle);
    *state = rig;
    return 0;
}

static int stop(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

static uint16_t port_of(void **state)
{
    return ((struct rig *)*state)->port;
}

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
    char *answer =
        client_ask(port_of(state),
                   "GET http://other:81/a/../x%2Fy//%7Ez?q=%20 HTTP/1.1\r\nHost: test\r\n" CLOSE);

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
    const char *text =
        "POST /echo" TAIL "Transfer-Encoding: chunked\r\n" CLOSE "3\r\nabc\r\n0\r\n\r\n";
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

static void a_slow_reader_holds_the_handler_back(void **state)
{
    int    fd = client_connect(port_of(state)), small = 16 << 10;
    long   before;
    size_t len;
    char  *answer;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    written_bytes = 0;
    client_say(fd, "GET /big?33554432" TAIL CLOSE);
    assert_true(RIG_SOON(written_bytes > 0));
    rig_sleep_ms(300);
    before = written_bytes;
    rig_sleep_ms(300);
    assert_int_equal(written_bytes, before); // nothing moves while nobody reads
    assert_true(before < (16 << 20)); // what the kernel and the queue take, far from all of it
    answer = client_drain(fd, &len);
    assert_true(len > 33554432);
    assert_string_equal(answer + len - 7, "\r\n0\r\n\r\n");
    assert_int_equal(written_bytes, 33554432);
    free(answer);
    close(fd);
}

static void a_client_that_never_reads_is_reset(void **state)
{
    int fd = client_connect(port_of(state));

    written_bytes = 0;
    client_say(fd, "GET /big?33554432" TAIL CLOSE);
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
    assert_true(written_bytes < 33554432);
    close(fd);
}

static void a_slow_handler_holds_the_sender_back(void **state)
{
    enum { BYTES = 24 << 20 };
    int    fd = client_connect(port_of(state));
    char  *bytes = calloc(1, BYTES), head[128], *answer;
    size_t sent = 0;

    client_send(fd, head,
                (size_t)snprintf(head, sizeof(head),
                                 "POST /slow-read" TAIL "Content-Length: %d\r\n" CLOSE, BYTES));
    while (sent < BYTES) { // what goes without anyone reading
        ssize_t count = send(fd, bytes, BYTES - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) {
            sent += (size_t)count;
            continue;
        }
        struct pollfd look = { fd, POLLOUT, 0 };
        if (poll(&look, 1, 200) == 0)
            break;
    }
    assert_true(sent < BYTES / 2);
    assert_int_equal(read_bytes, 0);
    client_send(fd, bytes, BYTES - sent);
    answer = client_drain(fd, NULL);
    assert_int_equal(client_status(answer), 200);
    assert_int_equal(read_bytes, BYTES);
    free(answer);
    free(bytes);
    close(fd);
}

static void a_client_that_vanishes_cancels_the_call(void **state)
{
    int     fd = client_connect(port_of(state));
    int64_t began;

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "GET /wait" TAIL "\r\n");
    assert_true(RIG_SOON(wait_entered));
    began = clock_now_ns();
    close(fd);
    assert_true(RIG_SOON(wait_status != -1));
    assert_int_equal(wait_status, BP_CANCELLED);
    assert_true(clock_now_ns() - began < BP_MILLISECONDS(500));
}

static void a_client_that_vanishes_behind_unread_bytes_cancels_the_call(void **state)
{
    int   fd = client_connect(port_of(state));
    char *bytes = calloc(1, 1 << 20);

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "POST /wait" TAIL "Content-Length: 1048576\r\n\r\n");
    client_send(
        fd, bytes,
        140000); // more than the server takes without a reader, less than the kernel holds for it
    assert_true(RIG_SOON(wait_entered));
    close(fd);
    assert_true(RIG_SOON(wait_status != -1));
    assert_int_equal(wait_status, BP_CANCELLED);
    free(bytes);
}

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
        char *answer =
            client_ask(port_of(state), cases[i].text); // reads to the end: it closes by itself

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
    char *answer =
        client_ask(port_of(state), "GET /a b HTTP/1.1\r\nHost: a\r\n\r\nGET /hello" TAIL "\r\n");

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

static void an_old_client_gets_its_stream_until_the_end(void **state)
{
    char *answer =
        client_ask(port_of(state), "POST /pieces HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");

    assert_int_equal(client_status(answer), 200);
    assert_null(strstr(answer, "chunked"));
    assert_string_equal(client_body(answer), "abc");
    free(answer);
    answer = client_ask(
        port_of(state),
        "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n");
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
    assert_string_equal(
        client_body(answer),
        "id: 1\ndata: one\n\nevent: named\ndata: two\ndata: lines\ndata: three\n\ndata: \n\n");
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
    char *answer =
        client_ask(port_of(state), "GET /headers" TAIL "X-Twice: a\r\nx-twice: b\r\n" CLOSE);

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

static void an_aborted_stream_has_no_end(void **state)
{
    char *answer = client_ask(port_of(state), "GET /abort" TAIL "\r\n");

    assert_null(strstr(answer, "\r\n0\r\n"));
    free(answer);
}

static void too_many_connections_of_one_address_get_503(void **state)
{
    int   fds[41];
    char *answer;

    for (int i = 0; i < 40; i++) {
        fds[i] = client_connect(port_of(state));
        client_say(fds[i], "GET /hello" TAIL "\r\n");
        free(client_read_until(fds[i], "hello", 1));
    }
    fds[40] = client_connect(port_of(state));
    client_say(fds[40], "GET /hello" TAIL "\r\n");
    answer = client_drain(fds[40], NULL);
    assert_true(client_status(answer) == 503 || answer[0] == '\0');
    if (answer[0]) {
        assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
        assert_int_equal(strlen(client_body(answer)), 94);
    }
    free(answer);
    for (int i = 0; i < 41; i++)
        close(fds[i]);
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
    answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE);
    assert_int_equal(client_status(answer), 200);
    free(answer);
}

static void without_descriptors_clients_get_503_and_the_server_lives(void **state)
{
    enum { CLIENTS = 8, FILLERS = 4096 };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_of(state)) };
    struct timeval     limit_s = { .tv_sec = 10 };
    struct rlimit      before, low;
    int                clients[CLIENTS], fillers[FILLERS], count = 0, refused = 0;
    char              *answer;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE); // warm: what opens lazily is open
    free(answer);
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = 200;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    setrlimit(RLIMIT_NOFILE, &low);
    while (count < FILLERS && (fillers[count] = dup(0)) >= 0)
        count++;
    for (int i = 0; i < CLIENTS; i++) {
        size_t len;

        setsockopt(clients[i], SOL_SOCKET, SO_RCVTIMEO, &limit_s, sizeof(limit_s));
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof(address)), 0);
        answer = client_drain(clients[i], &len);
        refused += client_status(answer) == 503;
        free(answer);
    }
    for (int i = 0; i < count; i++)
        close(fillers[i]);
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    assert_int_equal(refused, CLIENTS);
    answer = client_ask(port_of(state), "GET /hello" TAIL CLOSE);
    assert_int_equal(client_status(answer), 200);
    free(answer);
}

static void a_drain_lets_requests_end_and_closes_the_rest(void **state)
{
    struct rig *rig = *state;
    int         idle = client_connect(rig->port), busy = client_connect(rig->port);
    char       *answer;

    client_say(idle, "GET /hello" TAIL "\r\n");
    free(client_read_until(idle, "hello", 1));
    client_say(busy, "GET /events?silent" TAIL "\r\n");
    free(client_read_until(busy, "data: one", 1));
    rig_drain(rig, BP_SECONDS(5));
    assert_true(client_sees_end(idle));
    answer = client_drain(busy, NULL);
    assert_non_null(strstr(answer, "\r\n0\r\n\r\n")); // its stream came to its end
    free(answer);
    assert_true(RIG_SOON(rig->is_drained));
    close(idle);
    close(busy);
}

static void a_drain_that_is_due_cancels_what_is_left(void **state)
{
    struct rig *rig = *state;
    int         fd = client_connect(rig->port);
    char       *answer;

    wait_entered = 0;
    wait_status = -1;
    client_say(fd, "GET /wait" TAIL "\r\n");
    assert_true(RIG_SOON(wait_entered));
    rig_drain(rig, BP_MILLISECONDS(300));
    answer = client_drain(fd, NULL);
    assert_int_equal(wait_status, BP_CANCELLED);
    assert_non_null(strstr(answer, "Connection: close"));
    free(answer);
    assert_true(RIG_SOON(rig->is_drained));
    close(fd);
}

static void a_unix_socket_is_for_its_owner_only(void **state)
{
    struct rig         rig;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char               text[80];
    bp_str             where;
    struct stat        info;
    char              *answer;
    int                fd;

    (void)state;
    snprintf(text, sizeof(text), "unix:/tmp/bp_test_%d.sock", (int)getpid());
    where = bp_str_of(text);
    rig_defaults(&rig);
    rig.options.addresses = &where;
    rig_start(&rig, handle);
    assert_int_equal(stat(text + 5, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    strcpy(address.sun_path, text + 5);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_say(fd, "GET /who" TAIL CLOSE);
    answer = client_drain(fd, NULL);
    assert_string_equal(client_body(answer), "GET /who? test unix");
    free(answer);
    close(fd);
    rig_stop(&rig);
    assert_int_not_equal(stat(text + 5, &info), 0);
}

static void a_port_in_use_is_a_sentence(void **state)
{
    char                     text[32], error[256] = "";
    bp_str                   where;
    struct http_edge_options options = http_edge_defaults;

    snprintf(text, sizeof(text), "127.0.0.1:%u", port_of(state));
    where = bp_str_of(text);
    options.addresses = &where;
    options.address_count = 1;
    options.workers = 2;
    assert_null(http_edge_open(&options, NULL, error, sizeof(error)));
    assert_non_null(strstr(error, "another process uses that port"));
    assert_non_null(strstr(error, text));
}

static void several_workers_share_one_port(void **state)
{
    struct http_edge_options options = http_edge_defaults;
    struct worker            workers[2];
    struct http_server      *servers[2];
    struct rig               parts[2];
    char                     error[256] = "";
    struct http_edge        *edge;
    uint32_t                 seen = 0;
    int                      fds[32];

    (void)state;
    options.addresses = &rig_address;
    options.address_count = 1;
    options.workers = 2;
    edge = http_edge_open(&options, NULL, error, sizeof(error));
    assert_non_null(edge);
    for (uint32_t i = 0; i < 2; i++) {
        worker_init(&workers[i], i, 2, NULL);
        servers[i] = http_server_start(edge, &workers[i], handle, NULL);
        assert_non_null(servers[i]);
        worker_start(&workers[i]);
    }
    for (int i = 0; i < 32; i++) {
        fds[i] = client_connect(http_edge_listener_port(edge, 0));
        client_say(fds[i], "GET /hello" TAIL "\r\n");
        free(client_read_until(fds[i], "hello", 1));
    }
    for (uint32_t i = 0; i < 2; i++)
        seen += http_server_connections(servers[i]) > 0;
    assert_int_equal(seen, 2);
    assert_int_equal(http_edge_connections(edge), 32);
    for (int i = 0; i < 32; i++)
        close(fds[i]);
    for (uint32_t i = 0; i < 2; i++) {
        struct rig_drain *drain = malloc(sizeof(*drain));
        memset(&parts[i], 0, sizeof(parts[i]));
        parts[i].server = servers[i];
        *drain = (struct rig_drain){ &parts[i], clock_now_ns() };
        worker_post(&workers[i], rig_drain_now, drain);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(RIG_SOON(parts[i].is_drained));
        worker_stop(&workers[i]);
        worker_join(&workers[i]);
        worker_free(&workers[i]);
    }
    http_edge_close(edge);
    metrics_clear();
}

/* ---- a storm ---- */

struct storm {
    uint16_t     port;
    unsigned     seed;
    atomic_long *echoed;
};

static void rude_reset(int fd)
{
    struct linger off = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

/* In pieces of random sizes; stops when the server has closed. */
static void send_torn(int fd, const char *bytes, size_t len, unsigned *seed)
{
    while (len) {
        size_t  piece = (size_t)rand_r(seed) % 4000 + 1;
        ssize_t sent = send(fd, bytes, piece < len ? piece : len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void echo_politely(struct storm *storm, int fd)
{
    size_t len = (size_t)rand_r(&storm->seed) % 200000, head;
    char  *text = malloc(len + 200), *answer;

    head = (size_t)sprintf(text, "POST /%s" TAIL "Content-Length: %zu\r\n" CLOSE, "echo", len);
    for (size_t i = 0; i < len; i++)
        text[head + i] = (char)('a' + (i * 7 + len) % 26);
    send_torn(fd, text, head + len, &storm->seed);
    answer = client_drain(fd, NULL);
    if (client_status(answer) == 200 && strlen(client_body(answer)) == len &&
        memcmp(client_body(answer), text + head, len) == 0)
        ++*storm->echoed;
    free(answer);
    free(text);
}

static void *run_storm(void *arg)
{
    static const char *const rude[] = {
        "GET /he",
        "\x16\x03\x01garbage\r\n\r\n",
        "GET /wait" TAIL "\r\n",
        "GET /big?3000000" TAIL "\r\n",
        "GET /events?silent" TAIL "\r\n",
        "POST /echo" TAIL "Content-Length: 100000\r\n\r\nabc",
        "POST /pieces" TAIL "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nab",
        "POST /pieces" TAIL "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz",
        "GET /hello" TAIL "\r\nGET /later?a" TAIL "\r\nGET /big?100000" TAIL "\r\nGET /later?b" TAIL
        "\r\nGET /abort" TAIL "\r\n",
        "POST /small" TAIL "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n",
    };
    struct storm *storm = arg;

    for (int i = 0; i < 150; i++) {
        int fd = client_connect(storm->port);

        if (i % 5 == 0) {
            echo_politely(storm, fd);
        } else {
            const char *text =
                rude[(size_t)rand_r(&storm->seed) % (sizeof(rude) / sizeof(rude[0]))];
            char           some[2000];
            struct timeval patience = { .tv_usec = 20000 };

            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            send_torn(fd, text, strlen(text), &storm->seed);
            if (rand_r(&storm->seed) % 2)
                (void)!recv(fd, some, sizeof(some), rand_r(&storm->seed) % 2 ? MSG_DONTWAIT : 0);
            if (rand_r(&storm->seed) % 4 == 0)
                rig_sleep_ms(rand_r(&storm->seed) % 20);
            if (rand_r(&storm->seed) % 2)
                rude_reset(fd);
        }
        close(fd);
    }
    return NULL;
}

static void a_storm_of_rude_clients_leaves_nothing_behind(void **state)
{
    enum { THREADS = 4 };
    struct storm storms[THREADS];
    pthread_t    threads[THREADS];
    atomic_long  echoed = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        storms[i] = (struct storm){ port_of(state), i * 7919 + 1, &echoed };
        assert_int_equal(pthread_create(&threads[i], NULL, run_storm, &storms[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(echoed, THREADS * 30); // the polite ones were served all the while
    assert_true(RIG_SOON(http_edge_connections(((struct rig *)*state)->edge) == 0));
}

#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, start, stop)

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
        WITH_SERVER(a_slow_reader_holds_the_handler_back),
        WITH_SERVER(a_client_that_never_reads_is_reset),
        WITH_SERVER(a_slow_handler_holds_the_sender_back),
        WITH_SERVER(a_client_that_vanishes_cancels_the_call),
        WITH_SERVER(a_client_that_vanishes_behind_unread_bytes_cancels_the_call),
        WITH_SERVER(refusals_carry_json_and_close),
        WITH_SERVER(what_follows_a_refused_request_is_never_read),
        WITH_SERVER(long_lines_get_414_and_431),
        WITH_SERVER(a_refused_upload_still_sees_its_answer),
        WITH_SERVER(a_header_block_that_does_not_end_gets_408),
        WITH_SERVER(a_body_that_stops_gets_408),
        WITH_SERVER(a_body_that_drips_gets_408),
        WITH_SERVER(an_idle_connection_is_closed_without_a_word),
        WITH_SERVER(the_last_request_of_a_connection_is_told_so),
        WITH_SERVER(an_old_client_gets_its_stream_until_the_end),
        WITH_SERVER(events_are_written_line_by_line),
        WITH_SERVER(silence_is_filled_with_comments),
        WITH_SERVER(header_values_cannot_split_the_answer),
        WITH_SERVER(a_stream_of_known_length_is_cut_when_it_is_short),
        WITH_SERVER(an_aborted_stream_has_no_end),
        WITH_SERVER(too_many_connections_of_one_address_get_503),
        WITH_SERVER(without_descriptors_clients_get_503_and_the_server_lives),
        WITH_SERVER(a_drain_lets_requests_end_and_closes_the_rest),
        WITH_SERVER(a_drain_that_is_due_cancels_what_is_left),
        WITH_SERVER(a_storm_of_rude_clients_leaves_nothing_behind),
        cmocka_unit_test(a_unix_socket_is_for_its_owner_only),
        WITH_SERVER(a_port_in_use_is_a_sentence),
        cmocka_unit_test(several_workers_share_one_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
