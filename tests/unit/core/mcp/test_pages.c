/* test_pages.c - the pages of each list, and small questions of the service behind mcp.h, asked of
 * a request that no client sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "loop/call.h"
#include "mcp/lists.h"
#include "mcp/mcp.h"
#include "mcp/methods.h"
#include "mcp/request.h"

enum { MANY = 2 * CATALOG_PAGE + 1 };

static struct arena            arena;
static bp_call                 call;
static struct catalog          catalog;
static struct catalog_tool     tools[MANY];
static struct catalog_resource resources[2 * MANY];
static struct catalog_prompt   prompts[MANY];
static char                    numbers[MANY][8];

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    call = (bp_call){ .arena = &arena, .deadline_ns = BP_FOREVER };
    catalog = (struct catalog){ .tools = tools, .resources = resources, .prompts = prompts };
    for (int i = 0; i < MANY; i++) {
        bp_str number;

        snprintf(numbers[i], sizeof(numbers[i]), "%d", i);
        number = bp_str_of(numbers[i]);
        tools[i] = (struct catalog_tool){ .listing = { number, number } };
        prompts[i] = (struct catalog_prompt){ .listing = number };
        // A template behind each fixed one.
        resources[2 * i] = (struct catalog_resource){ .listing = number };
        resources[2 * i + 1] = (struct catalog_resource){ .listing = number, .is_template = true };
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static bp_mcp request_with(const char *params)
{
    bp_mcp        request = { .call = &call, .catalog = &catalog, .revision = MCP_2025_11_25 };
    struct reason why;

    request.message = (struct message){ .kind = MESSAGE_REQUEST, .id = BP_STR("1") };
    assert_int_equal(json_parse(&arena, bp_str_of(params), &request.message.params, &why), BP_OK);
    return request;
}

static const struct {
    const char *key;
    bp_status (*run)(bp_mcp *request);
} lists[] = {
    { "tools", tools_list },
    { "resources", resources_list },
    { "resourceTemplates", templates_list },
    { "prompts", prompts_list },
};

static void set_count(size_t count)
{
    catalog.tool_count = catalog.prompt_count = count;
    catalog.resource_count = 2 * count;
}

/* The numbers from `from` on up to `to`, and a cursor behind them unless `next` is 0. */
static void expect_page(size_t list, const char *params, size_t from, size_t to, size_t next)
{
    bp_mcp        request = request_with(params);
    struct bp_buf wanted;

    buf_init(&wanted, &arena, 1 << 20);
    buf_addf(&wanted, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"%s\":[", lists[list].key);
    for (size_t i = from; i < to; i++)
        buf_addf(&wanted, "%s%zu", i > from ? "," : "", i);
    buf_add(&wanted, BP_STR("]"));
    if (next)
        buf_addf(&wanted, ",\"nextCursor\":\"%zu\"", next);
    buf_add(&wanted, BP_STR("}}"));
    assert_int_equal(lists[list].run(&request), BP_OK);
    assert_string_equal(buf_str(&request.buf).data, buf_str(&wanted).data);
}

static void a_list_comes_in_pages_of_200(void **state)
{
    (void)state;
    for (size_t list = 0; list < sizeof(lists) / sizeof(lists[0]); list++) {
        set_count(0);
        expect_page(list, "{}", 0, 0, 0);
        set_count(1);
        expect_page(list, "{\"cursor\":null}", 0, 1, 0);
        set_count(199);
        expect_page(list, "{\"cursor\":\"\"}", 0, 199, 0);
        set_count(200);
        expect_page(list, "{}", 0, 200, 0);
        set_count(201);
        expect_page(list, "{}", 0, 200, 200);
        expect_page(list, "{\"cursor\":\"200\"}", 200, 201, 0);
        set_count(400);
        expect_page(list, "{\"cursor\":\"200\"}", 200, 400, 0);
        set_count(401);
        expect_page(list, "{}", 0, 200, 200);
        expect_page(list, "{\"cursor\":\"200\"}", 200, 400, 400);
        expect_page(list, "{\"cursor\":\"400\"}", 400, 401, 0);
    }
}

static void a_cursor_is_one_that_was_given(void **state)
{
    static const char *const wrong[] = { "\"0\"", "\"199\"", "\"201\"", "\"400\"",  "\"600\"",
                                         "\"x\"", "200",     "{}",      "\"-200\"", "\"200 \"" };

    (void)state;
    set_count(400);
    for (size_t list = 0; list < sizeof(lists) / sizeof(lists[0]); list++)
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            bp_mcp request = request_with(arena_format(&arena, "{\"cursor\":%s}", wrong[i]).data);

            if (lists[list].run(&request) != BP_INVALID)
                fail_msg("%s", wrong[i]);
            assert_int_equal(request.error.code, -32602);
            assert_int_equal(request.error.http_status, 200);
            assert_string_equal(request.error.message.data,
                                "params.cursor is not one that this server gave: start again "
                                "without it");
        }
}

