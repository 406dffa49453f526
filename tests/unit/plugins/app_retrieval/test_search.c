/* test_search.c - search.c: the two legs fused by score or by rank, pages of them, and the words of
 * the answer, over a vector store whose hits a test writes.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#define HITS(leg, ...)                                                                             \
    do {                                                                                           \
        const bp_hit hits_[] = { __VA_ARGS__ };                                                    \
        memcpy(store.by_##leg, hits_, sizeof(hits_));                                              \
        store.leg##_count = sizeof(hits_) / sizeof(hits_[0]);                                      \
    } while (0)

/* Passages 1 to 6, one a document: "a" to "f". */
static void put_letters(void)
{
    make_collection("docs");
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\",\"title\":\"TA\",\"source\":\"SA\","
        "\"metadata\":{\"n\":1}},{\"id\":\"b\",\"text\":\"B.\"},{\"id\":\"c\",\"text\":\"C.\"},"
        "{\"id\":\"d\",\"text\":\"D.\"},{\"id\":\"e\",\"text\":\"E.\"},{\"id\":\"f\",\"text\":"
        "\"F.\"}]}");
    forget();
}

/* "a 0.9000 w1.5 v0.2\n" for each hit. */
static const char *found(testhost_reply reply)
{
    bp_buf        *buf = bp_buf_new(call, 65536);
    const bp_json *hits;

    if (reply.status != BP_OK)
        return told(reply);
    hits = bp_json_get(parsed(reply.body), "hits");
    for (size_t i = 0; i < bp_json_count(hits); i++) {
        const bp_json *hit = bp_json_at(hits, i), *legs = bp_json_get(hit, "legs");

        bp_buf_addf(buf, BP_FMT " %.4f", BP_ARG(bp_json_string(bp_json_get(hit, "document"))),
                    bp_json_number(bp_json_get(hit, "score")));
        if (bp_json_get(legs, "words"))
            bp_buf_addf(buf, " w%g", bp_json_number(bp_json_get(legs, "words")));
        if (bp_json_get(legs, "vector"))
            bp_buf_addf(buf, " v%g", bp_json_number(bp_json_get(legs, "vector")));
        bp_buf_add(buf, BP_STR("\n"));
    }
    return bp_buf_str(buf).data;
}

#define SEARCH(members)               request("POST", "/api/v1/search", "{\"query\":\"q\"" members "}")
#define assert_found(members, wanted) assert_string_equal(found(SEARCH(members)), wanted)

static void the_answer_says_all_about_a_hit(void **state)
{
    (void)state;
    START({ "min_similarity", "0" });
    put_letters();
    HITS(words, { 1, 4.5 }, { 2, 1.5 });
    HITS(vector, { 1, 0.75 }, { 3, 0.25 });
    store.search_takes_ns = 1234567;
    assert_told(SEARCH(",\"limit\":2,\"offset\":0"),
                "200 "
                "{\"collection\":\"docs\",\"query\":\"q\",\"count\":2,\"hits\":[{\"chunk\":1,"
                "\"document\":\"a\",\"title\":\"TA\",\"source\":\"SA\",\"heading\":\"\",\"score\":"
                "1,\"start\":0,\"end\":2,\"text\":\"A.\",\"metadata\":{\"n\":1},\"legs\":{"
                "\"words\":4.5,\"vector\":0.75}},{\"chunk\":2,\"document\":\"b\",\"title\":\"\","
                "\"source\":\"\",\"heading\":\"\",\"score\":0,\"start\":0,\"end\":2,\"text\":\"B."
                "\",\"legs\":{\"words\":1.5}}],\"explain\":{\"words\":\"exact\",\"vector\":"
                "\"graph\",\"words_weight\":0.5,\"rows_read\":107,\"took_ms\":1.234}}");
    assert_trace("embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n");
    assert_told(SEARCH(",\"with_text\":false,\"offset\":2"),
                "200 "
                "{\"collection\":\"docs\",\"query\":\"q\",\"count\":1,\"hits\":[{\"chunk\":3,"
                "\"document\":\"c\",\"title\":\"\",\"source\":\"\",\"heading\":\"\",\"score\":0,"
                "\"start\":0,\"end\":2,\"legs\":{\"vector\":0.25}}],\"explain\":{\"words\":"
                "\"exact\",\"vector\":\"graph\",\"words_weight\":0.5,\"rows_read\":107,\"took_ms\":"
                "1.234}}");
    assert_trace("embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n");
    assert_told(SEARCH(",\"with_text\":true,\"collection\":\"docs\",\"min_score\":0.9"),
                "200 "
                "{\"collection\":\"docs\",\"query\":\"q\",\"count\":1,\"hits\":[{\"chunk\":1,"
                "\"document\":\"a\",\"title\":\"TA\",\"source\":\"SA\",\"heading\":\"\",\"score\":"
                "1,\"start\":0,\"end\":2,\"text\":\"A.\",\"metadata\":{\"n\":1},\"legs\":{"
                "\"words\":4.5,\"vector\":0.75}}],\"explain\":{\"words\":\"exact\",\"vector\":"
                "\"graph\",\"words_weight\":0.5,\"rows_read\":107,\"took_ms\":1.234}}");
}

