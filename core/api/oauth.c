/* oauth.c - fetches and caches the issuer's keys, checks tokens against them, and words the answers
 * to clients. */
#include "api/oauth.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/jwt.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "loop/mutex.h"
#include "net/http_client.h"

enum {
    KEYS_BYTES_MAX = 1 << 20,
    METADATA_BYTES_MAX = 1 << 16,
    CHALLENGE_BYTES_MAX = 4096,
    KEEP_S = 600,
    AGAIN_S = 30,
    FAILED_S = 2,
    FETCH_S = 5,
    STALE_S = 86400
};

struct held_keys {
    _Atomic uint32_t refs;
    struct jwt_keys *keys;
};

struct oauth {
    const struct server_auth *conf;
    struct key_guard         *guard;
    pthread_mutex_t           lock;
    struct bp_mutex          *fetching; /* one at a time */
    struct held_keys         *held;     /* under `lock` */
    int64_t                   fetched_ns, tried_ns;
};

struct oauth *oauth_new(const struct server_auth *conf, struct key_guard *guard)
{
    struct oauth *oauth = calloc(1, sizeof(*oauth));

    if (!oauth)
        return NULL;
    oauth->conf = conf;
    oauth->guard = guard;
    pthread_mutex_init(&oauth->lock, NULL);
    oauth->fetching = mutex_create();
    oauth->fetched_ns = oauth->tried_ns = -BP_SECONDS(STALE_S);
    if (oauth->fetching)
        return oauth;
    free(oauth);
    return NULL;
}

static void release(struct held_keys *held)
{
    if (!held || --held->refs)
        return;
    jwt_keys_free(held->keys);
    free(held);
}

void oauth_free(struct oauth *oauth)
{
    if (!oauth)
        return;
    release(oauth->held);
    mutex_destroy(oauth->fetching);
    pthread_mutex_destroy(&oauth->lock);
    free(oauth);
}

/* ---- the issuer's keys ---- */

static struct held_keys *hold(struct oauth *oauth, int64_t *age_ns, int64_t *since_try_ns)
{
    struct held_keys *held;

    pthread_mutex_lock(&oauth->lock);
    held = oauth->held;
    if (held)
        held->refs++;
    *age_ns = clock_now_ns() - oauth->fetched_ns;
    *since_try_ns = clock_now_ns() - oauth->tried_ns;
    pthread_mutex_unlock(&oauth->lock);
    return held;
}

static bp_status get(bp_call *call, bp_str url, bp_str *body)
{
    bp_http_request  request = { .struct_size = sizeof(request),
                                 .url = url,
                                 .max_response_bytes = KEYS_BYTES_MAX,
                                 .deadline_ns = clock_now_ns() + BP_SECONDS(FETCH_S) };
    bp_http_response response = { .struct_size = sizeof(response) };

    BP_TRY(http_client_fetch(call, &request, &response));
    if (response.status != 200)
        return call_fail(call, BP_UPSTREAM, BP_FMT " answered %d", BP_ARG(url), response.status);
    *body = response.body;
    return BP_OK;
}

/* The places where an issuer says where its keys are; with a path, it stands behind the name in the
 * first two (RFC 8414 3.1, OpenID Connect Discovery 4). */
static bp_str metadata_url(bp_call *call, bp_str issuer, size_t place)
{
    const char *scheme = strstr(issuer.data, "://"), *slash;
    bp_str      origin = issuer, path = { "", 0 };

    if (issuer.len && issuer.data[issuer.len - 1] == '/')
        origin.len = issuer.len -= 1;
    slash = scheme ? memchr(scheme + 3, '/', (size_t)(issuer.data + issuer.len - scheme - 3))
                   : NULL;
    if (slash) {
        path = bp_str_n(slash, (size_t)(issuer.data + issuer.len - slash));
        origin.len = (size_t)(slash - issuer.data);
    }
    switch (place) {
    case 0:
        return arena_format(call->arena, BP_FMT "/.well-known/oauth-authorization-server" BP_FMT,
                            BP_ARG(origin), BP_ARG(path));
    case 1:
        return arena_format(call->arena, BP_FMT "/.well-known/openid-configuration" BP_FMT,
                            BP_ARG(origin), BP_ARG(path));
    default:
        return arena_format(call->arena, BP_FMT "/.well-known/openid-configuration",
                            BP_ARG(issuer));
    }
}

/* It must be the issuer's own document (RFC 8414 3.3), and must not send us from https to where
 * anybody may answer. */
