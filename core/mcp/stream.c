/* stream.c - the event streams of a session, with what a client that lost one may ask for again. */
#include <stdlib.h>

#include "mcp/session_store.h"

enum {
    STREAMS_KEPT = 8,
    EVENTS_KEPT = 1024,
    STREAM_BYTES_MAX = 4 << 20,
    SMALL_BYTES = 4096,
    ID_BYTES_MAX = 256,
    CLIENT_PART = 4, /* of all that is kept, one client may have a quarter */
    WARNING = 3      /* of mcp_level_names */
};

/* ---- events ---- */

static size_t size_of(const struct stream_event *event)
{
    return sizeof(*event) + sizeof(*event->text) + event->text->len + 1;
}

static void count(struct session_store *store, struct session_stream *stream,
                  const struct stream_event *event)
{
    stream->bytes += size_of(event);
    stream->session->client_of->replay_bytes += size_of(event);
    store->replay_bytes += size_of(event);
}

static void discount(struct session_store *store, struct session_stream *stream,
                     const struct stream_event *event)
{
    stream->bytes -= size_of(event);
    stream->session->client_of->replay_bytes -= size_of(event);
    store->replay_bytes -= size_of(event);
}

static struct shared_text *lost_answer(const struct session_stream *stream)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":";
    static const char tail[] = ",\"error\":{\"code\":-32603,\"message\":\"the answer was made, but "
                               "it is larger than the limit for a client that lost its "
                               "stream: "
                               "send the request again\"}}";
    char              text[sizeof(head) + sizeof(tail) + ID_BYTES_MAX];
    size_t            id_len = stream->request_id ? stream->request_id->len : 0;

    if (!id_len)
        return NULL;
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + sizeof(head) - 1, stream->request_id->data, id_len);
    memcpy(text + sizeof(head) - 1 + id_len, tail, sizeof(tail) - 1);
    return shared_text_new(bp_str_n(text, sizeof(head) - 1 + id_len + sizeof(tail) - 1));
}

static void remove_event(struct session_store *store, struct session_stream *stream,
                         struct stream_event *event)
{
    struct stream_event **at = &stream->first, *before = NULL;

    for (; *at != event; at = &(*at)->next)
        before = *at;
    *at = event->next;
    if (stream->end == event)
        stream->end = before;
    stream->count--;
    discount(store, stream, event);
    shared_text_release(event->text);
    free(event);
}

/* An answer that nobody has heard yet leaves an error behind, so that who waits for it does not
 * wait for ever. */
static void drop_event(struct session_store *store, struct session_stream *stream,
                       struct stream_event *event)
{
    struct shared_text *instead = event->is_answer ? lost_answer(stream) : NULL;

    if (!instead || instead->len >= event->text->len) {
        shared_text_release(instead);
        remove_event(store, stream, event);
        return;
    }
    discount(store, stream, event);
    shared_text_release(event->text);
    event->text = instead;
    event->is_answer = false;
    count(store, stream, event);
}

/* The oldest event of the stream that can go. One that is being sent takes its memory all the same;
 * small ones are shared by many streams. */
static struct stream_event *oldest_droppable(const struct session_stream *stream,
                                             const struct stream_event   *except)
{
    struct stream_event *event = stream->first;

    while (event && (event == except || (event->text->refs > 1 && event->text->len > SMALL_BYTES)))
        event = event->next;
    return event;
}

static bool is_over(const struct session_store *store, const struct session_client *client)
{
    return store->replay_bytes > store->limits.replay_bytes ||
           client->replay_bytes > store->limits.replay_bytes / CLIENT_PART;
}

/* One event of another stream of this client. */
static bool drop_elsewhere(struct session_store *store, const struct session_client *client,
                           const struct session_stream *here)
{
    for (struct session *session = client->oldest; session; session = session->newer_own)
        for (struct session_stream *stream = session->streams; stream; stream = stream->next) {
            struct stream_event *event = stream != here ? oldest_droppable(stream, NULL) : NULL;

            if (!event)
                continue;
            drop_event(store, stream, event);
            return true;
        }
    return false;
}

