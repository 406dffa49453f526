/* test_message.c - what is a JSON-RPC message, of which kind, and what is wrong with one that is
 * none; values of headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "mcp/headers.h"
#include "mcp/message.h"

static struct arena arena;
static bp_call      call = { .arena = &arena };

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

static const bp_json *parse(const char *text)
{
    const bp_json *json = NULL;
    struct reason  why;

    assert_int_equal(json_parse(&arena, bp_str_of(text), &json, &why), BP_OK);
    return json;
}

static enum mcp_error_code read_of(const char *text, struct message *message)
{
    const char         *why = NULL;
    enum mcp_error_code code = message_read(&call, parse(text), message, &why);

    assert_true(code == MCP_NO_ERROR || (why && strlen(why) > 10));
    return code;
}

static void a_message_is_a_request_a_notification_or_a_response(void **state)
{
    struct message message;

    (void)state;
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"_"
                             "meta\":{}}}",
                             &message),
                     0);
    assert_int_equal(message.kind, MESSAGE_REQUEST);
    assert_true(bp_str_is(message.id, "7") && bp_str_is(message.method, "ping") && message.meta);
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"ping\"}",
                             &message),
                     0);
    assert_true(bp_str_is(message.id, "\"a\\\"b\"") && !message.params);
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
                             &message),
                     0);
    assert_int_equal(message.kind, MESSAGE_NOTIFICATION);
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", &message), 0);
    assert_int_equal(message.kind, MESSAGE_RESPONSE);
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}", &message),
                     0);
    assert_int_equal(message.kind, MESSAGE_RESPONSE);
}

static void the_ends_of_the_integers_are_ids(void **state)
{
    struct message message;

    (void)state;
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":-9223372036854775808,\"method\":\"m\"}",
                             &message),
                     0);
    assert_true(bp_str_is(message.id, "-9223372036854775808"));
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"method\":\"m\"}",
                             &message),
                     0);
    assert_true(bp_str_is(message.id, "9223372036854775807"));
    assert_int_equal(read_of("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}", &message), 0);
    assert_true(bp_str_is(message.id, "0"));
}

static void what_is_no_message_has_a_code_and_a_sentence(void **state)
{
    static const struct {
        const char *text;
        int         code;
    } cases[] = {
        { "[]", MCP_INVALID_REQUEST },
        { "5", MCP_INVALID_REQUEST },
        { "{}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.1\",\"id\":1,\"method\":\"m\"}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"m\"}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"m\"}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"result\":1}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"result\":1}", MCP_INVALID_REQUEST },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[1]}",
          MCP_INVALID_PARAMS_ERROR },
    };
    struct message message;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(read_of(cases[i].text, &message), cases[i].code);
    // The id of a message that is wrong elsewhere is there, so that the error can be told with it.
    read_of("{\"jsonrpc\":\"1.0\",\"id\":\"x\",\"method\":\"m\"}", &message);
    assert_true(bp_str_is(message.id, "\"x\""));
}

static void an_error_without_an_id_says_null(void **state)
{
    bp_str text = message_error(&call, (bp_str){ NULL, 0 }, -32700, BP_STR("no \"JSON\""),
                                BP_STR("{\"a\":1}"));

    (void)state;
    assert_true(bp_str_is(text, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
                                "\"message\":\"no \\\"JSON\\\"\",\"data\":{\"a\":1}}}"));
}

static void headers_decode_as_the_client_encoded_them(void **state)
{
    bp_str value;

    (void)state;
    assert_true(headers_decode(&call, BP_STR("  eu "), &value) && bp_str_is(value, "eu"));
    assert_true(headers_decode(&call, BP_STR("=?base64?ZXU=?="), &value) && bp_str_is(value, "eu"));
    assert_true(headers_decode(&call,
                               BP_STR("=?base64?"
                                      "?="),
                               &value) &&
                value.len == 0);
    assert_true(headers_decode(&call, BP_STR("=?base64?"), &value) &&
                bp_str_is(value, "=?base64?"));
    assert_true(headers_decode(&call, BP_STR("=?base64?="), &value)); // too short to be one
    assert_false(headers_decode(&call, BP_STR("=?base64?ZXU?="), &value));
    assert_false(headers_decode(&call, BP_STR("=?base64?Z U=?="), &value));
}

static void headers_agree_by_value(void **state)
{
    (void)state;
    assert_true(headers_agree(parse("42"), BP_STR("42.0")));
    assert_true(headers_agree(parse("9007199254740993"), BP_STR("9007199254740993")));
    assert_false(headers_agree(parse("9007199254740993"), BP_STR("9007199254740992")));
    assert_false(headers_agree(parse("42"), BP_STR("")));
    assert_false(headers_agree(parse("42"), BP_STR("0x2a")));
    assert_true(headers_agree(parse("\"42\""), BP_STR("42")));
    assert_false(headers_agree(parse("\"42\""), BP_STR("42.0")));
    assert_true(headers_agree(parse("true"), BP_STR("true")));
    assert_false(headers_agree(parse("true"), BP_STR("TRUE")));
    assert_false(headers_agree(parse("{}"), BP_STR("{}")));
    assert_false(headers_agree(parse("null"), BP_STR("null")));
    assert_false(headers_agree(NULL, BP_STR("")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_a_request_a_notification_or_a_response),
        TEST(the_ends_of_the_integers_are_ids),
        TEST(what_is_no_message_has_a_code_and_a_sentence),
        TEST(an_error_without_an_id_says_null),
        TEST(headers_decode_as_the_client_encoded_them),
        TEST(headers_agree_by_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
