/* test_pgvector.c - the vector store on a real pgvector: the cases of the embedded store, the two
 * side by side on the same passages, graphs, and many who write at once. */
#define VECTOR_TEST_PLUGIN "/vector/pgvector.so"
#define VECTOR_TEST_OPTIONS                                                                        \
    { "url", getenv("BACKPLANE_TEST_POSTGRES") },                                                  \
    {                                                                                              \
        "graph_after", "300"                                                                       \
    }
#define main main_of_local
int main_of_local(void);
#include "plugins/vector_local/test_local.c"
#undef main

#include <pthread.h>
#include <stdatomic.h>

/* Every test begins with an empty database. */
static int setup_empty(void **state)
{
    const bp_vector_info *infos;
    size_t                count;

    if (!getenv("BACKPLANE_TEST_POSTGRES") || setup_with_instance(state) != 0)
        return -1;
    assert_ok(ops->list(call, self, &infos, &count));
    for (size_t i = 0; i < count; i++)
        assert_ok(ops->drop(call, self, infos[i].name));
    next_call();
    return 0;
}

static void a_collection_is_pinned_to_its_schema_here_too(void **state)
{
    const bp_vector_info *infos;
    size_t                count;
    (void)state;
    assert_ok(make("docs", 3, BP_COSINE, ""));
    assert_ok(make("docs", 3, BP_COSINE, "en"));
    assert_status(make("docs", 4, BP_COSINE, "en"), BP_CONFLICT);
    assert_said("3 dimensions, not 4");
    assert_status(make("docs", 3, BP_L2, "en"), BP_CONFLICT);
    assert_status(make("docs", 3, BP_COSINE, "de"), BP_CONFLICT);
    assert_status(make("no spaces", 3, BP_COSINE, ""), BP_INVALID);
    assert_status(make("large", 16001, BP_COSINE, ""), BP_INVALID);
    assert_ok(make("a.b-c_1", 16000, BP_INNER_PRODUCT, "fr"));
    assert_true(testhost_log_has(host, "every search will read all of them"));
    assert_ok(ops->list(call, self, &infos, &count));
    assert_int_equal(count, 2);
    assert_true(bp_str_is(infos[0].name, "a.b-c_1") && infos[0].dimensions == 16000);
    assert_true(bp_str_is(infos[1].name, "docs") && bp_str_is(infos[1].model, "test-model"));
    assert_ok(ops->drop(call, self, BP_STR("docs")));
    assert_status(ops->drop(call, self, BP_STR("docs")), BP_NOT_FOUND);
    assert_status(put("docs", 1, X, "x", ""), BP_NOT_FOUND);
    assert_ok(make("docs", 4, BP_L2, "de"));
}

static void everything_is_there_again_after_a_new_start(void **state)
{
    struct legs legs;
    (void)state;
    assert_ok(make("c", 3, BP_COSINE, "en"));
    assert_ok(put("c", 1, X, "apples", "{\"lang\":\"en\",  \"n\": 1.50}"));
    assert_ok(put("c", 2, Y, "pears", ""));
    stop();
    begin_instance();
    assert_ok(find("c", X, 3, "pears", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "1,2");
    assert_string_equal(ids_of(&legs.words), "2");
}

/* ---- beside vector/local ---- */

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

static void random_words(char *text, size_t size, uint32_t words)
{
    static const char *const list[] = { "retry",   "retries", "retrying", "Header",
                                        "headers", "seconds", "the",      "of",
                                        "cache",   "caching", "database", "gr\xc3\xbc\xc3\x9f\x65",
                                        "server",  "serves",  "token",    "O'Brien",
                                        "x86_64",  "running", "run",      "a\"b" };
    size_t                   len = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < words && len + 16 < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " " : "",
                                list[pick(pick(2) ? 20 : 5)]);
}

static void random_vector(float *vector)
{
    for (int i = 0; i < 8; i++)
        vector[i] = (float)pick(2000) / 1000.0f - 1.0f;
    vector[0] += 0.001f;
}

static void assert_same_leg(const bp_leg *mine, const bp_leg *theirs, double tolerance,
                            const char *what)
{
    if (mine->hit_count != theirs->hit_count)
        fail_msg("%s: %u hits, not %u", what, mine->hit_count, theirs->hit_count);
    for (uint32_t i = 0; i < mine->hit_count; i++) {
        double near = fabs(mine->hits[i].score - theirs->hits[i].score) /
                      (1 + fabs(theirs->hits[i].score));
        bool is_tie = false;

        if (near > tolerance)
            fail_msg("%s: hit %u scores %.12g, not %.12g", what, i, mine->hits[i].score,
                     theirs->hits[i].score);
        for (uint32_t k = 0; k < theirs->hit_count; k++)
            is_tie = is_tie || (theirs->hits[k].id == mine->hits[i].id &&
                                fabs(theirs->hits[k].score - theirs->hits[i].score) <=
                                    tolerance * (1 + fabs(theirs->hits[i].score)));
        if (!is_tie && i + 1 < mine->hit_count) // the last may tie with one that is cut off
            fail_msg("%s: hit %u is point %llu, which is no tie of %llu", what, i,
                     (unsigned long long)mine->hits[i].id, (unsigned long long)theirs->hits[i].id);
    }
}

