/* jobs.c - tools of the conformance fixture that run as tasks. */
#include "fixture.h"

bp_status tool_greet(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance;
    bp_mcp_text(mcp, bp_format(call, "Hello, " BP_FMT "!",
                               BP_ARG(bp_json_string(bp_json_get(arguments, "name")))));
    return BP_OK;
}

bp_status tool_slow_compute(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    double seconds = bp_json_number(bp_json_get(arguments, "seconds"));

    (void)instance;
    BP_TRY(bp_sleep(call, (int64_t)(seconds * 1e9)));
    bp_mcp_text(mcp, bp_format(call, "Computed for %g s: " BP_FMT, seconds,
                               BP_ARG(bp_json_string(bp_json_get(arguments, "label")))));
    return BP_OK;
}

bp_status tool_failing_job(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance, (void)arguments, (void)mcp;
    BP_TRY(bp_sleep(call, BP_SECONDS(1)));
    return bp_fail(call, BP_INVALID, "this job always fails");
}

bp_status tool_protocol_error_job(bp_call *call, void *instance, const bp_json *arguments,
                                  bp_mcp *mcp)
{
    (void)instance, (void)arguments;
    return bp_mcp_fail(call, mcp, BP_MCP_INTERNAL_ERROR,
                       BP_STR("this job ends in an error of the protocol"), BP_STR(""));
}

#define CONFIRM                                                                                    \
    "{\"type\":\"object\",\"properties\":{\"confirm\":{\"type\":\"boolean\"}},\"required\":["      \
    "\"confirm\"]}"

bp_status tool_confirm_delete(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_str         name = bp_json_string(bp_json_get(arguments, "filename"));
    const bp_json *answer;

    (void)instance;
    BP_TRY(bp_mcp_elicit(call, mcp, "confirm", bp_format(call, "Delete " BP_FMT "?", BP_ARG(name)),
                         BP_STR(CONFIRM), &answer));
    bp_mcp_text(mcp, bp_json_bool(bp_json_get(bp_mcp_accepted(answer), "confirm"))
                         ? bp_format(call, "Deleted " BP_FMT, BP_ARG(name))
                         : bp_format(call, "Kept " BP_FMT, BP_ARG(name)));
    return BP_OK;
}

bp_status tool_multi_input(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_mcp_ask asks[] = {
        { .key = "first",
          .method = "elicitation/create",
          .params = BP_STR("{\"message\":\"First?\",\"requestedSchema\":" CONFIRM "}") },
        { .key = "second",
          .method = "elicitation/create",
          .params = BP_STR("{\"message\":\"Second?\",\"requestedSchema\":" CONFIRM "}") },
    };

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_ask_all(call, mcp, asks, 2));
    bp_mcp_text(mcp, bp_format(call, "first " BP_FMT ", second " BP_FMT,
                               BP_ARG(bp_json_text(call, asks[0].answer)),
                               BP_ARG(bp_json_text(call, asks[1].answer))));
    return BP_OK;
}

bp_status tool_with_task(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_elicit(call, mcp, "user_name", BP_STR("What is your name?"),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
                                "\"string\"}},\"required\":[\"name\"]}"),
                         &answer));
    BP_TRY(bp_mcp_as_task(call, mcp));
    BP_TRY(bp_sleep(call, BP_MILLISECONDS(200)));
    bp_mcp_text(mcp,
                bp_format(call, "Worked for " BP_FMT,
                          BP_ARG(bp_json_string(bp_json_get(bp_mcp_accepted(answer), "name")))));
    return BP_OK;
}
