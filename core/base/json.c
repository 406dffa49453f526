/* json.c - reading JSON: caps are checked in one pass over the text before jansson sees it.
 *
 * jansson recurses, so depth has to be bounded before; it converts numbers, so their length has to
 * be. What it refuses by itself: invalid UTF-8, lone surrogates, a byte order mark, NUL in a key,
 * integers beyond int64 and numbers beyond double.
 */
#include "base/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/str.h"

enum { SAID_BYTES_MAX = 120 };

/* What the pass has seen; `at` is where a cap was passed. */
struct scan {
    const char *text;
    size_t      len;
    size_t      at;
    const char *problem;
};

static size_t skip_string(const struct scan *scan, size_t at)
{
    for (at++; at < scan->len; at++) {
        if (scan->text[at] == '\\')
            at++;
        else if (scan->text[at] == '"')
            return at;
    }
    return scan->len;
}

static size_t skip_number(const struct scan *scan, size_t at)
{
    while (at < scan->len && (unsigned char)scan->text[at] > ' ' &&
           !strchr(",:]}[{\"", scan->text[at]))
        at++;
    return at;
}

static bool passes_caps(struct scan *scan)
{
    unsigned depth = 0;
    size_t   keys = 0;

    for (size_t at = 0; at < scan->len; at++) {
        char c = scan->text[at];

        scan->at = at;
        if (c == '"') {
            at = skip_string(scan, at);
        } else if (c == '\0') {
            scan->problem = "a NUL byte stands where a value should"; // jansson would take it for
                                                                      // the end
            return false;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_READ_DEPTH_MAX) {
                scan->problem = "it is nested deeper than 64 levels";
                return false;
            }
        } else if (c == ']' || c == '}') {
            if (depth)
                depth--;
        } else if (c == ':') {
            if (++keys > JSON_KEYS_MAX) {
                scan->problem = "it has more than 100,000 keys";
                return false;
            }
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            size_t end = skip_number(scan, at);

            if (end - at > JSON_NUMBER_CHARS_MAX) {
                scan->problem = "a number is longer than 1,024 characters";
                return false;
            }
            at = end - 1;
        }
    }
    return true;
}

/* ---- memory: what jansson makes for a text lies in the arena that the text was read into ----
 *
 * jansson allocates twice for each key and frees each piece alone; moving a pointer through blocks
 * and giving them back whole halves the time, and the memory counts against the call's limit.
 * Other users of jansson in the process (a plugin) call it outside of json_parse() and get
 * malloc() and free() as ever.
 */
static _Thread_local struct arena *reading_into;
static _Thread_local jmp_buf       out_of_memory; /* set wherever reading_into is */

/* jansson does not hear that the text of a token could not grow: it goes on with half of a string,
 * which it copies beyond the end of the copy, or ends the process. So it is left at once; all that
 * it has is in the arena. */
static void *take_memory(size_t size_bytes)
{
    void *piece;

    if (!reading_into)
        return malloc(size_bytes);
    piece = arena_alloc_raw(reading_into, size_bytes);
    if (!piece)
        longjmp(out_of_memory, 1);
    return piece;
}

static void give_memory(void *piece)
{
    if (!reading_into)
        free(piece);
}

static void use_arenas(void)
{
    json_set_alloc_funcs(take_memory, give_memory);
}

static void read_into(struct arena *arena)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, use_arenas);
    reading_into = arena;
}

/* Whether it is JSON, as the standard has it, that this reader cannot hold. */
static bool is_beyond(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow;
}

/* load() left jansson, which has said nothing. */
static bool is_no_memory(const json_error_t *error)
{
    return !error->text[0];
}

static json_t *load(struct arena *arena, bp_str text, json_error_t *error)
{
    json_t *volatile root = NULL;

    read_into(arena);
    if (!setjmp(out_of_memory))
        root = json_loadb(text.data ? text.data : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                          error);
    else
        memset(error, 0, sizeof(*error));
    reading_into = NULL;
    return root;
}

/* jansson's words, which may quote half of a character of the input. */
static bp_str text_of(const json_error_t *error)
{
    bp_str text = str_cut(bp_str_of(error->text), SAID_BYTES_MAX);
    size_t at = 0, step;

    while (at < text.len && (step = str_utf8_sequence(text, at)) > 0)
        at += step;
    return bp_str_n(text.data, at);
}

bp_status json_parse_judged(struct arena *arena, bp_str text, const bp_json **value,
                            struct reason *why)
{
    struct scan  scan = { .text = text.data, .len = text.len };
    json_error_t error;
    json_t      *root;

