/* test_json_schema_value.c - the questions about values, each by itself: type, order, multiples,
 * equality, length, and which two items are the same. */
#include "schema_rig.h"

#include "schema/json_schema_node.h"

static void a_value_has_its_types(void **state)
{
    static const struct {
        const char *value;
        unsigned    types;
    } cases[] = {
        { "null", 1 },   { "true", 2 },     { "false", 2 }, { "7", 12 },   { "7.0", 12 },
        { "-7.0", 12 },  { "7.5", 8 },      { "-7.5", 8 },  { "0.0", 12 }, { "1e300", 12 },
        { "1e-300", 8 }, { "'7'", 16 },     { "''", 16 },   { "[]", 32 },  { "[7]", 32 },
        { "{}", 64 },    { "{'a':1}", 64 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(schema_types_of(parsed(cases[i].value)), cases[i].types);
    assert_int_equal(schema_types_of(NULL), 0);
}

static void numbers_are_ordered_exactly(void **state)
{
    static const struct {
        const char *less, *more;
    } cases[] = {
        { "1", "2" },
        { "-2", "-1" },
        { "-1", "0" },
        { "1", "1.5" },
        { "0.5", "1" },
        { "-1", "-0.5" },
        { "-1.5", "-1" },
        { "-0.5", "0" },
        { "0", "0.5" },
        { "1.5", "2.5" },
        { "-2.5", "-1.5" },
        { "9007199254740992.0", "9007199254740993" },
        { "-9007199254740993", "-9007199254740992.0" },
        { "9223372036854775807", "9223372036854775808.0" },
        { "9223372036854775807", "1e19" },
        { "-9223372036854777856.0", "-9223372036854775808" },
        { "-9223372036854775808.0", "-9223372036854775807" },
        { "-1e19", "-9223372036854775808" },
        { "-9223372036854775808", "9223372036854775807" },
    };
    static const char *const equal[][2] = {
        { "1", "1" },     { "1", "1.0" },
        { "0", "-0.0" },  { "1.5", "1.5" },
        { "-3", "-3e0" }, { "-9223372036854775808", "-9223372036854775808.0" },
        { "0", "0" },     { "1e300", "1e300" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bp_json *less = parsed(cases[i].less), *more = parsed(cases[i].more);

        if (schema_compare_numbers(less, more) != -1 || schema_compare_numbers(more, less) != 1 ||
            schema_is_equal(less, more) || schema_is_equal(more, less))
            fail_msg("%s is not less than %s", cases[i].less, cases[i].more);
    }
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++) {
        const bp_json *a = parsed(equal[i][0]), *b = parsed(equal[i][1]);

        if (schema_compare_numbers(a, b) || schema_compare_numbers(b, a) || !schema_is_equal(a, b))
            fail_msg("%s is not %s", equal[i][0], equal[i][1]);
    }
}

static void what_rounding_explains_is_a_multiple(void **state)
{
    static const struct {
        const char *value, *of;
        bool        is_multiple;
    } cases[] = {
        { "0", "3", true },
        { "6", "3", true },
        { "7", "3", false },
        { "-6", "3", true },
        { "-7", "3", false },
        { "7.5", "2.5", true },
        { "7.6", "2.5", false },
        { "0.3", "0.1", true },
        { "0.0075", "0.0001", true },
        { "0.00751", "0.0001", false },
        { "0", "0.5", true },
        { "-1.5", "0.5", true },
        { "1e300", "1e-300", false },
        { "4", "0.5", true },
        { "4.5", "3", false },
        { "9.0", "3", true },
        { "0.30000000000001", "0.1", false },
        { "9223372036854775807", "2", false },
        { "-9223372036854775808", "2", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (schema_is_multiple(parsed(cases[i].value), parsed(cases[i].of)) != cases[i].is_multiple)
            fail_msg("%s of %s", cases[i].value, cases[i].of);
}

static void values_are_equal_whatever_their_order(void **state)
{
    static const char *const equal[][2] = {
        { "null", "null" },
        { "true", "true" },
        { "'a'", "'\\u0061'" },
        { "[1,[2,{}]]", "[1.0,[2,{}]]" },
        { "{'a':1,'b':[2]}", "{'b':[2],'a':1.0}" },
        { "[]", "[]" },
        { "{}", "{}" },
    };
    static const char *const other[][2] = {
        { "null", "false" },      { "true", "false" },
        { "1", "'1'" },           { "1", "true" },
        { "'a'", "'b'" },         { "'a'", "'aa'" },
        { "[]", "{}" },           { "[1]", "[1,1]" },
        { "[1,2]", "[1,3]" },     { "[1,2]", "[2,1]" },
        { "{'a':1}", "{'b':1}" }, { "{'a':1}", "{'a':2}" },
        { "{'a':1}", "{}" },      { "{'a':1,'b':1}", "{'a':1,'c':1}" },
        { "1.5", "'1.5'" },       { "null", "[]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
        if (!schema_is_equal(parsed(equal[i][0]), parsed(equal[i][1])) ||
            !schema_is_equal(parsed(equal[i][1]), parsed(equal[i][0])))
            fail_msg("%s is not %s", equal[i][0], equal[i][1]);
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if (schema_is_equal(parsed(other[i][0]), parsed(other[i][1])) ||
            schema_is_equal(parsed(other[i][1]), parsed(other[i][0])))
            fail_msg("%s is %s", other[i][0], other[i][1]);
}

static void characters_are_counted_and_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(schema_characters(BP_STR("")), 0);
    assert_int_equal(schema_characters(BP_STR("abc")), 3);
    assert_int_equal(schema_characters(BP_STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
    assert_int_equal(schema_characters(BP_STR("\xC2\x80\xC2\xBF")), 2);
}

/* ---- the same item twice ---- */

static bool are_unique(const char *list, size_t *first, size_t *second)
{
    bool is_aborted = false, are;

    are = schema_items_are_unique(parsed(list), first, second, &is_aborted);
    assert_false(is_aborted);
    return are;
}

static void the_first_two_of_few_items_are_named(void **state)
{
    static const struct {
        const char *list;
        size_t      first, second;
    } cases[] = {
        { "[1,1]", 0, 1 },     { "[1,2,1,2]", 0, 2 }, { "[1,2,2,1]", 1, 2 },
        { "[1,2,3,3]", 2, 3 }, { "[1,2,3,1]", 0, 3 }, { "[[1],[2],[1.0]]", 0, 2 },
    };
    size_t first = 77, second = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(are_unique(cases[i].list, &first, &second));
        assert_int_equal(first, cases[i].first);
        assert_int_equal(second, cases[i].second);
    }
    assert_true(are_unique("[]", &first, &second));
    assert_true(are_unique("[1]", &first, &second));
    assert_true(are_unique("[1,2,'1',[1]]", &first, &second));
}

/* `count` different numbers, then what is `added`. */
static const char *many(size_t count, const char *added)
{
    struct bp_buf buf;

    buf_init(&buf, &arena, 1 << 20);
    for (size_t i = 0; i < count; i++)
        buf_addf(&buf, "%s%zu", i ? "," : "[", i);
    buf_addf(&buf, "%s]", added);
    return buf_str(&buf).data;
}

static void two_of_many_items_are_named_in_their_order(void **state)
{
    static const struct {
        const char *added;
        size_t      first, second;
    } cases[] = {
        { ",0", 0, 40 },
        { ",39.0", 39, 40 },
        { ",'a','a'", 40, 41 },
        { ",[1],'x',[1.0]", 40, 42 },
        { ",{'a':1,'b':2},{'b':2,'a':1}", 40, 41 },
        { ",'a',17,'b'", 17, 41 },
        { ",false,false", 40, 41 },
        { ",null,true,null", 40, 42 },
        { ",[[],{}],[[],{}]", 40, 41 },
        { ",-0.0", 0, 40 },
    };
    size_t first = 77, second = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(are_unique(many(40, cases[i].added), &first, &second));
        assert_int_equal(first, cases[i].first);
        assert_int_equal(second, cases[i].second);
    }
    for (size_t count = 31; count <= 34; count++)
        assert_true(are_unique(many(count, ""), &first, &second));
    assert_true(
        are_unique(many(40, ",'0',[0],[0,1],[1,0],{'a':0},{'a':1},true,false,null,[],{},''"),
                   &first, &second));
}

/* Whole numbers that are one number as doubles have one hash: `count` of them from `at` on. */
static void add_alike(struct bp_buf *buf, int64_t at, int count)
{
    for (int i = 0; i < count; i++)
        buf_addf(buf, "%s%lld", buf->len > 1 ? "," : "", (long long)(at + i));
}

/* 1,001 items of one hash are 500,500 pairs, 1,000 are 499,500. */
static void a_list_made_to_keep_us_busy_is_given_up_after_a_million_pairs(void **state)
{
    const int64_t       alike = INT64_C(1) << 62;
    struct json_schema *schema = compiled("{'uniqueItems':true}");

    (void)state;
    for (int more = 0; more <= 2; more++) { // two of them are one pair more
        struct bp_buf buf;

        buf_init(&buf, &arena, 1 << 20);
        buf_add(&buf, BP_STR("["));
        add_alike(&buf, alike + 1024 - 500, 1001);
        add_alike(&buf, alike + 4096 - 500, 1000);
        add_alike(&buf, alike + 16384, more);
        buf_add(&buf, BP_STR("]"));
        assert_int_equal(json_schema_check(schema, parsed(buf_str(&buf).data), &why), more < 2);
        if (more == 2)
            assert_string_equal(why.text, "whether all items of a list of the value differ takes "
                                          "too long to check");
    }
    json_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_value_has_its_types),
        CASE(numbers_are_ordered_exactly),
        CASE(what_rounding_explains_is_a_multiple),
        CASE(values_are_equal_whatever_their_order),
        CASE(characters_are_counted_and_not_bytes),
        CASE(the_first_two_of_few_items_are_named),
        CASE(two_of_many_items_are_named_in_their_order),
        CASE(a_list_made_to_keep_us_busy_is_given_up_after_a_million_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
