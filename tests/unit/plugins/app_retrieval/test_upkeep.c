/* test_upkeep.c - upkeep.c and collections.c: what a round does about collections that are lost,
 * damaged, of another deployment or embedder, or deleted; and what is told about them.
 */
#include "plugins/app_retrieval/retrieval_test.h"

/* "docs" with the documents a, b, c, whose passages are 1, 2, 3; the first round is over. */
static void begin(void)
{
    START({ "verify", "5m" });
    make_collection("docs");
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":\"B.\"},{\"id\":"
        "\"c\","
        "\"text\":\"C.\"}]}");
    round_of();
    forget();
}

static void a_round_leaves_alone_what_is_well(void **state)
{
    (void)state;
    begin();
    testhost_advance(BP_SECONDS(300));
    round_of();
    assert_trace("");
    assert_string_equal(health(), "0 ");
    assert_string_equal(collections(), "docs|m1|0|0|\n");
    assert_string_equal(documents(), "a|1|0|\nb|1|0|\nc|1|0|\n");
    assert_int_equal(strlen(store.collections[0].name), 25);
    assert_int_equal(store.collections[0].name[0], 'c');
    assert_int_equal(strspn(store.collections[0].name + 1, "0123456789abcdef"), 24);
    assert_int_equal(strlen(store.collections[0].owner), 24);
}

static void points_that_are_missing_are_written_again(void **state)
{
    (void)state;
    begin();
    take_point(&store.collections[0], 2);
    round_of();
    assert_trace(""); // not due yet
    testhost_advance(BP_SECONDS(300));
    round_of();
    assert_trace("embed passages [\n"
                 "\n"
                 "B.]\n"
                 "upsert C0 2\n");
    assert_string_equal(logged("points_missing"),
                        "the vector store \"docs\" has lost 1 of 3 passages of the collection "
                        "\"docs\": 1 documents are being rebuilt {collection=docs missing=1}");
    assert_string_equal(logged("collection_built"), "the collection \"docs\" was rebuilt: 3 "
                                                    "documents {collection=docs documents=3}");
    assert_string_equal(health(), "0 ");
    assert_string_equal(collections(), "docs|m1|0|0|\n");
    assert_string_equal(documents(), "a|1|0|\nb|1|0|\nc|1|0|\n");
    assert_string_equal(points_of(0), "1v \n"
                                      "\n"
                                      "\n"
                                      "A. {}\n"
                                      "2v \n"
                                      "\n"
                                      "\n"
                                      "B. {}\n"
                                      "3v \n"
                                      "\n"
                                      "\n"
                                      "C. {}\n");
}

static void a_point_that_another_replaced_is_noticed(void **state)
{
    (void)state;
    begin();
    take_point(&store.collections[0], 3);
    put_point(&store.collections[0], 9, true, BP_STR("alien"), BP_STR("{}"));
    testhost_advance(BP_SECONDS(300));
    for (int i = 0; i < 3; i++) // twenty spots of three passages are looked at each time
        round_of();
    assert_trace("remove C0 9\n"
                 "embed passages [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 3\n");
    assert_string_equal(points_of(0), "1v \n"
                                      "\n"
                                      "\n"
                                      "A. {}\n"
                                      "2v \n"
                                      "\n"
                                      "\n"
                                      "B. {}\n"
                                      "3v \n"
                                      "\n"
                                      "\n"
                                      "C. {}\n");
}

