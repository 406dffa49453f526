/* test_keywords.c - each keyword of JSON Schema: values on both sides of what it allows, alone and
 * beside others, in each dialect. Written with ' in the place of ", values apart by " ; ". */
#include "schema_rig.h"

static void expect_each(const struct json_schema *schema, const char *text, const char *values,
                        bool is_wanted)
{
    while (*values) {
        const char    *end = strstr(values, " ; ");
        size_t         len = end ? (size_t)(end - values) : strlen(values);
        const bp_json *value = parsed(arena_dup(&arena, bp_str_n(values, len)).data);

        reason_clear(&why);
        if (json_schema_check(schema, value, &why) != is_wanted)
            fail_msg("%.*s %s %s %s", (int)len, values, is_wanted ? "does not fit" : "fits", text,
                     why.text);
        assert_int_equal(reason_is_set(&why), !is_wanted);
        values += len + (end ? 3 : 0);
    }
}

struct keyword_case {
    const char *schema, *fit, *misfit;
};

static void expect_cases(const char *dialect, const struct keyword_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bp_str              text = dialect && cases[i].schema[0] == '{'
                                       ? arena_format(&arena, "{'$schema':'%s'%s%s", dialect,
                                         cases[i].schema[1] == '}' ? "" : ",", cases[i].schema + 1)
                                       : bp_str_of(cases[i].schema);
        struct json_schema *schema = compiled(text.data);

        expect_each(schema, text.data, cases[i].fit, true);
        expect_each(schema, text.data, cases[i].misfit, false);
        json_schema_free(schema);
    }
}

#define EXPECT(dialect, cases) expect_cases(dialect, cases, sizeof(cases) / sizeof((cases)[0]))

static const struct keyword_case values[] = {
    { "true", "1 ; null ; {}", "" },
    { "false", "", "1 ; null ; {}" },
    { "{}", "1 ; 'a' ; [] ; {} ; null ; true", "" },
    { "{'type':'string'}", "'' ; 'a'", "1 ; null ; [] ; {} ; true" },
    { "{'type':'integer'}", "1 ; -1 ; 0 ; 1.0 ; 1e3 ; -2.0", "1.5 ; -1.5 ; '1' ; null ; true" },
    { "{'type':'number'}", "1 ; 1.5 ; -0.0", "'1' ; null ; false ; []" },
    { "{'type':'boolean'}", "true ; false", "0 ; 1 ; 'true' ; null" },
    { "{'type':'null'}", "null", "0 ; false ; '' ; [] ; {}" },
    { "{'type':'array'}", "[] ; [1]", "{} ; '[]'" },
    { "{'type':'object'}", "{} ; {'a':1}", "[] ; null" },
    { "{'type':['string','null']}", "'a' ; null", "1 ; {}" },
    { "{'type':['integer','string']}", "'a' ; 1 ; 1.0", "1.5" },
    { "{'const':1}", "1 ; 1.0", "2 ; '1' ; true ; [1]" },
    { "{'const':null}", "null", "0 ; false ; ''" },
    { "{'const':true}", "true", "false ; 1" },
    { "{'const':false}", "false", "true ; 0" },
    { "{'const':'a'}", "'a'", "'b' ; '' ; 'aa'" },
    { "{'const':[1,[2]]}", "[1,[2]] ; [1.0,[2]]", "[1,[3]] ; [1] ; [1,2] ; [1,[2],3]" },
    { "{'const':{'a':1,'b':[2]}}", "{'b':[2],'a':1}",
      "{'a':1} ; {'a':1,'b':[3]} ; {'a':1,'c':[2]} ; {'a':1,'b':[2],'c':3}" },
    { "{'const':9007199254740993}", "9007199254740993", "9007199254740992 ; 9007199254740992.0" },
    { "{'enum':[1,'a',null,{'b':[]}]}", "1 ; 'a' ; null ; {'b':[]}",
      "2 ; 'b' ; {} ; [] ; {'b':{}}" },
    { "{'enum':[]}", "", "1 ; null" },
    { "{'enum':[1,2],'const':2}", "2", "1 ; 3" },
};

