/* llm_contract.c - the contract of llm.h. */
#include "conform.h"

struct answer {
    bp_buf  *text;
    uint32_t deltas, stop_at; /* 0: never */
};

static bp_status take_delta(bp_call *call, void *self, const bp_delta *delta)
{
    struct answer *answer = self;

    CONFORM_THAT(call, delta->type >= BP_DELTA_TEXT && delta->type <= BP_DELTA_TOOL_CALL,
                 "a piece has the type %u", delta->type);
    if (delta->type == BP_DELTA_TEXT)
        bp_buf_add(answer->text, delta->text);
    if (++answer->deltas == answer->stop_at)
        return bp_fail(call, BP_FULL, "enough");
    return bp_sleep(call, 0);
}

static bp_status chat(bp_call *call, struct conform *conform, bp_str question, uint32_t stop_at,
                      struct answer *answer, bp_chat_result *result)
{
    bp_message messages[] = {
        { .struct_size = sizeof(bp_message),
          .role = BP_ROLE_SYSTEM,
          .text = BP_STR("Answer briefly.") },
        { .struct_size = sizeof(bp_message), .role = BP_ROLE_USER, .text = question }
    };
    bp_passage   passages[] = { { BP_STR("1"), BP_STR("Limits"),
                                  BP_STR("The limit of a request body is ten mebibytes."), 1 },
                                { BP_STR("2"), BP_STR("Retries"),
                                  BP_STR("The server may be asked again after thirty seconds."),
                                  0.5 } };
    bp_chat      wanted = { .struct_size = sizeof(wanted),
                            .max_tokens = 64,
                            .messages = messages,
                            .message_size = sizeof(bp_message),
                            .message_count = 2,
                            .passages = passages,
                            .passage_count = 2,
                            .temperature = -1,
                            .top_p = -1,
                            .seed = -1 };
    bp_chat_sink sink = { sizeof(sink), take_delta, answer };

    *answer = (struct answer){ bp_buf_new(call, 1 << 20), 0, stop_at };
    return bp_llm_chat(call, conform_peer(call, conform), &wanted, &sink, result);
}

static bp_status a_question_is_answered_in_pieces(bp_call *call, struct conform *conform)
{
    struct answer  answer;
    bp_chat_result result;

    CONFORM_STATUS(call,
                   chat(call, conform, BP_STR("What is the limit of a request body?"), 0, &answer,
                        &result),
                   BP_OK);
    CONFORM_THAT(call, answer.deltas > 0 && bp_buf_str(answer.text).len > 0,
                 "a question got no text");
    CONFORM_THAT(call, result.finish <= BP_FINISH_NO_ANSWER && result.model.len > 0,
                 "the answer ended as %u, of the model \"" BP_FMT "\"", result.finish,
                 BP_ARG(result.model));
    return BP_OK;
}

static bp_status a_sink_may_stop_the_answer(bp_call *call, struct conform *conform)
{
    struct answer  answer;
    bp_chat_result result;

    CONFORM_STATUS(call,
                   chat(call, conform, BP_STR("What is the limit of a request body?"), 1, &answer,
                        &result),
                   BP_FULL);
    CONFORM_THAT(call, answer.deltas == 1, "a sink that wanted no more got %u pieces",
                 answer.deltas);
    return BP_OK;
}

static bp_status awkward_texts_are_taken(bp_call *call, struct conform *conform)
{
    for (size_t i = 0; i < conform->string_count; i += 1 + conform->string_count / 24) {
        struct answer  answer;
        bp_chat_result result;

        CONFORM_STATUS(call, chat(call, conform, conform->strings[i], 0, &answer, &result), BP_OK);
    }
    return BP_OK;
}

static bp_status op_models(bp_call *call, struct conform *conform)
{
    const bp_peer  *peer = conform_peer(call, conform);
    const bp_model *models;
    size_t          size, count;

    BP_TRY(bp_llm_of(peer)->models(call, peer->instance, &models, &size, &count));
    CONFORM_THAT(call, count == 0 || models[0].id.len > 0, "a model has no id");
    return BP_OK;
}

static bp_status models_are_listed(bp_call *call, struct conform *conform)
{
    CONFORM_STATUS(call, op_models(call, conform), BP_OK);
    return BP_OK;
}

static bp_status op_chat(bp_call *call, struct conform *conform)
{
    struct answer  answer;
    bp_chat_result result;

    return chat(call, conform, BP_STR("How long must one wait before asking again?"), 0, &answer,
                &result);
}

static const struct conform_op ops[] = { { "chat", op_chat }, { "models", op_models } };

static bp_status all_workers_ask_at_once(bp_call *call, struct conform *conform)
{
    for (int i = 0; i < 5; i++)
        CONFORM_STATUS(call, op_chat(call, conform), BP_OK);
    return BP_OK;
}

static bp_status cancelled_calls_disturb_no_other(bp_call *call, struct conform *conform)
{
    return conform_cancel(call, conform, ops, 2);
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    return conform_hurry(call, conform, ops, 2);
}

static bp_status a_restart_is_outlived(bp_call *call, struct conform *conform)
{
    return conform_survive(call, conform, &ops[0]);
}

static bp_status wrong_credentials_are_refused(bp_call *call, struct conform *conform)
{
    CONFORM_THAT(call, op_chat(call, conform) != BP_OK,
                 "a question was answered with wrong credentials");
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "the refusal has no sentence");
    return BP_OK;
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    return conform_do_not_grow(call, conform, ops, sizeof(ops) / sizeof(ops[0]));
}

static const struct conform_case cases[] = {
    { "a question is answered in pieces, with a result", a_question_is_answered_in_pieces,
      CONFORM_ONE_WORKER },
    { "a sink may stop the answer", a_sink_may_stop_the_answer, CONFORM_ONE_WORKER },
    { "awkward texts are taken", awkward_texts_are_taken, CONFORM_ONE_WORKER },
    { "models are listed", models_are_listed, CONFORM_ONE_WORKER },
    { "all workers ask at once", all_workers_ask_at_once, CONFORM_EVERY_WORKER },
    { "an operation cancelled at any suspension disturbs no other",
      cancelled_calls_disturb_no_other, CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
    { "a restart of the server is outlived", a_restart_is_outlived, CONFORM_ONE_WORKER },
    { "wrong credentials are refused with a sentence", wrong_credentials_are_refused,
      CONFORM_REFUSED },
};

const struct conform_contract llm_contract = { "llm", cases, sizeof(cases) / sizeof(cases[0]) };