static void two_legs_are_stretched_and_weighed(void **state)
{
    (void)state;
    START({ "min_similarity", "0.3" });
    put_letters();
    HITS(words, { 1, 9 }, { 2, 5 }, { 3, 1 });
    HITS(vector, { 3, 0.9 }, { 4, 0.5 }, { 2, 0.4 }, { 5, 0.3 }, { 6, 0.2 });
    assert_found("", "a 0.5000 w9\n"
                     "c 0.5000 w1 v0.9\n"
                     "b 0.3929 w5 v0.4\n"
                     "d 0.2143 v0.5\n"
                     "e 0.0714 v0.3\n");
    assert_found(",\"words_weight\":0.75", "a 0.7500 w9\n"
                                           "b 0.4464 w5 v0.4\n"
                                           "c 0.2500 w1 v0.9\n"
                                           "d 0.1071 v0.5\n"
                                           "e 0.0357 v0.3\n");
    assert_found(",\"words_weight\":0", "c 1.0000 w1 v0.9\n"
                                        "d 0.4286 v0.5\n"
                                        "b 0.2857 w5 v0.4\n"
                                        "e 0.1429 v0.3\n"
                                        "a 0.0000 w9\n");
    assert_found(",\"words_weight\":1", "a 1.0000 w9\n"
                                        "b 0.5000 w5 v0.4\n"
                                        "c 0.0000 w1 v0.9\n"
                                        "d 0.0000 v0.5\n"
                                        "e 0.0000 v0.3\n");
    assert_found(",\"fusion\":\"rrf\"", "c 0.9841 w1 v0.9\n"
                                        "b 0.9761 w5 v0.4\n"
                                        "a 0.5000 w9\n"
                                        "d 0.4919 v0.5\n"
                                        "e 0.4766 v0.3\n");
    assert_found(",\"fusion\":\"minmax\",\"min_score\":0.25", "a 0.5000 w9\n"
                                                              "c 0.5000 w1 v0.9\n"
                                                              "b 0.3929 w5 v0.4\n");
    assert_found(",\"mode\":\"words\"", "a 1.0000 w9\n"
                                        "b 0.5000 w5\n"
                                        "c 0.0000 w1\n");
    assert_found(",\"mode\":\"vector\"", "c 1.0000 v0.9\n"
                                         "d 0.4286 v0.5\n"
                                         "b 0.2857 v0.4\n"
                                         "e 0.1429 v0.3\n"
                                         "f 0.0000 v0.2\n");
    assert_found(",\"mode\":\"hybrid\"", "a 0.5000 w9\n"
                                         "c 0.5000 w1 v0.9\n"
                                         "b 0.3929 w5 v0.4\n"
                                         "d 0.2143 v0.5\n"
                                         "e 0.0714 v0.3\n");
    store.is_rank_only = true;
    assert_found(",\"mode\":\"words\"", "a 1.0000 w9\n"
                                        "b 0.9839 w5\n"
                                        "c 0.9683 w1\n");
    assert_trace("embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "search C0 limit 100 words \"q\" dimensions 0\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "search C0 limit 100 words \"q\" dimensions 0\n");
}

static void a_leg_of_one_or_of_equals_is_whole(void **state)
{
    (void)state;
    START({ "fusion", "minmax" });
    put_letters();
    HITS(words, { 2, 3 });
    assert_found("", "b 0.5000 w3\n");
    HITS(words, { 5, 3 }, { 2, 3 });
    assert_found("", "b 0.5000 w3\ne 0.5000 w3\n");
    HITS(vector, { 6, -1 });
    assert_found(",\"mode\":\"vector\"", "f 1.0000 v-1\n");
    assert_found("", "b 0.5000 w3\ne 0.5000 w3\n");
}

