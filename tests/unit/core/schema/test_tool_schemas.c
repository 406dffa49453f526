/* test_tool_schemas.c - the schemas of a tool and its structured result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/tool_schemas.h"

static struct arena        arena;
static struct tool_schemas schemas;
static struct reason       why;

static bool read_schemas(const char *input, const char *output)
{
    tool_schemas_free(&schemas);
    reason_clear(&why);
    return tool_schemas_read(&arena, input, output, &schemas, &why);
}

static bool fits(const char *json)
{
    const bp_json *value;
    struct reason  reason;

    assert_int_equal(json_parse(&arena, bp_str_of(json), &value, &reason), BP_OK);
    return json_schema_check(schemas.input, value, &reason);
}

static void assert_problem_begins(const char *text)
{
    assert_true(bp_str_starts(bp_str_of(why.text), text));
}

static void without_a_text_a_tool_takes_no_arguments(void **state)
{
    (void)state;
    assert_true(read_schemas(NULL, NULL));
    assert_true(fits("{}"));
    assert_false(fits("{\"a\":1}"));
    assert_null(schemas.output);
    assert_null(schemas.input_json);
}

static void arguments_are_an_object(void **state)
{
    (void)state;
    assert_true(read_schemas("{\"type\":\"object\",\"required\":[\"a\"]}", NULL));
    assert_true(fits("{\"a\":1}"));
    assert_non_null(schemas.input_json);
    assert_false(read_schemas("{\"type\":\"array\"}", NULL));
    assert_string_equal(why.text, "its input schema has no \"type\": \"object\" ");
    assert_false(read_schemas("{", NULL));
    assert_false(read_schemas("{\"type\":\"object\"}", "{\"type\":7}"));
}

static void a_result_is_given_is_json_and_fits(void **state)
{
    (void)state;
    assert_true(read_schemas(NULL, "{\"type\":\"object\",\"required\":[\"n\"]}"));
    assert_true(tool_result_check(schemas.output, &arena, BP_STR("{\"n\":1}"), &why));
    assert_false(tool_result_check(schemas.output, &arena, BP_STR(""), &why));
    assert_string_equal(why.text, "the tool has an output schema and gave no structured result");
    assert_false(tool_result_check(schemas.output, &arena, BP_STR("{\"n\""), &why));
    assert_problem_begins("the structured result is not JSON: ");
    assert_false(tool_result_check(schemas.output, &arena, BP_STR("{}"), &why));
    assert_problem_begins("the structured result is not what the tool's output schema says: ");
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tool_schemas_free(&schemas);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_text_a_tool_takes_no_arguments),
        cmocka_unit_test(arguments_are_an_object),
        cmocka_unit_test(a_result_is_given_is_json_and_fits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
