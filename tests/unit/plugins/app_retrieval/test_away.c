/* test_away.c - away.c and search.c: what a search finds, and says, while the vector store or the
 * embedder is away.
 */
#include "plugins/app_retrieval/retrieval_test.h"

static void put_plants(void)
{
    make_collection("docs");
    put("{\"documents\":[{\"id\":\"fern\",\"title\":\"Ferns\",\"text\":\"Ferns like shade. Moss, "
        "too.\",\"metadata\":{\"n\":1}},{\"id\":\"moss\",\"text\":\"Moss likes water, moss likes "
        "shade, and mosses are small plants that grow in it.\",\"metadata\":{\"n\":2}},{\"id\":"
        "\"ivy\",\"text\":\"Ivy climbs.\"},{\"id\":\"odd\",\"text\":\"100%_sure a\\\\b "
        "\xc3\xa4rger\"}]}");
    put("{\"documents\":[{\"id\":\"f1\",\"text\":\"Nothing of "
        "it.\"},{\"id\":\"f2\",\"text\":\"Nothing "
        "more.\"},{\"id\":\"f3\",\"text\":\"Nothing.\"},{\"id\":\"f4\",\"text\":\"Nothing\"}]}");
    forget();
}

#define FIND(text, members) request("POST", "/api/v1/search", "{\"query\":\"" text "\"" members "}")

/* "fern 0.9000 w1.5\n" for each hit, with what the answer says of its way before. */
static const char *found(testhost_reply reply)
{
    bp_buf        *buf = bp_buf_new(call, 65536);
    const bp_json *hits, *explain;

    if (reply.status != BP_OK)
        return told(reply);
    hits = bp_json_get(parsed(reply.body), "hits");
    explain = bp_json_get(parsed(reply.body), "explain");
    bp_buf_addf(buf, BP_FMT "/" BP_FMT " %lld: " BP_FMT "\n",
                BP_ARG(bp_json_string(bp_json_get(explain, "words"))),
                BP_ARG(bp_json_string(bp_json_get(explain, "vector"))),
                (long long)bp_json_integer(bp_json_get(explain, "rows_read")),
                BP_ARG(bp_json_string(bp_json_get(parsed(reply.body), "degraded"))));
    for (size_t i = 0; i < bp_json_count(hits); i++) {
        const bp_json *hit = bp_json_at(hits, i), *legs = bp_json_get(hit, "legs");

        bp_buf_addf(buf, BP_FMT " %.4f w%.6g\n",
                    BP_ARG(bp_json_string(bp_json_get(hit, "document"))),
                    bp_json_number(bp_json_get(hit, "score")),
                    bp_json_number(bp_json_get(legs, "words")));
    }
    return bp_buf_str(buf).data;
}

