/* test_hash_ir.c - on a judged collection: BM25 of vector/local reaches its known figure, the
 * hashing embedder beside it does not harm, and helps when queries are misspelt. Skipped where the
 * collection is not there. */
#include "plugins/plugin_test.h"

#include <math.h>

enum { DEPTH = 100, AT = 10, DOCUMENTS_MAX = 12000, BATCH = 256 };

static testhost_instance   *store, *embedder;
static const bp_vector_ops *vectors;
static char               **names; /* of documents, by id */
static size_t               document_count;

struct judgement {
    char query[24], document[24];
    int  grade;
};
static struct judgement *judgements;
static size_t            judgement_count;

static bool read_judgements(const char *directory_of_set)
{
    char  path[512];
    FILE *file;
    snprintf(path, sizeof(path), "%s/qrels.tsv", directory_of_set);
    file = fopen(path, "r");
    if (!file)
        return false;
    judgements = calloc(20000, sizeof(*judgements));
    while (judgement_count < 20000 &&
           fscanf(file, "%23s %23s %d", judgements[judgement_count].query,
                  judgements[judgement_count].document, &judgements[judgement_count].grade) == 3)
        judgement_count++;
    fclose(file);
    return true;
}

static bp_str field(const bp_json *line, const char *name)
{
    return bp_json_string(bp_json_get(line, name));
}

static void store_batch(bp_point *points, bp_str *texts, size_t count)
{
    bp_embeddings embeddings;
    assert_ok(
        bp_embed_texts(call, testhost_peer(embedder), BP_EMBED_PASSAGE, texts, count, &embeddings));
    for (size_t i = 0; i < count; i++)
        points[i].vector = embeddings.vectors + i * 384;
    assert_ok(bp_vector_upsert(call, testhost_peer(store), BP_STR("set"), points, count));
    next_call();
}

static void index_documents(const char *directory_of_set)
{
    const bp_vector_schema schema = { .struct_size = sizeof(schema),
                                      .dimensions = 384,
                                      .model = BP_STR("hash-384-v1") };
    bp_point               points[BATCH];
    bp_str                 texts[BATCH];
    char                   path[512], *line = NULL;
    size_t                 capacity = 0, count = 0;
    FILE                  *file;

    assert_ok(vectors->create(call, testhost_self(store), BP_STR("set"), &schema));
    snprintf(path, sizeof(path), "%s/docs.jsonl", directory_of_set);
    file = fopen(path, "r");
    assert_non_null(file);
    names = calloc(DOCUMENTS_MAX + 1, sizeof(*names));
    for (ssize_t len; (len = getline(&line, &capacity, file)) > 0;) {
        const bp_json *document;
        assert_ok(bp_json_parse(call, bp_str_n(line, (size_t)len), &document));
        names[++document_count] = strndup(field(document, "id").data, field(document, "id").len);
        /* The title counts twice, as in the published figures. */
        texts[count] = bp_format(call, "%.*s\n%.*s\n%.*s", (int)field(document, "title").len,
                                 field(document, "title").data, (int)field(document, "title").len,
                                 field(document, "title").data, (int)field(document, "text").len,
                                 field(document, "text").data);
        points[count] = (bp_point){ .struct_size = sizeof(bp_point),
                                    .id = document_count,
                                    .words = texts[count] };
        if (++count == BATCH) {
            store_batch(points, texts, count);
            count = 0;
        }
    }
    if (count)
        store_batch(points, texts, count);
    free(line);
    fclose(file);
}

/* ---- measuring ---- */

static int grade_of(const char *query, const char *document)
{
    for (size_t i = 0; i < judgement_count; i++)
        if (strcmp(judgements[i].query, query) == 0 &&
            strcmp(judgements[i].document, document) == 0)
            return judgements[i].grade > 0 ? judgements[i].grade : 0;
    return 0;
}

