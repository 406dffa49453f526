/* tools.c - the tools of the conformance fixture: those that answer at once, and the table of all.
 */
#include "fixture.h"

#define NO_ARGUMENTS "{\"type\":\"object\",\"properties\":{}}"

static bp_status tool_simple_text(bp_call *call, void *instance, const bp_json *arguments,
                                  bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_text(mcp, BP_STR("This is a simple text response for testing."));
    return BP_OK;
}

static bp_status tool_image(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_image(mcp, "image/png", fixture_png_bytes());
    return BP_OK;
}

static bp_status tool_audio(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_audio(mcp, "audio/wav", fixture_wav_bytes());
    return BP_OK;
}

static bp_status tool_embedded(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_embed(mcp, BP_STR("test://embedded-resource"), "text/plain",
                 BP_STR("This is an embedded resource content."), true);
    return BP_OK;
}

static bp_status tool_multiple(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_text(mcp, BP_STR("Multiple content types test:"));
    bp_mcp_image(mcp, "image/png", fixture_png_bytes());
    bp_mcp_embed(mcp, BP_STR("test://mixed-content-resource"), "application/json",
                 BP_STR("{\"test\":\"data\",\"value\":123}"), true);
    return BP_OK;
}

static bp_status tool_logging(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    static const char *const lines[] = { "\"Tool execution started\"", "\"Tool processing data\"",
                                         "\"Tool execution completed\"" };

    (void)instance, (void)arguments;
    for (size_t i = 0; i < 3; i++) {
        BP_TRY(bp_mcp_log(call, mcp, BP_MCP_INFO, NULL, bp_str_of(lines[i])));
        if (i < 2)
            BP_TRY(bp_sleep(call, BP_MILLISECONDS(50)));
    }
    bp_mcp_text(mcp, BP_STR("Logged three lines."));
    return BP_OK;
}

static bp_status tool_progress(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    for (int i = 0; i < 3; i++) {
        BP_TRY(bp_mcp_progress(call, mcp, i * 50, 100,
                               bp_format(call, "Completed step %d of 100", i * 50)));
        if (i < 2)
            BP_TRY(bp_sleep(call, BP_MILLISECONDS(50)));
    }
    bp_mcp_text(mcp, BP_STR("Reported progress three times."));
    return BP_OK;
}

static bp_status tool_error(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance, (void)arguments, (void)mcp;
    return bp_fail(call, BP_INVALID, "This tool intentionally returns an error for testing");
}

static bp_status tool_schema(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance;
    bp_mcp_text(mcp, bp_format(call, "JSON Schema 2020-12 tool called with: " BP_FMT,
                               BP_ARG(bp_json_text(call, arguments))));
    return BP_OK;
}

static bp_status tool_reconnection(bp_call *call, void *instance, const bp_json *arguments,
                                   bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_hang_up(call, mcp, BP_MILLISECONDS(500)));
    BP_TRY(bp_sleep(call, BP_MILLISECONDS(100)));
    bp_mcp_text(mcp,
                BP_STR("Reconnection test completed. The rest came after the client was back."));
    return BP_OK;
}

static bp_status tool_missing_capability(bp_call *call, void *instance, const bp_json *arguments,
                                         bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_text(mcp, BP_STR("The client can sample."));
    return BP_OK;
}

static bp_status tool_change_tools(bp_call *call, void *instance, const bp_json *arguments,
                                   bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    bp_mcp_changed(call, BP_MCP_TOOLS_CHANGED, BP_STR(""));
    bp_mcp_text(mcp, BP_STR("The list of tools counts as changed."));
    return BP_OK;
}

static bp_status tool_change_prompts(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    bp_mcp_changed(call, BP_MCP_PROMPTS_CHANGED, BP_STR(""));
    bp_mcp_text(mcp, BP_STR("The list of prompts counts as changed."));
    return BP_OK;
}

