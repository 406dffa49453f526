/* test_params.c - tables of parameters: the schema that they give, the struct that they fill. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "schema/json_schema.h"
#include "schema/params.h"

struct edit {
    bp_str         path;
    int64_t        limit;
    double         weight;
    bool           dry_run;
    int32_t        order;
    const bp_json *edits, *tags, *more, *any;
    int64_t        rounds;
    const bp_json *numbers;
};

static const bp_param edit_fields[] = {
    BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "oldText", .flags = BP_PARAM_REQUIRED),
    BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "newText", .flags = BP_PARAM_REQUIRED, .help = "instead"),
};
static const bp_param edit_rows[] = {
    BP_PARAM_TEXT(struct edit, path, .flags = BP_PARAM_REQUIRED, .minimum = "1",
                  .help = "the \"file\""),
    BP_PARAM_INTEGER(struct edit, limit, .minimum = "1", .maximum = "50", .initial = "5"),
    BP_PARAM_NUMBER(struct edit, weight, .maximum = "1.5", .initial = "0.5"),
    BP_PARAM_OF(BP_PARAM_TYPE_BOOLEAN, struct edit, dry_run, "dryRun", .initial = "true"),
    BP_PARAM_CHOICE(struct edit, order, .choices = "asc|desc", .flags = BP_PARAM_NULLABLE),
    BP_PARAM_OBJECTS(struct edit, edits, .minimum = "1", .flags = BP_PARAM_CLOSED,
                     BP_PARAM_FIELDS(edit_fields)),
    BP_PARAM_TEXTS(struct edit, tags, .maximum = "3", .choices = "a|b"),
    BP_PARAM_OBJECT(struct edit, more, .schema = "{\"additionalProperties\":{\"type\":\"null\"}}"),
    BP_PARAM_OF(BP_PARAM_TYPE_ANY, struct edit, any, "any", .schema = "{\"minimum\":3}"),
    BP_PARAM_INTEGER(struct edit, rounds, .initial = "7", .flags = BP_PARAM_QUIET),
    BP_PARAM_NUMBERS(struct edit, numbers, .maximum = "2"),
};
static const bp_params edit_params = BP_PARAMS(struct edit, edit_rows);
static const bp_params more_params = BP_PARAMS_WITH(struct edit, edit_fields,
                                                    .flags = BP_PARAM_CLOSED,
                                                    .schema = "{\"minProperties\":1}");

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void a_table_gives_its_schema(void **state)
{
    struct reason why;
    const char   *text = "kept";

    (void)state;
    assert_true(params_text(&arena, &edit_params, &text, &why));
    assert_string_equal(
        text,
        "{\"type\":\"object\",\"properties\":{"
        "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the \\\"file\\\"\"},"
        "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":50,\"default\":5},"
        "\"weight\":{\"type\":\"number\",\"maximum\":1.5,\"default\":0.5},"
        "\"dryRun\":{\"type\":\"boolean\",\"default\":true},"
        "\"order\":{\"type\":[\"string\",\"null\"],\"enum\":[\"asc\",\"desc\",null]},"
        "\"edits\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
        "\"oldText\":{\"type\":\"string\"},"
        "\"newText\":{\"type\":\"string\",\"description\":\"instead\"}},"
        "\"required\":[\"oldText\",\"newText\"],\"additionalProperties\":false},\"minItems\":1},"
        "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"]},"
        "\"maxItems\":3},"
        "\"more\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"null\"}},"
        "\"any\":{\"minimum\":3},\"rounds\":{\"type\":\"integer\"},"
        "\"numbers\":{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"maxItems\":2}},"
        "\"required\":[\"path\"]}");
    assert_true(params_text(&arena, &more_params, &text, &why));
    assert_string_equal(text, "{\"type\":\"object\",\"properties\":{"
                              "\"oldText\":{\"type\":\"string\"},"
                              "\"newText\":{\"type\":\"string\",\"description\":\"instead\"}},"
                              "\"required\":[\"oldText\",\"newText\"],"
                              "\"additionalProperties\":false,\"minProperties\":1}");
    text = "kept";
    assert_true(params_text(&arena, NULL, &text, &why));
    assert_string_equal(text, "kept");
}

static const bp_json *parse(const char *text)
{
    const bp_json *value = NULL;
    struct reason  why;

    assert_int_equal(json_parse(&arena, bp_str_of(text), &value, &why), BP_OK);
    return value;
}

static void the_struct_gets_what_was_sent_and_the_initial_rest(void **state)
{
    struct reason why;
    struct edit   edit;

    (void)state;
    memset(&edit, 0xAA, sizeof(edit));
    assert_true(params_read(&edit_params, parse("{\"path\":\"x\",\"order\":null}"), &edit, &why));
    assert_true(bp_str_is(edit.path, "x"));
    assert_int_equal(edit.limit, 5);
    assert_int_equal(edit.rounds, 7);
    assert_true(edit.weight > 0.49 && edit.weight < 0.51);
    assert_true(edit.dry_run);
    assert_int_equal(edit.order, -1);
    assert_null(edit.edits);
    assert_null(edit.tags);
    assert_null(edit.more);
    assert_null(edit.any);
    assert_true(
        params_read(&edit_params,
                    parse("{\"path\":\"\xC3\xBC\",\"limit\":50,\"weight\":1,\"dryRun\":false,"
                          "\"order\":\"desc\",\"edits\":[{},{}],\"tags\":[\"a\"],"
                          "\"more\":{},\"any\":7,\"unknown\":1}"),
                    &edit, &why));
    assert_true(bp_str_is(edit.path, "\xC3\xBC"));
    assert_int_equal(edit.limit, 50);
    assert_true(edit.weight > 0.99 && edit.weight < 1.01);
    assert_false(edit.dry_run);
    assert_int_equal(edit.order, 1);
    assert_int_equal(json_count(edit.edits), 2);
    assert_int_equal(json_count(edit.tags), 1);
    assert_non_null(edit.more);
    assert_int_equal(json_as_integer(edit.any), 7);
}

static void an_integer_is_one_however_it_is_written(void **state)
{
    static const struct {
        const char *arguments;
        int64_t     rounds;
    } cases[] = {
        { "{\"path\":\"x\",\"rounds\":3.0}", 3 },
        { "{\"path\":\"x\",\"rounds\":-3e2}", -300 },
        { "{\"path\":\"x\",\"rounds\":3e17}", 300000000000000000 },
        { "{\"path\":\"x\",\"rounds\":1e30}", INT64_MAX },
        { "{\"path\":\"x\",\"rounds\":-1e30}", INT64_MIN },
        { "{\"path\":\"x\",\"rounds\":9223372036854775807}", INT64_MAX },
    };
    struct reason why;
    struct edit   edit;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(params_read(&edit_params, parse(cases[i].arguments), &edit, &why));
        assert_int_equal(edit.rounds, cases[i].rounds);
    }
}

static void what_does_not_fit_is_named(void **state)
{
    static const struct {
        const char *arguments, *said;
    } cases[] = {
        { "{}", "\"path\" is missing" },
        { "{\"path\":7}", "\"path\" must be a text" },
        { "{\"path\":null}", "\"path\" must be a text" },
        { "{\"path\":\"x\",\"limit\":0}", "\"limit\" must be an integer within its range" },
        { "{\"path\":\"x\",\"limit\":51}", "\"limit\" must be an integer within its range" },
        { "{\"path\":\"x\",\"limit\":5.5}", "\"limit\" must be an integer" },
        { "{\"path\":\"x\",\"limit\":1e30}", "\"limit\" must be an integer within its range" },
        { "{\"path\":\"x\",\"rounds\":\"7\"}", "\"rounds\" must be an integer" },
        { "{\"path\":\"x\",\"weight\":1.6}", "\"weight\" must be a number within its range" },
        { "{\"path\":\"x\",\"weight\":\"1\"}", "\"weight\" must be a number" },
        { "{\"path\":\"x\",\"dryRun\":\"true\"}", "\"dryRun\" must be true or false" },
        { "{\"path\":\"x\",\"order\":\"up\"}", "\"order\" must be one of the choices" },
        { "{\"path\":\"x\",\"edits\":{}}", "\"edits\" must be a list of objects" },
        { "{\"path\":\"x\",\"numbers\":1}", "\"numbers\" must be a list of numbers" },
        { "{\"path\":\"x\",\"more\":[]}", "\"more\" must be an object" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reason why = { "" };
        struct edit   edit;

        if (params_read(&edit_params, parse(cases[i].arguments), &edit, &why) ||
            !strstr(why.text, cases[i].said))
            fail_msg("%s: \"%s\" and not \"%s\"", cases[i].arguments, why.text, cases[i].said);
    }
}

static void a_table_that_cannot_be_meant_so_is_refused(void **state)
{
    static const bp_param  endless[] = { BP_PARAM_ROW(BP_PARAM_TYPE_OBJECT, "x", .fields = endless,
                                                      .field_count = 1,
                                                      .field_size = sizeof(bp_param)) };
    static const bp_param  nameless[] = { { .type = BP_PARAM_TYPE_TEXT } };
    static const bp_param  typeless[] = { { .name = "x", .type = 11 } };
    static const bp_param  choiceless[] = { BP_PARAM_ROW(BP_PARAM_TYPE_CHOICE, "x", .help = "x") };
    static const bp_param  boundless[] = { BP_PARAM_ROW(BP_PARAM_TYPE_BOOLEAN, "x",
                                                        .minimum = "1") };
    static const bp_param  wordy[] = { BP_PARAM_ROW(BP_PARAM_TYPE_INTEGER, "x", .minimum = "one") };
    static const bp_param  initial[] = { BP_PARAM_ROW(BP_PARAM_TYPE_INTEGER, "x",
                                                      .initial = "one") };
    static const bp_param  open[] = { BP_PARAM_ROW(BP_PARAM_TYPE_ANY, "x", .schema = "{\"a\":") };
    static const bp_params tables[] = { BP_PARAMS_ONLY(endless),   BP_PARAMS_ONLY(nameless),
                                        BP_PARAMS_ONLY(typeless),  BP_PARAMS_ONLY(choiceless),
                                        BP_PARAMS_ONLY(boundless), BP_PARAMS_ONLY(wordy),
                                        BP_PARAMS_ONLY(initial),   BP_PARAMS_ONLY(open) };

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct reason why = { "" };
        const char   *text;

        if (params_text(&arena, &tables[i], &text, &why) || !strstr(why.text, "the parameter \""))
            fail_msg("table %zu: \"%s\"", i, why.text);
    }
}

static void a_field_outside_the_struct_is_never_written(void **state)
{
    struct {
        char    room[4];
        int64_t behind;
    } values = { .behind = 17 };
    static const bp_param  rows[] = { { .name = "x", .type = BP_PARAM_TYPE_INTEGER } };
    static const bp_params table = { .rows = rows,
                                     .row_count = 1,
                                     .row_size = sizeof(bp_param),
                                     .bytes_size = sizeof(values.room) };
    struct reason          why;

    (void)state;
    assert_false(params_read(&table, parse("{\"x\":99}"), &values, &why));
    assert_int_equal(values.behind, 17);
}

/* An older plugin's rows are shorter, a newer one's longer. */
static void rows_have_a_stride(void **state)
{
    struct {
        bp_param row;
        char     newer[24];
    } longer[2] = { { .row = BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "a", .help = NULL), .newer = "x" },
                    { .row = BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "b", .help = NULL), .newer = "y" } };
    bp_params     table = { .rows = &longer[0].row, .row_count = 2, .row_size = sizeof(longer[0]) };
    struct reason why;
    const char   *text;

    (void)state;
    assert_true(params_text(&arena, &table, &text, &why));
    assert_string_equal(text, "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},"
                              "\"b\":{\"type\":\"string\"}}}");
}

