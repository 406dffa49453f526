/* server.c - the MCP catalogs of one edition of the conf, by listener and by app.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/proxy.h"
#include "mcp/catalog.h"
#include "mcp/coerce.h"
#include "mcp/mcp.h"
#include "mcp/session.h"

/* ---- catalogs ---- */

static bp_str key_of(struct arena *arena, const bp_str_list *apps)
{
    struct bp_buf buf;

    buf_init(&buf, arena, 1 << 16);
    for (size_t i = 0; apps && i < apps->count; i++) {
        if (i)
            buf_add(&buf, BP_STR(" "));
        buf_add(&buf, apps->items[i]);
    }
    return buf_str(&buf);
}

struct catalog *mcp_catalog_for(bp_call *call, struct mcp *mcp, const bp_str_list *apps)
{
    bp_str          key = key_of(call->arena, apps);
    struct reason   why;
    struct catalog *made;

    if (arena_is_short(call->arena)) { // with a part of its key it would be another's
        call_fail(call, BP_NO_MEMORY, "there is no memory for the list of MCP tools");
        return NULL;
    }
    for (struct catalog *at = mcp->catalogs; at; at = at->next)
        if (bp_str_equal(at->key, key))
            return at;
    made = catalog_make(mcp->api->generation, apps, &why);
    if (!made) {
        call_fail(call, BP_INVALID, "%s", why.text);
        return NULL;
    }
    made->key = arena_dup(&made->arena, key);
    if (made->key.len != key.len) {
        catalog_free(made);
        call_fail(call, BP_NO_MEMORY, "there is no memory for the list of MCP tools");
        return NULL;
    }
    made->next = mcp->catalogs;
    mcp->catalogs = made;
    return made;
}

/* Some clients refuse the whole list for it (Gemini does), so the operator has to hear of
 * it. It is no reason not to serve: other clients take it, and an app that ran yesterday would not
 * run today. */
static void warn_of_unions(bp_call *call, const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->tool_count; i++) {
        const struct catalog_tool *tool = &catalog->tools[i];
        bp_str                     place = coerce_find_union(call->arena, tool->input_json);
        bp_str                     text;

        if (!place.len)
            continue;
        text = arena_format(call->arena,
                            "the input schema of the tool %s of app." BP_FMT
                            " takes several types at " BP_FMT
                            ": some clients refuse every tool of this server for it; say one type, "
                            "and leave optional members out of \"required\"",
                            tool->spec.name, BP_ARG(tool->unit->conf->name), BP_ARG(place));
        call_log(call, BP_LOG_WARN, BP_STR("tool_schema_union"), text,
                 (bp_field[]){ bp_field_str("tool", bp_str_of(tool->spec.name)),
                               bp_field_str("place", place) },
                 sizeof(bp_field), 2);
    }
}

/* One for each listener, one for all apps, and one for each app alone. */
static bp_status make_catalogs(bp_call *call, struct mcp *mcp)
{
    const struct server_conf *server = &mcp->api->conf->server;
    const struct catalog     *all;

    mcp->by_listener = calloc(server->listener_count + 1, sizeof(*mcp->by_listener));
    if (!mcp->by_listener)
        return call_fail(call, BP_NO_MEMORY, "no memory for the MCP endpoints");
    for (size_t i = 0; i <= server->listener_count; i++) {
        mcp->by_listener[i] = mcp_catalog_for(call, mcp,
                                              i < server->listener_count
                                                  ? &server->listeners[i].apps
                                                  : NULL);
        if (!mcp->by_listener[i])
            return BP_INVALID;
    }
    all = mcp->by_listener[server->listener_count];
    warn_of_unions(call, all);
    for (size_t i = 0; i < all->unit_count; i++)
        if (!mcp_catalog_for(call, mcp, &(bp_str_list){ &all->units[i]->conf->name, 1 }))
            return BP_INVALID;
    return BP_OK;
}

bp_str mcp_scopes(struct arena *arena, const struct mcp *mcp)
{
    const struct catalog *all = mcp->by_listener[mcp->api->conf->server.listener_count];
    struct bp_buf         buf;

    buf_init(&buf, arena, 1 << 16);
    for (size_t i = 0; i < all->tool_count; i++)
        buf_addf(&buf, "%s ", all->tools[i].spec.scope ? all->tools[i].spec.scope : "");
    for (size_t i = 0; i < all->resource_count; i++)
        buf_addf(&buf, "%s ", all->resources[i].spec.scope ? all->resources[i].spec.scope : "");
    for (size_t i = 0; i < all->prompt_count; i++)
        buf_addf(&buf, "%s ", all->prompts[i].spec.scope ? all->prompts[i].spec.scope : "");
    return buf_str(&buf);
}

void mcp_sender(const struct mcp *mcp, bp_call *call, struct http_exchange *exchange,
                uint8_t digest[16])
{
    bp_principal address = { .struct_size = sizeof(address), .tenant = BP_STR("address") };

    if (call->principal.id.len || !exchange) {
        principal_digest(&call->principal, digest);
        return;
    }
    address.id = proxy_client_block(mcp->api, exchange);
    principal_digest(&address, digest);
}

/* ---- life ---- */

struct mcp *mcp_new(bp_call *call, struct api *api, struct mcp_kept *kept)
{
    struct mcp *mcp = calloc(1, sizeof(*mcp));

    if (!mcp) {
        call_fail(call, BP_NO_MEMORY, "no memory for the MCP server");
        return NULL;
    }
    *mcp = (struct mcp){ .api = api,
                         .kept = kept,
                         .sessions = kept->sessions,
                         .listeners = kept->listeners,
                         .tasks = kept->tasks,
                         .messages = kept->messages,
                         .is_open = !api_has_auth(api) };
    if (make_catalogs(call, mcp) == BP_OK)
        return mcp;
    mcp_free(mcp);
    return NULL;
}

void mcp_free(struct mcp *mcp)
{
    if (!mcp)
        return;
    while (mcp->catalogs) {
        struct catalog *next = mcp->catalogs->next;

        catalog_free(mcp->catalogs);
        mcp->catalogs = next;
    }
    free(mcp->by_listener);
    free(mcp);
}
