/* test_tight_calls.c - the memory allowed for a call ends at every place of it in turn: requests,
 * redirects, streams, connections and TLS then say that there is none, and never that something
 * else is wrong; with enough all of it comes. */
#include "tls_rig.h"

enum { STEP_BYTES = 16, ROOM_MAX_BYTES = 64 << 10 };

/* BP_OK: all of it came. */
static bp_status (*scenario)(bp_call *call);
static size_t room;
static bool   is_enough;
static char   url[128];
static char   path_of_pem[64];

static void run_scenario(bp_call *call)
{
    size_t    before = call->arena->limit_bytes;
    bp_status status;

    call->arena->limit_bytes = call->arena->used_bytes + room;
    status = scenario(call);
    is_enough = status == BP_OK;
    if (status != BP_OK && (status != BP_NO_MEMORY || call->error.status != BP_NO_MEMORY ||
                            !strstr(call->error.message.data, "memory")))
        fail_msg("with %zu bytes it is %s, and %s: " BP_FMT, room, bp_status_label(status),
                 bp_status_label(call->error.status), BP_ARG(call->error.message));
    call->arena->limit_bytes = before;
}

static void with_ever_more(bp_status (*run)(bp_call *call))
{
    scenario = run;
    is_enough = false;
    for (room = 0; !is_enough && room < ROOM_MAX_BYTES; room += STEP_BYTES)
        on_call(run_scenario, BP_SECONDS(60));
    assert_true(is_enough);
    assert_true(room > 10 * STEP_BYTES);
}

static void url_is(const char *host, const char *rest)
{
    snprintf(url, sizeof(url), "http://%s:%u%s", host, server.port, rest);
    snprintf(path_of_pem, sizeof(path_of_pem), "%s", ca_path);
}

/* ---- requests ---- */

/* /a leads to another origin. */
static void serve_answers(int fd, int number)
{
    char head[8192], text[256];

    (void)number;
    if (!server_hear(fd, head, sizeof(head)))
        return;
    snprintf(text, sizeof(text),
             strncmp(head, "GET /a", 6) == 0
                 ? "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://127.0.0.1:%u/b\r\n"
                   "Content-Length: 0\r\n\r\n"
                 : "HTTP/1.1 200 OK\r\nConnection: close\r\nX-A: b\r\nContent-Length: 11\r\n\r\n"
                   "data: one\n\n",
             server.port);
    server_say(fd, text);
}

static bp_status fetch(bp_call *call)
{
    static const bp_http_header headers[] = { { { "X-B", 3 }, { "c", 1 } },
                                              { { "X-Empty", 7 }, { "", 0 } },
                                              { { "Authorization", 13 }, { "secret", 6 } } };
    static const bp_http_header plain = { { "X-C", 3 }, { "d", 1 } };
    bp_http_request             request = { .struct_size = sizeof(request),
                                            .method = BP_STR("PURGE"),
                                            .url = bp_str_of(url),
                                            .headers = strstr(url, "/plain") ? &plain : headers,
                                            .header_count = strstr(url, "/plain") ? 1 : 3,
                                            .ca_file = bp_str_of(path_of_pem),
                                            .max_redirects = 1 };
    bp_http_response            response = { .struct_size = sizeof(response) };

    if (strstr(url, "/a"))
        request.method = BP_STR("GET");
    BP_TRY(http_client_fetch(call, &request, &response));
    assert_int_equal(response.status, 200);
    assert_int_equal(response.header_count, 3);
    assert_true(bp_str_is(response.headers[1].name, "x-a"));
    assert_true(bp_str_is(response.headers[1].value, "b"));
    assert_true(bp_str_is(response.body, "data: one\n\n"));
    assert_non_null(strstr(heard_last(), "\r\nX-Request-Id: "));
    assert_non_null(strstr(heard_last(), "\r\ntraceparent: "));
    if (strstr(url, "/plain")) {
        assert_non_null(strstr(heard_last(), "PURGE /plain?b HTTP/1.1\r\n"));
        assert_non_null(strstr(heard_last(), "\r\nX-C: d\r\n"));
        return BP_OK;
    }
    assert_non_null(strstr(heard_last(), "GET /b HTTP/1.1\r\n"));
    assert_non_null(strstr(heard_last(), "\r\nX-B: c\r\n"));
    assert_non_null(strstr(heard_last(), "\r\nX-Empty:\r\n"));
    assert_null(strstr(heard_last(), "Authorization"));
    return BP_OK;
}

