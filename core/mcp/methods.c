/* methods.c - the table of methods, with their revisions, and the short ones. */
#include "mcp/methods.h"

#include <stdarg.h>
#include <stdio.h>

#include "mcp/mcp.h"
#include "mcp/tasks.h"
#include "version.h"

enum { LIST_TTL_S = 300 };

/* ---- the frame ---- */

bp_str request_sentence(bp_mcp *request, bp_status status, bp_str event)
{
    bp_call *call = request->call;
    bool     is_whole;
    bp_str   sentence = call_sentence_for_client(call, status, &is_whole);

    if (is_whole)
        return sentence;
    call_log(call, BP_LOG_ERROR, event, call->error.message,
             (bp_field[]){ bp_field_str("error_type", bp_str_of(bp_status_label(status))),
                           bp_field_str("method", request->message.method),
                           bp_field_str("failed_plugin", call->error.plugin),
                           bp_field_str("failed_op", call->error.op) },
             sizeof(bp_field), 4);
    return arena_format(call->arena, BP_FMT " (request id %s)", BP_ARG(sentence), call->request_id);
}

bp_status request_fail(bp_mcp *request, int32_t code, int32_t http_status, const char *format, ...)
{
    char    text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    request->error = (struct request_error){ .code = code,
                                             .http_status = http_status ? http_status : 200,
                                             .message = arena_dup(request->call->arena,
                                                                  bp_str_of(text)) };
    return call_fail(request->call, BP_INVALID, "%s", text);
}

bp_status request_fail_ability(bp_mcp *request, uint32_t missing)
{
    struct bp_buf  buf;
    bp_json_writer w;

    request_fail(request, MCP_MISSING_CAPABILITY, 400,
                 "this needs a capability that the client did not declare");
    buf_init(&buf, request->call->arena, 4096);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("requiredCapabilities"));
    mcp_abilities_write(&w, missing);
    json_end(&w);
    request->error.data = buf_str(&buf);
    return BP_INVALID;
}

bp_status request_check_scope(bp_mcp *request, const char *scope)
{
    if (!scope || keys_allow(&request->call->principal, scope))
        return BP_OK;
    request_fail(request, MCP_INVALID_REQUEST, 403,
                 "this needs the scope \"%s\", which the credentials do not have", scope);
    request->error.scope = scope;
    return BP_DENIED;
}

void request_let_go(bp_mcp *request)
{
    if (!request->intake)
        return;
    request->message = (struct message){
        .kind = request->message.kind,
        .method = arena_dup(request->call->arena, request->message.method),
        .id = request->message.id
    }; // which is in the call's arena as it is
    request->given = request->kept = NULL;
    intake_free(request->intake);
    request->intake = NULL;
}

