/* test_sentences.c - sentence.c and answer.c: where sentences end, which of them are quoted, and
 * how much of the question they cover.
 */
#include "plugins/plugin_test.h"

static const bp_llm_ops *ops;
static char              told[16384];
static bool              is_cancelled_by_sink;

static int setup(void **state)
{
    (void)state;
    is_cancelled_by_sink = false;
    return open_host(BP_PLUGIN_DIR "/llm/extractive.so");
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static void begin(const char *max_sentences, const char *min_coverage)
{
    const testhost_option options[] = { { "max_sentences", max_sentences },
                                        { "min_coverage", min_coverage } };

    start(options, 2);
    ops = testhost_ops(instance);
}

static bp_status collect(bp_call *sink_call, void *arg, const bp_delta *delta)
{
    size_t len = strlen(told);

    (void)arg;
    snprintf(told + len, sizeof(told) - len, BP_FMT "|", BP_ARG(delta->text));
    if (is_cancelled_by_sink)
        testhost_cancel(sink_call);
    return BP_OK;
}

/* The status of the call that is there, and `told`. */
static bp_status chat_with(const char *question, const bp_passage *passages, size_t count,
                           uint32_t max_tokens, bp_chat_result *result)
{
    const bp_chat_sink sink = { sizeof(sink), collect, NULL };
    bp_message         message = { .struct_size = sizeof(message),
                                   .role = BP_ROLE_USER,
                                   .text = bp_str_of(question) };
    bp_chat            chat = { .struct_size = sizeof(chat),
                                .max_tokens = max_tokens,
                                .messages = &message,
                                .message_size = sizeof(message),
                                .message_count = 1,
                                .passages = passages,
                                .passage_count = count };

    told[0] = '\0';
    return bp_llm_chat(call, testhost_peer(instance), &chat, &sink, result);
}

/* What is told, "|" behind each piece; "-" when there is no answer. */
static const char *ask_with(const char *question, const bp_passage *passages, size_t count,
                            uint32_t max_tokens)
{
    bp_chat_result result;

    next_call();
    assert_ok(chat_with(question, passages, count, max_tokens, &result));
    if (result.finish == BP_FINISH_NO_ANSWER)
        return "-";
    if (result.finish == BP_FINISH_LENGTH)
        strcat(told, "...");
    return told;
}

#define TERMS "alpha bravo charlie delta echo foxtrot golf hotel india juliet"

/* The sentences of a text, as each of them has one of the terms. */
static const char *sentences_of(const char *text)
{
    const bp_passage passage = { { "p", 1 }, { "", 0 }, bp_str_of(text), 1 };

    return ask_with(TERMS, &passage, 1, 0);
}

static const struct {
    const char *text, *told;
} texts[] = {
    { "The alpha is one. The bravo is two! Is charlie three? Yes, the delta is.",
      "The alpha is one. [1]| The bravo is two! [1]| Is charlie three? [1]| Yes, the delta is. "
      "[1]|" },
    { "The alpha, e.g. this bravo. Then Dr. Charlie came. Mr. X. Delta saw No. 5 echo etc. foxtrot",
      "The alpha, e.g. this bravo. [1]| Then Dr. Charlie came. [1]| Mr. X. Delta saw No. 5 echo "
      "etc. foxtrot [1]|" },
    { "So did I. Alpha is it. At 3.14 bravo e.g. Charlie. The U.S. Delta team. He is J. Echo of "
      "it.",
      "Alpha is it. [1]| At 3.14 bravo e.g. Charlie. [1]| The U.S. Delta team. [1]| He is J. Echo "
      "of it. [1]|" },
    { "Alpha \"is quoted.\" Bravo (so is this.) Charlie [1.] Delta 'x'. Echo is it.",
      "Alpha \"is quoted.\" [1]| Bravo (so is this.) [1]| Charlie [1.] [1]| Delta 'x'. [1]| Echo "
      "is it. [1]|" },
    { "Alpha is \xe2\x80\x9cgood.\xe2\x80\x9d Bravo is \xe2\x80\x98"
      "bad.\xe2\x80\x99 Charlie.",
      "Alpha is “good.” [1]| Bravo is ‘bad.’ [1]| Charlie. [1]|" },
    { "Alpha\xe3\x80\x82"
      "bravo is two\xef\xbc\x81"
      "charlie is it\xef\xbc\x9f"
      "delta",
      "Alpha。 [1]| bravo is two！ [1]| charlie is it？ [1]| delta [1]|" },
    { "The alpha v1.2 is here. the bravo goes on. Charlie.x is. Delta",
      "The alpha v1.2 is here. the bravo goes on. [1]| Charlie.x is. [1]| Delta [1]|" },
    { "Alpha one\nbravo goes on\n\nCharlie is a new one\n\n\nDelta",
      "Alpha one bravo goes on [1]| Charlie is a new one [1]| Delta [1]|" },
    { "- alpha item\n- bravo item\n* charlie item\n+ delta item\n\xe2\x80\xa2 echo item\n1. "
      "foxtrot\n"
      "22) golf\n333. hotel is it\n4444. india is none\n-juliet is none",
      "- alpha item [1]|\n"
      "- bravo item [1]|\n"
      "- charlie item [1]|\n"
      "- delta item [1]|\n"
      "- echo item [1]|\n"
      "- foxtrot [1]|\n"
      "- golf [1]|\n"
      "- hotel is it [1]| 4444. india is none -juliet is none [1]|" },
    { "Prose alpha\n- bravo item one\nprose charlie goes on\n# Heading delta\necho prose\n| "
      "foxtrot | "
      "x |\n|---|:-:|\n| golf | y |\nhotel\n```\nindia = 1;\n\njuliet();\n```\n",
      "Prose alpha [1]|\n"
      "- bravo item one [1]| prose charlie goes on [1]| echo prose [1]|\n"
      "- | foxtrot | x | [1]|\n"
      "- | golf | y | [1]| hotel [1]|\n"
      "`india = 1;` [1]|\n"
      "`juliet();` [1]|" },
    { "```c\nalpha();\n  bravo();\n~~~\nCharlie is prose. Delta is, too.\n",
      "`alpha();` [1]|\n"
      "`bravo();` [1]| Charlie is prose. [1]| Delta is, too. [1]|" },
    { "~~~\nalpha\n```\n## Bravo ##\n#Charlie\ndelta is it\n#\n# \n-\n- \n1.\necho",
      "`alpha` [1]| delta is it [1]| 1. echo [1]|" },
    { "  alpha is one.   bravo no. \t Charlie is it. \r\n Delta\r\n\r\nEcho",
      "alpha is one. bravo no. Charlie is it. [1]| Delta [1]| Echo [1]|" },
    { "Alpha is one.. Bravo is two!? Charlie is three?!) Delta...",
      "Alpha is one.. [1]| Bravo is two!? [1]| Charlie is three?!) [1]| Delta... [1]|" },
    { "Alpha costs approx. five. Bravo Inc. Charlie vs. Delta. Figs. Echo and pp. Foxtrot, sept. "
      "Golf",
      "Alpha costs approx. five. [1]| Bravo Inc. Charlie vs. Delta. [1]| Figs. Echo and pp. "
      "Foxtrot, sept. Golf [1]|" },
    { "Alphabeticallylong. Bravo abcdefghijkl. Charlie abcdefghijklm. Delta z.B. Echo",
      "Bravo abcdefghijkl. [1]| Charlie abcdefghijklm. [1]| Delta z.B. Echo [1]|" },
    { "alpha \xc3\xa4. Bravo \xc3\x84. Charlie 5. Delta",
      "alpha ä. [1]| Bravo Ä. [1]| Charlie 5. [1]| Delta [1]|" },
    { "1234. alpha is it\n12. bravo\n12) charlie\n12 delta\n12.echo\n. foxtrot\n1.\tgolf",
      "1234. alpha is it [1]|\n"
      "- bravo [1]|\n"
      "- charlie [1]| 12 delta 12.echo . foxtrot [1]|\n"
      "- golf [1]|" },
    { "|alpha|\n|-|\n|:bravo:|\n|charlie-|\n| |\ndelta | echo",
      "- |alpha| [1]|\n"
      "- |:bravo:| [1]|\n"
      "- |charlie-| [1]| delta | echo [1]|" },
    { ".", "-" },
    { "", "-" },
    { " \n ", "-" },
    { "alpha", "alpha [1]|" },
    { "alpha.", "alpha. [1]|" },
    { "\nalpha\n", "alpha [1]|" },
    { "alpha. b", "alpha. b [1]|" },
    { "alpha. B bravo", "alpha. [1]| B bravo [1]|" },
};

static void sentences_end_where_people_end_them(void **state)
{
    (void)state;
    begin("10", "0");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(sentences_of(texts[i].text), texts[i].told);
}

#define PASSAGE(title, text)                                                                       \
    {                                                                                              \
        { "p", 1 }, { title, sizeof(title) - 1 }, { text, sizeof(text) - 1 }, 1                    \
    }
static const bp_passage rooms[] = {
    PASSAGE("The cache",
            "Entries are evicted when the cache is full. A cache holds entries. It is "
            "small. Nothing else matters here. Entries that are old go first, and then "
            "those that are large."),
    PASSAGE("Configuration of storage",
            "The config file names each storage. Storage is slow. A storage keeps rows. Rows are "
            "kept in pages, and pages in files. The cache is in front."),
    PASSAGE("", "Evicting takes time. The full path of a row is its storage and its key. Key. "
                "Configured. Confirm it. Entries."),
    PASSAGE("Long",
            "This sentence about eviction has so many words that nobody wants to read it, as "
            "it goes on and on about one thing and another, about this and that, about you "
            "and me, about here and there, about now and then, until at last it comes to an "
            "end which is the full stop that stands behind these words and no others that "
            "were here before or will be here later on in this text. Evict."),
};

/* Of a question: what is told with so many sentences, and how much of it is covered, in percent. */
static const char *covered(const char *question, const char *max_sentences, size_t count)
{
    static char text[4096];
    int         low = -1, high = 101; /* it is told at low, and not at high */

    while (high - low > 1) {
        int  middle = low + (high - low) / 2;
        char least[16];

        snprintf(least, sizeof(least), "%.2f", middle / 100.0);
        begin(max_sentences, least);
        if (strcmp(ask_with(question, rooms, count, 0), "-") != 0) {
            snprintf(text, sizeof(text), "%s", told);
            low = middle;
        } else {
            high = middle;
        }
        stop();
    }
    if (low < 0)
        return "-";
    snprintf(text + strlen(text), 16, " %d", low);
    return text;
}

static const struct {
    const char *question, *max_sentences;
    size_t      count;
    const char *told;
} questions[] = {
    { "When does the cache evict entries?", "3", 3,
      "Entries are evicted when the cache is full. [1]| 100" },
    { "When does the cache evict entries?", "1", 3,
      "Entries are evicted when the cache is full. [1]| 100" },
    { "When does the cache evict entries?", "10", 4,
      "Entries are evicted when the cache is full. [1]| 100" },
    { "storage", "1", 3, "The config file names each storage. [2]| 100" },
    { "storage", "10", 3, "The config file names each storage. [2]| 100" },
    { "Which storage keeps rows in pages?", "3", 3,
      "A storage keeps rows. [2]| Rows are kept in pages, and pages in files. [2]| 100" },
    { "configuration", "3", 3, "The config file names each storage. [2]| 100" },
    { "configure the key", "3", 3,
      "The config file names each storage. [2]| The full path of a row is its storage and its key. "
      "[3]| 100" },
    { "conf", "3", 3, "The config file names each storage. [2]| 100" },
    { "quasar", "3", 3, "-" },
    { "quasar storage", "2", 3, "The config file names each storage. [2]| 50" },
    { "evict", "1", 4, "Entries are evicted when the cache is full. [1]| 100" },
    { "evict", "10", 4, "Entries are evicted when the cache is full. [1]| 100" },
    { "eviction full path key", "3", 4,
      "Entries are evicted when the cache is full. [1]| The full path of a row is its storage and "
      "its key. [3]| 100" },
    { "cache cache cache", "3", 1, "Entries are evicted when the cache is full. [1]| 100" },
    { "rows pages files storage config", "2", 2,
      "The config file names each storage. [2]| Rows are kept in pages, and pages in files. [2]| "
      "100" },
    { "entries", "2", 3, "Entries are evicted when the cache is full. [1]| 100" },
    { "key", "3", 3, "The full path of a row is its storage and its key. [3]| 100" },
    { "old large entries", "1", 1,
      "Entries that are old go first, and then those that are large. [1]| 100" },
    { "The what and how", "3", 3, "The full path of a row is its storage and its key. [3]| 50" },
    { "confirm configuration", "5", 3,
      "The config file names each storage. [2]| Confirm it. [3]| 100" },
    { "time", "1", 3, "Evicting takes time. [3]| 100" },
    { "row", "10", 3, "A storage keeps rows. [2]| 100" },
    { "entry", "1", 3, "Entries are evicted when the cache is full. [1]| 100" },
    { "evicted evicts", "4", 3, "Entries are evicted when the cache is full. [1]| 100" },
    { "cache entries storage rows pages", "1", 3,
      "Rows are kept in pages, and pages in files. [2]| 56" },
    { "cache entries storage rows pages", "2", 3,
      "Entries are evicted when the cache is full. [1]| Rows are kept in pages, and pages in "
      "files. [2]| 91" },
    { "cache entries quasar rows pulsar", "1", 3,
      "Entries are evicted when the cache is full. [1]| 38" },
    { "cache entries quasar rows pulsar", "2", 4,
      "Entries are evicted when the cache is full. [1]| A storage keeps rows. [2]| 60" },
    { "config storage key path", "1", 3,
      "The full path of a row is its storage and its key. [3]| 74" },
    { "config storage key path evict time", "2", 4,
      "The config file names each storage. [2]| The full path of a row is its storage and its key. "
      "[3]| 66" },
    { "old large entries nothing matters", "1", 1,
      "Entries that are old go first, and then those that are large. [1]| 54" },
    { "old large entries nothing matters", "2", 1,
      "Nothing else matters here. [1]| Entries that are old go first, and then those that are "
      "large. [1]| 100" },
    { "small time full quasar", "1", 3, "Entries are evicted when the cache is full. [1]| 21" },
    { "small time full quasar", "2", 3,
      "Entries are evicted when the cache is full. [1]| It is small. [1]| 48" },
    { "configuration quasar", "1", 2, "The config file names each storage. [2]| 50" },
    { "rows key path conf quasar", "1", 3,
      "The full path of a row is its storage and its key. [3]| 56" },
    { "confirmation key quasar nebula pulsar", "1", 3,
      "The full path of a row is its storage and its key. [3]| 17" },
    { "front files cache large", "1", 2, "The cache is in front. [2]| 47" },
    { "front files cache large", "3", 2,
      "Entries that are old go first, and then those that are large. [1]| The config file names "
      "each storage. [2]| The cache is in front. [2]| 100" },
    { "eviction words text quasar", "1", 4,
      "This sentence about eviction has so many words that nobody wants to read it, as it goes on "
      "and on about one thing and another, about this and that, about you and me, about here and "
      "there, about now and then, until at last it comes to an end which is the full stop that "
      "stands behind these words and no others that were here before or will be here later on in "
      "this text. [4]| 75" },
    { "entries entry cache caches cached", "1", 3,
      "Entries are evicted when the cache is full. [1]| 100" },
    { "small nothing", "10", 1, "It is small. [1]| Nothing else matters here. [1]| 100" },
    { "the cache is it", "1", 2, "Entries are evicted when the cache is full. [1]| 100" },
    { "storages stores stored", "1", 2, "The config file names each storage. [2]| 100" },
    { "pages page paging", "1", 2, "Rows are kept in pages, and pages in files. [2]| 100" },
    { "full cache key row", "10", 4,
      "Entries are evicted when the cache is full. [1]| The full path of a row is its storage and "
      "its key. [3]| 100" },
};

static void what_covers_most_is_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        assert_string_equal(covered(questions[i].question, questions[i].max_sentences,
                                    questions[i].count),
                            questions[i].told);
}