static const struct keyword_case numbers[] = {
    { "{'minimum':3}", "3 ; 3.0 ; 4 ; 3.5 ; 'a' ; null", "2 ; 2.9" },
    { "{'minimum':-1.5}", "-1.5 ; -1 ; 0", "-2 ; -1.6" },
    { "{'minimum':2.5}", "3 ; 2.5", "2" },
    { "{'maximum':3}", "3 ; 2 ; -9 ; 3.0", "4 ; 3.1" },
    { "{'maximum':2.5}", "2 ; 2.5 ; -3", "3" },
    { "{'exclusiveMinimum':3}", "4 ; 3.1", "3 ; 3.0 ; 2" },
    { "{'exclusiveMaximum':3}", "2 ; 2.9", "3 ; 3.0 ; 4" },
    { "{'minimum':1,'maximum':2}", "1 ; 2", "0 ; 3" },
    { "{'exclusiveMinimum':1,'exclusiveMaximum':3}", "2", "1 ; 3" },
    { "{'multipleOf':3}", "0 ; 3 ; -6 ; 9.0", "1 ; 4 ; 3.5" },
    { "{'multipleOf':0.5}", "0 ; 1 ; 1.5 ; -0.5", "0.7 ; 1.25" },
    { "{'multipleOf':0.0001}", "0.0075 ; 1", "0.00751" },
    { "{'multipleOf':1e-300}", "0", "1e300" },
    { "{'maximum':9223372036854775807}", "9223372036854775807 ; 1e18",
      "1e19 ; 9223372036854775808.0" },
    { "{'minimum':-9223372036854775808}", "-9223372036854775808 ; 0", "-1e19" },
    { "{'minimum':1e19}", "1e19 ; 2e19", "9223372036854775807 ; 0" },
    { "{'maximum':-1e19}", "-1e19 ; -2e19", "-9223372036854775808 ; 0" },
    { "{'exclusiveMaximum':9007199254740993}", "9007199254740992 ; 9007199254740992.0",
      "9007199254740993" },
};

static const struct keyword_case strings[] = {
    { "{'minLength':2}", "'ab' ; 'abc' ; 'äö' ; 1", "'a' ; '' ; 'ä'" },
    { "{'maxLength':2}", "'ab' ; '' ; 'äö' ; 1", "'abc' ; 'äöü'" },
    { "{'minLength':2.0,'maxLength':2}", "'ab' ; '\\ud83d\\ude00a'", "'a' ; 'abc'" },
    { "{'maxLength':0}", "''", "'a'" },
    { "{'minLength':0}", "'' ; 'a'", "" },
    { "{'pattern':'b'}", "'b' ; 'abc' ; 1 ; []", "'a' ; ''" },
    { "{'pattern':'^a+$'}", "'a' ; 'aa'", "'ab' ; 'a\\n' ; ''" },
    { "{'pattern':''}", "'' ; 'a'", "" },
    { "{'pattern':'^.$'}", "'ä' ; '\\u20ac'", "'ab'" },
    { "{'pattern':'^\\\\u00e4$'}", "'ä'", "'a'" },
    { "{'pattern':'[]'}", "", "'a' ; '' ; ']'" },
    { "{'pattern':'^\\\\d{2}$','minLength':2}", "'12'", "'1' ; '1a'" },
    { "{'format':'email'}", "'no mail' ; 1", "" },
};

