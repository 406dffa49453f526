/* http1.c - the head of a request: request line, header lines, and what they mean together.
 *
 * A line is looked at only when its LF is there, found by memchr within the bytes the limits leave.
 * That makes the reader fast, and independent of how the bytes came: a line is either complete, or
 * incomplete and short, or too long, whatever the pieces were. The one exception is the very first
 * byte, which is judged at once so that a TLS client need not wait for a timeout.
 */
#include "net/http1.h"

#include "net/ascii.h"
#include "net/url.h"

const struct http1_limits http1_default_limits = {
    .request_line_bytes = 8192,
    .header_line_bytes = 8192,
    .header_block_bytes = 32768,
    .header_count = HTTP1_MAX_HEADERS,
    .chunk_extension_bytes = 256,
    .chunk_extensions_bytes = 16384,
};

enum { STATE_START, STATE_REQUEST_LINE, STATE_HEADERS, STATE_DONE, STATE_REFUSED };

enum { SEEN_HOST = 1, SEEN_LENGTH = 2, SEEN_CODING = 4, SEEN_CLOSE = 8, SEEN_KEEP_ALIVE = 16 };

enum { CODING_CHUNKED = 1, CODING_MISPLACED = 2, CODING_UNKNOWN = 3 };

static const struct {
    const char *name;
    uint8_t     len;
} methods[] = {
    [HTTP1_GET] = { "GET", 3 },         [HTTP1_HEAD] = { "HEAD", 4 },
    [HTTP1_POST] = { "POST", 4 },       [HTTP1_PUT] = { "PUT", 3 },
    [HTTP1_PATCH] = { "PATCH", 5 },     [HTTP1_DELETE] = { "DELETE", 6 },
    [HTTP1_OPTIONS] = { "OPTIONS", 7 }, [HTTP1_TRACE] = { "TRACE", 5 },
};

static bool refuse(struct http1_request *request, int status, const char *why)
{
    request->verdict.status = status;
    request->verdict.why = why;
    request->state = STATE_REFUSED;
    return false;
}

void http1_request_init(struct http1_request *request, const struct http1_limits *limits)
{
    memset(request, 0, offsetof(struct http1_request, headers));
    request->limits = limits;
    request->content_length = -1;
}

bp_str http1_method_name(enum http1_method method)
{
    return bp_str_n(methods[method].name, methods[method].len);
}

bool http1_header_next(const struct http1_request *request, const char *head, bp_str name,
                       uint32_t *index, bp_str *value)
{
    while (*index < request->header_count) {
        const struct http1_header *header = &request->headers[(*index)++];

        if (header->name.len == name.len &&
            ascii_equal_lower(head + header->name.at, name.len, name.data, name.len)) {
            *value = http1_str(head, header->value);
            return true;
        }
    }
    return false;
}

/* ---- the request line ---- */

static struct http1_slice slice_of(const char *head, const char *at, const char *end)
{
    return (struct http1_slice){ (uint32_t)(at - head), (uint32_t)(end - at) };
}

static bool read_version(struct http1_request *request, const char *at, const char *end)
{
    if (end - at != 8 || memcmp(at, "HTTP/", 5) != 0 || !ascii_is(at[5], ASCII_DIGIT) ||
        at[6] != '.' || !ascii_is(at[7], ASCII_DIGIT))
        return refuse(request, 400,
                      "the request line does not end with HTTP/ and a version of two digits");
    if (at[5] != '1' || at[7] > '1')
        return refuse(request, 505, "this server speaks HTTP/1.1 only");
    request->minor = (uint8_t)(at[7] - '0');
    return true;
}

static bool read_method(struct http1_request *request, const char *at, const char *end)
{
    size_t len = (size_t)(end - at);

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (methods[i].len == len && memcmp(methods[i].name, at, len) == 0) {
            request->method = (uint8_t)i;
            return true;
        }
    if (len == 7 && memcmp(at, "CONNECT", 7) == 0)
        return refuse(request, 400, "CONNECT asks for a proxy, which this server is not");
    for (; at < end; at++)
        if (!ascii_is(*at, ASCII_TOKEN) || (*at >= 'a' && *at <= 'z'))
            return refuse(request, 400, "the method is not a word in capital letters");
    return refuse(request, 501, "this server does not know the method");
}

