/* test_qdrant.c - what vector/qdrant asks and makes of scripted answers. With a server:
 * integration.qdrant. */
#include "plugins/plugin_test.h"

#include <math.h>

#define URL "http://q:6333/collections/x-docs"
#define POINT_ZERO                                                                                 \
    "{\"result\":{\"id\":0,\"payload\":{\"backplane\":{\"format\":1,\"model\":\"m\",\"language\":" \
    "\"en\",\"dimensions\":2,"                                                                     \
    "\"metric\":0}}},\"status\":\"ok\"}"
#define DONE "{\"result\":{\"status\":\"completed\"}}"

static const bp_vector_ops *ops;
static void                *self;
static const bp_str         docs = { "docs", 4 };

static int setup(void **state)
{
    const testhost_option options[] = { { "url", "http://q:6333/" },
                                        { "api_key", "s3cret" },
                                        { "prefix", "x-" } };
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/vector/qdrant.so") != 0)
        return -1;
    start(options, 3);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static void answer(const char *method, const char *url, const char *json)
{
    testhost_http_answer(host, method, url, 200, "Content-Type: application/json\r\n",
                         bp_str_of(json));
}

static void collection_is_there(void)
{
    answer("GET", URL "/points/0", POINT_ZERO);
}

static testhost_request last_request(void)
{
    return testhost_request_at(host, testhost_request_count(host) - 1);
}

static void assert_sent(const char *text)
{
    testhost_request sent = last_request();
    if (!sent.body.len || !strstr(sent.body.data, text))
        fail_msg("\"" BP_FMT "\" has no \"%s\"", BP_ARG(sent.body), text);
}

static bp_status make(uint32_t dimensions, const char *model)
{
    const bp_vector_schema schema = { .struct_size = sizeof(schema),
                                      .dimensions = dimensions,
                                      .metric = BP_COSINE,
                                      .model = bp_str_of(model) };
    next_call();
    return ops->create(call, self, docs, &schema);
}

static void a_new_collection_gets_its_point_zero_last(void **state)
{
    (void)state;
    testhost_http_answer(host, "GET", URL, 404, "",
                         BP_STR("{\"status\":{\"error\":\"Not found\"}}"));
    answer("PUT", URL, "{\"result\":true}");
    answer("PUT", URL "/index?wait=true", DONE);
    answer("PUT", URL "/points?wait=true", DONE);
    assert_ok(make(2, "m"));
    assert_int_equal(testhost_request_count(host), 5);
    assert_string_equal(last_request().url, URL "/points?wait=true");
    assert_sent("\"backplane\":{\"format\":1,\"model\":\"m\",\"language\":\"en\",\"dimensions\":2,"
                "\"metric\":0}");
    assert_non_null(strstr(testhost_request_at(host, 0).headers, "api-key: s3cret"));
}

static void another_schema_or_a_collection_of_others_is_a_conflict(void **state)
{
    (void)state;
    answer("GET", URL,
           "{\"result\":{\"config\":{\"params\":{\"vectors\":{\"size\":2,\"distance\":\"Cosine\"}}}"
           "}}");
    collection_is_there();
    assert_ok(make(2, "m"));
    assert_status(make(3, "m"), BP_CONFLICT);
    assert_status(make(2, "other"), BP_CONFLICT);
    assert_said("was made for the embedder \"m\", not for \"other\"");
    testhost_http_answer(host, "GET", URL "/points/0", 404, "", BP_STR(""));
    answer("POST", URL "/points/count", "{\"result\":{\"count\":7}}");
    assert_status(make(2, "m"), BP_CONFLICT);
    assert_said("was not made by Backplane");
}

static void a_point_that_is_wrong_is_refused_before_anything_is_sent(void **state)
{
    static const float zero[] = { 0, 0 }, nan_[] = { 1, NAN }, good[] = { 3, 4 };
    const struct {
        bp_point    point;
        const char *said;
    } wrong[] = {
        { { .id = 0, .vector = good }, "1 to 2^63 - 1" },
        { { .id = UINT64_MAX, .vector = good }, "1 to 2^63 - 1" },
        { { .id = 2, .vector = zero }, "no direction" },
        { { .id = 2, .vector = nan_ }, "a number that is not finite" },
        { { .id = 2, .metadata = BP_STR("[]") }, "no JSON object" },
        { { .id = 2, .metadata = BP_STR("{\"a\":null}") }, "more than strings" },
        { { .id = 2, .metadata = BP_STR("{\"a\":[[1]]}") }, "more than strings" },
        { { .id = 2, .words = BP_STR("\xff") }, "UTF-8" },
    };
    (void)state;
    collection_is_there();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const bp_point points[] = { { .struct_size = sizeof(bp_point), .id = 1, .vector = good },
                                    wrong[i].point };
        next_call();
        assert_status(ops->upsert(call, self, docs, points, sizeof(bp_point), 2), BP_INVALID);
        assert_said(wrong[i].said);
    }
    assert_int_equal(testhost_request_count(host), 1); // what the collection is
}

