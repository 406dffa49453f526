/* test_hash.c - the hashing embedder: the same text gives the same unit vector, shared words and
 * misspellings are near. */
#include "plugins/plugin_test.h"

#include <math.h>

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

static const float *embed(const bp_str *texts, size_t count)
{
    bp_embeddings result;
    assert_ok(
        bp_embed_texts(call, testhost_peer(instance), BP_EMBED_PASSAGE, texts, count, &result));
    assert_int_equal(result.dimensions, 384);
    assert_int_equal(result.count, count);
    return result.vectors;
}

static double near(const char *a, const char *b)
{
    const bp_str texts[] = { bp_str_of(a), bp_str_of(b) };
    const float *v = embed(texts, 2);
    double       dot = 0;
    for (int i = 0; i < 384; i++)
        dot += (double)v[i] * (double)v[384 + i];
    return dot;
}

static void it_says_what_it_is(void **state)
{
    bp_embed_info info;
    (void)state;
    assert_ok(bp_embed_info_of(call, testhost_peer(instance), &info));
    assert_int_equal(info.dimensions, 384);
    assert_true(bp_str_is(info.model, "hash-384-v1"));
    assert_true(info.is_lexical && info.is_normalised);
    assert_true(info.max_batch >= 64);
}

static void vectors_have_length_one_whatever_the_text(void **state)
{
    static const char *const texts[] = { "",
                                         " \n",
                                         "the of and",
                                         "a",
                                         "word",
                                         "\xff\xfe",
                                         "?!",
                                         "\xe6\x9d\xb1\xe4\xba\xac",
                                         "caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9" };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const bp_str text = bp_str_of(texts[i]);
        const float *v = embed(&text, 1);
        double       length = 0;
        for (int k = 0; k < 384; k++) {
            assert_true(isfinite(v[k]));
            length += (double)v[k] * (double)v[k];
        }
        assert_true(fabs(length - 1) < 1e-5);
    }
}

/* The first numbers are part of what "hash-384-v1" means: whoever changes them must change the
 * name. */
static void the_vectors_of_this_version_do_not_change(void **state)
{
    const bp_str text = BP_STR("Retry-After tells a client how long to wait");
    const float *v = embed(&text, 1);
    double       sum = 0;
    (void)state;
    for (int k = 0; k < 384; k++)
        sum += (double)v[k] * (k % 7 + 1);
    if (fabs(sum - 4.651380) > 1e-4)
        fail_msg("the sum is %.6f", sum);
}

static void near_is_what_shares_words_or_nearly_so(void **state)
{
    double typo = near("configuration of the server", "configuraton of the servr");
    double other = near("configuration of the server", "bananas grow in warm countries");
    (void)state;
    assert_true(near("caching proxies", "a caching proxy") > 0.75);
    assert_true(near("Caf\xc3\xa9 M\xc3\xbcnchen", "cafe munchen") > 0.99);
    assert_true(typo > 0.3);
    assert_true(fabs(other) < 0.15);
    assert_true(typo > other + 0.2);
    assert_true(near("\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd", "\xe6\x9d\xb1\xe4\xba\xac") > 0.5);
    assert_true(near("the server", "server") > 0.999);
}

static void a_large_batch_is_hashed_on_a_thread_and_can_be_cancelled(void **state)
{
    bp_str       *texts = BP_NEW_ARRAY(call, bp_str, 300);
    bp_embeddings result;
    (void)state;
    testhost_offload_on_threads(host, true);
    for (int i = 0; i < 300; i++)
        texts[i] = bp_format(call,
                             "text number %d about something or other, with some words in it to be "
                             "hashed",
                             i % 3);
    {
        const float *v = embed(texts, 300);
        assert_memory_equal(v, v + 3 * 384, 384 * sizeof(float));
        assert_memory_not_equal(v, v + 384, 384 * sizeof(float));
    }
    assert_status(bp_embed_texts(call, testhost_peer(instance), BP_EMBED_QUERY, texts, 0, &result),
                  BP_INVALID);
    testhost_cancel(call);
    assert_status(bp_embed_texts(call, testhost_peer(instance), BP_EMBED_QUERY, texts, 300,
                                 &result),
                  BP_CANCELLED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_says_what_it_is),
        TEST(vectors_have_length_one_whatever_the_text),
        TEST(the_vectors_of_this_version_do_not_change),
        TEST(near_is_what_shares_words_or_nearly_so),
        TEST(a_large_batch_is_hashed_on_a_thread_and_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