/* Made of whole pieces: this is on the way of every answer. */
void request_begin(bp_mcp *request)
{
    struct bp_buf *buf = &request->buf;

    buf_init(buf, request->call->arena, REQUEST_BYTES_MAX);
    buf_reserve(buf, 512);
    buf_add(buf, BP_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    buf_add(buf, request->message.id);
    buf_add(buf, BP_STR(",\"result\":{"));
    json_writer_resume(&request->w, buf, 2);
    if (mcp_is_modern(request->revision))
        json_put_text(&request->w, "resultType",
                      request->wanted_count ? "input_required" : "complete");
}

/* The members of an object text, without its braces. */
static bp_str inside(bp_str object)
{
    size_t from = 0, to = object.len;

    while (from < to && object.data[from] != '{')
        from++;
    while (to > from && object.data[to - 1] != '}')
        to--;
    return to > from + 2 ? bp_str_n(object.data + from + 1, to - from - 2) : (bp_str){ NULL, 0 };
}

static void put_meta(bp_mcp *request)
{
    bool   is_modern = mcp_is_modern(request->revision);
    bp_str own = inside(request->meta);

    if (!is_modern && !own.len)
        return;
    json_key(&request->w, BP_STR("_meta"));
    json_add_raw(&request->w, arena_format(request->call->arena, "{%s%s%.*s}",
                                           is_modern ? "\"" MCP_META_SERVER
                                                       "\":{\"name\":\"backplane\",\"version\":"
                                                       "\"" BACKPLANE_VERSION "\"}"
                                                     : "",
                                           is_modern && own.len ? "," : "", (int)own.len,
                                           own.data ? own.data : ""));
}

void request_end(bp_mcp *request)
{
    put_meta(request);
    json_end(&request->w);
    json_end(&request->w);
}

void request_put_caching(bp_mcp *request, int64_t ttl_ns)
{
    if (!mcp_is_modern(request->revision))
        return;
    json_put_integer(&request->w, "ttlMs", ttl_ns / 1000000);
    json_put_text(&request->w, "cacheScope", request->mcp->is_open ? "public" : "private");
}

/* ---- what the server is ---- */

static void put_empty(bp_json_writer *w, const char *key)
{
    json_key(w, bp_str_of(key));
    json_add_raw(w, BP_STR("{}"));
}

static void put_capabilities(bp_mcp *request)
{
    const struct catalog *catalog = request->catalog;
    bp_json_writer       *w = &request->w;

    json_key(w, BP_STR("capabilities"));
    json_begin(w, JSON_KIND_OBJECT);
    json_key(w, BP_STR("tools"));
    json_add_raw(w, BP_STR("{\"listChanged\":true}"));
    json_key(w, BP_STR("resources"));
    json_add_raw(w, BP_STR("{\"subscribe\":true,\"listChanged\":true}"));
    json_key(w, BP_STR("prompts"));
    json_add_raw(w, BP_STR("{\"listChanged\":true}"));
    put_empty(w, "logging");
    if (catalog->has_completion && request->revision >= MCP_2025_03_26)
        put_empty(w, "completions");
    if (request->revision == MCP_2025_11_25) {
        json_key(w, BP_STR("tasks"));
        json_add_raw(w,
                     BP_STR("{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}"));
    }
    if (mcp_is_modern(request->revision)) {
        json_key(w, BP_STR("extensions"));
        json_add_raw(w, BP_STR("{\"" MCP_EXTENSION_TASKS "\":{}}"));
    }
    json_end(w);
}

static bp_status discover(bp_mcp *request)
{
    bp_json_writer *w = &request->w;

    request_begin(request);
    json_key(w, BP_STR("supportedVersions"));
    json_begin(w, JSON_KIND_ARRAY);
    for (int i = MCP_REVISIONS - 1; i >= 0; i--)
        json_add_string(w, bp_str_of(mcp_revision_name((enum mcp_revision)i)));
    json_end(w);
    put_capabilities(request);
    if (request->catalog->instructions.len)
        json_put_string(w, "instructions", request->catalog->instructions);
    request_put_caching(request, BP_SECONDS(LIST_TTL_S));
    request_end(request);
    return BP_OK;
}

bp_str request_client_name(bp_call *call, const bp_json *info)
{
    bp_str name = json_as_string(json_get(info, BP_STR("name")));
    bp_str version = json_as_string(json_get(info, BP_STR("version")));

    return name.len ? arena_format(call->arena, BP_FMT "/" BP_FMT, BP_ARG(name), BP_ARG(version))
                    : BP_STR("");
}

static bp_status initialize(bp_mcp *request)
{
    const bp_json    *params = request->message.params;
    bp_str            wanted = json_as_string(json_get(params, BP_STR("protocolVersion")));
    enum mcp_revision revision;
    bp_json_writer   *w = &request->w;

    if (!request->opened)
        return request_fail(request, MCP_INVALID_REQUEST, 400,
                            "initialize cannot be part of a batch or of a session that is there "
                            "already");
    if (!wanted.len)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "initialize needs params.protocolVersion");
    if (!mcp_revision_find(wanted, &revision) || mcp_is_modern(revision))
        revision = MCP_LATEST_LEGACY;
    request->revision = revision;
    *request->opened = session_open(request->mcp->sessions, &request->call->principal, revision,
                                    mcp_abilities_read(json_get(params, BP_STR("capabilities"))),
                                    request_client_name(request->call,
                                                        json_get(params, BP_STR("clientInfo"))),
                                    request->sender);
    if (!*request->opened)
        return request_fail(request, MCP_SERVER_ERROR, 503,
                            "no session can be opened: yours are all in use, or those of others "
                            "take all places; end one, or try again later");
    request_begin(request);
    json_put_text(w, "protocolVersion", mcp_revision_name(revision));
    put_capabilities(request);
    json_key(w, BP_STR("serverInfo"));
    json_add_raw(w, BP_STR("{\"name\":\"backplane\",\"title\":\"Backplane\",\"version\":"
                           "\"" BACKPLANE_VERSION "\"}"));
    if (request->catalog->instructions.len)
        json_put_string(w, "instructions", request->catalog->instructions);
    request_end(request);
    return BP_OK;
}