/* The part of the target from the path on; empty only behind an authority. */
static bool read_path(struct http1_request *request, const char *head, const char *at,
                      const char *end)
{
    const char *mark = memchr(at, '?', (size_t)(end - at));
    const char *path_end = mark ? mark : end;
    const char *fault = NULL;

    request->path = slice_of(head, at, path_end);
    request->path_is_plain = true;
    if (!request->is_absolute || path_end > at)
        fault = url_path_fault(bp_str_n(at, (size_t)(path_end - at)), &request->path_is_plain);
    if (!fault && mark) {
        request->query = slice_of(head, mark + 1, end);
        fault = url_query_fault(bp_str_n(mark + 1, (size_t)(end - mark - 1)));
    }
    return fault ? refuse(request, 400, fault) : true;
}

static bool read_absolute(struct http1_request *request, const char *head, const char *at,
                          const char *end)
{
    size_t      len = (size_t)(end - at);
    const char *authority, *authority_end, *fault;

    if (len > 7 && ascii_equal_lower(at, 7, "http://", 7))
        authority = at + 7;
    else if (len > 8 && ascii_equal_lower(at, 8, "https://", 8))
        authority = at + 8;
    else
        return refuse(request, 400, "the request target is neither a path nor an http URL");
    for (authority_end = authority; authority_end < end; authority_end++)
        if (*authority_end == '/' || *authority_end == '?' || *authority_end == '#')
            break;
    fault = url_authority_fault(bp_str_n(authority, (size_t)(authority_end - authority)));
    if (fault)
        return refuse(request, 400, fault);
    request->is_absolute = true;
    request->host = slice_of(head, authority, authority_end);
    return read_path(request, head, authority_end, end);
}

static bool read_request_line(struct http1_request *request, const char *head, const char *at,
                              const char *end)
{
    const char *method_end = memchr(at, ' ', (size_t)(end - at));
    const char *target, *target_end;

    if (!method_end)
        return refuse(request, 400, "the request line has no target");
    target = method_end + 1;
    target_end = memchr(target, ' ', (size_t)(end - target));
    if (!target_end)
        return refuse(request, 400, "the request line has no version; HTTP/0.9 is not served");
    if (target_end == target)
        return refuse(request, 400, "the request line has more than one space between its parts");
    if (!read_version(request, target_end + 1, end) || !read_method(request, at, method_end))
        return false;
    request->target = slice_of(head, target, target_end);
    if (*target == '/')
        return read_path(request, head, target, target_end);
    if (*target == '*' && target_end - target == 1) {
        request->is_asterisk = true;
        return request->method == HTTP1_OPTIONS ||
               refuse(request, 400, "the target * is for OPTIONS only");
    }
    return read_absolute(request, head, target, target_end);
}

/* ---- header lines ---- */

static bool read_content_length(struct http1_request *request, const char *at, size_t len)
{
    int64_t value = 0;

    if (request->seen & SEEN_LENGTH)
        return refuse(request, 400, "there is more than one Content-Length");
    request->seen |= SEEN_LENGTH;
    if (len == 0)
        return refuse(request, 400, "Content-Length is empty");
    for (size_t i = 0; i < len; i++) {
        if (!ascii_is(at[i], ASCII_DIGIT))
            return refuse(request, 400, "Content-Length is not a number of digits only");
        if (value > (INT64_MAX - (at[i] - '0')) / 10)
            return refuse(request, 400, "Content-Length is too large a number");
        value = value * 10 + (at[i] - '0');
    }
    request->content_length = value;
    return true;
}

/* Takes the next element off a comma-separated list, without the blanks around it. */
static bool next_element(const char **at, const char *end, const char **element, size_t *len)
{
    const char *from = *at, *comma, *to;

    if (from > end)
        return false;
    comma = memchr(from, ',', (size_t)(end - from));
    to = comma ? comma : end;
    *at = to + 1;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *element = from;
    *len = (size_t)(to - from);
    return true;
}

