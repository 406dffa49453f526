/* backplane/app.h - the interface of an app: its tables of routes, MCP tools, resources and
 * prompts, and their handlers. Its commands are in command.h.
 *
 * A handler is straight-line code on a fiber. It reads a bp_request, writes a bp_response, and
 * returns a status: BP_OK when it has answered. For any other status the host answers with the HTTP
 * status of that code and the sentence in the error slot:
 *
 *      {"error": {"code": "not_found", "message": "there is no collection \"x\"", "request_id": "..."}}
 */
#ifndef BACKPLANE_APP_H
#define BACKPLANE_APP_H

#include <backplane/json.h>
#include <backplane/peer.h>
#include <backplane/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BP_KIND_VERSION_app 1

typedef struct bp_request  bp_request; /* both belong to the call */
typedef struct bp_response bp_response;

typedef struct bp_web_service {
    uint32_t struct_size;
    bp_str (*method)(const bp_request *request);
    bp_str (*path)(const bp_request *request);
    bp_str (*header)(const bp_request *request, const char *name);
    bp_str (*path_value)(const bp_request *request, const char *name);
    bool (*query_value)(const bp_request *request, const char *name, bp_str *value);
    int64_t (*body_length)(const bp_request *request);
    bp_status (*body)(bp_call *call, bp_request *request, bp_str *bytes);
    bp_status (*body_read)(bp_call *call, bp_request *request, bp_str *piece);

    bp_status (*set_header)(bp_response *response, const char *name, bp_str value);
    bp_status (*send)(bp_call *call, bp_response *response, int32_t status,
                      const char *content_type, bp_str body);
    bp_status (*stream)(bp_call *call, bp_response *response, int32_t status,
                        const char *content_type);
    bp_status (*write)(bp_call *call, bp_response *response, bp_str bytes);
    bp_status (*sse_event)(bp_call *call, bp_response *response, const char *event, bp_str data);
} bp_web_service;

BP_SERVICE(web, bp_web_service, 1)

/* ---- the request: strings live as long as the call ---- */

static inline bp_str bp_request_method(const bp_request *r)
{
    return bp_service_web->method(r);
}
/* Decoded, without the query and without the prefix that the conf gives the app. Dots and double
 * slashes never get this far. */
static inline bp_str bp_request_path(const bp_request *r)
{
    return bp_service_web->path(r);
}
/* Empty when absent; values of a repeated header are joined by ", ". Any case. */
static inline bp_str bp_request_header(const bp_request *r, const char *name)
{
    return bp_service_web->header(r, name);
}
/* The value of {name} in the route's path, decoded. */
static inline bp_str bp_request_path_value(const bp_request *r, const char *name)
{
    return bp_service_web->path_value(r, name);
}
/* The first ?name=value, decoded; false when absent. */
static inline bool bp_request_query(const bp_request *r, const char *name, bp_str *value)
{
    return bp_service_web->query_value(r, name, value);
}
/* As announced; -1 when the body is chunked. */
static inline int64_t bp_request_body_length(const bp_request *r)
{
    return bp_service_web->body_length(r);
}
/* The whole body, up to the route's body_max_bytes (BP_TOO_LARGE). */
static inline bp_status bp_request_body(bp_call *call, bp_request *r, bp_str *bytes) BP_SUSPENDS
{
    return bp_service_web->body(call, r, bytes);
}
/* The next piece of the body, valid until the next read; empty with BP_OK at its end. A client that
 * sends faster than this reads is held back. */
static inline bp_status bp_request_read(bp_call *call, bp_request *r, bp_str *piece) BP_SUSPENDS
{
    return bp_service_web->body_read(call, r, piece);
}

/* A body read line by line: JSON lines, logs, CSV. Made before bp_scratch_begin(), so that it may
 * be read in batches. */
typedef struct bp_lines {
    bp_request *request;
    bp_buf     *line;
    bp_str      piece; /* the rest of the last one read */
    size_t      max_bytes;
    int64_t     number; /* of the line given last, from 1 */
    bool        is_given;
    /* The source of pieces; NULL: the request. Empty with BP_OK: the end. */
    bp_status (*read)(bp_call *call, void *from, bp_str *piece) BP_SUSPENDS;
    void *from;
} bp_lines;

