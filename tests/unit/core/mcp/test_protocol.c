/* test_protocol.c - revisions, levels and what a client can do: each name is found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "mcp/protocol.h"

static struct arena arena;

static const bp_json *parse(const char *text)
{
    const bp_json *json = NULL;
    struct reason  why;

    assert_int_equal(json_parse(&arena, bp_str_of(text), &json, &why), BP_OK);
    return json;
}

static void each_revision_is_found_by_its_name_and_no_other(void **state)
{
    static const char *const others[] = { "",      "2026-07-2", "2026-07-288", "2026-07-28 ",
                                          "DRAFT", "1.0" };
    enum mcp_revision        found;

    (void)state;
    for (int i = 0; i < MCP_REVISIONS; i++) {
        assert_true(mcp_revision_find(bp_str_of(mcp_revision_name((enum mcp_revision)i)), &found));
        assert_int_equal(found, i);
        assert_int_equal(mcp_is_modern(found), i == MCP_2026_07_28);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(mcp_revision_find(bp_str_of(others[i]), &found));
}

static void each_level_is_found_by_its_name(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MCP_LEVELS; i++)
        assert_int_equal(mcp_level_find(bp_str_of(mcp_level_names[i])), i);
    assert_int_equal(mcp_level_find(BP_STR("INFO")), MCP_LEVEL_OFF);
    assert_int_equal(mcp_level_find(BP_STR("")), MCP_LEVEL_OFF);
}

static void abilities_are_read_from_what_the_client_declares(void **state)
{
    static const struct {
        const char *declared;
        uint32_t    can;
    } cases[] = {
        { "{}", 0 },
        { "[]", 0 },
        { "{\"sampling\":true}", 0 },
        { "{\"sampling\":{}}", MCP_CAN_SAMPLE },
        { "{\"sampling\":{\"tools\":{}}}", MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS },
        { "{\"elicitation\":{}}", MCP_CAN_ELICIT },
        { "{\"elicitation\":{\"url\":{}}}", MCP_CAN_ELICIT_URL },
        { "{\"elicitation\":{\"form\":{},\"url\":{}}}", MCP_CAN_ELICIT | MCP_CAN_ELICIT_URL },
        { "{\"roots\":{\"listChanged\":true}}", MCP_CAN_LIST_ROOTS },
        { "{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}", MCP_CAN_TASKS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(mcp_abilities_read(parse(cases[i].declared)), cases[i].can);
    assert_int_equal(mcp_abilities_read(NULL), 0);
}

static void what_is_missing_is_written_as_a_client_would_declare_it(void **state)
{
    (void)state;
    for (uint32_t wanted = 1; wanted < 1u << 7; wanted++) {
        struct bp_buf  buf;
        bp_json_writer w;
        uint32_t       found;

        buf_init(&buf, &arena, 4096);
        json_writer_init(&w, &buf);
        mcp_abilities_write(&w, wanted);
        assert_int_equal(json_writer_status(&w), BP_OK);
        found = mcp_abilities_read(parse(arena_format(&arena, BP_FMT, BP_ARG(buf_str(&buf))).data));
        assert_int_equal(found & wanted & ~(uint32_t)MCP_CAN_ELICIT,
                         wanted & ~(uint32_t)MCP_CAN_ELICIT);
    }
}

static void what_a_question_needs(void **state)
{
    (void)state;
    assert_int_equal(mcp_ability_for(BP_STR("elicitation/create"), NULL), MCP_CAN_ELICIT);
    assert_int_equal(mcp_ability_for(BP_STR("elicitation/create"), parse("{\"mode\":\"url\"}")),
                     MCP_CAN_ELICIT_URL);
    assert_int_equal(mcp_ability_for(BP_STR("sampling/createMessage"), parse("{\"tools\":[]}")),
                     MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS);
    assert_int_equal(mcp_ability_for(BP_STR("roots/list"), NULL), MCP_CAN_LIST_ROOTS);
    assert_int_equal(mcp_ability_for(BP_STR("tools/call"), NULL), 0);
    assert_int_equal(mcp_abilities_of_words("sampling elicitation.url"),
                     MCP_CAN_SAMPLE | MCP_CAN_ELICIT_URL);
    assert_int_equal(mcp_ability_find(BP_STR("flying")), 0);
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 16u << 20);
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
        cmocka_unit_test(each_revision_is_found_by_its_name_and_no_other),
        cmocka_unit_test(each_level_is_found_by_its_name),
        cmocka_unit_test(abilities_are_read_from_what_the_client_declares),
        cmocka_unit_test(what_is_missing_is_written_as_a_client_would_declare_it),
        cmocka_unit_test(what_a_question_needs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
