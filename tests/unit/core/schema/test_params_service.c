/* test_params_service.c - the table of parameters as plugins reach it: what is read, and what is
 * told of what cannot be. The memory of the call and its sentence are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <backplane/call.h>

#include "base/json_service.h"
#include "schema/params.h"

static struct arena arena;
static char         said[1024];

struct arena *call_memory(bp_call *call)
{
    (void)call;
    return &arena;
}

static bp_status set_error(bp_call *call, bp_status status, bp_str message, const char *file,
                           uint32_t line)
{
    (void)call, (void)file, (void)line;
    snprintf(said, sizeof(said), BP_FMT, BP_ARG(message));
    return status;
}

static const bp_call_service service = { .struct_size = sizeof(service), .set_error = set_error };

struct values {
    int64_t limit;
};

static const bp_param  rows[] = { BP_PARAM_INTEGER(struct values, limit, .minimum = "1") };
static const bp_params table = BP_PARAMS(struct values, rows);
static const bp_param  nameless[] = { { .type = BP_PARAM_TYPE_TEXT } };
static const bp_params broken = BP_PARAMS_ONLY(nameless);

static const bp_json *parsed(const char *text)
{
    const bp_json *value = NULL;
    struct reason  why;

    assert_int_equal(json_parse(&arena, bp_str_of(text), &value, &why), BP_OK);
    return value;
}

static void what_fits_is_read_and_what_does_not_is_told(void **state)
{
    struct values values = { 0 };

    (void)state;
    assert_int_equal(params_service.read(NULL, &table, parsed("{\"limit\":7}"), &values), BP_OK);
    assert_int_equal(values.limit, 7);
    assert_string_equal(said, "");
    assert_int_equal(params_service.read(NULL, &table, parsed("{\"limit\":0}"), &values),
                     BP_INVALID);
    assert_non_null(strstr(said, "limit"));
}

static void a_table_is_written_as_a_schema(void **state)
{
    bp_str text = { NULL, 0 };

    (void)state;
    assert_int_equal(params_service.schema(NULL, &table, &text), BP_OK);
    assert_true(bp_str_is(text,
                          "{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"integer\","
                          "\"minimum\":1}}}"));
    assert_int_equal(params_service.schema(NULL, NULL, &text), BP_OK);
    assert_int_equal(text.len, 0);
    assert_string_equal(said, "");
    assert_int_equal(params_service.schema(NULL, &broken, &text), BP_INVALID);
    assert_non_null(strstr(said, "the parameter \""));
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    said[0] = '\0';
    bp_service_call = &service;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_fits_is_read_and_what_does_not_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_table_is_written_as_a_schema, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