static inline bp_lines bp_lines_of(bp_call *call, bp_request *r, size_t max_bytes)
{
    bp_lines lines;
    memset(&lines, 0, sizeof(lines));
    lines.request = r;
    lines.line = bp_buf_new(call, max_bytes);
    lines.max_bytes = max_bytes;
    return lines;
}
/* The next line without its end, \n or \r\n, and *has_line, or the end of the body. The line is
 * valid until the next call. The last one need not have an end. BP_TOO_LARGE for a line of more
 * than max_bytes, BP_NO_MEMORY, or a status of bp_request_read(). */
static inline bp_status bp_lines_next(bp_call *call, bp_lines *lines, bp_str *line,
                                      bool *has_line) BP_SUSPENDS
{
    bool is_end = false;

    if (lines->is_given)
        bp_buf_reset(lines->line);
    lines->is_given = *has_line = false;
    while (!is_end) {
        const char *newline;
        size_t      len;

        if (!lines->piece.len) {
            BP_TRY(lines->read ? lines->read(call, lines->from, &lines->piece)
                               : bp_request_read(call, lines->request, &lines->piece));
            if (!lines->piece.len)
                break;
        }
        newline = (const char *)memchr(lines->piece.data, '\n', lines->piece.len);
        len = newline ? (size_t)(newline - lines->piece.data) : lines->piece.len;
        is_end = newline != NULL;
        bp_buf_add(lines->line, bp_str_n(lines->piece.data, len));
        if (bp_buf_status(lines->line) != BP_OK)
            return bp_fail(call, bp_buf_status(lines->line), "line %lld is longer than %zu bytes",
                           (long long)lines->number + 1, lines->max_bytes);
        lines->piece = bp_str_n(lines->piece.data + len + is_end, lines->piece.len - len - is_end);
    }
    *line = bp_buf_str(lines->line);
    if (!is_end && !line->len)
        return BP_OK;
    if (line->len && line->data[line->len - 1] == '\r')
        line->len--;
    lines->is_given = *has_line = true;
    lines->number++;
    return BP_OK;
}
/* Starts over, with the same memory, for another text from the same place. */
static inline void bp_lines_again(bp_lines *lines)
{
    bp_buf_reset(lines->line);
    lines->piece = bp_str_n(NULL, 0);
    lines->number = 0;
    lines->is_given = false;
}

/* ---- the response ---- */

/* Before the first byte is sent. BP_INVALID for a name or value that may not stand in a header. */
static inline bp_status bp_response_header(bp_response *r, const char *name, bp_str value)
{
    return bp_service_web->set_header(r, name, value);
}
/* The whole answer at once. */
static inline bp_status bp_respond(bp_call *call, bp_response *r, int32_t status,
                                   const char *content_type, bp_str body) BP_SUSPENDS
{
    return bp_service_web->send(call, r, status, content_type, body);
}
static inline bp_status bp_respond_json(bp_call *call, bp_response *r, int32_t status,
                                        bp_json_writer *w) BP_SUSPENDS
{
    bp_str json;
    BP_TRY(bp_json_done(call, w, &json));
    return bp_respond(call, r, status, "application/json", json);
}
/* Begins a chunked answer. Then call bp_response_write() as often as needed; the handler's return
 * ends it. If the handler fails afterwards, the host cuts the connection, so that a client never
 * takes a part for the whole. */
static inline bp_status bp_response_stream(bp_call *call, bp_response *r, int32_t status,
                                           const char *content_type) BP_SUSPENDS
{
    return bp_service_web->stream(call, r, status, content_type);
}
/* Suspends while the client is slow; BP_CANCELLED when it is gone. */
static inline bp_status bp_response_write(bp_call *call, bp_response *r, bp_str bytes) BP_SUSPENDS
{
    return bp_service_web->write(call, r, bytes);
}
/* One server-sent event; `event` NULL for "message". The first one begins the stream
 * (text/event-stream, not cached, X-Accel-Buffering: no); the host sends a comment after 15 s of
 * silence. */
static inline bp_status bp_response_event(bp_call *call, bp_response *r, const char *event,
                                          bp_str data) BP_SUSPENDS
{
    return bp_service_web->sse_event(call, r, event, data);
}

/* ---- the table ---- */

typedef bp_status (*bp_handler)(bp_call *call, void *instance, bp_request *request,
                                bp_response *response);

enum {
    /* Any valid key or token will do, regardless of its scopes. */
    BP_ROUTE_AUTHENTICATED = 1u << 0
};