static void an_answer_has_a_length(void **state)
{
    (void)state;
    begin("3", "0");
    assert_string_equal(ask_with("cache storage path", rooms, 3, 0),
                        "The cache is in front. [2]| The full path of a row is its storage and its "
                        "key. [3]|");
    assert_string_equal(ask_with("cache storage path", rooms, 3, 1), "...");
    for (uint32_t most = 8; most < 40; most++) { // the first piece fits in so many tokens
        const char *all = ask_with("cache storage path", rooms, 3, most);

        if (strcmp(all, "...") != 0) {
            snprintf(told, sizeof(told), "%u %zu", most, strcspn(all, "|"));
            break;
        }
    }
    assert_string_equal(told, "8 26");
}

static void a_question_is_freed_from_what_stands_around_it(void **state)
{
    (void)state;
    begin("1", "0");
    assert_string_equal(ask_with("Answer with the path of a key.\nQuestion: evict", rooms, 3, 0),
                        "Entries are evicted when the cache is full. [1]|");
    assert_string_equal(ask_with("Question: evict\nQUESTION:storage rows", rooms, 3, 0),
                        "A storage keeps rows. [2]|");
    assert_string_equal(ask_with("My Question: evict question: rows pages files", rooms, 3, 0),
                        "Rows are kept in pages, and pages in files. [2]|");
    assert_string_equal(ask_with("question:", rooms, 3, 0), "-");
    assert_string_equal(ask_with("question: rows", rooms, 3, 0), "A storage keeps rows. [2]|");
    assert_string_equal(ask_with("The config file names each storage. Storage is slow. A storage "
                                 "keeps rows. Rows are "
                                 "kept in pages, and pages in files. The cache is in front. "
                                 "evicting",
                                 rooms, 3, 0),
                        "Entries are evicted when the cache is full. [1]|");
    assert_string_equal(ask_with("what is it", rooms, 3, 0), "It is small. [1]|");
    assert_string_equal(ask_with("", rooms, 3, 0), "-");
    assert_string_equal(ask_with("evict", rooms, 0, 0), "-");
}

