/* test_eval.c - commands_eval.c: the figures of an evaluation, by hits that are known, and what the
 * two files may have.
 */
#include "plugins/app_retrieval/commands_rig.h"
#include "plugins/app_retrieval/retrieval_test.h"

/* "docs" with the documents d1 to d`count`, which each search finds in this order. */
static void begin(int count)
{
    char text[64];

    START({ "verify", "0" });
    make_collection("docs");
    for (int i = 1; i <= count; i++) {
        snprintf(text, sizeof(text), "{\"id\":\"d%d\",\"text\":\"T%d.\"}", i, i);
        put(text);
        store.by_words[i - 1] = (bp_hit){ .id = (uint64_t)i, .score = 1000 - i };
    }
    store.words_count = (uint32_t)count;
}

static testhost_command_reply evaluated(const char *queries, const char *qrels)
{
    testhost_file files[] = { { "q.jsonl", bp_str_of(queries), "queries" },
                              { "r.tsv", bp_str_of(qrels), "qrels" },
                              { NULL, { NULL, 0 }, NULL } };

    return run("eval", NULL,
               OPTIONS(IN("docs"), { "queries", "q.jsonl" }, { "qrels", "r.tsv" },
                       { "mode", "words" }),
               files);
}

/* Figures by trec_eval's rules, reckoned apart from this. */
static void figures_are_those_of_trec_eval(void **state)
{
    static const struct {
        const char *qrels, *printed;
    } cases[] = {
        { "q\td1\t1\n", "1 queries: nDCG@10 1.0000, recall@100 1.0000\n" },
        { "q\td2\t1\n", "1 queries: nDCG@10 0.6309, recall@100 1.0000\n" },
        { "q\td10\t1\n", "1 queries: nDCG@10 0.2891, recall@100 1.0000\n" },
        { "q\td11\t1\n", "1 queries: nDCG@10 0.0000, recall@100 1.0000\n" },
        { "q\td100\t1\n", "1 queries: nDCG@10 0.0000, recall@100 1.0000\n" },
        { "q\td101\t1\n", "1 queries: nDCG@10 0.0000, recall@100 0.0000\n" },
        { "q\td1\t1\nq\td2\t3\nq\td3\t0\nq\tnone\t2\n",
          "1 queries: nDCG@10 0.6075, recall@100 0.6667\n" },
        { "q\td3\t-1\nq\td4\t2\nq\td2\t1\n", "1 queries: nDCG@10 0.5672, recall@100 1.0000\n" },
        { "q\td1\t2\nq\td1\t5\n", "1 queries: nDCG@10 0.3194, recall@100 0.5000\n" },
        { "q\ta\t1\nq\tb\t1\nq\tc\t1\nq\td\t1\nq\te\t1\nq\tf\t1\nq\tg\t1\nq\th\t1\nq\ti\t1\nq\tj\t"
          "1\nq\td1\t1\nother\td2\t9\n",
          "1 queries: nDCG@10 0.2201, recall@100 0.0909\n" },
        { "q\ta\t1\nq\td1\t4\nq\tb\t2\nq\tc\t3\nq\td\t1\nq\te\t1\nq\tf\t1\nq\tg\t1\nq\th\t1\nq\ti\t"
          "1\nq\tj\t1\nq\td12\t9\n",
          "1 queries: nDCG@10 0.2521, recall@100 0.1667\n" },
    };

    (void)state;
    begin(101);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        testhost_command_reply reply = evaluated("{\"id\":\"q\",\"text\":\"x\"}", cases[i].qrels);

        assert_printed(reply, 0, cases[i].printed);
        assert_string_equal(reply.warned, "");
    }
    assert_true(strstr(trace, "search C0 limit 300 words \"x\" dimensions 0\n") != NULL);
}

static void queries_are_averaged_and_those_without_a_judgement_left_out(void **state)
{
    testhost_command_reply reply;

    (void)state;
    begin(3);
    reply = evaluated("{\"id\":\"a\",\"text\":\"x\"}\n{\"id\":\"b\",\"text\":\"y\"}\n"
                      "{\"id\":\"c\",\"text\":\"z\"}\n{\"id\":\"d\",\"text\":\"w\"}\n",
                      "a\td1\t1\nb\td2\t1\nb\tnone\t1\nc\td1\t0\nd\td3\t-2\n");
    assert_printed(reply, 0, "2 queries: nDCG@10 0.6934, recall@100 0.7500\n");
    assert_string_equal(reply.progress_what, "queries");
    assert_int_equal(reply.progress_done, 4);
    forget();
    reply = run("eval", NULL,
                OPTIONS(IN("docs"), { "queries", "q.jsonl" }, { "qrels", "r.tsv" }, { "json", "" }),
                FILES({ "q.jsonl", BP_STR("{\"id\":\"a\",\"text\":\"x\"}\n"), "queries" },
                      { "r.tsv", BP_STR("a\td1\t1"), "qrels" }));
    assert_printed(reply, 0,
                   "{\"collection\":\"docs\",\"queries\":1,\"ndcg_at_10\":1.0000,\"recall_at_100\":"
                   "1.0000}\n");
    assert_trace("embed query [x]\nsearch C0 limit 300 words \"x\" dimensions 3\n");
}

