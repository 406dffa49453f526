/* test_json_schema.c - JSON Schema: what fits, the sentences when something does not, and schemas
 * that are refused. The official suite is integration.json_schema_suite; here stands what it does
 * not ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/json_schema.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) ||                           \
    __has_feature(thread_sanitizer)
enum { SMALL_STACK_BYTES = 768 << 10 };
#else
enum { SMALL_STACK_BYTES = 128 << 10 };
#endif

static struct arena  arena;
static struct reason problem;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static const bp_json *read_json(const char *text)
{
    struct reason  why = { "" };
    const bp_json *value;

    if (json_parse(&arena, bp_str_of(text), &value, &why) != BP_OK)
        fail_msg("%s: %s", text, why.text);
    return value;
}

static struct json_schema *compile(const char *text)
{
    struct json_schema *schema = json_schema_compile(bp_str_of(text), &problem);

    if (!schema)
        fail_msg("%s: %s", text, problem.text);
    return schema;
}

/* `wanted` NULL: it fits; else the sentence. */
static void check(const char *schema_text, const char *value, const char *wanted)
{
    struct json_schema *schema = compile(schema_text);
    bool                is_good = json_schema_check(schema, read_json(value), &problem);

    if (is_good != !wanted)
        fail_msg("%s against %s: %s", value, schema_text, is_good ? "fits" : problem.text);
    if (wanted)
        assert_string_equal(problem.text, wanted);
    json_schema_free(schema);
}

static void refused(const char *schema, const char *wanted)
{
    struct json_schema *made = json_schema_compile(bp_str_of(schema), &problem);

    if (made)
        fail_msg("%s was compiled", schema);
    if (!strstr(problem.text, wanted))
        fail_msg("%s: \"%s\" does not say \"%s\"", schema, problem.text, wanted);
}

