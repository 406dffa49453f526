/* test_server_no_memory.c - memory runs out at the n-th call for it, n = 1, 2, ... while the HTTP
 * server serves: the client gets a whole answer, an error, or none, and the next one is served as
 * ever. */
#include "http_told.h"

#include "core/host/inject.h"

enum { FAULTS_MAX = 200 };

static char what[INJECT_WHAT_BYTES];

static atomic_int false_words; /* of a write that was cut, and called good */

/* More than the kernel takes at once, so that some of it is queued. */
static void serve_much(struct http_exchange *is, void *arg)
{
    enum { PIECES = 12 };
    static char piece[1 << 19];
    bp_status   status;

    if (!bp_str_is(is->path, "/much")) {
        serve_told(is, arg);
        return;
    }
    memset(piece, 'x', sizeof(piece));
    status = http_exchange_begin(is, 200, BP_STR(""), (int64_t)sizeof(piece) * PIECES);
    for (int i = 0; status == BP_OK && i < PIECES; i++) {
        status = http_exchange_write(is, bp_str_n(piece, sizeof(piece)));
        if (status == BP_OK && http_exchange_is_gone(is))
            false_words++;
    }
}

static int start_told(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig_defaults(rig);
    rig_start(rig, serve_much);
    *state = rig;
    return 0;
}

static int stop_told(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

/* By its length, or its last chunk. */
static bool is_whole(const char *answer)
{
    const char *length = strstr(answer, "\r\nContent-Length: "), *body = client_body(answer);

    if (length && length < body)
        return strlen(body) == strtoul(length + 18, NULL, 10);
    return strlen(answer) > 5 && strcmp(answer + strlen(answer) - 5, "0\r\n\r\n") == 0;
}

/* A part of an answer is never ended as if it were the whole. */
static void fail_at_each(void **state, const char *request, const char *expected)
{
    struct rig *rig = *state;
    bool        has_failed = true;
    long        n;

    inject_spare(true);
    for (n = 1; has_failed && n < FAULTS_MAX; n++) {
        char *answer;
        int   status;

        inject_arm(INJECT_MEMORY, n, what);
        answer = client_ask(rig->port, request);
        assert_true(RIG_SOON(http_edge_connections(rig->edge) == 0));
        has_failed = inject_disarm();
        status = client_status(answer);
        if (!has_failed && (status != 200 || !is_whole(answer) || !strstr(answer, expected)))
            fail_msg("nothing failed, and the answer is %s", answer);
        if (status && status != 200 && status != 503 && status != 500 && status != 429)
            fail_msg("%s failed, and the answer is %s", what, answer);
        free(answer);
        answer = client_ask(rig->port,
                            "GET /send HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert_int_equal(client_status(answer), 200);
        assert_string_equal(client_body(answer), "body");
        free(answer);
    }
    assert_in_range(n, 3, FAULTS_MAX - 1);
    inject_spare(false);
}

#define END " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void a_plain_request(void **state)
{
    fail_at_each(state, "GET /seen?q" END, "GET|/seen|q|h|127.0.0.1|");
}

static void a_path_that_is_not_plain(void **state)
{
    fail_at_each(state, "GET /a/../%62" END, "GET|/b||h|127.0.0.1|");
}

static void a_head_that_is_long(void **state)
{
    char   request[4096] = "GET /seen?long HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: ";
    size_t len = strlen(request);

    memset(request + len, 'v', 2000);
    strcpy(request + len + 2000, "\r\n\r\n");
    fail_at_each(state, request, "GET|/seen|long|");
}

static void a_body_in_chunks(void **state)
{
    fail_at_each(state,
                 "POST /all HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n3\r\nabc\r\n"
                 "2\r\nde\r\n0\r\n\r\n",
                 "all: ok\n(abcde) 5");
}

static void events(void **state)
{
    fail_at_each(state, "GET /events" END, "event: n\nid: i\ndata: d\n\n");
}

static void headers_that_fill_their_room(void **state)
{
    fail_at_each(state, "GET /full" END, "Content-Length: 0");
}

static void an_answer_that_is_queued(void **state)
{
    struct rig *rig = *state;
    int         failed = 0;

    inject_spare(true);
    false_words = 0;
    for (long n = 1; n < 60; n += n < 30 ? 1 : 7) {
        char *answer;

        inject_arm(INJECT_MEMORY, n, what);
        answer = client_ask(rig->port, "GET /much" END);
        assert_true(RIG_SOON(http_edge_connections(rig->edge) == 0));
        failed += inject_disarm();
        assert_true(client_status(answer) != 200 || is_whole(answer) ||
                    strlen(client_body(answer)) < 12 << 19);
        free(answer);
    }
    assert_true(failed > 0);
    assert_int_equal(false_words, 0);
    inject_spare(false);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, start_told, stop_told)
    const struct CMUnitTest tests[] = {
        T(a_plain_request),
        T(a_path_that_is_not_plain),
        T(a_head_that_is_long),
        T(a_body_in_chunks),
        T(events),
        T(headers_that_fill_their_room),
        T(an_answer_that_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
