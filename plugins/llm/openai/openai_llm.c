/* openai_llm.c - an LLM provider behind POST /chat/completions: Ollama, Jan, llama-server, vLLM,
 * Fireworks, OpenAI. */
#include "chat.h"

enum { MODELS_MAX_BYTES = 8 << 20 };

/* ---- chat ---- */

/* Everything that comes, up to `max_bytes`; more is BP_TOO_LARGE, or left out when it is only an
 * error's text. */
static bp_status read_all(bp_call *call, bp_http_stream *stream, size_t max_bytes, bool may_cut,
                          bp_str *text)
{
    bp_buf *buf = bp_buf_new(call, max_bytes);
    size_t  left = max_bytes;
    bp_str  piece;

    do {
        BP_TRY(bp_http_read(call, stream, &piece));
        if (piece.len > left && may_cut)
            piece.len = left;
        bp_buf_add(buf, piece);
        left -= piece.len < left ? piece.len : left;
    } while (piece.len && left);
    if (bp_buf_status(buf) != BP_OK)
        return bp_fail(call, bp_buf_status(buf), "an answer is larger than %zu bytes", max_bytes);
    *text = bp_buf_str(buf);
    return BP_OK;
}

static bp_status fail_answered(bp_call *call, const struct llm_instance *llm,
                               bp_http_stream *stream, const bp_http_response *head)
{
    bp_str text = { "", 0 };

    if (read_all(call, stream, CHAT_ERROR_MAX_BYTES, true, &text) != BP_OK)
        text = BP_STR("");
    return openai_fail(call, &llm->server, head->status, head->retry_after_ns, text);
}

static bp_status parse(bp_call *call, const struct llm_instance *llm, bp_str text,
                       const bp_json **value)
{
    bp_status status = bp_json_read(call, text, value);

    if (status == BP_INVALID)
        return bp_fail(call, BP_UPSTREAM, BP_FMT " sent an answer that is not JSON: " BP_FMT,
                       BP_ARG(llm->server.url), BP_ARG(bp_error_of(call)->message));
    return status;
}

/* A server that does not stream sends the whole answer at once. */
static bp_status take_whole(bp_call *call, struct chat_answer *answer, bp_http_stream *stream)
{
    const bp_json *root;
    bp_str         text;

    BP_TRY(read_all(call, stream, CHAT_ANSWER_MAX_BYTES, false, &text));
    BP_TRY(parse(call, answer->llm, text, &root));
    return chat_take(call, answer, root);
}

/* What a chunk is read into lives as long as the chunk: a long answer has hundreds of thousands. */
static bp_status take_event(bp_call *call, struct chat_answer *answer, bp_str data)
{
    const bp_json *chunk;
    bp_status      status;

    BP_TRY(bp_scratch_begin(call));
    status = parse(call, answer->llm, data, &chunk);
    if (status == BP_OK)
        status = chat_take(call, answer, chunk);
    bp_scratch_end(call);
    return status;
}

static bp_status take_events(bp_call *call, struct chat_answer *answer, bp_http_stream *stream)
{
    for (;;) {
        bp_sse_event event;

        BP_TRY(bp_http_read_event(call, stream, CHAT_EVENT_MAX_BYTES, &event));
        if (event.is_end)
            return BP_OK;
        if (bp_str_is(event.data, "[DONE]")) {
            answer->is_finished = true;
            return BP_OK;
        }
        BP_TRY(take_event(call, answer, event.data));
    }
}

static bool is_event_stream(bp_str content_type)
{
    return bp_str_starts(content_type, "text/event-stream");
}

static bp_status openai_chat(bp_call *call, void *instance, const bp_chat *chat,
                             const bp_chat_sink *sink, bp_chat_result *result)
{
    const struct llm_instance *llm = instance;
    struct chat_answer        *answer = BP_NEW(call, struct chat_answer);
    bp_http_request            request;
    bp_http_response           head;
    bp_http_stream            *stream;
    bp_status                  status;
    bp_str                     body;

    if (!answer)
        return BP_NO_MEMORY;
    answer->llm = llm;
    answer->sink = sink;
    answer->result = result;
    BP_TRY(chat_body(call, llm, chat, &body));
    BP_TRY(openai_request(call, &llm->server, "/chat/completions", body, &request));
    request.first_byte_timeout_ns = llm->timeout_ns;
    request.idle_timeout_ns = llm->idle_timeout_ns;
    BP_TRY(bp_http_open(call, &request, &head, &stream));
    if (head.status < 200 || head.status > 299)
        status = fail_answered(call, llm, stream, &head);
    else if (is_event_stream(head.content_type))
        status = take_events(call, answer, stream);
    else
        status = take_whole(call, answer, stream);
    bp_http_close(stream);
    if (status == BP_OK)
        status = chat_end(call, answer);
    if (status == BP_OK && answer->model_len)
        result->model = bp_str_n(answer->model, answer->model_len);
    else if (status == BP_OK)
        result->model = bp_dup(call, chat->model.len ? chat->model : llm->model);
    return status;
}

/* ---- models ---- */

