/* test_system_fails.c - the n-th call to the system fails, n = 1, 2, ... until nothing fails any
 * more: a connection says which it was, lines come to their end, and a listener turns one client
 * away and serves the next. */
#include "http_rig.h"
#include "net_test.h"

#include "core/host/inject.h"
#include "net/line_server.h"
#include "net/connection.h"
#include "net/spool.h"
#include "net/stream.h"

enum { FAULTS_MAX = 60 };

static char what[INJECT_WHAT_BYTES];
static bool has_failed;

/* ---- connections ---- */

static char address[128];
static long fault;

static void serve_echo(int fd, int number)
{
    char    bytes[16];
    ssize_t got;

    (void)number;
    inject_spare(true);
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0 && server_send(fd, bytes, (size_t)got))
        ;
}

/* The sentence that belongs to what failed. */
static void expect_sentence(bp_call *call)
{
    static const struct {
        const char *function, *sentence, *reason;
        int         os_errno;
    } all[] = {
        { "socket ", "cannot connect to", "too many open files", EMFILE },
        { "connect ", "cannot connect to", "connection refused", ECONNREFUSED },
        { "send ", "cannot write to", "connection reset by peer", ECONNRESET },
        { "recv ", "cannot read from", "connection reset by peer", ECONNRESET },
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strncmp(what, all[i].function, strlen(all[i].function)) == 0) {
            char said[256];

            snprintf(said, sizeof(said), "%s %s: %s", all[i].sentence, address, all[i].reason);
            assert_string_equal(call->error.message.data, said);
            assert_int_equal(call->error.os_errno, all[i].os_errno);
            assert_int_equal(call->error.status, BP_UNAVAILABLE);
            return;
        }
    fail_msg("%s failed", what);
}

static bp_status talk(bp_call *call, struct bp_stream **stream)
{
    char   bytes[16];
    size_t count, len = 0;

    BP_TRY(stream_connect(call, bp_str_of(address), BP_FOREVER, stream));
    BP_TRY(stream_write(call, *stream, BP_STR("hello"), BP_FOREVER));
    while (len < 5) {
        BP_TRY(stream_read(call, *stream, bytes + len, sizeof(bytes) - len, BP_FOREVER, &count));
        assert_true(count > 0);
        len += count;
    }
    assert_memory_equal(bytes, "hello", 5);
    return BP_OK;
}

static void talk_with_a_fault(bp_call *call)
{
    struct bp_stream *stream;
    bp_status         status;

    inject_arm(INJECT_SYSTEM, fault, what);
    status = talk(call, &stream);
    has_failed = inject_disarm();
    assert_int_equal(status, has_failed ? BP_UNAVAILABLE : BP_OK);
    if (has_failed)
        expect_sentence(call);
    stream_close(stream);
}

static void a_connection_says_what_failed(void **state)
{
    (void)state;
    server_start(serve_echo);
    snprintf(address, sizeof(address), "127.0.0.1:%u", server.port);
    has_failed = true;
    for (fault = 1; has_failed && fault < FAULTS_MAX; fault++)
        on_call(talk_with_a_fault, BP_SECONDS(60));
    assert_in_range(fault, 5, FAULTS_MAX - 1);
    server_stop();
}

static void connect_to_a_path(bp_call *call)
{
    struct bp_stream *stream;

    inject_arm(INJECT_SYSTEM, fault, what);
    assert_int_equal(stream_connect(call, bp_str_of(address), BP_FOREVER, &stream), BP_UNAVAILABLE);
    has_failed = inject_disarm();
    assert_null(stream);
    if (has_failed)
        expect_sentence(call);
    else
        assert_said(call, "cannot connect to %s: no such file or directory", address);
}

static void a_connection_by_the_file_system_says_what_failed(void **state)
{
    (void)state;
    snprintf(address, sizeof(address), "unix:/tmp/bp-test-none-%d.sock", (int)getpid());
    for (fault = 1; fault <= 3; fault++) {
        on_call(connect_to_a_path, BP_SECONDS(60));
        assert_int_equal(has_failed, fault < 3);
    }
}

/* ---- lines ---- */

static int ends, lines_written, lines_refused;

static void answer_line(bp_call *call, struct line_server *lines, bp_str line, bool is_too_long,
                        void *arg)
{
    bp_status status;

    (void)arg;
    assert_false(is_too_long);
    if (bp_str_is(line, "two")) // so that what it says is written apart from the others
        call_sleep(call, BP_MILLISECONDS(2));
    status = line_write(call, lines, line);
    if (status == BP_OK) {
        lines_written++;
        return;
    }
    assert_int_equal(status, BP_CANCELLED);
    assert_said(call, "writing to the output was given up because the caller no longer waits");
    lines_refused++;
}

static void count_end(void *arg)
{
    (void)arg;
    ends++;
}

