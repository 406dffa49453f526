/* mcp.c - faked: the MCP client and its session. Finds a tool, resource or prompt of an app, runs
 * its handler, keeps its result. */
#include "host.h"

#include <stdlib.h>

#include "base/json_service.h"
#include "mcp/uri_template.h"
#include "net/url.h"
#include "schema/params.h"
#include "schema/tool_schemas.h"

enum { RESULT_BYTES_MAX = 64 << 20, TABLE_BYTES_MAX = 64 << 20 };

enum form { FORM_TOOL, FORM_RESOURCE, FORM_PROMPT };

struct bp_mcp {
    bp_call         *call;
    enum form        form;
    bp_json_writer  *blocks, *sent;
    const char      *role;
    bp_str           uri, structured, meta, description, state;
    bool             is_error, is_in_message;
    int32_t          error_code;
    struct uri_value values[URI_VALUES_MAX];
    size_t           value_count;
};

/* ---- results ---- */

static bp_json_writer *mcp_begin_block(bp_mcp *mcp)
{
    mcp->is_in_message = mcp->form == FORM_PROMPT;
    bp_json_object(mcp->blocks);
    if (mcp->is_in_message) {
        bp_json_put_string(mcp->blocks, "role", bp_str_of(mcp->role));
        bp_json_key(mcp->blocks, "content");
        bp_json_object(mcp->blocks);
    }
    return mcp->blocks;
}

static void mcp_end_block(bp_mcp *mcp)
{
    bp_json_end(mcp->blocks);
    if (mcp->is_in_message)
        bp_json_end(mcp->blocks);
    mcp->is_in_message = false;
}

static bp_json_writer *mcp_begin_contents(bp_mcp *mcp, bp_str uri)
{
    bp_json_object(mcp->blocks);
    bp_json_put_string(mcp->blocks, "uri", uri.len ? uri : mcp->uri);
    return mcp->blocks;
}

static void mcp_role(bp_mcp *mcp, const char *role)
{
    mcp->role = role;
}
static void mcp_describe(bp_mcp *mcp, bp_str text)
{
    mcp->description = bp_dup(mcp->call, text);
}
static void mcp_structured(bp_mcp *mcp, bp_str json)
{
    mcp->structured = bp_dup(mcp->call, json);
}
static void mcp_error(bp_mcp *mcp)
{
    mcp->is_error = true;
}
static void mcp_meta(bp_mcp *mcp, bp_str json)
{
    mcp->meta = bp_dup(mcp->call, json);
}
static void mcp_complete(bp_mcp *mcp, bp_str value)
{
    bp_json_add_string(mcp->blocks, value);
}

static void mcp_complete_total(bp_mcp *mcp, int64_t total)
{
    (void)mcp;
    (void)total;
}

/* ---- messages sent meanwhile ---- */

static void put_sent(bp_mcp *mcp, const char *method, bp_str params)
{
    bp_json_object(mcp->sent);
    bp_json_put_string(mcp->sent, "method", bp_str_of(method));
    bp_json_key(mcp->sent, "params");
    bp_json_add_raw(mcp->sent, params.len ? params : BP_STR("{}"));
    bp_json_end(mcp->sent);
}

static bp_status mcp_progress(bp_call *call, bp_mcp *mcp, double done, double total, bp_str message)
{
    bp_json_writer *w = bp_json_writer_new(call, 1 << 16);
    bp_str          params;

    BP_TRY(call_check(call));
    bp_json_object(w);
    bp_json_put_number(w, "progress", done);
    if (total > 0)
        bp_json_put_number(w, "total", total);
    if (message.len)
        bp_json_put_string(w, "message", message);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &params));
    put_sent(mcp, "notifications/progress", params);
    return BP_OK;
}

static bp_status mcp_log(bp_call *call, bp_mcp *mcp, uint32_t level, const char *logger,
                         bp_str json)
{
    static const char *const levels[] = { "debug", "info",     "notice", "warning",
                                          "error", "critical", "alert",  "emergency" };
    bp_json_writer          *w = bp_json_writer_new(call, 1 << 20);
    bp_str                   params;

    BP_TRY(call_check(call));
    bp_json_object(w);
    bp_json_put_string(w, "level", bp_str_of(levels[level < 8 ? level : 7]));
    if (logger)
        bp_json_put_string(w, "logger", bp_str_of(logger));
    bp_json_key(w, "data");
    bp_json_add_raw(w, json);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &params));
    put_sent(mcp, "notifications/message", params);
    return BP_OK;
}

