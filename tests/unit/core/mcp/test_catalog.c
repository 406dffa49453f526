/* test_catalog.c - the tables of apps as they are read: names, prefixes, bounds, headers, and each
 * sentence about what cannot be offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/mcp.h>

#include "base/metrics.h"
#include "base/str.h"
#include "mcp/catalog.h"

enum { APPS = 3 };

static struct plugin               plugins[APPS];
static struct conf_instance        confs[APPS];
static struct unit                 units[APPS], *unit_list[APPS];
static struct instance             instances[APPS];
static const struct conf_instance *conf_list[APPS];
static bp_app_ops                  apps[APPS];
static struct generation           generation;
static struct reason               why;

static bp_status never(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments, (void)mcp;
    return BP_INTERNAL;
}

static bp_status never_read(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)uri, (void)mcp;
    return BP_INTERNAL;
}

static int set_up(void **state)
{
    static const char *const names[APPS] = { "one", "two", "three" };

    (void)state;
    for (int i = 0; i < APPS; i++) {
        apps[i] = (bp_app_ops){ .struct_size = sizeof(bp_app_ops),
                                .tool_size = sizeof(bp_mcp_tool),
                                .resource_size = sizeof(bp_mcp_resource),
                                .prompt_size = sizeof(bp_mcp_prompt) };
        plugins[i] = (struct plugin){ .descriptor = { .kind = "app", .ops = &apps[i] } };
        confs[i] = (struct conf_instance){ .kind = "app", .name = bp_str_of(names[i]) };
        units[i] = (struct unit){
            .conf = &confs[i], .plugin = &plugins[i], .instances = &instances[i], .is_up = true
        };
        unit_list[i] = &units[i];
        conf_list[i] = &confs[i];
    }
    generation = (struct generation){ .units = unit_list, .confs = conf_list, .unit_count = APPS };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_clear();
    return 0;
}

static void offer_tools(int app, const bp_mcp_tool *tools, size_t count)
{
    apps[app].tools = tools;
    apps[app].tool_count = count;
}

static void expect_refused(const char *sentence)
{
    reason_clear(&why);
    assert_null(catalog_make(&generation, NULL, &why));
    if (strcmp(why.text, sentence) != 0)
        fail_msg("\nnot    %s\nbut is %s", sentence, why.text);
}

/* The names of a catalog's tools and prompts, in order. */
static void expect_names(const bp_str_list *wanted_apps, const char *names)
{
    struct catalog *catalog;
    char            text[2048] = "";

    reason_clear(&why);
    catalog = catalog_make(&generation, wanted_apps, &why);
    if (!catalog)
        fail_msg("%s", why.text);
    for (size_t i = 0; i < catalog->tool_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), BP_FMT " ",
                 BP_ARG(catalog->tools[i].name));
    for (size_t i = 0; i < catalog->prompt_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "p:" BP_FMT " ",
                 BP_ARG(catalog->prompts[i].name));
    assert_string_equal(text, names);
    for (size_t i = 0; i < catalog->tool_count; i++)
        assert_ptr_equal(catalog_find_tool(catalog, catalog->tools[i].name), &catalog->tools[i]);
    for (size_t i = 0; i < catalog->prompt_count; i++)
        assert_ptr_equal(catalog_find_prompt(catalog, catalog->prompts[i].name),
                         &catalog->prompts[i]);
    assert_null(catalog_find_tool(catalog, BP_STR("nobody")));
    assert_null(catalog_find_prompt(catalog, BP_STR("nobody")));
    catalog_free(catalog);
}

/* ---- names ---- */

#define TOOL(name_)                                                                                \
    {                                                                                              \
        .name = name_, .handler = never                                                            \
    }
#define PROMPT(name_)                                                                              \
    {                                                                                              \
        .name = name_, .handler = never                                                            \
    }

static const bp_mcp_tool a_and_b[] = { TOOL("a"), TOOL("b") }, b_and_c[] = { TOOL("b"), TOOL("c") },
                         d[] = { TOOL("d") }, two_a[] = { TOOL("two_b") };