    *value = NULL;
    if (!passes_caps(&scan)) {
        reason_set(why, "%s, at byte %zu", scan.problem, scan.at);
        return text.data[scan.at] ? BP_UNSUPPORTED : BP_INVALID;
    }
    root = load(arena, text, &error);
    if (!root) {
        bp_str said = is_no_memory(&error) ? BP_STR("there is no memory to read it")
                                           : text_of(&error);

        reason_set(why, BP_FMT ", at byte %d", BP_ARG(said), error.position);
        if (is_no_memory(&error))
            return BP_NO_MEMORY;
        return is_beyond(&error) ? BP_UNSUPPORTED : BP_INVALID;
    }
    *value = (const bp_json *)root;
    return BP_OK;
}

bp_status json_parse(struct arena *arena, bp_str text, const bp_json **value, struct reason *why)
{
    bp_status status = json_parse_judged(arena, text, value, why);

    return status == BP_UNSUPPORTED ? BP_INVALID : status;
}

static const json_t *raw(const bp_json *value)
{
    return (const json_t *)value;
}

enum json_type json_type_of(const bp_json *value)
{
    if (!value)
        return JSON_KIND_NONE;
    switch (json_typeof(raw(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_STRING;
    case JSON_INTEGER:
        return JSON_KIND_INTEGER;
    case JSON_REAL:
        return JSON_KIND_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
        return JSON_KIND_NULL;
    }
    return JSON_KIND_NONE;
}

const bp_json *json_get(const bp_json *object, bp_str key)
{
    if (!json_is_object(raw(object)))
        return NULL;
    return (const bp_json *)json_object_getn(raw(object), key.data ? key.data : "", key.len);
}

const bp_json *json_at(const bp_json *array, size_t index)
{
    return (const bp_json *)json_array_get(raw(array), index);
}

size_t json_count(const bp_json *value)
{
    if (json_is_array(raw(value)))
        return json_array_size(raw(value));
    return json_is_object(raw(value)) ? json_object_size(raw(value)) : 0;
}

bool json_entry(const bp_json *object, size_t *cursor, bp_str *key, const bp_json **value)
{
    // jansson walks by iterator; the cursor carries it, since 0 can never be one.
    json_t *writable = (json_t *)(uintptr_t)raw(object);
    void   *iterator;

    if (!json_is_object(writable) || *cursor == SIZE_MAX)
        return false;
    iterator = *cursor ? (void *)*cursor : json_object_iter(writable);
    if (!iterator)
        return false;
    *key = (bp_str){ json_object_iter_key(iterator), json_object_iter_key_len(iterator) };
    *value = (const bp_json *)json_object_iter_value(iterator);
    iterator = json_object_iter_next(writable, iterator);
    *cursor = iterator ? (size_t)iterator : SIZE_MAX;
    return true;
}

bp_str json_as_string(const bp_json *value)
{
    if (!json_is_string(raw(value)))
        return (bp_str){ "", 0 };
    return (bp_str){ json_string_value(raw(value)), json_string_length(raw(value)) };
}

/* 3.0 is the integer 3. Beyond 2^53 a double may stand for its neighbours as well, and so for no
 * integer. */
static bool is_whole(double number)
{
    return number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
           number == (double)(int64_t)number;
}

bool json_is_whole(const bp_json *value)
{
    return json_is_integer(raw(value)) ||
           (json_is_real(raw(value)) && is_whole(json_real_value(raw(value))));
}

int64_t json_as_integer(const bp_json *value)
{
    if (json_is_integer(raw(value)))
        return json_integer_value(raw(value));
    return json_is_whole(value) ? (int64_t)json_real_value(raw(value)) : 0;
}

double json_as_number(const bp_json *value)
{
    return json_is_number(raw(value)) ? json_number_value(raw(value)) : 0;
}

bool json_as_bool(const bp_json *value)
{
    return json_is_true(raw(value));
}

bp_str json_text(struct arena *arena, const bp_json *value)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, arena, SIZE_MAX / 4);
    json_writer_init(&w, &buf);
    json_add_value(&w, value);
    return buf_str(&buf);
}

const bp_json *json_string_in(struct arena *arena, bp_str text)
{
    json_t *volatile made = NULL;

    read_into(arena);
    if (!setjmp(out_of_memory))
        made = json_stringn_nocheck(text.data ? text.data : "", text.len);
    reading_into = NULL;
    return (const bp_json *)made;
}