static const struct mcp_answer *find_answer(testhost *host, const char *key)
{
    for (size_t i = host->mcp_answers.count; i-- > 0;) {
        const struct mcp_answer *answer = host->mcp_answers.items[i];

        if (strcmp(answer->key, key) == 0)
            return answer;
    }
    return NULL;
}

static bp_status mcp_ask(bp_call *call, bp_mcp *mcp, bp_mcp_ask *asks, size_t ask_size,
                         size_t count)
{
    (void)ask_size;
    BP_TRY(call_check(call));
    for (size_t i = 0; i < count; i++) {
        const struct mcp_answer *answer = find_answer(call->host, asks[i].key);

        put_sent(mcp, asks[i].method, asks[i].params);
        if (!answer)
            return bp_fail(call, BP_UNSUPPORTED,
                           "the client cannot be asked %s: testhost_mcp_answer() gave no \"%s\"",
                           asks[i].method, asks[i].key);
        BP_TRY(bp_json_parse(call, bp_str_of(answer->result), &asks[i].answer));
    }
    return BP_OK;
}

static bool mcp_can(const bp_mcp *mcp, const char *capability)
{
    (void)capability;
    return mcp->call->host->mcp_answers.count > 0;
}

static bp_str mcp_state(const bp_mcp *mcp)
{
    return mcp->state;
}

static bp_status mcp_set_state(bp_call *call, bp_mcp *mcp, bp_str state)
{
    mcp->state = bp_dup(call, state);
    return BP_OK;
}

static bp_status mcp_fail(bp_call *call, bp_mcp *mcp, int32_t code, bp_str message, bp_str data)
{
    (void)data;
    mcp->error_code = code;
    return bp_fail(call, BP_INVALID, BP_FMT, BP_ARG(message));
}

static bp_status mcp_hang_up(bp_call *call, bp_mcp *mcp, int64_t retry_ns)
{
    (void)mcp;
    (void)retry_ns;
    return call_check(call);
}

/* ---- who asks ---- */

static bp_str mcp_uri_value(const bp_mcp *mcp, const char *name)
{
    for (size_t i = 0; i < mcp->value_count; i++) {
        bp_str raw = mcp->values[i].value;
        char  *text;

        if (!bp_str_is(mcp->values[i].name, name))
            continue;
        text = bp_alloc(mcp->call, raw.len + 1);
        return text ? bp_str_n(text, url_decode_segment(raw, text)) : BP_STR("");
    }
    return BP_STR("");
}

static bp_str mcp_session(const bp_mcp *mcp)
{
    (void)mcp;
    return BP_STR("test-session");
}

static bp_str mcp_client(const bp_mcp *mcp)
{
    (void)mcp;
    return BP_STR("testhost/1");
}

static bp_str mcp_revision(const bp_mcp *mcp)
{
    (void)mcp;
    return BP_STR("2025-11-25");
}

static void mcp_changed(bp_call *call, uint32_t change, bp_str uri)
{
    static const char *const events[] = { "tools_changed", "prompts_changed", "resources_changed",
                                          "resource_updated" };

    bp_log_event(call, BP_LOG_INFO, events[change < 4 ? change : 3], uri, NULL, 0);
}

static bp_status mcp_as_task(bp_call *call, bp_mcp *mcp)
{
    (void)mcp;
    return call_check(call);
}

const bp_mcp_service mcp_service = {
    .struct_size = sizeof(bp_mcp_service),
    .begin_block = mcp_begin_block,
    .end_block = mcp_end_block,
    .begin_contents = mcp_begin_contents,
    .role = mcp_role,
    .describe = mcp_describe,
    .structured = mcp_structured,
    .error = mcp_error,
    .meta = mcp_meta,
    .complete = mcp_complete,
    .complete_total = mcp_complete_total,
    .progress = mcp_progress,
    .log = mcp_log,
    .ask = mcp_ask,
    .can = mcp_can,
    .state = mcp_state,
    .set_state = mcp_set_state,
    .fail_request = mcp_fail,
    .hang_up = mcp_hang_up,
    .uri_value = mcp_uri_value,
    .session = mcp_session,
    .client = mcp_client,
    .revision = mcp_revision,
    .changed = mcp_changed,
    .as_task = mcp_as_task,
};

