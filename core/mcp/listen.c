/* listen.c - subscriptions/listen: a request that stays open and hears of changes (MCP 2026-07-28,
 * SEP-2575).
 *
 * What changed waits with the listener until its fiber sends it; that a list changed waits once,
 * however often it did.
 */
#include "mcp/listen.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/queue.h"
#include "mcp/mcp.h"

/* Each wish waits once, so that the bytes of the wishes bound both. */
enum {
    URIS_MAX = SESSION_URIS_MAX,
    URI_BYTES_MAX = SESSION_URI_BYTES_MAX,
    URIS_BYTES_MAX = SESSION_URIS_BYTES_MAX
};

struct waiting_uri {
    struct waiting_uri *next;
    size_t              len;
    char                uri[];
};

/* On the stack of the fiber that listens. */
struct listener {
    struct queue_link   link;
    struct waker       *waker;
    uint32_t            wants; /* 1 << enum bp_mcp_change */
    const bp_str       *uris;  /* in the call's arena */
    size_t              uri_count, uri_bytes;
    uint32_t            changed; /* lists that did */
    struct waiting_uri *first, *last;
};

struct listeners {
    pthread_mutex_t  lock;
    struct queue     all; /* struct listener */
    _Atomic uint32_t count;
    bool             is_draining;
};

struct listeners *listeners_new(void)
{
    struct listeners *listeners = calloc(1, sizeof(*listeners));

    if (listeners)
        pthread_mutex_init(&listeners->lock, NULL);
    return listeners;
}

void listeners_free(struct listeners *listeners)
{
    if (!listeners)
        return;
    pthread_mutex_destroy(&listeners->lock);
    free(listeners);
}

uint32_t listeners_count(const struct listeners *listeners)
{
    return listeners->count;
}

/* ---- telling ---- */

static bool wants_uri(const struct listener *listener, bp_str uri)
{
    for (size_t i = 0; i < listener->uri_count; i++)
        if (bp_str_equal(listener->uris[i], uri))
            return true;
    return false;
}

static void add_uri(struct listener *listener, bp_str uri)
{
    struct waiting_uri *made;

    for (const struct waiting_uri *at = listener->first; at; at = at->next)
        if (bp_str_equal(bp_str_n(at->uri, at->len), uri))
            return;
    made = malloc(sizeof(*made) + uri.len);
    if (!made)
        return;
    made->next = NULL;
    made->len = uri.len;
    memcpy(made->uri, uri.data, uri.len);
    *(listener->last ? &listener->last->next : &listener->first) = made;
    listener->last = made;
}

void listeners_tell(struct listeners *listeners, enum bp_mcp_change change, bp_str uri)
{
    struct listener *at;

    pthread_mutex_lock(&listeners->lock);
    QUEUE_EACH (&listeners->all, at, link) {
        if (change != BP_MCP_RESOURCE_UPDATED && at->wants & 1u << change)
            at->changed |= 1u << change;
        else if (change == BP_MCP_RESOURCE_UPDATED && wants_uri(at, uri))
            add_uri(at, uri);
        else
            continue;
        waker_wake(at->waker);
    }
    pthread_mutex_unlock(&listeners->lock);
}

void listeners_drain(struct listeners *listeners)
{
    struct listener *at;

    pthread_mutex_lock(&listeners->lock);
    listeners->is_draining = true;
    QUEUE_EACH (&listeners->all, at, link)
        waker_wake(at->waker);
    pthread_mutex_unlock(&listeners->lock);
}

/* ---- listening ---- */

struct wish {
    const char *name;
    uint32_t    change;
    const char *method;
};

static const struct wish wishes[] = {
    { "toolsListChanged", BP_MCP_TOOLS_CHANGED, "notifications/tools/list_changed" },
    { "promptsListChanged", BP_MCP_PROMPTS_CHANGED, "notifications/prompts/list_changed" },
    { "resourcesListChanged", BP_MCP_RESOURCES_CHANGED, "notifications/resources/list_changed" },
};
enum { WISHES = sizeof(wishes) / sizeof(wishes[0]) };

