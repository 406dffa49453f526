/* mcp_app.h - a made-up app with tools, resources and prompts: what its tool `act` does is said by
 * the argument `do`. */
#ifndef MCP_APP_H
#define MCP_APP_H

#include "core/api/api_rig.h"

#include <backplane/loop.h>
#include <backplane/mcp.h>

static atomic_int act_waits;     /* handlers that wait for their end, ever */
static atomic_int act_cancelled; /* those that were cancelled */
static atomic_int act_released;  /* how many may go on */

static bp_str arg_text(const bp_json *arguments, const char *name)
{
    return bp_json_string(bp_json_get(arguments, name));
}

static int64_t arg_number(const bp_json *arguments, const char *name)
{
    return bp_json_integer(bp_json_get(arguments, name));
}

static bp_str arg_json(bp_call *call, const bp_json *arguments, const char *name)
{
    const bp_json *value = bp_json_get(arguments, name);

    return value ? json_text(call->arena, value) : BP_STR("");
}

/* ---- what is put into a result ---- */

static bp_status act_blocks(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)arguments;
    bp_mcp_text(mcp, BP_STR("one"));
    bp_mcp_image(mcp, "image/png", BP_STR("png"));
    bp_mcp_audio(mcp, "audio/wav", BP_STR("wav"));
    bp_mcp_embed(mcp, BP_STR("mem://a"), "text/plain", BP_STR("a"), true);
    bp_mcp_embed(mcp, BP_STR("mem://b"), NULL, BP_STR("b"), false);
    bp_mcp_link(mcp, BP_STR("mem://c"), BP_STR("c"), NULL, BP_STR("of c"));
    return BP_OK;
}

static bp_status act_structured(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    if (arg_text(arguments, "text").len)
        bp_mcp_text(mcp, arg_text(arguments, "text"));
    bp_mcp_structured(mcp, arg_json(call, arguments, "value"));
    return BP_OK;
}

static bp_status act_error(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    act_structured(call, arguments, mcp);
    bp_mcp_text(mcp, BP_STR("it went wrong"));
    bp_mcp_error(mcp);
    return BP_OK;
}

static bp_status act_meta(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    bp_mcp_meta(mcp, arg_json(call, arguments, "value"));
    return BP_OK;
}

static bp_status act_unended(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    (void)call, (void)arguments;
    bp_mcp_begin_block(mcp);
    return BP_OK;
}

static bp_status act_broken(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    bp_json_writer *w = bp_mcp_begin_block(mcp);

    (void)call, (void)arguments;
    bp_json_add_string(w, BP_STR("a value without a key"));
    bp_mcp_end_block(mcp);
    return BP_OK;
}

static bp_status act_big(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    size_t len = (size_t)arg_number(arguments, "n");
    char  *text = bp_alloc(call, len);

    memset(text, 'x', len);
    bp_mcp_text(mcp, bp_str_n(text, len));
    return BP_OK;
}

/* ---- how it ends ---- */

static bp_status act_status(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    (void)mcp;
    return bp_fail(call, (bp_status)arg_number(arguments, "n"), "it did not work");
}

static bp_status act_fail(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    return bp_mcp_fail(call, mcp, (int32_t)arg_number(arguments, "n"), BP_STR("no such thing"),
                       arg_json(call, arguments, "value"));
}

/* Until it is cancelled, its time is up, or one more is released. Who asked for progress gets one.
 */
static bp_status act_wait(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    int number = act_waits++;

    (void)arguments;
    BP_TRY(bp_mcp_progress(call, mcp, 1, 0, BP_STR("")));
    while (act_released <= number) {
        bp_status status = bp_sleep(call, BP_MILLISECONDS(2));

        if (status != BP_OK) {
            act_cancelled++;
            return status;
        }
    }
    bp_mcp_text(mcp, BP_STR("waited"));
    return BP_OK;
}

/* ---- while it runs ---- */

static bp_status act_progress(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    (void)arguments;
    BP_TRY(bp_mcp_progress(call, mcp, 0, 0, BP_STR("")));
    BP_TRY(bp_mcp_progress(call, mcp, 1, 4, BP_STR("a quarter")));
    BP_TRY(bp_mcp_progress(call, mcp, 1, 4, BP_STR("not more")));
    BP_TRY(bp_mcp_progress(call, mcp, 0.5, 4, BP_STR("less")));
    BP_TRY(bp_mcp_progress(call, mcp, 2.5, 0, BP_STR("")));
    bp_mcp_text(mcp, BP_STR("done"));
    return BP_OK;
}

static bp_status act_log(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    (void)arguments;
    for (uint32_t level = 0; level <= 8; level++)
        BP_TRY(bp_mcp_log(call, mcp, (bp_mcp_level)level, level % 2 ? "odd" : NULL,
                          bp_format(call, "%u", level)));
    bp_mcp_text(mcp, BP_STR("logged"));
    return BP_OK;
}

