/* test_tls_files.c - the files that TLS is made of: authorities, certificates and keys of clients,
 * files that are written again; and the sentences about wrong files, a wrong other side and an end
 * without notice. */
#include "tls_rig.h"

static char folder[] = "/tmp/bp_tls_XXXXXX", own_path[64], own_key_path[64], other_key_path[64];

/* What the server saw. */
static _Atomic int seen_certificates;

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");

    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

/* The server's certificate and key, which a client may show as well; and the key of nobody. */
static int make_files(void **state)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    FILE     *file;

    if (make_certificate(state) != 0 || !mkdtemp(folder))
        return -1;
    snprintf(own_path, sizeof(own_path), "%s/own.pem", folder);
    snprintf(own_key_path, sizeof(own_key_path), "%s/own.key", folder);
    snprintf(other_key_path, sizeof(other_key_path), "%s/other.key", folder);
    file = fopen(own_path, "w");
    PEM_write_X509(file, SSL_CTX_get0_certificate(server_context));
    fclose(file);
    write_key(own_key_path, SSL_CTX_get0_privatekey(server_context));
    write_key(other_key_path, other);
    EVP_PKEY_free(other);
    SSL_CTX_load_verify_locations(server_context, ca_path, NULL);
    SSL_CTX_set_verify(server_context, SSL_VERIFY_PEER, NULL);
    return 0;
}

static int remove_files(void **state)
{
    unlink(own_path);
    unlink(own_key_path);
    unlink(other_key_path);
    rmdir(folder);
    return remove_certificate(state);
}

/* Says "hello" once the handshake is made, and hears until the client is gone. */
static void serve_hello(int fd, int number)
{
    SSL *ssl = SSL_new(server_context);
    char bytes[64];

    (void)number;
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        seen_certificates += SSL_get0_peer_certificate(ssl) != NULL;
        SSL_write(ssl, "hello", 5);
        while (SSL_read(ssl, bytes, sizeof(bytes)) > 0)
            continue;
    }
    SSL_free(ssl);
}

static bp_tls trusting(const char *ca_file)
{
    return (bp_tls){ .struct_size = sizeof(bp_tls),
                     .server_name = BP_STR("store.test"),
                     .ca_file = bp_str_of(ca_file) };
}

static bp_status start_tls(bp_call *call, const bp_tls *tls)
{
    bp_stream *stream = connect_to_server(call);
    bp_status  status = stream_start_tls(call, stream, tls, BP_FOREVER);
    char       bytes[8];
    size_t     count;

    if (status != BP_OK) {
        assert_int_equal(stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                         BP_INVALID);
        call->error.status = status;
        return status;
    }
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 5);
    assert_memory_equal(bytes, "hello", 5);
    stream_close(stream);
    return BP_OK;
}

static void play(void (*serve)(int fd, int number), void (*run)(bp_call *call))
{
    server_start(serve);
    on_call(run, BP_SECONDS(60));
    server_stop();
}

/* ---- certificates of clients ---- */

static void show_certificate(bp_call *call)
{
    bp_tls tls = trusting(ca_path);
    int    before = seen_certificates;

    assert_status(call, start_tls(call, &tls), BP_OK);
    assert_int_equal(seen_certificates, before);
    tls.certificate_file = bp_str_of(own_path);
    tls.key_file = bp_str_of(own_key_path);
    assert_status(call, start_tls(call, &tls), BP_OK);
    assert_int_equal(seen_certificates, before + 1);
    assert_status(call, start_tls(call, &tls), BP_OK); // from what was kept
    assert_int_equal(seen_certificates, before + 2);
    tls.key_file = BP_STR("");
    tls.certificate_file = BP_STR("");
    assert_status(call, start_tls(call, &tls), BP_OK);
    assert_int_equal(seen_certificates, before + 2);
}

static void a_client_shows_its_certificate_where_it_has_one(void **state)
{
    (void)state;
    play(serve_hello, show_certificate);
}

static void refused(bp_call *call, const bp_tls *tls, bp_status expected, const char *sentence)
{
    bp_stream *stream = connect_to_server(call);

    assert_status(call, stream_start_tls(call, stream, tls, BP_FOREVER), expected);
    assert_said(call, "%s", sentence);
}

static void refuse_files(bp_call *call)
{
    bp_tls tls = trusting("/no/ca.pem");
    char   sentence[200];

    refused(call, &tls, BP_INVALID, "the CA file /no/ca.pem cannot be read: ");
    tls = trusting(ca_path);
    tls.certificate_file = BP_STR("/no/own.pem");
    refused(call, &tls, BP_INVALID, "the client certificate /no/own.pem cannot be read: ");
    tls.certificate_file = bp_str_of(own_path); // in which its key is looked for
    snprintf(sentence, sizeof(sentence),
             "the client key %s cannot be read, or is of another certificate: ", own_path);
    refused(call, &tls, BP_INVALID, sentence);
    tls.key_file = bp_str_of(other_key_path);
    snprintf(sentence, sizeof(sentence),
             "the client key %s cannot be read, or is of another certificate: ", other_key_path);
    refused(call, &tls, BP_INVALID, sentence);
    tls.key_file = BP_STR("/no/own.key");
    refused(call, &tls, BP_INVALID,
            "the client key /no/own.key cannot be read, or is of another certificate: ");
    tls = trusting(ca_path);
    tls.server_name = BP_STR("");
    snprintf(sentence, sizeof(sentence),
             "TLS with 127.0.0.1:%u needs the name that its certificate must be for", server.port);
    refused(call, &tls, BP_INVALID, sentence);
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    play(serve_hello, refuse_files);
}