static void a_collection_that_is_empty_is_filled_again(void **state)
{
    (void)state;
    begin();
    empty_fake(&store.collections[0]);
    testhost_advance(BP_SECONDS(300));
    fail_with(UPSERT, BP_UNAVAILABLE);
    round_of();
    assert_string_equal(collections(),
                        "docs|m1|1|1|the vector store \"docs\" had lost its 3 passages\n");
    assert_string_equal(health(), "1 collection \"docs\" is being rebuilt, 0 of 3 documents are "
                                  "done: the vector store \"docs\" had lost its 3 passages");
    fail_with(UPSERT, BP_OK);
    round_of();
    assert_trace("embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 1 2 3\n");
    assert_string_equal(collections(), "docs|m1|1|0|\n");
    assert_string_equal(documents(), "a|1|1|\nb|1|1|\nc|1|1|\n");
    assert_string_equal(logged("collection_rebuild"),
                        "the collection \"docs\" is being rebuilt from the stored texts: the "
                        "vector store \"docs\" had lost its 3 passages {collection=docs}");
    assert_string_equal(health(), "0 ");
}

static void a_collection_that_is_gone_is_made_again(void **state)
{
    (void)state;
    begin();
    store.collections[0].is_there = false;
    testhost_advance(BP_SECONDS(300));
    round_of();
    assert_trace("create C1 m1 en 3 0\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C1 1 2 3\n");
    assert_string_equal(collections(), "docs|m1|1|0|\n");
    assert_string_equal(points_of(1), "1v \n"
                                      "\n"
                                      "\n"
                                      "A. {}\n"
                                      "2v \n"
                                      "\n"
                                      "\n"
                                      "B. {}\n"
                                      "3v \n"
                                      "\n"
                                      "\n"
                                      "C. {}\n");
}

static void who_meets_a_loss_begins_the_build(void **state)
{
    (void)state;
    begin();
    store.collections[0].is_there = false;
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"q\"}"),
                "200 {\"collection\":\"docs\",\"query\":\"q\",\"count\":0,\"degraded\":\"the "
                "vector store \\\"docs\\\" cannot be reached: these passages were found by their "
                "words in the "
                "storage\",\"hits\":[],\"explain\":{\"words\":\"storage\",\"vector\":\"none\","
                "\"words_weight\":0.5,\"rows_read\":0,\"took_ms\":0}}");
    assert_string_equal(collections(), "docs|m1|1|1|the vector store \"docs\" had lost it\n");
    assert_trace("embed query [q]\n"
                 "create C1 m1 en 3 0\n");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"C\",\"mode\":\"words\"}"),
                "200 {\"collection\":\"docs\",\"query\":\"C\",\"count\":1,\"degraded\":\"the "
                "collection is being rebuilt, 0 of 3 documents are done: these passages were found "
                "by their words in the "
                "storage\",\"hits\":[{\"chunk\":3,\"document\":\"c\",\"title\":\"\",\"source\":"
                "\"\",\"heading\":\"\",\"score\":1,\"start\":0,\"end\":2,\"text\":\"C.\",\"legs\":{"
                "\"words\":0.5108256237659907}}],\"explain\":{\"words\":\"storage\",\"vector\":"
                "\"none\",\"words_weight\":1,\"rows_read\":1,\"took_ms\":0}}");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"C\",\"mode\":\"vector\"}"),
                "503 the collection is being rebuilt, 0 of 3 documents are done: these passages "
                "were found by their words in the storage");
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":0,\"state\":\"building\","
                "\"behind\":3,\"reason\":\"the vector store \\\"docs\\\" had lost it\"}");
    round_of();
    assert_string_equal(collections(), "docs|m1|1|0|\n");
    assert_trace("embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C1 1 2 3\n");
    store.collections[1].is_there = false;
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":3,\"ready\":3,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"}]}");
    assert_string_equal(collections(), "docs|m1|2|1|the vector store \"docs\" had lost it\n");
    round_of();
    store.collections[2].is_there = false;
    put("{\"id\":\"d\",\"text\":\"D.\"}");
    round_of();
    assert_string_equal(collections(), "docs|m1|3|0|\n");
    assert_string_equal(documents(), "a|1|3|\nb|1|3|\nc|1|3|\nd|1|3|\n");
}

