/* result.c - builds results: blocks, structured results, contents, messages; the service behind
 * mcp.h. */
#include <stdio.h>

#include "mcp/mcp.h"
#include "mcp/request.h"
#include "mcp/tasks.h"
#include "net/url.h"
#include "plugin/services.h"

/* ---- blocks ---- */

static bp_json_writer *service_begin_block(bp_mcp *request)
{
    bp_json_writer *w = &request->w;

    request->block_count++;
    json_begin(w, JSON_KIND_OBJECT);
    request->is_in_message = request->form == FORM_PROMPT;
    if (request->is_in_message) {
        json_put_text(w, "role", request->role);
        json_key(w, BP_STR("content"));
        json_begin(w, JSON_KIND_OBJECT);
    }
    return w;
}

static void service_end_block(bp_mcp *request)
{
    json_end(&request->w);
    if (request->is_in_message)
        json_end(&request->w);
    request->is_in_message = false;
}

static bp_json_writer *service_begin_contents(bp_mcp *request, bp_str uri)
{
    request->block_count++;
    json_begin(&request->w, JSON_KIND_OBJECT);
    json_put_string(&request->w, "uri", uri.len ? uri : request->uri);
    return &request->w;
}

static void service_role(bp_mcp *request, const char *role)
{
    request->role = strcmp(role, "assistant") == 0 ? "assistant" : "user";
}

static void service_describe(bp_mcp *request, bp_str description)
{
    request->description = arena_dup(request->call->arena, description);
}

static void service_structured(bp_mcp *request, bp_str json)
{
    request->structured = json; // lives as long as the call, like everything that is passed here
}

static void service_error(bp_mcp *request)
{
    request->is_error = true;
}

static void service_meta(bp_mcp *request, bp_str json)
{
    request->meta = json;
}

static void service_complete(bp_mcp *request, bp_str value)
{
    if (request->form != FORM_COMPLETION || request->block_count++ >= COMPLETIONS_MAX)
        return;
    json_add_string(&request->w, value);
}

static void service_complete_total(bp_mcp *request, int64_t total)
{
    request->completion_total = total;
}

/* ---- the frame ---- */

static const char *const form_keys[] = { "", "content", "contents", "messages", "values" };

void result_begin(bp_mcp *request, enum request_form form)
{
    request->form = form;
    request->role = "user";
    request->block_count = 0;
    request->is_error = request->is_in_message = false;
    request->structured = request->meta = request->description = (bp_str){ NULL, 0 };
    request_begin(request);
    if (form == FORM_COMPLETION) {
        json_key(&request->w, BP_STR("completion"));
        json_begin(&request->w, JSON_KIND_OBJECT);
    }
    json_key(&request->w, bp_str_of(form_keys[form]));
    json_begin(&request->w, JSON_KIND_ARRAY);
    request->depth = request->w.depth;
}

/* For clients that know nothing of structured results, and for models: the same as text. */
static void add_structured_as_text(bp_mcp *request)
{
    struct bp_buf text;

    buf_init(&text, request->call->arena, REQUEST_BYTES_MAX);
    json_append_indented(&text, request->structured);
    service_begin_block(request);
    json_put_text(&request->w, "type", "text");
    json_put_string(&request->w, "text", buf_str(&text));
    service_end_block(request);
}

static bp_status check_structured(bp_mcp *request, const struct catalog_tool *tool)
{
    struct reason why;

    if (request->structured.len && shape_fits(tool->shape, request->structured))
        return BP_OK; // most results are a few strings, which needs no tree of values
    if (tool_result_check(tool->output, request->call->arena, request->structured, &why))
        return BP_OK;
    return call_fail(request->call, BP_INTERNAL, "%s", why.text);
}

