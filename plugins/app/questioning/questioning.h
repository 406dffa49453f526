/* questioning.h - the app `questioning`: batches of questions that follow from one another, and
 * their answers.
 *
 *      request -> session and conversation found -> earlier messages found -> questions written -> all of it kept at
 * once
 *
 * Nothing is written before the questions are there: a handler may be run again from its beginning
 * when a client's model is asked (see mcp.h), and a request that fails leaves nothing behind.
 */
#ifndef QUESTIONING_H
#define QUESTIONING_H

#include <backplane/backplane.h>

#include "embedder/embedder.h"

enum {
    BATCH_MAX = 20,
    ROUNDS_MAX = 3,
    SIMILAR_MAX = 10,
    ASKED_MAX = 500,         /* questions of a conversation that are looked at */
    SAID_MAX = 1000,         /* previous messages of a request */
    TEXT_BYTES_MAX = 262144, /* a context, one message */
    NAME_BYTES_MAX = 255,    /* a user, an id */
    TOPIC_CHARS = 50,
    QUESTION_BYTES_MAX = 8192, /* of what a model wrote */
    RESULT_BYTES_MAX = 8 << 20
};

/* ---- monitor.c: numbers for GET /mcp-internal/monitoring/metrics, one set a process ---- */

enum endpoint {
    ENDPOINT_QUESTION,
    ENDPOINT_FOLLOW_UP,
    ENDPOINT_AUTOMATIC,
    ENDPOINT_SINGLE,
    ENDPOINT_SINGLE_V1,
    ENDPOINT_SESSIONS,
    ENDPOINT_CONVERSATIONS,
    ENDPOINT_MESSAGES,
    ENDPOINTS
};

struct monitor;

struct questioning {
    const bp_peer *storage, *vector, *embed;
    bp_peer_list   llm;
    bp_str         collection;
    int64_t        initial_batch, follow_up_batch, total, similar, max_tokens;
    double         temperature;
    int64_t        patience_ns;
    bool           sampling;

    struct monitor *monitor;
    bp_metric      *requests_total, *request_seconds, *questions_total, *fallbacks_total,
        *vector_errors_total;
    struct embedder embedder;
};

bp_status monitor_new(bp_call *call, struct monitor **monitor);
void      monitor_free(struct monitor *monitor);
bp_status monitor_define(bp_call *call, struct questioning *self);
/* `status` is what went wrong, BP_OK when nothing did; `http_status` what the client saw. */
void      monitor_count(struct questioning *self, enum endpoint endpoint, int64_t started_ns,
                        bp_status status, int32_t http_status);
