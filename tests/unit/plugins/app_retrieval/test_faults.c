/* test_faults.c - no failure of the storage, of the store or of memory is taken for success: each
 * operation of a request fails in turn, and the request with it.
 */
#include "plugins/app_retrieval/retrieval_test.h"

struct act {
    const char *method, *target, *body;
    const char *before; /* SQL before each try; NULL: none */
};

static const struct act acts[] = {
    { "GET", "/api/v1/collections", "", NULL },
    { "GET", "/api/v1/collections/docs", "", NULL },
    { "POST", "/api/v1/collections/new", "", NULL },
    { "GET", "/api/v1/collections/docs/documents", "", NULL },
    { "GET", "/api/v1/collections/docs/documents/a", "", NULL },
    { "POST", "/api/v1/documents", "{\"id\":\"c\",\"text\":\"C.\"}",
      "DELETE FROM retrieval_documents WHERE external_id = 'c'" },
    { "POST", "/api/v1/documents", "{\"id\":\"a\",\"text\":\"A2.\"}",
      "UPDATE retrieval_documents SET hash = '' WHERE external_id = 'a'" },
    { "POST", "/api/v1/documents", "{\"id\":\"b\",\"text\":\"B.\"}",
      "UPDATE retrieval_documents SET state = 3 WHERE external_id = 'b'" },
    { "POST", "/api/v1/search", "{\"query\":\"q\",\"mode\":\"words\"}", NULL },
    { "POST", "/api/v1/search", "{\"query\":\"q\",\"mode\":\"words\"}",
      "UPDATE retrieval_collections SET state = 1, build = 9" },
    { "POST", "/api/v1/answer", "{\"question\":\"q\"}",
      "UPDATE retrieval_collections SET state = 0, build = 0" },
    { "POST", "/api/v1/collections/docs/verify", "",
      "UPDATE retrieval_documents SET build = 0, state = 1" },
    { "POST", "/api/v1/collections/docs/reindex", "", NULL },
    { "DELETE", "/api/v1/collections/docs/documents/b", "",
      "INSERT INTO retrieval_documents (id, collection_id, external_id, title, source, format, "
      "metadata, hash, body, state, updated_wall_ns) SELECT 2, 1, 'b', '', '', '', '', '', '', 1, "
      "1 "
      "WHERE NOT EXISTS (SELECT 1 FROM retrieval_documents WHERE id = 2)" },
};

static char   borne[8192]; /* which failures did not fail the request */
static size_t borne_len;

static void say(const char *format, ...) BP_FORMAT(1, 2);
static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    borne_len += (size_t)vsnprintf(borne + borne_len, sizeof(borne) - borne_len, format, args);
    va_end(args);
}

static void begin(void)
{
    borne_len = 0;
    START({ "llm", "first" }, { "verify", "0" });
    first_writer = (struct fake_writer){ "first", { "A [1]." }, BP_OK, BP_FINISH_STOP };
    make_collection("docs");
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\",\"metadata\":{\"n\":1}},{\"id\":\"b\","
        "\"text\":"
        "\"B.\"}]}");
    store.by_words[0] = (bp_hit){ 1, 3 };
    store.words_count = 1;
}

/* `status` at each operation of the storage in turn: which of them did not end the request with it.
 */
static void fail_in_the_storage(bp_status status)
{
    borne_len = 0;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        int at = 0;

        say("%s %s:", acts[i].method, acts[i].target);
        do {
            testhost_reply reply;

            if (acts[i].before)
                sql(acts[i].before);
            broken.has_failed = false;
            broken.status = status;
            broken.countdown = ++at;
            reply = request(acts[i].method, acts[i].target, acts[i].body);
            broken.countdown = 0;
            if (!broken.has_failed && reply.status != BP_OK)
                fail_msg("%s %s: %s", acts[i].method, acts[i].target, told(reply));
            if (broken.has_failed && reply.status != status)
                say(" %d %s,", at, bp_status_label(reply.status));
        } while (broken.has_failed);
        say(" of %d\n", at - 1);
    }
}

