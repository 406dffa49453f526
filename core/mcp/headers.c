/* headers.c - compares headers with the body: a proxy that routes by them and a server that acts on
 * the body must agree. */
#include "mcp/headers.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/str.h"
#include "mcp/methods.h"

static bp_status fail(bp_mcp *request, const char *format, bp_str a, bp_str b)
{
    return request_fail(request, MCP_HEADER_MISMATCH, 400, format, BP_ARG(a), BP_ARG(b));
}

bool headers_decode(bp_call *call, bp_str raw, bp_str *value)
{
    static const char prefix[] = "=?base64?";
    size_t            len = sizeof(prefix) - 1;
    uint8_t          *bytes;
    size_t            count;

    *value = str_trim(raw);
    if (!bp_str_starts(*value, prefix) || value->len < len + 2 ||
        memcmp(value->data + value->len - 2, "?=", 2) != 0)
        return true;
    raw = bp_str_n(value->data + len, value->len - len - 2);
    bytes = arena_alloc(call->arena, raw.len + 1);
    count = bytes && raw.len % 4 == 0 ? crypto_unbase64(raw, bytes) : SIZE_MAX;
    if (count == SIZE_MAX)
        return false;
    *value = bp_str_n((const char *)bytes, count);
    return true;
}

static bp_status check_name(bp_mcp *request, struct http_exchange *exchange,
                            const struct method *method)
{
    const char *member = method->flags & METHOD_IS_NAMED   ? "name"
                         : method->flags & METHOD_HAS_URI  ? "uri"
                         : method->flags & METHOD_HAS_TASK ? "taskId"
                                                           : NULL;
    bp_str      wanted, header;

    if (!member)
        return BP_OK;
    wanted = json_as_string(json_get(request->message.params, bp_str_of(member)));
    header = http_exchange_header(exchange, "mcp-name");
    if (!headers_decode(request->call, header, &header))
        return fail(request, "the header Mcp-Name is no base64" BP_FMT BP_FMT, BP_STR(""),
                    BP_STR(""));
    if (!bp_str_equal(header, wanted))
        return fail(request,
                    "the header Mcp-Name is \"" BP_FMT "\", but the body says \"" BP_FMT "\"",
                    header, wanted);
    return BP_OK;
}

static bool is_same_number(bp_str header, const bp_json *value)
{
    int64_t integer;
    double  number;

    // As doubles, integers beyond 2^53 would be the same as their neighbours.
    if (json_type_of(value) == JSON_KIND_INTEGER && str_to_int(header, &integer))
        return integer == json_as_integer(value);
    return str_to_double(header, &number) && number == json_as_number(value);
}

bool headers_agree(const bp_json *value, bp_str header)
{
    switch (json_type_of(value)) {
    case JSON_KIND_STRING:
        return bp_str_equal(json_as_string(value), header);
    case JSON_KIND_BOOL:
        return bp_str_is(header, json_as_bool(value) ? "true" : "false");
    case JSON_KIND_INTEGER:
    case JSON_KIND_NUMBER:
        return is_same_number(header, value);
    default:
        return false;
    }
}

static bp_status check_parameters(bp_mcp *request, struct http_exchange *exchange)
{
    const bp_json             *params = request->message.params;
    const struct catalog_tool *tool;

    if (!bp_str_is(request->message.method, "tools/call"))
        return BP_OK;
    tool = catalog_find_tool(request->catalog, json_as_string(json_get(params, BP_STR("name"))));
    for (size_t i = 0; tool && i < tool->header_count; i++) {
        const struct header_property *property = &tool->headers[i];
        const bp_json                *value = json_get(params, BP_STR("arguments"));
        bp_str header = http_exchange_header(exchange, property->header), decoded;
        bool   is_there;

        for (size_t j = 0; j < property->depth; j++)
            value = json_get(value, property->path[j]);
        is_there = value && json_type_of(value) != JSON_KIND_NULL;
        if (!is_there && !header.len)
            continue;
        if (!headers_decode(request->call, header, &decoded))
            return fail(request, "the header " BP_FMT " is no base64: \"" BP_FMT "\"",
                        bp_str_of(property->header), header);
        if (!is_there || !header.data || !headers_agree(value, decoded))
            return fail(request,
                        "the header " BP_FMT " is \"" BP_FMT
                        "\", which is not what the arguments say",
                        bp_str_of(property->header), decoded);
    }
    return BP_OK;
}

bp_status headers_check(bp_mcp *request, struct http_exchange *exchange)
{
    bp_str               header = str_trim(http_exchange_header(exchange, "mcp-method"));
    const struct method *method = method_find(request->message.method, true);

    if (!bp_str_equal(header, request->message.method))
        return fail(request,
                    "the header Mcp-Method is \"" BP_FMT "\", but the body says \"" BP_FMT "\"",
                    header, request->message.method);
    if (method)
        BP_TRY(check_name(request, exchange, method));
    return check_parameters(request, exchange);
}
