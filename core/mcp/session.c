/* session.c - sessions by id, in the order of their last use; their running requests, questions and
 * subscriptions. */
#include "mcp/session.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "mcp/session_store.h"

enum { BUCKETS = 4096, CLIENT_BUCKETS = 4096, LOOK_AT_MAX = 256, FORGOTTEN_S = 60 };

/* ---- the store ---- */

struct session_store *sessions_new(const struct session_limits *limits)
{
    struct session_store *store = calloc(1, sizeof(*store));

    if (!store)
        return NULL;
    store->buckets = calloc(BUCKETS, sizeof(*store->buckets));
    store->clients = calloc(CLIENT_BUCKETS, sizeof(struct session_client *));
    if (!store->buckets || !store->clients) {
        free(store->clients);
        free(store->buckets);
        free(store);
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    store->limits = *limits;
    return store;
}

static struct session **bucket_of(const struct session_store *store, bp_str id)
{
    return &store->buckets[str_hash(id, 0) % BUCKETS];
}

/* ---- clients ---- */

static struct session_client **client_place(const struct session_store *store,
                                            const uint8_t               sender[16])
{
    struct session_client **at = &store->clients[(sender[0] | sender[1] << 8) % CLIENT_BUCKETS];

    while (*at && memcmp((*at)->sender, sender, sizeof((*at)->sender)) != 0)
        at = &(*at)->next;
    return at;
}

/* Made when it is not there. Under the lock. */
static struct session_client *client_of(struct session_store *store, const uint8_t sender[16])
{
    struct session_client **at = client_place(store, sender);

    if (*at)
        return *at;
    *at = calloc(1, sizeof(**at));
    if (!*at)
        return NULL;
    memcpy((*at)->sender, sender, sizeof((*at)->sender));
    (*at)->next_of_all = store->first_client;
    if (store->first_client)
        store->first_client->previous_of_all = *at;
    store->first_client = *at;
    return *at;
}

/* Under the lock. */
static void client_drop_unused(struct session_store *store, struct session_client *client)
{
    struct session_client **at = client_place(store, client->sender);

    if (client->refs)
        return;
    *at = client->next;
    if (client->next_of_all)
        client->next_of_all->previous_of_all = client->previous_of_all;
    *(client->previous_of_all ? &client->previous_of_all->next_of_all
                              : &store->first_client) = client->next_of_all;
    free(client);
}

/* ---- by last use ---- */

static void unlink_use(struct session_store *store, struct session *session)
{
    struct session_client *client = session->client_of;

    *(session->older_own ? &session->older_own->newer_own : &client->oldest) = session->newer_own;
    *(session->newer_own ? &session->newer_own->older_own : &client->newest) = session->older_own;
    session->older_own = session->newer_own = NULL;
    *(session->older ? &session->older->newer : &store->oldest) = session->newer;
    *(session->newer ? &session->newer->older : &store->newest) = session->older;
    session->older = session->newer = NULL;
}

static void link_use(struct session_store *store, struct session *session)
{
    struct session_client *client = session->client_of;

    session->older_own = client->newest;
    session->newer_own = NULL;
    *(client->newest ? &client->newest->newer_own : &client->oldest) = session;
    client->newest = session;
    session->older = store->newest;
    session->newer = NULL;
    *(store->newest ? &store->newest->newer : &store->oldest) = session;
    store->newest = session;
    session->last_used_ns = clock_now_ns();
}

static void free_subscriptions(struct session *session)
{
    while (session->subscriptions) {
        struct subscription *subscription = session->subscriptions;

        session->subscriptions = subscription->next;
        free(subscription);
    }
    session->client_of->uri_bytes -= session->uri_bytes;
}

/* Under the lock. */
static void unref(struct session_store *store, struct session *session)
{
    if (--session->refs)
        return;
    while (session->streams)
        stream_drop(store, session, session->streams);
    free_subscriptions(session);
    session->client_of->refs--;
    client_drop_unused(store, session->client_of);
    free(session);
}

struct cancelled {
    struct session_store *store;
    struct session       *session; /* held */
    uint64_t              serial;
    struct worker        *worker;
};

/* On the worker of the call: the streams registered there now cannot end while this runs. */
static void cancel_on_worker(void *arg)
{
    struct cancelled *cancelled = arg;
    bp_call          *call = NULL;
    struct running   *at;

    pthread_mutex_lock(&cancelled->store->lock);
    QUEUE_EACH (&cancelled->session->running, at, link)
        if (at->serial == cancelled->serial)
            call = at->call;
    unref(cancelled->store, cancelled->session);
    pthread_mutex_unlock(&cancelled->store->lock);
    if (call)
        call_cancel(call);
    free(cancelled);
}

/* Under the lock. */
static void cancel_running(struct session_store *store, struct session *session,
                           const struct running *running)
{
    struct cancelled *cancelled = malloc(sizeof(*cancelled));

    if (!cancelled)
        return;
    *cancelled = (struct cancelled){ store, session, running->serial, running->call->worker };
    session->refs++;
    worker_post(cancelled->worker, cancel_on_worker, cancelled);
}

/* Under the lock: out of the store; who still holds it sees that it is not open. */
static void close_session(struct session_store *store, struct session *session)
{
    struct session **at = bucket_of(store, bp_str_of(session->id));
    struct running  *running;

    if (!session->is_open)
        return;
    session->is_open = false;
    while (*at != session)
        at = &(*at)->next_in_bucket;
    *at = session->next_in_bucket;
    unlink_use(store, session);
    store->count--;
    session->client_of->open--;
    QUEUE_EACH (&session->running, running, link)
        cancel_running(store, session, running);
    for (struct session_stream *stream = session->streams; stream; stream = stream->next)
        if (stream->reader)
            waker_wake(stream->reader);
    unref(store, session);
}

void sessions_free(struct session_store *store)
{
    if (!store)
        return;
    while (store->oldest)
        close_session(store, store->oldest);
    pthread_mutex_destroy(&store->lock);
    free(store->clients);
    free(store->buckets);
    free(store);
}

/* ---- opening and finding ---- */

static bool is_in_use(const struct session *session)
{
    for (const struct session_stream *stream = session->streams; stream; stream = stream->next)
        if (stream->reader)
            return true;
    return session->running.first != NULL;
}

/* The session that was idle for longest. Who waits at an open stream sends nothing and is there all
 * the same; NULL: all are in use, as far as was looked. Under the lock. */
static struct session *idle_of(const struct session_client *client)
{
    struct session *idle = client->oldest;

