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

static bool has_shape(struct arena *arena, const char *schema)
{
    return shape_read(arena, bp_str_of(schema)) != NULL;
}

static void words_that_say_nothing_more_are_no_matter(void **state)
{
    static const char *const with[] = {
        "{\"type\":\"object\"}",
        "{\"type\":\"object\",\"$schema\":\"x\",\"description\":\"x\",\"title\":\"x\","
        "\"additionalProperties\":true,\"required\":[],\"properties\":{}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"title\":\"x\","
        "\"description\":\"x\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}}}",
    };
    static const char *const without[] = {
        "{",
        "{}",
        "{\"type\":[\"object\"]}",
        "{\"type\":\"object\",\"format\":\"x\"}",
        "{\"type\":\"object\",\"properties\":{\"a\":{}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":true}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\"]}}}",
        "{\"type\":\"object\",\"required\":[\"a\"]}",
        "{\"type\":\"object\",\"required\":[7],\"properties\":{\"a\":{\"type\":\"string\"}}}",
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
        if (!has_shape(&arena, with[i]))
            fail_msg("%s", with[i]);
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        if (has_shape(&arena, without[i]))
            fail_msg("%s", without[i]);
    arena_free(&arena);
}

static void a_shape_has_at_most_16_members(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int count = 15; count <= 17; count++) {
        struct bp_buf schema, json, short_of_one;
        struct shape *shape;

        buf_init(&schema, &arena, 1 << 16);
        buf_init(&json, &arena, 1 << 16);
        buf_init(&short_of_one, &arena, 1 << 16);
        buf_add(&schema, BP_STR("{\"type\":\"object\",\"properties\":{"));
        for (int i = 0; i < count; i++) {
            buf_addf(&schema, "%s\"m%d\":{\"type\":\"%s\"}", i ? "," : "", i,
                     i % 2 ? "integer" : "boolean");
            buf_addf(&json, "%s\"m%d\":%s", i ? "," : "{", i, i % 2 ? "7" : "false");
            if (i < count - 1)
                buf_addf(&short_of_one, "%s\"m%d\":%s", i ? "," : "{", i, i % 2 ? "7" : "true");
        }
        buf_addf(&schema, "},\"required\":[\"m0\",\"m%d\"]}", count - 1);
        buf_add(&json, BP_STR("}"));
        buf_add(&short_of_one, BP_STR("}"));
        shape = shape_read(&arena, buf_str(&schema));
        assert_int_equal(shape != NULL, count <= 16);
        assert_int_equal(shape_fits(shape, buf_str(&json)), count <= 16);
        assert_false(shape_fits(shape, buf_str(&short_of_one)));
    }
    arena_free(&arena);
}

static void values_are_judged_to_the_last_character(void **state)
{
    static const struct {
        const char *json;
        bool        fits;
    } cases[] = {
        { "{\"size\":7}", true },
        { "{\"size\":-7}", true },
        { "{\"size\":0}", true },
        { "{\"size\":-0}", true },
        { "{\"size\":00}", false },
        { "{\"size\":-01}", false },
        { "{\"size\":10}", true },
        { "{\"size\":999999999999999}", true },
        { "{\"size\":-999999999999999}", true },
        { "{\"size\":1000000000000000}", false }, // may be one, and takes more than a look
        { "{\"size\":7e1}", false },
        { "{\"size\":/}", false },
        { "{\"size\"::}", false },
        { "{\"size\":", false },
        { "{\"size\":7", false },
        { "{\"size\":7,", false },
        { "{\"size\":7,}", false },
        { "{\"size\":7,\"ok\":true}", true },
        { "{\"size\":7\"ok\":true}", false },
        { "{\"size\":7,,\"ok\":true}", false },
        { "{\"ok\":true}", true },
        { "{\"ok\":false}", true },
        { "{\"ok\":truex}", false },
        { "{\"ok\":fals", false },
        { "{\"ok\":t", false },
        { "{\"ok\":null}", false },
        { "{\"ok\"", false },
        { "{\"ok", false },
        { "{\"", false },
        { "{\"text\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", true },
        { "{\"text\":\"\\a\"}", false },
        { "{\"text\":\"\\", false },
        { "{\"text\":\"\\\"", false },
        { "{\"text\":\"a", false },
        { "{\"text\":\"\x7F\xC3\xA4\xE2\x82\xAC\"}", true },
        { "{\"text\":\"\x7F", false },
        { "{\"text\":\"\x1F\"}", false },
        { "{\"text\":\"\x80\"}", false },
        { "{\"te\\u0078t\":\"\"}", false },
        { "{\"text\":7}", false },
        { "{\"text\":\"a\",\"text\":\"b\"}", false },
        { "{\"size\":7,\"size\":7}", false },
        { "{}", true },
        { "{}x", false },
        { "x{}", false },
    };
    struct arena  arena;
    struct shape *shape;

    (void)state;
    arena_init(&arena, 1 << 20);
    shape = shape_read(&arena, BP_STR("{\"type\":\"object\",\"properties\":{\"size\":{\"type\":"
                                      "\"integer\"},\"ok\":{\"type\":\"boolean\"},\"text\":{"
                                      "\"type\":\"string\"}}}"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (shape_fits(shape, bp_str_of(cases[i].json)) != cases[i].fits)
            fail_msg("%s", cases[i].json);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_results_are_known_to_fit),
        cmocka_unit_test(nothing_else_gets_a_yes),
        cmocka_unit_test(a_schema_that_says_more_has_no_shape),
        cmocka_unit_test(words_that_say_nothing_more_are_no_matter),
        cmocka_unit_test(a_shape_has_at_most_16_members),
        cmocka_unit_test(values_are_judged_to_the_last_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
