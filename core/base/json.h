/* json.h - all access to JSON: jansson for reading, our own writer that counts and escapes.
 *
 * Values that were read are jansson's, seen as bp_json; they live as long as the arena they were
 * read into.
 */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include <backplane/base.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/reason.h"

typedef struct bp_json        bp_json;
typedef struct bp_json_writer bp_json_writer;

/* The same numbers as bp_json_type of the SDK. */
enum json_type {
    JSON_KIND_NONE = 0,
    JSON_KIND_NULL = 1,
    JSON_KIND_BOOL = 2,
    JSON_KIND_INTEGER = 3,
    JSON_KIND_NUMBER = 4,
    JSON_KIND_STRING = 5,
    JSON_KIND_ARRAY = 6,
    JSON_KIND_OBJECT = 7
};

enum {
    JSON_READ_DEPTH_MAX = 64,
    JSON_WRITE_DEPTH_MAX = 128,
    JSON_NUMBER_CHARS_MAX = 1024,
    JSON_KEYS_MAX = 100000,
};

/* Reads one JSON text. On BP_INVALID or BP_NO_MEMORY `why` names the mistake and its byte. */
bp_status json_parse(struct arena *arena, bp_str text, const bp_json **value, struct reason *why);
/* The same, but BP_UNSUPPORTED for JSON that is beyond the caps or the types: deep, many keys,
 * long or large numbers. */
bp_status json_parse_judged(struct arena *arena, bp_str text, const bp_json **value,
                            struct reason *why);

enum json_type json_type_of(const bp_json *value);
const bp_json *json_get(const bp_json *object, bp_str key);
const bp_json *json_at(const bp_json *array, size_t index);
size_t         json_count(const bp_json *value);
bool   json_entry(const bp_json *object, size_t *cursor, bp_str *key, const bp_json **value);
bp_str json_as_string(const bp_json *value);
/* An integer, or a number without a fraction that is one beyond doubt: 3.0, and not 1e300. */
bool    json_is_whole(const bp_json *value);
int64_t json_as_integer(const bp_json *value); /* 0 unless json_is_whole() */
double  json_as_number(const bp_json *value);
bool    json_as_bool(const bp_json *value);
bp_str  json_text(struct arena *arena, const bp_json *value);
/* A string value that was not read but made; `text` is UTF-8. NULL when there is no memory. */
const bp_json *json_string_in(struct arena *arena, bp_str text);

/* Writes compact JSON into `buf`. Errors stick in the writer; a NULL writer takes everything and
 * does nothing. */
struct bp_json_writer {
    struct bp_buf *buf;
    bp_status      status;
    uint32_t       depth;
    bool           has_key; /* a key was written and waits for its value */
    bool           is_done; /* one whole value was written */
    uint8_t        is_object[JSON_WRITE_DEPTH_MAX / 8];
    uint8_t        is_filled[JSON_WRITE_DEPTH_MAX / 8]; /* a comma is due before the next member */
};

void json_writer_init(bp_json_writer *w, struct bp_buf *buf);
/* Goes on with what `buf` holds already: `depth` objects are open, and the innermost one is empty.
 */
void json_writer_resume(bp_json_writer *w, struct bp_buf *buf, uint32_t depth);
void json_begin(bp_json_writer *w, enum json_type array_or_object);
void json_end(bp_json_writer *w);
void json_key(bp_json_writer *w, bp_str key);
void json_add_string(bp_json_writer *w, bp_str value);
void json_add_integer(bp_json_writer *w, int64_t value);
void json_add_number(bp_json_writer *w, double value);
/* What that writes, without a NUL: the length. */
size_t json_number_text(double value, char text[40]);
void   json_add_bool(bp_json_writer *w, bool value);
void   json_add_null(bp_json_writer *w);
void   json_add_raw(bp_json_writer *w, bp_str json);
void   json_add_value(bp_json_writer *w, const bp_json *value);
void   json_add_base64(bp_json_writer *w, bp_str bytes);
/* BP_OK when exactly one whole value was written and all of it fitted. */
bp_status json_writer_status(const bp_json_writer *w);

/* "text" with quotes, escaped, bad UTF-8 replaced: what the writer uses, for log lines. */
void json_append_quoted(struct bp_buf *buf, bp_str text);

/* One whole JSON value, laid out with two blanks a level as JavaScript does it, at the end of
 * `buf`. */
void json_append_indented(struct bp_buf *buf, bp_str json);

/* Key and value at once. */
void json_put_string(bp_json_writer *w, const char *key, bp_str value);
void json_put_text(bp_json_writer *w, const char *key, const char *value);
void json_put_integer(bp_json_writer *w, const char *key, int64_t value);
void json_put_number(bp_json_writer *w, const char *key, double value);
void json_put_bool(bp_json_writer *w, const char *key, bool value);

#endif
