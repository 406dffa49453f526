/* test_figures.c - commands_*.c over faked hits: nDCG and recall against judgements, how hits are
 * printed, which files are taken, and what the upkeep commands say of several collections.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#define OPTIONS(...)                                                                               \
    (testhost_option[])                                                                            \
    {                                                                                              \
        { "collection", "docs" }, __VA_ARGS__,                                                     \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/* "exit 1 of status, printed, warned, progress" of a command. Options are ended by NULL. */
static const char *run(const char *name, const char *word, const testhost_option *options,
                       const testhost_file *files, size_t file_count)
{
    testhost_command       typed = { .name = name,
                                     .words = &word,
                                     .word_count = word != NULL,
                                     .options = options,
                                     .files = files,
                                     .file_count = file_count };
    testhost_command_reply reply;

    while (options && options[typed.option_count].name)
        typed.option_count++;
    app_call();
    reply = testhost_run_command(call, instance, &typed);
    return bp_format(call, "%d %s|%s|%s|%s %lld/%lld", reply.exit_status,
                     bp_status_label(reply.status), reply.printed, reply.warned,
                     reply.progress_what ? reply.progress_what : "", (long long)reply.progress_done,
                     (long long)reply.progress_total)
        .data;
}

/* Documents "d1" to "d12", found in this order: passage 1 first. */
static void begin(void)
{
    char   body[2048];
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"documents\":[");

    START({ "candidates", "200" });
    make_collection("docs");
    for (uint32_t i = 0; i < 12; i++) {
        len += (size_t)snprintf(body + len, sizeof(body) - len,
                                "%s{\"id\":\"d%u\",\"text\":\"Text %u.\"}", i ? "," : "", i + 1,
                                i + 1);
        store.by_words[i] = (bp_hit){ i + 1, 50 - i };
    }
    store.words_count = 12;
    snprintf(body + len, sizeof(body) - len, "]}");
    put(body);
    forget();
}

static const char *evaluate(const char *queries, const char *judgements,
                            const testhost_option *options)
{
    const testhost_file files[] = { { "q.jsonl", bp_str_of(queries), "queries" },
                                    { "r.tsv", bp_str_of(judgements), "qrels" } };

    return run("eval", NULL, options, files, 2);
}

#define EVAL(queries, judgements, ...)                                                             \
    evaluate(queries, judgements,                                                                  \
             OPTIONS({ "queries", "q.jsonl" }, { "qrels", "r.tsv" }, { "mode", "words" },          \
                     __VA_ARGS__))
#define ONE "{\"id\":\"1\",\"text\":\"q\"}\n"
#define PLAIN                                                                                      \
    {                                                                                              \
        "x", ""                                                                                    \
    }
#define JSON                                                                                       \
    {                                                                                              \
        "json", ""                                                                                 \
    }

static void ranks_are_weighed_by_grade(void **state)
{
    (void)state;
    begin();
    assert_string_equal(EVAL(ONE, "1\td1\t1\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 1.0000, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td2\t1\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 0.6309, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td10\t1\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 0.2891, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td11\t1\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 0.0000, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td3\t1\n1\td2\t3\n1\tzz\t2\n1\td1\t0\n1\td4\t-2\n", JSON),
                        "0 "
                        "ok|{\"collection\":\"docs\",\"queries\":1,\"ndcg_at_10\":0.5025,\"recall_"
                        "at_100\":0.6667}\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE "{\"id\":\"2\",\"text\":\"q\"}\n{\"id\":\"3\",\"text\":\"q\"}\n",
                             "1\td1\t1\n2\td2\t1\n2\td5\t2\n", PLAIN),
                        "0 ok|2 queries: nDCG@10 0.7669, recall@100 1.0000\n"
                        "||queries 3/0");
    assert_string_equal(EVAL(ONE,
                             "1\td1\t1\n1\td2\t1\n1\td3\t1\n1\td4\t1\n1\td5\t1\n1\td6\t1\n1\td7\t1"
                             "\n"
                             "1\td8\t1\n1\td9\t1\n1\td10\t1\n1\td11\t2\n1\td12\t1\n1\tno\t1\n",
                             PLAIN),
                        "0 ok|1 queries: nDCG@10 0.8196, recall@100 0.9231\n"
                        "||queries 1/0");
    assert_trace("search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n"
                 "search C0 limit 300 words \"q\" dimensions 0\n");
}

