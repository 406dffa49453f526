/* test_sentences.c - the whole sentences for schemas that cannot be used and values that do not
 * fit, and where references lead. Written with ' in the place of ". */
#include "schema_rig.h"

#define DRAFT_07 "'$schema':'http://json-schema.org/draft-07/schema#',"
#define YEAR_19  "'$schema':'https://json-schema.org/draft/2019-09/schema',"

static const struct sentence_case refused[] = {
    { "{'type':[]}", NULL,
      "/type: it must be one or more of 'string', 'integer', 'number', 'boolean', 'object', "
      "'array', 'null'" },
    { "{'type':7}", NULL,
      "/type: it must be one or more of 'string', 'integer', 'number', 'boolean', 'object', "
      "'array', 'null'" },
    { "{'type':['string','numbr']}", NULL,
      "/type: 'numbr' is not a type (did you mean 'number'?)" },
    { "{'enum':{}}", NULL, "/enum: it must be an array" },
    { "{'minimum':'1'}", NULL, "/minimum: it must be a number" },
    { "{'exclusiveMaximum':true}", NULL, "/exclusiveMaximum: it must be a number" },
    { "{'multipleOf':-1}", NULL, "/multipleOf: it must be a number above 0" },
    { "{'minLength':1.5}", NULL, "/minLength: it must be a whole number from 0 on" },
    { "{'maxLength':'1'}", NULL, "/maxLength: it must be a whole number from 0 on" },
    { "{'pattern':7}", NULL, "/pattern: it must be a string" },
    { "{'pattern':'a)'}", NULL,
      "/pattern: the pattern cannot be used: unmatched closing parenthesis, at byte 1" },
    { "{'prefixItems':{}}", NULL, "/prefixItems: it must be an array of schemas" },
    { "{'prefixItems':[1]}", NULL, "/prefixItems: it must be a schema: an object, true or false" },
    { "{'items':7}", NULL, "/items: it must be a schema: an object, true or false" },
    { "{" DRAFT_07 "'items':[true],'additionalItems':7}", NULL,
      "/additionalItems: it must be a schema: an object, true or false" },
    { "{'contains':[]}", NULL, "/contains: it must be a schema: an object, true or false" },
    { "{'minItems':-1}", NULL, "/minItems: it must be a whole number from 0 on" },
    { "{'maxContains':null}", NULL, "/maxContains: it must be a whole number from 0 on" },
    { "{'uniqueItems':1}", NULL, "/uniqueItems: it must be true or false" },
    { "{'unevaluatedItems':1}", NULL,
      "/unevaluatedItems: it must be a schema: an object, true or false" },
    { "{'properties':[]}", NULL, "/properties: it must be an object of schemas" },
    { "{'properties':{'a':1}}", NULL,
      "/properties: it must be a schema: an object, true or false" },
    { "{'patternProperties':{'(':true}}", NULL,
      "/patternProperties: the pattern cannot be used: missing closing parenthesis, at byte 1" },
    { "{'patternProperties':{'a':1}}", NULL,
      "/patternProperties: it must be a schema: an object, true or false" },
    { "{'patternProperties':7}", NULL, "/patternProperties: it must be an object of schemas" },
    { "{'additionalProperties':1}", NULL,
      "/additionalProperties: it must be a schema: an object, true or false" },
    { "{'propertyNames':1}", NULL,
      "/propertyNames: it must be a schema: an object, true or false" },
    { "{'unevaluatedProperties':1}", NULL,
      "/unevaluatedProperties: it must be a schema: an object, true or false" },
    { "{'required':'a'}", NULL, "/required: it must be an array of strings" },
    { "{'required':['a',1]}", NULL, "/required: it must be an array of strings" },
    { "{'maxProperties':-0.5}", NULL, "/maxProperties: it must be a whole number from 0 on" },
    { "{'dependentRequired':[]}", NULL, "/dependentRequired: it must be an object" },
    { "{'dependentRequired':{'a':{}}}", NULL,
      "/dependentRequired: it must be an object of arrays of strings" },
    { "{'dependentRequired':{'a':[1]}}", NULL,
      "/dependentRequired: it must be an object of arrays of strings" },
    { "{'dependentSchemas':{'a':['b']}}", NULL,
      "/dependentSchemas: it must be a schema: an object, true or false" },
    { "{'dependencies':{'a':1}}", NULL,
      "/dependencies: it must be a schema: an object, true or false" },
    { "{'allOf':{}}", NULL, "/allOf: it must be an array of at least one schema" },
    { "{'oneOf':[1]}", NULL, "/oneOf: it must be a schema: an object, true or false" },
    { "{'not':1}", NULL, "/not: it must be a schema: an object, true or false" },
    { "{'if':1}", NULL, "/if: it must be a schema: an object, true or false" },
    { "{'$ref':7}", NULL, "/$ref: it must be a string" },
    { "{'$defs':[]}", NULL, "/$defs: it must be an object of schemas" },
    { "{'definitions':7}", NULL, "/definitions: it must be an object of schemas" },
    { "{'$dynamicRef':'#no'}", NULL, "the $dynamicRef '#no' leads to nothing" },
    { "{" YEAR_19 "'$recursiveRef':'#'}", NULL,
      "$recursiveRef of 2019-09 is not supported; $dynamicRef of 2020-12 is" },
    { "{'$schema':7}", NULL,
      "/$schema: '' is not a dialect known here: 2020-12, 2019-09, draft-07 or draft-06" },
    { "{'$id':7}", NULL, "$id must be a string" },
    { "{'$defs':{'a':{'$id':'http://x/a#b'}}}", NULL,
      "/$defs/a: $id must not have a fragment; $anchor makes one" },
    { "{'properties':{'a/b':{'properties':{'c~d':{'type':'no'}}}}}", NULL,
      "/properties/a~1b/properties/c~0d/type: it must be one or more of 'string', 'integer', "
      "'number', 'boolean', 'object', 'array', 'null'" },
    { "{'$ref':'#/properties'}", NULL, "the $ref '#/properties' leads to nothing" },
    { "{'$ref':'#/$defs/a/0','$defs':{'a':{'allOf':[true]}}}", NULL,
      "the $ref '#/$defs/a/0' leads to nothing" },
    { "{'$ref':'%zz'}", NULL,
      "the $ref '%zz' leads out of this schema, and nothing is fetched: put what it means into "
      "$defs" },
    { "[]", NULL, "a schema is an object, true or false" },
};

