/* backplane/mcp.h - what a handler of an MCP tool, resource or prompt may do: build a result,
 * report progress, log, and ask the client.
 *
 *      static bp_status greet(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
 *      {
 *          bp_mcp_text(mcp, bp_format(call, "Hello, " BP_FMT "!", BP_ARG(bp_json_string(bp_json_get(arguments, "name")))));
 *          return BP_OK;
 *      }
 *
 * A handler is straight-line code in every revision of the protocol. Up to 2025-11-25 a question
 * travels on the stream of the request and the handler waits for the answer. From 2026-07-28 on a
 * request ends with the question and the client sends it again with the answer: then the host runs
 * the handler again from its beginning, and the question returns the answer at once. So ask first
 * and act afterwards; do whatever must not happen twice after the last question. Sources:
 * modelcontextprotocol.io/specification, revisions 2024-11-05 to 2026-07-28.
 */
#ifndef BACKPLANE_MCP_H
#define BACKPLANE_MCP_H

#include <backplane/app.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bp_mcp_level { /* RFC 5424 */
                            BP_MCP_DEBUG = 0,
                            BP_MCP_INFO = 1,
                            BP_MCP_NOTICE = 2,
                            BP_MCP_WARNING = 3,
                            BP_MCP_ERROR = 4,
                            BP_MCP_CRITICAL = 5,
                            BP_MCP_ALERT = 6,
                            BP_MCP_EMERGENCY = 7
} bp_mcp_level;

/* JSON-RPC error codes that an app may end a request with. */
enum { BP_MCP_INVALID_PARAMS = -32602, BP_MCP_INTERNAL_ERROR = -32603 };

/* The kinds of change that clients may subscribe to. */
typedef enum bp_mcp_change {
    BP_MCP_TOOLS_CHANGED = 0,
    BP_MCP_PROMPTS_CHANGED = 1,
    BP_MCP_RESOURCES_CHANGED = 2,
    BP_MCP_RESOURCE_UPDATED = 3 /* the one of that uri */
} bp_mcp_change;

/* One question to the client. */
typedef struct bp_mcp_ask {
    const char    *key;    /* of the question within this handler: "user_name" */
    const char    *method; /* "elicitation/create", "sampling/createMessage" or "roots/list" */
    bp_str         params; /* a JSON object as that method wants it; empty: {} */
    const bp_json *answer; /* out: the client's result object */
} bp_mcp_ask;

typedef struct bp_mcp_service {
    uint32_t struct_size;

    bp_json_writer *(*begin_block)(bp_mcp *mcp);
    void (*end_block)(bp_mcp *mcp);
    bp_json_writer *(*begin_contents)(bp_mcp *mcp, bp_str uri);
    void (*role)(bp_mcp *mcp, const char *role);
    void (*describe)(bp_mcp *mcp, bp_str description);
    void (*structured)(bp_mcp *mcp, bp_str json);
    void (*error)(bp_mcp *mcp);
    void (*meta)(bp_mcp *mcp, bp_str json);
    void (*complete)(bp_mcp *mcp, bp_str value);
    void (*complete_total)(bp_mcp *mcp, int64_t total);

    bp_status (*progress)(bp_call *call, bp_mcp *mcp, double done, double total, bp_str message);
    bp_status (*log)(bp_call *call, bp_mcp *mcp, uint32_t level, const char *logger, bp_str json);
    bp_status (*ask)(bp_call *call, bp_mcp *mcp, bp_mcp_ask *asks, size_t ask_size, size_t count);
    bool (*can)(const bp_mcp *mcp, const char *capability);
    bp_str (*state)(const bp_mcp *mcp);
    bp_status (*set_state)(bp_call *call, bp_mcp *mcp, bp_str state);
    bp_status (*fail_request)(bp_call *call, bp_mcp *mcp, int32_t code, bp_str message,
                              bp_str data);
    bp_status (*hang_up)(bp_call *call, bp_mcp *mcp, int64_t retry_ns);

    bp_str (*uri_value)(const bp_mcp *mcp, const char *name);
    bp_str (*session)(const bp_mcp *mcp);
    bp_str (*client)(const bp_mcp *mcp);
    bp_str (*revision)(const bp_mcp *mcp);
    void (*changed)(bp_call *call, uint32_t change, bp_str uri);
    bp_status (*as_task)(bp_call *call, bp_mcp *mcp);
} bp_mcp_service;

BP_SERVICE(mcp, bp_mcp_service, 1)

