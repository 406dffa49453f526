/* test_@NAME@.c - tests @NAME@.so with the fake host: texts that share words are near, each vector
 * has length 1. */
#include <backplane/embed.h>
#include <backplane/testhost.h>

#include "test.h"

static double dot(const float *a, const float *b, uint32_t count)
{
    double sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

int main(int argc, char **argv)
{
    testhost          *host = testhost_new();
    const bp_plugin   *plugin = testhost_load(host, argv[argc - 1]);
    testhost_instance *instance = plugin ? testhost_instance_create(host, plugin, "mine", NULL, 0)
                                         : NULL;
    bp_call           *call = testhost_call_new(host, BP_SECONDS(5));
    bp_str             texts[] = {
                    BP_STR("a red car"), BP_STR("the RED car"), BP_STR("cold soup"), { NULL, 0 }
    };
    bp_embed_info info;
    bp_embeddings out;
    const float  *v;
    uint32_t      d;

    if (!instance)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(instance != NULL);
    CHECK(bp_embed_info_of(call, testhost_peer(instance), &info) == BP_OK);
    CHECK(info.dimensions == 128 && info.max_batch >= 4);
    CHECK(bp_embed_texts(call, testhost_peer(instance), BP_EMBED_PASSAGE, texts, 4, &out) == BP_OK);
    CHECK(out.count == 4 && out.dimensions == info.dimensions);
    v = out.vectors;
    d = out.dimensions;
    for (int i = 0; i < 4; i++)
        CHECK(dot(v + i * d, v + i * d, d) > 0.999 && dot(v + i * d, v + i * d, d) < 1.001);
    CHECK(dot(v, v + d, d) > dot(v, v + 2 * d, d));
    CHECK(bp_embed_texts(call, testhost_peer(instance), BP_EMBED_PASSAGE, texts, 0, &out) ==
          BP_INVALID);
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}