static void the_storage_is_searched_by_words(void **state)
{
    (void)state;
    START({ "candidates", "10" });
    put_plants();
    fail_with(SEARCH, BP_UNAVAILABLE);
    assert_string_equal(found(FIND("moss", "")),
                        "storage/none 2: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "moss 0.5000 w1.39297\n"
                        "fern 0.0000 w1.12249\n");
    assert_string_equal(logged("search_degraded"), "search fails on purpose {instance=docs}");
    assert_string_equal(found(FIND("shade moss", ",\"mode\":\"words\"")),
                        "storage/none 2: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "fern 1.0000 w2.24499\n"
                        "moss 0.0000 w2.22475\n");
    assert_string_equal(found(FIND("moss moss shade", ",\"mode\":\"words\"")),
                        "storage/none 2: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "moss 1.0000 w3.61773\n"
                        "fern 0.0000 w3.36748\n");
    assert_string_equal(found(FIND("MOSSES", ",\"mode\":\"words\",\"limit\":1")),
                        "storage/none 1: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "moss 1.0000 w2.52912\n");
    assert_string_equal(found(FIND("ferns climbing", ",\"mode\":\"words\"")),
                        "storage/none 2: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "fern 1.0000 w2.26006\n"
                        "ivy 0.0000 w2.0828\n");
    assert_string_equal(found(FIND("moss", ",\"filter\":{\"n\":2}")),
                        "storage/none 1: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "moss 0.5000 w2.52912\n");
    assert_string_equal(found(FIND("moss", ",\"filter\":{\"n\":{\"gt\":2}}")),
                        "storage/none 0: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n");
    assert_string_equal(found(FIND("it", "")),
                        "storage/none 2: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "f1 0.5000 w1.31383\n"
                        "moss 0.0000 w0.750759\n");
    assert_string_equal(found(FIND("quasar", "")),
                        "storage/none 0: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n");
    assert_string_equal(found(FIND("?!", "")),
                        "storage/none 0: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n");
    assert_string_equal(found(FIND("%", "")),
                        "storage/none 0: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n");
    assert_string_equal(found(FIND("100%_sure", "")),
                        "storage/none 1: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "odd 0.5000 w3.21888\n");
    assert_string_equal(found(FIND("\xc3\xa4rger", "")),
                        "storage/none 1: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "odd 0.5000 w1.60944\n");
    assert_string_equal(found(FIND("xyz\xc3\xa4\xc3\xa4", "")),
                        "storage/none 0: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"vector\"")), "503 search fails on purpose");
}

static void what_is_a_loss_and_what_is_an_outage(void **state)
{
    static const bp_status statuses[] = { BP_UPSTREAM, BP_DEADLINE, BP_LIMIT,
                                          BP_IO,       BP_DATA,     BP_INVALID };

    (void)state;
    START({ "candidates", "10" });
    put_plants();
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fail_at(SEARCH, statuses[i], 0, 1);
        note("%s: %.40s\n", bp_status_label(statuses[i]), found(FIND("ivy", "")));
    }
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fail_at(EMBED, statuses[i], 0, 1);
        note("%s: %.40s\n", bp_status_label(statuses[i]), found(FIND("ivy", "")));
    }
    assert_trace("embed query [ivy]\n"
                 "upstream: storage/none 1: the vector store \"docs\" \n"
                 "embed query [ivy]\n"
                 "deadline: storage/none 1: the vector store \"docs\" \n"
                 "embed query [ivy]\n"
                 "limit: storage/none 1: the vector store \"docs\" \n"
                 "embed query [ivy]\n"
                 "io: 500 search fails on purpose\n"
                 "embed query [ivy]\n"
                 "data: storage/none 1: the vector store \"docs\" \n"
                 "embed query [ivy]\n"
                 "invalid: 400 search fails on purpose\n"
                 "search C0 limit 10 words \"ivy\" dimensions 0\n"
                 "upstream: exact/none 100: the embedder \"words\" can\n"
                 "search C0 limit 10 words \"ivy\" dimensions 0\n"
                 "deadline: exact/none 100: the embedder \"words\" can\n"
                 "search C0 limit 10 words \"ivy\" dimensions 0\n"
                 "limit: exact/none 100: the embedder \"words\" can\n"
                 "io: 500 embed fails on purpose\n"
                 "data: 500 embed fails on purpose\n"
                 "invalid: 400 embed fails on purpose\n");
}

static void refusing_is_an_option(void **state)
{
    (void)state;
    START({ "when_down", "refuse" });
    put_plants();
    fail_with(SEARCH, BP_UNAVAILABLE);
    assert_string_equal(found(FIND("moss", "")), "503 search fails on purpose");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"words\"")), "503 search fails on purpose");
    fail_with(SEARCH, BP_OK);
    fail_with(EMBED, BP_UNAVAILABLE);
    assert_string_equal(found(FIND("moss", "")), "503 embed fails on purpose");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"words\"")), "exact/none 100: \n");
}

