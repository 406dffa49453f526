/* test_@NAME@.c - tests @NAME@.so with the fake host: the answer comes in pieces, and ends where it
 * must. */
#include <backplane/llm.h>
#include <backplane/testhost.h>

#include "test.h"

struct heard {
    char   text[256];
    size_t len, pieces;
};

static bp_status hear(bp_call *call, void *self, const bp_delta *delta)
{
    struct heard *heard = self;

    (void)call;
    memcpy(heard->text + heard->len, delta->text.data, delta->text.len);
    heard->len += delta->text.len;
    heard->pieces++;
    return BP_OK;
}

static bp_status refuse(bp_call *call, void *self, const bp_delta *delta)
{
    (void)call;
    (void)self;
    (void)delta;
    return BP_CANCELLED;
}

int main(int argc, char **argv)
{
    testhost          *host = testhost_new();
    const bp_plugin   *plugin = testhost_load(host, argv[argc - 1]);
    testhost_option    option = { "prefix", "You said:" };
    testhost_instance *instance = plugin
                                      ? testhost_instance_create(host, plugin, "mine", &option, 1)
                                      : NULL;
    bp_call           *call = testhost_call_new(host, BP_SECONDS(5));
    struct heard       heard = { .len = 0 };
    bp_message         message = { .struct_size = sizeof(message),
                                   .role = BP_ROLE_USER,
                                   .text = BP_STR(" two words") };
    bp_chat            chat = { .struct_size = sizeof(chat),
                                .messages = &message,
                                .message_size = sizeof(message),
                                .message_count = 1 };
    bp_chat_sink       sink = { sizeof(sink), hear, &heard };
    bp_chat_result     result;

    if (!instance)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(instance != NULL);
    CHECK(bp_llm_chat(call, testhost_peer(instance), &chat, &sink, &result) == BP_OK);
    CHECK(strcmp(heard.text, "You said: two words") == 0);
    CHECK(heard.pieces == 3 && result.finish == BP_FINISH_STOP && result.output_tokens == 2);
    chat.max_tokens = 1;
    CHECK(bp_llm_chat(call, testhost_peer(instance), &chat, &sink, &result) == BP_OK);
    CHECK(result.finish == BP_FINISH_LENGTH);
    sink.delta = refuse; /* a client that is gone ends the chat */
    CHECK(bp_llm_chat(call, testhost_peer(instance), &chat, &sink, &result) == BP_CANCELLED);
    chat.message_count = 0;
    CHECK(bp_llm_chat(call, testhost_peer(instance), &chat, &sink, &result) == BP_INVALID);
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}