bp_status result_end(bp_mcp *request, const struct catalog_tool *tool)
{
    bp_json_writer *w = &request->w;

    if (w->status == BP_OK && w->depth != request->depth)
        return call_fail(request->call, BP_INTERNAL, "a content block was begun and not ended");
    if (tool && !request->is_error)
        BP_TRY(check_structured(request, tool));
    if (request->structured.len && request->block_count == 0)
        add_structured_as_text(request);
    json_end(w);
    if (request->structured.len) {
        json_key(w, BP_STR("structuredContent"));
        json_add_raw(w, request->structured);
    }
    if (request->form == FORM_TOOL && request->is_error)
        json_put_bool(w, "isError", true);
    if (request->description.len)
        json_put_string(w, "description", request->description);
    if (request->form == FORM_COMPLETION) {
        bool has_more = request->block_count > COMPLETIONS_MAX ||
                        request->completion_total > (int64_t)request->block_count;

        json_put_integer(w, "total",
                         request->completion_total ? request->completion_total
                                                   : (int64_t)request->block_count);
        json_put_bool(w, "hasMore", has_more);
        json_end(w);
    }
    if (json_writer_status(w) == BP_INTERNAL && w->status == BP_INTERNAL)
        return call_fail(request->call, BP_INTERNAL, "the blocks of the handler are not JSON");
    if (buf_status(&request->buf) == BP_NO_MEMORY)
        return call_fail(request->call, BP_NO_MEMORY, "there is no memory for the result");
    if (buf_status(&request->buf) != BP_OK)
        return call_fail(request->call, BP_TOO_LARGE, "the result is larger than %d bytes",
                         REQUEST_BYTES_MAX);
    return BP_OK;
}

/* ---- while it runs ---- */

struct send_args {
    bp_mcp *request;
    bp_str  message;
    int64_t retry_ns;
};

static bp_status do_send(bp_call *call, void *arg)
{
    struct send_args *args = arg;

    (void)call;
    return args->request->channel->send(args->request, args->message);
}

static bool may_send(const bp_mcp *request)
{
    return request->channel && request->channel->can_send(request);
}

static bp_status send_notification(bp_call *call, bp_mcp *request, const char *method,
                                   struct bp_buf *params)
{
    if (buf_status(params) != BP_OK)
        return call_fail(call, BP_TOO_LARGE, "a notification is larger than allowed");
    return service_on_fiber(call, do_send,
                            &(struct send_args){
                                request, message_notification(call, method, buf_str(params)), 0 });
}

