/* test_schema_bounds.c - how long a schema and its patterns may be, how many schemas may apply to
 * one value and along its nesting, and how a sentence is cut: each bound from both sides. */
#include "schema_rig.h"

#include "schema/json_schema_node.h"

static const char *repeated(const char *before, char c, size_t count, const char *after)
{
    size_t head = strlen(before);
    char  *text = arena_alloc(&arena, head + count + strlen(after) + 1);

    memcpy(text, before, head);
    memset(text + head, c, count);
    strcpy(text + head + count, after);
    return text;
}

static void expect_compiled(const char *text, const char *sentence)
{
    struct json_schema *schema = json_schema_compile(quoted(text), &why);

    if (!schema != !!sentence)
        fail_msg("%.200s is %s: %s", text, schema ? "taken" : "refused", why.text);
    if (sentence)
        expect_said(text, sentence);
    json_schema_free(schema);
}

static void a_text_has_at_most_four_mebibytes(void **state)
{
    (void)state;
    expect_compiled(repeated("{}", ' ', (4 << 20) - 2, ""), NULL);
    expect_compiled(repeated("{}", ' ', (4 << 20) - 1, ""), "it is longer than 4 MiB");
    expect_compiled("{", "it is not JSON: string or '}' expected near end of file, at byte 1");
}

static void a_pattern_has_at_most_8192_bytes(void **state)
{
    (void)state;
    expect_compiled(repeated("{'pattern':'", 'a', 8192, "'}"), NULL);
    expect_compiled(repeated("{'pattern':'", 'a', 8193, "'}"),
                    "/pattern: the pattern is longer than 8192 bytes");
    expect_compiled(repeated("{'patternProperties':{'", 'a', 8193, "':true}}"),
                    "/patternProperties: the pattern is longer than 8192 bytes");
}

/* ---- heights: the schemas for one value, one within the other ---- */

#define TOO_HIGH                                                                                   \
    "it refers to itself without end, or more than 48 schemas apply to one value one within the "  \
    "other"

/* `levels` schemas, each within the one before; `link` holds the pointer to the next. */
static const char *chain(const char *link, int levels)
{
    struct bp_buf buf;

    buf_init(&buf, &arena, 1 << 20);
    buf_addf(&buf, "{'$ref':'#/$defs/1','$defs':{'%d':{}", levels);
    for (int i = 1; i < levels; i++) {
        buf_addf(&buf, ",'%d':{", i);
        buf_addf(&buf, link, i + 1);
        buf_add(&buf, BP_STR("}"));
    }
    buf_add(&buf, BP_STR("}}"));
    return buf_str(&buf).data;
}

