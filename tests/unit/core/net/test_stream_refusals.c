/* test_stream_refusals.c - connections to other servers: what is refused before a byte goes out,
 * and the sentences about one that was closed or kept. */
#include "net_test.h"

#include <errno.h>
#include <sys/un.h>

#include "net/stream.h"

static void serve_until_closed(int fd, int number)
{
    char byte;

    (void)number;
    server_say(fd, "here");
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static struct bp_stream *connected(bp_call *call)
{
    struct bp_stream *stream;

    assert_status(call,
                  stream_connect(call, arena_format(call->arena, "127.0.0.1:%u", server.port),
                                 BP_FOREVER, &stream),
                  BP_OK);
    return stream;
}

static void with_server(void (*run)(bp_call *call))
{
    server_start(serve_until_closed);
    on_call(run, BP_SECONDS(60));
    server_stop();
}

#define assert_sentence(call, ...)                                                                 \
    do {                                                                                           \
        char sentence_[256];                                                                       \
        snprintf(sentence_, sizeof(sentence_), __VA_ARGS__);                                       \
        assert_string_equal((call)->error.message.data, sentence_);                                \
    } while (0)

/* ---- addresses ---- */

static void refuse_addresses(bp_call *call)
{
    static const char *const none[] = { "",    "h",     "h:",   ":",    "h:0",  "h:65536",
                                        "h:x", "a:b:1", "[]:1", "[a:1", "h:-1", "unix/x" };
    struct bp_stream        *stream = (struct bp_stream *)&none;

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_status(call, stream_connect(call, bp_str_of(none[i]), BP_FOREVER, &stream),
                      BP_INVALID);
        assert_null(stream);
        assert_sentence(call, "\"%s\" is not an address: write host:port, [v6]:port or unix:/path",
                        none[i]);
    }
}

static void what_is_no_address_is_named(void **state)
{
    (void)state;
    on_call(refuse_addresses, BP_SECONDS(60));
}

static void refuse_paths(bp_call *call)
{
    enum { LONGEST = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };
    struct bp_stream *stream;
    char              address[5 + LONGEST + 1];

    memset(address, 'x', sizeof(address));
    memcpy(address, "unix:/", 6);
    assert_status(call,
                  stream_connect(call, bp_str_n(address, 5 + LONGEST + 1), BP_FOREVER, &stream),
                  BP_INVALID);
    assert_sentence(call, "\"%.*s\" is not an address: the path of a socket has 1 to 107 bytes",
                    5 + LONGEST + 1, address);
    assert_status(call, stream_connect(call, bp_str_n(address, 5 + LONGEST), BP_FOREVER, &stream),
                  BP_UNAVAILABLE);
    assert_sentence(call, "cannot connect to %.*s: no such file or directory", 5 + LONGEST,
                    address);
    assert_int_equal(call->error.os_errno, ENOENT);
    assert_status(call, stream_connect(call, BP_STR("unix:"), BP_FOREVER, &stream), BP_INVALID);
    assert_sentence(call, "\"unix:\" is not an address: the path of a socket has 1 to 107 bytes");
    assert_status(call, stream_connect(call, bp_str_n("unix:/a\0b", 9), BP_FOREVER, &stream),
                  BP_INVALID);
}

static void a_path_of_a_socket_is_neither_empty_nor_too_long(void **state)
{
    (void)state;
    on_call(refuse_paths, BP_SECONDS(60));
}

static void connect_by_path(bp_call *call)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct bp_stream  *stream;
    char               bytes[8], folder[] = "/tmp/bp_stream_XXXXXX";
    size_t             count;
    int                listener = socket(AF_UNIX, SOCK_STREAM, 0), peer;

    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_status(call,
                  stream_connect(call, arena_format(call->arena, "unix:%s", address.sun_path),
                                 BP_FOREVER, &stream),
                  BP_OK);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(write(peer, "hello", 5), 5);
    assert_status(call, stream_read(call, stream, bytes, 4, BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 4);
    assert_memory_equal(bytes, "hell", 4);
    assert_status(call, stream_read(call, stream, bytes, 4, BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 1);
    close(peer);
    assert_status(call, stream_write(call, stream, BP_STR("x"), BP_FOREVER), BP_UNAVAILABLE);
    assert_sentence(call, "cannot write to unix:%s: broken pipe", address.sun_path);
    assert_int_equal(call->error.os_errno, EPIPE);
    stream_close(stream);
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
}

static void a_socket_of_the_file_system_is_spoken_to_like_any_other(void **state)
{
    (void)state;
    on_call(connect_by_path, BP_SECONDS(60));
}

/* ---- reading and writing ---- */

static void use_wrongly(bp_call *call)
{
    struct bp_stream *stream = connected(call);
    bp_tls            tls = { .struct_size = sizeof(tls) };
    char              bytes[8];
    size_t            count = 7;

    assert_status(call, stream_read(call, stream, bytes, 0, BP_FOREVER, &count), BP_INVALID);
    assert_sentence(call, "reading at most 0 bytes would never end");
    assert_int_equal(count, 0);
    assert_status(call, stream_write(call, stream, BP_STR(""), BP_FOREVER), BP_OK);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 4);
    stream_close(stream);
    assert_int_equal(watched_connections(), 0);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                  BP_INVALID);
    assert_sentence(call, "the connection to 127.0.0.1:%u is closed already", server.port);
    assert_int_equal(count, 0);
    assert_status(call, stream_write(call, stream, BP_STR("x"), BP_FOREVER), BP_INVALID);
    assert_sentence(call, "the connection to 127.0.0.1:%u is closed already", server.port);
    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_INVALID);
    assert_sentence(call, "the connection to 127.0.0.1:%u is closed already", server.port);
    stream_close(NULL);
}