bp_status monitor_get(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status monitor_reset(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- request.c: what a client asks for ---- */

struct said {
    bp_str role; /* user, assistant, system */
    bp_str content, timestamp;
};

struct wanted {
    bp_str             user_id, conversation_id, session_id, context; /* empty: not given */
    bp_str             metadata; /* a JSON object; empty: none */
    const struct said *said;
    size_t             said_count;
    bool               is_auto_followed;
    int64_t            rounds;
};

/* BP_INVALID with a sentence that names the field. */
bp_status wanted_read(bp_call *call, const bp_json *body, struct wanted *wanted);
/* The last thing the user said; empty when there is nothing. */
bp_str wanted_last_answer(const struct wanted *wanted);
/* The first word of the context; empty when there is none. */
bp_str wanted_first_word(const struct wanted *wanted);

/* ---- fallback.c, repair.c, models.c: questions ---- */

struct question {
    bp_str  text, importance, look_for;
    int64_t number;
};

struct batch {
    struct question questions[BATCH_MAX];
    size_t          count;
    int64_t         first_number;
    bool            is_follow_up, is_next_needed, is_context_enhanced;
    int64_t         total_estimated;
    const char     *fallback; /* why no model wrote it; NULL: one did */
    bp_str          generated_at;
};

/* One request on its way. */
struct dialogue {
    struct questioning  *self;
    const struct wanted *wanted;
    bp_mcp              *mcp;   /* NULL: over plain HTTP */
    bool is_conversation_fresh; /* none named: a new one, not the newest of the session */

    bp_str  session_id, conversation_id; /* empty: to be made */
    bp_str  asked[ASKED_MAX];            /* questions so far, the oldest first */
    size_t  asked_count;
    int64_t questions_stored;
    bp_str  similar[SIMILAR_MAX];
    size_t  similar_count;

    struct batch batches[ROUNDS_MAX];
    size_t       batch_count;
    const char  *model_trouble; /* a model did not answer: it is not asked again in this request */
    uint64_t     tokens;
};

/* The batch without a model: goals, challenges, resources, progress, anything else. */
bp_status fallback_write(bp_call *call, const struct dialogue *dialogue, struct batch *batch,
                         size_t size);
/* What a model answered as questions, mended where it can be. False: there are none in it. */
bool repair_questions(bp_call *call, const struct wanted *wanted, bp_str answer,
                      struct batch *batch, size_t size);
/* Whether and how many questions should follow, as a model sees it. False: it does not say. */
bool repair_estimate(bp_call *call, bp_str answer, bool *is_next_needed, int64_t *total);
/* Has a model write the next batch of `dialogue`, or writes the fallback. BP_INPUT_REQUIRED: see
 * mcp.h. */
bp_status batch_write(bp_call *call, struct dialogue *dialogue, bool is_follow_up,
                      size_t size) BP_SUSPENDS;

/* ---- conversation.c ---- */

/* Finds session and conversation, the questions so far and similar earlier messages. Writes
 * nothing. */
bp_status dialogue_find(bp_call *call, struct dialogue *dialogue) BP_SUSPENDS;
/* Keeps session, conversation, answers and questions, all or nothing, and makes them findable. */
bp_status dialogue_keep(bp_call *call, struct dialogue *dialogue) BP_SUSPENDS;

/* ---- memory.c: messages as points of the vector store ---- */

struct remembered {
    int64_t number;
    bp_str  content, conversation_id, type;
    bp_str  session_id, created_at, tenant;
    int64_t question_number; /* 0: it is no question */
};

/* The rows are there already. That they cannot be made findable now is logged and made up for
 * later. */
void memory_index(bp_call *call, struct questioning *self, const struct remembered *messages,
                  size_t count) BP_SUSPENDS;
/* Earlier messages of a conversation that are near to `text`; what fails is logged and finds
 * nothing. */
void memory_similar(bp_call *call, struct dialogue *dialogue, bp_str text) BP_SUSPENDS;
/* Every 15 s on the first worker. */
bp_status memory_keep_up(bp_call *call, void *instance) BP_SUSPENDS;
/* Points of deleted messages. */
bp_status memory_drop_garbage(bp_call *call, struct questioning *self) BP_SUSPENDS;

/* ---- handlers.c ---- */

bp_status tool_question(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_follow_up(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_automatic(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status question_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status follow_up_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status automatic_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status single_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
bp_status single_v1_post(bp_call *call, void *instance, bp_request *request, bp_response *response);
/* Answers with the call's error: 422 for a body of a wrong shape, or 400. */
bp_status refuse(bp_call *call, bp_response *response, int32_t http_status) BP_SUSPENDS;
/* An object, or BP_INVALID. */
bp_status body_read(bp_call *call, bp_request *request, const bp_json **body) BP_SUSPENDS;

/* ---- reply.c: answers as JSON ---- */

void reply_batch(bp_call *call, bp_json_writer *w,
                 const struct dialogue *dialogue); /* the last one */
void reply_automatic(bp_call *call, bp_json_writer *w, const struct dialogue *dialogue);
void reply_single(bp_json_writer *w, const struct dialogue *dialogue, int64_t started_ns);

/* ---- records.c: /api/sessions, /api/conversations, /api/messages ---- */

bp_status records_route(bp_call *call, void *instance, bp_request *request, bp_response *response);

/* ---- store.c ---- */

enum { STORE_MIGRATIONS = 1, TRIES = 5 };
extern const bp_migration store_migrations[STORE_MIGRATIONS];

bp_sql_value tenant_value(bp_call *call);
bp_sql_value text_or_null(bp_str text); /* NULL when empty */
bp_str       new_uuid(bp_call *call);
bp_str       now_text(bp_call *call); /* "2026-11-22T05:00:00.123Z" */
bp_str       text_trim(bp_str text);
bp_str       text_cut(bp_str text, size_t chars);       /* the first characters */
bp_str       text_cut_bytes(bp_str text, size_t bytes); /* no more bytes, whole characters */
/* JSON that the storage gave, or what else stands there as null. */
void put_stored_json(bp_call *call, bp_json_writer *w, const char *key, const bp_sql_value *value);
/* An empty text as null. */
void put_text_or_null(bp_json_writer *w, const char *key, bp_str text);

#endif
