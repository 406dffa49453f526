/* chat.h - private to llm/openai: an instance, the request that is made of a chat, the answer that
 * is read. */
#ifndef CHAT_H
#define CHAT_H

#include <backplane/llm.h>
#include <backplane/plugin.h>

#include "openai/openai.h"

enum {
    CHAT_REQUEST_MAX_BYTES = 64 << 20,
    CHAT_EVENT_MAX_BYTES = 4 << 20,
    CHAT_ANSWER_MAX_BYTES = 32 << 20,
    CHAT_ERROR_MAX_BYTES = 64 << 10,
    CHAT_TOOL_CALLS_MAX = 128,
};

struct llm_instance {
    struct openai_server server;
    bp_str               model, extra;
    int64_t              timeout_ns, idle_timeout_ns;
    int32_t max_tokens_name; /* place in the choices: max_tokens, max_completion_tokens */
    bool    with_usage;
};

/* ---- request.c ---- */

bp_status chat_body(bp_call *call, const struct llm_instance *llm, const bp_chat *chat,
                    bp_str *body);

/* ---- answer.c ---- */

/* The part of an answer seen so far. */
struct chat_answer {
    const struct llm_instance *llm;
    const bp_chat_sink        *sink;
    bp_chat_result            *result;
    bool                       is_finished; /* a finish_reason came */
    uint32_t                   tool_calls;  /* how many began */
    size_t                     model_len;
    char                       model[256];
    bool                       is_named[CHAT_TOOL_CALLS_MAX];
};

/* One chunk of a stream, or (with "message" in place of "delta") a whole answer. */
bp_status chat_take(bp_call *call, struct chat_answer *answer, const bp_json *chunk) BP_SUSPENDS;
/* Called at the end: BP_UPSTREAM when the answer has no end of its own. */
bp_status chat_end(bp_call *call, struct chat_answer *answer);

#endif