static void both_stores_rank_alike_through_changes(void **state)
{
    const testhost_option local_options[] = { { "path", "beside" } };
    const bp_plugin      *local = testhost_load(host, BP_PLUGIN_DIR "/vector/local.so");
    testhost_instance   *beside = testhost_instance_create(host, local, "beside", local_options, 1);
    const bp_vector_ops *local_ops = testhost_ops(beside);
    static const char *const metrics[] = { "cos", "ip", "l2" };
    (void)state;
    seed = 42;
    for (uint32_t metric = 0; metric < 3; metric++) {
        const bp_vector_schema schema = { .struct_size = sizeof(schema),
                                          .dimensions = 8,
                                          .metric = metric,
                                          .model = BP_STR("m"),
                                          .language = metric == 2 ? BP_STR("de") : BP_STR("en") };
        bp_str                 name = bp_str_of(metrics[metric]);
        assert_ok(ops->create(call, self, name, &schema));
        assert_ok(local_ops->create(call, testhost_self(beside), name, &schema));
        for (int round = 0; round < 6; round++) {
            enum { MANY = 40 };
            static char  texts[MANY][600];
            static float vectors[MANY][8];
            bp_point     points[MANY];
            uint64_t     ids[10], removed = 0, local_removed = 0;
            for (int i = 0; i < MANY; i++) {
                random_words(texts[i], sizeof(texts[i]), pick(30));
                random_vector(vectors[i]);
                points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                        .id = 1 + pick(150),
                                        .vector = pick(10) ? vectors[i] : NULL,
                                        .words = bp_str_of(texts[i]),
                                        .metadata = pick(2) ? BP_STR("{\"lang\":\"en\"}")
                                                            : BP_STR("") };
            }
            assert_ok(ops->upsert(call, self, name, points, sizeof(points[0]), MANY));
            assert_ok(local_ops->upsert(call, testhost_self(beside), name, points,
                                        sizeof(points[0]), MANY));
            for (int i = 0; i < 10; i++)
                ids[i] = 1 + pick(150);
            assert_ok(ops->remove(call, self, name, ids, 10, NULL, &removed));
            assert_ok(local_ops->remove(call, testhost_self(beside), name, ids, 10, NULL,
                                        &local_removed));
            assert_int_equal(removed, local_removed);
            for (int q = 0; q < 12; q++) {
                char            words[200];
                float           vector[8];
                struct legs     mine, theirs;
                bp_vector_query query = { .struct_size = sizeof(query),
                                          .dimensions = 8,
                                          .collection = name,
                                          .vector = vector,
                                          .filter = pick(3) ? NULL : IN_TEXT("lang", TEXT("en")),
                                          .limit = pick(2) ? 10 : 1000 };
                random_words(words, sizeof(words), 1 + pick(5));
                random_vector(vector);
                query.words = bp_str_of(words);
                memset(&mine, 0, sizeof(mine));
                memset(&theirs, 0, sizeof(theirs));
                mine.vector.struct_size = mine.words.struct_size = theirs.vector.struct_size =
                    theirs.words.struct_size = sizeof(bp_leg);
                assert_ok(ops->search(call, self, &query, &mine.vector, &mine.words));
                assert_ok(local_ops->search(call, testhost_self(beside), &query, &theirs.vector,
                                            &theirs.words));
                assert_same_leg(&mine.vector, &theirs.vector, 1e-5, "vectors");
                if (!strstr(words, "O'Brien") && !strstr(words, "a\"b") && !strstr(words, "x86_64"))
                    assert_same_leg(&mine.words, &theirs.words, 1e-9, words);
            }
            next_call();
        }
    }
    testhost_instance_destroy(beside);
}

/* ---- the graph ---- */