/* ---- running a handler ---- */

static bp_mcp *begin(bp_call *call, testhost_instance *app, enum form form)
{
    bp_mcp *mcp = BP_NEW(call, bp_mcp);

    call->instance = app;
    *mcp = (bp_mcp){ .call = call,
                     .form = form,
                     .blocks = bp_json_writer_new(call, RESULT_BYTES_MAX),
                     .sent = bp_json_writer_new(call, RESULT_BYTES_MAX),
                     .role = "user" };
    bp_json_array(mcp->blocks);
    bp_json_array(mcp->sent);
    return mcp;
}

static testhost_mcp_reply finish(bp_mcp *mcp, bp_status status)
{
    static const char *const names[] = { "content", "contents", "messages" };
    bp_call                 *call = mcp->call;
    bp_json_writer          *w = bp_json_writer_new(call, RESULT_BYTES_MAX);
    testhost_mcp_reply       reply = { .status = status, .error_code = mcp->error_code };
    bp_str                   blocks = { NULL, 0 };

    bp_json_end(mcp->blocks);
    bp_json_end(mcp->sent);
    if (bp_json_done(call, mcp->blocks, &blocks) != BP_OK ||
        bp_json_done(call, mcp->sent, &reply.sent) != BP_OK) {
        reply.status = BP_INTERNAL;
        return reply;
    }
    bp_json_object(w);
    if (mcp->description.len)
        bp_json_put_string(w, "description", mcp->description);
    bp_json_key(w, names[mcp->form]);
    bp_json_add_raw(w, blocks);
    if (mcp->structured.len) {
        bp_json_key(w, "structuredContent");
        bp_json_add_raw(w, mcp->structured);
    }
    if (mcp->is_error)
        bp_json_put_bool(w, "isError", true);
    if (mcp->meta.len) {
        bp_json_key(w, "_meta");
        bp_json_add_raw(w, mcp->meta);
    }
    bp_json_end(w);
    if (bp_json_done(call, w, &reply.result) != BP_OK)
        reply.status = BP_INTERNAL;
    return reply;
}

/* ---- tables ---- */

static bp_mcp_tool tool_at(const bp_app_ops *ops, size_t index)
{
    bp_mcp_tool tool = { 0 };
    size_t      size = ops->tool_size < sizeof(tool) ? ops->tool_size : sizeof(tool);

    memcpy(&tool, (const char *)ops->tools + index * ops->tool_size, size);
    return tool;
}

/* What a tool says in tables, as the texts that it might have had. */
static bool read_tables(struct arena *arena, bp_mcp_tool *tool, struct reason *why)
{
    return params_text(arena, tool->params, &tool->input_schema, why) &&
           params_text(arena, tool->results, &tool->output_schema, why);
}

bp_status mcp_check_tables(testhost *host, const bp_plugin *plugin)
{
    const bp_app_ops *ops = plugin->ops;
    bp_status         status = BP_OK;

    if (strcmp(plugin->kind, "app") != 0 || !BP_HAS(ops, bp_app_ops, tool_count))
        return BP_OK;
    for (size_t i = 0; i < ops->tool_count && status == BP_OK; i++) {
        bp_mcp_tool         tool = tool_at(ops, i);
        struct tool_schemas schemas;
        struct arena        arena;
        struct reason       why;

        arena_init(&arena, TABLE_BYTES_MAX);
        schemas = (struct tool_schemas){ .input = NULL };
        if (!read_tables(&arena, &tool, &why) ||
            !tool_schemas_read(&arena, tool.input_schema, tool.output_schema, &schemas, &why))
            status = problem(host, BP_INVALID, "%s/%s: the MCP tool \"%s\" cannot be offered: %s",
                             plugin->kind, plugin->name, tool.name, why.text);
        tool_schemas_free(&schemas);
        arena_free(&arena);
    }
    return status;
}