static const bp_mcp_prompt prompt_a[] = { PROMPT("a") }, prompt_d[] = { PROMPT("d") };

static void offer_prompts(int app, const bp_mcp_prompt *prompts, size_t count)
{
    apps[app].prompts = prompts;
    apps[app].prompt_count = count;
}

static void names_that_are_taken_get_the_name_of_their_app(void **state)
{
    (void)state;
    offer_tools(0, a_and_b, 2);
    offer_tools(1, b_and_c, 2);
    offer_tools(2, d, 1);
    offer_prompts(0, prompt_a, 1);
    offer_prompts(1, prompt_d, 1);
    offer_prompts(2, prompt_d, 1); // the other one is called otherwise by then
    expect_names(NULL, "a b two_b two_c d p:a p:two_d p:d ");
}

static void a_tool_and_a_prompt_may_share_a_name(void **state)
{
    (void)state;
    offer_tools(0, a_and_b, 2);
    offer_prompts(1, prompt_a, 1);
    expect_names(NULL, "a b p:a ");
}

/* The order of the conf settles it, not that in which the apps were loaded. */
static void who_stands_first_in_the_conf_keeps_its_name(void **state)
{
    (void)state;
    unit_list[0] = &units[2];
    unit_list[1] = &units[1];
    unit_list[2] = &units[0];
    conf_list[0] = &confs[2];
    conf_list[2] = &confs[0];
    offer_tools(0, a_and_b, 2);
    offer_tools(1, b_and_c, 2);
    offer_tools(2, b_and_c, 2);
    expect_names(NULL, "a b two_b two_c three_b three_c ");
}

static void a_prefix_of_the_conf_stands_before_all_names(void **state)
{
    (void)state;
    offer_tools(0, a_and_b, 2);
    offer_tools(1, b_and_c, 2);
    offer_prompts(0, prompt_a, 1);
    confs[0].gate.prefix = BP_STR("pre");
    expect_names(NULL, "pre_a pre_b b c p:pre_a ");
}

static void a_name_that_is_taken_with_its_prefix_is_refused(void **state)
{
    (void)state;
    offer_tools(0, two_a, 1);
    offer_tools(1, b_and_c, 2);
    confs[1].gate.prefix = BP_STR("two");
    expect_refused("the name of the tool \"two_b\" of app.two is taken by another app: give one of "
                   "them a `prefix`");
}

static void a_name_has_at_most_64_bytes_with_its_prefix(void **state)
{
    static const bp_mcp_tool   long_tool[] = { TOOL(
          "n23456789012345678901234567890123456789012345678901234567890") }; // 60
    static const bp_mcp_prompt long_prompt[] = { PROMPT(
        "n23456789012345678901234567890123456789012345678901234567890") };

    (void)state;
    offer_tools(0, long_tool, 1);
    confs[0].gate.prefix = BP_STR("pre");
    expect_names(NULL, "pre_n23456789012345678901234567890123456789012345678901234567890 ");
    confs[0].gate.prefix = BP_STR("pref");
    expect_refused("the tool \"pref_n23456789012345678901234567890123456789012345678901234567890\" "
                   "of app.one has a name of more than 64 bytes: give the app a shorter `prefix`");
    offer_tools(0, NULL, 0);
    offer_prompts(0, long_prompt, 1);
    expect_refused(
        "the prompt \"pref_n23456789012345678901234567890123456789012345678901234567890\" "
        "of app.one has a name of more than 64 bytes: give the app a shorter `prefix`");
}

static void only_the_apps_that_are_wanted_and_up_are_read(void **state)
{
    bp_str      names[] = { BP_STR("three"), BP_STR("one"), BP_STR("nobody") };
    bp_str_list some = { names, 2 }, none = { names, 0 }, nobody = { names + 2, 1 };

    (void)state;
    offer_tools(0, a_and_b, 2);
    offer_tools(1, b_and_c, 2);
    offer_tools(2, d, 1);
    expect_names(&some, "a b d ");
    expect_names(&none, "a b two_b two_c d ");
    expect_names(&nobody, "");
    units[0].is_up = false;
    expect_names(NULL, "b c d ");
    confs[1].kind = "storage";
    expect_names(NULL, "d ");
    units[2].plugin = NULL;
    expect_names(NULL, "");
}

