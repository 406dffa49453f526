/* token_rig.h - an issuer of tokens on loopback, and an app that asks for them. */
#ifndef TOKEN_RIG_H
#define TOKEN_RIG_H

#include "api_rig.h"

#include "../../../lib/jwt_examples.h"

/* ---- the issuer ---- */

static struct rig issuer;
static struct {
    atomic_int  asked; /* for keys */
    atomic_int  status;
    char        paths[512]; /* where metadata was looked for */
    const char *found_at;   /* the path that has it; NULL: none */
    char        metadata[512];
} at_issuer;

static void answer_as_issuer(struct http_exchange *exchange, void *arg)
{
    size_t used = strlen(at_issuer.paths);

    (void)arg;
    if (bp_str_is(exchange->path, "/keys")) {
        at_issuer.asked++;
        http_exchange_send(exchange, at_issuer.status, BP_STR("application/json"),
                           bp_str_of(example_keys));
        return;
    }
    snprintf(at_issuer.paths + used, sizeof(at_issuer.paths) - used, BP_FMT " ",
             BP_ARG(exchange->path));
    if (at_issuer.found_at && bp_str_is(exchange->path, at_issuer.found_at))
        http_exchange_send(exchange, 200, BP_STR("application/json"),
                           bp_str_of(at_issuer.metadata));
    else
        http_exchange_send(exchange, 404, BP_STR("text/plain"), BP_STR("none"));
}

/* ---- the app ---- */

static bp_status tell_who(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)instance, (void)request;
    return bp_respond(call, response, 200, "text/plain",
                      bp_format(call, "id=" BP_FMT " tenant=" BP_FMT, BP_ARG(call->principal.id),
                                BP_ARG(call->principal.tenant)));
}

static const bp_route app_routes[] = {
    { .method = "GET", .path = "/any", .handler = tell_who, .flags = BP_ROUTE_AUTHENTICATED },
    { .method = "GET", .path = "/open", .handler = tell_who },
    { .method = "GET", .path = "/guarded", .handler = tell_who, .scope = "guarded:read" },
    { .method = "GET", .path = "/scoped", .handler = tell_who, .scope = "app:read" },
};

static const bp_str audience[] = { BP_STR("https://mcp.example.org/mcp"),
                                   BP_STR("https://mcp.example.org/other"),
                                   BP_STR("https://else.example.org/third") };
static char         keys_url[64];

static inline int defaults(void **state)
{
    (void)state;
    memset(&at_issuer, 0, sizeof(at_issuer));
    at_issuer.status = 200;
    rig_defaults(&issuer);
    rig_start(&issuer, answer_as_issuer);
    rig_routes = app_routes;
    rig_route_count = sizeof(app_routes) / sizeof(app_routes[0]);
    api_rig_defaults();
    snprintf(keys_url, sizeof(keys_url), "http://127.0.0.1:%u/keys", issuer.port);
    conf.server.auth.mode = AUTH_OAUTH;
    conf.server.auth.issuer = BP_STR("https://login.example.org");
    conf.server.auth.audience = (bp_str_list){ audience, 3 };
    conf.server.auth.tenant_claim = BP_STR("tenant");
    conf.server.auth.keys_url = bp_str_of(keys_url);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    api_rig_close();
    rig_stop(&issuer);
    return 0;
}

static char good[2048], wrong[2048], unknown[256];

static inline void make_headers(void)
{
    snprintf(good, sizeof(good), "Authorization: Bearer %s\r\n", example_es256);
    snprintf(wrong, sizeof(wrong), "Authorization: Bearer %s\r\n", example_es256);
    wrong[strlen(wrong) - 20] ^= 1;
    snprintf(unknown, sizeof(unknown), "Authorization: Bearer %s\r\n",
             "eyJhbGciOiJFUzI1NiIsImtpZCI6Im5ldyJ9.eyJhIjoxfQ.AAAA");
}

#define STARTS(test) cmocka_unit_test_setup_teardown(test, defaults, tear_down)

#endif
