/* test_llm.c - llm/openai against scripted servers: what is asked, what comes back, what goes
 * wrong. */
#include "plugins/plugin_test.h"

#include <math.h>

#define URL    "http://ollama:11434/v1/chat/completions"
#define MODELS "http://ollama:11434/v1/models"
#define SSE    "Content-Type: text/event-stream; charset=utf-8\r\n"
#define JSON   "Content-Type: application/json\r\n"

static bp_chat_result result;
static char           got[4096]; /* deltas as "T:text " "R:text " "C0:id:name:arguments " */
static bp_status      sink_status;

static bp_status take(bp_call *taking, void *self, const bp_delta *delta)
{
    size_t len = strlen(got);

    (void)taking;
    (void)self;
    if (delta->type == BP_DELTA_TOOL_CALL)
        snprintf(got + len, sizeof(got) - len, "C%u:" BP_FMT ":" BP_FMT ":" BP_FMT " ",
                 delta->index, BP_ARG(delta->id), BP_ARG(delta->name), BP_ARG(delta->text));
    else
        snprintf(got + len, sizeof(got) - len, "%c:" BP_FMT " ",
                 delta->type == BP_DELTA_TEXT ? 'T' : 'R', BP_ARG(delta->text));
    return sink_status;
}

static int setup(void **state)
{
    (void)state;
    sink_status = BP_OK;
    return open_host(BP_PLUGIN_DIR "/llm/openai.so");
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static void begin(const char *name, const char *value)
{
    const testhost_option options[] = { { "url", "http://ollama:11434/v1" },
                                        { "model", "llama" },
                                        { "api_key", "s3cret" },
                                        { name, value } };
    start(options, name ? 4 : 3);
}

static bp_message hello(void)
{
    return (bp_message){ .struct_size = sizeof(bp_message),
                         .role = BP_ROLE_USER,
                         .text = BP_STR("hello") };
}

static bp_chat chat_of(const bp_message *messages, size_t count)
{
    return (bp_chat){ .struct_size = sizeof(bp_chat),
                      .messages = messages,
                      .message_size = sizeof(bp_message),
                      .message_count = count,
                      .temperature = -1,
                      .top_p = -1,
                      .seed = -1 };
}

static bp_status run(const bp_chat *chat)
{
    const bp_llm_ops  *ops = testhost_ops(instance);
    const bp_chat_sink sink = { .struct_size = sizeof(sink), .delta = take };

    next_call();
    got[0] = '\0';
    result = (bp_chat_result){ .struct_size = sizeof(result) };
    return ops->chat(call, testhost_self(instance), chat, &sink, &result);
}

static bp_status say_hello(void)
{
    bp_message message = hello();
    bp_chat    chat = chat_of(&message, 1);
    return run(&chat);
}

static void stream(const char *body)
{
    testhost_http_answer(host, "POST", URL, 200, SSE, bp_str_of(body));
}

static const bp_json *last_body(void)
{
    const bp_json *root = NULL;
    assert_ok(bp_json_parse(call, testhost_request_at(host, testhost_request_count(host) - 1).body,
                            &root));
    return root;
}

static void assert_body(const char *expected)
{
    bp_str body = testhost_request_at(host, testhost_request_count(host) - 1).body;
    if (!bp_str_is(body, expected))
        fail_msg("sent " BP_FMT, BP_ARG(body));
}

/* ---- what is asked ---- */

#define ENDED "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

static void a_plain_chat_sends_only_what_was_given(void **state)
{
    (void)state;
    begin(NULL, NULL);
    stream(ENDED);
    assert_ok(say_hello());
    assert_body("{\"model\":\"llama\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],"
                "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    assert_non_null(
        strstr(testhost_request_at(host, 0).headers, "Authorization: Bearer s3cret\r\n"));
    assert_true(bp_str_is(result.model, "llama"));
}

static void everything_a_chat_may_say_is_sent(void **state)
{
    const bp_tool_call tool_call = { BP_STR("c1"), BP_STR("add"), BP_STR("{\"a\":1}") };
    const bp_tool      tool = { BP_STR("add"), BP_STR("adds"), BP_STR("{\"type\":\"object\"}") };
    const bp_str       stops[] = { BP_STR("END") };
    const bp_message   messages[] = {
          { .struct_size = sizeof(bp_message),
            .role = BP_ROLE_SYSTEM,
            .text = BP_STR("be \"kind\"") },
          { .struct_size = sizeof(bp_message),
            .role = BP_ROLE_USER,
            .parts = BP_STR("[{\"type\":\"text\",\"text\":\"x\"}]") },
          { .struct_size = sizeof(bp_message),
            .role = BP_ROLE_ASSISTANT,
            .tool_calls = &tool_call,
            .tool_call_count = 1 },
          { .struct_size = sizeof(bp_message),
            .role = BP_ROLE_TOOL,
            .text = BP_STR("2"),
            .tool_call_id = BP_STR("c1") },
    };
    bp_chat chat = chat_of(messages, 4);
    (void)state;
    begin("max_tokens_name", "max_completion_tokens");
    stream(ENDED);
    chat.model = BP_STR("other");
    chat.max_tokens = 9;
    chat.temperature = 0;
    chat.top_p = 0.5;
    chat.seed = 3;
    chat.stop = stops;
    chat.stop_count = 1;
    chat.tools = &tool;
    chat.tool_count = 1;
    chat.tool_choice = BP_STR("add");
    chat.response_schema = BP_STR("{\"type\":\"object\"}");
    chat.user = BP_STR("u1");
    assert_ok(run(&chat));
    assert_body(
        "{\"model\":\"other\",\"messages\":[{\"role\":\"system\",\"content\":\"be "
        "\\\"kind\\\"\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]},{"
        "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":"
        "\"tool\",\"content\":\"2\",\"tool_call_id\":\"c1\"}],\"stream\":true,\"stream_options\":{"
        "\"include_usage\":true},\"max_completion_tokens\":9,\"temperature\":0,\"top_p\":0.5,"
        "\"seed\":3,\"stop\":[\"END\"],\"user\":\"u1\",\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"add\",\"description\":\"adds\",\"parameters\":{\"type\":"
        "\"object\"}}}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"add\"}},"
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\","
        "\"strict\":true,\"schema\":{\"type\":\"object\"}}}}");
}

static void extra_members_are_merged_the_nearest_one_wins(void **state)
{
    bp_message     message = hello();
    bp_chat        chat = chat_of(&message, 1);
    const bp_json *sent;
    (void)state;
    begin("extra", "{\"top_k\":20,\"temperature\":0.25,\"seed\":1}");
    stream(ENDED);
    chat.temperature = 1;
    chat.extra = BP_STR("{\"seed\":2}");
    assert_ok(run(&chat));
    sent = last_body();
    assert_int_equal(bp_json_integer(bp_json_get(sent, "top_k")), 20);
    assert_true(bp_json_number(bp_json_get(sent, "temperature")) == 0.25);
    assert_int_equal(bp_json_integer(bp_json_get(sent, "seed")), 2);
    assert_true(bp_json_bool(bp_json_get(sent, "stream")));
}

static void wrong_options_and_chats_are_refused(void **state)
{
    const testhost_option no_json[] = { { "url", "http://a/v1" },
                                        { "model", "m" },
                                        { "extra", "{top_k}" } };
    const testhost_option no_object[] = { { "url", "http://a/v1" },
                                          { "model", "m" },
                                          { "extra", "[1]" } };
    const testhost_option no_stream[] = { { "url", "http://a/v1" },
                                          { "model", "m" },
                                          { "extra", "{\"stream\":false}" } };
    bp_message            message = hello();
    bp_chat               chat = chat_of(&message, 0);
    (void)state;
    assert_int_equal(testhost_check(host, plugin, no_json, 3), BP_INVALID);
    assert_int_equal(testhost_check(host, plugin, no_object, 3), BP_INVALID);
    assert_int_equal(testhost_check(host, plugin, no_stream, 3), BP_INVALID);
    begin(NULL, NULL);
    assert_status(run(&chat), BP_INVALID);
    chat.message_count = 1;
    message.role = 9;
    assert_status(run(&chat), BP_INVALID);
    assert_int_equal(testhost_request_count(host), 0);
}

/* ---- what comes back ---- */

static void text_reasoning_and_usage_come_as_they_are_streamed(void **state)
{
    (void)state;
    begin(NULL, NULL);
    stream(": warming up\n\n"
           "data: "
           "{\"model\":\"llama-3\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":"
           "\"\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"reasoning\":\"mh\",\"content\":null}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"Gr\\u00fc\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"ezi\"},\"finish_reason\":null}]}\n\n"
           "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
           "data: "
           "{\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4,\"prompt_"
           "tokens_details\":{\"cached_tokens\":8}}}\n\n"
           "data: [DONE]\n\n");
    assert_ok(say_hello());
    assert_string_equal(got, "R:hm R:mh T:Gr\xC3\xBC T:ezi ");
    assert_int_equal(result.finish, BP_FINISH_LENGTH);
    assert_int_equal(result.input_tokens, 11);
    assert_int_equal(result.output_tokens, 4);
    assert_int_equal(result.cached_tokens, 8);
    assert_true(bp_str_is(result.model, "llama-3"));
}

static void tool_calls_come_in_pieces_and_are_named_once(void **state)
{
    (void)state;
    begin(NULL, NULL);
    stream("data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{"
           "\"name\":\"add\",\"arguments\":\"\"}}]}}]}\n\n"
           "data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{"
           "\\\"a\\\"\"}}]}}]}\n\n"
           "data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{"
           "\"name\":\"add\",\"arguments\":\":1}\"}}]}}]}\n\n"
           "data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"now\","
           "\"arguments\":{\"b\":2}}}]}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    assert_ok(say_hello());
    assert_string_equal(got, "C0:c1:add: C0:::{\"a\" C0::::1} C1:call_1:now:{\"b\":2} ");
    assert_int_equal(result.finish, BP_FINISH_TOOL_CALLS);
}

static void tool_calls_without_an_index_are_counted(void **state)
{
    (void)state;
    begin(NULL, NULL);
    stream("data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"x\",\"function\":{\"name\":\"a\","
           "\"arguments\":\"{}\"}},{\"id\":\"y\",\"function\":{\"name\":\"b\",\"arguments\":\"{}\"}"
           "}]},\"finish_reason\":\"tool_calls\"}]}\n\n");
    assert_ok(say_hello());
    assert_string_equal(got, "C0:x:a:{} C1:y:b:{} ");
}

static void a_server_that_does_not_stream_is_understood(void **state)
{
    (void)state;
    begin(NULL, NULL);
    testhost_http_answer(host, "POST", URL, 200, JSON,
                         BP_STR(
                             "{\"model\":\"m\",\"choices\":[{\"message\":{\"role\":\"assistant\","
                             "\"content\":\"hi\"},\"finish_reason\":\"content_filter\"}],\"usage\":"
                             "{\"prompt_tokens\":1,\"completion_tokens\":2}}"));
    assert_ok(say_hello());
    assert_string_equal(got, "T:hi ");
    assert_int_equal(result.finish, BP_FINISH_FILTERED);
    assert_int_equal(result.output_tokens, 2);
}

static void a_sink_that_has_enough_ends_the_chat(void **state)
{
    (void)state;
    begin(NULL, NULL);
    stream("data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"two\"}}]}\n\n" ENDED);
    sink_status = BP_CANCELLED;
    assert_status(say_hello(), BP_CANCELLED);
    assert_string_equal(got, "T:one ");
}

/* ---- what goes wrong ---- */

static void a_stream_without_its_end_is_never_a_success(void **state)
{
    const char body[] = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n"
                        "data: {\"choices\":[{\"delta\":{\"content\":\"two\"}}]}\n\n";
    (void)state;
    begin(NULL, NULL);
    stream(body);
    assert_status(say_hello(), BP_UPSTREAM);
    assert_said("broke off before its end");
    assert_string_equal(got, "T:one T:two ");
    for (size_t at = 0; at < sizeof(body); at++) {
        testhost_http_break_after(host, at);
        assert_status(say_hello(), BP_UPSTREAM);
    }
}

static void an_error_in_the_stream_keeps_its_meaning(void **state)
{
    (void)state;
    begin(NULL, NULL);
    stream("data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n"
           "data: {\"error\":{\"message\":\"the GPU fell off the "
           "bus\",\"type\":\"server_error\"}}\n\n");
    assert_status(say_hello(), BP_UPSTREAM);
    assert_said("the GPU fell off the bus");
    stream("data: {\"error\":{\"message\":\"busy\",\"code\":429}}\n\n");
    assert_status(say_hello(), BP_LIMIT);
    stream("data: {\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}\n\n");
    assert_status(say_hello(), BP_UNAVAILABLE);
    stream("data: <html>\n\n");
    assert_status(say_hello(), BP_UPSTREAM);
    assert_said("not JSON");
    stream("data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":4000000000,\"function\":{\"name\":"
           "\"x\"}}]}}]}\n\n");
    assert_status(say_hello(), BP_UPSTREAM);
    stream("data: "
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
           "\"x\"}}]}}]}\n\n");
    assert_status(say_hello(), BP_UPSTREAM);
}

static void fail_with(int32_t http_status, const char *headers, const char *body,
                      bp_status expected)
{
    testhost_http_answer(host, "POST", URL, http_status, headers, bp_str_of(body));
    assert_status(say_hello(), expected);
    assert_int_equal(bp_error_of(call)->upstream_status, http_status);
    assert_string_equal(got, "");
}

static void statuses_of_the_server_keep_their_meaning(void **state)
{
    (void)state;
    begin(NULL, NULL);
    fail_with(401, JSON, "{\"error\":{\"message\":\"Incorrect API key provided: s3cret\"}}",
              BP_DENIED);
    assert_said("api_key");
    assert_null(strstr(bp_error_of(call)->message.data, "s3cret"));
    fail_with(403, JSON, "", BP_DENIED);
    fail_with(429, JSON "Retry-After: 3\r\n", "{\"error\":{\"message\":\"slow down\"}}", BP_LIMIT);
    assert_int_equal(bp_error_of(call)->retry_after_ns, BP_SECONDS(3));
    fail_with(400, JSON,
              "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}",
              BP_TOO_LARGE);
    fail_with(400, JSON,
              "{\"error\":{\"message\":\"the request exceeds the available context size\"}}",
              BP_TOO_LARGE);
    fail_with(400, JSON, "{\"error\":{\"message\":\"tools are not supported\"}}", BP_INVALID);
    assert_said("tools are not supported");
    fail_with(404, JSON, "{\"error\":\"model not found\"}", BP_INVALID);
    fail_with(500, "", "<html>", BP_UPSTREAM);
    fail_with(503, "", "{\"error\":{\"message\":\"loading model\"}}", BP_UNAVAILABLE);
    assert_said("loading model");
}

/* ---- models ---- */

static void models_are_listed_with_what_is_known_of_them(void **state)
{
    const bp_llm_ops *ops;
    const bp_model   *models;
    size_t            size, count;
    (void)state;
    begin(NULL, NULL);
    ops = testhost_ops(instance);
    testhost_http_answer(host, "GET", MODELS, 200, JSON,
                         BP_STR("{\"data\":[{\"id\":\"a\"},{\"id\":\"b\",\"context_length\":8192},"
                                "{\"id\":\"c\",\"meta\":{\"n_ctx_train\":4096}}]}"));
    assert_ok(ops->models(call, testhost_self(instance), &models, &size, &count));
    assert_int_equal(count, 3);
    assert_int_equal(size, sizeof(bp_model));
    assert_true(bp_str_is(models[1].id, "b"));
    assert_int_equal(models[0].context_tokens, 0);
    assert_int_equal(models[1].context_tokens, 8192);
    assert_int_equal(models[2].context_tokens, 4096);
    testhost_http_answer(host, "GET", MODELS, 401, JSON, BP_STR("{}"));
    assert_status(ops->models(call, testhost_self(instance), &models, &size, &count), BP_DENIED);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_plain_chat_sends_only_what_was_given),
        T(everything_a_chat_may_say_is_sent),
        T(extra_members_are_merged_the_nearest_one_wins),
        T(wrong_options_and_chats_are_refused),
        T(text_reasoning_and_usage_come_as_they_are_streamed),
        T(tool_calls_come_in_pieces_and_are_named_once),
        T(tool_calls_without_an_index_are_counted),
        T(a_server_that_does_not_stream_is_understood),
        T(a_sink_that_has_enough_ends_the_chat),
        T(a_stream_without_its_end_is_never_a_success),
        T(an_error_in_the_stream_keeps_its_meaning),
        T(statuses_of_the_server_keep_their_meaning),
        T(models_are_listed_with_what_is_known_of_them),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
