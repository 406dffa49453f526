/* http_transfer.c - one outgoing request: its libcurl handle, its callbacks, its timeouts, its
 * error. */
#include "net/http_transfer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "loop/fiber.h"
#include "net/ascii.h"
#include "net/dns.h"
#include "net/stream.h"
#include "version.h"

enum {
    BOMB_MIN_BYTES = 1 << 20,
    QUEUED_MS = 50,
    TIMEOUT_MAX_S = 24 * 3600,
    CONNECT_S = 3, /* what a request says nothing about */
    FIRST_BYTE_S = 60,
    IDLE_S = 30,
    ANSWER_BYTES = 32 << 20,
};

/* ---- what libcurl calls ---- */

static void note_connection(struct http_transfer *transfer)
{
    if (!transfer->connection_ns)
        transfer->connection_ns = clock_now_ns();
}

static int on_new_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
    struct http_transfer *transfer = user;

    (void)purpose;
    note_connection(transfer);
    stream_notice_loss(fd);
    return CURL_SOCKOPT_OK;
}

/* Also of one that is used again. */
static int on_connection(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct http_transfer *transfer = user;

    (void)remote, (void)local, (void)remote_port, (void)local_port;
    note_connection(transfer);
    return CURL_PREREQFUNC_OK;
}

static size_t refuse(struct http_transfer *transfer, bp_status status, const char *text)
{
    transfer->refusal = status;
    transfer->refusal_text = text;
    return 0; // fewer bytes than given: libcurl ends the transfer
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    bp_str                text = bp_str_n(line, size * count);
    long                  status = 0;

    if (transfer->is_head_done)
        return text.len; // a trailer
    if (bp_str_starts(text, "HTTP/")) {
        buf_reset(&transfer->head); // the one before was a 100 Continue or its like
        transfer->is_encoded = false;
        return text.len;
    }
    if (bp_str_is(text, "\r\n") || bp_str_is(text, "\n")) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status < 200 && status != 101)
            return text.len;
        transfer->status = (int32_t)status;
        transfer->is_head_done = true;
        transfer->last_piece_ns = clock_now_ns();
        client_wake_later(transfer);
        return text.len;
    }
    if (text.len >= 17 && ascii_equal_lower(text.data, 17, "content-encoding:", 17))
        transfer->is_encoded = true;
    buf_add(&transfer->head, text);
    if (buf_status(&transfer->head) == BP_NO_MEMORY)
        return refuse(transfer, BP_NO_MEMORY, "there is no memory for its headers");
    if (buf_status(&transfer->head) != BP_OK)
        return refuse(transfer, BP_TOO_LARGE, "its headers are larger than 64 KiB");
    return text.len;
}

/* A small body that decodes to a huge one is an attack, whatever the limit of the request. */
static bool is_bomb(const struct http_transfer *transfer)
{
    curl_off_t received = 0;

    if (!transfer->is_encoded || transfer->decoded_bytes <= BOMB_MIN_BYTES)
        return false;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    return transfer->decoded_bytes / HTTP_CLIENT_RATIO_MAX > (size_t)received;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    size_t                len = size * count;

    if (transfer->is_stream && transfer->is_encoded)
        return refuse(transfer, BP_UPSTREAM,
                      "it compressed its answer, though it was asked not to");
    if (transfer->is_stream && transfer->body.len &&
        transfer->body.len + len > HTTP_CLIENT_STREAM_MAX_BYTES) {
        transfer->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!transfer->is_encoded &&
        client_had_its_turn(transfer->client)) { // max_bytes alone bounds the decoded bytes
        transfer->is_paused = true;
        client_wake_later(transfer);
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > transfer->max_bytes - transfer->decoded_bytes)
        return refuse(transfer, BP_TOO_LARGE, "its answer is larger than the request allows");
    transfer->decoded_bytes += len;
    if (is_bomb(transfer))
        return refuse(transfer, BP_TOO_LARGE, "its answer decodes to more than 100 times its size");
    buf_add(&transfer->body, bp_str_n(bytes, len));
    if (buf_status(&transfer->body) != BP_OK)
        return refuse(transfer, BP_NO_MEMORY, "there is no memory for its answer");
    transfer->last_piece_ns = clock_now_ns();
    if (transfer->is_stream)
        client_wake_later(transfer);
    return len;
}

/* ---- making one ---- */

