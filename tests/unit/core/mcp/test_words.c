/* test_words.c - small decisions about texts: what a template takes of a URI, and whether a header
 * says what the arguments say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "mcp/coerce.h"
#include "mcp/headers.h"
#include "mcp/uri_template.h"

static void a_template_takes_values_between_its_fixed_texts(void **state)
{
    static const struct {
        const char *template, *uri;
        const char *values; /* NULL: it does not fit */
    } cases[] = {
        { "note://{id}", "note://7", "id=7;" },
        { "note://{id}", "note://", NULL },
        { "note://{id}", "note://7/8", NULL },
        { "note://{id}", "not://7", NULL },
        { "note://a", "note://a", "" },
        { "note://a", "note://ab", NULL },
        { "note://ab", "note://a", NULL },
        { "note://{a}/{b}", "note://1/22", "a=1;b=22;" },
        { "note://{a}-{b}/end", "note://1-22/end", "a=1;b=22;" },
        { "note://{a}-{b}/end", "note://1-2-2/end", "a=1;b=2-2;" },
        { "note://{a}.txt", "note://x.txt", "a=x;" },
        { "note://{a}.txt", "note://x.txtt", NULL },
        { "note://{a", "note://x", NULL },
        { "{a}", "x", "a=x;" },
        { "", "", "" },
    };
    struct uri_value values[URI_VALUES_MAX];
    size_t           count;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128] = "";
        bool fits = uri_template_fits(bp_str_of(cases[i].template), bp_str_of(cases[i].uri), values,
                                      &count);

        for (size_t v = 0; fits && v < count; v++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), BP_FMT "=" BP_FMT ";",
                     BP_ARG(values[v].name), BP_ARG(values[v].value));
        if (fits != (cases[i].values != NULL) || (fits && strcmp(text, cases[i].values) != 0))
            fail_msg("%s %s: %d %s", cases[i].template, cases[i].uri, fits, text);
    }
}

static void there_are_no_more_values_than_there_is_room(void **state)
{
    struct uri_value values[URI_VALUES_MAX];
    char template[16 * URI_VALUES_MAX] = "", uri[16 * URI_VALUES_MAX] = "";
    size_t count;

    (void)state;
    for (int i = 0; i < URI_VALUES_MAX; i++) {
        strcat(template, i ? "/{v}" : "{v}");
        strcat(uri, i ? "/1" : "1");
    }
    assert_true(uri_template_fits(bp_str_of(template), bp_str_of(uri), values, &count));
    assert_int_equal(count, URI_VALUES_MAX);
    strcat(template, "/{v}");
    strcat(uri, "/1");
    assert_false(uri_template_fits(bp_str_of(template), bp_str_of(uri), values, &count));
}

static const bp_json *parsed(struct arena *arena, const char *text)
{
    const bp_json *json;
    struct reason  reason;

    assert_int_equal(json_parse(arena, bp_str_of(text), &json, &reason), BP_OK);
    return json;
}