static bp_status read_wishes(bp_mcp *request, struct listener *listener)
{
    const bp_json *wanted = json_get(request->message.params, BP_STR("notifications"));
    const bp_json *uris = message_param(wanted, BP_STR("resourceSubscriptions"));
    bp_str        *list;

    if (json_type_of(wanted) != JSON_KIND_OBJECT)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "params.notifications must be an object");
    for (size_t i = 0; i < WISHES; i++)
        if (json_as_bool(json_get(wanted, bp_str_of(wishes[i].name))))
            listener->wants |= 1u << wishes[i].change;
    if (!uris)
        return BP_OK;
    if (json_type_of(uris) != JSON_KIND_ARRAY || json_count(uris) > URIS_MAX)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "params.notifications.resourceSubscriptions must be an array of at "
                            "most %d uris",
                            URIS_MAX);
    list = arena_alloc(request->call->arena, json_count(uris) * sizeof(*list));
    if (!list)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < json_count(uris); i++) {
        bp_str uri = json_as_string(json_at(uris, i));

        listener->uri_bytes += uri.len + sizeof(*list);
        if (uri.len > URI_BYTES_MAX || listener->uri_bytes > URIS_BYTES_MAX)
            return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                                "a uri of params.notifications.resourceSubscriptions may have %d "
                                "bytes, and all of them %d",
                                URI_BYTES_MAX, URIS_BYTES_MAX);
        if (uri.len) // a copy: the message is given back before the waiting begins
            list[listener->uri_count++] = arena_dup(request->call->arena, uri);
    }
    listener->uris = list;
    return arena_is_short(request->call->arena)
               ? call_fail(request->call, BP_NO_MEMORY, "there is no memory for the uris")
               : BP_OK;
}

static void begin_params(bp_mcp *request, struct bp_buf *buf, bp_json_writer *w)
{
    buf_init(buf, request->call->arena, REQUEST_BYTES_MAX);
    json_writer_init(w, buf);
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, BP_STR("_meta"));
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, BP_STR(MCP_META_SUBSCRIPTION));
    json_add_raw(w, request->message.id);
    json_end(w);
}

static bp_status send_params(bp_mcp *request, const char *method, struct bp_buf *buf,
                             bp_json_writer *w)
{
    json_end(w);
    BP_TRY(json_writer_status(w));
    return request->channel->send(request,
                                  message_notification(request->call, method, buf_str(buf)));
}

static bp_status acknowledge(bp_mcp *request, const struct listener *listener)
{
    struct bp_buf  buf;
    bp_json_writer w;

    begin_params(request, &buf, &w);
    json_key(&w, BP_STR("notifications"));
    json_begin(&w, JSON_KIND_OBJECT);
    for (size_t i = 0; i < WISHES; i++)
        if (listener->wants & 1u << wishes[i].change)
            json_put_bool(&w, wishes[i].name, true);
    if (listener->uri_count) {
        json_key(&w, BP_STR("resourceSubscriptions"));
        json_begin(&w, JSON_KIND_ARRAY);
        for (size_t i = 0; i < listener->uri_count; i++)
            json_add_string(&w, listener->uris[i]);
        json_end(&w);
    }
    json_end(&w);
    return send_params(request, "notifications/subscriptions/acknowledged", &buf, &w);
}

/* One piece of news, taken under the lock. */
struct news {
    uint32_t            changed;
    struct waiting_uri *uri; /* now the taker's */
    bool                is_end;
};

static struct news take_news(struct listeners *listeners, struct listener *listener)
{
    struct news news = { 0 };

