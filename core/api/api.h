/* api.h - from an exchange of the edge to a handler: ids, host check, route, authentication,
 * limits, answer, log.
 *
 *      edge -> request id, trace -> Host and Origin -> route -> key and scope -> rate -> handler (through the gate)
 *           -> answer or error -> metrics, log line
 */
#ifndef CORE_API_API_H
#define CORE_API_API_H

#include "api/keys.h"
#include "api/oauth.h"
#include "api/router.h"
#include "base/reason.h"
#include "net/http_server.h"
#include "ops/health.h"

struct api {
    struct conf          *conf;
    struct generation    *generation;
    struct health_board  *health;
    struct metric_series *in_flight;
    struct router        *router;
    struct key_cache    **key_caches;  /* one a worker */
    struct unit          *key_storage; /* NULL: no keys are taken */
    struct key_guard     *key_guard;
    struct budget        *host_requests; /* of a client in a minute */
    struct oauth         *oauth;         /* NULL: no tokens are taken */
    bp_str                scopes;        /* all that routes and tools ask for; in the arena */
    struct runs          *runs;          /* long-lived work; outlives the edition */
    struct unit          *cache;         /* for rate limits; NULL: none */
    uint64_t              client_seed;   /* of the hashes in bp_call.client */
    bool is_private; /* reached through a socket that only this user can open: nobody is asked */
    struct metric_family *requests;
    bp_str                openapi; /* made once; in the arena */
    const char *
        *prefixes; /* of the paths of the generation's units: "" or "/notes"; in the arena */
    struct arena arena;
};

/* Builds the routes of the host and, when they are served at all, of every app: over standard input
 * and output there is no HTTP, so that nothing there can be in each other's way. False with a
 * sentence in `why`; an app's mistakes are also in the conf's problems. No
 * instance needs to be up. */
bool api_init(struct api *api, struct conf *conf, struct generation *generation,
              struct health_board *health, bool is_served, struct reason *why);
/* When all routes are there: makes their description. `more_scopes` are those of operations that
 * are not routes; separated by blanks. */
void api_describe(struct api *api, bp_str more_scopes);
void api_free(struct api *api);

/* Takes one from a client's requests of a minute: `own` of the thing called `name`, or the limit of
 * the conf when it is 0. BP_LIMIT. The headers X-RateLimit-* are set. */
bp_status api_take_from_limit(struct api *api, struct http_exchange *exchange, const char *name,
                              uint32_t own) BP_SUSPENDS;
/* Whether clients have to say who they are. */
bool api_has_auth(const struct api *api);

/* The http_handler; `arg` is the api. */
void api_handle(struct http_exchange *exchange, void *arg) BP_SUSPENDS;

/* Of the host's own table, and not of another layer's that has no app, as MCP is. */
bool api_is_own_route(const struct api *api, const struct route *route);
/* Fills the call's principal, or BP_UNAUTHENTICATED, BP_DENIED, BP_LIMIT, or what the storage
 * failed with. */
bp_status api_authenticate(struct api *api, bp_call *call, struct http_exchange *exchange,
                           const struct route *route) BP_SUSPENDS;
/* Whether the request came by the listener that is for metrics alone. */
bool api_is_metrics_listener(const struct api *api, const struct http_exchange *exchange);

/* Flags of the host's own routes, beside those of the SDK. */
enum {
    HOST_ROUTE_PROBE = 1u << 30,   /* answered whatever happens: no limit, no shedding */
    HOST_ROUTE_KNOWS = 1u << 29,   /* says more to who is known, but waits for nobody to find out */
    HOST_ROUTE_METRICS = 1u << 28, /* has a token and a listener of its own */
};

/* host_routes.c */
extern const bp_route api_host_routes[];
extern const size_t   api_host_route_count;
/* openapi.c: the description of all routes, as OpenAPI 3.1 and as a page for people. */
bp_str api_make_openapi(const struct api *api, struct arena *arena);
bp_str api_make_docs_page(const struct api *api, struct arena *arena);

#endif