/* ---- bounds ---- */

static void an_app_has_at_most_128_tools_and_64_others(void **state)
{
    enum { TOOLS = 129, OTHERS = 65 };
    static bp_mcp_tool     tools[TOOLS];
    static bp_mcp_resource resources[OTHERS];
    static bp_mcp_prompt   prompts[OTHERS];
    static char            names[TOOLS][16], uris[OTHERS][16];
    static const char      refusal[] = "one has more than 128 tools, or more than 64 resources or "
                                       "prompts";
    struct catalog        *catalog;

    (void)state;
    for (int i = 0; i < TOOLS; i++) {
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        tools[i] = (bp_mcp_tool){ .name = names[i], .handler = never };
    }
    for (int i = 0; i < OTHERS; i++) {
        snprintf(uris[i], sizeof(uris[i]), "u:%d", i);
        resources[i] = (bp_mcp_resource){ .uri = uris[i], .name = names[i], .handler = never_read };
        prompts[i] = (bp_mcp_prompt){ .name = names[i], .handler = never };
    }
    offer_tools(0, tools, 128);
    apps[0].resources = resources;
    apps[0].resource_count = 64;
    offer_prompts(0, prompts, 64);
    catalog = catalog_make(&generation, NULL, &why);
    assert_non_null(catalog);
    assert_int_equal(catalog->tool_count, 128);
    assert_int_equal(catalog->resource_count, 64);
    assert_int_equal(catalog->prompt_count, 64);
    assert_int_equal(catalog->tools[127].op.index, TOOL_OPS + 127);
    assert_int_equal(catalog->resources[63].op.index, RESOURCE_OPS + 63);
    assert_int_equal(catalog->prompts[63].op.index, PROMPT_OPS + 63);
    assert_string_equal(catalog->tools[127].op.name, "tool t127");
    assert_string_equal(catalog->resources[63].op.name, "resource u:63");
    assert_string_equal(catalog->prompts[63].op.name, "prompt t63");
    for (int i = 0; i < 128; i++)
        assert_ptr_equal(catalog_find_tool(catalog, bp_str_of(names[i])), &catalog->tools[i]);
    assert_null(catalog_find_tool(catalog, BP_STR("t128")));
    catalog_free(catalog);
    offer_tools(0, tools, 129);
    expect_refused(refusal);
    offer_tools(0, tools, 0);
    apps[0].resource_count = 65;
    expect_refused(refusal);
    apps[0].resource_count = 0;
    apps[0].prompt_count = 65;
    expect_refused(refusal);
}

/* ---- tables that are wrong ---- */

#define IN(schema)                                                                                 \
    {                                                                                              \
        .name = "t", .handler = never,                                                             \
        .input_schema = "{\"type\":\"object\",\"properties\":{" schema "}}"                        \
    }
#define HEADER(name, type, header)                                                                 \
    "\"" name "\":{\"type\":\"" type "\",\"x-mcp-header\":\"" header "\"}"
#define UNNAMED "its name is not 1 to 64 of [A-Za-z0-9_./-], or it has no handler"
#define SIXTY   "n23456789012345678901234567890123456789012345678901234567890"

