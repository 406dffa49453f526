/* sample.h - a value that a JSON Schema allows, made from the schema alone.
 */
#ifndef BACKPLANE_CONFORM_SAMPLE_H
#define BACKPLANE_CONFORM_SAMPLE_H

#include <backplane/json.h>

struct sample_wish {
    bp_str text;     /* for strings that may be any; data NULL: a short one */
    bool   is_whole; /* all properties, not only those that are required */
    bp_str broken; /* this property of the outermost object gets `broken_json`, whatever the schema
                      says of it */
    bp_str broken_json;
};

/* As JSON text. Knows type, enum, const, default, examples, properties, items, limits, $ref within
 * the text, and takes the first of oneOf, anyOf; a pattern is met only by an example or a default.
 */
bp_status sample_json(bp_call *call, bp_str schema, const struct sample_wish *wish, bp_str *json);

#endif
