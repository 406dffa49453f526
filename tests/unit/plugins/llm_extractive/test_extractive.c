/* test_extractive.c - the provider without a model: what it quotes, in which order, with which
 * marks, and when it says that there is no answer. */
#include "plugins/plugin_test.h"

static const bp_llm_ops *ops;
static char              told[8192];
static size_t            deltas;

static int setup(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/llm/extractive.so") != 0)
        return -1;
    start(NULL, 0);
    ops = testhost_ops(instance);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static bp_status collect(bp_call *sink_call, void *arg, const bp_delta *delta)
{
    size_t len = strlen(told);
    (void)sink_call;
    (void)arg;
    assert_int_equal(delta->type, BP_DELTA_TEXT);
    snprintf(told + len, sizeof(told) - len, BP_FMT, BP_ARG(delta->text));
    deltas++;
    return BP_OK;
}

static bp_status chat_of(bp_chat *chat, const char *question, const bp_passage *passages,
                         size_t count, bp_chat_result *result)
{
    static bp_message  messages[2];
    const bp_chat_sink sink = { sizeof(sink), collect, NULL };

    messages[0] = (bp_message){ .struct_size = sizeof(bp_message),
                                .role = BP_ROLE_SYSTEM,
                                .text = BP_STR("Be brief.") };
    messages[1] = (bp_message){ .struct_size = sizeof(bp_message),
                                .role = BP_ROLE_USER,
                                .text = bp_str_of(question) };
    chat->struct_size = sizeof(*chat);
    chat->messages = messages;
    chat->message_size = sizeof(bp_message);
    chat->message_count = 2;
    chat->passages = passages;
    chat->passage_count = count;
    told[0] = '\0';
    deltas = 0;
    return bp_llm_chat(call, testhost_peer(instance), chat, &sink, result);
}

static bp_finish ask(const char *question, const bp_passage *passages, size_t count)
{
    bp_chat        chat = { .temperature = -1 };
    bp_chat_result result;
    assert_ok(chat_of(&chat, question, passages, count, &result));
    assert_true(bp_str_is(result.model, "extractive"));
    return (bp_finish)result.finish;
}

static const bp_passage passages[] = {
    { { "p1", 2 },
      { "Rate limits", sizeof("Rate limits") - 1 },
      BP_STR("Every key has a rate limit. A client that exceeds it receives status 429 with a "
             "Retry-After header. The header "
             "gives the number of seconds to wait, e.g. 30. Clients should not retry earlier."),
      1 },
    { { "p2", 2 },
      { "Backups", sizeof("Backups") - 1 },
      BP_STR("# Backups\n\nBackups are made every night at 02:00 by Dr. Backup, our script.\nThey "
             "are kept for 14 days.\n\n"
             "- The target directory is /var/backups\n- Restores need the --force "
             "option\n\n```\nbackplane restore --from "
             "latest --force\n```\n"),
      1 },
    { { "p3", 2 },
      { "Colours", sizeof("Colours") - 1 },
      BP_STR("Bananas are yellow. Apples are red or green."),
      1 },
};

static void an_answer_is_a_sentence_with_the_mark_of_its_passage(void **state)
{
    (void)state;
    assert_int_equal(ask("What colour are bananas?", passages, 3), BP_FINISH_STOP);
    assert_string_equal(told, "Bananas are yellow. [3]");
    assert_int_equal(ask("Which status does a client that exceeds its limit receive?", passages, 3),
                     BP_FINISH_STOP);
    assert_non_null(strstr(told, "A client that exceeds it receives status 429 with a Retry-After "
                                 "header. [1]"));
    assert_int_equal(ask("How long are backups kept?", passages, 3), BP_FINISH_STOP);
    assert_non_null(strstr(told, "They are kept for 14 days. [2]"));
    assert_non_null(strstr((ask("where is the target directory of backups", passages, 3), told),
                           "- The target directory is /var/backups [2]"));
    (void)ask("Which command line starts a restore from latest?", passages, 3);
    assert_non_null(strstr(told, "`backplane restore --from latest --force` [2]"));
}

static void sentences_stand_in_reading_order_and_come_one_by_one(void **state)
{
    const char *first, *second;
    (void)state;
    assert_int_equal(ask("Are apples red, and when are backups made, and what gives the seconds to "
                         "wait?",
                         passages, 3),
                     BP_FINISH_STOP);
    assert_int_equal(deltas, 3);
    first = strstr(told, "[1]");
    second = strstr(told, "[2]");
    assert_true(first && second && strstr(told, "[3]"));
    assert_true(first < second && second < strstr(told, "[3]"));
    /* "e.g." and "Dr." end no sentence. */
    assert_non_null(strstr(told, "seconds to wait, e.g. 30. [1]"));
    assert_non_null(strstr(told, "by Dr. Backup, our script. [2]"));
}

static void without_an_answer_it_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask("Who won the football championship in Brazil?", passages, 3),
                     BP_FINISH_NO_ANSWER);
    assert_string_equal(told, "");
    assert_int_equal(ask("What colour are bananas?", NULL, 0), BP_FINISH_NO_ANSWER);
    assert_int_equal(ask("", passages, 3), BP_FINISH_NO_ANSWER);
    assert_int_equal(ask("?!", passages, 3), BP_FINISH_NO_ANSWER);
    /* One shared word of many is not enough. */
    assert_int_equal(ask("Do purple elephants headquartered in Norway exceed yellow giraffes "
                         "financially?",
                         passages, 3),
                     BP_FINISH_NO_ANSWER);
}