static bool add_raw_line(struct http_transfer *transfer, const char *line)
{
    struct curl_slist *list = curl_slist_append(transfer->headers, line);

    if (list)
        transfer->headers = list;
    return list != NULL;
}

static bool add_line(struct http_transfer *transfer, bp_call *call, bp_str name, bp_str value)
{
    // libcurl's way of writing a header without a value is a semicolon.
    bp_str line = arena_format(call->arena, value.len ? BP_FMT ": %.*s" : BP_FMT ";%.*s",
                               BP_ARG(name), (int)value.len, value.len ? value.data : "");

    return line.len && add_raw_line(transfer, line.data);
}

static bool is_framing(bp_str name)
{
    return str_equal_ignore_case(name, BP_STR("content-length")) ||
           str_equal_ignore_case(name, BP_STR("transfer-encoding")) ||
           str_equal_ignore_case(name, BP_STR("connection")) ||
           str_equal_ignore_case(name, BP_STR("accept-encoding"));
}

static bool is_token(bp_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is(text.data[i], ASCII_TOKEN))
            return false;
    return text.len != 0;
}

static bool has_header(const bp_http_request *request, bp_str name)
{
    for (uint32_t i = 0; i < request->header_count; i++)
        if (str_equal_ignore_case(request->headers[i].name, name))
            return true;
    return false;
}

static bp_status add_headers(bp_call *call, struct http_transfer *transfer,
                             const bp_http_request *request)
{
    bool is_added = true;

    for (uint32_t i = 0; i < request->header_count; i++) {
        const bp_http_header *header = &request->headers[i];

        if (!is_token(header->name) ||
            (header->value.len && ascii_has_control(header->value.data, header->value.len)))
            return call_fail(call, BP_INVALID,
                             "the header \"" BP_FMT "\" for %s has bytes that no header may have",
                             BP_ARG(header->name), transfer->shown);
        if (is_framing(header->name))
            return call_fail(call, BP_INVALID,
                             "the header \"" BP_FMT "\" for %s is for the HTTP client to set",
                             BP_ARG(header->name), transfer->shown);
        is_added = is_added && add_line(transfer, call, header->name, header->value);
    }
    if (!has_header(request, BP_STR("traceparent")))
        is_added = is_added &&
                   add_line(transfer, call, BP_STR("traceparent"), call_traceparent(call));
    if (!has_header(request, BP_STR("x-request-id")))
        is_added = is_added &&
                   add_line(transfer, call, BP_STR("X-Request-Id"), bp_str_of(call->request_id));
    // What libcurl would say of its own accord of a body, also of an empty one: a wait for 100
    // Continue, and that it is a form.
    is_added = is_added && add_raw_line(transfer, "Expect:") &&
               (has_header(request, BP_STR("content-type")) ||
                add_raw_line(transfer, "Content-Type:"));
    if (!is_added)
        return call_fail(call, BP_NO_MEMORY, "no memory for a request to %s", transfer->shown);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    return BP_OK;
}

static bp_status set_method(bp_call *call, struct http_transfer *transfer,
                            const bp_http_request *request)
{
    bp_str method = request->method.len ? request->method
                    : request->body.len ? BP_STR("POST")
                                        : BP_STR("GET");
    CURL  *easy = transfer->easy;

    if (!is_token(method) || bp_str_is(method, "CONNECT"))
        return call_fail(call, BP_INVALID, "\"" BP_FMT "\" is not a method for %s", BP_ARG(method),
                         transfer->shown);
    if (bp_str_is(method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return BP_OK;
    }
    if (request->body.len || bp_str_is(method, "POST") || bp_str_is(method, "PUT") ||
        bp_str_is(method, "PATCH")) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        // A server may answer before it has read everything: then the reader of a stream goes on
        // while it is sent.
        curl_easy_setopt(easy, transfer->is_stream ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS,
                         request->body.len ? request->body.data : "");
    }
    method = arena_dup(call->arena, method);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.data);
    return BP_OK;
}