static bp_status read_metadata(bp_call *call, const struct oauth *oauth, bp_str body,
                               bp_str *keys_url)
{
    bp_str         issuer = oauth->conf->issuer, url;
    const bp_json *json;
    struct reason  reason;

    if (json_parse(call->arena, body, &json, &reason) != BP_OK)
        return call_fail(call, BP_UPSTREAM, "its metadata is not JSON: %s", reason.text);
    if (!bp_str_equal(json_as_string(json_get(json, BP_STR("issuer"))), issuer))
        return call_fail(call, BP_UPSTREAM, "its metadata says that it is another issuer");
    url = json_as_string(json_get(json, BP_STR("jwks_uri")));
    if (!url.len)
        return call_fail(call, BP_UPSTREAM, "its metadata names no jwks_uri");
    if (bp_str_starts(issuer, "https://") && !bp_str_starts(url, "https://"))
        return call_fail(call, BP_UPSTREAM, "its jwks_uri is no https:// URL");
    *keys_url = url;
    return BP_OK;
}

static bp_status find_key_url(bp_call *call, const struct oauth *oauth, bp_str *url)
{
    bp_status status = BP_UPSTREAM;
    bp_str    body;

    *url = oauth->conf->keys_url;
    for (size_t place = 0; place < 3 && !url->len; place++) {
        status = get(call, metadata_url(call, oauth->conf->issuer, place), &body);
        if (status == BP_OK)
            return read_metadata(call, oauth, body, url);
    }
    return url->len ? BP_OK : status;
}

static bp_status get_keys(bp_call *call, const struct oauth *oauth, struct jwt_keys **keys)
{
    bp_str        url, body;
    struct reason why;

    BP_TRY(find_key_url(call, oauth, &url));
    BP_TRY(get(call, url, &body));
    *keys = jwt_keys_read(body, &why);
    return *keys ? BP_OK : call_fail(call, BP_UPSTREAM, "%s", why.text);
}

static void note_try(struct oauth *oauth)
{
    pthread_mutex_lock(&oauth->lock);
    oauth->tried_ns = clock_now_ns();
    pthread_mutex_unlock(&oauth->lock);
}

static bp_status fetch(bp_call *call, struct oauth *oauth)
{
    struct held_keys *made = calloc(1, sizeof(*made)), *old;
    bp_status         status;

    note_try(oauth);
    call->shield_until_ns = clock_now_ns() +
                            BP_SECONDS(
                                FETCH_S); // a client that goes away must not keep others from keys
    status = made ? get_keys(call, oauth, &made->keys) : BP_NO_MEMORY;
    call->shield_until_ns = 0;
    if (status != BP_OK) {
        free(made);
        note_try(oauth);
        status = call_fail(call, BP_UNAVAILABLE,
                           "the keys of the issuer " BP_FMT " cannot be had: " BP_FMT,
                           BP_ARG(oauth->conf->issuer), BP_ARG(call->error.message));
        call_set_error_for_client(call, BP_STR("the keys of the issuer of tokens cannot be had "
                                               "now: try again soon"));
        return status;
    }
    made->refs = 1;
    pthread_mutex_lock(&oauth->lock);
    old = oauth->held;
    oauth->held = made;
    oauth->fetched_ns = clock_now_ns();
    pthread_mutex_unlock(&oauth->lock);
    release(old);
    return BP_OK;
}

/* Whether the keys will do for now. An issuer that is down for a while locks nobody out. A client
 * that sends tokens signed with unknown keys makes us ask the issuer at most twice a minute. */
static bool will_do(const struct held_keys *held, int64_t age_ns, int64_t since_try_ns,
                    bool is_unknown)
{
    if (!held || age_ns >= BP_SECONDS(STALE_S))
        return false;
    return since_try_ns < BP_SECONDS(AGAIN_S) || (age_ns < BP_SECONDS(KEEP_S) && !is_unknown);
}

/* The keys, held; fetched again when they are old, or at once when `is_unknown` key was asked for.
 */
static bp_status take_keys(bp_call *call, struct oauth *oauth, bool is_unknown,
                           struct held_keys **held)
{
    int64_t   age_ns, since_try_ns;
    bp_status status = BP_OK;

