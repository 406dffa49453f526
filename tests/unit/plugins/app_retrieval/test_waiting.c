/* test_waiting.c - away.c and take_up.c: documents that wait while the store or the embedder is
 * away, what a crash left, and searches meanwhile.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#define POST(body) request("POST", "/api/v1/documents", body)

static const char *versions(void)
{
    return rows_of("SELECT document_id, body, state FROM retrieval_versions ORDER BY document_id");
}

static const char *chunks(void)
{
    return rows_of("SELECT id, document_id, body FROM retrieval_chunks ORDER BY id");
}

static void begin(void)
{
    START({ "verify", "0" });
    make_collection("docs");
    round_of();
    forget();
}

static void documents_are_queued_while_the_store_is_away(void **state)
{
    (void)state;
    begin();
    put("{\"id\":\"a\",\"text\":\"A.\"}");
    fail_with(UPSERT, BP_UNAVAILABLE);
    assert_told(POST("{\"documents\":[{\"id\":\"a\",\"text\":\"A2.\"},{\"id\":\"b\",\"text\":\"B."
                     "\"},"
                     "{\"id\":\"\"},{\"id\":\"b\",\"text\":\"B2.\"}]}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":2,\"unchanged\":1,\"refused\":1,"
                "\"errors\":[{\"id\":\"\",\"message\":\"\\\"id\\\" must be a text of 1 to 512 "
                "bytes, or an integer\"}]}");
    assert_string_equal(documents(), "a|1|0|\nb|2|0|\n");
    assert_string_equal(versions(), "1|A2.|2\n");
    assert_string_equal(chunks(), "1|1|A.\n"
                                  "2|-1|A2.\n"
                                  "3|3|B2.\n");
    assert_true(testhost_log_has(host, "documents are queued in the storage until they can be "
                                       "indexed: upsert fails on purpose"));
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=queued") == 2);
    assert_told(request("GET", "/api/v1/collections/docs", ""),
                "200 "
                "{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":2,\"ready\":1,\"versions\":1,\"passages\":1,\"state\":\"ready\"}");
    round_of();
    assert_string_equal(documents(), "a|1|0|\nb|2|0|\n");
    assert_told(POST("{\"id\":\"a\",\"text\":\"A3.\"}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":1,\"unchanged\":0,\"refused\":0,"
                "\"errors\":[]}");
    assert_string_equal(versions(), "1|A3.|2\n");
    assert_told(request("GET", "/api/v1/collections/docs/documents/a", ""),
                "200 "
                "{\"id\":\"a\",\"title\":\"\",\"source\":\"\",\"format\":\"text\",\"metadata\":{},"
                "\"state\":\"ready\",\"sha256\":"
                "\"fd9bddcc44235cce7e07c8b24fbb8812273e2a53e6246e5e828547c0f7727d52\",\"next\":{"
                "\"state\":\"queued\",\"sha256\":"
                "\"c6fab0a9ebe5fe565b0bf422b6cbfd0021d9f068f5e512709832aa293b448bfb\"},\"text\":"
                "\"A.\",\"passages\":[{\"chunk\":1,\"heading\":\"\",\"start\":0,\"end\":2}]}");
    fail_with(UPSERT, BP_OK);
    forget();
    round_of();
    assert_trace("embed passages [\n"
                 "\n"
                 "B2.]\n"
                 "upsert C0 3\n"
                 "remove C0 2\n"
                 "embed passages [\n"
                 "\n"
                 "A3.]\n"
                 "upsert C0 4\n"
                 "remove C0 1\n");
    assert_string_equal(documents(), "a|1|0|\nb|1|0|\n");
    assert_string_equal(versions(), "");
    assert_string_equal(chunks(), "3|3|B2.\n4|1|A3.\n");
    assert_string_equal(points_of(0), "3v \n"
                                      "\n"
                                      "\n"
                                      "B2. {}\n"
                                      "4v \n"
                                      "\n"
                                      "\n"
                                      "A3. {}\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage", "0\n");
    assert_true(testhost_log_has(host, "2 documents of collection \"docs\" that a crash, an outage "
                                       "or an earlier build had left were indexed"));
    round_of();
    assert_trace("");
}

static void what_passes_is_waited_for(void **state)
{
    static const struct {
        bp_status status;
        int       http_status;
    } cases[] = { { BP_UNAVAILABLE, 202 }, { BP_UPSTREAM, 202 }, { BP_DEADLINE, 202 },
                  { BP_LIMIT, 202 },       { BP_FULL, 507 },     { BP_IO, 500 },
                  { BP_DATA, 500 },        { BP_DENIED, 403 } };

    (void)state;
    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char           body[64];
        testhost_reply reply;

        snprintf(body, sizeof(body), "{\"id\":\"%zu\",\"text\":\"x\"}", i);
        fail_at(i % 2 ? EMBED : UPSERT, cases[i].status, 0, 1);
        reply = POST(body);
        assert_int_equal(reply.status == BP_OK ? reply.http_status : bp_status_http(reply.status),
                         cases[i].http_status);
    }
    assert_string_equal(documents(), "0|2|0|\n"
                                     "1|2|0|\n"
                                     "2|2|0|\n"
                                     "3|2|0|\n"
                                     "4|0|0|\n"
                                     "5|0|0|\n"
                                     "6|0|0|\n"
                                     "7|0|0|\n");
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=queued") == 4);
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=failed") == 4);
}

static void a_queue_has_a_size(void **state)
{
    (void)state;
    START({ "queue", "10" });
    make_collection("docs");
    put("{\"id\":\"old\",\"text\":\"Old.\"}");
    fail_with(UPSERT, BP_UNAVAILABLE);
    assert_told(POST("{\"id\":\"a\",\"text\":\"1234\"}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":1,\"unchanged\":0,\"refused\":0,"
                "\"errors\":[]}"); // not measured, as it is the first
    assert_told(POST("{\"id\":\"old\",\"text\":\"123\"}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":1,\"unchanged\":0,\"refused\":0,"
                "\"errors\":[]}");
    assert_told(POST("{\"id\":\"b\",\"text\":\"1234\"}"),
                "503 the queue is full: 7 bytes of documents wait for the vector store \"docs\" or "
                "the embedder \"words\", and the option `queue` allows 10: these 4 were not taken, "
                "send them again when they are back");
    assert_told(POST("{\"id\":\"b\",\"text\":\"123\"}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":1,\"unchanged\":0,\"refused\":0,"
                "\"errors\":[]}");
    assert_told(POST("{\"id\":\"c\",\"text\":\"1\"}"),
                "503 the queue is full: 10 bytes of documents wait for the vector store \"docs\" "
                "or the embedder \"words\", and the option `queue` allows 10: these 1 were not "
                "taken, send them again when they are back");
    assert_told(POST("{\"id\":\"d\",\"text\":\"\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_string_equal(documents(), "old|1|0|\n"
                                     "a|2|0|\n"
                                     "b|2|0|\n"
                                     "d|1|0|\n");
    fail_with(UPSERT, BP_OK);
    round_of();
    fail_with(UPSERT, BP_UNAVAILABLE);
    assert_told(POST("{\"id\":\"e\",\"text\":\"12345678901\"}"),
                "202 "
                "{\"collection\":\"docs\",\"stored\":0,\"queued\":1,\"unchanged\":0,\"refused\":0,"
                "\"errors\":[]}"); // the queue was empty
    stop();
    START({ "queue", "0" });
    assert_told(POST("{\"id\":\"f\",\"text\":\"12345678901\"}"), "503 upsert fails on purpose");
}

static void one_that_nobody_wants_fails_alone(void **state)
{
    (void)state;
    begin();
    put("{\"id\":\"old\",\"text\":\"Old.\"}");
    store.bad = "poison";
    forget();
    assert_told(POST("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":"
                     "\"poison\"},"
                     "{\"id\":\"c\",\"text\":\"C.\"},{\"id\":\"old\",\"text\":\"poison 2\"}]}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":2,\"unchanged\":0,\"refused\":2,\"errors\":[{"
                "\"id\":\"b\",\"message\":\"the store wants no "
                "poison\"},{\"id\":\"old\",\"message\":\"the store wants no poison\"}]}");
    assert_trace("embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "poison] [\n"
                 "\n"
                 "C.] [\n"
                 "\n"
                 "poison 2]\n"
                 "embed passages [\n"
                 "\n"
                 "A.]\n"
                 "upsert C0 2\n"
                 "embed passages [\n"
                 "\n"
                 "poison]\n"
                 "embed passages [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 4\n"
                 "embed passages [\n"
                 "\n"
                 "poison 2]\n"
                 "remove C0 5\n");
    assert_string_equal(documents(), "old|1|0|\n"
                                     "a|1|0|\n"
                                     "b|3|0|the store wants no poison\n"
                                     "c|1|0|\n");
    assert_string_equal(versions(), "");
    assert_string_equal(chunks(), "1|1|Old.\n"
                                  "2|2|A.\n"
                                  "3|3|poison\n"
                                  "4|4|C.\n");
    words.bad = "venom";
    assert_told(POST("{\"id\":\"v\",\"text\":\"venom\"}"),
                "400 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,\"refused\":1,\"errors\":[{"
                "\"id\":\"v\",\"message\":\"the embedder wants no venom\"}]}");
    for (size_t i = 0; i < 3; i++) {
        static const bp_status statuses[] = { BP_INVALID, BP_TOO_LARGE, BP_UNSUPPORTED };

        fail_at(EMBED, statuses[i], 0, 2);
        assert_int_equal(POST("{\"id\":\"w\",\"text\":\"w\"}").http_status, 400);
    }
    fail_at(EMBED, BP_INVALID, 0, 1);
    assert_told(POST("{\"id\":\"w\",\"text\":\"w\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
}

static void what_a_crash_left_is_taken_up(void **state)
{
    (void)state;
    begin();
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":\"B.\"},{\"id\":"
        "\"c\","
        "\"text\":\"C.\"},{\"id\":\"d\",\"text\":\"D.\"}]}");
    sql("UPDATE retrieval_documents SET state = 0 WHERE id = 1");
    sql("UPDATE retrieval_documents SET state = 3 WHERE id = 2");
    sql("INSERT INTO retrieval_versions SELECT id, title, source, format, metadata, hash, 'D2', "
        "chunking, 0, updated_wall_ns FROM retrieval_documents WHERE id = 4");
    sql("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, "
        "end_char, heading, body) VALUES (-4, 0, 0, 2, 0, 2, 'H', 'D2')");
    sql("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, "
        "end_char, heading, body) VALUES (-4, 1, 0, 3, 0, 3, 'H', 'out')");
    forget();
    round_of();
    assert_trace("");
    testhost_advance(BP_SECONDS(49)); // a minute since they were written
    assert_true(testhost_run_jobs(host) >= 1);
    assert_trace("");
    testhost_advance(BP_SECONDS(10));
    assert_true(testhost_run_jobs(host) >= 1);
    assert_trace("embed passages [\n"
                 "\n"
                 "A.]\n"
                 "upsert C0 1\n"
                 "embed passages [\n"
                 "H\n"
                 "D2]\n"
                 "upsert C0 5\n"
                 "remove C0 4\n");
    app_call();
    assert_string_equal(documents(), "a|1|0|\nb|3|0|\nc|1|0|\nd|1|0|\n");
    assert_string_equal(versions(), "");
    assert_string_equal(chunks(), "1|1|A.\n"
                                  "2|2|B.\n"
                                  "3|3|C.\n"
                                  "5|4|D2\n"
                                  "6|4|out\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage", "0\n");
    assert_rows("SELECT body FROM retrieval_documents WHERE id = 4", "D2\n");
}

static void a_process_before_this_one_works_no_more(void **state)
{
    (void)state;
    begin();
    put("{\"id\":\"a\",\"text\":\"A.\"}");
    sql("UPDATE retrieval_documents SET state = 0");
    stop();
    START({ "verify", "0" });
    forget();
    assert_true(testhost_run_jobs(host) >= 1);
    assert_trace(""); // they began in the same nanosecond
    stop();
    testhost_advance(1);
    START({ "verify", "0" });
    assert_true(testhost_run_jobs(host) >= 1);
    assert_trace("embed passages [\n\nA.]\nupsert C0 1\n");
}

static void what_is_cut_otherwise_is_cut_anew(void **state)
{
    (void)state;
    begin();
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":\"B.\"},{\"id\":"
        "\"c\","
        "\"text\":\"C poison.\"},{\"id\":\"d\",\"text\":\"D.\"}]}");
    sql("UPDATE retrieval_documents SET chunking = '400/50/0', build = -1 WHERE id IN (1, 3)");
    sql("UPDATE retrieval_documents SET chunking = '', build = -1 WHERE id = 2");
    forget();
    round_of();
    assert_trace("embed passages [\n"
                 "\n"
                 "B.]\n"
                 "upsert C0 2\n"
                 "embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "C poison.]\n"
                 "upsert C0 5 6\n"
                 "remove C0 1 3\n");
    assert_rows("SELECT external_id, chunking, build FROM retrieval_documents ORDER BY id",
                "a|400/50/1|0\n"
                "b||0\n"
                "c|400/50/1|0\n"
                "d|400/50/1|0\n");
    store.bad = "poison";
    sql("UPDATE retrieval_documents SET chunking = '', build = -1 WHERE id IN (2, 3)");
    round_of();
    assert_string_equal(documents(), "a|1|0|\n"
                                     "b|1|0|\n"
                                     "c|3|-1|the store wants no poison\n"
                                     "d|1|0|\n");
    assert_true(testhost_log_has(host,
                                 "document \"c\" of collection \"docs\" cannot be indexed and "
                                 "stays unsearchable until it is sent again: the store wants "
                                 "no poison"));
    assert_trace("embed passages [\n"
                 "\n"
                 "B.] [\n"
                 "\n"
                 "C poison.]\n"
                 "embed passages [\n"
                 "\n"
                 "B.]\n"
                 "upsert C0 2\n"
                 "embed passages [\n"
                 "\n"
                 "C poison.]\n");
    sql("UPDATE retrieval_documents SET state = 1, chunking = '1', build = -1 WHERE id IN (3, 4)");
    round_of();
    assert_string_equal(documents(), "a|1|0|\n"
                                     "b|1|0|\n"
                                     "c|3|-1|the store wants no poison\n"
                                     "d|1|0|\n");
    assert_trace("embed passages [\n"
                 "\n"
                 "C poison.] [\n"
                 "\n"
                 "D.]\n"
                 "embed passages [\n"
                 "\n"
                 "C poison.]\n"
                 "embed passages [\n"
                 "\n"
                 "D.]\n"
                 "upsert C0 8\n"
                 "remove C0 4 7\n");
}

static void twenty_are_taken_up_at_once(void **state)
{
    char   body[4096];
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"documents\":[");

    (void)state;
    words.max_batch = 30;
    begin();
    for (int i = 0; i < 41; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len,
                                "%s{\"id\":\"%c%c\",\"text\":\"%d\"}", i ? "," : "", 'a' + i / 10,
                                'a' + i % 10, i);
    snprintf(body + len, sizeof(body) - len, "]}");
    put(body);
    sql("UPDATE retrieval_documents SET state = 2");
    forget();
    round_of();
    assert_string_equal(writes(),
                        "upsert C0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n"
                        "upsert C0 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40\n"
                        "upsert C0 41\n");
    sql("UPDATE retrieval_documents SET state = 1, build = -1");
    forget();
    round_of();
    assert_string_equal(writes(),
                        "upsert C0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n"
                        "upsert C0 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40\n"
                        "upsert C0 41\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_documents WHERE state = 1 AND build = 0", "41\n");
}

static void a_collection_in_trouble_does_not_keep_others_waiting(void **state)
{
    (void)state;
    begin();
    make_collection("more");
    put("{\"id\":\"a\",\"text\":\"A.\"}");
    put("{\"id\":\"m\",\"text\":\"M.\",\"collection\":\"more\"}");
    sql("UPDATE retrieval_documents SET state = 2");
    forget();
    fail_at(EMBED, BP_UNAVAILABLE, 0, 1);
    round_of();
    assert_trace("embed passages [\n"
                 "\n"
                 "M.]\n"
                 "upsert C1 2\n");
    assert_string_equal(documents(), "a|2|0|\nm|1|0|\n");
    assert_true(testhost_log_has(host, "the job sources failed: embed fails on purpose"));
    round_of();
    assert_string_equal(documents(), "a|1|0|\nm|1|0|\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_are_queued_while_the_store_is_away),
        TEST(what_passes_is_waited_for),
        TEST(a_queue_has_a_size),
        TEST(one_that_nobody_wants_fails_alone),
        TEST(what_a_crash_left_is_taken_up),
        TEST(a_process_before_this_one_works_no_more),
        TEST(what_is_cut_otherwise_is_cut_anew),
        TEST(twenty_are_taken_up_at_once),
        TEST(a_collection_in_trouble_does_not_keep_others_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