static void grades_are_whole_numbers(void **state)
{
    static const struct {
        const char *grade;
        bool        is_one, is_positive;
    } cases[] = {
        { "1", true, true },
        { "0", true, false },
        { "-1", true, false },
        { " 1", true, true },
        { "1 ", true, true },
        { "\t 1 \t", true, true },
        { "10", true, true },
        { "1\r", true, true },
        { "1\r\r", true, true },
        { "", false, false },
        { " ", false, false },
        { "-", false, false },
        { "--1", false, false },
        { "+1", false, false },
        { "1.5", false, false },
        { "x", false, false },
        { "1x", false, false },
        { "- 1", false, false },
        { "/", false, false },
        { ":", false, false },
        { "9", true, true },
        { "1 1", false, false },
        { "\r1", false, false },
        { "-0", true, false },
        { "99999999999999999999", true, true },
    };

    (void)state;
    begin(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char                   qrels[64];
        testhost_command_reply reply;

        snprintf(qrels, sizeof(qrels), "p\td1\t1\nq\td1\t%s\n", cases[i].grade);
        reply = evaluated("{\"id\":\"q\",\"text\":\"x\"}", qrels);
        if (cases[i].is_positive)
            assert_printed(reply, 0, "1 queries: nDCG@10 1.0000, recall@100 1.0000\n");
        else
            assert_printed(reply, 1, "");
        if (!cases[i].is_one)
            assert_string_equal(reply.warned, "backplane eval: r.tsv:2: not \"query TAB document "
                                              "TAB grade\"\n");
        else if (!cases[i].is_positive)
            assert_string_equal(reply.warned,
                                "backplane eval: none of the queries has a positive "
                                "judgement: do the ids of q.jsonl and r.tsv agree?\n");
    }
}

static void lines_that_are_none_are_named_with_their_number(void **state)
{
    static const struct {
        const char *queries, *qrels, *warned;
    } cases[] = {
        { "", "q", "r.tsv:1: not \"query TAB document TAB grade\"" },
        { "", "q\td1", "r.tsv:1: not \"query TAB document TAB grade\"" },
        { "", "\td1\t1", "r.tsv:1: not \"query TAB document TAB grade\"" },
        { "", "q\t\t1", "r.tsv:1: not \"query TAB document TAB grade\"" },
        { "", "q\td1\t1\n\n", "r.tsv:2: not \"query TAB document TAB grade\"" },
        { "", "q\td1\t1\nq\td1\t1\nq\n", "r.tsv:3: not \"query TAB document TAB grade\"" },
        { "{\"id\":\"q\",\"text\":\"x\"}\n{", "q\td1\t1",
          "q.jsonl:2: this is not JSON that can be read: string or '}' expected near end of file, "
          "at byte 1" },
    };

    (void)state;
    begin(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        testhost_command_reply reply = evaluated(cases[i].queries, cases[i].qrels);

        assert_printed(reply, 1, "");
        assert_string_equal(reply.warned,
                            bp_format(call, "backplane eval: %s\n", cases[i].warned).data);
        assert_int_equal(reply.status, BP_OK);
    }
}

static void what_fails_is_no_figure(void **state)
{
    testhost_command_reply reply;

    (void)state;
    begin(1);
    fail_with(SEARCH, BP_IO);
    reply = evaluated("{\"id\":\"q\",\"text\":\"x\"}", "q\td1\t1");
    assert_int_equal(reply.status, BP_IO);
    assert_printed(reply, 1, "");
    fail_with(SEARCH, BP_OK);
    reply = run("eval", NULL,
                OPTIONS(IN("docs"), { "queries", "q.jsonl" }, { "qrels", "r.tsv" },
                        { "mode", "odd" }),
                FILES({ "q.jsonl", BP_STR("{}"), "queries" }, { "r.tsv", BP_STR(""), "qrels" }));
    assert_int_equal(reply.status, BP_INVALID);
    assert_string_equal(bp_error_of(call)->message.data,
                        "\"mode\" is \"hybrid\", \"words\" or \"vector\"");
    reply = run("eval", NULL, OPTIONS(IN("none"), { "queries", "q.jsonl" }, { "qrels", "r.tsv" }),
                FILES({ "q.jsonl", BP_STR("{\"id\":\"q\",\"text\":\"x\"}"), "queries" },
                      { "r.tsv", BP_STR("q\td\t1"), "qrels" }));
    assert_int_equal(reply.status, BP_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(figures_are_those_of_trec_eval),
        TEST(queries_are_averaged_and_those_without_a_judgement_left_out),
        TEST(grades_are_whole_numbers),
        TEST(lines_that_are_none_are_named_with_their_number),
        TEST(what_fails_is_no_figure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
