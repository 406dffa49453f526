/* prompts.c - prompts/list, prompts/get and completion/complete. */
#include "mcp/lists.h"
#include "mcp/request.h"

bp_status prompts_list(bp_mcp *request)
{
    const struct catalog *catalog = request->catalog;
    struct page           page;

    BP_TRY(page_begin(request, "prompts", catalog->prompt_count, &page));
    for (size_t i = page.from; i < page.to; i++)
        json_add_raw(&request->w, catalog->prompts[i].listing);
    page_end(request, &page);
    return BP_OK;
}

/* ---- getting ---- */

static const bp_mcp_argument *argument_at(const bp_mcp_prompt *prompt, uint32_t index)
{
    return (const bp_mcp_argument *)(const void *)((const char *)prompt->arguments +
                                                   index * prompt->argument_size);
}

static bp_status check_arguments(bp_mcp *request, const bp_mcp_prompt *prompt,
                                 const bp_json *arguments)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    if (arguments && json_type_of(arguments) != JSON_KIND_OBJECT)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.arguments must be an object");
    while (json_entry(arguments, &cursor, &key, &value))
        if (json_type_of(value) != JSON_KIND_STRING && json_type_of(value) != JSON_KIND_NULL)
            return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                                "the argument \"" BP_FMT "\" must be a string", BP_ARG(key));
    for (uint32_t i = 0; i < prompt->argument_count; i++) {
        const bp_mcp_argument *argument = argument_at(prompt, i);

        if (argument->is_required && !message_param(arguments, bp_str_of(argument->name)))
            return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                                "the prompt %s needs the argument \"%s\"", prompt->name,
                                argument->name);
    }
    return BP_OK;
}

struct prompt_run {
    bp_mcp                      *request;
    const struct catalog_prompt *prompt;
    const bp_json               *arguments;
};

static bp_status run_prompt(bp_call *call, void *object, void *arg)
{
    struct prompt_run *run = arg;

    run->request->has_begun = true;
    return run->prompt->spec.handler(call, object, run->arguments, run->request);
}

bp_status prompts_get(bp_mcp *request)
{
    const bp_json         *params = request->message.params;
    bp_str                 name = json_as_string(json_get(params, BP_STR("name"))), subject, text;
    struct catalog_prompt *prompt = catalog_find_prompt(request->catalog, name);
    struct prompt_run      run = { request, prompt, message_param(params, BP_STR("arguments")) };
    bp_status              status;

    if (!prompt)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "there is no prompt \"" BP_FMT "\": prompts/list lists them",
                            BP_ARG(name));
    BP_TRY(check_arguments(request, &prompt->spec, run.arguments));
    BP_TRY(request_check_scope(request, prompt->spec.scope));
    text = run.arguments ? json_text(request->call->arena, run.arguments) : BP_STR("{}");
    subject = arena_format(request->call->arena, BP_FMT "\n%.*s", BP_ARG(prompt->name),
                           (int)text.len, text.data);
    if (mcp_is_modern(request->revision))
        BP_TRY(rounds_read(request, subject));
    result_begin(request, FORM_PROMPT);
    if (prompt->spec.description)
        request->description = bp_str_of(prompt->spec.description);
    status = handler_run(request, prompt->unit, &prompt->op, run_prompt, &run);
    if (request->error.code)
        return BP_INVALID;
    if (status == BP_INPUT_REQUIRED && request->wanted_count)
        return rounds_write(request, subject);

    BP_TRY(status);
    BP_TRY(result_end(request, NULL));
    request_end(request);
    return BP_OK;
}

/* ---- completion ---- */

struct completion_run {
    bp_mcp           *request;
    const bp_app_ops *app;
    bp_mcp_completion wanted;
};

static bp_status run_completion(bp_call *call, void *object, void *arg)
{
    struct completion_run *run = arg;

    run->request->has_begun = true;
    return run->app->complete(call, object, &run->wanted, run->request);
}

bp_status completion_complete(bp_mcp *request)
{
    static const struct gate_op op = { COMPLETION_OP, "complete", false };
    const bp_json        *params = request->message.params, *ref = json_get(params, BP_STR("ref"));
    const bp_json        *argument = json_get(params, BP_STR("argument"));
    bp_str                type = json_as_string(json_get(ref, BP_STR("type")));
    struct unit          *unit = NULL;
    struct completion_run run = { .request = request,
                                  .wanted = { .struct_size = sizeof(run.wanted) } };

    run.wanted.is_prompt = bp_str_is(type, "ref/prompt");
    if (run.wanted.is_prompt) {
        struct catalog_prompt *prompt = catalog_find_prompt(request->catalog,
                                                            json_as_string(
                                                                json_get(ref, BP_STR("name"))));

        unit = prompt ? prompt->unit : NULL;
        run.wanted.name = prompt ? bp_str_of(prompt->spec.name) : (bp_str){ NULL, 0 };
    } else if (bp_str_is(type, "ref/resource")) {
        struct catalog_resource *resource = catalog_find_template(request->catalog,
                                                                  json_as_string(
                                                                      json_get(ref,
                                                                               BP_STR("uri"))));

        unit = resource ? resource->unit : NULL;
        run.wanted.name = resource ? bp_str_of(resource->spec.uri) : (bp_str){ NULL, 0 };
    }
    if (!unit)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.ref names no prompt or resource template of this server");
    if (json_type_of(json_get(argument, BP_STR("name"))) != JSON_KIND_STRING ||
        json_type_of(json_get(argument, BP_STR("value"))) != JSON_KIND_STRING)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.argument needs a name and a value, both strings");
    run.wanted.argument = json_as_string(json_get(argument, BP_STR("name")));
    run.wanted.value = json_as_string(json_get(argument, BP_STR("value")));
    run.wanted.given = json_get(json_get(params, BP_STR("context")), BP_STR("arguments"));
    run.app = unit->plugin->descriptor.ops;
    result_begin(request, FORM_COMPLETION);
    if (run.app->complete) {
        bp_status status = handler_run(request, unit, &op, run_completion, &run);

        if (request->error.code)
            return BP_INVALID;
        BP_TRY(status);
    }
    BP_TRY(result_end(request, NULL));
    request_end(request);
    return BP_OK;
}