static const struct keyword_case arrays[] = {
    { "{'minItems':2}", "[1,2] ; [1,2,3] ; {} ; 'a'", "[1] ; []" },
    { "{'maxItems':2}", "[1,2] ; [] ; {'a':1,'b':2,'c':3}", "[1,2,3]" },
    { "{'items':{'type':'integer'}}", "[] ; [1,2] ; {} ; 'a'", "['a'] ; [1,'a'] ; [1,2,null]" },
    { "{'items':false}", "[]", "[1]" },
    { "{'prefixItems':[{'type':'integer'},{'type':'string'}]}", "[] ; [1] ; [1,'a'] ; [1,'a',null]",
      "['a'] ; [1,2]" },
    { "{'prefixItems':[{'type':'integer'}],'items':{'type':'string'}}", "[1] ; [1,'a','b']",
      "[1,2] ; ['a']" },
    { "{'prefixItems':[true],'items':false}", "[] ; [1]", "[1,2]" },
    { "{'uniqueItems':true}", "[] ; [1] ; [1,2,'1',true,null,[1],{'a':1}] ; {}",
      "[1,1] ; [1,2,1] ; [1,1.0] ; [[],[]] ; [{'a':1,'b':2},{'b':2,'a':1}] ; [null,null]" },
    { "{'uniqueItems':false}", "[1,1]", "" },
    { "{'contains':{'type':'integer'}}", "[1] ; ['a',1] ; {} ; 1", "[] ; ['a']" },
    { "{'contains':{'const':1},'minContains':2}", "[1,1] ; [1,0,1,1]", "[1] ; [] ; [0,0]" },
    { "{'contains':{'const':1},'maxContains':2}", "[1] ; [1,0,1]", "[] ; [1,1,1]" },
    { "{'contains':{'const':1},'minContains':0}", "[] ; [0] ; [1]", "" },
    { "{'contains':{'const':1},'minContains':0,'maxContains':1}", "[] ; [0] ; [1]", "[1,1]" },
    { "{'minContains':2}", "[]", "" },
    { "{'contains':true}", "[1]", "[]" },
    { "{'unevaluatedItems':false}", "[] ; {}", "[1]" },
    { "{'prefixItems':[true],'unevaluatedItems':false}", "[1] ; []", "[1,2]" },
    { "{'items':true,'unevaluatedItems':false}", "[1,2]", "" },
    { "{'contains':{'type':'string'},'unevaluatedItems':false}", "['a','b']", "['a',1] ; [1]" },
    { "{'allOf':[{'prefixItems':[true]}],'unevaluatedItems':{'type':'string'}}", "[1] ; [1,'a']",
      "[1,2]" },
    { "{'anyOf':[{'prefixItems':[true,{'const':2}]},{'prefixItems':[true]}],'unevaluatedItems':"
      "false}",
      "[1] ; [1,2]", "[1,3] ; [1,2,3]" },
    { "{'oneOf':[{'prefixItems':[{'const':1}]},{'prefixItems':[{'const':2},true]}],'"
      "unevaluatedItems':false}",
      "[1] ; [2,3]", "[1,2] ; [2,3,4]" },
    { "{'if':{'prefixItems':[{'const':1}]},'then':{'prefixItems':[true,true]},'else':{'prefixItems'"
      ":[true]},'unevaluatedItems':false}",
      "[1] ; [1,2] ; [3]", "[1,2,3] ; [3,4]" },
    { "{'allOf':[{'items':true}],'unevaluatedItems':false}", "[1,2]", "" },
    { "{'allOf':[{'unevaluatedItems':true}],'unevaluatedItems':false}", "[1,2]", "" },
    { "{'not':{'prefixItems':[{'const':1}]},'unevaluatedItems':false}", "", "[] ; [2] ; [1]" },
    { "{'$ref':'#/$defs/a','$defs':{'a':{'prefixItems':[true]}},'unevaluatedItems':false}", "[1]",
      "[1,2]" },
};

#define NINE                                                                                       \
    "'a':{'type':'integer'},'b':true,'c':true,'d':true,'e':true,'f':true,'g':true,'h':true,'i':{"  \
    "'type':'string'}"