static uint64_t context_of(const bp_json *model)
{
    static const char *const keys[] = { "context_length", "max_model_len", "context_window",
                                        "max_context_length" };
    int64_t tokens = bp_json_integer(bp_json_get(bp_json_get(model, "meta"), "n_ctx_train"));

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && tokens <= 0; i++)
        tokens = bp_json_integer(bp_json_get(model, keys[i]));
    return tokens > 0 ? (uint64_t)tokens : 0;
}

static bp_status openai_models(bp_call *call, void *instance, const bp_model **models,
                               size_t *model_size, size_t *count)
{
    const struct llm_instance *llm = instance;
    bp_http_request            request;
    bp_http_response           response;
    const bp_json             *root, *data;
    bp_model                  *found;

    BP_TRY(openai_request(call, &llm->server, "/models", BP_STR(""), &request));
    request.first_byte_timeout_ns = llm->timeout_ns;
    request.max_response_bytes = MODELS_MAX_BYTES;
    BP_TRY(bp_http_fetch(call, &request, &response));
    if (response.status < 200 || response.status > 299)
        return openai_fail(call, &llm->server, response.status, response.retry_after_ns,
                           response.body);
    BP_TRY(parse(call, llm, response.body, &root));
    data = bp_json_get(root, "data");
    *count = bp_json_count(data);
    *model_size = sizeof(bp_model);
    found = BP_NEW_ARRAY(call, bp_model, *count + 1);
    if (!found)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < *count; i++) {
        found[i].id = bp_json_string(bp_json_get(bp_json_at(data, i), "id"));
        found[i].context_tokens = context_of(bp_json_at(data, i));
    }
    *models = found;
    return BP_OK;
}

/* ---- the plugin ---- */

static bp_status check_options(bp_call *call, const void *given)
{
    const struct llm_instance *llm = given;
    const bp_json             *extra;

    if (!llm->extra.len)
        return BP_OK;
    if (bp_json_parse(call, llm->extra, &extra) != BP_OK)
        return bp_fail(call, BP_INVALID, "extra: " BP_FMT, BP_ARG(bp_error_of(call)->message));
    if (bp_json_type_of(extra) != BP_JSON_OBJECT)
        return bp_fail(call, BP_INVALID, "extra: write a JSON object, as in '{\"top_k\": 20}'");
    if (bp_json_get(extra, "stream") || bp_json_get(extra, "messages"))
        return bp_fail(call, BP_INVALID, "extra: \"stream\" and \"messages\" cannot be set there");
    return BP_OK;
}

#define SERVER(type, field, name_, ...)                                                            \
    BP_OPTION_OF(type, struct llm_instance, server.field, name_, __VA_ARGS__)

static const bp_option options[] = {
    SERVER(BP_OPTION_TYPE_URL, url, "url", .is_required = true,
           .example = "http://127.0.0.1:11434/v1",
           .help = "the server, up to and with /v1; /chat/completions and /models are added"),
    SERVER(BP_OPTION_TYPE_SECRET, api_key, "api_key",
           .help = "sent as Authorization: Bearer KEY; empty: no such header"),
    SERVER(BP_OPTION_TYPE_PATH, ca, "ca", .choices = BP_PATH_PEM,
           .example = "/etc/ssl/gateway-ca.pem",
           .help = "certificates to trust for https://, in PEM; unset: those that this machine "
                   "trusts"),
    SERVER(BP_OPTION_TYPE_MAP, headers, "headers",
           .help = "more headers for every request, by name"),
    BP_OPTION_STRING(struct llm_instance, model, .is_required = true, .example = "llama3.2",
                     .help = "the model to ask when a chat names none"),
    BP_OPTION_STRING(struct llm_instance, extra, .example = "{\"top_k\": 20}",
                     .help = "a JSON object merged into every chat request"),
    BP_OPTION_ENUM(struct llm_instance, max_tokens_name, .initial = "max_tokens",
                   .choices = "max_tokens|max_completion_tokens",
                   .help = "the server's name for the longest answer"),
    BP_OPTION_BOOL(struct llm_instance, with_usage, .initial = "true",
                   .help = "ask for the tokens used (stream_options); false for servers that "
                           "refuse that"),
    BP_OPTION_DURATION(struct llm_instance, timeout, .initial = "60s", .minimum = "10ms",
                       .maximum = "30m", .help = "longest wait for the beginning of an answer"),
    BP_OPTION_DURATION(struct llm_instance, idle_timeout, .initial = "30s", .minimum = "10ms",
                       .maximum = "30m", .help = "longest silence within an answer"),
};

static const bp_life life = { .struct_size = sizeof(bp_life), .check = check_options };

static const bp_llm_ops ops = { .struct_size = sizeof(bp_llm_ops),
                                .chat = openai_chat,
                                .models = openai_models };

BP_PLUGIN(llm, "openai", "1.0.0",
          .summary = "chats with any server that speaks OpenAI's API: Ollama, Jan, llama-server, "
                     "vLLM, OpenAI",
          .license = "Apache-2.0", .instance_size = sizeof(struct llm_instance),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
