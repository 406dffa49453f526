/* backplane/json.h - reading and writing JSON with caps.
 *
 * Reading is strict RFC 8259: UTF-8 without a byte order mark, no lone surrogates, no NUL in a key,
 * of duplicate keys the last one counts, depth at most 64, numbers of at most 1,024 characters that
 * fit a double or int64, at most 100,000 keys. Writing caps depth at 128 and escapes whatever must
 * be escaped. Values live as long as the call.
 */
#ifndef BACKPLANE_JSON_H
#define BACKPLANE_JSON_H

#include <backplane/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bp_json        bp_json; /* a value that was read; NULL stands for "not there" */
typedef struct bp_json_writer bp_json_writer; /* writes compact JSON into a bp_buf */

typedef enum bp_json_type {
    BP_JSON_NONE = 0, /* not there */
    BP_JSON_NULL = 1,
    BP_JSON_BOOL = 2,
    BP_JSON_INTEGER = 3,
    BP_JSON_NUMBER = 4, /* with a fraction or an exponent */
    BP_JSON_STRING = 5,
    BP_JSON_ARRAY = 6,
    BP_JSON_OBJECT = 7
} bp_json_type;

typedef struct bp_json_service {
    uint32_t struct_size;
    bp_status (*parse)(bp_call *call, bp_str text, const bp_json **value);
    uint32_t (*type)(const bp_json *value);
    const bp_json *(*get)(const bp_json *object, bp_str key);
    const bp_json *(*at)(const bp_json *array, size_t index);
    size_t (*count)(const bp_json *value);
    bool (*entry)(const bp_json *object, size_t *cursor, bp_str *key, const bp_json **value);
    bp_str (*string)(const bp_json *value);
    int64_t (*integer)(const bp_json *value);
    double (*number)(const bp_json *value);
    bool (*boolean)(const bp_json *value);
    bp_str (*text)(bp_call *call, const bp_json *value);

    bp_json_writer *(*writer)(bp_call *call, size_t max_bytes);
    void (*begin)(bp_json_writer *w, uint32_t type);
    void (*end)(bp_json_writer *w);
    void (*key)(bp_json_writer *w, bp_str key);
    void (*add_string)(bp_json_writer *w, bp_str value);
    void (*add_integer)(bp_json_writer *w, int64_t value);
    void (*add_number)(bp_json_writer *w, double value);
    void (*add_bool)(bp_json_writer *w, bool value);
    void (*add_null)(bp_json_writer *w);
    void (*add_raw)(bp_json_writer *w, bp_str json);
    bp_status (*done)(bp_call *call, bp_json_writer *w, bp_str *json);
    void (*add_base64)(bp_json_writer *w, bp_str bytes);
    bp_str (*indent)(bp_call *call, bp_str json);
    bp_status (*read)(bp_call *call, bp_str text, const bp_json **value);
} bp_json_service;

BP_SERVICE(json, bp_json_service, 1)

/* BP_OK, or BP_INVALID with a sentence that names the byte offset, or BP_NO_MEMORY. */
static inline bp_status bp_json_parse(bp_call *call, bp_str text, const bp_json **value)
{
    return bp_service_json->parse(call, text, value);
}

/* The same, but lenient, for text from others (the body of a request, a line of it, the output of a
 * model): it drops a byte order mark and replaces invalid UTF-8 and halves of surrogate pairs by
 * U+FFFD, where bp_json_parse() would refuse the text. Memory is bounded: BP_INVALID for a text
 * that takes much more than its length. */
static inline bp_status bp_json_read(bp_call *call, bp_str text, const bp_json **value)
{
    return bp_service_json->read(call, text, value);
}

/* All of these accept NULL or a value of another type and return BP_JSON_NONE, NULL, "" or 0. */
static inline bp_json_type bp_json_type_of(const bp_json *value)
{
    return (bp_json_type)bp_service_json->type(value);
}
static inline const bp_json *bp_json_get(const bp_json *object, const char *key)
{
    return bp_service_json->get(object, bp_str_of(key));
}
static inline const bp_json *bp_json_at(const bp_json *array, size_t index)
{
    return bp_service_json->at(array, index);
}
static inline size_t bp_json_count(const bp_json *value)
{
    return bp_service_json->count(value);
}
/* Walks an object: size_t cursor = 0; while (bp_json_entry(object, &cursor, &key, &value)) ... */
static inline bool bp_json_entry(const bp_json *object, size_t *cursor, bp_str *key,
                                 const bp_json **value)
{
    return bp_service_json->entry(object, cursor, key, value);
}
static inline bp_str bp_json_string(const bp_json *value)
{
    return bp_service_json->string(value);
}
/* 3 for 3 and 3.0; 0 for 3.5, and for numbers with a fraction or an exponent beyond 2^53, which are
 * not exact integers. */
