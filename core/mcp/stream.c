/* stream.c - the event streams of a session, with what a client that lost one may ask for again. */
#include <stdlib.h>

#include "mcp/session_store.h"

enum { STREAMS_KEPT = 8, EVENTS_KEPT = 1024, STREAM_BYTES_MAX = 4 << 20 };

struct shared_text *shared_text_new(bp_str text)
{
    struct shared_text *made = malloc(sizeof(*made) + text.len + 1);

    if (!made)
        return NULL;
    made->refs = 1;
    made->len = text.len;
    if (text.len)
        memcpy(made->data, text.data, text.len);
    made->data[text.len] = '\0';
    return made;
}

void shared_text_release(struct shared_text *text)
{
    if (text && --text->refs == 0)
        free(text);
}

/* ---- events ---- */

static void drop_event(struct session_store *store, struct session_stream *stream)
{
    struct stream_event *event = stream->first;

    stream->first = event->next;
    if (!stream->first)
        stream->end = NULL;
    stream->count--;
    stream->bytes -= event->text->len;
    store->replay_bytes -= event->text->len;
    shared_text_release(event->text);
    free(event);
}

void stream_drop(struct session_store *store, struct session *session, struct session_stream *stream)
{
    struct session_stream **at = &session->streams;

    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    while (stream->first)
        drop_event(store, stream);
    if (stream->reader)
        waker_release(stream->reader);
    free(stream);
}

/* Under the lock. Only the newest few finished ones are kept. */
static void drop_old_streams(struct session_store *store, struct session *session)
{
    struct session_stream *next;
    uint32_t               kept = 0;

    for (struct session_stream *stream = session->streams; stream; stream = next) { // the newest come first
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
    stream->next = session->streams;
    session->streams = stream;
    return stream;
}

struct session_stream *session_add_stream(struct session_store *store, struct session *session)
{
    struct session_stream *stream;

    pthread_mutex_lock(&store->lock);
    drop_old_streams(store, session);
    stream = add(session, ++session->stream_count);
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

struct session_stream *session_stream(struct session_store *store, struct session *session, uint32_t number)
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
static uint64_t add_event(struct session_store *store, struct session_stream *stream, struct shared_text *text)
{
    struct stream_event *event = malloc(sizeof(*event));

    stream->last++;
    if (!event)
        return 0;
    text->refs++;
    *event = (struct stream_event){ .number = stream->last, .text = text };
    *(stream->end ? &stream->end->next : &stream->first) = event;
    stream->end = event;
    stream->count++;
    stream->bytes += text->len;
    store->replay_bytes += text->len;
    while (stream->first != stream->end && (stream->count > EVENTS_KEPT || stream->bytes > STREAM_BYTES_MAX ||
                                            store->replay_bytes > store->limits.replay_bytes))
        drop_event(store, stream);
    if (stream->reader)
        waker_wake(stream->reader);
    return stream->last;
}

uint64_t stream_add(struct session_store *store, struct session *session, struct session_stream *stream,
                    struct shared_text *text)
{
    uint64_t number;

    (void)session;
    pthread_mutex_lock(&store->lock);
    number = add_event(store, stream, text);
    pthread_mutex_unlock(&store->lock);
    return number;
}

void stream_finish(struct session_store *store, struct session *session, struct session_stream *stream)
{
    (void)session;
    pthread_mutex_lock(&store->lock);
    stream->is_finished = true;
    if (stream->reader)
        waker_wake(stream->reader);
    pthread_mutex_unlock(&store->lock);
}

/* ---- readers ---- */

void stream_attach(struct session_store *store, struct session *session, struct session_stream *stream,
                   struct waker *reader)
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

void stream_detach(struct session_store *store, struct session *session, struct session_stream *stream,
                   struct waker *reader)
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

enum stream_state stream_next(struct session_store *store, struct session *session, struct session_stream *stream,
                              const struct waker *reader, uint64_t *number, struct shared_text **text)
{
    enum stream_state    state = STREAM_WAITS;
    struct stream_event *event;

    pthread_mutex_lock(&store->lock);
    for (event = stream->first; event && event->number <= *number;)
        event = event->next;
    if (stream->reader != reader) {
        state = STREAM_TAKEN;
    } else if (event) {
        event->text->refs++;
        *text = event->text;
        *number = event->number;
        if (stream->sent < event->number)
            stream->sent = event->number;
        state = STREAM_EVENT;
    } else if (stream->is_finished || store->is_draining || !session->is_open) {
        state = STREAM_FINISHED;
    }
    pthread_mutex_unlock(&store->lock);
    return state;
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
        // A client opens its stream beside its first calls: what one of these changes must not be lost to it.
        stream = find(session, 0);
        if (!stream)
            stream = add(session, 0);
        if (stream)
            add_event(store, stream, text);
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
