/* json_schema_report.c - the sentence that says where a value does not fit and the value wanted
 * there. */
#include "schema/json_schema_node.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

enum { SHOWN_VALUE_BYTES = 60 };

void schema_say(struct schema_sentence *s, const char *format, ...)
{
    va_list args;
    int     len;

    if (s->len + 1 >= SCHEMA_SENTENCE_BYTES)
        return;
    va_start(args, format);
    len = vsnprintf(s->text + s->len, SCHEMA_SENTENCE_BYTES - s->len, format, args);
    va_end(args);
    if (len > 0)
        s->len += (size_t)len;
    if (s->len >= SCHEMA_SENTENCE_BYTES) {
        // Cut, but not within a character.
        s->len = SCHEMA_SENTENCE_BYTES - 1;
        while (s->len && ((unsigned char)s->text[s->len - 1] & 0xC0) == 0x80)
            s->len--;
        if (s->len && (unsigned char)s->text[s->len - 1] >= 0xC0)
            s->len--;
        s->text[s->len] = '\0';
        s->len = SCHEMA_SENTENCE_BYTES;
    }
}

/* At most `max_bytes`, whole characters; control characters as \u00XX. */
static void say_escaped(struct schema_sentence *s, bp_str text, size_t max_bytes, bool is_pointer)
{
    size_t at = 0;

    while (at < text.len && at < max_bytes) {
        size_t        len = str_utf8_sequence(text, at);
        unsigned char c = (unsigned char)text.data[at];

        if (c < 0x20 || c == 0x7F)
            schema_say(s, "\\u%04X", c);
        else if (is_pointer && (c == '~' || c == '/'))
            schema_say(s, "%s", c == '~' ? "~0" : "~1");
        else if (!is_pointer && (c == '"' || c == '\\'))
            schema_say(s, "\\%c", c);
        else
            schema_say(s, "%.*s", (int)(len ? len : 1), len ? text.data + at : "?");
        at += len ? len : 1;
    }
    if (at < text.len)
        schema_say(s, "...");
}

void schema_say_quoted(struct schema_sentence *s, bp_str text)
{
    schema_say(s, "\"");
    say_escaped(s, text, SHOWN_VALUE_BYTES, false);
    schema_say(s, "\"");
}

void schema_say_pointer(struct schema_sentence *s, const struct schema_frame *at)
{
    if (!at)
        return;
    schema_say_pointer(s, at->parent);
    if (at->is_same)
        return;
    schema_say(s, "/");
    if (at->key.data)
        say_escaped(s, at->key, SHOWN_VALUE_BYTES, true);
    else
        schema_say(s, "%zu", at->index);
}

void schema_say_place(struct schema_sentence *s, const struct schema_frame *at)
{
    schema_say_pointer(s, at);
    if (s->len == 0)
        schema_say(s, "the value");
}

void schema_say_value(struct schema_sentence *s, const bp_json *value)
{
    switch (json_type_of(value)) {
    case JSON_KIND_NONE:
        schema_say(s, "nothing");
        break;
    case JSON_KIND_NULL:
        schema_say(s, "null");
        break;
    case JSON_KIND_BOOL:
        schema_say(s, json_as_bool(value) ? "true" : "false");
        break;
    case JSON_KIND_INTEGER:
        schema_say(s, "%lld", (long long)json_as_integer(value));
        break;
    case JSON_KIND_NUMBER:
        schema_say(s, "%.15g", json_as_number(value));
        break;
    case JSON_KIND_STRING:
        schema_say_quoted(s, json_as_string(value));
        break;
    case JSON_KIND_ARRAY:
        schema_say(s, "an array");
        break;
    case JSON_KIND_OBJECT:
        schema_say(s, "an object");
        break;
    }
}

void schema_say_types(struct schema_sentence *s, uint8_t types)
{
    static const struct {
        uint8_t     bit;
        const char *text;
    } names[] = {
        { SCHEMA_STRING, "a string" },    { SCHEMA_NUMBER, "a number" },
        { SCHEMA_INTEGER, "an integer" }, { SCHEMA_BOOL, "true or false" },
        { SCHEMA_ARRAY, "an array" },     { SCHEMA_OBJECT, "an object" },
        { SCHEMA_NULL, "null" },
    };
    bool is_first = true;

    if (types & SCHEMA_NUMBER)
        types &= (uint8_t)~SCHEMA_INTEGER;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(types & names[i].bit))
            continue;
        schema_say(s, "%s%s", is_first ? "" : " or ", names[i].text);
        is_first = false;
    }
}

void schema_say_near(struct schema_sentence *s, bp_str name, bp_str best)
{
    if (!best.len || !str_is_near(name, best))
        return;
    schema_say(s, " (did you mean ");
    schema_say_quoted(s, best);
    schema_say(s, "?)");
}
