/* lists.c - pages of lists. A cursor is the place where the next page begins; the lists never
 * change while the host runs. */
#include "mcp/lists.h"

#include "base/clock.h"
#include "base/str.h"
#include "mcp/mcp.h"

enum { LIST_TTL_S = 300 };

bp_status page_begin(bp_mcp *request, const char *key, size_t count, struct page *page)
{
    const bp_json *cursor = message_param(request->message.params, BP_STR("cursor"));
    uint64_t       from = 0;

    if (json_type_of(cursor) == JSON_KIND_STRING && !json_as_string(cursor).len)
        cursor = NULL; // as models fill it in
    if (cursor &&
        (json_type_of(cursor) != JSON_KIND_STRING || !str_to_uint(json_as_string(cursor), &from) ||
         !from || from >= count || from % CATALOG_PAGE))
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 0,
                            "params.cursor is not one that this server gave: start again without "
                            "it");
    *page = (struct page){ from, count - from > CATALOG_PAGE ? from + CATALOG_PAGE : count, count };
    request_begin(request);
    json_key(&request->w, bp_str_of(key));
    json_begin(&request->w, JSON_KIND_ARRAY);
    return BP_OK;
}

void page_end(bp_mcp *request, const struct page *page)
{
    json_end(&request->w);
    if (page->to < page->count)
        json_put_string(&request->w, "nextCursor",
                        arena_format(request->call->arena, "%zu", page->to));
    request_put_caching(request, BP_SECONDS(LIST_TTL_S));
    request_end(request);
}

bp_status handler_run(bp_mcp *request, struct unit *unit, const struct gate_op *op,
                      gate_thunk thunk, void *args)
{
    bp_call *call = request->call;

    request->unit = unit;
    call->deadline_ns = clock_now_ns() + request->mcp->api->conf->server.request_deadline_ns;
    return gate_run(call, &unit->instances[call->worker->index], op, thunk, args);
}