static bp_status answer_empty(bp_mcp *request)
{
    request_begin(request);
    request_end(request);
    return BP_OK;
}

static bp_status set_level(bp_mcp *request)
{
    uint32_t level = mcp_level_find(
        json_as_string(json_get(request->message.params, BP_STR("level"))));

    if (level == MCP_LEVEL_OFF)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400,
                            "params.level must be one of debug, info, notice, warning, error, "
                            "critical, alert, emergency");
    session_set_level(request->mcp->sessions, request->session, level);
    return answer_empty(request);
}

static bp_status subscribe(bp_mcp *request)
{
    bp_str uri = json_as_string(json_get(request->message.params, BP_STR("uri")));
    bool   is_wanted = bp_str_is(request->message.method, "resources/subscribe");

    if (!uri.len)
        return request_fail(request, MCP_INVALID_PARAMS_ERROR, 400, "params.uri is missing");
    if (!session_subscribe(request->mcp->sessions, request->session, uri, is_wanted))
        return request_fail(request, MCP_SERVER_ERROR, 429,
                            "this session has as many subscriptions as it may have");
    return answer_empty(request);
}

/* ---- notifications ---- */

static bp_status note_cancelled(bp_mcp *request)
{
    const bp_json  *id = json_get(request->message.params, BP_STR("requestId"));
    struct session *registry = request->session ? request->session : request->registry;

    if (registry && id)
        session_cancel(request->mcp->sessions, registry, json_text(request->call->arena, id));
    return BP_OK;
}

static bp_status note_nothing(bp_mcp *request)
{
    (void)request;
    return BP_OK;
}

/* ---- the table ---- */

enum { LEGACY = 1u << 0, MODERN = 1u << 1, BOTH = LEGACY | MODERN };

static const struct method methods[] = {
    { "initialize", LEGACY, 0, initialize },
    { "server/discover", MODERN, 0, discover },
    { "ping", LEGACY, 0, answer_empty },
    { "logging/setLevel", LEGACY, 0, set_level },
    { "tools/list", BOTH, 0, tools_list },
    { "tools/call", BOTH, METHOD_IS_NAMED, tools_call },
    { "resources/list", BOTH, 0, resources_list },
    { "resources/templates/list", BOTH, 0, templates_list },
    { "resources/read", BOTH, METHOD_HAS_URI, resources_read },
    { "resources/subscribe", LEGACY, 0, subscribe },
    { "resources/unsubscribe", LEGACY, 0, subscribe },
    { "prompts/list", BOTH, 0, prompts_list },
    { "prompts/get", BOTH, METHOD_IS_NAMED, prompts_get },
    { "completion/complete", BOTH, 0, completion_complete },
    { "subscriptions/listen", MODERN, 0, subscriptions_listen },
    { "tasks/get", BOTH, METHOD_HAS_TASK, tasks_get },
    { "tasks/update", MODERN, METHOD_HAS_TASK, tasks_update },
    { "tasks/cancel", BOTH, METHOD_HAS_TASK, tasks_cancel },
    { "tasks/result", LEGACY, METHOD_HAS_TASK, tasks_result },
    { "tasks/list", LEGACY, 0, tasks_list },
};

static const struct method notifications[] = {
    { "notifications/cancelled", BOTH, 0, note_cancelled },
    { "notifications/initialized", LEGACY, 0, note_nothing },
    { "notifications/roots/list_changed", BOTH, 0, note_nothing },
    { "notifications/progress", BOTH, 0, note_nothing },
};

static const struct method *find(const struct method *table, size_t count, bp_str name)
{
    for (size_t i = 0; i < count; i++)
        if (bp_str_is(name, table[i].name))
            return &table[i];
    return NULL;
}