struct bp_params; /* a table of parameters: <backplane/param.h> */

/* Times 0 and sizes 0: the defaults of the conf. Texts are NUL-terminated and static. */
typedef struct bp_route {
    const char *method; /* GET POST PUT PATCH DELETE */
    const char
        *path; /* "/api/v1/collections/{name}"; {rest...} at the end takes the remaining segments */
    bp_handler  handler;
    const char *scope;           /* a key needs it: "retrieval:read"; NULL: no key needed */
    const char *summary;         /* one line for /openapi.json and /docs */
    const char *request_schema;  /* JSON Schema of the body; NULL: no JSON body */
    const char *response_schema; /* JSON Schema of the 200 answer; NULL: not JSON */
    const char *query; /* query parameters for the docs: "q: what to look for\nlimit: 1 to 100" */
    int64_t     deadline_ns;
    int64_t     body_max_bytes;
    uint32_t    rate_per_minute;             /* for one key or address; 0: no limit of its own */
    uint32_t    flags;                       /* BP_ROUTE_ */
    const struct bp_params *request_params;  /* instead of request_schema; NULL: what that says */
    const struct bp_params *response_params; /* instead of response_schema */
} bp_route;

/* ---- MCP: what models and their clients see of the app ----
 *
 * The host speaks all revisions of the protocol, over HTTP and stdio. An app fills in tables. mcp.h
 * has the functions that a handler may call. Texts are NUL-terminated and static. Names:
 * [A-Za-z0-9_./-], up to 64.
 */

typedef struct bp_mcp bp_mcp; /* one request of an MCP client; belongs to the call */

struct bp_command; /* command.h */

enum {
    /* Hints for the client (MCP 2025-11-25, ToolAnnotations). Default: the tool writes, destroys
       nothing, and touches nothing outside. */
    BP_TOOL_READ_ONLY = 1u << 0,
    BP_TOOL_DESTRUCTIVE = 1u << 1,
    BP_TOOL_IDEMPOTENT = 1u << 2,
    BP_TOOL_OPEN_WORLD = 1u << 3,
    /* Runs as a task if the client supports tasks: it gets an answer at once and fetches the result
       later. */
    BP_TOOL_TASK = 1u << 4,
    /* Refuses clients without tasks. */
    BP_TOOL_TASK_ONLY = 1u << 5,
    /* With one of the two: becomes a task when the handler calls bp_mcp_as_task(), not at its
       start. */
    BP_TOOL_TASK_LATE = 1u << 6
};

/* `arguments` is an object that the input schema allows. BP_OK: the result is the content added to
 * `mcp`. Any other status becomes a result with isError and the sentence of the error slot, so that
 * the model can mend its call; BP_INPUT_REQUIRED is passed on, see bp_mcp_ask(). */
typedef bp_status (*bp_mcp_tool_handler)(bp_call *call, void *instance, const bp_json *arguments,
                                         bp_mcp *mcp);

typedef struct bp_mcp_tool {
    const char *name;
    const char *title;         /* for people; NULL: the name */
    const char *description;   /* for the model: what it does and when to use it */
    const char *input_schema;  /* JSON Schema 2020-12 with "type": "object"; NULL: no arguments */
    const char *output_schema; /* of the structured result; NULL: it has none */
    bp_mcp_tool_handler handler;
    const char *scope; /* a key or token needs it: "filesystem:write"; NULL: none of its own */
    const char *
        needs; /* what the client must be able to do: "sampling elicitation roots"; NULL: nothing */
    const char             *icons;           /* a JSON array of icons; NULL: none */
    int64_t                 deadline_ns;     /* 0: the default of the conf */
    uint32_t                rate_per_minute; /* for one key or address; 0: no limit of its own */
    uint32_t                flags;           /* BP_TOOL_ */
    const struct bp_params *params;          /* instead of input_schema; NULL: what that says */
    const struct bp_params *results;         /* instead of output_schema */
} bp_mcp_tool;

/* `uri` is as the client wrote it; bp_mcp_uri_value() gives the value of {name} in a template. Adds
 * contents by bp_mcp_contents_text() or _blob(). BP_NOT_FOUND when there is no such resource. */
typedef bp_status (*bp_mcp_resource_handler)(bp_call *call, void *instance, bp_str uri,
                                             bp_mcp *mcp);

