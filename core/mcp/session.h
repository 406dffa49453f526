/* session.h - sessions: the state of a client between requests, in revisions up to 2025-11-25.
 *
 *      session
 *       +- running requests        so that a notification can cancel one
 *       +- questions               asked of the client and not answered yet
 *       +- streams                 0: the one that GET opens; then one for each POST that was answered by a stream
 *           +- events              kept for a client that comes back with Last-Event-ID
 *
 * A session's requests come to any worker, so everything here is behind the store's lock, which is
 * never held across a suspension. An id is 128 random bits. It names a session and proves nothing:
 * each use is checked against the principal that opened it (MCP 2025-11-25, security best
 * practices).
 */
#ifndef CORE_MCP_SESSION_H
#define CORE_MCP_SESSION_H

#include "base/queue.h"
#include "base/shared_text.h"
#include "loop/principal.h"
#include "loop/waker.h"
#include "mcp/protocol.h"

enum {
    SESSION_ID_CHARS = 32,
    SESSION_RUNNING_MAX = 256,
    SESSION_CLIENT_BYTES = 96,
    SESSION_URIS_MAX = 1024, /* subscriptions of one session */
    SESSION_URI_BYTES_MAX = 8 << 10,
    SESSION_URIS_BYTES_MAX = 256 << 10,
    CLIENT_URIS_BYTES_MAX = 4 << 20,    /* of all sessions of one client */
    CLIENT_ANSWERS_BYTES_MAX = 16 << 20 /* to questions of ours, until their asker has taken them */
};

struct stream_event {
    struct stream_event *next;
    uint64_t             number;
    struct shared_text  *text;
    bool is_answer; /* somebody waits for it: when it is dropped, a short error takes its place */
};

struct session_stream {
    struct session_stream *next;
    struct session        *session;
    struct shared_text
        *request_id; /* JSON, of the request that it answers; NULL: of none, or one that is long */
    uint32_t             number;
    uint64_t             last; /* number of the newest event; 0: none yet */
    uint64_t             sent; /* number of the newest one that a reader took */
    struct stream_event *first, *end;
    uint32_t             count;
    size_t               bytes;
    uint32_t             holds; /* by those who write or read it: it is not pushed out */
    bool                 is_finished;
    struct waker        *reader; /* of the exchange that sends added messages; held */
};

struct session;

/* A request under way, on its fiber's stack. */
struct running {
    struct queue_link link;    /* in the session's */
    struct session   *session; /* NULL: not registered */
    bp_str            id;
    uint64_t          serial; /* no other of the process has it: calls are used again */
    bp_call          *call;
};

/* A question to the client, on its fiber's stack. */
struct question {
    struct queue_link   link; /* in the session's */
    uint64_t            id;
    struct waker       *waker;
    _Atomic bool        is_answered;
    bool                is_error;
    struct shared_text *answer;        /* JSON of result or error */
    size_t              counted_bytes; /* of the answer, for its client */
};

/* Who has sessions here. It is there while there is one. */
struct session_client {
    struct session_client *next; /* in its bucket */
    struct session_client *previous_of_all, *next_of_all;
    uint8_t                sender[16];
    uint32_t               refs;            /* sessions that exist */
    uint32_t               open;            /* sessions in the store */
    struct session        *oldest, *newest; /* of those, by last use */
    size_t                 replay_bytes, uri_bytes, answer_bytes;
};

struct session {
    struct session        *next_in_bucket;
    struct session        *older, *newer;         /* by last use */
    struct session        *older_own, *newer_own; /* the same, of its client */
    struct session_client *client_of;
    char                   id[SESSION_ID_CHARS + 1];
    uint8_t                principal[16]; /* a hash of who opened it */
    uint32_t               refs;          /* 1 for the store, while it is open */
    uint32_t               abilities, log_level;
    enum mcp_revision      revision;
    bool                   is_open, is_initialized;
    uint32_t               stream_count;
    uint64_t               next_question;
    int64_t                last_used_ns;
    _Atomic int64_t        shared_ns,
        checked_ns; /* when other processes were last told of it, and asked about it */
    struct queue           running;   /* struct running */
    struct queue           questions; /* struct question */
    struct session_stream *streams;
    struct subscription   *subscriptions;
    uint32_t               uri_count;
    size_t                 uri_bytes;
    char                   client[]; /* "name/version" */
};

struct session_limits {
    uint32_t sessions;
    uint32_t sessions_per_client; /* 0: all of them */
    int64_t  idle_ns;
    size_t   replay_bytes; /* of all sessions together; a quarter of it of one client */
};