    for (uint32_t i = 0; idle && is_in_use(idle); i++)
        idle = i < LOOK_AT_MAX ? idle->newer_own : NULL;
    return idle;
}

/* Of those who have more than `count` sessions the one that has most, and one that may go. Under
 * the lock. */
static struct session_client *largest_client(const struct session_store *store, uint32_t count)
{
    struct session_client *largest = NULL;

    for (struct session_client *at = store->first_client; at; at = at->next_of_all)
        if (at->open > count && (!largest || at->open > largest->open) && idle_of(at))
            largest = at;
    return largest;
}

/* A client's own makes room, or one of who has more than it: nobody who has little loses what he
 * uses to somebody who wants much. False: none may go. Under the lock. */
static bool make_room(struct session_store *store, const struct session_client *client)
{
    uint32_t                     own_max = store->limits.sessions_per_client;
    bool                         is_over = own_max && client->open >= own_max;
    const struct session_client *loser = client;

    if (!is_over && store->count < store->limits.sessions)
        return true;
    if (!is_over)
        loser = largest_client(store, client->open + 1);
    if (!loser)
        loser = client;
    if (idle_of(loser)) {
        close_session(store, idle_of(loser));
        return true;
    }
    // Everybody has little: then one that nobody has used for a while.
    if (is_over || is_in_use(store->oldest) ||
        clock_now_ns() - store->oldest->last_used_ns < BP_SECONDS(FORGOTTEN_S))
        return false;
    close_session(store, store->oldest);
    return true;
}

static struct session *make(bp_str id, const struct session_record *record)
{
    size_t          client_len = record->client.len < SESSION_CLIENT_BYTES ? record->client.len
                                                                           : SESSION_CLIENT_BYTES;
    struct session *session = calloc(1, sizeof(*session) + client_len + 1);

