/* onnx_vectors.c - embeds texts with embed/onnx in the fake host, for onnx_reference.py to compare
 * and bench to time.
 *
 *      onnx_vectors PLUGIN.so query|passage BATCH [NAME=VALUE ...] < texts > vectors
 *
 * Each text is its length in bytes, a line end, the bytes. The vectors are raw float32, text by
 * text. On stderr: the model's id, its dimensions, tokens, texts and seconds of the embedding
 * alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

enum { TEXTS_MAX = 200000, OPTIONS_MAX = 16 };

static bp_str texts[TEXTS_MAX];

static size_t read_texts(void)
{
    size_t count = 0, len;

    while (count < TEXTS_MAX && scanf("%zu", &len) == 1 && getchar() == '\n') {
        char *text = malloc(len + 1);
        if (!text || fread(text, 1, len, stdin) != len)
            exit(3);
        texts[count++] = bp_str_n(text, len);
    }
    return count;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int embed_all(testhost *host, testhost_instance *instance, bp_embed_purpose purpose,
                     size_t batch, size_t count)
{
    bp_embed_info info;
    uint64_t      tokens = 0;
    bp_call      *call = testhost_call_new(host, BP_FOREVER);
    double        begun;

    if (bp_embed_info_of(call, testhost_peer(instance), &info) != BP_OK)
        return 1;
    fprintf(stderr, "%.*s %u ", (int)info.model.len, info.model.data, info.dimensions);
    begun = seconds();
    for (size_t at = 0; at < count; at += batch) {
        size_t        some = count - at < batch ? count - at : batch;
        bp_embeddings made;

        testhost_call_end(call);
        call = testhost_call_new(host, BP_FOREVER);
        if (bp_embed_texts(call, testhost_peer(instance), purpose, texts + at, some, &made) !=
            BP_OK) {
            fprintf(stderr, "%s\n", bp_error_of(call)->message.data);
            return 1;
        }
        tokens += made.tokens;
        fwrite(made.vectors, sizeof(float) * made.dimensions, some, stdout);
    }
    fprintf(stderr, "%llu %zu %.3f\n", (unsigned long long)tokens, count, seconds() - begun);
    testhost_call_end(call);
    return 0;
}

int main(int argc, char **argv)
{
    testhost_option    options[OPTIONS_MAX];
    testhost          *host = testhost_new();
    testhost_instance *instance;
    size_t             count = 0, text_count;
    const bp_plugin   *plugin;
    int                failed;

    if (argc < 4 || argc - 4 > OPTIONS_MAX)
        return 2;
    for (int i = 4; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        *equals = '\0';
        options[count++] = (testhost_option){ argv[i], equals + 1 };
    }
    plugin = testhost_load(host, argv[1]);
    instance = plugin ? testhost_instance_create(host, plugin, "main", options, count) : NULL;
    if (!instance) {
        fprintf(stderr, "%s\n", testhost_problem(host));
        return 1;
    }
    text_count = read_texts();
    failed = embed_all(host, instance,
                       strcmp(argv[2], "query") == 0 ? BP_EMBED_QUERY : BP_EMBED_PASSAGE,
                       strtoul(argv[3], NULL, 10), text_count);
    testhost_instance_destroy(instance);
    if (!failed && testhost_leaks(host)[0]) {
        fprintf(stderr, "left open: %s\n", testhost_leaks(host));
        failed = 1;
    }
    testhost_free(host);
    for (size_t i = 0; i < text_count; i++)
        free((char *)texts[i].data);
    return failed;
}