    *held = hold(oauth, &age_ns, &since_try_ns);
    if (will_do(*held, age_ns, since_try_ns, is_unknown))
        return BP_OK;
    release(*held);
    *held = NULL;
    BP_TRY(mutex_lock(call, oauth->fetching));
    *held = hold(oauth, &age_ns, &since_try_ns); // others may have fetched them meanwhile
    if (!will_do(*held, age_ns, since_try_ns, is_unknown)) {
        if (since_try_ns < BP_SECONDS(FAILED_S))
            status = call_fail(call, BP_UNAVAILABLE,
                               "the keys of the issuer " BP_FMT
                               " could not be had a moment ago: try again soon",
                               BP_ARG(oauth->conf->issuer));
        else
            status = fetch(call, oauth);
        release(*held);
        *held = hold(oauth, &age_ns, &since_try_ns);
    }
    mutex_unlock(oauth->fetching);
    if (status == BP_OK || (*held && age_ns < BP_SECONDS(STALE_S)))
        return BP_OK;
    release(*held);
    *held = NULL;
    return status;
}

bool oauth_has_keys(struct oauth *oauth)
{
    int64_t           age_ns, since_try_ns;
    struct held_keys *held = hold(oauth, &age_ns, &since_try_ns);
    bool              has = will_do(held, age_ns, since_try_ns, false);

    release(held);
    return has;
}

/* ---- resources ---- */

static bp_str origin_of_url(bp_str url)
{
    const char *scheme = url.len ? strstr(url.data, "://") : NULL;
    const char *slash = scheme ? strchr(scheme + 3, '/') : NULL;

    return slash ? bp_str_n(url.data, (size_t)(slash - url.data)) : url;
}

static bp_str path_of_url(bp_str url)
{
    bp_str origin = origin_of_url(url);

    return bp_str_n(url.data + origin.len, url.len - origin.len);
}

static bp_str main_resource(const struct oauth *oauth)
{
    return oauth->conf->audience.count ? oauth->conf->audience.items[0] : (bp_str){ "", 0 };
}

/* The MCP endpoint of one app is a resource of its own: "/mcp/NAME". */
static bool is_app_endpoint(bp_str path)
{
    return path.len > 5 && bp_str_starts(path, "/mcp/") &&
           !memchr(path.data + 5, '/', path.len - 5);
}

/* The resource at `path`: one of the conf's own names, an app's endpoint behind the same origin, or
 * none. */
static bp_str resource_at(bp_call *call, const struct oauth *oauth, bp_str path)
{
    const bp_str_list *audience = &oauth->conf->audience;
    bp_str             origin = origin_of_url(main_resource(oauth));

    for (size_t i = 0; i < audience->count; i++)
        if (bp_str_equal(path_of_url(audience->items[i]), path) &&
            bp_str_equal(origin_of_url(audience->items[i]), origin))
            return audience->items[i];
    if (bp_str_is(path, "/mcp") || is_app_endpoint(path))
        return arena_format(call->arena, BP_FMT BP_FMT, BP_ARG(origin), BP_ARG(path));
    return path.len ? (bp_str){ "", 0 } : main_resource(oauth);
}

/* What a token may be made out for when it comes to `path`. */
static bp_str_list audiences_at(bp_call *call, const struct oauth *oauth, bp_str path)
{
    bp_str_list all = oauth->conf->audience;
    bp_str     *items = is_app_endpoint(path)
                            ? arena_alloc(call->arena, (all.count + 1) * sizeof(*items))
                            : NULL;

    if (!items || !all.count)
        return all;
    memcpy(items, all.items, all.count * sizeof(*items));
    items[all.count] = resource_at(call, oauth, path);
    return (bp_str_list){ .items = items, .count = all.count + 1 };
}

/* Operators read what it was; a client is told that its token is not taken, and when to come again.
 */
static bp_status refuse_unchecked(bp_call *call)
{
    int64_t wait_ns = BP_SECONDS(FAILED_S);

    if (call_over(call) != BP_OK)
        return call_fail_over(call, call_over(call), "checking a token");
    log_message(call->worker->log, BP_LOG_WARN, "issuer_unreachable", BP_FMT,
                BP_ARG(call->error.message));
    call_fail(call, BP_UNAUTHENTICATED,
              "the token cannot be checked at the moment, as the keys of its issuer cannot be had: "
              "try again soon");
    call->error.retry_after_ns = wait_ns;
    return BP_UNAUTHENTICATED;
}

/* Two rounds at most: in the second the issuer was asked once more. `is_checked` stays false when
 * there were no keys to check it with. */
