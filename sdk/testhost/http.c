/* http.c - faked: the network behind the HTTP client. Answers are scripted, requests recorded. */
#include "host.h"

#include <stdlib.h>
#include <strings.h>

static void free_answer(void *item)
{
    struct http_answer *answer = item;
    free(answer->method);
    free(answer->url);
    free(answer->headers);
    free(answer->body);
    free(answer);
}

static void free_request(void *item)
{
    struct http_request *request = item;
    free(request->method);
    free(request->url);
    free(request->headers);
    free(request->body);
    free(request);
}

void http_free(testhost *host)
{
    list_free(&host->answers, free_answer);
    list_free(&host->requests, free_request);
}

/* ---- the script ---- */

static struct http_answer *answer_add(testhost *host, const char *method, const char *url)
{
    struct http_answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        abort();
    answer->method = copy_text(bp_str_of(method));
    answer->url = copy_text(bp_str_of(url));
    pthread_mutex_lock(&host->lock);
    list_add(&host->answers, answer);
    pthread_mutex_unlock(&host->lock);
    return answer;
}

void testhost_http_answer(testhost *host, const char *method, const char *url, int32_t status,
                          const char *headers, bp_str body)
{
    struct http_answer *answer = answer_add(host, method, url);
    answer->status = status;
    answer->headers = copy_text(bp_str_of(headers ? headers : ""));
    answer->body = copy_text(body);
    answer->body_len = body.len;
}

void testhost_http_failure(testhost *host, const char *method, const char *url, bp_status status,
                           const char *message)
{
    struct http_answer *answer = answer_add(host, method, url);
    answer->failure = status;
    answer->body = copy_text(bp_str_of(message));
}

void testhost_http_piece_size(testhost *host, size_t bytes)
{
    host->piece_size = bytes ? bytes : 1;
}
void testhost_http_break_after(testhost *host, size_t bytes)
{
    host->break_after = bytes;
}

size_t testhost_request_count(testhost *host)
{
    return host->requests.count;
}

testhost_request testhost_request_at(testhost *host, size_t index)
{
    testhost_request out = { 0 };
    if (index < host->requests.count) {
        const struct http_request *request = host->requests.items[index];
        out = (testhost_request){ request->method, request->url, request->headers,
                                  bp_str_n(request->body, request->body_len) };
    }
    return out;
}

/* The first one not used yet, or else the last one that fits. */
static struct http_answer *answer_for(testhost *host, const char *method, bp_str url)
{
    struct http_answer *last = NULL;
    for (size_t i = 0; i < host->answers.count; i++) {
        struct http_answer *answer = host->answers.items[i];
        if (strcasecmp(answer->method, method) != 0 || !bp_str_is(url, answer->url))
            continue;
        last = answer;
        if (!answer->is_used)
            break;
    }
    if (last)
        last->is_used = true;
    return last;
}

/* ---- the service ---- */

static void record(testhost *host, const char *method, const bp_http_request *request)
{
    struct http_request *made = calloc(1, sizeof(*made));
    size_t               len = 1;

    if (!made)
        abort();
    for (uint32_t i = 0; i < request->header_count; i++)
        len += request->headers[i].name.len + request->headers[i].value.len + 4;
    made->headers = calloc(1, len);
    if (!made->headers)
        abort();
    for (uint32_t i = 0, at = 0; i < request->header_count; i++)
        at += (uint32_t)snprintf(made->headers + at, len - at, "%.*s: %.*s\r\n",
                                 (int)request->headers[i].name.len, request->headers[i].name.data,
                                 (int)request->headers[i].value.len,
                                 request->headers[i].value.data ? request->headers[i].value.data
                                                                : "");
    made->method = copy_text(bp_str_of(method));
    made->url = copy_text(request->url);
    made->body = copy_text(request->body);
    made->body_len = request->body.len;
    list_add(&host->requests, made);
}