/* ---- the result of a tool, the messages of a prompt: content blocks ---- */

/* A custom block: begin, write the members of one object ("type" first), end. The writer belongs to
 * the host. A result beyond 32 MiB fails the request with BP_TOO_LARGE. */
static inline bp_json_writer *bp_mcp_begin_block(bp_mcp *mcp)
{
    return bp_service_mcp->begin_block(mcp);
}
static inline void bp_mcp_end_block(bp_mcp *mcp)
{
    bp_service_mcp->end_block(mcp);
}

static inline void bp_mcp_text(bp_mcp *mcp, bp_str text)
{
    bp_json_writer *w = bp_mcp_begin_block(mcp);
    bp_json_put_string(w, "type", bp_str_of("text"));
    bp_json_put_string(w, "text", text);
    bp_mcp_end_block(mcp);
}

/* `type` is "image" or "audio"; `bytes` are those of the file, sent in base64. */
static inline void bp_mcp_media(bp_mcp *mcp, const char *type, const char *mime_type, bp_str bytes)
{
    bp_json_writer *w = bp_mcp_begin_block(mcp);
    bp_json_put_string(w, "type", bp_str_of(type));
    bp_json_key(w, "data");
    bp_json_add_base64(w, bytes);
    bp_json_put_string(w, "mimeType", bp_str_of(mime_type));
    bp_mcp_end_block(mcp);
}
static inline void bp_mcp_image(bp_mcp *mcp, const char *mime_type, bp_str bytes)
{
    bp_mcp_media(mcp, "image", mime_type, bytes);
}
static inline void bp_mcp_audio(bp_mcp *mcp, const char *mime_type, bp_str bytes)
{
    bp_mcp_media(mcp, "audio", mime_type, bytes);
}

/* A resource put into the result, as text or as bytes. */
static inline void bp_mcp_embed(bp_mcp *mcp, bp_str uri, const char *mime_type, bp_str bytes,
                                bool is_text)
{
    bp_json_writer *w = bp_mcp_begin_block(mcp);
    bp_json_put_string(w, "type", bp_str_of("resource"));
    bp_json_key(w, "resource");
    bp_json_object(w);
    bp_json_put_string(w, "uri", uri);
    if (mime_type)
        bp_json_put_string(w, "mimeType", bp_str_of(mime_type));
    bp_json_key(w, is_text ? "text" : "blob");
    if (is_text)
        bp_json_add_string(w, bytes);
    else
        bp_json_add_base64(w, bytes);
    bp_json_end(w);
    bp_mcp_end_block(mcp);
}

/* A resource that the client may read by itself (MCP 2025-06-18). */
static inline void bp_mcp_link(bp_mcp *mcp, bp_str uri, bp_str name, const char *mime_type,
                               bp_str description)
{
    bp_json_writer *w = bp_mcp_begin_block(mcp);
    bp_json_put_string(w, "type", bp_str_of("resource_link"));
    bp_json_put_string(w, "uri", uri);
    bp_json_put_string(w, "name", name);
    if (mime_type)
        bp_json_put_string(w, "mimeType", bp_str_of(mime_type));
    if (description.len)
        bp_json_put_string(w, "description", description);
    bp_mcp_end_block(mcp);
}

/* The structured result: one whole JSON value that the output schema allows, or the request fails.
 * Without a content block the host adds it as text, laid out by bp_json_indent(). */
static inline void bp_mcp_structured(bp_mcp *mcp, bp_str json)
{
    bp_service_mcp->structured(mcp, json);
}
/* Marks the result as a failure; its content says why. For one sentence, return a status instead.
 */
static inline void bp_mcp_error(bp_mcp *mcp)
{
    bp_service_mcp->error(mcp);
}
/* Members of the result's _meta: one whole JSON object. */
static inline void bp_mcp_meta(bp_mcp *mcp, bp_str json)
{
    bp_service_mcp->meta(mcp, json);
}

/* Sets the role of the following blocks of a prompt: "user" (the default) or "assistant". */
static inline void bp_mcp_role(bp_mcp *mcp, const char *role)
{
    bp_service_mcp->role(mcp, role);
}
/* The description of the prompt as built. */
static inline void bp_mcp_describe(bp_mcp *mcp, bp_str description)
{
    bp_service_mcp->describe(mcp, description);
}

/* ---- the contents of a resource ---- */