static int by_grade(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

static double ndcg(const char *query, const bp_hit *hits, size_t count)
{
    int    grades[2000];
    size_t total = 0;
    double gain = 0, ideal = 0;
    for (size_t i = 0; i < judgement_count && total < 2000; i++)
        if (strcmp(judgements[i].query, query) == 0 && judgements[i].grade > 0)
            grades[total++] = judgements[i].grade;
    qsort(grades, total, sizeof(int), by_grade);
    for (size_t i = 0; i < AT && i < total; i++)
        ideal += grades[i] / log2((double)i + 2);
    for (size_t i = 0; i < AT && i < count; i++)
        gain += grade_of(query, names[hits[i].id]) / log2((double)i + 2);
    return ideal > 0 ? gain / ideal : -1;
}

static int by_score(const void *a, const void *b)
{
    const bp_hit *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : x->id < y->id ? -1 : 1;
}

/* Min-max fusion of the two legs. */
static size_t fuse(const bp_leg *words, const bp_leg *near, double weight, bp_hit *out)
{
    const bp_leg *legs[] = { words, near };
    size_t        count = 0;
    for (int l = 0; l < 2; l++) {
        const bp_leg *leg = legs[l];
        double        low = leg->hit_count ? leg->hits[leg->hit_count - 1].score : 0;
        double        span = leg->hit_count ? leg->hits[0].score - low : 0;
        for (uint32_t i = 0; i < leg->hit_count; i++) {
            double score = (span > 0 ? (leg->hits[i].score - low) / span : 1) *
                           (l ? weight : 1 - weight);
            size_t at = 0;
            while (at < count && out[at].id != leg->hits[i].id)
                at++;
            if (at == count)
                out[count++] = (bp_hit){ leg->hits[i].id, 0 };
            out[at].score += score;
        }
    }
    qsort(out, count, sizeof(*out), by_score);
    return count;
}

/* Two letters of every second long word change places. */
static bp_str misspelt(bp_str text)
{
    bp_str out = bp_dup(call, text);
    char  *bytes = (char *)(uintptr_t)out.data;
    size_t start = 0, word = 0;
    for (size_t i = 0; i <= out.len; i++) {
        if (i < out.len && bytes[i] != ' ')
            continue;
        if (i - start >= 6 && word++ % 2 == 0) {
            char held = bytes[start + 2];
            bytes[start + 2] = bytes[start + 3];
            bytes[start + 3] = held;
        }
        start = i + 1;
    }
    return out;
}

struct figures {
    double bm25, hash, fused[3];
    int    queries;
};

static const double weights[] = { 0.1, 0.2, 0.3 };

static void measure(const char *directory_of_set, bool is_misspelt, struct figures *figures)
{
    char   path[512], *line = NULL;
    size_t capacity = 0;
    FILE  *file;

    memset(figures, 0, sizeof(*figures));
    snprintf(path, sizeof(path), "%s/queries.jsonl", directory_of_set);
    file = fopen(path, "r");
    assert_non_null(file);
    for (ssize_t len; (len = getline(&line, &capacity, file)) > 0;) {
        const bp_json  *query;
        bp_embeddings   embeddings;
        bp_leg          near, words;
        bp_vector_query wanted = { .struct_size = sizeof(wanted),
                                   .dimensions = 384,
                                   .collection = BP_STR("set"),
                                   .limit = DEPTH };
        bp_hit          hits[2 * DEPTH];
        const char     *id;
        double          value;

        assert_ok(bp_json_parse(call, bp_str_n(line, (size_t)len), &query));
        id = bp_dup(call, field(query, "id")).data;
        wanted.words = is_misspelt ? misspelt(field(query, "text")) : field(query, "text");
        assert_ok(bp_embed_texts(call, testhost_peer(embedder), BP_EMBED_QUERY, &wanted.words, 1,
                                 &embeddings));
        wanted.vector = embeddings.vectors;
        assert_ok(bp_vector_search(call, testhost_peer(store), &wanted, &near, &words));
        value = ndcg(id, words.hits, words.hit_count);
        if (value >= 0) {
            figures->bm25 += value;
            figures->hash += ndcg(id, near.hits, near.hit_count);
            for (int w = 0; w < 3; w++)
                figures->fused[w] += ndcg(id, hits, fuse(&words, &near, weights[w], hits));
            figures->queries++;
        }
        next_call();
    }
    free(line);
    fclose(file);
    figures->bm25 /= figures->queries;
    figures->hash /= figures->queries;
    for (int w = 0; w < 3; w++)
        figures->fused[w] /= figures->queries;
    print_message("%s, %d queries, nDCG@10: BM25 %.3f, hash %.3f, fused .1 %.3f, .2 %.3f, .3 "
                  "%.3f\n",
                  is_misspelt ? "misspelt" : "as given", figures->queries, figures->bm25,
                  figures->hash, figures->fused[0], figures->fused[1], figures->fused[2]);
}

static void the_hash_leg_helps_bm25_with_misspellings_and_never_harms_it(void **state)
{
    const testhost_option options[] = { { "path", "store" }, { "synchronous", "normal" } };
    const char           *set = getenv("BP_TEST_IR") ? getenv("BP_TEST_IR") : "cranfield";
    char                  directory_of_set[256];
    const bp_plugin      *store_plugin;
    struct figures        given, wrong;
    (void)state;

    snprintf(directory_of_set, sizeof(directory_of_set), BP_SHARED_DIR "/ir/%s", set);
    assert_int_equal(open_host(BP_PLUGIN_DIR "/embed/hash.so"), 0);
    start(NULL, 0);
    embedder = instance;
    if (!read_judgements(directory_of_set)) {
        close_host();
        print_message("skipped: %s is not there\n", directory_of_set);
        skip();
    }
    store_plugin = testhost_load(host, BP_PLUGIN_DIR "/vector/local.so");
    assert_non_null(store_plugin);
    store = testhost_instance_create(host, store_plugin, "docs", options, 2);
    assert_non_null(store);
    vectors = testhost_ops(store);
    index_documents(directory_of_set);
    measure(directory_of_set, false, &given);
    measure(directory_of_set, true, &wrong);
    if (strcmp(set, "cranfield") == 0)
        assert_true(given.bm25 > 0.368 - 0.005);
    assert_true(given.fused[1] >= given.bm25);
    assert_true(wrong.fused[1] >= wrong.bm25 + 0.01);
    for (size_t i = 1; i <= document_count; i++)
        free(names[i]);
    free(names);
    free(judgements);
    next_call();
    testhost_instance_destroy(store);
    assert_int_equal(close_host(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        the_hash_leg_helps_bm25_with_misspellings_and_never_harms_it) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