static void assert_all_but_the_build_failed(void)
{
    assert_string_equal(borne, "GET /api/v1/collections: of 3\n"
                               "GET /api/v1/collections/docs: of 3\n"
                               "POST /api/v1/collections/new: of 4\n"
                               "GET /api/v1/collections/docs/documents: of 2\n"
                               "GET /api/v1/collections/docs/documents/a: of 3\n"
                               "POST /api/v1/documents: of 11\n"
                               "POST /api/v1/documents: of 15\n"
                               "POST /api/v1/documents: of 15\n"
                               "POST /api/v1/search: of 2\n"
                               "POST /api/v1/search: of 4\n"
                               "POST /api/v1/answer: of 2\n"
                               "POST /api/v1/collections/docs/verify: of 7\n"
                               "POST /api/v1/collections/docs/reindex: 10 ok, 11 ok, 12 ok, 13 ok, "
                               "14 ok, 15 ok, 16 ok, 17 ok, 18 ok, 19 ok, 20 ok, 21 ok, 22 ok, 23 "
                               "ok, 24 ok, 25 ok, 26 ok, 27 ok, 28 ok, of 28\n"
                               "DELETE /api/v1/collections/docs/documents/b: of 12\n");
}

static void a_request_fails_with_the_storage(void **state)
{
    (void)state;
    begin();
    fail_in_the_storage(BP_IO);
    assert_all_but_the_build_failed();
}

static void a_request_that_is_cancelled_in_the_storage_ends(void **state)
{
    (void)state;
    begin();
    fail_in_the_storage(BP_CANCELLED);
    assert_all_but_the_build_failed();
}

/* A round of the job with all there is to do: what is lost, deleted, queued, old and behind. */
static void make_work(void)
{
    sql("DELETE FROM retrieval_drops");
    sql("INSERT INTO retrieval_drops VALUES ('cgone', 77, 1)");
    sql("UPDATE retrieval_documents SET state = 2, build = 0 WHERE id = 1");
    sql("UPDATE retrieval_documents SET state = 1, build = -1, chunking = 'x' WHERE id = 2");
    sql("UPDATE retrieval_documents SET state = 1, build = 0 WHERE id = 3");
    sql("UPDATE retrieval_collections SET state = 2, build = 0");
    sql("INSERT INTO retrieval_garbage VALUES (99, 1) ON CONFLICT (chunk_id) DO NOTHING");
}

/* The sentence of a sweep that failed: its round goes on. */
static const char *left_for_later(void)
{
    for (size_t i = testhost_log_count(host); i > 0; i--)
        if (testhost_log_at(host, i - 1).level == BP_LOG_WARN)
            return testhost_log_at(host, i - 1).message;
    return "";
}

#define LATER                                                                                      \
    "what deleted and rebuilt collections left in the vector store is swept later: the storage "   \
    "fails on purpose;"

static void a_round_fails_with_the_storage(void **state)
{
    int at = 0;

    (void)state;
    borne_len = 0;
    START({ "verify", "1ms" });
    make_collection("docs");
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":\"B.\"},{\"id\":"
        "\"c\","
        "\"text\":\"C.\"}]}");
    do {
        size_t lines;

        make_work();
        lines = testhost_log_count(host);
        broken.has_failed = false;
        broken.countdown = ++at;
        round_of();
        broken.countdown = 0;
        while (lines < testhost_log_count(host) &&
               !strstr(testhost_log_at(host, lines).message, "the job sources failed"))
            lines++;
        if (broken.has_failed && lines == testhost_log_count(host))
            say(" %d %s;", at, left_for_later());
        if (!broken.has_failed && lines < testhost_log_count(host))
            fail_msg("%s", testhost_log_at(host, lines).message);
    } while (broken.has_failed);
    say(" of %d", at - 1);
    assert_string_equal(borne, " 1 " LATER " 2 " LATER " 3 " LATER " 4 " LATER " of 37");
    assert_string_equal(collections(), "docs|m1|0|0|\n");
    assert_string_equal(documents(), "a|1|0|\nb|1|0|\nc|1|0|\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_drops", "0\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage", "0\n");
}

/* The same for the store and the embedder: "operation/number status" of each that was met, unless
 * it ended the request with `but`. */
static void fail_in_a_peer(bp_status status, bp_status but)
{
    borne_len = 0;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        say("%s %s:", acts[i].method, acts[i].target);
        for (int operation = CREATE; operation < OPERATIONS; operation++)
            for (int after = 0; after < 3; after++) {
                testhost_reply reply;

                if (acts[i].before)
                    sql(acts[i].before);
                fail_at((enum operation)operation, status, after, 1);
                reply = request(acts[i].method, acts[i].target, acts[i].body);
                if (failures[operation].status == BP_OK && reply.status != but)
                    say(" %d/%d %s", operation, after, bp_status_label(reply.status));
                fail_with((enum operation)operation, BP_OK);
            }
        say("\n");
    }
}

