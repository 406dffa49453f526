/* schema_rig.h - schemas and values written with ' in the place of ", and the whole sentences about
 * them. */
#ifndef SCHEMA_RIG_H
#define SCHEMA_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "schema/json_schema.h"

static struct arena  arena;
static struct reason why;

static inline void swap(char *text, char from, char to)
{
    for (; *text; text++)
        if (*text == from)
            *text = to;
}

static inline bp_str quoted(const char *text)
{
    bp_str copy = arena_dup(&arena, bp_str_of(text));

    swap((char *)(uintptr_t)copy.data, '\'', '"');
    return copy;
}

static inline void expect_said(const char *of, const char *wanted)
{
    swap(why.text, '"', '\'');
    if (strcmp(why.text, wanted) != 0)
        fail_msg("%s\nnot    %s\nbut is %s", of, wanted, why.text);
}

static inline const bp_json *parsed(const char *text)
{
    const bp_json *value = NULL;
    struct reason  parse;

    if (json_parse(&arena, quoted(text), &value, &parse) != BP_OK)
        fail_msg("%s: %s", text, parse.text);
    return value;
}

static inline struct json_schema *compiled(const char *text)
{
    struct json_schema *schema = json_schema_compile(quoted(text), &why);

    if (!schema)
        fail_msg("%s: %s", text, why.text);
    return schema;
}

struct sentence_case {
    const char *schema, *value,
        *sentence; /* value NULL: the schema is refused; sentence NULL: it fits */
};

static inline void expect_sentence(const struct sentence_case *one)
{
    struct json_schema *schema;

    if (!one->value) {
        if (json_schema_compile(quoted(one->schema), &why))
            fail_msg("%s is taken", one->schema);
        expect_said(one->schema, one->sentence);
        return;
    }
    schema = compiled(one->schema);
    if (json_schema_check(schema, parsed(one->value), &why) != !one->sentence)
        fail_msg("%s %s %s: %s", one->value, one->sentence ? "fits" : "does not fit", one->schema,
                 one->sentence ? "" : why.text);
    if (one->sentence)
        expect_said(one->schema, one->sentence);
    json_schema_free(schema);
}

#define EXPECT_EACH(cases)                                                                         \
    for (size_t each_ = 0; each_ < sizeof(cases) / sizeof((cases)[0]); each_++)                    \
    expect_sentence(&(cases)[each_])

static inline int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256 << 20);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
