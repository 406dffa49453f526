/* app_client.c - a client that knows only the tables of an app. */
#include "app_client.h"

#include <stdio.h>

enum {
    TARGET_BYTES_MAX = 64 << 10,
    BODY_BYTES_MAX = 8 << 20,
    SHOWN_BYTES_MAX = 4 << 20,
    EXCERPT = 300,
    DEPTH_MAX = 16
};

/* ---- targets ---- */

size_t app_target_count(const struct conform *conform)
{
    const bp_app_ops *app = conform->web->app;

    return app->route_count + (BP_HAS(app, bp_app_ops, tool_count) ? app->tool_count : 0);
}

struct app_target app_target_at(const struct conform *conform, size_t index)
{
    const bp_app_ops *app = conform->web->app;
    struct app_target target = { .route = NULL };

    if (index < app->route_count) {
        target.route = (const bp_route *)(const void *)((const char *)app->routes +
                                                        index * app->route_size);
        if (app->route_size >= offsetof(bp_route, response_params) + sizeof(target.results)) {
            target.params = target.route->request_params;
            target.results = target.route->response_params;
        }
        snprintf(target.label, sizeof(target.label), "%s %s", target.route->method,
                 target.route->path);
    } else {
        target.tool = (const bp_mcp_tool *)(const void *)((const char *)app->tools +
                                                          (index - app->route_count) *
                                                              app->tool_size);
        if (app->tool_size >= offsetof(bp_mcp_tool, results) + sizeof(target.results)) {
            target.params = target.tool->params;
            target.results = target.tool->results;
        }
        snprintf(target.label, sizeof(target.label), "the tool %s", target.tool->name);
    }
    return target;
}

bool app_target_reads(const struct app_target *target)
{
    bp_str scope = bp_str_of(target->route ? target->route->scope : "");

    if (target->tool)
        return target->tool->flags & BP_TOOL_READ_ONLY;
    return strcmp(target->route->method, "GET") == 0 ||
           (scope.len > 4 && memcmp(scope.data + scope.len - 4, "read", 4) == 0);
}

bp_str app_schema_of(bp_call *call, const char *text, const bp_params *table)
{
    bp_str schema = { NULL, 0 };

    if (text || !table)
        return text ? bp_str_of(text) : schema;
    return bp_params_schema(call, table, &schema) == BP_OK ? schema : (bp_str){ NULL, 0 };
}

bp_str app_target_schema(bp_call *call, const struct app_target *target)
{
    return app_schema_of(call,
                         target->route ? target->route->request_schema : target->tool->input_schema,
                         target->params);
}

/* ---- requests ---- */

static void add_encoded(bp_buf *out, bp_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char          hex[4];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_') {
            bp_buf_add(out, bp_str_n(&text.data[i], 1));
        } else {
            snprintf(hex, sizeof(hex), "%%%02X", c);
            bp_buf_add(out, bp_str_n(hex, 3));
        }
    }
}

static bp_str target_of(bp_call *call, const bp_route *route, const struct sample_wish *wish)
{
    bp_buf     *out = bp_buf_new(call, TARGET_BYTES_MAX);
    bp_str      text = wish->text.len ? wish->text : BP_STR("a");
    const char *query = wish->is_whole ? route->query : NULL, separator = '?';

    for (const char *at = route->path; *at; at++) {
        if (*at != '{') {
            bp_buf_add(out, bp_str_n(at, 1));
            continue;
        }
        add_encoded(out, text);
        while (at[1] && *at != '}')
            at++;
    }
    for (char mark = separator; query && *query; mark = '&') {
        size_t len = strcspn(query, ":\n");

        bp_buf_add(out, bp_str_n(&mark, 1));
        bp_buf_add(out, bp_str_n(query, len));
        bp_buf_add(out, BP_STR("="));
        add_encoded(out, wish->text.data ? wish->text : BP_STR("1"));
        query += strcspn(query, "\n");
        query += *query == '\n';
    }
    return bp_buf_str(out);
}

static bp_status tool_request(bp_call *call, const struct conform *conform,
                              const struct app_target *target, bp_str arguments,
                              struct conform_request *request)
{
    static const char meta[] = "{\"io.modelcontextprotocol/"
                               "protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"
                               "clientCapabilities\":{},\"io.modelcontextprotocol/"
                               "clientInfo\":{\"name\":\"conform\",\"version\":\"1\"}}";
    bp_http_header   *headers = bp_alloc(call, 5 * sizeof(*headers));
    bp_buf           *body = bp_buf_new(call, BODY_BYTES_MAX);