static void the_store_and_the_embedder_fail_at_each_operation(void **state)
{
    (void)state;
    begin();
    fail_in_a_peer(BP_IO, (bp_status)-1);
    assert_string_equal(borne,
                        "GET /api/v1/collections: 5/0 ok\n"
                        "GET /api/v1/collections/docs: 5/0 ok\n"
                        "POST /api/v1/collections/new: 0/0 io 5/0 ok\n"
                        "GET /api/v1/collections/docs/documents:\n"
                        "GET /api/v1/collections/docs/documents/a:\n"
                        "POST /api/v1/documents: 2/0 io 9/0 io\n"
                        "POST /api/v1/documents: 2/0 io 3/0 io 9/0 io\n"
                        "POST /api/v1/documents: 2/0 io 3/0 io 9/0 io\n"
                        "POST /api/v1/search: 4/0 io\n"
                        "POST /api/v1/search:\n"
                        "POST /api/v1/answer: 4/0 io 9/0 io\n"
                        "POST /api/v1/collections/docs/verify: 0/0 io 6/0 io\n"
                        "POST /api/v1/collections/docs/reindex: 0/0 io 2/0 ok 5/0 io 9/0 ok\n"
                        "DELETE /api/v1/collections/docs/documents/b:\n");
}

/* But for the build, which is not the request's. */
static void a_request_that_is_cancelled_in_a_peer_ends(void **state)
{
    (void)state;
    begin();
    fail_in_a_peer(BP_CANCELLED, BP_CANCELLED);
    assert_string_equal(borne, "GET /api/v1/collections:\n"
                               "GET /api/v1/collections/docs:\n"
                               "POST /api/v1/collections/new:\n"
                               "GET /api/v1/collections/docs/documents:\n"
                               "GET /api/v1/collections/docs/documents/a:\n"
                               "POST /api/v1/documents:\n"
                               "POST /api/v1/documents:\n"
                               "POST /api/v1/documents:\n"
                               "POST /api/v1/search:\n"
                               "POST /api/v1/search:\n"
                               "POST /api/v1/answer:\n"
                               "POST /api/v1/collections/docs/verify:\n"
                               "POST /api/v1/collections/docs/reindex: 2/0 ok 9/0 ok\n"
                               "DELETE /api/v1/collections/docs/documents/b:\n");
}

/* What is answered by a call with so much memory. */
static const char *with_memory(const struct act *act, size_t most)
{
    testhost_reply reply;

    if (act->before)
        sql(act->before);
    app_call();
    testhost_call_memory(call, most);
    reply = testhost_request_app(call, instance, act->method, act->target,
                                 "content-type: application/json\r\n", bp_str_of(act->body));
    testhost_call_memory(call, SIZE_MAX);
    return told(reply);
}

/* With less memory than it needs, a request fails or answers as with enough. */
static void less_memory_is_no_other_answer(void **state)
{
    static const struct act small[] = {
        { "POST", "/api/v1/search",
          "{\"query\":\"q\",\"mode\":\"words\",\"filter\":{\"a\":1,\"or\":[{\"not\":{\"b\":{\"gt\":"
          "1}}},{\"c\":{\"exists\":true}}]}}",
          NULL },
        { "POST", "/api/v1/documents",
          "{\"id\":\"a\",\"format\":\"markdown\",\"text\":\"# A\\n\\nB.\"}",
          "DELETE FROM retrieval_documents" },
        { "POST", "/api/v1/answer", "{\"question\":\"q\"}", NULL },
        { "POST", "/api/v1/answer", "{\"question\":\"q\",\"stream\":true}", NULL },
        { "POST", "/api/chat", "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}", NULL },
        { "GET", "/api/v1/collections/docs/documents/a", "", NULL },
        { "GET", "/api/v1/collections", "", NULL },
    };

    (void)state;
    begin();
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        char whole[8192];

        snprintf(whole, sizeof(whole), "%s", with_memory(&small[i], SIZE_MAX));
        assert_int_equal(strncmp(whole, "200", 3), 0);
        for (size_t most = 1000, whole_ones = 0; whole_ones < 3; most += small[i].before ? 400
                                                                         : i == 0        ? 8
                                                                                         : 40) {
            const char *reply = with_memory(&small[i], most);

            if (strcmp(reply, whole) == 0)
                whole_ones++;
            else if (strncmp(reply, "200", 3) == 0)
                fail_msg("%s with %zu bytes: %s", small[i].target, most, reply);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_fails_with_the_storage),
        TEST(a_request_that_is_cancelled_in_the_storage_ends),
        TEST(a_round_fails_with_the_storage),
        TEST(the_store_and_the_embedder_fail_at_each_operation),
        TEST(a_request_that_is_cancelled_in_a_peer_ends),
        TEST(less_memory_is_no_other_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