static bp_status tool_touch(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    bp_mcp_changed(call, BP_MCP_RESOURCE_UPDATED, BP_STR("test://watched-resource"));
    bp_mcp_text(mcp, BP_STR("The watched resource counts as updated."));
    return BP_OK;
}

static bp_status tool_echo(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance;
    bp_mcp_text(mcp, bp_json_string(bp_json_get(arguments, "message")));
    return BP_OK;
}

static const char schema_2020_12[] = "{\"$schema\":\"https://json-schema.org/draft/2020-12/"
                                     "schema\",\"type\":\"object\",\"$defs\":{\"address\":{\"$"
                                     "anchor\":\"addressDef\",\"type\":\"object\",\"properties\":{"
                                     "\"street\":{\"type\":\"string\"},\"city\":{\"type\":"
                                     "\"string\"}}}},\"properties\":{\"name\":{\"type\":\"string\"}"
                                     ",\"address\":{\"$ref\":\"#/$defs/"
                                     "address\"},\"contactMethod\":{\"type\":\"string\",\"enum\":["
                                     "\"phone\",\"email\"]},\"phone\":{\"type\":\"string\"},"
                                     "\"email\":{\"type\":\"string\"}},\"allOf\":[{\"anyOf\":[{"
                                     "\"required\":[\"phone\"]},{\"required\":[\"email\"]}]}],"
                                     "\"if\":{\"properties\":{\"contactMethod\":{\"const\":"
                                     "\"phone\"}},\"required\":[\"contactMethod\"]},\"then\":{"
                                     "\"required\":[\"phone\"]},\"else\":{\"required\":[\"email\"]}"
                                     ",\"additionalProperties\":false}";

#define TEXT_ARGUMENT(name)                                                                        \
    "{\"type\":\"object\",\"properties\":{\"" name                                                 \
    "\":{\"type\":\"string\"}},\"required\":[\"" name "\"]}"

static const char slow_schema[] = "{\"type\":\"object\",\"properties\":{\"seconds\":{\"type\":"
                                  "\"number\",\"minimum\":0},\"label\":{\"type\":\"string\"}},"
                                  "\"required\":[\"seconds\"]}";
static const char header_schema[] = "{\"type\":\"object\",\"properties\":{\"region\":{\"type\":"
                                    "\"string\",\"x-mcp-header\":\"Region\"},\"message\":{\"type\":"
                                    "\"string\"}},\"required\":[\"region\"]}";

enum { MINUTES_10 = 600 };
#define WAITS .deadline_ns = BP_SECONDS(MINUTES_10)

