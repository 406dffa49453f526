/* @NAME@.c - an LLM provider that repeats the last message, word by word. */
#include <backplane/llm.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

struct provider {
    bp_str  prefix;
    int64_t delay_ns;
};

static const bp_option options[] = {
    BP_OPTION_STRING(struct provider, prefix, .help = "what every answer begins with"),
    BP_OPTION_DURATION(struct provider, delay, .initial = "0", .minimum = "0", .maximum = "10s",
                       .help = "pause between two words, as a slow model has it"),
};

static const bp_message *last_of_user(const bp_chat *chat)
{
    for (size_t i = chat->message_count; i-- > 0;) {
        /* The stride is the caller's: his bp_message may have grown since this was built. */
        const bp_message *message = (const void *)((const char *)chat->messages +
                                                   i * chat->message_size);

        if (message->role == BP_ROLE_USER)
            return message;
    }
    return NULL;
}

static bp_status say(bp_call *call, const bp_chat_sink *sink, bp_str piece)
{
    bp_delta delta = { .struct_size = sizeof(delta), .type = BP_DELTA_TEXT, .text = piece };

    return piece.len ? sink->delta(call, sink->self, &delta)
                     : BP_OK; /* suspends while the client is slow */
}

static bp_status chat(bp_call *call, void *instance, const bp_chat *chat, const bp_chat_sink *sink,
                      bp_chat_result *result)
{
    const struct provider *self = instance;
    const bp_message      *message = last_of_user(chat);
    uint64_t               words = 0;
    size_t                 at = 0;

    if (!message)
        return bp_fail(call, BP_INVALID, "there is no message of the user to answer");
    if (message->parts.len)
        return bp_fail(call, BP_UNSUPPORTED,
                       "images and audio are not understood: send the message as text");
    result->model = BP_STR("@NAME@");
    result->finish = BP_FINISH_STOP;
    BP_TRY(say(call, sink, self->prefix));
    while (at < message->text.len) {
        size_t end = at;

        if (chat->max_tokens && words == chat->max_tokens) {
            result->finish = BP_FINISH_LENGTH;
            break;
        }
        while (end < message->text.len && message->text.data[end] == ' ')
            end++;
        while (end < message->text.len && message->text.data[end] != ' ')
            end++;
        if (words && self->delay_ns)
            BP_TRY(bp_sleep(call, self->delay_ns));
        BP_TRY(say(call, sink, bp_str_n(message->text.data + at, end - at)));
        at = end;
        words++;
    }
    result->output_tokens = words;
    return BP_OK;
}

static bp_status models(bp_call *call, void *instance, const bp_model **list, size_t *model_size,
                        size_t *count)
{
    static const bp_model only = { .id = { "@NAME@", sizeof("@NAME@") - 1 } };

    (void)call;
    (void)instance;
    *list = &only;
    *model_size = sizeof(only);
    *count = 1;
    return BP_OK;
}

static const bp_llm_ops ops = {
    .struct_size = sizeof(bp_llm_ops),
    .chat = chat,
    .models = models,
};

BP_PLUGIN(llm, "@NAME@", "1.0.0", .summary = "says what it was told, word by word",
          .instance_size = sizeof(struct provider), .options = BP_TABLE(options), .ops = &ops)
