/* test_local_scale.c - the embedded vector store with 10,000 points (1,000,000 with -DBP_LONG),
 * under threads, cancelled, and killed. */
#include "vector_test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

#ifdef BP_LONG
enum { POINTS = 1000000, KILLS = 200 };
#else
enum { POINTS = 10000, KILLS = 20 };
#endif
enum { DIMENSIONS = 384, QUERIES = 25, NEAREST = 10, BATCH = 10000 };

static float *vectors; /* POINTS times DIMENSIONS */

static uint64_t random_state = 88172645463325252u;
static float    random_float(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (float)((double)(random_state >> 11) / 9007199254740992.0 - 0.5);
}

static void fill(size_t count)
{
    bp_point *points = malloc(count * sizeof(*points));

    vectors = malloc((size_t)POINTS * DIMENSIONS * sizeof(float));
    assert_non_null(vectors);
    for (size_t i = 0; i < (size_t)POINTS * DIMENSIONS; i++)
        vectors[i] = random_float();
    assert_ok(make("big", DIMENSIONS, BP_COSINE, "en"));
    for (size_t i = 0; i < count; i++)
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = i + 1,
                                .vector = vectors + i * DIMENSIONS,
                                .words = i % 10 ? BP_STR("ordinary") : BP_STR("special"),
                                .metadata = i % 7 ? BP_STR("{\"k\":0}") : BP_STR("{\"k\":1}") };
    for (size_t i = 0; i < count; i += BATCH) {
        size_t batch = count - i < BATCH ? count - i : BATCH;

        assert_ok(
            ops->upsert(call, self, BP_STR("big"), points + i, sizeof(bp_point), (uint32_t)batch));
        next_call();
    }
    free(points);
}

struct exact {
    uint64_t id;
    double   score;
};

static int by_score(const void *a, const void *b)
{
    const struct exact *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score;
}

/* Brute force in double over what is live and allowed. */
static size_t brute_force(const float *query, bool (*is_allowed)(uint64_t id), struct exact *out)
{
    size_t count = 0;
    for (size_t i = 0; i < POINTS; i++) {
        double dot = 0, a = 0, b = 0;
        if (!is_allowed(i + 1))
            continue;
        for (size_t k = 0; k < DIMENSIONS; k++) {
            double x = vectors[i * DIMENSIONS + k], y = query[k];
            dot += x * y;
            a += x * x;
            b += y * y;
        }
        out[count++] = (struct exact){ i + 1, dot / sqrt(a * b) };
    }
    qsort(out, count, sizeof(*out), by_score);
    return count;
}

static bool is_live(uint64_t id)
{
    return id % 3 != 0;
}
static bool is_selected(uint64_t id)
{
    return id % 3 != 0 && (id - 1) % 7 == 0;
}

/* A search gives the brute-force ids, except where two scores are nearer than float32 can tell. */
static void assert_same(const bp_leg *leg, const struct exact *exact)
{
    assert_int_equal(leg->hit_count, NEAREST);
    for (uint32_t i = 0; i < NEAREST; i++) {
        assert_true(fabs(leg->hits[i].score - exact[i].score) < 1e-5);
        if (leg->hits[i].id != exact[i].id)
            assert_true(fabs(exact[i].score - exact[i + 1].score) < 1e-5 ||
                        (i && fabs(exact[i].score - exact[i - 1].score) < 1e-5));
    }
}

