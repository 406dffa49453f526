/* peek.c - looks for the ids of messages in a text that cannot be read, byte by byte and without
 * keeping it. */
#include "mcp/peek.h"

#include <string.h>

void peek_init(struct peek *peek)
{
    memset(peek, 0, sizeof(*peek));
}

/* A member that is longer than any of interest is none of them. */
static void keep(struct peek *peek, char c)
{
    if (peek->member_len < PEEK_MEMBER_BYTES)
        peek->member[peek->member_len] = c;
    if (peek->member_len <= PEEK_MEMBER_BYTES)
        peek->member_len++;
}

static bool is_integer(const char *text, size_t len)
{
    size_t at = text[0] == '-';

    if (at == len || (text[at] == '0' && len > at + 1))
        return false;
    for (; at < len; at++)
        if (text[at] < '0' || text[at] > '9')
            return false;
    return true;
}

static bool is_id(const char *text, size_t len)
{
    if (!len || len > PEEK_MEMBER_BYTES)
        return false;
    return (text[0] == '"' && len >= 2 && text[len - 1] == '"') || is_integer(text, len);
}

static bool is_key(const struct peek *peek, const char *name)
{
    return bp_str_is(bp_str_n(peek->key, peek->key_len), name);
}

static void begin_message(struct peek *peek)
{
    memset(&peek->message, 0, sizeof(peek->message));
    peek->has_id = peek->has_method = peek->has_answer = peek->is_key_over = false;
    peek->member_len = 0;
}

static void end_key(struct peek *peek)
{
    peek->is_key_over = true;
    peek->key_len = peek->member_len <= sizeof(peek->key) ? peek->member_len : 0;
    memcpy(peek->key, peek->member, peek->key_len);
    peek->member_len = 0;
    peek->has_method |= is_key(peek, "\"method\"");
    peek->has_answer |= is_key(peek, "\"result\"") || is_key(peek, "\"error\"");
}

static void end_member(struct peek *peek)
{
    if (peek->is_key_over && is_key(peek, "\"id\"")) {
        peek->has_id = is_id(peek->member, peek->member_len);
        peek->message.id_len = peek->has_id ? peek->member_len : 0;
        memcpy(peek->message.id, peek->member, peek->message.id_len);
    }
    peek->is_key_over = false;
    peek->member_len = 0;
}

static void end_message(struct peek *peek)
{
    // Anything else is taken for a request: a method that is missing or long is an error to be
    // told of, too.
    if (peek->has_id)
        peek->message.kind = peek->has_answer && !peek->has_method ? PEEKED_ANSWER : PEEKED_REQUEST;
    if (peek->message.kind != PEEKED_NOTHING && peek->count < PEEK_MESSAGES_MAX)
        peek->found[peek->count++] = peek->message;
    begin_message(peek);
}

static void open_bracket(struct peek *peek, char c)
{
    if (!peek->has_begun && c == '[')
        peek->base = 1, peek->is_batch = true;
    peek->depth++;
    if (peek->depth == peek->base + 1 && c == '{')
        begin_message(peek);
}

static void close_bracket(struct peek *peek, char c)
{
    if (peek->depth == peek->base + 1 && c == '}') {
        end_member(peek);
        end_message(peek);
    }
    if (peek->depth)
        peek->depth--;
}

static void take_string(struct peek *peek, char c)
{
    if (peek->depth == peek->base + 1)
        keep(peek, c);
    if (peek->is_escaped)
        peek->is_escaped = false;
    else if (c == '\\')
        peek->is_escaped = true;
    else if (c == '"')
        peek->is_in_string = false;
}

static void take(struct peek *peek, char c)
{
    bool is_member = peek->depth == peek->base + 1;

    if (c == '{' || c == '[') {
        open_bracket(peek, c);
    } else if (c == '}' || c == ']') {
        close_bracket(peek, c);
    } else if (is_member && c == ':') {
        end_key(peek);
    } else if (is_member && c == ',') {
        end_member(peek);
    } else {
        peek->is_in_string = c == '"';
        if (is_member)
            keep(peek, c);
    }
    peek->has_begun = true;
}

void peek_feed(struct peek *peek, bp_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i];

        if (peek->is_in_string)
            take_string(peek, c);
        else if ((unsigned char)c > ' ' &&
                 (unsigned char)c < 0x80) // neither blanks nor a byte order mark
            take(peek, c);
    }
}

void peek_end(struct peek *peek)
{
    if (peek->depth > peek->base)
        end_message(peek);
}
