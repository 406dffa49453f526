/* test_onnx.c - what embed/onnx says when a part of it is missing or wrong. With a real model:
 * integration.onnx_reference. */
#include "plugins/plugin_test.h"

#define SMALL                                                                                      \
    "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":" \
    "3,\"a\":4}},"                                                                                 \
    "\"normalizer\":{\"type\":\"BertNormalizer\"},\"added_tokens\":[{\"id\":2,\"content\":\"[CLS]" \
    "\"}]}"

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/embed/onnx.so");
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static void write_file(const char *name, const char *text)
{
    char  path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* An instance with this runtime cannot be made, and the sentence has `said` in it. The model is the
 * test's folder. */
static void refused(const char *runtime, const char *said)
{
    const testhost_option options[] = { { "model", directory }, { "runtime", runtime } };

    assert_null(testhost_instance_create(host, plugin, "main", options, runtime ? 2 : 1));
    if (!strstr(testhost_problem(host), said))
        fail_msg("\"%s\" does not say \"%s\"", testhost_problem(host), said);
}

static void a_missing_vocabulary_is_named(void **state)
{
    (void)state;
    refused(NULL, "there is neither tokenizer.json nor vocab.txt in /tmp/bp-test-");
}

static void a_vocabulary_of_another_kind_is_refused(void **state)
{
    (void)state;
    write_file("tokenizer.json", "{");
    refused(NULL, "/tokenizer.json is not JSON");
    write_file("tokenizer.json", "[]");
    refused(NULL, "embed/onnx has WordPiece");
    write_file("tokenizer.json", "{\"model\":{\"type\":\"BPE\"}}");
    refused(NULL, "for a tokenizer of type \"BPE\"");
    write_file("tokenizer.json",
               "{\"model\":{\"type\":\"WordPiece\"},\"normalizer\":{\"type\":\"NFC\"}}");
    refused(NULL, "a normalizer of type \"NFC\"");
    write_file("tokenizer.json", "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}},"
                                 "\"normalizer\":{\"type\":\"BertNormalizer\"}}");
    refused(NULL, "has no piece [CLS]");
    write_file("tokenizer.json", "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"\":0,\"[CLS]\":-"
                                 "7}},\"normalizer\":{\"type\":\"BertNormalizer\"}}");
    refused(NULL, "has no piece");
}

static void a_vocabulary_of_lines_is_read(void **state)
{
    (void)state;
    write_file("vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n");
    refused(NULL, "there is no model.onnx"); // so far it came
    write_file("vocab.txt", "a\nb\n");
    refused(NULL, "/vocab.txt has no piece [CLS]");
    write_file("vocab.txt", "");
    refused(NULL, "/vocab.txt has no piece [CLS]");
}

static void a_missing_model_says_how_to_get_one(void **state)
{
    (void)state;
    write_file("tokenizer.json", SMALL);
    refused(NULL, "scripts/fetch-model.sh all-MiniLM-L6-v2 FOLDER");
    write_file("model.onnx", "");
    refused(NULL, "model.onnx is empty or no file");
}

static void a_missing_runtime_says_how_to_get_one(void **state)
{
    (void)state;
    write_file("tokenizer.json", SMALL);
    write_file("model.onnx", "x");
    refused("nowhere/libonnxruntime.so", "scripts/fetch-onnxruntime.sh FOLDER fetches it");
    refused(directory, "there is no libonnxruntime.so in /tmp/bp-test-");
    write_file("libonnxruntime.so.9", "not a library");
    refused(directory, "cannot be opened");
    refused(BP_PLUGIN_DIR "/embed/hash.so", "is not ONNX Runtime: it has no OrtGetApiBase");
}

static void an_option_out_of_range_is_refused_before_anything_is_read(void **state)
{
    const testhost_option options[] = { { "model", "m" }, { "max_tokens", "9000" } };
    (void)state;
    assert_int_equal(testhost_check(host, plugin, options, 2), BP_INVALID);
    assert_int_equal(testhost_check(host, plugin, options, 0), BP_INVALID);
    assert_non_null(strstr(testhost_problem(host), "model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_vocabulary_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vocabulary_of_another_kind_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vocabulary_of_lines_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_model_says_how_to_get_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_runtime_says_how_to_get_one, setup, teardown),
        cmocka_unit_test_setup_teardown(an_option_out_of_range_is_refused_before_anything_is_read,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
