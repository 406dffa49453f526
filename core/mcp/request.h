/* request.h - one MCP request under way: this is the bp_mcp of the SDK.
 *
 *      transport (http.c, stdio.c) -> request_serve() -> methods -> gate -> handler of an app
 *                ^                          |                                 |
 *                +--- answer: one text -----+        channel: messages sent before the answer
 *
 * The answer is written into one buffer, frame first, so that a handler's content blocks are
 * already where they belong.
 */
#ifndef CORE_MCP_REQUEST_H
#define CORE_MCP_REQUEST_H

#include <backplane/mcp.h>

#include "mcp/catalog.h"
#include "mcp/intake.h"
#include "mcp/message.h"
#include "mcp/session.h"

struct mcp;
struct task;

/* Where a transport sends what comes before the answer. */
struct channel {
    /* False: there is no way to, and nothing is lost by not doing it (progress), or the request
     * cannot be (questions). */
    bool (*can_send)(const bp_mcp *request);
    bp_status (*send)(bp_mcp *request, bp_str message) BP_SUSPENDS;
    bp_status (*hang_up)(bp_mcp *request, int64_t retry_ns) BP_SUSPENDS; /* NULL: it cannot be */
};

enum request_form { FORM_NONE, FORM_TOOL, FORM_RESOURCE, FORM_PROMPT, FORM_COMPLETION };

enum {
    REQUEST_BYTES_MAX = 32 << 20,
    ASKS_MAX = 32,
    COMPLETIONS_MAX = 100,
    STATE_BYTES_MAX = 16 << 10
};

/* The answer, when it is an error. */
struct request_error {
    int32_t     code; /* MCP_NO_ERROR: it is none */
    int32_t     http_status;
    bp_str      message, data;
    const char *scope; /* the principal lacks it; NULL: it is not that */
};

struct bp_mcp {
    struct mcp           *mcp;
    bp_call              *call;
    const struct catalog *catalog;
    const struct channel *channel;
    void                 *transport; /* the channel's own */
    struct http_exchange *exchange;  /* NULL: it did not come over HTTP */
    struct session       *session;   /* NULL in the modern era */
    struct session
        *registry; /* where it can be found without a session, to be cancelled; NULL: nowhere */
    struct session  **opened; /* where `initialize` puts a new one; NULL: it is not allowed here */
    enum mcp_revision revision;
    uint32_t          abilities;
    uint32_t          log_level; /* MCP_LEVEL_OFF: the client wants none */
    struct message    message;
    struct intake
        *intake; /* what the message was read into; NULL: it is not this request's to give back */
    uint8_t sender[SHARE_DIGEST_BYTES]; /* the share it counts for: the principal, or the address */
    bp_str  progress_token;             /* JSON; empty: none */
    double  last_progress;
    bp_str  client; /* "name/version" */
    struct running running;
    struct task   *task; /* this runs as that task; NULL: it does not */
    bool           may_become_task, becomes_task;

    /* The answer being made. */
    struct bp_buf        buf;
    bp_json_writer       w;
    enum request_form    form;
    struct request_error error;
    uint32_t             depth; /* of the writer where blocks belong */
    size_t               block_count;
    const char          *role;
    bool                 is_in_message, is_error, has_begun; /* the app's handler has been called */
    bp_str               structured, meta, description;
    const struct unit   *unit; /* the unit of the handler that runs */
    bp_str               uri;
    struct uri_value     values[URI_VALUES_MAX];
    size_t               value_count;
    int64_t              completion_total;

    /* Rounds: questions and answers of earlier rounds (modern). */
    const bp_json *given; /* params.inputResponses */
    const bp_json *kept;  /* answers of earlier rounds, out of the state */
    bp_str         state, next_state;
    bp_mcp_ask    *wanted; /* not answered yet: room for ASKS_MAX, once there is one */
    size_t         wanted_count;
};

