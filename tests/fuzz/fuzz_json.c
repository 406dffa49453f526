/* fuzz_json.c - JSON in: what is accepted is written back and read again as the same value. JSON
 * out: whatever strings the writer is given, what it writes can be read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static bool is_equal(const bp_json *a, const bp_json *b);

static bool is_equal_object(const bp_json *a, const bp_json *b)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    while (json_entry(a, &cursor, &key, &value))
        if (!is_equal(value, json_get(b, key)))
            return false;
    return true;
}

static bool is_equal(const bp_json *a, const bp_json *b)
{
    if (json_type_of(a) == JSON_KIND_NUMBER &&
        json_type_of(b) == JSON_KIND_INTEGER) // 7.0 is written as 7
        return !(fabs(json_as_number(a) - json_as_number(b)) > 0);
    if (json_type_of(a) != json_type_of(b) || json_count(a) != json_count(b))
        return false;
    switch (json_type_of(a)) {
    case JSON_KIND_BOOL:
        return json_as_bool(a) == json_as_bool(b);
    case JSON_KIND_INTEGER:
        return json_as_integer(a) == json_as_integer(b);
    case JSON_KIND_NUMBER:
        return !(fabs(json_as_number(a) - json_as_number(b)) > 0);
    case JSON_KIND_STRING:
        return bp_str_equal(json_as_string(a), json_as_string(b));
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_count(a); i++)
            if (!is_equal(json_at(a, i), json_at(b, i)))
                return false;
        return true;
    case JSON_KIND_OBJECT:
        return is_equal_object(a, b);
    default:
        return true;
    }
}

static void check_in(struct arena *arena, bp_str text)
{
    struct reason  why = { "" };
    const bp_json *value, *again;
    struct bp_buf  buf;
    bp_json_writer w;

    if (json_parse(arena, text, &value, &why) != BP_OK) {
        HOLDS(why.text[0]);
        return;
    }
    HOLDS(json_parse(arena, json_text(arena, value), &again, &why) == BP_OK);
    HOLDS(is_equal(value, again));
    buf_init(&buf, arena, 64u << 20);
    json_writer_init(&w, &buf);
    json_add_value(&w, value);
    HOLDS(json_writer_status(&w) == BP_OK);
    HOLDS(json_parse(arena, buf_str(&buf), &again, &why) == BP_OK);
    HOLDS(is_equal(value, again));
}

/* The bytes cut in two: a key and a text. */
static void check_out(struct arena *arena, bp_str text)
{
    size_t half = text.len ? (unsigned char)text.data[0] % text.len : 0;
    bp_str key = bp_str_n(text.data, half), rest = bp_str_n(text.data + half, text.len - half);
    struct reason  why = { "" };
    const bp_json *value;
    struct bp_buf  buf, quoted;
    bp_json_writer w;
    double         number = 0;

    memcpy(&number, text.data, text.len < sizeof(number) ? text.len : sizeof(number));
    buf_init(&buf, arena, 64u << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "text", rest);
    json_put_number(&w, "number", number);
    json_key(&w, memchr(key.data, 0, key.len) ? BP_STR("k") : key);
    json_add_string(&w, text);
    json_end(&w);
    HOLDS(json_writer_status(&w) == BP_OK);
    HOLDS(json_parse(arena, buf_str(&buf), &value, &why) == BP_OK);
    buf_init(&quoted, arena, 64u << 20);
    json_append_quoted(&quoted, text);
    HOLDS(!memchr(buf_str(&quoted).data, '\n', buf_str(&quoted).len));
    HOLDS(json_parse(arena, buf_str(&quoted), &value, &why) == BP_OK);
    HOLDS(json_type_of(value) == JSON_KIND_STRING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    char        *copy = malloc(size + 1); /* of the very size, so that reading beyond it is seen */

    if (size)
        memcpy(copy, data, size);
    arena_init(&arena, 256u << 20);
    check_in(&arena, bp_str_n(copy, size));
    check_out(&arena, bp_str_n(copy, size));
    arena_free(&arena);
    free(copy);
    return 0;
}