/* Hands the addresses to libcurl: its own resolver would block when a request is given up. */
static bp_status set_addresses(bp_call *call, struct http_transfer *transfer,
                               const struct http_target *target)
{
    struct dns_answer found;
    struct bp_buf     line;
    char              text[48];
    int64_t           due_ns = clock_now_ns() + transfer->connect_timeout_ns;

    if (dns_is_literal(target->host, target->port, &found))
        return BP_OK;
    BP_TRY(dns_resolve(call, target->host, target->port,
                       due_ns < transfer->deadline_ns ? due_ns : transfer->deadline_ns, &found));
    buf_init(&line, call->arena, 4096);
    buf_addf(&line, "+" BP_FMT ":%u:", BP_ARG(target->host), target->port);
    for (size_t i = 0; i < found.count; i++) {
        dns_address_text(&found.addresses[i], text);
        buf_addf(&line, "%s%s", i ? "," : "", text);
    }
    transfer->resolve = curl_slist_append(NULL, buf_str(&line).data);
    if (!transfer->resolve)
        return call_fail(call, BP_NO_MEMORY, "no memory for a request to %s", transfer->shown);
    curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, transfer->resolve);
    return BP_OK;
}

static void set_options(struct http_transfer *transfer, const struct http_target *target)
{
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_URL, target->url.data);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "backplane/" BACKPLANE_VERSION);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connection);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)((transfer->connect_timeout_ns + 999999) / 1000000));
    // Pieces of a stream go on as they are; decoding them could not be held back when the reader is
    // slow.
    if (!transfer->is_stream)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->detail);
}

/* A day at most, so that sums of times never overflow. */
static int64_t or_default(int64_t given_ns, int64_t default_ns)
{
    if (given_ns <= 0)
        return default_ns;
    return given_ns < BP_SECONDS(TIMEOUT_MAX_S) ? given_ns : BP_SECONDS(TIMEOUT_MAX_S);
}

static struct http_transfer *transfer_new(struct http_client       *client,
                                          const bp_http_request    *request,
                                          const struct http_target *target, bool is_stream)
{
    struct http_transfer *transfer = calloc(1, sizeof(*transfer));

    if (!transfer)
        return NULL;
    client->transfer_count++;
    transfer->client = client;
    transfer->is_stream = is_stream;
    transfer->shown = strndup(target->shown.data, target->shown.len);
    transfer->easy = client->spare_count ? client->spare[--client->spare_count] : curl_easy_init();
    transfer->started_ns = clock_now_ns();
    transfer->deadline_ns = request->deadline_ns ? request->deadline_ns : BP_FOREVER;
    transfer->connect_timeout_ns = or_default(request->connect_timeout_ns, BP_SECONDS(CONNECT_S));
    transfer->first_byte_timeout_ns = or_default(request->first_byte_timeout_ns,
                                                 BP_SECONDS(FIRST_BYTE_S));
    transfer->idle_timeout_ns = or_default(request->idle_timeout_ns, BP_SECONDS(IDLE_S));
    transfer->max_bytes = request->max_response_bytes ? request->max_response_bytes : ANSWER_BYTES;
    if (is_stream && request->max_response_bytes == 0)
        transfer
            ->max_bytes = SIZE_MAX; // a stream may go on as long as its call; each piece is bounded
    buf_init(&transfer->head, NULL, HTTP_CLIENT_HEAD_MAX_BYTES);
    buf_init(&transfer->body, NULL, transfer->max_bytes);
    buf_init(&transfer->taken, NULL, transfer->max_bytes);
    if (transfer->easy && transfer->shown)
        return transfer;
    http_transfer_free(transfer);
    return NULL;
}

bp_status http_transfer_start(bp_call *call, const bp_http_request *request,
                              const struct http_target *target, bool is_stream,
                              struct http_transfer **out)
{
    struct http_client   *client = client_of(call);
    struct http_transfer *transfer = client ? transfer_new(client, request, target, is_stream)
                                            : NULL;
    bp_status             status;

    *out = NULL;
    if (!transfer)
        return call_fail(call, BP_NO_MEMORY, "no memory for a request to " BP_FMT,
                         BP_ARG(target->shown));
    set_options(transfer, target);
    if (request->ca_file
            .len) // part of what libcurl's connections are told apart by; it copies the text
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO,
                         arena_dup(call->arena, request->ca_file).data);
    status = set_method(call, transfer, request);
    if (status == BP_OK)
        status = add_headers(call, transfer, request);
    if (status == BP_OK)
        status = set_addresses(call, transfer, target);
    if (status == BP_OK) {
        client_enter(client);
        transfer->is_added = curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK;
        client_leave(client);
        if (!transfer->is_added)
            status = call_fail(call, BP_NO_MEMORY, "no memory for a request to %s",
                               transfer->shown);
    }
    if (status == BP_OK)
        *out = transfer;
    else
        http_transfer_free(transfer);
    return status;
}

