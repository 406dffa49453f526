/* http_fetch.c - the straight-line side of the HTTP client: URLs, redirects, whole answers,
 * streams, events. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/ascii.h"
#include "net/event_reader.h"
#include "net/http_transfer.h"

enum { RETRY_AFTER_MIN_S = 1, RETRY_AFTER_MAX_S = 300 };

struct bp_http_stream {
    bp_call              *call;
    struct http_transfer *transfer; /* NULL: closed */
    struct event_reader   events;
    bp_str                rest; /* of the piece that events are taken from */
};

/* ---- URLs ---- */

static bp_str part_of(bp_call *call, CURLU *url, CURLUPart part, unsigned flags)
{
    char  *text = NULL;
    bp_str copy = { "", 0 };

    if (curl_url_get(url, part, &text, flags) == CURLUE_OK)
        copy = arena_dup(call->arena, bp_str_of(text));
    curl_free(text);
    return copy;
}

static bool is_plain_ascii(bp_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 0x7f)
            return false;
    return true;
}

/* Looks at `text`, relative to `base` when that is not empty. */
static bp_status look_at_url(bp_call *call, bp_str base, bp_str text, struct http_target *target)
{
    CURLU    *url = curl_url();
    bp_str    copy = arena_dup(call->arena, text), scheme, host, port, path;
    CURLUcode bad = url && copy.len == text.len ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
    uint64_t  number = 0;
    bool      has_brackets;

    if (bad == CURLUE_OK && base.len)
        bad = curl_url_set(url, CURLUPART_URL, base.data, 0);
    if (bad == CURLUE_OK)
        bad = memchr(copy.data, '\0', copy.len) ? CURLUE_MALFORMED_INPUT
                                                : curl_url_set(url, CURLUPART_URL, copy.data, 0);
    if (bad != CURLUE_OK) {
        curl_url_cleanup(url);
        return call_fail(call, bad == CURLUE_OUT_OF_MEMORY ? BP_NO_MEMORY : BP_INVALID,
                         "a request cannot be sent: its URL is not one that can be read (%s); "
                         "write http://host:port/path",
                         curl_url_strerror(bad));
    }
    scheme = part_of(call, url, CURLUPART_SCHEME, 0);
    host = part_of(call, url, CURLUPART_HOST, 0);
    port = part_of(call, url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    path = part_of(call, url, CURLUPART_PATH, 0);
    target->url = part_of(call, url, CURLUPART_URL, 0);
    target->shown = arena_format(call->arena, BP_FMT "://" BP_FMT ":" BP_FMT BP_FMT, BP_ARG(scheme),
                                 BP_ARG(host), BP_ARG(port), BP_ARG(path));
    curl_url_cleanup(url);
    if (arena_is_short(call->arena))
        return call_fail(call, BP_NO_MEMORY, "no memory for the URL of a request");
    target->is_https = bp_str_is(scheme, "https");
    if (!target->is_https && !bp_str_is(scheme, "http"))
        return call_fail(call, BP_INVALID,
                         "a request cannot be sent to " BP_FMT
                         ": only http:// and https:// are spoken",
                         BP_ARG(target->shown));
    if (!is_plain_ascii(host) || !str_to_uint(port, &number) || number == 0 || number > 65535)
        return call_fail(call, BP_INVALID,
                         "a request cannot be sent to " BP_FMT
                         ": write the host in ASCII (xn--...) and a port of 1 to 65535",
                         BP_ARG(target->shown));
    has_brackets = host.len > 2 && host.data[0] == '[';
    target->host = has_brackets ? bp_str_n(host.data + 1, host.len - 2) : host;
    target->port = (uint16_t)number;
    return BP_OK;
}

/* ---- the head of an answer ---- */

static size_t count_lines(bp_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

static int64_t retry_after_ns(bp_str value)
{
    char     text[64];
    uint64_t seconds;
    time_t   date;

    if (str_to_uint(value, &seconds)) {
        seconds = seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds;
    } else {
        snprintf(text, sizeof(text), BP_FMT, (int)(value.len < 63 ? value.len : 63), value.data);
        date = curl_getdate(text, NULL);
        if (date < 0)
            return 0;
        date -= (time_t)(clock_wall_ns() / BP_SECONDS(1));
        seconds = date < 0 ? 0 : date > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint64_t)date;
    }
    return BP_SECONDS(seconds < RETRY_AFTER_MIN_S ? RETRY_AFTER_MIN_S : seconds);
}

static bp_status read_head(bp_call *call, struct http_transfer *transfer,
                           bp_http_response *response)
{
    bp_str          rest = arena_dup(call->arena, buf_str(&transfer->head)), line;
    bp_http_header *headers = arena_alloc(call->arena, (count_lines(rest) + 1) * sizeof(*headers));
    uint32_t        size = response->struct_size;

    if (!headers || rest.len != transfer->head.len)
        return call_fail(call, BP_NO_MEMORY, "no memory for the answer of %s", transfer->shown);
    *response = (bp_http_response){ .struct_size = size,
                                    .status = transfer->status,
                                    .headers = headers };
    while (rest.len) {
        bp_http_header *header = &headers[response->header_count];
        const char     *colon;

        line = str_split(rest, '\n', &rest);
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        colon = line.len ? memchr(line.data, ':', line.len) : NULL;
        if (!colon)
            continue;
        header->name = bp_str_n(line.data, (size_t)(colon - line.data));
        header->value = str_trim(bp_str_n(colon + 1, line.len - header->name.len - 1));
        for (size_t i = 0; i < header->name.len; i++)
            ((char *)header->name.data)[i] = ascii_lower(
                header->name.data[i]); // the copy made above
        if (bp_str_is(header->name, "content-type"))
            response->content_type = header->value;
        else if (bp_str_is(header->name, "retry-after"))
            response->retry_after_ns = retry_after_ns(header->value);
        response->header_count++;
    }
    return BP_OK;
}

static bp_str header_of(const bp_http_response *response, const char *lower_name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (bp_str_is(response->headers[i].name, lower_name))
            return response->headers[i].value;
    return BP_STR("");
}

/* ---- redirects ---- */

static bool is_secret(bp_str name)
{
    static const char *const secret[] = { "authorization", "cookie", "proxy-authorization",
                                          "api-key", "x-api-key" };

    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        if (str_equal_ignore_case(name, bp_str_of(secret[i])))
            return true;
    return false;
}

/* The request for the next hop (RFC 9110 15.4): without its body where the status says so, without
 * credentials when the origin is another one. */
static bp_status follow(bp_call *call, int32_t status, bp_str location, bp_http_request *request,
                        struct http_target *target)
{
    struct http_target next;
    bp_http_header    *kept;
    uint32_t           count = 0;
    bool               is_same, is_get;

    BP_TRY(look_at_url(call, target->url, location, &next));
    is_same = next.port == target->port && next.is_https == target->is_https &&
              str_equal_ignore_case(next.host, target->host);
    is_get = status == 303 || ((status == 301 || status == 302) && request->body.len);
    if (target->is_https && !next.is_https)
        return call_fail(call, BP_UPSTREAM,
                         BP_FMT " leads away from https to " BP_FMT ", which is not followed",
                         BP_ARG(target->shown), BP_ARG(next.shown));
    kept = arena_alloc(call->arena, (request->header_count + 1) * sizeof(*kept));
    if (!kept)
        return call_fail(call, BP_NO_MEMORY, "no memory for a request to " BP_FMT,
                         BP_ARG(next.shown));
    for (uint32_t i = 0; i < request->header_count; i++)
        if ((is_same || !is_secret(request->headers[i].name)) &&
            !(is_get && str_equal_ignore_case(request->headers[i].name, BP_STR("content-type"))))
            kept[count++] = request->headers[i];
    request->headers = kept;
    request->header_count = count;
    if (is_get) {
        request->body = BP_STR("");
        if (!bp_str_is(request->method, "HEAD"))
            request->method = BP_STR("GET");
    }
    *target = next;
    return BP_OK;
}

static bool is_redirect(int32_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The transfer with the head of the answer: the first, or the last of the redirects allowed. */
static bp_status start(bp_call *call, const bp_http_request *given, bool is_stream,
                       bp_http_response *head, struct http_transfer **out)
{
    bp_http_request    request = { 0 };
    struct http_target target;
    uint32_t           left;

    *out = NULL;
    // A plugin that was built with older headers has a shorter one.
    memcpy(&request, given,
           given->struct_size < sizeof(request) ? given->struct_size : sizeof(request));
    left = request.max_redirects;
    if (left > HTTP_CLIENT_REDIRECTS_MAX)
        left = HTTP_CLIENT_REDIRECTS_MAX;
    BP_TRY(look_at_url(call, BP_STR(""), request.url, &target));
    for (;; left--) {
        struct http_transfer *transfer;
        bp_status             status = call_over(call);
        bp_str                location;

        if (status != BP_OK)
            return call_fail_over(call, status, "an HTTP request");
        BP_TRY(http_transfer_start(call, &request, &target, is_stream, &transfer));
        status = http_transfer_wait(call, transfer, HTTP_TRANSFER_HEAD);
        if (status == BP_OK)
            status = read_head(call, transfer, head);
        location = status == BP_OK ? header_of(head, "location") : BP_STR("");
        if (status == BP_OK && (left == 0 || !is_redirect(head->status) || !location.len)) {
            *out = transfer;
            return BP_OK;
        }
        http_transfer_free(transfer);
        BP_TRY(status);
        BP_TRY(follow(call, head->status, location, &request, &target));
    }
}

/* ---- whole answers ---- */

bp_status http_client_fetch(bp_call *call, const bp_http_request *request,
                            bp_http_response *response)
{
    struct http_transfer *transfer;
    bp_status             status;

    BP_TRY(start(call, request, false, response, &transfer));
    status = http_transfer_wait(call, transfer, HTTP_TRANSFER_END);
    if (status == BP_OK) {
        response->body = arena_dup(call->arena, buf_str(&transfer->body));
        if (response->body.len != transfer->body.len)
            status = call_fail(call, BP_NO_MEMORY,
                               "the memory allowed for this call does not hold the answer of %s",
                               transfer->shown);
    }
    http_transfer_free(transfer);
    return status;
}

/* ---- streams ---- */

void http_client_close(bp_http_stream *stream)
{
    if (!stream || !stream->transfer)
        return;
    http_transfer_free(stream->transfer);
    stream->transfer = NULL;
    event_reader_free(&stream->events);
}

bp_call *http_client_stream_call(const bp_http_stream *stream)
{
    return stream->call;
}

static void close_at_end(void *stream)
{
    http_client_close(stream);
}

bp_status http_client_open(bp_call *call, const bp_http_request *request, bp_http_response *head,
                           bp_http_stream **out)
{
    bp_http_stream *stream = arena_alloc(call->arena, sizeof(*stream));

    *out = NULL;
    if (!stream || !arena_on_free(call->arena, close_at_end, stream))
        return call_fail(call, BP_NO_MEMORY, "no memory for a request to another server");
    stream->call = call;
    BP_TRY(start(call, request, true, head, &stream->transfer));
    event_reader_init(&stream->events);
    *out = stream;
    return BP_OK;
}

bp_status http_client_read(bp_call *call, bp_http_stream *stream, bp_str *piece)
{
    struct http_transfer *transfer = stream->transfer;
    struct bp_buf         empty;

    *piece = BP_STR("");
    if (!transfer)
        return call_fail(call, BP_INVALID, "the stream is closed already");
    transfer->last_piece_ns = clock_now_ns(); // the silence counts from when somebody listens
    http_transfer_unpause(transfer);
    BP_TRY(http_transfer_wait(call, transfer, HTTP_TRANSFER_PIECE));
    empty = transfer->taken;
    buf_reset(&empty);
    transfer->taken = transfer->body;
    transfer->body = empty;
    *piece = buf_str(&transfer->taken);
    return BP_OK;
}

bp_status http_client_read_event(bp_call *call, bp_http_stream *stream, size_t max_bytes,
                                 bp_sse_event *event)
{
    uint32_t size = event->struct_size;
    bool     is_complete = false;

    *event = (bp_sse_event){ .struct_size = size };
    while (!is_complete) {
        bp_status status = call_yield_if_due(call);

        if (status != BP_OK)
            return call_fail_over(call, status, "reading events of another server");
        if (!stream->transfer)
            return call_fail(call, BP_INVALID, "the stream is closed already");
        if (!stream->rest.len) {
            BP_TRY(http_client_read(call, stream, &stream->rest));
            if (!stream->rest.len) {
                event->is_end = true;
                return BP_OK;
            }
        }
        status = event_reader_feed(&stream->events, max_bytes, &stream->rest, &is_complete);
        if (status == BP_TOO_LARGE)
            return call_fail(call, status, "%s sent an event of more than %zu bytes",
                             stream->transfer->shown, max_bytes);
        if (status != BP_OK)
            return call_fail(call, status, "no memory for an event of %s", stream->transfer->shown);
    }
    event->event = buf_str(&stream->events.type);
    event->data = buf_str(&stream->events.data);
    event->id = buf_str(&stream->events.id);
    return BP_OK;
}
