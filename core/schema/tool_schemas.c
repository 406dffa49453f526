/* tool_schemas.c - the schemas of a tool, compiled, and its structured result checked. */
#include "schema/tool_schemas.h"

#include <stdio.h>

static bool read_input(struct arena *arena, const char *text, struct tool_schemas *schemas,
                       char problem[TOOL_PROBLEM_BYTES])
{
    char reason[JSON_PROBLEM_BYTES] = "";

    schemas->input = json_schema_compile(bp_str_of(text), problem);
    if (!schemas->input)
        return false;
    if (json_parse(arena, bp_str_of(text), &schemas->input_json, reason) == BP_OK &&
        bp_str_is(json_as_string(json_get(schemas->input_json, BP_STR("type"))), "object"))
        return true;
    snprintf(problem, TOOL_PROBLEM_BYTES, "its input schema has no \"type\": \"object\" %s",
             reason);
    return false;
}

bool tool_schemas_read(struct arena *arena, const char *input, const char *output,
                       struct tool_schemas *schemas, char problem[TOOL_PROBLEM_BYTES])
{
    static const char nothing[] = "{\"type\":\"object\",\"additionalProperties\":false}";

    *schemas = (struct tool_schemas){ .input = NULL };
    if (input && !read_input(arena, input, schemas, problem))
        return false;
    if (!input)
        schemas->input = json_schema_compile(bp_str_of(nothing), problem);
    if (output)
        schemas->output = json_schema_compile(bp_str_of(output), problem);
    return schemas->input && (schemas->output || !output);
}

void tool_schemas_free(struct tool_schemas *schemas)
{
    json_schema_free(schemas->input);
    json_schema_free(schemas->output);
}

bool tool_result_check(const struct json_schema *output, struct arena *arena, bp_str structured,
                       char problem[TOOL_PROBLEM_BYTES])
{
    const bp_json *value;
    char           reason[JSON_SCHEMA_PROBLEM_BYTES];

    if (!structured.len) {
        snprintf(problem, TOOL_PROBLEM_BYTES,
                 "the tool has an output schema and gave no structured result");
        return false;
    }
    if (json_parse(arena, structured, &value, reason) != BP_OK) {
        snprintf(problem, TOOL_PROBLEM_BYTES, "the structured result is not JSON: %s", reason);
        return false;
    }
    if (json_schema_check(output, value, reason))
        return true;
    snprintf(problem, TOOL_PROBLEM_BYTES,
             "the structured result is not what the tool's output schema says: %s", reason);
    return false;
}