    if (!headers)
        return BP_NO_MEMORY;
    headers[0] = (bp_http_header){ BP_STR("Content-Type"), BP_STR("application/json") };
    headers[1] = (bp_http_header){ BP_STR("Accept"), BP_STR("application/json") };
    headers[2] = (bp_http_header){ BP_STR("MCP-Protocol-Version"), BP_STR("2026-07-28") };
    headers[3] = (bp_http_header){ BP_STR("Mcp-Method"), BP_STR("tools/call") };
    headers[4] = (bp_http_header){ BP_STR("Mcp-Name"), bp_str_of(target->tool->name) };
    bp_buf_add(body, BP_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
                            "call\",\"params\":{\"name\":\""));
    bp_buf_add(body, bp_str_of(target->tool->name));
    bp_buf_add(body, BP_STR("\",\"_meta\":"));
    bp_buf_add(body, bp_str_of(meta));
    bp_buf_add(body, BP_STR(",\"arguments\":"));
    bp_buf_add(body, arguments);
    bp_buf_add(body, BP_STR("}}"));
    *request = (struct conform_request){ .method = "POST",
                                         .target = bp_format(call, "/mcp/" BP_FMT,
                                                             BP_ARG(conform->web->name)),
                                         .headers = headers,
                                         .header_count = 5,
                                         .body = bp_buf_str(body),
                                         .time_ns = -1 };
    return bp_buf_status(body);
}

static void route_request(bp_str target, bp_str body, const bp_route *route,
                          struct conform_request *request)
{
    static const bp_http_header json = { { "Content-Type", 12 }, { "application/json", 16 } };

    *request = (struct conform_request){ .method = route->method,
                                         .target = target,
                                         .headers = &json,
                                         .header_count = body.data != NULL,
                                         .body = body,
                                         .time_ns = -1 };
}

bp_status app_request_with(bp_call *call, const struct conform *conform,
                           const struct app_target *target, bp_str body,
                           struct conform_request *request)
{
    static const struct sample_wish small = { .is_whole = false };

    if (target->tool)
        return tool_request(call, conform, target, body, request);
    route_request(target_of(call, target->route, &small), body, target->route, request);
    return BP_OK;
}

bp_status app_request_make(bp_call *call, const struct conform *conform,
                           const struct app_target *target, const struct sample_wish *wish,
                           struct conform_request *request)
{
    bp_str schema = app_target_schema(call, target), body = { NULL, 0 };

    if (schema.data)
        BP_TRY(sample_json(call, schema, wish, &body));
    if (target->tool)
        return tool_request(call, conform, target, body.data ? body : BP_STR("{}"), request);
    route_request(target_of(call, target->route, wish), body, target->route, request);
    return BP_OK;
}

/* ---- answers ---- */

static bool has_text(bp_str text, const char *piece)
{
    size_t len = strlen(piece);

    for (size_t at = 0; at + len <= text.len; at++)
        if (memcmp(text.data + at, piece, len) == 0)
            return true;
    return false;
}

bool app_is_refused(bp_call *call, const struct conform_reply *reply)
{
    const bp_json *answer;

    if (bp_json_parse(call, reply->body, &answer) != BP_OK)
        return reply->status >= 400;
    return bp_json_get(answer, "error") ||
           bp_json_bool(bp_json_get(bp_json_get(answer, "result"), "isError"));
}

static bp_status judge_tool(bp_call *call, const struct app_target *target,
                            const struct conform_reply *reply)
{
    const bp_json *answer, *error, *content;

    CONFORM_THAT(call, bp_json_parse(call, reply->body, &answer) == BP_OK,
                 "%s answers with text that is not JSON: %.*s", target->label,
                 (int)(reply->body.len < EXCERPT ? reply->body.len : EXCERPT), reply->body.data);
    error = bp_json_get(answer, "error");
    CONFORM_THAT(call, !error || bp_json_integer(bp_json_get(error, "code")) != -32603,
                 "%s ends with an internal error: " BP_FMT, target->label, BP_ARG(reply->body));
    CONFORM_THAT(call, error || bp_json_get(answer, "result"),
                 "%s has neither a result nor an error", target->label);
    content = bp_json_get(bp_json_get(answer, "result"), "content");
    if (app_is_refused(call, reply) &&
        !error) // what the host says in place of an internal error ends with the request's id
        CONFORM_THAT(call,
                     !has_text(bp_json_string(bp_json_get(bp_json_at(content, 0), "text")),
                               "(request id "),
                     "%s fails inside: " BP_FMT, target->label, BP_ARG(reply->body));
    return BP_OK;
}

bp_status app_judge(bp_call *call, const struct app_target *target,
                    const struct conform_reply *reply)
{
    int length = (int)(reply->body.len < EXCERPT ? reply->body.len : EXCERPT);

    CONFORM_THAT(call, reply->status != 0, "%s cuts the connection", target->label);
    CONFORM_THAT(call, reply->status != 500, "%s answers with 500: %.*s", target->label, length,
                 reply->body.data);
    CONFORM_THAT(call, reply->status < 400 || reply->body.len > 0,
                 "%s answers with %d and no sentence", target->label, reply->status);
    return target->tool ? judge_tool(call, target, reply) : BP_OK;
}