    pthread_mutex_lock(&listeners->lock);
    news.changed = listener->changed;
    listener->changed = 0;
    news.uri = listener->first;
    if (news.uri) {
        listener->first = news.uri->next;
        if (!listener->first)
            listener->last = NULL;
    }
    news.is_end = listeners->is_draining && !news.changed && !news.uri;
    pthread_mutex_unlock(&listeners->lock);
    return news;
}

static bp_status send_news(bp_mcp *request, const struct news *news)
{
    struct bp_buf  buf;
    bp_json_writer w;

    for (size_t i = 0; i < WISHES; i++) {
        if (!(news->changed & 1u << wishes[i].change))
            continue;
        begin_params(request, &buf, &w);
        BP_TRY(send_params(request, wishes[i].method, &buf, &w));
    }
    if (!news->uri)
        return BP_OK;
    begin_params(request, &buf, &w);
    json_put_string(&w, "uri", bp_str_n(news->uri->uri, news->uri->len));
    return send_params(request, "notifications/resources/updated", &buf, &w);
}

static bp_status hear(bp_mcp *request, struct listener *listener)
{
    bp_call  *call = request->call;
    bp_status status;

    BP_TRY(call_scratch_begin(call));
    status = acknowledge(request, listener);
    call_scratch_end(call);
    BP_TRY(status);
    for (;;) {
        struct news news = take_news(request->mcp->listeners, listener);

        if (news.is_end)
            return BP_OK;
        if (!news.changed && !news.uri) {
            status = call_wait(call, BP_FOREVER, "news for a subscription");
            if (status != BP_OK)
                return call_fail_over(call, status, "waiting for news");
            continue;
        }
        status = call_scratch_begin(call); // it may go on for days
        if (status == BP_OK) {
            status = send_news(request, &news);
            call_scratch_end(call);
        }
        free(news.uri);
        BP_TRY(status);
    }
}

static void join(struct listeners *listeners, struct listener *listener)
{
    pthread_mutex_lock(&listeners->lock);
    queue_push_front(&listeners->all, &listener->link);
    listeners->count++;
    pthread_mutex_unlock(&listeners->lock);
}

static void leave(struct listeners *listeners, struct listener *listener)
{
    pthread_mutex_lock(&listeners->lock);
    queue_remove(&listener->link);
    listeners->count--;
    pthread_mutex_unlock(&listeners->lock);
    while (listener->first) {
        struct waiting_uri *uri = listener->first;

        listener->first = uri->next;
        free(uri);
    }
    waker_end(listener->waker);
}

bp_status subscriptions_listen(bp_mcp *request)
{
    struct listener listener = { 0 };
    bp_status       status;

    BP_TRY(read_wishes(request, &listener));
    if (!request->channel->can_send(request))
        return request_fail(request, MCP_INVALID_REQUEST, 406,
                            "subscriptions/listen is answered by a stream: accept "
                            "text/event-stream");
    // A client may listen often, and what it wishes for stays in memory as long as it does.
    if (shares_take(request->mcp->messages, request->sender, listener.uri_bytes) != SHARE_TAKEN)
        return request_fail(request, MCP_SERVER_ERROR, 503,
                            "what you listen for takes too much memory already");
    listener.waker = waker_new(request->call);
    if (!listener.waker) {
        shares_give(request->mcp->messages, request->sender, listener.uri_bytes);
        return call_fail(request->call, BP_NO_MEMORY,
                         "there is no memory for another subscription");
    }
    request->call->deadline_ns = BP_FOREVER;
    request_let_go(request);
    join(request->mcp->listeners, &listener);
    status = hear(request, &listener);
    leave(request->mcp->listeners, &listener);
    shares_give(request->mcp->messages, request->sender, listener.uri_bytes);
    BP_TRY(status);
    request_begin(request);
    request->meta = arena_format(request->call->arena, "{\"" MCP_META_SUBSCRIPTION "\":%.*s}",
                                 (int)request->message.id.len, request->message.id.data);
    request_end(request);
    return BP_OK;
}