static const struct {
    bp_mcp_tool tool;
    const char *named, *reason;
} wrong_tools[] = {
    { TOOL(NULL), "", UNNAMED },
    { TOOL(""), "", UNNAMED },
    { TOOL("a b"), "a b", UNNAMED },
    { TOOL(SIXTY "12345"), SIXTY "1234", UNNAMED },
    { { .name = "t" }, "t", UNNAMED },
    { { .name = "t", .handler = never, .input_schema = "{" },
      "t",
      "it is not JSON: string or '}' expected near end of file, at byte 1" },
    { { .name = "t", .handler = never, .input_schema = "{\"type\":\"string\"}" },
      "t",
      "its input schema has no \"type\": \"object\" " },
    { { .name = "t", .handler = never, .output_schema = "{\"type\":7}" },
      "t",
      "/type: it must be one or more of \"string\", \"integer\", \"number\", \"boolean\", "
      "\"object\", \"array\", \"null\"" },
    { IN(HEADER("a", "string", "")), "t", "x-mcp-header \"\" is no name for a header" },
    { IN("\"a\":{\"type\":\"string\",\"x-mcp-header\":7}"), "t",
      "x-mcp-header \"\" is no name for a header" },
    { IN(HEADER("a", "string", "a b")), "t", "x-mcp-header \"a b\" is no name for a header" },
    { IN(HEADER("a", "string", "a") "," HEADER("b", "integer", "A")), "t",
      "two properties have the x-mcp-header \"A\"" },
    { IN(HEADER("a", "number", "a")), "t",
      "x-mcp-header stands at \"a\", which is no string, integer or boolean" },
    { IN("\"o\":{\"type\":\"object\",\"properties\":{" HEADER("deep", "array", "a") "}}"), "t",
      "x-mcp-header stands at \"deep\", which is no string, integer or boolean" },
    { IN(HEADER("1", "string", "1") "," HEADER("2", "string", "2") "," HEADER("3", "string", "3") "," HEADER(
          "4", "string",
          "4") "," HEADER("5", "string",
                          "5") "," HEADER("6", "string",
                                          "6") "," HEADER("7", "string",
                                                          "7") "," HEADER("8", "string",
                                                                          "8") "," HEADER("9",
                                                                                          "string",
                                                                                          "9")),
      "t", "more than 8 properties have an x-mcp-header" },
};

static void what_is_wrong_with_a_tool_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong_tools) / sizeof(wrong_tools[0]); i++) {
        char sentence[1024];

        offer_tools(1, &wrong_tools[i].tool, 1);
        snprintf(sentence, sizeof(sentence), "the MCP tool \"%s\" of two cannot be offered: %s",
                 wrong_tools[i].named, wrong_tools[i].reason);
        expect_refused(sentence);
    }
}

static void headers_are_found_where_they_stand(void **state)
{
    static const bp_mcp_tool   tool = IN(HEADER(
          "a", "string",
          "Region_1-z") ","
                          "\"o\":{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"object\","
                          "\"properties\":{\"q\":{"
                          "\"type\":\"object\",\"properties\":{" HEADER(
                            "r", "boolean",
                            "AZaz09") ",\"s\":{\"type\":"
                                        "\"object\",\"properties\":{" HEADER("too_deep", "string", "x") "}}}}}}}}," HEADER(
                                          "2", "integer",
                                          "2") "," HEADER("3", "string",
                                                          "3") "," HEADER("4", "string",
                                                                          "4") "," HEADER("5",
                                                                                          "string",
                                                                                          "5") "," HEADER("6",
                                                                                                          "string",
                                                                                                          "6") "," HEADER("7",
                                                                                                                          "string",
                                                                                                                          "7"));
    struct catalog            *catalog;
    const struct catalog_tool *made;

    (void)state;
    offer_tools(0, &tool, 1);
    catalog = catalog_make(&generation, NULL, &why);
    if (!catalog)
        fail_msg("%s", why.text);
    made = &catalog->tools[0];
    assert_int_equal(made->header_count, 8);
    assert_string_equal(made->headers[0].header, "mcp-param-region_1-z");
    assert_int_equal(made->headers[0].depth, 1);
    assert_true(bp_str_is(made->headers[0].path[0], "a"));
    assert_string_equal(made->headers[1].header, "mcp-param-azaz09");
    assert_int_equal(made->headers[1].depth, 4);
    assert_true(bp_str_is(made->headers[1].path[0], "o"));
    assert_true(bp_str_is(made->headers[1].path[1], "p"));
    assert_true(bp_str_is(made->headers[1].path[2], "q"));
    assert_true(bp_str_is(made->headers[1].path[3], "r"));
    assert_string_equal(made->headers[2].header, "mcp-param-2");
    catalog_free(catalog);
}