static bool read_transfer_encoding(struct http1_request *request, const char *at, size_t len)
{
    const char *end = at + len, *element;
    size_t      element_len;
    bool        was_chunked = false;

    if (request->seen & SEEN_CODING)
        return refuse(request, 400, "there is more than one Transfer-Encoding");
    request->seen |= SEEN_CODING;
    if (len == 0)
        return refuse(request, 400, "Transfer-Encoding is empty");
    if (ascii_equal_lower(at, len, "chunked", 7)) {
        request->coding = CODING_CHUNKED;
        return true;
    }
    request->coding = CODING_UNKNOWN;
    while (next_element(&at, end, &element, &element_len)) {
        if (was_chunked)
            request->coding = CODING_MISPLACED;
        if (ascii_equal_lower(element, element_len, "chunked", 7))
            was_chunked = true;
    }
    return true;
}

static bool read_connection(struct http1_request *request, const char *at, size_t len)
{
    const char *end = at + len, *element;
    size_t      element_len;

    while (next_element(&at, end, &element, &element_len)) {
        if (ascii_equal_lower(element, element_len, "close", 5))
            request->seen |= SEEN_CLOSE;
        else if (ascii_equal_lower(element, element_len, "keep-alive", 10))
            request->seen |= SEEN_KEEP_ALIVE;
    }
    return true;
}

static bool read_host(struct http1_request *request, const char *head, const char *at, size_t len)
{
    const char *fault;

    if (request->seen & SEEN_HOST)
        return refuse(request, 400, "there is more than one Host");
    request->seen |= SEEN_HOST;
    fault = url_authority_fault(bp_str_n(at, len));
    if (fault)
        return refuse(request, 400, fault);
    if (!request->is_absolute) /* RFC 9112 3.2.2: the target's authority goes before the header */
        request->host = slice_of(head, at, at + len);
    return true;
}

static bool read_expect(struct http1_request *request, const char *at, size_t len)
{
    if (!ascii_equal_lower(at, len, "100-continue", 12))
        return refuse(request, 417, "the only expectation this server can meet is 100-continue");
    request->expects_continue = request->minor == 1; /* RFC 9110 10.1.1: ignored in HTTP/1.0 */
    return true;
}

/* What only the server above looks at is found by name later; here are the headers that frame a
 * message. */
static bool read_known(struct http1_request *request, const char *head, const char *name,
                       size_t name_len, const char *value, size_t value_len)
{
    switch (name_len) {
    case 4:
        return !ascii_equal_lower(name, 4, "host", 4) || read_host(request, head, value, value_len);
    case 6:
        return !ascii_equal_lower(name, 6, "expect", 6) || read_expect(request, value, value_len);
    case 10:
        return !ascii_equal_lower(name, 10, "connection", 10) ||
               read_connection(request, value, value_len);
    case 14:
        return !ascii_equal_lower(name, 14, "content-length", 14) ||
               read_content_length(request, value, value_len);
    case 17:
        return !ascii_equal_lower(name, 17, "transfer-encoding", 17) ||
               read_transfer_encoding(request, value, value_len);
    default:
        return true;
    }
}

static bool frames_the_message(const char *name, size_t len)
{
    return ascii_equal_lower(name, len, "content-length", 14) ||
           ascii_equal_lower(name, len, "transfer-encoding", 17);
}

static bool read_header_line(struct http1_request *request, const char *head, const char *at,
                             const char *end)
{
    const char          *colon = at, *value, *value_end = end;
    struct http1_header *header;

    if (*at == ' ' || *at == '\t')
        return refuse(request, 400,
                      "a header line begins with a blank; folded lines are not accepted");
    while (colon < end && ascii_is(*colon, ASCII_TOKEN))
        colon++;
    if (colon == end)
        return refuse(request, 400, "a header line has no colon");
    if (*colon != ':')
        return refuse(request, 400, "a header name has a byte that may not stand in it");
    if (colon == at)
        return refuse(request, 400, "a header name is empty");
    for (value = colon + 1; value < end && (*value == ' ' || *value == '\t');)
        value++;
    while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
        value_end--;
    if (ascii_has_control(value, (size_t)(value_end - value)))
        return refuse(request, 400, "a header value has a control byte");
    /* RFC 9110 5.5 has a tab taken off like a blank; nginx and llhttp take it for a part of the
     * value, and where two readers differ about the end of a message there must be none. */
    if (frames_the_message(at, (size_t)(colon - at)) && memchr(colon, '\t', (size_t)(end - colon)))
        return refuse(request, 400, "a tab stands in a header that frames the message");
    if (request->header_count == request->limits->header_count ||
        request->header_count == HTTP1_MAX_HEADERS)
        return refuse(request, 431, "there are too many headers");
    header = &request->headers[request->header_count++];
    header->name = slice_of(head, at, colon);
    header->value = slice_of(head, value, value_end);
    return read_known(request, head, at, (size_t)(colon - at), value, (size_t)(value_end - value));
}