static void a_request_says_that_its_memory_is_used_up(void **state)
{
    (void)state;
    server_start(serve_answers);
    url_is("127.0.0.1", "/plain?b");
    with_ever_more(fetch);
    url_is("localhost", "/plain?b");
    with_ever_more(fetch);
    server_stop();
}

static void a_redirect_says_that_its_memory_is_used_up(void **state)
{
    (void)state;
    server_start(serve_answers);
    url_is("localhost", "/a");
    with_ever_more(fetch);
    server_stop();
}

static bp_status read_event(bp_call *call)
{
    bp_http_request  request = { .struct_size = sizeof(request), .url = bp_str_of(url) };
    bp_http_response head = { .struct_size = sizeof(head) };
    bp_sse_event     event = { .struct_size = sizeof(event) };
    bp_http_stream  *stream = NULL;
    bp_str           piece;
    bp_status        status = http_client_open(call, &request, &head, &stream);

    if (status != BP_OK) {
        assert_null(stream);
        return status;
    }
    assert_ptr_equal(http_client_stream_call(stream), call);
    assert_status(call, http_client_read_event(call, stream, 100, &event), BP_OK);
    assert_true(bp_str_is(event.data, "one"));
    assert_status(call, http_client_read_event(call, stream, 100, &event), BP_OK);
    assert_true(event.is_end);
    http_client_close(stream);
    http_client_close(stream); // twice is once
    http_client_close(NULL);
    call->arena->limit_bytes += 4096;
    assert_status(call, http_client_read_event(call, stream, 100, &event), BP_INVALID);
    assert_said(call, "the stream is closed already");
    assert_status(call, http_client_read(call, stream, &piece), BP_INVALID);
    assert_said(call, "the stream is closed already");
    assert_int_equal(piece.len, 0);
    return BP_OK;
}

static void a_stream_says_that_its_memory_is_used_up(void **state)
{
    (void)state;
    server_start(serve_answers);
    url_is("127.0.0.1", "/events");
    with_ever_more(read_event);
    server_stop();
}

/* ---- connections ---- */

static bp_status connect_and_talk(bp_call *call)
{
    static char       address[64];
    struct bp_stream *stream;
    char              bytes[8];
    size_t            count;
    bp_status         status;

    snprintf(address, sizeof(address), "localhost:%u", server.port);
    status = stream_connect(call, bp_str_of(address), BP_FOREVER, &stream);
    if (status != BP_OK) {
        assert_null(stream);
        return status;
    }
    BP_TRY(stream_start_tls(call, stream,
                            &(bp_tls){ .struct_size = sizeof(bp_tls),
                                       .ca_file = bp_str_of(ca_path),
                                       .server_name = BP_STR("store.test") },
                            BP_FOREVER));
    BP_TRY(stream_write(call, stream, BP_STR("hello"), BP_FOREVER));
    BP_TRY(stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count));
    assert_int_equal(count, 5);
    assert_memory_equal(bytes, "hello", 5);
    return BP_OK;
}

static void a_connection_says_that_its_memory_is_used_up(void **state)
{
    (void)state;
    server_start(serve_tls_echo);
    with_ever_more(connect_and_talk);
    server_stop();
}

static bp_status resolve(bp_call *call)
{
    const bp_str *addresses;
    size_t        count;
    bp_status status = stream_resolve(call, BP_STR("192.0.2.1"), BP_FOREVER, &addresses, &count);

    assert_int_equal(count, status == BP_OK ? 1 : 0);
    if (status == BP_OK)
        assert_true(bp_str_is(addresses[0], "192.0.2.1"));
    return status;
}

static void addresses_are_all_there_or_none(void **state)
{
    (void)state;
    scenario = resolve;
    is_enough = false;
    for (room = 0; !is_enough && room < 256; room++)
        on_call(run_scenario, BP_SECONDS(60));
    assert_true(is_enough);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(a_request_says_that_its_memory_is_used_up),
        T(a_redirect_says_that_its_memory_is_used_up),
        T(a_stream_says_that_its_memory_is_used_up),
        T(a_connection_says_that_its_memory_is_used_up),
        T(addresses_are_all_there_or_none),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
