/* answer.c - from chunks of /chat/completions, or a whole answer, to deltas and a result. */
#include "chat.h"

static bp_status give(bp_call *call, struct chat_answer *answer, const bp_delta *delta)
{
    return answer->sink->delta(call, answer->sink->self, delta);
}

static bp_status give_text(bp_call *call, struct chat_answer *answer, uint32_t type, bp_str text)
{
    bp_delta delta = { .struct_size = sizeof(delta), .type = type, .text = text };

    return text.len ? give(call, answer, &delta) : BP_OK;
}

/* ---- tool calls ---- */

/* Arguments are a text that holds JSON; some servers send the object itself. */
static bp_str arguments_of(bp_call *call, const bp_json *function)
{
    const bp_json *arguments = bp_json_get(function, "arguments");

    return bp_json_type_of(arguments) == BP_JSON_OBJECT ? bp_json_text(call, arguments)
                                                        : bp_json_string(arguments);
}

/* Which call a piece belongs to: its index, or, from servers that send none, a new one for each
 * that has a name. */
static int64_t index_of(const struct chat_answer *answer, const bp_json *piece, bool has_name)
{
    const bp_json *index = bp_json_get(piece, "index");

    if (bp_json_type_of(index) == BP_JSON_INTEGER)
        return bp_json_integer(index);
    return has_name || answer->tool_calls == 0 ? answer->tool_calls
                                               : (int64_t)answer->tool_calls - 1;
}

static bp_status take_tool_call(bp_call *call, struct chat_answer *answer, const bp_json *piece)
{
    const bp_json *function = bp_json_get(piece, "function");
    bp_str         name = bp_json_string(bp_json_get(function, "name"));
    int64_t        index = index_of(answer, piece, name.len != 0);
    bp_delta       delta = { .struct_size = sizeof(delta), .type = BP_DELTA_TOOL_CALL };

    if (index < 0 || index >= CHAT_TOOL_CALLS_MAX)
        return bp_fail(call, BP_UPSTREAM, BP_FMT " sent more than %d tool calls at once",
                       BP_ARG(answer->llm->server.url), CHAT_TOOL_CALLS_MAX);
    delta.index = (uint32_t)index;
    delta.text = arguments_of(call, function);
    if (!answer->is_named[index]) {
        if (!name.len)
            return bp_fail(call, BP_UPSTREAM,
                           BP_FMT " sent arguments of a tool call that has no name",
                           BP_ARG(answer->llm->server.url));
        answer->is_named[index] = true;
        if (delta.index + 1 > answer->tool_calls)
            answer->tool_calls = delta.index + 1;
        delta.name = name;
        delta.id = bp_json_string(bp_json_get(piece, "id"));
        if (!delta.id.len) // the answer to it must name one
            delta.id = bp_format(call, "call_%u", delta.index);
    } else if (!delta.text.len) {
        return BP_OK;
    }
    return give(call, answer, &delta);
}

/* ---- the rest ---- */

static void take_finish(struct chat_answer *answer, bp_str reason)
{
    static const struct {
        const char *reason;
        bp_finish   finish;
    } known[] = { { "length", BP_FINISH_LENGTH },
                  { "tool_calls", BP_FINISH_TOOL_CALLS },
                  { "function_call", BP_FINISH_TOOL_CALLS },
                  { "content_filter", BP_FINISH_FILTERED } };

    if (!reason.len)
        return;
    answer->is_finished = true;
    // Some servers say "stop" although they ask for tools.
    answer->result->finish = answer->tool_calls ? BP_FINISH_TOOL_CALLS : BP_FINISH_STOP;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (bp_str_is(reason, known[i].reason))
            answer->result->finish = (uint32_t)known[i].finish;
}

static uint64_t count_of(const bp_json *usage, const char *key)
{
    int64_t count = bp_json_integer(bp_json_get(usage, key));

    return count > 0 ? (uint64_t)count : 0;
}

static void take_usage(struct chat_answer *answer, const bp_json *usage)
{
    if (bp_json_type_of(usage) != BP_JSON_OBJECT)
        return;
    answer->result->input_tokens = count_of(usage, "prompt_tokens");
    answer->result->output_tokens = count_of(usage, "completion_tokens");
    answer->result->cached_tokens = count_of(bp_json_get(usage, "prompt_tokens_details"),
                                             "cached_tokens");
}

static bp_status take_choice(bp_call *call, struct chat_answer *answer, const bp_json *choice)
{
    const bp_json *delta = bp_json_get(choice, "delta"), *tool_calls;
    bp_str         reasoning, refusal;

    if (!delta)
        delta = bp_json_get(choice, "message");
    reasoning = bp_json_string(bp_json_get(delta, "reasoning_content"));
    if (!reasoning.len)
        reasoning = bp_json_string(bp_json_get(delta, "reasoning"));
    refusal = bp_json_string(bp_json_get(delta, "refusal"));
    BP_TRY(give_text(call, answer, BP_DELTA_REASONING, reasoning));
    BP_TRY(give_text(call, answer, BP_DELTA_TEXT, bp_json_string(bp_json_get(delta, "content"))));
    BP_TRY(give_text(call, answer, BP_DELTA_TEXT, refusal));
    tool_calls = bp_json_get(delta, "tool_calls");
    for (size_t i = 0; i < bp_json_count(tool_calls); i++)
        BP_TRY(take_tool_call(call, answer, bp_json_at(tool_calls, i)));
    take_finish(answer, bp_json_string(bp_json_get(choice, "finish_reason")));
    if (refusal.len)
        answer->result->finish = BP_FINISH_FILTERED;
    return BP_OK;
}

bp_status chat_take(bp_call *call, struct chat_answer *answer, const bp_json *chunk)
{
    const bp_json *error = bp_json_get(chunk, "error"), *choices = bp_json_get(chunk, "choices");
    bp_str         model = bp_json_string(bp_json_get(chunk, "model"));

    if (error && bp_json_type_of(error) != BP_JSON_NULL)
        return openai_fail_object(call, &answer->llm->server, error);
    if (bp_json_type_of(chunk) != BP_JSON_OBJECT)
        return bp_fail(call, BP_UPSTREAM, BP_FMT " sent an answer that is not a JSON object",
                       BP_ARG(answer->llm->server.url));
    if (model.len && !answer->model_len) { // kept here, as the chunk is scratch memory
        answer->model_len = model.len < sizeof(answer->model) ? model.len : 0;
        memcpy(answer->model, model.data, answer->model_len);
    }
    take_usage(answer, bp_json_get(chunk, "usage"));
    if (bp_json_count(choices))
        BP_TRY(take_choice(call, answer, bp_json_at(choices, 0)));
    return BP_OK;
}

bp_status chat_end(bp_call *call, struct chat_answer *answer)
{
    if (answer->is_finished)
        return BP_OK;
    return bp_fail(call, BP_UPSTREAM, "the answer of " BP_FMT " broke off before its end",
                   BP_ARG(answer->llm->server.url));
}
