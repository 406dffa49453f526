/* test_collections.c - collections.c and tools.c: collections are made, shown and kept apart by
 * tenant, and what the tools show models.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#define MAKE(body) request("POST", "/api/v1/collections", body)

static void a_collection_is_made_once(void **state)
{
    (void)state;
    START({ "collection", "notes" });
    assert_told(MAKE("{\"name\":\"notes\",\"language\":\"de\"}"),
                "200 "
                "{\"name\":\"notes\",\"language\":\"de\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,\"state\":\"ready\"}");
    assert_trace("create C0 m1 de 3 0\n");
    assert_told(MAKE("{\"name\":\"notes\",\"language\":\"de\"}"),
                "200 "
                "{\"name\":\"notes\",\"language\":\"de\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,\"state\":\"ready\"}");
    assert_told(MAKE("{\"name\":\"notes\"}"),
                "200 "
                "{\"name\":\"notes\",\"language\":\"de\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,\"state\":\"ready\"}");
    assert_told(MAKE("{\"name\":\"notes\",\"language\":\"en\"}"),
                "409 collection \"notes\" is there already, with the language \"de\"");
    assert_told(request("POST", "/api/v1/collections/more", ""),
                "200 "
                "{\"name\":\"more\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,\"state\":\"ready\"}");
    assert_told(request("POST", "/api/v1/collections/mine", "{\"name\":\"other\"}"),
                "200 "
                "{\"name\":\"mine\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,\"state\":\"ready\"}");
    assert_trace("create C1 m1 en 3 0\ncreate C2 m1 en 3 0\n");
    assert_told(request("GET", "/api/v1/collections/more", ""),
                "200 "
                "{\"name\":\"more\",\"language\":\"en\",\"model\":\"m1\",\"dimensions\":3,"
                "\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,\"state\":\"ready\"}");
    assert_told(request("GET", "/api/v1/collections/none", ""),
                "404 there is no collection \"none\"");
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"mine\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"},{\"name\":\"more\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"},{\"name\":\"notes\",\"language\":\"de\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"}]}");
    assert_told(request("POST", "/api/v1/documents", "{\"id\":\"a\",\"text\":\"A.\"}"),
                "200 "
                "{\"collection\":\"notes\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
}

static void what_is_no_collection_is_refused(void **state)
{
    static const char *const names[] = { "",    "a b", "a/b", "\xc3\xa4", "a:b",
                                         "a@b", "a`b", "a[b", "a{b",      "a,b" };
    char                     body[256], name[66];

    (void)state;
    START({ "queue", "1" });
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(body, sizeof(body), "{\"name\":\"%s\"}", names[i]);
        assert_int_equal(MAKE(body).status, BP_INVALID);
    }
    assert_told(MAKE("{\"name\":\"a b\"}"),
                "400 \"a b\" is no name for a collection: [A-Za-z0-9_.-]{1,64}");
    for (size_t len = 64; len <= 65; len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        snprintf(body, sizeof(body), "{\"name\":\"%s\"}", name);
        assert_int_equal(MAKE(body).status, len == 64 ? BP_OK : BP_INVALID);
    }
    assert_int_equal(MAKE("{\"name\":\"azAZ09_.-\"}").http_status, 200);
    assert_int_equal(MAKE("{\"name\":\"a\",\"language\":\"0123456789012345\"}").http_status, 200);
    assert_told(MAKE("{\"name\":\"b\",\"language\":\"01234567890123456\"}"),
                "400 a language is a BCP 47 tag such as \"en\", not \"01234567890123456\"");
    assert_told(MAKE("[]"), "400 the body must be a JSON object");
    assert_told(MAKE("{"), "400 this is not JSON that can be read: string or '}' expected near end "
                           "of file, at byte 1");
    assert_told(MAKE("{\"name\":1}"), "400 \"name\" must be a text");
    assert_told(MAKE("{\"nam\":\"a\"}"),
                "400 there is no member \"nam\" here: did you mean \"name\"?");
    assert_told(MAKE(""), "400 \"\" is no name for a collection: [A-Za-z0-9_.-]{1,64}");
    fail_at(INFO, BP_UNAVAILABLE, 0, 1);
    stop();
    START({ "queue", "1" });
    assert_told(MAKE("{\"name\":\"new\"}"), "503 info fails on purpose");
    fail_at(CREATE, BP_UNAVAILABLE, 0, 1);
    assert_told(MAKE("{\"name\":\"new\"}"), "503 create fails on purpose");
}

static void tenants_do_not_see_each_other(void **state)
{
    static const bp_principal other = { .struct_size = sizeof(other),
                                        .tenant = { "other", 5 },
                                        .scopes = { "*", 1 } };

    (void)state;
    START({ "collection", "docs" });
    make_collection("docs");
    put("{\"id\":\"a\",\"text\":\"A.\"}");
    principal = other;
    assert_told(request("GET", "/api/v1/collections", ""), "200 {\"collections\":[]}");
    assert_told(request("GET", "/api/v1/collections/docs/documents/a", ""),
                "404 there is no collection \"docs\"");
    make_collection("docs");
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"}]}");
    principal.tenant = BP_STR("default");
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":1,\"ready\":1,\"versions\":0,\"passages\":1,"
                "\"state\":\"ready\"}]}");
}

static void a_store_that_is_away_is_asked_once(void **state)
{
    (void)state;
    START({ "collection", "docs" });
    make_collection("c1");
    make_collection("c2");
    make_collection("c3");
    fail_at(COUNT, BP_UNAVAILABLE, 0, 1);
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"c1\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":null,"
                "\"state\":\"ready\"},{\"name\":\"c2\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":null,"
                "\"state\":\"ready\"},{\"name\":\"c3\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":null,"
                "\"state\":\"ready\"}]}");
    fail_at(COUNT, BP_DATA, 0, 1);
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"c1\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":null,"
                "\"state\":\"ready\"},{\"name\":\"c2\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"},{\"name\":\"c3\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"}]}");
    assert_told(request("GET", "/api/v1/collections", ""),
                "200 "
                "{\"collections\":[{\"name\":\"c1\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"},{\"name\":\"c2\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"},{\"name\":\"c3\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"}]}");
}

static void models_search_read_and_list(void **state)
{
    (void)state;
    START({ "collection", "docs" });
    make_collection("docs");
    make_collection("more");
    put("{\"documents\":[{\"id\":\"a\",\"title\":\"T\",\"text\":\"A.\"},{\"id\":\"b\",\"text\":\"B."
        "\"}]}");
    store.by_words[0] = (bp_hit){ 1, 3 };
    store.by_words[1] = (bp_hit){ 2, 1 };
    store.words_count = 2;
    store.by_vector[0] = (bp_hit){ 2, 1 };
    store.vector_count = 1;
    forget();
    assert_json(result_of("search_documents", "{\"query\":\"q\"}"),
                "{\"collection\":\"docs\",\"hits\":[{\"chunk\":1,\"document\":\"a\",\"title\":"
                "\"T\",\"source\":\"\",\"heading\":\"\",\"score\":0.5,\"start\":0,\"end\":2,"
                "\"text\":\"A.\",\"legs\":{\"words\":3}},{\"chunk\":2,\"document\":\"b\",\"title\":"
                "\"\",\"source\":\"\",\"heading\":\"\",\"score\":0.5,\"start\":0,\"end\":2,"
                "\"text\":\"B.\",\"legs\":{\"words\":1,\"vector\":1}}]}");
    assert_json(result_of("search_documents", "{\"query\":\"q\",\"limit\":1,\"mode\":\"words\"}"),
                "{\"collection\":\"docs\",\"hits\":[{\"chunk\":1,\"document\":\"a\",\"title\":"
                "\"T\",\"source\":\"\",\"heading\":\"\",\"score\":1,\"start\":0,\"end\":2,\"text\":"
                "\"A.\",\"legs\":{\"words\":3}}]}");
    assert_json(result_of("search_documents",
                          "{\"query\":\"q\",\"mode\":\"vector\",\"collection\":\"docs\"}"),
                "{\"collection\":\"docs\",\"hits\":[{\"chunk\":2,\"document\":\"b\",\"title\":\"\","
                "\"source\":\"\",\"heading\":\"\",\"score\":1,\"start\":0,\"end\":2,\"text\":\"B."
                "\",\"legs\":{\"vector\":1}}]}");
    assert_json(result_of("search_documents",
                          "{\"query\":\"q\",\"mode\":\"hybrid\",\"collection\":\"more\"}"),
                "{\"collection\":\"more\",\"hits\":[{\"chunk\":1,\"document\":\"a\",\"title\":"
                "\"T\",\"source\":\"\",\"heading\":\"\",\"score\":0.5,\"start\":0,\"end\":2,"
                "\"text\":\"A.\",\"legs\":{\"words\":3}},{\"chunk\":2,\"document\":\"b\",\"title\":"
                "\"\",\"source\":\"\",\"heading\":\"\",\"score\":0.5,\"start\":0,\"end\":2,"
                "\"text\":\"B.\",\"legs\":{\"words\":1,\"vector\":1}}]}");
    assert_trace("embed query [q]\n"
                 "search C0 limit 100 words \"q\" dimensions 3\n"
                 "search C0 limit 100 words \"q\" dimensions 0\n"
                 "embed query [q]\n"
                 "search C0 limit 100 words \"\" dimensions 3\n"
                 "embed query [q]\n"
                 "search C1 limit 100 words \"q\" dimensions 3\n");
    fail_with(EMBED, BP_UNAVAILABLE);
    assert_json(result_of("search_documents", "{\"query\":\"q\",\"limit\":1}"),
                "{\"collection\":\"docs\",\"degraded\":\"the embedder \\\"words\\\" cannot be "
                "reached: these passages were found by their words "
                "alone\",\"hits\":[{\"chunk\":1,\"document\":\"a\",\"title\":\"T\",\"source\":\"\","
                "\"heading\":\"\",\"score\":0.5,\"start\":0,\"end\":2,\"text\":\"A.\",\"legs\":{"
                "\"words\":3}}]}");
    assert_true(testhost_metric(host, "retrieval_searches_total", "outcome=hits") == 4);
    assert_true(testhost_metric(host, "retrieval_searches_total", "outcome=degraded") == 1);
    assert_json(result_of("list_collections", "{}"),
                "{\"collections\":[{\"name\":\"docs\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":2,\"ready\":2,\"versions\":0,\"passages\":2,"
                "\"state\":\"ready\"},{\"name\":\"more\",\"language\":\"en\",\"model\":\"m1\","
                "\"dimensions\":3,\"documents\":0,\"ready\":0,\"versions\":0,\"passages\":0,"
                "\"state\":\"ready\"}]}");
    assert_string_equal(tool("read_document", "{\"document\":\"a\"}").result.data,
                        "{\"content\":[{\"type\":\"text\",\"text\":\"A.\"}]}");
    assert_int_equal(tool("read_document", "{\"document\":\"x\"}").status, BP_NOT_FOUND);
    assert_string_equal(bp_error_of(call)->message.data,
                        "collection \"docs\" has no document \"x\": search_documents finds them");
    assert_int_equal(tool("read_document", "{\"document\":\"a\",\"collection\":\"no\"}").status,
                     BP_NOT_FOUND);
    assert_int_equal(tool("read_document", "{}").status, BP_INVALID);
    assert_int_equal(tool("search_documents", "{\"query\":\"q\",\"collection\":\"no\"}").status,
                     BP_NOT_FOUND);
    fail_with(SEARCH, BP_IO);
    assert_int_equal(tool("search_documents", "{\"query\":\"q\"}").status, BP_IO);
}

/* The problem of options that cannot be, or "". */
static const char *problem_of(const char *name, const char *value, const char *name2,
                              const char *value2)
{
    const testhost_option options[] = { { "storage", "rows" },
                                        { "vector", "docs" },
                                        { "embed", "words" },
                                        { name, value },
                                        { name2, value2 } };

    return testhost_check(host, plugin, options, name2 ? 5 : 4) == BP_OK ? ""
                                                                         : testhost_problem(host);
}

static void options_are_checked_together(void **state)
{
    (void)state;
    assert_string_equal(problem_of("collection", "a b", NULL, NULL),
                        "app/retrieval \"checked\": check: invalid: collection: \"a b\" is no name "
                        "for a collection: [A-Za-z0-9_.-]{1,64}");
    assert_string_equal(problem_of("chunk_tokens", "100", "chunk_overlap", "50"), "");
    assert_string_equal(problem_of("chunk_tokens", "100", "chunk_overlap", "51"),
                        "app/retrieval \"checked\": check: invalid: chunk_overlap: it may be at "
                        "most half of chunk_tokens (100)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_collection_is_made_once),     TEST(what_is_no_collection_is_refused),
        TEST(tenants_do_not_see_each_other), TEST(a_store_that_is_away_is_asked_once),
        TEST(models_search_read_and_list),   TEST(options_are_checked_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
