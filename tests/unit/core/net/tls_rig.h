/* tls_rig.h - a server in TLS whose certificate vouches for itself, and connections to it, for the
 * tests of TLS. */
#ifndef TLS_RIG_H
#define TLS_RIG_H

#include "net_test.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/stream.h"

static char     ca_path[] = "/tmp/bp-test-ca-XXXXXX";
static SSL_CTX *server_context;

static inline void add_names(X509 *certificate)
{
    X509V3_CTX      context;
    X509_EXTENSION *names;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    names = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name,
                                "DNS:store.test,IP:127.0.0.1");
    assert_int_equal(X509_add_ext(certificate, names, -1), 1);
    X509_EXTENSION_free(names);
}

/* A certificate that vouches for itself, in the server's context and in a file. */
static inline int make_certificate(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509     *certificate = X509_new();
    FILE     *file = fdopen(mkstemp(ca_path), "w");

    (void)state;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"store.test", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    add_names(certificate);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    server_context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server_context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server_context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static inline int remove_certificate(void **state)
{
    (void)state;
    SSL_CTX_free(server_context);
    return unlink(ca_path);
}

static inline void serve_tls_echo(int fd, int number)
{
    SSL *ssl = SSL_new(server_context);
    char bytes[4096];
    int  got;

    (void)number;
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        while ((got = SSL_read(ssl, bytes, sizeof(bytes))) > 0 && SSL_write(ssl, bytes, got) == got)
            continue;
    SSL_free(ssl);
}

static inline bp_stream *connect_to_server(bp_call *call)
{
    bp_stream *stream;

    assert_status(call,
                  stream_connect(call, arena_format(call->arena, "127.0.0.1:%u", server.port),
                                 BP_FOREVER, &stream),
                  BP_OK);
    return stream;
}

static inline void expect_echo(bp_call *call, bp_stream *stream, size_t bytes)
{
    char  *sent = arena_alloc(call->arena, bytes), *back = arena_alloc(call->arena, bytes);
    size_t total = 0, count;

    for (size_t i = 0; i < bytes; i++)
        sent[i] = (char)(i * 7);
    assert_status(call, stream_write(call, stream, bp_str_n(sent, bytes), BP_FOREVER), BP_OK);
    while (total < bytes) {
        assert_status(call,
                      stream_read(call, stream, back + total, bytes - total, BP_FOREVER, &count),
                      BP_OK);
        assert_true(count > 0);
        total += count;
    }
    assert_memory_equal(sent, back, bytes);
}

#endif
