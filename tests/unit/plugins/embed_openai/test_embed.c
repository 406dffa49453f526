/* test_embed.c - embed/openai against scripted servers: order, batches, dimensions, errors. */
#include "plugins/plugin_test.h"

#include <math.h>

#define URL "http://ollama:11434/v1/embeddings"

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/embed/openai.so");
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static void begin(const char *name, const char *value)
{
    const testhost_option options[] = { { "url", "http://ollama:11434/v1/" },
                                        { "model", "m" },
                                        { "api_key", "s3cret" },
                                        { name, value } };
    start(options, name ? 4 : 3);
}

static bp_status embed(bp_embed_purpose purpose, const bp_str *texts, size_t count,
                       bp_embeddings *out)
{
    const bp_embed_ops *ops = testhost_ops(instance);
    bp_embed_request    request = { sizeof(request), (uint32_t)purpose, texts, count };

    next_call();
    *out = (bp_embeddings){ .struct_size = sizeof(*out) };
    return ops->embed(call, testhost_self(instance), &request, out);
}

static bp_status info_of(bp_embed_info *info)
{
    const bp_embed_ops *ops = testhost_ops(instance);

    next_call();
    *info = (bp_embed_info){ .struct_size = sizeof(*info) };
    return ops->info(call, testhost_self(instance), info);
}

static void answer(const char *json)
{
    testhost_http_answer(host, "POST", URL, 200, "Content-Type: application/json\r\n",
                         bp_str_of(json));
}

static const bp_str two[] = { { "one", 3 }, { "t\"wo", 4 } };

static void vectors_are_put_in_order_and_made_of_length_one(void **state)
{
    bp_embeddings    out;
    testhost_request sent;
    (void)state;
    begin(NULL, NULL);
    answer("{\"data\":[{\"index\":1,\"embedding\":[0,5]},{\"index\":0,\"embedding\":[3,4]}],"
           "\"usage\":{\"total_tokens\":7}}");
    assert_ok(embed(BP_EMBED_PASSAGE, two, 2, &out));
    assert_int_equal(out.count, 2);
    assert_int_equal(out.dimensions, 2);
    assert_int_equal(out.tokens, 7);
    assert_true(fabsf(out.vectors[0] - 0.6f) < 1e-6f && fabsf(out.vectors[1] - 0.8f) < 1e-6f);
    assert_true(out.vectors[2] == 0.0f && out.vectors[3] == 1.0f);
    sent = testhost_request_at(host, 0);
    assert_non_null(strstr(sent.headers, "Authorization: Bearer s3cret"));
    assert_true(bp_str_is(sent.body, "{\"model\":\"m\",\"input\":[\"one\",\"t\\\"wo\"],\"encoding_"
                                     "format\":\"float\"}"));
}

static void many_texts_are_sent_in_batches(void **state)
{
    bp_embeddings out;
    (void)state;
    begin("batch", "1");
    answer("{\"data\":[{\"index\":0,\"embedding\":[1,0]}]}");
    answer("{\"data\":[{\"index\":0,\"embedding\":[0,1]}]}");
    assert_ok(embed(BP_EMBED_PASSAGE, two, 2, &out));
    assert_int_equal(testhost_request_count(host), 2);
    assert_true(out.vectors[0] == 1.0f && out.vectors[3] == 1.0f && out.count == 2);
}

static void the_dimension_is_found_out_once(void **state)
{
    bp_embed_info info;
    bp_embeddings out;
    (void)state;
    begin("query_prefix", "q: ");
    answer("{\"data\":[{\"index\":0,\"embedding\":[1,2,3]}]}");
    assert_ok(info_of(&info));
    assert_int_equal(info.dimensions, 3);
    assert_int_equal(info.max_batch, 64);
    assert_true(info.is_normalised && !info.is_lexical);
    assert_true(bp_str_starts(info.model, "m/3/")); // a prefix makes it another model
    assert_ok(info_of(&info));
    assert_int_equal(testhost_request_count(host), 1);
    assert_ok(embed(BP_EMBED_QUERY, two, 1, &out));
    assert_non_null(strstr(testhost_request_at(host, 1).body.data, "\"q: one\""));
    assert_ok(embed(BP_EMBED_PASSAGE, two, 1, &out));
    assert_non_null(strstr(testhost_request_at(host, 2).body.data, "[\"one\"]"));
}

static void vectors_that_do_not_fit_are_refused(void **state)
{
    static const char *const bad[] = {
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":0,\"embedding\":[1,0]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":2,\"embedding\":[1,0]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":-1,\"embedding\":[1,0]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[1,0,0]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[0,0]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1,\"embedding\":\"AAAA\"}]}",
        "{\"data\":{}}",
        "[]",
        "<html>",
        "{\"error\":{\"message\":\"x\"}}",
    };
    bp_embeddings out;
    (void)state;
    begin("dimensions", "2");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer(bad[i]);
        assert_status(embed(BP_EMBED_PASSAGE, two, 2, &out), BP_UPSTREAM);
    }
}