static bp_status service_progress(bp_call *call, bp_mcp *request, double done, double total,
                                  bp_str message)
{
    struct bp_buf  buf;
    bp_json_writer w;
    bp_status      over = call_over(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "reporting progress");
    if (request->task)
        task_set_message(request->task, message);
    if (!request->progress_token.len || !may_send(request) ||
        (done <= request->last_progress && request->last_progress > 0))
        return BP_OK;
    request->last_progress = done;
    buf_init(&buf, call->arena, 1 << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_key(&w, BP_STR("progressToken"));
    json_add_raw(&w, request->progress_token);
    json_put_number(&w, "progress", done);
    if (total > 0)
        json_put_number(&w, "total", total);
    if (message.len && request->revision >= MCP_2025_03_26)
        json_put_string(&w, "message", message);
    json_end(&w);
    return send_notification(call, request, "notifications/progress", &buf);
}

static bp_status service_log(bp_call *call, bp_mcp *request, uint32_t level, const char *logger,
                             bp_str json)
{
    struct bp_buf  buf;
    bp_json_writer w;
    bp_status      over = call_over(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "logging to the client");
    if (level >= MCP_LEVELS || request->log_level == MCP_LEVEL_OFF || level < request->log_level ||
        !may_send(request))
        return BP_OK;
    buf_init(&buf, call->arena, REQUEST_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "level", mcp_level_names[level]);
    json_put_string(&w, "logger",
                    logger          ? bp_str_of(logger)
                    : request->unit ? request->unit->conf->name
                                    : BP_STR("host"));
    json_key(&w, BP_STR("data"));
    json_add_raw(&w, json);
    json_end(&w);
    return send_notification(call, request, "notifications/message", &buf);
}

struct ask_args {
    bp_mcp     *request;
    bp_mcp_ask *asks;
    size_t      size, count;
};

static bp_status do_ask(bp_call *call, void *arg)
{
    struct ask_args *args = arg;

    return ask_all(call, args->request, args->asks, args->size, args->count);
}

static bp_status service_ask(bp_call *call, bp_mcp *request, bp_mcp_ask *asks, size_t ask_size,
                             size_t count)
{
    return service_on_fiber(call, do_ask, &(struct ask_args){ request, asks, ask_size, count });
}

static bool service_can(const bp_mcp *request, const char *capability)
{
    uint32_t ability = mcp_ability_find(bp_str_of(capability));

    return ability && (request->abilities & ability) == ability;
}

static bp_str service_state(const bp_mcp *request)
{
    return request->state;
}

static bp_status service_set_state(bp_call *call, bp_mcp *request, bp_str state)
{
    if (state.len > STATE_BYTES_MAX)
        return call_fail(call, BP_TOO_LARGE,
                         "a state of %zu bytes is more than the client is given to carry (%d)",
                         state.len, STATE_BYTES_MAX);
    request->next_state = arena_dup(call->arena, state);
    return request->next_state.len == state.len
               ? BP_OK
               : call_fail(call, BP_NO_MEMORY, "there is no memory for a state of %zu bytes",
                           state.len);
}

static bp_status service_fail(bp_call *call, bp_mcp *request, int32_t code, bp_str message,
                              bp_str data)
{
    request->error = (struct request_error){ .code = code,
                                             .http_status = 200,
                                             .message = arena_dup(call->arena, message),
                                             .data = arena_dup(call->arena, data) };
    return call_fail(call, BP_INVALID, BP_FMT, BP_ARG(message));
}

static bp_status do_hang_up(bp_call *call, void *arg)
{
    struct send_args *args = arg;

    (void)call;
    return args->request->channel->hang_up(args->request, args->retry_ns);
}

static bp_status service_hang_up(bp_call *call, bp_mcp *request, int64_t retry_ns)
{
    if (!request->channel || !request->channel->hang_up)
        return BP_OK;
    return service_on_fiber(call, do_hang_up,
                            &(struct send_args){ .request = request, .retry_ns = retry_ns });
}

/* ---- who asks ---- */

static bp_str service_uri_value(const bp_mcp *request, const char *name)
{
    for (size_t i = 0; i < request->value_count; i++) {
        bp_str raw = request->values[i].value;
        char  *text;

        if (!bp_str_is(request->values[i].name, name))
            continue;
        text = arena_alloc(request->call->arena, raw.len + 1);
        return text ? bp_str_n(text, url_decode_segment(raw, text)) : BP_STR("");
    }
    return BP_STR("");
}

static bp_str service_session(const bp_mcp *request)
{
    return request->session ? bp_str_of(request->session->id) : BP_STR("");
}

static bp_str service_client(const bp_mcp *request)
{
    return request->client;
}

static bp_str service_revision(const bp_mcp *request)
{
    return bp_str_of(mcp_revision_name(request->revision));
}

static void service_changed(bp_call *call, uint32_t change, bp_str uri)
{
    if (change <= BP_MCP_RESOURCE_UPDATED)
        mcp_changed(call, (enum bp_mcp_change)change, uri);
}

static bp_status service_as_task(bp_call *call, bp_mcp *request)
{
    bp_status over = call_over(call);

    if (over != BP_OK)
        return call_fail_over(call, over, "going on as a task");
    if (request->task || !request->may_become_task)
        return BP_OK;
    request->becomes_task = true;
    return call_fail(call, BP_INPUT_REQUIRED, "it goes on as a task");
}

const bp_mcp_service mcp_service = {
    .struct_size = sizeof(bp_mcp_service),
    .begin_block = service_begin_block,
    .end_block = service_end_block,
    .begin_contents = service_begin_contents,
    .role = service_role,
    .describe = service_describe,
    .structured = service_structured,
    .error = service_error,
    .meta = service_meta,
    .complete = service_complete,
    .complete_total = service_complete_total,
    .progress = service_progress,
    .log = service_log,
    .ask = service_ask,
    .can = service_can,
    .state = service_state,
    .set_state = service_set_state,
    .fail_request = service_fail,
    .hang_up = service_hang_up,
    .uri_value = service_uri_value,
    .session = service_session,
    .client = service_client,
    .revision = service_revision,
    .changed = service_changed,
    .as_task = service_as_task,
};

const struct host_service mcp_service_entry = { "mcp", 1, sizeof(mcp_service), &mcp_service };