static inline int64_t bp_json_integer(const bp_json *value)
{
    return bp_service_json->integer(value);
}
static inline double bp_json_number(const bp_json *value)
{
    return bp_service_json->number(value);
} /* integers too */
static inline bool bp_json_bool(const bp_json *value)
{
    return bp_service_json->boolean(value);
}
/* The value as compact JSON in the call's arena. */
static inline bp_str bp_json_text(bp_call *call, const bp_json *value)
{
    return bp_service_json->text(call, value);
}

/* A writer over a buffer of at most max_bytes. Errors stick; bp_json_done() reports the first:
 * BP_TOO_LARGE, BP_NO_MEMORY, or BP_INTERNAL when begin and end or key and value do not match.
 * Strings that are not UTF-8 have each bad byte replaced by U+FFFD. NaN and infinities are written
 * as null. */
static inline bp_json_writer *bp_json_writer_new(bp_call *call, size_t max_bytes)
{
    return bp_service_json->writer(call, max_bytes);
}
static inline void bp_json_object(bp_json_writer *w)
{
    bp_service_json->begin(w, BP_JSON_OBJECT);
}
static inline void bp_json_array(bp_json_writer *w)
{
    bp_service_json->begin(w, BP_JSON_ARRAY);
}
static inline void bp_json_end(bp_json_writer *w)
{
    bp_service_json->end(w);
}
static inline void bp_json_key(bp_json_writer *w, const char *key)
{
    bp_service_json->key(w, bp_str_of(key));
}
static inline void bp_json_key_str(bp_json_writer *w, bp_str key)
{
    bp_service_json->key(w, key);
}
static inline void bp_json_add_string(bp_json_writer *w, bp_str value)
{
    bp_service_json->add_string(w, value);
}
static inline void bp_json_add_integer(bp_json_writer *w, int64_t value)
{
    bp_service_json->add_integer(w, value);
}
static inline void bp_json_add_number(bp_json_writer *w, double value)
{
    bp_service_json->add_number(w, value);
}
static inline void bp_json_add_bool(bp_json_writer *w, bool value)
{
    bp_service_json->add_bool(w, value);
}
static inline void bp_json_add_null(bp_json_writer *w)
{
    bp_service_json->add_null(w);
}
/* `json` must be one whole JSON value, e.g. from bp_json_text(); it is not checked. */
static inline void bp_json_add_raw(bp_json_writer *w, bp_str json)
{
    bp_service_json->add_raw(w, json);
}
/* A string: the bytes in base64 (RFC 4648 4). */
static inline void bp_json_add_base64(bp_json_writer *w, bp_str bytes)
{
    bp_service_json->add_base64(w, bytes);
}
/* One whole JSON value, laid out for people: two blanks a level, as JSON.stringify(value, null, 2)
 * does it. In the call's arena; empty when there is no memory. */
static inline bp_str bp_json_indent(bp_call *call, bp_str json)
{
    return bp_service_json->indent(call, json);
}
static inline bp_status bp_json_done(bp_call *call, bp_json_writer *w, bp_str *json)
{
    return bp_service_json->done(call, w, json);
}

/* Key and value at once. */
static inline void bp_json_put_string(bp_json_writer *w, const char *key, bp_str value)
{
    bp_json_key(w, key);
    bp_json_add_string(w, value);
}
static inline void bp_json_put_integer(bp_json_writer *w, const char *key, int64_t value)
{
    bp_json_key(w, key);
    bp_json_add_integer(w, value);
}
static inline void bp_json_put_number(bp_json_writer *w, const char *key, double value)
{
    bp_json_key(w, key);
    bp_json_add_number(w, value);
}
static inline void bp_json_put_bool(bp_json_writer *w, const char *key, bool value)
{
    bp_json_key(w, key);
    bp_json_add_bool(w, value);
}

#ifdef __cplusplus
}
#endif
#endif