static void fail_with(int32_t http_status, const char *headers, const char *body,
                      bp_status expected)
{
    bp_embeddings out;
    testhost_http_answer(host, "POST", URL, http_status, headers, bp_str_of(body));
    assert_status(embed(BP_EMBED_PASSAGE, two, 2, &out), expected);
    assert_int_equal(bp_error_of(call)->upstream_status, http_status);
}

static void errors_of_the_server_keep_their_meaning(void **state)
{
    (void)state;
    begin(NULL, NULL);
    fail_with(429, "Retry-After: 20\r\n", "{\"error\":{\"message\":\"slow down\"}}", BP_LIMIT);
    assert_said("answered 429: slow down");
    assert_int_equal(bp_error_of(call)->retry_after_ns, BP_SECONDS(20));
    fail_with(401, "", "{\"error\":{\"message\":\"bad key s3cret\"}}", BP_DENIED);
    assert_null(strstr(bp_error_of(call)->message.data, "s3cret"));
    fail_with(404, "", "{\"error\":\"model \\\"m\\\" not found, try pulling it first\"}",
              BP_UPSTREAM);
    assert_said("try pulling it first");
    fail_with(402, "", "{\"error\":\"no credit\"}", BP_UPSTREAM);
    fail_with(422, "", "{\"error\":\"no text\"}", BP_INVALID);
    fail_with(400, "", "{\"error\":{\"message\":\"the input length exceeds the context length\"}}",
              BP_TOO_LARGE);
    fail_with(502, "", "<html>bad gateway</html>", BP_UPSTREAM);
    fail_with(503, "", "", BP_UNAVAILABLE);
}

static void vectors_in_base64_are_the_same_numbers(void **state)
{
    bp_embeddings out;
    (void)state;
    begin("encoding", "base64");
    answer("{\"data\":[{\"index\":0,\"embedding\":\"AABAQAAAgEA=\"},{\"index\":1,\"embedding\":[0,"
           "5]}]}"); // 3, 4
    assert_ok(embed(BP_EMBED_PASSAGE, two, 2, &out));
    assert_non_null(
        strstr(testhost_request_at(host, 0).body.data, "\"encoding_format\":\"base64\""));
    assert_true(fabsf(out.vectors[0] - 0.6f) < 1e-6f && fabsf(out.vectors[1] - 0.8f) < 1e-6f &&
                out.vectors[3] == 1.0f);
    answer("{\"data\":[{\"index\":0,\"embedding\":\"AABAQAAAgE!=\"},{\"index\":1,\"embedding\":[0,"
           "5]}]}");
    assert_status(embed(BP_EMBED_PASSAGE, two, 2, &out), BP_UPSTREAM);
    answer("{\"data\":[{\"index\":0,\"embedding\":\"AABAQAAAgEAA\"},{\"index\":1,\"embedding\":[0,"
           "5]}]}");
    assert_status(embed(BP_EMBED_PASSAGE, two, 2, &out), BP_UPSTREAM);
}

static void a_server_that_takes_fewer_texts_is_sent_fewer(void **state)
{
    static const char *const said[] = {
        "{\"error\":\"batch size 2 > maximum allowed batch size 1\",\"error_type\":\"Validation\"}",
        ("{\"error\":{\"message\":\"Value error, batch size is invalid, it should not be larger "
         "than 1.: input.contents\"}}"),
        "<html>too large</html>",
    };
    static const int32_t statuses[] = { 422, 400, 413 };
    bp_embeddings        out;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t before = testhost_request_count(host);
        begin(NULL, NULL);
        testhost_http_answer(host, "POST", URL, statuses[i], "", bp_str_of(said[i]));
        answer("{\"data\":[{\"index\":0,\"embedding\":[1,0]}]}");
        assert_ok(embed(BP_EMBED_PASSAGE, two, 2, &out));
        assert_int_equal(testhost_request_count(host) - before, 3);
        assert_ok(embed(BP_EMBED_PASSAGE, two, 2, &out)); // it is remembered
        assert_int_equal(testhost_request_count(host) - before, 5);
        stop();
    }
    begin(NULL, NULL);
    testhost_http_answer(host, "POST", URL, 413, "", BP_STR(""));
    assert_status(embed(BP_EMBED_PASSAGE, two, 1, &out), BP_TOO_LARGE); // one text cannot be halved
}

static void an_empty_text_is_sent_as_a_blank(void **state)
{
    static const bp_str empty = { "", 0 };
    bp_embeddings       out;
    (void)state;
    begin(NULL, NULL);
    answer("{\"data\":[{\"index\":0,\"embedding\":[1,0]}]}");
    assert_ok(embed(BP_EMBED_PASSAGE, &empty, 1, &out));
    assert_non_null(strstr(testhost_request_at(host, 0).body.data, "\"input\":[\" \"]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vectors_are_put_in_order_and_made_of_length_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_texts_are_sent_in_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dimension_is_found_out_once, setup, teardown),
        cmocka_unit_test_setup_teardown(vectors_that_do_not_fit_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_of_the_server_keep_their_meaning, setup, teardown),
        cmocka_unit_test_setup_teardown(vectors_in_base64_are_the_same_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_takes_fewer_texts_is_sent_fewer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_empty_text_is_sent_as_a_blank, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