static void serve_lines(bp_call *call)
{
    int                        in[2], out[2];
    char                       bytes[64];
    ssize_t                    got;
    struct line_server_options options = { .line_bytes_max = 100,
                                           .call_timeout_ns = BP_SECONDS(60),
                                           .grace_ns = BP_SECONDS(60),
                                           .handler = answer_line,
                                           .input_ended = count_end };

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    inject_spare(true);
    assert_int_equal(write(in[1], "one\ntwo\n", 8), 8);
    inject_spare(false);
    close(in[1]);
    options.in = in[0];
    options.out = out[1];
    ends = lines_written = lines_refused = 0;
    inject_arm(INJECT_SYSTEM, fault, what);
    assert_int_equal(line_serve(call, &options), BP_OK);
    has_failed = inject_disarm();
    call_sleep(call, BP_MILLISECONDS(2)); // handles close
    close(in[0]);
    close(out[1]);
    inject_spare(true);
    got = read(out[0], bytes, sizeof(bytes));
    inject_spare(false);
    close(out[0]);
    bytes[got > 0 ? got : 0] = '\0';
    if (has_failed && strncmp(what, "write ", 6) == 0) {
        assert_int_equal(lines_refused, strcmp(bytes, "") == 0);
        assert_true(strcmp(bytes, "") == 0 || strcmp(bytes, "one\n") == 0);
    } else if (has_failed) { // nothing is read any more: as if it had ended there
        assert_int_equal(strncmp(what, "read ", 5), 0);
        assert_int_equal(ends, 1);
        assert_string_equal(bytes, fault == 1 ? "" : "one\ntwo\n");
    } else {
        assert_int_equal(ends, 1);
        assert_string_equal(bytes, "one\ntwo\n");
    }
    assert_int_equal(lines_written + lines_refused, has_failed && fault == 1 ? 0 : 2);
}

static void lines_come_to_their_end_when_the_system_fails(void **state)
{
    (void)state;
    has_failed = true;
    for (fault = 1; has_failed && fault < FAULTS_MAX; fault++)
        on_call(serve_lines, BP_SECONDS(60));
    assert_in_range(fault, 4, FAULTS_MAX - 1);
}

/* ---- a file for a long body ---- */

enum { BODY_PIECE = 100000, BODY_PIECES = 7 };

static struct spool_room room;
static struct bp_pool   *pool;

static bp_status keep_body(bp_call *call, struct spool *spool)
{
    static char piece[BODY_PIECE];
    bp_str      body;

    for (int i = 0; i < BODY_PIECES; i++) {
        memset(piece, 'a' + i, sizeof(piece));
        BP_TRY(spool_add(call, spool, bp_str_n(piece, sizeof(piece))));
    }
    BP_TRY(spool_take(call, spool, call->arena, &body));
    assert_int_equal(body.len, BODY_PIECE * BODY_PIECES);
    for (size_t i = 0; i < body.len; i++)
        if (body.data[i] != (char)('a' + i / BODY_PIECE))
            fail_msg("byte %zu is %c", i, body.data[i]);
    return BP_OK;
}

static void keep_body_with_a_fault(bp_call *call)
{
    struct spool spool;
    bp_status    status;

    spool_init(&spool, pool, 1 << 20, &room, 1);
    inject_arm(INJECT_SYSTEM, fault, what);
    status = keep_body(call, &spool);
    has_failed = inject_disarm();
    if (status == BP_OK) { // also without a file that has no name: one that is removed at once
        assert_true(!has_failed || strncmp(what, "open", 4) == 0);
    } else {
        assert_true(has_failed);
        assert_int_equal(status, BP_UNAVAILABLE);
        assert_said(call, strncmp(what, "pread", 5) == 0
                              ? "the file that a long request body waited in cannot be read"
                              : "there is no room for the file that a long request body waits in");
    }
    spool_free(&spool);
}

static void a_long_body_leaves_no_file_behind(void **state)
{
    char folder[] = "/tmp/bp-test-spool-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    assert_true(spool_room_init(&room, 1 << 20, 1 << 20));
    pool = pool_create("spool", 1);
    has_failed = true;
    for (fault = 1; has_failed && fault < FAULTS_MAX; fault++)
        on_call(keep_body_with_a_fault, BP_SECONDS(60));
    assert_in_range(fault, 4, FAULTS_MAX - 1);
    assert_int_equal(rmdir(folder), 0); // nothing is left in it
    unsetenv("TMPDIR");
    pool_destroy(pool);
    spool_room_free(&room);
}

/* ---- a listener ---- */

static void serve_ok(struct http_exchange *is, void *arg)
{
    (void)arg;
    http_exchange_send(is, 200, BP_STR(""), BP_STR("ok"));
}

static double turned_away(const struct rig *rig)
{
    return metric_value(rig->edge->metrics.refused_connections[REFUSED_DESCRIPTORS]);
}

static void a_listener_without_descriptors_turns_one_away_and_serves_the_next(void **state)
{
    struct rig rig;
    double     refused = 0;

    (void)state;
    rig_defaults(&rig);
    rig_start(&rig, serve_ok);
    inject_spare(true);
    has_failed = true;
    for (long n = 1; has_failed && n < FAULTS_MAX; n++) {
        static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        char             *answer;

        what[0] = '\0';
        inject_arm(INJECT_SYSTEM, n, what);
        answer = client_ask(rig.port, request);
        assert_true(RIG_SOON(http_edge_connections(rig.edge) == 0));
        has_failed = inject_disarm();
        if (n == 1) { // the first accept
            assert_int_equal(strncmp(what, "accept4 ", 8), 0);
            assert_int_equal(client_status(answer), 503);
            refused++;
        } else if (client_status(answer) == 503) {
            refused++;
        } else {
            assert_int_equal(client_status(answer), 200);
        }
        assert_true(turned_away(&rig) == refused);
        free(answer);
        answer = client_ask(rig.port, request);
        assert_int_equal(client_status(answer), 200);
        assert_string_equal(client_body(answer), "ok");
        free(answer);
    }
    assert_false(has_failed);
    inject_spare(false);
    rig_stop(&rig);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(a_connection_says_what_failed),
        T(a_connection_by_the_file_system_says_what_failed),
        T(lines_come_to_their_end_when_the_system_fails),
        T(a_long_body_leaves_no_file_behind),
        cmocka_unit_test(a_listener_without_descriptors_turns_one_away_and_serves_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
