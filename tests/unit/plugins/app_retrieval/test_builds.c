/* test_builds.c - builds.c, and of upkeep.c what compares and what adopts: reindexes and
 * verifications that are asked for, their runs, and collections of older versions.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#include <backplane/run.h>

/* "docs" with the documents a, b, c, whose passages are 1, 2, 3. */
static void begin(void)
{
    START({ "verify", "0" });
    make_collection("docs");
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":\"B.\"},{\"id\":"
        "\"c\","
        "\"text\":\"C.\"}]}");
    round_of();
    app_call();
    forget();
}

#define REINDEX request("POST", "/api/v1/collections/docs/reindex", "")
#define VERIFY  request("POST", "/api/v1/collections/docs/verify", "")

/* The newest run of that id. */
static const char *run_of(const char *id)
{
    bp_run_view view = { .struct_size = sizeof(view) };

    app_call();
    if (bp_run_look(call, bp_str_of(id), &view) != BP_OK)
        return "none";
    return bp_format(call,
                     BP_FMT " %u %lld/%lld message \"" BP_FMT "\" result " BP_FMT
                            " problem \"" BP_FMT "\"",
                     BP_ARG(view.what), view.state, (long long)view.done, (long long)view.total,
                     BP_ARG(view.message), BP_ARG(view.result), BP_ARG(view.problem))
        .data;
}

static void a_reindex_writes_over_what_is_there(void **state)
{
    (void)state;
    begin();
    sql("UPDATE retrieval_documents SET chunking = '' WHERE id = 1");
    sql("UPDATE retrieval_documents SET state = 3, problem = 'odd' WHERE id = 2");
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":2,\"build\":1,"
                         "\"run\":\"build.1\"}");
    assert_trace("embed passages [\n"
                 "\n"
                 "B.]\n"
                 "upsert C0 2\n"
                 "embed passages [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 3\n"
                 "embed passages [\n"
                 "\n"
                 "A.]\n"
                 "upsert C0 4\n"
                 "remove C0 1\n");
    assert_string_equal(run_of("build.1"),
                        "build 2 3/3 message \"\" result "
                        "{\"collection\":\"docs\",\"build\":1,\"documents\":3} problem \"\"");
    assert_string_equal(collections(), "docs|m1|1|0|\n");
    assert_string_equal(documents(), "a|1|1|\nb|1|1|\nc|1|1|\n");
    assert_rows("SELECT chunking FROM retrieval_documents", "400/50/1\n400/50/1\n400/50/1\n");
    assert_string_equal(logged("collection_rebuild"),
                        "the collection \"docs\" is being rebuilt from the stored texts: it was "
                        "asked for {collection=docs}");
    assert_string_equal(logged("collection_built"), "the collection \"docs\" was rebuilt: 3 "
                                                    "documents {collection=docs documents=3}");
    take_point(&store.collections[0], 2);
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":2,"
                         "\"run\":\"build.1\"}");
    assert_trace("embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 4 2 3\n");
    assert_string_equal(run_of("build.1"),
                        "build 2 3/3 message \"\" result "
                        "{\"collection\":\"docs\",\"build\":2,\"documents\":3} problem \"\"");
    assert_told(request("POST", "/api/v1/collections/none/reindex", ""),
                "404 there is no collection \"none\"");
}

