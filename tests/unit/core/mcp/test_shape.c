/* test_shape.c - the quick yes is never given to what the schema, or JSON, would refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema/json_schema.h"
#include "mcp/shape.h"

static const char schema_text[] = "{\"type\":\"object\",\"properties\":{\"content\":{\"type\":"
                                  "\"string\"},\"size\":{\"type\":\"integer\"},\"ok\":{\"type\":"
                                  "\"boolean\"}},\"required\":[\"content\"],"
                                  "\"additionalProperties\":false}";

static const char *const good[] = {
    "{\"content\":\"\"}",
    "{\"content\":\"a long enough text without anything in it that has to be escaped\"}",
    "{\"content\":\"line\\nquote\\\" back\\\\slash \\/ \\t\"}",
    "{\"content\":\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \x7F\"}",
    "{\"ok\":true,\"content\":\"x\",\"size\":-12}",
    "{\"size\":0,\"content\":\"x\"}",
};

/* No JSON, not what the schema wants, or just not plain. */
static const char *const unknown[] = {
    "",
    "{",
    "{}",
    "[]",
    "null",
    "{\"content\":\"x\"",
    "{\"content\":\"x\"}}",
    "{\"content\":\"x\"} ",
    "{\"content\":\"x}",
    "{\"content\":1}",
    "{\"size\":1}",
    "{\"content\":\"x\",\"size\":1.5}",
    "{\"content\":\"x\",\"size\":01}",
    "{\"content\":\"x\",\"size\":-}",
    "{\"content\":\"x\",\"size\":\"1\"}",
    "{\"content\":\"x\",\"ok\":1}",
    "{\"content\":\"x\",\"other\":1}",
    "{\"content\":\"x\",\"content\":\"y\"}",
    "{\"content\":\"\\u0041\"}",
    "{\"content\":\"\\x\"}",
    "{\"content\":\"\xC3\"}",
    "{\"content\":\"\xFF\"}",
    "{\"content\":\"tab\tinside\"}",
    "{\"content\":\"x\",}",
    "{,\"content\":\"x\"}",
    "{\"content\" :\"x\"}",
    "{\"content\":\"x\",\"ok\":tru}",
};

static void plain_results_are_known_to_fit(void **state)
{
    struct arena        arena;
    struct shape       *shape;
    struct reason       why;
    struct json_schema *schema = json_schema_compile(bp_str_of(schema_text), &why);
    (void)state;
    arena_init(&arena, 1 << 20);
    shape = shape_read(&arena, bp_str_of(schema_text));
    assert_non_null(shape);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const bp_json *value;

        assert_true(shape_fits(shape, bp_str_of(good[i])));
        assert_int_equal(json_parse(&arena, bp_str_of(good[i]), &value, &why), BP_OK);
        assert_true(json_schema_check(schema, value, &why));
    }
    json_schema_free(schema);
    arena_free(&arena);
}

static void nothing_else_gets_a_yes(void **state)
{
    struct arena  arena;
    struct shape *shape;
    (void)state;
    arena_init(&arena, 1 << 20);
    shape = shape_read(&arena, bp_str_of(schema_text));
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_false(shape_fits(shape, bp_str_of(unknown[i])));
    assert_false(shape_fits(shape, bp_str_n("{\"content\":\"a\0b\"}", 17)));
    assert_false(shape_fits(NULL, BP_STR("{\"content\":\"x\"}")));
    arena_free(&arena);
}

static void a_schema_that_says_more_has_no_shape(void **state)
{
    static const char *const more[] = {
        "true",
        "{\"type\":\"array\"}",
        "{\"type\":\"object\",\"minProperties\":1}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":1}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\"}}}",
        "{\"type\":\"object\",\"required\":[\"b\"],\"properties\":{\"a\":{\"type\":\"string\"}}}",
    };
    struct arena arena;
    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        assert_null(shape_read(&arena, bp_str_of(more[i])));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_results_are_known_to_fit),
        cmocka_unit_test(nothing_else_gets_a_yes),
        cmocka_unit_test(a_schema_that_says_more_has_no_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