static void what_is_wrong_with_a_schema_is_said(void **state)
{
    (void)state;
    EXPECT_EACH(refused);
}

#define LONG_60 "012345678901234567890123456789012345678901234567890123456789"

static const struct sentence_case misfits[] = {
    { "{'type':['number','integer']}", "'a'", "the value must be a number, not 'a'" },
    { "{'type':['boolean','array','object']}", "1",
      "the value must be true or false or an array or an object, not 1" },
    { "{'enum':[1]}", "2", "the value must be 1, not 2" },
    { "{'enum':[1,'a',null,true,[],{}]}", "2.5",
      "the value must be one of 1, 'a', null, true, an array, an object, not 2.5" },
    { "{'enum':['apple','apply']}", "'appel'",
      "the value must be one of 'apple', 'apply', not 'appel' (did you mean 'apple'?)" },
    { "{'const':'a'}", "[]", "the value must be 'a', not an array" },
    { "{'const':1.25}", "true", "the value must be 1.25, not true" },
    { "{'minimum':1}", "-5", "the value must be at least 1, not -5" },
    { "{'maximum':1e100}", "1e101", "the value must be at most 1e+100, not 1e+101" },
    { "{'exclusiveMinimum':1}", "1", "the value must be more than 1, not 1" },
    { "{'maxLength':1}", "'ab'", "the value must have at most 1 characters, not 2" },
    { "{'maxItems':1}", "[1,2]", "the value must have at most 1 items, not 2" },
    { "{'maxProperties':0}", "{'a':1}", "the value must have at most 0 properties, not 1" },
    { "{'minProperties':2}", "{'a':1}", "the value must have at least 2 properties, not 1" },
    { "{'type':'integer'}", "'" LONG_60 "'",
      "the value must be an integer, not "
      "'012345678901234567890123456789012345678901234567890123456789'" },
    { "{'type':'integer'}", "'" LONG_60 "1'",
      "the value must be an integer, not "
      "'012345678901234567890123456789012345678901234567890123456789...'" },
    { "{'type':'integer'}", "'a\\u0001\\u007f\\\\b'",
      "the value must be an integer, not 'a\\u0001\\u007F\\\\b'" },
    { "{'additionalProperties':{'type':'integer'}}", "{'a/b~c\\n':null}",
      "/a~1b~0c\\u000A must be an integer, not null" },
    { "{'additionalProperties':{'items':{'additionalProperties':false}}}", "{'a':[{},{'b':1}]}",
      "/a/1/b is not a known property" },
    { "{'properties':{'name':true,'names':true},'additionalProperties':false}", "{'nam':1}",
      "'nam' is not a known argument (did you mean 'name'?)" },
    { "{'properties':{'name':true,'names':true},'additionalProperties':false}",
      "{'nam':1,'name':2}", "'nam' is not a known argument (did you mean 'names'?)" },
    { "{'properties':{'color':true},'additionalProperties':false}", "{'x':1}",
      "'x' is not a known argument" },
    { "{'contains':true,'maxContains':1}", "[1,2]",
      "the value must have at most 1 items of that kind, not 2" },
    { "{'contains':{'const':1},'minContains':3}", "[1,2]",
      "the value must have at least 3 items of the kind it must contain, not 1" },
    { "{'oneOf':[true,true]}", "1",
      "the value fits more than one of the forms of which it must fit exactly one" },
    { "{'anyOf':[{'type':'string'},{'type':'null'}]}", "1",
      "the value must be a string or null, not 1" },
    { "{'anyOf':[{'minimum':3},{'maximum':1}]}", "2",
      "the value fits none of the 2 forms that are allowed there" },
    { "{'anyOf':[{'type':'string'},{'type':'integer','minimum':3}]}", "2",
      "the value must be at least 3, not 2" },
    { "{'anyOf':[{'$ref':'#/$defs/s'},{'type':'null'}],'$defs':{'s':{'type':'string'}}}", "2",
      "the value must be a string or null, not 2" },
    { "{'anyOf':[{'properties':{'a':{'type':'string'}}},{'properties':{'a':{'properties':{'b':{'"
      "type':'null'}}}}}]}",
      "{'a':{'b':1}}", "/a/b must be null, not 1" },
    { "{'anyOf':[{'required':['a']},{'required':['b']}]}", "{}",
      "the value fits none of the 2 forms that are allowed there" },
    { "{'items':{'oneOf':[{'type':'string'},{'type':'array'}]}}", "['a',{}]",
      "/1 must be a string or an array, not an object" },
    { "{'allOf':[{'required':['a']}]}", "{}", "/a is missing" },
    { "{'dependentSchemas':{'a':{'required':['b']}}}", "{'a':1}", "/b is missing" },
    { "{'if':true,'then':{'minimum':3}}", "1", "the value must be at least 3, not 1" },
    { "{'if':false,'else':{'minimum':3}}", "1", "the value must be at least 3, not 1" },
    { "{'$ref':'#/$defs/x','$defs':{'x':{'type':'null'}}}", "1", "the value must be null, not 1" },
    { "{'unevaluatedItems':{'type':'null'},'prefixItems':[true]}", "[1,2]",
      "/1 must be null, not 2" },
    { "{'unevaluatedItems':false}", "[1]", "/0 is not allowed" },
    { "{'properties':{'a':{'unevaluatedProperties':false,'properties':{'color':true}}}}",
      "{'a':{'colr':1}}", "/a/colr is not a known property (did you mean 'color'?)" },
    { "{'propertyNames':{'pattern':'^a'}}", "{'b':1}",
      "/b must match the pattern '^a', not be 'b'" },
    { "false", "1", "the value is not allowed" },
};

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    EXPECT_EACH(misfits);
}