static void a_store_that_has_less_is_filled_and_not_refreshed(void **state)
{
    (void)state;
    begin();
    fail_with(UPSERT, BP_FULL);
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":1,"
                         "\"run\":\"build.1\"}");
    assert_string_equal(collections(), "docs|m1|1|2|it was asked for\n");
    assert_string_equal(run_of("build.1"),
                        "build 3 0/3 message \"\" result  problem \"upsert fails on purpose\"");
    take_point(&store.collections[0], 2);
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":2,"
                         "\"run\":\"build.1\"}");
    assert_string_equal(collections(), "docs|m1|2|2|it was asked for\n"); // as all are behind, no
                                                                          // points are needed
    sql("UPDATE retrieval_documents SET build = 2");
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":3,"
                         "\"run\":\"build.1\"}");
    assert_string_equal(collections(), "docs|m1|3|1|it was asked for\n");
    put_point(&store.collections[0], 2, true, BP_STR("B."), BP_STR("{}"));
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":4,"
                         "\"run\":\"build.1\"}");
    assert_string_equal(collections(),
                        "docs|m1|4|1|it was asked for\n"); // it stays so until the build is done
    fail_with(COUNT, BP_UNAVAILABLE);
    assert_told(REINDEX, "503 count fails on purpose");
    fail_with(COUNT, BP_NOT_FOUND);
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":5,"
                         "\"run\":\"build.1\"}");
}

static void a_run_bears_with_a_store_that_is_away(void **state)
{
    int64_t begun_ns;

    (void)state;
    begin();
    fail_at(UPSERT, BP_UNAVAILABLE, 0, 3);
    begun_ns = bp_now_ns();
    assert_told(REINDEX, "202 "
                         "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":1,"
                         "\"run\":\"build.1\"}");
    assert_int_equal((bp_now_ns() - begun_ns) / BP_SECONDS(1), 15);
    assert_string_equal(run_of("build.1"),
                        "build 2 3/3 message \"\" result "
                        "{\"collection\":\"docs\",\"build\":1,\"documents\":3} problem \"\"");
    fail_with(UPSERT, BP_UNAVAILABLE);
    begun_ns = bp_now_ns();
    assert_told(REINDEX, "504 the time allowed has passed");
    assert_int_equal((bp_now_ns() - begun_ns) / BP_SECONDS(1), 605);
    assert_string_equal(run_of("build.1"),
                        "build 3 0/3 message \"upsert fails on purpose\" result  problem \"no "
                        "document was done for 10 minutes: the server's log and /health say why; "
                        "the rest is taken up when that has passed\"");
    assert_string_equal(collections(), "docs|m1|2|2|it was asked for\n");
}

static void a_verification_compares_all_ids(void **state)
{
    (void)state;
    begin();
    assert_told(VERIFY, "200 "
                        "{\"collection\":\"docs\",\"documents\":3,\"passages\":3,\"points\":3,"
                        "\"missing\":0,\"needless\":0,\"behind\":0,\"build\":0}");
    assert_string_equal(run_of("build.1"), "none");
    take_point(&store.collections[0], 1);
    take_point(&store.collections[0], 3);
    put_point(&store.collections[0], 4, true, BP_STR("x"), BP_STR("{}"));
    put_point(&store.collections[0], 9, true, BP_STR("x"), BP_STR("{}"));
    forget();
    assert_told(VERIFY,
                "200 "
                "{\"collection\":\"docs\",\"documents\":3,\"passages\":3,\"points\":3,\"missing\":"
                "2,\"needless\":2,\"behind\":2,\"build\":0,\"run\":\"build.1\"}");
    assert_trace("remove C0 4 9\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 1 3\n");
    assert_string_equal(run_of("build.1"),
                        "build 2 3/3 message \"\" result "
                        "{\"collection\":\"docs\",\"build\":0,\"documents\":3} problem \"\"");
    assert_string_equal(collections(), "docs|m1|0|0|\n");
    assert_string_equal(documents(), "a|1|0|\nb|1|0|\nc|1|0|\n");
    store.collections[0].is_there = false;
    assert_told(VERIFY,
                "200 "
                "{\"collection\":\"docs\",\"documents\":3,\"passages\":3,\"points\":0,\"missing\":"
                "3,\"needless\":0,\"behind\":3,\"build\":0,\"run\":\"build.1\"}");
    assert_trace("create C1 m1 en 3 0\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C1 1 2 3\n");
    fail_with(SCROLL, BP_UNAVAILABLE);
    assert_told(VERIFY, "503 scroll fails on purpose");
    fail_at(SCROLL, BP_NOT_FOUND, 0, 1);
    assert_told(VERIFY,
                "200 "
                "{\"collection\":\"docs\",\"documents\":3,\"passages\":0,\"points\":0,\"missing\":"
                "0,\"needless\":0,\"behind\":3,\"build\":1,\"run\":\"build.1\"}");
    fail_with(CREATE, BP_UNAVAILABLE);
    assert_told(VERIFY, "503 create fails on purpose");
    assert_told(request("POST", "/api/v1/collections/none/verify", ""),
                "404 there is no collection \"none\"");
}