static void what_is_damaged_is_rebuilt_in_a_new_collection(void **state)
{
    (void)state;
    begin();
    testhost_advance(BP_SECONDS(300));
    fail_at(COUNT, BP_DATA, 0, 1);
    round_of();
    assert_string_equal(collections(), "docs|m1|1|0|\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "1\n");
    assert_trace("create C1 m1 en 3 0\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C1 1 2 3\n");
    round_of();
    assert_trace("drop C0\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "0\n");
    fail_at(SEARCH, BP_DATA, 0, 1);
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"C\",\"mode\":\"vector\"}"),
                "503 search fails on purpose");
    take_point(&store.collections[1], 1);
    round_of(); // it is due at once
    assert_string_equal(points_of(1), "1v \n"
                                      "\n"
                                      "\n"
                                      "A. {}\n"
                                      "2v \n"
                                      "\n"
                                      "\n"
                                      "B. {}\n"
                                      "3v \n"
                                      "\n"
                                      "\n"
                                      "C. {}\n");
}

static void another_embedder_is_told_until_a_reindex(void **state)
{
    static const testhost_option options[] = { { "storage", "rows" },
                                               { "vector", "docs" },
                                               { "embed", "words" } };

    (void)state;
    begin();
    stop();
    words.model = "m2";
    words.dimensions = 4;
    start_app("retrieval", options, 3);
    forget();
    round_of();
    assert_string_equal(health(), "1 collection \"docs\" was made with the embedder \"m1\" and the "
                                  "conf has \"m2\": it is searched by words alone until `backplane "
                                  "reindex --collection docs`");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"q\"}"),
                "200 {\"collection\":\"docs\",\"query\":\"q\",\"count\":0,\"degraded\":\"the "
                "collection was made with the embedder \\\"m1\\\" and the server has \\\"m2\\\": "
                "these passages were found by their words alone, until the collection is "
                "rebuilt\",\"hits\":[],\"explain\":{\"words\":\"exact\",\"vector\":\"none\","
                "\"words_weight\":0.5,\"rows_read\":100,\"took_ms\":0}}");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"q\",\"mode\":\"vector\"}"),
                "409 the collection was made with the embedder \"m1\" and the server has \"m2\": "
                "these passages were found by their words alone, until the collection is rebuilt");
    assert_told(request("POST", "/api/v1/documents", "{\"id\":\"x\",\"text\":\"X.\"}"),
                "409 collection \"docs\" was made with the embedder \"m1\", this instance has "
                "\"m2\": rebuild it with `backplane reindex --collection docs`, or put that "
                "embedder back into the conf");
    assert_told(request("POST", "/api/v1/collections/docs/verify", ""),
                "409 collection \"docs\" was made with another embedder than the conf has: "
                "`backplane reindex --collection docs` rebuilds it");
    assert_trace("embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 0\n"
                 "embed query [q]\n");
    assert_told(request("POST", "/api/v1/collections/docs/reindex", ""),
                "202 "
                "{\"collection\":\"docs\",\"documents\":3,\"behind\":3,\"build\":1,\"run\":\"build."
                "1\"}");
    assert_trace("create C1 m2 en 4 0\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C1 1 2 3\n");
    assert_string_equal(health(), "1 collection \"docs\" was made with the embedder \"m1\" and the "
                                  "conf has \"m2\": it is searched by words alone until `backplane "
                                  "reindex --collection docs`");
    round_of();
    assert_trace("drop C0\n");
    assert_string_equal(health(), "0 ");
    assert_string_equal(collections(), "docs|m2|1|0|\n");
}

static void a_store_that_lets_nobody_drop_delays_nothing(void **state)
{
    (void)state;
    begin();
    fail_with(DROP, BP_UNAVAILABLE);
    assert_told(request("DELETE", "/api/v1/collections/docs", ""), "204 ");
    assert_true(testhost_log_has(host, "the rest of the deleted collection \"docs\" is swept "
                                       "later: drop fails on purpose"));
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "1\n");
    make_collection("more");
    forget();
    empty_fake(&store.collections[1]);
    round_of();
    assert_true(testhost_log_has(host, "what deleted and rebuilt collections left in the vector "
                                       "store is swept later: drop fails on purpose"));
    assert_rows("SELECT COUNT(*) FROM retrieval_documents", "0\n");
    fail_with(DROP, BP_OK);
    testhost_advance(BP_SECONDS(60));
    round_of();
    assert_trace("drop C0\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "0\n");
}