bp_status app_ask(bp_call *call, const struct conform *conform, const struct app_target *target,
                  const struct conform_request *request)
{
    struct conform_reply reply;
    bp_status            status;

    BP_TRY(bp_scratch_begin(call));
    status = conform->web->ask(call, request, &reply);
    if (status == BP_OK)
        status = app_judge(call, target, &reply);
    if (status != BP_OK && bp_error_of(call)->status == BP_INTERNAL) {
        bp_str said = bp_dup(call, bp_error_of(call)->message);

        status = bp_fail(call, BP_INTERNAL, "%.*s (it was asked: %.*s %.*s)",
                         (int)(said.len < 500 ? said.len : 500), said.data,
                         (int)(request->target.len < EXCERPT ? request->target.len : EXCERPT),
                         request->target.data,
                         (int)(request->body.len < EXCERPT ? request->body.len : EXCERPT),
                         request->body.len ? request->body.data : "");
    }
    bp_scratch_end(call);
    return status;
}

bp_status app_ask_simply(bp_call *call, const struct conform *conform,
                         const struct app_target *target)
{
    static const struct sample_wish small = { .is_whole = false };
    struct conform_request          request;
    bp_status                       status;

    BP_TRY(bp_scratch_begin(call));
    status = app_request_make(call, conform, target, &small, &request);
    if (status == BP_OK)
        status = app_ask(call, conform, target, &request);
    bp_scratch_end(call);
    return status;
}

/* ---- what lists show ---- */

static bool names_something(bp_str key)
{
    if (bp_str_is(key, "request_id"))
        return false;
    return bp_str_is(key, "id") || bp_str_is(key, "name") || bp_str_is(key, "title") ||
           (key.len > 3 && memcmp(key.data + key.len - 3, "_id", 3) == 0);
}

static void add_names(bp_call *call, const char *label, const bp_json *value, int depth,
                      bp_buf *lines)
{
    const bp_json *member;
    size_t         cursor = 0;
    bp_str         key;

    if (depth > DEPTH_MAX)
        return;
    for (size_t i = 0; bp_json_type_of(value) == BP_JSON_ARRAY && i < bp_json_count(value); i++)
        add_names(call, label, bp_json_at(value, i), depth + 1, lines);
    while (bp_json_type_of(value) == BP_JSON_OBJECT &&
           bp_json_entry(value, &cursor, &key, &member)) {
        if (names_something(key) && bp_json_type_of(member) == BP_JSON_STRING) {
            bp_buf_add(lines, bp_str_of(label));
            bp_buf_add(lines, BP_STR("\t"));
            bp_buf_add(lines, bp_json_text(call, member)); // quoted, so that it is one line
            bp_buf_add(lines, BP_STR("\n"));
        }
        add_names(call, label, member, depth + 1, lines);
    }
}

static bp_status add_shown(bp_call *call, const struct conform *conform,
                           const struct app_target *target, bp_buf *lines)
{
    static const struct sample_wish small = { .is_whole = false };
    struct conform_request          request;
    struct conform_reply            reply;
    const bp_json                  *answer;

    BP_TRY(app_request_make(call, conform, target, &small, &request));
    BP_TRY(conform->web->ask(call, &request, &reply));
    BP_TRY(app_judge(call, target, &reply));
    CONFORM_THAT(call, reply.status < 500, "%s is to show what there is, and answers with %d: %.*s",
                 target->label, reply.status,
                 (int)(reply.body.len < EXCERPT ? reply.body.len : EXCERPT), reply.body.data);
    if (reply.status == 200 && bp_json_parse(call, reply.body, &answer) == BP_OK)
        add_names(call, target->label,
                  target->tool ? bp_json_get(bp_json_get(answer, "result"), "structuredContent")
                               : answer,
                  0, lines);
    bp_clear_error(call);
    return BP_OK;
}

bp_status app_shown(bp_call *call, const struct conform *conform, bp_str *lines)
{
    bp_buf *buf = bp_buf_new(call, SHOWN_BYTES_MAX);

    for (size_t i = 0; i < app_target_count(conform); i++) {
        struct app_target target = app_target_at(conform, i);
        bp_status         status;

        if (target.tool ? !app_target_reads(&target) : strcmp(target.route->method, "GET") != 0)
            continue;
        BP_TRY(bp_scratch_begin(call));
        status = add_shown(call, conform, &target, buf);
        bp_scratch_end(call);
        BP_TRY(status);
    }
    *lines = bp_buf_str(buf);
    return bp_buf_status(buf);
}