static void a_header_agrees_with_the_value_that_it_repeats(void **state)
{
    static const struct {
        const char *json, *header;
        bool        agrees;
    } cases[] = {
        { "\"west\"", "west", true },
        { "\"west\"", "West", false },
        { "\"\"", "", true },
        { "true", "true", true },
        { "true", "false", false },
        { "false", "false", true },
        { "42", "42", true },
        { "42", "42.0", true },
        { "42", "43", false },
        { "42", "x", false },
        { "42", "", false },
        { "1.5", "1.5", true },
        { "1.5", "15e-1", true },
        { "1.5", "1.6", false },
        { "9007199254740993", "9007199254740993", true }, // 2^53 + 1
        { "9007199254740993", "9007199254740992", false },
        { "null", "null", false },
        { "[1]", "[1]", false },
        { "{}", "{}", false },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (headers_agree(parsed(&arena, cases[i].json), bp_str_of(cases[i].header)) !=
            cases[i].agrees)
            fail_msg("%s and %s", cases[i].json, cases[i].header);
    arena_free(&arena);
}

static void arguments_are_made_to_fit_their_schema(void **state)
{
#define OF(type) "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":" type "}}}"
    static const struct {
        const char *schema, *value;
        const char *made; /* "": nothing is changed */
    } cases[] = {
        { OF("\"integer\""), "{\"a\":3}", "" },
        { OF("\"integer\""), "{\"a\":3.0}", "{\"a\":3}" },
        { OF("\"integer\""), "{\"a\":\"3\"}", "{\"a\":3}" },
        { OF("\"integer\""), "{\"a\":\"3.0\"}", "{\"a\":3}" },
        { OF("\"integer\""), "{\"a\":\"-3\"}", "{\"a\":-3}" },
        { OF("\"integer\""), "{\"a\":\"3.5\"}", "" },
        { OF("\"integer\""), "{\"a\":\"three\"}", "" },
        { OF("\"integer\""), "{\"a\":true}", "" },
        { OF("\"number\""), "{\"a\":\"2.5\"}", "{\"a\":2.5}" },
        { OF("\"number\""), "{\"a\":2.5}", "" },
        { OF("\"boolean\""), "{\"a\":\"true\"}", "{\"a\":true}" },
        { OF("\"boolean\""), "{\"a\":\"false\"}", "{\"a\":false}" },
        { OF("\"boolean\""), "{\"a\":\"yes\"}", "" },
        { OF("\"array\""), "{\"a\":\"[\\\"b\\\"]\"}", "{\"a\":[\"b\"]}" },
        { OF("\"object\""), "{\"a\":\"{\\\"b\\\":1}\"}", "{\"a\":{\"b\":1}}" },
        { OF("\"string\""), "{\"a\":\"3\"}", "" },
        { OF("[\"string\",\"integer\"]"), "{\"a\":\"3\"}", "" },
        { OF("\"string\""), "{\"a\":null}", "{}" },
        { OF("[\"string\",\"null\"]"), "{\"a\":null}", "" },
        { OF("\"integer\""), "{\"b\":\"3\"}", "" },
        { OF("\"integer\""), "{\"b\":1,\"a\":\"3\",\"c\":[2]}", "{\"b\":1,\"a\":3,\"c\":[2]}" },
        { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":"
          "\"integer\"}}}}",
          "{\"a\":[\"1\",2,\"3\"]}", "{\"a\":[1,2,3]}" },
        { "{\"$defs\":{\"n\":{\"type\":\"integer\"}},\"type\":\"object\",\"properties\":{\"a\":{"
          "\"$ref\":\"#/$defs/n\"}}}",
          "{\"a\":\"1\"}", "{\"a\":1}" },
        { "{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"integer\"},{"
          "\"type\":\"null\"}]}}}",
          "{\"a\":\"1\"}", "{\"a\":1}" },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str made = coerce(&arena, parsed(&arena, cases[i].schema),
                             parsed(&arena, cases[i].value));

        if (!bp_str_is(made, cases[i].made))
            fail_msg("%s %s: " BP_FMT, cases[i].schema, cases[i].value, BP_ARG(made));
    }
    arena_free(&arena);
}

static void a_type_of_several_is_found_where_it_is(void **state)
{
    static const struct {
        const char *schema, *place;
    } cases[] = {
        { OF("\"string\""), "" },
        { OF("[\"string\",\"null\"]"), "/properties/a" },
        { "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"integer\"]}}", "/items" },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_str place = coerce_find_union(&arena, parsed(&arena, cases[i].schema));

        if (!bp_str_is(place, cases[i].place))
            fail_msg("%s: " BP_FMT, cases[i].schema, BP_ARG(place));
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_takes_values_between_its_fixed_texts),
        cmocka_unit_test(there_are_no_more_values_than_there_is_room),
        cmocka_unit_test(a_header_agrees_with_the_value_that_it_repeats),
        cmocka_unit_test(arguments_are_made_to_fit_their_schema),
        cmocka_unit_test(a_type_of_several_is_found_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