/* ---- what the lines mean together: RFC 9112 6.3 ---- */

static bool finish(struct http1_request *request)
{
    if (!(request->seen & SEEN_HOST) && request->minor == 1)
        return refuse(request, 400, "there is no Host header");
    if (request->seen & SEEN_CODING) {
        if (request->minor == 0)
            return refuse(request, 400, "Transfer-Encoding does not exist in HTTP/1.0");
        if (request->seen & SEEN_LENGTH)
            return refuse(request, 400, "there are both Content-Length and Transfer-Encoding");
        if (request->coding == CODING_MISPLACED)
            return refuse(request, 400, "the transfer coding chunked is not the last one");
        if (request->coding != CODING_CHUNKED)
            return refuse(request, 501, "the only transfer coding this server knows is chunked");
        request->body_kind = HTTP1_BODY_CHUNKED;
    } else if (request->content_length > 0) {
        request->body_kind = HTTP1_BODY_LENGTH;
    }
    if (request->body_kind == HTTP1_BODY_NONE)
        request->expects_continue = false;
    request->is_keep_alive = !(request->seen & SEEN_CLOSE) &&
                             (request->minor == 1 || request->seen & SEEN_KEEP_ALIVE);
    request->state = STATE_DONE;
    return true;
}

/* ---- lines ---- */

/* RFC 9112 2.2: one empty line before the request line is ignored. False when it cannot go on. */
static bool read_start(struct http1_request *request, const char *head, size_t len)
{
    char first;

    if (request->next == 0 && len >= 2 && head[0] == '\r' && head[1] == '\n')
        request->next = 2;
    if (len == request->next || (len == 1 && head[0] == '\r'))
        return false;
    first = head[request->next];
    if (first == 0x16)
        return refuse(request, 400, "this is a TLS client, but the port speaks plain HTTP");
    if (first < 'A' || first > 'Z')
        return refuse(request, 400, "a request begins with a method in capital letters");
    request->state = STATE_REQUEST_LINE;
    return true;
}

/* How many bytes the line that begins at request->next may take with its CRLF. */
static size_t line_room(const struct http1_request *request)
{
    size_t room, left;

    if (request->state == STATE_REQUEST_LINE)
        return (size_t)request->limits->request_line_bytes + 2;
    room = (size_t)request->limits->header_line_bytes + 2;
    left = request->limits->header_block_bytes - (request->next - request->block_at);
    return left < room ? left : room;
}

static bool read_line(struct http1_request *request, const char *head, const char *at,
                      const char *end)
{
    if (request->state == STATE_REQUEST_LINE) {
        if (!read_request_line(request, head, at, end))
            return false;
        request->state = STATE_HEADERS;
        return true;
    }
    return at == end ? finish(request) : read_header_line(request, head, at, end);
}

static bool refuse_long_line(struct http1_request *request)
{
    if (request->state == STATE_REQUEST_LINE)
        return refuse(request, 414, "the request line is too long");
    return refuse(request, 431, "a header line, or all of them together, are too long");
}

enum http1_progress http1_request_parse(struct http1_request *request, const char *head, size_t len)
{
    if (request->state == STATE_START && !read_start(request, head, len))
        return request->state == STATE_REFUSED ? HTTP1_REFUSED : HTTP1_MORE;
    while (request->state == STATE_REQUEST_LINE || request->state == STATE_HEADERS) {
        const char *at = head + request->next;
        size_t      have = len - request->next, room = line_room(request);
        const char *line_feed = memchr(at, '\n', have < room ? have : room);

        if (!line_feed) {
            if (have < room)
                return HTTP1_MORE;
            refuse_long_line(request);
            break;
        }
        if (line_feed == at || line_feed[-1] != '\r') {
            refuse(request, 400, "a line ends with LF alone instead of CRLF");
            break;
        }
        if (!read_line(request, head, at, line_feed - 1))
            break;
        request->next = (uint32_t)(line_feed + 1 - head);
        if (request->block_at == 0)
            request->block_at = request->next;
    }
    return request->state == STATE_DONE ? HTTP1_DONE : HTTP1_REFUSED;
}