static void a_value_of_the_uri_is_found_by_its_name(void **state)
{
    bp_mcp request = request_with("{}");

    (void)state;
    request.values[0] = (struct uri_value){ BP_STR("a"), BP_STR("one") };
    request.values[1] = (struct uri_value){ BP_STR("b"), BP_STR("t%20w%6F") };
    request.values[2] = (struct uri_value){ BP_STR("c"), BP_STR("") };
    request.value_count = 2;
    assert_true(bp_str_is(mcp_service.uri_value(&request, "a"), "one"));
    assert_true(bp_str_is(mcp_service.uri_value(&request, "b"), "t wo"));
    assert_int_equal(mcp_service.uri_value(&request, "c").len, 0); // behind the last
    assert_int_equal(mcp_service.uri_value(&request, "d").len, 0);
    request.value_count = 3;
    assert_int_equal(mcp_service.uri_value(&request, "c").len, 0);
}

static void what_a_client_can_is_asked_word_by_word(void **state)
{
    bp_mcp request = request_with("{}");

    (void)state;
    request.abilities = MCP_CAN_ELICIT | MCP_CAN_TASKS;
    assert_true(mcp_service.can(&request, "elicitation"));
    assert_true(mcp_service.can(&request, "tasks"));
    assert_false(mcp_service.can(&request, "sampling"));
    assert_false(mcp_service.can(&request, "elicitation.url"));
    assert_false(mcp_service.can(&request, "flying"));
    assert_int_equal(mcp_service.session(&request).len, 0);
    assert_true(bp_str_is(mcp_service.revision(&request), "2025-11-25"));
}

/* Where there is nobody to tell, nothing is told and nothing fails. */
static void without_a_channel_nothing_is_sent(void **state)
{
    bp_mcp request = request_with("{}");

    (void)state;
    request.progress_token = BP_STR("7");
    request.log_level = 0;
    assert_int_equal(mcp_service.progress(&call, &request, 1, 2, BP_STR("")), BP_OK);
    assert_int_equal(mcp_service.log(&call, &request, 3, NULL, BP_STR("1")), BP_OK);
    assert_int_equal(mcp_service.hang_up(&call, &request, 1), BP_OK);
    assert_true(request.last_progress < 0.5);
}

static void completions_are_kept_up_to_a_hundred(void **state)
{
    static const struct {
        int         added, total;
        const char *end;
    } cases[] = {
        { 0, 0, "[],\"total\":0,\"hasMore\":false}}}" },
        { 1, 0, "[\"0\"],\"total\":1,\"hasMore\":false}}}" },
        { 2, 2, "[\"0\",\"1\"],\"total\":2,\"hasMore\":false}}}" },
        { 2, 3, "[\"0\",\"1\"],\"total\":3,\"hasMore\":true}}}" },
        { 2, 1, "[\"0\",\"1\"],\"total\":1,\"hasMore\":false}}}" },
        { 100, 0, ",\"98\",\"99\"],\"total\":100,\"hasMore\":false}}}" },
        { 101, 0, ",\"98\",\"99\"],\"total\":101,\"hasMore\":true}}}" },
        { 101, 100, ",\"98\",\"99\"],\"total\":100,\"hasMore\":true}}}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_mcp request = request_with("{}");
        bp_str text;

        result_begin(&request, FORM_COMPLETION);
        for (int n = 0; n < cases[i].added; n++)
            mcp_service.complete(&request, bp_str_of(numbers[n]));
        mcp_service.complete_total(&request, cases[i].total);
        assert_int_equal(result_end(&request, NULL), BP_OK);
        request_end(&request);
        text = buf_str(&request.buf);
        if (!strstr(text.data, cases[i].end) ||
            strlen(strstr(text.data, cases[i].end)) != strlen(cases[i].end))
            fail_msg("%zu: " BP_FMT, i, BP_ARG(text));
        mcp_service.complete(&request, BP_STR("late"));
    }
}

/* Blanks around its braces, and what is no object, are no matter. */
static void the_members_of_meta_are_taken_out_of_its_text(void **state)
{
    static const struct {
        const char *meta, *end;
    } cases[] = {
        { "", "[]}}" },
        { "{}", "[]}}" },
        { "{\"a\":1}", "[],\"_meta\":{\"a\":1}}}" },
        { " \n{\"a\":{}}\t ", "[],\"_meta\":{\"a\":{}}}}" },
        { "nothing", "[]}}" },
        { "}{", "[]}}" },
        { "{", "[]}}" },
        { "}", "[]}}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bp_mcp request = request_with("{}");
        char   wanted[128];

        result_begin(&request, FORM_TOOL);
        mcp_service.meta(&request, bp_str_of(cases[i].meta));
        assert_int_equal(result_end(&request, NULL), BP_OK);
        request_end(&request);
        snprintf(wanted, sizeof(wanted), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":%s",
                 cases[i].end);
        assert_string_equal(buf_str(&request.buf).data, wanted);
    }
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_list_comes_in_pages_of_200),
        CASE(a_cursor_is_one_that_was_given),
        CASE(a_value_of_the_uri_is_found_by_its_name),
        CASE(what_a_client_can_is_asked_word_by_word),
        CASE(without_a_channel_nothing_is_sent),
        CASE(completions_are_kept_up_to_a_hundred),
        CASE(the_members_of_meta_are_taken_out_of_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