    if (!session)
        return NULL;
    memcpy(session->id, id.data, SESSION_ID_CHARS);
    memcpy(session->principal, record->principal, sizeof(session->principal));
    if (client_len)
        memcpy(session->client, record->client.data, client_len);
    session->refs = 2; // the store's and the caller's
    session->revision = record->revision;
    session->abilities = record->abilities;
    session->log_level = record->log_level;
    session->is_open = true;
    return session;
}

/* False: there is no room for it. Under the lock. */
static bool insert(struct session_store *store, struct session *session, const uint8_t sender[16])
{
    struct session       **bucket = bucket_of(store, bp_str_of(session->id));
    struct session_client *client = client_of(store, sender);

    if (!client)
        return false;
    client->refs++; // it stays while its own last session makes room
    if (!make_room(store, client)) {
        client->refs--;
        client_drop_unused(store, client);
        return false;
    }
    session->client_of = client;
    client->open++;
    session->next_in_bucket = *bucket;
    *bucket = session;
    link_use(store, session);
    store->count++;
    return true;
}

/* Under the lock. */
static struct session *find(struct session_store *store, bp_str id)
{
    struct session *session = *bucket_of(store, id);

    while (session && !bp_str_equal(bp_str_n(session->id, SESSION_ID_CHARS), id))
        session = session->next_in_bucket;
    return session;
}

/* Under the lock: the session for its user, who holds it then; NULL: it is somebody else's. */
static struct session *use(struct session_store *store, struct session *session,
                           const uint8_t principal[16])
{
    if (!session || !crypto_equal(session->principal, principal, sizeof(session->principal)))
        return NULL;
    session->refs++;
    unlink_use(store, session);
    link_use(store, session);
    return session;
}

struct session *session_open(struct session_store *store, const bp_principal *principal,
                             enum mcp_revision revision, uint32_t abilities, bp_str client,
                             const uint8_t sender[16])
{
    // The level is info, until the client says otherwise.
    struct session_record record = {
        .revision = revision, .abilities = abilities, .log_level = 1, .client = client
    };
    uint8_t         random[SESSION_ID_CHARS / 2];
    char            id[SESSION_ID_CHARS + 1];
    struct session *session;
    bool            is_in;

    crypto_random(random, sizeof(random));
    crypto_hex(random, sizeof(random), id);
    principal_digest(principal, record.principal);
    session = make(bp_str_of(id), &record);
    if (!session)
        return NULL;
    pthread_mutex_lock(&store->lock);
    is_in = insert(store, session, sender);
    pthread_mutex_unlock(&store->lock);
    if (!is_in)
        free(session);
    return is_in ? session : NULL;
}

struct session *session_adopt(struct session_store *store, bp_str id,
                              const struct session_record *record, const uint8_t sender[16])
{
    struct session *made = make(id, record), *session = made;

    if (!made)
        return NULL;
    pthread_mutex_lock(&store->lock);
    if (find(store, id))
        session = use(store, find(store, id), record->principal);
    else if (!insert(store, made, sender))
        session = NULL;
    pthread_mutex_unlock(&store->lock);
    if (session != made)
        free(made);
    return session;
}

struct session *session_find(struct session_store *store, bp_str id, const bp_principal *principal)
{
    struct session *session;
    uint8_t         digest[16];