static const struct keyword_case objects[] = {
    { "{'minProperties':2}", "{'a':1,'b':2} ; [] ; 1", "{} ; {'a':1}" },
    { "{'maxProperties':1}", "{} ; {'a':1}", "{'a':1,'b':2}" },
    { "{'required':['a']}", "{'a':null} ; {'a':1,'b':2} ; [] ; 'a'", "{} ; {'b':1}" },
    { "{'required':['a','b']}", "{'a':1,'b':2}", "{'a':1} ; {'b':1}" },
    { "{'required':['a','a'],'properties':{'a':true,'b':true}}", "{'a':1}", "{'b':1} ; {}" },
    { "{'required':['a','x'],'properties':{'a':true,'b':true}}", "{'a':1,'x':1}",
      "{'a':1} ; {'x':1} ; {'a':1,'b':2}" },
    { "{'required':[]}", "{}", "" },
    { "{'properties':{'a':{'type':'integer'}}}", "{} ; {'a':1} ; {'b':'x'} ; [] ; 1",
      "{'a':'x'} ; {'a':null,'b':1}" },
    { "{'properties':{'a':false}}", "{} ; {'b':1}", "{'a':1}" },
    { "{'properties':{" NINE "}}", "{} ; {'a':1,'i':'x'} ; {'z':1}",
      "{'a':'x'} ; {'i':1} ; {'b':1,'c':2,'d':3,'e':4,'f':5,'g':6,'h':7,'a':8,'i':9}" },
    { "{'properties':{" NINE "},'additionalProperties':false}", "{} ; {'h':1,'g':2}",
      "{'z':1} ; {'a':1,'aa':2} ; {'':1}" },
    { "{'properties':{" NINE "},'required':['i','b']}", "{'i':'x','b':1}", "{'i':'x'} ; {'b':1}" },
    { "{'patternProperties':{'^a':{'type':'integer'}}}", "{} ; {'a':1} ; {'ab':2,'b':'x'}",
      "{'a':'x'} ; {'b':1,'abc':null}" },
    { "{'patternProperties':{'a':{'type':'integer'},'b':{'minimum':2}}}", "{'a':1,'b':2,'ab':3}",
      "{'ab':1} ; {'a':'x'} ; {'b':1}" },
    { "{'additionalProperties':{'type':'integer'}}", "{} ; {'a':1}", "{'a':'x'}" },
    { "{'properties':{'a':true},'patternProperties':{'^x':true},'additionalProperties':false}",
      "{'a':1,'x':1,'xy':2}", "{'b':1} ; {'a':1,'ax':1}" },
    { "{'propertyNames':{'maxLength':1}}", "{} ; {'a':1,'b':2} ; []", "{'ab':1}" },
    { "{'propertyNames':false}", "{}", "{'a':1}" },
    { "{'dependentRequired':{'a':['b','c']}}", "{} ; {'b':1} ; {'a':1,'b':2,'c':3} ; []",
      "{'a':1} ; {'a':1,'b':2}" },
    { "{'dependentRequired':{'a':[]}}", "{'a':1}", "" },
    { "{'dependentSchemas':{'a':{'required':['b']},'c':false}}", "{} ; {'b':1} ; {'a':1,'b':1}",
      "{'a':1} ; {'c':1}" },
    { "{'dependentRequired':{'a':['b']},'dependentSchemas':{'c':{'required':['d']}}}",
      "{'a':1,'b':1,'c':1,'d':1}", "{'a':1} ; {'c':1}" },
    { "{'dependencies':{'a':['b'],'c':{'required':['d']}}}", "{'a':1,'b':1} ; {'c':1,'d':1}",
      "{'a':1} ; {'c':1}" },
    { "{'unevaluatedProperties':false}", "{} ; []", "{'a':1}" },
    { "{'properties':{'a':true},'unevaluatedProperties':false}", "{'a':1}", "{'a':1,'b':2}" },
    { "{'patternProperties':{'^a':true},'unevaluatedProperties':false}", "{'ab':1}", "{'b':1}" },
    { "{'additionalProperties':true,'unevaluatedProperties':false}", "{'a':1}", "" },
    { "{'unevaluatedProperties':{'type':'integer'},'allOf':[{'properties':{'a':true}}]}",
      "{'a':'x','b':1}", "{'b':'x'}" },
    { "{'anyOf':[{'required':['a'],'properties':{'a':true}},{'properties':{'b':true}}],'"
      "unevaluatedProperties':false}",
      "{'a':1} ; {'b':1} ; {'a':1,'b':2} ; {}", "{'c':1} ; {'a':1,'c':2}" },
    { "{'oneOf':[{'properties':{'a':{'const':1}},'required':['a']},{'properties':{'b':true},'"
      "required':['b']}],'unevaluatedProperties':false}",
      "{'a':1} ; {'b':1}", "{'a':1,'b':2} ; {'a':2} ; {'b':1,'c':1}" },
    { "{'if':{'properties':{'k':{'const':1}},'required':['k']},'then':{'properties':{'a':true}},'"
      "else':{'properties':{'b':true}},'unevaluatedProperties':false}",
      "{'k':1,'a':2} ; {'b':1} ; {}", "{'k':1,'b':2} ; {'a':1} ; {'k':2}" },
    { "{'dependentSchemas':{'a':{'properties':{'b':true}}},'properties':{'a':true},'"
      "unevaluatedProperties':false}",
      "{'a':1,'b':2} ; {'a':1}", "{'b':2}" },
    { "{'allOf':[{'unevaluatedProperties':true}],'unevaluatedProperties':false}", "{'a':1}", "" },
    { "{'$ref':'#/$defs/a','$defs':{'a':{'properties':{'a':true}}},'unevaluatedProperties':false}",
      "{'a':1}", "{'b':1}" },
    { "{'not':{'properties':{'a':{'const':1}},'required':['a']},'unevaluatedProperties':false}",
      "{}", "{'a':2}" },
};