static void a_point_is_written_with_its_words_and_helpers(void **state)
{
    static const float vector[] = { 0.5f, -1.25f };
    const bp_point     point = { .struct_size = sizeof(point),
                                 .id = 7,
                                 .vector = vector,
                                 .words = BP_STR("Trains, trains!"),
                                 .metadata = BP_STR("{\"lang\":\"e\xc3\xa9\",\"n\":3}") };
    (void)state;
    collection_is_there();
    answer("PUT", URL "/points?wait=true&ordering=weak", DONE);
    next_call();
    assert_ok(ops->upsert(call, self, docs, &point, sizeof(point), 1));
    assert_sent("\"id\":7,\"vector\":{\"dense\":[0.5,-1.25],\"words\":{\"indices\":[");
    assert_sent("\"m\":{\"lang\":\"e\xc3\xa9\",\"n\":3},\"k\":[\"lang\",\"n\"],\"p\":{\"lang\":[");
    assert_sent("\"w\":\"Trains, trains!\",\"n\":2,\"t\":[");
}

struct seen {
    uint64_t ids[8];
    size_t   count;
    float    first;
};

static bp_status see(bp_call *of, void *arg, const bp_point *point)
{
    struct seen *seen = arg;
    (void)of;
    if (point->vector)
        seen->first = point->vector[0];
    assert_true(bp_str_is(point->metadata, "{\"a\":1}"));
    seen->ids[seen->count++] = point->id;
    return BP_OK;
}

static void points_come_out_as_they_went_in(void **state)
{
    struct seen         seen = { .count = 0 };
    const bp_point_sink sink = { sizeof(sink), see, &seen };
    (void)state;
    collection_is_there();
    answer("POST", URL "/points/scroll",
           "{\"result\":{\"points\":[{\"id\":5,\"payload\":{\"m\":{\"a\":1},\"w\":\"x\"},"
           "\"vector\":{\"dense\":[0.6,0.8]}},{\"id\":9,\"payload\":{\"m\":{\"a\":1},\"w\":\"\"},"
           "\"vector\":{}}],\"next_page_offset\":null}}");
    next_call();
    assert_ok(ops->scroll(call, self, docs, NULL, 4, 100, &sink));
    assert_sent("\"offset\":5,\"limit\":100");
    assert_int_equal(seen.count, 2);
    assert_true(seen.ids[0] == 5 && seen.ids[1] == 9 && seen.first == 0.6f);
}

static void what_is_removed_is_counted(void **state)
{
    const uint64_t ids[] = { 3, 4 };
    uint64_t       removed = 0;
    (void)state;
    collection_is_there();
    answer("POST", URL "/points/count", "{\"result\":{\"count\":2}}");
    answer("POST", URL "/points/delete?wait=true&ordering=weak", DONE);
    next_call();
    assert_ok(ops->remove(call, self, docs, ids, 2, NULL, &removed));
    assert_int_equal(removed, 2);
    assert_sent("{\"points\":[3,4]}");
    next_call();
    assert_ok(ops->remove(call, self, docs, NULL, 0,
                          &(bp_filter){ .struct_size = sizeof(bp_filter),
                                        .op = BP_FILTER_EXISTS,
                                        .field = BP_STR("a") },
                          NULL));
    assert_sent("{\"filter\":{\"must_not\":[{\"has_id\":[0]}],\"must\":[{\"must\":[{\"key\":\"k\","
                "\"match\":{\"value\":\"a\"}}]}]}}");
}

static bp_status collect(bp_call *of, void *arg, bp_str bytes)
{
    (void)of;
    bp_buf_add(arg, bytes);
    return BP_OK;
}

static void a_snapshot_is_fetched_and_does_not_stay(void **state)
{
    bp_buf      *buf;
    bp_byte_sink sink = { .struct_size = sizeof(sink), .write = collect };
    (void)state;
    collection_is_there();
    answer("POST", URL "/snapshots?wait=true", "{\"result\":{\"name\":\"s1\",\"size\":9}}");
    answer("GET", URL "/snapshots/s1", "the bytes of a snapshot, longer than a piece");
    answer("DELETE", URL "/snapshots/s1", "{\"result\":true}");
    next_call();
    sink.self = buf = bp_buf_new(call, 1000);
    assert_ok(ops->snapshot(call, self, docs, &sink));
    assert_true(bp_str_is(bp_buf_str(buf), "the bytes of a snapshot, longer than a piece"));
    assert_string_equal(last_request().method, "DELETE");
}