const bp_mcp_tool fixture_tools_all[FIXTURE_TOOLS] = {
    // The first one takes no arguments: a scenario calls it with none.
    { .name = "test_simple_text",
      .description = "Answers with a text",
      .handler = tool_simple_text,
      .input_schema = NO_ARGUMENTS,
      .flags = BP_TOOL_READ_ONLY },
    { .name = "echo",
      .description = "Answers with the message",
      .handler = tool_echo,
      .input_schema = TEXT_ARGUMENT("message"),
      .flags = BP_TOOL_READ_ONLY },
    { .name = "test_image_content",
      .description = "Answers with a picture",
      .handler = tool_image,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_audio_content",
      .description = "Answers with a sound",
      .handler = tool_audio,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_embedded_resource",
      .description = "Answers with a resource",
      .handler = tool_embedded,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_multiple_content_types",
      .description = "Answers with several blocks",
      .handler = tool_multiple,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_tool_with_logging",
      .description = "Logs while it runs",
      .handler = tool_logging,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_tool_with_progress",
      .description = "Reports progress",
      .handler = tool_progress,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_error_handling",
      .description = "Always fails",
      .handler = tool_error,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_sampling",
      .description = "Asks the client's model",
      .handler = tool_sampling,
      .input_schema = TEXT_ARGUMENT("prompt"),
      WAITS },
    { .name = "test_elicitation",
      .description = "Asks the user",
      .handler = tool_elicitation,
      .input_schema = TEXT_ARGUMENT("message"),
      WAITS },
    { .name = "test_elicitation_sep1034_defaults",
      .description = "Asks the user, with defaults",
      .handler = tool_elicitation_defaults,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_elicitation_sep1330_enums",
      .description = "Asks the user to choose",
      .handler = tool_elicitation_enums,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "json_schema_2020_12_tool",
      .description = "Has a schema with much in it",
      .handler = tool_schema,
      .input_schema = schema_2020_12 },
    { .name = "test_reconnection",
      .description = "Hangs up in the middle",
      .handler = tool_reconnection,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_missing_capability",
      .description = "Needs a client that can sample",
      .handler = tool_missing_capability,
      .input_schema = NO_ARGUMENTS,
      .needs = "sampling" },
    { .name = "test_streaming_elicitation",
      .description = "Streams, then asks",
      .handler = tool_streaming_elicitation,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_logging_tool",
      .description = "Logs, if the client wants it",
      .handler = tool_logging,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_trigger_tool_change",
      .description = "Says that the tools changed",
      .handler = tool_change_tools,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_trigger_prompt_change",
      .description = "Says that the prompts changed",
      .handler = tool_change_prompts,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_touch_resource",
      .description = "Says that the watched resource changed",
      .handler = tool_touch,
      .input_schema = NO_ARGUMENTS },
    { .name = "test_input_required_result_elicitation",
      .description = "Asks for a name",
      .handler = tool_ask_name,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_sampling",
      .description = "Asks the model",
      .handler = tool_ask_model,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_list_roots",
      .description = "Asks for roots",
      .handler = tool_ask_roots,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_request_state",
      .description = "Asks, and remembers",
      .handler = tool_ask_with_state,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_multiple_inputs",
      .description = "Asks three things at once",
      .handler = tool_ask_all,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_multi_round",
      .description = "Asks twice",
      .handler = tool_ask_twice,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_tampered_state",
      .description = "Asks, and seals its state",
      .handler = tool_ask_with_state,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_input_required_result_capabilities",
      .description = "Asks only what the client can",
      .handler = tool_ask_what_it_can,
      .input_schema = NO_ARGUMENTS,
      WAITS },
    { .name = "test_header_parameter",
      .description = "Has an argument that a header repeats",
      .handler = tool_schema,
      .input_schema = header_schema },
    { .name = "greet",
      .description = "Greets",
      .handler = tool_greet,
      .input_schema = TEXT_ARGUMENT("name") },
    { .name = "slow_compute",
      .description = "Takes its time",
      .handler = tool_slow_compute,
      .input_schema = slow_schema,
      .flags = BP_TOOL_TASK,
      WAITS },
    { .name = "failing_job",
      .description = "Fails after a second",
      .handler = tool_failing_job,
      .input_schema = NO_ARGUMENTS,
      .flags = BP_TOOL_TASK_ONLY,
      WAITS },
    { .name = "protocol_error_job",
      .description = "Ends in an error of the protocol",
      .handler = tool_protocol_error_job,
      .input_schema = NO_ARGUMENTS,
      .flags = BP_TOOL_TASK,
      WAITS },
    { .name = "confirm_delete",
      .description = "Asks before it deletes",
      .handler = tool_confirm_delete,
      .input_schema = TEXT_ARGUMENT("filename"),
      .flags = BP_TOOL_TASK | BP_TOOL_DESTRUCTIVE,
      WAITS },
    { .name = "multi_input",
      .description = "Asks two things at once",
      .handler = tool_multi_input,
      .input_schema = NO_ARGUMENTS,
      .flags = BP_TOOL_TASK,
      WAITS },
    { .name = "test_tool_with_task",
      .description = "Asks, then goes on as a task",
      .handler = tool_with_task,
      .input_schema = NO_ARGUMENTS,
      .flags = BP_TOOL_TASK_ONLY | BP_TOOL_TASK_LATE,
      WAITS },
};
