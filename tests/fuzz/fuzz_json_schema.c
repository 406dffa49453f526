/* fuzz_json_schema.c - one input is an array of a schema and values: what compiles checks every
 * value without harm, twice with the same verdict, and what does not fit or compile has a sentence
 * of whole characters. */
#include <stdio.h>
#include <stdlib.h>

#include "schema/json_schema.h"
#include "base/str.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_sentence(const char *problem)
{
    HOLDS(problem[0]);
    HOLDS(strlen(problem) < REASON_BYTES);
    HOLDS(str_is_utf8(bp_str_of(problem)));
}

static void check_value(const struct json_schema *schema, const bp_json *value)
{
    struct reason why = { "" };
    bool          fits = json_schema_check(schema, value, &why);

    if (fits)
        return;
    check_sentence(why.text);
    if (!strstr(why.text, "too long")) // which depends on the clock
        HOLDS(!json_schema_check(schema, value, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reason       why = { "" };
    struct reason       unreadable;
    struct arena        arena;
    const bp_json      *input;
    struct json_schema *schema;

    arena_init(&arena, 64u << 20);
    if (json_parse(&arena, bp_str_n((const char *)data, size), &input, &unreadable) == BP_OK &&
        json_count(input)) {
        bp_str text = json_text(&arena, json_at(input, 0));

        schema = json_schema_compile(text, &why);
        if (!schema)
            check_sentence(why.text);
        for (size_t i = 1; schema && i < json_count(input) && i < 8; i++)
            check_value(schema, json_at(input, i));
        if (schema) // a schema is a value too
            check_value(schema, json_at(input, 0));
        json_schema_free(schema);
    }
    arena_free(&arena);
    return 0;
}