static void a_snapshot_may_be_larger_than_other_answers(void **state)
{
    static char  large[5 << 20];
    bp_byte_sink sink = { .struct_size = sizeof(sink), .write = collect };
    bp_buf      *buf;
    bp_str       bytes = bp_str_n(large, sizeof(large)), taken;
    (void)state;
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 7 + i / 1000);
    collection_is_there();
    answer("POST", URL "/snapshots?wait=true", "{\"result\":{\"name\":\"s1\"}}");
    testhost_http_answer(host, "GET", URL "/snapshots/s1", 200, "", bytes);
    answer("DELETE", URL "/snapshots/s1", "{\"result\":true}");
    next_call();
    sink.self = buf = bp_buf_new(call, sizeof(large) + 1);
    assert_ok(ops->snapshot(call, self, docs, &sink));
    taken = bp_buf_str(buf);
    assert_true(taken.len == bytes.len && memcmp(taken.data, bytes.data, bytes.len) == 0);
}

static void collections_of_others_are_not_listed(void **state)
{
    const bp_vector_info *infos;
    size_t                count;
    (void)state;
    answer("GET", "http://q:6333/collections",
           "{\"result\":{\"collections\":[{\"name\":\"x-zoo\"},{\"name\":\"x-docs\"},{\"name\":"
           "\"other\"},{\"name\":\"x-bare\"}]}}");
    collection_is_there();
    answer("GET", "http://q:6333/collections/x-zoo/points/0", POINT_ZERO);
    testhost_http_answer(host, "GET", "http://q:6333/collections/x-bare/points/0", 404, "",
                         BP_STR(""));
    answer("POST", URL "/points/count", "{\"result\":{\"count\":12}}");
    answer("POST", "http://q:6333/collections/x-zoo/points/count", "{\"result\":{\"count\":0}}");
    next_call();
    assert_ok(ops->list(call, self, &infos, &count));
    assert_int_equal(count, 2);
    assert_true(bp_str_is(infos[0].name, "docs") && infos[0].count == 12 &&
                infos[0].dimensions == 2);
    assert_true(bp_str_is(infos[1].name, "zoo") && bp_str_is(infos[1].model, "m"));
}

static void fail_with(int32_t http_status, const char *headers, const char *body,
                      bp_status expected)
{
    uint64_t count;
    testhost_http_answer(host, "POST", URL "/points/count", http_status, headers, bp_str_of(body));
    next_call();
    assert_status(ops->count(call, self, docs, NULL, &count), expected);
    assert_int_equal(bp_error_of(call)->upstream_status,
                     expected == BP_UPSTREAM && http_status == 200 ? 0 : http_status);
}

static void errors_of_the_server_keep_their_meaning(void **state)
{
    (void)state;
    collection_is_there();
    fail_with(429, "Retry-After: 7\r\n", "{\"status\":{\"error\":\"slow down\"}}", BP_LIMIT);
    assert_said("http://q:6333/collections/x-docs/points/count answered 429: slow down");
    assert_int_equal(bp_error_of(call)->retry_after_ns, BP_SECONDS(7));
    fail_with(403, "", "{\"status\":{\"error\":\"key s3cret is read only\"}}", BP_DENIED);
    assert_null(strstr(bp_error_of(call)->message.data, "s3cret"));
    fail_with(404, "", "{\"status\":{\"error\":\"Not found: Collection `x-docs` doesn't exist!\"}}",
              BP_NOT_FOUND);
    fail_with(400, "", "{\"status\":{\"error\":\"Wrong input\"}}", BP_INVALID);
    fail_with(500, "", "{\"status\":{\"error\":\"No space left on device\"}}", BP_FULL);
    fail_with(503, "", "<html>", BP_UNAVAILABLE);
    fail_with(200, "", "{\"hello\":1}", BP_UPSTREAM);
    assert_said("an answer that is not from Qdrant: check the url");
    fail_with(200, "", "", BP_UPSTREAM);
}

