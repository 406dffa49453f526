/* test_json_schema_refs.c - where the names and references of a schema lead: $id, $anchor, JSON
 * pointers and their escapes, in each dialect; and how many of them there may be. */
#include "schema_rig.h"

#define DRAFT_07           "'$schema':'http://json-schema.org/draft-07/schema#',"
#define YEAR_19            "'$schema':'https://json-schema.org/draft/2019-09/schema',"
#define NOTHING(reference) "the $ref '" reference "' leads to nothing"
#define OUT(reference)                                                                             \
    "the $ref '" reference                                                                         \
    "' leads out of this schema, and nothing is fetched: put what it means "                       \
    "into $defs"

/* The value 1 fits none of what the names stand for, and the sentence says which it was. */
static const struct sentence_case names[] = {
    // anchors are of their resource, and one schema may have a name twice
    { "{'$defs':{'a':{'$anchor':'n','const':2},'b':{'$id':'http://x/b','$anchor':'n','const':3}},"
      "'$ref':'#n'}",
      "1", "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$anchor':'n','const':2},'b':{'$id':'http://x/b','$anchor':'n','const':3}},"
      "'$ref':'http://x/b#n'}",
      "1", "the value must be 3, not 1" },
    { "{'$defs':{'a':{'$anchor':'n','$dynamicAnchor':'n','const':2}},'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$dynamicAnchor':'n','const':2}},'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$anchor':'m'},'b':{'$anchor':'n'},'c':{'$anchor':'n'}}}", NULL,
      "/$defs/c: two schemas have the anchor 'n'" },
    { "{'$defs':{'a':{'$anchor':'n'},'b':{'$dynamicAnchor':'n'}}}", NULL,
      "/$defs/b: two schemas have the anchor 'n'" },
    { "{'$defs':{'a':{'$id':'http://x/a'},'b':{'$id':'http://x/b'},'c':{'$id':'http://x/b'}}}",
      NULL, "/$defs/c: two schemas have the $id 'http://x/b'" },
    // what is no resource of its own
    { "{'$id':'','$ref':'#/$defs/a','$defs':{'a':{'const':2}}}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$id':'?q','const':2}},'$ref':'?q'}", NULL, OUT("?q") },
    { "{'$defs':{'a':{'$id':'#','const':2}},'$ref':'#/$defs/a'}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$id':'//host','const':2}},'$ref':'//host'}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$id':'x:','const':2}},'$ref':'x:'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$id':'http://x/a#','const':2}},'$ref':'http://x/a'}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$id':'a','const':2}},'$ref':'a#b'}", NULL, NOTHING("a#b") },
    { "{'$defs':{'a':{'$id':'rel/a','$defs':{'b':{'$id':'b','const':2}}}},'$ref':'rel/b'}", "1",
      "the value must be 2, not 1" },
    // older dialects
    { "{" DRAFT_07 "'definitions':{'a':{'$id':'http://x/a','$ref':'#/definitions/b'},"
      "'b':{'const':2}},'allOf':[{'$ref':'http://x/a'}]}",
      NULL, "/allOf/0: " OUT("http://x/a") },
    { "{" DRAFT_07 "'definitions':{'a':{'$id':'http://x/a','const':2}},"
      "'allOf':[{'$ref':'http://x/a'}]}",
      "1", "the value must be 2, not 1" },
    { "{" DRAFT_07 "'definitions':{'a':{'$id':'http://x/a#n','const':2}},"
      "'allOf':[{'$ref':'http://x/a#n'}]}",
      "1", "the value must be 2, not 1" },
    { "{" DRAFT_07 "'definitions':{'a':{'$anchor':'n','const':2}},'allOf':[{'$ref':'#n'}]}", NULL,
      "/allOf/0: " NOTHING("#n") },
    { "{" YEAR_19 "'$defs':{'a':{'$anchor':'n','const':2}},'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{" YEAR_19 "'$defs':{'a':{'$dynamicAnchor':'n','const':2}},'$ref':'#n'}", NULL,
      NOTHING("#n") },
    { "{" YEAR_19 "'$id':'http://x/a#b'}", NULL,
      "$id must not have a fragment; $anchor makes one" },
};

