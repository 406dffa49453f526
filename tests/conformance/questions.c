/* questions.c - tools of the conformance fixture that ask the client. */
#include "fixture.h"

#define NAME_SCHEMA                                                                                \
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},\"required\":[\"name\"]" \
    "}"

static bp_status say_elicited(bp_call *call, bp_mcp *mcp, const bp_json *answer)
{
    const bp_json *content = bp_json_get(answer, "content");

    bp_mcp_text(mcp, bp_format(call, "Elicitation completed: action=" BP_FMT ", content=" BP_FMT,
                               BP_ARG(bp_json_string(bp_json_get(answer, "action"))),
                               BP_ARG(content ? bp_json_text(call, content) : BP_STR("{}"))));
    return BP_OK;
}

bp_status tool_sampling(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance;
    BP_TRY(bp_mcp_sample(call, mcp, "sample", bp_json_string(bp_json_get(arguments, "prompt")), 100,
                         &answer));
    bp_mcp_text(mcp, bp_format(call, "LLM response: " BP_FMT, BP_ARG(bp_mcp_sampled_text(answer))));
    return BP_OK;
}

bp_status tool_elicitation(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance;
    BP_TRY(bp_mcp_elicit(call, mcp, "user", bp_json_string(bp_json_get(arguments, "message")),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"username\":{\"type\":"
                                "\"string\",\"description\":\"User's "
                                "response\"},\"email\":{\"type\":\"string\",\"description\":\"User'"
                                "s email address\"}},\"required\":[\"username\",\"email\"]}"),
                         &answer));
    bp_mcp_text(mcp, bp_format(call, "User response: " BP_FMT, BP_ARG(bp_json_text(call, answer))));
    return BP_OK;
}

bp_status tool_elicitation_defaults(bp_call *call, void *instance, const bp_json *arguments,
                                    bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_elicit(call, mcp, "user",
                         BP_STR("Please review and update the form fields with defaults"),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
                                "\"string\",\"default\":\"John "
                                "Doe\"},\"age\":{\"type\":\"integer\",\"default\":30},\"score\":{"
                                "\"type\":\"number\",\"default\":95.5},\"status\":{\"type\":"
                                "\"string\",\"enum\":[\"active\",\"inactive\",\"pending\"],"
                                "\"default\":\"active\"},\"verified\":{\"type\":\"boolean\","
                                "\"default\":true}},\"required\":[]}"),
                         &answer));
    return say_elicited(call, mcp, answer);
}

bp_status tool_elicitation_enums(bp_call *call, void *instance, const bp_json *arguments,
                                 bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_elicit(
        call, mcp, "user", BP_STR("Please select options from the enum fields"),
        BP_STR("{\"type\":\"object\",\"properties\":{\"untitledSingle\":{\"type\":\"string\","
               "\"enum\":[\"option1\",\"option2\",\"option3\"]},\"titledSingle\":{\"type\":"
               "\"string\",\"oneOf\":[{\"const\":\"value1\",\"title\":\"First "
               "Option\"},{\"const\":\"value2\",\"title\":\"Second "
               "Option\"},{\"const\":\"value3\",\"title\":\"Third "
               "Option\"}]},\"legacyEnum\":{\"type\":\"string\",\"enum\":[\"opt1\",\"opt2\","
               "\"opt3\"],\"enumNames\":[\"Option One\",\"Option Two\",\"Option "
               "Three\"]},\"untitledMulti\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
               "\"enum\":[\"option1\",\"option2\",\"option3\"]}},\"titledMulti\":{\"type\":"
               "\"array\",\"items\":{\"anyOf\":[{\"const\":\"value1\",\"title\":\"First "
               "Choice\"},{\"const\":\"value2\",\"title\":\"Second "
               "Choice\"},{\"const\":\"value3\",\"title\":\"Third Choice\"}]}}},\"required\":[]}"),
        &answer));
    return say_elicited(call, mcp, answer);
}

bp_status tool_streaming_elicitation(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp)
{
    BP_TRY(bp_mcp_progress(call, mcp, 1, 2, BP_STR("about to ask")));
    BP_TRY(bp_mcp_log(call, mcp, BP_MCP_INFO, NULL, BP_STR("\"about to ask\"")));
    return tool_ask_name(call, instance, arguments, mcp);
}