static void less_memory_is_no_other_answer(void **state)
{
    static const char all[] = "Entries are evicted when the cache is full. [1]| The full path of "
                              "a row is its storage and its key. [3]|";
    static const char question[] = "eviction rows full path";

    (void)state;
    begin("3", "0");
    assert_string_equal(ask_with(question, rooms, 3, 0), all);
    for (size_t most = 0, whole_ones = 0; whole_ones < 3; most += 16) {
        bp_chat_result result;
        bp_status      status;

        next_call();
        testhost_call_memory(call, most);
        status = chat_with(question, rooms, 3, 0, &result);
        testhost_call_memory(call, SIZE_MAX);
        whole_ones += status == BP_OK;
        if (status != BP_NO_MEMORY)
            assert_ok(status);
        if (status == BP_OK && strcmp(told, all) != 0)
            fail_msg("%zu bytes: %s", most, told);
    }
}

static void an_answer_for_which_nobody_waits_is_given_up(void **state)
{
    bp_chat_result result;

    (void)state;
    begin("3", "0");
    next_call();
    testhost_cancel(call);
    assert_status(chat_with("cache storage path", rooms, 3, 0, &result), BP_CANCELLED);
    assert_said("the answer was given up: the caller no longer waits for the answer");
    assert_string_equal(told, "");
    next_call();
    is_cancelled_by_sink = true;
    assert_status(chat_with("cache storage path", rooms, 3, 0, &result), BP_CANCELLED);
    assert_said("the answer was given up: the caller no longer waits for the answer");
    assert_string_equal(told, "The cache is in front. [2]|");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sentences_end_where_people_end_them),
        TEST(what_covers_most_is_quoted),
        TEST(an_answer_has_a_length),
        TEST(a_question_is_freed_from_what_stands_around_it),
        TEST(less_memory_is_no_other_answer),
        TEST(an_answer_for_which_nobody_waits_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