static void a_sentence_says_where_and_what(void **state)
{
    static const struct {
        const char *schema, *value, *sentence;
    } cases[] = {
        { "{\"type\":\"integer\"}", "\"seven\"", "the value must be an integer, not \"seven\"" },
        { "{\"properties\":{\"count\":{\"type\":\"integer\"}}}", "{\"count\":\"seven\"}",
          "/count must be an integer, not \"seven\"" },
        { "{\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]}}}", "{\"a\":[]}",
          "/a must be a string or null, not an array" },
        { "{\"properties\":{\"edits\":{\"items\":{\"required\":[\"oldText\"]}}}}",
          "{\"edits\":[{},{}]}", "/edits/0/oldText is missing" },
        { "{\"required\":[\"a/b~c\"]}", "{}", "/a~1b~0c is missing" },
        { "{\"properties\":{\"color\":{}},\"additionalProperties\":false}", "{\"colour\":1}",
          "\"colour\" is not a known argument (did you mean \"color\"?)" },
        { "{\"properties\":{\"a\":{\"properties\":{\"color\":{}},\"additionalProperties\":false}}}",
          "{\"a\":{\"x\":1}}", "/a/x is not a known property" },
        { "{\"enum\":[\"asc\",\"desc\"]}", "\"decs\"",
          "the value must be one of \"asc\", \"desc\", not \"decs\" (did you mean \"desc\"?)" },
        { "{\"const\":{\"a\":1}}", "1", "the value must be an object, not 1" },
        { "{\"minimum\":1.5}", "1", "the value must be at least 1.5, not 1" },
        { "{\"exclusiveMaximum\":10}", "10", "the value must be less than 10, not 10" },
        { "{\"multipleOf\":0.01}", "0.005", "the value must be a multiple of 0.01, not 0.005" },
        { "{\"minLength\":3}", "\"\\u00e4\\u00f6\"",
          "the value must have at least 3 characters, not 2" },
        { "{\"items\":{\"maxLength\":1}}", "[\"a\",\"\\ud83d\\ude00\",\"ab\"]",
          "/2 must have at most 1 characters, not 2" },
        { "{\"pattern\":\"^[a-z]+$\"}", "\"A\\n\"",
          "the value must match the pattern \"^[a-z]+$\", not be \"A\\u000A\"" },
        { "{\"minItems\":1}", "[]", "the value must have at least 1 items, not 0" },
        { "{\"uniqueItems\":true}", "[1,{\"a\":[2]},1.0]",
          "the value must not have the same item twice, as it has at 0 and 2" },
        { "{\"contains\":{\"const\":5}}", "[1]",
          "the value must have at least 1 items of the kind it must contain, not 0" },
        { "{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}",
          "/abc must have at most 2 characters, not 3" },
        { "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "/b is missing" },
        { "{\"properties\":{\"a\":false}}", "{\"a\":1}", "/a is not allowed" },
        { "{\"not\":{\"type\":\"string\"}}", "\"a\"",
          "the value has just the form that is not allowed there" },
        { "{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":{\"name\":{}}}]}",
          "{\"nam\":1}", "\"nam\" is not a known argument" },
        { "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{\"a\":1}",
          "/b is missing" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(cases[i].schema, cases[i].value, cases[i].sentence);
}

static void of_alternatives_the_one_that_got_furthest_tells(void **state)
{
    const char *shapes = "{\"anyOf\":[{\"properties\":{\"kind\":{\"const\":\"circle\"},\"r\":{"
                         "\"type\":\"number\"}}},{\"properties\":{\"kind\":{\"const\":\"box\"},"
                         "\"size\":{\"items\":{\"type\":\"number\"}}}}]}";
    (void)state;
    check(shapes, "{\"kind\":\"box\",\"size\":[1,\"2\"]}", "/size/1 must be a number, not \"2\"");
    check("{\"anyOf\":[{\"type\":\"string\",\"minLength\":1},{\"type\":\"null\"}]}", "\"\"",
          "the value must have at least 1 characters, not 0");
    check("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "5",
          "the value must be a string or null, not 5");
    check("{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":3}]}", "5",
          "the value fits more than one of the forms of which it must fit exactly one");
    check("{\"oneOf\":[{\"minimum\":9},{\"multipleOf\":2}]}", "5",
          "the value fits none of the 2 forms that are allowed there");
    check("{\"anyOf\":[{\"$ref\":\"#/$defs/s\"},{\"type\":\"array\"}],"
          "\"$defs\":{\"s\":{\"enum\":[\"a\"],\"type\":\"string\"}}}",
          "\"b\"", "the value must be \"a\", not \"b\" (did you mean \"a\"?)");
}

static void integers_and_doubles_are_compared_exactly(void **state)
{
    (void)state;
    check("{\"const\":9007199254740993}", "9007199254740992.0",
          "the value must be 9007199254740993, not 9.00719925474099e+15");
    check("{\"maximum\":9223372036854775807}", "9223372036854775808.0",
          "the value must be at most 9223372036854775807, not 9.22337203685478e+18");
    check("{\"minimum\":-9223372036854775808}", "-9223372036854775808", NULL);
    check("{\"minimum\":-0.5}", "0", NULL);
    check("{\"maximum\":-0.5}", "0", "the value must be at most -0.5, not 0");
}

static void a_pattern_is_ecmascripts(void **state)
{
    (void)state;
    check("{\"pattern\":\"^a$\"}", "\"a\\n\"",
          "the value must match the pattern \"^a$\", not be \"a\\u000A\"");
    check("{\"pattern\":\"^\\\\u0061\\\\x62\\\\u{63}$\"}", "\"abc\"", NULL);
    check("{\"pattern\":\"^.$\"}", "\"\\ud83d\\ude00\"", NULL);
    check("{\"pattern\":\"\"}", "\"\"", NULL);
    check("{\"pattern\":\"^\\\\p{L}+$\"}", "\"\\u00e9t\\u00e9\"", NULL);
}

static void a_pattern_that_backtracks_without_end_is_given_up(void **state)
{
    struct json_schema *schema = compile("{\"not\":{\"items\":{\"pattern\":\"^(a+)+$\"}}}");
    (void)state;
    assert_false(json_schema_check(schema,
                                   read_json("[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]"),
                                   &problem));
    assert_string_equal(problem.text,
                        "a text of the value takes too long to match with its pattern");
    json_schema_free(schema);
}

static void many_items_are_compared_by_hash(void **state)
{
    struct json_schema *schema = compile("{\"uniqueItems\":true}");
    struct bp_buf       buf;
    (void)state;
    buf_init(&buf, &arena, 8u << 20);
    buf_add_char(&buf, '[');
    for (int i = 0; i < 50000; i++)
        buf_addf(&buf, "%s{\"a\":%d,\"b\":[%d]}", i ? "," : "", i, i % 7);
    buf_add(&buf, BP_STR("]"));
    assert_true(json_schema_check(schema, read_json(buf_str(&buf).data), &problem));
    buf_reset(&buf);
    buf_add_char(&buf, '[');
    for (int i = 0; i < 40; i++)
        buf_addf(&buf, "%d,", i);
    buf_add(&buf, BP_STR("17.0]"));
    assert_false(json_schema_check(schema, read_json(buf_str(&buf).data), &problem));
    assert_string_equal(problem.text,
                        "the value must not have the same item twice, as it has at 17 and 40");
    json_schema_free(schema);
}

static void unevaluated_sees_more_members_than_fit_on_the_stack(void **state)
{
    struct json_schema *schema = compile("{\"unevaluatedProperties\":false,"
                                         "\"anyOf\":[{\"patternProperties\":{\"^k\":true}}]}");
    struct bp_buf       buf;
    (void)state;
    buf_init(&buf, &arena, 8u << 20);
    buf_add_char(&buf, '{');
    for (int i = 0; i < 3000; i++)
        buf_addf(&buf, "\"k%d\":1,", i);
    buf_add(&buf, BP_STR("\"other\":1}"));
    assert_false(json_schema_check(schema, read_json(buf_str(&buf).data), &problem));
    assert_string_equal(problem.text, "\"other\" is not a known argument");
    json_schema_free(schema);
}

static void many_properties_are_found_by_hash(void **state)
{
    struct bp_buf buf;
    (void)state;
    buf_init(&buf, &arena, 1u << 20);
    buf_add(&buf, BP_STR("{\"additionalProperties\":false,\"required\":[\"p3\",\"p90\"],"
                         "\"properties\":{"));
    for (int i = 0; i < 100; i++)
        buf_addf(&buf, "%s\"p%d\":{\"const\":%d}", i ? "," : "", i, i);
    buf_add(&buf, BP_STR("}}"));
    check(buf_str(&buf).data, "{\"p3\":3,\"p90\":90}", NULL);
    check(buf_str(&buf).data, "{\"p3\":3,\"p91\":91}", "/p90 is missing");
    check(buf_str(&buf).data, "{\"p3\":4,\"p90\":90}", "/p3 must be 3, not 4");
    check(buf_str(&buf).data, "{\"p3\":3,\"p90\":90,\"q\":1}", "\"q\" is not a known argument");
}

static void schemas_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refused("{", "it is not JSON");
    refused("5", "a schema is an object, true or false");
    refused("{\"type\":\"strnig\"}", "/type: \"strnig\" is not a type (did you mean \"string\"?)");
    refused("{\"properties\":{\"a\":{\"minLength\":-1}}}",
            "/properties/a/minLength: it must be a whole number from 0 on");
    refused("{\"properties\":{\"a\":5}}", "/properties: it must be a schema");
    refused("{\"pattern\":\"(\"}",
            "/pattern: the pattern cannot be used: missing closing parenthesis, at byte 1");
    refused("{\"$schema\":\"http://example.com/mine\"}", "is not a dialect known here");
    refused("{\"$ref\":\"http://example.com/other.json\"}",
            "leads out of this schema, and nothing is fetched");
    refused("{\"$ref\":\"#/$defs/x\"}", "the $ref \"#/$defs/x\" leads to nothing");
    refused("{\"$ref\":\"#x\"}", "the $ref \"#x\" leads to nothing");
    refused("{\"$ref\":\"#\"}", "it refers to itself without end");
    refused("{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"not\":{\"$ref\":\"#/"
            "$defs/a\"}}},\"$ref\":\"#/$defs/a\"}",
            "it refers to itself without end");
    refused("{\"items\":[true]}", "is called prefixItems since 2020-12");
    refused("{\"anyOf\":[]}", "/anyOf: it must be an array of at least one schema");
    refused("{\"multipleOf\":0}", "/multipleOf: it must be a number above 0");
    refused("{\"$defs\":{\"a\":{\"$id\":\"x:y\"},\"b\":{\"$id\":\"x:y\"}}}",
            "two schemas have the $id \"x:y\"");
    refused("{\"$defs\":{\"a\":{\"$anchor\":\"n\"},\"b\":{\"$anchor\":\"n\"}}}",
            "two schemas have the anchor \"n\"");
}

