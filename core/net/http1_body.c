/* http1_body.c - the body of a request: a counted number of bytes, or chunks with extensions and
 * trailers.
 *
 * Content passes as slices, in bulk; only the framing between two chunks goes byte by byte.
 * Extensions and trailers are checked, counted and dropped: nobody above may come to depend on
 * them.
 */
#include "net/ascii.h"
#include "net/http1.h"

enum {
    BODY_SIZE,
    BODY_EXTENSION_NAME, /* ;name=value;name="quoted value" with nothing between: RFC 9112 7.1.1
                            without BWS */
    BODY_EXTENSION_VALUE,
    BODY_EXTENSION_QUOTED,
    BODY_EXTENSION_QUOTED_PAIR,
    BODY_EXTENSION_QUOTED_END,
    BODY_SIZE_LF,
    BODY_CONTENT,
    BODY_CONTENT_CR,
    BODY_CONTENT_LF,
    BODY_TRAILER_START,
    BODY_TRAILER_NAME,
    BODY_TRAILER_VALUE,
    BODY_TRAILER_LF,
    BODY_LAST_LF,
    BODY_DONE,
    BODY_REFUSED,
};

enum { MAX_SIZE_DIGITS = 16 };

void http1_body_init(struct http1_body *body, const struct http1_request *request)
{
    *body = (struct http1_body){
        .limits = request->limits,
        .left = request->body_kind == HTTP1_BODY_LENGTH ? request->content_length : 0,
        .block_bytes = request->next - request->block_at,
        .header_count = request->header_count,
        .kind = request->body_kind,
        .state = request->body_kind == HTTP1_BODY_CHUNKED  ? BODY_SIZE
                 : request->body_kind == HTTP1_BODY_LENGTH ? BODY_CONTENT
                                                           : BODY_DONE,
    };
}

static void refuse(struct http1_body *body, int status, const char *why)
{
    body->verdict.status = status;
    body->verdict.why = why;
    body->state = BODY_REFUSED;
}

static void count_extension_byte(struct http1_body *body)
{
    if (++body->extension_bytes > body->limits->chunk_extension_bytes ||
        ++body->extensions_bytes > body->limits->chunk_extensions_bytes)
        refuse(body, 400, "the chunk extensions are too long");
}

/* A name or a value follows, and is not empty. */
static void begin_extension(struct http1_body *body, uint8_t state)
{
    body->state = state;
    body->is_word_empty = true;
}

static void read_size(struct http1_body *body, char byte)
{
    if (ascii_is(byte, ASCII_HEX)) {
        if (body->digits == MAX_SIZE_DIGITS || body->left > INT64_MAX >> 4) {
            refuse(body, 400, "the size of a chunk is too large a number");
            return;
        }
        body->left = body->left << 4 | ascii_hex_value(byte);
        body->digits++;
    } else if (body->digits == 0) {
        refuse(body, 400, "a chunk does not begin with its size in hexadecimal digits");
    } else if (byte == '\r') {
        body->state = BODY_SIZE_LF;
    } else if (byte == ';') {
        body->extension_bytes = 0;
        begin_extension(body, BODY_EXTENSION_NAME);
        count_extension_byte(body);
    } else {
        refuse(body, 400,
               "the size of a chunk is followed by something other than CRLF or an extension");
    }
}

/* Outside of quotes: the next state, or refused. */
static void read_extension_word(struct http1_body *body, char byte)
{
    if (ascii_is(byte, ASCII_TOKEN) && body->state != BODY_EXTENSION_QUOTED_END)
        body->is_word_empty = false;
    else if (byte == '"' && body->state == BODY_EXTENSION_VALUE && body->is_word_empty)
        body->state = BODY_EXTENSION_QUOTED;
    else if (body->is_word_empty && body->state != BODY_EXTENSION_QUOTED_END)
        refuse(body, 400, "a chunk extension has no name or no value");
    else if (byte == '=' && body->state == BODY_EXTENSION_NAME)
        begin_extension(body, BODY_EXTENSION_VALUE);
    else if (byte == ';')
        begin_extension(body, BODY_EXTENSION_NAME);
    else if (byte == '\r')
        body->state = BODY_SIZE_LF;
    else
        refuse(body, 400, "a chunk extension has a byte that may not stand in it");
}

static void read_extension(struct http1_body *body, char byte)
{
    if (ascii_has_control(&byte, 1) && byte != '\r')
        refuse(body, 400, "a chunk extension has a control byte");
    else if (body->state == BODY_EXTENSION_QUOTED_PAIR && byte != '\r')
        body->state = BODY_EXTENSION_QUOTED;
    else if (body->state != BODY_EXTENSION_QUOTED && body->state != BODY_EXTENSION_QUOTED_PAIR)
        read_extension_word(body, byte);
    else if (byte == '\r')
        refuse(body, 400, "a quoted string in a chunk extension does not end");
    else if (byte == '"')
        body->state = BODY_EXTENSION_QUOTED_END;
    else if (byte == '\\')
        body->state = BODY_EXTENSION_QUOTED_PAIR;
    if (body->state != BODY_REFUSED && body->state != BODY_SIZE_LF)
        count_extension_byte(body);
}