/* ---- files that change ---- */

static void copy(const char *from, const char *to)
{
    char   bytes[8192];
    FILE  *in = fopen(from, "r"), *out = fopen(to, "w");
    size_t len = fread(bytes, 1, sizeof(bytes), in);

    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(in);
    fclose(out);
}

static void renew(bp_call *call)
{
    char   path[64];
    bp_tls tls;

    snprintf(path, sizeof(path), "%s/ca.pem", folder);
    tls = trusting(path);
    copy(other_key_path, path); // no certificate at all
    assert_status(call, start_tls(call, &tls), BP_INVALID);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(20)), BP_OK); // the clock of files moves on
    copy(ca_path, path);
    assert_status(call, start_tls(call, &tls), BP_OK);
    assert_status(call, start_tls(call, &tls), BP_OK);
    assert_int_equal(call_sleep(call, BP_MILLISECONDS(20)), BP_OK);
    copy(other_key_path, path);
    assert_status(call, start_tls(call, &tls), BP_INVALID);
    unlink(path);
}

static void a_file_that_was_written_again_is_read_again(void **state)
{
    (void)state;
    play(serve_hello, renew);
}

static void use_many(bp_call *call)
{
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 20; i++) {
            char   path[64];
            bp_tls tls;

            snprintf(path, sizeof(path), "%s/ca%d.pem", folder, i);
            if (round == 0)
                copy(ca_path, path);
            tls = trusting(path);
            assert_status(call, start_tls(call, &tls), BP_OK);
            if (round == 1)
                unlink(path);
        }
}

static void more_files_than_are_kept_are_as_good(void **state)
{
    (void)state;
    play(serve_hello, use_many);
}

/* ---- the other side ---- */

static void serve_plainly(int fd, int number)
{
    char byte;

    (void)number;
    server_say(fd, "220 this is no TLS\r\n");
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
}

static void shake_with_plain(bp_call *call)
{
    bp_tls tls = trusting(ca_path);
    char   sentence[100];

    snprintf(sentence, sizeof(sentence),
             "the TLS handshake with 127.0.0.1:%u failed: ", server.port);
    refused(call, &tls, BP_UNAVAILABLE, sentence);
    assert_int_equal(call->error.os_errno, 0);
}

static void a_server_without_tls_is_told(void **state)
{
    (void)state;
    play(serve_plainly, shake_with_plain);
}

static void serve_reset(int fd, int number)
{
    SSL *ssl = SSL_new(server_context);

    (void)number;
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        SSL_write(ssl, "hello", 5);
    usleep(20000);
    server_reset(fd);
    SSL_free(ssl);
}

static void hear_reset(bp_call *call)
{
    bp_tls     tls = trusting(ca_path);
    bp_stream *stream = connect_to_server(call);
    char       bytes[8];
    size_t     count;
    bp_status  status;

    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    do
        status = stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count);
    while (status == BP_OK && count);
    assert_int_equal(status, BP_UNAVAILABLE);
    assert_said(call, "reading from 127.0.0.1:%u failed: connection reset by peer", server.port);
    assert_int_equal(call->error.os_errno, 104 /* ECONNRESET */);
}

static void a_reset_is_no_end(void **state)
{
    (void)state;
    play(serve_reset, hear_reset);
}

static void serve_end(int fd, int number)
{
    SSL *ssl = SSL_new(server_context);

    (void)number;
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        SSL_write(ssl, "hello", 5);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void hear_end(bp_call *call)
{
    bp_tls     tls = trusting(ca_path);
    bp_stream *stream = connect_to_server(call);
    char       bytes[8];
    size_t     count;

    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_int_equal(count, 5);
    for (int i = 0; i < 2; i++) {
        assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                      BP_OK);
        assert_int_equal(count, 0);
    }
    stream_close(stream);
}

static void an_end_is_quiet(void **state)
{
    (void)state;
    play(serve_end, hear_end);
}

/* ---- waiting ---- */

static void wait_in_vain(bp_call *call)
{
    struct cancelling cancelling = { .victim = call, .after_ns = BP_MILLISECONDS(10) };
    bp_tls            tls = trusting(ca_path);
    bp_stream        *stream = connect_to_server(call);
    char              bytes[8];
    size_t            count = 7;

    assert_status(call, stream_start_tls(call, stream, &tls, BP_FOREVER), BP_OK);
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count), BP_OK);
    assert_status(call,
                  stream_read(call, stream, bytes, sizeof(bytes),
                              clock_now_ns() + BP_MILLISECONDS(10), &count),
                  BP_DEADLINE);
    assert_said(call, "127.0.0.1:%u did not answer in the time allowed", server.port);
    assert_int_equal(count, 0);
    assert_true(call_start(call->worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           cancel_later, &cancelling));
    assert_status(call, stream_read(call, stream, bytes, sizeof(bytes), BP_FOREVER, &count),
                  BP_CANCELLED);
    assert_int_equal(count, 0);
    stream_close(stream);
}

static void a_read_ends_at_its_deadline_and_when_cancelled(void **state)
{
    (void)state;
    play(serve_hello, wait_in_vain);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_worker, tear_down_worker)
    const struct CMUnitTest tests[] = {
        T(a_client_shows_its_certificate_where_it_has_one),
        T(a_file_that_cannot_be_used_is_named),
        T(a_file_that_was_written_again_is_read_again),
        T(more_files_than_are_kept_are_as_good),
        T(a_server_without_tls_is_told),
        T(a_reset_is_no_end),
        T(an_end_is_quiet),
        T(a_read_ends_at_its_deadline_and_when_cancelled),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
