/* response.c - the head of an answer, and the answers that the server gives by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"
#include "base/str.h"
#include "net/connection.h"

/* clang-format off */ // which makes stairs of so long a list
#define STATUS_MAP(X) \
    X(100, "Continue") \
    X(101, "Switching Protocols") \
    X(200, "OK") \
    X(201, "Created") \
    X(202, "Accepted") \
    X(204, "No Content") \
    X(206, "Partial Content") \
    X(301, "Moved Permanently") \
    X(302, "Found") \
    X(303, "See Other") \
    X(304, "Not Modified") \
    X(307, "Temporary Redirect") \
    X(308, "Permanent Redirect") \
    X(400, "Bad Request") \
    X(401, "Unauthorized") \
    X(402, "Payment Required") \
    X(403, "Forbidden") \
    X(404, "Not Found") \
    X(405, "Method Not Allowed") \
    X(406, "Not Acceptable") \
    X(408, "Request Timeout") \
    X(409, "Conflict") \
    X(410, "Gone") \
    X(411, "Length Required") \
    X(412, "Precondition Failed") \
    X(413, "Content Too Large") \
    X(414, "URI Too Long") \
    X(415, "Unsupported Media Type") \
    X(416, "Range Not Satisfiable") \
    X(417, "Expectation Failed") \
    X(421, "Misdirected Request") \
    X(422, "Unprocessable Content") \
    X(425, "Too Early") \
    X(426, "Upgrade Required") \
    X(428, "Precondition Required") \
    X(429, "Too Many Requests") \
    X(431, "Request Header Fields Too Large") \
    X(499, "Client Closed Request") \
    X(500, "Internal Server Error") \
    X(501, "Not Implemented") \
    X(502, "Bad Gateway") \
    X(503, "Service Unavailable") \
    X(504, "Gateway Timeout") \
    X(505, "HTTP Version Not Supported") \
    X(507, "Insufficient Storage")
/* clang-format on */

const char *http_status_text(int32_t status)
{
    switch (status) {
#define STATUS_CASE(number, text)                                                                  \
    case number:                                                                                   \
        return text;
        STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
    default:
        return "Unknown";
    }
}

const char *response_error_code(int32_t status)
{
    switch (status) {
    case 408:
        return bp_status_label(BP_DEADLINE);
    case 413:
    case 414:
    case 431:
        return bp_status_label(BP_TOO_LARGE);
    case 501:
    case 505:
        return bp_status_label(BP_UNSUPPORTED);
    case 503:
        return bp_status_label(BP_UNAVAILABLE);
    default:
        return bp_status_label(BP_INVALID);
    }
}

static const char *date_of(struct http_server *server)
{
    int64_t   now_s = (int64_t)time(NULL);
    time_t    now = (time_t)now_s;
    struct tm utc;

    if (now_s != server->date_s && gmtime_r(&now, &utc)) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSep"
                                                                       "OctNovDec";

        snprintf(server->date, sizeof(server->date), "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                 days + 3 * utc.tm_wday, (unsigned)utc.tm_mday % 100, months + 3 * utc.tm_mon,
                 (unsigned)(utc.tm_year + 1900) % 10000, (unsigned)utc.tm_hour % 100,
                 (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100);
        server->date_s = now_s;
    }
    return server->date;
}

static void add(struct bp_buf *out, bp_str text)
{
    memcpy(out->data + out->len, text.data, text.len);
    out->len += text.len;
}

static void add_number(struct bp_buf *out, uint64_t number)
{
    char digits[24];

    add(out, str_from_int((int64_t)number, digits));
}

bp_status response_write_head(struct exchange *exchange, int32_t status, bp_str content_type,
                              int64_t length, char room[HEADER_ROOM_BYTES], struct bp_buf *out)
{
    bp_str headers = exchange->headers.len ? buf_str(&exchange->headers) : bp_str_n("", 0);
    size_t need = 300 + content_type.len + headers.len; // every line below, at its longest
    bool   has_body = status >= 200 && status != 204 && status != 304;
    bool   is_old = exchange->request.minor == 0;

    exchange->is_chunked = length < 0 && has_body && !is_old;
    exchange->is_bodiless = !has_body || exchange->request.method == HTTP1_HEAD;
    if (length < 0 && has_body && is_old)
        exchange->closes = true; // HTTP/1.0 knows no other end of a stream
    buf_init(out, NULL, need);
    out->data = need <= HEADER_ROOM_BYTES ? room : malloc(need);
    if (!out->data)
        return BP_NO_MEMORY;
    out->capacity = need;
    add(out, BP_STR("HTTP/1.1 "));
    add_number(out, (uint64_t)status);
    add(out, BP_STR(" "));
    add(out, bp_str_of(http_status_text(status)));
    add(out, BP_STR("\r\nDate: "));
    add(out, bp_str_of(date_of(exchange->connection->server)));
    add(out, BP_STR("\r\n"));
    if (content_type.len) {
        add(out, BP_STR("Content-Type: "));
        add(out, content_type);
        add(out, BP_STR("\r\n"));
    }
    if (has_body && length >= 0) {
        add(out, BP_STR("Content-Length: "));
        add_number(out, (uint64_t)length);
        add(out, BP_STR("\r\n"));
    } else if (exchange->is_chunked) {
        add(out, BP_STR("Transfer-Encoding: chunked\r\n"));
    }
    if (exchange->closes || exchange->connection->server->is_draining) {
        exchange->closes = true;
        add(out, BP_STR("Connection: close\r\n"));
    } else if (is_old) {
        add(out, BP_STR("Connection: keep-alive\r\n"));
    }
    add(out, headers);
    add(out, BP_STR("\r\n"));
    return BP_OK;
}

void response_error_body(struct bp_buf *out, const char *code, bp_str message)
{
    struct bp_json_writer json;

    json_writer_init(&json, out);
    json_begin(&json, JSON_KIND_OBJECT);
    json_key(&json, BP_STR("error"));
    json_begin(&json, JSON_KIND_OBJECT);
    json_put_text(&json, "code", code);
    json_put_string(&json, "message", message);
    json_end(&json);
    json_end(&json);
}

size_t response_own_error(struct http_server *server, int status, const char *why, bool is_head,
                          char *out, size_t out_size)
{
    char          body[512];
    struct bp_buf json;
    bp_str        text;
    int           len;

    buf_init(&json, NULL, sizeof(body));
    response_error_body(&json, response_error_code(status), bp_str_of(why));
    text = buf_str(&json);
    len = snprintf(out, out_size,
                   "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n%s"
                   "Connection: close\r\n\r\n" BP_FMT,
                   status, http_status_text(status), date_of(server), text.len,
                   status == 503 ? "Retry-After: 1\r\n" : "",
                   BP_ARG(bp_str_n(text.data, is_head ? 0 : text.len)));
    buf_free(&json);
    return len > 0 && (size_t)len < out_size ? (size_t)len : 0;
}

bp_str response_overload(void)
{
    return BP_STR("HTTP/1.1 503 Service Unavailable\r\nContent-Type: "
                  "application/json\r\nContent-Length: 94\r\n"
                  "Retry-After: 1\r\nConnection: close\r\n\r\n"
                  "{\"error\":{\"code\":\"unavailable\",\"message\":\"the server has as many "
                  "connections as it may hold\"}}");
}