const struct method *method_find(bp_str name, bool is_modern)
{
    const struct method *method = find(methods, sizeof(methods) / sizeof(methods[0]), name);

    return method && method->eras & (is_modern ? MODERN : LEGACY) ? method : NULL;
}

/* ---- serving ---- */

/* Gate, limits and the end of the call answer in their own way; everything else that fails is the
 * server's. */
static void fail_by_status(bp_mcp *request, bp_status status)
{
    request->error = (struct request_error){
        .code = status == BP_INVALID ? MCP_INVALID_PARAMS_ERROR : MCP_SERVER_ERROR,
        .http_status = bp_status_http(status),
        .message = request_sentence(request, status, BP_STR("mcp_request_failed")),
    };
}

enum { ERROR_ROOM_BYTES = 64 << 10 }; // beyond the call's limit, for its error

static bp_str finish(bp_mcp *request, bp_status status, int32_t *http_status)
{
    bp_call *call = request->call;
    bp_str   answer;

    if (status == BP_OK && buf_status(&request->buf) == BP_NO_MEMORY)
        status = call_fail(call, BP_NO_MEMORY, "there is no memory for the answer");
    if (status == BP_OK && buf_status(&request->buf) != BP_OK)
        status = call_fail(call, BP_TOO_LARGE, "the answer is larger than %d bytes",
                           REQUEST_BYTES_MAX);
    if (status == BP_OK && json_writer_status(&request->w) == BP_OK) {
        *http_status = 200;
        return buf_str(&request->buf);
    }
    if (status == BP_OK)
        status = call_fail(call, BP_INTERNAL, "the answer is not JSON");
    if (call->over == BP_CANCELLED && !request->error.code)
        return (bp_str){ NULL, 0 }; // who cancels waits for nothing
    if (arena_is_short(call->arena))
        call->arena->limit_bytes += ERROR_ROOM_BYTES;
    if (!request->error.code)
        fail_by_status(request, status);
    answer = message_error(call, request->message.id, request->error.code, request->error.message,
                           request->error.data);
    *http_status = answer.len ? request->error.http_status : 503;
    return answer;
}

static bp_str serve_notification(bp_mcp *request, int32_t *http_status)
{
    const struct method *method = find(notifications,
                                       sizeof(notifications) / sizeof(notifications[0]),
                                       request->message.method);

    if (method)
        method->run(request);
    request_let_go(request);
    *http_status = 202; // one that is not known is no error: nobody waits for it
    return (bp_str){ NULL, 0 };
}

bp_str request_serve(bp_mcp *request, int32_t *http_status)
{
    bool                 is_modern = mcp_is_modern(request->revision);
    const struct method *method;
    struct session      *registry;
    bp_status            status;
    bp_str               answer;

    if (request->message.kind == MESSAGE_NOTIFICATION)
        return serve_notification(request, http_status);
    method = method_find(request->message.method, is_modern);
    if (!method) {
        request_fail(request, MCP_METHOD_NOT_FOUND, 404,
                     "there is no method \"" BP_FMT "\" in MCP %s", BP_ARG(request->message.method),
                     mcp_revision_name(request->revision));
        return finish(request, BP_INVALID, http_status);
    }
    registry = request->session ? request->session : request->registry;
    if (registry && !session_begin(request->mcp->sessions, registry, &request->running,
                                   request->message.id, request->call)) {
        request_fail(request, MCP_INVALID_REQUEST, 429,
                     "this session has %d requests under way, or one with the id " BP_FMT,
                     SESSION_RUNNING_MAX, BP_ARG(request->message.id));
        return finish(request, BP_LIMIT, http_status);
    }
    request->progress_token = (bp_str){ NULL, 0 };
    if (request->message.meta) {
        const bp_json *token = json_get(request->message.meta, BP_STR("progressToken"));

        if (json_type_of(token) == JSON_KIND_STRING || json_type_of(token) == JSON_KIND_INTEGER)
            request->progress_token = json_text(request->call->arena, token);
    }
    status = method->run(request);
    session_done(request->mcp->sessions, &request->running);
    request_let_go(request); // the client may take its time to read the answer
    answer = finish(request, status, http_status);
    return answer;
}
