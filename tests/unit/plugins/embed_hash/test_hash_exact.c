/* test_hash_exact.c - embed/hash: the vectors of texts are what they were in every version, as
 * stores keep them; their figures, and what is refused.
 */
#include "plugins/plugin_test.h"

static const bp_embed_ops *ops;

static int setup(void **state)
{
    (void)state;
    if (open_host(BP_PLUGIN_DIR "/embed/hash.so") != 0)
        return -1;
    start(NULL, 0);
    ops = testhost_ops(instance);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close_host();
}

static bp_status embed(const bp_str *texts, size_t count, bp_embeddings *made)
{
    const bp_embed_request request = { .struct_size = sizeof(request),
                                       .texts = texts,
                                       .count = count };

    *made = (bp_embeddings){ .struct_size = sizeof(*made) };
    return ops->embed(call, testhost_self(instance), &request, made);
}

/* Three directions of a vector, and the tokens. */
static const char *figures_of(bp_str text)
{
    bp_embeddings made;
    double        sums[3] = { 0 };

    next_call();
    assert_ok(embed(&text, 1, &made));
    assert_int_equal(made.dimensions, 384);
    assert_int_equal(made.count, 1);
    for (uint32_t i = 0; i < made.dimensions; i++) {
        sums[0] += (double)made.vectors[i] * (double)((int)(i % 7) - 3);
        sums[1] += (double)made.vectors[i] * (double)((int)(i * i % 11) - 5);
        sums[2] += (double)made.vectors[i] * (double)made.vectors[i];
    }
    return bp_format(call, "%.3f %.3f %.3f %llu", sums[0], sums[1], sums[2],
                     (unsigned long long)made.tokens)
        .data;
}

static const struct {
    const char *text, *figures;
} cases[] = {
    { "", "-0.707 1.414 1.000 0" },
    { " \n", "-0.707 1.414 1.000 0" },
    { "a", "-0.707 1.414 1.000 1" },
    { "the", "-0.707 1.414 1.000 1" },
    { "x", "4.025 3.354 1.000 1" },
    { "moss", "1.328 2.669 1.000 1" },
    { "Moss", "1.328 2.669 1.000 1" },
    { "mosses", "2.991 1.299 1.000 1" },
    { "moss moss", "1.328 2.669 1.000 2" },
    { "moss moss moss ivy", "0.775 3.427 1.000 4" },
    { "configuration", "1.840 -5.477 1.000 1" },
    { "configurations of eleven twelveletter thirteenletters", "2.324 -1.769 1.000 5" },
    { "\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd", "0.471 -1.414 1.000 3" },
    { "\xe6\x9d\xb1 \xe4\xba\xac", "2.000 0.000 1.000 2" },
    { "\xe6\x9d\xb1moss\xe4\xba\xac\xe9\x83\xbd", "1.691 1.691 1.000 4" },
    { "\xc3\xa4rger gr\xc3\xb6\xc3\x9f"
      "e",
      "1.900 1.761 1.000 2" },
    { "v1.2 a-b c_d 42", "0.533 -0.238 1.000 7" },
    { "Backups are made every night at 02:00 and kept for fourteen days by the script which was "
      "written by somebody who left long ago, so that nobody knows how it works, or whether it "
      "does "
      "at all; restoring takes hours and needs both hands, one key and plenty of luck.",
      "-0.184 -1.794 1.000 51" },
};

static void vectors_are_what_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(figures_of(bp_str_of(cases[i].text)), cases[i].figures);
}

static void a_batch_is_made_of_its_texts(void **state)
{
    const bp_str  texts[] = { BP_STR("moss"), BP_STR(""), BP_STR("ivy climbs"), BP_STR("moss") };
    bp_embeddings made, alone;
    bp_str       *many;
    bp_embed_info info = { .struct_size = sizeof(info) };

    (void)state;
    assert_ok(embed(texts, 4, &made));
    assert_int_equal(made.count, 4);
    assert_int_equal(made.tokens, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_ok(embed(texts + i, 1, &alone));
        assert_memory_equal(alone.vectors, made.vectors + i * 384, 384 * sizeof(float));
    }
    assert_ok(ops->info(call, testhost_self(instance), &info));
    assert_int_equal(info.dimensions, 384);
    assert_int_equal(info.max_tokens, 0);
    assert_true(info.is_lexical && info.is_normalised);
    assert_true(bp_str_is(info.model, "hash-384-v1"));
    many = BP_NEW_ARRAY(call, bp_str, info.max_batch + 1);
    assert_ok(embed(many, info.max_batch, &made));
    assert_int_equal(embed(many, info.max_batch + 1, &made), BP_INVALID);
    assert_int_equal(embed(many, 0, &made), BP_INVALID);
    assert_string_equal(bp_error_of(call)->message.data,
                        "1 to 512 texts can be embedded at once, not 0");
}

static void without_memory_or_time_there_is_no_vector(void **state)
{
    const bp_str  text = BP_STR("moss");
    bp_embeddings made;

    (void)state;
    testhost_call_memory(call, 0);
    assert_int_equal(embed(&text, 1, &made), BP_NO_MEMORY);
    next_call();
    testhost_cancel(call);
    assert_int_equal(embed(&text, 1, &made), BP_CANCELLED);
    assert_non_null(strstr(bp_error_of(call)->message.data, "the embedding was given up: "));
}

/* A text with very many features, so that the bag of them grows. */
static void a_long_text_has_all_its_words(void **state)
{
    char  *text = malloc(200000);
    size_t len = 0;

    (void)state;
    for (int i = 0; i < 8000; i++)
        len += (size_t)snprintf(text + len, 200000 - len, "word%d ", i * 7919);
    assert_string_equal(figures_of(bp_str_n(text, len)), "-1.661 -1.155 1.000 8000");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vectors_are_what_they_were),
        TEST(a_batch_is_made_of_its_texts),
        TEST(without_memory_or_time_there_is_no_vector),
        TEST(a_long_text_has_all_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