/* "Name: value\r\n" lines into headers with names in lower case. */
static bp_status headers_of(bp_call *call, const char *lines, bp_http_response *response)
{
    bp_http_header *headers = BP_NEW_ARRAY(call, bp_http_header, strlen(lines) / 3 + 1);
    size_t          count = 0;

    if (!headers)
        return BP_NO_MEMORY;
    while (*lines) {
        const char *end = strstr(lines, "\r\n");
        const char *colon = strchr(lines, ':');
        if (!end)
            end = lines + strlen(lines);
        if (colon && colon < end) {
            bp_str name = bp_dup(call, bp_str_n(lines, (size_t)(colon - lines)));
            for (size_t i = 0; i < name.len; i++)
                if (name.data[i] >= 'A' && name.data[i] <= 'Z')
                    ((char *)(uintptr_t)name.data)[i] = (char)(name.data[i] + 32);
            colon++;
            while (colon < end && *colon == ' ')
                colon++;
            headers[count].name = name;
            headers[count].value = bp_dup(call, bp_str_n(colon, (size_t)(end - colon)));
            if (bp_str_is(name, "content-type"))
                response->content_type = headers[count].value;
            if (bp_str_is(name, "retry-after")) {
                int64_t seconds = strtoll(headers[count].value.data, NULL, 10);
                response->retry_after_ns = BP_SECONDS(seconds < 1     ? 1
                                                      : seconds > 300 ? 300
                                                                      : seconds);
            }
            count++;
        }
        lines = *end ? end + 2 : end;
    }
    response->headers = headers;
    response->header_count = count;
    return BP_OK;
}

static bp_status exchange(bp_call *call, const bp_http_request *request, bp_http_response *response,
                          bp_str *body)
{
    testhost           *host = call->host;
    struct http_answer *answer;
    char                method[16];

    BP_TRY(call_check(call));
    if (!bp_str_starts(request->url, "http://") && !bp_str_starts(request->url, "https://"))
        return bp_fail(call, BP_INVALID, "\"" BP_FMT "\" is not an http:// or https:// URL",
                       BP_ARG(request->url));
    snprintf(method, sizeof(method), "%.*s", (int)request->method.len,
             request->method.len ? request->method.data : "");
    if (!method[0])
        snprintf(method, sizeof(method), "%s", request->body.len ? "POST" : "GET");
    pthread_mutex_lock(&host->lock);
    record(host, method, request);
    answer = answer_for(host, method, request->url);
    pthread_mutex_unlock(&host->lock);
    if (!answer)
        return bp_fail(call, BP_UNAVAILABLE, "nothing is scripted for %s " BP_FMT, method,
                       BP_ARG(request->url));
    if (answer->failure != BP_OK)
        return bp_fail(call, answer->failure, "%s", answer->body);
    *response = (bp_http_response){ .struct_size = sizeof(*response), .status = answer->status };
    *body = bp_str_n(answer->body, answer->body_len);
    return headers_of(call, answer->headers, response);
}

static bp_status http_fetch(bp_call *call, const bp_http_request *request,
                            bp_http_response *response)
{
    size_t max = request->max_response_bytes ? request->max_response_bytes : (size_t)32 << 20;
    bp_str body = { NULL, 0 };

    BP_TRY(exchange(call, request, response, &body));
    if (body.len > max)
        return bp_fail(call, BP_TOO_LARGE, "the answer of " BP_FMT " is larger than %zu bytes",
                       BP_ARG(request->url), max);
    response->body = bp_dup(call, body);
    return BP_OK;
}

struct bp_http_stream {
    bp_call *call;
    bp_str   body;
    size_t   at, max_bytes;
    char     piece[4096]; /* overwritten by the next read, as with the real host */
};

void http_stream_end(void *arg)
{
    struct bp_http_stream *stream = arg;
    atomic_fetch_sub(&stream->call->host->open.http_streams, 1);
    free(stream);
}