static void what_is_not_ready_is_not_missing(void **state)
{
    (void)state;
    begin();
    sql("UPDATE retrieval_documents SET state = 2 WHERE id = 1");
    sql("UPDATE retrieval_documents SET build = -1 WHERE id = 2");
    sql("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, "
        "end_char, heading, body) VALUES (-3, 0, 0, 1, 0, 1, '', 'v')");
    put_point(&store.collections[0], 4, true, BP_STR("v"), BP_STR("{}"));
    forget();
    assert_told(VERIFY, "200 "
                        "{\"collection\":\"docs\",\"documents\":3,\"passages\":1,\"points\":4,"
                        "\"missing\":0,\"needless\":0,\"behind\":1,\"build\":0}");
    assert_trace("");
    take_point(&store.collections[0], 1);
    take_point(&store.collections[0], 2);
    assert_told(VERIFY, "200 "
                        "{\"collection\":\"docs\",\"documents\":3,\"passages\":1,\"points\":2,"
                        "\"missing\":0,\"needless\":0,\"behind\":1,\"build\":0}");
}

static void a_verification_goes_without_the_embedder(void **state)
{
    (void)state;
    begin();
    stop();
    START({ "verify", "0" });
    fail_with(INFO, BP_UNAVAILABLE);
    take_point(&store.collections[0], 1);
    forget();
    assert_told(VERIFY, "504 the time allowed has passed");
    assert_trace("");
    app_call();
    assert_string_equal(collections(),
                        "docs|m1|0|1|the vector store \"docs\" had lost 1 of its passages\n");
    assert_told(REINDEX, "503 info fails on purpose");
    app_call();
    testhost_run_jobs(host);
    assert_true(testhost_log_has(host, "the job sources failed: info fails on purpose"));
    assert_string_equal(health(), "1 collection \"docs\" is being rebuilt, 2 of 3 documents are "
                                  "done: the vector store \"docs\" had lost 1 of its passages");
}

/* ---- of an older version: a collection of the store named by the row's number ---- */

static void make_old(const char *owner)
{
    begin();
    sql("UPDATE retrieval_collections SET vector_name = ''");
    snprintf(store.collections[0].name, 128, "c1");
    snprintf(store.collections[0].owner, 64, "%s", owner);
    forget();
}

static void an_old_collection_is_adopted_by_its_words(void **state)
{
    (void)state;
    make_old("");
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":3,\"state\":\"ready\"}");
    assert_trace("");
    assert_rows("SELECT vector_name, build FROM retrieval_collections", "c1|0\n");
    assert_int_equal(strlen(store.collections[0].owner), 24);
}

static void one_with_other_words_is_left_alone(void **state)
{
    (void)state;
    make_old("");
    put_point(&store.collections[0], 3, true, BP_STR("alien"), BP_STR("{}"));
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":0,\"state\":\"building\","
                "\"behind\":3,\"reason\":\"the points under its name \\\"c1\\\" have other words "
                "than its passages: they may be another deployment's and are left alone\"}");
    assert_trace("create C1 m1 en 3 0\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "0\n");
    assert_string_equal(store.collections[0].owner, "");
}

