/* resources.c - resources/list, resources/templates/list and resources/read. */
#include "mcp/lists.h"
#include "mcp/request.h"

static bp_status list(bp_mcp *request, const char *key, bool is_template)
{
    const struct catalog *catalog = request->catalog;
    struct page           page;
    size_t                count = 0, place = 0;

    for (size_t i = 0; i < catalog->resource_count; i++)
        count += catalog->resources[i].is_template == is_template;
    BP_TRY(page_begin(request, key, count, &page));
    for (size_t i = 0; i < catalog->resource_count; i++) {
        if (catalog->resources[i].is_template != is_template)
            continue;
        if (place >= page.from && place < page.to)
            json_add_raw(&request->w, catalog->resources[i].listing);
        place++;
    }
    page_end(request, &page);
    return BP_OK;
}

bp_status resources_list(bp_mcp *request)
{
    return list(request, "resources", false);
}

bp_status templates_list(bp_mcp *request)
{
    return list(request, "resourceTemplates", true);
}

/* ---- reading ---- */

struct resource_run {
    bp_mcp                        *request;
    const struct catalog_resource *resource;
};

static bp_status run_handler(bp_call *call, void *object, void *arg)
{
    struct resource_run *run = arg;

    run->request->has_begun = true;
    return run->resource->spec.handler(call, object, run->request->uri, run->request);
}

static bp_status fail_not_found(bp_mcp *request)
{
    struct bp_buf  buf;
    bp_json_writer w;

    request_fail(request,
                 mcp_is_modern(request->revision) ? MCP_INVALID_PARAMS_ERROR
                                                  : MCP_RESOURCE_NOT_FOUND,
                 0,
                 "there is no resource \"" BP_FMT
                 "\": resources/list and resources/templates/list list them",
                 BP_ARG(request->uri));
    buf_init(&buf, request->call->arena, 1 << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "uri", request->uri);
    json_end(&w);
    request->error.data = buf_str(&buf);
    return BP_INVALID;
}

bp_status resources_read(bp_mcp *request)
{
    struct catalog_resource *resource;
    struct resource_run      run = { request, NULL };
    bp_status                status;

    request->uri = json_as_string(json_get(request->message.params, BP_STR("uri")));
    if (!request->uri.len)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0, "params.uri is missing");
    resource = catalog_find_resource(request->catalog, request->uri, request->values,
                                     &request->value_count);
    if (!resource)
        return fail_not_found(request);
    BP_TRY(request_check_scope(request, resource->spec.scope));
    if (mcp_is_modern(request->revision))
        BP_TRY(rounds_read(request, request->uri));
    result_begin(request, FORM_RESOURCE);
    run.resource = resource;
    status = handler_run(request, resource->unit, &resource->op, run_handler, &run);
    if (request->error.code)
        return BP_INVALID;
    if (status == BP_INPUT_REQUIRED && request->wanted_count)
        return rounds_write(request, request->uri);

    if (status == BP_NOT_FOUND || (status == BP_OK && request->block_count == 0))
        return fail_not_found(request);
    BP_TRY(status);
    BP_TRY(result_end(request, NULL));
    request_put_caching(request, resource->spec.ttl_ns);
    request_end(request);
    return BP_OK;
}