static void a_deleted_collection_is_swept_for_a_minute(void **state)
{
    (void)state;
    begin();
    make_collection("other");
    put("{\"id\":\"o\",\"text\":\"O.\",\"collection\":\"other\"}");
    sql("INSERT INTO retrieval_versions SELECT id, title, source, format, metadata, hash, body, "
        "chunking, 0, 5 FROM retrieval_documents");
    sql("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, "
        "end_char, heading, body) VALUES (-1, 0, 0, 1, 0, 1, '', 'v')");
    sql("INSERT INTO retrieval_garbage VALUES (90, 1)");
    sql("INSERT INTO retrieval_garbage VALUES (91, 2)");
    sql("INSERT INTO retrieval_files VALUES (1, 'p', 's', 1, 1)");
    sql("INSERT INTO retrieval_files VALUES (2, 'p', 's', 1, 1)");
    forget();
    assert_told(request("DELETE", "/api/v1/collections/docs", ""), "204 ");
    assert_trace("drop C0\n");
    assert_rows("SELECT name FROM retrieval_collections", "other\n");
    assert_rows("SELECT id, external_id FROM retrieval_documents", "4|o\n");
    assert_rows("SELECT document_id FROM retrieval_versions", "4\n");
    assert_rows("SELECT id FROM retrieval_chunks", "4\n");
    assert_rows("SELECT chunk_id FROM retrieval_garbage", "91\n");
    assert_rows("SELECT collection_id FROM retrieval_files", "2\n");
    assert_rows("SELECT collection_id FROM retrieval_drops", "1\n");
    assert_told(request("DELETE", "/api/v1/collections/docs", ""),
                "404 there is no collection \"docs\"");
    // An intake that was under way commits a little later.
    sql("INSERT INTO retrieval_documents (collection_id, external_id, title, source, format, "
        "metadata, hash, body, state, updated_wall_ns) VALUES (1, 'late', '', '', '', '', '', '', "
        "0, 1)");
    app_call();
    testhost_advance(BP_SECONDS(61));
    testhost_run_jobs(host);
    app_call();
    assert_rows("SELECT COUNT(*) FROM retrieval_documents WHERE collection_id = 1", "0\n");
    assert_rows("SELECT collection_id FROM retrieval_drops", "1\n");
    round_of();
    assert_rows("SELECT collection_id FROM retrieval_drops", "");
}

static void the_note_of_a_deleted_collection_stays_for_60_seconds(void **state)
{
    (void)state;
    begin();
    assert_told(request("DELETE", "/api/v1/collections/docs", ""), "204 ");
    app_call();
    testhost_advance(BP_SECONDS(60));
    testhost_run_jobs(host);
    app_call();
    assert_rows("SELECT collection_id FROM retrieval_drops", "1\n");
    round_of();
    assert_rows("SELECT collection_id FROM retrieval_drops", "");
}

static void what_is_of_another_deployment_is_not_dropped(void **state)
{
    (void)state;
    begin();
    snprintf(store.collections[0].owner, 64, "somebody");
    sql("INSERT INTO retrieval_drops SELECT vector_name, 0, 1 FROM retrieval_collections");
    sql("INSERT INTO retrieval_drops VALUES ('cnone', 0, 1)");
    forget();
    round_of();
    assert_trace("");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "0\n");
    testhost_advance(BP_SECONDS(300));
    round_of(); // its own collection is found to be somebody's: a new one takes its place
    assert_string_equal(collections(), "docs|m1|1|0|\n");
    assert_trace("create C1 m1 en 3 0\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C1 1 2 3\n");
    assert_true(store.collections[0].is_there);
    assert_string_equal(logged("collection_rebuild"),
                        "the collection \"docs\" is being rebuilt from the stored texts: it is of "
                        "somebody {collection=docs}");
}

