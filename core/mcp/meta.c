/* meta.c - reads the client's data in params._meta, for requests of the modern era. */
#include "mcp/methods.h"
#include "mcp/request.h"

bp_status request_fail_version(bp_mcp *request, bp_str wanted)
{
    struct bp_buf  buf;
    bp_json_writer w;

    request_fail(request, MCP_UNSUPPORTED_VERSION, 400, "MCP \"" BP_FMT "\" is not spoken here",
                 BP_ARG(wanted));
    buf_init(&buf, request->call->arena, 4096);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("supported"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (int i = MCP_REVISIONS - 1; i >= 0; i--)
        json_add_string(&w, bp_str_of(mcp_revision_name((enum mcp_revision)i)));
    json_end(&w);
    json_put_string(&w, "requested", wanted);
    json_end(&w);
    request->error.data = buf_str(&buf);
    return BP_INVALID;
}

bp_status request_read_meta(bp_mcp *request)
{
    const bp_json *meta = request->message.meta;
    const bp_json *version = json_get(meta, BP_STR(MCP_META_VERSION));
    const bp_json *capabilities = json_get(meta, BP_STR(MCP_META_CAPABILITIES));

    if (json_type_of(version) != JSON_KIND_STRING)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "params._meta needs \"" MCP_META_VERSION
                            "\"; a client of the revisions up to 2025-11-25 begins with "
                            "`initialize`");
    if (!mcp_revision_find(json_as_string(version), &request->revision) ||
        !mcp_is_modern(request->revision)) {
        request->revision = MCP_2026_07_28;
        return request_fail_version(request, json_as_string(version));
    }
    if (json_type_of(capabilities) != JSON_KIND_OBJECT)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "params._meta needs \"" MCP_META_CAPABILITIES "\", an object");
    request->abilities = mcp_abilities_read(capabilities);
    request->client = request_client_name(request->call, json_get(meta, BP_STR(MCP_META_CLIENT)));
    request->log_level = mcp_level_find(json_as_string(json_get(meta, BP_STR(MCP_META_LOG_LEVEL))));
    return BP_OK;
}