#define TEN "0123456789"

static void the_name_of_a_header_may_be_long(void **state)
{
    static const bp_mcp_tool tool = IN(
        HEADER("a", "string",
               TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
               "A") "," HEADER("b", "string", TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "B"));
    struct catalog *catalog;

    (void)state;
    offer_tools(0, &tool, 1);
    catalog = catalog_make(&generation, NULL, &why);
    if (!catalog)
        fail_msg("%s", why.text);
    assert_string_equal(catalog->tools[0].headers[0].header,
                        "mcp-param-" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "a");
    assert_string_equal(catalog->tools[0].headers[1].header,
                        "mcp-param-" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "b");
    catalog_free(catalog);
}

static void resources_and_prompts_need_a_name_and_a_handler(void **state)
{
    static const bp_mcp_resource resources[] = {
        { .name = "r", .handler = never_read },
        { .uri = "no_scheme", .name = "r", .handler = never_read },
        { .uri = "a:b", .handler = never_read },
        { .uri = "a:b", .name = "r" },
    };
    static const bp_mcp_prompt prompts[] = { { .handler = never }, PROMPT("a b"), { .name = "p" } };

    (void)state;
    apps[0].resource_count = 1;
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        apps[0].resources = &resources[i];
        expect_refused("the MCP resource 0 of one has no uri, name or handler");
    }
    apps[0].resource_count = 0;
    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++) {
        offer_prompts(0, &prompts[i], 1);
        expect_refused("the MCP prompt 0 of one has no proper name or no handler");
    }
}

/* ---- what is found ---- */

static void a_fixed_uri_is_found_before_a_template(void **state)
{
    static const bp_mcp_resource resources[] = {
        { .uri = "m://{a}", .name = "t", .handler = never_read },
        { .uri = "m://{b}/{c}", .name = "u", .handler = never_read },
        { .uri = "m://one", .name = "one", .handler = never_read },
    };
    struct uri_value values[URI_VALUES_MAX];
    size_t           count = 9;
    struct catalog  *catalog;

    (void)state;
    apps[0].resources = resources;
    apps[0].resource_count = 3;
    catalog = catalog_make(&generation, NULL, &why);
    assert_non_null(catalog);
    assert_ptr_equal(catalog_find_resource(catalog, BP_STR("m://one"), values, &count),
                     &catalog->resources[2]);
    assert_int_equal(count, 0);
    assert_ptr_equal(catalog_find_resource(catalog, BP_STR("m://two"), values, &count),
                     &catalog->resources[0]);
    assert_int_equal(count, 1);
    assert_true(bp_str_is(values[0].value, "two"));
    assert_ptr_equal(catalog_find_resource(catalog, BP_STR("m://x/y"), values, &count),
                     &catalog->resources[1]);
    assert_int_equal(count, 2);
    assert_null(catalog_find_resource(catalog, BP_STR("m://x/y/z"), values, &count));
    assert_int_equal(count, 0);
    assert_ptr_equal(catalog_find_template(catalog, BP_STR("m://{b}/{c}")), &catalog->resources[1]);
    assert_null(catalog_find_template(catalog, BP_STR("m://x/y")));
    catalog_free(catalog);
}