/* While another process has the lock of the graph "g" it is left to it. */
static void build_graph_behind_another_process(void)
{
    char  command[1200], mark[128];
    FILE *psql;

    snprintf(mark, sizeof(mark), "%s/locked", directory);
    snprintf(command, sizeof(command), "psql -q '%s' >/dev/null",
             getenv("BACKPLANE_TEST_POSTGRES"));
    psql = popen(command, "w");
    assert_non_null(psql);
    fprintf(psql,
            "SELECT pg_advisory_lock(7089056601398575104 + id) FROM bpv_collections WHERE name = "
            "'g';\n\\! touch %s\n",
            mark);
    fflush(psql);
    for (int i = 0; i < 3000 && access(mark, F_OK) != 0; i++)
        usleep(10000);
    assert_int_equal(access(mark, F_OK), 0);
    testhost_run_jobs(host);
    assert_false(testhost_log_has(host, "the graph of its vectors is built"));
    assert_int_equal(pclose(psql), 0);
    for (int i = 0; i < 100 && !testhost_log_has(host, "the graph of its vectors is built"); i++) {
        testhost_advance(BP_SECONDS(5)); // when the job is due again
        testhost_run_jobs(host);
    }
}

static void a_large_collection_gets_a_graph_that_finds_nearly_all(void **state)
{
    enum { MANY = 600 };
    static float vectors[MANY][8];
    bp_point     points[MANY];
    uint32_t     found = 0, wanted = 0;
    (void)state;
    testhost_call_end(call);
    call = testhost_call_new(host,
                             BP_SECONDS(3600)); // jobs that come now and then take some of its time
    seed = 7;
    assert_ok(make("g", 8, BP_COSINE, "en"));
    for (int i = 0; i < MANY; i++) {
        random_vector(vectors[i]);
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = (uint64_t)i + 1,
                                .vector = vectors[i],
                                .metadata = i % 10 ? BP_STR("") : BP_STR("{\"rare\":true}") };
    }
    assert_ok(ops->upsert(call, self, BP_STR("g"), points, sizeof(points[0]), MANY));
    for (int pass = 0; pass < 2; pass++) {
        static struct legs exact[20];
        for (int q = 0; q < 20; q++) {
            struct legs legs;
            assert_ok(find("g", vectors[q], 8, "", NULL, 10, pass ? &legs : &exact[q]));
            assert_int_equal(pass ? legs.vector.mode : exact[q].vector.mode,
                             pass ? BP_SEARCH_GRAPH : BP_SEARCH_EXACT);
            for (uint32_t i = 0; pass && i < legs.vector.hit_count; i++)
                for (uint32_t k = 0; k < 10; k++)
                    found += legs.vector.hits[i].id == exact[q].vector.hits[k].id;
            wanted += pass ? 10 : 0;
        }
        if (pass == 0)
            build_graph_behind_another_process();
    }
    assert_true(testhost_log_has(host, "the graph of its vectors is built"));
    if (found * 100 < wanted * 95)
        fail_msg("the graph found %u of %u", found, wanted);
    {
        struct legs
            legs; /* iterative scan: as many as there are, although the graph gives others first */
        assert_ok(find("g", vectors[3], 8, "", IN_TEXT("rare", BOOL(1)), 50, &legs));
        assert_int_equal(legs.vector.hit_count, 50);
    }
}

/* A transaction with an old snapshot keeps the server from finishing a graph, for hours perhaps:
 * meanwhile all goes on, and a drop ends it. */
static void a_graph_that_takes_long_keeps_nobody_waiting(void **state)
{
    enum { MANY = 310 };
    static float vectors[MANY][8];
    bp_point     points[MANY];
    char         command[1200], mark[128];
    FILE        *psql;
    uint64_t     count;
    (void)state;
    assert_ok(make("long", 8, BP_COSINE, "en"));
    for (int i = 0; i < MANY; i++) {
        random_vector(vectors[i]);
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = (uint64_t)i + 1,
                                .vector = vectors[i] };
    }
    assert_ok(ops->upsert(call, self, BP_STR("long"), points, sizeof(points[0]), MANY));
    snprintf(mark, sizeof(mark), "%s/open", directory);
    snprintf(command, sizeof(command), "psql -q '%s' >/dev/null",
             getenv("BACKPLANE_TEST_POSTGRES"));
    psql = popen(command, "w");
    assert_non_null(psql);
    fprintf(psql,
            "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM pg_class;\n\\! touch "
            "%s\n",
            mark);
    fflush(psql);
    for (int i = 0; i < 3000 && access(mark, F_OK) != 0; i++)
        usleep(10000);
    assert_int_equal(access(mark, F_OK), 0);
    for (int i = 0; i < 3; i++) {
        testhost_advance(BP_SECONDS(5));
        testhost_run_jobs(host);
        next_call();
        assert_ok(ops->upsert(call, self, BP_STR("long"), points, sizeof(points[0]), 10));
        assert_ok(ops->count(call, self, BP_STR("long"), NULL, &count));
        assert_int_equal(count, MANY);
    }
    assert_false(testhost_log_has(host, "the graph of its vectors is built"));
    assert_ok(ops->drop(call, self, BP_STR("long")));
    assert_int_equal(pclose(psql), 0);
    testhost_advance(BP_SECONDS(5));
    testhost_run_jobs(host);
    next_call();
}

