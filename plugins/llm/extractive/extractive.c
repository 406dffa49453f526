/* extractive.c - an LLM provider without a model: it answers with sentences of the passages it is
 * given, each with the number of its passage, and says that there is no answer when they cover too
 * little of the question. */
#include <backplane/loop.h>
#include <backplane/plugin.h>

#include "answer.h"

enum { INLINE_BYTES = 32 << 10, BYTES_A_TOKEN = 4 };

struct extractive {
    int64_t max_sentences;
    double  min_coverage;
};

static const bp_message *last_of_user(const bp_chat *chat)
{
    const char *messages = (const char *)chat->messages;

    for (size_t i = chat->message_count; i-- > 0;) {
        const bp_message *message = (const bp_message *)(const void *)(messages +
                                                                       i * chat->message_size);
        if (message->role == BP_ROLE_USER)
            return message;
    }
    return NULL;
}

/* ---- choosing, on a pool thread when there is much to read ---- */

struct choosing {
    const struct extractive *options;
    const bp_chat           *chat;
    bp_str                   message;
    struct answer            answer;
};

static bp_status choose_job(bp_call *call, void *arg)
{
    struct choosing *choosing = arg;
    const bp_chat   *chat = choosing->chat;
    bp_str           question;

    BP_TRY(
        answer_question(call, choosing->message, chat->passages, chat->passage_count, &question));
    return answer_choose(call, question, chat->passages, chat->passage_count,
                         (uint32_t)choosing->options->max_sentences, &choosing->answer);
}

/* ---- telling ---- */

/* One sentence in one line, with the mark of its passage; code stays as it is. */
static bp_str written(bp_call *call, const struct chosen *chosen, bool is_first)
{
    bp_buf *buf = bp_buf_new(call, chosen->sentence.text.len + 64);
    bool    is_own_line = chosen->sentence.kind != SENTENCE_PROSE, was_blank = false;

    if (!is_first)
        bp_buf_add(buf, is_own_line ? BP_STR("\n") : BP_STR(" "));
    if (chosen->sentence.kind == SENTENCE_ITEM)
        bp_buf_add(buf, BP_STR("- "));
    if (chosen->sentence.kind == SENTENCE_CODE)
        bp_buf_add(buf, BP_STR("`"));
    for (size_t i = 0; i < chosen->sentence.text.len; i++) {
        char c = chosen->sentence.text.data[i];
        bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!is_blank || chosen->sentence.kind == SENTENCE_CODE)
            bp_buf_add(buf, bp_str_n(&c, 1));
        else if (!was_blank)
            bp_buf_add(buf, BP_STR(" "));
        was_blank = is_blank;
    }
    if (chosen->sentence.kind == SENTENCE_CODE)
        bp_buf_add(buf, BP_STR("`"));
    bp_buf_addf(buf, " [%zu]", chosen->passage + 1);
    return bp_buf_str(buf);
}

static bp_status tell(bp_call *call, const bp_chat *chat, const struct answer *answer,
                      const bp_chat_sink *sink, bp_chat_result *result)
{
    size_t bytes = 0,
           max_bytes = chat->max_tokens ? (size_t)chat->max_tokens * BYTES_A_TOKEN : SIZE_MAX;

    for (size_t i = 0; i < answer->count; i++) {
        bp_delta  delta = { .struct_size = sizeof(delta),
                            .type = BP_DELTA_TEXT,
                            .text = written(call, &answer->chosen[i], i == 0) };
        bp_status status = bp_cancelled(call);

        if (!delta.text.len)
            return BP_NO_MEMORY;
        if (status != BP_OK)
            return bp_fail(call, status, "the answer was given up: %s", bp_status_text(status));
        if (bytes + delta.text.len > max_bytes) { /* half a sentence would be no quotation */
            result->finish = BP_FINISH_LENGTH;
            return BP_OK;
        }
        bytes += delta.text.len;
        BP_TRY(sink->delta(call, sink->self, &delta));
    }
    return BP_OK;
}

static bp_status extractive_chat(bp_call *call, void *instance, const bp_chat *chat,
                                 const bp_chat_sink *sink, bp_chat_result *result)
{
    const bp_message *question = last_of_user(chat);
    struct choosing   choosing = { .options = instance, .chat = chat };
    size_t            bytes = 0;

    if (!question)
        return bp_fail(call, BP_INVALID, "the chat has no message of the user to answer");
    if (chat->response_schema.len || bp_str_is(chat->tool_choice, "required"))
        return bp_fail(call, BP_INVALID,
                       "extractive quotes passages: it cannot follow a schema or call a tool; name "
                       "another provider for this");
    choosing.message = question->text;
    result->model = BP_STR("extractive");
    result->finish = BP_FINISH_NO_ANSWER;
    if (!chat->passage_count || !question->text.len)
        return BP_OK;
    for (size_t i = 0; i < chat->passage_count; i++)
        bytes += chat->passages[i].text.len;
    BP_TRY(bytes > INLINE_BYTES ? bp_offload(call, NULL, choose_job, &choosing)
                                : choose_job(call, &choosing));
    if (!choosing.answer.count || choosing.answer.coverage < choosing.options->min_coverage)
        return BP_OK;
    result->finish = BP_FINISH_STOP;
    return tell(call, chat, &choosing.answer, sink, result);
}

static bp_status extractive_models(bp_call *call, void *instance, const bp_model **models,
                                   size_t *model_size, size_t *count)
{
    static const bp_model model = { .id = { "extractive", 10 } };

    (void)call;
    (void)instance;
    *models = &model;
    *model_size = sizeof(model);
    *count = 1;
    return BP_OK;
}

/* ---- the plugin ---- */

static const bp_option options[] = {
    BP_OPTION_INT(struct extractive, max_sentences, .initial = "3", .minimum = "1", .maximum = "10",
                  .help = "most sentences of an answer"),
    BP_OPTION_FLOAT(struct extractive, min_coverage, .initial = "0.3", .minimum = "0",
                    .maximum = "1",
                    .help = "share of the question that an answer must cover (rare words weigh "
                            "more); below it there is no answer"),
};

static const bp_llm_ops ops = {
    .struct_size = sizeof(bp_llm_ops),
    .chat = extractive_chat,
    .models = extractive_models,
};

BP_PLUGIN(llm, "extractive", "1.0.0",
          .summary = "answers with sentences of the passages given, and with nothing else; no "
                     "model",
          .license = "Apache-2.0", .instance_size = sizeof(struct extractive),
          .options = BP_TABLE(options), .ops = &ops)