/* Trailers count like headers: each line, all lines, and how many. */
static void count_trailer_byte(struct http1_body *body)
{
    if (++body->line_bytes > body->limits->header_line_bytes ||
        ++body->block_bytes > body->limits->header_block_bytes)
        refuse(body, 431, "a trailer line, or headers and trailers together, are too long");
}

static void begin_trailer(struct http1_body *body, char byte)
{
    if (byte == '\r') {
        body->state = BODY_LAST_LF;
        return;
    }
    if (!ascii_is(byte, ASCII_TOKEN)) {
        refuse(body, 400, "a trailer line does not begin with a name");
        return;
    }
    if (body->header_count == body->limits->header_count) {
        refuse(body, 431, "there are too many headers and trailers");
        return;
    }
    body->header_count++;
    body->line_bytes = 0;
    body->state = BODY_TRAILER_NAME;
    count_trailer_byte(body);
}

static void read_trailer(struct http1_body *body, char byte)
{
    if (body->state == BODY_TRAILER_VALUE && byte == '\r') {
        body->state = BODY_TRAILER_LF;
        return;
    }
    if (body->state == BODY_TRAILER_NAME && byte == ':')
        body->state = BODY_TRAILER_VALUE;
    else if (body->state == BODY_TRAILER_NAME && !ascii_is(byte, ASCII_TOKEN))
        refuse(body, 400, "the name of a trailer has a byte that may not stand in it");
    else if (body->state == BODY_TRAILER_VALUE && ascii_has_control(&byte, 1))
        refuse(body, 400, "the value of a trailer has a control byte");
    if (body->state != BODY_REFUSED)
        count_trailer_byte(body);
}

static void expect(struct http1_body *body, char byte, char wanted, uint8_t next, const char *why)
{
    if (byte == wanted)
        body->state = next;
    else
        refuse(body, 400, why);
}

static void read_framing(struct http1_body *body, char byte)
{
    switch (body->state) {
    case BODY_SIZE:
        read_size(body, byte);
        break;
    case BODY_EXTENSION_NAME:
    case BODY_EXTENSION_VALUE:
    case BODY_EXTENSION_QUOTED:
    case BODY_EXTENSION_QUOTED_PAIR:
    case BODY_EXTENSION_QUOTED_END:
        read_extension(body, byte);
        break;
    case BODY_SIZE_LF:
        expect(body, byte, '\n', body->left ? BODY_CONTENT : BODY_TRAILER_START,
               "the CR behind the size of a chunk is not followed by LF");
        break;
    case BODY_CONTENT_CR:
        expect(body, byte, '\r', BODY_CONTENT_LF,
               "a chunk is longer than its size says, or CRLF is missing behind it");
        break;
    case BODY_CONTENT_LF:
        body->digits = 0;
        expect(body, byte, '\n', BODY_SIZE, "the CR behind a chunk is not followed by LF");
        break;
    case BODY_TRAILER_START:
        begin_trailer(body, byte);
        break;
    case BODY_TRAILER_NAME:
    case BODY_TRAILER_VALUE:
        read_trailer(body, byte);
        break;
    case BODY_TRAILER_LF:
        expect(body, byte, '\n', BODY_TRAILER_START,
               "the CR behind a trailer is not followed by LF");
        break;
    default:
        expect(body, byte, '\n', BODY_DONE, "the CR behind the last chunk is not followed by LF");
        break;
    }
}

enum http1_progress http1_body_decode(struct http1_body *body, const char *bytes, size_t len,
                                      size_t *used, bp_str *piece)
{
    size_t at = 0;

    *piece = bp_str_n(bytes, 0);
    while (at < len && body->state < BODY_DONE) {
        if (body->state != BODY_CONTENT) {
            read_framing(body, bytes[at++]);
            continue;
        }
        piece->data = bytes + at;
        piece->len = (int64_t)(len - at) < body->left ? len - at : (size_t)body->left;
        body->left -= (int64_t)piece->len;
        if (body->left == 0)
            body->state = body->kind == HTTP1_BODY_CHUNKED ? BODY_CONTENT_CR : BODY_DONE;
        *used = at + piece->len;
        return HTTP1_DATA;
    }
    *used = at;
    return body->state == BODY_DONE      ? HTTP1_DONE
           : body->state == BODY_REFUSED ? HTTP1_REFUSED
                                         : HTTP1_MORE;
}
