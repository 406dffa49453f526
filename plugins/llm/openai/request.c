/* request.c - from a bp_chat to the JSON of POST /chat/completions. */
#include "chat.h"

static void add_tool_calls(bp_json_writer *w, const bp_message *message)
{
    bp_json_key(w, "tool_calls");
    bp_json_array(w);
    for (size_t i = 0; i < message->tool_call_count; i++) {
        const bp_tool_call *tool_call = &message->tool_calls[i];

        bp_json_object(w);
        bp_json_put_string(w, "id", tool_call->id);
        bp_json_put_string(w, "type", BP_STR("function"));
        bp_json_key(w, "function");
        bp_json_object(w);
        bp_json_put_string(w, "name", tool_call->name);
        bp_json_put_string(w, "arguments",
                           tool_call->arguments.len ? tool_call->arguments : BP_STR("{}"));
        bp_json_end(w);
        bp_json_end(w);
    }
    bp_json_end(w);
}

static void add_message(bp_json_writer *w, const bp_message *message)
{
    static const char *const roles[] = { "system", "user", "assistant", "tool" };

    bp_json_object(w);
    bp_json_put_string(w, "role", bp_str_of(roles[message->role]));
    bp_json_key(w, "content");
    if (message->parts.len)
        bp_json_add_raw(w, message->parts);
    else if (message->tool_call_count && !message->text.len)
        bp_json_add_null(w);
    else
        bp_json_add_string(w, message->text);
    if (message->name.len)
        bp_json_put_string(w, "name", message->name);
    if (message->tool_call_id.len)
        bp_json_put_string(w, "tool_call_id", message->tool_call_id);
    if (message->tool_call_count)
        add_tool_calls(w, message);
    bp_json_end(w);
}

static void add_tools(bp_json_writer *w, const bp_chat *chat)
{
    bp_json_key(w, "tools");
    bp_json_array(w);
    for (size_t i = 0; i < chat->tool_count; i++) {
        bp_json_object(w);
        bp_json_put_string(w, "type", BP_STR("function"));
        bp_json_key(w, "function");
        bp_json_object(w);
        bp_json_put_string(w, "name", chat->tools[i].name);
        bp_json_put_string(w, "description", chat->tools[i].description);
        bp_json_key(w, "parameters");
        bp_json_add_raw(w, chat->tools[i].parameters.len ? chat->tools[i].parameters
                                                         : BP_STR("{\"type\":\"object\"}"));
        bp_json_end(w);
        bp_json_end(w);
    }
    bp_json_end(w);
}

static void add_tool_choice(bp_json_writer *w, bp_str choice)
{
    if (bp_str_is(choice, "auto") || bp_str_is(choice, "none") || bp_str_is(choice, "required")) {
        bp_json_put_string(w, "tool_choice", choice);
        return;
    }
    bp_json_key(w, "tool_choice");
    bp_json_object(w);
    bp_json_put_string(w, "type", BP_STR("function"));
    bp_json_key(w, "function");
    bp_json_object(w);
    bp_json_put_string(w, "name", choice);
    bp_json_end(w);
    bp_json_end(w);
}

static void add_response_format(bp_json_writer *w, bp_str schema)
{
    bp_json_key(w, "response_format");
    bp_json_object(w);
    bp_json_put_string(w, "type", BP_STR("json_schema"));
    bp_json_key(w, "json_schema");
    bp_json_object(w);
    bp_json_put_string(w, "name", BP_STR("answer"));
    bp_json_put_bool(w, "strict", true);
    bp_json_key(w, "schema");
    bp_json_add_raw(w, schema);
    bp_json_end(w);
    bp_json_end(w);
}