static const struct keyword_case logic[] = {
    { "{'allOf':[{'minimum':1},{'maximum':3}]}", "1 ; 3 ; 'a'", "0 ; 4" },
    { "{'anyOf':[{'type':'string'},{'minimum':3}]}", "'a' ; 3 ; null", "2" },
    { "{'oneOf':[{'minimum':1},{'maximum':3}]}", "0 ; 4", "1 ; 2 ; 3 ; 'a'" },
    { "{'oneOf':[false,true,false]}", "1", "" },
    { "{'oneOf':[true,true,false]}", "", "1" },
    { "{'oneOf':[false]}", "", "1" },
    { "{'not':{'type':'string'}}", "1 ; null", "'a'" },
    { "{'not':true}", "", "1" },
    { "{'not':{'not':{'type':'string'}}}", "'a'", "1" },
    { "{'if':{'type':'integer'},'then':{'minimum':3},'else':{'maxLength':1}}", "3 ; 'a' ; null",
      "2 ; 'ab'" },
    { "{'if':{'minimum':3},'then':{'maximum':5}}", "1 ; 5 ; 'a'", "6" },
    { "{'if':{'minimum':3},'else':{'minimum':1}}", "1 ; 9", "0" },
    { "{'if':false}", "1", "" },
    { "{'then':false,'else':false}", "1", "" },
    { "{'anyOf':[{'properties':{'a':{'type':'integer'}},'required':['a']},{'properties':{'b':{'"
      "type':'string'}},'required':['b']}]}",
      "{'a':1} ; {'b':'x'} ; {'a':'x','b':'x'}", "{} ; {'a':'x'} ; {'b':1}" },
    { "{'$defs':{'n':{'type':'integer'}},'$ref':'#/$defs/n','minimum':3}", "3", "2 ; 'a'" },
    { "{'properties':{'next':{'$ref':'#'}},'additionalProperties':false}",
      "{} ; {'next':{'next':{}}}", "{'x':1} ; {'next':{'x':1}}" },
    { "{'$defs':{'a "
      "b':{'const':1},'c/d':{'const':2},'e~f':{'const':3}},'anyOf':[{'$ref':'#/$defs/"
      "a%20b'},{'$ref':'#/$defs/c~1d'},{'$ref':'#/$defs/e~0f'}]}",
      "1 ; 2 ; 3", "4" },
    { "{'prefixItems':[{'type':'integer'},{'$ref':'#/prefixItems/0'}]}", "[1,2]", "[1,'a']" },
    { "{'$defs':{'x':{'$anchor':'here','type':'string'}},'$ref':'#here'}", "'a'", "1" },
    { "{'$id':'http://x/root','$defs':{'x':{'$id':'item','type':'string'}},'$ref':'item'}", "'a'",
      "1" },
    { "{'$id':'http://x/a/root','$defs':{'x':{'$id':'/b/"
      "item','$defs':{'y':{'type':'integer'}}}},'$ref':'/b/item#/$defs/y'}",
      "1", "'a'" },
    { "{'$id':'http://x/root','$defs':{'x':{'$id':'item','$defs':{'n':{'type':'null'}},'$ref':'#/"
      "$defs/n'},'n':{'type':'string'}},'$ref':'http://x/item'}",
      "null", "'a'" },
    { "{'$id':'http://x/"
      "tree','$dynamicAnchor':'node','type':'object','properties':{'kids':{'items':{'$dynamicRef':'"
      "#node'}}}}",
      "{'kids':[{'kids':[]}]}", "{'kids':[1]} ; {'kids':[{'kids':[1]}]}" },
    { "{'$id':'http://x/"
      "strict','$dynamicAnchor':'node','$ref':'tree','required':['v'],'$defs':{'t':{'$id':'tree','$"
      "dynamicAnchor':'node','properties':{'kids':{'items':{'$dynamicRef':'#node'}}}}}}",
      "{'v':1,'kids':[{'v':2}]}", "{'kids':[]} ; {'v':1,'kids':[{}]}" },
};