static const struct sentence_case pointers[] = {
    { "{'prefixItems':[true,{'const':2}],'allOf':[{'$ref':'#/prefixItems/1'}]}", "1",
      "the value must be 2, not 1" },
    { "{'prefixItems':[true],'$ref':'#/prefixItems/1'}", NULL, NOTHING("#/prefixItems/1") },
    { "{'prefixItems':[true],'$ref':'#/prefixItems/a'}", NULL, NOTHING("#/prefixItems/a") },
    { "{'prefixItems':[true],'$ref':'#/prefixItems/'}", NULL, NOTHING("#/prefixItems/") },
    { "{'$ref':'#/'}", NULL, NOTHING("#/") },
    { "{'':{'const':2},'$ref':'#/'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'':{'const':2}},'$ref':'#/$defs/'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'a':{'const':2}},'$ref':'#/$defs/a/'}", NULL, NOTHING("#/$defs/a/") },
    { "{'$defs':{'a':{'const':2}},'$ref':'#/$defs/a/const'}", NULL,
      "/$ref: it must be a schema: an object, true or false" },
    // what stands at no place for a schema becomes one when it is referred to
    { "{'more':{'a':{'const':2}},'$ref':'#/more/a'}", "1", "the value must be 2, not 1" },
    { "{'more':{'a':{'type':7}},'$ref':'#/more/a'}", NULL,
      "/more/a/type: it must be one or more of 'string', 'integer', 'number', 'boolean', 'object', "
      "'array', 'null'" },
    { "{'more':[{'type':7}],'$ref':'#/more/0'}", NULL,
      "/more/0/type: it must be one or more of 'string', 'integer', 'number', 'boolean', 'object', "
      "'array', 'null'" },
    { "{'more':{'a':{'$id':7}},'$ref':'#/more/a'}", NULL, "/more/a: $id must be a string" },
    { "{'$defs':{'a':{'$id':'http://x/a','more':{'b':{'$ref':'#/c'}},'c':{'const':2}}},"
      "'c':{'const':3},'$ref':'#/$defs/a/more/b'}",
      "1", "the value must be 2, not 1" },
    { "{'$defs':{'a':{'$id':'http://x/a','more':{'b':{'type':7}}}},'$ref':'http://x/a#/more/b'}",
      NULL,
      "/$defs/a/more/b/type: it must be one or more of 'string', 'integer', 'number', 'boolean', "
      "'object', 'array', 'null'" },
    { "{'$defs':{'a':false},'$ref':'#/$defs/a'}", "1", "the value is not allowed" },
    // ~0 is ~, ~1 is /, any other ~ is itself
    { "{'$defs':{'a~b':{'const':2}},'$ref':'#/$defs/a~0b'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'a/b':{'const':2}},'$ref':'#/$defs/a~1b'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'a~2b':{'const':2}},'$ref':'#/$defs/a~2b'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'a~':{'const':2}},'$ref':'#/$defs/a~'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'~1':{'const':2}},'$ref':'#/$defs/~01'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'~':{'const':2}},'$ref':'#/$defs/~0'}", "1", "the value must be 2, not 1" },
    // %41 is A; what is no code is itself
    { "{'$defs':{'A':{'const':2}},'$ref':'#/$defs/%41'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'jJ':{'const':2}},'$ref':'#/$defs/%6a%4A'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'o_':{'const':2}},'$ref':'#/$defs/%6F%5f'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'0 9':{'const':2}},'$ref':'#/$defs/%30%20%39'}", "1",
      "the value must be 2, not 1" },
    { "{'$defs':{'ä':{'const':2}},'$ref':'#/$defs/%C3%a4'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%4':{'const':2}},'$ref':'#/$defs/%4'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%':{'const':2}},'$ref':'#/$defs/%'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%4G':{'const':2}},'$ref':'#/$defs/%4G'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%4g':{'const':2}},'$ref':'#/$defs/%4g'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%4@':{'const':2}},'$ref':'#/$defs/%4@'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%4:':{'const':2}},'$ref':'#/$defs/%4:'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%G4':{'const':2}},'$ref':'#/$defs/%G4'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%:4':{'const':2}},'$ref':'#/$defs/%:4'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%4.':{'const':2}},'$ref':'#/$defs/%4.'}", "1", "the value must be 2, not 1" },
    { "{'$defs':{'%%41':{'const':2}},'$ref':'#/$defs/%25%2541'}", "1",
      "the value must be 2, not 1" },
};