static void add_sampling(bp_json_writer *w, const struct llm_instance *llm, const bp_chat *chat)
{
    if (chat->max_tokens)
        bp_json_put_integer(w, llm->max_tokens_name ? "max_completion_tokens" : "max_tokens",
                            chat->max_tokens);
    if (chat->temperature >= 0)
        bp_json_put_number(w, "temperature", chat->temperature);
    if (chat->top_p >= 0)
        bp_json_put_number(w, "top_p", chat->top_p);
    if (chat->seed >= 0)
        bp_json_put_integer(w, "seed", chat->seed);
    if (chat->stop_count) {
        bp_json_key(w, "stop");
        bp_json_array(w);
        for (size_t i = 0; i < chat->stop_count; i++)
            bp_json_add_string(w, chat->stop[i]);
        bp_json_end(w);
    }
    if (chat->user.len)
        bp_json_put_string(w, "user", chat->user);
}

static const bp_message *message_at(const bp_chat *chat, size_t index)
{
    return (const bp_message *)(const void *)((const char *)chat->messages +
                                              index * chat->message_size);
}

static bp_status base_body(bp_call *call, const struct llm_instance *llm, const bp_chat *chat,
                           bp_str *body)
{
    bp_json_writer *w = bp_json_writer_new(call, CHAT_REQUEST_MAX_BYTES);

    bp_json_object(w);
    bp_json_put_string(w, "model", chat->model.len ? chat->model : llm->model);
    bp_json_key(w, "messages");
    bp_json_array(w);
    for (size_t i = 0; i < chat->message_count; i++) {
        if (message_at(chat, i)->role > BP_ROLE_TOOL)
            return bp_fail(call, BP_INVALID, "message %zu has the unknown role %u", i,
                           message_at(chat, i)->role);
        add_message(w, message_at(chat, i));
    }
    bp_json_end(w);
    bp_json_put_bool(w, "stream", true);
    if (llm->with_usage) {
        bp_json_key(w, "stream_options");
        bp_json_object(w);
        bp_json_put_bool(w, "include_usage", true);
        bp_json_end(w);
    }
    add_sampling(w, llm, chat);
    if (chat->tool_count)
        add_tools(w, chat);
    if (chat->tool_count && chat->tool_choice.len)
        add_tool_choice(w, chat->tool_choice);
    if (chat->response_schema.len)
        add_response_format(w, chat->response_schema);
    bp_json_end(w);
    return bp_json_done(call, w, body);
}

/* Members of `object` that neither `first` nor `second` has. */
static void add_members(bp_call *call, bp_json_writer *w, const bp_json *object,
                        const bp_json *first, const bp_json *second)
{
    const bp_json *value;
    bp_str         key;
    size_t         cursor = 0;

    while (bp_json_entry(object, &cursor, &key, &value)) {
        bp_str name = bp_dup(call, key);

        if (!name.data || bp_json_get(first, name.data) || bp_json_get(second, name.data))
            continue;
        bp_json_key_str(w, key);
        bp_json_add_raw(w, bp_json_text(call, value));
    }
}

bp_status chat_body(bp_call *call, const struct llm_instance *llm, const bp_chat *chat,
                    bp_str *body)
{
    const bp_json  *base, *conf = NULL, *given = NULL;
    bp_json_writer *w;

    if (chat->message_count == 0)
        return bp_fail(call, BP_INVALID, "a chat needs at least one message");
    BP_TRY(base_body(call, llm, chat, body));
    if (!llm->extra.len && !chat->extra.len)
        return BP_OK;
    // The conf wins over the members made here, and members that come with the chat over both.
    BP_TRY(bp_json_parse(call, *body, &base));
    if (llm->extra.len)
        BP_TRY(bp_json_parse(call, llm->extra, &conf));
    if (chat->extra.len)
        BP_TRY(bp_json_parse(call, chat->extra, &given));
    w = bp_json_writer_new(call, CHAT_REQUEST_MAX_BYTES);
    bp_json_object(w);
    add_members(call, w, base, conf, given);
    add_members(call, w, conf, given, NULL);
    add_members(call, w, given, NULL, NULL);
    bp_json_end(w);
    return bp_json_done(call, w, body);
}
