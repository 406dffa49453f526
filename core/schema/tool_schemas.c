/* tool_schemas.c - the schemas of a tool, compiled, and its structured result checked. */
#include "schema/tool_schemas.h"

#include <stdio.h>

static bool read_input(struct arena *arena, const char *text, struct tool_schemas *schemas,
                       struct reason *why)
{
    struct reason reason = { "" };

    schemas->input = json_schema_compile(bp_str_of(text), why);
    if (!schemas->input)
        return false;
    if (json_parse(arena, bp_str_of(text), &schemas->input_json, &reason) == BP_OK &&
        bp_str_is(json_as_string(json_get(schemas->input_json, BP_STR("type"))), "object"))
        return true;
    reason_set(why, "its input schema has no \"type\": \"object\" %s", reason.text);
    return false;
}

bool tool_schemas_read(struct arena *arena, const char *input, const char *output,
                       struct tool_schemas *schemas, struct reason *why)
{
    static const char nothing[] = "{\"type\":\"object\",\"additionalProperties\":false}";

    *schemas = (struct tool_schemas){ .input = NULL };
    if (input && !read_input(arena, input, schemas, why))
        return false;
    if (!input)
        schemas->input = json_schema_compile(bp_str_of(nothing), why);
    if (output)
        schemas->output = json_schema_compile(bp_str_of(output), why);
    return schemas->input && (schemas->output || !output);
}

void tool_schemas_free(struct tool_schemas *schemas)
{
    json_schema_free(schemas->input);
    json_schema_free(schemas->output);
}

bool tool_result_check(const struct json_schema *output, struct arena *arena, bp_str structured,
                       struct reason *why)
{
    const bp_json *value;
    struct reason  reason;

    if (!structured.len) {
        reason_set(why, "the tool has an output schema and gave no structured result");
        return false;
    }
    if (json_parse(arena, structured, &value, &reason) != BP_OK) {
        reason_set(why, "the structured result is not JSON: %s", reason.text);
        return false;
    }
    if (json_schema_check(output, value, &reason))
        return true;
    reason_set(why, "the structured result is not what the tool's output schema says: %s",
               reason.text);
    return false;
}