static void at_most_48_schemas_apply_to_one_value(void **state)
{
    // how many each link adds: the schema that refers is one by itself
    static const struct {
        const char *link;
        int         each;
    } links[] = {
        { "'$ref':'#/$defs/%d'", 1 },
        { "'not':{'$ref':'#/$defs/%d'}", 2 },
        { "'if':{'$ref':'#/$defs/%d'}", 2 },
        { "'if':true,'then':{'$ref':'#/$defs/%d'}", 2 },
        { "'if':true,'else':{'$ref':'#/$defs/%d'}", 2 },
        { "'allOf':[true,{'$ref':'#/$defs/%d'}]", 2 },
        { "'anyOf':[{'$ref':'#/$defs/%d'},true]", 2 },
        { "'oneOf':[true,{'$ref':'#/$defs/%d'},true]", 2 },
        { "'dependentSchemas':{'a':{},'b':{'$ref':'#/$defs/%d'}}", 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        int levels = (JSON_SCHEMA_IN_PLACE_MAX - 2) / links[i].each + 1;

        expect_compiled(chain(links[i].link, levels), NULL);
        if (!json_schema_compile(quoted(chain(links[i].link, levels + 1)), &why) &&
            strstr(why.text, TOO_HIGH))
            continue;
        fail_msg("%s: %s", links[i].link, why.text);
    }
    expect_compiled(chain("'items':{'$ref':'#/$defs/%d'}", 200), NULL);
    expect_compiled(chain("'properties':{'a':{'$ref':'#/$defs/%d'}}", 200), NULL);
    expect_compiled("{'dependentSchemas':{'a':{'$ref':'#'}}}", TOO_HIGH);
    expect_compiled("{'not':{'$ref':'#'}}", TOO_HIGH);
    // more ways round the circle than can be walked
    expect_compiled("{'anyOf':[{'$ref':'#'},{'$ref':'#'},{'$ref':'#'}]}", TOO_HIGH);
    expect_compiled("{'properties':{'p':{'$ref':'#/$defs/a'}},'$defs':{'a':{'allOf':[{'$ref':'#/"
                    "$defs/b'},{'$ref':'#/$defs/b'}]},"
                    "'b':{'oneOf':[{'$ref':'#/$defs/a'},{'$ref':'#/$defs/a'}]}}}",
                    "/$defs/a: " TOO_HIGH);
    expect_compiled("{'$dynamicRef':'#'}", TOO_HIGH);
}

/* ---- depth: the same along the nesting of the value ---- */

#define TO_THE_BOTTOM                                                                              \
    "{'$ref':'#/$defs/a','$defs':{'a':{'$ref':'#/$defs/b'},'b':{'items':{'$ref':'#'},"             \
    "'allOf':[%s]},'0':{}"

/* Four schemas for each of 62 arrays, and `bottom`, the 252nd, for what is within the last, leads
 * to `more` others. */
static void expect_depth(const char *bottom, const char *value, int more, bool is_wanted)
{
    struct json_schema *schema;
    struct bp_buf       buf;
    char                reference[48];

    snprintf(reference, sizeof(reference), "{'$ref':'#/$defs/%d'}", more);
    buf_init(&buf, &arena, 1 << 20);
    buf_addf(&buf, TO_THE_BOTTOM, arena_format(&arena, bottom, reference).data);
    for (int i = 1; i <= more; i++)
        buf_addf(&buf, ",'%d':{'$ref':'#/$defs/%d'}", i, i - 1);
    buf_add(&buf, BP_STR("}}"));
    schema = compiled(buf_str(&buf).data);
    if (json_schema_check(schema, parsed(repeated(repeated("", '[', 62, value), ']', 0, "")),
                          &why) != is_wanted)
        fail_msg("%s %d: %s", bottom, more, why.text);
    if (!is_wanted)
        assert_string_equal(why.text, "the value is nested too deep to check");
    json_schema_free(schema);
}

static void at_most_256_schemas_apply_along_a_value(void **state)
{
    static const struct {
        const char *bottom, *value;
        int         more; // as many fit
    } cases[] = {
        { "%s", "1", 4 },
        { "{'properties':{'k':%s}}", "{'k':1}", 3 },
        { "{'properties':{'k':%s,'l':true}}", "{'k':1}", 3 },
        { "{'additionalProperties':%s}", "{'k':1}", 3 },
        { "{'patternProperties':{'k':%s}}", "{'k':1}", 3 },
        { "{'propertyNames':%s}", "{'k':1}", 3 },
        { "{'dependentSchemas':{'k':%s}}", "{'k':1}", 3 },
        { "{'if':{'type':'object'},'then':%s}", "{}", 3 },
        { "{'if':{'type':'array'},'else':%s}", "{}", 3 },
        { "{'unevaluatedProperties':%s}", "{'k':1}", 3 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char value[128];

        snprintf(value, sizeof(value), "%s%s", cases[i].value, repeated("", ']', 62, ""));
        expect_depth(cases[i].bottom, value, cases[i].more, true);
        expect_depth(cases[i].bottom, value, cases[i].more + 1, false);
    }
}

/* ---- sentences ---- */

static void a_sentence_is_cut_between_characters(void **state)
{
    static const struct {
        size_t      before;
        const char *last;
        size_t      len; // of what is left
    } cases[] = {
        { 510, "", 510 },
        { 511, "", 511 },
        { 510, "a", 511 },
        { 511, "a", 511 },
        { 512, "a", 511 },
        { 509, "\xC3\xA4", 511 },
        { 510, "\xC3\xA4", 510 },
        { 511, "\xC3\xA4", 511 },
        { 508, "\xE2\x82\xAC", 511 },
        { 509, "\xE2\x82\xAC", 509 },
        { 510, "\xE2\x82\xAC", 510 },
        { 507, "\xF0\x9F\x98\x80", 511 },
        { 508, "\xF0\x9F\x98\x80", 508 },
        { 509, "\xF0\x9F\x98\x80", 509 },
        { 510, "\xF0\x9F\x98\x80", 510 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char                   text[SCHEMA_SENTENCE_BYTES + 1];
        struct schema_sentence s = { .text = text };
        bool                   has_room;

        text[SCHEMA_SENTENCE_BYTES] = 'Z';
        schema_say(&s, "%s", repeated("", 'x', cases[i].before, cases[i].last));
        if (strlen(text) != cases[i].len)
            fail_msg("%zu and \"%s\": %zu", cases[i].before, cases[i].last, strlen(text));
        assert_int_equal(text[SCHEMA_SENTENCE_BYTES], 'Z');
        has_room = s.len < 511;
        schema_say(&s, "more");
        assert_int_equal(strlen(text), has_room ? 511 : cases[i].len);
    }
}

static void what_is_quoted_is_cut_behind_60_bytes(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "", "\"\"" },
        { "a\"b\\c/d~e", "\"a\\\"b\\\\c/d~e\"" },
        { "\x1F \x7F\x01\x80", "\"\\u001F \\u007F\\u0001?\"" },
        { "\xC3", "\"?\"" },
        { "\xC3\xA4", "\"\xC3\xA4\"" },
    };
    char                   text[SCHEMA_SENTENCE_BYTES];
    struct schema_sentence s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s = (struct schema_sentence){ .text = text };
        schema_say_quoted(&s, bp_str_of(cases[i].text));
        assert_string_equal(text, cases[i].said);
    }
    for (size_t len = 58; len <= 62; len++) {
        const char *xs = repeated("", 'x', len, ""), *umlaut = repeated("", 'x', len, "\xC3\xA4");

        s = (struct schema_sentence){ .text = text };
        schema_say_quoted(&s, bp_str_of(xs));
        assert_int_equal(s.len, len <= 60 ? len + 2 : 65);
        s = (struct schema_sentence){ .text = text };
        schema_say_quoted(&s, bp_str_of(umlaut)); // a character that begins in time is whole
        assert_int_equal(s.len, len < 60 ? len + 4 : 65);
    }
}