typedef struct bp_mcp_resource {
    const char
        *uri; /* "memory://tasks", or an RFC 6570 template of level 1: "memory://tasks/{id}" */
    const char             *name;
    const char             *title;       /* NULL: the name */
    const char             *description; /* NULL: none */
    const char             *mime_type;   /* NULL: not said */
    bp_mcp_resource_handler handler;
    const char             *scope;
    const char             *icons;
    int64_t                 ttl_ns; /* how long a client may keep what it read; 0: not at all */
    uint32_t                flags;  /* none yet */
    uint32_t                reserved;
} bp_mcp_resource;

/* `arguments` is an object of strings with all required ones present. Adds content
 * blocks, each a message of the role set by bp_mcp_role(). */
typedef bp_status (*bp_mcp_prompt_handler)(bp_call *call, void *instance, const bp_json *arguments,
                                           bp_mcp *mcp);

typedef struct bp_mcp_argument {
    const char *name;
    const char *title;
    const char *description;
    bool        is_required;
} bp_mcp_argument;

typedef struct bp_mcp_prompt {
    const char            *name;
    const char            *title;
    const char            *description;
    const bp_mcp_argument *arguments;
    uint32_t               argument_size; /* stride */
    uint32_t               argument_count;
    bp_mcp_prompt_handler  handler;
    const char            *scope;
    const char            *icons;
} bp_mcp_prompt;

/* A completion request. */
typedef struct bp_mcp_completion {
    uint32_t       struct_size;
    bool           is_prompt; /* else `name` is the template of a resource */
    bp_str         name;
    bp_str         argument;
    bp_str         value; /* the word typed so far */
    const bp_json *given; /* an object of the other arguments; may be NULL */
} bp_mcp_completion;

/* The tables are static and read once, before the first request. A pointer of theirs may be NULL
 * with a count of 0. */
typedef struct bp_app_ops {
    uint32_t        struct_size;
    uint32_t        route_size; /* stride */
    const bp_route *routes;
    size_t          route_count;
    const bp_migration
          *migrations; /* of the storage that the option `storage` names; run before worker_start */
    size_t migration_count;

    uint32_t               tool_size; /* strides */
    uint32_t               resource_size;
    uint32_t               prompt_size;
    uint32_t               reserved;
    const bp_mcp_tool     *tools;
    size_t                 tool_count;
    const bp_mcp_resource *resources;
    size_t                 resource_count;
    const bp_mcp_prompt   *prompts;
    size_t                 prompt_count;
    const char            *instructions; /* for the model: how to use this app; NULL: none */

    /* Optional. Whether the instance offers the tool, resource (its uri) or prompt of that name.
     * The host asks once, on one worker, after all workers have started. Must not suspend. */
    bool (*offers)(void *instance, const char *name);
    /* Optional. Adds candidates by bp_mcp_complete(), best first; the host cuts at 100.
     */
    bp_status (*complete)(bp_call *call, void *instance, const bp_mcp_completion *wanted,
                          bp_mcp *mcp) BP_SUSPENDS;

    const struct bp_command *commands; /* command.h: BP_COMMANDS(commands) */
    size_t                   command_count;
    uint32_t                 command_size; /* stride */
    uint32_t                 more_reserved;
} bp_app_ops;

/* The three tables of an app, in its bp_app_ops: BP_MCP_TOOLS(tools), BP_MCP_RESOURCES(resources),
 * ... */
#define BP_MCP_TOOLS(table)                                                                        \
    .tools = (table), .tool_count = sizeof(table) / sizeof((table)[0]),                            \
    .tool_size = (uint32_t)sizeof(bp_mcp_tool)
#define BP_MCP_RESOURCES(table)                                                                    \
    .resources = (table), .resource_count = sizeof(table) / sizeof((table)[0]),                    \
    .resource_size = (uint32_t)sizeof(bp_mcp_resource)
#define BP_MCP_PROMPTS(table)                                                                      \
    .prompts = (table), .prompt_count = sizeof(table) / sizeof((table)[0]),                        \
    .prompt_size = (uint32_t)sizeof(bp_mcp_prompt)
#define BP_MCP_ARGUMENTS(table)                                                                    \
    .arguments = (table), .argument_count = (uint32_t)(sizeof(table) / sizeof((table)[0])),        \
    .argument_size = (uint32_t)sizeof(bp_mcp_argument)

#ifdef __cplusplus
}
#endif
#endif
