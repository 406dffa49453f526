/* tool_schemas.h - the two schemas of a tool: what its arguments are, and what its structured
 * result is. The server and the fake host (sdk/testhost) read and check them by this. */
#ifndef CORE_SCHEMA_TOOL_SCHEMAS_H
#define CORE_SCHEMA_TOOL_SCHEMAS_H

#include "base/reason.h"
#include "schema/json_schema.h"

struct tool_schemas {
    struct json_schema *input;      /* without a text: an object with no properties */
    struct json_schema *output;     /* NULL: it has none */
    const bp_json      *input_json; /* as it was read; NULL: there was no text */
};

/* Either text may be NULL. False with a sentence in `why`; tool_schemas_free() is due in any
 * case. The tree of the input lives in the arena. */
bool tool_schemas_read(struct arena *arena, const char *input, const char *output,
                       struct tool_schemas *schemas, struct reason *why);
void tool_schemas_free(struct tool_schemas *schemas);

/* Whether a structured result, a JSON text, is what the output schema says; empty: none was given.
 * False with a sentence in `why`. */
bool tool_result_check(const struct json_schema *output, struct arena *arena, bp_str structured,
                       struct reason *why);

#endif
