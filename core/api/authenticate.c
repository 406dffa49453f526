/* authenticate.c - identifies the client, and decides whether it may call the route. */
#include <stdlib.h>

#include "api/api.h"
#include "api/origin.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "loop/waker.h"

enum { RECOGNISE_MS = 200, LOOK_UP_S = 5, SHA256_BYTES = 32 };

bool api_has_auth(const struct api *api)
{
    return (api->key_storage || api->oauth) && !api->is_private;
}

/* An API key says of itself that it is one; everything else is a token. */
static bp_status check_credentials(struct api *api, bp_call *call, bp_str path, bp_str presented,
                                   bool may_fetch)
{
    if (api->oauth && presented.len && !(api->key_storage && bp_str_starts(presented, "bp_")))
        return oauth_authenticate(call, api->oauth, path, presented, may_fetch, &call->principal);
    if (!api->key_storage)
        return call_fail(call, BP_UNAUTHENTICATED,
                         "a token of the issuer " BP_FMT " is needed in the header Authorization",
                         BP_ARG(api->conf->server.auth.issuer));
    return keys_authenticate(call, &api->key_storage->instances[call->worker->index].peer,
                             api->key_caches[call->worker->index], api->key_guard, presented,
                             &call->principal);
}

static bp_str presented_by(struct http_exchange *exchange)
{
    bp_str header = http_exchange_header(exchange, "authorization");

    if (header.len > 7 && str_equal_ignore_case((bp_str){ header.data, 7 }, BP_STR("Bearer ")))
        return str_trim((bp_str){ header.data + 7, header.len - 7 });
    return header.len ? (bp_str){ NULL, 0 } : http_exchange_header(exchange, "x-api-key");
}

/* A scraper must not depend on what it watches: its token is in the conf. */
static bool has_metrics_token(const struct api *api, bp_str presented)
{
    bp_str  token = api->conf->server.metrics_token;
    uint8_t mine[SHA256_BYTES], theirs[SHA256_BYTES];

    if (!token.len || !presented.len)
        return false;
    crypto_sha256(token, mine); // equal lengths, for a comparison in constant time
    crypto_sha256(presented, theirs);
    return crypto_equal(mine, theirs, sizeof(mine));
}

/* On the listener for scrapers, where nothing else is served, no storage is asked. Other machines
 * need the token there; that there is one, or that none is wanted, the conf has settled. */
static bp_status let_scraper_in(const struct api *api, bp_call *call,
                                struct http_exchange *exchange, const struct route *route)
{
    if (!(route->spec.flags & HOST_ROUTE_METRICS) || origin_is_loopback_listener(api, exchange) ||
        !api->conf->server.metrics_token.len || has_metrics_token(api, presented_by(exchange)))
        return BP_OK;
    return call_fail(call, BP_UNAUTHENTICATED,
                     "the token of server.metrics_token is needed here, as \"Authorization: Bearer "
                     "TOKEN\"");
}

/* A look-up beside the request that wants it, which does not wait for it to end. */
struct recognition {
    struct api   *api;
    struct waker *waker;
    uint32_t      refs;
    bool          is_done;
    size_t        key_len;
    char          key[KEY_TEXT_BYTES];
};

static void release_recognition(struct recognition *at)
{
    if (--at->refs == 0)
        free(at);
}

static void look_up_key(bp_call *call, void *arg)
{
    struct recognition *at = arg;

    check_credentials(at->api, call, BP_STR(""), (bp_str){ at->key, at->key_len },
                      true); // the cache has it then
    at->is_done = true;
    waker_wake(at->waker);
    waker_release(at->waker);
    release_recognition(at);
}

/* Asks the storage, but waits for no more than RECOGNISE_MS. */
static void make_key_known(struct api *api, bp_call *call, bp_str presented)
{
    struct call_options options = { .deadline_ns = clock_now_ns() + BP_SECONDS(LOOK_UP_S),
                                    .client = call->client };
    int64_t             soon_ns = clock_now_ns() + BP_MILLISECONDS(RECOGNISE_MS);
    struct recognition *at = presented.len < sizeof(at->key) ? calloc(1, sizeof(*at)) : NULL;

    if (!at)
        return;
    *at = (struct recognition){
        .api = api, .waker = waker_new(call), .refs = 2, .key_len = presented.len
    };
    memcpy(at->key, presented.data, presented.len);
    if (at->waker) {
        waker_hold(at->waker);
        if (!call_start(call->worker, &options, look_up_key, at)) {
            waker_release(at->waker);
            at->refs--;
            at->is_done = true;
        }
        while (!at->is_done && call_wait(call, soon_ns, "a look-up of a key") == BP_OK)
            ;
        waker_end(at->waker);
    } else {
        at->refs--;
    }
    release_recognition(at);
}

/* Who it is, if that can be found out at once: a hung storage must not keep anybody from hearing
 * how the server is. */
static void recognise(struct api *api, bp_call *call, bp_str path, bp_str presented)
{
    const struct key_cache *cache = api->key_caches[call->worker->index];
    bool is_token = api->oauth && !(api->key_storage && bp_str_starts(presented, "bp_"));

    if (!is_token && !keys_are_known(cache, presented))
        make_key_known(api, call, presented);
    if (is_token ? !oauth_has_keys(api->oauth) : !keys_are_known(cache, presented))
        return;
    if (check_credentials(api, call, path, presented, false) != BP_OK)
        call_clear_error(call);
}

bp_status api_authenticate(struct api *api, bp_call *call, struct http_exchange *exchange,
                           const struct route *route)
{
    bool      is_needed = route->spec.scope || route->spec.flags & BP_ROUTE_AUTHENTICATED;
    bp_str    key;
    bp_status status;

    if (api_is_metrics_listener(api, exchange))
        return let_scraper_in(api, call, exchange, route);
    if (!api_has_auth(api)) {
        call->principal.scopes = BP_STR("*");
        return BP_OK;
    }
    key = presented_by(exchange);
    if (api_is_own_route(api, route)) {
        if (route->spec.flags & HOST_ROUTE_METRICS && has_metrics_token(api, key))
            return BP_OK;
        if (route->spec.flags & HOST_ROUTE_KNOWS && key.len)
            recognise(api, call, exchange->path, key);
        if (!is_needed)
            return BP_OK; // whatever key comes with it
    }
    if (!is_needed && !key.len)
        return BP_OK;
    status = check_credentials(api, call, exchange->path, key, true);
    if (status == BP_UNAUTHENTICATED && is_needed)
        oauth_challenge(api->oauth, exchange, key.len ? "invalid_token" : NULL, route->spec.scope);
    // An open route is open to a wrong key as well, but not to one that could not be looked at.
    if (status != BP_OK)
        return is_needed || status == BP_NO_MEMORY ? status : BP_OK;
    if (!route->spec.scope || keys_allow(&call->principal, route->spec.scope))
        return BP_OK;
    oauth_challenge(api->oauth, exchange, "insufficient_scope", route->spec.scope);
    return call_fail(call, BP_DENIED, "%s " BP_FMT " lacks the scope \"%s\"",
                     api->oauth ? "the credentials of" : "the API key", BP_ARG(call->principal.id),
                     route->spec.scope);
}