static void half_precision_is_near_enough(void **state)
{
    const testhost_option options[] = { VECTOR_TEST_OPTIONS, { "half_precision", "true" } };
    struct legs           legs;
    (void)state;
    stop();
    start(options, 3);
    self = testhost_self(instance);
    assert_ok(make("h", 3, BP_COSINE, "en"));
    assert_ok(put("h", 1, X, "", ""));
    assert_ok(put("h", 2, XY, "", ""));
    assert_ok(find("h", X, 3, "", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "1,2");
    assert_true(fabs(legs.vector.hits[1].score - sqrt(0.5)) < 1e-3);
}

/* ---- many at once ---- */

static atomic_int written;

static void *write_some(void *arg)
{
    void    *worker = testhost_self(arg);
    uint64_t own = (uint64_t)(uintptr_t)arg;

    for (int round = 0; round < 15; round++) {
        enum { MANY = 20 };
        bp_point points[MANY];
        bp_call *mine = testhost_call_new(host, BP_SECONDS(120));
        for (int i = 0; i < MANY; i++) {
            own = own * 6364136223846793005u + 1442695040888963407u;
            points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                    .id = 1 + (own >> 33) % 60,
                                    .vector = XY,
                                    .words = BP_STR("common words of every point"),
                                    .metadata = BP_STR("{\"n\":1}") };
        }
        if (ops->upsert(mine, worker, BP_STR("many"), points, sizeof(points[0]), MANY) == BP_OK)
            atomic_fetch_add(&written, 1);
        else
            print_error(BP_FMT "\n", BP_ARG(bp_error_of(mine)->message));
        testhost_call_end(mine);
    }
    return NULL;
}

static void many_who_write_the_same_points_neither_fail_nor_miscount(void **state)
{
    testhost_instance    *workers[6];
    pthread_t             threads[6];
    const bp_vector_info *infos;
    struct legs           legs;
    uint64_t              count = 0, infos_count = 0;
    size_t                collections;
    (void)state;
    atomic_store(&written, 0);
    assert_ok(make("many", 3, BP_COSINE, "en"));
    for (int i = 0; i < 6; i++)
        workers[i] = testhost_instance_worker(instance);
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_some, workers[i]), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    for (int i = 6; i-- > 0;)
        testhost_instance_destroy(workers[i]);
    assert_int_equal(atomic_load(&written), 90);
    assert_ok(ops->count(call, self, BP_STR("many"), NULL, &count));
    assert_ok(find("many", NULL, 0, "common", NULL, 100, &legs));
    assert_int_equal(legs.words.hit_count, count);
    for (int pass = 0; pass < 2; pass++) {
        assert_ok(ops->list(call, self, &infos, &collections));
        infos_count = infos[0].count;
        assert_int_equal(infos_count, count);
        testhost_run_jobs(host); /* adds the lines of counts up, which changes no sum */
    }
}

int main(void)
{
#define VECTOR_TEST(name) cmocka_unit_test_setup_teardown(name, setup_empty, teardown)
    const struct CMUnitTest tests[] = {
        VECTOR_TEST(a_collection_is_pinned_to_its_schema_here_too),
        VECTOR_TEST(the_nearest_vectors_come_first_and_ties_by_id),
        VECTOR_TEST(wrong_points_and_queries_are_refused_whole),
        VECTOR_TEST(words_are_found_by_stem_rarity_and_any_of_them),
        VECTOR_TEST(what_looks_like_match_syntax_is_only_words),
        VECTOR_TEST(both_legs_answer_one_query),
        VECTOR_TEST(every_filter_selects_what_it_says),
        VECTOR_TEST(wrong_filters_are_invalid),
        VECTOR_TEST(a_point_written_again_replaces_all_three_parts),
        VECTOR_TEST(everything_is_there_again_after_a_new_start),
        VECTOR_TEST(a_scroll_goes_through_all_points_by_rising_id),
        VECTOR_TEST(both_stores_rank_alike_through_changes),
        VECTOR_TEST(a_large_collection_gets_a_graph_that_finds_nearly_all),
        VECTOR_TEST(a_graph_that_takes_long_keeps_nobody_waiting),
        VECTOR_TEST(half_precision_is_near_enough),
        VECTOR_TEST(many_who_write_the_same_points_neither_fail_nor_miscount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
