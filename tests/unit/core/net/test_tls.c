/* test_tls.c - connections in TLS: whom to trust and for what name, and one that outlives the call
 * that made it. */
#include "tls_rig.h"

#include "loop/signal.h"

static void trust(bp_call *call)
{
    bp_tls
        by_name = { sizeof(bp_tls), false, BP_STR("store.test"), bp_str_of(ca_path), { 0 }, { 0 } },
        tls = by_name;
    bp_stream *stream = connect_to_server(call);

    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    expect_echo(call, stream, 100000);
    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_INVALID);
    stream_close(stream);
    tls.server_name = BP_STR("127.0.0.1");
    stream = connect_to_server(call);
    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    expect_echo(call, stream, 10);
    stream_close(stream);
    tls = (bp_tls){ .struct_size = sizeof(tls), .is_unverified = true };
    stream = connect_to_server(call);
    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    stream_close(stream);
}

static void a_server_is_trusted_by_its_certificate_and_name(void **state)
{
    (void)state;
    server_start(serve_tls_echo);
    on_call(trust, BP_SECONDS(20));
    server_stop();
}

static void distrust(bp_call *call)
{
    bp_tls tls = { sizeof(bp_tls), false, BP_STR("other.test"), bp_str_of(ca_path), { 0 }, { 0 } };

    assert_status(call, stream_start_tls(call, connect_to_server(call), &tls, BP_FOREVER),
                  BP_UNAVAILABLE);
    assert_said(call,
                "the certificate of 127.0.0.1:%u is not accepted: hostname mismatch (it must be "
                "for \"other.test\")",
                server.port);
    tls.server_name = BP_STR("store.test");
    tls.ca_file = BP_STR("");
    assert_status(call, stream_start_tls(call, connect_to_server(call), &tls, BP_FOREVER),
                  BP_UNAVAILABLE);
    assert_said(call, "give the CA that signed it");
    tls.ca_file = BP_STR("/no/such/ca.pem");
    assert_status(call, stream_start_tls(call, connect_to_server(call), &tls, BP_FOREVER),
                  BP_INVALID);
    assert_said(call, "the CA file /no/such/ca.pem cannot be read");
    tls = (bp_tls){ .struct_size = sizeof(tls), .ca_file = bp_str_of(ca_path) };
    assert_status(call, stream_start_tls(call, connect_to_server(call), &tls, BP_FOREVER),
                  BP_INVALID);
}

static void a_server_that_cannot_be_trusted_is_named_with_the_reason(void **state)
{
    (void)state;
    server_start(serve_tls_echo);
    on_call(distrust, BP_SECONDS(20));
    server_stop();
}

static void serve_silence(int fd, int number)
{
    char byte;

    (void)number;
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
}

static void shake_in_vain(bp_call *call)
{
    bp_tls tls = { .struct_size = sizeof(tls), .is_unverified = true };

    assert_status(call,
                  stream_start_tls(call, connect_to_server(call), &tls,
                                   clock_now_ns() + BP_MILLISECONDS(50)),
                  BP_DEADLINE);
    assert_said(call, "127.0.0.1:%u did not answer in the time allowed", server.port);
}

static void a_handshake_ends_at_its_deadline(void **state)
{
    (void)state;
    server_start(serve_silence);
    on_call(shake_in_vain, BP_SECONDS(20));
    server_stop();
}

/* ---- kept ---- */

static bp_stream  *kept;
static _Atomic int open_streams;

static void make_kept(bp_call *call)
{
    bp_tls tls = { sizeof(bp_tls), false, BP_STR("store.test"), bp_str_of(ca_path), { 0 }, { 0 } };
    bp_stream *stream = connect_to_server(call);

    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    assert_status(call, stream_keep(call, stream, &open_streams, &kept), BP_OK);
    stream_close(stream); // it has nothing any more
    assert_int_equal(open_streams, 1);
}

struct reader {
    struct bp_waker *is_done;
    char             bytes[16];
    size_t           count;
    bp_status        status;
};