static void one_with_another_number_of_points_is_left_alone(void **state)
{
    (void)state;
    make_old("");
    take_point(&store.collections[0], 3);
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":0,\"state\":\"building\","
                "\"behind\":3,\"reason\":\"it has 3 passages, and there are 2 points under its "
                "name \\\"c1\\\", which may be another deployment's and are left alone\"}");
    assert_trace("create C1 m1 en 3 0\n");
}

static void one_of_another_deployment_is_left_alone(void **state)
{
    (void)state;
    make_old("somebody");
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":0,\"state\":\"building\","
                "\"behind\":3,\"reason\":\"the collection \\\"c1\\\" of vector store \\\"docs\\\", "
                "which was used for it so far, belongs to the deployment somebody\"}");
    assert_trace("create C1 m1 en 3 0\n");
    assert_string_equal(store.collections[0].owner, "somebody");
}

static void one_that_is_ours_or_gone(void **state)
{
    char owner[64];

    (void)state;
    make_old("");
    snprintf(owner, sizeof(owner), "%s", rows_of("SELECT id FROM backplane_deployment"));
    owner[24] = '\0';
    snprintf(store.collections[0].owner, 64, "%s", owner);
    take_point(&store.collections[0], 3);
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":2,\"state\":\"ready\"}");
    assert_trace("");
    sql("UPDATE retrieval_collections SET vector_name = ''");
    store.collections[0].is_there = false;
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":0,\"state\":\"building\","
                "\"behind\":3,\"reason\":\"no collection of 2 letters here\"}");
    assert_trace("create C1 m1 en 3 0\n");
}

static void an_old_one_waits_for_a_store_that_is_away(void **state)
{
    (void)state;
    make_old("");
    fail_with(COUNT, BP_UNAVAILABLE);
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":null,\"state\":"
                "\"ready\"}");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"B\"}"),
                "200 {\"collection\":\"docs\",\"query\":\"B\",\"count\":1,\"degraded\":\"the "
                "vector store \\\"docs\\\" cannot be reached: these passages were found by their "
                "words in the "
                "storage\",\"hits\":[{\"chunk\":2,\"document\":\"b\",\"title\":\"\",\"source\":"
                "\"\",\"heading\":\"\",\"score\":0.5,\"start\":0,\"end\":2,\"text\":\"B.\","
                "\"legs\":{\"words\":0.5108256237659907}}],\"explain\":{\"words\":\"storage\","
                "\"vector\":\"none\",\"words_weight\":0.5,\"rows_read\":1,\"took_ms\":0}}");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"B\",\"mode\":\"vector\"}"),
                "503 the vector store \"docs\" cannot be reached: these passages were found by "
                "their words in the storage");
    assert_told(request("POST", "/api/v1/documents", "{\"id\":\"x\",\"text\":\"X\"}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":1,\"unchanged\":0,\"refused\":0,"
                "\"errors\":[]}");
    assert_told(request("DELETE", "/api/v1/collections/docs", ""), "204 ");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "1\n");
}

static void an_owner_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    make_old("");
    fail_with(OWNER, BP_IO);
    assert_told(request("GET", "/api/v1/collections/docs", ""), "500 owner fails on purpose");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reindex_writes_over_what_is_there),
        TEST(a_store_that_has_less_is_filled_and_not_refreshed),
        TEST(a_run_bears_with_a_store_that_is_away),
        TEST(a_verification_compares_all_ids),
        TEST(what_is_not_ready_is_not_missing),
        TEST(a_verification_goes_without_the_embedder),
        TEST(an_old_collection_is_adopted_by_its_words),
        TEST(one_with_other_words_is_left_alone),
        TEST(one_with_another_number_of_points_is_left_alone),
        TEST(one_of_another_deployment_is_left_alone),
        TEST(one_that_is_ours_or_gone),
        TEST(an_old_one_waits_for_a_store_that_is_away),
        TEST(an_owner_that_cannot_be_read_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