static bp_status act_who(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    static const char *const able[] = { "sampling",    "sampling.tools",  "sampling.context",
                                        "elicitation", "elicitation.url", "roots",
                                        "tasks",       "flying" };
    char                     can[256] = "";

    (void)arguments;
    for (size_t i = 0; i < sizeof(able) / sizeof(able[0]); i++)
        if (bp_mcp_can(mcp, able[i]))
            snprintf(can + strlen(can), sizeof(can) - strlen(can), " %s", able[i]);
    bp_mcp_text(mcp, bp_format(call, "client=" BP_FMT " revision=" BP_FMT " session=%zu can=%s",
                               BP_ARG(bp_mcp_client(mcp)), BP_ARG(bp_mcp_revision(mcp)),
                               bp_mcp_session(mcp).len, can));
    return BP_OK;
}

static bp_status act_hang_up(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    BP_TRY(bp_mcp_hang_up(call, mcp, BP_MILLISECONDS(arg_number(arguments, "n"))));
    return act_wait(call, arguments, mcp);
}

static bp_status act_changed(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    bp_mcp_changed(call, (bp_mcp_change)arg_number(arguments, "n"), arg_text(arguments, "text"));
    bp_mcp_text(mcp, BP_STR("told"));
    return BP_OK;
}

/* ---- questions ---- */

/* As many as `asks` has members: {KEY: {"method": ..., "params": ...}}. */
static bp_status ask_these(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    bp_mcp_ask     asks[40] = { 0 };
    size_t         count = 0, cursor = 0;
    bp_str         key;
    const bp_json *ask;
    bp_status      status;

    while (json_entry(bp_json_get(arguments, "asks"), &cursor, &key, &ask)) {
        asks[count].key = arena_dup(call->arena, key).data;
        asks[count].method = arg_text(ask, "method").len
                                 ? arena_dup(call->arena, arg_text(ask, "method")).data
                                 : "elicitation/create";
        asks[count++].params = bp_json_type_of(bp_json_get(ask, "params")) == BP_JSON_STRING
                                   ? arg_text(ask, "params")
                                   : arg_json(call, ask, "params");
    }
    status = bp_mcp_ask_all(call, mcp, asks, count);
    for (size_t i = 0; status == BP_OK && i < count; i++)
        bp_mcp_text(mcp, bp_format(call, "%s " BP_FMT, asks[i].key,
                                   BP_ARG(json_text(call->arena, asks[i].answer))));
    return status;
}

/* Two questions, one after the other, and a state that grows by a letter with each round. `room`:
 * so many bytes of memory are left for them. */
static bp_status act_rounds(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    const bp_json *one, *two;
    bp_str         schema = BP_STR("{\"type\":\"object\"}");

    if (bp_json_get(arguments, "room"))
        call->arena->limit_bytes = call->arena->used_bytes + (size_t)arg_number(arguments, "room");
    BP_TRY(bp_mcp_set_state(call, mcp, bp_format(call, BP_FMT "x", BP_ARG(bp_mcp_state(mcp)))));
    BP_TRY(bp_mcp_elicit(call, mcp, "one", BP_STR("First?"), schema, &one));
    BP_TRY(bp_mcp_elicit(call, mcp, "two", BP_STR("Second?"), schema, &two));
    bp_mcp_text(mcp, bp_format(call, "state=" BP_FMT " one=" BP_FMT " two=" BP_FMT,
                               BP_ARG(bp_mcp_state(mcp)),
                               BP_ARG(json_text(call->arena, bp_mcp_accepted(one))),
                               BP_ARG(json_text(call->arena, bp_mcp_accepted(two)))));
    return BP_OK;
}

static bp_status act_state(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    size_t len = (size_t)arg_number(arguments, "n");
    char  *text = bp_alloc(call, len + 1);

    memset(text, 's', len);
    BP_TRY(bp_mcp_set_state(call, mcp, bp_str_n(text, len)));
    bp_mcp_text(mcp, BP_STR("kept"));
    return BP_OK;
}

/* For tools that become tasks late: a question, the turn, progress, an end. */
static bp_status act_late(bp_call *call, const bp_json *arguments, bp_mcp *mcp)
{
    if (bp_json_get(arguments, "asks"))
        BP_TRY(ask_these(call, arguments, mcp));
    BP_TRY(bp_mcp_as_task(call, mcp));
    BP_TRY(bp_mcp_progress(call, mcp, 1, 2, BP_STR("half way")));
    bp_mcp_text(mcp, BP_STR("late"));
    return BP_OK;
}

