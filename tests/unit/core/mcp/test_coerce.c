/* test_coerce.c - which arguments are made to fit, through which words of a schema, and where a
 * schema wants several types at once. Written with ' in the place of ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mcp/coerce.h"

static struct arena arena;

static const bp_json *parsed(const char *text)
{
    bp_str         copy = arena_dup(&arena, bp_str_of(text));
    const bp_json *value = NULL;
    struct reason  why;

    for (char *at = (char *)(uintptr_t)copy.data; *at; at++)
        if (*at == '\'')
            *at = '"';
    if (json_parse(&arena, copy, &value, &why) != BP_OK)
        fail_msg("%s: %s", text, why.text);
    return value;
}

static void expect(const char *schema, const char *value, bp_str found, const char *wanted)
{
    bp_str copy = arena_dup(&arena, found);

    for (char *at = (char *)(uintptr_t)copy.data; *at; at++)
        if (*at == '"')
            *at = '\'';
    if (!bp_str_is(copy, wanted))
        fail_msg("%s %s: not \"%s\" but \"" BP_FMT "\"", schema, value, wanted, BP_ARG(copy));
}

static void what_is_written_almost_right_is_made_right(void **state)
{
    static const struct {
        const char *schema, *value, *made; /* "": nothing is changed */
    } cases[] = {
        /* the words of a type */
        { "{'type':'integer'}", "'7'", "7" },
        { "{'type':'integer'}", "' 7 '", "7" },
        { "{'type':'integer'}", "7.0", "7" },
        { "{'type':['number','integer']}", "7.0", "" },
        { "{'type':'number'}", "'7'", "7" },
        { "{'type':'integer'}", "''", "" },
        { "{'type':'integer'}", "'null'", "" },
        { "{'type':'null'}", "'null'", "" },
        { "{'type':'boolean'}", "'True'", "true" },
        { "{'type':'boolean'}", "'False'", "false" },
        { "{'type':'integer'}", "'True'", "" },
        { "{'type':'boolean'}", "'1'", "" },
        { "{'type':'array'}", "'[1,2]'", "[1,2]" },
        { "{'type':'array'}", "'{}'", "" },
        { "{'type':'object'}", "'[]'", "" },
        { "{'type':'nonsense'}", "'7'", "" },
        { "{}", "'7'", "" },
        { "true", "'7'", "" },
        /* of the values of an enum */
        { "{'enum':[1,2]}", "'2'", "2" },
        { "{'enum':[1,'2']}", "'2'", "" },
        { "{'enum':[true]}", "'true'", "true" },
        { "{'enum':[[1]]}", "'[1]'", "[1]" },
        { "{'enum':[{'a':1}]}", "'{\\'a\\':1}'", "{'a':1}" },
        { "{'enum':[1.5]}", "'1.5'", "1.5" },
        { "{'type':'integer','enum':['a']}", "'7'", "7" },
        /* through branches */
        { "{'oneOf':[{'type':'integer'},{'type':'null'}]}", "'7'", "7" },
        { "{'anyOf':[{'type':'integer'},{'type':'string'}]}", "'7'", "" },
        { "{'anyOf':[{'type':'integer'},{}]}", "'7'", "" },
        { "{'anyOf':[{'anyOf':[{'type':'integer'}]}]}", "'7'", "7" },
        { "{'anyOf':[{'anyOf':[{'anyOf':[{'type':'integer'}]}]}]}", "'7'", "" },
        { "{'anyOf':[{'type':'array'},{'type':'object','properties':{'a':{'type':'integer'}}}]}",
          "{'a':'7'}", "{'a':7}" },
        { "{'anyOf':[{'type':'object'},{'type':'array','items':{'type':'integer'}}]}", "['7']",
          "[7]" },
        /* through references */
        { "{'$ref':'#/d/n','d':{'n':{'type':'integer'}}}", "'7'", "7" },
        { "{'$ref':'#/d/a','d':{'a':{'$ref':'#/d/n'},'n':{'type':'integer'}}}", "'7'", "7" },
        { "{'$ref':'#'}", "'7'", "" },
        { "{'$ref':'#/d/nowhere','d':{}}", "'7'", "" },
        { "{'$ref':'http://x/d','d':{'type':'integer'}}", "'7'", "" },
        { "{'type':'object','properties':{'a':{'$ref':'#'},'n':{'type':'integer'}}}",
          "{'a':{'a':{'n':'7'}}}", "{'a':{'a':{'n':7}}}" },
        /* members and items */
        { "{'additionalProperties':{'type':'integer'}}", "{'a':'7'}", "{'a':7}" },
        { "{'properties':{'a':{'type':'string'}},'additionalProperties':{'type':'integer'}}",
          "{'a':'7','b':'8'}", "{'a':'7','b':8}" },
        { "{'items':{'type':'integer'}}", "['7',8]", "[7,8]" },
        { "{'prefixItems':[{'type':'string'},{'type':'integer'}],'items':{'type':'boolean'}}",
          "['1','2','true','x']", "['1',2,true,'x']" },
        { "{'type':'array','items':{'type':'integer'}}", "'[\\'1\\',2]'", "[1,2]" },
        { "{'type':'object','properties':{'a':{'type':'integer'}}}", "'{\\'a\\':\\'1\\'}'",
          "{'a':1}" },
        /* null, where it says that it is not there */
        { "{'properties':{'a':{'type':'string'}}}", "{'a':null,'b':1}", "{'b':1}" },
        { "{'properties':{'a':{'type':'string'}},'required':['a']}", "{'a':null}", "" },
        { "{'properties':{'a':{'type':'string'}},'required':['b','c']}", "{'a':null}", "{}" },
        { "{'properties':{'a':{'type':['string','null']}}}", "{'a':null}", "" },
        { "{'properties':{'a':{}}}", "{'a':null}", "" },
        { "{'additionalProperties':false}", "{'a':null}", "{}" },
        { "{'additionalProperties':true}", "{'a':null}", "" },
        { "{'properties':{'a':{'type':'string'}}}", "{'a':0}", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i].schema, cases[i].value,
               coerce(&arena, parsed(cases[i].schema), parsed(cases[i].value)), cases[i].made);
}