/* `uri` empty: the requested one. */
static inline void bp_mcp_contents(bp_mcp *mcp, bp_str uri, const char *mime_type, bp_str bytes,
                                   bool is_text)
{
    bp_json_writer *w = bp_service_mcp->begin_contents(mcp, uri);
    if (mime_type)
        bp_json_put_string(w, "mimeType", bp_str_of(mime_type));
    bp_json_key(w, is_text ? "text" : "blob");
    if (is_text)
        bp_json_add_string(w, bytes);
    else
        bp_json_add_base64(w, bytes);
    bp_mcp_end_block(mcp);
}
static inline void bp_mcp_contents_text(bp_mcp *mcp, const char *mime_type, bp_str text)
{
    bp_mcp_contents(mcp, bp_str_n("", 0), mime_type, text, true);
}
static inline void bp_mcp_contents_blob(bp_mcp *mcp, const char *mime_type, bp_str bytes)
{
    bp_mcp_contents(mcp, bp_str_n("", 0), mime_type, bytes, false);
}
/* The value of {name} in the template, decoded; empty when there is none. */
static inline bp_str bp_mcp_uri_value(const bp_mcp *mcp, const char *name)
{
    return bp_service_mcp->uri_value(mcp, name);
}

/* ---- completion ---- */

static inline void bp_mcp_complete(bp_mcp *mcp, bp_str value)
{
    bp_service_mcp->complete(mcp, value);
}
/* The total number of candidates, if more are known than were added. */
static inline void bp_mcp_complete_total(bp_mcp *mcp, int64_t total)
{
    bp_service_mcp->complete_total(mcp, total);
}

/* ---- while it runs ---- */

/* Reports progress to a client that asked for it. `done` grows from call to call; `total` 0:
 * not known; `message` may be empty. Does nothing for other clients. BP_CANCELLED when nobody waits
 * any longer. */
static inline bp_status bp_mcp_progress(bp_call *call, bp_mcp *mcp, double done, double total,
                                        bp_str message) BP_SUSPENDS
{
    return bp_service_mcp->progress(call, mcp, done, total, message);
}
/* Sends a line for the client's log, if it wants lines of that level. `json` is one whole JSON
 * value; `logger` NULL: the name of the instance. */
static inline bp_status bp_mcp_log(bp_call *call, bp_mcp *mcp, bp_mcp_level level,
                                   const char *logger, bp_str json) BP_SUSPENDS
{
    return bp_service_mcp->log(call, mcp, (uint32_t)level, logger, json);
}

/* Whether the client has a capability: "sampling", "elicitation", "roots", "sampling.tools",
 * "elicitation.url", "tasks". */
static inline bool bp_mcp_can(const bp_mcp *mcp, const char *capability)
{
    return bp_service_mcp->can(mcp, capability);
}

/* Asks the client all of these questions at once and gives its answers. Check them: they are input.
 * Suspends until they arrive, or returns BP_INPUT_REQUIRED, which the handler passes on (see the
 * head of this file). BP_UNSUPPORTED when the client did not declare the capability; BP_UPSTREAM
 * when it answered with an error. */
static inline bp_status bp_mcp_ask_all(bp_call *call, bp_mcp *mcp, bp_mcp_ask *asks,
                                       size_t count) BP_SUSPENDS
{
    return bp_service_mcp->ask(call, mcp, asks, sizeof(bp_mcp_ask), count);
}

/* Asks the user. `schema` is a JSON Schema of a flat object. The answer: {"action": "accept" |
 * "decline" | "cancel", "content": {...}}. */
static inline bp_status bp_mcp_elicit(bp_call *call, bp_mcp *mcp, const char *key, bp_str message,
                                      bp_str schema, const bp_json **answer) BP_SUSPENDS
{
    bp_json_writer *w = bp_json_writer_new(call, 1u << 20);
    bp_mcp_ask      ask = { key, "elicitation/create", { NULL, 0 }, NULL };
    bp_status       status;

    bp_json_object(w);
    bp_json_put_string(w, "message", message);
    bp_json_key(w, "requestedSchema");
    bp_json_add_raw(w, schema);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &ask.params));
    status = bp_mcp_ask_all(call, mcp, &ask, 1);
    *answer = ask.answer;
    return status;
}
/* The user's input; NULL unless the user accepted. */
static inline const bp_json *bp_mcp_accepted(const bp_json *answer)
{
    return bp_str_is(bp_json_string(bp_json_get(answer, "action")), "accept")
               ? bp_json_get(answer, "content")
               : NULL;
}

/* Has the client's model answer one text. The answer: {"role", "content", "model", "stopReason"}.
 */
