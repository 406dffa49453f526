/* test_pages.c - what goes page by page: all ids compared (upkeep.c), a deleted collection swept;
 * and what another process does in the middle of a take-up (take_up.c).
 */
#include "plugins/app_retrieval/retrieval_test.h"

#define NUMBERS "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "

/* "docs" with so many documents of one passage each; passages and points have the documents' ids.
 */
static void begin(int count)
{
    char text[512];

    START({ "verify", "0" });
    make_collection("docs");
    put("{\"id\":\"a\",\"text\":\"A.\"}");
    snprintf(text, sizeof(text),
             NUMBERS "INSERT INTO retrieval_documents (id, collection_id, external_id, title, "
                     "source, format, metadata, hash, body, state, updated_wall_ns, chunking) "
                     "SELECT i, 1, 'd' || i, '', '', 'text', '{}', '', 'A.', 1, 1, chunking "
                     "FROM n, retrieval_documents WHERE external_id = 'a'",
             count);
    sql(text);
    snprintf(text, sizeof(text),
             NUMBERS "INSERT INTO retrieval_chunks (id, document_id, sequence, start_byte, "
                     "end_byte, start_char, end_char, heading, body) SELECT i, i, 0, 0, 2, 0, "
                     "2, '', 'A.' FROM n",
             count);
    sql(text);
    for (int i = 2; i <= count; i++)
        put_point(&store.collections[0], (uint64_t)i, true, BP_STR("w"), BP_STR("{}"));
    forget();
}

static void assert_verified(int passages, int points, int missing, int needless)
{
    testhost_reply reply = request("POST", "/api/v1/collections/docs/verify", "");

    assert_told(reply, bp_format(call,
                                 "200 {\"collection\":\"docs\",\"documents\":%d,\"passages\":%d,"
                                 "\"points\":%d,\"missing\":%d,\"needless\":%d,\"behind\":%d,"
                                 "\"build\":0%s}",
                                 passages, passages, points, missing, needless, missing,
                                 missing ? ",\"run\":\"build.1\"" : "")
                           .data);
}

static void compare_with(int count)
{
    const int places[] = { 1, 1000, 1001, count };

    begin(count);
    assert_verified(count, count, 0, 0);
    assert_trace("");
    put_point(&store.collections[0], (uint64_t)count + 1, true, BP_STR("w"), BP_STR("{}"));
    assert_verified(count, count + 1, 0, 1);
    assert_trace(bp_format(call, "remove C0 %d\n", count + 1).data);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] > count)
            continue;
        take_point(&store.collections[0], (uint64_t)places[i]);
        assert_verified(count, count - 1, 1, 0);
        assert_int_equal(store.collections[0].count, count);
        forget();
    }
}

static void nine_hundred_and_ninety_nine_ids_are_compared(void **state)
{
    (void)state;
    compare_with(999);
}

static void a_thousand_ids_are_compared(void **state)
{
    (void)state;
    compare_with(1000);
}

static void a_thousand_and_one_ids_are_compared(void **state)
{
    (void)state;
    compare_with(1001);
}

static void two_thousand_ids_are_compared(void **state)
{
    (void)state;
    compare_with(2000);
}

static void a_store_without_points_misses_all(void **state)
{
    (void)state;
    begin(300);
    empty_fake(&store.collections[0]);
    assert_verified(300, 0, 300, 0);
    assert_int_equal(store.collections[0].count, 300);
}

/* All points of a page of which no passage is left. */
static void many_needless_points_are_removed(void **state)
{
    (void)state;
    begin(2001);
    sql("DELETE FROM retrieval_chunks WHERE id > 1 AND id < 2001");
    sql("DELETE FROM retrieval_documents WHERE id > 1 AND id < 2001");
    assert_verified(2, 2001, 0, 1999);
    assert_int_equal(store.collections[0].count, 2);
    assert_int_equal(store.collections[0].points[1].id, 2001);
}

static void a_gone_collection_of_many_documents_is_swept_at_once(void **state)
{
    (void)state;
    begin(2);
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450) INSERT INTO "
        "retrieval_documents (collection_id, external_id, title, source, format, metadata, hash, "
        "body, state, updated_wall_ns) SELECT 77, i, '', '', '', '', '', '', 1, 1 FROM n");
    sql("INSERT INTO retrieval_garbage VALUES (90, 77), (91, 1)");
    sql("INSERT INTO retrieval_drops VALUES ('cgone', 77, 1), ('cother', 0, 1), ('cmore', 78, 1)");
    round_of();
    app_call();
    assert_rows("SELECT collection_id, COUNT(*) FROM retrieval_documents GROUP BY 1", "1|2\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage WHERE collection_id = 77", "0\n");
    assert_rows("SELECT vector_name FROM retrieval_drops", "cgone\n");
    round_of();
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "0\n");
}

/* One document of three passages that is to be taken up. */
static void begin_with_one(void)
{
    begin(3);
    sql("DELETE FROM retrieval_documents WHERE id > 1");
    sql("UPDATE retrieval_chunks SET document_id = 1, sequence = id");
    sql("UPDATE retrieval_documents SET state = 2");
}

/* Another process rewrites or deletes it meanwhile. */
static void points_that_lost_their_rows_meanwhile_are_removed(void **state)
{
    (void)state;
    begin_with_one();
    store.meanwhile = "DELETE FROM retrieval_chunks";
    round_of();
    assert_trace("embed passages [\n\nA.] [\n\nA.] [\n\nA.]\n"
                 "upsert C0 1 2 3\n"
                 "remove C0 1 2 3\n");
    app_call();
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage", "0\n");
}

/* As long as its first passage is there, all are; a document without passages has no points. */
static void points_whose_rows_are_there_stay(void **state)
{
    (void)state;
    begin_with_one();
    store.meanwhile = "DELETE FROM retrieval_chunks WHERE id > 1";
    round_of();
    assert_int_equal(store.collections[0].count, 3);
    sql("DELETE FROM retrieval_chunks");
    sql("UPDATE retrieval_documents SET state = 2");
    forget();
    round_of();
    assert_trace("");
    assert_string_equal(documents(), "a|1|0|\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nine_hundred_and_ninety_nine_ids_are_compared),
        TEST(a_thousand_ids_are_compared),
        TEST(a_thousand_and_one_ids_are_compared),
        TEST(two_thousand_ids_are_compared),
        TEST(a_store_without_points_misses_all),
        TEST(many_needless_points_are_removed),
        TEST(a_gone_collection_of_many_documents_is_swept_at_once),
        TEST(points_that_lost_their_rows_meanwhile_are_removed),
        TEST(points_whose_rows_are_there_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
