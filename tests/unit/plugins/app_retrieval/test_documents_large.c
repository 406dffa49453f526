/* test_documents_large.c - documents.c: how large a text, a body and a batch may be. */
#include "plugins/app_retrieval/retrieval_test.h"

static void begin(void)
{
    START({ "candidates", "10" });
    make_collection("docs");
    forget();
}

static testhost_reply post_lines(const char *lines)
{
    app_call();
    return testhost_request_app(call, instance, "POST", "/api/v1/documents",
                                "content-type: application/x-ndjson\r\n", bp_str_of(lines));
}

/* How many batches five lines of so many bytes are; the texts are blank and have no passages. */
static size_t batches_of(size_t line_bytes)
{
    static char body[6 << 20];
    size_t      len = 0, batches = 0;

    for (int i = 0; i < 5; i++) {
        size_t at = len + (size_t)snprintf(body + len, 128,
                                           "{\"id\":%d,\"title\":\"%zu\",\"text\":\"", i,
                                           line_bytes);

        memset(body + at, ' ', line_bytes);
        len += line_bytes;
        memcpy(body + len - 2, "\"}\n", 4);
        len++;
    }
    forget();
    assert_int_equal(post_lines(body).http_status, 200);
    for (const char *at = trace; (at = strstr(at, "upsert")); at++)
        batches++;
    return batches;
}

static void a_batch_of_lines_has_4_mib(void **state)
{
    (void)state;
    begin();
    testhost_http_piece_size(host, 1 << 20);
    assert_int_equal(batches_of((1 << 20) - 1), 1);
    assert_int_equal(batches_of(1 << 20), 2);
}

static void a_text_has_16_mib_and_a_body_32(void **state)
{
    size_t most = 16 << 20, body_most = 32 << 20;
    char  *body = malloc(body_most + 64);

    (void)state;
    begin();
    testhost_http_piece_size(host, 1 << 20);
    for (size_t len = most; len <= most + 1; len++) {
        int at = snprintf(body, 64, "{\"id\":\"a\",\"text\":\"");

        memset(body + at, ' ', len);
        strcpy(body + at + len, "\"}");
        app_call();
        assert_told(testhost_request_app(call, instance, "POST", "/api/v1/documents", NULL,
                                         bp_str_of(body)),
                    len == most ? "200 "
                                  "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,"
                                  "\"refused\":0,\"errors\":[]}"
                                : "400 "
                                  "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,"
                                  "\"refused\":1,\"errors\":[{\"id\":\"a\",\"message\":"
                                  "\"\\\"text\\\" is larger than 16 MiB\"}]}");
    }
    for (size_t len = body_most; len <= body_most + 1; len++) {
        memset(body, ' ', len);
        app_call();
        assert_int_equal(testhost_request_app(call, instance, "POST", "/api/v1/documents", NULL,
                                              bp_str_n(body, len))
                             .status,
                         len == body_most ? BP_INVALID : BP_TOO_LARGE);
    }
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_of_lines_has_4_mib),
        TEST(a_text_has_16_mib_and_a_body_32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