static void keep_bounds(struct session_store *store, struct session_stream *stream,
                        struct stream_event *latest)
{
    struct session_client *client = stream->session->client_of;
    struct stream_event   *event;

    while ((stream->count > EVENTS_KEPT || stream->bytes > STREAM_BYTES_MAX ||
            is_over(store, client)) &&
           (event = oldest_droppable(stream, latest)))
        drop_event(store, stream, event);
    while (is_over(store, client) && drop_elsewhere(store, client, stream))
        ;
    if (is_over(store, client))
        drop_event(store, stream, latest);
}

void stream_drop(struct session_store *store, struct session *session,
                 struct session_stream *stream)
{
    struct session_stream **at = &session->streams;

    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    while (stream->first)
        remove_event(store, stream, stream->first);
    shared_text_release(stream->request_id);
    if (stream->reader)
        waker_release(stream->reader);
    free(stream);
}

/* Under the lock. Only the newest few finished ones are kept. */
static void drop_old_streams(struct session_store *store, struct session *session)
{
    struct session_stream *next;
    uint32_t               kept = 0;

    for (struct session_stream *stream = session->streams; stream;
         stream = next) { // the newest come first
        next = stream->next;
        if (stream->is_finished && !stream->holds && ++kept > STREAMS_KEPT)
            stream_drop(store, session, stream);
    }
}

static struct session_stream *add(struct session *session, uint32_t number)
{
    struct session_stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    stream->number = number;
    stream->session = session;
    stream->next = session->streams;
    session->streams = stream;
    return stream;
}

struct session_stream *session_add_stream(struct session_store *store, struct session *session,
                                          bp_str request_id)
{
    struct session_stream *stream;

    pthread_mutex_lock(&store->lock);
    drop_old_streams(store, session);
    stream = add(session, ++session->stream_count);
    if (stream && request_id.len <= ID_BYTES_MAX)
        stream->request_id = shared_text_new(request_id);
    pthread_mutex_unlock(&store->lock);
    return stream;
}

static struct session_stream *find(struct session *session, uint32_t number)
{
    struct session_stream *stream = session->streams;

    while (stream && stream->number != number)
        stream = stream->next;
    return stream;
}

struct session_stream *session_stream(struct session_store *store, struct session *session,
                                      uint32_t number)
{
    struct session_stream *stream;

    pthread_mutex_lock(&store->lock);
    stream = find(session, number);
    if (!stream && number == 0)
        stream = add(session, 0);
    if (stream)
        stream->holds++; // also while another reader takes its place
    pthread_mutex_unlock(&store->lock);
    return stream;
}

/* Under the lock. */
static uint64_t add_event(struct session_store *store, struct session_stream *stream,
                          struct shared_text *text, bool is_answer)
{
    struct stream_event *event = malloc(sizeof(*event));

    stream->last++;
    if (!event)
        return 0;
    shared_text_hold(text);
    *event = (struct stream_event){ .number = stream->last, .text = text, .is_answer = is_answer };
    *(stream->end ? &stream->end->next : &stream->first) = event;
    stream->end = event;
    stream->count++;
    count(store, stream, event);
    keep_bounds(store, stream, event);
    if (stream->reader)
        waker_wake(stream->reader);
    return stream->last;
}

uint64_t stream_add(struct session_store *store, struct session *session,
                    struct session_stream *stream, struct shared_text *text, bool is_answer)
{
    uint64_t number;

    (void)session;
    pthread_mutex_lock(&store->lock);
    number = add_event(store, stream, text, is_answer);
    pthread_mutex_unlock(&store->lock);
    return number;
}

void stream_finish(struct session_store *store, struct session *session,
                   struct session_stream *stream)
{
    (void)session;
    pthread_mutex_lock(&store->lock);
    stream->is_finished = true;
    if (stream->reader)
        waker_wake(stream->reader);
    pthread_mutex_unlock(&store->lock);
}