static void an_embedder_that_is_away_leaves_the_words(void **state)
{
    (void)state;
    START({ "when_down", "degrade" });
    put_plants();
    store.by_words[0] = (bp_hit){ 2, 3 };
    store.words_count = 1;
    fail_with(EMBED, BP_UNAVAILABLE);
    assert_string_equal(found(FIND("moss", "")),
                        "exact/none 100: the embedder \"words\" cannot be reached: these passages "
                        "were found by their words alone\n"
                        "moss 0.5000 w3\n");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"vector\"")), "503 embed fails on purpose");
    assert_string_equal(logged("search_degraded"), "embed fails on purpose {instance=words}");
    fail_with(SEARCH, BP_UNAVAILABLE);
    assert_string_equal(found(FIND("moss", "")),
                        "storage/none 2: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "moss 0.5000 w1.39297\n"
                        "fern 0.0000 w1.12249\n");
}

/* While a tenth of the documents or more is missing in the store, the storage is searched. */
static void a_collection_that_is_being_built(void **state)
{
    char   body[4096];
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"documents\":[");

    (void)state;
    START({ "candidates", "10" });
    make_collection("docs");
    for (int i = 0; i < 20; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len,
                                "%s{\"id\":\"%d\",\"text\":\"Moss.\"}", i ? "," : "", i);
    snprintf(body + len, sizeof(body) - len, "]}");
    put(body);
    sql("UPDATE retrieval_collections SET state = 1, build = 1");
    sql("UPDATE retrieval_documents SET build = 1 WHERE id > 2");
    forget();
    assert_string_equal(found(FIND("moss", ",\"mode\":\"words\"")),
                        "exact/none 100: the collection is being rebuilt, 18 of 20 documents are "
                        "done: passages of the others are missing here\n");
    sql("UPDATE retrieval_documents SET build = 1 WHERE id > 3");
    sql("UPDATE retrieval_documents SET build = 0 WHERE id < 4");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"words\",\"limit\":1")),
                        "storage/none 20: the collection is being rebuilt, 17 of 20 documents are "
                        "done: these passages were found by their words in the storage\n"
                        "0 1.0000 w1e-06\n");
    assert_told(FIND("moss", ",\"mode\":\"vector\""),
                "503 the collection is being rebuilt, 17 of 20 documents are done: these passages "
                "were found by their words in the storage");
    sql("UPDATE retrieval_documents SET build = 1");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"words\"")), "exact/none 100: \n");
    sql("UPDATE retrieval_documents SET build = 0");
    sql("UPDATE retrieval_collections SET state = 2");
    assert_string_equal(found(FIND("moss", ",\"mode\":\"words\"")), "exact/none 100: \n");
}

static void the_newest_300_passages_are_weighed(void **state)
{
    static char body[32768];

    (void)state;
    START({ "candidates", "2000" });
    make_collection("docs");
    for (int batch = 0; batch < 2; batch++) {
        size_t len = (size_t)snprintf(body, sizeof(body), "{\"documents\":[");

        for (int i = 0; i < 151; i++)
            len += (size_t)snprintf(body + len, sizeof(body) - len,
                                    "%s{\"id\":\"%d\",\"text\":\"Moss.\",\"metadata\":{\"b\":%d}}",
                                    i ? "," : "", batch * 151 + i, batch);
        snprintf(body + len, sizeof(body) - len, "]}");
        fail_with(UPSERT, BP_UNAVAILABLE); // the faked store would not hold so many
        assert_int_equal(request("POST", "/api/v1/documents", body).http_status, 202);
    }
    fail_with(SEARCH, BP_UNAVAILABLE);
    assert_string_equal(found(FIND("moss", ",\"limit\":1")),
                        "storage/none 300: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "2 0.5000 w1e-06\n");
    assert_string_equal(found(FIND("moss", ",\"limit\":1,\"filter\":{\"b\":0}")),
                        "storage/none 151: the vector store \"docs\" cannot be reached: these "
                        "passages were found by their words in the storage\n"
                        "0 0.5000 w1e-06\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_storage_is_searched_by_words),
        TEST(what_is_a_loss_and_what_is_an_outage),
        TEST(refusing_is_an_option),
        TEST(an_embedder_that_is_away_leaves_the_words),
        TEST(a_collection_that_is_being_built),
        TEST(the_newest_300_passages_are_weighed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
