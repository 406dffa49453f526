/* tools.c - tools/list and tools/call. */
#include "base/clock.h"
#include "mcp/coerce.h"
#include "mcp/lists.h"
#include "mcp/mcp.h"
#include "mcp/request.h"
#include "mcp/tasks.h"

bp_status tools_list(bp_mcp *request)
{
    const struct catalog *catalog = request->catalog;
    bool                  is_modern = mcp_is_modern(request->revision);
    struct page           page;

    BP_TRY(page_begin(request, "tools", catalog->tool_count, &page));
    for (size_t i = page.from; i < page.to; i++)
        json_add_raw(&request->w, catalog->tools[i].listing[is_modern]);
    page_end(request, &page);
    return BP_OK;
}

/* ---- calling ---- */

struct tool_run {
    bp_mcp                    *request;
    const struct catalog_tool *tool;
    const bp_json             *arguments;
};

static bp_status run_handler(bp_call *call, void *object, void *arg)
{
    struct tool_run *run = arg;

    run->request->has_begun = true;
    return run->tool->spec.handler(call, object, run->arguments, run->request);
}

/* What a model can mend comes back as a result, where it reads it (MCP 2025-11-25, SEP-1303). */
static bp_status answer_tool_error(bp_mcp *request, bp_str message)
{
    bp_json_writer *w;

    result_begin(request, FORM_TOOL);
    w = mcp_service.begin_block(request);
    json_put_text(w, "type", "text");
    json_put_string(w, "text", message);
    mcp_service.end_block(request);
    request->is_error = true;
    BP_TRY(result_end(request, NULL));
    request_end(request);
    return BP_OK;
}

/* The same tool with the same arguments: what a state is bound to. */
static bp_str subject_of(bp_mcp *request, const struct catalog_tool *tool, const bp_json *arguments)
{
    bp_str text = arguments ? json_text(request->call->arena, arguments) : BP_STR("{}");

    return arena_format(request->call->arena, BP_FMT "\n%.*s", BP_ARG(tool->name), (int)text.len,
                        text.data);
}

int64_t tool_deadline_ns(const bp_mcp *request, const struct catalog_tool *tool)
{
    return tool->spec.deadline_ns ? tool->spec.deadline_ns
                                  : request->mcp->api->conf->server.request_deadline_ns;
}

bp_status tool_run(bp_mcp *request, const struct catalog_tool *tool, const bp_json *arguments)
{
    bp_call         *call = request->call;
    struct instance *instance = &tool->unit->instances[call->worker->index];
    struct tool_run  run = { request, tool, arguments };
    bp_status        status;

    request->unit = tool->unit;
    result_begin(request, FORM_TOOL);
    status = gate_run(call, instance, &tool->op, run_handler, &run);
    if (request->error.code)
        return BP_INVALID;
    if (status == BP_OK)
        status = result_end(request, tool->output ? tool : NULL);
    if (status == BP_OK) {
        request_end(request);
        return BP_OK;
    }
    if (status == BP_INPUT_REQUIRED && request->becomes_task)
        return task_start(request, tool, arguments);
    if (status == BP_INPUT_REQUIRED && request->wanted_count)
        return rounds_write(request, subject_of(request, tool, arguments));

    if (!request->has_begun || (call->over == BP_CANCELLED && status == BP_CANCELLED))
        return status;
    return answer_tool_error(request, request_sentence(request, status, BP_STR("tool_failed")));
}

/* A number with a fraction or an exponent: a tool that wants an integer should get one. */
static bool has_fractions(const bp_json *value)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *member;

    if (json_type_of(value) == JSON_KIND_ARRAY)
        for (size_t i = 0; i < json_count(value); i++)
            if (has_fractions(json_at(value, i)))
                return true;
    while (json_entry(value, &cursor, &key, &member))
        if (has_fractions(member))
            return true;
    return json_type_of(value) == JSON_KIND_NUMBER;
}