/* ---- its end ---- */

static void remove_from_multi(struct http_transfer *transfer)
{
    if (transfer->is_added)
        curl_multi_remove_handle(transfer->client->multi, transfer->easy);
    transfer->is_added = false;
}

void http_transfer_finish(struct http_transfer *transfer, CURLcode code)
{
    transfer->is_done = true;
    transfer->code = code;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &transfer->os_errno);
    remove_from_multi(transfer); // the connection is free for the next request
    client_wake_later(transfer);
}

void http_transfer_free(struct http_transfer *transfer)
{
    struct http_client *client;

    if (!transfer)
        return;
    client = transfer->client;
    client_enter(client);
    remove_from_multi(transfer);
    client_forget(transfer);
    if (transfer->easy && client->spare_count < HTTP_CLIENT_SPARE_MAX) {
        curl_easy_reset(transfer->easy);
        client->spare[client->spare_count++] = transfer->easy;
    } else {
        curl_easy_cleanup(transfer->easy);
    }
    client->transfer_count--;
    client_leave(client);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->resolve);
    buf_free(&transfer->head);
    buf_free(&transfer->body);
    buf_free(&transfer->taken);
    free(transfer->shown);
    free(transfer);
}

void http_transfer_unpause(struct http_transfer *transfer)
{
    if (!transfer->is_paused || transfer->is_done)
        return;
    transfer->is_paused = false;
    client_enter(transfer->client);
    curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    client_leave(transfer->client);
}

/* ---- what went wrong ---- */

static bp_status status_of(const struct http_transfer *transfer)
{
    switch (transfer->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return BP_UNAVAILABLE;
    case CURLE_RECV_ERROR: // also chunks that are none
        return transfer->os_errno ? BP_UNAVAILABLE : BP_UPSTREAM;
    case CURLE_OPERATION_TIMEDOUT:
        return BP_DEADLINE;
    case CURLE_OUT_OF_MEMORY: // also a header line above 100 KiB
        return transfer->is_head_done ? BP_NO_MEMORY : BP_TOO_LARGE;
    default:
        return BP_UPSTREAM;
    }
}

/* libcurl counts the time in its queue as time of connecting. */
static bool was_queued(const struct http_transfer *transfer)
{
    return !transfer->connection_ns ||
           transfer->connection_ns - transfer->started_ns >= transfer->connect_timeout_ns / 2;
}

/* It never got a connection. A call that had next to no time was over before libcurl had looked for
 * one. */
static bool is_still_queued(const struct http_transfer *transfer)
{
    return !transfer->connection_ns &&
           clock_now_ns() - transfer->started_ns >= BP_MILLISECONDS(QUEUED_MS);
}

/* All connections that we allow ourselves are in use by others: that says nothing about the server.
 */
static bp_status fail_queued(bp_call *call, const struct http_transfer *transfer)
{
    return call_fail(call, BP_LIMIT,
                     "waited %.1f s for a free connection to %s: this worker has %d to a server, "
                     "and %d in all",
                     (double)(clock_now_ns() - transfer->started_ns) / 1e9, transfer->shown,
                     HTTP_CLIENT_HOST_CONNECTIONS_MAX, HTTP_CLIENT_CONNECTIONS_MAX);
}

static bp_status fail_done(bp_call *call, const struct http_transfer *transfer)
{
    char        reason[CURL_ERROR_SIZE];
    const char *shown = transfer->shown;
    bp_status   status = status_of(transfer);

    if (transfer->refusal != BP_OK) {
        status = transfer->refusal;
        call_fail(call, status, "the answer of %s is refused: %s", shown, transfer->refusal_text);
    } else if (transfer->code == CURLE_OK ||
               (transfer->code == CURLE_PARTIAL_FILE && !transfer->os_errno)) {
        status = BP_UPSTREAM;
        call_fail(call, status,
                  "the answer of %s broke off: the connection was closed before its end", shown);
    } else if (transfer->code == CURLE_OPERATION_TIMEDOUT && was_queued(transfer)) {
        return fail_queued(call, transfer);
    } else if (transfer->code == CURLE_OPERATION_TIMEDOUT) {
        call_fail(call, status, "cannot reach %s: no connection within %lld ms", shown,
                  (long long)(transfer->connect_timeout_ns / 1000000));
    } else if (transfer->code == CURLE_GOT_NOTHING) {
        call_fail(call, status, "%s sent no answer: the connection was closed", shown);
    } else if (status == BP_TOO_LARGE) {
        call_fail(call, status, "the answer of %s is refused: its headers are larger than 64 KiB",
                  shown);
    } else {
        if (transfer->os_errno)
            stream_reason((int)transfer->os_errno, reason);
        else
            snprintf(reason, sizeof(reason), "%s",
                     transfer->detail[0] ? transfer->detail : curl_easy_strerror(transfer->code));
        call_fail(call, status,
                  transfer->is_head_done ? "the answer of %s broke off: %s" : "cannot reach %s: %s",
                  shown, reason);
    }
    call->error.os_errno = (int32_t)transfer->os_errno;
    return status;
}

