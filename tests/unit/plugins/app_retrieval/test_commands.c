/* test_commands.c - the commands of the app `retrieval` on a real SQLite file and a real vector
 * store: what they print, and what scripts see of them.
 */
#include "plugins/app_retrieval/commands_rig.h"

static testhost_instance *vectors, *embedder;

static testhost_instance *load(const char *file, const char *name, const testhost_option *given,
                               size_t count)
{
    const bp_plugin   *loaded = testhost_load(host, file);
    testhost_instance *made = loaded ? testhost_instance_create(host, loaded, name, given, count)
                                     : NULL;

    if (!made)
        print_error("%s\n", testhost_problem(host));
    return made;
}

static int setup(void **state)
{
    static const testhost_option path[] = { { "path", "docs" } };
    static const testhost_option options[] = { { "storage", "main" },
                                               { "vector", "docs" },
                                               { "embed", "words" } };

    (void)state;
    if (open_host(BP_PLUGIN_DIR "/app/retrieval.so") != 0 || open_storage() != 0)
        return -1;
    vectors = load(BP_PLUGIN_DIR "/vector/local.so", "docs", path, 1);
    embedder = load(BP_PLUGIN_DIR "/embed/hash.so", "words", NULL, 0);
    if (!vectors || !embedder)
        return -1;
    start_app("retrieval", options, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stop();
    testhost_instance_destroy(vectors);
    testhost_instance_destroy(embedder);
    return close_app_host();
}

static void put_plants(void)
{
    assert_printed(run("ingest", "notes", OPTIONS(IN("plants")),
                       FILES({ "a.md", BP_STR("# Ferns\n\nFerns like shade.\n"), NULL },
                             { "b.jsonl",
                               BP_STR("{\"id\":\"42\",\"title\":\"Moss\",\"text\":\"Moss likes "
                                      "water.\"}\n\n{\"id\":7,\"text\":\"Ivy climbs.\"}"),
                               NULL })),
                   0, "3 stored, 0 unchanged, 0 refused, 0 skipped\n");
}

static void files_become_documents(void **state)
{
    testhost_command_reply reply;

    (void)state;
    put_plants();
    reply = run("ingest", "x", OPTIONS(IN("plants")),
                FILES({ "bad.txt", BP_STR("\xff\xfe"), NULL },
                      { "c.jsonl", BP_STR("{\"id\":\"\"}\n{\"id\":7,\"text\":\"Ivy climbs.\"}\n"),
                        NULL }));
    assert_printed(reply, 1, "0 stored, 1 unchanged, 1 refused, 1 skipped\n");
    assert_string_equal(reply.warned, "skipped: bad.txt is not UTF-8 text\n"
                                      "refused: document \"\": \"id\" must be a text of 1 to 512 "
                                      "bytes, or an integer\n");
    assert_string_equal(reply.progress_what, "documents");
    assert_int_equal(reply.progress_done, 2);
}

static void a_file_of_another_kind_ends_it_with_what_was_done(void **state)
{
    testhost_command_reply reply;

    (void)state;
    reply = run("ingest", "x", OPTIONS(IN("plants")),
                FILES({ "a.png", BP_STR("x"), NULL }, { "b.md", BP_STR("never"), NULL }));
    assert_printed(reply, 1, "0 stored, 0 unchanged, 0 refused, 0 skipped\n");
    assert_non_null(strstr(reply.warned, "a.png is of a kind that is not understood"));
}

static void a_bar_has_an_end_when_all_files_are_lines(void **state)
{
    static const char *const words[] = { "a.jsonl", "b.ndjson" };
    testhost_file   *files = FILES({ "a.jsonl", BP_STR("{\"id\":1,\"text\":\"a\"}\n"), NULL });
    testhost_command typed = { .name = "ingest",
                               .words = words,
                               .word_count = 2,
                               .options = OPTIONS(IN("plants")),
                               .option_count = 1,
                               .files = files,
                               .file_count = 1,
                               .line_count = 5,
                               .left_out = 3 };
    testhost_command_reply reply;

    (void)state;
    reply = run_with(&typed);
    assert_printed(reply, 0, "1 stored, 0 unchanged, 0 refused, 3 skipped\n");
    assert_int_equal(reply.progress_total, 5);
    typed.words = (const char *[]){ "a.jsonl", "notes" };
    assert_int_equal(run_with(&typed).progress_total, 0);
}

static void hits_are_printed_as_text_and_as_json(void **state)
{
    testhost_command_reply reply;

    (void)state;
    put_plants();
    reply = run("search", "moss", OPTIONS(IN("plants"), { "limit", "1" }), NULL);
    assert_int_equal(reply.exit_status, 0);
    assert_non_null(strstr(reply.printed, "42  Moss\n    Moss likes water.\n"));
    reply = run("search", "moss", OPTIONS(IN("plants"), { "json", "" }), NULL);
    assert_true(
        bp_str_is(bp_json_string(bp_json_get(parsed(bp_str_of(reply.printed)), "query")), "moss"));
    assert_printed(run("search", "quasar", OPTIONS(IN("plants")), NULL), 0, "no hits\n");
    assert_int_equal(run("search", "moss", OPTIONS(IN("plants"), { "limit", "3x" }), NULL)
                         .exit_status,
                     2);
    assert_int_equal(run("search", "moss", OPTIONS(IN("plants"), { "limit", "999" }), NULL).status,
                     BP_INVALID);
    assert_int_equal(run("search", "moss", OPTIONS(IN("nothing")), NULL).status, BP_NOT_FOUND);
}

static void searches_are_measured_against_judgements(void **state)
{
    testhost_file files[] = {
        { "q.jsonl", BP_STR("{\"id\":\"1\",\"text\":\"moss\"}\n{\"id\":\"2\",\"text\":\"ivy\"}\n"),
          "queries" },
        { "r.tsv", BP_STR("1\t42\t1\r\n2\t7\t2"), "qrels" },
        { NULL, { NULL, 0 }, NULL }
    };
    testhost_option       *options = OPTIONS(IN("plants"), { "queries", "q.jsonl" },
                                             { "qrels", "r.tsv" });
    testhost_command_reply reply;

    (void)state;
    put_plants();
    assert_printed(run("eval", NULL, options, files), 0,
                   "2 queries: nDCG@10 1.0000, recall@100 1.0000\n");
    files[1].bytes = BP_STR("1\t42\tmany\n");
    reply = run("eval", NULL, options, files);
    assert_printed(reply, 1, "");
    assert_string_equal(reply.warned,
                        "backplane eval: r.tsv:1: not \"query TAB document TAB grade\"\n");
    files[1].bytes = BP_STR("9\t42\t1\n");
    assert_non_null(
        strstr(run("eval", NULL, options, files).warned, "do the ids of q.jsonl and r.tsv agree?"));
    files[0].bytes = BP_STR("no JSON\n");
    assert_non_null(strstr(run("eval", NULL, options, files).warned, "q.jsonl:1: "));
}

static void collections_are_verified_and_indexed_anew(void **state)
{
    testhost_command_reply reply;
    testhost_command       typed = { .name = "reindex",
                                     .options = OPTIONS(IN("plants"), { "no-wait", "" }),
                                     .option_count = 2,
                                     .is_alone = true };

    (void)state;
    put_plants();
    assert_printed(run("verify data", NULL, NULL, NULL), 0,
                   "plants: 3 documents, 3 passages; the vector store has 3 points, 0 are missing, "
                   "0 were "
                   "needless and are removed; 0 documents are being rebuilt\n");
    reply = run("verify data", NULL, OPTIONS(IN("nothing")), NULL);
    assert_printed(reply, 1, "");
    assert_string_equal(reply.warned,
                        "backplane verify data: nothing: there is no collection \"nothing\" "
                        "(status 404)\n");
    assert_int_equal(run("reindex", NULL, NULL, NULL).exit_status, 2);
    assert_int_equal(run("reindex", NULL, OPTIONS(IN("plants"), { "all", "" }), NULL).exit_status,
                     2);
    assert_int_equal(run_with(&typed).exit_status, 2); // nobody would do it
    typed.is_alone = false;
    assert_printed(run_with(&typed), 0, "plants: 3 documents are being rebuilt\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_become_documents),
        TEST(a_file_of_another_kind_ends_it_with_what_was_done),
        TEST(a_bar_has_an_end_when_all_files_are_lines),
        TEST(hits_are_printed_as_text_and_as_json),
        TEST(searches_are_measured_against_judgements),
        TEST(collections_are_verified_and_indexed_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