static void a_passage_in_the_message_is_not_part_of_the_question(void **state)
{
    bp_str message = bp_format(call,
                               "Use these passages:\n" BP_FMT "\n" BP_FMT "\n" BP_FMT
                               "\n\nQuestion: what colour are bananas?",
                               BP_ARG(passages[0].text), BP_ARG(passages[1].text),
                               BP_ARG(passages[2].text));
    (void)state;
    assert_int_equal(ask(message.data, passages, 3), BP_FINISH_STOP);
    assert_string_equal(told, "Bananas are yellow. [3]");
}

static void the_most_telling_passage_wins_over_repetition(void **state)
{
    const bp_passage list[] = {
        { BP_STR("a"), BP_STR(""),
          BP_STR("The server is a server. The server serves. A server has a server name."), 1 },
        { BP_STR("b"), BP_STR("Ports"),
          BP_STR("By default the server listens on port 8080. Redis uses 6379."), 1 },
    };
    (void)state;
    assert_int_equal(ask("On which port does the server listen?", list, 2), BP_FINISH_STOP);
    assert_int_equal(strncmp(told, "By default the server listens on port 8080. [2]", 47), 0);
}

static void a_length_limit_ends_behind_a_whole_sentence(void **state)
{
    bp_chat        chat = { .temperature = -1, .max_tokens = 25 };
    bp_chat_result result;
    (void)state;
    assert_ok(
        chat_of(&chat,
                "Are apples red, and when are backups made, and what gives the seconds to wait?",
                passages, 3, &result));
    assert_int_equal(result.finish, BP_FINISH_LENGTH);
    assert_true(strlen(told) <= 100);
    assert_true(deltas < 3);
}

static void what_it_cannot_do_is_refused(void **state)
{
    bp_chat         chat = { .response_schema = BP_STR("{}") };
    bp_chat         empty = { .struct_size = sizeof(empty) };
    bp_chat_result  result = { .struct_size = sizeof(result) };
    const bp_model *models;
    size_t          model_size, count;
    (void)state;
    assert_status(chat_of(&chat, "x", passages, 3, &result), BP_INVALID);
    assert_said("schema");
    assert_status(ops->chat(call, testhost_self(instance), &empty, NULL, &result), BP_INVALID);
    assert_ok(ops->models(call, testhost_self(instance), &models, &model_size, &count));
    assert_int_equal(count, 1);
    assert_true(bp_str_is(models[0].id, "extractive"));
}

static bp_status refuse(bp_call *sink_call, void *arg, const bp_delta *delta)
{
    (void)arg;
    (void)delta;
    return bp_fail(sink_call, BP_CANCELLED, "the client has gone");
}

static void a_sink_that_fails_ends_the_chat_with_its_status(void **state)
{
    const bp_chat_sink sink = { sizeof(sink), refuse, NULL };
    const bp_message   message = { .struct_size = sizeof(message),
                                   .role = BP_ROLE_USER,
                                   .text = BP_STR("What colour are bananas?") };
    const bp_chat      chat = { .struct_size = sizeof(chat),
                                .messages = &message,
                                .message_size = sizeof(message),
                                .message_count = 1,
                                .passages = passages,
                                .passage_count = 3 };
    bp_chat_result     result;
    (void)state;
    assert_status(bp_llm_chat(call, testhost_peer(instance), &chat, &sink, &result), BP_CANCELLED);
}

static void many_long_passages_are_read_on_a_thread(void **state)
{
    bp_passage *many = BP_NEW_ARRAY(call, bp_passage, 60);
    bp_buf     *text = bp_buf_new(call, 1 << 20);
    (void)state;
    testhost_offload_on_threads(host, true);
    for (int i = 0; i < 200; i++)
        bp_buf_addf(text, "Filler sentence number %d says nothing of interest. ", i);
    for (int i = 0; i < 60; i++)
        many[i] = (bp_passage){ BP_STR("x"), BP_STR("Filler"), bp_buf_str(text), 1 };
    many[7].text = BP_STR(
        "The lighthouse keeper is called Emma. "
        "\xe7\x81\xaf\xe5\x8f\xb0\xe3\x80\x82\xe5\xae\x88\xe4\xba\xba\xe3\x80\x82");
    assert_int_equal(ask("Who is the lighthouse keeper?", many, 60), BP_FINISH_STOP);
    assert_string_equal(told, "The lighthouse keeper is called Emma. [8]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_a_sentence_with_the_mark_of_its_passage),
        TEST(sentences_stand_in_reading_order_and_come_one_by_one),
        TEST(without_an_answer_it_says_nothing),
        TEST(a_passage_in_the_message_is_not_part_of_the_question),
        TEST(the_most_telling_passage_wins_over_repetition),
        TEST(a_length_limit_ends_behind_a_whole_sentence),
        TEST(what_it_cannot_do_is_refused),
        TEST(a_sink_that_fails_ends_the_chat_with_its_status),
        TEST(many_long_passages_are_read_on_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