/* As a server does: a result that is not what the tool promises is a mistake of the tool. */
static bp_status check_result(bp_mcp *mcp, const bp_mcp_tool *tool)
{
    struct tool_schemas schemas = { .input = NULL };
    bp_mcp_tool         whole = *tool;
    struct reason       why;
    bool                is_good;

    if (mcp->is_error || (!tool->output_schema && !tool->results))
        return BP_OK;
    is_good = read_tables(call_memory(mcp->call), &whole, &why) &&
              tool_schemas_read(call_memory(mcp->call), whole.input_schema, whole.output_schema,
                                &schemas, &why) &&
              tool_result_check(schemas.output, call_memory(mcp->call), mcp->structured, &why);
    tool_schemas_free(&schemas);
    return is_good ? BP_OK : bp_fail(mcp->call, BP_INTERNAL, "%s", why.text);
}

static bp_status read_arguments(bp_call *call, const char *arguments, const bp_json **json)
{
    return bp_json_parse(call, bp_str_of(arguments ? arguments : "{}"), json);
}

testhost_mcp_reply testhost_call_tool(bp_call *call, testhost_instance *app, const char *name,
                                      const char *arguments)
{
    const bp_app_ops *ops = testhost_ops(app);
    const bp_json    *json;

    for (size_t i = 0; i < ops->tool_count; i++) {
        bp_mcp_tool tool = tool_at(ops, i);
        bp_mcp     *mcp;
        bp_status   status;

        if (strcmp(tool.name, name) != 0)
            continue;
        if (read_arguments(call, arguments, &json) != BP_OK)
            return (testhost_mcp_reply){ .status = BP_INVALID };
        mcp = begin(call, app, FORM_TOOL);
        status = tool.handler(call, testhost_self(app), json, mcp);
        return finish(mcp, status == BP_OK ? check_result(mcp, &tool) : status);
    }
    return (testhost_mcp_reply){ .status = BP_NOT_FOUND };
}

testhost_mcp_reply testhost_get_prompt(bp_call *call, testhost_instance *app, const char *name,
                                       const char *arguments)
{
    const bp_app_ops *ops = testhost_ops(app);
    const bp_json    *json;

    for (size_t i = 0; i < ops->prompt_count; i++) {
        const bp_mcp_prompt *prompt = (const bp_mcp_prompt *)(const void *)((const char *)
                                                                                ops->prompts +
                                                                            i * ops->prompt_size);
        bp_mcp              *mcp;

        if (strcmp(prompt->name, name) != 0)
            continue;
        if (read_arguments(call, arguments, &json) != BP_OK)
            return (testhost_mcp_reply){ .status = BP_INVALID };
        mcp = begin(call, app, FORM_PROMPT);
        return finish(mcp, prompt->handler(call, testhost_self(app), json, mcp));
    }
    return (testhost_mcp_reply){ .status = BP_NOT_FOUND };
}

testhost_mcp_reply testhost_read_resource(bp_call *call, testhost_instance *app, const char *uri)
{
    const bp_app_ops *ops = testhost_ops(app);
    bp_mcp           *mcp = begin(call, app, FORM_RESOURCE);

    mcp->uri = bp_str_of(uri);
    for (int fixed_first = 1; fixed_first >= 0; fixed_first--) {
        for (size_t i = 0; i < ops->resource_count; i++) {
            const bp_mcp_resource
                *resource = (const bp_mcp_resource *)(const void *)((const char *)ops->resources +
                                                                    i * ops->resource_size);

            if (fixed_first != !strchr(resource->uri, '{') ||
                !uri_template_fits(bp_str_of(resource->uri), mcp->uri, mcp->values,
                                   &mcp->value_count))
                continue;
            return finish(mcp, resource->handler(call, testhost_self(app), mcp->uri, mcp));
        }
    }
    return (testhost_mcp_reply){ .status = BP_NOT_FOUND };
}

void testhost_mcp_answer(testhost *host, const char *key, const char *result)
{
    struct mcp_answer *answer = calloc(1, sizeof(*answer));

    if (!answer)
        abort();
    answer->key = copy_text(bp_str_of(key));
    answer->result = copy_text(bp_str_of(result));
    list_add(&host->mcp_answers, answer);
}

static void answer_free(void *item)
{
    struct mcp_answer *answer = item;

    free(answer->key);
    free(answer->result);
    free(answer);
}

void mcp_free(testhost *host)
{
    list_free(&host->mcp_answers, answer_free);
}