static void a_place_is_a_pointer(void **state)
{
    const struct schema_frame whole = { .is_same = true };
    const struct schema_frame list = { .parent = &whole, .key = BP_STR("a/~\n\"\\") };
    const struct schema_frame same = { .parent = &list, .is_same = true, .index = 7 };
    const struct schema_frame item = { .parent = &same, .index = 12 };
    static const struct {
        unsigned    types;
        const char *said;
    } types[] = {
        { 0, "" },
        { SCHEMA_NULL, "null" },
        { SCHEMA_INTEGER, "an integer" },
        { SCHEMA_INTEGER | SCHEMA_NUMBER, "a number" },
        { SCHEMA_NUMBER | SCHEMA_NULL, "a number or null" },
        { 127, "a string or a number or true or false or an array or an object or null" },
        { SCHEMA_INTEGER | SCHEMA_BOOL, "an integer or true or false" },
    };
    char                   text[SCHEMA_SENTENCE_BYTES];
    struct schema_sentence s = { .text = text };

    (void)state;
    schema_say_place(&s, &whole);
    assert_string_equal(text, "the value");
    s = (struct schema_sentence){ .text = text };
    schema_say_place(&s, &item);
    assert_string_equal(text, "/a~1~0\\u000A\"\\/12");
    schema_say(&s, " ");
    schema_say_place(&s, &whole); // something was said
    assert_string_equal(text, "/a~1~0\\u000A\"\\/12 ");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        s = (struct schema_sentence){ .text = text };
        text[0] = '\0';
        schema_say_types(&s, (uint8_t)types[i].types);
        assert_string_equal(text, types[i].said);
    }
    s = (struct schema_sentence){ .text = text };
    schema_say_value(&s, NULL);
    schema_say_near(&s, BP_STR("color"), BP_STR("colour"));
    schema_say_near(&s, BP_STR("color"), BP_STR(""));
    schema_say_near(&s, BP_STR("color"), BP_STR("something"));
    assert_string_equal(text, "nothing (did you mean \"colour\"?)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_text_has_at_most_four_mebibytes),
        CASE(a_pattern_has_at_most_8192_bytes),
        CASE(at_most_48_schemas_apply_to_one_value),
        CASE(at_most_256_schemas_apply_along_a_value),
        CASE(a_sentence_is_cut_between_characters),
        CASE(what_is_quoted_is_cut_behind_60_bytes),
        CASE(a_place_is_a_pointer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