static bp_status http_open(bp_call *call, const bp_http_request *request, bp_http_response *head,
                           bp_http_stream **stream)
{
    bp_str body;

    BP_TRY(exchange(call, request, head, &body));
    *stream = calloc(1, sizeof(**stream));
    if (!*stream)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a stream");
    (*stream)->call = call;
    (*stream)->body = body;
    // Without a limit it may go on as long as its call.
    (*stream)->max_bytes = request->max_response_bytes ? request->max_response_bytes : SIZE_MAX;
    list_add(&call->http_streams, *stream);
    atomic_fetch_add(&call->host->open.http_streams, 1);
    return BP_OK;
}

static bp_status http_read(bp_call *call, bp_http_stream *stream, bp_str *piece)
{
    size_t left = stream->body.len - stream->at;
    size_t len = left < call->host->piece_size ? left : call->host->piece_size;

    BP_TRY(call_check(call));
    if (len > sizeof(stream->piece))
        len = sizeof(stream->piece);
    if (stream->at + len > call->host->break_after)
        return bp_fail(call, BP_UPSTREAM, "the answer broke off behind byte %zu", stream->at);
    if (stream->at + len > stream->max_bytes)
        return bp_fail(call, BP_TOO_LARGE, "the answer is larger than %zu bytes",
                       stream->max_bytes);
    if (len)
        memcpy(stream->piece, stream->body.data + stream->at, len);
    stream->at += len;
    *piece = bp_str_n(stream->piece, len);
    return BP_OK;
}

static bp_str line_of(const struct bp_http_stream *stream, size_t *next)
{
    const char *start = stream->body.data + stream->at;
    size_t      left = stream->body.len - stream->at;
    const char *newline = left ? memchr(start, '\n', left) : NULL;
    size_t      len = newline ? (size_t)(newline - start) : left;

    *next = stream->at + len + (newline ? 1 : 0);
    if (len && start[len - 1] == '\r')
        len--;
    return bp_str_n(start, len);
}

/* A field's value: behind the colon and one blank. */
static bp_str value_of(bp_str line, size_t name_len)
{
    bp_str value = bp_str_n(line.data + name_len + 1, line.len - name_len - 1);
    if (value.len && value.data[0] == ' ')
        value = bp_str_n(value.data + 1, value.len - 1);
    return value;
}

static bp_status http_read_event(bp_call *call, bp_http_stream *stream, size_t max_bytes,
                                 bp_sse_event *event)
{
    bp_buf *data = bp_buf_new(call, max_bytes);
    bool    has_data = false;

    *event = (bp_sse_event){ .struct_size = sizeof(*event) };
    for (;;) {
        size_t next;
        bp_str line = line_of(stream, &next);

        BP_TRY(call_check(call));
        if (stream->at >= call->host->break_after)
            return bp_fail(call, BP_UPSTREAM, "the answer broke off behind byte %zu", stream->at);
        if (stream->at >= stream->body.len) { /* an event without its blank line is none */
            event->is_end = true;
            return BP_OK;
        }
        stream->at = next;
        if (line.len == 0 && has_data)
            break;
        if (bp_str_starts(line, "data:")) {
            if (has_data)
                bp_buf_add(data, BP_STR("\n"));
            bp_buf_add(data, value_of(line, 4));
            has_data = true;
        } else if (bp_str_starts(line, "event:")) {
            event->event = bp_dup(call, value_of(line, 5));
        } else if (bp_str_starts(line, "id:")) {
            event->id = bp_dup(call, value_of(line, 2));
        }
    }
    if (bp_buf_status(data) != BP_OK)
        return bp_fail(call, bp_buf_status(data), "an event is larger than %zu bytes", max_bytes);
    event->data = bp_buf_str(data);
    return BP_OK;
}

static void http_close(bp_http_stream *stream)
{
    list_remove(&stream->call->http_streams, stream);
    http_stream_end(stream);
}

const bp_http_service http_service = {
    .struct_size = sizeof(bp_http_service),
    .fetch = http_fetch,
    .open = http_open,
    .read = http_read,
    .read_event = http_read_event,
    .close = http_close,
};