static void what_is_too_large_is_refused(void **state)
{
    struct bp_buf buf;
    (void)state;
    buf_init(&buf, &arena, 16u << 20);
    buf_add(&buf, BP_STR("{\"anyOf\":[{}"));
    for (int i = 0; i < JSON_SCHEMA_COUNT_MAX; i++)
        buf_add(&buf, BP_STR(",{}"));
    buf_add(&buf, BP_STR("]}"));
    refused(buf_str(&buf).data, "it has more than 10000 subschemas");
    buf_reset(&buf);
    buf_add(&buf, BP_STR("{\"pattern\":\""));
    for (int i = 0; i < JSON_SCHEMA_PATTERN_BYTES_MAX + 1; i++)
        buf_add_char(&buf, 'a');
    buf_add(&buf, BP_STR("\"}"));
    refused(buf_str(&buf).data, "the pattern is longer than 8192 bytes");
    buf_reset(&buf);
    buf_add(&buf, BP_STR("{\"$ref\":\"#/$defs/0\",\"$defs\":{")); // a chain of references that does
                                                                  // not end soon
    for (int i = 0; i < 5000; i++)
        buf_addf(&buf, "\"%d\":{\"$ref\":\"#/$defs/%d\"},", i, i + 1);
    buf_add(&buf, BP_STR("\"5000\":true}}"));
    refused(buf_str(&buf).data, "more than 48 schemas apply to one value");
}

