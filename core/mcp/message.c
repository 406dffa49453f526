/* message.c - reads and frames JSON-RPC messages. */
#include "mcp/message.h"

enum { FRAME_BYTES_MAX = 64 << 20, METHOD_BYTES_MAX = 128 };

static size_t write_integer(int64_t value, char text[24])
{
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char     reversed[24];
    size_t   digits = 0, len = 0;

    do
        reversed[digits++] = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        text[len++] = '-';
    while (digits)
        text[len++] = reversed[--digits];
    text[len] = '\0';
    return len;
}

/* A string or an integer: RequestId of the schemas. Nothing else can be answered to. */
static bool read_id(bp_call *call, const bp_json *value, bp_str *id)
{
    char  *text;
    size_t len;

    switch (json_type_of(value)) {
    case JSON_KIND_INTEGER:
        text = arena_alloc(call->arena, 24);
        if (text) {
            len = write_integer(json_as_integer(value), text);
            *id = bp_str_n(text, len);
        }
        return text != NULL;
    case JSON_KIND_STRING:
        *id = json_text(call->arena, value);
        return true;
    default:
        return false;
    }
}

const bp_json *message_param(const bp_json *object, bp_str name)
{
    const bp_json *value = json_get(object, name);

    return json_type_of(value) == JSON_KIND_NULL ? NULL : value;
}

enum mcp_error_code message_read(bp_call *call, const bp_json *json, struct message *message,
                                 const char **why)
{
    const bp_json *id, *method, *params;
    bool           has_id;

    *message = (struct message){ .kind = MESSAGE_REQUEST };
    *why = "a message must be a JSON object";
    if (json_type_of(json) != JSON_KIND_OBJECT)
        return MCP_INVALID_REQUEST;
    id = json_get(json, BP_STR("id"));
    has_id = id && read_id(call, id, &message->id);
    *why = "\"id\" must be a string or an integer";
    if (id && !has_id && json_type_of(id) != JSON_KIND_NULL)
        return MCP_INVALID_REQUEST;
    *why = "\"jsonrpc\" must be \"2.0\"";
    if (!bp_str_is(json_as_string(json_get(json, BP_STR("jsonrpc"))), "2.0"))
        return MCP_INVALID_REQUEST;
    method = json_get(json, BP_STR("method"));
    message->result = json_get(json, BP_STR("result"));
    message->error = json_get(json, BP_STR("error"));
    if (!method) {
        message->kind = MESSAGE_RESPONSE;
        *why = "a message needs either \"method\", or an \"id\" and one of \"result\" and "
               "\"error\"";
        return (has_id || message->error) && !message->result != !message->error
                   ? MCP_NO_ERROR
                   : MCP_INVALID_REQUEST;
    }
    *why = "\"method\" must be a string of at most 128 bytes";
    message->method = json_as_string(method);
    if (json_type_of(method) != JSON_KIND_STRING || message->method.len > METHOD_BYTES_MAX)
        return MCP_INVALID_REQUEST;
    *why = "a request has neither \"result\" nor \"error\"";
    if (message->result || message->error)
        return MCP_INVALID_REQUEST;
    *why = "\"id\" must not be null";
    if (id && !has_id)
        return MCP_INVALID_REQUEST;
    message->kind = has_id ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
    params = message_param(json,
                           BP_STR("params")); // some libraries write null for an absent member
    *why = "\"params\" must be an object";
    if (params && json_type_of(params) != JSON_KIND_OBJECT)
        return MCP_INVALID_PARAMS_ERROR;
    message->params = params;
    message->meta = message_param(params, BP_STR("_meta"));
    return MCP_NO_ERROR;
}

bp_str message_error(bp_call *call, bp_str id, int32_t code, bp_str text, bp_str data)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, call->arena, FRAME_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "jsonrpc", "2.0");
    json_key(&w, BP_STR("id"));
    json_add_raw(&w, id.len ? id : BP_STR("null"));
    json_key(&w, BP_STR("error"));
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_integer(&w, "code", code);
    json_put_string(&w, "message", text);
    if (data.len) {
        json_key(&w, BP_STR("data"));
        json_add_raw(&w, data);
    }
    json_end(&w);
    json_end(&w);
    return buf_str(&buf);
}

static bp_str frame(bp_call *call, bool has_id, uint64_t id, const char *method, bp_str params)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, call->arena, FRAME_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "jsonrpc", "2.0");
    if (has_id)
        json_put_integer(&w, "id", (int64_t)id);
    json_put_text(&w, "method", method);
    if (params.len) {
        json_key(&w, BP_STR("params"));
        json_add_raw(&w, params);
    }
    json_end(&w);
    return buf_str(&buf);
}

bp_str message_notification(bp_call *call, const char *method, bp_str params)
{
    return frame(call, false, 0, method, params);
}

bp_str message_request(bp_call *call, uint64_t id, const char *method, bp_str params)
{
    return frame(call, true, id, method, params);
}