static void the_options_weigh_too(void **state)
{
    (void)state;
    START({ "words_weight", "0.25" }, { "fusion", "rrf" }, { "min_similarity", "-1" });
    put_letters();
    HITS(words, { 1, 9 }, { 2, 5 });
    HITS(vector, { 3, 0.9 }, { 1, -0.5 });
    assert_found("", "a 0.9879 w9 v-0.5\n"
                     "c 0.7500 v0.9\n"
                     "b 0.2460 w5\n");
    assert_found(",\"fusion\":\"minmax\"", "c 0.7500 v0.9\n"
                                           "a 0.2500 w9 v-0.5\n"
                                           "b 0.0000 w5\n");
    assert_found(",\"words_weight\":0.5", "a 0.9919 w9 v-0.5\n"
                                          "c 0.5000 v0.9\n"
                                          "b 0.4919 w5\n");
}

static void a_lexical_embedder_weighs_little(void **state)
{
    (void)state;
    words.is_lexical = true;
    START({ "words_weight", "-1" }, { "candidates", "12" });
    put_letters();
    HITS(words, { 1, 9 });
    HITS(vector, { 3, 0.9 });
    assert_found("", "a 0.9000 w9\nc 0.1000 v0.9\n");
    assert_found(",\"words_weight\":0", "c 1.0000 v0.9\na 0.0000 w9\n");
    assert_found(",\"limit\":12", "a 0.9000 w9\n"
                                  "c 0.1000 v0.9\n");
    assert_found(",\"limit\":12,\"offset\":1", "c 0.1000 v0.9\n");
    assert_found(",\"limit\":4,\"group_by\":\"document\"", "a 0.9000 w9\n"
                                                           "c 0.1000 v0.9\n");
    assert_found(",\"limit\":4,\"offset\":1,\"group_by\":\"document\"", "c 0.1000 v0.9\n");
    assert_trace("embed query [q]\n"
                 "search C0 limit 12 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 12 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 12 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 13 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 12 words \"q\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C0 limit 15 words \"q\" dimensions 3\n");
}

static void pages_do_not_overlap(void **state)
{
    (void)state;
    START({ "min_similarity", "-1" });
    put_letters();
    HITS(words, { 6, 9 }, { 77, 8 }, { 5, 7 }, { 4, 6 }, { 78, 5 }, { 3, 4 }, { 2, 3 }, { 1, 2 });
    assert_found(",\"mode\":\"words\",\"limit\":2", "f 1.0000 w9\n"
                                                    "e 0.7143 w7\n");
    assert_found(",\"mode\":\"words\",\"limit\":2,\"offset\":2", "d 0.5714 w6\n"
                                                                 "c 0.2857 w4\n");
    assert_found(",\"mode\":\"words\",\"limit\":2,\"offset\":5", "a 0.0000 w2\n");
    assert_found(",\"mode\":\"words\",\"limit\":2,\"offset\":6", "");
    assert_found(",\"mode\":\"words\",\"limit\":2,\"offset\":7", "");
    assert_found(",\"mode\":\"words\",\"limit\":200", "f 1.0000 w9\n"
                                                      "e 0.7143 w7\n"
                                                      "d 0.5714 w6\n"
                                                      "c 0.2857 w4\n"
                                                      "b 0.1429 w3\n"
                                                      "a 0.0000 w2\n");
}

/* 90 passages of one document, then two documents of one. */
static void put_long(void)
{
    char   body[8192];
    size_t len = (size_t)snprintf(body, sizeof(body),
                                  "{\"id\":\"long\",\"format\":\"markdown\",\"text\":\"");

    make_collection("docs");
    for (int i = 0; i < 90; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "# H%d\\n\\nText %d.\\n\\n", i, i);
    snprintf(body + len, sizeof(body) - len, "\"}");
    put(body);
    put("{\"id\":\"b\",\"text\":\"B.\"}");
    put("{\"id\":\"c\",\"text\":\"C.\"}");
    assert_rows("SELECT COUNT(*) FROM retrieval_chunks", "92\n");
    store.words_count = 92;
    for (uint32_t i = 0; i < 92; i++)
        store.by_words[i] = (bp_hit){ i + 1, 101 - i };
}