/* Only where the dialect puts schemas do names count. */
static const struct sentence_case places[] = {
    { "{'enum':[{'$anchor':'n'}],'$ref':'#n'}", NULL, NOTHING("#n") },
    { "{'properties':{'a':{'$anchor':'n','const':2}},'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{'properties':{'$anchor':{'$anchor':'n','const':2}},'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{'items':{'$anchor':'n','const':2},'$ref':'#n'}", "1", "the value must be 2, not 1" },
    { "{'allOf':[true,{'$anchor':'n','const':2}]}", "1", "the value must be 2, not 1" },
    { "{'prefixItems':[true,{'$anchor':'n','const':2}],'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{'not':{'$anchor':'n','const':2},'$ref':'#n'}", "1", "the value must be 2, not 1" },
    { "{'allOf':{'$anchor':'n'}}", NULL, "/allOf: it must be an array of at least one schema" },
    { "{'dependencies':{'a':{'$anchor':'n','const':2}},'$ref':'#n'}", "1",
      "the value must be 2, not 1" },
    { "{" DRAFT_07 "'items':[true,{'$id':'#n','const':2}],'allOf':[{'$ref':'#n'}]}", "1",
      "the value must be 2, not 1" },
};

static void names_lead_to_their_schema(void **state)
{
    (void)state;
    EXPECT_EACH(names);
}

static void pointers_lead_to_what_stands_there(void **state)
{
    (void)state;
    EXPECT_EACH(pointers);
}

static void names_count_where_a_schema_may_stand(void **state)
{
    (void)state;
    EXPECT_EACH(places);
}

/* The n-th of as many is found by each of its names. */
static void there_may_be_many_names(void **state)
{
    enum { MANY = 70 };
    struct bp_buf buf;

    (void)state;
    for (int wanted = 0; wanted < MANY; wanted++) {
        static const char *const ways[] = { "http://x/i%d", "#a%d", "#/$defs/%d", "#/$defs/%da" };
        struct sentence_case     one;
        char                     reference[64];

        snprintf(reference, sizeof(reference), ways[wanted % 4], wanted);
        buf_init(&buf, &arena, 1 << 20);
        buf_addf(&buf, "{'$ref':'%s','$defs':{", reference);
        for (int i = 0; i < MANY; i++)
            buf_addf(&buf,
                     "%s'%d':{'$id':'http://x/i%d','const':'%d'},'%da':{'$anchor':'a%d',"
                     "'const':'%d'}",
                     i ? "," : "", i, i, i, i, i, i);
        buf_add(&buf, BP_STR("}}"));
        one = (struct sentence_case){
            buf_str(&buf).data, "1",
            arena_format(&arena, "the value must be '%d', not 1", wanted).data
        };
        expect_sentence(&one);
    }
}

static void a_text_has_at_most_ten_thousand_subschemas(void **state)
{
    (void)state;
    for (int count = JSON_SCHEMA_COUNT_MAX - 1; count <= JSON_SCHEMA_COUNT_MAX; count++) {
        struct json_schema *schema;
        struct bp_buf       buf;

        buf_init(&buf, &arena, 1 << 20);
        for (int i = 0; i < count; i++) // and the one that they are in
            buf_add(&buf, i ? BP_STR(",{}") : BP_STR("{\"anyOf\":[{}"));
        buf_add(&buf, BP_STR("]}"));
        schema = json_schema_compile(buf_str(&buf), &why);
        assert_int_equal(schema != NULL, count < JSON_SCHEMA_COUNT_MAX);
        if (!schema)
            assert_string_equal(why.text, "it has more than 10000 subschemas");
        json_schema_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_lead_to_their_schema),
        CASE(pointers_lead_to_what_stands_there),
        CASE(names_count_where_a_schema_may_stand),
        CASE(there_may_be_many_names),
        CASE(a_text_has_at_most_ten_thousand_subschemas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