/* Arguments that were written almost right, made right; as they are where that does not help. */
static bp_status fit_arguments(bp_mcp *request, const struct catalog_tool *tool, bool is_valid,
                               const bp_json **arguments, bool *has_fitted)
{
    bp_call       *call = request->call;
    size_t         before = call->arena->used_bytes;
    const bp_json *fitting;
    struct reason  why;
    bp_str         text;

    *has_fitted = false;
    if (!request->mcp->api->conf->server.mcp.coerce_arguments || !tool->input_json ||
        (is_valid && !has_fractions(*arguments)))
        return BP_OK;
    text = coerce(call->arena, tool->input_json, *arguments);
    if (text.len &&
        json_read_within(call->arena, text,
                         (size_t)request->mcp->api->conf->server.mcp.message_memory_bytes, &fitting,
                         &why) == BP_OK) {
        *has_fitted = json_schema_check(tool->input, fitting, &why);
        if (*has_fitted)
            *arguments = fitting;
    }
    if (request->intake && !intake_count(request->intake, call->arena->used_bytes - before)) {
        call->error.retry_after_ns = BP_SECONDS(1);
        return request_fail(request, MCP_SERVER_ERROR, 503,
                            "your messages that are worked at take too much memory already");
    }
    return BP_OK;
}

/* An object without members, for those who sent none. */
static const bp_json *empty_object(bp_call *call)
{
    const bp_json *object = NULL;
    struct reason  why;

    json_parse(call->arena, BP_STR("{}"), &object, &why);
    return object;
}

/* A tool may run for long: beside its arguments nothing of a large message is kept. */
static void keep_arguments(bp_mcp *request, const bp_json **arguments)
{
    if (!request->intake || request->given || request->kept)
        return;
    request->message.method = arena_dup(request->call->arena, request->message.method);
    request->message.params = request->message.meta = NULL;
    intake_narrow(request->intake, arguments);
}

bp_status tools_call(bp_mcp *request)
{
    bp_call       *call = request->call;
    const bp_json *params = request->message.params,
                  *arguments = message_param(params, BP_STR("arguments"));
    bp_str                     name = json_as_string(json_get(params, BP_STR("name")));
    const struct catalog_tool *tool = catalog_find_tool(request->catalog, name);
    struct reason              why;
    enum task_use              use;
    bool                       is_valid = false, has_fitted = false;

    if (!tool)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "there is no tool \"" BP_FMT "\": tools/list lists them", BP_ARG(name));
    if (json_type_of(arguments) == JSON_KIND_STRING)
        BP_TRY(fit_arguments(request, tool, false, &arguments, &has_fitted));
    if (arguments && json_type_of(arguments) != JSON_KIND_OBJECT)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.arguments must be an object");
    BP_TRY(request_check_scope(request, tool->spec.scope));
    if ((request->abilities & tool->needs) != tool->needs) {
        if (mcp_is_modern(request->revision))
            return request_fail_ability(request, tool->needs & ~request->abilities);
        return answer_tool_error(request,
                                 arena_format(call->arena,
                                              "the tool " BP_FMT " needs a client that can do: %s",
                                              BP_ARG(tool->name), tool->spec.needs));
    }
    if (!arguments)
        arguments = empty_object(call);
    if (!json_schema_is_open(tool->input)) {
        is_valid = json_schema_check(tool->input, arguments, &why);
        BP_TRY(fit_arguments(request, tool, is_valid, &arguments, &has_fitted));
        if (!is_valid && !has_fitted)
            return answer_tool_error(request,
                                     arena_format(call->arena,
                                                  "the arguments of " BP_FMT " are not valid: %s",
                                                  BP_ARG(tool->name), why.text));
    }
    BP_TRY(mcp_take_from_limit(request, tool->op.name, tool->spec.rate_per_minute));
    if (mcp_is_modern(request->revision) && (message_param(params, BP_STR("requestState")) ||
                                             message_param(params, BP_STR("inputResponses"))))
        BP_TRY(rounds_read(request, subject_of(request, tool, arguments)));
    use = task_use_of(request, tool);
    if (use == TASK_IS_MISSING)
        return request_fail_ability(request, MCP_CAN_TASKS);
    if (use == TASK_NOW)
        return task_start(request, tool, arguments);
    request->may_become_task = use == TASK_LATER;
    call->deadline_ns = clock_now_ns() + tool_deadline_ns(request, tool);
    keep_arguments(request, &arguments);
    return tool_run(request, tool, arguments);
}
