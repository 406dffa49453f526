/* tls.c - TLS over a socket that does not block: OpenSSL says which way it waits, the watch waits.
 *
 * Contexts are made once for each set of files and kept: reading the machine's certificates takes
 * milliseconds. A file that was written since is read again, so that a renewed certificate is used
 * by the next connection.
 */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "net/dns.h"
#include "net/stream.h"

enum { CONTEXTS_KEPT = 16, FILES = 3, PATH_BYTES = 4096 };

struct tls {
    SSL          *ssl;
    struct watch *watch;
    char          address[300];
};

/* ---- contexts ---- */

struct kept_context {
    SSL_CTX *context; /* NULL: free */
    char    *paths[FILES];
    int64_t  changed_ns[FILES];
    uint64_t used;
};

static pthread_mutex_t     kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept_context kept[CONTEXTS_KEPT];
static uint64_t            kept_uses;

static int64_t changed_ns_of(const char *path)
{
    struct stat found;

    return path[0] && stat(path, &found) == 0
               ? found.st_mtim.tv_sec * INT64_C(1000000000) + found.st_mtim.tv_nsec
               : 0;
}

static bool is_kept(const struct kept_context *entry, const char *const *paths,
                    const int64_t *changed_ns)
{
    for (int i = 0; i < FILES; i++)
        if (!entry->context || strcmp(entry->paths[i], paths[i]) != 0 ||
            entry->changed_ns[i] != changed_ns[i])
            return false;
    return true;
}

static void forget(struct kept_context *entry)
{
    SSL_CTX_free(entry->context);
    for (int i = 0; i < FILES; i++)
        free(entry->paths[i]);
    *entry = (struct kept_context){ 0 };
}

/* Under the lock. The one that was not used for the longest time makes room. */
static void keep(SSL_CTX *context, const char *const *paths, const int64_t *changed_ns)
{
    struct kept_context *oldest = &kept[0];

    for (int i = 1; i < CONTEXTS_KEPT && oldest->context; i++)
        if (!kept[i].context || kept[i].used < oldest->used)
            oldest = &kept[i];
    forget(oldest);
    for (int i = 0; i < FILES; i++) {
        oldest->paths[i] = strdup(paths[i]);
        oldest->changed_ns[i] = changed_ns[i];
        if (!oldest->paths[i]) {
            forget(oldest);
            return;
        }
    }
    SSL_CTX_up_ref(context);
    oldest->context = context;
    oldest->used = ++kept_uses;
}

/* The reason that OpenSSL has put on its stack, which is emptied. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_get_error();
    const char   *reason = code ? ERR_reason_error_string(code) : NULL;

    if (code && !reason && ERR_SYSTEM_ERROR(code))
        reason = strerrordesc_np(ERR_GET_REASON(code));
    ERR_clear_error();
    return reason ? reason : "no reason given";
}

static bp_status load_files(bp_call *call, SSL_CTX *context, const char *const *paths)
{
    if (!paths[0][0] && SSL_CTX_set_default_verify_paths(context) != 1)
        return call_fail(call, BP_INVALID,
                         "the certificates that this machine trusts cannot be read: %s",
                         openssl_reason());
    if (paths[0][0] && SSL_CTX_load_verify_locations(context, paths[0], NULL) != 1)
        return call_fail(call, BP_INVALID, "the CA file %s cannot be read: %s", paths[0],
                         openssl_reason());
    if (paths[1][0] && SSL_CTX_use_certificate_chain_file(context, paths[1]) != 1)
        return call_fail(call, BP_INVALID, "the client certificate %s cannot be read: %s", paths[1],
                         openssl_reason());
    if (paths[2][0] && SSL_CTX_use_PrivateKey_file(context, paths[2], SSL_FILETYPE_PEM) != 1)
        return call_fail(call, BP_INVALID,
                         "the client key %s cannot be read, or is of another certificate: %s",
                         paths[2], openssl_reason());
    return BP_OK;
}

static bp_status make_context(bp_call *call, const char *const *paths, SSL_CTX **context)
{
    bp_status status;

    *context = SSL_CTX_new(TLS_client_method());
    if (!*context)
        return call_fail(call, BP_NO_MEMORY, "no memory for TLS");
    SSL_CTX_set_min_proto_version(*context, TLS1_2_VERSION);
    SSL_CTX_set_mode(*context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(*context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    status = load_files(call, *context, paths);
    if (status != BP_OK) {
        SSL_CTX_free(*context);
        *context = NULL;
    }
    return status;
}

static bp_status context_for(bp_call *call, const bp_tls *wanted, SSL_CTX **context)
{
    const char *paths[FILES] = {
        arena_dup(call->arena, wanted->ca_file).data,
        arena_dup(call->arena, wanted->certificate_file).data,
        arena_dup(call->arena, wanted->key_file.len ? wanted->key_file : wanted->certificate_file)
            .data
    };
    int64_t   changed_ns[FILES];
    bp_status status = BP_OK;

    for (int i = 0; i < FILES; i++) {
        if (!paths[i])
            return call_fail(call, BP_NO_MEMORY, "no memory for TLS");
        changed_ns[i] = changed_ns_of(paths[i]);
    }
    *context = NULL;
    pthread_mutex_lock(&kept_lock);
    for (int i = 0; i < CONTEXTS_KEPT && !*context; i++) {
        if (!is_kept(&kept[i], paths, changed_ns))
            continue;
        kept[i].used = ++kept_uses;
        *context = kept[i].context;
        SSL_CTX_up_ref(*context);
    }
    if (!*context) {
        status = make_context(call, paths, context);
        if (status == BP_OK)
            keep(*context, paths, changed_ns);
    }
    pthread_mutex_unlock(&kept_lock);
    return status;
}

/* ---- waiting ---- */