static void a_schema_that_doubles_at_each_level_is_given_up_in_time(void **state)
{
    struct json_schema *schema;
    struct bp_buf       buf;
    (void)state;
    buf_init(&buf, &arena, 1u << 20);
    buf_add(&buf, BP_STR("{\"$ref\":\"#/$defs/0\",\"$defs\":{\"40\":false"));
    for (int i = 0; i < 40; i++)
        buf_addf(&buf, ",\"%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/%d\"},{\"$ref\":\"#/$defs/%d\"}]}",
                 i, i + 1, i + 1);
    buf_add(&buf, BP_STR("}}"));
    schema = json_schema_compile(buf_str(&buf), &problem);
    if (schema) { // it may be refused for its height, but must not take for ever
        assert_false(json_schema_check(schema, read_json("1"), &problem));
        assert_string_equal(problem.text, "the value takes too long to check");
    }
    json_schema_free(schema);
    buf_reset(&buf);
    buf_add(&buf, BP_STR("{\"$ref\":\"#/$defs/0\",\"$defs\":{\"20\":false"));
    for (int i = 0; i < 20; i++)
        buf_addf(&buf,
                 ",\"%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/%d\"},{\"$ref\":\"#/$defs/"
                 "%d\"},{\"$ref\":\"#/$defs/%d\"},{\"$ref\":\"#/$defs/%d\"}]}",
                 i, i + 1, i + 1, i + 1, i + 1);
    buf_add(&buf, BP_STR("}}"));
    schema = compile(buf_str(&buf).data);
    assert_false(json_schema_check(schema, read_json("1"), &problem));
    assert_string_equal(problem.text, "the value takes too long to check");
    json_schema_free(schema);
}

static void *walk_deep(void *arg)
{
    struct json_schema *schema = arg;
    char                text[256] = "";
    struct reason       why;
    struct arena        own;
    const bp_json      *value;
    size_t              len = 0;

    for (int i = 0; i < 63; i++)
        text[len++] = '[';
    text[len++] = '1';
    for (int i = 0; i < 63; i++)
        text[len++] = ']';
    arena_init(&own, 1u << 20);
    json_parse(&own, bp_str_n(text, len), &value, &why);
    if (json_schema_check(schema, value, &why))
        reason_set(&why, "it fits");
    arena_free(&own);
    return strdup(why.text);
}

/* A fiber has 256 KiB, of which its handler has used some. */
static void a_deep_value_is_walked_on_a_small_stack(void **state)
{
    struct json_schema *schema = compile("{\"anyOf\":[{\"allOf\":[{\"oneOf\":[{\"items\":{\"$ref\":"
                                         "\"#\"}}]}],\"unevaluatedItems\":false}]}");
    pthread_attr_t      attributes;
    pthread_t           thread;
    void               *why = NULL;
    (void)state;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SMALL_STACK_BYTES);
    assert_int_equal(pthread_create(&thread, &attributes, walk_deep, schema), 0);
    pthread_join(thread, &why);
    assert_string_equal(why, "the value is nested too deep to check");
    free(why);
    json_schema_free(schema);
}

static void an_open_schema_is_known_as_one(void **state)
{
    static const struct {
        const char *schema;
        bool        is_open;
    } cases[] = {
        { "{\"type\":\"object\"}", true },
        { "true", true },
        { "{}", true },
        { "{\"type\":\"object\",\"properties\":{},\"description\":\"x\",\"required\":[]}", true },
        { "{\"type\":\"object\",\"additionalProperties\":true}", true },
        { "{\"type\":\"object\",\"additionalProperties\":false}", false },
        { "{\"type\":\"object\",\"properties\":{\"a\":{}}}", false },
        { "{\"type\":\"object\",\"minProperties\":1}", false },
        { "{\"type\":\"array\"}", false },
        { "false", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_schema *schema = compile(cases[i].schema);

        if (json_schema_is_open(schema) != cases[i].is_open)
            fail_msg("%s", cases[i].schema);
        json_schema_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_says_where_and_what),
        cmocka_unit_test(of_alternatives_the_one_that_got_furthest_tells),
        cmocka_unit_test(integers_and_doubles_are_compared_exactly),
        cmocka_unit_test(a_pattern_is_ecmascripts),
        cmocka_unit_test(a_pattern_that_backtracks_without_end_is_given_up),
        cmocka_unit_test(many_items_are_compared_by_hash),
        cmocka_unit_test(unevaluated_sees_more_members_than_fit_on_the_stack),
        cmocka_unit_test(many_properties_are_found_by_hash),
        cmocka_unit_test(schemas_that_make_no_sense_are_refused),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(a_schema_that_doubles_at_each_level_is_given_up_in_time),
        cmocka_unit_test(a_deep_value_is_walked_on_a_small_stack),
        cmocka_unit_test(an_open_schema_is_known_as_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