static void references_are_followed_eight_steps_far(void **state)
{
    static const char chain[] = "'1':{'$ref':'#/2'},'2':{'$ref':'#/3'},'3':{'$ref':'#/4'},"
                                "'4':{'$ref':'#/5'},'5':{'$ref':'#/6'},'6':{'$ref':'#/7'},"
                                "'7':{'$ref':'#/8'},'8':{'type':'integer'}}";

    (void)state;
    for (int first = 1; first <= 2; first++) {
        bp_str whole = arena_format(&arena, "{'$ref':'#/%d',%s", first, chain);
        bp_str more = arena_format(&arena, "{'$ref':'#/0','0':{'$ref':'#/%d'},%s", first, chain);

        expect(whole.data, "'7'", coerce(&arena, parsed(whole.data), parsed("'7'")), "7");
        expect(more.data, "'7'", coerce(&arena, parsed(more.data), parsed("'7'")),
               first == 1 ? "" : "7");
    }
}

static void where_several_types_are_taken_is_found(void **state)
{
    static const struct {
        const char *schema, *place;
    } cases[] = {
        { "{}", "" },
        { "{'type':['string']}", "/" },
        { "{'anyOf':[{'type':'string'},{'type':'integer'}]}", "/" },
        { "{'oneOf':[{'type':'string'},{'type':'null'}]}", "/" },
        { "{'anyOf':[{'type':'string'},{'type':'string'}]}", "" },
        { "{'anyOf':[{},{'type':'string'},{'minimum':1}]}", "" },
        { "{'anyOf':[{'type':'string'}]}", "" },
        { "{'allOf':[{},{'type':['string','null']}]}", "/allOf/1" },
        { "{'properties':{'type':{'type':'string'}}}", "" },
        { "{'properties':{'enum':{'type':['a','b']}}}", "/properties/enum" },
        { "{'$defs':{'d':{'type':[]}}}", "/$defs/d" },
        { "{'definitions':{'d':{'type':[]}}}", "/definitions/d" },
        { "{'patternProperties':{'d':{'type':[]}}}", "/patternProperties/d" },
        { "{'properties':{'a':{'properties':{'b':{'type':[]}}}}}", "/properties/a/properties/b" },
        { "{'enum':[{'type':[]}]}", "" },
        { "{'const':{'type':[]}}", "" },
        { "{'default':{'type':[]}}", "" },
        { "{'examples':[{'type':[]}]}", "" },
        { "{'properties':{'default':{'type':[]}}}", "/properties/default" },
        { "{'items':{'type':[]},'not':{'type':[]}}", "/items" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i].schema, "", coerce_find_union(&arena, parsed(cases[i].schema)),
               cases[i].place);
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 16 << 20);
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
        cmocka_unit_test_setup_teardown(what_is_written_almost_right_is_made_right, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(references_are_followed_eight_steps_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_several_types_are_taken_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