static const struct {
    const char *name;
    bp_status (*run)(bp_call *call, const bp_json *arguments, bp_mcp *mcp);
} acts[] = {
    { "blocks", act_blocks }, { "structured", act_structured }, { "error", act_error },
    { "meta", act_meta },     { "unended", act_unended },       { "broken", act_broken },
    { "big", act_big },       { "status", act_status },         { "fail", act_fail },
    { "wait", act_wait },     { "progress", act_progress },     { "log", act_log },
    { "who", act_who },       { "hang_up", act_hang_up },       { "changed", act_changed },
    { "ask", ask_these },     { "rounds", act_rounds },         { "state", act_state },
    { "late", act_late },
};

static bp_status run_act(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_str what = arg_text(arguments, "do");

    (void)instance;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        if (bp_str_is(what, acts[i].name))
            return acts[i].run(call, arguments, mcp);
    return bp_fail(call, BP_NOT_FOUND, "there is no act of that name");
}

static bp_status run_echo(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    (void)instance;
    bp_mcp_text(mcp, json_text(call->arena, arguments));
    return BP_OK;
}

/* ---- the tables ---- */

#define ECHO_SCHEMA                                                                                \
    "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\","                          \
    "\"x-mcp-header\":\"Region\"},\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"Count\"},"        \
    "\"deep\":{\"type\":\"object\",\"properties\":{\"on\":{\"type\":\"boolean\","                  \
    "\"x-mcp-header\":\"On\"}}},\"list\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}},"  \
    "\"required\":[\"text\"]}"
#define OPEN_SCHEMA "{\"type\":\"object\"}"
#define OUT_SCHEMA                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}"

static const bp_mcp_tool app_tools[] = {
    { .name = "act", .input_schema = OPEN_SCHEMA, .handler = run_act },
    { .name = "echo",
      .title = "Echo",
      .description = "Says what it got",
      .input_schema = ECHO_SCHEMA,
      .handler = run_echo,
      .icons = "[{\"src\":\"data:,\"}]",
      .flags = BP_TOOL_READ_ONLY },
    { .name = "none", .handler = run_echo, .flags = BP_TOOL_DESTRUCTIVE | BP_TOOL_OPEN_WORLD },
    { .name = "out",
      .input_schema = OPEN_SCHEMA,
      .output_schema = OUT_SCHEMA,
      .handler = run_act,
      .flags = BP_TOOL_IDEMPOTENT },
    { .name = "scoped", .input_schema = OPEN_SCHEMA, .handler = run_echo, .scope = "app:write" },
    { .name = "rare", .input_schema = OPEN_SCHEMA, .handler = run_echo, .rate_per_minute = 3 },
    { .name = "needy",
      .input_schema = OPEN_SCHEMA,
      .handler = run_act,
      .needs = "elicitation sampling.tools" },
    { .name = "quick",
      .input_schema = OPEN_SCHEMA,
      .handler = run_act,
      .deadline_ns = BP_MILLISECONDS(20) },
    { .name = "task", .input_schema = OPEN_SCHEMA, .handler = run_act, .flags = BP_TOOL_TASK },
    { .name = "task_only",
      .input_schema = OPEN_SCHEMA,
      .handler = run_act,
      .flags = BP_TOOL_TASK_ONLY },
    { .name = "task_late",
      .input_schema = OPEN_SCHEMA,
      .handler = run_act,
      .flags = BP_TOOL_TASK | BP_TOOL_TASK_LATE },
    { .name = "hidden", .handler = run_echo },
};

static bp_status read_one(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    (void)call, (void)instance, (void)uri;
    bp_mcp_contents_text(mcp, "text/plain", BP_STR("one"));
    bp_mcp_contents(mcp, BP_STR("mem://one/more"), NULL, BP_STR("more"), false);
    return BP_OK;
}

static bp_status read_item(bp_call *call, void *instance, bp_str uri, bp_mcp *mcp)
{
    bp_str id = bp_mcp_uri_value(mcp, "id"), part = bp_mcp_uri_value(mcp, "part");

    (void)instance;
    if (bp_str_is(id, "missing"))
        return bp_fail(call, BP_NOT_FOUND, "not this one");
    if (bp_str_is(id, "nothing"))
        return BP_OK;
    if (bp_str_is(id, "away"))
        return bp_fail(call, BP_UNAVAILABLE, "the shelf is away");
    if (bp_str_is(id, "error"))
        return bp_mcp_fail(call, mcp, -32001, BP_STR("an error of its own"), BP_STR("7"));
    if (bp_str_is(id, "ask")) {
        const bp_json *answer;

        BP_TRY(bp_mcp_sample(call, mcp, "name", BP_STR("Which?"), 5, &answer));
        bp_mcp_contents_text(mcp, NULL, bp_mcp_sampled_text(answer));
        return BP_OK;
    }
    bp_mcp_contents_text(mcp, "text/plain",
                         bp_format(call, BP_FMT " id=" BP_FMT " part=" BP_FMT, BP_ARG(uri),
                                   BP_ARG(id), BP_ARG(part)));
    return BP_OK;
}