static void values_fit_by_type_and_constant(void **state)
{
    (void)state;
    EXPECT(NULL, values);
}

static void numbers_fit_within_their_bounds(void **state)
{
    (void)state;
    EXPECT(NULL, numbers);
}

static void strings_fit_by_length_and_pattern(void **state)
{
    (void)state;
    EXPECT(NULL, strings);
}

static void arrays_fit_by_their_items(void **state)
{
    (void)state;
    EXPECT(NULL, arrays);
}

static void objects_fit_by_their_members(void **state)
{
    (void)state;
    EXPECT(NULL, objects);
}

static void schemas_are_put_together(void **state)
{
    (void)state;
    EXPECT(NULL, logic);
}

/* ---- dialects ---- */

static const struct keyword_case of_draft_07[] = {
    { "{}", "1", "" },
    { "{'items':[{'type':'integer'},{'type':'string'}]}", "[1,'a',null] ; []", "['a'] ; [1,2]" },
    { "{'items':[true],'additionalItems':false}", "[1]", "[1,2]" },
    { "{'items':[true],'additionalItems':{'type':'string'}}", "[1,'a']", "[1,2]" },
    { "{'items':{'type':'integer'},'additionalItems':false}", "[1,2]", "['a']" },
    { "{'prefixItems':[false]}", "[1]", "" },
    { "{'dependencies':{'a':['b'],'c':{'minProperties':2}}}", "{'a':1,'b':2} ; {'c':1,'d':2}",
      "{'a':1} ; {'c':1}" },
    { "{'dependentRequired':{'a':['b']},'dependentSchemas':{'a':false}}", "{'a':1}", "" },
    { "{'contains':{'const':1},'minContains':2,'maxContains':2}", "[1] ; [1,1,1]", "[]" },
    { "{'unevaluatedItems':false,'unevaluatedProperties':false}", "[1] ; {'a':1}", "" },
    { "{'definitions':{'n':{'type':'integer'}},'properties':{'a':{'$ref':'#/definitions/"
      "n','minimum':3}}}",
      "{'a':1}", "{'a':'x'}" },
    { "{'definitions':{'n':{'$id':'#here','type':'integer'}},'properties':{'a':{'$ref':'#here'}}}",
      "{'a':1}", "{'a':'x'}" },
    { "{'$dynamicRef':'#nowhere'}", "1", "" },
};

static const struct keyword_case of_2019_09[] = {
    { "{'items':[{'type':'integer'}],'additionalItems':false}", "[1]", "['a'] ; [1,2]" },
    { "{'prefixItems':[false]}", "[1]", "" },
    { "{'contains':{'const':1},'minContains':2}", "[1,1]", "[1]" },
    { "{'contains':{'const':1},'unevaluatedItems':false}", "",
      "[1] ; [1,2]" }, // contains evaluates since 2020-12
    { "{'items':[true],'unevaluatedItems':false}", "[1]", "[1,2]" },
    { "{'dependentRequired':{'a':['b']}}", "{'a':1,'b':1}", "{'a':1}" },
    { "{'unevaluatedProperties':false,'properties':{'a':true}}", "{'a':1}", "{'b':1}" },
    { "{'$defs':{'n':{'type':'integer'}},'$ref':'#/$defs/n','minimum':3}", "3", "2 ; 'a'" },
    { "{'$dynamicRef':'#nowhere'}", "1", "" },
};

