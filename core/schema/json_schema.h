/* json_schema.h - JSON Schema: compiled once, then asked as often as wanted whether a value fits.
 *
 * Dialects: 2020-12 (what a schema without "$schema" is taken for), 2019-09 without $recursiveRef,
 * draft-07, draft-06. `format` and the content keywords are annotations. Nothing is ever fetched: a
 * $ref leads somewhere into the same text or it is a mistake. A keyword that the dialect does not
 * know is ignored, as the standard wants it. Sources: json-schema.org/draft/2020-12 (core,
 * validation), draft-07; patterns are ECMA 262's as far as PCRE2 has them.
 */
#ifndef CORE_SCHEMA_JSON_SCHEMA_H
#define CORE_SCHEMA_JSON_SCHEMA_H

#include "base/json.h"
#include "base/reason.h"

enum {
    JSON_SCHEMA_TEXT_BYTES_MAX = 4 << 20,
    JSON_SCHEMA_COUNT_MAX = 10000, /* subschemas in one text */
    JSON_SCHEMA_IN_PLACE_MAX = 48, /* schemas for one and the same value, nested or by reference */
    JSON_SCHEMA_DEPTH_MAX = 256,   /* the same, summed up along the nesting of the value */
    JSON_SCHEMA_PATTERN_BYTES_MAX = 8192
};

struct json_schema;

/* NULL with a sentence in `why`, which names the mistake and its JSON pointer. Lives until
 * json_schema_free() and may be used by all threads. */
struct json_schema *json_schema_compile(bp_str text, struct reason *why);
void                json_schema_free(struct json_schema *schema); /* NULL is allowed */

/* Whether `value` fits. If not, `why` holds one sentence: where in the value (a JSON pointer)
 * and the value wanted, e.g. `/edits/0/oldText is missing`. Allocates nothing, but for
 * propertyNames, for uniqueItems of more than 32 and for unevaluated* of more than 1,024. A check
 * that takes too long (a second, or a pattern that backtracks without end) is one that fails. */
bool json_schema_check(const struct json_schema *schema, const bp_json *value, struct reason *why);

/* Every object fits, so that the caller who has one need not ask. */
bool json_schema_is_open(const struct json_schema *schema);

#endif