static const bp_mcp_resource app_resources[] = {
    { .uri = "mem://item/{id}", .name = "items", .handler = read_item, .title = "Items" },
    { .uri = "mem://one",
      .name = "one",
      .title = "One",
      .description = "The one",
      .mime_type = "text/plain",
      .icons = "[]",
      .handler = read_one,
      .ttl_ns = BP_SECONDS(3) },
    { .uri = "mem://scoped", .name = "scoped", .handler = read_one, .scope = "app:read" },
    { .uri = "mem://hidden", .name = "hidden", .handler = read_one },
};

static const bp_mcp_argument greet_arguments[] = {
    { .name = "who", .title = "Who", .description = "whom to greet", .is_required = true },
    { .name = "how" },
};

static bp_status get_greet(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
{
    bp_str how = arg_text(arguments, "how");

    (void)instance;
    if (bp_str_is(how, "fail"))
        return bp_fail(call, BP_CONFLICT, "no greeting today");
    if (bp_str_is(how, "error"))
        return bp_mcp_fail(call, mcp, BP_MCP_INVALID_PARAMS, BP_STR("not how"), BP_STR(""));
    if (bp_str_is(how, "ask")) {
        const bp_json *answer;

        BP_TRY(bp_mcp_elicit(call, mcp, "how", BP_STR("How?"), BP_STR("{}"), &answer));
        how = arg_text(bp_mcp_accepted(answer), "how");
    }
    if (bp_str_is(how, "described"))
        bp_mcp_describe(mcp, BP_STR("as it was built"));
    bp_mcp_text(mcp, bp_format(call, "Greet " BP_FMT " " BP_FMT, BP_ARG(arg_text(arguments, "who")),
                               BP_ARG(how)));
    bp_mcp_role(mcp, "assistant");
    bp_mcp_text(mcp, BP_STR("Hello"));
    bp_mcp_role(mcp, "user");
    bp_mcp_image(mcp, "image/png", BP_STR("p"));
    return BP_OK;
}

static const bp_mcp_prompt app_prompts[] = {
    { .name = "greet",
      .title = "Greet",
      .description = "A greeting",
      .icons = "[]",
      BP_MCP_ARGUMENTS(greet_arguments),
      .handler = get_greet },
    { .name = "plain", .handler = get_greet },
    { .name = "scoped", .handler = get_greet, .scope = "app:more" },
    { .name = "hidden", .handler = get_greet },
};

static bool app_offers(void *instance, const char *name)
{
    (void)instance;
    return !strstr(name, "hidden");
}

static bp_status app_complete(bp_call *call, void *instance, const bp_mcp_completion *wanted,
                              bp_mcp *mcp)
{
    (void)instance;
    if (bp_str_is(wanted->value, "many"))
        for (int i = 0; i < (int)arg_number(wanted->given, "n"); i++)
            bp_mcp_complete(mcp, BP_STR("v"));
    else if (bp_str_is(wanted->value, "fail"))
        return bp_fail(call, BP_CONFLICT, "no idea");
    else if (bp_str_is(wanted->value, "error"))
        return bp_mcp_fail(call, mcp, -32000, BP_STR("never"), BP_STR(""));
    else
        bp_mcp_complete(mcp,
                        bp_format(call, "%s " BP_FMT " " BP_FMT " " BP_FMT " " BP_FMT,
                                  wanted->is_prompt ? "prompt" : "resource", BP_ARG(wanted->name),
                                  BP_ARG(wanted->argument), BP_ARG(wanted->value),
                                  BP_ARG(wanted->given ? json_text(call->arena, wanted->given)
                                                       : BP_STR("-"))));
    if (arg_number(wanted->given, "total"))
        bp_mcp_complete_total(mcp, arg_number(wanted->given, "total"));
    return BP_OK;
}

static void fill_mcp_app(bp_app_ops *app)
{
    app->tools = app_tools;
    app->tool_count = sizeof(app_tools) / sizeof(app_tools[0]);
    app->tool_size = sizeof(bp_mcp_tool);
    app->resources = app_resources;
    app->resource_count = sizeof(app_resources) / sizeof(app_resources[0]);
    app->resource_size = sizeof(bp_mcp_resource);
    app->prompts = app_prompts;
    app->prompt_count = sizeof(app_prompts) / sizeof(app_prompts[0]);
    app->prompt_size = sizeof(bp_mcp_prompt);
    app->instructions = "Use it well.";
    app->offers = app_offers;
    app->complete = app_complete;
}

#endif