static inline bp_status bp_mcp_sample(bp_call *call, bp_mcp *mcp, const char *key, bp_str text,
                                      int64_t max_tokens, const bp_json **answer) BP_SUSPENDS
{
    bp_json_writer *w = bp_json_writer_new(call, 4u << 20);
    bp_mcp_ask      ask = { key, "sampling/createMessage", { NULL, 0 }, NULL };
    bp_status       status;

    bp_json_object(w);
    bp_json_key(w, "messages");
    bp_json_array(w);
    bp_json_object(w);
    bp_json_put_string(w, "role", bp_str_of("user"));
    bp_json_key(w, "content");
    bp_json_object(w);
    bp_json_put_string(w, "type", bp_str_of("text"));
    bp_json_put_string(w, "text", text);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_end(w);
    bp_json_put_integer(w, "maxTokens", max_tokens);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &ask.params));
    status = bp_mcp_ask_all(call, mcp, &ask, 1);
    *answer = ask.answer;
    return status;
}
/* The text of a sampled message; the first text block when it has several; empty when it has none.
 */
static inline bp_str bp_mcp_sampled_text(const bp_json *answer)
{
    const bp_json *content = bp_json_get(answer, "content"), *block = content;
    size_t         i = 0;

    while (bp_json_type_of(content) == BP_JSON_ARRAY && (block = bp_json_at(content, i)) != NULL &&
           !bp_str_is(bp_json_string(bp_json_get(block, "type")), "text"))
        i++;
    return bp_json_string(bp_json_get(block, "text"));
}

/* For a tool flagged BP_TOOL_TASK_LATE, after its questions: the rest runs as a task. Returns BP_OK
 * when it does, or when the client does not support tasks. Otherwise BP_INPUT_REQUIRED, which the
 * handler passes on: the host runs it again, as a task, with the same answers. */
static inline bp_status bp_mcp_as_task(bp_call *call, bp_mcp *mcp)
{
    return bp_service_mcp->as_task(call, mcp);
}

/* The handler's state from the previous round. The client carries it sealed, bound to the
 * principal, the tool and its arguments, so nobody can read or change it. Empty in the first round.
 * Up to 16 KiB. */
static inline bp_str bp_mcp_state(const bp_mcp *mcp)
{
    return bp_service_mcp->state(mcp);
}
static inline bp_status bp_mcp_set_state(bp_call *call, bp_mcp *mcp, bp_str state)
{
    return bp_service_mcp->set_state(call, mcp, state);
}

/* Ends the request with a JSON-RPC error instead of a result: `return bp_mcp_fail(...)`. For
 * mistakes in the request itself; for mistakes that a model can fix, return a status and a
 * sentence. `data` is JSON or empty. */
static inline bp_status bp_mcp_fail(bp_call *call, bp_mcp *mcp, int32_t code, bp_str message,
                                    bp_str data)
{
    return bp_service_mcp->fail_request(call, mcp, code, message, data);
}

/* Closes the client's stream while the handler goes on. The client reconnects after about retry_ns
 * and fetches the rest (MCP 2025-11-25, SEP-1699). Does nothing if the client cannot do that. */
static inline bp_status bp_mcp_hang_up(bp_call *call, bp_mcp *mcp, int64_t retry_ns) BP_SUSPENDS
{
    return bp_service_mcp->hang_up(call, mcp, retry_ns);
}

/* ---- who asks ---- */

/* The id of the session, or of the process's one client over stdio; empty from 2026-07-28 on, which
 * has no sessions. It proves no identity: use bp_principal_of(). */
static inline bp_str bp_mcp_session(const bp_mcp *mcp)
{
    return bp_service_mcp->session(mcp);
}
/* "name/version" as the client states it; may be empty. */
static inline bp_str bp_mcp_client(const bp_mcp *mcp)
{
    return bp_service_mcp->client(mcp);
}
/* "2026-07-28": the revision of the protocol that this request is served by. */
static inline bp_str bp_mcp_revision(const bp_mcp *mcp)
{
    return bp_service_mcp->revision(mcp);
}

/* Notifies every subscribed client. `uri` for BP_MCP_RESOURCE_UPDATED, else empty. Any
 * call of the app. */
static inline void bp_mcp_changed(bp_call *call, bp_mcp_change change, bp_str uri)
{
    bp_service_mcp->changed(call, (uint32_t)change, uri);
}

#ifdef __cplusplus
}
#endif
#endif