/* A sentence has room for 511 bytes, and ends between two characters. */
static void a_long_sentence_is_cut(void **state)
{
    static const char *const firsts[] = { "a", "ab", "abc" };

    (void)state;
    for (size_t f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++) {
        bp_str              schema = BP_STR("{\"type\":\"null\"}"), value = BP_STR("1");
        const bp_json      *read = NULL;
        struct json_schema *compiled;
        size_t              len;

        for (int i = 0; i < 60; i++) {
            const char *name = i == 59 ? firsts[f]
                                       : "\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"
                                         "\\u00e4\\u00e4";

            schema = arena_format(&arena, "{\"additionalProperties\":%s}", schema.data);
            value = arena_format(&arena, "{\"%s\":%s}", name, value.data);
        }
        compiled = json_schema_compile(schema, &why);
        if (!compiled)
            fail_msg("%s", why.text);
        if (json_parse(&arena, value, &read, &why) != BP_OK)
            fail_msg("%s", why.text);
        assert_false(json_schema_check(compiled, read, &why));
        json_schema_free(compiled);
        len = strlen(why.text);
        assert_in_range(len, 508, 511);
        assert_true(str_is_utf8(bp_str_of(why.text)));
        assert_memory_equal(why.text + 1, firsts[f], strlen(firsts[f]));
    }
}