/* After a result of OpenSSL that was not good: BP_OK when it is to be tried again. */
static bp_status wait_for(bp_call *call, struct tls *tls, int result, const char *what,
                          int64_t deadline_ns)
{
    int       os_errno = errno, error = SSL_get_error(tls->ssl, result);
    bp_status status;

    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        char reason[96];

        status = call_fail(call, BP_UNAVAILABLE, "%s %s failed: %s", what, tls->address,
                           error == SSL_ERROR_SYSCALL && os_errno ? stream_reason(os_errno, reason)
                           : error == SSL_ERROR_SYSCALL           ? "the connection was closed"
                                                                  : openssl_reason());
        call->error.os_errno = error == SSL_ERROR_SYSCALL ? os_errno : 0;
        ERR_clear_error();
        return status;
    }
    status = watch_wait(call, tls->watch, error == SSL_ERROR_WANT_READ ? WATCH_READ : WATCH_WRITE,
                        deadline_ns);
    if (status == BP_OK)
        return BP_OK;
    if (call_over(call) != BP_OK)
        return call_fail_over(call, status, "talking to another server");
    if (status == BP_DEADLINE)
        return call_fail(call, status, "%s did not %s in the time allowed", tls->address,
                         error == SSL_ERROR_WANT_READ ? "answer" : "take the bytes sent to it");
    return call_fail(call, status, "two calls wait for the connection to %s at once", tls->address);
}

/* ---- the handshake ---- */

static bool set_name(SSL *ssl, const char *name)
{
    struct dns_answer literal;

    if (dns_is_literal(bp_str_of(name), 0, &literal))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static bp_status fail_handshake(bp_call *call, struct tls *tls, const char *name, int result,
                                int64_t deadline_ns)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    int  error = SSL_get_error(tls->ssl, result);

    if (error == SSL_ERROR_SSL && verdict != X509_V_OK) {
        ERR_clear_error();
        return call_fail(call, BP_UNAVAILABLE,
                         "the certificate of %s is not accepted: %s (it must be for \"%s\"%s)",
                         tls->address, X509_verify_cert_error_string(verdict), name,
                         verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
                                 verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                                 verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
                             ? "; give the CA that signed it"
                             : "");
    }
    return wait_for(call, tls, result, "the TLS handshake with", deadline_ns);
}

static bp_status shake_hands(bp_call *call, struct tls *tls, const bp_tls *wanted,
                             int64_t deadline_ns)
{
    bp_str name = arena_dup(call->arena, wanted->server_name);

    if (!name.data)
        return call_fail(call, BP_NO_MEMORY, "no memory for TLS");
    if (name.len && !set_name(tls->ssl, name.data))
        return call_fail(call, BP_INVALID, "\"%s\" is not a name that a certificate can be for",
                         name.data);
    if (!name.len && !wanted->is_unverified)
        return call_fail(call, BP_INVALID,
                         "TLS with %s needs the name that its certificate must be for",
                         tls->address);
    SSL_set_verify(tls->ssl, wanted->is_unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    for (;;) {
        int result;

        ERR_clear_error();
        errno = 0;
        result = SSL_connect(tls->ssl);
        if (result == 1)
            return BP_OK;
        BP_TRY(fail_handshake(call, tls, name.data, result, deadline_ns));
    }
}

bp_status tls_start(bp_call *call, int fd, struct watch *watch, const bp_tls *wanted,
                    bp_str address, int64_t deadline_ns, struct tls **out)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    SSL_CTX    *context = NULL;
    bp_status   status;

    *out = NULL;
    if (!tls)
        return call_fail(call, BP_NO_MEMORY, "no memory for TLS");
    tls->watch = watch;
    snprintf(tls->address, sizeof(tls->address), BP_FMT, BP_ARG(address));
    status = context_for(call, wanted, &context);
    if (status == BP_OK) {
        tls->ssl = SSL_new(context);
        SSL_CTX_free(context);
        if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1)
            status = call_fail(call, BP_NO_MEMORY, "no memory for TLS");
    }
    if (status == BP_OK)
        status = shake_hands(call, tls, wanted, deadline_ns);
    if (status == BP_OK) {
        *out = tls;
    } else {
        SSL_free(tls->ssl);
        free(tls);
    }
    return status;
}

/* ---- bytes ---- */

bp_status tls_read(bp_call *call, struct tls *tls, void *bytes, size_t max, int64_t deadline_ns,
                   size_t *count)
{
    for (;;) {
        int result;

        ERR_clear_error();
        errno = 0;
        result = SSL_read_ex(tls->ssl, bytes, max, count);
        if (result == 1)
            return BP_OK;
        *count = 0;
        if (SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN)
            return BP_OK;
        BP_TRY(wait_for(call, tls, result, "reading from", deadline_ns));
    }
}

bp_status tls_write(bp_call *call, struct tls *tls, bp_str bytes, int64_t deadline_ns,
                    size_t *count)
{
    for (;;) {
        int result;

        ERR_clear_error();
        errno = 0;
        result = SSL_write_ex(tls->ssl, bytes.data, bytes.len, count);
        if (result == 1)
            return BP_OK;
        *count = 0;
        BP_TRY(wait_for(call, tls, result, "writing to", deadline_ns));
    }
}

void tls_end(struct tls *tls)
{
    if (!tls)
        return;
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
    SSL_free(tls->ssl);
    free(tls);
}
