/* fixture.c - an app with the tools, resources and prompts that the MCP conformance suite asks for.
 * An ordinary plugin: what cannot be written here with the SDK is missing in the SDK. */
#include "fixture.h"

const char fixture_png[68] = /* one red pixel */
    "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde\0\0\0\x0cIDATx\xda"
    "c\xf8\xcf\xc0\0\0\3\1\1\0\xc9\xfe\x92\xef\0\0\0\0IEN";

const char fixture_wav[45] = "RIFF\x24\0\0\0WAVEfmt "
                             "\x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0";

bp_str fixture_png_bytes(void)
{
    return bp_str_n(fixture_png, sizeof(fixture_png) - 1);
}
bp_str fixture_wav_bytes(void)
{
    return bp_str_n(fixture_wav, sizeof(fixture_wav) - 1);
}

struct fixture {
    int64_t unused;
};

/* ---- resources ---- */

static bp_status read_text(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)uri;
    bp_mcp_contents_text(mcp, "text/plain",
                         BP_STR("This is the content of the static text resource."));
    return BP_OK;
}

static bp_status read_binary(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)uri;
    bp_mcp_contents_blob(mcp, "image/png", fixture_png_bytes());
    return BP_OK;
}

static bp_status read_watched(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)uri;
    bp_mcp_contents_text(mcp, "text/plain", BP_STR("Watched resource content"));
    return BP_OK;
}

static bp_status read_template(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_json_writer *w = bp_json_writer_new(call, 4096);
    bp_str          id = bp_mcp_uri_value(mcp, "id"), json;

    (void)instance, (void)uri;
    bp_json_object(w);
    bp_json_put_string(w, "id", id);
    bp_json_put_bool(w, "templateTest", true);
    bp_json_put_string(w, "data", bp_format(call, "Data for ID: " BP_FMT, BP_ARG(id)));
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &json));
    bp_mcp_contents_text(mcp, "application/json", json);
    return BP_OK;
}

static const bp_mcp_resource resources[] = {
    { .uri = "test://static-text",
      .name = "Static text",
      .mime_type = "text/plain",
      .handler = read_text,
      .description = "A text that never changes" },
    { .uri = "test://static-binary",
      .name = "Static binary",
      .mime_type = "image/png",
      .handler = read_binary,
      .description = "A picture of one pixel" },
    { .uri = "test://watched-resource",
      .name = "Watched resource",
      .mime_type = "text/plain",
      .handler = read_watched,
      .description = "A text that may be subscribed to" },
    { .uri = "test://template/{id}/data",
      .name = "Template",
      .mime_type = "application/json",
      .handler = read_template,
      .description = "Data of an id" },
};

/* ---- prompts ---- */

static bp_status simple_prompt(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_text(mcp, BP_STR("This is a simple prompt for testing."));
    return BP_OK;
}

static bp_status prompt_with_arguments(bp_call *call, void *instance, const bp_json *arguments,
                                       bp_mcp *mcp)
{
    bp_str one = bp_json_string(bp_json_get(arguments, "arg1")),
           two = bp_json_string(bp_json_get(arguments, "arg2"));

    (void)instance;
    bp_mcp_text(mcp, bp_format(call, "Prompt with arguments: arg1='" BP_FMT "', arg2='" BP_FMT "'",
                               BP_ARG(one), BP_ARG(two)));
    return BP_OK;
}

static bp_status prompt_with_resource(bp_call *call, void *instance, const bp_json *arguments,
                                      bp_mcp *mcp)
{
    (void)call, (void)instance;
    bp_mcp_embed(mcp, bp_json_string(bp_json_get(arguments, "resourceUri")), "text/plain",
                 BP_STR("Embedded resource content for testing."), true);
    bp_mcp_text(mcp, BP_STR("Please process the embedded resource above."));
    return BP_OK;
}

static bp_status prompt_with_image(bp_call *call, void *instance, const bp_json *arguments,
                                   bp_mcp *mcp)
{
    (void)call, (void)instance, (void)arguments;
    bp_mcp_image(mcp, "image/png", fixture_png_bytes());
    bp_mcp_text(mcp, BP_STR("Please analyze the image above."));
    return BP_OK;
}

static bp_status prompt_with_question(bp_call *call, void *instance, const bp_json *arguments,
                                      bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_elicit(call, mcp, "user_context", BP_STR("What context should the prompt use?"),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"context\":{\"type\":"
                                "\"string\"}},\"required\":[\"context\"]}"),
                         &answer));
    bp_mcp_text(mcp,
                bp_format(call, "Prompt with the context: " BP_FMT,
                          BP_ARG(bp_json_string(bp_json_get(bp_mcp_accepted(answer), "context")))));
    return BP_OK;
}

static const bp_mcp_argument two_arguments[] = {
    { .name = "arg1", .description = "First test argument", .is_required = true },
    { .name = "arg2", .description = "Second test argument", .is_required = true },
};
static const bp_mcp_argument uri_argument[] = {
    { .name = "resourceUri", .description = "URI of the resource to embed", .is_required = true },
};

static const bp_mcp_prompt prompts[] = {
    { .name = "test_simple_prompt",
      .description = "A prompt without arguments",
      .handler = simple_prompt },
    { .name = "test_prompt_with_arguments",
      .description = "A prompt with two arguments",
      .handler = prompt_with_arguments,
      BP_MCP_ARGUMENTS(two_arguments) },
    { .name = "test_prompt_with_embedded_resource",
      .description = "A prompt with a resource in it",
      .handler = prompt_with_resource,
      BP_MCP_ARGUMENTS(uri_argument) },
    { .name = "test_prompt_with_image",
      .description = "A prompt with a picture",
      .handler = prompt_with_image },
    { .name = "test_input_required_result_prompt",
      .description = "A prompt that asks the user first",
      .handler = prompt_with_question },
};

static bp_status complete(bp_call *call, void *instance, const bp_mcp_completion *wanted,
                          bp_mcp *mcp)
{
    static const char *const words[] = { "paris", "park", "party", "london" };

    (void)call, (void)instance;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) >= wanted->value.len &&
            memcmp(words[i], wanted->value.data, wanted->value.len) == 0)
            bp_mcp_complete(mcp, bp_str_of(words[i]));
    return BP_OK;
}

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    BP_MCP_TOOLS(fixture_tools_all),
    BP_MCP_RESOURCES(resources),
    BP_MCP_PROMPTS(prompts),
    .instructions = "Tools, resources and prompts of the conformance suite.",
    .complete = complete,
};

BP_PLUGIN(app, "conformance", "1.0.0", .summary = "what the MCP conformance suite asks for",
          .instance_size = sizeof(struct fixture), .ops = &ops)