static void judgements_are_lines_of_three(void **state)
{
    static const char *const wrong[] = { "1\td1\t",    "1\td1",     "1\t\t1",   "\td1\t1",
                                         "1\td1\tx",   "1\td1\t1x", "1\td1\t-", "1\td1\t--1",
                                         "1\td1\t1 1", "\n",        "1\td1\t/", "1\td1\t:" };

    (void)state;
    begin();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_string_equal(EVAL(ONE, wrong[i], PLAIN), "1 ok||backplane eval: r.tsv:1: not "
                                                        "\"query TAB document TAB grade\"\n| 0/0");
    assert_string_equal(EVAL(ONE, "1\td1\t1\n1\td2\tx\n", PLAIN),
                        "1 ok||backplane eval: r.tsv:2: not \"query TAB document TAB grade\"\n"
                        "| 0/0");
    assert_string_equal(EVAL(ONE, "1\td1\t \t 1 \t \r\r\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 1.0000, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td1\t1\n1\td2\t134217727\n1\td3\t134217728\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 0.6934, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td2\t9\n1\td1\t10\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 1.0000, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td2\t99999999999\n1\td1\t9\n", PLAIN),
                        "0 ok|1 queries: nDCG@10 0.6309, recall@100 1.0000\n"
                        "||queries 1/0");
    assert_string_equal(EVAL(ONE, "", PLAIN),
                        "1 ok||backplane eval: none of the queries has a positive judgement: do "
                        "the ids of q.jsonl and r.tsv agree?\n"
                        "|queries 1/0");
    assert_string_equal(EVAL(ONE, "1\td1\t0\n", PLAIN),
                        "1 ok||backplane eval: none of the queries has a positive judgement: do "
                        "the ids of q.jsonl and r.tsv agree?\n"
                        "|queries 1/0");
    assert_string_equal(EVAL("", "1\td1\t1\n", PLAIN),
                        "1 ok||backplane eval: none of the queries has a positive judgement: do "
                        "the ids of q.jsonl and r.tsv agree?\n"
                        "| 0/0");
    assert_string_equal(EVAL(ONE "\nx\n" ONE, "1\td1\t1\n", PLAIN),
                        "1 ok||backplane eval: q.jsonl:2: this is not JSON that can be read: "
                        "unexpected token near end of file, at byte 0\n"
                        "|queries 2/0");
    assert_string_equal(EVAL("{\"id\":\"1\",\"text\":\"\"}\n", "1\td1\t1\n", PLAIN),
                        "1 invalid||| 0/0");
    assert_string_equal(evaluate(ONE, "1\td1\t1\n",
                                 OPTIONS({ "queries", "q" }, { "qrels", "r" }, { "mode", "fast" })),
                        "1 invalid||| 0/0");
    assert_string_equal(evaluate(ONE, "1\td1\t1\n", OPTIONS({ "queries", "q" }, { "qrels", "r" })),
                        "0 ok|1 queries: nDCG@10 1.0000, recall@100 1.0000\n"
                        "||queries 1/0");
    fail_with(SEARCH, BP_IO);
    assert_string_equal(EVAL(ONE, "1\td1\t1\n", PLAIN), "1 io||| 0/0");
}

static void hits_are_printed(void **state)
{
    static char body[2048];

    (void)state;
    begin();
    snprintf(body, sizeof(body),
             "{\"id\":\"long\",\"title\":\"T\",\"format\":\"markdown\",\"text\":\"# "
             "H\\n\\na\\nb\\r\\n%0238d\"}",
             0);
    put(body);
    snprintf(body, sizeof(body), "{\"id\":\"exact\",\"text\":\"%0240d\"}", 0);
    put(body);
    snprintf(body, sizeof(body), "{\"id\":\"more\",\"text\":\"%0239d\xe2\x82\xac\"}", 0);
    put(body);
    snprintf(body, sizeof(body), "{\"id\":\"over\",\"text\":\"%0239d\xe2\x82\xacx\"}", 0);
    put(body);
    for (uint32_t i = 0; i < 4; i++)
        store.by_words[i] = (bp_hit){ 13 + i, 50 - i };
    assert_string_equal(
        run("search", "q", OPTIONS({ "limit", "12" }), NULL, 0),
        "0 ok| 1. 0.5000  long  T  > H\n"
        "    a b  "
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000 ...\n"
        " 2. 0.4545  exact\n"
        "    "
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000\n"
        " 3. 0.4091  more\n"
        "    "
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000€\n"
        " 4. 0.3636  over\n"
        "    "
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000€ ...\n"
        " 5. 0.3182  d5\n"
        "    Text 5.\n"
        " 6. 0.2727  d6\n"
        "    Text 6.\n"
        " 7. 0.2273  d7\n"
        "    Text 7.\n"
        " 8. 0.1818  d8\n"
        "    Text 8.\n"
        " 9. 0.1364  d9\n"
        "    Text 9.\n"
        "10. 0.0909  d10\n"
        "    Text 10.\n"
        "11. 0.0455  d11\n"
        "    Text 11.\n"
        "12. 0.0000  d12\n"
        "    Text 12.\n"
        "|| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "1" }, { "json", "" }), NULL, 0),
                        "0 "
                        "ok|{\"collection\":\"docs\",\"query\":\"q\",\"count\":1,\"hits\":[{"
                        "\"chunk\":13,\"document\":\"long\",\"title\":\"T\",\"source\":\"\","
                        "\"heading\":\"H\",\"score\":0.5,\"start\":5,\"end\":248,\"text\":"
                        "\"a\\nb\\r\\n0000000000000000000000000000000000000000000000000000000000000"
                        "00000000000000000000000000000000000000000000000000000000000000000000000000"
                        "00000000000000000000000000000000000000000000000000000000000000000000000000"
                        "00000000000000000000000000000\",\"legs\":{\"words\":50}}],\"explain\":{"
                        "\"words\":\"exact\",\"vector\":\"graph\",\"words_weight\":0.5,\"rows_"
                        "read\":107,\"took_ms\":0}}\n"
                        "|| 0/0");
}