static void read_beside(bp_call *call, void *arg)
{
    struct reader *reader = arg;

    reader->status = stream_read(call, kept, reader->bytes, sizeof(reader->bytes), BP_FOREVER,
                                 &reader->count);
    signal_wake(reader->is_done);
}

static void use_kept(bp_call *call)
{
    struct reader reader = { .is_done = signal_new(call) };

    expect_echo(call, kept, 5000);
    // One call waits for bytes while another one writes.
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           read_beside, &reader));
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(20)), BP_OK);
    assert_status(call, stream_write(call, kept, BP_STR("hello"), BP_FOREVER), BP_OK);
    assert_status(call, signal_wait(call, reader.is_done, BP_FOREVER, "the reader"), BP_OK);
    assert_int_equal(reader.status, BP_OK);
    assert_int_equal(reader.count, 5);
    assert_int_equal(signal_wait(call, reader.is_done, clock_now_ns() + BP_MILLISECONDS(10),
                                 "the reader"),
                     BP_DEADLINE);
    signal_wake(reader.is_done); // one that comes first is remembered
    assert_int_equal(signal_wait(call, reader.is_done, BP_FOREVER, "the reader"), BP_OK);
    signal_free(reader.is_done);
    stream_close(kept);
    assert_int_equal(open_streams, 0);
}

static void a_kept_connection_serves_calls_after_the_one_that_made_it(void **state)
{
    (void)state;
    server_start(serve_tls_echo);
    on_call(make_kept, BP_SECONDS(20));
    on_call(use_kept, BP_SECONDS(20));
    server_stop();
}

static void close_under_a_wait(bp_call *call)
{
    struct reader reader = { .is_done = signal_new(call) };

    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           read_beside, &reader));
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(20)), BP_OK);
    stream_close(kept);
    assert_int_equal(open_streams, 0);
    assert_status(call, signal_wait(call, reader.is_done, BP_FOREVER, "the reader"), BP_OK);
    assert_int_equal(reader.status, BP_UNAVAILABLE);
    assert_int_equal(reader.count, 0);
    signal_free(reader.is_done);
}

static void make_kept_in_the_clear(bp_call *call)
{
    assert_status(call, stream_keep(call, connect_to_server(call), &open_streams, &kept), BP_OK);
}

static void closing_a_kept_connection_ends_the_wait_of_another_call(void **state)
{
    (void)state;
    server_start(serve_tls_echo);
    on_call(make_kept, BP_SECONDS(20));
    on_call(close_under_a_wait, BP_SECONDS(20));
    server_stop();
    server_start(serve_silence);
    on_call(make_kept_in_the_clear, BP_SECONDS(20));
    on_call(close_under_a_wait, BP_SECONDS(20));
    server_stop();
}

/* ---- names ---- */

static void resolve(bp_call *call)
{
    const bp_str *addresses;
    size_t        count;

    assert_status(call, stream_resolve(call, BP_STR("::1"), BP_FOREVER, &addresses, &count), BP_OK);
    assert_int_equal(count, 1);
    assert_string_equal(addresses[0].data, "::1");
    assert_status(call, stream_resolve(call, BP_STR("localhost"), BP_FOREVER, &addresses, &count),
                  BP_OK);
    assert_true(count >= 1 &&
                (bp_str_is(addresses[0], "127.0.0.1") || bp_str_is(addresses[0], "::1")));
    assert_status(call,
                  stream_resolve(call, BP_STR("no-such-host.invalid"), BP_FOREVER, &addresses,
                                 &count),
                  BP_UNAVAILABLE);
}

static void names_become_addresses_as_text(void **state)
{
    (void)state;
    on_call(resolve, BP_SECONDS(30));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_worker, tear_down_worker)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_is_trusted_by_its_certificate_and_name),
        TEST(a_server_that_cannot_be_trusted_is_named_with_the_reason),
        TEST(a_handshake_ends_at_its_deadline),
        TEST(a_kept_connection_serves_calls_after_the_one_that_made_it),
        TEST(closing_a_kept_connection_ends_the_wait_of_another_call),
        TEST(names_become_addresses_as_text),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