static void what_the_schema_takes_the_struct_takes(void **state)
{
    static const char *const fine[] = { "{\"path\":\"x\",\"limit\":1,\"tags\":[]}",
                                        "{\"path\":\"x\",\"order\":\"asc\",\"weight\":-3}",
                                        "{\"path\":\"x\",\"order\":null,\"any\":5}" };
    struct reason            why;
    const char              *text;
    struct json_schema      *schema;
    struct edit              edit;

    (void)state;
    assert_true(params_text(&arena, &edit_params, &text, &why));
    schema = json_schema_compile(bp_str_of(text), &why);
    assert_non_null(schema);
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        assert_true(json_schema_check(schema, parse(fine[i]), &why));
        assert_true(params_read(&edit_params, parse(fine[i]), &edit, &why));
    }
    json_schema_free(schema);
}

int main(void)
{
#define PARAMS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PARAMS_TEST(a_table_gives_its_schema),
        PARAMS_TEST(the_struct_gets_what_was_sent_and_the_initial_rest),
        PARAMS_TEST(an_integer_is_one_however_it_is_written),
        PARAMS_TEST(what_does_not_fit_is_named),
        PARAMS_TEST(a_table_that_cannot_be_meant_so_is_refused),
        PARAMS_TEST(a_field_outside_the_struct_is_never_written),
        PARAMS_TEST(rows_have_a_stride),
        PARAMS_TEST(what_the_schema_takes_the_struct_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