    if (id.len != SESSION_ID_CHARS)
        return NULL;
    principal_digest(principal, digest);
    pthread_mutex_lock(&store->lock);
    session = use(store, find(store, id), digest);
    pthread_mutex_unlock(&store->lock);
    return session;
}

void session_release(struct session_store *store, struct session *session)
{
    if (!session)
        return;
    pthread_mutex_lock(&store->lock);
    unref(store, session);
    pthread_mutex_unlock(&store->lock);
}

void session_end(struct session_store *store, struct session *session)
{
    pthread_mutex_lock(&store->lock);
    close_session(store, session);
    pthread_mutex_unlock(&store->lock);
}

void sessions_expire(struct session_store *store, int64_t now_ns)
{
    struct session *next;

    pthread_mutex_lock(&store->lock);
    for (struct session *session = store->oldest; session; session = next) {
        next = session->newer;
        if (now_ns - session->last_used_ns < store->limits.idle_ns)
            break;
        if (!is_in_use(session))
            close_session(store, session);
    }
    pthread_mutex_unlock(&store->lock);
}

uint32_t sessions_count(const struct session_store *store)
{
    return store->count;
}

/* ---- running requests ---- */

bool session_begin(struct session_store *store, struct session *session, struct running *running,
                   bp_str id, bp_call *call)
{
    struct running *other;
    bool            may_run = true;

    *running = (struct running){ .id = id, .call = call };
    pthread_mutex_lock(&store->lock);
    QUEUE_EACH (&session->running, other, link)
        may_run = may_run && !bp_str_equal(other->id, id);
    may_run = may_run && session->running.count < SESSION_RUNNING_MAX;
    if (may_run) {
        running->serial = ++store->next_serial;
        running->session = session;
        queue_push_front(&session->running, &running->link);
    }
    pthread_mutex_unlock(&store->lock);
    return may_run;
}

void session_done(struct session_store *store, struct running *running)
{
    struct session *session = running->session;

    if (!session)
        return;
    pthread_mutex_lock(&store->lock);
    queue_remove(&running->link);
    running->session = NULL;
    pthread_mutex_unlock(&store->lock);
}

void session_cancel(struct session_store *store, struct session *session, bp_str id)
{
    struct running *at;

    pthread_mutex_lock(&store->lock);
    QUEUE_EACH (&session->running, at, link)
        if (bp_str_equal(at->id, id))
            cancel_running(store, session, at);
    pthread_mutex_unlock(&store->lock);
}

/* ---- questions ---- */

void session_ask(struct session_store *store, struct session *session, struct question *question)
{
    pthread_mutex_lock(&store->lock);
    question->id = ++session->next_question;
    queue_push_front(&session->questions, &question->link);
    pthread_mutex_unlock(&store->lock);
}

void session_forget(struct session_store *store, struct session *session, struct question *question)
{
    pthread_mutex_lock(&store->lock);
    if (queue_is_linked(&question->link))
        queue_remove(&question->link);
    session->client_of->answer_bytes -= question->counted_bytes;
    question->counted_bytes = 0;
    pthread_mutex_unlock(&store->lock);
}

bool session_answer(struct session_store *store, struct session *session, uint64_t id,
                    bool is_error, bp_str answer)
{
    struct question *question = NULL, *at;

    pthread_mutex_lock(&store->lock);
    QUEUE_EACH (&session->questions, at, link)
        if (at->id == id)
            question = at;
    if (question && !question->is_answered) {
        bool has_room = session->client_of->answer_bytes + answer.len <= CLIENT_ANSWERS_BYTES_MAX;

        if (!has_room)
            answer = BP_STR("{\"code\":-32602,\"message\":\"your answers that wait to be used are "
                            "too large together\"}");
        question->counted_bytes = answer.len;
        session->client_of->answer_bytes += answer.len;
        question->answer = shared_text_new(answer);
        question->is_error = is_error || !has_room;
        question->is_answered = true;
        waker_wake(question->waker);
    }
    pthread_mutex_unlock(&store->lock);
    return question != NULL;
}

/* ---- what it wants to hear ---- */

void session_set_level(struct session_store *store, struct session *session, uint32_t level)
{
    pthread_mutex_lock(&store->lock);
    session->log_level = level;
    pthread_mutex_unlock(&store->lock);
}

/* Where the subscription hangs, or would. Under the lock. */
static struct subscription **find_subscription(struct session *session, bp_str uri)
{
    struct subscription **at = &session->subscriptions;

    while (*at && !bp_str_equal(bp_str_n((*at)->uri, (*at)->len), uri))
        at = &(*at)->next;
    return at;
}

/* Under the lock. */
static bool add_subscription(struct session *session, struct subscription **at, bp_str uri)
{
    struct subscription *made;
    size_t               size = sizeof(*made) + uri.len;

    if (session->uri_count >= SESSION_URIS_MAX ||
        session->uri_bytes + size > SESSION_URIS_BYTES_MAX ||
        session->client_of->uri_bytes + size > CLIENT_URIS_BYTES_MAX)
        return false;
    made = malloc(size);
    if (!made)
        return false;
    made->next = NULL;
    made->len = uri.len;
    memcpy(made->uri, uri.data, uri.len);
    *at = made;
    session->uri_count++;
    session->uri_bytes += size;
    session->client_of->uri_bytes += size;
    return true;
}

/* Under the lock. */
static void remove_subscription(struct session *session, struct subscription **at)
{
    struct subscription *old = *at;
    size_t               size = sizeof(*old) + old->len;

    *at = old->next;
    session->uri_count--;
    session->uri_bytes -= size;
    session->client_of->uri_bytes -= size;
    free(old);
}

bool session_subscribe(struct session_store *store, struct session *session, bp_str uri,
                       bool is_wanted)
{
    struct subscription **at;
    bool                  is_done = true;

    if (uri.len > SESSION_URI_BYTES_MAX)
        return !is_wanted;
    pthread_mutex_lock(&store->lock);
    at = find_subscription(session, uri);
    if (*at && !is_wanted)
        remove_subscription(session, at);
    else if (!*at && is_wanted)
        is_done = add_subscription(session, at, uri);
    pthread_mutex_unlock(&store->lock);
    return is_done;
}