static void a_limit_is_a_number(void **state)
{
    (void)state;
    begin();
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "0" }), NULL, 0), "1 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "-1" }), NULL, 0),
                        "1 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "99999999999" }), NULL, 0),
                        "1 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "" }), NULL, 0), "2 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "+1" }), NULL, 0),
                        "2 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", " 1" }), NULL, 0),
                        "2 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "1 " }), NULL, 0),
                        "2 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", ":" }), NULL, 0), "2 invalid||| 0/0");
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "9" }), NULL, 0) ? "" : "x", "");
    store.words_count = 0;
    assert_string_equal(run("search", "q", OPTIONS({ "limit", "9" }), NULL, 0),
                        "0 ok|no hits\n|| 0/0");
}

static void files_are_taken_by_their_endings(void **state)
{
    const testhost_file files[] = {
        { "a.MD", BP_STR("# A\n\na"), NULL },
        { "b.markdown", BP_STR("b"), NULL },
        { "c.txt", BP_STR("c"), NULL },
        { "d.text", BP_STR("d"), NULL },
        { "e.rst", BP_STR("e"), NULL },
        { "f.NDJSON", BP_STR("{\"id\":\"f\",\"text\":\"f\"}"), NULL },
        { ".md", BP_STR("g"), NULL },
        { "h.txt", BP_STR("\xff"), NULL },
        { "i.txt", BP_STR("x\0y"), NULL },
        { "j.md", BP_STR(""), NULL },
        { "k.html", BP_STR(""), NULL },
        { "l.md", BP_STR("never"), NULL },
    };

    (void)state;
    START({ "candidates", "200" });
    assert_string_equal(run("ingest", "x", OPTIONS({ "x", "" }), files, 10),
                        "1 ok|8 stored, 0 unchanged, 1 refused, 1 skipped\n"
                        "|skipped: h.txt is not UTF-8 text\n"
                        "refused: document \"i.txt\": \"text\" has a NUL at byte 1\n"
                        "|documents 9/0");
    assert_rows("SELECT external_id, source, format, body FROM retrieval_documents",
                "a.MD|a.MD|markdown|# A\n"
                "\n"
                "a\n"
                "b.markdown|b.markdown|markdown|b\n"
                "c.txt|c.txt|text|c\n"
                "d.text|d.text|text|d\n"
                "e.rst|e.rst|text|e\n"
                "f||text|f\n"
                ".md|.md|markdown|g\n"
                "j.md|j.md|markdown|\n");
    assert_string_equal(run("ingest", "x", OPTIONS({ "x", "" }), files, 12),
                        "1 ok|0 stored, 0 unchanged, 0 refused, 1 skipped\n"
                        "|skipped: h.txt is not UTF-8 text\n"
                        "backplane ingest: k.html is of a kind that is not understood: .jsonl, "
                        ".ndjson, .md, .txt and .rst are\n"
                        "|documents 0/0");
    fail_with(UPSERT, BP_UNAVAILABLE);
    assert_string_equal(run("ingest", "x", OPTIONS({ "x", "" }),
                            (testhost_file[]){ { "n.md", BP_STR("new"), NULL } }, 1),
                        "0 ok|0 stored, 0 unchanged, 0 refused, 0 skipped\n"
                        "1 are queued: the vector store or the embedder cannot be reached now; "
                        "they are searchable by their meaning once it is back\n"
                        "||documents 1/0");
    fail_with(UPSERT, BP_FULL);
    assert_string_equal(run("ingest", "x", OPTIONS({ "x", "" }),
                            (testhost_file[]){ { "n2.md", BP_STR("new"), NULL } }, 1),
                        "1 full|0 stored, 0 unchanged, 0 refused, 0 skipped\n"
                        "||documents 0/0");
    assert_string_equal(run("ingest", "x",
                            (testhost_option[]){ { "collection", "a b" }, { NULL, NULL } }, files,
                            1),
                        "1 invalid|0 stored, 0 unchanged, 0 refused, 0 skipped\n"
                        "||documents 0/0");
}