/* Runs what the message asks for. The answer: one JSON-RPC message; empty when there is none to
 * give (a notification, a request that was cancelled). `http_status` is what it goes out with over
 * HTTP when no stream has begun. */
bp_str request_serve(bp_mcp *request, int32_t *http_status) BP_SUSPENDS;

/* The message as it came is not needed any more: the bytes read are given back, and only the method
 * and the id of the message are left. Before whatever may wait for long. */
void request_let_go(bp_mcp *request);

/* Ends the request with an error: returns BP_INVALID for `return request_fail(...)`. `http_status`
 * counts in the modern era only; 0: 200. */
/* What a client may read of a call that ended with `status`; where the log has more, it is there as
 * `event`, and the sentence ends with the request id to ask with. */
bp_str    request_sentence(bp_mcp *request, bp_status status, bp_str event);
bp_status request_fail(bp_mcp *request, int32_t code, int32_t http_status, const char *format, ...)
    BP_FORMAT(4, 5);

bp_status request_fail_version(bp_mcp *request, bp_str wanted);
/* Reads revision, capabilities, client and log level out of the _meta of a modern request. */
bp_status request_read_meta(bp_mcp *request);
/* The client lacks a capability that is needed: MISSING_CAPABILITY of the modern era. */
bp_status request_fail_ability(bp_mcp *request, uint32_t missing);
/* Whether the principal may; else an error that names the scope, for the transport to tell by a
 * header. */
bp_status request_check_scope(bp_mcp *request, const char *scope);

/* The frame of a result, up to the inside of the result object; and its end. */
void request_begin(bp_mcp *request);
void request_end(bp_mcp *request);
/* "ttlMs" and "cacheScope", where the revision has them. */
void request_put_caching(bp_mcp *request, int64_t ttl_ns);

/* result.c: the frame for blocks, and what they became. */
void result_begin(bp_mcp *request, enum request_form form);
/* `tool` NULL: there is no output schema to hold the structured result against. */
bp_status result_end(bp_mcp *request, const struct catalog_tool *tool);

/* ask.c */

/* The ask at `index` of a plugin's array, which may have been compiled with a longer or shorter
 * struct. */
static inline bp_mcp_ask *ask_at(bp_mcp_ask *asks, size_t size, size_t index)
{
    return (bp_mcp_ask *)(void *)((char *)asks + index * size);
}
bp_status ask_all(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t ask_size,
                  size_t count) BP_SUSPENDS;

/* rounds.c: reads inputResponses and requestState; writes the answer that asks for more. */
bp_status rounds_read(bp_mcp *request, bp_str subject);
bp_status rounds_write(bp_mcp *request, bp_str subject);

/* tools.c, resources.c, prompts.c, ...: the methods; see methods.c */
typedef bp_status (*method_run)(bp_mcp *request);
bp_status tools_list(bp_mcp *request);
bp_status tools_call(bp_mcp *request) BP_SUSPENDS;
bp_status resources_list(bp_mcp *request);
bp_status templates_list(bp_mcp *request);
bp_status resources_read(bp_mcp *request) BP_SUSPENDS;
bp_status prompts_list(bp_mcp *request);
bp_status prompts_get(bp_mcp *request) BP_SUSPENDS;
bp_status completion_complete(bp_mcp *request) BP_SUSPENDS;
bp_status subscriptions_listen(bp_mcp *request) BP_SUSPENDS;

/* Runs a tool with arguments that were checked, and writes its result. */
bp_status tool_run(bp_mcp *request, const struct catalog_tool *tool,
                   const bp_json *arguments) BP_SUSPENDS;
int64_t   tool_deadline_ns(const bp_mcp *request, const struct catalog_tool *tool);
/* The limit of its own that a tool has, for one key or address. */
bp_status mcp_take_from_limit(bp_mcp *request, const char *name,
                              uint32_t rate_per_minute) BP_SUSPENDS;

extern const bp_mcp_service mcp_service;

#endif