static bp_status check_token(bp_call *call, struct oauth *oauth, const struct jwt_rules *rules,
                             bp_str token, bool may_fetch, bp_principal *principal,
                             bool *is_checked)
{
    enum jwt_verdict verdict = JWT_UNKNOWN_KEY;
    struct reason    why;

    *is_checked = false;
    for (int attempt = 0; attempt < (may_fetch ? 2 : 1) && verdict == JWT_UNKNOWN_KEY; attempt++) {
        struct held_keys *held;

        if (take_keys(call, oauth, attempt > 0, &held) != BP_OK)
            return refuse_unchecked(call);
        verdict = jwt_check(call->arena, token, held->keys, rules, principal, &why);
        release(held);
    }
    *is_checked = verdict != JWT_NO_MEMORY;
    if (verdict == JWT_NO_MEMORY)
        return call_fail(call, BP_NO_MEMORY, "%s", why.text);
    return verdict == JWT_GOOD ? BP_OK : call_fail(call, BP_UNAUTHENTICATED, "%s", why.text);
}

static void hash_token(bp_str token, char text[KEY_HASH_CHARS + 1])
{
    uint8_t digest[32];

    crypto_sha256(token, digest);
    crypto_hex(digest, sizeof(digest), text);
}

bp_status oauth_authenticate(bp_call *call, struct oauth *oauth, bp_str path, bp_str token,
                             bool may_fetch, bp_principal *principal)
{
    bp_str_list      audiences = audiences_at(call, oauth, path);
    struct jwt_rules rules = { .issuer = oauth->conf->issuer,
                               .audiences = &audiences,
                               .tenant_claim = oauth->conf->tenant_claim,
                               .now_s = clock_wall_ns() / 1000000000 };
    char             hash[KEY_HASH_CHARS + 1];
    bp_str           id = { hash, KEY_ID_CHARS };
    bool             is_guess, is_checked;
    bp_status        status;

    hash_token(token, hash);
    is_guess = !key_guard_trusts(oauth->guard, id, hash);
    if (is_guess)
        BP_TRY(key_guard_allow_guess(oauth->guard, call,
                                     "too many wrong tokens came from this address: the server "
                                     "checks no unknown tokens from it for a while"));
    status = check_token(call, oauth, &rules, token, may_fetch, principal, &is_checked);
    if (is_checked)
        key_guard_note(oauth->guard, id, hash, status == BP_OK);
    if (is_checked && status != BP_OK && is_guess) // one that was good and has expired is no guess
        key_guard_charge(oauth->guard, call);
    return status;
}

/* ---- what clients are told ---- */

bp_str oauth_metadata(bp_call *call, const struct oauth *oauth, bp_str path, bp_str scopes)
{
    bp_str         resource = resource_at(call, oauth, path);
    struct bp_buf  buf;
    bp_json_writer w;

    if (!resource.len)
        return resource;

    buf_init(&buf, call->arena, METADATA_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_string(&w, "resource", resource);
    json_key(&w, BP_STR("authorization_servers"));
    json_begin(&w, JSON_KIND_ARRAY);
    json_add_string(&w, oauth->conf->issuer);
    json_end(&w);
    json_key(&w, BP_STR("scopes_supported"));
    json_begin(&w, JSON_KIND_ARRAY);
    while (scopes.len) {
        const char *blank = memchr(scopes.data, ' ', scopes.len);
        size_t      len = blank ? (size_t)(blank - scopes.data) : scopes.len;

        json_add_string(&w, bp_str_n(scopes.data, len));
        scopes = bp_str_n(scopes.data + len + (blank != NULL), scopes.len - len - (blank != NULL));
    }
    json_end(&w);
    json_key(&w, BP_STR("bearer_methods_supported"));
    json_add_raw(&w, BP_STR("[\"header\"]"));
    json_put_text(&w, "resource_name", "Backplane");
    json_end(&w);
    return buf_str(&buf);
}

void oauth_challenge(const struct oauth *oauth, struct http_exchange *exchange, const char *error,
                     const char *scope)
{
    struct bp_buf value;

    buf_init(&value, exchange->call->arena, CHALLENGE_BYTES_MAX);
    buf_add(&value, BP_STR("Bearer realm=\"backplane\""));
    if (oauth) {
        bp_str resource = resource_at(exchange->call, oauth, exchange->path);

        if (!resource.len)
            resource = main_resource(
                oauth); // a route that is no resource of its own is part of that
        buf_addf(&value,
                 ", resource_metadata=\"" BP_FMT "/.well-known/oauth-protected-resource" BP_FMT
                 "\"",
                 BP_ARG(origin_of_url(resource)), BP_ARG(path_of_url(resource)));
    }
    if (error)
        buf_addf(&value, ", error=\"%s\"", error);
    if (scope)
        buf_addf(&value, ", scope=\"%s\"", scope);
    http_exchange_add_header(exchange, BP_STR("WWW-Authenticate"), buf_str(&value));
}