/* ---- readers ---- */

void stream_attach(struct session_store *store, struct session *session,
                   struct session_stream *stream, struct waker *reader)
{
    (void)session;
    pthread_mutex_lock(&store->lock);
    if (stream->reader) {
        waker_wake(stream->reader);
        waker_release(stream->reader);
    }
    waker_hold(reader);
    stream->reader = reader;
    pthread_mutex_unlock(&store->lock);
}

void stream_detach(struct session_store *store, struct session *session,
                   struct session_stream *stream, struct waker *reader)
{
    (void)session;
    pthread_mutex_lock(&store->lock);
    stream->holds--;
    if (reader && stream->reader == reader) {
        stream->reader = NULL;
        waker_release(reader);
    }
    pthread_mutex_unlock(&store->lock);
}

uint64_t stream_sent(struct session_store *store, struct session_stream *stream)
{
    uint64_t sent;

    pthread_mutex_lock(&store->lock);
    sent = stream->sent;
    pthread_mutex_unlock(&store->lock);
    return sent;
}

enum stream_state stream_next(struct session_store *store, struct session *session,
                              struct session_stream *stream, const struct waker *reader,
                              uint64_t *number, uint64_t *lost, struct shared_text **text)
{
    enum stream_state    state = STREAM_WAITS;
    struct stream_event *event;

    *lost = 0;

    pthread_mutex_lock(&store->lock);
    for (event = stream->first; event && event->number <= *number;)
        event = event->next;
    if (stream->reader != reader) {
        state = STREAM_TAKEN;
    } else if (event) {
        event->text->refs++;
        *text = event->text;
        *lost = event->number - *number - 1;
        *number = event->number;
        if (stream->sent < event->number)
            stream->sent = event->number;
        state = STREAM_EVENT;
    } else if (stream->last > *number) {
        *lost = stream->last - *number; // the newest are gone, and so the client is told right away
        *number = stream->last;
        *text = NULL;
        state = STREAM_EVENT;
    } else if (stream->is_finished || store->is_draining || !session->is_open) {
        state = STREAM_FINISHED;
    }
    pthread_mutex_unlock(&store->lock);
    return state;
}

bp_str stream_loss(struct arena *arena, const struct session *session, uint64_t lost)
{
    if (!lost || session->log_level > WARNING)
        return (bp_str){ NULL, 0 };
    return arena_format(arena,
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                        "message\",\"params\":{\"level\":\"warning\",\"logger\":\"backplane\","
                        "\"data\":\"%llu messages of this stream were dropped, as more came than "
                        "is kept: what they told of may have changed\"}}",
                        (unsigned long long)lost);
}

/* ---- to many ---- */

static bool has_subscribed(const struct session *session, bp_str uri)
{
    for (const struct subscription *at = session->subscriptions; at; at = at->next)
        if (bp_str_equal(bp_str_n(at->uri, at->len), uri))
            return true;
    return false;
}

void sessions_broadcast(struct session_store *store, bp_str message, bp_str uri)
{
    struct shared_text *text = shared_text_new(message);

    if (!text)
        return;
    pthread_mutex_lock(&store->lock);
    for (struct session *session = store->oldest; session; session = session->newer) {
        struct session_stream *stream;

        if (uri.len && !has_subscribed(session, uri))
            continue;
        // A client opens its stream beside its first calls: what one of these changes must not be
        // lost to it.
        stream = find(session, 0);
        if (!stream)
            stream = add(session, 0);
        if (stream)
            add_event(store, stream, text, false);
    }
    pthread_mutex_unlock(&store->lock);
    shared_text_release(text);
}

void sessions_drain(struct session_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->is_draining = true;
    for (struct session *session = store->oldest; session; session = session->newer)
        for (struct session_stream *stream = session->streams; stream; stream = stream->next)
            if (stream->reader)
                waker_wake(stream->reader);
    pthread_mutex_unlock(&store->lock);
}