static void each_dialect_has_its_own_words(void **state)
{
    (void)state;
    EXPECT("http://json-schema.org/draft-07/schema#", of_draft_07);
    EXPECT("http://json-schema.org/draft-06/schema", of_draft_07);
    EXPECT("https://json-schema.org/draft-07/schema", of_draft_07);
    EXPECT("https://json-schema.org/draft/2019-09/schema", of_2019_09);
    EXPECT("https://json-schema.org/draft/2020-12/schema", logic);
    EXPECT("https://json-schema.org/draft/2020-12/schema#", arrays);
}

/* ---- many items ---- */

/* From 33 items on they are compared by hashes. */
static void items_are_unique_however_many(void **state)
{
    static const char *const pairs[][2] = {
        // equal, but for the way they are written
        { "true", "true" },
        { "7", "7.0" },
        { "'ab'", "'a\\u0062'" },
        { "[1,[2]]", "[1.0,[2]]" },
        { "{'a':1,'b':2}", "{'b':2,'a':1}" },
        { "null", "null" },
        { "0", "-0.0" },
        { "false", "false" },
    };
    static const char *const others[][2] = {
        { "true", "false" },
        { "7", "'7'" },
        { "'ab'", "'ba'" },
        { "[1,2]", "[2,1]" },
        { "[]", "{}" },
        { "{'a':1}", "{'b':1}" },
        { "{'a':1,'b':2}", "{'a':2,'b':1}" },
        { "null", "0" },
        { "9007199254740993", "9007199254740992" },
    };
    struct json_schema *schema = compiled("{'uniqueItems':true}");

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) + sizeof(others) / sizeof(others[0]);
         i++) {
        bool               is_same = i < sizeof(pairs) / sizeof(pairs[0]);
        const char *const *two = is_same ? pairs[i] : others[i - sizeof(pairs) / sizeof(pairs[0])];

        for (size_t more = 30; more <= 31; more++) { // 32 are compared pair by pair
            bp_str list = arena_format(&arena, "[%s", two[0]);

            for (size_t j = 0; j < more; j++)
                list = arena_format(&arena, BP_FMT ",'n%zu'", BP_ARG(list), j);
            list = arena_format(&arena, BP_FMT ",%s]", BP_ARG(list), two[1]);
            expect_each(schema, "uniqueItems", list.data, !is_same);
            if (is_same) {
                char sentence[128];

                snprintf(sentence, sizeof(sentence),
                         "the value must not have the same item twice, as it has at 0 and %zu",
                         more + 1);
                assert_string_equal(why.text, sentence);
            }
        }
    }
    json_schema_free(schema);
}

/* More than 1,024 are marked in memory of their own. */
static void what_is_not_evaluated_is_found_among_many(void **state)
{
    struct json_schema *items = compiled("{'contains':{'const':0},'unevaluatedItems':{'const':1}}");
    struct json_schema *members = compiled(
        "{'patternProperties':{'^p':true},'unevaluatedProperties':false}");

    (void)state;
    for (size_t count = 1023; count <= 1090; count += count == 1025 ? 65 : 1) {
        struct bp_buf list, object;

        buf_init(&list, &arena, 1 << 20);
        buf_init(&object, &arena, 1 << 20);
        for (size_t i = 0; i < count; i++) {
            buf_addf(&list, "%s%d", i ? "," : "[", i % 3 ? 0 : 1);
            buf_addf(&object, "%s'p%zu':1", i ? "," : "{", i);
        }
        expect_each(items, "items", arena_format(&arena, "%s]", buf_str(&list).data).data, true);
        expect_each(items, "items", arena_format(&arena, "%s,2]", buf_str(&list).data).data, false);
        expect_each(members, "members", arena_format(&arena, "%s}", buf_str(&object).data).data,
                    true);
        expect_each(members, "members",
                    arena_format(&arena, "%s,'q':1}", buf_str(&object).data).data, false);
        assert_string_equal(why.text, "\"q\" is not a known argument");
    }
    json_schema_free(items);
    json_schema_free(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_fit_by_type_and_constant),
        CASE(numbers_fit_within_their_bounds),
        CASE(strings_fit_by_length_and_pattern),
        CASE(arrays_fit_by_their_items),
        CASE(objects_fit_by_their_members),
        CASE(schemas_are_put_together),
        CASE(each_dialect_has_its_own_words),
        CASE(items_are_unique_however_many),
        CASE(what_is_not_evaluated_is_found_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
