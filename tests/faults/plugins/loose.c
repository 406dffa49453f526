/* loose.c - an app whose tool says what its arguments came to be, for tests of how the host makes
 * them fit. */
#include <backplane/mcp.h>
#include <backplane/plugin.h>

struct loose {
    int64_t unused;
};

static bp_status tool_take(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance;
    bp_mcp_text(mcp, bp_json_text(call, arguments));
    return BP_OK;
}

/* `either` takes several types on purpose: the host has to warn of it, and to leave its values as
 * they are. */
static const char schema[] = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                             "\"count\":{\"type\":\"integer\"},\"ratio\":{\"type\":\"number\"},"
                             "\"flag\":{\"type\":\"boolean\"},\"text\":{\"type\":\"string\"},"
                             "\"names\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                             "\"points\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"
                             "\"deep\":{\"type\":\"object\",\"properties\":{\"count\":{\"type\":"
                             "\"integer\"},\"note\":{\"type\":\"string\"}}},\"either\":{\"type\":["
                             "\"string\",\"null\"]},\"place\":{\"$ref\":\"#/$defs/"
                             "place\"}},\"$defs\":{\"place\":{\"type\":\"object\",\"properties\":{"
                             "\"line\":{\"type\":\"integer\"}}}}}";

static const bp_mcp_tool tools[] = {
    { .name = "take",
      .description = "Answers with its arguments",
      .handler = tool_take,
      .input_schema = schema },
};

static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops), BP_MCP_TOOLS(tools) };

BP_PLUGIN(app, "loose", "1.0.0", .summary = "a tool for tests of arguments that are almost right",
          .license = "Apache-2.0", .instance_size = sizeof(struct loose), .ops = &ops)
