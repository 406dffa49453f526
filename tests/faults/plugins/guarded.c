/* guarded.c - an app for tests of MCP's security and faults: tools with scopes, with arguments that
 * headers repeat, that take their time, say much before they answer, and count who was cancelled.
 */
#include <stdatomic.h>

#include <backplane/loop.h>
#include <backplane/mcp.h>
#include <backplane/plugin.h>

struct guarded {
    int64_t unused;
};

static _Atomic int64_t begun, finished, cancelled;

static bp_status tool_echo(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    double wait_ms = bp_json_number(bp_json_get(arguments, "wait_ms"));

    (void)instance;
    if (wait_ms > 0)
        BP_TRY(bp_sleep(call, (int64_t)(wait_ms * 1e6)));
    bp_mcp_text(mcp, bp_json_text(call, arguments));
    return BP_OK;
}

/* Says something `events` times, `pause_ms` apart, and counts how it ended. */
static bp_status run_stream(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    int64_t events = (int64_t)bp_json_number(bp_json_get(arguments, "events"));
    double  pause_ms = bp_json_number(bp_json_get(arguments, "pause_ms"));

    for (int64_t i = 0; i < events; i++) {
        BP_TRY(bp_mcp_progress(call, mcp, (double)(i + 1), (double)events, BP_STR("another step")));
        BP_TRY(bp_sleep(call, (int64_t)(pause_ms * 1e6)));
    }
    bp_mcp_text(mcp, bp_format(call, "streamed %lld", (long long)events));
    return BP_OK;
}

static bp_status tool_stream(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_status status;

    (void)instance;
    begun++;
    status = run_stream(call, arguments, mcp);
    if (status == BP_OK)
        finished++;
    else
        cancelled++;
    return status;
}

static bp_status tool_counts(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    bp_mcp_text(mcp, bp_format(call, "{\"begun\":%lld,\"finished\":%lld,\"cancelled\":%lld}",
                               (long long)begun, (long long)finished, (long long)cancelled));
    return BP_OK;
}

static bp_status tool_ask(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_set_state(call, mcp, BP_STR("asked")));
    BP_TRY(bp_mcp_elicit(call, mcp, "ok", BP_STR("Really?"),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}"
                                "}}"),
                         &answer));
    bp_mcp_text(mcp, bp_format(call, "confirmed with the state \"" BP_FMT "\"",
                               BP_ARG(bp_mcp_state(mcp))));
    return BP_OK;
}

static bp_status tool_change(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    bp_mcp_changed(call, BP_MCP_TOOLS_CHANGED, BP_STR(""));
    bp_mcp_text(mcp, BP_STR("told"));
    return BP_OK;
}

static const char mirrored_schema[] = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":"
                                      "\"string\",\"x-mcp-header\":\"Text\"},\"count\":{\"type\":"
                                      "\"integer\",\"x-mcp-header\":\"Count\"},\"flag\":{\"type\":"
                                      "\"boolean\",\"x-mcp-header\":\"Flag\"},\"deep\":{\"type\":"
                                      "\"object\",\"properties\":{\"name\":{\"type\":\"string\","
                                      "\"x-mcp-header\":\"Deep\"}}}}}";

#define ANY   "{\"type\":\"object\"}"
#define WAITS .deadline_ns = BP_SECONDS(600)

static const bp_mcp_tool tools[] = {
    { .name = "echo",
      .description = "Answers with its arguments",
      .handler = tool_echo,
      .input_schema = ANY,
      WAITS },
    { .name = "mirrored",
      .description = "Has arguments that headers repeat",
      .handler = tool_echo,
      .input_schema = mirrored_schema },
    { .name = "read",
      .description = "Needs a scope",
      .handler = tool_echo,
      .input_schema = ANY,
      .scope = "guarded:read" },
    { .name = "write",
      .description = "Needs another scope",
      .handler = tool_echo,
      .input_schema = ANY,
      .scope = "guarded:write" },
    { .name = "ask",
      .description = "Asks the client",
      .handler = tool_ask,
      .input_schema = ANY,
      WAITS },
    { .name = "ask_too",
      .description = "Asks the client as well",
      .handler = tool_ask,
      .input_schema = ANY,
      WAITS },
    { .name = "stream",
      .description = "Reports progress for a while",
      .handler = tool_stream,
      .input_schema = ANY,
      WAITS },
    { .name = "counts",
      .description = "How many streams began and how they ended",
      .handler = tool_counts,
      .input_schema = ANY },
    { .name = "change",
      .description = "Says that the list of tools changed",
      .handler = tool_change,
      .input_schema = ANY },
    { .name = "job",
      .description = "Runs as a task",
      .handler = tool_echo,
      .input_schema = ANY,
      .flags = BP_TOOL_TASK,
      WAITS },
};

static const bp_app_ops ops = { .struct_size = sizeof(bp_app_ops), BP_MCP_TOOLS(tools) };

BP_PLUGIN(app, "guarded", "1.0.0", .summary = "tools for tests of MCP's security and faults",
          .license = "Apache-2.0", .instance_size = sizeof(struct guarded), .ops = &ops)