/* ---- references: RFC 3986, 5.4 ---- */

static void references_are_resolved_as_uris_are(void **state)
{
    static const struct {
        const char *relative, *target;
    } cases[] = {
        { "g:h", "g:h" },
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g" },
        { "?y", "http://a/b/c/d;p?y" },
        { "g?y", "http://a/b/c/g?y" },
        { ";x", "http://a/b/c/;x" },
        { "g;x", "http://a/b/c/g;x" },
        { "g;x?y", "http://a/b/c/g;x?y" },
        { ".", "http://a/b/c/" },
        { "./", "http://a/b/c/" },
        { "..", "http://a/b/" },
        { "../", "http://a/b/" },
        { "../g", "http://a/b/g" },
        { "../..", "http://a/" },
        { "../../g", "http://a/g" },
        { "../../../g", "http://a/g" },
        { "/./g", "http://a/g" },
        { "/../g", "http://a/g" },
        { "g.", "http://a/b/c/g." },
        { ".g", "http://a/b/c/.g" },
        { "..g", "http://a/b/c/..g" },
        { "./../g", "http://a/b/g" },
        { "./g/.", "http://a/b/c/g/" },
        { "g/./h", "http://a/b/c/g/h" },
        { "g/../h", "http://a/b/c/h" },
        { "g;x=1/../y", "http://a/b/c/y" },
        { "g?y/../x", "http://a/b/c/g?y/../x" },
        { "http://a/b/c/g", "http://a/b/c/g" },
        { "http://other/x", "http://other/x" },
        { "g#", "http://a/b/c/g" },
        { "urn:example:x", "urn:example:x" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sentence_case one = { arena_format(&arena,
                                                  "{'$id':'http://a/b/c/"
                                                  "d;p?q','$defs':{'t':{'$id':'%s','type':'null'}},"
                                                  "'$ref':'%s'}",
                                                  cases[i].target, cases[i].relative)
                                         .data,
                                     "1", "the value must be null, not 1" };
        struct sentence_case named = {
            arena_format(&arena,
                         "{'$id':'http://a/b/c/d;p?q','$defs':{'t':{'$id':'%s','type':'null'}},"
                         "'$ref':'%s'}",
                         cases[i].relative[strlen(cases[i].relative) - 1] == '#'
                             ? "g"
                             : cases[i].relative,
                         cases[i].target)
                .data,
            "1", "the value must be null, not 1"
        };

        expect_sentence(&one);
        if (cases[i].relative[0] != '?') // a query alone names no resource here
            expect_sentence(&named);
    }
}

/* ---- what takes all objects ---- */

static void a_schema_that_takes_every_object_is_open(void **state)
{
    static const struct {
        const char *schema;
        bool        is_open;
    } cases[] = {
        { "true", true },
        { "false", false },
        { "{}", true },
        { "{'type':'object'}", true },
        { "{'type':['object','null']}", true },
        { "{'type':'array'}", false },
        { "{'const':{}}", false },
        { "{'enum':[{}]}", false },
        { "{'allOf':[true]}", false },
        { "{'minimum':3,'maxLength':1,'maxItems':0}", true },
        { "{'properties':{}}", true },
        { "{'properties':{'a':true}}", false },
        { "{'patternProperties':{'a':true}}", false },
        { "{'required':[]}", true },
        { "{'required':['a']}", false },
        { "{'propertyNames':true}", false },
        { "{'additionalProperties':true}", true },
        { "{'additionalProperties':{}}", false },
        { "{'additionalProperties':false}", false },
        { "{'dependentRequired':{'a':[]}}", false },
        { "{'unevaluatedProperties':true}", true },
        { "{'unevaluatedProperties':false}", false },
        { "{'minProperties':0}", true },
        { "{'minProperties':1}", false },
        { "{'maxProperties':9}", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_schema *schema = json_schema_compile(quoted(cases[i].schema), &why);

        assert_non_null(schema);
        if (json_schema_is_open(schema) != cases[i].is_open)
            fail_msg("%s", cases[i].schema);
        json_schema_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_wrong_with_a_schema_is_said),
        CASE(what_does_not_fit_is_said),
        CASE(a_long_sentence_is_cut),
        CASE(references_are_resolved_as_uris_are),
        CASE(a_schema_that_takes_every_object_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