static void a_closed_connection_is_of_no_use(void **state)
{
    (void)state;
    with_server(use_wrongly);
}

static void use_when_over(bp_call *call)
{
    struct bp_stream *stream = connected(call), *second = stream;
    char              bytes[8];
    size_t            count = 7;

    call_cancel(call);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                  BP_CANCELLED);
    assert_int_equal(count, 0);
    assert_status(call, stream_write(call, stream, BP_STR("x"), BP_FOREVER), BP_CANCELLED);
    assert_status(call, stream_connect(call, BP_STR("127.0.0.1:1"), BP_FOREVER, &second),
                  BP_CANCELLED);
    assert_null(second);
}

static void a_call_that_is_over_neither_connects_nor_reads(void **state)
{
    (void)state;
    with_server(use_when_over);
}

/* ---- kept ones ---- */

static void keep_and_close(bp_call *call)
{
    struct bp_stream *stream = connected(call), *kept, *again = stream;
    _Atomic int       open = 5;
    char              bytes[8];
    size_t            count;

    assert_status(call, stream_keep(call, stream, &open, &kept), BP_OK);
    assert_int_equal(open, 6);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                  BP_INVALID);
    assert_sentence(call, "the connection to 127.0.0.1:%u is closed already", server.port);
    assert_status(call, stream_keep(call, stream, &open, &again), BP_INVALID);
    assert_sentence(call, "the connection to 127.0.0.1:%u is closed already", server.port);
    assert_null(again);
    assert_status(call, stream_keep(call, kept, &open, &again), BP_INVALID);
    assert_sentence(call, "the connection to 127.0.0.1:%u is kept already", server.port);
    assert_null(again);
    assert_int_equal(open, 6);
    stream_close(stream); // has nothing left to close
    assert_status(call, stream_read(call, kept, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 4);
    stream_close(kept);
    assert_int_equal(open, 5);
    assert_int_equal(watched_connections(), 0);
    stream = connected(call);
    assert_status(call, stream_keep(call, stream, NULL, &kept), BP_OK);
    stream_close(kept);
}

static void a_kept_connection_is_counted_until_it_is_closed(void **state)
{
    (void)state;
    with_server(keep_and_close);
}

struct reading {
    struct bp_stream *stream;
    bp_status         status;
    char              sentence[200];
    bool              is_done;
};

static void read_one(bp_call *call, void *arg)
{
    struct reading *reading = arg;
    char            bytes[8];
    size_t          count;

    reading->status = stream_read(call, reading->stream, bytes, sizeof(bytes), BP_FOREVER, &count);
    snprintf(reading->sentence, sizeof(reading->sentence), BP_FMT, BP_ARG(call->error.message));
    reading->is_done = true;
}

static void read_twice_at_once(bp_call *call)
{
    struct bp_stream *stream = connected(call), *kept;
    struct reading    first;
    char              bytes[8];
    size_t            count;

    assert_status(call, stream_keep(call, stream, NULL, &kept), BP_OK);
    assert_status(call, stream_read(call, kept, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    first = (struct reading){ .stream = kept };
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           read_one, &first));
    while (!call_sleep(call, BP_MILLISECONDS(1)) &&
           stream_read(call, kept, bytes, sizeof(bytes), clock_now_ns(), &count) == BP_DEADLINE)
        ; // until the other one waits
    assert_sentence(call, "two calls wait for the connection to 127.0.0.1:%u at once", server.port);
    stream_close(kept);
    while (!first.is_done)
        assert_int_equal(call_sleep(call, BP_MILLISECONDS(1)), BP_OK);
    assert_int_equal(first.status, BP_UNAVAILABLE);
    assert_non_null(strstr(first.sentence, " was closed by another call"));
    assert_int_equal(watched_connections(), 0);
}

static void two_calls_cannot_wait_for_one_connection(void **state)
{
    (void)state;
    with_server(read_twice_at_once);
}

/* ---- reasons ---- */

static void a_reason_begins_with_a_small_letter(void **state)
{
    char text[96];

    (void)state;
    assert_string_equal(stream_reason(ECONNREFUSED, text), "connection refused");
    assert_string_equal(stream_reason(ETIMEDOUT, text), "connection timed out");
    assert_string_equal(stream_reason(987654, text), "unknown error");
    assert_ptr_equal(stream_reason(EPIPE, text), text);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(what_is_no_address_is_named),
        T(a_path_of_a_socket_is_neither_empty_nor_too_long),
        T(a_socket_of_the_file_system_is_spoken_to_like_any_other),
        T(a_closed_connection_is_of_no_use),
        T(a_call_that_is_over_neither_connects_nor_reads),
        T(a_kept_connection_is_counted_until_it_is_closed),
        T(two_calls_cannot_wait_for_one_connection),
        cmocka_unit_test(a_reason_begins_with_a_small_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