bp_status tool_ask_name(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_elicit(call, mcp, "user_name", BP_STR("What is your name?"), BP_STR(NAME_SCHEMA),
                         &answer));
    if (!bp_mcp_accepted(answer))
        return bp_fail(call, BP_INVALID, "the user gave no name");
    bp_mcp_text(mcp,
                bp_format(call, "Hello, " BP_FMT "!",
                          BP_ARG(bp_json_string(bp_json_get(bp_mcp_accepted(answer), "name")))));
    return BP_OK;
}

bp_status tool_ask_model(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_sample(call, mcp, "capital_question", BP_STR("What is the capital of France?"),
                         100, &answer));
    bp_mcp_text(mcp, bp_mcp_sampled_text(answer));
    return BP_OK;
}

bp_status tool_ask_roots(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_mcp_ask ask = { .key = "client_roots", .method = "roots/list" };

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_ask_all(call, mcp, &ask, 1));
    bp_mcp_text(mcp, bp_format(call, "The client's roots: " BP_FMT,
                               BP_ARG(bp_json_text(call, bp_json_get(ask.answer, "roots")))));
    return BP_OK;
}

bp_status tool_ask_with_state(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *answer;
    bool           is_known = bp_str_is(bp_mcp_state(mcp), "asked");

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_set_state(call, mcp, BP_STR("asked")));
    BP_TRY(bp_mcp_elicit(call, mcp, "confirm", BP_STR("Please confirm"),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}"
                                "},\"required\":[\"ok\"]}"),
                         &answer));
    bp_mcp_text(mcp, is_known ? BP_STR("state-ok") : BP_STR("confirmed without a state"));
    return BP_OK;
}

bp_status tool_ask_all(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_mcp_ask asks[] = {
        { .key = "user_name",
          .method = "elicitation/create",
          .params = BP_STR("{\"message\":\"What is your name?\",\"requestedSchema\":" NAME_SCHEMA
                           "}") },
        { .key = "greeting",
          .method = "sampling/createMessage",
          .params = BP_STR("{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\","
                           "\"text\":\"Generate a greeting\"}}],\"maxTokens\":50}") },
        { .key = "client_roots", .method = "roots/list" },
    };

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_ask_all(call, mcp, asks, 3));
    bp_mcp_text(mcp, bp_format(call, BP_FMT " " BP_FMT " (%zu roots)",
                               BP_ARG(bp_mcp_sampled_text(asks[1].answer)),
                               BP_ARG(bp_json_string(
                                   bp_json_get(bp_mcp_accepted(asks[0].answer), "name"))),
                               bp_json_count(bp_json_get(asks[2].answer, "roots"))));
    return BP_OK;
}

bp_status tool_ask_twice(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *name, *colour;

    (void)instance, (void)arguments;
    BP_TRY(bp_mcp_elicit(call, mcp, "step1", BP_STR("Step 1: What is your name?"),
                         BP_STR(NAME_SCHEMA), &name));
    BP_TRY(bp_mcp_elicit(call, mcp, "step2", BP_STR("Step 2: What is your favorite color?"),
                         BP_STR("{\"type\":\"object\",\"properties\":{\"color\":{\"type\":"
                                "\"string\"}},\"required\":[\"color\"]}"),
                         &colour));
    bp_mcp_text(mcp,
                bp_format(call, BP_FMT " likes " BP_FMT,
                          BP_ARG(bp_json_string(bp_json_get(bp_mcp_accepted(name), "name"))),
                          BP_ARG(bp_json_string(bp_json_get(bp_mcp_accepted(colour), "color")))));
    return BP_OK;
}

bp_status tool_ask_what_it_can(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    if (bp_mcp_can(mcp, "elicitation"))
        return tool_ask_name(call, instance, arguments, mcp);
    if (bp_mcp_can(mcp, "sampling"))
        return tool_ask_model(call, instance, arguments, mcp);
    bp_mcp_text(mcp, BP_STR("The client cannot be asked anything."));
    return BP_OK;
}