static void documents_are_found_behind_many_passages_of_one(void **state)
{
    (void)state;
    START({ "candidates", "100" });
    put_long();
    assert_found(",\"mode\":\"words\",\"limit\":3,\"group_by\":\"document\"", "long 1.0000 w101\n"
                                                                              "b 0.0110 w11\n"
                                                                              "c 0.0000 w10\n");
    assert_found(",\"mode\":\"words\",\"limit\":3,\"offset\":1,\"group_by\":\"document\"",
                 "b 0.0110 w11\n"
                 "c 0.0000 w10\n");
    assert_found(",\"mode\":\"words\",\"limit\":3,\"group_by\":\"chunk\"", "long 1.0000 w101\n"
                                                                           "long 0.9890 w100\n"
                                                                           "long 0.9780 w99\n");
    assert_found(",\"mode\":\"words\",\"limit\":1,\"offset\":91", "c 0.0000 w10\n");
}

static void what_is_no_search_is_refused(void **state)
{
    char *text = malloc(9000);
    (void)state;
    START({ "candidates", "10" });
    make_collection("docs");
    forget();
    assert_told(request("POST", "/api/v1/search", "[1]"),
                "400 the body must be a JSON object with \"query\"");
    assert_told(request("POST", "/api/v1/search", "{"),
                "400 this is not JSON that can be read: string or '}' expected near end of file, "
                "at byte 1");
    assert_told(request("POST", "/api/v1/search", "{\"query\":\"\"}"),
                "400 the query must have 1 to 8,192 bytes");
    assert_told(request("POST", "/api/v1/search", "{}"),
                "400 the query must have 1 to 8,192 bytes");
    assert_told(SEARCH(",\"offset\":-1"), "400 \"offset\" must be a number from 0 to 1000");
    assert_told(SEARCH(",\"offset\":1001"), "400 \"offset\" must be a number from 0 to 1000");
    assert_told(SEARCH(",\"limit\":0"), "400 \"limit\" must be a number from 1 to 200");
    assert_told(SEARCH(",\"limit\":201"), "400 \"limit\" must be a number from 1 to 200");
    assert_told(SEARCH(",\"mode\":\"words \""),
                "400 \"mode\" is \"hybrid\", \"words\" or \"vector\"");
    assert_told(SEARCH(",\"group_by\":\"chunks\""),
                "400 \"group_by\" is \"chunk\" or \"document\"");
    assert_told(SEARCH(",\"fusion\":\"max\""), "400 \"fusion\" is \"minmax\" or \"rrf\"");
    assert_told(SEARCH(",\"words_weight\":-0.5"),
                "400 \"words_weight\" must be a number from 0 to 1");
    assert_told(SEARCH(",\"words_weight\":1.5"),
                "400 \"words_weight\" must be a number from 0 to 1");
    assert_told(SEARCH(",\"limit\":\"5\""), "400 \"limit\" must be an integer");
    assert_told(SEARCH(",\"min_score\":true"), "400 \"min_score\" must be a number");
    assert_told(SEARCH(",\"with_text\":1"), "400 \"with_text\" must be true or false");
    assert_told(SEARCH(",\"mode\":3"), "400 \"mode\" must be a text");
    assert_told(SEARCH(",\"limits\":3"),
                "400 there is no member \"limits\" here: did you mean \"limit\"?");
    assert_told(SEARCH(",\"lim\":3"),
                "400 there is no member \"lim\" here: did you mean \"limit\"?");
    assert_told(SEARCH(",\"li\":3"), "400 there is no member \"li\" here");
    assert_told(SEARCH(",\"filter\":3"),
                "400 filter: each level is an object, and there are at most 8 of them");
    assert_told(SEARCH(",\"collection\":\"none\""), "404 there is no collection \"none\"");
    assert_trace("");
    for (size_t len = 8192; len <= 8193; len++) {
        memset(text, 'q', len);
        text[len] = '\0';
        app_call();
        assert_int_equal(testhost_request_app(call, instance, "POST", "/api/v1/search", NULL,
                                              bp_format(call,
                                                        "{\"query\":\"%s\",\"offset\":1000,"
                                                        "\"limit\":200}",
                                                        text))
                             .status,
                         len == 8192 ? BP_OK : BP_INVALID);
    }
    free(text);
}