#define ALL(...) ((testhost_option[]){ __VA_ARGS__, { NULL, NULL } })

static void upkeep_goes_on_with_the_next_collection(void **state)
{
    (void)state;
    begin();
    make_collection("more");
    assert_string_equal(run("verify data", NULL, ALL({ "json", "" }), NULL, 0),
                        "0 "
                        "ok|{\"collection\":\"docs\",\"documents\":12,\"passages\":12,\"points\":"
                        "12,\"missing\":0,\"needless\":0,\"behind\":0,\"build\":0}\n"
                        "{\"collection\":\"more\",\"documents\":0,\"passages\":0,\"points\":0,"
                        "\"missing\":0,\"needless\":0,\"behind\":0,\"build\":0}\n"
                        "|| 0/0");
    assert_string_equal(run("reindex", NULL, ALL({ "all", "" }), NULL, 0),
                        "0 ok|docs: 12 documents are being rebuilt\n"
                        "more: 0 documents are being rebuilt\n"
                        "||more 0/0");
    assert_string_equal(run("reindex", NULL, ALL({ "all", "" }, { "json", "" }), NULL, 0),
                        "0 "
                        "ok|{\"collection\":\"docs\",\"documents\":12,\"behind\":12,\"build\":2,"
                        "\"run\":\"build.1\"}\n"
                        "{\"collection\":\"more\",\"documents\":0,\"behind\":0,\"build\":2,\"run\":"
                        "\"build.2\"}\n"
                        "||more 0/0");
    fail_at(COUNT, BP_IO, 0, 1);
    assert_string_equal(run("reindex", NULL, ALL({ "all", "" }), NULL, 0),
                        "1 ok|more: 0 documents are being rebuilt\n"
                        "|backplane reindex: docs: count fails on purpose (status 500)\n"
                        "|more 0/0");
    fail_with(UPSERT, BP_FULL);
    assert_string_equal(run("reindex", NULL, ALL({ "all", "" }), NULL, 0),
                        "1 ok|docs: 12 documents are being rebuilt\n"
                        "more: 0 documents are being rebuilt\n"
                        "|backplane reindex: docs: upsert fails on purpose\n"
                        "|more 0/0");
    assert_string_equal(run("reindex", NULL, ALL({ "all", "" }, { "no-wait", "" }), NULL, 0),
                        "0 ok|docs: 12 documents are being rebuilt\n"
                        "more: 0 documents are being rebuilt\n"
                        "|| 0/0");
    fail_with(UPSERT, BP_OK);
    round_of();
    take_point(&store.collections[0], 2);
    assert_string_equal(run("verify data", NULL, ALL({ "x", "" }), NULL, 0),
                        "1 ok|docs: 12 documents, 12 passages; the vector store has 11 points, 1 "
                        "are missing, 0 were needless and are removed; 1 documents are being "
                        "rebuilt\n"
                        "more: 0 documents, 0 passages; the vector store has 0 points, 0 are "
                        "missing, 0 were needless and are removed; 0 documents are being rebuilt\n"
                        "||docs 12/12");
    assert_string_equal(run("verify data", NULL, ALL({ "collection", "no" }), NULL, 0),
                        "1 ok||backplane verify data: no: there is no collection \"no\" (status "
                        "404)\n"
                        "| 0/0");
    principal.tenant = BP_STR("other");
    assert_string_equal(run("verify data", NULL, ALL({ "x", "" }), NULL, 0), "0 ok||| 0/0");
    principal.tenant = BP_STR("default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranks_are_weighed_by_grade),
        TEST(judgements_are_lines_of_three),
        TEST(hits_are_printed),
        TEST(a_limit_is_a_number),
        TEST(files_are_taken_by_their_endings),
        TEST(upkeep_goes_on_with_the_next_collection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