/* A plugin compiled with a shorter struct has no more than it knows. */
static void entries_are_read_by_their_stride(void **state)
{
    struct short_tool {
        const char         *name, *title, *description, *input_schema, *output_schema;
        bp_mcp_tool_handler handler;
    };
    static const struct short_tool tools[] = { { "a", NULL, NULL, NULL, NULL, never },
                                               { "b", "B", NULL, NULL, NULL, never } };
    struct catalog                *catalog;

    (void)state;
    apps[0].tools = (const bp_mcp_tool *)(const void *)tools;
    apps[0].tool_count = 2;
    apps[0].tool_size = sizeof(tools[0]);
    catalog = catalog_make(&generation, NULL, &why);
    assert_non_null(catalog);
    assert_string_equal(catalog->tools[1].spec.name, "b");
    assert_string_equal(catalog->tools[1].spec.title, "B");
    assert_null(catalog->tools[0].spec.scope);
    assert_int_equal(catalog->tools[0].spec.flags, 0);
    catalog_free(catalog);
}

static void instructions_of_all_apps_are_put_together(void **state)
{
    struct catalog *catalog;

    (void)state;
    offer_tools(0, a_and_b, 2);
    offer_tools(2, b_and_c, 2);
    apps[0].instructions = "Of one.";
    apps[2].instructions = "Of three.";
    catalog = catalog_make(&generation, NULL, &why);
    assert_non_null(catalog);
    assert_true(bp_str_is(catalog->instructions,
                          "Of one.\n\n(The tools of \"three\" are called three_...)\nOf three."));
    assert_false(catalog->has_completion);
    catalog_free(catalog);
}

static bool offers_b(void *instance, const char *name)
{
    (void)instance;
    return strcmp(name, "b") == 0;
}

static void an_instance_offers_some_of_its_table(void **state)
{
    (void)state;
    offer_tools(0, a_and_b, 2);
    apps[0].offers = offers_b;
    expect_names(NULL, "b ");
    apps[0].struct_size = offsetof(bp_app_ops, offers); // compiled before there was such a thing
    expect_names(NULL, "a b ");
}

#define TASK_TOOL(name_, flags_)                                                                   \
    {                                                                                              \
        .name = name_, .handler = never, .flags = flags_                                           \
    }

static void task_support_is_listed_before_2026_07_28(void **state)
{
    static const struct {
        bp_mcp_tool tool;
        const char *end;
    } cases[] = {
        { TASK_TOOL("t", 0), "\"openWorldHint\":false}}" },
        { TASK_TOOL("t", BP_TOOL_TASK), ",\"execution\":{\"taskSupport\":\"optional\"}}" },
        { TASK_TOOL("t", BP_TOOL_TASK_ONLY), ",\"execution\":{\"taskSupport\":\"required\"}}" },
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct catalog *catalog;
        bp_str          old, modern;

        offer_tools(0, &cases[i].tool, 1);
        catalog = catalog_make(&generation, NULL, &why);
        assert_non_null(catalog);
        old = catalog->tools[0].listing[0];
        modern = catalog->tools[0].listing[1];
        assert_memory_equal(old.data + old.len - strlen(cases[i].end), cases[i].end,
                            strlen(cases[i].end));
        assert_memory_equal(modern.data + modern.len - strlen(cases[0].end), cases[0].end,
                            strlen(cases[0].end));
        catalog_free(catalog);
    }
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_that_are_taken_get_the_name_of_their_app),
        CASE(a_tool_and_a_prompt_may_share_a_name),
        CASE(who_stands_first_in_the_conf_keeps_its_name),
        CASE(a_prefix_of_the_conf_stands_before_all_names),
        CASE(a_name_that_is_taken_with_its_prefix_is_refused),
        CASE(a_name_has_at_most_64_bytes_with_its_prefix),
        CASE(only_the_apps_that_are_wanted_and_up_are_read),
        CASE(an_app_has_at_most_128_tools_and_64_others),
        CASE(what_is_wrong_with_a_tool_is_said),
        CASE(headers_are_found_where_they_stand),
        CASE(the_name_of_a_header_may_be_long),
        CASE(resources_and_prompts_need_a_name_and_a_handler),
        CASE(a_fixed_uri_is_found_before_a_template),
        CASE(entries_are_read_by_their_stride),
        CASE(instructions_of_all_apps_are_put_together),
        CASE(an_instance_offers_some_of_its_table),
        CASE(task_support_is_listed_before_2026_07_28),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