/* What one process has to know of a session that another one opened. */
struct session_record {
    uint8_t           principal[16];
    enum mcp_revision revision;
    uint32_t          abilities, log_level;
    bp_str            client;
};

struct session_store;

struct session_store *sessions_new(const struct session_limits *limits);
void                  sessions_free(struct session_store *store);

/* All of these: any worker. The session returned is held until session_release().
 *
 * `sender` is the share that it takes a place of: the principal's, or an address's. A client that
 * has all its places loses the one of its own that was idle for longest. When all places are taken,
 * the client that has most of them loses one, if it has more than the new one. NULL: no memory, or
 * no session may go. */
struct session *session_open(struct session_store *store, const bp_principal *principal,
                             enum mcp_revision revision, uint32_t abilities, bp_str client,
                             const uint8_t sender[16]);
/* One with that id, which another process gave; the one that is there if there is one of this
 * principal. NULL: no memory, or somebody else has it, or as session_open(). */
struct session *session_adopt(struct session_store *store, bp_str id,
                              const struct session_record *record, const uint8_t sender[16]);
/* NULL: there is none, or it is somebody else's. Counts as a use. */
struct session *session_find(struct session_store *store, bp_str id, const bp_principal *principal);
void            session_release(struct session_store *store, struct session *session);
/* Ends it: its requests are cancelled, its streams end. */
void     session_end(struct session_store *store, struct session *session);
void     sessions_expire(struct session_store *store, int64_t now_ns);
uint32_t sessions_count(const struct session_store *store);

/* False: SESSION_RUNNING_MAX run already, or one with this id. */
bool session_begin(struct session_store *store, struct session *session, struct running *running,
                   bp_str id, bp_call *call);
void session_done(struct session_store *store, struct running *running);
void session_cancel(struct session_store *store, struct session *session, bp_str id);

/* A question is on its way; then it is waited for with call_wait() until is_answered. */
void session_ask(struct session_store *store, struct session *session, struct question *question);
void session_forget(struct session_store *store, struct session *session,
                    struct question *question);
/* False: nobody asked that. */
bool session_answer(struct session_store *store, struct session *session, uint64_t id,
                    bool is_error, bp_str answer);

void session_set_level(struct session_store *store, struct session *session, uint32_t level);
/* Whether the client wants to hear of that resource. False: too many, too long or too many bytes of
 * them, or no memory. */
bool session_subscribe(struct session_store *store, struct session *session, bp_str uri,
                       bool is_wanted);

/* ---- streams ---- */

/* A new one for the answer to the POST with that id; NULL: no memory. It lives as long as the
 * session, or until newer ones push it out once stream_finish() was called. */
struct session_stream *session_add_stream(struct session_store *store, struct session *session,
                                          bp_str request_id);
/* The one of that number, held until stream_detach(); number 0 is made when it is not there. */
struct session_stream *session_stream(struct session_store *store, struct session *session,
                                      uint32_t number);
/* Keeps an event and wakes who reads the stream; its number, 0 when there is no memory. What passes
 * the bounds drops events of the same client: the oldest of the stream, then those of other
 * streams, at last itself. */
uint64_t stream_add(struct session_store *store, struct session *session,
                    struct session_stream *stream, struct shared_text *text, bool is_answer);
void     stream_finish(struct session_store *store, struct session *session,
                       struct session_stream *stream);
/* The reader that was there before is told to go: it finds another one in its place. */
void stream_attach(struct session_store *store, struct session *session,
                   struct session_stream *stream, struct waker *reader);
/* Lets go of the stream; `reader` NULL: it was never attached. */
void stream_detach(struct session_store *store, struct session *session,
                   struct session_stream *stream, struct waker *reader);

enum stream_state { STREAM_EVENT, STREAM_WAITS, STREAM_FINISHED, STREAM_TAKEN };
/* Where a reader begins that names no event: behind the last one that was taken. */
uint64_t stream_sent(struct session_store *store, struct session_stream *stream);
/* The first event behind `*number`, which becomes its number; held. `*lost`: how many before it
 * were dropped, which the client has to be told (stream_loss()). */
enum stream_state stream_next(struct session_store *store, struct session *session,
                              struct session_stream *stream, const struct waker *reader,
                              uint64_t *number, uint64_t *lost, struct shared_text **text);
/* The message that says so; empty: the client wants to hear of no warnings. */
bp_str stream_loss(struct arena *arena, const struct session *session, uint64_t lost);

/* A notification for every session, kept for its GET stream when that is not open (yet); `uri`
 * non-empty: for those that subscribed to it. */
void sessions_broadcast(struct session_store *store, bp_str message, bp_str uri);
/* All readers are woken and find their streams finished: the process ends. */
void sessions_drain(struct session_store *store);

#endif