static void many_points_are_found_as_by_brute_force(void **state)
{
    struct exact   *exact = malloc(POINTS * sizeof(*exact));
    uint64_t       *gone = malloc(POINTS * sizeof(*gone)), removed = 0;
    size_t          count = 0;
    struct timespec begin, end;
    double          spent_ms = 0;
    (void)state;
    fill(POINTS);
    for (uint64_t id = 3; id <= POINTS; id += 3)
        gone[count++] = id;
    assert_ok(ops->remove(call, self, BP_STR("big"), gone, count, NULL, &removed));
    assert_int_equal(removed, count);
    for (int q = 0; q < QUERIES; q++) {
        float       query[DIMENSIONS];
        struct legs legs;
        for (size_t k = 0; k < DIMENSIONS; k++)
            query[k] = random_float();
        clock_gettime(CLOCK_MONOTONIC, &begin);
        assert_ok(find("big", query, DIMENSIONS, "", NULL, NEAREST, &legs));
        clock_gettime(CLOCK_MONOTONIC, &end);
        spent_ms += (double)(end.tv_sec - begin.tv_sec) * 1e3 +
                    (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
        brute_force(query, is_live, exact);
        assert_same(&legs.vector, exact);
        assert_ok(find("big", query, DIMENSIONS, "", IN_TEXT("k", NUMBER(1)), NEAREST, &legs));
        brute_force(query, is_selected, exact);
        assert_same(&legs.vector, exact);
        next_call();
    }
    print_message("%d points of %d dimensions: %.2f ms a search\n", POINTS, DIMENSIONS,
                  spent_ms / QUERIES);
    /* Freed rows are used again. */
    {
        const bp_vector_info *infos;
        size_t                infos_count;
        int64_t               before;
        assert_ok(ops->list(call, self, &infos, &infos_count));
        before = infos[0].memory_bytes;
        for (uint64_t id = 3; id <= 3000; id += 3)
            assert_ok(put("big", id, vectors + (id - 1) * DIMENSIONS, "again", ""));
        assert_ok(ops->list(call, self, &infos, &infos_count));
        assert_int_equal(infos[0].memory_bytes, before);
        assert_int_equal(infos[0].count, POINTS - count + 1000);
    }
    free(exact);
    free(gone);
    free(vectors);
}

static atomic_bool is_over;
static atomic_int  failures;

static void *search_all_the_time(void *arg)
{
    float *query = arg;
    while (!atomic_load(&is_over)) {
        bp_call        *own = testhost_call_new(host, BP_SECONDS(60));
        bp_vector_query wanted = { .struct_size = sizeof(wanted),
                                   .dimensions = DIMENSIONS,
                                   .collection = BP_STR("big"),
                                   .vector = query,
                                   .words = BP_STR("special"),
                                   .limit = 5 };
        bp_leg          by_vector = { .struct_size = sizeof(bp_leg) },
               by_words = { .struct_size = sizeof(bp_leg) };
        if (ops->search(own, self, &wanted, &by_vector, &by_words) != BP_OK ||
            by_vector.hit_count != 5 || by_words.hit_count != 5)
            atomic_fetch_add(&failures, 1);
        testhost_call_end(own);
    }
    return NULL;
}

static void searches_go_on_while_points_are_written(void **state)
{
    pthread_t threads[3];
    (void)state;
    testhost_offload_on_threads(host, true);
    fill(2000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_all_the_time,
                                        vectors + i * DIMENSIONS),
                         0);
    for (uint64_t id = 100; id < 300; id++) {
        assert_ok(put("big", id + 5000, vectors + id * DIMENSIONS, "special", ""));
        assert_ok(ops->remove(call, self, BP_STR("big"), &id, 1, NULL, NULL));
        next_call();
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
    free(vectors);
}

static void a_cancelled_search_ends(void **state)
{
    struct legs legs;
    (void)state;
    fill(100);
    testhost_cancel(call);
    assert_status(find("big", vectors, DIMENSIONS, "", NULL, 5, &legs), BP_CANCELLED);
    free(vectors);
}

/* ---- kill -9 ---- */

static void write_until_killed(int out, uint64_t id)
{
    begin_instance();
    for (;; id++) {
        float    vector[3] = { 1, (float)(id % 97), (float)(id % 89) };
        uint64_t removed = id > 20 && id % 5 == 0 ? id - 20 : 0;
        char     words[64], metadata[64];
        snprintf(words, sizeof(words), "number n%llu", (unsigned long long)id);
        snprintf(metadata, sizeof(metadata), "{\"n\":%llu}", (unsigned long long)id);
        if (put("k", id, vector, words, metadata) != BP_OK ||
            write(out, &id, sizeof(id)) != sizeof(id))
            _exit(1);
        if (removed && ops->remove(call, self, BP_STR("k"), &removed, 1, NULL, NULL) != BP_OK)
            _exit(1);
        next_call();
    }
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t       value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* Vectors, words and metadata of the file agree with each other. */
static void assert_agreement(void)
{
    char     path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/store/vectors.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO words_1(words_1, rank) VALUES('integrity-check', 1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(number(db, "SELECT count(*) FROM points_1 p WHERE NOT EXISTS(SELECT 1 FROM "
                                "vectors_1 v WHERE v.id = p.id)"),
                     0);
    assert_int_equal(number(db, "SELECT count(*) FROM vectors_1 v WHERE NOT EXISTS(SELECT 1 FROM "
                                "points_1 p WHERE p.id = v.id)"),
                     0);
    assert_int_equal(number(db, "SELECT count(*) FROM points_1 WHERE words <> 'number n' || id OR "
                                "json_extract(metadata, '$.n') <> id"),
                     0);
    sqlite3_close(db);
}

static void acknowledged_points_survive_kill_9_and_their_parts_agree(void **state)
{
    uint64_t acknowledged = 0;
    (void)state;
    assert_ok(make("k", 3, BP_COSINE, "en"));
    stop();
    srand(11);
    for (int round = 0; round < KILLS; round++) {
        int         ends[2], status;
        uint64_t    id, count;
        pid_t       child;
        struct legs legs;
        char        words[32];

        assert_int_equal(pipe(ends), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(ends[1], acknowledged + 1);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &id, sizeof(id)), sizeof(id));
        acknowledged = id;
        usleep((useconds_t)(rand() % 15000));
        kill(child, SIGKILL);
        while (read(ends[0], &id, sizeof(id)) == sizeof(id))
            acknowledged = id;
        close(ends[0]);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));

        assert_agreement();
        begin_instance();
        snprintf(words, sizeof(words), "n%llu", (unsigned long long)acknowledged);
        assert_ok(find("k",
                       (const float[]){ 1, (float)(acknowledged % 97), (float)(acknowledged % 89) },
                       3, words, IN_TEXT("n", NUMBER((double)acknowledged)), 5, &legs));
        assert_int_equal(legs.vector.hit_count, 1);
        assert_int_equal(legs.vector.hits[0].id, acknowledged);
        assert_int_equal(legs.words.hit_count, 1);
        assert_ok(ops->count(call, self, BP_STR("k"), NULL, &count));
        assert_true(count > acknowledged / 2);
        /* One more may have been written and not yet acknowledged. */
        assert_ok(ops->count(call, self, BP_STR("k"),
                             RANGE("n", (double)acknowledged + 1, INFINITY, false, false), &count));
        assert_true(count <= 1);
        acknowledged += count;
        stop();
    }
    print_message("%d kills, %llu points written\n", KILLS, (unsigned long long)acknowledged);
    begin_instance();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_instance, teardown)
    const struct CMUnitTest tests[] = {
        TEST(many_points_are_found_as_by_brute_force),
        TEST(searches_go_on_while_points_are_written),
        TEST(a_cancelled_search_ends),
        TEST(acknowledged_points_survive_kill_9_and_their_parts_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