static void a_search_by_get_reads_its_query(void **state)
{
    (void)state;
    START({ "candidates", "10" });
    put_letters();
    HITS(words, { 1, 9 }, { 2, 5 });
    assert_told(request("GET", "/api/search?q=two%20words&limit=1&mode=words", ""),
                "200 {\"collection\":\"docs\",\"query\":\"two "
                "words\",\"count\":1,\"hits\":[{\"chunk\":1,\"document\":\"a\",\"title\":\"TA\","
                "\"source\":\"SA\",\"heading\":\"\",\"score\":1,\"start\":0,\"end\":2,\"text\":\"A."
                "\",\"metadata\":{\"n\":1},\"legs\":{\"words\":9}}],\"explain\":{\"words\":"
                "\"exact\",\"vector\":\"none\",\"words_weight\":1,\"rows_read\":100,\"took_ms\":0}"
                "}");
    assert_told(request("GET", "/api/search?q=x&collection=none", ""),
                "404 there is no collection \"none\"");
    assert_told(request("GET", "/api/search?q=x&limit=0", ""),
                "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/search?q=x&limit=201", ""),
                "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/search?q=x&limit=2x", ""),
                "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/search?q=x&limit=%20", ""),
                "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/search?q=x&limit=", ""),
                "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/search?q=x&limit=99999999999999999999", ""),
                "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/search?q=x&mode=fast", ""),
                "400 \"mode\" is \"hybrid\", \"words\" or \"vector\"");
    assert_told(request("GET", "/api/search", ""), "400 the query must have 1 to 8,192 bytes");
    assert_trace("search C0 limit 10 words \"two words\" dimensions 0\n");
    assert_string_equal(found(request("GET", "/api/search?q=x&limit=200", "")), "a 0.5000 w9\n"
                                                                                "b 0.0000 w5\n");
    assert_string_equal(found(request("GET", "/api/search?q=x&limit=199&mode=vector", "")), "");
    assert_string_equal(found(request("GET", "/api/search?q=x&mode=hybrid", "")), "a 0.5000 w9\n"
                                                                                  "b 0.0000 w5\n");
    assert_trace("embed query [x]\n"
                 "search C0 limit 200 words \"x\" dimensions 3\n"
                 "embed query [x]\n"
                 "search C0 limit 199 words \"\" dimensions 3\n"
                 "embed query [x]\n"
                 "search C0 limit 10 words \"x\" dimensions 3\n");
}

static void searches_are_counted_by_their_outcome(void **state)
{
    (void)state;
    START({ "candidates", "10" });
    put_letters();
    assert_found("", "");
    HITS(words, { 1, 9 });
    assert_found("", "a 0.5000 w9\n");
    assert_found("", "a 0.5000 w9\n");
    fail_with(EMBED, BP_UNAVAILABLE);
    for (int i = 0; i < 3; i++)
        assert_found("", "a 0.5000 w9\n");
    assert_true(testhost_metric(host, "retrieval_searches_total", "outcome=no_hits") == 1);
    assert_true(testhost_metric(host, "retrieval_searches_total", "outcome=hits") == 2);
    assert_true(testhost_metric(host, "retrieval_searches_total", "outcome=degraded") == 3);
}

static void a_query_without_a_direction_has_no_vector(void **state)
{
    (void)state;
    START({ "candidates", "10" });
    put_letters();
    HITS(words, { 1, 9 });
    HITS(vector, { 2, 9 });
    assert_string_equal(found(request("POST", "/api/v1/search", "{\"query\":\"100 %\"}")),
                        "a 0.5000 w9\n");
    assert_string_equal(found(request("POST", "/api/v1/search",
                                      "{\"query\":\"100 %\",\"mode\":\"vector\"}")),
                        "");
    assert_trace("embed query [100 %]\nsearch C0 limit 10 words \"100 %\" dimensions 0\nembed "
                 "query [100 %]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_answer_says_all_about_a_hit),
        TEST(two_legs_are_stretched_and_weighed),
        TEST(a_leg_of_one_or_of_equals_is_whole),
        TEST(the_options_weigh_too),
        TEST(a_lexical_embedder_weighs_little),
        TEST(pages_do_not_overlap),
        TEST(documents_are_found_behind_many_passages_of_one),
        TEST(what_is_no_search_is_refused),
        TEST(a_search_by_get_reads_its_query),
        TEST(searches_are_counted_by_their_outcome),
        TEST(a_query_without_a_direction_has_no_vector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
