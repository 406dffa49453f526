/* backplane/llm.h - the interface of an LLM provider: chat, streamed or whole, with tools and JSON.
 */
#ifndef BACKPLANE_LLM_H
#define BACKPLANE_LLM_H

#include <backplane/peer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_llm 1

typedef enum bp_role {
    BP_ROLE_SYSTEM = 0,
    BP_ROLE_USER = 1,
    BP_ROLE_ASSISTANT = 2,
    BP_ROLE_TOOL = 3
} bp_role;

/* A passage that the answer may use. The text of a message repeats the passages for providers that
 * do not know them; `llm/extractive` answers from these alone. */
typedef struct bp_passage {
    bp_str id; /* what a citation names */
    bp_str title;
    bp_str text;
    double score;
} bp_passage;

typedef struct bp_tool_call {
    bp_str id;
    bp_str name;
    bp_str arguments; /* a JSON object */
} bp_tool_call;

typedef struct bp_message {
    uint32_t struct_size;
    uint32_t role;  /* bp_role */
    bp_str   text;  /* UTF-8 */
    bp_str   parts; /* a JSON array of content parts in OpenAI's shape (images, audio) instead of
                       `text` */
    bp_str              tool_call_id; /* TOOL: which call this answers */
    bp_str              name;
    const bp_tool_call *tool_calls; /* ASSISTANT */
    size_t              tool_call_count;
} bp_message;

typedef struct bp_tool {
    bp_str name;
    bp_str description;
    bp_str parameters; /* JSON Schema */
} bp_tool;

typedef struct bp_chat {
    uint32_t          struct_size;
    uint32_t          max_tokens; /* 0: the provider's default */
    bp_str            model;      /* empty: the instance's own */
    const bp_message *messages;
    size_t            message_size; /* stride: sizeof(bp_message) */
    size_t            message_count;
    const bp_tool    *tools;
    size_t            tool_count;
    bp_str            tool_choice;     /* "", "auto", "none", "required" or a tool's name */
    bp_str            response_schema; /* JSON Schema the answer must follow; empty: free text */
    const bp_str     *stop;
    size_t            stop_count;
    const bp_passage *passages;
    size_t            passage_count;
    double            temperature; /* below 0: the provider's default */
    double            top_p;       /* below 0: the provider's default */
    int64_t           seed;        /* below 0: none */
    bp_str            user;        /* an opaque id for the provider's abuse detection */
    bp_str extra; /* a JSON object merged into the provider's request; only from the conf */
} bp_chat;

typedef enum bp_delta_type {
    BP_DELTA_TEXT = 1,
    BP_DELTA_REASONING = 2,
    BP_DELTA_TOOL_CALL = 3 /* `index` says which; id and name come once, arguments in pieces */
} bp_delta_type;

typedef struct bp_delta {
    uint32_t struct_size;
    uint32_t type;
    uint32_t index;
    uint32_t reserved;
    bp_str   text; /* TEXT, REASONING: a piece; TOOL_CALL: a piece of the arguments */
    bp_str   id;
    bp_str   name;
} bp_delta;

/* Takes the answer as it comes. Suspends while the client is slow, which slows the provider down. A
 * status other than BP_OK ends the chat with that status. */
typedef struct bp_chat_sink {
    uint32_t struct_size;
    bp_status (*delta)(bp_call *call, void *self, const bp_delta *delta) BP_SUSPENDS;
    void *self;
} bp_chat_sink;

typedef enum bp_finish {
    BP_FINISH_STOP = 0,
    BP_FINISH_LENGTH = 1,
    BP_FINISH_TOOL_CALLS = 2,
    BP_FINISH_FILTERED = 3,
    BP_FINISH_NO_ANSWER = 4 /* the passages hold none */
} bp_finish;

typedef struct bp_chat_result {
    uint32_t struct_size;
    uint32_t finish;                      /* bp_finish */
    bp_str   model;                       /* that answered */
    uint64_t input_tokens, output_tokens; /* 0: not known */
    uint64_t cached_tokens;
} bp_chat_result;

typedef struct bp_model {
    bp_str   id;
    uint64_t context_tokens; /* 0: not known */
} bp_model;

/* Both may suspend, are bounded by the call, borrow their inputs and return BP_OK, BP_INVALID,
 * BP_DENIED (the key), BP_LIMIT (with retry_after_ns in the error slot), BP_UNAVAILABLE,
 * BP_UPSTREAM, BP_TOO_LARGE (the context), BP_DEADLINE or BP_CANCELLED. The host retries a chat
 * only before its first delta. */
typedef struct bp_llm_ops {
    uint32_t struct_size;
    bp_status (*chat)(bp_call *call, void *instance, const bp_chat *chat, const bp_chat_sink *sink,
                      bp_chat_result *result) BP_SUSPENDS;
    bp_status (*models)(bp_call *call, void *instance, const bp_model **models, size_t *model_size,
                        size_t *count) BP_SUSPENDS;
} bp_llm_ops;

static inline const bp_llm_ops *bp_llm_of(const bp_peer *provider)
{
    return (const bp_llm_ops *)provider->ops;
}

static inline bp_status bp_llm_chat(bp_call *call, const bp_peer *provider, const bp_chat *chat,
                                    const bp_chat_sink *sink, bp_chat_result *result) BP_SUSPENDS
{
    memset(result, 0, sizeof(*result));
    result->struct_size = (uint32_t)sizeof(*result);
    return bp_llm_of(provider)->chat(call, provider->instance, chat, sink, result);
}

#ifdef __cplusplus
}
#endif
#endif