static bp_status fail_late(bp_call *call, const struct http_transfer *transfer)
{
    long long idle_ms = transfer->idle_timeout_ns / 1000000,
              first_ms = transfer->first_byte_timeout_ns / 1000000;

    if (is_still_queued(transfer))
        return fail_queued(call, transfer);
    if (clock_now_ns() >= transfer->deadline_ns)
        return call_fail(call, BP_DEADLINE, "%s did not answer in the time allowed",
                         transfer->shown);
    if (transfer->is_head_done)
        return call_fail(call, BP_DEADLINE, "the answer of %s broke off: nothing came for %lld ms",
                         transfer->shown, idle_ms);
    return call_fail(call, BP_DEADLINE, "%s did not begin to answer within %lld ms",
                     transfer->shown, first_ms);
}

static bp_status fail_call_over(bp_call *call, bp_status status,
                                const struct http_transfer *transfer)
{
    if (status == BP_CANCELLED)
        return call_fail(call, status,
                         "the request to %s was given up because the caller no longer waits",
                         transfer->shown);
    if (is_still_queued(transfer))
        return fail_queued(call, transfer);
    return call_fail(call, status, "%s did not answer in the time allowed", transfer->shown);
}

/* ---- waiting ---- */

static bool has_come(const struct http_transfer *transfer, enum http_transfer_event event)
{
    if (transfer->is_done || transfer->refusal != BP_OK)
        return true;
    return transfer->is_head_done &&
           (event == HTTP_TRANSFER_HEAD || (event == HTTP_TRANSFER_PIECE && transfer->body.len));
}

static int64_t due_ns(const struct http_transfer *transfer)
{
    int64_t due = transfer->is_head_done ? transfer->last_piece_ns + transfer->idle_timeout_ns
                                         : transfer->started_ns + transfer->first_byte_timeout_ns;

    return due < transfer->deadline_ns ? due : transfer->deadline_ns;
}

bp_status http_transfer_wait(bp_call *call, struct http_transfer *transfer,
                             enum http_transfer_event event)
{
    bp_status status = call_over(call);

    while (status == BP_OK && !has_come(transfer, event)) {
        if (!transfer->is_stream || !transfer->body.len)
            http_transfer_unpause(transfer);
        if (has_come(transfer, event))
            break; // at once, from what libcurl had kept
        if (transfer->is_paused && (!transfer->is_stream || !transfer->body.len)) {
            fiber_yield(call->fiber); // its turn was over again at once, when nobody waited who
                                      // could be woken
            status = call_over(call);
            continue;
        }
        transfer->waiter = call;
        status = call_wait(call, due_ns(transfer), "an HTTP answer");
        transfer->waiter = NULL;
        if (status != BP_DEADLINE || call_over(call) != BP_OK)
            continue;
        if (!has_come(transfer, event) && clock_now_ns() >= due_ns(transfer))
            return fail_late(call, transfer);
        status = BP_OK; // a piece came meanwhile, and moved the end of the wait
    }
    if (status != BP_OK)
        return fail_call_over(call, status, transfer);
    if (event == HTTP_TRANSFER_HEAD && transfer->is_head_done)
        return BP_OK; // the reader of the body learns its outcome
    if (transfer->refusal != BP_OK ||
        (transfer->is_done && (transfer->code != CURLE_OK || !transfer->is_head_done)))
        // What came before the failure is for the reader first.
        return event == HTTP_TRANSFER_PIECE && transfer->body.len ? BP_OK
                                                                  : fail_done(call, transfer);
    return BP_OK;
}