static void four_complaints_are_three_and_a_number(void **state)
{
    static const char *const names[] = { "c1", "c2", "c3", "c4", "c5" };

    (void)state;
    begin();
    for (int i = 0; i < 5; i++) {
        make_collection(names[i]);
        if (i == 2) {
            sql("UPDATE retrieval_collections SET model = 'old' WHERE id < 4");
            round_of();
            assert_string_equal(health(),
                                "1 collection \"docs\" was made with the embedder \"old\" and the "
                                "conf has \"m1\": it is searched by words alone until `backplane "
                                "reindex --collection docs`; collection \"c1\" was made with the "
                                "embedder \"old\" and the conf has \"m1\": it is searched by words "
                                "alone until `backplane reindex --collection c1`; collection "
                                "\"c2\" was made with the embedder \"old\" and the conf has "
                                "\"m1\": it is searched by words alone until `backplane reindex "
                                "--collection c2`");
        }
    }
    sql("UPDATE retrieval_collections SET model = 'old'");
    round_of();
    assert_string_equal(health(),
                        "1 collection \"docs\" was made with the embedder \"old\" and the conf has "
                        "\"m1\": it is searched by words alone until `backplane reindex "
                        "--collection docs`; collection \"c1\" was made with the embedder \"old\" "
                        "and the conf has \"m1\": it is searched by words alone until `backplane "
                        "reindex --collection c1`; collection \"c2\" was made with the embedder "
                        "\"old\" and the conf has \"m1\": it is searched by words alone until "
                        "`backplane reindex --collection c2`; and 3 more");
    sql("UPDATE retrieval_collections SET model = 'm1' WHERE id > 3");
    round_of();
    assert_string_equal(health(),
                        "1 collection \"docs\" was made with the embedder \"old\" and the conf has "
                        "\"m1\": it is searched by words alone until `backplane reindex "
                        "--collection docs`; collection \"c1\" was made with the embedder \"old\" "
                        "and the conf has \"m1\": it is searched by words alone until `backplane "
                        "reindex --collection c1`; collection \"c2\" was made with the embedder "
                        "\"old\" and the conf has \"m1\": it is searched by words alone until "
                        "`backplane reindex --collection c2`");
}

static void a_round_that_fails_is_due_again(void **state)
{
    (void)state;
    begin();
    testhost_advance(BP_SECONDS(300));
    take_point(&store.collections[0], 1);
    fail_at(COUNT, BP_UNAVAILABLE, 0, 1);
    round_of();
    assert_true(testhost_log_has(host, "the job sources failed: count fails on purpose"));
    assert_trace("");
    round_of();
    assert_string_equal(points_of(0), "1v \n"
                                      "\n"
                                      "\n"
                                      "A. {}\n"
                                      "2v \n"
                                      "\n"
                                      "\n"
                                      "B. {}\n"
                                      "3v \n"
                                      "\n"
                                      "\n"
                                      "C. {}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_round_leaves_alone_what_is_well),
        TEST(points_that_are_missing_are_written_again),
        TEST(a_point_that_another_replaced_is_noticed),
        TEST(a_collection_that_is_empty_is_filled_again),
        TEST(a_collection_that_is_gone_is_made_again),
        TEST(who_meets_a_loss_begins_the_build),
        TEST(what_is_damaged_is_rebuilt_in_a_new_collection),
        TEST(another_embedder_is_told_until_a_reindex),
        TEST(a_store_that_lets_nobody_drop_delays_nothing),
        TEST(a_deleted_collection_is_swept_for_a_minute),
        TEST(the_note_of_a_deleted_collection_stays_for_60_seconds),
        TEST(what_is_of_another_deployment_is_not_dropped),
        TEST(four_complaints_are_three_and_a_number),
        TEST(a_round_that_fails_is_due_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