/* What the plugin has checked against point 0 cannot be the caller's mistake. */
static void another_dimension_on_the_server_is_the_servers_fault(void **state)
{
    const char *wrong = "{\"status\":{\"error\":\"Wrong input: Vector dimension error: expected "
                        "dim: 3, got 2\"}}";
    static const float    vector[] = { 3, 4 };
    const bp_point        point = { .struct_size = sizeof(point), .id = 1, .vector = vector };
    const bp_vector_query query = { .struct_size = sizeof(query),
                                    .collection = docs,
                                    .vector = vector,
                                    .dimensions = 2,
                                    .limit = 3 };
    bp_leg                by_vector = { .struct_size = sizeof(by_vector) }, by_words = by_vector;

    (void)state;
    collection_is_there();
    testhost_http_answer(host, "PUT", URL "/points?wait=true&ordering=weak", 400, "",
                         bp_str_of(wrong));
    testhost_http_answer(host, "POST", URL "/points/query/batch", 400, "", bp_str_of(wrong));
    next_call();
    assert_status(ops->upsert(call, self, docs, &point, sizeof(point), 1), BP_UPSTREAM);
    assert_said("answered 400: Wrong input: Vector dimension error: expected dim: 3, got 2");
    assert_said("drop it and put the documents in again");
    assert_int_equal(bp_error_of(call)->upstream_status, 400);
    next_call();
    assert_status(ops->search(call, self, &query, &by_vector, &by_words), BP_UPSTREAM);
    assert_said("other vectors than the embedder of this conf makes");
}

static void a_write_that_breaks_off_says_how_far_it_came(void **state)
{
    enum { COUNT = 12, WORDS = 1 << 20 };
    bp_point points[COUNT] = { { .id = 0 } };
    char    *words = malloc(WORDS);

    (void)state;
    assert_non_null(words);
    memset(words, 'x', WORDS);
    for (size_t i = 0; i < COUNT; i++)
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = i + 1,
                                .words = bp_str_n(words, WORDS) };
    collection_is_there();
    answer("PUT", URL "/points?wait=true&ordering=weak", DONE);
    testhost_http_answer(host, "PUT", URL "/points?wait=true&ordering=weak", 503,
                         "Retry-After: 3\r\n",
                         BP_STR("{\"status\":{\"error\":\"out of service\"}}"));
    next_call();
    assert_status(ops->upsert(call, self, docs, points, sizeof(bp_point), COUNT), BP_UNAVAILABLE);
    assert_said("answered 503: out of service (2 of 12 points had been written, and up to 2 more "
                "may have been; the same call again is safe");
    assert_int_equal(bp_error_of(call)->retry_after_ns, BP_SECONDS(3));
    assert_int_equal(bp_error_of(call)->upstream_status, 503);
    assert_int_equal(testhost_request_count(host), 3); // nothing is sent behind what failed
    free(words);
}

static void a_list_of_a_server_that_is_gone_is_no_empty_list(void **state)
{
    const bp_vector_info *infos = NULL;
    size_t                count = 77;

    (void)state;
    testhost_http_failure(host, "GET", "http://q:6333/collections", BP_UNAVAILABLE,
                          "q:6333 cannot be reached: Connection refused");
    next_call();
    assert_status(ops->list(call, self, &infos, &count), BP_UNAVAILABLE);
    assert_said("q:6333 cannot be reached");
    // It goes away when half of them have been asked for.
    answer("GET", "http://q:6333/collections",
           "{\"result\":{\"collections\":[{\"name\":\"x-docs\"},{\"name\":\"x-zoo\"}]}}");
    collection_is_there();
    answer("POST", URL "/points/count", "{\"result\":{\"count\":12}}");
    testhost_http_failure(host, "GET", "http://q:6333/collections/x-zoo/points/0", BP_UNAVAILABLE,
                          "q:6333 cannot be reached: reset");
    next_call();
    assert_status(ops->list(call, self, &infos, &count), BP_UNAVAILABLE);
    assert_said("q:6333 cannot be reached: reset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_collection_gets_its_point_zero_last, setup, teardown),
        cmocka_unit_test_setup_teardown(another_schema_or_a_collection_of_others_is_a_conflict,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_point_that_is_wrong_is_refused_before_anything_is_sent,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_point_is_written_with_its_words_and_helpers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(points_come_out_as_they_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_removed_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_is_fetched_and_does_not_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_may_be_larger_than_other_answers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(collections_of_others_are_not_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_of_the_server_keep_their_meaning, setup, teardown),
        cmocka_unit_test_setup_teardown(another_dimension_on_the_server_is_the_servers_fault, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_write_that_breaks_off_says_how_far_it_came, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_list_of_a_server_that_is_gone_is_no_empty_list, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
